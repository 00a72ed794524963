// SPDX-License-Identifier: GPL-2.0
/*
 * Sends packets to a socket of its own, one after the other as they arrive, and
 * tells the marks they arrive with.
 *
 *	packets [option...] udp|tcp|icmp ADDRESS
 *	-n NETNS	sends from that namespace
 *	-r NETNS	receives in that namespace (default: that of -n)
 *	-N COUNT	so many (10); of TCP, messages to and fro
 *	-e		each datagram is answered by one, which counts, too
 *	-s SIZE		bytes of a message (64)
 *	-p PORT		to that port, where the receiver listens (7000)
 *	-P PORT		where the receiver listens, if rules lead elsewhere
 *	-i DEVICE	sends by it, and joins groups there
 *	-v VRF		both sockets are bound to it
 *	-m MARK		the sender's own
 *
 * Prints one line of key=value words:
 *	sent	what was sent: packets (an echo has a reply) or messages (TCP)
 *	arrived	of these, what arrived
 *	marks	the marks they arrived with, each once, with commas between
 * Marks are known of what is received as datagrams. icmp needs a
 * net.ipv4.ping_group_range that the user is in.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common.h"

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

#define PATIENCE_MS	5000
#define MAX_MARKS	8

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static struct {
	const char *kind, *from, *to, *device, *vrf;
	unsigned int count, size, port, listen_port, mark;
	bool echo;
	union addr dst;
	socklen_t addrlen;
} opt = {
	.count = 10,
	.size = 64,
	.port = 7000,
};

static unsigned int sent, arrived, marks;
static __u32 mark[MAX_MARKS];
static char message[65536];

static void die(const char *what)
{
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void note_mark(__u32 value)
{
	unsigned int i;

	for (i = 0; i < marks && mark[i] != value; i++)
		;
	if (i == MAX_MARKS)
		return;
	mark[i] = value;
	if (i == marks)
		marks++;
}

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

static bool is_v6(void)
{
	return opt.dst.sa.sa_family == AF_INET6;
}

static int make(const char *netns, int type, int proto)
{
	int fd;

	if (netns && join_netns(netns))
		die(netns);
	fd = socket(opt.dst.sa.sa_family, type | SOCK_CLOEXEC, proto);
	if (fd < 0)
		die("socket");
	if (opt.vrf && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opt.vrf, strlen(opt.vrf)))
		die(opt.vrf);
	return fd;
}

/* Receives what arrives at the port, whatever the address. */
static int make_receiver(int type)
{
	union addr any = { .sa.sa_family = opt.dst.sa.sa_family };
	int fd = make(opt.to, type, 0);

	/* Both families have it in the same place. */
	any.in.sin_port = htons(opt.listen_port);
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(fd, &any.sa, opt.addrlen))
		die("bind");
	return fd;
}

static void join_group(int fd)
{
	unsigned int index = opt.device ? if_nametoindex(opt.device) : 0;

	if (is_v6()) {
		struct ipv6_mreq group = {
			.ipv6mr_multiaddr = opt.dst.in6.sin6_addr,
			.ipv6mr_interface = index,
		};

		if (IN6_IS_ADDR_MULTICAST(&opt.dst.in6.sin6_addr) &&
		    setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group)))
			die("join");
	} else {
		struct ip_mreqn group = {
			.imr_multiaddr = opt.dst.in.sin_addr,
			.imr_ifindex = index,
		};

		if (IN_MULTICAST(ntohl(opt.dst.in.sin_addr.s_addr)) &&
		    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)))
			die("join");
	}
}

static void choose_device(int fd)
{
	int index = opt.device ? if_nametoindex(opt.device) : 0;
	struct ip_mreqn by = { .imr_ifindex = index };

	set(fd, SOL_SOCKET, SO_MARK, opt.mark);
	if (!index)
		return;
	if (is_v6())
		set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index);
	else if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by)))
		die("IP_MULTICAST_IF");
}

static bool wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) == 1;
}

/* One datagram and its mark. */
static bool receive(int fd, struct msghdr *msg)
{
	struct cmsghdr *c;

	if (!wait_for(fd) || recvmsg(fd, msg, 0) < 0)
		return false;
	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		__u32 value;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_MARK)
			continue;
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		note_mark(value);
	}
	return true;
}

static bool receive_any(int fd, union addr *peer)
{
	char data[sizeof(message)];
	union {
		char buf[CMSG_SPACE(sizeof(__u32))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr msg = {
		.msg_name = peer, .msg_namelen = peer ? sizeof(*peer) : 0,
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	return receive(fd, &msg);
}

static void send_datagram(int fd, const union addr *to)
{
	if (sendto(fd, message, opt.size, 0, &to->sa, opt.addrlen) < 0)
		die("sendto");
	sent++;
}

static void run_udp(void)
{
	int to = make_receiver(SOCK_DGRAM), from;
	union addr peer;

	set(to, SOL_SOCKET, SO_RCVMARK, 1);
	join_group(to);
	from = make(opt.from, SOCK_DGRAM, 0);
	set(from, SOL_SOCKET, SO_BROADCAST, 1);
	choose_device(from);
	while (sent < opt.count) {
		send_datagram(from, &opt.dst);
		if (!receive_any(to, &peer))
			break;
		arrived++;
		if (!opt.echo)
			continue;
		send_datagram(to, &peer);
		if (!receive_any(from, NULL))
			break;
		arrived++;
	}
}

/* The kernel answers: of two packets, one arrives here, and so did the other. */
static void run_icmp(void)
{
	struct icmphdr echo = { .type = is_v6() ? ICMP6_ECHO_REQUEST : ICMP_ECHO };
	int fd = make(opt.from, SOCK_DGRAM, is_v6() ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	set(fd, SOL_SOCKET, SO_RCVMARK, 1);
	choose_device(fd);
	while (sent < opt.count) {
		echo.un.echo.sequence = htons(sent);
		memcpy(message, &echo, sizeof(echo));
		if (sendto(fd, message, opt.size, 0, &opt.dst.sa, opt.addrlen) < 0)
			die("sendto");
		sent += 2;
		if (!receive_any(fd, NULL))
			break;
		arrived += 2;
	}
}

static bool pass(int from, int to)
{
	if (send(from, message, opt.size, MSG_NOSIGNAL) != (ssize_t)opt.size)
		return false;
	sent++;
	if (!wait_for(to) || recv(to, message, opt.size, MSG_WAITALL) != (ssize_t)opt.size)
		return false;
	arrived++;
	return true;
}

static void run_tcp(void)
{
	int listener = make_receiver(SOCK_STREAM), from, to;

	if (listen(listener, 1))
		die("listen");
	from = make(opt.from, SOCK_STREAM, 0);
	set(from, IPPROTO_TCP, TCP_NODELAY, 1);
	choose_device(from);
	if (connect(from, &opt.dst.sa, opt.addrlen))
		die("connect");
	to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (to < 0)
		die("accept");
	set(to, IPPROTO_TCP, TCP_NODELAY, 1);
	while (sent < opt.count && pass(from, to) && pass(to, from))
		;
}

static void parse_address(const char *text)
{
	if (inet_pton(AF_INET, text, &opt.dst.in.sin_addr) == 1) {
		opt.dst.sa.sa_family = AF_INET;
		opt.addrlen = sizeof(opt.dst.in);
	} else if (inet_pton(AF_INET6, text, &opt.dst.in6.sin6_addr) == 1) {
		opt.dst.sa.sa_family = AF_INET6;
		opt.addrlen = sizeof(opt.dst.in6);
	} else {
		errno = EINVAL;
		die(text);
	}
	opt.dst.in.sin_port = htons(opt.port);
}

static void summary(void)
{
	printf("sent=%u arrived=%u marks=", sent, arrived);
	for (unsigned int i = 0; i < marks; i++)
		printf("%s0x%x", i ? "," : "", mark[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:r:N:es:p:P:i:v:m:")) != -1) {
		switch (c) {
		case 'n':
			opt.from = optarg;
			break;
		case 'r':
			opt.to = optarg;
			break;
		case 'N':
			opt.count = strtoul(optarg, NULL, 0);
			break;
		case 'e':
			opt.echo = true;
			break;
		case 's':
			opt.size = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			opt.port = strtoul(optarg, NULL, 0);
			break;
		case 'P':
			opt.listen_port = strtoul(optarg, NULL, 0);
			break;
		case 'i':
			opt.device = optarg;
			break;
		case 'v':
			opt.vrf = optarg;
			break;
		case 'm':
			opt.mark = strtoul(optarg, NULL, 0);
			break;
		default:
			return 1;
		}
	}
	if (argc - optind != 2 || opt.size < sizeof(struct icmphdr) || opt.size > sizeof(message)) {
		fprintf(stderr, "usage: packets [option...] udp|tcp|icmp ADDRESS\n");
		return 1;
	}
	if (!opt.to)
		opt.to = opt.from;
	if (!opt.listen_port)
		opt.listen_port = opt.port;
	opt.kind = argv[optind];
	parse_address(argv[optind + 1]);

	if (!strcmp(opt.kind, "tcp"))
		run_tcp();
	else if (!strcmp(opt.kind, "icmp"))
		run_icmp();
	else
		run_udp();
	summary();
	return arrived < sent;
}
