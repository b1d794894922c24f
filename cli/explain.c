/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

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
}

static unsigned int explain_one(const struct verb *verb, const char *word, bool separate)
{
	const struct xf_problem *problem = xf_problem_by_code(word);
	uint64_t mask = xf_component_mask(word, strlen(word));

	if (separate)
		putchar('\n');
	if (problem)
		explain_problem(problem);
	xf_for_each_bit (bit, mask)
		explain_component(bit);
	if (!problem && !mask)
		return usage(verb, "'%s' is no finding and no state component", word);
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
	.arguments = "[CODE | COMPONENT]…",
	.summary = "Explain a finding or a state component; alone: list them all.",
	.options = "",
	.run = run_explain,
};
