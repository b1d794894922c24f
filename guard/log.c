/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls are made by syscall(2): the functions of the same names may be wrapped by
 * another preload, and are places where a thread can be cancelled.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "guard/log.h"
#include "guard/settings.h"

#define LINE_MAX_ 512
#define SIGNALS_SIZE 8
#ifndef SYSLOG_SOCKET /* a test has one of its own */
#define SYSLOG_SOCKET "/dev/log"
#endif
#define SYSLOG_WARNING "<28>" /* facility daemon, severity warning */

struct identity {
	bool open;
	dev_t device;
	ino_t inode;
	mode_t mode;
};

static struct identity first_stderr;

/* fstat of libc is new in glibc 2.33. */
static struct identity identify(int fd)
{
	struct stat status;

	if (syscall(SYS_fstat, fd, &status) < 0)
		return (struct identity){ 0 };
	return (struct identity){ true, status.st_dev, status.st_ino, status.st_mode };
}

void xf_log_start(void)
{
	int error = errno;

	first_stderr = identify(STDERR_FILENO);
	errno = error;
}

/*
 * A program may close standard error and get a disk image or a migration's socket with
 * its number. So it is written to only while it is what it was at the start.
 */
static bool is_stderr(void)
{
	struct identity now = identify(STDERR_FILENO);

	return now.open && first_stderr.open && now.device == first_stderr.device &&
	       now.inode == first_stderr.inode;
}

/* ---- Signals, which must not end or stop the program on our account ---- */

/* A mask as the kernel has it. */
#define SIGNAL(number) ((uint64_t)1 << ((number)-1))

/* What a write can bring: no reader, RLIMIT_FSIZE, a terminal that is another job's. */
#define OF_A_WRITE (SIGNAL(SIGPIPE) | SIGNAL(SIGXFSZ) | SIGNAL(SIGTTOU))

static bool block_signals(uint64_t *before)
{
	uint64_t block = OF_A_WRITE;

	return !syscall(SYS_rt_sigprocmask, SIG_BLOCK, &block, before, SIGNALS_SIZE);
}

static uint64_t pending_signals(void)
{
	uint64_t pending = 0;

	syscall(SYS_rt_sigpending, &pending, SIGNALS_SIZE);
	return pending;
}

/* The signal that came with a write's error; a SIGTTOU that is blocked does not come. */
static uint64_t signal_of(int error)
{
	return error == EPIPE ? SIGNAL(SIGPIPE) : error == EFBIG ? SIGNAL(SIGXFSZ) : 0;
}

static void unblock_signals(uint64_t before, uint64_t ours)
{
	const struct timespec now = { 0, 0 };

	if (ours)
		syscall(SYS_rt_sigtimedwait, &ours, NULL, &now, SIGNALS_SIZE);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGNALS_SIZE);
}

/* ---- The three ways ---- */

static bool write_line(int fd, const char *line, size_t size)
{
	uint64_t before = 0;

	/* A mask that is not known cannot be put back either. */
	if (!block_signals(&before))
		return false;

	uint64_t theirs = pending_signals();
	long written = syscall(SYS_write, fd, line, size);

	unblock_signals(before, written < 0 ? signal_of(errno) & ~theirs : 0);
	return written == (long)size;
}

static void to_stderr(const char *line, size_t size)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (is_stderr() && syscall(SYS_poll, &ready, 1, 0) == 1 && ready.revents == POLLOUT)
		write_line(STDERR_FILENO, line, size);
}

/* Negative: errno says why. */
static long open_file(const char *path)
{
	/* O_NONBLOCK: a FIFO without a reader would keep us for ever. */
	long fd = syscall(SYS_openat, AT_FDCWD, path,
			  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0 || !S_ISBLK(identify((int)fd).mode))
		return fd;
	/* Whoever names a disk has not meant it. */
	syscall(SYS_close, fd);
	errno = EINVAL;
	return -1;
}

static bool to_file(const char *path, const char *line, size_t size)
{
	long fd = open_file(path);

	if (fd < 0)
		return false;

	bool written = write_line((int)fd, line, size);

	syscall(SYS_close, fd);
	return written;
}

int xf_log_probe(void)
{
	int before = errno, error = 0;
	long fd;

	if (xf_settings.log != XF_LOG_FILE)
		return 0;
	fd = open_file(xf_settings.log_path);
	if (fd < 0)
		error = errno;
	else
		syscall(SYS_close, fd);
	errno = before;
	return error;
}

/* syslog(3) may block, and keeps its socket. The line's end is no part of a datagram. */
static bool to_syslog(const char *line, size_t size)
{
	const struct sockaddr_un address = { AF_UNIX, SYSLOG_SOCKET };
	char datagram[sizeof(SYSLOG_WARNING) + LINE_MAX_];
	int length =
		snprintf(datagram, sizeof(datagram), SYSLOG_WARNING "%.*s", (int)size - 1, line);

	if (length < 0)
		return false;

	long fd = syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;

	long sent = syscall(SYS_sendto, fd, datagram, (size_t)length, MSG_NOSIGNAL, &address,
			    sizeof(address));

	syscall(SYS_close, fd);
	return sent == length;
}

static void put(const char *line, size_t size)
{
	if (xf_settings.log == XF_LOG_SYSLOG && to_syslog(line, size))
		return;
	if (xf_settings.log == XF_LOG_FILE && to_file(xf_settings.log_path, line, size))
		return;
	to_stderr(line, size);
}

void xf_log(const char *format, ...)
{
	int error = errno;
	char line[LINE_MAX_];
	va_list args;
	int begun = snprintf(line, sizeof(line), "xferry-guard: pid=%d ", (int)getpid());
	int rest = -1;

	if (begun > 0) {
		va_start(args, format);
		rest = vsnprintf(line + begun, sizeof(line) - (size_t)begun, format, args);
		va_end(args);
	}
	/* Half a line would say something else. */
	if (rest >= 0) {
		size_t size = (size_t)begun + (size_t)rest;

		if (size > sizeof(line) - 2)
			size = sizeof(line) - 2;
		line[size] = '\n';
		put(line, size + 1);
	}
	errno = error;
}
