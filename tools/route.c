// SPDX-License-Identifier: GPL-2.0
/* Where the kernel would send a packet, as rtnetlink(7) tells it. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "attr.h"
#include "out.h"
#include "route.h"

static const char *const type_words[] = {
	[RTN_UNICAST] = "unicast",
	[RTN_LOCAL] = "local",
	[RTN_BROADCAST] = "broadcast",
	[RTN_ANYCAST] = "anycast",
	[RTN_MULTICAST] = "multicast",
};

static void put_address(struct nlmsghdr *nlh, int type, const struct endpoint *end)
{
	size_t len = end->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	mnl_attr_put(nlh, type, len, &end->addr);
}

static int read_attr(const struct nlattr *attr, void *data)
{
	json_t *route = data;
	char name[IF_NAMESIZE], text[INET6_ADDRSTRLEN];
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) == RTA_OIF && len == sizeof(uint32_t) &&
	    if_indextoname(mnl_attr_get_u32(attr), name))
		json_object_set_new(route, "device", attr_name(name));
	if (mnl_attr_get_type(attr) == RTA_GATEWAY &&
	    (len == sizeof(struct in_addr) || len == sizeof(struct in6_addr)) &&
	    inet_ntop(len == sizeof(struct in_addr) ? AF_INET : AF_INET6,
		      mnl_attr_get_payload(attr), text, sizeof(text)))
		json_object_set_new(route, "gateway", json_string(text));
	return MNL_CB_OK;
}

static json_t *read_route(const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	json_t *route;

	if (rtm->rtm_type >= ARRAY_SIZE(type_words) || !type_words[rtm->rtm_type])
		return json_pack("{s:s, s:s}", "type", "none", "reason",
				 "a route that refuses it");
	route = json_pack("{s:s}", "type", type_words[rtm->rtm_type]);
	mnl_attr_parse(nlh, sizeof(*rtm), read_attr, route);
	return route;
}

/* The kernel's answer, whether it knows a route or not; NULL if it can't be understood. */
static json_t *read_answer(const struct nlmsghdr *nlh, int len)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);

	if (!mnl_nlmsg_ok(nlh, len))
		return NULL;
	if (nlh->nlmsg_type == RTM_NEWROUTE &&
	    mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct rtmsg))
		return read_route(nlh);
	if (nlh->nlmsg_type == NLMSG_ERROR &&
	    mnl_nlmsg_get_payload_len(nlh) >= sizeof(*error) && error->error)
		return json_pack("{s:s, s:s}", "type", "none", "reason",
				 strerror(-error->error));
	return NULL;
}

static enum exit_code talk(struct mnl_socket *sock, struct nlmsghdr *request, json_t **route)
{
	__u64 answer[2048];
	ssize_t received;

	if (mnl_socket_sendto(sock, request, request->nlmsg_len) < 0)
		return fail(EXIT_SYSTEM, "cannot ask for a route: %s", strerror(errno));
	do
		received = mnl_socket_recvfrom(sock, answer, sizeof(answer));
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return fail(EXIT_SYSTEM, "cannot receive a route: %s", strerror(errno));
	*route = read_answer((const void *)answer, received);
	if (!*route)
		return fail(EXIT_SYSTEM, "the kernel's answer about a route is not understood");
	return EXIT_OK;
}

enum exit_code route_get(const struct endpoint *from, const struct endpoint *to, json_t **route)
{
	__u64 buffer[32] = {};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	struct mnl_socket *sock;
	enum exit_code code;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm->rtm_family = to->family;
	rtm->rtm_dst_len = to->family == AF_INET ? 32 : 128;
	put_address(nlh, RTA_DST, to);
	if (from) {
		rtm->rtm_src_len = rtm->rtm_dst_len;
		put_address(nlh, RTA_SRC, from);
	}

	sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!sock)
		return fail(EXIT_SYSTEM, "cannot ask for a route: %s", strerror(errno));
	code = talk(sock, nlh, route);
	mnl_socket_close(sock);
	return code;
}

static bool is_type(const json_t *route, unsigned int type)
{
	return !strcmp(out_text(route, "type"), type_words[type]);
}

bool route_is_local(const json_t *route)
{
	return is_type(route, RTN_LOCAL);
}

bool route_is_to_here(const json_t *route)
{
	return is_type(route, RTN_LOCAL) || is_type(route, RTN_BROADCAST) ||
	       is_type(route, RTN_ANYCAST) || is_type(route, RTN_MULTICAST);
}
