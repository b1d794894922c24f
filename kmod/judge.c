/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "judge.h"
#include "params.h"
#include "core/area.h"
#include "core/bytes.h"

#include <linux/sched.h>

#define EVERYTHING (~(u64)0)

static bool hands_off(enum xf_direction direction, enum xf_fate why)
{
	xf_count(direction, why);
	return false;
}

bool xf_judge_call(const struct xf_call *call, enum xf_direction direction, struct xf_event *event)
{
	u64 xstate_bv = xf_get_le64((unsigned char *)call->area + XF_XSTATE_BV_OFFSET);
	struct xf_shown shown;

	if (!(xstate_bv & ~XF_FPSSE))
		return hands_off(direction, XF_FATE_CLEAN);
	if (xf_vcpu_protected(call->vcpu))
		return hands_off(direction, XF_FATE_PROTECTED);
	/* A guest's own AVX and its like end here or below, so that they are soon told. */
	if (!(xstate_bv & ~(xf_vcpu_supported(call->vcpu) | XF_FPSSE)))
		return hands_off(direction, XF_FATE_NEEDED);
	if (!xf_vcpu_shown(call->vcpu, &shown))
		return hands_off(direction,
				 xf_call_distrusted() ? XF_FATE_DISTRUSTED : XF_FATE_NO_CPUID);
	if (!(xstate_bv & ~xf_shown_leaf_d(&shown)))
		return hands_off(direction, XF_FATE_NEEDED);

	struct xf_guest guest = xf_shown_guest(&shown);
	u64 superfluous = xf_droppable(xstate_bv, guest, EVERYTHING);

	if (!superfluous)
		return hands_off(direction, XF_FATE_NEEDED);
	event->vm = xf_vcpu_vm(call->vcpu);
	event->pid = current->tgid;
	event->vcpu = xf_vcpu_id(call->vcpu);
	event->direction = direction;
	event->trim = xf_params_trim();
	event->xstate_bv = xstate_bv;
	event->shown = xf_guest_normal(guest).shown;
	event->superfluous = superfluous;
	event->dropped = superfluous & xf_params_allowed();
	return true;
}
