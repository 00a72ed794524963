// SPDX-License-Identifier: GPL-2.0
/*
 * What traffic costs on one CPU, as the clock tells it. In a machine whose
 * clock counts instructions ("vm -i") a nanosecond is an instruction.
 *
 *	udp	a datagram of 64 bytes sent over lo and received, between two
 *		connected sockets which have talked both ways before
 *	oneway	the same, but the receiver never sends
 *	flow	a datagram sent over lo and received, each to another address: a
 *		new flow; ADDRESS is the first one, the others follow
 *	socket	the same from a new socket, closed afterwards, to one address
 *	first	a datagram from a port not used before, and not received
 *	tcp	a connection opened, accepted and reset by its client
 *	loop	a connection to an address that is redirected to this host, opened,
 *		accepted and closed, first by its client; each from a port of its own
 *	clock	one instruction: tells whether the clock counts them
 *	naps	a million instructions and 10 ms of sleep: tells whether what a
 *		machine does is told from the time in which it is idle
 *	idle	a second in which this program sleeps
 *
 * An operation is repeated until the scheduler's tick, RCU and the like have
 * had their share. None sleeps: on one CPU a packet has gone its whole way when
 * the system call that sent it returns. A batch in which that was not so is
 * played again, since such a clock counts the time slept, too.
 *
 * With -w, and for "idle", the batch includes what the machine does later, in
 * timers, RCU and kernel threads. The clock runs on while the processor is idle,
 * but the kernel counts how long that was: what remains are instructions. The
 * work of a machine at rest during the same time is measured before each batch
 * and subtracted.
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
#define CROWD_PORT	5000
#define MAX_CONNS	20000
#define MAX_CROWD	60000
#define MAX_OPS		100000000
#define BEYOND		30000
#define SETTLE_US	2500000
#define MAX_RETRIES	20
#define NAP_AFTER	1000000
#define NAP_US		10000

static const char *netns, *server_netns, *hook, *ip;
static unsigned int batches = 5, ops = 1000, later, crowd_size;
static unsigned int port = PORT, first_port = FIRST_PORT;
static bool apart;
static int crowd[MAX_CROWD];

static void die(const char *what)
{
	fprintf(stderr, "cost: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* What the kernel counts of the first processor's idle time. */
static double idle_count(const char *name)
{
	FILE *f = fopen("/proc/timer_list", "r");
	char line[128], found[32];
	double value = -1, n;

	if (!f)
		die("/proc/timer_list");
	while (value < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, " .%31[a-z_] : %lf", found, &n) == 2 && !strcmp(found, name))
			value = n;
	fclose(f);
	if (value < 0) {
		fprintf(stderr, "cost: the kernel does not count %s\n", name);
		exit(2);
	}
	return value;
}

/* How often the processor had nothing to do. */
static double idles(void)
{
	return idle_count("idle_calls");
}

/* How long it was busy, since boot or so. Both counts are exact: they end and begin
 * with each interrupt. The second one counts while a process waits for a disk.
 */
static double busy_ns(void)
{
	return now_ns() - idle_count("idle_sleeptime") - idle_count("iowait_sleeptime");
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

/* Two instructions a round. */
static void run_instructions(unsigned long count)
{
	unsigned long i = count / 2;

#if defined(__x86_64__)
	asm volatile("1: sub $1, %0; jnz 1b" : "+r"(i) : : "cc");
#elif defined(__aarch64__)
	asm volatile("1: subs %0, %0, #1; b.ne 1b" : "+r"(i) : : "cc");
#else
	errno = EOPNOTSUPP;
	die("clock");
#endif
}

/* Each kind of batch returns the time it took, without preparations. */
static double clock_batch(void)
{
	double begin = now_ns();

	run_instructions(ops);
	return now_ns() - begin;
}

static double naps_batch(void)
{
	double begin = busy_ns();
	unsigned int i;

	for (i = 0; i < ops; i++) {
		run_instructions(NAP_AFTER);
		usleep(NAP_US);
	}
	return busy_ns() - begin;
}

static void pass(int from, int to)
{
	char data[64] = {};

	if (send(from, data, sizeof(data), 0) != sizeof(data))
		die("send");
	if (recv(to, data, sizeof(data), 0) != sizeof(data))
		die("recv");
}

static double datagrams(bool answered)
{
	struct sockaddr_in to = address(ip, PORT);
	struct sockaddr_in from = address(ip, FIRST_PORT);
	int server = bound(SOCK_DGRAM, ip, PORT);
	int client = bound(SOCK_DGRAM, ip, FIRST_PORT);
	unsigned int i;
	double begin;

	if (connect(client, (struct sockaddr *)&to, sizeof(to)) ||
	    connect(server, (struct sockaddr *)&from, sizeof(from)))
		die("connect");

	/* The flow is established when it has been answered. */
	for (i = 0; i < 16; i++) {
		if (answered && i % 2)
			pass(server, client);
		else
			pass(client, server);
	}

	begin = now_ns();
	for (i = 0; i < ops; i++)
		pass(client, server);
	begin = now_ns() - begin;

	close(client);
	close(server);
	return begin;
}

static double udp_batch(void)
{
	return datagrams(true);
}

static double oneway_batch(void)
{
	return datagrams(false);
}

static void pass_to(int from, int to, const struct sockaddr_in *addr)
{
	char data[64] = {};

	if (sendto(from, data, sizeof(data), 0, (const struct sockaddr *)addr,
		   sizeof(*addr)) != sizeof(data))
		die("sendto");
	if (recv(to, data, sizeof(data), 0) != sizeof(data))
		die("recv");
}

/* Many sockets that share a port: each on an address of its own, or every other one on
 * any address. Each opens a flow.
 */
static void gather(int server)
{
	struct sockaddr_in to = address(NULL, PORT);
	bool own;
	unsigned int i;
	char host[32];

	for (i = 0; i < crowd_size; i++) {
		snprintf(host, sizeof(host), "127.1.%u.%u", i >> 8, i & 255);
		own = apart || i % 2;
		crowd[i] = bound(SOCK_DGRAM, own ? host : NULL, CROWD_PORT);
		/* Those on any address would all have the same flow. */
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 0xff0000 + i);
		pass_to(crowd[i], server, &to);
	}
}

/* From one socket, or from those of the crowd in turn. */
static double flow_batch(void)
{
	struct sockaddr_in to = address(ip, port);
	static unsigned int used;
	static int server = -1;
	static int single[1];
	unsigned int i, count = crowd_size ? crowd_size : 1;
	int *from = crowd_size ? crowd : single;
	unsigned int first = ntohl(to.sin_addr.s_addr);
	double begin;

	if (server < 0) {
		server = bound(SOCK_DGRAM, NULL, PORT);
		single[0] = bound(SOCK_DGRAM, NULL, FIRST_PORT);
		gather(server);
	}
	begin = now_ns();
	for (i = 0; i < ops; i++) {
		to.sin_addr.s_addr = htonl(first + used++);
		pass_to(from[i * 7919ULL % count], server, &to);
	}
	return now_ns() - begin;
}

static double socket_batch(void)
{
	struct sockaddr_in to = address(ip, PORT);
	static int server = -1;
	unsigned int i;
	double begin;
	int fd;

	if (server < 0)
		server = bound(SOCK_DGRAM, NULL, PORT);
	begin = now_ns();
	for (i = 0; i < ops; i++) {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			die("socket");
		pass_to(fd, server, &to);
		close(fd);
	}
	return now_ns() - begin;
}

/* The ports are given: no search for one that is free. */
static double first_batch(void)
{
	struct sockaddr_in to = address(ip, PORT);
	static unsigned int from;
	static int client[MAX_CONNS];
	unsigned int i;
	double begin;

	if (!from)
		from = first_port;
	if (from + ops > 65536) {
		errno = EADDRNOTAVAIL;
		die("ports");
	}
	for (i = 0; i < ops; i++) {
		client[i] = bound(SOCK_DGRAM, NULL, from++);
		if (connect(client[i], (struct sockaddr *)&to, sizeof(to)))
			die("connect");
	}
	begin = now_ns();
	for (i = 0; i < ops; i++)
		if (send(client[i], "first", 5, 0) != 5)
			die("send");
	begin = now_ns() - begin;
	for (i = 0; i < ops; i++)
		close(client[i]);
	return begin;
}

/* The number of something in this network namespace. */
static unsigned int number_in(const char *file, const char *format)
{
	FILE *f = fopen(file, "r");
	char line[256];
	unsigned int n;
	bool found;

	if (!f)
		die(file);
	do {
		if (!fgets(line, sizeof(line), f))
			die(file);
		found = sscanf(line, format, &n) == 1;
	} while (!found);
	fclose(f);
	return n;
}

static unsigned int entries(void)
{
	return number_in("/proc/sys/net/netfilter/nf_conntrack_count", "%u");
}

/* Here a batch is a time. The crowd, if there is one, has its flows open. */
static double idle_batch(void)
{
	static int server = -1;
	double begin;

	if (server < 0 && crowd_size) {
		server = bound(SOCK_DGRAM, NULL, PORT);
		gather(server);
		usleep(SETTLE_US);
	}
	begin = busy_ns();
	sleep(ops);
	begin = busy_ns() - begin;
	if (crowd_size && entries() < crowd_size) {
		fprintf(stderr, "cost: only %u entries are left\n", entries());
		exit(2);
	}
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

static void check_nothing_left(void)
{
	unsigned int left = entries(), waiting;

	waiting = number_in("/proc/self/net/sockstat", "TCP: inuse %*u orphan %*u tw %u");
	if (!left && !waiting)
		return;
	fprintf(stderr, "cost: left after %u s: %u entries, %u in TIME_WAIT\n", later,
		left, waiting);
	exit(2);
}

/* What a machine at rest does while a batch waits for what is done later. */
static double at_rest(void)
{
	double begin = busy_ns();

	sleep(later);
	return busy_ns() - begin;
}

/* The ports are given: no search for one that is free. */
static double connections(int listener, unsigned int first, const struct linger *linger)
{
	struct sockaddr_in to = address(ip, PORT);
	static int client[MAX_CONNS];
	double begin, rest = 0;
	unsigned int i;
	int fd;

	if (later)
		rest = at_rest();

	for (i = 0; i < ops; i++) {
		client[i] = bound(SOCK_STREAM, NULL, first + i);
		if (setsockopt(client[i], SOL_SOCKET, SO_LINGER, linger, sizeof(*linger)))
			die("setsockopt");
	}

	begin = later ? busy_ns() : now_ns();
	for (i = 0; i < ops; i++) {
		if (connect(client[i], (struct sockaddr *)&to, sizeof(to)))
			die("connect");
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			die("accept");
		close(client[i]);
		close(fd);
	}
	if (!later)
		return now_ns() - begin;

	sleep(later);
	begin = busy_ns() - begin - rest;
	check_nothing_left();
	return begin;
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
	/* Those of the batch before are in TIME_WAIT, or were. */
	if (later)
		first = FIRST_PORT;
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
	bool sleeps;
} kinds[] = {
	{ .name = "udp", .batch = udp_batch, .needs_address = true },
	{ .name = "oneway", .batch = oneway_batch, .needs_address = true },
	{ .name = "flow", .batch = flow_batch, .needs_address = true },
	{ .name = "socket", .batch = socket_batch, .needs_address = true },
	{ .name = "first", .batch = first_batch, .needs_address = true },
	{
		.name = "tcp",
		.batch = tcp_batch,
		.needs_address = true,
		.needs_server = true,
	},
	{ .name = "loop", .batch = loop_batch, .needs_address = true },
	{ .name = "clock", .batch = clock_batch },
	{ .name = "naps", .batch = naps_batch, .sleeps = true },
	{ .name = "idle", .batch = idle_batch, .sleeps = true },
	{ }
};

static const struct kind *kind;

static void bad_usage(void)
{
	fprintf(stderr,
		"usage: cost [options] KIND [ADDRESS]\n"
		"KIND: udp|oneway|flow|socket|first|tcp|loop with ADDRESS, clock|naps|idle without\n"
		"  -n NETNS   the client's namespace (all but tcp: the server's, too)\n"
		"  -S NETNS   tcp: the server's namespace\n"
		"  -b COUNT   batches (5)\n"
		"  -o COUNT   operations in each (1000)\n"
		"  -e COMMAND run before each batch\n"
		"  -w SECONDS tcp, loop: include what is done so much later\n"
		"  -s COUNT   flow, idle: sockets that share the port, each with a flow\n"
		"  -a         each of them has an address of its own\n"
		"  -p PORT    flow: the destination port; a rule leads to 7000\n"
		"  -f PORT    first: the first port to send from (10000)\n"
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

	while ((c = getopt(argc, argv, "n:S:b:o:e:w:s:ap:f:")) != -1) {
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
		case 'w':
			later = number(optarg, 3600);
			break;
		case 's':
			crowd_size = number(optarg, MAX_CROWD);
			break;
		case 'a':
			apart = true;
			break;
		case 'p':
			port = number(optarg, 65535);
			break;
		case 'f':
			first_port = number(optarg, 65535);
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
	double idle;

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
	return kind->sleeps || later || idles() == idle;
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
