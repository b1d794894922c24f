/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Whether it could be learned; what could not is listed at the end with its reason. */
static bool known(const struct xf_host *host, const char *key)
{
	return !xf_host_lacks(host, key);
}

/* One thing and what is to be said of it; `text` may have lines of its own. */
static void say(const char *label, const char *text)
{
	printf("  %-13s  ", label);
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			printf("  %-13s  ", "");
	}
	putchar('\n');
}

static void say_mask(const char *label, const char *before, uint64_t mask, const char *behind)
{
	char *names = xf_mask_to_text(mask);

	printf("  %-13s  %s%s (0x%" PRIx64 ")%s\n", label, before, names ? names : "?", mask,
	       behind);
	free(names);
}

static void say_holds(const struct xf_host *host)
{
	say_mask("holds", "", host->kvm.host, host->kvm.no_xsave ? ": a CPU without XSAVE" : "");
	if (host->area_size)
		printf("  %-13s  an area has %" PRIu32 " bytes\n", "", host->area_size);
}

static void say_get(const struct xf_host *host)
{
	static const char *const texts[] = {
		[XF_GET_TRIMS] = "trims to what the guest was shown: what is saved here is clean",
		[XF_GET_TRIMS_BARE] = "trims to what the guest was shown, even x87 and SSE\n"
				      "of a guest without XSAVE, which loses them so",
		[XF_GET_LEAKS] = "leaks: gives all that is in use, shown to the guest or not;\n"
				 "what is saved here may be refused elsewhere",
	};

	if (known(host, "get") && host->kvm.get != XF_GET_LEAKS && xf_kvm_leaks(&host->kvm))
		say("KVM_GET_XSAVE", "trims, but to what KVM shows its guests, which is all that\n"
				     "this host holds: in effect it leaks");
	else if (known(host, "get"))
		say("KVM_GET_XSAVE",
		    host->kvm.get == XF_GET_TRIMS && !known(host, "cpuid_rewritten")
			    ? "trims to what KVM shows the guest"
			    : texts[host->kvm.get]);
	if (known(host, "get_after_cpuid") && host->kvm.get_after_cpuid)
		say("", "before KVM_SET_CPUID2 it gives all that is in use");
}

static void say_set(const struct xf_host *host)
{
	static const char *const texts[] = {
		[XF_SET_HOST] = "takes all that this host holds, shown to the guest or not",
		[XF_SET_GUEST] = "strict: takes only what the guest was shown; a state that\n"
				 "leaked elsewhere is refused, whatever this host holds",
		[XF_SET_GUEST_BARE] = "strict: takes only what the guest was shown, and not even\n"
				      "x87 and SSE of a guest without XSAVE",
	};

	if (known(host, "set"))
		say("KVM_SET_XSAVE", texts[host->kvm.set]);
	if (known(host, "hook") && host->kvm.hook_pkru)
		say("", "drops PKRU silently when the guest was not shown it, and when\n"
			"this host has none");
	if (known(host, "xfd_clears") && host->kvm.xfd_clears)
		say("", "drops silently what the guest's IA32_XFD disarms");
	if (host->pkru_kept == XF_YES)
		say("", "a state without PKRU leaves the vCPU's PKRU as it was");
	if (host->pkru_kept == XF_NO)
		say("", "a state without PKRU resets PKRU");
}

static void say_taken(const char *from, uint64_t mask)
{
	char before[32];

	snprintf(before, sizeof(before), "of a %s: ", from);
	if (mask == XF_ALL)
		printf("  %-13s  %sall components\n", "", before);
	else if (mask)
		say_mask("", before, mask, "");
}

/* What the module takes out; a kernel may be patched to do the same. */
static void say_module(const struct xf_host *host)
{
	const struct xf_kvm *kvm = &host->kvm;
	bool changes = known(host, "module") && (kvm->hook_set || kvm->hook_get);

	if (changes) {
		say("hook", host->module ? "the xferry module takes out what a guest was not shown"
					 : "this KVM takes out what a guest was not shown");
		say_taken("SET", kvm->hook_set);
		say_taken("GET", kvm->hook_get);
	}
	if (host->module) {
		printf("  %-13s  %s", changes ? "" : "hook",
		       changes ? "its parameters: " : "the xferry module is loaded: ");
		put_printable(host->module, stdout);
		putchar('\n');
	}
}

static void say_checks(const struct xf_host *host)
{
	if (known(host, "header_checked"))
		say("header", host->kvm.header_unchecked
				      ? "XCOMP_BV and reserved bytes are not looked at"
				      : "XCOMP_BV and reserved bytes must be 0");
	if (known(host, "mxcsr_mask"))
		printf("  %-13s  may have the bits %#" PRIx32 "%s\n", "MXCSR", host->kvm.mxcsr_mask,
		       !known(host, "mxcsr_always") ? ""
		       : host->kvm.mxcsr_always	    ? "; always checked"
						    : "; not checked while x87, SSE and "
						      "AVX are unused");
}

static void say_guests(const struct xf_host *host)
{
	if (host->kvm.shows_all)
		say("CPUID", "KVM_SET_CPUID2 shows a guest all that this host holds, whatever it\n"
			     "is given: no component can be hidden from a guest here");
	if (host->amx_permitted == XF_YES)
		say("AMX", "this user may have guests with it");
	if (host->amx_permitted == XF_NO)
		say("AMX", "the kernel does not let us have guests with it");
	if (host->has_after_run && host->after_run)
		say_mask("after a run",
			 "a guest without XSAVE has in use what is not its own: ", host->after_run,
			 "");
	else if (host->has_after_run)
		say("after a run", "a guest without XSAVE has nothing in use that is not its own");
}

static void say_layout(const struct xf_host *host)
{
	const char *label = "layout";

	for (unsigned int i = 0; host->has_layout && i < XF_BITS; i++) {
		const struct xf_extent *extent = &host->layout.at[i];
		char *name;

		if (!extent->size || extent->supervisor)
			continue;
		name = xf_mask_to_text(xf_mask(xf_bit(i)));
		printf("  %-13s  %-10s %5" PRIu32 " bytes at %" PRIu32 "\n", label,
		       name ? name : "?", extent->size, extent->offset);
		free(name);
		label = "";
	}
}

static void say_not_learned(const struct xf_host *host)
{
	if (host->unlearned_count)
		printf("Not learned:\n");
	for (size_t i = 0; i < host->unlearned_count; i++) {
		printf("  %-15s  ", host->unlearned[i].key);
		put_printable(host->unlearned[i].why, stdout);
		putchar('\n');
	}
}

static void print_text(const struct xf_host *host)
{
	printf("The KVM of this machine, Linux ");
	put_printable(host->kernel ? host->kernel : "?", stdout);
	printf(", ");
	put_printable(host->cpu ? host->cpu : "a CPU without a name", stdout);
	printf(":\n");
	say_holds(host);
	say_get(host);
	say_set(host);
	say_module(host);
	say_checks(host);
	say_guests(host);
	say_layout(host);
	say_not_learned(host);
}

static struct xf_error *print_profile(const struct xf_host *host)
{
	char *json = NULL;
	struct xf_error *err = xf_host_to_json(host, &json);

	if (!err)
		fputs(json, stdout);
	free(json);
	return err;
}

static unsigned int run_probe(const struct verb *verb, int argc, char **argv)
{
	struct xf_host *host = NULL;
	struct options options;
	unsigned int status;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	if (options.count)
		return usage(verb, "it takes no argument '%s'", options.arguments[0]);

	struct xf_error *err = xf_host_probe(&host);

	if (!err && options.json)
		err = print_profile(host);
	else if (!err)
		print_text(host);
	xf_host_free(host);
	return err ? complain(err) : STATUS_OK;
}

const struct verb verb_probe = {
	.name = "probe",
	.arguments = "[--json]",
	.summary = "Ask this machine's KVM what it really does with extended state.",
	.options = "j",
	.run = run_probe,
};
