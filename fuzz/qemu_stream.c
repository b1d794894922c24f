/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole QEMU streams: read as they are, which is from the end, and with a byte
 * behind, which is from the start. Whatever comes out, a place that could be
 * written to is in a `cpu` section, and a repair holds what fuzz/repair.h says.
 */
#include "base/bytes.h"
#include "fuzz/repair.h"
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

static void check_open(const uint8_t *data, size_t size)
{
	static struct xf_evidence *guest;
	struct xf_state *state = open_data(data, size);

	if (!state)
		return;
	must(guest || !xf_evidence_from_mask("0x3", &guest));
	must(xf_state_vcpu_count(state));
	for (size_t i = 0; i < xf_state_vcpu_count(state); i++)
		check_vcpu(xf_state_vcpu(state, i), data, size);
	check_repair_of(state, guest, data, size);
	xf_state_close(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *longer = malloc(size + 1);

	must(longer);
	if (size)
		memcpy(longer, data, size);
	longer[size] = 0;
	check_open(data, size);
	check_open(longer, size + 1);
	free(longer);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_stream(data, size, max, seed, 0);
}
#endif
