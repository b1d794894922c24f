/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define PREFIX "preset:"

static void explain_problem(const struct xf_problem *problem)
{
	printf("%s: %s\n\n%s\n", problem->code, problem->title, problem->text);
}

static void print_cpuid_bit(const struct xf_cpuid_bit *bit)
{
	static const char *const registers[] = { "EAX", "EBX", "ECX", "EDX" };

	printf("CPUID.(%Xh,%u).%s[%u]", bit->leaf, bit->subleaf, registers[bit->reg], bit->bit);
}

static void print_offset(const char *host, const struct xf_layout *layout, struct xf_bit bit)
{
	if (layout->at[bit.n].size)
		printf("  offset     %u on %s (standard format)\n", layout->at[bit.n].offset, host);
}

static void print_companions(const char *label, uint64_t mask)
{
	char *text = mask ? xf_mask_to_text(mask) : NULL;

	if (text)
		printf("  %-10s %s\n", label, text);
	free(text);
}

static void explain_component(struct xf_bit bit)
{
	const struct xf_component *row = xf_component(bit);

	printf("%s: %s\n", row->label, row->what);
	printf("  bit        %u of %s, mask %#" PRIx64 "\n", bit.n,
	       row->supervisor ? "IA32_XSS" : "XCR0", xf_mask(bit));
	printf("  size       %" PRIu32 " bytes\n", row->size);
	print_offset("Intel", &xf_layout_intel, bit);
	print_offset("AMD without AVX-512", &xf_layout_amd, bit);
	print_offset("AMD with AVX-512", &xf_layout_amd_avx512, bit);
	for (size_t i = 0; i < 2 && row->shown_by[i].leaf; i++) {
		printf("  shown by   ");
		print_cpuid_bit(&row->shown_by[i]);
		putchar('\n');
	}
	print_companions("together", row->group & ~xf_mask(bit));
	print_companions("needs", row->needs);
	if (row->supervisor)
		printf("  note       a supervisor component: never in KVM's XSAVE area\n");
}

/* What a KVM of that kernel does, as its source has it. */
static void explain_kvm(const struct xf_kvm *kvm)
{
	static const char *const get[] = {
		[XF_GET_UNKNOWN] = "not known",
		[XF_GET_TRIMS] = "what is in use, within what the guest was shown",
		[XF_GET_TRIMS_BARE] =
			"what is in use, within what the guest was shown, even of x87 and SSE",
		[XF_GET_LEAKS] = "all that is in use, shown or not: it leaks",
	};
	static const char *const set[] = {
		[XF_SET_UNKNOWN] = "not known",
		[XF_SET_HOST] = "what the host can hold, shown or not",
		[XF_SET_GUEST] = "only what the guest was shown: strict",
		[XF_SET_GUEST_BARE] = "only what the guest was shown, even of x87 and SSE: strict",
	};

	printf("  saves      %s\n", get[kvm->get]);
	printf("  accepts    %s\n", set[kvm->set]);
	if (kvm->hook_pkru)
		puts("  drops      PKRU, without a word, when the guest or the host lacks it");
	if (kvm->hook_set)
		puts("  takes out  what the guest was not shown, before it looks: the xferry "
		     "module");
	if (kvm->hook_get)
		puts("  and        of what it saves as well: the module with trim_get=1");
	if (kvm->xfd_clears)
		puts("  drops      AMX tiles, without a word, that the guest's XFD disarms");
	if (kvm->header_unchecked)
		puts("  header     XCOMP_BV and reserved bytes are not looked at");
	printf("  protected  guests: KVM_SET_XSAVE is %s\n",
	       kvm->protected_ignored ? "ignored" : "refused");
}

/* Words behind a preset's name, and what a host profile calls what they stand for. */
static const struct {
	const char *name;
	const char *what;
} words[] = {
	{ "+COMPONENT", "the host has it: +amx" },
	{ "-COMPONENT", "the host has it not: -pku" },
	{ "-xsave", "the CPU has no XSAVE" },
	{ "+hook", "the xferry module is loaded there in trim mode" },
	{ "+hook-get", "the same with trim_get=1" },
	{ "qemu=VERSION", "the version of the host's QEMU" },
};

static bool is_module(const char *word)
{
	word += *word == '+';
	return strcmp(word, "hook") == 0 || strcmp(word, "hook-get") == 0 ||
	       strcmp(word, "module") == 0;
}

static void explain_module(void)
{
	puts("+hook: the xferry module (xferry-kmod(4)) is loaded on the host, in trim mode: "
	     "behind "
	     "a\npreset, --to preset:linux-6.2,+hook. KVM_SET_XSAVE takes out of each state what "
	     "that\nguest's own CPUID tells that it was not shown, before KVM looks at it.\n"
	     "+hook-get: and with trim_get=1, KVM_GET_XSAVE too: what is saved there is clean.\n"
	     "In a host profile it is \"module\"; \"hook\" there is another: Proxmox' kernel "
	     "patch,\nwhich knows PKRU alone (xferry-profile(5)).");
}

/* "linux-6.2", as --to takes it behind "preset:", which may be there too. */
static struct xf_error *open_preset(const char *word, struct xf_host **out)
{
	char spec[128];

	if (strncmp(word, PREFIX, strlen(PREFIX)) == 0)
		return xf_host_open(word, out);
	/* A word so long is none, and is not to become one by being cut off. */
	if (snprintf(spec, sizeof(spec), PREFIX "%s", word) >= (int)sizeof(spec))
		spec[strlen(PREFIX)] = '\0';
	return xf_host_open(spec, out);
}

static void explain_preset(const struct xf_host *host)
{
	const char *name = host->name + strlen(PREFIX);
	size_t len = strcspn(name, ",");
	const struct xf_preset *preset;

	for (size_t i = 0; (preset = xf_preset(i)); i++)
		if (strlen(preset->name) == len && strncmp(preset->name, name, len) == 0)
			printf("%s: %s\n", host->name, preset->what);
	explain_kvm(&host->kvm);
	print_companions("holds", host->kvm.host);
	puts("  note       of the CPU a preset tells nothing: this is assumed, and corrected by "
	     "words\n             behind the name: -pku, +amx, -xsave, qemu=VERSION; +hook and "
	     "+hook-get:\n"
	     "             the xferry module is loaded there ('xferry explain hook')");
}

static void list_all(void)
{
	const struct xf_problem *problem;
	const struct xf_preset *preset;

	printf("Findings:\n");
	for (size_t i = 0; (problem = xf_problem(i)); i++)
		printf("  %-14s %s\n", problem->code, problem->title);
	printf("\nState components:\n");
	xf_for_each_bit (bit, XF_DEFINED)
		printf("  %-14s %s\n", xf_component(bit)->name, xf_component(bit)->what);
	printf("\nTargets (--to preset:NAME):\n");
	for (size_t i = 0; (preset = xf_preset(i)); i++)
		printf("  %-14s %s\n", preset->name, preset->what);
	printf("\nWords behind a preset's name (--to preset:NAME,WORD):\n");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		printf("  %-14s %s\n", words[i].name, words[i].what);
}

/* The error is about a preset; a word that says that it is one wants just that. */
static unsigned int no_such_word(const struct verb *verb, const char *word, struct xf_error *err)
{
	const char *nearest = xf_nearest_name(word);

	if (strncmp(word, PREFIX, strlen(PREFIX)) == 0)
		return complain(err);
	xf_error_free(err);
	if (nearest)
		return usage(verb,
			     "'%s' is no finding, no state component and no preset; the nearest "
			     "name is '%s'",
			     word, nearest);
	return usage(verb, "'%s' is no finding, no state component and no preset", word);
}

static unsigned int explain_one(const struct verb *verb, const char *word, bool separate)
{
	const struct xf_problem *problem = xf_problem_by_code(word);
	uint64_t mask = xf_component_mask(word, strlen(word));
	struct xf_host *host = NULL;
	bool module = is_module(word);
	struct xf_error *err = problem || mask || module ? NULL : open_preset(word, &host);

	if (err)
		return no_such_word(verb, word, err);
	if (separate)
		putchar('\n');
	if (problem)
		explain_problem(problem);
	xf_for_each_bit (bit, mask)
		explain_component(bit);
	if (module)
		explain_module();
	if (host)
		explain_preset(host);
	xf_host_free(host);
	return STATUS_OK;
}

static unsigned int run_explain(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	unsigned int status;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	if (!options.count)
		list_all();
	for (int i = 0; i < options.count; i++)
		status |= explain_one(verb, options.arguments[i], i > 0);
	return status;
}

const struct verb verb_explain = {
	.name = "explain",
	.arguments = "[CODE | COMPONENT | PRESET]…",
	.summary = "Explain a finding, a state component or a preset; alone: list them all.",
	.options = "",
	.run = run_explain,
};
