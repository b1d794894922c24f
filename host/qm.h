/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Proxmox VE's configuration says of a virtual machine's CPU. */
#ifndef XF_HOST_QM_H
#define XF_HOST_QM_H

#include "base/error.h"
#include "host/cpu_model.h"
#include "host/text.h"

/* Values of one section, or NULL; each in memory of its own. */
struct xf_qm_section {
	char *runningcpu; /* QEMU's -cpu, as it was when the state was saved */
	char *cpu;	  /* "host,flags=+aes", in Proxmox' words */
	char *args;	  /* words for QEMU, behind all others */
	char *kvm;	  /* "0": emulated */
	char *arch;
	char *vmstate; /* the volume with the state */
};

struct xf_qm_conf {
	const char *path;
	const char *text;
	size_t size;
};

#define XF_QM_SNAPSHOTS_MAX 256

/* The snapshots that have a state, by the names of their sections, which lie in the text. */
struct xf_qm_snapshots {
	size_t count;
	bool more; /* than have room here */
	struct xf_piece names[XF_QM_SNAPSHOTS_MAX];
};

/*
 * Reads the section of that name, or with NULL the first part, which has none. `snapshots` may be
 * NULL.
 */
struct xf_error *xf_qm_read(const struct xf_qm_conf *conf, const char *name,
			    struct xf_qm_section *out, struct xf_qm_snapshots *snapshots);
void xf_qm_section_deinit(struct xf_qm_section *section);

/*
 * Proxmox' cpu: ("custom-big,flags=+aes", or NULL: its default) in QEMU's words: a model and
 * features that put a component in or out. A custom model is looked up in the file that `conf`,
 * the path of the configuration, stands beside; `*models` is that file's path, or NULL: none was
 * needed. Free both with free().
 */
struct xf_error *xf_qm_cpu(const char *conf, const char *cpu, bool kvm, char **out, char **models);

#endif
