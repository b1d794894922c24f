/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "state/qemu_walk.h"
#include "state/qemu_wire.h"

#define NAME_MAX_ 255

/*
 * One item of the stream, or as much of it as is there. A step looks at `have`
 * bytes at `p`. When that is not the whole item it asks for more with `want`;
 * else it says in `take` how many bytes the item has, and has changed the walk.
 */
struct item {
	const uint8_t *p;
	size_t have;
	size_t want;
	size_t take;
};

static bool lacks(struct item *item, size_t want)
{
	item->want = want;
	return item->have < want;
}

#define damaged(walk, ...) xf_error_at(XF_ERR_DAMAGED, (walk)->file, (walk)->offset, __VA_ARGS__)
#define unsupported(walk, ...) xf_error_at(XF_ERR_FORMAT, (walk)->file, (walk)->offset, __VA_ARGS__)

static void skip(struct xf_qemu_walk *walk, struct item *item, size_t head, uint64_t more)
{
	item->take = head;
	walk->skip = more;
}

/* A length and name at `p`; printable, since it ends up before people. */
static bool is_name(const uint8_t *p)
{
	for (size_t i = 1; i <= p[0]; i++)
		if (p[i] < ' ' || p[i] == 0x7f)
			return false;
	return p[0] > 0;
}

static bool name_is(const uint8_t *p, const char *name)
{
	return p[0] == strlen(name) && memcmp(p + 1, name, p[0]) == 0;
}

/* ---- Header and configuration ---- */

static struct xf_error *step_header(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 8))
		return NULL;
	if (xf_be32(item->p) != XF_QEMU_MAGIC)
		return unsupported(walk, "a QEMU migration stream begins with 'QEVM'");
	if (xf_be32(item->p + 4) != XF_QEMU_VERSION)
		return unsupported(walk, "a QEMU migration stream of version %u, not 3",
				   xf_be32(item->p + 4));
	item->take = 8;
	walk->step = XF_QEMU_STEP_CONFIGURATION;
	return NULL;
}

static struct xf_error *step_configuration(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 1))
		return NULL;
	if (item->p[0] != XF_QEMU_CONFIGURATION) {
		walk->step = XF_QEMU_STEP_SECTION;
		return NULL;
	}
	if (lacks(item, 5))
		return NULL;
	walk->length = xf_be32(item->p + 1);
	if (walk->length == 0 || walk->length > NAME_MAX_)
		return damaged(walk, "a machine name of %u bytes", walk->length);
	item->take = 5;
	walk->step = XF_QEMU_STEP_MACHINE;
	return NULL;
}

static struct xf_error *step_machine(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, walk->length))
		return NULL;
	for (uint32_t i = 0; i < walk->length; i++)
		if (item->p[i] < ' ' || item->p[i] >= 0x7f)
			return damaged(walk, "the machine's name is expected here");
	walk->machine = strndup((const char *)item->p, walk->length);
	if (!walk->machine)
		return xf_error_memory();
	item->take = walk->length;
	walk->step = XF_QEMU_STEP_CONFIGURATION_PART;
	return NULL;
}

/* A subsection of the configuration (vmstate_configuration in savevm.c), if one follows. */
static struct xf_error *step_configuration_part(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 1))
		return NULL;
	if (item->p[0] != XF_QEMU_SUBSECTION) {
		walk->step = XF_QEMU_STEP_SECTION;
		return NULL;
	}
	if (lacks(item, 2) || lacks(item, XF_QEMU_SUBSECTION_HEAD(item->p[1])))
		return NULL;

	const uint8_t *name = item->p + 1;
	size_t head = XF_QEMU_SUBSECTION_HEAD(name[0]);

	if (name_is(name, "configuration/uuid")) {
		skip(walk, item, head, 16);
		return NULL;
	}
	if (lacks(item, head + 4))
		return NULL;

	uint32_t value = xf_be32(item->p + head);

	if (name_is(name, "configuration/target-page-bits")) {
		if (value < 10 || value > 16)
			return damaged(walk, "a guest page of 2^%u bytes", value);
		walk->page_size = (uint64_t)1 << value;
	} else if (name_is(name, "configuration/capabilities")) {
		walk->capabilities_left = value;
		walk->step = value ? XF_QEMU_STEP_CAPABILITY : walk->step;
	} else if (is_name(name)) {
		return unsupported(walk, "the stream's configuration has a part '%.*s'",
				   (int)name[0], name + 1);
	} else {
		return damaged(walk, "a part of the stream's configuration is expected here");
	}
	item->take = head + 4;
	return NULL;
}

static struct xf_error *step_capability(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 1) || lacks(item, (size_t)1 + item->p[0]))
		return NULL;
	if (name_is(item->p, "x-ignore-shared"))
		walk->ignore_shared = true;
	else if (name_is(item->p, "mapped-ram"))
		walk->mapped_ram = true;
	else if (is_name(item->p))
		return unsupported(walk, "the stream was made with the capability '%.*s'",
				   (int)item->p[0], item->p + 1);
	else
		return damaged(walk, "the name of a migration capability is expected here");
	item->take = (size_t)1 + item->p[0];
	if (--walk->capabilities_left == 0)
		walk->step = XF_QEMU_STEP_CONFIGURATION_PART;
	return NULL;
}

/* ---- Sections ---- */

static struct xf_error *step_section(struct xf_qemu_walk *walk, struct item *item)
{
	if (walk->package_end && walk->offset > walk->package_end)
		return damaged(walk, "the package ended in the middle of a section");
	if (walk->offset == walk->package_end)
		walk->package_end = 0; /* it had no devices */
	if (lacks(item, 1))
		return NULL;
	switch (item->p[0]) {
	case XF_QEMU_START:
		walk->step = XF_QEMU_STEP_START;
		return NULL;
	case XF_QEMU_PART:
	case XF_QEMU_END:
		walk->step = XF_QEMU_STEP_CONTINUED;
		return NULL;
	case XF_QEMU_FULL:
		/*
		 * Before any RAM: a device that RAM depends on, from QEMU 8.1. Or there is
		 * no RAM at all, which is how xen-save-devices-state writes; it has no
		 * configuration either, and newer machine types always have.
		 */
		if (walk->phase == XF_QEMU_HEAD && walk->machine) {
			walk->step = XF_QEMU_STEP_EARLY;
			return NULL;
		}
		walk->phase = XF_QEMU_TAIL;
		return NULL;
	case XF_QEMU_EOF:
		if (walk->phase == XF_QEMU_HEAD)
			break;
		walk->phase = XF_QEMU_TAIL;
		return NULL;
	case XF_QEMU_COMMAND:
		walk->step = XF_QEMU_STEP_COMMAND;
		return NULL;
	default:
		break;
	}
	return damaged(walk, "a section is expected here, not a byte 0x%02x", item->p[0]);
}

static unsigned int seen_in_command(uint16_t command, uint16_t length)
{
	switch (command) {
	case XF_QEMU_CMD_POSTCOPY_ADVISE:
		/* Without data it is of dirty bitmaps alone; those say so themselves. */
		return length ? XF_QEMU_SEEN_POSTCOPY : 0;
	case XF_QEMU_CMD_OPEN_RETURN_PATH:
	case XF_QEMU_CMD_PING:
		return XF_QEMU_SEEN_RETURN_PATH;
	case XF_QEMU_CMD_ENABLE_COLO:
		return XF_QEMU_SEEN_COLO;
	case XF_QEMU_CMD_LAST:
		return 0;
	default:
		return XF_QEMU_SEEN_POSTCOPY;
	}
}

static struct xf_error *step_command(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, XF_QEMU_COMMAND_HEAD))
		return NULL;

	uint16_t command = xf_be16(item->p + 1);
	uint16_t length = xf_be16(item->p + 3);

	if (command == 0 || command > XF_QEMU_CMD_LAST)
		return damaged(walk, "a migration command %u", command);
	walk->seen |= seen_in_command(command, length);
	walk->step = XF_QEMU_STEP_SECTION;
	if (command != XF_QEMU_CMD_PACKAGED) {
		/* Without data it says that RAM may be postponed, but not that pages differ. */
		if (command == XF_QEMU_CMD_POSTCOPY_ADVISE && length > 0)
			walk->postcopy = true;
		skip(walk, item, XF_QEMU_COMMAND_HEAD, length);
		return NULL;
	}

	/* A stream in the stream, without header: its sections are read like ours. */
	if (walk->package_end)
		return damaged(walk, "a package in a package");
	if (length != 4)
		return damaged(walk, "the length of a package is expected here");
	if (lacks(item, XF_QEMU_COMMAND_HEAD + 4)) {
		walk->step = XF_QEMU_STEP_COMMAND;
		return NULL;
	}
	item->take = XF_QEMU_COMMAND_HEAD + 4;
	walk->package_end = walk->offset + item->take + xf_be32(item->p + XF_QEMU_COMMAND_HEAD);
	return NULL;
}

static bool lacks_section_head(struct item *item)
{
	return lacks(item, 6) || lacks(item, XF_QEMU_SECTION_HEAD(item->p[5]));
}

static struct xf_error *step_start(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks_section_head(item))
		return NULL;

	const uint8_t *name = item->p + 5;
	uint32_t version = xf_be32(name + 1 + name[0] + 4);

	if (!is_name(name))
		return damaged(walk, "a section's name is expected here");
	if (!name_is(name, "ram")) {
		if (walk->desc && walk->phase == XF_QEMU_HEAD) {
			walk->phase = XF_QEMU_RAM; /* what the caller wants to know it knows */
			return NULL;
		}
		return unsupported(walk,
				   "the stream has a section '%.*s' that cannot be stepped over",
				   (int)name[0], name + 1);
	}
	if (version != 4)
		return unsupported(walk, "RAM in version %u, not 4", version);
	if (walk->has_ram)
		return damaged(walk, "RAM begins a second time");
	walk->has_ram = true;
	walk->ram_section = walk->section = xf_be32(item->p + 1);
	item->take = XF_QEMU_SECTION_HEAD(name[0]);
	walk->step = XF_QEMU_STEP_RAM;
	return NULL;
}

static struct xf_error *step_continued(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 5))
		return NULL;
	walk->section = xf_be32(item->p + 1);
	if (!walk->has_ram || walk->section != walk->ram_section)
		return damaged(walk, "section %u goes on here but has not begun", walk->section);
	item->take = 5;
	walk->step = XF_QEMU_STEP_RAM;
	walk->phase = XF_QEMU_RAM;
	return NULL;
}

/*
 * virtio-mem's early part (hw/virtio/virtio-mem.c): u64 address, region size and
 * block size, u32 node, u64 plugged size, then a bit a block in whole u64.
 */
static struct xf_error *virtio_mem_size(struct xf_qemu_walk *walk, struct item *item, size_t head,
					uint64_t *out)
{
	const char suffix[] = "virtio-mem-device-early";
	size_t length = item->p[5];

	if (length < sizeof(suffix) - 1 ||
	    memcmp(item->p + 6 + length - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) != 0)
		return unsupported(walk, "a device '%.*s' before RAM, of unknown size", (int)length,
				   item->p + 6);
	if (lacks(item, head + 24))
		return NULL;

	uint64_t region = xf_be64(item->p + head + 8);
	uint64_t block = xf_be64(item->p + head + 16);

	if (block == 0 || region / block > UINT32_MAX)
		return damaged(walk,
			       "a virtio-mem region of %" PRIu64 " bytes in blocks of %" PRIu64,
			       region, block);
	*out = 36 + (region / block + 63) / 64 * 8;
	return NULL;
}

/* A device before RAM. Its size is in the description, or else must be known here. */
static struct xf_error *step_early(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks_section_head(item))
		return NULL;

	size_t length = item->p[5];
	size_t head = XF_QEMU_SECTION_HEAD(length);
	uint64_t size = 0;

	if (!is_name(item->p + 5))
		return damaged(walk, "a section's name is expected here");
	if (walk->desc) {
		const struct xf_qemu_device *device = NULL;

		if (walk->early_devices < walk->desc->device_count)
			device = &walk->desc->devices[walk->early_devices];
		if (!device || device->name_length != length ||
		    memcmp(walk->desc->names + device->name, item->p + 6, length) != 0 ||
		    device->instance != xf_be32(item->p + 6 + length))
			return damaged(
				walk, "a section '%.*s' that the stream's description has not here",
				(int)length, item->p + 6);
		size = device->size;
	} else {
		XF_TRY(virtio_mem_size(walk, item, head, &size));
		if (size == 0)
			return NULL; /* more of it is needed */
	}
	walk->early_devices++;
	walk->section = xf_be32(item->p + 1);
	walk->step = XF_QEMU_STEP_FOOTER;
	skip(walk, item, head, size);
	return NULL;
}

/*
 * Behind a section. Whether streams of this machine type have footers is seen
 * at the first one; 0x7e is no section type, so there is no doubt.
 */
static struct xf_error *step_footer(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 1))
		return NULL;

	bool is_footer = item->p[0] == XF_QEMU_FOOTER;

	if (!walk->knows_footers) {
		walk->knows_footers = true;
		walk->footers = is_footer;
	}
	if (!walk->footers) {
		walk->step = XF_QEMU_STEP_SECTION;
		return NULL;
	}
	if (lacks(item, XF_QEMU_FOOTER_SIZE))
		return NULL;
	if (!is_footer || xf_be32(item->p + 1) != walk->section)
		return damaged(walk, "the end of section %u is expected here", walk->section);
	item->take = XF_QEMU_FOOTER_SIZE;
	walk->step = XF_QEMU_STEP_SECTION;
	return NULL;
}

/* ---- RAM ---- */

/* A page's data, behind its record of `head` bytes. */
static struct xf_error *step_page(struct xf_qemu_walk *walk, struct item *item, uint64_t flags,
				  size_t head)
{
	switch (flags) {
	case XF_QEMU_RAM_ZERO:
		skip(walk, item, head, 1);
		return NULL;
	case XF_QEMU_RAM_PAGE:
		skip(walk, item, head, walk->page_size);
		return NULL;
	case XF_QEMU_RAM_XBZRLE: {
		if (lacks(item, head + 3))
			return NULL;

		uint16_t length = xf_be16(item->p + head + 1);

		if (item->p[head] != 1 || length > walk->page_size)
			return damaged(walk, "a page encoded by XBZRLE is expected here");
		skip(walk, item, head + 3, length);
		return NULL;
	}
	default: { /* XF_QEMU_RAM_COMPRESS */
		if (lacks(item, head + 4))
			return NULL;

		uint32_t length = xf_be32(item->p + head);

		/* zlib makes nothing larger by more than this. */
		if (length == 0 || length > walk->page_size + walk->page_size / 8 + 64)
			return damaged(walk, "a page compressed to %u bytes", length);
		skip(walk, item, head + 4, length);
		return NULL;
	}
	}
}

static struct xf_error *step_ram(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 8))
		return NULL;

	uint64_t address = xf_be64(item->p);
	uint64_t flags = address & (walk->page_size - 1);
	size_t head = 8;

	switch (flags & ~(uint64_t)XF_QEMU_RAM_CONTINUE) {
	case XF_QEMU_RAM_EOS:
		item->take = 8;
		walk->step = XF_QEMU_STEP_FOOTER;
		return NULL;
	case XF_QEMU_RAM_BLOCKS:
		item->take = 8;
		walk->blocks_left = address - flags;
		if (walk->blocks_left)
			walk->step = XF_QEMU_STEP_BLOCK;
		return NULL;
	case XF_QEMU_RAM_FLUSH:
		walk->seen |= XF_QEMU_SEEN_MULTIFD;
		item->take = 8;
		return NULL;
	case XF_QEMU_RAM_HOOK:
		return unsupported(walk, "RAM that was sent by RDMA");
	case XF_QEMU_RAM_ZERO:
	case XF_QEMU_RAM_PAGE:
	case XF_QEMU_RAM_XBZRLE:
	case XF_QEMU_RAM_COMPRESS:
		break;
	default:
		return damaged(walk, "a page of RAM is expected here, not flags 0x%" PRIx64, flags);
	}

	if (flags & XF_QEMU_RAM_CONTINUE) {
		if (!walk->knows_block)
			return damaged(walk, "a page of RAM whose block has not been named");
	} else {
		if (lacks(item, 9) || lacks(item, (size_t)9 + item->p[8]))
			return NULL;
		if (!is_name(item->p + 8))
			return damaged(walk, "the name of a block of RAM is expected here");
		head += (size_t)1 + item->p[8];
	}

	XF_TRY(step_page(walk, item, flags & ~(uint64_t)XF_QEMU_RAM_CONTINUE, head));
	if (item->take)
		walk->knows_block = true;
	return NULL;
}

/*
 * Whether a block's entry has its page size: with postcopy, when that is not
 * the usual one, which the stream does not say (ram_save_setup). What follows
 * decides: the next entry begins with a length that is not 0, the record
 * behind the last entry is an EOS or a FLUSH; neither is a page size.
 */
static bool has_page_size(const struct xf_qemu_walk *walk, const uint8_t *behind, bool last)
{
	if (!walk->postcopy)
		return false;
	if (!last)
		return behind[0] == 0;

	uint64_t next = xf_be64(behind);

	return next != XF_QEMU_RAM_EOS && next != XF_QEMU_RAM_FLUSH;
}

static struct xf_error *step_mapped_block(struct xf_qemu_walk *walk, struct item *item, size_t head,
					  uint64_t size)
{
	if (lacks(item, head + XF_QEMU_MAPPED_HEAD))
		return NULL;

	uint32_t version = xf_be32(item->p + head);
	uint64_t pages = xf_be64(item->p + head + 20);
	uint64_t behind = walk->offset + head + XF_QEMU_MAPPED_HEAD;

	if (version != 1)
		return unsupported(walk, "mapped RAM in version %u, not 1", version);
	/* A block that is shared and therefore not in the file (QEMU from 11.0). */
	if (walk->ignore_shared && pages == 0 && xf_be64(item->p + head + 12) == 0) {
		item->take = head + XF_QEMU_MAPPED_HEAD;
		return NULL;
	}
	if (pages < behind || pages > INT64_MAX || size > INT64_MAX - pages)
		return damaged(walk, "a block of mapped RAM with its pages at %" PRIu64, pages);
	skip(walk, item, head + XF_QEMU_MAPPED_HEAD, pages + size - behind);
	return NULL;
}

static struct xf_error *step_block(struct xf_qemu_walk *walk, struct item *item)
{
	if (lacks(item, 1) || lacks(item, (size_t)9 + item->p[0]))
		return NULL;

	size_t head = (size_t)9 + item->p[0];
	uint64_t size = xf_be64(item->p + head - 8);

	if (!is_name(item->p))
		return damaged(walk, "the name of a block of RAM is expected here");
	if (size > walk->blocks_left)
		return damaged(walk,
			       "a block of %" PRIu64 " bytes of RAM where %" PRIu64 " are left",
			       size, walk->blocks_left);
	if (walk->ignore_shared)
		head += 8;
	if (walk->mapped_ram) {
		XF_TRY(step_mapped_block(walk, item, head, size));
		if (!item->take)
			return NULL;
	} else {
		if (lacks(item, head + (walk->postcopy ? 8 : 0)))
			return NULL;
		if (has_page_size(walk, item->p + head, size == walk->blocks_left))
			head += 8;
		if (lacks(item, head))
			return NULL;
		item->take = head;
	}
	walk->blocks_left -= size;
	if (walk->blocks_left == 0)
		walk->step = XF_QEMU_STEP_RAM;
	return NULL;
}

/* ---- The walk ---- */

static struct xf_error *step(struct xf_qemu_walk *walk, struct item *item)
{
	switch (walk->step) {
	case XF_QEMU_STEP_HEADER:
		return step_header(walk, item);
	case XF_QEMU_STEP_CONFIGURATION:
		return step_configuration(walk, item);
	case XF_QEMU_STEP_MACHINE:
		return step_machine(walk, item);
	case XF_QEMU_STEP_CONFIGURATION_PART:
		return step_configuration_part(walk, item);
	case XF_QEMU_STEP_CAPABILITY:
		return step_capability(walk, item);
	case XF_QEMU_STEP_SECTION:
		return step_section(walk, item);
	case XF_QEMU_STEP_COMMAND:
		return step_command(walk, item);
	case XF_QEMU_STEP_START:
		return step_start(walk, item);
	case XF_QEMU_STEP_CONTINUED:
		return step_continued(walk, item);
	case XF_QEMU_STEP_EARLY:
		return step_early(walk, item);
	case XF_QEMU_STEP_RAM:
		return step_ram(walk, item);
	case XF_QEMU_STEP_BLOCK:
		return step_block(walk, item);
	case XF_QEMU_STEP_FOOTER:
		return step_footer(walk, item);
	}
	__builtin_unreachable();
}

void xf_qemu_walk_init(struct xf_qemu_walk *walk, const char *file)
{
	memset(walk, 0, offsetof(struct xf_qemu_walk, carry));
	walk->carried = 0;
	walk->file = file;
	walk->page_size = 4096;
}

void xf_qemu_walk_deinit(struct xf_qemu_walk *walk)
{
	free(walk->machine);
	walk->machine = NULL;
}

void xf_qemu_walk_use(struct xf_qemu_walk *walk, const struct xf_qemu_vmdesc *desc)
{
	walk->desc = desc;
}

void xf_qemu_walk_jumped(struct xf_qemu_walk *walk, uint64_t n)
{
	walk->skip -= n;
	walk->offset += n;
}

/* Steps through whole items at `p`. `*want` is what the first incomplete one needs, or 0. */
static struct xf_error *step_through(struct xf_qemu_walk *walk, const uint8_t *p, size_t size,
				     size_t *used, size_t *want)
{
	enum xf_qemu_phase phase = walk->phase;
	size_t at = 0;

	*want = 0;
	while (walk->phase == phase) {
		struct item item = { .p = p + at, .have = size - at };

		if (walk->skip) {
			uint64_t n = walk->skip < item.have ? walk->skip : item.have;

			xf_qemu_walk_jumped(walk, n);
			at += n;
			if (walk->skip)
				break;
			continue;
		}

		enum xf_qemu_step before = walk->step;

		XF_TRY(step(walk, &item));
		walk->offset += item.take;
		at += item.take;
		/* Neither taken anything nor moved on: it lacks bytes. */
		if (!item.take && walk->step == before && walk->phase == phase) {
			*want = item.want;
			break;
		}
	}
	*used = at;
	return NULL;
}

struct xf_error *xf_qemu_walk_push(struct xf_qemu_walk *walk, const uint8_t *data, size_t size,
				   size_t *used)
{
	enum xf_qemu_phase phase = walk->phase;
	size_t at = 0;
	size_t n, want;

	/*
	 * An item of which a part is here is completed byte by byte as far as the
	 * step wants, never further: what is carried is always the start of one item.
	 */
	while (walk->carried && walk->phase == phase) {
		XF_TRY(step_through(walk, walk->carry, walk->carried, &n, &want));
		memmove(walk->carry, walk->carry + n, walk->carried - n);
		walk->carried -= n;
		if (!walk->carried || walk->phase != phase)
			break;
		while (walk->carried < want && at < size)
			walk->carry[walk->carried++] = data[at++];
		if (walk->carried < want) {
			*used = at;
			return NULL;
		}
	}
	if (walk->phase == phase) {
		XF_TRY(step_through(walk, data + at, size - at, &n, &want));
		at += n;
		while (want && at < size)
			walk->carry[walk->carried++] = data[at++];
	}
	*used = at;
	return NULL;
}

struct xf_error *xf_qemu_walk_cut(const struct xf_qemu_walk *walk)
{
	return xf_error_at(XF_ERR_DAMAGED, walk->file, walk->offset + walk->carried,
			   walk->phase == XF_QEMU_HEAD
				   ? "the stream ends here, before its RAM"
				   : "the stream ends here, in its RAM or before its devices");
}
