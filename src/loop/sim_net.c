/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_net.c: the simulator's network: listening sockets, and connections between the program under
 * test (the target) and peers that the test plays.
 *
 * Towards the target bytes arrive after a delay, in pieces. Towards the peer they are there when
 * the target's send has moved them, which takes several steps; a peer that stalls lets the send
 * wait. Every address is local but those of 192.0.2.0/24, which need LOOP_FREEBIND. Every network
 * namespace is there; peers reach the process's own alone.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/iov.h"
#include "loop/sim_priv.h"

enum {
	LATENCY_US = 200, /* of a piece towards the target, at most */
	SEND_US = 50, /* between two steps of a send, at most */
	STALLED_BYTES = 65536, /* that a send moves although the peer does not read */
};

struct sim_listen {
	struct list link; /* in sim.listens */
	struct sockaddr_storage addr;
	char netns[LOOP_NETNS_BYTES_MAX + 1];
	struct loop_op *op; /* accept, NULL: none */
	struct list queue; /* struct sim_conn, not yet accepted */
};

struct pipe {
	uint8_t *data; /* owned */
	size_t head, n, cap; /* n bytes from head */
	size_t visible; /* of those, what has arrived */
};

struct sim_conn {
	struct list link; /* in sim.conns */
	struct list queued; /* in sim_listen.queue */
	struct sim *sim;
	int fd, peer_fd; /* -1: closed */
	struct sockaddr_storage local, remote;
	struct pipe in, out; /* towards the target, towards the peer */
	struct loop_op *rd, *wr; /* under way */
	unsigned nevents; /* that name this connection */
	bool delivering; /* one of them brings data */
	bool stalled;
	bool fin, fin_seen; /* the peer has closed; and the target could know */
	bool shut; /* by the target */
	bool reset; /* by the peer, known to the target */
	bool refused; /* sent to a peer that had closed: a reset is on its way */
};

/* ---- bytes -------------------------------------------------------------------------------- */

static void pipe_put(struct pipe *p, const void *data, size_t n)
{
	if (p->head + p->n + n > p->cap) {
		if (p->n)
			memmove(p->data, p->data + p->head, p->n);
		p->head = 0;
		if (p->n + n > p->cap) {
			p->cap = 2 * (p->n + n);
			p->data = sim_grow(p->data, p->cap);
		}
	}
	memcpy(p->data + p->head + p->n, data, n);
	p->n += n;
}

/* Drop n bytes that were read. */
static void pipe_skip(struct pipe *p, size_t n)
{
	assert(n <= p->visible);
	p->head += n;
	p->n -= n;
	p->visible -= n;
}

/* ---- connections -------------------------------------------------------------------------- */

/* Let op's loop try it in one of its rounds. */
static void net_push(struct loop_op *op)
{
	struct op_priv *p = op_priv(op);

	if (p->flags & (OPF_TODO | OPF_WAITING | OPF_READY))
		return;
	p->flags |= OPF_TODO;
	sim_fin_push(op->loop, op);
}

static void conn_kick(struct sim_conn *c)
{
	if (c->rd)
		net_push(c->rd);
	if (c->wr)
		net_push(c->wr);
}

static void conn_free(struct sim_conn *c)
{
	list_del(&c->link);
	list_del(&c->queued);
	free(c->in.data);
	free(c->out.data);
	free(c);
}

/* Free the connection if nobody has it any more. */
static void conn_collect(struct sim_conn *c)
{
	if (c->fd < 0 && c->peer_fd < 0 && !c->nevents && !list_linked(&c->queued))
		conn_free(c);
}

static void conn_event(struct sim_conn *c, uint64_t max_us, sim_event_fn *fn)
{
	c->nevents++;
	sim_at(c->sim, max_us * NS_PER_US, fn, c);
}

static void conn_event_over(struct sim_conn *c)
{
	c->nevents--;
	conn_collect(c);
}

static void conn_deliver(struct sim *sim, void *arg)
{
	struct sim_conn *c = arg;
	size_t left = c->in.n - c->in.visible;

	c->delivering = false;
	if (left) {
		/* all that is under way, a small piece, or anything between */
		uint64_t how = rng_below(&sim->rng, 4);
		size_t n = how == 0   ? 1 + rng_below(&sim->rng, left < 64 ? left : 64)
			   : how == 1 ? 1 + rng_below(&sim->rng, left)
				      : left;

		c->in.visible += n;
		left -= n;
	}
	if (!left && c->fin)
		c->fin_seen = true;
	if (left) {
		c->delivering = true;
		conn_event(c, LATENCY_US, conn_deliver);
	}
	if (c->rd)
		net_push(c->rd);
	conn_event_over(c);
}

static void conn_start_delivery(struct sim_conn *c)
{
	if (c->delivering)
		return;
	c->delivering = true;
	conn_event(c, LATENCY_US, conn_deliver);
}

static void conn_reset(struct sim *sim, void *arg)
{
	struct sim_conn *c = arg;

	c->reset = true;
	c->in.n = c->in.visible = 0;
	conn_kick(c);
	conn_event_over(c);
}

static void conn_send_on(struct sim *sim, void *arg)
{
	struct sim_conn *c = arg;

	if (c->wr)
		net_push(c->wr);
	conn_event_over(c);
}

/* ---- the target's operations -------------------------------------------------------------- */

static struct sim_conn *conn_of(struct sim *sim, const struct op_priv *p)
{
	return sim_fd_get(sim, p->fd, SIM_FD_CONN);
}

static void recv_finish(struct sim_conn *c, int res)
{
	struct loop_op *op = c->rd;

	c->rd = NULL;
	loop_op_finish(op, res);
}

static void send_finish(struct sim_conn *c, int res)
{
	struct loop_op *op = c->wr;

	c->wr = NULL;
	loop_op_finish(op, res);
}

/* True if a receive that finds no data ends, with *ret. */
static bool recv_ends(const struct sim_conn *c, int *ret)
{
	*ret = c->reset ? -ECONNRESET : 0;
	return c->reset || c->shut || c->fin_seen;
}

static void try_recv_buf(struct loop *loop, struct loop_op *op)
{
	struct sim_conn *c = conn_of(sim_of(loop->loops), op_priv(op));
	size_t n = c->in.visible < LOOP_BUF_BYTES ? c->in.visible : LOOP_BUF_BYTES;
	int buf, res;

	if (!n || c->shut) {
		if (recv_ends(c, &res))
			recv_finish(c, res);
		return;
	}
	buf = bufs_take(&loop->bufs);
	if (buf < 0) {
		op_priv(op)->flags |= OPF_WAITING;
		op_queue_push(&sim_loop_of(loop)->starved, op);
		return;
	}
	bufs_expose(&loop->bufs, (unsigned)buf, n);
	op->buf = bufs_at(&loop->bufs, (unsigned)buf);
	memcpy(op->buf, c->in.data + c->in.head, n);
	pipe_skip(&c->in, n);
	recv_finish(c, (int)n);
}

static void try_recv(struct loop *loop, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);
	struct sim_conn *c = conn_of(sim_of(loop->loops), p);
	size_t n = c->shut ? 0
			   : iov_copy_in(p->msg.msg_iov, p->msg.msg_iovlen, 0,
				     c->in.n ? c->in.data + c->in.head : NULL, c->in.visible);
	int res;

	pipe_skip(&c->in, n);
	p->total += n;
	msg_advance(&p->msg, n);
	if (!p->msg.msg_iovlen || (n && !(p->flags & OPF_WAITALL)))
		recv_finish(c, (int)p->total);
	else if (recv_ends(c, &res))
		recv_finish(c, res ? res : (int)p->total);
}

/* Somebody reads what is sent, or will when it is accepted. */
static bool conn_has_peer(const struct sim_conn *c)
{
	return c->peer_fd >= 0 || list_linked(&c->queued);
}

static void try_send(struct loop *loop, struct loop_op *op)
{
	struct sim *sim = sim_of(loop->loops);
	struct op_priv *p = op_priv(op);
	struct sim_conn *c = conn_of(sim, p);
	size_t left = iov_bytes(p->msg.msg_iov, p->msg.msg_iovlen), n = left, done = 0;

	if (c->shut || c->reset) {
		send_finish(c, c->shut ? -EPIPE : -ECONNRESET);
		return;
	}
	if (c->stalled && c->out.n)
		return;
	if (rng_chance(&sim->rng, 1, 2))
		n = 1 + rng_below(&sim->rng, left);
	if (c->stalled && n > STALLED_BYTES)
		n = STALLED_BYTES;
	while (done < n) {
		struct iovec *v = p->msg.msg_iov;
		size_t k = v->iov_len < n - done ? v->iov_len : n - done;

		if (conn_has_peer(c))
			pipe_put(&c->out, v->iov_base, k);
		msg_advance(&p->msg, k);
		done += k;
	}
	c->out.visible = c->out.n;
	p->total += n;
	if (!conn_has_peer(c) && !c->refused) {
		c->refused = true;
		conn_event(c, LATENCY_US, conn_reset);
	}
	if (n == left)
		send_finish(c, (int)p->total);
	else
		conn_event(c, SEND_US, conn_send_on);
}

static void try_accept(struct loop *loop, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);
	struct sim *sim = sim_of(loop->loops);
	struct sim_listen *l = sim_fd_get(sim, p->fd, SIM_FD_LISTEN);
	struct list *n = list_pop_front(&l->queue);
	struct sim_conn *c;

	if (!n)
		return;
	c = container_of(n, struct sim_conn, queued);
	c->fd = sim_fd_new(sim, SIM_FD_CONN, c);
	op->done(op, c->fd);
	if (!(p->flags & OPF_CANCELLED) && !list_empty(&l->queue))
		net_push(op);
}

static void try_connect(struct loop *loop, struct loop_op *op);

static void (*const tries[])(struct loop *loop, struct loop_op *op) = {
	[OP_ACCEPT] = try_accept,
	[OP_RECV_BUF] = try_recv_buf,
	[OP_RECV] = try_recv,
	[OP_SEND] = try_send,
	[OP_CONNECT] = try_connect,
};

void sim_net_try(struct loop *loop, struct loop_op *op)
{
	op_priv(op)->flags &= (uint8_t)~OPF_TODO;
	tries[op_priv(op)->kind](loop, op);
}

/* Where the object keeps the operation, NULL if the descriptor is none for it. */
static struct loop_op **net_place(struct sim *sim, const struct op_priv *p)
{
	struct sim_listen *l = sim_fd_get(sim, p->fd, SIM_FD_LISTEN);
	struct sim_conn *c = conn_of(sim, p);

	if (p->kind == OP_ACCEPT)
		return l ? &l->op : NULL;
	if (!c)
		return NULL;
	return p->kind == OP_SEND ? &c->wr : &c->rd;
}

void sim_net_start(struct loop *loop, struct loop_op *op)
{
	struct loop_op **place = net_place(sim_of(loop->loops), op_priv(op));

	if (!place) {
		loop_op_ready(loop, op, -ENOTSOCK);
		return;
	}
	assert(!*place); /* one operation per direction */
	*place = op;
	net_push(op);
}

void sim_net_connect(struct loop *loop, struct loop_op *op)
{
	net_push(op);
}

void sim_net_retry(struct loop_op *op)
{
	op_priv(op)->flags &= (uint8_t)~OPF_WAITING;
	net_push(op);
}

void sim_net_cancel(struct loop *loop, struct loop_op *op)
{
	if (op_priv(op)->kind != OP_CONNECT)
		*net_place(sim_of(loop->loops), op_priv(op)) = NULL;
}

void sim_net_shutdown(struct loop *loop, int fd)
{
	struct sim_conn *c = sim_fd_get(sim_of(loop->loops), fd, SIM_FD_CONN);

	if (!c)
		return;
	c->shut = true;
	conn_kick(c);
}

/* ---- addresses ---------------------------------------------------------------------------- */

static uint16_t *addr_port(struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return &((struct sockaddr_in *)a)->sin_port;
	if (a->ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)a)->sin6_port;
	return NULL;
}

static bool addr_set(struct sockaddr_storage *to, const struct sockaddr *from, socklen_t len)
{
	*to = (struct sockaddr_storage){ 0 };
	if (len > sizeof(*to) || len < sizeof(from->sa_family))
		return false;
	memcpy(to, from, len);
	return true;
}

/* Does a connection to `to` reach what listens on `on`? */
static bool addr_reaches(struct sockaddr_storage *on, struct sockaddr_storage *to)
{
	const struct sockaddr_in *a = (struct sockaddr_in *)on, *b = (struct sockaddr_in *)to;
	const struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)on, *b6 = (struct sockaddr_in6 *)to;

	if (on->ss_family != to->ss_family)
		return false;
	if (on->ss_family == AF_INET)
		return a->sin_port == b->sin_port &&
		       (a->sin_addr.s_addr == htonl(INADDR_ANY) ||
			       a->sin_addr.s_addr == b->sin_addr.s_addr);
	if (on->ss_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port &&
		       (IN6_IS_ADDR_UNSPECIFIED(&a6->sin6_addr) ||
			       IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr));
	return !strcmp(((struct sockaddr_un *)on)->sun_path, ((struct sockaddr_un *)to)->sun_path);
}

static bool addr_foreign(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET &&
	       (ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 8) == 0xc00002;
}

static struct sim_listen *listen_find(
	struct sim *sim, const char *netns, struct sockaddr_storage *to)
{
	struct sim_listen *l;

	list_for_each (l, &sim->listens, struct sim_listen, link)
		if (!strcmp(l->netns, netns) && addr_reaches(&l->addr, to))
			return l;
	return NULL;
}

bool sim_has_address(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen)
{
	struct sockaddr_storage a;

	return addr_set(&a, addr, addrlen) && !addr_foreign(&a);
}

int sim_listen(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen,
	const char *netns, int flags, struct sockaddr_storage *ret_bound)
{
	struct sim *sim = sim_of(loops);
	struct sockaddr_storage a;
	struct sim_listen *l;

	if (!addr_set(&a, addr, addrlen) || strlen(netns) > LOOP_NETNS_BYTES_MAX)
		return -EINVAL;
	if (addr_foreign(&a) && !(flags & LOOP_FREEBIND))
		return -EADDRNOTAVAIL;
	while (addr_port(&a) && !*addr_port(&a)) {
		*addr_port(&a) = htons(sim->next_port++);
		if (listen_find(sim, netns, &a))
			*addr_port(&a) = 0;
	}
	if (listen_find(sim, netns, &a))
		return -EADDRINUSE;
	l = sim_alloc(sizeof(*l));
	strcpy(l->netns, netns);
	l->addr = a;
	list_init(&l->queue);
	list_push_back(&sim->listens, &l->link);
	if (ret_bound)
		*ret_bound = a;
	return sim_fd_new(sim, SIM_FD_LISTEN, l);
}

int sim_sockname(struct loops *loops, int fd, struct sockaddr_storage *ret)
{
	struct sim_conn *c = sim_fd_get(sim_of(loops), fd, SIM_FD_CONN);
	struct sim_listen *l = sim_fd_get(sim_of(loops), fd, SIM_FD_LISTEN);

	if (!c && !l)
		return -ENOTSOCK;
	*ret = c ? c->local : l->addr;
	return 0;
}

int sim_peername(struct loops *loops, int fd, struct sockaddr_storage *ret)
{
	struct sim_conn *c = sim_fd_get(sim_of(loops), fd, SIM_FD_CONN);

	if (!c)
		return -ENOTCONN;
	*ret = c->remote;
	return 0;
}

/* ---- closing ------------------------------------------------------------------------------ */

static void listen_close(struct sim_listen *l)
{
	struct list *n;

	assert(!l->op);
	while ((n = list_pop_front(&l->queue))) {
		struct sim_conn *c = container_of(n, struct sim_conn, queued);

		c->shut = true;
		conn_collect(c);
	}
	list_del(&l->link);
	free(l);
}

void sim_net_close(struct sim *sim, int fd)
{
	struct sim_listen *l = sim_fd_get(sim, fd, SIM_FD_LISTEN);
	struct sim_conn *c = sim_fd_get(sim, fd, SIM_FD_CONN);

	assert(l || c); /* peers are closed by sim_close() */
	if (l) {
		listen_close(l);
		return;
	}
	assert(!c->rd && !c->wr);
	c->fd = -1;
	c->shut = true;
	conn_collect(c);
}

void sim_net_free(struct sim *sim)
{
	for (struct list *n; (n = list_pop_front(&sim->conns));)
		conn_free(container_of(n, struct sim_conn, link));
	for (struct list *n; (n = list_pop_front(&sim->listens));)
		free(container_of(n, struct sim_listen, link));
	for (struct list *n; (n = list_pop_front(&sim->servers));)
		free(container_of(n, struct sim_listen, link));
}

/* ---- the peer ----------------------------------------------------------------------------- */

static struct sim_conn *conn_new(struct sim *sim)
{
	struct sim_conn *c = sim_alloc(sizeof(*c));

	c->sim = sim;
	c->fd = -1;
	list_push_back(&sim->conns, &c->link);
	list_init(&c->queued);
	return c;
}

/* The address of the family that connections are made from, with a new port. */
static void addr_local(struct sim *sim, struct sockaddr_storage *ret, sa_family_t family)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(sim->host_v4 ? sim->host_v4 : INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (family == AF_INET)
		memcpy(ret, &in, sizeof(in));
	else if (family == AF_INET6)
		memcpy(ret, &in6, sizeof(in6));
	else
		ret->ss_family = family;
	if (addr_port(ret))
		*addr_port(ret) = htons(sim->next_port++);
}

void sim_set_host(struct loops *loops, uint32_t ip)
{
	sim_of(loops)->host_v4 = ip;
}

int sim_connect(struct loops *loops, const struct sockaddr *to, socklen_t len)
{
	struct sim *sim = sim_of(loops);
	struct sim_listen *l;
	struct sim_conn *c;
	struct sockaddr_storage a;

	l = addr_set(&a, to, len) ? listen_find(sim, "", &a) : NULL;
	if (!l)
		return -ECONNREFUSED;
	c = conn_new(sim);
	c->local = a;
	addr_local(sim, &c->remote, a.ss_family);
	list_push_back(&l->queue, &c->queued);
	if (l->op)
		net_push(l->op);
	c->peer_fd = sim_fd_new(sim, SIM_FD_PEER, c);
	return c->peer_fd;
}

/* ---- servers of the test ------------------------------------------------------------------ */

static struct sim_listen *server_find(struct sim *sim, struct sockaddr_storage *to)
{
	struct sim_listen *l;

	list_for_each (l, &sim->servers, struct sim_listen, link)
		if (addr_reaches(&l->addr, to))
			return l;
	return NULL;
}

static void try_connect(struct loop *loop, struct loop_op *op)
{
	struct sim *sim = sim_of(loop->loops);
	struct op_priv *p = op_priv(op);
	struct sockaddr_storage to;
	struct sim_listen *l = addr_set(&to, &p->to.sa, p->to.len) ? server_find(sim, &to) : NULL;
	struct sim_conn *c;

	if (!l) {
		loop_op_finish(op, -ECONNREFUSED);
		return;
	}
	c = conn_new(sim);
	c->peer_fd = -1;
	c->remote = to;
	addr_local(sim, &c->local, to.ss_family);
	c->fd = sim_fd_new(sim, SIM_FD_CONN, c);
	list_push_back(&l->queue, &c->queued);
	loop_op_finish(op, c->fd);
}

int sim_serve(struct loops *loops, const struct sockaddr *at, socklen_t len)
{
	struct sim *sim = sim_of(loops);
	struct sim_listen *l = sim_alloc(sizeof(*l));

	if (!addr_set(&l->addr, at, len) || server_find(sim, &l->addr)) {
		free(l);
		return -EADDRINUSE;
	}
	list_init(&l->queue);
	list_push_back(&sim->servers, &l->link);
	return sim_fd_new(sim, SIM_FD_SERVER, l);
}

int sim_accept(struct loops *loops, int fd)
{
	struct sim *sim = sim_of(loops);
	struct sim_listen *l = sim_fd_get(sim, fd, SIM_FD_SERVER);
	struct list *n;
	struct sim_conn *c;

	assert(l);
	n = list_pop_front(&l->queue);
	if (!n)
		return -EAGAIN;
	c = container_of(n, struct sim_conn, queued);
	c->peer_fd = sim_fd_new(sim, SIM_FD_PEER, c);
	return c->peer_fd;
}

void sim_serve_end(struct loops *loops, int fd)
{
	struct sim *sim = sim_of(loops);
	struct sim_listen *l = sim_fd_get(sim, fd, SIM_FD_SERVER);
	int peer;

	assert(l);
	while ((peer = sim_accept(loops, fd)) >= 0)
		sim_close(loops, peer, true);
	sim->fds[fd] = (struct sim_fd){ SIM_FD_NONE, NULL };
	list_del(&l->link);
	free(l);
}

/* ---- the peer's ends ---------------------------------------------------------------------- */

int sim_send(struct loops *loops, int fd, const void *data, size_t n)
{
	struct sim_conn *c = sim_fd_get(sim_of(loops), fd, SIM_FD_PEER);

	assert(c);
	if (c->shut)
		return -EPIPE;
	pipe_put(&c->in, data, n);
	conn_start_delivery(c);
	return 0;
}

int64_t sim_recv(struct loops *loops, int fd, void *buf, size_t n)
{
	struct sim_conn *c = sim_fd_get(sim_of(loops), fd, SIM_FD_PEER);

	assert(c);
	if (!c->out.n)
		return c->shut ? -EPIPE : 0;
	if (n > c->out.n)
		n = c->out.n;
	memcpy(buf, c->out.data + c->out.head, n);
	pipe_skip(&c->out, n);
	if (c->wr)
		net_push(c->wr);
	return (int64_t)n;
}

void sim_close(struct loops *loops, int fd, bool reset)
{
	struct sim *sim = sim_of(loops);
	struct sim_conn *c = sim_fd_get(sim, fd, SIM_FD_PEER);

	assert(c);
	sim->fds[fd] = (struct sim_fd){ SIM_FD_NONE, NULL };
	c->peer_fd = -1;
	c->out.n = c->out.visible = 0;
	if (reset) {
		conn_event(c, LATENCY_US, conn_reset);
	} else {
		c->fin = true;
		conn_start_delivery(c);
	}
}

void sim_stall(struct loops *loops, int fd, bool stalled)
{
	struct sim_conn *c = sim_fd_get(sim_of(loops), fd, SIM_FD_PEER);

	assert(c);
	c->stalled = stalled;
	if (c->wr)
		net_push(c->wr);
}
