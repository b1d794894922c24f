/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams that are changed on purpose, or lie; sweep.c has those that are cut or changed
 * anywhere. What is allowed: an error of one line, or the same vCPUs at the same places as
 * in the stream before it was changed. Never other places: those would be written to.
 */
#include "support.h"

#include "state/qemu_wire.h"

/* ---- Lengths ---- */

static void test_lengths(void **unused)
{
	static const uint64_t lengths[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX };
	struct synth synth = { .machine = "pc-q35-9.9" };
	struct xf_state *state;

	(void)unused;
	synth_stream(&synth, 1);

	const size_t places[] = {
		9,			     /* of the machine's name */
		9 + 4 + 10 + 17,	     /* of RAM */
		9 + 4 + 10 + 17 + 8 + 1 + 6, /* of its block */
		synth.text - 4,		     /* of the description */
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
			size_t size = i == 0 || i == 3 ? 4 : 8;
			uint8_t old[8], new[8];

			for (size_t k = 0; k < size; k++)
				new[k] = (uint8_t)(lengths[j] >> (8 * (size - 1 - k)));
			memcpy(old, synth.stream.p + places[i], 8);
			memcpy(synth.stream.p + places[i], new, size);

			struct xf_error *err =
				open_bytes(synth.stream.p, synth.stream.size, &state);

			assert_non_null(err);
			assert_one_line(err);
			xf_error_free(err);
			memcpy(synth.stream.p + places[i], old, 8);
		}
	}
	synth_free(&synth);
}

/* ---- Descriptions ---- */

/* A stream with this text for a description, or "…%s…" around its devices. */
static struct xf_error *open_described(const char *format)
{
	struct synth synth = { .machine = "pc" };
	struct bytes text = { 0 };
	const char *devices = strstr(format, "%s");
	struct xf_state *state;

	synth_stream(&synth, 1);
	bytes_add(&text, format, devices ? (size_t)(devices - format) : strlen(format));
	if (devices) {
		bytes_add(&text, synth.json.p, synth.json.size);
		bytes_add_text(&text, devices + 2);
	}
	synth.stream.size = synth.text - 4;
	bytes_add_u32(&synth.stream, (uint32_t)text.size);
	bytes_add(&synth.stream, text.p, text.size);

	struct xf_error *err = open_bytes(synth.stream.p, synth.stream.size, &state);

	if (!err)
		xf_state_close(state);
	synth_free(&synth);
	bytes_free(&text);
	return err;
}

/* One object as the only device, or field of one. */
#define DEVICE(rest) "{\"devices\":[{\"name\":\"a\",\"instance_id\":0," rest "}]}"
#define FIELD(rest) DEVICE("\"fields\":[{\"name\":\"f\"," rest "}]")

static void test_bad_descriptions(void **unused)
{
	static const struct {
		const char *text;
		const char *said;
	} bad[] = {
		{ "{", "no JSON" },
		{ "{}", "no 'devices'" },
		{ "{\"devices\":[]}", "no devices" },
		{ "{\"devices\":[%s]} {}", "no JSON" },
		{ "{\"devices\":[%s],\"devices\":[]}", "'devices' twice" },
		{ "{\"devices\":{}}", "'devices' is an object" },
		{ "{\"devices\":1}", "'devices' is a number" },
		{ "{\"devices\":\"x\"}", "'devices' is a string" },
		{ "{\"devices\":null}", "'devices' has no value" },
		{ "{\"devices\":[1]}", "a number where an object" },
		{ "{\"devices\":[\"x\"]}", "a string where an object" },
		{ "{\"devices\":[true]}", "a word where an object" },
		{ "{\"devices\":[[]]}", "an array where an object" },
		{ "{\"devices\":[{}]}", "without 'name' or 'instance_id'" },
		{ "{\"devices\":[{\"name\":\"\"}]}", "a name of 0 bytes" },
		{ "{\"devices\":[{\"name\":{}}]}", "'name' is an object" },
		{ "{\"devices\":[{\"name\":[]}]}", "'name' is an array" },
		{ "{\"devices\":[{\"name\":\"a\",\"name\":\"b\"}]}", "'name' twice" },
		{ "{\"devices\":[{\"name\":\"a\",\"instance_id\":4294967296}]}",
		  "more than 32 bits" },
		{ "{\"devices\":[{\"name\":\"a\",\"instance_id\":-1}]}", "not a count" },
		{ DEVICE("\"version\":4294967296"), "more than 32 bits" },
		{ DEVICE("\"size\":1"), "of 1 bytes with fields of 0" },
		{ DEVICE("\"fields\":1"), "'fields' is a number" },
		{ DEVICE("\"subsections\":[],\"fields\":[]"), "'fields' behind 'subsections'" },
		{ DEVICE("\"subsections\":[{\"vmsd_name\":\"x\"}]"), "without name or version" },
		{ DEVICE("\"subsections\":[{\"vmsd_name\":\"x\",\"version\":4294967296}]"),
		  "more than 32 bits" },
		{ FIELD("\"type\":\"x\""), "without 'size'" },
		{ FIELD("\"size\":-8"), "-8, not a count" },
		{ FIELD("\"size\":1.5"), "1.5, not a count" },
		{ FIELD("\"size\":1e3"), "1e3, not a count" },
		{ FIELD("\"size\":9007199254740993"), "larger than any file" },
		{ FIELD("\"size\":99999999999999999999999999"), "larger than any file" },
		{ FIELD("\"size\":9007199254740992,\"array_len\":9007199254740992"),
		  "larger than any file" },
		{ FIELD("\"size\":4503599627370496,\"array_len\":3"), "larger than any file" },
		{ FIELD("\"size\":8,\"size\":8"), "'size' twice" },
		{ FIELD("\"size\":\"8\""), "'size' is a string" },
		{ FIELD("\"size\":null"), "'size' has no value" },
		{ FIELD("\"size\":8},{\"name\":\"env.xcr0\",\"size\":4"), "has not 8 bytes" },
		{ FIELD("\"size\":8},{\"name\":\"env.xcr0\",\"size\":8,\"array_len\":1"),
		  "has not 8 bytes" },
		{ FIELD("\"size\":1},{\"name\":\"env.xcr0\",\"size\":8},{\"name\":\"env.xcr0\","
			"\"size\":8"),
		  "'env.xcr0' twice" },
		{ FIELD("\"size\":9007199254740992},{\"size\":1"), "fields larger than any file" },
		/* That large a field may be, but no device. */
		{ FIELD("\"size\":9007199254740992"), "devices larger than any file" },
		{ DEVICE("\"fields\":[[]]"), "an array where an object" },
		{ DEVICE("\"fields\":[true]"), "a word where an object" },
		{ DEVICE("\"fields\":[1]"), "a number where an object" },
		{ DEVICE("\"subsections\":[[]]"), "an array where an object" },
		{ DEVICE("\"subsections\":[null]"), "a word where an object" },
		{ DEVICE("\"subsections\":[\"x\"]"), "a string where an object" },
		/* No more of a number is repeated than a person reads. */
		{ FIELD("\"size\":-123456789012345678901234567890123456789012345"),
		  "'size' is -123456789012345678901234567890123456789, not a count" },
	};

	(void)unused;
	assert_opened(open_described("{\"devices\":[%s]}"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct xf_error *err = open_described(bad[i].text);

		if (!err || !strstr(err->text, bad[i].said))
			fail_msg("%s: '%s' and not '%s'", bad[i].text, err ? err->text : "taken",
				 bad[i].said);
		assert_one_line(err);
		xf_error_free(err);
	}
}

/* What QEMU prints, or may print one day, and does not count. */
static void test_good_descriptions(void **unused)
{
	static const char *const good[] = {
		"{\"page_size\":4096,\"devices\":[%s]}",
		"{\"devices\":[%s],\"page_size\":4096}",
		"{\n\t\"devices\" : [ %s ] ,\r\n\"x\":{\"devices\":[{\"size\":-1}]}}",
		"{\"configuration\":{\"vmsd_name\":\"configuration\",\"version\":1,\"fields\":[{"
		"\"name\":\"len\",\"type\":\"uint32\",\"size\":4}]},\"page_size\":4096,"
		"\"devices\":[%s]}",
		"{\"a\":1.5e300,\"b\":null,\"c\":[true,false,[[]],\"x\"],\"devices\":[%s]}",
		"{\"a\":1,\"a\":2,\"devices\":[%s]}",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_opened(open_described(good[i]));
}

static void test_deep_description(void **unused)
{
	static const struct {
		const char *start, *more;
	} deep[] = {
		{ "{\"x\":", "[" },
		{ "{\"x\":", "{\"a\":" },
		{ "{\"devices\":[{", "\"subsections\":[{" },
		{ "{\"devices\":[{\"fields\":[{\"struct\":", "{\"fields\":" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(deep) / sizeof(deep[0]); i++) {
		struct bytes text = { 0 };

		bytes_add_text(&text, deep[i].start);
		for (unsigned int j = 0; j < 100000; j++)
			bytes_add_text(&text, deep[i].more);
		bytes_add_u8(&text, 0);
		assert_refused(open_described((char *)text.p), XF_ERR_DAMAGED, "too deeply");
		bytes_free(&text);
	}
}

static void test_huge_description(void **unused)
{
	struct bytes text = { 0 };

	(void)unused;
	bytes_add_text(&text, "{\"devices\":[");
	for (unsigned int i = 0; i < 200000; i++)
		bytes_add_text(&text, "{\"name\":\"cpu\",\"instance_id\":0,\"version\":12},");
	bytes_add_text(&text, "{\"name\":\"cpu\",\"instance_id\":0}]}");
	bytes_add_u8(&text, 0);
	assert_refused(open_described((char *)text.p), XF_ERR_DAMAGED, "more than there are");
	bytes_free(&text);
}

/* A word that does not end would be read again and again. */
static void test_endless_word(void **unused)
{
	static const char *const starts[] = { "{\"", "{\"x\":\"", "{\"x\":1", "{\"x\": " };
	static const char more[] = { 'a', 'a', '1', ' ' };

	(void)unused;
	for (size_t i = 0; i < sizeof(more); i++) {
		struct bytes text = { 0 };

		bytes_add_text(&text, starts[i]);
		for (unsigned int j = 0; j < 300000; j++)
			bytes_add_u8(&text, (unsigned char)more[i]);
		bytes_add_u8(&text, 0);
		assert_refused(open_described((char *)text.p), XF_ERR_DAMAGED, "more than 65536");
		bytes_free(&text);
	}
}

/* QEMU repeats keys for each element of a list; they do not count. */
static void test_list_in_description(void **unused)
{
	struct synth synth = { .machine = "pc" };
	const char *list = "{\"name\":\"q\",\"type\":\"qtailq\",\"vmsd_name\":\"e\",\"version\":1,"
			   "\"fields\":[{\"size\":1}],\"vmsd_name\":\"e\",\"version\":1,"
			   "\"fields\":[{\"size\":1}],\"size\":5}";

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 0, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 3 });
	synth_device(&synth, "lister", 0, "12345", 5);

	char *field = memmem(synth.json.p, synth.json.size,
			     "{\"name\":\"data\",\"type\":\"buffer\","
			     "\"size\":5}",
			     39);

	assert_non_null(field);
	synth.json.size = (size_t)((uint8_t *)field - synth.json.p);
	bytes_add_text(&synth.json, list);
	bytes_add_text(&synth.json, "]}");
	synth_eof(&synth);
	synth_vmdesc(&synth);
	xf_state_close(opened(&synth.stream));
	synth_free(&synth);
}

/* ---- Descriptions that lie ---- */

static void replace(struct bytes *bytes, const char *old, const char *new)
{
	uint8_t *at = memmem(bytes->p, bytes->size, old, strlen(old));

	assert_non_null(at);
	assert_int_equal(strlen(old), strlen(new));
	memcpy(at, new, strlen(new));
}

static void check_lie(const char *old, const char *new, enum xf_error_code code, const char *said)
{
	struct synth synth = { .machine = "pc" };
	struct xf_state *state;

	synth_stream(&synth, 2);
	replace(&synth.json, old, new);
	synth.stream.size = synth.devices_end;
	synth_vmdesc(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), code, said);
	bytes_add_u8(&synth.stream, 0);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), code,
		       code == XF_ERR_DAMAGED ? "" : said);
	synth_free(&synth);
}

static void test_lies(void **unused)
{
	(void)unused;
	/* A device less or larger, another name, instance or version. */
	check_lie("\"size\":24", "\"size\":25", XF_ERR_DAMAGED, "the section of 'timer'");
	check_lie("timer", "timid", XF_ERR_DAMAGED, "the section of 'timid'");
	check_lie("\"name\":\"globalstate\",\"instance_id\":0",
		  "\"name\":\"globalstate\",\"instance_id\":1", XF_ERR_DAMAGED, "instance 1");
	check_lie("\"vmsd_name\":\"globalstate\",\"version\":1",
		  "\"vmsd_name\":\"globalstate\",\"version\":2", XF_ERR_DAMAGED,
		  "the section of 'globalstate'");
	check_lie("\"size\":7", "\"size\":9", XF_ERR_DAMAGED, "");
	/* Places that would be written to: by size, by name, by order. */
	check_lie("480},{\"name\":\"env.cr[4]\"", "481},{\"name\":\"env.cr[4]\"", XF_ERR_DAMAGED,
		  "");
	check_lie("env.xstate_bv", "env.xstate_bw", XF_ERR_DAMAGED, "'env.xstate_bv' is expected");
	check_lie("env.xcr0\",\"type\":\"buffer\",\"size\":8},{\"name\":\"env.xstate_bv",
		  "env.xstate_bv\",\"type\":\"buffer\",\"size\":8},{\"name\":\"env.xcr0",
		  XF_ERR_DAMAGED, "is expected here, and the stream's description says otherwise");
	/* Subsections. */
	check_lie("cpu/pkru", "cpu/pkrx", XF_ERR_DAMAGED, "the subsection 'cpu/pkrx'");
	check_lie("env.pkru", "env.pkrx", XF_ERR_DAMAGED, "'env.pkru' is expected");
	/* No vCPU, another vCPU. */
	check_lie("{\"name\":\"cpu\",\"instance_id\":1", "{\"name\":\"cpu\",\"instance_id\":0",
		  XF_ERR_DAMAGED, "");
}

/* A size moved from one field to its neighbour: all sums are as before. */
static void test_moved_size(void **unused)
{
	check_lie("480},{\"name\":\"env.cr[4]\",\"type\":\"buffer\",\"size\":8},{\"name\":"
		  "\"filler\",\"type\":\"buffer\",\"size\":68",
		  "481},{\"name\":\"env.cr[4]\",\"type\":\"buffer\",\"size\":8},{\"name\":"
		  "\"filler\",\"type\":\"buffer\",\"size\":67",
		  XF_ERR_DAMAGED, "'env.cr[4]' is expected here");
	(void)unused;
}

/* The end of each section that the description tells of: its mark, and whose it is. */
static void test_bad_footers(void **unused)
{
	(void)unused;
	for (size_t behind = 1; behind <= XF_QEMU_FOOTER_SIZE; behind++) {
		struct synth synth = { .machine = "pc" };
		struct xf_state *state;

		synth_begin(&synth, NULL);
		synth_ram(&synth, 1, 1);
		synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207 });
		synth_device(&synth, "timer", 0, "1234", 4);
		synth.stream.p[synth.stream.size - behind] ^= 1;
		synth_eof(&synth);
		synth_vmdesc(&synth);
		assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state),
			       XF_ERR_DAMAGED,
			       "the end of the section of 'timer', instance 0, is expected here");
		synth_free(&synth);
	}
}

/* Sound, and nothing that can be judged. */
static void test_no_vcpu(void **unused)
{
	struct synth none = { .machine = "pc" }, early = { .machine = "pc" };
	struct xf_state *state;

	(void)unused;
	synth_begin(&none, NULL);
	synth_ram(&none, 1, 1);
	synth_device(&none, "timer", 0, "1234", 4);
	synth_eof(&none);
	synth_vmdesc(&none);
	assert_refused(open_bytes(none.stream.p, none.stream.size, &state), XF_ERR_FORMAT,
		       "no 'cpu' section: not one of an x86 guest");
	synth_free(&none);

	synth_begin(&early, NULL);
	synth_cpu(&early, &(struct synth_cpu){ .xstate_bv = 0x207 });
	synth_ram(&early, 1, 1);
	synth_device(&early, "timer", 0, "1234", 4);
	synth_eof(&early);
	synth_vmdesc(&early);
	assert_refused(open_bytes(early.stream.p, early.stream.size, &state), XF_ERR_FORMAT,
		       "the stream's vCPUs come before its RAM");
	synth_free(&early);
}

static void test_missing_first_device(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_device(&synth, "timer", 0, "1234", 4);
	bytes_free(&synth.json);
	synth_cpu(&synth, &(struct synth_cpu){ 0 });
	synth_eof(&synth);
	synth_vmdesc(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED,
		       "RAM does not end here");
	synth_free(&synth);
}

static void test_same_vcpu_twice(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 2; i++) {
		struct synth synth = { .machine = "pc" };
		struct xf_state *state;

		synth_begin(&synth, NULL);
		synth_ram(&synth, 1, 1);
		synth_cpu(&synth, &(struct synth_cpu){ .instance = 1 });
		synth_cpu(&synth, &(struct synth_cpu){ .instance = 1 });
		synth_eof(&synth);
		if (i)
			synth_vmdesc(&synth);
		assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state),
			       XF_ERR_DAMAGED, "two sections for vCPU 1");
		synth_free(&synth);
	}
}

/* ---- Look-alikes ---- */

/* A device that holds a whole vCPU's section, as a guest may have put it there. */
static void add_look_alike(struct synth *synth)
{
	struct synth inner = { .machine = "pc" };

	synth_begin(&inner, NULL);

	size_t start = inner.stream.size;

	inner.next_id = synth->next_id + 1;
	synth_cpu(&inner, &(struct synth_cpu){ .instance = 5, .xstate_bv = 0x299 });
	synth_device(synth, "0000:00:02.0/nvram", 0, inner.stream.p + start,
		     inner.stream.size - start);
	synth_free(&inner);
}

static void test_look_alike_in_device(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207 });
	add_look_alike(&synth);
	synth_eof(&synth);

	/* With a description the device is known for what it is. */
	size_t eof = synth.stream.size;

	synth_vmdesc(&synth);
	state = opened(&synth.stream);
	assert_int_equal(xf_state_vcpu_count(state), 1);
	assert_int_equal(xf_state_vcpu(state, 0)->xstate_bv.value, 0x207);
	xf_state_close(state);

	/* Without, nobody can tell. */
	synth.stream.size = eof;
	assert_refused(open_bytes(synth.stream.p, eof, &state), XF_ERR_DAMAGED, "");
	synth_free(&synth);
}

/*
 * A device's content that is made to be followed: it ends its own section, has one of a
 * vCPU, and begins one with the device's id again, which the real footer then ends.
 */
static void test_planted_section(void **unused)
{
	struct synth synth = { .machine = "pc" }, inner = { .machine = "pc" };
	struct bytes content = { 0 };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207 });
	bytes_add_u8(&content, XF_QEMU_FOOTER);
	bytes_add_u32(&content, synth.next_id);
	synth_begin(&inner, NULL);

	size_t start = inner.stream.size;

	inner.next_id = synth.next_id + 100;
	synth_cpu(&inner, &(struct synth_cpu){ .instance = 1, .xstate_bv = 0x207 });
	bytes_add(&content, inner.stream.p + start, inner.stream.size - start);
	bytes_add_u8(&content, XF_QEMU_FULL);
	bytes_add_u32(&content, synth.next_id);
	bytes_add_name(&content, "x");
	bytes_add_u32(&content, 0);
	bytes_add_u32(&content, 1);
	synth_device(&synth, "0000:00:02.0/nvram", 0, content.p, content.size);
	synth_eof(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED,
		       "two sections have the id");
	bytes_free(&content);
	synth_free(&inner);
	synth_free(&synth);
}

static void test_look_alike_without_footers(void **unused)
{
	struct synth synth = { .no_footers = true };
	struct xf_state *state;
	uint8_t head[17 + 300] = "\4\0\0\1\0\3cpu\0\0\0\7\0\0\0\14";

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207 });
	synth_device(&synth, "nvram", 0, head, sizeof(head));
	synth_eof(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED, "");
	synth_free(&synth);
}

/* RAM is never searched, so what is in it does not matter. */
static void test_look_alike_in_ram(void **unused)
{
	struct synth other = { .machine = "pc" };
	uint8_t page[4096];

	(void)unused;
	synth_begin(&other, NULL);
	size_t from = other.stream.size;
	synth_cpu(&other, &(struct synth_cpu){ .instance = 1, .xstate_bv = 0x299 });
	memset(page, 0, sizeof(page));
	memcpy(page + 100, other.stream.p + from, other.stream.size - from);
	for (unsigned int i = 0; i < 3; i++) {
		struct synth synth = { .machine = "pc" };

		synth_begin(&synth, NULL);
		synth_ram_start(&synth, 1 << 20, NULL);
		synth_ram_part(&synth, XF_QEMU_END);
		synth_ram_page(&synth, XF_QEMU_RAM_PAGE, page, sizeof(page));
		synth_ram_end(&synth);
		synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207 });
		synth_eof(&synth);
		if (i < 2)
			synth_vmdesc(&synth);
		if (i == 1)
			bytes_add_u8(&synth.stream, 0);

		struct xf_state *state = opened(&synth.stream);

		assert_int_equal(xf_state_vcpu_count(state), 1);
		assert_int_equal(xf_state_vcpu(state, 0)->xstate_bv.value, 0x207);
		xf_state_close(state);
		synth_free(&synth);
	}
	synth_free(&other);
}

/* A device with a false description of what comes before it: the real one does not fit then. */
static void test_false_description_in_device(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct synth fake = { .machine = "pc" };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .xstate_bv = 0x207 });

	/* It says that the device ends before it, and has the footer to show. */
	uint32_t id = synth.next_id;
	size_t json = synth.json.size;
	struct bytes data = { 0 };

	bytes_add(&fake.json, synth.json.p, synth.json.size);
	bytes_add_text(&fake.json,
		       ",{\"name\":\"nvram\",\"instance_id\":0,\"version\":1,\"fields\":["
		       "{\"name\":\"x\",\"size\":0}]}");
	synth_vmdesc(&fake);
	bytes_add_u8(&data, XF_QEMU_FOOTER);
	bytes_add_u32(&data, id);
	bytes_add_u8(&data, XF_QEMU_EOF);
	bytes_add(&data, fake.stream.p, fake.stream.size);
	synth_device(&synth, "nvram", 0, data.p, data.size);
	assert_true(synth.json.size > json);
	synth_eof(&synth);
	synth_vmdesc(&synth);

	state = opened(&synth.stream);
	assert_int_equal(xf_state_found_by(state), XF_FOUND_DESCRIPTION);
	xf_state_close(state);
	bytes_add_u8(&synth.stream, 0);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED,
		       "a second description");
	synth_free(&synth);
	synth_free(&fake);
	bytes_free(&data);
}

/* ---- Not ours ---- */

static void test_other_architectures(void **unused)
{
	(void)unused;
	/* 32-bit x86: the same name and version, other fields. */
	check_lie("\"array_len\":16", "\"array_len\":80", XF_ERR_DAMAGED, "");

	struct synth synth = { .machine = "virt-9.9" };
	struct xf_state *state;
	uint8_t data[900] = { 0 };

	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_device(&synth, "cpu", 0, data, sizeof(data));
	synth_eof(&synth);

	size_t eof = synth.stream.size;

	synth_vmdesc(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_FORMAT,
		       "not the one of an x86-64 guest");
	assert_refused(open_bytes(synth.stream.p, eof, &state), XF_ERR_FORMAT,
		       "no 'cpu' section of an x86-64 guest");
	synth_free(&synth);
}

/* A vCPU's section of another version, and a known subsection of another size. */
static void test_other_layouts(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct xf_state *state;
	size_t eof;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .all = true });
	synth_eof(&synth);
	eof = synth.stream.size;

	/* 88 bytes of cpu/mpx and 8 of cpu/xss, as if the border were elsewhere. */
	uint8_t *xss = memmem(synth.stream.p, eof, "\5\7cpu/xss", 9);
	uint8_t *mpx = memmem(synth.stream.p, eof, "\5\7cpu/mpx", 9);

	assert_non_null(xss);
	assert_non_null(mpx);
	replace(&synth.json, "env.bnd_regs\",\"type\":\"buffer\",\"size\":88",
		"env.bnd_regs\",\"type\":\"buffer\",\"size\":96");
	replace(&synth.json, "\"env.xss\",\"type\":\"buffer\",\"size\":8}",
		"\"env.xsx\",\"type\":\"buffer\",\"size\":0}");
	memmove(xss + 8, xss, 13);
	synth.stream.size = eof;
	synth_vmdesc(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED,
		       "'cpu/mpx' has 96 bytes, not 88");
	synth_free(&synth);
}

static void test_other_version(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ 0 });
	synth_eof(&synth);

	uint8_t *head = memmem(synth.stream.p, synth.stream.size, "\3cpu\0\0\0\0\0\0\0\14", 12);

	assert_non_null(head);
	head[11] = 11;
	replace(&synth.json, "\"vmsd_name\":\"cpu\",\"version\":12",
		"\"vmsd_name\":\"cpu\",\"version\":11");
	synth_vmdesc(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_FORMAT,
		       "its version is not 12");
	synth_free(&synth);
}

/* Cut or changed inside a vCPU when there is only its signature. */
static void test_bad_signatures(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct xf_state *state;

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .unknown = true });
	synth_eof(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED,
		       "a subsection of a vCPU that is not known");
	synth_free(&synth);

	synth = (struct synth){ .machine = "pc" };
	synth_begin(&synth, NULL);
	synth_ram(&synth, 1, 1);
	synth_cpu(&synth, &(struct synth_cpu){ .instance = 4, .pkru = true });
	synth.next_id = 2;
	synth_cpu(&synth, &(struct synth_cpu){ .instance = 5, .pkru = true });
	synth_eof(&synth);
	assert_refused(open_bytes(synth.stream.p, synth.stream.size, &state), XF_ERR_DAMAGED,
		       "an id out of order");
	synth_free(&synth);
}

static void check_head(const char *hex_like, size_t size, enum xf_error_code code, const char *said)
{
	struct xf_state *state;

	assert_refused(open_bytes(hex_like, size, &state), code, said);
}

#define HEAD(bytes, code, said) check_head(bytes, sizeof(bytes) - 1, code, said)
#define PC "QEVM\0\0\0\3\7\0\0\0\2pc"
#define RAM PC "\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4"

static void test_bad_heads(void **unused)
{
	(void)unused;
	HEAD("QEVM", XF_ERR_DAMAGED, "ends here");
	HEAD("QEVM\0\0\0\2", XF_ERR_FORMAT, "version 2, not 3");
	HEAD("QEVM\0\0\0\3\7\0\0\1\0", XF_ERR_DAMAGED, "name of 256 bytes");
	HEAD("QEVM\0\0\0\3\7\0\0\0\2p\1", XF_ERR_DAMAGED, "the machine's name");
	HEAD(PC "\x09", XF_ERR_DAMAGED, "not a byte 0x09");
	HEAD(PC "\0", XF_ERR_DAMAGED, "not a byte 0x00");
	HEAD(PC "\5\7newpart\0\0\0\1\0\0\0\0", XF_ERR_FORMAT, "a part 'newpart'");
	HEAD(PC "\5\2\1\2\0\0\0\1\0\0\0\0", XF_ERR_DAMAGED, "a part of the stream's configuration");
	HEAD(PC "\5\x1a"
		"configuration/capabilities\0\0\0\1\0\0\0\1\4warp",
	     XF_ERR_FORMAT, "the capability 'warp'");
	HEAD(PC "\5\x1a"
		"configuration/capabilities\0\0\0\1\0\0\0\1\0",
	     XF_ERR_DAMAGED, "name of a migration capability");
	HEAD(PC "\5\x1e"
		"configuration/target-page-bits\0\0\0\1\0\0\0\77",
	     XF_ERR_DAMAGED, "2^63 bytes");
	HEAD(PC "\x08\0\0\0\0", XF_ERR_DAMAGED, "command 0");
	HEAD(PC "\x08\0\x0c\0\0", XF_ERR_DAMAGED, "command 12");
	HEAD(PC "\x08\0\7\0\5\0\0\0\0\0", XF_ERR_DAMAGED, "length of a package");
	HEAD(PC "\x08\0\7\0\4\0\0\1\0\x08\0\7\0\4\0\0\0\0", XF_ERR_DAMAGED,
	     "a package in a package");
	HEAD(PC "\x08\0\7\0\4\0\0\0\6\x08\0\4\0\x10"
		"0123456789abcdef\x08",
	     XF_ERR_DAMAGED, "in the middle of a section");
	HEAD(PC "\1\0\0\0\2\3rom\0\0\0\0\0\0\0\4", XF_ERR_FORMAT, "'rom' that cannot");
	HEAD(PC "\1\0\0\0\2\3r\1m\0\0\0\0\0\0\0\4", XF_ERR_DAMAGED, "a section's name");
	HEAD(PC "\1\0\0\0\2\3ram\0\0\0\0\0\0\0\5", XF_ERR_FORMAT, "RAM in version 5");
	HEAD(PC "\2\0\0\0\2", XF_ERR_DAMAGED, "has not begun");
	HEAD(PC "\4\0\0\0\2\0\0\0\0\0\0\0\0\1", XF_ERR_DAMAGED, "a section's name");
	HEAD(PC "\4\0\0\0\2\1x\0\0\0\0\0\0\0\1", XF_ERR_FORMAT, "'x' before RAM");
	HEAD(PC "\4\0\0\0\2\x17virtio-mem-device-early\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0",
	     XF_ERR_DAMAGED, "virtio-mem region of 1 bytes in blocks of 0");
	HEAD(RAM "\0\0\0\0\0\0\0\x10\x7e\0\0\0\3", XF_ERR_DAMAGED, "the end of section 2");
	HEAD(RAM "\0\0\0\0\0\0\0\x10\x7e\0\0\0\2\2\0\0\0\3", XF_ERR_DAMAGED, "section 3 goes on");
	HEAD(RAM "\0\0\0\0\0\0\0\x10\x7e\0\0\0\2\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4", XF_ERR_DAMAGED,
	     "begins a second time");
	HEAD(RAM "\0\0\0\0\0\0\0\0", XF_ERR_DAMAGED, "not flags 0x0");
	HEAD(RAM "\0\0\0\0\0\0\0\x80", XF_ERR_FORMAT, "RDMA");
	HEAD(RAM "\0\0\0\0\0\0\0\x28", XF_ERR_DAMAGED, "block has not been named");
	HEAD(RAM "\0\0\0\0\0\0\0\x08\0", XF_ERR_DAMAGED, "the name of a block");
	HEAD(RAM "\0\0\0\0\0\0\0\x40\1b\2\0\0", XF_ERR_DAMAGED, "XBZRLE");
	HEAD(RAM "\0\0\0\0\0\0\0\x40\1b\1\xff\xff", XF_ERR_DAMAGED, "XBZRLE");
	HEAD(RAM "\0\0\0\0\0\0\1\0\1b\0\0\0\0", XF_ERR_DAMAGED, "compressed to 0");
	HEAD(RAM "\0\0\0\0\0\0\1\0\1b\x80\0\0\0", XF_ERR_DAMAGED, "compressed to 2147483648");
	HEAD(RAM "\0\0\0\0\0\0\x10\4\0\0\0\0\0\0\0\0\0", XF_ERR_DAMAGED, "the name of a block");
	HEAD(RAM "\0\0\0\0\0\0\x10\4\1b\0\0\0\0\0\0\x20\0", XF_ERR_DAMAGED, "where 4096 are left");
#define MAPPED                                                        \
	PC "\5\x1a"                                                   \
	   "configuration/capabilities\0\0\0\1\0\0\0\1\x0amapped-ram" \
	   "\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4\0\0\0\0\0\0\x10\4\1b\0\0\0\0\0\0\x10\0"
	HEAD(MAPPED "\0\0\0\2"
		    "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0",
	     XF_ERR_FORMAT, "mapped RAM in version 2");
	HEAD(MAPPED "\0\0\0\1"
		    "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1",
	     XF_ERR_DAMAGED, "its pages at 1");
	HEAD(MAPPED "\0\0\0\1"
		    "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
	     XF_ERR_DAMAGED, "its pages at 9223372036854775807");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_bad_descriptions),
		cmocka_unit_test(test_good_descriptions),
		cmocka_unit_test(test_deep_description),
		cmocka_unit_test(test_huge_description),
		cmocka_unit_test(test_endless_word),
		cmocka_unit_test(test_list_in_description),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_moved_size),
		cmocka_unit_test(test_missing_first_device),
		cmocka_unit_test(test_bad_footers),
		cmocka_unit_test(test_no_vcpu),
		cmocka_unit_test(test_same_vcpu_twice),
		cmocka_unit_test(test_look_alike_in_device),
		cmocka_unit_test(test_planted_section),
		cmocka_unit_test(test_look_alike_without_footers),
		cmocka_unit_test(test_look_alike_in_ram),
		cmocka_unit_test(test_false_description_in_device),
		cmocka_unit_test(test_other_architectures),
		cmocka_unit_test(test_other_layouts),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_bad_signatures),
		cmocka_unit_test(test_bad_heads),
	};

	return cmocka_run_group_tests_name("state-damage", tests, NULL, NULL);
}
