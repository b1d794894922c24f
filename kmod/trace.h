/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tracepoint: every event, however many the log suppresses. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xferry

#if !defined(XF_KMOD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XF_KMOD_TRACE_H

#include <linux/tracepoint.h>

#include "account.h"

TRACE_EVENT(xferry_trim, TP_PROTO(const struct xf_event *event), TP_ARGS(event),
	    TP_STRUCT__entry(__field(pid_t, pid) __field(int, vcpu) __field(bool, get)
				     __field(bool, trim) __field(u64, xstate_bv) __field(u64, shown)
					     __field(u64, superfluous) __field(u64, dropped)),
	    TP_fast_assign(__entry->pid = event->pid; __entry->vcpu = event->vcpu;
			   __entry->get = event->direction == XF_DIRECTION_GET;
			   __entry->trim = event->trim; __entry->xstate_bv = event->xstate_bv;
			   __entry->shown = event->shown; __entry->superfluous = event->superfluous;
			   __entry->dropped = event->dropped;),
	    TP_printk(XF_EVENT_FORMAT, __entry->pid, __entry->vcpu, __entry->get ? "get" : "set",
		      __entry->trim ? "trim" : "observe", __entry->xstate_bv, __entry->shown,
		      __entry->superfluous, __entry->dropped));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
