/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations of Proxmox VE. */
#include <sys/stat.h>

#include "tests/host/support.h"

/* What stands behind cpu in every configuration. */
#define REST "machine: q35\nmemory: 512\nsmbios1: uuid=1-2\nvmgenid: 3\n"
#define ALL (XF_USER & ~XF_FPSSE)

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static struct xf_error *read_conf(const char *text, const char *snapshot, struct xf_evidence **out)
{
	char spec[64];

	put("etc/qemu-server/100.conf", text);
	snprintf(spec, sizeof(spec), "etc/qemu-server/100.conf%s%s", snapshot ? ":" : "",
		 snapshot ? snapshot : "");
	return xf_evidence_from_qm(spec, NULL, out);
}

static void check_in(const char *text, const char *snapshot, uint64_t shown, uint64_t unknown,
		     const char *source)
{
	struct xf_evidence *evidence = NULL;

	assert_success(read_conf(text, snapshot, &evidence));
	if (evidence->guest.shown != shown || (XF_USER & ~evidence->guest.known) != unknown ||
	    !strstr(evidence->source, source) ||
	    evidence->all_of_host != (strstr(source, "host") != NULL))
		fail_msg("%s: shown %#lx, unknown %#lx, %s", text,
			 (unsigned long)evidence->guest.shown,
			 (unsigned long)(XF_USER & ~evidence->guest.known), evidence->source);
	xf_evidence_free(evidence);
}

static void check(const char *text, uint64_t shown, uint64_t unknown, const char *source)
{
	check_in(text, NULL, shown, unknown, source);
}

static void check_error(const char *text, const char *snapshot, enum xf_error_code code,
			const char *words)
{
	struct xf_evidence *evidence = NULL;

	assert_error(read_conf(text, snapshot, &evidence), code, words);
	assert_null(evidence);
}

static void test_cpu(void **state)
{
	(void)state;
	check("cpu: EPYC-Milan\n" REST, 0x207, 0,
	      "100.conf: cpu: EPYC-Milan: -cpu EPYC-Milan (models of QEMU 7.2, 10.0, 11.1)");
	check("cpu: cputype=EPYC\n" REST, 0x7, 0, "-cpu EPYC (");
	check("cpu: host\n" REST, 0x3, ALL, "-cpu host (depends on the host");
	check("cpu: host,flags=+aes;+nested-virt,hidden=1,hv-vendor-id=x\n" REST, 0x3, ALL,
	      "-cpu host,aes=on (depends on the host");
	check("cpu: flags=-pcid,cputype=max,phys-bits=host\n" REST, 0x3, ALL,
	      "-cpu max,pcid=off (depends on the host");
	check("cpu: x86-64-v2\n" REST, 0x3, 0, "-cpu qemu64,popcnt=on,");
	check("cpu: x86-64-v2-AES,flags=-aes\n" REST, 0x3, 0, ",ssse3=on,aes=off (");
	check("cpu: x86-64-v3\n" REST, 0x7, 0, ",xsave=on (");
	check("cpu: x86-64-v4\n" REST, 0xe7, 0, ",avx512vl=on (");
	check("cpu: Icelake-Client\n" REST, 0x207, XF_MPX | XF_AVX512, "-cpu Icelake-Client");
	/* The default, with KVM and without. */
	check("cores: 2\n" REST, 0x3, 0, "100.conf: cpu: -cpu kvm64 (");
	check("kvm: 0\n" REST, 0x3, 0, "100.conf: cpu: -cpu qemu64 (");
	check("kvm: 1\n" REST, 0x3, 0, "100.conf: cpu: -cpu kvm64 (");
	check("arch: x86_64\r\ncpu:\tEPYC \r\n" REST, 0x7, 0, "-cpu EPYC (");
	/* Of a key that is there twice, Proxmox takes the last. */
	check("cpu: host\ncpu: EPYC\n" REST, 0x7, 0, "-cpu EPYC (");
}

/* What ran, what is added by hand, what is configured: in this order. */
static void test_order(void **state)
{
	(void)state;
	check("args: -cpu EPYC\ncpu: host\nrunningcpu: "
	      "kvm64,enforce,+kvm_pv_eoi,+lahf_lm,+sep\n" REST,
	      0x3, 0, "100.conf: runningcpu: -cpu kvm64,enforce,+kvm_pv_eoi,+lahf_lm,+sep (");
	check("args: -cpu 'host,-pku,hv_vendor_id=Nvidia43FR'\ncpu: EPYC\n" REST, 0x3,
	      ALL & ~XF_PKRU, "100.conf: args: -cpu host,-pku,hv_vendor_id=Nvidia43FR (");
	check("args: -cpu 486 -device x -cpu EP\"YC\"\n" REST, 0x7, 0, "args: -cpu EPYC (");
	check("args: --cpu EP\\YC\n" REST, 0x7, 0, "args: -cpu EPYC (");
	check("args: -device -cpu\ncpu: EPYC\n" REST, 0x7, 0, "cpu: EPYC: -cpu EPYC (");
	check("args: -global x.y=1 -smbios 'type=1,x=-cpu host'\ncpu: EPYC\n" REST, 0x7, 0,
	      "cpu: EPYC: -cpu EPYC (");
	check_error("args: -global cpu.pku=on\ncpu: EPYC\n" REST, NULL, XF_ERR_USAGE,
		    "args: -global changes the CPU");
	check_error("args: -global cpu.pku=on\nrunningcpu: EPYC\n" REST, NULL, XF_ERR_USAGE,
		    "args: -global changes the CPU");
	check_error("args: -cpu 'host\n" REST, NULL, XF_ERR_DAMAGED, "args: a quote is open");
}

static const char snapshots[] = "#cpu%3A max\n"
				"cpu: EPYC\n"
				"parent: later\n" REST "\n[PENDING]\n"
				"cpu: host\n" REST "\n[before]\n"
				"#a note\n"
				"cpu: host\n"
				"memory: 512\n"
				"runningcpu: Skylake-Server-v1,enforce,-pku\n"
				"runningmachine: pc-i440fx-7.2+pve0\n"
				"smbios1: uuid=1\n"
				"snaptime: 1600000000\n"
				"vmstate: local-lvm:vm-100-state-before\n"
				"\n[disks-only]\n"
				"cpu: host\n" REST "\n[later]\n"
				"cpu: EPYC-Milan\n" REST "vmstate: local-lvm:vm-100-state-later\n"
				"\n[special:cloudinit]\n"
				"cpu: max\n";

static void test_sections(void **state)
{
	(void)state;
	/* Whose state it is, nobody said. */
	check(snapshots, 0x2e7, 0,
	      "etc/qemu-server/100.conf: own part and snapshots before, later: name one, as in "
	      "100.conf:before");
	check_in(snapshots, "before", 0xe7, 0,
		 "etc/qemu-server/100.conf:before: runningcpu: -cpu Skylake-Server-v1,enforce,-pku "
		 "(");
	check_in(snapshots, "later", 0x207, 0,
		 "100.conf:later: cpu: EPYC-Milan: -cpu EPYC-Milan (");
	check_error(snapshots, "disks-only", XF_ERR_USAGE,
		    "snapshot \"disks-only\" was made without RAM");
	check_error(snapshots, "nowhere", XF_ERR_USAGE, "it has no snapshot \"nowhere\"");
	check_error(snapshots, "", XF_ERR_USAGE, "it has no snapshot \"\"");
	check_error(snapshots, "PENDING", XF_ERR_USAGE, "[PENDING] is no snapshot");
	check_error(snapshots, "special:cloudinit", XF_ERR_IO, "conf:special: open: ");
	check_error("[x]\n" REST "vmstate: v\n[x]\n" REST "vmstate: v\n", "x", XF_ERR_DAMAGED,
		    "the section [x] is there a second time");
	/* Suspended to disk. */
	check("cpu: host\nlock: suspended\nrunningcpu: EPYC\n" REST "vmstate: local:state\n", 0x7,
	      0, "runningcpu: -cpu EPYC (");
}

#define SNAPSHOT(name, cpu) "[" name "]\n" cpu REST "vmstate: local:vm-100-state-" name "\n"
#define BOTH "snapshots before, after: name one, as in 100.conf:before"

/* Without a name, nothing that a snapshot's guest was shown, or may have been, is hidden. */
static void test_any_section(void **state)
{
	(void)state;
	/* The own part's kvm64 has neither AVX nor PKRU, and the snapshot's host may have. */
	check_in("cpu: kvm64\n" REST SNAPSHOT("before", "runningcpu: host,enforce\n"), NULL, 0x3,
		 ALL,
		 "own part and snapshots before: name one, as in 100.conf:before "
		 "(depends on the host");
	check("cpu: kvm64\n" REST SNAPSHOT("before", "cpu: EPYC\n")
		      SNAPSHOT("after", "runningcpu: EPYC-Milan\n"),
	      0x207, 0, "own part and " BOTH);
	/* Nothing is known of a CPU that is new, and it is no error where it was not asked for. */
	check("cpu: kvm64\n" REST SNAPSHOT("before", "cpu: EPIC\n")
		      SNAPSHOT("after", "runningcpu: EPYC\n"),
	      0x7, ALL & ~0x4ull, "own part and " BOTH);
	/* Cut off behind its runningcpu. */
	check("cpu: kvm64\n" REST "[before]\nrunningcpu: EPYC\n[x]\n" REST, 0x3, ALL,
	      "own part and snapshots before: name one");
	/* Those without RAM have no state; those of Proxmox are none. */
	check("cpu: kvm64\n" REST "[disks]\ncpu: host\n" REST SNAPSHOT("PENDING", "cpu: host\n")
		      SNAPSHOT("Special:x", "cpu: host\n"),
	      0x3, 0, "100.conf: cpu: kvm64: -cpu kvm64 (");
	/* All tell the same. */
	check("cpu: EPYC\n" REST SNAPSHOT("before", "cpu: EPYC-v1\n"), 0x7, 0,
	      "100.conf: cpu: EPYC: -cpu EPYC (");
	/* Its own state is the one that the own part tells of. */
	check("cpu: kvm64\n" REST "vmstate: local:s\n" SNAPSHOT("before", "cpu: EPYC\n"), 0x3, 0,
	      "100.conf: cpu: kvm64: -cpu kvm64 (");
	check_error("cpu: EPYC\n" REST SNAPSHOT("x", "") SNAPSHOT("x", ""), NULL, XF_ERR_DAMAGED,
		    "the section [x] is there a second time");
}

static void test_many_snapshots(void **state)
{
	char *text = malloc(1 << 20);
	struct xf_evidence *evidence = NULL;

	(void)state;
	assert_non_null(text);
	size_t used = (size_t)sprintf(text, "cpu: kvm64\n" REST);

	for (int i = 0; i < 256; i++)
		used += (size_t)sprintf(text + used, "[s%d]\nrunningcpu: EPYC\nvmstate: v\n", i);
	check(text, 0x7, 0, "snapshots s0, s1, s2, s3, s4, s5, s6, s7 and 248 more: name one");
	sprintf(text + used, "[s]\nvmstate: v\n");
	assert_error(read_conf(text, NULL, &evidence), XF_ERR_USAGE,
		     "more than 256 snapshots with RAM: name one, as in 100.conf:s0");
	assert_null(evidence);
	free(text);
}

/* The host that the snapshot began on is asked of the snapshot, not of what all tell together. */
static void test_any_section_from(void **state)
{
	struct xf_evidence *evidence = NULL;
	struct xf_host *from = NULL;
	char profile[512];

	(void)state;
	snprintf(profile, sizeof(profile), "%s/epyc.json", getenv("XF_DATA"));
	assert_success(xf_host_open(profile, &from));
	put("etc/qemu-server/100.conf",
	    "cpu: kvm64\n" REST SNAPSHOT("before", "runningcpu: host,-avx\n"));
	assert_success(xf_evidence_from_qm("etc/qemu-server/100.conf", from, &evidence));
	assert_int_equal(evidence->guest.shown, 0xe3);
	assert_int_equal(XF_USER & ~evidence->guest.known, 0);
	xf_evidence_free(evidence);
	xf_host_free(from);
}

/* A file whose name has a colon in it. */
static void test_colon(void **state)
{
	struct xf_evidence *evidence = NULL;

	(void)state;
	put("etc/qemu-server/a:b", "cpu: EPYC\n" REST);
	assert_success(xf_evidence_from_qm("etc/qemu-server/a:b", NULL, &evidence));
	assert_int_equal(evidence->guest.shown, 0x7);
	xf_evidence_free(evidence);
	assert_error(xf_evidence_from_qm("etc/qemu-server/a:b:c", NULL, &evidence), XF_ERR_USAGE,
		     "etc/qemu-server/a:b: it has no snapshot \"c\"");
	assert_error(xf_evidence_from_qm("nowhere:c", NULL, &evidence), XF_ERR_IO,
		     "nowhere: open: ");
}

static void test_custom(void **state)
{
	static const char models[] = "# by hand\n"
				     "cpu-model: big\n"
				     "    flags +avx;-pku;+pku;-mpx\n"
				     "    reported-model Skylake-Server-v1\n"
				     "\n"
				     "cpu-model: bigger\n"
				     "\treported-model host\n"
				     "\n"
				     "cpu-model: plain\n"
				     "\n"
				     "cpu-model: typo\n"
				     "    flags +pkuu\n";

	(void)state;
	/* Never from this machine's /etc/pve, where the configuration is none of this machine's. */
	check_error("cpu: custom-big\n" REST, NULL, XF_ERR_IO,
		    "100.conf: the model custom-big is defined in Proxmox' cpu-models.conf; "
		    "expected it as etc/qemu-server/../virtual-guest/cpu-models.conf");
	assert_int_equal(mkdir("etc/virtual-guest", 0777), 0);
	put("etc/virtual-guest/cpu-models.conf", models);
	check("cpu: custom-big,flags=+aes\n" REST, 0x2e7, 0,
	      "cpu: custom-big,flags=+aes, of "
	      "etc/qemu-server/../virtual-guest/cpu-models.conf: -cpu "
	      "Skylake-Server-v1,avx=on,pku=off,pku=on,mpx=off,aes=on (");
	check("cpu: custom-bigger\n" REST, 0x3, ALL, "-cpu host (");
	check("cpu: custom-plain\n" REST, 0x3, 0, "-cpu kvm64 (");
	check_error("cpu: custom-bi\n" REST, NULL, XF_ERR_USAGE, "it has no model \"bi\"");
	check_error("cpu: custom-\n" REST, NULL, XF_ERR_USAGE, "it has no model \"\"");
	check_error("cpu: custom-typo\n" REST, NULL, XF_ERR_USAGE,
		    "100.conf: unknown CPU feature \"pkuu\"");
	/* As /etc/pve/nodes/NODE/qemu-server sees it. */
	assert_int_equal(mkdir("etc/nodes", 0777), 0);
	assert_int_equal(mkdir("etc/nodes/one", 0777), 0);
	assert_int_equal(mkdir("etc/nodes/one/qemu-server", 0777), 0);
	put("etc/nodes/one/qemu-server/7.conf", "cpu: custom-big\n" REST);

	struct xf_evidence *evidence = NULL;

	assert_success(xf_evidence_from_qm("etc/nodes/one/qemu-server/7.conf", NULL, &evidence));
	assert_int_equal(evidence->guest.shown, 0x2e7);
	xf_evidence_free(evidence);

	put("etc/virtual-guest/cpu-models.conf", "cpu-model: a\n flags +avx\n\ncpu-model: a\n");
	check_error("cpu: custom-a\n" REST, NULL, XF_ERR_DAMAGED, "a second time");
	put("etc/virtual-guest/cpu-models.conf", "cpu-model: a\n flags +av");
	check_error("cpu: custom-a\n" REST, NULL, XF_ERR_DAMAGED,
		    "cpu-models.conf: its last line does not end");
	put("etc/virtual-guest/cpu-models.conf", "");
	check_error("cpu: custom-a\n" REST, NULL, XF_ERR_DAMAGED, "expected all of the models");
}

/* Where a section of cpu-models.conf ends. */
static void test_custom_sections(void **state)
{
	static const char models[] = "cpu-model: a\n"
				     "    flags +aes\n"
				     "\n"
				     "    reported-model Skylake-Server-v1\n"
				     "\n"
				     "cpu-model:b\n"
				     "    reported-model EPYC\n"
				     " \t\n"
				     "  # cpu-model: c\n"
				     "cpu-model: d\n"
				     "flags -avx\n"
				     "    flags +xsave;+pku\n"
				     "    flags -avx\n"
				     "\n"
				     "note: x\n"
				     "cpu-model: e\n"
				     "\n"
				     "  cpu-model: f\n";

	(void)state;
	mkdir("etc/virtual-guest", 0777);
	put("etc/virtual-guest/cpu-models.conf", models);
	check("cpu: custom-a\n" REST, 0x3, 0, "-cpu kvm64,aes=on (");
	check("cpu: custom-b\n" REST, 0x207, 0, "-cpu EPYC,xsave=on,pku=on (");
	check_error("cpu: custom-c\n" REST, NULL, XF_ERR_USAGE, "it has no model \"c\"");
	check_error("cpu: custom-d\n" REST, NULL, XF_ERR_USAGE, "it has no model \"d\"");
	check_error("cpu: custom-e\n" REST, NULL, XF_ERR_USAGE, "it has no model \"e\"");
	check_error("cpu: custom-f\n" REST, NULL, XF_ERR_USAGE, "it has no model \"f\"");
}

static void test_bad(void **state)
{
	(void)state;
	check_error("", NULL, XF_ERR_DAMAGED, "its last line does not end");
	check_error("cpu: host\n" REST "cpu: EPYC", NULL, XF_ERR_DAMAGED, "does not end");
	check_error("<domain/>\n" REST, NULL, XF_ERR_DAMAGED, "line 1: expected \"KEY: VALUE\"");
	check_error("\n\n: x\n" REST, NULL, XF_ERR_DAMAGED, "line 3: expected \"KEY: VALUE\"");
	check_error("CPU: host\n" REST, NULL, XF_ERR_DAMAGED, "line 1: expected \"KEY: VALUE\"");
	check_error("[x\n" REST, NULL, XF_ERR_DAMAGED, "line 1: expected \"KEY: VALUE\"");
	check_error("cpu: \n" REST, NULL, XF_ERR_DAMAGED, "cpu: expected a model's name");
	check_error("cpu: flags=+aes\n" REST, NULL, XF_ERR_DAMAGED, "cpu: expected a model's name");
	check_error("cpu: EPIC\n" REST, NULL, XF_ERR_USAGE,
		    "100.conf: unknown CPU model \"EPIC\"; the nearest name is \"EPYC\"");
	check_error("cpu: x86-64-v9\n" REST, NULL, XF_ERR_USAGE, "unknown CPU model \"x86-64-v9\"");
	check_error("cpu: EPYC,flags=+pkuu\n" REST, NULL, XF_ERR_USAGE,
		    "unknown CPU feature \"pkuu\"; the nearest name is \"pku\"");
	check_error("runningcpu: EPYC,+pkuu\n" REST, NULL, XF_ERR_USAGE,
		    "unknown CPU feature \"pkuu\"");
	check_error("arch: aarch64\n" REST, NULL, XF_ERR_USAGE, "a machine of aarch64");
	/* Half of it, or something else. */
	check_error("cpu: EPYC\nmemory: 512\n", NULL, XF_ERR_DAMAGED, "ends before smbios1");
	check_error("name: foo\nversion: 3\n", NULL, XF_ERR_DAMAGED, "ends before smbios1");
	check_error(REST "[x]\ncpu: EPYC\nvm", "x", XF_ERR_DAMAGED, "does not end");
	check_error(REST "[x]\ncpu: EPYC\n", "x", XF_ERR_DAMAGED, "x ends before smbios1");

	struct xf_evidence *evidence = NULL;
	static const char zero[] = "cpu: EPYC\0\n" REST;
	const char *path = make_file(zero, sizeof(zero) - 1);

	assert_error(xf_evidence_from_qm(path, NULL, &evidence), XF_ERR_DAMAGED, "expected text");
	forget_file(path);
}

/*
 * Cut off anywhere, a section tells what the whole tells, or nothing. Without a name, the own part
 * does, with those snapshots that are there.
 */
static void test_truncated(void **state)
{
	static const char *const names[] = { NULL, "before", "later" };
	static const uint64_t shown[] = { 0x7, 0xe7, 0x207 };
	size_t told[3] = { 0 };

	(void)state;
	for (size_t size = 0; size < strlen(snapshots); size++) {
		for (size_t i = 0; i < 3; i++) {
			struct xf_evidence *evidence = NULL;
			char *part = strndup(snapshots, size);
			struct xf_error *err = read_conf(part, names[i], &evidence);

			free(part);
			if (!err) {
				told[i]++;
				assert_false(~evidence->guest.shown & shown[i]);
				assert_false(evidence->guest.shown & ~(i ? shown[i] : 0x2e7));
				/* Of a snapshot that is cut short nothing is known. */
				if (i)
					assert_int_equal(evidence->guest.known, XF_DEFINED);
			}
			xf_evidence_free(evidence);
			xf_error_free(err);
		}
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(told[i] && told[i] < strlen(snapshots));
}

/* Proxmox' tree, in a directory of the test's own. */
static int make_place(void **state)
{
	char template[] = "test-qm-XXXXXX";
	char *place = mkdtemp(template);

	if (!place || chdir(place) || mkdir("etc", 0777) || mkdir("etc/qemu-server", 0777))
		return -1;
	*state = strdup(place);
	return 0;
}

static int forget_place(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r '%s'", (char *)*state);
	free(*state);
	return chdir("..") || system(command) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_colon),
		cmocka_unit_test(test_custom),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_custom_sections),
		cmocka_unit_test(test_any_section),
		cmocka_unit_test(test_many_snapshots),
		cmocka_unit_test(test_any_section_from),
	};

	return cmocka_run_group_tests(tests, make_place, forget_place);
}
