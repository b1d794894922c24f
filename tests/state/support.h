/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the tests of reading: bytes as a file, samples, records compared. */
#ifndef XF_TESTS_STATE_SUPPORT_H
#define XF_TESTS_STATE_SUPPORT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "synth.h"
#include "xferry.h"

/* A file in memory, named so that it can be opened. */
struct file {
	int fd;
	char path[64];
};

static inline struct file file_of(const void *data, size_t size)
{
	struct file file = { .fd = memfd_create("stream", MFD_CLOEXEC) };

	assert_true(file.fd >= 0);
	assert_int_equal(pwrite(file.fd, data, size, 0), (ssize_t)size);
	snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	return file;
}

static inline struct xf_error *open_bytes(const void *data, size_t size, struct xf_state **out)
{
	struct file file = file_of(data, size);
	struct xf_error *err = xf_state_open(file.path, NULL, out);

	close(file.fd);
	return err;
}

/* Every refusal is one line that names the file. */
static inline void assert_refused(struct xf_error *err, enum xf_error_code code, const char *part)
{
	assert_non_null(err);
	if (err->code != code || !strstr(err->text, part))
		fail_msg("code %d, '%s' and not code %d, '%s'", err->code, err->text, code, part);
	assert_null(strchr(err->text, '\n'));
	assert_non_null(err->file);
	xf_error_free(err);
}

static inline void assert_opened(struct xf_error *err)
{
	if (err)
		fail_msg("%s", err->text);
}

static inline struct xf_state *opened(const struct bytes *bytes)
{
	struct xf_state *state;

	assert_opened(open_bytes(bytes->p, bytes->size, &state));
	return state;
}

/* What a damaged file may be answered with. */
static inline void assert_one_line(const struct xf_error *err)
{
	assert_null(strchr(err->text, '\n'));
	assert_non_null(err->file);
	assert_true(err->code == XF_ERR_DAMAGED || err->code == XF_ERR_FORMAT);
}

static inline bool same_field(const struct xf_field *a, const struct xf_field *b)
{
	return a->value == b->value && a->offset == b->offset && a->size == b->size;
}

static inline bool same_vcpu(const struct xf_vcpu *a, const struct xf_vcpu *b)
{
	return a->index == b->index && a->carried == b->carried &&
	       same_field(&a->xstate_bv, &b->xstate_bv) && same_field(&a->xcr0, &b->xcr0) &&
	       same_field(&a->cr4, &b->cr4) && same_field(&a->mxcsr, &b->mxcsr) &&
	       same_field(&a->pkru, &b->pkru) && same_field(&a->xss, &b->xss) &&
	       same_field(&a->pkrs, &b->pkrs) && same_field(&a->xfd, &b->xfd) &&
	       same_field(&a->xfd_err, &b->xfd_err);
}

static inline bool same_vcpus(const struct xf_state *a, const struct xf_state *b)
{
	if (xf_state_vcpu_count(a) != xf_state_vcpu_count(b))
		return false;
	for (size_t i = 0; i < xf_state_vcpu_count(a); i++)
		if (!same_vcpu(xf_state_vcpu(a, i), xf_state_vcpu(b, i)))
			return false;
	return true;
}

/* The same places of the same vCPUs; their values may differ. */
static inline bool same_places(const struct xf_state *a, const struct xf_state *b)
{
	if (xf_state_vcpu_count(a) != xf_state_vcpu_count(b))
		return false;
	for (size_t i = 0; i < xf_state_vcpu_count(a); i++) {
		const struct xf_vcpu *x = xf_state_vcpu(a, i);
		const struct xf_vcpu *y = xf_state_vcpu(b, i);

		if (x->xstate_bv.offset != y->xstate_bv.offset ||
		    x->pkru.offset != y->pkru.offset || x->pkru.size != y->pkru.size)
			return false;
	}
	return true;
}

/* A file of the directory that an environment variable names. */
static inline struct bytes read_from(const char *variable, const char *name)
{
	char path[4096];
	struct bytes bytes = { 0 };
	uint8_t chunk[65536];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", getenv(variable), name);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		bytes_add(&bytes, chunk, (size_t)n);
	assert_int_equal(n, 0);
	close(fd);
	return bytes;
}

static inline struct bytes read_sample(const char *name)
{
	return read_from("XF_SAMPLES", name);
}

/* What a generator of tests/formats has made. */
static inline struct bytes read_made(const char *name)
{
	return read_from("XF_MADE", name);
}

#endif
