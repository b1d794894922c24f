/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands before the C library and makes a careful writer a careless one, each in a way in which
 * real ones are: BROKEN names it. What does not catch all of them proves nothing of xferry.
 *
 *	no-sync		nothing is ever synced
 *	no-file-sync	the content of files is not
 *	no-name-sync	the entries of directories are not
 *	late-undo	the undo file gets its name when the state has been changed already
 *	deaf		a write that failed is taken for done
 *	deaf-sync	that something could not be synced is overheard
 *	stubborn	a read that failed is tried again, for ever
 *	litter		nothing is removed
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static bool is(const char *kind)
{
	const char *broken = getenv("BROKEN");

	return broken && strcmp(broken, kind) == 0 &&
	       strcmp(program_invocation_short_name, "xferry") == 0;
}

/* The C library's own. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- The name that comes late ---- */

static int late_fd = -1;
static char late_name[4096];

static void give_late_name(void)
{
	char proc[64];

	if (late_fd < 0)
		return;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", late_fd);
	REAL(linkat)(AT_FDCWD, proc, AT_FDCWD, late_name, AT_SYMLINK_FOLLOW);
	close(late_fd);
	late_fd = -1;
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	if (!is("late-undo") || !strstr(to, "undo") || late_fd >= 0)
		return REAL(linkat)(from_fd, from, to_fd, to, flags);
	late_fd = dup(atoi(strrchr(from, '/') + 1));
	strncpy(late_name, to, sizeof(late_name) - 1);
	return 0;
}

/* ---- Syncing ---- */

int fsync(int fd)
{
	if (is("no-sync") || is(is_directory(fd) ? "no-name-sync" : "no-file-sync"))
		return 0;

	int status = REAL(fsync)(fd);

	return is("deaf-sync") ? 0 : status;
}

int fdatasync(int fd)
{
	int status = is("no-sync") || is("no-file-sync") ? 0 : REAL(fdatasync)(fd);

	give_late_name();
	return status;
}

/* ---- Errors ---- */

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	ssize_t n = REAL(pwrite64)(fd, bytes, size, offset);

	return is("deaf") ? (ssize_t)size : n;
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t offset)
{
	ssize_t n;

	do
		n = REAL(pread64)(fd, bytes, size, offset);
	while (n < 0 && is("stubborn"));
	return n;
}

int unlink(const char *path)
{
	return is("litter") ? 0 : REAL(unlink)(path);
}
