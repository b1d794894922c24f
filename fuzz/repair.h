/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens a file, has it judged and repaired, and aborts where what must hold does not: nothing is
 * dropped that the guest was shown or may have been, a repaired file has nothing more to repair,
 * and the answer is the same a second time.
 */
#ifndef XF_FUZZ_REPAIR_H
#define XF_FUZZ_REPAIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xferry.h"

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

static inline struct xf_state *open_data(const uint8_t *data, size_t size)
{
	int fd = memfd_create("state", MFD_CLOEXEC);
	struct xf_state *state = NULL;
	struct xf_error *err;
	char path[64];

	must(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = xf_state_open(path, NULL, &state);
	if (err)
		must(!strchr(err->text, '\n') && err->file);
	xf_error_free(err);
	close(fd);
	return state;
}

/* `guest` NULL: by what the file itself tells. */
static inline struct xf_report *judge(const struct xf_state *state, const struct xf_evidence *guest)
{
	struct xf_report *report;

	must(!xf_check(state, guest, NULL, XF_ALL, &report));
	for (size_t i = 0; i < report->vcpu_count; i++)
		must(!(report->vcpus[i].drop & (report->guest.shown | ~report->guest.known)));
	return report;
}

/* Edits are in the file, in order, apart from each other, and of what is there. */
static inline void apply_edits(const struct xf_report *report, uint8_t *data, size_t size)
{
	uint64_t end = 0;

	for (size_t i = 0; i < report->edit_count; i++) {
		const struct xf_edit *edit = &report->edits[i];

		must(edit->length && edit->length <= XF_EDIT_MAX);
		must(edit->offset >= end && edit->offset + edit->length <= size);
		must(memcmp(data + edit->offset, edit->old_bytes, edit->length) == 0);
		memcpy(data + edit->offset, edit->new_bytes, edit->length);
		end = edit->offset + edit->length;
	}
}

/* The repaired file has the same vCPUs without what was dropped, and nothing more to drop. */
static inline void check_repaired(const struct xf_state *state, const struct xf_report *report,
				  const struct xf_evidence *guest, const uint8_t *data, size_t size)
{
	struct xf_state *after = open_data(data, size);

	must(after && xf_state_vcpu_count(after) == xf_state_vcpu_count(state));
	for (size_t i = 0; i < xf_state_vcpu_count(state); i++) {
		const struct xf_vcpu *old = xf_state_vcpu(state, i);
		const struct xf_vcpu *new = xf_state_vcpu(after, i);

		must(old->index == new->index && old->xcr0.value == new->xcr0.value);
		must(new->xstate_bv.value == (old->xstate_bv.value & ~report->vcpus[i].drop));
	}

	struct xf_report *again = judge(after, guest);

	must(!again->droppable && !again->edit_count);
	xf_report_free(again);
	xf_state_close(after);
}

/* A state that was opened from these bytes, and whose edits are of them. */
static inline void check_repair_of(const struct xf_state *state, const struct xf_evidence *guest,
				   const uint8_t *data, size_t size)
{
	struct xf_report *report = judge(state, guest), *again = judge(state, guest);
	uint8_t *copy = malloc(size);

	must(report->edit_count == again->edit_count && report->droppable == again->droppable &&
	     report->finding_count == again->finding_count);
	must(copy);
	memcpy(copy, data, size);
	apply_edits(report, copy, size);
	check_repaired(state, report, guest, copy, size);
	free(copy);
	xf_report_free(again);
	xf_report_free(report);
}

/* For the formats that are their own evidence. */
static inline void check_repair(const uint8_t *data, size_t size)
{
	struct xf_state *state = open_data(data, size);

	if (!state)
		return;
	must(xf_state_vcpu_count(state));
	check_repair_of(state, NULL, data, size);
	xf_state_close(state);
}

#endif
