/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's save images. A byte of the input chooses how it is taken: as the file itself; or
 * behind a header and a cookie that are right, as the stream, packed in one of the ways.
 * Whatever comes out, a place that could be written to holds what is said to be there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bytes.h"
#include "fuzz/stream_mutator.h"
#include "xferry.h"

#define HEADER 92
#define TEXT 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "raw", gzip, bzip2, xz, zstd; lzop would start a program each time. */
static const uint8_t kinds[] = { 0, 1, 2, 3, 5 };

static void check_place(const struct xf_vcpu *vcpu, int fd, size_t size)
{
	uint64_t at = vcpu->xstate_bv.offset;
	uint8_t bytes[8], expected[8];

	if (at + 8 > size || pread(fd, bytes, 8, (off_t)at) != 8)
		abort();
	for (unsigned int i = 0; i < 8; i++)
		expected[i] = (uint8_t)(vcpu->xstate_bv.value >> (56 - 8 * i));
	if (memcmp(bytes, expected, 8) != 0)
		abort();
}

static void check_open(const char *path, int fd, size_t size)
{
	struct xf_state *state;
	struct xf_error *err = xf_state_open(path, NULL, &state);

	if (err) {
		if (strchr(err->text, '\n'))
			abort();
		xf_error_free(err);
		return;
	}
	if (xf_state_vcpu_count(state) == 0)
		abort();
	/* Of a packed stream the places are not the file's. */
	bool packed = strcmp(xf_state_format(state), "libvirt") == 0 &&
		      !strstr(xf_state_title(state), "raw") &&
		      !strstr(xf_state_title(state), "sparse");

	for (size_t i = 0; !packed && i < xf_state_vcpu_count(state); i++)
		check_place(xf_state_vcpu(state, i), fd, size);
	xf_state_close(state);
}

/* A header and XML that are right. */
static void make_head(uint8_t *head, uint8_t kind)
{
	static const char xml[] = "<domain><cpu><model>qemu64</model></cpu></domain>";
	static const char cookie[] = "<cookie><cpu><model>kvm64</model></cpu></cookie>";

	memcpy(head, "LibvirtQemudSave", 16);
	xf_put_le32(head + 16, 2);
	xf_put_le32(head + 20, TEXT);
	xf_put_le32(head + 28, kind);
	xf_put_le32(head + 32, sizeof(xml));
	memcpy(head + HEADER, xml, sizeof(xml));
	memcpy(head + HEADER + sizeof(xml), cookie, sizeof(cookie));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	uint8_t head[HEADER + TEXT] = { 0 };
	size_t head_size = 0;
	char path[64];

	if (size && data[0] < sizeof(kinds)) {
		make_head(head, kinds[data[0]]);
		head_size = sizeof(head);
		data++;
		size--;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || pwrite(fd, head, head_size, 0) != (ssize_t)head_size ||
	    pwrite(fd, data, size, (off_t)head_size) != (ssize_t)size)
		abort();
	check_open(path, fd, head_size + size);
	close(fd);
	return 0;
}

#ifdef XF_LIBFUZZER
#define NUMBERS 5 /* behind the magic; those that follow are not used */

/* One of the header's numbers, whichever byte order the rest has. */
static void mutate_number(struct mutant *mutant)
{
	uint8_t *number = mutant->data + 16 + 4 * mutant_pick(mutant, NUMBERS);
	uint32_t value = (uint32_t)(mutant_pick(mutant, 2) ? mutant_pick(mutant, 12)
							   : mutant_pick(mutant, mutant->size));

	xf_put_le32(number, value);
	if (mutant_pick(mutant, 2))
		for (unsigned int i = 0; i < 4; i++)
			number[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* The XML and the cookie, whose size stays what the header says. */
static void mutate_text(struct mutant *mutant)
{
	uint32_t size = xf_get_le32(mutant->data + 20);
	bool little = size <= mutant->size - HEADER;

	if (!little)
		size = xf_be32(mutant->data + 20);
	if (size > mutant->size - HEADER)
		return;

	size_t now = mutant_part(mutant, HEADER, HEADER + size) - HEADER;

	for (unsigned int i = 0; i < 4; i++)
		mutant->data[20 + i] = (uint8_t)(now >> 8 * (little ? i : 3 - i));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct mutant mutant = { data, size, max, seed };

	/* A raw stream behind a head that is right; else one that is packed. */
	if (size && data[0] == 0)
		return mutate_stream(data, size, max, seed, 1);
	if (size < HEADER || data[0] < sizeof(kinds) || !mutant_pick(&mutant, 4))
		return LLVMFuzzerMutate(data, size, max);
	if (!mutant_pick(&mutant, 3))
		mutate_number(&mutant);
	else if (mutant_pick(&mutant, 2))
		mutate_text(&mutant);
	else
		return mutate_stream(data, size, max, seed, HEADER + TEXT);
	return mutant.size;
}
#endif
