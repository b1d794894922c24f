/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The form of an undo file: one line of JSON, then "crc32 XXXXXXXX" of that line. What the
 * line says is for state/undo_file.c.
 */
#ifndef XF_STATE_UNDO_JSON_H
#define XF_STATE_UNDO_JSON_H

#include <json-c/json.h>
#include <sys/stat.h>

#include "state/input.h"

void xf_json_put(struct json_object **object);

/* Takes `value`; NULL is out of memory. An undo file with a hole in it would undo nothing. */
bool xf_json_add(struct json_object *object, const char *key, struct json_object *value);

struct json_object *xf_json_hex(const uint8_t *bytes, size_t length);
struct json_object *xf_json_sum(unsigned long sum);

/* A whole number, 0 to 2^63 - 1: no file is larger. */
bool xf_json_get_number(struct json_object *from, const char *key, uint64_t *out);

/* Hex text of at most `max` bytes. */
bool xf_json_get_hex(struct json_object *from, const char *key, uint8_t *out, size_t max,
		     size_t *length);
bool xf_json_get_sum(struct json_object *from, const char *key, unsigned long *out);

/* A string without a zero byte in it, which lives as long as `from`. */
bool xf_json_get_text(struct json_object *from, const char *key, const char **out);

/*
 * Writes the file: it is durable, and there is no file of that name yet. Nobody reads it who may
 * not read the state, and nobody but the owner writes it.
 */
struct xf_error *xf_undo_json_write(const char *path, const struct xf_input *state,
				    struct json_object *root);
/* `about` is of the very file that was read. */
struct xf_error *xf_undo_json_read(const char *path, struct stat *about, struct json_object **out);

/* Why a file is no undo file. */
struct xf_error *xf_undo_damaged(const char *path, const char *what);

#endif
