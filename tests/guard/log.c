/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a line goes, and that it never keeps, ends or disturbs the program. Each case has a
 * process of its own, since standard error is what it is about. SYSLOG_SOCKET is a path
 * below the working directory here.
 */
#include "tests/core/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guard/log.h"
#include "guard/settings.h"

struct xf_settings xf_settings;

#define TIME_LIMIT 20
#define ERRNO 4711

/* What a child process does with standard error being `fd`; gives its exit status. */
typedef void task(void);

static int in_child(int fd, task *work)
{
	int status;
	pid_t child = fork();

	if (!child) {
		alarm(TIME_LIMIT);
		if (fd < 0)
			close(STDERR_FILENO);
		else
			dup2(fd, STDERR_FILENO);
		xf_log_start();
		errno = ERRNO;
		work();
		_exit(errno == ERRNO ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void say(void)
{
	xf_log("vcpu=%d text=\"%s\"", 3, "AVX PKRU");
}

/* Whether `text` is `count` lines as say() says them. */
static bool is_said(const char *text, unsigned int count)
{
	unsigned int lines = 0;
	int pid, length;

	while (sscanf(text, "xferry-guard: pid=%d vcpu=3 text=\"AVX PKRU\"%n", &pid, &length) ==
		       1 &&
	       pid > 1 && text[length] == '\n') {
		text += length + 1;
		lines++;
	}
	return !*text && lines == count;
}

static const char *read_all(int fd)
{
	static char text[4096];
	ssize_t size = read(fd, text, sizeof(text) - 1);

	assert_true(size >= 0);
	text[size] = '\0';
	return text;
}

static const char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);

	const char *text = read_all(fd);

	close(fd);
	return text;
}

/* A pipe: what was said to its writing end. */
static const char *said(task *work)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(in_child(ends[1], work), 0);
	close(ends[1]);

	const char *text = read_all(ends[0]);

	close(ends[0]);
	return text;
}

static void log_to(enum xf_log_kind kind, const char *path)
{
	memset(&xf_settings, 0, sizeof(xf_settings));
	xf_settings.log = kind;
	if (path && path[0] == '/')
		strcpy(xf_settings.log_path, path);
	else if (path)
		assert_non_null(realpath(".", xf_settings.log_path)),
			strcat(strcat(xf_settings.log_path, "/"), path);
}

/* ---- Standard error ---- */

static void test_stderr(void **state)
{
	(void)state;
	log_to(XF_LOG_STDERR, NULL);
	assert_true(is_said(said(say), 1));
}

static void say_much(void)
{
	char words[5000];

	memset(words, 'w', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	xf_log("%s", words);
}

static void test_long(void **state)
{
	(void)state;
	log_to(XF_LOG_STDERR, NULL);

	const char *text = said(say_much);

	assert_in_range(strlen(text), 400, 1024);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void test_closed(void **state)
{
	(void)state;
	log_to(XF_LOG_STDERR, NULL);
	assert_int_equal(in_child(-1, say), 0);
}

/* Nobody reads: the line is lost, and the program neither waits nor ends. */
static void test_full(void **state)
{
	char byte = 'x';
	int ends[2];

	(void)state;
	log_to(XF_LOG_STDERR, NULL);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	while (write(ends[1], &byte, 1) == 1)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	assert_int_equal(in_child(ends[1], say), 0);
	close(ends[0]);
	assert_int_equal(in_child(ends[1], say), 0);
	close(ends[1]);
}

/* One that breaks between the question and the writing: SIGPIPE is ours, and goes with us. */
static void say_with_signals(void)
{
	sigset_t before, after, pending;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	say();
	errno = 0;
	sigprocmask(SIG_SETMASK, NULL, &after);
	sigpending(&pending);
	if (sigismember(&after, SIGPIPE) || !sigismember(&after, SIGUSR1) ||
	    sigismember(&pending, SIGPIPE))
		_exit(4);
	errno = ERRNO;
}

/* A SIGPIPE that was waiting for the program waits for it still. */
static void say_with_own_sigpipe(void)
{
	sigset_t block, pending;

	sigemptyset(&block);
	sigaddset(&block, SIGPIPE);
	sigprocmask(SIG_SETMASK, &block, NULL);
	raise(SIGPIPE);
	say();
	sigpending(&pending);
	if (!sigismember(&pending, SIGPIPE))
		_exit(4);
}

static void test_signals(void **state)
{
	int ends[2];

	(void)state;
	log_to(XF_LOG_STDERR, NULL);
	assert_true(is_said(said(say_with_signals), 1));
	assert_true(is_said(said(say_with_own_sigpipe), 1));
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(in_child(ends[1], say_with_signals), 0);
	assert_int_equal(in_child(ends[1], say_with_own_sigpipe), 0);
	close(ends[1]);

	/* A socket whose reader has had enough still says that it can be written to. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(shutdown(ends[0], SHUT_RD), 0);
	assert_int_equal(in_child(ends[1], say_with_signals), 0);
	assert_int_equal(in_child(ends[1], say_with_own_sigpipe), 0);
	close(ends[0]);
	close(ends[1]);
}

/* A limit on the size of files: its signal is ours, too, and would end the program. */
static void say_with_limit(void)
{
	const struct rlimit none = { 0, RLIM_INFINITY };
	sigset_t pending;

	if (setrlimit(RLIMIT_FSIZE, &none))
		_exit(5);
	say();
	sigpending(&pending);
	if (!sigisemptyset(&pending))
		_exit(4);
}

static void test_limit(void **state)
{
	int fd = open("limited", O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)state;
	log_to(XF_LOG_STDERR, NULL);
	assert_int_equal(in_child(fd, say_with_limit), 0);
	assert_string_equal(read_file("limited"), "");
	log_to(XF_LOG_FILE, "limited");
	assert_true(is_said(said(say_with_limit), 1));
	assert_string_equal(read_file("limited"), "");
	close(fd);
}

/* A terminal whose foreground is another job, with "stty tostop": would stop the program. */
static void say_in_background(void)
{
	struct termios mode;

	signal(SIGTTOU, SIG_DFL);
	if (setsid() < 0 || ioctl(STDERR_FILENO, TIOCSCTTY, 0) || tcgetattr(STDERR_FILENO, &mode))
		_exit(5);
	mode.c_lflag |= TOSTOP;
	if (tcsetattr(STDERR_FILENO, TCSANOW, &mode))
		_exit(5);

	/* The session's leader stays in the foreground. */
	int status;
	pid_t child = fork();

	if (!child) {
		setpgid(0, 0);
		say();
		_exit(0);
	}
	if (waitpid(child, &status, WUNTRACED) != child || !WIFEXITED(status)) {
		kill(child, SIGKILL);
		_exit(4);
	}
	errno = ERRNO;
}

static void test_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master) || unlockpt(master), 0);

	int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);

	assert_true(terminal >= 0);
	log_to(XF_LOG_STDERR, NULL);
	assert_int_equal(in_child(terminal, say_in_background), 0);
	close(terminal);
	close(master);
}

/* The number of standard error is a disk image's now. */
static void say_after_swap(void)
{
	int image = open("image", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (dup2(image, STDERR_FILENO) < 0)
		_exit(5);
	say();
}

static void say_after_late_open(void)
{
	if (open("image", O_RDWR | O_CREAT | O_TRUNC, 0600) != STDERR_FILENO)
		_exit(5);
	errno = ERRNO;
	say();
}

static void test_swapped(void **state)
{
	(void)state;
	log_to(XF_LOG_STDERR, NULL);
	assert_string_equal(said(say_after_swap), "");
	assert_string_equal(read_file("image"), "");
	assert_int_equal(in_child(-1, say_after_late_open), 0);
	assert_string_equal(read_file("image"), "");
	/* Of the same file system, too. */
	int fd = open("errors", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(in_child(fd, say_after_swap), 0);
	assert_string_equal(read_file("image"), "");
	close(fd);
}

/* But a file that it has been from the start is what was asked for. */
static void test_file_as_stderr(void **state)
{
	int fd = open("errors", O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)state;
	log_to(XF_LOG_STDERR, NULL);
	assert_int_equal(in_child(fd, say), 0);
	assert_true(is_said(read_file("errors"), 1));
	close(fd);
}

/* ---- A file ---- */

static void test_file(void **state)
{
	struct stat status;

	(void)state;
	umask(022);
	log_to(XF_LOG_FILE, "guard.log");
	assert_string_equal(said(say), "");
	assert_string_equal(said(say), "");
	assert_true(is_said(read_file("guard.log"), 2));
	assert_int_equal(stat("guard.log", &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
}

static void count_fds(void)
{
	int before = dup(0);

	say();
	if (dup(0) != before + 1)
		_exit(5);
}

static void test_keeps_no_fd(void **state)
{
	(void)state;
	log_to(XF_LOG_FILE, "other.log");
	assert_string_equal(said(count_fds), "");
	assert_true(is_said(read_file("other.log"), 1));
}

/* What cannot be written to is no reason to be silent, nor to wait for a reader. */
static void test_bad_files(void **state)
{
	static const char *const bad[] = { "/nonexistent/guard.log", "/", "fifo", "/dev/full" };

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		log_to(XF_LOG_FILE, bad[i]);
		assert_true(is_said(said(say), 1));
	}
}

static int probed;

static void probe(void)
{
	int before = dup(0);

	errno = ERRNO;
	probed = xf_log_probe();
	assert_int_equal(errno, ERRNO);

	int after = dup(0);

	assert_int_equal(after, before + 1);
	close(before);
	close(after);
}

static void test_probe(void **state)
{
	static const struct {
		const char *path;
		int error;
	} rows[] = {
		{ "/nonexistent/guard.log", ENOENT },
		{ "/", EISDIR },
		{ "/dev/null/log", ENOTDIR },
		{ "probed-fifo", ENXIO },
		{ "probed", 0 },
	};
	struct stat status;

	(void)state;
	assert_int_equal(mkfifo("probed-fifo", 0600), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		log_to(XF_LOG_FILE, rows[i].path);
		probe();
		assert_int_equal(probed, rows[i].error);
	}
	assert_int_equal(stat("probed", &status), 0);
	assert_int_equal(status.st_size, 0);
	log_to(XF_LOG_STDERR, "/nonexistent/guard.log");
	probe();
	assert_int_equal(probed, 0);
}

/* ---- syslog ---- */

static int bind_socket(void)
{
	const struct sockaddr_un address = { AF_UNIX, SYSLOG_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	unlink(SYSLOG_SOCKET);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say_often(void)
{
	for (int i = 0; i < 2000; i++)
		say();
}

static void test_syslog(void **state)
{
	int fd = bind_socket();
	char text[1024] = { 0 };

	(void)state;
	log_to(XF_LOG_SYSLOG, NULL);
	assert_string_equal(said(say), "");
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_memory_equal(text, "<28>", 4);
	assert_null(strchr(text, '\n'));
	strcat(text, "\n");
	assert_true(is_said(text + 4, 1));

	/* A daemon that does not read: what it cannot take goes to standard error, as far as
	   that takes it. */
	assert_non_null(strstr(said(say_often), "AVX PKRU"));
	close(fd);
	/* And one that is gone. */
	assert_true(is_said(said(say), 1));
	unlink(SYSLOG_SOCKET);
	assert_true(is_said(said(say), 1));
}

int main(void)
{
	char place[] = "/tmp/guard-log-XXXXXX", remove[64];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stderr),	       cmocka_unit_test(test_long),
		cmocka_unit_test(test_closed),	       cmocka_unit_test(test_full),
		cmocka_unit_test(test_signals),	       cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_file_as_stderr), cmocka_unit_test(test_file),
		cmocka_unit_test(test_keeps_no_fd),    cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_syslog),	       cmocka_unit_test(test_limit),
		cmocka_unit_test(test_terminal),       cmocka_unit_test(test_probe),
	};

	if (!mkdtemp(place) || chdir(place))
		return 1;

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	snprintf(remove, sizeof(remove), "rm -rf %s", place);
	return system(remove) || failed;
}
