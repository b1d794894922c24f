/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a process does to files, written down: what power.py needs to tell what a disk may hold.
 *
 *	name INODE PATH		an entry of a directory: made by open, link or linkat
 *	rename OLD NEW		of paths
 *	unlink PATH
 *	data INODE OFFSET HEX	bytes written, however
 *	size INODE SIZE		set by itself
 *	mode INODE OCTAL
 *	sync INODE		of a file or a directory
 *	unknown NAME		a call that changes files and that this does not know
 *
 * Paths are absolute, and without symbolic links but for the last part.
 */
#ifndef XF_TESTS_FAULTS_CHANGES_H
#define XF_TESTS_FAULTS_CHANGES_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct call {
	pid_t pid;
	long number;
	uint64_t arguments[6];
	int64_t result;
	/* Of a rename, whose old name nobody can resolve any more; of an open, none if it is new.
	 */
	char *path_before;
};

/* Before the call is carried out. */
void change_begins(struct call *call);

/* When it has succeeded. */
void change_done(struct call *call, FILE *log);

#endif
