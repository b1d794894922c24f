/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exact reading and writing: all the bytes or an error with its place. */
#ifndef XF_BASE_IO_H
#define XF_BASE_IO_H

#include "base/error.h"

/* Reads exactly `size` bytes at `offset`. A file that ends before is XF_ERR_DAMAGED. */
struct xf_error *xf_read_at(int fd, const char *path, uint64_t offset, void *buffer, size_t size);

/* Writes exactly `size` bytes at `offset`. */
struct xf_error *xf_write_at(int fd, const char *path, uint64_t offset, const void *buffer,
			     size_t size);

/* Opens a file to read it; does not wait for somebody to write to a FIFO. */
struct xf_error *xf_open_to_read(const char *path, int *out);

/* As xf_read_text, from where the open file stands. */
struct xf_error *xf_read_open_text(int fd, const char *path, size_t max, char **out, size_t *size);

/*
 * Reads a small text file whole, '\0' behind it; more than `max` bytes is
 * XF_ERR_DAMAGED. "-" is not special here. Free with free().
 */
struct xf_error *xf_read_text(const char *path, size_t max, char **out, size_t *size);

#endif
