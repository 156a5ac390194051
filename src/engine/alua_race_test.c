/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_race_test.c: access states that change while I/O runs. In the simulator, with many seeds,
 * writers with two paths retry what a path refuses, and each block must read as it was last
 * written: a write that was refused never lands later. When a change is answered, no command that
 * its state excludes is with the disk. A disk that does not answer makes a change fail, and the old
 * state stays. States that are kept in files are, after a power cut at each operation on the disk,
 * those before or after the change that was under way, and after it if that was answered GOOD.
 */
#include "engine/alua_testkit.h"

#include "base/rng.h"
#include "engine/optable.h"

enum {
	SEEDS = 60,
	SLOTS = 10,
	ROUNDS = 250,
	BLOCKS = 2, /* of a slot */
};

/* ---- changes under load --------------------------------------------------------------------- */

struct slot {
	struct loopback_cmd c;
	bool busy, reading, late, sent;
	struct loopback *path;
	uint64_t lba;
	uint32_t version; /* that is being written, or was last */
	uint8_t buf[BLOCKS * 512];
};

static struct slot slots[SLOTS];
static struct rng rng;
static unsigned ngood, nrefused;

static void stamp(uint8_t *p, const struct slot *s)
{
	struct rng r;

	rng_seed(&r, s->lba << 32 | s->version);
	rng_bytes(&r, p, BLOCKS * 512);
}

static void slot_start(struct slot *s)
{
	s->path = rng_chance(&rng, 1, 2) ? a : b;
	io_init(&rig, &s->c, s->path, (unsigned)rng_below(&rng, 2));
	s->late = !s->reading && rng_chance(&rng, 1, 3);
	s->sent = false;
	if (s->late)
		s->c.data_mode = LOOPBACK_LATE;
	if (!s->reading)
		stamp(s->buf, s);
	io_blocks(&s->c, s->reading ? OP_READ_16 : OP_WRITE_16, s->lba, BLOCKS, s->buf,
		sizeof(s->buf));
	s->busy = true;
	loopback_start(&s->c);
}

static void slot_end(struct slot *s)
{
	uint8_t want[sizeof(s->buf)];

	s->busy = false;
	assert_false(s->c.aborted || s->c.refused);
	if (s->c.status == STATUS_CHECK_CONDITION) {
		/* Only what a change of state brings: it is tried again. */
		assert_true(stopped(&s->c) || says(&s->c, SENSE_ALUA_STATE_CHANGED));
		nrefused++;
		return;
	}
	io_good(&s->c);
	ngood++;
	if (s->reading) {
		stamp(want, s);
		if (memcmp(want, s->buf, sizeof(want)) != 0)
			fail_msg("block %u is not what was written last", (unsigned)s->lba);
		s->version++;
	}
	s->reading = !s->reading;
}

/* Nothing that has come by a group's ports, and that its state excludes, is with the disk. */
static void check_quiet(const struct alua_group *g)
{
	for (unsigned i = 0; i < loops_count(rig.k.loops); i++) {
		const struct lu_loop *ll = lu_loop(lu, rig_loop(&rig, i));
		const struct cmd *cmd;

		list_for_each (cmd, &ll->cmds, struct cmd, link)
			if (cmd->in_io && cmd->itl && atomic_load(&cmd->itl->pl->alua_group) == g)
				assert_true(alua_allows(g->state, cmd->row->rules));
	}
}

struct setter {
	struct loopback_cmd c;
	uint8_t list[12];
	bool busy;
};

static void set_done(struct loopback_cmd *c)
{
	/* In the simulator this is the moment of the answer, and nothing else runs. */
	loop_event_signal(&c->ended);
	if (c->status)
		return;
	assert_int_equal(g0->state, ((const uint8_t *)c->out)[4]);
	assert_int_equal(g1->state, ((const uint8_t *)c->out)[8]);
	check_quiet(g0);
	check_quiet(g1);
}

static void set_start(struct setter *s)
{
	uint8_t one = (uint8_t)rng_below(&rng, 4), other = (uint8_t)rng_below(&rng, 2);
	bool swap = rng_chance(&rng, 1, 2);

	/* One of them is always active. */
	memcpy(s->list,
		(uint8_t[12]){
			0, 0, 0, 0, swap ? one : other, 0, 0, 0, swap ? other : one, 0, 1, 2 },
		12);
	io_init(&rig, &s->c, rng_chance(&rng, 1, 2) ? a : b, (unsigned)rng_below(&rng, 2));
	memcpy(s->c.cdb, (uint8_t[12]){ 0xa4, 0x0a, [9] = 12 }, 12);
	s->c.cdb_len = 12;
	s->c.out = s->list;
	s->c.out_bytes = 12;
	s->c.done = set_done;
	s->busy = true;
	loopback_start(&s->c);
}

static void run_round(struct setter *set)
{
	if (set->busy && loopback_ended(&set->c))
		set->busy = false;
	if (!set->busy && rng_chance(&rng, 1, 6))
		set_start(set);
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (s->busy && loopback_ended(&s->c))
			slot_end(s);
		if (!s->busy)
			slot_start(s);
		else if (s->late && !s->sent && rng_chance(&rng, 1, 3)) {
			s->sent = true;
			loopback_send_data(&s->c);
		}
	}
	sim_run(rig.k.loops, NULL, NULL, 1 + rng_below(&rng, 40));
}

static void finish(struct setter *set)
{
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (s->busy && s->late && !s->sent)
			loopback_send_data(&s->c);
		if (s->busy) {
			io_wait(&s->c);
			slot_end(s);
		}
	}
	if (set->busy)
		io_wait(&set->c);
}

static void under_load(void **state)
{
	unsigned changes = 0;

	ngood = nrefused = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct setter set = { .busy = false };

		kit_setup(seed, seed % 2 ? "delay:ms=2|ram:1M" : "ram:1M");
		rng_seed(&rng, seed);
		OK(alua_group_set_u32(g0, &g0->nonop_delay_ms, (uint32_t)rng_below(&rng, 4)));
		OK(alua_group_set_u32(g1, &g1->nonop_delay_ms, (uint32_t)rng_below(&rng, 4)));
		OK(alua_group_set_u32(g1, &g1->trans_delay_ms, (uint32_t)rng_below(&rng, 5)));
		if (seed % 3 == 0)
			OK(alua_group_set_u8(
				g1, &g1->supported, (uint8_t)(g1->supported & ~TPG_T_SUP)));
		for (unsigned i = 0; i < SLOTS; i++)
			slots[i] = (struct slot){ .lba = i * BLOCKS, .version = 1 };
		for (unsigned i = 0; i < ROUNDS; i++) {
			bool was = set.busy;

			run_round(&set);
			changes += was && !set.busy;
		}
		finish(&set);
		teardown(NULL);
	}
	/* The run was worth it. */
	assert_true(ngood > SEEDS * 100 && nrefused > SEEDS * 10 && changes > SEEDS * 4);
}

/* ---- a stuck disk --------------------------------------------------------------------------- */

static const uint8_t to_standby[] = { 0, 0, 0, 0, 2, 0, 1, 2 };

static void stuck_write(struct loopback_cmd *c)
{
	static uint8_t data[512];

	io_init(&rig, c, b, 1);
	io_blocks(c, OP_WRITE_16, 0, 1, data, 512);
	loopback_start(c);
	loops_barrier(rig.k.loops, NULL, NULL);
	loops_barrier(rig.k.loops, NULL, NULL);
	assert_false(loopback_ended(c));
}

static void stuck_disk(void **state)
{
	for (unsigned seen = 0; seen < 2; seen++) {
		struct loopback_cmd c, w;
		uint64_t start;

		kit_setup(3, "error:op=write,mode=stuck|ram:1M");
		if (!seen)
			OK(alua_group_set_u8(
				g1, &g1->supported, (uint8_t)(g1->supported & ~TPG_T_SUP)));
		stuck_write(&w);
		start = sim_now_ns(rig.k.loops);
		stpg(&c, a, to_standby, sizeof(to_standby));
		io_sense(&c, SENSE_STPG_FAILED);
		assert_true(sim_now_ns(rig.k.loops) - start >= TMF_STUCK_NS);
		assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
		assert_int_equal(g1->status, TPG_STATUS_NONE);
		/* The target's own try fails as well, and all are told. */
		errmsg_init(&err);
		assert_int_equal(alua_group_set_state(g1, TPG_STANDBY, &err), -EBUSY);
		assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
		if (!seen)
			hear(a, SENSE_ALUA_STATE_CHANGED);
		hear(a, SENSE_IMPLICIT_ALUA_TRANSITION_FAILED);
		if (!seen)
			hear(b, SENSE_ALUA_STATE_CHANGED);
		hear(b, SENSE_IMPLICIT_ALUA_TRANSITION_FAILED);
		/* A state that lets the write run does not wait for it. */
		OK(alua_group_set_state(g1, TPG_ACTIVE_NONOPTIMIZED, &err));
		/* Of a lost nexus nobody waits for anything; its blocks are held. */
		rig_logout(b);
		start = sim_now_ns(rig.k.loops);
		stpg(&c, a, to_standby, sizeof(to_standby));
		io_sense(&c, SENSE_ALUA_STATE_CHANGED);
		stpg(&c, a, to_standby, sizeof(to_standby));
		io_good(&c);
		assert_true(sim_now_ns(rig.k.loops) - start < NS_PER_S);
		rig_set(lu, "mode", "off");
		assert_int_equal(loopback_login(second, "iqn.b", rig_loop(&rig, 1), &b), 0);
		teardown(NULL);
	}
}

/* A write whose data come after the change. */
static void late_data(void **state)
{
	uint8_t data[512], back[512];
	struct loopback_cmd c;

	kit_setup(4, "ram:1M");
	memset(data, 0x5a, sizeof(data));
	io_init(&rig, &c, b, 1);
	io_blocks(&c, OP_WRITE_16, 9, 1, data, 512);
	c.data_mode = LOOPBACK_LATE;
	loopback_start(&c);
	loops_barrier(rig.k.loops, NULL, NULL);
	loops_barrier(rig.k.loops, NULL, NULL);
	OK(alua_group_set_state(g1, TPG_STANDBY, &err));
	assert_false(loopback_ended(&c));
	loopback_send_data(&c);
	io_wait(&c);
	io_sense(&c, SENSE_ALUA_STANDBY);
	hear(a, SENSE_ALUA_STATE_CHANGED);
	io_read(&rig, a, 0, 9, 1, back);
	for (size_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], 0);
	/* To a port's LUN that goes offline, and to one that moves, the same happens. */
	OK(alua_group_set_state(g1, TPG_ACTIVE_OPTIMIZED, &err));
	io_settle(&rig, b, 0);
	loopback_start(&c);
	loops_barrier(rig.k.loops, NULL, NULL);
	loops_barrier(rig.k.loops, NULL, NULL);
	OK(alua_set_offline(port_lun_find(second, 0), true, &err));
	loopback_send_data(&c);
	io_wait(&c);
	io_sense(&c, SENSE_LU_OFFLINE);
	teardown(NULL);
}

/* ---- files ---------------------------------------------------------------------------------- */

#define FILE_OF_G1 "/db/alua/tpgs_serial1/g1"
#define FILE_OF_B  "/db/alua/loopback/naa.test+2/lun_0"

static struct sim_disk *disk;
static bool shown; /* LUNs show the LU, which takes a disk that works */

/* The kit with a disk for files; keeping is switched on, or the error of that. */
static int kept_setup(uint64_t seed, uint64_t cut_at)
{
	struct port_lun *pl;
	int r;

	errmsg_init(&err);
	rig_init(&rig, LOOP_SIM, 2, seed);
	sim_attach_disk(rig.k.loops, disk);
	if (cut_at)
		sim_power_cut_at(rig.k.loops, cut_at);
	assert_int_equal(port_new(rig.eng, &loopback_ops, "naa.test", "naa.test,t,0x0002", 2, NULL,
				 NULL, &second),
		0);
	second->generate_node_acls = 1;
	lu = rig_add(&rig, 0, "ram:1M");
	strcpy(lu->attribs.unit_serial, "serial1");
	hide(rig.port, 0);
	OK(alua_group_new(lu, "g1", &g1, &err));
	OK(alua_group_set_id(g1, 0x102, &err));
	r = engine_set_dbroot(rig.eng, "/db", &err);
	if (!r)
		r = alua_group_set_write_metadata(g1, true, &err);
	shown = !sim_power_is_cut(rig.k.loops);
	if (!shown)
		return r ? r : -EIO;
	show(rig.port, 0, lu);
	pl = show(second, 0, lu);
	OK(alua_move(pl, g1, &err));
	a = rig_login(&rig, "iqn.a", 0);
	io_settle(&rig, a, 0);
	return r;
}

static void kept_teardown(void)
{
	if (shown) {
		rig_logout(a);
		hide(second, 0);
		hide(rig.port, 0);
	}
	OK(lu_free(lu, &err));
	OK(port_free(second, &err));
	rig_done(&rig);
}

/* Changes until the power goes. Returns whether it did. */
static bool changes_with_cut(uint64_t nth, uint8_t *acked, uint8_t *tried)
{
	static const uint8_t states[] = { 2, 1, 3, 0, 2 };
	bool cut;
	int r = kept_setup(nth, nth);

	*acked = *tried = TPG_ACTIVE_OPTIMIZED;
	for (size_t i = 0; !r && i < sizeof(states); i++) {
		const uint8_t list[8] = { 0, 0, 0, 0, states[i], 0, 1, 2 };
		struct loopback_cmd c;

		*tried = states[i];
		stpg(&c, a, list, sizeof(list));
		if (c.status) {
			io_sense(&c, SENSE_STPG_FAILED);
			assert_int_equal(g1->state, *acked);
			break;
		}
		*acked = states[i];
	}
	cut = sim_power_is_cut(rig.k.loops);
	kept_teardown();
	return cut;
}

static void power_cuts(void **state)
{
	uint64_t nth = 1;
	unsigned seeds = 4;
	bool cut = true;

	for (; cut; nth++) {
		for (uint64_t seed = 0; seed < seeds; seed++) {
			uint8_t acked, tried;

			disk = sim_disk_new(nth * 1000 + seed);
			cut = changes_with_cut(nth, &acked, &tried);
			if (cut)
				sim_power_on(disk);
			OK(kept_setup(7, 0));
			if (g1->state != acked && g1->state != tried)
				fail_msg("cut at %u, seed %u: state %u is neither %u nor %u",
					(unsigned)nth, (unsigned)seed, g1->state, acked, tried);
			kept_teardown();
			disk = sim_disk_free(disk);
		}
	}
	/* Making the directories, the first file, and five changes of four operations each. */
	assert_true(nth > 25);
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(loops_write_file(rig.k.loops, path, text, strlen(text), 0600), 0);
}

static void is_file(const char *path, const char *want)
{
	char *text;
	size_t n;

	assert_int_equal(loops_read_file(rig.k.loops, path, 4096, &text, &n), 0);
	assert_string_equal(text, want);
	free(text);
}

/* LIO's format, byte by byte, and what is done with files that are not of it. */
static void files(void **state)
{
	static const char *const bad[] = { "", "tg_pt_gp_id=258\n", "alua_access_state=0x02\n",
		"tg_pt_gp_id=258\nalua_access_state=0x10\nalua_access_status=0x01\n",
		"tg_pt_gp_id=258\nalua_access_state=0x02\nalua_access_status=0x01\nmore=1\n",
		"tg_pt_gp_id=258\nalua_access_state=0x02\nalua_access_sta" };
	struct port_lun *pl;
	char *text;
	size_t n;

	disk = sim_disk_new(1);
	OK(kept_setup(1, 0));
	is_file(FILE_OF_G1, "tg_pt_gp_id=258\nalua_access_state=0x00\nalua_access_status=0x00\n");
	set_state(g1, TPG_STANDBY);
	is_file(FILE_OF_G1, "tg_pt_gp_id=258\nalua_access_state=0x02\nalua_access_status=0x02\n");
	pl = port_lun_find(second, 0);
	OK(alua_set_offline_metadata(pl, true, &err));
	OK(alua_set_offline(pl, true, &err));
	is_file(FILE_OF_B, "alua_tg_pt_offline=1\nalua_tg_pt_status=0x02\n");
	kept_teardown();
	OK(kept_setup(1, 0));
	assert_int_equal(g1->state, TPG_STANDBY);
	assert_int_equal(g1->status, TPG_STATUS_IMPLICIT);
	pl = port_lun_find(second, 0);
	assert_false(pl->alua_offline);
	OK(alua_set_offline_metadata(pl, true, &err));
	assert_true(pl->alua_offline);
	assert_int_equal(pl->alua_status, TPG_STATUS_IMPLICIT);
	/* Of another group of that name: it is not for this one. */
	write_file(FILE_OF_G1, "tg_pt_gp_id=7\nalua_access_state=0x03\nalua_access_status=0x01\n");
	kept_teardown();
	OK(kept_setup(1, 0));
	assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
	kept_teardown();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		OK(kept_setup(1, 0));
		set_state(g1, TPG_UNAVAILABLE);
		write_file(FILE_OF_G1, bad[i]);
		kept_teardown();
		OK(kept_setup(1, 0));
		assert_int_equal(g1->state, TPG_ACTIVE_OPTIMIZED);
		is_file(FILE_OF_G1,
			"tg_pt_gp_id=258\nalua_access_state=0x00\nalua_access_status=0x00\n");
		assert_int_equal(
			loops_read_file(rig.k.loops, FILE_OF_G1 ".corrupt", 4096, &text, &n), 0);
		assert_string_equal(text, bad[i]);
		free(text);
		kept_teardown();
	}
	disk = sim_disk_free(disk);
}

/* SPC-4 5.15.2.9: where initiators alone change states, they outlive a restart in any case. */
static void explicit_alone(void **state)
{
	static const uint8_t list[8] = { 0, 0, 0, 0, 3, 0, 1, 2 };
	struct loopback_cmd c;

	disk = sim_disk_new(2);
	for (unsigned run = 0; run < 2; run++) {
		OK(kept_setup(1, 0));
		OK(alua_group_set_write_metadata(g1, false, &err));
		hide(second, 0);
		hide(rig.port, 0);
		OK(alua_group_set_access(g1, ALUA_EXPLICIT, &err));
		show(rig.port, 0, lu);
		OK(alua_move(show(second, 0, lu), g1, &err));
		assert_int_equal(g1->state, run ? TPG_UNAVAILABLE : TPG_ACTIVE_OPTIMIZED);
		io_settle(&rig, a, 0);
		stpg(&c, a, list, sizeof(list));
		io_good(&c);
		kept_teardown();
	}
	disk = sim_disk_free(disk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_load),
		cmocka_unit_test(stuck_disk),
		cmocka_unit_test(late_data),
		cmocka_unit_test(power_cuts),
		cmocka_unit_test(files),
		cmocka_unit_test(explicit_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
