/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "core/area.h"
#include "core/bytes.h"
#include "state/cloud_hypervisor_vcpu.h"
#include "state/json_walk.h"

#define REGION_WORDS 1024
#define EXTRA_WORDS ((XF_AREA_MAX - 4 * REGION_WORDS) / 4)

/* struct kvm_sregs and struct kvm_xcrs as bytes, which they are since kvm-bindings 0.8. */
#define SREGS_SIZE 312
#define SREGS_CR4 248
#define XCRS_SIZE 392
#define XCRS_FIRST 8
#define XCRS_MAX 16

/* The area's words: struct kvm_xsave has them as u32. */
struct words {
	uint32_t *values;
	uint32_t *places; /* of the first digit, in the vCPU's text */
	uint8_t *lengths;
	size_t count;
	size_t room;
};

static void words_deinit(struct words *words)
{
	free(words->values);
	free(words->places);
	free(words->lengths);
}

static bool grow(void *array, size_t room, size_t size)
{
	void **pointer = array;
	void *grown = reallocarray(*pointer, room, size);

	if (grown)
		*pointer = grown;
	return grown;
}

static struct xf_error *add_word(struct words *words, uint32_t value,
				 const struct xf_json_value *place)
{
	if (words->count == words->room) {
		size_t room = words->room ? words->room * 2 : REGION_WORDS;

		if (!grow(&words->values, room, sizeof(*words->values)) ||
		    !grow(&words->places, room, sizeof(*words->places)) ||
		    !grow(&words->lengths, room, sizeof(*words->lengths)))
			return xf_error_memory();
		words->room = room;
	}
	words->values[words->count] = value;
	words->places[words->count] = (uint32_t)place->at;
	words->lengths[words->count++] = (uint8_t)place->size;
	return NULL;
}

/* A structure that is an object in one version and an array of its bytes in another. */
struct bytes {
	uint8_t data[XCRS_SIZE];
	uint32_t places[XCRS_SIZE];
	size_t count;
};

struct xcr {
	uint64_t number;
	uint64_t value;
	uint32_t place;
};

enum part {
	PART_KVM = 1,
	PART_CPUID = 2,
	PART_XSAVE = 4,
	PART_REGION = 8,
	PART_EXTRA = 16,
	PART_XCRS = 32,
	PART_SREGS = 64,
};

/* What is gathered while the text is walked. */
struct reading {
	const struct xf_spelled *text;
	unsigned int seen; /* enum part */
	enum part within;  /* of those right under "Kvm"; 0: another */
	struct xf_vcpu_cpuid cpuid;
	uint64_t entry[7]; /* of CPUID, as they stand in `entry_keys` */
	unsigned int entry_seen;
	struct words region;
	struct words extra;
	uint64_t xcr_count;
	bool has_xcr_count;
	struct xcr xcrs[XCRS_MAX];
	struct bytes xcrs_bytes;
	struct bytes sregs_bytes;
	struct xf_field cr4;
};

static void reading_deinit(struct reading *reading)
{
	words_deinit(&reading->region);
	words_deinit(&reading->extra);
}

/* ---- What stands in the text ---- */

static const char *const entry_keys[7] = {
	"function", "index", "flags", "eax", "ebx", "ecx", "edx"
};

static const struct {
	const char *path;
	enum part part;
	enum xf_json_kind kind;
} parts[] = {
	{ "Kvm", PART_KVM, XF_JSON_MAP },
	{ "Kvm/cpuid", PART_CPUID, XF_JSON_ARRAY },
	{ "Kvm/xsave", PART_XSAVE, XF_JSON_MAP },
	{ "Kvm/xsave/region", PART_REGION, XF_JSON_ARRAY },
	{ "Kvm/xsave/extra", PART_EXTRA, XF_JSON_ARRAY },
	{ "Kvm/xcrs", PART_XCRS, XF_JSON_OTHER },
	{ "Kvm/sregs", PART_SREGS, XF_JSON_OTHER },
};

/* XF_JSON_OTHER in the table: an object or an array. */
static bool is_kind(enum xf_json_kind wanted, enum xf_json_kind kind)
{
	return wanted == kind ||
	       (wanted == XF_JSON_OTHER && (kind == XF_JSON_MAP || kind == XF_JSON_ARRAY));
}

/* Parts have one kind, and are there once. */
static struct xf_error *note_part(struct reading *reading, const struct xf_json_path *path,
				  const struct xf_json_value *value)
{
	if (path->depth == 2)
		reading->within = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!xf_json_path_is(path, parts[i].path))
			continue;
		if (!is_kind(parts[i].kind, value->kind))
			return xf_json_damaged(path, value, "'%s' is not what it should be",
					       parts[i].path);
		if (reading->seen & parts[i].part)
			return xf_json_damaged(path, value, "'%s' is there twice", parts[i].path);
		reading->seen |= parts[i].part;
		if (path->depth == 2)
			reading->within = parts[i].part;
	}
	return NULL;
}

static struct xf_error *read_entry_number(struct reading *reading, const struct xf_json_path *path,
					  const struct xf_json_value *value)
{
	for (unsigned int i = 0; i < 7; i++) {
		if (strcmp(path->levels[3].key, entry_keys[i]) != 0)
			continue;
		if (reading->entry_seen >> i & 1)
			return xf_json_damaged(path, value, "'%s' is there twice", entry_keys[i]);
		reading->entry_seen |= 1u << i;
		return xf_json_uint(path, value, UINT32_MAX, &reading->entry[i]);
	}
	return NULL;
}

static struct xf_error *end_entry(struct reading *reading, const struct xf_json_path *path,
				  const struct xf_json_value *value)
{
	const uint64_t *n = reading->entry;
	const struct xf_cpuid_entry entry = {
		.leaf = (uint32_t)n[0],
		.subleaf = (uint32_t)n[1],
		.flags = (uint32_t)n[2],
		.regs = { (uint32_t)n[3], (uint32_t)n[4], (uint32_t)n[5], (uint32_t)n[6] },
	};

	if (reading->entry_seen != (1u << 7) - 1)
		return xf_json_damaged(path, value, "a CPUID entry without all its numbers");
	xf_vcpu_cpuid_add(&reading->cpuid, &entry);
	reading->entry_seen = 0;
	return NULL;
}

static struct xf_error *read_word(struct words *words, size_t most, const struct xf_json_path *path,
				  const struct xf_json_value *value)
{
	uint64_t number = 0;

	XF_TRY(xf_json_uint(path, value, UINT32_MAX, &number));
	if (value->size > XF_DIGITS_MAX)
		return xf_json_damaged(path, value, "a number of %zu digits", value->size);
	if (words->count == most)
		return xf_json_damaged(path, value, "'%s' has more than %zu numbers",
				       path->levels[2].key, most);
	return add_word(words, (uint32_t)number, value);
}

static struct xf_error *read_byte(struct bytes *bytes, size_t size, const struct xf_json_path *path,
				  const struct xf_json_value *value)
{
	uint64_t number = 0;

	XF_TRY(xf_json_uint(path, value, UINT8_MAX, &number));
	if (bytes->count == size)
		return xf_json_damaged(path, value, "'%s' has more than %zu bytes",
				       path->levels[1].key, size);
	bytes->places[bytes->count] = (uint32_t)value->at;
	bytes->data[bytes->count++] = (uint8_t)number;
	return NULL;
}

/* "xcrs": [{"xcr": 0, "reserved": 0, "value": 7}, …] */
static struct xf_error *read_xcr(struct reading *reading, const struct xf_json_path *path,
				 const struct xf_json_value *value)
{
	size_t i = path->levels[3].index;

	if (i >= XCRS_MAX)
		return xf_json_damaged(path, value, "more than %u extended control registers",
				       XCRS_MAX);
	if (strcmp(path->levels[4].key, "xcr") == 0)
		return xf_json_uint(path, value, UINT32_MAX, &reading->xcrs[i].number);
	if (strcmp(path->levels[4].key, "value") == 0) {
		reading->xcrs[i].place = (uint32_t)value->at;
		return xf_json_uint(path, value, UINT64_MAX, &reading->xcrs[i].value);
	}
	return NULL;
}

static struct xf_error *read_xcrs_number(struct reading *reading, const struct xf_json_path *path,
					 const struct xf_json_value *value)
{
	if (xf_json_path_is(path, "Kvm/xcrs/#"))
		return read_byte(&reading->xcrs_bytes, XCRS_SIZE, path, value);
	if (xf_json_path_is(path, "Kvm/xcrs/xcrs/#/*"))
		return read_xcr(reading, path, value);
	if (!xf_json_path_is(path, "Kvm/xcrs/nr_xcrs"))
		return NULL;
	reading->has_xcr_count = true;
	return xf_json_uint(path, value, XCRS_MAX, &reading->xcr_count);
}

static struct xf_error *read_sregs_number(struct reading *reading, const struct xf_json_path *path,
					  const struct xf_json_value *value)
{
	if (xf_json_path_is(path, "Kvm/sregs/#"))
		return read_byte(&reading->sregs_bytes, SREGS_SIZE, path, value);
	if (!xf_json_path_is(path, "Kvm/sregs/cr4"))
		return NULL;
	reading->cr4.size = 8;
	reading->cr4.offset = value->at;
	return xf_json_uint(path, value, UINT64_MAX, &reading->cr4.value);
}

static struct xf_error *read_xsave_number(struct reading *reading, const struct xf_json_path *path,
					  const struct xf_json_value *value)
{
	if (xf_json_path_is(path, "Kvm/xsave/region/#"))
		return read_word(&reading->region, REGION_WORDS, path, value);
	if (xf_json_path_is(path, "Kvm/xsave/extra/#"))
		return read_word(&reading->extra, EXTRA_WORDS, path, value);
	return NULL;
}

static struct xf_error *read_number(struct reading *reading, const struct xf_json_path *path,
				    const struct xf_json_value *value)
{
	switch (reading->within) {
	case PART_XSAVE:
		return read_xsave_number(reading, path, value);
	case PART_XCRS:
		return read_xcrs_number(reading, path, value);
	case PART_SREGS:
		return read_sregs_number(reading, path, value);
	case PART_CPUID:
		return xf_json_path_is(path, "Kvm/cpuid/#/*")
			       ? read_entry_number(reading, path, value)
			       : NULL;
	default:
		return NULL;
	}
}

/* Whether it stands where only numbers may. */
static bool must_be_number(const struct xf_json_path *path)
{
	return xf_json_path_is(path, "Kvm/xsave/region/#") ||
	       xf_json_path_is(path, "Kvm/xsave/extra/#") ||
	       xf_json_path_is(path, "Kvm/cpuid/#/*") || xf_json_path_is(path, "Kvm/xcrs/#") ||
	       xf_json_path_is(path, "Kvm/sregs/#");
}

static struct xf_error *on_value(void *data, const struct xf_json_path *path,
				 const struct xf_json_value *value)
{
	struct reading *reading = data;

	if (value->kind == XF_JSON_NUMBER)
		return read_number(reading, path, value);
	if (value->kind == XF_JSON_END)
		return xf_json_path_is(path, "Kvm/cpuid/#") ? end_entry(reading, path, value)
							    : NULL;
	if (must_be_number(path))
		return xf_json_damaged(path, value, "expected a number");
	return note_part(reading, path, value);
}

/* ---- What follows from it ---- */

static struct xf_error *damaged(const char *file, uint32_t id, const char *what)
{
	return xf_error_new(XF_ERR_DAMAGED, file, "in vCPU %" PRIu32 "'s state: %s", id, what);
}

static struct xf_error *check_parts(const char *file, uint32_t id, const struct reading *reading)
{
	const unsigned int needed = PART_CPUID | PART_REGION | PART_XCRS | PART_SREGS;

	if (!(reading->seen & PART_KVM))
		return xf_error_new(XF_ERR_FORMAT, file,
				    "vCPU %" PRIu32
				    "'s state is not tagged 'Kvm': another hypervisor's, or one "
				    "of Cloud Hypervisor before 26, is not read",
				    id);
	if (!(reading->seen & (PART_CPUID | PART_XSAVE)))
		return xf_error_new(XF_ERR_FORMAT, file,
				    "vCPU %" PRIu32 " has neither CPUID nor XSAVE: not x86-64", id);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].part & needed & ~reading->seen)
			return xf_error_new(XF_ERR_DAMAGED, file,
					    "vCPU %" PRIu32 "'s state has no '%s'", id,
					    parts[i].path);
	if (reading->region.count != REGION_WORDS)
		return xf_error_new(XF_ERR_DAMAGED, file,
				    "in vCPU %" PRIu32 "'s state: 'region' has %zu numbers, not %u",
				    id, reading->region.count, REGION_WORDS);
	if (reading->xcrs_bytes.count % XCRS_SIZE || reading->sregs_bytes.count % SREGS_SIZE)
		return damaged(file, id, "'xcrs' or 'sregs' has too few bytes");
	return NULL;
}

/* An address: where the character stands in the file. */
static uint64_t address_of(const struct reading *reading, uint32_t place)
{
	return reading->text->spelling[place].at;
}

static uint64_t xcr_count_of(const struct reading *reading)
{
	return reading->xcrs_bytes.count ? xf_get_le32(reading->xcrs_bytes.data)
					 : reading->xcr_count;
}

static struct xcr xcr_of(const struct reading *reading, size_t i)
{
	const struct bytes *bytes = &reading->xcrs_bytes;
	size_t at = XCRS_FIRST + 16 * i;

	if (!bytes->count)
		return reading->xcrs[i];
	return (struct xcr){ xf_get_le32(bytes->data + at), xf_get_le64(bytes->data + at + 8),
			     bytes->places[at + 8] };
}

static struct xf_error *find_xcr0(const char *file, uint32_t id, const struct reading *reading,
				  struct xf_field *out)
{
	uint64_t count = xcr_count_of(reading);

	if (count > XCRS_MAX || (!reading->xcrs_bytes.count && !reading->has_xcr_count))
		return damaged(file, id, "'xcrs' has no number of registers, or too large a one");
	for (size_t i = 0; i < count; i++) {
		struct xcr xcr = xcr_of(reading, i);

		if (xcr.number == 0) {
			*out = (struct xf_field){ xcr.value, address_of(reading, xcr.place), 8 };
			return NULL;
		}
	}
	return NULL;
}

static struct xf_field cr4_of(const struct reading *reading)
{
	const struct bytes *bytes = &reading->sregs_bytes;
	struct xf_field cr4 = reading->cr4;

	if (bytes->count)
		cr4 = (struct xf_field){ xf_get_le64(bytes->data + SREGS_CR4),
					 bytes->places[SREGS_CR4], 8 };
	if (cr4.size)
		cr4.offset = address_of(reading, (uint32_t)cr4.offset);
	return cr4;
}

static struct xf_error *make_area(const struct reading *reading, uint8_t **out, size_t *size)
{
	const struct words *region = &reading->region;
	const struct words *extra = &reading->extra;
	size_t count = region->count + extra->count;
	uint8_t *area = malloc(count * 4);

	if (!area)
		return xf_error_memory();
	for (size_t i = 0; i < count; i++)
		xf_put_le32(area + 4 * i, i < region->count ? region->values[i]
							    : extra->values[i - region->count]);
	*out = area;
	*size = count * 4;
	return NULL;
}

/* A word's digits, if they may be changed. */
static struct xf_digits digits_at(const struct reading *reading, uint64_t offset)
{
	size_t i = offset / 4;
	const struct words *words = i < REGION_WORDS ? &reading->region : &reading->extra;

	i -= i < REGION_WORDS ? 0 : REGION_WORDS;
	if (offset % 4 || !xf_spelled_is_plain(reading->text, words->places[i], words->lengths[i]))
		return (struct xf_digits){ 0 };
	return xf_digits_of(reading->text, words->places[i], words->lengths[i]);
}

/* The fields' offsets have been those in the area until here. */
static struct xf_error *place_fields(const char *file, const struct reading *reading,
				     struct xf_ch_vcpu *out)
{
	struct xf_vcpu *vcpu = &out->vcpu;
	struct xf_ch_numbers *numbers = &out->numbers;

	numbers->low = digits_at(reading, XF_XSTATE_BV_OFFSET);
	numbers->high = digits_at(reading, XF_XSTATE_BV_OFFSET + 4);
	if (!numbers->low.count || !numbers->high.count)
		return damaged(file, vcpu->index, "XSTATE_BV's digits are written with escapes");
	if (vcpu->pkru.size)
		numbers->pkru = digits_at(reading, vcpu->pkru.offset);
	if (!numbers->pkru.count)
		vcpu->pkru = (struct xf_field){ 0 };
	else
		vcpu->pkru.offset = numbers->pkru.spelling[0].at;
	numbers->xstate_bv = vcpu->xstate_bv.offset = numbers->low.spelling[0].at;
	numbers->pkru_at = vcpu->pkru.offset;
	vcpu->mxcsr.offset = address_of(reading, reading->region.places[XF_MXCSR_OFFSET / 4]);
	return NULL;
}

static struct xf_error *make_vcpu(const char *file, uint32_t id, const struct reading *reading,
				  struct xf_ch_vcpu *out)
{
	XF_AUTO_FREE uint8_t *bytes = NULL;
	struct xf_layout layout;
	char name[40];
	struct xf_area_bytes area = { .file = file, .name = name };
	bool has_layout = xf_vcpu_cpuid_layout(&reading->cpuid, &layout);

	snprintf(name, sizeof(name), "XSAVE area of vCPU %" PRIu32, id);
	XF_TRY(make_area(reading, &bytes, &area.size));
	area.bytes = bytes;
	XF_TRY(xf_vcpu_of_area(&area, has_layout ? &layout : NULL, id, &out->vcpu));
	XF_TRY(place_fields(file, reading, out));
	XF_TRY(find_xcr0(file, id, reading, &out->vcpu.xcr0));
	out->vcpu.cr4 = cr4_of(reading);
	out->cpuid = reading->cpuid;
	return NULL;
}

struct xf_error *xf_ch_vcpu_read(const char *file, uint32_t id, const struct xf_spelled *state,
				 struct xf_ch_vcpu *out)
{
	XF_AUTO(reading_deinit) struct reading reading = { .text = state };
	struct xf_json_reader reader = { on_value, &reading };
	struct xf_ch_vcpu vcpu = { 0 };
	char what[40];

	snprintf(what, sizeof(what), "vCPU %" PRIu32 "'s state", id);
	XF_TRY(xf_json_walk(file, what, state->text ? state->text : "", state->size, &reader));
	XF_TRY(check_parts(file, id, &reading));
	XF_TRY(make_vcpu(file, id, &reading, &vcpu));
	*out = vcpu;
	return NULL;
}
