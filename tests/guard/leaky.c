/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A second preload, behind the guard: it plays a KVM that leaks AVX, and that shows a guest
 * what it was given, where the one of this machine may do neither.
 */
#include <cpuid.h>
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "core/bytes.h"
#include "host/kvm.h"

int leaky_ioctl(int fd, unsigned long request, void *argument) __asm__("ioctl");

/* One vCPU is enough here. */
static struct xf_kvm_cpuid given;

static void leak(unsigned char *area)
{
	unsigned int size, offset, ecx, edx;

	__cpuid_count(0xd, 2, size, offset, ecx, edx);
	xf_put_le64(area + XF_XSTATE_BV_OFFSET, xf_get_le64(area + XF_XSTATE_BV_OFFSET) | XF_AVX);
	memset(area + offset, 0x5a, size);
}

int leaky_ioctl(int fd, unsigned long request, void *argument)
{
	int (*next)(int, unsigned long, void *) =
		(int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
	int answer = next(fd, request, argument);
	const struct kvm_cpuid2 *cpuid = argument;

	if (answer < 0)
		return answer;
	switch ((uint32_t)request) {
	case KVM_SET_CPUID2:
		memcpy(&given, argument, 8 + cpuid->nent * sizeof(cpuid->entries[0]));
		break;
	case KVM_GET_CPUID2:
		memcpy(argument, &given, 8 + given.count * sizeof(given.entries[0]));
		break;
	case KVM_GET_XSAVE:
	case (uint32_t)KVM_GET_XSAVE2:
		leak(argument);
		break;
	}
	return answer;
}
