// SPDX-License-Identifier: GPL-2.0
/* Where the conntrack ledger and the socket ledger disagree. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/nf_looptrack.h>

#include "flow.h"
#include "judge.h"
#include "out.h"
#include "stack.h"

/**
 * struct subject - an entry that is judged
 * @ledger: the sockets
 * @flow: the entry
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @status: IPS_*
 * @original: as it was sent
 * @reply: as it is answered
 * @client: socket of the one who sent, or NULL
 * @server: socket of the one who answers, or NULL
 * @opener: cookie of the socket that opened the flow, or 0
 */
struct subject {
	const struct ledger *ledger;
	json_t *flow;
	uint8_t protocol;
	uint32_t status;
	struct endpoint original[2];
	struct endpoint reply[2];
	json_t *client;
	json_t *server;
	uint64_t opener;
};

static bool read_subject(struct subject *s, const struct ledger *ledger, json_t *flow)
{
	*s = (struct subject) {
		.ledger = ledger,
		.flow = flow,
		.protocol = flow_protocol(flow),
		.status = json_integer_value(json_object_get(flow, "status")),
		.client = json_object_get(flow, "client"),
		.server = json_object_get(flow, "server"),
		.opener = json_integer_value(json_object_get(json_object_get(flow, "owner"),
							     "cookie")),
	};
	endpoint_read_tuple(s->original, json_object_get(flow, "original"));
	endpoint_read_tuple(s->reply, json_object_get(flow, "reply"));
	return s->protocol;
}

static bool is_true(const struct subject *s, const char *key)
{
	return json_is_true(json_object_get(s->flow, key));
}

static uint64_t cookie(json_t *socket)
{
	return json_integer_value(json_object_get(socket, "cookie"));
}

/* "socket 12", if its number is known. */
static const char *name(char text[32], uint64_t cookie)
{
	if (!cookie)
		return "a socket";
	snprintf(text, 32, "socket %llu", (unsigned long long)cookie);
	return text;
}

static bool is_served(const struct subject *s, const struct endpoint *end)
{
	return ledger_find_server(s->ledger, s->protocol, end, true);
}

/* Of UDP the module has not asked sockets that are bound to devices. */
static bool has_udp(const struct subject *s, const struct endpoint ends[2])
{
	return is_served(s, &ends[0]) || ledger_find(s->ledger, s->protocol, ends, NULL);
}

/* Has the socket that opened the flow still its addresses and ports? */
static bool has_opener(const struct subject *s)
{
	const struct ledger_socket *entry = NULL;

	while ((entry = ledger_find(s->ledger, s->protocol, s->original, entry)))
		if (entry->sock.cookie == s->opener)
			return true;
	return false;
}

/*
 * That no socket is found proves nothing: raw and packet sockets, another network
 * namespace, XDP and transparent sockets send on flows that have none. A flow is dead
 * only if it is known which socket opened it, and that is gone.
 */
static bool is_proved(const struct subject *s)
{
	return is_true(s, "is_stale") || (s->opener && !has_opener(s));
}

/* A flow within this host, and no socket at either end */
static bool is_socketless(const struct subject *s)
{
	if (!is_true(s, "is_loopback") || s->client || s->server)
		return false;
	return s->protocol == IPPROTO_TCP || (!has_udp(s, s->original) && !has_udp(s, s->reply));
}

static bool is_orphaned(const struct subject *s)
{
	return is_socketless(s) && is_proved(s);
}

static struct finding *orphaned(const struct subject *s)
{
	struct finding *f = finding_new(FINDING_ORPHANED, s->flow);

	if (!f)
		return NULL;
	f->fixable = true;
	finding_cause(f, "both ends are on this host, and neither has a socket any more");
	if (s->protocol == IPPROTO_TCP && json_integer_value(json_object_get(s->flow, "zone")))
		finding_remedy(f, "remove the entry; linger leaves those of TCP in zones alone");
	else
		finding_remedy(f,
			       "remove the entry; with linger enforced it goes soon after the last socket");
	return f;
}

/* Is the client another socket than the one that opened the flow, which is gone? The
 * module knows whether that of UDP is; without NAT nobody is sent anywhere else.
 */
static bool is_taken_over(const struct subject *s)
{
	if (!stack_is_alive(s->client))
		return false;
	if (s->protocol == IPPROTO_UDP)
		return is_true(s, "is_stale") && s->status & IPS_NAT_MASK;
	return s->opener && cookie(s->client) != s->opener &&
	       strcmp(out_text(s->client, "state"), "new-syn-recv") && !has_opener(s);
}

/* The entry of a connection that has come about is its only one, even if a wrong one. */
static struct finding *taken_over(const struct subject *s)
{
	bool busy = s->protocol == IPPROTO_TCP && strcmp(out_text(s->client, "state"), "syn-sent");
	struct finding *f = finding_new(FINDING_STALE, s->flow);
	char before[32], now[32];

	if (!f)
		return NULL;
	f->cookie = cookie(s->client);
	f->fixable = !busy;
	finding_cause(f,
		      "opened by %s, which is gone; %s has its place now and is sent where the old one was",
		      name(before, s->opener), name(now, f->cookie));
	if (busy)
		finding_remedy(f,
			       "close the connection and open it again; with stale enforced it would have had an entry of its own");
	else
		finding_remedy(f,
			       "remove the entry, and the next packet makes a new one; with stale enforced it does so by itself");
	return f;
}

/* An end of TCP that is gone without a word. */
static struct finding *gone(const struct subject *s)
{
	json_t *left = stack_is_alive(s->client) ? s->client :
		       stack_is_alive(s->server) ? s->server : NULL;
	struct finding *f = finding_new(FINDING_STALE, s->flow);
	char text[32];

	if (!f)
		return NULL;
	f->cookie = cookie(left);
	f->fixable = !left;
	finding_cause(f, "a %s connection, by this entry, whose %s here has no socket any more",
		      out_text(s->flow, "tcp_state"),
		      s->client ? "server" : "client");
	if (left)
		finding_remedy(f, "close the other end, %s, which waits in vain",
			       name(text, f->cookie));
	else
		finding_remedy(f,
			       "remove the entry; with stale enforced the next connection from there removes it");
	return f;
}

/* Who listens where the "client" is, and nobody does at the other end? */
static const struct diag_socket *find_reversed(const struct subject *s)
{
	if (s->protocol != IPPROTO_TCP || !stack_is_alive(s->client) || s->status & IPS_NAT_MASK ||
	    strcmp(out_text(s->flow, "tcp_state"), "established") ||
	    (ledger_is_local(s->ledger, &s->reply[0]) && is_served(s, &s->reply[0])))
		return NULL;
	return ledger_find_server(s->ledger, s->protocol, &s->original[0], true);
}

static struct finding *reversed(const struct subject *s, const struct diag_socket *listener)
{
	struct finding *f = finding_new(FINDING_REVERSED, s->flow);
	char text[32];

	if (!f)
		return NULL;
	f->cookie = cookie(s->client);
	f->fixable = true;
	json_object_set_new(f->facts, "listener", diag_json(listener));
	finding_cause(f,
		      "begun in the middle of the connection, by a packet of its server: what it takes for the client has port %u, on which %s listens",
		      s->original[0].port, name(text, listener->cookie));
	finding_remedy(f,
		       "turn the entry round, as --fix does; or remove it, and let the client speak first");
	return f;
}

/* Who waits for packets that NAT gives to this flow? A port that its client has itself is
 * not NAT's doing.
 */
static const struct diag_socket *find_shadowed(const struct subject *s)
{
	const struct endpoint *taken = &s->reply[1];

	if (!(s->status & IPS_SRC_NAT) || !ledger_is_local(s->ledger, taken) ||
	    (ledger_is_local(s->ledger, &s->original[0]) && s->original[0].port == taken->port))
		return NULL;
	return ledger_find_server(s->ledger, s->protocol, taken, false);
}

static struct finding *shadowed(const struct subject *s, const struct diag_socket *listener)
{
	struct finding *f = finding_new(FINDING_SHADOWED, s->flow);
	char text[32];

	if (!f)
		return NULL;
	f->cookie = listener->cookie;
	json_object_set_new(f->facts, "listener", diag_json(listener));
	finding_cause(f,
		      "NAT has given this flow port %u, on which %s waits: that never gets what the flow's server sends to it",
		      s->reply[1].port, name(text, listener->cookie));
	finding_remedy(f,
		       "keep SNAT rules off the port (--to-ports, or \"to :FIRST-LAST\"); with listeners enforced they leave those of sockets alone");
	return f;
}

/* Does an entry in this state look as if the end that sends in @direction were there? */
static bool needs(const struct subject *s, const char *direction)
{
	static const char *const opening[] = { "syn-sent", "syn-recv" };
	static const char *const open[] = { "established", "fin-wait", "close-wait" };
	const char *state = out_text(s->flow, "tcp_state");

	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		if (!strcmp(state, open[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(opening); i++)
		if (!strcmp(state, opening[i]))
			return !strcmp(direction, "original");
	return false;
}

/* Whose end looks as if it were there and has no socket, or NULL */
static const char *find_missing_end(const struct subject *s)
{
	if (is_socketless(s))
		return "either";
	if (s->protocol != IPPROTO_TCP)
		return NULL;
	if (!s->client && needs(s, "original") && ledger_is_local(s->ledger, &s->original[0]))
		return "the client's";
	if (!s->server && needs(s, "reply") && ledger_is_local(s->ledger, &s->reply[0]))
		return "the server's";
	return NULL;
}

/* What conntrack has counted, or at least whether it was answered */
static void describe_packets(const struct subject *s, char *text, size_t size)
{
	json_t *sent = json_object_get(s->flow, "first_original");
	json_t *answered = json_object_get(s->flow, "first_reply");

	if (sent && answered)
		snprintf(text, size,
			 "%" JSON_INTEGER_FORMAT " sent, %" JSON_INTEGER_FORMAT " answered",
			 json_integer_value(json_object_get(sent, "packets")),
			 json_integer_value(json_object_get(answered, "packets")));
	else
		snprintf(text, size, "%s", s->status & IPS_SEEN_REPLY ? "both directions" :
								       "one direction");
}

static struct finding *unknown(const struct subject *s, const char *missing)
{
	struct finding *f = finding_new(FINDING_UNKNOWN, s->flow);
	char packets[64];

	if (!f)
		return NULL;
	describe_packets(s, packets, sizeof(packets));
	finding_cause(f,
		      "no %s socket has %s end of this flow; raw or packet sockets, another namespace, XDP or a transparent socket may send it; packets seen: %s",
		      s->protocol == IPPROTO_TCP ? "TCP" : "UDP", missing, packets);
	finding_remedy(f,
		       "see whether packets pass, with looptrack trace; if the flow is dead its entry goes by its timeout, or by conntrack -D");
	return f;
}

enum exit_code judge_flow(const struct ledger *ledger, json_t *flow, struct finding **finding)
{
	const struct diag_socket *turned, *shaded;
	const char *missing;
	struct subject s;

	*finding = NULL;
	if (!read_subject(&s, ledger, flow) || s.status & JUDGE_HANDS_OFF)
		return EXIT_OK;

	turned = find_reversed(&s);
	shaded = find_shadowed(&s);
	missing = find_missing_end(&s);
	if (is_orphaned(&s))
		*finding = orphaned(&s);
	else if (is_taken_over(&s))
		*finding = taken_over(&s);
	else if (s.protocol == IPPROTO_TCP && is_true(&s, "is_stale"))
		*finding = gone(&s);
	else if (turned)
		*finding = reversed(&s, turned);
	else if (shaded)
		*finding = shadowed(&s, shaded);
	else if (missing)
		*finding = unknown(&s, missing);
	else
		return EXIT_OK;
	return *finding ? EXIT_OK : fail(EXIT_SYSTEM, "out of memory");
}

/* Of a connection within this host that was not changed by NAT both ends are here: the one
 * that nobody listens at is told of.
 */
static bool is_peers_business(const struct ledger *ledger, const struct diag_socket *sock)
{
	const struct endpoint ends[2] = { sock->remote, sock->local };
	const struct ledger_socket *peer = ledger_find(ledger, sock->protocol, ends, NULL);
	bool listens, peer_listens;

	if (!peer || peer->tracked)
		return false;
	listens = ledger_find_server(ledger, sock->protocol, &sock->local, true);
	peer_listens = ledger_find_server(ledger, sock->protocol, &sock->remote, true);
	return listens == peer_listens ? peer->sock.cookie < sock->cookie : listens;
}

/* What a flow is called by, as far as there is one. */
static json_t *sent_by(const struct diag_socket *sock)
{
	json_t *flow = json_object(), *original = json_object();

	endpoint_json(original, &sock->local, "src", "sport");
	endpoint_json(original, &sock->remote, "dst", "dport");
	json_object_set_new(flow, "protocol", json_string(attr_protocol(sock->protocol)));
	json_object_set_new(flow, "original", original);
	return flow;
}

enum exit_code judge_socket(const struct ledger *ledger, const struct diag_socket *sock,
			    struct finding **finding)
{
	struct finding *f;
	json_t *flow;

	*finding = NULL;
	if (sock->protocol != IPPROTO_TCP || is_peers_business(ledger, sock) ||
	    (sock->state != NF_LOOPTRACK_SOCKET_ESTABLISHED &&
	     sock->state != NF_LOOPTRACK_SOCKET_CLOSE_WAIT))
		return EXIT_OK;

	flow = sent_by(sock);
	f = finding_new(FINDING_MISSING, flow);
	json_decref(flow);
	if (!f)
		return fail(EXIT_SYSTEM, "out of memory");
	f->cookie = sock->cookie;
	json_object_set_new(f->facts, "socket", diag_json(sock));
	finding_cause(f,
		      "conntrack has no entry for this connection: it was flushed, its time ran out, or rules keep its packets from conntrack");
	finding_remedy(f,
		       "close the connection and open it again; NAT that it had is lost, and its next packet, if it gets through, makes an entry in its own direction");
	*finding = f;
	return EXIT_OK;
}
