// SPDX-License-Identifier: GPL-2.0
/*
 * origin_proxy PORT: a transparent proxy that says who calls whom.
 *
 * It needs no privilege, and a rule that brings connections, but not its own:
 * origin_proxy.py has one.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/nf_looptrack_origin.h>

static void die(const char *what)
{
	fprintf(stderr, "origin_proxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void say_end(int family, const void *addr, in_port_t port)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, addr, text, sizeof(text));
	printf(family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, ntohs(port));
}

static void say(const struct nf_looptrack_origin *origin)
{
	say_end(origin->family, origin->saddr, origin->sport);
	printf(" -> ");
	say_end(origin->family, origin->daddr, origin->dport);
	if (origin->known)
		printf(" uid %u pid %d comm %s cgroup %llu\n", origin->uid, origin->pid,
		       origin->comm, (unsigned long long)origin->cgroup);
	else
		puts(" unknown");
}

/* Where the client wanted to go. */
static int connect_on(const struct nf_looptrack_origin *origin)
{
	struct sockaddr_in6 addr6 = { .sin6_family = AF_INET6, .sin6_port = origin->dport };
	struct sockaddr_in addr4 = { .sin_family = AF_INET, .sin_port = origin->dport };
	int server = socket(origin->family, SOCK_STREAM, 0);
	int err;

	memcpy(&addr6.sin6_addr, origin->daddr, sizeof(addr6.sin6_addr));
	memcpy(&addr4.sin_addr, origin->daddr, sizeof(addr4.sin_addr));
	if (origin->family == AF_INET)
		err = connect(server, (struct sockaddr *)&addr4, sizeof(addr4));
	else
		err = connect(server, (struct sockaddr *)&addr6, sizeof(addr6));
	if (err)
		die("connect");
	return server;
}

/* Until one end has no more to say, or the other does not listen. */
static void copy(int from, int to)
{
	char data[65536];
	ssize_t size, done;

	while ((size = read(from, data, sizeof(data))) > 0)
		for (char *rest = data; size; rest += done, size -= done) {
			done = write(to, rest, size);
			if (done < 0)
				return;
		}
	shutdown(to, SHUT_WR);
}

static void session(int client, int port)
{
	struct nf_looptrack_origin origin = {};
	socklen_t len = sizeof(origin);
	int server;

	if (getsockopt(client, SOL_IP, NF_LOOPTRACK_SO_ORIGIN, &origin, &len))
		die("NF_LOOPTRACK_SO_ORIGIN");
	for (char *c = origin.comm; *c; c++)
		*c = isprint((unsigned char)*c) ? *c : '?';
	say(&origin);
	if (ntohs(origin.dport) == port) {
		fputs("origin_proxy: addressed to the proxy itself\n", stderr);
		return;
	}
	server = connect_on(&origin);
	if (fork())
		copy(client, server);
	else
		copy(server, client);
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int port = argc > 1 ? atoi(argv[1]) : 0;
	int listener = socket(AF_INET6, SOCK_STREAM, 0);
	int on = 1;

	any.sin6_port = htons(port);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 128))
		die("listen");
	signal(SIGCHLD, SIG_IGN);	/* nobody waits for them */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		int client = accept(listener, NULL, NULL);

		if (client < 0)
			die("accept");
		if (!fork()) {
			close(listener);
			session(client, port);
			exit(0);
		}
		close(client);
	}
}
