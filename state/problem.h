/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of findings, by name for the code that finds them. */
#ifndef XF_STATE_PROBLEM_H
#define XF_STATE_PROBLEM_H

#include "xferry.h"

enum xf_problem_id {
	XF_PROBLEM_SUPERFLUOUS,
	XF_PROBLEM_NO_EVIDENCE,
	XF_PROBLEM_CONTRADICTION,
	XF_PROBLEM_LOST,
	XF_PROBLEM_MISSING,
	XF_PROBLEM_BLOCKED,
	XF_PROBLEM_FPSSE,
	XF_PROBLEM_MXCSR,
	XF_PROBLEM_XCR0,
	XF_PROBLEM_HOOK,
	XF_PROBLEM_UNKNOWN,
	XF_PROBLEM_HEADER,
	XF_PROBLEMS
};

const struct xf_problem *xf_problem_by_id(enum xf_problem_id id);

#endif
