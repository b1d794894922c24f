/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPUID dumps. data/guest-epyc.cpuid is what cpuid -1r printed in a KVM guest on
 * an EPYC 9004 with AVX-512, without PKU, with CET; -2cpus is cpuid -r of the same.
 */
#include "tests/host/support.h"

static const char *data_file(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", getenv("XF_DATA"), name);
	return path;
}

/* A small guest, from which the cases make others by replacing a part. */
static const char small[] =
	"CPU:\n"
	"   0x00000000 0x00: eax=0x0000000d ebx=0 ecx=0 edx=0\n"
	"   0x00000001 0x00: eax=0x00000663 ebx=0 ecx=0x94002000 edx=0x078bfbff\n"
	"   0x00000007 0x00: eax=0 ebx=0 ecx=0x00000008 edx=0\n"
	"   0x0000000d 0x00: eax=0x00000207 ebx=0 ecx=0 edx=0\n"
	"   0x0000000d 0x01: eax=0x00000001 ebx=0 ecx=0 edx=0\n"
	"   0x80000000 0x00: eax=0x80000008 ebx=0 ecx=0 edx=0\n";

/* Writes `text` with "=0 " and "=0\n" in full, and `from` replaced by `to`. */
static size_t make_text(char *out, size_t size, const char *text, const char *from, const char *to)
{
	size_t used = 0;
	const char *at = from ? strstr(text, from) : NULL;

	assert_true(!from || at);
	for (const char *p = text; *p; p++) {
		if (p == at) {
			used += (size_t)snprintf(out + used, size - used, "%s", to);
			p += strlen(from) - 1;
		} else if (p[0] == '=' && p[1] == '0' && (p[2] == ' ' || p[2] == '\n')) {
			used += (size_t)snprintf(out + used, size - used, "=0x00000000");
			p++;
		} else {
			out[used++] = *p;
		}
		assert_true(used < size);
	}
	out[used] = '\0';
	return used;
}

static struct xf_error *read_text(const char *text, size_t size, struct xf_guest *out)
{
	struct xf_evidence *evidence = NULL;
	const char *path = make_file(text, size);
	struct xf_error *err = xf_evidence_from_cpuid(path, &evidence);

	forget_file(path);
	if (err) {
		assert_null(evidence);
		return err;
	}
	assert_false(evidence->all_of_host);
	assert_non_null(strstr(evidence->source, path));
	*out = evidence->guest;
	xf_evidence_free(evidence);
	return NULL;
}

static struct xf_guest variant(const char *from, const char *to)
{
	char text[2048];
	size_t size = make_text(text, sizeof(text), small, from, to);
	struct xf_guest guest;

	assert_success(read_text(text, size, &guest));
	return guest;
}

static void check(struct xf_guest guest, uint64_t shown, uint64_t unknown)
{
	if (guest.shown != shown || ~guest.known != unknown)
		fail_msg("shown %#lx, unknown %#lx", (unsigned long)guest.shown,
			 (unsigned long)~guest.known);
}

static void test_real(void **state)
{
	static const char *const names[] = { "guest-epyc.cpuid", "guest-epyc-2cpus.cpuid" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct xf_evidence *evidence;

		assert_success(xf_evidence_from_cpuid(data_file(names[i]), &evidence));
		/* Leaf 0xD.1 lets it put CET into IA32_XSS. */
		check(evidence->guest, 0xe7, XF_CET);
		xf_evidence_free(evidence);
	}
}

static void test_shown(void **state)
{
	(void)state;
	check(variant(NULL, NULL), 0x207, 0);
	check(variant("0d 0x00: eax=0x00000207", "0d 0x00: eax=0x000602e7"), 0x602e7, 0);
	/* All 64 bits are the guest's own word, unnamed ones too. */
	check(variant("eax=0x00000207 ebx=0 ecx=0 edx=0",
		      "eax=0x00000207 ebx=0x00000000 ecx=0x00000000 edx=0x00000002"),
	      0x200000207, 0);
	check(variant("eax=0x00000207", "eax=0x00000000"), 0x3, XF_AVX | XF_PKRU);
}

static void test_no_xsave(void **state)
{
	(void)state;
	/*
	 * Leaf 1 without XSAVE, and leaf 0xD past the end: what such a leaf 0xD says is not
	 * shown, but KVM goes by that leaf alone, so it is no proof either.
	 */
	check(variant("ecx=0x94002000", "ecx=0x90002000"), 0x3, XF_AVX | XF_PKRU);
	check(variant("0x00: eax=0x0000000d", "0x00: eax=0x0000000c"), 0x3, XF_AVX | XF_PKRU);
	check(variant("0x00: eax=0x0000000d", "0x00: eax=0x00000005"), 0x3, XF_AVX | XF_PKRU);

	/* An old CPU without leaf 7 and what follows. */
	char text[2048];
	struct xf_guest guest;

	make_text(text, sizeof(text), small, "0x00: eax=0x0000000d", "0x00: eax=0x00000005");
	assert_success(
		read_text(text, (size_t)(strstr(text, "   0x00000007 0x00") - text), &guest));
	check(guest, 0x3, 0);
}

/* The feature is shown and leaf 0xD says no: nothing is known of that component. */
static void test_doubt(void **state)
{
	(void)state;
	check(variant("eax=0x00000207", "eax=0x00000007"), 0x7, XF_PKRU);
	check(variant("eax=0x00000207", "eax=0x00000203"), 0x203, XF_AVX);
	check(variant("eax=0 ebx=0 ecx=0x00000008", "eax=0x00000000 ebx=0x00010000 ecx=0x00000008"),
	      0x207, XF_AVX512);
	check(variant("   0x0000000d 0x00",
		      "   0x00000007 0x01: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 "
		      "edx=0x00280000\n   0x0000000d 0x00"),
	      0x207, XF_AVX512 | XF_APX);
}

/* Supervisor components are in leaf 0xD.1's word, and never in the mask. */
static void test_supervisor(void **state)
{
	(void)state;
	check(variant("eax=0x00000001 ebx=0 ecx=0", "eax=0x00000009 ebx=0x00000000 ecx=0x00009800"),
	      0x207, XF_CET | XF_LBR);
	check(variant("0x0000000d 0x01", "0x0000000d 0x02"), 0x207, XF_SUPERVISOR);
}

static void test_other_spellings(void **state)
{
	static const char libvirt[] =
		"<?xml version='1.0'?>\n<cpudata arch='x86'>\n"
		"  <cpuid eax_in='0x00000000' ecx_in='0x00' eax='0x0000000d' ebx='0x00000000' "
		"ecx='0x00000000' edx='0x00000000'/>\n"
		"  <cpuid eax_in='0x00000001' ecx_in='0x00' eax='0x00000000' ebx='0x00000000' "
		"ecx='0x94000000' edx='0x00000000'/>\n"
		"  <cpuid eax_in='0x00000007' ecx_in='0x00' eax='0x00000000' ebx='0x00000000' "
		"ecx='0x00000000' edx='0x00000000'/>\n"
		"  <cpuid eax_in='0x0000000d' ecx_in='0x00' eax='0x00000007' ebx='0x00000000' "
		"ecx='0x00000000' edx='0x00000000'/>\n"
		"  <cpuid eax_in='0x0000000d' ecx_in='0x01' eax='0x00000001' ebx='0x00000000' "
		"ecx='0x00000000' edx='0x00000000'/>\n"
		"  <cpuid eax_in='0x80000000' eax='0x80000008' ebx='0x00000000' "
		"ecx='0x00000000' edx='0x00000000'/>\n</cpudata>\n";
	struct xf_guest guest;
	char text[2048];

	(void)state;
	assert_success(read_text(libvirt, strlen(libvirt), &guest));
	check(guest, 0x7, 0);

	/* Old versions of cpuid print no sub-leaf where there is one only. */
	check(variant("0x00000001 0x00:", "0x00000001:"), 0x207, 0);

	/* Without the heading, with Windows' line ends, without the last line's end. */
	size_t size = make_text(text, sizeof(text), small, "CPU:\n", "$ cpuid -1r\r\n");

	assert_success(read_text(text, size - 1, &guest));
	check(guest, 0x207, 0);
}

/* `words`: what is said of the small dump when `from` is `to`. */
static void check_bad(const char *from, const char *to, enum xf_error_code code, const char *words)
{
	char text[4096];
	size_t size = make_text(text, sizeof(text), small, from, to);
	struct xf_guest guest;

	assert_error(read_text(text, size, &guest), code, words);
}

static void test_bad(void **state)
{
	(void)state;
	check_bad("0x00000000 0x00", "0x00000002 0x00", XF_ERR_DAMAGED, "without CPUID leaf 0x0");
	check_bad("0x00000001 0x00", "0x00000002 0x00", XF_ERR_DAMAGED, "without CPUID leaf 0x1");
	check_bad("0x00: eax=0x0000000d", "0x00: eax=0x00000000", XF_ERR_DAMAGED,
		  "leaf 0 tells that there is none");
	check_bad("0x00000007 0x00", "0x00000002 0x00", XF_ERR_DAMAGED, "without CPUID leaf 0x7");
	check_bad("0x0000000d 0x00", "0x00000002 0x00", XF_ERR_DAMAGED, "without CPUID leaf 0xd");
	check_bad("0x0000000d 0x01", "0x0000000d 0x00", XF_ERR_DAMAGED,
		  "leaf 0xd.0 is there a second time");
	check_bad("0x0000000d 0x00", "0x0000000d 0x", XF_ERR_DAMAGED, "expected \"0x0000000d");
	check_bad("0x0000000d 0x00", "0x0000000d 0x123456789", XF_ERR_DAMAGED, "expected \"0x0");
	check_bad("0x0000000d 0x00", "0x000000d 0x00", XF_ERR_DAMAGED, "expected \"0x0000000d");
	check_bad("0x0000000d 0x00:", "0x0000000d 0x00", XF_ERR_DAMAGED, "expected \"0x0000000d");
	check_bad("eax=0x00000207", "eax=0x0000207", XF_ERR_DAMAGED, "all digits there");
	check_bad("eax=0x00000207", "eax=0x0000020g", XF_ERR_DAMAGED, "all digits there");
	check_bad("eax=0x00000207", "eax='0x00000207", XF_ERR_DAMAGED, "all digits there");
	check_bad("eax=0x00000207", "ebx=0x00000207", XF_ERR_DAMAGED, "all digits there");
	check_bad("   0x0000000d 0x00:", "<cpuid eax_in='0xd' ecx_in='0x0", XF_ERR_DAMAGED,
		  "all digits there");
	check_bad("   0x0000000d 0x00:", "<cpuid eax_in='0xd", XF_ERR_DAMAGED, "all digits there");
	check_bad("   0x0000000d 0x00:", "<cpuid ecx_in='0xd'", XF_ERR_DAMAGED, "all digits there");
	check_bad("CPU:", "CPU:\n0x", XF_ERR_DAMAGED, "at byte 5: expected \"0x0000000d");
	/* A machine, not a guest. */
	check_bad("ecx=0x94002000", "ecx=0x14002000", XF_ERR_USAGE, "not a virtual machine's");
}

static void test_not_a_dump(void **state)
{
	static const char zero[] = "CPU:\n\0   0x00000000";
	struct xf_evidence *evidence = NULL;
	struct xf_guest guest;

	(void)state;
	assert_error(read_text("", 0, &guest), XF_ERR_DAMAGED, "there is no CPUID leaf in it");
	assert_error(read_text("CPU:\nCPU:\n", 10, &guest), XF_ERR_DAMAGED, "no CPUID leaf");
	assert_error(read_text("CPU 0:\n   vendor_id = \"x\"\n", 26, &guest), XF_ERR_DAMAGED,
		     "expected the output of cpuid -1r");
	assert_error(read_text(zero, sizeof(zero), &guest), XF_ERR_DAMAGED, "at byte 5: expected");
	assert_error(xf_evidence_from_cpuid("no/such/file", &evidence), XF_ERR_IO, "no/such/file");
	assert_error(xf_evidence_from_cpuid(".", &evidence), XF_ERR_IO, ".: ");
	assert_null(evidence);
}

static void test_several_cpus(void **state)
{
	char one[2048], other[2048], text[4096];
	struct xf_guest guest;

	(void)state;
	make_text(one, sizeof(one), small, "CPU:", "CPU 0:");
	make_text(other, sizeof(other), small, "CPU:", "CPU 1:");
	size_t size = (size_t)snprintf(text, sizeof(text), "%s%s", one, other);

	assert_success(read_text(text, size, &guest));
	check(guest, 0x207, 0);

	make_text(other, sizeof(other), small, "eax=0x00000207", "eax=0x00000203");
	size = (size_t)snprintf(text, sizeof(text), "%s%s", one, other);
	assert_error(read_text(text, size, &guest), XF_ERR_DAMAGED,
		     "CPU 1 was shown 0x203, the CPUs before it 0x207");
	make_text(other, sizeof(other), small, "eax=0x00000001 ebx=0 ecx=0",
		  "eax=0x00000001 ebx=0x00000000 ecx=0x00001000");
	size = (size_t)snprintf(text, sizeof(text), "%s%s", one, other);
	assert_error(read_text(text, size, &guest), XF_ERR_DAMAGED, "expected all the same");
	make_text(other, sizeof(other), small, "   0x0000000d 0x00", "#  0x0000000d 0x00");
	size = (size_t)snprintf(text, sizeof(text), "%s%s", one, other);
	assert_error(read_text(text, size, &guest), XF_ERR_DAMAGED,
		     "CPU 1 ends here without CPUID leaf 0xd");
}

/* Cut off anywhere, a dump says the same, is refused, or has lost the supervisor part only. */
static void test_truncated(void **state)
{
	char text[2048];
	size_t size = make_text(text, sizeof(text), small, NULL, NULL);
	size_t leaf_d_end = (size_t)(strstr(text, "   0x0000000d 0x01") - text);
	size_t refused = 0;

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		struct xf_guest guest;
		struct xf_error *err = read_text(text, cut, &guest);

		if (err) {
			assert_int_equal(err->code, XF_ERR_DAMAGED);
			xf_error_free(err);
			refused++;
			continue;
		}
		assert_true(cut >= leaf_d_end - 1);
		assert_int_equal(guest.shown, 0x207);
		assert_int_equal(~guest.known & ~XF_SUPERVISOR, 0);
	}
	assert_true(refused >= leaf_d_end - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),	     cmocka_unit_test(test_shown),
		cmocka_unit_test(test_no_xsave),     cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_supervisor),   cmocka_unit_test(test_other_spellings),
		cmocka_unit_test(test_bad),	     cmocka_unit_test(test_not_a_dump),
		cmocka_unit_test(test_several_cpus), cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
