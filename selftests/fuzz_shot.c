// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams for the module: a sensible request, in which something is wrong more or
 * less often. What is random comes from one seed.
 */
#include <stdint.h>
#include <string.h>

#include "fuzz.h"

static __u64 seed;
static unsigned int clumsy;	/* how many of a hundred things go wrong */

void shot_seed(__u64 value)
{
	seed = value;
}

/* splitmix64 */
static __u64 random64(void)
{
	__u64 z = seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

__u32 shot_random(__u32 below)
{
	return random64() % below;
}

static bool percent(unsigned int chance)
{
	return shot_random(100) < chance;
}

static bool slip(void)
{
	return percent(clumsy);
}

/* The numbers where something ends. */
static __u64 extreme(void)
{
	static const __u64 number[] = {
		0, 1, 2, 8, 9, 255, 256, 32767, 32768, UINT16_MAX, INT32_MAX, 1ULL << 31,
		UINT32_MAX, 1ULL << 32, INT64_MAX, UINT64_MAX,
	};

	return percent(70) ? number[shot_random(ARRAY_SIZE(number))] : random64();
}

/* Room for @size bytes, filled by the caller; NULL if there is none. */
static void *room(struct shot *shot, size_t size)
{
	void *place = shot->data + shot->len;

	if (shot->len + NLA_ALIGN(size) > sizeof(shot->data))
		return NULL;
	memset(place, 0, NLA_ALIGN(size));
	shot->len += NLA_ALIGN(size);
	return place;
}

/* The attribute's offset; there may have been no room for it. */
static size_t put(struct shot *shot, unsigned int type, const void *data, size_t size)
{
	size_t start = shot->len;
	struct nlattr *attr = room(shot, NLA_HDRLEN + size);

	if (!attr)
		return start;
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + size;
	if (data)
		memcpy(attr + 1, data, size);
	return start;
}

/* What is longer than a length can say, says something else. */
static void end_nest(struct shot *shot, size_t start)
{
	struct nlattr *attr = (void *)(shot->data + start);

	if (shot->len >= start + NLA_HDRLEN)
		attr->nla_len = shot->len - start;
}

static void put_garbage(struct shot *shot, size_t size)
{
	unsigned char *byte = room(shot, size);

	for (size_t i = 0; byte && i < size; i++)
		byte[i] = random64();
}

static void put_set(struct shot *shot, const struct set *set, __u64 types);

static void put_deep(struct shot *shot, unsigned int depth)
{
	size_t start = put(shot, (1 + shot_random(8)) | NLA_F_NESTED, NULL, 0);

	if (depth)
		put_deep(shot, depth - 1);
	end_nest(shot, start);
}

static const struct set *any_set(void)
{
	static const struct set *const sets[] = {
		&tuple_set, &feature_set, &proxy_set, &exempt_set,
	};

	return sets[shot_random(ARRAY_SIZE(sets))];
}

static __u64 sensible(const struct attr *spec)
{
	static const __u16 ports[] = { 80, 7000, 15001, FLOW_SPORT, FLOW_DPORT };

	if (spec->max)
		return shot_random(spec->max + 1);
	switch (spec->kind) {
	case KIND_U8:
		return percent(60) ? 6 : percent(60) ? 17 : shot_random(256);
	case KIND_U16:
		return spec->min ? 1 + shot_random(UINT16_MAX) :
				   __builtin_bswap16(ports[shot_random(ARRAY_SIZE(ports))]);
	case KIND_U32:
		return percent(50) ? __builtin_bswap32(FLOW_ADDR) : random64();
	default:
		return spec->min + shot_random(INT32_MAX);
	}
}

/* An attribute in which something is wrong. */
static void put_wrong(struct shot *shot, unsigned int type)
{
	static const __u16 flags[] = {
		0, 0, 0, NLA_F_NESTED, NLA_F_NET_BYTEORDER, NLA_F_NESTED | NLA_F_NET_BYTEORDER,
	};
	size_t start = shot->len;
	__u64 number = extreme();
	struct nlattr *attr;

	type |= flags[shot_random(ARRAY_SIZE(flags))];
	switch (shot_random(8)) {
	case 0:		/* nothing */
		return;
	case 1:		/* too short or too long */
		put(shot, type, &number, shot_random(sizeof(number) + 1));
		break;
	case 2:
		put(shot, type, NULL, shot_random(percent(5) ? UINT16_MAX - NLA_HDRLEN : 64));
		break;
	case 3:		/* another set's, or not a nest at all */
		start = put(shot, type | (percent(80) ? NLA_F_NESTED : 0), NULL, 0);
		put_set(shot, any_set(), random64());
		end_nest(shot, start);
		break;
	case 4:
		put_deep(shot, shot_random(percent(10) ? 1000 : 12));
		break;
	case 5:		/* unknown */
		put(shot, random64(), &number, 4);
		break;
	case 6:		/* the right size, perhaps */
		put(shot, type, &number, 1 << shot_random(4));
		break;
	case 7:
		put(shot, type, NULL, 0);
		put_garbage(shot, shot_random(32));
		break;
	}
	/* It may be about its length, besides. */
	attr = (void *)(shot->data + start);
	if (percent(20) && shot->len >= start + NLA_HDRLEN)
		attr->nla_len = percent(50) ? extreme() : attr->nla_len + shot_random(9) - 4;
}

static void put_attr(struct shot *shot, const struct attr *spec, unsigned int type)
{
	__u64 number = percent(90) ? sensible(spec) : extreme();
	unsigned char addr6[16] = { [15] = 1 };
	size_t start;

	if (slip()) {
		put_wrong(shot, type);
		return;
	}
	switch (spec->kind) {
	case KIND_NEST:
		start = put(shot, type | NLA_F_NESTED, NULL, 0);
		put_set(shot, spec->set, 0);
		end_nest(shot, start);
		break;
	case KIND_ADDR6:
		put(shot, type, addr6, sizeof(addr6));
		break;
	case KIND_U8:
	case KIND_U16:
	case KIND_U32:
	case KIND_U64:
		put(shot, type, &number, 1 << (spec->kind - KIND_U8));
		break;
	default:
		put(shot, type, NULL, 0);
		break;
	}
	if (slip())
		put_attr(shot, spec, type);
}

/* The types of a tuple that make sense together. */
static __u64 tuple_types(void)
{
	__u64 four = 1 << NF_LOOPTRACK_A_TUPLE_SRC4 | 1 << NF_LOOPTRACK_A_TUPLE_DST4;
	__u64 six = 1 << NF_LOOPTRACK_A_TUPLE_SRC6 | 1 << NF_LOOPTRACK_A_TUPLE_DST6;
	__u64 ports = 1 << NF_LOOPTRACK_A_TUPLE_SPORT | 1 << NF_LOOPTRACK_A_TUPLE_DPORT;

	return (percent(60) ? four : six) | (percent(80) ? ports : 0);
}

/* The flow that is there. */
static void put_flow(struct shot *shot)
{
	__u32 addr = __builtin_bswap32(FLOW_ADDR);
	__u16 sport = __builtin_bswap16(FLOW_SPORT), dport = __builtin_bswap16(FLOW_DPORT);

	put(shot, NF_LOOPTRACK_A_TUPLE_SRC4, &addr, sizeof(addr));
	put(shot, NF_LOOPTRACK_A_TUPLE_DST4, &addr, sizeof(addr));
	put(shot, NF_LOOPTRACK_A_TUPLE_SPORT, &sport, sizeof(sport));
	put(shot, NF_LOOPTRACK_A_TUPLE_DPORT, &dport, sizeof(dport));
}

static void put_number(struct shot *shot, unsigned int type, __u32 number)
{
	if (slip())
		number = extreme();
	if (slip())
		put_wrong(shot, type);
	else
		put(shot, type, &number, sizeof(number));
}

static void put_feature(struct shot *shot)
{
	const struct attr *proxy = &feature_set.attr[NF_LOOPTRACK_A_FEATURE_PROXY];
	const struct attr *exempt = &feature_set.attr[NF_LOOPTRACK_A_FEATURE_EXEMPT];
	__u32 id = shot_random(FEATURES), mask = percent(95) ? random64() : 0;
	__u32 mark = percent(85) ? mask & random64() : random64();
	unsigned int proxies = percent(90) ? shot_random(4) : shot_random(12);
	unsigned int exempts = percent(90) ? shot_random(4) : shot_random(24);

	put_number(shot, NF_LOOPTRACK_A_FEATURE_ID, id);
	put_number(shot, NF_LOOPTRACK_A_FEATURE_MODE, shot_random(NF_LOOPTRACK_MODE_MAX + 1));
	if ((id == NF_LOOPTRACK_FEATURE_PASSMARK && percent(60)) || slip()) {
		put_number(shot, NF_LOOPTRACK_A_FEATURE_MARK, mark);
		put_number(shot, NF_LOOPTRACK_A_FEATURE_MARK_MASK, mask);
	}
	if ((id == NF_LOOPTRACK_FEATURE_LOOPGUARD && percent(70)) || slip())
		while (proxies--)
			put_attr(shot, proxy, NF_LOOPTRACK_A_FEATURE_PROXY);
	if ((id == NF_LOOPTRACK_FEATURE_LOOPGUARD && percent(10)) || slip())
		put(shot, NF_LOOPTRACK_A_FEATURE_NO_PROXY, NULL, 0);
	if ((id == NF_LOOPTRACK_FEATURE_LISTENERS && percent(70)) || slip())
		while (exempts--)
			put_attr(shot, exempt, NF_LOOPTRACK_A_FEATURE_EXEMPT);
	if ((id == NF_LOOPTRACK_FEATURE_LISTENERS && percent(10)) || slip())
		put(shot, NF_LOOPTRACK_A_FEATURE_NO_EXEMPT, NULL, 0);
}

/* The attributes of a set: those of @types, or some that make sense. */
static void put_set(struct shot *shot, const struct set *set, __u64 types)
{
	if (!types && set == &tuple_set && percent(50)) {
		/* That flow, or any. */
		if (percent(70))
			put_flow(shot);
		return;
	}
	if (!types && set == &feature_set) {
		put_feature(shot);
		return;
	}
	if (!types && set == &proxy_set)
		types = 1ULL << (NF_LOOPTRACK_A_PROXY_PORT + shot_random(3));
	/* Either of both may be greater. */
	if (!types && set == &exempt_set)
		types = 1 << NF_LOOPTRACK_A_EXEMPT_FROM |
			(percent(50) ? 1 << NF_LOOPTRACK_A_EXEMPT_TO : 0);
	if (!types)
		types = tuple_types();
	for (unsigned int i = 1; i <= set->max; i++)
		if ((types >> i & 1) != slip())
			put_attr(shot, &set->attr[i], i);
}

static __u16 any_flags(__u8 cmd)
{
	bool dumps = cmd <= NF_LOOPTRACK_CMD_MAX && commands[cmd].dumps;
	__u16 flags = NLM_F_REQUEST;

	if (percent(60))
		flags |= NLM_F_ACK;
	if (percent(10))
		flags |= NLM_F_ECHO;
	if (percent(dumps ? 10 : 1))
		flags |= NLM_F_DUMP;
	if (slip())
		flags ^= 1 << shot_random(16);
	return flags;
}

/* Those that a newer module may have are not sent: nobody has said what comes of them. */
static __u8 any_command(void)
{
	__u8 cmd = slip() ? random64() : 1 + shot_random(NF_LOOPTRACK_CMD_MAX);

	return cmd && cmd <= NF_LOOPTRACK_CMD_MAX && !commands[cmd].name && percent(90) ?
	       NF_LOOPTRACK_CMD_FEATURE_SET : cmd;
}

static void put_attrs(struct shot *shot, __u8 cmd, bool dump)
{
	const struct command *command = cmd <= NF_LOOPTRACK_CMD_MAX ? &commands[cmd] : NULL;
	unsigned int features = percent(99) ? shot_random(4) : shot_random(100);

	if (!command || !command->name || dump) {
		if (slip())
			put_garbage(shot, shot_random(64));
		return;
	}
	if (cmd == NF_LOOPTRACK_CMD_FEATURE_SET) {
		for (unsigned int i = 0; i <= features; i++)
			put_attr(shot, &command->set->attr[NF_LOOPTRACK_A_CONFIG_FEATURE],
				 NF_LOOPTRACK_A_CONFIG_FEATURE);
	} else if (command->asks || slip()) {
		/* The zone is seldom another one. */
		put_set(shot, command->set, cmd == NF_LOOPTRACK_CMD_FLOW_GET && percent(90) ?
			command->asks & ~(1ULL << NF_LOOPTRACK_A_FLOW_ZONE) : command->asks ?: 1);
	}
}

/* Bytes that are not what they were. */
static void spoil(struct shot *shot, size_t start)
{
	size_t size = shot->len - start;

	for (unsigned int i = shot_random(4); i && size > NLMSG_HDRLEN; i--) {
		size_t at = start + NLMSG_HDRLEN + shot_random(size - NLMSG_HDRLEN);

		if (percent(50))
			shot->data[at] ^= 1 << shot_random(8);
		else
			shot->data[at] = random64();
	}
}

static void put_message(struct shot *shot, __u16 family)
{
	size_t start = shot->len;
	struct nlmsghdr *nlh = room(shot, NLMSG_HDRLEN);
	struct genlmsghdr *genl = room(shot, GENL_HDRLEN);

	if (!nlh || !genl)
		return;
	clumsy = percent(50) ? 0 : percent(60) ? 3 : 25;
	genl->cmd = any_command();
	genl->version = slip() ? random64() : NF_LOOPTRACK_GENL_VERSION;
	genl->reserved = slip() ? random64() : 0;
	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = any_flags(genl->cmd);
	nlh->nlmsg_pid = percent(5) ? random64() : 0;
	if (slip())
		nlh->nlmsg_type = percent(50) ? shot_random(NLMSG_MIN_TYPE) : SHOT_NO_FAMILY;
	put_attrs(shot, genl->cmd, (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP);
	if (slip())
		spoil(shot, start);
	if (slip())
		put_garbage(shot, shot_random(percent(3) ? SHOT_SIZE : 16));
	nlh->nlmsg_len = shot->len - start;
	if (slip())
		nlh->nlmsg_len = percent(50) ? nlh->nlmsg_len - shot_random(24) : extreme();
}

void shot_make(struct shot *shot, __u16 family)
{
	unsigned int messages = percent(90) ? 1 : 2 + shot_random(percent(90) ? 6 : 60);

	shot->len = 0;
	while (messages--)
		put_message(shot, family);
	/* The end of it doesn't arrive. */
	if (percent(1))
		shot->len = shot_random(shot->len + 1);
}
