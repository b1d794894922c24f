/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRIU's core-PID.img: one thread of a checkpointed process, a single protobuf message behind
 * its magic numbers. Of the message four numbers are of interest. For reading only.
 */
#include <inttypes.h>

#include "base/scope.h"
#include "core/bytes.h"
#include "state/contents.h"
#include "state/format.h"
#include "state/process.h"

#define COMMON_MAGIC 0x54564319u /* of every image of CRIU 1.6 and later but a few */
#define CORE_MAGIC 0x55053847u
#define MAGIC_SIZE 4
#define LENGTH_SIZE 4
#define MAX_SIZE ((size_t)16 << 20)

/* The numbers of fields, by the message that has them. */
enum { CORE_MACHINE = 1, CORE_THREAD_X86 = 2 };
enum { THREAD_FPREGS = 3 };
enum { FPREGS_MXCSR = 7, FPREGS_XSAVE = 13 };
enum { XSAVE_XSTATE_BV = 1, XSAVE_PKRU = 8 };
#define MACHINE_X86_64 1

/* Protobuf's wire format: what a field's number is followed by. */
enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
#define VARINT_MAX 10

/* A message is a part of the file. */
struct message {
	const char *path;
	const uint8_t *file;
	size_t at;
	size_t end;
};

struct field {
	uint64_t number; /* 0: there is none */
	enum wire wire;
	uint64_t value; /* WIRE_VARINT */
	size_t at;	/* of the content in the file */
	size_t size;
};

static bool recognise(const uint8_t *head, size_t size)
{
	return size >= MAGIC_SIZE &&
	       (xf_get_le32(head) == COMMON_MAGIC || xf_get_le32(head) == CORE_MAGIC);
}

/* CRIU writes many kinds of files; from 2.0 on the kind follows what they have in common. */
static bool is_state(const uint8_t *head, size_t size)
{
	return xf_get_le32(head) == CORE_MAGIC || size < 2 * MAGIC_SIZE ||
	       xf_get_le32(head + MAGIC_SIZE) == CORE_MAGIC;
}

/* ---- The wire format ---- */

static struct xf_error *read_varint(struct message *m, uint64_t *out)
{
	uint64_t value = 0;
	size_t start = m->at;

	for (unsigned int i = 0; i < VARINT_MAX && m->at < m->end; i++) {
		uint8_t byte = m->file[m->at++];

		/* The tenth byte has but one bit of 64. */
		if (i == VARINT_MAX - 1 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*out = value;
			return NULL;
		}
	}
	return xf_error_at(XF_ERR_DAMAGED, m->path, start,
			   "a number that does not end, or has more than 64 bits");
}

/* How long the content of a field is that begins here. */
static struct xf_error *content_size(struct message *m, enum wire wire, uint64_t *out)
{
	switch (wire) {
	case WIRE_64:
		*out = 8;
		return NULL;
	case WIRE_32:
		*out = 4;
		return NULL;
	case WIRE_BYTES:
		return read_varint(m, out);
	default:
		return xf_error_at(XF_ERR_DAMAGED, m->path, m->at,
				   "a field of type %d, which CRIU does not write", (int)wire);
	}
}

static struct xf_error *next_field(struct message *m, struct field *out)
{
	uint64_t key, size;
	struct field field;

	XF_TRY(read_varint(m, &key));
	field = (struct field){ .number = key >> 3, .wire = (enum wire)(key & 7), .at = m->at };
	if (!field.number)
		return xf_error_at(XF_ERR_DAMAGED, m->path, m->at, "a field of number 0");
	if (field.wire == WIRE_VARINT) {
		XF_TRY(read_varint(m, &field.value));
	} else {
		XF_TRY(content_size(m, field.wire, &size));
		if (size > m->end - m->at)
			return xf_error_at(XF_ERR_DAMAGED, m->path, m->at,
					   "a field of %" PRIu64 " bytes, of which %zu are there",
					   size, m->end - m->at);
		field.at = m->at;
		m->at += (size_t)size;
	}
	field.size = m->at - field.at;
	*out = field;
	return NULL;
}

/* The only field of this number; `out->number` is 0 where there is none. */
static struct xf_error *find(const struct message *message, uint64_t number, enum wire wire,
			     struct field *out)
{
	struct message m = *message;
	struct field found = { 0 }, field;

	while (m.at < m.end) {
		XF_TRY(next_field(&m, &field));
		if (field.number != number)
			continue;
		if (found.number || field.wire != wire)
			return xf_error_at(XF_ERR_DAMAGED, m.path, field.at,
					   "field %" PRIu64 " is here twice or of another type",
					   number);
		found = field;
	}
	*out = found;
	return NULL;
}

/* The message within a message. */
static struct xf_error *enter(const struct message *message, uint64_t number, const char *what,
			      struct message *out)
{
	struct field field;

	XF_TRY(find(message, number, WIRE_BYTES, &field));
	if (!field.number)
		return xf_error_new(XF_ERR_FORMAT, message->path,
				    "has no %s: it does not tell what is in use", what);
	*out = *message;
	out->at = field.at;
	out->end = field.at + field.size;
	return NULL;
}

static struct xf_error *number_in(const struct message *message, uint64_t number, const char *what,
				  struct field *out)
{
	XF_TRY(find(message, number, WIRE_VARINT, out));
	return out->number
		       ? NULL
		       : xf_error_at(XF_ERR_DAMAGED, message->path, message->at, "has no %s", what);
}

/* ---- CRIU's messages ---- */

/* PKRU's component has two numbers, of which the first is the register. */
static struct xf_error *first_pkru(const struct message *xsave, struct xf_field *out)
{
	struct message m = *xsave;
	struct field field;

	while (m.at < m.end) {
		XF_TRY(next_field(&m, &field));
		if (field.number == XSAVE_PKRU && field.wire == WIRE_VARINT) {
			*out = (struct xf_field){ (uint32_t)field.value, field.at, 4 };
			return NULL;
		}
	}
	return NULL;
}

/* What stands behind the magic numbers: one message, and nothing more. */
static struct xf_error *find_entry(const struct xf_input *input, const uint8_t *file, size_t size,
				   struct message *out)
{
	size_t at = xf_get_le32(file) == COMMON_MAGIC ? MAGIC_SIZE : 0;

	if (size - at < MAGIC_SIZE + LENGTH_SIZE)
		return xf_error_new(XF_ERR_DAMAGED, input->path,
				    "is an image of CRIU of %zu bytes, which is too short", size);
	if (xf_get_le32(file + at) != CORE_MAGIC)
		return xf_error_new(XF_ERR_FORMAT, input->path,
				    "is an image of CRIU, but no core-PID.img (magic 0x%" PRIx32
				    ")",
				    xf_get_le32(file + at));
	at += MAGIC_SIZE;

	uint32_t length = xf_get_le32(file + at);

	at += LENGTH_SIZE;
	if (length != size - at)
		return xf_error_at(XF_ERR_DAMAGED, input->path, at - LENGTH_SIZE,
				   "its entry is to have %" PRIu32 " bytes, and %zu are there",
				   length, size - at);
	*out = (struct message){ .path = input->path, .file = file, .at = at, .end = size };
	return NULL;
}

static struct xf_error *read_thread(const struct message *core, struct xf_vcpu *out)
{
	struct message thread, fpregs, xsave;
	struct field machine, mxcsr, xstate_bv;
	struct xf_field pkru = { 0 };

	XF_TRY(number_in(core, CORE_MACHINE, "machine", &machine));
	if (machine.value != MACHINE_X86_64)
		return xf_error_at(XF_ERR_FORMAT, core->path, machine.at,
				   "is of a process of machine %" PRIu64 ": x86-64, 1, is read",
				   machine.value);
	XF_TRY(enter(core, CORE_THREAD_X86, "registers", &thread));
	XF_TRY(enter(&thread, THREAD_FPREGS, "FPU registers", &fpregs));
	XF_TRY(number_in(&fpregs, FPREGS_MXCSR, "MXCSR", &mxcsr));
	XF_TRY(enter(&fpregs, FPREGS_XSAVE, "extended registers", &xsave));
	XF_TRY(number_in(&xsave, XSAVE_XSTATE_BV, "XSTATE_BV", &xstate_bv));
	XF_TRY(first_pkru(&xsave, &pkru));
	if (mxcsr.value > UINT32_MAX)
		return xf_error_at(XF_ERR_DAMAGED, core->path, mxcsr.at,
				   "MXCSR has more than 32 bits");
	*out = (struct xf_vcpu){
		.little_endian = true,
		.xstate_bv = { xstate_bv.value, xstate_bv.at, 8 },
		.mxcsr = { mxcsr.value, mxcsr.at, 4 },
		.pkru = pkru,
	};
	return NULL;
}

static struct xf_error *read_core(struct xf_input *input, struct xf_record *out)
{
	XF_AUTO_FREE uint8_t *file = NULL;
	XF_AUTO_FREE struct xf_vcpu *vcpu = calloc(1, sizeof(*vcpu));
	struct message core;
	size_t size;

	if (!vcpu)
		return xf_error_memory();
	XF_TRY(xf_input_contents(input, MAX_SIZE, "a core-PID.img of CRIU", &file, &size));
	XF_TRY(find_entry(input, file, size, &core));
	XF_TRY(read_thread(&core, vcpu));
	XF_TRY(xf_process_evidence(vcpu, 1, &out->evidence));
	out->found_by = XF_FOUND_STRUCTURE;
	out->vcpu_count = 1;
	out->vcpus = xf_take(vcpu);
	return NULL;
}

const struct xf_format xf_format_criu = {
	.name = "criu",
	.title = "CRIU checkpoint of a process, its thread as a vCPU",
	.recognise = recognise,
	.read = read_core,
	.read_only = true,
	.is_state = is_state,
};
