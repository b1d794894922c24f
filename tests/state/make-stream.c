/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make-stream FILE RAM-MIB VCPUS [mapped]: a large stream for measuring, as QEMU
 * would write it. Plain: every page is there, so the file is as large as RAM.
 * mapped: mapped-ram with all pages in a hole, so that 64 GiB take no room.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/qemu_wire.h"
#include "synth.h"

#define ALIGNMENT ((uint64_t)1 << 20)

static void flush(struct synth *synth, FILE *file)
{
	if (fwrite(synth->stream.p, 1, synth->stream.size, file) != synth->stream.size)
		err(1, "write");
	synth->stream.size = 0;
}

static void add_plain_ram(struct synth *synth, uint64_t size, FILE *file)
{
	uint8_t page[4096];
	uint64_t more = 0;

	synth_ram_start(synth, size, NULL);
	synth_ram_part(synth, XF_QEMU_PART);
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i * 7);
	for (uint64_t at = 0; at < size; at += sizeof(page), more = XF_QEMU_RAM_CONTINUE) {
		memcpy(page, &at, sizeof(at));
		synth_ram_page(synth, at | XF_QEMU_RAM_PAGE | more, page, sizeof(page));
		if (synth->stream.size > 1 << 20)
			flush(synth, file);
	}
	synth_ram_end(synth);
}

static void add_mapped_ram(struct synth *synth, uint64_t size, FILE *file)
{
	uint64_t entry = 17 + 8 + 1 + strlen(SYNTH_RAM_NAME) + 8;
	uint64_t bitmap = synth->stream.size + entry + XF_QEMU_MAPPED_HEAD;
	uint64_t pages = (bitmap + size / 4096 / 8 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	struct bytes extra = { 0 };

	bytes_add_u32(&extra, 1);
	bytes_add_u64(&extra, 4096);
	bytes_add_u64(&extra, bitmap);
	bytes_add_u64(&extra, pages);
	synth_ram_start(synth, size, &extra);
	bytes_free(&extra);

	/* The record and the footer behind the block go behind its pages. */
	synth->stream.size -= 8 + XF_QEMU_FOOTER_SIZE;
	flush(synth, file);
	if (fseeko(file, (off_t)(pages + size), SEEK_SET) < 0)
		err(1, "seek");
	synth_ram_end(synth);
}

int main(int argc, char **argv)
{
	struct synth synth = { .machine = "pc-q35-9.9" };
	struct bytes parts = { 0 };

	if (argc < 4)
		errx(16, "usage: make-stream FILE RAM-MIB VCPUS [mapped]");

	FILE *file = fopen(argv[1], "wbe");
	uint64_t size = strtoull(argv[2], NULL, 10) << 20;
	unsigned int vcpus = (unsigned int)strtoul(argv[3], NULL, 10);
	bool mapped = argc > 4;

	if (!file)
		err(1, "%s", argv[1]);
	if (mapped) {
		bytes_add_u8(&parts, XF_QEMU_SUBSECTION);
		bytes_add_name(&parts, "configuration/capabilities");
		bytes_add_u32(&parts, 1);
		bytes_add_u32(&parts, 1);
		bytes_add_name(&parts, "mapped-ram");
	}
	synth_begin(&synth, &parts);
	if (mapped)
		add_mapped_ram(&synth, size, file);
	else
		add_plain_ram(&synth, size, file);
	synth_ram_part(&synth, XF_QEMU_END);
	synth_ram_end(&synth);
	for (unsigned int i = 0; i < vcpus; i++)
		synth_cpu(&synth,
			  &(struct synth_cpu){
				  .instance = i, .xstate_bv = 0x207, .xcr0 = 1, .mxcsr = 0x1f80 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	flush(&synth, file);
	if (fclose(file) != 0)
		err(1, "%s", argv[1]);
	synth_free(&synth);
	bytes_free(&parts);
	return 0;
}
