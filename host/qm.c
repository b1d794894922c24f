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
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/qm.h"
#include "host/text.h"

struct reader {
	const char *path;
	const char *name; /* of the section that is wanted, or NULL */
	bool inside;	  /* in that section */
	bool found;
	bool whole; /* something stands there that comes behind runningcpu */
	struct xf_qm_section section;
	struct xf_piece snapshot; /* the one whose section is being read, or nothing */
	struct xf_qm_snapshots snapshots;
};

static struct xf_error *no_line(const struct reader *reader, unsigned int number)
{
	return xf_error_new(XF_ERR_DAMAGED, reader->path,
			    "line %u: expected \"KEY: VALUE\" or \"[SNAPSHOT]\" of a virtual "
			    "machine of Proxmox VE",
			    number);
}

/* A name of Proxmox' own in no case is a snapshot's. */
static bool is_proxmox_own(struct xf_piece name)
{
	static const char special[] = "special:", pending[] = "pending";

	return (name.len >= strlen(special) &&
		strncasecmp(name.text, special, strlen(special)) == 0) ||
	       (name.len == strlen(pending) && strncasecmp(name.text, pending, name.len) == 0);
}

/* "[NAME]", without its brackets. */
static struct xf_error *begin_section(struct reader *reader, struct xf_piece name,
				      unsigned int number)
{
	reader->snapshot = is_proxmox_own(name) ? (struct xf_piece){ 0 } : name;
	/* Another section behind it: the one before was whole. */
	if (reader->inside)
		reader->whole = true;
	reader->inside = reader->name && xf_piece_is(name, reader->name);
	if (reader->inside && is_proxmox_own(name))
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

/* The snapshot whose section is being read has a state. */
static void note_state(struct reader *reader)
{
	struct xf_qm_snapshots *all = &reader->snapshots;
	struct xf_piece name = reader->snapshot;

	if (all->count && all->names[all->count - 1].text == name.text)
		return;
	if (all->count < XF_QM_SNAPSHOTS_MAX)
		all->names[all->count++] = name;
	else
		all->more = true;
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
	if (reader->snapshot.text &&
	    (xf_piece_is(key, "vmstate") || xf_piece_is(key, "runningcpu")))
		note_state(reader);
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

struct xf_error *xf_qm_read(const struct xf_qm_conf *conf, const char *name,
			    struct xf_qm_section *out, struct xf_qm_snapshots *snapshots)
{
	struct reader reader = {
		.path = conf->path,
		.name = name,
		.inside = !name,
		.found = !name,
	};
	struct xf_error *err = read_lines(&reader, conf->text, conf->size);

	if (!err)
		err = end(&reader);
	if (err) {
		xf_qm_section_deinit(&reader.section);
		return err;
	}
	*out = reader.section;
	if (snapshots)
		*snapshots = reader.snapshots;
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
