/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a KVM's answers is the xferry module's doing. It goes by the guest's CPUID, and
 * leaves alone a guest whose CPUID has no entries. KVM shows nothing to that one, nor to one
 * whose CPUID denies XSAVE: where the two are treated differently, it is by the module.
 * So it is told from Proxmox' hook too, which asks what KVM shows.
 */
#include <inttypes.h>
#include <string.h>

#include "base/scope.h"
#include "host/host.h"
#include "host/probe.h"
#include "host/text.h"

#define ALL (~UINT64_C(0))

/* The components that show whether they are taken out, and of them those that are. */
struct seen {
	uint64_t visible, cut;
};

static bool can_be_compared(const struct xf_probe_answers *answers)
{
	return answers->guests[XF_PROBE_EMPTY].done && answers->guests[XF_PROBE_BARE].done;
}

static void look(uint64_t left_alone, uint64_t trimmed, struct seen *seen)
{
	seen->visible |= left_alone;
	seen->cut |= left_alone & ~trimmed;
}

/* What a module takes for superfluous of the bare guest, which KVM may have shown more after all.
 */
static uint64_t superfluous(const struct xf_probe_answers *answers)
{
	return xf_droppable(ALL, answers->guests[XF_PROBE_BARE].evidence, ALL);
}

static struct seen seen_in_set(const struct xf_probe_answers *answers)
{
	const struct xf_probe_dialogue *alone = &answers->guests[XF_PROBE_EMPTY];
	const struct xf_probe_dialogue *bare = &answers->guests[XF_PROBE_BARE];
	uint64_t mask = superfluous(answers);
	struct seen seen = { 0, 0 };

	/* What KVM refuses, it takes once it has been taken out. */
	look(mask & ~alone->accepted, ~bare->accepted, &seen);
	if (alone->was_widened && bare->was_widened)
		look(mask & alone->widened, bare->widened, &seen);
	return seen;
}

static struct seen seen_in_get(const struct xf_probe_answers *answers)
{
	const struct xf_probe_dialogue *alone = &answers->guests[XF_PROBE_EMPTY];
	const struct xf_probe_dialogue *bare = &answers->guests[XF_PROBE_BARE];
	uint64_t mask = superfluous(answers);
	struct seen seen = { 0, 0 };

	look(mask & alone->carried, bare->carried, &seen);
	if (alone->was_narrowed && bare->was_narrowed)
		look(mask & alone->narrowed, bare->narrowed, &seen);
	return seen;
}

/* What it says that it takes out of a SET; of a GET. */
static uint64_t says_set(const struct xf_probe_answers *answers)
{
	bool trims = answers->module_loaded && strcmp(answers->module_mode, "trim") == 0;

	return trims ? answers->module_components : 0;
}

static uint64_t says_get(const struct xf_probe_answers *answers)
{
	return answers->module_trim_get ? says_set(answers) : 0;
}

static bool disagree(struct seen seen, uint64_t says)
{
	return (seen.cut ^ says) & seen.visible;
}

/* What cannot be seen is as the module says. Without one to ask: all, where all is seen to go. */
static uint64_t told(const struct xf_probe_answers *answers, struct seen seen, uint64_t says)
{
	if (answers->module_loaded && !disagree(seen, says))
		return says;
	return seen.visible && seen.cut == seen.visible ? ALL : seen.cut;
}

void xf_probe_measure_module(const struct xf_probe_answers *answers, struct xf_kvm *kvm)
{
	if (!can_be_compared(answers))
		return;
	kvm->hook_set = told(answers, seen_in_set(answers), says_set(answers));
	kvm->hook_get = told(answers, seen_in_get(answers), says_get(answers));
}

static struct xf_error *name_module(const struct xf_probe_answers *answers, struct xf_host *host)
{
	host->module = xf_text("mode=%s components=%#" PRIx64 " trim_get=%c", answers->module_mode,
			       answers->module_components, answers->module_trim_get ? 'Y' : 'N');
	return host->module ? NULL : xf_error_memory();
}

static struct xf_error *note_disagreement(struct xf_host *host, const char *call, struct seen seen,
					  uint64_t says)
{
	XF_AUTO_FREE char *why =
		xf_text("the xferry module says that it takes %#" PRIx64
			" out of what a guest was not shown, and in %s %#" PRIx64 " is seen to go",
			says & seen.visible, call, seen.cut);

	return why ? xf_host_not_learned(host, "module", why) : xf_error_memory();
}

struct xf_error *xf_probe_conclude_module(const struct xf_probe_answers *answers,
					  struct xf_host *host)
{
	if (answers->module_loaded)
		XF_TRY(name_module(answers, host));
	if (!can_be_compared(answers))
		return xf_host_not_learned(host, "module",
					   *answers->why_no_guest ? answers->why_no_guest
								  : "no guest tells of it");

	struct seen set = seen_in_set(answers), get = seen_in_get(answers);

	if (answers->module_loaded && disagree(set, says_set(answers)))
		return note_disagreement(host, "KVM_SET_XSAVE", set, says_set(answers));
	if (answers->module_loaded && disagree(get, says_get(answers)))
		return note_disagreement(host, "KVM_GET_XSAVE", get, says_get(answers));
	return NULL;
}
