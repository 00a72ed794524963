// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: finding the module, asking it, understanding a refusal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/nf_looptrack.h>

#include "nl.h"
#include "out.h"

static enum exit_code no_module(void)
{
	return fail(EXIT_NOMODULE,
		    "module nf_looptrack is not loaded; load it with \"modprobe nf_looptrack\"");
}

enum exit_code nl_undecodable(void)
{
	if (errno == EBADMSG)
		return fail(EXIT_MISMATCH,
			    "module and tool do not fit: its answer is not understood");
	return fail(EXIT_SYSTEM, "out of memory");
}

bool nl_is(const struct nlmsghdr *nlh, uint16_t family, uint8_t cmd)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	return nlh->nlmsg_type == family && mnl_nlmsg_get_payload_len(nlh) >= GENL_HDRLEN &&
	       genl->cmd == cmd;
}

json_t *nl_decode(const struct nlmsghdr *nlh, const struct attr_set *set)
{
	return attr_decode(set, mnl_nlmsg_get_payload_offset(nlh, GENL_HDRLEN),
			   mnl_nlmsg_get_payload_len(nlh) - GENL_HDRLEN);
}

static struct nlmsghdr *nl_request_family(struct nl *nl, uint16_t family, uint8_t cmd,
					  uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->request);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

struct nlmsghdr *nl_request(struct nl *nl, uint8_t cmd)
{
	return nl_request_family(nl, nl->family, cmd, NF_LOOPTRACK_GENL_VERSION);
}

/* What extack says behind the first @skip bytes, as an object; NULL if it is silent. */
static json_t *extack_decode(const struct nlmsghdr *nlh, size_t skip)
{
	const char *payload = mnl_nlmsg_get_payload(nlh);
	size_t len = mnl_nlmsg_get_payload_len(nlh);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || skip > len)
		return NULL;
	return attr_decode(&attr_extack, payload + skip, len - skip);
}

/* Say why the kernel did not do what the request wanted. */
static enum exit_code refusal(struct nl *nl, const struct attr_set *set, int error,
			      json_t *extack)
{
	const char *message = json_string_value(json_object_get(extack, "message"));
	json_t *offset = json_object_get(extack, "offset");
	json_t *missing = json_object_get(extack, "missing");
	const char *line = "";
	enum exit_code code;
	char *name = NULL;

	if (!message && error == ENOENT)
		return no_module();
	if (nl->asking) {
		nl->why = strdup(message || error != EOPNOTSUPP ?
				 message ?: strerror(error) : "this module can't ask the rules");
		return EXIT_OK;
	}
	if (nl->searching && error == ENOENT)
		return EXIT_OK;
	if (!message && error == EPERM)
		return fail(EXIT_PRIVILEGE,
			    "not permitted: this needs CAP_NET_ADMIN in the user namespace that owns the network namespace");
	if (!message && error == EOPNOTSUPP)
		return fail(EXIT_MISMATCH,
			    "the module does not know this command, it is older than this tool: reload the module");
	if (missing)
		return fail(EXIT_MISMATCH,
			    "the module wants attribute %d, it is newer than this tool: upgrade the tool",
			    (int)json_integer_value(missing));

	if (offset)
		name = attr_locate(set, (const void *)nl->request, json_integer_value(offset));
	if (nl->find_line)
		line = nl->find_line(name ? json_integer_value(offset) : 0);
	code = fail(error == EPERM ? EXIT_PRIVILEGE : EXIT_REFUSED,
		    "%sthe kernel refused: %s%s%s%s", line, message ?: strerror(error),
		    name ? " (attribute " : "", name ?: "", name ? ")" : "");
	free(name);
	return code;
}

/* The acknowledgment ends a request. */
static enum exit_code acknowledged(struct nl *nl, const struct attr_set *set,
				   const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(nlh);
	enum exit_code code = EXIT_OK;
	size_t skip = sizeof(*ack);
	json_t *extack;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ack)) {
		errno = EBADMSG;
		return nl_undecodable();
	}
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += MNL_ALIGN(ack->msg.nlmsg_len) - sizeof(ack->msg);
	extack = extack_decode(nlh, skip);
	if (ack->error)
		code = refusal(nl, set, -ack->error, extack);
	else if (json_object_get(extack, "message"))
		fail(EXIT_OK, "the kernel warns: %s",
		     json_string_value(json_object_get(extack, "message")));
	json_decref(extack);
	return code;
}

/* The end of a list: an error, if there was one. */
static enum exit_code listed(struct nl *nl, const struct attr_set *set,
			     const struct nlmsghdr *nlh)
{
	const int *error = mnl_nlmsg_get_payload(nlh);
	enum exit_code code;
	json_t *extack;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*error)) {
		errno = EBADMSG;
		return nl_undecodable();
	}
	if (!*error)
		return EXIT_OK;
	extack = extack_decode(nlh, sizeof(*error));
	code = refusal(nl, set, -*error, extack);
	json_decref(extack);
	return code;
}

/* One message. @done: it is the last. */
static enum exit_code take_message(struct nl *nl, const struct nlmsghdr *nlh,
				   const struct attr_set *set, nl_take *take, void *arg,
				   bool *done)
{
	const struct nlmsghdr *request = (const void *)nl->request;
	json_t *object;

	if (nlh->nlmsg_seq != request->nlmsg_seq ||
	    nlh->nlmsg_pid != mnl_socket_get_portid(nl->sock))
		return EXIT_OK;
	*done = nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return acknowledged(nl, set, nlh);
	if (nlh->nlmsg_type == NLMSG_DONE)
		return listed(nl, set, nlh);
	if (nlh->nlmsg_type != request->nlmsg_type || mnl_nlmsg_get_payload_len(nlh) < GENL_HDRLEN)
		return EXIT_OK;
	object = nl_decode(nlh, set);
	return object ? take(object, arg) : nl_undecodable();
}

/* Send the request and hand what comes to @take, until the end. */
static enum exit_code nl_exchange(struct nl *nl, const struct attr_set *set, nl_take *take,
				  void *arg)
{
	const struct nlmsghdr *request = (const void *)nl->request;
	enum exit_code code = EXIT_OK;
	bool done = false;

	if (mnl_socket_sendto(nl->sock, request, request->nlmsg_len) < 0)
		return fail(EXIT_SYSTEM, "cannot send to the kernel: %s", strerror(errno));

	while (!code && !done) {
		ssize_t received = mnl_socket_recvfrom(nl->sock, nl->answer, sizeof(nl->answer));
		const struct nlmsghdr *nlh = (const void *)nl->answer;
		int len = received;

		if (received < 0 && errno == EINTR)
			continue;
		/* What was asked for comes faster than word that it will. */
		if (received < 0 && errno == ENOBUFS && nl->subscribed)
			return EXIT_OK;
		if (received < 0)
			return fail(EXIT_SYSTEM, "cannot receive from the kernel: %s",
				    strerror(errno));
		for (; !code && !done && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
			code = take_message(nl, nlh, set, take, arg, &done);
	}
	return code;
}

/* There is one answer; of several, the last. */
static enum exit_code keep(json_t *object, void *arg)
{
	json_t **answer = arg;

	json_decref(*answer);
	*answer = object;
	return EXIT_OK;
}

enum exit_code nl_talk(struct nl *nl, const struct attr_set *set, json_t **answer)
{
	json_t *object = NULL;
	enum exit_code code;

	code = nl_exchange(nl, set, keep, &object);
	if (!code && answer && !object && !nl->searching && !nl->why) {
		errno = EBADMSG;
		return nl_undecodable();
	}
	if (!code && answer)
		*answer = object;
	else
		json_decref(object);
	return code;
}

enum exit_code nl_find(struct nl *nl, const struct attr_set *set, json_t **answer)
{
	enum exit_code code;

	nl->searching = true;
	code = nl_talk(nl, set, answer);
	nl->searching = false;
	return code;
}

enum exit_code nl_ask(struct nl *nl, const struct attr_set *set, json_t **answer, char **why)
{
	enum exit_code code;

	nl->asking = true;
	nl->why = NULL;
	code = nl_talk(nl, set, answer);
	nl->asking = false;
	*why = nl->why;
	nl->why = NULL;
	return code;
}

enum exit_code nl_list(struct nl *nl, uint8_t cmd, const struct attr_set *set, nl_take *take,
		       void *arg)
{
	struct nlmsghdr *nlh = nl_request(nl, cmd);

	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	return nl_exchange(nl, set, take, arg);
}

enum exit_code nl_get(struct nl *nl, uint8_t cmd, const struct attr_set *set, json_t **answer)
{
	nl_request(nl, cmd);
	return nl_talk(nl, set, answer);
}

/* Take the numbers of the family from what the kernel told about it. */
static enum exit_code nl_family(struct nl *nl, json_t *family)
{
	json_int_t version = json_integer_value(json_object_get(family, "version"));
	json_t *group;
	size_t i;

	if (version > NF_LOOPTRACK_GENL_VERSION)
		return fail(EXIT_MISMATCH,
			    "the module is newer than this tool (protocol %d, not %d): upgrade the tool",
			    (int)version, NF_LOOPTRACK_GENL_VERSION);
	if (version < NF_LOOPTRACK_GENL_VERSION)
		return fail(EXIT_MISMATCH,
			    "the module is older than this tool (protocol %d, not %d): reload the module",
			    (int)version, NF_LOOPTRACK_GENL_VERSION);

	nl->family = json_integer_value(json_object_get(family, "id"));
	json_array_foreach(json_object_get(family, "groups"), i, group) {
		const char *name = json_string_value(json_object_get(group, "name"));

		if (name && !strcmp(name, NF_LOOPTRACK_MCGRP_EVENTS))
			nl->events = json_integer_value(json_object_get(group, "id"));
	}
	return EXIT_OK;
}

enum exit_code nl_open(struct nl *nl)
{
	enum exit_code code;
	struct nlmsghdr *nlh;
	json_t *family = NULL;
	int on = 1;

	nl->sock = NULL;
	nl->events = 0;
	nl->seq = 0;
	nl->find_line = NULL;
	nl->searching = false;
	nl->asking = false;
	nl->why = NULL;
	nl->subscribed = false;
	code = netns_enter(opt.netns);
	if (code)
		return code;
	nl->sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return fail(EXIT_SYSTEM, "cannot open a netlink socket: %s", strerror(errno));
	/* Both only make refusals more readable. */
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on));

	nlh = nl_request_family(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NF_LOOPTRACK_GENL_NAME);
	code = nl_talk(nl, &attr_ctrl, &family);
	if (code)
		return code;
	code = nl_family(nl, family);
	json_decref(family);
	return code;
}

void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
}

static enum exit_code nl_join(struct nl *nl, int group)
{
	if (!mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return EXIT_OK;
	if (errno == EPERM || errno == ENOENT)
		return refusal(nl, NULL, errno, NULL);
	return fail(EXIT_SYSTEM, "cannot receive events: %s", strerror(errno));
}

enum exit_code nl_subscribe(struct nl *nl)
{
	enum exit_code code;
	int size = 1 << 20;
	int on = 1;

	if (!nl->events)
		return fail(EXIT_MISMATCH,
			    "the module has no events, it is older than this tool: reload the module");
	/* Or the module would not hear of what we lose, and not count it. */
	mnl_socket_setsockopt(nl->sock, NETLINK_BROADCAST_ERROR, &on, sizeof(on));
	/* The more room, the later events get lost; the first needs privilege. */
	if (setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVBUFFORCE,
		       &size, sizeof(size)))
		setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVBUF,
			   &size, sizeof(size));
	nl->subscribed = true;
	code = nl_join(nl, GENL_ID_CTRL);
	return code ? code : nl_join(nl, nl->events);
}
