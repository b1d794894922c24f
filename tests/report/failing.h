/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of the C library that fail on demand. A test that uses this is linked
 * with the linker's --wrap for each function named here (meson.build).
 */
#ifndef XF_TESTS_FAILING_H
#define XF_TESTS_FAILING_H

#include <stdbool.h>

/* The n-th allocation from now on fails, once (1 is the next); 0: none does. */
void fail_allocation(unsigned int n);
/* Whether it has come to that. From here on none fails. */
bool allocation_failed(void);

/*
 * Runs `body` again and again, each time with another allocation failing, until
 * none does any more. `body` gets the number of the one that fails, and must
 * hold that it was answered as it should be. Returns how many there were.
 */
unsigned int fail_each_allocation(void (*body)(unsigned int n, void *data), void *data);

enum failing_call {
	CALL_NONE,
	CALL_PREAD,
	CALL_PWRITE,
	CALL_READ,
	CALL_FSYNC,
	CALL_FDATASYNC,
	CALL_FTRUNCATE,
	CALL_FSTAT,
	CALL_FCHMOD,
	CALL_LINK,
	CALL_LINKAT,
	CALL_UNLINK,
	CALL_FCNTL,
	CALL_OPEN,
	CALL_MKOSTEMP,
	CALLS,
};

/*
 * The n-th such call from now on fails, once, with this errno. Several kinds can
 * be about to fail; CALL_NONE takes all of that back.
 */
void fail_call(enum failing_call call, unsigned int n, int error);
/* Whether the one asked for last has come. */
bool call_failed(void);

/* pread and pwrite move so many bytes at most; 0: as many as asked for. */
void limit_transfers(unsigned int bytes);

#endif
