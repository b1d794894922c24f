/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "cli/cli.h"

static unsigned int check_one(const char *path, const struct request *request, bool json);

/* Each of several states in a file. `why` is what it is not one for. */
static unsigned int check_parts(const char *path, const struct request *request, bool json,
				struct xf_error *why)
{
	struct xf_states *states = NULL;
	struct xf_error *err = xf_states_at(path, &states);
	unsigned int status = STATUS_OK;

	if (!err && states->count == 1 && strcmp(states->paths[0], path) == 0)
		err = why;
	else
		xf_error_free(why);
	if (err) {
		xf_states_free(states);
		return not_judged(path, json, err);
	}
	for (size_t i = 0; i < states->count; i++)
		status |= check_one(states->paths[i], request, json);
	xf_states_free(states);
	return status;
}

static unsigned int check_one(const char *path, const struct request *request, bool json)
{
	struct xf_state *state = NULL;
	struct xf_report *report = NULL;
	struct xf_error *err = judge(path, request, &state, &report);
	unsigned int status = STATUS_OK;

	if (err && err->code == XF_ERR_USAGE) {
		status = check_parts(path, request, json, err);
	} else if (err) {
		status = not_judged(path, json, err);
	} else {
		(json ? print_json_report : print_text_report)(state, request, report);
		if (report->finding_count)
			status = STATUS_FINDINGS;
	}
	xf_report_free(report);
	xf_state_close(state);
	return status;
}

static unsigned int run_check(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	struct request request;
	unsigned int status;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	if (!options.count)
		return usage(verb, "name at least one saved state");

	struct xf_error *err = load_request(&options, &request);

	if (err)
		return complain(err);
	/* One bad file does not keep the others from being checked. */
	for (int i = 0; i < options.count; i++)
		status |= check_one(options.arguments[i], &request, options.json);
	request_deinit(&request);
	return status;
}

const struct verb verb_check = {
	.name = "check",
	.arguments = "STATE… [GUEST] [TARGET] [--only COMPONENTS] [--json]",
	.summary = "Tell what leaked into saved states and what a target answers to them.",
	.options = "cxqdeftOj",
	.run = run_check,
};
