/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XF_STATE_ATTRIBUTES_H
#define XF_STATE_ATTRIBUTES_H

#include "base/error.h"

/*
 * Gives the file `to`, which errors call `path`, what the file `from` has besides its content:
 * owner, mode and extended attributes, of which access lists and security labels are some. Not
 * its times: the content is another.
 */
struct xf_error *xf_attributes_copy(int from, int to, const char *path);

#endif
