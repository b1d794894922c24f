/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds of every file of a process: nothing of it is ever to be edited. */
#ifndef XF_FUZZ_PROCESS_H
#define XF_FUZZ_PROCESS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xferry.h"

static void check_opened(const struct xf_state *state, size_t size)
{
	struct xf_evidence *guest = NULL;
	struct xf_report *report = NULL;

	if (!xf_state_vcpu_count(state) || !xf_state_read_only(state) ||
	    xf_evidence_from_mask("x87,sse", &guest) ||
	    xf_check(state, guest, NULL, XF_ALL, &report))
		abort();
	if (report->edit_count || report->droppable)
		abort();
	for (size_t i = 0; i < xf_state_vcpu_count(state); i++) {
		const struct xf_vcpu *vcpu = xf_state_vcpu(state, i);

		if (vcpu->xstate_bv.offset >= size || vcpu->pkru.offset >= size ||
		    vcpu->xcr0.offset >= size)
			abort();
	}
	xf_report_free(report);
	xf_evidence_free(guest);
}

/* Opens the input behind the bytes by which its format is recognised. */
static void check_process(const void *magic, size_t magic_size, const uint8_t *data, size_t size)
{
	int fd = memfd_create("process", MFD_CLOEXEC);
	struct xf_state *state = NULL;
	const char *format;
	struct xf_error *err;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size ||
	    pwrite(fd, magic, magic_size, 0) != (ssize_t)magic_size)
		abort();
	size = size < magic_size ? magic_size : size;
	if (xf_format_at(path, &format))
		abort();
	err = xf_state_open(path, NULL, &state);
	/* What a walk over a directory would leave out is no state. */
	if (!err && !format)
		abort();
	if (err) {
		if (!err->text || strchr(err->text, '\n'))
			abort();
		xf_error_free(err);
	} else {
		check_opened(state, size);
		xf_state_close(state);
	}
	close(fd);
}

#endif
