/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "state/qemu_signature.h"
#include "state/qemu_wire.h"

#define CPU_HEAD XF_QEMU_SECTION_HEAD(3)

#define refuse(tail, at, ...) \
	xf_error_at(XF_ERR_DAMAGED, (tail)->file, (tail)->offset + (at), __VA_ARGS__)

/* Whether a `cpu` section of version 12 may begin at `at`. */
static bool is_cpu(const struct xf_qemu_tail_bytes *tail, size_t at)
{
	const uint8_t *p = tail->bytes + at;

	return tail->size - at >= CPU_HEAD && p[0] == XF_QEMU_FULL &&
	       memcmp(p + 5, "\3cpu", 4) == 0 && xf_be32(p + 13) == XF_QEMU_CPU_VERSION;
}

/* Whether any section may begin at `at`. */
static bool is_section(const struct xf_qemu_tail_bytes *tail, size_t at)
{
	const uint8_t *p = tail->bytes + at;

	if (tail->size - at < 6 || p[0] != XF_QEMU_FULL || p[5] == 0 ||
	    tail->size - at < (size_t)XF_QEMU_SECTION_HEAD(p[5]))
		return false;
	for (size_t i = 0; i < p[5]; i++)
		if (p[6 + i] < ' ' || p[6 + i] >= 0x7f)
			return false;
	return true;
}

/* Whether the devices may end at `at`. */
static bool is_end(const struct xf_qemu_tail_bytes *tail, size_t at)
{
	if (tail->in_package)
		return at == tail->size || tail->bytes[at] == XF_QEMU_COMMAND;
	return at < tail->size && tail->bytes[at] == XF_QEMU_EOF;
}

static size_t without_zeros(const struct xf_qemu_tail_bytes *tail)
{
	size_t size = tail->size;

	while (size > 0 && tail->bytes[size - 1] == 0)
		size--;
	return size;
}

bool xf_qemu_signature_footers(const struct xf_qemu_tail_bytes *tail)
{
	size_t end = without_zeros(tail);

	/* 7e, an id that may end in zeros, and the EOF mark. */
	for (size_t i = 1; i <= XF_QEMU_FOOTER_SIZE && i <= end; i++)
		if (tail->bytes[end - i] == XF_QEMU_FOOTER &&
		    tail->size - (end - i) > XF_QEMU_FOOTER_SIZE)
			return true;
	return false;
}

/* Looks for `id`'s footer with something sensible behind it, from `at` on. */
static bool find_footer(const struct xf_qemu_tail_bytes *tail, size_t at, uint32_t id, size_t *end)
{
	while (at + XF_QEMU_FOOTER_SIZE <= tail->size) {
		const uint8_t *p = memchr(tail->bytes + at, XF_QEMU_FOOTER, tail->size - at);

		if (!p)
			return false;
		at = (size_t)(p - tail->bytes);

		size_t behind = at + XF_QEMU_FOOTER_SIZE;

		if (behind <= tail->size && xf_be32(p + 1) == id &&
		    (is_section(tail, behind) || is_end(tail, behind))) {
			*end = behind;
			return true;
		}
		at++;
	}
	return false;
}

/*
 * Reads the section at `at` by its fixed layout, subsections by name up to
 * what cannot be one. `*end` is behind the footer, if there is one.
 */
static struct xf_error *read_cpu(const struct xf_qemu_tail_bytes *tail, size_t at, bool footers,
				 struct xf_vcpu *out, size_t *end)
{
	const uint8_t *bytes = tail->bytes;
	size_t payload = at + CPU_HEAD;
	size_t p = payload + XF_QEMU_CPU_FIELDS;
	uint32_t id = xf_be32(bytes + at + 1);
	struct xf_qemu_cpu cpu;

	xf_qemu_cpu_init(&cpu);
	while (p < tail->size && bytes[p] == XF_QEMU_SUBSECTION) {
		const struct xf_qemu_cpu_subsection *kind = NULL;
		size_t length = p + 2 <= tail->size ? bytes[p + 1] : 0;
		size_t fields = p + XF_QEMU_SUBSECTION_HEAD(length);

		if (fields <= tail->size)
			kind = xf_qemu_cpu_subsection((const char *)bytes + p + 2, length);
		if (!kind)
			return refuse(tail, p, "a subsection of a vCPU that is not known");
		if (tail->size - fields < kind->size)
			return refuse(tail, p, "the file ends in the subsection '%s'", kind->name);
		xf_qemu_cpu_add(&cpu, kind, (uint32_t)(fields - payload));
		p = fields + kind->size;
	}
	if (footers) {
		if (p + XF_QEMU_FOOTER_SIZE > tail->size || bytes[p] != XF_QEMU_FOOTER ||
		    xf_be32(bytes + p + 1) != id)
			return refuse(tail, p < tail->size ? p : tail->size,
				      "the end of a vCPU's section is expected here");
		p += XF_QEMU_FOOTER_SIZE;
	}
	if (p > tail->size || (!is_section(tail, p) && !is_end(tail, p)))
		return refuse(tail, p < tail->size ? p : tail->size,
			      "the section behind a vCPU's is expected here");
	xf_qemu_cpu_read(&cpu, bytes + payload, tail->offset + payload, xf_be32(bytes + at + 9),
			 out);
	*end = p;
	return NULL;
}

/* How many places before `size` look like the start of a `cpu` section. */
static size_t count_look_alikes(const struct xf_qemu_tail_bytes *tail, size_t size)
{
	const uint8_t *p = tail->bytes;
	size_t count = 0;

	for (;;) {
		p = memmem(p, size - (size_t)(p - tail->bytes), "\3cpu", 4);
		if (!p)
			return count;
		if (p - tail->bytes >= 5 && is_cpu(tail, (size_t)(p - tail->bytes) - 5))
			count++;
		p++;
	}
}

/* ---- Finding them ---- */

struct search {
	const struct xf_qemu_tail_bytes *tail;
	struct xf_vcpu *vcpus; /* room for as many as there are look-alikes */
	size_t count;
	size_t room;
	uint32_t last_id; /* of the vCPU before */
	uint32_t *ids;	  /* of all sections, where they are followed */
	size_t id_count;
	size_t id_room;
};

static struct xf_error *note_id(struct search *search, uint32_t id)
{
	if (search->id_count == search->id_room) {
		size_t room = search->id_room ? 2 * search->id_room : 256;
		uint32_t *ids = reallocarray(search->ids, room, sizeof(*ids));

		if (!ids)
			return xf_error_memory();
		search->ids = ids;
		search->id_room = room;
	}
	search->ids[search->id_count++] = id;
	return NULL;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/*
 * Each section's id is its own. A section planted in a device's data shows here: to
 * lead back to the footer of the section that it lies in, one must have that id again.
 */
static struct xf_error *check_ids(struct search *search)
{
	qsort(search->ids, search->id_count, sizeof(*search->ids), compare_ids);
	for (size_t i = 1; i < search->id_count; i++)
		if (search->ids[i] == search->ids[i - 1])
			return refuse(search->tail, 0,
				      "the stream has no description, and two sections have the "
				      "id %u: which is real cannot be told",
				      search->ids[i]);
	return NULL;
}

static struct xf_error *take_cpu(struct search *search, size_t at, bool footers, size_t *end)
{
	uint32_t id = xf_be32(search->tail->bytes + at + 1);

	if (search->count == search->room)
		return refuse(search->tail, at, "a vCPU's section more than there can be");
	/* Ids are given out in the order in which things are made, and written in it. */
	if (search->count && id <= search->last_id)
		return refuse(search->tail, at, "the section of a vCPU has an id out of order");
	XF_TRY(read_cpu(search->tail, at, footers, &search->vcpus[search->count], end));
	search->last_id = id;
	search->count++;
	return NULL;
}

/* From section to section. Only here a cpu section is where a section must begin. */
static struct xf_error *follow_sections(struct search *search, size_t *end)
{
	const struct xf_qemu_tail_bytes *tail = search->tail;
	size_t at = 0;

	while (at == 0 || !is_end(tail, at)) {
		if (!is_section(tail, at))
			return refuse(tail, at, "a device's section is expected here");
		XF_TRY(note_id(search, xf_be32(tail->bytes + at + 1)));
		if (is_cpu(tail, at)) {
			XF_TRY(take_cpu(search, at, true, &at));
			continue;
		}

		size_t head = XF_QEMU_SECTION_HEAD((size_t)tail->bytes[at + 5]);

		if (!find_footer(tail, at + head, xf_be32(tail->bytes + at + 1), &at))
			return refuse(tail, at, "a device's section begins here and has no end");
	}
	*end = at;
	if (!tail->in_package && at + 1 < tail->size && tail->bytes[at + 1] == XF_QEMU_VMDESC)
		return refuse(tail, at + 1, "the stream's description begins here and is cut off");
	return check_ids(search);
}

/*
 * Whether the file may end in the five bytes before a description's text. That
 * can be chance, and then the stream is refused for nothing.
 */
static bool is_cut_off(const struct xf_qemu_tail_bytes *tail)
{
	for (size_t i = 1; i <= XF_QEMU_VMDESC_HEAD && i < tail->size; i++)
		if (tail->bytes[tail->size - i] == XF_QEMU_VMDESC &&
		    tail->bytes[tail->size - i - 1] == XF_QEMU_EOF)
			return true;
	return false;
}

static struct xf_error *search_all(struct search *search, size_t *end)
{
	const struct xf_qemu_tail_bytes *tail = search->tail;

	/* The EOF mark; all that can be asked of a stream without footers. */
	if (tail->size == 0 || (!tail->in_package && tail->bytes[tail->size - 1] != XF_QEMU_EOF))
		return refuse(tail, tail->size, "the end of the devices is expected here");
	if (is_cut_off(tail))
		return refuse(tail, tail->size, "the stream's description may be cut off here");
	for (size_t at = 0; at < tail->size;) {
		if (is_cpu(tail, at))
			XF_TRY(take_cpu(search, at, false, &at));
		else
			at++;
	}
	*end = tail->size;
	return NULL;
}

static void search_deinit(struct search *search)
{
	free(search->ids);
}

struct xf_error *xf_qemu_signature_read(const struct xf_qemu_tail_bytes *tail, bool footers,
					struct xf_qemu_vcpus *out)
{
	size_t room = count_look_alikes(tail, tail->size);
	XF_AUTO_FREE struct xf_vcpu *vcpus = calloc(room + 1, sizeof(*vcpus));
	XF_AUTO(search_deinit)
	struct search search = { .tail = tail, .vcpus = vcpus, .room = room };
	size_t end = 0;

	if (!vcpus)
		return xf_error_memory();
	XF_TRY(footers ? follow_sections(&search, &end) : search_all(&search, &end));

	size_t look_alikes = count_look_alikes(tail, end);

	if (look_alikes == 0)
		return xf_error_at(XF_ERR_FORMAT, tail->file, tail->offset,
				   "the stream has no description, and no 'cpu' section of an "
				   "x86-64 guest behind its RAM");
	if (look_alikes != search.count)
		return refuse(tail, 0,
			      "the stream has no description, and %zu places look like the %zu "
			      "vCPUs: which are real cannot be told",
			      look_alikes, search.count);
	XF_TRY(xf_qemu_cpu_unique(vcpus, search.count, tail->file));
	*out = (struct xf_qemu_vcpus){ xf_take(vcpus), search.count };
	return NULL;
}
