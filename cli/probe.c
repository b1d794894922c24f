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

/* What a module takes out of a SET, of a GET; 0 where that is not known. */
static uint64_t set_trims(const struct xf_host *host)
{
	return known(host, "module") ? host->kvm.hook_set & ~XF_FPSSE : 0;
}

static uint64_t get_trims(const struct xf_host *host)
{
	return known(host, "module") ? host->kvm.hook_get & ~XF_FPSSE : 0;
}

/* A KVM that leaks, and what a module leaves of that. */
static void say_leaks(const struct xf_host *host)
{
	const char *rest = get_trims(host) ? ", but for what the module takes out" : "";

	if (get_trims(host) && !xf_kvm_leaks(&host->kvm)) {
		say("KVM_GET_XSAVE",
		    "leaks, and the module takes out what the guest was not shown:\n"
		    "what is saved here is clean");
		return;
	}
	say("KVM_GET_XSAVE", "leaks: gives all that is in use, shown to the guest or not;");
	printf("  %-13s  what is saved here may be refused elsewhere%s\n", "", rest);
}

static void say_get(const struct xf_host *host)
{
	static const char *const texts[] = {
		[XF_GET_TRIMS] = "trims to what the guest was shown: what is saved here is clean",
		[XF_GET_TRIMS_BARE] = "trims to what the guest was shown, even x87 and SSE\n"
				      "of a guest without XSAVE, which loses them so",
	};

	if (known(host, "get") && host->kvm.get != XF_GET_LEAKS && xf_kvm_leaks(&host->kvm))
		say("KVM_GET_XSAVE", "trims, but to what KVM shows its guests, which is all that\n"
				     "this host holds: in effect it leaks");
	else if (known(host, "get") && host->kvm.get == XF_GET_LEAKS)
		say_leaks(host);
	else if (known(host, "get"))
		say("KVM_GET_XSAVE",
		    host->kvm.get == XF_GET_TRIMS && !known(host, "cpuid_rewritten")
			    ? "trims to what KVM shows the guest"
			    : texts[host->kvm.get]);
	if (known(host, "get_after_cpuid") && host->kvm.get_after_cpuid)
		say("", "before KVM_SET_CPUID2 it gives all that is in use");
}

static const char *strict_text(const struct xf_host *host)
{
	if (!known(host, "module"))
		return "strict: takes only what the guest was shown; a state that\n"
		       "leaked elsewhere is refused, unless a module takes that out";
	if (is_every_component(set_trims(host)))
		return "strict: takes only what the guest was shown; of a state that\n"
		       "leaked elsewhere the module takes out the rest before";
	if (set_trims(host))
		return "strict: takes only what the guest was shown; a state that\n"
		       "leaked elsewhere is refused, but for what the module takes out";
	return "strict: takes only what the guest was shown; a state that\n"
	       "leaked elsewhere is refused, whatever this host holds";
}

static void say_set(const struct xf_host *host)
{
	static const char *const texts[] = {
		[XF_SET_HOST] = "takes all that this host holds, shown to the guest or not",
		[XF_SET_GUEST_BARE] = "strict: takes only what the guest was shown, and not even\n"
				      "x87 and SSE of a guest without XSAVE",
	};

	if (known(host, "set") && host->kvm.set == XF_SET_GUEST)
		say("KVM_SET_XSAVE", strict_text(host));
	else if (known(host, "set"))
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

/* `same`: the line before has told of these already. */
static void say_taken(const char *label, const char *from, uint64_t mask, bool same)
{
	char before[64];

	snprintf(before, sizeof(before), "takes out of a %s ", from);
	if (same)
		printf("  %-13s  %sthe same\n", label, before);
	else if (is_every_component(mask))
		printf("  %-13s  %swhatever the guest was not shown (all components)\n", label,
		       before);
	else
		say_mask(label, before, mask & ~XF_FPSSE, ", where the guest was not shown it");
}

static void say_loaded(const char *label, const char *what, const char *parameters)
{
	printf("  %-13s  %s", label, what);
	put_printable(parameters, stdout);
	putchar('\n');
}

/* One that is loaded and takes nothing out. */
static void say_idle_module(const struct xf_host *host)
{
	bool observes = strncmp(host->module, "mode=observe", strlen("mode=observe")) == 0;

	if (!known(host, "module"))
		say("module", "loaded; what it takes out is not known");
	else
		say("module",
		    observes ? "loaded, observes: changes nothing" : "loaded, changes nothing");
	say_loaded("", "its parameters: ", host->module);
}

/* What the module takes out; a kernel may be patched to do the same. */
static void say_module(const struct xf_host *host)
{
	uint64_t set = set_trims(host), get = get_trims(host);

	if (!set && !get) {
		if (host->module)
			say_idle_module(host);
		return;
	}
	if (set)
		say_taken("module", "SET", set, false);
	if (get)
		say_taken(set ? "" : "module", "GET", get, set == get);
	if (host->module)
		say_loaded("", "its parameters: ", host->module);
	else
		say("", "its name is not known: the kernel itself may do so");
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
