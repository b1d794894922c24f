/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams in flight, read by hand and by way of a pipe. Either all comes out, with no
 * other change than the edits of the report, or a start of it that has nothing of the
 * vCPUs; or, where that is wanted, all of it as it came.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/stream_mutator.h"
#include "xferry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More than a pipe may take at once is not sent through one. */
#define PIPE_MAX 65536

static int memory_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	return fd;
}

static int filled_pipe(const uint8_t *data, size_t size)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], data, size) != (ssize_t)size)
		abort();
	close(fds[1]);
	return fds[0];
}

/* What should have come out of a stream that was understood. */
static void apply(uint8_t *bytes, size_t size, const struct xf_report *report)
{
	for (size_t i = 0; i < report->edit_count; i++) {
		const struct xf_edit *edit = &report->edits[i];

		if (edit->offset > size || edit->length > size - edit->offset ||
		    memcmp(bytes + edit->offset, edit->old_bytes, edit->length) != 0)
			abort();
		memcpy(bytes + edit->offset, edit->new_bytes, edit->length);
	}
}

/* The place of the first vCPU's state, behind which nothing may have passed. */
static uint64_t first_value(const struct xf_state *state)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < xf_state_vcpu_count(state); i++) {
		uint64_t at = xf_state_vcpu(state, i)->xstate_bv.offset;

		first = at < first ? at : first;
	}
	return first;
}

static void check_error(struct xf_error *err)
{
	if (strchr(err->text, '\n') || err->code == XF_ERR_IO || err->code == XF_ERR_REFUSED)
		abort();
	xf_error_free(err);
}

static void check_filtered(struct xf_filtered *filtered, uint8_t *due, size_t size, size_t passed)
{
	switch (filtered->passage) {
	case XF_PASSED_EDITED:
		if (!filtered->report->edit_count)
			abort();
		apply(due, size, filtered->report);
		/* fall through */
	case XF_PASSED:
		if (passed != size || xf_state_vcpu_count(filtered->state) == 0 || filtered->why)
			abort();
		break;
	case XF_PASSED_UNKNOWN:
		if (passed != size || filtered->report || !filtered->why)
			abort();
		break;
	case XF_STOPPED:
		if (passed > first_value(filtered->state) ||
		    filtered->report->outcome_fixed != XF_OUTCOME_REFUSED)
			abort();
		break;
	}
	xf_filtered_free(filtered);
}

static void check(int in, const struct xf_filter_options *base, const uint8_t *data, size_t size)
{
	int out = memory_file(data, 0);
	struct xf_flow flow = { 0 };
	struct xf_filter_options options = *base;
	struct xf_filtered *filtered = NULL;
	uint8_t *due = malloc(size + 1), *came = malloc(size + 1);

	if (!due || !came)
		abort();
	memcpy(due, data, size);
	options.flow = &flow;

	struct xf_error *err = xf_filter(in, out, &options, &filtered);
	ssize_t passed = pread(out, came, size + 1, 0);

	if (passed < 0 || (size_t)passed > size || flow.out != (uint64_t)passed)
		abort();
	if (err)
		check_error(err);
	else
		check_filtered(filtered, due, size, (size_t)passed);
	if (memcmp(came, due, (size_t)passed) != 0)
		abort();
	free(due);
	free(came);
	close(out);
	close(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xf_evidence *guest;
	static struct xf_host *target;
	struct xf_filter_options options = { 0 };

	if (!guest && (xf_evidence_from_mask("0x3", &guest) ||
		       xf_host_open("preset:linux-6.2,-pku", &target)))
		abort();
	options.guest = guest;
	check(memory_file(data, size), &options, data, size);
	if (size <= PIPE_MAX)
		check(filled_pipe(data, size), &options, data, size);
	options.pass_unknown = true;
	options.max_tail = 1 + size / 2;
	check(memory_file(data, size), &options, data, size);
	options.guest = NULL;
	options.target = target;
	options.max_tail = 0;
	check(memory_file(data, size), &options, data, size);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_stream(data, size, max, seed, 0);
}
#endif
