// SPDX-License-Identifier: GPL-2.0
/* What the module sends: is it made as the specification has it, and what was set? */
#include "fuzz_attr.h"

static bool is_flow_end(const struct nlattr **end, unsigned int port_type, __u16 port)
{
	return end[port_type] && attr_number(end[port_type]) == __builtin_bswap16(port);
}

bool reply_is_flow(const struct nlattr *tuple)
{
	const struct nlattr *end[NF_LOOPTRACK_A_TUPLE_MAX + 1] = {};
	__u32 addr = __builtin_bswap32(FLOW_ADDR);

	find_attrs(tuple, end);
	return end[NF_LOOPTRACK_A_TUPLE_SRC4] && end[NF_LOOPTRACK_A_TUPLE_DST4] &&
	       attr_number(end[NF_LOOPTRACK_A_TUPLE_SRC4]) == addr &&
	       attr_number(end[NF_LOOPTRACK_A_TUPLE_DST4]) == addr &&
	       is_flow_end(end, NF_LOOPTRACK_A_TUPLE_SPORT, FLOW_SPORT) &&
	       is_flow_end(end, NF_LOOPTRACK_A_TUPLE_DPORT, FLOW_DPORT);
}

/* Is it as the specification has it? Returns the types there are, or 0. */
static __u64 well_formed(const struct set *set, const void *data, size_t left)
{
	const struct nlattr *attr;
	__u64 there = 1;

	for (attr = attr_at(data, left); attr; attr = attr_next(attr, &left)) {
		unsigned int type = attr_type(attr);
		const struct attr *spec = &set->attr[type];
		const char *text = attr_data(attr);
		size_t size = attr_size(attr);

		if (!type || type > set->max || spec->kind == KIND_NONE)
			return 0;
		there |= 1ULL << type;
		switch (spec->kind) {
		case KIND_NEST:
			if (!well_formed(spec->set, text, size))
				return 0;
			break;
		case KIND_STRING:
			if (!size || text[size - 1])
				return 0;
			break;
		default:
			/* Pads and flags are empty. */
			if (size != kind_size[spec->kind])
				return 0;
			break;
		}
	}
	return left ? 0 : there;
}

static bool same_proxy(const struct nlattr *nest, const struct proxy *proxy)
{
	const struct nlattr *tb[NF_LOOPTRACK_A_PROXY_MAX + 1] = {};

	find_attrs(nest, tb);
	return tb[proxy->by] && attr_number(tb[proxy->by]) == proxy->value;
}

/* The range of one port may have both ends or the first alone. */
static bool same_exempt(const struct nlattr *nest, const struct exempt *exempt)
{
	const struct nlattr *tb[NF_LOOPTRACK_A_EXEMPT_MAX + 1] = {};
	const struct nlattr *from, *to;

	find_attrs(nest, tb);
	from = tb[NF_LOOPTRACK_A_EXEMPT_FROM];
	to = tb[NF_LOOPTRACK_A_EXEMPT_TO] ?: from;
	return from && attr_number(from) == exempt->from && attr_number(to) == exempt->to;
}

static bool same_exempts(const struct state *state, const struct nlattr *nest, __u32 wanted)
{
	size_t left = attr_size(nest);
	const struct nlattr *attr;
	unsigned int exempts = 0;

	for (attr = attr_at(attr_data(nest), left); attr; attr = attr_next(attr, &left))
		if (attr_type(attr) == NF_LOOPTRACK_A_FEATURE_EXEMPT &&
		    (exempts >= state->exempts || !same_exempt(attr, &state->exempt[exempts++])))
			return false;
	return exempts == (wanted == NF_LOOPTRACK_FEATURE_LISTENERS ? state->exempts : 0);
}

static bool same_feature(const struct state *state, const struct nlattr *nest, __u32 wanted)
{
	const struct nlattr *tb[NF_LOOPTRACK_A_FEATURE_MAX + 1] = {};
	bool marked = wanted == NF_LOOPTRACK_FEATURE_PASSMARK && state->mask;
	size_t left = attr_size(nest);
	const struct nlattr *attr;
	unsigned int proxies = 0;

	if (!same_exempts(state, nest, wanted))
		return false;
	find_attrs(nest, tb);
	for (attr = attr_at(attr_data(nest), left); attr; attr = attr_next(attr, &left))
		if (attr_type(attr) == NF_LOOPTRACK_A_FEATURE_PROXY &&
		    (proxies >= state->proxies || !same_proxy(attr, &state->proxy[proxies++])))
			return false;
	if (!tb[NF_LOOPTRACK_A_FEATURE_ID] || !tb[NF_LOOPTRACK_A_FEATURE_MODE] ||
	    attr_number(tb[NF_LOOPTRACK_A_FEATURE_ID]) != wanted ||
	    attr_number(tb[NF_LOOPTRACK_A_FEATURE_MODE]) != state->mode[wanted] ||
	    !!tb[NF_LOOPTRACK_A_FEATURE_SUPPORTED] != HAS(state->supported, wanted) ||
	    proxies != (wanted == NF_LOOPTRACK_FEATURE_LOOPGUARD ? state->proxies : 0) ||
	    !!tb[NF_LOOPTRACK_A_FEATURE_MARK] != marked ||
	    !!tb[NF_LOOPTRACK_A_FEATURE_MARK_MASK] != marked)
		return false;
	return !marked || (attr_number(tb[NF_LOOPTRACK_A_FEATURE_MARK]) == state->mark &&
			   attr_number(tb[NF_LOOPTRACK_A_FEATURE_MARK_MASK]) == state->mask);
}

static bool same_state(const struct state *state, const void *data, size_t left)
{
	const struct nlattr *nest;
	unsigned int count = 0;

	for (nest = attr_at(data, left); nest; nest = attr_next(nest, &left))
		if (count >= FEATURES || !same_feature(state, nest, count++))
			return false;
	return count == FEATURES;
}

const char *reply_check(const struct model *model, const struct nlmsghdr *nlh, __u8 cmd,
			bool *flow)
{
	const struct genlmsghdr *genl = (const void *)((const char *)nlh + NLMSG_HDRLEN);
	const struct nlattr *tb[64] = {};
	const void *data = genl + 1;
	const struct nlattr *attr;
	size_t left, size;
	__u64 there;

	if (nlh->nlmsg_type != model->family || nlh->nlmsg_len < HEADERS || genl->cmd != cmd)
		return "an answer of another kind";
	size = nlh->nlmsg_len - HEADERS;
	there = well_formed(commands[cmd].set, data, size);
	if (!there)
		return "an answer that is not well formed";
	if (commands[cmd].must & ~there)
		return "an answer that lacks something";
	if (cmd == NF_LOOPTRACK_CMD_FEATURE_GET && !same_state(&model->state, data, size))
		return "not what was set";
	for (attr = attr_first(nlh, &left); attr; attr = attr_next(attr, &left))
		tb[attr_type(attr)] = attr;
	*flow = cmd == NF_LOOPTRACK_CMD_FLOW_GET &&
		reply_is_flow(tb[NF_LOOPTRACK_A_FLOW_ORIGINAL]);
	return NULL;
}

void reply_learn(struct state *state, const struct nlmsghdr *nlh)
{
	const struct nlattr *nest;
	size_t left;
	__u32 id = 0;

	for (nest = attr_first(nlh, &left); nest; nest = attr_next(nest, &left)) {
		const struct nlattr *tb[NF_LOOPTRACK_A_FEATURE_MAX + 1] = {};

		find_attrs(nest, tb);
		state->mode[id] = attr_number(tb[NF_LOOPTRACK_A_FEATURE_MODE]);
		if (tb[NF_LOOPTRACK_A_FEATURE_SUPPORTED])
			state->supported |= 1U << id;
		if (++id == FEATURES)
			break;
	}
}
