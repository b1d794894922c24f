/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host's profile with some of its behaviours changed on purpose: whoever tests
 * the differential test makes the model wrong with it and sees the test fail.
 */
#ifndef XF_LAB_ASSUME_H
#define XF_LAB_ASSUME_H

#include "base/error.h"

/*
 * `words` are KEY=VALUE, with the keys and words of xferry-profile(5): "set=guest",
 * "supported=0x3", "xsave=false", "hook=null". XF_ERR_USAGE: no such key, or the
 * profile does not make sense with it.
 */
struct xf_error *assume(const struct xf_host *host, char *const *words, size_t count,
			struct xf_host **out);

#endif
