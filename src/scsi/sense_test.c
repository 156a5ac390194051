/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sense_test.c: both sense formats byte by byte against SPC-4 4.5, and the table against E.2.
 */
#include "scsi/test_priv.h"

#include "scsi/sense.h"

static void test_fixed_plain(void **state)
{
	struct sense s = sense_plain(SENSE_MEDIUM_NOT_PRESENT);
	uint8_t buf[SENSE_MAX_BYTES];
	size_t n = sense_encode(&s, false, buf, sizeof(buf));

	expect_bytes(buf, n, 0x70, 0, 0x02, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x3a, 0x00, 0, 0, 0, 0);
}

static void test_fixed_deferred(void **state)
{
	struct sense s = { .name = SENSE_WRITE_ERROR, .deferred = true };
	uint8_t buf[SENSE_MAX_BYTES];

	sense_encode(&s, false, buf, sizeof(buf));
	assert_int_equal(buf[0], 0x71);
	sense_encode(&s, true, buf, sizeof(buf));
	assert_int_equal(buf[0], 0x73);
}

static void test_fixed_field_pointer(void **state)
{
	struct sense s = sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, 1, 4);
	uint8_t buf[SENSE_MAX_BYTES];
	size_t n = sense_encode(&s, false, buf, sizeof(buf));

	expect_bytes(
		buf, n, 0x70, 0, 0x05, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x24, 0x00, 0, 0xcc, 0, 0x01);

	s = sense_list_field(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 0x0102, SENSE_NO_BIT);
	n = sense_encode(&s, false, buf, sizeof(buf));
	expect_bytes(buf, n, 0x70, 0, 0x05, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x26, 0x00, 0, 0x80, 0x01,
		0x02);
}

static void test_fixed_information(void **state)
{
	struct sense s = sense_with_info(SENSE_UNRECOVERED_READ_ERROR, 0xffffffff);
	uint8_t buf[SENSE_MAX_BYTES];
	size_t n = sense_encode(&s, false, buf, sizeof(buf));

	expect_bytes(buf, n, 0xf0, 0, 0x03, 0xff, 0xff, 0xff, 0xff, 0x0a, 0, 0, 0, 0, 0x11, 0x00, 0,
		0, 0, 0);

	/* So does a COMMAND-SPECIFIC INFORMATION, which has no VALID bit. */
	s = (struct sense){
		.name = SENSE_MISCOMPARE, .specific_valid = true, .specific = 0xffffffff
	};
	n = sense_encode(&s, false, buf, sizeof(buf));
	expect_bytes(buf, n, 0x70, 0, 0x0e, 0, 0, 0, 0, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x1d, 0x00, 0,
		0, 0, 0);
	s.specific = 0x100000000;
	sense_encode(&s, false, buf, sizeof(buf));
	assert_memory_equal(buf + 8, "\0\0\0\0", 4);
	s = sense_with_info(SENSE_UNRECOVERED_READ_ERROR, 0xffffffff);

	/* 33 bits do not fit: VALID = 0 and no value at all. */
	s.information = 0x100000000;
	n = sense_encode(&s, false, buf, sizeof(buf));
	expect_bytes(buf, n, 0x70, 0, 0x03, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0x11, 0x00, 0, 0, 0, 0);
}

static void test_fixed_command_specific(void **state)
{
	struct sense s = { .name = SENSE_THIRD_PARTY_DEVICE_FAILURE,
		.specific_valid = true,
		.specific = 0x00010203,
		.sks = SKS_SEGMENT_POINTER,
		.in_segment = true,
		.field = 0x10 };
	uint8_t buf[SENSE_MAX_BYTES];
	size_t n = sense_encode(&s, false, buf, sizeof(buf));

	expect_bytes(
		buf, n, 0x70, 0, 0x0a, 0, 0, 0, 0, 0x0a, 0, 1, 2, 3, 0x0d, 0x01, 0, 0xa0, 0, 0x10);
}

static void test_descriptor_plain(void **state)
{
	struct sense s = sense_plain(SENSE_INVALID_OPERATION_CODE);
	uint8_t buf[SENSE_MAX_BYTES];
	size_t n = sense_encode(&s, true, buf, sizeof(buf));

	expect_bytes(buf, n, 0x72, 0x05, 0x20, 0x00, 0, 0, 0, 0);
}

static void test_descriptor_all(void **state)
{
	static const uint8_t extra[] = { 0x0c, 0x02, 0x01, 0x00 };
	struct sense s = {
		.name = SENSE_INVALID_FIELD_IN_CDB,
		.ili = true,
		.info_valid = true,
		.information = 0x0102030405060708,
		.specific_valid = true,
		.specific = 0x1112131415161718,
		.sks = SKS_FIELD_POINTER,
		.in_cdb = true,
		.bit_valid = true,
		.bit = 7,
		.field = 0x1234,
		.extra = extra,
		.extra_len = sizeof(extra),
	};
	uint8_t buf[SENSE_MAX_BYTES];
	size_t n = sense_encode(&s, true, buf, sizeof(buf));

	expect_bytes(buf, n, 0x72, 0x05, 0x24, 0x00, 0, 0, 0, 40,
		/* information */ 0x00, 0x0a, 0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8,
		/* command specific */ 0x01, 0x0a, 0, 0, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
		0x18,
		/* sense key specific */ 0x02, 0x06, 0, 0, 0xcf, 0x12, 0x34, 0,
		/* block commands */ 0x05, 0x02, 0, 0x20,
		/* extra */ 0x0c, 0x02, 0x01, 0x00);
	expect_truncation(buf, n, sense_encode(&s, true, cut, cap));
	n = sense_encode(&s, false, buf, sizeof(buf));
	assert_int_equal(buf[2], 0x25); /* ILI beside the key */
	expect_truncation(buf, n, sense_encode(&s, false, cut, cap));
}

static void test_descriptor_longest(void **state)
{
	uint8_t extra[SENSE_EXTRA_MAX], buf[SENSE_MAX_BYTES];
	struct sense s = { .name = SENSE_INVALID_FIELD_IN_CDB,
		.ili = true,
		.info_valid = true,
		.specific_valid = true,
		.sks = SKS_FIELD_POINTER,
		.extra = extra,
		.extra_len = sizeof(extra) };
	size_t n;

	memset(extra, 0x5a, sizeof(extra));
	n = sense_encode(&s, true, buf, sizeof(buf));
	assert_true(n <= SENSE_MAX_BYTES);
	assert_int_equal(buf[7], n - 8);
	assert_int_equal(buf[n - 1], 0x5a);
}

static void test_sks_variants(void **state)
{
	uint8_t buf[SENSE_MAX_BYTES];
	struct sense s = sense_with_progress(SENSE_FORMAT_IN_PROGRESS, 1, 4);

	sense_encode(&s, false, buf, sizeof(buf));
	assert_memory_equal(buf + 15, "\x80\x40\x00", 3);
	s = sense_with_progress(SENSE_FORMAT_IN_PROGRESS, UINT64_MAX, UINT64_MAX);
	sense_encode(&s, false, buf, sizeof(buf));
	assert_memory_equal(buf + 15, "\x80\xff\xff", 3);
	s = sense_with_progress(SENSE_FORMAT_IN_PROGRESS, UINT64_MAX / 2, UINT64_MAX);
	sense_encode(&s, false, buf, sizeof(buf));
	assert_in_range(buf[16] << 8 | buf[17], 0x7ffe, 0x8000);

	s = (struct sense){
		.name = SENSE_UNRECOVERED_READ_ERROR, .sks = SKS_RETRY_COUNT, .field = 3
	};
	sense_encode(&s, false, buf, sizeof(buf));
	assert_memory_equal(buf + 15, "\x80\x00\x03", 3);

	s = (struct sense){ .name = SENSE_POWER_ON, .sks = SKS_OVERFLOW, .field = 0x0909 };
	sense_encode(&s, false, buf, sizeof(buf));
	assert_memory_equal(buf + 15, "\x81\x00\x00", 3);
}

static void test_table(void **state)
{
	static const struct {
		enum sense_name name;
		uint8_t key, asc, ascq;
	} want[] = {
		{ SENSE_NO_SENSE, 0x0, 0x00, 0x00 },
		{ SENSE_BECOMING_READY, 0x2, 0x04, 0x01 },
		{ SENSE_ALUA_TRANSITION, 0x2, 0x04, 0x0a },
		{ SENSE_LBA_OUT_OF_RANGE, 0x5, 0x21, 0x00 },
		{ SENSE_LU_NOT_SUPPORTED, 0x5, 0x25, 0x00 },
		{ SENSE_INSUFFICIENT_REGISTRATION_RESOURCES, 0x5, 0x55, 0x04 },
		{ SENSE_I_T_NEXUS_LOSS, 0x6, 0x29, 0x07 },
		{ SENSE_REPORTED_LUNS_DATA_HAS_CHANGED, 0x6, 0x3f, 0x0e },
		{ SENSE_SOFT_THRESHOLD_REACHED, 0x6, 0x38, 0x07 },
		{ SENSE_SPACE_ALLOCATION_FAILED, 0x7, 0x27, 0x07 },
		{ SENSE_NOT_ENOUGH_UNSOLICITED_DATA, 0xb, 0x0c, 0x0d },
		{ SENSE_MISCOMPARE, 0xe, 0x1d, 0x00 },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(sense_key(want[i].name), want[i].key);
		assert_int_equal(sense_asc(want[i].name), want[i].asc);
		assert_int_equal(sense_ascq(want[i].name), want[i].ascq);
	}
	assert_string_equal(
		sense_text(SENSE_SPACE_ALLOCATION_FAILED), "SPACE ALLOCATION FAILED WRITE PROTECT");
	assert_string_equal(sense_key_text(KEY_MISCOMPARE), "MISCOMPARE");
	assert_string_equal(sense_key_text((enum sense_key)0xd), "reserved");
	assert_string_equal(sense_key_text((enum sense_key)0x10), "reserved");
}

/* No row twice, and every row has a text. */
static void test_table_unique(void **state)
{
	for (int i = 0; i < SENSE_COUNT; i++) {
		enum sense_name a = (enum sense_name)i;

		assert_true(strlen(sense_text(a)) > 0);
		for (int j = i + 1; j < SENSE_COUNT; j++) {
			enum sense_name b = (enum sense_name)j;

			assert_false(sense_key(a) == sense_key(b) && sense_asc(a) == sense_asc(b) &&
				     sense_ascq(a) == sense_ascq(b));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_plain),
		cmocka_unit_test(test_fixed_deferred),
		cmocka_unit_test(test_fixed_field_pointer),
		cmocka_unit_test(test_fixed_information),
		cmocka_unit_test(test_fixed_command_specific),
		cmocka_unit_test(test_descriptor_plain),
		cmocka_unit_test(test_descriptor_all),
		cmocka_unit_test(test_descriptor_longest),
		cmocka_unit_test(test_sks_variants),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
