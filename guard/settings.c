/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "guard/settings.h"

struct xf_settings xf_settings;

/* A setting from outside may have anything in it, and a line of the log is one line. */
static void make_quotable(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
		else if (*p == '"')
			*p = '\'';
}

/* Gives whether to trim. */
static bool parse_mode(const char *mode, char complaint[XF_COMPLAINT_MAX])
{
	if (!mode || !*mode || strcmp(mode, "observe") == 0)
		return false;
	if (strcmp(mode, "trim") == 0)
		return true;
	snprintf(complaint, XF_COMPLAINT_MAX,
		 "XFERRY_GUARD=%.64s: expected observe or trim; observing", mode);
	return false;
}

/* False: nothing may be dropped. */
static bool parse_only(const char *only, uint64_t *out, char complaint[XF_COMPLAINT_MAX])
{
	uint64_t mask;

	if (!only)
		return true;

	struct xf_error *err = xf_mask_from_text(only, &mask);

	if (err) {
		snprintf(complaint, XF_COMPLAINT_MAX, "XFERRY_GUARD_ONLY: %.160s; observing",
			 err->text);
		xf_error_free(err);
		return false;
	}
	*out = mask;
	return true;
}

static enum xf_log_kind parse_log(const char *log, char path[PATH_MAX],
				  char complaint[XF_COMPLAINT_MAX])
{
	if (!log || !*log || strcmp(log, "stderr") == 0)
		return XF_LOG_STDERR;
	if (strcmp(log, "syslog") == 0)
		return XF_LOG_SYSLOG;
	if (log[0] == '/' && strlen(log) < PATH_MAX) {
		strcpy(path, log);
		return XF_LOG_FILE;
	}
	snprintf(complaint, XF_COMPLAINT_MAX,
		 "XFERRY_GUARD_LOG=%.64s: expected stderr, syslog or an absolute path; "
		 "logging to stderr",
		 log);
	return XF_LOG_STDERR;
}

void xf_settings_parse(const char *mode, const char *only, const char *log, struct xf_settings *out)
{
	memset(out, 0, sizeof(*out));
	out->only = ~(uint64_t)0;
	out->trim = parse_mode(mode, out->complaint[0]);
	if (!parse_only(only, &out->only, out->complaint[1]))
		out->trim = false;
	out->log = parse_log(log, out->log_path, out->complaint[2]);
	for (size_t i = 0; i < XF_COMPLAINTS; i++)
		make_quotable(out->complaint[i]);
}

void xf_settings_refuse_log(const char *error, struct xf_settings *settings)
{
	char *complaint = settings->complaint[2];

	snprintf(complaint, XF_COMPLAINT_MAX, "XFERRY_GUARD_LOG=%.160s: %s; logging to stderr",
		 settings->log_path, error);
	make_quotable(complaint);
}
