/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's XML. What a real libvirt makes of it is compare-libvirt.sh's part. */
#include "host/evidence.h"
#include "tests/host/support.h"

#define CPU(attributes, inside) "<cpu " attributes ">" inside "</cpu>"
#define MODEL(name) "<model fallback='forbid'>" name "</model>"
#define FEATURE(policy, name) "<feature policy='" policy "' name='" name "'/>"
#define DOMAIN(inside) "<domain type='kvm' id='1'><name>vm</name>" inside "</domain>"

static struct xf_error *read_xml(const char *text, size_t size, const struct xf_host *from,
				 struct xf_evidence **out)
{
	const char *path = make_file(text, size);
	struct xf_error *err = xf_evidence_from_xml(path, from, out);

	forget_file(path);
	return err;
}

static struct xf_evidence *evidence_of(const char *xml, const struct xf_host *from)
{
	struct xf_evidence *evidence = NULL;

	assert_success(read_xml(xml, strlen(xml), from, &evidence));
	assert_int_equal(evidence->guest.shown & ~evidence->guest.known, 0);
	assert_int_equal(evidence->guest.shown & XF_FPSSE, XF_FPSSE);
	assert_int_equal(evidence->guest.known & ~XF_DEFINED, 0);
	return evidence;
}

/* What is shown, and what is unknown of the components that XCR0 has. */
static void check(const char *xml, uint64_t shown, uint64_t unknown, bool all_of_host)
{
	struct xf_evidence *evidence = evidence_of(xml, NULL);

	if (evidence->guest.shown != shown || (XF_USER & ~evidence->guest.known) != unknown ||
	    evidence->all_of_host != all_of_host)
		fail_msg("%s: shown %#lx, unknown %#lx, %s", xml,
			 (unsigned long)evidence->guest.shown,
			 (unsigned long)(XF_USER & ~evidence->guest.known),
			 evidence->all_of_host ? "all of host" : "not all of host");
	xf_evidence_free(evidence);
}

#define EXACT "mode='custom' match='exact'"
#define ALL (XF_USER & ~XF_FPSSE)

/* The same CPU wherever libvirt keeps it. */
static void test_places(void **state)
{
	static const char milan[] = CPU(EXACT, MODEL("EPYC-Milan"));
	static const char *const around[][2] = {
		{ "", "" },
		{ "<?xml version='1.0' encoding='UTF-8'?>\n<!-- made by hand -->\n", "\n" },
		{ "\xef\xbb\xbf<?xml version='1.0' encoding='UTF-16'?>", "" },
		{ "<domain type='kvm'>", "</domain>" },
		{ "<domain>", "</domain>" },
		{ "<domain type='qemu'><os><type arch='x86_64' machine='pc'>hvm</type></os>",
		  "</domain>" },
		{ "<domstatus state='running'><domain type='kvm'>", "</domain></domstatus>" },
		{ "<domainsnapshot><domain type='kvm'>", "</domain></domainsnapshot>" },
		{ "<domainsnapshot><cookie>", "</cookie></domainsnapshot>" },
		{ "<cookie>", "<slirpHelper/></cookie>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		char xml[512];

		snprintf(xml, sizeof(xml), "%s%s%s", around[i][0], milan, around[i][1]);
		check(xml, 0x207, 0, false);
	}
}

/* Other <cpu>s than the one that the guest ran with, in the same document. */
static void test_whose(void **state)
{
	(void)state;
	/* What was asked for, before libvirt looked at the host. */
	check("<domstatus><cpu mode='host-model'/>" DOMAIN(
		      CPU(EXACT, MODEL("EPYC"))) "</domstatus>",
	      0x7, 0, false);
	/* What the guest would have at its next start. */
	check("<domainsnapshot>" DOMAIN(CPU(EXACT, MODEL("EPYC"))) "<inactiveDomain>" CPU(
		      EXACT, MODEL("EPYC-Milan")) "</inactiveDomain></domainsnapshot>",
	      0x7, 0, false);
	/* A cookie has what the guest really saw. */
	check("<domainsnapshot>" DOMAIN("<cpu mode='host-model'/>") "<cookie>" CPU(
		      EXACT " check='full'",
		      MODEL("EPYC") FEATURE("require", "pku")) "</cookie></domainsnapshot>",
	      0x207, 0, false);
	/* Somebody else's, and not the domain's own. */
	check("<domain><metadata><x:app xmlns:x='urn:x'><x:cpu/><cpu mode='maximum'/></x:app>"
	      "</metadata>" CPU(EXACT, MODEL("EPYC")) "</domain>",
	      0x7, 0, false);
	check("<domain xmlns:x='urn:x'><x:cpu mode='maximum'/>" CPU(EXACT,
								    MODEL("EPYC")) "</domain>",
	      0x7, 0, false);
	check("<domain><devices><cpu mode='maximum'/></devices>" CPU(EXACT,
								     MODEL("EPYC")) "</domain>",
	      0x7, 0, false);
	check("<domain><x:cpu mode='maximum'/>" CPU("x:mode='maximum'", MODEL("EPYC")) "</domain>",
	      0x7, 0, false);
	/* libvirt reads the first. */
	check(DOMAIN(CPU(EXACT, MODEL("EPYC")) CPU(EXACT, MODEL("EPYC-Milan"))), 0x7, 0, false);
	/* A feature, a model, that is not the CPU's. */
	check(CPU(EXACT, MODEL("EPYC") "<numa><feature name='pku'/></numa>"), 0x7, 0, false);
	check(CPU(EXACT, MODEL("EPYC") "<numa><model>-Milan</model></numa>"), 0x7, 0, false);
	check(DOMAIN(CPU(EXACT, MODEL("EPYC")) "<feature name='pku'/>"), 0x7, 0, false);
}

static void test_policies(void **state)
{
	(void)state;
	check(CPU(EXACT, MODEL("EPYC") FEATURE("require", "pku")), 0x207, 0, false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("force", "pku")), 0x207, 0, false);
	check(CPU(EXACT, MODEL("EPYC") "<feature name='pku'/>"), 0x207, 0, false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("optional", "pku")), 0x7, XF_PKRU, false);
	check(CPU(EXACT, MODEL("EPYC-Milan") FEATURE("optional", "pku")), 0x7, XF_PKRU, false);
	check(CPU(EXACT, MODEL("EPYC-Milan") FEATURE("disable", "pku")), 0x7, 0, false);
	check(CPU(EXACT, MODEL("EPYC-Milan") FEATURE("forbid", "pku")), 0x7, 0, false);
	/* libvirt takes no feature twice; were there such a file, what may be shown is kept. */
	check(CPU(EXACT, MODEL("EPYC") FEATURE("disable", "pku") FEATURE("require", "pku")), 0x207,
	      0, false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("disable", "pku") FEATURE("optional", "pku")), 0x7,
	      XF_PKRU, false);
	/* Without XSAVE there is nothing to save, but WRPKRU works without. */
	check(CPU(EXACT, MODEL("EPYC-Milan") FEATURE("disable", "xsave")), 0x3, XF_PKRU, false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("optional", "xsave")), 0x3, XF_AVX, false);
	/* Other words for the same. */
	check(CPU("match='strict'", MODEL("EPYC")), 0x7, 0, false);
	check(CPU("mode='custom' check='none'", MODEL("EPYC")), 0x7, 0, false);
	check(CPU(EXACT " check='partial'", "<vendor>AMD</vendor>" MODEL("EPYC")), 0x7, 0, false);
	check(CPU(EXACT, "<model fallback='allow' vendor_id='x'> EPYC\n </model>"), 0x7, 0, false);
	check(CPU(EXACT, "<model>EP<!-- -->YC</model>"), 0x7, 0, false);
	check(CPU(EXACT, "<model><![CDATA[EPYC]]></model>"), 0x7, 0, false);
	check(CPU(EXACT, "<model>&#69;PYC</model>"), 0x7, 0, false);
	/* What models do not agree on among QEMUs is open, and a feature decides it. */
	check(CPU(EXACT, MODEL("Denverton")), 0x3, XF_MPX, false);
	check(CPU(EXACT, MODEL("Denverton") FEATURE("disable", "mpx")), 0x3, 0, false);
}

/* Names that are not QEMU's. */
static void test_names(void **state)
{
	(void)state;
	check(CPU(EXACT, MODEL("cpu64-rhel6")), 0x3, 0, false);
	check(CPU(EXACT, MODEL("cpu64-rhel5") FEATURE("require", "xsave") FEATURE("force", "avx")),
	      0x7, 0, false);
	check(CPU(EXACT, MODEL("pentiumpro")), 0x3, 0, false);
	/* Of QEMU up to 7.0, and in libvirt with MPX. */
	check(CPU(EXACT, MODEL("Icelake-Client")), 0x207, XF_MPX | XF_AVX512, false);
	/* libvirt's definition has MPX, QEMU's has not; -noTSX is no name of an old machine's. */
	check(CPU(EXACT, MODEL("Cascadelake-Server-noTSX")), 0x2e7, XF_MPX, false);
	check(CPU(EXACT, MODEL("Cascadelake-Server-noTSX") FEATURE("disable", "mpx")), 0x2e7, 0,
	      false);
	check(CPU(EXACT, MODEL("Cascadelake-Server-noTSX") FEATURE("require", "mpx")), 0x2ff, 0,
	      false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("require", "lahf_lm") FEATURE("disable", "osxsave")),
	      0x7, 0, false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("require", "osxsave") FEATURE("require", "ospke")
				 FEATURE("require", "cmt") FEATURE("require", "cvt16")),
	      0x7, 0, false);
	/* One that nobody knows may be another name of anything; what is told stays told. */
	check(CPU(EXACT, MODEL("EPYC") FEATURE("require", "new")), 0x7, ALL & ~XF_AVX, false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("optional", "new")), 0x7, ALL & ~XF_AVX, false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("force", "new") FEATURE("disable", "pku")), 0x7,
	      ALL & ~(XF_AVX | XF_PKRU), false);
	check(CPU(EXACT, MODEL("EPYC") FEATURE("disable", "new")), 0x7, 0, false);
}

static void test_modes(void **state)
{
	(void)state;
	check("<cpu mode='host-passthrough' check='none' migratable='on'/>", 0x3, ALL, true);
	check("<cpu mode='host-passthrough' migratable='off'/>", 0x3, ALL, true);
	check("<cpu mode='host-model'/>", 0x3, ALL, true);
	check("<cpu mode='maximum'/>", 0x3, ALL, true);
	check(CPU("mode='host-model'", "<model fallback='allow'/>" FEATURE("disable", "pku")), 0x3,
	      ALL & ~XF_PKRU, true);
	check(CPU("mode='host-passthrough'", FEATURE("require", "pku")), 0x203, ALL & ~XF_PKRU,
	      true);
	check(CPU("mode='host-passthrough'", FEATURE("optional", "pku")), 0x3, ALL, true);
	/* EPYC, and all that the host has besides. */
	check(CPU("match='minimum'", MODEL("EPYC")), 0x7, ALL & ~XF_AVX, true);
	check(CPU("match='minimum'", MODEL("EPYC") FEATURE("disable", "pku")), 0x7,
	      ALL & ~(XF_AVX | XF_PKRU), true);
	/* QEMU's default, where nothing is said. */
	check("<domain/>", 0x3, 0, false);
	check("<domain><cpu><topology sockets='1'/></cpu></domain>", 0x3, 0, false);
	check("<domain><os><type arch='i686'>hvm</type></os></domain>", 0x3, 0, false);
}

/* What is given to QEMU behind libvirt's own words. */
static void test_command_line(void **state)
{
#define QEMU(args)                                                                            \
	"<domain type='kvm' xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"            \
	"<cpu mode='custom'><model>EPYC</model></cpu><q:commandline>" args "</q:commandline>" \
	"</domain>"
#define SAVED(command, cookie)                                                \
	"<domainsnapshot>" QEMU("<q:arg value='-cpu'/><q:arg value='" command \
				"'/>") "<cookie><cpu><model>" cookie          \
				       "</model></cpu></cookie></domainsnapshot>"
	(void)state;
	check(QEMU("<q:arg value='-cpu'/><q:arg value='EPYC-Milan'/>"), 0x207, 0, false);
	check(QEMU("<q:arg value='--cpu'/><q:arg value='host,-pku'/>"), 0x3, ALL & ~XF_PKRU, true);
	check(QEMU("<q:arg value='-cpu'/><q:arg value='host'/>"
		   "<q:arg value='-cpu'/><q:arg value='486'/>"),
	      0x3, 0, false);
	check(QEMU("<q:arg value='-device'/><q:arg value='-cpu'/>"), 0x7, 0, false);
	check(QEMU("<q:arg value='-global'/><q:arg value='ICH9-LPC.x=1'/>"), 0x7, 0, false);
	check(QEMU("<q:env name='A' value='-cpu'/><q:arg value='-s'/>"), 0x7, 0, false);
	/*
	 * With what libvirt resolved when it saved: the domain may have been edited since. Neither
	 * hides what the other shows.
	 */
	check(SAVED("kvm64", "EPYC-Milan"), 0x207, 0, false);
	check(SAVED("EPYC-Milan", "qemu64"), 0x207, 0, false);
	check(SAVED("EPYC-Milan,-pku", "EPYC-Milan"), 0x207, 0, false);
	check(SAVED("kvm64", "qemu64"), 0x3, 0, false);
	check(SAVED("host,-pku", "EPYC"), 0x7, ALL & ~(XF_PKRU | 0x4ull), true);
	/* A namespace of somebody else's. */
	check("<domain xmlns:q='urn:q'><cpu><model>EPYC</model></cpu>"
	      "<q:arg value='-cpu'/><q:arg value='host'/></domain>",
	      0x7, 0, false);

	struct xf_evidence *evidence = NULL;
	static const char global[] = QEMU("<q:arg value='-global'/><q:arg value='cpu.pku=on'/>");
	static const char typo[] = QEMU("<q:arg value='-cpu'/><q:arg value='EPIC'/>");

	assert_error(read_xml(global, strlen(global), NULL, &evidence), XF_ERR_USAGE,
		     "line 1: -global changes the CPU");
	assert_error(read_xml(typo, strlen(typo), NULL, &evidence), XF_ERR_USAGE,
		     "unknown CPU model \"EPIC\"; the nearest name is \"EPYC\"");
	assert_null(evidence);
}

static void check_from(const char *xml, const char *host, uint64_t shown, uint64_t unknown,
		       const char *source)
{
	struct xf_host *from;

	assert_success(xf_host_open(host, &from));

	struct xf_evidence *evidence = evidence_of(xml, from);

	assert_int_equal(evidence->guest.shown, shown);
	assert_int_equal(XF_USER & ~evidence->guest.known, unknown);
	assert_non_null(strstr(evidence->source, source));
	xf_evidence_free(evidence);
	xf_host_free(from);
}

static void test_from(void **state)
{
	static const char preset[] = "preset:linux-6.2,-pku";
	char profile[512];

	(void)state;
	snprintf(profile, sizeof(profile), "%s/epyc.json", getenv("XF_DATA"));
	/* A preset's CPU is assumed, so what it lacks is not known to be hidden. */
	check_from("<cpu mode='host-model'/>", preset, 0xe7, ALL & ~0xe7ull,
		   ": host-model (started on preset:linux-6.2,-pku)");
	check_from("<cpu mode='host-model'/>", profile, 0xe7, 0, "epyc.json)");
	check_from(CPU("mode='host-passthrough'", FEATURE("disable", "avx")), profile, 0xe3, 0,
		   ": host-passthrough (started on ");
	check_from(CPU("match='minimum'", MODEL("486")), profile, 0xe7, 0, ": 486 at least (");
	/* What does not depend on the host, no host changes. */
	check_from(CPU(EXACT, MODEL("EPYC")), profile, 0x7, 0, ": EPYC (models of QEMU 7.2, ");
}

static void check_source(const char *xml, const char *words)
{
	struct xf_evidence *evidence = evidence_of(xml, NULL);

	if (!strstr(evidence->source, words))
		fail_msg("\"%s\", expected \"%s\" in it", evidence->source, words);
	xf_evidence_free(evidence);
}

static void test_source(void **state)
{
	(void)state;
	check_source(CPU(EXACT, MODEL("EPYC")), ": EPYC (models of QEMU 7.2, 10.0, 11.1)");
	check_source("<cpu mode='maximum'/>",
		     ": maximum (depends on the host where it was started)");
	check_source(CPU(EXACT, MODEL("cpu64-rhel6")), ": cpu64-rhel6");
	check_source(CPU(EXACT, MODEL("EPYC") FEATURE("force", "a&#10;b")),
		     ": EPYC and \"a?b\", an unknown feature (");
	/* U+009B, a terminal's CSI. */
	check_source(CPU(EXACT, MODEL("EPYC") FEATURE("force", "a&#x9b;b")),
		     ": EPYC and \"a??b\", an unknown feature (");
	check_source(CPU(EXACT, MODEL("EPYC") FEATURE("force", "a\xc2\x9b"
							       "b")),
		     ": EPYC and \"a??b\", an unknown feature (");
	check_source(QEMU("<q:arg value='-cpu'/><q:arg value='486'/>"), ": -cpu 486 (");
}

/* Of a file's own XML nothing is an error that is merely new. */
static void test_own(void **state)
{
	static const char future[] = CPU(EXACT, MODEL("EPYC-Verona") FEATURE("require", "pku")
							FEATURE("disable", "mpx"));
	static const char command[] = QEMU("<q:arg value='-cpu'/><q:arg value='EPYC-Verona'/>");
	static const char none[] = "<cookie><slirpHelper/></cookie>";
	struct xf_evidence *evidence = NULL;

	(void)state;
	assert_success(xf_evidence_of_xml("vm.save", future, strlen(future), &evidence));
	assert_int_equal(evidence->guest.shown, XF_FPSSE);
	/* PKRU is shown if XSAVE is; then it is kept, like all but MPX. */
	assert_int_equal(XF_USER & ~evidence->guest.known, ALL & ~XF_MPX);
	assert_string_equal(evidence->source, "vm.save: EPYC-Verona, an unknown model");
	xf_evidence_free(evidence);

	assert_success(xf_evidence_of_xml("vm.save", command, strlen(command), &evidence));
	assert_int_equal(XF_USER & ~evidence->guest.known, ALL);
	xf_evidence_free(evidence);

	assert_success(xf_evidence_of_xml("vm.save", none, strlen(none), &evidence));
	assert_null(evidence);
	assert_error(xf_evidence_of_xml("vm.save", "<cookie>", 8, &evidence), XF_ERR_DAMAGED,
		     "vm.save: line 1: ");
}

static void test_bad(void **state)
{
	static const struct {
		const char *xml, *words;
		enum xf_error_code code;
	} cases[] = {
		{ "", "expected XML, found nothing", XF_ERR_DAMAGED },
		{ "cpu: host\n", "at byte 0: expected XML in UTF-8", XF_ERR_DAMAGED },
		{ "\x4c\x6f\xa7\x94", "at byte 0: expected XML in UTF-8", XF_ERR_DAMAGED },
		{ "\xff\xfe<", "at byte 0: expected XML in UTF-8", XF_ERR_DAMAGED },
		{ "<cpu><model>x</model><!-- <!DOCTYPE> --></cpu>", "at byte 26: a DOCTYPE",
		  XF_ERR_DAMAGED },
		{ "<cpu>", "line 1: no well-formed XML: ", XF_ERR_DAMAGED },
		{ "<cpu/><cpu/>", "line 1: no well-formed XML: ", XF_ERR_DAMAGED },
		{ "<domain>\n\n<cpu></domain>", "line 3: no well-formed XML: ", XF_ERR_DAMAGED },
		{ "<cpu>&nbsp;</cpu>", "Entity 'nbsp' not defined", XF_ERR_DAMAGED },
		{ "<capabilities/>", "expected libvirt's <domain> or <cpu>, found <capabilities>",
		  XF_ERR_DAMAGED },
		{ "<domainCapabilities><cpu/></domainCapabilities>", "found <domainCapabilities>",
		  XF_ERR_DAMAGED },
		{ "<x:domain xmlns:x='urn:x'/>", "expected libvirt's", XF_ERR_DAMAGED },
		{ "<cookie/>", "there is no guest's <cpu> in it", XF_ERR_DAMAGED },
		{ "<domstatus><cpu mode='host-model'/></domstatus>", "no guest's <cpu>",
		  XF_ERR_DAMAGED },
		{ "<cpu><arch>x86_64</arch><model>EPYC</model></cpu>", "a host's <cpu>",
		  XF_ERR_USAGE },
		{ "<domain type='xen'/>", "type \"xen\", expected kvm or qemu", XF_ERR_USAGE },
		{ "<domain><os><type arch='aarch64'>hvm</type></os></domain>",
		  "a machine of aarch64, expected x86_64", XF_ERR_USAGE },
		{ "<cpu mode='host'/>", "unknown mode \"host\", expected custom", XF_ERR_DAMAGED },
		{ "<cpu match='max'/>", "unknown match \"max\"", XF_ERR_DAMAGED },
		{ CPU(EXACT, MODEL("EPYC") FEATURE("maybe", "pku")), "unknown policy \"maybe\"",
		  XF_ERR_DAMAGED },
		{ CPU(EXACT, MODEL("EPYC") "<feature policy='require'/>"), "without a name",
		  XF_ERR_DAMAGED },
		{ CPU(EXACT, MODEL("EPYC-Milano")),
		  "unknown CPU model \"EPYC-Milano\"; the nearest name is \"EPYC-Milan\"",
		  XF_ERR_USAGE },
		{ CPU(EXACT,
		      MODEL("0123456789012345678901234567890123456789012345678901234567890123")),
		  "a CPU model's name of more than 63 bytes", XF_ERR_DAMAGED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct xf_evidence *evidence = NULL;

		assert_error(read_xml(cases[i].xml, strlen(cases[i].xml), NULL, &evidence),
			     cases[i].code, cases[i].words);
		assert_null(evidence);
	}

	struct xf_evidence *evidence = NULL;

	assert_error(xf_evidence_from_xml("nowhere", NULL, &evidence), XF_ERR_IO,
		     "nowhere: open: ");
	assert_error(read_xml("<cpu>\0</cpu>", 12, NULL, &evidence), XF_ERR_DAMAGED,
		     "at byte 5: expected XML in UTF-8");
	assert_error(read_xml("<cpu a='\xff'/>", 12, NULL, &evidence), XF_ERR_DAMAGED,
		     "no well-formed XML");
}

/* Declarations are refused before the first of them is read. */
static void test_doctype(void **state)
{
	static const char *const documents[] = {
		"<!DOCTYPE cpu><cpu mode='maximum'/>",
		"<!DOCTYPE cpu SYSTEM 'file:///etc/passwd'><cpu/>",
		"<!DOCTYPE cpu PUBLIC 'x' 'http://www.qemu.org/x.dtd'><cpu/>",
		"<!DOCTYPE cpu [<!ENTITY m SYSTEM "
		"'file:///etc/passwd'>]><cpu><model>&m;</model></cpu>",
		"<!DOCTYPE c [<!ENTITY % p SYSTEM 'http://www.qemu.org/p'> %p;]><cpu/>",
		"<!DOCTYPE c [<!ENTITY a 'xxxxxxxxxx'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
		"<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'>]><cpu><model>&c;</model></cpu>",
		"<!DOCTYPE c [<!-- ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		struct xf_evidence *evidence = NULL;

		assert_error(read_xml(documents[i], strlen(documents[i]), NULL, &evidence),
			     XF_ERR_DAMAGED, "at byte 0: a DOCTYPE, which libvirt never writes");
	}
}

static size_t attributes_of(char *text, int count)
{
	size_t used = (size_t)sprintf(text, "<cpu><a");

	for (int i = 0; i < count; i++)
		used += (size_t)sprintf(text + used, " a%d=''", i);
	return used + (size_t)sprintf(text + used, "/></cpu>");
}

/* Deep, long, many, large: an error or an answer, soon and in little memory. */
static void test_large(void **state)
{
	enum { SIZE = 5 << 20 };
	struct xf_evidence *evidence = NULL;
	char *text = malloc(SIZE);
	size_t used = 0;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', SIZE);
	memcpy(text, "<cpu/>", 6);
	assert_error(read_xml(text, SIZE, NULL, &evidence), XF_ERR_DAMAGED, "");
	/* A tag with too many attributes, and one with as many as may be. */
	assert_error(read_xml(text, attributes_of(text, 6001), NULL, &evidence), XF_ERR_FORMAT,
		     "at byte 5: more than 6000 '=' before the next '<'");
	assert_success(read_xml(text, attributes_of(text, 6000), NULL, &evidence));
	xf_evidence_free(evidence);
	/* Text may be long, within a <description> or a comment. */
	used = (size_t)sprintf(text, "<domain><!-- %1000000d --><description>%1000000d", 1, 1);
	used += (size_t)sprintf(text + used,
				"</description>" CPU(EXACT, MODEL("EPYC")) "</domain>");
	assert_success(read_xml(text, used, NULL, &evidence));
	assert_int_equal(evidence->guest.shown, 0x7);
	xf_evidence_free(evidence);
	/* Nested. */
	for (used = 0; used < 300000; used += 3)
		memcpy(text + used, "<a>", 3);
	memcpy(text, "<domain>a", 9);
	assert_error(read_xml(text, used, NULL, &evidence), XF_ERR_DAMAGED, "Excessive depth");
	/* Many elements. */
	used = (size_t)sprintf(text, "<domain>" CPU(EXACT, MODEL("EPYC")));
	while (used < (4 << 20) - 100)
		used += (size_t)sprintf(text + used, "<a b='%zx'/>", used);
	used += (size_t)sprintf(text + used, "</domain>");
	assert_success(read_xml(text, used, NULL, &evidence));
	assert_int_equal(evidence->guest.shown, 0x7);
	xf_evidence_free(evidence);
	free(text);
}

/* Cut off anywhere it is no XML any more; the newline behind it is no part of it. */
static void test_truncated(void **state)
{
	static const char xml[] = "<domain type='kvm'>\n" CPU(
		EXACT, MODEL("EPYC-Milan") FEATURE(
			       "disable", "pku")) "<description>a &lt; b</description></domain>";

	(void)state;
	for (size_t size = 0; size < strlen(xml); size++) {
		struct xf_evidence *evidence = NULL;

		assert_error(read_xml(xml, size, NULL, &evidence), XF_ERR_DAMAGED, ": ");
		assert_null(evidence);
	}
	check(xml, 0x7, 0, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),	  cmocka_unit_test(test_whose),
		cmocka_unit_test(test_policies),  cmocka_unit_test(test_names),
		cmocka_unit_test(test_modes),	  cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_from),	  cmocka_unit_test(test_source),
		cmocka_unit_test(test_own),	  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_doctype),	  cmocka_unit_test(test_large),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
