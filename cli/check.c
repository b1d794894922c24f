/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

static struct xf_error *judge(const char *path, const struct request *request,
			      struct xf_state **state, struct xf_report **report)
{
	struct progress progress = progress_start("reading");
	struct xf_error *err;

	progress.call.data = &progress;
	err = xf_state_open(path, progress.call.step ? &progress.call : NULL, state);
	progress_end(&progress);
	if (err)
		return err;
	return xf_check(*state, request->guest, request->target, request->only, report);
}

static unsigned int check_one(const char *path, const struct request *request, bool json)
{
	struct xf_state *state = NULL;
	struct xf_report *report = NULL;
	struct xf_error *err = judge(path, request, &state, &report);
	unsigned int status = STATUS_OK;

	if (err) {
		if (json)
			print_json_error(path, err);
		status = complain(err);
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
	unsigned int status = read_options(verb, argc, argv, &options);

	if (status)
		return status;
	if (options.help) {
		print_help(verb);
		return STATUS_OK;
	}
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
	.options = "cdeftOj",
	.run = run_check,
};
