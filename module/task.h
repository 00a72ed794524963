/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LT_TASK_H
#define LT_TASK_H

#include <linux/in.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <net/sock.h>

/**
 * lt_task_sends() - is it a process that sends a packet, and now
 * @sk: that the packet is from, of whatever kind
 *
 * Not if it only lends its time to an interrupt. And not if it has decided about a
 * packet that was queued to user space (NFQUEUE): the hooks that are left run in
 * its time, whoever sent. TCP sends on behalf of a process with the socket's lock
 * held, and connect() lets go of it while it waits. Of datagrams nothing tells.
 *
 * Context: any.
 * Return: true if current is the sender.
 */
static inline bool lt_task_sends(const struct sock *sk)
{
	if (!in_task() || current->flags & PF_KTHREAD || !sk_fullsock(sk))
		return false;

	return sk->sk_protocol != IPPROTO_TCP || sock_owned_by_user_nocheck(sk);
}

#endif /* LT_TASK_H */
