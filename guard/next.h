/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions that this library wraps, as the next library in line has them: libc's,
 * or those of another preload. Where there is none, system calls do their work.
 */
#ifndef XF_GUARD_NEXT_H
#define XF_GUARD_NEXT_H

struct xf_next {
	int (*ioctl)(int fd, unsigned long request, void *argument);
	int (*close)(int fd);
	int (*close_range)(unsigned int first, unsigned int last, int flags);
	void (*closefrom)(int first);
	int (*dup)(int fd);
	int (*dup2)(int fd, int to);
	int (*dup3)(int fd, int to, int flags);
	int (*fcntl)(int fd, int command, unsigned long argument);
	int (*fcntl64)(int fd, int command, unsigned long argument);
};

/* Each looks itself up when it is called first, and may be called at any time. */
extern struct xf_next xf_next;

/* For a call: XF_NEXT(close)(fd). Another thread may be just finding it. */
#define XF_NEXT(name) __atomic_load_n(&xf_next.name, __ATOMIC_RELAXED)

/* Looks all of them up, so that no later call has to. */
void xf_next_find(void);

#endif
