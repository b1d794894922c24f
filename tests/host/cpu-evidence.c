/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "SHOWN KNOWN" of each -cpu argument, one a line, in hex: for compare-qemu.py. */
#include <inttypes.h>
#include <stdio.h>

#include "xferry.h"

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct xf_evidence *evidence;
		struct xf_error *err = xf_evidence_from_cpu(argv[i], NULL, &evidence);

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
