/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the environment asks for: XFERRY_GUARD, XFERRY_GUARD_ONLY, XFERRY_GUARD_LOG.
 * Read once, when the library is loaded; a program that is not a VMM hears nothing of
 * it, so what is wrong is kept until the first vCPU is made.
 */
#ifndef XF_GUARD_SETTINGS_H
#define XF_GUARD_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum xf_log_kind { XF_LOG_STDERR, XF_LOG_SYSLOG, XF_LOG_FILE };

#define XF_COMPLAINTS 3
#define XF_COMPLAINT_MAX 240

struct xf_settings {
	bool trim;     /* else observe */
	uint64_t only; /* the components that may be dropped */
	enum xf_log_kind log;
	char log_path[PATH_MAX];
	/* One clause for each setting that is wrong; "" where none is. */
	char complaint[XF_COMPLAINTS][XF_COMPLAINT_MAX];
};

/* Each text may be NULL: not set. */
void xf_settings_parse(const char *mode, const char *only, const char *log,
		       struct xf_settings *out);

/* Complains of the log's path, which was taken, and cannot be written to for `error`. */
void xf_settings_refuse_log(const char *error, struct xf_settings *settings);

/* Those of this process. */
extern struct xf_settings xf_settings;

#endif
