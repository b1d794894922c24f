/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rights that a verb gives up before it reads what others have written. What was given up
 * does not come back, and the programs that it starts do not have it either.
 */
#ifndef XF_CLI_CONFINE_H
#define XF_CLI_CONFINE_H

#include "cli/cli.h"

/*
 * Nothing of the file system is changed any more; no network, no privilege, no look into other
 * processes. `hosts` are the words that name hosts, beside those of the options.
 */
void confine_to_reading(const struct options *options, char *const *hosts, int count);

/* As above, of a stream in a pipe: whatever is needed has been opened, no program is started. */
void confine_to_open_files(void);

/* Files are changed only where the repair that was asked for changes them. */
void confine_to_repair(const struct options *options);

/* Any file may be changed, as only the undo file tells which. The rest as above. */
void confine_calls(void);

/* ---- confine_files.c: Landlock ---- */

/* Where files may be changed: directories with all below them, and devices. */
struct writable {
	int fds[16];
	int count;
};

/* A path that is not there is left out: nothing can be written there. */
void writable_add(struct writable *writable, const char *path);
void writable_deinit(struct writable *writable);

/* False: this kernel does not do it, and all is as before. */
bool confine_files(const struct writable *writable);

/* ---- confine_calls.c: seccomp ---- */

enum calls {
	CALLS_CHANGE_FILES = 1, /* names, owners, modes, times, attributes */
	CALLS_EXECUTE = 2,
};

/* False: this kernel does not do it, or it is one of a machine that is not known. */
bool confine_system_calls(unsigned int may);

#endif
