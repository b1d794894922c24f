/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/qemu_wire.h"
#include "synth.h"

/* ---- Bytes ---- */

void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	if (bytes->size + size > bytes->room) {
		bytes->room = (bytes->size + size) * 2;
		bytes->p = realloc(bytes->p, bytes->room);
		if (!bytes->p)
			abort();
	}
	if (size)
		memcpy(bytes->p + bytes->size, data, size);
	bytes->size += size;
}

void bytes_add_u8(struct bytes *bytes, unsigned int value)
{
	uint8_t byte = (uint8_t)value;

	bytes_add(bytes, &byte, 1);
}

void bytes_add_u16(struct bytes *bytes, unsigned int value)
{
	bytes_add_u8(bytes, value >> 8);
	bytes_add_u8(bytes, value);
}

void bytes_add_u32(struct bytes *bytes, uint32_t value)
{
	bytes_add_u16(bytes, value >> 16);
	bytes_add_u16(bytes, value);
}

void bytes_add_u64(struct bytes *bytes, uint64_t value)
{
	bytes_add_u32(bytes, (uint32_t)(value >> 32));
	bytes_add_u32(bytes, (uint32_t)value);
}

void bytes_add_zeros(struct bytes *bytes, size_t size)
{
	static const uint8_t zeros[4096];

	for (; size > sizeof(zeros); size -= sizeof(zeros))
		bytes_add(bytes, zeros, sizeof(zeros));
	bytes_add(bytes, zeros, size);
}

void bytes_add_text(struct bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

void bytes_add_name(struct bytes *bytes, const char *name)
{
	bytes_add_u8(bytes, (unsigned int)strlen(name));
	bytes_add_text(bytes, name);
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->p);
	*bytes = (struct bytes){ 0 };
}

/* ---- Head ---- */

void synth_free(struct synth *synth)
{
	bytes_free(&synth->stream);
	bytes_free(&synth->json);
}

void synth_begin(struct synth *synth, const struct bytes *parts)
{
	struct bytes *s = &synth->stream;

	bytes_add_text(s, "QEVM");
	bytes_add_u32(s, 3);
	synth->next_id = 2;
	if (!synth->machine)
		return;
	bytes_add_u8(s, XF_QEMU_CONFIGURATION);
	bytes_add_u32(s, (uint32_t)strlen(synth->machine));
	bytes_add_text(s, synth->machine);
	if (parts)
		bytes_add(s, parts->p, parts->size);
}

void synth_command(struct synth *synth, unsigned int command, const void *data, size_t size)
{
	bytes_add_u8(&synth->stream, XF_QEMU_COMMAND);
	bytes_add_u16(&synth->stream, command);
	bytes_add_u16(&synth->stream, (unsigned int)size);
	bytes_add(&synth->stream, data, size);
}

static void section_head(struct synth *synth, unsigned int type, const char *name,
			 uint32_t instance, uint32_t version)
{
	bytes_add_u8(&synth->stream, type);
	bytes_add_u32(&synth->stream, synth->next_id++);
	bytes_add_name(&synth->stream, name);
	bytes_add_u32(&synth->stream, instance);
	bytes_add_u32(&synth->stream, version);
}

static void footer(struct synth *synth, uint32_t id)
{
	if (synth->no_footers)
		return;
	bytes_add_u8(&synth->stream, XF_QEMU_FOOTER);
	bytes_add_u32(&synth->stream, id);
}

/* ---- RAM ---- */

void synth_ram_start(struct synth *synth, uint64_t block_size, const struct bytes *extra)
{
	synth->ram_id = synth->next_id;
	section_head(synth, XF_QEMU_START, "ram", 0, 4);
	bytes_add_u64(&synth->stream, block_size | XF_QEMU_RAM_BLOCKS);
	bytes_add_name(&synth->stream, SYNTH_RAM_NAME);
	bytes_add_u64(&synth->stream, block_size);
	if (extra)
		bytes_add(&synth->stream, extra->p, extra->size);
	synth_ram_end(synth);
}

void synth_ram_part(struct synth *synth, unsigned int type)
{
	bytes_add_u8(&synth->stream, type);
	bytes_add_u32(&synth->stream, synth->ram_id);
}

void synth_ram_page(struct synth *synth, uint64_t flags, const void *data, size_t size)
{
	bytes_add_u64(&synth->stream, flags);
	if (!(flags & XF_QEMU_RAM_CONTINUE))
		bytes_add_name(&synth->stream, SYNTH_RAM_NAME);
	bytes_add(&synth->stream, data, size);
}

void synth_ram_end(struct synth *synth)
{
	bytes_add_u64(&synth->stream, XF_QEMU_RAM_EOS);
	footer(synth, synth->ram_id);
	synth->ram_end = synth->stream.size;
}

void synth_ram(struct synth *synth, size_t raw, size_t zero)
{
	uint8_t page[4096];
	uint64_t more = 0;

	memset(page, 0xa5, sizeof(page));
	synth_ram_start(synth, (raw + zero) * 4096, NULL);
	synth_ram_part(synth, XF_QEMU_PART);
	for (size_t i = 0; i < raw; i++, more = XF_QEMU_RAM_CONTINUE)
		synth_ram_page(synth, i * 4096 | XF_QEMU_RAM_PAGE | more, page, sizeof(page));
	for (size_t i = raw; i < raw + zero; i++, more = XF_QEMU_RAM_CONTINUE)
		synth_ram_page(synth, i * 4096 | XF_QEMU_RAM_ZERO | more, "", 1);
	synth_ram_end(synth);
	synth_ram_part(synth, XF_QEMU_END);
	synth_ram_end(synth);
}

/* ---- Devices ---- */

static void json(struct synth *synth, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void json(struct synth *synth, const char *format, ...)
{
	char text[1024];
	bool quoted = false;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (const char *p = text; *p; p++) {
		bytes_add(&synth->json, p, 1);
		quoted ^= *p == '"';
		if (synth->spaces && !quoted && strchr("{}[],:", *p))
			bytes_add_text(&synth->json, " ");
	}
}

static void json_device(struct synth *synth, const char *name, uint32_t instance, uint32_t version)
{
	if (synth->json.size)
		json(synth, ",");
	json(synth,
	     "{\"name\":\"%s\",\"instance_id\":%u,\"vmsd_name\":\"%s\",\"version\":%u,"
	     "\"fields\":[",
	     name, instance, name, version);
}

static void json_field(struct synth *synth, const char *name, size_t size, const char *end)
{
	json(synth, "{\"name\":\"%s\",\"type\":\"buffer\",\"size\":%zu}%s", name, size, end);
}

void synth_device(struct synth *synth, const char *name, uint32_t instance, const void *data,
		  size_t size)
{
	uint32_t id = synth->next_id;

	section_head(synth, XF_QEMU_FULL, name, instance, 1);
	bytes_add(&synth->stream, data, size);
	footer(synth, id);
	json_device(synth, name, instance, 1);
	json_field(synth, "data", size, "]}");
}

static void subsection(struct synth *synth, bool *first, const char *name, const char *field,
		       const void *data, size_t size)
{
	bytes_add_u8(&synth->stream, XF_QEMU_SUBSECTION);
	bytes_add_name(&synth->stream, name);
	bytes_add_u32(&synth->stream, 1);
	bytes_add(&synth->stream, data, size);
	json(synth, "%s{\"vmsd_name\":\"%s\",\"version\":1,\"fields\":[",
	     *first ? ",\"subsections\":[" : ",", name);
	*first = false;
	if (strcmp(name, "cpu/msr_xfd") == 0) {
		json_field(synth, "env.msr_xfd", 8, ",");
		json_field(synth, "env.msr_xfd_err", 8, "]}");
	} else {
		json_field(synth, field, size, "]}");
	}
}

/* Fields that nobody asks for, up to `to`. */
static void filler(struct synth *synth, size_t payload, size_t to)
{
	size_t at = synth->stream.size - payload;

	bytes_add_zeros(&synth->stream, to - at);
	json_field(synth, "filler", to - at, ",");
}

size_t synth_cpu(struct synth *synth, const struct synth_cpu *cpu)
{
	struct bytes *s = &synth->stream;
	uint8_t data[8256];
	bool first = true;

	memset(data, 0x5a, sizeof(data));
	synth_device(synth, "cpu_common", cpu->instance, "\0\0\0\0\0\0\0", 8);

	uint32_t id = synth->next_id;

	section_head(synth, XF_QEMU_FULL, "cpu", cpu->instance, 12);
	json_device(synth, "cpu", cpu->instance, 12);

	size_t payload = s->size;

	filler(synth, payload, 480);
	bytes_add_u64(s, cpu->cr4);
	json_field(synth, "env.cr[4]", 8, ",");
	filler(synth, payload, 556);
	bytes_add_u32(s, cpu->mxcsr);
	json_field(synth, "env.mxcsr", 4, ",");
	filler(synth, payload, 1545);
	bytes_add_u64(s, cpu->xcr0);
	json_field(synth, "env.xcr0", 8, ",");
	bytes_add_u64(s, cpu->xstate_bv);
	json_field(synth, "env.xstate_bv", 8, ",");
	bytes_add_zeros(s, 16 * 16);
	json(synth, "{\"name\":\"env.xmm_regs[1]\",\"array_len\":16,\"type\":\"struct\",\"struct\":"
		    "{\"vmsd_name\":\"ymmh_reg\",\"version\":1,\"fields\":[{\"name\":\"q\","
		    "\"type\":\"uint64\",\"size\":16}]},\"size\":16}]");

	if (cpu->unknown)
		subsection(synth, &first, "cpu/of_tomorrow", "env.tomorrow", data, 77);
	if (cpu->avx512 || cpu->all)
		subsection(synth, &first, "cpu/avx512", "env.opmask_regs", data, 1600);
	if (cpu->all) {
		subsection(synth, &first, "cpu/mpx", "env.bnd_regs", data, 88);
		subsection(synth, &first, "cpu/xss", "env.xss", data, 8);
		subsection(synth, &first, "cpu/pkrs", "env.pkrs", data, 4);
		subsection(synth, &first, "cpu/intel_amx_xtile", "env.xtilecfg", data, 8256);
	}
	if (cpu->pkru || cpu->all)
		subsection(synth, &first, "cpu/pkru", "env.pkru", data, 4);
	if (cpu->xfd || cpu->all)
		subsection(synth, &first, "cpu/msr_xfd", NULL, data, 16);
	json(synth, first ? "}" : "]}");
	footer(synth, id);
	return payload + 1553;
}

void synth_eof(struct synth *synth)
{
	bytes_add_u8(&synth->stream, XF_QEMU_EOF);
	synth->devices_end = synth->stream.size;
}

void synth_vmdesc(struct synth *synth)
{
	static const char start[] = "{\"page_size\": 4096, \"devices\": [";
	struct bytes *s = &synth->stream;

	bytes_add_u8(s, XF_QEMU_VMDESC);
	bytes_add_u32(s, (uint32_t)(strlen(start) + synth->json.size + 2));
	synth->text = s->size;
	bytes_add_text(s, start);
	bytes_add(s, synth->json.p, synth->json.size);
	bytes_add_text(s, "]}");
}

void synth_stream(struct synth *synth, unsigned int vcpus)
{
	synth_begin(synth, NULL);
	synth_ram(synth, 3, 5);
	synth_device(synth, "timer", 0, "123456781234567812345678", 24);
	for (unsigned int i = 0; i < vcpus; i++)
		synth_cpu(synth, &(struct synth_cpu){ .instance = i,
						      .xstate_bv = 0x207,
						      .xcr0 = 1,
						      .mxcsr = 0x1f80,
						      .pkru = i % 2 == 0 });
	synth_device(synth, "globalstate", 0, "running", 7);
	synth_eof(synth);
	synth_vmdesc(synth);
}
