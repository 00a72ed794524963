/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of the tests share. Each says in its own way why it ends. */
#ifndef _LT_TEST_COMMON_H
#define _LT_TEST_COMMON_H

#include <fcntl.h>
#include <linux/types.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* A name that `ip netns` gave, or a path. Returns 0, or -1 with errno set. */
static inline int join_netns(const char *name)
{
	char path[256];
	int fd, err;

	snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : "/var/run/netns/", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	err = setns(fd, CLONE_NEWNET);
	close(fd);
	return err;
}

#endif /* _LT_TEST_COMMON_H */
