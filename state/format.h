/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A format is one file under state/ that turns an input into a record: what the
 * vCPUs hold and at which file offset each value that may be edited lies.
 * To add one: write it, and name it in the table of state/state.c.
 */
#ifndef XF_STATE_FORMAT_H
#define XF_STATE_FORMAT_H

#include "state/input.h"

/* How many bytes from the start `recognise` is shown, if the input has them. */
#define XF_FORMAT_HEAD 4096

struct xf_record {
	char *machine; /* or NULL */
	enum xf_found_by found_by;
	struct xf_vcpu *vcpus; /* in the order of the stream */
	size_t vcpu_count;
};

void xf_record_deinit(struct xf_record *record);

struct xf_format {
	const char *name;
	bool (*recognise)(const uint8_t *head, size_t size);
	/*
	 * `head` has been read from the input already: of a pipe, these bytes are gone
	 * from it. Writes `*out` on success only.
	 */
	struct xf_error *(*read)(struct xf_input *input, const uint8_t *head, size_t head_size,
				 struct xf_record *out);
};

extern const struct xf_format xf_format_qemu;

/*
 * What a file is, as far as its first bytes tell, of which no format knows anything.
 * `verb` is the command that could read it once it is unpacked, "check -".
 */
struct xf_error *xf_format_unknown(const char *path, const char *verb, const uint8_t *head,
				   size_t size);

#endif
