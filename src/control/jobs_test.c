/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs_test.c: several threads over one tree: a change that waits for something slow keeps up
 * nobody but those that change the same object.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "control/jobs.h"
#include "control/limits.h"
#include "loop/loop.h"
#include "tree/node.h"

#define SOON (20 * NS_PER_S) /* a hang */

static struct loops *loops;
static struct tree *t;
static struct poller *p;
static struct jobs *jobs;

/* ---- a tree whose objects are slow when they are told so: /NAME{slow}, /NAME/sub ------------- */

struct thing {
	bool slow; /* its next change waits for `let` */
	bool refuse; /* its removal is refused after that */
	unsigned busy; /* changes that are at it */
	struct loop_event let, waits;
};

static void wait_if_slow(struct thing *th)
{
	assert_int_equal(th->busy++, 0);
	if (th->slow) {
		loop_event_signal(&th->waits);
		assert_int_equal(loop_event_wait_aside(&th->let, SOON), 0);
	}
	assert_int_equal(--th->busy, 0);
}

static int get_slow(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, ((struct thing *)obj)->slow ? "1" : "0");
	return 0;
}

static int set_slow(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct thing *th = obj;

	wait_if_slow(th);
	th->slow = *value == '1';
	return 0;
}

static const struct attr thing_attrs[] = {
	{ .name = "slow", .get = get_slow, .set = set_slow },
	ATTR_END,
};
static const struct attr sub_attrs[] = {
	{ .name = "slow", .get = get_slow, .set = set_slow },
	ATTR_END,
};
static const struct node_type sub_type = { .name = "part", .attrs = sub_attrs };
static const struct node_default thing_defaults[] = { { "sub", &sub_type, NULL }, { NULL } };

static int thing_rmdir(struct node *node, struct errmsg *err)
{
	struct thing *th = node_obj(node);

	wait_if_slow(th);
	if (th->refuse)
		return errmsg_set(err, -EBUSY, "it is refused");
	free(th);
	return 0;
}

static int thing_link(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	wait_if_slow(node_obj(dir));
	return 0;
}

static const struct node_type thing_type = {
	.name = "thing",
	.unit = true,
	.attrs = thing_attrs,
	.defaults = thing_defaults,
	.rmdir = thing_rmdir,
	.link = thing_link,
};

static int root_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct thing *th = calloc(1, sizeof(*th));

	if (!th)
		return -ENOMEM;
	loop_event_init(&th->let, loops);
	loop_event_init(&th->waits, loops);
	*ret = (struct node_new){ &thing_type, th };
	return 0;
}

static const struct node_type root_type = { .name = "root", .mkdir = root_mkdir };

/* ---- the world ------------------------------------------------------------------------------- */

static bool leave_hook(void *arg)
{
	if (!tree_is_ours(t))
		return false;
	tree_leave(t);
	return true;
}

static void enter_hook(void *arg)
{
	tree_enter(t);
}

static void enter(void *arg)
{
	tree_enter(t);
}

static void leave(void *arg)
{
	tree_leave(t);
}

static int setup(void **state)
{
	struct loops_config cfg = { .kind = LOOP_EPOLL, .nloops = 1 };
	struct errmsg err = { 0 };

	if (loops_new(&cfg, &loops, &err))
		fail_msg("%s", err.text);
	assert_int_equal(tree_new(&root_type, NULL, &t), 0);
	tree_enter(t);
	loops_set_aside(loops, leave_hook, enter_hook, NULL);
	assert_int_equal(poller_new(&p), 0);
	poller_set_turn(p, leave, enter, NULL);
	assert_int_equal(jobs_new(p, t, &jobs), 0);
	return 0;
}

static int teardown(void **state)
{
	assert_true(jobs_stop(jobs, SOON));
	assert_null(jobs_free(jobs));
	assert_null(poller_free(p));
	assert_int_equal(tree_clear(t, tree_root(t), NULL), 0);
	loops_set_aside(loops, NULL, NULL, NULL);
	tree_leave(t);
	assert_null(tree_free(t));
	assert_null(loops_free(loops));
	return 0;
}

/* ---- operations as jobs ---------------------------------------------------------------------- */

enum kind { SET, RMDIR, MKDIR, LINK, ALL, SEVERAL };

struct op {
	struct job job;
	enum kind kind;
	const char *path, *name, *target;
	int result;
	bool done;
};

static void run_op(struct job *job)
{
	struct op *op = container_of(job, struct op, job);
	struct node *dir = tree_lookup(t, op->path);
	struct node *to = op->target ? tree_lookup(t, op->target) : NULL;
	struct tree_claim all;

	if (!dir)
		op->result = -ENOENT;
	else if (op->kind == SET)
		op->result = tree_set(t, dir, op->name, "0", NULL);
	else if (op->kind == RMDIR)
		op->result = tree_rmdir(t, dir, NULL);
	else if (op->kind == MKDIR)
		op->result = tree_mkdir(t, dir, op->name, NULL, NULL);
	else if (op->kind == LINK)
		op->result = tree_link(t, dir, op->name, to, NULL);
	else if (op->kind == SEVERAL) {
		/* As a method of several steps does, of which the first is slow. */
		tree_claim_all(t, &all);
		op->result = tree_set(t, dir, op->name, "0", NULL);
		if (!op->result)
			op->result = tree_set(t, dir, op->name, "0", NULL);
		if (!op->result)
			op->result = tree_mkdir(t, tree_root(t), "more", NULL, NULL);
		tree_unclaim(t, &all);
	} else if (op->kind == ALL) {
		tree_claim_all(t, &all);
		op->result = 0;
		tree_unclaim(t, &all);
	}
}

static void op_done(struct job *job)
{
	container_of(job, struct op, job)->done = true;
}

static void begin(struct op *op, enum kind kind, const char *path, const char *name)
{
	*op = (struct op){ .kind = kind,
		.path = path,
		.name = name,
		.target = op->target,
		.job = { .run = run_op, .done = op_done } };
	assert_int_equal(jobs_post(jobs, &op->job), 0);
}

static int end(struct op *op)
{
	uint64_t end_ns = clock_now_ns() + SOON;

	while (!op->done && clock_now_ns() < end_ns)
		assert_int_equal(poller_step(p, 100), 0);
	assert_true(op->done);
	return op->result;
}

static struct thing *make(const char *name)
{
	struct node *n = NULL;

	assert_int_equal(tree_mkdir(t, tree_root(t), name, &n, NULL), 0);
	return node_obj(n);
}

static void await(struct loop_event *ev)
{
	assert_int_equal(loop_event_wait_aside(ev, SOON), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Reading, and changes elsewhere, go on. */
static void slow_is_alone(void **state)
{
	struct thing *a = make("a");
	struct op slow = { 0 }, other = { 0 }, same = { 0 };
	struct strbuf out;

	make("b");
	a->slow = true;
	begin(&slow, SET, "/a", "slow");
	await(&a->waits);
	begin(&other, SET, "/b", "slow");
	assert_int_equal(end(&other), 0);
	begin(&other, MKDIR, "/", "c");
	assert_int_equal(end(&other), 0);
	strbuf_init(&out);
	assert_int_equal(tree_get(t, tree_lookup(t, "/a"), "slow", &out, NULL), 0);
	assert_string_equal(out.s, "1");
	strbuf_done(&out);
	/* A change in a default group of it is one of the same unit. */
	begin(&same, SET, "/a/sub", "slow");
	begin(&other, SET, "/b", "slow");
	assert_int_equal(end(&other), 0);
	assert_false(same.done);
	assert_false(slow.done);
	loop_event_signal(&a->let);
	assert_int_equal(end(&slow), 0);
	assert_int_equal(end(&same), 0);
}

/* What waits for an object that goes meanwhile hears of it. */
static void waits_for_what_goes(void **state)
{
	struct thing *a = make("a");
	struct op gone = { 0 }, set = { 0 }, again = { 0 };
	uint64_t id = node_id(tree_lookup(t, "/a"));

	a->slow = true;
	begin(&set, SET, "/a", "slow"); /* before it is being removed */
	await(&a->waits);
	begin(&gone, RMDIR, "/a", NULL);
	loop_event_signal(&a->let);
	assert_int_equal(end(&set), 0);
	assert_int_equal(end(&gone), 0);
	assert_null(tree_lookup(t, "/a"));
	assert_null(tree_node_by_id(t, id));

	/* While it is being removed it is not there, but its name is not free yet. */
	a = make("a");
	make("b");
	a->slow = true;
	id = node_id(node_child(tree_lookup(t, "/a"), "sub"));
	begin(&gone, RMDIR, "/a", NULL);
	await(&a->waits);
	assert_null(tree_lookup(t, "/a"));
	assert_null(tree_lookup(t, "/a/sub"));
	assert_null(tree_node_by_id(t, id));
	assert_string_equal(node_name(node_first_child(tree_root(t))), "b");
	begin(&again, MKDIR, "/", "a");
	begin(&set, SET, "/b", "slow");
	assert_int_equal(end(&set), 0);
	assert_false(again.done);
	loop_event_signal(&a->let);
	assert_int_equal(end(&gone), 0);
	assert_int_equal(end(&again), 0);
	assert_non_null(tree_lookup(t, "/a"));
}

/* A removal that is refused in the end: it is there again. */
static void refused_in_the_end(void **state)
{
	struct thing *a = make("a");
	struct op gone = { 0 }, again = { 0 };

	a->slow = a->refuse = true;
	begin(&gone, RMDIR, "/a", NULL);
	await(&a->waits);
	begin(&again, MKDIR, "/", "a");
	assert_null(tree_lookup(t, "/a"));
	loop_event_signal(&a->let);
	assert_int_equal(end(&gone), -EBUSY);
	assert_int_equal(end(&again), -EEXIST);
	assert_non_null(tree_lookup(t, "/a"));
	a->slow = a->refuse = false;
}

/* A link is a change of both. */
static void links_claim_both(void **state)
{
	struct thing *a = make("a");
	struct op link = { .target = "/b" }, set = { 0 }, other = { 0 };

	make("b");
	make("c");
	a->slow = true;
	begin(&link, LINK, "/a", "l");
	await(&a->waits);
	begin(&set, SET, "/b", "slow");
	begin(&other, SET, "/c", "slow");
	assert_int_equal(end(&other), 0);
	assert_false(set.done);
	loop_event_signal(&a->let);
	assert_int_equal(end(&link), 0);
	assert_int_equal(end(&set), 0);
	a->slow = false;
}

/* The whole tree: it waits for all, and all that come later wait for it. */
static void the_whole_tree(void **state)
{
	struct thing *a = make("a");
	struct op slow = { 0 }, all = { 0 }, later = { 0 };

	make("b");
	a->slow = true;
	begin(&slow, SET, "/a", "slow");
	await(&a->waits);
	begin(&all, ALL, "/", NULL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(poller_step(p, 1), 0);
	begin(&later, SET, "/b", "slow");
	for (int i = 0; i < 20; i++)
		assert_int_equal(poller_step(p, 1), 0);
	assert_false(all.done || later.done);
	loop_event_signal(&a->let);
	assert_int_equal(end(&all), 0);
	assert_int_equal(end(&later), 0);
	assert_int_equal(end(&slow), 0);
}

/* What waits for a method of several steps does not keep it from its next one. */
static void steps_are_not_overtaken(void **state)
{
	struct thing *a = make("a");
	struct op several = { 0 }, set = { 0 }, all = { 0 };

	a->slow = true;
	begin(&several, SEVERAL, "/a", "slow");
	await(&a->waits);
	begin(&set, SET, "/a", "slow");
	begin(&all, ALL, "/", NULL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(poller_step(p, 1), 0);
	assert_false(set.done || all.done);
	loop_event_signal(&a->let);
	assert_int_equal(end(&several), 0);
	assert_int_equal(end(&set), 0);
	assert_int_equal(end(&all), 0);
}

/* More than there are threads. */
static void many(void **state)
{
	enum { N = 4 * CONTROL_WORKERS_MAX };
	static struct op ops[N];
	static char names[N][16];

	for (unsigned i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "n%u", i);
		begin(&ops[i], MKDIR, "/", names[i]);
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(end(&ops[i]), 0);
}

/* Threads that make and remove under one directory, some of them the same names. */
enum { THREADS = 8, ROUNDS = 300 };

static void *churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct node *n;
		char name[16];
		int r;

		snprintf(name, sizeof(name), "x%u", (i + seed) % 5);
		tree_enter(t);
		r = tree_mkdir(t, tree_root(t), name, NULL, NULL);
		assert_true(!r || r == -EEXIST);
		n = node_child(tree_root(t), name);
		r = n ? tree_set(t, n, "slow", "0", NULL) : 0;
		assert_true(!r || r == -ENOENT);
		n = node_child(tree_root(t), name);
		r = n ? tree_rmdir(t, n, NULL) : 0;
		assert_true(!r || r == -ENOENT);
		tree_leave(t);
	}
	return NULL;
}

static void side_by_side(void **state)
{
	pthread_t th[THREADS];

	tree_leave(t);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&th[i], NULL, churn, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(th[i], NULL), 0);
	tree_enter(t);
}

/* Stopping waits for what runs, a while, and drops what has not begun. */
static void stop(void **state)
{
	struct thing *a = make("a");
	struct op slow = { 0 };

	a->slow = true;
	begin(&slow, SET, "/a", "slow");
	await(&a->waits);
	assert_false(jobs_stop(jobs, NS_PER_MS));
	assert_int_equal(jobs_post(jobs, &(struct job){ .run = run_op }), -EAGAIN);
	loop_event_signal(&a->let);
	assert_true(jobs_stop(jobs, SOON));
	assert_int_equal(end(&slow), 0);
}

#define with_world(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_world(slow_is_alone),
		with_world(waits_for_what_goes),
		with_world(refused_in_the_end),
		with_world(links_claim_both),
		with_world(the_whole_tree),
		with_world(steps_are_not_overtaken),
		with_world(many),
		with_world(side_by_side),
		with_world(stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
