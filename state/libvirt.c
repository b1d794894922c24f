/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's save images: virsh save, managedsave, and snapshots with memory. A header, XML,
 * a cookie (state/libvirt_head.h), then QEMU's stream, as it is or compressed.
 *
 * Raw and sparse, the stream's addresses are the file's, and bytes are changed in their
 * place. Compressed, they count in the unpacked stream, and a repair packs it anew.
 */
#include <string.h>

#include "base/io.h"
#include "base/scope.h"
#include "host/evidence.h"
#include "host/text.h"
#include "state/edit.h"
#include "state/libvirt_head.h"
#include "state/pack.h"
#include "state/qemu.h"
#include "state/state.h"
#include "state/unpack.h"

#define CHUNK (128 * 1024)
/* What may be packed behind the stream and is read for the checksum that follows it. */
#define BEHIND_MAX ((uint64_t)16 << 20)

static bool recognise(const uint8_t *head, size_t size)
{
	return size >= XF_LIBVIRT_MAGIC_SIZE &&
	       (memcmp(head, "LibvirtQemudSave", XF_LIBVIRT_MAGIC_SIZE) == 0 ||
		memcmp(head, "LibvirtQemudPart", XF_LIBVIRT_MAGIC_SIZE) == 0);
}

/* ---- What tells of the guest ---- */

/* XML behind its declaration, should it have one. */
static const char *body_of(const char *xml)
{
	const char *end = strncmp(xml, "<?xml", 5) == 0 ? strstr(xml, "?>") : NULL;

	return end ? end + 2 : xml;
}

static void put_body(char *document, const struct xf_libvirt_head *head, const char *xml)
{
	const char *body = body_of(xml);

	memcpy(document + XF_LIBVIRT_HEADER_SIZE + (body - head->text), body, strlen(body));
}

/*
 * Both texts as one document, of the kind that libvirt itself keeps both in: which of the
 * two counts for what is known where that is read. Each stands where it does in the file, so that
 * a place in the document is one in the file.
 */
static char *document_of(const struct xf_libvirt_head *head)
{
	static const char open[] = "<domainsnapshot>", close[] = "</domainsnapshot>";
	const char *last = head->cookie ? head->cookie : head->xml;
	size_t size = XF_LIBVIRT_HEADER_SIZE + (size_t)(last - head->text) + strlen(last);
	char *document = malloc(size + sizeof(close));

	if (!document)
		return NULL;
	memset(document, ' ', size);
	memcpy(document, open, strlen(open));
	put_body(document, head, head->xml);
	if (head->cookie)
		put_body(document, head, head->cookie);
	memcpy(document + size, close, sizeof(close));
	return document;
}

/* XML that tells nothing, or is too much, is no reason not to read the stream. */
static struct xf_error *read_evidence(const char *name, const struct xf_libvirt_head *head,
				      struct xf_evidence **out)
{
	XF_AUTO_FREE char *text = document_of(head);

	if (!text)
		return xf_error_memory();

	struct xf_error *err = xf_evidence_of_xml(name, text, strlen(text), out);

	if (err && (err->code == XF_ERR_USAGE || err->code == XF_ERR_FORMAT)) {
		xf_error_free(err);
		return NULL;
	}
	return err;
}

/* ---- Reading ---- */

static void scope_close_unpack(struct xf_unpack **unpack)
{
	xf_unpack_close(*unpack);
}

static struct xf_error *read_packed(const struct xf_libvirt_head *head, struct xf_view *file,
				    struct xf_record *record)
{
	XF_AUTO(scope_close_unpack) struct xf_unpack *unpack = NULL;

	XF_TRY(xf_unpack_open(head->packing, file, head->start, file->end, file->progress,
			      &unpack));
	XF_TRY(xf_qemu_read(xf_unpack_view(unpack), record));
	record->rewritten = true;
	return xf_unpack_finish(unpack, BEHIND_MAX);
}

static struct xf_error *read_stream(struct xf_input *input, const struct xf_libvirt_head *head,
				    struct xf_record *record)
{
	struct xf_view file = xf_view_of_input(input, head->start);

	return head->packing ? read_packed(head, &file, record) : xf_qemu_read(&file, record);
}

static void scope_deinit_record(struct xf_record *record)
{
	xf_record_deinit(record, &xf_format_libvirt);
}

static struct xf_error *read_image(struct xf_input *input, struct xf_record *out)
{
	struct xf_view file = xf_view_of_input(input, 0);
	XF_AUTO(xf_libvirt_head_deinit) struct xf_libvirt_head head = { 0 };
	XF_AUTO(scope_deinit_record) struct xf_record record = { 0 };

	XF_TRY(xf_libvirt_head_read(&file, &head));
	XF_TRY(read_evidence(input->path, &head, &record.evidence));
	record.title = xf_text("libvirt save image, %s", head.packed);
	if (!record.title)
		return xf_error_memory();
	XF_TRY(read_stream(input, &head, &record));
	*out = record;
	record = (struct xf_record){ 0 };
	return NULL;
}

/* ---- Packing anew ---- */

/* The stream on its way from the old file to the new one, and what is to be changed in it. */
struct passage {
	struct xf_view *from;
	struct xf_pack *to;
	const struct xf_edit *edits; /* those that are still to come */
	size_t count;
	uint64_t at;   /* of the first byte that is held back */
	size_t filled; /* how much is held back */
	uint8_t bytes[CHUNK];
};

/* The edits that lie whole within what is held back. */
static struct xf_error *edit_bytes(struct passage *passage, const char *name)
{
	uint64_t end = passage->at + passage->filled;
	size_t count = 0;
	struct xf_edited bytes = {
		.path = name,
		.bytes = passage->bytes,
		.offset = passage->at,
		.size = passage->filled,
	};

	while (count < passage->count && xf_edit_end(&passage->edits[count]) <= end)
		count++;
	XF_TRY(xf_edits_verify(&bytes, passage->edits, count));
	XF_TRY(xf_edits_write(&bytes, passage->edits, count));
	passage->edits += count;
	passage->count -= count;
	return NULL;
}

/* Packs what no edit that is still to come has a part in. */
static struct xf_error *let_go(struct passage *passage)
{
	size_t size = passage->filled;

	if (passage->count && passage->edits[0].offset < passage->at + size)
		size = (size_t)(passage->edits[0].offset - passage->at);
	XF_TRY(xf_pack_write(passage->to, passage->bytes, size));
	memmove(passage->bytes, passage->bytes + size, passage->filled - size);
	passage->at += size;
	passage->filled -= size;
	return NULL;
}

static struct xf_error *pass_on(struct passage *passage)
{
	struct xf_view *from = passage->from;
	size_t got = 1;

	while (got) {
		XF_TRY(from->read(from, passage->at + passage->filled,
				  passage->bytes + passage->filled, CHUNK - passage->filled, &got));
		passage->filled += got;
		XF_TRY(edit_bytes(passage, from->name));
		XF_TRY(let_go(passage));
	}
	if (passage->count)
		return xf_error_at(XF_ERR_REFUSED, from->name, passage->edits[0].offset,
				   "the stream ends before what is to be edited: the file has "
				   "changed");
	return NULL;
}

static void scope_close_pack(struct xf_pack **pack)
{
	xf_pack_close(*pack);
}

/* Header, XML and cookie are copied as they are. */
static struct xf_error *copy_head(const struct xf_input *input, uint64_t size, int fd,
				  const char *path)
{
	XF_AUTO_FREE uint8_t *bytes = malloc(size);

	if (!bytes)
		return xf_error_memory();
	XF_TRY(xf_read_at(input->fd, input->path, 0, bytes, size));
	return xf_write_at(fd, path, 0, bytes, size);
}

static struct xf_error *rewrite(const struct xf_state *state, const struct xf_report *report,
				int fd, const char *path, const struct xf_progress *progress)
{
	/* A view reads only; but it may be one of a pipe, so it does not promise that. */
	struct xf_view file = xf_view_of_input((struct xf_input *)&state->input, 0);
	XF_AUTO(xf_libvirt_head_deinit) struct xf_libvirt_head head = { 0 };
	XF_AUTO(scope_close_unpack) struct xf_unpack *unpack = NULL;
	XF_AUTO(scope_close_pack) struct xf_pack *pack = NULL;
	XF_AUTO_FREE struct passage *passage = calloc(1, sizeof(*passage));

	if (!passage)
		return xf_error_memory();
	XF_TRY(xf_libvirt_head_read(&file, &head));
	if (!head.packing)
		return xf_error_new(XF_ERR_REFUSED, state->name,
				    "is not compressed any more: the file has changed");
	XF_TRY(copy_head(&state->input, head.start, fd, path));
	XF_TRY(xf_unpack_open(head.packing, &file, head.start, file.end, progress, &unpack));
	XF_TRY(xf_pack_open(head.packing, fd, path, head.start, &pack));
	passage->from = xf_unpack_view(unpack);
	passage->to = pack;
	passage->edits = report->edits;
	passage->count = report->edit_count;
	XF_TRY(pass_on(passage));
	return xf_pack_finish(pack);
}

const struct xf_format xf_format_libvirt = {
	.name = "libvirt",
	.title = "libvirt save image",
	.recognise = recognise,
	.read = read_image,
	.rewrite = rewrite,
};
