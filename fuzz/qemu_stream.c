/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole QEMU streams: read as they are, which is from the end, and with a byte
 * behind, which is from the start. Whatever comes out, a place that could be
 * written to is in a `cpu` section.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fuzz/stream_mutator.h"
#include "xferry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vcpu(const struct xf_vcpu *vcpu, const uint8_t *data, size_t size)
{
	uint64_t at = vcpu->xstate_bv.offset;

	if (vcpu->xstate_bv.size != 8 || at < 17 + 1553 || at + 8 > size ||
	    xf_be64(data + at) != vcpu->xstate_bv.value)
		abort();

	const uint8_t *head = data + at - 1553 - 17;

	if (head[0] != 4 || memcmp(head + 5, "\3cpu", 4) != 0 || xf_be32(head + 9) != vcpu->index ||
	    xf_be32(head + 13) != 12)
		abort();
	if (vcpu->pkru.size &&
	    (vcpu->pkru.size != 4 || vcpu->pkru.offset < at + 8 || vcpu->pkru.offset + 4 > size ||
	     memcmp(data + vcpu->pkru.offset - 12, "cpu/pkru", 8) != 0))
		abort();
}

static void check_open(const char *path, const uint8_t *data, size_t size)
{
	struct xf_state *state;
	struct xf_error *err = xf_state_open(path, NULL, &state);

	if (err) {
		if (strchr(err->text, '\n') || !err->file)
			abort();
		xf_error_free(err);
		return;
	}
	if (xf_state_vcpu_count(state) == 0)
		abort();
	for (size_t i = 0; i < xf_state_vcpu_count(state); i++)
		check_vcpu(xf_state_vcpu(state, i), data, size);
	xf_state_close(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	check_open(path, data, size);
	if (ftruncate(fd, (off_t)size + 1) < 0)
		abort();
	check_open(path, data, size);
	close(fd);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_stream(data, size, max, seed, 0);
}
#endif
