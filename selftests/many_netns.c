// SPDX-License-Identifier: GPL-2.0
/*
 * What a user without privilege can have the kernel allocate: many network
 * namespaces, in each of them a rule that needs conntrack, and flows over lo.
 *
 *	many_netns UID COUNT FLOWS
 *
 * Prints "ready", and ends when its standard input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT	7000

static void die(const char *what)
{
	fprintf(stderr, "many_netns: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

static void become(unsigned int uid)
{
	char map[64];

	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		die("setresuid");
	/* Else /proc/self is root's. */
	if (prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER))
		die("unshare");
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	write_file("/proc/self/gid_map", map);
}

static struct nlmsghdr *put_header(struct mnl_nlmsg_batch *batch, int type, int flags, int family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return nlh;
}

static void put_table(struct mnl_nlmsg_batch *batch)
{
	struct nlmsghdr *nlh = put_header(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE,
					  NLM_F_CREATE, NFPROTO_IPV4);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "t");
	mnl_nlmsg_batch_next(batch);
}

static void put_chain(struct mnl_nlmsg_batch *batch)
{
	struct nlmsghdr *nlh = put_header(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN,
					  NLM_F_CREATE, NFPROTO_IPV4);
	struct nlattr *hook;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, "t");
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, "c");
	hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(NF_INET_LOCAL_IN));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, 0);
	mnl_attr_nest_end(nlh, hook);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	mnl_nlmsg_batch_next(batch);
}

/* "ct state", which is compared with nothing. */
static void put_rule(struct mnl_nlmsg_batch *batch)
{
	struct nlmsghdr *nlh = put_header(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
					  NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, NFPROTO_IPV4);
	struct nlattr *list, *elem, *data;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, "t");
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, "c");
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "ct");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u32(nlh, NFTA_CT_DREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(nlh, NFTA_CT_KEY, htonl(NFT_CT_STATE));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, elem);
	mnl_attr_nest_end(nlh, list);
	mnl_nlmsg_batch_next(batch);
}

static void use_conntrack(void)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	struct mnl_nlmsg_batch *batch;
	char buf[8192], answer[8192];
	ssize_t len;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		die("netlink");
	batch = mnl_nlmsg_batch_start(buf, sizeof(buf) / 2);
	put_header(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC);
	mnl_nlmsg_batch_next(batch);
	put_table(batch);
	put_chain(batch);
	put_rule(batch);
	put_header(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC);
	mnl_nlmsg_batch_next(batch);
	if (mnl_socket_sendto(nl, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
		die("nftables");
	len = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (len < 0 || mnl_cb_run(answer, len, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		die("nftables");
	mnl_nlmsg_batch_stop(batch);
	mnl_socket_close(nl);
}

static void lo_up(int fd)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		die("SIOCGIFFLAGS");
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("SIOCSIFFLAGS");
}

/* The sockets keep the namespace. */
static void fill(unsigned int flows)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int sender = socket(AF_INET, SOCK_DGRAM, 0);
	char data[8] = {};
	unsigned int i;

	if (fd < 0 || sender < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die("socket");
	lo_up(fd);
	use_conntrack();
	for (i = 0; i < flows; i++) {
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i);
		if (sendto(sender, data, sizeof(data), 0, (struct sockaddr *)&to,
			   sizeof(to)) < 0 ||
		    recv(fd, data, sizeof(data), 0) < 0)
			die("datagram");
	}
}

int main(int argc, char **argv)
{
	struct rlimit lim = { .rlim_cur = 10000, .rlim_max = 10000 };
	unsigned int i, count, flows;
	char end;

	if (argc != 4) {
		fprintf(stderr, "usage: many_netns UID COUNT FLOWS\n");
		return 1;
	}
	count = atoi(argv[2]);
	flows = atoi(argv[3]);
	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("setrlimit");
	become(atoi(argv[1]));
	for (i = 0; i < count; i++) {
		if (unshare(CLONE_NEWNET))
			die("unshare");
		fill(flows);
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return 0;
}
