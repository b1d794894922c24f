/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU does when KVM refuses a vCPU's state: 8.2 was the first to stop. */
#include <stdio.h>
#include <string.h>

#include "xferry.h"

static enum xf_refusal refusal_of_version(const char *version)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(version, "%u.%u", &major, &minor) != 2)
		return XF_REFUSAL_UNKNOWN;
	return major > 8 || (major == 8 && minor >= 2) ? XF_REFUSAL_EXITS : XF_REFUSAL_RUNS_ON;
}

enum xf_refusal xf_refusal_at(const struct xf_host *target, const char *machine)
{
	const char *version = machine ? strrchr(machine, '-') : NULL;

	if (target->qemu)
		return refusal_of_version(target->qemu);
	if (version && refusal_of_version(version + 1) == XF_REFUSAL_EXITS)
		return XF_REFUSAL_EXITS;
	return XF_REFUSAL_UNKNOWN;
}
