/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * designator_test.c: designation descriptors byte by byte (SPC-4 7.8.6), and the NAA name as LIO
 * makes it.
 */
#include "scsi/test_priv.h"

#include "scsi/designator.h"

static void test_naa6(void **state)
{
	uint8_t naa[NAA6_BYTES];

	/* 25 digits of the UUID fit, the dashes are skipped. */
	naa6_from_serial(naa, 0x001405, "9f4c25a1-88e3-4b0c-a6c1-2d7ab2cf0e11");
	expect_bytes(naa, sizeof(naa), 0x60, 0x01, 0x40, 0x59, 0xf4, 0xc2, 0x5a, 0x18, 0x8e, 0x34,
		0xb0, 0xca, 0x6c, 0x12, 0xd7, 0xab);
	naa6_from_serial(naa, 0xffffffff, "xyzA"); /* 24 bits of it */
	expect_bytes(naa, sizeof(naa), 0x6f, 0xff, 0xff, 0xfa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	naa6_from_serial(naa, 0x001405, "");
	expect_bytes(naa, sizeof(naa), 0x60, 0x01, 0x40, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void test_binary_kinds(void **state)
{
	static const uint8_t naa[NAA6_BYTES] = { 0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
		14, 15 };
	struct designators d = { 0 };

	designator_add_naa6(&d, naa);
	designator_add_relative_port(&d, PROTOCOL_ISCSI, 0x0102);
	designator_add_target_port_group(&d, PROTOCOL_ISCSI, 0x0304);
	designator_add_lu_group(&d, 0x0506);
	expect_bytes(d.buf, d.len,
		/* NAA */ 0x01, 0x03, 0, 16, 0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
		15,
		/* RTPI */ 0x51, 0x94, 0, 4, 0, 0, 1, 2,
		/* target port group */ 0x51, 0x95, 0, 4, 0, 0, 3, 4,
		/* LU group */ 0x01, 0x06, 0, 4, 0, 0, 5, 6);
}

static void test_t10(void **state)
{
	struct designators d = { 0 };

	designator_add_t10(&d, "LIO-ORG", "disk0", "abc");
	expect_bytes(d.buf, d.len, 0x02, 0x01, 0, 17, 'L', 'I', 'O', '-', 'O', 'R', 'G', ' ', 'd',
		'i', 's', 'k', '0', ':', 'a', 'b', 'c');
}

static void test_names(void **state)
{
	struct designators d = { 0 };

	designator_add_port_name(&d, PROTOCOL_ISCSI, "iqn.a:b,t,0x0001");
	designator_add_device_name(&d, PROTOCOL_ISCSI, "iqn.a:b");
	expect_bytes(d.buf, d.len, 0x53, 0x98, 0, 20, 'i', 'q', 'n', '.', 'a', ':', 'b', ',', 't',
		',', '0', 'x', '0', '0', '0', '1', 0, 0, 0, 0, 0x53, 0xa8, 0, 8, 'i', 'q', 'n', '.',
		'a', ':', 'b', 0);
}

/* Texts of any length are cut, and one of each kind always fits. */
static void test_longest(void **state)
{
	struct designators d = { 0 };
	char text[400];
	uint8_t naa[NAA6_BYTES];
	size_t at;

	memset(text, 'f', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	naa6_from_serial(naa, 0x001405, text);
	assert_int_equal(naa[15], 0xff);
	designator_add_naa6(&d, naa);
	at = d.len;
	designator_add_t10(&d, text, text, text);
	assert_int_equal(d.buf[at + 3], 255);
	assert_int_equal(d.len, at + 4 + 255);
	assert_int_equal(d.buf[d.len - 1], ':');
	designator_add_relative_port(&d, PROTOCOL_ISCSI, 1);
	designator_add_target_port_group(&d, PROTOCOL_ISCSI, 1);
	designator_add_lu_group(&d, 1);
	at = d.len;
	designator_add_port_name(&d, PROTOCOL_ISCSI, text);
	assert_int_equal(d.buf[at + 3], 252);
	assert_int_equal(d.buf[at + 4 + 250], 'f');
	assert_int_equal(d.buf[at + 4 + 251], 0);
	designator_add_device_name(&d, PROTOCOL_ISCSI, text);
	assert_true(d.len <= sizeof(d.buf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_naa6),
		cmocka_unit_test(test_binary_kinds),
		cmocka_unit_test(test_t10),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
