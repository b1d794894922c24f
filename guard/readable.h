/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether memory can be read, without reading it: a program may give KVM a bad pointer,
 * and shall get EFAULT for it, not a crash.
 */
#ifndef XF_GUARD_READABLE_H
#define XF_GUARD_READABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the `size` bytes at `memory` can be read, at least 8. errno stays as it is. */
bool xf_is_readable(const void *memory, size_t size);

#endif
