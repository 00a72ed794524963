// SPDX-License-Identifier: GPL-2.0
/* The sockets of scene: what they serve, the orders that open and close them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scene.h"

#define NAME_LEN	24
#define TEXT_LEN	160

#define ORIGINAL_DST	80	/* SO_ and IP6T_SO_, whose headers clash */
#define FREEBIND6	78	/* IPV6_FREEBIND, which glibc lacks */
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#ifndef TCPI_OPT_SYN_DATA
#define TCPI_OPT_SYN_DATA 32
#endif

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

enum kind {
	FREE,
	LISTENER,
	ACCEPTED,
	CLIENT,
	DGRAM,
};

struct sock {
	enum kind kind;
	char name[NAME_LEN];
	int fd;
	bool deaf;		/* nothing more to come: not polled */
	bool asked;		/* the question went with the SYN */
	bool answered;		/* DGRAM: the answer to @seq has come */
	unsigned int seq;	/* DGRAM: of the last question */
	__u64 start;
	union addr dst;		/* CLIENT, DGRAM: where it sent to */
	char served_by[NAME_LEN];	/* ACCEPTED: the listener */
	char in[TEXT_LEN];	/* what has come, up to the next line's end */
	size_t len;
};

static struct sock socks[MAX_SOCKS];
static unsigned int used;	/* all above are FREE */

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static union addr to_addr(const char *text, const char *port)
{
	union addr a = {};

	a.sa.sa_family = family;
	if (inet_pton(family, text, family == AF_INET ? (void *)&a.in.sin_addr :
		      (void *)&a.in6.sin6_addr) != 1)
		wrong("not an address");
	/* In the same place in both. */
	a.in.sin_port = htons(to_number(port));
	return a;
}

/* "ADDR PORT" */
static void print_addr(const union addr *a, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, family == AF_INET ? (void *)&a->in.sin_addr :
		  (void *)&a->in6.sin6_addr, text, sizeof(text));
	snprintf(buf, size, "%s %u", text, ntohs(a->in.sin_port));
}

static unsigned int local_port(int fd)
{
	union addr a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.sa, &len))
		die("getsockname");
	return ntohs(a.in.sin_port);
}

/* The slot of the counters that belong to @name, or -1. */
static int letter(const char *name)
{
	return name[0] >= 'A' && name[0] <= 'Z' && !name[1] ? name[0] - 'A' : -1;
}

static struct sock *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < used; i++) {
		if (socks[i].kind != FREE && !strcmp(socks[i].name, name))
			return &socks[i];
	}
	return NULL;
}

static struct sock *get(const char *name)
{
	struct sock *s = name ? find(name) : NULL;

	if (!s)
		wrong("no such socket");
	return s;
}

static struct sock *new_sock(const char *name, enum kind kind, int fd)
{
	unsigned int i;

	for (i = 0; i < used && socks[i].kind != FREE; i++)
		;
	if (i == MAX_SOCKS)
		wrong("too many sockets");
	if (i == used)
		used++;
	memset(&socks[i], 0, sizeof(socks[i]));
	snprintf(socks[i].name, NAME_LEN, "%s", name);
	socks[i].kind = kind;
	socks[i].fd = fd;
	if (letter(name) >= 0)
		count->known[letter(name)] = true;
	return &socks[i];
}

static void forget(struct sock *s)
{
	close(s->fd);
	s->kind = FREE;
	while (used && socks[used - 1].kind == FREE)
		used--;
}

/* --- serving --------------------------------------------------------------- */

static void heard(const char *name)
{
	if (letter(name) >= 0)
		count->heard[letter(name)]++;
}

static void serve_listener(struct sock *s)
{
	struct sock *acc;
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		/* Gets its name with the first question. */
		acc = new_sock("", ACCEPTED, fd);
		memcpy(acc->served_by, s->name, NAME_LEN);
	}
}

/* Returns true if @s holds a whole line; it ends with 0 then. */
static bool read_line(struct sock *s, int *error)
{
	char *end;
	ssize_t n;

	*error = 0;
	n = read(s->fd, s->in + s->len, TEXT_LEN - 1 - s->len);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		*error = n ? errno : EPIPE;
		return false;
	}
	s->len += n;
	s->in[s->len] = '\0';
	end = strchr(s->in, '\n');
	if (!end)
		return false;
	*end = '\0';
	s->len = 0;
	return true;
}

/* "? NAME" is answered with "LISTENER PORT ADDR PORT": source and destination. */
static void serve_accepted(struct sock *s)
{
	char dst[64] = "? 0", buf[TEXT_LEN];
	union addr peer, orig;
	socklen_t len = sizeof(peer);
	int error, n;

	if (!read_line(s, &error)) {
		s->deaf = error != 0;
		return;
	}
	if (s->in[0] != '?')
		return;
	if (!s->name[0])
		snprintf(s->name, NAME_LEN, "%.16s.peer", s->in + 2);
	heard(s->served_by);
	if (getpeername(s->fd, &peer.sa, &len))
		return;
	len = addrlen;
	if (!getsockopt(s->fd, family == AF_INET ? SOL_IP : SOL_IPV6, ORIGINAL_DST,
			&orig, &len))
		print_addr(&orig, dst, sizeof(dst));
	n = snprintf(buf, sizeof(buf), "%s %u %s\n", s->served_by,
		     ntohs(peer.in.sin_port), dst);
	send(s->fd, buf, n, MSG_NOSIGNAL);
}

static void answered(const char *who, unsigned int port, unsigned int own, __u64 since)
{
	__u64 took = now_ms() - since;

	count->answered++;
	if (letter(who) >= 0)
		count->by[letter(who)]++;
	if (port != own)
		count->rewritten++;
	if (took > count->max_ms)
		count->max_ms = took;
	if (took > slow_ms)
		count->slow++;
}

/* "? SEQ" is answered with "NAME PORT SEQ", by whomever it reaches. */
static void serve_dgram(struct sock *s)
{
	char buf[TEXT_LEN], who[NAME_LEN];
	unsigned int port, seq;
	union addr peer;
	socklen_t len = sizeof(peer);
	ssize_t n;

	while ((n = recvfrom(s->fd, buf, sizeof(buf) - 1, 0, &peer.sa, &len)) >= 0) {
		buf[n] = '\0';
		if (sscanf(buf, "? %u", &seq) == 1) {
			heard(s->name);
			n = snprintf(buf, sizeof(buf), "%s %u %u", s->name,
				     ntohs(peer.in.sin_port), seq);
			sendto(s->fd, buf, n, 0, &peer.sa, len);
		} else if (sscanf(buf, "%23s %u %u", who, &port, &seq) == 3) {
			if (s->kind == DGRAM && seq == s->seq && !s->answered) {
				s->answered = true;
				if (s->start)
					answered(who, port, local_port(s->fd), s->start);
			}
		}
		len = sizeof(peer);
	}
}

/*
 * Serves what there is to serve, waiting up to @ms for something. Returns what
 * happened to @s, of @events.
 */
static int pump(int ms, struct sock *s, short events)
{
	static struct pollfd pfd[MAX_SOCKS];
	unsigned int i, n = used;

	for (i = 0; i < n; i++) {
		/* poll() ignores negative descriptors */
		pfd[i].fd = -1;
		pfd[i].events = POLLIN;
		pfd[i].revents = 0;
		if (&socks[i] == s && events) {
			pfd[i].fd = s->fd;
			pfd[i].events = events;
		} else if (socks[i].kind != FREE && socks[i].kind != CLIENT &&
			   !socks[i].deaf) {
			pfd[i].fd = socks[i].fd;
		}
	}
	if (poll(pfd, n, ms) < 0)
		die("poll");
	for (i = 0; i < n; i++) {
		if (!pfd[i].revents || (&socks[i] == s && events))
			continue;
		if (socks[i].kind == LISTENER)
			serve_listener(&socks[i]);
		else if (socks[i].kind == ACCEPTED)
			serve_accepted(&socks[i]);
		else if (socks[i].kind == DGRAM)
			serve_dgram(&socks[i]);
	}
	return s && events ? pfd[s - socks].revents : 0;
}

static int left(__u64 deadline)
{
	__s64 ms = deadline - now_ms();

	return ms > 0 ? ms : 0;
}

static void gave_up(void)
{
	count->gaveup++;
	count->slow++;
}

static void failed(int error)
{
	count->slow++;
	if (count->failed++ < 2)
		fprintf(stderr, "# scene: %s: %s\n", line, strerror(error));
}

/* --- sockets --------------------------------------------------------------- */

struct options {
	const char *at, *dev;
	const char *from;
	int mark;
	bool reuse, reuseport, transparent, freebind, fastopen, mptcp, idle;
};

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

static struct options options(char **word, bool reuse)
{
	struct options o = { .reuse = reuse };

	for (; *word; word++) {
		if (!strcmp(*word, "from") && word[1])
			o.from = *++word;
		else if (!strcmp(*word, "at") && word[1])
			o.at = *++word;
		else if (!strcmp(*word, "dev") && word[1])
			o.dev = *++word;
		else if (!strcmp(*word, "mark") && word[1])
			o.mark = atoi(*++word);
		else if (!strcmp(*word, "reuse"))
			o.reuse = true;
		else if (!strcmp(*word, "noreuse"))
			o.reuse = false;
		else if (!strcmp(*word, "reuseport"))
			o.reuseport = true;
		else if (!strcmp(*word, "transparent"))
			o.transparent = true;
		else if (!strcmp(*word, "freebind"))
			o.freebind = true;
		else if (!strcmp(*word, "idle"))
			o.idle = true;
		else if (!strcmp(*word, "fastopen"))
			o.fastopen = true;
		else if (!strcmp(*word, "mptcp"))
			o.mptcp = true;
		else
			wrong("no such option");
	}
	return o;
}

/* Returns a bound socket, or -1 if the port or the device was refused. */
static int make(int type, const struct options *o)
{
	int proto = o->mptcp ? IPPROTO_MPTCP : 0;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
	union addr a;

	if (fd < 0)
		die("socket");
	if (o->reuse)
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (o->reuseport)
		set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (family == AF_INET6)
		set(fd, SOL_IPV6, IPV6_V6ONLY, 1);
	if (o->transparent)
		set(fd, family == AF_INET ? SOL_IP : SOL_IPV6,
		    family == AF_INET ? IP_TRANSPARENT : IPV6_TRANSPARENT, 1);
	if (o->freebind)
		set(fd, family == AF_INET ? SOL_IP : SOL_IPV6,
		    family == AF_INET ? IP_FREEBIND : FREEBIND6, 1);
	if (o->mark)
		set(fd, SOL_SOCKET, SO_MARK, o->mark);
	if (o->dev && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->dev, strlen(o->dev)))
		goto refused;
	if (!o->from && !o->at)
		return fd;
	a = to_addr(o->at ?: family == AF_INET ? "0.0.0.0" : "::", o->from ?: "0");
	if (!bind(fd, &a.sa, addrlen))
		return fd;
refused:
	close(fd);
	return -1;
}

void do_listen(char **word)
{
	struct options o = options(word + 2, true);
	int fd;

	o.from = word[1];
	fd = make(SOCK_STREAM, &o);
	if (fd < 0)
		die("bind");
	if (o.fastopen)
		set(fd, SOL_TCP, TCP_FASTOPEN, 100);
	if (listen(fd, 4096))
		die("listen");
	new_sock(word[0], LISTENER, fd)->deaf = o.idle;
}

void do_udp(char **word)
{
	struct options o = options(word + 1, false);
	int fd = make(SOCK_DGRAM, &o);

	if (fd < 0)
		die("bind");
	new_sock(word[0], DGRAM, fd);
}

static void question(struct sock *s)
{
	char buf[TEXT_LEN];
	int n = snprintf(buf, sizeof(buf), "? %s\n", s->name);

	s->asked = send(s->fd, buf, n, MSG_NOSIGNAL) == n;
}

/* Returns NULL and errno if it was refused. */
static struct sock *begin(char **word)
{
	struct options o = options(word + 3, true);
	union addr dst = to_addr(word[1], word[2]);
	int fd = make(SOCK_STREAM, &o), error;
	struct sock *s;

	if (fd < 0)
		return NULL;
	if (find(word[0]))
		wrong("the name is in use");
	if (o.fastopen)
		set(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, 1);
	s = new_sock(word[0], CLIENT, fd);
	s->dst = dst;
	s->start = now_ms();
	if (connect(fd, &dst.sa, addrlen) && errno != EINPROGRESS) {
		error = errno;
		forget(s);
		errno = error;
		return NULL;
	}
	/* With a cookie at hand this sends the SYN, else it goes alone. */
	if (o.fastopen)
		question(s);
	return s;
}

/* Returns false if it failed, which is counted. */
static bool wait_up(struct sock *s)
{
	__u64 deadline = s->start + patience_ms;
	socklen_t len = sizeof(int);
	int error = 0;

	while (!pump(left(deadline), s, POLLOUT)) {
		if (left(deadline))
			continue;
		gave_up();
		return false;
	}
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		failed(error);
	return !error;
}

static void wait_answer(struct sock *s)
{
	char who[NAME_LEN], addr[INET6_ADDRSTRLEN], want[64], got[64];
	__u64 deadline = s->start + patience_ms;
	struct tcp_info info = {};
	socklen_t len = sizeof(info);
	unsigned int port, dport;
	int error;

	for (;;) {
		if (pump(left(deadline), s, POLLIN)) {
			if (read_line(s, &error))
				break;
			if (error) {
				failed(error);
				return;
			}
		} else if (!left(deadline)) {
			gave_up();
			return;
		}
	}
	if (sscanf(s->in, "%23s %u %45s %u", who, &port, addr, &dport) != 4)
		wrong("not an answer");
	answered(who, port, local_port(s->fd), s->start);
	print_addr(&s->dst, want, sizeof(want));
	snprintf(got, sizeof(got), "%s %u", addr, dport);
	if (strcmp(want, got))
		count->misled++;
	if (!getsockopt(s->fd, SOL_TCP, TCP_INFO, &info, &len)) {
		count->resent += info.tcpi_total_retrans != 0;
		count->fastopened += !!(info.tcpi_options & TCPI_OPT_SYN_DATA);
	}
}

static void complete(struct sock *s)
{
	count->asked++;
	if (!wait_up(s))
		return;
	if (!s->asked)
		question(s);
	wait_answer(s);
}

void do_start(char **word)
{
	if (!begin(word))
		die("connect");
}

void do_connect(char **word)
{
	struct sock *s = begin(word);

	if (s) {
		complete(s);
	} else {
		count->asked++;
		failed(errno);
	}
}

void do_try(char **word)
{
	struct sock *s = begin(word);

	if (s)
		complete(s);
	else
		count->denied++;
}

void do_finish(char **word)
{
	complete(get(word[0]));
}

void do_up(char **word)
{
	wait_up(get(word[0]));
}

void do_aim(char **word)
{
	struct sock *s = get(word[0]);

	s->dst = to_addr(word[1], word[2]);
	if (connect(s->fd, &s->dst.sa, addrlen))
		die("connect");
}

static void send_dgram(struct sock *s, char **word)
{
	static unsigned int seq;
	union addr dst;
	char buf[32];
	int n;

	s->seq = ++seq;
	s->answered = false;
	n = snprintf(buf, sizeof(buf), "? %u", s->seq);
	if (word[1])
		dst = to_addr(word[1], word[2]);
	if (sendto(s->fd, buf, n, 0, word[1] ? &dst.sa : NULL, word[1] ? addrlen : 0) != n)
		die("send");
}

void do_poke(char **word)
{
	struct options o = options(word + 2, false);
	union addr dst = to_addr(word[0], word[1]);
	int fd = make(SOCK_DGRAM, &o);

	if (fd < 0 || sendto(fd, "? 0", 3, 0, &dst.sa, addrlen) != 3)
		count->denied++;
	if (fd < 0)
		return;
	pump(0, NULL, 0);
	close(fd);
}

void do_ask(char **word)
{
	struct sock *s = get(word[0]);
	__u64 deadline;

	count->asked++;
	s->start = now_ms();
	deadline = s->start + patience_ms;
	if (s->kind != DGRAM) {
		question(s);
		wait_answer(s);
		return;
	}
	send_dgram(s, word);
	while (!s->answered && left(deadline))
		pump(left(deadline), NULL, 0);
	s->start = 0;
	if (!s->answered)
		gave_up();
}

void do_tell(char **word)
{
	struct sock *s = get(word[0]);

	s->start = 0;
	if (s->kind == DGRAM)
		send_dgram(s, word);
	else
		question(s);
	/* On this machine it has arrived already. */
	pump(10, NULL, 0);
	/* The answer. */
	pump(10, NULL, 0);
}

/* A question that is cut on its way; what fills it up is not looked at. */
void do_big(char **word)
{
	static char buf[65000];
	struct sock *s = get(word[0]);
	size_t size = to_number(word[1]);

	if (s->kind != DGRAM || size > sizeof(buf))
		wrong("not a datagram");
	memset(buf, ' ', size);
	memcpy(buf, "? 0", 3);
	if (send(s->fd, buf, size, 0) != (ssize_t)size)
		die("send");
	pump(10, NULL, 0);
	pump(10, NULL, 0);
}

void do_pass(char **word)
{
	struct sock *from = get(word[0]), *to = get(word[1]);
	__u64 deadline = now_ms() + patience_ms;
	int error = 0;

	if (send(from->fd, "word\n", 5, MSG_NOSIGNAL) != 5) {
		failed(errno);
		return;
	}
	while (left(deadline)) {
		if (!pump(left(deadline), to, POLLIN))
			continue;
		if (read_line(to, &error)) {
			count->passed++;
			return;
		}
		if (error) {
			failed(error);
			return;
		}
	}
	gave_up();
}

void do_eof(char **word)
{
	struct sock *s = get(word[0]);
	__u64 deadline = now_ms() + patience_ms;
	char buf[64];
	ssize_t n;

	while (left(deadline)) {
		if (!pump(left(deadline), s, POLLIN))
			continue;
		n = read(s->fd, buf, sizeof(buf));
		if (!n)
			return;
		if (n < 0 && errno != EAGAIN)
			die("read");
	}
	wrong("the other end did not close");
}

/* --- ends ------------------------------------------------------------------ */

void do_shut(char **word)
{
	__u64 deadline = now_ms() + patience_ms;
	struct sock *s = get(word[0]);
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (shutdown(s->fd, SHUT_WR))
		die("shutdown");
	do {
		if (getsockopt(s->fd, SOL_TCP, TCP_INFO, &info, &len))
			die("TCP_INFO");
		if (info.tcpi_state != TCP_FIN_WAIT1 && info.tcpi_state != TCP_LAST_ACK)
			return;
		pump(1, NULL, 0);
	} while (left(deadline));
	wrong("nobody has confirmed");
}

void do_close(char **word)
{
	forget(get(word[0]));
}

static void reset(struct sock *s)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	forget(s);
}

void do_reset(char **word)
{
	reset(get(word[0]));
}

void do_drop(char **word)
{
	struct sock *s = find(word[0]);

	if (s)
		reset(s);
}

void do_vanish(char **word)
{
	struct sock *s = get(word[0]);

	set(s->fd, SOL_TCP, TCP_REPAIR, 1);
	forget(s);
}

/* --- for others to look at ------------------------------------------------- */

void do_lend(char **word)
{
	struct sock *s = get(word[0]);
	char command[TEXT_LEN] = "";
	int status;
	pid_t pid;

	for (word++; *word; word++) {
		strncat(command, *word, sizeof(command) - strlen(command) - 2);
		strcat(command, " ");
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		dup2(s->fd, STDIN_FILENO);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		wrong("the command failed");
}

void do_accept(char **word)
{
	FILE *to = fopen(word[1], "w");
	struct sock *s = get(word[0]);
	union addr orig;
	socklen_t len;
	char buf[64];
	int fd;

	if (!to)
		die(word[1]);
	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		len = addrlen;
		if (getsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6, ORIGINAL_DST,
			       &orig, &len))
			snprintf(buf, sizeof(buf), "%s", strerror(errno));
		else
			print_addr(&orig, buf, sizeof(buf));
		fprintf(to, "%s\n", buf);
		close(fd);
	}
	fclose(to);
}

static __u32 sum(__u32 sum, const void *data, size_t len)
{
	const __u8 *p = data;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	return sum;
}

void do_segment(char **word)
{
	static const char letters[] = "FSRPA";
	union addr src = to_addr(word[0], word[1]), dst = to_addr(word[2], word[3]);
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	size_t addr = family == AF_INET ? 4 : 16, len;
	char buf[TEXT_LEN] = {};
	struct tcphdr *th = (void *)buf;
	const char *c, *l;
	__u8 flags = 0;
	__u32 check;

	if (fd < 0)
		die("raw socket");
	for (c = word[4]; *c; c++) {
		l = strchr(letters, *c);
		if (!l)
			wrong("no such flag");
		flags |= 1 << (l - letters);
	}
	len = sizeof(*th);
	if (word[7])
		len += snprintf(buf + len, sizeof(buf) - len, "%s", word[7]);
	th->source = src.in.sin_port;
	th->dest = dst.in.sin_port;
	th->seq = htonl(to_number(word[5]));
	th->ack_seq = htonl(to_number(word[6]));
	th->doff = sizeof(*th) / 4;
	buf[13] = flags;
	th->window = htons(64000);
	check = sum(0, buf, len) + IPPROTO_TCP + len;
	check = sum(check, family == AF_INET ? (void *)&src.in.sin_addr :
		    (void *)&src.in6.sin6_addr, addr);
	check = sum(check, family == AF_INET ? (void *)&dst.in.sin_addr :
		    (void *)&dst.in6.sin6_addr, addr);
	while (check >> 16)
		check = (check & 0xffff) + (check >> 16);
	th->check = htons(~check);
	/* To a raw socket a port is nothing, and IPv6 refuses one. */
	src.in.sin_port = 0;
	dst.in.sin_port = 0;
	if (bind(fd, &src.sa, addrlen) || sendto(fd, buf, len, 0, &dst.sa, addrlen) < 0)
		die("send");
	close(fd);
}
