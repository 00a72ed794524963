// SPDX-License-Identifier: GPL-2.0
/*
 * nf_looptrack: NAT and conntrack that are race-safe and know the loopback.
 *
 * This file orders what the module consists of, and nothing else.
 */

#include <linux/module.h>

#include "core/ct.h"
#include "core/ended.h"
#include "core/nathook.h"
#include "core/owner.h"
#include "core/unanswered.h"
#include "feature/heal.h"
#include "feature/linger.h"
#include "api/netlink.h"
#include "netns.h"
#include "feature/origin.h"
#include "api/pkttrace.h"
#include "report/drop.h"

static int __init lt_init(void)
{
	int err;

	lt_ct_init();
	lt_nathook_init();
	lt_drop_init();
	err = lt_owners_init(lt_linger_udp);
	if (err)
		return err;

	err = lt_heal_init();
	if (err)
		goto err_owners;

	err = lt_ended_init(lt_linger_look);
	if (err)
		goto err_heal;

	lt_unanswered_init(lt_heal_wants);
	err = lt_netns_init();
	if (err)
		goto err_ended;

	lt_unanswered_arm();
	err = lt_pkttrace_init();
	if (err)
		goto err_netns;

	/* Last: from here on user space can ask. */
	err = lt_origin_init();
	if (err)
		goto err_tracer;

	err = lt_netlink_init();
	if (err)
		goto err_origin;

	return 0;

err_origin:
	lt_origin_exit();
err_tracer:
	lt_pkttrace_exit();
err_netns:
	lt_netns_exit();
err_ended:
	lt_ended_exit();
err_heal:
	lt_heal_exit();
err_owners:
	lt_owners_exit();
	return err;
}

static void __exit lt_exit(void)
{
	lt_netlink_exit();
	lt_origin_exit();
	lt_pkttrace_exit();
	lt_netns_exit();
	lt_ended_exit();
	lt_heal_exit();
	lt_owners_exit();
}

module_init(lt_init);
module_exit(lt_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Race-safe, loopback-aware NAT and connection tracking");
MODULE_VERSION(LT_VERSION);
