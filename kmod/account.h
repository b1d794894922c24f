/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hooks tell of themselves: counters, the last event of each VM, a notice in
 * the log, a tracepoint. A clean call counts on its own CPU and does nothing else.
 */
#ifndef XF_KMOD_ACCOUNT_H
#define XF_KMOD_ACCOUNT_H

#include <linux/percpu.h>
#include <linux/types.h>

enum xf_direction { XF_DIRECTION_SET, XF_DIRECTION_GET, XF_DIRECTIONS };

/* What became of a call. */
enum xf_fate {
	XF_FATE_CLEAN,	     /* x87 and SSE at most: no more was asked */
	XF_FATE_NEEDED,	     /* more, and nothing of it superfluous for certain */
	XF_FATE_SUPERFLUOUS, /* something was, and was left where it is */
	XF_FATE_TRIMMED,     /* and some of it was taken out */
	XF_FATE_NO_CPUID,    /* no CPUID yet: hands off */
	XF_FATE_PROTECTED,   /* the state is encrypted: hands off */
	XF_FATE_DISTRUSTED,  /* a self-check has failed, now or before: hands off */
	XF_FATE_FAILED,	     /* the area is too short for what it announces */
	XF_FATES
};

struct xf_counters {
	unsigned long fate[XF_DIRECTIONS][XF_FATES];
	unsigned long notices_suppressed;
	unsigned long vms_replaced;
	unsigned long vms_missed;
};

DECLARE_PER_CPU(struct xf_counters, xf_counters);

static inline void xf_count(enum xf_direction direction, enum xf_fate fate)
{
	this_cpu_inc(xf_counters.fate[direction][fate]);
}

/* Something superfluous was seen. */
struct xf_event {
	const void *vm;
	pid_t pid;
	int vcpu;
	enum xf_direction direction;
	bool trim;
	u64 xstate_bv;
	u64 shown;
	u64 superfluous;
	u64 dropped;
};

/* As the log, the tracepoint and debugfs tell it. */
/* clang-format off */
#define XF_EVENT_FORMAT \
	"pid=%d vcpu=%d direction=%s mode=%s xstate_bv=%#llx shown=%#llx superfluous=%#llx dropped=%#llx"
/* clang-format on */

/* Counts an event and tells of it. May be called from a probe: it never sleeps. */
void xf_account(const struct xf_event *event);

void xf_account_start(void);
void xf_account_stop(void);

#endif
