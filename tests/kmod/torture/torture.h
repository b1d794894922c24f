/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a scene is given, and the scenes: each is true when all was right. */
#ifndef XF_TORTURE_TORTURE_H
#define XF_TORTURE_TORTURE_H

#include <stdatomic.h>
#include <stdint.h>

#include "host/host.h"
#include "tests/kmod/torture/module.h"
#include "tests/kmod/torture/rider.h"

struct torture {
	const struct xf_host *host;
	const char *module; /* xferry.ko */
	const char *twin;   /* the same under another name */
	const char *name;   /* what it is called in /sys/module */
	uint64_t rounds, states, seed;
	unsigned int threads;
	bool flips; /* parameters, tracepoint and debugfs meanwhile */
};

bool scene_churn(const struct torture *torture);   /* loaded and unloaded under load */
bool scene_ride(const struct torture *torture);	   /* states alone, each setting at rest */
bool scene_hostile(const struct torture *torture); /* from a process that may do nothing else */
bool scene_twice(const struct torture *torture);   /* loaded twice; its twin beside it */
bool scene_bad(const struct torture *torture);	   /* parameters that are none */
bool scene_muted(const struct torture *torture);   /* kprobes, ftrace switched off under it */
bool scene_refused(const struct torture *torture); /* a kernel that is not as it knows */
bool scene_foreign(const struct torture *torture); /* structures that are not as it knows */
bool scene_starved(const struct torture *torture); /* each allocation of a load fails in turn */
bool scene_leaks(const struct torture *torture);   /* kmemleak, and memory after many loads */
bool scene_kmsg(const struct torture *torture);	   /* prints the kernel's log */

/* Components that are tried: all, and those of two that a person may choose. */
#define MASK_ALL (~UINT64_C(0))

/* The result: a line `name value…` on standard output. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Seconds since some time. */
double now(void);

/* A small random number, the same for the same seed. */
uint32_t any_of(uint64_t *seed, uint32_t below);

/*
 * `runs` runs of states on vCPUs of its own, right when all answers are as with these
 * components= and this trim_get.
 */
bool ride_steadily(const struct torture *torture, uint64_t mask, enum belief_trim get,
		   uint64_t runs);

/* Riders in threads, from begin to end. */
struct riders {
	const struct torture *torture;
	struct ride ride;
	struct rider **all;
	struct riders_thread *threads;
	atomic_bool end;
	atomic_ullong sets;
};

bool riders_begin(const struct torture *torture, const uint64_t *masks, unsigned int mask_count,
		  enum belief_trim get, struct riders *out);

/* Until they have made so many calls more, or have found something wrong. */
void riders_wait(struct riders *riders, unsigned long long sets);

/* Ends them. True when no answer was wrong; `hooked` and `plain` are as in belief.h. */
struct riders_sum {
	uint64_t sets, gets, accepted, refused, hooked, plain;
	unsigned int wrong;
};

bool riders_end(struct riders *riders, struct riders_sum *out);

#endif
