/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "state/qcow2_lock.h"

/* The permissions to write, to write what changes no content, to resize. */
#define FIRST_TO_WRITE 101
#define COUNT_TO_WRITE 3

struct xf_error *xf_qcow2_not_in_use(const struct xf_input *input)
{
	/* A write lock is what would be refused; it is only asked for. */
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = FIRST_TO_WRITE,
		.l_len = COUNT_TO_WRITE,
	};

	if (fcntl(input->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		return xf_error_new(
			XF_ERR_REFUSED, input->path,
			"is in use: a running QEMU, or another program, may write to it");
	return NULL;
}
