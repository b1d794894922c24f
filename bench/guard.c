/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guard costs. This program is started with the guard preloaded; each call is made
 * through the guard and past it, to libc, in turns that are so short that a busy machine
 * seldom breaks one, and the medians of many turns are compared. Exits 1 where a goal is missed, 77
 * without the guard or a KVM.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "host/kvm.h"

#define TURNS 2001
#define STRANGE XF_MASK_(62)
#define GOAL_NS 5.0
#define GOAL_SHARE 1.01

typedef int ioctl_call(int fd, unsigned long request, ...);

static unsigned char area[XF_KVM_AREA_MAX] __attribute__((aligned(4096)));

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values)
{
	qsort(values, TURNS, sizeof(*values), compare);
	return values[TURNS / 2];
}

struct cost {
	double guarded, bare, more; /* ns; `more` is the median of the differences */
};

static double turn(ioctl_call *call, unsigned int count, int fd, unsigned long request, int due)
{
	double begin = now();

	for (unsigned int i = 0; i < count; i++) {
		if (call(fd, request, area) != due) {
			printf("an ioctl gave another answer: %s\n", strerror(errno));
			exit(1);
		}
	}
	return (now() - begin) / count;
}

static struct cost measure(ioctl_call *bare, unsigned int count, int fd, unsigned long request,
			   int due)
{
	static double guarded_ns[TURNS], bare_ns[TURNS], more_ns[TURNS];

	for (size_t i = 0; i < TURNS; i++) {
		/* Neither is always the first. */
		if (i % 2)
			guarded_ns[i] = turn(ioctl, count, fd, request, due);
		bare_ns[i] = turn(bare, count, fd, request, due);
		if (i % 2 == 0)
			guarded_ns[i] = turn(ioctl, count, fd, request, due);
		more_ns[i] = guarded_ns[i] - bare_ns[i];
	}
	return (struct cost){ median(guarded_ns), median(bare_ns), median(more_ns) };
}

static void print(const char *what, const struct cost *cost)
{
	printf("%-44s %8.1f ns, without the guard %8.1f: %+7.1f ns, %.4f x\n", what, cost->guarded,
	       cost->bare, cost->more, 1 + cost->more / cost->bare);
}

static void put_bv(uint64_t xstate_bv)
{
	memset(area, 0, sizeof(area));
	area[XF_MXCSR_OFFSET] = 0x80;
	area[XF_MXCSR_OFFSET + 1] = 0x1f;
	memcpy(area + XF_XSTATE_BV_OFFSET, &xstate_bv, sizeof(xstate_bv));
}

int main(void)
{
	struct xf_kvm_device kvm;
	struct xf_kvm_vm vm;
	struct xf_kvm_cpu cpu;
	static struct xf_kvm_cpuid supported, bare_guest;
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	ioctl_call *bare = libc ? (ioctl_call *)dlsym(libc, "ioctl") : NULL;

	if (!bare || dlsym(RTLD_DEFAULT, "ioctl") == (void *)bare) {
		printf("skipped: no guard is preloaded\n");
		return 77;
	}

	struct cost other = measure(bare, 2000, -1, TCGETS, -1);

	print("an ioctl that is not KVM's", &other);
	if (xf_kvm_open(&kvm) || xf_kvm_create_vm(&kvm, &vm) || xf_kvm_create_cpu(&vm, 0, &cpu) ||
	    xf_kvm_supported_cpuid(&kvm, &supported)) {
		printf("skipped: no KVM\n");
		return 77;
	}
	xf_kvm_cpuid_bare(&supported, &bare_guest);
	if (xf_kvm_set_cpuid(&cpu, &bare_guest))
		return 1;

	put_bv(XF_FPSSE);

	struct cost set = measure(bare, 40, cpu.fd, KVM_SET_XSAVE, 0);

	print("KVM_SET_XSAVE, nothing superfluous", &set);

	struct cost get = measure(bare, 40, cpu.fd, KVM_GET_XSAVE, 0);

	print("KVM_GET_XSAVE, nothing superfluous", &get);

	/* Past the guard KVM would refuse it, so the bare call has the state that is clean. */
	double trimmed[TURNS], clean[TURNS];

	for (size_t i = 0; i < TURNS; i++) {
		put_bv(XF_FPSSE);
		clean[i] = turn(bare, 20, cpu.fd, KVM_SET_XSAVE, 0);
		put_bv(XF_FPSSE | STRANGE);
		trimmed[i] = turn(ioctl, 20, cpu.fd, KVM_SET_XSAVE, 0);
	}

	struct cost trim = { .guarded = median(trimmed), .bare = median(clean) };

	trim.more = trim.guarded - trim.bare;
	print("KVM_SET_XSAVE, trimmed (one KVM_GET_CPUID2)", &trim);

	if (other.more > GOAL_NS || 1 + set.more / set.bare > GOAL_SHARE) {
		printf("a goal is missed: at most %.0f ns and %.2f x\n", GOAL_NS, GOAL_SHARE);
		return 1;
	}
	return 0;
}
