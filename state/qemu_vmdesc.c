/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/scope.h"
#include "state/qemu_vmdesc.h"
#include "state/qemu_wire.h"

/* Real ones are 11 levels deep, with what is nested in fields. */
#define MAX_DEPTH 64
/* Levels whose content counts: root, devices, a device, its subsections in each other, a field. */
#define MAX_FRAMES 24
/* More bytes than this without a word that ends: no name or number is that long. */
#define MAX_WORD (64u << 10)
/* No size in a file is larger; sums of a few of them do not overflow. */
#define MAX_SIZE ((uint64_t)1 << 53)

enum kind {
	ROOT,
	DEVICES,
	DEVICE,
	SUBSECTIONS,
	SUBSECTION,
	FIELDS,
	FIELD,
};

/* The keys that count. Each has one meaning and one type, wherever it counts. */
enum key {
	KEY_OTHER,
	KEY_DEVICES,
	KEY_NAME,
	KEY_INSTANCE,
	KEY_VMSD_NAME,
	KEY_VERSION,
	KEY_FIELDS,
	KEY_SUBSECTIONS,
	KEY_SIZE,
	KEY_ARRAY_LEN,
	KEYS,
};

#define IN(kind) (1u << (kind))

static const struct {
	const char *name;
	unsigned int counts_in;
	enum { OTHER, STRING, NUMBER, ARRAY } type;
} keys[KEYS] = {
	[KEY_DEVICES] = { "devices", IN(ROOT), ARRAY },
	[KEY_NAME] = { "name", IN(DEVICE) | IN(FIELD), STRING },
	[KEY_INSTANCE] = { "instance_id", IN(DEVICE), NUMBER },
	[KEY_VMSD_NAME] = { "vmsd_name", IN(DEVICE) | IN(SUBSECTION), STRING },
	[KEY_VERSION] = { "version", IN(DEVICE) | IN(SUBSECTION), NUMBER },
	[KEY_FIELDS] = { "fields", IN(DEVICE) | IN(SUBSECTION), ARRAY },
	[KEY_SUBSECTIONS] = { "subsections", IN(DEVICE) | IN(SUBSECTION), ARRAY },
	[KEY_SIZE] = { "size", IN(DEVICE) | IN(FIELD), NUMBER },
	[KEY_ARRAY_LEN] = { "array_len", IN(FIELD), NUMBER },
};

struct frame {
	enum kind kind;
	enum key key;	   /* the one whose value comes next */
	unsigned int seen; /* IN() of the keys that were there */
	size_t name;	   /* where in names; of a FIELD: which wanted value, or XF_QEMU_VALUES */
	uint32_t length;   /* of the name */
	uint64_t numbers[KEYS];
	uint64_t fields; /* bytes of the fields so far */
	uint64_t nested; /* bytes of the subsections so far */
	uint32_t found;	 /* which wanted values this subsection has, a bit each */
};

struct xf_qemu_vmdesc_reader {
	const char *file;
	uint64_t offset;     /* of the text */
	uint64_t pushed;     /* bytes of it before the ones being parsed */
	uint64_t understood; /* where in it the last word ended, about */
	bool finishing;
	yajl_handle json;
	struct xf_error *err; /* what the callbacks found wrong */
	struct frame frames[MAX_FRAMES];
	unsigned int depth;   /* frames in use */
	unsigned int skipped; /* levels below them whose content does not count */
	struct xf_qemu_vmdesc desc;
	size_t device_room, cpu_room, subsection_room, names_room;
	struct xf_qemu_described_cpu cpu; /* of the device being read, should it be one */
	size_t first_subsection;
};

static uint64_t position(const struct xf_qemu_vmdesc_reader *reader)
{
	uint64_t at = reader->offset + reader->pushed;

	/* At the end yajl parses a space of its own, and counts it. */
	return reader->finishing ? at : at + yajl_get_bytes_consumed(reader->json);
}

#define fail(reader, ...)                                                              \
	((reader)->err = xf_error_at(XF_ERR_DAMAGED, (reader)->file, position(reader), \
				     "in the stream's description: " __VA_ARGS__),     \
	 0)

static int fail_memory(struct xf_qemu_vmdesc_reader *reader)
{
	reader->err = xf_error_memory();
	return 0;
}

/* Room for `more` elements behind the first `count`; doubles, so that adding stays linear. */
static bool grow(void *array, size_t *room, size_t count, size_t more, size_t size)
{
	void **pointer = array;

	if (count + more <= *room)
		return true;

	size_t new_room = *room ? *room * 2 : 64;

	while (new_room < count + more)
		new_room *= 2;

	void *grown = reallocarray(*pointer, new_room, size);

	if (!grown)
		return false;
	*pointer = grown;
	*room = new_room;
	return true;
}

static struct frame *top(struct xf_qemu_vmdesc_reader *reader)
{
	return reader->depth ? &reader->frames[reader->depth - 1] : NULL;
}

/* ---- Values ---- */

static int take_name(struct xf_qemu_vmdesc_reader *reader, struct frame *frame,
		     const unsigned char *text, size_t size)
{
	struct xf_qemu_vmdesc *desc = &reader->desc;

	/* Both are sent with a length of one byte. */
	if (size == 0 || size > 255)
		return fail(reader, "a name of %zu bytes", size);
	/* A device has its section's name and its type's; the section's counts. */
	if (frame->kind == DEVICE && frame->key == KEY_VMSD_NAME)
		return 1;
	if (!grow(&desc->names, &reader->names_room, desc->names_size, size, 1))
		return fail_memory(reader);
	memcpy(desc->names + desc->names_size, text, size);
	frame->name = desc->names_size;
	frame->length = (uint32_t)size;
	desc->names_size += size;
	return 1;
}

/* yajl has understood something: notes how far that was. */
static struct xf_qemu_vmdesc_reader *heard(void *context)
{
	struct xf_qemu_vmdesc_reader *reader = context;

	reader->understood = reader->pushed + yajl_get_bytes_consumed(reader->json);
	return reader;
}

/* Most are no match by their first character. */
static bool is_word(const char *word, const unsigned char *text, size_t size)
{
	return size && (unsigned char)word[0] == text[0] && strlen(word) == size &&
	       memcmp(word, text, size) == 0;
}

static int on_string(void *context, const unsigned char *text, size_t size)
{
	struct xf_qemu_vmdesc_reader *reader = heard(context);
	struct frame *frame = top(reader);

	if (reader->skipped)
		return 1;
	if (!frame || frame->kind == DEVICES || frame->kind == SUBSECTIONS || frame->kind == FIELDS)
		return fail(reader, "a string where an object is expected");
	if (frame->key == KEY_OTHER)
		return 1;
	if (keys[frame->key].type != STRING)
		return fail(reader, "'%s' is a string", keys[frame->key].name);
	if (frame->kind != FIELD)
		return take_name(reader, frame, text, size);

	frame->name = XF_QEMU_VALUES;
	for (unsigned int i = 0; i < XF_QEMU_VALUES; i++)
		if (is_word(xf_qemu_value_places[i].name, text, size))
			frame->name = i;
	return 1;
}

static int on_number(void *context, const char *text, size_t size)
{
	struct xf_qemu_vmdesc_reader *reader = heard(context);
	struct frame *frame = top(reader);
	uint64_t value = 0;

	if (reader->skipped)
		return 1;
	if (!frame || frame->kind == DEVICES || frame->kind == SUBSECTIONS || frame->kind == FIELDS)
		return fail(reader, "a number where an object is expected");
	if (frame->key == KEY_OTHER)
		return 1;
	if (keys[frame->key].type != NUMBER)
		return fail(reader, "'%s' is a number", keys[frame->key].name);
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return fail(reader, "'%s' is %.*s, not a count", keys[frame->key].name,
				    (int)(size < 40 ? size : 40), text);
		value = value * 10 + (uint64_t)(text[i] - '0');
		if (value > MAX_SIZE)
			return fail(reader, "'%s' is larger than any file", keys[frame->key].name);
	}
	frame->numbers[frame->key] = value;
	return 1;
}

/* null, true and false never count. */
static int on_other(struct xf_qemu_vmdesc_reader *reader)
{
	struct frame *frame = top(reader);

	if (reader->skipped)
		return 1;
	if (!frame || frame->kind == DEVICES || frame->kind == SUBSECTIONS || frame->kind == FIELDS)
		return fail(reader, "a word where an object is expected");
	if (frame->key != KEY_OTHER)
		return fail(reader, "'%s' has no value", keys[frame->key].name);
	return 1;
}

static int on_null(void *context)
{
	return on_other(heard(context));
}

static int on_boolean(void *context, int value)
{
	(void)value;
	return on_other(heard(context));
}

/* ---- Keys ---- */

static int on_key(void *context, const unsigned char *text, size_t size)
{
	struct xf_qemu_vmdesc_reader *reader = heard(context);
	struct frame *frame = top(reader);

	if (reader->skipped)
		return 1;
	frame->key = KEY_OTHER;
	for (unsigned int i = KEY_OTHER + 1; i < KEYS; i++)
		if ((keys[i].counts_in & IN(frame->kind)) && is_word(keys[i].name, text, size))
			frame->key = i;
	if (frame->key == KEY_OTHER)
		return 1;
	/*
	 * Only keys that count: QEMU itself repeats others, once for each element of
	 * a list (put_qtailq in vmstate-types.c).
	 */
	if (frame->seen & IN(frame->key))
		return fail(reader, "'%s' twice in one object", keys[frame->key].name);
	frame->seen |= IN(frame->key);
	return 1;
}

/* ---- Objects and arrays ---- */

static int push_frame(struct xf_qemu_vmdesc_reader *reader, enum kind kind)
{
	if (reader->depth == MAX_FRAMES)
		return fail(reader, "nested too deeply");
	reader->frames[reader->depth++] = (struct frame){ .kind = kind, .name = XF_QEMU_VALUES };
	return 1;
}

static int skip_level(struct xf_qemu_vmdesc_reader *reader)
{
	if (reader->depth + ++reader->skipped > MAX_DEPTH)
		return fail(reader, "nested too deeply");
	return 1;
}

static int on_object(void *context)
{
	struct xf_qemu_vmdesc_reader *reader = heard(context);
	struct frame *frame = top(reader);

	if (reader->skipped)
		return skip_level(reader);
	if (!frame)
		return push_frame(reader, ROOT);
	switch (frame->kind) {
	case DEVICES:
		memset(&reader->cpu, 0, sizeof(reader->cpu));
		reader->first_subsection = reader->desc.subsection_count;
		return push_frame(reader, DEVICE);
	case SUBSECTIONS:
		return push_frame(reader, SUBSECTION);
	case FIELDS:
		return push_frame(reader, FIELD);
	default:
		if (frame->key != KEY_OTHER)
			return fail(reader, "'%s' is an object", keys[frame->key].name);
		return skip_level(reader);
	}
}

static int on_array(void *context)
{
	struct xf_qemu_vmdesc_reader *reader = heard(context);
	struct frame *frame = top(reader);

	if (reader->skipped)
		return skip_level(reader);
	if (!frame || frame->kind == DEVICES || frame->kind == SUBSECTIONS || frame->kind == FIELDS)
		return fail(reader, "an array where an object is expected");
	if (frame->key == KEY_OTHER)
		return skip_level(reader);
	if (keys[frame->key].type != ARRAY)
		return fail(reader, "'%s' is an array", keys[frame->key].name);
	/* In the stream the subsections follow the fields. */
	if (frame->key == KEY_FIELDS && (frame->seen & IN(KEY_SUBSECTIONS)))
		return fail(reader, "'fields' behind 'subsections'");
	return push_frame(reader, frame->key == KEY_DEVICES  ? DEVICES
				  : frame->key == KEY_FIELDS ? FIELDS
							     : SUBSECTIONS);
}

static bool add(uint64_t *sum, uint64_t more)
{
	*sum += more;
	return *sum <= MAX_SIZE;
}

/* A field that is wanted: notes where it begins, relative to the fields of its owner. */
static int found_value(struct xf_qemu_vmdesc_reader *reader, struct frame *owner,
		       const struct frame *field)
{
	const struct xf_qemu_value_place *place = &xf_qemu_value_places[field->name];
	uint32_t *at = &reader->cpu.cpu.at[field->name];
	bool right_place = place->subsection ? owner->kind == SUBSECTION : owner->kind == DEVICE;

	if (!right_place || owner->fields > UINT32_MAX / 2)
		return 1;
	if (*at || (owner->found & IN(field->name)))
		return fail(reader, "'%s' twice in one device", place->name);
	if (field->numbers[KEY_SIZE] != place->size || (field->seen & IN(KEY_ARRAY_LEN)))
		return fail(reader, "'%s' has not %u bytes", place->name, place->size);
	*at = (uint32_t)owner->fields;
	owner->found |= IN(field->name);
	return 1;
}

static int end_field(struct xf_qemu_vmdesc_reader *reader, const struct frame *field)
{
	struct frame *owner = &reader->frames[reader->depth - 2]; /* above its FIELDS */
	/* ROOT DEVICES DEVICE SUBSECTIONS SUBSECTION FIELDS; deeper ones hold nothing wanted. */
	bool in_subsection = reader->depth == 6;
	uint64_t size = field->numbers[KEY_SIZE];

	if (!(field->seen & IN(KEY_SIZE)))
		return fail(reader, "a field without 'size'");
	if (field->name != XF_QEMU_VALUES && (owner->kind == DEVICE || in_subsection) &&
	    !found_value(reader, owner, field))
		return 0;
	if (field->seen & IN(KEY_ARRAY_LEN)) {
		if (__builtin_mul_overflow(size, field->numbers[KEY_ARRAY_LEN], &size))
			return fail(reader, "an array larger than any file");
	}
	if (size > MAX_SIZE || !add(&owner->fields, size))
		return fail(reader, "fields larger than any file");
	return 1;
}

/* Keeps a vCPU's subsection, now that it is known how much comes before it. */
static int keep_subsection(struct xf_qemu_vmdesc_reader *reader, const struct frame *device,
			   const struct frame *sub)
{
	struct xf_qemu_vmdesc *desc = &reader->desc;
	uint64_t offset = device->fields + device->nested;
	uint32_t head = XF_QEMU_SUBSECTION_HEAD(sub->length);

	/* No vCPU is that large; a device that is not one may be. */
	if (offset + sub->fields > UINT32_MAX / 2)
		return 1;
	if (!grow(&desc->subsections, &reader->subsection_room, desc->subsection_count, 1,
		  sizeof(*desc->subsections)))
		return fail_memory(reader);
	desc->subsections[desc->subsection_count++] = (struct xf_qemu_described_subsection){
		.name = sub->name,
		.name_length = sub->length,
		.version = (uint32_t)sub->numbers[KEY_VERSION],
		.offset = (uint32_t)offset,
		.fields = (uint32_t)sub->fields,
	};
	for (unsigned int i = 0; i < XF_QEMU_VALUES; i++)
		if (sub->found & IN(i))
			reader->cpu.cpu.at[i] += (uint32_t)offset + head;
	return 1;
}

static int end_subsection(struct xf_qemu_vmdesc_reader *reader, const struct frame *sub)
{
	struct frame *owner = &reader->frames[reader->depth - 2]; /* above its SUBSECTIONS */
	uint64_t size = XF_QEMU_SUBSECTION_HEAD(sub->length) + sub->fields + sub->nested;

	if (!(sub->seen & IN(KEY_VMSD_NAME)) || !(sub->seen & IN(KEY_VERSION)))
		return fail(reader, "a subsection without name or version");
	if (sub->numbers[KEY_VERSION] > UINT32_MAX)
		return fail(reader, "a version of more than 32 bits");
	if (owner->kind == DEVICE && !keep_subsection(reader, owner, sub))
		return 0;
	if (!add(&owner->nested, size))
		return fail(reader, "subsections larger than any file");
	return 1;
}

static int keep_cpu(struct xf_qemu_vmdesc_reader *reader, const struct frame *device)
{
	struct xf_qemu_vmdesc *desc = &reader->desc;

	if (!grow(&desc->cpus, &reader->cpu_room, desc->cpu_count, 1, sizeof(*desc->cpus)))
		return fail_memory(reader);
	reader->cpu.fields = device->fields;
	reader->cpu.first_subsection = reader->first_subsection;
	reader->cpu.subsection_count = desc->subsection_count - reader->first_subsection;
	desc->cpus[desc->cpu_count++] = reader->cpu;
	return 1;
}

static int end_device(struct xf_qemu_vmdesc_reader *reader, const struct frame *device)
{
	struct xf_qemu_vmdesc *desc = &reader->desc;
	bool is_cpu = device->length == 3 && (device->seen & IN(KEY_NAME)) &&
		      memcmp(desc->names + device->name, "cpu", 3) == 0;
	uint64_t size = device->fields + device->nested;

	if (!(device->seen & IN(KEY_NAME)) || !(device->seen & IN(KEY_INSTANCE)))
		return fail(reader, "a device without 'name' or 'instance_id'");
	if (device->numbers[KEY_INSTANCE] > UINT32_MAX || device->numbers[KEY_VERSION] > UINT32_MAX)
		return fail(reader, "an 'instance_id' or 'version' of more than 32 bits");
	if ((device->seen & IN(KEY_SIZE)) && device->numbers[KEY_SIZE] != size)
		return fail(reader, "a device of %" PRIu64 " bytes with fields of %" PRIu64,
			    device->numbers[KEY_SIZE], size);
	if (!add(&desc->sections_size, size + XF_QEMU_SECTION_HEAD(device->length)))
		return fail(reader, "devices larger than any file");
	if (is_cpu && !keep_cpu(reader, device))
		return 0;
	if (!is_cpu)
		desc->subsection_count = reader->first_subsection;
	if (!grow(&desc->devices, &reader->device_room, desc->device_count, 1,
		  sizeof(*desc->devices)))
		return fail_memory(reader);
	desc->devices[desc->device_count++] = (struct xf_qemu_device){
		.name = device->name,
		.name_length = device->length,
		.instance = (uint32_t)device->numbers[KEY_INSTANCE],
		.version = (uint32_t)device->numbers[KEY_VERSION],
		.has_version = device->seen & IN(KEY_VERSION),
		.size = size,
		.cpu = is_cpu ? desc->cpu_count - 1 : XF_QEMU_NO_CPU,
	};
	return 1;
}

static int on_end(void *context)
{
	struct xf_qemu_vmdesc_reader *reader = heard(context);

	if (reader->skipped) {
		reader->skipped--;
		return 1;
	}

	struct frame ended = *top(reader);

	reader->depth--;
	switch (ended.kind) {
	case FIELD:
		return end_field(reader, &ended);
	case SUBSECTION:
		return end_subsection(reader, &ended);
	case DEVICE:
		return end_device(reader, &ended);
	case ROOT:
		if (!(ended.seen & IN(KEY_DEVICES)))
			return fail(reader, "no 'devices'");
		return 1;
	default:
		return 1;
	}
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end,
};

/* ---- From outside ---- */

void xf_qemu_vmdesc_deinit(struct xf_qemu_vmdesc *desc)
{
	free(desc->devices);
	free(desc->cpus);
	free(desc->subsections);
	free(desc->names);
	*desc = (struct xf_qemu_vmdesc){ 0 };
}

struct xf_error *xf_qemu_vmdesc_open(const char *file, uint64_t offset,
				     struct xf_qemu_vmdesc_reader **out)
{
	struct xf_qemu_vmdesc_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return xf_error_memory();
	reader->file = file;
	reader->offset = offset;
	reader->json = yajl_alloc(&callbacks, NULL, reader);
	if (!reader->json) {
		free(reader);
		return xf_error_memory();
	}
	*out = reader;
	return NULL;
}

static struct xf_error *json_error(struct xf_qemu_vmdesc_reader *reader, const uint8_t *text,
				   size_t size)
{
	if (reader->err)
		return xf_take(reader->err);

	unsigned char *said = yajl_get_error(reader->json, 0, text, size);

	if (!said)
		return xf_error_memory();
	said[strcspn((const char *)said, "\n")] = '\0';

	struct xf_error *err = xf_error_at(XF_ERR_DAMAGED, reader->file, position(reader),
					   "the stream's description is no JSON: %s", said);

	yajl_free_error(reader->json, said);
	return err;
}

struct xf_error *xf_qemu_vmdesc_push(struct xf_qemu_vmdesc_reader *reader, const uint8_t *text,
				     size_t size)
{
	if (yajl_parse(reader->json, text, size) != yajl_status_ok)
		return json_error(reader, text, size);
	reader->pushed += size;
	/* yajl reads a word that has not ended from its start, each time there is more of it. */
	if (reader->pushed - reader->understood > MAX_WORD)
		return xf_error_at(
			XF_ERR_DAMAGED, reader->file, reader->offset + reader->understood,
			"in the stream's description: a word of more than %u bytes", MAX_WORD);
	return NULL;
}

struct xf_error *xf_qemu_vmdesc_finish(struct xf_qemu_vmdesc_reader *reader,
				       struct xf_qemu_vmdesc *out)
{
	reader->finishing = true;
	if (yajl_complete_parse(reader->json) != yajl_status_ok)
		return json_error(reader, NULL, 0);
	*out = reader->desc;
	reader->desc = (struct xf_qemu_vmdesc){ 0 };
	return NULL;
}

void xf_qemu_vmdesc_close(struct xf_qemu_vmdesc_reader *reader)
{
	if (!reader)
		return;
	yajl_free(reader->json);
	xf_error_free(reader->err);
	xf_qemu_vmdesc_deinit(&reader->desc);
	free(reader);
}
