/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

struct xf_error *judge(const char *path, const struct request *request, struct xf_state **state,
		       struct xf_report **report)
{
	struct xf_error *err = open_state(path, request, state);

	if (err)
		return err;
	return xf_check(*state, request->guest, request->target, request->only, report);
}

unsigned int not_judged(const char *path, bool json, struct xf_error *err)
{
	if (json)
		print_and_put(json_error(path, err));
	return complain(err);
}
