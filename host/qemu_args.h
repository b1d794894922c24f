/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words of QEMU's command line that somebody has added behind those that libvirt or Proxmox VE
 * made. Of several -cpu the last one counts.
 */
#ifndef XF_HOST_QEMU_ARGS_H
#define XF_HOST_QEMU_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct xf_qemu_args {
	char *cpu;   /* what stands behind -cpu, or NULL */
	bool global; /* -global changes what CPUs have */
	bool after_cpu, after_global;
};

/* Takes the next word. False: out of memory. */
bool xf_qemu_args_take(struct xf_qemu_args *args, const char *word, size_t len);

/*
 * Takes all words of a line, which are apart and quoted as in a shell. False: out of memory, or a
 * quote is open at its end.
 */
bool xf_qemu_args_take_line(struct xf_qemu_args *args, const char *line);

void xf_qemu_args_deinit(struct xf_qemu_args *args);

#endif
