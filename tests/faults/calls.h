/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system's calls that can go wrong: how, and what they do to files. */
#ifndef XF_TESTS_FAULTS_CALLS_H
#define XF_TESTS_FAULTS_CALLS_H

#include <stdbool.h>

#define MAX_ERRORS 6

struct kind {
	long number;
	const char *name;
	int errors[MAX_ERRORS]; /* those that this call can really give, the likeliest first */
	int size_argument;	/* which one may be made smaller: 1 to 6, or 0 */
	bool by_disk;		/* fails when the disk is dead; of one with an fd: of a file */
	bool by_fd;		/* its first argument is an fd */
	bool carried_out;	/* and then it tells of the error: close() */
};

/* NULL: of a kind that does not fail. */
const struct kind *kind_of(long number);

const char *error_name(int error);

#endif
