/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first program of a cell. Loads the modules that /lab/modules lists, runs the
 * programs that /lab/run lists, and powers the machine off. What it has to report
 * goes to the second serial port, where no message of the kernel can get between:
 *
 *	== hook: loaded				or: refused: ERRNO: what the kernel's log says of it
 *	== kvm: ready				or why /dev/kvm cannot be opened
 *	== begin NAME
 *	what the program printed
 *	== end NAME exit 0			or: signal 11, or: not started, and why
 *	== begin hook-stats			its counters, where the kernel has debugfs
 *	== hook: unloaded			or: stays: ERRNO
 *	== tainted: 4096			what the kernel holds against itself, where it says
 *so
 *	== done
 *
 * What is said of a hook is said only where there is one: /lab/hook has the module's path
 * and, behind a space, its parameters. It is loaded behind all others. A line of /lab/run is NAME
 *PROGRAM ARGUMENT…; the output is also kept in /lab/out/NAME for the programs behind it. Standard
 *error goes to the console.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WORDS_MAX 32
#define HOOK "xferry"
#define STATS "/sys/kernel/debug/" HOOK "/stats"

enum { KLOG_READ_ALL = 3, KLOG_SIZE = 1 << 18 };

static void mount_all(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	/* Without devtmpfs, the nodes of the initramfs serve. */
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

/* The port as a pipe of bytes: no echo, no newline that becomes two. */
static FILE *open_report(void)
{
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios settings;

	if (fd < 0 || tcgetattr(fd, &settings) != 0)
		return NULL;
	cfmakeraw(&settings);
	tcsetattr(fd, TCSANOW, &settings);
	return fdopen(fd, "w");
}

/* Loads a module; errno when it cannot be. */
static int load_module(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd >= 0 && syscall(SYS_finit_module, fd, parameters, 0) == 0 ? 0 : errno;

	if (error)
		fprintf(stderr, "lab-init: %s: %s\n", path, strerror(error));
	if (fd >= 0)
		close(fd);
	return error;
}

/* Calls `each` with every line of a file; a file that is not there has none. */
static void for_lines(const char *path, void (*each)(char *line, FILE *report), FILE *report)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return;
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			each(line, report);
	}
	free(line);
	fclose(file);
}

static void load_line(char *line, FILE *report)
{
	(void)report;
	load_module(line, "");
}

/* Of the kernel's log, the errors with the hook's name in them, as far as they go. */
static void report_log(FILE *report)
{
	char *log = calloc(1, KLOG_SIZE + 1);
	char *rest = log;

	if (!log || klogctl(KLOG_READ_ALL, log, KLOG_SIZE) <= 0)
		rest = NULL;
	for (char *line; (line = strsep(&rest, "\n"));) {
		const char *said = strstr(line, HOOK ": ");

		/* "<3>[    1.234567] …": 3 is an error, less is worse. */
		if (said && line[0] == '<' && line[1] <= '3')
			fprintf(report, ": %s", said);
	}
	free(log);
}

/* Whether there is a hook and it is loaded. */
static bool load_hook(FILE *report)
{
	FILE *file = fopen("/lab/hook", "re");
	char line[1024] = "";

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';

	char *parameters = line;
	const char *path = strsep(&parameters, " ");
	int error = load_module(path, parameters ? parameters : "");

	fprintf(report, "== hook: %s", error ? "refused: " : "loaded");
	if (error) {
		fputs(strerror(error), report);
		report_log(report);
	}
	fputc('\n', report);
	return !error;
}

static void report_kvm(FILE *report)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	fprintf(report, "== kvm: %s\n", fd < 0 ? strerror(errno) : "ready");
	fflush(report);
	if (fd >= 0)
		close(fd);
}

/* In the child: standard output into the file, then the program. */
static void become(char **words, const char *out)
{
	int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(126);
	execv(words[0], words);
	fprintf(stderr, "lab-init: %s: %s\n", words[0], strerror(errno));
	_exit(127);
}

static void copy_out(const char *path, FILE *report)
{
	FILE *file = fopen(path, "re");
	char buffer[4096];
	size_t got;

	if (!file)
		return;
	while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
		fwrite(buffer, 1, got, report);
	fclose(file);
}

static void run_line(char *line, FILE *report)
{
	char *words[WORDS_MAX + 1] = { NULL };
	char *rest = NULL;
	char *name = strtok_r(line, " ", &rest);
	char out[256];
	int status = 0;

	for (size_t i = 0; i < WORDS_MAX; i++) {
		words[i] = strtok_r(NULL, " ", &rest);
		if (!words[i])
			break;
	}
	if (!name || !words[0])
		return;
	snprintf(out, sizeof(out), "/lab/out/%s", name);

	pid_t child = fork();

	if (child == 0)
		become(words, out);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fprintf(report, "== begin %s\n== end %s not started: %s\n", name, name,
			strerror(errno));
		return;
	}
	fprintf(report, "== begin %s\n", name);
	copy_out(out, report);
	if (WIFEXITED(status))
		fprintf(report, "\n== end %s exit %d\n", name, WEXITSTATUS(status));
	else
		fprintf(report, "\n== end %s signal %d\n", name, WTERMSIG(status));
}

static void unload_hook(FILE *report)
{
	fprintf(report, "== begin hook-stats\n");
	copy_out(STATS, report);
	fprintf(report, "\n== end hook-stats exit 0\n");
	if (syscall(SYS_delete_module, HOOK, O_NONBLOCK) == 0)
		fprintf(report, "== hook: unloaded\n");
	else
		fprintf(report, "== hook: stays: %s\n", strerror(errno));
}

int main(void)
{
	mount_all();
	mkdir("/lab", 0755);
	mkdir("/lab/out", 0755);
	for_lines("/lab/modules", load_line, NULL);

	FILE *report = open_report();

	if (report) {
		bool hooked = load_hook(report);

		report_kvm(report);
		for_lines("/lab/run", run_line, report);
		if (hooked)
			unload_hook(report);
		fprintf(report, "== tainted: ");
		copy_out("/proc/sys/kernel/tainted", report);
		fprintf(report, "\n== done\n");
		fflush(report);
		tcdrain(fileno(report));
	} else {
		fprintf(stderr, "lab-init: /dev/ttyS1: %s\n", strerror(errno));
	}
	fflush(stderr);
	tcdrain(STDERR_FILENO);
	reboot(RB_POWER_OFF);
	return 1;
}
