/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/publish.h"
#include "base/scope.h"
#include "host/text.h"
#include "state/attributes.h"
#include "state/replace.h"

struct names {
	char *state; /* itself, and no symbolic link to it */
	char *original;
	char *fresh;
};

static void names_deinit(struct names *names)
{
	free(names->state);
	free(names->original);
	free(names->fresh);
}

/* `original` is a name without a path, or NULL for the usual one. */
static struct xf_error *find_names(const char *path, const char *original, struct names *out)
{
	XF_AUTO(names_deinit) struct names names = { .state = realpath(path, NULL) };

	if (!names.state)
		return xf_error_errno(path, "find");

	int directory = (int)(strrchr(names.state, '/') - names.state);

	names.original = original ? xf_text("%.*s/%s", directory, names.state, original)
				  : xf_text("%s.xforig", names.state);
	names.fresh = xf_text("%s.xfnew", names.state);
	if (!names.original || !names.fresh)
		return xf_error_memory();
	*out = names;
	names = (struct names){ 0 };
	return NULL;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_whole(const struct xf_whole *a, const struct xf_whole *b)
{
	return a->size == b->size && a->sum == b->sum;
}

/*
 * Right before a rename takes the state's name away: what somebody has saved there meanwhile
 * would be gone. `names` is how many names the file must have.
 */
static struct xf_error *is_still_the_same(const struct xf_input *input, nlink_t names)
{
	struct stat now;

	XF_TRY(xf_input_unchanged(input));
	if (fstat(input->fd, &now) < 0)
		return xf_error_errno(input->path, "stat");
	if (now.st_nlink != names)
		return xf_error_new(XF_ERR_REFUSED, input->path,
				    "has got or lost a name meanwhile; nothing was changed");
	return NULL;
}

/* ---- Replacing ---- */

static struct xf_error *is_first_repair(const char *undo_path)
{
	struct xf_error *err = xf_publish_vacant(undo_path);

	if (!err)
		return NULL;
	xf_error_free(err);
	return xf_error_new(XF_ERR_REFUSED, undo_path,
			    "exists already and is not overwritten; if it is of a repair of this "
			    "state, take that back first: xferry undo %s",
			    undo_path);
}

static struct xf_error *may_be_replaced(const struct xf_input *input, const struct names *names,
					const char *undo_path)
{
	if (!S_ISREG(input->before.st_mode))
		return xf_error_new(XF_ERR_REFUSED, input->path,
				    "is compressed and no regular file: nothing can take its "
				    "place, write the repaired one with -o");
	/* First: a repair that was killed has left the state a second name, too. */
	XF_TRY(is_first_repair(undo_path));
	if (input->before.st_nlink > 1)
		return xf_error_new(XF_ERR_REFUSED, input->path,
				    "has %lu names, and a compressed state is repaired under one: "
				    "the others would keep the old one",
				    (unsigned long)input->before.st_nlink);
	/* What is seen late otherwise, after a long time of packing. */
	return xf_publish_vacant(names->original);
}

static struct xf_error *write_fresh(const struct xf_state *state, const struct xf_report *report,
				    int fd, struct xf_publish *fresh,
				    const struct xf_progress *progress,
				    struct xf_undo_replaced *replaced)
{
	const struct xf_input *input = &state->input;

	XF_TRY(state->format->rewrite(state, report, fresh->fd, fresh->path, progress));
	XF_TRY(xf_attributes_copy(fd, fresh->fd, fresh->path));
	XF_TRY(xf_undo_sum_all(fd, input->path, &replaced->original));
	XF_TRY(xf_undo_sum_all(fresh->fd, fresh->path, &replaced->repaired));
	return xf_input_unchanged(input);
}

/* The names that a repair has given by now. */
struct given {
	bool fresh, original;
};

/* The second name must be that of the file that was judged, even if somebody renames. */
static struct xf_error *keep_original(const struct names *names, int fd)
{
	struct stat state, kept;

	if (link(names->state, names->original) < 0) {
		if (errno == EPERM || errno == EOPNOTSUPP)
			return xf_error_new(XF_ERR_IO, names->original,
					    "the file system takes no second name for a file, by "
					    "which the original would be kept: write the repaired "
					    "one with -o");
		return xf_error_errno(names->original, "link");
	}

	bool same = fstat(fd, &state) == 0 && lstat(names->original, &kept) == 0 &&
		    same_file(&state, &kept);
	struct xf_error *err = same ? xf_sync_directory(names->original)
				    : xf_error_new(XF_ERR_REFUSED, names->state,
						   "was replaced by another while it was repaired");

	if (err)
		unlink(names->original);
	return err;
}

/* The last step. What was written to the state since it was judged must not be lost. */
static struct xf_error *take_place(const struct names *names, const struct xf_input *input)
{
	/* Its own name, and the second one that it has just got. */
	XF_TRY(is_still_the_same(input, 2));
	if (rename(names->fresh, names->state) < 0)
		return xf_error_errno(names->state, "rename");
	return NULL;
}

static struct xf_error *give_names(const struct names *names, const struct xf_input *input, int fd,
				   struct xf_publish *fresh, struct given *given)
{
	XF_TRY(xf_publish_commit(fresh));
	given->fresh = true;
	XF_TRY(keep_original(names, fd));
	given->original = true;
	return take_place(names, input);
}

/* Whether they are, and that is durable. */
static bool are_gone(const struct names *names, const struct given *given)
{
	bool fresh = !given->fresh || unlink(names->fresh) == 0;
	bool original = !given->original || unlink(names->original) == 0;
	struct xf_error *err = xf_sync_directory(names->state);
	bool durable = !err;

	xf_error_free(err);
	return fresh && original && durable;
}

/* The undo file goes last: as long as one of the names may be there, it is what removes them. */
static struct xf_error *withdraw(const struct names *names, const struct given *given,
				 const char *undo_path, struct xf_error *err)
{
	if (!are_gone(names, given))
		return xf_error_advise(err, "to remove what is left of the repair: xferry undo",
				       undo_path);
	unlink(undo_path);
	return err;
}

struct xf_error *xf_replace(const struct xf_state *state, const struct xf_report *report, int fd,
			    const char *undo_path, const struct xf_progress *progress,
			    bool *replaced)
{
	const struct xf_input *input = &state->input;
	XF_AUTO(names_deinit) struct names names = { 0 };
	XF_AUTO(xf_publish_end) struct xf_publish fresh = { .fd = -1 };
	struct xf_undo_replaced undo = { 0 };

	*replaced = false;
	XF_TRY(find_names(input->path, NULL, &names));
	XF_TRY(may_be_replaced(input, &names, undo_path));
	XF_TRY(xf_publish_begin(names.fresh, 0600, &fresh));
	XF_TRY(write_fresh(state, report, fd, &fresh, progress, &undo));
	undo.original_name = strrchr(names.original, '/') + 1;
	XF_TRY(xf_undo_file_write_replaced(undo_path, input, report, &undo));

	struct given given = { 0 };
	struct xf_error *err = give_names(&names, input, fd, &fresh, &given);

	if (err)
		return withdraw(&names, &given, undo_path, err);
	*replaced = true;
	return xf_sync_directory(names.state);
}

/* ---- Back ---- */

/* Whether a file of that name is, to the byte, the one that is meant. */
static struct xf_error *is_whole(const char *path, const struct xf_whole *whole, bool *out)
{
	XF_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct xf_whole found;
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return xf_error_errno(path, "open");
	*out = S_ISREG(now.st_mode) && (uint64_t)now.st_size == whole->size;
	if (!*out)
		return NULL;
	XF_TRY(xf_undo_sum_all(fd, path, &found));
	*out = same_whole(&found, whole);
	return NULL;
}

static struct xf_error *put_back(const struct xf_undo_file *undo, const struct names *names,
				 const struct xf_input *input, bool *done)
{
	bool is_original;

	XF_TRY(is_whole(names->original, &undo->original, &is_original));
	if (!is_original)
		return xf_error_new(XF_ERR_REFUSED, names->original,
				    "is not the original that the repair has kept; nothing was "
				    "changed");
	XF_TRY(is_still_the_same(input, input->before.st_nlink));
	if (rename(names->original, names->state) < 0)
		return xf_error_errno(names->state, "rename");
	*done = true;
	return NULL;
}

static bool is_absent(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 && errno == ENOENT;
}

static struct xf_error *remove_name(const char *path)
{
	return unlink(path) < 0 ? xf_error_errno(path, "remove") : NULL;
}

/* The second name that the original got and did not come to need. */
static struct xf_error *remove_second_name(const struct names *names)
{
	struct stat state, kept;

	if (is_absent(names->original))
		return NULL;
	if (stat(names->state, &state) < 0 || lstat(names->original, &kept) < 0)
		return xf_error_errno(names->original, "stat");
	return same_file(&state, &kept) ? remove_name(names->original) : NULL;
}

static struct xf_error *remove_fresh(const struct names *names, const struct xf_whole *repaired)
{
	struct stat st;
	bool ours = false;

	if (is_absent(names->fresh))
		return NULL;
	if (lstat(names->fresh, &st) < 0)
		return xf_error_errno(names->fresh, "stat");
	/* Somebody else's may be of any kind, and of no concern. */
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != repaired->size)
		return NULL;
	XF_TRY(is_whole(names->fresh, repaired, &ours));
	return ours ? remove_name(names->fresh) : NULL;
}

struct xf_error *xf_replace_undo(const struct xf_undo_file *undo, const char *undo_path,
				 bool *taken_back)
{
	XF_AUTO(names_deinit) struct names names = { 0 };
	XF_AUTO(xf_input_close) struct xf_input input = { .fd = -1 };
	XF_AUTO_CLOSE int fd = -1;
	const struct xf_whole repaired = { undo->state_size, undo->sum };
	struct xf_whole now;

	XF_TRY(find_names(undo->state_path, undo->original_name, &names));
	XF_TRY(xf_input_open(names.state, NULL, &input));
	XF_TRY(xf_undo_file_trust(undo, undo_path, &input.before));
	XF_TRY(xf_input_open_for_writing(&input, &fd));
	XF_TRY(xf_undo_sum_all(fd, names.state, &now));
	*taken_back = false;
	if (same_whole(&now, &repaired))
		XF_TRY(put_back(undo, &names, &input, taken_back));
	else if (!same_whole(&now, &undo->original))
		return xf_error_new(XF_ERR_REFUSED, names.state,
				    "is not as the repair left it; nothing was changed");
	/* What a repair that was killed has left; it would stand in the next one's way. */
	XF_TRY(remove_second_name(&names));
	XF_TRY(remove_fresh(&names, &repaired));
	/* Before the undo file goes, which may lie elsewhere: also what an earlier one has done. */
	return xf_sync_directory(names.state);
}
