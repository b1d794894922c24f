/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States made by hand, for tests of what is behind the reading of files. */
#ifndef XF_TESTS_SYNTHETIC_H
#define XF_TESTS_SYNTHETIC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "state/state.h"

/* A file in a directory of its own, removed at exit. */
struct place {
	char directory[64];
	char path[128]; /* of the state */
	char undo[136];
};

void place_init(struct place *place);
void place_clear(const struct place *place);

/* Writes `size` bytes, or fails the test. */
void write_file(const char *path, const void *bytes, size_t size);
/* Reads a whole file into memory to be freed, or fails the test. */
uint8_t *read_file(const char *path, size_t *size);
void assert_content(const char *path, const void *bytes, size_t size);
bool is_there(const char *path);

/* A state of `count` vCPUs without a file; freed with synthetic_free. */
struct xf_state *synthetic_state(const struct xf_vcpu *vcpus, size_t count);
void synthetic_free(struct xf_state *state);

/* The same over the file at `path`, as a seekable input. */
struct xf_state *synthetic_file(const char *path, const struct xf_vcpu *vcpus, size_t count);

/* A vCPU whose XSTATE_BV is at `offset`; mxcsr as after reset. */
struct xf_vcpu vcpu_at(uint32_t index, uint64_t offset, uint64_t xstate_bv, uint64_t xcr0);

/* Holds an error's code and a part of its text, and frees it. */
void assert_error(struct xf_error *err, enum xf_error_code code, const char *part);
void assert_fine(struct xf_error *err);

#endif
