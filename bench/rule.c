/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one vCPU costs: judge it, say what may be dropped, drop leaked PKRU from
 * its area; beside it, in the same run, a memcpy of that area (2,696 bytes,
 * AVX-512 and PKRU). Prints the median of many short rounds. Ends with 1 if the
 * rule costs more.
 */
#include "core/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AREA_SIZE 2696
#define ROUNDS 2001
#define REPEAT 2000

#define HIDE(value) __asm__ volatile("" : "+r"(value) : : "memory")

static unsigned char area[AREA_SIZE] __attribute__((aligned(64)));
static unsigned char copy[AREA_SIZE] __attribute__((aligned(64)));

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/*
 * Leaks PKRU again. Two stores of eight bytes, so that what reads them next need
 * not wait for pieces to be put together, which no real vCPU would make it do.
 */
static void leak(unsigned char *at)
{
	static const unsigned char xstate_bv[8] = { 0xe7, 0x02 };

	memcpy(at + 512, xstate_bv, 8);
	memset(at + 0xa80, 0x55, 8);
}

static double rule_round(void)
{
	struct xf_guest guest = { 0xe7, ~0ull };
	unsigned char *at = area;
	double start = now();

	for (int i = 0; i < REPEAT; i++) {
		struct xf_area_head head;

		leak(at);
		HIDE(at);
		if (!xf_area_head(at, AREA_SIZE, &head))
			abort();

		struct xf_judgement judged = xf_judge(head.xstate_bv, guest, 0xe7);
		uint64_t drop = xf_droppable(head.xstate_bv, guest, ~0ull);

		HIDE(judged.superfluous);
		HIDE(judged.lost);
		if (drop != XF_PKRU || !xf_area_drop(at, AREA_SIZE, &xf_layout_intel, drop))
			abort();
		HIDE(at);
	}
	return (now() - start) / REPEAT;
}

static double memcpy_round(void)
{
	unsigned char *to = copy;
	unsigned char *from = area;
	double start = now();

	for (int i = 0; i < REPEAT; i++) {
		HIDE(to);
		HIDE(from);
		memcpy(to, from, AREA_SIZE);
		HIDE(to);
	}
	return (now() - start) / REPEAT;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), by_value);
	return values[ROUNDS / 2];
}

int main(void)
{
	static double rule[ROUNDS];
	static double plain[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		rule[i] = rule_round();
		plain[i] = memcpy_round();
	}

	double ours = median(rule);
	double theirs = median(plain);

	printf("rule and edit of one vCPU %.1f ns, memcpy of its %d bytes %.1f ns: ratio %.2f\n",
	       ours, AREA_SIZE, theirs, ours / theirs);
	return ours > theirs;
}
