/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/crc64.h"

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* 0xad93d23594c935a9, its bits reversed */

/* What four bits at the lower end become; small enough to be written down by the compiler. */
static uint64_t of_nibble(uint64_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		value = value >> 1 ^ (value & 1 ? POLYNOMIAL : 0);
	return value;
}

uint64_t xf_crc64(uint64_t crc, const uint8_t *bytes, size_t size)
{
	uint64_t table[16];

	for (unsigned int i = 0; i < 16; i++)
		table[i] = of_nibble(i);
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}
