/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guard under load: many vCPUs, each with a thread of its own that shows it now this
 * and now that, loads and saves; and threads that copy, close and reuse descriptors, and
 * that fork, all the time. The guard's objects are linked in, so that its ioctl is the one
 * that is called and a sanitizer sees what it does. XFERRY_GUARD must be trim.
 *
 *	stress churn SECONDS OWNERS	this machine's KVM, or that of kernel.c
 *	stress many			more vCPUs than the guard has records; kernel.c's
 *
 * What each owner holds of its own vCPU, whatever the others do: a component that it was
 * shown is never dropped, one that it was not shown always is. This machine's KVM tells
 * by its answer, for what leaks is what it cannot hold; kernel.c's by what arrived there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/rule.h"
#include "host/kvm.h"
#include "tests/guard/torture/stress.h"

#define SKIP 77
#define OWNERS_MAX 256
#define COPIES 4
#define VCPUS_PER_VM 100
/* The racers' own numbers: the kernel gives the lowest free one, so none comes up here. */
#define RACE_FROM 9000
#define RACE_NUMBERS 64
#define RACE_VCPUS 8
#define POOL 8191 /* vCPUs that the guard can know at once */

/* What is shown and what leaks comes in such parts: none implies another. */
static const uint64_t parts[] = { XF_PKRU, XF_BNDREGS | XF_BNDCSR,
				  XF_AVX | XF_OPMASK | XF_ZMM_HI256 | XF_HI16_ZMM };
#define PARTS (sizeof(parts) / sizeof(parts[0]))

struct owner {
	pthread_t thread;
	unsigned int number, seed, made;
	int vm;
	_Atomic int fd;	    /* its vCPU; others copy it */
	int copies[COPIES]; /* and its own copies of that, or -1 */
	uint64_t shown;
	uint64_t marker; /* in XMM0 of what was loaded last, or 0 */
	uint64_t calls;
	unsigned char area[XF_KVM_AREA_MAX] __attribute__((aligned(64)));
};

static struct {
	bool fake;
	int kvm;
	uint64_t leakable; /* the parts that can be used here */
	struct xf_kvm_cpuid supported;
	unsigned int owners;
	atomic_bool stop;
	_Atomic uint64_t churned, forked, trimmed, refused;
} all;

static struct owner owners[OWNERS_MAX];

/* Says what is wrong and ends at once: the others go on meanwhile. */
#define MUST(condition, ...)                                     \
	do {                                                     \
		if (!(condition)) {                              \
			fprintf(stderr, "FAILED: " __VA_ARGS__); \
			fprintf(stderr, " (%s)\n", #condition);  \
			_exit(1);                                \
		}                                                \
	} while (0)

static unsigned int below(unsigned int *seed, unsigned int end)
{
	return (unsigned int)rand_r(seed) / 7 % end;
}

static uint64_t some_parts(unsigned int *seed)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < PARTS; i++)
		if (below(seed, 2))
			mask |= parts[i];
	return mask & all.leakable;
}

/*
 * Bare, as all that kernel.c has: a sanitizer's own keep a book of descriptors, in which the
 * closing of a number that another thread opened is a race.
 */
static int open_null(void)
{
	return (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
}

/* ---- One vCPU ---- */

static int create_vm(void)
{
	int fd;

	do
		fd = ioctl(all.kvm, KVM_CREATE_VM, 0UL);
	while (fd < 0 && errno == EINTR);
	MUST(fd >= 0, "KVM_CREATE_VM: %s", strerror(errno));
	return fd;
}

static void create_vcpu(struct owner *owner)
{
	if (owner->made % VCPUS_PER_VM == 0) {
		if (owner->made)
			close(owner->vm);
		owner->vm = create_vm();
	}

	int fd = ioctl(owner->vm, KVM_CREATE_VCPU, (unsigned long)(owner->made++ % VCPUS_PER_VM));

	MUST(fd >= 0, "owner %u: KVM_CREATE_VCPU: %s", owner->number, strerror(errno));
	atomic_store(&owner->fd, fd);
	owner->marker = 0;
	/* As long as nothing is known, everything may be its own. */
	owner->shown = all.leakable;
}

static void set_cpuid(struct xf_kvm_cpuid *cpuid, uint64_t shown)
{
	xf_kvm_cpuid_show(&all.supported, XF_FPSSE, cpuid);
	for (uint32_t i = 0; i < cpuid->count; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == 0xd && entry->index == 0)
			entry->eax |= (uint32_t)shown;
	}
}

/* By one or other of its descriptors. */
static int any_fd(struct owner *owner)
{
	int copy = owner->copies[below(&owner->seed, COPIES)];

	return copy >= 0 && below(&owner->seed, 2) ? copy : atomic_load(&owner->fd);
}

static void show(struct owner *owner)
{
	struct xf_kvm_cpuid cpuid;

	owner->shown = some_parts(&owner->seed);
	set_cpuid(&cpuid, owner->shown);
	MUST(ioctl(any_fd(owner), KVM_SET_CPUID2, &cpuid) == 0, "owner %u: KVM_SET_CPUID2: %s",
	     owner->number, strerror(errno));
}

static uint64_t head_of(const unsigned char *area)
{
	uint64_t xstate_bv;

	memcpy(&xstate_bv, area + XF_XSTATE_BV_OFFSET, sizeof(xstate_bv));
	return xstate_bv;
}

/* What arrived at kernel.c's KVM. */
static uint64_t arrived(int fd)
{
	uint64_t xstate_bv = 0;

	MUST(syscall(SYS_pread64, fd, &xstate_bv, sizeof(xstate_bv),
		     STRESS_AREA + XF_XSTATE_BV_OFFSET) == sizeof(xstate_bv),
	     "pread: %s", strerror(errno));
	return xstate_bv;
}

static void load(struct owner *owner)
{
	uint64_t leaked = some_parts(&owner->seed), own = leaked & owner->shown;
	uint64_t xstate_bv = XF_FPSSE | leaked;
	uint64_t marker = (uint64_t)owner->number << 32 | ++owner->calls;

	memset(owner->area, 0, XF_KVM_XSAVE_SIZE);
	memcpy(owner->area + XF_X87_SIZE, &marker, sizeof(marker));
	memcpy(owner->area + XF_XSTATE_BV_OFFSET, &xstate_bv, sizeof(xstate_bv));
	errno = 0;

	int answer = ioctl(any_fd(owner), KVM_SET_XSAVE, owner->area);

	MUST(head_of(owner->area) == xstate_bv, "owner %u: its buffer was changed", owner->number);
	if (all.fake) {
		uint64_t loaded = arrived(atomic_load(&owner->fd));

		MUST(answer == 0, "owner %u: %s", owner->number, strerror(errno));
		MUST(loaded == (XF_FPSSE | own),
		     "owner %u: shown 0x%" PRIx64 ", 0x%" PRIx64 " became 0x%" PRIx64,
		     owner->number, owner->shown, xstate_bv, loaded);
	} else if (own) {
		MUST(answer < 0 && errno == EINVAL,
		     "owner %u: shown 0x%" PRIx64 ", of 0x%" PRIx64 " its own was dropped",
		     owner->number, owner->shown, xstate_bv);
	} else {
		MUST(answer == 0,
		     "owner %u: shown 0x%" PRIx64 ", 0x%" PRIx64 " was not trimmed: %s",
		     owner->number, owner->shown, xstate_bv, strerror(errno));
	}
	if (answer == 0)
		owner->marker = marker;
	atomic_fetch_add_explicit(own ? &all.refused : &all.trimmed, leaked != 0,
				  memory_order_relaxed);
}

static void save(struct owner *owner)
{
	uint64_t marker;

	memset(owner->area, 0xee, XF_KVM_XSAVE_SIZE);
	MUST(ioctl(any_fd(owner), KVM_GET_XSAVE, owner->area) == 0, "owner %u: KVM_GET_XSAVE: %s",
	     owner->number, strerror(errno));

	uint64_t xstate_bv = head_of(owner->area);
	uint64_t may = XF_FPSSE | owner->shown;

	MUST(!(xstate_bv & ~may & all.leakable), "owner %u: 0x%" PRIx64 " leaked", owner->number,
	     xstate_bv);
	MUST(!all.fake || !(owner->shown & XF_PKRU) || xstate_bv & XF_PKRU,
	     "owner %u: its own PKRU was dropped from 0x%" PRIx64, owner->number, xstate_bv);
	memcpy(&marker, owner->area + XF_X87_SIZE, sizeof(marker));
	MUST(!owner->marker || marker == owner->marker, "owner %u: another's state", owner->number);
}

/* Copies its vCPU's descriptor in one of the ways there are, or lets a copy go. */
static void copy(struct owner *owner)
{
	int *slot = &owner->copies[below(&owner->seed, COPIES)];
	int fd = atomic_load(&owner->fd);

	if (*slot < 0) {
		switch (below(&owner->seed, 3)) {
		case 0:
			*slot = dup(fd);
			break;
		case 1:
			*slot = fcntl(fd, F_DUPFD, 3);
			break;
		default:
			*slot = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		}
		MUST(*slot >= 0, "owner %u: dup: %s", owner->number, strerror(errno));
		return;
	}
	switch (below(&owner->seed, 4)) {
	case 0:
		MUST(dup2(fd, *slot) == *slot, "dup2: %s", strerror(errno));
		break;
	case 1:
		MUST(dup3(fd, *slot, O_CLOEXEC) == *slot, "dup3: %s", strerror(errno));
		break;
	case 2:
		MUST(close_range((unsigned int)*slot, (unsigned int)*slot, 0) == 0,
		     "close_range: %s", strerror(errno));
		*slot = -1;
		break;
	default:
		MUST(close(*slot) == 0, "close: %s", strerror(errno));
		*slot = -1;
	}
}

static void drop_all(struct owner *owner)
{
	for (unsigned int i = 0; i < COPIES; i++) {
		if (owner->copies[i] >= 0)
			MUST(close(owner->copies[i]) == 0, "close: %s", strerror(errno));
		owner->copies[i] = -1;
	}
	close(atomic_exchange(&owner->fd, -1));
}

static void *own(void *argument)
{
	struct owner *owner = argument;

	while (!atomic_load_explicit(&all.stop, memory_order_relaxed)) {
		unsigned int what = below(&owner->seed, 1000);

		/* A real VM is dear. */
		if (what < (all.fake ? 20u : 2u)) {
			drop_all(owner);
			create_vcpu(owner);
			load(owner);
			show(owner);
		} else if (what < 100) {
			show(owner);
		} else if (what < 300) {
			copy(owner);
		} else if (what < 600) {
			save(owner);
		} else {
			load(owner);
		}
	}
	return NULL;
}

/* ---- Those who make it hard ---- */

static int some_owners_fd(unsigned int *seed)
{
	return atomic_load(&owners[below(seed, all.owners)].fd);
}

/*
 * Copies the owners' descriptors and others, under numbers that are its own until it
 * closes them. What it asks of a vCPU fails: were it to save the state while the owner
 * shows it something else, the guard would rightly take what either showed as the guest's.
 */
static void *churn(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;
	int held[16];

	memset(held, 0xff, sizeof(held));
	while (!atomic_load_explicit(&all.stop, memory_order_relaxed)) {
		int *fd = &held[below(&seed, 16)];

		if (*fd < 0)
			*fd = below(&seed, 2) ? dup(some_owners_fd(&seed)) : open_null();
		else if (below(&seed, 4) == 0)
			(void)dup2(some_owners_fd(&seed), *fd);
		else if (below(&seed, 4) == 0)
			(void)ioctl(*fd, below(&seed, 2) ? KVM_GET_XSAVE : KVM_SET_XSAVE, NULL);
		else {
			MUST(close(*fd) == 0, "churn: close: %s", strerror(errno));
			*fd = -1;
		}
		atomic_fetch_add_explicit(&all.churned, 1, memory_order_relaxed);
	}
	return NULL;
}

/*
 * What no VMM should do: several threads open, close and use the same numbers, and nobody
 * knows which vCPU a call goes to. It must end nothing, and harm no owner.
 */
static void *race(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;
	unsigned char *area = aligned_alloc(64, XF_KVM_AREA_MAX);
	struct xf_kvm_cpuid *cpuid = calloc(1, sizeof(*cpuid));
	int null = open_null(), vm = create_vm(), vcpu[RACE_VCPUS];
	uint64_t xstate_bv = XF_FPSSE | all.leakable;

	memset(area, 0, XF_KVM_AREA_MAX);
	for (unsigned int i = 0; i < RACE_VCPUS; i++) {
		vcpu[i] = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)i);
		set_cpuid(cpuid, some_parts(&seed));
		MUST(ioctl(vcpu[i], KVM_SET_CPUID2, cpuid) == 0, "race: KVM_SET_CPUID2");
	}
	while (!atomic_load_explicit(&all.stop, memory_order_relaxed)) {
		int fd = RACE_FROM + (int)below(&seed, RACE_NUMBERS);

		switch (below(&seed, 8)) {
		case 0:
			(void)close(fd);
			break;
		case 1:
			(void)close_range((unsigned int)fd, (unsigned int)fd + 4, 0);
			break;
		case 2:
			(void)dup2(null, fd);
			break;
		case 3:
			(void)fcntl(vcpu[below(&seed, RACE_VCPUS)], F_DUPFD_CLOEXEC, RACE_FROM);
			break;
		case 4:
			set_cpuid(cpuid, some_parts(&seed));
			(void)ioctl(fd, KVM_SET_CPUID2, cpuid);
			break;
		case 5:
			memcpy(area + XF_XSTATE_BV_OFFSET, &xstate_bv, sizeof(xstate_bv));
			(void)ioctl(fd, KVM_SET_XSAVE, area);
			break;
		case 6:
			(void)ioctl(fd, KVM_GET_XSAVE, area);
			break;
		default:
			(void)dup3(vcpu[below(&seed, RACE_VCPUS)], fd, O_CLOEXEC);
		}
		atomic_fetch_add_explicit(&all.churned, 1, memory_order_relaxed);
	}
	free(cpuid);
	free(area);
	return NULL;
}

/* Closes what it has as a child does before it becomes another program; in the parent's
   memory, where CLONE_VM is, but not among its descriptors. */
static int child(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;

	for (unsigned int i = 0; i < all.owners; i += 1 + below(&seed, 4)) {
		int fd = atomic_load(&owners[i].fd);

		switch (below(&seed, 4)) {
		case 0:
			(void)close(fd);
			break;
		case 1:
			(void)dup2(some_owners_fd(&seed), fd);
			break;
		case 2:
			(void)dup2(all.kvm, fd);
			break;
		default:
			(void)fcntl(fd, F_DUPFD, 3);
		}
	}
	(void)close_range(3, ~0u, 0);
	_exit(0);
}

static void *breed(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;
	char *stack = aligned_alloc(16, 1 << 18);

	while (!atomic_load_explicit(&all.stop, memory_order_relaxed)) {
		void *childs_seed = (void *)(uintptr_t)below(&seed, 1 << 30);
		int status = 0;
		pid_t pid;

		/* vfork would go on in this very function, which compilers do not like. */
		if (below(&seed, 8))
			pid = clone(child, stack + (1 << 18), CLONE_VM | CLONE_VFORK | SIGCHLD,
				    childs_seed);
		else if ((pid = fork()) == 0)
			child(childs_seed);
		MUST(pid > 0, "fork: %s", strerror(errno));
		MUST(waitpid(pid, &status, 0) == pid && status == 0, "child: status 0x%x", status);
		atomic_fetch_add_explicit(&all.forked, 1, memory_order_relaxed);
		usleep(2000);
	}
	free(stack);
	return NULL;
}

/* ---- All together ---- */

static bool make(void)
{
	struct xf_kvm_device device;

	all.fake = getenv("TORTURE_KVM") && strcmp(getenv("TORTURE_KVM"), "fake") == 0;
	all.kvm = open(all.fake ? "/dev/null" : "/dev/kvm", O_RDWR | O_CLOEXEC);
	if (all.kvm < 0) {
		printf("no /dev/kvm that may be used\n");
		return false;
	}
	device.fd = all.kvm;
	if (all.fake) {
		all.supported.count = 3;
		all.supported.entries[0] = (struct kvm_cpuid_entry2){ .eax = 0xd };
		all.supported.entries[1] = (struct kvm_cpuid_entry2){
			.function = 1, .ecx = XF_LEAF1_ECX_XSAVE | XF_LEAF1_ECX_HYPERVISOR
		};
		all.supported.entries[2] = (struct kvm_cpuid_entry2){
			.function = 0xd, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 3
		};
	} else if (xf_kvm_supported_cpuid(&device, &all.supported)) {
		printf("this KVM tells no CPUID\n");
		return false;
	}
	for (size_t i = 0; i < PARTS; i++)
		if (!(parts[i] & xf_kvm_cpuid_shown(&all.supported)))
			all.leakable |= parts[i];
	if (!all.leakable)
		printf("this KVM holds all components that could be leaked\n");
	return all.leakable != 0;
}

static pthread_t begin(void *(*routine)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 512 << 10);
	MUST(pthread_create(&thread, &attributes, routine, argument) == 0, "pthread_create");
	pthread_attr_destroy(&attributes);
	return thread;
}

static bool all_have_worked(void)
{
	return all.trimmed && all.refused && all.churned && all.forked;
}

static int churn_for(unsigned int seconds)
{
	void *(*const others[])(void *) = { churn, churn, race, race, breed };
	pthread_t threads[sizeof(others) / sizeof(others[0])];
	unsigned int seed = (unsigned int)time(NULL);
	uint64_t calls = 0, made = 0;

	printf("seed %u\n", seed);
	fflush(stdout);
	(void)ioctl(all.kvm, KVM_CHECK_EXTENSION, (unsigned long)STRESS_CAP_XSAVE2);
	for (unsigned int i = 0; i < all.owners; i++) {
		owners[i].number = i;
		owners[i].seed = seed + i;
		memset(owners[i].copies, 0xff, sizeof(owners[i].copies));
		create_vcpu(&owners[i]);
		show(&owners[i]);
	}
	for (unsigned int i = 0; i < all.owners; i++)
		owners[i].thread = begin(own, &owners[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		threads[i] = begin(others[i], (void *)(uintptr_t)(seed + 1000 + i));
	sleep(seconds);
	/* Where the machine is busy, some may not have begun. */
	for (int i = 0; i < 600 && !all_have_worked(); i++)
		usleep(100000);
	atomic_store(&all.stop, true);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < all.owners; i++) {
		pthread_join(owners[i].thread, NULL);
		calls += owners[i].calls;
		made += owners[i].made;
	}
	printf("%u owners, %" PRIu64 " vCPUs, %" PRIu64 " KVM_SET_XSAVE: %" PRIu64
	       " trimmed, %" PRIu64 " with the owner's own; %" PRIu64 " churned, %" PRIu64
	       " children\n",
	       all.owners, made, calls, all.trimmed, all.refused, all.churned, all.forked);
	MUST(all_have_worked(), "something did nothing");
	return 0;
}

/* ---- More than the guard can know ---- */

static unsigned int trimmed_of(int *fds, unsigned int count, int vm)
{
	struct xf_kvm_cpuid *cpuid = calloc(1, sizeof(*cpuid));
	unsigned char *area = aligned_alloc(64, XF_KVM_XSAVE_SIZE);
	uint64_t leaky = XF_FPSSE | XF_PKRU;
	unsigned int trimmed = 0;

	set_cpuid(cpuid, 0);
	memset(area, 0, XF_KVM_XSAVE_SIZE);
	memcpy(area + XF_XSTATE_BV_OFFSET, &leaky, sizeof(leaky));
	for (unsigned int i = 0; i < count; i++) {
		fds[i] = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)i);
		MUST(fds[i] >= 0, "vCPU %u: %s", i, strerror(errno));
		MUST(ioctl(fds[i], KVM_SET_CPUID2, cpuid) == 0, "KVM_SET_CPUID2");
	}
	for (unsigned int i = 0; i < count; i++) {
		MUST(ioctl(fds[i], KVM_SET_XSAVE, area) == 0, "KVM_SET_XSAVE");

		uint64_t loaded = arrived(fds[i]);

		/* Trimmed or left alone, nothing else. */
		MUST(loaded == XF_FPSSE || loaded == leaky, "0x%" PRIx64, loaded);
		trimmed += loaded == XF_FPSSE;
	}
	free(cpuid);
	free(area);
	return trimmed;
}

static int many(void)
{
	const unsigned int count = POOL + 500;
	struct rlimit limit;
	int *fds = calloc(count, sizeof(*fds)), vm = create_vm();

	MUST(fds && getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < count + 64) {
		printf("no more than %lu file descriptors\n", (unsigned long)limit.rlim_cur);
		return SKIP;
	}
	/* Twice: what was closed serves again. */
	for (int turn = 0; turn < 2; turn++) {
		unsigned int trimmed = trimmed_of(fds, count, vm);

		printf("%u vCPUs, %u trimmed\n", count, trimmed);
		MUST(trimmed == POOL, "%u", trimmed);
		for (unsigned int i = 0; i < count; i++)
			close(fds[i]);
	}
	free(fds);
	return 0;
}

int main(int argc, char **argv)
{
	bool churns = argc == 4 && strcmp(argv[1], "churn") == 0;

	if (!churns && !(argc == 2 && strcmp(argv[1], "many") == 0)) {
		fprintf(stderr, "usage: stress churn SECONDS OWNERS | stress many\n");
		return 16;
	}
	if (!make())
		return SKIP;
	if (!churns)
		return many();
	all.owners = (unsigned int)strtoul(argv[3], NULL, 10);
	MUST(all.owners > 0 && all.owners <= OWNERS_MAX, "1 to %d owners", OWNERS_MAX);
	return churn_for((unsigned int)strtoul(argv[2], NULL, 10));
}
