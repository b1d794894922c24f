/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking a stream that comes in pieces: where it is cut makes no difference, and each limit
 * is where it is, no item earlier and no byte later.
 */
#include "support.h"

#include "state/qemu_walk.h"
#include "state/qemu_wire.h"

/* What is known of a stream when its devices begin. */
struct walked {
	struct xf_qemu_walk walk;
	struct xf_error *err;
};

/* Pushes `size` bytes, at most `piece` at a time, each in memory of its own. */
static struct walked drive(const struct bytes *bytes, size_t size, size_t piece)
{
	struct walked w = { 0 };
	size_t at = 0;

	xf_qemu_walk_init(&w.walk, "stream");
	while (at < size && w.walk.phase != XF_QEMU_TAIL && !w.err) {
		size_t n = size - at < piece ? size - at : piece;
		size_t used = 0;
		uint8_t *own = malloc(n);

		memcpy(own, bytes->p + at, n);
		w.err = xf_qemu_walk_push(&w.walk, own, n, &used);
		free(own);
		at += used;
		/* Nothing is taken twice or left out. */
		if (!w.err)
			assert_int_equal(w.walk.offset + w.walk.carried, at);
	}
	return w;
}

static void done(struct walked *w)
{
	xf_error_free(w->err);
	xf_qemu_walk_deinit(&w->walk);
	assert_null(w->walk.machine);
}

static void assert_same_walk(const struct xf_qemu_walk *a, const struct xf_qemu_walk *b)
{
	assert_int_equal(a->phase, b->phase);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->has_ram, b->has_ram);
	assert_int_equal(a->knows_footers, b->knows_footers);
	assert_int_equal(a->footers, b->footers);
	assert_int_equal(a->mapped_ram, b->mapped_ram);
	assert_int_equal(a->early_devices, b->early_devices);
	assert_int_equal(a->seen, b->seen);
	assert_int_equal(a->package_end, b->package_end);
	assert_int_equal(!a->machine, !b->machine);
	if (a->machine)
		assert_string_equal(a->machine, b->machine);
}

/* In pieces of any size the same; cut anywhere, it says where. Ends the synth. */
static void check_pieces(struct synth *synth, size_t tail)
{
	const struct bytes *bytes = &synth->stream;
	struct walked whole = drive(bytes, bytes->size, bytes->size);

	assert_opened(whole.err);
	assert_int_equal(whole.walk.phase, XF_QEMU_TAIL);
	assert_int_equal(whole.walk.offset, tail);
	for (size_t piece = 1; piece < 40; piece++) {
		struct walked pieces = drive(bytes, bytes->size, piece);

		assert_opened(pieces.err);
		assert_same_walk(&pieces.walk, &whole.walk);
		done(&pieces);
	}
	for (size_t size = 0; size <= tail && size < 3000; size++) {
		struct walked cut = drive(bytes, size, size % 2 ? 1 : size);
		char place[64];

		assert_opened(cut.err);
		assert_int_not_equal(cut.walk.phase, XF_QEMU_TAIL);
		cut.err = xf_qemu_walk_cut(&cut.walk);
		snprintf(place, sizeof(place), "at byte %zu: the stream ends here, %s", size,
			 cut.walk.phase == XF_QEMU_HEAD ? "before its RAM" : "in its RAM");
		assert_non_null(strstr(cut.err->text, place));
		done(&cut);
	}
	done(&whole);
	synth_free(synth);
}

static struct bytes part(const char *name)
{
	struct bytes bytes = { 0 };

	bytes_add_u8(&bytes, XF_QEMU_SUBSECTION);
	bytes_add_name(&bytes, name);
	bytes_add_u32(&bytes, 1);
	return bytes;
}

/* Its RAM ends, and a device follows. */
static size_t end_ram(struct synth *synth)
{
	synth_ram_end(synth);

	size_t tail = synth->stream.size;

	synth_device(synth, "timer", 0, "1234", 4);
	return tail;
}

static void test_every_kind_of_page(void **unused)
{
	struct synth synth = { .machine = "pc-i440fx-7.2" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_PART);
	synth_ram_page(&synth, XF_QEMU_RAM_ZERO, "\x42", 1);
	synth_ram_page(&synth, 8192 | XF_QEMU_RAM_XBZRLE, "\1\0\5\0\0\0\0\0", 8);
	synth_ram_page(&synth, 8192 | XF_QEMU_RAM_XBZRLE | XF_QEMU_RAM_CONTINUE, "\1\0\0", 3);
	synth_ram_page(&synth, 12288 | XF_QEMU_RAM_COMPRESS | XF_QEMU_RAM_CONTINUE, "\0\0\0\3zip",
		       7);
	synth_ram_page(&synth, XF_QEMU_RAM_COMPRESS, "\0\0\0\1z", 5);
	bytes_add_u64(&synth.stream, XF_QEMU_RAM_FLUSH);
	synth_ram_end(&synth);
	synth_ram_part(&synth, XF_QEMU_END);
	check_pieces(&synth, end_ram(&synth));
}

static void test_every_part_of_the_head(void **unused)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct synth synth = { .machine = "pc", .no_footers = i };
		struct bytes parts = part("configuration/uuid");
		struct bytes bits = part("configuration/target-page-bits");
		struct bytes capabilities = part("configuration/capabilities");
		struct bytes address = { 0 };

		(void)unused;
		bytes_add(&parts, "0123456789abcdef", 16);
		bytes_add(&parts, bits.p, bits.size);
		bytes_add_u32(&parts, 10);
		bytes_add(&parts, capabilities.p, capabilities.size);
		bytes_add_u32(&parts, 1);
		bytes_add_name(&parts, "x-ignore-shared");
		synth_begin(&synth, &parts);
		synth_command(&synth, XF_QEMU_CMD_PING, "\0\0\0\1", 4);
		synth_command(&synth, XF_QEMU_CMD_POSTCOPY_ADVISE, "", 0);
		bytes_add_u64(&address, 0);
		synth_ram_start(&synth, 1 << 20, &address);
		synth_ram_part(&synth, XF_QEMU_END);
		synth_ram_page(&synth, XF_QEMU_RAM_ZERO, "\0", 1);
		check_pieces(&synth, end_ram(&synth));
		bytes_free(&parts);
		bytes_free(&bits);
		bytes_free(&capabilities);
		bytes_free(&address);
	}
}

static void test_device_before_ram(void **unused)
{
	struct synth synth = { .machine = "pc" };
	struct bytes data = { 0 };

	(void)unused;
	bytes_add_u64(&data, 0x140000000);
	bytes_add_u64(&data, 65 << 20);
	bytes_add_u64(&data, 1 << 20);
	bytes_add_u32(&data, 0);
	bytes_add_u64(&data, 1 << 20);
	/* A bit a block, in whole u64. */
	bytes_add_zeros(&data, 16);
	synth_begin(&synth, NULL);
	synth_device(&synth, "0000:00:01.0/virtio-mem-device-early", 0, data.p, data.size);
	synth_device(&synth, "virtio-mem-device-early", 0, data.p, data.size);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_END);
	check_pieces(&synth, end_ram(&synth));
	bytes_free(&data);
}

static void test_package(void **unused)
{
	struct synth synth = { .machine = "pc" };
	uint8_t size[4] = { 0, 0, 0, 200 };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 0, 1);
	synth_command(&synth, XF_QEMU_CMD_PACKAGED, size, 4);
	synth_command(&synth, XF_QEMU_CMD_PING, "\0\0\0\1", 4);

	size_t tail = synth.stream.size;

	synth_device(&synth, "timer", 0, "1234", 4);
	check_pieces(&synth, tail);
}

/* ---- Limits ---- */

/* What a stream's first bytes lead to: NULL when they are sound, else a part of what is said. */
static void expect_walk(struct synth *synth, enum xf_error_code code, const char *said)
{
	struct walked w = drive(&synth->stream, synth->stream.size, synth->stream.size);

	if (said) {
		assert_refused(w.err, code, said);
		w.err = NULL;
	} else {
		assert_opened(w.err);
		assert_int_equal(w.walk.offset, synth->stream.size);
	}
	done(&w);
	synth_free(synth);
}

/* One page's record, behind a sound head. */
static void expect_page(uint64_t flags, const void *head, size_t head_size, size_t size,
			const char *said)
{
	struct synth synth = { .machine = "pc" };

	synth_begin(&synth, NULL);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_PART);
	synth_ram_page(&synth, flags, head, head_size);
	bytes_add_zeros(&synth.stream, size);
	expect_walk(&synth, XF_ERR_DAMAGED, said);
}

static void test_page_limits(void **unused)
{
	(void)unused;
	expect_page(XF_QEMU_RAM_PAGE, "", 0, 4096, NULL);
	expect_page(XF_QEMU_RAM_XBZRLE, "\1\x10\0", 3, 4096, NULL);
	expect_page(XF_QEMU_RAM_XBZRLE, "\1\x10\1", 3, 4097, "XBZRLE is expected");
	expect_page(XF_QEMU_RAM_XBZRLE, "\2\0\1", 3, 1, "XBZRLE is expected");
	/* 4096 + 512 + 64. */
	expect_page(XF_QEMU_RAM_COMPRESS, "\0\0\x12\x40", 4, 4672, NULL);
	expect_page(XF_QEMU_RAM_COMPRESS, "\0\0\x12\x41", 4, 4673, "compressed to 4673 bytes");
	expect_page(XF_QEMU_RAM_COMPRESS, "\0\0\0\0", 4, 0, "compressed to 0 bytes");
	expect_page(1, "", 0, 0, "not flags 0x1");
	expect_page(XF_QEMU_RAM_PAGE | XF_QEMU_RAM_ZERO, "", 0, 0, "not flags 0xa");
	expect_page(XF_QEMU_RAM_PAGE | XF_QEMU_RAM_CONTINUE, "", 0, 0, "has not been named");
}

static void expect_page_bits(uint32_t value, const char *said)
{
	struct synth synth = { .machine = "pc" };
	struct bytes parts = part("configuration/target-page-bits");

	bytes_add_u32(&parts, value);
	synth_begin(&synth, &parts);
	expect_walk(&synth, XF_ERR_DAMAGED, said);
	bytes_free(&parts);
}

static void expect_machine(const char *name, const char *said)
{
	struct synth synth = { .machine = name };

	synth_begin(&synth, NULL);
	expect_walk(&synth, XF_ERR_DAMAGED, said);
}

static void test_head_limits(void **unused)
{
	char name[257];

	(void)unused;
	expect_page_bits(9, "2^9 bytes");
	expect_page_bits(10, NULL);
	expect_page_bits(16, NULL);
	expect_page_bits(17, "2^17 bytes");
	memset(name, '~', 256);
	name[256] = '\0';
	expect_machine(name, "a machine name of 256 bytes");
	name[255] = '\0';
	expect_machine(name, NULL);
	expect_machine("", "a machine name of 0 bytes");
	expect_machine("a b", NULL);
	expect_machine("a\x7f", "the machine's name is expected");
	expect_machine("a\x1f", "the machine's name is expected");
}

static void expect_block(const char *name, const char *said)
{
	struct synth synth = { .machine = "pc" };

	synth_begin(&synth, NULL);
	synth_ram_start(&synth, 1 << 20, NULL);
	synth_ram_part(&synth, XF_QEMU_PART);
	bytes_add_u64(&synth.stream, XF_QEMU_RAM_ZERO);
	bytes_add_name(&synth.stream, name);
	bytes_add_u8(&synth.stream, 0);
	expect_walk(&synth, XF_ERR_DAMAGED, said);
}

static void test_names(void **unused)
{
	static const char no_name[] = "the name of a block of RAM is expected";

	(void)unused;
	expect_block("pc.ram ~", NULL);
	expect_block("", no_name);
	expect_block("pc.ram\x7f", no_name);
	expect_block("\x1fpc.ram", no_name);
	/* In whatever language. */
	expect_block("M\xc3\xbcll", NULL);
}

/* What each command tells whoever passes the stream on. */
static void expect_command(unsigned int command, size_t size, unsigned int seen)
{
	struct synth synth = { .machine = "pc" };

	synth_begin(&synth, NULL);
	synth_command(&synth, command, "\0\0\0\0\0\x20\x10\0\0\0\0\0\0\0\x10\0", size);

	struct walked w = drive(&synth.stream, synth.stream.size, 1);

	assert_opened(w.err);
	assert_int_equal(w.walk.seen, seen);
	assert_int_equal(w.walk.offset, synth.stream.size);
	done(&w);
	synth_free(&synth);
}

static void test_commands(void **unused)
{
	struct synth none = { .machine = "pc" }, beyond = { .machine = "pc" };
	struct synth odd = { .machine = "pc" }, nested = { .machine = "pc" };

	(void)unused;
	expect_command(XF_QEMU_CMD_OPEN_RETURN_PATH, 0, XF_QEMU_SEEN_RETURN_PATH);
	expect_command(XF_QEMU_CMD_PING, 4, XF_QEMU_SEEN_RETURN_PATH);
	expect_command(XF_QEMU_CMD_POSTCOPY_ADVISE, 0, 0);
	expect_command(XF_QEMU_CMD_POSTCOPY_ADVISE, 16, XF_QEMU_SEEN_POSTCOPY);
	expect_command(4, 0, XF_QEMU_SEEN_POSTCOPY);
	expect_command(XF_QEMU_CMD_ENABLE_COLO, 0, XF_QEMU_SEEN_COLO);
	expect_command(XF_QEMU_CMD_LAST, 0, 0);
	synth_begin(&none, NULL);
	synth_command(&none, 0, "", 0);
	expect_walk(&none, XF_ERR_DAMAGED, "a migration command 0");
	synth_begin(&beyond, NULL);
	synth_command(&beyond, XF_QEMU_CMD_LAST + 1, "", 0);
	expect_walk(&beyond, XF_ERR_DAMAGED, "a migration command 12");
	synth_begin(&odd, NULL);
	synth_command(&odd, XF_QEMU_CMD_PACKAGED, "\0\0\0\0\x10", 5);
	expect_walk(&odd, XF_ERR_DAMAGED, "the length of a package");
	synth_begin(&nested, NULL);
	synth_command(&nested, XF_QEMU_CMD_PACKAGED, "\0\0\0\x40", 4);
	synth_command(&nested, XF_QEMU_CMD_PACKAGED, "\0\0\0\x10", 4);
	expect_walk(&nested, XF_ERR_DAMAGED, "a package in a package");
}

/* RAM of one version, once, and its sections are its own. */
static void test_ram_sections(void **unused)
{
	static const struct {
		uint32_t version, continued;
		bool twice;
		enum xf_error_code code;
		const char *said;
	} rows[] = {
		{ 4, 1, false, XF_ERR_DAMAGED, NULL },
		{ 3, 1, false, XF_ERR_FORMAT, "RAM in version 3" },
		{ 5, 1, false, XF_ERR_FORMAT, "RAM in version 5" },
		{ 4, 2, false, XF_ERR_DAMAGED, "section 2 goes on here" },
		{ 4, 1, true, XF_ERR_DAMAGED, "RAM begins a second time" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct synth synth = { .machine = "pc" };

		synth_begin(&synth, NULL);
		for (unsigned int n = 0; n <= rows[i].twice; n++) {
			bytes_add_u8(&synth.stream, XF_QEMU_START);
			bytes_add_u32(&synth.stream, 1);
			bytes_add_name(&synth.stream, "ram");
			bytes_add_u32(&synth.stream, 0);
			bytes_add_u32(&synth.stream, rows[i].version);
			synth.ram_id = 1;
			synth_ram_end(&synth);
		}
		bytes_add_u8(&synth.stream, XF_QEMU_PART);
		bytes_add_u32(&synth.stream, rows[i].continued);
		expect_walk(&synth, rows[i].code, rows[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_page),
		cmocka_unit_test(test_every_part_of_the_head),
		cmocka_unit_test(test_device_before_ram),
		cmocka_unit_test(test_package),
		cmocka_unit_test(test_page_limits),
		cmocka_unit_test(test_head_limits),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_ram_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
