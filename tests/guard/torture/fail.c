/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A library to preload behind the guard, in which one function fails: the n-th time, or
 * from then on for ever. Otherwise, and all others, it is libc's.
 *
 *	FAIL=syscall.write FAIL_AT=2 FAIL_EVER=1 FAIL_BY=guard
 *
 * FAIL_BY says whose calls count and fail: `guard`, those that return to the guard, or
 * `anybody`. Of ioctl it is KVM_GET_CPUID2 alone, which no VMM here asks. FAIL_COUNTS
 * names a file that gets "FUNCTION CALLS" for each that was called by these.
 *
 * A system call by way of syscall(2) is "syscall." and its name; one that is not known
 * here is counted as "syscall". What can fail is what this library exports:
 * tests/guard/torture/faults.py holds that against what the guard imports.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kvm.h>

/* So that it loads with an older libc as well. */
extern void *old_dlvsym(void *handle, const char *name, const char *version);
__asm__(".symver old_dlvsym, dlvsym@GLIBC_2.2.5");

/*
 * What fails, what it then gives, its errno. On x86-64 six words are all the arguments
 * that any of these has, and a word is the result, so one prototype serves them all.
 */
#define PLAIN(X)                    \
	X(ioctl, -1, ENOMEM)        \
	X(close, -1, EIO)           \
	X(close_range, -1, ENOSYS)  \
	X(closefrom, 0, 0)          \
	X(dup, -1, EMFILE)          \
	X(dup2, -1, EBUSY)          \
	X(dup3, -1, EBUSY)          \
	X(fcntl, -1, EMFILE)        \
	X(fcntl64, -1, EMFILE)      \
	X(open, -1, EMFILE)         \
	X(open64, -1, EMFILE)       \
	X(write, -1, ENOSPC)        \
	X(poll, -1, ENOMEM)         \
	X(socket, -1, EMFILE)       \
	X(connect, -1, ENOENT)      \
	X(send, -1, EAGAIN)         \
	X(sendto, -1, EAGAIN)       \
	X(sendmsg, -1, EAGAIN)      \
	X(getenv, 0, 0)             \
	X(secure_getenv, 0, 0)      \
	X(malloc, 0, ENOMEM)        \
	X(calloc, 0, ENOMEM)        \
	X(realloc, 0, ENOMEM)       \
	X(strdup, 0, ENOMEM)        \
	X(strndup, 0, ENOMEM)       \
	X(vasprintf, -1, ENOMEM)    \
	X(vsnprintf, -1, EOVERFLOW) \
	X(getrlimit, -1, EPERM)     \
	X(clock_gettime, -1, EINVAL)

/* System calls that are made by syscall(2), and their errnos. */
#define CALLS(X)                  \
	X(write, ENOSPC)          \
	X(openat, EMFILE)         \
	X(close, EIO)             \
	X(poll, ENOMEM)           \
	X(fstat, EIO)             \
	X(socket, EMFILE)         \
	X(sendto, EAGAIN)         \
	X(rt_sigprocmask, EPERM)  \
	X(rt_sigpending, EPERM)   \
	X(rt_sigtimedwait, EPERM) \
	X(futex, ENOSYS)          \
	X(ioctl, EPERM)           \
	X(close_range, ENOSYS)    \
	X(dup, EMFILE)            \
	X(dup2, EBUSY)            \
	X(dup3, EBUSY)            \
	X(fcntl, EMFILE)

/* And those that need more than being passed on. */
#define FUNCTIONS(X)               \
	PLAIN(X)                   \
	X(snprintf, -1, EOVERFLOW) \
	X(asprintf, -1, ENOMEM)    \
	X(dlsym, 0, 0)             \
	X(syscall, -1, ENOSYS)

enum function {
#define NAME(name, failure, error) IS_##name,
	FUNCTIONS(NAME)
#undef NAME
#define NAME(name, error) IS_syscall_##name,
		CALLS(NAME)
#undef NAME
			NUMBER
};

static const char *const names[NUMBER] = {
#define NAME(name, failure, error) #name,
	FUNCTIONS(NAME)
#undef NAME
#define NAME(name, error) "syscall." #name,
		CALLS(NAME)
#undef NAME
};

static _Atomic unsigned int calls[NUMBER];

/* ---- What was asked for ---- */

static struct {
	atomic_int state; /* 0 unknown, 1 one thread finds out, 2 known */
	enum function function;
	unsigned int at;
	bool ever;
	bool by_guard;
	uintptr_t begin, end; /* the guard's code and data */
} wanted;

/* getenv may be the function that fails. */
static const char *setting(const char *name)
{
	size_t length = strlen(name);

	for (char **entry = environ; entry && *entry; entry++)
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry + length + 1;
	return "";
}

static int find_guard(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	if (!strstr(info->dlpi_name, "libxferry-guard"))
		return 0;
	wanted.begin = info->dlpi_addr;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t end = info->dlpi_addr + header->p_vaddr + header->p_memsz;

		if (header->p_type == PT_LOAD && end > wanted.end)
			wanted.end = end;
	}
	return 1;
}

static void find_out(void)
{
	wanted.function = NUMBER;
	for (unsigned int i = 0; i < NUMBER; i++)
		if (strcmp(setting("FAIL"), names[i]) == 0)
			wanted.function = i;
	wanted.at = (unsigned int)strtoul(setting("FAIL_AT"), NULL, 10);
	wanted.ever = *setting("FAIL_EVER") == '1';
	wanted.by_guard = strcmp(setting("FAIL_BY"), "guard") == 0;
	dl_iterate_phdr(find_guard, NULL);
}

static bool known(void)
{
	int state = 0;

	if (atomic_load(&wanted.state) == 2)
		return true;
	/* What is called while that is found out, by this thread or others, does not fail. */
	if (!atomic_compare_exchange_strong(&wanted.state, &state, 1))
		return false;
	find_out();
	atomic_store(&wanted.state, 2);
	return true;
}

static bool fails(enum function function, uintptr_t caller, long second)
{
	if (!known())
		return false;
	if (wanted.by_guard && (caller < wanted.begin || caller >= wanted.end))
		return false;
	if (function == IS_ioctl && (uint32_t)second != (uint32_t)KVM_GET_CPUID2)
		return false;

	unsigned int call = atomic_fetch_add(&calls[function], 1) + 1;

	return function == wanted.function && wanted.at &&
	       (wanted.ever ? call >= wanted.at : call == wanted.at);
}

__attribute__((destructor)) static void write_counts(void)
{
	const char *path = setting("FAIL_COUNTS");

	if (!*path)
		return;

	FILE *file = fopen(path, "w");

	for (unsigned int i = 0; file && i < NUMBER; i++)
		if (calls[i])
			fprintf(file, "%s %u\n", names[i], calls[i]);
	if (file)
		fclose(file);
}

/* ---- The functions ---- */

typedef long any_function(long, long, long, long, long, long);
typedef void *dlsym_function(void *, const char *);

/* This library's own dlsym would be found by that name. */
static void *real_dlsym(void *handle, const char *name)
{
	static dlsym_function *_Atomic real;

	if (!real)
		real = (dlsym_function *)old_dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
	return real(handle, name);
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

/*
 * Exports fail_X as X. A name of its own, for by the name X this library, too, would find
 * the guard's function.
 */
#define EXPORT(name)                                                  \
	extern __typeof__(fail_##name) exported_##name __asm__(#name) \
		__attribute__((alias("fail_" #name), visibility("default")))

#define WRAP(name, failure, error)                                              \
	static long fail_##name(long a, long b, long c, long d, long e, long f) \
	{                                                                       \
		static any_function *_Atomic real;                              \
                                                                                \
		if (fails(IS_##name, CALLER, b)) {                              \
			if (error)                                              \
				errno = error;                                  \
			return failure;                                         \
		}                                                               \
		if (!real)                                                      \
			real = (any_function *)real_dlsym(RTLD_NEXT, #name);    \
		return real(a, b, c, d, e, f);                                  \
	}                                                                       \
	EXPORT(name);

PLAIN(WRAP)

/* Which of the above a system call is, and its errno; IS_syscall if it is none of them. */
static enum function system_call(long number, int *error)
{
	switch (number) {
#define CASE(name, code)         \
	case SYS_##name:         \
		*error = (code); \
		return IS_syscall_##name;
		CALLS(CASE)
#undef CASE
	}
	return IS_syscall;
}

/* One argument more; those that were not passed are something on the stack. */
static long fail_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*_Atomic real)(long, ...);
	int error = ENOSYS;
	enum function function = system_call(number, &error);

	if (fails(function, CALLER, b)) {
		errno = error;
		return -1;
	}
	if (!real)
		real = (long (*)(long, ...))real_dlsym(RTLD_NEXT, "syscall");
	return real(number, a, b, c, d, e, f);
}

EXPORT(syscall);

__attribute__((format(printf, 3, 4))) static int fail_snprintf(char *out, size_t size,
							       const char *format, ...)
{
	if (fails(IS_snprintf, CALLER, 0)) {
		errno = EOVERFLOW;
		return -1;
	}

	va_list list;

	va_start(list, format);

	int length = vsnprintf(out, size, format, list);

	va_end(list);
	return length;
}

EXPORT(snprintf);

__attribute__((format(printf, 2, 3))) static int fail_asprintf(char **out, const char *format, ...)
{
	if (fails(IS_asprintf, CALLER, 0)) {
		errno = ENOMEM;
		return -1;
	}

	va_list list;

	va_start(list, format);

	int length = vasprintf(out, format, list);

	va_end(list);
	return length;
}

EXPORT(asprintf);

/* RTLD_NEXT is what comes after the caller: this library first. */
static void *own(const char *name)
{
	if (strcmp(name, "syscall") == 0)
		return (void *)fail_syscall;

#define OWN(plain, failure, error)     \
	if (strcmp(name, #plain) == 0) \
		return (void *)fail_##plain;
	PLAIN(OWN)
#undef OWN
	return NULL;
}

static void *fail_dlsym(void *handle, const char *name)
{
	if (fails(IS_dlsym, CALLER, 0))
		return NULL;

	void *found = handle == RTLD_NEXT ? own(name) : NULL;

	return found ? found : real_dlsym(handle, name);
}

EXPORT(dlsym);
