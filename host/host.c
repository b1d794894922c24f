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
	free((char *)host->module);
	for (size_t i = 0; i < host->unlearned_count; i++) {
		free((char *)host->unlearned[i].key);
		free((char *)host->unlearned[i].why);
	}
	free(host->unlearned);
	free(host);
}

/* What a prediction has to reckon with when it was asked about and not learned. */
static unsigned int unknown_of(const char *key)
{
	static const struct {
		const char *key;
		enum xf_kvm_unknown unknown;
	} keys[] = {
		{ "hook", XF_UNKNOWN_HOOK },
		{ "module", XF_UNKNOWN_MODULE },
		{ "cpuid_rewritten", XF_UNKNOWN_SHOWS_ALL },
		{ "mxcsr_mask", XF_UNKNOWN_MXCSR_MASK },
		{ "mxcsr_always", XF_UNKNOWN_MXCSR_ALWAYS },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].key, key) == 0)
			return keys[i].unknown;
	return 0;
}

struct xf_error *xf_host_not_learned(struct xf_host *host, const char *key, const char *why)
{
	XF_AUTO_FREE char *own_key = strdup(key);
	XF_AUTO_FREE char *own_why = strdup(why);
	struct xf_unlearned *more =
		realloc(host->unlearned, (host->unlearned_count + 1) * sizeof(*more));

	if (more)
		host->unlearned = more;
	if (!more || !own_key || !own_why)
		return xf_error_memory();
	host->kvm.unknown |= unknown_of(key);
	more[host->unlearned_count++] = (struct xf_unlearned){ xf_take(own_key), xf_take(own_why) };
	return NULL;
}

bool xf_host_lacks(const struct xf_host *host, const char *key)
{
	for (size_t i = 0; i < host->unlearned_count; i++)
		if (strcmp(host->unlearned[i].key, key) == 0)
			return true;
	return false;
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
