/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * change_test.c: changes of an LU one after the other: the order of decide, commit, publish, done
 * and release, from several loops; what a change excludes has ended when it is done, on any loop;
 * and a disk that does not answer holds up the queue for a bounded time only.
 */
#include "engine/testkit.h"

#include <errno.h>

#include "engine/change.h"
#include "engine/engine_priv.h"

enum { NLOOPS = 3 };

static struct rig rig;
static struct lu *lu;
static struct loopback *a, *b;

/* A step that counts: the state is one number. */
struct count {
	struct lu_step s;
	int commit; /* what it returns */
	bool nothing; /* decide says so */
	const struct loopback *excluded; /* writes of its nexus */
	int at, next; /* state found and made */
	int error;
	bool published, stuck;
	unsigned done_nr; /* in which order */
	struct loop_event done, released;
};

static int state;
static unsigned ndone;
static bool busy; /* a step is between decide and done */

static struct count *count_of(const struct lu_step *s)
{
	return container_of(s, struct count, s);
}

static bool count_decide(struct lu_step *s)
{
	struct count *c = count_of(s);

	assert_false(busy);
	busy = true;
	c->at = state;
	c->next = state + 1;
	return !c->nothing;
}

static int count_commit(struct lu_step *s)
{
	assert_true(busy);
	assert_false(count_of(s)->published);
	return count_of(s)->commit;
}

static void count_publish(struct lu_step *s)
{
	struct count *c = count_of(s);

	assert_int_equal(state, c->at);
	state = c->next;
	c->published = true;
}

static bool count_excludes(const struct lu_step *s, const struct cmd *cmd)
{
	const struct loopback_cmd *lc = cmd->task;

	return lc->lb == count_of(s)->excluded;
}

static void count_done(struct lu_step *s, int error, bool stuck)
{
	struct count *c = count_of(s);

	assert_true(busy && loop_is_current(s->loop));
	busy = false;
	c->error = error;
	c->stuck = stuck;
	c->done_nr = ++ndone;
	loop_event_signal(&c->done);
}

static void count_release(struct lu_step *s)
{
	loop_event_signal(&count_of(s)->released);
}

static const struct lu_step_ops count_ops = {
	.decide = count_decide,
	.commit = count_commit,
	.publish = count_publish,
	.excludes = count_excludes,
	.done = count_done,
	.release = count_release,
};

static struct count *count_new(void)
{
	struct count *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->s.ops = &count_ops;
	loop_event_init(&c->done, rig.k.loops);
	loop_event_init(&c->released, rig.k.loops);
	return c;
}

static void start_on_loop(struct loop *loop, void *arg)
{
	struct count *c = arg;

	lu_step_start(&c->s, lu, loop);
}

static void count_start(struct count *c, unsigned loop)
{
	loops_call(rig.k.loops, rig_loop(&rig, loop), start_on_loop, c);
}

static void await(struct loop_event *ev)
{
	assert_int_equal(loop_event_wait(ev, RIG_WAIT_NS), 0);
}

static void count_end(struct count *c)
{
	await(&c->released);
	/* The step itself is looked at a little longer. */
	while (atomic_load(&lu->holds))
		loops_barrier(rig.k.loops, NULL, NULL);
	loops_barrier(rig.k.loops, NULL, NULL);
	free(c);
}

static void begin(enum loop_kind kind, uint64_t seed, const char *spec)
{
	rig_init(&rig, kind, NLOOPS, seed);
	lu = rig_add(&rig, 0, spec);
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
	state = 0;
	ndone = 0;
	busy = false;
}

static void end(void)
{
	rig_logout(a);
	rig_logout(b);
	rig_remove(&rig, 0);
	rig_done(&rig);
}

/* ---- the queue ------------------------------------------------------------------------------ */

static void in_turn(enum loop_kind kind, uint64_t seed)
{
	enum { N = 24 };
	struct count *c[N];
	int good = 0;

	begin(kind, seed, "ram:1M");
	for (unsigned i = 0; i < N; i++) {
		c[i] = count_new();
		c[i]->nothing = i % 7 == 3;
		c[i]->commit = i % 5 == 2 ? -EIO : 0;
		c[i]->s.no_commit = i % 3 == 1;
		count_start(c[i], i);
	}
	for (unsigned i = 0; i < N; i++) {
		bool fails = c[i]->commit && !c[i]->s.no_commit && !c[i]->nothing;

		await(&c[i]->done);
		assert_int_equal(c[i]->done_nr, i + 1); /* first in, first out, whatever the loop */
		assert_int_equal(c[i]->at, good);
		assert_int_equal(c[i]->error, fails ? -EIO : 0);
		assert_int_equal(c[i]->published, !fails && !c[i]->nothing);
		assert_false(c[i]->stuck);
		good += c[i]->published;
	}
	assert_int_equal(state, good);
	for (unsigned i = 0; i < N; i++)
		count_end(c[i]);
	end();
}

static void in_turn_seeds(void **unused)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		in_turn(LOOP_SIM, seed);
}

static void in_turn_threads(void **unused)
{
	in_turn(LOOP_AUTO, 0);
}

static void control_thread(void **unused)
{
	struct count *c, *d, *e;
	bool stuck = true;

	begin(LOOP_SIM, 3, "ram:1M");
	c = count_new();
	d = count_new();
	e = count_new();
	assert_int_equal(lu_step_run(&c->s, lu, &stuck), 0);
	assert_false(stuck);
	assert_int_equal(state, 1);
	d->commit = -ENOSPC;
	assert_int_equal(lu_step_run(&d->s, lu, NULL), -ENOSPC);
	assert_int_equal(state, 1);
	e->nothing = true;
	assert_int_equal(lu_step_run(&e->s, lu, &stuck), 0);
	assert_int_equal(state, 1);
	count_end(c);
	count_end(d);
	count_end(e);
	end();
}

/* ---- what is excluded ----------------------------------------------------------------------- */

static void settle(void)
{
	for (unsigned i = 0; i < 3; i++)
		loops_barrier(rig.k.loops, NULL, NULL);
}

static void write_start(struct loopback_cmd *w, struct loopback *lb, unsigned loop, void *buf)
{
	io_init(&rig, w, lb, loop);
	io_blocks(w, OP_WRITE_16, 8 * loop, 1, buf, 512);
	loopback_start(w);
	settle();
	assert_false(loopback_ended(w));
}

/* The write of the excluded nexus, on another loop, is waited for; that of the other is not. */
static void excluded_has_ended(void **unused)
{
	struct loopback_cmd w, v;
	uint8_t buf[512] = { 1 };
	struct count *c, *d;

	begin(LOOP_SIM, 5, "error:op=write,mode=stuck|ram:1M");
	write_start(&w, a, 2, buf);
	c = count_new();
	c->excluded = b;
	count_start(c, 1);
	await(&c->done);
	assert_false(loopback_ended(&w) || c->stuck);
	write_start(&v, b, 1, buf);
	d = count_new();
	d->excluded = a;
	count_start(d, 1);
	while (!d->published)
		loops_barrier(rig.k.loops, NULL, NULL);
	settle();
	assert_false(atomic_load(&d->done.set));
	rig_set(lu, "mode", "off");
	await(&d->done);
	assert_true(loopback_ended(&w));
	assert_false(d->stuck);
	io_wait(&v);
	count_end(c);
	count_end(d);
	end();
}

static void stuck_disk(void **unused)
{
	struct loopback_cmd w;
	uint8_t buf[512] = { 1 };
	struct count *c, *d;
	uint64_t start;

	begin(LOOP_SIM, 6, "error:op=write,mode=stuck|ram:1M");
	write_start(&w, a, 0, buf);
	start = sim_now_ns(rig.k.loops);
	c = count_new();
	c->excluded = a;
	count_start(c, 1);
	d = count_new(); /* excludes nobody: goes on when the first has given up waiting */
	count_start(d, 2);
	await(&c->done);
	assert_true(c->stuck && c->published && !c->error);
	assert_true(sim_now_ns(rig.k.loops) - start >= TMF_STUCK_NS);
	await(&d->done);
	assert_false(d->stuck);
	assert_int_equal(state, 2);
	/* The first one waits on: what it replaced is looked at until then. */
	settle();
	assert_false(atomic_load(&c->released.set));
	assert_true(atomic_load(&d->released.set));
	assert_int_equal(atomic_load(&lu->holds), 1);
	rig_set(lu, "mode", "off");
	io_wait(&w);
	await(&c->released);
	assert_int_equal(c->done_nr, 1);
	count_end(c);
	free(d);
	end();
}

/* Given up before its turn: it never was. */
static void given_up(void **unused)
{
	struct count *c, *d, *e;
	struct cmd asker = { .state = CMD_ENABLED };

	begin(LOOP_SIM, 7, "ram:1M");
	c = count_new();
	d = count_new();
	e = count_new();
	asker.loop = rig_loop(&rig, 1);
	d->s.cmd = &asker;
	/* In the simulator nothing runs between these, so that the first one is still queued. */
	lu_step_start(&c->s, lu, rig_loop(&rig, 0));
	lu_step_start(&d->s, lu, asker.loop);
	lu_step_start(&e->s, lu, rig_loop(&rig, 2));
	assert_ptr_equal(asker.change, &d->s);
	assert_true(lu_step_detach(&d->s, false));
	assert_null(asker.change);
	await(&e->done);
	await(&d->released);
	assert_false(d->published || d->done_nr);
	assert_int_equal(state, 2);
	count_end(c);
	count_end(d);
	count_end(e);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_turn_seeds),
		cmocka_unit_test(in_turn_threads),
		cmocka_unit_test(control_thread),
		cmocka_unit_test(excluded_has_ended),
		cmocka_unit_test(stuck_disk),
		cmocka_unit_test(given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
