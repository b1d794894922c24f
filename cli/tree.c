/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks trees of files: this thread walks and tells, a crew judges. What is told stays in
 * the order of the walk.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/crew.h"
#include "cli/tree.h"
#include "cli/walk.h"

/* How long to wait at most before the progress line is looked at. */
#define TICK_MS 100

/* Bytes told of one file. */
#define MAX_TOLD ((size_t)16 << 20)

struct tally {
	uint64_t states;
	uint64_t findings; /* states that have some */
	uint64_t refused;
	uint64_t not_judged;
	uint64_t others; /* files that hold no state */
};

/* A file on its way through the crew, and what there is to tell of it. */
struct entry {
	char *path;
	bool named; /* by the user, who is told if it is no state */
	unsigned int status;
	struct tally tally;
	FILE *out, *err; /* write the next two */
	char *out_text, *err_text;
	size_t out_size, err_size;
};

struct survey {
	const struct request *request;
	bool json;
	struct crew *crew;
	unsigned int status;
	struct tally total;
	struct progress progress;
};

/* What makes a directory the state of a Cloud Hypervisor guest. */
static bool has_state_file(const char *path)
{
	struct stat about;
	char *inside = NULL;
	bool has;

	if (asprintf(&inside, "%s/state.json", path) < 0)
		return false;
	has = stat(inside, &about) == 0 && S_ISREG(about.st_mode);
	free(inside);
	return has;
}

bool is_tree(const char *path)
{
	struct stat about;

	if (strcmp(path, "-") == 0 || stat(path, &about) < 0 || !S_ISDIR(about.st_mode))
		return false;
	return !has_state_file(path);
}

/* ---- One file, in a worker ---- */

/* In text and JSON, as for a file that was named. */
static void tell_error(struct entry *entry, bool json, const char *path, const struct xf_error *err)
{
	if (json)
		put_json_line(json_error(path, err), entry->out);
	entry->status |= put_error(err, entry->err);
	entry->tally.not_judged++;
}

/* "PATH: why", of what the library does not know. */
static void tell_trouble(struct entry *entry, bool json, const char *path, enum xf_error_code code,
			 const char *why)
{
	struct xf_error err = { .code = code };
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return;
	put_printable(path, stream);
	fprintf(stream, ": %s", why);
	if (fclose(stream) == 0) {
		err.text = text;
		tell_error(entry, json, path, &err);
	}
	free(text);
}

static void tell_report(struct entry *entry, bool json, const struct request *request,
			const struct xf_state *state, const struct xf_report *report)
{
	if (json)
		put_json_line(json_report(state, request, report), entry->out);
	else
		put_state_line(state, request, report, entry->out);
	entry->tally.states++;
	entry->tally.findings += report->finding_count > 0;
	entry->tally.refused += report->outcome == XF_OUTCOME_REFUSED;
	if (report->finding_count)
		entry->status |= STATUS_FINDINGS;
}

static struct xf_error *judge_state(struct entry *entry, const struct survey *survey,
				    const struct spot *spot)
{
	struct xf_state *state = NULL;
	struct xf_report *report = NULL;
	struct xf_error *err = judge(spot, survey->request, &state, &report);

	if (!err)
		tell_report(entry, survey->json, survey->request, state, report);
	xf_report_free(report);
	xf_state_close(state);
	return err;
}

/* What is told is kept until it is this file's turn, and every worker has one. */
static bool has_told_much(struct entry *entry)
{
	return fflush(entry->out) || fflush(entry->err) ||
	       entry->out_size + entry->err_size > MAX_TOLD;
}

static void judge_parts(struct entry *entry, const struct survey *survey,
			const struct xf_states *states)
{
	for (size_t i = 0; i < states->count; i++) {
		if (has_told_much(entry)) {
			tell_trouble(entry, survey->json, entry->path, XF_ERR_FORMAT,
				     "more than 16 MiB are to be told of its states: check it "
				     "without a directory beside it");
			return;
		}

		const struct spot spot = { states->file, states->parts[i], true, .quiet = true };
		struct xf_error *err = judge_state(entry, survey, &spot);

		if (err)
			tell_error(entry, survey->json, states->paths[i], err);
		xf_error_free(err);
	}
}

/* Of no format, or of one that can hold states and holds none, as most disk images. */
static bool is_without_state(const char *path)
{
	const char *format = NULL;
	struct xf_states *states = NULL;
	struct xf_error *err = xf_format_at(path, &format);
	bool without = !err && !format;

	if (!err && format)
		err = xf_states_at(path, &states);
	without |= states && states->count == 0;
	xf_states_free(states);
	xf_error_free(err);
	return without;
}

static void judge_file(struct entry *entry, const struct survey *survey)
{
	const struct spot spot = { entry->path, .found = !entry->named, .quiet = true };
	struct xf_error *err = judge_state(entry, survey, &spot);
	struct xf_states *states = err ? several_states(entry->path, &err) : NULL;

	if (states)
		judge_parts(entry, survey, states);
	else if (err && !entry->named && err->code == XF_ERR_FORMAT &&
		 is_without_state(entry->path))
		entry->tally.others++;
	else if (err)
		tell_error(entry, survey->json, entry->path, err);
	xf_states_free(states);
	xf_error_free(err);
}

static bool open_texts(struct entry *entry)
{
	entry->out = open_memstream(&entry->out_text, &entry->out_size);
	entry->err = open_memstream(&entry->err_text, &entry->err_size);
	return entry->out && entry->err;
}

/* Whether all of it is there. */
static bool close_texts(struct entry *entry)
{
	bool out = !entry->out || fclose(entry->out) == 0;
	bool err = !entry->err || fclose(entry->err) == 0;

	return out && err && entry->out_text && entry->err_text;
}

static void look_at(void *data, void *thing)
{
	struct entry *entry = thing;
	bool opened = open_texts(entry);

	if (opened)
		judge_file(entry, data);
	if (!close_texts(entry)) {
		free(entry->out_text);
		free(entry->err_text);
		entry->out_text = entry->err_text = NULL;
	}
}

/* ---- Telling, in this thread ---- */

static void add(struct tally *total, const struct tally *more)
{
	total->states += more->states;
	total->findings += more->findings;
	total->refused += more->refused;
	total->not_judged += more->not_judged;
	total->others += more->others;
}

static void free_entry(struct entry *entry)
{
	free(entry->path);
	free(entry->out_text);
	free(entry->err_text);
	free(entry);
}

/* Lines leave whole: who interrupts us keeps what was told so far. */
static void put_now(const char *text, FILE *to)
{
	fputs(text, to);
	fflush(to);
}

static void tell(struct survey *survey, struct entry *entry)
{
	if (!entry->out_text) {
		fprintf(stderr, "xferry: out of memory\n");
		entry->status = STATUS_ERROR;
		entry->tally = (struct tally){ .not_judged = 1 };
	} else if (entry->out_size || entry->err_size) {
		progress_end(&survey->progress);
		put_now(entry->out_text, stdout);
		put_now(entry->err_text, stderr);
	}
	survey->status |= entry->status;
	add(&survey->total, &entry->tally);
	free_entry(entry);
}

/* Tells of the next entry, if it is done in time. */
static bool tell_next(struct survey *survey, unsigned int wait_ms)
{
	struct entry *entry = crew_take(survey->crew, wait_ms);

	progress_count(&survey->progress, survey->total.states, survey->total.others);
	if (entry)
		tell(survey, entry);
	return entry != NULL;
}

static void give(struct survey *survey, struct entry *entry, bool done)
{
	while (!crew_has_room(survey->crew))
		tell_next(survey, TICK_MS);
	crew_give(survey->crew, entry, done);
	while (tell_next(survey, 0))
		;
}

/* ---- The walk ---- */

static struct entry *new_entry(struct survey *survey, const char *path, bool named)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry) {
		entry->path = strdup(path);
		entry->named = named;
	}
	if (entry && entry->path)
		return entry;
	free(entry);
	fprintf(stderr, "xferry: out of memory\n");
	survey->status |= STATUS_ERROR;
	survey->total.not_judged++;
	return NULL;
}

/* Whether there is a file called so, but for `ending`, which the name has. */
static bool is_companion(const char *path, const char *ending)
{
	size_t length = strlen(path), end = strlen(ending);
	struct stat about;
	char *state;
	bool is;

	if (length <= end || strcmp(path + length - end, ending) != 0)
		return false;
	state = strndup(path, length - end);
	is = state && lstat(state, &about) == 0;
	free(state);
	return is;
}

/*
 * The originals that undo files bring back, what is not complete yet, and nothing that is only
 * called a little like it. Undo files need no name: they are of no format.
 */
static bool is_our_own(const char *path)
{
	static const char hidden[] = ".xferry-"; /* and six letters or digits of mkstemp() */
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t length = sizeof(hidden) - 1;

	if (strncmp(name, hidden, length) == 0 && strlen(name) == length + 6 &&
	    strspn(name + length, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789") == 6)
		return true;
	return is_companion(path, ".xforig") || is_companion(path, ".xfnew");
}

static void found_file(void *data, const char *path)
{
	struct survey *survey = data;
	struct entry *entry;

	if (is_our_own(path))
		survey->total.others++;
	else if ((entry = new_entry(survey, path, false)))
		give(survey, entry, false);
}

static void found_other(void *data)
{
	((struct survey *)data)->total.others++;
}

/* "xferry: DIRECTORY: open: Permission denied", in its place among the states. */
static void found_trouble(void *data, const char *path, const char *why)
{
	struct survey *survey = data;
	struct entry *entry = new_entry(survey, path, false);

	if (!entry)
		return;
	if (open_texts(entry))
		tell_trouble(entry, survey->json, path, XF_ERR_IO, why);
	close_texts(entry);
	give(survey, entry, true);
}

static void walk_argument(struct survey *survey, const char *path, bool tree)
{
	const struct walk walk = {
		.file = found_file,
		.other = found_other,
		.trouble = found_trouble,
		.data = survey,
	};
	struct entry *entry;

	if (tree)
		walk_tree(&walk, path);
	else if ((entry = new_entry(survey, path, true)))
		give(survey, entry, false);
}

static void print_summary(const struct request *request, const struct tally *total)
{
	printf("%" PRIu64 " state%s: %" PRIu64 " clean, %" PRIu64 " with findings", total->states,
	       total->states == 1 ? "" : "s", total->states - total->findings, total->findings);
	if (request->target)
		printf(", %" PRIu64 " refused", total->refused);
	printf("; %" PRIu64 " not judged, %" PRIu64 " other file%s\n", total->not_judged,
	       total->others, total->others == 1 ? "" : "s");
}

unsigned int check_trees(char *const *paths, const bool *trees, int count,
			 const struct request *request, unsigned int jobs, bool json)
{
	struct survey survey = {
		.request = request,
		.json = json,
		.progress = progress_start("checking"),
	};

	survey.crew = crew_start(jobs ? jobs : crew_cpus(), look_at, &survey);
	if (!survey.crew) {
		fprintf(stderr, "xferry: threads: %s\n", strerror(errno));
		return STATUS_ERROR;
	}
	for (int i = 0; i < count; i++)
		walk_argument(&survey, paths[i], trees[i]);
	while (!crew_is_empty(survey.crew))
		tell_next(&survey, TICK_MS);
	crew_end(survey.crew);
	progress_end(&survey.progress);
	if (!json)
		print_summary(request, &survey.total);
	return survey.status;
}
