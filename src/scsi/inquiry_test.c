/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inquiry_test.c: standard INQUIRY data byte by byte (SPC-4 6.6.2).
 */
#include "scsi/test_priv.h"

#include "scsi/inquiry.h"

static void test_disk(void **state)
{
	static const struct inquiry_params p = {
		.peripheral = PQ_CONNECTED | PDT_BLOCK,
		.tpgs = TPGS_BOTH,
		.third_party_copy = true,
		.multip = true,
		.cmdque = true,
		.vendor = "LIO-ORG",
		.product = "a product name too long",
		.revision = "4.0",
		.versions = { VERSION_SAM_5, VERSION_ISCSI, VERSION_SPC_4, VERSION_SBC_3 },
	};
	uint8_t buf[INQUIRY_BYTES];
	size_t n = inquiry_build(&p, buf, sizeof(buf));

	expect_bytes(buf, n, 0x00, 0x00, 0x06, 0x02, 0x5b, 0x38, 0x10, 0x02, 'L', 'I', 'O', '-',
		'O', 'R', 'G', ' ', 'a', ' ', 'p', 'r', 'o', 'd', 'u', 'c', 't', ' ', 'n', 'a', 'm',
		'e', ' ', 't', '4', '.', '0', ' ', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0x00, 0xa0, 0x09, 0x60, 0x04, 0x60, 0x04, 0xc0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	expect_truncation(buf, n, inquiry_build(&p, cut, cap));
}

/* Every flag alone in its place. */
static void test_flags(void **state)
{
	struct inquiry_params p = { .vendor = "", .product = "", .revision = "" };
	uint8_t buf[INQUIRY_BYTES];

	p.rmb = true;
	p.normaca = true;
	inquiry_build(&p, buf, sizeof(buf));
	assert_memory_equal(buf, "\x00\x80\x06\x22\x5b\x00\x00\x00", 8);
	p.rmb = p.normaca = false;
	p.hisup = true;
	p.tpgs = TPGS_IMPLICIT;
	p.protect = true;
	inquiry_build(&p, buf, sizeof(buf));
	assert_memory_equal(buf, "\x00\x00\x06\x12\x5b\x11\x00\x00", 8);
	for (int i = 8; i < 36; i++)
		assert_int_equal(buf[i], ' ');
}

/* A LUN that has no LU, and never has one (SPC-4 table 141): 7Fh. */
static void test_no_lu(void **state)
{
	static const struct inquiry_params p = { .peripheral = PQ_NOT_CAPABLE | PDT_UNKNOWN,
		.vendor = "V\x01\xffW",
		.product = "",
		.revision = "" };
	uint8_t buf[INQUIRY_BYTES];

	inquiry_build(&p, buf, sizeof(buf));
	assert_int_equal(buf[0], 0x7f);
	assert_memory_equal(buf + 8, "V__W    ", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_no_lu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
