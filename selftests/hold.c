// SPDX-License-Identifier: GPL-2.0
/*
 * A user with many flows over lo, in one process that holds them.
 *
 *	hold [-n NETNS] [-u UID] tcp|udp COUNT ADDRESS PORT
 *		COUNT flows to PORT of ADDRESS and, when the ports from 10000 to 29999
 *		are used up, of the addresses that follow it
 *
 *	tcp	connections, both ends of which stay open
 *	udp	a datagram each, from a few sockets that stay open, to addresses of
 *		127.0.0.0/8 from ADDRESS on
 *
 * Prints "ready" when all are open, and ends when its standard input does, or by a
 * signal: all its sockets are closed at once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#define FIRST_PORT	10000
#define PORTS		20000
#define UDP_SOCKETS	16
#define MAX_COUNT	1000000

static void die(const char *what)
{
	fprintf(stderr, "hold: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void bad_usage(void)
{
	fprintf(stderr, "usage: hold [-n NETNS] [-u UID] tcp|udp COUNT ADDRESS PORT\n");
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

static int bound(int type, unsigned int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET, type, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	return fd;
}

static void hold_tcp(unsigned int count, struct sockaddr_in to)
{
	int listener = bound(SOCK_STREAM, ntohs(to.sin_port));
	unsigned int first = ntohl(to.sin_addr.s_addr), i;
	int fd;

	if (listen(listener, 16))
		die("listen");
	for (i = 0; i < count; i++) {
		to.sin_addr.s_addr = htonl(first + i / PORTS);
		fd = bound(SOCK_STREAM, FIRST_PORT + i % PORTS);
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
			die("connect");
		if (accept(listener, NULL, NULL) < 0)
			die("accept");
	}
}

/* What a socket sends is received before the next one sends. */
static void hold_udp(unsigned int count, struct sockaddr_in to)
{
	int server = bound(SOCK_DGRAM, ntohs(to.sin_port));
	unsigned int first = ntohl(to.sin_addr.s_addr), i;
	int fd[UDP_SOCKETS];
	char data[8] = {};

	for (i = 0; i < UDP_SOCKETS; i++)
		fd[i] = bound(SOCK_DGRAM, FIRST_PORT + i);
	for (i = 0; i < count; i++) {
		to.sin_addr.s_addr = htonl(first + i / UDP_SOCKETS);
		if (sendto(fd[i % UDP_SOCKETS], data, sizeof(data), 0,
			   (struct sockaddr *)&to, sizeof(to)) != sizeof(data))
			die("sendto");
		if (recv(server, data, sizeof(data), 0) != sizeof(data))
			die("recv");
	}
}

int main(int argc, char **argv)
{
	struct rlimit lim = { .rlim_cur = 500000, .rlim_max = 500000 };
	struct sockaddr_in to = { .sin_family = AF_INET };
	unsigned int count, uid = 0;
	char end;
	int c;

	while ((c = getopt(argc, argv, "n:u:")) != -1) {
		switch (c) {
		case 'n':
			if (join_netns(optarg))
				die(optarg);
			break;
		case 'u':
			uid = number(optarg, 65534);
			break;
		default:
			bad_usage();
		}
	}
	argv += optind;
	if (argc - optind != 4)
		bad_usage();
	count = number(argv[1], MAX_COUNT);
	to.sin_port = htons(number(argv[3], 65535));
	if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		bad_usage();

	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("setrlimit");
	if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		die("setresuid");
	if (!strcmp(argv[0], "tcp"))
		hold_tcp(count, to);
	else if (!strcmp(argv[0], "udp"))
		hold_udp(count, to);
	else
		bad_usage();

	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return 0;
}
