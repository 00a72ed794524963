// SPDX-License-Identifier: GPL-2.0
/*
 * Queues of user space (NFQUEUE) in this namespace. When a hook of netfilter goes, the
 * kernel drops all packets that wait in them: nf_queue_nf_hook_drop().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "queue.h"

/* /proc/net is that of the namespace this process is in now. */
#define QUEUES	"/proc/net/netfilter/nfnetlink_queue"

/* So many are named; the others are counted. */
#define NAMED_MAX	8

static unsigned int read_queues(FILE *file, FILE *names)
{
	unsigned int number, waiting, count = 0;
	char line[128];

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%u %*u %u", &number, &waiting) != 2)
			continue;
		if (count++ < NAMED_MAX)
			fprintf(names, "%s%u (%u waiting)", count > 1 ? ", " : "", number,
				waiting);
	}
	if (count > NAMED_MAX)
		fprintf(names, " and %u more", count - NAMED_MAX);
	return count;
}

static enum exit_code refuse(const char *command, FILE *file)
{
	unsigned int count;
	char *names = NULL;
	size_t size;
	FILE *out;

	out = open_memstream(&names, &size);
	if (!out)
		return fail(EXIT_SYSTEM, "out of memory");
	count = read_queues(file, out);
	fclose(out);
	if (count)
		fail(EXIT_REFUSED,
		     "%s: the namespace has NFQUEUE queue%s %s: when the trace ends, the kernel drops all packets that wait in a queue; to trace all the same say --force",
		     command, count == 1 ? "" : "s", names ?: "");
	free(names);
	return count ? EXIT_REFUSED : EXIT_OK;
}

enum exit_code queue_check(const char *command)
{
	FILE *file = fopen(QUEUES, "re");
	enum exit_code code;

	/* Without nfnetlink_queue there is no such file, nor a queue. */
	if (!file && errno == ENOENT)
		return EXIT_OK;
	if (!file)
		return fail(EXIT_REFUSED,
			    "%s: cannot read %s: %s; if packets wait in an NFQUEUE queue when the trace ends, the kernel drops them; to trace all the same say --force",
			    command, QUEUES, strerror(errno));
	code = refuse(command, file);
	fclose(file);
	return code;
}
