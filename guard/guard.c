/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxferry-guard.so: loaded into a VMM with LD_PRELOAD, it stands before the functions
 * of libc through which a vCPU's state goes to KVM and comes back (ioctl), and those by
 * which its file descriptor gets another number or goes away. All else is passed on at
 * the cost of a comparison.
 *
 * The names of libc's functions are given as labels: ioctl and fcntl are variadic there,
 * and take their one further argument in the same register as a function that names it.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <unistd.h>

#include "guard/log.h"
#include "guard/next.h"
#include "guard/report.h"
#include "guard/settings.h"
#include "guard/vcpu.h"
#include "host/kvm.h"

#ifndef __x86_64__
#error "written for the calling convention of x86-64"
#endif

#define WRAPS(name) __asm__(name) __attribute__((visibility("default")))

int guard_ioctl(int fd, unsigned long request, void *argument) WRAPS("ioctl");
int guard_close(int fd) WRAPS("close");
int guard_close_range(unsigned int first, unsigned int last, int flags) WRAPS("close_range");
void guard_closefrom(int first) WRAPS("closefrom");
int guard_dup(int fd) WRAPS("dup");
int guard_dup2(int fd, int to) WRAPS("dup2");
int guard_dup3(int fd, int to, int flags) WRAPS("dup3");
int guard_fcntl(int fd, int command, unsigned long argument) WRAPS("fcntl");
int guard_fcntl64(int fd, int command, unsigned long argument) WRAPS("fcntl64");

__attribute__((constructor)) static void start(void)
{
	xf_next_find();
	xf_log_start();
	xf_settings_parse(secure_getenv("XFERRY_GUARD"), secure_getenv("XFERRY_GUARD_ONLY"),
			  secure_getenv("XFERRY_GUARD_LOG"), &xf_settings);
}

__attribute__((destructor)) static void end(void)
{
	xf_report_summary();
}

/* ---- ioctl ---- */

#define TYPE_MASK 0xff00u
#define KVM_TYPE (KVMIO << 8)

static int create_vcpu(int fd, unsigned long request, void *argument)
{
	int vcpu = XF_NEXT(ioctl)(fd, request, argument);

	if (vcpu >= 0)
		xf_vcpu_created(vcpu, (uint32_t)(uintptr_t)argument);
	return vcpu;
}

static int check_extension(int fd, unsigned long request, void *argument)
{
	int answer = XF_NEXT(ioctl)(fd, request, argument);

	if ((uintptr_t)argument == KVM_CAP_XSAVE2)
		xf_vcpu_area_size(answer);
	return answer;
}

typedef int vcpu_call(struct xf_record *record, int fd, unsigned long request, void *argument);

/* A call that concerns one vCPU; on what is none that is known, it is KVM's alone. */
static int on_vcpu(vcpu_call *call, int fd, unsigned long request, void *argument)
{
	struct xf_record *record = xf_table_get(fd);

	if (!record)
		return XF_NEXT(ioctl)(fd, request, argument);

	int answer = call(record, fd, request, argument);

	xf_table_put(record);
	return answer;
}

/* Some programs hold a request in an int, which widens to 64 bits with its sign. */
static __attribute__((noinline)) int kvm_ioctl(int fd, unsigned long request, void *argument)
{
	switch ((uint32_t)request) {
	case KVM_CREATE_VCPU:
		return create_vcpu(fd, request, argument);
	case KVM_CHECK_EXTENSION:
		return check_extension(fd, request, argument);
	case KVM_SET_CPUID2:
		return on_vcpu(xf_vcpu_set_cpuid2, fd, request, argument);
	case KVM_SET_CPUID:
		return on_vcpu(xf_vcpu_set_cpuid, fd, request, argument);
	case KVM_SET_XSAVE:
		if (xf_vcpu_sets_nothing(fd, argument))
			return XF_NEXT(ioctl)(fd, request, argument);
		return on_vcpu(xf_vcpu_set_xsave, fd, request, argument);
	case KVM_GET_XSAVE:
	case (uint32_t)KVM_GET_XSAVE2:
		return on_vcpu(xf_vcpu_get_xsave, fd, request, argument);
	default:
		return XF_NEXT(ioctl)(fd, request, argument);
	}
}

int guard_ioctl(int fd, unsigned long request, void *argument)
{
	if ((request & TYPE_MASK) == KVM_TYPE)
		return kvm_ioctl(fd, request, argument);
	return XF_NEXT(ioctl)(fd, request, argument);
}

/* ---- File descriptors that go ---- */

/* As many as close_range puts back where it fails: 4 KiB of stack. */
#define TAKEN_MAX 256

/* Out of the table first: once closed, another thread may get the number for a new vCPU. */
int guard_close(int fd)
{
	struct xf_record *record = xf_table_has(fd) ? xf_table_take(fd) : NULL;

	if (record)
		xf_table_put(record);
	return XF_NEXT(close)(fd);
}

/*
 * Out of the table first, as above, and back where the call fails, as it does where a kernel
 * lacks it. More than there is room for go afterwards; a vCPU that another thread makes in
 * between is then not known, which is safe.
 *
 * With CLOSE_RANGE_UNSHARE nothing goes from the other threads, which go on with their vCPUs.
 * Where there are none, what stays in the table is as good as closed unseen: before anything
 * is dropped, KVM is asked what the fd is now.
 */
int guard_close_range(unsigned int first, unsigned int last, int flags)
{
	if (flags & (CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE))
		return XF_NEXT(close_range)(first, last, flags);

	struct xf_taken taken[TAKEN_MAX];
	unsigned int count = xf_table_take_range(first, last, taken, TAKEN_MAX);
	int answer = XF_NEXT(close_range)(first, last, flags);

	for (unsigned int i = 0; i < count; i++) {
		if (answer)
			(void)xf_table_set(taken[i].fd, taken[i].record);
		xf_table_put(taken[i].record);
	}
	if (!answer && count == TAKEN_MAX)
		xf_table_forget(first, last);
	return answer;
}

/* This one cannot fail. */
void guard_closefrom(int first)
{
	xf_table_forget(first < 0 ? 0 : (unsigned int)first, ~0u);
	XF_NEXT(closefrom)(first);
}

/* ---- File descriptors that come ---- */

/*
 * Makes `to` what `fd` is known as, or unknown where that is no vCPU. Not in a process that
 * shares this memory but not the fds (vfork): there `to` may be another vCPU of the parent's.
 */
static void also(int to, int fd)
{
	if (to < 0 || !(xf_table_has(fd) || xf_table_has(to)))
		return;

	struct xf_record *record = xf_table_get(fd);

	if (!record) {
		xf_table_forget((unsigned int)to, (unsigned int)to);
		return;
	}
	if (record->maker == getpid())
		(void)xf_table_set(to, record);
	xf_table_put(record);
}

int guard_dup(int fd)
{
	int to = XF_NEXT(dup)(fd);

	also(to, fd);
	return to;
}

/* `to` is closed by the call: out of the table first, and back if nothing was done. */
#define REPLACE(fd, to, call)                                                        \
	({                                                                           \
		struct xf_record *gone_ =                                            \
			(fd) != (to) && xf_table_has(to) ? xf_table_take(to) : NULL; \
		int answer_ = (call);                                                \
                                                                                     \
		if (answer_ >= 0 && (fd) != (to))                                    \
			also((to), (fd));                                            \
		else if (gone_)                                                      \
			(void)xf_table_set((to), gone_);                             \
		if (gone_)                                                           \
			xf_table_put(gone_);                                         \
		answer_;                                                             \
	})

int guard_dup2(int fd, int to)
{
	return REPLACE(fd, to, XF_NEXT(dup2)(fd, to));
}

int guard_dup3(int fd, int to, int flags)
{
	return REPLACE(fd, to, XF_NEXT(dup3)(fd, to, flags));
}

int guard_fcntl(int fd, int command, unsigned long argument)
{
	int answer = XF_NEXT(fcntl)(fd, command, argument);

	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		also(answer, fd);
	return answer;
}

int guard_fcntl64(int fd, int command, unsigned long argument)
{
	int answer = XF_NEXT(fcntl64)(fd, command, argument);

	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		also(answer, fd);
	return answer;
}
