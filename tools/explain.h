/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <jansson.h>

/* Write what facts_get() and advice_get() say of a flow, in sentences. */
void explain_show(const json_t *facts);

#endif /* EXPLAIN_H */
