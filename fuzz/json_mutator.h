/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutations of JSON, as often as not JSON still: a number becomes another, what stands in brackets
 * is left out, doubled or put elsewhere. Of quotation marks nothing is known, so that JSON inside
 * a string of JSON is no other than what is around it.
 */
#ifndef XF_FUZZ_JSON_MUTATOR_H
#define XF_FUZZ_JSON_MUTATOR_H

#include "fuzz/mutator.h"

#ifdef XF_LIBFUZZER
#include <ctype.h>

/* The first byte of `bytes` at any place or behind it; or `to`. */
static size_t json_find(struct mutant *mutant, size_t from, size_t to, const char *bytes)
{
	size_t start = from + mutant_pick(mutant, to - from);

	for (size_t at = start; at < to; at++)
		if (strchr(bytes, mutant->data[at]) && mutant->data[at])
			return at;
	return to;
}

static void json_number(struct mutant *mutant, size_t from, size_t to)
{
	static const char *const others[] = { "0",
					      "1",
					      "2",
					      "3",
					      "7",
					      "13",
					      "255",
					      "256",
					      "519",
					      "4095",
					      "4096",
					      "65536",
					      "2147483648",
					      "4294967295",
					      "4294967296",
					      "9007199254740993",
					      "9223372036854775807",
					      "18446744073709551615",
					      "18446744073709551616",
					      "-1",
					      "00",
					      "1.0",
					      "1e3",
					      "\"1\"",
					      "null",
					      "true" };
	size_t at = json_find(mutant, from, to, "0123456789"), end = at;

	/* From its first digit. */
	while (at > from && isdigit(mutant->data[at - 1]))
		at--;
	while (end < to && isdigit(mutant->data[end]))
		end++;
	if (at == end)
		return;
	if (mutant_pick(mutant, 3)) {
		const char *other = others[mutant_pick(mutant, sizeof(others) / sizeof(*others))];

		mutant_put(mutant, at, end, other, strlen(other));
	} else {
		mutant->data[at + mutant_pick(mutant, end - at)] =
			(uint8_t)('0' + mutant_pick(mutant, 10));
	}
}

/* Behind the bracket that belongs to the one at `at`; or `at`. */
static size_t json_end(const struct mutant *mutant, size_t at, size_t to)
{
	size_t depth = 0;

	for (size_t i = at; i < to; i++) {
		if (mutant->data[i] == '{' || mutant->data[i] == '[')
			depth++;
		else if ((mutant->data[i] == '}' || mutant->data[i] == ']') && !--depth)
			return i + 1;
	}
	return at;
}

/* Leaves out what stands in brackets and the comma behind it, or puts a copy of it elsewhere. */
static void json_element(struct mutant *mutant, size_t from, size_t to)
{
	size_t at = json_find(mutant, from, to, "{[");
	size_t end = at < to ? json_end(mutant, at, to) : at;

	if (end == at)
		return;
	if (end < to && mutant->data[end] == ',')
		end++;
	if (mutant_pick(mutant, 2)) {
		mutant_put(mutant, at, end, NULL, 0);
		return;
	}

	size_t where = mutant_pick(mutant, 2) ? at : json_find(mutant, from, to, "{[");
	uint8_t *copy = malloc(end - at + 1);

	if (!copy)
		return;
	memcpy(copy, mutant->data + at, end - at);
	copy[end - at] = ',';
	mutant_put(mutant, where, where, copy, end - at + (copy[end - at - 1] != ','));
	free(copy);
}

/* The text from `from` to `to`. */
static void mutate_json(struct mutant *mutant, size_t from, size_t to)
{
	switch (mutant_pick(mutant, 4)) {
	case 0:
		mutant_part(mutant, from, to);
		break;
	case 1:
		json_element(mutant, from, to);
		break;
	default:
		json_number(mutant, from, to);
	}
}

static inline size_t mutate_json_alone(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct mutant mutant = { data, size, max, seed };

	if (!size)
		return LLVMFuzzerMutate(data, size, max);
	mutate_json(&mutant, 0, size);
	return mutant.size;
}

#endif
#endif
