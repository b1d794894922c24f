/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two hooks: where KVM takes a vCPU's XSAVE area, and where it gives it. */
#ifndef XF_KMOD_HOOKS_H
#define XF_KMOD_HOOKS_H

#include <linux/types.h>

/* 0, or why the kernel cannot be hooked there; it has been said in the log. */
int xf_set_start(void);
void xf_set_stop(void);

/* Calls that the kprobe let pass unseen. */
unsigned long xf_set_missed(void);

/*
 * GET is hooked only while it is wanted. What is wanted before xf_get_start is kept
 * until then. The change gives 0, or why not, which has been said in the log.
 */
int xf_get_want(bool on);
bool xf_get_wanted(void);
void xf_get_start(void);
void xf_get_stop(void);
unsigned long xf_get_missed(void);

#endif
