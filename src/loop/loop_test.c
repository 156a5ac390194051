/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the loop seam, run over each implementation: messages, timers, sockets, files, workers,
 * cancels, barriers. The test is the control thread; peers of sockets are plain blocking sockets
 * of the test, or those of the simulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/limits.h"
#include "loop/loop.h"

enum { TEST_LOOPS = 3 };
#define WAIT_NS (20 * NS_PER_S)

struct env {
	struct loops *loops;
	enum loop_kind kind;
	char dir[64]; /* for files */
};

static struct env *env_new(enum loop_kind kind)
{
	struct loops_config cfg = {
		.kind = kind, .nloops = TEST_LOOPS, .page_limit_bytes = 64 << 20
	};
	struct env *e = calloc(1, sizeof(*e));
	struct errmsg err;

	errmsg_init(&err);
	if (loops_new(&cfg, &e->loops, &err))
		fail_msg("loops_new: %s", err.text);
	e->kind = kind;
	strcpy(e->dir, "/tmp/loop_test.XXXXXX");
	if (kind != LOOP_SIM)
		assert_non_null(mkdtemp(e->dir));
	return e;
}

static int env_free(void **state)
{
	struct env *e = *state;

	loops_free(e->loops);
	if (e->kind != LOOP_SIM)
		rmdir(e->dir);
	free(e);
	return 0;
}

static int setup_uring(void **state)
{
	*state = env_new(LOOP_URING);
	return 0;
}

static int setup_epoll(void **state)
{
	*state = env_new(LOOP_EPOLL);
	return 0;
}

/* An operation, what to call on the loop to start it, and its result. */
struct call {
	struct loop_op op;
	struct loop_event done;
	int res, fd, flags;
	struct iovec *iov;
	unsigned niov;
	uint64_t off, len;
	void *buf;
	void (*start)(struct loop *loop, struct call *c);
	int (*fn)(void *arg);
	void *arg;
};

static void call_done(struct loop_op *op, int res)
{
	struct call *c = container_of(op, struct call, op);

	c->res = res;
	c->buf = op->buf;
	loop_event_signal(&c->done);
}

static void call_start_fn(struct loop *loop, void *arg)
{
	struct call *c = arg;

	c->start(loop, c);
}

static void call_start(struct env *e, unsigned loop, struct call *c)
{
	c->op.done = call_done;
	loop_event_init(&c->done, e->loops);
	loops_call(e->loops, loops_get(e->loops, loop), call_start_fn, c);
}

static int call_wait(struct call *c)
{
	assert_int_equal(loop_event_wait(&c->done, WAIT_NS), 0);
	assert_false(loop_op_busy(&c->op));
	return c->res;
}

static int call_run(struct env *e, unsigned loop, struct call *c)
{
	call_start(e, loop, c);
	return call_wait(c);
}

static void cancel_fn(struct loop *loop, void *arg)
{
	loop_cancel(loop, &((struct call *)arg)->op);
}

static void start_recv_buf(struct loop *loop, struct call *c)
{
	loop_recv_buf(loop, &c->op, c->fd);
}

static void start_recv(struct loop *loop, struct call *c)
{
	loop_recv(loop, &c->op, c->fd, c->iov, c->niov, c->flags);
}

static void start_send(struct loop *loop, struct call *c)
{
	loop_send(loop, &c->op, c->fd, c->iov, c->niov);
}

static void start_read(struct loop *loop, struct call *c)
{
	loop_read(loop, &c->op, c->fd, c->iov, c->niov, c->off);
}

static void start_write(struct loop *loop, struct call *c)
{
	loop_write(loop, &c->op, c->fd, c->iov, c->niov, c->off, c->flags);
}

static void start_fsync(struct loop *loop, struct call *c)
{
	loop_fsync(loop, &c->op, c->fd, c->flags);
}

static void start_fallocate(struct loop *loop, struct call *c)
{
	loop_fallocate(loop, &c->op, c->fd, c->flags, c->off, c->len);
}

static void start_work(struct loop *loop, struct call *c)
{
	loop_work(loop, &c->op, c->fn, c->arg);
}

static void close_fn(struct loop *loop, void *arg)
{
	loop_close(loop, *(int *)arg);
}

static void put_fn(struct loop *loop, void *arg)
{
	loop_buf_put(loop, arg);
}

/* ---- connections -------------------------------------------------------------------------- */

struct conn {
	int fd; /* the target's end */
	int peer; /* the test's end */
};

struct acceptor {
	struct loop_op op;
	struct loop_event got, ended;
	int fds[64];
	unsigned n, want;
	int last, fd;
	struct sockaddr_storage addr;
};

static void acceptor_done(struct loop_op *op, int res)
{
	struct acceptor *a = container_of(op, struct acceptor, op);

	if (res < 0) {
		a->last = res;
		loop_event_signal(&a->ended);
		return;
	}
	assert_true(loop_op_busy(op));
	a->fds[a->n++] = res;
	if (a->n == a->want)
		loop_event_signal(&a->got);
}

static void acceptor_fn(struct loop *loop, void *arg)
{
	struct acceptor *a = arg;

	loop_accept(loop, &a->op, a->fd);
}

static void acceptor_cancel_fn(struct loop *loop, void *arg)
{
	loop_cancel(loop, &((struct acceptor *)arg)->op);
}

static void acceptor_listen(struct env *e, struct acceptor *a, unsigned want)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	*a = (struct acceptor){ .op.done = acceptor_done, .want = want };
	loop_event_init(&a->got, e->loops);
	loop_event_init(&a->ended, e->loops);
	a->fd = loops_listen(e->loops, (struct sockaddr *)&in, sizeof(in), 0, &a->addr);
	assert_true(a->fd >= 0);
}

static void acceptor_open(struct env *e, struct acceptor *a, unsigned want)
{
	acceptor_listen(e, a, want);
	loops_call(e->loops, loops_get(e->loops, 0), acceptor_fn, a);
}

static void acceptor_close(struct env *e, struct acceptor *a)
{
	loops_call(e->loops, loops_get(e->loops, 0), acceptor_cancel_fn, a);
	assert_int_equal(loop_event_wait(&a->ended, WAIT_NS), 0);
	assert_int_equal(a->last, -ECANCELED);
	assert_false(loop_op_busy(&a->op));
	loops_call(e->loops, loops_get(e->loops, 0), close_fn, &a->fd);
}

static int peer_connect(struct env *e, const struct sockaddr_storage *to)
{
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(struct sockaddr_in)), 0);
	return fd;
}

static void peer_send(struct env *e, int fd, const void *data, size_t n)
{
	assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
}

/* Exactly n bytes. */
static void peer_recv(struct env *e, int fd, void *data, size_t n)
{
	assert_int_equal(recv(fd, data, n, MSG_WAITALL), n);
}

static void peer_close(struct env *e, int fd)
{
	close(fd);
}

static struct conn conn_new(struct env *e)
{
	struct acceptor a;
	struct conn c;

	acceptor_open(e, &a, 1);
	c.peer = peer_connect(e, &a.addr);
	assert_int_equal(loop_event_wait(&a.got, WAIT_NS), 0);
	c.fd = a.fds[0];
	acceptor_close(e, &a);
	return c;
}

static void conn_free(struct env *e, struct conn *c, unsigned loop)
{
	loops_call(e->loops, loops_get(e->loops, loop), close_fn, &c->fd);
	if (c->peer >= 0)
		peer_close(e, c->peer);
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((i * 31 + i / 251 + seed) & 0xff);
}

/* ---- messages ----------------------------------------------------------------------------- */

enum { NPOSTS = 2000 };

struct numbered {
	struct loop_msg msg;
	unsigned sender, number;
	struct collect *to;
};

struct collect {
	unsigned next[8], seen, want;
	struct loop_event done;
};

static void collect_fn(struct loop *loop, struct loop_msg *msg)
{
	struct numbered *m = container_of(msg, struct numbered, msg);
	struct collect *to = m->to;

	assert_int_equal(m->number, to->next[m->sender]++);
	if (++to->seen == to->want)
		loop_event_signal(&to->done);
}

struct sender {
	struct env *e;
	struct collect *to;
	unsigned number;
	struct numbered *msgs;
	pthread_t thread;
};

static void *sender_main(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < NPOSTS; i++) {
		s->msgs[i] = (struct numbered){
			.msg.fn = collect_fn, .sender = s->number, .number = i, .to = s->to
		};
		loop_post(loops_get(s->e->loops, 0), &s->msgs[i].msg);
		if (i % 64 == 0)
			sched_yield(); /* let the loop fall asleep now and then */
	}
	return NULL;
}

/* Nothing is lost and each sender's order is kept, with the loop falling asleep in between. */
static void test_post_from_threads(void **state)
{
	struct env *e = *state;
	struct collect to = { .want = 4 * NPOSTS };
	struct sender s[4];

	loop_event_init(&to.done, e->loops);
	for (unsigned i = 0; i < 4; i++) {
		s[i] = (struct sender){ e, &to, i, calloc(NPOSTS, sizeof(struct numbered)), 0 };
		if (e->kind == LOOP_SIM)
			sender_main(&s[i]);
		else
			pthread_create(&s[i].thread, NULL, sender_main, &s[i]);
	}
	assert_int_equal(loop_event_wait(&to.done, WAIT_NS), 0);
	for (unsigned i = 0; i < 4; i++) {
		if (e->kind != LOOP_SIM)
			pthread_join(s[i].thread, NULL);
		free(s[i].msgs);
	}
}

struct ball {
	struct loop_msg msg;
	unsigned left;
	struct env *e;
	struct loop_event done;
};

static void ball_fn(struct loop *loop, struct loop_msg *msg)
{
	struct ball *b = container_of(msg, struct ball, msg);

	if (!b->left--)
		loop_event_signal(&b->done);
	else
		loop_post(loops_get(b->e->loops, (loop_index(loop) + 1) % TEST_LOOPS), msg);
}

/* A message that goes round all loops: every hop wakes a sleeping loop. */
static void test_post_round(void **state)
{
	struct env *e = *state;
	struct ball b = { .msg.fn = ball_fn, .left = 3000, .e = e };

	loop_event_init(&b.done, e->loops);
	loop_post(loops_get(e->loops, 0), &b.msg);
	assert_int_equal(loop_event_wait(&b.done, WAIT_NS), 0);
}

struct order {
	struct loop_msg deferred, posted, again;
	char text[8];
	unsigned n;
	struct loop_event done;
};

static void order_again(struct loop *loop, struct loop_msg *msg)
{
	struct order *o = container_of(msg, struct order, again);

	o->text[o->n++] = 'a';
	loop_event_signal(&o->done);
}

static void order_deferred(struct loop *loop, struct loop_msg *msg)
{
	struct order *o = container_of(msg, struct order, deferred);

	o->text[o->n++] = 'd';
	o->again.fn = order_again;
	loop_defer(loop, &o->again);
}

static void order_posted(struct loop *loop, struct loop_msg *msg)
{
	struct order *o = container_of(msg, struct order, posted);

	assert_false(loop_msg_queued(msg));
	loop_defer(loop, &o->deferred);
	assert_true(loop_msg_queued(&o->deferred));
	o->text[o->n++] = 'p';
}

/* A deferred function runs after what deferred it, and once more after deferring again. */
static void test_defer(void **state)
{
	struct env *e = *state;
	struct order o = { .deferred.fn = order_deferred, .posted.fn = order_posted };

	loop_event_init(&o.done, e->loops);
	loop_post(loops_get(e->loops, 1), &o.posted);
	assert_int_equal(loop_event_wait(&o.done, WAIT_NS), 0);
	assert_string_equal(o.text, "pda");
}

/* ---- barrier ------------------------------------------------------------------------------ */

struct bar {
	struct loop_barrier b;
	_Atomic unsigned ran;
	unsigned seen;
	struct loop_event done;
};

static void bar_on_loop(struct loop *loop, struct loop_barrier *b)
{
	assert_true(loop_is_current(loop));
	atomic_fetch_add(&container_of(b, struct bar, b)->ran, 1);
}

static void bar_done(struct loop_barrier *b)
{
	struct bar *bar = container_of(b, struct bar, b);

	assert_true(loop_is_current(b->origin));
	bar->seen = atomic_load(&bar->ran);
	loop_event_signal(&bar->done);
}

static void bar_start(struct loop *loop, void *arg)
{
	assert_int_equal(loop_barrier_start(loop, arg), 0);
}

static void count_fn(struct loop *loop, void *arg)
{
	atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void test_barrier(void **state)
{
	struct env *e = *state;
	struct bar bar = { .b.on_loop = bar_on_loop, .b.done = bar_done };
	_Atomic unsigned n = 0;

	loop_event_init(&bar.done, e->loops);
	loops_call(e->loops, loops_get(e->loops, 1), bar_start, &bar.b);
	assert_int_equal(loop_event_wait(&bar.done, WAIT_NS), 0);
	assert_int_equal(bar.seen, TEST_LOOPS);
	loops_barrier(e->loops, count_fn, &n);
	assert_int_equal(atomic_load(&n), TEST_LOOPS);
	loops_barrier(e->loops, NULL, NULL);
}

static void test_event_timeout(void **state)
{
	struct env *e = *state;
	struct loop_event ev;

	loop_event_init(&ev, e->loops);
	assert_int_equal(loop_event_wait(&ev, NS_PER_MS), -ETIMEDOUT);
	loop_event_signal(&ev);
	assert_int_equal(loop_event_wait(&ev, 0), 0);
}

static void test_set(void **state)
{
	struct env *e = *state;

	assert_int_equal(loops_count(e->loops), TEST_LOOPS);
	assert_int_equal(loops_kind(e->loops), e->kind);
	assert_true(strlen(loops_describe(e->loops)) > 4);
	assert_ptr_equal(loop_set(loops_get(e->loops, 2)), e->loops);
	loop_load_add(loops_get(e->loops, 0), 2);
	loop_load_add(loops_get(e->loops, 1), 1);
	assert_int_equal(loop_index(loops_least_loaded(e->loops)), 2);
	loop_load_add(loops_get(e->loops, 2), 3);
	assert_int_equal(loop_index(loops_least_loaded(e->loops)), 1);
}

/* ---- timers ------------------------------------------------------------------------------- */

enum { NTIMERS = 200 };

struct ticks {
	struct loop_timer t[NTIMERS];
	uint64_t due[NTIMERS];
	struct loop *loop;
	unsigned fired, left;
	uint64_t last;
	struct loop_event done;
};

struct tick_of {
	struct ticks *all;
};

static struct ticks *the_ticks(struct loop_timer *t, unsigned *ret_i);

static void tick_fire(struct loop_timer *t)
{
	unsigned i;
	struct ticks *k = the_ticks(t, &i);

	assert_false(loop_timer_armed(t));
	assert_true(loop_now_ns(k->loop) >= k->due[i]);
	assert_true(k->due[i] >= k->last);
	assert_int_not_equal(i % 3, 1); /* those were disarmed */
	k->last = k->due[i];
	if (++k->fired == k->left)
		loop_event_signal(&k->done);
}

static struct ticks ticks;

static struct ticks *the_ticks(struct loop_timer *t, unsigned *ret_i)
{
	*ret_i = (unsigned)(t - ticks.t);
	return &ticks;
}

static void ticks_arm(struct loop *loop, void *arg)
{
	struct ticks *k = arg;

	k->loop = loop;
	for (unsigned i = 0; i < NTIMERS; i++) {
		uint64_t ns = (i * 7919 % NTIMERS) * 50 * NS_PER_US;

		k->t[i].fire = tick_fire;
		loop_timer_arm(
			loop, &k->t[i], 3600 * NS_PER_S); /* armed twice: the last one counts */
		loop_timer_arm(loop, &k->t[i], ns);
		k->due[i] = loop_now_ns(loop) + ns;
	}
	k->left = NTIMERS;
	for (unsigned i = 1; i < NTIMERS; i += 3) {
		loop_timer_disarm(loop, &k->t[i]);
		loop_timer_disarm(loop, &k->t[i]);
		k->left--;
	}
}

static void test_timers(void **state)
{
	struct env *e = *state;

	memset(&ticks, 0, sizeof(ticks));
	loop_event_init(&ticks.done, e->loops);
	loops_call(e->loops, loops_get(e->loops, 2), ticks_arm, &ticks);
	assert_int_equal(loop_event_wait(&ticks.done, WAIT_NS), 0);
}

struct busy {
	struct loop_timer t;
	struct loop *loop;
	unsigned n;
	struct loop_event done;
};

static void busy_fire(struct loop_timer *t)
{
	struct busy *b = container_of(t, struct busy, t);

	if (++b->n < 100)
		loop_timer_arm(b->loop, t, 0);
	else
		loop_event_signal(&b->done);
}

static void busy_start(struct loop *loop, void *arg)
{
	struct busy *b = arg;

	b->loop = loop;
	loop_timer_arm(loop, &b->t, 0);
}

/* A timer that rearms itself with no delay lets others have their turn. */
static void test_timer_zero(void **state)
{
	struct env *e = *state;
	struct busy b = { .t.fire = busy_fire };

	loop_event_init(&b.done, e->loops);
	loops_call(e->loops, loops_get(e->loops, 0), busy_start, &b);
	assert_int_equal(loop_event_wait(&b.done, WAIT_NS), 0);
}

/* ---- sockets ------------------------------------------------------------------------------ */

static void test_recv_buf(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	struct call r = { .start = start_recv_buf, .fd = c.fd };

	peer_send(e, c.peer, "hello", 5);
	assert_int_equal(call_run(e, 1, &r), 5);
	assert_memory_equal(r.buf, "hello", 5);
	loops_call(e->loops, loops_get(e->loops, 1), put_fn, r.buf);
	call_start(e, 1, &r); /* waits for data */
	peer_send(e, c.peer, "x", 1);
	assert_int_equal(call_wait(&r), 1);
	loops_call(e->loops, loops_get(e->loops, 1), put_fn, r.buf);
	peer_close(e, c.peer);
	c.peer = -1;
	assert_int_equal(call_run(e, 1, &r), 0);
	conn_free(e, &c, 1);
}

/* Whoever finds no buffer gets the first one that is put back. */
static void test_recv_buf_starved(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	struct call r = { .start = start_recv_buf, .fd = c.fd };
	void **held = calloc(LOOP_BUFS_MAX, sizeof(*held));

	for (unsigned i = 0; i < LOOP_BUFS_MAX; i++) {
		peer_send(e, c.peer, "x", 1);
		assert_int_equal(call_run(e, 0, &r), 1);
		held[i] = r.buf;
	}
	peer_send(e, c.peer, "last", 4);
	call_start(e, 0, &r);
	loops_barrier(e->loops, NULL, NULL);
	loops_call(e->loops, loops_get(e->loops, 0), put_fn, held[0]);
	assert_int_equal(call_wait(&r), 4);
	held[0] = r.buf;
	call_start(e, 0, &r);
	peer_send(e, c.peer, "never", 5);
	loops_barrier(e->loops, NULL, NULL);
	loops_call(e->loops, loops_get(e->loops, 0), cancel_fn, &r);
	assert_int_equal(call_wait(&r), -ECANCELED);
	for (unsigned i = 0; i < LOOP_BUFS_MAX; i++)
		loops_call(e->loops, loops_get(e->loops, 0), put_fn, held[i]);
	assert_int_equal(call_run(e, 0, &r), 5);
	loops_call(e->loops, loops_get(e->loops, 0), put_fn, r.buf);
	free(held);
	conn_free(e, &c, 0);
}

static void test_recv_waitall(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	uint8_t out[1000], in[1000] = { 0 };
	struct iovec iov[3] = { { in, 100 }, { in + 100, 0 }, { in + 100, 700 } };
	struct call r = {
		.start = start_recv, .fd = c.fd, .iov = iov, .niov = 3, .flags = LOOP_WAITALL
	};

	fill(out, sizeof(out), 1);
	call_start(e, 2, &r);
	peer_send(e, c.peer, out, 50);
	loops_barrier(e->loops, NULL, NULL);
	assert_true(loop_op_busy(&r.op));
	peer_send(e, c.peer, out + 50, 850);
	assert_int_equal(call_wait(&r), 800);
	/* not all: what is there */
	iov[0] = (struct iovec){ in + 800, 200 };
	r.niov = 1;
	r.flags = 0;
	assert_int_equal(call_run(e, 2, &r), 100);
	assert_memory_equal(in, out, 900);
	/* the end of the stream gives the count so far, then 0 */
	iov[0] = (struct iovec){ in, 200 };
	r.flags = LOOP_WAITALL;
	call_start(e, 2, &r);
	peer_send(e, c.peer, out, 10);
	peer_close(e, c.peer);
	c.peer = -1;
	assert_int_equal(call_wait(&r), 10);
	iov[0] = (struct iovec){ in, 200 };
	assert_int_equal(call_run(e, 2, &r), 0);
	conn_free(e, &c, 2);
}

static void test_recv_cancel(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	char in[16];
	struct iovec iov = { in, sizeof(in) };
	struct call a = { .start = start_recv_buf, .fd = c.fd };
	struct call b = { .start = start_recv, .fd = c.fd, .iov = &iov, .niov = 1 };

	call_start(e, 0, &a);
	loops_call(e->loops, loops_get(e->loops, 0), cancel_fn, &a);
	assert_int_equal(call_wait(&a), -ECANCELED);
	loops_call(e->loops, loops_get(e->loops, 0), cancel_fn, &a); /* no-op */
	call_start(e, 0, &b);
	loops_call(e->loops, loops_get(e->loops, 0), cancel_fn, &b);
	assert_int_equal(call_wait(&b), -ECANCELED);
	peer_send(e, c.peer, "ok", 2);
	assert_int_equal(call_run(e, 0, &b), 2);
	conn_free(e, &c, 0);
}

struct drain {
	struct env *e;
	int fd;
	uint8_t *to;
	size_t n;
};

static void *drain_main(void *arg)
{
	struct drain *d = arg;

	peer_recv(d->e, d->fd, d->to, d->n);
	return NULL;
}

/* More than socket buffers hold, in many pieces, while the peer reads slowly or not yet. */
static void test_send_large(void **state)
{
	enum { PIECES = 1000, PIECE = 8191 };
	struct env *e = *state;
	struct conn c = conn_new(e);
	uint8_t *out = malloc(PIECES * PIECE), *in = malloc(PIECES * PIECE);
	struct iovec iov[PIECES];
	struct call s = { .start = start_send, .fd = c.fd, .iov = iov, .niov = PIECES };
	struct drain d = { e, c.peer, in, PIECES * PIECE };
	pthread_t t;

	fill(out, PIECES * PIECE, 3);
	for (unsigned i = 0; i < PIECES; i++)
		iov[i] = (struct iovec){ out + i * PIECE, PIECE };
	call_start(e, 1, &s);
	if (e->kind == LOOP_SIM)
		drain_main(&d);
	else
		assert_int_equal(pthread_create(&t, NULL, drain_main, &d), 0);
	assert_int_equal(call_wait(&s), PIECES * PIECE);
	if (e->kind != LOOP_SIM)
		pthread_join(t, NULL);
	assert_memory_equal(in, out, PIECES * PIECE);
	/* one entry, no entry */
	iov[0] = (struct iovec){ out, 77 };
	s.niov = 1;
	assert_int_equal(call_run(e, 1, &s), 77);
	s.niov = 0;
	assert_int_equal(call_run(e, 1, &s), 0);
	peer_recv(e, c.peer, in, 77);
	free(in);
	free(out);
	conn_free(e, &c, 1);
}

static void shutdown_fn(struct loop *loop, void *arg)
{
	loop_shutdown(loop, *(int *)arg);
}

/* A send that is stuck and a receive that waits both end when the connection is shut down. */
static void test_shutdown(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	size_t n = 64 << 20;
	struct iovec iov = { calloc(1, n), n };
	void *mem = iov.iov_base;
	struct call s = { .start = start_send, .fd = c.fd, .iov = &iov, .niov = 1 };
	struct call r = { .start = start_recv_buf, .fd = c.fd };

	call_start(e, 1, &s);
	call_start(e, 1, &r);
	loops_barrier(e->loops, NULL, NULL);
	assert_true(loop_op_busy(&s.op));
	loops_call(e->loops, loops_get(e->loops, 1), shutdown_fn, &c.fd);
	assert_true(call_wait(&s) < 0);
	assert_true(call_wait(&r) <= 0);
	free(mem);
	conn_free(e, &c, 1);
}

static void test_send_cancel(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	size_t n = 64 << 20;
	struct iovec iov = { calloc(1, n), n };
	void *mem = iov.iov_base;
	struct call s = { .start = start_send, .fd = c.fd, .iov = &iov, .niov = 1 };

	call_start(e, 1, &s);
	loops_barrier(e->loops, NULL, NULL);
	loops_call(e->loops, loops_get(e->loops, 1), cancel_fn, &s);
	assert_int_equal(call_wait(&s), -ECANCELED);
	free(mem);
	conn_free(e, &c, 1);
}

/* A peer that is gone gives an error and no signal. */
static void test_send_closed(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	char data[100] = { 0 };
	int res = 0;

	peer_close(e, c.peer);
	c.peer = -1;
	for (unsigned i = 0; i < 100 && res >= 0; i++) {
		struct iovec iov = { data, sizeof(data) };
		struct call s = { .start = start_send, .fd = c.fd, .iov = &iov, .niov = 1 };

		res = call_run(e, 1, &s);
	}
	assert_true(res == -EPIPE || res == -ECONNRESET);
	conn_free(e, &c, 1);
}

static void test_accept_many(void **state)
{
	struct env *e = *state;
	struct sockaddr_storage name;
	struct acceptor a;
	int peers[40];

	acceptor_open(e, &a, 40);
	for (unsigned i = 0; i < 40; i++)
		peers[i] = peer_connect(e, &a.addr);
	assert_int_equal(loop_event_wait(&a.got, WAIT_NS), 0);
	assert_int_equal(loops_sockname(e->loops, a.fds[0], &name), 0);
	assert_int_equal(
		((struct sockaddr_in *)&name)->sin_port, ((struct sockaddr_in *)&a.addr)->sin_port);
	assert_int_equal(loops_peername(e->loops, a.fds[0], &name), 0);
	assert_int_equal(name.ss_family, AF_INET);
	acceptor_close(e, &a);
	for (unsigned i = 0; i < 40; i++) {
		struct conn c = { a.fds[i], peers[i] };

		conn_free(e, &c, i % TEST_LOOPS);
	}
}

/* Out of descriptors: connections wait and are accepted when some have become free. */
static void test_accept_starved(void **state)
{
	struct env *e = *state;
	struct rlimit old, low;
	struct acceptor a;
	int peers[3], hold, dups[64];
	unsigned ndups = 0;

	if (e->kind == LOOP_SIM)
		skip(); /* its descriptors have no limit */
	acceptor_listen(e, &a, 3);
	for (unsigned i = 0; i < 3; i++) {
		peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(peers[i] >= 0);
	}
	hold = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){ (rlim_t)hold + 1, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while ((dups[ndups] = dup(hold)) >= 0) /* no gap below */
		ndups++;
	/* io_uring takes the limit as it is when accept starts */
	loops_call(e->loops, loops_get(e->loops, 0), acceptor_fn, &a);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			connect(peers[i], (struct sockaddr *)&a.addr, sizeof(struct sockaddr_in)),
			0);
	assert_int_equal(loop_event_wait(&a.got, 50 * NS_PER_MS), -ETIMEDOUT);
	assert_true(loop_op_busy(&a.op));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(loop_event_wait(&a.got, WAIT_NS), 0);
	acceptor_close(e, &a);
	for (unsigned i = 0; i < 3; i++) {
		struct conn c = { a.fds[i], peers[i] };

		conn_free(e, &c, 0);
	}
	while (ndups)
		close(dups[--ndups]);
	close(hold);
}

static void test_listen_errors(void **state)
{
	struct env *e = *state;
	struct acceptor a;
	struct sockaddr_in *in = (struct sockaddr_in *)&a.addr;
	struct sockaddr_in far = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
	int fd;

	acceptor_open(e, &a, 1);
	assert_int_not_equal(in->sin_port, 0);
	assert_int_equal(
		loops_listen(e->loops, (struct sockaddr *)in, sizeof(*in), 0, NULL), -EADDRINUSE);
	assert_int_equal(loops_listen(e->loops, (struct sockaddr *)&far, sizeof(far), 0, NULL),
		-EADDRNOTAVAIL);
	fd = loops_listen(e->loops, (struct sockaddr *)&far, sizeof(far), LOOP_FREEBIND, NULL);
	assert_true(fd >= 0);
	loops_close(e->loops, fd);
	acceptor_close(e, &a);
}

/* ---- files -------------------------------------------------------------------------------- */

static void path_in(struct env *e, char *path, const char *name)
{
	snprintf(path, 128, "%s%s%s", e->kind == LOOP_SIM ? "" : e->dir, "/", name);
}

static void test_file(void **state)
{
	struct env *e = *state;
	uint8_t out[10000], in[10000] = { 0 };
	struct iovec w[2] = { { out, 6000 }, { out + 6000, 4000 } };
	struct iovec r[3] = { { in, 1 }, { in + 1, 9000 }, { in + 9001, 999 } };
	struct call c = { .start = start_write, .iov = w, .niov = 2, .off = 4096 };
	char path[128];
	struct stat st;

	path_in(e, path, "file");
	c.fd = loops_open(e->loops, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(c.fd >= 0);
	fill(out, sizeof(out), 5);
	assert_int_equal(call_run(e, 0, &c), 10000);
	c.niov = 1;
	c.flags = LOOP_DSYNC;
	c.off = 0;
	w[0].iov_len = 4096;
	assert_int_equal(call_run(e, 1, &c), 4096);
	c = (struct call){ .start = start_fsync, .fd = c.fd, .flags = 1 };
	assert_int_equal(call_run(e, 2, &c), 0);
	c.flags = 0;
	assert_int_equal(call_run(e, 2, &c), 0);
	c = (struct call){ .start = start_read, .fd = c.fd, .iov = r, .niov = 3, .off = 4096 };
	assert_int_equal(call_run(e, 0, &c), 10000);
	assert_memory_equal(in, out, 10000);
	r[0] = (struct iovec){ in, 10000 };
	c.niov = 1;
	c.off = 14000; /* across the end */
	assert_int_equal(call_run(e, 0, &c), 96);
	assert_memory_equal(in, out + 9904, 96);
	c.off = 20000;
	assert_int_equal(call_run(e, 0, &c), 0);
	c = (struct call){ .start = start_fallocate,
		.fd = c.fd,
		.off = 4096,
		.len = 4096,
		.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };
	assert_int_equal(call_run(e, 1, &c), 0);
	assert_int_equal(loops_pread(e->loops, c.fd, in, 4097, 4095), 4097);
	assert_int_equal(in[0], out[4095]);
	for (unsigned i = 1; i < 4097; i++)
		assert_int_equal(in[i], 0);
	assert_int_equal(loops_fstat(e->loops, c.fd, &st), 0);
	assert_int_equal(st.st_size, 14096);
	assert_int_equal(loops_lseek(e->loops, c.fd, 0, SEEK_END), 14096);
	assert_int_equal(loops_close(e->loops, c.fd), 0);
	assert_int_equal(loops_unlink(e->loops, path), 0);
}

static void test_file_errors(void **state)
{
	struct env *e = *state;
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct call c = { .start = start_write, .iov = &iov, .niov = 1 };
	char path[128];

	path_in(e, path, "ro");
	assert_int_equal(loops_open(e->loops, path, O_RDWR, 0), -ENOENT);
	assert_int_equal(loops_unlink(e->loops, path), -ENOENT);
	c.fd = loops_open(e->loops, path, O_RDONLY | O_CREAT, 0600);
	assert_true(c.fd >= 0);
	assert_int_equal(loops_open(e->loops, path, O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
	assert_int_equal(call_run(e, 0, &c), -EBADF);
	c.start = start_read;
	c.off = UINT64_MAX;
	assert_int_equal(call_run(e, 0, &c), -EINVAL);
	assert_int_equal(loops_close(e->loops, c.fd), 0);
	assert_int_equal(loops_unlink(e->loops, path), 0);
}

static void test_whole_files(void **state)
{
	struct env *e = *state;
	char path[128], temp[128], other[128], *text;
	size_t n;

	path_in(e, path, "whole");
	path_in(e, temp, "whole.new");
	path_in(e, other, "other");
	assert_int_equal(loops_read_file(e->loops, path, 100, &text, &n), -ENOENT);
	assert_int_equal(loops_write_file(e->loops, path, "first", 5, 0600), 0);
	assert_int_equal(loops_write_file(e->loops, path, "second", 6, 0600), 0);
	assert_int_equal(loops_unlink(e->loops, temp), -ENOENT);
	assert_int_equal(loops_read_file(e->loops, path, 5, &text, &n), -EFBIG);
	assert_int_equal(loops_read_file(e->loops, path, 6, &text, &n), 0);
	assert_int_equal(n, 6);
	assert_string_equal(text, "second");
	free(text);
	assert_int_equal(loops_rename(e->loops, path, other), 0);
	assert_int_equal(loops_write_file(e->loops, path, "", 0, 0600), 0);
	assert_int_equal(loops_read_file(e->loops, path, 6, &text, &n), 0);
	assert_int_equal(n, 0);
	free(text);
	assert_int_equal(loops_unlink(e->loops, path), 0);
	assert_int_equal(loops_unlink(e->loops, other), 0);
}

/* ---- workers ------------------------------------------------------------------------------ */

static int work_answer(void *arg)
{
	return *(int *)arg;
}

static void test_work(void **state)
{
	struct env *e = *state;
	int answers[3] = { 42, -EIO, 0 };

	for (unsigned i = 0; i < 3; i++) {
		struct call c = { .start = start_work, .fn = work_answer, .arg = &answers[i] };

		assert_int_equal(call_run(e, i, &c), answers[i]);
	}
}

static int work_stuck(void *arg)
{
	while (sem_wait(arg))
		;
	return 7;
}

/* Calls that hang do not keep others from running; more than there are threads queue up. */
static void test_work_stuck(void **state)
{
	enum { STUCK = WORKERS_MAX - 1, MORE = 8 };
	struct env *e = *state;
	struct call *stuck = calloc(STUCK, sizeof(*stuck)), more[MORE], *last = &more[MORE - 1];
	int answer = 5;
	sem_t sem;

	if (e->kind == LOOP_SIM) {
		free(stuck);
		skip(); /* its work runs on the one thread and cannot hang */
	}
	sem_init(&sem, 0, 0);
	for (unsigned i = 0; i < STUCK; i++) {
		stuck[i] = (struct call){ .start = start_work, .fn = work_stuck, .arg = &sem };
		call_start(e, i % TEST_LOOPS, &stuck[i]);
	}
	for (unsigned i = 0; i < MORE; i++) {
		more[i] = (struct call){ .start = start_work, .fn = work_answer, .arg = &answer };
		call_start(e, i % TEST_LOOPS, &more[i]);
	}
	for (unsigned i = 0; i < MORE; i++)
		assert_int_equal(call_wait(&more[i]), 5);
	/* the last thread hangs, too: what is queued can be cancelled */
	*last = (struct call){ .start = start_work, .fn = work_stuck, .arg = &sem };
	call_start(e, 0, last);
	more[0] = (struct call){ .start = start_work, .fn = work_stuck, .arg = &sem };
	call_start(e, 0, &more[0]);
	loops_call(e->loops, loops_get(e->loops, 0), cancel_fn, &more[0]);
	assert_int_equal(call_wait(&more[0]), -ECANCELED);
	for (unsigned i = 0; i < STUCK + 1; i++)
		sem_post(&sem);
	for (unsigned i = 0; i < STUCK; i++)
		assert_int_equal(call_wait(&stuck[i]), 7);
	assert_int_equal(call_wait(last), 7);
	sem_destroy(&sem);
	free(stuck);
}

/* ---- all together ------------------------------------------------------------------------- */

enum { ECHO_BYTES = 300000 };

/* A connection that returns what it gets, until its end. */
struct echo {
	struct loop_op recv, send;
	struct loop *loop;
	struct iovec iov;
	void *buf;
	int fd;
	struct loop_event done;
};

static void echo_recv(struct loop_op *op, int res);

static void echo_sent(struct loop_op *op, int res)
{
	struct echo *c = container_of(op, struct echo, send);

	assert_true(res > 0);
	loop_buf_put(c->loop, c->buf);
	c->recv.done = echo_recv;
	loop_recv_buf(c->loop, &c->recv, c->fd);
}

static void echo_recv(struct loop_op *op, int res)
{
	struct echo *c = container_of(op, struct echo, recv);

	if (res <= 0) {
		assert_int_equal(res, 0);
		loop_close(c->loop, c->fd);
		loop_event_signal(&c->done);
		return;
	}
	c->buf = op->buf;
	c->iov = (struct iovec){ op->buf, (size_t)res };
	c->send.done = echo_sent;
	loop_send(c->loop, &c->send, c->fd, &c->iov, 1);
}

static void echo_start(struct loop *loop, void *arg)
{
	struct echo *c = arg;

	c->loop = loop;
	c->recv.done = echo_recv;
	loop_recv_buf(loop, &c->recv, c->fd);
}

static void *echo_client(void *arg)
{
	struct drain *d = arg;
	uint8_t out[5000], in[5000];

	for (size_t done = 0, i = 0; done < d->n; i++) {
		size_t n = 1 + i * 977 % 5000;

		if (n > d->n - done)
			n = d->n - done;
		fill(out, n, (unsigned)i);
		peer_send(d->e, d->fd, out, n);
		peer_recv(d->e, d->fd, in, n);
		assert_memory_equal(in, out, n);
		done += n;
	}
	peer_close(d->e, d->fd);
	return NULL;
}

static void test_echo_many(void **state)
{
	enum { N = 8 };
	struct env *e = *state;
	struct echo c[N] = { 0 };
	struct drain d[N];
	pthread_t t[N];

	for (unsigned i = 0; i < N; i++) {
		struct conn conn = conn_new(e);

		d[i] = (struct drain){ e, conn.peer, NULL, ECHO_BYTES };
		c[i].fd = conn.fd;
		loop_event_init(&c[i].done, e->loops);
		loops_call(e->loops, loops_get(e->loops, i % TEST_LOOPS), echo_start, &c[i]);
	}
	for (unsigned i = 0; i < N; i++) {
		if (e->kind == LOOP_SIM)
			echo_client(&d[i]);
		else
			assert_int_equal(pthread_create(&t[i], NULL, echo_client, &d[i]), 0);
	}
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(loop_event_wait(&c[i].done, WAIT_NS), 0);
		if (e->kind != LOOP_SIM)
			pthread_join(t[i], NULL);
	}
}

static void usage_fn(struct loop *loop, void *arg)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	*(long *)arg = u.ru_nvcsw;
}

/* A loop with a connection and a far timer sleeps: it is not scheduled until it is asked. */
static void test_idle(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	struct call r = { .start = start_recv_buf, .fd = c.fd };
	struct loop_event never;
	long before, after;

	if (e->kind != LOOP_SIM) {
		call_start(e, 1, &r);
		loops_call(e->loops, loops_get(e->loops, 1), usage_fn, &before);
		loop_event_init(&never, e->loops);
		assert_int_equal(loop_event_wait(&never, 300 * NS_PER_MS), -ETIMEDOUT);
		loops_call(e->loops, loops_get(e->loops, 1), usage_fn, &after);
		/* it went to sleep after the first question, and the second woke it */
		assert_in_range(after - before, 0, 4);
		loops_call(e->loops, loops_get(e->loops, 1), cancel_fn, &r);
		assert_int_equal(call_wait(&r), -ECANCELED);
	}
	conn_free(e, &c, 1);
}

#define LOOP_TEST(fn, kind)                                                                        \
	{                                                                                          \
#fn " " #kind, test_##fn, setup_##kind, env_free, NULL                             \
	}
#define LOOP_TESTS(kind)                                                                           \
	LOOP_TEST(set, kind), LOOP_TEST(post_from_threads, kind), LOOP_TEST(post_round, kind),     \
		LOOP_TEST(defer, kind), LOOP_TEST(barrier, kind), LOOP_TEST(event_timeout, kind),  \
		LOOP_TEST(timers, kind), LOOP_TEST(timer_zero, kind), LOOP_TEST(recv_buf, kind),   \
		LOOP_TEST(recv_buf_starved, kind), LOOP_TEST(recv_waitall, kind),                  \
		LOOP_TEST(recv_cancel, kind), LOOP_TEST(send_large, kind),                         \
		LOOP_TEST(shutdown, kind), LOOP_TEST(send_cancel, kind),                           \
		LOOP_TEST(send_closed, kind), LOOP_TEST(accept_many, kind),                        \
		LOOP_TEST(accept_starved, kind), LOOP_TEST(listen_errors, kind),                   \
		LOOP_TEST(file, kind), LOOP_TEST(file_errors, kind), LOOP_TEST(whole_files, kind), \
		LOOP_TEST(work, kind), LOOP_TEST(work_stuck, kind), LOOP_TEST(echo_many, kind),    \
		LOOP_TEST(idle, kind)

int main(void)
{
	const struct CMUnitTest tests[] = { LOOP_TESTS(uring), LOOP_TESTS(epoll) };

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
