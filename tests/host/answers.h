/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A KVM's answers as text, one "key value" a line, so that what a kernel said that is
 * not at hand can be kept in data/answers/ and concluded from again.
 */
#ifndef XF_TESTS_HOST_ANSWERS_H
#define XF_TESTS_HOST_ANSWERS_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/probe.h"

enum answer_kind { ANSWER_TEXT, ANSWER_NUMBER, ANSWER_BOOL };

struct answer_field {
	char key[32];
	enum answer_kind kind;
	void *at;
	size_t size;
};

#define ANSWER_FIELDS_MAX 256

static inline void add_field(struct answer_field *fields, size_t *count, const char *key,
			     enum answer_kind kind, void *at, size_t size)
{
	struct answer_field *field = &fields[(*count)++];

	snprintf(field->key, sizeof(field->key), "%s", key);
	field->kind = kind;
	field->at = at;
	field->size = size;
}

static inline void add_guest(struct answer_field *fields, size_t *count, const char *name,
			     struct xf_probe_dialogue *guest)
{
	const struct {
		const char *key;
		uint64_t *at;
	} masks[] = {
		{ "asked", &guest->asked },
		{ "shown", &guest->shown },
		{ "before", &guest->before },
		{ "carried", &guest->carried },
		{ "accepted", &guest->accepted },
		{ "kept", &guest->kept },
		{ "narrowed", &guest->narrowed },
		{ "widened", &guest->widened },
		{ "evidence.shown", &guest->evidence.shown },
		{ "evidence.known", &guest->evidence.known },
	};
	char key[32];

	snprintf(key, sizeof(key), "%s.done", name);
	add_field(fields, count, key, ANSWER_BOOL, &guest->done, sizeof(guest->done));
	snprintf(key, sizeof(key), "%s.was_narrowed", name);
	add_field(fields, count, key, ANSWER_BOOL, &guest->was_narrowed,
		  sizeof(guest->was_narrowed));
	snprintf(key, sizeof(key), "%s.was_widened", name);
	add_field(fields, count, key, ANSWER_BOOL, &guest->was_widened, sizeof(guest->was_widened));
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		snprintf(key, sizeof(key), "%s.%s", name, masks[i].key);
		add_field(fields, count, key, ANSWER_NUMBER, masks[i].at, sizeof(uint64_t));
	}
}

static inline void add_extent(struct answer_field *fields, size_t *count, unsigned int i,
			      struct xf_cpuid_regs *regs)
{
	char key[32];

	snprintf(key, sizeof(key), "extent%u.size", i);
	add_field(fields, count, key, ANSWER_NUMBER, &regs->eax, sizeof(regs->eax));
	snprintf(key, sizeof(key), "extent%u.offset", i);
	add_field(fields, count, key, ANSWER_NUMBER, &regs->ebx, sizeof(regs->ebx));
	snprintf(key, sizeof(key), "extent%u.flags", i);
	add_field(fields, count, key, ANSWER_NUMBER, &regs->ecx, sizeof(regs->ecx));
}

#define FIELD(kind, name) add_field(fields, &count, #name, kind, &a->name, sizeof(a->name))

/* Every field of `a`; how many they are. Sub-leaves 2 to 19 of leaf 0xD have components. */
static inline size_t answer_fields(struct xf_probe_answers *a, struct answer_field *fields)
{
	static const char *const guests[] = { "none", "empty", "bare", "fpsse", "avx", "full" };
	size_t count = 0;

	_Static_assert(sizeof(guests) / sizeof(guests[0]) == XF_PROBE_GUESTS, "every guest");
	FIELD(ANSWER_TEXT, kernel);
	FIELD(ANSWER_TEXT, cpu);
	FIELD(ANSWER_NUMBER, amx_permission);
	FIELD(ANSWER_NUMBER, supported);
	for (unsigned int i = 2; i < 20; i++)
		add_extent(fields, &count, i, &a->extents[i]);
	FIELD(ANSWER_NUMBER, area_size);
	FIELD(ANSWER_TEXT, why_no_vm);
	FIELD(ANSWER_TEXT, why_no_guest);
	for (unsigned int i = 0; i < XF_PROBE_GUESTS; i++)
		add_guest(fields, &count, guests[i], &a->guests[i]);
	FIELD(ANSWER_TEXT, why_no_places);
	FIELD(ANSWER_NUMBER, moved);
	FIELD(ANSWER_TEXT, why_no_header);
	FIELD(ANSWER_BOOL, takes_xcomp_bv);
	FIELD(ANSWER_NUMBER, reserved_taken);
	FIELD(ANSWER_TEXT, why_no_mxcsr);
	FIELD(ANSWER_NUMBER, mxcsr_mask);
	FIELD(ANSWER_BOOL, idle_mxcsr_taken);
	FIELD(ANSWER_TEXT, why_no_pkru);
	FIELD(ANSWER_BOOL, pkru[0].in_use);
	FIELD(ANSWER_NUMBER, pkru[0].value);
	FIELD(ANSWER_BOOL, pkru[1].in_use);
	FIELD(ANSWER_NUMBER, pkru[1].value);
	FIELD(ANSWER_BOOL, pkru[2].in_use);
	FIELD(ANSWER_NUMBER, pkru[2].value);
	FIELD(ANSWER_BOOL, pkru_ran);
	FIELD(ANSWER_TEXT, why_no_xfd);
	FIELD(ANSWER_BOOL, xfd_kept);
	FIELD(ANSWER_BOOL, module_loaded);
	FIELD(ANSWER_TEXT, module_mode);
	FIELD(ANSWER_NUMBER, module_components);
	FIELD(ANSWER_BOOL, module_trim_get);
	FIELD(ANSWER_TEXT, why_no_run);
	FIELD(ANSWER_NUMBER, run_shown);
	FIELD(ANSWER_NUMBER, after_run);
	return count;
}

#undef FIELD

static inline uint64_t field_number(const struct answer_field *field)
{
	uint64_t number = 0;

	if (field->kind == ANSWER_BOOL)
		return *(bool *)field->at;
	memcpy(&number, field->at, field->size);
	return number;
}

/* What is 0 or empty is left out. */
static inline void print_answers(struct xf_probe_answers *answers, FILE *to)
{
	struct answer_field fields[ANSWER_FIELDS_MAX];
	size_t count = answer_fields(answers, fields);

	for (size_t i = 0; i < count; i++) {
		const struct answer_field *field = &fields[i];

		if (field->kind == ANSWER_TEXT && *(char *)field->at)
			fprintf(to, "%s %s\n", field->key, (char *)field->at);
		else if (field->kind != ANSWER_TEXT && field_number(field))
			fprintf(to, "%s 0x%" PRIx64 "\n", field->key, field_number(field));
	}
}

static inline bool take_answer(const struct answer_field *field, const char *value)
{
	uint64_t number = 0;

	if (field->kind == ANSWER_TEXT) {
		snprintf(field->at, field->size, "%s", value);
		return true;
	}
	if (sscanf(value, "0x%" SCNx64, &number) != 1)
		return false;
	if (field->kind == ANSWER_BOOL)
		*(bool *)field->at = number;
	else
		memcpy(field->at, &number, field->size);
	return true;
}

/* Reads what print_answers wrote. False: a line that is none of its lines. */
static inline bool read_answers(FILE *from, struct xf_probe_answers *out)
{
	struct answer_field fields[ANSWER_FIELDS_MAX];
	size_t count, i;
	char line[256];

	memset(out, 0, sizeof(*out));
	count = answer_fields(out, fields);
	while (fgets(line, sizeof(line), from)) {
		char *value = strchr(line, ' ');

		if (*line == '#')
			continue;
		if (!value)
			return false;
		*value++ = '\0';
		value[strcspn(value, "\n")] = '\0';
		for (i = 0; i < count && strcmp(fields[i].key, line) != 0; i++)
			;
		if (i == count || !take_answer(&fields[i], value))
			return false;
	}
	return true;
}

#endif
