/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPUID as text. Two ways of writing a leaf are read, wherever they are in the
 * file; every other line is passed over, and a leaf that is missing is noticed:
 *
 *	   0x0000000d 0x00: eax=0x00000207 ebx=… ecx=… edx=…		(cpuid -1r, cpuid -r)
 *	<cpuid eax_in='0x0d' ecx_in='0x00' eax='0x00000207' ebx=…/>	(libvirt)
 */
#include <inttypes.h>
#include <string.h>

#include "base/io.h"
#include "base/scope.h"
#include "core/shown.h"
#include "host/cpuid_text.h"
#include "host/evidence.h"
#include "host/mask_text.h"
#include "host/text.h"

/* 1,024 CPUs with 100 leaves each are 9 MiB. */
#define DUMP_MAX (16u << 20)

struct dump {
	const char *path;
	const char *text;
	const char *at;	  /* where reading is */
	unsigned int cpu; /* the CPU being read, counted from 0 */
	struct xf_shown shown;
	bool any; /* a CPU was read to its end */
	struct xf_guest guest;
};

static struct xf_error *damaged(const struct dump *dump, const char *at, const char *expected)
{
	return xf_error_at(XF_ERR_DAMAGED, dump->path, (uint64_t)(at - dump->text), "expected %s",
			   expected);
}

/* Steps over `word` in a line that ends at `end`. */
static bool skip_word(const char **at, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

/* A number in hex with its prefix; `digits` 0: any count up to 8. */
static bool read_hex(const char **at, const char *end, size_t digits, uint32_t *out)
{
	size_t len = 2;
	uint64_t value;

	if (end - *at < 3)
		return false;
	while (*at + len < end && strchr("0123456789abcdefABCDEF", (*at)[len]))
		len++;
	if (len > 10 || (digits && len != 2 + digits) || !xf_hex(*at, len, &value))
		return false;
	*at += len;
	*out = (uint32_t)value;
	return true;
}

static void skip_blanks(const char **at, const char *end)
{
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
}

/*
 * The four registers, each "eax=0x00000207", or in quotes. All 8 digits must be
 * there, so a line cut off within a number does not pass for a smaller number.
 */
static bool read_regs(const char *at, const char *end, struct xf_cpuid_regs *out)
{
	static const char *const names[] = { "eax=", "ebx=", "ecx=", "edx=" };
	uint32_t value[4];

	for (size_t i = 0; i < 4; i++) {
		skip_blanks(&at, end);
		if (!skip_word(&at, end, names[i]))
			return false;

		bool quoted = skip_word(&at, end, "'");

		if (!read_hex(&at, end, 8, &value[i]) || (quoted && !skip_word(&at, end, "'")))
			return false;
	}
	*out = (struct xf_cpuid_regs){ value[0], value[1], value[2], value[3] };
	return true;
}

/* "0x0000000d 0x00:" or "0x0000000d:" as old versions of cpuid print it. */
static bool read_key(const char **at, const char *end, uint32_t *leaf, uint32_t *sub)
{
	*sub = 0;
	if (!read_hex(at, end, 8, leaf))
		return false;
	skip_blanks(at, end);
	if (!skip_word(at, end, ":"))
		return read_hex(at, end, 0, sub) && skip_word(at, end, ":");
	return true;
}

/* "eax_in='0x0000000d' ecx_in='0x00'". */
static bool read_xml_key(const char **at, const char *end, uint32_t *leaf, uint32_t *sub)
{
	*sub = 0;
	if (!skip_word(at, end, "eax_in='") || !read_hex(at, end, 0, leaf) ||
	    !skip_word(at, end, "'"))
		return false;
	skip_blanks(at, end);
	if (skip_word(at, end, "ecx_in='"))
		return read_hex(at, end, 0, sub) && skip_word(at, end, "'");
	return true;
}

static struct xf_error *keep_leaf(struct dump *dump, const char *line, uint32_t leaf, uint32_t sub,
				  const struct xf_cpuid_regs *regs)
{
	if (xf_shown_regs(&dump->shown, leaf, sub))
		return xf_error_at(XF_ERR_DAMAGED, dump->path, (uint64_t)(line - dump->text),
				   "CPU %u: leaf 0x%" PRIx32 ".%" PRIu32 " is there a second time",
				   dump->cpu, leaf, sub);
	xf_shown_leaf(&dump->shown, leaf, sub, regs);
	return NULL;
}

static struct xf_error *missing_leaf(const struct dump *dump, unsigned int leaf)
{
	return xf_error_at(XF_ERR_DAMAGED, dump->path, (uint64_t)(dump->at - dump->text),
			   "CPU %u ends here without CPUID leaf 0x%x, expected the whole "
			   "output of cpuid -1r",
			   dump->cpu, leaf);
}

/* A CPU's leaves are complete: what they say, and that it is what the CPUs before said. */
static struct xf_error *end_cpu(struct dump *dump)
{
	const struct xf_shown *shown = &dump->shown;
	const struct xf_cpuid_regs *level = xf_shown_regs(shown, 0, 0);
	const struct xf_cpuid_regs *features = xf_shown_regs(shown, 1, 0);

	if (!level)
		return missing_leaf(dump, 0);
	if (!features)
		return missing_leaf(dump, 1);
	/* To the rule it is a table that was not filled in, of which nothing follows. */
	if (!level->eax)
		return xf_error_at(XF_ERR_DAMAGED, dump->path, (uint64_t)(dump->at - dump->text),
				   "CPU %u has leaf 1, and leaf 0 tells that there is none",
				   dump->cpu);
	if (!xf_shown_regs(shown, 7, 0) && level->eax >= 7)
		return missing_leaf(dump, 7);
	if (!xf_shown_regs(shown, 0xd, 0) && level->eax >= 0xd)
		return missing_leaf(dump, 0xd);
	/*
	 * Another machine's CPUID may well lack what the guest was shown, and then
	 * the guest's own data would be dropped.
	 */
	if (!(features->ecx & XF_LEAF1_ECX_HYPERVISOR))
		return xf_error_new(XF_ERR_USAGE, dump->path,
				    "CPU %u is not a virtual machine's (leaf 1, ECX bit 31 is "
				    "clear); make the dump inside the guest, or say --exposed",
				    dump->cpu);

	struct xf_guest guest = xf_shown_guest(shown);

	if (dump->any && (guest.shown != dump->guest.shown || guest.known != dump->guest.known))
		return xf_error_at(XF_ERR_DAMAGED, dump->path, (uint64_t)(dump->at - dump->text),
				   "CPU %u was shown 0x%" PRIx64 ", the CPUs before it 0x%" PRIx64
				   "; expected all the same",
				   dump->cpu, guest.shown, dump->guest.shown);
	dump->any = true;
	dump->guest = guest;
	dump->shown.seen = 0;
	dump->cpu++;
	return NULL;
}

static struct xf_error *read_line(struct dump *dump, const char *line, const char *end)
{
	const char *at = line;
	uint32_t leaf, sub;
	struct xf_cpuid_regs regs;
	bool key;

	skip_blanks(&at, end);
	/* "CPU:" and "CPU 3:" */
	if (skip_word(&at, end, "CPU"))
		return dump->shown.seen ? end_cpu(dump) : NULL;
	if (skip_word(&at, end, "<cpuid ")) {
		skip_blanks(&at, end);
		key = read_xml_key(&at, end, &leaf, &sub);
	} else if (end - at >= 2 && memcmp(at, "0x", 2) == 0) {
		key = read_key(&at, end, &leaf, &sub);
	} else {
		return NULL;
	}
	if (!key || !read_regs(at, end, &regs))
		return damaged(dump, line,
			       "\"0x0000000d 0x00: eax=0x00000007 ebx=0x… ecx=0x… edx=0x…\", all "
			       "digits there");
	return keep_leaf(dump, line, leaf, sub, &regs);
}

struct xf_error *xf_cpuid_text_parse(const char *path, const char *text, size_t size,
				     struct xf_guest *out)
{
	struct dump dump = { .path = path, .text = text, .at = text };
	const char *end = text + size;
	const char *zero = memchr(text, '\0', size);

	if (zero)
		return damaged(&dump, zero, "text, as cpuid -1r prints it");
	while (dump.at < end) {
		const char *line_end = memchr(dump.at, '\n', (size_t)(end - dump.at));

		if (!line_end)
			line_end = end;
		XF_TRY(read_line(&dump, dump.at, line_end));
		dump.at = line_end < end ? line_end + 1 : end;
	}
	if (dump.shown.seen)
		XF_TRY(end_cpu(&dump));
	if (!dump.any)
		return damaged(&dump, text,
			       "the output of cpuid -1r; there is no CPUID leaf in it");
	*out = dump.guest;
	return NULL;
}

struct xf_error *xf_evidence_from_cpuid(const char *path, struct xf_evidence **out)
{
	XF_AUTO_FREE char *text = NULL;
	struct xf_guest guest;
	size_t size;

	XF_TRY(xf_read_text(path, DUMP_MAX, &text, &size));
	XF_TRY(xf_cpuid_text_parse(path, text, size, &guest));

	struct xf_evidence *evidence = NULL;

	XF_TRY(xf_evidence_new(guest, false, xf_text("the guest's CPUID in %s", path), &evidence));
	evidence->seen_inside = true;
	*out = evidence;
	return NULL;
}
