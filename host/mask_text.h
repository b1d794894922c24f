/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of which masks are made. */
#ifndef XF_HOST_MASK_TEXT_H
#define XF_HOST_MASK_TEXT_H

#include "core/component.h"

/* "0x207": the prefix and 1 to 16 digits, nothing else. */
bool xf_hex(const char *text, size_t len, uint64_t *out);

/* One name of a component, group or feature, or the number of a bit: "bit 33", "bit33". */
bool xf_component_word(const char *word, size_t len, uint64_t *out);

#endif
