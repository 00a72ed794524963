// SPDX-License-Identifier: GPL-2.0
/*
 * Plays a scene on local sockets: a script on standard input, one order a line.
 *
 * Whatever the script waits for, the sockets it has opened go on serving: each
 * listener accepts, each accepted or datagram socket answers a question with
 * the name of the socket it was asked at and the source port it sees. So one
 * process plays client, proxy and backends, and a scene is always the same.
 *
 * NAME stands for a socket. The one that a listener accepted for NAME is called
 * NAME.peer. A name that is one capital letter has counters of its own.
 *	listen NAME PORT [OPTION...]	a TCP listener
 *	udp NAME [OPTION...]		a datagram socket
 *	connect NAME ADDR PORT [OPTION...]	makes a TCP socket, connects it and asks
 *	start ...			the same, but does not wait
 *	finish NAME			waits for what start began, and asks
 *	up NAME				waits for it, does not ask
 *	try ...				connect that may be refused a port
 *	aim NAME ADDR PORT		connects a datagram socket
 *	ask NAME [ADDR PORT]		asks and waits for the answer
 *	tell NAME [ADDR PORT]		asks and does not wait
 *	big NAME SIZE			tells of so many bytes, connected
 *	pass NAME NAME			a word sent by the one reaches the other
 *	eof NAME			waits until the other end has closed
 *	shut NAME			shutdown(SHUT_WR), until the other end has confirmed
 *	close | reset | vanish NAME	by FIN, by RST, without a packet
 *	drop NAME			reset, if there is such a socket
 *	poke ADDR PORT [OPTION...]	a question by a new socket that closes at once,
 *					if it gets the port
 *	accept NAME FILE		of an idle listener: closes what waits, and writes for
 *					each the address it was sent to, or an error
 *	lend NAME COMMAND		a command with the socket as its standard input
 *	segment ADDR PORT ADDR PORT FLAGS SEQ ACK [TEXT]
 *					by a raw socket; FLAGS: letters of FSRPA
 *	sh COMMAND			a shell command; must succeed
 *	netns NAME | uid NUMBER		for the orders that follow
 *	fresh				a new network namespace, lo up
 *	spawn WHO, on WHO ORDER, quit WHO	a forked process and what it does
 *	repeat N ... end		% is the number of the turn, 0 first;
 *					a port may be written 20000+%
 *	zero				counters to zero
 *
 * Options: from PORT, at ADDR, dev DEVICE, mark NUMBER, reuseport, noreuse (of the
 * address, which is the default for TCP), reuse (for UDP), transparent, freebind,
 * fastopen, mptcp, idle (a listener that does not accept).
 *
 * At the end the counters, as key=value words on one line:
 *	asked		questions that waited for an answer
 *	answered	of these, those with a right one
 *	failed		those that ended with an error
 *	gaveup		those that had none when patience (-g) ended
 *	slow		those answered after the limit (-T), the last two included
 *	resent		TCP connections with a segment sent again
 *	rewritten	answers by somebody who sees another source port
 *	misled		answers by somebody who was told another destination
 *	fastopened	connections whose SYN brought data
 *	denied		tries and pokes that were refused a port
 *	passed		words that reached the other end
 *	max_ms		the slowest right answer
 *	by_X heard_X	answers and questions that X gave and got
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "scene.h"

#define MAX_LINES	256
#define MAX_WORDS	24
#define MAX_CHILDREN	16
#define NAME_LEN	24
#define ORDER_LEN	320

struct child {
	char name[NAME_LEN];
	int fd;
	pid_t pid;
};

int family = AF_INET;
socklen_t addrlen = sizeof(struct sockaddr_in);
unsigned int slow_ms = 500, patience_ms = 8000;
struct counters *count;
const char *line;
static struct child children[MAX_CHILDREN];

static void perform(char *text);

void die(const char *what)
{
	fprintf(stderr, "scene: %s: %s: %s\n", line ? line : "", what,
		errno ? strerror(errno) : "no");
	exit(2);
}

void wrong(const char *what)
{
	errno = 0;
	die(what);
}

/* "20000" or "20000+5" */
unsigned int to_number(const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (*end == '+')
		v += strtoul(end + 1, &end, 10);
	if (!*s || *end)
		wrong("not a number");
	return v;
}

/* --- surroundings ---------------------------------------------------------- */

static void enter_netns(const char *name)
{
	if (join_netns(name))
		die(name);
}

static void do_netns(char **word)
{
	enter_netns(word[0]);
}

static void do_fresh(char **word)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	(void)word;
	if (unshare(CLONE_NEWNET))
		die("unshare");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("lo up");
	close(fd);
}

static void do_uid(char **word)
{
	unsigned int id = to_number(word[0]);

	if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id))
		die("setresuid");
	/* Else it would outlive its parent. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void do_zero(char **word)
{
	bool known[LETTERS];

	(void)word;
	memcpy(known, count->known, sizeof(known));
	memset(count, 0, sizeof(*count));
	memcpy(count->known, known, sizeof(known));
}

/* An order a datagram, a byte when it is done. */
static void obey(int fd)
{
	char text[ORDER_LEN];
	ssize_t n;

	while ((n = read(fd, text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		perform(text);
		if (write(fd, "", 1) != 1)
			die("write");
	}
	exit(0);
}

static struct child *who(const char *name)
{
	unsigned int i;

	for (i = 0; i < MAX_CHILDREN; i++) {
		if (!strcmp(children[i].name, name))
			return &children[i];
	}
	return NULL;
}

static void do_spawn(char **word)
{
	struct child *c = who("");
	unsigned int i;
	int pair[2];

	if (!c || who(word[0]))
		wrong("too many, or twice the same");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	c->pid = fork();
	if (c->pid < 0)
		die("fork");
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		/* Or none of the others would see its end. */
		for (i = 0; i < MAX_CHILDREN; i++) {
			if (children[i].name[0])
				close(children[i].fd);
		}
		obey(pair[1]);
	}
	close(pair[1]);
	c->fd = pair[0];
	snprintf(c->name, NAME_LEN, "%s", word[0]);
}

static void do_on(char **word)
{
	struct child *c = who(word[0]);
	char text[ORDER_LEN];
	size_t len = 0;
	char byte;

	if (!c)
		wrong("no such process");
	for (word++; *word; word++)
		len += snprintf(text + len, sizeof(text) - len, "%s ", *word);
	if (len >= sizeof(text))
		wrong("too long");
	if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len ||
	    read(c->fd, &byte, 1) != 1)
		wrong("the process is gone");
}

static void do_quit(char **word)
{
	struct child *c = who(word[0]);

	if (!c)
		wrong("no such process");
	close(c->fd);
	waitpid(c->pid, NULL, 0);
	c->name[0] = '\0';
}

/* --- the script ------------------------------------------------------------ */

static const struct {
	const char *name;
	unsigned int words;	/* it needs */
	void (*play)(char **word);
} orders[] = {
	{ "listen", 2, do_listen },
	{ "udp", 1, do_udp },
	{ "connect", 3, do_connect },
	{ "start", 3, do_start },
	{ "finish", 1, do_finish },
	{ "up", 1, do_up },
	{ "try", 3, do_try },
	{ "aim", 3, do_aim },
	{ "ask", 1, do_ask },
	{ "tell", 1, do_tell },
	{ "big", 2, do_big },
	{ "poke", 2, do_poke },
	{ "pass", 2, do_pass },
	{ "eof", 1, do_eof },
	{ "shut", 1, do_shut },
	{ "close", 1, do_close },
	{ "drop", 1, do_drop },
	{ "reset", 1, do_reset },
	{ "vanish", 1, do_vanish },
	{ "accept", 2, do_accept },
	{ "lend", 2, do_lend },
	{ "segment", 7, do_segment },
	{ "netns", 1, do_netns },
	{ "fresh", 0, do_fresh },
	{ "uid", 1, do_uid },
	{ "zero", 0, do_zero },
	{ "spawn", 1, do_spawn },
	{ "on", 2, do_on },
	{ "quit", 1, do_quit },
	{}
};

static void shell(const char *command)
{
	fflush(NULL);
	if (system(command))
		wrong("the command failed");
}

static void perform(char *text)
{
	char *word[MAX_WORDS + 1] = {}, *copy = strdup(text), *save;
	unsigned int n = 0, i;

	line = text;
	if (!strncmp(text, "sh ", 3)) {
		shell(text + 3);
		goto done;
	}
	for (char *w = strtok_r(copy, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == MAX_WORDS)
			wrong("too many words");
		word[n++] = w;
	}
	for (i = 0; n && orders[i].name; i++) {
		if (strcmp(orders[i].name, word[0]))
			continue;
		if (n - 1 < orders[i].words)
			wrong("words are missing");
		orders[i].play(word + 1);
		goto done;
	}
	if (n)
		wrong("no such order");
done:
	line = NULL;
	free(copy);
}

/* Plays @text with each % replaced by @turn. */
static void turn(const char *text, unsigned int turn)
{
	char buf[1024];
	size_t len = 0;

	for (; *text && len < sizeof(buf) - 12; text++) {
		if (*text == '%')
			len += sprintf(buf + len, "%u", turn);
		else
			buf[len++] = *text;
	}
	buf[len] = '\0';
	perform(buf);
}

static void play(char **lines, unsigned int n)
{
	unsigned int i, from, to, turns, t;

	for (i = 0; i < n; i++) {
		if (strncmp(lines[i], "repeat ", 7)) {
			perform(lines[i]);
			continue;
		}
		turns = to_number(lines[i] + 7);
		for (from = to = i + 1; to < n && strcmp(lines[to], "end"); to++)
			;
		for (t = 0; t < turns; t++) {
			for (i = from; i < to; i++)
				turn(lines[i], t);
		}
		i = to;
	}
}

static void summary(void)
{
	unsigned int i;

	printf("asked=%llu answered=%llu failed=%llu gaveup=%llu slow=%llu resent=%llu ",
	       count->asked, count->answered, count->failed, count->gaveup,
	       count->slow, count->resent);
	printf("rewritten=%llu misled=%llu fastopened=%llu denied=%llu passed=%llu ",
	       count->rewritten, count->misled, count->fastopened, count->denied,
	       count->passed);
	printf("max_ms=%llu", count->max_ms);
	for (i = 0; i < LETTERS; i++) {
		if (count->known[i])
			printf(" by_%c=%llu heard_%c=%llu", 'A' + i, count->by[i],
			       'A' + i, count->heard[i]);
	}
	puts("");
}

int main(int argc, char **argv)
{
	struct rlimit lim = { .rlim_cur = MAX_SOCKS * 2, .rlim_max = MAX_SOCKS * 2 };
	char *lines[MAX_LINES], *text = NULL;
	size_t size = 0;
	unsigned int n;
	int c;

	while ((c = getopt(argc, argv, "46n:T:g:")) != -1) {
		switch (c) {
		case '4':
			break;
		case '6':
			family = AF_INET6;
			addrlen = sizeof(struct sockaddr_in6);
			break;
		case 'n':
			enter_netns(optarg);
			break;
		case 'T':
			slow_ms = to_number(optarg);
			break;
		case 'g':
			patience_ms = to_number(optarg);
			break;
		default:
			fputs("usage: scene [-4|-6] [-n NETNS] [-T MS] [-g MS] <SCRIPT\n", stderr);
			return 1;
		}
	}
	count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (count == MAP_FAILED || setrlimit(RLIMIT_NOFILE, &lim))
		die("start");

	for (n = 0; n < MAX_LINES; n++) {
		ssize_t len = getline(&text, &size, stdin);

		if (len < 0)
			break;
		if (len && text[len - 1] == '\n')
			text[len - 1] = '\0';
		lines[n] = strdup(text + strspn(text, " \t"));
	}
	if (n == MAX_LINES)
		wrong("too many lines");
	play(lines, n);
	summary();
	return 0;
}
