/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_HEAL_H
#define _LT_HEAL_H

#include <linux/percpu.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack_tuple.h>

struct dst_entry;
struct lt_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;
struct sock;

#define LT_HEAL_JOBS	64
#define LT_HEAL_MEMORIES	1024

/**
 * struct lt_heal_side - a packet at one stage of NAT
 * @hook: PRE_ROUTING or LOCAL_OUT; POST_ROUTING
 * @ifindex: the device it came by, or leaves by; 0 if it did not come there
 * @in: POST_ROUTING: the device by which a forwarded packet came, or 0
 * @mark: of the packet
 * @dst: its route, referenced, or NULL
 */
struct lt_heal_side {
	unsigned int hook;
	int ifindex;
	int in;
	u32 mark;
	struct dst_entry *dst;
};

/* Who has a job. Each step is made by one who wins a cmpxchg. */
enum lt_heal_state {
	LT_HEAL_FREE,		/* nobody */
	LT_HEAL_TAKEN,		/* a packet that is being noted, or the work */
	LT_HEAL_READY,		/* nobody, and it is complete */
};

/**
 * struct lt_heal_job - a flow that the rules are to be asked about
 * @state: who has it, enum lt_heal_state; the rest is theirs
 * @due: when to ask, in jiffies
 * @skb: the packet that was noted. Never followed, only compared.
 * @ct: the flow's entry, referenced
 * @sk: the local socket that sends it, referenced, or NULL
 * @is_foreign: something else than NAT sends the packet on
 * @first: before the choice of a destination
 * @last: before the choice of a source
 */
struct lt_heal_job {
	atomic_t state;
	u32 due;
	const struct sk_buff *skb;
	struct nf_conn *ct;
	struct sock *sk;
	bool is_foreign;
	struct lt_heal_side first;
	struct lt_heal_side last;
};

/**
 * struct lt_heal - what is known of a namespace's flows
 * @ln: the module's part of the namespace; constant
 * @work: asks the rules
 * @seed: of hashes; constant
 * @next: the job to begin with; the work's own
 * @jobs: flows to be asked about
 * @memories: what was found wrong: hash of the flow, of its binding, and whether the
 *	entry was evicted. Written by the work.
 * @since: when, in jiffies; likewise
 */
struct lt_heal {
	struct lt_net *ln;
	struct delayed_work work;
	u32 seed;
	unsigned int next;
	struct lt_heal_job jobs[LT_HEAL_JOBS];
	u64 memories[LT_HEAL_MEMORIES];
	u32 since[LT_HEAL_MEMORIES];
};

/**
 * enum lt_heal_finding - what the rules say of a flow
 * @LT_HEAL_RIGHT: they would decide the same
 * @LT_HEAL_WRONG: they would send it elsewhere, or out from another address
 * @LT_HEAL_RANDOM: they choose among too many
 * @LT_HEAL_FOREIGN: it was not them who decided
 * @LT_HEAL_BUSY: they could not be asked, for want of time or memory, or would not
 *	have the packet
 */
enum lt_heal_finding {
	LT_HEAL_RIGHT,
	LT_HEAL_WRONG,
	LT_HEAL_RANDOM,
	LT_HEAL_FOREIGN,
	LT_HEAL_BUSY,
};

enum lt_heal_finding lt_heal_judge(struct lt_net *ln, const struct lt_heal_job *job,
				   struct nf_conntrack_tuple *reply);

bool lt_heal_claim(struct lt_heal_job *job, enum lt_heal_state from);
void lt_heal_release(struct lt_heal_job *job);
void lt_heal_queue(struct lt_heal *heal, unsigned long delay);

/* The packet that was noted last on this CPU, and has not left yet. */
DECLARE_PER_CPU(const struct sk_buff *, lt_heal_noted);

/**
 * lt_heal_follows() - has a packet been noted a moment ago
 * @skb: packet
 *
 * Context: any.
 * Return: true if it has, or has had the place of one in memory.
 */
static inline bool lt_heal_follows(const struct sk_buff *skb)
{
	return this_cpu_read(lt_heal_noted) == skb;
}

bool lt_heal_is_possible(void);
bool lt_heal_wants(struct lt_net *ln, struct nf_conn *ct, bool due);
void lt_heal_note(struct lt_net *ln, const struct sk_buff *skb,
		  const struct nf_hook_state *state);
void lt_heal_note_source(const struct sk_buff *skb,
			 const struct nf_hook_state *state);

int lt_heal_start(struct lt_net *ln);
void lt_heal_free(struct lt_net *ln);

int lt_heal_init(void);
void lt_heal_exit(void);

#endif /* _LT_HEAL_H */
