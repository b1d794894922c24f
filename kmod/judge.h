/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a call to what is superfluous in its area, by the rule of core/. */
#ifndef XF_KMOD_JUDGE_H
#define XF_KMOD_JUDGE_H

#include "account.h"
#include "vcpu.h"

/*
 * Whether the area has something superfluous. Then `*event` is filled in, `dropped`
 * with what is to be dropped: nothing while observing. False: hands off.
 */
bool xf_judge_call(const struct xf_call *call, enum xf_direction direction, struct xf_event *event);

#endif
