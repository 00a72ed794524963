// SPDX-License-Identifier: GPL-2.0
/*
 * Sends one request to the module as raw as wanted and says what the kernel
 * answered: "ok", or the name of the error, then what extack said.
 *
 *	genl get COMMAND			module, feature, stats; flow, event: all of them
 *	genl trace				trace-start, of nothing
 *	genl set [ID|- MODE|- [+MORE]...]...	feature-set; "-" leaves it out; MORE:
 *						a proxy: p, u or c and a number each, or
 *						none; exempt ports: f and t and a number
 *						each, or no-exempt
 *	genl reset				stats-reset
 *	genl rules COUNT PROTOCOL SOURCE SPORT DESTINATION DPORT [i|m|z NUMBER]...
 *						rules-get, so often, up to the first
 *						refusal; device, mark and zone; "-"
 *						leaves out protocol or an end
 *	genl join				the multicast group events
 *
 * Exit status: 0 ok, 1 refused, 2 anything else.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nf_looptrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static struct mnl_socket *nl;
static char buf[16384];
static __u32 family, group;

static void die(const char *what)
{
	fprintf(stderr, "genl: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct nlmsghdr *request(__u16 type, __u8 cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = time(NULL);
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = NF_LOOPTRACK_GENL_VERSION;
	return nlh;
}

static void dump(__u8 cmd)
{
	request(family, cmd)->nlmsg_flags |= NLM_F_DUMP;
}

static int one_group(const struct nlattr *attr, void *data)
{
	const struct nlattr *a;
	const char *name = "";
	__u32 id = 0;

	(void)data;
	mnl_attr_for_each_nested(a, attr) {
		if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GRP_NAME)
			name = mnl_attr_get_str(a);
		if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GRP_ID)
			id = mnl_attr_get_u32(a);
	}
	if (!strcmp(name, NF_LOOPTRACK_MCGRP_EVENTS))
		group = id;
	return MNL_CB_OK;
}

static int one_attr(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		family = mnl_attr_get_u16(attr);
	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
		mnl_attr_parse_nested(attr, one_group, data);
	return MNL_CB_OK;
}

static void parse_family(const struct nlmsghdr *nlh)
{
	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), one_attr, NULL);
}

static int one_extack(const struct nlattr *attr, void *data)
{
	(void)data;
	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
		printf(" \"%s\"", mnl_attr_get_str(attr));
	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS)
		printf(" at %u", mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static void print_error(const struct nlmsghdr *nlh, const struct nlmsgerr *err)
{
	unsigned int skip = sizeof(*err);

	printf("%s", strerrorname_np(-err->error));
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += err->msg.nlmsg_len - sizeof(err->msg);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_parse(nlh, skip, one_extack, NULL);
	puts("");
}

/* Send what is in buf. Returns 0 or a positive error, which is printed. */
static int talk(void (*answer)(const struct nlmsghdr *nlh))
{
	const struct nlmsghdr *nlh = (void *)buf;
	const struct nlmsgerr *err;
	ssize_t n;
	int len;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("send");
	for (;;) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			die("receive");
		nlh = (void *)buf;
		len = n;
		for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_type == NLMSG_DONE)
				return 0;
			if (nlh->nlmsg_type != NLMSG_ERROR) {
				if (answer)
					answer(nlh);
				continue;
			}
			err = mnl_nlmsg_get_payload(nlh);
			if (err->error)
				print_error(nlh, err);
			return -err->error;
		}
	}
}

static void put_proxy(struct nlmsghdr *nlh, const char *word)
{
	struct nlattr *nest;

	if (!strcmp(word, "none")) {
		mnl_attr_put(nlh, NF_LOOPTRACK_A_FEATURE_NO_PROXY, 0, NULL);
		return;
	}
	nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_PROXY);
	while (*word) {
		char *end, by = *word;
		unsigned long long value = strtoull(word + 1, &end, 10);

		if (by == 'p')
			mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_PROXY_PORT, value);
		if (by == 'u')
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_PROXY_UID, value);
		if (by == 'c')
			mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_PROXY_CGROUP, value);
		word = end;
	}
	mnl_attr_nest_end(nlh, nest);
}

static void put_exempt(struct nlmsghdr *nlh, const char *word)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_EXEMPT);

	while (*word) {
		char *end, which = *word;
		unsigned long port = strtoul(word + 1, &end, 10);

		mnl_attr_put_u16(nlh, which == 'f' ? NF_LOOPTRACK_A_EXEMPT_FROM :
						     NF_LOOPTRACK_A_EXEMPT_TO, port);
		word = end;
	}
	mnl_attr_nest_end(nlh, nest);
}

static void put_more(struct nlmsghdr *nlh, const char *word)
{
	if (!strcmp(word, "no-exempt"))
		mnl_attr_put(nlh, NF_LOOPTRACK_A_FEATURE_NO_EXEMPT, 0, NULL);
	else if (*word == 'f' || *word == 't')
		put_exempt(nlh, word);
	else
		put_proxy(nlh, word);
}

static void put_features(struct nlmsghdr *nlh, char **words)
{
	struct nlattr *nest;

	while (words[0] && words[1]) {
		nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_CONFIG_FEATURE);
		if (strcmp(words[0], "-"))
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_ID,
					 atoi(words[0]));
		if (strcmp(words[1], "-"))
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MODE,
					 atoi(words[1]));
		for (words += 2; *words && **words == '+'; words++)
			put_more(nlh, *words + 1);
		mnl_attr_nest_end(nlh, nest);
	}
}

static void put_end(struct nlmsghdr *nlh, char **words, int attr4, int attr6, int attr_port)
{
	unsigned char addr[16];

	if (inet_pton(AF_INET, words[0], addr) == 1)
		mnl_attr_put(nlh, attr4, 4, addr);
	else if (inet_pton(AF_INET6, words[0], addr) == 1)
		mnl_attr_put(nlh, attr6, 16, addr);
	if (strcmp(words[1], "-"))
		mnl_attr_put_u16(nlh, attr_port, htons(atoi(words[1])));
}

static int ask_rules(unsigned int count, char **words)
{
	int err = 0;

	while (count-- && !err) {
		struct nlmsghdr *nlh = request(family, NF_LOOPTRACK_CMD_RULES_GET);
		struct nlattr *nest;

		if (strcmp(words[0], "-"))
			mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_RULES_PROTOCOL, atoi(words[0]));
		nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_RULES_FLOW);
		put_end(nlh, words + 1, NF_LOOPTRACK_A_TUPLE_SRC4, NF_LOOPTRACK_A_TUPLE_SRC6,
			NF_LOOPTRACK_A_TUPLE_SPORT);
		put_end(nlh, words + 3, NF_LOOPTRACK_A_TUPLE_DST4, NF_LOOPTRACK_A_TUPLE_DST6,
			NF_LOOPTRACK_A_TUPLE_DPORT);
		mnl_attr_nest_end(nlh, nest);
		for (char **more = words + 5; more[0] && more[1]; more += 2) {
			if (more[0][0] == 'i')
				mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_IN, atoi(more[1]));
			if (more[0][0] == 'm')
				mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_MARK, atoi(more[1]));
			if (more[0][0] == 'z')
				mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_RULES_ZONE, atoi(more[1]));
		}
		err = talk(NULL);
	}
	return err;
}

static int join(void)
{
	if (!mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return 0;
	puts(strerrorname_np(errno));
	return errno;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *what = argc > 2 ? argv[2] : "";
	struct nlmsghdr *nlh;
	int on = 1, err;

	nl = mnl_socket_open(NETLINK_GENERIC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		die("socket");
	mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof(on));

	nlh = request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NF_LOOPTRACK_GENL_NAME);
	if (talk(parse_family))
		return 2;

	if (!strcmp(verb, "join")) {
		err = join();
	} else if (!strcmp(verb, "reset")) {
		request(family, NF_LOOPTRACK_CMD_STATS_RESET);
		err = talk(NULL);
	} else if (!strcmp(verb, "set")) {
		nlh = request(family, NF_LOOPTRACK_CMD_FEATURE_SET);
		put_features(nlh, argv + 2);
		err = talk(NULL);
	} else if (!strcmp(verb, "get")) {
		if (!strcmp(what, "module"))
			request(family, NF_LOOPTRACK_CMD_MODULE_GET);
		else if (!strcmp(what, "feature"))
			request(family, NF_LOOPTRACK_CMD_FEATURE_GET);
		else if (!strcmp(what, "flow"))
			dump(NF_LOOPTRACK_CMD_FLOW_GET);
		else if (!strcmp(what, "event"))
			dump(NF_LOOPTRACK_CMD_EVENT_GET);
		else
			request(family, NF_LOOPTRACK_CMD_STATS_GET);
		err = talk(NULL);
	} else if (!strcmp(verb, "rules") && argc > 7) {
		err = ask_rules(atoi(what), argv + 3);
	} else if (!strcmp(verb, "trace")) {
		request(family, NF_LOOPTRACK_CMD_TRACE_START);
		err = talk(NULL);
	} else {
		fprintf(stderr, "genl: what is \"%s\"?\n", verb);
		return 2;
	}
	if (!err)
		puts("ok");
	return err ? 1 : 0;
}
