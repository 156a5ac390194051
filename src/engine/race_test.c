/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * race_test.c: an LU that several loops, each a thread, use at once: COMPARE AND WRITE is one step
 * (SBC-4 5.3), and LUNs come, go and grow, and are reset, under load. Also in the simulator, over
 * seeds.
 */
#include "engine/testkit.h"

enum { NLOOPS = 3, PER_LOOP = 4, NWORKERS = NLOOPS * PER_LOOP };

static struct rig rig;
static struct loopback *lb[NLOOPS];

static void begin(enum loop_kind kind, uint64_t seed, const char *spec)
{
	rig_init(&rig, kind, NLOOPS, seed);
	rig_add(&rig, 0, spec);
	for (unsigned i = 0; i < NLOOPS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "iqn.%u", i);
		lb[i] = rig_login(&rig, name, i);
		io_settle(&rig, lb[i], 0);
	}
}

static void end(void)
{
	for (unsigned i = 0; i < NLOOPS; i++)
		rig_logout(lb[i]);
	rig_remove(&rig, 0);
	rig_done(&rig);
}

/* ---- COMPARE AND WRITE ---------------------------------------------------------------------- */

/* Counts up a number in a block, by as many steps as it is told. */
struct counter {
	struct loopback_cmd c;
	uint64_t lba;
	uint8_t data[1024]; /* what is there, what is to be there */
	unsigned left;
	bool comparing;
	struct loop_event finished; /* the command's own begins anew with each start */
};

static void counter_read(struct counter *k)
{
	struct loopback_cmd *c = &k->c;

	k->comparing = false;
	memset(c->cdb, 0, sizeof(c->cdb));
	c->out_bytes = 0;
	io_blocks(c, OP_READ_16, k->lba, 1, k->data, 512);
	loopback_start(c);
}

static void counter_swap(struct counter *k)
{
	struct loopback_cmd *c = &k->c;

	k->comparing = true;
	memcpy(k->data + 512, k->data, 512);
	put_be32(k->data + 512, get_be32(k->data) + 1);
	memset(c->cdb, 0, sizeof(c->cdb));
	c->cdb[0] = OP_COMPARE_AND_WRITE;
	put_be64(c->cdb + 2, k->lba);
	c->cdb[13] = 1;
	c->in_bytes = 0;
	c->out = k->data;
	c->out_bytes = 1024;
	loopback_start(c);
}

static void counter_step(struct loopback_cmd *c)
{
	struct counter *k = c->arg;

	if (!k->comparing) {
		counter_swap(k);
		return;
	}
	if (c->status == STATUS_GOOD && --k->left == 0)
		loop_event_signal(&k->finished);
	else
		counter_read(k);
}

static void count_up(enum loop_kind kind, uint64_t seed, unsigned steps)
{
	static struct counter k[NWORKERS];
	uint8_t back[512];

	begin(kind, seed, "ram:1M");
	for (unsigned i = 0; i < NWORKERS; i++) {
		io_init(&rig, &k[i].c, lb[i % NLOOPS], i);
		k[i].c.done = counter_step;
		k[i].c.arg = &k[i];
		k[i].left = steps;
		k[i].lba = i % 2;
		loop_event_init(&k[i].finished, rig.k.loops);
		counter_read(&k[i]);
	}
	for (unsigned i = 0; i < NWORKERS; i++)
		if (loop_event_wait(&k[i].finished, RIG_WAIT_NS))
			fail_msg("worker %u has %u left", i, k[i].left);
	for (unsigned i = 0; i < 2; i++) {
		io_read(&rig, lb[0], 0, i, 1, back);
		assert_int_equal(get_be32(back), steps * NWORKERS / 2);
	}
	end();
}

static void caw_threads(void **state)
{
	count_up(LOOP_AUTO, 0, 200);
}

static void caw_seeds(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++)
		count_up(LOOP_SIM, seed, 10);
}

/* ---- load ----------------------------------------------------------------------------------- */

struct worker {
	struct loopback_cmd c;
	uint8_t buf[16 * 512];
	uint64_t n;
	unsigned i;
	struct loop_event finished;
};

static _Atomic bool enough;
static _Atomic uint64_t ngood;

static void worker_go(struct worker *w)
{
	struct loopback_cmd *c = &w->c;
	static const uint8_t ops[] = { OP_READ_16, OP_WRITE_16, OP_VERIFY_16, OP_WRITE_SAME_16,
		OP_SYNCHRONIZE_CACHE_16 };
	uint8_t op = ops[(w->n + w->i) % sizeof(ops)];

	w->n++;
	memset(c->cdb, 0, sizeof(c->cdb));
	c->in_bytes = c->out_bytes = 0;
	c->attr = w->n % 16 ? TASK_ATTR_SIMPLE : TASK_ATTR_ORDERED;
	c->tag = w->n << 8 | w->i;
	if (op == OP_SYNCHRONIZE_CACHE_16)
		c->cdb[0] = op;
	else if (op == OP_VERIFY_16)
		io_blocks(c, op, 0, 16, NULL, 0);
	else
		io_blocks(c, op, w->n * 16 % 1024, 16, w->buf,
			op == OP_WRITE_SAME_16 ? 512 : sizeof(w->buf));
	loopback_start(c);
}

static void worker_step(struct loopback_cmd *c)
{
	struct worker *w = c->arg;

	if (!c->aborted && c->status == STATUS_GOOD)
		atomic_fetch_add(&ngood, 1);
	if (atomic_load(&enough))
		loop_event_signal(&w->finished);
	else
		worker_go(w);
}

static void change_things(unsigned rounds)
{
	struct errmsg err;
	struct loopback_tmf t;

	errmsg_init(&err);
	for (unsigned n = 1; n <= rounds; n++) {
		struct lu *lu = rig_add(&rig, 7, "ram:1M");
		uint64_t good = atomic_load(&ngood);

		assert_int_equal(lu_resize(lu, (1 + n) << 20, false, &err), 0);
		tmf_run(&rig, &t, lb[n % NLOOPS], n,
			n % 2 ? TMF_LOGICAL_UNIT_RESET : TMF_CLEAR_TASK_SET, 0);
		assert_int_equal(t.response, TMF_FUNCTION_COMPLETE);
		rig_remove(&rig, 7);
		/* All workers are still at it. */
		while (atomic_load(&ngood) < good + 20)
			loops_barrier(rig.k.loops, NULL, NULL);
	}
}

static void load(enum loop_kind kind, uint64_t seed, unsigned rounds)
{
	static struct worker w[NWORKERS];

	begin(kind, seed, "ram:1M");
	atomic_store(&enough, false);
	for (unsigned i = 0; i < NWORKERS; i++) {
		io_init(&rig, &w[i].c, lb[i % NLOOPS], i);
		w[i].c.done = worker_step;
		w[i].c.arg = &w[i];
		w[i].c.lun = i % 4 == 3 ? 7 : 0; /* some at the LUN that comes and goes */
		w[i].i = i;
		loop_event_init(&w[i].finished, rig.k.loops);
		worker_go(&w[i]);
	}
	change_things(rounds);
	atomic_store(&enough, true);
	for (unsigned i = 0; i < NWORKERS; i++)
		if (loop_event_wait(&w[i].finished, RIG_WAIT_NS))
			fail_msg("worker %u hangs", i);
	end();
}

static void load_threads(void **state)
{
	load(LOOP_AUTO, 0, 20);
}

static void load_seeds(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++)
		load(LOOP_SIM, seed, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caw_threads),
		cmocka_unit_test(caw_seeds),
		cmocka_unit_test(load_threads),
		cmocka_unit_test(load_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
