/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ELF core dumps of x86-64: the first bytes are those of every ELF file. */
#include "fuzz/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_process("\x7f"
		      "ELF",
		      4, data, size);
	return 0;
}
