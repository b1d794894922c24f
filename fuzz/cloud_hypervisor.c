/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cloud Hypervisor's state.json. */
#include "fuzz/repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_repair(data, size);
	return 0;
}
