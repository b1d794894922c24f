/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a CPU of QEMU's shows to the guest. QEMU makes leaf 0xD of the
 * features (x86_cpu_enable_xsave_components): nothing without xsave, else each
 * component whose feature is on. Afterwards it only takes features away, those
 * that the accelerator does not have.
 *
 * Two ways in which the guest may see less than is said here are left out on
 * purpose, for then a component is kept that could have been dropped, never the
 * reverse: features that the first host did not have, and a `level` below 0xd
 * (as a property, or as an old model's own), which hides the leaf.
 */
#include <string.h>

#include "base/scope.h"
#include "host/cpu_model.h"
#include "host/evidence.h"
#include "host/nearest.h"
#include "host/text.h"

#define ICELAKE_CLIENT (XF_SHOWS_XSAVE | XF_SHOWS_AVX | XF_SHOWS_PKU)

static const struct {
	unsigned int shows; /* any of these features… */
	uint64_t mask;	    /* …shows these components */
	bool bare;	    /* and the guest can use them without XSAVE */
} components[] = {
	{ XF_SHOWS_AVX, XF_AVX, false },
	{ XF_SHOWS_MPX, XF_MPX, false },
	{ XF_SHOWS_AVX512F | XF_SHOWS_AVX10, XF_AVX512, false },
	/* WRPKRU wants CR4.PKE only: SDM vol. 3, 4.6.2. */
	{ XF_SHOWS_PKU, XF_PKRU, true },
	{ XF_SHOWS_AMX_TILE, XF_AMX, false },
	{ XF_SHOWS_APXF, XF_APX, false },
	{ XF_SHOWS_INTEL_PT, XF_PT, false },
	{ XF_SHOWS_ENQCMD, XF_PASID, false },
	{ XF_SHOWS_CET_SS | XF_SHOWS_CET_IBT, XF_CET, false },
	{ XF_SHOWS_UINTR, XF_UINTR, false },
	{ XF_SHOWS_ARCH_LBR, XF_LBR, false },
};

/*
 * Models that QEMU had up to 7.0. libvirt's Icelake-Client has MPX besides, and where QEMU has no
 * such model libvirt adds that to another; newer Proxmox VE gives Icelake-Server instead.
 */
static const struct xf_cpu_model gone_models[] = {
	{ "Icelake-Client", ICELAKE_CLIENT | XF_SHOWS_MPX | XF_SHOWS_AVX512F, ICELAKE_CLIENT, 0,
	  false },
	{ "Icelake-Client-noTSX", ICELAKE_CLIENT | XF_SHOWS_MPX | XF_SHOWS_AVX512F, ICELAKE_CLIENT,
	  0, false },
	{ "Icelake-Client-v1", ICELAKE_CLIENT, ICELAKE_CLIENT, 0, false },
	{ "Icelake-Client-v2", ICELAKE_CLIENT, ICELAKE_CLIENT, 0, false },
	{ "Icelake-Client-v3", ICELAKE_CLIENT, ICELAKE_CLIENT, 0, false },
};

/* Features that the guest was certainly shown, and those that it may have been. */
struct features {
	unsigned int certain, possible;
};

static int compare_model(const void *name, const void *row)
{
	return strcmp(name, ((const struct xf_cpu_model *)row)->name);
}

static int compare_feature(const void *name, const void *row)
{
	return strcmp(name, ((const struct xf_cpu_feature *)row)->name);
}

static const struct xf_cpu_model *find_gone(const char *name)
{
	for (size_t i = 0; i < sizeof(gone_models) / sizeof(gone_models[0]); i++)
		if (strcmp(gone_models[i].name, name) == 0)
			return &gone_models[i];
	return NULL;
}

struct xf_error *xf_cpu_model_find(const char *word, size_t len, const struct xf_cpu_model **out)
{
	char name[XF_WORD_MAX + 1] = "";

	if (len <= XF_WORD_MAX)
		memcpy(name, word, len);
	*out = bsearch(name, xf_cpu_models, xf_cpu_model_count, sizeof(*xf_cpu_models),
		       compare_model);
	if (!*out)
		*out = find_gone(name);
	if (*out)
		return NULL;

	struct xf_nearest nearest = xf_nearest(word, len);

	for (size_t i = 0; i < xf_cpu_model_count; i++)
		xf_nearest_try(&nearest, xf_cpu_models[i].name);
	if (strncmp(name, "x86-64-v", 8) == 0)
		return xf_error_new(XF_ERR_USAGE, NULL,
				    "unknown CPU model \"%.*s\": a name of Proxmox VE's own; --qm "
				    "reads it, else give "
				    "what 'qm showcmd VMID' prints behind -cpu",
				    xf_shown_length(len), word);
	return xf_error_new(XF_ERR_USAGE, NULL, "unknown CPU model \"%.*s\"" XF_NEAREST_FORMAT,
			    xf_shown_length(len), word, XF_NEAREST_ARGS(&nearest));
}

const struct xf_cpu_feature *xf_cpu_feature_find(const char *word, size_t len)
{
	char name[XF_WORD_MAX + 1] = "";

	if (len <= XF_WORD_MAX)
		memcpy(name, word, len);
	for (char *p = name; *p; p++)
		if (*p == '_')
			*p = '-';
	return bsearch(name, xf_cpu_features, xf_cpu_feature_count, sizeof(*xf_cpu_features),
		       compare_feature);
}

struct xf_error *xf_cpu_feature_unknown(const char *word, size_t len)
{
	struct xf_nearest nearest = xf_nearest(word, len);

	for (size_t i = 0; i < xf_cpu_feature_count; i++)
		xf_nearest_try(&nearest, xf_cpu_features[i].name);
	return xf_error_new(XF_ERR_USAGE, NULL, "unknown CPU feature \"%.*s\"" XF_NEAREST_FORMAT,
			    xf_shown_length(len), word, XF_NEAREST_ARGS(&nearest));
}

/*
 * In QEMU the order of the words does not matter across the three kinds: all
 * feature=… are set first, then every +feature, then every -feature
 * (x86_cpu_parse_featurestr, x86_cpu_expand_features).
 */
static struct features apply(struct features features, const struct xf_cpu_words *words)
{
	unsigned int on = (words->on | words->plus) & ~words->minus;
	unsigned int off = (words->off & ~words->plus) | words->minus;
	unsigned int maybe = words->maybe & ~on;

	features.certain = ((features.certain | on) & ~off) & ~maybe;
	features.possible = ((features.possible | on) & ~off) | maybe;
	return features;
}

static struct xf_guest guest_of(struct features features)
{
	bool xsave = features.certain & XF_SHOWS_XSAVE;
	bool maybe_xsave = features.possible & XF_SHOWS_XSAVE;
	uint64_t certain = XF_FPSSE;
	uint64_t possible = XF_FPSSE;

	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++) {
		if (xsave && (features.certain & components[i].shows))
			certain |= components[i].mask;
		if ((maybe_xsave || components[i].bare) &&
		    (features.possible & components[i].shows))
			possible |= components[i].mask;
	}
	/*
	 * IA32_XSS governs the supervisor components: leaf 0xD's masks never show
	 * them. When the guest has one it is its own all the same, so nothing is
	 * known of it and it is never dropped.
	 */
	certain &= ~XF_SUPERVISOR;
	/* What newer CPUs have beyond the table, these QEMUs' names cannot tell. */
	return (struct xf_guest){ certain, XF_DEFINED & (certain | ~possible) };
}

/* "QEMU 7.2, 10.0": the tables that have a model. */
static void print_tables(unsigned int tables, FILE *stream)
{
	const char *before = "QEMU ";

	for (size_t i = 0; i < xf_qemu_version_count; i++) {
		if (tables & 1u << i) {
			fprintf(stream, "%s%s", before, xf_qemu_versions[i]);
			before = ", ";
		}
	}
}

static char *describe(const char *said, const struct xf_cpu_model *model, bool all_of_host)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	fprintf(stream, "%s", said);
	if (all_of_host) {
		fprintf(stream, " (" XF_DEPENDS_ON_HOST ")");
	} else if (model->tables) {
		fprintf(stream, " (models of ");
		print_tables(model->tables, stream);
		fprintf(stream, ")");
	}
	return xf_text_end(stream, &text);
}

struct xf_error *xf_cpu_evidence(const struct xf_cpu_model *model, const struct xf_cpu_words *words,
				 char *said, struct xf_evidence **out)
{
	XF_AUTO_FREE char *owned = said;

	if (!said)
		return xf_error_memory();

	/* The third of them, "base", is a model without features whatever the host has. */
	bool all_of_host = model->of_host && strcmp(model->name, "base") != 0;
	struct features features = { model->all, model->any };

	/* So that "host,+pku" counts as shown; were there no XSAVE after all, no harm is done. */
	if (all_of_host)
		features.certain |= XF_SHOWS_XSAVE;

	struct xf_guest guest = guest_of(apply(features, words));

	/* No feature of -cpu governs these two, but a host may have them. */
	if (model->of_host)
		guest.known &= ~(XF_HDC | XF_HWP);
	return xf_evidence_new(guest, all_of_host, describe(owned, model, all_of_host), out);
}
