/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

/* Shorter work needs no progress line; a line changes so often at most. */
#define QUIET_MS 500
#define REDRAW_MS 100

unsigned int put_error(const struct xf_error *err, FILE *to)
{
	fprintf(to, "xferry: %s\n", err->text);
	switch (err->code) {
	case XF_ERR_USAGE:
	case XF_ERR_SEVERAL:
		return STATUS_USAGE;
	case XF_ERR_FORMAT:
		return STATUS_FORMAT;
	default:
		return STATUS_ERROR;
	}
}

unsigned int complain(struct xf_error *err)
{
	fflush(stdout); /* where both go to one file, in the order of time */

	unsigned int status = put_error(err, stderr);

	xf_error_free(err);
	return status;
}

void put_printable(const char *text, FILE *to)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* U+0080 to U+009F steer a terminal too; in UTF-8 they begin with 0xc2. */
		bool steers = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		putc(*p < ' ' || *p == 0x7f || steers ? '?' : *p, to);
		p += steers;
	}
}

unsigned int usage(const struct verb *verb, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	fprintf(stderr, "xferry %s: ", verb->name);
	put_printable(text ? text : "out of memory", stderr);
	fprintf(stderr, "; see 'xferry %s --help'\n", verb->name);
	free(text);
	return STATUS_USAGE;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Whether the line shall be drawn now. */
static bool is_due(struct progress *progress, int64_t now)
{
	if (now - progress->started < QUIET_MS || now - progress->shown < REDRAW_MS)
		return false;
	progress->shown = now;
	progress->visible = true;
	return true;
}

static void step(void *data, uint64_t done, uint64_t total)
{
	struct progress *progress = data;
	int64_t now = now_ms();

	if (!is_due(progress, now))
		return;
	fprintf(stderr, "\r%s: %" PRIu64 " MiB", progress->what, done >> 20);
	if (total)
		fprintf(stderr, " of %" PRIu64 " MiB (%u %%)", total >> 20,
			(unsigned int)((double)done * 100 / (double)total));
	else
		fprintf(stderr, ", %" PRIu64 " MiB/s",
			(done >> 10) * 1000 / (uint64_t)(now - progress->started) >> 10);
	fputs("   ", stderr);
}

void progress_count(struct progress *progress, uint64_t states, uint64_t others)
{
	if (progress->call.step && is_due(progress, now_ms()))
		fprintf(stderr, "\r%s: %" PRIu64 " states, %" PRIu64 " other files   ",
			progress->what, states, others);
}

struct progress progress_start(const char *what)
{
	return (struct progress){
		.call.step = isatty(STDERR_FILENO) ? step : NULL,
		.what = what,
		.started = now_ms(),
	};
}

void progress_end(struct progress *progress)
{
	if (progress->visible)
		fputs("\r\033[K", stderr);
	progress->visible = false;
}
