/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Included before everything else when mutants are compiled (script/mutants): all mutants of a
 * file are in one object, and XF_MUTANT tells which one is awake. With XF_MUTANTS_REACHED, the
 * name of a file with a byte each mutant, those that were reached are marked there; it is shared
 * memory, so that what a child does counts, and what is killed too.
 */
#ifndef XF_TESTS_MUTANTS_H
#define XF_TESTS_MUTANTS_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One of each in every program and library, whichever object brings it. */
#define XF_MUTANTS_ONE __attribute__((weak, visibility("hidden")))

XF_MUTANTS_ONE int xf_mutant_awake;
XF_MUTANTS_ONE unsigned char *xf_mutants_reached;

/* System calls of its own: tests put other functions in the place of libc's. */
XF_MUTANTS_ONE __attribute__((constructor)) void xf_mutants_begin(void)
{
	const char *awake = getenv("XF_MUTANT"), *path = getenv("XF_MUTANTS_REACHED");

	if (awake)
		xf_mutant_awake = (int)strtol(awake, NULL, 10);
	if (!path || xf_mutants_reached)
		return;

	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR);

	if (fd < 0)
		return;

	off_t size = syscall(SYS_lseek, fd, 0, SEEK_END);
	void *map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	syscall(SYS_close, fd);
	if (map != MAP_FAILED)
		xf_mutants_reached = map;
}

static inline int xf_m(int number)
{
	if (__builtin_expect(xf_mutants_reached != NULL, 0))
		xf_mutants_reached[number] = 1;
	return __builtin_expect(xf_mutant_awake == number, 0);
}

#endif
