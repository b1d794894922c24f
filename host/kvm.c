/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/kvm.h"

#define DEVICE "/dev/kvm"

/* Newer than the headers of some distributions that still build this. */
#ifndef ARCH_REQ_XCOMP_GUEST_PERM
#define ARCH_REQ_XCOMP_GUEST_PERM 0x1025
#endif

/* An ioctl's value, or -1 with errno; again when a signal came first. */
static int call(int fd, unsigned long request, void *argument)
{
	int value;

	do
		value = ioctl(fd, request, argument);
	while (value < 0 && errno == EINTR);
	return value;
}

static int answer_of(int value)
{
	return value < 0 ? errno : 0;
}

/* ---- Opening ---- */

struct xf_error *xf_kvm_open(struct xf_kvm_device *out)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return xf_error_errno(DEVICE, "open");

	int version = call(fd, KVM_GET_API_VERSION, NULL);
	struct xf_error *err = NULL;

	if (version < 0)
		err = xf_error_errno(DEVICE, "this is no KVM: KVM_GET_API_VERSION");
	else if (version != KVM_API_VERSION)
		err = xf_error_new(XF_ERR_IO, DEVICE, "KVM_GET_API_VERSION: %d, expected %d",
				   version, KVM_API_VERSION);
	if (err) {
		close(fd);
		return err;
	}
	out->fd = fd;
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void xf_kvm_close(struct xf_kvm_device *kvm)
{
	close_fd(&kvm->fd);
}

int xf_kvm_permit(struct xf_bit component)
{
	return answer_of((int)syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM,
				      (unsigned long)component.n));
}

struct xf_error *xf_kvm_create_vm(const struct xf_kvm_device *kvm, struct xf_kvm_vm *out)
{
	/* Type 0; the argument is a number, not a pointer. */
	int fd = call(kvm->fd, KVM_CREATE_VM, NULL);

	if (fd < 0)
		return xf_error_errno(DEVICE, "KVM_CREATE_VM");

	int size = xf_kvm_capability(fd, KVM_CAP_XSAVE2);

	*out = (struct xf_kvm_vm){
		.fd = fd,
		.device = kvm->fd,
		.area_size = size > 0 ? (uint32_t)size : XF_KVM_XSAVE_SIZE,
		.has_xsave2 = size > 0,
	};
	return NULL;
}

void xf_kvm_close_vm(struct xf_kvm_vm *vm)
{
	close_fd(&vm->fd);
}

struct xf_error *xf_kvm_create_cpu(const struct xf_kvm_vm *vm, unsigned int id,
				   struct xf_kvm_cpu *out)
{
	if (vm->area_size > XF_KVM_AREA_MAX)
		return xf_error_new(XF_ERR_IO, DEVICE,
				    "KVM_CAP_XSAVE2: an area of %u bytes, expected %u at most",
				    vm->area_size, XF_KVM_AREA_MAX);

	int run_size = call(vm->device, KVM_GET_VCPU_MMAP_SIZE, NULL);

	if (run_size < 0)
		return xf_error_errno(DEVICE, "KVM_GET_VCPU_MMAP_SIZE");

	/* The number itself is the argument. */
	int fd = call(vm->fd, KVM_CREATE_VCPU, (void *)(uintptr_t)id);

	if (fd < 0)
		return xf_error_errno(DEVICE, "KVM_CREATE_VCPU");
	*out = (struct xf_kvm_cpu){
		.fd = fd,
		.area_size = vm->area_size,
		.has_xsave2 = vm->has_xsave2,
		.run_size = (uint32_t)run_size,
	};
	return NULL;
}

void xf_kvm_close_cpu(struct xf_kvm_cpu *cpu)
{
	if (cpu->run)
		munmap(cpu->run, cpu->run_size);
	cpu->run = NULL;
	close_fd(&cpu->fd);
}

void xf_kvm_scope(struct xf_kvm_device *kvm)
{
	xf_kvm_close(kvm);
}

void xf_kvm_vm_scope(struct xf_kvm_vm *vm)
{
	xf_kvm_close_vm(vm);
}

void xf_kvm_cpu_scope(struct xf_kvm_cpu *cpu)
{
	xf_kvm_close_cpu(cpu);
}

int xf_kvm_capability(int fd, int capability)
{
	int value = call(fd, KVM_CHECK_EXTENSION, (void *)(uintptr_t)capability);

	return value > 0 ? value : 0;
}

/* ---- CPUID ---- */

_Static_assert(sizeof(struct xf_kvm_cpuid) ==
		       sizeof(struct kvm_cpuid2) +
			       XF_KVM_CPUID_MAX * sizeof(struct kvm_cpuid_entry2),
	       "it is a struct kvm_cpuid2");

struct xf_error *xf_kvm_supported_cpuid(const struct xf_kvm_device *kvm, struct xf_kvm_cpuid *out)
{
	out->count = XF_KVM_CPUID_MAX;
	out->padding = 0;
	if (call(kvm->fd, KVM_GET_SUPPORTED_CPUID, out) < 0)
		return xf_error_errno(DEVICE, "KVM_GET_SUPPORTED_CPUID");
	return NULL;
}

int xf_kvm_set_cpuid(const struct xf_kvm_cpu *cpu, const struct xf_kvm_cpuid *cpuid)
{
	return answer_of(call(cpu->fd, KVM_SET_CPUID2, (void *)cpuid));
}

int xf_kvm_get_cpuid(const struct xf_kvm_cpu *cpu, struct xf_kvm_cpuid *out)
{
	/* Kernels up to 6.2 fill in the entries and leave the count as it was. */
	memset(out, 0, sizeof(*out));
	out->count = XF_KVM_CPUID_MAX;
	return answer_of(call(cpu->fd, KVM_GET_CPUID2, out));
}

const struct kvm_cpuid_entry2 *xf_kvm_cpuid_find(const struct xf_kvm_cpuid *cpuid, uint32_t leaf,
						 uint32_t subleaf)
{
	for (uint32_t i = 0; i < cpuid->count && i < XF_KVM_CPUID_MAX; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		bool indexed = entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

		if (entry->function == leaf && (!indexed || entry->index == subleaf))
			return entry;
	}
	return NULL;
}

uint64_t xf_kvm_cpuid_shown(const struct xf_kvm_cpuid *cpuid)
{
	const struct kvm_cpuid_entry2 *entry = xf_kvm_cpuid_find(cpuid, 0xd, 0);

	return entry ? (uint64_t)entry->edx << 32 | entry->eax : 0;
}

/* A leaf without sub-leaves is the same whatever sub-leaf is asked for. */
struct xf_guest xf_kvm_cpuid_evidence(const struct xf_kvm_cpuid *cpuid)
{
	static const struct kvm_cpuid_entry2 nothing;
	struct xf_shown shown = { 0 };

	for (uint32_t i = 0; i < cpuid->count && i < XF_KVM_CPUID_MAX; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		const struct xf_cpuid_regs regs = { entry->eax, entry->ebx, entry->ecx,
						    entry->edx };

		/* What kernels up to 6.2 have not filled in. */
		if (memcmp(entry, &nothing, sizeof(nothing)) == 0)
			continue;
		xf_shown_entry(&shown, entry->function, entry->index,
			       entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX, &regs);
	}
	return xf_shown_guest(&shown);
}

void xf_kvm_cpuid_extents(const struct xf_kvm_cpuid *cpuid, struct xf_cpuid_regs out[XF_BITS])
{
	for (uint32_t i = 0; i < XF_BITS; i++) {
		const struct kvm_cpuid_entry2 *entry = xf_kvm_cpuid_find(cpuid, 0xd, i);

		out[i] = (struct xf_cpuid_regs){ 0 };
		if (entry)
			out[i] = (struct xf_cpuid_regs){ entry->eax, entry->ebx, entry->ecx,
							 entry->edx };
	}
}

static uint32_t *register_of(struct kvm_cpuid_entry2 *entry, enum xf_cpuid_reg reg)
{
	switch (reg) {
	case XF_EAX:
		return &entry->eax;
	case XF_EBX:
		return &entry->ebx;
	case XF_ECX:
		return &entry->ecx;
	default:
		return &entry->edx;
	}
}

/* Clears the feature bits that would show one of the components. */
static void hide(struct kvm_cpuid_entry2 *entry, uint64_t components)
{
	xf_for_each_bit (bit, components & XF_USER) {
		const struct xf_component *row = xf_component(bit);

		for (size_t i = 0; i < 2; i++) {
			const struct xf_cpuid_bit *by = &row->shown_by[i];

			if (by->leaf && by->leaf == entry->function && by->subleaf == entry->index)
				*register_of(entry, by->reg) &= ~(1u << by->bit);
		}
	}
}

/* Whether a sub-leaf of leaf 0xD is one of a guest that is shown `mask`. */
static bool belongs(const struct kvm_cpuid_entry2 *entry, uint64_t mask)
{
	if (entry->index < 2)
		return true;
	return entry->index < XF_BITS && mask & xf_mask(xf_bit(entry->index));
}

void xf_kvm_cpuid_show(const struct xf_kvm_cpuid *supported, uint64_t mask,
		       struct xf_kvm_cpuid *out)
{
	out->count = 0;
	out->padding = 0;
	for (uint32_t i = 0; i < supported->count && i < XF_KVM_CPUID_MAX; i++) {
		struct kvm_cpuid_entry2 entry = supported->entries[i];

		if (entry.function == 0xd && !belongs(&entry, mask))
			continue;
		if (entry.function == 0xd && entry.index == 0) {
			entry.eax &= (uint32_t)mask;
			entry.edx &= (uint32_t)(mask >> 32);
		}
		hide(&entry, ~mask);
		out->entries[out->count++] = entry;
	}
}

#define LEAF1_ECX_OSXSAVE (1u << 27)

void xf_kvm_cpuid_bare(const struct xf_kvm_cpuid *supported, struct xf_kvm_cpuid *out)
{
	struct xf_kvm_cpuid shown;

	xf_kvm_cpuid_show(supported, XF_FPSSE, &shown);
	out->count = 0;
	out->padding = 0;
	for (uint32_t i = 0; i < shown.count; i++) {
		struct kvm_cpuid_entry2 entry = shown.entries[i];

		if (entry.function == 0xd)
			continue;
		if (entry.function == 1)
			entry.ecx &= ~(XF_LEAF1_ECX_XSAVE | LEAF1_ECX_OSXSAVE);
		out->entries[out->count++] = entry;
	}
}

/* ---- State ---- */

int xf_kvm_set_xsave(const struct xf_kvm_cpu *cpu, const void *area)
{
	return answer_of(call(cpu->fd, KVM_SET_XSAVE, (void *)area));
}

int xf_kvm_get_xsave(const struct xf_kvm_cpu *cpu, void *area)
{
	return answer_of(call(cpu->fd, cpu->has_xsave2 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, area));
}

int xf_kvm_set_xcr0(const struct xf_kvm_cpu *cpu, uint64_t xcr0)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = xcr0 } };

	return answer_of(call(cpu->fd, KVM_SET_XCRS, &xcrs));
}

int xf_kvm_get_xcr0(const struct xf_kvm_cpu *cpu, uint64_t *out)
{
	struct kvm_xcrs xcrs = { 0 };
	int answer = answer_of(call(cpu->fd, KVM_GET_XCRS, &xcrs));

	for (uint32_t i = 0; !answer && i < xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++) {
		if (xcrs.xcrs[i].xcr == 0) {
			*out = xcrs.xcrs[i].value;
			return 0;
		}
	}
	return answer ? answer : ENOENT;
}

/* struct kvm_msrs with one entry. */
struct one_msr {
	uint32_t count;
	uint32_t padding;
	struct kvm_msr_entry entry;
};

/* These two give how many MSRs they did. */
static int msr_answer(int done)
{
	return done == 0 ? ENOENT : answer_of(done);
}

int xf_kvm_set_msr(const struct xf_kvm_cpu *cpu, uint32_t msr, uint64_t value)
{
	struct one_msr one = { .count = 1, .entry = { .index = msr, .data = value } };

	return msr_answer(call(cpu->fd, KVM_SET_MSRS, &one));
}

int xf_kvm_get_msr(const struct xf_kvm_cpu *cpu, uint32_t msr, uint64_t *out)
{
	struct one_msr one = { .count = 1, .entry = { .index = msr } };
	int answer = msr_answer(call(cpu->fd, KVM_GET_MSRS, &one));

	if (!answer)
		*out = one.entry.data;
	return answer;
}

int xf_kvm_set_memory(const struct xf_kvm_vm *vm, uint32_t slot, uint64_t guest_address,
		      void *memory, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = guest_address,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	return answer_of(call(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

int xf_kvm_set_tss(const struct xf_kvm_vm *vm, uint64_t guest_address)
{
	return answer_of(call(vm->fd, KVM_SET_TSS_ADDR, (void *)(uintptr_t)guest_address));
}
