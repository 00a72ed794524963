/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PROCESS_H
#define PROCESS_H

#include <jansson.h>

/**
 * process_name() - add to sockets whose they are
 * @sockets: array of objects as diag_json() makes them; those that have an "inode" get
 *	"pid" and "comm" of a process that has it open
 *
 * As far as /proc tells this user: others' files are root's to see.
 */
void process_name(json_t *sockets);

#endif /* PROCESS_H */
