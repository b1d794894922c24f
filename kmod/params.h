/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the administrator asked for; may change at any time. */
#ifndef XF_KMOD_PARAMS_H
#define XF_KMOD_PARAMS_H

#include "core/bits.h"

/* False: observe. */
bool xf_params_trim(void);

/* The components that may be dropped. */
u64 xf_params_components(void);

#endif
