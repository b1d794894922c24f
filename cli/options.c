/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table of options for all verbs; each verb names the ones it takes. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* The letters are for this table and the verbs; only -o and -h can be typed. */
static const struct {
	char letter;
	const char *name;
	const char *argument; /* or NULL */
	const char *help;
} table[] = {
	{ 'c', "cpu", "MODEL", "what the guest was shown: QEMU's -cpu argument" },
	{ 'x', "xml", "FILE", "what the guest was shown: libvirt's XML, virsh dumpxml" },
	{ 'q', "qm", "FILE",
	  "what the guest was shown: Proxmox' VMID.conf, or VMID.conf:SNAPSHOT" },
	{ 'd', "cpuid", "FILE", "what the guest was shown: 'cpuid -1r', run in the guest" },
	{ 'e', "exposed", "MASK", "what the guest was shown: 0x7, or x87,sse,avx" },
	{ 'f', "from", "HOST",
	  "the host it began on, for what depends on that: 'host', host-passthrough" },
	{ 'l', "layout", "LAYOUT",
	  "STATE is a raw XSAVE area of this layout: intel, amd, amd-avx512, local, a profile" },
	{ 't', "to", "TARGET",
	  "where it shall run: local, a profile, or preset:NAME[,+c,-c…] (see xferry explain)" },
	{ 'O', "only", "COMPONENTS", "drop these only: pkru, or a mask" },
	{ 'o', "output", "FILE", "write a repaired copy" },
	{ 'r', "relay", "LAYOUT",
	  "lay a raw XSAVE area out anew, as a host of this layout has it" },
	{ 'i', "in-place", NULL, "repair the file itself, behind an undo file" },
	{ 'u', "undo-file", "FILE", "the undo file's name (STATE.xfundo)" },
	{ 'm', "max-tail", "SIZE", "keep so much at most of what follows RAM (256M)" },
	{ 'p', "pass-unknown", NULL, "pass what is not understood, unedited" },
	{ 'J', "json", "FILE", "append the report as JSON, one line" },
	{ 'F', "json-fd", "N", "write it to this file descriptor" },
	{ 'n', "jobs", "N", "check so many files at once in directories (one a CPU)" },
	{ 'j', "json", NULL, "JSON in place of text; one object a state" },
	{ 'h', "help", NULL, "this text" },
};

#define OPTIONS (sizeof(table) / sizeof(table[0]))

static bool takes(const struct verb *verb, char letter)
{
	return letter == 'h' || strchr(verb->options, letter);
}

static size_t long_options(const struct verb *verb, struct option out[OPTIONS + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < OPTIONS; i++)
		if (takes(verb, table[i].letter))
			out[count++] = (struct option){
				.name = table[i].name,
				.has_arg = table[i].argument ? required_argument : no_argument,
				.val = table[i].letter,
			};
	out[count] = (struct option){ 0 };
	return count;
}

static void set(struct options *options, int letter, const char *value)
{
	switch (letter) {
	case 'c':
		options->cpu = value;
		break;
	case 'x':
		options->xml = value;
		break;
	case 'q':
		options->qm = value;
		break;
	case 'd':
		options->cpuid = value;
		break;
	case 'e':
		options->exposed = value;
		break;
	case 'f':
		options->from = value;
		break;
	case 'l':
		options->layout = value;
		break;
	case 'r':
		options->relay = value;
		break;
	case 't':
		options->to = value;
		break;
	case 'O':
		options->only = value;
		break;
	case 'o':
		options->output = value;
		break;
	case 'i':
		options->in_place = true;
		break;
	case 'u':
		options->undo_file = value;
		break;
	case 'm':
		options->max_tail = value;
		break;
	case 'p':
		options->pass_unknown = true;
		break;
	case 'n':
		options->jobs = value;
		break;
	case 'J':
		options->json_file = value;
		break;
	case 'F':
		options->json_fd = value;
		break;
	case 'j':
		options->json = true;
		break;
	default:
		options->help = true;
	}
}

/* Whose state may itself tell what the guest was shown. A stream in a pipe does not. */
static bool takes_state(const struct verb *verb)
{
	return verb != &verb_filter;
}

static unsigned int check_options(const struct verb *verb, const struct options *options)
{
	int of_host = (options->cpu != NULL) + (options->xml != NULL) + (options->qm != NULL);
	int fixed = (options->cpuid != NULL) + (options->exposed != NULL);

	if (of_host + fixed > 1)
		return usage(verb,
			     "only one of " EVIDENCE_OPTIONS " can tell what the guest was shown");
	if (options->from && fixed)
		return usage(verb, "--from explains what depends on the host that the guest began "
				   "on; --cpuid and --exposed do not");
	if (options->from && !of_host && !takes_state(verb))
		return usage(verb, "--from explains --cpu, --xml or --qm and needs one");
	return STATUS_OK;
}

/* Whether `word` is the long option of this letter, with an argument behind it. */
static bool is_long(const char *word, int letter)
{
	size_t length = strcspn(word, "=");

	for (size_t i = 0; i < OPTIONS; i++)
		if (table[i].letter == letter && length > 2 && strncmp(word, "--", 2) == 0 &&
		    strncmp(word + 2, table[i].name, length - 2) == 0)
			return true;
	return false;
}

/* `word` is where getopt stands; within "-xh" that is still the word before. */
static unsigned int no_such_option(const struct verb *verb, const char *word)
{
	if (!optopt)
		return usage(verb, "it has no option '%s'", word);
	if (is_long(word, optopt))
		return usage(verb, "'%.*s' takes no argument", (int)strcspn(word, "="), word);
	return usage(verb, "it has no option '-%c'", optopt);
}

static void print_help(const struct verb *verb)
{
	printf("usage: xferry %s %s\n%s\n\n", verb->name, verb->arguments, verb->summary);
	for (size_t i = 0; i < OPTIONS; i++) {
		char left[64];

		if (!takes(verb, table[i].letter))
			continue;
		snprintf(left, sizeof(left), "%s--%s %s",
			 table[i].letter == 'o'	  ? "-o, "
			 : table[i].letter == 'h' ? "-h, "
						  : "",
			 table[i].name, table[i].argument ? table[i].argument : "");
		printf("  %-22s %s\n", left, table[i].help);
	}
}

static unsigned int parse(const struct verb *verb, int argc, char **argv, struct options *options)
{
	struct option available[OPTIONS + 1];
	const char *shorts = takes(verb, 'o') ? ":ho:" : ":h";
	int letter;

	long_options(verb, available);
	opterr = 0;
	while ((letter = getopt_long(argc, argv, shorts, available, NULL)) != -1) {
		if (letter == ':')
			return usage(verb, "'%s' needs an argument", argv[optind - 1]);
		if (letter == '?')
			return no_such_option(verb, argv[optind - 1]);
		set(options, letter, optarg);
	}
	options->count = argc - optind;
	options->arguments = argv + optind;
	return options->help ? STATUS_OK : check_options(verb, options);
}

bool read_options(const struct verb *verb, int argc, char **argv, struct options *out,
		  unsigned int *status)
{
	struct options options = { 0 };

	*status = parse(verb, argc, argv, &options);
	if (*status)
		return false;
	if (options.help) {
		print_help(verb);
		return false;
	}
	*out = options;
	return true;
}

static struct xf_error *load_guest(const struct options *options, const struct xf_host *from,
				   struct xf_evidence **out)
{
	if (options->exposed)
		return xf_evidence_from_mask(options->exposed, out);
	if (options->cpuid)
		return xf_evidence_from_cpuid(options->cpuid, out);
	if (options->cpu)
		return xf_evidence_from_cpu(options->cpu, from, out);
	if (options->xml)
		return xf_evidence_from_xml(options->xml, from, out);
	if (options->qm)
		return xf_evidence_from_qm(options->qm, from, out);
	return NULL;
}

/* A layout that is asked for; `*given` tells whether one is. */
static struct xf_error *load_layout(const char *spec, bool *given, struct xf_layout *out)
{
	*given = spec != NULL;
	return spec ? xf_layout_open(spec, out) : NULL;
}

struct xf_error *load_request(const struct options *options, struct request *out)
{
	struct request request = { .only = XF_ALL };
	struct xf_error *err = NULL;

	if (options->from)
		err = xf_host_open(options->from, &request.from);
	if (!err)
		err = load_guest(options, request.from, &request.guest);
	if (!err && options->to)
		err = xf_host_open(options->to, &request.target);
	if (!err)
		err = load_layout(options->layout, &request.has_layout, &request.layout);
	if (!err)
		err = load_layout(options->relay, &request.has_relay, &request.relay);
	if (!err && options->only)
		err = xf_mask_from_text(options->only, &request.only);
	if (err) {
		request_deinit(&request);
		return err;
	}
	*out = request;
	return NULL;
}

void request_deinit(struct request *request)
{
	xf_evidence_free(request->guest);
	xf_host_free(request->from);
	xf_host_free(request->target);
	*request = (struct request){ 0 };
}
