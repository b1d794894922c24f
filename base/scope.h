/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope guards: what is declared with one of these is released when its scope is left. */
#ifndef XF_BASE_SCOPE_H
#define XF_BASE_SCOPE_H

#include <stdlib.h>
#include <unistd.h>

static inline void xf_scope_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void xf_scope_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define XF_AUTO(release) __attribute__((cleanup(release)))
#define XF_AUTO_FREE XF_AUTO(xf_scope_free)
#define XF_AUTO_CLOSE XF_AUTO(xf_scope_close)

/* Hands a guarded pointer on: gives its value and leaves NULL behind. */
#define xf_take(pointer)                                   \
	({                                                 \
		__typeof__(pointer) xf_taken_ = (pointer); \
		(pointer) = NULL;                          \
		xf_taken_;                                 \
	})

#endif
