/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Says one line, where XFERRY_GUARD_LOG wants it. Never waits for whoever reads it: a
 * line that cannot be taken at once is lost. Keeps no file descriptor, since a program
 * that closes all of its own would get our lines into whatever has that number next.
 * errno stays as it is.
 */
#ifndef XF_GUARD_LOG_H
#define XF_GUARD_LOG_H

#include <sys/types.h>

/* Notes what standard error is. Called when the library is loaded. */
void xf_log_start(void);

/*
 * Opens the log's file, if there is one, as for a line, and closes it again: 0, or the
 * errno of what hinders it. What will not take the line that tells of it may take it now:
 * standard error, before the VMM goes into the background.
 */
int xf_log_probe(void);

/* "xferry-guard: pid=123 " and the text. */
void xf_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
