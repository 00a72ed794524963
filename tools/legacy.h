/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LEGACY_H
#define LEGACY_H

#include <stdbool.h>

#include "looptrack.h"

/**
 * legacy_check() - may packets be traced through rules: has iptables-legacy tables
 * @command: that asks, for what is said
 * @force: say what will happen, and go on
 *
 * Return: EXIT_OK, or EXIT_REFUSED, which was reported.
 */
enum exit_code legacy_check(const char *command, bool force);

#endif /* LEGACY_H */
