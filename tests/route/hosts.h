/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVMs by what they do, for journeys made by hand. */
#ifndef XF_TESTS_ROUTE_HOSTS_H
#define XF_TESTS_ROUTE_HOSTS_H

#include "tests/report/synthetic.h"

#define PKU_CPU (XF_FPSSE | XF_AVX | XF_PKRU)
#define NO_PKU_CPU (XF_FPSSE | XF_AVX)
#define AVX512_CPU (PKU_CPU | XF_AVX512)

#define HOST_(name_, host_, get_, set_, ...)          \
	{                                             \
		.name = name_,                        \
		.kvm = { .host = (host_),             \
			 .mxcsr_mask = XF_MXCSR_MASK, \
			 .get = XF_GET_##get_,        \
			 .set = XF_SET_##set_ },      \
		##__VA_ARGS__                         \
	}

static const struct xf_host leaky = HOST_("leaky", PKU_CPU, LEAKS, HOST);
static const struct xf_host strict = HOST_("strict", PKU_CPU, TRIMS, GUEST);
static const struct xf_host fixed = HOST_("fixed", PKU_CPU, TRIMS, HOST);
static const struct xf_host fixed_no_pku = HOST_("fixed, no PKU", NO_PKU_CPU, TRIMS, HOST);
static const struct xf_host unknown = HOST_("unknown", PKU_CPU, UNKNOWN, UNKNOWN);

#define KNOWN(mask)                                                                                \
	{                                                                                          \
		.guest = { .shown = (mask) | XF_FPSSE, .known = UINT64_MAX }, .source = "the test" \
	}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
