/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A KVM that behaves as core/rule says, for machines that are not at hand (AMX, a hook
 * on a CPU with AVX-512…): open() and ioctl() of the program that includes this are its.
 * It has Intel's layout. Its vCPUs are memory files, so that they can be mapped.
 */
#ifndef XF_TESTS_HOST_FAKE_KVM_H
#define XF_TESTS_HOST_FAKE_KVM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/kvm.h"

#define FAKE_FDS 64
#define FAKE_RUN_SIZE 12288
#define FAKE_AREA 11008

struct fake_cpu {
	struct xf_kvm_vcpu vcpu;
	struct xf_kvm_cpuid cpuid;
	uint64_t in_use;
	uint32_t pkru;
	unsigned char area[FAKE_AREA];
};

/* What the KVM is, and how it misbehaves. */
static struct {
	struct xf_kvm kvm;
	uint64_t shows;		 /* KVM_SET_CPUID2 shows this besides, unless it gets nothing */
	uint64_t together;	 /* refused when all of these are in use at once */
	uint64_t misplaced;	 /* GET gives the data of these from 8 bytes further on */
	bool loses_pkru;	 /* a state without PKRU resets it */
	bool shows_idle_pkru;	 /* GET gives PKRU's value whether it is in use or not */
	bool stuck;		 /* KVM_RUN comes back neither by itself nor by a signal */
	const char *module[3];	 /* the module's mode, components, trim_get; NULL: not loaded */
	uint32_t exit_reason;	 /* of KVM_RUN; 0: as it should be */
	unsigned long fails;	 /* this request */
	unsigned int fails_from; /* from this call of it on, counted from 1 */
	int fails_with;
	unsigned int count; /* of its calls */
} fake;

static struct fake_cpu fake_cpus[FAKE_FDS];

static int fake_file(void)
{
	int fd = memfd_create("fake kvm", MFD_CLOEXEC);

	return fd < 0 || ftruncate(fd, FAKE_RUN_SIZE) ? -1 : fd;
}

static struct fake_cpu *fake_cpu_of(int fd)
{
	return &fake_cpus[fd % FAKE_FDS];
}

static uint64_t fake_supported(void)
{
	return fake.kvm.no_xsave ? 0 : fake.kvm.host;
}

static void fake_add(struct xf_kvm_cpuid *cpuid, uint32_t leaf, uint32_t subleaf,
		     struct xf_cpuid_regs regs)
{
	cpuid->entries[cpuid->count++] = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = subleaf,
		.flags = leaf == 0xd || leaf == 7 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = regs.eax,
		.ebx = regs.ebx,
		.ecx = regs.ecx,
		.edx = regs.edx,
	};
}

static void fake_cpuid(uint64_t shown, struct xf_kvm_cpuid *out)
{
	out->count = 0;
	fake_add(out, 0, 0, (struct xf_cpuid_regs){ .eax = 0xd });
	fake_add(out, 1, 0, (struct xf_cpuid_regs){ .ecx = shown ? 7u << 26 : 0 });
	if (!shown)
		return;
	fake_add(out, 0xd, 0, (struct xf_cpuid_regs){ (uint32_t)shown, 0, 0, shown >> 32 });
	xf_for_each_bit (bit, shown & ~XF_FPSSE) {
		const struct xf_extent *extent = &xf_layout_intel.at[bit.n];

		fake_add(out, 0xd, bit.n,
			 (struct xf_cpuid_regs){ extent->size, extent->offset,
						 (uint32_t)extent->aligned << 1, 0 });
	}
}

static int fake_refuse(int error)
{
	errno = error;
	return -1;
}

static int fake_set_cpuid(struct fake_cpu *cpu, const struct xf_kvm_cpuid *cpuid)
{
	cpu->cpuid = *cpuid;
	if (fake.shows && cpuid->count)
		fake_cpuid(fake.shows, &cpu->cpuid);
	cpu->vcpu.cpuid = xf_kvm_cpuid_shown(&cpu->cpuid);
	cpu->vcpu.cpuid_set = true;
	cpu->vcpu.evidence = xf_kvm_cpuid_evidence(&cpu->cpuid);
	return 0;
}

/* The bytes of an area that these components have. */
static void fake_copy(uint64_t components, unsigned char *to, const unsigned char *from)
{
	xf_for_each_bit (bit, components & ~XF_FPSSE) {
		const struct xf_extent *extent = &xf_layout_intel.at[bit.n];

		memcpy(to + extent->offset, from + extent->offset, extent->size);
	}
}

static int fake_set_xsave(struct fake_cpu *cpu, const unsigned char *area)
{
	struct xf_area_head head;

	xf_area_head(area, FAKE_AREA, &head);

	struct xf_kvm_answer answer = xf_kvm_set(&fake.kvm, &cpu->vcpu, &head);
	bool together = fake.together && (head.xstate_bv & fake.together) == fake.together;

	if (answer.reason != XF_REASON_NONE || together)
		return fake_refuse(EINVAL);
	cpu->in_use = answer.loaded;
	memset(cpu->area, 0, sizeof(cpu->area));
	fake_copy(answer.loaded, cpu->area, area);
	if (answer.loaded & XF_PKRU)
		memcpy(&cpu->pkru, area + xf_layout_intel.at[9].offset, sizeof(cpu->pkru));
	else if (fake.loses_pkru)
		cpu->pkru = 0;
	return 0;
}

static void fake_misplace(unsigned char *area)
{
	xf_for_each_bit (bit, fake.misplaced) {
		const struct xf_extent *extent = &xf_layout_intel.at[bit.n];

		memmove(area + extent->offset + 8, area + extent->offset, extent->size);
	}
}

static int fake_get_xsave(const struct fake_cpu *cpu, unsigned char *area)
{
	uint64_t xstate_bv = xf_kvm_get(&fake.kvm, &cpu->vcpu, cpu->in_use);

	memset(area, 0, FAKE_AREA);
	fake_copy(xstate_bv, area, cpu->area);
	memcpy(area + XF_LEGACY_SIZE, &xstate_bv, sizeof(xstate_bv));
	if (xstate_bv & XF_PKRU || fake.shows_idle_pkru)
		memcpy(area + xf_layout_intel.at[9].offset, &cpu->pkru, sizeof(cpu->pkru));
	fake_misplace(area);
	return 0;
}

/* The host's own PKRU is in use, as Linux has it; the value is the guest's. */
static int fake_run(int fd)
{
	struct fake_cpu *cpu = fake_cpu_of(fd);

	/* The caller's thread has all signals blocked. */
	while (fake.stuck)
		pause();

	struct kvm_run *run = mmap(NULL, FAKE_RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (run == MAP_FAILED)
		return -1;
	cpu->in_use |= XF_FPSSE | (fake_supported() & XF_PKRU);
	run->exit_reason = fake.exit_reason ? fake.exit_reason : KVM_EXIT_IO;
	run->io.port = 0x80;
	munmap(run, FAKE_RUN_SIZE);
	return 0;
}

static int fake_set_msrs(struct fake_cpu *cpu, const struct kvm_msrs *msrs)
{
	if (msrs->entries[0].index != 0x1c4)
		return 0;
	cpu->vcpu.xfd = msrs->entries[0].data;
	return 1;
}

static int fake_create_cpu(void)
{
	int fd = fake_file();

	if (fd >= 0)
		*fake_cpu_of(fd) = (struct fake_cpu){ 0 };
	return fd;
}

static int fake_extension(uintptr_t capability)
{
	return capability == KVM_CAP_XSAVE2 ? FAKE_AREA : capability == KVM_CAP_XSAVE;
}

static int fake_call(int fd, unsigned long request, void *argument)
{
	struct fake_cpu *cpu = fake_cpu_of(fd);

	switch (request) {
	case KVM_GET_API_VERSION:
		return KVM_API_VERSION;
	case KVM_CHECK_EXTENSION:
		return fake_extension((uintptr_t)argument);
	case KVM_GET_SUPPORTED_CPUID:
		fake_cpuid(fake_supported(), argument);
		return 0;
	case KVM_CREATE_VM:
		return fake_file();
	case KVM_GET_VCPU_MMAP_SIZE:
		return FAKE_RUN_SIZE;
	case KVM_CREATE_VCPU:
		return fake_create_cpu();
	case KVM_SET_CPUID2:
		return fake_set_cpuid(cpu, argument);
	case KVM_GET_CPUID2:
		memcpy(argument, &cpu->cpuid, sizeof(cpu->cpuid));
		return 0;
	case KVM_SET_XSAVE:
		return fake_set_xsave(cpu, argument);
	case KVM_GET_XSAVE2:
		return fake_get_xsave(cpu, argument);
	case KVM_SET_MSRS:
		return fake_set_msrs(cpu, argument);
	case KVM_SET_TSS_ADDR:
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_SIGNAL_MASK:
		return 0;
	case KVM_RUN:
		return fake_run(fd);
	default:
		return fake_refuse(ENOTTY);
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);

	void *argument = va_arg(args, void *);

	va_end(args);
	if (request == fake.fails && ++fake.count >= fake.fails_from)
		return fake_refuse(fake.fails_with);
	return fake_call(fd, request, argument);
}

#define FAKE_MODULE "/sys/module/xferry/parameters/"

/* What one parameter of the module reads as. */
static int fake_module(const char *name)
{
	static const char *const names[] = { "mode", "components", "trim_get" };

	for (unsigned int i = 0; i < 3; i++) {
		if (strcmp(name, names[i]) || !fake.module[i])
			continue;

		int fd = memfd_create(name, MFD_CLOEXEC);

		if (fd >= 0 && (dprintf(fd, "%s\n", fake.module[i]) < 0 || lseek(fd, 0, SEEK_SET)))
			abort();
		return fd;
	}
	return fake_refuse(ENOENT);
}

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);

	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;

	va_end(args);
	if (strcmp(path, "/dev/kvm") == 0)
		return fake_file();
	if (strncmp(path, FAKE_MODULE, strlen(FAKE_MODULE)) == 0)
		return fake_module(path + strlen(FAKE_MODULE));
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#endif
