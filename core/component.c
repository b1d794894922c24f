/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/component.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* CPUID bits, as in the SDM's description of CPUID: leaf, sub-leaf, register, bit. */
#define NONE                    \
	{                       \
		0, 0, XF_EAX, 0 \
	}
#define FPU                     \
	{                       \
		1, 0, XF_EDX, 0 \
	}
#define SSE                      \
	{                        \
		1, 0, XF_EDX, 25 \
	}
#define AVX                      \
	{                        \
		1, 0, XF_ECX, 28 \
	}
#define HWP                     \
	{                       \
		6, 0, XF_EAX, 7 \
	}
#define HDC                      \
	{                        \
		6, 0, XF_EAX, 13 \
	}
#define MPX                      \
	{                        \
		7, 0, XF_EBX, 14 \
	}
#define AVX512F                  \
	{                        \
		7, 0, XF_EBX, 16 \
	}
#define INTEL_PT                 \
	{                        \
		7, 0, XF_EBX, 25 \
	}
#define PKU                     \
	{                       \
		7, 0, XF_ECX, 3 \
	}
#define SHSTK                   \
	{                       \
		7, 0, XF_ECX, 7 \
	}
#define ENQCMD                   \
	{                        \
		7, 0, XF_ECX, 29 \
	}
#define UINTR                   \
	{                       \
		7, 0, XF_EDX, 5 \
	}
#define ARCH_LBR                 \
	{                        \
		7, 0, XF_EDX, 19 \
	}
#define IBT                      \
	{                        \
		7, 0, XF_EDX, 20 \
	}
#define AMX_TILE                 \
	{                        \
		7, 0, XF_EDX, 24 \
	}
#define AVX10                    \
	{                        \
		7, 1, XF_EDX, 19 \
	}
#define APX_F                    \
	{                        \
		7, 1, XF_EDX, 21 \
	}

/*
 * X(mask, name, label, size, aligned, supervisor, shown by, or by, group, needs, what)
 *
 * Sizes and flags as the sub-leaves of CPUID leaf 0xD tell them. Checked against
 * the 227 raw dumps with that leaf of libcpuid's test data (0.8.1: Sandy Bridge to
 * Lion Cove, Sapphire Rapids with AMX, Bulldozer to Zen 5, Zhaoxin) and against an
 * EPYC with KVM. Two things seen there:
 *  - Zen 2 says 64 bytes for PKRU, at 0x340, and does not offer PKU; its registers
 *    are the first 8 bytes. So a host may say more than this table, never less.
 *  - bit 62 is AMD's LWP (128 bytes), on Bulldozer and on one Zen 2. No row: KVM
 *    has never saved it.
 * Not in any dump: APX (Intel APX specification 3.1.4; the kernel's struct
 * apx_state); it lies where MPX was, so no CPU has both.
 *
 * The features that show a component are those of the kernel's
 * xsave_cpuid_features and of QEMU's x86_ext_save_areas, from which QEMU makes
 * the guest's leaf 0xD. CET_U and CET_S can be enabled one without the other,
 * the rest as the SDM has it (vol. 1, 13.3).
 */
// clang-format off
#define COMPONENTS(X) \
	X(XF_X87, "x87", "x87", 160, false, false, FPU, NONE, XF_X87, 0, \
	  "x87 floating-point registers and MMX") \
	X(XF_SSE, "sse", "SSE", 256, false, false, SSE, NONE, XF_SSE, 0, \
	  "XMM registers: 128-bit vectors") \
	X(XF_AVX, "avx", "AVX", 256, false, false, AVX, NONE, XF_AVX, XF_SSE, \
	  "upper halves of the YMM registers: 256-bit vectors") \
	X(XF_BNDREGS, "bndregs", "BNDREGS", 64, false, false, MPX, NONE, XF_MPX, 0, \
	  "MPX bounds registers") \
	X(XF_BNDCSR, "bndcsr", "BNDCSR", 64, false, false, MPX, NONE, XF_MPX, 0, \
	  "MPX configuration and status") \
	X(XF_OPMASK, "opmask", "opmask", 64, false, false, AVX512F, AVX10, XF_AVX512, XF_AVX, \
	  "AVX-512 mask registers k0 to k7") \
	X(XF_ZMM_HI256, "zmm_hi256", "ZMM_Hi256", 512, false, false, AVX512F, AVX10, XF_AVX512, \
	  XF_AVX, "upper halves of ZMM0 to ZMM15: 512-bit vectors") \
	X(XF_HI16_ZMM, "hi16_zmm", "Hi16_ZMM", 1024, false, false, AVX512F, AVX10, XF_AVX512, \
	  XF_AVX, "ZMM16 to ZMM31: 512-bit vectors") \
	X(XF_PT, "pt", "PT", 128, false, true, INTEL_PT, NONE, XF_PT, 0, \
	  "Processor Trace") \
	X(XF_PKRU, "pkru", "PKRU", 8, false, false, PKU, NONE, XF_PKRU, 0, \
	  "protection keys: a program's rights to its own pages") \
	X(XF_PASID, "pasid", "PASID", 8, false, true, ENQCMD, NONE, XF_PASID, 0, \
	  "process address space identifier, for ENQCMD") \
	X(XF_CET_U, "cet_u", "CET_U", 16, false, true, SHSTK, IBT, XF_CET_U, 0, \
	  "shadow stack and branch tracking of user mode") \
	X(XF_CET_S, "cet_s", "CET_S", 24, false, true, SHSTK, IBT, XF_CET_S, 0, \
	  "shadow stack pointers of the kernel") \
	X(XF_HDC, "hdc", "HDC", 8, false, true, HDC, NONE, XF_HDC, 0, \
	  "hardware duty cycling") \
	X(XF_UINTR, "uintr", "UINTR", 48, false, true, UINTR, NONE, XF_UINTR, 0, \
	  "user interrupts") \
	X(XF_LBR, "lbr", "LBR", 808, false, true, ARCH_LBR, NONE, XF_LBR, 0, \
	  "last branch records") \
	X(XF_HWP, "hwp", "HWP", 8, false, true, HWP, NONE, XF_HWP, 0, \
	  "hardware-managed performance states") \
	X(XF_XTILECFG, "xtilecfg", "XTILECFG", 64, true, false, AMX_TILE, NONE, XF_AMX, 0, \
	  "AMX tile configuration") \
	X(XF_XTILEDATA, "xtiledata", "XTILEDATA", 8192, true, false, AMX_TILE, NONE, XF_AMX, 0, \
	  "AMX tiles: 8 KiB of matrices") \
	X(XF_APX, "apx", "APX", 128, false, false, APX_F, NONE, XF_APX, 0, \
	  "APX general registers R16 to R31")

#define ROW(mask, name, label, size, aligned, supervisor, by, or_by, group, needs, what) \
	[__builtin_ctzll(mask)] = { name, label, what, size, aligned, supervisor, \
				    { by, or_by }, group, needs },
#define OR_MASK(mask, ...) | (mask)
#define ADD_MASK(mask, ...) + (mask)
#define OR_SUPERVISOR(mask, name, label, size, aligned, supervisor, ...) \
	| ((supervisor) ? (mask) : 0)
#define ALL_SINGLE(mask, ...) && ((mask) & ((mask) - 1)) == 0
#define ALL_IN_GROUP(mask, name, label, size, aligned, supervisor, by, or_by, group, ...) \
	&& ((group) & (mask))
// clang-format on

static const struct xf_component components[] = { COMPONENTS(ROW) };

_Static_assert((0 COMPONENTS(OR_MASK)) == XF_DEFINED, "every defined component has a row");
_Static_assert((0 COMPONENTS(ADD_MASK)) == XF_DEFINED, "no component has two rows");
_Static_assert((0 COMPONENTS(OR_SUPERVISOR)) == XF_SUPERVISOR, "rows and XF_SUPERVISOR agree");
_Static_assert(1 COMPONENTS(ALL_SINGLE), "a mask names one component: masks, not numbers");
_Static_assert(1 COMPONENTS(ALL_IN_GROUP), "a component is in its own group");
_Static_assert((XF_DEFINED & (XF_DEFINED + 1)) == 0, "no gap in the table");
_Static_assert((XF_USER | XF_SUPERVISOR) == XF_DEFINED, "a component is one or the other");
_Static_assert((XF_USER & XF_SUPERVISOR) == 0, "and not both");

const struct xf_component *xf_component(struct xf_bit bit)
{
	return bit.n < COUNT_OF(components) ? &components[bit.n] : NULL;
}

/* Other names of components, and names of groups and features. */
static const struct {
	const char *name;
	uint64_t mask;
} aliases[] = {
	{ "fp", XF_X87 },	    { "fpu", XF_X87 },	     { "ymm", XF_AVX },
	{ "mpx", XF_MPX },	    { "avx512", XF_AVX512 }, { "avx512f", XF_AVX512 },
	{ "avx10", XF_AVX512 },	    { "intel-pt", XF_PT },   { "pku", XF_PKRU },
	{ "enqcmd", XF_PASID },	    { "cet", XF_CET },	     { "cet-user", XF_CET_U },
	{ "cet-kernel", XF_CET_S }, { "shstk", XF_CET },     { "cet-ss", XF_CET },
	{ "ibt", XF_CET },	    { "cet-ibt", XF_CET },   { "arch-lbr", XF_LBR },
	{ "amx", XF_AMX },	    { "amx-tile", XF_AMX },  { "xtile", XF_AMX },
	{ "apxf", XF_APX },	    { "apx-f", XF_APX },
};

/* People write "ZMM_Hi256", QEMU writes "amx-tile", the kernel "amx_tile": all the same. */
static char plain(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

static bool same_name(const char *name, size_t len, const char *known)
{
	for (size_t i = 0; i < len; i++)
		if (!known[i] || plain(name[i]) != plain(known[i]))
			return false;
	return !known[len];
}

uint64_t xf_component_mask(const char *name, size_t len)
{
	xf_for_each_bit (bit, XF_DEFINED)
		if (same_name(name, len, components[bit.n].name))
			return xf_mask(bit);
	for (size_t i = 0; i < COUNT_OF(aliases); i++)
		if (same_name(name, len, aliases[i].name))
			return aliases[i].mask;
	return 0;
}

/*
 * The table's groups and needs, closed: any of `any` takes all of `all`. This
 * order is that of their dependence, what needs before what is needed, so one
 * pass is enough. The proof narrow-widen holds it against the table.
 */
static const struct {
	uint64_t any;
	uint64_t all;
} closure[] = {
	{ XF_AMX, XF_AMX },
	{ XF_MPX, XF_MPX },
	{ XF_AVX512, XF_AVX512 | XF_AVX },
	{ XF_AVX, XF_AVX | XF_SSE },
};

uint64_t xf_widen(uint64_t mask)
{
	mask |= XF_X87;
	for (size_t i = 0; i < COUNT_OF(closure); i++)
		if (mask & closure[i].any)
			mask |= closure[i].all;
	return mask;
}

uint64_t xf_narrow(uint64_t mask)
{
	mask |= XF_X87;
	for (size_t i = COUNT_OF(closure); i > 0; i--)
		if ((mask & closure[i - 1].all) != closure[i - 1].all)
			mask &= ~closure[i - 1].any;
	return mask;
}

bool xf_is_consistent(uint64_t mask)
{
	return xf_widen(mask) == mask;
}
