/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/layout.h"
#include "core/bytes.h"

/* Components 2 to 62 have an extent; the first two lie in the legacy region. */
#define EXTENDED_MASK (~(XF_FPSSE | XF_MASK_(63)))

/* The bits of CPUID.(0xD,i).ECX. */
#define ECX_SUPERVISOR (1u << 0)
#define ECX_ALIGNED (1u << 1)

#define AT(mask) .at[__builtin_ctzll(mask)]

/*
 * From CPUID dumps of libcpuid's test data: Skylake-X and Rocket Lake (MPX with
 * PKRU), Sapphire Rapids (AMX); Intel's offsets are the same in all of them, and
 * Zhaoxin's PKRU is at Intel's.
 */
const struct xf_layout xf_layout_intel = {
	AT(XF_AVX) = { 0x240, 256, false, false },
	AT(XF_BNDREGS) = { 0x3c0, 64, false, false },
	AT(XF_BNDCSR) = { 0x400, 64, false, false },
	AT(XF_OPMASK) = { 0x440, 64, false, false },
	AT(XF_ZMM_HI256) = { 0x480, 512, false, false },
	AT(XF_HI16_ZMM) = { 0x680, 1024, false, false },
	AT(XF_PKRU) = { 0xa80, 8, false, false },
	AT(XF_XTILECFG) = { 0xac0, 64, true, false },
	AT(XF_XTILEDATA) = { 0xb00, 8192, true, false },
};

/* Ryzen 5000 and 6000 (Zen 3): the gap is where Zen 4 has AVX-512. */
const struct xf_layout xf_layout_amd = {
	AT(XF_AVX) = { 0x240, 256, false, false },
	AT(XF_PKRU) = { 0x980, 8, false, false },
};

/* Ryzen 7600X (Zen 4) and Zen 5. */
const struct xf_layout xf_layout_amd_avx512 = {
	AT(XF_AVX) = { 0x240, 256, false, false },
	AT(XF_OPMASK) = { 0x340, 64, false, false },
	AT(XF_ZMM_HI256) = { 0x380, 512, false, false },
	AT(XF_HI16_ZMM) = { 0x580, 1024, false, false },
	AT(XF_PKRU) = { 0x980, 8, false, false },
};

/* Sizes and offsets may be anything in a layout that nobody has checked: no wrap-around. */
static uint32_t saturate(uint64_t size)
{
	return size > ~(uint32_t)0 ? ~(uint32_t)0 : (uint32_t)size;
}

static uint64_t end_of(const struct xf_extent *extent)
{
	return (uint64_t)extent->offset + extent->size;
}

/* Has a place of its own in the standard format. */
static bool has_offset(const struct xf_extent *extent)
{
	return extent->size && !extent->supervisor;
}

static enum xf_layout_fault check_extent(const struct xf_extent *extent, struct xf_bit bit)
{
	const struct xf_component *row = xf_component(bit);

	if (row && extent->size < row->size)
		return XF_LAYOUT_SIZE;
	if (extent->size > XF_AREA_MAX)
		return XF_LAYOUT_TOO_LARGE;
	if (extent->supervisor)
		return XF_LAYOUT_OK;
	if (extent->offset < XF_EXTENDED_OFFSET)
		return XF_LAYOUT_IN_HEADER;
	return end_of(extent) > XF_AREA_MAX ? XF_LAYOUT_TOO_LARGE : XF_LAYOUT_OK;
}

/* Whether a component shares bytes with one of a lower number. */
static bool overlaps(const struct xf_layout *layout, struct xf_bit bit)
{
	const struct xf_extent *extent = &layout->at[bit.n];

	if (!has_offset(extent))
		return false;
	xf_for_each_bit (other, EXTENDED_MASK & (xf_mask(bit) - 1)) {
		const struct xf_extent *below = &layout->at[other.n];

		if (has_offset(below) && extent->offset < end_of(below) &&
		    below->offset < end_of(extent))
			return true;
	}
	return false;
}

enum xf_layout_fault xf_layout_check(const struct xf_layout *layout, struct xf_bit *where)
{
	xf_for_each_bit (bit, xf_layout_components(layout) & EXTENDED_MASK) {
		enum xf_layout_fault fault = check_extent(&layout->at[bit.n], bit);

		if (fault == XF_LAYOUT_OK && overlaps(layout, bit))
			fault = XF_LAYOUT_OVERLAP;
		if (fault != XF_LAYOUT_OK) {
			*where = bit;
			return fault;
		}
	}
	return XF_LAYOUT_OK;
}

static void set_extent(struct xf_extent *extent, const struct xf_cpuid_regs *regs)
{
	extent->size = regs->eax;
	extent->supervisor = regs->ecx & ECX_SUPERVISOR;
	extent->aligned = regs->ecx & ECX_ALIGNED;
	extent->offset = extent->supervisor ? 0 : regs->ebx;
}

static void copy_layout(struct xf_layout *to, const struct xf_layout *from)
{
	xf_copy_bytes((unsigned char *)to, (const unsigned char *)from, sizeof(*to));
}

enum xf_layout_fault xf_layout_from_cpuid(const struct xf_cpuid_regs *sub, size_t count,
					  struct xf_layout *out)
{
	struct xf_layout layout;
	struct xf_bit where;

	xf_zero_bytes((unsigned char *)&layout, sizeof(layout));
	xf_for_each_bit (bit, EXTENDED_MASK)
		if (bit.n < count && sub[bit.n].eax)
			set_extent(&layout.at[bit.n], &sub[bit.n]);

	enum xf_layout_fault fault = xf_layout_check(&layout, &where);

	if (fault == XF_LAYOUT_OK)
		copy_layout(out, &layout);
	return fault;
}

uint64_t xf_layout_components(const struct xf_layout *layout)
{
	uint64_t mask = XF_FPSSE;

	xf_for_each_bit (bit, EXTENDED_MASK)
		if (layout->at[bit.n].size)
			mask |= xf_mask(bit);
	return mask;
}

uint32_t xf_layout_standard_size(const struct xf_layout *layout, uint64_t mask)
{
	uint64_t size = XF_EXTENDED_OFFSET;

	xf_for_each_bit (bit, mask & EXTENDED_MASK) {
		const struct xf_extent *extent = &layout->at[bit.n];

		if (has_offset(extent) && end_of(extent) > size)
			size = end_of(extent);
	}
	return saturate(size);
}

/*
 * The end of those components of a compacted area that `mask` has, each after
 * the one before it, or 0 where the size of one is not known: then nothing that
 * follows it can be found. SDM vol. 1, 13.4.3.
 */
static uint64_t compacted_end(const struct xf_layout *layout, uint64_t mask)
{
	uint64_t end = XF_EXTENDED_OFFSET;

	xf_for_each_bit (bit, mask & EXTENDED_MASK) {
		const struct xf_extent *extent = &layout->at[bit.n];

		if (!extent->size)
			return 0;
		if (extent->aligned)
			end = (end + 63) & ~(uint64_t)63;
		end += extent->size;
	}
	return end;
}

uint32_t xf_layout_compacted_size(const struct xf_layout *layout, uint64_t xcomp_bv)
{
	return saturate(compacted_end(layout, xcomp_bv));
}

uint32_t xf_layout_offset(const struct xf_layout *layout, uint64_t xcomp_bv, struct xf_bit bit)
{
	const struct xf_extent *extent = &layout->at[bit.n];
	uint64_t mask = xf_mask(bit);

	if (!(mask & EXTENDED_MASK))
		return 0;
	if (!(xcomp_bv & XF_MASK_(63)))
		return has_offset(extent) ? extent->offset : 0;
	if (!(xcomp_bv & mask))
		return 0;

	uint64_t end = compacted_end(layout, xcomp_bv & (mask | (mask - 1)));

	return end ? saturate(end - extent->size) : 0;
}
