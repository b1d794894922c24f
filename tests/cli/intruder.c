/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into the command: does, from within the first read of a state, what somebody would who
 * has taken the process over by the bytes that were read, and tells what came of it in the
 * file of INTRUDER_SAYS, which is opened before the command begins. INTRUDER_STATE is the
 * state's name, INTRUDER_DIR a directory that is none of the command's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SAYS_FD 200

static bool done;

static void say(const char *what, bool could)
{
	char line[80];
	const char *how = could ? "done" : strerrorname_np(errno);
	int length = snprintf(line, sizeof(line), "%s %s\n", what, how);

	if (write(SAYS_FD, line, (size_t)length) != length)
		abort();
}

static bool opens(const char *directory, const char *name, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void try_files(const char *directory)
{
	char *const none[] = { NULL };
	char path[4096];

	snprintf(path, sizeof(path), "%s/victim", directory);
	say("read", opens(directory, "victim", O_RDONLY));
	say("write", opens(directory, "victim", O_WRONLY));
	say("create", opens(directory, "new", O_WRONLY | O_CREAT | O_EXCL));
	say("truncate", truncate(path, 0) == 0);
	say("chmod", chmod(path, 0666) == 0);
	say("setxattr", setxattr(path, "user.intruder", "1", 1, 0) == 0);
	say("unlink", unlink(path) == 0);
	/* There is no such program: ENOENT tells that one would be started. */
	say("execute", execve("/nowhere/at/all", none, none) == 0);
}

static void try_calls(void)
{
	say("socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
	/* ESRCH tells that we do not trace it yet. */
	say("ptrace", ptrace(PTRACE_CONT, getppid(), 0, 0) == 0);
	say("signal", kill(getppid(), 0) == 0);
	say("mount", syscall(SYS_unshare, 0) == 0);
	say("setuid", syscall(SYS_setuid, getuid()) == 0);
	/* Of a file that is no terminal, ENOTTY tells that a terminal would do it. */
	say("terminal", ioctl(SAYS_FD, TIOCSTI, "x") == 0);
	errno = EPERM;
	say("privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

static void intrude(void)
{
	const char *directory = getenv("INTRUDER_DIR");
	int error = errno;

	if (done || !directory)
		return;
	done = true;
	try_files(directory);
	try_calls();
	errno = error;
}

static bool is_state(int fd)
{
	struct stat one, other;
	const char *state = getenv("INTRUDER_STATE");

	return state && fstat(fd, &one) == 0 && stat(state, &other) == 0 &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset)
{
	if (is_state(fd))
		intrude();
	return syscall(SYS_pread64, fd, buffer, size, offset);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	if (is_state(fd))
		intrude();
	return syscall(SYS_read, fd, buffer, size);
}

__attribute__((constructor)) static void begin(void)
{
	const char *says = getenv("INTRUDER_SAYS");
	int fd = says ? open(says, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;

	if (fd >= 0 && dup2(fd, SAYS_FD) == SAYS_FD)
		close(fd);
}
