/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "cli/confine.h"
#include "cli/tree.h"

#define JOBS_MAX 1024

static struct xf_error *check_state(const struct spot *spot, const struct request *request,
				    bool json, unsigned int *status)
{
	struct xf_state *state = NULL;
	struct xf_report *report = NULL;
	struct xf_error *err = judge(spot, request, &state, &report);

	if (!err) {
		(json ? print_json_report : print_text_report)(state, request, report);
		*status |= report->finding_count ? STATUS_FINDINGS : STATUS_OK;
	}
	xf_report_free(report);
	xf_state_close(state);
	return err;
}

/* One state, or each of several in the file. */
static unsigned int check_file(const char *path, const struct request *request, bool json)
{
	unsigned int status = STATUS_OK;
	struct xf_error *err = check_state(&(struct spot){ .path = path }, request, json, &status);
	struct xf_states *states = err ? several_states(path, &err) : NULL;

	if (!states)
		return err ? not_judged(path, json, err) : status;
	xf_error_free(err);
	for (size_t i = 0; i < states->count; i++) {
		const struct spot spot = { states->file, states->parts[i], .found = true };

		err = check_state(&spot, request, json, &status);
		if (err)
			status |= not_judged(states->paths[i], json, err);
	}
	xf_states_free(states);
	return status;
}

/* One bad file does not keep the others from being checked. */
static unsigned int check_files(const struct options *options, const struct request *request)
{
	unsigned int status = STATUS_OK;

	for (int i = 0; i < options->count; i++)
		status |= check_file(options->arguments[i], request, options->json);
	return status;
}

/* Asks once which arguments are trees, as it may be another answer the next time. */
static bool has_tree(const struct options *options, bool *trees)
{
	bool has = false;

	for (int i = 0; i < options->count; i++)
		has |= trees[i] = is_tree(options->arguments[i]);
	return has;
}

/* 0 is not given. False: no number of workers. */
static bool read_jobs(const char *text, unsigned int *out)
{
	unsigned int number = 0;

	if (!text) {
		*out = 0;
		return true;
	}
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || number > JOBS_MAX)
			return false;
		number = 10 * number + (unsigned int)(*p - '0');
	}
	if (number < 1 || number > JOBS_MAX)
		return false;
	*out = number;
	return true;
}

static unsigned int check_all(const struct verb *verb, const struct options *options,
			      const bool *trees, bool any_tree, unsigned int jobs)
{
	struct request request;
	unsigned int status;

	if (options->layout && any_tree)
		return usage(verb,
			     "--layout is of raw XSAVE areas, and a directory may hold others: "
			     "name the files");

	struct xf_error *err = load_request(options, &request);
	bool from_used = false;

	if (err)
		return complain(err);
	if (any_tree || options->count > 1)
		request.from_used = &from_used;
	status = any_tree ? check_trees(options->arguments, trees, options->count, &request, jobs,
					options->json)
			  : check_files(options, &request);
	if (request.from && request.from_used && !from_used)
		fprintf(stderr, "xferry: note: nothing that was checked depends on the host that "
				"--from tells\n");
	request_deinit(&request);
	return status;
}

static unsigned int run_check(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	unsigned int status, jobs;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	if (!options.count)
		return usage(verb, "name at least one saved state");
	if (!read_jobs(options.jobs, &jobs))
		return usage(verb, "--jobs is a number from 1 to %d, not '%s'", JOBS_MAX,
			     options.jobs);

	confine_to_reading(&options, NULL, 0);

	bool *trees = calloc((size_t)options.count, sizeof(*trees));

	if (!trees) {
		fprintf(stderr, "xferry: out of memory\n");
		return STATUS_ERROR;
	}
	status = check_all(verb, &options, trees, has_tree(&options, trees), jobs);
	free(trees);
	return status;
}

const struct verb verb_check = {
	.name = "check",
	.arguments = "STATE|DIRECTORY… [GUEST] [TARGET] [--only COMPONENTS] [--jobs N] [--json]",
	.summary = "Tell what leaked into saved states and what a target answers to them.",
	.options = "cxqdefltOnj",
	.run = run_check,
};
