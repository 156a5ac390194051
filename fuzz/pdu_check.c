/* SPDX-License-Identifier: BSD-3-Clause */
/* pdu_check.c: what the initiator of pdu_fuzz demands of every PDU that comes (RFC 7143 11). */
#include "pdu_check.h"

#include <string.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "fabric/iscsi/limits.h"
#include "loop/sim.h"
#include "rig.h"

/* The task that an answer is for; NULL if that is not to be told. */
static struct peer_task *task_answered(struct peer *peer, be32 itt, const char *what)
{
	struct peer_task *k = peer_task(peer, be32_get(itt));

	REQUIRE((k && k->active) || peer_loose(peer) || peer->forgot, "%s for no command, ITT %u",
		what, be32_get(itt));
	if (k && !k->active)
		return NULL;
	return peer_loose(peer) ? NULL : k;
}

static void task_over(struct peer *peer, struct peer_task *k, be32 statsn)
{
	k->active = false;
	k->kept = peer->p.level > 0;
	k->statsn = be32_get(statsn);
	peer->nactive -= !k->loose;
}

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* ---- what comes once more ------------------------------------------------------------------- */

static void ring_put(struct peer_ring *ring, uint32_t sn, uint32_t crc)
{
	uint32_t i = sn % PEER_RING;

	ring->crc[i] = crc;
	ring->asked[i] = 0;
	ring->due &= ~(UINT64_C(1) << i);
}

/* One of the latest that was asked for. Whether it is, and then as it was, the caller requires. */
static bool ring_asked(struct peer_ring *ring, uint32_t next, uint32_t sn)
{
	return next - sn <= PEER_RING && ring->asked[sn % PEER_RING];
}

static void ring_again(struct peer_ring *ring, uint32_t sn, uint32_t crc)
{
	uint32_t i = sn % PEER_RING;

	ring->asked[i]--;
	ring->due &= ~(UINT64_C(1) << i);
	REQUIRE(ring->crc[i] == crc, "number %u comes again, but is not as it was", sn);
}

/* A Data-In or R2T of a number that has been. */
static void number_again(struct peer *peer, struct peer_task *k, uint32_t sn, uint32_t next,
	uint32_t crc, const char *what)
{
	if (peer->any_again || k->free)
		return;
	REQUIRE(ring_asked(&k->ring, next, sn), "%s %u comes again, unasked", what, sn);
	ring_again(&k->ring, sn, crc);
}

/* 11.16.3: what was sent in answer to an R-Data SNACK ends with its tag. */
static bool tag_came(struct peer *peer, const struct bhs_nop_in *h)
{
	const struct bhs_scsi_response *r = (const struct bhs_scsi_response *)h;
	struct peer_task *k = peer_task(peer, be32_get(r->initiator_task_tag));

	if (bhs_opcode((const struct bhs *)h) != ISCSI_OP_SCSI_RESPONSE || !k || !k->free ||
		!k->snack_tag || be32_get(r->snack_tag) != k->snack_tag)
		return false;
	k->tag_due = false;
	return true;
}

static bool has_statsn(const struct bhs_nop_in *h)
{
	switch (bhs_opcode((const struct bhs *)h)) {
	case ISCSI_OP_DATA_IN:
		return h->flags & DATA_IN_STATUS;
	case ISCSI_OP_R2T:
		return false;
	case ISCSI_OP_NOP_IN:
		return be32_get(h->initiator_task_tag) != TAG_RESERVED;
	default:
		return true;
	}
}

/*
 * 4.2.2.2: StatSN counts responses. True: this one has come before, and was asked for again.
 */
static bool statsn_again(struct peer *peer, const struct bhs_nop_in *h, uint32_t crc)
{
	uint32_t sn = be32_get(h->statsn);
	struct peer_task *k;

	if (!has_statsn(h))
		return false;
	if (!peer->counts || !before(sn, peer->statsn)) {
		ring_put(&peer->ring, sn, crc);
		(void)tag_came(peer, h);
		return false;
	}
	REQUIRE(peer->p.level, "StatSN is %u, not %u", sn, peer->statsn);
	if (tag_came(peer, h) || peer->any_again)
		return true;
	if (ring_asked(&peer->ring, peer->statsn, sn)) {
		k = peer_task(peer, be32_get(h->initiator_task_tag));
		ring_again(&peer->ring, sn, k && k->free ? peer->ring.crc[sn % PEER_RING] : crc);
		return true;
	}
	/* With the Data-In that is its last one. */
	if (bhs_opcode((const struct bhs *)h) == ISCSI_OP_DATA_IN)
		return false;
	REQUIRE(peer_loose(peer), "StatSN %u comes again, unasked; %u is next", sn, peer->statsn);
	return true;
}

static void take_statsn(struct peer *peer, be32 statsn)
{
	REQUIRE(!peer->counts || be32_get(statsn) == peer->statsn, "StatSN is %u, not %u",
		be32_get(statsn), peer->statsn);
	peer->counts = true;
	peer->statsn = be32_get(statsn) + 1;
}

/* Where StatSN is only told it is the next one. */
static void see_statsn(struct peer *peer, be32 statsn)
{
	REQUIRE(be32_get(statsn) == peer->statsn, "StatSN is %u, not the next one, %u",
		be32_get(statsn), peer->statsn);
}

/* 11.4.5: what was expected is what was moved and the residual. */
static void check_residual(const struct peer_task *k, uint8_t flags, uint32_t residual)
{
	bool under = flags & RSP_UNDERFLOW, over = flags & RSP_OVERFLOW;

	REQUIRE(under || over || !residual, "a residual without O or U");
	REQUIRE(!(under || over) || residual, "O or U without a residual");
	REQUIRE(!under || residual <= k->edtl, "residual %u of %u", residual, k->edtl);
	if (!k->read || k->write || k->free)
		return;
	REQUIRE(k->in + (under ? residual : 0) == k->edtl,
		"%u bytes came, residual %u (flags 0x%02x), %u were expected", k->in, residual,
		flags, k->edtl);
}

static void check_status(uint8_t status)
{
	static const uint8_t known[] = { 0x00, 0x02, 0x04, 0x08, 0x18, 0x28, 0x30, 0x40 };

	REQUIRE(memchr(known, status, sizeof(known)), "status 0x%02x", status);
}

/* ---- by opcode ------------------------------------------------------------------------------ */

/* 13.18, 13.19: Data-In of a command fill its buffer, each part once. */
static void data_place(struct peer *peer, struct peer_task *k, uint32_t off, uint32_t n)
{
	if (k->free)
		return;
	REQUIRE(off <= k->edtl && n <= k->edtl - off, "more Data-In than %u", k->edtl);
	if (!peer->p.disorder) {
		REQUIRE(off == k->in, "Data-In at %u, not %u", off, k->in);
		return;
	}
	for (uint32_t i = off / PEER_UNIT; i * PEER_UNIT < off + n && i < 8 * sizeof(k->seen);
		i++) {
		REQUIRE(!(k->seen[i / 8] >> i % 8 & 1), "Data-In at %u once more", off);
		k->seen[i / 8] |= (uint8_t)(1u << i % 8);
	}
}

/* 11.7.2: it is to be acknowledged. */
static void data_ack(struct peer *peer, struct peer_task *k, const struct bhs_data_in *d)
{
	REQUIRE(peer->p.level, "A at level 0");
	REQUIRE(d->flags & DATA_IN_FINAL, "A without F");
	REQUIRE(be32_get(d->target_transfer_tag) != TAG_RESERVED, "A without a TTT");
	if (!k)
		return;
	REQUIRE(!memcmp(d->lun, k->bhs.lun, sizeof(d->lun)), "A with another LUN");
	k->wants_ack = true;
	k->ack_ttt = be32_get(d->target_transfer_tag);
	k->ack_sn = be32_get(d->datasn) + 1;
}

static void data_burst(struct peer *peer, struct peer_task *k, uint32_t n, bool final)
{
	k->in += n;
	k->burst += n;
	if (!k->free) {
		REQUIRE(k->burst <= peer->p.max_burst, "a burst of %u", k->burst);
		REQUIRE(final || k->burst < peer->p.max_burst, "no F at MaxBurstLength");
	}
	if (final)
		k->burst = 0;
}

/* True: it has come before. */
static bool data_again(
	struct peer *peer, struct peer_task *k, const struct bhs_data_in *d, uint32_t crc)
{
	uint32_t sn = be32_get(d->datasn);

	if (!peer->p.level || !k || (k->active && (k->free || !before(sn, k->datasn))))
		return false;
	if (!k->loose)
		number_again(peer, k, sn, k->datasn, crc, "DataSN");
	return true;
}

static void data_in(struct peer *peer, const struct bhs_data_in *d, uint32_t n, uint32_t crc)
{
	bool status = d->flags & DATA_IN_STATUS, final = d->flags & DATA_IN_FINAL;
	uint32_t sn = be32_get(d->datasn);
	struct peer_task *k;

	REQUIRE(n, "Data-In without data");
	REQUIRE(!status || final, "S without F");
	REQUIRE(status || !(d->flags & (DATA_IN_OVERFLOW | DATA_IN_UNDERFLOW)), "O, U without S");
	REQUIRE((d->flags & 0x06) != 0x06, "both O and U");
	k = peer_task(peer, be32_get(d->initiator_task_tag));
	if (data_again(peer, k, d, crc) || (!k && peer->any_again))
		return;
	k = task_answered(peer, d->initiator_task_tag, "Data-In");
	if (d->flags & DATA_IN_ACKNOWLEDGE)
		data_ack(peer, k, d);
	else
		REQUIRE(be32_get(d->target_transfer_tag) == TAG_RESERVED, "TTT without A");
	if (status) {
		check_status(d->status);
		take_statsn(peer, d->statsn);
	}
	if (!k)
		return;
	REQUIRE(k->read, "Data-In of a command that does not read");
	REQUIRE(k->free || sn == k->datasn, "DataSN %u, not %u", sn, k->datasn);
	data_place(peer, k, be32_get(d->buffer_offset), n);
	ring_put(&k->ring, sn, crc);
	k->datasn = sn + 1;
	data_burst(peer, k, n, final);
	if (status) {
		check_residual(k, d->flags, be32_get(d->residual_count));
		task_over(peer, k, d->statsn);
	}
}

static void check_sense(
	const struct peer *peer, const struct bhs_scsi_response *r, const uint8_t *data, uint32_t n)
{
	uint32_t len;

	if (r->status != 0x02) {
		REQUIRE(!n, "data with status 0x%02x", r->status);
		return;
	}
	REQUIRE(n >= 2 + 8, "CHECK CONDITION with %u bytes of sense", n);
	len = get_be16(data);
	REQUIRE(len + 2 == n, "SenseLength %u in %u bytes", len, n);
	REQUIRE((data[2] & 0x7c) == 0x70, "response code 0x%02x", data[2]);
	REQUIRE(len == data[2 + 7] + 8u, "ADDITIONAL SENSE LENGTH %u of %u", data[2 + 7], len);
	/* 7.8: PROTOCOL SERVICE CRC ERROR is the answer of level 0 alone. */
	REQUIRE(!peer->p.level || n < 2 + 14 || data[2 + 12] != 0x47 || data[2 + 13] != 0x05,
		"a digest error is told instead of recovered");
}

static void response(
	struct peer *peer, const struct bhs_scsi_response *r, const uint8_t *data, uint32_t n)
{
	struct peer_task *k = task_answered(peer, r->initiator_task_tag, "a response");
	uint32_t sent;

	take_statsn(peer, r->statsn);
	REQUIRE(r->flags & ISCSI_FINAL, "a response without F");
	REQUIRE(r->response == ISCSI_RESPONSE_COMMAND_COMPLETED, "response %u", r->response);
	check_status(r->status);
	check_sense(peer, r, data, n);
	REQUIRE((r->flags & 0x06) != 0x06 && (r->flags & 0x18) != 0x18, "both O and U");
	if (!k)
		return;
	REQUIRE(!(r->flags & 0x18) || (k->read && k->write), "o or u of one direction");
	REQUIRE(!k->in || !k->burst || k->free, "the data do not end with F");
	check_residual(k, r->flags, be32_get(r->residual_count));
	/* 11.4.8: the Data-In and R2T that came, 0 without Data-In. */
	sent = k->in ? k->datasn + k->r2tsn : 0;
	REQUIRE(be32_get(r->expdatasn) == sent || (k->read && k->write) || k->free,
		"ExpDataSN %u, not %u", be32_get(r->expdatasn), sent);
	task_over(peer, k, r->statsn);
}

/* 11.8: R2Ts ask for all that was not sent, in order; for what got lost anywhere once more. */
static void check_r2t(struct peer *peer, struct peer_task *k, const struct peer_r2t *q)
{
	bool late = peer->p.level && sim_now_ns(peer->loops) > 2 * NS_PER_S;

	REQUIRE(k->write, "R2T of a command that does not write");
	REQUIRE(q->r2tsn == k->r2tsn, "R2TSN %u, not %u", q->r2tsn, k->r2tsn);
	REQUIRE(q->off <= k->edtl && q->len <= k->edtl - q->off && q->len <= peer->p.max_burst,
		"R2T for %u bytes at %u", q->len, q->off);
	k->r2tsn++;
	/* Data that do not come for some seconds are asked for again. */
	k->lossy = k->lossy || late;
	REQUIRE(k->lossy || peer->p.disorder || q->off == k->r2t_next, "R2T at %u, not %u", q->off,
		k->r2t_next);
	if (k->r2t_next < q->off + q->len)
		k->r2t_next = q->off + q->len;
}

static void r2t(struct peer *peer, const struct bhs_r2t *r, uint32_t crc)
{
	struct peer_task *k = task_answered(peer, r->initiator_task_tag, "R2T");
	struct peer_r2t q = { .itt = be32_get(r->initiator_task_tag),
		.ttt = be32_get(r->target_transfer_tag),
		.off = be32_get(r->buffer_offset),
		.len = be32_get(r->desired_data_transfer_length),
		.r2tsn = be32_get(r->r2tsn) };

	see_statsn(peer, r->statsn);
	REQUIRE(r->flags == ISCSI_FINAL, "flags 0x%02x of an R2T", r->flags);
	REQUIRE(q.ttt != TAG_RESERVED, "R2T without a TTT");
	REQUIRE(q.len, "R2T for nothing");
	if (k && peer->p.level && before(q.r2tsn, k->r2tsn)) {
		number_again(peer, k, q.r2tsn, k->r2tsn, crc, "R2TSN");
		return;
	}
	if (peer->nr2ts < PEER_R2TS)
		peer->r2ts[peer->nr2ts++] = q;
	else
		peer_set_loose(peer); /* it will not answer this one */
	if (!k)
		return;
	check_r2t(peer, k, &q);
	ring_put(&k->ring, q.r2tsn, crc);
}

static void nop_in(struct peer *peer, const struct bhs_nop_in *h, uint32_t n)
{
	bool asks = be32_get(h->target_transfer_tag) != TAG_RESERVED;

	REQUIRE(h->flags == ISCSI_FINAL, "flags 0x%02x of a NOP-In", h->flags);
	if (be32_get(h->initiator_task_tag) != TAG_RESERVED) {
		REQUIRE(!asks, "a NOP-In with both tags");
		take_statsn(peer, h->statsn);
		return;
	}
	see_statsn(peer, h->statsn);
	REQUIRE(!n, "a ping with data");
	peer->ping_ttt = be32_get(h->target_transfer_tag);
}

static void text_response(struct peer *peer, const struct bhs_text_response *h)
{
	bool final = h->flags & TEXT_FINAL;

	take_statsn(peer, h->statsn);
	REQUIRE(!final || !(h->flags & TEXT_CONTINUE), "a Text Response with F and C");
	/* 11.11.4 */
	REQUIRE(final == (be32_get(h->target_transfer_tag) == TAG_RESERVED), "TTT 0x%08x with F=%d",
		be32_get(h->target_transfer_tag), final);
	peer->text_itt = be32_get(h->initiator_task_tag);
	peer->text_ttt = be32_get(h->target_transfer_tag);
}

static void reject(struct peer *peer, const struct bhs_reject *h, uint32_t n)
{
	take_statsn(peer, h->statsn);
	REQUIRE(h->reason >= 0x02 && h->reason <= 0x0c, "reason 0x%02x", h->reason);
	REQUIRE(be32_get(h->initiator_task_tag) == TAG_RESERVED, "a Reject with an ITT");
	REQUIRE(n == BHS_BYTES, "a Reject with %u bytes", n);
	/* There was no memory for its data. Its CmdSN is missing now (RFC 7143 11.17). */
	if (h->reason == ISCSI_REJECT_LONG_OPERATION)
		peer_set_loose(peer);
	REQUIRE(peer_loose(peer) || peer->may_reject, "a Reject, reason 0x%02x, of a right PDU",
		h->reason);
}

/* 7.2.2: a command of a lost connection is this one's, or why not. */
static void reassigned(struct peer *peer, unsigned i, uint8_t response)
{
	struct peer_task *k = &peer->s->lost[i], *to;

	/* One that is immediate may never have come. */
	REQUIRE(response == ISCSI_TMF_FUNCTION_COMPLETE || k->loose ||
			(k->bhs.opcode & ISCSI_OP_IMMEDIATE &&
				response == ISCSI_TMF_TASK_DOES_NOT_EXIST),
		"response %u to the reassignment of ITT %u", response, k->itt);
	k->tmf_itt = TAG_RESERVED;
	if (response == ISCSI_TMF_FUNCTION_COMPLETE) {
		to = peer_task_new(peer);
		if (to) {
			*to = *k;
			to->free = to->free || peer->any_length;
			to->lossy = true;
			to->acked = to->datasn;
			memset(&to->ring, 0, sizeof(to->ring));
			to->wants_ack = to->tag_due = false;
			peer->nactive += !to->loose;
		} else {
			peer_set_loose(peer);
		}
	}
	if (peer->s->nlost)
		peer->s->lost[i] = peer->s->lost[--peer->s->nlost];
}

static void tmf_response(struct peer *peer, const struct bhs_tmf_response *h, uint32_t n)
{
	take_statsn(peer, h->statsn);
	REQUIRE(h->flags == ISCSI_FINAL && !n, "a bad TMF response");
	REQUIRE(h->response <= 7 || h->response == 255, "response %u to a TMF", h->response);
	for (unsigned i = 0; i < peer->s->nlost; i++)
		if (peer->s->lost[i].tmf_itt == be32_get(h->initiator_task_tag)) {
			reassigned(peer, i, h->response);
			return;
		}
}

static void logout_response(struct peer *peer, const struct bhs_logout_response *h, uint32_t n)
{
	bool success = h->response == ISCSI_LOGOUT_SUCCESS;
	uint32_t itt = be32_get(h->initiator_task_tag);

	take_statsn(peer, h->statsn);
	REQUIRE(h->flags == ISCSI_FINAL && !n, "a bad Logout Response");
	REQUIRE(h->response <= 3, "response %u to a Logout", h->response);
	peer->logged_out = peer->logged_out || (success && itt == peer->logout_own_itt);
	if (itt != peer->logout_itt)
		return;
	peer->logout_response = h->response;
	peer->logout_retain = be16_get(h->time2retain);
}

static void async_message(struct peer *peer, const struct bhs_async_message *h)
{
	take_statsn(peer, h->statsn);
	REQUIRE(h->flags == ISCSI_FINAL, "flags 0x%02x of an Async Message", h->flags);
	REQUIRE(h->async_event <= 5, "event %u", h->async_event);
	REQUIRE(be32_get(h->initiator_task_tag) == TAG_RESERVED, "an Async Message with an ITT");
}

/* A value of one key in a text, NULL: none. */
static const char *value_of(const char *text, size_t n, const char *key)
{
	size_t len = strlen(key);
	const char *p = memmem(text, n, key, len);

	return p && p + len < text + n && p[len] == '=' ? p + len + 1 : NULL;
}

static void take_digest(struct peer *peer, const char *value, size_t n, bool *ret)
{
	if (!value)
		return;
	if (n >= 7 && !memcmp(value, "CRC32C", 7))
		*ret = true;
	else if (n >= 5 && !memcmp(value, "None", 5))
		*ret = false;
	else
		peer->blind = true;
}

static void login_response(
	struct peer *peer, const struct bhs_login_response *h, const uint8_t *data, uint32_t n)
{
	const char *text = (const char *)data, *hd = value_of(text, n, "HeaderDigest"),
		   *dd = value_of(text, n, "DataDigest");

	REQUIRE(h->version_active == ISCSI_VERSION, "version %u", h->version_active);
	peer->login_status = (uint16_t)(h->status_class << 8 | h->status_detail);
	if (h->status_class) {
		REQUIRE(h->status_class <= 3, "status class %u", h->status_class);
		REQUIRE(!n, "a refusal with a text");
		return;
	}
	take_statsn(peer, h->statsn);
	REQUIRE(!(h->flags & LOGIN_TRANSIT) || !(h->flags & LOGIN_CONTINUE), "T and C");
	/* They come into force with the Full Feature Phase: kept in p until then. */
	take_digest(peer, hd, n - (size_t)(hd ? hd - text : 0), &peer->p.header_digest);
	take_digest(peer, dd, n - (size_t)(dd ? dd - text : 0), &peer->p.data_digest);
	if (!(h->flags & LOGIN_TRANSIT) || login_nsg(h->flags) != ISCSI_STAGE_FULL_FEATURE_PHASE)
		return;
	REQUIRE(be16_get(h->tsih), "no TSIH");
	REQUIRE(!peer->s->tsih || be16_get(h->tsih) == peer->s->tsih || peer_loose(peer),
		"another TSIH");
	if (!peer->s->tsih || before(peer->s->exp_cmdsn, be32_get(h->expcmdsn)))
		peer->s->exp_cmdsn = be32_get(h->expcmdsn);
	if (!peer->s->tsih || before(peer->s->max_cmdsn, be32_get(h->maxcmdsn)))
		peer->s->max_cmdsn = be32_get(h->maxcmdsn);
	peer->s->tsih = be16_get(h->tsih);
	peer->full_feature = true;
	peer->header_digest = peer->p.header_digest;
	peer->data_digest = peer->p.data_digest;
	peer->exp_cmdsn = be32_get(h->expcmdsn);
	peer->max_cmdsn = be32_get(h->maxcmdsn);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* 4.2.2.1: on a connection neither end of the window goes backwards. */
static void check_window(struct peer *peer, const struct bhs_nop_in *h)
{
	uint32_t exp = be32_get(h->expcmdsn), max = be32_get(h->maxcmdsn);
	struct peer_sess *s = peer->s;

	REQUIRE(!before(exp, peer->exp_cmdsn), "ExpCmdSN back from %u to %u", peer->exp_cmdsn, exp);
	REQUIRE(!before(max, peer->max_cmdsn), "MaxCmdSN back from %u to %u", peer->max_cmdsn, max);
	REQUIRE((int32_t)(max - exp) >= -1, "ExpCmdSN %u, MaxCmdSN %u", exp, max);
	REQUIRE(s->loose || !before(s->cmdsn, exp), "ExpCmdSN %u, %u comes next", exp, s->cmdsn);
	peer->exp_cmdsn = exp;
	peer->max_cmdsn = max;
	if (before(s->exp_cmdsn, exp))
		s->exp_cmdsn = exp;
	if (before(s->max_cmdsn, max))
		s->max_cmdsn = max;
}

/* What stays the same when a PDU comes again: all but StatSN, ExpCmdSN and MaxCmdSN. */
static uint32_t crc_of(const void *bhs, const uint8_t *data, uint32_t n)
{
	const uint8_t *p = bhs;
	uint32_t crc = crc32c_update(crc32c_init(), p, offsetof(struct bhs_nop_in, statsn));

	crc = crc32c_update(crc, p + 36, BHS_BYTES - 36);
	return crc32c_final(crc32c_update(crc, data, n));
}

static void take_pdu(struct peer *peer, const void *bhs, const uint8_t *data, uint32_t n)
{
	enum iscsi_opcode op = bhs_opcode(bhs);
	uint32_t crc = crc_of(bhs, data, n);

	REQUIRE(!peer->logged_out, "opcode 0x%02x after a Logout Response", op);
	REQUIRE(!(*(const uint8_t *)bhs & 0xc0), "opcode byte 0x%02x", *(const uint8_t *)bhs);
	if (!peer->full_feature) {
		REQUIRE(op == ISCSI_OP_LOGIN_RESPONSE, "opcode 0x%02x during login", op);
		login_response(peer, bhs, data, n);
		return;
	}
	check_window(peer, bhs);
	if (statsn_again(peer, bhs, crc))
		return;
	switch (op) {
	case ISCSI_OP_DATA_IN:
		data_in(peer, bhs, n, crc);
		break;
	case ISCSI_OP_SCSI_RESPONSE:
		response(peer, bhs, data, n);
		break;
	case ISCSI_OP_R2T:
		r2t(peer, bhs, crc);
		break;
	case ISCSI_OP_NOP_IN:
		nop_in(peer, bhs, n);
		break;
	case ISCSI_OP_TEXT_RESPONSE:
		text_response(peer, bhs);
		break;
	case ISCSI_OP_TASK_MANAGEMENT_RESPONSE:
		tmf_response(peer, bhs, n);
		break;
	case ISCSI_OP_LOGOUT_RESPONSE:
		logout_response(peer, bhs, n);
		break;
	case ISCSI_OP_ASYNC_MESSAGE:
		async_message(peer, bhs);
		break;
	case ISCSI_OP_REJECT:
		reject(peer, bhs, n);
		break;
	default:
		fuzz_fail("opcode 0x%02x", op);
	}
}

bool check_next_pdu(struct peer *peer)
{
	const struct bhs *h = (const struct bhs *)peer->rx;
	uint32_t hd = peer->header_digest ? DIGEST_BYTES : 0, dd, n, pad, all;
	static const uint8_t zero[4];
	const uint8_t *data = peer->rx + BHS_BYTES + hd;

	if (peer->rx_bytes < BHS_BYTES + hd)
		return false;
	REQUIRE(!hd || crc32c_get(data - hd) == crc32c(h, BHS_BYTES), "header digest");
	REQUIRE(!h->total_ahs_length, "an AHS");
	n = bhs_data_bytes(h);
	REQUIRE(n <= (peer->any_length ? CONN_DATA_SEGMENT_BYTES_MAX : peer->max_recv),
		"opcode 0x%02x with %u bytes, MaxRecvDataSegmentLength is %u", h->opcode, n,
		peer->max_recv);
	pad = pad_bytes(n);
	dd = n && peer->data_digest ? DIGEST_BYTES : 0;
	all = BHS_BYTES + hd + n + pad + dd;
	if (peer->rx_bytes < all)
		return false;
	REQUIRE(!memcmp(data + n, zero, pad), "padding that is not zero");
	REQUIRE(!dd || crc32c_get(data + n + pad) == crc32c(data, n + pad), "data digest");
	take_pdu(peer, peer->rx, data, n);
	memmove(peer->rx, peer->rx + all, peer->rx_bytes - all);
	peer->rx_bytes -= all;
	return !peer->blind;
}
