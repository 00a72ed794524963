/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MODES_H
#define MODES_H

#include <jansson.h>

#include "nl.h"

/**
 * modes_get() - ask in which mode each feature is
 * @nl: the connection
 * @modes: set to an object: each feature's name, and its mode; for the caller to
 *	json_decref(), also after a failure
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code modes_get(struct nl *nl, json_t **modes);

#endif /* MODES_H */
