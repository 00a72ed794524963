/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlattr;
struct nlmsghdr;

#define FAMILY	33

/* Is the kernel unusual like this? */
int is(const char *word);

/* A message of the datagram that is received next; others may follow its end. */
struct nlmsghdr *begin(int type, unsigned int seq);
struct nlmsghdr *begin_genl(int type, unsigned int seq, int cmd);
void end(const struct nlmsghdr *nlh);

void put_tuple(struct nlmsghdr *nlh, int type, const char *src, int sport, const char *dst,
	       int dport);
void put_ack(const struct nlmsghdr *request, int error, const char *message, int offset,
	     int missing);

/* What was asked for, in the order of the attributes, for the test to see. */
void print_flow(const char *what, const struct nlmsghdr *request, int tuple);

/* Answer flow-get: true if there is nothing to add. */
bool put_flow(const struct nlmsghdr *request);

/* Answer what is asked about sockets and routes: false if it is something else. */
bool put_stack(const struct nlmsghdr *request);

/* Answer rules-get: true if there is nothing to add. */
bool put_rules(const struct nlmsghdr *request);

/* A number in network byte order, of an attribute in a nest, or 0. */
uint16_t port_of(const struct nlattr *nest, int type);

/* Answer sock_diag(7) for audits, and conntrack's own netlink: true if there is nothing to add. */
bool put_diag(const struct nlmsghdr *request);
bool put_ctnl(const struct nlmsghdr *request);

/* Answer nf_tables: false if it is something else. */
bool put_nft(const struct nlmsghdr *request, size_t len);

/* The next datagram of its traces; false with errno set if there is none. */
bool put_nft_trace(void);

/* The next datagram of a list; false if there is none. */
bool put_flows(void);

#endif /* FAKE_H */
