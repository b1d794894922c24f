/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxferry: finds extended CPU state (XSAVE) that leaked into a saved virtual
 * machine, predicts what a target's KVM answers to it, and repairs it reversibly.
 *
 *	struct xf_evidence *guest = NULL;
 *	struct xf_host *target = NULL;
 *	struct xf_state *state = NULL;
 *	struct xf_report *report = NULL;
 *	struct xf_error *err = xf_evidence_from_cpu("qemu64,+avx", NULL, &guest);
 *
 *	if (!err)
 *		err = xf_host_open("preset:linux-6.2,-pku", &target);
 *	if (!err)
 *		err = xf_state_open("vm.qevm", NULL, &state);
 *	if (!err)
 *		err = xf_check(state, guest, target, XF_ALL, &report);
 *	if (!err && report->edit_count)
 *		err = xf_fix_in_place(state, report, NULL, NULL);
 *
 * Every function that can fail returns an error, or NULL for success; its
 * out-parameter is last and is written on success only. What a function gives
 * out is freed with the matching _free, which takes NULL. Strings and arrays
 * inside an object live as long as the object. Nothing here prints or exits.
 * Objects are not locked: share one between threads only to read.
 *
 * The pure part (component table, layouts, areas, the rule, a vCPU) is in the five
 * headers of core/: no allocation, no I/O, usable inside a VMM.
 */
#ifndef XFERRY_H
#define XFERRY_H

#include "core/area.h"
#include "core/component.h"
#include "core/layout.h"
#include "core/rule.h"
#include "core/vcpu.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" */
const char *xf_version(void);

/* ---- Errors ---- */

enum xf_error_code {
	XF_ERR_USAGE =
		1,	/* what was asked for makes no sense: a bad CPU string, an unknown preset */
	XF_ERR_FORMAT,	/* the file is of a kind that is not supported */
	XF_ERR_DAMAGED, /* the file is of a known kind and is truncated or contradicts itself */
	XF_ERR_IO,	/* the system refused: no such file, no permission, disk full */
	XF_ERR_REFUSED, /* it could be done and would be wrong: an undo file exists, the file
			   changed */
	XF_ERR_MEMORY,
	XF_ERR_SEVERAL, /* the file holds several states, and none of them was named */
};

#define XF_NO_OFFSET UINT64_MAX

struct xf_error {
	enum xf_error_code code;
	const char *file; /* the file at fault, or NULL */
	uint64_t offset;  /* where in it, or XF_NO_OFFSET */
	const char *text; /* the whole message, one line, file and offset included */
};

void xf_error_free(struct xf_error *err);

/* ---- Names and masks ---- */

/* Every component, for `only`. */
#define XF_ALL UINT64_MAX

/* "x87 SSE AVX PKRU"; a bit without a name is "bit 33"; an empty mask is "none". Free with free().
 */
char *xf_mask_to_text(uint64_t mask);

/* "0x207", "pkru,avx" or a mix. XF_ERR_USAGE names the word that is unknown. */
struct xf_error *xf_mask_from_text(const char *text, uint64_t *out);

/* ---- What the guest was shown ---- */

struct xf_host; /* one machine's KVM, below */

struct xf_evidence {
	struct xf_guest guest;
	bool all_of_host;   /* -cpu host or max: the guest was shown all that its host had */
	bool seen_inside;   /* --cpuid: what the guest itself saw, and not what it was given */
	const char *source; /* for people: "-cpu qemu64,+avx (models of QEMU 7.2, 10.0, 11.1)" */
};

/*
 * QEMU's -cpu argument: a model or alias with or without version, then
 * +feature, -feature, feature=on|off, or any other property. Models are looked
 * up in the tables of several QEMUs: what they do not agree on stays unknown
 * and is treated as shown. `host` and `max` tell nothing unless `from`, the
 * host where the guest was started, is given (else NULL); a preset tells only
 * what counts as shown. `host,-pku` still tells that PKRU was not shown. An unknown model or
 * feature name is XF_ERR_USAGE: a typo must not cost a guest its data.
 */
struct xf_error *xf_evidence_from_cpu(const char *cpu, const struct xf_host *from,
				      struct xf_evidence **out);

/* The guest's own CPUID as `cpuid -1r` prints it, run inside the guest. Leaf 0xD is used, and
 * leaves 1 and 7. */
struct xf_error *xf_evidence_from_cpuid(const char *path, struct xf_evidence **out);

/* The mask itself, as xf_mask_from_text reads it: all 64 bits are known then. */
struct xf_error *xf_evidence_from_mask(const char *text, struct xf_evidence **out);

/*
 * libvirt's XML: a domain, a save image's XML, or a <cpu> element by itself. `from` as above, for
 * host-model that is not resolved, host-passthrough and maximum. Never fetches anything.
 */
struct xf_error *xf_evidence_from_xml(const char *path, const struct xf_host *from,
				      struct xf_evidence **out);

/*
 * Proxmox VE's configuration of a virtual machine: "VMID.conf", or "VMID.conf:SNAPSHOT" for a
 * snapshot's own section. Without a name: the machine's own part, and if that has no state of its
 * own (vmstate), what any snapshot with one shows counts as shown as well. What it ran with
 * (runningcpu) comes before what it is configured with (cpu); without either it is kvm64. Custom
 * models are looked up where Proxmox keeps them beside it.
 */
struct xf_error *xf_evidence_from_qm(const char *spec, const struct xf_host *from,
				     struct xf_evidence **out);

void xf_evidence_free(struct xf_evidence *evidence);

/* ---- The target ---- */

enum xf_answer { XF_NOT_KNOWN, XF_NO, XF_YES };

/* What could not be learned of a host. */
struct xf_unlearned {
	const char *key; /* the profile's: "get" */
	const char *why; /* one clause */
};

struct xf_host {
	const char *name;   /* "preset:linux-6.2,-pku", "local", or the profile's file */
	const char *kernel; /* "6.1.0-48-amd64", or NULL */
	const char *cpu;    /* model name of its CPU, or NULL */
	const char *qemu;   /* version of its QEMU, "7.2", or NULL */
	const char *module; /* the xferry module's parameters, "mode=observe …", or NULL */
	struct xf_kvm kvm;
	bool cpu_assumed; /* a preset: what the CPU has is a guess, no evidence */
	bool has_layout;
	struct xf_layout layout; /* when has_layout */
	uint32_t area_size;	 /* bytes of KVM_GET_XSAVE2's area, 0 when not known */

	/* What a probe tells besides; no prediction needs it. */
	enum xf_answer amx_permitted; /* the kernel let us have guests with AMX */
	enum xf_answer pkru_kept; /* SET with PKRU's bit clear leaves the vCPU's PKRU as it was */
	bool has_after_run;
	uint64_t after_run; /* XSTATE_BV of a guest without XSAVE that ran a few instructions */
	size_t unlearned_count;
	struct xf_unlearned *unlearned;
};

/*
 * A TARGET: "local", this machine; "preset:NAME[,+component,-component…]"; or the
 * path of a profile (JSON, xferry-profile(5)).
 */
struct xf_error *xf_host_open(const char *spec, struct xf_host **out);

/*
 * Asks this machine's KVM what it does, in a few milliseconds. Needs /dev/kvm for
 * reading and writing; makes a virtual machine, which lets it run two instructions,
 * and nothing stays of it but this process' permission to have guests with AMX.
 * What could not be learned is listed with its reason. XF_ERR_IO: there is no KVM
 * to ask.
 */
struct xf_error *xf_host_probe(struct xf_host **out);

/* Whether this key of the host's profile could not be learned. */
bool xf_host_lacks(const struct xf_host *host, const char *key);

/* The profile of a host as JSON text. Free with free(). */
struct xf_error *xf_host_to_json(const struct xf_host *host, char **out);

void xf_host_free(struct xf_host *host);

/*
 * Where the components lie in a host's XSAVE area: "intel", "amd" (Zen 3), "amd-avx512" (Zen 4
 * and later), "local", or the path of a profile that has a layout.
 */
struct xf_error *xf_layout_open(const char *spec, struct xf_layout *out);

/* What QEMU does when its KVM refuses a vCPU's state. */
enum xf_refusal {
	XF_REFUSAL_UNKNOWN, /* one or the other */
	XF_REFUSAL_RUNS_ON, /* up to 8.1: ignores it, the guest runs on with its registers lost */
	XF_REFUSAL_EXITS,   /* from 8.2 on: exits, the state cannot be loaded */
};

/*
 * By the version of the target's QEMU, where that is known; else `machine`, the
 * state's machine type or NULL, tells the oldest QEMU that it can be.
 */
enum xf_refusal xf_refusal_at(const struct xf_host *target, const char *machine);

struct xf_preset {
	const char *name; /* "linux-6.2" */
	const char *what; /* one line: which kernels behave so */
};

/* The i-th preset, or NULL past the last. */
const struct xf_preset *xf_preset(size_t i);

/* ---- Saved state ---- */

/* How the CPU's part was found in the file; a later one is weaker evidence. */
enum xf_found_by {
	XF_FOUND_STRUCTURE,   /* the format itself says where it is */
	XF_FOUND_DESCRIPTION, /* through the stream's own description, from its end */
	XF_FOUND_WALK,	      /* the stream was read from its start, then through its description */
	XF_FOUND_SIGNATURE,   /* no description: by the section's own signature and fixed layout */
};

/*
 * One value in the file. size 0: the file does not have it. The offset is the file's where the
 * stream or area lies in it in one piece; else it counts in the unpacked stream, in the snapshot's
 * state or in the area: docs/formats.md.
 */
struct xf_field {
	uint64_t value;
	uint64_t offset;
	uint32_t size;
};

/* One vCPU's extended state as the file has it. */
struct xf_vcpu {
	uint32_t index;	    /* QEMU's instance id; else the position */
	bool little_endian; /* the fields' bytes */
	struct xf_field xstate_bv;
	struct xf_field xcr0;
	struct xf_field cr4;
	struct xf_field mxcsr;
	struct xf_field pkru;
	struct xf_field xss;
	struct xf_field pkrs;
	struct xf_field xfd;
	struct xf_field xfd_err;
	uint64_t carried; /* components whose data has a subsection of its own */
	/* Where the file holds KVM's area itself, and not what QEMU builds one of. */
	uint64_t xcomp_bv;
	bool reserved; /* a reserved byte of the area's header is not 0 */
};

struct xf_state;

struct xf_progress {
	/* Called now and then while RAM is read or a file is copied; `total` is 0 when not known.
	 */
	void (*step)(void *data, uint64_t done, uint64_t total);
	void *data;
};

/*
 * Opens a saved state read-only and reads the CPU's part of it. "-" is standard
 * input. A pipe is read from start to end. `progress` may be NULL. FILE#NAME is
 * one of several states in a file, as a disk image's snapshots are, unless there is a
 * file of that whole name. A directory is opened when it is a Cloud Hypervisor snapshot.
 * XF_ERR_FORMAT: not a format that xferry reads, or a stream without vCPUs.
 * XF_ERR_SEVERAL: the file holds several states, and no name was given.
 * XF_ERR_USAGE: none has the name; or with more than one '#', it may be of several files.
 */
struct xf_error *xf_state_open(const char *path, const struct xf_progress *progress,
			       struct xf_state **out);

/*
 * The same for a file whose name is known: a '#' in it is part of the name. `part` is one of
 * several states in it, or NULL. What xf_states_at gives is opened by this.
 */
struct xf_error *xf_state_open_part(const char *path, const char *part,
				    const struct xf_progress *progress, struct xf_state **out);

/*
 * One vCPU's area as KVM_GET_XSAVE or KVM_GET_XSAVE2 gives it, alone in a file, 4096 bytes or more.
 * Nothing in it tells what it is or where its components lie: `layout` is of the host that saved
 * it. XF_ERR_DAMAGED: the area cannot be of this layout. XF_ERR_USAGE: the file is of another
 * format.
 */
struct xf_error *xf_state_open_area(const char *path, const struct xf_layout *layout,
				    struct xf_state **out);
void xf_state_close(struct xf_state *state);

/*
 * The name of the format in which a file is a state by its first bytes, as xf_state_format gives
 * it, or NULL: in none that xferry reads. It lives for ever. Not for pipes: the bytes are gone
 * from them then.
 */
struct xf_error *xf_format_at(const char *path, const char **out);

/* The states at a path: one, or FILE#NAME for each of several. */
struct xf_states {
	char *file;   /* with each of `parts`, as xf_state_open_part takes them */
	char **parts; /* NULL: the only one of a file in which states have no names */
	char **paths; /* for people, as xf_state_path: another file may be called so, too */
	size_t count; /* 0: a file that can hold states, and does not */
};

/* XF_ERR_FORMAT: not a format that xferry reads. */
struct xf_error *xf_states_at(const char *path, struct xf_states **out);
void xf_states_free(struct xf_states *states);

const char *xf_state_path(const struct xf_state *state);
const char *xf_state_format(const struct xf_state *state);  /* "qemu" */
const char *xf_state_title(const struct xf_state *state);   /* "QEMU migration stream" */
const char *xf_state_machine(const struct xf_state *state); /* "pc-i440fx-7.2", or NULL */
enum xf_found_by xf_state_found_by(const struct xf_state *state);
const char *xf_found_by_name(enum xf_found_by found_by); /* "description"… */
/* A kind of file that is never changed: what is in it is no virtual machine's. */
bool xf_state_read_only(const struct xf_state *state);
/* A repair in place writes a new file; the old one is kept beside it, as FILE.xforig. */
bool xf_state_is_rewritten(const struct xf_state *state);
size_t xf_state_vcpu_count(const struct xf_state *state);
const struct xf_vcpu *xf_state_vcpu(const struct xf_state *state, size_t i);

/* What the file itself tells of what the guest was shown, or NULL. */
const struct xf_evidence *xf_state_evidence(const struct xf_state *state);

/*
 * Where the file tells that the guest was shown all that its host had: this was the
 * host. Elsewhere XF_ERR_USAGE, and nothing has changed.
 */
struct xf_error *xf_state_began_on(struct xf_state *state, const struct xf_host *host);

/* ---- Findings ---- */

/* What can be done about a finding. */
enum xf_remedy {
	XF_REMEDY_DROP = 1,	  /* xferry fix */
	XF_REMEDY_OTHER_HOST = 2, /* load on a host that can hold it */
	XF_REMEDY_SHOW = 4,	  /* show the feature to the guest on the target */
	XF_REMEDY_KERNEL = 8,	  /* a newer kernel on the target answers otherwise */
	XF_REMEDY_EVIDENCE = 16,  /* say what the guest was shown */
	XF_REMEDY_HIDE = 32,	  /* for the next boot: do not show the feature to the guest */
	XF_REMEDY_PROFILE = 64,	  /* say what the target's KVM does */
	XF_REMEDY_MODULE = 128,	  /* the xferry module there, in trim mode */
};

/* A kind of finding: one row of one table. */
struct xf_problem {
	const char *code;  /* "XF101" */
	const char *title; /* what was seen, in a few words */
	const char *text;  /* what it means and why it matters: what xferry explain prints */
};

/* The i-th row, or NULL past the last; the row of a code, or NULL. */
const struct xf_problem *xf_problem(size_t i);
const struct xf_problem *xf_problem_by_code(const char *code);

/*
 * The code of a finding, the name of a component or of a preset that is nearest to a
 * misspelt word, or NULL when none is near. It lives for ever.
 */
const char *xf_nearest_name(const char *word);

/* One problem seen in one vCPU. */
struct xf_finding {
	const struct xf_problem *problem;
	size_t vcpu;	       /* position in the state, not QEMU's instance id */
	uint64_t components;   /* the ones concerned */
	unsigned int remedies; /* enum xf_remedy, those that would help here */
};

#define XF_EDIT_MAX 16

/* A change of a few bytes. Big enough for every field that is ever edited. */
struct xf_edit {
	uint64_t offset;
	uint32_t length;
	uint8_t old_bytes[XF_EDIT_MAX];
	uint8_t new_bytes[XF_EDIT_MAX];
};

/* What the judgement of one vCPU came to. */
struct xf_vcpu_report {
	struct xf_judgement judgement;
	struct xf_prediction
		prediction;	       /* KVM_SET_XSAVE; outcome unknown when there is no target */
	enum xf_outcome outcome;       /* KVM_SET_XSAVE and KVM_SET_XCRS, as the state stands */
	enum xf_outcome outcome_fixed; /* and after the repair */
	uint64_t drop;		       /* what fix takes out */
	size_t first_finding;	       /* its findings: position of the first, and how many */
	size_t finding_count;
};

struct xf_report {
	const struct xf_state *state; /* the one that was judged; for fix, which takes no other */
	struct xf_evidence *evidence; /* what was given and what the file tells, or NULL */
	struct xf_guest guest;	      /* of it what was used, as xf_guest_normal gives it */
	bool contradicted;	      /* the evidence was set aside: XF103 */
	bool has_target;
	size_t vcpu_count;
	struct xf_vcpu_report *vcpus;
	size_t finding_count;
	struct xf_finding *findings; /* in the order of vCPUs, then of codes */
	size_t left_count;	     /* how many findings the repair leaves */
	size_t edit_count;
	struct xf_edit *edits;	       /* in the order of offsets; what fix would do */
	enum xf_outcome outcome;       /* what the target answers to the state as it stands */
	enum xf_outcome outcome_fixed; /* and after the edits */
	uint64_t droppable;	       /* union of the vCPUs' drop */
};

/*
 * Judges a state. `guest` NULL: no evidence but the file's own; without either nothing will be
 * edited. What either tells to have been shown counts as shown. Where `guest` hides what the file
 * tells to have been shown, all that it hides is set aside (XF103).
 * `target` NULL: no prediction. `only`: the components that may be dropped.
 */
struct xf_error *xf_check(const struct xf_state *state, const struct xf_evidence *guest,
			  const struct xf_host *target, uint64_t only, struct xf_report **out);
void xf_report_free(struct xf_report *report);

/* ---- Journeys ---- */

/* One vCPU on one hop: saved on one host, loaded on the next. */
struct xf_vcpu_hop {
	struct xf_bounds saved;	       /* XSTATE_BV, as the host that it leaves saves it */
	struct xf_bounds sent;	       /* the same, behind a repair */
	struct xf_judgement judgement; /* of all that may be in `sent`, for the host ahead */
	/* KVM_SET_XSAVE. Where the outcome is unknown for what may have leaked, `reason` and
	   `blocked` are those that it would be refused for. */
	struct xf_prediction prediction;
	enum xf_outcome outcome;       /* KVM_SET_XSAVE and KVM_SET_XCRS, of `sent` */
	enum xf_outcome outcome_fixed; /* and after a repair */
	uint64_t drop;		  /* what a repair of `sent` takes out, as far as it is there */
	struct xf_bounds arrives; /* in use behind the hop, as far as it is accepted */
	uint64_t superfluous;	  /* what of that may be there and is not the guest's */
	/* The guest's own that it was saved without, perhaps (5.17: even x87 and SSE). */
	uint64_t unsaved;
	/* The guest's own, or what may be, that it loses here: to a QEMU that runs on after a
	   refusal, or to a kernel that takes PKRU out. */
	uint64_t loses;
	bool wiped; /* it runs on with lost registers, from this hop or an earlier one */
	size_t finding_count;
	struct xf_finding *findings; /* those that are certain */
};

struct xf_hop {
	bool reached;		 /* false: the journey has ended before */
	bool repaired;		 /* a repair was made before this hop */
	enum xf_outcome outcome; /* of the worst vCPU, as sent */
	enum xf_outcome outcome_fixed;
	enum xf_refusal refusal; /* what QEMU does there with one that is refused */
	struct xf_vcpu_hop *vcpus;
};

/* A journey over several hosts, once as saved, once repaired where that is needed. */
struct xf_journey {
	struct xf_evidence *evidence; /* what was given and what the state's file tells, or NULL */
	struct xf_guest guest;	      /* of it what was used, as xf_guest_normal gives it */
	bool contradicted;	      /* the evidence was set aside */
	/* It has run on a host whose KVM shows a guest more than it is given, or may: the
	   evidence does not tell of what that host holds besides. */
	bool doubtful;
	/* In use at the start, although the first host would not have saved it. */
	uint64_t unexpected;
	size_t hop_count; /* one less than there are hosts */
	size_t vcpu_count;
	struct xf_hop *as_saved;
	struct xf_hop *repaired;
	enum xf_outcome outcome; /* accepted: on every hop */
	enum xf_outcome outcome_repaired;
	/* As saved, every hop is accepted, and nothing of the guest's is lost or missing on one;
	   nor does what is known contradict itself. */
	bool sound;
};

/*
 * Predicts a journey hop by hop; `hosts` are in the order of travel, at least two.
 * The first is the one that saved `state`. `state` NULL: `in_use` is what one vCPU has
 * in use on the first host, besides the host's own PKRU. A repair before a hop drops
 * what is superfluous, where the host ahead would not take the state as it is.
 *
 * As saved, the journey ends where a state is refused, unless QEMU runs on with it.
 * Repaired, it ends there in any case. Where the answer is unknown, it goes on as if
 * the state were accepted.
 */
struct xf_error *xf_route(const struct xf_state *state, uint64_t in_use,
			  const struct xf_evidence *guest, const struct xf_host *const *hosts,
			  size_t host_count, struct xf_journey **out);
void xf_journey_free(struct xf_journey *journey);

/* ---- Repair ---- */

/*
 * Writes a repaired copy. The copy appears under `path` whole or not at all;
 * a path that exists is XF_ERR_REFUSED. Shares extents with the original where
 * the file system can.
 */
struct xf_error *xf_fix_copy(const struct xf_state *state, const struct xf_report *report,
			     const char *path, const struct xf_progress *progress);

/*
 * A state that xf_state_open_area has opened: writes the repaired area as a host of another layout
 * has it, in the standard format, which is the only one that KVM loads. A component in use that has
 * no place there is XF_ERR_REFUSED. The file appears as in xf_fix_copy; it is written without
 * edits, too.
 */
struct xf_error *xf_fix_relaid(const struct xf_state *state, const struct xf_report *report,
			       const struct xf_layout *to, const char *path);

/*
 * Repairs the file itself. First an undo file is made durable: `undo_path`, or
 * the state's path with ".xfundo" behind it when NULL (not for a block device);
 * one that exists is XF_ERR_REFUSED. The bytes to change are compared before they are written.
 * With no edits nothing is done and no undo file is made. A compressed state is replaced by
 * a new file, and the original kept beside it, with ".xforig" behind its name; that takes as
 * long as a copy, and `progress`, which may be NULL, is told.
 */
struct xf_error *xf_fix_in_place(const struct xf_state *state, const struct xf_report *report,
				 const char *undo_path, const struct xf_progress *progress);

struct xf_undo_result {
	char *path;   /* the file that was restored */
	size_t edits; /* edits taken back; those already taken back are not counted */
};

/*
 * Takes a repair back: every place is compared with what the undo file says
 * before the first byte is written. The undo file is removed when the file is
 * as before and that is durable. `out->path` is freed with free().
 */
struct xf_error *xf_undo(const char *undo_path, struct xf_undo_result *out);

/* ---- In flight ---- */

/* How many bytes have gone in and out. What was looked at and has not passed is in neither. */
struct xf_flow {
	uint64_t in;
	uint64_t out;
};

#define XF_MAX_TAIL ((uint64_t)256 << 20)

struct xf_filter_options {
	const struct xf_evidence *guest;    /* as for xf_check: NULL, nothing is edited */
	const struct xf_host *target;	    /* or NULL */
	uint64_t only;			    /* 0: all of them */
	uint64_t max_tail;		    /* bytes that may follow RAM; 0: XF_MAX_TAIL */
	bool pass_unknown;		    /* what is not understood passes unedited */
	const struct xf_progress *progress; /* or NULL */
	struct xf_flow *flow;		    /* or NULL; told in the end, after an error too */
};

/* What became of a stream. */
enum xf_passage {
	XF_PASSED,	   /* whole, and there was nothing that might be edited */
	XF_PASSED_EDITED,  /* whole, repaired */
	XF_PASSED_UNKNOWN, /* all that came, unedited: it was not understood */
	XF_STOPPED,	   /* before its devices: the target would refuse it, even repaired */
};

const char *
xf_passage_name(enum xf_passage passage); /* "passed", "repaired", "unknown", "stopped" */

struct xf_filtered {
	enum xf_passage passage;
	struct xf_state *state;	  /* what was read of it; NULL when it was not understood */
	struct xf_report *report; /* its judgement; or NULL */
	struct xf_error *why;	  /* XF_PASSED_UNKNOWN: why it was not understood; else NULL */
};

/*
 * Passes a QEMU migration stream on from `in` to `out`, which are no terminals. RAM
 * passes as it comes. The devices that follow it are kept until the stream has ended,
 * judged as xf_check does, repaired, and only then let go.
 *
 * XF_ERR_FORMAT: a kind of stream that is not supported, or one that cannot go through
 * a pipe: return path, postcopy, multifd, COLO. XF_ERR_DAMAGED: it is truncated or
 * contradicts itself. With either nothing of its devices has passed, so no target can
 * load it, and with `pass_unknown` all of it passes instead. XF_ERR_IO: reading or
 * writing failed; what has passed is the start of the repaired stream.
 *
 * Messages call the ends standard input and standard output.
 * A caller that wants an error, and no signal, when nobody reads `out`, ignores SIGPIPE.
 * Pipes at both ends are enlarged where the system allows it.
 */
struct xf_error *xf_filter(int in, int out, const struct xf_filter_options *options,
			   struct xf_filtered **filtered);
void xf_filtered_free(struct xf_filtered *filtered);

#ifdef __cplusplus
}
#endif

#endif
