/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every kind of finding, one row each. 1xx: the state itself. 2xx: the state and
 * a target. A code is never reused for something else.
 */
#include <string.h>

#include "host/nearest.h"
#include "state/problem.h"

static const struct xf_problem problems[] = {
	[XF_PROBLEM_SUPERFLUOUS] = {
		.code = "XF101",
		.title = "superfluous state component",
		.text =
"The saved state has a component in use that the guest was never shown. A\n"
"leaky kernel (5.16, distribution kernels with the same code, before 4.10) put\n"
"it there: KVM_GET_XSAVE returned what the host had in use, PKRU above all.\n"
"The guest cannot have stored anything in it, so nobody can notice when it is\n"
"dropped. A target that refuses the component refuses the whole state with it.\n"
"xferry fix drops it from this state; the xferry module, in trim mode, from the\n"
"states of all guests of a host.",
	},
	[XF_PROBLEM_NO_EVIDENCE] = {
		.code = "XF102",
		.title = "possibly leaked component, no evidence",
		.text =
"A component is in use that the guest has not enabled in XCR0, and nothing\n"
"tells whether the guest was shown it. It may have leaked from the host; or the\n"
"guest has not come to enable it yet, as in its firmware, where XCR0 is 1\n"
"whatever the CPU. A stream does not carry the guest's CPUID, so xferry changes\n"
"nothing until it is told: --cpu with QEMU's -cpu argument, --xml with libvirt's\n"
"XML, --qm with Proxmox' configuration, --cpuid with a dump made in the guest, or\n"
"--exposed with the mask. On a route it can also mean that the guest has run where\n"
"KVM shows its guests all that the host holds: there it was shown this, whatever\n"
"it was given, and may have put it to use.",
	},
	[XF_PROBLEM_CONTRADICTION] = {
		.code = "XF103",
		.title = "the evidence contradicts the state",
		.text =
"The guest has enabled a component (in XCR0 or by CR4.PKE) of which the\n"
"evidence says that it was never shown. KVM lets a guest enable only what it\n"
"was shown, so the evidence belongs to another guest or another time. All of it\n"
"is set aside and nothing is changed. Or the file itself tells that the guest was\n"
"shown a component of which the evidence given says that it was not: then what\n"
"was given hides nothing, and the file's own counts.",
	},
	[XF_PROBLEM_LOST] = {
		.code = "XF201",
		.title = "the target cannot hold the guest's own data",
		.text =
"A component that the guest was shown is in use, and the target cannot hold\n"
"it. This is the guest's data. KVM answers -EINVAL, and rightly: without it the\n"
"guest would be corrupt. It is never dropped. Load the state on a host that has\n"
"the component.",
	},
	[XF_PROBLEM_MISSING] = {
		.code = "XF202",
		.title = "shown to the guest, absent at the target",
		.text =
"The guest was shown a component that the target cannot hold. It is not in use\n"
"at this moment, so KVM may load the state; the guest will still fail when it\n"
"comes to use what its CPUID promised.",
	},
	[XF_PROBLEM_BLOCKED] = {
		.code = "XF203",
		.title = "refused by the target, no evidence",
		.text =
"The target refuses a component in use, and nothing tells whether it is the\n"
"guest's own or has leaked. Say what the guest was shown (--cpu, --xml,\n"
"--qm, --cpuid, --exposed): a leaked component can then be dropped. The guest's\n"
"own can not.",
	},
	[XF_PROBLEM_FPSSE] = {
		.code = "XF204",
		.title = "the target may refuse even x87 and SSE",
		.text =
"Kernels from 5.17 until commit a1020a25e697 forgot that every guest has x87\n"
"and SSE: they refuse even these for a guest whose CPUID has no XSAVE. This\n"
"guest was shown nothing beyond x87 and SSE, so that is likely. Nothing in the\n"
"state is wrong and nothing can be dropped; the target needs a newer kernel.",
	},
	[XF_PROBLEM_MXCSR] = {
		.code = "XF205",
		.title = "the target refuses MXCSR",
		.text =
"MXCSR has a bit set that the target's CPU reserves. AMD CPUs have one (17,\n"
"misaligned SSE) that Intel CPUs lack, and a preset assumes a CPU without it; a\n"
"profile tells the real mask. Any other bit is damage: no CPU lets a guest load\n"
"it. xferry does not change MXCSR.",
	},
	[XF_PROBLEM_XCR0] = {
		.code = "XF206",
		.title = "the target refuses XCR0",
		.text =
"The guest has enabled components in XCR0 that the target cannot hold:\n"
"KVM_SET_XCRS answers -EINVAL, whether they are in use or not. Load the state on\n"
"a host that has them.",
	},
	[XF_PROBLEM_HOOK] = {
		.code = "XF207",
		.title = "the target would silently drop what may be the guest's own",
		.text =
"The target's kernel has a hook that clears PKRU when the guest's mask lacks\n"
"it (Proxmox, commit 1559d22f). The host lacks PKU, so the guest's mask lacks\n"
"it whatever the guest was shown: the hook would take the guest's own PKRU away\n"
"without a word, where any other kernel answers -EINVAL. The xferry module drops\n"
"only what the guest was not shown on that host: so this is the guest's own only\n"
"if an earlier host has shown it more than it was given.",
	},
	[XF_PROBLEM_UNKNOWN] = {
		.code = "XF208",
		.title = "what the target answers cannot be told",
		.text =
"Components are in use that the target may refuse, depending on what is not\n"
"known: whether the guest was shown them, or what the target's KVM accepts. Do\n"
"not take this for an acceptance. Say what the guest was shown, or give a\n"
"profile that tells what the target's KVM does.",
	},
	[XF_PROBLEM_HEADER] = {
		.code = "XF209",
		.title = "the target refuses the area's header",
		.text =
"KVM takes an area in the standard format only, and its header must be 0 but\n"
"for XSTATE_BV. This one is compacted (XCOMP_BV), or has a reserved byte that\n"
"is not 0. No KVM_GET_XSAVE gives such an area, so it came from elsewhere, or is\n"
"damaged. One that is compacted can be laid out anew, if it is a raw area:\n"
"xferry fix --relay.",
	},
};

_Static_assert(sizeof(problems) / sizeof(problems[0]) == XF_PROBLEMS, "every problem has a row");

const struct xf_problem *xf_problem_by_id(enum xf_problem_id id)
{
	return &problems[id];
}

const struct xf_problem *xf_problem(size_t i)
{
	return i < XF_PROBLEMS ? &problems[i] : NULL;
}

const struct xf_problem *xf_problem_by_code(const char *code)
{
	for (size_t i = 0; i < XF_PROBLEMS; i++)
		if (strcasecmp(problems[i].code, code) == 0)
			return &problems[i];
	return NULL;
}

const char *xf_nearest_name(const char *word)
{
	struct xf_nearest nearest = xf_nearest(word, strlen(word));

	for (size_t i = 0; i < XF_PROBLEMS; i++)
		xf_nearest_try(&nearest, problems[i].code);
	xf_for_each_bit (bit, XF_DEFINED)
		xf_nearest_try(&nearest, xf_component(bit)->name);
	for (size_t i = 0; xf_preset(i); i++)
		xf_nearest_try(&nearest, xf_preset(i)->name);
	return nearest.best;
}
