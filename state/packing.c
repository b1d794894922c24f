/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "state/packing.h"

#define MAGIC(bytes) .magic = bytes, .magic_size = sizeof(bytes) - 1

/* What libvirt calls: all with their default level, but xz with -3. */
const struct xf_packing xf_packing_gzip = {
	.name = "gzip",
	MAGIC("\x1f\x8b\x08"),
	.filter = ARCHIVE_FILTER_GZIP,
	/* gzip writes no time for a pipe either; so the same repair gives the same bytes. */
	.option = { "gzip", "timestamp", NULL },
};

const struct xf_packing xf_packing_bzip2 = {
	.name = "bzip2",
	MAGIC("BZh"),
	.filter = ARCHIVE_FILTER_BZIP2,
};

const struct xf_packing xf_packing_xz = {
	.name = "xz",
	MAGIC("\xfd"
	      "7zXZ\0"),
	.filter = ARCHIVE_FILTER_XZ,
	.option = { "xz", "compression-level", "3" },
};

const struct xf_packing xf_packing_lzop = {
	.name = "lzop",
	MAGIC("\x89LZO\0\r\n\x1a\n"),
	.unpack = (const char *const[]){ "lzop", "-dc", "--ignore-warn", NULL },
	.pack = (const char *const[]){ "lzop", "-c", NULL },
};

const struct xf_packing xf_packing_zstd = {
	.name = "zstd",
	MAGIC("\x28\xb5\x2f\xfd"),
	.filter = ARCHIVE_FILTER_ZSTD,
	/* libarchive leaves the checksum of the content out. */
	.pack = (const char *const[]){ "zstd", "-c", NULL },
};

bool xf_packing_fits(const struct xf_packing *packing, const uint8_t *bytes, size_t size)
{
	return size >= packing->magic_size &&
	       memcmp(bytes, packing->magic, packing->magic_size) == 0;
}

static bool is_pending(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE);
}

void xf_no_sigpipe_begin(struct xf_no_sigpipe *out)
{
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	out->was_pending = is_pending();
	pthread_sigmask(SIG_BLOCK, &pipe, &out->before);
}

void xf_no_sigpipe_end(struct xf_no_sigpipe *no_sigpipe)
{
	const struct timespec at_once = { 0 };
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (!no_sigpipe->was_pending && is_pending())
		sigtimedwait(&pipe, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &no_sigpipe->before, NULL);
}

struct xf_error *xf_packing_error(const struct xf_packing *packing, int number, const char *text,
				  const char *file, uint64_t offset, const char *done)
{
	enum xf_error_code code = strcmp(done, "unpacked") == 0 ? XF_ERR_DAMAGED : XF_ERR_IO;

	if (number == ENOMEM)
		return xf_error_memory();
	return xf_error_at(code, file, offset, "its %s data cannot be %s: %s", packing->name, done,
			   text ? text : "it is cut short or damaged");
}

struct xf_error *xf_packing_ended(const struct xf_packing *packing, int status, const char *file,
				  uint64_t offset, const char *done)
{
	if (status == -1)
		return xf_error_new(XF_ERR_IO, file,
				    "it cannot be told whether the program %s did its work: "
				    "somebody else has waited for it",
				    packing->name);
	if (WIFSIGNALED(status))
		return xf_error_new(XF_ERR_IO, file, "the program %s was ended by signal %d (%s)",
				    packing->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 0)
		return NULL;
	if (strcmp(done, "unpacked") == 0)
		return xf_packing_error(packing, 0, NULL, file, offset, done);
	return xf_error_new(XF_ERR_IO, file, "the program %s has failed: its exit status is %d",
			    packing->name, WEXITSTATUS(status));
}
