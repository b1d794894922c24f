/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints a preset's profile as JSON, so that the lab can hold it against a real kernel. */
#include <stdio.h>
#include <stdlib.h>

#include "xferry.h"

static int fail(struct xf_error *err)
{
	fprintf(stderr, "preset-json: %s\n", err->text);
	xf_error_free(err);
	return 16;
}

int main(int argc, char **argv)
{
	struct xf_host *host = NULL;
	struct xf_error *err;
	char spec[256];
	char *json = NULL;

	if (argc != 2) {
		fputs("usage: preset-json NAME[,+COMPONENT,-COMPONENT...]\n", stderr);
		return 16;
	}
	snprintf(spec, sizeof(spec), "preset:%s", argv[1]);
	err = xf_host_open(spec, &host);
	if (err)
		return fail(err);
	err = xf_host_to_json(host, &json);
	xf_host_free(host);
	if (err)
		return fail(err);
	fputs(json, stdout);
	free(json);
	return 0;
}
