/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PROXY_H
#define PROXY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "looptrack.h"

struct nlmsghdr;

/* As many as the module knows at a time. */
#define PROXIES_MAX	8

/**
 * struct proxies - what is to be known as a proxy
 * @none: nothing is
 * @count: how many are
 * @proxy: each: NF_LOOPTRACK_A_PROXY_PORT, _UID or _CGROUP, and its value
 */
struct proxies {
	bool none;
	unsigned int count;
	struct {
		unsigned int by;
		uint64_t value;
	} proxy[PROXIES_MAX];
};

/**
 * proxy_parse() - understand "port PORT", "uid UID", "cgroup PATH" or "none"
 * @proxies: those given before, and the one that is added
 * @where: what complaints start with
 * @count: number of words
 * @words: these; there may be more than are wanted
 * @used: how many of them it was; set on success
 *
 * Return: EXIT_OK, or EXIT_USAGE with the wrong word reported.
 */
enum exit_code proxy_parse(struct proxies *proxies, const char *where, int count,
			   char **words, int *used);

/* Write them in the nest of a feature. */
void proxy_put(struct nlmsghdr *nlh, const struct proxies *proxies);

/* Tell the path of each cgroup among the proxies of features; 0, or -1. */
int proxy_add_paths(json_t *features);

/* Room for a proxy in words. */
#define PROXY_SIZE	(PATH_MAX + sizeof("proxy cgroup "))

/* A proxy as proxy_parse() understands it, behind its first word. */
void proxy_text(json_t *proxy, char *text, size_t size);

#endif /* PROXY_H */
