/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream in flight. Its head and RAM pass as they come, stepped through by the
 * same walk that reads a file. Where the devices begin nothing more passes: what
 * follows is kept until it ends, becomes a record as a file does, is judged and
 * edited by the same code, and then let go.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/scope.h"
#include "state/edit.h"
#include "state/pass.h"
#include "state/qemu_tail.h"
#include "state/qemu_walk.h"
#include "state/qemu_wire.h"
#include "state/state.h"

#define PROGRESS_STEP ((uint64_t)1 << 20)

struct filter {
	const struct xf_filter_options *options;
	struct xf_pass pass;
	struct xf_qemu_walk walk;
	struct xf_qemu_tail *tail; /* NULL until the devices begin */
	uint64_t told;		   /* how far progress has been told */
};

static void tell_progress(struct filter *filter)
{
	const struct xf_progress *progress = filter->options->progress;

	if (!progress || filter->pass.passed - filter->told < PROGRESS_STEP)
		return;
	filter->told = filter->pass.passed;
	progress->step(progress->data, filter->pass.passed, 0);
}

/* ---- Up to the devices ---- */

/* What is read in a file, and cannot pass here. */
static struct xf_error *refuse_seen(const struct xf_qemu_walk *walk)
{
	static const struct {
		unsigned int seen;
		const char *why;
	} kinds[] = {
		{ XF_QEMU_SEEN_COLO, "COLO, whose stream never ends: it cannot be filtered" },
		{ XF_QEMU_SEEN_POSTCOPY,
		  "postcopy, where RAM may come behind the devices: switch the capability "
		  "'postcopy-ram' off on both sides" },
		{ XF_QEMU_SEEN_RETURN_PATH,
		  "a return path, and nothing goes back through a filter: switch the capability "
		  "'return-path' (and 'postcopy-ram') off on both sides" },
		{ XF_QEMU_SEEN_MULTIFD,
		  "multifd, whose pages take other channels: switch the capability 'multifd' off "
		  "on both sides" },
	};

	if (walk->mapped_ram)
		return xf_error_at(XF_ERR_FORMAT, walk->file, walk->offset,
				   "the stream uses mapped-ram, which is for files: repair the "
				   "file with 'xferry fix'");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (walk->seen & kinds[i].seen)
			return xf_error_at(XF_ERR_FORMAT, walk->file, walk->offset,
					   "the stream uses %s", kinds[i].why);
	return NULL;
}

/* What is wrong with the bytes at which the walk has stopped. */
static struct xf_error *explain(const struct filter *filter, const uint8_t *data, size_t size,
				struct xf_error *err)
{
	const struct xf_qemu_walk *walk = &filter->walk;
	struct xf_error *better = refuse_seen(walk);

	/* At its very first bytes: what it is instead may be known. */
	if (!better && err->code == XF_ERR_FORMAT && walk->offset == 0 && !filter->pass.passed)
		better = xf_format_unknown(walk->file, "filter ...", data, size);
	if (!better)
		return err;
	xf_error_free(err);
	return better;
}

/* Walks through the bytes, up to the devices if they begin there. `*used` belong to RAM. */
static struct xf_error *walk_on(struct filter *filter, const uint8_t *data, size_t size,
				size_t *used)
{
	struct xf_qemu_walk *walk = &filter->walk;
	size_t n;

	*used = 0;
	while (*used < size && walk->phase != XF_QEMU_TAIL) {
		struct xf_error *err = xf_qemu_walk_push(walk, data + *used, size - *used, &n);

		if (err)
			return explain(filter, data, size, err);
		XF_TRY(refuse_seen(walk));
		*used += n;
	}
	return NULL;
}

static struct xf_error *pass_ram(struct filter *filter)
{
	struct xf_qemu_walk *walk = &filter->walk;

	while (walk->phase != XF_QEMU_TAIL) {
		const uint8_t *data;
		size_t size, used;

		XF_TRY(xf_pass_look(&filter->pass, &data, &size));
		if (size == 0)
			return filter->pass.taken
				       ? xf_qemu_walk_cut(walk)
				       : xf_format_unknown(walk->file, "filter ...", NULL, 0);
		XF_TRY(walk_on(filter, data, size, &used));
		XF_TRY(xf_pass_let(&filter->pass, used));
		tell_progress(filter);
	}
	return NULL;
}

/* ---- The devices ---- */

/* The limit was reached before the devices made sense. */
static struct xf_error *too_large(const struct filter *filter, uint64_t max, struct xf_error *err)
{
	struct xf_error *full = xf_error_at(
		XF_ERR_FORMAT, filter->walk.file, filter->walk.offset,
		"more than %" PRIu64 " bytes follow RAM: raise --max-tail; as far as they are "
		"kept, %s",
		max, err->text);

	xf_error_free(err);
	return full;
}

static struct xf_error *read_tail(struct filter *filter, struct xf_record *record)
{
	uint64_t max = filter->options->max_tail ? filter->options->max_tail : XF_MAX_TAIL;
	struct xf_qemu_vcpus vcpus = { 0 };
	enum xf_found_by found_by = XF_FOUND_WALK;
	bool more = true;

	XF_TRY(xf_qemu_tail_open(&filter->walk, filter->walk.file, max, true, &filter->tail));
	while (more) {
		uint64_t left = xf_qemu_tail_left(filter->tail);
		const uint8_t *data;
		size_t size;

		XF_TRY(xf_pass_take(&filter->pass, left < SIZE_MAX ? (size_t)left : SIZE_MAX, &data,
				    &size));
		if (size == 0)
			break;
		XF_TRY(xf_qemu_tail_push(filter->tail, data, size, &more));
	}

	struct xf_error *err = xf_qemu_tail_finish(filter->tail, &vcpus, &found_by);

	if (err && !more && err->code != XF_ERR_MEMORY)
		return too_large(filter, max, err);
	XF_TRY(err);
	*record = (struct xf_record){
		.machine = xf_take(filter->walk.machine),
		.found_by = found_by,
		.vcpus = vcpus.vcpus,
		.vcpu_count = vcpus.count,
	};
	return NULL;
}

static struct xf_error *understand(struct filter *filter, struct xf_filtered *filtered)
{
	const struct xf_filter_options *options = filter->options;
	struct xf_state *state = calloc(1, sizeof(*state));

	if (!state)
		return xf_error_memory();
	filtered->state = state;
	state->input.fd = -1;
	state->format = &xf_format_qemu;
	state->input.path = strdup(filter->walk.file);
	state->name = strdup(filter->walk.file);
	if (!state->input.path || !state->name)
		return xf_error_memory();
	XF_TRY(pass_ram(filter));
	XF_TRY(read_tail(filter, &state->record));
	return xf_check(state, options->guest, options->target,
			options->only ? options->only : XF_ALL, &filtered->report);
}

/* Whether `err` tells of the stream, and not of our own trouble with it. */
static bool is_of_stream(const struct xf_error *err)
{
	return err->code == XF_ERR_FORMAT || err->code == XF_ERR_DAMAGED;
}

static void forget_state(struct xf_filtered *filtered)
{
	xf_report_free(filtered->report);
	xf_state_close(filtered->state);
	filtered->report = NULL;
	filtered->state = NULL;
}

static struct xf_error *edit(struct filter *filter, const struct xf_report *report)
{
	struct xf_edited tail = { .path = filter->walk.file, .offset = filter->walk.offset };

	tail.bytes = xf_qemu_tail_bytes(filter->tail, &tail.size);
	XF_TRY(xf_edits_verify(&tail, report->edits, report->edit_count));
	return xf_edits_write(&tail, report->edits, report->edit_count);
}

/* Lets go what was kept, and all that follows. */
static struct xf_error *release(struct filter *filter)
{
	size_t size = 0;

	if (filter->tail) {
		const uint8_t *bytes = xf_qemu_tail_bytes(filter->tail, &size);

		XF_TRY(xf_pass_write(&filter->pass, bytes, size));
	}
	do {
		XF_TRY(xf_pass_blindly(&filter->pass, &size));
		tell_progress(filter);
	} while (size);
	return NULL;
}

static struct xf_error *run(struct filter *filter, struct xf_filtered *filtered)
{
	struct xf_error *err = understand(filter, filtered);

	if (err) {
		if (!filter->options->pass_unknown || !is_of_stream(err))
			return err;
		forget_state(filtered);
		filtered->why = err;
		filtered->passage = XF_PASSED_UNKNOWN;
		return release(filter);
	}
	if (filtered->report->outcome_fixed == XF_OUTCOME_REFUSED) {
		filtered->passage = XF_STOPPED;
		return NULL;
	}
	if (filtered->report->edit_count) {
		XF_TRY(edit(filter, filtered->report));
		filtered->passage = XF_PASSED_EDITED;
	}
	return release(filter);
}

/* A file that is written while it is read would never end, or lose what it held. */
static struct xf_error *check_ends(int in, int out)
{
	struct stat from, to;

	/* So does the command leave one that was closed. */
	if ((fcntl(in, F_GETFL) & O_ACCMODE) == O_WRONLY)
		return xf_error_new(XF_ERR_IO, "standard input",
				    "is closed, or open for writing only");
	if (fstat(in, &from) == 0 && fstat(out, &to) == 0 && S_ISREG(from.st_mode) &&
	    from.st_dev == to.st_dev && from.st_ino == to.st_ino)
		return xf_error_new(XF_ERR_USAGE, "standard input",
				    "is the same file as the output");
	return NULL;
}

static void scope_free_filtered(struct xf_filtered **filtered)
{
	xf_filtered_free(*filtered);
}

static void close_filter(struct filter *filter)
{
	if (filter->options->flow)
		*filter->options->flow =
			(struct xf_flow){ filter->pass.taken, filter->pass.passed };
	xf_qemu_tail_close(filter->tail);
	xf_qemu_walk_deinit(&filter->walk);
	xf_pass_close(&filter->pass);
}

struct xf_error *xf_filter(int in, int out, const struct xf_filter_options *options,
			   struct xf_filtered **out_filtered)
{
	XF_AUTO(scope_free_filtered)
	struct xf_filtered *filtered = calloc(1, sizeof(*filtered));
	XF_AUTO(close_filter) struct filter filter = { .options = options };

	filter.pass = (struct xf_pass){ .copy = { -1, -1 } };
	xf_qemu_walk_init(&filter.walk, "standard input");
	if (!filtered)
		return xf_error_memory();
	XF_TRY(check_ends(in, out));
	XF_TRY(xf_pass_open(in, out, &filter.pass));
	XF_TRY(run(&filter, filtered));
	*out_filtered = xf_take(filtered);
	return NULL;
}

void xf_filtered_free(struct xf_filtered *filtered)
{
	if (!filtered)
		return;
	forget_state(filtered);
	xf_error_free(filtered->why);
	free(filtered);
}

const char *xf_passage_name(enum xf_passage passage)
{
	switch (passage) {
	case XF_PASSED:
		return "passed";
	case XF_PASSED_EDITED:
		return "repaired";
	case XF_PASSED_UNKNOWN:
		return "unknown";
	default:
		return "stopped";
	}
}
