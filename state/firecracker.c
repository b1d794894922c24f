/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firecracker's vmstate file:
 *
 *	u64 magic, u64 length of the version, "8.0.0", the state, u64 CRC-64 of all before it
 *
 * all little-endian. The version is that of the data; which releases have which, and how the
 * state is walked, is in firecracker_walk.c. The vCPUs' CPUID is in the file, so it is its own
 * evidence. An address is the file's offset; a repair renews the checksum.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "core/bytes.h"
#include "host/text.h"
#include "state/area_vcpu.h"
#include "state/contents.h"
#include "state/crc64.h"
#include "state/edit.h"
#include "state/firecracker_walk.h"
#include "state/state.h"

/* Firecracker reads no state of more than 10 MiB. */
#define MAX_SIZE ((size_t)16 << 20)

#define MAGIC_X86 UINT64_C(0x0710198486640000)
#define MAGIC_AARCH64 UINT64_C(0x07101984aaaa0000)
#define FORMAT_VERSION UINT64_C(0xffff) /* of 1.6 and before; else 0 */

#define VERSION_OFFSET 16
#define VERSION_MAX 32
#define CRC_SIZE 8

#define SREGS_CR4 248
#define XCRS_FIRST 8
#define XCRS_MAX 16

static bool is_magic(const uint8_t *bytes)
{
	uint64_t magic = xf_get_le64(bytes) & ~FORMAT_VERSION;

	return magic == MAGIC_X86 || magic == MAGIC_AARCH64;
}

/* Since 1.15: a byte that says how the magic is packed, which is not at all. */
static bool is_bitcode(const uint8_t *head, size_t size)
{
	return size >= 9 && head[0] == 0 && is_magic(head + 1);
}

static bool recognise(const uint8_t *head, size_t size)
{
	return (size >= 8 && is_magic(head)) || is_bitcode(head, size);
}

/* The file in memory. */
struct file {
	const char *path;
	uint8_t *bytes;
	size_t size; /* without the checksum */
	uint64_t crc;
	uint64_t state; /* where it begins */
	struct xf_firecracker_vcpus found;
	const struct xf_firecracker_layout *layout;
};

static void file_deinit(struct file *file)
{
	free(file->bytes);
	free(file->found.vcpus);
}

/* What a repair needs: the checksum, which is of all before it. */
struct own {
	uint64_t crc;
	uint64_t crc_offset;
};

/* ---- The header ---- */

static struct xf_error *check_magic(const char *path, uint64_t magic)
{
	if ((magic & ~FORMAT_VERSION) == MAGIC_AARCH64)
		return xf_error_new(XF_ERR_FORMAT, path,
				    "is a Firecracker snapshot of an aarch64 guest, which has no "
				    "XSAVE");
	if (magic & FORMAT_VERSION)
		return xf_error_new(XF_ERR_FORMAT, path,
				    "is a Firecracker snapshot of 1.6 or before (versionize), "
				    "which is not read: 1.7 to 1.14 are");
	return NULL;
}

/* "8.0.0" */
static bool parse_version(const char *text, uint32_t *out)
{
	char *end;
	unsigned long major = strtoul(text, &end, 10);

	if (*text < '1' || *text > '9' || strcmp(end, ".0.0") != 0 || major > UINT32_MAX)
		return false;
	*out = (uint32_t)major;
	return true;
}

static struct xf_error *bad_version(const char *path, const char *version)
{
	return xf_error_new(XF_ERR_FORMAT, path,
			    "is a Firecracker snapshot of data version '%s', which is not read: "
			    "those of Firecracker 1.7 to 1.14 are (1.0.0 to 6.0.0, and 8.0.0)",
			    version);
}

/* The version follows: a byte that is its length, and its text. */
static struct xf_error *bitcode(const struct xf_input *input)
{
	char version[VERSION_MAX + 1] = { 0 };
	size_t length = input->head_size > 9 ? input->head[9] : 0;

	if (length <= VERSION_MAX && length + 10 <= input->head_size)
		memcpy(version, input->head + 10, length);
	return xf_error_new(XF_ERR_FORMAT, input->path,
			    "is a Firecracker snapshot of 1.15 or later (bitcode, data version "
			    "'%s'), which is not read: 1.7 to 1.14 are",
			    version);
}

/* Reads the header. The layouts that the state may have are known then. */
static struct xf_error *read_header(const struct xf_input *input, uint64_t *state,
				    const struct xf_firecracker_layout **layouts, size_t *count)
{
	char version[VERSION_MAX + 1] = { 0 };
	uint32_t major;

	if (is_bitcode(input->head, input->head_size))
		return bitcode(input);
	XF_TRY(check_magic(input->path, xf_get_le64(input->head)));
	if (input->head_size < VERSION_OFFSET + 1)
		return xf_error_at(XF_ERR_DAMAGED, input->path, input->head_size,
				   "a Firecracker snapshot's version is expected, and the file "
				   "ends");

	uint64_t length = xf_get_le64(input->head + 8);

	if (length > VERSION_MAX)
		return xf_error_at(XF_ERR_FORMAT, input->path, 8,
				   "is a Firecracker snapshot whose version is not written as "
				   "1.7 to 1.14 do");
	if (length > input->head_size - VERSION_OFFSET)
		return xf_error_at(XF_ERR_DAMAGED, input->path, 8,
				   "the version should have %" PRIu64 " bytes, and the file ends",
				   length);
	memcpy(version, input->head + VERSION_OFFSET, length);
	if (!parse_version(version, &major) || !(*layouts = xf_firecracker_layouts(major, count)))
		return bad_version(input->path, version);
	*state = VERSION_OFFSET + length;
	return NULL;
}

/* ---- The state ---- */

static struct xf_error *check_crc(struct file *file)
{
	uint64_t computed;

	if (file->size < file->state + CRC_SIZE)
		return xf_error_at(XF_ERR_DAMAGED, file->path, file->size,
				   "the file ends before the snapshot's checksum");
	file->size -= CRC_SIZE;
	file->crc = xf_get_le64(file->bytes + file->size);
	computed = xf_crc64(0, file->bytes, file->size);
	if (computed != file->crc)
		return xf_error_at(XF_ERR_DAMAGED, file->path, file->size,
				   "the checksum (CRC-64) of what is before it is %016" PRIx64
				   ", not %016" PRIx64 ": the file is damaged or cut off",
				   computed, file->crc);
	return NULL;
}

/*
 * Finds the one layout that the state fits. When it fits none, what is told is where the one
 * that went furthest has ended.
 */
static struct xf_error *find_vcpus(struct file *file, const struct xf_firecracker_layout *layouts,
				   size_t count)
{
	struct xf_error *best = NULL;
	uint64_t reached = 0;

	for (size_t i = 0; i < count; i++) {
		struct xf_firecracker_vcpus found;
		struct xf_error *err = xf_firecracker_walk(file->path, file->bytes, file->size,
							   file->state, &layouts[i], &found);

		if (err && (!best || found.reached > reached)) {
			xf_error_free(best);
			best = err;
			reached = found.reached;
		} else if (err) {
			xf_error_free(err);
		} else if (file->layout) {
			free(found.vcpus);
			xf_error_free(best);
			return xf_error_at(XF_ERR_DAMAGED, file->path, file->state,
					   "the state can be read as that of Firecracker %s and "
					   "as that of %s",
					   file->layout->releases, layouts[i].releases);
		} else {
			file->layout = &layouts[i];
			file->found = found;
		}
	}
	if (!file->layout)
		return best;
	xf_error_free(best);
	return NULL;
}

static struct xf_error *read_file(struct xf_input *input, struct file *file)
{
	const struct xf_firecracker_layout *layouts = NULL;
	size_t count = 0;

	file->path = input->path;
	XF_TRY(read_header(input, &file->state, &layouts, &count));
	XF_TRY(xf_input_contents(input, MAX_SIZE, "a Firecracker snapshot", &file->bytes,
				 &file->size));
	XF_TRY(check_crc(file));
	XF_TRY(find_vcpus(file, layouts, count));
	if (!file->found.count)
		return xf_error_new(XF_ERR_FORMAT, file->path, "holds no vCPUs");
	return NULL;
}

/* ---- A vCPU ---- */

static void gather_cpuid(const struct file *file, const struct xf_firecracker_vcpu *found,
			 struct xf_vcpu_cpuid *out)
{
	*out = (struct xf_vcpu_cpuid){ 0 };
	for (uint64_t i = 0; i < found->cpuid_count; i++) {
		const uint8_t *p = file->bytes + found->cpuid + i * found->stride;
		const struct xf_cpuid_entry entry = {
			.leaf = xf_get_le32(p),
			.subleaf = xf_get_le32(p + 4),
			.flags = xf_get_le32(p + 8),
			.regs = { xf_get_le32(p + 12), xf_get_le32(p + 16), xf_get_le32(p + 20),
				  xf_get_le32(p + 24) },
		};

		xf_vcpu_cpuid_add(out, &entry);
	}
}

static struct xf_field field_at(const struct file *file, uint64_t at)
{
	return (struct xf_field){ xf_get_le64(file->bytes + at), at, 8 };
}

/* struct kvm_xcrs: how many, flags, then the number, four bytes and the value of each. */
static struct xf_error *read_xcr0(const struct file *file, uint64_t xcrs, struct xf_field *out)
{
	uint32_t count = xf_get_le32(file->bytes + xcrs);

	if (count > XCRS_MAX)
		return xf_error_at(XF_ERR_DAMAGED, file->path, xcrs,
				   "%" PRIu32 " extended control registers: %u are the most", count,
				   XCRS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = xcrs + XCRS_FIRST + 16 * (uint64_t)i;

		if (xf_get_le32(file->bytes + at) == 0) {
			*out = field_at(file, at + 8);
			return NULL;
		}
	}
	return NULL;
}

/* The area in one piece: of the file's own bytes, or put together in `*whole`. */
static struct xf_error *area_of(const struct file *file, const struct xf_firecracker_vcpu *found,
				uint8_t **whole, struct xf_area_bytes *area)
{
	uint64_t extra = found->extra_count * 4;

	area->address = found->area;
	area->bytes = file->bytes + found->area;
	area->size = XF_FIRECRACKER_REGION + extra;
	if (!extra)
		return NULL;
	*whole = malloc(area->size);
	if (!*whole)
		return xf_error_memory();
	memcpy(*whole, area->bytes, XF_FIRECRACKER_REGION);
	memcpy(*whole + XF_FIRECRACKER_REGION, file->bytes + found->extra, extra);
	area->bytes = *whole;
	return NULL;
}

/* A field's place in the file, if it lies there in one piece. */
static void place_field(const struct xf_firecracker_vcpu *found, struct xf_field *field)
{
	uint64_t offset = field->offset - found->area;

	if (!field->size || offset + field->size <= XF_FIRECRACKER_REGION)
		return;
	if (offset < XF_FIRECRACKER_REGION)
		*field = (struct xf_field){ 0 };
	else
		field->offset = found->extra + offset - XF_FIRECRACKER_REGION;
}

static struct xf_error *read_vcpu(const struct file *file, size_t index,
				  struct xf_cpuid_evidence *evidence, struct xf_vcpu *out)
{
	const struct xf_firecracker_vcpu *found = &file->found.vcpus[index];
	XF_AUTO_FREE uint8_t *whole = NULL;
	char name[40];
	struct xf_area_bytes area = { .file = file->path, .name = name };
	struct xf_vcpu_cpuid cpuid;
	struct xf_layout layout;
	struct xf_vcpu vcpu = { 0 };

	snprintf(name, sizeof(name), "XSAVE area of vCPU %zu", index);
	gather_cpuid(file, found, &cpuid);
	xf_cpuid_evidence_add(evidence, &cpuid);
	XF_TRY(area_of(file, found, &whole, &area));

	bool has_layout = xf_vcpu_cpuid_layout(&cpuid, &layout);

	XF_TRY(xf_vcpu_of_area(&area, has_layout ? &layout : NULL, (uint32_t)index, &vcpu));
	place_field(found, &vcpu.pkru);
	XF_TRY(read_xcr0(file, found->xcrs, &vcpu.xcr0));
	vcpu.cr4 = field_at(file, found->sregs + SREGS_CR4);
	*out = vcpu;
	return NULL;
}

/* ---- The record ---- */

static struct xf_error *read_vcpus(const struct file *file, struct xf_record *record)
{
	struct xf_cpuid_evidence evidence = { 0 };

	record->vcpus = calloc(file->found.count, sizeof(*record->vcpus));
	if (!record->vcpus)
		return xf_error_memory();
	for (size_t i = 0; i < file->found.count; i++)
		XF_TRY(read_vcpu(file, i, &evidence, &record->vcpus[i]));
	record->vcpu_count = file->found.count;
	return xf_cpuid_evidence_end(&evidence, "the CPUID in the snapshot", &record->evidence);
}

static struct xf_error *fill(const struct file *file, struct xf_record *record)
{
	struct own *own = malloc(sizeof(*own));

	record->own = own;
	record->title = xf_text("snapshot of Firecracker %s", file->layout->releases);
	if (!own || !record->title)
		return xf_error_memory();
	*own = (struct own){ file->crc, file->size };
	record->found_by = XF_FOUND_STRUCTURE;
	return read_vcpus(file, record);
}

static void record_deinit(struct xf_record *record)
{
	xf_record_deinit(record, &xf_format_firecracker);
}

static struct xf_error *read_snapshot(struct xf_input *input, struct xf_record *out)
{
	XF_AUTO(file_deinit) struct file file = { 0 };
	XF_AUTO(record_deinit) struct xf_record record = { 0 };

	XF_TRY(read_file(input, &file));
	XF_TRY(fill(&file, &record));
	*out = record;
	record = (struct xf_record){ 0 };
	return NULL;
}

/* ---- Repair ---- */

/* The CRC of `count` zeros behind what `crc` is of. */
static uint64_t crc_of_zeros(uint64_t crc, uint64_t count)
{
	static const uint8_t zeros[4096];

	for (; count > sizeof(zeros); count -= sizeof(zeros))
		crc = xf_crc64(crc, zeros, sizeof(zeros));
	return xf_crc64(crc, zeros, count);
}

/* A CRC is linear: what the edits change in it is the CRC of what they change, and zeros. */
static uint64_t crc_change(const struct xf_edit *edits, size_t count, uint64_t end)
{
	uint8_t change[XF_EDIT_MAX];
	uint64_t crc = 0;
	uint64_t at = count ? edits[0].offset : end;

	for (size_t i = 0; i < count; i++) {
		crc = crc_of_zeros(crc, edits[i].offset - at);
		for (uint32_t j = 0; j < edits[i].length; j++)
			change[j] = edits[i].old_bytes[j] ^ edits[i].new_bytes[j];
		crc = xf_crc64(crc, change, edits[i].length);
		at = xf_edit_end(&edits[i]);
	}
	return crc_of_zeros(crc, end - at);
}

static struct xf_error *place(const struct xf_state *state, const struct xf_edit *edits,
			      size_t count, struct xf_edit_list *out)
{
	const struct own *own = state->record.own;
	struct xf_edit crc = { .offset = own->crc_offset, .length = CRC_SIZE };

	for (size_t i = 0; i < count; i++)
		XF_TRY(xf_edit_list_add(out, &edits[i]));
	xf_put_le64(crc.old_bytes, own->crc);
	xf_put_le64(crc.new_bytes, own->crc ^ crc_change(edits, count, own->crc_offset));
	return xf_edit_list_add(out, &crc);
}

const struct xf_format xf_format_firecracker = {
	.name = "firecracker",
	.title = "Firecracker snapshot",
	.recognise = recognise,
	.read = read_snapshot,
	.place = place,
	.free_own = free,
};
