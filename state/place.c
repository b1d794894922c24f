/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "host/text.h"
#include "state/format.h"
#include "state/place.h"

static bool is_directory(const char *path)
{
	struct stat stat_;

	return stat(path, &stat_) == 0 && S_ISDIR(stat_.st_mode);
}

/* One that can be looked at but is no file, as a FIFO, is not waited for. */
static bool may_be_file(const char *path)
{
	struct stat stat_;

	return stat(path, &stat_) == 0 ? S_ISREG(stat_.st_mode) : errno != ENOENT;
}

void xf_place_deinit(struct xf_place *place)
{
	free(place->path);
	free(place->part);
}

/*
 * "disk.qcow2#before": the '#' with the only file before it, or NULL. Which of two files is meant
 * cannot be told, and a repair would write to it.
 */
static struct xf_error *find_part(const char *path, const char **out)
{
	const char *found = NULL;

	for (const char *mark = strchr(path, '#'); mark; mark = strchr(mark + 1, '#')) {
		XF_AUTO_FREE char *file = strndup(path, (size_t)(mark - path));

		if (!file)
			return xf_error_memory();
		if (mark == path || !mark[1] || access(file, F_OK) < 0 || is_directory(file))
			continue;
		if (found)
			return xf_error_new(XF_ERR_USAGE, path,
					    "may be a state of '%.*s' or of '%s', which are both "
					    "there: rename one of them",
					    (int)(found - path), path, file);
		found = mark;
	}
	*out = found;
	return NULL;
}

bool xf_is_stdin(const char *path)
{
	return strcmp(path, "-") == 0;
}

struct xf_error *xf_place_at(const char *path, const char *part, struct xf_place *out)
{
	XF_AUTO(xf_place_deinit) struct xf_place place = { 0 };

	if (!xf_is_stdin(path) && is_directory(path)) {
		place.path = xf_text("%s/" XF_DIRECTORY_STATE, path);
		if (place.path && !may_be_file(place.path))
			return xf_error_new(XF_ERR_IO, path,
					    "is a directory without the " XF_DIRECTORY_STATE
					    " of a Cloud Hypervisor snapshot");
	} else {
		place.path = strdup(path);
	}
	place.part = part ? strdup(part) : NULL;
	if (!place.path || (part && !place.part))
		return xf_error_memory();
	*out = place;
	place = (struct xf_place){ 0 };
	return NULL;
}

struct xf_error *xf_place_of(const char *path, struct xf_place *out)
{
	const char *mark = NULL;

	if (!xf_is_stdin(path) && access(path, F_OK) < 0)
		XF_TRY(find_part(path, &mark));
	if (!mark)
		return xf_place_at(path, NULL, out);

	XF_AUTO_FREE char *file = strndup(path, (size_t)(mark - path));

	return file ? xf_place_at(file, mark + 1, out) : xf_error_memory();
}
