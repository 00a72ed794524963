/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PATH_H
#define PATH_H

#include <jansson.h>

/**
 * path_get() - the hooks that packets of a flow pass, those of its client
 * @facts: what facts_get() knows of it so far
 *
 * Return: an array of objects: "hook"; "pass", 1 or 2, if they stay on this host;
 * "tuple", as it is behind the hook; "device" by which they leave or come; "rules", the
 * tables whose rules see them.
 */
json_t *path_get(const json_t *facts);

#endif /* PATH_H */
