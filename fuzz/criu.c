/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRIU's core-PID.img, behind its two magic numbers; half of them with the length that is right. */
#include "fuzz/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t head[] = { 0x19, 0x43, 0x56, 0x54, 0x47, 0x38, 0x05, 0x55, 0, 0, 0, 0 };
	size_t length = size > sizeof(head) ? size - sizeof(head) : 0;

	for (unsigned int i = 0; i < 4; i++)
		head[8 + i] = (uint8_t)(length >> (8 * i));
	check_process(head, size % 2 ? 8 : sizeof(head), data, size);
	return 0;
}
