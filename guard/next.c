/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each pointer begins as a function that looks up the next one and puts it in its own
 * place, so that a call costs a jump and no question. Two threads that do so at once
 * write the same value.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/next.h"

/*
 * The oldest version of dlsym, so that the library loads where glibc is older than the
 * one it was linked with. Weak, for up to glibc 2.33 it is in libdl, which need not be
 * there.
 */
extern void *old_dlsym(void *handle, const char *name) __attribute__((weak));
#ifndef XF_WITHOUT_DLSYM /* a test does without */
__asm__(".symver old_dlsym, dlsym@GLIBC_2.2.5");
#endif

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* ---- Without a next one ---- */

static int bare_ioctl(int fd, unsigned long request, void *argument)
{
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

static int bare_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static int bare_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

/* Cannot fail, so it does not rely on a system call that older kernels lack. */
static void bare_closefrom(int first)
{
	unsigned int from = first < 0 ? 0 : (unsigned int)first;
	struct rlimit limit = { .rlim_cur = 1 << 20 };
	int error = errno;

	if (bare_close_range(from, ~0u, 0)) {
		(void)getrlimit(RLIMIT_NOFILE, &limit);
		for (rlim_t fd = from; fd < limit.rlim_cur && fd < 1 << 20; fd++)
			(void)bare_close((int)fd);
	}
	errno = error;
}

static int bare_dup(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

static int bare_dup2(int fd, int to)
{
	return (int)syscall(SYS_dup2, fd, to);
}

static int bare_dup3(int fd, int to, int flags)
{
	return (int)syscall(SYS_dup3, fd, to, flags);
}

static int bare_fcntl(int fd, int command, unsigned long argument)
{
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

/* ---- Looking up ---- */

typedef void anything(void);

/*
 * dlsym may allocate, and a preloaded malloc may call what is looked up here: that call
 * goes straight to the kernel. Set by one thread, the others then do without for a
 * moment too, which is harmless.
 */
static atomic_bool looking;

/* False: not to be told now. */
static bool look_up(const char *name, anything **out)
{
	int error = errno;

	if (!old_dlsym) {
		*out = NULL;
		return true;
	}
	if (atomic_exchange(&looking, true))
		return false;
	*out = (anything *)old_dlsym(RTLD_NEXT, name);
	atomic_store(&looking, false);
	errno = error;
	return true;
}

/* first_X finds X, keeps it, and goes on with it. */
#define FIND(name, parameters, arguments, result, hand_back)                                    \
	static result(*find_##name(void)) parameters                                            \
	{                                                                                       \
		anything *found;                                                                \
                                                                                                \
		if (!look_up(#name, &found))                                                    \
			return bare_##name;                                                     \
		if (!found)                                                                     \
			found = (anything *)bare_##name;                                        \
		__atomic_store_n(&xf_next.name, (result(*) parameters)found, __ATOMIC_RELAXED); \
		return (result(*) parameters)found;                                             \
	}                                                                                       \
	static result first_##name parameters                                                   \
	{                                                                                       \
		hand_back find_##name() arguments;                                              \
	}

#define bare_fcntl64 bare_fcntl

FIND(ioctl, (int fd, unsigned long request, void *argument), (fd, request, argument), int, return )
FIND(close, (int fd), (fd), int, return )
FIND(close_range, (unsigned int first, unsigned int last, int flags), (first, last, flags), int,
     return )
FIND(closefrom, (int first), (first), void, )
FIND(dup, (int fd), (fd), int, return )
FIND(dup2, (int fd, int to), (fd, to), int, return )
FIND(dup3, (int fd, int to, int flags), (fd, to, flags), int, return )
FIND(fcntl, (int fd, int command, unsigned long argument), (fd, command, argument), int, return )
FIND(fcntl64, (int fd, int command, unsigned long argument), (fd, command, argument), int, return )

struct xf_next xf_next = {
	.ioctl = first_ioctl,
	.close = first_close,
	.close_range = first_close_range,
	.closefrom = first_closefrom,
	.dup = first_dup,
	.dup2 = first_dup2,
	.dup3 = first_dup3,
	.fcntl = first_fcntl,
	.fcntl64 = first_fcntl64,
};

void xf_next_find(void)
{
	(void)find_ioctl();
	(void)find_close();
	(void)find_close_range();
	(void)find_closefrom();
	(void)find_dup();
	(void)find_dup2();
	(void)find_dup3();
	(void)find_fcntl();
	(void)find_fcntl64();
}
