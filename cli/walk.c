/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/walk.h"

/* Not in every version of linux/magic.h. */
#define FUSE_CONTROL_MAGIC 0x65735543
#define CONFIGFS_MAGIC 0x62656570
#define MQUEUE_FILE_SYSTEM_MAGIC 0x19800202
#define RPC_PIPE_MAGIC 0x67596969

struct names {
	char **names;
	size_t count, room;
};

static void names_deinit(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
}

/* False: out of memory. */
static bool names_add(struct names *names, const char *name)
{
	if (names->count == names->room) {
		size_t room = names->room ? 2 * names->room : 32;
		char **more = realloc(names->names, room * sizeof(*more));

		if (!more)
			return false;
		names->names = more;
		names->room = room;
	}
	names->names[names->count] = strdup(name);
	return names->names[names->count++] != NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether files in it are made up by the kernel while they are read. */
static bool is_made_up(int fd)
{
	static const uint32_t types[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC,	   DEBUGFS_MAGIC,      TRACEFS_MAGIC,
		SECURITYFS_MAGIC, SELINUX_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		BPF_FS_MAGIC,	  EFIVARFS_MAGIC,  PSTOREFS_MAGIC,     DEVPTS_SUPER_MAGIC,
		BINFMTFS_MAGIC,	  CONFIGFS_MAGIC,  FUSE_CONTROL_MAGIC, MQUEUE_FILE_SYSTEM_MAGIC,
		RPC_PIPE_MAGIC,	  HUGETLBFS_MAGIC,
	};
	struct statfs about;

	if (fstatfs(fd, &about) < 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((uint32_t)about.f_type == types[i])
			return true;
	return false;
}

/* Reads all names of the open directory, which it closes. False: errno tells why not all. */
static bool read_names(int fd, struct names *out)
{
	DIR *directory = fdopendir(fd);

	if (!directory) {
		close(fd);
		return false;
	}
	errno = 0;
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!names_add(out, entry->d_name)) {
			errno = ENOMEM;
			break;
		}
	}

	int error = errno;

	closedir(directory);
	errno = error;
	return error == 0;
}

static void trouble(const struct walk *walk, const char *path, const char *doing, int error)
{
	char why[128];

	snprintf(why, sizeof(why), "%s: %s", doing, strerror(error));
	walk->trouble(walk->data, path, why);
}

static void walk_directory(const struct walk *walk, const char *path);

static void walk_entry(const struct walk *walk, const char *path)
{
	struct stat about;

	if (lstat(path, &about) < 0)
		trouble(walk, path, "stat", errno);
	else if (S_ISDIR(about.st_mode))
		walk_directory(walk, path);
	else if (S_ISREG(about.st_mode) && about.st_size > 0)
		walk->file(walk->data, path);
	else
		walk->other(walk->data);
}

static void walk_names(const struct walk *walk, const char *path, struct names *names)
{
	const char *slash = path[strlen(path) - 1] == '/' ? "" : "/";

	if (names->count)
		qsort(names->names, names->count, sizeof(*names->names), compare);
	for (size_t i = 0; i < names->count; i++) {
		char *inside = NULL;

		if (asprintf(&inside, "%s%s%s", path, slash, names->names[i]) < 0) {
			trouble(walk, path, "read", ENOMEM);
			return;
		}
		walk_entry(walk, inside);
		free(inside);
	}
}

/*
 * Takes the directory's fd: none stays open while what is in it is walked, so they do not run
 * out, however deep it goes.
 */
static void walk_open(const struct walk *walk, const char *path, int fd)
{
	struct names names = { 0 };

	if (!read_names(fd, &names))
		trouble(walk, path, "read", errno);
	walk_names(walk, path, &names);
	names_deinit(&names);
}

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK)

static void walk_directory(const struct walk *walk, const char *path)
{
	int fd = open(path, OPEN_DIRECTORY | O_NOFOLLOW);

	if (fd < 0)
		trouble(walk, path, "open", errno);
	else if (is_made_up(fd))
		close(fd);
	else
		walk_open(walk, path, fd);
}

void walk_tree(const struct walk *walk, const char *path)
{
	int fd = open(path, OPEN_DIRECTORY);

	if (fd < 0) {
		trouble(walk, path, "open", errno);
	} else if (is_made_up(fd)) {
		walk->trouble(walk->data, path, "holds no files, only what the kernel shows");
		close(fd);
	} else {
		walk_open(walk, path, fd);
	}
}
