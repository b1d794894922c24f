/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proxmox VE's configurations, and behind a line "--- models" the administrator's CPU models. They
 * are files here, in a directory that goes away in the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xferry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char place[] = "/tmp/fuzz-qm-XXXXXX";
static char conf[64], models[64];

static void forget(void)
{
	char path[64];

	unlink(conf);
	unlink(models);
	snprintf(path, sizeof(path), "%s/qemu-server", place);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/virtual-guest", place);
	rmdir(path);
	rmdir(place);
}

static void prepare(void)
{
	char path[64];

	if (conf[0])
		return;
	if (!mkdtemp(place))
		abort();
	atexit(forget);
	snprintf(path, sizeof(path), "%s/qemu-server", place);
	if (mkdir(path, 0700))
		abort();
	snprintf(path, sizeof(path), "%s/virtual-guest", place);
	if (mkdir(path, 0700))
		abort();
	snprintf(conf, sizeof(conf), "%s/qemu-server/1.conf", place);
	snprintf(models, sizeof(models), "%s/virtual-guest/cpu-models.conf", place);
}

static void put(const char *path, const char *data, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		abort();
}

static void read_spec(const char *spec)
{
	struct xf_evidence *evidence = NULL;
	struct xf_error *err = xf_evidence_from_qm(spec, NULL, &evidence);

	if (!err) {
		if ((evidence->guest.shown & XF_FPSSE) != XF_FPSSE ||
		    (evidence->guest.shown & ~evidence->guest.known) ||
		    strchr(evidence->source, '\n'))
			abort();
	} else if ((err->code != XF_ERR_DAMAGED && err->code != XF_ERR_USAGE &&
		    err->code != XF_ERR_IO) ||
		   strchr(err->text, '\n')) {
		abort();
	}
	xf_evidence_free(evidence);
	xf_error_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "--- models\n";
	/* libFuzzer begins with no bytes at NULL, which memmem may not be given. */
	const char *text = data ? (const char *)data : "";
	const char *at = memmem(text, size, mark, strlen(mark));
	size_t first = at ? (size_t)(at - text) : size;
	const char *open = memmem(text, first, "\n[", 2);
	const char *close = open ? memchr(open, ']', first - (size_t)(open - text)) : NULL;

	prepare();
	put(conf, text, first);
	unlink(models);
	if (at)
		put(models, at + strlen(mark), size - first - strlen(mark));
	read_spec(conf);
	if (close && close - open < 100 && !memchr(open, '\0', (size_t)(close - open))) {
		char spec[256];

		snprintf(spec, sizeof(spec), "%s:%.*s", conf, (int)(close - open - 2), open + 2);
		read_spec(spec);
	}
	return 0;
}
