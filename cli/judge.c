/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "cli/cli.h"

static struct xf_error *open_with(const char *path, const struct request *request,
				  const struct xf_progress *progress, struct xf_state **state)
{
	struct xf_error *err = xf_state_open(path, progress, state);

	if (!err && request->from)
		err = xf_state_began_on(*state, request->from);
	return err;
}

struct xf_error *open_state(const char *path, const struct request *request,
			    struct xf_state **state)
{
	struct progress progress;
	struct xf_error *err;

	if (request->has_layout)
		return xf_state_open_area(path, &request->layout, state);
	progress = progress_start("reading");
	progress.call.data = &progress;
	err = open_with(path, request, progress.call.step ? &progress.call : NULL, state);
	progress_end(&progress);
	return err;
}

struct xf_error *judge(const char *path, const struct request *request, struct xf_state **state,
		       struct xf_report **report)
{
	struct xf_error *err = open_state(path, request, state);

	if (err)
		return err;
	return xf_check(*state, request->guest, request->target, request->only, report);
}

struct xf_error *judge_quietly(const char *path, const struct request *request,
			       struct xf_state **state, struct xf_report **report)
{
	struct xf_error *err = open_with(path, request, NULL, state);

	if (err)
		return err;
	return xf_check(*state, request->guest, request->target, request->only, report);
}

struct xf_states *several_states(const char *path, struct xf_error **err)
{
	struct xf_states *states = NULL;

	if ((*err)->code != XF_ERR_USAGE)
		return NULL;

	struct xf_error *more = xf_states_at(path, &states);

	if (more) {
		xf_error_free(*err);
		*err = more;
	} else if (states->count == 1 && strcmp(states->paths[0], path) == 0) {
		/* What it lacks is not a name. */
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
