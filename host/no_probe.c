/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a KVM's guests are not x86: states can be judged here, and no host asked. */
#include "base/error.h"

struct xf_error *xf_host_probe(struct xf_host **out)
{
	(void)out;
	return xf_error_new(XF_ERR_IO, NULL,
			    "this machine is not x86: its KVM knows no XSAVE state");
}
