// SPDX-License-Identifier: GPL-2.0
/*
 * Clients that call through a redirect, each with a name, a user and a group of its
 * own, and a proxy without privilege that asks NF_LOOPTRACK_SO_ORIGIN who calls.
 *
 *	callers [-n NETNS] [-c CONNECTIONS] [-w CLIENTS] [-z ZONE] PROXYPORT PORT ADDR...
 *		the clients connect to PORT of each ADDR in turn, and tell the proxy
 *		what is true; addresses of either family, in the zone where rules put them
 *	callers [-n NETNS] -e PROXYPORT
 *		what is to be refused is, and buffers of any size will do
 *	callers -a FD
 *		prints what a socket that was inherited is answered: the name of an
 *		error, or a line of the origin; see `lend` of scene
 *
 * Prints key=value words:
 *	conns		connections that were made
 *	right		the proxy was told what its client said
 *	blind		it was told the addresses, and nothing about the client
 *	unknown		it was refused an answer
 *	wrong		anything else; the first is shown on standard error
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/nf_looptrack_origin.h>

#include "common.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

#define NOBODY		65534
#define CLIENTS_MAX	16

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static struct {
	unsigned long conns, right, blind, unknown, wrong;
} counts;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Cgroups stay in sight. */
static void enter_netns(const char *name)
{
	if (join_netns(name))
		die(name);
}

static socklen_t parse(union addr *addr, const char *text, unsigned int port)
{
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, text, &addr->in.sin_addr) == 1) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_port = htons(port);
		return sizeof(addr->in);
	}
	if (inet_pton(AF_INET6, text, &addr->in6.sin6_addr) != 1) {
		fprintf(stderr, "no address: %s\n", text);
		exit(1);
	}
	addr->in6.sin6_family = AF_INET6;
	addr->in6.sin6_port = htons(port);
	return sizeof(addr->in6);
}

/* One that IPv4 clients reach, too: the proxy asks by SOL_IP or SOL_IPV6. */
static int listener(unsigned int port)
{
	union addr addr = {
		.in6 = {
			.sin6_family = AF_INET6,
			.sin6_port = htons(port),
		},
	};
	int fd = socket(AF_INET6, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, &addr.sa, sizeof(addr.in6)) || listen(fd, 1000))
		die("listen");
	return fd;
}

static int is_mapped(int fd)
{
	union addr peer;
	socklen_t len = sizeof(peer);

	if (getpeername(fd, &peer.sa, &len))
		return 0;
	return peer.sa.sa_family == AF_INET ||
	       (peer.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer.in6.sin6_addr));
}

static int ask(int fd, void *origin, socklen_t *len)
{
	return getsockopt(fd, is_mapped(fd) ? SOL_IP : SOL_IPV6, NF_LOOPTRACK_SO_ORIGIN,
			  origin, len);
}

static __u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void show(FILE *to, const char *who, const struct nf_looptrack_origin *o)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	inet_ntop(o->family, o->saddr, src, sizeof(src));
	inet_ntop(o->family, o->daddr, dst, sizeof(dst));
	fprintf(to,
		"%s: known %#x %s %u -> %s %u uid %u gid %u pid %d comm %.16s cookie %llu cgroup %llu time %llu\n",
		who, o->known, src, ntohs(o->sport), dst, ntohs(o->dport), o->uid, o->gid,
		o->pid, o->comm, (unsigned long long)o->cookie, (unsigned long long)o->cgroup,
		(unsigned long long)o->time);
}

static int is_blind(const struct nf_looptrack_origin *o, const struct nf_looptrack_origin *truth)
{
	return !o->known && !o->uid && !o->gid && !o->pid && !o->cookie && !o->cgroup && !o->time &&
	       !*o->comm && o->family == truth->family && o->sport == truth->sport &&
	       o->dport == truth->dport && !memcmp(o->saddr, truth->saddr, sizeof(o->saddr)) &&
	       !memcmp(o->daddr, truth->daddr, sizeof(o->daddr));
}

/* The time can't be known better than by its order, and is that of the kernel's last
 * tick, of which an emulated machine may miss many.
 */
static int is_right(struct nf_looptrack_origin o, struct nf_looptrack_origin truth)
{
	__u64 slack = 200000000;

	if (o.time + slack < truth.time || o.time > now() + slack)
		return 0;
	o.time = truth.time;
	return !memcmp(&o, &truth, sizeof(o));
}

static void judge(int fd)
{
	struct nf_looptrack_origin o = {}, truth;
	socklen_t len = sizeof(o);

	if (recv(fd, &truth, sizeof(truth), MSG_WAITALL) != sizeof(truth))
		return;
	counts.conns++;
	if (ask(fd, &o, &len)) {
		counts.unknown++;
	} else if (len == sizeof(o) && is_right(o, truth)) {
		counts.right++;
	} else if (len == sizeof(o) && is_blind(&o, &truth)) {
		counts.blind++;
	} else if (!counts.wrong++) {
		show(stderr, "wrong", &o);
		show(stderr, "true", &truth);
	}
	send(fd, "", 1, MSG_NOSIGNAL);
}

/* What the socket @fd is answered. */
static int answer(int fd)
{
	struct nf_looptrack_origin o = {};
	socklen_t len = sizeof(int);
	int domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
		die("SO_DOMAIN");
	len = sizeof(o);
	if (getsockopt(fd, domain == AF_INET ? SOL_IP : SOL_IPV6, NF_LOOPTRACK_SO_ORIGIN,
		       &o, &len))
		puts(strerrorname_np(errno));
	else
		show(stdout, "origin", &o);
	return 0;
}

/* Until nobody is left who could call. */
static void proxy(int fd, int alive)
{
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		die("nobody");
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = alive, .events = POLLIN },
		};
		int peer;

		if (poll(fds, 2, -1) < 0)
			die("poll");
		if (fds[0].revents) {
			peer = accept(fd, NULL, NULL);
			if (peer < 0)
				die("accept");
			judge(peer);
			close(peer);
		} else if (fds[1].revents) {
			return;
		}
	}
}

static void fill_ends(struct nf_looptrack_origin *truth, int fd, const union addr *dst)
{
	union addr src;
	socklen_t len = sizeof(src);

	if (getsockname(fd, &src.sa, &len))
		die("getsockname");
	truth->family = dst->sa.sa_family;
	if (truth->family == AF_INET) {
		memcpy(truth->saddr, &src.in.sin_addr, sizeof(src.in.sin_addr));
		memcpy(truth->daddr, &dst->in.sin_addr, sizeof(dst->in.sin_addr));
	} else {
		memcpy(truth->saddr, &src.in6.sin6_addr, sizeof(truth->saddr));
		memcpy(truth->daddr, &dst->in6.sin6_addr, sizeof(truth->daddr));
	}
	truth->sport = src.in.sin_port;
	truth->dport = dst->in.sin_port;
}

static void call(const union addr *dst, socklen_t dst_len, struct nf_looptrack_origin truth)
{
	int fd = socket(dst->sa.sa_family, SOCK_STREAM, 0);
	__u64 cookie;
	socklen_t len = sizeof(cookie);
	char answer;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		die("socket");
	truth.cookie = cookie;
	truth.time = now();
	if (connect(fd, &dst->sa, dst_len))
		die("connect");
	fill_ends(&truth, fd, dst);
	if (send(fd, &truth, sizeof(truth), MSG_NOSIGNAL) != sizeof(truth) ||
	    recv(fd, &answer, 1, MSG_WAITALL) != 1)
		die("the proxy went away");
	close(fd);
}

/* A cgroup of its own, where there are any: its id, or the one it is in. */
static __u64 enter_cgroup(unsigned int number)
{
	char path[64];
	struct stat st;
	FILE *procs;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/callers-%u", number);
	mkdir(path, 0755);
	strcat(path, "/cgroup.procs");
	procs = fopen(path, "w");
	if (!procs || fprintf(procs, "%d\n", getpid()) < 0 || fclose(procs))
		die(path);
	*strrchr(path, '/') = '\0';
	if (stat(path, &st))
		die(path);
	return st.st_ino;
}

static void client(unsigned int number, unsigned int zone, unsigned long conns,
		   unsigned int port, int ndsts, char **dsts)
{
	struct nf_looptrack_origin truth = {
		.size = sizeof(truth),
		.known = NF_LOOPTRACK_ORIGIN_SOCKET | NF_LOOPTRACK_ORIGIN_PROCESS,
		.protocol = IPPROTO_TCP,
		.pid = getpid(),
		.uid = 1000 + number,
		.gid = 2000 + number,
		.zone = zone,
		.cgroup = enter_cgroup(number),
	};

	snprintf(truth.comm, sizeof(truth.comm), "caller %u", number);
	if (prctl(PR_SET_NAME, truth.comm) || setgroups(0, NULL) || setgid(truth.gid) ||
	    setuid(truth.uid))
		die("client");
	for (unsigned long i = 0; i < conns; i++) {
		union addr dst;
		socklen_t len = parse(&dst, dsts[(i + number) % ndsts], port);

		call(&dst, len, truth);
	}
}

static int expect(const char *what, int got, int err)
{
	int right = err ? got < 0 && errno == err : got >= 0;

	if (!right)
		fprintf(stderr, "%s: %s\n", what, got < 0 ? strerror(errno) : "allowed");
	return right ? 0 : 1;
}

/* What the kernel refuses; how much of an answer it writes. */
static int refusals(unsigned int port)
{
	struct { struct nf_looptrack_origin o; char more[64]; } big;
	int fd = listener(port), client, peer, failed = 0;
	union addr dst;
	socklen_t len;

	client = socket(AF_INET, SOCK_STREAM, 0);
	len = sizeof(big);
	failed += expect("not connected",
			 getsockopt(client, SOL_IP, NF_LOOPTRACK_SO_ORIGIN, &big, &len), ENOTCONN);
	len = sizeof(big);
	failed += expect("a listener",
			 getsockopt(fd, SOL_IPV6, NF_LOOPTRACK_SO_ORIGIN, &big, &len), ENOTCONN);
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	len = sizeof(big);
	failed += expect("UDP", getsockopt(peer, SOL_IP, NF_LOOPTRACK_SO_ORIGIN, &big, &len),
			 ENOPROTOOPT);
	len = parse(&dst, "127.0.0.1", port);
	if (connect(client, &dst.sa, len))
		die("connect");
	peer = accept(fd, NULL, NULL);
	for (len = 0; len < 8; len++) {
		socklen_t l = len;

		failed += expect("no room", ask(peer, &big, &l), EINVAL);
	}
	for (unsigned int size = 8; size <= sizeof(big); size++) {
		const unsigned char *bytes = (const void *)&big;
		socklen_t want = size < sizeof(big.o) ? size : sizeof(big.o);

		memset(&big, 0x5a, sizeof(big));
		len = size;
		failed += expect("a buffer", ask(peer, &big, &len), 0);
		if (len != want || big.o.size != sizeof(big.o)) {
			fprintf(stderr, "%u bytes: got %u\n", size, len);
			failed++;
		}
		for (; len < sizeof(big); len++)
			failed += bytes[len] != 0x5a;
	}
	len = sizeof(big);
	failed += expect("no buffer", ask(peer, NULL, &len), EFAULT);
	printf("failed=%d\n", failed);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int clients = 4, zone = 0, port;
	unsigned long conns = 1000;
	int c, fd, alive[2], status, bad = 0;

	while ((c = getopt(argc, argv, "n:c:w:z:ea:")) != -1) {
		if (c == 'n')
			enter_netns(optarg);
		else if (c == 'a')
			return answer(strtoul(optarg, NULL, 10));
		else if (c == 'c')
			conns = strtoul(optarg, NULL, 10);
		else if (c == 'w')
			clients = strtoul(optarg, NULL, 10);
		else if (c == 'z')
			zone = strtoul(optarg, NULL, 10);
		else if (c == 'e' && argc - optind == 1)
			return refusals(strtoul(argv[optind], NULL, 10));
		else
			return 1;
	}
	if (argc - optind < 3 || !clients || clients > CLIENTS_MAX)
		return 1;
	port = strtoul(argv[optind + 1], NULL, 10);

	signal(SIGPIPE, SIG_IGN);
	fd = listener(strtoul(argv[optind], NULL, 10));
	if (pipe(alive))
		die("pipe");
	for (unsigned int i = 0; i < clients; i++) {
		if (fork())
			continue;
		close(alive[0]);
		client(i, zone, conns / clients, port, argc - optind - 2, argv + optind + 2);
		return 0;
	}
	close(alive[1]);
	proxy(fd, alive[0]);
	while (wait(&status) > 0)
		bad |= status;
	printf("conns=%lu right=%lu blind=%lu unknown=%lu wrong=%lu\n", counts.conns, counts.right,
	       counts.blind, counts.unknown, counts.wrong);
	return bad ? 1 : 0;
}
