// SPDX-License-Identifier: GPL-2.0
/* Cgroups of the unified hierarchy: by path, as people name them, and by number. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "cgroup.h"

/* Where the hierarchy is mounted first. */
static bool find_mount(char *path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;
	bool found = false;

	if (!mounts)
		return false;
	while (!found && (mount = getmntent(mounts)))
		found = !strcmp(mount->mnt_type, "cgroup2") &&
			snprintf(path, size, "%s", mount->mnt_dir) < (int)size;
	endmntent(mounts);
	return found;
}

/* The handle of a directory of this file system is its number. An inode's number is
 * the same, but where it has only 32 bits.
 */
static int directory_number(const char *path, uint64_t *number)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(*number)];
	} h = { .handle.handle_bytes = sizeof(*number) };
	int mount, err = -1, fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return -1;
	if (fstatfs(fd, &fs))
		goto close;
	if (fs.f_type != CGROUP2_SUPER_MAGIC) {
		errno = ENOTSUP;
		goto close;
	}
	err = name_to_handle_at(fd, "", &h.handle, &mount, AT_EMPTY_PATH);
	if (!err)
		memcpy(number, h.handle.f_handle, sizeof(*number));
close:
	close(fd);
	return err;
}

int cgroup_number(const char *path, uint64_t *number)
{
	char mount[PATH_MAX], full[2 * PATH_MAX];

	if (find_mount(mount, sizeof(mount)) &&
	    snprintf(full, sizeof(full), "%s%s", mount, path) < (int)sizeof(full) &&
	    !directory_number(full, number))
		return 0;
	return directory_number(path, number);
}

/* Without privilege a handle doesn't open: hence the search. */
char *cgroup_path(uint64_t number)
{
	char mount[PATH_MAX], *top[] = { mount, NULL }, *path = NULL;
	uint64_t found;
	FTSENT *entry;
	FTS *tree;

	if (!find_mount(mount, sizeof(mount)))
		return NULL;
	tree = fts_open(top, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	if (!tree)
		return NULL;
	while (!path && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_D && !directory_number(entry->fts_path, &found) &&
		    found == number)
			path = strdup(entry->fts_path[strlen(mount)] ?
				      entry->fts_path + strlen(mount) : "/");
	fts_close(tree);
	return path;
}
