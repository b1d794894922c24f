/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module from outside: in and out, its parameters, what the kernel's log says of it. */
#ifndef XF_TORTURE_MODULE_H
#define XF_TORTURE_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#define MODULE_PARAMETERS "/sys/module/xferry/parameters/"
#define MODULE_DEBUGFS "/sys/kernel/debug/xferry/"

/* 0 or the errno. */
int module_load(const char *path, const char *parameters);
int module_unload(const char *name);

/* The same, but waits while somebody has a file of it open; how often is added to `busy`. */
int module_unload_patiently(const char *name, unsigned long *busy);

/* Mounts debugfs and tracefs, where the kernel has them. */
void module_mounts(void);

/* One line into a file, the first line of a file; 0 or the errno. */
int file_put(const char *path, const char *line);
int file_get(const char *path, char *out, size_t size);

/* Whether anything of a module called so is left: in sysfs, debugfs, or among the kprobes. */
bool module_left(const char *name);

/* Prints a line on standard error and gives false. */
bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The kernel's log from here on. */
struct kmsg {
	int fd;
};

struct kmsg kmsg_here(void);
void kmsg_close(struct kmsg *kmsg);

/* The text of the next record, without its head; false when there is none as yet. */
bool kmsg_next(struct kmsg *kmsg, char *out, size_t size);

/* How many records hold `text`, among those that have come. */
unsigned int kmsg_count(struct kmsg *kmsg, const char *text);

#endif
