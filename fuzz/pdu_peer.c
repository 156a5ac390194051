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

void peer_connect(struct peer *peer)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(3260) };
	struct peer fresh = { .loops = peer->loops, .p = peer->p, .rx = peer->rx };

	fresh.isid = peer->isid;
	fresh.data = peer->data;
	fresh.max_recv = LOGIN_DATA_SEGMENT_BYTES_MAX;
	fresh.itt = 1;
	fresh.cmdsn = 0xfffffffa; /* it wraps soon */
	fresh.ping_ttt = fresh.text_ttt = TAG_RESERVED;
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	fresh.fd = sim_connect(peer->loops, (struct sockaddr *)&to, sizeof(to));
	if (fresh.fd < 0)
		fresh.fd = -1;
	*peer = fresh;
}

void peer_close(struct peer *peer, bool reset)
{
	if (peer->fd >= 0)
		sim_close(peer->loops, peer->fd, reset);
	peer->fd = -1;
	peer->full_feature = false;
	peer->nactive = 0;
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
	peer->loose = true;
	peer_loosen_tasks(peer);
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

void peer_send_pdu(struct peer *peer, void *bhs, const void *ahs, uint32_t ahs_bytes,
	const void *data, uint32_t n)
{
	uint8_t head[BHS_BYTES + AHS_TOTAL_BYTES_MAX + DIGEST_BYTES],
		tail[3 + DIGEST_BYTES] = { 0 };
	uint32_t at = BHS_BYTES + ahs_bytes, pad = pad_bytes(n), spoil, crc;
	struct bhs *h = bhs;

	h->data_segment_length = be24_put(n);
	h->total_ahs_length = (uint8_t)(ahs_bytes / 4);
	memcpy(head, bhs, BHS_BYTES);
	if (ahs_bytes)
		memcpy(head + BHS_BYTES, ahs, ahs_bytes);
	spoil = tweak(peer, head);
	if (peer->header_digest) {
		crc32c_put(head + at, crc32c(head, at) ^ (spoil & 0x80));
		at += DIGEST_BYTES;
	}
	peer_send_raw(peer, head, at);
	if (!n)
		return;
	peer_send_raw(peer, data, n);
	if (peer->data_digest) {
		crc = crc32c_final(crc32c_update(crc32c_update(crc32c_init(), data, n), tail, pad));
		crc32c_put(tail + pad, crc ^ (spoil & 0x7f));
	}
	peer_send_raw(peer, tail, pad + (peer->data_digest ? DIGEST_BYTES : 0));
}

/* ---- login ---------------------------------------------------------------------------------- */

void peer_send_login(struct peer *peer, uint8_t flags, uint16_t tsih, const void *text, uint32_t n)
{
	struct bhs_login_request q = { .opcode = ISCSI_OP_LOGIN_REQUEST | ISCSI_OP_IMMEDIATE };

	q.flags = flags;
	q.isid[0] = 0x40;
	q.isid[5] = peer->isid;
	q.tsih = be16_put(tsih);
	q.cid = be16_put(1);
	q.cmdsn = be32_put(peer->cmdsn);
	q.expstatsn = be32_put(peer->statsn);
	peer_send_pdu(peer, &q, NULL, 0, text, n);
}

static const char *yes(bool on)
{
	return on ? "Yes" : "No";
}

void peer_send_login_plain(struct peer *peer, const char *target)
{
	const struct peer_params *p = &peer->p;
	char text[1024];
	int n;

	n = snprintf(text, sizeof(text),
		"InitiatorName=iqn.2003-01.test:peer%cTargetName=%s%cHeaderDigest=%s%c"
		"DataDigest=%s%cImmediateData=%s%cInitialR2T=%s%cFirstBurstLength=%u%c"
		"MaxBurstLength=%u%cMaxRecvDataSegmentLength=%u%cMaxOutstandingR2T=%u%c"
		"ErrorRecoveryLevel=0%c",
		0, target, 0, p->header_digest ? "CRC32C" : "None", 0,
		p->data_digest ? "CRC32C" : "None", 0, yes(p->immediate), 0, yes(p->initial_r2t), 0,
		p->first_burst, 0, p->max_burst, 0, p->recv, 0, p->r2ts, 0, 0);
	peer->max_recv =
		p->recv > LOGIN_DATA_SEGMENT_BYTES_MAX ? p->recv : LOGIN_DATA_SEGMENT_BYTES_MAX;
	peer_send_login(peer,
		LOGIN_TRANSIT | ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION << LOGIN_CSG_SHIFT |
			ISCSI_STAGE_FULL_FEATURE_PHASE,
		0, text, (uint32_t)n);
}

/* ---- requests ------------------------------------------------------------------------------- */

bool peer_has_room(const struct peer *peer)
{
	return peer->loose || (int32_t)(peer->max_cmdsn - peer->cmdsn) >= 0;
}

uint32_t peer_take_cmdsn(struct peer *peer, bool immediate)
{
	return immediate ? peer->cmdsn : peer->cmdsn++;
}

uint32_t peer_take_itt(struct peer *peer)
{
	if (peer->itt == TAG_RESERVED)
		peer->itt++;
	return peer->itt++;
}

void peer_loosen_tasks(struct peer *peer)
{
	for (unsigned i = 0; i < PEER_TASKS; i++)
		peer->tasks[i].loose = true;
	peer->nactive = 0;
}

/* A place for one more; the oldest that nobody waits for gives way. */
static struct peer_task *task_new(struct peer *peer)
{
	struct peer_task *k = NULL;

	for (unsigned i = 0; i < PEER_TASKS; i++) {
		if (!peer->tasks[i].active)
			return &peer->tasks[i];
		if (peer->tasks[i].loose && (!k || (int32_t)(peer->tasks[i].itt - k->itt) < 0))
			k = &peer->tasks[i];
	}
	return k;
}

/* Data-Out of [off, off + len) in PDUs of what the target takes. */
static void send_data(struct peer *peer, uint32_t itt, uint32_t ttt, const uint8_t *data,
	uint32_t off, uint32_t len)
{
	uint32_t sn = 0;

	while (len) {
		uint32_t n = len < peer->p.target_recv ? len : peer->p.target_recv;
		struct bhs_data_out d = { .opcode = ISCSI_OP_DATA_OUT };

		if (n == len)
			d.flags = ISCSI_FINAL;
		d.initiator_task_tag = be32_put(itt);
		d.target_transfer_tag = be32_put(ttt);
		d.expstatsn = be32_put(peer->statsn);
		d.datasn = be32_put(sn++);
		d.buffer_offset = be32_put(off);
		peer_send_pdu(peer, &d, NULL, 0, data + off, n);
		off += n;
		len -= n;
	}
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
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

void peer_send_command(struct peer *peer, uint8_t flags, uint8_t lun, const uint8_t *cdb,
	uint32_t cdb_bytes, uint32_t edtl, const void *data, bool immediate)
{
	const struct peer_params *p = &peer->p;
	struct bhs_scsi_command c = { .opcode = ISCSI_OP_SCSI_COMMAND };
	struct peer_task *k = task_new(peer);
	uint32_t imm = 0, burst = least(edtl, p->first_burst), ahs_bytes = 0;
	uint8_t ahs[256];

	if (!k || (!immediate && !peer_has_room(peer)))
		return;
	*k = (struct peer_task){ .active = true, .write = flags & CMD_WRITE };
	k->read = flags & CMD_READ;
	k->loose = peer->loose;
	k->edtl = edtl;
	k->itt = peer_take_itt(peer);
	k->cmdsn = peer_take_cmdsn(peer, immediate);
	peer->nactive += !k->loose;
	if (k->write && p->immediate)
		imm = least(burst, p->target_recv);
	if (!k->write || p->initial_r2t)
		burst = imm;
	if (immediate)
		c.opcode |= ISCSI_OP_IMMEDIATE;
	/* Reserved values of ATTR are rejected (RFC 7143 11): raw PDUs have them. */
	if ((flags & CMD_ATTR_MASK) > ISCSI_ATTR_ACA)
		flags &= (uint8_t)~0x04;
	c.flags = flags | (burst > imm ? 0 : CMD_FINAL);
	c.lun[1] = lun;
	c.initiator_task_tag = be32_put(k->itt);
	c.expected_data_transfer_length = be32_put(edtl);
	c.cmdsn = be32_put(k->cmdsn);
	c.expstatsn = be32_put(peer->statsn);
	memcpy(c.cdb, cdb, least(cdb_bytes, CDB_BHS_BYTES));
	if (cdb_bytes > CDB_BHS_BYTES)
		ahs_bytes = fill_ahs(ahs, cdb, cdb_bytes);
	k->r2t_next = burst;
	peer_send_pdu(peer, &c, ahs, ahs_bytes, data, imm);
	if (burst > imm)
		send_data(peer, k->itt, TAG_RESERVED, data, imm, burst - imm);
}

bool peer_answer_r2t(struct peer *peer)
{
	struct peer_r2t r;

	if (!peer->nr2ts)
		return false;
	r = peer->r2ts[0];
	memmove(peer->r2ts, peer->r2ts + 1, --peer->nr2ts * sizeof(r));
	if (r.off <= PEER_DATA_BYTES && r.len <= PEER_DATA_BYTES - r.off)
		send_data(peer, r.itt, r.ttt, peer->data, r.off, r.len);
	else
		peer_set_loose(peer);
	return true;
}
