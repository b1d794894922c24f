/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firecracker's vmstate files. The checksum is made right: nothing gets behind a wrong one. */
#include "core/bytes.h"
#include "fuzz/repair.h"
#include "state/crc64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 8)
		return 0;
	copy = malloc(size);
	must(copy);
	memcpy(copy, data, size - 8);
	xf_put_le64(copy + size - 8, xf_crc64(0, data, size - 8));
	check_repair(copy, size);
	free(copy);
	return 0;
}
