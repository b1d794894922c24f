/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A state component has a number (XCR0 bit 9) and a mask (0x200). Mixing the
 * two up is a classic mistake and C converts silently, so the number has a
 * type of its own: ORing a `struct xf_bit` into a mask, passing a mask where
 * a number is wanted, or the reverse, does not compile. Named constants exist
 * for masks only (XF_PKRU); nothing is named by its number.
 */
#ifndef XF_CORE_BITS_H
#define XF_CORE_BITS_H

#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/stddef.h>
#include <linux/types.h>
/* The kernel has the types, and other names for what goes with them. */
#define UINT32_MAX U32_MAX
#define UINT64_C(number) number##ULL
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

/* XCR0 and XSTATE_BV have 64 bits; the highest (63) is no component. */
#define XF_BITS 64

/* The number of one state component, 0 to 63. */
struct xf_bit {
	unsigned char n;
};

/* The component with this number. Numbers come from CPUID and from loops; 64 and more wrap. */
static inline struct xf_bit xf_bit(unsigned int n)
{
	return (struct xf_bit){ (unsigned char)(n % XF_BITS) };
}

/* The mask that has only this component's bit. */
static inline uint64_t xf_mask(struct xf_bit bit)
{
	return (uint64_t)1 << bit.n;
}

/* The lowest component of a mask that is not empty. */
static inline struct xf_bit xf_lowest(uint64_t mask)
{
	return xf_bit((unsigned int)__builtin_ctzll(mask));
}

/* Runs the body once a component in `mask`, lowest first, with `bit` set to it. */
#define xf_for_each_bit(bit, mask)                                      \
	for (uint64_t xf_left_ = (mask); xf_left_; xf_left_ = 0)        \
		for (struct xf_bit bit = xf_lowest(xf_left_); xf_left_; \
		     xf_left_ &= xf_left_ - 1, bit = xf_left_ ? xf_lowest(xf_left_) : bit)

#endif
