/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "cli/cli.h"

struct xf_error *open_state(const char *path, const struct request *request,
			    struct xf_state **state)
{
	struct progress progress = progress_start("reading");
	struct xf_error *err;

	progress.call.data = &progress;
	err = xf_state_open(path, progress.call.step ? &progress.call : NULL, state);
	progress_end(&progress);
	if (!err && request->from)
		err = xf_state_began_on(*state, request->from);
	return err;
}

struct xf_error *judge_opened(struct xf_state *state, const struct request *request,
			      struct xf_report **report)
{
	if (request->from) {
		struct xf_error *err = xf_state_began_on(state, request->from);

		if (err)
			return err;
	}
	return xf_check(state, request->guest, request->target, request->only, report);
}

struct xf_error *judge(const char *path, const struct request *request, struct xf_state **state,
		       struct xf_report **report)
{
	struct xf_error *err = open_state(path, request, state);

	if (err)
		return err;
	return xf_check(*state, request->guest, request->target, request->only, report);
}

struct xf_states *several_states(const char *path, const struct xf_error *err)
{
	struct xf_states *states = NULL;

	if (err->code != XF_ERR_USAGE)
		return NULL;
	xf_error_free(xf_states_at(path, &states));
	/* One of the same name is not what was meant by the error. */
	if (states && states->count == 1 && strcmp(states->paths[0], path) == 0) {
		xf_states_free(states);
		states = NULL;
	}
	return states;
}

unsigned int not_judged(const char *path, bool json, struct xf_error *err)
{
	if (json)
		print_and_put(json_error(path, err));
	return complain(err);
}
