/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutations that know where the parts of an input are, for lengths and texts to stay what they
 * are about. Built where there is libFuzzer only: its own mutations are used within a part.
 */
#ifndef XF_FUZZ_MUTATOR_H
#define XF_FUZZ_MUTATOR_H

#ifdef XF_LIBFUZZER
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* An input that is changed in its place. */
struct mutant {
	uint8_t *data;
	size_t size;
	size_t max;
	unsigned int seed;
};

/* A number below `bound`, another one each time. */
static inline size_t mutant_pick(struct mutant *mutant, size_t bound)
{
	mutant->seed = mutant->seed * 1103515245 + 12345;
	return bound ? (mutant->seed >> 8) % bound : 0;
}

/* Puts `length` bytes in the place of those from `from` to `to`, as far as there is room. */
static inline bool mutant_put(struct mutant *mutant, size_t from, size_t to, const void *bytes,
			      size_t length)
{
	size_t size = mutant->size - (to - from) + length;

	if (size > mutant->max)
		return false;
	memmove(mutant->data + from + length, mutant->data + to, mutant->size - to);
	if (length)
		memcpy(mutant->data + from, bytes, length);
	mutant->size = size;
	return true;
}

/* libFuzzer's mutations of one part; returns where it ends now. */
static inline size_t mutant_part(struct mutant *mutant, size_t from, size_t to)
{
	size_t room = mutant->max - mutant->size + (to - from);
	uint8_t *part = malloc(room + 1);

	if (!part)
		return to;
	memcpy(part, mutant->data + from, to - from);
	room = LLVMFuzzerMutate(part, to - from, room);
	if (mutant_put(mutant, from, to, part, room))
		to = from + room;
	free(part);
	return to;
}

#endif
#endif
