/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Proxmox VE makes of "cpu: MODEL,flags=+FLAG;-FLAG,…": QEMU's -cpu. MODEL is QEMU's, or one
 * of Proxmox' own (x86-64-v3), or "custom-NAME", which virtual-guest/cpu-models.conf defines:
 *
 *	cpu-model: NAME
 *		reported-model Skylake-Server
 *		flags +avx;-pku
 *
 * Where a flag is given several times, the last one counts; a virtual machine's come behind its
 * model's. What Proxmox adds by itself (vendor, enforce, kvm_pv_eoi, Hyper-V, lahf_lm, sep…) and
 * the other keys (hidden, phys-bits, level…) put no component in or out.
 */
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "host/nearest.h"
#include "host/qm.h"
#include "host/text.h"

#define MODELS_MAX (1u << 20)

#define V2 "+popcnt;+pni;+sse4.1;+sse4.2;+ssse3"
#define V3 "+aes;" V2 ";+avx;+avx2;+bmi1;+bmi2;+f16c;+fma;+abm;+movbe;+xsave"
#define V4 V3 ";+avx512f;+avx512bw;+avx512cd;+avx512dq;+avx512vl"

/* A model in QEMU's words, and flags as Proxmox writes them. */
struct model {
	char *name;
	char *flags;
};

static void model_deinit(struct model *model)
{
	free(model->name);
	free(model->flags);
}

/* Proxmox' own, all of them made of qemu64. */
static const struct {
	const char *name, *flags;
} own_models[] = {
	{ "x86-64-v2", V2 },
	{ "x86-64-v2-AES", "+aes;" V2 },
	{ "x86-64-v3", V3 },
	{ "x86-64-v4", V4 },
};

/* ---- cpu-models.conf ---- */

/* The file beside /etc/pve/qemu-server, which is a link to /etc/pve/nodes/NODE/qemu-server. */
static char *models_path(const char *conf)
{
	static const char *const ways[] = { "..", "../../.." };
	const char *slash = strrchr(conf, '/');
	int dir = slash ? (int)(slash - conf) : 0;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		char *path = xf_text("%.*s%s%s/virtual-guest/cpu-models.conf", dir, conf,
				     slash ? "/" : "", ways[i]);

		if (!path || access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return strdup("/etc/pve/virtual-guest/cpu-models.conf");
}

/* One line of the file from `text` on, without the blanks at its ends. */
static const char *next_line(const char *text, const char **line, size_t *len)
{
	const char *end = text + strcspn(text, "\n");

	while (text < end && strchr(" \t", *text))
		text++;
	*line = text;
	*len = (size_t)(end - text);
	while (*len && strchr(" \t\r", text[*len - 1]))
		(*len)--;
	return *end ? end + 1 : end;
}

/* What stands behind `word` and blanks, if the line begins so; else NULL. */
static const char *behind(const char *line, size_t len, const char *word, size_t *rest)
{
	size_t used = strlen(word);

	if (len <= used || memcmp(line, word, used) != 0 || !strchr(" \t", line[used]))
		return NULL;
	while (used < len && strchr(" \t", line[used]))
		used++;
	*rest = len - used;
	return line + used;
}

static bool keep(char **place, const char *text, size_t len)
{
	free(*place);
	*place = strndup(text, len);
	return *place;
}

/* The lines of the model `name`, up to an empty one or the next model's. */
static struct xf_error *read_models(const char *path, const char *text, const char *name,
				    struct model *model)
{
	bool inside = false, found = false;
	const char *line, *value;
	size_t len, rest;

	while (*text) {
		text = next_line(text, &line, &len);
		value = behind(line, len, "cpu-model:", &rest);
		if (value) {
			inside = strlen(name) == rest && memcmp(name, value, rest) == 0;
			if (inside && found)
				return xf_error_new(XF_ERR_DAMAGED, path,
						    "the model %s is there a second time", name);
			found |= inside;
		}
		if (!inside || *line == '#')
			continue;
		value = behind(line, len, "reported-model", &rest);
		if (value && !keep(&model->name, value, rest))
			return xf_error_memory();
		value = behind(line, len, "flags", &rest);
		if (value && !keep(&model->flags, value, rest))
			return xf_error_memory();
	}
	return found ? NULL
		     : xf_error_new(XF_ERR_USAGE, path, "it has no model \"%.*s\"",
				    xf_shown_length(strlen(name)), name);
}

static struct xf_error *find_custom(const char *conf, const char *name, struct model *model)
{
	XF_AUTO_FREE char *path = models_path(conf);
	XF_AUTO_FREE char *text = NULL;
	size_t size;

	if (!path)
		return xf_error_memory();
	XF_TRY(xf_read_text(path, MODELS_MAX, &text, &size));
	if (!size || text[size - 1] != '\n' || strlen(text) != size)
		return xf_error_new(XF_ERR_DAMAGED, path,
				    "its last line does not end; expected all of the models");
	XF_TRY(read_models(path, text, name, model));
	if (!model->name)
		model->name = strdup("kvm64");
	return model->name ? NULL : xf_error_memory();
}

/* ---- cpu: ---- */

/* "host,flags=+aes,hidden=1", of which a model and flags are looked at. */
static struct xf_error *split(const char *conf, const char *cpu, struct model *out)
{
	bool failed = false;

	for (const char *word = cpu; *word && !failed; word += strspn(word, ",")) {
		size_t len = strcspn(word, ",");
		size_t name = strcspn(word, "=");
		const char *value = name < len ? word + name + 1 : word;
		size_t rest = (size_t)(word + len - value);

		if (value == word || (name == strlen("cputype") && !memcmp(word, "cputype", name)))
			failed = !keep(&out->name, value, rest);
		else if (name == strlen("flags") && !memcmp(word, "flags", name))
			failed = !keep(&out->flags, value, rest);
		word += len;
	}
	if (failed)
		return xf_error_memory();
	return out->name ? NULL
			 : xf_error_new(XF_ERR_DAMAGED, conf, "cpu: expected a model's name");
}

/* "+avx;-pku" as ",avx=on,pku=off", of which QEMU, too, takes the last. */
static void print_flags(const char *flags, FILE *stream)
{
	size_t len;

	for (; flags && *flags; flags += len + (flags[len] == ';')) {
		len = strcspn(flags, ";");
		/* svm or vmx, as the host has it. */
		if (len == strlen("+nested-virt") && !memcmp(flags + 1, "nested-virt", len - 1))
			continue;
		if (len > 1 && strchr("+-", *flags))
			fprintf(stream, ",%.*s=%s", (int)(len - 1), flags + 1,
				*flags == '+' ? "on" : "off");
	}
}

/* The name and the flags of a model that is not QEMU's. */
static struct xf_error *resolve(const char *conf, const char *name, struct model *out)
{
	static const char custom[] = "custom-";

	if (strncmp(name, custom, strlen(custom)) == 0)
		return find_custom(conf, name + strlen(custom), out);
	for (size_t i = 0; i < sizeof(own_models) / sizeof(own_models[0]); i++) {
		if (strcmp(name, own_models[i].name) != 0)
			continue;
		out->name = strdup("qemu64");
		out->flags = strdup(own_models[i].flags);
		return out->name && out->flags ? NULL : xf_error_memory();
	}
	out->name = strdup(name);
	return out->name ? NULL : xf_error_memory();
}

struct xf_error *xf_qm_cpu(const char *conf, const char *cpu, bool kvm, char **out)
{
	XF_AUTO(model_deinit) struct model said = { 0 };
	XF_AUTO(model_deinit) struct model model = { 0 };
	char *text = NULL;
	size_t size;

	XF_TRY(split(conf, cpu ? cpu : kvm ? "kvm64" : "qemu64", &said));
	XF_TRY(resolve(conf, said.name, &model));

	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return xf_error_memory();
	fprintf(stream, "%s", model.name);
	print_flags(model.flags, stream);
	print_flags(said.flags, stream);
	text = xf_text_end(stream, &text);
	if (!text)
		return xf_error_memory();
	*out = text;
	return NULL;
}
