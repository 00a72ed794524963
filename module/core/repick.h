/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_REPICK_H
#define _LT_REPICK_H

#include <linux/types.h>

struct lt_nat_binding;
struct lt_new;

/**
 * enum lt_choice - what came of having a flow's source chosen again
 * @LT_CHOICE_FREE: a choice that no socket holds
 * @LT_CHOICE_NONE: there is none, or the search took too much work
 * @LT_CHOICE_STALE: the rules chose what can't be right
 * @LT_CHOICE_VERDICT: the rules have another verdict than accept
 * @LT_CHOICE_UNABLE: they could not be asked, or have made the entry one that must
 *	not be changed
 */
enum lt_choice {
	LT_CHOICE_FREE,
	LT_CHOICE_NONE,
	LT_CHOICE_STALE,
	LT_CHOICE_VERDICT,
	LT_CHOICE_UNABLE,
};

enum lt_choice lt_repick(struct lt_new *new, bool held, unsigned int *verdict);
unsigned int lt_repick_undo(struct lt_new *new, enum lt_choice choice,
			    unsigned int verdict,
			    const struct lt_nat_binding *first);

#endif /* _LT_REPICK_H */
