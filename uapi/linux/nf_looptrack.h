/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	specs/looptrack.yaml */
/* YNL-GEN uapi header */

#ifndef _UAPI_LINUX_NF_LOOPTRACK_H
#define _UAPI_LINUX_NF_LOOPTRACK_H

#define NF_LOOPTRACK_GENL_NAME		"looptrack"
#define NF_LOOPTRACK_GENL_VERSION	1

/**
 * enum nf_looptrack_feature - What the module can do. Each has a mode of its
 *   own in each namespace.
 * @NF_LOOPTRACK_FEATURE_CLASH: A new flow that loses the race for its NAT port
 *   picks again.
 * @NF_LOOPTRACK_FEATURE_STALE: Entries of earlier sockets are evicted at the
 *   first packet.
 * @NF_LOOPTRACK_FEATURE_PORTS: A port is used only if both ledgers say that it
 *   is free.
 * @NF_LOOPTRACK_FEATURE_LINGER: Entries and TIME_WAIT sockets of dead loopback
 *   flows go early.
 * @NF_LOOPTRACK_FEATURE_LOOPSNAT: SNAT and MASQUERADE rules are kept off
 *   loopback flows.
 * @NF_LOOPTRACK_FEATURE_LOOPGUARD: Redirect loops are detected.
 * @NF_LOOPTRACK_FEATURE_ORIGIN: The owner of a local flow is remembered.
 * @NF_LOOPTRACK_FEATURE_PASSMARK: Packets on their second pass carry a mark
 *   bit.
 * @NF_LOOPTRACK_FEATURE_EXPRESS: Accepted loopback flows skip the rules of the
 *   second pass.
 */
enum nf_looptrack_feature {
	NF_LOOPTRACK_FEATURE_CLASH,
	NF_LOOPTRACK_FEATURE_STALE,
	NF_LOOPTRACK_FEATURE_PORTS,
	NF_LOOPTRACK_FEATURE_LINGER,
	NF_LOOPTRACK_FEATURE_LOOPSNAT,
	NF_LOOPTRACK_FEATURE_LOOPGUARD,
	NF_LOOPTRACK_FEATURE_ORIGIN,
	NF_LOOPTRACK_FEATURE_PASSMARK,
	NF_LOOPTRACK_FEATURE_EXPRESS,

	/* private: */
	__NF_LOOPTRACK_FEATURE_MAX,
	NF_LOOPTRACK_FEATURE_MAX = (__NF_LOOPTRACK_FEATURE_MAX - 1)
};

/**
 * enum nf_looptrack_mode - What a feature does in a namespace.
 * @NF_LOOPTRACK_MODE_OFF: Nothing; the kernel behaves as if the module were
 *   not there.
 * @NF_LOOPTRACK_MODE_OBSERVE: Counts and reports what enforce would do and
 *   changes nothing.
 * @NF_LOOPTRACK_MODE_ENFORCE: Acts.
 */
enum nf_looptrack_mode {
	NF_LOOPTRACK_MODE_OFF,
	NF_LOOPTRACK_MODE_OBSERVE,
	NF_LOOPTRACK_MODE_ENFORCE,

	/* private: */
	__NF_LOOPTRACK_MODE_MAX,
	NF_LOOPTRACK_MODE_MAX = (__NF_LOOPTRACK_MODE_MAX - 1)
};

/**
 * enum nf_looptrack_netns - Where the default modes apply when a namespace
 *   appears; elsewhere every feature starts off. The module parameter netns.
 * @NF_LOOPTRACK_NETNS_ALL: In every network namespace.
 * @NF_LOOPTRACK_NETNS_INIT: In the initial network namespace only.
 * @NF_LOOPTRACK_NETNS_NONE: Nowhere.
 */
enum nf_looptrack_netns {
	NF_LOOPTRACK_NETNS_ALL,
	NF_LOOPTRACK_NETNS_INIT,
	NF_LOOPTRACK_NETNS_NONE,
};

/**
 * enum nf_looptrack_decision - What became of a flow an event tells about.
 * @NF_LOOPTRACK_DECISION_OBSERVED: Nothing was done; enforce would have acted.
 * @NF_LOOPTRACK_DECISION_REPICKED: The flow was given another source port and
 *   committed.
 * @NF_LOOPTRACK_DECISION_EXHAUSTED: Each port tried was taken; left to the
 *   kernel.
 * @NF_LOOPTRACK_DECISION_REFUSED: The NAT rules, run again, gave another
 *   verdict than accept, which was obeyed; or they, or conntrack, would not
 *   have the flow any more, and the packet was dropped as the kernel would
 *   have done.
 * @NF_LOOPTRACK_DECISION_UNABLE: The rules could not be run again, for want of
 *   memory or because NAT's hook was not found; left to the kernel.
 * @NF_LOOPTRACK_DECISION_EVICTED: The holder's entry was removed: its socket
 *   is gone, and so is the flow, or another socket uses its addresses and
 *   ports now.
 * @NF_LOOPTRACK_DECISION_KEPT: The flow keeps its source port. NAT had changed
 *   it for the sake of a holder whose sockets are gone, which was evicted.
 * @NF_LOOPTRACK_DECISION_REWRITTEN: NAT changed the source port and nothing
 *   else of the source, as a flow that is not known to be dead holds the
 *   wanted one. Left as it is.
 * @NF_LOOPTRACK_DECISION_RESTORED: The flow stays on this host and has its own
 *   source again, which a SNAT or MASQUERADE rule had changed.
 * @NF_LOOPTRACK_DECISION_RELEASED: The flow goes where it was addressed: a
 *   redirect, which was taken back, would have handed it to the process that
 *   opened it.
 */
enum nf_looptrack_decision {
	NF_LOOPTRACK_DECISION_OBSERVED,
	NF_LOOPTRACK_DECISION_REPICKED,
	NF_LOOPTRACK_DECISION_EXHAUSTED,
	NF_LOOPTRACK_DECISION_REFUSED,
	NF_LOOPTRACK_DECISION_UNABLE,
	NF_LOOPTRACK_DECISION_EVICTED,
	NF_LOOPTRACK_DECISION_KEPT,
	NF_LOOPTRACK_DECISION_REWRITTEN,
	NF_LOOPTRACK_DECISION_RESTORED,
	NF_LOOPTRACK_DECISION_RELEASED,
};

/**
 * enum nf_looptrack_hook - Where a packet is met.
 * @NF_LOOPTRACK_HOOK_PRE_ROUTING: It has arrived.
 * @NF_LOOPTRACK_HOOK_LOCAL_IN: It is for this host.
 * @NF_LOOPTRACK_HOOK_FORWARD: It is for another one.
 * @NF_LOOPTRACK_HOOK_LOCAL_OUT: This host sends it.
 * @NF_LOOPTRACK_HOOK_POST_ROUTING: It leaves, or goes to the loopback device.
 */
enum nf_looptrack_hook {
	NF_LOOPTRACK_HOOK_PRE_ROUTING,
	NF_LOOPTRACK_HOOK_LOCAL_IN,
	NF_LOOPTRACK_HOOK_FORWARD,
	NF_LOOPTRACK_HOOK_LOCAL_OUT,
	NF_LOOPTRACK_HOOK_POST_ROUTING,
};

/**
 * enum nf_looptrack_stage - What of a hook a packet has just passed, by
 *   priority.
 * @NF_LOOPTRACK_STAGE_START: Nothing yet.
 * @NF_LOOPTRACK_STAGE_RAW: Priority -300.
 * @NF_LOOPTRACK_STAGE_CONNTRACK: Priority -200.
 * @NF_LOOPTRACK_STAGE_MANGLE: Priority -150.
 * @NF_LOOPTRACK_STAGE_DSTNAT: Priority -100.
 * @NF_LOOPTRACK_STAGE_FILTER: Priority 0.
 * @NF_LOOPTRACK_STAGE_SECURITY: Priority 50.
 * @NF_LOOPTRACK_STAGE_SRCNAT: Priority 100.
 * @NF_LOOPTRACK_STAGE_END: Everything.
 */
enum nf_looptrack_stage {
	NF_LOOPTRACK_STAGE_START,
	NF_LOOPTRACK_STAGE_RAW,
	NF_LOOPTRACK_STAGE_CONNTRACK,
	NF_LOOPTRACK_STAGE_MANGLE,
	NF_LOOPTRACK_STAGE_DSTNAT,
	NF_LOOPTRACK_STAGE_FILTER,
	NF_LOOPTRACK_STAGE_SECURITY,
	NF_LOOPTRACK_STAGE_SRCNAT,
	NF_LOOPTRACK_STAGE_END,
};

/**
 * enum nf_looptrack_state - What conntrack says of a packet.
 * @NF_LOOPTRACK_STATE_NONE: Nothing; it has not been asked, or finds it
 *   invalid.
 * @NF_LOOPTRACK_STATE_UNTRACKED: A rule has kept the packet from it.
 * @NF_LOOPTRACK_STATE_NEW: The first packets of a flow, up to the first reply.
 * @NF_LOOPTRACK_STATE_ESTABLISHED: Of a flow that has been answered.
 * @NF_LOOPTRACK_STATE_RELATED: Of a flow that another one has announced, or an
 *   ICMP error.
 */
enum nf_looptrack_state {
	NF_LOOPTRACK_STATE_NONE,
	NF_LOOPTRACK_STATE_UNTRACKED,
	NF_LOOPTRACK_STATE_NEW,
	NF_LOOPTRACK_STATE_ESTABLISHED,
	NF_LOOPTRACK_STATE_RELATED,
};

enum nf_looptrack_a_module {
	NF_LOOPTRACK_A_MODULE_PAD = 1,
	NF_LOOPTRACK_A_MODULE_VERSION,
	NF_LOOPTRACK_A_MODULE_NETNS_DEFAULT,

	__NF_LOOPTRACK_A_MODULE_MAX,
	NF_LOOPTRACK_A_MODULE_MAX = (__NF_LOOPTRACK_A_MODULE_MAX - 1)
};

enum nf_looptrack_a_feature {
	NF_LOOPTRACK_A_FEATURE_ID = 1,
	NF_LOOPTRACK_A_FEATURE_MODE,
	NF_LOOPTRACK_A_FEATURE_DEFAULT,
	NF_LOOPTRACK_A_FEATURE_SUPPORTED,
	NF_LOOPTRACK_A_FEATURE_MARK,
	NF_LOOPTRACK_A_FEATURE_MARK_MASK,

	__NF_LOOPTRACK_A_FEATURE_MAX,
	NF_LOOPTRACK_A_FEATURE_MAX = (__NF_LOOPTRACK_A_FEATURE_MAX - 1)
};

enum nf_looptrack_a_config {
	NF_LOOPTRACK_A_CONFIG_PAD = 1,
	NF_LOOPTRACK_A_CONFIG_FEATURE,

	__NF_LOOPTRACK_A_CONFIG_MAX,
	NF_LOOPTRACK_A_CONFIG_MAX = (__NF_LOOPTRACK_A_CONFIG_MAX - 1)
};

enum nf_looptrack_a_stats {
	NF_LOOPTRACK_A_STATS_PAD = 1,
	NF_LOOPTRACK_A_STATS_CLASH_COMMITTED,
	NF_LOOPTRACK_A_STATS_CLASH_SEEN,
	NF_LOOPTRACK_A_STATS_CLASH_REPICKED,
	NF_LOOPTRACK_A_STATS_CLASH_EXHAUSTED,
	NF_LOOPTRACK_A_STATS_CLASH_REFUSED,
	NF_LOOPTRACK_A_STATS_CLASH_UNABLE,
	NF_LOOPTRACK_A_STATS_CLASH_LOST,
	NF_LOOPTRACK_A_STATS_CLASH_EXCLUDED,
	NF_LOOPTRACK_A_STATS_EVENTS_LOST,
	NF_LOOPTRACK_A_STATS_STALE_SEEN,
	NF_LOOPTRACK_A_STATS_STALE_EVICTED,
	NF_LOOPTRACK_A_STATS_STALE_SHARED,
	NF_LOOPTRACK_A_STATS_PORTS_DEAD,
	NF_LOOPTRACK_A_STATS_PORTS_KEPT,
	NF_LOOPTRACK_A_STATS_PORTS_REWRITTEN,
	NF_LOOPTRACK_A_STATS_PORTS_BLOCKED,
	NF_LOOPTRACK_A_STATS_PORTS_MOVED,
	NF_LOOPTRACK_A_STATS_PORTS_EXHAUSTED,
	NF_LOOPTRACK_A_STATS_PORTS_DEMUXED,
	NF_LOOPTRACK_A_STATS_LINGER_SEEN,
	NF_LOOPTRACK_A_STATS_LINGER_EVICTED,
	NF_LOOPTRACK_A_STATS_LINGER_REAPED,
	NF_LOOPTRACK_A_STATS_LOOPSNAT_SEEN,
	NF_LOOPTRACK_A_STATS_LOOPSNAT_RESTORED,
	NF_LOOPTRACK_A_STATS_PASSMARK_SEEN,
	NF_LOOPTRACK_A_STATS_PASSMARK_MARKED,
	NF_LOOPTRACK_A_STATS_LOOPGUARD_SEEN,
	NF_LOOPTRACK_A_STATS_LOOPGUARD_RELEASED,
	NF_LOOPTRACK_A_STATS_EXPRESS_SEEN,
	NF_LOOPTRACK_A_STATS_EXPRESS_SPARED,

	__NF_LOOPTRACK_A_STATS_MAX,
	NF_LOOPTRACK_A_STATS_MAX = (__NF_LOOPTRACK_A_STATS_MAX - 1)
};

enum nf_looptrack_a_tuple {
	NF_LOOPTRACK_A_TUPLE_SRC4 = 1,
	NF_LOOPTRACK_A_TUPLE_DST4,
	NF_LOOPTRACK_A_TUPLE_SRC6,
	NF_LOOPTRACK_A_TUPLE_DST6,
	NF_LOOPTRACK_A_TUPLE_SPORT,
	NF_LOOPTRACK_A_TUPLE_DPORT,

	__NF_LOOPTRACK_A_TUPLE_MAX,
	NF_LOOPTRACK_A_TUPLE_MAX = (__NF_LOOPTRACK_A_TUPLE_MAX - 1)
};

enum nf_looptrack_a_owner {
	NF_LOOPTRACK_A_OWNER_PAD = 1,
	NF_LOOPTRACK_A_OWNER_COOKIE,
	NF_LOOPTRACK_A_OWNER_UID,

	__NF_LOOPTRACK_A_OWNER_MAX,
	NF_LOOPTRACK_A_OWNER_MAX = (__NF_LOOPTRACK_A_OWNER_MAX - 1)
};

enum nf_looptrack_a_event {
	NF_LOOPTRACK_A_EVENT_PAD = 1,
	NF_LOOPTRACK_A_EVENT_TIME,
	NF_LOOPTRACK_A_EVENT_FEATURE,
	NF_LOOPTRACK_A_EVENT_DECISION,
	NF_LOOPTRACK_A_EVENT_PROTOCOL,
	NF_LOOPTRACK_A_EVENT_ZONE,
	NF_LOOPTRACK_A_EVENT_FLOW,
	NF_LOOPTRACK_A_EVENT_WANTED,
	NF_LOOPTRACK_A_EVENT_GOT,
	NF_LOOPTRACK_A_EVENT_HOLDER,
	NF_LOOPTRACK_A_EVENT_PICKS,
	NF_LOOPTRACK_A_EVENT_OWNER,
	NF_LOOPTRACK_A_EVENT_HOLDER_OWNER,

	__NF_LOOPTRACK_A_EVENT_MAX,
	NF_LOOPTRACK_A_EVENT_MAX = (__NF_LOOPTRACK_A_EVENT_MAX - 1)
};

enum nf_looptrack_a_trace {
	NF_LOOPTRACK_A_TRACE_PAD = 1,
	NF_LOOPTRACK_A_TRACE_TIME,
	NF_LOOPTRACK_A_TRACE_PROTOCOL,
	NF_LOOPTRACK_A_TRACE_FLOW,
	NF_LOOPTRACK_A_TRACE_HOOK,
	NF_LOOPTRACK_A_TRACE_STAGE,
	NF_LOOPTRACK_A_TRACE_PASS,
	NF_LOOPTRACK_A_TRACE_PACKET,
	NF_LOOPTRACK_A_TRACE_LENGTH,
	NF_LOOPTRACK_A_TRACE_TCP_FLAGS,
	NF_LOOPTRACK_A_TRACE_MARK,
	NF_LOOPTRACK_A_TRACE_STATE,
	NF_LOOPTRACK_A_TRACE_IS_REPLY,
	NF_LOOPTRACK_A_TRACE_IS_COMMITTED,
	NF_LOOPTRACK_A_TRACE_ORIGINAL,
	NF_LOOPTRACK_A_TRACE_REPLY,
	NF_LOOPTRACK_A_TRACE_IN,
	NF_LOOPTRACK_A_TRACE_OUT,
	NF_LOOPTRACK_A_TRACE_LOST,

	__NF_LOOPTRACK_A_TRACE_MAX,
	NF_LOOPTRACK_A_TRACE_MAX = (__NF_LOOPTRACK_A_TRACE_MAX - 1)
};

enum nf_looptrack_cmd {
	NF_LOOPTRACK_CMD_MODULE_GET = 1,
	NF_LOOPTRACK_CMD_FEATURE_GET,
	NF_LOOPTRACK_CMD_FEATURE_SET,
	NF_LOOPTRACK_CMD_STATS_GET,
	NF_LOOPTRACK_CMD_STATS_RESET,
	NF_LOOPTRACK_CMD_EVENT,
	NF_LOOPTRACK_CMD_TRACE_START,
	NF_LOOPTRACK_CMD_TRACE_PACKET,

	__NF_LOOPTRACK_CMD_MAX,
	NF_LOOPTRACK_CMD_MAX = (__NF_LOOPTRACK_CMD_MAX - 1)
};

#define NF_LOOPTRACK_MCGRP_EVENTS	"events"

#endif /* _UAPI_LINUX_NF_LOOPTRACK_H */
