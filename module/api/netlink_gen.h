/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	specs/looptrack.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_LOOPTRACK_GEN_H
#define _LINUX_LOOPTRACK_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/nf_looptrack.h>

/* Common nested types */
extern const struct nla_policy looptrack_exempt_nl_policy[NF_LOOPTRACK_A_EXEMPT_TO + 1];
extern const struct nla_policy looptrack_feature_entry_nl_policy[NF_LOOPTRACK_A_FEATURE_NO_EXEMPT + 1];
extern const struct nla_policy looptrack_proxy_nl_policy[NF_LOOPTRACK_A_PROXY_CGROUP + 1];
extern const struct nla_policy looptrack_tuple_nl_policy[NF_LOOPTRACK_A_TUPLE_DPORT + 1];

extern const struct nla_policy looptrack_module_get_nl_policy[NF_LOOPTRACK_A_MODULE_PAD + 1];

extern const struct nla_policy looptrack_feature_get_nl_policy[NF_LOOPTRACK_A_CONFIG_PAD + 1];

extern const struct nla_policy looptrack_feature_set_nl_policy[NF_LOOPTRACK_A_CONFIG_FEATURE + 1];

extern const struct nla_policy looptrack_stats_get_nl_policy[NF_LOOPTRACK_A_STATS_PAD + 1];

extern const struct nla_policy looptrack_stats_reset_nl_policy[NF_LOOPTRACK_A_STATS_PAD + 1];

extern const struct nla_policy looptrack_trace_start_nl_policy[NF_LOOPTRACK_A_TRACE_FLOW + 1];

extern const struct nla_policy looptrack_flow_get_nl_policy[NF_LOOPTRACK_A_FLOW_TUPLE + 1];

extern const struct nla_policy looptrack_event_get_nl_policy[NF_LOOPTRACK_A_EVENT_FLOW + 1];

extern const struct nla_policy looptrack_rules_get_nl_policy[NF_LOOPTRACK_A_RULES_IS_TRACED + 1];

/* Ops table for looptrack */
extern const struct genl_ops looptrack_nl_ops[9];

int looptrack_nl_module_get_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_feature_get_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_feature_set_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_stats_reset_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_trace_start_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_flow_get_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_flow_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int looptrack_nl_event_get_doit(struct sk_buff *skb, struct genl_info *info);
int looptrack_nl_event_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int looptrack_nl_rules_get_doit(struct sk_buff *skb, struct genl_info *info);

#endif /* _LINUX_LOOPTRACK_GEN_H */
