/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RUN_H
#define RUN_H

#include <stddef.h>

/**
 * run_read() - run a command and read what it writes
 * @argv: the command, looked for in PATH, and its arguments; NULL ends them
 * @text: set to its standard output with a NUL behind, to be freed
 *
 * The command is stopped after some seconds, and reading ends after some megabytes.
 *
 * Return: 0, or -1 with @text NULL: it could not be run, failed or was stopped.
 */
int run_read(const char *const argv[], char **text);

#endif /* RUN_H */
