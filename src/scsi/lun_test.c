/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lun_test.c: every LUN addressing format (SAM-5 4.7), REPORT LUNS lists (SPC-4 6.33).
 */
#include "scsi/test_priv.h"

#include "scsi/lun.h"

struct decode_case {
	uint8_t lun[LUN_BYTES];
	enum lun_kind kind;
	uint64_t number;
};

static void test_decode(void **state)
{
	static const struct decode_case cases[] = {
		/* peripheral device addressing */
		{ { 0x00, 0x00 }, LUN_NORMAL, 0 },
		{ { 0x00, 0xff }, LUN_NORMAL, 255 },
		{ { 0x01, 0x05 }, LUN_INVALID, 0 }, /* bus 1 */
		{ { 0x3f, 0x05 }, LUN_INVALID, 0 },
		{ { 0x00, 0x05, 0x00, 0x01 }, LUN_INVALID, 0 }, /* second level */
		{ { 0x00, 0x05, 0x40, 0x00 }, LUN_INVALID, 0 },
		{ { 0x00, 0x05, 0, 0, 0, 0, 0, 0x01 }, LUN_INVALID, 0 },
		/* flat space addressing */
		{ { 0x40, 0x00 }, LUN_NORMAL, 0 },
		{ { 0x40, 0x05 }, LUN_NORMAL, 5 },
		{ { 0x41, 0x00 }, LUN_NORMAL, 256 },
		{ { 0x7f, 0xff }, LUN_NORMAL, 16383 },
		{ { 0x40, 0x05, 0x01 }, LUN_INVALID, 0 },
		/* logical unit addressing */
		{ { 0x80, 0x00 }, LUN_INVALID, 0 },
		{ { 0xbf, 0x1f }, LUN_INVALID, 0 },
		/* well known logical units */
		{ { 0xc1, 0x01 }, LUN_WELL_KNOWN, WLUN_REPORT_LUNS },
		{ { 0xc1, 0x01, 0x01 }, LUN_INVALID, 0 },
		/* extended flat space addressing */
		{ { 0xd2, 0x00, 0x40, 0x00 }, LUN_NORMAL, 16384 },
		{ { 0xd2, 0xff, 0xff, 0xff }, LUN_NORMAL, 0xffffff },
		{ { 0xd2, 0x00, 0x40, 0x00, 0x01 }, LUN_INVALID, 0 },
		{ { 0xe2, 0x01, 0x02, 0x03, 0x04, 0x05 }, LUN_NORMAL, 0x0102030405 },
		{ { 0xe2, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06 }, LUN_INVALID, 0 },
		/* other lengths and methods */
		{ { 0xc2, 0x01 }, LUN_INVALID, 0 },
		{ { 0xd1, 0x01 }, LUN_INVALID, 0 },
		{ { 0xf2, 0x01 }, LUN_INVALID, 0 },
		{ { 0xc0, 0x01 }, LUN_INVALID, 0 },
		/* not specified */
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, LUN_NOT_SPECIFIED, 0 },
		{ { 0xff, 0, 0, 0, 0, 0, 0, 0 }, LUN_INVALID, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 99;

		assert_int_equal(lun_decode(cases[i].lun, &number), cases[i].kind);
		assert_true(number == cases[i].number);
	}
}

static void test_encode(void **state)
{
	static const struct {
		uint64_t number;
		uint8_t lun[LUN_BYTES];
	} cases[] = {
		{ 0, { 0 } },
		{ 255, { 0x00, 0xff } },
		{ 256, { 0x41, 0x00 } },
		{ 16383, { 0x7f, 0xff } },
		{ 16384, { 0xd2, 0x00, 0x40, 0x00 } },
		{ 0xffffff, { 0xd2, 0xff, 0xff, 0xff } },
	};
	uint8_t lun[LUN_BYTES];
	uint64_t back;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(lun, 0xee, sizeof(lun));
		assert_true(lun_encode(cases[i].number, lun));
		assert_memory_equal(lun, cases[i].lun, LUN_BYTES);
		assert_int_equal(lun_decode(lun, &back), LUN_NORMAL);
		assert_true(back == cases[i].number);
	}
	memset(lun, 0xee, sizeof(lun));
	assert_false(lun_encode(0x1000000, lun));
	assert_false(lun_encode(UINT64_MAX, lun));
	assert_int_equal(lun[0], 0xee);
	lun_encode_well_known(WLUN_REPORT_LUNS, lun);
	expect_bytes(lun, sizeof(lun), 0xc1, 0x01, 0, 0, 0, 0, 0, 0);
}

static void test_report_luns(void **state)
{
	static const uint64_t luns[] = { 0, 300, 20000 };
	static const uint8_t wluns[] = { WLUN_REPORT_LUNS };
	uint8_t buf[64];
	size_t n = report_luns_build(SELECT_REPORT_LUS, luns, 3, wluns, 1, buf, sizeof(buf));

	expect_bytes(buf, n, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x2c, 0, 0, 0,
		0, 0, 0, 0xd2, 0x00, 0x4e, 0x20, 0, 0, 0, 0);
	expect_truncation(
		buf, n, report_luns_build(SELECT_REPORT_LUS, luns, 3, wluns, 1, cut, cap));
	n = report_luns_build(SELECT_REPORT_WELL_KNOWN, luns, 3, wluns, 1, buf, sizeof(buf));
	expect_bytes(buf, n, 0, 0, 0, 8, 0, 0, 0, 0, 0xc1, 0x01, 0, 0, 0, 0, 0, 0);
	n = report_luns_build(SELECT_REPORT_ALL, luns, 1, wluns, 1, buf, sizeof(buf));
	expect_bytes(buf, n, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc1, 0x01, 0, 0, 0,
		0, 0, 0);
	n = report_luns_build(SELECT_REPORT_WELL_KNOWN, luns, 3, NULL, 0, buf, sizeof(buf));
	expect_bytes(buf, n, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void test_select_report(void **state)
{
	assert_true(select_report_valid(0x00));
	assert_true(select_report_valid(0x02));
	assert_false(select_report_valid(0x03));
	assert_false(select_report_valid(0x10));
	assert_false(select_report_valid(0x12));
	assert_false(select_report_valid(0xf8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_report_luns),
		cmocka_unit_test(test_select_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
