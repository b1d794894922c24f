/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The states that go through a KVM, made of a seed and a number alone: the same
 * seed and the same host always give the same states. Nothing here knows what a
 * KVM answers to them.
 *
 * States come in runs of GENERATE_RUN on one vCPU, as what a call does may depend on
 * those before it. Every second state has a sound header and a subset of components
 * whose turn it is, so that all subsets go to every kind of guest; the others each
 * have something odd.
 */
#ifndef XF_LAB_GENERATE_H
#define XF_LAB_GENERATE_H

#include "core/vcpu.h"

#define GENERATE_RUN 16

/* What a guest is told by KVM_SET_CPUID2. */
enum guest_kind {
	GUEST_UNTOLD,	/* nothing: the call is never made */
	GUEST_EMPTY,	/* a CPUID of no entries */
	GUEST_BARE,	/* a CPU without XSAVE: no leaf 0xD */
	GUEST_HIDDEN,	/* all that the host has, but CPUID.1 and the highest leaf deny it */
	GUEST_X87,	/* leaf 0xD with x87 alone */
	GUEST_LEGACY,	/* x87 and SSE */
	GUEST_AVX,	/* and AVX */
	GUEST_PKRU,	/* x87, SSE, PKRU */
	GUEST_AVX_PKRU, /* AVX and PKRU */
	GUEST_AVX512,	/* AVX and AVX-512 */
	GUEST_FULL,	/* all that the host has */
	GUEST_BEYOND,	/* more than the host has */
	GUEST_SOME,	/* any subset of what the host has, most of them consistent */
	GUEST_KINDS
};

const char *guest_kind_name(enum guest_kind kind);

/* When it is told. */
enum guest_order {
	ORDER_FIRST, /* before the first state, as a VMM does it */
	ORDER_LATE,  /* amid the run */
	ORDER_TWICE, /* before the first state, and amid the run as a guest of another kind */
	GUEST_ORDERS
};

/* One CPUID to tell. */
struct guest_cpuid {
	enum guest_kind kind; /* not GUEST_UNTOLD */
	uint64_t shown;	      /* CPUID.(0xD,0).EDX:EAX; empty and bare guests have no such leaf */
};

/* What is odd about a state. */
enum oddity {
	ODD_NOTHING,	   /* a subset whose turn it is, a sound header */
	ODD_XCOMP_BIT,	   /* one bit of XCOMP_BV */
	ODD_COMPACTED,	   /* XCOMP_BV as in the compacted format */
	ODD_RESERVED_BYTE, /* one reserved byte of the header */
	ODD_RESERVED,	   /* all of them */
	ODD_XSTATE_BIT,	   /* one bit of XSTATE_BV the other way round, any of the 64 */
	ODD_XSTATE,	   /* any XSTATE_BV at all */
	ODD_MXCSR_BIT,	   /* one bit of MXCSR the other way round */
	ODD_MXCSR_UNUSED,  /* the same, with x87, SSE and AVX all clear */
	ODD_MXCSR,	   /* any MXCSR at all */
	ODD_NO_PKRU,	   /* all that the host has, but PKRU */
	ODD_DATA,	   /* a subset of the host's, data all zeros or all ones */
	ODD_TWO,	   /* two of the above together */
	ODDITIES
};

/* The host, as far as it decides what is worth trying. */
struct generate_host {
	uint64_t components;
	uint32_t mxcsr_mask;
	const struct xf_layout *layout;
	size_t area_size; /* of the areas to write; at least 576 and a multiple of 8 */
};

struct generate {
	uint64_t seed;
	const struct generate_host *host;
	unsigned int bit_count; /* of the components whose every subset has its turn */
	struct xf_bit bits[XF_BITS];
	uint64_t random[2];
};

/* One state, beside its area. */
struct generated {
	uint64_t index;
	enum oddity oddity;
	bool tell; /* KVM_SET_CPUID2 with `cpuid` comes first */
	struct guest_cpuid cpuid;
	bool arm; /* IA32_XFD is then written: `xfd` */
	uint64_t xfd;
	uint64_t xcr0; /* to try with KVM_SET_XCRS before the state is loaded */
};

/* `states`: how many there will be; the more, the more components are tried in all subsets. */
void generate_init(uint64_t seed, uint64_t states, const struct generate_host *host,
		   struct generate *out);

/* Fills in the states of one run and their areas, each `area_size` bytes after the other. */
void generate_run(struct generate *generate, uint64_t run, struct generated out[GENERATE_RUN],
		  unsigned char *areas);

#endif
