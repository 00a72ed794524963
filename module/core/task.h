/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LT_TASK_H
#define LT_TASK_H

#include <linux/netfilter.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>

/**
 * lt_task_sends() - is it a process that sends a packet, and now
 * @state: of the hook, LOCAL_OUT or POST_ROUTING, that the packet is in
 *
 * Not if it only lends its time to an interrupt. And not if it has decided about a
 * packet that was queued to user space (NFQUEUE): the rest of the way is made in
 * its time, whoever sent.
 *
 *	CPU 0, who sends			CPU 1, who decides
 *	LOCAL_OUT: queued, with a copy of
 *	@state
 *						accepts; other hooks of LOCAL_OUT,
 *						with that copy
 *						BHs off: POST_ROUTING
 *	has what the socket needs, goes on
 *
 * Who sends has @state on its own stack, and BHs on.
 *
 * Context: any.
 * Return: true if current is the sender.
 */
static inline bool lt_task_sends(const struct nf_hook_state *state)
{
	return in_task() && !in_softirq() && !(current->flags & PF_KTHREAD) &&
	       object_is_on_stack(state);
}

#endif /* LT_TASK_H */
