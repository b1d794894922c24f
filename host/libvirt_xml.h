/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt's XML says of a guest's CPU, as it stands there. */
#ifndef XF_HOST_LIBVIRT_XML_H
#define XF_HOST_LIBVIRT_XML_H

#include "base/error.h"
#include "host/cpu_model.h"
#include "host/nearest.h"
#include "host/qemu_args.h"

enum xf_libvirt_mode {
	XF_LIBVIRT_CUSTOM,
	XF_LIBVIRT_HOST_MODEL,
	XF_LIBVIRT_PASSTHROUGH,
	XF_LIBVIRT_MAXIMUM,
};

/* A <cpu>. */
struct xf_libvirt_cpu {
	bool there;
	enum xf_libvirt_mode mode;
	bool minimum;		       /* match='minimum': and all that the host has besides */
	char model[XF_WORD_MAX + 1];   /* or "" */
	struct xf_cpu_words words;     /* its <feature>s: on, off and maybe */
	char strange[XF_WORD_MAX + 1]; /* a feature it shall have and xferry does not know, or "" */
};

struct xf_libvirt_xml {
	/* Of the guest as it ran: the cookie's, where there is one, else the domain's. */
	struct xf_libvirt_cpu cpu;
	bool resolved;		  /* it is a cookie's */
	bool domain;		  /* there is a whole domain, */
	bool i686;		  /* of a 32-bit machine, */
	struct xf_qemu_args args; /* and what it gives QEMU itself */
};

/* Reads `size` bytes of XML. `name` is for errors. */
struct xf_error *xf_libvirt_xml_read(const char *name, const char *text, size_t size,
				     struct xf_libvirt_xml *out);
void xf_libvirt_xml_deinit(struct xf_libvirt_xml *xml);

#endif
