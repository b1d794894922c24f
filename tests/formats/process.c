/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process to be dumped: two threads that have AVX in use, where the CPU has it. Prints its
 * XCR0 and the components that each of the two must have in use; then with "abort" it aborts,
 * else it stays until it is killed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OSXSAVE (1u << 27)
#define SSE 2u
#define AVX 4u

static atomic_int ready;
static unsigned int xcr0 = SSE | 1;

static unsigned int enabled(void)
{
	unsigned int eax = 1, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	if (!(ecx & OSXSAVE))
		return SSE | 1;
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return eax;
}

/* The registers are set and nothing of libc, which might reset them, is called any more. */
__attribute__((noreturn)) static void *use_and_stay(void *unused)
{
	(void)unused;
	if (xcr0 & AVX)
		__asm__ volatile(".byte 0xc5, 0xd5, 0x76, 0xed"); /* vpcmpeqd ymm5, ymm5, ymm5 */
	else
		__asm__ volatile("pcmpeqd %xmm5, %xmm5");
	ready = 1;
	for (;;)
		__asm__ volatile("pause");
}

int main(int argc, char **argv)
{
	pthread_t thread;

	xcr0 = enabled();
	if (pthread_create(&thread, NULL, use_and_stay, NULL))
		return 1;
	while (!ready)
		;
	printf("%#x %#x\n", xcr0, xcr0 & (SSE | AVX));
	fflush(stdout);
	if (argc > 1 && strcmp(argv[1], "abort") == 0) {
		if (xcr0 & AVX)
			__asm__ volatile(".byte 0xc5, 0xd5, 0x76, 0xed");
		__builtin_trap();
	}
	use_and_stay(NULL);
}
