/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testlib.h: what the tests of the loop seam share: a set of loops of a kind, operations that are
 * started on a loop and waited for, and connections whose other end the test holds.
 */
#ifndef ULIO_LOOP_TESTLIB_H
#define ULIO_LOOP_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/limits.h"
#include "loop/loop.h"
#include "loop/sim.h"

enum { TEST_LOOPS = 3 };
#define WAIT_NS (20 * NS_PER_S)

struct env {
	struct loops *loops;
	enum loop_kind kind;
	char dir[64]; /* for files, "" in the simulator */
};

/* Set-up and tear-down of a test: *state is a struct env. */
int setup_uring(void **state);
int setup_epoll(void **state);
int setup_sim(void **state);
int env_free(void **state);

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

void start_connect(struct loop *loop, struct call *c); /* to the IPv4 address arg */
void start_recv_buf(struct loop *loop, struct call *c);
void start_recv(struct loop *loop, struct call *c);
void start_send(struct loop *loop, struct call *c);
void start_read(struct loop *loop, struct call *c);
void start_write(struct loop *loop, struct call *c);
void start_fsync(struct loop *loop, struct call *c);
void start_fallocate(struct loop *loop, struct call *c);
void start_work(struct loop *loop, struct call *c);

void call_start(struct env *e, unsigned loop, struct call *c);
int call_wait(struct call *c);
int call_run(struct env *e, unsigned loop, struct call *c);
void call_cancel(struct env *e, unsigned loop, struct call *c);
/* Asked on the loop. */
bool op_busy(struct env *e, unsigned loop, struct loop_op *op);
void buf_put(struct env *e, unsigned loop, void *buf);
void fd_close(struct env *e, unsigned loop, int fd);

/* A listening socket of loop 0 that collects connections. */
struct acceptor {
	struct loop_op op;
	struct loop_event got, ended; /* `want` are there; the operation has ended */
	int fds[64];
	unsigned n, want;
	int last, fd;
	struct sockaddr_storage addr;
};

void acceptor_listen(struct env *e, struct acceptor *a, unsigned want);
void acceptor_start(struct env *e, struct acceptor *a);
void acceptor_close(struct env *e, struct acceptor *a);

struct conn {
	int fd; /* the target's end */
	int peer; /* the test's end, -1: closed */
};

struct conn conn_new(struct env *e);
void conn_free(struct env *e, struct conn *c, unsigned loop);

int peer_connect(struct env *e, const struct sockaddr_storage *to);
void peer_send(struct env *e, int fd, const void *data, size_t n);
/* Exactly n bytes. */
void peer_recv(struct env *e, int fd, void *data, size_t n);
void peer_close(struct env *e, int fd);
/* Sends to this peer that are large block. */
void peer_stall(struct env *e, int fd);

void fill(uint8_t *p, size_t n, unsigned seed);

#define LOOP_TEST(fn, kind)                                                                        \
	{                                                                                          \
#fn " " #kind, test_##fn, setup_##kind, env_free, NULL                             \
	}

#endif
