/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clauses of docs/contract.md, tried on the KVM of this machine. A clause is one
 * function; contract.c has their table and prints what came out.
 */
#ifndef XF_LAB_CONTRACT_H
#define XF_LAB_CONTRACT_H

#include "base/scope.h"
#include "core/vcpu.h"
#include "host/kvm.h"
#include "xferry.h"

/* What a clause came to; `why` says what was seen instead, or what could not be tried. */
struct verdict {
	enum { HOLDS, BROKEN, UNTRIED } is;
	const char *why;
};

#define VERDICT_HOLDS ((struct verdict){ HOLDS, NULL })
#define VERDICT_BROKEN(text) ((struct verdict){ BROKEN, text })
#define VERDICT_UNTRIED(text) ((struct verdict){ UNTRIED, text })

/* Leaves the clause, as broken, unless the condition is true. */
#define EXPECT(condition, text)                      \
	do {                                         \
		if (!(condition))                    \
			return VERDICT_BROKEN(text); \
	} while (0)

/* Leaves the clause, as untried, unless the condition is true. */
#define NEEDS(condition, text)                        \
	do {                                          \
		if (!(condition))                     \
			return VERDICT_UNTRIED(text); \
	} while (0)

/* What a guest is shown by KVM_SET_CPUID2. */
enum guest {
	GUEST_NONE,   /* KVM_SET_CPUID2 is not called */
	GUEST_BARE,   /* no XSAVE, no leaf 0xD */
	GUEST_LITTLE, /* x87 and SSE in leaf 0xD */
	GUEST_ALL,    /* all that the host has */
	GUESTS
};

struct area {
	_Alignas(64) unsigned char bytes[XF_KVM_AREA_MAX];
};

/* One KVM, and what all clauses need to know of it. */
struct bench {
	struct xf_kvm_device kvm;
	struct xf_kvm_vm vm;
	unsigned int vcpus; /* made so far */
	struct xf_kvm_cpuid guest[GUESTS];
	struct xf_layout layout;
	uint64_t host;	     /* components of KVM_GET_SUPPORTED_CPUID */
	uint32_t mxcsr_mask; /* of the CPU, by FXSAVE */
	bool has_xsave;
	/* The xferry module, as a probe finds it. */
	uint64_t hook_set;  /* components that it takes out of a SET, where they are superfluous, */
	uint64_t hook_get;  /* and of a GET */
	bool hook_observes; /* it is loaded, and takes nothing out */
	bool hook_pkru;	    /* Proxmox' */
};

/* A new vCPU, and KVM_SET_CPUID2 as `guest` says. Ends the program when KVM gives none. */
struct xf_kvm_cpu new_cpu(struct bench *bench, enum guest guest);
bool show(struct bench *bench, const struct xf_kvm_cpu *cpu, enum guest guest);

/* What KVM says that the vCPU was shown: KVM_GET_CPUID2's leaf 0xD; 0 without it. */
uint64_t shown_to(const struct xf_kvm_cpu *cpu);

/* What the host can hold and the guest was not shown. */
uint64_t superfluous(const struct bench *bench, const struct xf_kvm_cpu *cpu);
/* Whether there is a guest that something is hidden from. */
bool can_hide(struct bench *bench);
#define NOTHING_SUPERFLUOUS "the guest is shown all that the host has, whatever its CPUID"

/* An area with these components in use, each with data that is not its initial state. */
void area_fill(const struct bench *bench, uint64_t xstate_bv, struct area *out);

uint64_t area_xstate_bv(const struct area *area);
void area_set_xstate_bv(struct area *area, uint64_t xstate_bv);
void area_set_mxcsr(struct area *area, uint32_t mxcsr);
uint32_t area_mxcsr(const struct area *area);
/* What area_fill puts into MXCSR where SSE or AVX is in use: flush to zero. */
#define MXCSR_LOADED 0x9f80

/* Whether the data of these components is the same in both. */
bool area_equal(const struct bench *bench, const struct area *a, const struct area *b,
		uint64_t components);
/* Whether the data of these components is that of a reset. */
bool area_initial(const struct bench *bench, const struct area *area, uint64_t components);

/* KVM_SET_XSAVE of an area with this XSTATE_BV, and data for what the host can hold. */
int load(struct bench *bench, const struct xf_kvm_cpu *cpu, uint64_t xstate_bv);

#define CLAUSE(id) struct verdict clause_##id(struct bench *bench)

CLAUSE(G1);
CLAUSE(G2);
CLAUSE(G3);
CLAUSE(G4);
CLAUSE(G5);
CLAUSE(G6);
CLAUSE(G7);
CLAUSE(G8);
CLAUSE(G9);
CLAUSE(S1);
CLAUSE(S2);
CLAUSE(S3);
CLAUSE(S4);
CLAUSE(S5);
CLAUSE(S6);
CLAUSE(S7);
CLAUSE(S8);
CLAUSE(S9);
CLAUSE(S10);
CLAUSE(S11);
CLAUSE(S12);
CLAUSE(S13);
CLAUSE(C1);
CLAUSE(C2);
CLAUSE(C3);
CLAUSE(C4);
CLAUSE(X1);
CLAUSE(X2);
CLAUSE(X3);
CLAUSE(X4);
CLAUSE(H1);
CLAUSE(H2);
CLAUSE(H3);
CLAUSE(H4);
CLAUSE(H5);
CLAUSE(H6);
CLAUSE(H7);
CLAUSE(H8);

#endif
