/* SPDX-License-Identifier: BSD-3-Clause */
/* clang-format off */
/*
 * optable.tbl.h: the commands, by rising operation code and service action.
 *
 * OP(name, opcode, service action, CDB length, run, rules, timeout in s, present, usage mask from
 * byte 1)
 *
 * The mask has a 1 for each bit that may be set. In the byte with the service action it is 1Fh
 * (or what the field is); the CONTROL byte, the last one, is 0: NACA and vendor specific bits are
 * not there.
 */
#define U(...) { 0, __VA_ARGS__ }
#define RW6 0x1f, 0xff, 0xff, 0xff, 0
#define RW10 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0
#define RW12 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0
#define RW16 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0
#define LEN32 0xff, 0xff, 0xff, 0xff
#define READS (RULE_DATA_IN | RULE_MEDIUM | RULE_PR_READ)
#define WRITES (RULE_DATA_OUT | RULE_MEDIUM | RULE_WRITES)
#define PRIN (RULE_DATA_IN | RULE_PR_OK | RULE_ALUA_STANDBY)
#define PROUT (RULE_DATA_OUT | RULE_PR_SELF | RULE_ALUA_STANDBY)
#define PROUT_CDB U(0x1f, 0xff, 0, 0, LEN32, 0)
#define ALWAYS (RULE_R6_OK | RULE_PR_OK | RULE_ALUA_ALL)

/* SPC-4 6.47 */
OP("TEST UNIT READY", OP_TEST_UNIT_READY, NO_SA, 6, spc_test_unit_ready,
	RULE_MEDIUM | RULE_PR_OK, 0, NULL, U(0, 0, 0, 0, 0))
/* SPC-4 6.39: DESC */
OP("REQUEST SENSE", OP_REQUEST_SENSE, NO_SA, 6, spc_request_sense,
	RULE_DATA_IN | RULE_NO_UA | RULE_ANY_LUN | RULE_HOQ | ALWAYS, 0, NULL,
	U(0x01, 0, 0, 0xff, 0))
OP("READ(6)", OP_READ_6, NO_SA, 6, sbc_read, READS, 30, NULL, U(RW6))
OP("WRITE(6)", OP_WRITE_6, NO_SA, 6, sbc_write, WRITES, 30, NULL, U(RW6))
/* SPC-4 6.6: EVPD, PAGE CODE */
OP("INQUIRY", OP_INQUIRY, NO_SA, 6, spc_inquiry,
	RULE_DATA_IN | RULE_NO_UA | RULE_ANY_LUN | RULE_HOQ | ALWAYS, 0, NULL,
	U(0x01, 0xff, 0xff, 0xff, 0))
/* SPC-4 6.11: PF, SP */
OP("MODE SELECT(6)", OP_MODE_SELECT_6, NO_SA, 6, spc_mode_select, RULE_DATA_OUT | RULE_ALUA_STANDBY,
	0, NULL, U(0x11, 0, 0, 0xff, 0))
/* SPC-2 7.21, 7.19; SPC-4 5.12.3 */
OP("RESERVE(6)", OP_RESERVE_6, NO_SA, 6, spc_reserve, RULE_PR_SELF, 0, op_has_pr, U(0, 0, 0, 0, 0))
OP("RELEASE(6)", OP_RELEASE_6, NO_SA, 6, spc_release, RULE_R6_OK | RULE_PR_SELF, 0, op_has_pr,
	U(0, 0, 0, 0, 0))
/* SPC-4 6.13: DBD, PC and PAGE CODE, SUBPAGE CODE */
OP("MODE SENSE(6)", OP_MODE_SENSE_6, NO_SA, 6, spc_mode_sense,
	RULE_DATA_IN | RULE_PR_READ | RULE_ALUA_STANDBY, 0, NULL, U(0x08, 0xff, 0xff, 0xff, 0))
/* SBC-3 5.25: IMMED; POWER CONDITION MODIFIER; POWER CONDITION, NO_FLUSH, LOEJ, START */
OP("START STOP UNIT", OP_START_STOP_UNIT, NO_SA, 6, sbc_start_stop, RULE_PR_SELF, 30, NULL,
	U(0x01, 0, 0x0f, 0xf7, 0))
/* SBC-3 5.15: PREVENT */
OP("PREVENT ALLOW MEDIUM REMOVAL", OP_PREVENT_ALLOW_MEDIUM_REMOVAL, NO_SA, 6, sbc_prevent_allow, RULE_PR_SELF, 0,
	op_has_removable, U(0, 0, 0, 0x03, 0))
/* SBC-3 5.15: LOGICAL BLOCK ADDRESS and PMI are obsolete, but SBC-2 initiators set them */
OP("READ CAPACITY(10)", OP_READ_CAPACITY_10, NO_SA, 10, sbc_read_capacity10,
	RULE_DATA_IN | RULE_MEDIUM | RULE_R6_OK | RULE_PR_OK | RULE_ALUA_STANDBY, 0, NULL,
	U(0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x01, 0))
/* SBC-3 5.8, 5.33: RDPROTECT/WRPROTECT 0, DPO, FUA, RARC is not supported */
OP("READ(10)", OP_READ_10, NO_SA, 10, sbc_read, READS, 30, NULL, U(0x18, RW10))
OP("WRITE(10)", OP_WRITE_10, NO_SA, 10, sbc_write, WRITES, 30, NULL, U(0x18, RW10))
/* SBC-3 5.37, 5.30: DPO, BYTCHK */
OP("WRITE AND VERIFY(10)", OP_WRITE_AND_VERIFY_10, NO_SA, 10, sbc_write_verify, WRITES, 60, NULL,
	U(0x16, RW10))
OP("VERIFY(10)", OP_VERIFY_10, NO_SA, 10, sbc_verify, READS & ~RULE_DATA_IN, 60, NULL, U(0x16, RW10))
/* SBC-3 5.27: SYNC_NV, IMMED */
OP("SYNCHRONIZE CACHE(10)", OP_SYNCHRONIZE_CACHE_10, NO_SA, 10, sbc_sync_cache, RULE_MEDIUM, 60, NULL,
	U(0x06, RW10))
/* SBC-3 5.46: WRPROTECT 0, ANCHOR 0, UNMAP */
OP("WRITE SAME(10)", OP_WRITE_SAME_10, NO_SA, 10, sbc_write_same, WRITES, 60, NULL, U(0x08, RW10))
/* SBC-3 5.28: ANCHOR 0 */
OP("UNMAP", OP_UNMAP, NO_SA, 10, sbc_unmap, WRITES, 60, op_has_unmap,
	U(0, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0))
OP("MODE SELECT(10)", OP_MODE_SELECT_10, NO_SA, 10, spc_mode_select,
	RULE_DATA_OUT | RULE_ALUA_STANDBY, 0, NULL, U(0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 0))
/* SPC-2 7.22: third-party and long identifiers are refused */
OP("RESERVE(10)", OP_RESERVE_10, NO_SA, 10, spc_reserve, RULE_PR_SELF, 0, op_has_pr,
	U(0, 0, 0, 0, 0, 0, 0, 0, 0))
OP("RELEASE(10)", OP_RELEASE_10, NO_SA, 10, spc_release, RULE_R6_OK | RULE_PR_SELF, 0, op_has_pr,
	U(0, 0, 0, 0, 0, 0, 0, 0, 0))
/* SPC-4 6.14: LLBAA, DBD */
OP("MODE SENSE(10)", OP_MODE_SENSE_10, NO_SA, 10, spc_mode_sense,
	RULE_DATA_IN | RULE_PR_READ | RULE_ALUA_STANDBY, 0, NULL,
	U(0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0))
/* SPC-4 6.15 */
OP("PERSISTENT RESERVE IN, READ KEYS", OP_PERSISTENT_RESERVE_IN, SA_READ_KEYS, 10, spc_read_keys,
	PRIN, 0, op_has_pr, U(0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0))
OP("PERSISTENT RESERVE IN, READ RESERVATION", OP_PERSISTENT_RESERVE_IN, SA_READ_RESERVATION, 10, spc_read_reservation,
	PRIN, 0, op_has_pr, U(0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0))
OP("PERSISTENT RESERVE IN, REPORT CAPABILITIES", OP_PERSISTENT_RESERVE_IN, SA_REPORT_CAPABILITIES, 10, spc_report_capabilities,
	PRIN, 0, op_has_pr, U(0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0))
OP("PERSISTENT RESERVE IN, READ FULL STATUS", OP_PERSISTENT_RESERVE_IN, SA_READ_FULL_STATUS, 10, spc_read_full_status,
	PRIN, 0, op_has_pr, U(0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 0))
/* SPC-4 6.16: SCOPE and TYPE, which some service actions ignore; SPC-5 for the last one */
OP("PERSISTENT RESERVE OUT, REGISTER", OP_PERSISTENT_RESERVE_OUT,
	SA_REGISTER, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, RESERVE", OP_PERSISTENT_RESERVE_OUT,
	SA_RESERVE, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, RELEASE", OP_PERSISTENT_RESERVE_OUT,
	SA_RELEASE, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, CLEAR", OP_PERSISTENT_RESERVE_OUT,
	SA_CLEAR, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, PREEMPT", OP_PERSISTENT_RESERVE_OUT,
	SA_PREEMPT, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, PREEMPT AND ABORT", OP_PERSISTENT_RESERVE_OUT,
	SA_PREEMPT_AND_ABORT, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY", OP_PERSISTENT_RESERVE_OUT,
	SA_REGISTER_AND_IGNORE_EXISTING_KEY, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, REGISTER AND MOVE", OP_PERSISTENT_RESERVE_OUT,
	SA_REGISTER_AND_MOVE, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("PERSISTENT RESERVE OUT, REPLACE LOST RESERVATION", OP_PERSISTENT_RESERVE_OUT,
	SA_REPLACE_LOST_RESERVATION, 10, spc_persistent_reserve_out, PROUT, 60, op_has_pr, PROUT_CDB)
OP("READ(16)", OP_READ_16, NO_SA, 16, sbc_read, READS, 30, NULL, U(0x18, RW16))
/* SBC-4 5.3: DPO, FUA */
OP("COMPARE AND WRITE", OP_COMPARE_AND_WRITE, NO_SA, 16, sbc_compare_and_write, WRITES, 30, op_has_caw,
	U(0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0xff, 0x3f, 0))
OP("WRITE(16)", OP_WRITE_16, NO_SA, 16, sbc_write, WRITES, 30, NULL, U(0x18, RW16))
OP("WRITE AND VERIFY(16)", OP_WRITE_AND_VERIFY_16, NO_SA, 16, sbc_write_verify, WRITES, 60, NULL,
	U(0x16, RW16))
OP("VERIFY(16)", OP_VERIFY_16, NO_SA, 16, sbc_verify, READS & ~RULE_DATA_IN, 60, NULL, U(0x16, RW16))
OP("SYNCHRONIZE CACHE(16)", OP_SYNCHRONIZE_CACHE_16, NO_SA, 16, sbc_sync_cache, RULE_MEDIUM, 60, NULL,
	U(0x06, RW16))
/* SBC-3 5.47: WRPROTECT 0, ANCHOR 0, UNMAP, NDOB */
OP("WRITE SAME(16)", OP_WRITE_SAME_16, NO_SA, 16, sbc_write_same, WRITES, 60, NULL, U(0x09, RW16))
/* SBC-3 5.16: LOGICAL BLOCK ADDRESS and PMI as above */
OP("READ CAPACITY(16)", OP_SERVICE_ACTION_IN_16, SA_READ_CAPACITY_16, 16, sbc_read_capacity16,
	RULE_DATA_IN | RULE_MEDIUM | RULE_R6_OK | RULE_PR_OK | RULE_ALUA_STANDBY, 0, NULL,
	U(0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, LEN32, 0x01, 0))
/* SBC-3 5.4 */
OP("GET LBA STATUS", OP_SERVICE_ACTION_IN_16, SA_GET_LBA_STATUS, 16, sbc_get_lba_status, READS, 60,
	op_has_lba_status, U(0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, LEN32, 0, 0))
/* SBC-3 5.22: ONE_SEG */
OP("REPORT REFERRALS", OP_SERVICE_ACTION_IN_16, SA_REPORT_REFERRALS, 16, sbc_report_referrals,
	RULE_DATA_IN | RULE_MEDIUM | RULE_R6_OK | RULE_PR_OK, 0, op_has_referrals,
	U(0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, LEN32, 0x01, 0))
/* SPC-4 6.33: SELECT REPORT */
OP("REPORT LUNS", OP_REPORT_LUNS, NO_SA, 12, spc_report_luns,
	RULE_DATA_IN | RULE_NO_UA | RULE_ANY_LUN | RULE_HOQ | ALWAYS, 0, NULL,
	U(0, 0xff, 0, 0, 0, LEN32, 0, 0))
/* SPC-4 6.37: PARAMETER DATA FORMAT */
OP("REPORT TARGET PORT GROUPS", OP_MAINTENANCE_IN, SA_REPORT_TARGET_PORT_GROUPS, 12,
	spc_report_target_port_groups, RULE_DATA_IN | ALWAYS, 0, op_has_tpgs,
	U(0xff, 0, 0, 0, 0, LEN32, 0, 0))
/* SPC-4 6.35, 6.36 */
OP("REPORT SUPPORTED OPERATION CODES", OP_MAINTENANCE_IN, SA_REPORT_SUPPORTED_OPERATION_CODES, 12,
	spc_report_opcodes, RULE_DATA_IN | RULE_PR_READ | RULE_ALUA_STANDBY, 0, op_has_rsoc,
	U(0x1f, 0x87, 0xff, 0xff, 0xff, LEN32, 0, 0))
OP("REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", OP_MAINTENANCE_IN, SA_REPORT_SUPPORTED_TMFS, 12,
	spc_report_tmfs, RULE_DATA_IN | RULE_PR_READ | RULE_ALUA_STANDBY, 0, op_has_rsoc,
	U(0x1f, 0x80, 0, 0, 0, LEN32, 0, 0))
/* SPC-4 6.45 */
OP("SET TARGET PORT GROUPS", OP_MAINTENANCE_OUT, SA_SET_TARGET_PORT_GROUPS, 12,
	spc_set_target_port_groups, RULE_DATA_OUT | RULE_ALUA_STANDBY | RULE_ALUA_UNAVAILABLE,
	90, op_has_explicit_tpgs, U(0x1f, 0, 0, 0, 0, LEN32, 0, 0))
OP("READ(12)", OP_READ_12, NO_SA, 12, sbc_read, READS, 30, NULL, U(0x18, RW12))
OP("WRITE(12)", OP_WRITE_12, NO_SA, 12, sbc_write, WRITES, 30, NULL, U(0x18, RW12))
OP("WRITE AND VERIFY(12)", OP_WRITE_AND_VERIFY_12, NO_SA, 12, sbc_write_verify, WRITES, 60, NULL,
	U(0x16, RW12))
OP("VERIFY(12)", OP_VERIFY_12, NO_SA, 12, sbc_verify, READS & ~RULE_DATA_IN, 60, NULL, U(0x16, RW12))

#undef U
#undef RW6
#undef RW10
#undef RW12
#undef RW16
#undef LEN32
#undef READS
#undef WRITES
#undef PRIN
#undef PROUT
#undef PROUT_CDB
#undef ALWAYS
