// SPDX-License-Identifier: GPL-2.0
/*
 * exclusions_queue NUMBER COUNT [MS]: user of an NFQUEUE that accepts every packet.
 *
 * It lets them go when COUNT of them wait, or when none has come for two seconds: for MS
 * until some have gone. With a count of 2 and a queue between NAT and the end of a hook, two
 * flows choose their ports before either of them is committed: the race that
 * otherwise needs two CPUs and luck.
 *
 * Prints "ready", and for each release how many went.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HELD_MAX	1000
#define HELD_MS		2000

static struct mnl_socket *nl;
static int number, limit, patience = HELD_MS;
static __be32 held[HELD_MAX];
static int count;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct nlmsghdr *message(char *buf, int type)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(number);

	return nlh;
}

static void put(struct nlmsghdr *nlh)
{
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("send");
}

static void release(void)
{
	int i;

	for (i = 0; i < count; i++) {
		char buf[256];
		struct nlmsghdr *nlh = message(buf, NFQNL_MSG_VERDICT);
		struct nfqnl_msg_verdict_hdr verdict = {
			.verdict = htonl(NF_ACCEPT),
			.id = held[i],
		};

		mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof(verdict), &verdict);
		put(nlh);
	}
	printf("%d\n", count);
	count = 0;
	patience = HELD_MS;
}

static int on_packet(const struct nlmsghdr *nlh, void *data)
{
	struct nlattr *attr;

	(void)data;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
		struct nfqnl_msg_packet_hdr *hdr = mnl_attr_get_payload(attr);

		if (mnl_attr_get_type(attr) == NFQA_PACKET_HDR)
			held[count++] = hdr->packet_id;
	}
	if (count == limit)
		release();

	return MNL_CB_OK;
}

static void bind_queue(void)
{
	struct nfqnl_msg_config_cmd cmd = { .command = NFQNL_CFG_CMD_BIND };
	struct nfqnl_msg_config_params params = {
		.copy_range = htonl(128),
		.copy_mode = NFQNL_COPY_PACKET,
	};
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = message(buf, NFQNL_MSG_CONFIG);
	int len;

	nlh->nlmsg_flags |= NLM_F_ACK;
	mnl_attr_put(nlh, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	mnl_attr_put(nlh, NFQA_CFG_PARAMS, sizeof(params), &params);
	put(nlh);
	len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (len < 0 || mnl_cb_run(buf, len, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		die("bind");
}

int main(int argc, char **argv)
{
	static char buf[65536];

	number = argc >= 3 ? atoi(argv[1]) : 0;
	limit = argc >= 3 ? atoi(argv[2]) : 0;
	if (argc == 4)
		patience = atoi(argv[3]);
	if (limit < 1 || limit > HELD_MAX) {
		fputs("usage: exclusions_queue NUMBER COUNT [MS]\n", stderr);
		return 2;
	}

	nl = mnl_socket_open(NETLINK_NETFILTER);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	bind_queue();
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");

	for (;;) {
		struct pollfd pfd = { .fd = mnl_socket_get_fd(nl), .events = POLLIN };
		int len;

		if (!poll(&pfd, 1, count ? patience : -1)) {
			release();
			continue;
		}
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len > 0)
			mnl_cb_run(buf, len, 0, 0, on_packet, NULL);
	}
}
