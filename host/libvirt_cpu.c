/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the <cpu> of libvirt's XML shows to the guest. libvirt gives QEMU the model and each feature
 * as NAME=on (force, require) or NAME=off (disable, forbid); an optional one is one or the other,
 * as the host has it. QEMU takes away what it cannot give; libvirt lets the guest start without it
 * or not (check='none', 'partial', 'full'), but nothing makes it show more. So `check` needs no
 * look: without it only more is kept.
 */
#include <string.h>

#include "base/io.h"
#include "base/scope.h"
#include "core/shown.h"
#include "host/evidence.h"
#include "host/libvirt_xml.h"
#include "host/text.h"

/* As much as libvirt_xml.c takes, and one byte, so that it says what is too much. */
#define FILE_MAX ((4u << 20) + 1)

/*
 * Models of libvirt's that no QEMU has, without XSAVE. libvirt gives the nearest that there is,
 * and the difference as features.
 */
static const struct xf_cpu_model own_models[] = {
	{ .name = "cpu64-rhel5" },
	{ .name = "cpu64-rhel6" },
	{ .name = "pentiumpro" },
};

/*
 * Of a guest that runs libvirt writes what differs from its own definition of the model. Those of
 * these CPUs have MPX, which QEMU took out of its models in 4.0, and for old machine types in
 * some distributions only. So where XML is silent about MPX, either may be so.
 */
static const char *const with_mpx[] = { "Skylake", "Cascadelake", "Cooperlake",
					"Icelake", "Denverton",	  "Snowridge" };

static bool may_have_mpx(const char *model)
{
	for (size_t i = 0; i < sizeof(with_mpx) / sizeof(with_mpx[0]); i++)
		if (strncmp(model, with_mpx[i], strlen(with_mpx[i])) == 0)
			return true;
	return false;
}

/* A model of which nothing is known. */
static const struct xf_cpu_model any_model = { "any", XF_SHOWS_ALL, 0, 0, false };

static const struct xf_cpu_model *own_model(const char *name)
{
	for (size_t i = 0; i < sizeof(own_models) / sizeof(own_models[0]); i++)
		if (strcmp(own_models[i].name, name) == 0)
			return &own_models[i];
	return NULL;
}

/* The name for QEMU of what the guest is given. */
static const char *model_name(const struct xf_libvirt_xml *xml)
{
	switch (xml->cpu.mode) {
	case XF_LIBVIRT_HOST_MODEL:
	case XF_LIBVIRT_PASSTHROUGH:
		return "host";
	case XF_LIBVIRT_MAXIMUM:
		return "max";
	case XF_LIBVIRT_CUSTOM:
		break;
	}
	if (xml->cpu.model[0])
		return xml->cpu.model;
	/* QEMU's default. */
	return xml->i686 ? "qemu32" : "qemu64";
}

/* What nothing tells: a feature's name that is not known may be another name of any. */
static struct xf_cpu_words words_of(const struct xf_libvirt_cpu *cpu,
				    const struct xf_cpu_model *model)
{
	struct xf_cpu_words words = cpu->words;

	if (cpu->strange[0])
		words.maybe |= XF_SHOWS_ALL & ~(words.off | model->all);
	if (may_have_mpx(model->name))
		words.maybe |= XF_SHOWS_MPX & ~(words.off | model->all);
	/* What is said to be on somewhere may have been on. */
	words.off &= ~(words.on | words.maybe);
	return words;
}

/* "vm.xml: Skylake-Server": what tells it, for people. */
static char *what_tells(const char *name, const struct xf_libvirt_xml *xml,
			const struct xf_cpu_model *model)
{
	static const char *const modes[] = {
		[XF_LIBVIRT_HOST_MODEL] = "host-model",
		[XF_LIBVIRT_PASSTHROUGH] = "host-passthrough",
		[XF_LIBVIRT_MAXIMUM] = "maximum",
	};
	const struct xf_libvirt_cpu *cpu = &xml->cpu;
	const char *what = cpu->mode == XF_LIBVIRT_CUSTOM ? model_name(xml) : modes[cpu->mode];
	const char *more = model == &any_model ? ", an unknown model"
			   : cpu->minimum      ? " at least"
					       : "";

	if (cpu->strange[0])
		return xf_text("%s: %s%s and \"%s\", an unknown feature", name, what, more,
			       cpu->strange);
	return xf_text("%s: %s%s", name, what, more);
}

/* match='minimum': that model, and all that the host has besides. */
static struct xf_cpu_model at_least(const struct xf_cpu_model *model)
{
	struct xf_cpu_model more = *model;

	more.any = XF_SHOWS_ALL;
	more.of_host = true;
	return more;
}

/* `strict`: an unknown model is an error. */
static struct xf_error *of_cpu(const char *name, const struct xf_libvirt_xml *xml, bool strict,
			       struct xf_evidence **out)
{
	const char *word = model_name(xml);
	const struct xf_cpu_model *model = own_model(word);

	if (!model) {
		struct xf_error *err = xf_cpu_model_find(word, strlen(word), &model);

		if (err && (strict || err->code != XF_ERR_USAGE))
			return xf_error_in(name, err);
		if (err)
			model = &any_model;
		xf_error_free(err);
	}

	struct xf_cpu_words words = words_of(&xml->cpu, model);
	struct xf_cpu_model more = at_least(model);
	char *said = what_tells(name, xml, model);

	if (xml->cpu.mode == XF_LIBVIRT_CUSTOM && xml->cpu.minimum)
		model = &more;
	return xf_cpu_evidence(model, &words, said, out);
}

/* A -cpu that the domain gives QEMU by itself. */
static struct xf_error *of_command(const char *name, const char *cpu, bool strict,
				   struct xf_evidence **out)
{
	const struct xf_cpu_model *model = &any_model;
	struct xf_cpu_words words = { 0 };
	struct xf_error *err = xf_cpu_text_parse(cpu, &model, &words);

	if (err && (strict || err->code != XF_ERR_USAGE))
		return xf_error_in(name, err);
	if (err)
		model = &any_model;
	xf_error_free(err);
	return xf_cpu_evidence(model, &words, xf_text("%s: -cpu %s", name, cpu), out);
}

static void scope_free_evidence(struct xf_evidence **evidence)
{
	xf_evidence_free(*evidence);
}

/*
 * A -cpu of the domain's own, which QEMU takes in place of libvirt's. With a cookie, the domain may
 * have been edited since the guest was saved, and the cookie cannot: shown is what either shows.
 */
static struct xf_error *of_both(const char *name, const struct xf_libvirt_xml *xml, bool strict,
				struct xf_evidence **out)
{
	XF_AUTO(scope_free_evidence) struct xf_evidence *command = NULL;
	XF_AUTO(scope_free_evidence) struct xf_evidence *cookie = NULL;

	XF_TRY(of_command(name, xml->args.cpu, strict, &command));
	XF_TRY(of_cpu(name, xml, strict, &cookie));
	return xf_evidence_new(xf_guest_either(command->guest, cookie->guest),
			       command->all_of_host || cookie->all_of_host,
			       xf_text("%s, or %s", command->source, cookie->source), out);
}

static struct xf_error *of_guest(const char *name, const struct xf_libvirt_xml *xml, bool strict,
				 struct xf_evidence **out)
{
	if (xml->args.cpu && xml->resolved)
		return of_both(name, xml, strict, out);
	if (xml->args.cpu)
		return of_command(name, xml->args.cpu, strict, out);
	return of_cpu(name, xml, strict, out);
}

struct xf_error *xf_evidence_of_xml(const char *name, const char *text, size_t size,
				    struct xf_evidence **out)
{
	struct xf_libvirt_xml xml = { 0 };
	struct xf_evidence *evidence = NULL;
	struct xf_error *err = xf_libvirt_xml_read(name, text, size, &xml);

	if (!err && (xml.args.cpu || xml.cpu.there))
		err = of_guest(name, &xml, false, &evidence);
	xf_libvirt_xml_deinit(&xml);
	if (err)
		return err;
	*out = evidence;
	return NULL;
}

struct xf_error *xf_evidence_from_xml(const char *path, const struct xf_host *from,
				      struct xf_evidence **out)
{
	XF_AUTO_FREE char *text = NULL;
	struct xf_libvirt_xml xml = { 0 };
	struct xf_evidence *evidence = NULL;
	struct xf_error *err;
	size_t size;

	XF_TRY(xf_read_text(path, FILE_MAX, &text, &size));
	err = xf_libvirt_xml_read(path, text, size, &xml);
	if (!err && (xml.args.cpu || xml.cpu.there || xml.domain))
		err = of_guest(path, &xml, true, &evidence);
	else if (!err)
		err = xf_error_new(XF_ERR_DAMAGED, path, "there is no guest's <cpu> in it");
	xf_libvirt_xml_deinit(&xml);
	return err ? err : xf_evidence_begun(evidence, from, out);
}
