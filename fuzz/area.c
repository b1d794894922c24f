/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw areas. The first byte chooses the layouts that the area has and gets and what the guest
 * was shown; what follows is the area, with zeros up to KVM's least. What is laid out anew must be
 * an area of the new layout with the same components in use, and back again the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xferry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xf_layout *const layouts[] = {
	&xf_layout_intel,
	&xf_layout_amd,
	&xf_layout_amd_avx512,
	&xf_layout_intel,
};
static const char *const shown[] = { NULL, "x87,sse", "0xff", "0xffffffffffffffff" };

/* What is opened, for the layout that it is opened as. */
struct opened {
	struct xf_state *state;
	struct xf_report *report;
};

static void check_error(struct xf_error *err)
{
	if (!err->text || strchr(err->text, '\n'))
		abort();
	xf_error_free(err);
}

static bool open_area(const char *path, const struct xf_layout *layout, const char *mask,
		      struct opened *out)
{
	struct xf_evidence *guest = NULL;
	struct xf_error *err = xf_state_open_area(path, layout, &out->state);

	if (err) {
		check_error(err);
		return false;
	}
	if (mask && xf_evidence_from_mask(mask, &guest))
		abort();
	if (xf_check(out->state, guest, NULL, XF_ALL, &out->report))
		abort();
	xf_evidence_free(guest);
	return true;
}

static void close_area(struct opened *opened)
{
	xf_report_free(opened->report);
	xf_state_close(opened->state);
}

/* Every edit is within the file and holds what is there. */
static void check_edits(const struct opened *opened, const char *path)
{
	FILE *file = fopen(path, "rbe");
	uint8_t bytes[XF_EDIT_MAX];

	for (size_t i = 0; i < opened->report->edit_count; i++) {
		const struct xf_edit *edit = &opened->report->edits[i];

		if (!file || fseek(file, (long)edit->offset, SEEK_SET) != 0 ||
		    fread(bytes, 1, edit->length, file) != edit->length ||
		    memcmp(bytes, edit->old_bytes, edit->length) != 0)
			abort();
	}
	if (file)
		fclose(file);
}

static void relay(const struct opened *from, const struct xf_layout *to, const char *path)
{
	struct opened relaid = { 0 };
	struct xf_error *err;

	unlink(path);
	err = xf_fix_relaid(from->state, from->report, to, path);
	if (err) {
		if (access(path, F_OK) == 0)
			abort();
		check_error(err);
		return;
	}
	if (!open_area(path, to, NULL, &relaid))
		abort();
	if (xf_state_vcpu(relaid.state, 0)->xstate_bv.value !=
		    (xf_state_vcpu(from->state, 0)->xstate_bv.value & ~from->report->droppable) ||
	    xf_state_vcpu(relaid.state, 0)->xcomp_bv)
		abort();
	close_area(&relaid);
	unlink(path);
}

static void check_area(const char *path, uint8_t choice)
{
	static char copy[64];
	struct opened opened = { 0 };

	if (!*copy)
		snprintf(copy, sizeof(copy), "/dev/shm/xferry-fuzz-area-%d", (int)getpid());
	if (!open_area(path, layouts[choice & 3], shown[choice >> 4 & 3], &opened))
		return;
	check_edits(&opened, path);
	relay(&opened, layouts[choice >> 2 & 3], copy);
	close_area(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("area", MFD_CLOEXEC);
	char path[64];

	if (!size) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1 ||
	    (size <= XF_KVM_XSAVE_SIZE && ftruncate(fd, XF_KVM_XSAVE_SIZE) < 0))
		abort();
	check_area(path, data[0]);
	close(fd);
	return 0;
}
