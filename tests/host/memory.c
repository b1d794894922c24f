/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that runs out: every allocation of every function of host/ is made to
 * fail once, and then it and all that follow. A function gives what it should
 * or XF_ERR_MEMORY, never a wrong answer, and leaks nothing. json-c's parser is
 * spared: 0.16 passes the NULL of a failed strdup to strlen.
 */
#include <dlfcn.h>
#include <json-c/json.h>
#include <libxml/xmlerror.h>

#include "tests/host/answers.h"
#include "tests/host/support.h"

/* glibc's own, behind the ones defined here, which libc and json-c call too. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

static size_t calls, fail_from, fail_to, live;
static bool spared;

static bool refuse(void)
{
	if (spared)
		return false;
	calls++;
	return calls >= fail_from && calls < fail_to;
}

static void *counted(void *memory)
{
	live += memory != NULL;
	return memory;
}

void *malloc(size_t size)
{
	return refuse() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return refuse() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
	if (refuse())
		return NULL;
	return old ? __libc_realloc(old, size) : counted(__libc_realloc(NULL, size));
}

void free(void *memory)
{
	live -= memory != NULL;
	__libc_free(memory);
}

/* In place of json-c's own. */
struct json_object *json_tokener_parse_ex(struct json_tokener *tokener, const char *text, int size)
{
	struct json_object *(*real)(struct json_tokener *, const char *, int);

	spared = true;
	*(void **)&real = dlsym(RTLD_NEXT, "json_tokener_parse_ex");

	struct json_object *json = real(tokener, text, size);

	spared = false;
	return json;
}

/* What a function gave, as text to compare; NULL and the error when it gave none. */
typedef struct xf_error *produce(const char *argument, char *out, size_t size);

static struct xf_error *from_evidence(struct xf_error *err, struct xf_evidence *evidence, char *out,
				      size_t size)
{
	if (err)
		return err;
	snprintf(out, size, "%#lx %#lx %s", (unsigned long)evidence->guest.shown,
		 (unsigned long)evidence->guest.known, evidence->source);
	xf_evidence_free(evidence);
	return NULL;
}

static struct xf_error *from_cpu(const char *argument, char *out, size_t size)
{
	struct xf_evidence *evidence = NULL;
	struct xf_error *err = xf_evidence_from_cpu(argument, NULL, &evidence);

	return from_evidence(err, evidence, out, size);
}

static struct xf_error *from_cpuid(const char *argument, char *out, size_t size)
{
	struct xf_evidence *evidence = NULL;
	struct xf_error *err = xf_evidence_from_cpuid(argument, &evidence);

	return from_evidence(err, evidence, out, size);
}

static struct xf_error *from_xml(const char *argument, char *out, size_t size)
{
	struct xf_evidence *evidence = NULL;
	struct xf_error *err = xf_evidence_from_xml(argument, NULL, &evidence);

	/* libxml2 keeps its last error, and may have printed that memory ran out. */
	xmlResetLastError();
	return from_evidence(err, evidence, out, size);
}

static struct xf_error *from_qm(const char *argument, char *out, size_t size)
{
	struct xf_evidence *evidence = NULL;
	struct xf_error *err = xf_evidence_from_qm(argument, NULL, &evidence);

	return from_evidence(err, evidence, out, size);
}

static struct xf_error *from_mask(const char *argument, char *out, size_t size)
{
	struct xf_evidence *evidence = NULL;
	struct xf_error *err = xf_evidence_from_mask(argument, &evidence);

	return from_evidence(err, evidence, out, size);
}

static struct xf_error *as_json(struct xf_error *err, struct xf_host *host, char *out, size_t size)
{
	char *json;

	if (err)
		return err;
	err = xf_host_to_json(host, &json);
	xf_host_free(host);
	if (err)
		return err;
	snprintf(out, size, "%s", json);
	free(json);
	return NULL;
}

static struct xf_error *from_host(const char *argument, char *out, size_t size)
{
	struct xf_host *host = NULL;
	struct xf_error *err = xf_host_open(argument, &host);

	return as_json(err, host, out, size);
}

/* What a KVM answered; its file is read beforehand. */
static struct xf_probe_answers answers;

static struct xf_error *from_answers(const char *argument, char *out, size_t size)
{
	struct xf_host *host = NULL;
	struct xf_error *err = xf_probe_conclude(&answers, &host);

	(void)argument;
	return as_json(err, host, out, size);
}

static struct xf_error *from_text(const char *argument, char *out, size_t size)
{
	char *text = xf_mask_to_text(strtoull(argument, NULL, 0));

	/* It has no other way to say so. */
	if (!text)
		return xf_mask_from_text("avx", &(uint64_t){ 0 });
	snprintf(out, size, "%s", text);
	free(text);
	return NULL;
}

/* Runs it with the allocations from `from` up to, not with, `to` failing. */
static bool run(produce *function, const char *argument, const char *expected, size_t from,
		size_t to)
{
	static char got[8192];
	size_t before = live;

	got[0] = '\0';
	calls = 0;
	fail_from = from;
	fail_to = to;

	struct xf_error *err = function(argument, got, sizeof(got));
	size_t made = calls;

	fail_from = fail_to = SIZE_MAX;
	if (err && err->code != XF_ERR_MEMORY)
		fail_msg("%s, allocation %zu: %s", argument, from, err->text);
	if (!err && got[0])
		assert_string_equal(got, expected);
	xf_error_free(err);
	if (live != before)
		fail_msg("%s, allocation %zu: %zd leaked", argument, from,
			 (ssize_t)(live - before));
	return made >= from;
}

static void exhaust(produce *function, const char *argument)
{
	static char expected[8192];
	size_t n;

	/* Once in vain: libc allocates some things once and keeps them. */
	for (int i = 0; i < 2; i++) {
		expected[0] = '\0';
		fail_from = fail_to = SIZE_MAX;
		assert_null(function(argument, expected, sizeof(expected)));
	}
	for (n = 1; run(function, argument, expected, n, n + 1); n++)
		run(function, argument, expected, n, SIZE_MAX);
	assert_true(n > 1);
}

static char data[512];

static const char *data_file(const char *name)
{
	snprintf(data, sizeof(data), "%s/%s", getenv("XF_DATA"), name);
	return data;
}

static void test_evidence(void **state)
{
	(void)state;
	exhaust(from_cpu, "qemu64,+avx");
	exhaust(from_cpu, "host,-pku");
	exhaust(from_mask, "pkru");
	exhaust(from_cpuid, data_file("guest-epyc-2cpus.cpuid"));
	exhaust(from_xml, data_file("xml/snapshot.xml"));
	exhaust(from_xml, data_file("xml/command-line.xml"));
	exhaust(from_qm, data_file("qm/qemu-server/100.conf"));
	exhaust(from_qm, data_file("qm/qemu-server/100.conf:before"));
}

static void test_hosts(void **state)
{
	(void)state;
	exhaust(from_host, "preset:linux-6.2,-pku,qemu=7.2");
	exhaust(from_host, data_file("full.json"));
	exhaust(from_host, data_file("epyc.json"));
}

static void test_answers(void **state)
{
	FILE *file = fopen(data_file("answers/odd-get.txt"), "r");

	(void)state;
	assert_non_null(file);
	assert_true(read_answers(file, &answers));
	fclose(file);
	exhaust(from_answers, "answers");
}

static void test_text(void **state)
{
	(void)state;
	exhaust(from_text, "0");
	exhaust(from_text, "0xffffffffffffffff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_text),
	};

	fail_from = fail_to = SIZE_MAX;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
