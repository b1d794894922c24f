/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a KVM's answers tell of it. Get, set, their order and the hook are not
 * guessed from single answers: of all behaviours that core/rule knows, those are
 * kept that predict every answer. Where several do and would treat some guest
 * differently, that is not learned; where none does, this KVM is a new one. What the
 * xferry module takes out is measured before (host/probe_module.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "host/host.h"
#include "host/probe.h"

/* Every component of XCR0 that there could be. */
#define ANY_COMPONENT (~XF_COMPACTED)

/* One of the behaviours that answers are compared with. */
struct behaviour {
	enum xf_kvm_get get;
	enum xf_kvm_set set;
	bool get_after_cpuid;
	bool hook_pkru;
};

/* The kinds are in the order of preference where nothing tells them apart. */
#define BEHAVIOURS 36

static struct behaviour behaviour(unsigned int i)
{
	static const enum xf_kvm_get gets[] = { XF_GET_TRIMS, XF_GET_TRIMS_BARE, XF_GET_LEAKS };
	static const enum xf_kvm_set sets[] = { XF_SET_HOST, XF_SET_GUEST, XF_SET_GUEST_BARE };

	return (struct behaviour){
		.get = gets[i % 3],
		.set = sets[i / 3 % 3],
		.get_after_cpuid = i / 9 % 2,
		.hook_pkru = i / 18,
	};
}

static struct xf_kvm kvm_of(const struct xf_kvm *base, const struct behaviour *behaviour)
{
	struct xf_kvm kvm = *base;

	kvm.get = behaviour->get;
	kvm.set = behaviour->set;
	kvm.get_after_cpuid = behaviour->get_after_cpuid;
	kvm.hook_pkru = behaviour->hook_pkru;
	return kvm;
}

/* ---- What a behaviour predicts ---- */

static struct xf_kvm_answer set(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
				uint64_t xstate_bv)
{
	const struct xf_area_head head = { .xstate_bv = xstate_bv };

	return xf_kvm_set(kvm, vcpu, &head);
}

static uint64_t accepted_alone(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu)
{
	uint64_t accepted = 0;

	xf_for_each_bit (bit, ANY_COMPONENT)
		if (set(kvm, vcpu, xf_mask(bit)).reason == XF_REASON_NONE)
			accepted |= xf_mask(bit);
	return accepted;
}

/*
 * The components that count. AMX that we may not use is not in `supported`, and the
 * kernel takes its configuration (bit 17) all the same.
 */
static uint64_t counted(const struct xf_kvm *kvm)
{
	return kvm->host & XF_XTILEDATA ? ANY_COMPONENT : ANY_COMPONENT & ~XF_AMX;
}

static struct xf_probe_dialogue predict(const struct xf_kvm *kvm, enum xf_probe_guest guest,
					const struct xf_probe_answers *answers)
{
	const struct xf_probe_dialogue *heard = &answers->guests[guest];
	const struct xf_kvm_vcpu nobody = { 0 };
	const struct xf_kvm_vcpu all = { .cpuid = ~UINT64_C(0), .cpuid_set = true };
	const struct xf_kvm_vcpu vcpu = {
		.cpuid = heard->shown,
		.cpuid_set = guest != XF_PROBE_NONE,
		.evidence = heard->evidence,
	};
	struct xf_probe_dialogue dialogue = *heard;

	if (guest != XF_PROBE_NONE) {
		struct xf_kvm_answer before = set(kvm, &nobody, heard->before & counted(kvm));

		dialogue.carried = xf_kvm_get(kvm, &vcpu, before.loaded);
	}
	dialogue.accepted = accepted_alone(kvm, &vcpu);

	uint64_t loaded = set(kvm, &vcpu, heard->accepted & counted(kvm)).loaded;

	dialogue.kept = xf_kvm_get(kvm, &vcpu, loaded);
	if (heard->was_widened)
		dialogue.widened = xf_kvm_get(kvm, &all, loaded);
	if (heard->was_narrowed)
		dialogue.narrowed =
			xf_kvm_get(kvm, &vcpu, set(kvm, &all, kvm->host & counted(kvm)).loaded);
	return dialogue;
}

/* ---- Comparing it with what was heard ---- */

/* What GET gave at each time, and what it should have given: the first that differs. */
static bool get_differs(const struct xf_probe_dialogue *heard, const struct xf_probe_dialogue *due,
			uint64_t seen, uint64_t *was, uint64_t *expected)
{
	const uint64_t pairs[][2] = {
		{ heard->kept, due->kept },
		{ heard->carried, due->carried },
		{ heard->narrowed, due->narrowed },
		{ heard->widened, due->widened },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if ((pairs[i][0] ^ pairs[i][1]) & seen) {
			*was = pairs[i][0] & seen;
			*expected = pairs[i][1] & seen;
			return true;
		}
	}
	return false;
}

/* How many guests are treated otherwise than predicted. */
struct misfit {
	unsigned int set, get;
};

static struct misfit compare(const struct xf_kvm *kvm, const struct xf_probe_answers *answers)
{
	uint64_t seen = counted(kvm);
	struct misfit misfit = { 0, 0 };

	for (unsigned int i = 0; i < XF_PROBE_GUESTS; i++) {
		const struct xf_probe_dialogue *heard = &answers->guests[i];

		if (!heard->done)
			continue;

		struct xf_probe_dialogue due = predict(kvm, (enum xf_probe_guest)i, answers);
		uint64_t was, expected;

		misfit.set += ((due.accepted ^ heard->accepted) & seen) != 0;
		misfit.get += get_differs(heard, &due, seen, &was, &expected);
	}
	return misfit;
}

/* Says what the first guest is that is treated otherwise. */
static void describe(const struct xf_kvm *kvm, const struct xf_probe_answers *answers,
		     char why[XF_PROBE_WHY])
{
	uint64_t seen = counted(kvm);

	for (unsigned int i = 0; i < XF_PROBE_GUESTS; i++) {
		const struct xf_probe_dialogue *heard = &answers->guests[i];
		const struct xf_probe_dialogue due = predict(kvm, (enum xf_probe_guest)i, answers);
		const char *what = "KVM_SET_XSAVE takes";
		uint64_t was = heard->accepted & seen, expected = due.accepted & seen;

		if (!heard->done)
			continue;
		if (was == expected) {
			what = "KVM_GET_XSAVE gives";
			if (!get_differs(heard, &due, seen, &was, &expected))
				continue;
		}
		snprintf(why, XF_PROBE_WHY,
			 "as no kernel that is known, %s %#" PRIx64 " for a guest shown %#" PRIx64
			 ", not %#" PRIx64,
			 what, was, heard->shown, expected);
		return;
	}
}

/* Guests by which two behaviours differ, if they do at all on this host. */
static const struct xf_kvm_vcpu guests[] = {
	{ 0 },
	{ .cpuid_set = true },
	{ .cpuid = XF_FPSSE, .cpuid_set = true },
	{ .cpuid = XF_FPSSE | XF_AVX, .cpuid_set = true },
	{ .cpuid = ~UINT64_C(0), .cpuid_set = true },
};

static bool differ_in_set(const struct xf_kvm *a, const struct xf_kvm *b)
{
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		uint64_t all = accepted_alone(a, &guests[i]);

		if (accepted_alone(b, &guests[i]) != all ||
		    set(a, &guests[i], all).loaded != set(b, &guests[i], all).loaded)
			return true;
	}
	return false;
}

static bool differ_in_get(const struct xf_kvm *a, const struct xf_kvm *b)
{
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		if (xf_kvm_get(a, &guests[i], a->host | XF_FPSSE) !=
		    xf_kvm_get(b, &guests[i], b->host | XF_FPSSE))
			return true;
	return false;
}

/* ---- Choosing ---- */

/* Which of the four are not told by the answers. */
struct open {
	bool get, set, get_after_cpuid, hook_pkru;
};

static void note_difference(const struct xf_kvm *a, const struct xf_kvm *b, struct open *open)
{
	if (differ_in_set(a, b)) {
		open->set |= a->set != b->set;
		open->hook_pkru |= a->hook_pkru != b->hook_pkru;
	}
	if (differ_in_get(a, b)) {
		open->get |= a->get != b->get;
		open->get_after_cpuid |= a->get_after_cpuid != b->get_after_cpuid;
	}
}

/*
 * The first behaviour that fits, and what it leaves open. One that fits in SET
 * alone still tells about SET. False: none does.
 */
static bool choose(const struct xf_kvm *base, const struct misfit misfits[BEHAVIOURS],
		   bool set_alone, struct xf_kvm *out, struct open *open)
{
	bool found = false;

	for (unsigned int i = 0; i < BEHAVIOURS; i++) {
		const struct behaviour one = behaviour(i);
		const struct xf_kvm kvm = kvm_of(base, &one);

		if (misfits[i].set || (misfits[i].get && !set_alone))
			continue;
		if (found)
			note_difference(out, &kvm, open);
		else
			*out = kvm;
		found = true;
	}
	return found;
}

static unsigned int nearest(const struct misfit misfits[BEHAVIOURS])
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < BEHAVIOURS; i++)
		if (misfits[i].set + misfits[i].get < misfits[best].set + misfits[best].get)
			best = i;
	return best;
}

static bool heard_any(const struct xf_probe_answers *answers)
{
	for (unsigned int i = 0; i < XF_PROBE_GUESTS; i++)
		if (answers->guests[i].done)
			return true;
	return false;
}

/* Finds the behaviour; why what is open is so goes to `why`. */
static struct open find_behaviour(const struct xf_probe_answers *answers, struct xf_kvm *kvm,
				  char why[XF_PROBE_WHY])
{
	const struct open all = { true, true, true, true };
	const struct xf_kvm base = *kvm;
	struct misfit misfits[BEHAVIOURS];
	struct open open = { 0 };

	snprintf(why, XF_PROBE_WHY, "%s",
		 *answers->why_no_guest ? answers->why_no_guest
					: "no guest that was asked about tells it apart");
	if (!heard_any(answers))
		return all;
	for (unsigned int i = 0; i < BEHAVIOURS; i++) {
		const struct behaviour one = behaviour(i);
		const struct xf_kvm candidate = kvm_of(&base, &one);

		misfits[i] = compare(&candidate, answers);
	}
	if (choose(&base, misfits, false, kvm, &open))
		return open;

	const struct behaviour near = behaviour(nearest(misfits));
	const struct xf_kvm nearly = kvm_of(&base, &near);

	describe(&nearly, answers, why);
	if (!choose(&base, misfits, true, kvm, &open))
		return all;
	open.get = true;
	open.get_after_cpuid = true;
	return open;
}

/* ---- Into a host ---- */

/*
 * What a guest that was shown nothing has in use after a run is held against GET too: what
 * trims states that were set may not trim what the CPU saved.
 */
static bool run_leaks(const struct xf_probe_answers *answers, const struct xf_kvm *kvm)
{
	const struct xf_kvm_vcpu shown_nothing = { .cpuid_set = true };
	uint64_t after = answers->after_run & counted(kvm) & ~XF_FPSSE;

	return !*answers->why_no_run && !answers->run_shown &&
	       after & ~xf_kvm_get(kvm, &shown_nothing, after);
}

static struct xf_error *conclude_behaviour(const struct xf_probe_answers *answers,
					   struct xf_host *host)
{
	char why[XF_PROBE_WHY];
	struct open open = find_behaviour(answers, &host->kvm, why);

	if (!open.get && run_leaks(answers, &host->kvm)) {
		host->kvm.get = XF_GET_UNKNOWN;
		XF_TRY(xf_host_not_learned(host, "get",
					   "it trims what was set, but gives more than the guest "
					   "was shown once it has run"));
	}
	if (open.get) {
		host->kvm.get = XF_GET_UNKNOWN;
		XF_TRY(xf_host_not_learned(host, "get", why));
	}
	if (open.set) {
		host->kvm.set = XF_SET_UNKNOWN;
		XF_TRY(xf_host_not_learned(host, "set", why));
	}
	if (open.get_after_cpuid) {
		host->kvm.get_after_cpuid = false;
		XF_TRY(xf_host_not_learned(host, "get_after_cpuid", why));
	}
	if (open.hook_pkru) {
		host->kvm.hook_pkru = false;
		XF_TRY(xf_host_not_learned(host, "hook", why));
	}
	return NULL;
}

static struct xf_error *conclude_header(const struct xf_probe_answers *answers,
					struct xf_host *host)
{
	const uint32_t all = 0x3f;

	if (*answers->why_no_header)
		return xf_host_not_learned(host, "header_checked", answers->why_no_header);
	if (answers->takes_xcomp_bv && answers->reserved_taken == all)
		host->kvm.header_unchecked = true;
	else if (answers->takes_xcomp_bv || answers->reserved_taken)
		return xf_host_not_learned(
			host, "header_checked",
			"some parts of the header are looked at, others are not");
	return NULL;
}

static struct xf_error *conclude_mxcsr(const struct xf_probe_answers *answers, struct xf_host *host)
{
	const char *why = answers->why_no_mxcsr;

	if (!*why && !answers->mxcsr_mask)
		why = "KVM_SET_XSAVE takes no bit of MXCSR";
	if (*why) {
		XF_TRY(xf_host_not_learned(host, "mxcsr_mask", why));
		return xf_host_not_learned(host, "mxcsr_always", why);
	}
	host->kvm.mxcsr_mask = answers->mxcsr_mask;
	if (answers->mxcsr_mask == UINT32_MAX)
		return xf_host_not_learned(host, "mxcsr_always",
					   "KVM_SET_XSAVE takes every bit of MXCSR");
	host->kvm.mxcsr_always = !answers->idle_mxcsr_taken;
	return NULL;
}

static struct xf_error *conclude_xfd(const struct xf_probe_answers *answers, struct xf_host *host)
{
	if (*answers->why_no_xfd)
		return xf_host_not_learned(host, "xfd_clears", answers->why_no_xfd);
	host->kvm.xfd_clears = !answers->xfd_kept;
	return NULL;
}

static const char *why_no_layout(const struct xf_probe_answers *answers, const struct xf_host *host,
				 struct xf_layout *layout)
{
	if (host->kvm.no_xsave)
		return "this host has no XSAVE";
	if (xf_layout_from_cpuid(answers->extents, XF_BITS, layout) != XF_LAYOUT_OK)
		return "CPUID leaf 0xD contradicts itself";
	if (host->kvm.host & ~xf_layout_components(layout))
		return "CPUID leaf 0xD does not tell where all components lie";
	if (answers->moved)
		return "KVM_GET_XSAVE does not give data back from where CPUID leaf 0xD says";
	return NULL;
}

static struct xf_error *conclude_area(const struct xf_probe_answers *answers, struct xf_host *host)
{
	struct xf_layout layout = { 0 };
	const char *why = why_no_layout(answers, host, &layout);

	if (why) {
		XF_TRY(xf_host_not_learned(host, "layout", why));
	} else {
		host->has_layout = true;
		host->layout = layout;
	}
	if (!answers->area_size)
		return xf_host_not_learned(host, "area_size", answers->why_no_vm);
	if (host->has_layout &&
	    answers->area_size < xf_layout_standard_size(&layout, host->kvm.host))
		return xf_host_not_learned(host, "area_size",
					   "KVM_CAP_XSAVE2 is less than what CPUID leaf 0xD needs");
	host->area_size = answers->area_size;
	return NULL;
}

/* The kernel knows no AMX, or CPU and kernel do not. */
static bool has_no_amx(int permission)
{
	return permission == 0 || permission == EOPNOTSUPP || permission == EINVAL ||
	       permission == ENOSYS;
}

static struct xf_error *conclude_amx(const struct xf_probe_answers *answers, struct xf_host *host)
{
	if (answers->supported & XF_XTILEDATA)
		host->amx_permitted = XF_YES;
	else if (has_no_amx(answers->amx_permission))
		return xf_host_not_learned(host, "amx_permitted", "this host holds no AMX");
	else
		host->amx_permitted = XF_NO;
	return NULL;
}

/*
 * Whether a guest is shown what it is given, or all that the host holds. One that is given
 * no CPUID at all is shown none anywhere.
 */
static struct xf_error *conclude_cpuid(const struct xf_probe_answers *answers, struct xf_host *host)
{
	const char *why = answers->why_no_guest;
	bool asked = false;

	for (unsigned int i = XF_PROBE_NONE + 1; i < XF_PROBE_GUESTS; i++) {
		const struct xf_probe_dialogue *heard = &answers->guests[i];

		if (!heard->done)
			continue;
		asked = true;
		if (heard->shown == heard->asked)
			continue;
		host->kvm.shows_all = true;
		if ((heard->shown ^ answers->supported) & counted(&host->kvm) & host->kvm.host)
			why = "KVM_SET_CPUID2 shows a guest neither what it is given nor all that "
			      "this host holds";
	}
	if (!asked || (host->kvm.shows_all && *why)) {
		host->kvm.shows_all = false;
		return xf_host_not_learned(host, "cpuid_rewritten", why);
	}
	return NULL;
}

static struct xf_error *conclude_run(const struct xf_probe_answers *answers, struct xf_host *host)
{
	if (*answers->why_no_run)
		return xf_host_not_learned(host, "after_run", answers->why_no_run);
	if (answers->run_shown)
		return xf_host_not_learned(host, "after_run",
					   "KVM shows XSAVE to guests that are not to have it");
	/* Whether x87 and SSE are in use is the CPU's affair, and not always the same. */
	host->has_after_run = true;
	host->after_run = answers->after_run & ~XF_FPSSE;
	return NULL;
}

static struct xf_error *conclude_pkru(const struct xf_probe_answers *answers, struct xf_host *host)
{
	static const char *const when_clear = "KVM_GET_XSAVE does not show PKRU while it is not in "
					      "use, and no guest can be run here";
	unsigned int last = answers->pkru_ran && !answers->pkru[1].in_use ? 2 : 1;

	if (*answers->why_no_pkru)
		return xf_host_not_learned(host, "pkru_kept", answers->why_no_pkru);
	if (!answers->pkru[0].in_use || answers->pkru[0].value != XF_PROBE_PKRU)
		return xf_host_not_learned(host, "pkru_kept",
					   "KVM_GET_XSAVE does not give back a PKRU that was set");
	if (answers->pkru[last].value == XF_PROBE_PKRU)
		host->pkru_kept = XF_YES;
	else if (answers->pkru[last].in_use)
		host->pkru_kept = XF_NO;
	else
		return xf_host_not_learned(host, "pkru_kept",
					   answers->pkru_ran ? "after KVM_RUN PKRU is not in use"
							     : when_clear);
	return NULL;
}

/* The parts, in the order of a profile's keys. */
static struct xf_error *(*const parts[])(const struct xf_probe_answers *, struct xf_host *) = {
	conclude_behaviour, xf_probe_conclude_module,
	conclude_header,    conclude_mxcsr,
	conclude_xfd,	    conclude_area,
	conclude_amx,	    conclude_cpuid,
	conclude_pkru,	    conclude_run,
};

static struct xf_error *copy_text(const char *text, const char **out)
{
	if (!*text)
		return NULL;
	*out = strdup(text);
	return *out ? NULL : xf_error_memory();
}

struct xf_error *xf_probe_conclude(const struct xf_probe_answers *answers, struct xf_host **out)
{
	XF_AUTO(xf_scope_host) struct xf_host *host = xf_host_new("local");

	if (!host)
		return xf_error_memory();
	XF_TRY(copy_text(answers->kernel, &host->kernel));
	XF_TRY(copy_text(answers->cpu, &host->cpu));
	host->kvm.no_xsave = !answers->supported;
	host->kvm.host = (answers->supported & ~(XF_SUPERVISOR | XF_COMPACTED)) | XF_FPSSE;
	xf_probe_measure_module(answers, &host->kvm);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		XF_TRY(parts[i](answers, host));
	XF_TRY(xf_host_not_learned(host, "protected",
				   "guests with encrypted registers are not "
				   "touched"));
	/* What is there of a group that is not whole, no guest can have. */
	host->kvm.host = xf_narrow(host->kvm.host);
	*out = xf_take(host);
	return NULL;
}
