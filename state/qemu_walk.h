/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a QEMU stream forward from its first byte, in whatever pieces it comes,
 * and knows at each moment where in it we are. RAM is stepped over, not kept.
 *
 *	struct xf_qemu_walk walk;
 *	xf_qemu_walk_init(&walk, path);
 *	while (walk.phase != XF_QEMU_TAIL) {
 *		n = read(fd, buffer, size);
 *		err = xf_qemu_walk_push(&walk, buffer, n, &used);
 *		// the first `used` bytes belong to what comes before the tail
 *	}
 *	xf_qemu_walk_deinit(&walk);
 */
#ifndef XF_STATE_QEMU_WALK_H
#define XF_STATE_QEMU_WALK_H

#include "state/qemu_vmdesc.h"

enum xf_qemu_phase {
	XF_QEMU_HEAD, /* configuration, commands, names of RAM's blocks, devices RAM depends on */
	XF_QEMU_RAM,
	XF_QEMU_TAIL, /* the devices: nothing more is read here */
};

/* What the walk expects next. */
enum xf_qemu_step {
	XF_QEMU_STEP_HEADER,
	XF_QEMU_STEP_CONFIGURATION,
	XF_QEMU_STEP_MACHINE,
	XF_QEMU_STEP_CONFIGURATION_PART,
	XF_QEMU_STEP_CAPABILITY,
	XF_QEMU_STEP_SECTION,
	XF_QEMU_STEP_COMMAND,
	XF_QEMU_STEP_START,
	XF_QEMU_STEP_CONTINUED,
	XF_QEMU_STEP_EARLY,
	XF_QEMU_STEP_RAM,
	XF_QEMU_STEP_BLOCK,
	XF_QEMU_STEP_FOOTER,
};

/* What a stream may have that only matters to who passes it on while it comes. */
enum xf_qemu_seen {
	XF_QEMU_SEEN_RETURN_PATH = 1, /* the source wants answers */
	XF_QEMU_SEEN_POSTCOPY = 2,    /* RAM may come behind the devices, and packages */
	XF_QEMU_SEEN_COLO = 4,	      /* the stream never ends */
	XF_QEMU_SEEN_MULTIFD = 8,     /* pages go through other channels */
};

struct xf_qemu_walk {
	enum xf_qemu_phase phase;
	uint64_t offset; /* of the next byte in the stream */
	uint64_t skip;	 /* so many bytes from there do not matter; may be jumped over */

	char *machine; /* or NULL: machine types up to 2.3 do not tell */
	bool has_ram;  /* a section "ram" has begun */
	bool knows_footers;
	bool footers;	      /* sections end with one */
	bool mapped_ram;      /* pages lie in the file apart from the stream */
	size_t early_devices; /* device sections before RAM */
	unsigned int seen;    /* enum xf_qemu_seen; a bit is set before its item is taken */
	uint64_t package_end; /* where the package ends in which the tail lies, or 0 */

	/* The rest is the walk's own. */
	const char *file;
	const struct xf_qemu_vmdesc *desc;
	enum xf_qemu_step step;
	uint32_t length; /* of the machine's name */
	uint32_t capabilities_left;
	bool ignore_shared, postcopy;
	uint64_t page_size;
	bool knows_block;
	uint32_t section, ram_section;
	uint64_t blocks_left; /* bytes of RAM whose blocks have not been named yet */
	uint8_t carry[1024];  /* the start of an item whose end has not come yet */
	size_t carried;
};

/* `file` is for messages and must live as long as the walk. */
void xf_qemu_walk_init(struct xf_qemu_walk *walk, const char *file);
void xf_qemu_walk_deinit(struct xf_qemu_walk *walk);

/*
 * Where the stream's description is known already: lets the walk pass devices
 * before RAM of which it does not know the size itself. A section that it
 * cannot pass then ends the head.
 */
void xf_qemu_walk_use(struct xf_qemu_walk *walk, const struct xf_qemu_vmdesc *desc);

/*
 * The next bytes of the stream. Returns when they are used up or the phase has
 * changed; `*used` says how many were. XF_ERR_FORMAT: no stream that is
 * supported, XF_ERR_DAMAGED: one that contradicts itself.
 */
struct xf_error *xf_qemu_walk_push(struct xf_qemu_walk *walk, const uint8_t *data, size_t size,
				   size_t *used);

/* `n` bytes, no more than walk->skip, have been jumped over. */
void xf_qemu_walk_jumped(struct xf_qemu_walk *walk, uint64_t n);

/* The error for a stream that ends here, before its tail. */
struct xf_error *xf_qemu_walk_cut(const struct xf_qemu_walk *walk);

#endif
