/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen_sess.c: one session of the load generator at work. Whatever a target does that is not the
 * plain success of a command ends the run: CHECK CONDITION, Reject, a residual, wrong data.
 */
#include "bench/gen.h"
#include "bench/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define GEN_UNKNOWN 0xffffffffu /* generation of a block that this run has not written */

static uint64_t sess_random(struct gen_sess *s)
{
	s->rng ^= s->rng >> 12;
	s->rng ^= s->rng << 25;
	s->rng ^= s->rng >> 27;
	return s->rng * 0x2545f4914f6cdd1dull;
}

/* A number below n, by multiplication: the bias is below n / 2^64. */
static uint64_t sess_below(struct gen_sess *s, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)sess_random(s) * n) >> 64);
}

void gen_sess_init(struct gen_sess *s)
{
	const struct gen_options *o = s->o;
	uint64_t all = s->p.nblocks * s->p.block;
	bool own = o->verify || !o->random; /* sessions do not overlap */

	all = o->span && o->span < all ? o->span : all;
	s->blocks = all / o->bytes / (own ? o->sessions * o->connections : 1);
	s->base = own ? s->index * s->blocks : 0;
	if (s->blocks < (o->verify ? o->depth : 1))
		die("the disk is too small for that many sessions and commands");
	s->rng = (o->seed + 1) * 0x9e3779b97f4a7c15ull + s->index;
	s->tasks = xalloc(o->depth * sizeof(*s->tasks));
	s->free_tasks = xalloc(o->depth * sizeof(*s->free_tasks));
	s->pattern = xalloc(o->bytes);
	for (uint32_t i = 0; i < o->bytes; i++)
		s->pattern[i] = (uint8_t)sess_random(s);
	for (unsigned i = 0; i < o->depth; i++) {
		s->free_tasks[s->nfree++] = o->depth - 1 - i;
		s->tasks[i].buf = o->verify || o->copy ? xalloc(o->bytes) : s->pattern;
	}
	if (o->verify) {
		s->generations = xalloc(s->blocks * sizeof(*s->generations));
		if (o->write_percent && o->write_percent < 100)
			memset(s->generations, 0xff, s->blocks * sizeof(*s->generations));
	}
	rx_init(&s->rx);
	txq_init(&s->tx);
}

void gen_sess_done(struct gen_sess *s)
{
	for (unsigned i = 0; i < s->o->depth; i++) {
		if (s->tasks[i].buf != s->pattern)
			free(s->tasks[i].buf);
	}
	rx_done(&s->rx);
	txq_done(&s->tx);
	free(s->tasks);
	free(s->free_tasks);
	free(s->generations);
	free(s->pattern);
}

/* Queue Data-Out PDUs for one burst, RFC 7143 11.7. */
static void push_data_out(
	struct gen_sess *s, struct gen_task *t, be32 ttt, uint32_t off, uint32_t bytes)
{
	uint32_t sn = 0;

	while (bytes) {
		uint32_t n = bytes < s->p.peer_mrdsl ? bytes : s->p.peer_mrdsl;
		struct bhs *h = txq_push(&s->tx, t->buf + off, n, 0);

		h->op = OP_DATA_OUT;
		h->flags = n == bytes ? F_FINAL : 0;
		put_be64(h->lun.b, s->o->lun);
		h->itt = be32_put(s->itt_base + (uint32_t)(t - s->tasks));
		h->ttt = ttt;
		h->expstatsn = be32_put(s->expstatsn);
		h->datasn = be32_put(sn++);
		h->offset = be32_put(off);
		off += n;
		bytes -= n;
	}
	t->done = off > t->done ? off : t->done;
}

static void put_cdb(const struct gen_sess *s, uint8_t *cdb, const struct gen_task *t)
{
	uint64_t lba = t->at / s->p.block;
	uint32_t n = s->o->bytes / s->p.block;

	if (lba + n <= 0xffffffff && n <= 0xffff) {
		cdb[0] = t->write ? 0x2a : 0x28;
		put_be32(cdb + 2, (uint32_t)lba);
		put_be16(cdb + 7, (uint16_t)n);
	} else {
		cdb[0] = t->write ? 0x8a : 0x88;
		put_be64(cdb + 2, lba);
		put_be32(cdb + 10, n);
	}
}

static void push_command(struct gen_sess *s, struct gen_task *t)
{
	const struct gen_params *p = &s->p;
	uint32_t bytes = s->o->bytes, now = 0, first = 0;
	struct bhs *h;

	if (t->write) {
		first = bytes < p->first_burst ? bytes : p->first_burst;
		now = !p->immediate ? 0 : first < p->peer_mrdsl ? first : p->peer_mrdsl;
		first = p->initial_r2t ? now : first;
	}
	h = txq_push(&s->tx, t->buf, now, 0);
	h->op = OP_SCSI_CMD;
	h->flags = CMD_SIMPLE | (t->write ? CMD_WRITE : CMD_READ) | (first > now ? 0 : F_FINAL);
	put_be64(h->lun.b, s->o->lun);
	h->itt = be32_put(s->itt_base + (uint32_t)(t - s->tasks));
	h->expected_len = be32_put(bytes);
	h->cmdsn = be32_put(s->w->cmdsn++);
	h->expstatsn = be32_put(s->expstatsn);
	put_cdb(s, h->cdb, t);
	t->done = now;
	push_data_out(s, t, be32_put(TAG_NONE), now, first - now);
}

/* Is a command on that block in flight? Its outcome would be either data. */
static bool block_busy(const struct gen_sess *s, const struct gen_task *t, uint64_t block)
{
	for (unsigned i = 0; i < s->o->depth; i++) {
		if (&s->tasks[i] != t && s->tasks[i].busy &&
			s->tasks[i].at == (s->base + block) * s->o->bytes)
			return true;
	}
	return false;
}

/* Choose where the next command of a task goes, and what it writes or must find there. */
static void choose(struct gen_sess *s, struct gen_task *t)
{
	const struct gen_options *o = s->o;
	uint64_t block = o->random ? sess_below(s, s->blocks) : s->next++ % s->blocks;

	t->write = o->write_percent && sess_below(s, 100) < o->write_percent;
	while (o->verify && block_busy(s, t, block))
		block = o->random ? (block + 1) % s->blocks : s->next++ % s->blocks;
	t->at = (s->base + block) * o->bytes;
	if (!o->verify)
		return;
	t->gen = s->generations[block];
	if (o->write_percent && o->write_percent < 100) {
		t->write |= t->gen == GEN_UNKNOWN;
		t->gen += t->write;
	}
	if (t->write)
		gen_fill(o, t->buf, t->at, t->gen);
}

void gen_sess_start(struct gen_sess *s)
{
	struct gen_thread *th = s->thread;

	while (s->nfree && th->budget && th->now_ns < th->end_ns &&
		(int32_t)(s->w->maxcmdsn - s->w->cmdsn) >= 0) {
		struct gen_task *t = &s->tasks[s->free_tasks[--s->nfree]];

		th->budget--;
		th->busy++;
		t->busy = true;
		choose(s, t);
		t->started_ns = th->now_ns;
		push_command(s, t);
	}
}

static void task_end(struct gen_sess *s, struct gen_task *t, const struct bhs *h)
{
	struct gen_thread *th = s->thread;
	uint32_t slot = (uint32_t)(t - s->tasks);

	if (h->status || h->flags & (RSP_UNDERFLOW | RSP_OVERFLOW))
		die("session %u: %s at byte %llu: status 0x%02x, flags 0x%02x", s->index,
			t->write ? "write" : "read", (unsigned long long)t->at, h->status,
			h->flags);
	if (t->done != s->o->bytes)
		die("session %u: status after %u of %u bytes", s->index, t->done, s->o->bytes);
	if (s->generations && t->write)
		s->generations[t->at / s->o->bytes - s->base] = t->gen;
	t->busy = false;
	s->free_tasks[s->nfree++] = slot;
	th->busy--;
	th->stats.reads += !t->write;
	th->stats.writes += t->write;
	if (th->now_ns < th->measure_ns || th->now_ns > th->end_ns)
		return;
	hist_add(&th->stats.latency, th->now_ns - t->started_ns);
	th->last_ns = th->now_ns;
}

static struct gen_task *find_task(struct gen_sess *s, const struct bhs *h)
{
	uint32_t itt = be32_get(h->itt) - s->itt_base;

	if (itt >= s->o->depth || !s->tasks[itt].busy)
		die("session %u: opcode 0x%02x for unknown tag 0x%x", s->index, h->op, itt);
	return &s->tasks[itt];
}

static void on_data_in(struct gen_sess *s, const struct bhs *h, const uint8_t *data, uint32_t bytes)
{
	struct gen_task *t = find_task(s, h);
	uint32_t off = be32_get(h->offset);
	long bad = -1;

	if (t->write || off != t->done || bytes > s->o->bytes - off)
		die("session %u: Data-In of %u bytes at %u, expected offset %u", s->index, bytes,
			off, t->done);
	if (s->o->verify && bytes)
		bad = gen_check(s->o, data, t->at, off, bytes, t->gen);
	if (bad >= 0)
		die("session %u: wrong data at byte %llu of the disk", s->index,
			(unsigned long long)t->at + (unsigned long)bad);
	t->done += bytes;
	if (!(h->flags & DATA_IN_STATUS))
		return;
	s->expstatsn = be32_get(h->statsn) + 1;
	task_end(s, t, h);
}

static void on_response(
	struct gen_sess *s, const struct bhs *h, const uint8_t *data, uint32_t bytes)
{
	s->expstatsn = be32_get(h->statsn) + 1;
	if (h->response)
		die("session %u: response 0x%02x", s->index, h->response);
	if (h->status == 0x02 && bytes >= 16)
		die("session %u: CHECK CONDITION, sense %x/%02x/%02x", s->index, data[4] & 0x0f,
			data[14], data[15]);
	task_end(s, find_task(s, h), h);
}

static void on_r2t(struct gen_sess *s, const struct bhs *h)
{
	struct gen_task *t = find_task(s, h);
	uint32_t off = be32_get(h->offset), n = be32_get(h->desired_len);

	if (!t->write || !n || off > s->o->bytes || n > s->o->bytes - off || n > s->p.max_burst)
		die("session %u: R2T for %u bytes at %u", s->index, n, off);
	push_data_out(s, t, h->ttt, off, n);
}

static void on_nop_in(struct gen_sess *s, const struct bhs *h)
{
	struct bhs *o;

	if (be32_get(h->itt) != TAG_NONE)
		die("session %u: answer to a ping that was not sent", s->index);
	if (be32_get(h->ttt) == TAG_NONE)
		return;
	o = txq_push(&s->tx, NULL, 0, 0);
	o->op = OP_NOP_OUT | OP_IMMEDIATE;
	o->flags = F_FINAL;
	o->lun = h->lun;
	o->itt = be32_put(TAG_NONE);
	o->ttt = h->ttt;
	o->cmdsn = be32_put(s->w->cmdsn);
	o->expstatsn = be32_put(s->expstatsn);
}

/* Another thread may have been told more by another connection. */
static void take_window(struct gen_window *w, uint32_t max)
{
	uint32_t old = w->maxcmdsn;

	while ((int32_t)(max - old) > 0 && !atomic_compare_exchange_weak(&w->maxcmdsn, &old, max))
		;
}

static int on_pdu(void *ctx, const struct bhs *h, const void *data, uint32_t bytes)
{
	struct gen_sess *s = ctx;
	uint32_t max = be32_get(h->maxcmdsn);

	take_window(s->w, max);
	switch (h->op) {
	case OP_DATA_IN:
		on_data_in(s, h, data, bytes);
		break;
	case OP_SCSI_RSP:
		on_response(s, h, data, bytes);
		break;
	case OP_R2T:
		on_r2t(s, h);
		break;
	case OP_NOP_IN:
		on_nop_in(s, h);
		break;
	case OP_REJECT:
		die("session %u: Reject, reason 0x%02x", s->index, h->response);
	default:
		die("session %u: unexpected opcode 0x%02x", s->index, h->op);
	}
	return 0;
}

static enum rx_place on_place(void *ctx, const struct bhs *h, uint32_t bytes, void **ret_into)
{
	struct gen_sess *s = ctx;
	struct gen_task *t;
	uint32_t off = be32_get(h->offset);

	if (h->op != OP_DATA_IN)
		return RX_WHOLE;
	t = find_task(s, h);
	if (t->write || off != t->done || bytes > s->o->bytes - off)
		return RX_WHOLE; /* on_data_in will complain */
	*ret_into = t->buf + off;
	return s->o->verify || s->o->copy ? RX_INTO : RX_DROP;
}

static const struct rx_ops sess_ops = { on_place, on_pdu };

void gen_sess_receive(struct gen_sess *s, int flags)
{
	long n = rx_fill(&s->rx, s->fd, flags);

	if (n == -ECONNRESET)
		die("session %u: the target closed the connection", s->index);
	if (n < 0)
		die("session %u: receive: %s", s->index, strerror((int)-n));
	if (n == 0 && !(flags & MSG_DONTWAIT))
		die("session %u: no answer in %d s", s->index, GEN_ANSWER_SECONDS);
	s->thread->now_ns = gen_clock();
	if (rx_parse(&s->rx, &sess_ops, s))
		die("session %u: not an iSCSI PDU", s->index);
}

void gen_sess_flush(struct gen_sess *s)
{
	struct epoll_event ev = { .data.ptr = s };
	int r = txq_flush(&s->tx, s->fd);

	if (r)
		die("session %u: send: %s", s->index, strerror(-r));
	if (s->watch_out == (txq_count(&s->tx) != 0))
		return;
	s->watch_out = !s->watch_out;
	ev.events = s->watch_out ? EPOLLIN | EPOLLOUT : EPOLLIN;
	if (epoll_ctl(s->thread->epoll, EPOLL_CTL_MOD, s->fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
}
