/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "core/bytes.h"
#include "state/libvirt_head.h"

#define NUMBERS_AT XF_LIBVIRT_MAGIC_SIZE
#define NEWEST_VERSION 2
/* XML and cookie have some 10 KiB, and libvirt pads them with 64. */
#define TEXT_MAX ((uint32_t)64 << 20)

/* As the number in the header counts them. */
static const struct {
	const char *name;
	const struct xf_packing *packing;
} packed[] = {
	{ "raw", NULL },	  { "gzip", &xf_packing_gzip }, { "bzip2", &xf_packing_bzip2 },
	{ "xz", &xf_packing_xz }, { "lzop", &xf_packing_lzop }, { "zstd", &xf_packing_zstd },
	{ "sparse", NULL }, /* mapped RAM, in the file's own offsets */
};

struct header {
	uint32_t version;
	uint32_t text_size;
	uint32_t was_running;
	uint32_t packed;
	uint32_t cookie_at;
};

void xf_libvirt_head_deinit(struct xf_libvirt_head *head)
{
	free(head->text);
	*head = (struct xf_libvirt_head){ 0 };
}

static struct header get_header(const uint8_t *p, uint32_t (*get)(const uint8_t *))
{
	return (struct header){ get(p), get(p + 4), get(p + 8), get(p + 12), get(p + 16) };
}

static bool is_version(uint32_t version)
{
	return version >= 1 && version <= NEWEST_VERSION;
}

/* The version, which is small, tells the byte order. */
static struct xf_error *parse_header(const char *name, const uint8_t *bytes, struct header *out)
{
	struct header header = get_header(bytes + NUMBERS_AT, xf_get_le32);

	if (!is_version(header.version))
		header = get_header(bytes + NUMBERS_AT, xf_be32);
	if (!is_version(header.version))
		return xf_error_at(XF_ERR_FORMAT, name, NUMBERS_AT,
				   "a libvirt save image of version %" PRIu32
				   ": expected 1 or 2, in either byte order",
				   xf_get_le32(bytes + NUMBERS_AT));
	/* In version 1 there was no compression yet. */
	if (header.version == 1)
		header.packed = 0;
	if (header.packed >= sizeof(packed) / sizeof(packed[0]))
		return xf_error_at(XF_ERR_FORMAT, name, NUMBERS_AT + 12,
				   "a libvirt save image in format %" PRIu32
				   ": expected 0, raw, to 6, sparse",
				   header.packed);
	*out = header;
	return NULL;
}

static struct xf_error *check_sizes(const struct xf_view *view, const struct header *header)
{
	if (header->text_size == 0 || header->text_size > TEXT_MAX)
		return xf_error_at(XF_ERR_DAMAGED, view->name, NUMBERS_AT + 4,
				   "%" PRIu32 " bytes of XML: expected 1 to %" PRIu32,
				   header->text_size, TEXT_MAX);
	if (view->seekable && view->end - XF_LIBVIRT_HEADER_SIZE < header->text_size)
		return xf_error_at(XF_ERR_DAMAGED, view->name, NUMBERS_AT + 4,
				   "%" PRIu32 " bytes of XML, and the file has only %" PRIu64
				   " behind its header",
				   header->text_size, view->end - XF_LIBVIRT_HEADER_SIZE);
	if (header->cookie_at > header->text_size)
		return xf_error_at(XF_ERR_DAMAGED, view->name, NUMBERS_AT + 16,
				   "a cookie at %" PRIu32 " of %" PRIu32 " bytes of XML",
				   header->cookie_at, header->text_size);
	return NULL;
}

/* The text between two places, which must end in it. */
static struct xf_error *find_text(const struct xf_view *view, const char *what, const char *text,
				  uint32_t from, uint32_t to, const char **out)
{
	if (!memchr(text + from, '\0', to - from))
		return xf_error_at(XF_ERR_DAMAGED, view->name, XF_LIBVIRT_HEADER_SIZE + from,
				   "the %s that begins here does not end", what);
	*out = text + from;
	return NULL;
}

static struct xf_error *find_texts(const struct xf_view *view, const struct header *header,
				   struct xf_libvirt_head *head)
{
	uint32_t size = header->text_size, cookie = header->cookie_at;

	XF_TRY(find_text(view, "XML", head->text, 0, cookie ? cookie : size, &head->xml));
	if (cookie && cookie < size)
		XF_TRY(find_text(view, "cookie", head->text, cookie, size, &head->cookie));
	/* Only the padding may be there. */
	if (head->cookie && !*head->cookie)
		head->cookie = NULL;
	return NULL;
}

struct xf_error *xf_libvirt_head_read(struct xf_view *view, struct xf_libvirt_head *out)
{
	XF_AUTO(xf_libvirt_head_deinit) struct xf_libvirt_head head = { 0 };
	uint8_t bytes[XF_LIBVIRT_HEADER_SIZE];
	struct header header = { 0 };

	XF_TRY(xf_view_read(view, 0, bytes, sizeof(bytes)));
	if (memcmp(bytes, "LibvirtQemudPart", XF_LIBVIRT_MAGIC_SIZE) == 0)
		return xf_error_new(XF_ERR_FORMAT, view->name,
				    "is a libvirt save image that was never completed");
	XF_TRY(parse_header(view->name, bytes, &header));
	XF_TRY(check_sizes(view, &header));
	head.text = malloc(header.text_size);
	if (!head.text)
		return xf_error_memory();
	XF_TRY(xf_view_read(view, XF_LIBVIRT_HEADER_SIZE, head.text, header.text_size));
	XF_TRY(find_texts(view, &header, &head));
	head.packing = packed[header.packed].packing;
	head.packed = packed[header.packed].name;
	head.start = XF_LIBVIRT_HEADER_SIZE + (uint64_t)header.text_size;
	*out = head;
	head = (struct xf_libvirt_head){ 0 };
	return NULL;
}
