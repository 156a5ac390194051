/* SPDX-License-Identifier: BSD-3-Clause */
/* tpg_test.c: target port groups and referrals against bytes written down from SPC-4 and SBC-3. */
#include "scsi/test_priv.h"

#include "scsi/tpg.h"

static const uint16_t ports[] = { 1, 0x1234 };
static const struct tpg_desc two[] = {
	{ .pref = true,
		.state = TPG_ACTIVE_OPTIMIZED,
		.supported = 0xcf,
		.status = TPG_STATUS_EXPLICIT,
		.group = 0,
		.nports = 2,
		.rtpis = ports },
	{ .state = TPG_TRANSITIONING,
		.supported = TPG_T_SUP | TPG_AO_SUP,
		.status = TPG_STATUS_IMPLICIT,
		.group = 0xabcd,
		.nports = 1,
		.rtpis = ports },
};

static void report(void **state)
{
	static const uint8_t want[] = { 0, 0, 0, 28, 0x80, 0xcf, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0,
		0x12, 0x34, 0x0f, 0x81, 0xab, 0xcd, 0, 2, 0, 1, 0, 0, 0, 1 };
	uint8_t buf[64];

	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(rtpg_build(RTPG_LENGTH_ONLY, 9, two, 2, buf, sizeof(buf)), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(buf[sizeof(want)], 0xee);
	/* Cut off: the length stays that of all. */
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(rtpg_build(RTPG_LENGTH_ONLY, 9, two, 2, buf, 6), sizeof(want));
	assert_memory_equal(buf, want, 6);
	assert_int_equal(buf[6], 0xee);
	assert_int_equal(rtpg_build(RTPG_LENGTH_ONLY, 0, NULL, 0, buf, sizeof(buf)), 4);
	assert_int_equal(buf[3], 0);
}

static void report_extended(void **state)
{
	static const uint8_t want[] = { 0, 0, 0, 16, 0x10, 9, 0, 0, 0x0f, 0x81, 0xab, 0xcd, 0, 2, 0,
		1, 0, 0, 0, 1 };
	uint8_t buf[64];

	assert_int_equal(rtpg_build(RTPG_EXTENDED, 9, two + 1, 1, buf, sizeof(buf)), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void set_lengths(void **state)
{
	assert_true(stpg_length_valid(0, 2));
	assert_true(stpg_length_valid(4, 2));
	assert_true(stpg_length_valid(8, 2));
	assert_true(stpg_length_valid(12, 2));
	assert_false(stpg_length_valid(16, 2));
	assert_false(stpg_length_valid(1, 2));
	assert_false(stpg_length_valid(3, 2));
	assert_false(stpg_length_valid(7, 2));
	assert_false(stpg_length_valid(UINT32_MAX, 2));
}

static void set_good(void **state)
{
	static const uint8_t list[] = { 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0xff, 0xfe };
	struct stpg_desc d[2];
	struct sense s;
	unsigned n;

	assert_true(stpg_parse(list, sizeof(list), d, &n, &s));
	assert_int_equal(n, 2);
	assert_int_equal(d[0].state, TPG_STANDBY);
	assert_int_equal(d[0].group, 1);
	assert_int_equal(d[1].state, TPG_ACTIVE_OPTIMIZED);
	assert_int_equal(d[1].group, 0xfffe);
	assert_true(stpg_parse(list, 4, d, &n, &s));
	assert_int_equal(n, 0);
}

static void set_refused(void **state)
{
	static const struct {
		uint8_t list[12];
		unsigned byte;
		int bit;
	} cases[] = {
		{ { 0x40, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2 }, 0, 6 },
		{ { 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2 }, 3, 0 },
		{ { 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0, 2 }, 4, 4 },
		{ { 0, 0, 0, 0, 0, 0x80, 0, 1, 0, 0, 0, 2 }, 5, 7 },
		{ { 0, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 2 }, 8, 3 },
		{ { 0, 0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 2 }, 4, 3 },
		{ { 0, 0, 0, 0, 0xd, 0, 0, 1, 0, 0, 0, 2 }, 4, 3 },
		{ { 0, 0, 0, 0, 0xe, 0, 0, 1, 0, 0, 0, 2 }, 4, 3 },
		{ { 0, 0, 0, 0, 0xf, 0, 0, 1, 0, 0, 0, 2 }, 4, 3 },
		{ { 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1 }, 10, 7 },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stpg_desc d[2];
		struct sense s;
		unsigned n = 77;

		assert_false(stpg_parse(cases[i].list, 12, d, &n, &s));
		assert_int_equal(s.name, SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
		assert_int_equal(s.field, cases[i].byte);
		assert_int_equal(s.bit, cases[i].bit);
		assert_false(s.in_cdb);
		assert_int_equal(n, 77);
	}
}

static void supported(void **state)
{
	unsigned all = 0;

	for (unsigned s = 0; s < 300; s++)
		all |= tpg_sup_bit(s);
	assert_int_equal(all, 0xdf);
	assert_int_equal(tpg_sup_bit(5), 0);
	assert_int_equal(tpg_sup_bit(TPG_STANDBY), 0x04);
	assert_int_equal(tpg_sup_bit(TPG_TRANSITIONING), 0x80);
}

static const struct referral_port_group groups[] = { { 0, 1 }, { 3, 0x203 } };
static const struct referral segments[] = {
	{ 0, 0x3fff, 2, groups },
	{ 0x4000, 0x1122334455667788, 1, groups + 1 },
};

static void referral_data(void **state)
{
	static const uint8_t want[] = { 0, 0, 0, 52, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0x3f, 0xff, 0, 0, 0, 1, 3, 0, 2, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x40, 0,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 3, 0, 2, 3 };
	uint8_t buf[64];

	assert_int_equal(referrals_build(segments, 2, buf, sizeof(buf)), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void referral_sense(void **state)
{
	static const uint8_t one[] = { 0x0b, 30, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0x3f, 0xff, 0, 0, 0, 1, 3, 0, 2, 3 };
	uint8_t buf[64];

	assert_int_equal(referral_sense_build(segments, 2, buf, 31), 0);
	assert_int_equal(referral_sense_build(segments, 2, buf, 32), 32);
	assert_memory_equal(buf, one, sizeof(one));
	assert_int_equal(referral_sense_build(segments, 2, buf, sizeof(buf)), 56);
	assert_int_equal(buf[1], 54);
	assert_int_equal(buf[2], 0);
	assert_int_equal(referral_sense_build(segments, 1, buf, sizeof(buf)), 32);
	assert_int_equal(buf[2], 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(report),
		cmocka_unit_test(report_extended),
		cmocka_unit_test(set_lengths),
		cmocka_unit_test(set_good),
		cmocka_unit_test(set_refused),
		cmocka_unit_test(supported),
		cmocka_unit_test(referral_data),
		cmocka_unit_test(referral_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
