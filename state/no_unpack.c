/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In place of pack.c and unpack.c, in programs without libarchive. */
#include "state/pack.h"
#include "state/unpack.h"

static struct xf_error *no(const char *name)
{
	return xf_error_new(XF_ERR_FORMAT, name,
			    "is compressed, and this program was built without libarchive");
}

struct xf_error *xf_unpack_open(const struct xf_packing *packing, struct xf_view *from,
				uint64_t start, uint64_t total, const struct xf_progress *progress,
				struct xf_unpack **out)
{
	(void)packing, (void)start, (void)total, (void)progress, (void)out;
	return no(from->name);
}

/* What follows is not reached: nothing was opened. */

void xf_unpack_close(struct xf_unpack *unpack)
{
	(void)unpack;
}

struct xf_view *xf_unpack_view(struct xf_unpack *unpack)
{
	(void)unpack;
	return NULL;
}

struct xf_error *xf_unpack_finish(struct xf_unpack *unpack, uint64_t limit)
{
	(void)unpack, (void)limit;
	return NULL;
}

struct xf_error *xf_pack_open(const struct xf_packing *packing, int fd, const char *path,
			      uint64_t start, struct xf_pack **out)
{
	(void)packing, (void)fd, (void)start, (void)out;
	return no(path);
}

void xf_pack_close(struct xf_pack *pack)
{
	(void)pack;
}

struct xf_error *xf_pack_write(struct xf_pack *pack, const void *bytes, size_t size)
{
	(void)pack, (void)bytes, (void)size;
	return NULL;
}

struct xf_error *xf_pack_finish(struct xf_pack *pack)
{
	(void)pack;
	return NULL;
}
