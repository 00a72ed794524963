// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	specs/looptrack.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/nf_looptrack.h>

/* Common nested types */
const struct nla_policy looptrack_exempt_nl_policy[NF_LOOPTRACK_A_EXEMPT_TO + 1] = {
	[NF_LOOPTRACK_A_EXEMPT_FROM] = NLA_POLICY_MIN(NLA_U16, 1),
	[NF_LOOPTRACK_A_EXEMPT_TO] = NLA_POLICY_MIN(NLA_U16, 1),
};

const struct nla_policy looptrack_feature_entry_nl_policy[NF_LOOPTRACK_A_FEATURE_NO_EXEMPT + 1] = {
	[NF_LOOPTRACK_A_FEATURE_ID] = NLA_POLICY_MAX(NLA_U32, 10),
	[NF_LOOPTRACK_A_FEATURE_MODE] = NLA_POLICY_MAX(NLA_U32, 2),
	[NF_LOOPTRACK_A_FEATURE_DEFAULT] = NLA_POLICY_MAX(NLA_U32, 2),
	[NF_LOOPTRACK_A_FEATURE_SUPPORTED] = { .type = NLA_FLAG, },
	[NF_LOOPTRACK_A_FEATURE_MARK] = { .type = NLA_U32, },
	[NF_LOOPTRACK_A_FEATURE_MARK_MASK] = { .type = NLA_U32, },
	[NF_LOOPTRACK_A_FEATURE_PROXY] = NLA_POLICY_NESTED(looptrack_proxy_nl_policy),
	[NF_LOOPTRACK_A_FEATURE_NO_PROXY] = { .type = NLA_FLAG, },
	[NF_LOOPTRACK_A_FEATURE_EXEMPT] = NLA_POLICY_NESTED(looptrack_exempt_nl_policy),
	[NF_LOOPTRACK_A_FEATURE_NO_EXEMPT] = { .type = NLA_FLAG, },
};

const struct nla_policy looptrack_proxy_nl_policy[NF_LOOPTRACK_A_PROXY_CGROUP + 1] = {
	[NF_LOOPTRACK_A_PROXY_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
	[NF_LOOPTRACK_A_PROXY_UID] = { .type = NLA_U32, },
	[NF_LOOPTRACK_A_PROXY_CGROUP] = NLA_POLICY_MIN(NLA_U64, 1),
};

const struct nla_policy looptrack_tuple_nl_policy[NF_LOOPTRACK_A_TUPLE_DPORT + 1] = {
	[NF_LOOPTRACK_A_TUPLE_SRC4] = { .type = NLA_U32, },
	[NF_LOOPTRACK_A_TUPLE_DST4] = { .type = NLA_U32, },
	[NF_LOOPTRACK_A_TUPLE_SRC6] = NLA_POLICY_EXACT_LEN(16),
	[NF_LOOPTRACK_A_TUPLE_DST6] = NLA_POLICY_EXACT_LEN(16),
	[NF_LOOPTRACK_A_TUPLE_SPORT] = { .type = NLA_U16, },
	[NF_LOOPTRACK_A_TUPLE_DPORT] = { .type = NLA_U16, },
};

/* NF_LOOPTRACK_CMD_MODULE_GET - do */
const struct nla_policy looptrack_module_get_nl_policy[NF_LOOPTRACK_A_MODULE_PAD + 1] = {
};

/* NF_LOOPTRACK_CMD_FEATURE_GET - do */
const struct nla_policy looptrack_feature_get_nl_policy[NF_LOOPTRACK_A_CONFIG_PAD + 1] = {
};

/* NF_LOOPTRACK_CMD_FEATURE_SET - do */
const struct nla_policy looptrack_feature_set_nl_policy[NF_LOOPTRACK_A_CONFIG_FEATURE + 1] = {
	[NF_LOOPTRACK_A_CONFIG_FEATURE] = NLA_POLICY_NESTED(looptrack_feature_entry_nl_policy),
};

/* NF_LOOPTRACK_CMD_STATS_GET - do */
const struct nla_policy looptrack_stats_get_nl_policy[NF_LOOPTRACK_A_STATS_PAD + 1] = {
};

/* NF_LOOPTRACK_CMD_STATS_RESET - do */
const struct nla_policy looptrack_stats_reset_nl_policy[NF_LOOPTRACK_A_STATS_PAD + 1] = {
};

/* NF_LOOPTRACK_CMD_TRACE_START - do */
const struct nla_policy looptrack_trace_start_nl_policy[NF_LOOPTRACK_A_TRACE_FLOW + 1] = {
	[NF_LOOPTRACK_A_TRACE_PROTOCOL] = { .type = NLA_U8, },
	[NF_LOOPTRACK_A_TRACE_FLOW] = NLA_POLICY_NESTED(looptrack_tuple_nl_policy),
};

/* NF_LOOPTRACK_CMD_FLOW_GET - do */
const struct nla_policy looptrack_flow_get_nl_policy[NF_LOOPTRACK_A_FLOW_TUPLE + 1] = {
	[NF_LOOPTRACK_A_FLOW_PROTOCOL] = { .type = NLA_U8, },
	[NF_LOOPTRACK_A_FLOW_ZONE] = { .type = NLA_U16, },
	[NF_LOOPTRACK_A_FLOW_TUPLE] = NLA_POLICY_NESTED(looptrack_tuple_nl_policy),
};

/* NF_LOOPTRACK_CMD_EVENT_GET - do */
const struct nla_policy looptrack_event_get_nl_policy[NF_LOOPTRACK_A_EVENT_FLOW + 1] = {
	[NF_LOOPTRACK_A_EVENT_PROTOCOL] = { .type = NLA_U8, },
	[NF_LOOPTRACK_A_EVENT_FLOW] = NLA_POLICY_NESTED(looptrack_tuple_nl_policy),
};

/* NF_LOOPTRACK_CMD_RULES_GET - do */
const struct nla_policy looptrack_rules_get_nl_policy[NF_LOOPTRACK_A_RULES_IS_TRACED + 1] = {
	[NF_LOOPTRACK_A_RULES_PROTOCOL] = { .type = NLA_U8, },
	[NF_LOOPTRACK_A_RULES_ZONE] = { .type = NLA_U16, },
	[NF_LOOPTRACK_A_RULES_FLOW] = NLA_POLICY_NESTED(looptrack_tuple_nl_policy),
	[NF_LOOPTRACK_A_RULES_MARK] = { .type = NLA_U32, },
	[NF_LOOPTRACK_A_RULES_IN] = NLA_POLICY_MIN(NLA_U32, 1),
	[NF_LOOPTRACK_A_RULES_IS_TRACED] = { .type = NLA_FLAG, },
};

/* Ops table for looptrack */
const struct genl_ops looptrack_nl_ops[9] = {
	{
		.cmd		= NF_LOOPTRACK_CMD_MODULE_GET,
		.doit		= looptrack_nl_module_get_doit,
		.policy		= looptrack_module_get_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_MODULE_PAD,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_FEATURE_GET,
		.doit		= looptrack_nl_feature_get_doit,
		.policy		= looptrack_feature_get_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_CONFIG_PAD,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_FEATURE_SET,
		.doit		= looptrack_nl_feature_set_doit,
		.policy		= looptrack_feature_set_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_CONFIG_FEATURE,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_STATS_GET,
		.doit		= looptrack_nl_stats_get_doit,
		.policy		= looptrack_stats_get_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_STATS_PAD,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_STATS_RESET,
		.doit		= looptrack_nl_stats_reset_doit,
		.policy		= looptrack_stats_reset_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_STATS_PAD,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_TRACE_START,
		.doit		= looptrack_nl_trace_start_doit,
		.policy		= looptrack_trace_start_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_TRACE_FLOW,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_FLOW_GET,
		.doit		= looptrack_nl_flow_get_doit,
		.dumpit		= looptrack_nl_flow_get_dumpit,
		.policy		= looptrack_flow_get_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_FLOW_TUPLE,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_EVENT_GET,
		.doit		= looptrack_nl_event_get_doit,
		.dumpit		= looptrack_nl_event_get_dumpit,
		.policy		= looptrack_event_get_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_EVENT_FLOW,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= NF_LOOPTRACK_CMD_RULES_GET,
		.doit		= looptrack_nl_rules_get_doit,
		.policy		= looptrack_rules_get_nl_policy,
		.maxattr	= NF_LOOPTRACK_A_RULES_IS_TRACED,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
};
