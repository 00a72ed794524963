// SPDX-License-Identifier: GPL-2.0
/* Base chains of nf_tables, as they are in a generation of the rules. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nftchain.h"

static struct mnl_socket *asker;
static struct nft_chain *chains;
static unsigned int chain_count;
static uint32_t generation;	/* that the chains are of */
static __u64 answer[8192];

struct mnl_socket *nftchain_connect(void)
{
	struct mnl_socket *new = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (new && mnl_socket_bind(new, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(new);
		new = NULL;
	}
	return new;
}

/* Ask, and have each answer taken. */
static bool talk(int type, int flags, int (*take)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	char request[MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)] = "";
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	static uint32_t seq;
	struct nfgenmsg *nfg;
	ssize_t received;
	int more;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_UNSPEC;
	if (mnl_socket_sendto(asker, nlh, nlh->nlmsg_len) < 0)
		return false;
	do {
		received = mnl_socket_recvfrom(asker, answer, sizeof(answer));
		if (received <= 0)
			return false;
		more = mnl_cb_run(answer, received, seq, mnl_socket_get_portid(asker), take, arg);
	} while (more > MNL_CB_STOP);
	return more == MNL_CB_STOP;
}

static bool ask(int type, int flags, int (*take)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	asker = asker ?: nftchain_connect();
	if (!asker)
		return false;
	if (talk(type, flags, take, arg))
		return true;
	/* The rest of what was not understood must not answer the next question. */
	mnl_socket_close(asker);
	asker = NULL;
	return false;
}

static int take_generation(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;
	uint32_t *number = arg;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID)
			*number = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

uint32_t nftchain_generation(void)
{
	uint32_t number = 0;

	/* The acknowledgment ends it. */
	return ask(NFT_MSG_GETGEN, NLM_F_ACK, take_generation, &number) ? number : 0;
}

static struct nft_chain *find_chain(uint8_t family, const char *table, const char *name)
{
	struct nft_chain *chain = chains;

	while (chain && (chain->family != family || strcmp(chain->table, table) ||
			 strcmp(chain->name, name)))
		chain = chain->next;
	return chain;
}

/* One that is known keeps its number. */
static bool keep_chain(const struct nft_chain *listed)
{
	struct nft_chain *chain = find_chain(listed->family, listed->table, listed->name);
	struct nft_chain *next = chain ? chain->next : chains;
	unsigned int number = chain ? chain->number : chain_count++;

	if (!chain) {
		chain = malloc(sizeof(*chain));
		if (!chain)
			return false;
		chains = chain;
	}
	*chain = *listed;
	chain->is_listed = true;
	chain->number = number;
	chain->next = next;
	return true;
}

/* Note a base chain that is listed. */
static int take_chain(const struct nlmsghdr *nlh, void *arg)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	struct nft_chain listed = { .family = nfg->nfgen_family }, *chain = &listed;
	const struct nlattr *attr, *hook = NULL;
	const char *type = "";

	(void)arg;
	mnl_attr_for_each(attr, nlh, sizeof(*nfg)) {
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_TABLE)
			snprintf(chain->table, sizeof(chain->table), "%s", mnl_attr_get_str(attr));
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_NAME)
			snprintf(chain->name, sizeof(chain->name), "%s", mnl_attr_get_str(attr));
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_TYPE)
			type = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_USE)
			chain->rules = ntohl(mnl_attr_get_u32(attr));
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_HOOK)
			hook = attr;
	}
	if (!hook || !nft_family(chain->family))
		return MNL_CB_OK;
	mnl_attr_for_each_nested(attr, hook) {
		if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM)
			chain->hook = ntohl(mnl_attr_get_u32(attr));
		if (mnl_attr_get_type(attr) == NFTA_HOOK_PRIORITY)
			chain->priority = ntohl(mnl_attr_get_u32(attr));
	}
	chain->is_nat = !strcmp(type, "nat");
	/* NAT has one place in a hook; its chains have their order there. */
	if (chain->is_nat)
		chain->priority = chain->hook == NF_INET_PRE_ROUTING ||
				  chain->hook == NF_INET_LOCAL_OUT ? -100 : 100;
	return keep_chain(chain) ? MNL_CB_OK : MNL_CB_ERROR;
}

/* Those that were not listed are gone. */
static void drop_others(void)
{
	struct nft_chain **next = &chains;

	while (*next) {
		struct nft_chain *chain = *next;

		if (chain->is_listed) {
			next = &chain->next;
		} else {
			*next = chain->next;
			free(chain);
		}
	}
}

static void list_chains(void)
{
	uint32_t now = nftchain_generation();

	for (struct nft_chain *chain = chains; chain; chain = chain->next)
		chain->is_listed = false;
	if (!ask(NFT_MSG_GETCHAIN, NLM_F_DUMP, take_chain, NULL))
		return;
	drop_others();
	generation = now;
}

const struct nft_chain *nftchain_find(const struct nft_step *step)
{
	const struct nft_chain *chain = find_chain(step->family, step->table, step->chain);
	static struct timespec listed;
	struct timespec now;

	if (chain && generation && generation == step->generation)
		return chain;
	if (chain && generation == nftchain_generation())
		return chain;
	/* It has come since, or another one has; or gone, and to list all costs something. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - listed.tv_sec) * 10 + (now.tv_nsec - listed.tv_nsec) / 100000000 < 2)
		return NULL;
	listed = now;
	list_chains();
	return find_chain(step->family, step->table, step->chain);
}

bool nftchain_has_nat(int family)
{
	uint8_t own = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	list_chains();
	for (const struct nft_chain *chain = chains; chain; chain = chain->next)
		if (chain->is_nat && chain->rules &&
		    (chain->family == own || chain->family == NFPROTO_INET))
			return true;
	return false;
}

void nftchain_free(void)
{
	while (chains) {
		struct nft_chain *next = chains->next;

		free(chains);
		chains = next;
	}
	if (asker)
		mnl_socket_close(asker);
	asker = NULL;
}
