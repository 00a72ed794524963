/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMMAND_H
#define COMMAND_H

#include <jansson.h>

#include "looptrack.h"

/* Add a command of looptrack's to an array. */
__printf(2, 3) void command_own(json_t *commands, const char *format, ...);

/* Add one of another program. */
__printf(2, 3) void command_other(json_t *commands, const char *format, ...);

#endif /* COMMAND_H */
