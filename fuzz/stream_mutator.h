/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutations of QEMU's stream: of its sections and of the description at its end, whose length is
 * put right; and of whole sections, which are left out, doubled or put elsewhere. The reader comes
 * from the end as from the start, and by chance hardly one such stream holds together.
 */
#ifndef XF_FUZZ_STREAM_MUTATOR_H
#define XF_FUZZ_STREAM_MUTATOR_H

#include "fuzz/json_mutator.h"

#ifdef XF_LIBFUZZER
#include "base/bytes.h"

#define SECTIONS_MAX 64

struct section {
	size_t from;
	size_t to;
};

/* Where the description's mark is, or the stream's end. */
static size_t find_mark(const struct mutant *mutant, size_t start)
{
	for (size_t at = mutant->size; at-- > start + 5;)
		if (mutant->data[at - 5] == 6 &&
		    xf_be32(mutant->data + at - 4) == mutant->size - at)
			return at - 5;
	return mutant->size;
}

/* Sections that begin with their kind, number, and a name, and end with that number again. */
static size_t find_sections(const struct mutant *mutant, size_t start, size_t end,
			    struct section *out)
{
	const uint8_t *data = mutant->data;
	size_t count = 0;

	for (size_t at = start; at + 10 < end && count < SECTIONS_MAX; at++) {
		uint8_t foot[5] = { 0x7e };

		if ((data[at] != 1 && data[at] != 4) || !data[at + 5] || data[at + 5] > 32 ||
		    data[at + 6] < 'A')
			continue;
		memcpy(foot + 1, data + at + 1, 4);

		const uint8_t *last = memmem(data + at + 6, end - at - 6, foot, sizeof(foot));

		if (!last)
			continue;
		out[count].from = at;
		out[count].to = (size_t)(last - data) + sizeof(foot);
		at = out[count++].to - 1;
	}
	return count;
}

/* Leaves a section out, or puts a copy of it before another. */
static void move_section(struct mutant *mutant, size_t start, size_t end)
{
	struct section sections[SECTIONS_MAX];
	size_t count = find_sections(mutant, start, end, sections);

	if (!count)
		return;

	struct section what = sections[mutant_pick(mutant, count)];
	size_t where = sections[mutant_pick(mutant, count)].from, length = what.to - what.from;
	uint8_t *copy = malloc(length);

	if (!copy)
		return;
	memcpy(copy, mutant->data + what.from, length);
	if (mutant_pick(mutant, 2)) {
		mutant_put(mutant, what.from, what.to, NULL, 0);
		if (where > what.from)
			where -= length;
	}
	if (mutant_pick(mutant, 3))
		mutant_put(mutant, where, where, copy, length);
	free(copy);
}

static void mutate_description(struct mutant *mutant, size_t mark)
{
	mutate_json(mutant, mark + 5, mutant->size);

	size_t length = mutant->size - mark - 5;

	for (unsigned int i = 0; i < 4; i++)
		mutant->data[mark + 1 + i] = (uint8_t)(length >> (24 - 8 * i));
}

/* One section alone; its neighbours stay where they are. */
static void mutate_section(struct mutant *mutant, size_t start, size_t end)
{
	struct section sections[SECTIONS_MAX];
	size_t count = find_sections(mutant, start, end, sections);

	if (!count)
		return;

	struct section what = sections[mutant_pick(mutant, count)];

	mutant_part(mutant, what.from, what.to);
}

/* A stream that begins at `start` of the input. */
static size_t mutate_stream(uint8_t *data, size_t size, size_t max, unsigned int seed, size_t start)
{
	struct mutant mutant = { data, size, max, seed };
	size_t mark = size > start ? find_mark(&mutant, start) : size;
	size_t way = mutant_pick(&mutant, 8);

	if (size <= start || way < 2)
		mutant_part(&mutant, 0, size);
	else if (way < 4)
		mutate_section(&mutant, start, mark);
	else if (way == 4)
		move_section(&mutant, start, mark);
	else if (way == 5 || mark == size)
		mutant_part(&mutant, start, mark);
	else
		mutate_description(&mutant, mark);
	return mutant.size;
}

#endif
#endif
