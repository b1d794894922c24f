/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "base/scope.h"
#include "state/input.h"

struct xf_error *xf_input_open_for_writing(const struct xf_input *input, int *out)
{
	XF_AUTO_CLOSE int fd = open(input->path, O_RDWR | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return xf_error_errno(input->path, "open for writing");
	if (now.st_dev != input->before.st_dev || now.st_ino != input->before.st_ino)
		return xf_error_new(XF_ERR_REFUSED, input->path,
				    "is another file than the one that was judged");
	/* A lock of the open file, not of the process: closing another fd does not lose it. */
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES))
		return xf_error_new(XF_ERR_REFUSED, input->path, "is locked by another process");
	*out = fd;
	fd = -1;
	return NULL;
}
