/* SPDX-License-Identifier: GPL-2.0 */
/* Attributes, read as the kernel reads them. */
#ifndef _LT_TEST_FUZZ_ATTR_H
#define _LT_TEST_FUZZ_ATTR_H

#include <string.h>

#include "fuzz.h"

#define HEADERS		(NLMSG_HDRLEN + GENL_HDRLEN)
#define HAS(bits, n)	((bits) >> (n) & 1)

static const size_t kind_size[KIND_NEST + 1] = {
	[KIND_U8] = 1,
	[KIND_U16] = 2,
	[KIND_U32] = 4,
	[KIND_U64] = 8,
	[KIND_ADDR6] = 16,
};

static inline unsigned int attr_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

static inline size_t attr_size(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

static inline const void *attr_data(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

/* The number in it, which is of the right size. */
static inline __u64 attr_number(const struct nlattr *attr)
{
	__u64 number = 0;

	memcpy(&number, attr_data(attr), attr_size(attr));
	return number;
}

/* The attribute that @left bytes begin with, or NULL. */
static inline const struct nlattr *attr_at(const void *data, size_t left)
{
	const struct nlattr *attr = data;

	return left >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= left ?
	       attr : NULL;
}

/* The first one of a message, of whose bytes @left are set to be left. */
static inline const struct nlattr *attr_first(const struct nlmsghdr *nlh, size_t *left)
{
	*left = nlh->nlmsg_len - HEADERS;
	return attr_at((const char *)nlh + HEADERS, *left);
}

static inline const struct nlattr *attr_next(const struct nlattr *attr, size_t *left)
{
	size_t step = NLA_ALIGN(attr->nla_len);

	*left = step < *left ? *left - step : 0;
	return attr_at((const char *)attr + step, *left);
}

/* The last one of each type of a nest that was checked. */
static inline void find_attrs(const struct nlattr *nest, const struct nlattr **tb)
{
	size_t left = attr_size(nest);
	const struct nlattr *attr;

	for (attr = attr_at(attr_data(nest), left); attr; attr = attr_next(attr, &left))
		tb[attr_type(attr)] = attr;
}

#endif /* _LT_TEST_FUZZ_ATTR_H */
