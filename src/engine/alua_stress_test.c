/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_stress_test.c: everything that touches target port groups at once, on loops that are
 * threads: initiators that write, read back, ask for reports and set states by both ports, an admin
 * who sets states, moves LUNs, takes ports offline, changes maps, delays and LU groups. Each
 * command is answered, and each block reads as it was last written. Made for ThreadSanitizer.
 */
#include "engine/alua_testkit.h"

#include "base/rng.h"

enum { WORKERS = 9, ROUNDS = 150 };

static atomic_bool stop;
static _Atomic unsigned ngood, nrefused;

struct worker {
	struct loopback_cmd c;
	struct rng rng;
	uint64_t lba;
	uint32_t version;
	bool reading;
	bool block; /* the command that runs is one of its block */
	uint8_t data[512], in[1024], list[8];
	struct loop_event finished; /* the command's own begins anew with each start */
};

static void stamp(uint8_t *p, const struct worker *w)
{
	struct rng r;

	rng_seed(&r, w->lba << 32 | w->version);
	rng_bytes(&r, p, 512);
}

static void begin_block(struct worker *w)
{
	w->block = true;
	if (!w->reading)
		stamp(w->data, w);
	io_blocks(&w->c, w->reading ? OP_READ_16 : OP_WRITE_16, w->lba, 1, w->data, 512);
}

static void begin_other(struct worker *w)
{
	struct loopback_cmd *c = &w->c;

	w->block = false;
	c->in = w->in;
	c->in_bytes = sizeof(w->in);
	switch (rng_below(&w->rng, 3)) {
	case 0:
		memcpy(c->cdb, (uint8_t[6]){ OP_INQUIRY, 1, 0x83, 4, 0, 0 }, 6);
		c->cdb_len = 6;
		return;
	case 1:
		memcpy(c->cdb, (uint8_t[12]){ 0xa3, 0x2a, [8] = 4 }, 12);
		c->cdb_len = 12;
		return;
	}
	memcpy(c->cdb, (uint8_t[12]){ 0xa4, 0x0a, [9] = 8 }, 12);
	c->cdb_len = 12;
	c->in_bytes = 0;
	memcpy(w->list,
		(uint8_t[8]){ 0, 0, 0, 0, (uint8_t)rng_below(&w->rng, 4), 0, (uint8_t)(w->lba & 1),
			w->lba & 1 ? 2 : 0 },
		8);
	c->out = w->list;
	c->out_bytes = 8;
}

static void begin(struct worker *w)
{
	struct loopback_cmd *c = &w->c;

	c->lb = rng_chance(&w->rng, 1, 2) ? a : b;
	c->cdb_len = 16;
	c->out = NULL;
	c->in = NULL;
	c->out_bytes = c->in_bytes = 0;
	memset(c->cdb, 0, sizeof(c->cdb));
	if (rng_chance(&w->rng, 3, 4))
		begin_block(w);
	else
		begin_other(w);
	loopback_start(c);
}

static void ended(struct loopback_cmd *c)
{
	struct worker *w = c->arg;
	uint8_t want[512];

	assert_false(c->aborted || c->refused);
	if (c->status) {
		assert_int_equal(c->status, STATUS_CHECK_CONDITION);
		atomic_fetch_add(&nrefused, 1);
	} else {
		atomic_fetch_add(&ngood, 1);
	}
	if (w->block && c->status)
		assert_true(stopped(c) || c->sense[2] == KEY_UNIT_ATTENTION);
	if (w->block && !c->status) {
		stamp(want, w);
		if (w->reading && memcmp(want, w->data, 512) != 0)
			fail_msg("block %u is not what was written last", (unsigned)w->lba);
		w->version += w->reading;
		w->reading = !w->reading;
	}
	if (atomic_load(&stop))
		loop_event_signal(&w->finished);
	else
		begin(w);
}

static void admin(struct rng *rng, struct alua_lu_group *lg)
{
	struct port_lun *pl = port_lun_find(second, 0);
	struct alua_group *g = rng_chance(rng, 1, 2) ? g0 : g1;

	switch (rng_below(rng, 7)) {
	case 0:
		OK(alua_move(pl, rng_chance(rng, 1, 2) ? g0 : g1, &err));
		break;
	case 1:
		OK(alua_set_offline(pl, rng_chance(rng, 1, 3), &err));
		break;
	case 2:
		OK(alua_lba_set(lu, rng_chance(rng, 1, 2) ? "64 2\n0 2047 0:O 258:O" : "", &err));
		break;
	case 3:
		OK(alua_group_set_u32(g, &g->nonop_delay_ms, (uint32_t)rng_below(rng, 2)));
		break;
	case 4:
		/* Not while a state changes. */
		errmsg_init(&err);
		alua_lu_group_join(
			lu, rng_chance(rng, 1, 2) ? lg : alua_lu_group_default(rig.eng), &err);
		break;
	default:
		OK(alua_group_set_state(g, (uint8_t)rng_below(rng, 4), &err));
	}
}

static void all_at_once(enum loop_kind kind, uint64_t seed, unsigned rounds)
{
	static struct worker workers[WORKERS];
	struct alua_lu_group *lg;
	struct rng rng;

	kit_setup_on(kind, 3, seed, "ram:1M");
	rng_seed(&rng, seed);
	atomic_store(&stop, false);
	OK(alua_lu_group_new(rig.eng, "lg", &lg, &err));
	OK(alua_lu_group_set_id(lg, 1, &err));
	g0->nonop_delay_ms = g1->nonop_delay_ms = 0;
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		*w = (struct worker){ .lba = i, .version = 1 };
		rng_seed(&w->rng, seed * 100 + i);
		io_init(&rig, &w->c, a, i);
		w->c.done = ended;
		w->c.arg = w;
		loop_event_init(&w->finished, rig.k.loops);
		begin(w);
	}
	for (unsigned i = 0; i < rounds; i++)
		admin(&rng, lg);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(loop_event_wait(&workers[i].finished, RIG_WAIT_NS), 0);
	errmsg_init(&err);
	while (alua_lu_group_free(lg, &err))
		loops_barrier(rig.k.loops, NULL, NULL);
	errmsg_init(&err);
	teardown(NULL);
}

static void threads(void **state)
{
	all_at_once(LOOP_AUTO, 1, ROUNDS);
	assert_true(atomic_load(&ngood) > 100 && atomic_load(&nrefused) > 10);
}

static void simulated(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		all_at_once(LOOP_SIM, seed, 40);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads),
		cmocka_unit_test(simulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
