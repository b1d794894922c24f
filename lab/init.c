/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first program of a cell. Loads the modules that /lab/modules lists, runs the
 * programs that /lab/run lists, and powers the machine off. What it has to report
 * goes to the second serial port, where no message of the kernel can get between:
 *
 *	== kvm: ready				or why /dev/kvm cannot be opened
 *	== begin NAME
 *	what the program printed
 *	== end NAME exit 0			or: signal 11, or: not started, and why
 *	== done
 *
 * A line of /lab/run is NAME PROGRAM ARGUMENT…; the output is also kept in
 * /lab/out/NAME for the programs behind it. Standard error goes to the console.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WORDS_MAX 32

static void mount_all(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	/* Without devtmpfs, the nodes of the initramfs serve. */
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
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

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
		fprintf(stderr, "lab-init: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
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
	load_module(line);
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

int main(void)
{
	mount_all();
	mkdir("/lab", 0755);
	mkdir("/lab/out", 0755);
	for_lines("/lab/modules", load_line, NULL);

	FILE *report = open_report();

	if (report) {
		report_kvm(report);
		for_lines("/lab/run", run_line, report);
		fprintf(report, "== done\n");
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
