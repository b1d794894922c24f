/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM_GET_XSAVE and KVM_GET_XSAVE2, while trim_get is 1: what a leaky kernel gives in
 * excess is taken out of KVM's private copy, data and all, before userspace gets it.
 * The area is there only when the function returns, hence a kretprobe.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"
#include "hooks.h"
#include "judge.h"

#include <linux/kprobes.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>

/* wanted, started, and the kretprobe go together. */
static DEFINE_MUTEX(get_mutex);
static bool wanted;
static bool started;

#ifdef XF_GET_SYMBOL

#define LEAF_XSAVE 0xd

static struct xf_layout layout;
static struct kretprobe get_probe;
static unsigned long missed_before;

static int on_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct xf_call *call = (struct xf_call *)instance->data;

	if (xf_call_get(regs, call))
		return 0;
	xf_count(XF_DIRECTION_GET, XF_FATE_DISTRUSTED);
	return 1; /* its return is of no interest */
}

static int on_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct xf_call *call = (struct xf_call *)instance->data;
	struct xf_event event;

	if (xf_call_distrusted()) {
		xf_count(XF_DIRECTION_GET, XF_FATE_DISTRUSTED);
		return 0;
	}
	if (call->size < XF_EXTENDED_OFFSET) {
		xf_count(XF_DIRECTION_GET, XF_FATE_FAILED);
		return 0;
	}
	if (!xf_judge_call(call, XF_DIRECTION_GET, &event))
		return 0;
	if (event.dropped && !xf_area_drop(call->area, call->size, &layout, event.dropped)) {
		xf_count(XF_DIRECTION_GET, XF_FATE_FAILED);
		return 0;
	}
	xf_account(&event);
	return 0;
}

/* Where this CPU has each component; KVM gives areas in that format. */
static bool read_layout(void)
{
	struct xf_cpuid_regs sub[XF_BITS] = {};

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return true; /* nothing but x87 and SSE can be in an area */
	for (unsigned int i = 2; i < XF_BITS; i++)
		cpuid_count(LEAF_XSAVE, i, &sub[i].eax, &sub[i].ebx, &sub[i].ecx, &sub[i].edx);
	return xf_layout_from_cpuid(sub, XF_BITS, &layout) == XF_LAYOUT_OK;
}

static int arm(void)
{
	if (!read_layout()) {
		pr_err("trim_get: CPUID leaf 0xd makes no sense on this CPU\n");
		return -ENODEV;
	}
	get_probe = (struct kretprobe){
		.kp.symbol_name = XF_GET_SYMBOL,
		.entry_handler = on_entry,
		.handler = on_return,
		.data_size = sizeof(struct xf_call),
		/*
		 * The function does not sleep: one call a CPU can be inside, and those
		 * that were preempted there. What finds no instance is counted as missed.
		 */
		.maxactive = max_t(int, 32, 4 * num_possible_cpus()),
	};

	int error = register_kretprobe(&get_probe);

	if (error == -ENOENT)
		pr_err("trim_get: there is no function %s to hook\n", XF_GET_SYMBOL);
	else if (error)
		pr_err("trim_get: no kretprobe on %s: error %d\n", XF_GET_SYMBOL, error);
	return error;
}

static unsigned long missed_now(void)
{
	return READ_ONCE(get_probe.nmissed) + READ_ONCE(get_probe.kp.nmissed);
}

static void disarm(void)
{
	unregister_kretprobe(&get_probe);
	missed_before += missed_now();
	get_probe.nmissed = 0;
	get_probe.kp.nmissed = 0;
}

#else

static const unsigned long missed_before;

static int arm(void)
{
	pr_err("trim_get: GET has no function of its own to hook in this kernel\n");
	return -ENODEV;
}

static unsigned long missed_now(void)
{
	return 0;
}

static void disarm(void)
{
}

#endif

/* The mutex is held. */
static int change(bool on)
{
	int error = 0;

	if (!started || on == wanted) {
		WRITE_ONCE(wanted, on);
		return 0;
	}
	if (on)
		error = arm();
	else
		disarm();
	if (!error)
		WRITE_ONCE(wanted, on);
	return error;
}

int xf_get_want(bool on)
{
	mutex_lock(&get_mutex);

	int error = change(on);

	mutex_unlock(&get_mutex);
	return error;
}

bool xf_get_wanted(void)
{
	return READ_ONCE(wanted);
}

/* Where GET cannot be hooked, SET still is. */
void xf_get_start(void)
{
	mutex_lock(&get_mutex);
	started = true;
	if (wanted && arm())
		WRITE_ONCE(wanted, false);
	mutex_unlock(&get_mutex);
}

void xf_get_stop(void)
{
	mutex_lock(&get_mutex);
	if (wanted)
		disarm();
	/* Whoever still writes to the parameter while the module goes changes nothing. */
	started = false;
	mutex_unlock(&get_mutex);
}

unsigned long xf_get_missed(void)
{
	mutex_lock(&get_mutex);

	unsigned long missed = missed_before + missed_now();

	mutex_unlock(&get_mutex);
	return missed;
}
