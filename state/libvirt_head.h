/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands before the stream in libvirt's save images. Source: libvirt's
 * src/qemu/qemu_saveimage.h and .c (virQEMUSaveHeader), 9.0 to 11.
 *
 *	0	"LibvirtQemudSave"; "LibvirtQemudPart" until it is complete
 *	16	u32 version, 1 or 2		numbers are in the byte order of the host
 *	20	u32 length of XML, cookie and padding
 *	24	u32 was the guest running
 *	28	u32 how the stream is packed	of version 2
 *	32	u32 where the cookie begins, counted from the XML, or 0
 *	36	u32 unused[14]
 *	92	XML, NUL, cookie, NUL, zeros; then the stream
 */
#ifndef XF_STATE_LIBVIRT_HEAD_H
#define XF_STATE_LIBVIRT_HEAD_H

#include "state/packing.h"
#include "state/view.h"

#define XF_LIBVIRT_MAGIC_SIZE 16
#define XF_LIBVIRT_HEADER_SIZE 92

struct xf_libvirt_head {
	const struct xf_packing *packing; /* or NULL: the stream as it is */
	const char *packed;		  /* "raw", "zstd", "sparse" */
	uint64_t start;			  /* of the stream, in the file */
	char *text;			  /* all between header and stream */
	const char *xml;		  /* in `text`, with a NUL behind it */
	const char *cookie;		  /* the same, or NULL */
};

void xf_libvirt_head_deinit(struct xf_libvirt_head *head);

/* Reads it from the start of the view, which may be a pipe. */
struct xf_error *xf_libvirt_head_read(struct xf_view *view, struct xf_libvirt_head *out);

#endif
