/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pdu_recover.c: several connections to a session and ErrorRecoveryLevel 1 and 2: what the records
 * of pdu_fuzz.c do about them, and how an initiator makes good what was lost (RFC 7143 7).
 */
#include <string.h>

#include "base/clock.h"
#include "loop/sim.h"
#include "pdu_fuzz.h"

/* Milliseconds for an answer that waits for no disk. */
enum { ANSWER_MS = 400 };

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Wait for an answer, with the acknowledgements that others are asked for before it comes. */
static void wait_some(struct fuzz *f)
{
	run(f, NS_PER_MS);
	for (unsigned i = 0; i < NPEERS; i++) {
		struct peer *p = &f->peers[i];

		if (!peer_up(p) || p->ping_ttt == TAG_RESERVED)
			continue;
		p->holds = false;
		peer_answer_ping(p);
	}
}

/* ---- connections of a session --------------------------------------------------------------- */

static struct peer *up_of(struct fuzz *f, const struct peer_sess *s, const struct peer *but)
{
	for (unsigned i = 0; i < NPEERS; i++)
		if (&f->peers[i] != but && f->peers[i].s == s && peer_up(&f->peers[i]))
			return &f->peers[i];
	return NULL;
}

static struct peer *of_cid(struct fuzz *f, const struct peer_sess *s, uint16_t cid)
{
	for (unsigned i = 0; i < NPEERS; i++)
		if (f->peers[i].s == s && f->peers[i].cid == cid && f->peers[i].fd >= 0)
			return &f->peers[i];
	return NULL;
}

/* Nothing can be demanded. */
static bool excused(const struct fuzz *f, const struct peer_sess *s)
{
	return f->may_close || s->loose || s->ended;
}

/* Commands of its connection of that CID may be taken over now. */
static void logged_out(struct peer_sess *s, uint16_t cid)
{
	s->gone &= ~(1u << cid);
	for (unsigned i = 0; i < s->nlost; i++)
		if (s->lost[i].cid == cid)
			s->lost[i].ready = true;
}

/*
 * A connection joins a session, or takes the place of one with its CID (6.3.4), or continues one
 * that waits (6.3.6).
 */
static bool join(struct fuzz *f, struct peer *p, struct peer_sess *s, uint16_t cid)
{
	bool there = up_of(f, s, p) || s->gone;
	struct peer *old;

	p->s = s;
	p->p = f->params;
	old = of_cid(f, s, cid);
	peer_connect(p, ++f->connections, cid);
	if (p->fd < 0)
		return false;
	p->may_end = true;
	if (old && old != p)
		old->may_end = true;
	peer_send_login_plain(p, TARGET);
	for (unsigned i = 0; i < ANSWER_MS && !p->full_feature && !p->closed && !p->login_status;
		i++)
		wait_some(f);
	REQUIRE(p->full_feature || !there || excused(f, s), "CID %u cannot join: %s, status 0x%04x",
		cid, p->closed ? "refused" : "hangs", p->login_status);
	if (!p->full_feature) {
		peer_close(p, false);
		return false;
	}
	p->may_end = false;
	if (old && old != p)
		peer_close(old, true);
	logged_out(s, cid);
	/* The logout may have been lost with its connection. */
	if (s->ended)
		peer_set_loose(p);
	return true;
}

static void logout_send(struct peer *p, uint8_t reason, uint16_t cid, uint32_t itt)
{
	struct bhs_logout_request q = { .opcode = ISCSI_OP_LOGOUT_REQUEST | ISCSI_OP_IMMEDIATE };

	q.reason = ISCSI_FINAL | reason;
	q.initiator_task_tag = be32_put(itt);
	q.cid = be16_put(cid);
	q.cmdsn = be32_put(p->s->cmdsn);
	q.expstatsn = be32_put(peer_ack(p));
	peer_send_pdu(p, &q, NULL, 0, NULL, 0);
}

/* Log another connection out. False: nothing can be told of it. */
static bool log_out(struct fuzz *f, struct peer *by, uint8_t reason, uint16_t cid,
	enum iscsi_logout_response right)
{
	by->logout_itt = peer_take_itt(by);
	by->logout_response = -1;
	logout_send(by, reason, cid, by->logout_itt);
	for (unsigned i = 0; i < ANSWER_MS && by->logout_response < 0 && peer_up(by); i++)
		wait_some(f);
	if (by->logout_response != (int)right &&
		(excused(f, by->s) || !peer_up(by) || by->tweak.on))
		return false;
	REQUIRE(by->logout_response == (int)right, "response %d to the logout of CID %u, not %u",
		by->logout_response, cid, right);
	/* 11.15.4: as was agreed, if commands may be taken over. */
	REQUIRE(by->logout_retain ==
			(right == ISCSI_LOGOUT_SUCCESS && reason == ISCSI_LOGOUT_REMOVE_FOR_RECOVERY
					? 20
					: 0),
		"Time2Retain %u", by->logout_retain);
	return true;
}

/* ---- recovery ------------------------------------------------------------------------------- */

/* Commands and other requests of connections that are gone: numbers that the target waits for. */
static bool is_hole(const struct fuzz *f, const struct peer_sess *s, uint32_t cmdsn)
{
	for (unsigned i = 0; i < NPEERS; i++) {
		const struct peer *p = &f->peers[i];

		if (p->s == s && p->id == s->owner[cmdsn % PEER_RING] && peer_up(p))
			return false;
	}
	return true;
}

static bool has_holes(const struct fuzz *f, const struct peer_sess *s)
{
	for (uint32_t sn = s->exp_cmdsn; before(sn, s->cmdsn); sn++)
		if (is_hole(f, s, sn))
			return true;
	return false;
}

static bool has_unsent(const struct fuzz *f, const struct peer_sess *s)
{
	for (unsigned i = 0; i < NPEERS; i++) {
		const struct peer *p = &f->peers[i];

		for (unsigned k = 0; k < PEER_TASKS && p->s == s && peer_up(p); k++)
			if (p->tasks[k].active && p->tasks[k].unsent)
				return true;
	}
	return false;
}

bool recoverable(const struct fuzz *f, const struct peer_sess *s)
{
	if (s->loose || s->ended || !s->tsih)
		return false;
	return s->gone || s->nlost || has_unsent(f, s) || has_holes(f, s);
}

/* A connection for a session that waits. */
static struct peer *revive(struct fuzz *f, struct peer_sess *s)
{
	for (unsigned i = NPEERS; i-- && s->gone;) {
		struct peer *p = &f->peers[i];

		if (p->fd < 0 && join(f, p, s, (uint16_t)__builtin_ctz(s->gone)))
			return p;
	}
	s->gone = s->nlost = 0;
	return NULL;
}

static void reassign(struct peer *by, struct peer_task *k)
{
	struct bhs_tmf_request q = { .opcode = ISCSI_OP_TASK_MANAGEMENT_REQUEST |
					       ISCSI_OP_IMMEDIATE };

	k->tmf_itt = peer_take_itt(by);
	q.function = ISCSI_FINAL | ISCSI_TMF_TASK_REASSIGN;
	memcpy(q.lun, k->bhs.lun, sizeof(q.lun));
	q.initiator_task_tag = be32_put(k->tmf_itt);
	q.referenced_task_tag = be32_put(k->itt);
	q.refcmdsn = be32_put(k->cmdsn);
	q.cmdsn = be32_put(by->s->cmdsn);
	q.expstatsn = be32_put(peer_ack(by));
	/* 11.5.6: the next one that is expected. */
	q.expdatasn = be32_put(k->write ? k->r2tsn : k->datasn);
	peer_send_pdu(by, &q, NULL, 0, NULL, 0);
}

/* A command that never came, on this connection. */
static void move_here(struct peer *by, unsigned i)
{
	struct peer_sess *s = by->s;
	struct peer_task *to = peer_task_new(by);

	if (!to) {
		peer_set_loose(by);
		return;
	}
	*to = s->lost[i];
	s->lost[i] = s->lost[--s->nlost];
	by->nactive++;
	peer_send_again(by, to);
}

static bool reassigning(const struct peer_sess *s)
{
	for (unsigned i = 0; i < s->nlost; i++)
		if (s->lost[i].tmf_itt != TAG_RESERVED)
			return true;
	return false;
}

/* 7.2: what the target has is reassigned, what it has not is sent anew. */
static void take_over(struct fuzz *f, struct peer *by)
{
	struct peer_sess *s = by->s;

	for (unsigned i = s->nlost; i--;) {
		struct peer_task *k = &s->lost[i];

		if (i >= s->nlost || !k->ready)
			continue;
		if (k->bhs.opcode & ISCSI_OP_IMMEDIATE || before(k->cmdsn, s->exp_cmdsn))
			reassign(by, k);
		else
			move_here(by, i);
	}
	for (unsigned i = 0; i < ANSWER_MS && reassigning(s) && peer_up(by); i++)
		wait_some(f);
	REQUIRE(!reassigning(s) || excused(f, s) || !peer_up(by), "no answer to TASK REASSIGN");
	if (reassigning(s))
		s->nlost = s->gone = 0;
}

/* 4.2.2.1: a ping takes a number that was lost. */
static void fill(struct fuzz *f, struct peer *by)
{
	struct peer_sess *s = by->s;

	for (uint32_t sn = s->exp_cmdsn; before(sn, s->cmdsn); sn++) {
		struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT, .flags = ISCSI_FINAL };

		if (!is_hole(f, s, sn))
			continue;
		s->owner[sn % PEER_RING] = by->id;
		q.initiator_task_tag = be32_put(peer_take_itt(by));
		q.target_transfer_tag = be32_put(TAG_RESERVED);
		q.cmdsn = be32_put(sn);
		q.expstatsn = be32_put(peer_ack(by));
		peer_send_pdu(by, &q, NULL, 0, NULL, 0);
	}
}

static void send_unsent(struct fuzz *f, const struct peer_sess *s)
{
	for (unsigned i = 0; i < NPEERS; i++) {
		struct peer *p = &f->peers[i];

		for (unsigned k = 0; k < PEER_TASKS && p->s == s && peer_up(p); k++)
			if (p->tasks[k].active && p->tasks[k].unsent)
				peer_send_again(p, &p->tasks[k]);
	}
}

void recover(struct fuzz *f, struct peer_sess *s)
{
	struct peer *by = up_of(f, s, NULL);

	if (!by)
		by = revive(f, s);
	if (!by)
		return;
	while (s->gone && peer_up(by)) {
		uint16_t cid = (uint16_t)__builtin_ctz(s->gone);

		if (!log_out(f, by, ISCSI_LOGOUT_REMOVE_FOR_RECOVERY, cid, ISCSI_LOGOUT_SUCCESS)) {
			s->nlost = s->gone = 0;
			return;
		}
		logged_out(s, cid);
	}
	if (s->nlost)
		take_over(f, by);
	if (peer_up(by) && !s->loose)
		fill(f, by);
	send_unsent(f, s);
}

/* ---- records: connections ------------------------------------------------------------------- */

/* A connection more for the session of another; with the same CID it takes its place. */
static void rec_join(struct fuzz *f, struct input *in)
{
	uint8_t how = input_u8(in);
	struct peer *p = &f->peers[NLEADS + (how & 3) % 3];
	struct peer *lead = &f->peers[(how >> 2 & 7) % NPEERS];

	f->peer = p;
	if (p == lead || (p->fd >= 0 && how & 0x40) || !lead->s->tsih)
		return;
	peer_close(p, how & 0x80);
	(void)join(f, p, lead->s, how & 0x20 ? lead->cid : (uint16_t)(p - f->peers + 1));
}

static void rec_select(struct fuzz *f, struct input *in)
{
	f->peer = &f->peers[input_u8(in) % NPEERS];
}

static void rec_lose(struct fuzz *f, struct input *in)
{
	uint8_t how = input_u8(in);

	peer_close(&f->peers[how % NPEERS], how & 0x80);
}

/* 6.3.4, 6.3.6: it comes back with the same CID. */
static void rec_reinstate(struct fuzz *f, struct input *in)
{
	struct peer *p = f->peer;
	uint8_t how = input_u8(in);

	if (!p->s->tsih)
		return;
	peer_close(p, how & 1);
	if (how & 2)
		run(f, NS_PER_MS);
	(void)join(f, p, p->s, p->cid);
}

static void rec_recover(struct fuzz *f, struct input *in)
{
	if (recoverable(f, f->peer->s))
		recover(f, f->peer->s);
}

/* Its own logout, with no answers to the commands that are under way; or it is given up. */
static void leave(struct fuzz *f, struct peer *p, uint8_t reason)
{
	if (reason == ISCSI_LOGOUT_REMOVE_FOR_RECOVERY && p->p.level < 2)
		return;
	p->logout_own_itt = peer_take_itt(p);
	logout_send(p, reason, p->cid, p->logout_own_itt);
	if (reason == ISCSI_LOGOUT_CLOSE_SESSION)
		end_others(f, p);
	if (reason != ISCSI_LOGOUT_REMOVE_FOR_RECOVERY) {
		peer_loosen_tasks(p);
		p->leaving = true;
		return;
	}
	for (unsigned i = 0; i < ANSWER_MS && !p->logged_out && !p->closed; i++)
		wait_some(f);
	REQUIRE(p->logged_out || excused(f, p->s), "no answer to a logout for recovery");
	peer_close(p, false);
	logged_out(p->s, p->cid);
}

static void rec_leave(struct fuzz *f, struct input *in)
{
	uint8_t how = input_u8(in), reason = how % 3;
	struct peer *p = f->peer, *other = up_of(f, p->s, p);
	bool level2 = p->p.level == 2, removes = reason == ISCSI_LOGOUT_REMOVE_FOR_RECOVERY;

	if (!peer_up(p) || p->tweak.on)
		return;
	if (!(how & 0x80) || reason == ISCSI_LOGOUT_CLOSE_SESSION) {
		leave(f, p, reason);
	} else if (removes && !level2) {
		(void)log_out(f, p, reason, p->cid, ISCSI_LOGOUT_RECOVERY_NOT_SUPPORTED);
	} else if (how & 0x40 || !other) {
		(void)log_out(f, p, reason, 31, ISCSI_LOGOUT_CID_NOT_FOUND);
	} else {
		other->may_end = true;
		if (!removes)
			peer_loosen_tasks(other);
		if (!log_out(f, p, reason, other->cid, ISCSI_LOGOUT_SUCCESS))
			return;
		other->leaving = !removes;
		peer_close(other, false);
		logged_out(p->s, other->cid);
	}
}

/* ---- records: within a connection ------------------------------------------------------------ */

static void snack_send(struct peer *p, uint8_t type, uint32_t itt, uint32_t ttt, uint32_t begrun,
	uint32_t runlength, const uint8_t *lun)
{
	struct bhs_snack_request q = { .opcode = ISCSI_OP_SNACK_REQUEST };

	q.type = ISCSI_FINAL | type;
	if (lun)
		memcpy(q.lun, lun, sizeof(q.lun));
	q.initiator_task_tag = be32_put(itt);
	q.target_transfer_tag = be32_put(ttt);
	q.expstatsn = be32_put(peer_ack(p));
	q.begrun = be32_put(begrun);
	q.runlength = be32_put(runlength);
	peer_send_pdu(p, &q, NULL, 0, NULL, 0);
}

/* A command that the target knows, from place i on. */
static struct peer_task *known_task(struct peer *p, unsigned i)
{
	for (unsigned n = 0; n < PEER_TASKS; n++) {
		struct peer_task *k = &p->tasks[(i + n) % PEER_TASKS];

		if (peer_task_known(p, k) && !k->loose && !k->unsent)
			return k;
	}
	return NULL;
}

/* Some of [from, to): the latest PEER_RING of it are remembered. */
static uint32_t some_of(uint32_t from, uint32_t to, uint8_t begin, uint8_t run, uint32_t *ret_n)
{
	uint32_t first;

	if (to - from > PEER_RING)
		from = to - PEER_RING;
	first = from + begin % (to - from);
	*ret_n = 1 + run % (to - first);
	return first;
}

static void snack_status(struct peer *p, uint8_t begin, uint8_t run)
{
	uint32_t from = peer_ack(p), n, first;

	if (from == p->statsn) {
		/* 11.16.6: all that is not acknowledged, also what has yet to come here. */
		p->any_again = true;
		snack_send(p, ISCSI_SNACK_STATUS, TAG_RESERVED, TAG_RESERVED, 0, 0, NULL);
		return;
	}
	first = some_of(from, p->statsn, begin, run, &n);
	for (uint32_t i = 0; i < n; i++)
		peer_ring_ask(&p->ring, first + i);
	snack_send(p, ISCSI_SNACK_STATUS, TAG_RESERVED, TAG_RESERVED, first, n, NULL);
}

/* Data-In that have come, or an R2T that was not answered. */
static void snack_data(struct peer *p, struct peer_task *k, uint8_t begin, uint8_t run)
{
	uint32_t n = 1, first;

	if (k->free || p->any_length)
		return;
	if (k->read && !k->write && k->datasn != k->acked) {
		first = some_of(k->acked, k->datasn, begin, run, &n);
	} else if (k->write && !k->lossy && p->nr2ts) {
		const struct peer_r2t *r = &p->r2ts[begin % p->nr2ts];

		k = peer_task(p, r->itt);
		if (!k || !k->active || k->lossy || k->loose || r->r2tsn + 1 != k->r2tsn)
			return;
		first = r->r2tsn;
	} else {
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		peer_ring_ask(&k->ring, first + i);
	snack_send(p, ISCSI_SNACK_DATA_R2T, k->itt, TAG_RESERVED, first, n, k->bhs.lun);
}

static void snack_right(
	struct peer *p, uint8_t type, struct peer_task *k, uint8_t begin, uint8_t run)
{
	if (type == ISCSI_SNACK_STATUS) {
		snack_status(p, begin, run);
	} else if (!k) {
		return;
	} else if (type == ISCSI_SNACK_DATA_R2T) {
		snack_data(p, k, begin, run);
	} else if (type == ISCSI_SNACK_DATA_ACK && k->wants_ack) {
		k->wants_ack = false;
		k->acked = k->ack_sn;
		snack_send(p, type, TAG_RESERVED, k->ack_ttt, k->ack_sn, 0, k->bhs.lun);
	} else if (type == ISCSI_SNACK_R_DATA && k->read && !k->write && k->in) {
		/* 11.16.3: its data come once more, and may be cut as they were not. */
		k->free = k->tag_due = true;
		k->ring.due = 0;
		k->snack_tag = 0x5000 + k->itt;
		snack_send(p, type, k->itt, k->snack_tag, 0, 0, k->bhs.lun);
	}
}

static void rec_snack(struct fuzz *f, struct input *in)
{
	uint8_t how = input_u8(in), which = input_u8(in), begin = input_u8(in),
		run_n = input_u8(in);
	struct peer *p = f->peer;
	struct peer_task *k = known_task(p, which % PEER_TASKS);

	if (!peer_up(p))
		return;
	if (p->p.level && !(how & 4) && !peer_loose(p) && !p->any_again) {
		snack_right(p, how & 3, k, begin, run_n);
		return;
	}
	/* Rejected as a rule; what it asks for by chance comes, or was forgotten. */
	p->any_again = p->may_reject = p->may_end = true;
	if ((how & 3) == ISCSI_SNACK_R_DATA && p->p.level)
		peer_set_loose(p);
	snack_send(p, how & 0x0f, how & 0x10 && k ? k->itt : TAG_RESERVED,
		how & 0x20 && k ? k->itt
		: how & 0x40    ? which
				: TAG_RESERVED,
		how & 0x80 && k ? k->datasn - begin % 4 : begin, run_n, NULL);
}

/* The digest of the next PDU whose loss can be made good is wrong. */
static void rec_spoil(struct fuzz *f, struct input *in)
{
	f->peer->spoil = input_u8(in) & 1 ? SPOIL_HEADER : SPOIL_DATA;
}

/* Acknowledge nothing for a while. */
static void rec_hold(struct fuzz *f, struct input *in)
{
	struct peer *p = f->peer;
	bool on = input_u8(in) & 1;

	if (on && !p->holds)
		p->held_statsn = p->statsn;
	p->holds = on;
}

/* 7.2.1: a command that has arrived comes again. */
static void rec_repeat(struct fuzz *f, struct input *in)
{
	struct peer *p = f->peer;
	const struct peer_task *k = p->last;

	if (peer_up(p) && p->p.level && k && (k->active || k->kept) && !k->loose && !k->unsent &&
		!(k->bhs.opcode & ISCSI_OP_IMMEDIATE))
		peer_repeat(p, k);
}

/* 13.19: with DataSequenceInOrder=No any R2T may be answered next. */
static void rec_answer_any(struct fuzz *f, struct input *in)
{
	uint8_t i = input_u8(in);

	(void)peer_answer_r2t(f->peer, f->params.disorder ? i : 0);
}

record_fn *const recovery_records[] = {
	rec_join,
	rec_select,
	rec_lose,
	rec_reinstate,
	rec_recover,
	rec_leave,
	rec_snack,
	rec_snack,
	rec_spoil,
	rec_hold,
	rec_repeat,
	rec_answer_any,
};

const unsigned recovery_records_n = sizeof(recovery_records) / sizeof(recovery_records[0]);
