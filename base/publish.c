/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/publish.h"
#include "base/scope.h"

static char *directory_of(const char *path)
{
	XF_AUTO_FREE char *copy = strdup(path);

	return copy ? strdup(dirname(copy)) : NULL;
}

struct xf_error *xf_sync_directory(const char *path)
{
	XF_AUTO_FREE char *directory = directory_of(path);

	if (!directory)
		return xf_error_memory();

	XF_AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return xf_error_errno(directory, "open");
	/* Some file systems cannot sync a directory, and have nothing to sync. */
	if (fsync(fd) < 0 && errno != EINVAL)
		return xf_error_errno(directory, "fsync");
	return NULL;
}

static struct xf_error *exists(const char *path)
{
	return xf_error_new(XF_ERR_REFUSED, path, "exists already and is not overwritten");
}

static void name_of_open(int fd, char out[64])
{
	snprintf(out, 64, "/proc/self/fd/%d", fd);
}

/* Without /proc it could not be given a name: that takes a privilege then. */
static int keep_if_it_can_be_named(int fd)
{
	char proc[64];

	if (fd < 0)
		return fd;
	name_of_open(fd, proc);
	if (access(proc, F_OK) == 0)
		return fd;
	close(fd);
	errno = EOPNOTSUPP;
	return -1;
}

/* A file without a name: a kill leaves nothing behind. */
static int open_nameless(const char *path, mode_t mode)
{
	XF_AUTO_FREE char *directory = directory_of(path);

	if (!directory) {
		errno = ENOMEM;
		return -1;
	}
	return keep_if_it_can_be_named(open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
}

/* For file systems without O_TMPFILE, and without /proc: a hidden name beside the final one. */
static struct xf_error *open_temporary(const char *path, mode_t mode, struct xf_publish *publish)
{
	XF_AUTO_FREE char *directory = directory_of(path);
	XF_AUTO_FREE char *name = NULL;

	if (!directory || asprintf(&name, "%s/.xferry-XXXXXX", directory) < 0) {
		name = NULL;
		return xf_error_memory();
	}
	publish->fd = mkostemp(name, O_CLOEXEC);
	if (publish->fd < 0)
		return xf_error_errno(path, "create");
	publish->temporary = xf_take(name);
	if (fchmod(publish->fd, mode) < 0)
		return xf_error_errno(path, "set the mode");
	return NULL;
}

struct xf_error *xf_publish_vacant(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? exists(path) : NULL;
}

struct xf_error *xf_publish_begin(const char *path, mode_t mode, struct xf_publish *out)
{
	XF_AUTO(xf_publish_end) struct xf_publish publish = { .fd = -1, .path = strdup(path) };

	if (!publish.path)
		return xf_error_memory();
	XF_TRY(xf_publish_vacant(path));
	publish.fd = open_nameless(path, mode);
	if (publish.fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return xf_error_errno(path, "create");
	if (publish.fd < 0)
		XF_TRY(open_temporary(path, mode, &publish));
	*out = publish;
	publish = (struct xf_publish){ .fd = -1 };
	return NULL;
}

/* link() never replaces, which rename() would. */
static int give_name(const struct xf_publish *publish)
{
	char proc[64];

	if (publish->temporary)
		return link(publish->temporary, publish->path);
	name_of_open(publish->fd, proc);
	return linkat(AT_FDCWD, proc, AT_FDCWD, publish->path, AT_SYMLINK_FOLLOW);
}

struct xf_error *xf_publish_commit(struct xf_publish *publish)
{
	if (fsync(publish->fd) < 0)
		return xf_error_errno(publish->path, "fsync");
	if (give_name(publish) < 0)
		return errno == EEXIST ? exists(publish->path)
				       : xf_error_errno(publish->path, "link");

	struct xf_error *err = xf_sync_directory(publish->path);

	/* Whole or not at all: the caller is told that there is no such file. */
	if (err)
		unlink(publish->path);
	return err;
}

void xf_publish_end(struct xf_publish *publish)
{
	if (publish->fd >= 0)
		close(publish->fd);
	if (publish->temporary)
		unlink(publish->temporary);
	free(publish->temporary);
	free(publish->path);
}
