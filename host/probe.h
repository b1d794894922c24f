/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Probing this machine's KVM in two steps: ask, which makes the calls and keeps
 * the bare answers, and conclude, which is a pure function of them. So what
 * kernels answered that are not at hand can be recorded, and concluded from anywhere.
 *
 * The guests that are asked about differ in what they are shown of XSAVE. What
 * they were really shown is read back, for a KVM may show them more.
 */
#ifndef XF_HOST_PROBE_H
#define XF_HOST_PROBE_H

#include "base/error.h"

enum xf_probe_guest {
	XF_PROBE_NONE,	/* KVM_SET_CPUID2 was not called */
	XF_PROBE_EMPTY, /* it was called with no entries at all */
	XF_PROBE_BARE,	/* all but XSAVE and what needs it: no leaf 0xD */
	XF_PROBE_FPSSE, /* XSAVE with x87 and SSE */
	XF_PROBE_AVX,	/* and with AVX */
	XF_PROBE_FULL,	/* all that KVM_GET_SUPPORTED_CPUID says */
	XF_PROBE_GUESTS,
};

/*
 * What was said to one fresh vCPU: KVM_SET_XSAVE with `before` in use, then
 * KVM_SET_CPUID2, KVM_GET_XSAVE; then each component alone; then all that were
 * taken together, and KVM_GET_XSAVE. It is shown everything: KVM_GET_XSAVE. At last all
 * that the host holds is set, and it is shown again what it was: KVM_GET_XSAVE. Masks are
 * of XSTATE_BV.
 */
struct xf_probe_dialogue {
	bool done;
	uint64_t asked;		  /* what CPUID.(0xD,0) was to show, */
	uint64_t shown;		  /* and does, by KVM_GET_CPUID2, */
	struct xf_guest evidence; /* which tells this */
	uint64_t before;	  /* taken before KVM_SET_CPUID2, */
	uint64_t carried;	  /* and what GET gave of that after it */
	uint64_t accepted;	  /* components that SET took each alone */
	uint64_t kept;		  /* and what GET gave when SET took them together */
	bool was_widened;	  /* it could be shown everything, */
	uint64_t widened;	  /* and what GET gave then */
	bool was_narrowed;	  /* the last part was possible, */
	uint64_t narrowed;	  /* and what GET gave in it */
};

/* Why a part could not be asked: empty when it was. */
#define XF_PROBE_WHY 128

struct xf_probe_answers {
	char kernel[65];
	char cpu[49];
	int amx_permission; /* errno of ARCH_REQ_XCOMP_GUEST_PERM */
	uint64_t supported; /* CPUID.(0xD,0) of KVM_GET_SUPPORTED_CPUID; 0 without XSAVE */
	struct xf_cpuid_regs extents[XF_BITS];
	uint32_t area_size; /* KVM_CAP_XSAVE2; 0 without a VM */

	char why_no_vm[XF_PROBE_WHY];
	bool short_of_something; /* files or memory, for a VM or a vCPU */

	char why_no_guest[XF_PROBE_WHY];
	struct xf_probe_dialogue guests[XF_PROBE_GUESTS];

	/* Components whose data GET gave back from another place than SET took it. */
	char why_no_places[XF_PROBE_WHY];
	uint64_t moved;

	char why_no_header[XF_PROBE_WHY];
	bool takes_xcomp_bv;
	uint32_t reserved_taken; /* bit i: the i-th of six reserved quadwords may be set */

	char why_no_mxcsr[XF_PROBE_WHY];
	uint32_t mxcsr_mask;
	bool idle_mxcsr_taken; /* a bit outside the mask, with XSTATE_BV 0 */

	/* SET with PKRU, SET without it, KVM_RUN: what GET gives after each. */
	char why_no_pkru[XF_PROBE_WHY];
	struct {
		bool in_use;
		uint32_t value;
	} pkru[3];
	bool pkru_ran;

	char why_no_xfd[XF_PROBE_WHY];
	bool xfd_kept; /* tile data set while IA32_XFD disarms it is there afterwards */

	/* /sys/module/xferry: what is said there of the module, if it is loaded. */
	bool module_loaded;
	char module_mode[16];
	uint64_t module_components;
	bool module_trim_get;

	char why_no_run[XF_PROBE_WHY];
	uint64_t run_shown; /* what that guest was shown */
	uint64_t after_run;
};

/* The value that PKRU is set to. */
#define XF_PROBE_PKRU 0x55555554u

/*
 * Asks /dev/kvm. Without a KVM there is an error; what a KVM does not let itself be
 * asked is in the answers, with the reason.
 */
struct xf_error *xf_probe_ask(struct xf_probe_answers *out);

/* What of `kvm` the answers tell of the xferry module: hook_set and hook_get. */
void xf_probe_measure_module(const struct xf_probe_answers *answers, struct xf_kvm *kvm);

/* The module by its name, and whether what it says of itself is what is seen. */
struct xf_error *xf_probe_conclude_module(const struct xf_probe_answers *answers,
					  struct xf_host *host);

/* What the answers tell of this host. */
struct xf_error *xf_probe_conclude(const struct xf_probe_answers *answers, struct xf_host **out);

#endif
