/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XF_HOST_CPUID_TEXT_H
#define XF_HOST_CPUID_TEXT_H

#include "base/error.h"

/*
 * What a dump of a guest's CPUID says that it was shown. `text` is `size` bytes
 * and a '\0' behind them; `path` is for errors.
 */
struct xf_error *xf_cpuid_text_parse(const char *path, const char *text, size_t size,
				     struct xf_guest *out);

#endif
