/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The description of a QEMU stream: in one piece and in many, the outcome is the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/json_mutator.h"
#include "state/qemu_devices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parse(const uint8_t *data, size_t size, size_t piece, struct xf_qemu_vmdesc *out)
{
	struct xf_qemu_vmdesc_reader *reader;
	struct xf_error *err = xf_qemu_vmdesc_open("fuzz", 0, &reader);

	if (err)
		abort();
	for (size_t at = 0; !err && at < size; at += piece)
		err = xf_qemu_vmdesc_push(reader, data + at, size - at < piece ? size - at : piece);
	if (!err)
		err = xf_qemu_vmdesc_finish(reader, out);
	xf_qemu_vmdesc_close(reader);
	if (err && (strchr(err->text, '\n') || err->code != XF_ERR_DAMAGED || err->offset > size))
		abort();

	bool parsed = !err;

	xf_error_free(err);
	return parsed;
}

static void check(const struct xf_qemu_vmdesc *desc)
{
	uint64_t size = 1;

	for (size_t i = 0; i < desc->device_count; i++) {
		const struct xf_qemu_device *device = &desc->devices[i];

		if (device->name + device->name_length > desc->names_size)
			abort();
		size += device->size + 14 + device->name_length;
		if (device->cpu != XF_QEMU_NO_CPU && device->cpu >= desc->cpu_count)
			abort();
	}
	if (xf_qemu_devices_size(desc, 0, false) != size)
		abort();
	for (size_t i = 0; i < desc->cpu_count; i++)
		if (desc->cpus[i].first_subsection + desc->cpus[i].subsection_count >
		    desc->subsection_count)
			abort();
	for (size_t i = 0; i < desc->subsection_count; i++)
		if (desc->subsections[i].name + desc->subsections[i].name_length > desc->names_size)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xf_qemu_vmdesc whole = { 0 }, pieces = { 0 };
	bool a = parse(data, size, size + 1, &whole);
	bool b = parse(data, size, 7, &pieces);

	if (a != b)
		abort();
	if (a) {
		check(&whole);
		if (whole.device_count != pieces.device_count ||
		    whole.sections_size != pieces.sections_size ||
		    whole.cpu_count != pieces.cpu_count ||
		    (whole.cpu_count &&
		     memcmp(whole.cpus, pieces.cpus, whole.cpu_count * sizeof(*whole.cpus)) != 0))
			abort();
	}
	xf_qemu_vmdesc_deinit(&whole);
	xf_qemu_vmdesc_deinit(&pieces);
	return 0;
}

#ifdef XF_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return mutate_json_alone(data, size, max, seed);
}
#endif
