/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

static struct xf_error *open_spot(const struct spot *spot, const struct xf_progress *progress,
				  struct xf_state **state)
{
	return spot->found ? xf_state_open_part(spot->path, spot->part, progress, state)
			   : xf_state_open(spot->path, progress, state);
}

static struct xf_error *open_visibly(const struct spot *spot, struct xf_state **state)
{
	struct progress progress = progress_start("reading");
	struct xf_error *err;

	progress.call.data = &progress;
	err = open_spot(spot, progress.call.step ? &progress.call : NULL, state);
	progress_end(&progress);
	return err;
}

/* --from without effect is a mistake: it is no evidence by itself. */
static struct xf_error *tell_from(const struct request *request, struct xf_state *state)
{
	struct xf_error *err = xf_state_began_on(state, request->from);
	bool unused = err && err->code == XF_ERR_USAGE;
	bool given_uses = request->guest && request->guest->all_of_host;

	if (err && !(unused && (given_uses || request->from_used)))
		return err;
	if (request->from_used && (!unused || given_uses))
		__atomic_store_n(request->from_used, true, __ATOMIC_RELAXED);
	xf_error_free(err);
	return NULL;
}

struct xf_error *open_state(const struct spot *spot, const struct request *request,
			    struct xf_state **state)
{
	struct xf_error *err;

	if (request->has_layout)
		err = xf_state_open_area(spot->path, &request->layout, state);
	else
		err = spot->quiet ? open_spot(spot, NULL, state) : open_visibly(spot, state);
	return err || !request->from ? err : tell_from(request, *state);
}

struct xf_error *judge(const struct spot *spot, const struct request *request,
		       struct xf_state **state, struct xf_report **report)
{
	struct xf_error *err = open_state(spot, request, state);

	if (err)
		return err;
	return xf_check(*state, request->guest, request->target, request->only, report);
}

struct xf_states *several_states(const char *path, struct xf_error **err)
{
	struct xf_states *states = NULL;

	if ((*err)->code != XF_ERR_SEVERAL)
		return NULL;

	struct xf_error *more = xf_states_at(path, &states);

	if (more) {
		xf_error_free(*err);
		*err = more;
	}
	return states;
}

unsigned int not_judged(const char *path, bool json, struct xf_error *err)
{
	if (json)
		print_and_put(json_error(path, err));
	return complain(err);
}
