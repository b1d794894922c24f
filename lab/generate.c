/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "lab/generate.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#define RESERVED_SIZE 48

/* Half of a run's states are odd, the other half take the subsets in turn. */
#define RUN_HALF (GENERATE_RUN / 2)

static const char *const kind_names[GUEST_KINDS] = {
	[GUEST_UNTOLD] = "untold", [GUEST_EMPTY] = "empty", [GUEST_BARE] = "bare",
	[GUEST_HIDDEN] = "hidden", [GUEST_X87] = "x87",	    [GUEST_LEGACY] = "legacy",
	[GUEST_AVX] = "avx",	   [GUEST_PKRU] = "pkru",   [GUEST_AVX_PKRU] = "avx-pkru",
	[GUEST_AVX512] = "avx512", [GUEST_FULL] = "full",   [GUEST_BEYOND] = "beyond",
	[GUEST_SOME] = "some",
};

const char *guest_kind_name(enum guest_kind kind)
{
	return kind < GUEST_KINDS ? kind_names[kind] : "?";
}

/* ---- Numbers ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* xorshift128+: cheap on an emulated CPU too. */
static uint64_t any(struct generate *g)
{
	uint64_t a = g->random[0], b = g->random[1];

	g->random[0] = b;
	a ^= a << 23;
	g->random[1] = a ^ b ^ a >> 17 ^ b >> 26;
	return g->random[1] + b;
}

static uint64_t below(struct generate *g, uint64_t limit)
{
	return (any(g) >> 16) % limit;
}

static void reseed(struct generate *g, uint64_t run)
{
	g->random[0] = mix(g->seed + UINT64_C(0x9e3779b97f4a7c15));
	g->random[1] = mix(g->random[0] ^ mix(run + 1)) | 1;
}

static void put(unsigned char *at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get64(const unsigned char *at)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < 8; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

/* ---- Components ---- */

/*
 * Strangers that take turns beside the host's own, the most telling first. A few: with
 * each more, fewer of the states are any that the host can hold.
 */
#define STRANGERS 4
static const uint64_t strangers[] = {
	XF_PKRU, XF_AVX, XF_MASK_(63), XF_CET_U, XF_BNDREGS, XF_OPMASK,
};

static void add_bit(struct generate *g, uint64_t mask)
{
	g->bits[g->bit_count++] = xf_lowest(mask);
}

/* How many components can have all their subsets tried on each kind of guest. */
static unsigned int bits_for(uint64_t states)
{
	unsigned int n = 0;

	while (n < 16 && (UINT64_C(2) * GUEST_KINDS << (n + 1)) <= states)
		n++;
	return n;
}

void generate_init(uint64_t seed, uint64_t states, const struct generate_host *host,
		   struct generate *out)
{
	unsigned int limit = bits_for(states), strange = 0;

	*out = (struct generate){ .seed = seed, .host = host };
	xf_for_each_bit (bit, host->components)
		if (out->bit_count < limit)
			add_bit(out, xf_mask(bit));
	for (size_t i = 0; i < COUNT_OF(strangers) && strange < STRANGERS; i++) {
		if (out->bit_count == limit || strangers[i] & host->components)
			continue;
		add_bit(out, strangers[i]);
		strange++;
	}
}

/* The subset with this number, of the components that take turns. */
static uint64_t subset(const struct generate *g, uint64_t number)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < g->bit_count; i++)
		if (number >> i & 1)
			mask |= xf_mask(g->bits[i]);
	return mask;
}

/* ---- Guests ---- */

/* Tiles need leave of the kernel, which a host has not given that does not list them. */
static uint64_t beyond(uint64_t host)
{
	return host | XF_AVX | XF_PKRU | XF_AVX512 | XF_MPX | XF_APX;
}

static uint64_t shown_to(struct generate *g, enum guest_kind kind)
{
	uint64_t host = g->host->components, some;

	switch (kind) {
	case GUEST_X87:
		return XF_X87;
	case GUEST_LEGACY:
		return XF_FPSSE;
	case GUEST_AVX:
		return (XF_FPSSE | XF_AVX) & host;
	case GUEST_PKRU:
		return (XF_FPSSE | XF_PKRU) & host;
	case GUEST_AVX_PKRU:
		return (XF_FPSSE | XF_AVX | XF_PKRU) & host;
	case GUEST_AVX512:
		return (XF_FPSSE | XF_AVX | XF_AVX512) & host;
	case GUEST_FULL:
	case GUEST_HIDDEN:
		return host;
	case GUEST_BEYOND:
		return beyond(host);
	case GUEST_SOME:
		some = any(g) & host;
		return below(g, 4) ? xf_narrow(some | XF_FPSSE) : some;
	default:
		return 0;
	}
}

static void tell(struct generate *g, struct generated *state, enum guest_kind kind)
{
	state->tell = true;
	state->cpuid = (struct guest_cpuid){ kind, shown_to(g, kind) };
}

static void tell_run(struct generate *g, uint64_t run, struct generated out[GENERATE_RUN])
{
	enum guest_kind kind = (enum guest_kind)(run % GUEST_KINDS);
	enum guest_order order = (enum guest_order)(run / GUEST_KINDS % GUEST_ORDERS);
	uint64_t amid = 1 + below(g, GENERATE_RUN - 1);

	if (kind == GUEST_UNTOLD)
		return;
	tell(g, order == ORDER_LATE ? &out[amid] : &out[0], kind);
	if (order == ORDER_TWICE)
		tell(g, &out[amid], (enum guest_kind)(1 + below(g, GUEST_KINDS - 1)));
}

/* ---- Areas ---- */

/*
 * All of it is random, the gaps and the room for software too: what is not loaded
 * must not come back. Nobody executes XRSTOR on it, so all data is legal.
 */
static void fill(struct generate *g, unsigned char *area)
{
	for (size_t i = 0; i + 8 <= g->host->area_size; i += 8) {
		uint64_t value = any(g);

		memcpy(area + i, &value, 8);
	}
}

static uint32_t sound_mxcsr(struct generate *g)
{
	return below(g, 2) ? (uint32_t)any(g) & g->host->mxcsr_mask : XF_MXCSR_INIT;
}

static void put_header(unsigned char *area, uint64_t xstate_bv)
{
	memset(area + XF_LEGACY_SIZE, 0, XF_HEADER_SIZE);
	put(area + XF_XSTATE_BV_OFFSET, xstate_bv, 8);
}

static void flip_mxcsr(unsigned char *area, unsigned int position)
{
	area[XF_MXCSR_OFFSET + position / 8 % 4] ^= (unsigned char)(1 << position % 8);
}

static void plain_data(struct generate *g, unsigned char *area)
{
	int byte = below(g, 2) ? 0xff : 0;

	memset(area + XF_EXTENDED_OFFSET, byte, g->host->area_size - XF_EXTENDED_OFFSET);
	memset(area, byte, XF_MXCSR_OFFSET);
	memset(area + XF_MXCSR_OFFSET + 4, byte, XF_LEGACY_SIZE - XF_MXCSR_OFFSET - 4);
}

static void make_odd(struct generate *g, unsigned char *area, enum oddity oddity,
		     unsigned int position)
{
	uint64_t host = g->host->components;
	uint64_t xstate_bv = get64(area + XF_XSTATE_BV_OFFSET);

	switch (oddity) {
	case ODD_XCOMP_BIT:
		put(area + XF_XCOMP_BV_OFFSET, UINT64_C(1) << position, 8);
		break;
	case ODD_COMPACTED:
		put(area + XF_XCOMP_BV_OFFSET, XF_COMPACTED | host, 8);
		break;
	case ODD_RESERVED_BYTE:
		area[XF_RESERVED_OFFSET + position % RESERVED_SIZE] =
			(unsigned char)(1 + below(g, 255));
		break;
	case ODD_RESERVED:
		memset(area + XF_RESERVED_OFFSET, (int)(1 + below(g, 255)), RESERVED_SIZE);
		break;
	case ODD_XSTATE_BIT:
		put(area + XF_XSTATE_BV_OFFSET, xstate_bv ^ UINT64_C(1) << position, 8);
		break;
	case ODD_XSTATE:
		put(area + XF_XSTATE_BV_OFFSET, below(g, 4) ? any(g) : UINT64_MAX, 8);
		break;
	case ODD_MXCSR_UNUSED:
		put(area + XF_XSTATE_BV_OFFSET, xstate_bv & ~(XF_FPSSE | XF_AVX), 8);
		flip_mxcsr(area, position);
		break;
	case ODD_MXCSR_BIT:
		flip_mxcsr(area, position);
		break;
	case ODD_MXCSR:
		put(area + XF_MXCSR_OFFSET, any(g), 4);
		break;
	case ODD_NO_PKRU:
		put(area + XF_XSTATE_BV_OFFSET, host & ~XF_PKRU, 8);
		break;
	default:
		plain_data(g, area);
		break;
	}
}

static void make_state(struct generate *g, uint64_t run, unsigned int step, struct generated *state,
		       unsigned char *area)
{
	uint64_t round = run / GUEST_KINDS;
	uint64_t turn = round * RUN_HALF + step / 2;

	fill(g, area);
	put(area + XF_MXCSR_OFFSET, sound_mxcsr(g), 4);
	if (step % 2 == 0) {
		/* Another order each time round, so that no subset keeps its place in the run. */
		put_header(area, subset(g, turn + 3 * (turn >> g->bit_count)));
		return;
	}

	uint64_t number = run * RUN_HALF + step / 2;
	unsigned int position = (unsigned int)((number / (ODDITIES - 1) + round) % 64);

	state->oddity = (enum oddity)(1 + (number + round) % (ODDITIES - 1));
	put_header(area, any(g) & g->host->components);
	if (state->oddity != ODD_TWO) {
		make_odd(g, area, state->oddity, position);
		return;
	}
	make_odd(g, area, (enum oddity)(1 + below(g, ODD_TWO - 1)), position);
	make_odd(g, area, (enum oddity)(1 + below(g, ODD_TWO - 1)), (unsigned int)below(g, 64));
}

/* ---- Runs ---- */

static void arm(struct generate *g, struct generated *state)
{
	if (!(g->host->components & XF_XTILEDATA) || below(g, 4))
		return;
	state->arm = true;
	state->xfd = below(g, 2) ? XF_XTILEDATA : 0;
}

/* Any subset, the same with x87, or one that some guest may have. */
static uint64_t some_xcr0(struct generate *g)
{
	uint64_t mask = subset(g, any(g) >> 8);

	switch (below(g, 4)) {
	case 0:
		return mask;
	case 1:
		return mask | XF_X87;
	default:
		return xf_narrow((mask & g->host->components) | XF_FPSSE);
	}
}

void generate_run(struct generate *generate, uint64_t run, struct generated out[GENERATE_RUN],
		  unsigned char *areas)
{
	reseed(generate, run);
	for (unsigned int i = 0; i < GENERATE_RUN; i++)
		out[i] = (struct generated){ .index = run * GENERATE_RUN + i };
	tell_run(generate, run, out);
	for (unsigned int i = 0; i < GENERATE_RUN; i++) {
		arm(generate, &out[i]);
		out[i].xcr0 = some_xcr0(generate);
		make_state(generate, run, i, &out[i], areas + i * generate->host->area_size);
	}
}
