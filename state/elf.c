/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ELF core dumps of x86-64 Linux: of each thread a note NT_X86_XSTATE, which is its XSAVE
 * area in the standard format, with the kernel's XCR0 in the bytes for software; since 6.12 one
 * NT_X86_XSAVE_LAYOUT, which tells where the components lie. For reading only.
 */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "base/io.h"
#include "base/scope.h"
#include "core/bytes.h"
#include "state/area_vcpu.h"
#include "state/format.h"
#include "state/process.h"

/* Of these some elf.h have no name. */
#define NOTE_XSTATE 0x202
#define NOTE_XSAVE_LAYOUT 0x205

#define HEADER_SIZE 64
#define SEGMENT_SIZE 56
#define SECTION_SIZE 64
#define NOTE_SIZE 12
#define FEATURE_SIZE 16 /* of NT_X86_XSAVE_LAYOUT, one component */
#define OWNER "LINUX"
#define OWNER_SIZE sizeof(OWNER) /* with its '\0' */

/* What is looked at is bounded, whatever the file says: Linux has 4 million threads at most. */
#define MAX_NOTES (1u << 20)
#define MAX_THREADS (1u << 16)
#define MAX_SEGMENTS (1u << 20)

static uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* Where a note's content lies in the file; size 0: there is none. */
struct note {
	uint64_t offset;
	uint32_t size;
};

/* What a walk through the notes has come to. */
struct walk {
	const struct xf_input *input;
	size_t seen;
	uint64_t taken; /* bytes of all notes: no more than the file has, unless they overlap */
	struct note *threads;
	size_t count;
	size_t room;
	struct note layout;
};

static void walk_deinit(struct walk *walk)
{
	free(walk->threads);
}

static bool recognise(const uint8_t *head, size_t size)
{
	return size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static bool is_state(const uint8_t *head, size_t size)
{
	return size < HEADER_SIZE || get_le16(head + 16) == ET_CORE;
}

/* ---- The header ---- */

static struct xf_error *check_header(const struct xf_input *input)
{
	const uint8_t *head = input->head;

	if (input->head_size < HEADER_SIZE)
		return xf_error_new(XF_ERR_DAMAGED, input->path,
				    "is an ELF file of %zu bytes, shorter than its header",
				    input->head_size);
	if (head[EI_CLASS] == ELFCLASS32)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    "is a 32-bit ELF file: core dumps of x86-64 are read");
	if (head[EI_DATA] == ELFDATA2MSB)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    "is a big-endian ELF file: core dumps of x86-64 are read");
	if (head[EI_CLASS] != ELFCLASS64 || head[EI_DATA] != ELFDATA2LSB)
		return xf_error_new(XF_ERR_DAMAGED, input->path,
				    "is an ELF file of class %u and encoding %u, which are none",
				    head[EI_CLASS], head[EI_DATA]);
	if (get_le16(head + 18) != EM_X86_64)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    "is an ELF file for machine %u: core dumps of x86-64 are read",
				    get_le16(head + 18));
	if (get_le16(head + 16) != ET_CORE)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    "is an ELF file, but no core dump (type %u)",
				    get_le16(head + 16));
	if (!input->seekable)
		return xf_error_new(XF_ERR_USAGE, input->path,
				    "a core dump cannot be read from a pipe: save it to a file "
				    "first");
	return NULL;
}

/* More segments than 16 bits can count are counted by the first section. */
static struct xf_error *segment_count(const struct xf_input *input, uint64_t *out)
{
	uint16_t count = get_le16(input->head + 56);
	uint64_t sections = xf_get_le64(input->head + 40);
	uint8_t section[SECTION_SIZE];

	*out = count;
	if (count != PN_XNUM)
		return NULL;
	XF_TRY(xf_read_at(input->fd, input->path, sections, section, sizeof(section)));
	*out = xf_get_le32(section + 44);
	if (*out > MAX_SEGMENTS)
		return xf_error_at(XF_ERR_FORMAT, input->path, sections + 44,
				   "%" PRIu64 " segments: %u are read at most", *out, MAX_SEGMENTS);
	return NULL;
}

/* ---- The notes ---- */

static struct xf_error *add_thread(struct walk *walk, const struct note *note)
{
	if (walk->count == MAX_THREADS)
		return xf_error_new(XF_ERR_FORMAT, walk->input->path,
				    "has more than %u threads: not read", MAX_THREADS);
	if (walk->count == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 16;
		struct note *threads = realloc(walk->threads, room * sizeof(*threads));

		if (!threads)
			return xf_error_memory();
		walk->threads = threads;
		walk->room = room;
	}
	walk->threads[walk->count++] = *note;
	return NULL;
}

static struct xf_error *take_note(struct walk *walk, uint32_t type, const struct note *note)
{
	if (type == NOTE_XSTATE)
		return add_thread(walk, note);
	if (type != NOTE_XSAVE_LAYOUT)
		return NULL;
	if (walk->layout.size)
		return xf_error_at(XF_ERR_DAMAGED, walk->input->path, note->offset,
				   "a second NT_X86_XSAVE_LAYOUT: a process has one");
	walk->layout = *note;
	return NULL;
}

/* One note at `at`; what follows it begins at `*next`. */
static struct xf_error *read_note(struct walk *walk, uint64_t at, uint64_t end, uint64_t align,
				  uint64_t *next)
{
	const struct xf_input *input = walk->input;
	uint8_t bytes[NOTE_SIZE + OWNER_SIZE] = { 0 };
	size_t some = end - at < sizeof(bytes) ? (size_t)(end - at) : sizeof(bytes);

	if (++walk->seen > MAX_NOTES)
		return xf_error_at(XF_ERR_FORMAT, input->path, at, "more than %u notes: not read",
				   MAX_NOTES);
	if (some < NOTE_SIZE)
		return xf_error_at(XF_ERR_DAMAGED, input->path, at,
				   "%zu bytes are left of the notes: a note has %u at least", some,
				   NOTE_SIZE);
	XF_TRY(xf_read_at(input->fd, input->path, at, bytes, some));

	uint64_t owner = xf_get_le32(bytes);
	struct note note = { .size = xf_get_le32(bytes + 4) };
	uint64_t room = end - at - NOTE_SIZE;

	note.offset = at + NOTE_SIZE + ((owner + align - 1) & ~(align - 1));
	if (owner > room || note.offset > end || note.size > end - note.offset)
		return xf_error_at(XF_ERR_DAMAGED, input->path, at,
				   "a note of %" PRIu64 " and %" PRIu32
				   " bytes ends behind its segment",
				   owner, note.size);
	walk->taken += NOTE_SIZE + note.size;
	if (walk->taken > input->size)
		return xf_error_at(XF_ERR_DAMAGED, input->path, at,
				   "the notes have more bytes than the file: they overlap");
	if (owner == OWNER_SIZE && memcmp(bytes + NOTE_SIZE, OWNER, OWNER_SIZE) == 0)
		XF_TRY(take_note(walk, xf_get_le32(bytes + 8), &note));
	*next = note.offset + ((note.size + align - 1) & ~(align - 1));
	return NULL;
}

static struct xf_error *walk_segment(struct walk *walk, const uint8_t *segment, uint64_t place)
{
	uint64_t at = xf_get_le64(segment + 8), size = xf_get_le64(segment + 32);
	/* Linux writes notes in units of 4 bytes; 8 is for those who say so. */
	uint64_t align = xf_get_le64(segment + 48) == 8 ? 8 : 4;
	uint64_t whole = walk->input->size;

	if (xf_get_le32(segment) != PT_NOTE)
		return NULL;
	if (at > whole || size > whole - at)
		return xf_error_at(XF_ERR_DAMAGED, walk->input->path, place,
				   "the notes are said to end at byte %" PRIu64
				   ", and the file ends at %" PRIu64,
				   at + size < at ? UINT64_MAX : at + size, whole);
	for (uint64_t end = at + size; at < end;)
		XF_TRY(read_note(walk, at, end, align, &at));
	return NULL;
}

static struct xf_error *walk_segments(struct walk *walk)
{
	const struct xf_input *input = walk->input;
	uint64_t table = xf_get_le64(input->head + 32), count = 0;
	uint8_t segment[SEGMENT_SIZE];

	if (get_le16(input->head + 54) != SEGMENT_SIZE)
		return xf_error_at(XF_ERR_DAMAGED, input->path, 54,
				   "its segments' headers have %u bytes: %u were expected",
				   get_le16(input->head + 54), SEGMENT_SIZE);
	XF_TRY(segment_count(input, &count));
	if (table > input->size || count * SEGMENT_SIZE > input->size - table)
		return xf_error_at(XF_ERR_DAMAGED, input->path, 32,
				   "%" PRIu64 " segments' headers at byte %" PRIu64
				   " end behind the file's %" PRIu64 " bytes",
				   count, table, input->size);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t place = table + i * SEGMENT_SIZE;

		XF_TRY(xf_read_at(input->fd, input->path, place, segment, sizeof(segment)));
		XF_TRY(walk_segment(walk, segment, place));
	}
	return NULL;
}

/* ---- What they tell ---- */

static struct xf_error *read_layout(const struct walk *walk, struct xf_layout *out)
{
	const struct xf_input *input = walk->input;
	const struct note *note = &walk->layout;
	struct xf_cpuid_regs sub[XF_BITS] = { 0 };
	uint8_t bytes[FEATURE_SIZE * XF_BITS];

	if (note->size % FEATURE_SIZE || note->size > sizeof(bytes))
		return xf_error_at(XF_ERR_DAMAGED, input->path, note->offset,
				   "NT_X86_XSAVE_LAYOUT has %" PRIu32
				   " bytes: up to %d times %d were expected",
				   note->size, XF_BITS, FEATURE_SIZE);
	XF_TRY(xf_read_at(input->fd, input->path, note->offset, bytes, note->size));
	for (const uint8_t *p = bytes; p < bytes + note->size; p += FEATURE_SIZE) {
		uint32_t bit = xf_get_le32(p);

		if (bit < XF_BITS)
			sub[bit] = (struct xf_cpuid_regs){
				.eax = xf_get_le32(p + 4),
				.ebx = xf_get_le32(p + 8),
				.ecx = xf_get_le32(p + 12),
			};
	}
	if (xf_layout_from_cpuid(sub, XF_BITS, out) != XF_LAYOUT_OK)
		return xf_error_at(XF_ERR_DAMAGED, input->path, note->offset,
				   "NT_X86_XSAVE_LAYOUT is not a layout that a CPU can have");
	return NULL;
}

static struct xf_error *read_thread(const struct walk *walk, size_t i,
				    const struct xf_layout *layout, struct xf_vcpu *out)
{
	const struct xf_input *input = walk->input;
	const struct note *note = &walk->threads[i];
	XF_AUTO_FREE uint8_t *bytes = NULL;

	if (note->size > XF_AREA_MAX)
		return xf_error_at(XF_ERR_DAMAGED, input->path, note->offset,
				   "NT_X86_XSTATE has %" PRIu32 " bytes: no XSAVE area has more "
				   "than %u",
				   note->size, XF_AREA_MAX);
	bytes = malloc(note->size + (size_t)1);
	if (!bytes)
		return xf_error_memory();
	XF_TRY(xf_read_at(input->fd, input->path, note->offset, bytes, note->size));

	const struct xf_area_bytes area = {
		.file = input->path,
		.name = "NT_X86_XSTATE of a thread",
		.bytes = bytes,
		.size = note->size,
		.address = note->offset,
	};

	XF_TRY(xf_vcpu_of_area(&area, layout, (uint32_t)i, out));

	uint64_t xcr0 = xf_get_le64(bytes + XF_SW_RESERVED_OFFSET);

	if (xcr0)
		out->xcr0 = (struct xf_field){ xcr0, note->offset + XF_SW_RESERVED_OFFSET, 8 };
	return NULL;
}

static struct xf_error *read_threads(const struct walk *walk, struct xf_vcpu *vcpus)
{
	struct xf_layout layout;
	bool has_layout = walk->layout.size != 0;

	if (has_layout)
		XF_TRY(read_layout(walk, &layout));
	for (size_t i = 0; i < walk->count; i++)
		XF_TRY(read_thread(walk, i, has_layout ? &layout : NULL, &vcpus[i]));
	return NULL;
}

static struct xf_error *read_core(struct xf_input *input, struct xf_record *out)
{
	XF_AUTO(walk_deinit) struct walk walk = { .input = input };
	XF_AUTO_FREE struct xf_vcpu *vcpus = NULL;

	XF_TRY(check_header(input));
	XF_TRY(walk_segments(&walk));
	if (!walk.count)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    "is a core dump without NT_X86_XSTATE, so that it does not "
				    "tell what is in use (QEMU's dump-guest-memory writes none)");
	vcpus = calloc(walk.count, sizeof(*vcpus));
	if (!vcpus)
		return xf_error_memory();
	XF_TRY(read_threads(&walk, vcpus));
	XF_TRY(xf_process_evidence(vcpus, walk.count, &out->evidence));
	out->found_by = XF_FOUND_STRUCTURE;
	out->vcpu_count = walk.count;
	out->vcpus = xf_take(vcpus);
	return NULL;
}

const struct xf_format xf_format_elf = {
	.name = "elf",
	.title = "ELF core dump of a process, each thread as a vCPU",
	.recognise = recognise,
	.read = read_core,
	.read_only = true,
	.is_state = is_state,
};
