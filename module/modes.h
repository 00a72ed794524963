/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_MODES_H
#define _LT_MODES_H

#include "net.h"

/**
 * struct lt_modes - modes to be set
 * @given: bit for each feature that is to change
 * @mode: the new mode, by feature
 * @passmark: the mark that passmark is to set, unless its mask is 0
 * @proxies: what is to be known as a proxy, none or some; NULL leaves it as it is
 * @exempts: ports that listeners is to leave alone; likewise
 */
struct lt_modes {
	unsigned long given;
	u8 mode[LT_FEATURE_COUNT];
	struct lt_mark passmark;
	struct lt_proxies *proxies;
	struct lt_exempts *exempts;
};

u8 lt_modes_default(unsigned int feature);
bool lt_modes_supported(unsigned int feature);
int lt_modes_set(struct lt_net *ln, const struct lt_modes *modes);
int lt_modes_set_defaults(struct lt_net *ln);
void lt_modes_set_off(struct lt_net *ln);
void lt_modes_unhook_all(struct lt_net *ln);
int lt_modes_update_hooks(struct lt_net *ln);
void lt_modes_hook_asked(struct work_struct *work);

#endif /* _LT_MODES_H */
