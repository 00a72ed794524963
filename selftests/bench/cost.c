// SPDX-License-Identifier: GPL-2.0
/*
 * What traffic costs on one CPU, as the clock tells it. In a machine whose
 * clock counts instructions ("vm -i") a nanosecond is an instruction.
 *
 *	udp	a datagram of 64 bytes sent over lo and received, between two
 *		connected sockets which have talked both ways before
 *	tcp	a connection opened, accepted and reset by its client
 *	loop	a connection to an address that is redirected to this host, opened,
 *		accepted and closed, first by its client; each from a port of its own
 *	clock	one instruction: tells whether the clock counts them
 *
 * An operation is repeated until the scheduler's tick, RCU and the like have
 * had their share. None sleeps: on one CPU a packet has gone its whole way when
 * the system call that sent it returns. A batch in which that was not so is
 * played again, since such a clock counts the time slept, too.
 *
 * Prints the mean of each batch, one a line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../common.h"

#define PORT		7000
#define FIRST_PORT	10000
#define MAX_CONNS	20000
#define MAX_OPS		100000000
#define BEYOND		30000
#define SETTLE_US	2500000
#define MAX_RETRIES	20

static const char *netns, *server_netns, *hook, *ip;
static unsigned int batches = 5, ops = 1000;

static void die(const char *what)
{
	fprintf(stderr, "cost: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* How often the processor had nothing to do. */
static long idles(void)
{
	FILE *f = fopen("/proc/timer_list", "r");
	char line[128];
	long count = -1;

	if (!f)
		die("/proc/timer_list");
	while (count < 0 && fgets(line, sizeof(line), f))
		sscanf(line, " .idle_calls : %ld", &count);
	fclose(f);
	if (count < 0) {
		fprintf(stderr, "cost: the kernel does not count its idle calls\n");
		exit(2);
	}
	return count;
}

static void enter_netns(const char *name)
{
	if (join_netns(name))
		die(name);
}

static struct sockaddr_in address(const char *host, unsigned int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};

	if (host && inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		die(host);
	return addr;
}

static int bound(int type, const char *host, unsigned int port)
{
	struct sockaddr_in addr = address(host, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	return fd;
}

/* Each kind of batch returns the time it took, without preparations. */
static double clock_batch(void)
{
	double begin = now_ns();
	unsigned long i = ops / 2;

#if defined(__x86_64__)
	asm volatile("1: sub $1, %0; jnz 1b" : "+r"(i) : : "cc");
#elif defined(__aarch64__)
	asm volatile("1: subs %0, %0, #1; b.ne 1b" : "+r"(i) : : "cc");
#else
	errno = EOPNOTSUPP;
	die("clock");
#endif
	return now_ns() - begin;
}

static double udp_batch(void)
{
	struct sockaddr_in to = address(ip, PORT);
	struct sockaddr_in from = address(ip, FIRST_PORT);
	int server = bound(SOCK_DGRAM, ip, PORT);
	int client = bound(SOCK_DGRAM, ip, FIRST_PORT);
	char data[64] = {};
	unsigned int i;
	double begin;

	if (connect(client, (struct sockaddr *)&to, sizeof(to)) ||
	    connect(server, (struct sockaddr *)&from, sizeof(from)))
		die("connect");

	/* The flow is established when it has been answered. */
	for (i = 0; i < 16; i++) {
		int a = i % 2 ? server : client;
		int b = i % 2 ? client : server;

		if (send(a, data, sizeof(data), 0) != sizeof(data) ||
		    recv(b, data, sizeof(data), 0) != sizeof(data))
			die("the flow's first datagrams");
	}

	begin = now_ns();
	for (i = 0; i < ops; i++) {
		if (send(client, data, sizeof(data), 0) != sizeof(data))
			die("send");
		if (recv(server, data, sizeof(data), 0) != sizeof(data))
			die("recv");
	}
	begin = now_ns() - begin;

	close(client);
	close(server);
	return begin;
}

static int listening(const char *host)
{
	int fd;

	if (server_netns)
		enter_netns(server_netns);
	fd = bound(SOCK_STREAM, host, PORT);
	if (listen(fd, 16))
		die("listen");
	enter_netns(netns);
	return fd;
}

/* The ports are given: no search for one that is free. */
static double connections(int listener, unsigned int first, const struct linger *linger)
{
	struct sockaddr_in to = address(ip, PORT);
	static int client[MAX_CONNS];
	unsigned int i;
	double begin;
	int fd;

	for (i = 0; i < ops; i++) {
		client[i] = bound(SOCK_STREAM, NULL, first + i);
		if (setsockopt(client[i], SOL_SOCKET, SO_LINGER, linger, sizeof(*linger)))
			die("setsockopt");
	}

	begin = now_ns();
	for (i = 0; i < ops; i++) {
		if (connect(client[i], (struct sockaddr *)&to, sizeof(to)))
			die("connect");
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			die("accept");
		close(client[i]);
		close(fd);
	}
	return now_ns() - begin;
}

static double tcp_batch(void)
{
	static const struct linger reset = { .l_onoff = 1 };
	static int listener = -1;

	if (listener < 0)
		listener = listening(ip);
	return connections(listener, FIRST_PORT, &reset);
}

static double loop_batch(void)
{
	static const struct linger none;
	static unsigned int first = FIRST_PORT;
	static int listener = -1;
	int fd;

	/* Who connects to a socket that it has open is a loop, to loopguard: out
	 * of its sight, beyond the files of a client.
	 */
	if (listener < 0) {
		fd = listening(NULL);
		listener = fcntl(fd, F_DUPFD_CLOEXEC, BEYOND);
		if (listener < 0)
			die("F_DUPFD_CLOEXEC");
		close(fd);
	}
	/* Those of the batch before are in TIME_WAIT. */
	if (first + ops > 65536)
		die("not enough ports");
	first += ops;
	return connections(listener, first - ops, &none);
}

static const struct kind {
	const char *name;
	double (*batch)(void);
	bool needs_address;
	bool needs_server;
} kinds[] = {
	{ .name = "udp", .batch = udp_batch, .needs_address = true },
	{
		.name = "tcp",
		.batch = tcp_batch,
		.needs_address = true,
		.needs_server = true,
	},
	{ .name = "loop", .batch = loop_batch, .needs_address = true },
	{ .name = "clock", .batch = clock_batch },
	{ }
};

static const struct kind *kind;

static void bad_usage(void)
{
	fprintf(stderr,
		"usage: cost [options] udp|tcp|loop|clock [ADDRESS]\n"
		"  -n NETNS   the client's namespace (udp: the server's, too)\n"
		"  -S NETNS   tcp: the server's namespace\n"
		"  -b COUNT   batches (5)\n"
		"  -o COUNT   operations in each (1000)\n"
		"  -e COMMAND run before each batch\n"
		"The first batch is not counted: it fills caches.\n");
	exit(1);
}

static unsigned int number(const char *s, unsigned int max)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (!*s || *end || !v || v > max)
		bad_usage();
	return v;
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:S:b:o:e:")) != -1) {
		switch (c) {
		case 'n':
			netns = optarg;
			break;
		case 'S':
			server_netns = optarg;
			break;
		case 'b':
			batches = number(optarg, 10000);
			break;
		case 'o':
			ops = number(optarg, MAX_OPS);
			break;
		case 'e':
			hook = optarg;
			break;
		default:
			bad_usage();
		}
	}
	for (kind = kinds; kind->name; kind++)
		if (optind < argc && !strcmp(argv[optind], kind->name))
			break;
	if (!kind->name || argc - optind != 1 + kind->needs_address ||
	    (kind->needs_address && !netns) ||
	    (kind->needs_server && !server_netns))
		bad_usage();
	ip = argv[optind + 1];
}

/* Returns false if the clock ran on while nobody worked. */
static bool play_batch(double *took)
{
	long idle;

	if (hook && system(hook))
		exit(2);
	/* What has been left to RCU, or to the module's feature linger, of the
	 * batch before does not belong to this one. (The kernel, too, removes
	 * dead entries and sockets later.) Of an owner whose entry somebody else
	 * has removed linger learns after two seconds.
	 */
	usleep(SETTLE_US);

	idle = idles();
	*took = kind->batch();
	return idles() == idle;
}

int main(int argc, char **argv)
{
	struct rlimit lim = { .rlim_cur = 65536, .rlim_max = 65536 };
	unsigned int i, retries = 0;
	double took;

	parse(argc, argv);
	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("setrlimit");
	if (netns)
		enter_netns(netns);

	play_batch(&took);
	for (i = 0; i < batches; ) {
		if (play_batch(&took)) {
			printf("%.1f\n", took / ops);
			i++;
		} else if (retries++ == MAX_RETRIES) {
			fprintf(stderr, "cost: %s waits\n", kind->name);
			return 2;
		}
	}
	return 0;
}
