/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XF_HOST_HOST_H
#define XF_HOST_HOST_H

#include "base/error.h"

/* A host of which nothing is known but its name; NULL when out of memory. */
struct xf_host *xf_host_new(const char *name);

/* "linux-6.2,-pku": what stands behind "preset:". */
struct xf_error *xf_preset_open(const char *spec, struct xf_host **out);

/* Whether a preset has this name. */
bool xf_is_preset(const char *name, size_t len);

/* "7.2", "10.0.13". */
bool xf_is_version(const char *text, size_t len);

/* The profile in `text`: `size` bytes and a '\0' behind them. `path` names it. */
struct xf_error *xf_profile_parse(const char *path, const char *text, size_t size,
				  struct xf_host **out);

/* Notes that a key of the profile could not be learned. */
struct xf_error *xf_host_not_learned(struct xf_host *host, const char *key, const char *why);

/* For XF_AUTO. */
static inline void xf_scope_host(struct xf_host **host)
{
	xf_host_free(*host);
}

#endif
