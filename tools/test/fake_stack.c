// SPDX-License-Identifier: GPL-2.0
/* Sockets and routes of the kernel that fake.c makes up. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/nf_looptrack.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include "fake.h"

static void put_socket(const struct nlmsghdr *request, int state, const char *src, int sport,
		       const char *dst, int dport, int cookie)
{
	struct nlmsghdr *nlh = begin(request->nlmsg_type, request->nlmsg_seq);
	struct inet_diag_msg *msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));

	msg->idiag_family = AF_INET;
	msg->idiag_state = state;
	msg->idiag_inode = cookie;
	msg->idiag_uid = 1000 + cookie;
	msg->id.idiag_cookie[0] = cookie;
	inet_pton(AF_INET, src, msg->id.idiag_src);
	inet_pton(AF_INET, dst, msg->id.idiag_dst);
	msg->id.idiag_sport = htons(sport);
	msg->id.idiag_dport = htons(dport);
	if (state == NF_LOOPTRACK_SOCKET_LISTEN && is("bound"))
		msg->id.idiag_if = if_nametoindex("lo");
	end(nlh);
}

/* Those of the redirected flow, and the listener. */
static void put_sockets(const struct nlmsghdr *request)
{
	const struct inet_diag_req_v2 *req = mnl_nlmsg_get_payload(request);
	int *error;
	struct nlmsghdr *nlh;

	if (req->sdiag_family == AF_INET && !is("socketless")) {
		put_socket(request, NF_LOOPTRACK_SOCKET_LISTEN, "0.0.0.0", 7000, "0.0.0.0", 0, 11);
		put_socket(request, NF_LOOPTRACK_SOCKET_ESTABLISHED, "10.1.0.2", 40000,
			   "203.0.113.1", 80, is("another") ? 14 : 12);
		put_socket(request, NF_LOOPTRACK_SOCKET_ESTABLISHED, "127.0.0.1", 7000,
			   "10.1.0.2", 40000, 13);
	}
	nlh = begin(NLMSG_DONE, request->nlmsg_seq);
	error = mnl_nlmsg_put_extra_header(nlh, sizeof(*error));
	*error = 0;
	end(nlh);
}

static void put_route(const struct nlmsghdr *request)
{
	const struct rtmsg *asked = mnl_nlmsg_get_payload(request);
	const struct nlattr *attr = mnl_nlmsg_get_payload_offset(request, sizeof(*asked));
	const uint8_t *first = mnl_attr_get_payload(attr);
	struct nlmsghdr *nlh = begin(RTM_NEWROUTE, request->nlmsg_seq);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = asked->rtm_family;
	rtm->rtm_type = *first == 10 || *first == 127 ? RTN_LOCAL : RTN_UNICAST;
	end(nlh);
}

bool put_stack(const struct nlmsghdr *request)
{
	if (request->nlmsg_type == SOCK_DIAG_BY_FAMILY)
		put_sockets(request);
	else if (request->nlmsg_type == RTM_GETROUTE && is("routeless"))
		put_ack(request, ENETUNREACH, NULL, 0, 0);
	else if (request->nlmsg_type == RTM_GETROUTE)
		put_route(request);
	else
		return false;
	return true;
}

/* "Masked" rules change the source. */
static void put_step(struct nlmsghdr *nlh, int hook, int answer, const char *dst, int dport,
		     bool changed)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_RULES_STEP);

	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_STEP_HOOK, hook);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_STEP_ANSWER, answer);
	put_tuple(nlh, NF_LOOPTRACK_A_STEP_TUPLE,
		  is("masked") && hook == NF_LOOPTRACK_HOOK_POST_ROUTING ? "10.1.0.77" :
									   "10.1.0.2",
		  40000, dst, dport);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_STEP_DEVICE, 1);
	if (changed)
		mnl_attr_put(nlh, NF_LOOPTRACK_A_STEP_IS_CHANGED, 0, NULL);
	mnl_attr_nest_end(nlh, nest);
}

static uint32_t asked_mark(const struct nlmsghdr *request)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, request, GENL_HDRLEN)
		if (mnl_attr_get_type(attr) == NF_LOOPTRACK_A_RULES_MARK)
			return mnl_attr_get_u32(attr);
	return 0;
}

/* Where the rules redirect the flow: "moved" ones, "restored" ones unless the packet has a
 * mark; "fickle" ones to one port after the other, "rare" ones seldom to 7000, and "wild"
 * ones each time elsewhere.
 */
static int redirect_port(const struct nlmsghdr *request)
{
	static int turn;

	turn++;
	if (is("moved") || (is("restored") && !asked_mark(request)))
		return 7001;
	if (is("fickle"))
		return 7000 + (turn - 1) % 6;
	if (is("rare"))
		return turn % 40 ? 7001 + turn % 2 : 7000;
	return is("wild") ? 7000 + turn : 7000;
}

/* The route is that of put_route(). */
bool put_rules(const struct nlmsghdr *request)
{
	bool ruleless = is("ruleless") || is("flowless");
	int port = redirect_port(request);
	const char *dst = ruleless ? "203.0.113.1" : "127.0.0.1";
	static unsigned int turn;
	struct nlmsghdr *nlh;

	print_flow("rules", request, NF_LOOPTRACK_A_RULES_FLOW);
	if (is("old")) {
		put_ack(request, EOPNOTSUPP, NULL, 0, 0);
		return true;
	}
	if (is("sourceless")) {
		put_ack(request, EHOSTUNREACH, "there is no route to the source", 0, 0);
		return true;
	}
	turn++;
	nlh = begin_genl(FAMILY, request->nlmsg_seq, NF_LOOPTRACK_CMD_RULES_GET);
	put_tuple(nlh, NF_LOOPTRACK_A_RULES_FLOW, "10.1.0.2", 40000, "203.0.113.1", 80);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_MARK, asked_mark(request));
	if (is("arriving"))
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_IN, 1);
	else
		mnl_attr_put(nlh, NF_LOOPTRACK_A_RULES_IS_SENT, 0, NULL);
	if (is("sender"))
		mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_RULES_SENDER, 77);
	if (is("busy") || (is("failing") && turn % 3 == 1)) {
		put_step(nlh, NF_LOOPTRACK_HOOK_LOCAL_OUT, is("busy") ? NF_LOOPTRACK_ANSWER_BUSY :
			 NF_LOOPTRACK_ANSWER_REFUSED, dst, 80, false);
	} else if (is("riddle")) {
		put_step(nlh, NF_LOOPTRACK_HOOK_LOCAL_OUT, 77, dst, 80, false);
	} else if (ruleless) {
		put_step(nlh, NF_LOOPTRACK_HOOK_LOCAL_OUT, is("natless"), dst, 80, false);
		put_step(nlh, NF_LOOPTRACK_HOOK_POST_ROUTING, is("natless"), dst, 80, false);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_OUT, 1);
	} else {
		put_step(nlh, NF_LOOPTRACK_HOOK_LOCAL_OUT, 0, dst, port, true);
		put_step(nlh, NF_LOOPTRACK_HOOK_POST_ROUTING, 0, dst, port, false);
		if (is("split") && turn % 2)
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_OUT, 1);
		else
			mnl_attr_put(nlh, NF_LOOPTRACK_A_RULES_IS_DELIVERED, 0, NULL);
	}
	end(nlh);
	return false;
}
