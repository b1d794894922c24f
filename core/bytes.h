/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Little-endian numbers at any address, on any host, and the two loops over
 * bytes that core/ needs. Private to the sources in core/.
 *
 * Compilers turn a loop that copies or clears into a call of memcpy or memset,
 * even with -ffreestanding, where nobody provides them. XF_NO_IDIOM in the body
 * hides the pattern and costs nothing else. Copying a whole struct has the same
 * effect: core/ copies large ones member by member.
 */
#ifndef XF_CORE_BYTES_H
#define XF_CORE_BYTES_H

#include "core/bits.h"

#define XF_NO_IDIOM(counter) __asm__("" : "+r"(counter))

static inline uint32_t xf_get_le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t xf_get_le64(const unsigned char *p)
{
	return xf_get_le32(p) | (uint64_t)xf_get_le32(p + 4) << 32;
}

static inline void xf_put_le32(unsigned char *p, uint32_t value)
{
	p[0] = value & 0xff;
	p[1] = value >> 8 & 0xff;
	p[2] = value >> 16 & 0xff;
	p[3] = value >> 24 & 0xff;
}

static inline void xf_put_le64(unsigned char *p, uint64_t value)
{
	p[0] = value & 0xff;
	p[1] = value >> 8 & 0xff;
	p[2] = value >> 16 & 0xff;
	p[3] = value >> 24 & 0xff;
	p[4] = value >> 32 & 0xff;
	p[5] = value >> 40 & 0xff;
	p[6] = value >> 48 & 0xff;
	p[7] = value >> 56 & 0xff;
}

static inline void xf_copy_bytes(unsigned char *to, const unsigned char *from, size_t count)
{
	size_t i = 0;

	for (; count - i >= 8; i += 8) {
		XF_NO_IDIOM(i);
		xf_put_le64(to + i, xf_get_le64(from + i));
	}
	for (; i < count; i++) {
		XF_NO_IDIOM(i);
		to[i] = from[i];
	}
}

/* A struct: of `*to = *from` compilers make a call of memcpy, once it is large enough. */
#define XF_COPY(to, from) \
	xf_copy_bytes((unsigned char *)(to), (const unsigned char *)(from), sizeof(*(to)))

static inline void xf_zero_bytes(unsigned char *to, size_t count)
{
	size_t i = 0;

	for (; count - i >= 8; i += 8) {
		XF_NO_IDIOM(i);
		xf_put_le64(to + i, 0);
	}
	for (; i < count; i++) {
		XF_NO_IDIOM(i);
		to[i] = 0;
	}
}

#endif
