/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's XML, as a file's own and as it is given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct xf_error *err, const struct xf_evidence *evidence, bool may_be_new)
{
	if (!err && evidence &&
	    ((evidence->guest.shown & XF_FPSSE) != XF_FPSSE ||
	     (evidence->guest.shown & ~evidence->guest.known) || strchr(evidence->source, '\n')))
		abort();
	if (err &&
	    (strchr(err->text, '\n') || (err->code != XF_ERR_DAMAGED && err->code != XF_ERR_USAGE &&
					 err->code != XF_ERR_FORMAT)))
		abort();
	/* A file's own is no error for a model that is new. */
	if (err && may_be_new && strncmp(err->text, "fuzz: unknown CPU", 17) == 0)
		abort();
}

/* Through a file, which has no name. */
static struct xf_error *given(const uint8_t *data, size_t size, struct xf_evidence **out)
{
	int fd = memfd_create("xml", MFD_CLOEXEC);
	char path[32];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

	struct xf_error *err = xf_evidence_from_xml(path, NULL, out);

	close(fd);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xf_evidence *own = NULL, *strict = NULL;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';

	struct xf_error *own_err = xf_evidence_of_xml("fuzz", text, size, &own);
	struct xf_error *err = given(data, size, &strict);

	check(own_err, own, true);
	check(err, strict, false);
	/* What both understand is the same, but for a domain without <cpu>, which has a default. */
	if (!own_err && !err && own &&
	    (own->guest.shown != strict->guest.shown || own->guest.known != strict->guest.known))
		abort();
	xf_error_free(own_err);
	xf_error_free(err);
	xf_evidence_free(own);
	xf_evidence_free(strict);
	free(text);
	return 0;
}
