// SPDX-License-Identifier: GPL-2.0
/* Other programs, whose output is read: they get a bounded time and a bounded size. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define TIME_MAX	5000		/* ms */
#define SIZE_MAX_READ	(16 << 20)
#define SIZE_STEP	65536

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void exec_child(const char *const argv[], int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	signal(SIGPIPE, SIG_DFL);
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(null, STDERR_FILENO) >= 0)
		execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* All that comes until the other end is closed; NULL if it is too much or too late. */
static char *read_all(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	long end = now_ms() + TIME_MAX;
	size_t len = 0, size = 0;
	char *text = NULL;

	for (;;) {
		long left = end - now_ms();
		char *more;
		ssize_t n;

		if (size - len < 2) {
			size += size ?: SIZE_STEP;
			more = size > SIZE_MAX_READ ? NULL : realloc(text, size);
			if (!more)
				break;
			text = more;
		}
		if (left <= 0 || poll(&poller, 1, left) <= 0)
			break;
		n = read(fd, text + len, size - len - 1);
		if (n < 0)
			break;
		len += n;
		text[len] = '\0';
		if (!n)
			return text;
	}
	free(text);
	return NULL;
}

int run_read(const char *const argv[], char **text)
{
	int ends[2], status;
	pid_t pid;

	*text = NULL;
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid)
		exec_child(argv, ends[1]);
	close(ends[1]);
	if (pid > 0) {
		*text = read_all(ends[0]);
		if (!*text)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0)
			;
	}
	close(ends[0]);
	if (*text && !(WIFEXITED(status) && !WEXITSTATUS(status))) {
		free(*text);
		*text = NULL;
	}
	return *text ? 0 : -1;
}
