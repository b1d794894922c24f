/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xferry.h"

const char *xf_version(void)
{
	return XF_VERSION;
}
