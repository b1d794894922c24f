/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A configuration of Proxmox VE: "KEY: VALUE" lines, first the machine's own, then a section
 * "[NAME]" for each snapshot, and "[PENDING]" and "[special:…]", which say nothing of a
 * state. What is in the machine's own part is what runs, or is suspended: changes wait in
 * [PENDING].
 *
 * Proxmox writes the keys of a section in the alphabet's order, and its last line whole. So a
 * section that has no runningcpu or cpu is believed only when something stands there that comes
 * behind them: half a file would tell of another CPU.
 */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "host/evidence.h"
#include "host/nearest.h"
#include "host/qemu_args.h"
#include "host/qm.h"
#include "host/text.h"

/* Proxmox' own file system takes files up to 1 MiB. */
#define CONF_MAX (1u << 20)

struct reader {
	const char *path;
	const char *name; /* of the section that is wanted, or NULL */
	bool inside;	  /* in that section */
	bool found;
	bool whole; /* something stands there that comes behind runningcpu */
	struct xf_qm_section section;
};

static struct xf_error *no_line(const struct reader *reader, unsigned int number)
{
	return xf_error_new(XF_ERR_DAMAGED, reader->path,
			    "line %u: expected \"KEY: VALUE\" or \"[SNAPSHOT]\" of a virtual "
			    "machine of Proxmox VE",
			    number);
}

/* "[NAME]", without its brackets. */
static struct xf_error *begin_section(struct reader *reader, struct xf_piece name,
				      unsigned int number)
{
	/* Another section behind it: the one before was whole. */
	if (reader->inside)
		reader->whole = true;
	reader->inside = reader->name && xf_piece_is(name, reader->name);
	/* A name of Proxmox' own in no case is a snapshot's. */
	if (reader->inside && (strcasecmp(reader->name, "pending") == 0 ||
			       strncasecmp(reader->name, "special:", strlen("special:")) == 0))
		return xf_error_new(XF_ERR_USAGE, reader->path, "[%s] is no snapshot",
				    reader->name);
	if (reader->inside && reader->found)
		return xf_error_new(XF_ERR_DAMAGED, reader->path,
				    "line %u: the section [%s] is there a second time", number,
				    reader->name);
	reader->found |= reader->inside;
	return NULL;
}

/* Where the value of a key is kept, or NULL: it tells nothing. */
static char **place_of(struct xf_qm_section *section, struct xf_piece key)
{
	const struct {
		const char *key;
		char **place;
	} places[] = {
		{ "runningcpu", &section->runningcpu },
		{ "cpu", &section->cpu },
		{ "args", &section->args },
		{ "kvm", &section->kvm },
		{ "arch", &section->arch },
		{ "vmstate", &section->vmstate },
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (xf_piece_is(key, places[i].key))
			return places[i].place;
	return NULL;
}

/* Of a key that is there twice, Proxmox takes the last. */
static struct xf_error *take_value(struct reader *reader, struct xf_piece key,
				   struct xf_piece value)
{
	static const char *const behind[] = { "smbios1", "sockets", "vmgenid", "vmstate" };
	char **place = place_of(&reader->section, key);

	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++)
		reader->whole |= xf_piece_is(key, behind[i]);
	if (!place)
		return NULL;
	free(*place);
	*place = strndup(value.text, value.len);
	return *place ? NULL : xf_error_memory();
}

static bool is_key(struct xf_piece key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	for (size_t i = 0; i < key.len; i++)
		if (!strchr(letters, key.text[i]))
			return false;
	return key.len;
}

static struct xf_error *read_line(struct reader *reader, struct xf_piece line, unsigned int number)
{
	const char *colon = memchr(line.text, ':', line.len);

	while (line.len && strchr(" \t\r", line.text[line.len - 1]))
		line.len--;
	if (!line.len || line.text[0] == '#')
		return NULL;
	if (line.text[0] == '[') {
		if (line.text[line.len - 1] != ']')
			return no_line(reader, number);
		return begin_section(reader, (struct xf_piece){ line.text + 1, line.len - 2 },
				     number);
	}

	struct xf_piece key = { line.text, colon ? (size_t)(colon - line.text) : 0 };

	if (!is_key(key))
		return no_line(reader, number);

	struct xf_piece value = { colon + 1, line.len - key.len - 1 };

	while (value.len && strchr(" \t", *value.text)) {
		value.text++;
		value.len--;
	}
	return reader->inside ? take_value(reader, key, value) : NULL;
}

static struct xf_error *read_lines(struct reader *reader, const char *text, size_t size)
{
	const char *end = text + size;
	unsigned int number = 0;

	if (memchr(text, '\0', size))
		return xf_error_new(XF_ERR_DAMAGED, reader->path, "expected text");
	if (!size || end[-1] != '\n')
		return xf_error_new(XF_ERR_DAMAGED, reader->path,
				    "its last line does not end; expected a whole configuration");
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));

		XF_TRY(read_line(reader, (struct xf_piece){ text, (size_t)(line_end - text) },
				 ++number));
		text = line_end + 1;
	}
	return NULL;
}

/* What is there must be all of it. */
static struct xf_error *end(const struct reader *reader)
{
	const char *what = reader->name ? reader->name : "the machine's own part";

	if (!reader->found)
		return xf_error_new(XF_ERR_USAGE, reader->path, "it has no snapshot \"%s\"",
				    reader->name);
	if (!reader->whole && !reader->section.runningcpu)
		return xf_error_new(XF_ERR_DAMAGED, reader->path,
				    "%s ends before smbios1 and vmgenid; expected a whole "
				    "configuration",
				    what);
	if (reader->name && !reader->section.vmstate)
		return xf_error_new(XF_ERR_USAGE, reader->path,
				    "the snapshot \"%s\" was made without RAM, so no state belongs "
				    "to it",
				    reader->name);
	return NULL;
}

struct xf_error *xf_qm_read(const char *path, const char *text, size_t size, const char *name,
			    struct xf_qm_section *out)
{
	struct reader reader = { .path = path, .name = name, .inside = !name, .found = !name };
	struct xf_error *err = read_lines(&reader, text, size);

	if (!err)
		err = end(&reader);
	if (err) {
		xf_qm_section_deinit(&reader.section);
		return err;
	}
	*out = reader.section;
	return NULL;
}

void xf_qm_section_deinit(struct xf_qm_section *section)
{
	free(section->runningcpu);
	free(section->cpu);
	free(section->args);
	free(section->kvm);
	free(section->arch);
	free(section->vmstate);
	*section = (struct xf_qm_section){ 0 };
}

/* ---- Evidence ---- */

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

struct xf_error *xf_evidence_from_qm(const char *spec, const struct xf_host *from,
				     struct xf_evidence **out)
{
	XF_AUTO_FREE char *path = strdup(spec);
	XF_AUTO_FREE char *text = NULL;
	XF_AUTO(xf_qm_section_deinit) struct xf_qm_section section = { 0 };
	struct xf_evidence *evidence = NULL;
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
	XF_TRY(xf_qm_read(path, text, size, colon ? colon + 1 : NULL, &section));
	XF_TRY(evidence_of(spec, path, &section, &evidence));
	return xf_evidence_begun(evidence, from, out);
}
