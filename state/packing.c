/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"
#include "host/text.h"
#include "state/packing.h"

#define MAGIC(bytes) .magic = bytes, .magic_size = sizeof(bytes) - 1

/* What libvirt calls: all with their default level, but xz with -3. */
const struct xf_packing xf_packing_gzip = {
	.name = "gzip",
	MAGIC("\x1f\x8b\x08"),
	.filter = ARCHIVE_FILTER_GZIP,
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
	.unpack = "sh -c \"exec lzop -dc --ignore-warn 2>/dev/null\"",
	.pack = "sh -c \"exec lzop -c 2>/dev/null\"",
};

const struct xf_packing xf_packing_zstd = {
	.name = "zstd",
	MAGIC("\x28\xb5\x2f\xfd"),
	.filter = ARCHIVE_FILTER_ZSTD,
	/* libarchive leaves the checksum of the content out. */
	.pack = "sh -c \"exec zstd -c 2>/dev/null\"",
};

bool xf_packing_fits(const struct xf_packing *packing, const uint8_t *bytes, size_t size)
{
	return size >= packing->magic_size &&
	       memcmp(bytes, packing->magic, packing->magic_size) == 0;
}

/* As a shell would find it. */
bool xf_packing_is_installed(const struct xf_packing *packing)
{
	const char *path = getenv("PATH");

	for (const char *at = path ? path : "/usr/bin:/bin"; at; at = strchr(at, ':')) {
		at += *at == ':';

		XF_AUTO_FREE char *file =
			xf_text("%.*s/%s", (int)strcspn(at, ":"), at, packing->name);

		if (file && access(file, X_OK) == 0)
			return true;
	}
	return false;
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
	if (!packing->filter && !xf_packing_is_installed(packing))
		return xf_error_new(XF_ERR_IO, file, "needs the program %s, which is not installed",
				    packing->name);
	return xf_error_at(code, file, offset, "its %s data cannot be %s: %s", packing->name, done,
			   text ? text : "it is cut short or damaged");
}
