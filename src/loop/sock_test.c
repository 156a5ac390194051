/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the loop seam's sockets over each implementation.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loop/sim.h"
#include "loop/testlib.h"

/* ---- sockets ------------------------------------------------------------------------------ */

/* n bytes by as many loop_recv_buf() as it takes. */
static void recv_bytes(struct env *e, unsigned loop, int fd, char *to, size_t n)
{
	while (n) {
		struct call r = { .start = start_recv_buf, .fd = fd };

		assert_in_range(call_run(e, loop, &r), 1, n);
		memcpy(to, r.buf, (size_t)r.res);
		buf_put(e, loop, r.buf);
		to += r.res;
		n -= (size_t)r.res;
	}
}

static void test_recv_buf(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	struct call r = { .start = start_recv_buf, .fd = c.fd };
	char in[8];

	peer_send(e, c.peer, "hello", 5);
	recv_bytes(e, 1, c.fd, in, 5);
	assert_memory_equal(in, "hello", 5);
	call_start(e, 1, &r); /* waits for data */
	peer_send(e, c.peer, "x", 1);
	assert_int_equal(call_wait(&r), 1);
	buf_put(e, 1, r.buf);
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
	char in[5];
	void **held = calloc(LOOP_BUFS_MAX, sizeof(*held));

	for (unsigned i = 0; i < LOOP_BUFS_MAX; i++) {
		peer_send(e, c.peer, "x", 1);
		assert_int_equal(call_run(e, 0, &r), 1);
		held[i] = r.buf;
	}
	peer_send(e, c.peer, "l", 1);
	call_start(e, 0, &r);
	loops_barrier(e->loops, NULL, NULL);
	buf_put(e, 0, held[0]);
	assert_int_equal(call_wait(&r), 1);
	held[0] = r.buf;
	call_start(e, 0, &r);
	peer_send(e, c.peer, "never", 5);
	loops_barrier(e->loops, NULL, NULL);
	call_cancel(e, 0, &r);
	assert_int_equal(call_wait(&r), -ECANCELED);
	for (unsigned i = 0; i < LOOP_BUFS_MAX; i++)
		buf_put(e, 0, held[i]);
	recv_bytes(e, 0, c.fd, in, 5);
	assert_memory_equal(in, "never", 5);
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
	assert_true(op_busy(e, 2, &r.op));
	peer_send(e, c.peer, out + 50, 850);
	assert_int_equal(call_wait(&r), 800);
	/* not all: what is there */
	r.niov = 1;
	r.flags = 0;
	for (size_t done = 800; done < 900; done += (size_t)r.res) {
		iov[0] = (struct iovec){ in + done, 1000 - done };
		assert_in_range(call_run(e, 2, &r), 1, 900 - done);
	}
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
	struct iovec iov = { in, 2 };
	struct call a = { .start = start_recv_buf, .fd = c.fd };
	struct call b = {
		.start = start_recv, .fd = c.fd, .iov = &iov, .niov = 1, .flags = LOOP_WAITALL
	};

	call_start(e, 0, &a);
	call_cancel(e, 0, &a);
	assert_int_equal(call_wait(&a), -ECANCELED);
	call_cancel(e, 0, &a); /* no-op */
	call_start(e, 0, &b);
	call_cancel(e, 0, &b);
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

	peer_stall(e, c.peer);
	call_start(e, 1, &s);
	call_start(e, 1, &r);
	loops_barrier(e->loops, NULL, NULL);
	assert_true(op_busy(e, 1, &s.op));
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

	peer_stall(e, c.peer);
	call_start(e, 1, &s);
	loops_barrier(e->loops, NULL, NULL);
	call_cancel(e, 1, &s);
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

	acceptor_listen(e, &a, 40);
	acceptor_start(e, &a);
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
	acceptor_start(e, &a);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			connect(peers[i], (struct sockaddr *)&a.addr, sizeof(struct sockaddr_in)),
			0);
	assert_int_equal(loop_event_wait(&a.got, 50 * NS_PER_MS), -ETIMEDOUT);
	assert_true(op_busy(e, 0, &a.op));
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

	acceptor_listen(e, &a, 1);
	acceptor_start(e, &a);
	assert_int_not_equal(in->sin_port, 0);
	assert_int_equal(loops_listen(e->loops, (struct sockaddr *)in, sizeof(*in), NULL, 0, NULL),
		-EADDRINUSE);
	assert_int_equal(
		loops_listen(e->loops, (struct sockaddr *)&far, sizeof(far), NULL, 0, NULL),
		-EADDRNOTAVAIL);
	fd = loops_listen(
		e->loops, (struct sockaddr *)&far, sizeof(far), NULL, LOOP_FREEBIND, NULL);
	assert_true(fd >= 0);
	loops_close(e->loops, fd);
	assert_true(loops_has_address(e->loops, (struct sockaddr *)in, sizeof(*in)));
	assert_false(loops_has_address(e->loops, (struct sockaddr *)&far, sizeof(far)));
	acceptor_close(e, &a);
}

static void test_listen_netns(void **state)
{
	struct env *e = *state;
	static const char *const bad[] = { "no-such-namespace", "../netns", ".", "a/b" };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage bound;
	int a, b;

	if (e->kind != LOOP_SIM) {
		for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			assert_int_equal(loops_listen(e->loops, (struct sockaddr *)&in, sizeof(in),
						 bad[i], 0, NULL),
				-ENOENT);
		return;
	}
	/* One address in two of them: neither is in the way of the other, nor of the process's. */
	a = loops_listen(e->loops, (struct sockaddr *)&in, sizeof(in), "blue", 0, &bound);
	b = loops_listen(e->loops, (struct sockaddr *)&bound, sizeof(in), "red", 0, NULL);
	assert_true(a >= 0 && b >= 0);
	assert_int_equal(
		loops_listen(e->loops, (struct sockaddr *)&bound, sizeof(in), "red", 0, NULL),
		-EADDRINUSE);
	assert_int_equal(
		sim_connect(e->loops, (struct sockaddr *)&bound, sizeof(in)), -ECONNREFUSED);
	loops_close(e->loops, a);
	loops_close(e->loops, b);
}

static void test_connect(void **state)
{
	struct env *e = *state;
	struct sockaddr_storage name;
	struct acceptor a;
	struct conn c;
	struct call out = { .start = start_connect, .arg = &a.addr };
	struct iovec iov = { (void *)"hello", 5 };
	struct call s = { .start = start_send, .iov = &iov, .niov = 1 };
	char in[5];
	int server = -1;

	acceptor_listen(e, &a, 1);
	acceptor_start(e, &a);
	if (e->kind == LOOP_SIM) {
		((struct sockaddr_in *)&a.addr)->sin_port = htons(3205);
		server =
			sim_serve(e->loops, (struct sockaddr *)&a.addr, sizeof(struct sockaddr_in));
	}
	c.fd = call_run(e, 1, &out);
	assert_true(c.fd >= 0);
	assert_int_equal(loops_peername(e->loops, c.fd, &name), 0);
	assert_memory_equal(&name, &a.addr, sizeof(struct sockaddr_in));
	s.fd = c.fd;
	assert_int_equal(call_run(e, 1, &s), 5);
	if (e->kind == LOOP_SIM) {
		c.peer = sim_accept(e->loops, server);
		assert_int_equal(sim_accept(e->loops, server), -EAGAIN);
		sim_serve_end(e->loops, server);
	} else {
		assert_int_equal(loop_event_wait(&a.got, WAIT_NS), 0);
		c.peer = a.fds[0];
	}
	assert_true(c.peer >= 0);
	peer_recv(e, c.peer, in, 5);
	assert_memory_equal(in, "hello", 5);
	peer_send(e, c.peer, "world", 5);
	recv_bytes(e, 1, c.fd, in, 5);
	assert_memory_equal(in, "world", 5);
	fd_close(e, 1, c.fd);
	peer_close(e, c.peer);
	acceptor_close(e, &a);
}

static void test_connect_refused(void **state)
{
	struct env *e = *state;
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct call out = { .start = start_connect, .arg = &at };
	socklen_t len = sizeof(at);
	/* A port that is taken, so that nobody comes to listen there, and nobody listens. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(call_run(e, 1, &out), -ECONNREFUSED);
	close(fd);
}

/*
 * 203.0.113.0/24 is nobody's (RFC 5737): on its way, or refused at once for want of a route; or
 * something in between answers for it, and the two cross.
 */
static void test_connect_cancel(void **state)
{
	struct env *e = *state;
	struct sockaddr_in far = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xcb007109), .sin_port = htons(3205)
	};
	struct call out = { .start = start_connect, .arg = &far };
	int res;

	call_start(e, 1, &out);
	call_cancel(e, 1, &out);
	res = call_wait(&out);
	if (res >= 0)
		fd_close(e, 1, res);
	assert_true(res >= 0 || res == -ECANCELED || res == -ENETUNREACH || res == -EHOSTUNREACH ||
		    res == -ECONNREFUSED);
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

#define TESTS(kind)                                                                                \
	LOOP_TEST(recv_buf, kind), LOOP_TEST(recv_buf_starved, kind),                              \
		LOOP_TEST(recv_waitall, kind), LOOP_TEST(recv_cancel, kind),                       \
		LOOP_TEST(send_large, kind), LOOP_TEST(shutdown, kind),                            \
		LOOP_TEST(send_cancel, kind), LOOP_TEST(send_closed, kind),                        \
		LOOP_TEST(accept_many, kind), LOOP_TEST(accept_starved, kind),                     \
		LOOP_TEST(listen_errors, kind), LOOP_TEST(listen_netns, kind),                     \
		LOOP_TEST(connect, kind), LOOP_TEST(connect_refused, kind),                        \
		LOOP_TEST(connect_cancel, kind), LOOP_TEST(echo_many, kind)

int main(void)
{
	const struct CMUnitTest tests[] = { TESTS(uring), TESTS(epoll), TESTS(sim) };

	return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
