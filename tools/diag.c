// SPDX-License-Identifier: GPL-2.0
/* The socket tables, as sock_diag(7) tells them. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/nf_looptrack.h>
#include <linux/sock_diag.h>

#include "attr.h"
#include "diag.h"
#include "out.h"

/* How often a list is begun again that changed meanwhile. */
#define ATTEMPTS	3

/* What the kernel calls the timer of a TIME_WAIT socket, which has no other. */
#define TIMER_TIME_WAIT	3

/* As many states as have words; a kernel may know more. */
#define STATES		(DIAG_STATE(NEW_SYN_RECV) * 2 - 1)

/**
 * struct exchange - a request and what comes of it
 * @protocol: that was asked for
 * @states: that are wanted
 * @take: takes each socket
 * @arg: for @take
 * @error: what the kernel says at the end, a number as errno's, or 0
 * @interrupted: the table changed while it was listed
 * @done: that was the end
 */
struct exchange {
	uint8_t protocol;
	unsigned int states;
	diag_take *take;
	void *arg;
	int error;
	bool interrupted;
	bool done;
};

/* An address as the kernel tells it. */
static void read_end(struct endpoint *end, int family, const __be32 address[4], __be16 port)
{
	*end = (struct endpoint) { .family = family, .port = ntohs(port) };
	memcpy(&end->addr, address,
	       family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr));
	endpoint_unmap(end);
}

static bool is_any(const struct endpoint *end)
{
	return IN6_IS_ADDR_UNSPECIFIED(&end->addr);
}

static int read_attr(const struct nlattr *attr, void *data)
{
	const struct nlattr **attrs = data;

	if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY ||
	    mnl_attr_get_type(attr) == INET_DIAG_SHUTDOWN)
		if (!mnl_attr_validate(attr, MNL_TYPE_U8))
			attrs[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

/*
 * The kernel tells the substate of a TIME_WAIT socket, and a request as SYN_RECV. Only
 * full sockets can be shut down.
 */
static unsigned int read_state(const struct inet_diag_msg *msg, bool is_full)
{
	if (msg->idiag_timer == TIMER_TIME_WAIT)
		return NF_LOOPTRACK_SOCKET_TIME_WAIT;
	if (msg->idiag_state == NF_LOOPTRACK_SOCKET_SYN_RECV && !is_full)
		return NF_LOOPTRACK_SOCKET_NEW_SYN_RECV;
	return msg->idiag_state;
}

static void read_socket(struct diag_socket *sock, const struct nlmsghdr *nlh)
{
	const struct nlattr *attrs[INET_DIAG_SKV6ONLY + 1] = {};
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	const struct inet_diag_sockid *id = &msg->id;

	mnl_attr_parse(nlh, sizeof(*msg), read_attr, attrs);
	*sock = (struct diag_socket) {
		.family = msg->idiag_family,
		.state = read_state(msg, attrs[INET_DIAG_SHUTDOWN]),
		.device = id->idiag_if,
		.inode = msg->idiag_inode,
		.uid = msg->idiag_uid,
		.cookie = (uint64_t)id->idiag_cookie[1] << 32 | id->idiag_cookie[0],
		.v6only = attrs[INET_DIAG_SKV6ONLY] &&
			  mnl_attr_get_u8(attrs[INET_DIAG_SKV6ONLY]),
	};
	read_end(&sock->local, msg->idiag_family, id->idiag_src, id->idiag_sport);
	read_end(&sock->remote, msg->idiag_family, id->idiag_dst, id->idiag_dport);
	if (!sock->remote.port && is_any(&sock->remote))
		sock->remote.family = AF_UNSPEC;
}

static enum exit_code not_understood(void)
{
	return fail(EXIT_SYSTEM, "the kernel's answer about sockets is not understood");
}

static enum exit_code take_message(struct exchange *ex, const struct nlmsghdr *nlh)
{
	const int *error = mnl_nlmsg_get_payload(nlh);
	struct diag_socket sock;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		ex->interrupted = true;
	ex->done = nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE;
	if (ex->done) {
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*error))
			return not_understood();
		ex->error = -*error;
		return EXIT_OK;
	}
	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return EXIT_OK;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct inet_diag_msg))
		return not_understood();

	read_socket(&sock, nlh);
	sock.protocol = ex->protocol;
	if (sock.state > NF_LOOPTRACK_SOCKET_MAX || !(1U << sock.state & ex->states))
		return EXIT_OK;
	return ex->take(&sock, ex->arg);
}

/* Send a request, and hand what comes to the exchange. */
static enum exit_code diag_exchange(struct diag *diag, struct nlmsghdr *request,
				    struct exchange *ex)
{
	enum exit_code code = EXIT_OK;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_seq = ++diag->seq;
	ex->done = false;
	ex->error = 0;
	if (mnl_socket_sendto(diag->sock, request, request->nlmsg_len) < 0)
		return fail(EXIT_SYSTEM, "cannot ask for sockets: %s", strerror(errno));

	while (!code && !ex->done) {
		ssize_t received = mnl_socket_recvfrom(diag->sock, diag->answer,
						       sizeof(diag->answer));
		const struct nlmsghdr *nlh = (const void *)diag->answer;
		int len = received;

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return fail(EXIT_SYSTEM, "cannot receive sockets: %s", strerror(errno));
		for (; !code && !ex->done && mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len))
			if (nlh->nlmsg_seq == diag->seq)
				code = take_message(ex, nlh);
	}
	return code;
}

static enum exit_code refusal(const struct exchange *ex)
{
	const char *name = attr_protocol(ex->protocol);

	if (ex->error == ENOENT)
		return fail(EXIT_SYSTEM,
			    "the kernel cannot list sockets of %s; load what does with \"modprobe -a inet_diag %s_diag\"",
			    name, name);
	return fail(EXIT_SYSTEM, "the kernel lists no sockets of %s: %s", name,
		    strerror(ex->error));
}

/* One family: the kernel knows no list of both. */
static enum exit_code list_family(struct diag *diag, struct exchange *ex, int family)
{
	enum exit_code code = EXIT_OK;

	for (int i = 0; i < ATTEMPTS; i++) {
		__u64 buffer[32] = {};
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
		struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

		nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		req->sdiag_family = family;
		req->sdiag_protocol = ex->protocol;
		req->idiag_states = ex->states & STATES;
		/* As the kernel calls them; see read_state(). */
		if (ex->states & DIAG_STATE(TIME_WAIT))
			req->idiag_states |= DIAG_STATE(FIN_WAIT2);
		if (ex->states & DIAG_STATE(NEW_SYN_RECV))
			req->idiag_states |= DIAG_STATE(SYN_RECV);

		ex->interrupted = false;
		code = diag_exchange(diag, nlh, ex);
		if (code)
			return code;
		if (ex->error)
			return refusal(ex);
		if (!ex->interrupted)
			return EXIT_OK;
	}
	return fail(EXIT_SYSTEM, "the sockets of %s change faster than they are listed",
		    attr_protocol(ex->protocol));
}

enum exit_code diag_list(struct diag *diag, uint8_t protocol, unsigned int states,
			 diag_take *take, void *arg)
{
	struct exchange ex = {
		.protocol = protocol, .states = states, .take = take, .arg = arg,
	};
	enum exit_code code = list_family(diag, &ex, AF_INET);

	return code ? code : list_family(diag, &ex, AF_INET6);
}

static enum exit_code keep(const struct diag_socket *sock, void *arg)
{
	struct diag_socket *found = arg;

	*found = *sock;
	return EXIT_OK;
}

enum exit_code diag_find(struct diag *diag, uint8_t protocol, const struct endpoint ends[2],
			 unsigned int device, struct diag_socket *found)
{
	struct exchange ex = {
		.protocol = protocol, .states = DIAG_ALL, .take = keep, .arg = found,
	};
	/* Of UDP the kernel wants to know what the peer sends. */
	const struct endpoint *src = &ends[protocol == IPPROTO_UDP];
	const struct endpoint *dst = &ends[protocol != IPPROTO_UDP];
	__u64 buffer[32] = {};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	enum exit_code code;

	found->state = NF_LOOPTRACK_SOCKET_NONE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	req->sdiag_family = ends->family;
	req->sdiag_protocol = protocol;
	req->idiag_states = STATES;
	req->id.idiag_sport = htons(src->port);
	req->id.idiag_dport = htons(dst->port);
	memcpy(req->id.idiag_src, &src->addr, sizeof(src->addr));
	memcpy(req->id.idiag_dst, &dst->addr, sizeof(dst->addr));
	req->id.idiag_if = device;
	req->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

	code = diag_exchange(diag, nlh, &ex);
	/* diag_open() has seen that the kernel can tell. */
	if (!code && ex.error && ex.error != ENOENT)
		return refusal(&ex);
	return code;
}

enum exit_code diag_open(struct diag *diag)
{
	enum exit_code code;

	diag->seq = 0;
	diag->sock = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!diag->sock || mnl_socket_bind(diag->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return fail(EXIT_SYSTEM, "cannot ask for sockets: %s", strerror(errno));

	/* What answers may have to be loaded: with no state wanted, nothing else. */
	code = diag_list(diag, IPPROTO_TCP, 0, keep, NULL);
	return code ? code : diag_list(diag, IPPROTO_UDP, 0, keep, NULL);
}

void diag_close(struct diag *diag)
{
	if (diag->sock)
		mnl_socket_close(diag->sock);
}

bool diag_serves(const struct diag_socket *sock, const struct endpoint *end)
{
	if (sock->local.port != end->port)
		return false;
	if (is_any(&sock->local))
		return sock->local.family == end->family ||
		       (end->family == AF_INET && !sock->v6only);
	return sock->local.family == end->family &&
	       IN6_ARE_ADDR_EQUAL(&sock->local.addr, &end->addr);
}

json_t *diag_json(const struct diag_socket *sock)
{
	const char *state = attr_socket_states.word[sock->state];
	char device[IF_NAMESIZE];
	json_t *object = json_object();

	endpoint_json(object, &sock->local, "src", "sport");
	if (sock->remote.family != AF_UNSPEC)
		endpoint_json(object, &sock->remote, "dst", "dport");
	json_object_set_new(object, "state", json_string(state));
	json_object_set_new(object, "cookie", json_integer(sock->cookie));
	if (sock->inode) {
		json_object_set_new(object, "uid", json_integer(sock->uid));
		json_object_set_new(object, "inode", json_integer(sock->inode));
	}
	if (sock->device && if_indextoname(sock->device, device))
		json_object_set_new(object, "device", attr_name(device));
	return object;
}
