// SPDX-License-Identifier: GPL-2.0
/*
 * Short connections through a proxy on this machine, as fast as they go, from
 * source ports the kernel chooses.
 *
 * Each client is a process: it connects to one of the addresses after the other,
 * reads which source port the proxy sees, and one of the two closes first.
 * Rules that bring the connections to the proxy's port are not made here.
 *
 * The summary is one line of key=value words on standard output:
 *	conns		connections tried
 *	ok		completed, the answer read
 *	noport		refused a source port (EADDRNOTAVAIL)
 *	failed		ended with another error
 *	gaveup		still without an answer when patience (-g) ended
 *	slow		not connected within the limit (-T), the last two included
 *	resent		with a segment sent again
 *	rewritten	the proxy saw another source port than the client has
 *	max_ms		the slowest answer
 *	per_s		completed in a second
 *	ms		length of the whole run
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define MAX_CLIENTS	16
#define MAX_ADDRS	16

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct result {
	__u64 conns, ok, noport, failed, gaveup, slow, resent, rewritten, max_ns;
	int error;		/* errno of a failed connection, if any */
};

/* What the processes share; each @result has one writer. */
struct shared {
	atomic_bool over;
	atomic_uint left;	/* connections to begin, with -N */
	struct result result[MAX_CLIENTS];
};

static struct {
	union addr dst[MAX_ADDRS];
	unsigned int dsts, clients, conns, seconds;
	unsigned int proxy_port;
	int family;
	socklen_t addrlen;
	bool client_first;
	__u64 slow_ns;
	unsigned int patience_s;
} opt = {
	.clients = 4,
	.family = AF_INET,
	.addrlen = sizeof(struct sockaddr_in),
	.slow_ns = 500 * 1000000ULL,
	.patience_s = 10,
};

static struct shared *sh;

static void die(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void enter_netns(const char *name)
{
	if (join_netns(name))
		die(name);
}

/* One process of the proxy. Tells each client its port, then goes. */
static void proxy(int sock)
{
	union addr peer;
	socklen_t len;
	char byte;
	int fd;

	for (;;) {
		len = sizeof(peer);
		fd = accept4(sock, &peer.sa, &len, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		/* Both families have it in the same place. */
		if (send(fd, &peer.in.sin_port, 2, MSG_NOSIGNAL) != 2)
			fprintf(stderr, "churn: no answer to port %u: %s\n",
				ntohs(peer.in.sin_port), strerror(errno));
		else if (opt.client_first)
			while (read(fd, &byte, 1) > 0)
				;
		close(fd);
	}
}

static int start_listening(void)
{
	union addr local = {};
	int sock, one = 1;

	sock = socket(opt.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		die("socket");
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	local.sa.sa_family = opt.family;
	local.in.sin_port = htons(opt.proxy_port);
	if (opt.family == AF_INET6)
		setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(sock, &local.sa, opt.addrlen) || listen(sock, 4096))
		die("bind");
	return sock;
}

/* Returns 0, or an error. */
static int connect_and_ask(struct result *res, int fd, const union addr *dst)
{
	struct timeval patience = { .tv_sec = opt.patience_s };
	struct tcp_info info = {};
	union addr local;
	socklen_t len;
	__be16 seen;
	ssize_t n;

	/* For connect(), too. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, &dst->sa, opt.addrlen))
		return errno == EINPROGRESS ? EAGAIN : errno;
	n = recv(fd, &seen, sizeof(seen), MSG_WAITALL);
	if (n != sizeof(seen))
		return n < 0 ? errno : EPIPE;

	len = sizeof(local);
	if (getsockname(fd, &local.sa, &len))
		return errno;
	if (local.in.sin_port != seen)
		res->rewritten++;
	len = sizeof(info);
	if (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_total_retrans)
		res->resent++;
	return 0;
}

static void one(struct result *res, const union addr *dst)
{
	__u64 start, took;
	char byte;
	int fd, err;

	fd = socket(opt.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	res->conns++;
	start = now_ns();
	err = connect_and_ask(res, fd, dst);
	took = now_ns() - start;
	if (!err) {
		res->ok++;
		if (took > res->max_ns)
			res->max_ns = took;
		if (took > opt.slow_ns)
			res->slow++;
		if (!opt.client_first)
			while (read(fd, &byte, 1) > 0)
				;
	} else if (err == EADDRNOTAVAIL) {
		res->noport++;
		usleep(1000);
	} else {
		res->slow++;
		if (err == EAGAIN) {
			res->gaveup++;
		} else {
			res->failed++;
			res->error = err;
		}
	}
	close(fd);
}

static bool another(void)
{
	unsigned int left;

	if (atomic_load(&sh->over))
		return false;
	if (!opt.conns)
		return true;
	left = atomic_load(&sh->left);
	while (left && !atomic_compare_exchange_weak(&sh->left, &left, left - 1))
		;
	return left;
}

static void client(unsigned int idx)
{
	unsigned int nr;

	for (nr = idx; another(); nr++)
		one(&sh->result[idx], &opt.dst[nr % opt.dsts]);
	exit(0);
}

static pid_t child(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void summary(__u64 took)
{
	struct result sum = {};
	unsigned int i;

	for (i = 0; i < opt.clients; i++) {
		struct result *r = &sh->result[i];

		sum.conns += r->conns;
		sum.ok += r->ok;
		sum.noport += r->noport;
		sum.failed += r->failed;
		sum.gaveup += r->gaveup;
		sum.slow += r->slow;
		sum.resent += r->resent;
		sum.rewritten += r->rewritten;
		if (r->max_ns > sum.max_ns)
			sum.max_ns = r->max_ns;
		if (r->error)
			sum.error = r->error;
	}
	if (sum.error)
		fprintf(stderr, "churn: a connection failed: %s\n", strerror(sum.error));
	printf("conns=%llu ok=%llu noport=%llu failed=%llu gaveup=%llu slow=%llu ",
	       sum.conns, sum.ok, sum.noport, sum.failed, sum.gaveup, sum.slow);
	printf("resent=%llu rewritten=%llu max_ms=%llu per_s=%llu ms=%llu\n",
	       sum.resent, sum.rewritten, sum.max_ns / 1000000,
	       sum.ok * 1000000000ULL / took, took / 1000000);
}

static void over(int sig)
{
	(void)sig;
	atomic_store(&sh->over, true);
}

static void bad_usage(void)
{
	fprintf(stderr,
		"usage: churn [options] PROXY_PORT PORT ADDRESS...\n"
		"  -n NETNS    in that namespace\n"
		"  -p CLIENTS  processes (4)\n"
		"  -d SECONDS  for so long\n"
		"  -N CONNS    so many; with neither: until a signal\n"
		"  -c          the client closes first, not the proxy\n"
		"  -T MS       a connection that takes longer is slow (500)\n"
		"  -g SECONDS  give a connection up after that time (10)\n");
	exit(1);
}

static unsigned int number(const char *s, unsigned int max)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (!*s || *end || v > max)
		bad_usage();
	return v;
}

static void parse(int argc, char **argv)
{
	unsigned int port;
	int c;

	while ((c = getopt(argc, argv, "n:p:d:N:cT:g:")) != -1) {
		switch (c) {
		case 'p':
			opt.clients = number(optarg, MAX_CLIENTS);
			break;
		case 'd':
			opt.seconds = number(optarg, 100000);
			break;
		case 'n':
			enter_netns(optarg);
			break;
		case 'N':
			opt.conns = number(optarg, 100000000);
			break;
		case 'c':
			opt.client_first = true;
			break;
		case 'T':
			opt.slow_ns = number(optarg, 1000000) * 1000000ULL;
			break;
		case 'g':
			opt.patience_s = number(optarg, 1000);
			break;
		default:
			bad_usage();
		}
	}
	if (argc - optind < 3 || argc - optind - 2 > MAX_ADDRS || !opt.clients)
		bad_usage();
	opt.proxy_port = number(argv[optind++], 65535);
	port = number(argv[optind++], 65535);
	for (; optind < argc; optind++) {
		union addr *a = &opt.dst[opt.dsts++];

		if (inet_pton(AF_INET, argv[optind], &a->in.sin_addr) == 1) {
			a->sa.sa_family = AF_INET;
		} else if (inet_pton(AF_INET6, argv[optind], &a->in6.sin6_addr) == 1) {
			a->sa.sa_family = AF_INET6;
			opt.addrlen = sizeof(struct sockaddr_in6);
		} else {
			bad_usage();
		}
		opt.family = a->sa.sa_family;
		a->in.sin_port = htons(port);
	}
}

int main(int argc, char **argv)
{
	pid_t proxies[MAX_CLIENTS], clients[MAX_CLIENTS];
	unsigned int i;
	int sock, status, bad = 0;
	__u64 begin;

	parse(argc, argv);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		die("mmap");
	atomic_store(&sh->left, opt.conns);
	signal(SIGTERM, over);
	signal(SIGINT, over);
	signal(SIGALRM, over);

	sock = start_listening();
	/* A client may wait for its proxy, never for another client's. */
	for (i = 0; i < opt.clients; i++) {
		proxies[i] = child();
		if (!proxies[i])
			proxy(sock);
	}
	begin = now_ns();
	alarm(opt.seconds);
	for (i = 0; i < opt.clients; i++) {
		clients[i] = child();
		if (!clients[i])
			client(i);
	}
	for (i = 0; i < opt.clients; i++) {
		while (waitpid(clients[i], &status, 0) < 0 && errno == EINTR)
			;
		bad |= status;
	}
	summary(now_ns() - begin);
	for (i = 0; i < opt.clients; i++)
		kill(proxies[i], SIGKILL);
	return bad ? 2 : 0;
}
