/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vCPUs of a stream that has no description: by the bytes that a `cpu`
 * section begins with, and its fixed layout. The weakest evidence, so nothing
 * is guessed: whatever could also be meant otherwise is refused.
 *
 * Where sections have footers, the sections are followed from the first to the
 * EOF mark, so what else is in the file behind it does not matter. Where they
 * have none (machine types up to 2.3), all to the file's end is searched.
 */
#ifndef XF_STATE_QEMU_SIGNATURE_H
#define XF_STATE_QEMU_SIGNATURE_H

#include "state/qemu_devices.h"

struct xf_qemu_tail_bytes {
	const uint8_t *bytes; /* from the first device on; never RAM: a guest can put anything there
			       */
	size_t size;
	uint64_t offset; /* of bytes in the file */
	const char *file;
	bool in_package; /* postcopy: ends with a command, not with an EOF mark */
};

/* Whether the sections have footers, where only their end can tell. */
bool xf_qemu_signature_footers(const struct xf_qemu_tail_bytes *tail);

/*
 * XF_ERR_DAMAGED: the sections cannot be followed or are ambiguous;
 * XF_ERR_FORMAT: there is no vCPU. `out->vcpus` is freed with free().
 */
struct xf_error *xf_qemu_signature_read(const struct xf_qemu_tail_bytes *tail, bool footers,
					struct xf_qemu_vcpus *out);

#endif
