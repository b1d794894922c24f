/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the administrator asked for; may change at any time. */
#ifndef XF_KMOD_PARAMS_H
#define XF_KMOD_PARAMS_H

#include "core/bits.h"

/* False: observe. */
bool xf_params_trim(void);

/* The components that may be dropped in mode trim. */
u64 xf_params_components(void);

/* Those that may be dropped now: none while observing. Never half of a change of both. */
u64 xf_params_allowed(void);

#endif
