/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutations of qcow2 images. Most of one is numbers of eight bytes, of which those that matter are
 * places of clusters, with flags in the highest bits: one is taken from another place of the image,
 * moved by a cluster, or has a flag changed. So tables come to share clusters, name each other or
 * themselves, and lie beyond the end.
 */
#ifndef XF_FUZZ_QCOW2_MUTATOR_H
#define XF_FUZZ_QCOW2_MUTATOR_H

#include "fuzz/mutator.h"

#ifdef XF_LIBFUZZER
#include "base/bytes.h"

#define HEADER_SIZE 104
#define BITS_AT 20

static void put_be(uint8_t *at, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

/* The place of an entry that is not zero, looked for from any place on; most are. */
static size_t find_entry(struct mutant *mutant)
{
	size_t entries = mutant->size / 8, at = mutant_pick(mutant, entries);

	for (size_t i = 0; i < entries; i++, at = (at + 1) % entries)
		if (xf_be64(mutant->data + 8 * at))
			break;
	return 8 * at;
}

static uint64_t other_entry(struct mutant *mutant, uint64_t entry)
{
	unsigned int bits = mutant->data[BITS_AT + 3] % 24;

	switch (mutant_pick(mutant, 6)) {
	case 0:
		return xf_be64(mutant->data + find_entry(mutant));
	case 1:
		return entry + (1ull << bits);
	case 2:
		return entry - (1ull << bits);
	case 3:
		return entry ^ 1ull << (62 + mutant_pick(mutant, 2));
	case 4:
		return entry ^ 1ull << mutant_pick(mutant, 64);
	default:
		/* Any cluster of the image, or the first one behind it. */
		return (1ull << 63) | (uint64_t)mutant_pick(mutant, (mutant->size >> bits) + 2)
					      << bits;
	}
}

/* A count, a size, or the flags; the fields are of four bytes. */
static void mutate_header(struct mutant *mutant)
{
	static const uint32_t values[] = { 0, 1, 2, 3, 8, 0x10, 0x7fffffff, 0xffffffff };
	uint8_t *field = mutant->data + 4 * mutant_pick(mutant, HEADER_SIZE / 4);
	uint32_t value = xf_be32(field);

	switch (mutant_pick(mutant, 3)) {
	case 0:
		value = values[mutant_pick(mutant, sizeof(values) / sizeof(*values))];
		break;
	case 1:
		value += 1 - 2 * (uint32_t)mutant_pick(mutant, 2);
		break;
	default:
		value ^= 1u << mutant_pick(mutant, 32);
	}
	put_be(field, value, 4);
}

/* One of the state's bytes, or of a snapshot's name: what is no entry. */
static void mutate_bytes(struct mutant *mutant)
{
	size_t from = mutant_pick(mutant, mutant->size), left = mutant->size - from;
	size_t length = left < 64 ? left : 64, max = mutant->max;

	/* Nothing behind it is moved: all would be somewhere else. */
	mutant->max = mutant->size;
	mutant_part(mutant, from, from + length);
	mutant->max = max;
}

static size_t mutate_qcow2(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct mutant mutant = { data, size, max, seed };
	size_t at;

	if (size < HEADER_SIZE)
		return LLVMFuzzerMutate(data, size, max);
	switch (mutant_pick(&mutant, 8)) {
	case 0:
		mutant_part(&mutant, 0, size);
		break;
	case 1:
		mutate_header(&mutant);
		break;
	case 2:
		mutate_bytes(&mutant);
		break;
	default:
		at = find_entry(&mutant);
		put_be(data + at, other_entry(&mutant, xf_be64(data + at)), 8);
	}
	return mutant.size;
}

#endif
#endif
