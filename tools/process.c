// SPDX-License-Identifier: GPL-2.0
/* Processes by the sockets that they have open, as proc(5) tells it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attr.h"
#include "number.h"
#include "process.h"

/* What the process calls itself, or NULL. */
static json_t *read_comm(int process)
{
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t size;
	char text[64];

	if (fd < 0)
		return NULL;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return NULL;
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return attr_name(text);
}

/* The socket that a file in /proc/PID/fd is, if it is one of those and nobody's yet. */
static json_t *find_socket(json_t *sockets, int dir, const char *file)
{
	unsigned long long inode;
	json_t *socket;
	char link[64];
	ssize_t size;
	size_t i;

	size = readlinkat(dir, file, link, sizeof(link) - 1);
	if (size < 0)
		return NULL;
	link[size] = '\0';
	if (sscanf(link, "socket:[%llu]", &inode) != 1)
		return NULL;
	json_array_foreach(sockets, i, socket)
		if ((unsigned long long)json_integer_value(json_object_get(socket, "inode")) ==
			    inode &&
		    !json_object_get(socket, "pid"))
			return socket;
	return NULL;
}

static void look_at(json_t *sockets, int process, uint64_t pid)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *file;
	json_t *socket;

	if (!dir)
		return;
	while ((file = readdir(dir))) {
		socket = find_socket(sockets, fd, file->d_name);
		if (!socket)
			continue;
		json_object_set_new(socket, "pid", json_integer(pid));
		json_object_set_new(socket, "comm", read_comm(process));
	}
	closedir(dir);
}

void process_name(json_t *sockets)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;
	int process;

	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		if (!number_parse(entry->d_name, 1, INT32_MAX, &pid))
			continue;
		process = openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		look_at(sockets, process, pid);
		close(process);
	}
	closedir(proc);
}
