/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed save images. The input is what is packed, so that mutations get behind the checksums;
 * four bytes before it choose the packing and what is spoilt in the packed bytes:
 *
 *	0	the packing; bits 2 and 3: nothing is spoilt, a byte is, it is cut, bytes follow
 *	1 2 3	where (in 65,536ths of the packed bytes), and with what
 *
 * Packed, a stream is read as it is through a pipe; spoilt, it is read the same or not at all. A
 * repair in place can be taken back to the byte, and what it has made needs none.
 */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bytes.h"
#include "fuzz/stream_mutator.h"
#include "xferry.h"

#define CHOICE 4
#define HEADER 92
#define TEXT 256
#define PACKED_MAX (1 << 18)
#define PIPE_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	uint8_t kind; /* as libvirt counts them */
	int filter;
	const char *option[3];
	bool checked; /* the packing has a checksum of the data, as it is packed here */
	bool repaired;
} packings[] = {
	{ 1, ARCHIVE_FILTER_GZIP, { "gzip", "compression-level", "1" }, true, true },
	{ 2, ARCHIVE_FILTER_BZIP2, { "bzip2", "compression-level", "1" }, true, true },
	{ 3, ARCHIVE_FILTER_XZ, { "xz", "compression-level", "0" }, true, false },
	/* Packed anew by a program. */
	{ 5, ARCHIVE_FILTER_ZSTD, { "zstd", "compression-level", "1" }, false, false },
};

enum { SOUND, A_BYTE, CUT, LONGER };

static char place[64], image_path[80], kept_path[96], undo_path[96];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void forget(void)
{
	unlink(image_path);
	unlink(kept_path);
	unlink(undo_path);
	rmdir(place);
}

static void prepare(void)
{
	if (*place)
		return;
	snprintf(place, sizeof(place), "/dev/shm/xferry-fuzz-packed-XXXXXX");
	must(mkdtemp(place));
	snprintf(image_path, sizeof(image_path), "%s/image", place);
	snprintf(kept_path, sizeof(kept_path), "%s.xforig", image_path);
	snprintf(undo_path, sizeof(undo_path), "%s.xfundo", image_path);
	atexit(forget);
}

static size_t pack(const uint8_t *data, size_t size, unsigned int packing, uint8_t *out)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	const char *const *option = packings[packing].option;
	size_t used = 0;

	archive_entry_set_filetype(entry, AE_IFREG);
	must(archive_write_set_format_raw(archive) == ARCHIVE_OK &&
	     archive_write_add_filter(archive, packings[packing].filter) == ARCHIVE_OK &&
	     archive_write_set_filter_option(archive, option[0], option[1], option[2]) ==
		     ARCHIVE_OK &&
	     archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK &&
	     archive_write_open_memory(archive, out, PACKED_MAX, &used) == ARCHIVE_OK &&
	     archive_write_header(archive, entry) == ARCHIVE_OK &&
	     archive_write_data(archive, data, size) == (la_ssize_t)size);
	archive_entry_free(entry);
	must(archive_write_free(archive) == ARCHIVE_OK);
	return used;
}

static void make_head(uint8_t *head, uint8_t kind)
{
	/* The guest's CPU has neither AVX nor PKU: there is something to repair. */
	static const char xml[] = "<domain><cpu><model>qemu64</model></cpu></domain>";

	memset(head, 0, HEADER + TEXT);
	memcpy(head, "LibvirtQemudSave", 16);
	xf_put_le32(head + 16, 2);
	xf_put_le32(head + 20, TEXT);
	xf_put_le32(head + 28, kind);
	memcpy(head + HEADER, xml, sizeof(xml));
}

static struct xf_state *open_at(const char *path)
{
	struct xf_state *state = NULL;
	struct xf_error *err = xf_state_open(path, NULL, &state);

	if (err) {
		must(err->text && !strchr(err->text, '\n'));
		xf_error_free(err);
	}
	return state;
}

static struct xf_state *open_image(const uint8_t *packed, size_t size, uint8_t kind)
{
	uint8_t head[HEADER + TEXT];
	int fd = open(image_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	make_head(head, kind);
	must(fd >= 0 && write(fd, head, sizeof(head)) == sizeof(head) &&
	     write(fd, packed, size) == (ssize_t)size);
	close(fd);
	return open_at(image_path);
}

static struct xf_state *open_piped(const uint8_t *data, size_t size)
{
	struct xf_state *state;
	char path[64];
	int fds[2];

	must(pipe2(fds, O_CLOEXEC) == 0 && write(fds[1], data, size) == (ssize_t)size);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	state = open_at(path);
	close(fds[0]);
	return state;
}

static void must_be_alike(const struct xf_state *a, const struct xf_state *b)
{
	must(xf_state_vcpu_count(a) == xf_state_vcpu_count(b));
	for (size_t i = 0; i < xf_state_vcpu_count(a); i++) {
		const struct xf_vcpu *one = xf_state_vcpu(a, i), *other = xf_state_vcpu(b, i);

		must(one->index == other->index && one->xstate_bv.value == other->xstate_bv.value &&
		     one->xstate_bv.offset == other->xstate_bv.offset &&
		     one->xcr0.value == other->xcr0.value && one->pkru.value == other->pkru.value);
	}
}

static uint8_t *slurp(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	must(fd >= 0 && fstat(fd, &st) == 0);

	uint8_t *bytes = malloc((size_t)st.st_size + 1);

	must(bytes && read(fd, bytes, (size_t)st.st_size) == st.st_size);
	close(fd);
	*size = (size_t)st.st_size;
	return bytes;
}

static void check_repaired(const struct xf_state *before, const struct xf_report *old)
{
	struct xf_state *after = open_at(image_path);
	struct xf_report *report;

	must(after && xf_state_vcpu_count(after) == xf_state_vcpu_count(before));
	must(!xf_check(after, NULL, NULL, XF_ALL, &report));
	must(!report->edit_count && !report->droppable);
	for (size_t i = 0; i < xf_state_vcpu_count(after); i++)
		must(xf_state_vcpu(after, i)->xstate_bv.value ==
		     (xf_state_vcpu(before, i)->xstate_bv.value & ~old->vcpus[i].drop));
	xf_report_free(report);
	xf_state_close(after);
}

static void repair(const struct xf_state *state)
{
	struct xf_undo_result result;
	struct xf_report *report;
	size_t size, again_size;

	must(!xf_check(state, NULL, NULL, XF_ALL, &report));
	if (report->edit_count) {
		uint8_t *before = slurp(image_path, &size);

		must(!xf_fix_in_place(state, report, NULL, NULL));
		check_repaired(state, report);
		must(!xf_undo(undo_path, &result));
		free(result.path);

		uint8_t *after = slurp(image_path, &again_size);

		must(size == again_size && memcmp(before, after, size) == 0);
		must(access(kept_path, F_OK) != 0 && access(undo_path, F_OK) != 0);
		free(before);
		free(after);
	}
	xf_report_free(report);
}

static size_t spoil(uint8_t *packed, size_t size, const uint8_t *choice)
{
	size_t at = size * (choice[1] << 8 | choice[2]) / 65536;

	switch (choice[0] >> 2 & 3) {
	case A_BYTE:
		packed[at] ^= choice[3] ? choice[3] : 1;
		return size;
	case CUT:
		return at;
	case LONGER:
		memset(packed + size, choice[3], choice[2] + 1u);
		return size + choice[2] + 1u;
	default:
		return size;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packed[PACKED_MAX + 256];
	unsigned int packing;

	prepare();
	if (size < CHOICE + 1 || size - CHOICE > PIPE_MAX)
		return 0;
	packing = data[0] & 3;

	struct xf_state *plain = open_piped(data + CHOICE, size - CHOICE);
	size_t packed_size = pack(data + CHOICE, size - CHOICE, packing, packed);
	bool sound = (data[0] >> 2 & 3) == SOUND;

	packed_size = spoil(packed, packed_size, data);

	struct xf_state *state = open_image(packed, packed_size, packings[packing].kind);

	must(!sound || !state == !plain);
	if (state && (sound || packings[packing].checked)) {
		must(plain);
		must_be_alike(plain, state);
	}
	if (state && packings[packing].repaired)
		repair(state);
	xf_state_close(state);
	xf_state_close(plain);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_stream(data, size, max, seed, CHOICE);
}
#endif
