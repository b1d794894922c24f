/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is concluded from a KVM's answers: from those that kernels gave in the lab
 * (data/answers/, written by record-answers.c), from those of a KVM made up for each
 * known behaviour and kind of CPU, and from incomplete ones.
 */
#include <errno.h>

#include "host/host.h"
#include "tests/host/answers.h"
#include "tests/host/fake-kvm.h"
#include "tests/host/support.h"

#define ANY_COMPONENT (~XF_COMPACTED)

/* ---- What is read back must be the same ---- */

static void check_round_trip(const struct xf_host *host)
{
	struct xf_host *again;
	char *first, *second;

	assert_success(xf_host_to_json(host, &first));

	const char *path = make_file(first, strlen(first));

	assert_success(xf_host_open(path, &again));
	forget_file(path);
	assert_success(xf_host_to_json(again, &second));
	assert_string_equal(first, second);
	free(first);
	free(second);
	xf_host_free(again);
}

static struct xf_host *conclude(const struct xf_probe_answers *answers)
{
	struct xf_host *host;

	assert_success(xf_probe_conclude(answers, &host));
	assert_string_equal(host->name, "local");
	assert_true(xf_host_lacks(host, "protected"));
	check_round_trip(host);
	return host;
}

/* The reason why a key was not learned. */
static void assert_lacks(const struct xf_host *host, const char *key, const char *words)
{
	for (size_t i = 0; i < host->unlearned_count; i++) {
		if (strcmp(host->unlearned[i].key, key) != 0)
			continue;
		if (!strstr(host->unlearned[i].why, words))
			fail_msg("%s: \"%s\", expected \"%s\"", key, host->unlearned[i].why, words);
		return;
	}
	fail_msg("%s should not have been learned", key);
}

static void assert_learned(const struct xf_host *host, const char *key)
{
	for (size_t i = 0; i < host->unlearned_count; i++)
		if (strcmp(host->unlearned[i].key, key) == 0)
			fail_msg("%s was not learned: %s", key, host->unlearned[i].why);
}

/* ---- A KVM of a known behaviour ---- */

static struct xf_probe_answers fake_answers(const struct xf_kvm *kvm)
{
	struct xf_probe_answers answers;

	memset(&fake, 0, sizeof(fake));
	fake.kvm = *kvm;
	assert_success(xf_probe_ask(&answers));
	return answers;
}

static void assert_same_on(const struct xf_kvm *a, const struct xf_kvm *b,
			   const struct xf_kvm_vcpu *vcpu, uint64_t state)
{
	const struct xf_area_head head = { .xstate_bv = state, .mxcsr = 0x1f80 };
	struct xf_kvm_answer one = xf_kvm_set(a, vcpu, &head), other = xf_kvm_set(b, vcpu, &head);

	assert_int_equal(one.reason, other.reason);
	assert_int_equal(one.loaded, other.loaded);
	/* Only what the host holds can be put to use here. */
	state &= a->host;
	assert_int_equal(xf_kvm_get(a, vcpu, state), xf_kvm_get(b, vcpu, state));
}

/* What two behaviours do is the same for every guest and state of x87 to PKRU, and all bits. */
static void assert_same_behaviour(const struct xf_kvm *a, const struct xf_kvm *b)
{
	assert_int_equal(a->host, b->host);
	assert_int_equal(a->no_xsave, b->no_xsave);
	for (uint64_t shown = 0; shown < 0x400; shown++) {
		const struct xf_kvm_vcpu vcpu = { .cpuid = shown, .cpuid_set = true };

		for (uint64_t state = 0; state < 0x400; state += 1 + (state & 7))
			assert_same_on(a, b, &vcpu, state);
		xf_for_each_bit (bit, ANY_COMPONENT)
			assert_same_on(a, b, &vcpu, xf_mask(bit));
	}
	for (uint64_t state = 0; state < 0x400; state++)
		assert_same_on(a, b, &(const struct xf_kvm_vcpu){ 0 }, state);
}

/* A hook takes PKRU away before there is a CPUID; with nothing else GET has nothing to show. */
static bool hides_order(const struct xf_kvm *kvm)
{
	return kvm->hook_pkru && kvm->host == (XF_FPSSE | XF_PKRU);
}

static uint64_t after_run_of(const struct xf_kvm *kvm)
{
	const struct xf_kvm_vcpu vcpu = { .cpuid_set = true };

	return xf_kvm_get(kvm, &vcpu, kvm->host & XF_PKRU) & ~XF_FPSSE;
}

static void check_amx(const struct xf_host *host, const struct xf_kvm *kvm)
{
	if (kvm->host & XF_XTILEDATA) {
		assert_int_equal(host->amx_permitted, XF_YES);
		assert_learned(host, "xfd_clears");
		assert_int_equal(host->kvm.xfd_clears, kvm->xfd_clears);
	} else {
		assert_lacks(host, "amx_permitted", "this host holds no AMX");
		assert_lacks(host, "xfd_clears", "no component that IA32_XFD disarms");
	}
}

static void check_pkru(const struct xf_host *host, const struct xf_kvm *kvm)
{
	if (kvm->host & XF_PKRU)
		assert_int_equal(host->pkru_kept, XF_YES);
	else
		assert_lacks(host, "pkru_kept", "this host holds no PKRU");
}

static void check_behaviour(const char *spec)
{
	struct xf_host *preset, *host;

	assert_success(xf_host_open(spec, &preset));
	memset(&fake, 0, sizeof(fake));
	fake.kvm = preset->kvm;
	assert_success(xf_host_probe(&host));
	check_round_trip(host);
	print_message("%s\n", spec);
	assert_learned(host, "get");
	assert_learned(host, "set");
	assert_learned(host, "hook");
	if (hides_order(&preset->kvm))
		assert_lacks(host, "get_after_cpuid", "no guest that was asked about");
	else
		assert_learned(host, "get_after_cpuid");
	if (hides_order(&preset->kvm))
		host->kvm.get_after_cpuid = preset->kvm.get_after_cpuid;
	assert_same_behaviour(&preset->kvm, &host->kvm);
	/* Without XSAVE there is no header to look at, and MXCSR is always there. */
	assert_int_equal(host->kvm.header_unchecked,
			 preset->kvm.header_unchecked || preset->kvm.no_xsave);
	assert_int_equal(host->kvm.mxcsr_always, preset->kvm.mxcsr_always || preset->kvm.no_xsave);
	assert_int_equal(host->kvm.mxcsr_mask, preset->kvm.mxcsr_mask);
	assert_false(host->kvm.shows_all);
	assert_false(host->kvm.unknown & XF_UNKNOWN_SHOWS_ALL);
	assert_int_equal(host->area_size, FAKE_AREA);
	assert_int_equal(host->has_layout, !host->kvm.no_xsave);
	assert_true(host->has_after_run);
	assert_int_equal(host->after_run, after_run_of(&preset->kvm));
	check_amx(host, &preset->kvm);
	check_pkru(host, &preset->kvm);
	xf_host_free(host);
	xf_host_free(preset);
}

/* Each preset, on CPUs with and without what tells behaviours apart. */
static void test_presets(void **state)
{
	static const char *const cpus[] = {
		"", ",-pku", ",-avx512", ",-avx512,-pku", ",-avx", ",-avx,-pku", ",-xsave",
	};

	(void)state;
	for (size_t i = 0; xf_preset(i); i++) {
		for (size_t j = 0; j < sizeof(cpus) / sizeof(cpus[0]); j++) {
			char spec[64];

			snprintf(spec, sizeof(spec), "preset:%s%s", xf_preset(i)->name, cpus[j]);
			check_behaviour(spec);
		}
	}
	check_behaviour("preset:linux-6.2,+amx");
	check_behaviour("preset:linux-6.12,+amx");
	check_behaviour("preset:linux-6.19,+amx,-pku");
	check_behaviour("preset:linux-5.17,+mpx,+amx");
}

/* ---- What kernels said ---- */

struct recorded {
	const char *file;
	uint64_t host;
	enum xf_kvm_get get;
	enum xf_kvm_set set;
	bool get_after_cpuid, hook_pkru, unchecked;
	uint64_t after_run;
	enum xf_answer pkru_kept;
	bool shows_all;
};

#include "tests/host/recorded.h"

static struct xf_probe_answers recorded_answers(const char *name)
{
	struct xf_probe_answers answers;
	char path[512];

	snprintf(path, sizeof(path), "%s/answers/%s.txt", getenv("XF_DATA"), name);

	FILE *file = fopen(path, "r");

	if (!file)
		fail_msg("%s is not there", path);
	if (!read_answers(file, &answers))
		fail_msg("%s is no list of answers", path);
	fclose(file);
	return answers;
}

static void test_recorded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
		const struct recorded *row = &recorded[i];
		const struct xf_probe_answers answers = recorded_answers(row->file);
		struct xf_host *host = conclude(&answers);

		print_message("%s\n", row->file);
		assert_int_equal(host->kvm.host, row->host);
		assert_int_equal(host->kvm.get, row->get);
		assert_int_equal(host->kvm.set, row->set);
		assert_int_equal(host->kvm.get_after_cpuid, row->get_after_cpuid);
		assert_int_equal(host->kvm.hook_pkru, row->hook_pkru);
		assert_int_equal(host->kvm.header_unchecked, row->unchecked);
		assert_int_equal(host->kvm.no_xsave, answers.supported == 0);
		assert_int_equal(host->kvm.mxcsr_always, row->unchecked);
		assert_true(host->has_after_run);
		assert_int_equal(host->after_run, row->after_run);
		assert_int_equal(host->pkru_kept, row->pkru_kept);
		assert_int_equal(host->kvm.shows_all, row->shows_all);
		assert_int_equal(host->area_size, 4096);
		assert_int_equal(host->has_layout, !host->kvm.no_xsave);
		xf_host_free(host);
	}
}

/* The answers' own text is read as it was written. */
static void test_text_of_answers(void **state)
{
	struct xf_probe_answers answers = recorded_answers(recorded[0].file), again;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	memset(answers.why_no_xfd, 0, sizeof(answers.why_no_xfd));
	strcpy(answers.why_no_xfd, "a reason");
	print_answers(&answers, file);
	rewind(file);
	assert_true(read_answers(file, &again));
	assert_memory_equal(&answers, &again, sizeof(answers));
	fclose(file);
}

/* ---- What is not there ---- */

static struct xf_probe_answers good_answers(void)
{
	struct xf_host *preset;

	assert_success(xf_host_open("preset:linux-6.12,+amx", &preset));

	struct xf_probe_answers answers = fake_answers(&preset->kvm);

	xf_host_free(preset);
	return answers;
}

/* Each part that was not asked makes its keys null, and no other. */
static void test_not_asked(void **state)
{
	static const struct {
		size_t why;
		const char *keys[3];
	} parts[] = {
		{ offsetof(struct xf_probe_answers, why_no_header), { "header_checked" } },
		{ offsetof(struct xf_probe_answers, why_no_mxcsr),
		  { "mxcsr_mask", "mxcsr_always" } },
		{ offsetof(struct xf_probe_answers, why_no_xfd), { "xfd_clears" } },
		{ offsetof(struct xf_probe_answers, why_no_pkru), { "pkru_kept" } },
		{ offsetof(struct xf_probe_answers, why_no_run), { "after_run" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct xf_probe_answers answers = good_answers();
		size_t lacks = 1; /* protected guests are never asked about */

		strcpy((char *)&answers + parts[i].why, "KVM_SOMETHING: it \"hurts\"");

		struct xf_host *host = conclude(&answers);

		for (size_t j = 0; parts[i].keys[j]; j++, lacks++)
			assert_lacks(host, parts[i].keys[j], "KVM_SOMETHING: it \"hurts\"");
		assert_int_equal(host->unlearned_count, lacks);
		xf_host_free(host);
	}
}

/* Without a VM, what KVM_GET_SUPPORTED_CPUID says is all. */
static void test_no_vm(void **state)
{
	static const char *const keys[] = {
		"get",
		"set",
		"get_after_cpuid",
		"hook",
		"module",
		"header_checked",
		"mxcsr_mask",
		"mxcsr_always",
		"xfd_clears",
		"area_size",
		"pkru_kept",
		"after_run",
		"cpuid_rewritten",
	};
	struct xf_probe_answers answers = good_answers();
	const char why[] = "/dev/kvm: KVM_CREATE_VM: Device or resource busy";

	(void)state;
	memset(answers.guests, 0, sizeof(answers.guests));
	answers.area_size = 0;
	strcpy(answers.why_no_vm, why);
	strcpy(answers.why_no_guest, why);
	strcpy(answers.why_no_header, why);
	strcpy(answers.why_no_mxcsr, why);
	strcpy(answers.why_no_xfd, why);
	strcpy(answers.why_no_pkru, why);
	strcpy(answers.why_no_run, why);

	struct xf_host *host = conclude(&answers);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_lacks(host, keys[i], "KVM_CREATE_VM: Device");
	assert_int_equal(host->kvm.host, 0x602e7);
	assert_int_equal(host->kvm.get, XF_GET_UNKNOWN);
	assert_int_equal(host->kvm.set, XF_SET_UNKNOWN);
	assert_true(host->has_layout);
	xf_host_free(host);
}

/* Guests that cannot be told apart leave open what they would tell. */
static void test_open(void **state)
{
	struct xf_probe_answers answers = good_answers();
	struct xf_host *host;

	(void)state;
	/* Every guest is shown everything. */
	for (unsigned int i = XF_PROBE_NONE + 1; i < XF_PROBE_GUESTS; i++)
		answers.guests[i] = answers.guests[XF_PROBE_FULL];
	host = conclude(&answers);
	assert_lacks(host, "set", "no guest that was asked about tells it apart");
	assert_learned(host, "hook");
	assert_int_equal(host->kvm.set, XF_SET_UNKNOWN);
	xf_host_free(host);

	/* KVM_SET_CPUID2 fails for one that is shown everything: a hook cannot be seen. */
	answers = good_answers();
	answers.guests[XF_PROBE_FULL] = (struct xf_probe_dialogue){ 0 };
	for (unsigned int i = 0; i < XF_PROBE_GUESTS; i++)
		answers.guests[i].was_widened = answers.guests[i].was_narrowed = false;
	strcpy(answers.why_no_guest, "KVM_SET_CPUID2: Argument list too long");
	host = conclude(&answers);
	assert_lacks(host, "hook", "Argument list");
	assert_learned(host, "set");
	assert_learned(host, "get");
	assert_int_equal(host->kvm.set, XF_SET_HOST);
	assert_int_equal(host->kvm.get, XF_GET_TRIMS);
	xf_host_free(host);
}

/* Answers that no known behaviour explains. */
static void test_unknown_kernel(void **state)
{
	struct xf_probe_answers answers = good_answers();
	struct xf_host *host;

	(void)state;
	/* SET takes AVX-512 of a guest without it, and nothing else. */
	answers.guests[XF_PROBE_FPSSE].accepted = XF_FPSSE | XF_AVX512;
	answers.guests[XF_PROBE_FPSSE].kept = XF_FPSSE;
	host = conclude(&answers);
	assert_lacks(host, "set",
		     "as no kernel that is known, KVM_SET_XSAVE takes 0xe3 for a guest "
		     "shown 0x3, not 0x202e7");
	assert_lacks(host, "get", "as no kernel");
	assert_lacks(host, "hook", "as no kernel");
	assert_lacks(host, "get_after_cpuid", "as no kernel");
	xf_host_free(host);

	/* GET gives AVX of every guest, and nothing else; SET is as it should be. */
	answers = good_answers();
	answers.guests[XF_PROBE_FPSSE].kept = XF_FPSSE | XF_AVX;
	host = conclude(&answers);
	assert_lacks(host, "get", "KVM_GET_XSAVE gives 0x7 for a guest shown 0x3, not 0x3");
	assert_lacks(host, "get_after_cpuid", "as no kernel");
	assert_learned(host, "set");
	assert_int_equal(host->kvm.set, XF_SET_HOST);
	assert_int_equal(host->kvm.get, XF_GET_UNKNOWN);
	xf_host_free(host);
}

static void test_header_and_mxcsr(void **state)
{
	struct xf_probe_answers answers = good_answers();
	struct xf_host *host;

	(void)state;
	answers.reserved_taken = 0x1f;
	answers.takes_xcomp_bv = true;
	host = conclude(&answers);
	assert_lacks(host, "header_checked", "some parts of the header are looked at");
	xf_host_free(host);

	answers.reserved_taken = 0;
	answers.mxcsr_mask = 0;
	host = conclude(&answers);
	assert_lacks(host, "header_checked", "some parts");
	assert_lacks(host, "mxcsr_mask", "takes no bit of MXCSR");
	assert_lacks(host, "mxcsr_always", "takes no bit of MXCSR");
	assert_int_equal(host->kvm.mxcsr_mask, XF_MXCSR_MASK);
	xf_host_free(host);

	answers.mxcsr_mask = UINT32_MAX;
	host = conclude(&answers);
	assert_lacks(host, "mxcsr_always", "every bit");
	assert_int_equal(host->kvm.mxcsr_mask, UINT32_MAX);
	xf_host_free(host);
}

static void test_layout(void **state)
{
	struct xf_probe_answers answers = good_answers();
	struct xf_host *host;

	(void)state;
	answers.moved = XF_PKRU;
	host = conclude(&answers);
	assert_lacks(host, "layout", "does not give data back from where");
	assert_int_equal(host->area_size, 11008);
	xf_host_free(host);

	answers.moved = 0;
	answers.area_size = 4096; /* too small for AMX */
	host = conclude(&answers);
	assert_lacks(host, "area_size", "KVM_CAP_XSAVE2 is less than");
	assert_learned(host, "layout");
	xf_host_free(host);

	answers.extents[9].ebx = 600; /* within AVX */
	host = conclude(&answers);
	assert_lacks(host, "layout", "contradicts itself");
	xf_host_free(host);

	answers.extents[9] = (struct xf_cpuid_regs){ 0 };
	host = conclude(&answers);
	assert_lacks(host, "layout", "does not tell where all components lie");
	xf_host_free(host);
}

static void test_amx(void **state)
{
	static const struct {
		int permission;
		enum xf_answer due;
	} rows[] = {
		{ 0, XF_NOT_KNOWN },	  { EOPNOTSUPP, XF_NOT_KNOWN },
		{ EINVAL, XF_NOT_KNOWN }, { ENOSYS, XF_NOT_KNOWN },
		{ EPERM, XF_NO },	  { EBUSY, XF_NO },
	};
	struct xf_probe_answers answers = good_answers();
	struct xf_host *host = conclude(&answers);

	(void)state;
	assert_int_equal(host->amx_permitted, XF_YES);
	xf_host_free(host);

	/* Without permission KVM does not speak of it, or of its configuration alone. */
	for (size_t i = 0; i < 12; i++) {
		answers = good_answers();
		answers.supported &= ~(i < 6 ? XF_AMX : XF_XTILEDATA);
		answers.amx_permission = rows[i % 6].permission;
		for (unsigned int j = 0; j < XF_PROBE_GUESTS; j++) {
			struct xf_probe_dialogue *guest = &answers.guests[j];

			guest->asked &= answers.supported;
			guest->shown &= answers.supported;
			guest->accepted &= ~XF_XTILEDATA;
			guest->kept &= ~XF_XTILEDATA;
			guest->carried &= ~XF_XTILEDATA;
			guest->narrowed &= ~XF_XTILEDATA;
		}
		host = conclude(&answers);
		assert_int_equal(host->kvm.host, 0x2e7);
		assert_int_equal(host->amx_permitted, rows[i % 6].due);
		if (rows[i % 6].due == XF_NOT_KNOWN)
			assert_lacks(host, "amx_permitted", "this host holds no AMX");
		assert_learned(host, "set");
		assert_learned(host, "get");
		assert_int_equal(host->kvm.set, XF_SET_HOST);
		xf_host_free(host);
	}
}

static void test_pkru(void **state)
{
	static const struct {
		struct {
			bool in_use;
			uint32_t value;
		} pkru[3];
		bool ran;
		enum xf_answer due;
		const char *why;
	} rows[] = {
		/* GET shows it while its bit is clear, or once the guest has run. */
		{ { { true, XF_PROBE_PKRU }, { true, XF_PROBE_PKRU } }, false, XF_YES, NULL },
		{ { { true, XF_PROBE_PKRU }, { false, XF_PROBE_PKRU } }, false, XF_YES, NULL },
		{ { { true, XF_PROBE_PKRU }, { false, 0 }, { true, XF_PROBE_PKRU } },
		  true,
		  XF_YES,
		  NULL },
		{ { { true, XF_PROBE_PKRU }, { true, 0 } }, false, XF_NO, NULL },
		{ { { true, XF_PROBE_PKRU }, { false, 0 }, { true, 0 } }, true, XF_NO, NULL },
		{ { { true, XF_PROBE_PKRU }, { false, 0 }, { false, 0 } },
		  true,
		  XF_NOT_KNOWN,
		  "after KVM_RUN PKRU is not in use" },
		{ { { true, XF_PROBE_PKRU }, { false, 0 } },
		  false,
		  XF_NOT_KNOWN,
		  "no guest can be run here" },
		{ { { false, 0 } }, true, XF_NOT_KNOWN, "does not give back a PKRU" },
		{ { { true, 1 } }, true, XF_NOT_KNOWN, "does not give back a PKRU" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xf_probe_answers answers = good_answers();

		for (size_t j = 0; j < 3; j++) {
			answers.pkru[j].in_use = rows[i].pkru[j].in_use;
			answers.pkru[j].value = rows[i].pkru[j].value;
		}
		answers.pkru_ran = rows[i].ran;

		struct xf_host *host = conclude(&answers);

		assert_int_equal(host->pkru_kept, rows[i].due);
		if (rows[i].why)
			assert_lacks(host, "pkru_kept", rows[i].why);
		xf_host_free(host);
	}
}

static void test_rewritten(void **state)
{
	struct xf_probe_answers answers = good_answers();
	struct xf_host *host;

	(void)state;
	answers.guests[XF_PROBE_BARE] = answers.guests[XF_PROBE_FULL];
	answers.guests[XF_PROBE_BARE].asked = 0;
	answers.run_shown = 0x602e7;
	host = conclude(&answers);
	assert_true(host->kvm.shows_all);
	assert_lacks(host, "after_run", "shows XSAVE to guests that are not to have it");
	assert_int_equal(host->kvm.set, XF_SET_HOST);
	assert_true(xf_kvm_leaks(&host->kvm));
	xf_host_free(host);

	/* Neither what it was given nor all: nobody can tell what it was shown. */
	answers.guests[XF_PROBE_BARE].shown = XF_FPSSE;
	host = conclude(&answers);
	assert_false(host->kvm.shows_all);
	assert_true(host->kvm.unknown & XF_UNKNOWN_SHOWS_ALL);
	assert_lacks(host, "cpuid_rewritten", "neither what it is given nor all");
	xf_host_free(host);
}

/* GET trims what was set, and a guest that has run has more in use than it was shown. */
static void test_run_against_get(void **state)
{
	struct xf_probe_answers answers = good_answers();
	struct xf_host *host = conclude(&answers);

	(void)state;
	assert_int_equal(host->kvm.get, XF_GET_TRIMS);
	xf_host_free(host);
	answers.after_run = XF_FPSSE | XF_AVX;
	host = conclude(&answers);
	assert_int_equal(host->kvm.get, XF_GET_UNKNOWN);
	assert_lacks(host, "get", "more than the guest was shown once it has run");
	assert_learned(host, "set");
	assert_int_equal(host->after_run, XF_AVX);
	xf_host_free(host);
}

/* ---- What a KVM refuses, and odd ones ---- */

/* Probes the KVM of good_answers with what `fake` has been told since. */
static struct xf_host *probe_fake(void)
{
	struct xf_host *host;

	fake.count = 0;
	assert_success(xf_host_probe(&host));
	check_round_trip(host);
	return host;
}

static void test_calls_fail(void **state)
{
	static const struct {
		unsigned long request;
		unsigned int from;
		const char *key, *why;
	} rows[] = {
		{ KVM_CREATE_VM, 1, "set", "/dev/kvm: KVM_CREATE_VM: Input/output error" },
		{ KVM_GET_VCPU_MMAP_SIZE, 1, "set", "KVM_GET_VCPU_MMAP_SIZE: Input/output" },
		{ KVM_CREATE_VCPU, 1, "set", "KVM_CREATE_VCPU: Input/output error" },
		{ KVM_SET_CPUID2, 1, "header_checked", "KVM_SET_CPUID2: Input/output error" },
		{ KVM_GET_CPUID2, 1, "mxcsr_mask", "KVM_GET_CPUID2: Input/output error" },
		{ KVM_SET_XSAVE, 1, "set", "KVM_SET_XSAVE: Input/output error" },
		{ KVM_SET_XSAVE, 2, "pkru_kept", "KVM_SET_XSAVE: Input/output error" },
		{ KVM_SET_XSAVE, 2, "xfd_clears", "KVM_SET_XSAVE: Input/output error" },
		{ KVM_GET_XSAVE2, 1, "get", "KVM_GET_XSAVE: Input/output error" },
		{ KVM_GET_XSAVE2, 1, "after_run", "KVM_GET_XSAVE: Input/output error" },
		{ KVM_GET_XSAVE2, 1, "pkru_kept", "KVM_GET_XSAVE: Input/output error" },
		{ KVM_GET_XSAVE2, 1, "xfd_clears", "KVM_GET_XSAVE: Input/output error" },
		{ KVM_SET_MSRS, 1, "xfd_clears", "KVM_SET_MSRS of IA32_XFD: Input/output" },
		{ KVM_SET_MSRS, 2, "xfd_clears", "KVM_SET_MSRS of IA32_XFD: Input/output" },
		{ KVM_SET_USER_MEMORY_REGION, 1, "after_run", "KVM_SET_USER_MEMORY_REGION: In" },
		{ KVM_SET_SIGNAL_MASK, 1, "after_run", "KVM_RUN: Input/output error" },
		{ KVM_RUN, 1, "after_run", "KVM_RUN: Input/output error" },
		{ KVM_RUN, 1, "pkru_kept", "no guest can be run here" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		good_answers();
		fake.fails = rows[i].request;
		fake.fails_from = rows[i].from;
		fake.fails_with = EIO;

		struct xf_host *host = probe_fake();

		assert_lacks(host, rows[i].key, rows[i].why);
		assert_int_equal(host->kvm.host, 0x602e7);
		xf_host_free(host);
	}
}

/* Every single call of a kind fails once: what is told is right, or not told. */
static void test_one_call_fails(void **state)
{
	static const unsigned long requests[] = {
		KVM_CREATE_VCPU, KVM_SET_CPUID2, KVM_GET_CPUID2, KVM_SET_XSAVE, KVM_GET_XSAVE2,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		unsigned int made = 1;

		for (unsigned int n = 1; n <= made; n += requests[i] == KVM_SET_XSAVE ? 7 : 1) {
			good_answers();
			fake.fails = requests[i];
			fake.fails_from = n;
			fake.fails_with = EIO;

			struct xf_host *host = probe_fake();

			made = fake.count;
			assert_true(host->kvm.set == XF_SET_HOST || xf_host_lacks(host, "set"));
			assert_true(host->kvm.get == XF_GET_TRIMS || xf_host_lacks(host, "get"));
			assert_false(host->kvm.hook_pkru);
			assert_false(host->kvm.get_after_cpuid);
			assert_false(host->kvm.header_unchecked);
			assert_int_equal(host->kvm.mxcsr_mask, 0xffff);
			assert_int_not_equal(host->pkru_kept, XF_NO);
			xf_host_free(host);
		}
		assert_true(made > 5);
	}
}

static void test_fatal(void **state)
{
	static const struct {
		unsigned long request;
		int error;
		const char *words;
	} rows[] = {
		{ KVM_GET_API_VERSION, ENOTTY, "/dev/kvm: this is no KVM: KVM_GET_API_VERSION" },
		{ KVM_GET_SUPPORTED_CPUID, E2BIG, "/dev/kvm: KVM_GET_SUPPORTED_CPUID: Argument" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xf_host *host = NULL;

		good_answers();
		fake.fails = rows[i].request;
		fake.fails_from = 1;
		fake.fails_with = rows[i].error;
		assert_error(xf_host_open("local", &host), XF_ERR_IO, rows[i].words);
		assert_null(host);
	}
}

static void test_odd(void **state)
{
	struct xf_host *host;

	(void)state;
	good_answers();
	fake.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	host = probe_fake();
	assert_lacks(host, "after_run", "KVM_RUN cannot run a guest's code here: exit reason 17");
	assert_lacks(host, "pkru_kept", "no guest can be run here");
	assert_learned(host, "set");
	xf_host_free(host);

	good_answers();
	fake.loses_pkru = true;
	host = probe_fake();
	assert_int_equal(host->pkru_kept, XF_NO);
	xf_host_free(host);

	good_answers();
	fake.exit_reason = KVM_EXIT_FAIL_ENTRY;
	fake.shows_idle_pkru = true;
	host = probe_fake();
	assert_int_equal(host->pkru_kept, XF_YES);
	xf_host_free(host);

	good_answers();
	fake.misplaced = XF_AVX;
	host = probe_fake();
	assert_lacks(host, "layout", "does not give data back from where");
	xf_host_free(host);

	good_answers();
	fake.together = XF_AVX | XF_PKRU;
	host = probe_fake();
	assert_lacks(host, "set", "takes each of some components and not all together");
	xf_host_free(host);

	/* Tile data is refused, alone or not. */
	good_answers();
	fake.together = XF_XTILEDATA;
	host = probe_fake();
	assert_lacks(host, "xfd_clears", "KVM_SET_XSAVE refuses tile data");
	xf_host_free(host);
}

/* Nothing waits for ever for a vCPU that does not come back, and the rest is told. */
static void test_stuck(void **state)
{
	struct xf_host *host;

	(void)state;
	good_answers();
	fake.stuck = true;
	host = probe_fake();
	assert_lacks(host, "after_run", "KVM_RUN: Connection timed out");
	assert_lacks(host, "pkru_kept", "no guest can be run here");
	assert_learned(host, "set");
	xf_host_free(host);
}

/* As the one of local-6.18: whoever has a CPUID is shown everything. */
static void test_shows_everything(void **state)
{
	struct xf_host *host;

	(void)state;
	good_answers();
	fake.shows = fake.kvm.host;
	host = probe_fake();
	assert_true(host->kvm.shows_all);
	assert_int_equal(host->kvm.set, XF_SET_HOST);
	assert_int_equal(host->kvm.get, XF_GET_TRIMS);
	assert_int_equal(host->after_run, 0);
	assert_int_equal(host->unlearned_count, 1);
	xf_host_free(host);
}

/* ---- The xferry module ---- */

/* A module with these settings. What differs for no state and no guest need not be told. */
static void check_module(const char *spec, uint64_t set, uint64_t get, bool named)
{
	struct xf_host *preset, *host;
	char components[32];

	assert_success(xf_host_open(spec, &preset));
	preset->kvm.hook_set = set;
	preset->kvm.hook_get = get;
	memset(&fake, 0, sizeof(fake));
	fake.kvm = preset->kvm;
	snprintf(components, sizeof(components), "%#" PRIx64, set ? set : UINT64_MAX);
	if (named) {
		fake.module[0] = set ? "trim" : "observe";
		fake.module[1] = components;
		fake.module[2] = get ? "Y" : "N";
	}
	assert_success(xf_host_probe(&host));
	check_round_trip(host);
	assert_learned(host, "module");
	assert_learned(host, "hook");
	assert_learned(host, "set");
	assert_learned(host, "get");
	assert_int_equal(!!host->module, named);
	if (named) {
		assert_true(host->kvm.hook_set == set && host->kvm.hook_get == get);
	} else {
		/* Behind a hook that has taken PKRU out first, the module may as well spare it. */
		host->kvm.hook_set |= preset->kvm.hook_pkru ? set & XF_PKRU : 0;
		/* Where GET trims by itself, nothing is left to be seen to go. */
		host->kvm.hook_get |= preset->kvm.get == XF_GET_LEAKS ? 0 : get;
	}
	host->kvm.get_after_cpuid = preset->kvm.get_after_cpuid;
	for (uint64_t shown = 0; shown < 0x400; shown += 5) {
		const struct xf_kvm_vcpu vcpu = {
			.cpuid = shown,
			.cpuid_set = true,
			.evidence = { shown, ~UINT64_C(0) },
		};

		for (uint64_t state = 0; state < 0x400; state += 1 + (state & 15))
			assert_same_on(&preset->kvm, &host->kvm, &vcpu, state);
		xf_for_each_bit (bit, ANY_COMPONENT)
			assert_same_on(&preset->kvm, &host->kvm, &vcpu, xf_mask(bit));
	}
	for (uint64_t state = 0; state < 0x400; state++)
		assert_same_on(&preset->kvm, &host->kvm, &(const struct xf_kvm_vcpu){ 0 }, state);
	xf_host_free(host);
	xf_host_free(preset);
}

/* Every behaviour, on every kind of CPU, with every setting, by its name and without. */
static void test_module(void **state)
{
	static const char *const cpus[] = { "", ",-pku", ",-avx512", ",-avx,-pku", ",-xsave" };
	static const struct {
		uint64_t set, get;
	} settings[] = {
		{ 0, 0 },
		{ UINT64_MAX, 0 },
		{ UINT64_MAX, UINT64_MAX },
		{ XF_PKRU, 0 },
		{ XF_AVX | XF_AVX512, XF_AVX | XF_AVX512 },
	};

	(void)state;
	for (size_t i = 0; xf_preset(i); i++) {
		for (size_t j = 0; j < sizeof(cpus) / sizeof(cpus[0]); j++) {
			for (size_t k = 0; k < 2 * sizeof(settings) / sizeof(settings[0]); k++) {
				char spec[64];

				snprintf(spec, sizeof(spec), "preset:%s%s", xf_preset(i)->name,
					 cpus[j]);
				check_module(spec, settings[k / 2].set, settings[k / 2].get, k & 1);
			}
		}
	}
	check_module("preset:linux-6.19,+amx", UINT64_MAX, 0, true);
	check_module("preset:linux-6.19,+amx", UINT64_MAX, 0, false);
}

/* What the module says of itself is not what is seen: nobody knows what it will do. */
static void test_module_disagrees(void **state)
{
	static const struct {
		const char *module[3];
		uint64_t set, get;
		const char *why;
	} rows[] = {
		{ { "trim", "0xffffffffffffffff", "N" }, 0, 0, "KVM_SET_XSAVE 0 is seen to go" },
		{ { "observe", "0xffffffffffffffff", "N" }, XF_PKRU, 0, "takes 0 out" },
		{ { "trim", "0x200", "N" }, XF_AVX, 0, "takes 0x200 out" },
		{ { "trim", "0xffffffffffffffff", "Y" }, UINT64_MAX, 0, "KVM_GET_XSAVE 0 is seen" },
		{ { "trim", "0xffffffffffffffff", "N" },
		  UINT64_MAX,
		  UINT64_MAX,
		  "takes 0 out of what a guest was not shown, and in KVM_GET_XSAVE" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xf_host *host;

		good_answers();
		fake.kvm.get = XF_GET_LEAKS;
		fake.kvm.hook_set = rows[i].set;
		fake.kvm.hook_get = rows[i].get;
		memcpy(fake.module, rows[i].module, sizeof(fake.module));
		host = probe_fake();
		assert_lacks(host, "module", rows[i].why);
		assert_true(host->kvm.unknown & XF_UNKNOWN_MODULE);
		assert_non_null(host->module);
		xf_host_free(host);
	}
}

/* One that shows a guest all that it holds: of that nothing is superfluous. */
static void test_module_shows_everything(void **state)
{
	struct xf_host *host;

	(void)state;
	good_answers();
	fake.shows = fake.kvm.host;
	fake.kvm.hook_set = UINT64_MAX;
	host = probe_fake();
	assert_true(host->kvm.shows_all && host->kvm.hook_set == UINT64_MAX);
	assert_learned(host, "module");
	assert_learned(host, "set");
	xf_host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_not_asked),
		cmocka_unit_test(test_text_of_answers),
		cmocka_unit_test(test_no_vm),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_unknown_kernel),
		cmocka_unit_test(test_header_and_mxcsr),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_amx),
		cmocka_unit_test(test_pkru),
		cmocka_unit_test(test_rewritten),
		cmocka_unit_test(test_run_against_get),
		cmocka_unit_test(test_calls_fail),
		cmocka_unit_test(test_one_call_fails),
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_shows_everything),
		cmocka_unit_test(test_module),
		cmocka_unit_test(test_module_disagrees),
		cmocka_unit_test(test_module_shows_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
