/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's locks on an image. Whoever has it open holds a read lock on byte 100 + i of the file for
 * each permission i that it uses, and on byte 200 + i for each that it grants no other. So a write
 * lock on the whole file, as xf_input_open_for_writing takes, is refused while any QEMU
 * has the image, and no QEMU gets it meanwhile.
 */
#ifndef XF_STATE_QCOW2_LOCK_H
#define XF_STATE_QCOW2_LOCK_H

#include "state/input.h"

/*
 * XF_ERR_REFUSED while somebody may write to the image. Nothing is locked. Where a file system
 * knows no locks, nobody is seen.
 */
struct xf_error *xf_qcow2_not_in_use(const struct xf_input *input);

#endif
