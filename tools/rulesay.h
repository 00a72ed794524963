/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RULESAY_H
#define RULESAY_H

#include <jansson.h>

/* What rules_get() has found, as a string, a new reference; NULL if there is no memory. */
json_t *rulesay_sentence(const json_t *rules);

#endif /* RULESAY_H */
