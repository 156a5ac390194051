/* SPDX-License-Identifier: BSD-3-Clause */
/* pdu_peer.c: an initiator in the simulator: what it sends, and how it connects. */
#include "pdu_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "fabric/iscsi/limits.h"
#include "loop/sim.h"
#include "pdu_check.h"
#include "rig.h"

/* ---- connections ---------------------------------------------------------------------------- */

void peer_sess_init(struct peer_sess *s, uint8_t isid)
{
	memset(s, 0, sizeof(*s));
	s->isid = isid;
	s->itt = 1;
	s->cmdsn = 0xfffffffa; /* it wraps soon */
}

void peer_connect(struct peer *peer, uint32_t id, uint16_t cid)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(3260) };
	struct loops *loops = peer->loops;
	const uint8_t *data = peer->data;
	struct peer_params p = peer->p;
	struct peer_sess *s = peer->s;
	uint8_t *rx = peer->rx;

	memset(peer, 0, sizeof(*peer));
	peer->loops = loops;
	peer->p = p;
	peer->s = s;
	peer->rx = rx;
	peer->data = data;
	peer->id = id;
	peer->cid = cid;
	peer->max_recv = LOGIN_DATA_SEGMENT_BYTES_MAX;
	peer->ping_ttt = peer->text_ttt = TAG_RESERVED;
	peer->logout_itt = peer->logout_own_itt = TAG_RESERVED;
	peer->logout_response = -1;
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	peer->fd = sim_connect(peer->loops, (struct sockaddr *)&to, sizeof(to));
	if (peer->fd < 0)
		peer->fd = -1;
}

bool peer_up(const struct peer *peer)
{
	return peer->fd >= 0 && peer->full_feature && !peer->closed && !peer->leaving &&
	       !peer->logged_out;
}

/* RFC 7143 7.2: they wait for another connection. */
static void lose_tasks(struct peer *peer)
{
	struct peer_sess *s = peer->s;

	if (!s->gone && !s->nlost)
		s->lost_ns = sim_now_ns(peer->loops);
	s->gone |= 1u << peer->cid;
	for (unsigned i = 0; i < PEER_TASKS && s->nlost < PEER_TASKS; i++) {
		struct peer_task *k = &peer->tasks[i];

		if (!k->active || k->loose)
			continue;
		k->cid = peer->cid;
		k->tmf_itt = TAG_RESERVED;
		k->free = k->free || peer->any_length;
		s->lost[s->nlost++] = *k;
	}
}

void peer_close(struct peer *peer, bool reset)
{
	if (peer->fd >= 0)
		sim_close(peer->loops, peer->fd, reset);
	if (peer->fd >= 0 && peer->full_feature && peer->p.level == 2 && !peer_loose(peer) &&
		!peer->leaving && !peer->s->ended)
		lose_tasks(peer);
	for (unsigned i = 0; i < PEER_TASKS; i++)
		peer->tasks[i].active = peer->tasks[i].kept = false;
	peer->fd = -1;
	peer->full_feature = false;
	peer->nactive = peer->nr2ts = 0;
	peer->last = NULL;
}

void peer_take(struct peer *peer)
{
	int64_t n;

	while (peer->fd >= 0 && !peer->closed && !peer->stalled) {
		n = sim_recv(peer->loops, peer->fd, peer->rx + peer->rx_bytes,
			PEER_RX_BYTES - peer->rx_bytes);
		if (n < 0)
			peer->closed = true;
		if (n <= 0)
			return;
		peer->rx_bytes += (size_t)n;
		if (peer->blind)
			peer->rx_bytes = 0;
		while (check_next_pdu(peer))
			;
	}
}

/* ---- PDUs out ------------------------------------------------------------------------------- */

void peer_send_raw(struct peer *peer, const void *data, size_t n)
{
	/* A target that has closed meanwhile is found when reading. */
	if (peer->fd >= 0 && n)
		(void)sim_send(peer->loops, peer->fd, data, n);
}

void peer_set_loose(struct peer *peer)
{
	peer->s->loose = true;
	peer->s->nlost = 0;
	peer_loosen_tasks(peer);
}

uint32_t peer_ack(struct peer *peer)
{
	return peer->holds ? peer->held_statsn : peer->statsn;
}

/* Change the header, or spoil a digest. */
static uint32_t tweak(struct peer *peer, uint8_t *bhs)
{
	struct peer_tweak *t = &peer->tweak;

	if (!t->on)
		return 0;
	t->on = false;
	peer_set_loose(peer);
	if (t->at >= BHS_BYTES)
		return t->flip | 1u;
	bhs[t->at] ^= t->flip;
	return 0;
}

/*
 * Spoil a digest of a PDU whose loss is made good above level 0: of Data-Out, which are asked for
 * again, and of requests with a number. Returns what tweak() does.
 */
static uint32_t spoil(struct peer *peer, const struct bhs *h, uint32_t n)
{
	bool header = peer->spoil == SPOIL_HEADER, numbered = !(h->opcode & ISCSI_OP_IMMEDIATE);
	uint8_t op = h->opcode & ISCSI_OP_MASK;
	struct peer_task *k;

	if (!peer->spoil || !peer->p.level || !peer->full_feature || peer_loose(peer) ||
		!(header ? peer->header_digest : peer->data_digest && n))
		return 0;
	k = peer_task(peer, be32_get(h->initiator_task_tag));
	if (op == ISCSI_OP_DATA_OUT && k)
		k->lossy = true;
	else if (op == ISCSI_OP_SCSI_COMMAND && numbered && k)
		k->unsent = k->lossy = true;
	else if (op == ISCSI_OP_NOP_OUT && numbered)
		peer->s->owner[be32_get(((const struct bhs_nop_out *)h)->cmdsn) % PEER_RING] = 0;
	else
		return 0;
	peer->spoil = SPOIL_NOTHING;
	/* 7.8: data with a wrong digest are answered by a Reject. */
	peer->may_reject = true;
	return header ? 0x80 : 0x01;
}

void peer_send_pdu(struct peer *peer, void *bhs, const void *ahs, uint32_t ahs_bytes,
	const void *data, uint32_t n)
{
	uint8_t head[BHS_BYTES + AHS_TOTAL_BYTES_MAX + DIGEST_BYTES],
		tail[3 + DIGEST_BYTES] = { 0 };
	uint32_t at = BHS_BYTES + ahs_bytes, pad = pad_bytes(n), wrong, crc;
	struct bhs *h = bhs;

	h->data_segment_length = be24_put(n);
	h->total_ahs_length = (uint8_t)(ahs_bytes / 4);
	memcpy(head, bhs, BHS_BYTES);
	if (ahs_bytes)
		memcpy(head + BHS_BYTES, ahs, ahs_bytes);
	wrong = tweak(peer, head) | spoil(peer, bhs, n);
	if (peer->header_digest) {
		crc32c_put(head + at, crc32c(head, at) ^ (wrong & 0x80));
		at += DIGEST_BYTES;
	}
	peer_send_raw(peer, head, at);
	if (!n)
		return;
	peer_send_raw(peer, data, n);
	if (peer->data_digest) {
		crc = crc32c_final(crc32c_update(crc32c_update(crc32c_init(), data, n), tail, pad));
		crc32c_put(tail + pad, crc ^ (wrong & 0x7f));
	}
	peer_send_raw(peer, tail, pad + (peer->data_digest ? DIGEST_BYTES : 0));
}

/* ---- login ---------------------------------------------------------------------------------- */

void peer_send_login(struct peer *peer, uint8_t flags, uint16_t tsih, const void *text, uint32_t n)
{
	struct bhs_login_request q = { .opcode = ISCSI_OP_LOGIN_REQUEST | ISCSI_OP_IMMEDIATE };

	q.flags = flags;
	q.isid[0] = 0x40;
	q.isid[5] = peer->s->isid;
	q.tsih = be16_put(tsih);
	q.cid = be16_put(peer->cid);
	q.cmdsn = be32_put(peer->s->cmdsn);
	q.expstatsn = be32_put(peer->statsn);
	peer_send_pdu(peer, &q, NULL, 0, text, n);
}

static const char *yes(bool on)
{
	return on ? "Yes" : "No";
}

/* The keys of the session, of which a further connection says nothing. Returns the bytes. */
static int leading_keys(const struct peer_params *p, char *text, size_t cap)
{
	return snprintf(text, cap,
		"ImmediateData=%s%cInitialR2T=%s%cFirstBurstLength=%u%cMaxBurstLength=%u%c"
		"MaxOutstandingR2T=%u%cErrorRecoveryLevel=%u%cMaxConnections=16%c"
		"DataPDUInOrder=%s%cDataSequenceInOrder=%s%cDefaultTime2Wait=0%c"
		"DefaultTime2Retain=20%c",
		yes(p->immediate), 0, yes(p->initial_r2t), 0, p->first_burst, 0, p->max_burst, 0,
		p->r2ts, 0, p->level, 0, 0, yes(!p->disorder), 0, yes(!p->disorder), 0, 0, 0);
}

void peer_send_login_plain(struct peer *peer, const char *target)
{
	const struct peer_params *p = &peer->p;
	char text[1024];
	int n;

	n = snprintf(text, sizeof(text),
		"InitiatorName=iqn.2003-01.test:peer%cTargetName=%s%cHeaderDigest=%s%c"
		"DataDigest=%s%cMaxRecvDataSegmentLength=%u%c",
		0, target, 0, p->header_digest ? "CRC32C" : "None", 0,
		p->data_digest ? "CRC32C" : "None", 0, p->recv, 0);
	if (!peer->s->tsih)
		n += leading_keys(p, text + n, sizeof(text) - (size_t)n);
	peer->max_recv =
		p->recv > LOGIN_DATA_SEGMENT_BYTES_MAX ? p->recv : LOGIN_DATA_SEGMENT_BYTES_MAX;
	peer_send_login(peer,
		LOGIN_TRANSIT | ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION << LOGIN_CSG_SHIFT |
			ISCSI_STAGE_FULL_FEATURE_PHASE,
		peer->s->tsih, text, (uint32_t)n);
}

/* ---- requests ------------------------------------------------------------------------------- */

bool peer_has_room(const struct peer *peer)
{
	return peer_loose(peer) || (int32_t)(peer->s->max_cmdsn - peer->s->cmdsn) >= 0;
}

uint32_t peer_take_cmdsn(struct peer *peer, bool immediate)
{
	if (!immediate)
		peer->s->owner[peer->s->cmdsn % PEER_RING] = peer->id;
	return immediate ? peer->s->cmdsn : peer->s->cmdsn++;
}

uint32_t peer_take_itt(struct peer *peer)
{
	if (peer->s->itt == TAG_RESERVED)
		peer->s->itt++;
	return peer->s->itt++;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

void peer_loosen_tasks(struct peer *peer)
{
	for (unsigned i = 0; i < PEER_TASKS; i++)
		peer->tasks[i].loose = true;
	peer->nactive = 0;
}

struct peer_task *peer_task(struct peer *peer, uint32_t itt)
{
	for (unsigned i = 0; i < PEER_TASKS; i++) {
		struct peer_task *k = &peer->tasks[i];

		if ((k->active || k->kept) && k->itt == itt)
			return k;
	}
	return NULL;
}

bool peer_task_known(const struct peer *peer, const struct peer_task *k)
{
	uint32_t ack = peer->holds ? peer->held_statsn : peer->statsn;

	return k->active || (k->kept && (int32_t)(k->statsn - ack) >= 0);
}

static bool is_due(const struct peer_task *k)
{
	return k->ring.due || k->tag_due;
}

/* The oldest that nobody waits for gives way. */
struct peer_task *peer_task_new(struct peer *peer)
{
	struct peer_task *old = NULL;

	for (unsigned i = 0; i < PEER_TASKS; i++) {
		struct peer_task *k = &peer->tasks[i];

		if (!k->active && !peer_task_known(peer, k) && !(k->kept && is_due(k)))
			return k;
		if ((k->loose || k->kept) && (!old || (int32_t)(k->itt - old->itt) < 0))
			old = k;
	}
	if (old && old->kept)
		peer->any_again = true;
	return old;
}

bool peer_is_due(const struct peer *peer)
{
	if (peer->any_again || peer_loose(peer) || peer->leaving || peer->closed)
		return false;
	if (peer->ring.due)
		return true;
	for (unsigned i = 0; i < PEER_TASKS; i++) {
		const struct peer_task *k = &peer->tasks[i];

		if ((k->active || k->kept) && !k->loose && is_due(k))
			return true;
	}
	return false;
}

void peer_ring_ask(struct peer_ring *ring, uint32_t sn)
{
	ring->asked[sn % PEER_RING]++;
	ring->due |= UINT64_C(1) << sn % PEER_RING;
}

/* ---- commands ------------------------------------------------------------------------------- */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * Data-Out of [off, off + len) in PDUs of what the target takes; where order does not matter the
 * first one comes last.
 */
static void send_data(struct peer *peer, uint32_t itt, uint32_t ttt, const uint8_t *data,
	uint32_t off, uint32_t len)
{
	uint32_t most = peer->p.target_recv, pdus = len / most + !!(len % most);

	for (uint32_t sn = 0; sn < pdus; sn++) {
		uint32_t i = peer->p.disorder ? (sn + 1) % pdus : sn, at = i * most;
		struct bhs_data_out d = { .opcode = ISCSI_OP_DATA_OUT };

		if (sn == pdus - 1)
			d.flags = ISCSI_FINAL;
		d.initiator_task_tag = be32_put(itt);
		d.target_transfer_tag = be32_put(ttt);
		d.expstatsn = be32_put(peer_ack(peer));
		d.datasn = be32_put(sn);
		d.buffer_offset = be32_put(off + at);
		peer_send_pdu(peer, &d, NULL, 0, data + off + at, least(len - at, most));
	}
}

/* Extended CDB (RFC 7143 11.2.2.3). Returns the bytes of the segment. */
static uint32_t fill_ahs(uint8_t *ahs, const uint8_t *cdb, uint32_t cdb_bytes)
{
	uint32_t more = cdb_bytes - CDB_BHS_BYTES, n = padded_bytes(4 + more);

	memset(ahs, 0, n);
	put_be16(ahs, (uint16_t)(cdb_bytes - AHS_EXTENDED_CDB_LENGTH_BASE));
	ahs[2] = AHS_EXTENDED_CDB;
	memcpy(ahs + 4, cdb + CDB_BHS_BYTES, more);
	return n;
}

/* The command as it is in k, and what it announces. */
static void send_task(struct peer *peer, struct peer_task *k, const void *data)
{
	uint32_t next = k->r2t_next;

	k->bhs.expstatsn = be32_put(peer_ack(peer));
	peer_send_pdu(peer, &k->bhs, k->ahs, k->ahs_bytes, data, k->imm);
	if (!(k->bhs.flags & CMD_FINAL))
		send_data(peer, k->itt, TAG_RESERVED, data, k->imm, next - k->imm);
	peer->last = k;
}

void peer_send_command(struct peer *peer, uint8_t flags, uint8_t lun, const uint8_t *cdb,
	uint32_t cdb_bytes, uint32_t edtl, const void *data, bool immediate)
{
	const struct peer_params *p = &peer->p;
	struct peer_task *k = peer_task_new(peer);
	uint32_t burst = least(edtl, p->first_burst);
	struct bhs_scsi_command *c;

	if (!k || (!immediate && !peer_has_room(peer)))
		return;
	peer->forgot |= k->active;
	memset(k, 0, sizeof(*k));
	k->active = true;
	k->write = flags & CMD_WRITE;
	k->read = flags & CMD_READ;
	k->loose = peer_loose(peer);
	k->edtl = edtl;
	k->itt = peer_take_itt(peer);
	k->cmdsn = peer_take_cmdsn(peer, immediate);
	k->tmf_itt = TAG_RESERVED;
	peer->nactive += !k->loose;
	if (k->write && p->immediate)
		k->imm = least(burst, p->target_recv);
	if (!k->write || p->initial_r2t)
		burst = k->imm;
	c = &k->bhs;
	c->opcode = ISCSI_OP_SCSI_COMMAND | (immediate ? ISCSI_OP_IMMEDIATE : 0);
	/* Reserved values of ATTR are rejected (RFC 7143 11): raw PDUs have them. */
	if ((flags & CMD_ATTR_MASK) > ISCSI_ATTR_ACA)
		flags &= (uint8_t)~0x04;
	c->flags = flags | (burst > k->imm ? 0 : CMD_FINAL);
	c->lun[1] = lun;
	c->initiator_task_tag = be32_put(k->itt);
	c->expected_data_transfer_length = be32_put(edtl);
	c->cmdsn = be32_put(k->cmdsn);
	memcpy(c->cdb, cdb, least(cdb_bytes, CDB_BHS_BYTES));
	if (cdb_bytes > CDB_BHS_BYTES)
		k->ahs_bytes = fill_ahs(k->ahs, cdb, cdb_bytes);
	k->r2t_next = burst;
	send_task(peer, k, data);
}

void peer_send_again(struct peer *peer, struct peer_task *k)
{
	k->unsent = false;
	k->lossy = true;
	if (!bhs_immediate((const struct bhs *)&k->bhs))
		peer->s->owner[k->cmdsn % PEER_RING] = peer->id;
	send_task(peer, k, peer->data);
}

void peer_repeat(struct peer *peer, const struct peer_task *k)
{
	struct bhs_scsi_command c = k->bhs;

	c.expstatsn = be32_put(peer_ack(peer));
	peer_send_pdu(peer, &c, k->ahs, k->ahs_bytes, peer->data, k->imm);
}

bool peer_answer_r2t(struct peer *peer, unsigned i)
{
	struct peer_r2t r;

	if (!peer->nr2ts)
		return false;
	i %= peer->nr2ts;
	r = peer->r2ts[i];
	memmove(peer->r2ts + i, peer->r2ts + i + 1, (--peer->nr2ts - i) * sizeof(r));
	if (r.off <= PEER_DATA_BYTES && r.len <= PEER_DATA_BYTES - r.off)
		send_data(peer, r.itt, r.ttt, peer->data, r.off, r.len);
	else
		peer_set_loose(peer);
	return true;
}

void peer_answer_ping(struct peer *peer)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT | ISCSI_OP_IMMEDIATE,
		.flags = ISCSI_FINAL };

	q.initiator_task_tag = be32_put(TAG_RESERVED);
	q.target_transfer_tag = be32_put(peer->ping_ttt);
	q.cmdsn = be32_put(peer->s->cmdsn);
	q.expstatsn = be32_put(peer_ack(peer));
	peer->ping_ttt = TAG_RESERVED;
	peer_send_pdu(peer, &q, NULL, 0, NULL, 0);
}
