/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XF_STATE_ATTRIBUTES_H
#define XF_STATE_ATTRIBUTES_H

#include "base/publish.h"
#include "state/input.h"

/*
 * Gives the file `to`, which errors call `path`, what the file `from` has besides its content:
 * owner, mode and extended attributes, of which access lists and security labels are some. Not
 * its times: the content is another.
 */
struct xf_error *xf_attributes_copy(int from, int to, const char *path);

/*
 * Begins a new file, as xf_publish_begin, with something of the state in it. Its mode is the
 * state's, of which `mask` is left; where its group is another, that may only what the others may,
 * and where the state has an access list, only the owner may anything. So nobody reads it who may
 * not read the state.
 */
struct xf_error *xf_attributes_publish(const struct xf_input *state, const char *path, mode_t mask,
				       struct xf_publish *out);

#endif
