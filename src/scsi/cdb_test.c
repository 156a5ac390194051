/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cdb_test.c: CDB lengths and fields, against SPC-4 4.2 and the CDB tables of SBC-3 clause 5.
 */
#include "scsi/test_priv.h"

#include <errno.h>

#include "scsi/cdb.h"
#include "scsi/opcodes.h"

static size_t length_of(uint8_t op)
{
	uint8_t cdb[16] = { op };

	return cdb_length(cdb, sizeof(cdb));
}

static void test_length_by_group(void **state)
{
	assert_int_equal(length_of(OP_TEST_UNIT_READY), 6);
	assert_int_equal(length_of(OP_READ_10), 10);
	assert_int_equal(length_of(OP_MODE_SENSE_10), 10);
	assert_int_equal(length_of(OP_READ_16), 16);
	assert_int_equal(length_of(OP_SERVICE_ACTION_IN_16), 16);
	assert_int_equal(length_of(OP_REPORT_LUNS), 12);
	assert_int_equal(length_of(0x60), 0); /* reserved */
	assert_int_equal(length_of(OP_EXTENDED_CDB), 0);
	assert_int_equal(length_of(0xc0), 0); /* vendor specific */
	assert_int_equal(length_of(0xff), 0);
	assert_int_equal(cdb_length(NULL, 0), 0);
}

static void test_length_variable(void **state)
{
	uint8_t cdb[CDB_MAX_BYTES] = { OP_VARIABLE_LENGTH_CDB };

	cdb[7] = 0x18;
	assert_int_equal(cdb_length(cdb, 32), 32);
	assert_int_equal(cdb_length(cdb, 8), 32); /* told although not all there */
	assert_int_equal(cdb_length(cdb, 7), 0);
	cdb[7] = 252;
	assert_int_equal(cdb_length(cdb, sizeof(cdb)), 260);
	cdb[7] = 255;
	assert_int_equal(cdb_length(cdb, sizeof(cdb)), 0);
	cdb[7] = 0x19;
	assert_int_equal(cdb_length(cdb, sizeof(cdb)), 0);
	cdb[7] = 0; /* no room for a service action */
	assert_int_equal(cdb_length(cdb, sizeof(cdb)), 0);
	cdb[7] = 4;
	assert_int_equal(cdb_length(cdb, sizeof(cdb)), 12);
}

static void test_service_action(void **state)
{
	uint8_t cdb[32] = { OP_SERVICE_ACTION_IN_16, 0xf0 };

	assert_int_equal(cdb_service_action(cdb, 16), SA_READ_CAPACITY_16);
	assert_int_equal(cdb_service_action(cdb, 15), -1);
	cdb[0] = OP_READ_10;
	assert_int_equal(cdb_service_action(cdb, 10), -1);
	cdb[0] = OP_PERSISTENT_RESERVE_OUT;
	cdb[1] = SA_PREEMPT;
	assert_int_equal(cdb_service_action(cdb, 10), SA_PREEMPT);
	cdb[0] = OP_VARIABLE_LENGTH_CDB;
	cdb[7] = 24;
	cdb[8] = 0x88;
	cdb[9] = 0x0b;
	assert_int_equal(cdb_service_action(cdb, 32), 0x880b);
	assert_int_equal(cdb_service_action(cdb, 31), -1);
}

static void test_control(void **state)
{
	uint8_t cdb[32] = { OP_TEST_UNIT_READY, 0xaa, 0, 0, 0, CONTROL_NACA, 0xff };

	assert_int_equal(cdb_control(cdb, 6), CONTROL_NACA);
	assert_int_equal(cdb_control(cdb, 5), 0);
	cdb[0] = OP_VARIABLE_LENGTH_CDB;
	cdb[7] = 24;
	assert_int_equal(cdb_control(cdb, 32), 0xaa);
}

static void test_list_length(void **state)
{
	static const uint8_t inquiry[] = { OP_INQUIRY, 0, 0, 0x12, 0x34, 0 };
	static const uint8_t sense6[] = { OP_MODE_SENSE_6, 0, 0x3f, 0, 0xff, 0 };
	static const uint8_t unmap[] = { OP_UNMAP, 0, 0, 0, 0, 0, 0, 0x01, 0x18, 0 };
	static const uint8_t prout[] = { OP_PERSISTENT_RESERVE_OUT, 0, 0, 0, 0, 1, 2, 3, 4, 0 };
	static const uint8_t buffer[] = { OP_READ_BUFFER, 2, 0, 0, 0, 0, 1, 2, 3, 0 };
	static const uint8_t luns[] = { OP_REPORT_LUNS, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0 };
	static const uint8_t read10[] = { OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	uint32_t n = 77;

	assert_true(cdb_list_length(inquiry, sizeof(inquiry), &n));
	assert_int_equal(n, 0x1234);
	assert_true(cdb_list_length(sense6, sizeof(sense6), &n));
	assert_int_equal(n, 0xff);
	assert_true(cdb_list_length(unmap, sizeof(unmap), &n));
	assert_int_equal(n, 0x118);
	assert_true(cdb_list_length(prout, sizeof(prout), &n));
	assert_int_equal(n, 0x01020304);
	assert_true(cdb_list_length(buffer, sizeof(buffer), &n));
	assert_int_equal(n, 0x010203);
	assert_true(cdb_list_length(luns, sizeof(luns), &n));
	assert_int_equal(n, 0x01020304);
	n = 77;
	assert_false(cdb_list_length(read10, sizeof(read10), &n));
	assert_false(cdb_list_length(luns, sizeof(luns) - 1, &n));
	assert_int_equal(n, 77);
}

/* Every row: with byte i of the CDB holding 10h + i, the field's place shows in its value. */
static void test_list_length_places(void **state)
{
	static const struct {
		uint8_t op;
		uint32_t value;
	} rows[] = {
		{ OP_REQUEST_SENSE, 0x14 },
		{ OP_INQUIRY, 0x1314 },
		{ OP_MODE_SELECT_6, 0x14 },
		{ OP_MODE_SENSE_6, 0x14 },
		{ OP_RECEIVE_DIAGNOSTIC_RESULTS, 0x1314 },
		{ OP_SEND_DIAGNOSTIC, 0x1314 },
		{ OP_READ_FORMAT_CAPACITIES, 0x1718 },
		{ OP_READ_DEFECT_DATA_10, 0x1718 },
		{ OP_WRITE_BUFFER, 0x161718 },
		{ OP_READ_BUFFER, 0x161718 },
		{ OP_UNMAP, 0x1718 },
		{ OP_READ_TOC, 0x1718 },
		{ OP_GET_CONFIGURATION, 0x1718 },
		{ OP_SANITIZE, 0x1718 },
		{ OP_GET_EVENT_STATUS_NOTIFICATION, 0x1718 },
		{ OP_LOG_SELECT, 0x1718 },
		{ OP_LOG_SENSE, 0x1718 },
		{ OP_READ_DISC_INFORMATION, 0x1718 },
		{ OP_MODE_SELECT_10, 0x1718 },
		{ OP_MODE_SENSE_10, 0x1718 },
		{ OP_PERSISTENT_RESERVE_IN, 0x1718 },
		{ OP_PERSISTENT_RESERVE_OUT, 0x15161718 },
		{ OP_THIRD_PARTY_COPY_OUT, 0x1a1b1c1d },
		{ OP_THIRD_PARTY_COPY_IN, 0x1a1b1c1d },
		{ OP_READ_ATTRIBUTE, 0x1a1b1c1d },
		{ OP_WRITE_ATTRIBUTE, 0x1a1b1c1d },
		{ OP_SERVICE_ACTION_IN_16, 0x1a1b1c1d },
		{ OP_REPORT_LUNS, 0x16171819 },
		{ OP_SECURITY_PROTOCOL_IN, 0x16171819 },
		{ OP_MAINTENANCE_IN, 0x16171819 },
		{ OP_MAINTENANCE_OUT, 0x16171819 },
		{ OP_READ_DISC_STRUCTURE, 0x1819 },
		{ OP_SECURITY_PROTOCOL_OUT, 0x16171819 },
		{ OP_READ_DEFECT_DATA_12, 0x16171819 },
		{ OP_MECHANISM_STATUS, 0x1819 },
	};
	uint8_t cdb[16];
	uint32_t n;
	size_t known = 0;

	for (size_t i = 0; i < sizeof(cdb); i++)
		cdb[i] = (uint8_t)(0x10 + i);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cdb[0] = rows[i].op;
		assert_true(cdb_list_length(cdb, sizeof(cdb), &n));
		assert_int_equal(n, rows[i].value);
	}
	for (int op = 0; op < 256; op++) {
		cdb[0] = (uint8_t)op;
		known += cdb_list_length(cdb, sizeof(cdb), &n);
	}
	assert_int_equal(known, sizeof(rows) / sizeof(rows[0]));
}

static void test_usage_check(void **state)
{
	static const uint8_t mask[] = { 0xff, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff,
		0x04 };
	uint8_t cdb[10] = { OP_READ_10, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x04 };
	uint16_t byte = 99;
	uint8_t bit = 99;

	assert_true(cdb_usage_check(cdb, mask, sizeof(cdb), &byte, &bit));
	assert_int_equal(byte, 99);
	cdb[9] = 0x80;
	assert_false(cdb_usage_check(cdb, mask, sizeof(cdb), &byte, &bit));
	assert_int_equal(byte, 9);
	assert_int_equal(bit, 7);
	cdb[1] = 0x03; /* the first byte, its leftmost bit */
	assert_false(cdb_usage_check(cdb, mask, sizeof(cdb), &byte, &bit));
	assert_int_equal(byte, 1);
	assert_int_equal(bit, 1);
}

/* Decode from a copy of exactly its size, which must succeed. */
static struct cdb_rw decode(const uint8_t *cdb, size_t len)
{
	uint8_t *copy = exact_copy(cdb, len);
	struct cdb_rw rw;

	memset(&rw, 0xa5, sizeof(rw));
	assert_int_equal(cdb_rw_decode(copy, len, &rw), 0);
	free(copy);
	return rw;
}

static void test_rw_six(void **state)
{
	uint8_t cdb[] = { OP_READ_6, 0xff, 0x34, 0x56, 0x00, 0x00 };
	struct cdb_rw rw = decode(cdb, sizeof(cdb));

	assert_int_equal(rw.lba, 0x1f3456); /* the three old LUN bits are no LBA */
	assert_int_equal(rw.nblocks, 256);
	assert_false(rw.dpo || rw.fua || rw.rarc || rw.has_pi_fields);
	assert_int_equal(rw.protect | rw.group | rw.bytchk, 0);
	cdb[0] = OP_WRITE_6;
	cdb[4] = 0xff;
	assert_int_equal(decode(cdb, sizeof(cdb)).nblocks, 255);
}

static void test_rw_ten(void **state)
{
	static const uint8_t read10[] = { OP_READ_10, 0x7c, 1, 2, 3, 4, 0xff, 0x12, 0x34, 0 };
	static const uint8_t write10[] = { OP_WRITE_10, 0xe8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 };
	struct cdb_rw rw = decode(read10, sizeof(read10));

	assert_int_equal(rw.lba, 0x01020304);
	assert_int_equal(rw.nblocks, 0x1234);
	assert_int_equal(rw.protect, 3);
	assert_true(rw.dpo && rw.fua && rw.rarc);
	assert_int_equal(rw.group, 0x1f);
	rw = decode(write10, sizeof(write10));
	assert_int_equal(rw.lba, 0xffffffff);
	assert_int_equal(rw.nblocks, 0); /* no blocks, not 65536 */
	assert_int_equal(rw.protect, 7);
	assert_true(!rw.dpo && rw.fua && !rw.rarc);
}

static void test_rw_twelve_sixteen(void **state)
{
	static const uint8_t write12[] = { OP_WRITE_12, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 0x1f, 0 };
	static const uint8_t read16[] = { OP_READ_16, 0x08, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
		0x05, 0 };
	struct cdb_rw rw = decode(write12, sizeof(write12));

	assert_int_equal(rw.lba, 0x01020304);
	assert_int_equal(rw.nblocks, 0x05060708);
	assert_true(rw.dpo && !rw.fua);
	assert_int_equal(rw.group, 0x1f);
	rw = decode(read16, sizeof(read16));
	assert_true(rw.lba == 0x0102030405060708);
	assert_int_equal(rw.nblocks, 0x090a0b0c);
	assert_true(!rw.dpo && rw.fua);
	assert_int_equal(rw.group, 5);
}

static void test_rw_verify(void **state)
{
	static const uint8_t v10[] = { OP_VERIFY_10, 0x36, 0, 0, 0, 1, 0, 0, 2, 0 };
	static const uint8_t wv16[] = { OP_WRITE_AND_VERIFY_16, 0x02, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
		0, 3, 0, 0 };
	struct cdb_rw rw = decode(v10, sizeof(v10));

	assert_int_equal(rw.bytchk, 3);
	assert_int_equal(rw.protect, 1);
	assert_true(rw.dpo && !rw.fua && !rw.rarc);
	rw = decode(wv16, sizeof(wv16));
	assert_int_equal(rw.bytchk, 1);
	assert_int_equal(rw.nblocks, 3);
}

static void test_rw_write_same_unmap(void **state)
{
	static const uint8_t ws10[] = { OP_WRITE_SAME_10, 0x19, 0, 0, 0, 1, 0, 0, 2, 0 };
	static const uint8_t ws16[] = { OP_WRITE_SAME_16, 0x19, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3,
		0, 0 };
	static const uint8_t unmap[] = { OP_UNMAP, 0x01, 0xff, 0xff, 0xff, 0xff, 7, 0, 24, 0 };
	struct cdb_rw rw = decode(ws10, sizeof(ws10));

	assert_true(rw.anchor && rw.unmap && !rw.ndob);
	assert_true(!rw.dpo && !rw.fua);
	rw = decode(ws16, sizeof(ws16));
	assert_true(rw.anchor && rw.unmap && rw.ndob);
	rw = decode(unmap, sizeof(unmap));
	assert_true(rw.anchor && !rw.unmap);
	assert_int_equal(rw.group, 7);
	assert_int_equal(rw.lba, 0);
	assert_int_equal(rw.nblocks, 0);
}

static void test_rw_others(void **state)
{
	static const uint8_t sync[] = { OP_SYNCHRONIZE_CACHE_10, 0x06, 0, 0, 0, 1, 3, 0, 2, 0 };
	static const uint8_t prefetch[] = { OP_PRE_FETCH_16, 0x02, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
		3, 0, 0 };
	static const uint8_t caw[] = { OP_COMPARE_AND_WRITE, 0x18, 0, 0, 0, 0, 0, 0, 0, 1, 0xff,
		0xff, 0xff, 3, 2, 0 };
	static const uint8_t atomic[] = { OP_WRITE_ATOMIC_16, 0x08, 0, 0, 0, 0, 0, 0, 0, 1, 0x01,
		0x02, 0x03, 0x04, 2, 0 };
	static const uint8_t status[] = { OP_SERVICE_ACTION_IN_16, SA_GET_LBA_STATUS, 0, 0, 0, 0, 0,
		0, 1, 2, 0, 0, 0, 3, 0, 0 };
	struct cdb_rw rw = decode(sync, sizeof(sync));

	assert_true(rw.immed && !rw.rarc);
	assert_int_equal(rw.bytchk, 0);
	assert_int_equal(rw.group, 3);
	assert_true(decode(prefetch, sizeof(prefetch)).immed);
	rw = decode(caw, sizeof(caw));
	assert_int_equal(rw.nblocks, 3);
	assert_true(rw.dpo && rw.fua);
	rw = decode(atomic, sizeof(atomic));
	assert_int_equal(rw.atomic_boundary, 0x0102);
	assert_int_equal(rw.nblocks, 0x0304);
	rw = decode(status, sizeof(status));
	assert_int_equal(rw.lba, 0x0102);
	assert_int_equal(rw.nblocks, 0);
}

static void test_rw_thirty_two(void **state)
{
	uint8_t cdb[32] = { OP_VARIABLE_LENGTH_CDB, 0, 0, 0, 0, 0, 0x3f, 0x18, 0x00, 0x09, 0x3c, 0,
		1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x31, 0x32, 0x41, 0x42,
		0x43, 0x44 };
	struct cdb_rw rw = decode(cdb, sizeof(cdb));

	assert_true(rw.lba == 0x0102030405060708);
	assert_int_equal(rw.nblocks, 0x41424344);
	assert_int_equal(rw.protect, 1);
	assert_true(rw.dpo && rw.fua && rw.rarc && rw.has_pi_fields);
	assert_int_equal(rw.group, 0x1f);
	assert_int_equal(rw.ref_tag, 0x11121314);
	assert_int_equal(rw.app_tag, 0x2122);
	assert_int_equal(rw.app_tag_mask, 0x3132);
	cdb[9] = SA_WRITE_SAME_32;
	cdb[10] = 0x19;
	rw = decode(cdb, sizeof(cdb));
	assert_true(rw.anchor && rw.unmap && rw.ndob);
}

/* Letters of the fields that a command has; every bit of its flags byte is set. */
static void flags_text(const struct cdb_rw *rw, char text[16])
{
	sprintf(text, "%s%s%s%s%s%s%s%s%s", rw->protect == 7 ? "P" : "", rw->dpo ? "D" : "",
		rw->fua ? "F" : "", rw->rarc ? "R" : "", rw->bytchk == 3 ? "B" : "",
		rw->immed ? "I" : "", rw->anchor ? "A" : "", rw->unmap ? "U" : "",
		rw->ndob ? "N" : "");
}

/* Each bit of byte 1 alone sets the field that it belongs to, if the command has it. */
static void flag_bits(uint8_t cdb[static 16], const char *flags)
{
	uint8_t before = cdb[1];

	for (int bit = 0; bit < 8; bit++) {
		bool six = cdb[0] < 0x20, has_b = strchr(flags, 'B') != NULL;
		bool anchor_0 = cdb[0] == OP_UNMAP;
		struct cdb_rw rw;

		cdb[1] = (uint8_t)(1 << bit);
		rw = decode(cdb, 16);
		assert_int_equal(rw.protect, strchr(flags, 'P') && bit >= 5 ? 1 << (bit - 5) : 0);
		assert_int_equal(rw.dpo, strchr(flags, 'D') && bit == 4);
		assert_int_equal(rw.fua, strchr(flags, 'F') && bit == 3);
		assert_int_equal(rw.rarc, strchr(flags, 'R') && bit == 2);
		assert_int_equal(rw.bytchk, has_b && (bit == 1 || bit == 2) ? bit : 0);
		assert_int_equal(rw.immed, strchr(flags, 'I') && bit == 1);
		assert_int_equal(rw.anchor, strchr(flags, 'A') && bit == (anchor_0 ? 0 : 4));
		assert_int_equal(rw.unmap, strchr(flags, 'U') && bit == 3);
		assert_int_equal(rw.ndob, strchr(flags, 'N') && bit == 0);
		assert_true(six == (strlen(flags) == 0));
	}
	cdb[1] = before;
}

/* Every command: byte i of the CDB holds i, but the flags' byte FFh. */
static void test_rw_places(void **state)
{
	static const struct {
		uint8_t op;
		uint64_t lba;
		uint32_t nblocks;
		uint8_t group;
		const char *flags;
	} rows[] = {
		{ OP_READ_6, 0x1f0203, 4, 0, "" },
		{ OP_WRITE_6, 0x1f0203, 4, 0, "" },
		{ OP_READ_10, 0x02030405, 0x0708, 6, "PDFR" },
		{ OP_WRITE_10, 0x02030405, 0x0708, 6, "PDF" },
		{ OP_WRITE_AND_VERIFY_10, 0x02030405, 0x0708, 6, "PDB" },
		{ OP_VERIFY_10, 0x02030405, 0x0708, 6, "PDB" },
		{ OP_WRITE_SAME_10, 0x02030405, 0x0708, 6, "PAU" },
		{ OP_PRE_FETCH_10, 0x02030405, 0x0708, 6, "I" },
		{ OP_SYNCHRONIZE_CACHE_10, 0x02030405, 0x0708, 6, "I" },
		{ OP_UNMAP, 0, 0, 6, "A" },
		{ OP_READ_12, 0x02030405, 0x06070809, 10, "PDFR" },
		{ OP_WRITE_12, 0x02030405, 0x06070809, 10, "PDF" },
		{ OP_WRITE_AND_VERIFY_12, 0x02030405, 0x06070809, 10, "PDB" },
		{ OP_VERIFY_12, 0x02030405, 0x06070809, 10, "PDB" },
		{ OP_READ_16, 0x0203040506070809, 0x0a0b0c0d, 14, "PDFR" },
		{ OP_WRITE_16, 0x0203040506070809, 0x0a0b0c0d, 14, "PDF" },
		{ OP_WRITE_AND_VERIFY_16, 0x0203040506070809, 0x0a0b0c0d, 14, "PDB" },
		{ OP_VERIFY_16, 0x0203040506070809, 0x0a0b0c0d, 14, "PDB" },
		{ OP_WRITE_SAME_16, 0x0203040506070809, 0x0a0b0c0d, 14, "PAUN" },
		{ OP_PRE_FETCH_16, 0x0203040506070809, 0x0a0b0c0d, 14, "I" },
		{ OP_SYNCHRONIZE_CACHE_16, 0x0203040506070809, 0x0a0b0c0d, 14, "I" },
		{ OP_COMPARE_AND_WRITE, 0x0203040506070809, 0x0d, 14, "PDF" },
		{ OP_ORWRITE_16, 0x0203040506070809, 0x0a0b0c0d, 14, "PDF" },
		{ OP_WRITE_ATOMIC_16, 0x0203040506070809, 0x0c0d, 14, "PDF" },
	};
	uint8_t cdb[16];
	struct cdb_rw rw;
	char text[16];
	size_t known = 0;

	for (size_t i = 0; i < sizeof(cdb); i++)
		cdb[i] = (uint8_t)i;
	cdb[1] = 0xff;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cdb[0] = rows[i].op;
		rw = decode(cdb, sizeof(cdb));
		flags_text(&rw, text);
		assert_true(rw.lba == rows[i].lba);
		assert_int_equal(rw.nblocks, rows[i].nblocks);
		assert_int_equal(rw.group, rows[i].group);
		assert_string_equal(text, rows[i].flags);
		assert_false(rw.has_pi_fields);
		flag_bits(cdb, rows[i].flags);
		if (rows[i].group != 0) { /* five bits of GROUP NUMBER */
			cdb[rows[i].group] = 0xff;
			assert_int_equal(decode(cdb, sizeof(cdb)).group, 0x1f);
			cdb[rows[i].group] = rows[i].group;
		}
	}
	for (int op = 0; op < 256; op++) {
		cdb[0] = (uint8_t)op;
		known += cdb_rw_decode(cdb, sizeof(cdb), &rw) == 0;
	}
	assert_int_equal(known, sizeof(rows) / sizeof(rows[0]));
}

/* The same for the 32-byte commands. */
static void test_rw_places_thirty_two(void **state)
{
	static const struct {
		uint16_t sa;
		const char *flags;
	} rows[] = {
		{ SA_READ_32, "PDFR" },
		{ SA_VERIFY_32, "PDB" },
		{ SA_WRITE_32, "PDF" },
		{ SA_WRITE_AND_VERIFY_32, "PDB" },
		{ SA_WRITE_SAME_32, "PAUN" },
	};
	uint8_t cdb[32];
	struct cdb_rw rw;
	char text[16];

	for (size_t i = 0; i < sizeof(cdb); i++)
		cdb[i] = (uint8_t)i;
	cdb[0] = OP_VARIABLE_LENGTH_CDB;
	cdb[7] = 0x18;
	cdb[8] = 0;
	cdb[10] = 0xff;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cdb[9] = (uint8_t)rows[i].sa;
		rw = decode(cdb, sizeof(cdb));
		flags_text(&rw, text);
		assert_true(rw.lba == 0x0c0d0e0f10111213);
		assert_int_equal(rw.nblocks, 0x1c1d1e1f);
		assert_int_equal(rw.group, 6);
		assert_string_equal(text, rows[i].flags);
		assert_true(rw.has_pi_fields);
	}
}

static void test_rw_refused(void **state)
{
	uint8_t cdb[260] = { OP_READ_10 };
	struct cdb_rw rw = { .lba = 5 };

	for (size_t len = 0; len < 10; len++) {
		uint8_t *copy = exact_copy(cdb, len);

		assert_int_equal(cdb_rw_decode(copy, len, &rw), -EINVAL);
		free(copy);
	}
	cdb[0] = OP_INQUIRY;
	assert_int_equal(cdb_rw_decode(cdb, 16, &rw), -EINVAL);
	cdb[0] = OP_SERVICE_ACTION_IN_16;
	cdb[1] = SA_READ_CAPACITY_16;
	assert_int_equal(cdb_rw_decode(cdb, 16, &rw), -EINVAL);
	cdb[0] = OP_VARIABLE_LENGTH_CDB;
	cdb[9] = SA_READ_32;
	cdb[7] = 0x14; /* a READ (32) of 28 bytes */
	assert_int_equal(cdb_rw_decode(cdb, 32, &rw), -EINVAL);
	cdb[7] = 0x1c;
	assert_int_equal(cdb_rw_decode(cdb, sizeof(cdb), &rw), -EINVAL);
	assert_int_equal(rw.lba, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length_by_group),
		cmocka_unit_test(test_length_variable),
		cmocka_unit_test(test_service_action),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_list_length),
		cmocka_unit_test(test_list_length_places),
		cmocka_unit_test(test_usage_check),
		cmocka_unit_test(test_rw_six),
		cmocka_unit_test(test_rw_ten),
		cmocka_unit_test(test_rw_twelve_sixteen),
		cmocka_unit_test(test_rw_verify),
		cmocka_unit_test(test_rw_write_same_unmap),
		cmocka_unit_test(test_rw_others),
		cmocka_unit_test(test_rw_thirty_two),
		cmocka_unit_test(test_rw_places),
		cmocka_unit_test(test_rw_places_thirty_two),
		cmocka_unit_test(test_rw_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
