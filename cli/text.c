/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What reports and journeys tell alike. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"

/* Prints a mask by names. */
void print_mask(uint64_t mask)
{
	char *text = xf_mask_to_text(mask);

	fputs(text ? text : "?", stdout);
	free(text);
}

void print_heading(const struct xf_state *state)
{
	const char *machine = xf_state_machine(state);
	size_t count = xf_state_vcpu_count(state);

	put_printable(xf_state_path(state), stdout);
	fputs(": ", stdout);
	put_printable(xf_state_title(state), stdout);
	if (machine) {
		fputs(", machine ", stdout);
		put_printable(machine, stdout);
	}
	printf(", %zu vCPU%s\n", count, count == 1 ? "" : "s");
	switch (xf_state_found_by(state)) {
	case XF_FOUND_STRUCTURE:
	case XF_FOUND_DESCRIPTION:
		break;
	case XF_FOUND_WALK:
		puts("  found   by reading from the start, then through its description");
		break;
	case XF_FOUND_SIGNATURE:
		puts("  found   by the CPU section's signature, as there is no description: "
		     "the weakest evidence");
		break;
	}
}

void print_guest(const struct xf_evidence *evidence, struct xf_guest guest, bool contradicted)
{
	uint64_t unknown = XF_USER & ~guest.known;

	printf("  guest   ");
	if (contradicted && unknown == (XF_USER & ~XF_FPSSE)) {
		put_printable(evidence->source, stdout);
		puts(": contradicted by the state, set aside");
	} else if (!evidence) {
		puts("nothing tells what it was shown (" EVIDENCE_OPTIONS " would)");
	} else {
		printf("was shown ");
		print_mask(guest.shown & guest.known);
		if (unknown == (XF_USER & ~XF_FPSSE)) {
			fputs("; nothing is known of all else", stdout);
		} else if (unknown) {
			fputs("; not known: ", stdout);
			print_mask(unknown);
		}
		fputs("\n          by ", stdout);
		put_printable(evidence->source, stdout);
		puts(contradicted ? ";\n          what was given contradicts the file: set aside"
				  : "");
	}
}

static void print_refusing_call(const struct xf_prediction *xsave)
{
	if (!xsave) {
		puts("  outcome refused: KVM_SET_XCRS answers -EINVAL");
		return;
	}
	printf("  outcome refused: KVM_SET_XSAVE answers -EINVAL:\n          %s",
	       xf_reason_text(xsave->reason));
	if (xsave->blocked) {
		fputs(" (", stdout);
		print_mask(xsave->blocked);
		putchar(')');
	}
	putchar('\n');
}

/* All others keep KVM's area itself. */
bool is_qemu_state(const struct xf_state *state)
{
	return !state || xf_state_found_by(state) != XF_FOUND_STRUCTURE;
}

/* QEMU loads XSAVE first: when that is taken, what follows it is what gets lost. */
void print_refusal(const struct xf_prediction *xsave, bool by_qemu, enum xf_refusal refusal)
{
	print_refusing_call(xsave);
	if (!by_qemu)
		return;
	if (refusal != XF_REFUSAL_EXITS)
		printf("          QEMU 8.1 and older ignores that and runs the guest on without "
		       "its\n"
		       "          %s\n",
		       xsave ? "SSE registers: silent corruption, or a vCPU at 100 % for ever."
			     : "XCR0 and what is loaded after it, MSRs among it: it will crash.");
	if (refusal != XF_REFUSAL_RUNS_ON)
		puts("          QEMU 8.2 and newer exits: the state cannot be loaded.");
}

bool is_every_component(uint64_t mask)
{
	return (mask | XF_FPSSE | XF_COMPACTED) == XF_ALL;
}

/* `dropped` may be the guest's own; `trimmed` is not, and the target's module takes it out. */
void print_acceptance(uint64_t dropped, uint64_t trimmed)
{
	if (!dropped && trimmed) {
		fputs("  outcome accepted: the target's module takes out ", stdout);
		print_mask(trimmed);
		puts(" and the rest is loaded.");
		return;
	}
	if (!dropped) {
		puts("  outcome accepted: the target loads the state as it stands.");
		return;
	}
	fputs("  outcome accepted, but the target's kernel takes this out: ", stdout);
	print_mask(dropped);
	putchar('\n');
}
