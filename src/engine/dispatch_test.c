/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dispatch_test.c: what is checked before a command runs, in which order, and what is told of it:
 * unit attentions (SAM-5 5.14), field pointers (SPC-4 4.5.2.4.2), residuals, reservations of SPC-2,
 * mode parameters, LUNs without an LU.
 */
#include "engine/testkit.h"

static struct rig rig;
static struct loopback *a, *b; /* two initiators, on two loops */
static struct lu *lu;

static int setup(void **state)
{
	rig_init(&rig, LOOP_SIM, 2, 7);
	lu = rig_add(&rig, 0, "ram:1M");
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	return 0;
}

static int teardown(void **state)
{
	rig_logout(a);
	rig_logout(b);
	while (!list_empty(&rig.port->luns))
		rig_remove(&rig, list_first(&rig.port->luns, struct port_lun, link)->lun);
	rig_done(&rig);
	return 0;
}

static void settle(void)
{
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
}

/* ---- unit attentions ------------------------------------------------------------------------ */

static void ua_order(void **state)
{
	static const uint8_t inquiry[6] = { OP_INQUIRY, 0, 0, 0, 36 };
	static const uint8_t no_such[6] = { 0xff };
	struct loopback_cmd c;
	struct errmsg err;
	uint8_t buf[36];

	errmsg_init(&err);
	/* INQUIRY is answered and leaves the condition pending (SAM-5 5.14.1). */
	assert_int_equal(io_six(&rig, &c, a, 0, inquiry, buf, 36), STATUS_GOOD);
	assert_int_equal(lu_resize(lu, 2 << 20, false, &err), 0);
	/* 29/00 comes before what happened since; each is told once; it precedes other errors. */
	io_six(&rig, &c, a, 0, no_such, NULL, 0);
	io_sense(&c, SENSE_POWER_ON_OR_RESET);
	io_tur(&rig, &c, a, 0);
	io_sense(&c, SENSE_CAPACITY_DATA_HAS_CHANGED);
	assert_int_equal(io_tur(&rig, &c, a, 0), STATUS_GOOD);
	/* For each nexus on its own. */
	io_tur(&rig, &c, b, 1);
	io_sense(&c, SENSE_POWER_ON_OR_RESET);
}

static void ua_of_request_sense(void **state)
{
	static const uint8_t cdb[6] = { OP_REQUEST_SENSE, 0, 0, 0, 18 };
	struct loopback_cmd c;
	uint8_t buf[18];

	/* SPC-4 6.39: as parameter data with GOOD, and cleared by it. */
	assert_int_equal(io_six(&rig, &c, a, 0, cdb, buf, sizeof(buf)), STATUS_GOOD);
	assert_int_equal(buf[2] % 16, KEY_UNIT_ATTENTION);
	assert_int_equal(buf[12], 0x29);
	assert_int_equal(io_tur(&rig, &c, a, 0), STATUS_GOOD);
}

static void ua_reset(void **state)
{
	struct loopback_cmd c;
	struct loopback_tmf t;

	settle();
	assert_int_equal(tmf_run(&rig, &t, a, 0, TMF_LOGICAL_UNIT_RESET, 0), TMF_FUNCTION_COMPLETE);
	io_tur(&rig, &c, a, 0);
	io_sense(&c, SENSE_BUS_DEVICE_RESET);
	io_tur(&rig, &c, b, 1);
	io_sense(&c, SENSE_BUS_DEVICE_RESET);
	t.lun = 5;
	loopback_tmf_start(&t);
	assert_int_equal(loopback_tmf_wait(&t, RIG_WAIT_NS), 0);
	assert_int_equal(t.response, TMF_INCORRECT_LOGICAL_UNIT_NUMBER);
	assert_int_equal(tmf_run(&rig, &t, a, 0, TMF_CLEAR_ACA, 0), TMF_FUNCTION_REJECTED);
	assert_true(t.unsupported);
}

/* ---- errors --------------------------------------------------------------------------------- */

static void field(const struct loopback_cmd *c, unsigned byte, int bit)
{
	io_sense(c, SENSE_INVALID_FIELD_IN_CDB);
	assert_int_equal(c->sense[15] & 0xc0, 0xc0); /* SKSV, C/D */
	assert_int_equal(get_be16(c->sense + 16), byte);
	assert_int_equal(!!(c->sense[15] & 0x08), bit >= 0);
	if (bit >= 0)
		assert_int_equal(c->sense[15] & 0x07, bit);
}

static void field_pointers(void **state)
{
	struct loopback_cmd c;
	uint8_t buf[512];

	settle();
	io_init(&rig, &c, a, 0);
	io_blocks(&c, OP_READ_16, 0, 1, buf, 512);
	c.cdb[1] = 0x20; /* RDPROTECT */
	io_run(&c);
	field(&c, 1, 5);
	c.cdb[1] = 0;
	c.cdb[15] = 0x04; /* NACA */
	io_run(&c);
	field(&c, 15, 2);
	c.cdb[15] = 0;
	put_be64(c.cdb + 2, 2048);
	io_run(&c);
	io_sense(&c, SENSE_LBA_OUT_OF_RANGE);
	assert_int_equal(get_be32(c.sense + 3), 2048);
	assert_int_equal(c.residual_in_kind, RESIDUAL_UNDERFLOW);
	assert_int_equal(c.residual_in, 512);
	c.cdb[0] = 0xff;
	io_run(&c);
	io_sense(&c, SENSE_INVALID_OPERATION_CODE);
	c.cdb[0] = OP_SERVICE_ACTION_IN_16;
	c.cdb[1] = 0x1f;
	io_run(&c);
	field(&c, 1, 4);
}

static void unmapped(void **state)
{
	static const uint8_t inquiry[6] = { OP_INQUIRY, 0, 0, 0, 36 };
	struct loopback_cmd c;
	uint8_t buf[64];

	settle();
	io_init(&rig, &c, a, 0);
	c.lun = 9;
	c.cdb_len = 6;
	io_run(&c);
	io_sense(&c, SENSE_LU_NOT_SUPPORTED);
	memcpy(c.cdb, inquiry, 6);
	c.in = buf;
	c.in_bytes = 36;
	assert_int_equal(io_run(&c), STATUS_GOOD);
	assert_int_equal(buf[0], 0x7f);
	memset(c.cdb, 0, sizeof(c.cdb));
	c.cdb[0] = OP_REPORT_LUNS;
	c.cdb_len = 12;
	put_be32(c.cdb + 6, 16);
	c.in_bytes = sizeof(buf);
	assert_int_equal(io_run(&c), STATUS_GOOD);
	assert_int_equal(c.in_moved, 16);
	assert_int_equal(get_be32(buf), 8);
	assert_int_equal(c.residual_in, sizeof(buf) - 16);
}

/* ---- data ----------------------------------------------------------------------------------- */

static void residuals(void **state)
{
	uint8_t buf[4096] = { 1 }, back[4096];
	struct loopback_cmd c;

	settle();
	io_init(&rig, &c, a, 0);
	/* The initiator has more room than the CDB asks for, then less. */
	io_blocks(&c, OP_READ_16, 0, 2, buf, 4096);
	assert_int_equal(io_run(&c), STATUS_GOOD);
	assert_int_equal(c.in_moved, 1024);
	assert_int_equal(c.residual_in_kind, RESIDUAL_UNDERFLOW);
	assert_int_equal(c.residual_in, 3072);
	io_blocks(&c, OP_READ_16, 0, 8, buf, 1000);
	assert_int_equal(io_run(&c), STATUS_GOOD);
	assert_int_equal(c.in_moved, 1000);
	assert_int_equal(c.residual_in_kind, RESIDUAL_OVERFLOW);
	assert_int_equal(c.residual_in, 3096);
	/* A write of less than its CDB says writes whole blocks of what there is. */
	memset(buf, 0x5a, sizeof(buf));
	io_init(&rig, &c, a, 0);
	io_blocks(&c, OP_WRITE_16, 16, 8, buf, 1000);
	assert_int_equal(io_run(&c), STATUS_GOOD);
	assert_int_equal(c.residual_out_kind, RESIDUAL_OVERFLOW);
	assert_int_equal(c.residual_out, 3096);
	io_read(&rig, a, 0, 16, 8, back);
	assert_memory_equal(back, buf, 512);
	for (unsigned i = 512; i < sizeof(back); i++)
		assert_int_equal(back[i], 0);
}

/* ---- what nexuses share --------------------------------------------------------------------- */

static void reserve(void **state)
{
	static const uint8_t take[6] = { OP_RESERVE_6 }, leave[6] = { OP_RELEASE_6 };
	static const uint8_t inquiry[6] = { OP_INQUIRY, 0, 0, 0, 36 };
	uint8_t buf[512] = { 0 };
	struct loopback_cmd c;
	struct loopback_tmf t;

	settle();
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	assert_int_equal(io_six(&rig, &c, b, 1, take, NULL, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(io_write(&rig, b, 1, 0, 1, buf), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(io_write(&rig, a, 0, 0, 1, buf), STATUS_GOOD);
	assert_int_equal(io_six(&rig, &c, b, 1, inquiry, buf, 36), STATUS_GOOD);
	/* Not another's to release. */
	assert_int_equal(io_six(&rig, &c, b, 1, leave, NULL, 0), STATUS_GOOD);
	assert_int_equal(io_tur(&rig, &c, b, 1), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(io_six(&rig, &c, a, 0, leave, NULL, 0), STATUS_GOOD);
	assert_int_equal(io_tur(&rig, &c, b, 1), STATUS_GOOD);
	/* A reset ends it, and so does the loss of the nexus. */
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	assert_int_equal(tmf_run(&rig, &t, b, 1, TMF_LOGICAL_UNIT_RESET, 0), TMF_FUNCTION_COMPLETE);
	settle();
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	rig_logout(a);
	assert_int_equal(io_tur(&rig, &c, b, 1), STATUS_GOOD);
	a = rig_login(&rig, "iqn.a", 0);
}

/* A write whose data come after another nexus has reserved the LU does not land. */
static void late_reservation(void **state)
{
	static const uint8_t take[6] = { OP_RESERVE_6 };
	uint8_t buf[512], back[512], zero[512] = { 0 };
	struct loopback_cmd c, w;

	settle();
	memset(buf, 0x77, sizeof(buf));
	io_init(&rig, &w, b, 1);
	io_blocks(&w, OP_WRITE_16, 0, 1, buf, 512);
	w.data_mode = LOOPBACK_LATE;
	loopback_start(&w);
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	loopback_send_data(&w);
	io_wait(&w);
	assert_int_equal(w.status, STATUS_RESERVATION_CONFLICT);
	io_read(&rig, a, 0, 0, 1, back);
	assert_memory_equal(back, zero, 512);
}

enum { SELECT_BYTES = 4 + 12 };

/* MODE SELECT(6) of the control page with D_SENSE set. */
static void select_d_sense(
	struct loopback_cmd *c, struct loopback *lb, unsigned loop, uint8_t list[SELECT_BYTES])
{
	memset(list, 0, SELECT_BYTES);
	list[4] = 0x0a;
	list[4 + 1] = 10;
	list[4 + 2] = 0x06; /* D_SENSE, GLTSD */
	list[4 + 3] = 0x10; /* QAM */
	list[4 + 5] = 0x40; /* TAS as it is */
	put_be16(list + 4 + 8, 0xffff);
	io_init(&rig, c, lb, loop);
	c->cdb_len = 6;
	c->cdb[0] = OP_MODE_SELECT_6;
	c->cdb[1] = 0x10;
	c->cdb[4] = SELECT_BYTES;
	c->out = list;
	c->out_bytes = SELECT_BYTES;
}

/* What writes nothing was checked before it was enabled, and is not ended by what comes later. */
static void late_reservation_of_select(void **state)
{
	static const uint8_t take[6] = { OP_RESERVE_6 };
	uint8_t list[SELECT_BYTES];
	struct loopback_cmd c, w;

	settle();
	select_d_sense(&w, b, 1, list);
	list[4 + 2] = 0x02; /* as it is */
	w.data_mode = LOOPBACK_LATE;
	loopback_start(&w);
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	loopback_send_data(&w);
	io_wait(&w);
	assert_int_equal(w.status, STATUS_GOOD);
	/* But one that comes later is. */
	select_d_sense(&w, b, 1, list);
	io_run(&w);
	assert_int_equal(w.status, STATUS_RESERVATION_CONFLICT);
}

static void mode_select(void **state)
{
	uint8_t list[SELECT_BYTES];
	struct loopback_cmd c;

	settle();
	select_d_sense(&c, a, 0, list);
	io_run(&c);
	io_good(&c);
	/* Descriptor format is in force, and the other nexus is told. */
	io_tur(&rig, &c, b, 1);
	assert_int_equal(c.status, STATUS_CHECK_CONDITION);
	assert_int_equal(c.sense[0], 0x72);
	assert_int_equal(c.sense[1], KEY_UNIT_ATTENTION);
	assert_int_equal(c.sense[2], 0x2a);
	assert_int_equal(c.sense[3], 0x01);
	assert_int_equal(io_tur(&rig, &c, a, 0), STATUS_GOOD);
}

/* TRANSFER LENGTH 0 writes nothing, whatever has come with the command. */
static void write_nothing(void **state)
{
	uint8_t buf[512], back[512], zero[512] = { 0 };
	struct loopback_cmd c;

	settle();
	memset(buf, 0xee, sizeof(buf));
	io_init(&rig, &c, a, 0);
	io_blocks(&c, OP_WRITE_16, 3, 0, buf, 512);
	c.data_mode = LOOPBACK_IMMEDIATE;
	assert_int_equal(io_run(&c), STATUS_GOOD);
	assert_int_equal(c.residual_out_kind, RESIDUAL_UNDERFLOW);
	assert_int_equal(c.residual_out, 512);
	io_read(&rig, a, 0, 3, 1, back);
	assert_memory_equal(back, zero, 512);
}

/* PARAMETER LIST LENGTH 0 selects nothing (SPC-4 6.11). */
static void select_nothing(void **state)
{
	uint8_t list[24] = { 0 };
	struct loopback_cmd c;

	settle();
	memset(list, 0xff, sizeof(list));
	io_init(&rig, &c, a, 0);
	c.cdb_len = 6;
	c.cdb[0] = OP_MODE_SELECT_6;
	c.cdb[1] = 0x10;
	c.out = list;
	c.out_bytes = sizeof(list);
	c.data_mode = LOOPBACK_IMMEDIATE;
	assert_int_equal(io_run(&c), STATUS_GOOD);
}

/* Memory for the range is given back in all of its parts: rig_done() counts. */
static void verify_long(void **state)
{
	struct loopback_cmd c;

	settle();
	io_init(&rig, &c, a, 0);
	c.cdb[0] = OP_VERIFY_16;
	assert_int_equal(lu_resize(lu, 2 << 20, false, &(struct errmsg){ .text = "" }), 0);
	settle();
	put_be32(c.cdb + 10, 2049);
	assert_int_equal(io_run(&c), STATUS_GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ua_order, setup, teardown),
		cmocka_unit_test_setup_teardown(ua_of_request_sense, setup, teardown),
		cmocka_unit_test_setup_teardown(ua_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(field_pointers, setup, teardown),
		cmocka_unit_test_setup_teardown(unmapped, setup, teardown),
		cmocka_unit_test_setup_teardown(residuals, setup, teardown),
		cmocka_unit_test_setup_teardown(reserve, setup, teardown),
		cmocka_unit_test_setup_teardown(late_reservation, setup, teardown),
		cmocka_unit_test_setup_teardown(late_reservation_of_select, setup, teardown),
		cmocka_unit_test_setup_teardown(mode_select, setup, teardown),
		cmocka_unit_test_setup_teardown(write_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(select_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(verify_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
