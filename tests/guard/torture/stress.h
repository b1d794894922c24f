/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a vCPU of the KVM in kernel.c has in its file, and where. */
#ifndef XF_TESTS_STRESS_H
#define XF_TESTS_STRESS_H

#define STRESS_AREA 0
#define STRESS_CPUID 16384
#define STRESS_FILE_SIZE 32768

/* Newer than the headers of some distributions. */
#define STRESS_CAP_XSAVE2 208

#endif
