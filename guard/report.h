/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of the vCPUs of this process, and the sum of it at its end. */
#ifndef XF_GUARD_REPORT_H
#define XF_GUARD_REPORT_H

#include "guard/table.h"

/* What was found in one call, and what was made of it. */
struct xf_found {
	bool set; /* KVM_SET_XSAVE, else KVM_GET_XSAVE(2) */
	uint64_t xstate_bv;
	uint64_t shown;
	uint64_t superfluous;
	uint64_t dropped;
	int error; /* errno of the call, 0: it succeeded */
};

/* One line a vCPU and direction; the rest is counted. */
void xf_report_found(struct xf_record *record, const struct xf_found *found);

/* One line a vCPU: why nothing is done for it. */
void xf_report_off(struct xf_record *record, const char *why);

/* One line a process: a vCPU that cannot be told from other fds. */
void xf_report_unseen(uint32_t vcpu, const char *why);

/* What is wrong with the settings; once. */
void xf_report_settings(void);

/* The sum, if anything was found by this very process. */
void xf_report_summary(void);

/* "EINVAL", "0"; for errors that neither KVM nor the opening of a log gives, "error". */
const char *xf_report_error(int error);

#endif
