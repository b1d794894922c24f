/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernels that are not at hand, for planning. Each row is a behaviour, named for
 * a kernel that has it; it says nothing of the CPU, so a CPU of the middle is
 * assumed (x87, SSE, AVX, AVX-512, PKRU) and corrected by words behind the name; so is
 * that the xferry module is not loaded.
 *
 * Where the behaviour changed, by the commits that did it:
 *	00c87e9a70a1	4.10	GET trims to the guest
 *	d69c1382e1b7	5.16	(fpstate rework) GET leaks again, SET checks the header
 *	ad856280ddea	5.17	the fpstate is limited to the guest: GET trims, SET is strict
 *	a1020a25e697	6.0, 5.19.12	x87 and SSE are always within that limit
 *	18164f66e6c5, 8647c52e9504	6.6, 6.5.9, 6.1.60	SET takes what the host holds
 * AMX came to KVM with 5.17. About 6.11 and 6.19 see the rows.
 */
#include <string.h>

#include "base/scope.h"
#include "host/host.h"
#include "host/mask_text.h"
#include "host/nearest.h"
#include "host/text.h"

/* What a KVM knows: with a CPU that has it all, this is kvm_caps.supported_xcr0. */
#define KNOWN_4_9 (XF_FPSSE | XF_AVX | XF_MPX | XF_AVX512 | XF_PKRU)
#define KNOWN_5_17 (KNOWN_4_9 | XF_AMX)

#define DEFAULT_CPU (XF_FPSSE | XF_AVX | XF_AVX512 | XF_PKRU)

struct preset {
	struct xf_preset shown;
	uint64_t known;
	struct xf_kvm kvm; /* host and mxcsr_mask are filled in later */
};

/* SET before the fpstate rework. */
#define UNCHECKED .header_unchecked = true, .mxcsr_always = true, .protected_ignored = true
/* Before KVM_SET_CPUID2 these know no guest to trim to. */
#define STRICT .get_after_cpuid = true, .protected_ignored = true
#define FIXED .get = XF_GET_TRIMS, .set = XF_SET_HOST

static const struct preset presets[] = {
	{ { "linux-4.9", "4.0 to 4.9: leaks, takes what the host holds" },
	  KNOWN_4_9,
	  { .get = XF_GET_LEAKS, .set = XF_SET_HOST, UNCHECKED } },
	{ { "linux-5.10", "4.10 to 5.15, mainline: trims, takes what the host holds" },
	  KNOWN_4_9,
	  { FIXED, UNCHECKED } },
	{ { "linux-5.16", "5.16, and 5.15 with the fpstate rework: leaks, takes what the host "
			  "holds" },
	  KNOWN_4_9,
	  { .get = XF_GET_LEAKS, .set = XF_SET_HOST, .protected_ignored = true } },
	{ { "linux-5.17", "5.17 to 5.19.11: strict, and x87 and SSE are no exception" },
	  KNOWN_5_17,
	  { .get = XF_GET_TRIMS_BARE, .set = XF_SET_GUEST_BARE, STRICT } },
	{ { "linux-6.2", "5.19.12 to 6.1.59, 6.2 to 6.5.8: strict, takes only what the guest "
			 "was shown" },
	  KNOWN_5_17,
	  { .get = XF_GET_TRIMS, .set = XF_SET_GUEST, STRICT } },
	{ { "linux-6.6", "6.1.60 to 6.1.161, 6.5.9 to 6.10: trims, takes what the host holds" },
	  KNOWN_5_17,
	  { FIXED, .protected_ignored = true } },
	{ { "linux-6.1.162", "6.1.162 and 6.6.122 and later of these series: as linux-6.6, and "
			     "clears what the guest's XFD disarms" },
	  KNOWN_5_17,
	  { FIXED, .protected_ignored = true, .xfd_clears = true } },
	{ { "linux-6.12",
	    "6.11 to 6.18, of 6.12 up to 6.12.66: as linux-6.6, and refuses protected guests" },
	  KNOWN_5_17,
	  { FIXED } },
	{ { "linux-6.19", "6.12.67 and later of its series, 6.19 and later: as linux-6.12, and "
			  "clears what the guest's XFD disarms" },
	  KNOWN_5_17,
	  { FIXED, .xfd_clears = true } },
	{ { "debian-11", "Debian 11, kernel 5.10: as linux-5.10" },
	  KNOWN_4_9,
	  { FIXED, UNCHECKED } },
	{ { "debian-12", "Debian 12, kernel 6.1.162 and later: as linux-6.1.162" },
	  KNOWN_5_17,
	  { FIXED, .protected_ignored = true, .xfd_clears = true } },
	{ { "debian-13", "Debian 13, kernel 6.12.67 and later: as linux-6.19" },
	  KNOWN_5_17,
	  { FIXED, .xfd_clears = true } },
	{ { "pve-7", "Proxmox VE 7, kernel 5.15.35-1-pve and later: as linux-5.16" },
	  KNOWN_4_9,
	  { .get = XF_GET_LEAKS, .set = XF_SET_HOST, .protected_ignored = true } },
	{ { "pve-8-6.2", "Proxmox VE 8, kernel 6.2 of July 2023 and later: as linux-6.2, and "
			 "drops PKRU when the guest or the host lacks it" },
	  KNOWN_5_17,
	  { .get = XF_GET_TRIMS, .set = XF_SET_GUEST, STRICT, .hook_pkru = true } },
	{ { "pve-8-6.8", "Proxmox VE 8, kernel 6.8: as linux-6.6, and drops PKRU when the guest "
			 "or the host lacks it" },
	  KNOWN_5_17,
	  { FIXED, .protected_ignored = true, .hook_pkru = true } },
	{ { "pve-9", "Proxmox VE 9, kernel 6.14 and 6.17: as linux-6.12, and drops PKRU when the "
		     "guest or the host lacks it" },
	  KNOWN_5_17,
	  { FIXED, .hook_pkru = true } },
	{ { "pve-9-7.0", "Proxmox VE 9, kernel 7.0: as linux-6.19, and drops PKRU when the guest "
			 "or the host lacks it" },
	  KNOWN_5_17,
	  { FIXED, .xfd_clears = true, .hook_pkru = true } },
};

#define PRESETS (sizeof(presets) / sizeof(presets[0]))

const struct xf_preset *xf_preset(size_t i)
{
	return i < PRESETS ? &presets[i].shown : NULL;
}

/* They are few: the error for an unknown one names them all. */
static struct xf_error *unknown_preset(const char *name, size_t len)
{
	struct xf_nearest nearest = xf_nearest(name, len);
	char all[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < PRESETS; i++) {
		xf_nearest_try(&nearest, presets[i].shown.name);
		used += (size_t)snprintf(all + used, sizeof(all) - used, " %s",
					 presets[i].shown.name);
	}
	_Static_assert(PRESETS * 24 < sizeof(all), "room for every name");
	return xf_error_new(XF_ERR_USAGE, NULL,
			    "unknown preset \"%.*s\"" XF_NEAREST_FORMAT "; there are:%s",
			    xf_shown_length(len), name, XF_NEAREST_ARGS(&nearest), all);
}

static const struct preset *preset_named(const char *name, size_t len)
{
	for (size_t i = 0; i < PRESETS; i++) {
		const char *known = presets[i].shown.name;

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return &presets[i];
	}
	return NULL;
}

bool xf_is_preset(const char *name, size_t len)
{
	return preset_named(name, len);
}

static struct xf_error *find_preset(const char *name, size_t len, const struct preset **out)
{
	const struct preset *found = preset_named(name, len);

	if (!found)
		return unknown_preset(name, len);
	*out = found;
	return NULL;
}

static struct xf_error *remove_components(struct xf_kvm *kvm, uint64_t mask, const char *word,
					  size_t len)
{
	if (mask & XF_FPSSE)
		return xf_error_new(XF_ERR_USAGE, NULL, "\"%.*s\": every host has x87 and SSE",
				    xf_shown_length(len), word);
	kvm->host = xf_narrow(kvm->host & ~mask);
	return NULL;
}

static struct xf_error *add_components(struct xf_kvm *kvm, const struct preset *preset,
				       uint64_t mask, const char *word, size_t len)
{
	uint64_t host = xf_widen(kvm->host | mask);

	if (host & ~preset->known)
		return xf_error_new(XF_ERR_USAGE, NULL, "\"%.*s\": KVM of %s does not know it",
				    xf_shown_length(len), word, preset->shown.name);
	if (kvm->no_xsave && host & ~XF_FPSSE)
		return xf_error_new(XF_ERR_USAGE, NULL, "\"%.*s\": not on a host without XSAVE",
				    xf_shown_length(len), word);
	kvm->host = host;
	return NULL;
}

static bool is(const char *word, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(word, text, len) == 0;
}

static bool is_hook(const char *word, size_t len)
{
	return is(word, len, "+hook") || is(word, len, "+hook-get");
}

/*
 * The xferry module in trim mode, with all components; "-get": with trim_get as well. The
 * row tells whether it loads there, whatever the CPU is said to be.
 */
static struct xf_error *add_hook(struct xf_kvm *kvm, const struct preset *preset, const char *word,
				 size_t len)
{
	if (xf_kvm_predates_fpstate(&preset->kvm))
		return xf_error_new(XF_ERR_USAGE, NULL,
				    "preset %s: the xferry module does not load on this kernel "
				    "(before 5.16, or 5.15 without the fpstate rework): \"%.*s\"",
				    preset->shown.name, xf_shown_length(len), word);
	kvm->hook_set = ~UINT64_C(0);
	if (is(word, len, "+hook-get"))
		kvm->hook_get = ~UINT64_C(0);
	return NULL;
}

/* Neither a component nor any other word; it may be the slip of either. */
static struct xf_error *unknown_word(const struct preset *preset, const char *word, size_t len)
{
	static const char *const hooks[] = { "+hook", "+hook-get" };
	struct xf_nearest nearest = xf_nearest(word, len);
	struct xf_nearest component = xf_nearest(word + 1, len - 1);

	if (is(word, len, "-hook") || is(word, len, "-hook-get"))
		return xf_error_new(XF_ERR_USAGE, NULL,
				    "\"%.*s\": no preset has the xferry module unless \"+hook\" "
				    "is behind its name",
				    xf_shown_length(len), word);
	xf_for_each_bit (bit, preset->known)
		xf_nearest_try(&component, xf_component(bit)->name);
	for (size_t i = 0; *word == '+' && i < sizeof(hooks) / sizeof(hooks[0]); i++)
		xf_nearest_try(&nearest, hooks[i]);
	if (nearest.best && (!component.best || nearest.distance < component.distance))
		return xf_error_new(XF_ERR_USAGE, NULL, "unknown word \"%.*s\"" XF_NEAREST_FORMAT,
				    xf_shown_length(len), word, XF_NEAREST_ARGS(&nearest));
	return xf_error_new(XF_ERR_USAGE, NULL,
			    "unknown state component \"%.*s\"" XF_NEAREST_FORMAT,
			    xf_shown_length(len - 1), word + 1, XF_NEAREST_ARGS(&component));
}

/* "+amx", "-pku", "-xsave", "+hook", "qemu=7.2". */
static struct xf_error *take_word(struct xf_host *host, const struct preset *preset,
				  const char *word, size_t len)
{
	uint64_t mask;

	if (len > 5 && memcmp(word, "qemu=", 5) == 0 && xf_is_version(word + 5, len - 5)) {
		free((char *)host->qemu);
		host->qemu = strndup(word + 5, len - 5);
		return host->qemu ? NULL : xf_error_memory();
	}
	if (is_hook(word, len))
		return add_hook(&host->kvm, preset, word, len);
	if (is(word, len, "-xsave")) {
		host->kvm.host = XF_FPSSE;
		host->kvm.no_xsave = true;
		return NULL;
	}
	if (len < 2 || (*word != '+' && *word != '-'))
		return xf_error_new(XF_ERR_USAGE, NULL,
				    "\"%.*s\": behind a preset's name expected +component, "
				    "-component, +hook, +hook-get, -xsave or qemu=VERSION",
				    xf_shown_length(len), word);
	if (!xf_component_word(word + 1, len - 1, &mask))
		return unknown_word(preset, word, len);
	return *word == '-' ? remove_components(&host->kvm, mask, word, len)
			    : add_components(&host->kvm, preset, mask, word, len);
}

struct xf_error *xf_preset_open(const char *spec, struct xf_host **out)
{
	const struct preset *preset = NULL;
	size_t len = strcspn(spec, ",");

	XF_TRY(find_preset(spec, len, &preset));

	XF_AUTO_FREE char *name = xf_text("preset:%s", spec);
	XF_AUTO(xf_scope_host) struct xf_host *host = name ? xf_host_new(name) : NULL;

	if (!host)
		return xf_error_memory();
	host->kvm = preset->kvm;
	host->kvm.host = DEFAULT_CPU;
	host->cpu_assumed = true;
	host->kvm.mxcsr_mask = XF_MXCSR_MASK;
	for (const char *word = spec + len; *word; word += len) {
		word += strspn(word, ",");
		len = strcspn(word, ",");
		if (len)
			XF_TRY(take_word(host, preset, word, len));
	}
	*out = xf_take(host);
	return NULL;
}
