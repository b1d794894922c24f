/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "flow.h"

/* The far sides of two pipes. */
struct far {
	const struct bytes *in;
	struct bytes *out;
	int to, from;
	size_t chunk;
	unsigned int pause; /* microseconds before each read */
};

static void *feed(void *data)
{
	const struct far *far = data;

	for (size_t at = 0; at < far->in->size;) {
		size_t left = far->in->size - at;
		ssize_t n = write(far->to, far->in->p + at, left < far->chunk ? left : far->chunk);

		if (n < 0)
			break; /* nobody reads any more */
		at += (size_t)n;
	}
	close(far->to);
	return NULL;
}

static void *drain(void *data)
{
	const struct far *far = data;
	uint8_t chunk[65536];
	ssize_t n;

	do {
		if (far->pause)
			usleep(far->pause);
		n = read(far->from, chunk, far->chunk < sizeof(chunk) ? far->chunk : sizeof(chunk));
		if (n > 0)
			bytes_add(far->out, chunk, (size_t)n);
	} while (n > 0);
	close(far->from);
	return NULL;
}

static void through_pipes(const struct bytes *in, enum ends ends,
			  const struct xf_filter_options *options, struct result *result)
{
	int flags = O_CLOEXEC;
	int first[2], second[2];
	pthread_t feeder, drainer;

	assert_int_equal(pipe2(first, flags), 0);
	assert_int_equal(pipe2(second, flags), 0);
	if (ends == NO_WAIT) {
		assert_int_equal(fcntl(first[0], F_SETFL, O_NONBLOCK), 0);
		assert_int_equal(fcntl(second[1], F_SETFL, O_NONBLOCK), 0);
	}

	struct far far = {
		.in = in,
		.out = &result->out,
		.to = first[1],
		.from = second[0],
		.chunk = ends == BYTES	   ? 1
			 : ends == NO_WAIT ? 5000
					   : 65536,
		.pause = ends == NO_WAIT ? 200 : 0,
	};

	assert_int_equal(pthread_create(&feeder, NULL, feed, &far), 0);
	assert_int_equal(pthread_create(&drainer, NULL, drain, &far), 0);
	result->err = xf_filter(first[0], second[1], options, &result->filtered);
	close(first[0]);
	close(second[1]);
	pthread_join(feeder, NULL);
	pthread_join(drainer, NULL);
}

static void through_files(const struct bytes *in, const struct xf_filter_options *options,
			  struct result *result)
{
	struct file from = file_of(in->p, in->size);
	struct file to = file_of("", 0);
	uint8_t chunk[65536];
	ssize_t n;

	result->err = xf_filter(from.fd, to.fd, options, &result->filtered);
	while ((n = pread(to.fd, chunk, sizeof(chunk), (off_t)result->out.size)) > 0)
		bytes_add(&result->out, chunk, (size_t)n);
	assert_int_equal(n, 0);
	close(from.fd);
	close(to.fd);
}

struct result send_through(const struct bytes *in, enum ends ends,
			   const struct xf_filter_options *options)
{
	struct xf_filter_options own = *options;
	struct result result = { 0 };

	own.flow = &result.flow;
	if (ends == FILES)
		through_files(in, &own, &result);
	else
		through_pipes(in, ends, &own, &result);
	assert_true(result.err ? !result.filtered : result.filtered != NULL);
	assert_int_equal(result.flow.out, result.out.size);
	return result;
}

void result_free(struct result *result)
{
	xf_error_free(result->err);
	xf_filtered_free(result->filtered);
	bytes_free(&result->out);
	*result = (struct result){ 0 };
}

struct bytes edited(const struct bytes *in, const struct xf_evidence *guest)
{
	struct bytes out = { 0 };
	struct xf_state *state;
	struct xf_report *report;

	bytes_add(&out, in->p, in->size);
	assert_opened(open_bytes(in->p, in->size, &state));
	assert_opened(xf_check(state, guest, NULL, XF_ALL, &report));
	for (size_t i = 0; i < report->edit_count; i++)
		memcpy(out.p + report->edits[i].offset, report->edits[i].new_bytes,
		       report->edits[i].length);
	xf_report_free(report);
	xf_state_close(state);
	return out;
}
