/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM_SET_XSAVE: superfluous components are taken out of KVM's private copy of the area
 * before KVM checks it. Only XSTATE_BV changes: data without its bit is not loaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"
#include "hooks.h"
#include "judge.h"

#include <linux/kprobes.h>
#include <linux/printk.h>

static int on_set(struct kprobe *probe, struct pt_regs *regs)
{
	struct xf_event event;
	struct xf_call call;

	if (!xf_call_set(regs, &call)) {
		xf_count(XF_DIRECTION_SET, XF_FATE_DISTRUSTED);
		return 0;
	}
	if (!xf_judge_call(&call, XF_DIRECTION_SET, &event))
		return 0;
	event.dropped = xf_area_clear(call.area, call.size, event.dropped);
	xf_account(&event);
	return 0;
}

static struct kprobe set_probe = {
	.symbol_name = XF_SET_SYMBOL,
	.pre_handler = on_set,
};

/* Where the function is one of KVM's own, KVM must be there to have it. */
#if defined(XF_HAS_GUEST_FPSTATE) || !IS_MODULE(CONFIG_KVM)
#define HINT ""
#else
#define HINT " (if module kvm is not loaded, load it first)"
#endif

int xf_set_start(void)
{
	int error = register_kprobe(&set_probe);

	if (error == -ENOENT)
		pr_err("not loaded: this kernel has no function %s to hook%s\n", XF_SET_SYMBOL,
		       HINT);
	else if (error)
		pr_err("not loaded: no kprobe on %s: error %d\n", XF_SET_SYMBOL, error);
	return error;
}

void xf_set_stop(void)
{
	unregister_kprobe(&set_probe);
}

unsigned long xf_set_missed(void)
{
	return READ_ONCE(set_probe.nmissed);
}
