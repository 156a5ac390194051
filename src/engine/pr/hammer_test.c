/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hammer_test.c: 64 nexuses on several loops register, reserve, release, preempt and clear at
 * random, all at once, some of which are lost meanwhile, and the LU is reset; others, and some of
 * the same, write. What must hold:
 *
 *	one holder	or all, with an all registrants type; whoever reads the full status sees it
 *	exclusion	when all PERSISTENT RESERVE OUTs are answered, no write of a nexus that the
 *			state excludes lands any more, though it keeps trying and the disk is slow
 *	access		whoever is not excluded gets through
 *
 * usage: hammer_test [seconds of threads [seeds of the simulator]]
 */
#include "engine/pr/testkit.h"

#include <stdlib.h>

#include "base/rng.h"

enum { LOOPS = 4, NHAMMERS = 64, NWORKERS = 20, SHARED = 16, BURST = 12, STATUS_BYTES = 16384 };

#define REST_NS 200000ull /* of a worker that was refused */
#define LATE_NS 2000000ull /* until its data come, at most */

/* Writes its own block, over and over: the bytes are the number of the write. */
struct worker {
	struct loopback_cmd c;
	struct loop_timer rest, late;
	struct rng rng;
	struct loopback *lb; /* of a hammer, for the first SHARED of them */
	unsigned i;
	uint64_t stamp;
	uint8_t block[512];
	_Atomic uint64_t ngood, nrefused;
	_Atomic bool stop;
	struct loop_event stopped;
};

struct hammer {
	struct prout p; /* also what is used for READ FULL STATUS */
	struct rng rng;
	struct loopback *lb;
	unsigned i, left;
	uint32_t generation; /* seen last */
	uint8_t status[STATUS_BYTES];
	struct loop_event idle;
};

static struct rig hot;
static struct lu *hot_lu;
static struct hammer hammers[NHAMMERS];
static struct worker workers[NWORKERS];
static struct loopback *outsiders[NWORKERS - SHARED];
static struct loopback *resetter;

/* ---- workers -------------------------------------------------------------------------------- */

static void worker_go(struct worker *w)
{
	struct loopback_cmd *c = &w->c;

	if (atomic_load(&w->stop)) {
		loop_event_signal(&w->stopped);
		return;
	}
	put_be64(w->block, ++w->stamp);
	memset(c->cdb, 0, sizeof(c->cdb));
	c->lb = w->lb;
	c->tag = w->stamp << 8 | w->i;
	c->data_mode = (uint8_t)rng_below(&w->rng, 3);
	io_blocks(c, OP_WRITE_16, 8 * w->i, 1, w->block, sizeof(w->block));
	loopback_start(c);
	if (c->data_mode == LOOPBACK_LATE)
		loop_timer_arm(c->loop, &w->late, rng_below(&w->rng, LATE_NS));
}

static void worker_sends(struct loop_timer *t)
{
	loopback_send_data(&container_of(t, struct worker, late)->c);
}

static void worker_rested(struct loop_timer *t)
{
	worker_go(container_of(t, struct worker, rest));
}

static void worker_step(struct loopback_cmd *c)
{
	struct worker *w = c->arg;

	loop_timer_disarm(c->loop, &w->late);
	if (!c->aborted && c->status == STATUS_GOOD) {
		atomic_fetch_add(&w->ngood, 1);
		worker_go(w);
		return;
	}
	if (!c->aborted && c->status == STATUS_RESERVATION_CONFLICT)
		atomic_fetch_add(&w->nrefused, 1);
	loop_timer_arm(c->loop, &w->rest, REST_NS);
}

static void worker_on_loop(struct loop *loop, void *arg)
{
	worker_go(arg);
}

static void worker_start(struct worker *w, struct loopback *lb)
{
	w->lb = lb;
	atomic_store(&w->stop, false);
	loop_event_init(&w->stopped, hot.k.loops);
	loops_call(hot.k.loops, w->c.loop, worker_on_loop, w);
}

static void worker_init(struct worker *w, unsigned i, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->i = i;
	rng_seed(&w->rng, seed * 1000 + i);
	io_init(&hot, &w->c, NULL, i);
	w->c.done = worker_step;
	w->c.arg = w;
	w->rest.fire = worker_rested;
	w->late.fire = worker_sends;
}

static void await(struct loop_event *ev, const char *what, unsigned i)
{
	if (loop_event_wait(ev, RIG_WAIT_NS))
		fail_msg("%s %u hangs", what, i);
}

static void worker_stop(struct worker *w)
{
	atomic_store(&w->stop, true);
	await(&w->stopped, "worker", w->i);
}

/* ---- hammers -------------------------------------------------------------------------------- */

static uint64_t key_of(unsigned i)
{
	return 1 + i % (NHAMMERS * 3 / 4); /* some have the same one */
}

/* SPC-4 6.15.5. */
static void check_full_status(struct hammer *h, const uint8_t *d, uint32_t n)
{
	uint32_t holders = 0, registrants = 0, bytes, at;
	uint8_t type = 0;

	assert_true(n >= 8);
	assert_true(get_be32(d) >= h->generation);
	h->generation = get_be32(d);
	bytes = get_be32(d + 4);
	assert_true(bytes + 8 == n);
	for (at = 8; at < n; at += 24 + get_be32(d + at + 20)) {
		registrants++;
		if (!(d[at + 12] & 0x01))
			continue;
		holders++;
		type = d[at + 13];
	}
	assert_int_equal(at, n);
	assert_true(registrants <= NHAMMERS);
	if (reservation_type_all_registrants(type))
		assert_int_equal(holders, registrants);
	else
		assert_true(holders <= 1);
}

static void hammer_look(struct hammer *h)
{
	struct loopback_cmd *c = &h->p.c;

	c->cdb[0] = OP_PERSISTENT_RESERVE_IN;
	c->cdb[1] = SA_READ_FULL_STATUS;
	put_be16(c->cdb + 7, STATUS_BYTES);
	c->in = h->status;
	c->in_bytes = STATUS_BYTES;
	c->out_bytes = 0;
}

static void hammer_out(struct hammer *h)
{
	static const uint8_t types[] = { RESERVATION_WRITE_EXCLUSIVE, RESERVATION_EXCLUSIVE_ACCESS,
		RESERVATION_WRITE_EXCLUSIVE_RO, RESERVATION_EXCLUSIVE_ACCESS_RO,
		RESERVATION_WRITE_EXCLUSIVE_AR, RESERVATION_EXCLUSIVE_ACCESS_AR };
	static const uint8_t actions[] = { SA_REGISTER, SA_REGISTER_AND_IGNORE_EXISTING_KEY,
		SA_REGISTER_AND_IGNORE_EXISTING_KEY, SA_REGISTER_AND_IGNORE_EXISTING_KEY,
		SA_RESERVE, SA_RESERVE, SA_RESERVE, SA_RELEASE, SA_PREEMPT, SA_PREEMPT,
		SA_PREEMPT_AND_ABORT, SA_PREEMPT_AND_ABORT, SA_CLEAR };
	uint8_t action = actions[rng_below(&h->rng, sizeof(actions))];
	struct loopback_cmd *c = &h->p.c;
	bool preempts = action == SA_PREEMPT || action == SA_PREEMPT_AND_ABORT;
	bool leaves = rng_chance(&h->rng, 1, 5);

	/* One clears all in a while, not one in each moment. */
	if (action == SA_CLEAR && !rng_chance(&h->rng, 1, 4))
		action = SA_RESERVE;
	c->cdb[0] = OP_PERSISTENT_RESERVE_OUT;
	c->cdb[1] = action;
	c->cdb[2] = types[rng_below(&h->rng, sizeof(types))];
	put_be32(c->cdb + 5, sizeof(h->p.list));
	put_be64(h->p.list, key_of(h->i));
	put_be64(h->p.list + 8, preempts ? key_of((unsigned)rng_below(&h->rng, NHAMMERS))
				: leaves ? 0
					 : key_of(h->i));
	c->out = h->p.list;
	c->out_bytes = sizeof(h->p.list);
	c->data_mode = (uint8_t)rng_below(&h->rng, 2);
	c->in_bytes = 0;
}

static void hammer_go(struct hammer *h)
{
	struct loopback_cmd *c = &h->p.c;

	memset(c->cdb, 0, sizeof(c->cdb));
	c->lb = h->lb;
	c->tag++;
	if (h->left % 4 == 0)
		hammer_look(h);
	else
		hammer_out(h);
	loopback_start(c);
}

static void hammer_check(struct hammer *h)
{
	struct loopback_cmd *c = &h->p.c;

	if (c->status == STATUS_CHECK_CONDITION)
		assert_true(c->sense[2] == KEY_UNIT_ATTENTION ||
			    (c->sense[2] == KEY_ILLEGAL_REQUEST && c->sense[12] == 0x26));
	else
		assert_true(c->status == STATUS_GOOD || c->status == STATUS_TASK_ABORTED ||
			    (c->status == STATUS_RESERVATION_CONFLICT && !c->in_bytes));
	if (c->status == STATUS_GOOD && c->in_bytes)
		check_full_status(h, h->status, c->in_moved);
}

static void hammer_step(struct loopback_cmd *c)
{
	struct hammer *h = c->arg;

	if (!c->aborted)
		hammer_check(h);
	/* Aborted without a status: by itself, or its nexus is lost. */
	if (!c->aborted && --h->left)
		hammer_go(h);
	else
		loop_event_signal(&h->idle);
}

static void hammer_on_loop(struct loop *loop, void *arg)
{
	hammer_go(arg);
}

static void hammer_burst(struct hammer *h)
{
	h->left = BURST;
	loop_event_init(&h->idle, hot.k.loops);
	loops_call(hot.k.loops, h->p.c.loop, hammer_on_loop, h);
}

static void hammer_login(struct hammer *h)
{
	char name[24];

	snprintf(name, sizeof(name), "iqn.hammer-%u", h->i);
	h->lb = rig_login(&hot, name, h->i);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void lose(struct hammer *h)
{
	struct worker *w = h->i < SHARED ? &workers[h->i] : NULL;

	if (w)
		atomic_store(&w->stop, true);
	rig_logout(h->lb);
	await(&h->idle, "hammer", h->i);
	if (w)
		await(&w->stopped, "worker", w->i);
	hammer_login(h);
	loop_event_init(&h->idle, hot.k.loops);
	loop_event_signal(&h->idle);
	if (w)
		worker_start(w, h->lb);
}

static void burst(struct rng *rng)
{
	struct loopback_tmf t;

	for (unsigned i = 0; i < NHAMMERS; i++)
		hammer_burst(&hammers[i]);
	if (rng_chance(rng, 1, 2))
		lose(&hammers[rng_below(rng, NHAMMERS)]);
	if (rng_chance(rng, 1, 4)) {
		tmf_run(&hot, &t, resetter, 0, TMF_LOGICAL_UNIT_RESET, 0);
		assert_int_equal(t.response, TMF_FUNCTION_COMPLETE);
	}
	for (unsigned i = 0; i < NHAMMERS; i++)
		await(&hammers[i].idle, "hammer", i);
	/* What lost nexuses began is through as well. */
	while (atomic_load(&hot_lu->holds))
		loops_barrier(hot.k.loops, NULL, NULL);
}

static uint64_t stamp_on_disk(unsigned i)
{
	uint8_t block[512];

	assert_int_equal(kit_read(hot_lu->bs, (uint64_t)i * 8 * 512, block, sizeof(block)), 0);
	return get_be64(block);
}

static void wait_above(struct worker *w, const _Atomic uint64_t *count, uint64_t than)
{
	uint64_t until = clock_now_ns() + RIG_WAIT_NS;

	while (atomic_load(count) <= than) {
		if (clock_now_ns() > until)
			fail_msg("worker %u gets nowhere", w->i);
		loops_barrier(hot.k.loops, NULL, NULL);
	}
}

static bool barred(const struct pr_state *s, const struct worker *w)
{
	const struct pr_nexus none = { "iqn.none", "iqn.none", "naa.test", 1, 1 };
	char name[24];
	struct pr_nexus self = none;

	snprintf(name, sizeof(name), "iqn.hammer-%u", w->i);
	if (w->i < SHARED)
		self.initiator = self.initiator_port = name;
	return pr_bars(s, &self);
}

/* All are answered: the state stays as it is. */
static void check_exclusion(unsigned *ret_barred)
{
	uint64_t stamp[NWORKERS], good[NWORKERS], refused[NWORKERS];
	struct pr_state *s;

	assert_int_equal(pr_copy(hot_lu, &s), 0);
	for (unsigned i = 0; i < NWORKERS; i++) {
		stamp[i] = stamp_on_disk(i);
		good[i] = atomic_load(&workers[i].ngood);
		refused[i] = atomic_load(&workers[i].nrefused);
	}
	for (unsigned i = 0; i < NWORKERS; i++) {
		struct worker *w = &workers[i];

		if (!barred(s, w)) {
			wait_above(w, &w->ngood, good[i]);
			continue;
		}
		wait_above(w, &w->nrefused, refused[i] + 2);
		++*ret_barred;
		if (stamp_on_disk(i) != stamp[i])
			fail_msg("a write of worker %u has landed though it is excluded", i);
	}
	pr_state_free(s);
}

/* ---- */

static void begin_hot(enum loop_kind kind, uint64_t seed)
{
	rig_init(&hot, kind, LOOPS, seed);
	hot_lu = rig_add(&hot, 0, "delay:ms=1,op=write|ram:1M");
	resetter = rig_login(&hot, "iqn.resetter", 0);
	for (unsigned i = 0; i < NHAMMERS; i++) {
		struct hammer *h = &hammers[i];

		memset(h, 0, sizeof(*h));
		h->i = i;
		rng_seed(&h->rng, seed * 77 + i);
		io_init(&hot, &h->p.c, NULL, i);
		h->p.c.cdb_len = 10;
		h->p.c.done = hammer_step;
		h->p.c.arg = h;
		hammer_login(h);
	}
	for (unsigned i = 0; i < NWORKERS; i++) {
		if (i >= SHARED)
			outsiders[i - SHARED] = rig_login(&hot, "iqn.outsider", i);
		worker_init(&workers[i], i, seed);
		worker_start(&workers[i], i < SHARED ? hammers[i].lb : outsiders[i - SHARED]);
	}
}

static void end_hot(void)
{
	struct errmsg err;

	errmsg_init(&err);
	for (unsigned i = 0; i < NWORKERS; i++)
		worker_stop(&workers[i]);
	for (unsigned i = 0; i < NHAMMERS; i++)
		rig_logout(hammers[i].lb);
	for (unsigned i = 0; i < NWORKERS - SHARED; i++)
		rig_logout(outsiders[i]);
	rig_logout(resetter);
	rig_remove(&hot, 0);
	rig_done(&hot);
}

static void run(enum loop_kind kind, uint64_t seed, unsigned rounds, uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns;
	unsigned n = 0, excluded = 0;
	struct rng rng;

	rng_seed(&rng, seed);
	begin_hot(kind, seed);
	while (n < rounds || clock_now_ns() < end) {
		burst(&rng);
		check_exclusion(&excluded);
		n++;
	}
	end_hot();
	/* It was about something. */
	assert_true(excluded > n / 2);
	print_message("%u rounds, %u times a worker was excluded\n", n, excluded);
}

static unsigned seconds = 3, seeds = 4;

static void seeds_test(void **state)
{
	for (uint64_t seed = 1; seed <= seeds; seed++)
		run(LOOP_SIM, seed, 4, 0);
}

static void threads_test(void **state)
{
	run(LOOP_AUTO, 1, 2, seconds * NS_PER_S);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds_test),
		cmocka_unit_test(threads_test),
	};

	if (argc > 1)
		seconds = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seeds = (unsigned)strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
