/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rsoc_test.c: REPORT SUPPORTED OPERATION CODES (SPC-4 6.35) and TASK MANAGEMENT FUNCTIONS (6.36).
 */
#include "scsi/test_priv.h"

#include "scsi/opcodes.h"
#include "scsi/rsoc.h"

static const uint8_t usage6[] = { 0xff, 0, 0, 0, 0, 0x04 };
static const uint8_t usage12[] = { 0xff, 0xff, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
	0x04 };
static const uint8_t usage16[] = { 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0,
	0x04 };
static const uint8_t usage32[32] = { 0xff, 0x04, 0, 0, 0, 0, 0x1f, 0xff, 0xff, 0xff, 0xfe };

static const struct rsoc_cmd cmds[] = {
	{ OP_TEST_UNIT_READY, false, 0, 6, usage6, 1, 30 },
	{ OP_SERVICE_ACTION_IN_16, true, SA_READ_CAPACITY_16, 16, usage16, 0, 60 },
	{ OP_MAINTENANCE_IN, true, SA_REPORT_SUPPORTED_OPERATION_CODES, 12, usage12, 0, 0 },
	{ OP_VARIABLE_LENGTH_CDB, true, SA_WRITE_32, 32, usage32, 0, 0 },
};
#define NCMDS (sizeof(cmds) / sizeof(cmds[0]))

static void test_all(void **state)
{
	struct rsoc_req req = { .options = 0 };
	uint8_t buf[128];
	struct sense sense;
	size_t n = 0;

	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 0, 0, 32, 0x00, 0, 0, 0, 0, 0, 0, 6, 0x9e, 0, 0, 0x10, 0, 1, 0, 16,
		0xa3, 0, 0, 0x0c, 0, 1, 0, 12, 0x7f, 0, 0, 0x0b, 0, 1, 0, 32);
	n = rsoc_build_all(cmds, 2, true, buf, sizeof(buf));
	expect_bytes(buf, n, 0, 0, 0, 40, 0x00, 0, 0, 0, 0, 2, 0, 6, 0, 0x0a, 0, 0, 0, 0, 0, 1, 0,
		0, 0, 30, 0x9e, 0, 0, 0x10, 0, 3, 0, 16, 0, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60);
	expect_truncation(buf, n, rsoc_build_all(cmds, 2, true, cut, cap));
}

static void test_one(void **state)
{
	struct rsoc_req req = { .options = 1, .opcode = OP_TEST_UNIT_READY, .service_action = 9 };
	uint8_t buf[128];
	struct sense sense;
	size_t n = 0;

	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 0x03, 0, 6, 0x00, 0, 0, 0, 0, 0x04);
	req.rctd = true;
	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 0x83, 0, 6, 0x00, 0, 0, 0, 0, 0x04, 0, 0x0a, 0, 0, 0, 0, 0, 1, 0, 0,
		0, 30);
	expect_truncation(buf, n, rsoc_build_one(&cmds[0], true, cut, cap));

	/* the service action's value stands in its field */
	req = (struct rsoc_req){ .options = 2,
		.opcode = OP_SERVICE_ACTION_IN_16,
		.service_action = SA_READ_CAPACITY_16 };
	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 0x03, 0, 16, 0x9e, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
		0xff, 0, 0x04);
	req = (struct rsoc_req){
		.options = 3, .opcode = OP_VARIABLE_LENGTH_CDB, .service_action = SA_WRITE_32
	};
	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	assert_int_equal(n, 36);
	assert_memory_equal(
		buf, "\x00\x03\x00\x20\x7f\x04\x00\x00\x00\x00\x1f\xff\x00\x0b\xfe\x00", 16);
}

/* Every bit of a service action shows in the usage data. */
static void test_one_service_action(void **state)
{
	struct rsoc_cmd cmd = { OP_SERVICE_ACTION_IN_16, true, 0x1f, 16, usage16, 0, 0 };
	uint8_t buf[64];

	rsoc_build_one(&cmd, false, buf, sizeof(buf));
	assert_int_equal(buf[5], 0xff);
	cmd = (struct rsoc_cmd){ OP_VARIABLE_LENGTH_CDB, true, 0x8123, 32, usage32, 0, 0 };
	rsoc_build_one(&cmd, false, buf, sizeof(buf));
	assert_memory_equal(buf + 4 + 8, "\x81\x23", 2);
}

static void test_one_either(void **state)
{
	struct rsoc_req req = { .options = 3, .opcode = OP_TEST_UNIT_READY };
	uint8_t buf[128];
	struct sense sense;
	size_t n = 0;

	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	assert_int_equal(buf[1], 0x03);
	req.service_action = 1;
	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 0x01, 0, 0);
}

static void test_not_supported(void **state)
{
	struct rsoc_req req = { .rctd = true, .options = 1, .opcode = 0xc0 };
	uint8_t buf[16];
	struct sense sense;
	size_t n = 0;

	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 0x01, 0, 0);
	req = (struct rsoc_req){
		.options = 2, .opcode = OP_SERVICE_ACTION_IN_16, .service_action = SA_GET_LBA_STATUS
	};
	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	expect_bytes(buf, n, 0, 0x01, 0, 0);
	/* a service action is 16 bits: 10h is not 0110h */
	req.service_action = 0x0110;
	assert_true(rsoc_build(cmds, NCMDS, &req, buf, sizeof(buf), &n, &sense));
	assert_int_equal(buf[1], 0x01);
}

static void test_refused(void **state)
{
	struct rsoc_req req = { .options = 1, .opcode = OP_MAINTENANCE_IN };
	struct sense sense = { 0 };
	size_t n = 7;

	assert_false(rsoc_build(cmds, NCMDS, &req, NULL, 0, &n, &sense));
	assert_int_equal(sense.name, SENSE_INVALID_FIELD_IN_CDB);
	assert_true(sense.sks == SKS_FIELD_POINTER && sense.in_cdb && sense.bit_valid);
	assert_int_equal(sense.field, 2);
	assert_int_equal(sense.bit, 2);
	req = (struct rsoc_req){ .options = 2, .opcode = OP_TEST_UNIT_READY };
	sense = (struct sense){ 0 };
	assert_false(rsoc_build(cmds, NCMDS, &req, NULL, 0, &n, &sense));
	assert_true(sense.in_cdb && sense.field == 2 && sense.bit == 2);
	for (req.options = 4; req.options < 8; req.options++)
		assert_false(rsoc_build(cmds, NCMDS, &req, NULL, 0, &n, &sense));
	assert_int_equal(n, 7);
}

static void test_decode(void **state)
{
	static const uint8_t cdb[12] = { 0xa3, 0x0c, 0xfa, 0x9e, 0x12, 0x34, 0, 0, 1, 0, 0, 0 };
	struct rsoc_req req = rsoc_decode(cdb);

	assert_true(req.rctd);
	assert_int_equal(req.options, 2);
	assert_int_equal(req.opcode, 0x9e);
	assert_int_equal(req.service_action, 0x1234);
}

static void test_tmf(void **state)
{
	unsigned supported = 1u << TMF_ABORT_TASK | 1u << TMF_ABORT_TASK_SET |
			     1u << TMF_CLEAR_TASK_SET | 1u << TMF_LOGICAL_UNIT_RESET |
			     1u << TMF_I_T_NEXUS_RESET | 1u << TMF_TARGET_WARM_RESET;
	uint8_t buf[16];
	size_t n = rstmf_build(supported, false, 0, 0, 0, buf, sizeof(buf));

	expect_bytes(buf, n, 0xd8, 0x01, 0, 0);
	n = rstmf_build(supported, true, 1u << TMF_ABORT_TASK, 300, 150, buf, sizeof(buf));
	expect_bytes(
		buf, n, 0xd8, 0x01, 0, 0x0c, 0x01, 0, 0x80, 0, 0, 0, 0x01, 0x2c, 0, 0, 0, 0x96);
	expect_truncation(
		buf, n, rstmf_build(supported, true, 1u << TMF_ABORT_TASK, 300, 150, cut, cap));
	static const struct {
		enum tmf_function function;
		uint8_t byte0, byte1;
	} bits[] = {
		{ TMF_ABORT_TASK, 0x80, 0 },
		{ TMF_ABORT_TASK_SET, 0x40, 0 },
		{ TMF_CLEAR_ACA, 0x20, 0 },
		{ TMF_CLEAR_TASK_SET, 0x10, 0 },
		{ TMF_LOGICAL_UNIT_RESET, 0x08, 0 },
		{ TMF_QUERY_TASK, 0x04, 0 },
		{ TMF_QUERY_ASYNC_EVENT, 0, 0x04 },
		{ TMF_QUERY_TASK_SET, 0, 0x02 },
		{ TMF_I_T_NEXUS_RESET, 0, 0x01 },
		{ TMF_TARGET_WARM_RESET, 0, 0 },
		{ TMF_TARGET_COLD_RESET, 0, 0 },
	};

	assert_int_equal(sizeof(bits) / sizeof(bits[0]), TMF_FUNCTION_COUNT);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		rstmf_build(1u << bits[i].function, false, 0, 0, 0, buf, sizeof(buf));
		assert_int_equal(buf[0], bits[i].byte0);
		assert_int_equal(buf[1], bits[i].byte1);
	}
	n = rstmf_build(~0u, true, ~0u, 0, 0, buf, sizeof(buf));
	expect_bytes(buf, n, 0xfc, 0x07, 0, 0x0c, 0, 0, 0xfc, 0x07, 0, 0, 0, 0, 0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_one_service_action),
		cmocka_unit_test(test_one_either),
		cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_tmf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
