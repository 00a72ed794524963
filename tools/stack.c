// SPDX-License-Identifier: GPL-2.0
/* The stack's view of one flow. */
#include <netinet/in.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "diag.h"
#include "out.h"
#include "process.h"
#include "stack.h"

/**
 * struct view - the sockets of a flow, as they are found
 * @client: ends of the client's socket
 * @server: ends of the server's
 * @is_from_here: the client's end is an address of this host
 * @is_to_here: what is sent to the server's end is for this host
 * @stack: what was found
 * @rank: how well the client's socket fits: a UDP socket need not be connected, nor bound
 *	to an address
 */
struct view {
	const struct endpoint *client;
	const struct endpoint *server;
	bool is_from_here;
	bool is_to_here;
	json_t *stack;
	int rank;
};

static bool has_ends(const struct diag_socket *sock, const struct endpoint ends[2])
{
	return endpoint_is_same(&sock->local, &ends[0]) &&
	       endpoint_is_same(&sock->remote, &ends[1]);
}

static bool is_connected(const struct diag_socket *sock)
{
	return sock->remote.family != AF_UNSPEC;
}

/* Is this a socket's end? One without an address has the port of this host's addresses. */
static bool has_port(const struct diag_socket *sock, const struct endpoint *end, bool is_here)
{
	return endpoint_is_same(&sock->local, end) || (is_here && diag_serves(sock, end));
}

/* How well a UDP socket fits that sends to whom it likes; 0 if it does not. */
static int rank_sender(const struct diag_socket *sock, const struct view *view)
{
	const struct endpoint *end = &view->client[0];

	if (sock->protocol != IPPROTO_UDP || is_connected(sock) ||
	    !has_port(sock, end, view->is_from_here))
		return 0;
	return endpoint_is_same(&sock->local, end) ? 2 : 1;
}

/* One may be told twice. */
static bool is_same(json_t *socket, json_t *other)
{
	return json_equal(json_object_get(socket, "cookie"), json_object_get(other, "cookie"));
}

static void add(json_t *stack, const char *key, json_t *socket)
{
	json_t *list = json_object_get(stack, key), *other;
	size_t i;

	json_array_foreach(list, i, other)
		if (is_same(socket, other))
			return;
	/* Of thousands of sockets of a port, the listener says most. */
	if (!strcmp(out_text(socket, "state"), "listen"))
		json_array_insert(list, 0, socket);
	else
		json_array_append(list, socket);
	json_array_remove(list, STACK_MANY);
}

static void add_client(struct view *view, json_t *socket, int rank)
{
	json_t *before = json_object_get(view->stack, "client");

	if (view->rank && is_same(socket, before))
		return;
	if (rank <= view->rank) {
		add(view->stack, "port", socket);
		return;
	}
	if (view->rank)
		add(view->stack, "port", before);
	json_object_set(view->stack, "client", socket);
	view->rank = rank;
}

static enum exit_code take(const struct diag_socket *sock, void *arg)
{
	struct view *view = arg;
	int rank = has_ends(sock, view->client) ? 3 : rank_sender(sock, view);
	bool listens = sock->protocol == IPPROTO_TCP ?
		       sock->state == NF_LOOPTRACK_SOCKET_LISTEN : !is_connected(sock);
	json_t *socket = diag_json(sock);

	if (rank)
		add_client(view, socket, rank);
	else if (has_ends(sock, view->server))
		json_object_set(view->stack, "server", socket);
	else if (listens && has_port(sock, &view->server[0], view->is_to_here))
		add(view->stack, "listeners", socket);
	else if (has_port(sock, &view->client[0], view->is_from_here))
		add(view->stack, "port", socket);
	else if (endpoint_is_same(&sock->remote, &view->server[1]))
		add(view->stack, "peers", socket);
	json_decref(socket);
	return EXIT_OK;
}

/* Whose they are. */
static void name(json_t *stack)
{
	json_t *all = json_array(), *value;
	const char *key;

	json_object_foreach(stack, key, value) {
		if (json_is_array(value))
			json_array_extend(all, value);
		else if (json_is_object(value))
			json_array_append(all, value);
	}
	process_name(all);
	json_decref(all);
}

enum exit_code stack_get(uint8_t protocol, const struct endpoint client[2], bool is_from_here,
			 const struct endpoint server[2], bool is_to_here, json_t **stack)
{
	struct view view = {
		.client = client, .is_from_here = is_from_here,
		.server = server, .is_to_here = is_to_here,
		.stack = json_pack("{s:n, s:n, s:[], s:[], s:[]}", "client", "server",
				   "listeners", "port", "peers"),
	};
	enum exit_code code;
	struct diag diag;

	code = diag_open(&diag);
	if (!code)
		code = diag_list(&diag, protocol, DIAG_ALL, take, &view);
	diag_close(&diag);
	if (code) {
		json_decref(view.stack);
		return code;
	}
	name(view.stack);
	*stack = view.stack;
	return EXIT_OK;
}

bool stack_is_alive(const json_t *socket)
{
	const char *state = json_string_value(json_object_get(socket, "state"));

	return state && strcmp(state, "time-wait");
}
