/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pr_test.c: persistent reservations over real commands (SPC-4 5.12): what each service action does
 * to whom, what is told of it, and what is kept and what is not over losses and resets.
 */
#include "engine/pr/three_testkit.h"

#include <errno.h>

/* ---- who may do what ------------------------------------------------------------------------ */

/* SPC-4 table 66, for types x (holder, registrant, none). */
static void access_by_type(void **state)
{
	static const struct {
		uint8_t type;
		bool registrant, write, read; /* may a registrant; may anybody else write, read */
	} t[] = {
		{ WE, false, false, true },
		{ EA, false, false, false },
		{ WE_RO, true, false, true },
		{ EA_RO, true, false, false },
		{ WE_AR, true, false, true },
		{ EA_AR, true, false, false },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t no = STATUS_RESERVATION_CONFLICT;
		uint8_t read = t[i].read ? STATUS_GOOD : no;
		uint8_t mine = t[i].registrant ? STATUS_GOOD : no;

		pr_register(&rig, a, 0, KEY_A);
		pr_register(&rig, b, 1, KEY_B);
		pr_reserve(&rig, a, 0, KEY_A, t[i].type);
		assert_int_equal(write_at(a, 0), STATUS_GOOD);
		assert_int_equal(read_status(a), STATUS_GOOD);
		assert_int_equal(write_at(b, 0), mine);
		assert_int_equal(read_status(b), t[i].registrant ? STATUS_GOOD : read);
		assert_int_equal(write_at(c, 0), no);
		assert_int_equal(read_status(c), read);
		assert_int_equal(six(c, OP_TEST_UNIT_READY, 0), STATUS_GOOD);
		assert_int_equal(six(c, OP_MODE_SENSE_6, 0), read);
		/* START is let through, stopping is not (SBC-3). */
		assert_int_equal(six(c, OP_START_STOP_UNIT, 0x01), STATUS_GOOD);
		assert_int_equal(six(c, OP_START_STOP_UNIT, 0x00), no);
		assert_int_equal(six(c, OP_START_STOP_UNIT, 0x31), no);
		assert_int_equal(six(b, OP_START_STOP_UNIT, 0x00), mine);
		assert_int_equal(out(a, SA_CLEAR, 0, KEY_A, 0), STATUS_GOOD);
		ATTENTIONS(b, SENSE_RESERVATIONS_PREEMPTED);
		NO_ATTENTION(c);
		NO_ATTENTION(a);
		assert_int_equal(write_at(c, 0), STATUS_GOOD);
	}
}

static void conflicts_counted(void **state)
{
	struct lu_stats before, after;

	lu_get_stats(lu, &before);
	pr_register(&rig, a, 0, KEY_A);
	pr_reserve(&rig, a, 0, KEY_A, EA);
	assert_int_equal(write_at(b, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(read_status(c), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(out(c, SA_RESERVE, EA, KEY_C, 0), STATUS_RESERVATION_CONFLICT);
	lu_get_stats(lu, &after);
	assert_int_equal(after.conflicts - before.conflicts, 3);
}

static void prevention(void **state)
{
	static const uint8_t no = STATUS_RESERVATION_CONFLICT;

	lu->attribs.removable = 1;
	assert_int_equal(lu_refresh(lu), 0);
	assert_int_equal(six(b, OP_PREVENT_ALLOW_MEDIUM_REMOVAL, 1), STATUS_GOOD);
	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	pr_reserve(&rig, a, 0, KEY_A, WE);
	assert_int_equal(six(c, OP_PREVENT_ALLOW_MEDIUM_REMOVAL, 1), no);
	assert_int_equal(six(c, OP_PREVENT_ALLOW_MEDIUM_REMOVAL, 0), STATUS_GOOD);
	assert_int_equal(atomic_load(&lu->prevent_count), 1);
	/* Ejecting is stopping; loading is not. */
	assert_int_equal(six(c, OP_START_STOP_UNIT, 0x02), no);
	assert_int_equal(six(c, OP_START_STOP_UNIT, 0x03), STATUS_CHECK_CONDITION);
	/* PREEMPT leaves it, PREEMPT AND ABORT does not (5.12.11.3). */
	assert_int_equal(out(a, SA_PREEMPT, WE, KEY_A, KEY_B), STATUS_GOOD);
	assert_int_equal(atomic_load(&lu->prevent_count), 1);
	ATTENTIONS(b, SENSE_REGISTRATIONS_PREEMPTED);
	pr_register(&rig, b, 1, KEY_B);
	assert_int_equal(out(a, SA_PREEMPT_AND_ABORT, WE, KEY_A, KEY_B), STATUS_GOOD);
	assert_int_equal(atomic_load(&lu->prevent_count), 0);
	assert_int_equal(six(a, OP_START_STOP_UNIT, 0x02), STATUS_GOOD);
}

/* ---- service actions ------------------------------------------------------------------------ */

static void registering(void **state)
{
	assert_int_equal(out(a, SA_RESERVE, WE, KEY_A, 0), STATUS_RESERVATION_CONFLICT);
	pr_register(&rig, a, 0, KEY_A);
	assert_int_equal(pr_keys(&rig, b, 1), 1);
	/* Another key needs the one before it; IGNORE EXISTING KEY does not. */
	assert_int_equal(out(a, SA_REGISTER, 0, 0, KEY_C), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(out(a, SA_REGISTER, 0, KEY_A, KEY_C), STATUS_GOOD);
	assert_int_equal(out(a, SA_REGISTER_AND_IGNORE_EXISTING_KEY, 0, 77, KEY_A), STATUS_GOOD);
	pr_reserve(&rig, a, 0, KEY_A, WE_RO);
	pr_register(&rig, b, 1, KEY_B);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
	/* The holder unregisters: released, and registrants are told so (5.12.11.2.3). */
	assert_int_equal(out(a, SA_REGISTER, 0, KEY_A, 0), STATUS_GOOD);
	assert_int_equal(pr_reserved(&rig, c, 2, NULL), RESERVATION_NONE);
	ATTENTIONS(b, SENSE_RESERVATIONS_RELEASED);
	NO_ATTENTION(c);
	assert_int_equal(pr_keys(&rig, c, 2), 1);
}

static void releasing(void **state)
{
	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	pr_reserve(&rig, a, 0, KEY_A, WE_RO);
	/* Of who holds nothing it is GOOD and does nothing; with another type it is an error. */
	assert_int_equal(out(b, SA_RELEASE, WE_RO, KEY_B, 0), STATUS_GOOD);
	assert_int_equal(out(a, SA_RELEASE, EA, KEY_A, 0), STATUS_CHECK_CONDITION);
	assert_int_equal(pr_reserved(&rig, c, 2, NULL), WE_RO);
	assert_int_equal(out(a, SA_RELEASE, WE_RO, KEY_A, 0), STATUS_GOOD);
	assert_int_equal(pr_reserved(&rig, c, 2, NULL), RESERVATION_NONE);
	ATTENTIONS(b, SENSE_RESERVATIONS_RELEASED);
	NO_ATTENTION(a);
	assert_int_equal(write_at(c, 0), STATUS_GOOD);
}

static void preempting(void **state)
{
	uint64_t key = 0;

	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	pr_register(&rig, c, 2, KEY_C);
	pr_reserve(&rig, a, 0, KEY_A, WE_RO);
	assert_int_equal(out(b, SA_PREEMPT, EA_RO, KEY_B, KEY_A), STATUS_GOOD);
	assert_int_equal(pr_reserved(&rig, b, 1, &key), EA_RO);
	assert_int_equal(key, KEY_B);
	ATTENTIONS(a, SENSE_REGISTRATIONS_PREEMPTED);
	/* The type has changed: those who stay are told (5.12.11.2.4). */
	ATTENTIONS(c, SENSE_RESERVATIONS_RELEASED);
	NO_ATTENTION(b);
	assert_int_equal(read_status(a), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(write_at(c, 0), STATUS_GOOD);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
	/* A key that nobody has. */
	assert_int_equal(out(b, SA_PREEMPT, EA_RO, KEY_B, 0x77), STATUS_RESERVATION_CONFLICT);
}

/* Over a port of its own: ALL_TG_PT is one registration for each of them. */
static void all_target_ports(void **state)
{
	struct port_lun *pl;
	struct loopback *far;
	struct loopback_cmd r;
	struct port *port;
	struct errmsg err;
	struct prout p;

	errmsg_init(&err);
	assert_int_equal(port_new(rig.eng, &loopback_ops, "naa.test", "naa.test,t,0x0002", 2, NULL,
				 NULL, &port),
		0);
	port->generate_node_acls = 1;
	port->demo_mode_write_protect = 0;
	assert_int_equal(port_lun_add(port, 5, &pl, &err), 0);
	assert_int_equal(port_lun_link(pl, lu, "link", &err), 0);
	assert_int_equal(loopback_login(port, "iqn.a", rig_loop(&rig, 1), &far), 0);
	io_settle(&rig, far, 5);
	prout_init(&rig, &p, a, 0, SA_REGISTER, 0, 0, KEY_A);
	p.list[20] = PR_ALL_TG_PT;
	assert_int_equal(io_run(&p.c), STATUS_GOOD);
	assert_int_equal(pr_keys(&rig, b, 1), 2);
	pr_reserve(&rig, a, 0, KEY_A, EA_RO);
	io_init(&rig, &r, far, 1);
	r.lun = 5;
	io_blocks(&r, OP_WRITE_16, 0, 1, buf, 512);
	io_run(&r);
	io_good(&r);
	assert_int_equal(write_at(b, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(out(a, SA_CLEAR, 0, KEY_A, 0), STATUS_GOOD);
	rig_logout(far);
	assert_int_equal(port_lun_unlink(pl, &err), 0);
	assert_int_equal(port_lun_remove(pl, &err), 0);
	assert_int_equal(port_free(port, &err), 0);
}

static void list_lengths(void **state)
{
	static const uint32_t bad[] = { 0, 8, 23, 25, 48, PROUT_MAX_BYTES + 1, 0xffffffff };
	static uint8_t list[64];
	struct loopback_cmd r;

	put_be64(list + 8, KEY_A);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		io_init(&rig, &r, a, 0);
		r.cdb_len = 10;
		r.cdb[0] = OP_PERSISTENT_RESERVE_OUT;
		put_be32(r.cdb + 5, bad[i]);
		r.out = list;
		r.out_bytes = bad[i] < sizeof(list) ? bad[i] : sizeof(list);
		io_run(&r);
		io_sense(&r, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	}
	/* The CDB speaks of more than the initiator has. */
	io_init(&rig, &r, a, 0);
	r.cdb_len = 10;
	r.cdb[0] = OP_PERSISTENT_RESERVE_OUT;
	put_be32(r.cdb + 5, PROUT_BASIC_BYTES);
	r.out = list;
	r.out_bytes = 16;
	io_run(&r);
	io_sense(&r, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	assert_int_equal(pr_keys(&rig, a, 0), 0);
}

/* Without a place to keep it APTPL is refused, and nothing else is claimed. */
static void aptpl_refused(void **state)
{
	struct prout p;
	uint8_t cap[8];

	prout_init(&rig, &p, a, 0, SA_REGISTER, 0, 0, KEY_A);
	p.list[20] = PR_APTPL;
	io_run(&p.c);
	io_sense(&p.c, SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
	assert_int_equal(pr_keys(&rig, a, 0), 0);
	prin_run(&rig, a, 0, SA_REPORT_CAPABILITIES, cap, sizeof(cap));
	assert_int_equal(cap[2] & 0x01, 0); /* PTPL_C */
	assert_int_equal(cap[3] & 0x01, 0); /* PTPL_A */
	/* Neither is it taken from an attribute that forces it. */
	lu->attribs.force_pr_aptpl = 1;
	assert_int_equal(lu_refresh(lu), 0);
	prout_init(&rig, &p, a, 0, SA_REGISTER, 0, 0, KEY_A);
	io_run(&p.c);
	io_sense(&p.c, SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
}

static void reports(void **state)
{
	uint8_t in[256];

	assert_int_equal(prin_run(&rig, c, 2, SA_REPORT_CAPABILITIES, in, sizeof(in)), 8);
	assert_int_equal(get_be16(in), 8);
	assert_int_equal(in[2], 0x80 | 0x10 | 0x08 | 0x04); /* RLR_C, CRH, SIP_C, ATP_C */
	assert_int_equal(in[3], 0x80 | 3 << 4); /* TMV, ALLOW COMMANDS */
	assert_int_equal(get_be16(in + 4), 0xea01);
	assert_int_equal(prin_run(&rig, c, 2, SA_READ_KEYS, in, sizeof(in)), 8);
	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	pr_reserve(&rig, b, 1, KEY_B, WE_RO);
	assert_int_equal(prin_run(&rig, c, 2, SA_READ_KEYS, in, sizeof(in)), 24);
	assert_int_equal(get_be32(in), 2); /* PRGENERATION: RESERVE counts not */
	assert_int_equal(get_be32(in + 4), 16);
	assert_int_equal(get_be64(in + 8), KEY_A);
	assert_int_equal(get_be64(in + 16), KEY_B);
	/* Cut off at the allocation length, the length is the whole one. */
	memset(in, 0xff, sizeof(in));
	assert_int_equal(prin_run(&rig, c, 2, SA_READ_KEYS, in, 11), 11);
	assert_int_equal(get_be32(in + 4), 16);
	assert_int_equal(in[10], 0);
	assert_int_equal(in[11], 0xff);
	assert_int_equal(prin_run(&rig, c, 2, SA_READ_RESERVATION, in, sizeof(in)), 24);
	assert_int_equal(get_be64(in + 8), KEY_B);
	assert_int_equal(in[21], WE_RO);
	assert_int_equal(
		prin_run(&rig, c, 2, SA_READ_FULL_STATUS, in, sizeof(in)), 8 + 2 * (24 + 24));
	assert_int_equal(get_be32(in + 4), 2 * 48);
	assert_int_equal(get_be64(in + 8), KEY_A);
	assert_int_equal(in[8 + 12], 0); /* no holder */
	assert_int_equal(get_be16(in + 8 + 18), rig.port->rtpi);
	assert_string_equal((char *)in + 8 + 24 + 4, "iqn.a");
	assert_int_equal(in[56 + 12], 0x01); /* R_HOLDER */
	assert_int_equal(in[56 + 13], WE_RO);
	assert_string_equal((char *)in + 56 + 24 + 4, "iqn.b");
	assert_int_equal(prin_run(&rig, c, 2, SA_READ_FULL_STATUS, in, 60), 60);
}

/* ---- RESERVE and RELEASE: SPC-4 5.12.3, SPC-2 5.5.1 ----------------------------------------- */

static void compatible(void **state)
{
	static const uint8_t ops[] = { OP_RESERVE_6, OP_RELEASE_6 };
	struct loopback_cmd r;

	/* Reserved by SPC-2: all of PERSISTENT RESERVE conflicts, also its holder's. */
	assert_int_equal(six(a, OP_RESERVE_6, 0), STATUS_GOOD);
	assert_int_equal(out(a, SA_REGISTER, 0, 0, KEY_A), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(out(b, SA_REGISTER, 0, 0, KEY_B), STATUS_RESERVATION_CONFLICT);
	for (unsigned i = 0; i < 2; i++) {
		io_init(&rig, &r, i ? b : a, 0);
		r.cdb_len = 10;
		r.cdb[0] = OP_PERSISTENT_RESERVE_IN;
		assert_int_equal(io_run(&r), STATUS_RESERVATION_CONFLICT);
	}
	assert_int_equal(six(a, OP_RELEASE_6, 0), STATUS_GOOD);
	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(six(a, ops[i], 0), STATUS_RESERVATION_CONFLICT);
		pr_reserve(&rig, a, 0, KEY_A, WE);
		assert_int_equal(six(a, ops[i], 0), STATUS_GOOD);
		assert_int_equal(six(b, ops[i], 0), STATUS_RESERVATION_CONFLICT);
		assert_int_equal(six(c, ops[i], 0), STATUS_RESERVATION_CONFLICT);
		assert_int_equal(out(a, SA_RELEASE, WE, KEY_A, 0), STATUS_GOOD);
		pr_reserve(&rig, a, 0, KEY_A, WE_RO);
		assert_int_equal(six(b, ops[i], 0), STATUS_GOOD);
		assert_int_equal(six(c, ops[i], 0), STATUS_RESERVATION_CONFLICT);
		assert_int_equal(pr_reserved(&rig, c, 2, NULL), WE_RO);
		assert_null(atomic_load(&lu->reserve6));
		assert_int_equal(out(a, SA_RELEASE, WE_RO, KEY_A, 0), STATUS_GOOD);
		ATTENTIONS(b, SENSE_RESERVATIONS_RELEASED);
	}
}

static void emulate_pr(void **state)
{
	struct loopback_cmd r;

	pr_register(&rig, a, 0, KEY_A);
	pr_reserve(&rig, a, 0, KEY_A, EA);
	assert_int_equal(write_at(b, 0), STATUS_RESERVATION_CONFLICT);
	lu->attribs.emulate_pr = 0;
	assert_int_equal(lu_refresh(lu), 0);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
	assert_int_equal(out(a, SA_RELEASE, EA, KEY_A, 0), STATUS_CHECK_CONDITION);
	io_init(&rig, &r, a, 0);
	r.cdb_len = 10;
	r.cdb[0] = OP_PERSISTENT_RESERVE_IN;
	io_run(&r);
	io_sense(&r, SENSE_INVALID_OPERATION_CODE);
	assert_int_equal(six(a, OP_RESERVE_6, 0), STATUS_CHECK_CONDITION);
	lu->attribs.emulate_pr = 1;
	assert_int_equal(lu_refresh(lu), 0);
	assert_int_equal(write_at(b, 0), STATUS_RESERVATION_CONFLICT);
}

/* ---- what stays ----------------------------------------------------------------------------- */

static void relogin(void **state)
{
	struct loopback_cmd r;

	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	pr_reserve(&rig, a, 0, KEY_A, EA_RO);
	rig_logout(a);
	rig_logout(b);
	rig_logout(c);
	b = rig_login(&rig, "iqn.b", 1);
	c = rig_login(&rig, "iqn.c", 0);
	/* From the first command on, once the power on condition is told. */
	io_tur(&rig, &r, c, 0);
	io_sense(&r, SENSE_POWER_ON_OR_RESET);
	io_tur(&rig, &r, b, 0);
	io_sense(&r, SENSE_POWER_ON_OR_RESET);
	assert_int_equal(write_at(c, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
	/* What happened to a while it was away is not told: SAM-5 5.14, it has no nexus. */
	assert_int_equal(out(b, SA_PREEMPT, EA_RO, KEY_B, KEY_A), STATUS_GOOD);
	a = rig_login(&rig, "iqn.a", 0);
	ATTENTIONS(a, SENSE_POWER_ON_OR_RESET);
	assert_int_equal(write_at(a, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(pr_keys(&rig, a, 0), 1);
}

static void resets(void **state)
{
	static const uint8_t functions[] = { TMF_LOGICAL_UNIT_RESET, TMF_TARGET_WARM_RESET,
		TMF_TARGET_COLD_RESET };
	struct loopback_tmf t;

	pr_register(&rig, a, 0, KEY_A);
	pr_reserve(&rig, a, 0, KEY_A, WE);
	for (unsigned i = 0; i < sizeof(functions); i++) {
		assert_int_equal(tmf_run(&rig, &t, b, 1, functions[i], 0), TMF_FUNCTION_COMPLETE);
		ATTENTIONS(b, SENSE_BUS_DEVICE_RESET);
		assert_int_equal(write_at(b, 0), STATUS_RESERVATION_CONFLICT);
		assert_int_equal(pr_keys(&rig, b, 1), 1);
	}
	ATTENTIONS(a, SENSE_BUS_DEVICE_RESET);
	assert_int_equal(out(a, SA_CLEAR, 0, KEY_A, 0), STATUS_GOOD);
	/* That of SPC-2 does not stay. */
	assert_int_equal(six(a, OP_RESERVE_6, 0), STATUS_GOOD);
	assert_int_equal(tmf_run(&rig, &t, b, 1, TMF_LOGICAL_UNIT_RESET, 0), TMF_FUNCTION_COMPLETE);
	ATTENTIONS(b, SENSE_BUS_DEVICE_RESET);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
}

static void admin(void **state)
{
	struct pr_nexus who = { "iqn.a", "iqn.a", "naa.test", 1, 1 };
	struct pr_state *copy;
	struct errmsg err;

	errmsg_init(&err);
	assert_int_equal(pr_clear_admin(lu, &err), 0);
	assert_int_equal(pr_drop_admin(lu, &who, &err), -ENOENT);
	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	pr_register(&rig, c, 2, KEY_C);
	pr_reserve(&rig, a, 0, KEY_A, WE_RO);
	assert_int_equal(pr_copy(lu, &copy), 0);
	assert_int_equal(copy->n, 3);
	assert_string_equal(copy->r[0]->nexus.initiator, "iqn.a");
	assert_int_equal(pr_import(lu, copy, &err), -EBUSY);
	pr_state_free(copy);
	assert_int_equal(pr_drop_admin(lu, &who, &err), 0);
	assert_int_equal(pr_count(lu), 2);
	ATTENTIONS(a, SENSE_REGISTRATIONS_PREEMPTED);
	ATTENTIONS(b, SENSE_RESERVATIONS_RELEASED);
	assert_int_equal(pr_clear_admin(lu, &err), 0);
	assert_int_equal(pr_count(lu), 0);
	ATTENTIONS(c, SENSE_RESERVATIONS_RELEASED, SENSE_RESERVATIONS_PREEMPTED);
	assert_int_equal(write_at(a, 0), STATUS_GOOD);
}

/* A state that was kept is there before any initiator is. */
static void imported(void **state)
{
	struct pr_registration r = { .nexus = { "iqn.b", "iqn.b", "naa.test", 1, 1 },
		.key = KEY_B };
	struct pr_state *kept = pr_state_new();
	struct errmsg err;
	struct port_lun *pl;

	errmsg_init(&err);
	assert_int_equal(pr_state_add(kept, &r), 0);
	pr_state_reserve(kept, 0, RESERVATION_LU_SCOPE, EA);
	assert_ptr_equal(rig_unmap(&rig, 0), lu);
	assert_int_equal(pr_import(lu, kept, &err), 0);
	assert_int_equal(port_lun_add(rig.port, 0, &pl, &err), 0);
	assert_int_equal(port_lun_link(pl, lu, "link", &err), 0);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
	assert_int_equal(write_at(a, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
}

#define T(test, set) cmocka_unit_test_setup_teardown(test, set, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(access_by_type, setup),
		T(conflicts_counted, setup),
		T(prevention, setup),
		T(registering, setup),
		T(releasing, setup),
		T(preempting, setup),
		T(all_target_ports, setup),
		T(list_lengths, setup),
		T(aptpl_refused, setup),
		T(reports, setup),
		T(compatible, setup),
		T(emulate_pr, setup),
		T(relogin, setup),
		T(resets, setup),
		T(admin, setup),
		T(imported, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
