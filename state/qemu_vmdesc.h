/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The description that a QEMU stream ends with: JSON that names every field of
 * every device section with its size, but holds no values. Read in pieces, as
 * it may have megabytes and is hostile: kept are one row a device, and for the
 * vCPUs where the wanted values are.
 *
 * What counts, and how (vmstate_save_state_v in QEMU's migration/vmstate.c):
 *  - a field has `size` bytes, what is nested in it included; with `array_len`
 *    it stands for that many of the same size, of which only the first is told;
 *  - a subsection has a header and its own fields and subsections;
 *  - a device without a vmsd_name has one buffer, and tells its size twice.
 * Everything else may be there or not, in any order and spacing: versions differ.
 */
#ifndef XF_STATE_QEMU_VMDESC_H
#define XF_STATE_QEMU_VMDESC_H

#include "state/qemu_cpu.h"

/* A subsection of a vCPU's section. */
struct xf_qemu_described_subsection {
	size_t name; /* where in names */
	uint32_t name_length;
	uint32_t version;
	uint32_t offset; /* of its header in the section's payload */
	uint32_t fields; /* bytes of its fields */
};

struct xf_qemu_described_cpu {
	uint64_t fields; /* bytes before the first subsection */
	struct xf_qemu_cpu cpu;
	size_t first_subsection;
	size_t subsection_count;
};

#define XF_QEMU_NO_CPU SIZE_MAX

struct xf_qemu_device {
	size_t name; /* where in names */
	uint32_t name_length;
	uint32_t instance;
	uint32_t version;
	bool has_version;
	uint64_t size; /* of its section's payload, subsections included */
	size_t cpu;    /* position in cpus, or XF_QEMU_NO_CPU */
};

struct xf_qemu_vmdesc {
	struct xf_qemu_device *devices;
	size_t device_count;
	struct xf_qemu_described_cpu *cpus;
	size_t cpu_count;
	struct xf_qemu_described_subsection *subsections;
	size_t subsection_count;
	char *names; /* one behind the other, not terminated */
	size_t names_size;
	uint64_t sections_size; /* of all devices, section headers included, footers not */
};

void xf_qemu_vmdesc_deinit(struct xf_qemu_vmdesc *desc);

struct xf_qemu_vmdesc_reader;

/*
 * Starts to read a description whose text begins at `offset` of `file`, which is
 * for messages and must live as long as the reader.
 */
struct xf_error *xf_qemu_vmdesc_open(const char *file, uint64_t offset,
				     struct xf_qemu_vmdesc_reader **out);

/* The next bytes of the text. XF_ERR_DAMAGED: the text is no description; stop then. */
struct xf_error *xf_qemu_vmdesc_push(struct xf_qemu_vmdesc_reader *reader, const uint8_t *text,
				     size_t size);

/* The text is complete. */
struct xf_error *xf_qemu_vmdesc_finish(struct xf_qemu_vmdesc_reader *reader,
				       struct xf_qemu_vmdesc *out);

void xf_qemu_vmdesc_close(struct xf_qemu_vmdesc_reader *reader);

#endif
