/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The judgement of one vCPU for one target: what check makes a report of, and route a hop. */
#ifndef XF_STATE_JUDGE_H
#define XF_STATE_JUDGE_H

#include "state/format.h"
#include "state/problem.h"

/* What is known of a guest: the same for all of its vCPUs. */
struct xf_known {
	struct xf_evidence *evidence; /* as given, with what the file tells, or NULL */
	struct xf_guest told;	      /* what it tells; nothing when it is set aside */
	struct xf_guest given;	      /* with what any vCPU has enabled, which it was shown then */
	struct xf_guest guest; /* what of that tells what it was really shown: xf_known_has_run */
	uint64_t hidden;       /* what was said to be hidden, even if that was set aside */
	uint64_t contrary;     /* of it what the file itself tells to have been shown */
	bool contradicted;     /* the evidence was set aside */
};

/* `own` is the file's own evidence. Either may be NULL. known->evidence is the caller's to free. */
struct xf_error *xf_known_of(const struct xf_vcpu *vcpus, size_t count,
			     const struct xf_evidence *given, const struct xf_evidence *own,
			     struct xf_known *out);

/*
 * The guest has run on this host. Where KVM shows a guest all that the host holds, or
 * may, it can have put to use what it was not given: of that nothing is known any
 * more. Whether it was.
 */
bool xf_known_has_run(struct xf_known *known, const struct xf_kvm *kvm);

/* One vCPU to be judged. */
struct xf_judged {
	const struct xf_known *known;
	const struct xf_host *target; /* or NULL */
	struct xf_area_head head;     /* of the area that KVM is given */
	uint64_t xcr0;
	bool has_xcr0;	  /* else the file does not tell it */
	uint64_t enabled; /* what it has enabled, in XCR0 or by CR4.PKE */
	uint64_t only;	  /* what may be dropped */
};

struct xf_judged xf_judged_of(const struct xf_vcpu *vcpu, const struct xf_known *known,
			      const struct xf_host *target, uint64_t only);

/* What the judgement comes to: of the state as it stands, or of the repaired one. */
struct xf_verdict {
	struct xf_judgement judgement;
	struct xf_prediction prediction;
	enum xf_outcome outcome; /* of KVM_SET_XSAVE and KVM_SET_XCRS */
	uint64_t drop;
	struct xf_finding found[XF_PROBLEMS]; /* room for every problem */
	size_t count;
};

void xf_judge_vcpu(const struct xf_judged *judged, struct xf_verdict *out);

/* A state is loaded whole or not at all, so its worst vCPU speaks for it. */
enum xf_outcome xf_worst(enum xf_outcome a, enum xf_outcome b);

#endif
