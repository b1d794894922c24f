/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's XML, read by libxml2 as events, so that no document is kept in memory. Where a <cpu>
 * stands decides whose it is:
 *
 *	/domain/cpu				a domain, virsh dumpxml; a save image's first part
 *	/domstatus/domain/cpu			a running one: /run/libvirt/qemu/NAME.xml
 *	/domainsnapshot/domain/cpu		/var/lib/libvirt/qemu/snapshot/VM/NAME.xml
 *	/domainsnapshot/cookie/cpu		and there, what the guest really had
 *	/cookie/cpu				a save image's second part, the same
 *	/cpu					virsh cpu-baseline, or written by hand
 *
 * Any other is not what the guest saw: /domstatus/cpu is what was asked for before libvirt looked
 * at the host, <inactiveDomain> what the guest would have at its next start.
 *
 * A document with a DOCTYPE is refused before it is read: libvirt writes none, and without one
 * there are neither entities nor anything to fetch.
 */
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>
#include <string.h>

#include "base/scope.h"
#include "host/libvirt_xml.h"
#include "host/text.h"

/* A domain with 1,000 disks has 600 KiB. */
#define XML_MAX (4u << 20)

/*
 * '=' between two '<', which is more attributes than a tag has. libxml2 compares all of a tag with
 * each other. Counted so, and not by the tags' ends, since libxml2 reads on behind an error, where
 * nobody knows what it takes for a tag.
 */
#define EQUALS_MAX 6000

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

struct reader {
	const char *name;
	xmlParserCtxt *parser;
	struct xf_error *err; /* from within an event */

	char path[96]; /* "/domain/cpu"; deeper elements and others' are in `beyond` */
	unsigned int beyond;
	bool any_root;

	struct xf_libvirt_cpu domain, cookie;
	struct xf_libvirt_cpu *cpu; /* the one that is being read, or NULL */
	size_t cpu_path;	    /* how much of `path` it is */

	struct xf_libvirt_xml xml;
};

/*
 * Keeps the first error; what comes behind it is passed over. The parser is not stopped: libxml2
 * 2.9 frees, when it is stopped within an event, what it reads afterwards.
 */
static void fail(struct reader *reader, struct xf_error *err)
{
	if (reader->err)
		xf_error_free(err);
	else
		reader->err = err;
}

#define fail_here(reader, code, format, ...)                                \
	fail(reader, xf_error_new(code, (reader)->name, "line %d: " format, \
				  xmlSAX2GetLineNumber((reader)->parser), ##__VA_ARGS__))

/* SAX2 gives five pointers an attribute: name, prefix, namespace, start and end of the value. */
static struct xf_piece attribute(const xmlChar **attributes, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		const xmlChar **a = attributes + (size_t)i * 5;

		if (!a[1] && strcmp((const char *)a[0], name) == 0)
			return (struct xf_piece){ (const char *)a[3], (size_t)(a[4] - a[3]) };
	}
	return (struct xf_piece){ 0 };
}

/* ---- Where we are ---- */

static void enter(struct reader *reader, const char *name, bool libvirts)
{
	size_t used = strlen(reader->path);

	if (reader->beyond || !libvirts || used + 1 + strlen(name) >= sizeof(reader->path)) {
		reader->beyond++;
		return;
	}
	reader->path[used] = '/';
	strcpy(reader->path + used + 1, name);
}

static void leave(struct reader *reader)
{
	if (reader->beyond)
		reader->beyond--;
	else
		*strrchr(reader->path, '/') = '\0';
}

static bool at(const struct reader *reader, const char *path)
{
	return !reader->beyond && strcmp(reader->path, path) == 0;
}

static bool at_any(const struct reader *reader, const char *const *paths)
{
	for (; *paths; paths++)
		if (at(reader, *paths))
			return true;
	return false;
}

/* "/model" in the <cpu> that is being read. */
static bool in_cpu(const struct reader *reader, const char *rest)
{
	return reader->cpu && !reader->beyond && strcmp(reader->path + reader->cpu_path, rest) == 0;
}

/* ---- The CPU ---- */

static void begin_cpu(struct reader *reader, struct xf_libvirt_cpu *cpu, struct xf_piece mode,
		      struct xf_piece match)
{
	static const char *const modes[] = { "custom", "host-model", "host-passthrough",
					     "maximum" };
	size_t i = 0;

	/* Of several, libvirt takes the first. */
	if (cpu->there)
		return;
	cpu->there = true;
	reader->cpu = cpu;
	reader->cpu_path = strlen(reader->path);
	if (mode.text)
		while (i < 4 && !xf_piece_is(mode, modes[i]))
			i++;
	if (i == 4) {
		fail_here(reader, XF_ERR_DAMAGED,
			  "unknown mode \"%.*s\", expected custom, host-model, "
			  "host-passthrough or maximum",
			  xf_shown_length(mode.len), mode.text);
		return;
	}
	cpu->mode = (enum xf_libvirt_mode)i;
	cpu->minimum = xf_piece_is(match, "minimum");
	if (match.text && !cpu->minimum && !xf_piece_is(match, "exact") &&
	    !xf_piece_is(match, "strict"))
		fail_here(reader, XF_ERR_DAMAGED,
			  "unknown match \"%.*s\", expected minimum, exact or strict",
			  xf_shown_length(match.len), match.text);
}

/*
 * Names that libvirt has and never passes to QEMU, as QEMU knows no such feature or the guest
 * itself turns it on.
 */
static bool libvirts_own(struct xf_piece name)
{
	static const char *const names[] = { "cmt",   "cvt16",	 "mbm_local", "mbm_total",
					     "ospke", "osxsave", "pconfig" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (xf_piece_is(name, names[i]))
			return true;
	return false;
}

/* What may have been on, and of which nothing more is known. */
static void take_strange(struct reader *reader, struct xf_piece name)
{
	struct xf_libvirt_cpu *cpu = reader->cpu;

	if (libvirts_own(name))
		return;
	memset(cpu->strange, 0, sizeof(cpu->strange));
	memcpy(cpu->strange, name.text, (size_t)xf_shown_length(name.len));
}

static void take_feature(struct reader *reader, struct xf_piece name, struct xf_piece policy)
{
	struct xf_cpu_words *words = &reader->cpu->words;

	if (!name.text || !name.len) {
		fail_here(reader, XF_ERR_DAMAGED, "a feature without a name");
		return;
	}

	const struct xf_cpu_feature *feature = xf_cpu_feature_find(name.text, name.len);
	unsigned int shows = feature ? feature->shows : 0;
	bool off = xf_piece_is(policy, "disable") || xf_piece_is(policy, "forbid");

	if (!policy.text || xf_piece_is(policy, "require") || xf_piece_is(policy, "force"))
		words->on |= shows;
	else if (xf_piece_is(policy, "optional"))
		words->maybe |= shows;
	else if (off)
		words->off |= shows;
	else
		fail_here(reader, XF_ERR_DAMAGED,
			  "unknown policy \"%.*s\", expected force, require, optional, disable or "
			  "forbid",
			  xf_shown_length(policy.len), policy.text);
	if (!feature && !off)
		take_strange(reader, name);
}

static void take_model_text(struct reader *reader, const char *text, size_t len)
{
	struct xf_libvirt_cpu *cpu = reader->cpu;
	size_t used = strlen(cpu->model);

	for (size_t i = 0; i < len; i++) {
		if (strchr(" \t\r\n", text[i]))
			continue;
		if (used + 1 >= sizeof(cpu->model)) {
			fail_here(reader, XF_ERR_DAMAGED,
				  "a CPU model's name of more than %d bytes", XF_WORD_MAX);
			return;
		}
		cpu->model[used++] = text[i];
	}
}

/* ---- The domain ---- */

static void begin_domain(struct reader *reader, struct xf_piece type)
{
	reader->xml.domain = true;
	if (type.text && !xf_piece_is(type, "kvm") && !xf_piece_is(type, "qemu"))
		fail_here(reader, XF_ERR_USAGE, "a domain of type \"%.*s\", expected kvm or qemu",
			  xf_shown_length(type.len), type.text);
}

static void take_arch(struct reader *reader, struct xf_piece arch)
{
	reader->xml.i686 = xf_piece_is(arch, "i686");
	if (arch.text && !reader->xml.i686 && !xf_piece_is(arch, "x86_64"))
		fail_here(reader, XF_ERR_USAGE, "a machine of %.*s, expected x86_64",
			  xf_shown_length(arch.len), arch.text);
}

static void take_argument(struct reader *reader, struct xf_piece value)
{
	struct xf_qemu_args *args = &reader->xml.args;

	if (!xf_qemu_args_take(args, value.text ? value.text : "", value.len))
		fail(reader, xf_error_memory());
	else if (args->global)
		fail_here(reader, XF_ERR_USAGE,
			  "-global changes the CPU; say with --cpu or --exposed what the guest was "
			  "shown");
}

/* ---- libxml2's events ---- */

static const char *const domains[] = { "/domain", "/domstatus/domain", "/domainsnapshot/domain",
				       NULL };
static const char *const cpus[] = { "/domain/cpu", "/domstatus/domain/cpu",
				    "/domainsnapshot/domain/cpu", "/cpu", NULL };
static const char *const cookies[] = { "/cookie/cpu", "/domainsnapshot/cookie/cpu", NULL };
static const char *const types[] = { "/domain/os/type", "/domstatus/domain/os/type",
				     "/domainsnapshot/domain/os/type", NULL };
static const char *const roots[] = { "/domain", "/domstatus", "/domainsnapshot",
				     "/cookie", "/cpu",	      NULL };

static void on_start(void *data, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
		     int namespace_count, const xmlChar **namespaces, int count, int defaulted,
		     const xmlChar **attributes)
{
	struct reader *reader = data;
	const char *name = (const char *)local;

	(void)namespace_count, (void)namespaces, (void)defaulted;
	if (reader->err)
		return;
	enter(reader, name, !uri && !prefix);
	if (!reader->any_root && !at_any(reader, roots))
		fail_here(reader, XF_ERR_DAMAGED,
			  "expected libvirt's <domain> or <cpu>, found <%.*s>",
			  xf_shown_length(strlen(name)), name);
	reader->any_root = true;
	if (uri && strcmp((const char *)uri, QEMU_NAMESPACE) == 0 && strcmp(name, "arg") == 0)
		take_argument(reader, attribute(attributes, count, "value"));
	else if (at_any(reader, domains))
		begin_domain(reader, attribute(attributes, count, "type"));
	else if (at_any(reader, types))
		take_arch(reader, attribute(attributes, count, "arch"));
	else if (at_any(reader, cpus))
		begin_cpu(reader, &reader->domain, attribute(attributes, count, "mode"),
			  attribute(attributes, count, "match"));
	else if (at_any(reader, cookies))
		begin_cpu(reader, &reader->cookie, attribute(attributes, count, "mode"),
			  attribute(attributes, count, "match"));
	else if (in_cpu(reader, "/feature"))
		take_feature(reader, attribute(attributes, count, "name"),
			     attribute(attributes, count, "policy"));
	else if (in_cpu(reader, "/arch"))
		fail_here(reader, XF_ERR_USAGE,
			  "a host's <cpu>, which has an <arch>; expected a guest's");
}

static void on_end(void *data, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
	struct reader *reader = data;

	(void)local, (void)prefix, (void)uri;
	if (reader->err)
		return;
	if (in_cpu(reader, ""))
		reader->cpu = NULL;
	leave(reader);
}

static void on_text(void *data, const xmlChar *text, int len)
{
	struct reader *reader = data;

	if (!reader->err && in_cpu(reader, "/model"))
		take_model_text(reader, (const char *)text, (size_t)len);
}

/* libxml2 2.12 has made it const. */
#if LIBXML_VERSION >= 21200
#define ERROR_POINTER const xmlError *
#else
#define ERROR_POINTER xmlError *
#endif

/* Of several errors the last is kept, and out of memory is one that leads to others. */
static void on_error(void *data, ERROR_POINTER error)
{
	struct reader *reader = data;

	if (error->code == XML_ERR_NO_MEMORY)
		fail(reader, xf_error_memory());
}

/* ---- The document ---- */

/* libxml2's own word on what is wrong; it ends with a newline. */
static struct xf_error *malformed(const struct reader *reader)
{
	const xmlError *error = xmlCtxtGetLastError(reader->parser);

	if (!error || !error->message)
		return xf_error_new(XF_ERR_DAMAGED, reader->name, "this is no XML");
	return xf_error_new(XF_ERR_DAMAGED, reader->name, "line %d: no well-formed XML: %.*s",
			    error->line, (int)strcspn(error->message, "\n"), error->message);
}

/*
 * UTF-8, as libvirt writes: what begins otherwise libxml2 may take for another encoding, in which
 * nothing would be seen of what is looked for here.
 */
static bool may_be_utf8(const char *text, size_t size)
{
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		size -= 3;
	}
	return !size || strchr("<\t\n\r ", *text);
}

/* Of text without end only what would be long to read is too much. */
static struct xf_error *check_tags(const char *name, const char *text, size_t size)
{
	uint64_t begin = 0;
	unsigned int equals = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '<') {
			begin = i;
			equals = 0;
		} else if (text[i] == '=' && ++equals > EQUALS_MAX) {
			return xf_error_at(XF_ERR_FORMAT, name, begin,
					   "more than %d '=' before the next '<'", EQUALS_MAX);
		}
	}
	return NULL;
}

/*
 * What is not even given to libxml2: what would take it long, and declarations. Valid XML that is
 * too much for us is XF_ERR_FORMAT.
 */
static struct xf_error *look_over(const char *name, const char *text, size_t size)
{
	const char *zero = memchr(text, '\0', size);
	const char *doctype = memmem(text, size, "<!DOCTYPE", strlen("<!DOCTYPE"));

	if (size > XML_MAX)
		return xf_error_new(XF_ERR_FORMAT, name, "XML of more than %u MiB", XML_MAX >> 20);
	if (zero)
		return xf_error_at(XF_ERR_DAMAGED, name, (uint64_t)(zero - text),
				   "expected XML in UTF-8");
	if (!may_be_utf8(text, size))
		return xf_error_at(XF_ERR_DAMAGED, name, 0, "expected XML in UTF-8");
	if (doctype)
		return xf_error_at(XF_ERR_DAMAGED, name, (uint64_t)(doctype - text),
				   "a DOCTYPE, which libvirt never writes");
	return check_tags(name, text, size);
}

static struct xf_error *parse(struct reader *reader)
{
	xmlParserCtxt *parser = reader->parser;

	*parser->sax = (xmlSAXHandler){
		.initialized = XML_SAX2_MAGIC,
		.startElementNs = on_start,
		.endElementNs = on_end,
		.characters = on_text,
		.cdataBlock = on_text,
		.serror = on_error,
	};
	parser->userData = reader;
	xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
					  XML_PARSE_IGNORE_ENC);
	xmlParseDocument(parser);
	if (reader->err)
		return xf_take(reader->err);
	/* Out of memory, it stops with what is well-formed as far as it came. */
	if (parser->wellFormed && !parser->disableSAX)
		return NULL;
	return malformed(reader);
}

struct xf_error *xf_libvirt_xml_read(const char *name, const char *text, size_t size,
				     struct xf_libvirt_xml *out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct reader reader = { .name = name };

	XF_TRY(look_over(name, text, size));
	/* libxml2 promises nothing if two threads come to it first. */
	pthread_once(&once, xmlInitParser);
	reader.parser = xmlCreateMemoryParserCtxt(text, (int)size);
	if (!reader.parser)
		return size ? xf_error_memory()
			    : xf_error_new(XF_ERR_DAMAGED, name, "expected XML, found nothing");

	struct xf_error *err = parse(&reader);

	xmlFreeParserCtxt(reader.parser);
	if (err) {
		xf_libvirt_xml_deinit(&reader.xml);
		return err;
	}
	reader.xml.resolved = reader.cookie.there;
	reader.xml.cpu = reader.cookie.there ? reader.cookie : reader.domain;
	*out = reader.xml;
	return NULL;
}

void xf_libvirt_xml_deinit(struct xf_libvirt_xml *xml)
{
	xf_qemu_args_deinit(&xml->args);
}
