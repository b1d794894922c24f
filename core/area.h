/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One XSAVE area as KVM_GET_XSAVE(2) gives it and KVM_SET_XSAVE takes it:
 * little-endian bytes, here as a pointer and a size; nothing is assumed of
 * either. SDM vol. 1, 13.4; struct kvm_xsave in the kernel's uapi.
 */
#ifndef XF_CORE_AREA_H
#define XF_CORE_AREA_H

#include "core/layout.h"

/* KVM copies at least this much (sizeof(struct kvm_xsave)). */
#define XF_KVM_XSAVE_SIZE 4096
#define XF_COMPACTED XF_MASK_(63)
/*
 * Bits of MXCSR that a CPU allows when nothing is known of it: Intel's. AMD has
 * one more, 17 (misaligned SSE). A CPU tells its own mask in bytes 28 to 31 of
 * what FXSAVE stores (SDM vol. 1, 11.6.6), and KVM goes by that.
 */
#define XF_MXCSR_MASK 0xffffu
#define XF_MXCSR_MASK_AMD 0x2ffffu

/* Offsets in the header. */
#define XF_XSTATE_BV_OFFSET XF_LEGACY_SIZE
#define XF_XCOMP_BV_OFFSET (XF_LEGACY_SIZE + 8)
#define XF_RESERVED_OFFSET (XF_LEGACY_SIZE + 16)

/* The legacy region: x87, MXCSR in its midst, SSE, padding, and room for software. */
#define XF_FCW_OFFSET 0
#define XF_MXCSR_OFFSET 24
#define XF_MXCSR_MASK_OFFSET 28
#define XF_X87_SIZE 160
#define XF_PADDING_OFFSET 416
#define XF_SW_RESERVED_OFFSET 464

/* What FCW and MXCSR are after reset; all else is 0. */
#define XF_FCW_INIT 0x37f
#define XF_MXCSR_INIT 0x1f80

/* What KVM looks at before it loads an area. */
struct xf_area_head {
	uint64_t xstate_bv;
	uint64_t xcomp_bv;
	uint32_t mxcsr;
	bool reserved; /* some of the header's 48 reserved bytes is not 0 */
};

/* Why KVM_SET_XSAVE would refuse, in the order in which KVM asks. */
enum xf_reason {
	XF_REASON_NONE,		  /* accepted */
	XF_REASON_SHORT,	  /* -EFAULT: fewer bytes than KVM copies */
	XF_REASON_PROTECTED,	  /* the guest's state is encrypted */
	XF_REASON_NO_XSAVE,	  /* host without XSAVE: components beyond x87 and SSE */
	XF_REASON_NO_XSAVE_MXCSR, /* host without XSAVE: MXCSR */
	XF_REASON_HOST,		  /* components that the host cannot hold */
	XF_REASON_USER, /* components not enabled for this vCPU (strict kernels; AMX not permitted)
			 */
	XF_REASON_COMPACTED, /* XCOMP_BV is not 0 */
	XF_REASON_RESERVED,  /* a reserved byte of the header is not 0 */
	XF_REASON_MXCSR,     /* a reserved bit of MXCSR is set */
	XF_REASONS	     /* how many there are */
};

/* "host", "compacted"…: a stable word for JSON. And one clause for a person. */
const char *xf_reason_name(enum xf_reason reason);
const char *xf_reason_text(enum xf_reason reason);

/* What one vCPU's KVM checks an area against; core/rule.h fills it in from a KVM's behaviour. */
struct xf_area_limits {
	uint64_t host; /* kvm_caps.supported_xcr0 */
	uint64_t user; /* fpstate->user_xfeatures */
	uint32_t mxcsr_mask;
	bool no_xsave;		/* host CPU without XSAVE */
	bool refuses_protected; /* the guest is protected and this KVM says so with -EINVAL */
	bool header_unchecked;	/* XCOMP_BV and reserved bytes are not looked at (<= 5.15) */
	bool mxcsr_always;	/* MXCSR is checked even with FP, SSE and AVX all clear (<= 5.15) */
};

/* Reads the head of an area. False, and `*out` untouched, when it has fewer than 576 bytes. */
bool xf_area_head(const void *area, size_t size, struct xf_area_head *out);

/* The first reason KVM has to refuse this head. */
enum xf_reason xf_area_check_head(const struct xf_area_head *head,
				  const struct xf_area_limits *limits);

/* The same for an area of `size` bytes, of which KVM would copy `copied`. */
enum xf_reason xf_area_check(const void *area, size_t size, size_t copied,
			     const struct xf_area_limits *limits);

/*
 * Takes the components of `drop` out of an area: clears their bits in XSTATE_BV
 * and zeroes their data where the area has it. x87 and SSE are never dropped.
 * Nothing else changes. False, and nothing changed, when the area is too short
 * for what its own header announces. `layout` is the host's that saved it.
 */
bool xf_area_drop(void *area, size_t size, const struct xf_layout *layout, uint64_t drop);

/*
 * Clears the bits of `drop` in XSTATE_BV and leaves their data where it is: what
 * KVM_SET_XSAVE needs, which loads no data whose bit is clear. x87 and SSE are
 * never dropped. Gives the bits that were cleared; 0, and nothing changed, when
 * the area has fewer than 576 bytes.
 */
uint64_t xf_area_clear(void *area, size_t size, uint64_t drop);

/* How xf_area_relay can fail; the target area is untouched then. */
enum xf_relay_fault {
	XF_RELAY_OK,
	XF_RELAY_SHORT,	 /* the source ends before what its header announces */
	XF_RELAY_SOURCE, /* in use, but the source layout has no place for it */
	XF_RELAY_TARGET, /* in use, but the target layout has no place for it */
	XF_RELAY_ROOM,	 /* the target buffer is too small */
};

/*
 * Writes the same state as another host's CPU would lay it out: legacy region
 * and header copied, each component in use moved, everything else zero.
 * `to_xcomp_bv` with bit 63 asks for the compacted format with those components
 * (the ones in use must be among them), 0 for the standard format. Reads the
 * source in the format that its own XCOMP_BV tells. `*where` is the component
 * at fault. The areas must not overlap.
 */
enum xf_relay_fault xf_area_relay(const void *from, size_t from_size,
				  const struct xf_layout *from_layout, void *to, size_t to_size,
				  const struct xf_layout *to_layout, uint64_t to_xcomp_bv,
				  struct xf_bit *where);

#endif
