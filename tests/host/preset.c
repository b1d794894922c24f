/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Presets: each behaviour, the words behind the name, and what KVM answers by them. */
#include "tests/host/support.h"

static struct xf_host *open_host(const char *spec)
{
	struct xf_host *host;

	assert_success(xf_host_open(spec, &host));
	assert_string_equal(host->name, spec);
	assert_false(host->has_layout);
	assert_int_equal(host->area_size, 0);
	assert_null(host->kernel);
	assert_null(host->cpu);
	assert_int_equal(host->kvm.mxcsr_mask, 0xffff);
	return host;
}

static void check_host(const char *spec, uint64_t expected)
{
	struct xf_host *host = open_host(spec);

	if (host->kvm.host != expected)
		fail_msg("%s: %#lx", spec, (unsigned long)host->kvm.host);
	assert_true(xf_is_consistent(host->kvm.host));
	xf_host_free(host);
}

static void test_list(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct xf_preset *preset; (preset = xf_preset(n)); n++) {
		char spec[64];

		snprintf(spec, sizeof(spec), "preset:%s", preset->name);
		assert_true(strlen(preset->what) > 10);
		assert_null(strchr(preset->what, '\n'));
		check_host(spec, 0x2e7);

		struct xf_host *host = open_host(spec);

		assert_int_not_equal(host->kvm.get, XF_GET_UNKNOWN);
		assert_int_not_equal(host->kvm.set, XF_SET_UNKNOWN);
		assert_false(host->kvm.no_xsave);
		assert_null(host->qemu);
		xf_host_free(host);
		for (size_t i = 0; i < n; i++)
			assert_string_not_equal(xf_preset(i)->name, preset->name);
	}
	assert_true(n >= 9);
	assert_null(xf_preset(n));
	assert_null(xf_preset(SIZE_MAX));
}

static void test_behaviours(void **state)
{
	static const struct {
		const char *spec;
		struct xf_kvm kvm;
	} rows[] = {
		{ "preset:linux-4.9",
		  { .get = XF_GET_LEAKS,
		    .set = XF_SET_HOST,
		    .header_unchecked = true,
		    .mxcsr_always = true,
		    .protected_ignored = true } },
		{ "preset:linux-5.10",
		  { .get = XF_GET_TRIMS,
		    .set = XF_SET_HOST,
		    .header_unchecked = true,
		    .mxcsr_always = true,
		    .protected_ignored = true } },
		{ "preset:linux-5.16",
		  { .get = XF_GET_LEAKS, .set = XF_SET_HOST, .protected_ignored = true } },
		{ "preset:linux-5.17",
		  { .get = XF_GET_TRIMS_BARE,
		    .set = XF_SET_GUEST_BARE,
		    .protected_ignored = true } },
		{ "preset:linux-6.2",
		  { .get = XF_GET_TRIMS, .set = XF_SET_GUEST, .protected_ignored = true } },
		{ "preset:linux-6.6",
		  { .get = XF_GET_TRIMS, .set = XF_SET_HOST, .protected_ignored = true } },
		{ "preset:debian-12",
		  { .get = XF_GET_TRIMS,
		    .set = XF_SET_HOST,
		    .protected_ignored = true,
		    .xfd_clears = true } },
		{ "preset:linux-6.12", { .get = XF_GET_TRIMS, .set = XF_SET_HOST } },
		{ "preset:linux-6.19",
		  { .get = XF_GET_TRIMS, .set = XF_SET_HOST, .xfd_clears = true } },
		{ "preset:pve-7",
		  { .get = XF_GET_LEAKS, .set = XF_SET_HOST, .protected_ignored = true } },
		{ "preset:pve-8-6.2",
		  { .get = XF_GET_TRIMS,
		    .set = XF_SET_GUEST,
		    .protected_ignored = true,
		    .hook_pkru = true } },
		{ "preset:pve-9", { .get = XF_GET_TRIMS, .set = XF_SET_HOST, .hook_pkru = true } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xf_host *host = open_host(rows[i].spec);
		const struct xf_kvm *got = &host->kvm, *want = &rows[i].kvm;

		assert_int_equal(got->get, want->get);
		assert_int_equal(got->set, want->set);
		assert_int_equal(got->header_unchecked, want->header_unchecked);
		assert_int_equal(got->mxcsr_always, want->mxcsr_always);
		assert_int_equal(got->protected_ignored, want->protected_ignored);
		assert_int_equal(got->xfd_clears, want->xfd_clears);
		assert_int_equal(got->hook_pkru, want->hook_pkru);
		xf_host_free(host);
	}
}

static void test_words(void **state)
{
	(void)state;
	check_host("preset:linux-6.2,-pku", 0xe7);
	check_host("preset:linux-6.2,-pkru,", 0xe7);
	check_host("preset:linux-6.2,-avx512", 0x207);
	check_host("preset:linux-6.2,-opmask", 0x207);
	/* Nothing can be without what it needs. */
	check_host("preset:linux-6.2,-avx", 0x203);
	check_host("preset:linux-6.2,-avx,-PKU", 0x3);
	check_host("preset:linux-6.2,-avx,+avx512", 0x2e7);
	check_host("preset:linux-6.2,-avx,+zmm_hi256,-pku", 0xe7);
	check_host("preset:linux-6.2,+amx", 0x602e7);
	check_host("preset:linux-6.2,+xtiledata,+mpx", 0x602ff);
	check_host("preset:linux-6.2,+avx", 0x2e7);
	check_host("preset:linux-4.9,+bndregs", 0x2ff);
	check_host("preset:linux-6.2,+x87", 0x2e7);

	struct xf_host *host = open_host("preset:linux-6.2,+amx,-xsave");

	assert_int_equal(host->kvm.host, 0x3);
	assert_true(host->kvm.no_xsave);
	xf_host_free(host);

	host = open_host("preset:linux-6.2,qemu=7.2,-pku,qemu=10.0.13");
	assert_int_equal(host->kvm.host, 0xe7);
	assert_string_equal(host->qemu, "10.0.13");
	xf_host_free(host);
}

static void test_hook(void **state)
{
	static const struct {
		const char *spec;
		uint64_t set, get;
	} cases[] = {
		{ "preset:linux-6.2", 0, 0 },
		{ "preset:linux-6.2,+hook", ~UINT64_C(0), 0 },
		{ "preset:linux-6.2,+hook,-pku", ~UINT64_C(0), 0 },
		{ "preset:pve-7,+hook-get", ~UINT64_C(0), ~UINT64_C(0) },
		{ "preset:pve-7,+hook-get,+hook", ~UINT64_C(0), ~UINT64_C(0) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xf_host *host = open_host(cases[i].spec);

		assert_true(host->kvm.hook_set == cases[i].set);
		assert_true(host->kvm.hook_get == cases[i].get);
		assert_false(xf_kvm_leaks(&host->kvm));
		assert_int_equal(host->kvm.host, strstr(cases[i].spec, "-pku") ? 0xe7 : 0x2e7);
		xf_host_free(host);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *spec;
		const char *words;
	} cases[] = {
		{ "preset:", "unknown preset \"\"; there are: linux-4.9" },
		{ "preset:linux-6.3",
		  "\"linux-6.3\"; the nearest name is \"linux-6.2\"; there are:" },
		{ "preset:Linux-6.2", "linux-6.2" },
		{ "preset:pve-8", "\"pve-8\"; the nearest name is \"pve-8-6.2\"; there are:" },
		{ "pve-7", "pve-7: there is no such file; the preset is \"preset:pve-7\"" },
		{ "pve-9,-pku", "the preset is \"preset:pve-9,-pku\"" },
		{ "preset:linux-6.2,-pkr", "\"pkr\"; the nearest name is \"pkru\"" },
		{ "preset:linux-6.2,+nonsense", "unknown state component \"nonsense\"" },
		{ "preset:linux-6.2,-sse", "\"-sse\": every host has x87 and SSE" },
		{ "preset:linux-6.2,-x87", "every host has" },
		{ "preset:linux-5.16,+amx", "\"+amx\": KVM of linux-5.16 does not know it" },
		{ "preset:linux-6.19,+apx", "does not know it" },
		{ "preset:linux-6.19,+cet", "does not know it" },
		{ "preset:linux-6.19,+bit 33", "does not know it" },
		{ "preset:linux-6.2,-xsave,+avx", "not on a host without XSAVE" },
		{ "preset:linux-6.2,+hok", "unknown word \"+hok\"; the nearest name is \"+hook\"" },
		{ "preset:linux-6.2,+hook-gt", "the nearest name is \"+hook-get\"" },
		{ "preset:linux-6.2,+pkr",
		  "unknown state component \"pkr\"; the nearest name is \"pkru\"" },
		{ "preset:linux-6.2,-hook", "\"-hook\": no preset has the xferry module" },
		{ "preset:linux-6.2,-hok", "unknown state component \"hok\"" },
		{ "preset:debian-11,+hook",
		  "preset debian-11: the xferry module does not load on this kernel" },
		{ "preset:linux-5.10,-pku,+hook-get", "preset linux-5.10: the xferry module does" },
		{ "preset:linux-4.9,-xsave,+hook", "does not load on this kernel" },
		{ "local,+hook", "\"local,+hook\": words behind a comma are for presets" },
		{ "preset:linux-6.2,hook", "\"hook\": behind a preset's name expected +component, "
					   "-component, +hook, +hook-get, -xsave" },
		{ "preset:linux-6.2,pku", "\"pku\": behind a preset's name expected" },
		{ "preset:linux-6.2,-", "\"-\": behind a preset's name expected" },
		{ "preset:linux-6.2,+", "\"+\": behind" },
		{ "preset:linux-6.2,qemu=", "\"qemu=\": behind" },
		{ "preset:linux-6.2,qemu=7.", "\"qemu=7.\": behind" },
		{ "preset:linux-6.2,qemu=.7", "\"qemu=.7\": behind" },
		{ "preset:linux-6.2,qemu=7..2", "behind" },
		{ "preset:linux-6.2,qemu=x", "\"qemu=x\": behind" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xf_host *host = NULL;

		assert_error(xf_host_open(cases[i].spec, &host), XF_ERR_USAGE, cases[i].words);
		assert_null(host);
	}
}

/* The whole error for an unknown name: every preset is in it. */
static void test_all_named(void **state)
{
	struct xf_host *host = NULL;
	struct xf_error *err = xf_host_open("preset:x", &host);

	(void)state;
	assert_non_null(err);
	for (size_t i = 0; xf_preset(i); i++)
		assert_non_null(strstr(err->text, xf_preset(i)->name));
	xf_error_free(err);
	xf_host_free(host);
}

/* xferry-profile(5) has each of them, with the same words. */
static void test_manual(void **state)
{
	static char manual[32768];
	FILE *file = fopen(getenv("XF_MANUAL"), "r");

	(void)state;
	assert_non_null(file);
	assert_in_range(fread(manual, 1, sizeof(manual) - 1, file), 1000, sizeof(manual) - 2);
	fclose(file);
	for (size_t i = 0; xf_preset(i); i++) {
		char entry[256];

		snprintf(entry, sizeof(entry), "\n*%s*\n\t%s\n", xf_preset(i)->name,
			 xf_preset(i)->what);
		if (!strstr(manual, entry))
			fail_msg("not in the manual: %s", entry);
	}
}

/* A leaky host's qemu64 guest, 0x207, on targets without PKU. */
static void test_answers(void **state)
{
	static const struct {
		const char *spec;
		enum xf_outcome outcome;
	} cases[] = {
		{ "preset:linux-6.2", XF_OUTCOME_REFUSED },
		{ "preset:linux-6.2,-pku", XF_OUTCOME_REFUSED },
		{ "preset:linux-6.6", XF_OUTCOME_ACCEPTED },
		{ "preset:linux-6.6,-pku", XF_OUTCOME_REFUSED },
		{ "preset:linux-5.10", XF_OUTCOME_ACCEPTED },
		{ "preset:linux-5.10,-pku", XF_OUTCOME_REFUSED },
		{ "preset:pve-8-6.8,-pku", XF_OUTCOME_ACCEPTED },
		{ "preset:pve-9,-pku", XF_OUTCOME_ACCEPTED },
		{ "preset:linux-6.2,+hook", XF_OUTCOME_ACCEPTED },
		{ "preset:linux-6.2,-pku,+hook", XF_OUTCOME_ACCEPTED },
		{ "preset:linux-6.6,-xsave,+hook", XF_OUTCOME_ACCEPTED },
	};
	struct xf_guest qemu64 = { .shown = 0x3, .known = XF_DEFINED };
	struct xf_area_head head = { .xstate_bv = 0x207, .mxcsr = 0x1f80 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xf_host *host = open_host(cases[i].spec);

		if (xf_predict(&host->kvm, qemu64, &head).outcome != cases[i].outcome)
			fail_msg("%s", cases[i].spec);
		xf_host_free(host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),   cmocka_unit_test(test_behaviours),
		cmocka_unit_test(test_words),  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_hook),   cmocka_unit_test(test_all_named),
		cmocka_unit_test(test_manual), cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
