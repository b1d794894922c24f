/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/scope.h"
#include "state/attributes.h"

/* Of a directory with a default list, a new file may have this one by itself. */
#define ACCESS_LIST "system.posix_acl_access"

/* A value, or none. */
struct value {
	size_t size;
	bool there;
	uint8_t bytes[XATTR_SIZE_MAX];
};

static bool is_absent(int error)
{
	return error == ENODATA || error == ENOTSUP;
}

static struct xf_error *get(int fd, const char *path, const char *name, struct value *out)
{
	ssize_t size = fgetxattr(fd, name, out->bytes, sizeof(out->bytes));

	if (size < 0 && !is_absent(errno))
		return xf_error_errno(path, "read its attributes");
	out->there = size >= 0;
	out->size = size < 0 ? 0 : (size_t)size;
	return NULL;
}

static bool same(const struct value *a, const struct value *b)
{
	return a->there == b->there && a->size == b->size &&
	       memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* One that is as it should be already is not set: for a label one may need a privilege. */
static struct xf_error *copy_one(int from, int to, const char *path, const char *name)
{
	XF_AUTO_FREE struct value *old = malloc(sizeof(*old));
	XF_AUTO_FREE struct value *new = malloc(sizeof(*new));
	int status;

	if (!old || !new)
		return xf_error_memory();
	XF_TRY(get(from, path, name, old));
	XF_TRY(get(to, path, name, new));
	if (same(old, new))
		return NULL;
	status =
		old->there ? fsetxattr(to, name, old->bytes, old->size, 0) : fremovexattr(to, name);
	if (status == 0)
		return NULL;

	struct xf_error *err = xf_error_errno(path, "keep the attribute");
	struct xf_error *full = xf_error_new(XF_ERR_IO, NULL, "%s (%s)", err->text, name);

	xf_error_free(err);
	return full;
}

static struct xf_error *copy_extended(int from, int to, const char *path)
{
	XF_AUTO_FREE char *names = malloc(XATTR_LIST_MAX);

	if (!names)
		return xf_error_memory();

	ssize_t size = flistxattr(from, names, XATTR_LIST_MAX);

	if (size < 0)
		return is_absent(errno) ? NULL : xf_error_errno(path, "read its attributes");
	for (const char *name = names; name < names + size; name += strlen(name) + 1)
		XF_TRY(copy_one(from, to, path, name));
	return copy_one(from, to, path, ACCESS_LIST);
}

struct xf_error *xf_attributes_copy(int from, int to, const char *path)
{
	struct stat old, new;

	if (fstat(from, &old) < 0 || fstat(to, &new) < 0)
		return xf_error_errno(path, "stat");
	/* The owner first: to change it takes the set-user-ID bit away. */
	if ((old.st_uid != new.st_uid || old.st_gid != new.st_gid) &&
	    fchown(to, old.st_uid, old.st_gid) < 0)
		return xf_error_errno(path, "keep the owner");
	if (fchmod(to, old.st_mode & 07777) < 0)
		return xf_error_errno(path, "keep the mode");
	return copy_extended(from, to, path);
}

/* With one, the mode says of the owner alone who may do what. */
static bool has_access_list(int fd)
{
	return fgetxattr(fd, ACCESS_LIST, NULL, 0) > 0;
}

/* Who is of another group may be one of the state's group or of the others: what both may. */
static mode_t of_another_group(mode_t mode)
{
	return (mode & ~(mode_t)S_IRWXG) | (mode & mode << 3 & S_IRWXG);
}

/* In a directory that gives its group to what is made in it, it may be another after all. */
static struct xf_error *hold_group(const struct xf_input *state, const struct xf_publish *publish)
{
	struct stat made;

	if (fstat(publish->fd, &made) < 0)
		return xf_error_errno(publish->path, "stat");
	if (made.st_gid != state->before.st_gid &&
	    fchmod(publish->fd, of_another_group(made.st_mode & 0777)) < 0)
		return xf_error_errno(publish->path, "set the mode");
	return NULL;
}

struct xf_error *xf_attributes_publish(const struct xf_input *state, const char *path, mode_t mask,
				       struct xf_publish *out)
{
	XF_AUTO(xf_publish_end) struct xf_publish publish = { .fd = -1 };
	mode_t mode = state->before.st_mode & mask;

	if (has_access_list(state->fd))
		mode &= S_IRWXU;
	else if (state->before.st_gid != getegid())
		mode = of_another_group(mode);
	XF_TRY(xf_publish_begin(path, mode, &publish));
	XF_TRY(hold_group(state, &publish));
	*out = publish;
	publish = (struct xf_publish){ .fd = -1 };
	return NULL;
}
