/* SPDX-License-Identifier: GPL-2.0 */
/* Messages to the module, what is in them, and what has to be answered. */
#ifndef _LT_TEST_FUZZ_H
#define _LT_TEST_FUZZ_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/nf_looptrack.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define FEATURES	(NF_LOOPTRACK_FEATURE_MAX + 1)
#define PROXIES_MAX	8
#define EXEMPTS_MAX	16
#define TRACERS_MAX	8

/* A datagram, of so many messages at most. */
#define SHOT_SIZE	(136 * 1024)
#define SHOT_MESSAGES	512
/* Other families are nobody's business; there is none of the last number. */
#define SHOT_NO_FAMILY	UINT16_MAX

enum kind {
	KIND_NONE,	/* in no message */
	KIND_PAD,
	KIND_U8,
	KIND_U16,
	KIND_U32,
	KIND_U64,
	KIND_ADDR6,
	KIND_FLAG,
	KIND_STRING,
	KIND_NEST,
};

struct set;

/**
 * struct attr - an attribute, as the specification has it
 * @kind: what is in it
 * @min: of a number that is sent
 * @max: likewise, or 0 for any
 * @set: of a nest
 */
struct attr {
	enum kind kind;
	__u64 min, max;
	const struct set *set;
};

/* Sets have fewer than 64 types. */
struct set {
	unsigned int max;
	struct attr attr[64];
};

/**
 * struct command - a command, as the specification has it
 * @name: NULL: there is none of that number that can be sent
 * @set: its attributes
 * @asks: bits of those in a request
 * @must: bits of those that are in each answer; 0: it has none
 * @admin: not for everybody
 * @dumps: it can list, too
 */
struct command {
	const char *name;
	const struct set *set;
	__u64 asks, must;
	bool admin, dumps;
};

extern const struct command commands[NF_LOOPTRACK_CMD_MAX + 1];
extern const struct set tuple_set, feature_set, proxy_set, exempt_set;

/**
 * struct proxy - by what one is known
 * @by: NF_LOOPTRACK_A_PROXY_PORT, _UID or _CGROUP
 * @value: of it
 */
struct proxy {
	unsigned int by;
	__u64 value;
};

/**
 * struct exempt - a range of ports
 * @from: the first one
 * @to: the last one
 */
struct exempt {
	__u16 from, to;
};

/**
 * struct state - what the module has to remember
 * @mode: of each feature
 * @supported: bits of the features there are
 * @mark: of passmark
 * @mask: of passmark
 * @proxies: how many
 * @proxy: each
 * @exempts: number of ranges of exempt ports of listeners
 * @exempt: each
 */
struct state {
	__u32 mode[FEATURES];
	__u32 supported, mark, mask;
	unsigned int proxies;
	struct proxy proxy[PROXIES_MAX];
	unsigned int exempts;
	struct exempt exempt[EXEMPTS_MAX];
};

/* The ends of a flow that is there from the first to the last message. */
#define FLOW_ADDR	0x7f000001
#define FLOW_SPORT	15998
#define FLOW_DPORT	15999

/**
 * struct expected - what has to come of a message, and what came
 * @seq: its number
 * @offset: where it begins in the datagram
 * @cmd: its command, or 0 if it doesn't get that far
 * @ack: asked for
 * @reply: there is an answer
 * @dump: a list is begun
 * @late: the list ends with @err, instead of not being begun
 * @err: the error it ends with, or 0
 * @or_err: it may just as well end with this one, or with @err alone if 0
 * @or_none: it may end without an error, too
 * @or_any: it may end with any error that has a text: what the host's addresses, devices
 *	and routes are is not modelled
 * @flow: it is about the flow that is there
 * @told: the error comes with a text
 * @where: the attribute that the error names, from the message's start; or 0
 * @replies: messages that came
 * @flows: of these, those about the flow that is there
 * @ended: by an ACK or by the end of a list
 * @got: the error it ended with
 * @got_where: the attribute it named
 * @got_text: there was a text
 */
struct expected {
	__u32 seq;
	size_t offset;
	__u8 cmd;
	bool ack, reply, dump, late, or_none, or_any, flow, told;
	int err, or_err;
	unsigned int where;

	unsigned int replies, flows;
	bool ended, got_text;
	int got;
	unsigned int got_where;
};

/**
 * struct model - the module, as it is seen from outside
 * @family: number of the netlink family
 * @admin: we have CAP_NET_ADMIN
 * @state: what was set
 * @tracers: how many flows are traced
 * @mine: how many of them by the socket that is used next
 * @dumping: a list may be under way there
 */
struct model {
	__u16 family;
	bool admin;
	struct state state;
	unsigned int tracers, mine;
	bool dumping;
};

/* The datagram to be sent. */
struct shot {
	size_t len;
	unsigned char data[SHOT_SIZE];
};

void shot_seed(__u64 seed);
__u32 shot_random(__u32 below);
void shot_make(struct shot *shot, __u16 family);

/* Number the messages of a datagram from @seq on and say what has to come of each; how
 * many the kernel looks at.
 */
unsigned int model_expect(struct model *model, struct shot *shot, __u32 seq,
			  struct expected *expected);

/* What is wrong with an answer, or NULL; @flow: it is about the flow that is there. */
const char *reply_check(const struct model *model, const struct nlmsghdr *nlh, __u8 cmd,
			bool *flow);

/* Is it the tuple of the flow that is there? */
bool reply_is_flow(const struct nlattr *tuple);

/* Learn the state from an answer to feature-get. */
void reply_learn(struct state *state, const struct nlmsghdr *nlh);

#endif /* _LT_TEST_FUZZ_H */
