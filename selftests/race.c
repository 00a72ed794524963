// SPDX-License-Identifier: GPL-2.0
/*
 * Clients in several network namespaces open connections to one server from
 * the same source ports at the same instant.
 *
 * Behind one NAT address such flows want the same port at the same time, each
 * on a CPU of its own: the race between the choice of a port and its entry in
 * the conntrack table. A flow that loses it has its first packet dropped, so
 * its connect() lasts as long as the first retransmission timer.
 *
 * Without -n it only serves: it says "ready" and goes on until it is killed.
 *
 * Each client is a process, pinned to a CPU. A round goes
 *	sockets made and bound | all ready | connect | all done | closed by RST
 * and the summary is one line of key=value words on standard output:
 *	rounds	rounds played
 *	conns	connections tried
 *	ok	completed (UDP: the answer to the datagram arrived)
 *	slow	not completed within the limit (-T), the next two included
 *	failed	ended with an error
 *	gaveup	still open when patience (-g) ended
 *	resent	TCP connections whose SYN had to be sent again
 *	wrong	datagrams of somebody else's flow
 *	max_ms	the slowest connection that completed
 *	ms	length of the whole run
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define MAX_CLIENTS	16
#define MAX_CONNS	8192
#define PORTS_END	60000

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP	132
#endif

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct token {
	__u32 client;
	__u32 round;
	__u32 conn;
	__u32 magic;
};

struct result {
	__u64 rounds, conns, ok, slow, failed, gaveup, resent, wrong;
	__u64 max_ns;
	int error;		/* errno of a failed connection, if any */
};

/* What the processes share; each @result has one writer. */
struct shared {
	atomic_uint arrived[4];	/* at each kind of barrier, over all rounds */
	atomic_uint slow;	/* of all clients, for -q */
	atomic_bool asked;	/* a signal asks to end */
	atomic_bool last;	/* the first client says: this was the last round */
	atomic_bool broken;	/* a client cannot go on */
	struct result result[MAX_CLIENTS];
};

enum barrier {
	READY,		/* coarse: sleeps until the others come near */
	GO,		/* fine: spins */
	DONE,
	CLOSE,
};

static struct {
	const char *client[MAX_CLIENTS];
	unsigned int clients;
	const char *server;
	const char *hook;
	union addr dst;
	socklen_t dstlen;
	int family, proto, type;
	unsigned int rounds, conns, quit;
	unsigned int pause_ms;	/* between rounds */
	unsigned int base;	/* first source port; 0: the kernel chooses */
	__u64 slow_ns, patience_ns;
	bool distinct, loose, progress, orderly;
} opt = {
	.family = AF_INET,
	.proto = IPPROTO_TCP,
	.type = SOCK_STREAM,
	.rounds = 100,
	.conns = 1,
	.base = 10000,
	.slow_ns = 500 * 1000000ULL,
	.patience_ns = 10 * 1000000000ULL,
};

static struct shared *sh;

static void die(const char *what)
{
	fprintf(stderr, "race: %s: %s\n", what, strerror(errno));
	if (sh)
		atomic_store(&sh->broken, true);
	exit(2);
}

static void enter_netns(const char *name)
{
	if (join_netns(name))
		die(name);
}

static void pin(unsigned int idx)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(idx % cpus, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void many_files(void)
{
	struct rlimit lim = { .rlim_cur = 65536, .rlim_max = 65536 };

	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("setrlimit");
}

/* Returns false if the run is to end. */
static bool barrier(enum barrier which, unsigned int round)
{
	unsigned int goal = (round + 1) * opt.clients, spins = 0;

	if (opt.loose)
		return !atomic_load(&sh->broken);

	atomic_fetch_add(&sh->arrived[which], 1);
	while (atomic_load(&sh->arrived[which]) < goal) {
		if (atomic_load(&sh->broken))
			return false;
		if (which == GO) {
			/* All run or are about to; let a lone CPU be shared. */
			if (++spins % 100000 == 0)
				sched_yield();
			continue;
		}
		usleep(20);
	}
	return true;
}

static void bind_port(int fd, unsigned int port)
{
	union addr local = {};
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	local.sa.sa_family = opt.family;
	if (opt.family == AF_INET) {
		local.in.sin_port = htons(port);
	} else {
		/* A server for IPv4 may have the same port. */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		local.in6.sin6_port = htons(port);
	}
	if (bind(fd, &local.sa, opt.dstlen))
		die("bind");
}

static unsigned int pick_port(unsigned int idx, unsigned int nr)
{
	unsigned int span = PORTS_END - opt.base;

	if (!opt.distinct)
		return opt.base + nr % span;

	span /= opt.clients;
	return opt.base + idx * span + nr % span;
}

/* One connection's life within a round. */
struct conn {
	int fd;
	bool pending;
	__u64 start;
};

static void settle(struct result *res, struct conn *c, int error)
{
	__u64 took = now_ns() - c->start;

	c->pending = false;
	if (error) {
		res->failed++;
		res->error = error;
	} else {
		res->ok++;
		if (took > res->max_ns)
			res->max_ns = took;
	}
	if (error || took > opt.slow_ns) {
		res->slow++;
		atomic_fetch_add(&sh->slow, 1);
	}
}

static void start(struct result *res, struct conn *c, const struct token *tok)
{
	int err = 0;

	c->pending = true;
	c->start = now_ns();
	res->conns++;
	if (opt.proto == IPPROTO_UDP) {
		if (send(c->fd, tok, sizeof(*tok), 0) != sizeof(*tok))
			err = errno;
	} else if (connect(c->fd, &opt.dst.sa, opt.dstlen)) {
		if (errno != EINPROGRESS)
			err = errno;
	}
	if (err)
		settle(res, c, err);
}

static void advance(struct result *res, struct conn *c, const struct token *tok)
{
	struct token answer;
	int err = 0;
	socklen_t len = sizeof(err);
	ssize_t n;

	if (opt.proto != IPPROTO_UDP) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		settle(res, c, err);
		return;
	}

	n = recv(c->fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		settle(res, c, errno);
	else if (n != sizeof(answer) || memcmp(&answer, tok, sizeof(answer)))
		res->wrong++;
	else
		settle(res, c, 0);
}

static void count_resent(struct result *res, struct conn *c)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (opt.proto != IPPROTO_TCP)
		return;
	if (!getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	    info.tcpi_total_retrans)
		res->resent++;
}

static void run_hook(void)
{
	int status;

	fflush(NULL);
	status = system(opt.hook);
	if (status)
		fprintf(stderr, "race: the command ended with status %d\n", status);
}

static bool enough(unsigned int rounds)
{
	if (atomic_load(&sh->asked))
		return true;
	if (opt.quit && atomic_load(&sh->slow) >= opt.quit)
		return true;
	return opt.rounds && rounds >= opt.rounds;
}

static void play_round(struct result *res, unsigned int idx, unsigned int round)
{
	static struct conn conns[MAX_CONNS];
	static struct pollfd pfd[MAX_CONNS];
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	unsigned int i, open;
	struct token tok = { .client = idx, .round = round, .magic = getpid() };
	__u64 begin;

	for (i = 0; i < opt.conns; i++) {
		conns[i].fd = socket(opt.family, opt.type | SOCK_NONBLOCK |
				     SOCK_CLOEXEC, opt.proto);
		if (conns[i].fd < 0)
			die("socket");
		if (opt.base)
			bind_port(conns[i].fd,
				  pick_port(idx, round * opt.conns + i));
		/* Sends nothing yet. */
		if (opt.proto == IPPROTO_UDP &&
		    connect(conns[i].fd, &opt.dst.sa, opt.dstlen))
			die("connect");
	}

	if (!barrier(READY, round) || !barrier(GO, round))
		return;

	begin = now_ns();
	for (i = 0; i < opt.conns; i++) {
		tok.conn = i;
		start(res, &conns[i], &tok);
	}

	for (;;) {
		__s64 left = begin + opt.patience_ns - now_ns();

		for (i = 0, open = 0; i < opt.conns; i++) {
			/* poll() ignores negative descriptors */
			pfd[i].fd = conns[i].pending ? conns[i].fd : -1;
			pfd[i].events = opt.proto == IPPROTO_UDP ? POLLIN : POLLOUT;
			pfd[i].revents = 0;
			open += conns[i].pending;
		}
		if (!open || left <= 0)
			break;
		if (poll(pfd, opt.conns, left / 1000000 + 1) < 0 && errno != EINTR)
			die("poll");
		for (i = 0; i < opt.conns; i++) {
			tok.conn = i;
			if (pfd[i].revents)
				advance(res, &conns[i], &tok);
		}
	}
	res->gaveup += open;
	res->slow += open;
	atomic_fetch_add(&sh->slow, open);

	for (i = 0; i < opt.conns; i++)
		count_resent(res, &conns[i]);

	if (!barrier(DONE, round))
		return;
	if (idx == 0) {
		if (opt.hook)
			run_hook();
		if (enough(round + 1))
			atomic_store(&sh->last, true);
		if (opt.progress && (round + 1) % 50 == 0)
			fprintf(stderr, "\r%u rounds, %u slow ", round + 1,
				atomic_load(&sh->slow));
	}
	if (!barrier(CLOSE, round))
		return;

	for (i = 0; i < opt.conns; i++) {
		if (opt.proto != IPPROTO_UDP && !opt.orderly)
			setsockopt(conns[i].fd, SOL_SOCKET, SO_LINGER, &reset,
				   sizeof(reset));
		close(conns[i].fd);
	}
	res->rounds++;
}

static void client(unsigned int idx)
{
	struct result *res = &sh->result[idx];
	unsigned int round;
	bool end;

	enter_netns(opt.client[idx]);
	pin(idx);
	many_files();

	for (round = 0; ; round++) {
		play_round(res, idx, round);
		/* In step, @last was written before anybody passed CLOSE. */
		end = opt.loose ? enough(round + 1) : atomic_load(&sh->last);
		if (end || atomic_load(&sh->broken))
			break;
		if (opt.pause_ms)
			usleep(opt.pause_ms * 1000);
	}
	exit(0);
}

static void serve_stream(int sock)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = sock };
	struct epoll_event got[64];
	int ep = epoll_create1(EPOLL_CLOEXEC);
	char buf[64];
	int i, n, fd;

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, sock, &ev))
		die("epoll");

	for (;;) {
		n = epoll_wait(ep, got, 64, -1);
		for (i = 0; i < n; i++) {
			fd = got[i].data.fd;
			if (fd != sock) {
				/* Gone, or said goodbye: nobody sends data. */
				if (read(fd, buf, sizeof(buf)) <= 0)
					close(fd);
				continue;
			}
			while ((fd = accept4(sock, NULL, NULL, SOCK_NONBLOCK |
					     SOCK_CLOEXEC)) >= 0) {
				ev.data.fd = fd;
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
			}
		}
	}
}

static void serve_dgram(int sock)
{
	union addr peer;
	socklen_t len;
	char buf[256];
	ssize_t n;

	for (;;) {
		len = sizeof(peer);
		n = recvfrom(sock, buf, sizeof(buf), 0, &peer.sa, &len);
		if (n >= 0)
			sendto(sock, buf, n, 0, &peer.sa, len);
	}
}

/* Returns the server's pid once it listens. */
static pid_t start_server(void)
{
	int ready[2], sock, flags, big = 8 << 20;
	char byte = 0;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			exit(2);
		close(ready[0]);
		return pid;
	}

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter_netns(opt.server);
	many_files();
	flags = opt.type == SOCK_STREAM ? SOCK_NONBLOCK : 0;
	sock = socket(opt.family, opt.type | flags | SOCK_CLOEXEC, opt.proto);
	if (sock < 0)
		die("server's socket");
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	bind_port(sock, ntohs(opt.dst.in.sin_port));
	if (opt.type == SOCK_STREAM && listen(sock, 65535))
		die("listen");
	if (write(ready[1], &byte, 1) != 1)
		die("write");
	close(ready[1]);
	if (opt.type == SOCK_STREAM)
		serve_stream(sock);
	serve_dgram(sock);
	exit(0);
}

static void summary(__u64 took)
{
	struct result sum = {};
	unsigned int i;

	for (i = 0; i < opt.clients; i++) {
		struct result *r = &sh->result[i];

		if (r->rounds > sum.rounds)
			sum.rounds = r->rounds;
		sum.conns += r->conns;
		sum.ok += r->ok;
		sum.slow += r->slow;
		sum.failed += r->failed;
		sum.gaveup += r->gaveup;
		sum.resent += r->resent;
		sum.wrong += r->wrong;
		if (r->max_ns > sum.max_ns)
			sum.max_ns = r->max_ns;
		if (r->error)
			sum.error = r->error;
	}
	if (opt.progress)
		fprintf(stderr, "\n");
	if (sum.error)
		fprintf(stderr, "race: a connection failed: %s\n",
			strerror(sum.error));
	printf("rounds=%llu conns=%llu ok=%llu slow=%llu failed=%llu ",
	       sum.rounds, sum.conns, sum.ok, sum.slow, sum.failed);
	printf("gaveup=%llu resent=%llu wrong=%llu max_ms=%llu ms=%llu\n",
	       sum.gaveup, sum.resent, sum.wrong, sum.max_ns / 1000000,
	       took / 1000000);
}

static void bad_usage(void)
{
	fprintf(stderr,
		"usage: race [options] -n NETNS [-n NETNS]... ADDRESS PORT\n"
		"  -n NETNS   a client in that namespace, the next one on the next CPU\n"
		"  -S NETNS   start a server on PORT in that namespace\n"
		"  -t PROTO   tcp (default), udp, sctp\n"
		"  -r ROUNDS  rounds (100; 0: until a signal)\n"
		"  -c CONNS   connections of each client in a round (1)\n"
		"  -b PORT    first source port (10000; 0: the kernel chooses)\n"
		"  -q COUNT   end early when so many were slow\n"
		"  -T MS      a connection that takes longer is slow (500)\n"
		"  -g MS      give a round up after that time (10000)\n"
		"  -w MS      pause between rounds (0)\n"
		"  -e COMMAND run while the connections of a round are open\n"
		"  -d         distinct source ports for each client: no race\n"
		"  -l         loose: clients do not wait for each other\n"
		"  -f         close by FIN instead of RST\n"
		"  -v         show progress\n");
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

static void set_proto(const char *s)
{
	if (!strcmp(s, "tcp")) {
		opt.proto = IPPROTO_TCP;
	} else if (!strcmp(s, "udp")) {
		opt.proto = IPPROTO_UDP;
		opt.type = SOCK_DGRAM;
	} else if (!strcmp(s, "sctp")) {
		opt.proto = IPPROTO_SCTP;
	} else {
		bad_usage();
	}
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:S:t:r:c:b:q:T:g:w:e:dlfv")) != -1) {
		switch (c) {
		case 'n':
			if (opt.clients == MAX_CLIENTS)
				bad_usage();
			opt.client[opt.clients++] = optarg;
			break;
		case 'S':
			opt.server = optarg;
			break;
		case 't':
			set_proto(optarg);
			break;
		case 'r':
			opt.rounds = number(optarg, UINT_MAX);
			break;
		case 'c':
			opt.conns = number(optarg, MAX_CONNS);
			break;
		case 'b':
			opt.base = number(optarg, PORTS_END - 1);
			break;
		case 'q':
			opt.quit = number(optarg, UINT_MAX);
			break;
		case 'T':
			opt.slow_ns = number(optarg, UINT_MAX) * 1000000ULL;
			break;
		case 'g':
			opt.patience_ns = number(optarg, UINT_MAX) * 1000000ULL;
			break;
		case 'w':
			opt.pause_ms = number(optarg, 1000);
			break;
		case 'e':
			opt.hook = optarg;
			break;
		case 'd':
			opt.distinct = true;
			break;
		case 'l':
			opt.loose = true;
			break;
		case 'f':
			opt.orderly = true;
			break;
		case 'v':
			opt.progress = true;
			break;
		default:
			bad_usage();
		}
	}
	if (argc - optind != 2 || !(opt.clients || opt.server) || !opt.conns)
		bad_usage();

	if (inet_pton(AF_INET, argv[optind], &opt.dst.in.sin_addr) == 1) {
		opt.family = AF_INET;
		opt.dstlen = sizeof(opt.dst.in);
	} else if (inet_pton(AF_INET6, argv[optind], &opt.dst.in6.sin6_addr) == 1) {
		opt.family = AF_INET6;
		opt.dstlen = sizeof(opt.dst.in6);
	} else {
		bad_usage();
	}
	opt.dst.sa.sa_family = opt.family;
	/* Both address types have the port in the same place. */
	opt.dst.in.sin_port = htons(number(argv[optind + 1], 65535));
}

static void asked_to_end(int sig)
{
	(void)sig;
	atomic_store(&sh->asked, true);
}

int main(int argc, char **argv)
{
	pid_t server = 0;
	unsigned int i;
	__u64 begin;
	int status;

	parse(argc, argv);

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		die("mmap");
	if (opt.server)
		server = start_server();
	if (!opt.clients) {
		puts("ready");
		fflush(stdout);
		waitpid(server, NULL, 0);
		return 2;
	}

	signal(SIGTERM, asked_to_end);
	signal(SIGINT, asked_to_end);

	begin = now_ns();
	for (i = 0; i < opt.clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			client(i);
		}
	}
	for (i = 0; i < opt.clients; i++) {
		pid_t pid;

		while ((pid = wait(&status)) < 0 && errno == EINTR)
			;
		if (pid == server || !WIFEXITED(status) || WEXITSTATUS(status))
			atomic_store(&sh->broken, true);
	}
	if (server)
		kill(server, SIGKILL);

	if (atomic_load(&sh->broken))
		return 2;
	summary(now_ns() - begin);
	return 0;
}
