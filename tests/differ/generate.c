/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the generator promises: all subsets on all guests, every oddity at every place, the same
 * again. */
#include "tests/core/test.h"

#include "lab/generate.h"

#define STATES 10000
#define RUNS (STATES / GENERATE_RUN)
#define SIZE 4096

static const struct generate_host pku = { XF_FPSSE | XF_AVX | XF_PKRU, 0xffff, &xf_layout_intel,
					  SIZE };
static const struct generate_host epyc = { XF_FPSSE | XF_AVX | XF_AVX512, 0x2ffff,
					   &xf_layout_amd_avx512, SIZE };

static struct generated states[GENERATE_RUN];
static unsigned char areas[GENERATE_RUN * SIZE];

static uint64_t get(const unsigned char *at, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

/* A word for all that a run is. */
static uint64_t digest(struct generate *generate, uint64_t run)
{
	uint64_t sum = 0;

	memset(areas, 0, sizeof(areas));
	generate_run(generate, run, states, areas);
	for (size_t i = 0; i < sizeof(areas); i++)
		sum = sum * 1099511628211u + areas[i];
	for (unsigned int i = 0; i < GENERATE_RUN; i++) {
		sum = sum * 31 + states[i].index + states[i].xcr0 + (uint64_t)states[i].oddity;
		sum = sum * 31 + states[i].tell + states[i].arm + states[i].xfd;
		sum = sum * 31 + (uint64_t)states[i].cpuid.kind + states[i].cpuid.shown;
	}
	return sum;
}

/* A run is made of the seed and its number, whatever was made before it. */
static void test_same_again(void **state)
{
	struct generate one, other;

	(void)state;
	generate_init(42, STATES, &pku, &one);
	generate_init(42, STATES, &pku, &other);
	(void)digest(&other, 17);
	for (uint64_t run = 0; run < 20; run++)
		assert_true(digest(&one, run) == digest(&other, run));
	generate_init(43, STATES, &pku, &other);
	for (uint64_t run = 0; run < 20; run++)
		assert_true(digest(&one, run) != digest(&other, run));
	assert_true(digest(&one, 3) != digest(&one, 3 + GUEST_KINDS));
}

static enum guest_kind kind_of(const struct generated *run, unsigned int step)
{
	enum guest_kind kind = GUEST_UNTOLD;

	for (unsigned int i = 0; i <= step; i++)
		if (run[i].tell)
			kind = run[i].cpuid.kind;
	return kind;
}

static void all_subsets(const struct generate_host *host)
{
	static bool seen[GUEST_KINDS][1 << 16];
	struct generate g;

	memset(seen, 0, sizeof(seen));
	generate_init(1, STATES, host, &g);
	/* All of the host's own take turns, and some that it has not. */
	assert_true(g.bit_count > (unsigned int)__builtin_popcountll(host->components));
	for (uint64_t run = 0; run < RUNS; run++) {
		generate_run(&g, run, states, areas);
		for (unsigned int i = 0; i < GENERATE_RUN; i++) {
			uint64_t xstate_bv = get(areas + i * SIZE + 512, 8);
			size_t number = 0;

			if (states[i].oddity != ODD_NOTHING)
				continue;
			for (unsigned int b = 0; b < g.bit_count; b++)
				if (xstate_bv & xf_mask(g.bits[b]))
					number |= (size_t)1 << b;
			seen[run % GUEST_KINDS][number] = true;
		}
	}
	for (unsigned int kind = 0; kind < GUEST_KINDS; kind++)
		for (size_t number = 0; number < (size_t)1 << g.bit_count; number++)
			if (!seen[kind][number])
				fail_msg("guest %s never has subset %zu",
					 guest_kind_name((enum guest_kind)kind), number);
}

static void test_all_subsets(void **state)
{
	(void)state;
	all_subsets(&pku);
	all_subsets(&epyc);
}

/* Of a few states no more is promised than that they are there. */
static void test_few(void **state)
{
	struct generate g;

	(void)state;
	generate_init(1, 1, &pku, &g);
	assert_int_equal(g.bit_count, 0);
	generate_run(&g, 0, states, areas);
	assert_int_equal(get(areas + 512, 8), 0);
	generate_init(1, UINT64_MAX, &pku, &g);
	assert_int_equal(g.bit_count, 4 + 4);
}

/* A state that is not odd has a header that no KVM objects to but for its components. */
static void test_sound(void **state)
{
	struct generate g;

	(void)state;
	generate_init(5, STATES, &epyc, &g);
	for (uint64_t run = 0; run < 200; run++) {
		generate_run(&g, run, states, areas);
		for (unsigned int i = 0; i < GENERATE_RUN; i += 2) {
			struct xf_area_head head;

			assert_true(xf_area_head(areas + i * SIZE, SIZE, &head));
			assert_int_equal(states[i].oddity, ODD_NOTHING);
			assert_true(states[i].index == run * GENERATE_RUN + i);
			assert_true(head.xcomp_bv == 0 && !head.reserved);
			assert_int_equal(head.mxcsr & ~epyc.mxcsr_mask, 0);
		}
	}
}

static uint64_t odd_places[ODDITIES];
static uint64_t odd_counts[ODDITIES];

static uint64_t place_of(const struct generated *one, const unsigned char *area)
{
	uint64_t place = 0;

	switch (one->oddity) {
	case ODD_XCOMP_BIT:
		return get(area + 520, 8);
	case ODD_XSTATE_BIT:
		/* What the host has not can only be the bit that was turned. */
		return get(area + 512, 8) & ~pku.components;
	case ODD_MXCSR_BIT:
	case ODD_MXCSR_UNUSED:
		return get(area + 24, 4) & ~pku.mxcsr_mask;
	case ODD_RESERVED_BYTE:
		for (unsigned int i = 0; i < 48; i++)
			if (area[528 + i])
				place |= UINT64_C(1) << i;
		return place;
	default:
		return 0;
	}
}

static void test_every_oddity(void **state)
{
	struct generate g;

	(void)state;
	memset(odd_places, 0, sizeof(odd_places));
	memset(odd_counts, 0, sizeof(odd_counts));
	generate_init(1, STATES, &pku, &g);
	for (uint64_t run = 0; run < RUNS; run++) {
		generate_run(&g, run, states, areas);
		for (unsigned int i = 0; i < GENERATE_RUN; i++) {
			uint64_t place = place_of(&states[i], areas + i * SIZE);

			assert_in_range(states[i].oddity, 0, ODDITIES - 1);
			odd_counts[states[i].oddity]++;
			odd_places[states[i].oddity] |= place;
			if (states[i].oddity == ODD_XCOMP_BIT)
				assert_true(place && (place & (place - 1)) == 0);
			if (states[i].oddity == ODD_RESERVED_BYTE)
				assert_true(place && (place & (place - 1)) == 0);
			if (states[i].oddity == ODD_MXCSR_UNUSED)
				assert_int_equal(areas[i * SIZE + 512] & 7, 0);
		}
	}
	for (unsigned int i = 0; i < ODDITIES; i++)
		assert_in_range(odd_counts[i], STATES / ODDITIES / 4, STATES);
	assert_true(odd_places[ODD_XCOMP_BIT] == UINT64_MAX);
	assert_true(odd_places[ODD_XSTATE_BIT] == ~pku.components);
	assert_true(odd_places[ODD_RESERVED_BYTE] == (UINT64_C(1) << 48) - 1);
	assert_true(odd_places[ODD_MXCSR_BIT] == (0xffffffff & ~pku.mxcsr_mask));
	assert_true(odd_places[ODD_MXCSR_UNUSED] == (0xffffffff & ~pku.mxcsr_mask));
}

/* Every kind is told first, late, and after another; one is never told. */
static void test_guests(void **state)
{
	bool first[GUEST_KINDS] = { false }, late[GUEST_KINDS] = { false };
	bool twice[GUEST_KINDS] = { false };
	struct generate g;

	(void)state;
	generate_init(1, STATES, &pku, &g);
	for (uint64_t run = 0; run < RUNS; run++) {
		unsigned int told = 0;

		generate_run(&g, run, states, areas);
		for (unsigned int i = 0; i < GENERATE_RUN; i++) {
			if (!states[i].tell)
				continue;
			assert_in_range(states[i].cpuid.kind, 1, GUEST_KINDS - 1);
			if (i == 0)
				first[states[i].cpuid.kind] = true;
			else if (told)
				twice[states[i].cpuid.kind] = true;
			else
				late[states[i].cpuid.kind] = true;
			told++;
		}
		assert_in_range(told, 0, 2);
		if (told)
			assert_true(kind_of(states, GENERATE_RUN - 1) != GUEST_UNTOLD);
		assert_int_equal(told == 0, run % GUEST_KINDS == GUEST_UNTOLD);
	}
	for (unsigned int kind = 1; kind < GUEST_KINDS; kind++)
		assert_true(first[kind] && late[kind] && twice[kind]);
}

/* IA32_XFD is written only where the host has what it disarms. */
static void test_xfd(void **state)
{
	struct generate_host amx = pku;
	struct generate g;
	unsigned int armed = 0, disarmed = 0;

	(void)state;
	amx.components |= XF_AMX;
	generate_init(1, STATES, &amx, &g);
	for (uint64_t run = 0; run < 100; run++) {
		generate_run(&g, run, states, areas);
		for (unsigned int i = 0; i < GENERATE_RUN; i++) {
			armed += states[i].arm && states[i].xfd;
			disarmed += states[i].arm && !states[i].xfd;
		}
	}
	assert_true(armed > 100 && disarmed > 100);
	generate_init(1, STATES, &pku, &g);
	for (uint64_t run = 0; run < 100; run++) {
		generate_run(&g, run, states, areas);
		for (unsigned int i = 0; i < GENERATE_RUN; i++)
			assert_false(states[i].arm);
	}
}

/* XCR0 that a guest may have, and that none may. */
static void test_xcr0(void **state)
{
	unsigned int sound = 0, odd = 0, without_x87 = 0;
	struct generate g;

	(void)state;
	generate_init(1, STATES, &pku, &g);
	for (uint64_t run = 0; run < 100; run++) {
		generate_run(&g, run, states, areas);
		for (unsigned int i = 0; i < GENERATE_RUN; i++) {
			uint64_t xcr0 = states[i].xcr0;

			sound += xf_is_consistent(xcr0) && !(xcr0 & ~pku.components);
			odd += !!(xcr0 & ~pku.components);
			without_x87 += !(xcr0 & XF_X87);
		}
	}
	assert_true(sound > 400 && odd > 200 && without_x87 > 100);
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < GUEST_KINDS; kind++)
		for (unsigned int other = 0; other < kind; other++)
			assert_string_not_equal(guest_kind_name((enum guest_kind)kind),
						guest_kind_name((enum guest_kind)other));
	assert_string_equal(guest_kind_name(GUEST_KINDS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_again),   cmocka_unit_test(test_all_subsets),
		cmocka_unit_test(test_few),	     cmocka_unit_test(test_sound),
		cmocka_unit_test(test_every_oddity), cmocka_unit_test(test_guests),
		cmocka_unit_test(test_xfd),	     cmocka_unit_test(test_xcr0),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
