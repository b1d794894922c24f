/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All files below a directory, in the order of their names. */
#ifndef XF_CLI_WALK_H
#define XF_CLI_WALK_H

struct walk {
	/* A regular file with something in it. */
	void (*file)(void *data, const char *path);
	/* An empty file, or what is neither file nor directory: a link, a device, a FIFO. */
	void (*other)(void *data);
	/* What cannot be looked at, and why. */
	void (*trouble)(void *data, const char *path, const char *why);
	void *data;
};

/*
 * Neither follows links nor opens anything but directories. `path` may be a link itself.
 * Goes on into other file systems, but not into those that only show what the kernel has,
 * as /proc: files there can be endless, or do something when they are read.
 */
void walk_tree(const struct walk *walk, const char *path);

#endif
