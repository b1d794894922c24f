/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where each component lies in one host's XSAVE area. In the standard format
 * the offsets are the CPU's own (CPUID.(0xD,i).EBX) and differ between vendors:
 * PKRU is at 0xA80 on Intel, at 0x980 on AMD (Zen 3 and later; Zen 2 tells 0x340
 * and 64 bytes, but has no PKU). SDM vol. 1, 13.4.3.
 */
#ifndef XF_CORE_LAYOUT_H
#define XF_CORE_LAYOUT_H

#include "core/component.h"

/* x87 and SSE lie in the legacy region, the header follows, then the extended region. */
#define XF_LEGACY_SIZE 512
#define XF_HEADER_SIZE 64
#define XF_EXTENDED_OFFSET (XF_LEGACY_SIZE + XF_HEADER_SIZE)
/* The largest area that is believed. KVM's largest today is 11,008 bytes (AMX). */
#define XF_AREA_MAX (1u << 20)

/* size 0: this host does not have the component. offset: standard format, bytes from the start. */
struct xf_extent {
	uint32_t offset;
	uint32_t size;
	bool aligned;	 /* CPUID.(0xD,i).ECX[1] */
	bool supervisor; /* CPUID.(0xD,i).ECX[0]: no place in the standard format */
};

/* Bits 0 and 1 are implied; their extents stay zero. */
struct xf_layout {
	struct xf_extent at[XF_BITS];
};

extern const struct xf_layout xf_layout_intel;	    /* with AVX-512, MPX, PKRU, AMX */
extern const struct xf_layout xf_layout_amd;	    /* AVX and PKRU: Zen 3 */
extern const struct xf_layout xf_layout_amd_avx512; /* Zen 4 and later */

enum xf_layout_fault {
	XF_LAYOUT_OK,
	XF_LAYOUT_IN_HEADER, /* a component begins within the first 576 bytes */
	XF_LAYOUT_TOO_LARGE, /* a component ends past XF_AREA_MAX */
	XF_LAYOUT_OVERLAP,   /* two components share bytes */
	XF_LAYOUT_SIZE,	     /* a component known to the table is smaller than its own data */
};

/* What is wrong with a layout; `*where` is the component, untouched when all is well. */
enum xf_layout_fault xf_layout_check(const struct xf_layout *layout, struct xf_bit *where);

/* The registers of one CPUID.(0xD,i). */
struct xf_cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

/*
 * Makes a layout of CPUID leaf 0xD: `sub[i]` is sub-leaf i, `count` of them
 * (sub-leaves past it count as absent). Writes `*out` only when it is sound.
 */
enum xf_layout_fault xf_layout_from_cpuid(const struct xf_cpuid_regs *sub, size_t count,
					  struct xf_layout *out);

/* The components that a layout has a size for (x87 and SSE always). */
uint64_t xf_layout_components(const struct xf_layout *layout);

/* Bytes of a standard-format area that holds the components of `mask`; at least 576. */
uint32_t xf_layout_standard_size(const struct xf_layout *layout, uint64_t mask);

/*
 * Bytes of a compacted-format area for the components in `xcomp_bv` (bit 63
 * ignored). 0: the layout lacks one of them, so its size is not known.
 */
uint32_t xf_layout_compacted_size(const struct xf_layout *layout, uint64_t xcomp_bv);

/*
 * Offset of one component (2 to 62) in an area whose XCOMP_BV is `xcomp_bv`:
 * bit 63 clear means standard format. 0: the area has no place for it, or it
 * follows one whose size the layout does not know.
 */
uint32_t xf_layout_offset(const struct xf_layout *layout, uint64_t xcomp_bv, struct xf_bit bit);

#endif
