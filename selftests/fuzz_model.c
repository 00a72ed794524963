// SPDX-License-Identifier: GPL-2.0
/*
 * What has to come of a message, however broken it is: the kernel's strict parser and
 * the module's own rules, told a second time.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>

#include "fuzz_attr.h"

/* A message that is read: what it is expected to lead to is found on the way. */
struct reader {
	const struct nlmsghdr *nlh;
	struct expected *expected;
};

/* The message is refused, because of @attr if that is not NULL. */
static int refuse(struct reader *r, int err, const struct nlattr *attr)
{
	r->expected->err = err;
	r->expected->told = true;
	r->expected->where = attr ? (const char *)attr - (const char *)r->nlh : 0;
	return err;
}

static int check_attrs(struct reader *r, const struct set *set, __u64 known, const void *data,
		       size_t left, const struct nlattr **tb);

static __u64 known_types(const struct set *set)
{
	__u64 known = 0;

	for (unsigned int i = 1; i <= set->max; i++)
		if (set->attr[i].kind > KIND_PAD)
			known |= 1ULL << i;
	return known;
}

static int check_attr(struct reader *r, const struct attr *spec, const struct nlattr *attr)
{
	bool nested = attr->nla_type & NLA_F_NESTED, is_nest = spec->kind == KIND_NEST;
	size_t size = attr_size(attr);
	__u64 number;

	if (spec->kind >= KIND_U8 && spec->kind <= KIND_U64 && size != kind_size[spec->kind])
		return refuse(r, EINVAL, attr);
	if (nested != is_nest)
		return refuse(r, EINVAL, attr);
	switch (spec->kind) {
	case KIND_NEST:
		if (!size)
			return 0;
		if (size < NLA_HDRLEN)
			return refuse(r, ERANGE, attr);
		return check_attrs(r, spec->set, known_types(spec->set), attr_data(attr), size,
				   NULL);
	case KIND_FLAG:
		return size ? refuse(r, ERANGE, attr) : 0;
	case KIND_ADDR6:
		return size != kind_size[KIND_ADDR6] ? refuse(r, ERANGE, attr) : 0;
	default:
		number = attr_number(attr);
		if (number < spec->min || (spec->max && number > spec->max))
			return refuse(r, ERANGE, attr);
		return 0;
	}
}

/* What the kernel's parser says to the attributes in @data, if those in @known are
 * allowed; the last one of each type is left in @tb. Returns 0 or the error.
 */
static int check_attrs(struct reader *r, const struct set *set, __u64 known, const void *data,
		       size_t left, const struct nlattr **tb)
{
	const struct nlattr *attr;
	unsigned int type;
	int err;

	for (attr = attr_at(data, left); attr; attr = attr_next(attr, &left)) {
		type = attr_type(attr);
		if (type > set->max || !HAS(known, type))
			return refuse(r, EINVAL, attr);
		err = check_attr(r, &set->attr[type], attr);
		if (err)
			return err;
		if (tb)
			tb[type] = attr;
	}
	return left ? refuse(r, EINVAL, NULL) : 0;
}

static int set_mark(struct reader *r, struct state *state, const struct nlattr *nest,
		    const struct nlattr **tb, __u32 id)
{
	const struct nlattr *value = tb[NF_LOOPTRACK_A_FEATURE_MARK];
	const struct nlattr *mask = tb[NF_LOOPTRACK_A_FEATURE_MARK_MASK];

	if (id != NF_LOOPTRACK_FEATURE_PASSMARK)
		return value || mask ? refuse(r, EINVAL, value ?: mask) : 0;
	if (!value && !mask)
		return state->mask || state->mode[id] == NF_LOOPTRACK_MODE_OFF ?
		       0 : refuse(r, EINVAL, nest);
	if (!value || !mask)
		return refuse(r, EINVAL, nest);
	if (!attr_number(mask))
		return refuse(r, EINVAL, mask);
	if (attr_number(value) & ~attr_number(mask))
		return refuse(r, EINVAL, value);
	state->mark = attr_number(value);
	state->mask = attr_number(mask);
	return 0;
}

static int set_proxy(struct reader *r, struct state *state, const struct nlattr *nest)
{
	const struct nlattr *tb[NF_LOOPTRACK_A_PROXY_MAX + 1] = {};
	struct proxy *proxy = &state->proxy[state->proxies];
	unsigned int given = 0;

	if (state->proxies == PROXIES_MAX)
		return refuse(r, ENOSPC, nest);
	find_attrs(nest, tb);
	for (unsigned int i = NF_LOOPTRACK_A_PROXY_PORT; i <= NF_LOOPTRACK_A_PROXY_MAX; i++) {
		if (!tb[i])
			continue;
		given++;
		proxy->by = i;
		proxy->value = attr_number(tb[i]);
	}
	if (given != 1)
		return refuse(r, EINVAL, nest);
	if (proxy->by == NF_LOOPTRACK_A_PROXY_UID && proxy->value == UINT32_MAX)
		return refuse(r, EINVAL, tb[proxy->by]);
	state->proxies++;
	return 0;
}

static int set_proxies(struct reader *r, struct state *state, const struct nlattr *nest,
		       const struct nlattr **tb, __u32 id)
{
	const struct nlattr *some = tb[NF_LOOPTRACK_A_FEATURE_PROXY];
	const struct nlattr *none = tb[NF_LOOPTRACK_A_FEATURE_NO_PROXY];
	size_t left = attr_size(nest);
	const struct nlattr *attr;
	int err;

	if (!some && !none)
		return 0;
	if (id != NF_LOOPTRACK_FEATURE_LOOPGUARD)
		return refuse(r, EINVAL, some ?: none);
	if (some && none)
		return refuse(r, EINVAL, none);
	state->proxies = 0;
	for (attr = attr_at(attr_data(nest), left); attr; attr = attr_next(attr, &left)) {
		if (attr_type(attr) != NF_LOOPTRACK_A_FEATURE_PROXY)
			continue;
		err = set_proxy(r, state, attr);
		if (err)
			return err;
	}
	return 0;
}

static int set_exempt(struct reader *r, struct state *state, const struct nlattr *nest)
{
	const struct nlattr *tb[NF_LOOPTRACK_A_EXEMPT_MAX + 1] = {};
	const struct nlattr *from, *to;
	struct exempt *exempt = &state->exempt[state->exempts];

	if (state->exempts == EXEMPTS_MAX)
		return refuse(r, ENOSPC, nest);
	find_attrs(nest, tb);
	from = tb[NF_LOOPTRACK_A_EXEMPT_FROM];
	to = tb[NF_LOOPTRACK_A_EXEMPT_TO];
	if (!from)
		return refuse(r, EINVAL, nest);
	exempt->from = attr_number(from);
	exempt->to = to ? attr_number(to) : exempt->from;
	if (exempt->to < exempt->from)
		return refuse(r, EINVAL, to);
	state->exempts++;
	return 0;
}

static int set_exempts(struct reader *r, struct state *state, const struct nlattr *nest,
		       const struct nlattr **tb, __u32 id)
{
	const struct nlattr *some = tb[NF_LOOPTRACK_A_FEATURE_EXEMPT];
	const struct nlattr *none = tb[NF_LOOPTRACK_A_FEATURE_NO_EXEMPT];
	size_t left = attr_size(nest);
	const struct nlattr *attr;
	int err;

	if (!some && !none)
		return 0;
	if (id != NF_LOOPTRACK_FEATURE_LISTENERS)
		return refuse(r, EINVAL, some ?: none);
	if (some && none)
		return refuse(r, EINVAL, none);
	state->exempts = 0;
	for (attr = attr_at(attr_data(nest), left); attr; attr = attr_next(attr, &left)) {
		if (attr_type(attr) != NF_LOOPTRACK_A_FEATURE_EXEMPT)
			continue;
		err = set_exempt(r, state, attr);
		if (err)
			return err;
	}
	return 0;
}

static int set_feature(struct reader *r, struct state *state, const struct nlattr *nest,
		       __u32 *given)
{
	const struct nlattr *tb[NF_LOOPTRACK_A_FEATURE_MAX + 1] = {};
	int err;
	__u32 id;

	find_attrs(nest, tb);
	if (tb[NF_LOOPTRACK_A_FEATURE_DEFAULT] || tb[NF_LOOPTRACK_A_FEATURE_SUPPORTED] ||
	    !tb[NF_LOOPTRACK_A_FEATURE_ID] || !tb[NF_LOOPTRACK_A_FEATURE_MODE])
		return refuse(r, EINVAL, nest);
	id = attr_number(tb[NF_LOOPTRACK_A_FEATURE_ID]);
	if (!HAS(state->supported, id))
		return refuse(r, EOPNOTSUPP, tb[NF_LOOPTRACK_A_FEATURE_ID]);
	if (HAS(*given, id))
		return refuse(r, EINVAL, tb[NF_LOOPTRACK_A_FEATURE_ID]);
	*given |= 1U << id;
	state->mode[id] = attr_number(tb[NF_LOOPTRACK_A_FEATURE_MODE]);
	err = set_mark(r, state, nest, tb, id);
	err = err ?: set_proxies(r, state, nest, tb, id);
	return err ?: set_exempts(r, state, nest, tb, id);
}

/* All of it is set, or nothing. */
static void set_features(struct reader *r, struct model *model)
{
	struct state state = model->state;
	const struct nlattr *nest;
	__u32 given = 0;
	size_t left;

	for (nest = attr_first(r->nlh, &left); nest; nest = attr_next(nest, &left))
		if (set_feature(r, &state, nest, &given))
			return;
	if (given)
		model->state = state;
	else
		refuse(r, EINVAL, NULL);
}

/* 4, 6, or 0 for a family that @was not so, or for both. */
static int family_of(const struct nlattr *addr4, const struct nlattr *addr6, int was)
{
	int family = addr4 ? 4 : addr6 ? 6 : was;

	return (addr4 && addr6) || (was != -1 && was != family) ? 0 : family;
}

static void start_trace(struct reader *r, struct model *model, const struct nlattr **tb)
{
	const struct nlattr *end[NF_LOOPTRACK_A_TUPLE_MAX + 1] = {};
	const struct nlattr *flow = tb[NF_LOOPTRACK_A_TRACE_FLOW];
	int family;

	if (!flow || !tb[NF_LOOPTRACK_A_TRACE_PROTOCOL]) {
		refuse(r, EINVAL, NULL);
		return;
	}
	find_attrs(flow, end);
	family = family_of(end[NF_LOOPTRACK_A_TUPLE_SRC4], end[NF_LOOPTRACK_A_TUPLE_SRC6], -1);
	if (!family || !family_of(end[NF_LOOPTRACK_A_TUPLE_DST4],
				  end[NF_LOOPTRACK_A_TUPLE_DST6], family)) {
		refuse(r, EINVAL, flow);
	} else if (model->tracers == TRACERS_MAX) {
		refuse(r, ENOSPC, NULL);
	} else {
		model->tracers++;
		model->mine++;
	}
}

/* A flow with both its addresses. Return: 0, or it is refused. */
static int read_flow(struct reader *r, const struct nlattr *proto, const struct nlattr *tuple,
		     const struct nlattr **end)
{
	bool four, six;

	if (!proto || !tuple)
		return refuse(r, EINVAL, NULL);
	find_attrs(tuple, end);
	four = end[NF_LOOPTRACK_A_TUPLE_SRC4] || end[NF_LOOPTRACK_A_TUPLE_DST4];
	six = end[NF_LOOPTRACK_A_TUPLE_SRC6] || end[NF_LOOPTRACK_A_TUPLE_DST6];
	if (four == six || !end[four ? NF_LOOPTRACK_A_TUPLE_SRC4 : NF_LOOPTRACK_A_TUPLE_SRC6] ||
	    !end[four ? NF_LOOPTRACK_A_TUPLE_DST4 : NF_LOOPTRACK_A_TUPLE_DST6])
		return refuse(r, EINVAL, tuple);
	return 0;
}

/* One flow, or what was decided about it: there may be none. */
static void get_one(struct reader *r, const struct nlattr *proto, const struct nlattr *tuple,
		    const struct nlattr *zone)
{
	const struct nlattr *end[NF_LOOPTRACK_A_TUPLE_MAX + 1] = {};

	if (read_flow(r, proto, tuple, end))
		return;
	if (r->expected->cmd == NF_LOOPTRACK_CMD_FLOW_GET && attr_number(proto) == 6 &&
	    (!zone || !attr_number(zone)) && reply_is_flow(tuple)) {
		r->expected->flow = true;
		return;
	}
	refuse(r, ENOENT, NULL);
	r->expected->or_none = true;
}

static bool has_zeros(const struct nlattr *attr)
{
	static const unsigned char zeros[16];

	return !attr || !memcmp(attr_data(attr), zeros, attr->nla_len - NLA_HDRLEN);
}

/* A question to the rules: what of it is wrong on any host. */
static void ask_rules(struct reader *r, const struct nlattr **tb)
{
	const struct nlattr *proto = tb[NF_LOOPTRACK_A_RULES_PROTOCOL];
	const struct nlattr *flow = tb[NF_LOOPTRACK_A_RULES_FLOW];
	const struct nlattr *end[NF_LOOPTRACK_A_TUPLE_MAX + 1] = {};

	if (read_flow(r, proto, flow, end))
		return;
	if (attr_number(proto) != IPPROTO_TCP && attr_number(proto) != IPPROTO_UDP &&
	    attr_number(proto) != IPPROTO_SCTP)
		refuse(r, EPROTONOSUPPORT, proto);
	else if (has_zeros(end[NF_LOOPTRACK_A_TUPLE_SPORT]) ||
		 has_zeros(end[NF_LOOPTRACK_A_TUPLE_DPORT]) ||
		 has_zeros(end[NF_LOOPTRACK_A_TUPLE_SRC4] ?: end[NF_LOOPTRACK_A_TUPLE_SRC6]) ||
		 has_zeros(end[NF_LOOPTRACK_A_TUPLE_DST4] ?: end[NF_LOOPTRACK_A_TUPLE_DST6]))
		refuse(r, EINVAL, flow);
	else
		r->expected->or_any = true;
}

static void expect_dump(struct reader *r, struct model *model)
{
	/* Only one at a time, and nobody knows how far the last one has come. */
	r->expected->or_err = model->dumping ? EBUSY : 0;
	if (r->expected->err)
		return;
	r->expected->dump = true;
	model->dumping = true;
	if (r->nlh->nlmsg_len > HEADERS) {
		refuse(r, EINVAL, NULL);
		r->expected->late = true;
	}
}

static void expect_command(struct reader *r, struct model *model, const struct command *cmd)
{
	const struct nlattr *tb[64] = {};
	bool dump = (r->nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	check_attrs(r, cmd->set, cmd->asks, (const char *)r->nlh + HEADERS,
		    r->nlh->nlmsg_len - HEADERS, tb);
	if (dump) {
		expect_dump(r, model);
		return;
	}
	if (r->expected->err)
		return;
	r->expected->reply = cmd->must;
	switch (r->expected->cmd) {
	case NF_LOOPTRACK_CMD_FEATURE_SET:
		set_features(r, model);
		break;
	case NF_LOOPTRACK_CMD_TRACE_START:
		start_trace(r, model, tb);
		break;
	case NF_LOOPTRACK_CMD_FLOW_GET:
		get_one(r, tb[NF_LOOPTRACK_A_FLOW_PROTOCOL], tb[NF_LOOPTRACK_A_FLOW_TUPLE],
			tb[NF_LOOPTRACK_A_FLOW_ZONE]);
		break;
	case NF_LOOPTRACK_CMD_EVENT_GET:
		get_one(r, tb[NF_LOOPTRACK_A_EVENT_PROTOCOL], tb[NF_LOOPTRACK_A_EVENT_FLOW],
			NULL);
		break;
	case NF_LOOPTRACK_CMD_RULES_GET:
		ask_rules(r, tb);
		break;
	}
}

static void expect_family(struct reader *r, struct model *model)
{
	const struct genlmsghdr *genl = (const void *)((const char *)r->nlh + NLMSG_HDRLEN);
	__u16 flags = r->nlh->nlmsg_flags;
	bool dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
	const struct command *cmd;

	if (r->nlh->nlmsg_len < HEADERS) {
		r->expected->err = EINVAL;
		return;
	}
	if (dump)
		flags &= ~NLM_F_DUMP;
	if (genl->reserved || flags & ~(NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO)) {
		refuse(r, EINVAL, NULL);
		return;
	}
	cmd = genl->cmd <= NF_LOOPTRACK_CMD_MAX ? &commands[genl->cmd] : NULL;
	if (!cmd || !cmd->name) {
		r->expected->err = EOPNOTSUPP;
		return;
	}
	r->expected->cmd = genl->cmd;
	if (dump && !cmd->dumps) {
		r->expected->err = EOPNOTSUPP;
		/* Kernels differ in what they ask first. */
		r->expected->or_err = cmd->admin && !model->admin ? EPERM : 0;
	} else if (cmd->admin && !model->admin) {
		r->expected->err = EPERM;
	} else {
		expect_command(r, model, cmd);
	}
}

unsigned int model_expect(struct model *model, struct shot *shot, __u32 seq,
			  struct expected *expected)
{
	unsigned int count = 0;
	size_t pos = 0;

	while (shot->len - pos >= NLMSG_HDRLEN && count < SHOT_MESSAGES) {
		struct nlmsghdr *nlh = (void *)(shot->data + pos);
		struct expected *e = &expected[count];
		struct reader r = { .nlh = nlh, .expected = e };

		if (nlh->nlmsg_len < NLMSG_HDRLEN || nlh->nlmsg_len > shot->len - pos)
			break;
		nlh->nlmsg_seq = seq + count++;
		*e = (struct expected){
			.seq = nlh->nlmsg_seq,
			.offset = pos,
			.ack = nlh->nlmsg_flags & NLM_F_ACK,
		};
		pos += NLMSG_ALIGN(nlh->nlmsg_len);
		if (nlh->nlmsg_flags & NLM_F_REQUEST && nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
			if (nlh->nlmsg_type == model->family) {
				expect_family(&r, model);
			} else {
				/* Bytes of an attribute, read as a header, may name one. */
				nlh->nlmsg_type = SHOT_NO_FAMILY;
				e->err = ENOENT;
			}
		}
		if (pos > shot->len)
			break;
	}
	return count;
}
