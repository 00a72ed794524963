// SPDX-License-Identifier: GPL-2.0
/* Network namespaces by name, as ip-netns(8) keeps them, or by path. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "looptrack.h"
#include "out.h"

#define NETNS_DIR "/run/netns"

enum exit_code netns_enter(const char *name)
{
	char path[PATH_MAX];
	int fd, err;

	if (!name)
		return EXIT_OK;
	if (snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : NETNS_DIR "/",
		     name) >= (int)sizeof(path))
		return fail(EXIT_NETNS, "network namespace: name too long");

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(EXIT_NETNS, "network namespace \"%s\": cannot open %s: %s",
			    name, path, strerror(errno));
	err = setns(fd, CLONE_NEWNET) ? errno : 0;
	close(fd);
	switch (err) {
	case 0:
		return EXIT_OK;
	case EINVAL:
		return fail(EXIT_NETNS, "network namespace \"%s\": %s is not a network namespace",
			    name, path);
	case EPERM:
		return fail(EXIT_NETNS,
			    "network namespace \"%s\": to enter it needs CAP_SYS_ADMIN", name);
	default:
		return fail(EXIT_NETNS, "network namespace \"%s\": cannot enter: %s",
			    name, strerror(err));
	}
}
