/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In place of libvirt_cpu.c and libvirt_xml.c, in programs without libxml2. */
#include "host/evidence.h"

struct xf_error *xf_evidence_of_xml(const char *name, const char *text, size_t size,
				    struct xf_evidence **out)
{
	(void)text, (void)size, (void)out;
	return xf_error_new(XF_ERR_USAGE, name, "this program was built without libxml2");
}

struct xf_error *xf_evidence_from_xml(const char *path, const struct xf_host *from,
				      struct xf_evidence **out)
{
	(void)from;
	return xf_evidence_of_xml(path, NULL, 0, out);
}
