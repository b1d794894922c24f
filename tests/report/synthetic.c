/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/report/synthetic.h"

void place_init(struct place *place)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(place->directory, sizeof(place->directory), "%s/xferry-test.XXXXXX",
		 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/state", place->directory);
	snprintf(place->undo, sizeof(place->undo), "%s.xfundo", place->path);
}

void place_clear(const struct place *place)
{
	DIR *directory = opendir(place->directory);
	struct dirent *entry;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	assert_int_equal(rmdir(place->directory), 0);
}

void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	*size = (size_t)ftell(file);
	rewind(file);

	uint8_t *bytes = malloc(*size + 1);

	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	bytes[*size] = '\0';
	fclose(file);
	return bytes;
}

void assert_content(const char *path, const void *bytes, size_t size)
{
	size_t found_size;
	uint8_t *found = read_file(path, &found_size);

	assert_int_equal(found_size, size);
	assert_memory_equal(found, bytes, size);
	free(found);
}

bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

struct xf_state *synthetic_state(const struct xf_vcpu *vcpus, size_t count)
{
	struct xf_state *state = calloc(1, sizeof(*state));

	assert_non_null(state);
	state->input.fd = -1;
	state->format = &xf_format_qemu;
	state->record.vcpus = calloc(count, sizeof(*vcpus));
	assert_non_null(state->record.vcpus);
	memcpy(state->record.vcpus, vcpus, count * sizeof(*vcpus));
	state->record.vcpu_count = count;
	return state;
}

void synthetic_free(struct xf_state *state)
{
	xf_state_close(state);
}

struct xf_state *synthetic_file(const char *path, const struct xf_vcpu *vcpus, size_t count)
{
	struct xf_state *state = synthetic_state(vcpus, count);

	assert_fine(xf_input_open(path, NULL, &state->input));
	state->name = strdup(path);
	assert_non_null(state->name);
	return state;
}

struct xf_vcpu vcpu_at(uint32_t index, uint64_t offset, uint64_t xstate_bv, uint64_t xcr0)
{
	return (struct xf_vcpu){
		.index = index,
		.xstate_bv = { xstate_bv, offset, 8 },
		.xcr0 = { xcr0, offset - 8, 8 },
		.mxcsr = { 0x1f80, offset - 12, 4 },
	};
}

void assert_error(struct xf_error *err, enum xf_error_code code, const char *part)
{
	if (!err)
		fail_msg("expected an error: %s", part);
	if (!strstr(err->text, part))
		fail_msg("expected '%s', it said: %s", part, err->text);
	assert_int_equal(err->code, code);
	assert_null(strpbrk(err->text, "\n\r\t\x1b"));
	xf_error_free(err);
}

void assert_fine(struct xf_error *err)
{
	if (err)
		fail_msg("unexpected error: %s", err->text);
}
