/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "calls.h"

#define FD .by_fd = true
#define DISK .by_disk = true

static const struct kind kinds[] = {
	/* Paths */
	{ SYS_open, "open", { EIO, EACCES, ENOMEM, EMFILE }, DISK },
	{ SYS_openat, "openat", { EIO, EACCES, ENOSPC, EOPNOTSUPP, ENOMEM, EMFILE }, DISK },
	{ SYS_stat, "stat", { EIO, EACCES, ENOMEM }, DISK },
	{ SYS_lstat, "lstat", { EIO, EACCES, ENOMEM }, DISK },
	{ SYS_newfstatat, "newfstatat", { EIO, EACCES, ENOMEM }, DISK },
	{ SYS_readlink, "readlink", { EIO, EACCES, ENOMEM }, DISK },
	{ SYS_access, "access", { EIO, EACCES, ENOMEM }, DISK },
	{ SYS_getcwd, "getcwd", { ENOENT, ENOMEM } },
	{ SYS_link, "link", { EIO, ENOSPC, EDQUOT, EPERM, EACCES, EMLINK }, DISK },
	{ SYS_linkat, "linkat", { EIO, ENOSPC, EDQUOT, EPERM, EACCES, ENOENT }, DISK },
	{ SYS_rename, "rename", { EIO, ENOSPC, EACCES, EDQUOT, EROFS }, DISK },
	{ SYS_unlink, "unlink", { EIO, EACCES, EROFS, EPERM }, DISK },
	/* Content */
	{ SYS_read, "read", { EIO, EINTR, ENOMEM }, .size_argument = 3, DISK, FD },
	{ SYS_pread64, "pread64", { EIO, EINTR, ENOMEM }, .size_argument = 3, DISK, FD },
	{ SYS_write, "write", { EIO, ENOSPC, EDQUOT, EINTR, EPIPE }, .size_argument = 3, DISK, FD },
	{ SYS_pwrite64,
	  "pwrite64",
	  { EIO, ENOSPC, EDQUOT, EINTR, EFBIG },
	  .size_argument = 3,
	  DISK,
	  FD },
	{ SYS_writev, "writev", { EIO, ENOSPC, EDQUOT, EINTR }, DISK, FD },
	{ SYS_copy_file_range,
	  "copy_file_range",
	  { EIO, ENOSPC, EDQUOT, EINTR, EXDEV, EINVAL },
	  .size_argument = 5,
	  DISK,
	  FD },
	{ SYS_sendfile, "sendfile", { EIO, EINVAL, EAGAIN, ENOMEM }, .size_argument = 4, DISK, FD },
	{ SYS_splice,
	  "splice",
	  { EIO, EINVAL, EINTR, ENOMEM, EPIPE },
	  .size_argument = 5,
	  DISK,
	  FD },
	{ SYS_tee, "tee", { EINVAL, EINTR, ENOMEM }, .size_argument = 3 },
	{ SYS_fsync, "fsync", { EIO, ENOSPC, EDQUOT, EROFS }, DISK, FD },
	{ SYS_fdatasync, "fdatasync", { EIO, ENOSPC, EDQUOT, EROFS }, DISK, FD },
	{ SYS_ftruncate, "ftruncate", { EIO, ENOSPC, EINTR, EFBIG }, DISK, FD },
	{ SYS_lseek, "lseek", { EINVAL, EIO }, DISK, FD },
	{ SYS_close, "close", { EIO, EINTR, ENOSPC, EDQUOT }, FD, .carried_out = true },
	/* Attributes */
	{ SYS_fstat, "fstat", { EIO, ENOMEM }, DISK, FD },
	{ SYS_fchmod, "fchmod", { EPERM, EIO, EROFS, ENOSPC }, DISK, FD },
	{ SYS_fchown, "fchown", { EPERM, EIO, EDQUOT, EROFS }, DISK, FD },
	{ SYS_fgetxattr, "fgetxattr", { EIO, EACCES, ENOMEM, ENOTSUP }, DISK, FD },
	{ SYS_flistxattr, "flistxattr", { EIO, ENOMEM, ENOTSUP }, DISK, FD },
	{ SYS_fsetxattr, "fsetxattr", { ENOSPC, EPERM, EDQUOT, EIO }, DISK, FD },
	{ SYS_fremovexattr, "fremovexattr", { EIO, EPERM, EROFS }, DISK, FD },
	{ SYS_ioctl, "ioctl", { EIO, ENOSPC, EOPNOTSUPP, EINTR }, DISK, FD },
	{ SYS_fcntl, "fcntl", { ENOLCK, EINVAL, EINTR, EAGAIN, EIO }, FD },
	{ SYS_flock, "flock", { ENOLCK, EINTR }, FD },
	/* Memory */
	{ SYS_mmap, "mmap", { ENOMEM } },
	{ SYS_brk, "brk", { ENOMEM } },
	{ SYS_mremap, "mremap", { ENOMEM } },
	/* Programs */
	{ SYS_pipe2, "pipe2", { EMFILE, ENFILE } },
	{ SYS_clone, "clone", { EAGAIN, ENOMEM } },
	{ SYS_clone3, "clone3", { EAGAIN, ENOMEM } },
	{ SYS_fork, "fork", { EAGAIN, ENOMEM } },
	{ SYS_vfork, "vfork", { EAGAIN, ENOMEM } },
	{ SYS_execve, "execve", { EACCES, ENOMEM, EIO }, DISK },
	{ SYS_dup2, "dup2", { EINTR, EMFILE } },
	{ SYS_poll, "poll", { EINTR, ENOMEM } },
	{ SYS_wait4, "wait4", { EINTR } },
	{ SYS_getrandom, "getrandom", { EINTR, EAGAIN } },
};

const struct kind *kind_of(long number)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].number == number)
			return &kinds[i];
	return NULL;
}

const char *error_name(int error)
{
	return strerrorname_np(error);
}
