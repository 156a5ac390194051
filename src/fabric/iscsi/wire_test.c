/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire_test.c: where RFC 7143 11 puts the fields of each PDU (byte numbers as its figures have
 * them), and the arithmetic of segments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fabric/iscsi/wire.h"

#define AT(type, field, byte)                                                                      \
	{                                                                                          \
#type "." #field, offsetof(struct type, field), byte                               \
	}

static const struct {
	const char *name;
	size_t is, want;
} fields[] = {
	AT(bhs, total_ahs_length, 4),
	AT(bhs, data_segment_length, 5),
	AT(bhs, lun, 8),
	AT(bhs, initiator_task_tag, 16),
	AT(bhs_scsi_command, expected_data_transfer_length, 20),
	AT(bhs_scsi_command, cmdsn, 24),
	AT(bhs_scsi_command, expstatsn, 28),
	AT(bhs_scsi_command, cdb, 32),
	AT(bhs_scsi_response, response, 2),
	AT(bhs_scsi_response, status, 3),
	AT(bhs_scsi_response, snack_tag, 20),
	AT(bhs_scsi_response, statsn, 24),
	AT(bhs_scsi_response, expcmdsn, 28),
	AT(bhs_scsi_response, maxcmdsn, 32),
	AT(bhs_scsi_response, expdatasn, 36),
	AT(bhs_scsi_response, bidi_read_residual_count, 40),
	AT(bhs_scsi_response, residual_count, 44),
	AT(bhs_tmf_request, referenced_task_tag, 20),
	AT(bhs_tmf_request, cmdsn, 24),
	AT(bhs_tmf_request, refcmdsn, 32),
	AT(bhs_tmf_request, expdatasn, 36),
	AT(bhs_tmf_response, response, 2),
	AT(bhs_tmf_response, statsn, 24),
	AT(bhs_data_out, target_transfer_tag, 20),
	AT(bhs_data_out, expstatsn, 28),
	AT(bhs_data_out, datasn, 36),
	AT(bhs_data_out, buffer_offset, 40),
	AT(bhs_data_in, status, 3),
	AT(bhs_data_in, target_transfer_tag, 20),
	AT(bhs_data_in, statsn, 24),
	AT(bhs_data_in, datasn, 36),
	AT(bhs_data_in, buffer_offset, 40),
	AT(bhs_data_in, residual_count, 44),
	AT(bhs_r2t, target_transfer_tag, 20),
	AT(bhs_r2t, r2tsn, 36),
	AT(bhs_r2t, buffer_offset, 40),
	AT(bhs_r2t, desired_data_transfer_length, 44),
	AT(bhs_async_message, statsn, 24),
	AT(bhs_async_message, async_event, 36),
	AT(bhs_async_message, async_vcode, 37),
	AT(bhs_async_message, parameter1, 38),
	AT(bhs_async_message, parameter3, 42),
	AT(bhs_text_request, target_transfer_tag, 20),
	AT(bhs_text_request, cmdsn, 24),
	AT(bhs_text_response, target_transfer_tag, 20),
	AT(bhs_text_response, maxcmdsn, 32),
	AT(bhs_login_request, version_max, 2),
	AT(bhs_login_request, version_min, 3),
	AT(bhs_login_request, isid, 8),
	AT(bhs_login_request, tsih, 14),
	AT(bhs_login_request, cid, 20),
	AT(bhs_login_request, cmdsn, 24),
	AT(bhs_login_request, expstatsn, 28),
	AT(bhs_login_response, version_active, 3),
	AT(bhs_login_response, tsih, 14),
	AT(bhs_login_response, statsn, 24),
	AT(bhs_login_response, status_class, 36),
	AT(bhs_login_response, status_detail, 37),
	AT(bhs_logout_request, cid, 20),
	AT(bhs_logout_request, cmdsn, 24),
	AT(bhs_logout_response, response, 2),
	AT(bhs_logout_response, time2wait, 40),
	AT(bhs_logout_response, time2retain, 42),
	AT(bhs_snack_request, target_transfer_tag, 20),
	AT(bhs_snack_request, expstatsn, 28),
	AT(bhs_snack_request, begrun, 40),
	AT(bhs_snack_request, runlength, 44),
	AT(bhs_reject, reason, 2),
	AT(bhs_reject, statsn, 24),
	AT(bhs_reject, datasn, 36),
	AT(bhs_nop_out, target_transfer_tag, 20),
	AT(bhs_nop_out, cmdsn, 24),
	AT(bhs_nop_in, target_transfer_tag, 20),
	AT(bhs_nop_in, statsn, 24),
	AT(ahs, ahs_type, 2),
	AT(ahs_bidi_read, bidi_read_expected_data_transfer_length, 4),
};

static void test_fields(void **state)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].is != fields[i].want)
			fail_msg("%s: byte %zu, not %zu", fields[i].name, fields[i].is,
				fields[i].want);
	}
}

static void test_accessors(void **state)
{
	struct bhs h;

	memset(&h, 0, sizeof(h));
	h.opcode = 0x80 | ISCSI_OP_IMMEDIATE | ISCSI_OP_TEXT_REQUEST; /* the high bit is reserved */
	h.flags = 0x80;
	h.total_ahs_length = 255;
	h.data_segment_length = be24_put(0xfffffd);
	h.initiator_task_tag = be32_put(TAG_RESERVED);
	memcpy(h.lun, "\x00\x01\x02\x03\x04\x05\x06\x07", 8);
	assert_int_equal(bhs_opcode(&h), ISCSI_OP_TEXT_REQUEST);
	assert_true(bhs_immediate(&h));
	assert_true(bhs_final(&h));
	assert_int_equal(bhs_ahs_bytes(&h), AHS_TOTAL_BYTES_MAX);
	assert_int_equal(bhs_data_bytes(&h), 0xfffffd);
	assert_int_equal(bhs_itt(&h), TAG_RESERVED);
	assert_true(bhs_lun(&h) == UINT64_C(0x0001020304050607));
	h.opcode = ISCSI_OP_REJECT;
	h.flags = 0x7f;
	assert_int_equal(bhs_opcode(&h), ISCSI_OP_REJECT);
	assert_false(bhs_immediate(&h));
	assert_false(bhs_final(&h));
}

static void test_padding(void **state)
{
	static const uint32_t bytes[] = { 0, 1, 2, 3, 4, 5, 0xfffffd, 0xffffff };
	static const uint32_t padded[] = { 0, 4, 4, 4, 4, 8, 0x1000000, 0x1000000 };

	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(padded_bytes(bytes[i]), padded[i]);
		assert_int_equal(pad_bytes(bytes[i]), padded[i] - bytes[i]);
	}
}

static void test_ahs(void **state)
{
	struct ahs a = { .ahs_length = be16_put(AHS_BIDI_READ_LENGTH) };

	assert_int_equal(ahs_bytes(&a), sizeof(struct ahs_bidi_read));
	a.ahs_length = be16_put(32 - AHS_EXTENDED_CDB_LENGTH_BASE); /* a CDB of 32 bytes */
	assert_int_equal(ahs_bytes(&a), 4 + 16);
	a.ahs_length = be16_put(33 - AHS_EXTENDED_CDB_LENGTH_BASE);
	assert_int_equal(ahs_bytes(&a), 4 + 20);
	a.ahs_length = be16_put(0xffff);
	assert_int_equal(ahs_bytes(&a), 0x10004);
}

static void test_stages(void **state)
{
	assert_int_equal(login_csg(0x87), 1);
	assert_int_equal(login_nsg(0x87), 3);
	assert_int_equal(login_csg(0xff), 3);
	assert_int_equal(login_nsg(0xf0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_accessors),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_ahs),
		cmocka_unit_test(test_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
