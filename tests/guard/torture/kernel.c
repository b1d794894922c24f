/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A library to preload behind the guard: what the guard passes on goes to the kernel as a
 * bare system call. Sanitizers have these functions too, and theirs report what a test on
 * purpose does, such as a close and an ioctl of one descriptor at once.
 *
 * With TORTURE_KVM=fake KVM's calls are answered here, by a KVM that is leaky: it loads
 * whatever it gets and saves PKRU with every guest. A real one that leaks, or has as many
 * vCPUs as the guard's table, is not at hand. A vCPU of it is a memory file, and what it
 * was told and what was loaded is that file's content, so whatever number a descriptor
 * has and whoever copied it, it is known for what it is. What was loaded can be read back
 * as it arrived (stress.h).
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "tests/guard/torture/stress.h"

#define PKRU 0x200u

static int fake_pread(int fd, void *to, size_t size, long offset)
{
	long got = syscall(SYS_pread64, fd, to, size, offset);

	if (got == (long)size)
		return 0;
	errno = got < 0 ? errno : ENOTTY; /* not one of ours */
	return -1;
}

static int fake_pwrite(int fd, const void *from, size_t size, long offset)
{
	return syscall(SYS_pwrite64, fd, from, size, offset) == (long)size ? 0 : -1;
}

static int fake_create(const char *name)
{
	int fd = (int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */);

	if (fd >= 0)
		(void)syscall(SYS_ftruncate, fd, (long)STRESS_FILE_SIZE);
	return fd;
}

static int fake_set_cpuid(int fd, const struct kvm_cpuid2 *cpuid)
{
	if (cpuid->nent > 256) {
		errno = E2BIG;
		return -1;
	}
	return fake_pwrite(fd, cpuid, sizeof(*cpuid) + cpuid->nent * sizeof(cpuid->entries[0]),
			   STRESS_CPUID);
}

static int fake_get_cpuid(int fd, struct kvm_cpuid2 *cpuid)
{
	struct kvm_cpuid2 head;

	if (fake_pread(fd, &head, sizeof(head), STRESS_CPUID))
		return -1;
	if (cpuid->nent < head.nent) {
		errno = E2BIG;
		return -1;
	}
	return fake_pread(fd, cpuid, sizeof(head) + head.nent * sizeof(cpuid->entries[0]),
			  STRESS_CPUID);
}

static int fake_get_xsave(int fd, unsigned char *area)
{
	uint64_t xstate_bv;

	if (fake_pread(fd, area, 4096, STRESS_AREA))
		return -1;
	memcpy(&xstate_bv, area + 512, sizeof(xstate_bv));
	xstate_bv |= PKRU;
	memcpy(area + 512, &xstate_bv, sizeof(xstate_bv));
	return 0;
}

static int fake_ioctl(int fd, unsigned int request, void *argument)
{
	switch (request) {
	case KVM_CREATE_VM:
		return fake_create("vm");
	case KVM_CREATE_VCPU:
		return fake_create("vcpu");
	case KVM_CHECK_EXTENSION:
		return (uintptr_t)argument == STRESS_CAP_XSAVE2 ? 4096 : 0;
	case KVM_SET_CPUID2:
		return fake_set_cpuid(fd, argument);
	case KVM_GET_CPUID2:
		return fake_get_cpuid(fd, argument);
	case KVM_SET_XSAVE:
		return fake_pwrite(fd, argument, 4096, STRESS_AREA);
	case (unsigned int)KVM_GET_XSAVE:
		return fake_get_xsave(fd, argument);
	default:
		errno = ENOTTY;
		return -1;
	}
}

static int is_fake(void)
{
	static _Atomic int known; /* 1 no, 2 yes */

	if (!known) {
		const char *kvm = getenv("TORTURE_KVM");

		known = kvm && strcmp(kvm, "fake") == 0 ? 2 : 1;
	}
	return known == 2;
}

/* ---- libc's names ---- */

int bare_ioctl(int fd, unsigned long request, void *argument) __asm__("ioctl");
int bare_close(int fd) __asm__("close");
int bare_close_range(unsigned int first, unsigned int last, int flags) __asm__("close_range");
void bare_closefrom(int first) __asm__("closefrom");
int bare_dup(int fd) __asm__("dup");
int bare_dup2(int fd, int to) __asm__("dup2");
int bare_dup3(int fd, int to, int flags) __asm__("dup3");
int bare_fcntl(int fd, int command, unsigned long argument) __asm__("fcntl");
int bare_fcntl64(int fd, int command, unsigned long argument) __asm__("fcntl64");

int bare_ioctl(int fd, unsigned long request, void *argument)
{
	if ((request & 0xff00) == 0xae00 && is_fake())
		return fake_ioctl(fd, (unsigned int)request, argument);
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

int bare_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

int bare_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

void bare_closefrom(int first)
{
	(void)syscall(SYS_close_range, first, ~0u, 0);
}

int bare_dup(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

int bare_dup2(int fd, int to)
{
	return (int)syscall(SYS_dup2, fd, to);
}

int bare_dup3(int fd, int to, int flags)
{
	return (int)syscall(SYS_dup3, fd, to, flags);
}

int bare_fcntl(int fd, int command, unsigned long argument)
{
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

int bare_fcntl64(int fd, int command, unsigned long argument)
{
	return (int)syscall(SYS_fcntl, fd, command, argument);
}
