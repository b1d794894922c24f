/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dump-state FILE...: what is read from saved states, a line of JSON each. For
 * tests that compare it with what another program finds.
 */
#include <inttypes.h>
#include <stdio.h>

#include "xferry.h"

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void print_field(const char *name, const struct xf_field *field)
{
	if (field->size)
		printf(", \"%s\": {\"value\": \"0x%" PRIx64 "\", \"offset\": %" PRIu64
		       ", \"size\": %u}",
		       name, field->value, field->offset, field->size);
}

static void print_vcpu(const struct xf_vcpu *vcpu)
{
	printf("{\"index\": %u, \"carried\": \"0x%" PRIx64 "\"", vcpu->index, vcpu->carried);
	print_field("xstate_bv", &vcpu->xstate_bv);
	print_field("xcr0", &vcpu->xcr0);
	print_field("cr4", &vcpu->cr4);
	print_field("mxcsr", &vcpu->mxcsr);
	print_field("pkru", &vcpu->pkru);
	print_field("xss", &vcpu->xss);
	print_field("pkrs", &vcpu->pkrs);
	print_field("xfd", &vcpu->xfd);
	print_field("xfd_err", &vcpu->xfd_err);
	putchar('}');
}

static void dump(const char *path)
{
	struct xf_state *state;
	struct xf_error *err = xf_state_open(path, NULL, &state);

	printf("{\"path\": ");
	print_string(path);
	if (err) {
		printf(", \"code\": %d, \"error\": ", err->code);
		print_string(err->text);
		puts("}");
		xf_error_free(err);
		return;
	}
	printf(", \"machine\": ");
	if (xf_state_machine(state))
		print_string(xf_state_machine(state));
	else
		printf("null");
	printf(", \"found_by\": %d, \"vcpus\": [", xf_state_found_by(state));
	for (size_t i = 0; i < xf_state_vcpu_count(state); i++) {
		if (i)
			printf(", ");
		print_vcpu(xf_state_vcpu(state, i));
	}
	puts("]}");
	xf_state_close(state);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		dump(argv[i]);
	return 0;
}
