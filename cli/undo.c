/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "cli/confine.h"

static unsigned int run_undo(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	struct xf_undo_result result;
	unsigned int status;

	if (!read_options(verb, argc, argv, &options, &status))
		return status;
	if (options.count != 1)
		return usage(verb, "name one undo file");

	confine_calls();

	struct xf_error *err = xf_undo(options.arguments[0], &result);

	if (err)
		return complain(err);
	put_printable(result.path, stdout);
	puts(result.edits ? " is as it was before the repair."
			  : " was as before the repair already.");
	free(result.path);
	return STATUS_OK;
}

const struct verb verb_undo = {
	.name = "undo",
	.arguments = "UNDOFILE",
	.summary = "Take a repair in place back, to the byte.",
	.options = "",
	.run = run_undo,
};
