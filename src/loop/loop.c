/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c: what all implementations of the loop have in common: starting and ending operations,
 * messages, deferral and timers. The set and its threads are in set.c.
 *
 * The inbox of a loop is a stack that any thread pushes to and the loop takes as a whole, turning
 * it round; so the messages of one sender keep their order and nothing is allocated. A loop that
 * goes to sleep says so in `asleep` and then looks into the inbox once more; a sender pushes first
 * and then reads `asleep`. Both in sequentially consistent order: one of them sees the other.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "loop/loop_priv.h"

/* ---- operations --------------------------------------------------------------------------- */

void msg_advance(struct msghdr *msg, size_t n)
{
	while (msg->msg_iovlen && n >= msg->msg_iov->iov_len) {
		n -= msg->msg_iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	if (n) {
		assert(msg->msg_iovlen);
		msg->msg_iov->iov_base = (char *)msg->msg_iov->iov_base + n;
		msg->msg_iov->iov_len -= n;
	}
}

void op_queue_remove(struct op_queue *q, struct loop_op *op)
{
	struct loop_op *prev = NULL, *at = q->head;

	while (at != op) {
		assert(at);
		prev = at;
		at = op_priv(at)->next;
	}
	if (prev)
		op_priv(prev)->next = op_priv(op)->next;
	else
		q->head = op_priv(op)->next;
	if (q->tail == op)
		q->tail = prev;
}

static struct op_priv *op_begin(struct loop *loop, struct loop_op *op, enum op_kind kind, int fd)
{
	struct op_priv *p = op_priv(op);

	assert(loop_is_current(loop));
	assert(op->done && !op->loop);
	op->loop = loop;
	p->kind = (uint8_t)kind;
	p->flags = 0;
	p->fd = fd;
	p->niov = 0;
	p->total = 0;
	loop->under_way++;
	return p;
}

void loop_op_finish(struct loop_op *op, int res)
{
	op->loop->under_way--;
	op->loop = NULL;
	op->done(op, res);
}

void loop_op_ready(struct loop *loop, struct loop_op *op, int res)
{
	struct op_priv *p = op_priv(op);

	assert(!(p->flags & OPF_READY));
	p->flags |= OPF_READY;
	p->res = res;
	op_queue_push(&loop->ready, op);
}

void loop_run_ready(struct loop *loop)
{
	struct op_queue q = loop->ready;
	struct loop_op *op;

	loop->ready = (struct op_queue){ NULL, NULL };
	while ((op = op_queue_pop(&q)))
		loop_op_finish(op, op_priv(op)->res);
}

void loop_cancel(struct loop *loop, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);

	if (!op->loop)
		return;
	assert(op->loop == loop && loop_is_current(loop));
	if (p->flags & (OPF_CANCELLED | OPF_READY))
		return;
	p->flags |= OPF_CANCELLED;
	loop->impl->cancel(loop, op);
}

/* Errors of accept() that concern one connection, not the listening socket. */
bool accept_passes(int res)
{
	static const int passing[] = { -ECONNABORTED, -EINTR, -EAGAIN, -EPROTO, -ENETDOWN,
		-ENOPROTOOPT, -EHOSTDOWN, -ENONET, -EHOSTUNREACH, -EOPNOTSUPP, -ENETUNREACH,
		-EPERM };

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (passing[i] == res)
			return true;
	return false;
}

bool accept_starved(int res)
{
	return res == -EMFILE || res == -ENFILE || res == -ENOMEM || res == -ENOBUFS;
}

void loop_accept(struct loop *loop, struct loop_op *op, int fd)
{
	op_begin(loop, op, OP_ACCEPT, fd);
	loop->impl->accept(loop, op);
}

void loop_connect(
	struct loop *loop, struct loop_op *op, const struct sockaddr *addr, socklen_t addrlen)
{
	struct op_priv *p = op_begin(loop, op, OP_CONNECT, -1);

	assert(addrlen <= sizeof(p->to.in6));
	memcpy(&p->to.sa, addr, addrlen);
	p->to.len = addrlen;
	loop->impl->connect(loop, op);
}

void loop_recv_buf(struct loop *loop, struct loop_op *op, int fd)
{
	op_begin(loop, op, OP_RECV_BUF, fd);
	op->buf = NULL;
	loop->impl->recv_buf(loop, op);
}

void loop_buf_put(struct loop *loop, void *buf)
{
	assert(loop_is_current(loop));
	loop->impl->buf_put(loop, buf);
}

static struct op_priv *op_begin_msg(struct loop *loop, struct loop_op *op, enum op_kind kind,
	int fd, struct iovec *iov, unsigned niov)
{
	struct op_priv *p = op_begin(loop, op, kind, fd);

	assert(niov <= IOV_MAX);
	p->msg = (struct msghdr){ .msg_iov = iov, .msg_iovlen = niov };
	msg_advance(&p->msg, 0); /* empty entries at the front */
	return p;
}

void loop_recv(
	struct loop *loop, struct loop_op *op, int fd, struct iovec *iov, unsigned niov, int flags)
{
	struct op_priv *p = op_begin_msg(loop, op, OP_RECV, fd, iov, niov);

	if (flags & LOOP_WAITALL)
		p->flags |= OPF_WAITALL;
	if (!p->msg.msg_iovlen)
		loop_op_ready(loop, op, 0);
	else
		loop->impl->recv(loop, op);
}

void loop_send(struct loop *loop, struct loop_op *op, int fd, struct iovec *iov, unsigned niov)
{
	struct op_priv *p = op_begin_msg(loop, op, OP_SEND, fd, iov, niov);

	if (!p->msg.msg_iovlen)
		loop_op_ready(loop, op, 0);
	else
		loop->impl->send(loop, op);
}

void loop_shutdown(struct loop *loop, int fd)
{
	assert(loop_is_current(loop));
	loop->impl->shutdown(loop, fd);
}

void loop_close(struct loop *loop, int fd)
{
	assert(loop_is_current(loop) && fd >= 0);
	loop->impl->close(loop, fd);
}

static void file_begin(struct loop *loop, struct loop_op *op, enum op_kind kind, int fd,
	const struct iovec *iov, unsigned niov, uint64_t off, uint64_t len, int mode)
{
	struct op_priv *p = op_begin(loop, op, kind, fd);

	assert(niov <= IOV_MAX);
	p->niov = niov;
	p->file.iov = iov;
	p->file.off = off;
	p->file.len = len;
	p->file.mode = mode;
	if (off > INT64_MAX || len > INT64_MAX)
		loop_op_ready(loop, op, -EINVAL);
	else
		loop->impl->file(loop, op);
}

void loop_read(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
	unsigned niov, uint64_t off_bytes)
{
	file_begin(loop, op, OP_READ, fd, iov, niov, off_bytes, 0, 0);
}

void loop_write(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
	unsigned niov, uint64_t off_bytes, int flags)
{
	file_begin(loop, op, OP_WRITE, fd, iov, niov, off_bytes, 0, flags);
}

void loop_fsync(struct loop *loop, struct loop_op *op, int fd, bool datasync)
{
	file_begin(loop, op, OP_FSYNC, fd, NULL, 0, 0, 0, datasync);
}

void loop_fallocate(struct loop *loop, struct loop_op *op, int fd, int mode, uint64_t off_bytes,
	uint64_t len_bytes)
{
	file_begin(loop, op, OP_FALLOCATE, fd, NULL, 0, off_bytes, len_bytes, mode);
}

void loop_work(struct loop *loop, struct loop_op *op, int (*fn)(void *arg), void *arg)
{
	struct op_priv *p = op_begin(loop, op, OP_WORK, -1);

	p->file.iov = arg;
	p->file.fn = fn;
	loop->impl->work(loop, op);
}

/* ---- time --------------------------------------------------------------------------------- */

uint64_t loop_now_ns(const struct loop *loop)
{
	return loop->now_ns;
}

void loop_timer_arm(struct loop *loop, struct loop_timer *t, uint64_t delay_ns)
{
	uint64_t at;

	assert(loop_is_current(loop) && t->fire);
	if (t->slot)
		timers_remove(&loop->timers, t);
	/* At least one: a timer that rearms itself at once must not hold the loop. */
	if (__builtin_add_overflow(loop->now_ns, delay_ns ? delay_ns : 1, &at))
		at = LOOP_FOREVER - 1;
	t->at_ns = at;
	timers_insert(&loop->timers, t);
}

void loop_timer_disarm(struct loop *loop, struct loop_timer *t)
{
	assert(loop_is_current(loop));
	if (t->slot)
		timers_remove(&loop->timers, t);
}

void loop_run_timers(struct loop *loop)
{
	struct loop_timer *t;

	while ((t = timers_pop(&loop->timers, loop->now_ns)))
		t->fire(t);
}

/* ---- messages ----------------------------------------------------------------------------- */

static void loop_wake(struct loop *loop)
{
	uint64_t one = 1;
	ssize_t n;

	do {
		n = write(loop->wake_fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
	assert(n == sizeof(one));
}

void loop_post(struct loop *loop, struct loop_msg *msg)
{
	struct loop_msg *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);

	assert(msg->fn && !msg->queued);
	msg->queued = true;
	do {
		atomic_store_explicit(&msg->next, head, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak(&loop->inbox, &head, msg));
	if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false))
		loop_wake(loop);
}

static void run_msg(struct loop *loop, struct loop_msg *msg)
{
	msg->queued = false;
	msg->fn(loop, msg);
}

void loop_run_inbox(struct loop *loop)
{
	struct loop_msg *m, *next, *first = NULL;

	if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
		return;
	m = atomic_exchange(&loop->inbox, NULL);
	for (; m; m = next) { /* newest first: turn round */
		next = atomic_load_explicit(&m->next, memory_order_relaxed);
		atomic_store_explicit(&m->next, first, memory_order_relaxed);
		first = m;
	}
	for (m = first; m; m = next) {
		next = atomic_load_explicit(&m->next, memory_order_relaxed);
		run_msg(loop, m);
	}
}

void loop_defer(struct loop *loop, struct loop_msg *msg)
{
	assert(loop_is_current(loop));
	assert(msg->fn && !msg->queued);
	msg->queued = true;
	atomic_store_explicit(&msg->next, NULL, memory_order_relaxed);
	if (loop->deferred)
		atomic_store_explicit(&loop->deferred_last->next, msg, memory_order_relaxed);
	else
		loop->deferred = msg;
	loop->deferred_last = msg;
}

void loop_run_deferred(struct loop *loop)
{
	struct loop_msg *m = loop->deferred, *next;

	loop->deferred = NULL;
	for (; m; m = next) {
		next = atomic_load_explicit(&m->next, memory_order_relaxed);
		run_msg(loop, m);
	}
}

bool loop_has_work(const struct loop *loop)
{
	return loop->ready.head || loop->deferred || atomic_load(&loop->inbox);
}

/* ---- small things about a loop ------------------------------------------------------------ */

unsigned loop_index(const struct loop *loop)
{
	return loop->index;
}

struct loops *loop_set(const struct loop *loop)
{
	return loop->loops;
}

void loop_load_add(struct loop *loop, int n)
{
	atomic_fetch_add_explicit(&loop->load, n, memory_order_relaxed);
}

bool loop_is_current(const struct loop *loop)
{
	return loop->loops->kind == LOOP_SIM || pthread_equal(loop->thread, pthread_self());
}
