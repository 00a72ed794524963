// SPDX-License-Identifier: GPL-2.0
/* The socket ledger: all sockets of a namespace, kept to be looked up. */
#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/nf_looptrack.h>

#include "ledger.h"
#include "out.h"

/* What is listed of TCP: all but TIME_WAIT, which has no owner. */
#define TCP_STATES	(DIAG_ALL & ~DIAG_STATE(TIME_WAIT))

#define FIRST_SIZE	1024

static enum exit_code no_memory(void)
{
	return fail(EXIT_SYSTEM, "out of memory");
}

/* Those that wait for anybody are in the chain of their port alone. */
static size_t chain_of(size_t size, uint8_t protocol, uint16_t port,
		       const struct endpoint *remote)
{
	uint32_t key = protocol * 2654435761U + port;

	if (remote && remote->family != AF_UNSPEC) {
		key = key * 2654435761U + remote->port;
		for (size_t i = 0; i < ARRAY_SIZE(remote->addr.s6_addr32); i++)
			key = key * 2654435761U + remote->addr.s6_addr32[i];
	}
	return (key ^ key >> 16) & (size - 1);
}

static struct ledger_socket **chain(const struct ledger *ledger, const struct diag_socket *sock)
{
	return &ledger->chains[chain_of(ledger->size, sock->protocol, sock->local.port,
					&sock->remote)];
}

/* As many chains as sockets, or more. */
static enum exit_code grow(struct ledger *ledger)
{
	struct ledger old = *ledger;

	if (ledger->count < ledger->size)
		return EXIT_OK;
	ledger->size = old.size ? 2 * old.size : FIRST_SIZE;
	ledger->chains = calloc(ledger->size, sizeof(*ledger->chains));
	if (!ledger->chains) {
		*ledger = old;
		return no_memory();
	}
	for (size_t i = 0; i < old.size; i++) {
		while (old.chains[i]) {
			struct ledger_socket *entry = old.chains[i], **head;

			old.chains[i] = entry->next;
			head = chain(ledger, &entry->sock);
			entry->next = *head;
			*head = entry;
		}
	}
	free(old.chains);
	return EXIT_OK;
}

static enum exit_code add(const struct diag_socket *sock, void *arg)
{
	struct ledger *ledger = arg;
	struct ledger_socket *entry, **head;
	enum exit_code code = grow(ledger);

	if (code)
		return code;
	head = chain(ledger, sock);
	for (entry = *head; entry; entry = entry->next)
		if (sock->cookie && entry->sock.cookie == sock->cookie)
			return EXIT_OK;		/* it is told twice */
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return no_memory();
	entry->sock = *sock;
	entry->next = *head;
	*head = entry;
	ledger->count++;
	return EXIT_OK;
}

static int compare(const void *a, const void *b)
{
	const struct endpoint *left = a, *right = b;

	if (left->family != right->family)
		return left->family - right->family;
	return memcmp(&left->addr, &right->addr, sizeof(left->addr));
}

static void add_local(struct ledger *ledger, const struct sockaddr *address)
{
	struct endpoint *end = &ledger->locals[ledger->local_count];

	if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
		return;
	*end = (struct endpoint) { .family = address->sa_family };
	if (end->family == AF_INET)
		memcpy(&end->addr, &((const struct sockaddr_in *)address)->sin_addr,
		       sizeof(struct in_addr));
	else
		end->addr = ((const struct sockaddr_in6 *)address)->sin6_addr;
	if (end->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&end->addr))
		return;
	ledger->local_count++;
}

static enum exit_code read_locals(struct ledger *ledger)
{
	struct ifaddrs *list, *next;
	size_t count = 0;

	if (getifaddrs(&list))
		return fail(EXIT_SYSTEM, "cannot list the addresses of this host: %s",
			    strerror(errno));
	for (next = list; next; next = next->ifa_next)
		count++;
	ledger->locals = calloc(count + 1, sizeof(*ledger->locals));
	for (next = list; next && ledger->locals; next = next->ifa_next)
		add_local(ledger, next->ifa_addr);
	freeifaddrs(list);
	if (!ledger->locals)
		return no_memory();
	qsort(ledger->locals, ledger->local_count, sizeof(*ledger->locals), compare);
	return EXIT_OK;
}

enum exit_code ledger_read(struct ledger *ledger, struct diag *diag)
{
	enum exit_code code;

	ledger_free(ledger);
	code = grow(ledger);
	if (!code)
		code = diag_list(diag, IPPROTO_TCP, TCP_STATES, add, ledger);
	if (!code)
		code = diag_list(diag, IPPROTO_UDP, DIAG_ALL, add, ledger);
	return code ? code : read_locals(ledger);
}

void ledger_free(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->size; i++) {
		while (ledger->chains[i]) {
			struct ledger_socket *entry = ledger->chains[i];

			ledger->chains[i] = entry->next;
			free(entry);
		}
	}
	free(ledger->chains);
	free(ledger->locals);
	*ledger = (struct ledger) { };
}

struct ledger_socket *ledger_find(const struct ledger *ledger, uint8_t protocol,
				  const struct endpoint ends[2],
				  const struct ledger_socket *after)
{
	struct ledger_socket *entry;

	entry = after ? after->next :
			ledger->chains[chain_of(ledger->size, protocol, ends[0].port, &ends[1])];
	for (; entry; entry = entry->next)
		if (entry->sock.protocol == protocol &&
		    endpoint_is_same(&entry->sock.local, &ends[0]) &&
		    endpoint_is_same(&entry->sock.remote, &ends[1]))
			break;
	return entry;
}

const struct diag_socket *ledger_find_server(const struct ledger *ledger, uint8_t protocol,
					     const struct endpoint *end, bool bound)
{
	const struct diag_socket *found = NULL;
	const struct ledger_socket *entry;

	entry = ledger->chains[chain_of(ledger->size, protocol, end->port, NULL)];
	for (; entry; entry = entry->next)
		if (entry->sock.protocol == protocol && entry->sock.remote.family == AF_UNSPEC &&
		    (bound || !entry->sock.device) && diag_serves(&entry->sock, end) &&
		    (!found || entry->sock.cookie < found->cookie))
			found = &entry->sock;
	return found;
}

bool ledger_is_local(const struct ledger *ledger, const struct endpoint *end)
{
	/* All of 127.0.0.0/8 is. */
	if (end->family == AF_INET && end->addr.s6_addr[0] == IN_LOOPBACKNET)
		return true;
	return bsearch(end, ledger->locals, ledger->local_count, sizeof(*end), compare);
}

enum exit_code ledger_walk(const struct ledger *ledger, ledger_take *take, void *arg)
{
	enum exit_code code = EXIT_OK;

	for (size_t i = 0; !code && i < ledger->size; i++)
		for (struct ledger_socket *entry = ledger->chains[i]; !code && entry;
		     entry = entry->next)
			code = take(entry, arg);
	return code;
}
