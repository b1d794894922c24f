/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "SHOWN KNOWN" of each -cpu argument, one a line, in hex, and of libvirt's XML as xml:FILE: for
 * compare-qemu.py and compare-libvirt.sh.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "xferry.h"

static struct xf_error *evidence_of(const char *argument, struct xf_evidence **out)
{
	if (strncmp(argument, "xml:", 4) == 0)
		return xf_evidence_from_xml(argument + 4, NULL, out);
	return xf_evidence_from_cpu(argument, NULL, out);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct xf_evidence *evidence;
		struct xf_error *err = evidence_of(argv[i], &evidence);

		if (err) {
			fprintf(stderr, "%s\n", err->text);
			xf_error_free(err);
			return 1;
		}
		printf("%" PRIx64 " %" PRIx64 "\n", evidence->guest.shown, evidence->guest.known);
		xf_evidence_free(evidence);
	}
	return 0;
}
