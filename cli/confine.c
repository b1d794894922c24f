/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each verb keeps. A kernel, a machine or a build that cannot do it goes without, and
 * nothing is said: what is read is checked as if there were nothing behind the checks.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "cli/confine.h"

/* Both are refused to one who could get privileges back by starting a program. */
static bool begin(void)
{
#ifdef XF_NOT_CONFINED /* counts of coverage are written in the end, beside the objects */
	return false;
#else
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
#endif
}

static void confine(struct writable *writable, unsigned int may)
{
	if (begin()) {
		confine_files(writable);
		confine_system_calls(may);
	}
	writable_deinit(writable);
}

/* Programs that are started have what they say put there. */
static void add_null(struct writable *writable)
{
	writable_add(writable, "/dev/null");
}

/* "local" asks this machine's KVM. */
static bool asks_kvm(const struct options *options, char *const *hosts, int count)
{
	const char *named[] = { options->to, options->from, options->layout, options->relay };
	bool asks = false;

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		asks |= named[i] && strcmp(named[i], "local") == 0;
	for (int i = 0; i < count; i++)
		asks |= strcmp(hosts[i], "local") == 0;
	return asks;
}

static void add_devices(struct writable *writable, const struct options *options,
			char *const *hosts, int count)
{
	add_null(writable);
	if (asks_kvm(options, hosts, count))
		writable_add(writable, "/dev/kvm");
}

void confine_to_reading(const struct options *options, char *const *hosts, int count)
{
	struct writable writable = { .count = 0 };

	add_devices(&writable, options, hosts, count);
	confine(&writable, CALLS_EXECUTE);
}

void confine_to_open_files(void)
{
	struct writable writable = { .count = 0 };

	confine(&writable, 0);
}

void confine_calls(void)
{
	if (begin())
		confine_system_calls(CALLS_CHANGE_FILES);
}

/* ---- A repair ---- */

/* Where a file's neighbours are. */
static void add_directory_of(struct writable *writable, const char *path)
{
	char *copy = strdup(path);

	if (copy)
		writable_add(writable, dirname(copy));
	free(copy);
}

/* A device alone; for a file, where its undo file and its successor get their names, too. */
static void add_file(struct writable *writable, const char *path)
{
	char *itself = realpath(path, NULL);
	struct stat about;

	if (itself && stat(itself, &about) == 0) {
		writable_add(writable, itself);
		if (!S_ISBLK(about.st_mode)) {
			add_directory_of(writable, path);
			add_directory_of(writable, itself);
		}
	}
	free(itself);
}

/* Of a directory, it is the one file that makes it a state which is repaired. */
static void add_state(struct writable *writable, const char *path)
{
	char *inside = NULL;

	add_file(writable, path);
	if (asprintf(&inside, "%s/state.json", path) < 0)
		return;
	add_file(writable, inside);
	free(inside);
}

/* FILE#NAME may be a file of that name, or of what is before any '#'. */
static void add_named_state(struct writable *writable, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return;
	add_state(writable, copy);
	for (char *mark; (mark = strrchr(copy, '#')) && mark != copy;) {
		*mark = '\0';
		add_state(writable, copy);
	}
	free(copy);
}

void confine_to_repair(const struct options *options)
{
	struct writable writable = { .count = 0 };

	add_devices(&writable, options, NULL, 0);
	if (options->output)
		add_directory_of(&writable, options->output);
	if (options->undo_file)
		add_directory_of(&writable, options->undo_file);
	if (options->in_place)
		add_named_state(&writable, options->arguments[0]);
	confine(&writable, CALLS_CHANGE_FILES | CALLS_EXECUTE);
}
