/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_epoll.c: the loop on epoll, for where io_uring is forbidden. Files go to the workers.
 *
 * A socket is registered once, edge-triggered, when the first operation on it starts; closing it
 * ends that. Its slot remembers whether it may be readable or writable. An operation that starts
 * while it may is tried at the beginning of the next wait (so that what a round collected goes out
 * together), otherwise when its event comes. After a receive that filled less than its buffer
 * nothing is left, and the next one waits for an event (epoll(7), "I/O until EAGAIN").
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/iov.h"
#include "loop/loop_priv.h"

enum slot_flag {
	SLOT_REGISTERED = 1,
	SLOT_READABLE = 2, /* may be */
	SLOT_WRITABLE = 4,
	SLOT_ENDING = 8, /* the end of the stream or an error is there, and has had its event */
};

/* What is known of a descriptor. */
struct slot {
	struct loop_op *in, *out; /* wait for an event, or are in the todo queue */
	uint8_t flags;
};

struct epoll {
	int fd;
	bool no_pwait2; /* the kernel or a seccomp profile knows only milliseconds */
	struct slot *slots; /* by descriptor */
	unsigned nslots;
	struct op_queue todo; /* to be tried: OPF_TODO */
	struct op_queue starved; /* OP_RECV_BUF without a buffer: OPF_WAITING */
	struct op_queue paused; /* OP_ACCEPT without descriptors: OPF_WAITING */
	struct loop_timer accept_timer;
	struct loop *loop;
};

static struct epoll *epoll_of(struct loop *loop)
{
	return loop->impl_data;
}

/* ---- slots -------------------------------------------------------------------------------- */

static int slots_grow(struct epoll *e, unsigned fd)
{
	unsigned n = e->nslots ? e->nslots : 256;
	struct slot *v;

	while (n <= fd)
		n *= 2;
	v = realloc(e->slots, n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memset(v + e->nslots, 0, (n - e->nslots) * sizeof(*v));
	e->slots = v;
	e->nslots = n;
	return 0;
}

/* The slot of a registered descriptor; 0 or -errno. */
static int slot_get(struct epoll *e, int fd, struct slot **ret)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.fd = fd };
	int r;

	if (fd < 0)
		return -EBADF;
	r = (unsigned)fd < e->nslots ? 0 : slots_grow(e, (unsigned)fd);
	if (r)
		return r;
	*ret = &e->slots[fd];
	if ((*ret)->flags & SLOT_REGISTERED)
		return 0;
	if (epoll_ctl(e->fd, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	/* Its first event tells whether there is something to read; sending just works. */
	**ret = (struct slot){ .flags = SLOT_REGISTERED | SLOT_WRITABLE };
	return 0;
}

static struct loop_op **slot_place(struct slot *s, const struct op_priv *p)
{
	return p->kind == OP_SEND || p->kind == OP_CONNECT ? &s->out : &s->in;
}

static unsigned slot_ready_flag(const struct op_priv *p)
{
	return p->kind == OP_SEND || p->kind == OP_CONNECT ? SLOT_WRITABLE : SLOT_READABLE;
}

static void todo_push(struct epoll *e, struct loop_op *op)
{
	op_priv(op)->flags |= OPF_TODO;
	op_queue_push(&e->todo, op);
}

static void sock_start(struct loop *loop, struct loop_op *op)
{
	struct epoll *e = epoll_of(loop);
	struct op_priv *p = op_priv(op);
	struct slot *s;
	int r = slot_get(e, p->fd, &s);

	if (r) {
		loop_op_ready(loop, op, r);
		return;
	}
	assert(!*slot_place(s, p)); /* one operation per direction */
	*slot_place(s, p) = op;
	if (s->flags & slot_ready_flag(p))
		todo_push(e, op);
}

/* The operation has nothing to do with its descriptor any more. */
static void slot_leave(struct epoll *e, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);

	*slot_place(&e->slots[p->fd], p) = NULL;
}

static void sock_finish(struct epoll *e, struct loop_op *op, int res)
{
	slot_leave(e, op);
	loop_op_finish(op, res);
}

/* Nothing moves until the next event. */
static void slot_blocked(struct epoll *e, struct loop_op *op)
{
	e->slots[op_priv(op)->fd].flags &= (uint8_t)~slot_ready_flag(op_priv(op));
}

/* n bytes came where room was asked for: is the socket empty now? */
static void slot_received(struct epoll *e, const struct op_priv *p, size_t n, uint64_t room)
{
	struct slot *s = &e->slots[p->fd];

	if (n < room && !(s->flags & SLOT_ENDING))
		s->flags &= (uint8_t)~SLOT_READABLE;
}

/* ---- attempts ----------------------------------------------------------------------------- */

static void try_recv_buf(struct loop *loop, struct loop_op *op)
{
	struct epoll *e = epoll_of(loop);
	struct op_priv *p = op_priv(op);
	int buf = bufs_take(&loop->bufs);
	ssize_t n;

	if (buf < 0) {
		p->flags |= OPF_WAITING;
		op_queue_push(&e->starved, op);
		return;
	}
	bufs_expose(&loop->bufs, (unsigned)buf, LOOP_BUF_BYTES);
	do {
		n = recv(p->fd, bufs_at(&loop->bufs, (unsigned)buf), LOOP_BUF_BYTES, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		op->buf = bufs_at(&loop->bufs, (unsigned)buf);
		bufs_expose(&loop->bufs, (unsigned)buf, (size_t)n);
		slot_received(e, p, (size_t)n, LOOP_BUF_BYTES);
		sock_finish(e, op, (int)n);
		return;
	}
	n = n < 0 ? -errno : 0;
	bufs_put(&loop->bufs, (unsigned)buf);
	if (n == -EAGAIN)
		slot_blocked(e, op);
	else
		sock_finish(e, op, (int)n);
}

static void try_recv(struct loop *loop, struct loop_op *op)
{
	struct epoll *e = epoll_of(loop);
	struct op_priv *p = op_priv(op);

	for (;;) {
		uint64_t room = iov_bytes(p->msg.msg_iov, p->msg.msg_iovlen);
		ssize_t n = recvmsg(p->fd, &p->msg, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			slot_blocked(e, op);
			return;
		}
		if (n <= 0) {
			sock_finish(e, op, n < 0 ? -errno : (int)p->total);
			return;
		}
		p->total += (size_t)n;
		msg_advance(&p->msg, (size_t)n);
		slot_received(e, p, (size_t)n, room);
		if (!(p->flags & OPF_WAITALL) || !p->msg.msg_iovlen) {
			sock_finish(e, op, (int)p->total);
			return;
		}
	}
}

static void try_send(struct loop *loop, struct loop_op *op)
{
	struct epoll *e = epoll_of(loop);
	struct op_priv *p = op_priv(op);

	for (;;) {
		ssize_t n = sendmsg(p->fd, &p->msg, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			slot_blocked(e, op);
			return;
		}
		if (n < 0) {
			sock_finish(e, op, -errno);
			return;
		}
		p->total += (size_t)n;
		msg_advance(&p->msg, (size_t)n);
		if (!p->msg.msg_iovlen) {
			sock_finish(e, op, (int)p->total);
			return;
		}
	}
}

/* A socket that nobody has seen goes again. */
static void connect_drop(struct epoll *e, int fd)
{
	if ((unsigned)fd < e->nslots)
		e->slots[fd].flags = 0;
	close(fd);
}

static void try_connect(struct loop *loop, struct loop_op *op)
{
	struct epoll *e = epoll_of(loop);
	struct op_priv *p = op_priv(op);
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peerlen = sizeof(peer);
	int res = 0, one = 1;

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &res, &len))
		res = errno;
	if (!res && getpeername(p->fd, (struct sockaddr *)&peer, &peerlen)) {
		slot_blocked(e, op); /* still on its way */
		return;
	}
	slot_leave(e, op);
	if (res)
		connect_drop(e, p->fd);
	else
		(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	loop_op_finish(op, res ? -res : p->fd);
}

static void accept_failed(struct loop *loop, struct loop_op *op, int res)
{
	struct epoll *e = epoll_of(loop);

	if (res == -EAGAIN) {
		slot_blocked(e, op);
	} else if (accept_starved(res)) {
		op_priv(op)->flags |= OPF_WAITING;
		op_queue_push(&e->paused, op);
		loop_timer_arm(loop, &e->accept_timer, ACCEPT_PAUSE_MS * NS_PER_MS);
	} else if (accept_passes(res)) {
		todo_push(e, op);
	} else {
		sock_finish(e, op, res);
	}
}

static void try_accept(struct loop *loop, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);

	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

		if (fd < 0) {
			accept_failed(loop, op, -errno);
			return;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		op->done(op, fd);
		if (p->flags & OPF_CANCELLED) /* finishes in the next round */
			return;
	}
	todo_push(epoll_of(loop), op);
}

static void (*const tries[])(struct loop *loop, struct loop_op *op) = {
	[OP_ACCEPT] = try_accept,
	[OP_RECV_BUF] = try_recv_buf,
	[OP_RECV] = try_recv,
	[OP_SEND] = try_send,
	[OP_CONNECT] = try_connect,
};

static void todo_run(struct loop *loop)
{
	struct epoll *e = epoll_of(loop);
	struct loop_op *last = e->todo.tail, *op;

	/* Up to what was there: a completion may start operations and cancel those queued. */
	for (bool more = last; more && (op = op_queue_pop(&e->todo));) {
		more = op != last && e->todo.head;
		op_priv(op)->flags &= (uint8_t)~OPF_TODO;
		tries[op_priv(op)->kind](loop, op);
	}
}

/* ---- operations --------------------------------------------------------------------------- */

static void epoll_accept(struct loop *loop, struct loop_op *op)
{
	int fd = op_priv(op)->fd, fl = fcntl(fd, F_GETFL);

	/* accept() has no flag for it. */
	if (fl < 0 || (!(fl & O_NONBLOCK) && fcntl(fd, F_SETFL, fl | O_NONBLOCK)))
		loop_op_ready(loop, op, -errno);
	else
		sock_start(loop, op);
}

static void epoll_connect(struct loop *loop, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);
	struct slot *s;
	int r = 0;

	p->fd = socket(p->to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0 || (connect(p->fd, &p->to.sa, p->to.len) && errno != EINPROGRESS))
		r = -errno;
	if (!r)
		r = slot_get(epoll_of(loop), p->fd, &s);
	if (!r) {
		sock_start(loop, op);
		return;
	}
	if (p->fd >= 0)
		close(p->fd);
	loop_op_ready(loop, op, r);
}

static void accept_timer_fire(struct loop_timer *t)
{
	struct epoll *e = container_of(t, struct epoll, accept_timer);
	struct loop_op *op;

	while ((op = op_queue_pop(&e->paused))) {
		op_priv(op)->flags &= (uint8_t)~OPF_WAITING;
		todo_push(e, op);
	}
}

static void epoll_buf_put(struct loop *loop, void *buf)
{
	struct epoll *e = epoll_of(loop);
	struct loop_op *op;

	bufs_put(&loop->bufs, bufs_index(&loop->bufs, buf));
	op = op_queue_pop(&e->starved);
	if (op) {
		op_priv(op)->flags &= (uint8_t)~OPF_WAITING;
		todo_push(e, op);
	}
}

static void epoll_work(struct loop *loop, struct loop_op *op)
{
	workers_submit(loop->loops->workers, op);
}

static void epoll_cancel(struct loop *loop, struct loop_op *op)
{
	struct epoll *e = epoll_of(loop);
	struct op_priv *p = op_priv(op);

	if (p->flags & OPF_QUEUED) {
		workers_cancel(loop->loops->workers, op);
		return;
	}
	if (p->flags & OPF_TODO)
		op_queue_remove(&e->todo, op);
	else if (p->flags & OPF_WAITING)
		op_queue_remove(p->kind == OP_ACCEPT ? &e->paused : &e->starved, op);
	slot_leave(e, op);
	if (p->kind == OP_CONNECT)
		connect_drop(e, p->fd);
	loop_op_ready(loop, op, -ECANCELED);
}

static void epoll_shutdown(struct loop *loop, int fd)
{
	(void)shutdown(fd, SHUT_RDWR); /* not connected any more: as wished */
}

/* A file's close may wait for its disk, so a worker does it. */
struct closing {
	struct loop_op op;
	struct loop *loop;
	int fd;
};

static int closing_run(void *arg)
{
	return close(((struct closing *)arg)->fd);
}

static void closing_done(struct loop_op *op, int res)
{
	struct closing *c = container_of(op, struct closing, op);

	c->loop->closes--;
	free(c);
}

static void epoll_close(struct loop *loop, int fd)
{
	struct epoll *e = epoll_of(loop);
	struct closing *c;

	if (e->paused.head)
		loop_timer_arm(loop, &e->accept_timer, 0);
	if ((unsigned)fd < e->nslots && (e->slots[fd].flags & SLOT_REGISTERED)) {
		assert(!e->slots[fd].in && !e->slots[fd].out);
		e->slots[fd].flags = 0;
		close(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->op.done = closing_done;
	c->loop = loop;
	c->fd = fd;
	loop->closes++;
	loop_work(loop, &c->op, closing_run, c);
}

/* ---- rounds ------------------------------------------------------------------------------- */

static void slot_event(struct epoll *e, struct slot *s, uint32_t events)
{
	struct loop_op *const ops[] = { s->in, s->out };

	if (!(s->flags & SLOT_REGISTERED))
		return;
	if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		s->flags |= SLOT_READABLE | SLOT_ENDING;
	if (events & (EPOLLHUP | EPOLLERR))
		s->flags |= SLOT_WRITABLE;
	if (events & EPOLLIN)
		s->flags |= SLOT_READABLE;
	if (events & EPOLLOUT)
		s->flags |= SLOT_WRITABLE;
	for (unsigned i = 0; i < 2; i++) {
		struct op_priv *p;

		if (!ops[i])
			continue;
		p = op_priv(ops[i]);
		if (!(p->flags & (OPF_TODO | OPF_WAITING)) && (s->flags & slot_ready_flag(p)))
			todo_push(e, ops[i]);
	}
}

static int wait_events(struct epoll *e, struct epoll_event *ev, uint64_t timeout_ns)
{
	struct timespec ts = { (time_t)(timeout_ns / NS_PER_S), (long)(timeout_ns % NS_PER_S) };
	uint64_t ms;
	int n;

	if (!e->no_pwait2) {
		n = epoll_pwait2(
			e->fd, ev, EPOLL_EVENTS_MAX, timeout_ns == LOOP_FOREVER ? NULL : &ts, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		e->no_pwait2 = true;
	}
	ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0);
	return epoll_wait(e->fd, ev, EPOLL_EVENTS_MAX,
		timeout_ns == LOOP_FOREVER ? -1 : (int)(ms < INT_MAX ? ms : INT_MAX));
}

static void epoll_wait_round(struct loop *loop)
{
	struct epoll *e = epoll_of(loop);
	struct epoll_event ev[EPOLL_EVENTS_MAX];
	int n;

	todo_run(loop); /* what the last round collected */
	n = wait_events(e, ev, e->todo.head ? 0 : loop_sleep_ns(loop));
	assert(n >= 0 || errno == EINTR);
	loop_awake(loop);
	for (int i = 0; i < n; i++)
		if (ev[i].data.fd != loop->wake_fd)
			slot_event(e, &e->slots[ev[i].data.fd], ev[i].events);
	todo_run(loop);
}

/* ---- life --------------------------------------------------------------------------------- */

static int epoll_init(struct loop *loop, struct errmsg *err)
{
	/* Edge-triggered: each write is an event, and nobody has to read the eventfd. */
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = loop->wake_fd };
	struct epoll *e = calloc(1, sizeof(*e));

	if (!e)
		return errmsg_set(err, -ENOMEM, "out of memory for a loop");
	loop->impl_data = e;
	e->loop = loop;
	e->accept_timer.fire = accept_timer_fire;
	e->fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->fd < 0 || epoll_ctl(e->fd, EPOLL_CTL_ADD, loop->wake_fd, &ev))
		return errmsg_set(err, -errno, "epoll: %s", err_text(-errno));
	return 0;
}

static void epoll_done(struct loop *loop)
{
	struct epoll *e = epoll_of(loop);

	if (!e)
		return;
	loop->impl_data = NULL;
	if (e->fd >= 0)
		close(e->fd);
	free(e->slots);
	free(e);
}

const struct loop_impl loop_epoll = {
	.name = "epoll",
	.init = epoll_init,
	.done = epoll_done,
	.wait = epoll_wait_round,
	.accept = epoll_accept,
	.connect = epoll_connect,
	.recv_buf = sock_start,
	.buf_put = epoll_buf_put,
	.recv = sock_start,
	.send = sock_start,
	.file = epoll_work,
	.work = epoll_work,
	.cancel = epoll_cancel,
	.shutdown = epoll_shutdown,
	.close = epoll_close,
};
