// SPDX-License-Identifier: GPL-2.0
/*
 * The words of the specification: one table for each attribute set and
 * enumeration. Text, JSON and messages take their names from here and nowhere
 * else; looptrack(8) documents them.
 */
#include <assert.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/nf_looptrack.h>

#include "attr.h"
#include "looptrack.h"

static const char *const feature_words[] = {
	[NF_LOOPTRACK_FEATURE_CLASH] = "clash",
	[NF_LOOPTRACK_FEATURE_STALE] = "stale",
	[NF_LOOPTRACK_FEATURE_PORTS] = "ports",
	[NF_LOOPTRACK_FEATURE_LINGER] = "linger",
	[NF_LOOPTRACK_FEATURE_LOOPSNAT] = "loopsnat",
	[NF_LOOPTRACK_FEATURE_LOOPGUARD] = "loopguard",
	[NF_LOOPTRACK_FEATURE_ORIGIN] = "origin",
	[NF_LOOPTRACK_FEATURE_PASSMARK] = "passmark",
	[NF_LOOPTRACK_FEATURE_EXPRESS] = "express",
	[NF_LOOPTRACK_FEATURE_LISTENERS] = "listeners",
	[NF_LOOPTRACK_FEATURE_HEAL] = "heal",
};

const struct attr_words attr_features = { "feature", feature_words, ARRAY_SIZE(feature_words) };

static const char *const mode_words[] = {
	[NF_LOOPTRACK_MODE_OFF] = "off",
	[NF_LOOPTRACK_MODE_OBSERVE] = "observe",
	[NF_LOOPTRACK_MODE_ENFORCE] = "enforce",
};

const struct attr_words attr_modes = { "mode", mode_words, ARRAY_SIZE(mode_words) };

static const char *const netns_words[] = {
	[NF_LOOPTRACK_NETNS_ALL] = "all",
	[NF_LOOPTRACK_NETNS_INIT] = "init",
	[NF_LOOPTRACK_NETNS_NONE] = "none",
};

static const struct attr_words netns_defaults = { "netns", netns_words, ARRAY_SIZE(netns_words) };

static const char *const decision_words[] = {
	[NF_LOOPTRACK_DECISION_OBSERVED] = "observed",
	[NF_LOOPTRACK_DECISION_REPICKED] = "repicked",
	[NF_LOOPTRACK_DECISION_EXHAUSTED] = "exhausted",
	[NF_LOOPTRACK_DECISION_REFUSED] = "refused",
	[NF_LOOPTRACK_DECISION_UNABLE] = "unable",
	[NF_LOOPTRACK_DECISION_EVICTED] = "evicted",
	[NF_LOOPTRACK_DECISION_KEPT] = "kept",
	[NF_LOOPTRACK_DECISION_REWRITTEN] = "rewritten",
	[NF_LOOPTRACK_DECISION_RESTORED] = "restored",
	[NF_LOOPTRACK_DECISION_RELEASED] = "released",
};

const struct attr_words attr_decisions = {
	"decision", decision_words, ARRAY_SIZE(decision_words)
};

static const struct attr_desc module_desc[] = {
	[NF_LOOPTRACK_A_MODULE_VERSION] = { .name = "version", .type = ATTR_STRING },
	[NF_LOOPTRACK_A_MODULE_NETNS_DEFAULT] = {
		.name = "netns_default", .type = ATTR_ENUM, .words = &netns_defaults,
	},
};

const struct attr_set attr_module = { module_desc, ARRAY_SIZE(module_desc), NULL };

static const struct attr_desc proxy_desc[] = {
	[NF_LOOPTRACK_A_PROXY_PAD] = { .name = "pad", .type = ATTR_IGNORE },
	[NF_LOOPTRACK_A_PROXY_PORT] = { .name = "port", .type = ATTR_U16 },
	[NF_LOOPTRACK_A_PROXY_UID] = { .name = "uid", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_PROXY_CGROUP] = { .name = "cgroup", .type = ATTR_U64 },
};

static const struct attr_set proxy_set = { proxy_desc, ARRAY_SIZE(proxy_desc), NULL };

static const struct attr_desc exempt_desc[] = {
	[NF_LOOPTRACK_A_EXEMPT_FROM] = { .name = "from", .type = ATTR_U16 },
	[NF_LOOPTRACK_A_EXEMPT_TO] = { .name = "to", .type = ATTR_U16 },
};

static const struct attr_set exempt_set = { exempt_desc, ARRAY_SIZE(exempt_desc), NULL };

static const struct attr_desc feature_desc[] = {
	[NF_LOOPTRACK_A_FEATURE_ID] = {
		.name = "id", .key = "name", .type = ATTR_ENUM, .words = &attr_features,
	},
	[NF_LOOPTRACK_A_FEATURE_MODE] = {
		.name = "mode", .type = ATTR_ENUM, .words = &attr_modes,
	},
	[NF_LOOPTRACK_A_FEATURE_DEFAULT] = {
		.name = "default", .type = ATTR_ENUM, .words = &attr_modes,
	},
	[NF_LOOPTRACK_A_FEATURE_SUPPORTED] = { .name = "supported", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_FEATURE_MARK] = { .name = "mark", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_FEATURE_MARK_MASK] = { .name = "mark_mask", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_FEATURE_PROXY] = {
		.name = "proxy", .key = "proxies", .type = ATTR_LIST, .nest = &proxy_set,
	},
	/* Only ever sent. */
	[NF_LOOPTRACK_A_FEATURE_NO_PROXY] = { .name = "no_proxy", .type = ATTR_IGNORE },
	[NF_LOOPTRACK_A_FEATURE_EXEMPT] = {
		.name = "exempt", .type = ATTR_LIST, .nest = &exempt_set,
	},
	[NF_LOOPTRACK_A_FEATURE_NO_EXEMPT] = { .name = "no_exempt", .type = ATTR_IGNORE },
};

static const struct attr_set feature_set = { feature_desc, ARRAY_SIZE(feature_desc), NULL };

static const struct attr_desc config_desc[] = {
	[NF_LOOPTRACK_A_CONFIG_FEATURE] = {
		.name = "feature", .key = "features", .type = ATTR_LIST, .nest = &feature_set,
	},
};

const struct attr_set attr_config = { config_desc, ARRAY_SIZE(config_desc), NULL };

static const struct attr_desc stats_desc[] = {
	[NF_LOOPTRACK_A_STATS_PAD] = { .name = "pad", .type = ATTR_IGNORE },
	[NF_LOOPTRACK_A_STATS_CLASH_COMMITTED] = {
		.name = "clash_committed", .type = ATTR_U64, .doc =
		"New flows with a source binding that the module committed itself.",
	},
	[NF_LOOPTRACK_A_STATS_CLASH_SEEN] = {
		.name = "clash_seen", .type = ATTR_U64, .doc =
		"New flows whose reply tuple was found taken at commit, after NAT had chosen it: another flow was faster, or NAT had found no free one. With enforce each is repicked, exhausted, refused or unable.",
	},
	[NF_LOOPTRACK_A_STATS_CLASH_REPICKED] = {
		.name = "clash_repicked", .type = ATTR_U64, .doc =
		"New flows that lost their port and were committed with another.",
	},
	[NF_LOOPTRACK_A_STATS_CLASH_EXHAUSTED] = {
		.name = "clash_exhausted", .type = ATTR_U64, .doc =
		"New flows for which each port tried was taken. Left to the kernel, which drops the packet.",
	},
	[NF_LOOPTRACK_A_STATS_CLASH_REFUSED] = {
		.name = "clash_refused", .type = ATTR_U64, .doc =
		"New flows that lost their port and that the NAT rules, run again, or conntrack would not have any more.",
	},
	[NF_LOOPTRACK_A_STATS_CLASH_UNABLE] = {
		.name = "clash_unable", .type = ATTR_U64, .doc =
		"New flows that lost their port and for which the rules could not be run again, for want of memory or because NAT's hook was not found. Left to the kernel, which drops the packet.",
	},
	[NF_LOOPTRACK_A_STATS_CLASH_LOST] = {
		.name = "clash_lost", .type = ATTR_U64, .doc =
		"Always 0. Earlier modules counted there what the kernel had counted in insert_failed although the packet was not lost.",
	},
	[NF_LOOPTRACK_A_STATS_CLASH_EXCLUDED] = {
		.name = "clash_excluded", .type = ATTR_U64, .doc =
		"New flows with a source binding left to the kernel (helper, synproxy, expected connection, IPVS, shared packet).",
	},
	[NF_LOOPTRACK_A_STATS_EVENTS_LOST] = {
		.name = "events_lost", .type = ATTR_U64, .doc =
		"Events that could not be sent, for want of memory or a full reader.",
	},
	[NF_LOOPTRACK_A_STATS_STALE_SEEN] = {
		.name = "stale_seen", .type = ATTR_U64, .doc =
		"First packets of a local socket that would have been matched to the entry of an earlier socket.",
	},
	[NF_LOOPTRACK_A_STATS_STALE_EVICTED] = {
		.name = "stale_evicted", .type = ATTR_U64, .doc =
		"Of these, entries that were removed, so that the flow got an entry of its own and met the NAT rules.",
	},
	[NF_LOOPTRACK_A_STATS_STALE_SHARED] = {
		.name = "stale_shared", .type = ATTR_U64, .doc =
		"UDP flows that more than one live socket sends on, or could; their entries are never evicted.",
	},
	[NF_LOOPTRACK_A_STATS_PORTS_DEAD] = {
		.name = "ports_dead", .type = ATTR_U64, .doc =
		"New flows whose source port NAT changed, and nothing else of the source, for the sake of an entry whose sockets are gone.",
	},
	[NF_LOOPTRACK_A_STATS_PORTS_KEPT] = {
		.name = "ports_kept", .type = ATTR_U64, .doc =
		"Of these, flows that kept their port. The dead entry was evicted.",
	},
	[NF_LOOPTRACK_A_STATS_PORTS_REWRITTEN] = {
		.name = "ports_rewritten", .type = ATTR_U64, .doc =
		"New flows whose source port NAT changed, and nothing else of the source, while a flow that is not known to be dead holds the wanted one.",
	},
	[NF_LOOPTRACK_A_STATS_PORTS_BLOCKED] = {
		.name = "ports_blocked", .type = ATTR_U64, .doc =
		"New flows that NAT gave addresses and ports of a live or lingering connection of a local socket.",
	},
	[NF_LOOPTRACK_A_STATS_PORTS_MOVED] = {
		.name = "ports_moved", .type = ATTR_U64, .doc =
		"Of these, flows that were given another port.",
	},
	[NF_LOOPTRACK_A_STATS_PORTS_EXHAUSTED] = {
		.name = "ports_exhausted", .type = ATTR_U64, .doc =
		"Of these, flows for which the rule had no other port. They keep the one the kernel chose.",
	},
	[NF_LOOPTRACK_A_STATS_PORTS_DEMUXED] = {
		.name = "ports_demuxed", .type = ATTR_U64, .doc =
		"Packets that the kernel had assigned to another flow's socket, before NAT gave them a port of their own, and that were assigned again. Older kernels (6.1) do that.",
	},
	[NF_LOOPTRACK_A_STATS_LINGER_SEEN] = {
		.name = "linger_seen", .type = ATTR_U64, .doc =
		"Loopback flows whose last socket has gone, while they had an entry.",
	},
	[NF_LOOPTRACK_A_STATS_LINGER_EVICTED] = {
		.name = "linger_evicted", .type = ATTR_U64, .doc =
		"Of these, flows whose entry was removed.",
	},
	[NF_LOOPTRACK_A_STATS_LINGER_REAPED] = {
		.name = "linger_reaped", .type = ATTR_U64, .doc =
		"TIME_WAIT sockets of loopback flows removed, as nobody is left.",
	},
	[NF_LOOPTRACK_A_STATS_LOOPSNAT_SEEN] = {
		.name = "loopsnat_seen", .type = ATTR_U64, .doc =
		"New flows that stay on this host and whose source a SNAT or MASQUERADE rule changed.",
	},
	[NF_LOOPTRACK_A_STATS_LOOPSNAT_RESTORED] = {
		.name = "loopsnat_restored", .type = ATTR_U64, .doc =
		"Of these, flows that were given their own source again.",
	},
	[NF_LOOPTRACK_A_STATS_PASSMARK_SEEN] = {
		.name = "passmark_seen", .type = ATTR_U64, .doc =
		"Packets on their second pass.",
	},
	[NF_LOOPTRACK_A_STATS_PASSMARK_MARKED] = {
		.name = "passmark_marked", .type = ATTR_U64, .doc =
		"Of these, packets that were marked.",
	},
	[NF_LOOPTRACK_A_STATS_LOOPGUARD_SEEN] = {
		.name = "loopguard_seen", .type = ATTR_U64, .doc =
		"New flows that a redirect or DNAT handed to the process that opened them, or from one known proxy to another.",
	},
	[NF_LOOPTRACK_A_STATS_LOOPGUARD_RELEASED] = {
		.name = "loopguard_released", .type = ATTR_U64, .doc =
		"Of these, flows that were let go where they were addressed.",
	},
	[NF_LOOPTRACK_A_STATS_EXPRESS_SEEN] = {
		.name = "express_seen", .type = ATTR_U64, .doc =
		"Packets of flows whose earlier packets the second pass's rules have accepted.",
	},
	[NF_LOOPTRACK_A_STATS_EXPRESS_SPARED] = {
		.name = "express_spared", .type = ATTR_U64, .doc =
		"Of these, packets that skipped the rules.",
	},
	[NF_LOOPTRACK_A_STATS_ORIGIN_SEEN] = {
		.name = "origin_seen", .type = ATTR_U64, .doc =
		"New flows that a local socket opened.",
	},
	[NF_LOOPTRACK_A_STATS_ORIGIN_NOTED] = {
		.name = "origin_noted", .type = ATTR_U64, .doc =
		"Of these, flows whose owner was remembered.",
	},
	[NF_LOOPTRACK_A_STATS_ORIGIN_DROPPED] = {
		.name = "origin_dropped", .type = ATTR_U64, .doc =
		"Owners that were forgotten before their flows ended: their user has more than the module parameter owners allows. Owners of other users stay.",
	},
	[NF_LOOPTRACK_A_STATS_LISTENERS_SEEN] = {
		.name = "listeners_seen", .type = ATTR_U64, .doc =
		"New flows that NAT gave a port on which a local socket receives: replies to the flow would be taken from that socket, or what is sent to the socket would go to the flow.",
	},
	[NF_LOOPTRACK_A_STATS_LISTENERS_MOVED] = {
		.name = "listeners_moved", .type = ATTR_U64, .doc =
		"Of these, flows that were given another port.",
	},
	[NF_LOOPTRACK_A_STATS_LISTENERS_EXHAUSTED] = {
		.name = "listeners_exhausted", .type = ATTR_U64, .doc =
		"Of these, flows for which no other port was found. They keep the one the kernel chose.",
	},
	[NF_LOOPTRACK_A_STATS_LISTENERS_SPARED] = {
		.name = "listeners_spared", .type = ATTR_U64, .doc =
		"New flows that were left alone although a local socket receives on their port: NAT rules send what arrives there elsewhere, or the port is exempt.",
	},
	[NF_LOOPTRACK_A_STATS_LINGER_DROPPED] = {
		.name = "linger_dropped", .type = ATTR_U64, .doc =
		"Ended TCP flows that linger could not look at, because too many ended at once. The kernel's timeouts remove their entries.",
	},
	[NF_LOOPTRACK_A_STATS_WORK_BOUNDED] = {
		.name = "work_bounded", .type = ATTR_U64, .doc =
		"Times a search was cut short because it took too much work: sockets on one port, or choices of a port among many rules. The flow is treated as the kernel would treat it.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_ASKED] = {
		.name = "heal_asked", .type = ATTR_U64, .doc =
		"Flows without an answer that the NAT rules were asked about again.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_SEEN] = {
		.name = "heal_seen", .type = ATTR_U64, .doc =
		"Of these, flows that the rules would now send elsewhere, or out from another address.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_EVICTED] = {
		.name = "heal_evicted", .type = ATTR_U64, .doc =
		"Of these, flows whose entry was removed. The next packet gets a new one.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_RANDOM] = {
		.name = "heal_random", .type = ATTR_U64, .doc =
		"Flows that were left alone: the rules choose among too many destinations or addresses to tell whether the one they have is one of them.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_AGAIN] = {
		.name = "heal_again", .type = ATTR_U64, .doc =
		"Flows that were left alone: their entry was removed a short while ago, and the rules, when they had the real packet, chose the same again.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_HELPER] = {
		.name = "heal_helper", .type = ATTR_U64, .doc =
		"Flows that were left alone: a helper or SYNPROXY takes part in them, or another flow has announced them.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_PINNED] = {
		.name = "heal_pinned", .type = ATTR_U64, .doc =
		"Flows that were left alone: user space has set their timeout, or a flowtable has a copy of them.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_FOREIGN] = {
		.name = "heal_foreign", .type = ATTR_U64, .doc =
		"Flows that were left alone: IPVS chose where they go, loopguard did, or no NAT hook is there that could have.",
	},
	[NF_LOOPTRACK_A_STATS_HEAL_BUSY] = {
		.name = "heal_busy", .type = ATTR_U64, .doc =
		"Flows about which the rules could not be asked: for want of time or memory, or because they would not have the packet. They have another turn.",
	},
};

const struct attr_set attr_stats = { stats_desc, ARRAY_SIZE(stats_desc), "counter" };

static const struct attr_desc tuple_desc[] = {
	[NF_LOOPTRACK_A_TUPLE_SRC4] = { .name = "src4", .key = "src", .type = ATTR_IP4 },
	[NF_LOOPTRACK_A_TUPLE_DST4] = { .name = "dst4", .key = "dst", .type = ATTR_IP4 },
	[NF_LOOPTRACK_A_TUPLE_SRC6] = { .name = "src6", .key = "src", .type = ATTR_IP6 },
	[NF_LOOPTRACK_A_TUPLE_DST6] = { .name = "dst6", .key = "dst", .type = ATTR_IP6 },
	[NF_LOOPTRACK_A_TUPLE_SPORT] = { .name = "sport", .type = ATTR_BE16 },
	[NF_LOOPTRACK_A_TUPLE_DPORT] = { .name = "dport", .type = ATTR_BE16 },
};

static const struct attr_set tuple_set = { tuple_desc, ARRAY_SIZE(tuple_desc), NULL };

#define TUPLE(_name) { .name = (_name), .type = ATTR_NEST, .nest = &tuple_set }

static const struct attr_desc owner_desc[] = {
	[NF_LOOPTRACK_A_OWNER_COOKIE] = { .name = "cookie", .type = ATTR_U64 },
	[NF_LOOPTRACK_A_OWNER_UID] = { .name = "uid", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_OWNER_GID] = { .name = "gid", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_OWNER_PID] = { .name = "pid", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_OWNER_COMM] = { .name = "comm", .type = ATTR_NAME },
	[NF_LOOPTRACK_A_OWNER_CGROUP] = { .name = "cgroup", .type = ATTR_U64 },
	[NF_LOOPTRACK_A_OWNER_SINCE] = { .name = "since", .type = ATTR_TIME },
};

static const struct attr_set owner_set = { owner_desc, ARRAY_SIZE(owner_desc), NULL };

#define OWNER(_name) { .name = (_name), .type = ATTR_NEST, .nest = &owner_set }

static const struct attr_desc event_desc[] = {
	[NF_LOOPTRACK_A_EVENT_TIME] = { .name = "time", .type = ATTR_TIME },
	[NF_LOOPTRACK_A_EVENT_FEATURE] = {
		.name = "feature", .type = ATTR_ENUM, .words = &attr_features,
	},
	[NF_LOOPTRACK_A_EVENT_DECISION] = {
		.name = "decision", .type = ATTR_ENUM, .words = &attr_decisions,
	},
	[NF_LOOPTRACK_A_EVENT_PROTOCOL] = { .name = "protocol", .type = ATTR_PROTOCOL },
	[NF_LOOPTRACK_A_EVENT_ZONE] = { .name = "zone", .type = ATTR_U16 },
	[NF_LOOPTRACK_A_EVENT_FLOW] = TUPLE("flow"),
	[NF_LOOPTRACK_A_EVENT_WANTED] = TUPLE("wanted"),
	[NF_LOOPTRACK_A_EVENT_GOT] = TUPLE("got"),
	[NF_LOOPTRACK_A_EVENT_HOLDER] = TUPLE("holder"),
	[NF_LOOPTRACK_A_EVENT_PICKS] = { .name = "picks", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_EVENT_OWNER] = OWNER("owner"),
	[NF_LOOPTRACK_A_EVENT_HOLDER_OWNER] = OWNER("holder_owner"),
};

const struct attr_set attr_event = { event_desc, ARRAY_SIZE(event_desc), NULL };

static const char *const hook_words[] = {
	[NF_LOOPTRACK_HOOK_PRE_ROUTING] = "prerouting",
	[NF_LOOPTRACK_HOOK_LOCAL_IN] = "input",
	[NF_LOOPTRACK_HOOK_FORWARD] = "forward",
	[NF_LOOPTRACK_HOOK_LOCAL_OUT] = "output",
	[NF_LOOPTRACK_HOOK_POST_ROUTING] = "postrouting",
};

const struct attr_words attr_hooks = { "hook", hook_words, ARRAY_SIZE(hook_words) };

static const char *const stage_words[] = {
	[NF_LOOPTRACK_STAGE_START] = "start",
	[NF_LOOPTRACK_STAGE_RAW] = "raw",
	[NF_LOOPTRACK_STAGE_CONNTRACK] = "conntrack",
	[NF_LOOPTRACK_STAGE_MANGLE] = "mangle",
	[NF_LOOPTRACK_STAGE_DSTNAT] = "dstnat",
	[NF_LOOPTRACK_STAGE_FILTER] = "filter",
	[NF_LOOPTRACK_STAGE_SECURITY] = "security",
	[NF_LOOPTRACK_STAGE_SRCNAT] = "srcnat",
	[NF_LOOPTRACK_STAGE_END] = "end",
};

const struct attr_words attr_stages = { "stage", stage_words, ARRAY_SIZE(stage_words) };

static const char *const state_words[] = {
	[NF_LOOPTRACK_STATE_NONE] = "none",
	[NF_LOOPTRACK_STATE_UNTRACKED] = "untracked",
	[NF_LOOPTRACK_STATE_NEW] = "new",
	[NF_LOOPTRACK_STATE_ESTABLISHED] = "established",
	[NF_LOOPTRACK_STATE_RELATED] = "related",
};

static const struct attr_words states = { "state", state_words, ARRAY_SIZE(state_words) };

static const struct attr_desc trace_desc[] = {
	[NF_LOOPTRACK_A_TRACE_TIME] = { .name = "time", .type = ATTR_TIME },
	[NF_LOOPTRACK_A_TRACE_PROTOCOL] = { .name = "protocol", .type = ATTR_PROTOCOL },
	[NF_LOOPTRACK_A_TRACE_FLOW] = TUPLE("flow"),
	[NF_LOOPTRACK_A_TRACE_HOOK] = { .name = "hook", .type = ATTR_ENUM, .words = &attr_hooks },
	[NF_LOOPTRACK_A_TRACE_STAGE] = { .name = "stage", .type = ATTR_ENUM,
					 .words = &attr_stages },
	[NF_LOOPTRACK_A_TRACE_PASS] = { .name = "pass", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_TRACE_PACKET] = { .name = "packet", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_TRACE_LENGTH] = { .name = "length", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_TRACE_TCP_FLAGS] = { .name = "tcp_flags", .type = ATTR_TCP_FLAGS },
	[NF_LOOPTRACK_A_TRACE_MARK] = { .name = "mark", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_TRACE_STATE] = { .name = "state", .type = ATTR_ENUM, .words = &states },
	[NF_LOOPTRACK_A_TRACE_IS_REPLY] = { .name = "is_reply", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_TRACE_IS_COMMITTED] = { .name = "is_committed", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_TRACE_ORIGINAL] = TUPLE("original"),
	[NF_LOOPTRACK_A_TRACE_REPLY] = TUPLE("reply"),
	[NF_LOOPTRACK_A_TRACE_IN] = { .name = "in", .type = ATTR_NAME },
	[NF_LOOPTRACK_A_TRACE_OUT] = { .name = "out", .type = ATTR_NAME },
	[NF_LOOPTRACK_A_TRACE_LOST] = { .name = "lost", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_TRACE_SEEN] = { .name = "seen", .type = ATTR_TIME },
	[NF_LOOPTRACK_A_TRACE_REASON] = { .name = "reason", .type = ATTR_NAME },
	[NF_LOOPTRACK_A_TRACE_FUNCTION] = { .name = "function", .type = ATTR_NAME },
};

const struct attr_set attr_trace = { trace_desc, ARRAY_SIZE(trace_desc), NULL };

static const char *const tcp_words[] = {
	[NF_LOOPTRACK_TCP_NONE] = "none",
	[NF_LOOPTRACK_TCP_SYN_SENT] = "syn-sent",
	[NF_LOOPTRACK_TCP_SYN_RECV] = "syn-recv",
	[NF_LOOPTRACK_TCP_ESTABLISHED] = "established",
	[NF_LOOPTRACK_TCP_FIN_WAIT] = "fin-wait",
	[NF_LOOPTRACK_TCP_CLOSE_WAIT] = "close-wait",
	[NF_LOOPTRACK_TCP_LAST_ACK] = "last-ack",
	[NF_LOOPTRACK_TCP_TIME_WAIT] = "time-wait",
	[NF_LOOPTRACK_TCP_CLOSE] = "close",
	[NF_LOOPTRACK_TCP_SYN_SENT2] = "syn-sent2",
};

const struct attr_words attr_tcp_states = { "state", tcp_words, ARRAY_SIZE(tcp_words) };

static const char *const socket_words[] = {
	[NF_LOOPTRACK_SOCKET_NONE] = "none",
	[NF_LOOPTRACK_SOCKET_ESTABLISHED] = "established",
	[NF_LOOPTRACK_SOCKET_SYN_SENT] = "syn-sent",
	[NF_LOOPTRACK_SOCKET_SYN_RECV] = "syn-recv",
	[NF_LOOPTRACK_SOCKET_FIN_WAIT1] = "fin-wait1",
	[NF_LOOPTRACK_SOCKET_FIN_WAIT2] = "fin-wait2",
	[NF_LOOPTRACK_SOCKET_TIME_WAIT] = "time-wait",
	[NF_LOOPTRACK_SOCKET_CLOSE] = "close",
	[NF_LOOPTRACK_SOCKET_CLOSE_WAIT] = "close-wait",
	[NF_LOOPTRACK_SOCKET_LAST_ACK] = "last-ack",
	[NF_LOOPTRACK_SOCKET_LISTEN] = "listen",
	[NF_LOOPTRACK_SOCKET_CLOSING] = "closing",
	[NF_LOOPTRACK_SOCKET_NEW_SYN_RECV] = "new-syn-recv",
};

const struct attr_words attr_socket_states = {
	"state", socket_words, ARRAY_SIZE(socket_words)
};

static const struct attr_desc socket_desc[] = {
	[NF_LOOPTRACK_A_SOCKET_STATE] = {
		.name = "state", .type = ATTR_ENUM, .words = &attr_socket_states,
	},
	[NF_LOOPTRACK_A_SOCKET_COOKIE] = { .name = "cookie", .type = ATTR_U64 },
	[NF_LOOPTRACK_A_SOCKET_UID] = { .name = "uid", .type = ATTR_U32 },
};

static const struct attr_set socket_set = { socket_desc, ARRAY_SIZE(socket_desc), NULL };

#define SOCKET(_name) { .name = (_name), .type = ATTR_NEST, .nest = &socket_set }

static const struct attr_desc pass_desc[] = {
	[NF_LOOPTRACK_A_PASS_PACKETS] = { .name = "packets", .type = ATTR_U64 },
	[NF_LOOPTRACK_A_PASS_BYTES] = { .name = "bytes", .type = ATTR_U64 },
};

static const struct attr_set pass_set = { pass_desc, ARRAY_SIZE(pass_desc), NULL };

#define PASS(_name) { .name = (_name), .type = ATTR_NEST, .nest = &pass_set }

static const struct attr_desc flow_desc[] = {
	[NF_LOOPTRACK_A_FLOW_PROTOCOL] = { .name = "protocol", .type = ATTR_PROTOCOL },
	[NF_LOOPTRACK_A_FLOW_ZONE] = { .name = "zone", .type = ATTR_U16 },
	[NF_LOOPTRACK_A_FLOW_TUPLE] = TUPLE("tuple"),
	[NF_LOOPTRACK_A_FLOW_ORIGINAL] = TUPLE("original"),
	[NF_LOOPTRACK_A_FLOW_REPLY] = TUPLE("reply"),
	[NF_LOOPTRACK_A_FLOW_STATUS] = { .name = "status", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_FLOW_TCP_STATE] = {
		.name = "tcp_state", .type = ATTR_ENUM, .words = &attr_tcp_states,
	},
	[NF_LOOPTRACK_A_FLOW_TIMEOUT] = { .name = "timeout", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_FLOW_MARK] = { .name = "mark", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_FLOW_FIRST_ORIGINAL] = PASS("first_original"),
	[NF_LOOPTRACK_A_FLOW_FIRST_REPLY] = PASS("first_reply"),
	[NF_LOOPTRACK_A_FLOW_SECOND_ORIGINAL] = PASS("second_original"),
	[NF_LOOPTRACK_A_FLOW_SECOND_REPLY] = PASS("second_reply"),
	[NF_LOOPTRACK_A_FLOW_IS_LOOPBACK] = { .name = "is_loopback", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_FLOW_IS_REWRITTEN] = { .name = "is_rewritten", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_FLOW_IS_STALE] = { .name = "is_stale", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_FLOW_CLIENT] = SOCKET("client"),
	[NF_LOOPTRACK_A_FLOW_SERVER] = SOCKET("server"),
	[NF_LOOPTRACK_A_FLOW_OWNER] = OWNER("owner"),
};

const struct attr_set attr_flow = { flow_desc, ARRAY_SIZE(flow_desc), NULL };

static const char *const answer_words[] = {
	[NF_LOOPTRACK_ANSWER_ASKED] = "asked",
	[NF_LOOPTRACK_ANSWER_NO_NAT] = "no-nat",
	[NF_LOOPTRACK_ANSWER_REFUSED] = "refused",
	[NF_LOOPTRACK_ANSWER_BUSY] = "busy",
	[NF_LOOPTRACK_ANSWER_NO_ROUTE] = "no-route",
	[NF_LOOPTRACK_ANSWER_NO_SOURCE] = "no-source",
	[NF_LOOPTRACK_ANSWER_NO_FORWARDING] = "no-forwarding",
};

static const struct attr_words answers = { "answer", answer_words, ARRAY_SIZE(answer_words) };

static const struct attr_desc step_desc[] = {
	[NF_LOOPTRACK_A_STEP_HOOK] = { .name = "hook", .type = ATTR_ENUM, .words = &attr_hooks },
	[NF_LOOPTRACK_A_STEP_ANSWER] = { .name = "answer", .type = ATTR_ENUM, .words = &answers },
	[NF_LOOPTRACK_A_STEP_TUPLE] = TUPLE("tuple"),
	[NF_LOOPTRACK_A_STEP_DEVICE] = { .name = "device", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_STEP_IS_CHANGED] = { .name = "is_changed", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_STEP_IS_MASQUERADED] = { .name = "is_masqueraded", .type = ATTR_FLAG },
};

static const struct attr_set step_set = { step_desc, ARRAY_SIZE(step_desc), NULL };

static const struct attr_desc rules_desc[] = {
	[NF_LOOPTRACK_A_RULES_PROTOCOL] = { .name = "protocol", .type = ATTR_PROTOCOL },
	[NF_LOOPTRACK_A_RULES_ZONE] = { .name = "zone", .type = ATTR_U16 },
	[NF_LOOPTRACK_A_RULES_FLOW] = TUPLE("flow"),
	[NF_LOOPTRACK_A_RULES_MARK] = { .name = "mark", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_RULES_IN] = { .name = "in", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_RULES_STEP] = {
		.name = "step", .key = "steps", .type = ATTR_LIST, .nest = &step_set,
	},
	[NF_LOOPTRACK_A_RULES_OUT] = { .name = "out", .type = ATTR_U32 },
	[NF_LOOPTRACK_A_RULES_IS_SENT] = { .name = "is_sent", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_RULES_IS_DELIVERED] = { .name = "is_delivered", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_RULES_IS_DERIVED] = { .name = "is_derived", .type = ATTR_FLAG },
	[NF_LOOPTRACK_A_RULES_SENDER] = { .name = "sender", .type = ATTR_U64 },
	[NF_LOOPTRACK_A_RULES_IS_TRACED] = { .name = "is_traced", .type = ATTR_FLAG },
};

const struct attr_set attr_rules = { rules_desc, ARRAY_SIZE(rules_desc), NULL };

/* Generic netlink's own: what it tells about a family, and why it refused. */

static const struct attr_desc group_desc[] = {
	[CTRL_ATTR_MCAST_GRP_NAME] = { .name = "name", .type = ATTR_STRING },
	[CTRL_ATTR_MCAST_GRP_ID] = { .name = "id", .type = ATTR_U32 },
};

static const struct attr_set group_set = { group_desc, ARRAY_SIZE(group_desc), NULL };

static const struct attr_desc ctrl_desc[] = {
	[CTRL_ATTR_FAMILY_ID] = { .name = "id", .type = ATTR_U16 },
	[CTRL_ATTR_FAMILY_NAME] = { .name = "name", .type = ATTR_STRING },
	[CTRL_ATTR_VERSION] = { .name = "version", .type = ATTR_U32 },
	[CTRL_ATTR_MCAST_GROUPS] = {
		.name = "groups", .type = ATTR_ARRAY, .nest = &group_set,
	},
};

const struct attr_set attr_ctrl = { ctrl_desc, ARRAY_SIZE(ctrl_desc), NULL };

static const struct attr_desc extack_desc[] = {
	[NLMSGERR_ATTR_MSG] = { .name = "message", .type = ATTR_STRING },
	[NLMSGERR_ATTR_OFFS] = { .name = "offset", .type = ATTR_U32 },
	[NLMSGERR_ATTR_MISS_TYPE] = { .name = "missing", .type = ATTR_U32 },
};

const struct attr_set attr_extack = { extack_desc, ARRAY_SIZE(extack_desc), NULL };

/* Something new in nf_looptrack.h must get its words here. */
#define COMPLETE(_table, _max) \
	static_assert(ARRAY_SIZE(_table) == (_max) + 1, #_table " and nf_looptrack.h differ")

COMPLETE(feature_words, NF_LOOPTRACK_FEATURE_MAX);
COMPLETE(mode_words, NF_LOOPTRACK_MODE_MAX);
COMPLETE(module_desc, NF_LOOPTRACK_A_MODULE_MAX);
COMPLETE(proxy_desc, NF_LOOPTRACK_A_PROXY_MAX);
COMPLETE(exempt_desc, NF_LOOPTRACK_A_EXEMPT_MAX);
COMPLETE(feature_desc, NF_LOOPTRACK_A_FEATURE_MAX);
COMPLETE(config_desc, NF_LOOPTRACK_A_CONFIG_MAX);
COMPLETE(stats_desc, NF_LOOPTRACK_A_STATS_MAX);
COMPLETE(tuple_desc, NF_LOOPTRACK_A_TUPLE_MAX);
COMPLETE(owner_desc, NF_LOOPTRACK_A_OWNER_MAX);
COMPLETE(trace_desc, NF_LOOPTRACK_A_TRACE_MAX);
COMPLETE(event_desc, NF_LOOPTRACK_A_EVENT_MAX);
COMPLETE(tcp_words, NF_LOOPTRACK_TCP_MAX);
COMPLETE(socket_words, NF_LOOPTRACK_SOCKET_MAX);
COMPLETE(socket_desc, NF_LOOPTRACK_A_SOCKET_MAX);
COMPLETE(pass_desc, NF_LOOPTRACK_A_PASS_MAX);
COMPLETE(flow_desc, NF_LOOPTRACK_A_FLOW_MAX);
COMPLETE(step_desc, NF_LOOPTRACK_A_STEP_MAX);
COMPLETE(rules_desc, NF_LOOPTRACK_A_RULES_MAX);
