/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small VMM that does with its vCPUs what VMMs do, on this machine's KVM, and checks
 * that it notices nothing of the guard but what it is for. guard.sh runs it with and
 * without the guard, and reads what is logged.
 *
 *	guard-vmm SCENARIO trim|keep
 *
 * "trim": what is superfluous is dropped here, so KVM takes it; "keep": it is not. What is
 * superfluous is bit 62, which no KVM holds and no guest is shown.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "host/kvm.h"

#define STRANGE XF_MASK_(62)
#define PAGE 4096
#define ERRNO 4711
#define SKIP 77

static bool trims;
static struct xf_kvm_device kvm = XF_KVM_CLOSED;
static struct xf_kvm_cpuid supported, bare;
static unsigned char area[XF_KVM_AREA_MAX] __attribute__((aligned(PAGE)));
static unsigned int failures;

#define check(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("FAILED: line %d: %s\n", __LINE__, #condition); \
			failures++;                                            \
		}                                                              \
	} while (0)

static _Noreturn void die(const char *what)
{
	printf("FAILED: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- What a VMM does ---- */

static struct xf_kvm_vm new_vm(void)
{
	struct xf_kvm_vm vm = XF_KVM_CLOSED;
	struct xf_error *err = xf_kvm_create_vm(&kvm, &vm);

	if (err)
		die(err->text);
	return vm;
}

static struct xf_kvm_cpu new_vcpu(const struct xf_kvm_vm *vm, unsigned int id)
{
	struct xf_kvm_cpu cpu = XF_KVM_CLOSED;
	struct xf_error *err = xf_kvm_create_cpu(vm, id, &cpu);

	if (err)
		die(err->text);
	return cpu;
}

/* A vCPU whose guest has no XSAVE. */
static struct xf_kvm_cpu shown_vcpu(const struct xf_kvm_vm *vm, unsigned int id)
{
	struct xf_kvm_cpu cpu = new_vcpu(vm, id);

	if (xf_kvm_set_cpuid(&cpu, &bare))
		die("KVM_SET_CPUID2");
	return cpu;
}

static void put_bv(unsigned char *to, uint64_t xstate_bv)
{
	memcpy(to + XF_XSTATE_BV_OFFSET, &xstate_bv, sizeof(xstate_bv));
}

static uint64_t get_bv(const unsigned char *from)
{
	uint64_t xstate_bv;

	memcpy(&xstate_bv, from + XF_XSTATE_BV_OFFSET, sizeof(xstate_bv));
	return xstate_bv;
}

/* KVM_SET_XSAVE: 0 or errno. The area must be as before, and errno too where all is well. */
static int set(int fd, uint64_t xstate_bv)
{
	static unsigned char before[sizeof(area)];

	memset(area, 0, sizeof(area));
	area[XF_MXCSR_OFFSET] = 0x80;
	area[XF_MXCSR_OFFSET + 1] = 0x1f;
	put_bv(area, xstate_bv);
	memcpy(before, area, sizeof(area));
	errno = ERRNO;

	int answer = ioctl(fd, KVM_SET_XSAVE, area);
	int error = errno;

	check(answer == 0 || answer == -1);
	check(memcmp(before, area, sizeof(area)) == 0);
	if (!answer)
		check(error == ERRNO);
	return answer ? error : 0;
}

/* Whether what is superfluous is dropped at this fd: then KVM takes what it would refuse. */
static bool is_guarded(int fd)
{
	check(set(fd, XF_FPSSE) == 0);

	int error = set(fd, XF_FPSSE | STRANGE);

	check(error == 0 || error == EINVAL);
	return !error;
}

/* ---- Scenarios ---- */

static void basic(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu first = shown_vcpu(&vm, 0), second = shown_vcpu(&vm, 1);

	for (int i = 0; i < 3; i++) {
		check(is_guarded(first.fd) == trims);
		check(is_guarded(second.fd) == trims);
	}
	check(set(first.fd, STRANGE) == (trims ? 0 : EINVAL));
}

static void clean(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0);

	for (int i = 0; i < 100; i++)
		check(set(cpu.fd, XF_FPSSE) == 0);
	check(ioctl(cpu.fd, KVM_GET_XSAVE, area) == 0);
}

/* Without KVM_SET_CPUID2, or where it failed, nothing is known. */
static void no_cpuid(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = new_vcpu(&vm, 0);

	check(!is_guarded(cpu.fd));
	bare.count = XF_KVM_CPUID_MAX + 1;
	check(xf_kvm_set_cpuid(&cpu, &bare) == E2BIG);
	check(!is_guarded(cpu.fd));
	check(ioctl(cpu.fd, KVM_SET_CPUID2, NULL) == -1 && errno == EFAULT);
	check(!is_guarded(cpu.fd));
}

static void new_cpuid(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0);
	struct xf_kvm_cpuid shown, too_many = bare;

	check(is_guarded(cpu.fd) == trims);
	too_many.count = XF_KVM_CPUID_MAX + 1;
	check(xf_kvm_set_cpuid(&cpu, &too_many) == E2BIG);
	check(is_guarded(cpu.fd) == trims);
	/* A VMM may show what its host has not. */
	xf_kvm_cpuid_show(&supported, XF_FPSSE, &shown);
	for (uint32_t i = 0; i < shown.count; i++)
		if (shown.entries[i].function == 0xd && shown.entries[i].index == 0)
			shown.entries[i].edx |= (uint32_t)(STRANGE >> 32);
	if (xf_kvm_cpuid_find(&shown, 0xd, 0)) {
		check(xf_kvm_set_cpuid(&cpu, &shown) == 0);
		check(!is_guarded(cpu.fd));
		check(xf_kvm_set_cpuid(&cpu, &bare) == 0);
		check(is_guarded(cpu.fd) == trims);
	}
}

/* Each number that is the vCPU's has its guard, and no number more. */
static void duplicates(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0), unknown = new_vcpu(&vm, 1);
	/* The two names of libc, whichever this file is compiled for. */
	int (*plain)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_DEFAULT, "fcntl");
	int (*large)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_DEFAULT, "fcntl64");
	const int fds[] = { dup(cpu.fd),
			    dup2(cpu.fd, 100),
			    dup3(cpu.fd, 101, O_CLOEXEC),
			    plain(cpu.fd, F_DUPFD, 102),
			    plain(cpu.fd, F_DUPFD_CLOEXEC, 103),
			    large(cpu.fd, F_DUPFD, 104),
			    large(cpu.fd, F_DUPFD_CLOEXEC, 105) };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		check(fds[i] >= 0);
		check(is_guarded(fds[i]) == trims);
	}
	check(fds[3] == 102 && fds[4] == 103 && fds[5] == 104 && fds[6] == 105);
	check(close(cpu.fd) == 0);
	check(is_guarded(100) == trims);
	check(fcntl(100, F_GETFD) == 0 && fcntl(101, F_GETFD) == FD_CLOEXEC);

	/* Onto itself, onto nothing, from nothing: it stays what it is. */
	check(dup2(100, 100) == 100);
	check(dup3(100, 100, 0) == -1 && errno == EINVAL);
	check(dup2(100, -1) == -1 && errno == EBADF);
	check(dup2(-1, 100) == -1 && errno == EBADF);
	check(dup2(900, 100) == -1 && errno == EBADF);
	check(dup3(unknown.fd, 100, 0x5a5a) == -1 && errno == EINVAL);
	check(is_guarded(100) == trims);

	/* Something else with its number. */
	check(dup2(unknown.fd, 100) == 100);
	check(!is_guarded(100));
	check(dup3(kvm.fd, 101, 0) == 101);
	check(ioctl(101, KVM_SET_XSAVE, area) == -1 && errno == EINVAL);
	check(is_guarded(102) == trims);
	check(dup2(102, unknown.fd) == unknown.fd);
	check(is_guarded(unknown.fd) == trims);
}

/* A number that is closed and is something else next. */
static void reuse(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0);
	int number = cpu.fd;

	struct xf_kvm_cpu unknown = new_vcpu(&vm, 9);

	check(is_guarded(number) == trims);
	/* What has the number next comes where nobody sees it. */
	check(close(number) == 0);
	check(syscall(SYS_dup2, unknown.fd, number) == number);
	check(!is_guarded(number));
	check(close(number) == 0);
	check(close(number) == -1 && errno == EBADF);
	check(ioctl(number, KVM_SET_XSAVE, area) == -1 && errno == EBADF);

	struct xf_kvm_cpu next = new_vcpu(&vm, 1);

	check(next.fd == number);
	check(!is_guarded(number));
	check(xf_kvm_set_cpuid(&next, &bare) == 0);
	check(is_guarded(number) == trims);

	/* Closed where nobody sees it, and another vCPU's: known only by what it is shown. */
	check(syscall(SYS_close, number) == 0);
	next = new_vcpu(&vm, 2);
	check(next.fd == number);
	check(!is_guarded(number));
	check(xf_kvm_set_cpuid(&next, &bare) == 0);
	check(syscall(SYS_close, number) == 0);
	/* One that was made past libc, and is in no table. */
	int strange = (int)syscall(SYS_ioctl, vm.fd, KVM_CREATE_VCPU, 10);

	check(strange == number && syscall(SYS_dup2, strange, 200) == 200);
	check(syscall(SYS_close, strange) == 0);
	check(dup(200) == number);
	check(!is_guarded(number));
	check(syscall(SYS_close, number) == 0);
	check(open("/dev/null", O_RDWR) == number);
	check(ioctl(number, KVM_SET_XSAVE, area) == -1 && errno == ENOTTY);
	check(ioctl(number, KVM_GET_XSAVE, area) == -1 && errno == ENOTTY);
}

/* glibc has these since 2.34 only. */
extern int close_range(unsigned int first, unsigned int last, int flags) __attribute__((weak));
extern void closefrom(int first) __attribute__((weak));

/* CLOSE_RANGE_UNSHARE: this thread has file descriptors of its own from here on. */
static void *close_own(void *closed)
{
	*(bool *)closed = close_range(200, 202, 2) == 0 && fcntl(200, F_GETFD) < 0;
	return NULL;
}

static bool thread_closes_its_own(void)
{
	bool closed = false;
	pthread_t thread;

	check(pthread_create(&thread, NULL, close_own, &closed) == 0);
	check(pthread_join(thread, NULL) == 0);
	return closed;
}

static void ranges(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0);

	if (!close_range || !closefrom || close_range(900, 901, 0)) {
		printf("skipped: no close_range here\n");
		exit(SKIP);
	}
	check(dup2(cpu.fd, 200) == 200 && dup2(cpu.fd, 201) == 201 && dup2(cpu.fd, 202) == 202);
	check(close_range(200, 202, 4) == 0); /* CLOSE_RANGE_CLOEXEC: nothing is closed */
	check(fcntl(201, F_GETFD) == FD_CLOEXEC);
	check(is_guarded(201) == trims);
	check(close_range(202, 200, 0) == -1 && errno == EINVAL);
	check(close_range(200, 202, 0x100) == -1 && errno == EINVAL);
	check(is_guarded(201) == trims);
	check(thread_closes_its_own());
	check(is_guarded(200) == trims && is_guarded(202) == trims);
	check(close_range(201, 201, 0) == 0);
	check(ioctl(201, KVM_SET_XSAVE, area) == -1 && errno == EBADF);
	check(is_guarded(200) == trims && is_guarded(202) == trims);

	/* Another at these numbers is not what was there. */
	struct xf_kvm_cpu unknown = new_vcpu(&vm, 1);

	check(close_range(200, ~0u, 0) == 0);
	check(syscall(SYS_dup2, unknown.fd, 200) == 200);
	check(!is_guarded(200));
	check(syscall(SYS_dup2, cpu.fd, 300) == 300);
	check(dup2(cpu.fd, 301) == 301);
	closefrom(300);
	check(syscall(SYS_dup2, unknown.fd, 301) == 301);
	check(!is_guarded(301));
	check(is_guarded(cpu.fd) == trims);
}

/* A child that shares memory but not fds, as it is before exec. */
static void shared_memory(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0), unknown = new_vcpu(&vm, 1);
	int status = 1;
	pid_t child = vfork();

	if (!child) {
		dup2(cpu.fd, unknown.fd);
		dup2(unknown.fd, cpu.fd);
		dup2(kvm.fd, cpu.fd);
		close(cpu.fd);
		if (close_range)
			close_range(3, ~0u, 0);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child && status == 0);
	check(is_guarded(cpu.fd) == trims);
	check(!is_guarded(unknown.fd));
}

/* A vCPU is its maker's: in a child KVM has EIO for it, and the child may have its own. */
static void child_process(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0);
	int status;

	check(is_guarded(cpu.fd) == trims);
	fflush(stdout);

	pid_t child = fork();

	if (!child) {
		check(set(cpu.fd, XF_FPSSE) == EIO);
		check(set(cpu.fd, XF_FPSSE | STRANGE) == EIO);
		check(ioctl(cpu.fd, KVM_GET_XSAVE, area) == -1 && errno == EIO);
		check(close(cpu.fd) == 0);

		struct xf_kvm_vm own = new_vm();
		struct xf_kvm_cpu other = shown_vcpu(&own, 8);

		check(is_guarded(other.fd) == trims);
		fflush(stdout);
		exit(failures != 0);
	}
	check(waitpid(child, &status, 0) == child && status == 0);
	check(is_guarded(cpu.fd) == trims);
	/* One that finds nothing has nothing to say at its end. */
	child = fork();
	if (!child)
		exit(0);
	check(waitpid(child, &status, 0) == child && status == 0);
}

static int errno_of_set(int fd, const void *pointer)
{
	return ioctl(fd, KVM_SET_XSAVE, pointer) ? errno : 0;
}

static void pointers(void)
{
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0);
	unsigned char *pages =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *end = pages + 2 * PAGE;

	check(mprotect(end, PAGE, PROT_NONE) == 0);
	memset(pages, 0xff, 2 * PAGE);
	check(errno_of_set(cpu.fd, NULL) == EFAULT);
	check(errno_of_set(cpu.fd, (void *)1) == EFAULT);
	check(errno_of_set(cpu.fd, (void *)-1) == EFAULT);
	check(errno_of_set(cpu.fd, (void *)((uintptr_t)1 << 63)) == EFAULT);
	check(errno_of_set(cpu.fd, (void *)((uintptr_t)1 << 47)) == EFAULT);
	for (size_t size = 0; size < PAGE; size += 4)
		check(errno_of_set(cpu.fd, end - size) == EFAULT);
	check(errno_of_set(cpu.fd, end - PAGE + 1) == EFAULT);
	check(munmap(pages, PAGE) == 0);
	check(errno_of_set(cpu.fd, pages) == EFAULT);
	check(errno_of_set(cpu.fd, end - PAGE - 1) == EFAULT);
	/* To the last byte. */
	memset(end - PAGE, 0, PAGE);
	put_bv(end - PAGE, STRANGE);
	check(errno_of_set(cpu.fd, end - PAGE) == (trims ? 0 : EINVAL));
	check(ioctl(cpu.fd, KVM_GET_XSAVE, NULL) == -1 && errno == EFAULT);
	check(ioctl(cpu.fd, KVM_GET_XSAVE, end) == -1 && errno == EFAULT);
	check(is_guarded(cpu.fd) == trims);
}

/*
 * Behind a preload that makes this KVM leak (leaky.c): what comes back is what the KVM
 * itself gives, which is asked past all preloads.
 */
static void leak(void)
{
	static unsigned char true_area[XF_KVM_AREA_MAX];
	struct xf_kvm_vm vm = new_vm();
	struct xf_kvm_cpu cpu = shown_vcpu(&vm, 0);
	const unsigned long requests[] = { KVM_GET_XSAVE, KVM_GET_XSAVE2,
					   (unsigned long)(int)KVM_GET_XSAVE };

	check(set(cpu.fd, XF_FPSSE) == 0);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		memset(area, 0xee, sizeof(area));
		memset(true_area, 0xee, sizeof(area));
		check(syscall(SYS_ioctl, cpu.fd, requests[i], true_area) == 0);
		errno = ERRNO;
		check(ioctl(cpu.fd, requests[i], area) == 0);
		check(errno == ERRNO);
		check(((get_bv(area) ^ get_bv(true_area)) == XF_AVX) == !trims);
		check((memcmp(area, true_area, sizeof(area)) == 0) == trims);
	}
}

/* Calls that no table knows of come through as they are. */
static void others(void)
{
	int fd = open("/dev/null", O_RDWR), size = -1;
	int ends[2];

	check(ioctl(fd, KVM_SET_XSAVE, area) == -1 && errno == ENOTTY);
	check(ioctl(-1, KVM_SET_XSAVE, area) == -1 && errno == EBADF);
	check(ioctl(1 << 30, KVM_SET_XSAVE, area) == -1 && errno == EBADF);
	check(ioctl(kvm.fd, KVM_GET_API_VERSION, 0) == KVM_API_VERSION);
	check(ioctl(kvm.fd, KVM_CREATE_VCPU, 0) == -1);
	check(pipe(ends) == 0 && write(ends[1], "abc", 3) == 3);
	check(ioctl(ends[0], FIONREAD, &size) == 0 && size == 3);
	check(fcntl(fd, F_GETFL) == (O_RDWR | 0100000) || fcntl(fd, F_GETFL) == O_RDWR);
	check(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	check(close(fd) == 0 && close(fd) == -1 && errno == EBADF);
	check(close(-1) == -1 && dup(-1) == -1 && dup2(-1, 5) == -1);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{ "basic", basic },
	{ "clean", clean },
	{ "no-cpuid", no_cpuid },
	{ "new-cpuid", new_cpuid },
	{ "duplicates", duplicates },
	{ "reuse", reuse },
	{ "ranges", ranges },
	{ "vfork", shared_memory },
	{ "fork", child_process },
	{ "pointers", pointers },
	{ "leak", leak },
	{ "others", others },
};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	trims = strcmp(argv[2], "trim") == 0;

	struct xf_error *err = xf_kvm_open(&kvm);

	if (!err)
		err = xf_kvm_supported_cpuid(&kvm, &supported);
	if (err) {
		printf("skipped: %s\n", err->text);
		return SKIP;
	}
	xf_kvm_cpuid_bare(&supported, &bare);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(scenarios[i].name, argv[1]) == 0) {
			scenarios[i].run();
			printf("pid=%d\n", (int)getpid());
			return failures ? 1 : 0;
		}
	}
	return 2;
}
