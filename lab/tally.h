/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What came out: counts, and the first differences with all that is needed to see them again. */
#ifndef XF_LAB_TALLY_H
#define XF_LAB_TALLY_H

#include <stdio.h>

#include "lab/generate.h"

/* How many differences are told in full. */
#define TALLY_FIRST 10
/* Bytes around the first one that differs. */
#define TALLY_WINDOW 16

/* Answers that differ from the model for a reason that is known: a row each in compare.c. */
enum explained { EXPLAINED_SW_RESERVED, EXPLAINED_XFD, EXPLAINED_COUNT };

enum differ_call { CALL_SET_XSAVE, CALL_GET_XSAVE, CALL_SET_XCRS, CALL_GET_XCRS };

/* The vCPU at the time, as differences are told with it. */
struct tally_guest {
	enum guest_kind kind;
	bool told;
	uint64_t cpuid_set;  /* CPUID.(0xD,0) as KVM was given it */
	uint64_t cpuid_read; /* and as it gave it back: what the model goes by */
	uint64_t xfd;
	uint64_t xcr0;
};

struct difference {
	uint64_t index;
	enum oddity oddity;
	struct tally_guest guest;
	enum differ_call call;
	unsigned char header[XF_HEADER_SIZE]; /* of the area given to KVM_SET_XSAVE */
	uint32_t mxcsr;
	uint64_t tried_xcr0;
	/* CALL_SET_XSAVE, CALL_SET_XCRS, and a CALL_GET_… that failed: errno */
	int expected_errno, got_errno;
	enum xf_reason reason; /* that the model gives */
	/* CALL_GET_XCRS, and XSTATE_BV of CALL_GET_XSAVE */
	uint64_t expected_mask, got_mask;
	/* CALL_GET_XSAVE: the first byte that differs, how many do, and what is around it */
	size_t offset, byte_count;
	unsigned char expected[TALLY_WINDOW], got[TALLY_WINDOW];
};

struct tally {
	uint64_t states;
	uint64_t accepted;
	uint64_t refused[XF_REASONS];
	struct {
		uint64_t states, accepted, refused;
	} kinds[GUEST_KINDS];
	uint64_t oddities[ODDITIES];
	uint64_t cpuid_told, cpuid_refused, cpuid_changed;
	uint64_t read_xsave, read_xsave2; /* KVM_GET_XSAVE and KVM_GET_XSAVE2 */
	uint64_t xcr0_taken, xcr0_refused;
	uint64_t explained[EXPLAINED_COUNT];
	uint64_t skipped; /* the rest of a run behind a difference */
	uint64_t differences;
	struct difference first[TALLY_FIRST];
};

/* A row of the table of what is explained: a name, and the reason. */
const char *explained_name(enum explained row);
const char *explained_text(enum explained row);

void tally_difference(struct tally *tally, const struct difference *difference);

struct tally_about {
	const char *profile;
	uint64_t seed;
	double seconds;
};

/* One JSON object and a line end. False when it could not be written. */
bool tally_print(const struct tally *tally, const struct tally_about *about, FILE *stream);

#endif
