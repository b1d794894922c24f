/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kprobe may run as a breakpoint does, like an NMI: whatever is called from xf_account
 * must not wait for something that the interrupted code may hold.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "account.h"
#include "hooks.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>

DEFINE_PER_CPU(struct xf_counters, xf_counters);

/* ---- VMs ---- */

#define VM_BITS 8
#define VMS BIT(VM_BITS)
#define NEAR 8 /* places in which a VM may be, from its hash on */
#define PATIENCE 1000

/* The last event of a VM, and how many there were. */
struct vm {
	struct xf_event last;			  /* vm NULL: this place is free */
	u64 when;				  /* of the last event, in jiffies */
	unsigned long superfluous[XF_DIRECTIONS]; /* left where it was */
	unsigned long trimmed[XF_DIRECTIONS];
};

static DEFINE_RAW_SPINLOCK(vms_lock);
static struct vm vms[VMS];

/* Its place, or a free one, or that of the VM that has been silent longest. */
static struct vm *place_of(const struct xf_event *event)
{
	u32 start = hash_ptr(event->vm, VM_BITS);
	struct vm *place = NULL;

	for (u32 i = 0; i < NEAR; i++) {
		struct vm *vm = &vms[(start + i) % VMS];

		if (vm->last.vm == event->vm && vm->last.pid == event->pid)
			return vm;
		if (!place || (place->last.vm && (!vm->last.vm || vm->when < place->when)))
			place = vm;
	}
	if (place->last.vm)
		this_cpu_inc(xf_counters.vms_replaced);
	memset(place, 0, sizeof(*place));
	return place;
}

static void note_vm(const struct xf_event *event)
{
	unsigned long flags;

	/*
	 * By trying: lockdep knows no NMI that waits, and of many CPUs that set such states
	 * all the time one could wait for ever. The list is for people, so it may miss a call.
	 */
	for (int tries = 0; !raw_spin_trylock_irqsave(&vms_lock, flags); tries++) {
		if (tries == PATIENCE) {
			this_cpu_inc(xf_counters.vms_missed);
			return;
		}
		cpu_relax();
	}

	struct vm *vm = place_of(event);

	vm->last = *event;
	vm->when = get_jiffies_64();
	if (event->dropped)
		vm->trimmed[event->direction]++;
	else
		vm->superfluous[event->direction]++;
	raw_spin_unlock_irqrestore(&vms_lock, flags);
}

/* ---- Notices ---- */

#define EVENT_TEXT 192 /* the longest event, and room */

static const char *const directions[XF_DIRECTIONS] = { "set", "get" };

static void describe(const struct xf_event *event, char text[EVENT_TEXT])
{
	snprintf(text, EVENT_TEXT, XF_EVENT_FORMAT, event->pid, event->vcpu,
		 directions[event->direction], event->trim ? "trim" : "observe", event->xstate_bv,
		 event->shown, event->superfluous, event->dropped);
}

static DEFINE_RATELIMIT_STATE(notices, 5 * HZ, 10);

void xf_account(const struct xf_event *event)
{
	xf_count(event->direction, event->dropped ? XF_FATE_TRIMMED : XF_FATE_SUPERFLUOUS);
	note_vm(event);
	trace_xferry_trim(event);
	if (!__ratelimit(&notices)) {
		this_cpu_inc(xf_counters.notices_suppressed);
		return;
	}

	char text[EVENT_TEXT];

	describe(event, text);
	pr_notice("%s\n", text);
}

/* ---- debugfs ---- */

/* In the order of enum xf_fate. */
static const char *const fates[] = { "clean",	 "needed",    "superfluous", "trimmed",
				     "no_cpuid", "protected", "distrusted",  "failed" };
static_assert(ARRAY_SIZE(fates) == XF_FATES, "every fate has a name");

static void add(struct xf_counters *sum, const struct xf_counters *one)
{
	for (int direction = 0; direction < XF_DIRECTIONS; direction++)
		for (int fate = 0; fate < XF_FATES; fate++)
			sum->fate[direction][fate] += READ_ONCE(one->fate[direction][fate]);
	sum->notices_suppressed += READ_ONCE(one->notices_suppressed);
	sum->vms_replaced += READ_ONCE(one->vms_replaced);
	sum->vms_missed += READ_ONCE(one->vms_missed);
}

static int stats_show(struct seq_file *file, void *unused)
{
	struct xf_counters sum = {};

	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		if (cpu_possible(cpu))
			add(&sum, per_cpu_ptr(&xf_counters, cpu));
	for (int direction = 0; direction < XF_DIRECTIONS; direction++)
		for (int fate = 0; fate < XF_FATES; fate++)
			seq_printf(file, "%s_%s %lu\n", directions[direction], fates[fate],
				   sum.fate[direction][fate]);
	seq_printf(file, "set_missed %lu\nget_missed %lu\n", xf_set_missed(), xf_get_missed());
	seq_printf(file, "notices_suppressed %lu\nvms_replaced %lu\nvms_missed %lu\n",
		   sum.notices_suppressed, sum.vms_replaced, sum.vms_missed);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void show_vm(struct seq_file *file, const struct vm *vm)
{
	u64 age = jiffies64_to_nsecs(get_jiffies_64() - vm->when);
	char text[EVENT_TEXT];

	describe(&vm->last, text);
	seq_puts(file, text);
	for (int direction = 0; direction < XF_DIRECTIONS; direction++)
		seq_printf(file, " %s_superfluous=%lu %s_trimmed=%lu", directions[direction],
			   vm->superfluous[direction], directions[direction],
			   vm->trimmed[direction]);
	seq_printf(file, " age=%llu\n", div_u64(age, NSEC_PER_SEC));
}

static int vms_show(struct seq_file *file, void *unused)
{
	for (size_t i = 0; i < VMS; i++) {
		unsigned long flags;

		raw_spin_lock_irqsave(&vms_lock, flags);

		struct vm vm = vms[i];

		raw_spin_unlock_irqrestore(&vms_lock, flags);
		if (vm.last.vm)
			show_vm(file, &vm);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vms);

static struct dentry *directory;

void xf_account_start(void)
{
	/* What is suppressed is counted: the log need not say so. */
	ratelimit_set_flags(&notices, RATELIMIT_MSG_ON_RELEASE);
	directory = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("stats", 0444, directory, NULL, &stats_fops);
	debugfs_create_file("vms", 0444, directory, NULL, &vms_fops);
}

void xf_account_stop(void)
{
	debugfs_remove_recursive(directory);
}
