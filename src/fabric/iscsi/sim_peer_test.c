/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_peer_test.c: the initiator of the simulator's tests. */
#include "fabric/iscsi/sim_peer_testkit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/crc32c.h"

/* ---- the model ------------------------------------------------------------------------------ */

static void block_fill(uint8_t *p, uint32_t lba, uint32_t gen)
{
	for (unsigned i = 0; i < 512; i += 4)
		put_be32(p + i, gen ? gen << 10 ^ lba : 0);
}

/* A write begins: from now on the block may hold it. */
static void model_may(struct model *m, uint32_t lba, uint32_t gen)
{
	/* Old ones are forgotten only when they are known to be gone. */
	assert_true(m->n[lba] < MAYBE_MAX);
	m->maybe[lba][m->n[lba]++] = gen;
}

static void model_is(struct model *m, uint32_t lba, uint32_t gen)
{
	m->maybe[lba][0] = gen;
	m->n[lba] = 1;
}

/* It can never have been written: its data have not all been sent. */
static void model_not(struct model *m, uint32_t lba, uint32_t gen)
{
	for (unsigned i = 0; i < m->n[lba]; i++)
		if (m->maybe[lba][i] == gen)
			m->maybe[lba][i] = m->maybe[lba][--m->n[lba]];
	assert_true(m->n[lba] > 0);
}

/* What was read must be one of those, all of one, and from now on it is. */
static void model_check(struct model *m, uint32_t lba, const uint8_t *p)
{
	uint8_t want[512];

	for (unsigned i = 0; i < m->n[lba]; i++) {
		block_fill(want, lba, m->maybe[lba][i]);
		if (memcmp(want, p, 512))
			continue;
		model_is(m, lba, m->maybe[lba][i]);
		return;
	}
	fail_msg("block %u holds %08x, which none of its %u writes may have left", lba, get_be32(p),
		m->n[lba]);
}

/* ---- PDUs out ------------------------------------------------------------------------------- */

void peer_send(struct peer *peer, const void *data, size_t n)
{
	/* A target that has closed meanwhile is found when reading. */
	(void)sim_send(peer->t->rig.k.loops, peer->fd, data, n);
}

static void send_pdu(struct peer *peer, void *bhs, const void *data, uint32_t n)
{
	uint8_t buf[BHS_BYTES + 8 + TASK_BLOCKS * 512 + 8];
	uint32_t pad = pad_bytes(n);
	size_t at = BHS_BYTES;

	((struct bhs *)bhs)->data_segment_length = be24_put(n);
	memcpy(buf, bhs, BHS_BYTES);
	if (peer->digests && peer->p.header_digest) {
		crc32c_put(buf + at, crc32c(buf, BHS_BYTES));
		at += DIGEST_BYTES;
	}
	if (n) {
		memcpy(buf + at, data, n);
		memset(buf + at + n, 0, pad);
		if (peer->digests && peer->p.data_digest) {
			crc32c_put(buf + at + n + pad, crc32c(buf + at, n + pad));
			at += DIGEST_BYTES;
		}
		at += n + pad;
	}
	peer_send(peer, buf, at);
}

static uint32_t some(struct peer *peer, uint32_t most)
{
	return 1 + (uint32_t)sim_random(peer->t->rig.k.loops, most);
}

/* Data-Out of [off, off + len), in PDUs of at most what the target declared. */
static void send_data(
	struct peer *peer, struct peer_task *k, uint32_t ttt, uint32_t off, uint32_t len)
{
	uint32_t most = peer->t->tpg->keys.max_recv_data_segment_length, sn = 0;

	while (len) {
		uint32_t n = sim_random(peer->t->rig.k.loops, 2) ? most : some(peer, most);
		struct bhs_data_out d = { .opcode = ISCSI_OP_DATA_OUT };

		if (n >= len) {
			n = len;
			d.flags = ISCSI_FINAL;
		}
		if (peer->holds && sim_random(peer->t->rig.k.loops, 3) == 0)
			break;
		d.initiator_task_tag = be32_put(k->itt);
		d.target_transfer_tag = be32_put(ttt);
		d.expstatsn = be32_put(peer->statsn);
		d.datasn = be32_put(sn++);
		d.buffer_offset = be32_put(off);
		send_pdu(peer, &d, k->data + off, n);
		off += n;
		len -= n;
	}
	k->sent = off;
}

static struct peer_task *free_task(struct peer *peer, uint32_t lba, uint32_t n)
{
	struct peer_task *k = NULL;

	for (unsigned i = 0; i < PEER_TASKS; i++) {
		struct peer_task *o = &peer->tasks[i];

		if (!o->active)
			k = o;
		else if (lba < o->lba + o->n && o->lba < lba + n)
			return NULL;
	}
	return k;
}

static void fill_task(struct peer *peer, struct peer_task *k)
{
	struct model *m = &peer->t->model;

	k->gen = ++m->next;
	for (uint32_t i = 0; i < k->n; i++) {
		block_fill(k->data + i * 512, k->lba + i, k->gen);
		model_may(m, k->lba + i, k->gen);
	}
}

static bool room(const struct peer *peer, uint32_t lba, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (peer->t->model.n[lba + i] >= MAYBE_MAX)
			return false;
	return true;
}

/* A command of k->bytes of data, whose direction and blocks are set, goes out. */
static void task_send(struct peer *peer, struct peer_task *k, const uint8_t cdb[16], uint8_t attr)
{
	struct bhs_scsi_command c = { .opcode = ISCSI_OP_SCSI_COMMAND };
	uint32_t imm = 0, burst, seg;
	uint8_t dir = !k->bytes ? 0 : k->write ? CMD_WRITE : CMD_READ;

	if (peer->w->itt == TAG_RESERVED)
		peer->w->itt++;
	k->itt = peer->w->itt++;
	k->cmdsn = peer->w->cmdsn++;
	k->active = true;
	peer->nactive++;
	burst = k->bytes < peer->p.first_burst ? k->bytes : peer->p.first_burst;
	seg = peer->t->tpg->keys.max_recv_data_segment_length;
	if (k->write && peer->p.immediate)
		imm = burst < seg ? burst : seg;
	if (!k->write || peer->p.initial_r2t)
		burst = imm;
	c.flags = (uint8_t)(dir | attr | (burst > imm ? 0 : CMD_FINAL));
	c.initiator_task_tag = be32_put(k->itt);
	c.expected_data_transfer_length = be32_put(k->bytes);
	c.cmdsn = be32_put(k->cmdsn);
	c.expstatsn = be32_put(peer->statsn);
	memcpy(c.cdb, cdb, sizeof(c.cdb));
	send_pdu(peer, &c, k->data, imm);
	k->sent = k->r2t_next = imm;
	if (burst > imm)
		send_data(peer, k, TAG_RESERVED, imm, burst - imm);
	k->r2t_next = k->sent;
}

static bool window_open(const struct peer *peer)
{
	return peer->full_feature && (int32_t)(peer->w->max_cmdsn - peer->w->cmdsn) >= 0;
}

bool peer_start(struct peer *peer, bool write, uint32_t lba, uint32_t n, uint8_t attr, bool fua)
{
	struct peer_task *k = free_task(peer, lba, n);
	uint8_t cdb[16] = { write ? OP_WRITE_16 : OP_READ_16, fua ? 0x08 : 0 };

	if (!k || !window_open(peer) || (write && !room(peer, lba, n)))
		return false;
	*k = (struct peer_task){ .write = write, .lba = lba, .n = n, .bytes = n * 512 };
	if (write)
		fill_task(peer, k);
	put_be64(cdb + 2, lba);
	put_be32(cdb + 10, n);
	task_send(peer, k, cdb, attr);
	return true;
}

bool peer_command(struct peer *peer, const struct peer_cmd *c)
{
	struct peer_task *k = free_task(peer, 0, 0);

	if (!k || !window_open(peer))
		return false;
	assert_true(!c->out_bytes || !c->in_bytes);
	assert_true(c->out_bytes <= sizeof(k->data) && c->in_bytes <= sizeof(k->data));
	*k = (struct peer_task){ .write = c->out_bytes > 0,
		.bytes = c->out_bytes + c->in_bytes,
		.done = c->done,
		.arg = c->arg };
	if (c->out_bytes)
		memcpy(k->data, c->out, c->out_bytes);
	task_send(peer, k, c->cdb, c->attr);
	return true;
}

void peer_tmf(struct peer *peer, uint8_t function, uint32_t ref_itt, uint32_t ref_cmdsn)
{
	struct bhs_tmf_request q = { .opcode = ISCSI_OP_TASK_MANAGEMENT_REQUEST |
					       ISCSI_OP_IMMEDIATE };

	q.function = ISCSI_FINAL | function;
	peer->tmf_itt = peer->w->itt++;
	q.initiator_task_tag = be32_put(peer->tmf_itt);
	q.referenced_task_tag = be32_put(ref_itt);
	q.refcmdsn = be32_put(ref_cmdsn);
	q.cmdsn = be32_put(peer->w->cmdsn);
	q.expstatsn = be32_put(peer->statsn);
	send_pdu(peer, &q, NULL, 0);
}

void peer_nop(struct peer *peer)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT | ISCSI_OP_IMMEDIATE,
		.flags = ISCSI_FINAL };

	q.initiator_task_tag = be32_put(peer->w->itt++);
	q.target_transfer_tag = be32_put(TAG_RESERVED);
	q.cmdsn = be32_put(peer->w->cmdsn);
	q.expstatsn = be32_put(peer->statsn);
	send_pdu(peer, &q, "ping", 4);
}

void peer_fill(struct peer *peer, uint32_t cmdsn)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT, .flags = ISCSI_FINAL };

	q.initiator_task_tag = be32_put(peer->w->itt++);
	q.target_transfer_tag = be32_put(TAG_RESERVED);
	q.cmdsn = be32_put(cmdsn);
	q.expstatsn = be32_put(peer->statsn);
	send_pdu(peer, &q, "ping", 4);
}

static void answer_ping(struct peer *peer, uint32_t ttt)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT | ISCSI_OP_IMMEDIATE,
		.flags = ISCSI_FINAL };

	q.initiator_task_tag = be32_put(TAG_RESERVED);
	q.target_transfer_tag = be32_put(ttt);
	q.cmdsn = be32_put(peer->w->cmdsn);
	q.expstatsn = be32_put(peer->statsn);
	send_pdu(peer, &q, NULL, 0);
}

/* ---- PDUs in -------------------------------------------------------------------------------- */

static struct peer_task *task_of(struct peer *peer, uint32_t itt)
{
	for (unsigned i = 0; i < PEER_TASKS; i++)
		if (peer->tasks[i].active && peer->tasks[i].itt == itt)
			return &peer->tasks[i];
	return NULL;
}

static void task_over(struct peer *peer, struct peer_task *k)
{
	k->active = false;
	peer->nactive--;
}

/*
 * A task that ends without an answer. What it would have written is written whole or, where the
 * target lacks some of it, not at all: Data-Out is collected before the disk is asked.
 */
static void task_lost(struct peer *peer, struct peer_task *k)
{
	if (k->write && k->gen && k->sent < k->bytes) {
		for (uint32_t i = 0; i < k->n; i++)
			model_not(&peer->t->model, k->lba + i, k->gen);
		peer->torn++;
	}
	peer->lost++;
	task_over(peer, k);
}

static void answered(struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense,
	uint32_t sense_bytes)
{
	struct model *m = &peer->t->model;

	peer->answered++;
	if (status) {
		peer->failed++;
	} else {
		peer->good++;
		if (!k->write)
			assert_int_equal(k->got, k->bytes);
		for (uint32_t i = 0; i < k->n; i++) {
			if (k->write)
				model_is(m, k->lba + i, k->gen);
			else
				model_check(m, k->lba + i, k->data + i * 512);
		}
	}
	task_over(peer, k);
	if (k->done)
		k->done(peer, k, status, sense, sense_bytes);
}

static void take_statsn(struct peer *peer, uint32_t statsn)
{
	assert_int_equal(statsn, peer->statsn);
	peer->statsn++;
}

static void data_in(struct peer *peer, const struct bhs_data_in *d, const uint8_t *data, uint32_t n)
{
	struct peer_task *k = task_of(peer, be32_get(d->initiator_task_tag));

	assert_non_null(k);
	assert_false(k->write);
	assert_int_equal(be32_get(d->buffer_offset), k->got);
	assert_int_equal(be32_get(d->datasn), k->datasn++);
	assert_true(n && n <= peer->p.recv && k->got + n <= k->bytes);
	memcpy(k->data + k->got, data, n);
	k->got += n;
	k->burst += n;
	assert_true(k->burst <= peer->p.max_burst);
	/* 11.7.1: F ends a sequence: at MaxBurstLength, and at the end of the data. */
	assert_int_equal(
		!!(d->flags & DATA_IN_FINAL), k->burst == peer->p.max_burst || k->got == k->bytes);
	if (d->flags & DATA_IN_FINAL)
		k->burst = 0;
	if (d->flags & DATA_IN_STATUS) {
		assert_true(d->flags & DATA_IN_FINAL);
		assert_int_equal(d->flags & (DATA_IN_OVERFLOW | DATA_IN_UNDERFLOW), 0);
		take_statsn(peer, be32_get(d->statsn));
		answered(peer, k, d->status, NULL, 0);
	}
}

/* Fixed format sense of a disk's error: MEDIUM ERROR or DATA PROTECT (SPC-4 4.5.6). */
static bool is_disk_error(const uint8_t *data, uint32_t n)
{
	return n >= 2 + 3 && ((data[2 + 2] & 0x0f) == 0x3 || (data[2 + 2] & 0x0f) == 0x7);
}

static void response(
	struct peer *peer, const struct bhs_scsi_response *r, const uint8_t *data, uint32_t n)
{
	struct peer_task *k = task_of(peer, be32_get(r->initiator_task_tag));

	take_statsn(peer, be32_get(r->statsn));
	if (!k)
		fail_msg("a response for no command, ITT %u", be32_get(r->initiator_task_tag));
	assert_int_equal(r->response, ISCSI_RESPONSE_COMMAND_COMPLETED);
	if (!r->status)
		assert_int_equal(r->flags & (RSP_OVERFLOW | RSP_UNDERFLOW), 0);
	if (r->status == 0x02 && is_disk_error(data, n))
		peer->disk_errors++;
	/* 11.4.7.2: SenseLength is before the sense data. */
	answered(peer, k, r->status, data + 2, n < 2 ? 0 : n - 2);
}

static void r2t(struct peer *peer, const struct bhs_r2t *r)
{
	struct peer_task *k = task_of(peer, be32_get(r->initiator_task_tag));
	uint32_t off = be32_get(r->buffer_offset), len = be32_get(r->desired_data_transfer_length);

	/* One that crossed an abort's answer: not after it. */
	assert_non_null(k);
	assert_true(k->write);
	assert_int_equal(be32_get(r->statsn), peer->statsn);
	assert_int_equal(be32_get(r->r2tsn), k->r2tsn++);
	assert_int_equal(off, k->r2t_next);
	assert_true(len && len <= peer->p.max_burst && off + len <= k->bytes);
	k->r2t_next += len;
	if (!k->aborted || peer->p.answers_r2ts)
		send_data(peer, k, be32_get(r->target_transfer_tag), off, len);
}

unsigned peer_lose_aborted(struct peer *peer)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PEER_TASKS; i++) {
		struct peer_task *k = &peer->tasks[i];

		if (!k->active || !k->aborted)
			continue;
		task_lost(peer, k);
		n++;
	}
	return n;
}

static bool has_aborted(const struct peer *peer)
{
	for (unsigned i = 0; i < PEER_TASKS; i++)
		if (peer->tasks[i].active && peer->tasks[i].aborted)
			return true;
	return false;
}

/*
 * SAM-5 7.2: after COMPLETE no status comes for what was aborted. A task that does not exist has
 * been answered already.
 */
static void tmf_response(struct peer *peer, const struct bhs_tmf_response *r)
{
	take_statsn(peer, be32_get(r->statsn));
	assert_int_equal(be32_get(r->initiator_task_tag), peer->tmf_itt);
	peer->tmf_itt = TAG_RESERVED;
	peer->tmf_response = r->response;
	if (r->response != ISCSI_TMF_FUNCTION_COMPLETE && has_aborted(peer))
		fail_msg("commands are not answered, and the function says %u", r->response);
	if (peer->on_tmf)
		peer->on_tmf(peer);
	else
		peer_lose_aborted(peer);
}

static void login_response(struct peer *peer, const struct bhs_login_response *r)
{
	peer->login_status = (uint16_t)(r->status_class << 8 | r->status_detail);
	if (peer->login_status)
		return;
	take_statsn(peer, be32_get(r->statsn));
	peer->tsih = be16_get(r->tsih);
	peer->full_feature = true;
	peer->digests = true;
}

static void take_pdu(struct peer *peer, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	const struct bhs_nop_in *h = (const struct bhs_nop_in *)bhs;
	uint32_t max = be32_get(h->maxcmdsn);

	/* 4.2.2.1: the window never gets smaller. */
	if (peer->full_feature) {
		assert_true((int32_t)(max - peer->last_max) >= 0);
		assert_true((int32_t)(be32_get(h->expcmdsn) - peer->w->cmdsn) <= 0);
	}
	peer->last_max = max;
	if ((int32_t)(max - peer->w->max_cmdsn) > 0)
		peer->w->max_cmdsn = max;
	if ((int32_t)(be32_get(h->expcmdsn) - peer->w->exp_cmdsn) > 0)
		peer->w->exp_cmdsn = be32_get(h->expcmdsn);
	switch (bhs_opcode((const struct bhs *)bhs)) {
	case ISCSI_OP_DATA_IN:
		data_in(peer, (const struct bhs_data_in *)bhs, data, n);
		break;
	case ISCSI_OP_SCSI_RESPONSE:
		response(peer, (const struct bhs_scsi_response *)bhs, data, n);
		break;
	case ISCSI_OP_R2T:
		r2t(peer, (const struct bhs_r2t *)bhs);
		break;
	case ISCSI_OP_TASK_MANAGEMENT_RESPONSE:
		tmf_response(peer, (const struct bhs_tmf_response *)bhs);
		break;
	case ISCSI_OP_LOGIN_RESPONSE:
		login_response(peer, (const struct bhs_login_response *)bhs);
		break;
	case ISCSI_OP_LOGOUT_RESPONSE:
		peer->logged_out = true;
		peer->logout_response = ((const struct bhs_logout_response *)bhs)->response;
		assert_int_equal(bhs_itt((const struct bhs *)bhs), peer->logout_itt);
		take_statsn(peer, be32_get(h->statsn));
		break;
	case ISCSI_OP_REJECT:
		peer->rejects++;
		take_statsn(peer, be32_get(h->statsn));
		assert_true(peer->loose);
		break;
	case ISCSI_OP_NOP_IN:
		if (bhs_itt((const struct bhs *)bhs) != TAG_RESERVED) {
			take_statsn(peer, be32_get(h->statsn));
			assert_memory_equal(data, "ping", 4);
		} else {
			answer_ping(peer, be32_get(h->target_transfer_tag));
		}
		break;
	case ISCSI_OP_ASYNC_MESSAGE:
		take_statsn(peer, be32_get(h->statsn));
		break;
	default:
		fail_msg("opcode 0x%02x", bhs[0]);
	}
}

/* Take one PDU out of what has come. False: it is not all there. */
static bool next_pdu(struct peer *peer)
{
	const struct bhs *h = (const struct bhs *)peer->rx;
	size_t hd = peer->digests && peer->p.header_digest ? DIGEST_BYTES : 0;
	uint32_t n, pad;
	size_t dd, all;

	if (peer->rx_bytes < BHS_BYTES)
		return false;
	n = bhs_data_bytes(h);
	pad = pad_bytes(n);
	dd = n && peer->digests && peer->p.data_digest ? DIGEST_BYTES : 0;
	all = BHS_BYTES + hd + n + pad + dd;
	if (peer->rx_bytes < all)
		return false;
	if (hd)
		assert_int_equal(crc32c_get(peer->rx + BHS_BYTES), crc32c(peer->rx, BHS_BYTES));
	if (dd)
		assert_int_equal(crc32c_get(peer->rx + all - dd),
			crc32c(peer->rx + BHS_BYTES + hd, n + pad));
	take_pdu(peer, peer->rx, peer->rx + BHS_BYTES + hd, n);
	memmove(peer->rx, peer->rx + all, peer->rx_bytes - all);
	peer->rx_bytes -= all;
	return true;
}

/* Take what has come, so that time does not pass while there is something to do. */
static bool arrived(struct peer *peer)
{
	int64_t n;

	if (peer->fd < 0 || peer->closed)
		return true;
	if (peer->rx_cap - peer->rx_bytes < 65536) {
		peer->rx_cap = 2 * peer->rx_cap + 65536;
		peer->rx = realloc(peer->rx, peer->rx_cap);
		assert_non_null(peer->rx);
	}
	n = sim_recv(peer->t->rig.k.loops, peer->fd, peer->rx + peer->rx_bytes, 65536);
	if (n < 0)
		peer->closed = true;
	else
		peer->rx_bytes += (size_t)n;
	return n != 0;
}

struct peers {
	struct peer *const *list;
	unsigned n;
};

static bool any_arrived(void *arg)
{
	const struct peers *all = arg;
	bool any = false;

	for (unsigned i = 0; i < all->n; i++)
		any = arrived(all->list[i]) || any;
	return any;
}

void peers_pump(struct peer *const *peers, unsigned n, uint64_t steps)
{
	struct peers all = { peers, n };

	(void)sim_run(peers[0]->t->rig.k.loops, any_arrived, &all, steps);
	for (unsigned i = 0; i < n; i++)
		while (next_pdu(peers[i]))
			;
}

unsigned peers_alive(struct peer *all, unsigned n, struct peer **list)
{
	unsigned up = 0;

	for (unsigned i = 0; i < n; i++)
		if (all[i].fd >= 0 && !all[i].closed)
			list[up++] = &all[i];
	return up;
}

void peers_pump_alive(struct peer *all, unsigned n, uint64_t steps)
{
	struct peer *list[PEERS_MAX];

	n = peers_alive(all, n, list);
	if (n)
		peers_pump(list, n, steps);
}

void peer_pump(struct peer *peer, uint64_t steps)
{
	if (peer->pump)
		peer->pump(peer, steps);
	else
		peers_pump(&peer, 1, steps);
}

void peer_drain(struct peer *peer)
{
	for (unsigned i = 0; peer->nactive || peer->tmf_itt != TAG_RESERVED; i++) {
		if (peer->closed && peer->loose)
			return;
		if (peer->closed || i == 20000)
			fail_msg("%u commands are not answered%s", peer->nactive,
				peer->closed ? ": the target closed" : "");
		peer_pump(peer, 50);
	}
}

/* ---- sessions ------------------------------------------------------------------------------- */

void peer_init(struct peer *peer, struct sim_target *t, const struct peer_params *p)
{
	memset(peer, 0, sizeof(*peer));
	peer->t = t;
	peer->w = &peer->own;
	peer->p = *p;
	peer->fd = -1;
	peer->own.itt = 1;
	peer->tmf_itt = TAG_RESERVED;
}

void peer_done(struct peer *peer)
{
	if (peer->fd >= 0)
		sim_close(peer->t->rig.k.loops, peer->fd, false);
	free(peer->rx);
}

static const char *yes(bool on)
{
	return on ? "Yes" : "No";
}

static int login_text(const struct peer *peer, char *text, size_t cap)
{
	const struct peer_params *p = &peer->p;
	int n = snprintf(text, cap,
		"InitiatorName=" SIM_PEER "%cTargetName=" SIM_TARGET
		"%cHeaderDigest=%s%cDataDigest=%s%cMaxRecvDataSegmentLength=%u%c",
		0, 0, p->header_digest ? "CRC32C" : "None", 0, p->data_digest ? "CRC32C" : "None",
		0, p->recv, 0);

	/* 13: the others are of the leading connection. */
	if (peer->tsih)
		return n;
	return n + snprintf(text + n, cap - (size_t)n,
			   "ImmediateData=%s%cInitialR2T=%s%cFirstBurstLength=%u%cMaxBurstLength=%u"
			   "%cMaxOutstandingR2T=%u%cErrorRecoveryLevel=0%cMaxConnections=%u%c"
			   "TaskReporting=%s%c",
			   yes(p->immediate), 0, yes(p->initial_r2t), 0, p->first_burst, 0,
			   p->max_burst, 0, p->r2ts, 0, 0, p->conns ? p->conns : 1, 0,
			   p->task_reporting ? p->task_reporting : "RFC3720", 0);
}

/* Connect and send all of a login at once; peer->tsih and cid say to what. */
static void send_login(struct peer *peer)
{
	struct bhs_login_request q = { .opcode = ISCSI_OP_LOGIN_REQUEST | ISCSI_OP_IMMEDIATE };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(3260) };
	char text[1024];

	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	peer->fd = sim_connect(peer->t->rig.k.loops, (struct sockaddr *)&to, sizeof(to));
	assert_true(peer->fd >= 0);
	peer->full_feature = peer->closed = peer->digests = peer->logged_out = false;
	peer->rx_bytes = 0;
	peer->statsn = 0;
	peer->login_status = 0;
	q.flags = LOGIN_TRANSIT | ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION << LOGIN_CSG_SHIFT |
		  ISCSI_STAGE_FULL_FEATURE_PHASE;
	q.isid[0] = 0x40;
	q.isid[5] = (uint8_t)(1 + peer->port);
	q.tsih = be16_put(peer->tsih);
	q.cid = be16_put(peer->cid);
	q.cmdsn = be32_put(peer->w->cmdsn);
	send_pdu(peer, &q, text, (uint32_t)login_text(peer, text, sizeof(text)));
}

static void log_in(struct peer *peer)
{
	send_login(peer);
	for (unsigned i = 0; !peer->full_feature && !peer->login_status; i++) {
		if (i == 20000 || peer->closed)
			fail_msg("the login %s", peer->closed ? "was closed" : "hangs");
		peer_pump(peer, 50);
	}
}

static void new_session(struct peer *peer)
{
	peer->w = &peer->own;
	/* They wrap soon. */
	peer->w->cmdsn = peer->w->exp_cmdsn = peer->w->max_cmdsn = peer->last_max = 0xfffffff0;
	peer->tsih = peer->cid = 0;
}

void peer_login_begin(struct peer *peer)
{
	new_session(peer);
	send_login(peer);
}

void peer_login(struct peer *peer)
{
	new_session(peer);
	log_in(peer);
	assert_int_equal(peer->login_status, 0);
}

uint16_t peer_join(struct peer *peer, const struct peer *lead, uint16_t cid)
{
	peer->w = lead->w;
	peer->port = lead->port;
	peer->tsih = lead->tsih;
	peer->cid = cid;
	peer->last_max = lead->last_max;
	log_in(peer);
	return peer->login_status;
}

void peer_drop(struct peer *peer, bool reset)
{
	sim_close(peer->t->rig.k.loops, peer->fd, reset);
	peer->fd = -1;
	peer->full_feature = false;
	peer->tmf_itt = TAG_RESERVED;
	for (unsigned i = 0; i < PEER_TASKS; i++)
		if (peer->tasks[i].active)
			task_lost(peer, &peer->tasks[i]);
}

uint8_t peer_logout_for(struct peer *peer, uint8_t reason, uint16_t cid)
{
	struct bhs_logout_request q = { .opcode = ISCSI_OP_LOGOUT_REQUEST | ISCSI_OP_IMMEDIATE };
	bool own = reason == ISCSI_LOGOUT_CLOSE_SESSION || cid == peer->cid;

	peer->logged_out = false;
	peer->logout_itt = peer->w->itt++;
	q.reason = ISCSI_FINAL | reason;
	q.cid = be16_put(cid);
	q.initiator_task_tag = be32_put(peer->logout_itt);
	q.cmdsn = be32_put(peer->w->cmdsn);
	q.expstatsn = be32_put(peer->statsn);
	send_pdu(peer, &q, NULL, 0);
	for (unsigned i = 0; !peer->logged_out || (own && !peer->closed); i++) {
		if (i == 20000 || (peer->closed && !peer->logged_out))
			fail_msg("the logout %s", peer->closed ? "is not answered" : "hangs");
		peer_pump(peer, 50);
	}
	if (own)
		peer_drop(peer, false);
	return peer->logout_response;
}

void peer_logout(struct peer *peer)
{
	assert_int_equal(
		peer_logout_for(peer, ISCSI_LOGOUT_CLOSE_SESSION, 0), ISCSI_LOGOUT_SUCCESS);
}

/* Unit attentions of a new session fail the first reads. */
void peer_check_disk(struct peer *peer)
{
	for (uint32_t lba = 0; lba < DISK_BLOCKS; lba += 64) {
		uint64_t good = peer->good;

		for (unsigned i = 0; peer->good == good; i++) {
			assert_true(i < 20);
			assert_true(peer_start(peer, false, lba, 64, ISCSI_ATTR_SIMPLE, false));
			peer_drain(peer);
		}
	}
}
