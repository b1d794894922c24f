/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmocka wants these four before its own header. */
#ifndef XF_TESTS_CORE_TEST_H
#define XF_TESTS_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
