// SPDX-License-Identifier: GPL-2.0
/* Feature loopguard: flows that a redirect hands to the proxy that opens them. */

#include <linux/fdtable.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "core/ct.h"
#include "report/event.h"
#include "core/pass.h"
#include "feature/loopguard.h"
#include "core/nat.h"
#include "net.h"
#include "core/proxy.h"
#include "core/task.h"

/*
 * A transparent proxy is given all that leaves, by a rule that forgot to exempt
 * the proxy's own connections: it is given these, too, and opens one more for
 * each, until its file descriptors run out.
 *
 * User and cgroup do not tell such a connection from that of a client beside the
 * proxy: in many a container all are root. What does is who has the socket that
 * the flow would be handed to open. The proxy, its forked workers and who was
 * given the socket by the service manager have; no client has. It is looked for
 * among the files of the process that connects, as it does so; not beyond so
 * many of them, as that is done with each connection that is redirected. What
 * listens is opened first.
 *
 * That says nothing where another process connects, or the kernel does on its own
 * time, or where two proxies hand a connection to each other. Who has such can
 * name them, and is believed.
 */
#define LT_LOOPGUARD_FILES	256

/**
 * struct lt_loopguard_search - who has a socket open
 * @server: the socket
 * @left: how many files are still to be looked at
 */
struct lt_loopguard_search {
	const struct sock *server;
	unsigned int *left;
};

static int lt_loopguard_is_server(const void *arg, struct file *file,
				  unsigned int fd)
{
	const struct lt_loopguard_search *s = arg;
	const void *group = rcu_access_pointer(s->server->sk_reuseport_cb);
	struct socket *sock = sock_from_file(file);
	const struct sock *sk = sock ? READ_ONCE(sock->sk) : NULL;

	/* Of several with one port, each is as good as the other. */
	if (sk && (sk == s->server ||
		   (group && rcu_access_pointer(sk->sk_reuseport_cb) == group)))
		return 1;

	return --*s->left ? 0 : -1;
}

/**
 * struct lt_loopguard_client - who was last found not to be his own server
 * @files: of the process; of no use but to be compared
 * @net: network namespace, likewise
 * @to: address that his flow was handed to
 * @port: likewise
 * @until: believe it up to then, in jiffies
 *
 * A client with many files and many connections is searched once a second, on
 * each CPU. Should he become the server, or somebody else get the same files, his
 * loop is found a second later. Of its own CPU, with preemption off.
 */
struct lt_loopguard_client {
	const struct files_struct *files;
	const struct net *net;
	union nf_inet_addr to;
	__be16 port;
	unsigned long until;
};

static DEFINE_PER_CPU(struct lt_loopguard_client, lt_loopguard_clients);

static bool lt_loopguard_is_client(const struct net *net,
				   const struct nf_conntrack_tuple *reply)
{
	const struct lt_loopguard_client *c;
	bool is;

	c = get_cpu_ptr(&lt_loopguard_clients);
	is = c->files == current->files && c->port == reply->src.u.all &&
	     nf_inet_addr_cmp(&c->to, &reply->src.u3) && c->net == net &&
	     time_before(jiffies, c->until);
	put_cpu_ptr(&lt_loopguard_clients);

	return is;
}

static void lt_loopguard_note_client(const struct net *net,
				     const struct nf_conntrack_tuple *reply)
{
	struct lt_loopguard_client *c = get_cpu_ptr(&lt_loopguard_clients);

	*c = (struct lt_loopguard_client) {
		.files = current->files,
		.net = net,
		.to = reply->src.u3,
		.port = reply->src.u.all,
		.until = jiffies + HZ,
	};
	put_cpu_ptr(&lt_loopguard_clients);
}

/* Is it a process that sends, whose files can be looked at, and were not just now?
 * Their lock is taken with BHs on, as lt_task_sends() wants them. connect() sends its
 * SYN so, too; but what a socket sends as it is released leaves under its spinlock:
 *
 *	CPU 0, a thread				CPU 1, another one
 *	dup(): has the files' lock
 *						release_sock(): has the socket's
 *						lock, sends; waits for the files'
 *	interrupt, softirq: waits for the
 *	socket's lock
 *
 * That is no connection that begins, though conntrack may take it for one.
 */
static bool lt_loopguard_may_own(const struct nf_hook_state *state,
				 const struct nf_conntrack_tuple *reply)
{
	return lt_task_sends(state) &&
	       !lt_loopguard_is_client(state->net, reply);
}

/* Does the process that sends have the socket open? */
static bool lt_loopguard_is_own(const struct nf_hook_state *state,
				const struct sock *server,
				const struct nf_conntrack_tuple *reply)
{
	unsigned int left = LT_LOOPGUARD_FILES;
	const struct lt_loopguard_search search = {
		.server = server,
		.left = &left,
	};

	if (!lt_loopguard_may_own(state, reply))
		return false;

	if (iterate_fd(current->files, 0, lt_loopguard_is_server, &search) > 0)
		return true;

	lt_loopguard_note_client(state->net, reply);
	return false;
}

/* Is a flow from a proxy handed to a proxy, as far as the operator named them? */
static bool lt_loopguard_is_named(const struct lt_net *ln, struct sock *from,
				  struct sock *server,
				  const struct nf_conntrack_tuple *reply)
{
	return sk_fullsock(from) &&
	       lt_proxies_have_loop(rcu_dereference(ln->proxies), from, server,
				    ntohs(reply->src.u.all));
}

/* May a new flow be handed to whom it comes from? No, if it isn't redirected, or by
 * one who was asked a moment ago.
 */
static bool lt_loopguard_concerns(const struct lt_net *ln,
				  const struct sk_buff *skb,
				  const struct nf_conn *ct,
				  const struct nf_hook_state *state)
{
	if (!(READ_ONCE(ct->status) & IPS_DST_NAT) || !state->sk ||
	    !lt_loop_stays(skb, state->pf))
		return false;

	return rcu_access_pointer(ln->proxies) ||
	       lt_loopguard_may_own(state, lt_ct_tuple(ct, IP_CT_DIR_REPLY));
}

/* Is a new flow handed to whom it comes from? Then ev tells about it. */
static bool lt_loopguard_is_loop(struct lt_net *ln, const struct sk_buff *skb,
				 const struct nf_conn *ct,
				 const struct nf_hook_state *state,
				 struct lt_event *ev)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct sock *server;
	bool loop;

	server = lt_sock_server_get(ln->net, reply, skb_dst(skb)->dev->ifindex);
	if (!server)
		return false;

	loop = lt_loopguard_is_named(ln, state->sk, server, reply) ||
	       lt_loopguard_is_own(state, server, reply);
	if (loop) {
		lt_event_describe(ev, NF_LOOPTRACK_FEATURE_LOOPGUARD, ct,
				  state->sk);
		ev->wanted = *reply;
		nf_ct_invert_tuple(&ev->holder, reply);
		ev->holder_owner = lt_sock_who(server);
		lt_stats_inc(&ln->stats, LOOPGUARD_SEEN);
	}
	sock_put(server);

	return loop;
}

/* A loop makes as many flows as it can. */
static void lt_loopguard_report(struct lt_net *ln, struct lt_event *ev,
				enum nf_looptrack_decision decision)
{
	if (__ratelimit(&ln->loopguard_limit))
		lt_event_send(ln->net, ev, decision);
}

static noinline void
lt_loopguard_look(struct lt_net *ln, const struct sk_buff *skb,
		  const struct nf_conn *ct, const struct nf_hook_state *state)
{
	struct lt_event ev;

	if (lt_loopguard_is_loop(ln, skb, ct, state, &ev))
		lt_loopguard_report(ln, &ev, NF_LOOPTRACK_DECISION_OBSERVED);
}

/**
 * lt_loopguard_observe() - report a flow that is handed to whom it comes from
 * @ln: the module's part of the network namespace
 * @skb: the flow's first packet, before it is committed
 * @ct: its entry: unconfirmed
 * @state: of the hook, POST_ROUTING
 *
 * Context: softirq, or process context with a hook's RCU read lock. Proxies that
 * are not named are found in the context of the process that sends.
 */
void lt_loopguard_observe(struct lt_net *ln, const struct sk_buff *skb,
			  const struct nf_conn *ct,
			  const struct nf_hook_state *state)
{
	if (lt_mode(ln, NF_LOOPTRACK_FEATURE_LOOPGUARD) ==
	    NF_LOOPTRACK_MODE_OBSERVE &&
	    lt_loopguard_concerns(ln, skb, ct, state))
		lt_loopguard_look(ln, skb, ct, state);
}

/**
 * lt_loopguard_release() - take a redirect back that makes a loop
 * @ln: the module's part of the network namespace
 * @skb: the flow's first packet, after NAT has changed its destination
 * @ct: its entry: unconfirmed
 * @state: of the hook, LOCAL_OUT
 *
 * Context: softirq, or process context with a hook's RCU read lock. Proxies that
 * are not named are found in the context of the process that sends.
 */
void lt_loopguard_release(struct lt_net *ln, struct sk_buff *skb,
			  struct nf_conn *ct,
			  const struct nf_hook_state *state)
{
	struct lt_event ev;

	if (lt_mode(ln, NF_LOOPTRACK_FEATURE_LOOPGUARD) !=
	    NF_LOOPTRACK_MODE_ENFORCE ||
	    !lt_loopguard_concerns(ln, skb, ct, state) ||
	    !lt_loopguard_is_loop(ln, skb, ct, state, &ev))
		return;

	if (!lt_ct_is_exclusive(skb, ct) || lt_nat_release(skb, ct, state)) {
		lt_loopguard_report(ln, &ev, NF_LOOPTRACK_DECISION_UNABLE);
		return;
	}

	ev.got = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	lt_stats_inc(&ln->stats, LOOPGUARD_RELEASED);
	lt_loopguard_report(ln, &ev, NF_LOOPTRACK_DECISION_RELEASED);
}
