// SPDX-License-Identifier: GPL-2.0
/*
 * Sends messages to the module, sensible and broken ones, and compares what comes with
 * what has to come: the error, the attribute that it names, whether it has a text,
 * what an answer is made of, and what was set before.
 *
 *	fuzz [option...]
 *	-n NETNS	in that namespace
 *	-N COUNT	so many messages (1000000)
 *	-s SEED		the same as before; without one, another
 *	-u USER		as this user, who may not do anything
 *
 * Prints what goes on as TAP comments, at the end how many there were of which command
 * and of which error. Exit status: 0 all was right, 1 not, 2 anything else.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common.h"
#include "fuzz.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define SOCKETS		3
#define FAULTS_MAX	5

/* A socket, and how many flows it has traced. */
static struct {
	int fd;
	unsigned int tracers;
} sockets[SOCKETS];

static struct model model = { .admin = true };
static struct shot shot;
static struct expected expected[SHOT_MESSAGES];
static struct nlmsghdr answer[1 << 15];	/* half a MiB of anything */

static struct {
	unsigned long messages, datagrams, silent, lost, traced, abandoned, dumped, listed;
	unsigned long sent[NF_LOOPTRACK_CMD_MAX + 1], ok[NF_LOOPTRACK_CMD_MAX + 1];
	unsigned long error[256];
	unsigned int faults;
} count;

static void die(const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void open_socket(unsigned int i)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int on = 1, cap = shot_random(4) > 0, size = 4 << 20;

	sockets[i].fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (sockets[i].fd < 0 || bind(sockets[i].fd, (void *)&addr, sizeof(addr)) ||
	    setsockopt(sockets[i].fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(sockets[i].fd, SOL_NETLINK, NETLINK_CAP_ACK, &cap, sizeof(cap)))
		die("socket");
	if (setsockopt(sockets[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(sockets[i].fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(sockets[i].fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(sockets[i].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	sockets[i].tracers = 0;
}

/* Its traces end with it, and a list it has begun. */
static void renew_socket(unsigned int i)
{
	close(sockets[i].fd);
	model.tracers -= sockets[i].tracers;
	open_socket(i);
}

/*****************************************************************************/

static void print_datagram(size_t offset)
{
	size_t end = offset + 160 < shot.len ? offset + 160 : shot.len;

	printf("# datagram of %zu bytes, from %zu on:", shot.len, offset);
	for (size_t i = offset; i < end; i++)
		printf(i % 4 ? "%02x" : " %02x", shot.data[i]);
	printf("\n");
}

static void fault(const struct expected *e, const char *what)
{
	count.faults++;
	printf("# wrong, message %lu, %s: %s\n", count.messages,
	       e && e->cmd ? commands[e->cmd].name : "no command", what);
	if (e) {
		printf("# wanted %s or %s at %u%s, got %s at %u%s, %u answers\n",
		       e->err ? strerrorname_np(e->err) : "0",
		       e->or_err ? strerrorname_np(e->or_err) : "the same", e->where,
		       e->told ? " with text" : "", e->got ? strerrorname_np(e->got) ?: "?" : "0",
		       e->got_where, e->got_text ? " with text" : "", e->replies);
		print_datagram(e->offset);
	}
}

/* What extack says, behind @skip bytes of payload. */
static void read_extack(struct expected *e, const struct nlmsghdr *nlh, size_t skip)
{
	const char *end = (const char *)nlh + nlh->nlmsg_len;
	const char *pos = (const char *)nlh + NLMSG_HDRLEN + NLMSG_ALIGN(skip);

	while (end - pos >= NLA_HDRLEN) {
		const struct nlattr *attr = (const void *)pos;

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > end - pos) {
			fault(e, "an extack that is not well formed");
			return;
		}
		if (attr->nla_type == NLMSGERR_ATTR_MSG)
			e->got_text = attr->nla_len > NLA_HDRLEN + 1;
		if (attr->nla_type == NLMSGERR_ATTR_OFFS)
			memcpy(&e->got_where, attr + 1, sizeof(e->got_where));
		pos += NLA_ALIGN(attr->nla_len);
	}
}

static void read_end(struct expected *e, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = NLMSG_DATA(nlh);
	size_t skip = sizeof(*err);

	if (e->ended)
		fault(e, "two ends");
	e->ended = true;
	e->got = -err->error;
	if (nlh->nlmsg_type == NLMSG_DONE)
		skip = sizeof(err->error);
	else if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += err->msg.nlmsg_len - sizeof(err->msg);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		read_extack(e, nlh, skip);
}

static bool is_drop(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = NLMSG_DATA(nlh);

	return nlh->nlmsg_len >= NLMSG_HDRLEN + GENL_HDRLEN &&
	       genl->cmd == NF_LOOPTRACK_CMD_TRACE_DROP;
}

/* One that comes by itself, or to one of ours. */
static void read_message(const struct nlmsghdr *nlh, __u32 first, unsigned int messages)
{
	struct expected *e = nlh->nlmsg_seq - first < messages ?
			     &expected[nlh->nlmsg_seq - first] : NULL;
	bool flow = false;
	const char *wrong;

	if (!nlh->nlmsg_seq) {
		count.traced++;
		wrong = reply_check(&model, nlh,
				    is_drop(nlh) ? NF_LOOPTRACK_CMD_TRACE_DROP :
						   NF_LOOPTRACK_CMD_TRACE_PACKET, &flow);
		if (wrong)
			fault(NULL, wrong);
	} else if (!e) {
		fault(NULL, "an answer to nothing");
	} else if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE) {
		read_end(e, nlh);
	} else {
		/* What was set in between is not known any more. */
		wrong = e->cmd == NF_LOOPTRACK_CMD_FEATURE_GET && messages > 1 ? NULL :
			reply_check(&model, nlh, e->cmd, &flow);
		if (wrong)
			fault(e, wrong);
		e->replies++;
		e->flows += flow;
	}
}

/* All there is to read. False if something was lost. */
static bool receive(int fd, __u32 first, unsigned int messages)
{
	bool complete = true;
	struct nlmsghdr *nlh;
	int len;

	for (;;) {
		len = recv(fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_TRUNC);
		if (len < 0 && errno == EAGAIN)
			return complete;
		if (len < 0 && errno != ENOBUFS)
			die("receive");
		complete = complete && len >= 0;
		if (len > (int)sizeof(answer))
			die("an answer is too long");
		nlh = answer;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len))
			read_message(nlh, first, messages);
	}
}

/*****************************************************************************/

static void check_error(const struct expected *e)
{
	if (e->got != e->err && !(e->or_err && e->got == e->or_err))
		fault(e, "another error");
	else if (e->got == e->err && e->told && !e->got_text)
		fault(e, "an error without a word");
	else if (e->got == e->err && !e->late && e->where != e->got_where)
		fault(e, "another attribute is named");
	else if (e->replies)
		fault(e, "an answer and an error");
}

static void check_success(const struct expected *e)
{
	if (e->dump) {
		if (!e->ended)
			fault(e, "a list without an end");
		/* It is not under way all the time that a list takes. */
		else if (e->cmd == NF_LOOPTRACK_CMD_FLOW_GET && !e->flows)
			fault(e, "a list without the flow that is there");
	} else if (e->ended != e->ack) {
		fault(e, "an ACK that nobody wants, or none");
	} else if (e->replies != e->reply) {
		fault(e, "no answer, or more than one");
	} else if (e->flow && !e->flows) {
		fault(e, "another flow");
	}
}

static void check(const struct expected *e)
{
	bool refused = e->err && !(e->or_none && e->replies);

	if (e->got && e->or_any) {
		if (!e->got_text)
			fault(e, "an error without a word");
		else if (e->replies)
			fault(e, "an answer and an error");
	} else if (e->got || (refused && !e->or_err)) {
		check_error(e);
	} else {
		check_success(e);
	}
	count.sent[e->cmd]++;
	if (!e->got)
		count.ok[e->cmd]++;
	count.error[e->got & 255]++;
	count.dumped += e->dump;
	count.listed += e->dump ? e->replies : 0;
}

static bool has_dump(unsigned int messages)
{
	for (unsigned int i = 0; i < messages; i++)
		if (expected[i].dump)
			return true;
	return false;
}

/* A list is begun, some of it read perhaps, and nobody wants it any more. */
static void abandon(unsigned int i)
{
	if (shot_random(2))
		recv(sockets[i].fd, answer, shot_random(2) ? sizeof(answer) : 100, MSG_DONTWAIT);
	renew_socket(i);
	count.abandoned++;
}

static unsigned int fire(__u32 seq)
{
	unsigned int i = shot_random(SOCKETS), messages;

	if (sockets[i].tracers)
		receive(sockets[i].fd, seq, 0);
	shot_make(&shot, model.family);
	model.mine = 0;
	model.dumping = false;
	messages = model_expect(&model, &shot, seq, expected);
	sockets[i].tracers += model.mine;
	count.datagrams++;
	count.messages += messages ?: 1;
	count.silent += !messages;
	if (send(sockets[i].fd, shot.data, shot.len, 0) < 0 && (shot.len || errno != ENODATA))
		die("send");
	if (has_dump(messages) && shot_random(4) == 0) {
		abandon(i);
		return messages;
	}
	if (!receive(sockets[i].fd, seq, messages)) {
		count.lost++;
	} else {
		for (unsigned int j = 0; j < messages; j++)
			check(&expected[j]);
	}
	if (shot_random(sockets[i].tracers ? 8 : 256) == 0)
		renew_socket(i);
	return messages;
}

/*****************************************************************************/

/* A connection that is there all the time, with an entry of conntrack's. */
static void connect_flow(void)
{
	struct sockaddr_in from = { AF_INET, htons(FLOW_SPORT), { htonl(FLOW_ADDR) }, {} };
	struct sockaddr_in to = { AF_INET, htons(FLOW_DPORT), { htonl(FLOW_ADDR) }, {} };
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (void *)&to, sizeof(to)) || listen(listener, 1) ||
	    bind(client, (void *)&from, sizeof(from)) ||
	    connect(client, (void *)&to, sizeof(to)) || accept(listener, NULL, NULL) < 0)
		die("a connection");
}

/* Send a command without attributes and wait for the answer. */
static const struct nlmsghdr *ask(__u16 family, __u8 cmd, unsigned int type, const char *text)
{
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
		struct nlattr attr;
		char text[16];
	} request = {
		.nlh = { sizeof(request), family, NLM_F_REQUEST, 1, 0 },
		.genl = { cmd, 1, 0 },
		.attr = { NLA_HDRLEN + sizeof(request.text), type },
	};
	const struct nlmsghdr *nlh = answer;

	if (text)
		memcpy(request.text, text, strlen(text) + 1);
	else
		request.nlh.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	if (send(sockets[0].fd, &request, request.nlh.nlmsg_len, 0) < 0 ||
	    recv(sockets[0].fd, answer, sizeof(answer), 0) < 0)
		die("ask");
	if (nlh->nlmsg_type != family)
		die("the module does not answer");
	return nlh;
}

static void find_family(void)
{
	const struct nlmsghdr *nlh = ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
					 CTRL_ATTR_FAMILY_NAME, NF_LOOPTRACK_GENL_NAME);
	const char *pos = (const char *)nlh + NLMSG_HDRLEN + GENL_HDRLEN;
	const char *end = (const char *)nlh + nlh->nlmsg_len;

	while (end - pos > NLA_HDRLEN) {
		const struct nlattr *attr = (const void *)pos;

		if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&model.family, attr + 1, sizeof(model.family));
		pos += NLA_ALIGN(attr->nla_len);
	}
	/* What the kernel says of itself has to be read, too. */
	while (recv(sockets[0].fd, answer, sizeof(answer), MSG_DONTWAIT) >= 0)
		;
}

static void print_figures(__u64 seed, __u64 since)
{
	printf("# seed %llu: %lu messages in %lu datagrams, %llu s\n", seed, count.messages,
	       count.datagrams, (now_ns() - since) / 1000000000);
	printf("# without a header %lu, lists %lu of %lu entries, abandoned %lu\n", count.silent,
	       count.dumped, count.listed, count.abandoned);
	printf("# packets traced %lu, answers lost %lu\n", count.traced, count.lost);
	for (unsigned int i = 0; i <= NF_LOOPTRACK_CMD_MAX; i++)
		if (count.sent[i])
			printf("# %s: %lu, successful %lu\n",
			       i ? commands[i].name : "no command", count.sent[i], count.ok[i]);
	printf("# errors:");
	for (unsigned int i = 1; i < ARRAY_SIZE(count.error); i++)
		if (count.error[i])
			printf(" %s %lu", strerrorname_np(i), count.error[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	unsigned long wanted = 1000000, next;
	__u64 seed = 0, since = now_ns();
	uid_t user = 0;
	__u32 seq = 1;
	int c;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		die("getrandom");
	while ((c = getopt(argc, argv, "n:N:s:u:")) != -1) {
		if (c == 'n' && join_netns(optarg))
			die(optarg);
		else if (c == 'N')
			wanted = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'u')
			user = strtoul(optarg, NULL, 0);
		else if (c == '?')
			return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	connect_flow();
	if (user) {
		model.admin = false;
		if (setresuid(user, user, user))
			die("setresuid");
	}
	shot_seed(seed);
	printf("# seed %llu\n", seed);
	for (unsigned int i = 0; i < SOCKETS; i++)
		open_socket(i);
	find_family();
	reply_learn(&model.state, ask(model.family, NF_LOOPTRACK_CMD_FEATURE_GET, 0, NULL));

	next = wanted / 10;
	while (count.messages < wanted && count.faults < FAULTS_MAX) {
		seq += fire(seq);
		if (count.messages >= next) {
			printf("# %lu messages, %llu s\n", count.messages,
			       (now_ns() - since) / 1000000000);
			next += wanted / 10;
		}
	}
	print_figures(seed, since);
	if (count.lost > count.datagrams / 100) {
		printf("# too many answers were lost\n");
		return 1;
	}
	return count.faults ? 1 : 0;
}
