/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "cli/confine.h"

/* Everything that one repair works with. */
struct repair {
	const struct options *options;
	struct request request;
	struct xf_state *state;
	struct xf_report *report;
};

static void repair_deinit(struct repair *repair)
{
	xf_report_free(repair->report);
	xf_state_close(repair->state);
	request_deinit(&repair->request);
}

static struct xf_error *write_repair(const struct repair *repair)
{
	const struct options *options = repair->options;
	struct progress progress = progress_start(options->in_place ? "repairing" : "copying");
	const struct xf_progress *call = progress.call.step ? &progress.call : NULL;
	struct xf_error *err;

	if (repair->request.has_relay)
		return xf_fix_relaid(repair->state, repair->report, &repair->request.relay,
				     options->output);
	progress.call.data = &progress;
	err = options->in_place
		      ? xf_fix_in_place(repair->state, repair->report, options->undo_file, call)
		      : xf_fix_copy(repair->state, repair->report, options->output, call);
	progress_end(&progress);
	return err;
}

/* It lies beside the file itself, not beside a symbolic link to it. */
static void tell_original(const struct repair *repair)
{
	const char *path = xf_state_path(repair->state);
	char *itself = realpath(path, NULL);
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	bool is_link = itself && strcmp(strrchr(itself, '/') + 1, base) != 0;

	fputs("Undo needs the original, which is kept: ", stdout);
	put_printable(is_link ? itself : path, stdout);
	puts(".xforig");
	free(itself);
}

static void put_undo_file(const struct repair *repair, FILE *to)
{
	const char *undo_file = repair->options->undo_file;

	put_printable(undo_file ? undo_file : xf_state_path(repair->state), to);
	fputs(undo_file ? "" : ".xfundo", to);
}

static void tell_where(const struct repair *repair)
{
	const struct options *options = repair->options;

	if (options->relay) {
		fputs("Laid out as ", stdout);
		put_printable(options->relay, stdout);
		fputs(" has it: ", stdout);
		put_printable(options->output, stdout);
		putchar('\n');
	} else if (!repair->report->edit_count) {
		puts("Nothing may be dropped; nothing was written.");
	} else if (options->output) {
		fputs("Repaired copy: ", stdout);
		put_printable(options->output, stdout);
		putchar('\n');
	} else {
		fputs("Repaired in place. To take it back: xferry undo ", stdout);
		put_undo_file(repair, stdout);
		putchar('\n');
		if (xf_state_is_rewritten(repair->state))
			tell_original(repair);
	}
}

/* All of the report when something is left to be read in it. */
static void tell_result(const struct repair *repair, unsigned int status)
{
	bool nothing_else = status == STATUS_REPAIRED && repair->report->edit_count;

	(nothing_else ? print_text_repair : print_text_report)(repair->state, &repair->request,
							       repair->report);
	tell_where(repair);
	if (repair->report->edit_count && repair->report->left_count)
		puts("Not all is mended: 'xferry check' tells what is left.");
}

/* What is never changed gets its refusal from the library. */
static bool is_to_be_written(const struct repair *repair)
{
	return repair->report->edit_count || repair->request.has_relay ||
	       xf_state_read_only(repair->state);
}

/* Of an area that was laid out anew the new file tells: even its header is another. */
static struct xf_error *count_relaid(const struct repair *repair, size_t *left)
{
	const struct request *request = &repair->request;
	struct xf_state *state = NULL;
	struct xf_report *report = NULL;
	struct xf_error *err = xf_state_open_area(repair->options->output, &request->relay, &state);

	if (!err)
		err = xf_check(state, request->guest, request->target, request->only, &report);
	if (!err)
		*left = report->finding_count;
	xf_report_free(report);
	xf_state_close(state);
	return err;
}

/* Writes what there is to be written; `*left` are the findings that it has then. */
static struct xf_error *carry_out(const struct repair *repair, size_t *left)
{
	struct xf_error *err = write_repair(repair);

	*left = repair->report->left_count;
	return !err && repair->request.has_relay ? count_relaid(repair, left) : err;
}

/*
 * What was written stays written when nobody could be told of it: a report that is lost must not
 * take the way back with it.
 */
static unsigned int hold_told(const struct repair *repair, unsigned int status)
{
	if (!(status & STATUS_REPAIRED) || (fflush(stdout) == 0 && !ferror(stdout)))
		return status;
	fprintf(stderr, "xferry: standard output: %s; ", strerror(errno));
	if (repair->options->in_place) {
		fputs("the repair was made, to take it back: xferry undo ", stderr);
		put_undo_file(repair, stderr);
	} else {
		fputs("the repaired copy was written: ", stderr);
		put_printable(repair->options->output, stderr);
	}
	putc('\n', stderr);
	/* Told once. */
	__fpurge(stdout);
	clearerr(stdout);
	return status | STATUS_ERROR;
}

static unsigned int repair_judged(const struct repair *repair)
{
	const struct xf_report *report = repair->report;
	size_t left = report->left_count;
	unsigned int status = STATUS_OK;

	if (is_to_be_written(repair)) {
		struct xf_error *err = carry_out(repair, &left);

		if (err)
			return not_judged(repair->options->arguments[0], repair->options->json,
					  err);
		status |= STATUS_REPAIRED;
	}
	status |= left ? STATUS_FINDINGS : STATUS_OK;
	if (repair->options->json)
		print_json_report(repair->state, &repair->request, report);
	else
		tell_result(repair, status);
	return hold_told(repair, status);
}

static unsigned int check_arguments(const struct verb *verb, const struct options *options)
{
	if (options->count != 1)
		return usage(verb, "name one saved state");
	if (strcmp(options->arguments[0], "-") == 0)
		return usage(verb, "standard input cannot be repaired: name the file");
	if (options->output && strcmp(options->output, "-") == 0)
		return usage(verb, "a copy cannot go to standard output: name a file");
	if (options->in_place == (options->output != NULL))
		return usage(verb, "say where to write: either -o FILE or --in-place");
	if (options->undo_file && !options->in_place)
		return usage(verb, "--undo-file belongs to --in-place");
	if (options->relay && !options->layout)
		return usage(verb, "--relay is for a raw XSAVE area, of which --layout says whose "
				   "it is");
	if (options->relay && options->in_place)
		return usage(verb,
			     "an area that is laid out anew is another file: name it with -o");
	return STATUS_OK;
}

static unsigned int run_fix(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	unsigned int status;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	status = check_arguments(verb, &options);
	if (status)
		return status;

	confine_to_repair(&options);

	const struct spot spot = { .path = options.arguments[0] };
	struct repair repair = { .options = &options };
	struct xf_error *err = load_request(&options, &repair.request);

	if (err)
		return complain(err);
	err = judge(&spot, &repair.request, &repair.state, &repair.report);
	status = err ? not_judged(options.arguments[0], options.json, err) : repair_judged(&repair);
	repair_deinit(&repair);
	return status;
}

const struct verb verb_fix = {
	.name = "fix",
	.arguments = "STATE [GUEST] [TARGET] (-o FILE | --in-place) [--only COMPONENTS] [--json]",
	.summary = "Drop what leaked into a saved state, in a copy or reversibly in place.",
	.options = "cxqdefltOoriuj",
	.run = run_fix,
};
