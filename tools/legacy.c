// SPDX-License-Identifier: GPL-2.0
/*
 * Tables of iptables-legacy in this namespace. They know packets that nf_tables traces by
 * the same bit of the packet, and have each of them logged, without a limit, where a logger
 * is set: ipt_do_table(), nf_log_trace().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "legacy.h"
#include "out.h"
#include "ruletext.h"

/* Appends the names of tables, as "IPv4 nat, filter". */
static enum exit_code add_tables(FILE *out, const char *command, const char *path,
				 const char *label, bool *any)
{
	FILE *file = fopen(path, "re");
	bool first = true;
	char name[33];

	if (!file && errno == ENOENT)
		return EXIT_OK;
	if (!file)
		return fail(EXIT_REFUSED,
			    "%s: cannot read %s: %s; if iptables-legacy has tables, the kernel logs each packet that is traced through them; to trace all the same say --force",
			    command, path, strerror(errno));
	while (fscanf(file, "%32s", name) == 1) {
		ruletext_clean(name);
		if (first)
			fprintf(out, "%s%s %s", *any ? "; " : "", label, name);
		else
			fprintf(out, ", %s", name);
		first = false;
		*any = true;
	}
	fclose(file);
	return EXIT_OK;
}

enum exit_code legacy_check(const char *command, bool force)
{
	enum exit_code code;
	char *names = NULL;
	bool any = false;
	size_t size;
	FILE *out;

	out = open_memstream(&names, &size);
	if (!out)
		return fail(EXIT_SYSTEM, "out of memory");
	code = add_tables(out, command, "/proc/net/ip_tables_names", "IPv4", &any);
	if (!code)
		code = add_tables(out, command, "/proc/net/ip6_tables_names", "IPv6", &any);
	fclose(out);
	if (!code && any && force)
		fail(code,
		     "%s: iptables-legacy has tables here (%s): the kernel logs each traced packet in them, as TRACE, if a logger is set; nf_tables does not see their rules, and they are not shown",
		     command, names ?: "");
	else if (!code && any)
		code = fail(EXIT_REFUSED,
			    "%s: iptables-legacy has tables here (%s), and with --rules the kernel would log each traced packet in them, without a limit, if a logger is set; do it without --rules, or to do it all the same say --force",
			    command, names ?: "");
	free(names);
	return force ? EXIT_OK : code;
}
