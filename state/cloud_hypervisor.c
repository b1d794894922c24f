/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cloud Hypervisor's snapshot: a directory whose state.json is a tree,
 *
 *	{"snapshots": {"cpu-manager": {"snapshots": {"0": {…, "snapshot_data": STATE}, …}}, …}, …}
 *
 * with each vCPU's own JSON inside: since 39 as a string, {"state": "{\"Kvm\":…"}; from 29 to 38
 * as an array of its bytes, [123,34,…]; before that, {"vcpu": {"snapshot": [123,34,…]}}. The
 * vCPUs' CPUID is in it, so it is its own evidence.
 *
 * A number is changed where it stands: its digits, with blanks behind them, which JSON allows
 * there. An address is where a field's first digit stands in the file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "core/bytes.h"
#include "state/cloud_hypervisor_vcpu.h"
#include "state/contents.h"
#include "state/json_walk.h"
#include "state/state.h"

/* 254 vCPUs take 16 MB where each is an array of bytes, 5 to 11 MB where it is a string. */
#define MAX_SIZE ((size_t)128 << 20)
/* One vCPU's state: 22 to 44 KB, and 8192 numbers more with nested virtualisation. */
#define MAX_VCPU_TEXT ((size_t)1 << 20)
#define MAX_VCPUS 8192

#define VCPU "snapshots/cpu-manager/snapshots/*"

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool recognise(const uint8_t *head, size_t size)
{
	static const char key[] = "\"snapshots\"";
	size_t at = 0;

	while (at < size && is_blank(head[at]))
		at++;
	return at < size && head[at] == '{' && memmem(head, size, key, sizeof(key) - 1);
}

/* The key has an object; in other JSON it may be a mere word. */
static bool is_state(const uint8_t *head, size_t size)
{
	static const char key[] = "\"snapshots\"";
	const uint8_t *end = head + size;
	const uint8_t *p = memmem(head, size, key, sizeof(key) - 1);

	if (!p)
		return false;
	for (p += sizeof(key) - 1; p < end && is_blank(*p); p++)
		;
	if (p == end || *p++ != ':')
		return false;
	while (p < end && is_blank(*p))
		p++;
	return p < end && *p == '{';
}

/* ---- The tree ---- */

/* What stays of a vCPU that was read. */
struct kept {
	struct xf_vcpu vcpu;
	struct xf_ch_numbers numbers;
};

struct reading {
	const char *text;
	bool manager;  /* the vCPUs' part was there */
	bool has_name; /* inside a vCPU */
	bool has_state;
	bool in_bytes; /* in an array that is a vCPU's state */
	uint32_t id;
	struct xf_spelled state;
	struct kept *kept;
	size_t count;
	size_t room;
	struct xf_cpuid_evidence evidence;
};

static void reading_deinit(struct reading *reading)
{
	xf_spelled_deinit(&reading->state);
	free(reading->kept);
}

/* "12", before 29 "012". */
static struct xf_error *begin_vcpu(struct reading *reading, const struct xf_json_path *path,
				   const struct xf_json_value *value)
{
	const char *key = path->levels[3].key;
	char *end;
	unsigned long id = strtoul(key, &end, 10);

	if (value->kind != XF_JSON_MAP || *key < '0' || *key > '9' || *end || id >= MAX_VCPUS)
		return xf_json_damaged(path, value, "expected a vCPU with its number, not '%s'",
				       key);
	reading->id = (uint32_t)id;
	reading->has_state = false;
	return NULL;
}

static struct xf_error *add_vcpu(struct reading *reading, const struct xf_ch_vcpu *vcpu)
{
	if (reading->count == reading->room) {
		size_t room = reading->room ? reading->room * 2 : 16;
		struct kept *kept = reallocarray(reading->kept, room, sizeof(*reading->kept));

		if (!kept)
			return xf_error_memory();
		reading->kept = kept;
		reading->room = room;
	}
	reading->kept[reading->count++] = (struct kept){ vcpu->vcpu, vcpu->numbers };
	xf_cpuid_evidence_add(&reading->evidence, &vcpu->cpuid);
	return NULL;
}

/* The vCPU's own JSON has been gathered. */
static struct xf_error *end_state(struct reading *reading, const struct xf_json_path *path,
				  const struct xf_json_value *value)
{
	struct xf_ch_vcpu vcpu;

	if (reading->has_state)
		return xf_json_damaged(path, value, "vCPU %" PRIu32 "'s state is there twice",
				       reading->id);
	XF_TRY(xf_ch_vcpu_read(path->file, reading->id, &reading->state, &vcpu));
	XF_TRY(add_vcpu(reading, &vcpu));
	reading->has_state = true;
	xf_spelled_deinit(&reading->state);
	return NULL;
}

static struct xf_error *too_large(const struct reading *reading, const struct xf_json_path *path,
				  const struct xf_json_value *value)
{
	return xf_json_damaged(path, value, "vCPU %" PRIu32 "'s state has more than %zu KiB",
			       reading->id, MAX_VCPU_TEXT >> 10);
}

static struct xf_error *read_string(struct reading *reading, const struct xf_json_path *path,
				    const struct xf_json_value *value)
{
	if (value->end - value->at > MAX_VCPU_TEXT)
		return too_large(reading, path, value);
	XF_TRY(xf_spelled_add_string(&reading->state, reading->text, value->at, value->end));
	return end_state(reading, path, value);
}

static struct xf_error *read_byte(struct reading *reading, const struct xf_json_path *path,
				  const struct xf_json_value *value)
{
	const struct xf_spelling spelling = { (uint32_t)value->at, (uint8_t)value->size };
	uint64_t byte = 0;

	XF_TRY(xf_json_uint(path, value, UINT8_MAX, &byte));
	if (value->size > 3)
		return xf_json_damaged(path, value, "a byte of %zu digits", value->size);
	if (reading->state.size == MAX_VCPU_TEXT)
		return too_large(reading, path, value);
	reading->state.as_numbers = true;
	return xf_spelled_add(&reading->state, (char)byte, spelling);
}

static struct xf_error *end_vcpu(const struct reading *reading, const struct xf_json_path *path)
{
	if (!reading->has_state)
		return xf_error_new(XF_ERR_FORMAT, path->file,
				    "vCPU %" PRIu32
				    " has no state as Cloud Hypervisor 26 to 53 write it",
				    reading->id);
	return NULL;
}

/* An array that is a vCPU's state. */
static bool is_bytes(const struct xf_json_path *path)
{
	return xf_json_path_is(path, VCPU "/snapshot_data") ||
	       xf_json_path_is(path, VCPU "/snapshot_data/vcpu/snapshot");
}

static struct xf_error *note_manager(struct reading *reading, const struct xf_json_path *path,
				     const struct xf_json_value *value)
{
	if (reading->manager)
		return xf_json_damaged(path, value, "'cpu-manager' is there twice");
	reading->manager = true;
	return NULL;
}

static struct xf_error *on_value(void *data, const struct xf_json_path *path,
				 const struct xf_json_value *value)
{
	struct reading *reading = data;

	if (path->depth == 2 && value->kind != XF_JSON_END &&
	    xf_json_path_is(path, "snapshots/cpu-manager"))
		return note_manager(reading, path, value);
	if (path->depth < 4 || strcmp(path->levels[1].key, "cpu-manager") != 0)
		return NULL;
	if (reading->in_bytes) {
		reading->in_bytes = value->kind != XF_JSON_END;
		return reading->in_bytes ? read_byte(reading, path, value)
					 : end_state(reading, path, value);
	}
	if (xf_json_path_is(path, VCPU))
		return value->kind == XF_JSON_END ? end_vcpu(reading, path)
						  : begin_vcpu(reading, path, value);
	if (value->kind == XF_JSON_STRING && xf_json_path_is(path, VCPU "/snapshot_data/state"))
		return read_string(reading, path, value);
	reading->in_bytes = value->kind == XF_JSON_ARRAY && is_bytes(path);
	return NULL;
}

/* ---- The record ---- */

static int by_index(const void *a, const void *b)
{
	const struct kept *one = a, *other = b;

	return (one->vcpu.index > other->vcpu.index) - (one->vcpu.index < other->vcpu.index);
}

/* The file has them in the order of their names: "0", "1", "10", "2". */
static struct xf_error *sort_vcpus(const char *file, struct reading *reading)
{
	qsort(reading->kept, reading->count, sizeof(*reading->kept), by_index);
	for (size_t i = 1; i < reading->count; i++)
		if (reading->kept[i].vcpu.index == reading->kept[i - 1].vcpu.index)
			return xf_error_new(XF_ERR_DAMAGED, file, "vCPU %" PRIu32 " is there twice",
					    reading->kept[i].vcpu.index);
	return NULL;
}

static struct xf_error *fill(const struct reading *reading, struct xf_record *record)
{
	struct xf_ch_numbers *numbers = calloc(reading->count, sizeof(*numbers));

	record->own = numbers;
	record->vcpus = calloc(reading->count, sizeof(*record->vcpus));
	if (!numbers || !record->vcpus)
		return xf_error_memory();
	for (size_t i = 0; i < reading->count; i++) {
		record->vcpus[i] = reading->kept[i].vcpu;
		numbers[i] = reading->kept[i].numbers;
	}
	record->vcpu_count = reading->count;
	record->found_by = XF_FOUND_STRUCTURE;
	return xf_cpuid_evidence_end(&reading->evidence, "the CPUID in the snapshot",
				     &record->evidence);
}

static void record_deinit(struct xf_record *record)
{
	xf_record_deinit(record, &xf_format_cloud_hypervisor);
}

static struct xf_error *read_snapshot(struct xf_input *input, struct xf_record *out)
{
	XF_AUTO_FREE uint8_t *text = NULL;
	XF_AUTO(reading_deinit) struct reading reading = { 0 };
	XF_AUTO(record_deinit) struct xf_record record = { 0 };
	struct xf_json_reader reader = { on_value, &reading };
	size_t size = 0;

	XF_TRY(xf_input_contents(input, MAX_SIZE, "a Cloud Hypervisor snapshot", &text, &size));
	reading.text = (const char *)text;
	XF_TRY(xf_json_walk(input->path, NULL, reading.text, size, &reader));
	if (!reading.count)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    reading.manager ? "holds no vCPUs"
						    : "is JSON without the 'cpu-manager' of a "
						      "Cloud Hypervisor snapshot");
	XF_TRY(sort_vcpus(input->path, &reading));
	XF_TRY(fill(&reading, &record));
	*out = record;
	record = (struct xf_record){ 0 };
	return NULL;
}

/* ---- Repair ---- */

static bool is_of(const struct xf_ch_numbers *numbers, const struct xf_edit *edit)
{
	return edit->offset == numbers->xstate_bv ||
	       (numbers->pkru.count && edit->offset == numbers->pkru_at);
}

static struct xf_error *place_edit(const struct xf_ch_numbers *numbers, const char *file,
				   const struct xf_edit *edit, struct xf_edit_list *out)
{
	if (edit->offset != numbers->xstate_bv)
		return xf_digits_edit(&numbers->pkru, file, xf_get_le32(edit->new_bytes), out);
	XF_TRY(xf_digits_edit(&numbers->low, file, xf_get_le32(edit->new_bytes), out));
	return xf_digits_edit(&numbers->high, file, xf_get_le32(edit->new_bytes + 4), out);
}

static int by_offset(const void *a, const void *b)
{
	const struct xf_edit *one = a, *other = b;

	return (one->offset > other->offset) - (one->offset < other->offset);
}

static struct xf_error *place(const struct xf_state *state, const struct xf_edit *edits,
			      size_t count, struct xf_edit_list *out)
{
	const struct xf_ch_numbers *numbers = state->record.own;
	size_t vcpu = 0;

	/* They come vCPU by vCPU. */
	for (size_t i = 0; i < count; i++) {
		while (vcpu < state->record.vcpu_count && !is_of(&numbers[vcpu], &edits[i]))
			vcpu++;
		if (vcpu == state->record.vcpu_count)
			return xf_error_at(XF_ERR_REFUSED, state->name, edits[i].offset,
					   "no vCPU has a number here");
		XF_TRY(place_edit(&numbers[vcpu], state->name, &edits[i], out));
	}
	qsort(out->edits, out->count, sizeof(*out->edits), by_offset);
	return NULL;
}

const struct xf_format xf_format_cloud_hypervisor = {
	.name = "cloud-hypervisor",
	.title = "Cloud Hypervisor snapshot",
	.recognise = recognise,
	.is_state = is_state,
	.read = read_snapshot,
	.place = place,
	.free_own = free,
};
