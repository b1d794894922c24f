/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host profiles: every key read, written, read again; every way to spoil one. */
#include "tests/host/support.h"

static const char *data_file(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", getenv("XF_DATA"), name);
	return path;
}

static struct xf_error *open_text(const char *text, size_t size, struct xf_host **out)
{
	const char *path = make_file(text, size);
	struct xf_error *err = xf_host_open(path, out);

	forget_file(path);
	return err;
}

/* What is written can be read, and is then written the same. */
static void check_fixpoint(const struct xf_host *host)
{
	struct xf_host *again;
	char *first, *second;

	assert_success(xf_host_to_json(host, &first));
	assert_success(open_text(first, strlen(first), &again));
	assert_success(xf_host_to_json(again, &second));
	assert_string_equal(first, second);
	assert_memory_equal(&host->layout, &again->layout, sizeof(host->layout));
	assert_int_equal(host->kvm.host, again->kvm.host);
	assert_int_equal(host->kvm.get, again->kvm.get);
	assert_int_equal(host->kvm.set, again->kvm.set);
	assert_int_equal(host->kvm.mxcsr_mask, again->kvm.mxcsr_mask);
	assert_int_equal(host->kvm.no_xsave, again->kvm.no_xsave);
	assert_int_equal(host->kvm.header_unchecked, again->kvm.header_unchecked);
	assert_int_equal(host->kvm.mxcsr_always, again->kvm.mxcsr_always);
	assert_int_equal(host->kvm.protected_ignored, again->kvm.protected_ignored);
	assert_int_equal(host->kvm.get_after_cpuid, again->kvm.get_after_cpuid);
	assert_int_equal(host->kvm.xfd_clears, again->kvm.xfd_clears);
	assert_int_equal(host->kvm.hook_pkru, again->kvm.hook_pkru);
	assert_int_equal(host->kvm.hook_set, again->kvm.hook_set);
	assert_int_equal(host->kvm.hook_get, again->kvm.hook_get);
	assert_int_equal(host->area_size, again->area_size);
	assert_int_equal(host->has_layout, again->has_layout);
	free(first);
	free(second);
	xf_host_free(again);
}

static void test_full(void **state)
{
	struct xf_host *host;

	(void)state;
	assert_success(xf_host_open(data_file("full.json"), &host));
	assert_string_equal(host->name, data_file("full.json"));
	assert_string_equal(host->kernel, "6.12.88+deb13-amd64");
	assert_string_equal(host->qemu, "10.0.13");
	assert_string_equal(host->cpu, "A \"quoted\" CPU \\ with \303\251 and \001");
	assert_int_equal(host->kvm.host, 0x602e7);
	assert_int_equal(host->kvm.get, XF_GET_LEAKS);
	assert_int_equal(host->kvm.set, XF_SET_GUEST_BARE);
	assert_int_equal(host->kvm.mxcsr_mask, 0x2ffff);
	assert_false(host->kvm.no_xsave);
	assert_true(host->kvm.header_unchecked);
	assert_true(host->kvm.mxcsr_always);
	assert_true(host->kvm.protected_ignored);
	assert_true(host->kvm.xfd_clears);
	assert_true(host->kvm.hook_pkru);
	assert_true(host->kvm.hook_set == UINT64_MAX);
	assert_int_equal(host->kvm.hook_get, 0x204);
	assert_string_equal(host->module, "mode=trim components=0xffffffffffffffff trim_get=Y");
	assert_true(host->has_layout);
	assert_int_equal(host->layout.at[9].offset, 2688);
	assert_int_equal(host->layout.at[9].size, 8);
	assert_false(host->layout.at[9].aligned);
	assert_true(host->layout.at[17].aligned);
	assert_true(host->layout.at[11].supervisor);
	assert_int_equal(host->layout.at[33].size, 40);
	assert_int_equal(host->area_size, 11048);
	check_fixpoint(host);
	xf_host_free(host);
}

/* The manual's example is real: CPUID leaf 0xD and KVM of an EPYC 9004, itself a guest. */
static void test_example(void **state)
{
	static char manual[32768], text[4096];
	FILE *file = fopen(getenv("XF_MANUAL"), "r");
	struct xf_host *host;
	char *json;

	(void)state;
	assert_non_null(file);
	assert_in_range(fread(manual, 1, sizeof(manual) - 1, file), 1000, sizeof(manual) - 2);
	fclose(file);
	assert_success(xf_host_open(data_file("epyc.json"), &host));
	assert_int_equal(host->kvm.host, 0xe7);
	assert_success(xf_host_to_json(host, &json));
	snprintf(text, sizeof(text), "```\n%s```\n", json);
	assert_non_null(strstr(manual, text));
	check_fixpoint(host);
	free(json);
	xf_host_free(host);
}

/* Nothing could be learned but what the host holds. */
static void test_least(void **state)
{
	static const char *const texts[] = {
		"{\"schema\":1,\"supported\":\"0x207\"}",
		" {\"supported\":\"0x207\",\"schema\":1,\"get\":null,\"set\":null,\"qemu\":null,"
		"\"header_checked\":null,\"mxcsr_mask\":null,\"mxcsr_always\":null,"
		"\"protected\":null,\"xfd_clears\":null,\"hook\":null,\"layout\":null,"
		"\"area_size\":null,\"cpu\":null,\"kernel\":null,\"xsave\":null,"
		"\"module\":null,\"module_loaded\":null,"
		"\"cpuid_rewritten\":null,\"amx_permitted\":null,\"pkru_kept\":null,"
		"\"after_run\":null,\"not_learned\":null}\n\n",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct xf_host *host;

		assert_success(open_text(texts[i], strlen(texts[i]), &host));
		assert_int_equal(host->kvm.host, 0x207);
		assert_int_equal(host->kvm.get, XF_GET_UNKNOWN);
		assert_int_equal(host->kvm.set, XF_SET_UNKNOWN);
		assert_int_equal(host->kvm.mxcsr_mask, 0xffff);
		assert_false(host->kvm.no_xsave);
		assert_false(host->kvm.header_unchecked);
		assert_false(host->kvm.mxcsr_always);
		assert_false(host->kvm.protected_ignored);
		assert_false(host->kvm.xfd_clears);
		assert_false(host->kvm.hook_pkru);
		assert_false(host->kvm.hook_set || host->kvm.hook_get);
		assert_null(host->module);
		assert_false(host->has_layout);
		assert_int_equal(host->area_size, 0);
		assert_false(host->kvm.shows_all);
		/* Nobody has asked for the others. */
		assert_int_equal(host->kvm.unknown, XF_UNKNOWN_MXCSR_MASK);
		assert_int_equal(host->amx_permitted, XF_NOT_KNOWN);
		assert_int_equal(host->pkru_kept, XF_NOT_KNOWN);
		assert_false(host->has_after_run);
		assert_int_equal(host->unlearned_count, 0);
		assert_null(host->kernel);
		assert_null(host->cpu);
		assert_null(host->qemu);
		check_fixpoint(host);
		xf_host_free(host);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *key, *word;
		int get, set;
	} rows[] = {
		{ "get", "trims", XF_GET_TRIMS, XF_SET_UNKNOWN },
		{ "get", "trims-bare", XF_GET_TRIMS_BARE, XF_SET_UNKNOWN },
		{ "get", "leaks", XF_GET_LEAKS, XF_SET_UNKNOWN },
		{ "set", "host", XF_GET_UNKNOWN, XF_SET_HOST },
		{ "set", "guest", XF_GET_UNKNOWN, XF_SET_GUEST },
		{ "set", "guest-bare", XF_GET_UNKNOWN, XF_SET_GUEST_BARE },
		{ "protected", "refused", XF_GET_UNKNOWN, XF_SET_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xf_host *host;
		char text[128];
		int size = snprintf(text, sizeof(text),
				    "{\"schema\":1,\"supported\":\"0x3\",\"%s\":\"%s\"}",
				    rows[i].key, rows[i].word);

		assert_success(open_text(text, (size_t)size, &host));
		assert_int_equal(host->kvm.get, rows[i].get);
		assert_int_equal(host->kvm.set, rows[i].set);
		assert_false(host->kvm.protected_ignored);
		check_fixpoint(host);
		xf_host_free(host);
	}
}

static void test_presets(void **state)
{
	(void)state;
	for (size_t i = 0; xf_preset(i); i++) {
		struct xf_host *host;
		char spec[64];

		snprintf(spec, sizeof(spec), "preset:%s,qemu=7.2", xf_preset(i)->name);
		assert_success(xf_host_open(spec, &host));
		check_fixpoint(host);
		xf_host_free(host);
	}
}

/* The layouts that the library has can be kept in a profile. */
static void test_layouts(void **state)
{
	const struct xf_layout *const layouts[] = { &xf_layout_intel, &xf_layout_amd,
						    &xf_layout_amd_avx512 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct xf_host host = {
			.name = "test",
			.kvm.host = xf_layout_components(layouts[i]) & XF_USER,
			.kvm.mxcsr_mask = 0xffff,
			.has_layout = true,
			.layout = *layouts[i],
			.area_size = xf_layout_standard_size(layouts[i], XF_USER),
		};

		check_fixpoint(&host);
	}
}

/* What was asked about in vain is unknown, and not what stands for it elsewhere. */
static void test_unknown(void **state)
{
	static const char text[] =
		"{\"schema\":1,\"supported\":\"0x7\",\"set\":\"host\",\"mxcsr_mask\":\"0xffff\","
		"\"not_learned\":{\"hook\":\"a\",\"module\":\"m\",\"cpuid_rewritten\":\"b\","
		"\"mxcsr_always\":\"c\"}"
		"}";
	const struct xf_guest guest = { XF_FPSSE | XF_AVX, UINT64_MAX };
	const struct xf_area_head leak = { .xstate_bv = XF_FPSSE | XF_AVX | XF_PKRU };
	struct xf_host *host;
	char *json;

	(void)state;
	assert_success(open_text(text, strlen(text), &host));
	assert_int_equal(host->kvm.unknown, XF_UNKNOWN_HOOK | XF_UNKNOWN_MODULE |
						    XF_UNKNOWN_SHOWS_ALL | XF_UNKNOWN_MXCSR_ALWAYS);
	/* A hook would drop PKRU, which this host has not. */
	assert_int_equal(xf_predict(&host->kvm, guest, &leak).outcome, XF_OUTCOME_UNKNOWN);
	assert_success(xf_host_to_json(host, &json));
	assert_non_null(strstr(json, "\"cpuid_rewritten\": null,"));
	free(json);
	check_fixpoint(host);
	xf_host_free(host);
}

/* What a probe says and what it could not learn is read back. */
static void test_probed(void **state)
{
	static const char text[] =
		"{\"schema\":1,\"supported\":\"0x207\",\"cpuid_rewritten\":true,"
		"\"amx_permitted\":false,\"pkru_kept\":true,\"after_run\":\"0x203\",\"set\":null,"
		"\"not_learned\":{\"set\":\"a \\\"why\\\"\",\"header_checked\":\"b\","
		"\"mxcsr_mask\":\"c\",\"layout\":\"d\",\"of a later version\":\"e\"}}";
	struct xf_host *host;
	char *json;

	(void)state;
	assert_success(open_text(text, strlen(text), &host));
	assert_true(host->kvm.shows_all);
	assert_int_equal(host->amx_permitted, XF_NO);
	assert_int_equal(host->pkru_kept, XF_YES);
	assert_true(host->has_after_run);
	assert_int_equal(host->after_run, 0x203);
	assert_int_equal(host->unlearned_count, 5);
	assert_string_equal(host->unlearned[0].key, "set");
	assert_string_equal(host->unlearned[0].why, "a \"why\"");
	assert_success(xf_host_to_json(host, &json));
	assert_non_null(strstr(json, "\"header_checked\": null,"));
	assert_non_null(strstr(json, "\"mxcsr_mask\": null,"));
	assert_non_null(strstr(json, "\"mxcsr_always\": false,"));
	assert_int_equal(host->kvm.unknown, XF_UNKNOWN_MXCSR_MASK);
	assert_non_null(strstr(json, "\"of a later version\": \"e\""));
	free(json);
	check_fixpoint(host);
	xf_host_free(host);
}

#define PROFILE(keys) "{\"schema\":1,\"supported\":\"0x207\"," keys "}"
#define LAYOUT(entries) PROFILE("\"layout\":[" entries "]")
#define AVX "{\"component\":\"avx\",\"offset\":576,\"size\":256}"

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		/* JSON at all */
		{ "", "at byte 0: the JSON ends here" },
		{ "{\"schema\":1", "at byte 11: the JSON ends here" },
		{ "{\"schema\":1,}", "expected JSON: " },
		{ "{'schema':1}", "expected JSON: " },
		{ "{\"schema\":1} {", "at byte 13: expected JSON: " },
		{ "{\"schema\":1}]", "at byte 12: expected JSON: " },
		{ "# no JSON", "at byte 0: expected JSON: " },
		{ "{\"kernel\":\"\xff\"}", "expected JSON: " },
		{ "[1]", "expected a JSON object" },
		{ "null ", "expected a JSON object" },
		{ "\"text\"", "expected a JSON object" },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "at byte 16: expected JSON: nesting" },
		/* keys twice, also where they are passed over */
		{ PROFILE("\"get\":\"trims\",\"get\":\"leaks\""), "expected each key once" },
		{ PROFILE("\"x\":[{\"a\":1,\"a\":1}]"), "expected each key once" },
		{ PROFILE("\"x\":{\"a\\\":\":{\"b\":1},\"a\\\":\":2}"), "expected each key once" },
		/* schema and supported */
		{ "{}", "\"schema\": expected the number of a schema" },
		{ "{\"schema\":\"1\"}", "\"schema\": expected" },
		{ "{\"schema\":null}", "\"schema\": expected" },
		{ "{\"schema\":1}", "\"supported\": expected a mask in hex" },
		{ "{\"schema\":1,\"supported\":null}", "\"supported\": expected a mask in hex" },
		{ "{\"schema\":1,\"supported\":519}", "\"supported\": expected a mask in hex" },
		{ "{\"schema\":1,\"supported\":\"519\"}", "\"supported\": expected a mask" },
		{ "{\"schema\":1,\"supported\":\"0x10000000000000000\"}", "\"supported\": " },
		{ "{\"schema\":1,\"supported\":\"0x1\"}", "expected x87 and SSE" },
		{ "{\"schema\":1,\"supported\":\"0x103\"}", "expected components of XCR0 only" },
		{ "{\"schema\":1,\"supported\":\"0x8000000000000003\"}", "of XCR0 only" },
		{ "{\"schema\":1,\"supported\":\"0xe3\"}", "expected complete groups" },
		{ "{\"schema\":1,\"supported\":\"0xb\"}", "expected complete groups" },
		{ "{\"schema\":1,\"supported\":\"0x207\",\"xsave\":false}", "expected 0x3 where" },
		/* types */
		{ PROFILE("\"kernel\":6"), "\"kernel\": expected text or null" },
		{ PROFILE("\"kernel\":\"6\\u0000.1\""), "\"kernel\": expected text or null" },
		{ PROFILE("\"qemu\":7.2"), "\"qemu\": expected text or null" },
		{ PROFILE("\"qemu\":\"new\""), "\"qemu\": expected a version" },
		{ PROFILE("\"qemu\":\"\""), "\"qemu\": expected a version" },
		{ PROFILE("\"cpu\":\"EPYC\""), "\"cpu\": expected an object or null" },
		{ PROFILE("\"cpu\":{\"model\":[]}"), "\"cpu.model\": expected text or null" },
		{ PROFILE("\"xsave\":1"), "\"xsave\": expected true, false or null" },
		{ PROFILE("\"get\":\"drips\""),
		  "\"get\": expected \"trims\", \"trims-bare\", \"leaks\" or null" },
		{ PROFILE("\"get\":1"), "\"get\": expected" },
		{ PROFILE("\"set\":\"trims\""),
		  "\"set\": expected \"host\", \"guest\", \"guest-bare\" or null" },
		{ PROFILE("\"header_checked\":\"yes\""), "\"header_checked\": expected true" },
		{ PROFILE("\"mxcsr_mask\":65535"), "\"mxcsr_mask\": expected a mask in hex" },
		{ PROFILE("\"mxcsr_mask\":\"0x100000000\""), "\"mxcsr_mask\": expected 32 bits" },
		{ PROFILE("\"mxcsr_always\":0"), "\"mxcsr_always\": expected true" },
		{ PROFILE("\"protected\":true"), "\"protected\": expected \"refused\", " },
		{ PROFILE("\"xfd_clears\":{}"), "\"xfd_clears\": expected true" },
		{ PROFILE("\"hook\":\"avx\""), "\"hook\": expected \"pkru\" or null" },
		{ PROFILE("\"module\":\"xferry\""), "\"module\": expected an object or null" },
		{ PROFILE("\"module\":{\"set\":3}"), "\"module.set\": expected a mask in hex" },
		{ PROFILE("\"module\":{\"get\":\"all\"}"), "\"module.get\": expected a mask in" },
		{ PROFILE("\"module\":{\"set\":\"0x4\"},\"not_learned\":{\"module\":\"a\"}"),
		  "\"module\": expected null, as" },
		{ PROFILE("\"module_loaded\":true"), "\"module_loaded\": expected text or null" },
		/* layout */
		{ PROFILE("\"layout\":{}"), "\"layout\": expected a list or null" },
		{ LAYOUT("1"), "\"layout[0].\": expected an object" },
		{ LAYOUT(AVX ",null"), "\"layout[1].\": expected an object" },
		{ LAYOUT("{}"), "\"layout[0].component\": expected one component's name" },
		{ LAYOUT("{\"component\":\"avx1\"}"), "\"layout[0].component\": expected one" },
		{ LAYOUT("{\"component\":\"avx512\"}"), "\"layout[0].component\": expected one" },
		{ LAYOUT("{\"component\":2}"), "\"layout[0].component\": expected one" },
		{ LAYOUT("{\"component\":\"sse\",\"size\":256}"), "expected none that has its" },
		{ LAYOUT("{\"component\":\"bit 63\",\"size\":256}"), "expected none that has" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":576}"),
		  "\"layout[0].size\": expected the component's size" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":-1,\"size\":256}"),
		  "\"layout[0].offset\": expected a number from 0 to 1048576" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":576.5,\"size\":256}"),
		  "\"layout[0].offset\": expected a number" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":99999999999999999999,\"size\":256}"),
		  "\"layout[0].offset\": expected a number" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":576,\"size\":\"256\"}"),
		  "\"layout[0].size\": expected a number" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":576,\"size\":256,\"aligned\":0}"),
		  "\"layout[0].aligned\": expected true" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":576,\"size\":256,\"supervisor\":0}"),
		  "\"layout[0].supervisor\": expected true" },
		{ LAYOUT(AVX "," AVX), "\"layout[1].component\": expected each component once" },
		{ LAYOUT(AVX), "expected a place for what is in \"supported\": PKRU" },
		{ LAYOUT(""), "expected a place for what is in \"supported\": AVX PKRU" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":512,\"size\":256}"),
		  "\"layout\": AVX begins within the first 576 bytes" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":1048576,\"size\":256}"),
		  "\"layout\": AVX ends past 1 MiB" },
		{ LAYOUT("{\"component\":\"avx\",\"offset\":576,\"size\":16}"),
		  "\"layout\": AVX is smaller than" },
		{ LAYOUT(AVX ",{\"component\":\"pkru\",\"offset\":824,\"size\":64}"),
		  "shares bytes with another component" },
		{ LAYOUT(AVX ",{\"component\":\"bit 40\",\"offset\":600,\"size\":1}"),
		  "shares bytes with another component" },
		/* what a probe found besides */
		{ PROFILE("\"cpuid_rewritten\":1"), "\"cpuid_rewritten\": expected true, false" },
		{ PROFILE("\"amx_permitted\":\"yes\""), "\"amx_permitted\": expected true, false" },
		{ PROFILE("\"pkru_kept\":[]"), "\"pkru_kept\": expected true, false or null" },
		{ PROFILE("\"after_run\":3"), "\"after_run\": expected a mask in hex" },
		{ PROFILE("\"not_learned\":[]"), "\"not_learned\": expected an object or null" },
		{ PROFILE("\"not_learned\":{\"set\":null}"), "\"not_learned.set\": expected text" },
		{ PROFILE("\"not_learned\":{\"set\":1}"), "\"not_learned.set\": expected text" },
		{ PROFILE("\"set\":\"host\",\"not_learned\":{\"set\":\"why\"}"),
		  "\"set\": expected null, as \"not_learned\" has it" },
		{ PROFILE("\"not_learned\":{\"supported\":\"why\"}"),
		  "\"supported\": expected null" },
		/* area_size */
		{ PROFILE("\"area_size\":\"4096\""), "\"area_size\": expected a number" },
		{ PROFILE("\"area_size\":1048577"), "\"area_size\": expected a number from 0 to" },
		{ PROFILE("\"area_size\":575"), "\"area_size\": expected 576 or more" },
		{ LAYOUT(AVX ",{\"component\":\"pkru\",\"offset\":832,\"size\":8}],"
			     "\"area_size\":839,\"x\":["),
		  "\"area_size\": expected 840 or more" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xf_host *host = NULL;

		assert_error(open_text(cases[i].text, strlen(cases[i].text), &host), XF_ERR_DAMAGED,
			     cases[i].words);
		assert_null(host);
	}
}

static void test_newer_schema(void **state)
{
	static const char text[] = "{\"schema\":2,\"supported\":[]}";
	struct xf_host *host = NULL;

	(void)state;
	assert_error(open_text(text, strlen(text), &host), XF_ERR_FORMAT,
		     "a profile of schema 2, expected schema 1");
	assert_null(host);
}

static void test_no_file(void **state)
{
	struct xf_host *host = NULL;
	size_t size = (1 << 20) + 1;
	char *huge = malloc(size);

	(void)state;
	assert_error(xf_host_open("no/such/profile.json", &host), XF_ERR_IO, "no/such/profile");
	assert_error(xf_host_open(".", &host), XF_ERR_IO, ".: ");
	memset(huge, ' ', size);
	assert_error(open_text(huge, size, &host), XF_ERR_DAMAGED, "larger than the 1048576 bytes");
	/* A zero byte ends JSON no more than anything else does. */
	assert_error(open_text("{\"schema\":1}\0{}", 15, &host), XF_ERR_DAMAGED, "expected JSON");
	free(huge);
	assert_null(host);
	xf_host_free(NULL);
}

/* A profile cut off anywhere is refused: as unfinished, or within a letter of two bytes. */
static void test_truncated(void **state)
{
	struct xf_host *host;
	char *text;

	(void)state;
	assert_success(xf_host_open(data_file("full.json"), &host));
	assert_success(xf_host_to_json(host, &text));
	xf_host_free(host);

	size_t end = strlen(text) - 1; /* the last line's end may be missing */
	const char *letter = strstr(text, "\303\251");

	assert_non_null(letter);
	for (size_t cut = 0; cut < end; cut++) {
		bool within = text + cut == letter + 1;

		host = NULL;
		assert_error(open_text(text, cut, &host), XF_ERR_DAMAGED,
			     within ? "invalid utf-8" : "the JSON ends here");
		assert_null(host);
	}
	assert_success(open_text(text, end, &host));
	xf_host_free(host);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),	cmocka_unit_test(test_least),
		cmocka_unit_test(test_example), cmocka_unit_test(test_words),
		cmocka_unit_test(test_presets), cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_bad),	cmocka_unit_test(test_newer_schema),
		cmocka_unit_test(test_unknown), cmocka_unit_test(test_probed),
		cmocka_unit_test(test_no_file), cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
