/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_lba_test.c: LU groups, whose members change together; logical block dependent access: which
 * blocks a path reaches, REPORT REFERRALS, VPD page B3h and the referrals of sense data (SBC-3
 * 4.25). In the simulator.
 */
#include "engine/alua_testkit.h"

/* ---- LU groups ------------------------------------------------------------------------------ */

static void lu_groups(void **state)
{
	static const uint8_t list[] = { 0, 0, 0, 0, 2, 0, 1, 2 };
	struct alua_lu_group *lg;
	struct alua_group *other, *stranger;
	struct loopback_cmd c;
	struct lu *lu1 = rig_add(&rig, 1, "ram:1M"), *lu2 = rig_add(&rig, 2, "ram:1M");

	OK(alua_group_new(lu1, "as it is called there", &other, &err));
	OK(alua_group_set_id(other, 0x102, &err));
	OK(alua_move(port_lun_find(rig.port, 1), other, &err));
	OK(alua_group_new(lu2, "g1", &stranger, &err));
	OK(alua_group_set_id(stranger, 0x102, &err));
	OK(alua_lu_group_new(rig.eng, "pair", &lg, &err));
	OK(alua_lu_group_set_id(lg, 5, &err));
	OK(alua_lu_group_join(lu, lg, &err));
	OK(alua_lu_group_join(lu1, lg, &err));
	io_settle(&rig, a, 0);
	io_settle(&rig, a, 1);
	stpg(&c, a, list, sizeof(list));
	io_good(&c);
	assert_int_equal(g1->state, TPG_STANDBY);
	assert_int_equal(other->state, TPG_STANDBY);
	assert_int_equal(other->status, TPG_STATUS_EXPLICIT);
	assert_int_equal(stranger->state, TPG_ACTIVE_OPTIMIZED);
	/* The other unit was not asked, so it tells all. */
	io_init(&rig, &c, a, 0);
	c.lun = 1;
	c.cdb_len = 6;
	io_run(&c);
	io_sense(&c, SENSE_ALUA_STATE_CHANGED);
	io_run(&c);
	io_sense(&c, SENSE_ALUA_STANDBY);
	io_tur(&rig, &c, a, 0);
	io_good(&c);
	/* From the other side, and by the target. */
	set_state(other, TPG_ACTIVE_OPTIMIZED);
	assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
	/* A unit that cannot is left as it is. */
	OK(alua_group_set_u8(other, &other->supported, (uint8_t)(other->supported & ~TPG_U_SUP)));
	set_state(g1, TPG_UNAVAILABLE);
	assert_int_equal(other->state, TPG_ACTIVE_OPTIMIZED);
	/* It leaves by being removed, or with its group. */
	rig_remove(&rig, 1);
	OK(alua_lu_group_free(lg, &err));
	set_state(g1, TPG_ACTIVE_OPTIMIZED);
	rig_remove(&rig, 2);
}

/* ---- logical block dependent ---------------------------------------------------------------- */

static uint8_t read_at(struct loopback_cmd *c, struct loopback *lb, uint64_t lba, uint32_t n)
{
	static uint8_t data[256 * 512];

	io_init(&rig, c, lb, 0);
	io_blocks(c, OP_READ_16, lba, n, data, n * 512);
	return io_run(c);
}

static void blocks(void **state)
{
	static const struct {
		uint64_t lba;
		uint32_t n;
		enum sense_name by_a, by_b;
	} cases[] = {
		{ 0, 64, SENSE_NO_SENSE, SENSE_ALUA_UNAVAILABLE },
		{ 64, 64, SENSE_ALUA_STANDBY, SENSE_NO_SENSE },
		{ 63, 1, SENSE_NO_SENSE, SENSE_ALUA_UNAVAILABLE },
		{ 63, 2, SENSE_ALUA_STANDBY, SENSE_ALUA_UNAVAILABLE },
		{ 128, 1, SENSE_NO_SENSE, SENSE_ALUA_UNAVAILABLE },
		{ 960, 64, SENSE_ALUA_STANDBY, SENSE_NO_SENSE },
		{ 1024, 1, SENSE_ALUA_UNAVAILABLE, SENSE_ALUA_UNAVAILABLE }, /* in no segment */
	};
	struct loopback_cmd c;

	OK(alua_lba_set(lu, "64 2\n0 1023 0:O 258:U\n64 1023 0:S 258:A", &err));
	for (unsigned i = 0; i < 2; i++) {
		struct alua_group *g = i ? g1 : g0;

		OK(alua_group_set_u8(g, &g->supported, g->supported | TPG_LBD_SUP));
		OK(alua_group_set_access(g, ALUA_IMPLICIT, &err));
		set_state(g, TPG_LBA_DEPENDENT);
	}
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned k = 0; k < 2; k++) {
			enum sense_name want = k ? cases[i].by_b : cases[i].by_a;

			read_at(&c, k ? b : a, cases[i].lba, cases[i].n);
			if (want)
				io_sense(&c, want);
			else
				io_good(&c);
		}
	}
	OK(alua_lba_set(lu, "", &err));
	/* Without a map all blocks are alike, and pages 86h and B3h are others. */
	hear(b, SENSE_INQUIRY_DATA_HAS_CHANGED);
	read_at(&c, b, 0, 1);
	io_good(&c);
}

static void d_sense(struct lu_conf *conf, void *arg)
{
	conf->d_sense = true;
}

static void referrals(void **state)
{
	static const uint8_t want[] = { 0, 0, 0, 56, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 3, 0xff, 0, 0, 0, 0, 3, 0, 1, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0,
		0, 0, 0, 3, 0xff, 2, 0, 0, 0, 1, 0, 1, 2 };
	uint8_t cdb[16] = { 0x9e, 0x13, [13] = 200 }, in[256];
	const uint8_t b3[6] = { OP_INQUIRY, 1, 0xb3, 0, 96, 0 },
		      x86[6] = { OP_INQUIRY, 1, 0x86, 0, 96 };
	struct loopback_cmd c;

	run_cdb(&c, a, 0, cdb, 16, in, sizeof(in), NULL, 0);
	io_sense(&c, SENSE_INVALID_FIELD_IN_CDB);
	run_cdb(&c, a, 0, b3, 6, in, sizeof(in), NULL, 0);
	io_sense(&c, SENSE_INVALID_FIELD_IN_CDB);
	OK(alua_lba_set(lu, "64 2\n0 1023 0:O 258:U\n64 1023 0:S 258:A", &err));
	hear(a, SENSE_INQUIRY_DATA_HAS_CHANGED);
	run_cdb(&c, a, 0, cdb, 16, in, sizeof(in), NULL, 0);
	io_good(&c);
	assert_int_equal(c.in_moved, sizeof(want));
	assert_memory_equal(in, want, sizeof(want));
	/* ONE_SEG: the one that has the block; LBA: from there on. */
	cdb[14] = 1;
	put_be64(cdb + 2, 64);
	run_cdb(&c, a, 0, cdb, 16, in, sizeof(in), NULL, 0);
	io_good(&c);
	assert_int_equal(c.in_moved, 32);
	assert_int_equal(get_be64(in + 8), 64);
	put_be64(cdb + 2, 2048);
	run_cdb(&c, a, 0, cdb, 16, in, sizeof(in), NULL, 0);
	io_sense(&c, SENSE_LBA_OUT_OF_RANGE);
	run_cdb(&c, a, 0, b3, 6, in, sizeof(in), NULL, 0);
	io_good(&c);
	assert_int_equal(c.in_moved, 16);
	assert_int_equal(get_be32(in + 8), 64);
	assert_int_equal(get_be32(in + 12), 2);
	run_cdb(&c, a, 0, x86, 6, in, sizeof(in), NULL, 0);
	io_good(&c);
	assert_int_equal(in[8] & 0x10, 0x10); /* R_SUP */
	/* Sense data with descriptors tell the way (SBC-3 4.25.3). */
	OK(alua_group_set_u8(g1, &g1->supported, g1->supported | TPG_LBD_SUP));
	OK(alua_group_set_access(g1, ALUA_IMPLICIT, &err));
	set_state(g1, TPG_LBA_DEPENDENT);
	io_settle(&rig, b, 0);
	lu_change(lu, d_sense, NULL);
	read_at(&c, b, 5, 1);
	assert_int_equal(c.status, STATUS_CHECK_CONDITION);
	assert_int_equal(c.sense[0], 0x72);
	assert_int_equal(c.sense[1], KEY_ABORTED_COMMAND);
	assert_int_equal(c.sense[2], 0x3f);
	assert_int_equal(c.sense[3], 0x15);
	assert_int_equal(c.sense[8], 0x0b);
	assert_int_equal(c.sense[9], 30);
	assert_int_equal(c.sense[10], 1);
	assert_memory_equal(c.sense + 12, want + 4, 28);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(lu_groups),
		TEST(blocks),
		TEST(referrals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
