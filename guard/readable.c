/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel is asked: rt_sigprocmask copies the new mask in before it looks at what to
 * do with it, so with a nonsensical "how" it answers EFAULT or EINVAL and changes
 * nothing. Every program that has threads or handles signals uses this call, so no
 * sandbox kills for it.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/readable.h"

#define PAGE 4096
#define SIGNALS_SIZE 8 /* the kernel's sigset_t: so many bytes are read */
#define NO_HOW 0x7fffffff

static bool word_is_readable(uintptr_t at)
{
	int error = errno;
	bool readable =
		syscall(SYS_rt_sigprocmask, NO_HOW, at, NULL, SIGNALS_SIZE) < 0 && errno == EINVAL;

	errno = error;
	return readable;
}

bool xf_is_readable(const void *memory, size_t size)
{
	uintptr_t at = (uintptr_t)memory;
	uintptr_t last = at + size - SIGNALS_SIZE;

	/* NULL would be no mask at all, which is no error. */
	if (size < SIGNALS_SIZE || at < PAGE || last < at || !word_is_readable(last))
		return false;
	for (; at < last; at = (at | (PAGE - 1)) + 1)
		if (!word_is_readable(at))
			return false;
	return true;
}
