/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modepage_test.c: MODE SENSE data byte by byte, MODE SELECT and every way to get it wrong
 * (SPC-4 6.11 to 6.14, 7.5).
 */
#include "scsi/test_priv.h"

#include "scsi/modepage.h"
#include "scsi/opcodes.h"

static const struct mode_medium medium = {
	.wp = false,
	.dpofua = true,
	.nblocks = 0x01020304,
	.block_bytes = 512,
};

/* A write-back disk: WCE, D_SENSE and SWP may be changed. */
static struct mode_config disk(void)
{
	struct mode_config c;

	mode_config_init(&c);
	mode_config_define(&c, MODE_WCE, 1, true);
	mode_config_define(&c, MODE_D_SENSE, 0, true);
	mode_config_define(&c, MODE_SWP, 0, true);
	mode_config_define(&c, MODE_TAS, 1, false);
	return c;
}

static void test_fields(void **state)
{
	struct mode_config c;
	struct mode_values v;

	mode_config_init(&c);
	v = c.current;
	for (int i = 0; i < MODE_FIELD_COUNT; i++) {
		enum mode_field f = (enum mode_field)i;
		struct mode_values before = v;
		uint32_t all;

		mode_config_define(&c, f, mode_get(&v, f), true);
		all = mode_get(&c.changeable, f);
		mode_set(&v, f, 0);
		assert_int_equal(mode_get(&v, f), 0);
		mode_set(&v, f, all);
		assert_int_equal(mode_get(&v, f), all);
		mode_set(&v, f, mode_get(&before, f));
		assert_memory_equal(&v, &before, sizeof(v));
	}
	/* All fields are changeable now: no two of them share a bit. */
	for (int i = 0; i < MODE_FIELD_COUNT; i++) {
		mode_set(&c.changeable, (enum mode_field)i, 0);
		for (int j = i + 1; j < MODE_FIELD_COUNT; j++)
			assert_true(mode_get(&c.changeable, (enum mode_field)j) != 0);
	}
}

static void test_sense_6_caching(void **state)
{
	struct mode_config c = disk();
	static const uint8_t cdb[] = { OP_MODE_SENSE_6, 0x00, 0x08, 0x00, 0xff, 0 };
	struct mode_sense_req req = mode_sense_decode(cdb);
	struct sense sense;
	uint8_t buf[MODE_SENSE_MAX];
	size_t n = 0;

	assert_true(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 31, 0x00, 0x10, 8, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x02, 0x00,
		0x08, 0x12, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	for (size_t cap = 0; cap <= n; cap++) {
		uint8_t *cut = exact_copy(buf, cap);
		size_t full = 0;

		memset(cut, 0, cap);
		assert_true(mode_sense_build(&c, &medium, &req, cut, cap, &full, &sense));
		assert_int_equal(full, n);
		assert_memory_equal(cut, buf, cap);
		free(cut);
	}
}

static void test_sense_10_long_lba(void **state)
{
	struct mode_config c = disk();
	struct mode_medium m = { .wp = true, .nblocks = 0x0102030405, .block_bytes = 4096 };
	static const uint8_t cdb[] = { OP_MODE_SENSE_10, 0x10, 0x0a, 0x00, 0, 0, 0, 0, 0xff, 0 };
	struct mode_sense_req req = mode_sense_decode(cdb);
	struct sense sense;
	uint8_t buf[MODE_SENSE_MAX];
	size_t n = 0;

	assert_true(mode_sense_build(&c, &m, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 34, 0x00, 0x80, 0x01, 0, 0, 16, 0, 0, 0, 0x01, 0x02, 0x03, 0x04,
		0x05, 0, 0, 0, 0, 0, 0, 0x10, 0x00, 0x0a, 0x0a, 0x02, 0x10, 0x00, 0x40, 0, 0, 0xff,
		0xff, 0, 0);
	req.llbaa = false;
	assert_true(mode_sense_build(&c, &m, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 26, 0x00, 0x80, 0x00, 0, 0, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x10,
		0x00, 0x0a, 0x0a, 0x02, 0x10, 0x00, 0x40, 0, 0, 0xff, 0xff, 0, 0);
	req.dbd = true;
	assert_true(mode_sense_build(&c, &m, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 18, 0x00, 0x80, 0x00, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x10, 0x00, 0x40,
		0, 0, 0xff, 0xff, 0, 0);
}

/* The page codes in MODE SENSE (6) data without block descriptor: "01 08 0a". */
static const char *pages_of(uint8_t page, uint8_t subpage, char *text)
{
	struct mode_config c = disk();
	struct mode_sense_req req = { .dbd = true, .page = page, .subpage = subpage };
	struct sense sense;
	uint8_t buf[MODE_SENSE_MAX];
	size_t n = 0, at = 4;

	text[0] = '\0';
	if (!mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense)) {
		assert_int_equal(sense.name, SENSE_INVALID_FIELD_IN_CDB);
		assert_true(sense.in_cdb && sense.bit_valid);
		sprintf(text, "bad %d.%d", sense.field, sense.bit);
		return text;
	}
	assert_int_equal(buf[0], n - 1);
	while (at < n) {
		bool spf = buf[at] & 0x40;

		sprintf(text + strlen(text), spf ? "%02x/%02x " : "%02x ", buf[at] & 0x3f,
			buf[at + 1]);
		at += spf ? 4u + (buf[at + 2] << 8 | buf[at + 3]) : 2u + buf[at + 1];
	}
	assert_int_equal(at, n);
	return text;
}

static void test_sense_selection(void **state)
{
	char t[64];

	assert_string_equal(pages_of(0x3f, 0x00, t), "01 08 0a 1c ");
	assert_string_equal(pages_of(0x3f, 0xff, t), "01 08 0a 0a/01 1c ");
	assert_string_equal(pages_of(0x0a, 0xff, t), "0a 0a/01 ");
	assert_string_equal(pages_of(0x0a, 0x01, t), "0a/01 ");
	assert_string_equal(pages_of(0x0a, 0x00, t), "0a ");
	assert_string_equal(pages_of(0x08, 0xff, t), "08 ");
	assert_string_equal(pages_of(0x00, 0x00, t), "");
	assert_string_equal(pages_of(0x00, 0xff, t), "bad 2.5");
	assert_string_equal(pages_of(0x3f, 0x01, t), "bad 3.7");
	assert_string_equal(pages_of(0x0a, 0x02, t), "bad 3.7");
	assert_string_equal(pages_of(0x08, 0x01, t), "bad 3.7");
	assert_string_equal(pages_of(0x02, 0x00, t), "bad 2.5");
	assert_string_equal(pages_of(0x02, 0xff, t), "bad 2.5");
}

static void test_sense_page_control(void **state)
{
	struct mode_config c = disk();
	struct mode_sense_req req = { .dbd = true, .page = 0x08 };
	struct sense sense = { 0 };
	uint8_t buf[MODE_SENSE_MAX];
	size_t n = 0;

	mode_set(&c.current, MODE_WCE, 0);
	req.pc = MODE_PC_CURRENT;
	assert_true(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
	assert_memory_equal(buf + 4, "\x08\x12\x00", 3);
	req.pc = MODE_PC_DEFAULT;
	assert_true(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
	assert_memory_equal(buf + 4, "\x08\x12\x04", 3);
	req.pc = MODE_PC_CHANGEABLE;
	req.page = 0x0a;
	assert_true(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 15, 0, 0x10, 0, 0x0a, 0x0a, 0x04, 0, 0x08, 0, 0, 0, 0, 0, 0, 0);
	req.pc = MODE_PC_SAVED;
	n = 5;
	assert_false(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
	assert_int_equal(sense.name, SENSE_SAVING_PARAMETERS_NOT_SUPPORTED);
	assert_int_equal(n, 5);

	/* With saved values: PS = 1, whatever PC. */
	c.saves = true;
	mode_set(&c.saved, MODE_SWP, 1);
	assert_true(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
	assert_memory_equal(buf + 4, "\x8a\x0a\x02\x10\x08", 5);
}

static void test_sense_longest(void **state)
{
	struct mode_config c = disk();
	struct mode_sense_req req = { .ten = true, .llbaa = true, .page = 0x3f, .subpage = 0xff };
	struct sense sense;
	uint8_t buf[MODE_SENSE_MAX];
	size_t n = 0;

	assert_true(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
	assert_int_equal(n, MODE_SENSE_MAX);
	assert_int_equal(buf[0] << 8 | buf[1], MODE_SENSE_MAX - 2);
}

static void test_decode(void **state)
{
	static const uint8_t six[] = { OP_MODE_SENSE_6, 0x18, 0x7f, 0xff, 4, 0 };
	static const uint8_t ten[] = { OP_MODE_SENSE_10, 0x18, 0x9c, 0x01, 0, 0, 0, 0, 4, 0 };
	static const uint8_t select[] = { OP_MODE_SELECT_10, 0x11, 0, 0, 0, 0, 0, 0, 4, 0 };
	struct mode_sense_req req = mode_sense_decode(six);
	struct mode_select_req sel;

	assert_true(!req.ten && req.dbd && !req.llbaa);
	assert_int_equal(req.pc, MODE_PC_CHANGEABLE);
	assert_int_equal(req.page, 0x3f);
	assert_int_equal(req.subpage, 0xff);
	req = mode_sense_decode(ten);
	assert_true(req.ten && req.dbd && req.llbaa);
	assert_int_equal(req.pc, MODE_PC_DEFAULT);
	assert_int_equal(req.page, 0x1c);
	assert_int_equal(req.subpage, 1);
	sel = mode_select_decode(select);
	assert_true(sel.ten && sel.pf && sel.sp);
	/* Their neighbours do not count. */
	req = mode_sense_decode(
		(const uint8_t[]){ OP_MODE_SENSE_10, 0xe7, 0, 0, 0, 0, 0, 0, 4, 0 });
	assert_true(!req.dbd && !req.llbaa);
	sel = mode_select_decode((const uint8_t[]){ OP_MODE_SELECT_6, 0xee, 0, 0, 4, 0 });
	assert_true(!sel.ten && !sel.pf && !sel.sp);
}

/* MODE SELECT of a list that is copied to a block of its exact size. */
static bool select_list(const struct mode_config *c, bool ten, const uint8_t *list, size_t len,
	struct mode_values *v, struct sense *sense)
{
	struct mode_select_req req = { .ten = ten, .pf = true };
	uint8_t *copy = exact_copy(list, len);
	bool ok = mode_select_parse(c, &medium, &req, copy, len, v, sense);

	free(copy);
	return ok;
}

/* What MODE SENSE gives must be accepted by MODE SELECT as no change, in every form. */
static void test_select_round_trip(void **state)
{
	struct mode_config c = disk();

	for (int form = 0; form < 8; form++) {
		struct mode_sense_req req = { .ten = form & 1,
			.dbd = form & 2,
			.llbaa = (form & 1) && (form & 4),
			.page = 0x3f,
			.subpage = 0xff };
		struct mode_values v = { { 0 } };
		struct sense sense;
		uint8_t buf[MODE_SENSE_MAX];
		size_t n = 0;
		int accepted = 0;

		assert_true(mode_sense_build(&c, &medium, &req, buf, sizeof(buf), &n, &sense));
		assert_true(select_list(&c, req.ten, buf, n, &v, &sense));
		assert_memory_equal(&v, &c.current, sizeof(v));
		/* Cut anywhere it is a length error, except before each of the five pages. */
		for (size_t cut = 1; cut < n; cut++)
			if (select_list(&c, req.ten, buf, cut, &v, &sense))
				accepted++;
			else
				assert_int_equal(sense.name, SENSE_PARAMETER_LIST_LENGTH_ERROR);
		assert_int_equal(accepted, MODE_PAGE_COUNT);
	}
}

static void test_select_changes(void **state)
{
	struct mode_config c = disk();
	static const uint8_t two_pages[] = { 0, 0, 0, 0, 0x88, 0x12, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x0a, 0x06, 0x10, 0x08, 0x40, 0, 0, 0xff, 0xff, 0,
		0 };
	struct mode_values v;
	struct sense sense;

	assert_true(select_list(&c, false, two_pages, sizeof(two_pages), &v, &sense));
	assert_int_equal(mode_get(&v, MODE_WCE), 0);
	assert_int_equal(mode_get(&v, MODE_D_SENSE), 1);
	assert_int_equal(mode_get(&v, MODE_SWP), 1);
	assert_int_equal(mode_get(&v, MODE_TAS), 1);
	assert_int_equal(mode_get(&c.current, MODE_WCE), 1); /* the config is as it was */
}

static void test_select_empty(void **state)
{
	struct mode_config c = disk();
	struct mode_values v;
	struct sense sense;

	assert_true(select_list(&c, false, NULL, 0, &v, &sense));
	assert_memory_equal(&v, &c.current, sizeof(v));
	assert_true(select_list(&c, true, (const uint8_t[8]){ 0 }, 8, &v, &sense));
	assert_memory_equal(&v, &c.current, sizeof(v));
}

static void test_select_cdb(void **state)
{
	struct mode_config c = disk();
	struct mode_select_req req = { .pf = false };
	struct mode_values v;
	struct sense sense;

	assert_false(mode_select_parse(&c, &medium, &req, NULL, 0, &v, &sense));
	assert_int_equal(sense.name, SENSE_INVALID_FIELD_IN_CDB);
	assert_true(sense.in_cdb);
	assert_int_equal(sense.field, 1);
	assert_int_equal(sense.bit, 4);
	req = (struct mode_select_req){ .pf = true, .sp = true };
	assert_false(mode_select_parse(&c, &medium, &req, NULL, 0, &v, &sense));
	assert_int_equal(sense.field, 1);
	assert_int_equal(sense.bit, 0);
	c.saves = true;
	assert_true(mode_select_parse(&c, &medium, &req, NULL, 0, &v, &sense));
}

/* Lists of MODE SELECT (6) or (10), and where the error is; field -1: a length error. */
struct bad_list {
	bool ten;
	uint8_t len;
	uint8_t list[40];
	int field, bit;
};

static const struct bad_list bad_lists[] = {
	{ false, 3, { 0 }, -1, 0 },
	{ true, 7, { 0 }, -1, 0 },
	/* BLOCK DESCRIPTOR LENGTH: two descriptors, half of one, a long one without LONGLBA */
	{ false, 20, { 0, 0, 0, 16 }, 3, 7 },
	{ false, 8, { 0, 0, 0, 4 }, 3, 7 },
	{ true, 24, { 0, 0, 0, 0, 0, 0, 0, 16 }, 6, 7 },
	{ true, 16, { 0, 0, 0, 0, 1, 0, 0, 8 }, 6, 7 },
	{ true, 8, { 0, 0, 0, 0, 0, 0, 1, 8 }, 6, 7 },
	/* the descriptor is cut */
	{ false, 11, { 0, 0, 0, 8 }, -1, 0 },
	{ true, 23, { 0, 0, 0, 0, 1, 0, 0, 16 }, -1, 0 },
	/* another LOGICAL BLOCK LENGTH */
	{ false, 12, { 0, 0, 0, 8, 0, 0, 0, 0, 0, 0x00, 0x10, 0x00 }, 9, 7 },
	{ true, 24, { 0, 0, 0, 0, 1, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0 }, 20,
		7 },
	/* a page header that is cut */
	{ false, 5, { 0, 0, 0, 0, 0x08 }, -1, 0 },
	{ false, 7, { 0, 0, 0, 0, 0x4a, 0x01, 0x00 }, -1, 0 },
	/* pages that do not exist */
	{ false, 16, { 0, 0, 0, 0, 0x02, 0x0a }, 4, 5 },
	{ false, 16, { 0, 0, 0, 0, 0x3f, 0x0a }, 4, 5 },
	{ false, 16, { 0, 0, 0, 0, 0x42, 0x01, 0, 8 }, 4, 5 },
	{ false, 16, { 0, 0, 0, 0, 0x4a, 0x02, 0, 8 }, 5, 7 },
	{ false, 16, { 0, 0, 0, 0, 0x4a, 0x00, 0, 8 }, 5, 7 },
	/* wrong PAGE LENGTH: of a page, of a subpage */
	{ false, 24, { 0, 0, 0, 0, 0x08, 0x0a }, 5, 7 },
	{ false, 36, { 0, 0, 0, 0, 0x4a, 0x01, 0x00, 0x1b }, 6, 7 },
	/* the page is cut */
	{ false, 23, { 0, 0, 0, 0, 0x08, 0x12, 0x04 }, -1, 0 },
	/* changes to what may not change: DRA, a multi-byte field's second byte, reserved bits */
	{ false, 24, { 0, 0, 0, 0, 0x08, 0x12, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20 }, 16, 5 },
	{ false, 24, { 0, 0, 0, 0, 0x08, 0x12, 0x04, 0, 0, 1 }, 8, 7 },
	{ false, 24,
		{ 0, 0, 0, 0, 0x08, 0x12, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14 },
		21, 4 },
	{ true, 20, { 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x10, 0, 0x00, 0, 0, 0xff, 0xff },
		13, 6 },
	{ true, 20, { 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x12, 0, 0x40, 0, 0, 0xff, 0xff },
		11, 2 },
	/* QAM 1 to 0 */
	{ true, 20, { 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x00, 0, 0x40, 0, 0, 0xff, 0xff },
		11, 7 },
};

static void test_select_bad_lists(void **state)
{
	struct mode_config c = disk();

	for (size_t i = 0; i < sizeof(bad_lists) / sizeof(bad_lists[0]); i++) {
		const struct bad_list *b = &bad_lists[i];
		struct mode_values v = { { 0x5a } }, before = v;
		struct sense sense = { 0 };

		assert_false(select_list(&c, b->ten, b->list, b->len, &v, &sense));
		assert_memory_equal(&v, &before, sizeof(v));
		if (b->field < 0) {
			assert_int_equal(sense.name, SENSE_PARAMETER_LIST_LENGTH_ERROR);
			continue;
		}
		assert_int_equal(sense.name, SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
		assert_true(sense.sks == SKS_FIELD_POINTER && !sense.in_cdb && sense.bit_valid);
		assert_int_equal(sense.field, b->field);
		assert_int_equal(sense.bit, b->bit);
	}
}

/* A changeable field with reserved codes: QERR 10b. */
static void test_select_reserved_value(void **state)
{
	struct mode_config c = disk();
	uint8_t list[] = { 0, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x12, 0, 0x40, 0, 0, 0xff, 0xff, 0, 0 };
	struct mode_values v;
	struct sense sense;

	mode_config_define(&c, MODE_QERR, 0, true);
	assert_true(select_list(&c, false, list, sizeof(list), &v, &sense));
	assert_int_equal(mode_get(&v, MODE_QERR), 1);
	list[7] = 0x16;
	assert_true(select_list(&c, false, list, sizeof(list), &v, &sense));
	assert_int_equal(mode_get(&v, MODE_QERR), 3);
	list[7] = 0x14;
	assert_false(select_list(&c, false, list, sizeof(list), &v, &sense));
	assert_int_equal(sense.name, SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
	assert_int_equal(sense.field, 7);
	assert_int_equal(sense.bit, 2);
}

/* A list longer than any PARAMETER LIST LENGTH. */
static void test_select_too_long(void **state)
{
	struct mode_config c = disk();
	uint8_t *list = calloc(1, 65536);
	struct mode_values v;
	struct sense sense;

	assert_non_null(list);
	assert_false(select_list(&c, true, list, 65536, &v, &sense));
	assert_int_equal(sense.name, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_sense_6_caching),
		cmocka_unit_test(test_sense_10_long_lba),
		cmocka_unit_test(test_sense_selection),
		cmocka_unit_test(test_sense_page_control),
		cmocka_unit_test(test_sense_longest),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_select_round_trip),
		cmocka_unit_test(test_select_changes),
		cmocka_unit_test(test_select_empty),
		cmocka_unit_test(test_select_cdb),
		cmocka_unit_test(test_select_bad_lists),
		cmocka_unit_test(test_select_reserved_value),
		cmocka_unit_test(test_select_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
