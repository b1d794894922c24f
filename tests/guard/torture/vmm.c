/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small VMM that writes down all that it is answered: each call's result, the errno
 * behind it, and what became of its buffers. Two runs of it, with the guard and without,
 * are compared line by line (faults.py).
 *
 *	vmm states|fds	exit status 77: this machine cannot show it
 *
 * `states` loads and saves state and closes nothing; `fds` copies and closes as well.
 * errno is set to something odd before each call, for a call that succeeds must leave it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/rule.h"
#include "host/kvm.h"

#define SKIP 77
#define VCPUS 3
#define ODD_ERRNO 123
#define PAGE 4096

/* What each vCPU is shown. */
enum { HIDDEN, SHOWN, TOLD_NOTHING };

static struct {
	int kvm, vm, cpu[VCPUS];
	struct xf_kvm_cpuid supported;
	uint64_t leak; /* a component that this KVM does not hold */
	unsigned char *area;
} vmm;

/* ---- Writing down ---- */

static uint64_t sum(const unsigned char *bytes, size_t size)
{
	uint64_t sum = 1469598103934665603u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 1099511628211u;
	return sum;
}

/* One write a line, so that the lines of threads stay whole. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	char line[256];
	va_list list;

	va_start(list, format);

	int length = vsnprintf(line, sizeof(line), format, list);

	va_end(list);
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(1);
}

/* Makes a call and writes its answer down. A new fd's number is none of its answer. */
#define TELL(what, call)                                                        \
	({                                                                      \
		errno = ODD_ERRNO;                                              \
		long told_ = (call);                                            \
		note("%s: %ld errno %d\n", what, told_ > 0 ? 1 : told_, errno); \
		(int)told_;                                                     \
	})

/* ---- Making it ---- */

static uint64_t component_to_leak(uint64_t supported)
{
	static const uint64_t candidates[] = { XF_PKRU, XF_ZMM_HI256, XF_BNDREGS };

	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
		if (!(candidates[i] & supported))
			return candidates[i];
	return 0;
}

/* The CPUID of a guest that is shown x87, SSE and, if `shown`, what leaks. */
static void make_cpuid(bool shown, struct xf_kvm_cpuid *out)
{
	xf_kvm_cpuid_show(&vmm.supported, XF_FPSSE, out);
	for (uint32_t i = 0; shown && i < out->count; i++)
		if (out->entries[i].function == 0xd && out->entries[i].index == 0)
			out->entries[i].eax |= (uint32_t)vmm.leak;
}

static bool make(void)
{
	struct xf_kvm_device device = XF_KVM_CLOSED;

	vmm.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	device.fd = vmm.kvm;
	if (vmm.kvm < 0 || xf_kvm_supported_cpuid(&device, &vmm.supported)) {
		printf("no /dev/kvm that may be used\n");
		return false;
	}
	vmm.leak = component_to_leak(xf_kvm_cpuid_shown(&vmm.supported));
	if (!vmm.leak) {
		printf("this KVM holds all components that could be leaked\n");
		return false;
	}
	vmm.area = mmap(NULL, XF_KVM_AREA_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	vmm.vm = TELL("vm", ioctl(vmm.kvm, KVM_CREATE_VM, 0UL));
	TELL("capability", ioctl(vmm.vm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_XSAVE2));
	for (int i = 0; i < VCPUS; i++)
		vmm.cpu[i] = TELL("vcpu", ioctl(vmm.vm, KVM_CREATE_VCPU, (unsigned long)i));
	return vmm.area != MAP_FAILED;
}

static void show(int vcpu)
{
	struct xf_kvm_cpuid cpuid;

	make_cpuid(vcpu == SHOWN, &cpuid);
	TELL("cpuid", ioctl(vmm.cpu[vcpu], KVM_SET_CPUID2, &cpuid));
}

/* ---- Loading and saving ---- */

static void set(const char *what, int fd, unsigned long request, uint64_t xstate_bv)
{
	memset(vmm.area, 0, XF_KVM_AREA_MAX);
	memset(vmm.area + 160, 0x5a, 16); /* XMM0 */
	memcpy(vmm.area + XF_XSTATE_BV_OFFSET, &xstate_bv, sizeof(xstate_bv));

	uint64_t before = sum(vmm.area, XF_KVM_AREA_MAX);

	TELL(what, ioctl(fd, request, vmm.area));
	if (sum(vmm.area, XF_KVM_AREA_MAX) != before)
		note("%s: the caller's buffer was changed\n", what);
}

static void get(const char *what, int fd)
{
	memset(vmm.area, 0xee, XF_KVM_AREA_MAX);
	TELL(what, ioctl(fd, KVM_GET_XSAVE, vmm.area));
	note("%s: area %" PRIx64 "\n", what, sum(vmm.area, XF_KVM_AREA_MAX));
}

static void load_and_save(void)
{
	static const char *const who[VCPUS] = { "hidden", "shown", "nothing" };
	char what[64];

	for (int i = 0; i < VCPUS; i++) {
		for (int leaky = 0; leaky < 2; leaky++) {
			snprintf(what, sizeof(what), "%s %s", who[i], leaky ? "leaky" : "clean");
			set(what, vmm.cpu[i], KVM_SET_XSAVE, XF_FPSSE | (leaky ? vmm.leak : 0));
			get(what, vmm.cpu[i]);
		}
		/* As QEMU passes it: an int that is negative where its highest bit is set. */
		snprintf(what, sizeof(what), "%s signed", who[i]);
		set(what, vmm.cpu[i], (unsigned long)(int)KVM_SET_XSAVE, XF_FPSSE | vmm.leak);
	}
}

/* Pointers that only the kernel may find out about. */
static void bad_pointers(void)
{
	unsigned char *two =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t xstate_bv = XF_FPSSE | vmm.leak;

	mprotect(two + PAGE, PAGE, PROT_NONE);
	TELL("pointer 0", ioctl(vmm.cpu[HIDDEN], KVM_SET_XSAVE, NULL));
	TELL("pointer 1", ioctl(vmm.cpu[HIDDEN], KVM_SET_XSAVE, (void *)1));
	TELL("pointer -1", ioctl(vmm.cpu[HIDDEN], KVM_SET_XSAVE, (void *)-1L));
	TELL("pointer to nothing", ioctl(vmm.cpu[HIDDEN], KVM_SET_XSAVE, two + PAGE));
	/* XSTATE_BV can be read, and says that there is something to drop. The rest cannot. */
	memcpy(two + PAGE - 64, &xstate_bv, sizeof(xstate_bv));
	TELL("pointer to half", ioctl(vmm.cpu[HIDDEN], KVM_SET_XSAVE, two + PAGE - 576));
	TELL("get to nothing", ioctl(vmm.cpu[HIDDEN], KVM_GET_XSAVE, two + PAGE));
	munmap(two, 2 * PAGE);
}

static void *leak_in_thread(void *fd)
{
	static unsigned char area[XF_KVM_XSAVE_SIZE];
	uint64_t xstate_bv = XF_FPSSE | vmm.leak;

	memcpy(area + XF_XSTATE_BV_OFFSET, &xstate_bv, sizeof(xstate_bv));
	TELL("thread", ioctl(*(int *)fd, KVM_SET_XSAVE, area));
	return NULL;
}

static void in_a_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, leak_in_thread, &vmm.cpu[HIDDEN]) == 0)
		pthread_join(thread, NULL);
}

/* KVM answers EIO to a process that the VM is not of. */
static void in_a_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		set("child", vmm.cpu[HIDDEN], KVM_SET_XSAVE, XF_FPSSE | vmm.leak);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* What was refused stays without consequence; what was taken replaces. */
static void show_again(void)
{
	struct xf_kvm_cpuid cpuid;

	make_cpuid(false, &cpuid);
	cpuid.count = 100000;
	TELL("cpuid refused", ioctl(vmm.cpu[HIDDEN], KVM_SET_CPUID2, &cpuid));
	TELL("cpuid nowhere", ioctl(vmm.cpu[HIDDEN], KVM_SET_CPUID2, (void *)1));
	set("hidden still", vmm.cpu[HIDDEN], KVM_SET_XSAVE, XF_FPSSE | vmm.leak);
	make_cpuid(true, &cpuid);
	TELL("cpuid anew", ioctl(vmm.cpu[HIDDEN], KVM_SET_CPUID2, &cpuid));
	set("no more hidden", vmm.cpu[HIDDEN], KVM_SET_XSAVE, XF_FPSSE | vmm.leak);
}

/* ---- Copies of descriptors ---- */

static void leak_to(const char *what, int fd)
{
	set(what, fd, KVM_SET_XSAVE, XF_FPSSE | vmm.leak);
}

static void close_told(const char *what, int fd)
{
	TELL(what, close(fd));
	leak_to("closed", fd);
}

static void copies(void)
{
	int fd = vmm.cpu[HIDDEN];
	int copy = TELL("dup", dup(fd));

	leak_to("dup", copy);
	close_told("close dup", copy);

	int null = TELL("open", open("/dev/null", O_RDWR | O_CLOEXEC));

	leak_to("/dev/null", null);
	copy = TELL("dup2", dup2(fd, null));
	leak_to("dup2", null);
	TELL("dup2 itself", dup2(fd, fd));
	leak_to("dup2 itself", fd);
	TELL("dup2 of nothing", dup2(9999, null));
	leak_to("dup2 of nothing", null);
	TELL("dup2 over", dup2(vmm.cpu[SHOWN], null));
	leak_to("dup2 over", null);
	TELL("dup3", dup3(fd, null, O_CLOEXEC));
	leak_to("dup3", null);
	TELL("dup3 itself", dup3(fd, fd, 0));
	TELL("dup3 to nowhere", dup3(fd, -1, 0));
	close_told("close dup3", null);
	copy = TELL("F_DUPFD", fcntl(fd, F_DUPFD, 50));
	leak_to("F_DUPFD", copy);
	close_told("close F_DUPFD", copy);
	copy = TELL("F_DUPFD_CLOEXEC", fcntl(fd, F_DUPFD_CLOEXEC, 50));
	leak_to("F_DUPFD_CLOEXEC", copy);
	TELL("F_GETFD", fcntl(copy, F_GETFD));
	TELL("F_SETFD", fcntl(copy, F_SETFD, 0));
	TELL("close_range cloexec", close_range(50, 60, CLOSE_RANGE_CLOEXEC));
	leak_to("close_range cloexec", copy);
	TELL("close_range", close_range(50, 60, 0));
	leak_to("close_range", copy);
	TELL("close_range backwards", close_range(60, 50, 0));
	TELL("close -1", close(-1));
	TELL("close nothing", close(9999));
}

/* What a child does to descriptors that are its own, in memory that is ours. */
static void closing_child(void)
{
	pid_t child = vfork();

	if (child == 0) {
		close(vmm.cpu[HIDDEN]);
		dup2(STDOUT_FILENO, vmm.cpu[SHOWN]);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	leak_to("behind vfork", vmm.cpu[HIDDEN]);
	leak_to("behind vfork, shown", vmm.cpu[SHOWN]);
}

static void made_anew(void)
{
	close_told("close vcpu", vmm.cpu[HIDDEN]);

	/* Most likely of the same number, and it was told nothing. */
	int fd = TELL("vcpu anew", ioctl(vmm.vm, KVM_CREATE_VCPU, 7UL));

	leak_to("vcpu anew", fd);
}

/* A thread's signals are its own. */
static void signals(void)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	note("signals: SIGUSR2 %d SIGPIPE %d\n", sigismember(&mask, SIGUSR2),
	     sigismember(&mask, SIGPIPE));
}

int main(int argc, char **argv)
{
	bool fds = argc > 1 && strcmp(argv[1], "fds") == 0;

	sigset_t usr2;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &usr2, NULL);
	if (!make())
		return SKIP;
	show(HIDDEN);
	show(SHOWN);
	/* Before anything is known of this vCPU's pointers. */
	TELL("first pointer 0", ioctl(vmm.cpu[HIDDEN], KVM_SET_XSAVE, NULL));
	load_and_save();
	signals();
	bad_pointers();
	in_a_thread();
	in_a_child();
	if (fds) {
		copies();
		closing_child();
		made_anew();
	} else {
		show_again();
	}
	signals();
	note("end\n");
	return 0;
}
