/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints what this machine's KVM answers, for tests/host/data/answers/. Where static
 * libraries are there it is static, so that it runs in an initramfs.
 */
#include <stdlib.h>

#include "tests/host/answers.h"

int main(void)
{
	struct xf_probe_answers *answers = malloc(sizeof(*answers));
	struct xf_error *err = answers ? xf_probe_ask(answers) : xf_error_memory();

	if (err) {
		fprintf(stderr, "record-answers: %s\n", err->text);
		return 8;
	}
	printf("# SPDX-License-Identifier: LGPL-2.1-or-later\n");
	print_answers(answers, stdout);
	free(answers);
	return 0;
}
