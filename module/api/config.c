// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: modes of the caller's network namespace, and what goes with them. */

#include <linux/slab.h>
#include <net/genetlink.h>

#include "api/netlink.h"
#include "api/netlink_gen.h"
#include "core/exempt.h"
#include "core/proxy.h"
#include "modes.h"

static int lt_config_put_mark(struct sk_buff *msg,
			      const struct lt_mark *mark)
{
	if (!mark->mask)
		return 0;

	return nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_MARK, mark->value) ?:
	       nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_MARK_MASK, mark->mask);
}

static int lt_config_put_proxy(struct sk_buff *msg, const struct lt_net *ln,
			       const struct lt_proxy *proxy)
{
	struct nlattr *nest = nla_nest_start(msg, NF_LOOPTRACK_A_FEATURE_PROXY);
	int err;

	if (!nest)
		return -EMSGSIZE;

	switch (proxy->by) {
	case NF_LOOPTRACK_A_PROXY_PORT:
		err = nla_put_u16(msg, proxy->by, proxy->port);
		break;
	case NF_LOOPTRACK_A_PROXY_UID:
		err = nla_put_u32(msg, proxy->by,
				  from_kuid_munged(ln->net->user_ns, proxy->uid));
		break;
	default:
		err = nla_put_u64_64bit(msg, proxy->by, proxy->cgroup,
					NF_LOOPTRACK_A_PROXY_PAD);
		break;
	}
	if (err)
		return err;

	nla_nest_end(msg, nest);
	return 0;
}

static int lt_config_put_proxies(struct sk_buff *msg, const struct lt_net *ln)
{
	const struct lt_proxies *proxies;
	unsigned int i;
	int err = 0;

	proxies = rcu_dereference_protected(ln->proxies,
					    lockdep_is_held(&ln->lock));
	for (i = 0; proxies && i < proxies->count && !err; i++)
		err = lt_config_put_proxy(msg, ln, &proxies->proxy[i]);

	return err;
}

static int lt_config_put_exempt(struct sk_buff *msg,
				const struct lt_exempt *exempt)
{
	struct nlattr *nest = nla_nest_start(msg, NF_LOOPTRACK_A_FEATURE_EXEMPT);

	if (!nest ||
	    nla_put_u16(msg, NF_LOOPTRACK_A_EXEMPT_FROM, exempt->from) ||
	    nla_put_u16(msg, NF_LOOPTRACK_A_EXEMPT_TO, exempt->to))
		return -EMSGSIZE;

	nla_nest_end(msg, nest);
	return 0;
}

static int lt_config_put_exempts(struct sk_buff *msg, const struct lt_net *ln)
{
	const struct lt_exempts *exempts;
	unsigned int i;
	int err = 0;

	exempts = rcu_dereference_protected(ln->exempts,
					    lockdep_is_held(&ln->lock));
	for (i = 0; exempts && i < exempts->count && !err; i++)
		err = lt_config_put_exempt(msg, &exempts->exempt[i]);

	return err;
}

/* With the namespace's lock held. */
static int lt_config_put_feature(struct sk_buff *msg, const struct lt_net *ln,
				 unsigned int id)
{
	struct nlattr *nest = nla_nest_start(msg, NF_LOOPTRACK_A_CONFIG_FEATURE);

	if (!nest ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_ID, id) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_MODE, ln->mode[id]) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_DEFAULT,
			lt_modes_default(id)) ||
	    (lt_modes_supported(id) &&
	     nla_put_flag(msg, NF_LOOPTRACK_A_FEATURE_SUPPORTED)) ||
	    (id == NF_LOOPTRACK_FEATURE_PASSMARK &&
	     lt_config_put_mark(msg, &ln->passmark)) ||
	    (id == NF_LOOPTRACK_FEATURE_LOOPGUARD &&
	     lt_config_put_proxies(msg, ln)) ||
	    (id == NF_LOOPTRACK_FEATURE_LISTENERS &&
	     lt_config_put_exempts(msg, ln)))
		return -EMSGSIZE;

	nla_nest_end(msg, nest);
	return 0;
}

int looptrack_nl_feature_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_net *ln = lt_net(genl_info_net(info));
	struct sk_buff *msg;
	unsigned int i;
	int err = 0;
	void *hdr;

	msg = lt_netlink_answer(info, &hdr);
	if (!msg)
		return -ENOMEM;

	/* The lock, so that nobody sees half of another one's change. */
	mutex_lock(&ln->lock);
	for (i = 0; i < LT_FEATURE_COUNT && !err; i++)
		err = lt_config_put_feature(msg, ln, i);
	mutex_unlock(&ln->lock);

	return lt_netlink_send(msg, hdr, info, err);
}

/* What the policy can't say. */
static int lt_config_check_feature(struct nlattr *attr, struct nlattr **tb,
				   unsigned long given,
				    struct netlink_ext_ack *extack)
{
	u32 id;

	if (tb[NF_LOOPTRACK_A_FEATURE_DEFAULT] ||
	    tb[NF_LOOPTRACK_A_FEATURE_SUPPORTED]) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "default and supported can only be read");
		return -EINVAL;
	}

	if (!tb[NF_LOOPTRACK_A_FEATURE_ID] || !tb[NF_LOOPTRACK_A_FEATURE_MODE]) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "a feature needs both id and mode");
		return -EINVAL;
	}

	id = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]);
	if (!lt_modes_supported(id)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_LOOPTRACK_A_FEATURE_ID],
				    "this module does not support the feature");
		return -EOPNOTSUPP;
	}

	if (given & BIT(id)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_LOOPTRACK_A_FEATURE_ID],
				    "the feature is given twice");
		return -EINVAL;
	}

	return 0;
}

/* The mark is there if it was given before, too: it is never taken back. */
static int lt_config_parse_mark(const struct lt_net *ln, struct nlattr *attr,
				struct nlattr **tb, struct lt_modes *modes,
				 struct netlink_ext_ack *extack)
{
	struct nlattr *value = tb[NF_LOOPTRACK_A_FEATURE_MARK];
	struct nlattr *mask = tb[NF_LOOPTRACK_A_FEATURE_MARK_MASK];
	u32 id = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]);

	if (id != NF_LOOPTRACK_FEATURE_PASSMARK) {
		if (!value && !mask)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, value ?: mask,
				    "only passmark has a mark");
		return -EINVAL;
	}

	if (!value && !mask) {
		if (READ_ONCE(ln->passmark.mask) ||
		    modes->mode[id] == NF_LOOPTRACK_MODE_OFF)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "passmark needs a mark to set");
		return -EINVAL;
	}

	if (!value || !mask) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "a mark needs both value and mask");
		return -EINVAL;
	}

	modes->passmark.value = nla_get_u32(value);
	modes->passmark.mask = nla_get_u32(mask);
	if (!modes->passmark.mask) {
		NL_SET_ERR_MSG_ATTR(extack, mask, "the mask has no bits");
		return -EINVAL;
	}
	if (modes->passmark.value & ~modes->passmark.mask) {
		NL_SET_ERR_MSG_ATTR(extack, value,
				    "the mark has bits outside of its mask");
		return -EINVAL;
	}

	return 0;
}

static int lt_config_parse_proxy(const struct lt_net *ln, struct nlattr *attr,
				 struct lt_proxy *proxy,
				  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_LOOPTRACK_A_PROXY_MAX + 1];
	struct nlattr *port, *uid, *cgroup;
	int err;

	err = nla_parse_nested(tb, NF_LOOPTRACK_A_PROXY_MAX, attr,
			       looptrack_proxy_nl_policy, extack);
	if (err)
		return err;

	port = tb[NF_LOOPTRACK_A_PROXY_PORT];
	uid = tb[NF_LOOPTRACK_A_PROXY_UID];
	cgroup = tb[NF_LOOPTRACK_A_PROXY_CGROUP];
	if (!!port + !!uid + !!cgroup != 1) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "a proxy has one of port, uid and cgroup");
		return -EINVAL;
	}

	if (port) {
		proxy->by = NF_LOOPTRACK_A_PROXY_PORT;
		proxy->port = nla_get_u16(port);
	} else if (uid) {
		proxy->by = NF_LOOPTRACK_A_PROXY_UID;
		proxy->uid = make_kuid(ln->net->user_ns, nla_get_u32(uid));
		if (!uid_valid(proxy->uid)) {
			NL_SET_ERR_MSG_ATTR(extack, uid,
					    "there is no such user in the namespace");
			return -EINVAL;
		}
	} else {
		proxy->by = NF_LOOPTRACK_A_PROXY_CGROUP;
		proxy->cgroup = nla_get_u64(cgroup);
		if (!IS_ENABLED(CONFIG_SOCK_CGROUP_DATA)) {
			NL_SET_ERR_MSG_ATTR(extack, cgroup,
					    "this kernel does not keep the cgroups of sockets");
			return -EOPNOTSUPP;
		}
	}

	return 0;
}

/* What it leaves in modes is for the caller to free, even if it fails. */
static int lt_config_parse_proxies(const struct lt_net *ln, struct nlattr *attr,
				   struct nlattr **tb, struct lt_modes *modes,
				    struct netlink_ext_ack *extack)
{
	struct nlattr *some = tb[NF_LOOPTRACK_A_FEATURE_PROXY];
	struct nlattr *none = tb[NF_LOOPTRACK_A_FEATURE_NO_PROXY];
	struct lt_proxies *proxies;
	struct nlattr *nest;
	int err, rem;

	if (!some && !none)
		return 0;

	if (nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]) !=
	    NF_LOOPTRACK_FEATURE_LOOPGUARD) {
		NL_SET_ERR_MSG_ATTR(extack, some ?: none,
				    "only loopguard has proxies");
		return -EINVAL;
	}
	if (some && none) {
		NL_SET_ERR_MSG_ATTR(extack, none,
				    "there is a proxy or there is none");
		return -EINVAL;
	}

	proxies = kzalloc(sizeof(*proxies), GFP_KERNEL);
	if (!proxies)
		return -ENOMEM;
	modes->proxies = proxies;

	nla_for_each_nested(nest, attr, rem) {
		if (nla_type(nest) != NF_LOOPTRACK_A_FEATURE_PROXY)
			continue;
		if (proxies->count == LT_PROXIES_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, nest,
					    "no more than 8 proxies are known at a time");
			return -ENOSPC;
		}
		err = lt_config_parse_proxy(ln, nest,
					    &proxies->proxy[proxies->count],
					     extack);
		if (err)
			return err;
		proxies->count++;
	}

	return 0;
}

static int lt_config_parse_exempt(struct nlattr *attr, struct lt_exempt *exempt,
				  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_LOOPTRACK_A_EXEMPT_MAX + 1];
	int err;

	err = nla_parse_nested(tb, NF_LOOPTRACK_A_EXEMPT_MAX, attr,
			       looptrack_exempt_nl_policy, extack);
	if (err)
		return err;

	if (!tb[NF_LOOPTRACK_A_EXEMPT_FROM]) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "an exempt range needs its first port");
		return -EINVAL;
	}

	exempt->from = nla_get_u16(tb[NF_LOOPTRACK_A_EXEMPT_FROM]);
	exempt->to = exempt->from;
	if (tb[NF_LOOPTRACK_A_EXEMPT_TO])
		exempt->to = nla_get_u16(tb[NF_LOOPTRACK_A_EXEMPT_TO]);
	if (exempt->to < exempt->from) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_LOOPTRACK_A_EXEMPT_TO],
				    "the last port of an exempt range is below the first");
		return -EINVAL;
	}

	return 0;
}

/* What it leaves in modes is for the caller to free, even if it fails. */
static int lt_config_parse_exempts(struct nlattr *attr, struct nlattr **tb,
				   struct lt_modes *modes,
				   struct netlink_ext_ack *extack)
{
	struct nlattr *some = tb[NF_LOOPTRACK_A_FEATURE_EXEMPT];
	struct nlattr *none = tb[NF_LOOPTRACK_A_FEATURE_NO_EXEMPT];
	struct lt_exempts *exempts;
	struct nlattr *nest;
	int err, rem;

	if (!some && !none)
		return 0;

	if (nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]) !=
	    NF_LOOPTRACK_FEATURE_LISTENERS) {
		NL_SET_ERR_MSG_ATTR(extack, some ?: none,
				    "only listeners has exempt ports");
		return -EINVAL;
	}
	if (some && none) {
		NL_SET_ERR_MSG_ATTR(extack, none,
				    "there is an exempt port or there is none");
		return -EINVAL;
	}

	exempts = kzalloc(sizeof(*exempts), GFP_KERNEL_ACCOUNT);
	if (!exempts)
		return -ENOMEM;
	modes->exempts = exempts;

	nla_for_each_nested(nest, attr, rem) {
		if (nla_type(nest) != NF_LOOPTRACK_A_FEATURE_EXEMPT)
			continue;
		if (exempts->count == LT_EXEMPTS_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, nest,
					    "no more than 16 ranges of ports are exempt at a time");
			return -ENOSPC;
		}
		err = lt_config_parse_exempt(nest,
					     &exempts->exempt[exempts->count],
					     extack);
		if (err)
			return err;
		exempts->count++;
	}

	return 0;
}

/* One feature of a request. */
static int lt_config_parse_feature(const struct lt_net *ln, struct nlattr *attr,
				   struct lt_modes *modes,
				    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_LOOPTRACK_A_FEATURE_MAX + 1];
	int err;
	u32 id;

	err = nla_parse_nested(tb, NF_LOOPTRACK_A_FEATURE_MAX, attr,
			       looptrack_feature_entry_nl_policy, extack);
	if (err)
		return err;

	err = lt_config_check_feature(attr, tb, modes->given, extack);
	if (err)
		return err;

	id = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]);
	modes->mode[id] = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_MODE]);
	__set_bit(id, &modes->given);

	err = lt_config_parse_mark(ln, attr, tb, modes, extack);
	if (err)
		return err;

	err = lt_config_parse_proxies(ln, attr, tb, modes, extack);
	if (err)
		return err;

	return lt_config_parse_exempts(attr, tb, modes, extack);
}

int looptrack_nl_feature_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_net *ln = lt_net(genl_info_net(info));
	struct lt_modes modes = {};
	struct nlattr *attr;
	int err, rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != NF_LOOPTRACK_A_CONFIG_FEATURE)
			continue;

		err = lt_config_parse_feature(ln, attr, &modes, info->extack);
		if (err)
			goto free;
	}

	err = -EINVAL;
	if (!modes.given) {
		NL_SET_ERR_MSG(info->extack, "no feature is given");
		goto free;
	}

	err = lt_modes_set(ln, &modes);
	if (!err)
		return 0;
free:
	kfree(modes.proxies);
	kfree(modes.exempts);
	return err;
}
