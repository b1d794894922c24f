/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>

#include "base/scope.h"
#include "core/area.h"
#include "core/bytes.h"
#include "state/firecracker_walk.h"

/* Sizes of what KVM's ioctls give, x86-64. */
#define SIZE_CPUID_HEAD 8
#define SIZE_CPUID_ENTRY 40
#define SIZE_MSRS_HEAD 8
#define SIZE_MSR 16
#define SIZE_DEBUGREGS 128
#define SIZE_LAPIC 1024
#define SIZE_MP_STATE 4
#define SIZE_REGS 144
#define SIZE_SREGS 312
#define SIZE_VCPU_EVENTS 64
#define SIZE_XCRS 392
#define SIZE_PIT 112
#define SIZE_CLOCK 48
#define SIZE_IRQCHIP 520

/* The tree is balanced, and of less than 2^20 nodes: no file has room for more. */
#define MAX_TREE_DEPTH 40

enum trait {
	PLAIN = 1,	   /* KVM's structures are written field by field, without a length */
	REGION_OFFSET = 2, /* a memory region has an offset */
	REGION_TYPE = 4,   /* a memory region has a type, and which of its slots are plugged */
	MEMORY_FIRST = 8,  /* memory stands before KVM's state, not in the VM's */
	CAPS_IN_VM = 16,   /* the capabilities stand in the VM's state, not before it */
	ALLOCATORS = 32,   /* the VM's state has the allocators of interrupts and addresses */
	PAST_MMIO64 = 64,  /* one more of those of addresses */
	XSAVE2 = 128,	   /* an area may be larger than 4096 bytes */
};

static const struct xf_firecracker_layout layouts[] = {
	{ 1, "1.7", PLAIN | REGION_OFFSET | MEMORY_FIRST | CAPS_IN_VM },
	{ 2, "1.8", REGION_OFFSET | MEMORY_FIRST | CAPS_IN_VM },
	{ 3, "1.9 or 1.10.0", REGION_OFFSET | MEMORY_FIRST | CAPS_IN_VM },
	{ 4, "1.10.1", REGION_OFFSET | MEMORY_FIRST | CAPS_IN_VM },
	{ 5, "1.11", MEMORY_FIRST },
	{ 6, "1.12", XSAVE2 },
	{ 8, "1.13", XSAVE2 | ALLOCATORS },
	{ 8, "1.14", XSAVE2 | ALLOCATORS | PAST_MMIO64 | REGION_TYPE },
};

#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

const struct xf_firecracker_layout *xf_firecracker_layouts(uint32_t version, size_t *count)
{
	size_t first = 0;

	while (first < LAYOUTS && layouts[first].version != version)
		first++;
	*count = 0;
	while (first + *count < LAYOUTS && layouts[first + *count].version == version)
		++*count;
	return *count ? &layouts[first] : NULL;
}

struct walk {
	const char *file;
	const uint8_t *bytes;
	uint64_t size;
	uint64_t at;
	unsigned int traits;
};

/* ---- What bincode is made of ---- */

static uint64_t left(const struct walk *walk)
{
	return walk->size - walk->at;
}

/* Steps over `size` bytes; `what` is a name for messages. */
static struct xf_error *take(struct walk *walk, uint64_t size, const char *what)
{
	if (size > left(walk))
		return xf_error_at(XF_ERR_DAMAGED, walk->file, walk->at,
				   "%s should have %" PRIu64
				   " bytes, and the state ends after %" PRIu64,
				   what, size, left(walk));
	walk->at += size;
	return NULL;
}

static struct xf_error *take_u32(struct walk *walk, const char *what, uint32_t *out)
{
	const uint8_t *p = walk->bytes + walk->at;

	XF_TRY(take(walk, 4, what));
	*out = xf_get_le32(p);
	return NULL;
}

static struct xf_error *take_u64(struct walk *walk, const char *what, uint64_t *out)
{
	const uint8_t *p = walk->bytes + walk->at;

	XF_TRY(take(walk, 8, what));
	*out = xf_get_le64(p);
	return NULL;
}

/* A length: so many elements of at least `least` bytes each follow. */
static struct xf_error *take_count(struct walk *walk, uint64_t least, const char *what,
				   uint64_t *out)
{
	uint64_t at = walk->at;
	uint64_t count = 0;

	XF_TRY(take_u64(walk, what, &count));
	if (count > left(walk) / least)
		return xf_error_at(XF_ERR_DAMAGED, walk->file, at,
				   "%s: %" PRIu64 " of them do not fit into the %" PRIu64
				   " bytes that are left",
				   what, count, left(walk));
	*out = count;
	return NULL;
}

/* A sequence of elements of fixed size. */
static struct xf_error *take_elements(struct walk *walk, uint64_t size, const char *what)
{
	uint64_t count = 0;

	XF_TRY(take_count(walk, size, what, &count));
	return take(walk, count * size, what);
}

static struct xf_error *take_bool(struct walk *walk, const char *what, bool *out)
{
	const uint8_t *p = walk->bytes + walk->at;

	XF_TRY(take(walk, 1, what));
	if (*p > 1)
		return xf_error_at(XF_ERR_DAMAGED, walk->file, walk->at - 1,
				   "%s is %u: neither 0 nor 1", what, *p);
	*out = *p;
	return NULL;
}

/* An enum without data: the number of its variant, one of `count`. */
static struct xf_error *take_variant(struct walk *walk, uint32_t count, const char *what)
{
	uint64_t at = walk->at;
	uint32_t variant = 0;

	XF_TRY(take_u32(walk, what, &variant));
	if (variant >= count)
		return xf_error_at(XF_ERR_DAMAGED, walk->file, at, "%s is %" PRIu32 " of %" PRIu32,
				   what, variant, count);
	return NULL;
}

static struct xf_error *take_string(struct walk *walk, const char *what)
{
	return take_elements(walk, 1, what);
}

static struct xf_error *take_option_string(struct walk *walk, const char *what)
{
	bool there = false;

	XF_TRY(take_bool(walk, what, &there));
	return there ? take_string(walk, what) : NULL;
}

static struct xf_error *take_option_u32(struct walk *walk, const char *what)
{
	bool there = false;

	XF_TRY(take_bool(walk, what, &there));
	return there ? take(walk, 4, what) : NULL;
}

/* One of KVM's structures: since 1.8 its bytes, and their number before them. */
static struct xf_error *take_kvm(struct walk *walk, uint64_t size, const char *what, uint64_t *at)
{
	uint64_t told = size;
	uint64_t begin = walk->at;

	if (!(walk->traits & PLAIN))
		XF_TRY(take_u64(walk, what, &told));
	if (told != size)
		return xf_error_at(XF_ERR_DAMAGED, walk->file, begin,
				   "%s should have %" PRIu64 " bytes, not %" PRIu64, what, size,
				   told);
	*at = walk->at;
	return take(walk, size, what);
}

static struct xf_error *skip_kvm(struct walk *walk, uint64_t size, const char *what)
{
	uint64_t at;

	return take_kvm(walk, size, what, &at);
}

/* ---- Before the vCPUs ---- */

static struct xf_error *walk_vm_info(struct walk *walk)
{
	bool smt;

	XF_TRY(take(walk, 8, "the size of memory"));
	XF_TRY(take_bool(walk, "smt", &smt));
	XF_TRY(take_variant(walk, 6, "the CPU template"));
	XF_TRY(take_string(walk, "the kernel's path"));
	XF_TRY(take_option_string(walk, "the initrd's path"));
	XF_TRY(take_option_string(walk, "the kernel's command line"));
	return take_variant(walk, 2, "the size of pages");
}

static struct xf_error *walk_plugged(struct walk *walk)
{
	uint64_t count = 0;
	bool plugged;

	XF_TRY(take_count(walk, 1, "the memory region's slots", &count));
	for (uint64_t i = 0; i < count; i++)
		XF_TRY(take_bool(walk, "a slot's plugged", &plugged));
	return NULL;
}

static struct xf_error *walk_region(struct walk *walk)
{
	XF_TRY(take(walk, walk->traits & REGION_OFFSET ? 24 : 16, "a memory region"));
	if (!(walk->traits & REGION_TYPE))
		return NULL;
	XF_TRY(take_variant(walk, 2, "a memory region's type"));
	return walk_plugged(walk);
}

static struct xf_error *walk_memory(struct walk *walk)
{
	uint64_t count = 0;

	XF_TRY(take_count(walk, 16, "memory regions", &count));
	for (uint64_t i = 0; i < count; i++)
		XF_TRY(walk_region(walk));
	return NULL;
}

/* Each is a string: "121", or "!121". */
static struct xf_error *walk_capabilities(struct walk *walk)
{
	uint64_t count = 0;

	XF_TRY(take_count(walk, 8, "capabilities", &count));
	for (uint64_t i = 0; i < count; i++)
		XF_TRY(take_string(walk, "a capability"));
	return NULL;
}

static struct xf_error *walk_id_allocator(struct walk *walk)
{
	XF_TRY(take(walk, 4, "an allocator's first number"));
	XF_TRY(take_option_u32(walk, "an allocator's next number"));
	XF_TRY(take(walk, 4, "an allocator's last number"));
	return take_elements(walk, 4, "an allocator's free numbers");
}

/* A node may be absent; else: its range, its state, the two below it, its height. */
static struct xf_error *walk_tree(struct walk *walk, unsigned int depth)
{
	bool there = false;

	XF_TRY(take_bool(walk, "an address range's node", &there));
	if (!there)
		return NULL;
	if (depth == MAX_TREE_DEPTH)
		return xf_error_at(XF_ERR_DAMAGED, walk->file, walk->at,
				   "the tree of address ranges is more than %u nodes deep",
				   MAX_TREE_DEPTH);
	XF_TRY(take(walk, 16, "an address range"));
	XF_TRY(take_variant(walk, 2, "an address range's state"));
	XF_TRY(walk_tree(walk, depth + 1));
	XF_TRY(walk_tree(walk, depth + 1));
	return take(walk, 8, "the height of an address range's node");
}

static struct xf_error *walk_allocators(struct walk *walk)
{
	unsigned int ids = 2;
	unsigned int addresses = walk->traits & PAST_MMIO64 ? 4 : 3;

	while (ids--)
		XF_TRY(walk_id_allocator(walk));
	while (addresses--) {
		XF_TRY(take(walk, 16, "an allocator's range"));
		XF_TRY(walk_tree(walk, 0));
	}
	return NULL;
}

static struct xf_error *walk_vm_state(struct walk *walk)
{
	if (!(walk->traits & MEMORY_FIRST))
		XF_TRY(walk_memory(walk));
	if (walk->traits & ALLOCATORS)
		XF_TRY(walk_allocators(walk));
	XF_TRY(skip_kvm(walk, SIZE_PIT, "the PIT's state"));
	XF_TRY(skip_kvm(walk, SIZE_CLOCK, "the clock"));
	XF_TRY(skip_kvm(walk, SIZE_IRQCHIP, "the first PIC's state"));
	XF_TRY(skip_kvm(walk, SIZE_IRQCHIP, "the second PIC's state"));
	XF_TRY(skip_kvm(walk, SIZE_IRQCHIP, "the I/O APIC's state"));
	return walk->traits & CAPS_IN_VM ? walk_capabilities(walk) : NULL;
}

static struct xf_error *walk_to_vcpus(struct walk *walk)
{
	XF_TRY(walk_vm_info(walk));
	if (walk->traits & MEMORY_FIRST)
		XF_TRY(walk_memory(walk));
	if (!(walk->traits & CAPS_IN_VM))
		XF_TRY(walk_capabilities(walk));
	return walk_vm_state(walk);
}

/* ---- A vCPU ---- */

/*
 * KVM's structures with an array at their end: what is before it, whose first number is the
 * count of elements, then the sequence of them.
 */
static struct xf_error *take_array_head(struct walk *walk, uint64_t head_size,
					uint64_t element_size, const char *what, uint64_t *count)
{
	uint64_t head = 0;
	uint64_t elements = 0;

	XF_TRY(take_kvm(walk, head_size, what, &head));

	uint64_t at = walk->at;

	XF_TRY(take_count(walk, element_size, what, &elements));
	if (elements != xf_get_le32(walk->bytes + head))
		return xf_error_at(XF_ERR_DAMAGED, walk->file, at,
				   "%s: %" PRIu64 " of them, and their head says %" PRIu32, what,
				   elements, xf_get_le32(walk->bytes + head));
	*count = elements;
	return NULL;
}

static struct xf_error *walk_cpuid(struct walk *walk, struct xf_firecracker_vcpu *vcpu)
{
	uint64_t at;

	vcpu->stride = SIZE_CPUID_ENTRY + (walk->traits & PLAIN ? 0 : 8);
	XF_TRY(take_array_head(walk, SIZE_CPUID_HEAD, vcpu->stride, "CPUID entries",
			       &vcpu->cpuid_count));
	vcpu->cpuid = walk->at + vcpu->stride - SIZE_CPUID_ENTRY;
	for (uint64_t i = 0; i < vcpu->cpuid_count; i++)
		XF_TRY(take_kvm(walk, SIZE_CPUID_ENTRY, "a CPUID entry", &at));
	return NULL;
}

static struct xf_error *walk_msrs(struct walk *walk)
{
	uint64_t chunks = 0;
	uint64_t count = 0;

	XF_TRY(take_count(walk, SIZE_MSRS_HEAD, "lists of MSRs", &chunks));
	for (uint64_t i = 0; i < chunks; i++) {
		XF_TRY(take_array_head(walk, SIZE_MSRS_HEAD, SIZE_MSR, "MSRs", &count));
		for (uint64_t j = 0; j < count; j++)
			XF_TRY(skip_kvm(walk, SIZE_MSR, "an MSR"));
	}
	return NULL;
}

/* Since 1.12: how many numbers are behind the first 4096 bytes, these, and the numbers. */
static struct xf_error *walk_xsave2(struct walk *walk, struct xf_firecracker_vcpu *vcpu)
{
	uint64_t head = 0;

	XF_TRY(take_kvm(walk, 8 + XF_FIRECRACKER_REGION, "the XSAVE area", &head));

	uint64_t at = walk->at;

	XF_TRY(take_count(walk, 4, "the XSAVE area's further numbers", &vcpu->extra_count));
	if (vcpu->extra_count != xf_get_le64(walk->bytes + head))
		return xf_error_at(XF_ERR_DAMAGED, walk->file, at,
				   "the XSAVE area has %" PRIu64
				   " further numbers, and its head says %" PRIu64,
				   vcpu->extra_count, xf_get_le64(walk->bytes + head));
	if (vcpu->extra_count > (XF_AREA_MAX - XF_FIRECRACKER_REGION) / 4)
		return xf_error_at(XF_ERR_DAMAGED, walk->file, at,
				   "the XSAVE area has more than %u bytes", XF_AREA_MAX);
	vcpu->area = head + 8;
	vcpu->extra = walk->at;
	return take(walk, vcpu->extra_count * 4, "the XSAVE area's further numbers");
}

static struct xf_error *walk_vcpu(struct walk *walk, struct xf_firecracker_vcpu *vcpu)
{
	XF_TRY(walk_cpuid(walk, vcpu));
	XF_TRY(walk_msrs(walk));
	XF_TRY(skip_kvm(walk, SIZE_DEBUGREGS, "the debug registers"));
	XF_TRY(skip_kvm(walk, SIZE_LAPIC, "the local APIC's state"));
	XF_TRY(skip_kvm(walk, SIZE_MP_STATE, "the multiprocessing state"));
	XF_TRY(skip_kvm(walk, SIZE_REGS, "the registers"));
	XF_TRY(take_kvm(walk, SIZE_SREGS, "the special registers", &vcpu->sregs));
	XF_TRY(skip_kvm(walk, SIZE_VCPU_EVENTS, "the pending events"));
	XF_TRY(take_kvm(walk, SIZE_XCRS, "the extended control registers", &vcpu->xcrs));
	if (walk->traits & XSAVE2)
		XF_TRY(walk_xsave2(walk, vcpu));
	else
		XF_TRY(take_kvm(walk, XF_FIRECRACKER_REGION, "the XSAVE area", &vcpu->area));
	return take_option_u32(walk, "the TSC's frequency");
}

static struct xf_error *walk_vcpus(struct walk *walk, struct xf_firecracker_vcpus *out)
{
	XF_AUTO_FREE struct xf_firecracker_vcpu *vcpus = NULL;
	uint64_t count = 0;

	XF_TRY(take_count(walk, XF_FIRECRACKER_REGION, "vCPUs", &count));
	vcpus = calloc(count ? count : 1, sizeof(*vcpus));
	if (!vcpus)
		return xf_error_memory();
	for (uint64_t i = 0; i < count; i++)
		XF_TRY(walk_vcpu(walk, &vcpus[i]));
	out->vcpus = xf_take(vcpus);
	out->count = count;
	return NULL;
}

struct xf_error *xf_firecracker_walk(const char *file, const uint8_t *bytes, uint64_t size,
				     uint64_t start, const struct xf_firecracker_layout *layout,
				     struct xf_firecracker_vcpus *out)
{
	struct walk walk = { file, bytes, size, start, layout->traits };
	struct xf_error *err = walk_to_vcpus(&walk);

	*out = (struct xf_firecracker_vcpus){ 0 };
	if (!err)
		err = walk_vcpus(&walk, out);
	out->reached = walk.at;
	return err;
}
