/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another library that wraps what the guard wraps, as tracers and file systems in user
 * space do, and passes all on to whoever is next.
 */
#include <dlfcn.h>
#include <stdarg.h>

/* So that it loads with an older libc as well. */
__asm__(".symver dlsym,dlsym@GLIBC_2.2.5");

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int ioctl(int fd, unsigned long request, ...);
int close(int fd);
int dup(int fd);
int dup2(int from, int to);

int ioctl(int fd, unsigned long request, ...)
{
	static __typeof__(&ioctl) next;
	va_list list;

	va_start(list, request);

	void *argument = va_arg(list, void *);

	va_end(list);
	if (!next)
		next = NEXT(ioctl);
	return next(fd, request, argument);
}

int close(int fd)
{
	return NEXT(close)(fd);
}

int dup(int fd)
{
	return NEXT(dup)(fd);
}

int dup2(int from, int to)
{
	return NEXT(dup2)(from, to);
}
