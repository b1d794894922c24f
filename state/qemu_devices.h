/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device sections of a stream, held against its description. */
#ifndef XF_STATE_QEMU_DEVICES_H
#define XF_STATE_QEMU_DEVICES_H

#include "state/qemu_vmdesc.h"

struct xf_qemu_vcpus {
	struct xf_vcpu *vcpus;
	size_t count;
};

/* The bytes that devices `first`... of the description and the EOF mark take. */
uint64_t xf_qemu_devices_size(const struct xf_qemu_vmdesc *desc, size_t first, bool footers);

/*
 * Checks that `bytes`, which lie at `offset` of `file`, are the sections of the
 * devices `first`... of the description and the EOF mark: every header and
 * footer, and inside a vCPU every subsection's header and each value's place.
 * `size` is what xf_qemu_devices_size gave. XF_ERR_DAMAGED says where they
 * disagree, XF_ERR_FORMAT that the vCPUs are not x86-64 ones or there are none.
 * `out->vcpus` is freed with free().
 */
struct xf_error *xf_qemu_devices_read(const struct xf_qemu_vmdesc *desc, size_t first, bool footers,
				      const uint8_t *bytes, uint64_t size, const char *file,
				      uint64_t offset, struct xf_qemu_vcpus *out);

#endif
