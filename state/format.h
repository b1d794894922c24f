/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A format is one file under state/ that turns an input into a record: what the
 * vCPUs hold, at which address each value that may be edited lies, and what the file
 * itself tells of what the guest was shown.
 * To add one: write it, and name it in the table of state/state.c.
 */
#ifndef XF_STATE_FORMAT_H
#define XF_STATE_FORMAT_H

#include "state/input.h"

/* What a directory must hold to be opened as a state: Cloud Hypervisor's. */
#define XF_DIRECTORY_STATE "state.json"

struct xf_record {
	char *title;   /* for people, where it says more than the format's: "…, gzip"; or NULL */
	char *machine; /* or NULL */
	enum xf_found_by found_by;
	struct xf_vcpu *vcpus; /* in the order of the stream */
	size_t vcpu_count;
	struct xf_evidence *evidence; /* what the file itself tells; or NULL */
	/*
	 * Bytes of the pieces of the file that may get another owner each by itself, as qcow2's
	 * clusters: a power of two, pieces begin at multiples of it. 0: the file is one piece.
	 */
	uint64_t piece;
	bool rewritten; /* a repair writes a new file, by the format's `rewrite` */
	void *own;	/* what the format needs for a repair; or NULL */
};

struct xf_state;

/* Names of the states that one file holds, as they are given behind '#'. */
struct xf_names {
	char **names;
	size_t count;
};

void xf_names_deinit(struct xf_names *names);

struct xf_edit_list; /* state/edit.h */

struct xf_format {
	const char *name;  /* for JSON: "qemu" */
	const char *title; /* for people: "QEMU migration stream" */
	bool grows;	   /* the file has more than states, so it may be longer after a while */
	bool (*recognise)(const uint8_t *head, size_t size);

	/* The input's head has been read. `out` is empty before; written on success only. */
	struct xf_error *(*read)(struct xf_input *input, struct xf_record *out);

	/* What is in it is no virtual machine's: it is told, and never changed. */
	bool read_only;

	/* What follows may be NULL. */

	/*
	 * Whether a file that is recognised is a state at all, as far as its head tells: most
	 * ELF files are programs. A file that is named is read all the same; one that is only
	 * found in a directory is not.
	 */
	bool (*is_state)(const uint8_t *head, size_t size);

	/* The states in the file, where it may hold several or none. */
	struct xf_error *(*list)(struct xf_input *input, struct xf_names *out);

	/*
	 * Where the addresses of a vCPU's fields are not the file's offsets, or more changes
	 * with them (a checksum): the edits of the file that make up the given ones, which are
	 * in the order of addresses. Those of the file must be in the order of offsets.
	 */
	struct xf_error *(*place)(const struct xf_state *state, const struct xf_edit *edits,
				  size_t count, struct xf_edit_list *out);

	/*
	 * Asked before anything is written. An error says why this file may not be repaired. In
	 * place it is asked once more when the file is `locked` by us: nothing that was read
	 * before may be relied on then, as of a block device nobody else can tell that it has
	 * changed.
	 */
	struct xf_error *(*may_fix)(const struct xf_state *state, const struct xf_report *report,
				    bool locked);

	/*
	 * Where bytes cannot be changed in their place (record.rewritten): writes the whole
	 * repaired file to the empty file `fd`, which errors call `path`.
	 */
	struct xf_error *(*rewrite)(const struct xf_state *state, const struct xf_report *report,
				    int fd, const char *path, const struct xf_progress *progress);

	void (*free_own)(void *own);
};

/* `format` is the one that has read the record. */
void xf_record_deinit(struct xf_record *record, const struct xf_format *format);

extern const struct xf_format xf_format_qemu;
extern const struct xf_format xf_format_libvirt;
extern const struct xf_format xf_format_qcow2;
extern const struct xf_format xf_format_firecracker;
extern const struct xf_format xf_format_cloud_hypervisor;
extern const struct xf_format xf_format_elf;
extern const struct xf_format xf_format_criu;

/*
 * What a file is, as far as its first bytes tell, of which no format knows anything.
 * `verb` is the command that could read it once it is unpacked, "check -".
 */
struct xf_error *xf_format_unknown(const char *path, const char *verb, const uint8_t *head,
				   size_t size);

#endif
