/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_recoverer_test.c: the initiator of level 2 of the simulator's tests. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/sim_recover_testkit.h"

struct ini ini;
unsigned seed;

uint32_t pick(uint32_t n)
{
	return (uint32_t)sim_random(ini.t.rig.k.loops, n);
}

/* ---- PDUs out -------------------------------------------------------------------------------- */

static void send_pdu(struct rconn *c, void *bhs, const void *data, uint32_t n)
{
	static uint8_t buf[BHS_BYTES + MOST_BLOCKS * BLOCK + 4];

	((struct bhs *)bhs)->data_segment_length = be24_put(n);
	memcpy(buf, bhs, BHS_BYTES);
	if (n)
		memcpy(buf + BHS_BYTES, data, n);
	memset(buf + BHS_BYTES + n, 0, pad_bytes(n));
	(void)sim_send(ini.t.rig.k.loops, c->fd, buf, BHS_BYTES + n + pad_bytes(n));
}

static void send_data(struct rconn *c, struct rtask *k, uint32_t ttt, uint32_t off, uint32_t len)
{
	uint32_t most = ini.t.tpg->keys.max_recv_data_segment_length, sn = 0;

	while (len) {
		uint32_t n = pick(2) ? most : 1 + pick(most);
		struct bhs_data_out d = { .opcode = ISCSI_OP_DATA_OUT };

		if (n >= len) {
			n = len;
			d.flags = ISCSI_FINAL;
		}
		/* Nothing of it comes any more on this connection. */
		if (ini.never == c || (ini.torn == c && !pick(4)))
			k->stuck = true;
		if (k->stuck)
			return;
		d.initiator_task_tag = be32_put(k->itt);
		d.target_transfer_tag = be32_put(ttt);
		d.expstatsn = be32_put(c->statsn);
		d.datasn = be32_put(sn++);
		d.buffer_offset = be32_put(off);
		send_pdu(c, &d, k->data + off, n);
		off += n;
		len -= n;
	}
}

/* The command, new or again. */
static void send_command(struct rconn *c, struct rtask *k)
{
	struct bhs_scsi_command q = { .opcode = ISCSI_OP_SCSI_COMMAND };
	uint32_t imm = 0, burst = 0, seg = ini.t.tpg->keys.max_recv_data_segment_length;

	k->conn = c;
	k->lost = k->stuck = false;
	k->got = k->datasn = k->burst = k->r2tsn = 0;
	memset(k->have, 0, sizeof(k->have));
	if (k->write) {
		burst = k->bytes < ini.first_burst ? k->bytes : ini.first_burst;
		if (ini.immediate)
			imm = burst < seg ? burst : seg;
		if (ini.initial_r2t)
			burst = imm;
	}
	k->sent = burst;
	q.flags = (uint8_t)((!k->bytes         ? 0
				    : k->write ? CMD_WRITE
					       : CMD_READ) |
			    ISCSI_ATTR_SIMPLE | (burst > imm ? 0 : CMD_FINAL));
	q.initiator_task_tag = be32_put(k->itt);
	q.expected_data_transfer_length = be32_put(k->bytes);
	q.cmdsn = be32_put(k->cmdsn);
	q.expstatsn = be32_put(c->statsn);
	memcpy(q.cdb, k->cdb, sizeof(q.cdb));
	send_pdu(c, &q, k->data, imm);
	if (burst > imm)
		send_data(c, k, TAG_RESERVED, imm, burst - imm);
}

static void send_reassign(struct rconn *c, struct rtask *k)
{
	struct bhs_tmf_request q = { .opcode = ISCSI_OP_TASK_MANAGEMENT_REQUEST |
					       ISCSI_OP_IMMEDIATE };

	q.function = ISCSI_FINAL | ISCSI_TMF_TASK_REASSIGN;
	k->conn = c;
	k->tmf_itt = ini.itt++;
	q.initiator_task_tag = be32_put(k->tmf_itt);
	q.referenced_task_tag = be32_put(k->itt);
	q.refcmdsn = be32_put(k->cmdsn);
	q.cmdsn = be32_put(ini.cmdsn);
	q.expstatsn = be32_put(c->statsn);
	if (k->write) {
		q.expdatasn = be32_put(k->r2tsn);
	} else if (k->acked || pick(3)) {
		k->acked = k->datasn > 0;
		q.expdatasn = be32_put(k->datasn);
	} else {
		/* 0: from what the target knows to be there, which is nothing. */
		ini.rewound += k->got > 0;
		k->got = k->datasn = k->burst = 0;
		memset(k->have, 0, sizeof(k->have));
	}
	send_pdu(c, &q, NULL, 0);
}

/* A function of the test's own; its response comes into ini.tmf_response. */
void send_tmf(struct rconn *c, uint8_t function, uint32_t ref_itt, uint32_t ref_cmdsn)
{
	struct bhs_tmf_request q = { .opcode = ISCSI_OP_TASK_MANAGEMENT_REQUEST |
					       ISCSI_OP_IMMEDIATE };

	q.function = ISCSI_FINAL | function;
	ini.tmf_response = -1;
	q.initiator_task_tag = be32_put(ini.itt++);
	q.referenced_task_tag = be32_put(ref_itt);
	q.refcmdsn = be32_put(ref_cmdsn);
	q.cmdsn = be32_put(ini.cmdsn);
	q.expstatsn = be32_put(c->statsn);
	send_pdu(c, &q, NULL, 0);
}

void send_logout(struct rconn *c, uint8_t reason, uint16_t cid)
{
	struct bhs_logout_request q = { .opcode = ISCSI_OP_LOGOUT_REQUEST | ISCSI_OP_IMMEDIATE };

	q.reason = ISCSI_FINAL | reason;
	ini.logout_itt = ini.itt++;
	ini.logout_response = -1;
	q.initiator_task_tag = be32_put(ini.logout_itt);
	q.cid = be16_put(cid);
	q.cmdsn = be32_put(ini.cmdsn);
	q.expstatsn = be32_put(c->statsn);
	send_pdu(c, &q, NULL, 0);
}

/* ---- PDUs in --------------------------------------------------------------------------------- */

static struct rtask *task_of(uint32_t itt)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (ini.tasks[i].active && ini.tasks[i].itt == itt)
			return &ini.tasks[i];
	return NULL;
}

static void take_statsn(struct rconn *c, be32 statsn)
{
	assert_int_equal(be32_get(statsn), c->statsn);
	c->statsn++;
}

static void task_done(struct rtask *k, uint8_t status)
{
	uint8_t *disk = ini.disk + k->lba * BLOCK;

	k->active = false;
	/* The unit attention of a new session. */
	if (status) {
		assert_int_equal(status, 2);
		ini.attention++;
		return;
	}
	ini.good++;
	if (!k->bytes)
		return;
	if (k->write) {
		memcpy(disk, k->data, k->bytes);
		return;
	}
	assert_int_equal(k->got, k->bytes);
	if (memcmp(disk, k->data, k->bytes) != 0)
		fail_msg("seed %u: wrong data at block %u", seed, k->lba);
}

static void data_in(struct rconn *c, const struct bhs_data_in *d, const uint8_t *data, uint32_t n)
{
	struct rtask *k = task_of(be32_get(d->initiator_task_tag));
	uint32_t off = be32_get(d->buffer_offset);

	assert_non_null(k);
	assert_ptr_equal(k->conn, c);
	assert_int_equal(k->tmf_itt, TAG_RESERVED);
	assert_int_equal(be32_get(d->datasn), k->datasn);
	assert_true(n && n <= c->recv && off + n <= k->bytes);
	memcpy(k->data + off, data, n);
	k->datasn++;
	if (ini.disorder) {
		/* What is cut into smaller PDUs on a new connection may come twice. */
		for (uint32_t i = off / BLOCK; i < (off + n) / BLOCK; i++) {
			k->got += k->have[i] ? 0 : BLOCK;
			k->have[i] = 1;
		}
	} else {
		assert_int_equal(off, k->got);
		k->got += n;
	}
	k->burst += n;
	if (!ini.disorder || !k->moves)
		assert_true(k->burst <= ini.max_burst);
	if (d->flags & DATA_IN_FINAL)
		k->burst = 0;
	if (d->flags & DATA_IN_STATUS) {
		take_statsn(c, d->statsn);
		task_done(k, d->status);
	}
}

static void r2t(struct rconn *c, const struct bhs_r2t *r)
{
	struct rtask *k = task_of(be32_get(r->initiator_task_tag));
	uint32_t off = be32_get(r->buffer_offset), len = be32_get(r->desired_data_transfer_length);

	assert_non_null(k);
	assert_ptr_equal(k->conn, c);
	assert_int_equal(k->tmf_itt, TAG_RESERVED);
	assert_true(k->write);
	/* Once more, since its data do not come. */
	if (k->stuck && be32_get(r->r2tsn) + 1 == k->r2tsn)
		return;
	if (be32_get(r->r2tsn) != k->r2tsn)
		fail_msg("seed %u: ITT %u, moved %u times: R2TSN %u, expected %u", seed, k->itt,
			k->moves, be32_get(r->r2tsn), k->r2tsn);
	k->r2tsn++;
	assert_true(len && len <= ini.max_burst && off + len <= k->bytes);
	send_data(c, k, be32_get(r->target_transfer_tag), off, len);
}

static void tmf_came(struct rconn *c, const struct bhs_tmf_response *r)
{
	uint32_t itt = be32_get(r->initiator_task_tag);

	take_statsn(c, r->statsn);
	ini.tmf_response = r->response;
	for (unsigned i = 0; i < TASKS; i++) {
		struct rtask *k = &ini.tasks[i];

		if (!k->active || k->tmf_itt != itt)
			continue;
		if (r->response != ISCSI_TMF_FUNCTION_COMPLETE)
			fail_msg("seed %u: reassignment of ITT %u: response %u", seed, k->itt,
				r->response);
		k->tmf_itt = TAG_RESERVED;
		k->lost = k->stuck = false;
		k->moves++;
		ini.reassigned++;
		ini.midway += k->write ? k->r2tsn > 0 : k->got > 0 && k->got < k->bytes;
	}
}

static void logout_came(struct rconn *c, const struct bhs_logout_response *r)
{
	take_statsn(c, r->statsn);
	assert_int_equal(be32_get(r->initiator_task_tag), ini.logout_itt);
	ini.logout_response = r->response;
	ini.logout_retain = be16_get(r->time2retain);
}

static void login_came(struct rconn *c, const struct bhs_login_response *r)
{
	if (r->status_class) {
		c->refused = true;
		return;
	}
	take_statsn(c, r->statsn);
	ini.tsih = be16_get(r->tsih);
	c->up = true;
}

static void answer_ping(struct rconn *c, const struct bhs_nop_in *h)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT | ISCSI_OP_IMMEDIATE,
		.flags = ISCSI_FINAL };

	q.initiator_task_tag = be32_put(TAG_RESERVED);
	q.target_transfer_tag = h->target_transfer_tag;
	q.cmdsn = be32_put(ini.cmdsn);
	q.expstatsn = be32_put(c->statsn);
	send_pdu(c, &q, NULL, 0);
}

static void take_pdu(struct rconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	const struct bhs_nop_in *h = (const struct bhs_nop_in *)bhs;
	const struct bhs_scsi_response *r = (const struct bhs_scsi_response *)bhs;
	struct rtask *k;

	/* Over several connections they may be older than what is known. */
	if ((int32_t)(be32_get(h->maxcmdsn) - ini.max_cmdsn) > 0)
		ini.max_cmdsn = be32_get(h->maxcmdsn);
	if ((int32_t)(be32_get(h->expcmdsn) - ini.exp_cmdsn) > 0)
		ini.exp_cmdsn = be32_get(h->expcmdsn);
	switch (bhs_opcode((const struct bhs *)bhs)) {
	case ISCSI_OP_DATA_IN:
		data_in(c, (const struct bhs_data_in *)bhs, data, n);
		break;
	case ISCSI_OP_SCSI_RESPONSE:
		take_statsn(c, r->statsn);
		k = task_of(be32_get(r->initiator_task_tag));
		assert_non_null(k);
		assert_ptr_equal(k->conn, c);
		assert_int_equal(k->tmf_itt, TAG_RESERVED);
		task_done(k, r->status);
		break;
	case ISCSI_OP_R2T:
		r2t(c, (const struct bhs_r2t *)bhs);
		break;
	case ISCSI_OP_TASK_MANAGEMENT_RESPONSE:
		tmf_came(c, (const struct bhs_tmf_response *)bhs);
		break;
	case ISCSI_OP_LOGOUT_RESPONSE:
		logout_came(c, (const struct bhs_logout_response *)bhs);
		break;
	case ISCSI_OP_LOGIN_RESPONSE:
		login_came(c, (const struct bhs_login_response *)bhs);
		break;
	case ISCSI_OP_NOP_IN:
		answer_ping(c, h);
		break;
	case ISCSI_OP_ASYNC_MESSAGE:
		take_statsn(c, h->statsn);
		break;
	default:
		fail_msg("seed %u: opcode 0x%02x, %02x, of 0x%02x", seed, bhs[0], bhs[2],
			n ? data[0] : 0);
	}
}

static bool next_pdu(struct rconn *c)
{
	uint32_t n;
	size_t all;

	if (c->rx_bytes < BHS_BYTES)
		return false;
	n = bhs_data_bytes((const struct bhs *)c->rx);
	all = BHS_BYTES + n + pad_bytes(n);
	if (c->rx_bytes < all)
		return false;
	take_pdu(c, c->rx, c->rx + BHS_BYTES, n);
	memmove(c->rx, c->rx + all, c->rx_bytes - all);
	c->rx_bytes -= all;
	return true;
}

/* Take what has come. */
static bool arrived(struct rconn *c)
{
	int64_t n;

	if (c->fd < 0)
		return false;
	if (c->rx_cap - c->rx_bytes < 65536) {
		c->rx_cap = 2 * c->rx_cap + 65536;
		c->rx = realloc(c->rx, c->rx_cap);
		assert_non_null(c->rx);
	}
	n = sim_recv(ini.t.rig.k.loops, c->fd, c->rx + c->rx_bytes, 65536);
	if (n < 0) {
		/* Closed by the target. */
		sim_close(ini.t.rig.k.loops, c->fd, false);
		c->fd = -1;
		c->up = false;
		return true;
	}
	c->rx_bytes += (size_t)n;
	return n > 0;
}

/* So that time does not pass while there is something to do. */
static bool any_arrived(void *arg)
{
	const uint64_t *until_ns = arg;
	bool any = sim_now_ns(ini.t.rig.k.loops) > *until_ns;

	for (unsigned i = 0; i < CONNS; i++)
		any = arrived(&ini.conns[i]) || any;
	return any;
}

void pump(uint64_t steps)
{
	uint64_t until_ns = sim_now_ns(ini.t.rig.k.loops) + 500000000;

	(void)sim_run(ini.t.rig.k.loops, any_arrived, &until_ns, steps);
	for (unsigned i = 0; i < CONNS; i++)
		while (next_pdu(&ini.conns[i]))
			;
}

/* ---- connections ----------------------------------------------------------------------------- */

void login_send(struct rconn *c, uint16_t cid, uint16_t tsih)
{
	static const uint32_t recvs[] = { 512, 1536, 8192, 49152 };
	struct bhs_login_request q = { .opcode = ISCSI_OP_LOGIN_REQUEST | ISCSI_OP_IMMEDIATE };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(3260) };
	char text[1024];
	int n;

	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	c->fd = sim_connect(ini.t.rig.k.loops, (struct sockaddr *)&to, sizeof(to));
	assert_true(c->fd >= 0);
	c->up = c->refused = false;
	c->used = true;
	c->cid = cid;
	c->rx_bytes = 0;
	c->statsn = pick(2) ? 0 : 0xfffffffe;
	c->recv = recvs[pick(4)];
	q.flags = LOGIN_TRANSIT | ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION << LOGIN_CSG_SHIFT |
		  ISCSI_STAGE_FULL_FEATURE_PHASE;
	q.isid[0] = 0x40;
	q.isid[5] = 1;
	q.tsih = be16_put(tsih);
	q.cid = be16_put(cid);
	q.cmdsn = be32_put(ini.cmdsn);
	q.expstatsn = be32_put(c->statsn);
	n = snprintf(text, sizeof(text),
		"InitiatorName=" SIM_PEER "%cTargetName=" SIM_TARGET
		"%cMaxRecvDataSegmentLength=%u%c",
		0, 0, c->recv, 0);
	if (!tsih)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			"ImmediateData=%s%cInitialR2T=%s%cFirstBurstLength=%u%cMaxBurstLength=%u%c"
			"DataPDUInOrder=%s%cDataSequenceInOrder=%s%c"
			"MaxOutstandingR2T=4%cErrorRecoveryLevel=2%cMaxConnections=%u%c"
			"DefaultTime2Wait=1%cDefaultTime2Retain=%u%c",
			ini.immediate ? "Yes" : "No", 0, ini.initial_r2t ? "Yes" : "No", 0,
			ini.first_burst, 0, ini.max_burst, 0, ini.disorder ? "No" : "Yes", 0,
			ini.disorder ? "No" : "Yes", 0, 0, 0, CONNS, 0, 0, ini.retain, 0);
	send_pdu(c, &q, text, (uint32_t)n);
}

void login(struct rconn *c, uint16_t cid, uint16_t tsih)
{
	login_send(c, cid, tsih);
	pump_until(c->up || c->refused || c->fd < 0);
	assert_true(c->up);
}

void lost_tasks(const struct rconn *c)
{
	for (unsigned i = 0; i < TASKS; i++) {
		struct rtask *k = &ini.tasks[i];

		if (!k->active || k->conn != c)
			continue;
		k->lost = true;
		k->tmf_itt = TAG_RESERVED;
	}
}

/* Its transport is gone; its tasks have lost their connection. */
void lose(struct rconn *c)
{
	sim_close(ini.t.rig.k.loops, c->fd, pick(2));
	c->fd = -1;
	c->up = false;
	c->rx_bytes = 0;
	lost_tasks(c);
}

struct rconn *some_conn(void)
{
	unsigned i = pick(CONNS);

	for (unsigned n = 0; n < CONNS; n++)
		if (ini.conns[(i + n) % CONNS].up)
			return &ini.conns[(i + n) % CONNS];
	return NULL;
}

void logout_wait(struct rconn *by, uint16_t cid)
{
	send_logout(by, ISCSI_LOGOUT_REMOVE_FOR_RECOVERY, cid);
	pump_until(ini.logout_response >= 0);
	assert_int_equal(ini.logout_response, ISCSI_LOGOUT_SUCCESS);
	assert_int_equal(ini.logout_retain, ini.retain);
}

/* ---- commands -------------------------------------------------------------------------------- */

static struct rtask *free_task(uint32_t lba, uint32_t n)
{
	struct rtask *k = NULL;

	for (unsigned i = 0; i < TASKS; i++) {
		struct rtask *o = &ini.tasks[i];

		if (!o->active)
			k = o;
		else if (lba < o->lba + o->n && o->lba < lba + n)
			return NULL;
	}
	return k;
}

struct rtask *start(struct rconn *c, bool write, uint32_t lba, uint32_t n)
{
	struct rtask *k = free_task(lba, n);

	if (!k || (int32_t)(ini.max_cmdsn - ini.cmdsn) < 0)
		return NULL;
	memset(k, 0, offsetof(struct rtask, data));
	k->active = true;
	k->write = write;
	k->lba = lba;
	k->n = n;
	k->bytes = n * BLOCK;
	k->itt = ini.itt++;
	k->cmdsn = ini.cmdsn++;
	k->tmf_itt = TAG_RESERVED;
	k->cdb[0] = !n ? OP_TEST_UNIT_READY : write ? OP_WRITE_16 : OP_READ_16;
	if (n) {
		put_be64(k->cdb + 2, lba);
		put_be32(k->cdb + 10, n);
	}
	k->gen = ++ini.gen;
	for (uint32_t i = 0; write && i < k->bytes; i += 4)
		put_be32(k->data + i, ini.gen << 12 ^ (lba + i / BLOCK) ^ i << 24);
	send_command(c, k);
	return k;
}

void work(unsigned commands)
{
	for (unsigned i = 0; i < commands; i++) {
		uint32_t n = pick(4) ? 1 + pick(MOST_BLOCKS) : 1, lba = pick(DISK_BLOCKS - n + 1);

		if (some_conn())
			start(some_conn(), pick(2), lba, n);
		if (!pick(3))
			pump(1 + pick(40));
	}
}

bool idle(void)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (ini.tasks[i].active)
			return false;
	return true;
}

/* Tasks that lost their connection, which is logged out: those that arrived are reassigned. */
void recover_tasks(void)
{
	for (unsigned i = 0; i < TASKS; i++) {
		struct rtask *k = &ini.tasks[i];

		if (!k->active || !k->lost || k->tmf_itt != TAG_RESERVED)
			continue;
		if ((int32_t)(k->cmdsn - ini.exp_cmdsn) >= 0) {
			ini.retried++;
			send_command(some_conn(), k);
		} else {
			send_reassign(some_conn(), k);
		}
		if (!pick(3))
			pump(1 + pick(20));
	}
}

/* ---- target ---------------------------------------------------------------------------------- */

static const char *const disks[] = { "ram:256k", "file:/disk,size=256k", "delay:ms=1|ram:256k" };

/* LIO's attributes of an ACL: all that may be in any order is. */
static void shuffle(void)
{
	struct sess *sess = list_first(&ini.t.tpg->sessions, struct sess, tpg_link);
	struct conn *conn = list_first(&sess->conns, struct conn, sess_link);

	sess->node.random_datain_pdu_offsets = sess->node.random_datain_seq_offsets =
		sess->node.random_r2t_offsets = 1;
	conn->shuffles = SHUFFLE_PDUS | SHUFFLE_SEQUENCES | SHUFFLE_R2TS;
}

void begin_with(unsigned s, unsigned conns, const char *disk, uint32_t retain)
{
	static const uint32_t bursts[] = { 512, 4096, 16384, 65536 };
	static const uint32_t recvs[] = { 512, 4096, 16384, 49152 };
	struct rtask *k;

	memset(&ini, 0, sizeof(ini));
	seed = s;
	sim_target_init(&ini.t, s, disk, recvs[s / 3 % 4]);
	ini.t.tpg->keys.max_connections = CONNS;
	ini.t.tpg->keys.error_recovery_level = 2;
	ini.t.tpg->keys.default_time2retain = ini.retain = retain;
	ini.immediate = s & 1;
	ini.initial_r2t = s & 2;
	ini.max_burst = bursts[s / 4 % 4];
	ini.first_burst = bursts[s / 2 % 4];
	if (ini.first_burst > ini.max_burst)
		ini.first_burst = ini.max_burst;
	ini.itt = 1;
	ini.cmdsn = ini.exp_cmdsn = ini.max_cmdsn = 0xfffffff0;
	for (unsigned i = 0; i < CONNS; i++)
		ini.conns[i].fd = -1;
	ini.disorder = s % 4 == 3;
	ini.t.tpg->keys.data_pdu_in_order = ini.t.tpg->keys.data_sequence_in_order = !ini.disorder;
	login(&ini.conns[0], ini.next_cid++, 0);
	if (ini.disorder)
		shuffle();
	for (unsigned i = 1; i < conns; i++)
		login(&ini.conns[i], ini.next_cid++, ini.tsih);
	while (!ini.good) {
		k = start(&ini.conns[0], false, 0, 0);
		assert_non_null(k);
		pump_until(!k->active);
	}
}

void begin(unsigned s, unsigned conns)
{
	begin_with(s, conns, disks[s / 5 % 3], 3600);
}

static void check_disk(void)
{
	struct rconn *c = some_conn();

	for (uint32_t lba = 0; lba < DISK_BLOCKS; lba += 64) {
		struct rtask *k = start(c, false, lba, 64);

		assert_non_null(k);
		pump_until(!k->active);
	}
}

/* The target goes, whatever is under way. */
void end(void)
{
	for (unsigned i = 0; i < CONNS; i++) {
		if (ini.conns[i].fd >= 0)
			sim_close(ini.t.rig.k.loops, ini.conns[i].fd, false);
		free(ini.conns[i].rx);
	}
	sim_target_done(&ini.t);
}

void finish(void)
{
	pump_until(idle());
	check_disk();
	end();
}
