/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of one vCPU's calls, with a KVM that is played: one that leaks, that shows a
 * guest more than it is given, that fails where a real one hardly does. What this
 * machine's own KVM does is in guard.sh.
 */
#include "tests/core/test.h"

#include <cpuid.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/shown.h"
#include "guard/next.h"
#include "guard/settings.h"
#include "guard/vcpu.h"
#include "host/kvm.h"

#define FD 7
#define STRANGE XF_MASK_(62)
#define LARGE_SIZE 11008
#define ERRNO 4711

/* What is played, and what was seen of the calls. */
static struct {
	struct xf_kvm_cpuid cpuid; /* as KVM_GET_CPUID2 gives it */
	bool keeps_cpuid;	   /* KVM_SET_CPUID2 does not change it */
	bool leaves_count;	   /* as kernels up to 6.2 do */
	int fails_set_cpuid, fails_get_cpuid, fails_set, fails_get; /* errno, or 0 */
	unsigned char given[XF_KVM_AREA_MAX];			    /* by KVM_GET_XSAVE */
	unsigned char taken[XF_KVM_AREA_MAX];			    /* by KVM_SET_XSAVE */
	const void *taken_from;
	size_t size;
	unsigned int asked;	 /* how often KVM_GET_CPUID2 was called */
	void (*meanwhile)(void); /* what another thread does during KVM_SET_CPUID2 */
} kvm;

static int answer(int error)
{
	if (!error)
		return 0;
	errno = error;
	return -1;
}

static int give_cpuid(struct kvm_cpuid2 *out)
{
	uint32_t count = out->nent;

	kvm.asked++;
	/* What an old kernel does not fill in must mean nothing. */
	for (uint32_t i = 0; i < count; i++)
		assert_true(!out->entries[i].function && !out->entries[i].eax &&
			    !out->entries[i].ecx && !out->entries[i].edx);
	if (kvm.fails_get_cpuid || count < kvm.cpuid.count)
		return answer(kvm.fails_get_cpuid ? kvm.fails_get_cpuid : E2BIG);
	memcpy(out, &kvm.cpuid, 8 + kvm.cpuid.count * sizeof(kvm.cpuid.entries[0]));
	if (kvm.leaves_count)
		out->nent = count;
	return 0;
}

static int take_cpuid(const struct kvm_cpuid2 *in)
{
	void (*meanwhile)(void) = kvm.meanwhile;

	kvm.meanwhile = NULL;
	if (meanwhile)
		meanwhile();
	if (!kvm.fails_set_cpuid && !kvm.keeps_cpuid)
		memcpy(&kvm.cpuid, in, 8 + in->nent * sizeof(in->entries[0]));
	return answer(kvm.fails_set_cpuid);
}

static int play(int fd, unsigned long request, void *argument)
{
	assert_int_equal(fd, FD);
	switch ((uint32_t)request) {
	case KVM_SET_CPUID2:
		return take_cpuid(argument);
	case KVM_SET_CPUID:
		return answer(kvm.fails_set_cpuid);
	case KVM_GET_CPUID2:
		return give_cpuid(argument);
	case KVM_SET_XSAVE:
		kvm.taken_from = argument;
		if (!kvm.fails_set)
			memcpy(kvm.taken, argument, kvm.size);
		return answer(kvm.fails_set);
	case KVM_GET_XSAVE:
	case (uint32_t)KVM_GET_XSAVE2:
		if (!kvm.fails_get)
			memcpy(argument, kvm.given, kvm.size);
		return answer(kvm.fails_get);
	default:
		fail_msg("no call of ours: %#lx", request);
		return -1;
	}
}

/* ---- The program ---- */

static unsigned char area[XF_KVM_AREA_MAX];
static struct xf_record *record;
static bool nothing; /* the last area was seen at once to be none of ours */

/* A guest that is shown the components of `mask`, all of XSAVE being there. */
static struct xf_kvm_cpuid cpuid_of(uint64_t mask)
{
	struct xf_kvm_cpuid cpuid = { .count = 4 };

	cpuid.entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 0xd };
	cpuid.entries[1] = (struct kvm_cpuid_entry2){ .function = 1, .ecx = XF_LEAF1_ECX_XSAVE };
	for (uint32_t i = 0; i < 2; i++)
		cpuid.entries[2 + i] = (struct kvm_cpuid_entry2){
			.function = 0xd,
			.index = i,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = i ? 0 : (uint32_t)mask,
			.edx = i ? 0 : (uint32_t)(mask >> 32),
		};
	return cpuid;
}

static int show(uint64_t mask)
{
	struct xf_kvm_cpuid cpuid = cpuid_of(mask);

	return xf_vcpu_set_cpuid2(record, FD, KVM_SET_CPUID2, &cpuid);
}

static void fill(unsigned char *to, uint64_t xstate_bv)
{
	for (size_t i = 0; i < XF_KVM_AREA_MAX; i++)
		to[i] = (unsigned char)(i * 13 + 1);
	memset(to + XF_LEGACY_SIZE, 0, XF_HEADER_SIZE);
	xf_put_le64(to + XF_XSTATE_BV_OFFSET, xstate_bv);
}

static uint64_t bv(const unsigned char *of)
{
	return xf_get_le64(of + XF_XSTATE_BV_OFFSET);
}

/* KVM_SET_XSAVE of an area: what KVM took, with the answer and errno it gave. */
static uint64_t set(uint64_t xstate_bv)
{
	static unsigned char before[XF_KVM_AREA_MAX];

	fill(area, xstate_bv);
	memcpy(before, area, sizeof(area));
	memset(kvm.taken, 0, sizeof(kvm.taken));
	kvm.taken_from = NULL;
	nothing = xf_vcpu_sets_nothing(FD, area);
	errno = ERRNO;
	assert_int_equal(xf_vcpu_set_xsave(record, FD, KVM_SET_XSAVE, area),
			 kvm.fails_set ? -1 : 0);
	assert_int_equal(errno, kvm.fails_set ? kvm.fails_set : ERRNO);
	assert_memory_equal(area, before, sizeof(area));
	assert_non_null(kvm.taken_from);
	if (nothing)
		assert_ptr_equal(kvm.taken_from, area);
	if (!kvm.fails_set) {
		/* All but XSTATE_BV is what the program gave. */
		uint64_t taken = bv(kvm.taken);

		xf_put_le64(before + XF_XSTATE_BV_OFFSET, taken);
		assert_memory_equal(kvm.taken, before, kvm.size);
		return taken;
	}
	return 0;
}

static bool by_copy(void)
{
	return kvm.taken_from != area;
}

static int make(void **state)
{
	(void)state;
	memset(&kvm, 0, sizeof(kvm));
	kvm.size = XF_KVM_XSAVE_SIZE;
	xf_next.ioctl = play;
	xf_settings_parse("trim", NULL, "/dev/null", &xf_settings);
	record = xf_table_new(0);
	return !record || !xf_table_set(FD, record);
}

static int unmake(void **state)
{
	(void)state;
	xf_table_put(record);
	xf_table_forget(0, ~0u);
	return 0;
}

/* ---- KVM_SET_XSAVE ---- */

static void test_clean(void **state)
{
	(void)state;
	assert_int_equal(show(XF_FPSSE | XF_AVX), 0);
	assert_false(xf_vcpu_sets_nothing(FD, NULL));
	assert_int_equal(set(XF_FPSSE), XF_FPSSE);
	assert_false(nothing); /* whether it can be read was not known */
	assert_int_equal(set(XF_FPSSE | XF_AVX), XF_FPSSE | XF_AVX);
	assert_true(nothing);
	assert_int_equal(set(0), 0);
	assert_true(nothing);
	assert_false(xf_vcpu_sets_nothing(FD, NULL));
	assert_false(xf_vcpu_sets_nothing(FD, area + 1));
	assert_true(xf_vcpu_sets_nothing(FD + 1, NULL));
	assert_true(xf_vcpu_sets_nothing(-1, NULL));
	assert_false(by_copy());
	assert_int_equal(kvm.asked, 0);
}

static void test_trim(void **state)
{
	(void)state;
	assert_int_equal(show(XF_FPSSE | XF_AVX), 0);
	assert_int_equal(set(XF_FPSSE | XF_AVX | XF_PKRU | STRANGE), XF_FPSSE | XF_AVX);
	assert_true(by_copy());
	assert_int_equal((uintptr_t)kvm.taken_from % 64, 0);
	assert_int_equal(kvm.asked, 1);
	/* KVM is asked each time, for the fd may have become another vCPU's. */
	kvm.cpuid = cpuid_of(XF_FPSSE | XF_AVX | XF_PKRU);
	assert_true(set(XF_FPSSE | XF_PKRU | STRANGE) == (XF_FPSSE | XF_PKRU));
	/* What KVM refuses all the same. */
	kvm.fails_set = EINVAL;
	set(STRANGE);
	assert_true(by_copy());
}

static void test_observe(void **state)
{
	(void)state;
	xf_settings.trim = false;
	assert_int_equal(show(XF_FPSSE), 0);
	assert_true(set(XF_FPSSE | XF_PKRU | STRANGE) == (XF_FPSSE | XF_PKRU | STRANGE));
	assert_false(by_copy());
	kvm.fails_set = EINVAL;
	set(XF_PKRU);
	assert_false(by_copy());
}

static void test_only(void **state)
{
	(void)state;
	xf_settings.only = XF_PKRU | XF_FPSSE;
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(set(XF_FPSSE | XF_AVX | XF_PKRU), XF_FPSSE | XF_AVX);
	assert_int_equal(set(XF_FPSSE | XF_AVX), XF_FPSSE | XF_AVX);
	assert_false(by_copy());
}

static void test_no_evidence(void **state)
{
	(void)state;
	assert_int_equal(set(XF_PKRU), XF_PKRU);
	assert_true(nothing);
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(set(XF_PKRU), 0);
	/* The old call takes it away, unless it fails. */
	kvm.fails_set_cpuid = EINVAL;
	assert_int_equal(xf_vcpu_set_cpuid(record, FD, KVM_SET_CPUID, NULL), -1);
	assert_int_equal(set(XF_PKRU), 0);
	kvm.fails_set_cpuid = 0;
	assert_int_equal(xf_vcpu_set_cpuid(record, FD, KVM_SET_CPUID, NULL), 0);
	assert_int_equal(set(XF_PKRU), XF_PKRU);
	assert_false(by_copy());
}

static void test_new_evidence(void **state)
{
	(void)state;
	assert_int_equal(show(XF_FPSSE), 0);
	kvm.fails_set_cpuid = E2BIG;
	errno = 0;
	assert_int_equal(show(XF_FPSSE | XF_PKRU), -1);
	assert_int_equal(errno, E2BIG);
	assert_int_equal(set(XF_PKRU), 0);
	kvm.fails_set_cpuid = 0;
	assert_int_equal(show(XF_FPSSE | XF_PKRU), 0);
	assert_int_equal(set(XF_PKRU), XF_PKRU);
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(set(XF_PKRU), 0);
}

static void show_avx(void)
{
	assert_int_equal(show(XF_FPSSE | XF_AVX), 0);
}

static void set_without_evidence(void)
{
	assert_int_equal(set(XF_FPSSE | XF_PKRU), XF_FPSSE | XF_PKRU);
}

/* Two at once: which of them KVM took last cannot be told, so what either showed is kept. */
static void test_evidence_meanwhile(void **state)
{
	(void)state;
	kvm.meanwhile = show_avx;
	assert_int_equal(show(XF_FPSSE | XF_PKRU), 0);
	kvm.cpuid = cpuid_of(XF_FPSSE);
	assert_true(set(XF_AVX | XF_PKRU | STRANGE) == (XF_AVX | XF_PKRU));
	/* Nothing is known while it changes. */
	assert_int_equal(show(XF_FPSSE), 0);
	kvm.meanwhile = set_without_evidence;
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(set(XF_FPSSE | XF_PKRU), XF_FPSSE);
}

/* A KVM that shows its guests all that it has: nothing of that is superfluous. */
static void test_shows_more(void **state)
{
	(void)state;
	kvm.cpuid = cpuid_of(XF_FPSSE | XF_AVX | XF_PKRU);
	kvm.keeps_cpuid = true;
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(set(XF_FPSSE | XF_AVX), XF_FPSSE | XF_AVX);
	assert_int_equal(kvm.asked, 1);
	/* It is known now. */
	assert_int_equal(set(XF_FPSSE | XF_AVX | XF_PKRU), XF_FPSSE | XF_AVX | XF_PKRU);
	assert_int_equal(kvm.asked, 1);
	assert_true(set(XF_AVX | STRANGE) == XF_AVX);
}

/* And one that shows less: what the program gave counts too. */
static void test_shows_less(void **state)
{
	(void)state;
	kvm.cpuid = cpuid_of(XF_FPSSE);
	kvm.keeps_cpuid = true;
	assert_int_equal(show(XF_FPSSE | XF_PKRU), 0);
	assert_true(set(XF_PKRU | STRANGE) == XF_PKRU);
}

static void test_read_back_fails(void **state)
{
	(void)state;
	assert_int_equal(show(XF_FPSSE), 0);
	kvm.fails_get_cpuid = EIO;
	assert_int_equal(set(XF_PKRU), XF_PKRU);
	kvm.fails_get_cpuid = 0;
	assert_int_equal(set(XF_PKRU), XF_PKRU);
	assert_int_equal(kvm.asked, 1);
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(set(XF_PKRU), 0);
}

static void test_old_kernel(void **state)
{
	(void)state;
	kvm.leaves_count = true;
	assert_int_equal(show(XF_FPSSE | XF_AVX), 0);
	assert_int_equal(set(XF_AVX | XF_PKRU), XF_AVX);
}

/* Leaves without the flag of sub-leaves are seen at any of them; more than there may be are not
 * read. */
static void test_odd_cpuid(void **state)
{
	struct xf_kvm_cpuid cpuid = cpuid_of(XF_FPSSE | XF_AVX | XF_PKRU);

	(void)state;
	cpuid.entries[2].flags = 0;
	cpuid.entries[2].index = 17;
	assert_int_equal(xf_vcpu_set_cpuid2(record, FD, KVM_SET_CPUID2, &cpuid), 0);
	assert_true(set(XF_PKRU | XF_AVX | STRANGE) == (XF_PKRU | XF_AVX));
	/* Nothing at all proves nothing, and so does what is not whole: leaf 0 alone. */
	for (cpuid.count = 0; cpuid.count < 2; cpuid.count++) {
		assert_int_equal(xf_vcpu_set_cpuid2(record, FD, KVM_SET_CPUID2, &cpuid), 0);
		assert_int_equal(set(XF_FPSSE | XF_AVX | XF_PKRU), XF_FPSSE | XF_AVX | XF_PKRU);
	}
}

/* A bad pointer goes to KVM as it is, and KVM says what it thinks of it. */
static void test_bad_pointers(void **state)
{
	unsigned char *pages =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Not readable; readable where XSTATE_BV is, but not to the end. */
	void *const bad[] = { NULL,
			      (void *)1,
			      (void *)-1,
			      pages + 4096,
			      pages + 4096 - 520,
			      pages + 4096 - 512,
			      pages + 4096 - 576,
			      pages + 1 };

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	memset(pages, 0xff, 4096);
	kvm.fails_set = EFAULT;
	assert_int_equal(show(XF_FPSSE), 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		kvm.taken_from = area;
		assert_int_equal(xf_vcpu_set_xsave(record, FD, KVM_SET_XSAVE, bad[i]), -1);
		assert_int_equal(errno, EFAULT);
		assert_ptr_equal(kvm.taken_from, bad[i]);
	}
	munmap(pages, 8192);
}

/* ---- Areas that are larger ---- */

static void test_large(void **state)
{
	(void)state;
	/* Nobody has told the size: hands off, and of such a vCPU only. */
	kvm.size = LARGE_SIZE;
	assert_int_equal(show(XF_FPSSE | XF_AMX), 0);
	assert_true(set(XF_FPSSE | STRANGE) == (XF_FPSSE | STRANGE));
	assert_false(by_copy());
	/* An old or a failing KVM has told nothing. */
	xf_vcpu_area_size(0);
	xf_vcpu_area_size(-1);
	assert_true(set(XF_FPSSE | STRANGE) == (XF_FPSSE | STRANGE));
	/* Asked too early: tiles that are in use would be cut. */
	xf_vcpu_area_size(XF_KVM_XSAVE_SIZE);
	assert_true(set(XF_XTILEDATA | STRANGE) == (XF_XTILEDATA | STRANGE));
	assert_false(by_copy());
	xf_vcpu_area_size(LARGE_SIZE);
	xf_vcpu_area_size(XF_KVM_XSAVE_SIZE);
	assert_int_equal(set(XF_FPSSE | STRANGE), XF_FPSSE);
	assert_true(by_copy());
	/* It stays so for this vCPU, whatever it is shown later: KVM's area does. */
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(set(XF_FPSSE | STRANGE), XF_FPSSE);
	/* Beyond what fits here nothing is done. */
	xf_vcpu_area_size(XF_KVM_AREA_MAX + 1);
	assert_true(set(XF_FPSSE | STRANGE) == (XF_FPSSE | STRANGE));
}

/* ---- KVM_GET_XSAVE ---- */

static uint64_t get(unsigned long request, uint64_t in_use)
{
	fill(kvm.given, in_use);
	memset(area, 0xee, sizeof(area));
	errno = ERRNO;
	assert_int_equal(xf_vcpu_get_xsave(record, FD, request, area), 0);
	assert_int_equal(errno, ERRNO);
	/* Nothing is written that KVM has not written. */
	for (size_t i = kvm.size; i < sizeof(area); i++)
		assert_int_equal(area[i], 0xee);
	return bv(area);
}

/* Where this CPU has AVX; offset 0: it has none. */
static struct xf_extent avx_extent(void)
{
	unsigned int size, offset, ecx, edx;

	if ((unsigned int)__get_cpuid_max(0, NULL) < 0xd)
		return (struct xf_extent){ 0 };
	__cpuid_count(0xd, 2, size, offset, ecx, edx);
	return (struct xf_extent){ .offset = offset, .size = size };
}

static void test_get(void **state)
{
	const struct xf_extent avx = avx_extent();

	(void)state;
	if (!avx.size) {
		print_message("this CPU has no AVX\n");
		skip();
	}
	assert_int_equal(show(XF_FPSSE), 0);
	assert_int_equal(get(KVM_GET_XSAVE, XF_FPSSE), XF_FPSSE);
	assert_memory_equal(area, kvm.given, kvm.size);
	assert_int_equal(kvm.asked, 0);

	/* As a KVM that trims would have given it: clear, and zero where the data was. */
	assert_int_equal(get(KVM_GET_XSAVE, XF_FPSSE | XF_AVX), XF_FPSSE);
	memset(kvm.given + avx.offset, 0, avx.size);
	xf_put_le64(kvm.given + XF_XSTATE_BV_OFFSET, XF_FPSSE);
	assert_memory_equal(area, kvm.given, kvm.size);
	assert_int_equal(kvm.asked, 1);
	assert_int_equal(get(KVM_GET_XSAVE2, XF_FPSSE | XF_AVX), XF_FPSSE);
	/* As some programs hold it. */
	assert_int_equal(get((unsigned long)(int)KVM_GET_XSAVE2, XF_AVX), 0);

	xf_settings.only = XF_PKRU;
	assert_int_equal(get(KVM_GET_XSAVE2, XF_FPSSE | XF_AVX), XF_FPSSE | XF_AVX);
	assert_memory_equal(area, kvm.given, kvm.size);
	xf_settings.only = ~(uint64_t)0;
	xf_settings.trim = false;
	assert_int_equal(get(KVM_GET_XSAVE2, XF_FPSSE | XF_AVX), XF_FPSSE | XF_AVX);
	assert_memory_equal(area, kvm.given, kvm.size);
}

static void test_get_fails(void **state)
{
	(void)state;
	assert_int_equal(show(XF_FPSSE), 0);
	kvm.fails_get = EFAULT;
	assert_int_equal(xf_vcpu_get_xsave(record, FD, KVM_GET_XSAVE, NULL), -1);
	assert_int_equal(errno, EFAULT);
}

static void test_get_no_evidence(void **state)
{
	(void)state;
	assert_true(get(KVM_GET_XSAVE, XF_AVX | STRANGE) == (XF_AVX | STRANGE));
	assert_int_equal(kvm.asked, 0);
}

/* Another process' vCPU (its parent's, after fork) is not judged. */
static void test_not_the_maker(void **state)
{
	(void)state;
	assert_int_equal(show(XF_FPSSE), 0);
	record->maker = getppid();
	assert_int_equal(set(XF_PKRU), XF_PKRU);
	assert_int_equal(kvm.asked, 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)
	const struct CMUnitTest tests[] = {
		TEST(test_clean),
		TEST(test_trim),
		TEST(test_observe),
		TEST(test_only),
		TEST(test_no_evidence),
		TEST(test_new_evidence),
		TEST(test_evidence_meanwhile),
		TEST(test_shows_more),
		TEST(test_shows_less),
		TEST(test_read_back_fails),
		TEST(test_old_kernel),
		TEST(test_odd_cpuid),
		TEST(test_bad_pointers),
		TEST(test_large),
		TEST(test_get),
		TEST(test_get_fails),
		TEST(test_get_no_evidence),
		TEST(test_not_the_maker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
