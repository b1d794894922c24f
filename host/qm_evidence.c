/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Proxmox' configuration tells of a guest. A section tells of one guest. Where none is named,
 * the machine's own part tells of one that runs, or that is suspended, as its vmstate says. Without
 * that, the state at hand may as well be a snapshot's, and nothing in it says so: then all that
 * the own part or any snapshot with RAM shows counts as shown.
 */
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "core/shown.h"
#include "host/evidence.h"
#include "host/nearest.h"
#include "host/qemu_args.h"
#include "host/qm.h"

/* Proxmox' own file system takes files up to 1 MiB. */
#define CONF_MAX (1u << 20)
/* So many names of snapshots are told; the others are counted. */
#define NAMES_MAX 8

/* QEMU's -cpu, and which key it came from. */
struct found {
	char *cpu;
	const char *key;
	char *models; /* the file that a custom model was found in, or NULL */
};

static struct xf_error *find_cpu(const char *path, const struct xf_qm_section *section,
				 struct found *out)
{
	XF_AUTO(xf_qemu_args_deinit) struct xf_qemu_args args = { 0 };

	if (section->arch && strcmp(section->arch, "x86_64") != 0)
		return xf_error_new(XF_ERR_USAGE, path, "a machine of %s, expected x86_64",
				    section->arch);
	if (section->args && !xf_qemu_args_take_line(&args, section->args))
		return xf_error_new(XF_ERR_DAMAGED, path, "args: a quote is open at its end");
	if (args.global)
		return xf_error_new(XF_ERR_USAGE, path,
				    "args: -global changes the CPU; say with --cpu or --exposed "
				    "what the guest was shown");

	if (section->runningcpu)
		*out = (struct found){ strdup(section->runningcpu), "runningcpu", NULL };
	else if (args.cpu)
		*out = (struct found){ xf_take(args.cpu), "args", NULL };
	else
		out->key = "cpu";
	if (out->cpu || strcmp(out->key, "cpu") != 0)
		return out->cpu ? NULL : xf_error_memory();

	bool kvm = !section->kvm || strcmp(section->kvm, "0") != 0;

	return xf_qm_cpu(path, section->cpu, kvm, &out->cpu, &out->models);
}

/*
 * "100.conf:before: runningcpu: -cpu kvm64,…",
 * "100.conf: cpu: custom-big, of ../virtual-guest/cpu-models.conf: -cpu EPYC,avx=off"
 */
static struct xf_error *evidence_of(const char *spec, const char *path,
				    const struct xf_qm_section *section, struct xf_evidence **out)
{
	const struct xf_cpu_model *model;
	struct xf_cpu_words words;
	struct found found = { 0 };
	struct xf_error *err = find_cpu(path, section, &found);
	XF_AUTO_FREE char *cpu = found.cpu;
	XF_AUTO_FREE char *models = found.models;

	if (err)
		return err;
	err = xf_cpu_text_parse(cpu, &model, &words);
	if (err)
		return xf_error_in(path, err);

	bool translated = strcmp(found.key, "cpu") == 0 && section->cpu;

	return xf_cpu_evidence(model, &words,
			       xf_text("%s: %s: %s%s%s%s-cpu %s", spec, found.key,
				       translated ? section->cpu : "", models ? ", of " : "",
				       models ? models : "", translated ? ": " : "", cpu),
			       out);
}

static void scope_free_evidence(struct xf_evidence **evidence)
{
	xf_evidence_free(*evidence);
}

/* ---- No section is named ---- */

/* What a snapshot's guest was shown. A CPU that is not known here shows nothing that is known. */
static struct xf_error *of_snapshot(const struct xf_qm_conf *conf, struct xf_piece snapshot,
				    const struct xf_host *from, struct xf_evidence **out)
{
	XF_AUTO_FREE char *name = strndup(snapshot.text, snapshot.len);
	XF_AUTO(xf_qm_section_deinit) struct xf_qm_section section = { 0 };
	struct xf_evidence *evidence = NULL;
	struct xf_error *err;

	if (!name)
		return xf_error_memory();
	err = xf_qm_read(conf, name, &section, NULL);
	if (!err)
		err = evidence_of(name, conf->path, &section, &evidence);
	if (!err)
		return xf_evidence_begun(evidence, from, out);
	if (err->code != XF_ERR_USAGE)
		return err;
	xf_error_free(err);
	return xf_evidence_new((struct xf_guest)XF_GUEST_UNKNOWN, false, strdup(name), out);
}

/* "100.conf: own part and snapshots before, after: name one, as in 100.conf:before" */
static char *all_sources(const struct xf_qm_conf *conf, const struct xf_qm_snapshots *snapshots,
			 bool open)
{
	const struct xf_piece *names = snapshots->names;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	fprintf(stream, "%s: own part and snapshots ", conf->path);
	for (size_t i = 0; i < snapshots->count && i < NAMES_MAX; i++)
		fprintf(stream, "%s%.*s", i ? ", " : "", xf_shown_length(names[i].len),
			names[i].text);
	if (snapshots->count > NAMES_MAX)
		fprintf(stream, " and %zu more", snapshots->count - NAMES_MAX);
	fprintf(stream, ": name one, as in %s:%.*s", basename(conf->path),
		xf_shown_length(names[0].len), names[0].text);
	if (open)
		fputs(" (" XF_DEPENDS_ON_HOST ")", stream);
	return xf_text_end(stream, &text);
}

/* The own part's evidence, and what any snapshot's guest was shown besides. */
static struct xf_error *of_any(const struct xf_qm_conf *conf, const struct xf_evidence *own,
			       const struct xf_qm_snapshots *snapshots, const struct xf_host *from,
			       struct xf_evidence **out)
{
	struct xf_guest guest = own->guest;
	bool all_of_host = own->all_of_host;

	for (size_t i = 0; i < snapshots->count; i++) {
		XF_AUTO(scope_free_evidence) struct xf_evidence *one = NULL;

		XF_TRY(of_snapshot(conf, snapshots->names[i], from, &one));
		guest = xf_guest_either(guest, one->guest);
		all_of_host |= one->all_of_host;
	}
	/* None shows more: the own part's words are those of all. */
	if (guest.shown == own->guest.shown && guest.known == own->guest.known)
		return xf_evidence_new(guest, own->all_of_host, strdup(own->source), out);
	return xf_evidence_new(guest, all_of_host,
			       all_sources(conf, snapshots, all_of_host && !from), out);
}

/* ---- A configuration ---- */

static struct xf_error *of_conf(const char *spec, const struct xf_qm_conf *conf, const char *name,
				const struct xf_host *from, struct xf_evidence **out)
{
	XF_AUTO(xf_qm_section_deinit) struct xf_qm_section section = { 0 };
	XF_AUTO(scope_free_evidence) struct xf_evidence *own = NULL;
	struct xf_qm_snapshots snapshots = { 0 };
	struct xf_evidence *evidence = NULL;

	XF_TRY(xf_qm_read(conf, name, &section, &snapshots));
	XF_TRY(evidence_of(spec, conf->path, &section, &evidence));
	XF_TRY(xf_evidence_begun(evidence, from, &own));
	if (name || section.vmstate || !snapshots.count) {
		*out = xf_take(own);
		return NULL;
	}
	if (snapshots.more)
		return xf_error_new(XF_ERR_USAGE, conf->path,
				    "more than %d snapshots with RAM: name one, as in %s:%.*s",
				    XF_QM_SNAPSHOTS_MAX, basename(conf->path),
				    xf_shown_length(snapshots.names[0].len),
				    snapshots.names[0].text);
	return of_any(conf, own, &snapshots, from, out);
}

struct xf_error *xf_evidence_from_qm(const char *spec, const struct xf_host *from,
				     struct xf_evidence **out)
{
	XF_AUTO_FREE char *path = strdup(spec);
	XF_AUTO_FREE char *text = NULL;
	char *colon = path ? strrchr(path, ':') : NULL;
	size_t size;

	if (!path)
		return xf_error_memory();
	/* A file of that whole name comes first. */
	if (colon && access(path, F_OK) < 0)
		*colon = '\0';
	else
		colon = NULL;
	XF_TRY(xf_read_text(path, CONF_MAX, &text, &size));

	const struct xf_qm_conf conf = { path, text, size };

	return of_conf(spec, &conf, colon ? colon + 1 : NULL, from, out);
}
