/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_DROP_TELL_H
#define _LT_DROP_TELL_H

#include <linux/types.h>

#include "report/drop.h"

struct lt_drops;
struct lt_net;
struct net_device;

/**
 * struct lt_drop - a packet that was dropped
 * @sight: where it was seen last
 * @time: when it was dropped, in nanoseconds since 1970
 * @location: in which function
 * @dev: what it had where others have their device; never followed
 * @reason: as the kernel numbers it
 */
struct lt_drop {
	struct lt_drop_sight sight;
	u64 time;
	const void *location;
	const struct net_device *dev;
	u32 reason;
};

struct lt_drops *lt_drops_alloc(const struct lt_net *ln);
void lt_drops_put(struct lt_drops *drops, const struct lt_drop *drop);
void lt_drops_free(struct lt_drops *drops);

#endif /* _LT_DROP_TELL_H */
