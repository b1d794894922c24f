/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes QEMU streams in memory, one part at a time, so that a test can make one
 * that QEMU would not. What is made with all defaults is a sound stream.
 */
#ifndef XF_TESTS_SYNTH_H
#define XF_TESTS_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *p;
	size_t size;
	size_t room;
};

void bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_add_u8(struct bytes *bytes, unsigned int value);
void bytes_add_u16(struct bytes *bytes, unsigned int value);
void bytes_add_u32(struct bytes *bytes, uint32_t value);
void bytes_add_u64(struct bytes *bytes, uint64_t value);
void bytes_add_zeros(struct bytes *bytes, size_t size);
void bytes_add_text(struct bytes *bytes, const char *text);
/* u8 length and the name. */
void bytes_add_name(struct bytes *bytes, const char *name);
void bytes_free(struct bytes *bytes);

struct synth {
	/* What to make; set before the first part. */
	const char *machine; /* NULL: no configuration */
	bool no_footers;
	bool spaces; /* print the description like QEMU 5.2 */

	/* What has been made. */
	struct bytes stream;
	struct bytes json;
	uint32_t next_id;
	uint32_t ram_id;
	size_t ram_end;	    /* where the devices begin */
	size_t devices_end; /* behind the EOF mark */
	size_t text;	    /* where the description's text begins */
};

#define SYNTH_RAM_NAME "pc.ram"

void synth_free(struct synth *synth);

/* Header and configuration; `parts` is what follows the machine's name, or NULL. */
void synth_begin(struct synth *synth, const struct bytes *parts);
void synth_command(struct synth *synth, unsigned int command, const void *data, size_t size);
/* START of RAM with one block; `extra` u64 follow its size. Then RAM records, then the end. */
void synth_ram_start(struct synth *synth, uint64_t block_size, const struct bytes *extra);
void synth_ram_part(struct synth *synth, unsigned int type);
void synth_ram_page(struct synth *synth, uint64_t flags, const void *data, size_t size);
void synth_ram_end(struct synth *synth);
/* START, one PART of `raw` pages and `zero` pages of fill byte 0, END. */
void synth_ram(struct synth *synth, size_t raw, size_t zero);

/* A device with one field. */
void synth_device(struct synth *synth, const char *name, uint32_t instance, const void *data,
		  size_t size);
struct synth_cpu {
	uint32_t instance;
	uint64_t xstate_bv, xcr0, cr4;
	uint32_t mxcsr;
	bool pkru, xfd, avx512, all; /* subsections */
	bool unknown;		     /* and one that nobody knows */
};
/* cpu_common and cpu. Returns where xstate_bv is. */
size_t synth_cpu(struct synth *synth, const struct synth_cpu *cpu);
void synth_eof(struct synth *synth);
/* The description of all devices so far. */
void synth_vmdesc(struct synth *synth);

/* A whole stream: `vcpus` of them, RAM of a few pages. */
void synth_stream(struct synth *synth, unsigned int vcpus);

#endif
