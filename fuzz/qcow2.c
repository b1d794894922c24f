/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole qcow2 images: listed, each state read, judged and repaired. Whatever the image says,
 * an edit only clears bits of bytes that are there, and behind a repair none is left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/qcow2_mutator.h"
#include "xferry.h"

#define MAX_STATES 4 /* of one image are repaired */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct image {
	const uint8_t *data;
	size_t size;
	struct xf_evidence *guest;
	char copy[64];
};

static void one_line(struct xf_error *err)
{
	if (strchr(err->text, '\n'))
		abort();
	xf_error_free(err);
}

static void check_edit(const struct image *image, const struct xf_edit *edit)
{
	if (!edit->length || edit->length > 8 || edit->offset > image->size ||
	    image->size - edit->offset < edit->length ||
	    memcmp(image->data + edit->offset, edit->old_bytes, edit->length) != 0)
		abort();
	/* No byte of the first cluster, whose size is 512 at least, is a state's. */
	if (edit->offset < 512)
		abort();
	for (uint32_t i = 0; i < edit->length; i++)
		if (edit->new_bytes[i] & ~edit->old_bytes[i])
			abort();
}

static struct xf_report *judge(const struct xf_state *state, const struct image *image)
{
	struct xf_report *report = NULL;
	struct xf_error *err = xf_check(state, image->guest, NULL, XF_ALL, &report);

	if (err)
		one_line(err);
	return report;
}

static void check_copy(const char *name, const struct image *image)
{
	struct xf_state *state;
	struct xf_report *report;

	if (xf_state_open(name, NULL, &state))
		abort();
	report = judge(state, image);
	if (!report || report->edit_count)
		abort();
	xf_report_free(report);
	xf_state_close(state);
}

/* `part` is what is behind the image's own name. */
static void repair(const struct xf_state *state, const struct xf_report *report, const char *part,
		   const struct image *image)
{
	char name[512];
	struct xf_error *err = xf_fix_copy(state, report, image->copy, NULL);

	if (err) {
		one_line(err);
		return;
	}
	snprintf(name, sizeof(name), "%s%s", image->copy, part);
	if (strlen(name) < sizeof(name) - 1)
		check_copy(name, image);
	unlink(image->copy);
}

static void check_state(const char *path, const char *part, const struct image *image)
{
	struct xf_state *state;
	struct xf_error *err = xf_state_open(path, NULL, &state);
	struct xf_report *report;

	if (err) {
		one_line(err);
		return;
	}
	report = judge(state, image);
	if (report) {
		for (size_t i = 0; i < report->edit_count; i++)
			check_edit(image, &report->edits[i]);
		if (report->edit_count && strcmp(xf_state_format(state), "qcow2") == 0)
			repair(state, report, part, image);
	}
	xf_report_free(report);
	xf_state_close(state);
}

static void check_image(const char *path, const struct image *image)
{
	struct xf_states *states;
	struct xf_error *err = xf_states_at(path, &states);

	if (err) {
		one_line(err);
		return;
	}
	for (size_t i = 0; i < states->count && i < MAX_STATES; i++)
		check_state(states->paths[i], states->paths[i] + strlen(path), image);
	xf_states_free(states);
	check_state(path, "", image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image = { .data = data, .size = size };
	int fd = memfd_create("image", MFD_CLOEXEC);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(image.copy, sizeof(image.copy), "/dev/shm/xferry-fuzz-%d", getpid());
	unlink(image.copy);
	if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size ||
	    xf_evidence_from_mask("0x3", &image.guest))
		abort();
	check_image(path, &image);
	xf_evidence_free(image.guest);
	close(fd);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_qcow2(data, size, max, seed);
}
#endif
