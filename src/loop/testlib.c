/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testlib.c: see testlib.h. The test is the control thread; peers of sockets are plain blocking
 * sockets of the test, or those of the simulator.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/testlib.h"

static struct env *env_new(enum loop_kind kind)
{
	const char *seed = getenv("SIM_SEED"); /* to look for more */
	struct loops_config cfg = {
		.kind = kind, .nloops = TEST_LOOPS, .page_limit_bytes = 64 << 20
	};
	struct env *e = calloc(1, sizeof(*e));
	struct errmsg err;

	errmsg_init(&err);
	cfg.sim_seed = seed ? strtoull(seed, NULL, 0) : 1;
	if (loops_new(&cfg, &e->loops, &err))
		fail_msg("loops_new: %s", err.text);
	e->kind = kind;
	if (kind != LOOP_SIM) {
		strcpy(e->dir, "/tmp/loop_test.XXXXXX");
		assert_non_null(mkdtemp(e->dir));
	}
	return e;
}

int env_free(void **state)
{
	struct env *e = *state;

	loops_free(e->loops);
	if (e->kind != LOOP_SIM)
		rmdir(e->dir);
	free(e);
	return 0;
}

int setup_uring(void **state)
{
	*state = env_new(LOOP_URING);
	return 0;
}

int setup_epoll(void **state)
{
	*state = env_new(LOOP_EPOLL);
	return 0;
}

int setup_sim(void **state)
{
	*state = env_new(LOOP_SIM);
	return 0;
}

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

void call_start(struct env *e, unsigned loop, struct call *c)
{
	c->op.done = call_done;
	loop_event_init(&c->done, e->loops);
	loops_call(e->loops, loops_get(e->loops, loop), call_start_fn, c);
}

int call_wait(struct call *c)
{
	assert_int_equal(loop_event_wait(&c->done, WAIT_NS), 0);
	assert_false(loop_op_busy(&c->op));
	return c->res;
}

int call_run(struct env *e, unsigned loop, struct call *c)
{
	call_start(e, loop, c);
	return call_wait(c);
}

static void cancel_fn(struct loop *loop, void *arg)
{
	loop_cancel(loop, &((struct call *)arg)->op);
}

void start_connect(struct loop *loop, struct call *c)
{
	loop_connect(loop, &c->op, c->arg, sizeof(struct sockaddr_in));
}

void start_recv_buf(struct loop *loop, struct call *c)
{
	loop_recv_buf(loop, &c->op, c->fd);
}

void start_recv(struct loop *loop, struct call *c)
{
	loop_recv(loop, &c->op, c->fd, c->iov, c->niov, c->flags);
}

void start_send(struct loop *loop, struct call *c)
{
	loop_send(loop, &c->op, c->fd, c->iov, c->niov);
}

void start_read(struct loop *loop, struct call *c)
{
	loop_read(loop, &c->op, c->fd, c->iov, c->niov, c->off);
}

void start_write(struct loop *loop, struct call *c)
{
	loop_write(loop, &c->op, c->fd, c->iov, c->niov, c->off, c->flags);
}

void start_fsync(struct loop *loop, struct call *c)
{
	loop_fsync(loop, &c->op, c->fd, c->flags);
}

void start_fallocate(struct loop *loop, struct call *c)
{
	loop_fallocate(loop, &c->op, c->fd, c->flags, c->off, c->len);
}

void start_work(struct loop *loop, struct call *c)
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

void call_cancel(struct env *e, unsigned loop, struct call *c)
{
	loops_call(e->loops, loops_get(e->loops, loop), cancel_fn, c);
}

struct busy {
	struct loop_op *op;
	bool busy;
};

static void busy_fn(struct loop *loop, void *arg)
{
	struct busy *b = arg;

	b->busy = loop_op_busy(b->op);
}

bool op_busy(struct env *e, unsigned loop, struct loop_op *op)
{
	struct busy b = { .op = op };

	loops_call(e->loops, loops_get(e->loops, loop), busy_fn, &b);
	return b.busy;
}

void buf_put(struct env *e, unsigned loop, void *buf)
{
	loops_call(e->loops, loops_get(e->loops, loop), put_fn, buf);
}

void fd_close(struct env *e, unsigned loop, int fd)
{
	loops_call(e->loops, loops_get(e->loops, loop), close_fn, &fd);
}

/* ---- connections -------------------------------------------------------------------------- */

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

void acceptor_listen(struct env *e, struct acceptor *a, unsigned want)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	*a = (struct acceptor){ .op.done = acceptor_done, .want = want };
	loop_event_init(&a->got, e->loops);
	loop_event_init(&a->ended, e->loops);
	a->fd = loops_listen(e->loops, (struct sockaddr *)&in, sizeof(in), NULL, 0, &a->addr);
	assert_true(a->fd >= 0);
}

void acceptor_start(struct env *e, struct acceptor *a)
{
	loops_call(e->loops, loops_get(e->loops, 0), acceptor_fn, a);
}

void acceptor_close(struct env *e, struct acceptor *a)
{
	loops_call(e->loops, loops_get(e->loops, 0), acceptor_cancel_fn, a);
	assert_int_equal(loop_event_wait(&a->ended, WAIT_NS), 0);
	assert_int_equal(a->last, -ECANCELED);
	assert_false(loop_op_busy(&a->op));
	fd_close(e, 0, a->fd);
}

int peer_connect(struct env *e, const struct sockaddr_storage *to)
{
	int fd;

	if (e->kind == LOOP_SIM) {
		fd = sim_connect(e->loops, (const struct sockaddr *)to, sizeof(struct sockaddr_in));
		assert_true(fd >= 0);
		return fd;
	}
	fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(struct sockaddr_in)), 0);
	return fd;
}

void peer_send(struct env *e, int fd, const void *data, size_t n)
{
	if (e->kind == LOOP_SIM)
		assert_int_equal(sim_send(e->loops, fd, data, n), 0);
	else
		assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
}

void peer_recv(struct env *e, int fd, void *data, size_t n)
{
	size_t done = 0;

	if (e->kind != LOOP_SIM) {
		assert_int_equal(recv(fd, data, n, MSG_WAITALL), n);
		return;
	}
	while (done < n) {
		int64_t r = sim_recv(e->loops, fd, (uint8_t *)data + done, n - done);

		assert_true(r >= 0);
		done += (size_t)r;
		if (!r)
			sim_run(e->loops, NULL, NULL, 1);
	}
}

void peer_close(struct env *e, int fd)
{
	if (e->kind == LOOP_SIM)
		sim_close(e->loops, fd, false);
	else
		close(fd);
}

void peer_stall(struct env *e, int fd)
{
	if (e->kind == LOOP_SIM)
		sim_stall(e->loops, fd, true); /* else the sockets' buffers do it */
}

struct conn conn_new(struct env *e)
{
	struct acceptor a;
	struct conn c;

	acceptor_listen(e, &a, 1);
	acceptor_start(e, &a);
	c.peer = peer_connect(e, &a.addr);
	assert_int_equal(loop_event_wait(&a.got, WAIT_NS), 0);
	c.fd = a.fds[0];
	acceptor_close(e, &a);
	return c;
}

void conn_free(struct env *e, struct conn *c, unsigned loop)
{
	fd_close(e, loop, c->fd);
	if (c->peer >= 0)
		peer_close(e, c->peer);
}

void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((i * 31 + i / 251 + seed) & 0xff);
}
