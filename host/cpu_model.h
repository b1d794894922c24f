/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a CPU model of QEMU's shows to a guest, with the features that are said besides. QEMU's
 * -cpu and libvirt's <cpu> both end here.
 */
#ifndef XF_HOST_CPU_MODEL_H
#define XF_HOST_CPU_MODEL_H

#include "base/error.h"
#include "host/models.h"

/* XF_SHOWS_ bits, by what is said of them. */
struct xf_cpu_words {
	unsigned int on, off; /* feature=on, feature=off: the last one counts */
	unsigned int plus;    /* +feature */
	unsigned int minus;   /* -feature */
	unsigned int maybe;   /* on or off: the host that it began on decided, or nobody knows */
};

/* A model by its name; without a model of that name the nearest one is in the error. */
struct xf_error *xf_cpu_model_find(const char *word, size_t len, const struct xf_cpu_model **out);

/* A feature by its name, in which '_' is '-'; or NULL. */
const struct xf_cpu_feature *xf_cpu_feature_find(const char *word, size_t len);

/* XF_ERR_USAGE, with the nearest name. */
struct xf_error *xf_cpu_feature_unknown(const char *word, size_t len)
	__attribute__((returns_nonnull));

/* QEMU's -cpu argument: its model, and what is said besides. */
struct xf_error *xf_cpu_text_parse(const char *cpu, const struct xf_cpu_model **model,
				   struct xf_cpu_words *words);

/*
 * The evidence of a model and what is said besides. `said` is what tells it, "-cpu qemu64,+avx":
 * the source, behind which it is noted which QEMUs' model it is. Takes `said`, which
 * malloc gave, and frees it; NULL is out of memory.
 */
struct xf_error *xf_cpu_evidence(const struct xf_cpu_model *model, const struct xf_cpu_words *words,
				 char *said, struct xf_evidence **out);

#endif
