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

/* The file seen from /etc/pve/qemu-server, a link to /etc/pve/nodes/NODE/qemu-server. */
static char *models_beside(const char *conf, const char *way)
{
	const char *slash = strrchr(conf, '/');
	XF_AUTO_FREE char *folder = strndup(conf, slash ? (size_t)(slash + 1 - conf) : 0);

	return folder ? xf_text("%s%s/virtual-guest/cpu-models.conf", folder, way) : NULL;
}

static bool is_of_this_machine(const char *conf)
{
	static const char pve[] = "/etc/pve/";
	XF_AUTO_FREE char *real = realpath(conf, NULL);

	return real && strncmp(real, pve, strlen(pve)) == 0;
}

/*
 * This machine's models count for this machine's VMs only: another's may have the same name and be
 * another CPU.
 */
static struct xf_error *find_models(const char *conf, const char *name, char **out)
{
	XF_AUTO_FREE char *near = models_beside(conf, "..");
	XF_AUTO_FREE char *far = models_beside(conf, "../../..");

	if (!near || !far)
		return xf_error_memory();
	if (access(near, F_OK) == 0 || access(far, F_OK) == 0) {
		*out = access(near, F_OK) == 0 ? xf_take(near) : xf_take(far);
		return NULL;
	}
	if (!is_of_this_machine(conf))
		return xf_error_new(XF_ERR_IO, conf,
				    "the model custom-%.*s is defined in Proxmox' "
				    "cpu-models.conf; expected it as %s",
				    xf_shown_length(strlen(name)), name, near);
	*out = strdup("/etc/pve/virtual-guest/cpu-models.conf");
	return *out ? NULL : xf_error_memory();
}

static struct xf_piece trimmed(struct xf_piece piece)
{
	while (piece.len && strchr(" \t\r", piece.text[piece.len - 1]))
		piece.len--;
	while (piece.len && strchr(" \t", *piece.text)) {
		piece.text++;
		piece.len--;
	}
	return piece;
}

/* "TYPE: NAME", which begins a section where none is open. */
static bool is_header(struct xf_piece line, struct xf_piece *type, struct xf_piece *name)
{
	const char *colon = memchr(line.text, ':', line.len);

	if (!colon || strchr(" \t", *line.text))
		return false;
	*type = (struct xf_piece){ line.text, (size_t)(colon - line.text) };
	*name = trimmed((struct xf_piece){ colon + 1, line.len - type->len - 1 });
	return true;
}

static bool keep(char **place, struct xf_piece piece)
{
	free(*place);
	*place = strndup(piece.text, piece.len);
	return *place;
}

/* "KEY VALUE", behind blanks. Of a key that is there twice, Proxmox takes the first. */
static struct xf_error *take_property(struct xf_piece line, struct model *model)
{
	size_t key = 0;

	if (!strchr(" \t", *line.text))
		return NULL;
	line = trimmed(line);
	while (key < line.len && !strchr(" \t", line.text[key]))
		key++;

	struct xf_piece word = { line.text, key };
	struct xf_piece value = trimmed((struct xf_piece){ line.text + key, line.len - key });
	char **place = xf_piece_is(word, "reported-model") ? &model->name
		       : xf_piece_is(word, "flags")	   ? &model->flags
							   : NULL;

	if (!place || *place || !value.len)
		return NULL;
	return keep(place, value) ? NULL : xf_error_memory();
}

/*
 * The lines of the model `name`. As with Proxmox, an empty line ends a section and nothing else
 * does: not one of blanks, and no other model's first line.
 */
static struct xf_error *read_models(const char *path, const char *text, const char *name,
				    struct model *model)
{
	bool open = false, inside = false, found = false;
	struct xf_piece type, value;

	for (size_t len; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");

		const struct xf_piece line = { text, len };

		if (trimmed(line).len && *trimmed(line).text == '#')
			continue;
		if (!len) {
			open = inside = false;
		} else if (inside) {
			XF_TRY(take_property(line, model));
		} else if (!open && is_header(line, &type, &value)) {
			open = true;
			inside = xf_piece_is(type, "cpu-model") && xf_piece_is(value, name);
			if (inside && found)
				return xf_error_new(XF_ERR_DAMAGED, path,
						    "the model %s is there a second time", name);
			found |= inside;
		}
	}
	return found ? NULL
		     : xf_error_new(XF_ERR_USAGE, path, "it has no model \"%.*s\"",
				    xf_shown_length(strlen(name)), name);
}

/* `*path` is the file that has it. */
static struct xf_error *find_custom(const char *conf, const char *name, struct model *model,
				    char **path)
{
	XF_AUTO_FREE char *text = NULL;
	size_t size;

	XF_TRY(find_models(conf, name, path));
	XF_TRY(xf_read_text(*path, MODELS_MAX, &text, &size));
	if (!size || text[size - 1] != '\n' || strlen(text) != size)
		return xf_error_new(XF_ERR_DAMAGED, *path,
				    "its last line does not end; expected all of the models");
	XF_TRY(read_models(*path, text, name, model));
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
		const char *at = name < len ? word + name + 1 : word;
		struct xf_piece key = { word, name };
		struct xf_piece value = { at, (size_t)(word + len - at) };

		if (at == word || xf_piece_is(key, "cputype"))
			failed = !keep(&out->name, value);
		else if (xf_piece_is(key, "flags"))
			failed = !keep(&out->flags, value);
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
static struct xf_error *resolve(const char *conf, const char *name, struct model *out,
				char **models)
{
	static const char custom[] = "custom-";

	if (strncmp(name, custom, strlen(custom)) == 0)
		return find_custom(conf, name + strlen(custom), out, models);
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

struct xf_error *xf_qm_cpu(const char *conf, const char *cpu, bool kvm, char **out, char **models)
{
	XF_AUTO(model_deinit) struct model said = { 0 };
	XF_AUTO(model_deinit) struct model model = { 0 };
	XF_AUTO_FREE char *custom = NULL;
	char *text = NULL;
	size_t size;

	XF_TRY(split(conf, cpu ? cpu : kvm ? "kvm64" : "qemu64", &said));
	XF_TRY(resolve(conf, said.name, &model, &custom));

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
	*models = xf_take(custom);
	return NULL;
}
