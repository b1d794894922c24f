/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "changes.h"

/* ---- The process's memory and files ---- */

static bool peek(pid_t pid, uint64_t address, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)(uintptr_t)address, size };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static void peek_path(pid_t pid, uint64_t address, char path[PATH_MAX])
{
	size_t length = 0;

	while (length < PATH_MAX - 1 && peek(pid, address + length, path + length, 1) &&
	       path[length])
		length++;
	path[length] = '\0';
}

/* By way of its directory: the last part may not be there, or be a link. */
static char *resolve(pid_t pid, uint64_t address)
{
	char path[PATH_MAX], directory[PATH_MAX], *out = NULL;
	char copy[PATH_MAX];

	peek_path(pid, address, path);
	memcpy(copy, path, sizeof(copy));
	if (!realpath(dirname(copy), directory))
		err(1, "%s", path);
	if (asprintf(&out, "%s/%s", directory, basename(path)) < 0)
		err(1, "asprintf");
	return out;
}

static int open_of(pid_t pid, uint64_t fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	return open(path, flags | O_CLOEXEC);
}

static bool stat_of(pid_t pid, uint64_t fd, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	return stat(path, st) == 0;
}

static off_t position_of(pid_t pid, uint64_t fd)
{
	char path[64];
	long long position = -1;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, (int)fd);

	FILE *file = fopen(path, "re");

	if (!file || fscanf(file, "pos: %lld", &position) != 1)
		err(1, "%s", path);
	fclose(file);
	return position;
}

/* ---- What is written down ---- */

static void log_name(const char *path, FILE *log)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		fprintf(log, "name %lu %s\n", (unsigned long)st.st_ino, path);
}

/* As it is in the file by now: whatever call has brought it there. */
static void log_data(const struct call *call, uint64_t fd, uint64_t offset, uint64_t size,
		     FILE *log)
{
	struct stat st;

	if (!stat_of(call->pid, fd, &st) || !S_ISREG(st.st_mode))
		return;

	uint8_t *bytes = malloc(size + 1);
	int file = open_of(call->pid, fd, O_RDONLY);

	if (!bytes || file < 0 || pread(file, bytes, size, (off_t)offset) != (ssize_t)size)
		err(1, "what was written cannot be read");
	fprintf(log, "data %lu %lu ", (unsigned long)st.st_ino, (unsigned long)offset);
	for (uint64_t i = 0; i < size; i++)
		fprintf(log, "%02x", bytes[i]);
	fputc('\n', log);
	free(bytes);
	close(file);
}

static void log_size(const struct call *call, uint64_t fd, uint64_t size, FILE *log)
{
	struct stat st;

	if (stat_of(call->pid, fd, &st) && S_ISREG(st.st_mode))
		fprintf(log, "size %lu %lu\n", (unsigned long)st.st_ino, (unsigned long)size);
}

static void log_inode(const char *what, const struct call *call, FILE *log)
{
	struct stat st;

	if (stat_of(call->pid, call->arguments[0], &st))
		fprintf(log, "%s %lu\n", what, (unsigned long)st.st_ino);
}

/* What went to where the file's own position was. */
static void log_at_position(const struct call *call, uint64_t fd, FILE *log)
{
	struct stat st;
	uint64_t size = (uint64_t)call->result;

	if (stat_of(call->pid, fd, &st) && S_ISREG(st.st_mode))
		log_data(call, fd, (uint64_t)position_of(call->pid, fd) - size, size, log);
}

/* To where a variable says, which was moved on, or else to the file's position. */
static void log_copy(const struct call *call, FILE *log)
{
	uint64_t size = (uint64_t)call->result, behind = 0;

	if (!call->arguments[3])
		log_at_position(call, call->arguments[2], log);
	else if (peek(call->pid, call->arguments[3], &behind, sizeof(behind)))
		log_data(call, call->arguments[2], behind - size, size, log);
}

static void log_clone(const struct call *call, FILE *log)
{
	struct stat st;

	if (call->arguments[1] != FICLONE || !stat_of(call->pid, call->arguments[0], &st))
		return;
	log_size(call, call->arguments[0], (uint64_t)st.st_size, log);
	log_data(call, call->arguments[0], 0, (uint64_t)st.st_size, log);
}

static void log_open(const struct call *call, FILE *log)
{
	int flags = (int)call->arguments[2];

	if (call->path_before)
		log_name(call->path_before, log);
	if (flags & O_TRUNC)
		log_size(call, (uint64_t)call->result, 0, log);
}

static void log_rename(const struct call *call, FILE *log)
{
	char *path = resolve(call->pid, call->arguments[1]);

	fprintf(log, "rename %s %s\n", call->path_before, path);
	free(path);
}

static void log_linked(pid_t pid, uint64_t address, FILE *log)
{
	char *path = resolve(pid, address);

	log_name(path, log);
	free(path);
}

static void log_mapping(const struct call *call, FILE *log)
{
	bool writes = (call->arguments[3] & MAP_SHARED) && (call->arguments[2] & PROT_WRITE) &&
		      !(call->arguments[3] & MAP_ANONYMOUS);

	if (writes)
		fputs("unknown mmap\n", log);
}

/* ---- Calls ---- */

static bool creates(const struct call *call)
{
	int flags = (int)call->arguments[2];

	return call->number == SYS_openat && (flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE;
}

void change_begins(struct call *call)
{
	struct stat st;

	free(call->path_before);
	call->path_before = NULL;
	if (creates(call))
		call->path_before = resolve(call->pid, call->arguments[1]);
	else if (call->number == SYS_rename || call->number == SYS_unlink)
		call->path_before = resolve(call->pid, call->arguments[0]);
	/* One that is there is only opened. */
	if (creates(call) && lstat(call->path_before, &st) == 0) {
		free(call->path_before);
		call->path_before = NULL;
	}
}

void change_done(struct call *call, FILE *log)
{
	const uint64_t *arguments = call->arguments;

	switch (call->number) {
	case SYS_openat:
		log_open(call, log);
		break;
	case SYS_link:
		log_linked(call->pid, arguments[1], log);
		break;
	case SYS_linkat:
		log_linked(call->pid, arguments[3], log);
		break;
	case SYS_rename:
		log_rename(call, log);
		break;
	case SYS_unlink:
		fprintf(log, "unlink %s\n", call->path_before);
		break;
	case SYS_pwrite64:
		log_data(call, arguments[0], arguments[3], (uint64_t)call->result, log);
		break;
	case SYS_write:
	case SYS_writev:
	case SYS_sendfile:
		log_at_position(call, arguments[0], log);
		break;
	case SYS_copy_file_range:
	case SYS_splice:
		log_copy(call, log);
		break;
	case SYS_ioctl:
		log_clone(call, log);
		break;
	case SYS_ftruncate:
		log_size(call, arguments[0], arguments[1], log);
		break;
	case SYS_fchmod:
		fprintf(log, "mode %o ", (unsigned int)arguments[1]);
		log_inode("of", call, log);
		break;
	case SYS_fsync:
	case SYS_fdatasync:
		log_inode("sync", call, log);
		break;
	case SYS_mmap:
		log_mapping(call, log);
		break;
	case SYS_creat:
	case SYS_truncate:
	case SYS_fallocate:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_unlinkat:
	case SYS_symlink:
	case SYS_symlinkat:
	case SYS_mkdir:
	case SYS_mkdirat:
	case SYS_rmdir:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sync:
	case SYS_syncfs:
	case SYS_io_uring_enter:
		fprintf(log, "unknown call %ld\n", call->number);
		break;
	}
}
