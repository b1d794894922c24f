/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rule by example. tests/proofs has every case; here are those that people have. */
#include "tests/core/test.h"

#include "core/rule.h"

/* Kernels as facts of behaviour. */
static const struct xf_kvm fixed = {
	.host = 0x207,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_TRIMS,
	.set = XF_SET_HOST,
};
static const struct xf_kvm no_pku = {
	.host = 0x7,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_TRIMS,
	.set = XF_SET_HOST,
};
static const struct xf_kvm strict = {
	.host = 0x207,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_TRIMS,
	.set = XF_SET_GUEST,
	.get_after_cpuid = true,
};
static const struct xf_kvm bare = {
	.host = 0x207,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_TRIMS_BARE,
	.set = XF_SET_GUEST_BARE,
	.get_after_cpuid = true,
};
static const struct xf_kvm leaky = {
	.host = 0x207,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_LEAKS,
	.set = XF_SET_HOST,
};
static const struct xf_kvm old = {
	.host = 0x207,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_TRIMS,
	.set = XF_SET_HOST,
	.header_unchecked = true,
	.mxcsr_always = true,
};
static const struct xf_kvm hook = {
	.host = 0x7,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_TRIMS,
	.set = XF_SET_HOST,
	.hook_pkru = true,
};
static const struct xf_kvm amx = {
	.host = 0x602e7,
	.mxcsr_mask = XF_MXCSR_MASK,
	.get = XF_GET_TRIMS,
	.set = XF_SET_HOST,
	.xfd_clears = true,
};
static const struct xf_kvm no_xsave = {
	.mxcsr_mask = 0xffbf,
	.get = XF_GET_TRIMS,
	.set = XF_SET_HOST,
	.no_xsave = true,
};

static const struct xf_guest qemu64 = { 0x3, ~UINT64_C(0) };
static const struct xf_guest with_avx = { 0x7, ~UINT64_C(0) };
static const struct xf_guest with_pku = { 0x207, ~UINT64_C(0) };
static const struct xf_guest minus_pku = { 0, XF_PKRU };

static struct xf_kvm_vcpu shown(uint64_t cpuid)
{
	return (struct xf_kvm_vcpu){ .cpuid = cpuid, .cpuid_set = true };
}

/* The module, trimming, on the hardest of KVMs; and what it knows of a vCPU. */
static struct xf_kvm with_module(const struct xf_kvm *kvm, uint64_t set, uint64_t get)
{
	struct xf_kvm hooked = *kvm;

	hooked.hook_set = set;
	hooked.hook_get = get;
	return hooked;
}

static struct xf_kvm_vcpu known(uint64_t cpuid)
{
	return (struct xf_kvm_vcpu){
		.cpuid = cpuid,
		.cpuid_set = true,
		.evidence = { cpuid, ~UINT64_C(0) },
	};
}

static const struct xf_kvm_vcpu no_cpuid_yet = { .cpuid = 0x207 };

static struct xf_area_head in_use(uint64_t xstate_bv)
{
	return (struct xf_area_head){ .xstate_bv = xstate_bv, .mxcsr = 0x1f80 };
}

static void test_normal(void **state)
{
	struct xf_guest guest;

	(void)state;
	guest = xf_guest_normal(XF_GUEST_UNKNOWN);
	assert_true(guest.shown == 0x3 && guest.known == 0x3);
	/* Opmask cannot be without the rest of AVX-512, AVX and SSE. */
	guest = xf_guest_normal((struct xf_guest){ XF_OPMASK | XF_PKRU, XF_OPMASK });
	assert_true(guest.shown == 0xe7 && guest.known == 0xe7);
	guest = xf_guest_normal(minus_pku);
	assert_true(guest.shown == 0x3 && guest.known == 0x203);
	guest = xf_guest_normal((struct xf_guest){ 0, ~UINT64_C(0) });
	assert_true(guest.shown == 0x3 && guest.known == ~UINT64_C(0));
}

static void expect_judgement(struct xf_judgement got, struct xf_judgement want)
{
	assert_true(got.superfluous == want.superfluous);
	assert_true(got.undecided == want.undecided);
	assert_true(got.lost == want.lost);
	assert_true(got.missing == want.missing);
}

static void test_judge(void **state)
{
	const uint64_t anywhere = ~UINT64_C(0);

	(void)state;
	expect_judgement(xf_judge(0x207, qemu64, anywhere),
			 (struct xf_judgement){ .superfluous = 0x204 });
	expect_judgement(xf_judge(0x207, XF_GUEST_UNKNOWN, anywhere),
			 (struct xf_judgement){ .undecided = 0x204 });
	expect_judgement(xf_judge(0x207, minus_pku, anywhere),
			 (struct xf_judgement){ .superfluous = XF_PKRU, .undecided = XF_AVX });
	expect_judgement(xf_judge(0x207, with_pku, 0x7),
			 (struct xf_judgement){ .lost = XF_PKRU, .missing = XF_PKRU });
	expect_judgement(xf_judge(0x3, with_pku, 0x3), (struct xf_judgement){ .missing = 0x204 });
	expect_judgement(xf_judge(0x207, qemu64, 0x2),
			 (struct xf_judgement){ 0x204, 0, XF_X87, XF_X87 });
}

static void test_droppable(void **state)
{
	(void)state;
	assert_true(xf_droppable(0x207, qemu64, ~UINT64_C(0)) == 0x204);
	assert_true(xf_droppable(0x207, qemu64, XF_PKRU) == XF_PKRU);
	assert_true(xf_droppable(0x207, with_avx, ~UINT64_C(0)) == XF_PKRU);
	assert_true(xf_droppable(0x207, minus_pku, ~UINT64_C(0)) == XF_PKRU);
	assert_true(xf_droppable(0x207, XF_GUEST_UNKNOWN, ~UINT64_C(0)) == 0);
	assert_true(xf_droppable(0x7, qemu64, XF_PKRU) == 0);
	assert_true(xf_droppable(XF_COMPACTED | 0x7, qemu64, ~UINT64_C(0)) == XF_AVX);
	assert_true(xf_droppable(0x3, (struct xf_guest){ 0, ~UINT64_C(0) }, ~UINT64_C(0)) == 0);
}

static void expect_set(const struct xf_kvm *kvm, struct xf_kvm_vcpu vcpu, struct xf_area_head head,
		       enum xf_reason reason, uint64_t loaded, uint64_t dropped)
{
	struct xf_kvm_answer answer = xf_kvm_set(kvm, &vcpu, &head);

	assert_int_equal(answer.reason, reason);
	assert_true(answer.loaded == loaded);
	assert_true(answer.dropped == dropped);
}

/* What was seen of KVM_SET_XSAVE on real kernels, guest without XSAVE in its CPUID. */
static void test_seen_single_bits(void **state)
{
	static const struct {
		const struct xf_kvm *kvm;
		uint64_t accepted;
	} seen[] = {
		{ &old, 0x207 },  { &fixed, 0x207 }, { &no_pku, 0x7 },
		{ &strict, 0x3 }, { &bare, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(seen); i++) {
		struct xf_kvm_vcpu vcpu = shown(0);

		for (unsigned int n = 0; n < XF_BITS; n++) {
			struct xf_area_head head = in_use(xf_mask(xf_bit(n)));
			bool accepted =
				xf_kvm_set(seen[i].kvm, &vcpu, &head).reason == XF_REASON_NONE;

			assert_int_equal(accepted, (seen[i].accepted >> n) & 1);
		}
	}
}

static void test_set(void **state)
{
	struct xf_area_head odd = in_use(0x3);

	(void)state;
	expect_set(&fixed, shown(0x3), in_use(0x207), XF_REASON_NONE, 0x207, 0);
	expect_set(&no_pku, shown(0x3), in_use(0x207), XF_REASON_HOST, 0, 0);
	expect_set(&strict, shown(0x3), in_use(0x207), XF_REASON_USER, 0, 0);
	expect_set(&strict, shown(0x207), in_use(0x207), XF_REASON_NONE, 0x207, 0);
	expect_set(&strict, shown(0x2ff), in_use(0x20f), XF_REASON_HOST, 0, 0);
	expect_set(&bare, shown(0), in_use(0x3), XF_REASON_USER, 0, 0);
	expect_set(&bare, shown(0x7), in_use(0x3), XF_REASON_NONE, 0x3, 0);
	/* Before KVM_SET_CPUID2 a strict KVM is not strict yet. */
	expect_set(&strict, no_cpuid_yet, in_use(0x207), XF_REASON_NONE, 0x207, 0);
	expect_set(&bare, no_cpuid_yet, in_use(0x207), XF_REASON_NONE, 0x207, 0);
	odd.reserved = true;
	odd.xcomp_bv = XF_COMPACTED;
	expect_set(&old, shown(0), odd, XF_REASON_NONE, 0x3, 0);
	expect_set(&fixed, shown(0), odd, XF_REASON_COMPACTED, 0, 0);
}

/* Where the module loads. Without XSAVE a kernel of any age looks at neither. */
static void test_predates_fpstate(void **state)
{
	struct xf_kvm kvm = fixed;

	(void)state;
	assert_false(xf_kvm_predates_fpstate(&fixed));
	assert_false(xf_kvm_predates_fpstate(&strict));
	assert_false(xf_kvm_predates_fpstate(&leaky));
	assert_true(xf_kvm_predates_fpstate(&old));
	kvm.header_unchecked = true;
	assert_true(xf_kvm_predates_fpstate(&kvm));
	kvm.header_unchecked = false;
	kvm.mxcsr_always = true;
	assert_true(xf_kvm_predates_fpstate(&kvm));
	kvm.no_xsave = true;
	assert_false(xf_kvm_predates_fpstate(&kvm));
}

static void test_set_hook(void **state)
{
	struct xf_kvm with_host = hook;

	(void)state;
	with_host.host = 0x207;
	expect_set(&hook, shown(0x3), in_use(0x207), XF_REASON_NONE, 0x7, XF_PKRU);
	/* The two side effects: the guest's own PKRU goes, and so it does before any CPUID. */
	expect_set(&hook, shown(0x207), in_use(0x207), XF_REASON_NONE, 0x7, XF_PKRU);
	expect_set(&with_host, no_cpuid_yet, in_use(0x207), XF_REASON_NONE, 0x7, XF_PKRU);
	expect_set(&with_host, shown(0x207), in_use(0x207), XF_REASON_NONE, 0x207, 0);
	expect_set(&hook, shown(0x3), in_use(0x20f), XF_REASON_HOST, 0, 0);
}

static void expect_trimmed(const struct xf_kvm *kvm, struct xf_kvm_vcpu vcpu, uint64_t state,
			   uint64_t loaded, uint64_t trimmed)
{
	struct xf_area_head head = in_use(state);
	struct xf_kvm_answer answer = xf_kvm_set(kvm, &vcpu, &head);

	assert_int_equal(answer.reason, XF_REASON_NONE);
	assert_true(answer.loaded == loaded && answer.trimmed == trimmed);
	assert_true(answer.dropped == 0);
}

static void test_set_module(void **state)
{
	struct xf_kvm all = with_module(&strict, ~UINT64_C(0), 0);
	struct xf_kvm pkru = with_module(&no_pku, XF_PKRU, 0);
	struct xf_kvm both = with_module(&hook, ~UINT64_C(0), 0);
	struct xf_kvm shows_all = with_module(&no_pku, ~UINT64_C(0), 0);
	struct xf_kvm_vcpu early = known(0x207);
	struct xf_area_head odd = in_use(0x207);

	(void)state;
	expect_trimmed(&all, known(0x3), 0x207, 0x3, 0x204);
	expect_trimmed(&all, known(0x207), 0x207, 0x207, 0);
	expect_trimmed(&pkru, known(0x3), 0x207, 0x7, XF_PKRU);
	/* Where Proxmox drops the guest's own, this does not. */
	expect_set(&pkru, known(0x207), in_use(0x207), XF_REASON_HOST, 0, 0);
	expect_set(&both, known(0x3), in_use(0x207), XF_REASON_NONE, 0x3, XF_PKRU);
	/* No evidence, no CPUID yet. */
	expect_set(&all, shown(0x3), in_use(0x207), XF_REASON_USER, 0, 0);
	early.cpuid_set = false;
	expect_trimmed(&all, early, 0x207, 0x207, 0);
	/* Without AVX nothing of what is left uses MXCSR. */
	odd.xstate_bv = XF_AVX;
	odd.mxcsr = 0x10000;
	expect_set(&all, known(0x3), odd, XF_REASON_NONE, 0, 0);
	odd.reserved = true;
	expect_set(&all, known(0x3), odd, XF_REASON_RESERVED, 0, 0);
	/* KVM keeps another CPUID than it was given: of the host's nothing is superfluous. */
	shows_all.shows_all = true;
	expect_trimmed(&shows_all, known(0x3), 0x207, 0x7, XF_PKRU);
	expect_trimmed(&shows_all, known(0x207), 0x207, 0x7, XF_PKRU);
}

static void test_get_module(void **state)
{
	struct xf_kvm all = with_module(&leaky, 0, ~UINT64_C(0));
	struct xf_kvm pkru = with_module(&leaky, 0, XF_PKRU);
	struct xf_kvm pkru_and_avx = with_module(&leaky, 0, XF_PKRU | XF_AVX);
	struct xf_kvm_vcpu vcpu = known(0x3);

	(void)state;
	assert_true(xf_kvm_get(&all, &vcpu, 0x207) == 0x3);
	assert_true(xf_kvm_get(&pkru, &vcpu, 0x207) == 0x7);
	vcpu = known(0x7);
	assert_true(xf_kvm_get(&all, &vcpu, 0x207) == 0x7);
	assert_true(xf_kvm_get(&all, &no_cpuid_yet, 0x207) == 0x207);
	assert_true(xf_kvm_leaks(&leaky) && xf_kvm_leaks(&pkru));
	assert_false(xf_kvm_leaks(&all) || xf_kvm_leaks(&pkru_and_avx));
	all.shows_all = true;
	assert_true(xf_kvm_leaks(&all));
	all.shows_all = false;
	all.unknown = XF_UNKNOWN_MODULE;
	assert_true(xf_kvm_leaks(&all));
}

static void test_set_amx(void **state)
{
	struct xf_kvm_vcpu vcpu = shown(0x602e7);
	struct xf_kvm older = amx;

	(void)state;
	expect_set(&amx, vcpu, in_use(0x602e7), XF_REASON_NONE, 0x602e7, 0);
	expect_set(&amx, shown(0x2e7), in_use(0x602e7), XF_REASON_USER, 0, 0);
	expect_set(&amx, shown(0x2e7), in_use(0x202e7), XF_REASON_NONE, 0x202e7, 0);
	expect_set(&amx, (struct xf_kvm_vcpu){ .cpuid = 0x602e7 }, in_use(0x602e7), XF_REASON_USER,
		   0, 0);
	vcpu.xfd = XF_XTILEDATA;
	expect_set(&amx, vcpu, in_use(0x602e7), XF_REASON_NONE, 0x202e7, XF_XTILEDATA);
	older.xfd_clears = false;
	expect_set(&older, vcpu, in_use(0x602e7), XF_REASON_NONE, 0x602e7, 0);
}

static void test_set_protected(void **state)
{
	struct xf_kvm_vcpu vcpu = shown(0x207);
	struct xf_kvm ignores = fixed;

	(void)state;
	vcpu.guarded = true;
	ignores.protected_ignored = true;
	expect_set(&fixed, vcpu, in_use(0x3), XF_REASON_PROTECTED, 0, 0);
	expect_set(&ignores, vcpu, in_use(~UINT64_C(0)), XF_REASON_NONE, 0, 0);
	vcpu.guarded = false;
	expect_set(&ignores, vcpu, in_use(0x3), XF_REASON_NONE, 0x3, 0);
}

static void test_set_no_xsave(void **state)
{
	struct xf_kvm hooked = no_xsave;
	struct xf_area_head head = in_use(0);

	(void)state;
	expect_set(&no_xsave, shown(0x207), in_use(0x7), XF_REASON_NO_XSAVE, 0, 0);
	expect_set(&no_xsave, shown(0x207), in_use(0x3), XF_REASON_NONE, 0x3, 0);
	/* FXRSTOR knows no XSTATE_BV. */
	expect_set(&no_xsave, shown(0), head, XF_REASON_NONE, 0x3, 0);
	head.mxcsr = 0x1fc0;
	expect_set(&no_xsave, shown(0), head, XF_REASON_NO_XSAVE_MXCSR, 0, 0);
	hooked.hook_pkru = true;
	expect_set(&hooked, shown(0x207), in_use(0x203), XF_REASON_NONE, 0x3, XF_PKRU);
}

static void expect_get(const struct xf_kvm *kvm, struct xf_kvm_vcpu vcpu, uint64_t use,
		       uint64_t want)
{
	assert_true(xf_kvm_get(kvm, &vcpu, use) == want);
}

static void test_get(void **state)
{
	struct xf_kvm_vcpu disarmed = shown(0x602e7);

	(void)state;
	expect_get(&fixed, shown(0), 0x207, 0x3);
	expect_get(&fixed, shown(0x207), 0x207, 0x207);
	expect_get(&fixed, shown(0x207), 0x201, 0x201);
	expect_get(&no_pku, shown(0x207), 0x207, 0x7);
	expect_get(&fixed, no_cpuid_yet, 0x207, 0x3);
	expect_get(&strict, shown(0), 0x207, 0x3);
	expect_get(&strict, no_cpuid_yet, 0x207, 0x207);
	expect_get(&bare, shown(0), 0x207, 0);
	expect_get(&bare, shown(0x7), 0x207, 0x7);
	expect_get(&bare, no_cpuid_yet, 0x217, 0x217);
	/* Also what KVM itself does not know: BNDCSR on a CPU that emulates MPX. */
	expect_get(&leaky, shown(0), 0x217, 0x217);
	expect_get(&leaky, shown(0), 0x207 | XF_CET, 0x207);
	expect_get(&no_xsave, shown(0), 0, 0x3);
	expect_get(&amx, disarmed, 0x602e7, 0x602e7);
	disarmed.xfd = XF_XTILEDATA;
	expect_get(&amx, disarmed, 0x602e7, 0x202e7);
}

static void test_takes_xcr0(void **state)
{
	const struct xf_kvm_vcpu vcpu = shown(0x2ff);
	const struct xf_kvm_vcpu none = shown(0);

	(void)state;
	assert_true(xf_kvm_takes_xcr0(&fixed, &vcpu, 0x1));
	assert_true(xf_kvm_takes_xcr0(&fixed, &vcpu, 0x207));
	assert_true(xf_kvm_takes_xcr0(&fixed, &none, 0x1));
	assert_false(xf_kvm_takes_xcr0(&fixed, &none, 0x3));
	assert_false(xf_kvm_takes_xcr0(&fixed, &no_cpuid_yet, 0x3));
	assert_false(xf_kvm_takes_xcr0(&fixed, &vcpu, 0x5));
	assert_false(xf_kvm_takes_xcr0(&fixed, &vcpu, 0x6));
	assert_false(xf_kvm_takes_xcr0(&fixed, &vcpu, 0x1f));
	assert_false(xf_kvm_takes_xcr0(&no_xsave, &vcpu, 0x1));
}

static void expect_prediction(const struct xf_kvm *kvm, struct xf_guest guest,
			      struct xf_area_head head, struct xf_prediction want)
{
	struct xf_prediction got = xf_predict(kvm, guest, &head);

	assert_int_equal(got.outcome, want.outcome);
	assert_int_equal(got.reason, want.reason);
	assert_true(got.blocked == want.blocked);
	assert_true(got.dropped == want.dropped);
	if (got.outcome == XF_OUTCOME_REFUSED)
		assert_true(got.loaded.least == 0 && got.loaded.most == 0);
}

static const struct xf_prediction accepted = { .outcome = XF_OUTCOME_ACCEPTED };
static const struct xf_prediction unknown = { .outcome = XF_OUTCOME_UNKNOWN };

static const struct xf_prediction drops_own = {
	.outcome = XF_OUTCOME_ACCEPTED,
	.dropped = XF_PKRU,
};

static struct xf_prediction refused(enum xf_reason reason, uint64_t blocked)
{
	return (struct xf_prediction){
		.outcome = XF_OUTCOME_REFUSED,
		.reason = reason,
		.blocked = blocked,
	};
}

static void test_predict(void **state)
{
	struct xf_area_head odd = in_use(0x207);

	(void)state;
	expect_prediction(&strict, qemu64, in_use(0x207), refused(XF_REASON_USER, 0x204));
	expect_prediction(&fixed, qemu64, in_use(0x207), accepted);
	expect_prediction(&no_pku, qemu64, in_use(0x207), refused(XF_REASON_HOST, XF_PKRU));
	expect_prediction(&no_pku, with_pku, in_use(0x207), refused(XF_REASON_HOST, XF_PKRU));
	expect_prediction(&hook, qemu64, in_use(0x207), accepted);
	expect_prediction(&hook, with_pku, in_use(0x207), drops_own);
	expect_prediction(&no_xsave, qemu64, in_use(0x207), refused(XF_REASON_NO_XSAVE, 0x204));
	odd.mxcsr = 0x10000;
	expect_prediction(&fixed, qemu64, odd, refused(XF_REASON_MXCSR, 0));
	expect_prediction(&strict, qemu64, odd, refused(XF_REASON_USER, 0x204));
}

static void test_predict_unknown(void **state)
{
	struct xf_kvm any = fixed;
	struct xf_area_head odd = in_use(0x207);

	(void)state;
	/* The guest is not known: only a strict KVM cares. */
	expect_prediction(&fixed, XF_GUEST_UNKNOWN, in_use(0x207), accepted);
	expect_prediction(&strict, XF_GUEST_UNKNOWN, in_use(0x207), unknown);
	expect_prediction(&strict, XF_GUEST_UNKNOWN, in_use(0x3), accepted);
	expect_prediction(&strict, minus_pku, in_use(0x207), refused(XF_REASON_USER, XF_PKRU));
	expect_prediction(&strict, minus_pku, in_use(0x7), unknown);
	expect_prediction(&hook, XF_GUEST_UNKNOWN, in_use(0x207), drops_own);
	/* The KVM is not known. */
	any.set = XF_SET_UNKNOWN;
	expect_prediction(&any, qemu64, in_use(0x207), unknown);
	expect_prediction(&any, with_pku, in_use(0x207), accepted);
	expect_prediction(&any, with_pku, in_use(0x20f), refused(XF_REASON_HOST, XF_BNDREGS));
	/* Refused whatever it is, for what is wrong whatever it is. */
	odd.reserved = true;
	expect_prediction(&any, qemu64, odd, refused(XF_REASON_RESERVED, 0));
	/* 5.17: a guest with no more than x87 and SSE may have no leaf 0xD. */
	expect_prediction(&bare, qemu64, in_use(0x3), unknown);
	expect_prediction(&bare, with_avx, in_use(0x3), accepted);
	expect_prediction(&bare, qemu64, in_use(0), accepted);
}

static void test_predict_module(void **state)
{
	struct xf_kvm all = with_module(&strict, ~UINT64_C(0), 0);
	struct xf_kvm no_pku_all = with_module(&no_pku, ~UINT64_C(0), 0);
	struct xf_kvm any = no_pku;
	struct xf_kvm shows_all = with_module(&no_pku, ~UINT64_C(0), 0);

	(void)state;
	expect_prediction(&all, qemu64, in_use(0x207), accepted);
	expect_prediction(&no_pku_all, qemu64, in_use(0x207), accepted);
	expect_prediction(&no_pku_all, with_pku, in_use(0x207), refused(XF_REASON_HOST, XF_PKRU));
	/* Whose the PKRU is, the module there knows, and nobody here. */
	expect_prediction(&no_pku_all, XF_GUEST_UNKNOWN, in_use(0x207), unknown);
	expect_prediction(&all, minus_pku, in_use(0x207), unknown);
	/* Loaded or not is not known. */
	any.unknown = XF_UNKNOWN_MODULE;
	expect_prediction(&any, qemu64, in_use(0x207), unknown);
	expect_prediction(&any, with_pku, in_use(0x207), refused(XF_REASON_HOST, XF_PKRU));
	assert_true(xf_kvm_kindest(&any).hook_set == ~UINT64_C(0));
	/* Its evidence is not the guest's: what it takes out is named. */
	shows_all.shows_all = true;
	expect_prediction(&shows_all, qemu64, in_use(0x207), accepted);
	expect_prediction(&shows_all, with_pku, in_use(0x207), drops_own);
}

static void expect_bounds(struct xf_bounds got, uint64_t least, uint64_t most)
{
	assert_int_equal(got.least, least);
	assert_int_equal(got.most, most);
}

static struct xf_bounds loaded(const struct xf_kvm *kvm, struct xf_guest guest, uint64_t xstate_bv)
{
	struct xf_area_head head = in_use(xstate_bv);

	return xf_predict(kvm, guest, &head).loaded;
}

/* What arrives. */
static void test_predict_loaded(void **state)
{
	struct xf_kvm hook_and_pku = hook;

	(void)state;
	expect_bounds(loaded(&fixed, qemu64, 0x207), 0x207, 0x207);
	expect_bounds(loaded(&strict, with_avx, 0x7), 0x7, 0x7);
	expect_bounds(loaded(&no_pku, qemu64, 0x207), 0, 0);
	expect_bounds(loaded(&no_xsave, qemu64, 0x1), 0x3, 0x3);
	expect_bounds(loaded(&hook, qemu64, 0x207), 0x7, 0x7);
	/* The hook spares the PKRU of a guest that was shown it: of this one that is not known. */
	hook_and_pku.host = 0x207;
	expect_bounds(loaded(&hook_and_pku, with_pku, 0x207), 0x207, 0x207);
	expect_bounds(loaded(&hook_and_pku, XF_GUEST_UNKNOWN, 0x207), 0x7, 0x207);
	/* The module: what is superfluous for certain does not arrive, what may be, may. */
	hook_and_pku = with_module(&fixed, ~UINT64_C(0), 0);
	expect_bounds(loaded(&hook_and_pku, qemu64, 0x207), 0x3, 0x3);
	expect_bounds(loaded(&hook_and_pku, minus_pku, 0x207), 0x3, 0x7);
	hook_and_pku.hook_set = 0;
	hook_and_pku.unknown = XF_UNKNOWN_MODULE;
	expect_bounds(loaded(&hook_and_pku, qemu64, 0x207), 0x3, 0x207);
	/* Refused or not, nobody knows; if not, this is what arrives. */
	expect_bounds(loaded(&strict, XF_GUEST_UNKNOWN, 0x207), 0x207, 0x207);
}

static struct xf_bounds saved(const struct xf_kvm *kvm, struct xf_guest guest, uint64_t used)
{
	return xf_predict_get(kvm, guest, (struct xf_bounds){ used, used });
}

static void test_predict_get(void **state)
{
	struct xf_kvm any = fixed;
	struct xf_kvm leaky_avx512 = leaky;
	const struct xf_guest with_amx = { 0x602e7, ~UINT64_C(0) };

	(void)state;
	expect_bounds(saved(&fixed, qemu64, 0x207), 0x3, 0x3);
	expect_bounds(saved(&fixed, with_avx, 0x207), 0x7, 0x7);
	/* What a host lacks cannot be in use there. */
	expect_bounds(saved(&no_pku, with_pku, 0x207), 0x7, 0x7);
	expect_bounds(saved(&fixed, XF_GUEST_UNKNOWN, 0x207), 0x3, 0x207);
	expect_bounds(saved(&fixed, minus_pku, 0x207), 0x3, 0x7);
	/* Leaky: its own PKRU, and perhaps more of its own. */
	expect_bounds(saved(&leaky, qemu64, 0x3), 0x203, 0x207);
	expect_bounds(saved(&leaky, qemu64, 0x207), 0x207, 0x207);
	leaky_avx512.host = 0x600e7;
	expect_bounds(saved(&leaky_avx512, qemu64, 0x1), 0x1, 0x200e7);
	/* Trimmed by the module. */
	leaky_avx512 = with_module(&leaky, 0, ~UINT64_C(0));
	expect_bounds(saved(&leaky_avx512, qemu64, 0x207), 0x3, 0x3);
	expect_bounds(saved(&leaky_avx512, minus_pku, 0x207), 0x3, 0x7);
	leaky_avx512.hook_get = 0;
	leaky_avx512.unknown = XF_UNKNOWN_MODULE;
	expect_bounds(saved(&leaky_avx512, qemu64, 0x207), 0x3, 0x207);
	/* 5.17: a guest without XSAVE may lose even x87 and SSE. */
	expect_bounds(saved(&bare, qemu64, 0x3), 0, 0x3);
	expect_bounds(saved(&bare, with_avx, 0x7), 0x7, 0x7);
	any.get = XF_GET_UNKNOWN;
	expect_bounds(saved(&any, with_avx, 0x7), 0x7, 0x207);
	expect_bounds(saved(&any, qemu64, 0x3), 0, 0x207);
	expect_bounds(saved(&no_xsave, qemu64, 0x1), 0x3, 0x3);
	/* The tiles may be disarmed by the guest's XFD. */
	expect_bounds(saved(&amx, with_amx, 0x602e7), 0x202e7, 0x602e7);
}

static void test_outcome_names(void **state)
{
	(void)state;
	assert_string_equal(xf_outcome_name(XF_OUTCOME_ACCEPTED), "accepted");
	assert_string_equal(xf_outcome_name(XF_OUTCOME_REFUSED), "refused");
	assert_string_equal(xf_outcome_name(XF_OUTCOME_UNKNOWN), "unknown");
}

/* Bit 63 is no component: never superfluous, and nobody knows better. */
static void test_judge_bit_63(void **state)
{
	struct xf_judgement judgement = xf_judge(XF_COMPACTED | 0x7, qemu64, ~UINT64_C(0));

	(void)state;
	assert_true(judgement.undecided == XF_COMPACTED);
	assert_true(judgement.superfluous == XF_AVX);
}

/* What is clear in one place does not make up for another. */
static void test_set_twice_cleared(void **state)
{
	struct xf_kvm both = amx;
	struct xf_kvm_vcpu vcpu = shown(0x600e7);
	struct xf_kvm nothing_held = hook;

	(void)state;
	both.hook_pkru = true;
	vcpu.xfd = XF_XTILEDATA;
	expect_set(&both, vcpu, in_use(0x60207), XF_REASON_NONE, 0x20007, XF_XTILEDATA | XF_PKRU);
	/* Without XSAVE a guest is shown nothing beyond x87 and SSE, so the hook takes PKRU out. */
	nothing_held.no_xsave = true;
	nothing_held.host = 0x207;
	expect_set(&nothing_held, shown(0x207), in_use(0x203), XF_REASON_NONE, 0x3, XF_PKRU);
	/* Shown all of the host, whatever it was given. */
	both = strict;
	both.shows_all = true;
	expect_set(&both, shown(0x3), in_use(0x207), XF_REASON_NONE, 0x207, 0);
}

/* The module goes by the vCPU's CPUID: without that it takes nothing out. */
static void test_set_module_without_evidence(void **state)
{
	struct xf_kvm all = with_module(&no_pku, ~UINT64_C(0), ~UINT64_C(0));
	struct xf_kvm_vcpu vcpu = known(0x3);
	struct xf_area_head head = in_use(0x207);
	struct xf_kvm_answer answer = xf_kvm_set(&all, &vcpu, &head);

	(void)state;
	assert_true(answer.reason == XF_REASON_NONE && answer.trimmed == (XF_AVX | XF_PKRU));
	vcpu.cpuid_set = false;
	answer = xf_kvm_set(&all, &vcpu, &head);
	assert_true(answer.reason == XF_REASON_HOST && answer.trimmed == 0);
	vcpu = shown(0x3);
	all.shows_all = true;
	assert_int_equal(xf_kvm_set(&all, &vcpu, &head).reason, XF_REASON_HOST);
	/* A protected guest's call that is ignored takes nothing out either. */
	vcpu = known(0x3);
	vcpu.guarded = all.protected_ignored = true;
	answer = xf_kvm_set(&all, &vcpu, &head);
	assert_true(answer.reason == XF_REASON_NONE && answer.loaded == 0 && answer.trimmed == 0);
}

static void test_get_odd(void **state)
{
	struct xf_kvm before = bare;
	struct xf_kvm keeps = amx;
	struct xf_kvm_vcpu vcpu = shown(0x602e7);

	(void)state;
	/* Before CPUID nothing is supported, not even x87. */
	before.get_after_cpuid = false;
	expect_get(&before, no_cpuid_yet, 0x3, 0);
	/* Kernels before XFD was looked at give what it disarms. */
	vcpu.xfd = XF_XTILEDATA;
	expect_get(&amx, vcpu, 0x602e7, 0x202e7);
	keeps.xfd_clears = false;
	expect_get(&keeps, vcpu, 0x602e7, 0x602e7);
}

/*
 * A fact that may be otherwise: as it is known, one KVM takes the state and the other does
 * not; where it is not known, nobody knows. Doubts about `others` make no difference.
 */
static const struct {
	unsigned int doubt, others;
	struct xf_kvm takes, refuses;
	struct xf_guest guest;
	struct xf_area_head head;
	enum xf_reason reason;
} doubts[] = {
	{ XF_UNKNOWN_HOOK,
	  XF_UNKNOWN_SHOWS_ALL | XF_UNKNOWN_MXCSR_MASK | XF_UNKNOWN_MXCSR_ALWAYS |
		  XF_UNKNOWN_MODULE,
	  { .host = 0x7, .mxcsr_mask = 0xffff, .set = XF_SET_HOST, .hook_pkru = true },
	  { .host = 0x7, .mxcsr_mask = 0xffff, .set = XF_SET_HOST },
	  { 0x207, ~UINT64_C(0) },
	  { .xstate_bv = 0x207, .mxcsr = 0x1f80 },
	  XF_REASON_HOST },
	{ XF_UNKNOWN_SHOWS_ALL,
	  XF_UNKNOWN_HOOK | XF_UNKNOWN_MXCSR_MASK | XF_UNKNOWN_MXCSR_ALWAYS,
	  { .host = 0x207, .mxcsr_mask = 0xffff, .set = XF_SET_GUEST, .shows_all = true },
	  { .host = 0x207, .mxcsr_mask = 0xffff, .set = XF_SET_GUEST },
	  { 0x3, ~UINT64_C(0) },
	  { .xstate_bv = 0x7, .mxcsr = 0x1f80 },
	  XF_REASON_USER },
	{ XF_UNKNOWN_MXCSR_MASK,
	  XF_UNKNOWN_HOOK | XF_UNKNOWN_SHOWS_ALL | XF_UNKNOWN_MXCSR_ALWAYS | XF_UNKNOWN_MODULE,
	  { .host = 0x207, .mxcsr_mask = 0x2ffff, .set = XF_SET_HOST },
	  { .host = 0x207, .mxcsr_mask = 0xffff, .set = XF_SET_HOST },
	  { 0x3, ~UINT64_C(0) },
	  { .xstate_bv = 0x3, .mxcsr = 0x21f80 },
	  XF_REASON_MXCSR },
	{ XF_UNKNOWN_MXCSR_ALWAYS,
	  XF_UNKNOWN_HOOK | XF_UNKNOWN_SHOWS_ALL | XF_UNKNOWN_MODULE,
	  { .host = 0x207, .mxcsr_mask = 0xffff, .set = XF_SET_HOST },
	  { .host = 0x207, .mxcsr_mask = 0xffff, .set = XF_SET_HOST, .mxcsr_always = true },
	  { 0x3, ~UINT64_C(0) },
	  { .xstate_bv = 0, .mxcsr = 0x10000 },
	  XF_REASON_MXCSR },
	{ XF_UNKNOWN_MODULE,
	  XF_UNKNOWN_HOOK | XF_UNKNOWN_MXCSR_MASK | XF_UNKNOWN_MXCSR_ALWAYS,
	  { .host = 0x7, .mxcsr_mask = 0xffff, .set = XF_SET_HOST, .hook_set = ~UINT64_C(0) },
	  { .host = 0x7, .mxcsr_mask = 0xffff, .set = XF_SET_HOST },
	  { 0x3, ~UINT64_C(0) },
	  { .xstate_bv = 0xb, .mxcsr = 0x1f80 },
	  XF_REASON_HOST },
};

static enum xf_outcome outcome_of(const struct xf_kvm *facts, unsigned int doubt, size_t row)
{
	struct xf_kvm kvm = *facts;

	kvm.unknown = doubt;

	struct xf_prediction got = xf_predict(&kvm, doubts[row].guest, &doubts[row].head);

	if (got.outcome == XF_OUTCOME_REFUSED)
		assert_int_equal(got.reason, doubts[row].reason);
	return got.outcome;
}

static void test_predict_doubts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(doubts); i++) {
		const struct xf_kvm *takes = &doubts[i].takes, *refuses = &doubts[i].refuses;

		for (unsigned int other = 0; other <= XF_UNKNOWN_MODULE; other++) {
			if (other & ~doubts[i].others)
				continue;
			assert_int_equal(outcome_of(takes, other, i), XF_OUTCOME_ACCEPTED);
			assert_int_equal(outcome_of(refuses, other, i), XF_OUTCOME_REFUSED);
			assert_int_equal(outcome_of(takes, other | doubts[i].doubt, i),
					 XF_OUTCOME_UNKNOWN);
			assert_int_equal(outcome_of(refuses, other | doubts[i].doubt, i),
					 XF_OUTCOME_UNKNOWN);
		}
	}
}

static void test_kindest(void **state)
{
	struct xf_kvm any = strict;

	(void)state;
	assert_int_equal(xf_kvm_kindest(&any).set, XF_SET_GUEST);
	any.set = XF_SET_UNKNOWN;
	assert_int_equal(xf_kvm_kindest(&any).set, XF_SET_HOST);
	any.mxcsr_always = true;
	any.unknown = XF_UNKNOWN_HOOK;
	assert_true(xf_kvm_kindest(&any).hook_pkru);
	assert_true(xf_kvm_kindest(&any).mxcsr_always);
	assert_false(xf_kvm_kindest(&any).shows_all);
	assert_true(xf_kvm_kindest(&any).hook_set == 0);
	assert_int_equal(xf_kvm_kindest(&any).mxcsr_mask, XF_MXCSR_MASK);
	any.unknown = ~0u;
	assert_true(xf_kvm_kindest(&any).shows_all);
	assert_false(xf_kvm_kindest(&any).mxcsr_always);
	assert_true(xf_kvm_kindest(&any).hook_set == ~UINT64_C(0));
	assert_int_equal(xf_kvm_kindest(&any).mxcsr_mask, UINT32_MAX);
}

/* Whether guests are shown all of the host decides what a module takes for superfluous. */
static void test_predict_module_shows_all(void **state)
{
	struct xf_kvm any = with_module(&no_pku, ~UINT64_C(0), 0);
	struct xf_kvm same = with_module(&fixed, ~UINT64_C(0), 0);
	const struct xf_prediction drops_perhaps = {
		.outcome = XF_OUTCOME_UNKNOWN,
		.dropped = XF_PKRU,
	};

	(void)state;
	any.unknown = XF_UNKNOWN_SHOWS_ALL;
	expect_prediction(&any, with_pku, in_use(0x207), drops_perhaps);
	any.shows_all = true;
	expect_prediction(&any, with_pku, in_use(0x207), drops_perhaps);
	same.unknown = XF_UNKNOWN_HOOK;
	expect_bounds(loaded(&same, qemu64, 0x207), 0x3, 0x3);
	same.unknown = XF_UNKNOWN_SHOWS_ALL;
	expect_bounds(loaded(&same, qemu64, 0x207), 0x3, 0x207);
	/* Of supervisor components the module may know nothing. */
	same.unknown = 0;
	expect_prediction(&same, qemu64, in_use(XF_CET_U | 0x3), unknown);
	/* Nothing is taken for the guest's own that is not in the state. */
	any = with_module(&no_pku, ~UINT64_C(0), 0);
	any.shows_all = true;
	expect_prediction(&any, with_pku, in_use(0x7), accepted);
}

/* A guest mask that does not name what is implied is taken to mean it. */
static void test_predict_normal(void **state)
{
	const struct xf_guest avx_alone = { XF_AVX, ~UINT64_C(0) };

	(void)state;
	expect_prediction(&bare, avx_alone, in_use(0x7), accepted);
	expect_bounds(saved(&bare, avx_alone, 0x7), 0x7, 0x7);
}

static void test_leaks(void **state)
{
	struct xf_kvm kvm = leaky;

	(void)state;
	assert_true(xf_kvm_leaks(&leaky));
	assert_false(xf_kvm_leaks(&fixed));
	assert_false(xf_kvm_leaks(&bare));
	kvm.host = XF_FPSSE;
	assert_false(xf_kvm_leaks(&kvm));
	kvm = leaky;
	kvm.no_xsave = true;
	assert_false(xf_kvm_leaks(&kvm));
	/* The module trims, as far as that is known. */
	kvm = with_module(&leaky, 0, ~UINT64_C(0));
	assert_false(xf_kvm_leaks(&kvm));
	kvm.unknown = XF_UNKNOWN_HOOK;
	assert_false(xf_kvm_leaks(&kvm));
	kvm.unknown = XF_UNKNOWN_MODULE;
	assert_true(xf_kvm_leaks(&kvm));
	kvm.unknown = 0;
	kvm.hook_get = XF_AVX;
	assert_true(xf_kvm_leaks(&kvm));
	/* Shown all of the host, a guest has more than it was given, and the module sees none. */
	kvm = with_module(&fixed, 0, ~UINT64_C(0));
	kvm.shows_all = true;
	assert_true(xf_kvm_leaks(&kvm));
	kvm.get = XF_GET_UNKNOWN;
	assert_false(xf_kvm_leaks(&kvm));
}

static void test_predict_get_doubts(void **state)
{
	struct xf_kvm kvm = fixed;
	struct xf_kvm leaks_tiles = leaky;
	const struct xf_guest with_amx = { 0x602e7, ~UINT64_C(0) };

	(void)state;
	/* Nothing is added where nothing leaks. */
	expect_bounds(saved(&fixed, with_pku, 0x3), 0x3, 0x3);
	expect_bounds(saved(&leaky, qemu64, 0), 0x200, 0x207);
	expect_bounds(saved(&leaky, qemu64, 0x2), 0x202, 0x207);
	leaks_tiles.host = 0x602e7;
	expect_bounds(saved(&leaks_tiles, with_amx, 0x602e7), 0x602e7, 0x602e7);
	expect_bounds(saved(&leaks_tiles, with_amx, 0x3), 0x203, 0x202e7);
	/* XFD clears the tiles alone. */
	expect_bounds(saved(&amx, with_amx, 0x3), 0x3, 0x3);
	/* Shown all of the host, or not. */
	kvm.unknown = XF_UNKNOWN_SHOWS_ALL;
	expect_bounds(saved(&kvm, qemu64, 0x3), 0x3, 0x207);
	kvm.shows_all = true;
	expect_bounds(saved(&kvm, qemu64, 0x3), 0x3, 0x207);
	kvm.unknown = XF_UNKNOWN_HOOK;
	expect_bounds(saved(&kvm, qemu64, 0x3), 0x203, 0x207);
	kvm.shows_all = false;
	expect_bounds(saved(&kvm, qemu64, 0x3), 0x3, 0x3);
	/* Trimmed, or perhaps not. */
	kvm = with_module(&leaky, 0, ~UINT64_C(0));
	kvm.unknown = XF_UNKNOWN_HOOK;
	expect_bounds(saved(&kvm, qemu64, 0x207), 0x3, 0x3);
	kvm.unknown = XF_UNKNOWN_MODULE;
	expect_bounds(saved(&kvm, qemu64, 0x207), 0x3, 0x207);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_droppable),
		cmocka_unit_test(test_seen_single_bits),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_predates_fpstate),
		cmocka_unit_test(test_set_hook),
		cmocka_unit_test(test_set_module),
		cmocka_unit_test(test_get_module),
		cmocka_unit_test(test_set_amx),
		cmocka_unit_test(test_set_protected),
		cmocka_unit_test(test_set_no_xsave),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_takes_xcr0),
		cmocka_unit_test(test_predict),
		cmocka_unit_test(test_predict_unknown),
		cmocka_unit_test(test_predict_module),
		cmocka_unit_test(test_predict_loaded),
		cmocka_unit_test(test_predict_get),
		cmocka_unit_test(test_outcome_names),
		cmocka_unit_test(test_judge_bit_63),
		cmocka_unit_test(test_set_twice_cleared),
		cmocka_unit_test(test_set_module_without_evidence),
		cmocka_unit_test(test_get_odd),
		cmocka_unit_test(test_predict_doubts),
		cmocka_unit_test(test_kindest),
		cmocka_unit_test(test_predict_module_shows_all),
		cmocka_unit_test(test_predict_normal),
		cmocka_unit_test(test_leaks),
		cmocka_unit_test(test_predict_get_doubts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
