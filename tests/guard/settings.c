/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XFERRY_GUARD, XFERRY_GUARD_ONLY, XFERRY_GUARD_LOG: what is taken, and what a wrong one means. */
#include "tests/core/test.h"

#include "core/component.h"
#include "guard/settings.h"

static struct xf_settings settings;

static void parse(const char *mode, const char *only, const char *log)
{
	memset(&settings, 0xa5, sizeof(settings));
	xf_settings_parse(mode, only, log, &settings);
}

/* Exactly the complaints of which a part is given, in the order of the settings. */
static void assert_complaints(const char *mode, const char *only, const char *log)
{
	const char *const due[XF_COMPLAINTS] = { mode, only, log };

	for (size_t i = 0; i < XF_COMPLAINTS; i++) {
		if (due[i])
			assert_non_null(strstr(settings.complaint[i], due[i]));
		else
			assert_string_equal(settings.complaint[i], "");
	}
}

static void test_default(void **state)
{
	(void)state;
	parse(NULL, NULL, NULL);
	assert_false(settings.trim);
	assert_true(settings.only == ~(uint64_t)0);
	assert_int_equal(settings.log, XF_LOG_STDERR);
	assert_complaints(NULL, NULL, NULL);
	parse("", NULL, "");
	assert_false(settings.trim);
	assert_int_equal(settings.log, XF_LOG_STDERR);
	assert_complaints(NULL, NULL, NULL);
}

static void test_mode(void **state)
{
	static const char *const wrong[] = { "trimm", "Trim", " trim", "1", "on", "trim\n" };

	(void)state;
	parse("trim", NULL, NULL);
	assert_true(settings.trim);
	assert_complaints(NULL, NULL, NULL);
	parse("observe", NULL, NULL);
	assert_false(settings.trim);
	assert_complaints(NULL, NULL, NULL);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		parse(wrong[i], NULL, NULL);
		assert_false(settings.trim);
		assert_complaints("expected observe or trim", NULL, NULL);
	}
}

static void test_only(void **state)
{
	(void)state;
	parse("trim", "pkru,avx512", NULL);
	assert_true(settings.trim);
	assert_true(settings.only == (XF_PKRU | XF_AVX512));
	parse("trim", "0x200", NULL);
	assert_true(settings.only == XF_PKRU);
	parse("trim", "none", NULL);
	assert_true(settings.only == 0);
	assert_complaints(NULL, NULL, NULL);
	/* Who meant to spare something shall not have it dropped for a slip. */
	parse("trim", "pkro", NULL);
	assert_false(settings.trim);
	assert_complaints(NULL, "the nearest name is 'pkru'", NULL);
	parse("trim", "", NULL);
	assert_false(settings.trim);
	assert_complaints(NULL, "no state component named", NULL);
}

static void test_log(void **state)
{
	char path[PATH_MAX + 2];

	(void)state;
	parse(NULL, NULL, "syslog");
	assert_int_equal(settings.log, XF_LOG_SYSLOG);
	parse(NULL, NULL, "stderr");
	assert_int_equal(settings.log, XF_LOG_STDERR);
	parse(NULL, NULL, "/var/log/guard");
	assert_int_equal(settings.log, XF_LOG_FILE);
	assert_string_equal(settings.log_path, "/var/log/guard");
	assert_complaints(NULL, NULL, NULL);
	parse("trim", NULL, "guard.log");
	assert_true(settings.trim);
	assert_int_equal(settings.log, XF_LOG_STDERR);
	assert_complaints(NULL, NULL, "expected stderr, syslog or an absolute path");

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[PATH_MAX - 1] = '\0';
	parse(NULL, NULL, path);
	assert_int_equal(settings.log, XF_LOG_FILE);
	path[PATH_MAX - 1] = 'x';
	path[PATH_MAX] = '\0';
	parse(NULL, NULL, path);
	assert_int_equal(settings.log, XF_LOG_STDERR);
	assert_complaints(NULL, NULL, "absolute path");
}

/* A complaint is one line and can stand between quotes, whatever the setting has in it. */
static void test_hostile(void **state)
{
	static const char text[] = "a\"b\nc\td\x7f"
				   "e\033[2J";
	char longer[5000];

	(void)state;
	parse(text, text, text);
	assert_complaints("XFERRY_GUARD=a'b?c?d?e?[2J", "observing", "XFERRY_GUARD_LOG=a'b?c");
	memset(longer, '"', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	parse(longer, longer, longer);
	assert_complaints("observing", "observing", "logging to stderr");
	for (size_t i = 0; i < XF_COMPLAINTS; i++)
		for (const char *p = settings.complaint[i]; *p; p++)
			assert_true(*p >= ' ' && *p != '"' && *p != 0x7f);
}

/* A path that was taken, and then could not be opened. */
static void test_refused_log(void **state)
{
	char path[PATH_MAX];

	(void)state;
	parse("trim", NULL, "/no\n\"where\"");
	xf_settings_refuse_log("ENOENT", &settings);
	assert_string_equal(settings.complaint[2],
			    "XFERRY_GUARD_LOG=/no?'where': ENOENT; logging to stderr");
	assert_true(settings.trim);
	memset(path, '/', sizeof(path) - 1);
	path[PATH_MAX - 1] = '\0';
	parse(NULL, NULL, path);
	xf_settings_refuse_log("ENAMETOOLONG", &settings);
	assert_complaints(NULL, NULL, ": ENAMETOOLONG; logging to stderr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default), cmocka_unit_test(test_mode),
		cmocka_unit_test(test_only),	cmocka_unit_test(test_log),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_refused_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
