/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/scope.h"
#include "host/host.h"

struct xf_host *xf_host_new(const char *name)
{
	XF_AUTO_FREE char *own_name = strdup(name);
	struct xf_host *host = calloc(1, sizeof(*host));

	if (!host || !own_name) {
		free(host);
		return NULL;
	}
	host->name = xf_take(own_name);
	host->kvm.host = XF_FPSSE;
	host->kvm.mxcsr_mask = XF_MXCSR_MASK;
	return host;
}

void xf_host_free(struct xf_host *host)
{
	if (!host)
		return;
	free((char *)host->name);
	free((char *)host->kernel);
	free((char *)host->cpu);
	free((char *)host->qemu);
	free(host);
}

bool xf_is_version(const char *text, size_t len)
{
	bool digit = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			digit = true;
		else if (text[i] == '.' && digit)
			digit = false;
		else
			return false;
	}
	return digit;
}
