/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cloud Hypervisor's state.json. */
#include "fuzz/json_mutator.h"
#include "fuzz/repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_repair(data, size);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_json_alone(data, size, max, seed);
}
#endif
