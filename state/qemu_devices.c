/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "state/qemu_devices.h"
#include "state/qemu_wire.h"

struct devices {
	const struct xf_qemu_vmdesc *desc;
	const uint8_t *bytes;
	uint64_t size;
	const char *file;
	uint64_t offset; /* of bytes in the file */
	uint64_t at;	 /* how far the sections have been checked */
	bool footers;
};

uint64_t xf_qemu_devices_size(const struct xf_qemu_vmdesc *desc, size_t first, bool footers)
{
	uint64_t size = desc->sections_size;

	for (size_t i = 0; i < first; i++)
		size -= desc->devices[i].size + XF_QEMU_SECTION_HEAD(desc->devices[i].name_length);
	if (footers)
		size += (desc->device_count - first) * XF_QEMU_FOOTER_SIZE;
	return size + 1;
}

#define disagree(devices, at, ...) \
	xf_error_at(XF_ERR_DAMAGED, (devices)->file, (devices)->offset + (at), __VA_ARGS__)

#define NAME(desc, thing) (int)(thing)->name_length, (desc)->names + (thing)->name

static struct xf_error *check_head(const struct devices *devices,
				   const struct xf_qemu_device *device)
{
	const uint8_t *p = devices->bytes + devices->at;
	uint32_t length = device->name_length;

	if (p[0] != XF_QEMU_FULL || p[5] != length ||
	    memcmp(p + 6, devices->desc->names + device->name, length) != 0 ||
	    xf_be32(p + 6 + length) != device->instance ||
	    (device->has_version && xf_be32(p + 10 + length) != device->version))
		return disagree(devices, devices->at,
				"the section of '%.*s', instance %u, is expected here, as the "
				"stream's description says",
				NAME(devices->desc, device), device->instance);
	return NULL;
}

static struct xf_error *check_footer(const struct devices *devices,
				     const struct xf_qemu_device *device, uint32_t id)
{
	uint64_t at = devices->at + XF_QEMU_SECTION_HEAD(device->name_length) + device->size;
	const uint8_t *p = devices->bytes + at;

	if (p[0] != XF_QEMU_FOOTER || xf_be32(p + 1) != id)
		return disagree(devices, at,
				"the end of the section of '%.*s', instance %u, is expected here, "
				"as the stream's description says",
				NAME(devices->desc, device), device->instance);
	return NULL;
}

static struct xf_error *not_x86(const struct devices *devices, const char *why)
{
	return xf_error_at(XF_ERR_FORMAT, devices->file, devices->offset + devices->at,
			   "the 'cpu' section is not the one of an x86-64 guest: %s", why);
}

/* One subsection of a vCPU: its header, and if it is a known kind its size. */
static struct xf_error *check_subsection(const struct devices *devices,
					 const struct xf_qemu_described_subsection *sub,
					 uint64_t payload, struct xf_qemu_cpu *fixed)
{
	const struct xf_qemu_vmdesc *desc = devices->desc;
	const uint8_t *p = devices->bytes + payload + sub->offset;
	const struct xf_qemu_cpu_subsection *kind =
		xf_qemu_cpu_subsection(desc->names + sub->name, sub->name_length);

	if (p[0] != XF_QEMU_SUBSECTION || p[1] != sub->name_length ||
	    memcmp(p + 2, desc->names + sub->name, sub->name_length) != 0 ||
	    xf_be32(p + 2 + sub->name_length) != sub->version)
		return disagree(devices, payload + sub->offset,
				"the subsection '%.*s' is expected here, as the stream's "
				"description says",
				NAME(desc, sub));
	if (!kind)
		return NULL;
	if (kind->size != sub->fields && kind->carried)
		return disagree(devices, payload + sub->offset,
				"the subsection '%s' has %u bytes, not %u", kind->name, sub->fields,
				kind->size);
	xf_qemu_cpu_add(fixed, kind, sub->offset + XF_QEMU_SUBSECTION_HEAD(sub->name_length));
	return NULL;
}

/*
 * The description says where the values are, and version 12 of the section has
 * had them in the same place in every QEMU. Bytes are only ever changed where
 * both agree: a description that lies cannot point anywhere else.
 */
static struct xf_error *check_cpu(const struct devices *devices,
				  const struct xf_qemu_device *device, struct xf_qemu_cpu *out)
{
	const struct xf_qemu_vmdesc *desc = devices->desc;
	const struct xf_qemu_described_cpu *cpu = &desc->cpus[device->cpu];
	uint64_t payload = devices->at + XF_QEMU_SECTION_HEAD(device->name_length);
	struct xf_qemu_cpu fixed;

	if (!device->has_version || device->version != XF_QEMU_CPU_VERSION)
		return not_x86(devices, "its version is not 12");
	if (cpu->fields != XF_QEMU_CPU_FIELDS)
		return not_x86(devices, "its fields have not 1817 bytes");

	xf_qemu_cpu_init(&fixed);
	for (size_t i = 0; i < cpu->subsection_count; i++)
		XF_TRY(check_subsection(devices, &desc->subsections[cpu->first_subsection + i],
					payload, &fixed));
	for (unsigned int i = 0; i < XF_QEMU_VALUES; i++)
		if (cpu->cpu.at[i] != fixed.at[i])
			return disagree(devices, payload + fixed.at[i],
					"'%s' is expected here, and the stream's description says "
					"otherwise",
					xf_qemu_value_places[i].name);
	*out = fixed;
	return NULL;
}

static struct xf_error *read_cpu(const struct devices *devices, const struct xf_qemu_device *device,
				 struct xf_vcpu *out)
{
	uint64_t payload = devices->at + XF_QEMU_SECTION_HEAD(device->name_length);
	struct xf_qemu_cpu cpu;

	XF_TRY(check_cpu(devices, device, &cpu));
	xf_qemu_cpu_read(&cpu, devices->bytes + payload, devices->offset + payload,
			 device->instance, out);
	return NULL;
}

static struct xf_error *read_device(struct devices *devices, const struct xf_qemu_device *device,
				    struct xf_qemu_vcpus *vcpus)
{
	uint64_t size = XF_QEMU_SECTION_HEAD(device->name_length) + device->size;

	XF_TRY(check_head(devices, device));
	if (devices->footers) {
		XF_TRY(check_footer(devices, device, xf_be32(devices->bytes + devices->at + 1)));
		size += XF_QEMU_FOOTER_SIZE;
	}
	if (device->cpu != XF_QEMU_NO_CPU)
		XF_TRY(read_cpu(devices, device, &vcpus->vcpus[vcpus->count++]));
	devices->at += size;
	return NULL;
}

struct xf_error *xf_qemu_devices_read(const struct xf_qemu_vmdesc *desc, size_t first, bool footers,
				      const uint8_t *bytes, uint64_t size, const char *file,
				      uint64_t offset, struct xf_qemu_vcpus *out)
{
	struct devices devices = { desc, bytes, size, file, offset, 0, footers };
	XF_AUTO_FREE struct xf_vcpu *vcpus = NULL;
	struct xf_qemu_vcpus found = { 0 };

	if (desc->cpu_count == 0)
		return xf_error_new(XF_ERR_FORMAT, file,
				    "the stream has no 'cpu' section: not one of an x86 guest");
	vcpus = calloc(desc->cpu_count, sizeof(*vcpus));
	if (!vcpus)
		return xf_error_memory();
	found.vcpus = vcpus;
	for (size_t i = first; i < desc->device_count; i++)
		XF_TRY(read_device(&devices, &desc->devices[i], &found));
	if (bytes[devices.at] != XF_QEMU_EOF)
		return disagree(&devices, devices.at, "the end of the devices is expected here");
	XF_TRY(xf_qemu_cpu_unique(found.vcpus, found.count, file));
	if (found.count == 0)
		return xf_error_new(XF_ERR_FORMAT, file, "the stream's vCPUs come before its RAM");
	*out = found;
	vcpus = NULL;
	return NULL;
}
