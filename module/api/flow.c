// SPDX-License-Identifier: GPL-2.0
/* Flows, told to user space: conntrack's entries and what the sockets say. */

#include <linux/pid_namespace.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netlink.h>

#include "core/ct.h"
#include "core/owner.h"
#include "api/netlink.h"
#include "api/netlink_gen.h"
#include "net.h"
#include "report/nlmsg.h"

/*
 * The table is read bucket by bucket: references are taken under the bucket's
 * lock, and everything else is asked without it. When a message is full, the next
 * one begins with the entry there was no room for.
 */
#define LT_FLOW_BATCH	32

/**
 * struct lt_flow_walk - how far a listing has come
 * @bucket: the next one to be read
 * @partly: it has been begun, and goes on with the entry that has the next
 * @id: nf_ct_get_id(), which needs no reference
 */
struct lt_flow_walk {
	unsigned int bucket;
	bool partly;
	u32 id;
};

/* Numbers of the kernel's are told as ours. */
static_assert((int)NF_LOOPTRACK_TCP_SYN_SENT2 == (int)TCP_CONNTRACK_SYN_SENT2);
static_assert((int)NF_LOOPTRACK_TCP_TIME_WAIT == (int)TCP_CONNTRACK_TIME_WAIT);
static_assert((int)NF_LOOPTRACK_SOCKET_ESTABLISHED == (int)TCP_ESTABLISHED);
static_assert((int)NF_LOOPTRACK_SOCKET_NEW_SYN_RECV == (int)TCP_NEW_SYN_RECV);

static int lt_flow_put_counter(struct sk_buff *msg, int type,
			       const struct nf_conn_counter *counter)
{
	struct nlattr *nest = nla_nest_start(msg, type);

	if (!nest ||
	    nla_put_u64_64bit(msg, NF_LOOPTRACK_A_PASS_PACKETS,
			      atomic64_read(&counter->packets),
			      NF_LOOPTRACK_A_PASS_PAD) ||
	    nla_put_u64_64bit(msg, NF_LOOPTRACK_A_PASS_BYTES,
			      atomic64_read(&counter->bytes),
			      NF_LOOPTRACK_A_PASS_PAD))
		return -EMSGSIZE;

	nla_nest_end(msg, nest);
	return 0;
}

static int lt_flow_put_first(struct sk_buff *msg, const struct nf_conn *ct)
{
	const struct nf_conn_acct *acct = nf_conn_acct_find(ct);

	if (!acct)
		return 0;

	return lt_flow_put_counter(msg, NF_LOOPTRACK_A_FLOW_FIRST_ORIGINAL,
				   &acct->counter[IP_CT_DIR_ORIGINAL]) ?:
	       lt_flow_put_counter(msg, NF_LOOPTRACK_A_FLOW_FIRST_REPLY,
				   &acct->counter[IP_CT_DIR_REPLY]);
}

static int lt_flow_put_second(struct sk_buff *msg, const struct lt_owner *owner)
{
	if (!lt_owner_is(owner, LT_OWNER_COUNTED))
		return 0;

	return lt_flow_put_counter(msg, NF_LOOPTRACK_A_FLOW_SECOND_ORIGINAL,
				   &owner->second[IP_CT_DIR_ORIGINAL]) ?:
	       lt_flow_put_counter(msg, NF_LOOPTRACK_A_FLOW_SECOND_REPLY,
				   &owner->second[IP_CT_DIR_REPLY]);
}

static int lt_flow_put_process(struct sk_buff *msg, struct user_namespace *ns,
			       const struct lt_owner *owner)
{
	pid_t pid;

	if (!owner->pid)
		return 0;

	pid = lt_owner_pid(owner, task_active_pid_ns(current));
	if (pid && nla_put_u32(msg, NF_LOOPTRACK_A_OWNER_PID, pid))
		return -EMSGSIZE;

	return nla_put_u32(msg, NF_LOOPTRACK_A_OWNER_GID,
			   from_kgid_munged(ns, owner->gid)) ?:
	       nla_put_string(msg, NF_LOOPTRACK_A_OWNER_COMM, owner->comm);
}

static int lt_flow_put_owner(struct sk_buff *msg, struct user_namespace *ns,
			     const struct lt_owner *owner)
{
	struct nlattr *nest = nla_nest_start(msg, NF_LOOPTRACK_A_FLOW_OWNER);

	if (!nest ||
	    nla_put_u64_64bit(msg, NF_LOOPTRACK_A_OWNER_COOKIE, owner->cookie,
			      NF_LOOPTRACK_A_OWNER_PAD) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_OWNER_UID,
			from_kuid_munged(ns, owner->uid)) ||
	    lt_flow_put_process(msg, ns, owner) ||
	    (owner->cgroup &&
	     nla_put_u64_64bit(msg, NF_LOOPTRACK_A_OWNER_CGROUP, owner->cgroup,
			       NF_LOOPTRACK_A_OWNER_PAD)) ||
	    nla_put_u64_64bit(msg, NF_LOOPTRACK_A_OWNER_SINCE,
			      lt_owner_since(owner), NF_LOOPTRACK_A_OWNER_PAD))
		return -EMSGSIZE;

	nla_nest_end(msg, nest);
	return 0;
}

static int lt_flow_put_socket(struct sk_buff *msg, int type,
			      struct user_namespace *ns, const struct sock *sk)
{
	struct lt_who who = lt_sock_who(sk);
	struct nlattr *nest;

	if (!sk)
		return 0;

	nest = nla_nest_start(msg, type);
	if (!nest ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_SOCKET_STATE,
			READ_ONCE(sk->sk_state)) ||
	    (who.cookie &&
	     nla_put_u64_64bit(msg, NF_LOOPTRACK_A_SOCKET_COOKIE, who.cookie,
			       NF_LOOPTRACK_A_SOCKET_PAD)) ||
	    (who.known && nla_put_u32(msg, NF_LOOPTRACK_A_SOCKET_UID,
				      from_kuid_munged(ns, who.uid))))
		return -EMSGSIZE;

	nla_nest_end(msg, nest);
	return 0;
}

static bool lt_flow_has_address(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return !ipv6_addr_any(&sk->sk_v6_rcv_saddr);
#endif
	return sk->sk_rcv_saddr;
}

/* The UDP socket of what is sent. One without an address has those of this host only. */
static struct sock *lt_flow_udp_get(struct net *net, const struct nf_conntrack_tuple *t)
{
	struct sock *sk = lt_sock_server_get(net, t, 0);

	if (!sk || lt_sock_is_local(net, t) || lt_flow_has_address(sk))
		return sk;

	sock_gen_put(sk);
	return NULL;
}

/* The sockets of a flow, as they are now. Either may be NULL. */
static void lt_flow_ends(struct lt_ends *ends, const struct nf_conn *ct)
{
	struct net *net = nf_ct_net(ct);
	unsigned int dir;

	*ends = (struct lt_ends) {};
	if (nf_ct_protonum(ct) == IPPROTO_TCP)
		lt_ends_find(ends, ct, NULL);
	else if (nf_ct_protonum(ct) == IPPROTO_UDP)
		for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
			ends->sk[dir] = lt_flow_udp_get(net, lt_ct_tuple(ct, dir));
}

/* True if the client of a TCP flow must have a socket, given the entry's state. */
static bool lt_flow_needs_client(const struct nf_conn *ct)
{
	switch (READ_ONCE(ct->proto.tcp.state)) {
	case TCP_CONNTRACK_SYN_SENT:
	case TCP_CONNTRACK_SYN_RECV:
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
		return true;
	default:
		return false;
	}
}

/* Was the flow opened by a socket that is gone, and goes on as if it were there? */
static bool lt_flow_is_stale(const struct nf_conn *ct, const struct lt_ends *ends,
			     const struct lt_owner *owner)
{
	/* Without an owner there is no proof: raw and packet sockets, another
	 * namespace, XDP or a transparent socket may send the flow.
	 */
	if (!owner || test_bit(IPS_OFFLOAD_BIT, &ct->status))
		return false;

	/* Where stale is observed, a socket that came after the opener goes on with it. */
	if (nf_ct_protonum(ct) == IPPROTO_UDP)
		return lt_owner_is(owner, LT_OWNER_STALE_TOLD) ||
		       lt_owner_is_dead_udp(owner);

	return !ends->sk[IP_CT_DIR_ORIGINAL] && lt_flow_needs_client(ct);
}

static int lt_flow_put_sockets(struct sk_buff *msg, struct lt_net *ln,
			       const struct nf_conn *ct)
{
	const struct lt_owner *owner = lt_owner_find(ct);
	struct user_namespace *ns = ln->net->user_ns;
	struct lt_ends ends;
	int err;

	lt_flow_ends(&ends, ct);
	err = lt_flow_put_socket(msg, NF_LOOPTRACK_A_FLOW_CLIENT, ns,
				 ends.sk[IP_CT_DIR_ORIGINAL]) ?:
	      lt_flow_put_socket(msg, NF_LOOPTRACK_A_FLOW_SERVER, ns,
				 ends.sk[IP_CT_DIR_REPLY]);
	if (!err && lt_flow_is_stale(ct, &ends, owner))
		err = nla_put_flag(msg, NF_LOOPTRACK_A_FLOW_IS_STALE);
	lt_ends_put(&ends);

	if (!err && owner)
		err = lt_flow_put_second(msg, owner);
	if (!err && owner && lt_owner_is_told(ln, owner))
		err = lt_flow_put_owner(msg, ns, owner);

	return err;
}

/* Under the RCU read lock. Return: 0 or -EMSGSIZE. */
static int lt_flow_put(struct sk_buff *msg, struct lt_net *ln,
		       const struct nf_conn *ct)
{
	bool tcp = nf_ct_protonum(ct) == IPPROTO_TCP;
	u32 mark = 0;

#ifdef CONFIG_NF_CONNTRACK_MARK
	mark = READ_ONCE(ct->mark);
#endif
	if (nla_put_u8(msg, NF_LOOPTRACK_A_FLOW_PROTOCOL, nf_ct_protonum(ct)) ||
	    nla_put_u16(msg, NF_LOOPTRACK_A_FLOW_ZONE, nf_ct_zone(ct)->id) ||
	    lt_nlmsg_put_tuple(msg, NF_LOOPTRACK_A_FLOW_ORIGINAL,
			       lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)) ||
	    lt_nlmsg_put_tuple(msg, NF_LOOPTRACK_A_FLOW_REPLY,
			       lt_ct_tuple(ct, IP_CT_DIR_REPLY)) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FLOW_STATUS, READ_ONCE(ct->status)) ||
	    (tcp && nla_put_u32(msg, NF_LOOPTRACK_A_FLOW_TCP_STATE,
				READ_ONCE(ct->proto.tcp.state))) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FLOW_TIMEOUT, nf_ct_expires(ct) / HZ) ||
	    (mark && nla_put_u32(msg, NF_LOOPTRACK_A_FLOW_MARK, mark)) ||
	    lt_flow_put_first(msg, ct) ||
	    (lt_ct_is_loopback(ct) &&
	     nla_put_flag(msg, NF_LOOPTRACK_A_FLOW_IS_LOOPBACK)) ||
	    (READ_ONCE(ct->status) & IPS_SRC_NAT && lt_ct_port_changed(ct) &&
	     nla_put_flag(msg, NF_LOOPTRACK_A_FLOW_IS_REWRITTEN)))
		return -EMSGSIZE;

	return lt_flow_put_sockets(msg, ln, ct);
}

/* The next entries of a bucket, referenced. Should the one to go on with have
 * gone, from the first again: some are told twice then.
 */
static unsigned int lt_flow_batch(const struct lt_flow_walk *walk,
				  const struct net *net,
				  struct nf_conn *batch[LT_FLOW_BATCH])
{
	const struct nf_conntrack_tuple_hash *h;
	const struct hlist_nulls_node *n;
	bool begun = !walk->partly;
	unsigned int count = 0;
	struct nf_conn *ct;
	spinlock_t *lock;	/* conntrack's, of the bucket */

	lock = &nf_conntrack_locks[walk->bucket % CONNTRACK_LOCKS];
	local_bh_disable();
	nf_conntrack_lock(lock);
	__acquire(lock);	/* which its declaration doesn't tell sparse */
again:
	/* It may have been resized. */
	if (walk->bucket >= nf_conntrack_htable_size)
		goto out;

	hlist_nulls_for_each_entry(h, n, &nf_conntrack_hash[walk->bucket],
				   hnnode) {
		ct = nf_ct_tuplehash_to_ctrack(h);
		if (NF_CT_DIRECTION(h) != IP_CT_DIR_ORIGINAL ||
		    !net_eq(nf_ct_net(ct), net))
			continue;
		begun = begun || nf_ct_get_id(ct) == walk->id;
		if (!begun || nf_ct_is_expired(ct) ||
		    !refcount_inc_not_zero(&ct->ct_general.use))
			continue;
		batch[count++] = ct;
		if (count == LT_FLOW_BATCH)
			goto out;
	}
	if (!begun) {
		begun = true;
		goto again;
	}
out:
	spin_unlock(lock);
	local_bh_enable();

	return count;
}

static int lt_flow_fill(struct sk_buff *msg, struct netlink_callback *cb,
			struct lt_net *ln, const struct nf_conn *ct)
{
	void *hdr = genlmsg_put(msg, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &lt_netlink_family,
				NLM_F_MULTI, NF_LOOPTRACK_CMD_FLOW_GET);
	int err = -EMSGSIZE;

	if (!hdr)
		return err;

	rcu_read_lock();
	err = lt_flow_put(msg, ln, ct);
	rcu_read_unlock();
	if (err)
		genlmsg_cancel(msg, hdr);
	else
		genlmsg_end(msg, hdr);

	return err;
}

/* Tell entries of one bucket. Return: true if there is room for more. */
static bool lt_flow_tell(struct sk_buff *msg, struct netlink_callback *cb,
			 struct lt_net *ln, struct lt_flow_walk *walk)
{
	struct nf_conn *batch[LT_FLOW_BATCH];
	unsigned int i, told, count;
	bool full = false;

	count = lt_flow_batch(walk, ln->net, batch);
	/* The last one of a batch that is full is where the next begins. */
	told = count == LT_FLOW_BATCH ? count - 1 : count;
	for (i = 0; i < told; i++) {
		full = lt_flow_fill(msg, cb, ln, batch[i]);
		if (full)
			break;
	}

	walk->partly = i < count;
	if (walk->partly)
		walk->id = nf_ct_get_id(batch[i]);
	else
		walk->bucket++;
	while (count--)
		nf_ct_put(batch[count]);

	return !full;
}

int looptrack_nl_flow_get_dumpit(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct lt_flow_walk *walk = (struct lt_flow_walk *)cb->ctx;
	struct lt_net *ln = lt_net(sock_net(cb->skb->sk));

	BUILD_BUG_ON(sizeof(*walk) > sizeof(cb->ctx));

	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "all flows are listed, none is picked");
		return -EINVAL;
	}

	while (walk->bucket < nf_conntrack_htable_size &&
	       lt_flow_tell(msg, cb, ln, walk))
		cond_resched();

	return msg->len;
}

int looptrack_nl_flow_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[NF_LOOPTRACK_A_FLOW_ZONE];
	struct lt_net *ln = lt_net(genl_info_net(info));
	struct nf_conntrack_tuple t;
	struct nf_conn *ct;
	struct sk_buff *msg;
	void *hdr;
	int err;

	err = lt_netlink_parse_flow(&t, info->attrs[NF_LOOPTRACK_A_FLOW_PROTOCOL],
				    info->attrs[NF_LOOPTRACK_A_FLOW_TUPLE],
				    info->extack);
	if (err)
		return err;

	msg = lt_netlink_answer(info, &hdr);
	if (!msg)
		return -ENOMEM;

	rcu_read_lock();
	ct = lt_ct_find_in(ln->net, id ? nla_get_u16(id) : NF_CT_DEFAULT_ZONE_ID,
			   &t);
	err = ct ? lt_flow_put(msg, ln, ct) : -ENOENT;
	if (ct)
		nf_ct_put(ct);
	rcu_read_unlock();

	if (!ct)
		NL_SET_ERR_MSG(info->extack, "there is no such flow");

	return lt_netlink_send(msg, hdr, info, err);
}
