/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* -cpu arguments. What a real QEMU makes of them is compare-qemu.py's part. */
#include "tests/host/support.h"

static struct xf_guest guest_of(const char *cpu, const struct xf_host *from, bool all_of_host)
{
	struct xf_evidence *evidence;

	assert_success(xf_evidence_from_cpu(cpu, from, &evidence));

	struct xf_guest guest = evidence->guest;

	assert_int_equal(evidence->all_of_host, all_of_host);
	assert_int_equal(guest.shown & ~guest.known, 0);
	/* x87 and SSE always; what comes after the table is never known. */
	assert_int_equal(guest.shown & guest.known & XF_FPSSE, XF_FPSSE);
	assert_int_equal(guest.known & ~XF_DEFINED, 0);
	/* Supervisor components are no part of these masks. */
	assert_int_equal(guest.shown & XF_SUPERVISOR, 0);
	xf_evidence_free(evidence);
	return guest;
}

/* What is unknown of the components that XCR0 has. */
static void check(const char *cpu, uint64_t shown, uint64_t unknown)
{
	struct xf_guest guest = guest_of(cpu, NULL, false);

	if (guest.shown != shown || (XF_USER & ~guest.known) != unknown)
		fail_msg("%s: shown %#lx, unknown %#lx", cpu, (unsigned long)guest.shown,
			 (unsigned long)(XF_USER & ~guest.known));
}

static void test_models(void **state)
{
	(void)state;
	check("qemu64", 0x3, 0);
	check("kvm64", 0x3, 0);
	check("486", 0x3, 0);
	check("Penryn", 0x3, 0);
	check("SandyBridge", 0x7, 0);
	check("Opteron_G5", 0x7, 0);
	check("EPYC", 0x7, 0);
	check("EPYC-IBPB", 0x7, 0);
	check("EPYC-Milan", 0x207, 0);
	check("EPYC-Milan-v2", 0x207, 0);
	check("EPYC-Genoa-v1", 0x2e7, 0);
	check("KnightsMill", 0xe7, 0);
	check("Cooperlake-v1", 0x2e7, 0);
	check("SapphireRapids", 0x602e7, 0);
	check("SapphireRapids-v1", 0x602e7, 0);
	check("GraniteRapids-v2", 0x602e7, 0);
	check("DiamondRapids", 0xe02e7, 0);
}

/* The same name stands for different things on different machine types. */
static void test_disagreement(void **state)
{
	(void)state;
	check("Denverton-v1", 0x1b, 0);
	check("Denverton-v2", 0x3, 0);
	check("Denverton", 0x3, XF_MPX);
	check("Denverton,mpx=off", 0x3, 0);
	check("Denverton,+mpx", 0x1b, 0);
	check("Snowridge", 0x3, XF_MPX);
	/* Up to pc-2.12 it had MPX and no PKU. */
	check("Skylake-Server", 0xe7, XF_MPX | XF_PKRU);
	check("Skylake-Server-v1", 0x2e7, 0);
	check("Cascadelake-Server", 0x2e7, XF_MPX);
}

static void test_flags(void **state)
{
	(void)state;
	check("kvm64,+avx", 0x3, 0);
	check("kvm64,+xsave", 0x3, 0);
	check("kvm64,+xsave,+avx", 0x7, 0);
	check("kvm64,xsave,avx=on", 0x7, 0);
	check("kvm64,xsave=yes,avx=true,mpx=y", 0x1f, 0);
	check("EPYC-Milan,avx=no,pku=false", 0x3, 0);
	check("EPYC-Milan,avx=n,pku=off", 0x3, 0);
	check("EPYC-Milan,-xsave,-pku", 0x3, 0);
	check("qemu64,+xsave,+amx-tile,+pku", 0x60203, 0);
	check("qemu64,+xsave,+avx512f", 0xe3, 0);
	check("qemu64,+xsave,avx10=on", 0xe3, 0);
	check("qemu64,+xsave,apxf=on", 0x80003, 0);
	check("GraniteRapids-v2,-avx512f", 0x602e7, 0);
	check("GraniteRapids-v2,-avx512f,-avx10", 0x60207, 0);
	check("GraniteRapids,-avx512f", 0x60207, XF_AVX512);
	/* WRPKRU works without XSAVE, so a guest with PKU and no XSAVE may have used it. */
	check("qemu64,+pku", 0x3, XF_PKRU);
	check("EPYC-Milan,-xsave", 0x3, XF_PKRU);
	/* Words that have no part in it. */
	check("qemu64,enforce,hv_relaxed,hv-spinlocks=0x1fff,+sse4_1,-sse4.2,+kvm_pv_eoi", 0x3, 0);
	check("qemu64,,level=13,model-id=some CPU,", 0x3, 0);
	check("SapphireRapids,level=0xc", 0x602e7, 0);
}

/* feature=… first, the last one of them; then every +; then every -. */
static void test_precedence(void **state)
{
	(void)state;
	check("kvm64,+xsave,avx=on,avx=off", 0x3, 0);
	check("kvm64,+xsave,avx=off,avx=on", 0x7, 0);
	check("kvm64,+xsave,+avx,avx=off", 0x7, 0);
	check("kvm64,+xsave,+avx,-avx", 0x3, 0);
	check("kvm64,+xsave,-avx,+avx", 0x3, 0);
	check("EPYC-Milan,-pku,pku=on", 0x7, 0);
}

/* A component that IA32_XSS governs is not in the mask, and known only when it is absent. */
static void test_supervisor(void **state)
{
	(void)state;
	assert_int_equal(guest_of("qemu64", NULL, false).known, XF_DEFINED);
	assert_int_equal(guest_of("kvm64,+xsave,+cet-ss", NULL, false).known, XF_DEFINED & ~XF_CET);
	assert_int_equal(guest_of("kvm64,+xsave,+cet-ibt", NULL, false).known,
			 XF_DEFINED & ~XF_CET);
	assert_int_equal(guest_of("kvm64,+xsave,+arch-lbr", NULL, false).known,
			 XF_DEFINED & ~XF_LBR);
	assert_int_equal(guest_of("kvm64,+xsave,+intel-pt", NULL, false).known,
			 XF_DEFINED & ~XF_PT);
	/* Some of its versions have CET. */
	assert_int_equal(guest_of("SapphireRapids", NULL, false).known, XF_DEFINED & ~XF_CET);
	assert_int_equal(guest_of("SapphireRapids,-cet-ss,-cet-ibt", NULL, false).known,
			 XF_DEFINED);
}

static void test_host(void **state)
{
	static const char *const names[] = { "host", "max" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct xf_guest guest = guest_of(names[i], NULL, true);

		assert_int_equal(guest.known, XF_FPSSE);
	}

	struct xf_guest guest = guest_of("host,-pku", NULL, true);

	assert_int_equal(guest.known, XF_FPSSE | XF_PKRU);
	assert_int_equal(guest.shown, XF_FPSSE);

	guest = guest_of("max,+pku,avx=off", NULL, true);
	assert_int_equal(guest.known, XF_FPSSE | XF_PKRU | XF_AVX);
	assert_int_equal(guest.shown, XF_FPSSE | XF_PKRU);

	/* Either of two features shows AVX-512. */
	assert_int_equal(guest_of("host,-avx512f", NULL, true).known, XF_FPSSE);
	assert_int_equal(guest_of("host,-avx512f,-avx10", NULL, true).known, XF_FPSSE | XF_AVX512);

	guest = guest_of("host,-xsave", NULL, true);
	assert_int_equal(guest.known & XF_USER, XF_USER & ~XF_PKRU);
	assert_int_equal(guest.shown, XF_FPSSE);

	guest = guest_of("base,+xsave,+avx", NULL, false);
	assert_int_equal(guest.known, XF_FPSSE | XF_AVX);
	assert_int_equal(guest.shown, XF_FPSSE | XF_AVX);
}

static void test_host_known(void **state)
{
	struct xf_host *from;

	(void)state;
	assert_success(xf_host_open("preset:linux-6.6,-avx512", &from));

	/* A preset's CPU is assumed: what it lacks is not known to have been hidden. */
	struct xf_guest guest = guest_of("host", from, true);

	assert_int_equal(guest.shown, 0x207);
	assert_int_equal(guest.known, 0x207);
	guest = guest_of("host,-amx-tile", from, true);
	assert_int_equal(guest.known, 0x207 | XF_AMX);

	/* A profile has measured it. */
	from->cpu_assumed = false;
	guest = guest_of("host", from, true);
	assert_int_equal(guest.shown, 0x207);
	assert_int_equal(guest.known, XF_USER);
	guest = guest_of("max,-pku,+amx-tile", from, true);
	assert_int_equal(guest.shown, 0x60007);
	assert_int_equal(guest.known, XF_USER);

	/* It has no part in a model that tells all by itself, nor in "base". */
	assert_int_equal(guest_of("qemu64", from, false).shown, 0x3);
	assert_int_equal(guest_of("Denverton", from, false).known & XF_MPX, 0);
	assert_int_equal(guest_of("base", from, false).known, XF_FPSSE);
	xf_host_free(from);
}

static void check_source(const char *cpu, const struct xf_host *from, const char *expected)
{
	struct xf_evidence *evidence;

	assert_success(xf_evidence_from_cpu(cpu, from, &evidence));
	assert_string_equal(evidence->source, expected);
	xf_evidence_free(evidence);
}

static void test_source(void **state)
{
	struct xf_host *from;

	(void)state;
	check_source("qemu64,+avx", NULL, "-cpu qemu64,+avx (models of QEMU 7.2, 10.0, 11.1)");
	check_source("EPYC-Milan-v2", NULL, "-cpu EPYC-Milan-v2 (models of QEMU 10.0, 11.1)");
	check_source("DiamondRapids", NULL, "-cpu DiamondRapids (models of QEMU 11.1)");
	check_source("qemu64,model-id=\033[1m", NULL,
		     "-cpu qemu64,model-id=?[1m (models of QEMU 7.2, 10.0, 11.1)");
	check_source("host", NULL, "-cpu host (depends on the host where it was started)");
	assert_success(xf_host_open("preset:pve-7", &from));
	check_source("host", from, "-cpu host (started on preset:pve-7)");
	xf_host_free(from);
}

static void test_bad(void **state)
{
	static const struct {
		const char *cpu;
		const char *words;
	} cases[] = {
		{ "", "unknown CPU model \"\"" },
		{ ",+avx", "unknown CPU model \"\"" },
		{ "epyc-milan", "CPU model \"epyc-milan\"; the nearest name is \"EPYC-Milan\"" },
		{ "EPYC-Milan-v9", "\"EPYC-Milan-v9\"; the nearest name is \"EPYC-Milan-v" },
		{ "Skylake-Server@pc-i440fx-2.4", "unknown CPU model" },
		{ "zzzzzzzzzzzzzzzzzzzzzzzz", "\"zzzzzzzzzzzzzzzzzzzzzzzz\"" },
		{ "qemu64,+pkuu", "CPU feature \"pkuu\"; the nearest name is \"pku\"" },
		{ "qemu64,-PKU", "CPU feature \"PKU\"" },
		{ "qemu64,xsavee=on", "CPU feature \"xsavee\"" },
		{ "qemu64,+", "CPU feature \"\"" },
		{ "qemu64,+avx=on", "CPU feature \"avx=on\"" },
		{ "qemu64,=on", "CPU feature \"\"" },
		{ "qemu64, +avx", "CPU feature \" +avx\"" },
		{ "qemu64,avx=maybe", "\"avx\" is on or off, not \"maybe\"" },
		{ "qemu64,avx=", "\"avx\" is on or off, not \"\"" },
		{ "qemu64,+level", "\"+level\": level is not on or off" },
		{ "qemu64,"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=on",
		  "unknown CPU feature \"aaaaaaaa" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "unknown CPU model \"aaaaaaaa" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xf_evidence *evidence = NULL;

		assert_error(xf_evidence_from_cpu(cases[i].cpu, NULL, &evidence), XF_ERR_USAGE,
			     cases[i].words);
		assert_null(evidence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),	   cmocka_unit_test(test_disagreement),
		cmocka_unit_test(test_flags),	   cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_supervisor), cmocka_unit_test(test_host),
		cmocka_unit_test(test_host_known), cmocka_unit_test(test_source),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
