// SPDX-License-Identifier: GPL-2.0
/*
 * Short conversations, in which each side tells whom it sees.
 *
 *	exclusions_talk serve [OPTION...] tcp|udp PORT
 * answers each message with
 *	MESSAGE PEER-ADDRESS PEER-PORT OWN-PORT
 * and prints the same; "ready" when it listens. Goes on until it is killed.
 *
 *	exclusions_talk ask [OPTION...] tcp|udp|icmp ADDRESS PORT MESSAGE
 * sends the message and prints how many ms it took and the answer, or instead
 * of the answer "refused", "timeout" or what went wrong. icmp: an echo, PORT is
 * its identifier; the answer is MESSAGE SOURCE-ADDRESS IDENTIFIER.
 *
 *	exclusions_talk meet [OPTION...] udp ADDRESS PORT MESSAGE
 * sends the message twice, now and later, and prints every message it gets as
 * serve does.
 *
 *	exclusions_talk route GROUP IN OUT...
 * forwards datagrams to a multicast group from one device to others.
 *
 * Options:
 *	-s PORT	own port
 *	-i DEV	bound to a device
 *	-g GROUP	(serve) joins a multicast group on the device of -i
 *	-q	(serve) prints but doesn't answer, (ask) doesn't wait for one
 *	-t MS	how long to wait for answers
 *	-a MS	starts at that time of the epoch
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/mroute.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX	200

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static struct {
	const char *dev, *group;
	int port, ms;
	long long at_ms;
	bool quiet;
} opt = { .ms = 5000 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long long now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void wait_until(long long at_ms)
{
	struct timespec ts = {
		.tv_sec = at_ms / 1000,
		.tv_nsec = at_ms % 1000 * 1000000,
	};

	if (at_ms)
		clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL);
}

/* PEER PORT, the address of an IPv4 peer of an IPv6 socket as IPv4. */
static const char *addr_text(const union addr *a, char *buf, size_t size)
{
	char name[INET6_ADDRSTRLEN];
	const char *v4 = name;

	if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, name, sizeof(name));
	else
		inet_ntop(AF_INET6, &a->in6.sin6_addr, name, sizeof(name));
	if (!strncmp(name, "::ffff:", 7))
		v4 += 7;
	snprintf(buf, size, "%s %u", v4, ntohs(a->in.sin_port));

	return buf;
}

/* Both families have the port at the same place. */
static union addr parse(const char *address, int port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *ai;
	union addr a = {};

	if (getaddrinfo(address, NULL, &hints, &ai)) {
		fprintf(stderr, "%s: not an address\n", address);
		exit(1);
	}
	memcpy(&a, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	a.in.sin_port = htons(port);

	return a;
}

static int make_socket(int family, int type, int port)
{
	union addr own = { .sa.sa_family = family };
	int fd = socket(family, type, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	if (opt.dev && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opt.dev, strlen(opt.dev)))
		die(opt.dev);
	own.in.sin_port = htons(port);
	if (port && bind(fd, &own.sa, sizeof(own)))
		die("bind");

	return fd;
}

static void join(int fd, const char *group)
{
	union addr a = parse(group, 0);
	struct group_req req = { .gr_interface = if_nametoindex(opt.dev ?: "") };

	memcpy(&req.gr_group, &a, sizeof(a));
	if (setsockopt(fd, SOL_IP, MCAST_JOIN_GROUP, &req, sizeof(req)))
		die("join");
}

static int answer_text(char *buf, size_t size, const char *message,
		       const union addr *peer, int own_port)
{
	char text[80];

	return snprintf(buf, size, "%s %s %d", message,
			addr_text(peer, text, sizeof(text)), own_port);
}

static void converse(int fd, const union addr *peer, int port)
{
	char message[MESSAGE_MAX + 1], answer[MESSAGE_MAX + 100];
	int len = read(fd, message, MESSAGE_MAX);

	if (len <= 0)
		return;
	message[len] = 0;
	len = answer_text(answer, sizeof(answer), message, peer, port);
	puts(answer);
	if (write(fd, answer, len) == len)
		len = read(fd, message, MESSAGE_MAX);	/* the client hangs up */
}

static void serve_tcp(int fd, int port)
{
	signal(SIGCHLD, SIG_IGN);
	if (listen(fd, 64))
		die("listen");
	puts("ready");

	for (;;) {
		union addr peer = {};
		socklen_t size = sizeof(peer);
		int conn = accept(fd, &peer.sa, &size);

		if (conn < 0)
			continue;
		if (!fork()) {
			converse(conn, &peer, port);
			exit(0);
		}
		close(conn);
	}
}

/* until_ms: on the monotonic clock, 0 is never. */
static void serve_udp(int fd, int port, long long until_ms)
{
	for (;;) {
		char message[MESSAGE_MAX + 1], answer[MESSAGE_MAX + 100];
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		union addr peer = {};
		socklen_t size = sizeof(peer);
		int left = -1, len;

		if (until_ms) {
			left = until_ms - now_ms(CLOCK_MONOTONIC);
			if (left <= 0)
				return;
		}
		if (poll(&pfd, 1, left) <= 0)
			continue;
		len = recvfrom(fd, message, MESSAGE_MAX, 0, &peer.sa, &size);
		if (len < 0)
			continue;
		message[len] = 0;
		len = answer_text(answer, sizeof(answer), message, &peer, port);
		puts(answer);
		if (!opt.quiet)
			sendto(fd, answer, len, 0, &peer.sa, size);
	}
}

static int serve(const char *proto, int port)
{
	bool udp = !strcmp(proto, "udp");
	/* IPv4 too, but for groups. */
	int fd = make_socket(opt.group ? AF_INET : AF_INET6,
			     udp ? SOCK_DGRAM : SOCK_STREAM, port);

	if (opt.group)
		join(fd, opt.group);
	if (!udp)
		serve_tcp(fd, port);
	puts("ready");
	serve_udp(fd, port, 0);

	return 0;
}

/* Wait for a socket. Return: false if nothing came in time. */
static bool wait_for(int fd, short events, long long until_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int left = until_ms - now_ms(CLOCK_MONOTONIC);

	return poll(&pfd, 1, left > 0 ? left : 0) > 0;
}

static const char *complaint(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "refused";
	case ETIMEDOUT:
	case EAGAIN:
		return "timeout";
	default:
		return strerror(error);
	}
}

static const char *ask_socket(int fd, const union addr *to, bool udp,
			      const char *message, char *answer, long long until_ms)
{
	struct linger rst = { .l_onoff = 1 };
	socklen_t size = sizeof(int);
	int error = 0, len;

	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	if (connect(fd, &to->sa, sizeof(*to)) && errno != EINPROGRESS)
		return complaint(errno);
	if (!wait_for(fd, POLLOUT, until_ms))
		return "timeout";
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		return complaint(error);
	if (write(fd, message, strlen(message)) < 0)
		return complaint(errno);
	if (opt.quiet)
		return "sent";
	if (!wait_for(fd, POLLIN, until_ms))
		return "timeout";
	len = read(fd, answer, MESSAGE_MAX);
	if (len < 0)
		return complaint(errno);
	answer[len] = 0;

	return len ? answer : "closed";
}

static unsigned short checksum(const void *data, size_t size)
{
	const unsigned char *p = data;
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < size; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);

	return htons(~sum & 0xffff);
}

static const char *ask_icmp(int fd, const union addr *to, int id,
			    const char *message, char *answer, long long until_ms)
{
	char packet[MESSAGE_MAX + sizeof(struct icmphdr) + 60 + 1];
	struct icmphdr *icmp = (struct icmphdr *)packet;
	int size = sizeof(*icmp) + snprintf((char *)(icmp + 1), MESSAGE_MAX, "%s", message);

	*icmp = (struct icmphdr){ .type = ICMP_ECHO, .un.echo.id = htons(id) };
	icmp->checksum = checksum(packet, size);
	if (sendto(fd, packet, size, 0, &to->sa, sizeof(to->in)) != size)
		return complaint(errno);

	while (wait_for(fd, POLLIN, until_ms)) {
		union addr from = {};
		socklen_t fromlen = sizeof(from);
		char text[80];
		int len = recvfrom(fd, packet, sizeof(packet) - 1, 0, &from.sa, &fromlen);
		int header = (packet[0] & 15) * 4;

		icmp = (struct icmphdr *)(packet + header);
		if (len < header + (int)sizeof(*icmp) || icmp->type != ICMP_ECHOREPLY)
			continue;
		packet[len] = 0;
		from.in.sin_port = icmp->un.echo.id;
		snprintf(answer, MESSAGE_MAX, "%s %s", (char *)(icmp + 1),
			 addr_text(&from, text, sizeof(text)));
		return answer;
	}

	return "timeout";
}

static int ask(const char *proto, const char *address, int port, const char *message)
{
	union addr to = parse(address, port);
	char answer[MESSAGE_MAX + 1];
	bool udp = !strcmp(proto, "udp"), icmp = !strcmp(proto, "icmp");
	const char *said;
	long long since;
	int fd;

	if (icmp) {
		fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	} else {
		int ttl = 4;

		fd = make_socket(to.sa.sa_family, SOCK_NONBLOCK |
				 (udp ? SOCK_DGRAM : SOCK_STREAM), opt.port);
		setsockopt(fd, SOL_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl));
	}
	if (fd < 0)
		die("socket");
	wait_until(opt.at_ms);

	since = now_ms(CLOCK_MONOTONIC);
	said = icmp ? ask_icmp(fd, &to, port, message, answer, since + opt.ms) :
		ask_socket(fd, &to, udp, message, answer, since + opt.ms);
	printf("%lld %s\n", now_ms(CLOCK_MONOTONIC) - since, said);

	return 0;
}

static int meet(const char *address, int port, const char *message)
{
	union addr to = parse(address, port);
	int fd = make_socket(to.sa.sa_family, SOCK_DGRAM, opt.port);
	long long since;
	int i;

	opt.quiet = true;
	wait_until(opt.at_ms);
	since = now_ms(CLOCK_MONOTONIC);
	for (i = 1; i <= 2; i++) {
		if (sendto(fd, message, strlen(message), 0, &to.sa, sizeof(to)) < 0)
			die("sendto");
		serve_udp(fd, opt.port, since + i * opt.ms / 2);
	}

	return 0;
}

static void add_vif(int fd, int nr, const char *dev)
{
	struct vifctl vif = {
		.vifc_vifi = nr,
		.vifc_flags = VIFF_USE_IFINDEX,
		.vifc_threshold = 1,
		.vifc_lcl_ifindex = if_nametoindex(dev),
	};

	if (setsockopt(fd, SOL_IP, MRT_ADD_VIF, &vif, sizeof(vif)))
		die(dev);
}

/* The kernel asks about each new source: say yes. */
static void route(const char *group, int count, char **devs)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_IGMP), one = 1, i;
	char buf[2000];

	if (fd < 0 || setsockopt(fd, SOL_IP, MRT_INIT, &one, sizeof(one)))
		die("MRT_INIT");
	for (i = 0; i < count; i++)
		add_vif(fd, i, devs[i]);
	puts("ready");

	for (;;) {
		int len = recv(fd, buf, sizeof(buf), 0);
		struct igmpmsg *msg = (struct igmpmsg *)buf;
		struct mfcctl mfc = { .mfcc_parent = 0 };

		if (len < (int)sizeof(*msg) || msg->im_mbz ||
		    msg->im_msgtype != IGMPMSG_NOCACHE ||
		    msg->im_dst.s_addr != inet_addr(group))
			continue;
		mfc.mfcc_origin = msg->im_src;
		mfc.mfcc_mcastgrp = msg->im_dst;
		for (i = 1; i < count; i++)
			mfc.mfcc_ttls[i] = 1;
		if (setsockopt(fd, SOL_IP, MRT_ADD_MFC, &mfc, sizeof(mfc)))
			die("MRT_ADD_MFC");
	}
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	optind = 2;
	while ((c = getopt(argc, argv, "s:i:g:qt:a:")) != -1) {
		switch (c) {
		case 's':
			opt.port = atoi(optarg);
			break;
		case 'i':
			opt.dev = optarg;
			break;
		case 'g':
			opt.group = optarg;
			break;
		case 'q':
			opt.quiet = true;
			break;
		case 't':
			opt.ms = atoi(optarg);
			break;
		case 'a':
			opt.at_ms = atoll(optarg);
			break;
		default:
			return 2;
		}
	}
	argv += optind;
	argc -= optind;

	if (!strcmp(verb, "serve") && argc == 2)
		return serve(argv[0], atoi(argv[1]));
	if (!strcmp(verb, "ask") && argc == 4)
		return ask(argv[0], argv[1], atoi(argv[2]), argv[3]);
	if (!strcmp(verb, "meet") && argc == 4)
		return meet(argv[1], atoi(argv[2]), argv[3]);
	if (!strcmp(verb, "route") && argc > 2)
		route(argv[0], argc - 1, argv + 1);

	fputs("usage: see the top of the source\n", stderr);
	return 2;
}
