/* SPDX-License-Identifier: GPL-2.0 */
#ifndef QUEUE_H
#define QUEUE_H

#include "looptrack.h"

/**
 * queue_check() - refuse to go on where packets may wait in NFQUEUE
 * @command: the command that would have the kernel drop them
 *
 * It is about the namespace of this process, see netns_enter().
 *
 * Return: EXIT_OK if the namespace has no queue, or EXIT_REFUSED with the queues
 * reported.
 */
enum exit_code queue_check(const char *command);

#endif /* QUEUE_H */
