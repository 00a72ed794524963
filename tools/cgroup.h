/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdint.h>

/**
 * cgroup_number() - the number by which the kernel knows a cgroup
 * @path: of its directory, or below where the unified hierarchy is mounted
 * @number: where to put it
 *
 * Return: 0, or -1 with errno; ENOTSUP if that is a directory of something else.
 */
int cgroup_number(const char *path, uint64_t *number);

/**
 * cgroup_path() - where a cgroup is
 * @number: of it
 *
 * Return: its path below where the unified hierarchy is mounted, to be freed; NULL
 * if it is gone, or cannot be seen from here.
 */
char *cgroup_path(uint64_t number);

#endif /* CGROUP_H */
