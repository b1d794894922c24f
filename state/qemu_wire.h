/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of a QEMU migration stream; every number in it is big-endian.
 * Sources: QEMU's migration/savevm.c, savevm.h, ram.c and vmstate.c, 2.2 to 11.1.
 *
 *	"QEVM", u32 version 3
 *	CONFIGURATION, machine name, its subsections	machine types from 2.4
 *	COMMAND...					when postcopy is possible
 *	START "ram": the names and sizes of its blocks
 *	FULL sections of devices that RAM depends on	virtio-mem, from QEMU 8.1; also before START
 *	PART..., END of "ram"				the guest's memory
 *	FULL sections: one each device			the *device tail* begins here
 *	EOF
 *	VMDESC, u32 length, JSON			what the FULL sections hold
 */
#ifndef XF_STATE_QEMU_WIRE_H
#define XF_STATE_QEMU_WIRE_H

#include "xferry.h"

#define XF_QEMU_MAGIC 0x5145564d /* "QEVM" */
#define XF_QEMU_VERSION 3

enum {
	XF_QEMU_EOF = 0x00,
	XF_QEMU_START = 0x01,
	XF_QEMU_PART = 0x02,
	XF_QEMU_END = 0x03,
	XF_QEMU_FULL = 0x04,
	XF_QEMU_SUBSECTION = 0x05,
	XF_QEMU_VMDESC = 0x06,
	XF_QEMU_CONFIGURATION = 0x07,
	XF_QEMU_COMMAND = 0x08,
	XF_QEMU_FOOTER = 0x7e,
};

/* START and FULL: type, u32 section id, u8 length and name, u32 instance, u32 version. */
#define XF_QEMU_SECTION_HEAD(name_length) (14 + (name_length))
/* SUBSECTION: type, u8 length and name, u32 version. */
#define XF_QEMU_SUBSECTION_HEAD(name_length) (6 + (name_length))
/* FOOTER: type, u32 section id. Machine types up to 2.3 have none. */
#define XF_QEMU_FOOTER_SIZE 5
/* VMDESC: type, u32 length. */
#define XF_QEMU_VMDESC_HEAD 5
/* COMMAND: type, u16 command, u16 length. */
#define XF_QEMU_COMMAND_HEAD 5

enum {
	XF_QEMU_CMD_OPEN_RETURN_PATH = 1,
	XF_QEMU_CMD_PING = 2,
	XF_QEMU_CMD_POSTCOPY_ADVISE = 3,
	XF_QEMU_CMD_PACKAGED = 7,
	XF_QEMU_CMD_ENABLE_COLO = 8,
	XF_QEMU_CMD_LAST = 11, /* SWITCHOVER_START, from QEMU 10.0 */
};

/* In the low bits of a RAM record's address. */
enum {
	XF_QEMU_RAM_ZERO = 0x02,
	XF_QEMU_RAM_BLOCKS = 0x04,
	XF_QEMU_RAM_PAGE = 0x08,
	XF_QEMU_RAM_EOS = 0x10,
	XF_QEMU_RAM_CONTINUE = 0x20,
	XF_QEMU_RAM_XBZRLE = 0x40,
	XF_QEMU_RAM_HOOK = 0x80,
	XF_QEMU_RAM_COMPRESS = 0x100, /* up to QEMU 9.0 */
	XF_QEMU_RAM_FLUSH = 0x200,
};

/* mapped-ram, behind a block's entry: u32 version, u64 page size, bitmap's and pages' offset. */
#define XF_QEMU_MAPPED_HEAD 28

/*
 * The most that is looked at behind RAM. Device state is 13 to 35 KB in small
 * guests, some MB with a thousand vCPUs, tens of MB with a virtio-gpu.
 */
#define XF_QEMU_TAIL_MAX XF_MAX_TAIL

#endif
