/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of the command share. They use the public API only. */
#ifndef XF_CLI_CLI_H
#define XF_CLI_CLI_H

#include <stdio.h>

#include "xferry.h"

/* Exit status: a bit mask, as e2fsck's. */
enum status {
	STATUS_OK = 0, /* nothing to do */
	STATUS_REPAIRED = 1,
	STATUS_FINDINGS = 4, /* findings left */
	STATUS_ERROR = 8,
	STATUS_USAGE = 16,
	STATUS_FORMAT = 64, /* format not supported */
};

/* One verb: its name, what it is for, and its options' letters (options.c). */
struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *options;
	unsigned int (*run)(const struct verb *verb, int argc, char **argv);
};

extern const struct verb verb_check, verb_fix, verb_undo, verb_filter, verb_probe, verb_route,
	verb_explain;

/* ---- options.c ---- */

/* Those that tell what the guest was shown, of which one can be given. */
#define EVIDENCE_OPTIONS "--cpu, --xml, --qm, --cpuid or --exposed"

struct options {
	const char *cpu;
	const char *xml;
	const char *qm;
	const char *cpuid;
	const char *exposed;
	const char *from;
	const char *layout;
	const char *relay;
	const char *to;
	const char *only;
	const char *output;
	const char *undo_file;
	const char *max_tail;
	const char *json_file;
	const char *json_fd;
	const char *jobs;
	bool in_place;
	bool pass_unknown;
	bool json;
	bool help;
	int count; /* arguments that are no options */
	char **arguments;
};

/*
 * Reads the verb's options. False: the verb is done, its exit status is `*status`;
 * the help was printed, or a usage error said.
 */
bool read_options(const struct verb *verb, int argc, char **argv, struct options *out,
		  unsigned int *status);

/* What the options name, loaded. Each pointer may be NULL: not given. */
struct request {
	struct xf_evidence *guest;
	struct xf_host *from; /* where the guest began, for what depends on its host */
	/* With several files: set by one that depends on it. NULL: the only one must. */
	bool *from_used;
	struct xf_host *target;
	uint64_t only;
	bool has_layout; /* the state is a raw area of this layout */
	struct xf_layout layout;
	bool has_relay; /* to be laid out so */
	struct xf_layout relay;
	bool in_flight; /* a stream that passes, where there is no file to be named */
};

struct xf_error *load_request(const struct options *options, struct request *out);
void request_deinit(struct request *request);

/* ---- judge.c ---- */

/* Where a state is. What was found is never looked for by its name again. */
struct spot {
	const char *path;
	const char *part; /* of a file that was found; or NULL */
	bool found;	  /* `path` is a file's; else it is what was named, perhaps FILE#NAME */
	bool quiet;	  /* without a progress line, so from any thread */
};

/*
 * Opens a state, as what the request says that it is. What it tells itself of the guest is told
 * of --from.
 */
struct xf_error *open_state(const struct spot *spot, const struct request *request,
			    struct xf_state **state);

/* Opens and judges a state. */
struct xf_error *judge(const struct spot *spot, const struct request *request,
		       struct xf_state **state, struct xf_report **report);

/*
 * The states at a path that could not be opened as one, if the error is that there are
 * several. Else NULL, and the error is what is wrong with the file. Each is opened by its spot.
 */
struct xf_states *several_states(const char *path, struct xf_error **err);

/* Says why there is no report, in JSON too: one object a file. Frees the error. */
unsigned int not_judged(const char *path, bool json, struct xf_error *err);

/* ---- messages.c ---- */

/* Says the error on stderr, frees it and returns its exit status. */
unsigned int complain(struct xf_error *err);

/* Writes the error's line and returns its exit status. */
unsigned int put_error(const struct xf_error *err, FILE *to);

/* "xferry VERB: ..." on stderr; returns STATUS_USAGE. */
unsigned int usage(const struct verb *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Names come from people and from hostile files: control characters become '?'. */
void put_printable(const char *text, FILE *to);

/* A progress line on stderr, if that is a terminal. Give its address to the library. */
struct progress {
	struct xf_progress call; /* to be passed on */
	const char *what;	 /* "reading", "copying" */
	int64_t started;	 /* milliseconds */
	int64_t shown;
	bool visible;
};

struct progress progress_start(const char *what);
/* For work that is counted. Here and not in the library: nothing is to be passed on. */
void progress_count(struct progress *progress, uint64_t states, uint64_t others);
void progress_end(struct progress *progress);

/* ---- text.c ---- */

/* Prints a mask by names. */
void print_mask(uint64_t mask);
void print_heading(const struct xf_state *state);
void print_guest(const struct xf_evidence *evidence, struct xf_guest guest, bool contradicted);
/* Whether it is QEMU that loads the state. NULL, a guest that runs, is taken to be QEMU's. */
bool is_qemu_state(const struct xf_state *state);
/* The outcome refused. `xsave` NULL: it is KVM_SET_XCRS that refuses. */
void print_refusal(const struct xf_prediction *xsave, bool by_qemu, enum xf_refusal refusal);
/* The outcome accepted. `dropped` is what the kernel takes out of what is the guest's. */
void print_acceptance(uint64_t dropped, uint64_t trimmed);

/*
 * Whether a module that was told of these components takes out whatever a guest was not
 * shown: x87 and SSE, which every guest was, and the compacted format's mark do not count.
 */
bool is_every_component(uint64_t mask);

/* ---- json.c ---- */

#define JSON_SCHEMA 1

struct json_object *mask_json(uint64_t mask);
/* NULL for NULL. */
struct json_object *text_json(const char *text);
/* null when the evidence tells nothing of what can leak. */
struct json_object *exposed_json(struct xf_guest guest);
struct json_object *codes_json(const struct xf_finding *findings, size_t count);
struct json_object *host_json(const struct xf_host *host);
/* One line; frees the object. */
void put_json_line(struct json_object *object, FILE *to);
void print_and_put(struct json_object *object);
/* A file that could not be judged, as a JSON object of its own. */
struct json_object *json_error(const char *path, const struct xf_error *err);

/* ---- report_text.c, report_json.c ---- */

void print_text_report(const struct xf_state *state, const struct request *request,
		       const struct xf_report *report);
/* Only what a repair does: check has told the rest. */
void print_text_repair(const struct xf_state *state, const struct request *request,
		       const struct xf_report *report);
struct json_object *json_report(const struct xf_state *state, const struct request *request,
				const struct xf_report *report);
void print_json_report(const struct xf_state *state, const struct request *request,
		       const struct xf_report *report);

/* ---- route_text.c, route_json.c ---- */

#define HOSTS_MAX 64

/* A journey, and what it was asked for with. */
struct trip {
	const struct options *options;
	struct request request;
	bool from_mask;
	uint64_t in_use;	/* from_mask: what is in use on the first host */
	struct xf_state *state; /* else */
	struct xf_host *hosts[HOSTS_MAX];
	size_t host_count;
	struct xf_journey *journey;
};

void print_text_route(const struct trip *trip);
void print_json_route(const struct trip *trip);

#endif
