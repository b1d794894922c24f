/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "state/qcow2_name.h"

#define BY_ID "id="
#define MAX_NAME 200 /* a longer one is no file's name with ".xfundo" behind it */

static bool has_name(const struct xf_qcow2_snapshot *snapshot, const char *name)
{
	return strcmp(snapshot->name, name) == 0;
}

static bool has_id(const struct xf_qcow2_snapshot *snapshot, const char *id)
{
	return strcmp(snapshot->id, id) == 0;
}

typedef bool has_fn(const struct xf_qcow2_snapshot *snapshot, const char *text);

/* How many have it; `*out` is one of them. */
static size_t count_having(const struct xf_qcow2 *image, has_fn *has, const char *text,
			   const struct xf_qcow2_snapshot **out)
{
	size_t count = 0;

	for (size_t i = 0; i < image->count; i++) {
		if (has(&image->snapshots[i], text)) {
			*out = &image->snapshots[i];
			count++;
		}
	}
	return count;
}

/* ---- From a name to a snapshot ---- */

static struct xf_error *find_only(const struct xf_qcow2 *image,
				  const struct xf_qcow2_snapshot **out)
{
	size_t count = 0;

	for (size_t i = 0; i < image->count; i++) {
		if (image->snapshots[i].state_size) {
			*out = &image->snapshots[i];
			count++;
		}
	}
	if (count == 1)
		return NULL;
	if (count)
		return xf_error_new(XF_ERR_SEVERAL, image->input->path,
				    "has %zu snapshots with a machine's state: name one of them, "
				    "as in '%s#%s'",
				    count, image->input->path, (*out)->name);
	return xf_error_new(XF_ERR_FORMAT, image->input->path,
			    image->count ? "is a qcow2 image whose snapshots have no machine's "
					   "state: it is in the VM's other disk, or was not saved"
					 : "is a qcow2 image without snapshots: there is no "
					   "machine's state in it");
}

static struct xf_error *find_named(const struct xf_qcow2 *image, const char *part,
				   const struct xf_qcow2_snapshot **out)
{
	bool by_id = strncmp(part, BY_ID, strlen(BY_ID)) == 0;
	size_t count;

	if (by_id)
		count = count_having(image, has_id, part + strlen(BY_ID), out);
	else
		count = count_having(image, has_name, part, out);
	if (!count && !by_id)
		count = count_having(image, has_id, part, out);
	if (count == 1)
		return NULL;
	if (count)
		return xf_error_new(XF_ERR_USAGE, image->input->path,
				    "has %zu snapshots called '%s': name one by its id, as in "
				    "'%s#" BY_ID "%s'",
				    count, part, image->input->path, (*out)->id);
	return xf_error_new(XF_ERR_USAGE, image->input->path, "has no snapshot '%s'", part);
}

struct xf_error *xf_qcow2_find(const struct xf_qcow2 *image, const char *part,
			       const struct xf_qcow2_snapshot **out)
{
	const struct xf_qcow2_snapshot *found = NULL;

	XF_TRY(part ? find_named(image, part, &found) : find_only(image, &found));
	if (!found->state_size)
		return xf_error_new(XF_ERR_FORMAT, image->input->path,
				    "the snapshot '%s' has no machine's state: it is in the VM's "
				    "other disk, or was not saved",
				    part);
	*out = found;
	return NULL;
}

/* ---- From a snapshot to a name ---- */

struct sorted {
	const char *text;
	size_t index;
};

static int by_text(const void *one, const void *other)
{
	return strcmp(((const struct sorted *)one)->text, ((const struct sorted *)other)->text);
}

/* One that can be typed, and be part of an undo file's name. */
static bool is_plain(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == '/' || name[i] == 0x7f)
			return false;
	return length && length <= MAX_NAME && strncmp(name, BY_ID, strlen(BY_ID)) != 0;
}

static const char *text_of(const struct xf_qcow2_snapshot *snapshot, bool id)
{
	return id ? snapshot->id : snapshot->name;
}

/* Of each snapshot, whether another one has the same name, or id. There may be thousands. */
static struct xf_error *find_repeated(const struct xf_qcow2 *image, bool id, bool **out)
{
	XF_AUTO_FREE bool *repeated = calloc(image->count + 1, sizeof(*repeated));
	XF_AUTO_FREE struct sorted *sorted = calloc(image->count + 1, sizeof(*sorted));

	if (!repeated || !sorted)
		return xf_error_memory();
	for (size_t i = 0; i < image->count; i++)
		sorted[i] = (struct sorted){ text_of(&image->snapshots[i], id), i };
	qsort(sorted, image->count, sizeof(*sorted), by_text);
	for (size_t i = 1; i < image->count; i++)
		if (strcmp(sorted[i].text, sorted[i - 1].text) == 0)
			repeated[sorted[i].index] = repeated[sorted[i - 1].index] = true;
	*out = xf_take(repeated);
	return NULL;
}

/* Takes `name`; NULL is out of memory. The list has room. */
static struct xf_error *add_name(struct xf_names *names, char *name)
{
	if (!name)
		return xf_error_memory();
	names->names[names->count++] = name;
	return NULL;
}

static char *name_by_id(const char *id)
{
	char *name = NULL;

	return asprintf(&name, BY_ID "%s", id) < 0 ? NULL : name;
}

struct xf_error *xf_qcow2_names(const struct xf_qcow2 *image, struct xf_names *out)
{
	XF_AUTO(xf_names_deinit) struct xf_names names = { 0 };
	XF_AUTO_FREE bool *same_name = NULL;
	XF_AUTO_FREE bool *same_id = NULL;

	XF_TRY(find_repeated(image, false, &same_name));
	XF_TRY(find_repeated(image, true, &same_id));
	names.names = calloc(image->count + 1, sizeof(*names.names));
	if (!names.names)
		return xf_error_memory();
	for (size_t i = 0; i < image->count; i++) {
		const struct xf_qcow2_snapshot *snapshot = &image->snapshots[i];
		bool by_name = !same_name[i] && is_plain(snapshot->name);

		if (!snapshot->state_size)
			continue;
		if (!by_name && same_id[i])
			return xf_error_at(XF_ERR_DAMAGED, image->input->path, snapshot->entry,
					   "two snapshots have the id '%s'", snapshot->id);
		XF_TRY(add_name(&names,
				by_name ? strdup(snapshot->name) : name_by_id(snapshot->id)));
	}
	*out = names;
	names = (struct xf_names){ 0 };
	return NULL;
}
