/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC-64 with Jones' polynomial, reflected, begun at 0 and not inverted: what Firecracker (and
 * Redis) use. Such a CRC is linear: that of two texts XORed is the XOR of theirs, and a text
 * with its own CRC behind it, little-endian, has 0. The libraries at hand have other polynomials.
 */
#ifndef XF_STATE_CRC64_H
#define XF_STATE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what `crc` is of, with these bytes behind it; 0 is that of nothing. */
uint64_t xf_crc64(uint64_t crc, const uint8_t *bytes, size_t size);

#endif
