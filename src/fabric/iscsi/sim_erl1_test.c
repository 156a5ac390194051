/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_erl1_test.c: ErrorRecoveryLevel 1 and data in any order, in the simulator: an initiator that
 * loses and spoils PDUs on both ways, asks again for what it lacks (RFC 7143 7.8, 7.9, 11.16), and
 * answers R2Ts and sends Data-Out in disorder where that was agreed. No command may be lost, no
 * connection either, and no byte may be wrong.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/crc32c.h"
#include "fabric/iscsi/extents.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/sim_peer_testkit.h"

enum {
	NTASKS = 6,
	AREA = DISK_BLOCKS / NTASKS, /* blocks that a task has to itself */
	DATASNS = 1024, /* of a task at most */
	STATSNS = 4096, /* without an acknowledgement */
	WANT_R2TS = 64,
};

#define PATIENCE_NS 1000000000ull /* without anything new, then it asks again */

struct keys {
	uint32_t level, first_burst, max_burst, recv, r2ts;
	bool immediate, initial_r2t, pdus_in_order, sequences_in_order;
};

struct todo {
	uint32_t ttt, off, len;
};

struct job {
	bool active, write, acked; /* acked: its CmdSN is below ExpCmdSN */
	uint32_t itt, cmdsn, lba, bytes, gen;
	struct bhs_scsi_command pdu;
	uint32_t imm, unsolicited;
	/* Data-In */
	struct extents *have;
	bool seen[DATASNS];
	uint32_t exp_datasn, datack;
	uint32_t datack_bytes; /* that are acknowledged */
	uint32_t tag; /* of an R-Data SNACK, 0: none */
	bool has_statsn, has_status; /* with a tag the status has to come anew */
	uint32_t statsn;
	uint8_t status;
	/* Data-Out */
	uint32_t r2t_off; /* of the last R2T */
	struct todo todo[WANT_R2TS];
	unsigned ntodo;
	uint8_t data[AREA * 512];
};

static struct sim_target t;
static struct acl *acl;
static struct keys p;
static int fd;
static bool full_feature, closed, logged_out, late;
static bool mute; /* it acknowledges nothing */
static uint32_t loss; /* one PDU of so many is lost or spoiled, 0: none */
static uint32_t cmdsn, exp_cmdsn, max_cmdsn, next_itt;
static uint32_t acked; /* ExpStatSN */
static bool seen_statsn[STATSNS];
static struct job tasks[NTASKS];
static uint32_t gens[DISK_BLOCKS], next_gen; /* what the disk holds */
static struct loop_timer clock_timer;
static uint64_t news_ns; /* when something came last */
static uint8_t rx[1 << 20];
static size_t rx_bytes;
static uint64_t pings, lost, done, snacks, resent, rdata, recovered_r2ts, rejects;
static uint64_t moved, strays, astray;

static uint32_t pick(uint32_t n)
{
	return (uint32_t)sim_random(t.rig.k.loops, n);
}

static void fill(uint8_t *buf, uint32_t lba, uint32_t gen)
{
	for (unsigned i = 0; i < 512; i += 4)
		put_be32(buf + i, gen ? gen << 10 ^ lba : 0);
}

/* Time does not go by in larger steps than the initiator's clock ticks. */
static void tick(struct loop_timer *timer)
{
	loop_timer_arm(loops_get(t.rig.k.loops, 0), timer, PATIENCE_NS / 4);
}

/* ---- out ------------------------------------------------------------------------------------- */

/* 7.9: what has come without a gap, with the data of its command. */
static uint32_t exp_statsn(void)
{
	while (seen_statsn[acked % STATSNS] && !mute) {
		for (unsigned i = 0; i < NTASKS; i++)
			if (tasks[i].active && tasks[i].has_statsn && tasks[i].statsn == acked)
				return acked;
		seen_statsn[acked++ % STATSNS] = false;
	}
	return acked;
}

/* Digests are always on. May be lost on its way. */
static void send_pdu(void *bhs, const void *data, uint32_t n)
{
	uint8_t buf[BHS_BYTES + 8 + 65536 + 8] = { 0 };
	uint32_t pad = pad_bytes(n);
	size_t at = BHS_BYTES;

	((struct bhs *)bhs)->data_segment_length = be24_put(n);
	((struct bhs_nop_out *)bhs)->expstatsn = be32_put(exp_statsn());
	memcpy(buf, bhs, BHS_BYTES);
	if (full_feature) {
		crc32c_put(buf + at, crc32c(buf, BHS_BYTES));
		at += DIGEST_BYTES;
	}
	if (n)
		memcpy(buf + at, data, n);
	at += n + pad;
	if (n && full_feature) {
		crc32c_put(buf + at, crc32c(buf + at - n - pad, n + pad));
		at += DIGEST_BYTES;
	}
	if (full_feature && loss && pick(loss) == 0) {
		lost++;
		switch (pick(3)) {
		case 0: /* not at all */
			return;
		case 1: /* a header, but not its lengths */
			buf[16 + pick(32)] ^= 0x40;
			break;
		default:
			buf[at - 1 - pick(n ? n + 4 : 4)] ^= 0x40;
		}
	}
	(void)sim_send(t.rig.k.loops, fd, buf, at);
}

static void snack(uint8_t type, uint32_t itt, uint32_t ttt, uint32_t begrun, uint32_t run)
{
	struct bhs_snack_request q = { .opcode = ISCSI_OP_SNACK_REQUEST };

	q.type = ISCSI_FINAL | type;
	q.initiator_task_tag = be32_put(itt);
	q.target_transfer_tag = be32_put(ttt);
	q.begrun = be32_put(begrun);
	q.runlength = be32_put(run);
	snacks++;
	send_pdu(&q, NULL, 0);
}

static void nop_out(uint32_t itt, uint32_t ttt, uint32_t n)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT | ISCSI_OP_IMMEDIATE,
		.flags = ISCSI_FINAL };

	q.initiator_task_tag = be32_put(itt);
	q.target_transfer_tag = be32_put(ttt);
	q.cmdsn = be32_put(cmdsn);
	send_pdu(&q, "ping", n);
}

static void ping(void)
{
	nop_out(next_itt++, TAG_RESERVED, 4);
}

static void send_data(struct job *k, uint32_t ttt, uint32_t off, uint32_t len)
{
	uint32_t most = t.tpg->keys.max_recv_data_segment_length, size, n, first;

	if (!len)
		return;
	size = pick(2) ? most : 512 * (1 + pick(most / 512));
	n = len / size + !!(len % size);
	first = p.pdus_in_order ? 0 : pick(n);
	for (uint32_t i = 0; i < n; i++) {
		/* In disorder: from the middle backwards, and around. */
		uint32_t k_th = p.pdus_in_order ? i : (first + n - i) % n, at = k_th * size;
		struct bhs_data_out d = { .opcode = ISCSI_OP_DATA_OUT };

		d.flags = i == n - 1 ? ISCSI_FINAL : 0;
		d.initiator_task_tag = be32_put(k->itt);
		d.target_transfer_tag = be32_put(ttt);
		d.datasn = be32_put(i);
		d.buffer_offset = be32_put(off + at);
		moved += !!k_th != !!i;
		send_pdu(&d, k->data + off + at, len - at < size ? len - at : size);
	}
}

static void send_command(struct job *k)
{
	struct bhs_scsi_command c = k->pdu;

	send_pdu(&c, k->data, k->imm);
	send_data(k, TAG_RESERVED, k->imm, k->unsolicited);
}

static void start(struct job *k, uint32_t nth)
{
	uint32_t n = pick(3) ? 1 + pick(AREA) : 1, first;
	bool write = pick(2);

	extents_free(k->have, NULL);
	memset(k, 0, sizeof(*k));
	k->active = true;
	k->write = write;
	k->lba = nth * AREA + pick(AREA - n + 1);
	k->bytes = n * 512;
	k->itt = next_itt++;
	k->cmdsn = cmdsn++;
	if (write) {
		k->gen = ++next_gen;
		for (uint32_t i = 0; i < n; i++)
			fill(k->data + i * 512, k->lba + i, k->gen);
		first = k->bytes < p.first_burst ? k->bytes : p.first_burst;
		if (p.immediate)
			k->imm = first < t.tpg->keys.max_recv_data_segment_length
					 ? first
					 : t.tpg->keys.max_recv_data_segment_length;
		if (!p.initial_r2t)
			k->unsolicited = first - k->imm;
	}
	k->pdu = (struct bhs_scsi_command){ .opcode = ISCSI_OP_SCSI_COMMAND,
		.flags = (uint8_t)((write ? CMD_WRITE : CMD_READ) | ISCSI_ATTR_SIMPLE |
				   (k->unsolicited ? 0 : CMD_FINAL)),
		.initiator_task_tag = be32_put(k->itt),
		.expected_data_transfer_length = be32_put(k->bytes),
		.cmdsn = be32_put(k->cmdsn) };
	k->pdu.cdb[0] = write ? OP_WRITE_16 : OP_READ_16;
	put_be64(k->pdu.cdb + 2, k->lba);
	put_be32(k->pdu.cdb + 10, n);
	send_command(k);
}

/* ---- in -------------------------------------------------------------------------------------- */

static struct job *task_of(uint32_t itt)
{
	for (unsigned i = 0; i < NTASKS; i++)
		if (tasks[i].active && tasks[i].itt == itt)
			return &tasks[i];
	return NULL;
}

/* It has its status, and all its data. */
static void maybe_done(struct job *k)
{
	uint8_t want[512];

	if (!k->has_status)
		return;
	/* The unit attention of a new session. */
	if (k->status == 0x02) {
		k->active = false;
		return;
	}
	assert_int_equal(k->status, 0);
	if (!k->write && extents_have(k->have, 0, k->bytes) < k->bytes)
		return;
	for (uint32_t i = 0; i < k->bytes / 512; i++) {
		if (k->write) {
			gens[k->lba + i] = k->gen;
			continue;
		}
		fill(want, k->lba + i, gens[k->lba + i]);
		assert_memory_equal(k->data + i * 512, want, 512);
	}
	k->active = false;
	done++;
}

static void has_status(struct job *k, uint8_t status, uint32_t statsn, uint32_t tag)
{
	k->has_statsn = true;
	k->statsn = statsn;
	/* 11.16.3: the last response has the tag; others do not count. */
	if (k->tag && tag != k->tag)
		return;
	k->has_status = true;
	k->status = status;
	maybe_done(k);
}

/* True: it is news. */
static bool take_statsn(uint32_t statsn)
{
	if (sna_lt(statsn, acked) || seen_statsn[statsn % STATSNS])
		return false;
	assert_true(statsn - acked < STATSNS);
	seen_statsn[statsn % STATSNS] = true;
	if (statsn != acked && !seen_statsn[(statsn - 1) % STATSNS])
		snack(ISCSI_SNACK_STATUS, TAG_RESERVED, TAG_RESERVED, statsn - 1, pick(2));
	return true;
}

static void ask_data(struct job *k, uint32_t run, bool again)
{
	/* 11.16.3: now and then all that is not acknowledged, cut anew. */
	if (!k->write && !k->tag && pick(3) == 0) {
		k->tag = 1 + pick(1000);
		k->has_status = false;
		k->have = extents_free(k->have, NULL);
		(void)extents_add(&k->have, NULL, 0, k->datack_bytes);
		memset(k->seen, 0, sizeof(k->seen));
		k->exp_datasn = k->datack;
		rdata++;
		again = true;
	}
	/* Once there is a tag all is numbered anew, and gaps are gaps again. */
	if (k->tag && again && !k->has_status)
		snack(ISCSI_SNACK_R_DATA, k->itt, k->tag, 0, 0);
	else
		snack(ISCSI_SNACK_DATA_R2T, k->itt, TAG_RESERVED, k->exp_datasn, run);
}

static void data_in(const struct bhs_data_in *d, const uint8_t *data, uint32_t n)
{
	struct job *k = task_of(be32_get(d->initiator_task_tag));
	uint32_t off = be32_get(d->buffer_offset), sn = be32_get(d->datasn), was;

	if (!k)
		return;
	assert_false(k->write);
	assert_true(n && n <= p.recv && off < k->bytes && n <= k->bytes - off && sn < DATASNS);
	if (p.pdus_in_order && p.sequences_in_order && !loss)
		assert_int_equal(off, extents_have(k->have, 0, k->bytes));
	strays += !p.pdus_in_order && !loss && off != extents_have(k->have, 0, k->bytes);
	memcpy(k->data + off, data, n);
	resent += extents_have(k->have, off, off + n) > 0;
	assert_true(extents_add(&k->have, NULL, off, off + n) >= 0);
	was = k->exp_datasn;
	k->seen[sn] = true;
	if (sn > was)
		ask_data(k, sn - was, false);
	while (k->seen[k->exp_datasn])
		k->exp_datasn++;
	if (d->flags & DATA_IN_ACKNOWLEDGE && sn < k->exp_datasn && !k->tag) {
		/* 11.16.2: only what is there without a hole. */
		assert_int_equal(p.level, 1);
		if (extents_have(k->have, 0, off + n) == off + n) {
			k->datack = sn + 1;
			k->datack_bytes = off + n;
			if (k->exp_datasn == sn + 1)
				snack(ISCSI_SNACK_DATA_ACK, TAG_RESERVED,
					be32_get(d->target_transfer_tag), sn + 1, 0);
		}
	}
	if (d->flags & DATA_IN_STATUS) {
		assert_true(d->flags & DATA_IN_FINAL);
		(void)take_statsn(be32_get(d->statsn));
		has_status(k, d->status, be32_get(d->statsn), 0);
	} else {
		maybe_done(k);
	}
}

static void r2t(const struct bhs_r2t *r)
{
	struct job *k = task_of(be32_get(r->initiator_task_tag));
	uint32_t off = be32_get(r->buffer_offset), len = be32_get(r->desired_data_transfer_length);
	uint32_t sn = be32_get(r->r2tsn), at = be32_get(r->statsn);

	/* Its StatSN shows what has been sent. */
	if (at != acked && !seen_statsn[(at - 1) % STATSNS] && sna_lt(acked, at))
		snack(ISCSI_SNACK_STATUS, TAG_RESERVED, TAG_RESERVED, at - 1, 1);
	if (!k)
		return;
	assert_true(k->write && len && len <= p.max_burst && off + len <= k->bytes);
	if (sn >= DATASNS || k->seen[sn])
		return; /* 7.9: duplicates are dropped */
	k->seen[sn] = true;
	if (sn > k->exp_datasn)
		snack(ISCSI_SNACK_DATA_R2T, k->itt, TAG_RESERVED, k->exp_datasn,
			sn - k->exp_datasn);
	while (k->seen[k->exp_datasn])
		k->exp_datasn++;
	assert_true(k->ntodo < WANT_R2TS);
	if (!loss) {
		astray += off < k->r2t_off;
		assert_true(!p.sequences_in_order || off >= k->r2t_off);
	}
	k->r2t_off = off;
	k->todo[k->ntodo++] = (struct todo){ be32_get(r->target_transfer_tag), off, len };
	recovered_r2ts += sn > k->bytes / p.max_burst;
}

/* Which of them goes first is free where sequences may be in disorder. */
static void answer_r2ts(struct job *k)
{
	while (k->active && k->ntodo) {
		unsigned i = p.sequences_in_order ? 0 : pick(k->ntodo);
		struct todo r = k->todo[i];

		memmove(&k->todo[i], &k->todo[i + 1], (--k->ntodo - i) * sizeof(r));
		send_data(k, r.ttt, r.off, r.len);
	}
}

static void take_pdu(const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	const struct bhs_scsi_response *r = (const struct bhs_scsi_response *)bhs;
	const struct bhs_nop_in *h = (const struct bhs_nop_in *)bhs;
	struct job *k;

	/* A ping of the target is no news. */
	if (bhs_opcode((const struct bhs *)bhs) != ISCSI_OP_NOP_IN ||
		bhs_itt((const struct bhs *)bhs) != TAG_RESERVED)
		news_ns = sim_now_ns(t.rig.k.loops);
	if (sna_lt(exp_cmdsn, be32_get(h->expcmdsn)))
		exp_cmdsn = be32_get(h->expcmdsn);
	if (sna_lt(max_cmdsn, be32_get(h->maxcmdsn)))
		max_cmdsn = be32_get(h->maxcmdsn);
	switch (bhs_opcode((const struct bhs *)bhs)) {
	case ISCSI_OP_DATA_IN:
		data_in((const struct bhs_data_in *)bhs, data, n);
		break;
	case ISCSI_OP_R2T:
		r2t((const struct bhs_r2t *)bhs);
		break;
	case ISCSI_OP_SCSI_RESPONSE:
		(void)take_statsn(be32_get(h->statsn));
		k = task_of(be32_get(r->initiator_task_tag));
		if (k)
			has_status(k, r->status, be32_get(r->statsn), be32_get(r->snack_tag));
		break;
	case ISCSI_OP_LOGIN_RESPONSE:
		assert_int_equal(((const struct bhs_login_response *)bhs)->status_class, 0);
		acked = be32_get(h->statsn) + 1;
		full_feature = true;
		break;
	case ISCSI_OP_LOGOUT_RESPONSE:
		logged_out = true;
		break;
	case ISCSI_OP_REJECT:
		rejects++;
		(void)take_statsn(be32_get(h->statsn));
		break;
	case ISCSI_OP_NOP_IN:
		if (bhs_itt((const struct bhs *)bhs) != TAG_RESERVED) {
			(void)take_statsn(be32_get(h->statsn));
		} else {
			pings++;
			nop_out(TAG_RESERVED, be32_get(h->target_transfer_tag), 0);
		}
		break;
	default:
		fail_msg("opcode 0x%02x", bhs[0]);
	}
}

/* One PDU of what has come, which may have been lost. False: it is not all there. */
static bool next_pdu(void)
{
	const struct bhs *h = (const struct bhs *)rx;
	size_t hd = full_feature ? DIGEST_BYTES : 0, dd, all;
	uint32_t n, pad;

	if (rx_bytes < BHS_BYTES)
		return false;
	n = bhs_data_bytes(h);
	pad = pad_bytes(n);
	dd = n && full_feature ? DIGEST_BYTES : 0;
	all = BHS_BYTES + hd + n + pad + dd;
	if (rx_bytes < all)
		return false;
	if (hd)
		assert_int_equal(crc32c_get(rx + BHS_BYTES), crc32c(rx, BHS_BYTES));
	if (dd)
		assert_int_equal(crc32c_get(rx + all - dd), crc32c(rx + BHS_BYTES + hd, n + pad));
	if (full_feature && loss && !logged_out && pick(loss) == 0 &&
		bhs_opcode(h) != ISCSI_OP_LOGOUT_RESPONSE)
		lost++;
	else
		take_pdu(rx, rx + BHS_BYTES + hd, n);
	memmove(rx, rx + all, rx_bytes - all);
	rx_bytes -= all;
	return true;
}

static bool arrived(void *arg)
{
	int64_t n = sim_recv(t.rig.k.loops, fd, rx + rx_bytes, sizeof(rx) - rx_bytes);

	if (n < 0)
		closed = true;
	else
		rx_bytes += (size_t)n;
	return n != 0 || sim_now_ns(t.rig.k.loops) - news_ns > PATIENCE_NS;
}

/* Nothing new for a while: ask for all that may be missing. */
static void ask_again(void)
{
	snack(ISCSI_SNACK_STATUS, TAG_RESERVED, TAG_RESERVED, 0, 0);
	for (unsigned i = 0; i < NTASKS; i++) {
		struct job *k = &tasks[i];

		if (!k->active)
			continue;
		if (!sna_lt(k->cmdsn, exp_cmdsn))
			send_command(k); /* 7.2.1: a retry */
		else if (!k->write && (k->has_status || k->tag || k->exp_datasn))
			ask_data(k, 0, true);
	}
	ping();
}

/* Let time go by. */
static void wait(uint64_t steps)
{
	(void)sim_run(t.rig.k.loops, arrived, NULL, steps);
	while (next_pdu())
		;
	for (unsigned i = 0; i < NTASKS; i++)
		answer_r2ts(&tasks[i]);
	late = sim_now_ns(t.rig.k.loops) - news_ns > PATIENCE_NS;
	if (late)
		news_ns = sim_now_ns(t.rig.k.loops);
}

/* The same, with questions when nothing new comes. */
static void pump(uint64_t steps)
{
	wait(steps);
	if (late && full_feature && !logged_out && loss)
		ask_again();
}

/* ---- runs ------------------------------------------------------------------------------------ */

static const char *yes(bool on)
{
	return on ? "Yes" : "No";
}

static void login(void)
{
	struct bhs_login_request q = { .opcode = ISCSI_OP_LOGIN_REQUEST | ISCSI_OP_IMMEDIATE };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(3260) };
	char text[1024];
	int n;

	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	fd = sim_connect(t.rig.k.loops, (struct sockaddr *)&to, sizeof(to));
	assert_true(fd >= 0);
	full_feature = closed = logged_out = false;
	rx_bytes = 0;
	news_ns = sim_now_ns(t.rig.k.loops);
	cmdsn = exp_cmdsn = max_cmdsn = 0xfffffff0; /* it wraps soon */
	acked = 0;
	memset(seen_statsn, 0, sizeof(seen_statsn));
	for (unsigned i = 0; i < NTASKS; i++)
		tasks[i].active = false;
	q.flags = LOGIN_TRANSIT | ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION << LOGIN_CSG_SHIFT |
		  ISCSI_STAGE_FULL_FEATURE_PHASE;
	q.isid[0] = 0x40;
	q.cmdsn = be32_put(cmdsn);
	n = snprintf(text, sizeof(text),
		"InitiatorName=" SIM_PEER "%cTargetName=" SIM_TARGET
		"%cHeaderDigest=CRC32C%cDataDigest=CRC32C%cImmediateData=%s%cInitialR2T=%s%c"
		"FirstBurstLength=%u%cMaxBurstLength=%u%cMaxRecvDataSegmentLength=%u%c"
		"MaxOutstandingR2T=%u%cErrorRecoveryLevel=%u%cDataPDUInOrder=%s%c"
		"DataSequenceInOrder=%s%c",
		0, 0, 0, 0, yes(p.immediate), 0, yes(p.initial_r2t), 0, p.first_burst, 0,
		p.max_burst, 0, p.recv, 0, p.r2ts, 0, p.level, 0, yes(p.pdus_in_order), 0,
		yes(p.sequences_in_order), 0);
	send_pdu(&q, text, (uint32_t)n);
	for (unsigned i = 0; !full_feature; i++) {
		assert_true(i < 2000 && !closed);
		pump(50);
	}
}

static void logout(void)
{
	struct bhs_logout_request q = { .opcode = ISCSI_OP_LOGOUT_REQUEST | ISCSI_OP_IMMEDIATE };

	loss = 0;
	q.reason = ISCSI_FINAL | ISCSI_LOGOUT_CLOSE_SESSION;
	q.initiator_task_tag = be32_put(next_itt++);
	q.cmdsn = be32_put(cmdsn);
	send_pdu(&q, NULL, 0);
	for (unsigned i = 0; !closed; i++) {
		assert_true(i < 2000);
		pump(50);
	}
	assert_true(logged_out);
	sim_close(t.rig.k.loops, fd, false);
}

static const char *const disks[] = { "ram:256k", "file:/disk,size=256k", "delay:ms=1|ram:256k" };

static void begin(uint64_t seed, uint32_t level, bool disorder)
{
	static const uint32_t sizes[] = { 512, 1536, 4096, 16384 };
	struct errmsg err;
	struct acl_lun *al;

	sim_target_init(&t, seed, disks[seed % 3], sizes[seed / 3 % 4]);
	p = (struct keys){ .level = level,
		.immediate = seed & 1,
		.initial_r2t = seed & 2,
		.pdus_in_order = !disorder || seed % 3 == 1,
		.sequences_in_order = !disorder || seed % 3 == 2,
		.max_burst = sizes[1 + seed / 4 % 3],
		.recv = sizes[seed / 5 % 4],
		.r2ts = 1 + seed % 8 };
	p.first_burst = sizes[seed / 7 % 4];
	if (p.first_burst > p.max_burst)
		p.first_burst = p.max_burst;
	t.tpg->keys.error_recovery_level = level;
	t.tpg->keys.data_pdu_in_order = t.tpg->keys.data_sequence_in_order = false;
	errmsg_init(&err);
	assert_int_equal(acl_add(t.tpg->port, SIM_PEER, &acl, &err), 0);
	assert_int_equal(acl_lun_add(acl, 0, &al, &err), 0);
	assert_int_equal(acl_lun_link(al, port_lun_find(t.tpg->port, 0), "disk", &err), 0);
	((struct node_data *)acl->fabric_data)->attribs.random_datain_pdu_offsets = 1;
	((struct node_data *)acl->fabric_data)->attribs.random_datain_seq_offsets = 1;
	((struct node_data *)acl->fabric_data)->attribs.random_r2t_offsets = 1;
	memset(gens, 0, sizeof(gens));
	next_itt = 1;
	clock_timer = (struct loop_timer){ .fire = tick };
	tick(&clock_timer);
}

static void end(void)
{
	struct acl_lun *al = list_first(&acl->luns, struct acl_lun, link);
	struct errmsg err;

	errmsg_init(&err);
	loop_timer_disarm(loops_get(t.rig.k.loops, 0), &clock_timer);
	for (unsigned i = 0; i < NTASKS; i++) {
		tasks[i].have = extents_free(tasks[i].have, NULL);
		tasks[i].active = false;
	}
	(void)sim_run(t.rig.k.loops, NULL, NULL, 500);
	if (acl_lun_unlink(al, &err) || acl_lun_remove(al, &err) || acl_remove(acl, &err))
		fail_msg("%s", err.text);
	sim_target_done(&t);
}

/* Which commands are at what. */
static void hangs(void)
{
	for (unsigned i = 0; i < NTASKS; i++) {
		const struct job *k = &tasks[i];

		if (k->active)
			print_error("ITT %u CmdSN %x: %s %u bytes, has %u, DataSN %u, DataACK %u, "
				    "tag %u, status %d with %x\n",
				k->itt, k->cmdsn, k->write ? "write" : "read", k->bytes,
				extents_have(k->have, 0, k->bytes), k->exp_datasn, k->datack,
				k->tag, k->has_status, k->statsn);
	}
	fail_msg("it hangs: ExpCmdSN %x of %x, ExpStatSN %x", exp_cmdsn, cmdsn, acked);
}

/* Commands until so many have ended; then none is begun any more, and all end. */
static void work(uint64_t commands)
{
	uint64_t until = done + commands;

	for (unsigned round = 0;; round++) {
		bool any = false;

		for (uint32_t i = 0; i < NTASKS; i++) {
			if (!tasks[i].active && done < until && sna_le(cmdsn, max_cmdsn))
				start(&tasks[i], i);
			any = any || tasks[i].active;
		}
		if (!any)
			return;
		pump(1 + pick(60));
		if (closed)
			fail_msg("the target closed");
		if (round > 400000)
			hangs();
	}
}

/* All data modes, no loss: data in order, then in disorder as both sides may have it. */
static void orders(void **state)
{
	moved = strays = astray = 0;
	for (uint64_t seed = 0; seed < 48; seed++) {
		loss = 0;
		begin(seed, seed % 2, seed % 4 > 1);
		login();
		work(80);
		assert_int_equal(rejects, 0);
		logout();
		end();
	}
	/* Data-Out, Data-In and R2Ts did go in disorder. */
	assert_true(moved > 100 && strays > 100 && astray > 20);
}

static void losses(void **state)
{
	lost = snacks = resent = rdata = recovered_r2ts = rejects = 0;
	for (uint64_t seed = 0; seed < 60; seed++) {
		begin(seed, 1, seed % 4 == 3);
		loss = 6 + (uint32_t)seed % 4 * 12;
		login();
		work(100);
		logout();
		end();
	}
	/* All kinds of it have happened. */
	assert_true(lost > 2000 && snacks > 2000 && resent > 200 && rdata > 100);
	assert_true(recovered_r2ts > 100 && rejects > 100);
}

/* The connection goes in the midst of it: nothing is left behind (the rig, ASan). */
static void cut_off(void **state)
{
	for (uint64_t seed = 0; seed < 48; seed++) {
		begin(seed, 1, seed % 2);
		loss = 8;
		login();
		for (unsigned i = 0; i < 10 + seed; i++) {
			for (uint32_t k = 0; k < NTASKS; k++)
				if (!tasks[k].active && sna_le(cmdsn, max_cmdsn))
					start(&tasks[k], k);
			pump(1 + pick(40));
			if (pick(8) == 0)
				ask_again();
		}
		assert_false(closed);
		/* Nobody takes what is sent, and what is to be sent again is still on its way. */
		loss = 0;
		sim_stall(t.rig.k.loops, fd, seed % 4 < 2);
		for (unsigned i = 0; i < 4; i++, (void)sim_run(t.rig.k.loops, NULL, NULL, 100))
			ask_again();
		sim_close(t.rig.k.loops, fd, seed % 3);
		end();
	}
}

/* Without any acknowledgement: the window closes, and a ping asks for one. */
static void never_acked(void **state)
{
	uint64_t before, depth;

	begin(0, 1, false);
	loss = 0;
	login();
	work(4);
	ping();
	pump(100);
	depth = max_cmdsn - cmdsn + 1;
	before = done;
	mute = true;
	pings = rejects = 0;
	for (unsigned i = 0; i < 3000; i++) {
		for (uint32_t k = 0; k < NTASKS; k++)
			if (!tasks[k].active && sna_le(cmdsn, max_cmdsn))
				start(&tasks[k], k);
		pump(20);
	}
	assert_false(closed);
	assert_int_equal(done - before, 2 * depth);
	assert_true(pings > 0);
	/* All of it can still be had again. */
	snack(ISCSI_SNACK_STATUS, TAG_RESERVED, TAG_RESERVED, 0, 0);
	pump(100);
	assert_int_equal(rejects, 0);
	mute = false;
	/* It says nothing of its own accord, and its answers to pings get lost now and then. */
	loss = 3;
	for (unsigned i = 0; !sna_le(cmdsn + depth / 2, max_cmdsn); i++) {
		assert_true(i < 2000);
		wait(50);
	}
	loss = 0;
	work(4 * depth);
	logout();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(losses),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(never_acked),
	};

	log_set_level(getenv("TR") ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
