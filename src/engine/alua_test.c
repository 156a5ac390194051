/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_test.c: asymmetric access as initiators see it: each state against each command of the
 * table, with what SPC-4 5.15.2.4 allows written down here; REPORT and SET TARGET PORT GROUPS byte
 * by byte and with all refusals; unit attentions; delays. In the simulator.
 */
#include "engine/alua_testkit.h"

#include "engine/optable.h"

/* ---- states and commands -------------------------------------------------------------------- */

enum { S = 1, U = 2, T = 4, O = 8 }; /* standby, unavailable, transitioning, offline */

/*
 * What runs in which state. SPC-4 5.15.2.4.4 (standby), 5.15.2.4.5 (unavailable), 5.15.2.5
 * (transitions) name the rows above the line; "the device server may support other commands" are
 * those below it. Offline ports answer what SAM-5 wants of each LUN, and tell how things stand.
 */
static const struct {
	const char *name;
	unsigned in;
} allowed[] = {
	{ "INQUIRY", S | U | T | O },
	{ "REPORT LUNS", S | U | T | O },
	{ "REQUEST SENSE", S | U | T | O },
	{ "REPORT TARGET PORT GROUPS", S | U | T | O },
	{ "SET TARGET PORT GROUPS", S | U },
	{ "LOG SELECT", S },
	{ "LOG SENSE", S },
	{ "MODE SELECT(6)", S },
	{ "MODE SELECT(10)", S },
	{ "MODE SENSE(6)", S },
	{ "MODE SENSE(10)", S },
	{ "RECEIVE DIAGNOSTIC RESULTS", S },
	{ "SEND DIAGNOSTIC", S },
	{ "PERSISTENT RESERVE IN", S },
	{ "PERSISTENT RESERVE OUT", S },
	/* */
	{ "READ CAPACITY(10)", S },
	{ "READ CAPACITY(16)", S },
	{ "REPORT SUPPORTED OPERATION CODES", S },
	{ "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", S },
};

static unsigned allowed_in(const char *name)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		size_t n = strlen(allowed[i].name);

		/* "PERSISTENT RESERVE IN, READ KEYS" and its kin are one row here. */
		if (!strncmp(allowed[i].name, name, n) &&
			(!name[n] || !strncmp(name, "PERSISTENT", 10)))
			return allowed[i].in;
	}
	return 0;
}

/* The command with its fields at 0 but where lengths are: what it answers else does not matter. */
static void run_row(struct loopback_cmd *c, struct loopback *lb, const struct op_row *row)
{
	static uint8_t in[4096], out[512];
	uint8_t cdb[32] = { row->opcode };

	if (row->sa != NO_SA && row->opcode != 0x7f)
		cdb[1] = (uint8_t)row->sa;
	if (row->opcode == OP_INQUIRY || row->opcode == OP_REQUEST_SENSE)
		cdb[4] = 96;
	if (row->opcode == OP_REPORT_LUNS)
		cdb[9] = 64;
	run_cdb(c, lb, 0, cdb, row->cdb_len, row->rules & RULE_DATA_IN ? in : NULL,
		row->rules & RULE_DATA_IN ? sizeof(in) : 0, row->rules & RULE_DATA_OUT ? out : NULL,
		row->rules & RULE_DATA_OUT ? sizeof(out) : 0);
}

static void walk(uint8_t state, unsigned bit, enum sense_name sense)
{
	const struct op_row *row;
	struct lu_conf conf;
	unsigned ran = 0, barred = 0;

	lu_get_conf(lu, &conf);
	for (unsigned i = 0; (row = op_at(i)); i++) {
		struct loopback_cmd c;
		bool runs = !bit || allowed_in(row->name) & bit;

		if (row->present && !row->present(&conf))
			continue;
		run_row(&c, b, row);
		if (runs ? stopped(&c) : !says(&c, sense))
			fail_msg("state %u, %s: status %02x, sense %02x %02x/%02x", state,
				row->name, c.status, c.sense[2], c.sense[12], c.sense[13]);
		if (runs)
			ran++;
		else
			barred++;
	}
	assert_true(ran >= 4);
	assert_int_equal(!barred, !bit);
}

static void each_state(void **state)
{
	static const struct {
		uint8_t state;
		unsigned bit;
		enum sense_name sense;
	} cases[] = {
		{ TPG_ACTIVE_NONOPTIMIZED, 0, SENSE_NO_SENSE },
		{ TPG_STANDBY, S, SENSE_ALUA_STANDBY },
		{ TPG_UNAVAILABLE, U, SENSE_ALUA_UNAVAILABLE },
		{ TPG_TRANSITIONING, T, SENSE_ALUA_TRANSITION },
		{ TPG_OFFLINE, O, SENSE_LU_OFFLINE },
		{ TPG_ACTIVE_OPTIMIZED, 0, SENSE_NO_SENSE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct loopback_cmd c;

		set_state(g1, cases[i].state);
		hear(b, SENSE_ALUA_STATE_CHANGED);
		hear(a, SENSE_ALUA_STATE_CHANGED);
		walk(cases[i].state, cases[i].bit, cases[i].sense);
		/* The other group's paths are as they were. */
		io_tur(&rig, &c, a, 0);
		io_good(&c);
	}
}

static void offline_port(void **state)
{
	struct port_lun *pl = port_lun_find(second, 0);
	struct loopback_cmd c;
	uint8_t in[64];

	OK(alua_set_offline(pl, true, &err));
	hear(b, SENSE_ALUA_STATE_CHANGED);
	hear(a, SENSE_ALUA_STATE_CHANGED);
	walk(TPG_OFFLINE, O, SENSE_LU_OFFLINE);
	/* Reported as a secondary group besides the primary ones (5.15.2.10). */
	rtpg(&c, a, 0, in, sizeof(in));
	io_good(&c);
	assert_int_equal(get_be32(in), 36);
	assert_int_equal(in[4 + 24], TPG_OFFLINE);
	assert_int_equal(in[4 + 25], TPG_O_SUP);
	assert_int_equal(get_be16(in + 4 + 26), 0xffff);
	assert_int_equal(get_be16(in + 4 + 34), second->rtpi);
	OK(alua_set_offline(pl, false, &err));
	hear(b, SENSE_ALUA_STATE_CHANGED);
	hear(a, SENSE_ALUA_STATE_CHANGED);
	io_tur(&rig, &c, b, 0);
	io_good(&c);
}

/* What INQUIRY and REQUEST SENSE say of a path: SPC-4 5.15.2.4.5, 6.39. */
static void qualifier(void **state)
{
	static const uint8_t inquiry[6] = { OP_INQUIRY, 0, 0, 0, 96 };
	static const uint8_t request[6] = { OP_REQUEST_SENSE, 0, 0, 0, 96 };
	static const struct {
		uint8_t state, qualifier;
		enum sense_name sense;
	} cases[] = {
		{ TPG_STANDBY, 0x00, SENSE_ALUA_STANDBY },
		{ TPG_UNAVAILABLE, 0x20, SENSE_LU_NOT_SUPPORTED },
		{ TPG_TRANSITIONING, 0x00, SENSE_ALUA_TRANSITION },
		{ TPG_OFFLINE, 0x20, SENSE_LU_NOT_SUPPORTED },
		{ TPG_ACTIVE_OPTIMIZED, 0x00, SENSE_NO_SENSE },
	};
	struct loopback_cmd c;
	uint8_t in[96];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_state(g1, cases[i].state);
		hear(b, SENSE_ALUA_STATE_CHANGED);
		run_cdb(&c, b, 0, inquiry, 6, in, sizeof(in), NULL, 0);
		io_good(&c);
		assert_int_equal(in[0], cases[i].qualifier);
		assert_int_equal(in[5] & 0x30, 0x30); /* TPGS */
		run_cdb(&c, b, 0, request, 6, in, sizeof(in), NULL, 0);
		io_good(&c);
		assert_int_equal(in[2], sense_key(cases[i].sense));
		assert_int_equal(in[12], sense_asc(cases[i].sense));
		assert_int_equal(in[13], sense_ascq(cases[i].sense));
	}
}

/* ---- reports -------------------------------------------------------------------------------- */

static void reports(void **state)
{
	struct loopback_cmd c;
	uint8_t in[64];

	OK(alua_group_set_bool(g1, &g1->preferred, true));
	OK(alua_group_set_u32(g1, &g1->implicit_trans_s, 77));
	set_state(g1, TPG_STANDBY);
	hear(a, SENSE_ALUA_STATE_CHANGED);
	rtpg(&c, a, 0, in, sizeof(in));
	io_good(&c);
	const uint8_t want[] = { 0, 0, 0, 24, 0x00, 0xcf, 0, 0, 0, 0, 0, 1, 0, 0, 0,
		(uint8_t)rig.port->rtpi, 0x82, 0xcf, 1, 2, 0, 2, 0, 1, 0, 0, 0,
		(uint8_t)second->rtpi };
	assert_int_equal(c.in_moved, sizeof(want));
	assert_memory_equal(in, want, sizeof(want));
	rtpg(&c, a, 1, in, sizeof(in));
	io_good(&c);
	assert_int_equal(c.in_moved, sizeof(want) + 4);
	assert_int_equal(get_be32(in), 28);
	assert_int_equal(in[4], 0x10);
	assert_int_equal(in[5], 77);
	assert_memory_equal(in + 8, want + 4, sizeof(want) - 4);
	/* Cut off, and formats that there are not. */
	rtpg(&c, a, 0, in, 6);
	io_good(&c);
	assert_int_equal(c.in_moved, 6);
	assert_int_equal(get_be32(in), 24);
	for (uint8_t f = 2; f < 8; f++) {
		rtpg(&c, a, f, in, sizeof(in));
		io_sense(&c, SENSE_INVALID_FIELD_IN_CDB);
	}
	/* A group that no port is in is none. */
	OK(alua_move(port_lun_find(second, 0), g0, &err));
	hear(a, SENSE_ALUA_STATE_CHANGED);
	rtpg(&c, a, 0, in, sizeof(in));
	io_good(&c);
	assert_int_equal(get_be32(in), 16);
	assert_int_equal(in[11], 2);
}

/* The descriptor of that type in VPD page 83h; NULL: none. */
static const uint8_t *designator(const uint8_t *page, uint8_t type)
{
	const uint8_t *end = page + 4 + get_be16(page + 2);

	for (const uint8_t *d = page + 4; d < end; d += 4 + d[3])
		if ((d[1] & 0x0f) == type)
			return d;
	return NULL;
}

static void identification(void **state)
{
	static const uint8_t cdb[6] = { OP_INQUIRY, 1, 0x83, 4, 0, 0 };
	struct alua_lu_group *lg;
	struct loopback_cmd c;
	uint8_t in[1024];

	run_cdb(&c, b, 0, cdb, 6, in, sizeof(in), NULL, 0);
	io_good(&c);
	assert_non_null(designator(in, 4));
	assert_int_equal(get_be16(designator(in, 4) + 6), second->rtpi);
	assert_non_null(designator(in, 5));
	assert_int_equal(designator(in, 5)[1], 0x95); /* PIV, target port */
	assert_int_equal(get_be16(designator(in, 5) + 6), 0x102);
	assert_null(designator(in, 6));
	OK(alua_lu_group_new(rig.eng, "pair", &lg, &err));
	OK(alua_lu_group_set_id(lg, 0x304, &err));
	OK(alua_lu_group_join(lu, lg, &err));
	run_cdb(&c, a, 0, cdb, 6, in, sizeof(in), NULL, 0);
	io_good(&c);
	assert_int_equal(get_be16(designator(in, 4) + 6), rig.port->rtpi);
	assert_int_equal(get_be16(designator(in, 5) + 6), 0);
	assert_non_null(designator(in, 6));
	assert_int_equal(get_be16(designator(in, 6) + 6), 0x304);
	OK(alua_lu_group_free(lg, &err));
}

/* TPGS, the command table and SET TARGET PORT GROUPS follow from what the groups allow. */
static void access_types(void **state)
{
	static const uint8_t inquiry[6] = { OP_INQUIRY, 0, 0, 0, 96 };
	static const uint8_t list[] = { 0, 0, 0, 0, 2, 0, 1, 2 };
	struct loopback_cmd c;
	uint8_t in[96];

	for (uint8_t access = 0; access < 4; access++) {
		OK(alua_group_set_access(g0, access, &err));
		OK(alua_group_set_access(g1, access, &err));
		while (io_tur(&rig, &c, a, 0) && says(&c, SENSE_INQUIRY_DATA_HAS_CHANGED))
			;
		io_good(&c);
		run_cdb(&c, a, 0, inquiry, 6, in, sizeof(in), NULL, 0);
		io_good(&c);
		assert_int_equal(in[5] & 0x30, access << 4);
		rtpg(&c, a, 0, in, sizeof(in));
		if (access)
			io_good(&c);
		else
			io_sense(&c, SENSE_INVALID_FIELD_IN_CDB);
		stpg(&c, a, list, sizeof(list));
		if (access & ALUA_EXPLICIT) {
			io_good(&c);
			assert_int_equal(g1->state, TPG_STANDBY);
		} else {
			io_sense(&c, SENSE_INVALID_OPERATION_CODE);
			assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
		}
		g1->access = 3;
		errmsg_init(&err);
		set_state(g1, TPG_ACTIVE_OPTIMIZED);
		while (io_tur(&rig, &c, a, 0) && c.sense[2] == KEY_UNIT_ATTENTION)
			;
	}
	/* One group of it is enough; the other one is refused. */
	OK(alua_group_set_access(g0, ALUA_EXPLICIT, &err));
	OK(alua_group_set_access(g1, ALUA_IMPLICIT, &err));
	while (io_tur(&rig, &c, a, 0) && c.sense[2] == KEY_UNIT_ATTENTION)
		;
	stpg(&c, a, list, sizeof(list));
	io_sense(&c, SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
	assert_int_equal(get_be16(c.sense + 16), 6);
}

/* ---- SET TARGET PORT GROUPS ----------------------------------------------------------------- */

static void set_refused(void **state)
{
	static const struct {
		uint8_t list[12];
		unsigned n;
		enum sense_name sense;
		unsigned field; /* 0: none is looked at */
	} cases[] = {
		{ { 0 }, 1, SENSE_INVALID_FIELD_IN_CDB, 6 },
		{ { 0 }, 3, SENSE_INVALID_FIELD_IN_CDB, 6 },
		{ { 0 }, 6, SENSE_INVALID_FIELD_IN_CDB, 6 },
		{ { 1, 0, 0, 0, 2, 0, 1, 2 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 0 },
		{ { 0, 0, 0, 0, 0x12, 0, 1, 2 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 4 },
		{ { 0, 0, 0, 0, 2, 1, 1, 2 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 5 },
		{ { 0, 0, 0, 0, 2, 0, 1, 3 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 6 },
		{ { 0, 0, 0, 0, 4, 0, 1, 2 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 4 },
		{ { 0, 0, 0, 0, 5, 0, 1, 2 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 4 },
		{ { 0, 0, 0, 0, 14, 0, 1, 2 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 4 },
		{ { 0, 0, 0, 0, 15, 0, 1, 2 }, 8, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 4 },
		{ { 0, 0, 0, 0, 2, 0, 1, 2, 1, 0, 1, 2 }, 12, SENSE_INVALID_FIELD_IN_PARAMETER_LIST,
			10 },
		/* One that cannot be: none is changed. */
		{ { 0, 0, 0, 0, 2, 0, 1, 2, 1, 0, 0, 9 }, 12, SENSE_INVALID_FIELD_IN_PARAMETER_LIST,
			10 },
		{ { 0, 0, 0, 0, 2, 0, 1, 2, 3, 0, 0, 0 }, 12, SENSE_INVALID_FIELD_IN_PARAMETER_LIST,
			8 },
	};
	struct loopback_cmd c;

	OK(alua_group_set_u8(g0, &g0->supported, (uint8_t)(g0->supported & ~TPG_U_SUP)));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stpg(&c, a, cases[i].list, cases[i].n);
		io_sense(&c, cases[i].sense);
		assert_int_equal(get_be16(c.sense + 16), cases[i].field);
		assert_int_equal(g0->state, TPG_ACTIVE_OPTIMIZED);
		assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
	}
	/* Nothing to do, which is no error; and a list that is shorter than its length. */
	stpg(&c, a, NULL, 0);
	io_good(&c);
	stpg(&c, a, cases[0].list, 4);
	io_good(&c);
	io_init(&rig, &c, a, 0);
	memcpy(c.cdb, (uint8_t[12]){ 0xa4, 0x0a, [9] = 8 }, 12);
	c.cdb_len = 12;
	c.out = cases[3].list;
	c.out_bytes = 7;
	io_run(&c);
	io_sense(&c, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	/* Nobody has been told of anything. */
	io_tur(&rig, &c, b, 0);
	io_good(&c);
}

static void set_groups(void **state)
{
	static const uint8_t swap[] = { 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 2 };
	static const uint8_t back[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2 };
	struct loopback_cmd c;
	uint8_t in[64];

	stpg(&c, a, swap, sizeof(swap));
	io_good(&c);
	assert_int_equal(g0->state, TPG_STANDBY);
	assert_int_equal(g1->state, TPG_ACTIVE_NONOPTIMIZED);
	assert_int_equal(g0->status, TPG_STATUS_EXPLICIT);
	/* Who asked knows; the others are told. */
	io_tur(&rig, &c, a, 0);
	io_sense(&c, SENSE_ALUA_STANDBY);
	hear(b, SENSE_ALUA_STATE_CHANGED);
	io_tur(&rig, &c, b, 0);
	io_good(&c);
	rtpg(&c, a, 0, in, sizeof(in));
	io_good(&c);
	assert_int_equal(in[4], TPG_STANDBY);
	assert_int_equal(in[9], TPG_STATUS_EXPLICIT);
	assert_int_equal(in[16], TPG_ACTIVE_NONOPTIMIZED);
	/* By the path that is in standby, too; what is so already is no change. */
	stpg(&c, a, back, sizeof(back));
	io_good(&c);
	hear(b, SENSE_ALUA_STATE_CHANGED);
	stpg(&c, a, back, sizeof(back));
	io_good(&c);
	io_tur(&rig, &c, b, 0);
	io_good(&c);
	/* By the target itself all are told. */
	set_state(g1, TPG_STANDBY);
	assert_int_equal(g1->status, TPG_STATUS_IMPLICIT);
	hear(a, SENSE_ALUA_STATE_CHANGED);
	hear(b, SENSE_ALUA_STATE_CHANGED);
}

/* Several at once follow each other; the last one counts. */
static void set_at_once(void **state)
{
	static const uint8_t lists[4][8] = {
		{ 0, 0, 0, 0, 2, 0, 1, 2 },
		{ 0, 0, 0, 0, 1, 0, 1, 2 },
		{ 0, 0, 0, 0, 3, 0, 1, 2 },
		{ 0, 0, 0, 0, 0, 0, 1, 2 },
	};
	uint64_t start = sim_now_ns(rig.k.loops);
	struct loopback_cmd c[4];

	OK(alua_group_set_u32(g1, &g1->trans_delay_ms, 500));
	for (unsigned i = 0; i < 4; i++) {
		io_init(&rig, &c[i], a, 0);
		memcpy(c[i].cdb, (uint8_t[12]){ 0xa4, 0x0a, [9] = 8 }, 12);
		c[i].cdb_len = 12;
		c[i].out = lists[i];
		c[i].out_bytes = 8;
		loopback_start(&c[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		io_wait(&c[i]);
		io_good(&c[i]);
	}
	assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
	assert_true(sim_now_ns(rig.k.loops) - start >= 4 * 500 * NS_PER_MS);
}

/* ---- delays --------------------------------------------------------------------------------- */

static uint64_t time_of(struct loopback *lb, bool write, uint8_t *data)
{
	uint64_t start = sim_now_ns(rig.k.loops);

	if (write)
		assert_int_equal(io_write(&rig, lb, 1, 3, 1, data), 0);
	else
		io_read(&rig, lb, 1, 3, 1, data);
	return (sim_now_ns(rig.k.loops) - start) / NS_PER_MS;
}

static void delays(void **state)
{
	struct loopback_cmd c, d;
	uint8_t data[512];
	uint64_t start;

	memset(data, 7, sizeof(data));
	OK(alua_group_set_u32(g1, &g1->nonop_delay_ms, 250));
	set_state(g1, TPG_ACTIVE_NONOPTIMIZED);
	hear(a, SENSE_ALUA_STATE_CHANGED);
	hear(b, SENSE_ALUA_STATE_CHANGED);
	assert_true(time_of(b, true, data) >= 250);
	assert_in_range(time_of(b, false, data), 250, 300);
	assert_in_range(time_of(a, false, data), 0, 50);
	/* They do not wait for each other, nor does what needs no disk wait. */
	start = sim_now_ns(rig.k.loops);
	io_init(&rig, &c, b, 0);
	io_blocks(&c, OP_READ_16, 0, 1, data, 512);
	loopback_start(&c);
	io_init(&rig, &d, b, 0);
	io_blocks(&d, OP_READ_16, 1, 1, data, 512);
	loopback_start(&d);
	io_wait(&c);
	io_wait(&d);
	assert_in_range((sim_now_ns(rig.k.loops) - start) / NS_PER_MS, 250, 300);
	start = sim_now_ns(rig.k.loops);
	io_tur(&rig, &c, b, 0);
	assert_in_range((sim_now_ns(rig.k.loops) - start) / NS_PER_MS, 0, 50);
	/* What waits is aborted at once, and judged anew by what is then. */
	io_init(&rig, &c, b, 0);
	io_blocks(&c, OP_READ_16, 0, 1, data, 512);
	loopback_start(&c);
	loops_barrier(rig.k.loops, NULL, NULL);
	set_state(g1, TPG_STANDBY);
	io_wait(&c);
	io_sense(&c, SENSE_ALUA_STANDBY);
	hear(b, SENSE_ALUA_STATE_CHANGED);
	OK(alua_group_set_u32(g1, &g1->nonop_delay_ms, 0));
	set_state(g1, TPG_ACTIVE_NONOPTIMIZED);
	hear(b, SENSE_ALUA_STATE_CHANGED);
	assert_in_range(time_of(b, false, data), 0, 50);
	OK(alua_group_set_u32(g1, &g1->nonop_delay_ms, 10000));
	io_init(&rig, &c, b, 0);
	io_blocks(&c, OP_READ_16, 0, 1, data, 512);
	loopback_start(&c);
	loops_barrier(rig.k.loops, NULL, NULL);
	start = sim_now_ns(rig.k.loops);
	rig_logout(b);
	assert_true(loopback_ended(&c) && c.aborted);
	assert_in_range((sim_now_ns(rig.k.loops) - start) / NS_PER_MS, 0, 50);
	assert_int_equal(loopback_login(second, "iqn.b", rig_loop(&rig, 1), &b), 0);
}

static void transition_delay(void **state)
{
	struct loopback_cmd c, d;
	uint8_t in[64];
	uint64_t start = sim_now_ns(rig.k.loops);

	OK(alua_group_set_u32(g1, &g1->trans_delay_ms, 2000));
	io_init(&rig, &c, a, 0);
	memcpy(c.cdb, (uint8_t[12]){ 0xa4, 0x0a, [9] = 8 }, 12);
	c.cdb_len = 12;
	c.out = (uint8_t[]){ 0, 0, 0, 0, 2, 0, 1, 2 };
	c.out_bytes = 8;
	loopback_start(&c);
	/* Meanwhile it is seen, and by that path nothing can be changed. */
	do {
		rtpg(&d, b, 0, in, sizeof(in));
		io_good(&d);
	} while (in[16] != TPG_TRANSITIONING);
	io_tur(&rig, &d, b, 0);
	io_sense(&d, SENSE_ALUA_TRANSITION);
	stpg(&d, b, c.out, 8);
	io_sense(&d, SENSE_ALUA_TRANSITION);
	assert_false(loopback_ended(&c));
	io_wait(&c);
	io_good(&c);
	assert_true(sim_now_ns(rig.k.loops) - start >= 2000 * NS_PER_MS);
	assert_int_equal(g1->state, TPG_STANDBY);
	/* Where transitioning is no state, it is never seen, and nothing is waited for. */
	OK(alua_group_set_u8(g1, &g1->supported, (uint8_t)(g1->supported & ~TPG_T_SUP)));
	start = sim_now_ns(rig.k.loops);
	set_state(g1, TPG_ACTIVE_OPTIMIZED);
	assert_true(sim_now_ns(rig.k.loops) - start < 100 * NS_PER_MS);
}

/* The command goes, its change does not. */
static void asker_lost(void **state)
{
	struct loopback_cmd c;

	OK(alua_group_set_u32(g1, &g1->trans_delay_ms, 2000));
	io_init(&rig, &c, a, 0);
	memcpy(c.cdb, (uint8_t[12]){ 0xa4, 0x0a, [9] = 8 }, 12);
	c.cdb_len = 12;
	c.out = (uint8_t[]){ 0, 0, 0, 0, 2, 0, 1, 2 };
	c.out_bytes = 8;
	loopback_start(&c);
	while (g1->state != TPG_TRANSITIONING)
		loops_barrier(rig.k.loops, NULL, NULL);
	rig_logout(a);
	assert_true(loopback_ended(&c) && c.aborted);
	assert_int_equal(g1->state, TPG_TRANSITIONING);
	/* What waits behind it finds what it has made. */
	set_state(g1, TPG_STANDBY);
	assert_int_equal(g1->state, TPG_STANDBY);
	a = rig_login(&rig, "iqn.a", 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(each_state),
		TEST(offline_port),
		TEST(qualifier),
		TEST(reports),
		TEST(identification),
		TEST(access_types),
		TEST(set_refused),
		TEST(set_groups),
		TEST(set_at_once),
		TEST(delays),
		TEST(transition_delay),
		TEST(asker_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
