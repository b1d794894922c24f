/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/report/failing.h"

/* ---- Memory ---- */

static unsigned int allocations_left;
static bool failed_allocation;

void fail_allocation(unsigned int n)
{
	allocations_left = n;
	failed_allocation = false;
}

bool allocation_failed(void)
{
	allocations_left = 0;
	return failed_allocation;
}

static bool fails_now(void)
{
	if (!allocations_left || --allocations_left)
		return false;
	failed_allocation = true;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_realpath(const char *path, char *resolved);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_realpath(const char *path, char *resolved);
int __wrap_vasprintf(char **out, const char *format, va_list args);
int __wrap_asprintf(char **out, const char *format, ...);
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list args);
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...);
int __real_vasprintf(char **out, const char *format, va_list args);

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}

char *__wrap_realpath(const char *path, char *resolved)
{
	return fails_now() ? NULL : __real_realpath(path, resolved);
}

/* Leaves rubbish in `*out` when it fails, as it may. */
int __wrap_vasprintf(char **out, const char *format, va_list args)
{
	if (!fails_now())
		return __real_vasprintf(out, format, args);
	*out = (char *)1;
	return -1;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = __wrap_vasprintf(out, format, args);
	va_end(args);
	return n;
}

/* What a compiler calls in their place when it is to check more (_FORTIFY_SOURCE). */
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list args)
{
	(void)flag;
	return __wrap_vasprintf(out, format, args);
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = __wrap___vasprintf_chk(out, flag, format, args);
	va_end(args);
	return n;
}

/* json-c's, as far as it allocates for us: NULL or -1 is its way to say so. */
#define WRAP_JSON(type, name, failure, parameters, arguments)             \
	type __real_##name parameters;                                    \
	type __wrap_##name parameters;                                    \
	type __wrap_##name parameters                                     \
	{                                                                 \
		return fails_now() ? (failure) : __real_##name arguments; \
	}

WRAP_JSON(struct json_object *, json_object_new_object, NULL, (void), ())
WRAP_JSON(struct json_object *, json_object_new_array, NULL, (void), ())
WRAP_JSON(struct json_object *, json_object_new_int, NULL, (int32_t value), (value))
WRAP_JSON(struct json_object *, json_object_new_uint64, NULL, (uint64_t value), (value))
WRAP_JSON(struct json_object *, json_object_new_string, NULL, (const char *text), (text))
WRAP_JSON(int, json_object_object_add, -1,
	  (struct json_object * object, const char *key, struct json_object *value),
	  (object, key, value))
WRAP_JSON(int, json_object_array_add, -1, (struct json_object * array, struct json_object *value),
	  (array, value))
WRAP_JSON(const char *, json_object_to_json_string_ext, NULL,
	  (struct json_object * object, int flags), (object, flags))
WRAP_JSON(struct json_tokener *, json_tokener_new_ex, NULL, (int depth), (depth))

unsigned int fail_each_allocation(void (*body)(unsigned int n, void *data), void *data)
{
	for (unsigned int n = 1;; n++) {
		fail_allocation(n);
		body(n, data);
		if (!allocation_failed())
			return n - 1;
	}
}

/* ---- System calls ---- */

static struct {
	unsigned int left;
	int error;
} failing[CALLS];

static enum failing_call last_armed;
static unsigned int transfer_limit;

void fail_call(enum failing_call call, unsigned int n, int error)
{
	if (call == CALL_NONE)
		memset(failing, 0, sizeof(failing));
	failing[call].left = n;
	failing[call].error = error;
	last_armed = call;
}

bool call_failed(void)
{
	return last_armed && !failing[last_armed].left;
}

void limit_transfers(unsigned int bytes)
{
	transfer_limit = bytes;
}

static bool call_fails(enum failing_call call)
{
	if (!failing[call].left || --failing[call].left)
		return false;
	errno = failing[call].error;
	return true;
}

static size_t limited(size_t size)
{
	return transfer_limit && size > transfer_limit ? transfer_limit : size;
}

#define WRAP(call, type, name, parameters, arguments)                   \
	type __real_##name parameters;                                  \
	type __wrap_##name parameters;                                  \
	type __wrap_##name parameters                                   \
	{                                                               \
		return call_fails(call) ? -1 : __real_##name arguments; \
	}

WRAP(CALL_PREAD, ssize_t, pread64, (int fd, void *to, size_t size, off_t at),
     (fd, to, limited(size), at))
WRAP(CALL_PWRITE, ssize_t, pwrite64, (int fd, const void *from, size_t size, off_t at),
     (fd, from, limited(size), at))
WRAP(CALL_READ, ssize_t, read, (int fd, void *to, size_t size), (fd, to, limited(size)))
WRAP(CALL_FSYNC, int, fsync, (int fd), (fd))
WRAP(CALL_FDATASYNC, int, fdatasync, (int fd), (fd))
WRAP(CALL_FTRUNCATE, int, ftruncate64, (int fd, off_t size), (fd, size))
WRAP(CALL_FSTAT, int, fstat64, (int fd, struct stat *out), (fd, out))
WRAP(CALL_FCHMOD, int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(CALL_LINK, int, link, (const char *from, const char *to), (from, to))
WRAP(CALL_LINKAT, int, linkat,
     (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags))
WRAP(CALL_UNLINK, int, unlink, (const char *path), (path))
WRAP(CALL_MKOSTEMP, int, mkostemp64, (char *name, int flags), (name, flags))

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
	va_list args;

	va_start(args, command);
	void *argument = va_arg(args, void *);
	va_end(args);
	return call_fails(CALL_FCNTL) ? -1 : __real_fcntl64(fd, command, argument);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return call_fails(CALL_OPEN) ? -1 : __real_open64(path, flags, mode);
}
