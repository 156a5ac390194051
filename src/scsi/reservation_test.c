/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reservation_test.c: the lists and data of the two commands byte by byte (SPC-4 6.15, 6.16), each
 * list cut at every length, and each error with the field it points to.
 */
#include "scsi/test_priv.h"

#include "base/bytes.h"
#include "scsi/opcodes.h"
#include "scsi/reservation.h"
#include "scsi/transportid.h"

enum { ACTIONS = SA_REPLACE_LOST_RESERVATION + 1 };

/* ---- parameter lists ------------------------------------------------------------------------ */

static const uint8_t key_bytes[16] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xf1, 0xf2,
	0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8 };

static const uint8_t sas_id[24] = { 0x06, 0, 0, 0, 0x50, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07 };

static size_t make_basic(uint8_t *buf, uint8_t flags)
{
	memset(buf, 0, 24);
	memcpy(buf, key_bytes, sizeof(key_bytes));
	buf[20] = flags;
	return 24;
}

/* TRANSPORTID PARAMETER DATA LENGTH and that many bytes behind a basic list. */
static size_t make_ids(uint8_t *buf, const uint8_t *ids, size_t n)
{
	make_basic(buf, 0x08);
	put_be32(buf + 24, (uint32_t)n);
	memcpy(buf + 28, ids, n);
	return 28 + n;
}

static size_t make_move(uint8_t *buf, uint8_t flags, uint16_t rtpi, const uint8_t *id, size_t n)
{
	make_basic(buf, 0);
	buf[17] = flags;
	put_be16(buf + 18, rtpi);
	put_be32(buf + 20, (uint32_t)n);
	memcpy(buf + 24, id, n);
	return 24 + n;
}

static bool parse(uint8_t action, const uint8_t *buf, size_t len, struct prout_list *ret,
	struct sense *ret_sense)
{
	uint8_t *copy = exact_copy(buf, len);
	bool ok = prout_parse(action, copy, len, ret, ret_sense);

	if (ok && ret->ids_bytes) {
		assert_ptr_equal(ret->ids, copy + ret->ids_at);
		ret->ids = buf + ret->ids_at;
	}
	free(copy);
	return ok;
}

static void expect_list(uint8_t action, const uint8_t *buf, size_t len, struct prout_list want)
{
	struct prout_list got;
	struct sense sense;

	assert_true(parse(action, buf, len, &got, &sense));
	assert_true(got.key == 0x0102030405060708 && got.sa_key == 0xf1f2f3f4f5f6f7f8);
	assert_int_equal(got.aptpl, want.aptpl);
	assert_int_equal(got.all_tg_pt, want.all_tg_pt);
	assert_int_equal(got.spec_i_pt, want.spec_i_pt);
	assert_int_equal(got.unreg, want.unreg);
	assert_int_equal(got.rtpi, want.rtpi);
	assert_int_equal(got.ids_bytes, want.ids_bytes);
	if (want.ids_bytes)
		assert_int_equal(got.ids_at, want.ids_at);
}

static void expect_length_error(uint8_t action, const uint8_t *buf, size_t len)
{
	struct prout_list got;
	struct sense sense = { 0 };

	assert_false(parse(action, buf, len, &got, &sense));
	assert_int_equal(sense.name, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	assert_int_equal(sense.sks, SKS_NONE);
}

static void expect_field(uint8_t action, const uint8_t *buf, size_t len, unsigned field, int bit)
{
	struct prout_list got;
	struct sense sense = { 0 };

	assert_false(parse(action, buf, len, &got, &sense));
	assert_int_equal(sense.name, SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
	assert_int_equal(sense.sks, SKS_FIELD_POINTER);
	assert_false(sense.in_cdb);
	assert_int_equal(sense.field, field);
	assert_int_equal(sense.bit_valid, bit >= 0);
	if (bit >= 0)
		assert_int_equal(sense.bit, bit);
}

/* 6.16.3: 24 bytes, no more and no fewer, whatever the action. */
static void test_basic(void **state)
{
	uint8_t buf[64] = { 0 };

	for (uint8_t action = 0; action < ACTIONS; action++) {
		if (action == SA_REGISTER_AND_MOVE)
			continue;
		for (unsigned flags = 0; flags < 8; flags++) {
			size_t n = make_basic(buf, (uint8_t)flags);

			expect_list(action, buf, n,
				(struct prout_list){ .all_tg_pt = flags & 4, .aptpl = flags & 1 });
		}
		for (size_t len = 0; len <= sizeof(buf); len++) {
			make_basic(buf, 0);
			if (len != 24)
				expect_length_error(action, buf, len);
		}
	}
}

/* 6.16.3: SPEC_I_PT is REGISTER's alone, and bit 3 of byte 20. */
static void test_spec_i_pt_elsewhere(void **state)
{
	uint8_t buf[28];

	make_ids(buf, sas_id, 0);
	for (uint8_t action = 0; action < ACTIONS; action++) {
		if (action == SA_REGISTER || action == SA_REGISTER_AND_MOVE)
			continue;
		expect_field(action, buf, 28, 20, 3);
		expect_field(action, buf, 24, 20, 3);
	}
}

/* One TransportID of each protocol that has them, iSCSI's of both formats and several lengths. */
static size_t all_ids(uint8_t *buf)
{
	static const uint8_t protocols[] = { 0x00, 0x01, 0x03, 0x04, 0x06, 0x0a };
	struct transportid id = { .name = "iqn.2003-01.org.x:y" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(protocols); i++) {
		n += transportid_encode(&id, buf + n, 300);
		memset(buf + n, 0, 24);
		buf[n] = protocols[i];
		n += 24;
		strcat(id.name, "zz");
		id.has_isid = !id.has_isid;
	}
	return n;
}

static void test_spec_i_pt(void **state)
{
	uint8_t buf[2048], ids[1024];
	size_t nids = all_ids(ids), n = make_ids(buf, ids, nids);

	expect_list(SA_REGISTER, buf, n,
		(struct prout_list){ .spec_i_pt = true, .ids_bytes = nids, .ids_at = 28 });
	buf[20] = 0x0d;
	expect_list(SA_REGISTER, buf, n,
		(struct prout_list){ .spec_i_pt = true,
			.all_tg_pt = true,
			.aptpl = true,
			.ids_bytes = nids,
			.ids_at = 28 });
	/* PARAMETER LIST LENGTH that does not include what the list speaks of; or more than that */
	for (size_t len = 0; len < n; len++)
		expect_length_error(SA_REGISTER, buf, len);
	expect_length_error(SA_REGISTER, buf, n + 4);
	n = make_ids(buf, ids, 0);
	expect_list(SA_REGISTER, buf, n, (struct prout_list){ .spec_i_pt = true });
	put_be32(buf + 24, 0xffffffff);
	expect_length_error(SA_REGISTER, buf, n);
}

/* TRANSPORTID PARAMETER DATA LENGTH that cuts a TransportID off, at every byte of it. */
static void test_spec_i_pt_cut(void **state)
{
	struct transportid id = { .name = "iqn.2003-01.org.x:y", .has_isid = true };
	uint8_t buf[1024], ids[512];
	size_t first = transportid_encode(&id, ids, sizeof(ids));

	memcpy(ids + first, sas_id, 24);
	for (size_t cut = 1; cut < first + 24; cut++) {
		size_t n = make_ids(buf, ids, cut);

		if (cut == first)
			expect_list(SA_REGISTER, buf, n,
				(struct prout_list){
					.spec_i_pt = true, .ids_bytes = first, .ids_at = 28 });
		else
			expect_field(SA_REGISTER, buf, n, cut < first ? 28 : 28 + (unsigned)first,
				SENSE_NO_BIT);
	}
	ids[first] = 0x02; /* a protocol without TransportIDs, so where would the next one be? */
	expect_field(SA_REGISTER, buf, make_ids(buf, ids, first + 24), 28 + (unsigned)first,
		SENSE_NO_BIT);
	ids[first] = 0x46;
	expect_field(SA_REGISTER, buf, make_ids(buf, ids, first + 24), 28 + (unsigned)first,
		SENSE_NO_BIT);
}

static void test_move(void **state)
{
	struct transportid id = { .name = "iqn.2003-01.org.x:y", .has_isid = true };
	uint8_t buf[512], tid[300];
	size_t nid = transportid_encode(&id, tid, sizeof(tid)), n;

	for (unsigned flags = 0; flags < 4; flags++) {
		struct prout_list want = { .unreg = flags & 2,
			.aptpl = flags & 1,
			.rtpi = 0x1234,
			.ids_bytes = nid,
			.ids_at = 24 };

		n = make_move(buf, (uint8_t)flags, 0x1234, tid, nid);
		expect_list(SA_REGISTER_AND_MOVE, buf, n, want);
		for (size_t len = 0; len < n; len++)
			expect_length_error(SA_REGISTER_AND_MOVE, buf, len);
		expect_length_error(SA_REGISTER_AND_MOVE, buf, n + 4);
	}
	n = make_move(buf, 0, 1, sas_id, 24);
	expect_list(SA_REGISTER_AND_MOVE, buf, n,
		(struct prout_list){ .rtpi = 1, .ids_bytes = 24, .ids_at = 24 });
}

static void test_move_malformed(void **state)
{
	struct transportid id = { .name = "iqn.2003-01.org.x:y", .has_isid = true };
	uint8_t buf[512], tid[300];
	size_t nid = transportid_encode(&id, tid, sizeof(tid));

	memset(tid + nid, 0, sizeof(tid) - nid);
	expect_field(SA_REGISTER_AND_MOVE, buf, make_move(buf, 0, 1, tid, 0), 20, SENSE_NO_BIT);
	expect_field(SA_REGISTER_AND_MOVE, buf, make_move(buf, 0, 1, sas_id, 20), 20, SENSE_NO_BIT);
	for (unsigned i = 1; i < 4; i++)
		expect_field(SA_REGISTER_AND_MOVE, buf, make_move(buf, 0, 1, tid, nid + i), 20,
			SENSE_NO_BIT);
	/* longer than the TransportID; shorter */
	expect_field(
		SA_REGISTER_AND_MOVE, buf, make_move(buf, 0, 1, tid, nid + 24), 20, SENSE_NO_BIT);
	expect_field(
		SA_REGISTER_AND_MOVE, buf, make_move(buf, 0, 1, tid, nid - 4), 24, SENSE_NO_BIT);
	tid[0] = 0x85;
	expect_field(SA_REGISTER_AND_MOVE, buf, make_move(buf, 0, 1, tid, nid), 24, SENSE_NO_BIT);
	tid[0] = 0x0f;
	expect_field(SA_REGISTER_AND_MOVE, buf, make_move(buf, 0, 1, tid, nid), 24, SENSE_NO_BIT);
}

/* ---- types ---------------------------------------------------------------------------------- */

/* 6.15.3.4, table 198. */
static void test_types(void **state)
{
	static const struct {
		uint8_t type;
		bool registrants_only, all_registrants, exclusive_access;
	} want[] = {
		{ 1, false, false, false },
		{ 3, false, false, true },
		{ 5, true, false, false },
		{ 6, true, false, true },
		{ 7, false, true, false },
		{ 8, false, true, true },
	};
	size_t at = 0;

	for (unsigned type = 0; type < 256; type++) {
		if (at == 6 || type != want[at].type) {
			assert_false(reservation_type_valid((uint8_t)type));
			continue;
		}
		assert_true(reservation_type_valid((uint8_t)type));
		assert_int_equal(reservation_type_registrants_only((uint8_t)type),
			want[at].registrants_only);
		assert_int_equal(
			reservation_type_all_registrants((uint8_t)type), want[at].all_registrants);
		assert_int_equal(reservation_type_exclusive_access((uint8_t)type),
			want[at].exclusive_access);
		at++;
	}
	assert_int_equal(at, 6);
}

/* ---- data ----------------------------------------------------------------------------------- */

static void test_keys(void **state)
{
	static const uint64_t keys[] = { 0x0102030405060708, 0xffffffffffffffff };
	uint8_t buf[64];
	size_t n = prin_keys(0xa1b2c3d4, keys, 2, buf, sizeof(buf));

	expect_bytes(buf, n, 0xa1, 0xb2, 0xc3, 0xd4, 0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	expect_truncation(buf, n, prin_keys(0xa1b2c3d4, keys, 2, cut, cap));
	n = prin_keys(7, NULL, 0, buf, sizeof(buf));
	expect_bytes(buf, n, 0, 0, 0, 7, 0, 0, 0, 0);
	n = prin_header(0xa1b2c3d4, 0x00010203, buf, sizeof(buf));
	expect_bytes(buf, n, 0xa1, 0xb2, 0xc3, 0xd4, 0, 1, 2, 3);
	expect_truncation(buf, n, prin_header(0xa1b2c3d4, 0x00010203, cut, cap));
}

static void test_reservation(void **state)
{
	uint8_t buf[64];
	size_t n = prin_reservation(0xa1b2c3d4, 0x0102030405060708, 0, 6, buf, sizeof(buf));

	expect_bytes(buf, n, 0xa1, 0xb2, 0xc3, 0xd4, 0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0,
		0, 0, 0x06, 0, 0);
	expect_truncation(buf, n, prin_reservation(0xa1b2c3d4, 0x0102030405060708, 0, 6, cut, cap));
	n = prin_reservation(1, 0x0102030405060708, 0xf, 8, buf, sizeof(buf));
	assert_int_equal(buf[21], 0xf8);
	n = prin_reservation(9, 0, 0, RESERVATION_NONE, buf, sizeof(buf));
	expect_bytes(buf, n, 0, 0, 0, 9, 0, 0, 0, 0);
}

/* Each bit alone, then all. */
static void test_capabilities(void **state)
{
	static const struct {
		struct prin_capabilities c;
		uint8_t byte2, byte3;
	} rows[] = {
		{ { 0 }, 0x00, 0x80 },
		{ { .replace_lost = true }, 0x80, 0x80 },
		{ { .compatible = true }, 0x10, 0x80 },
		{ { .spec_i_pt = true }, 0x08, 0x80 },
		{ { .all_tg_pt = true }, 0x04, 0x80 },
		{ { .ptpl = true }, 0x01, 0x80 },
		{ { .ptpl_active = true }, 0x00, 0x81 },
		{ { .allow_commands = 5 }, 0x00, 0xd0 },
		{ { true, true, true, true, true, true, 1 }, 0x9d, 0x91 },
	};
	uint8_t buf[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t want[8] = { 0, 8, rows[i].byte2, rows[i].byte3, 0xea, 0x01, 0, 0 };

		assert_int_equal(prin_report_capabilities(&rows[i].c, buf, sizeof(buf)), 8);
		assert_memory_equal(buf, want, 8);
	}
	expect_truncation(buf, 8, prin_report_capabilities(&rows[8].c, cut, cap));
}

static void test_full_status(void **state)
{
	struct prin_status st = { .key = 0x0102030405060708,
		.holder = true,
		.type = 7,
		.rtpi = 0x0203,
		.initiator_port = "iqn.a:b,i,0x00023dabcdef" };
	uint8_t buf[300];
	size_t n = prin_full_status(&st, buf, sizeof(buf));

	expect_bytes(buf, n, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0x01, 0x07, 0, 0, 0, 0, 0x02, 0x03,
		0, 0, 0, 32, 0x45, 0, 0, 28, 'i', 'q', 'n', '.', 'a', ':', 'b', ',', 'i', ',', '0',
		'x', '0', '0', '0', '2', '3', 'd', 'a', 'b', 'c', 'd', 'e', 'f', 0, 0, 0, 0);
	expect_truncation(buf, n, prin_full_status(&st, cut, cap));

	/* Not the holder: no word of the reservation. On all target ports: none is named. */
	st.holder = false;
	st.all_tg_pt = true;
	st.initiator_port = "iqn.a:b";
	n = prin_full_status(&st, buf, sizeof(buf));
	expect_bytes(buf, n, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0x02, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 24, 0x05, 0, 0, 20, 'i', 'q', 'n', '.', 'a', ':', 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_spec_i_pt_elsewhere),
		cmocka_unit_test(test_spec_i_pt),
		cmocka_unit_test(test_spec_i_pt_cut),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_malformed),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_full_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
