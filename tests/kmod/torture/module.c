/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"
#include "tests/kmod/torture/module.h"

/* Whoever has a file of it open must close it one day. */
#define PATIENCE 20000
#define PATIENCE_US 1000

bool complain(const char *format, ...)
{
	va_list arguments;

	fputs("torture: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return false;
}

int module_load(const char *path, const char *parameters)
{
	XF_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	return syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

int module_unload_patiently(const char *name, unsigned long *busy)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		int answer = module_unload(name);

		if (answer != EAGAIN)
			return answer;
		(*busy)++;
		usleep(PATIENCE_US);
	}
	return EAGAIN;
}

void module_mounts(void)
{
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

int file_put(const char *path, const char *line)
{
	XF_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		return errno;
	return 0;
}

int file_get(const char *path, char *out, size_t size)
{
	XF_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);

	if (got < 0)
		return errno;
	out[got] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

static bool is_in(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, text);
	fclose(file);
	return found;
}

bool module_left(const char *name)
{
	char path[256];
	struct stat ignored;

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (stat(path, &ignored) == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	if (stat(path, &ignored) == 0)
		return true;
	/* No other kprobe is there in the lab. */
	return is_in("/sys/kernel/debug/kprobes/list", "fpu_copy_") ||
	       is_in("/sys/kernel/debug/kprobes/list", "kvm_vcpu_ioctl");
}

struct kmsg kmsg_here(void)
{
	struct kmsg kmsg = { open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC) };

	if (kmsg.fd >= 0)
		lseek(kmsg.fd, 0, SEEK_END);
	return kmsg;
}

void kmsg_close(struct kmsg *kmsg)
{
	if (kmsg->fd >= 0)
		close(kmsg->fd);
	kmsg->fd = -1;
}

bool kmsg_next(struct kmsg *kmsg, char *out, size_t size)
{
	char record[8192];
	ssize_t got;

	/* EPIPE: records were overwritten before they were read; go on with the oldest. */
	do
		got = read(kmsg->fd, record, sizeof(record) - 1);
	while (got < 0 && (errno == EPIPE || errno == EINTR));
	if (got <= 0)
		return false;
	record[got] = '\0';

	const char *text = strchr(record, ';');

	snprintf(out, size, "%s", text ? text + 1 : record);
	out[strcspn(out, "\n")] = '\0';
	return true;
}

unsigned int kmsg_count(struct kmsg *kmsg, const char *text)
{
	char line[1024];
	unsigned int count = 0;

	while (kmsg_next(kmsg, line, sizeof(line)))
		count += strstr(line, text) != NULL;
	return count;
}
