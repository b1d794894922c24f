/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's save images. A byte of the input chooses how it is taken: as the file itself; or
 * behind a header and a cookie that are right, as the stream, packed in one of the ways.
 * A repair of one that is not packed holds what fuzz/repair.h says.
 */
#include "core/bytes.h"
#include "fuzz/repair.h"
#include "fuzz/stream_mutator.h"

#define HEADER 92
#define TEXT 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "raw", gzip, bzip2, xz, zstd; lzop would start a program each time. */
static const uint8_t kinds[] = { 0, 1, 2, 3, 5 };

/* Of a packed stream the places are not the file's: fuzz/packed.c has those. */
static void check_image(const uint8_t *data, size_t size)
{
	struct xf_state *state = open_data(data, size);

	if (!state)
		return;
	must(xf_state_vcpu_count(state));
	if (!xf_state_is_rewritten(state))
		check_repair_of(state, NULL, data, size);
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
	bool headless = size && data[0] < sizeof(kinds);
	size_t head = headless ? HEADER + TEXT : 0;
	uint8_t *image = calloc(1, head + size + 1);

	must(image);
	if (headless)
		make_head(image, kinds[data[0]]);
	if (size > headless)
		memcpy(image + head, data + headless, size - headless);
	check_image(image, head + size - headless);
	free(image);
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
