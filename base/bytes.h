/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers in byte arrays: big-endian, as QEMU's stream has them. Any alignment, any host. */
#ifndef XF_BASE_BYTES_H
#define XF_BASE_BYTES_H

#include <stdint.h>

static inline uint16_t xf_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t xf_be32(const uint8_t *p)
{
	return (uint32_t)xf_be16(p) << 16 | xf_be16(p + 2);
}

static inline uint64_t xf_be64(const uint8_t *p)
{
	return (uint64_t)xf_be32(p) << 32 | xf_be32(p + 4);
}

static inline void xf_put_be64(uint8_t *p, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++)
		p[i] = (uint8_t)(value >> (56 - 8 * i));
}

#endif
