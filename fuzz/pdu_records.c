/* SPDX-License-Identifier: BSD-3-Clause */
/* pdu_records.c: what the records of an input of pdu_fuzz.c do. */
#include <string.h>

#include "base/clock.h"
#include "loop/sim.h"
#include "pdu_fuzz.h"
#include "scsi/opcodes.h"

enum layout { L6, L10, L12, L16, NO_BLOCKS };

/* Commands that are right, with what their fields stand for. */
static const struct {
	uint8_t opcode, byte1, flags, layout;
	uint16_t bytes; /* to transfer, 0: the blocks */
} templates[] = {
	{ OP_READ_10, 0, CMD_READ, L10, 0 },
	{ OP_WRITE_10, 0, CMD_WRITE, L10, 0 },
	{ OP_READ_16, 0, CMD_READ, L16, 0 },
	{ OP_WRITE_16, 0x08, CMD_WRITE, L16, 0 },
	{ OP_TEST_UNIT_READY, 0, 0, NO_BLOCKS, 0 },
	{ OP_INQUIRY, 0, CMD_READ, NO_BLOCKS, 96 },
	{ OP_REQUEST_SENSE, 0, CMD_READ, NO_BLOCKS, 96 },
	{ OP_READ_CAPACITY_10, 0, CMD_READ, NO_BLOCKS, 8 },
	{ OP_MODE_SENSE_6, 0, CMD_READ, NO_BLOCKS, 192 },
	{ OP_VERIFY_16, 0x02, CMD_WRITE, L16, 0 },
	{ OP_WRITE_AND_VERIFY_10, 0, CMD_WRITE, L10, 0 },
	{ OP_WRITE_SAME_16, 0, CMD_WRITE, L16, 512 },
	{ OP_SYNCHRONIZE_CACHE_10, 0, 0, L10, 0 },
	{ OP_READ_12, 0, CMD_READ, L12, 0 },
	{ OP_WRITE_6, 0, CMD_WRITE, L6, 0 },
	{ OP_REPORT_LUNS, 0, CMD_READ, NO_BLOCKS, 64 },
};

/* Returns the bytes of blocks that are to be moved. */
static uint32_t put_blocks(uint8_t *cdb, enum layout layout, uint8_t lba, uint8_t n)
{
	switch (layout) {
	case L6:
		cdb[3] = lba;
		cdb[4] = n;
		break;
	case L10:
		cdb[5] = lba;
		cdb[8] = n;
		break;
	case L12:
		cdb[5] = lba;
		cdb[9] = n;
		break;
	case L16:
		cdb[9] = lba;
		cdb[13] = n;
		break;
	case NO_BLOCKS:
		break;
	}
	return n * 512u;
}

static void rec_command(struct fuzz *f, struct input *in)
{
	uint8_t which = input_u8(in) % 16, lba = input_u8(in), n = input_u8(in);
	uint8_t how = input_u8(in), cdb[16] = { 0 };
	static const int16_t more[4] = { 0, 0, 512, -509 };
	uint32_t bytes;
	int64_t edtl;

	cdb[0] = templates[which].opcode;
	cdb[1] = templates[which].byte1;
	bytes = put_blocks(cdb, templates[which].layout, lba, n);
	if (templates[which].bytes) {
		bytes = templates[which].bytes;
		if (which == 8)
			cdb[2] = 0x3f;
		if (which != 11)
			cdb[which == 15 ? 9 : 4] = (uint8_t)bytes;
	}
	edtl = (int64_t)bytes + more[how >> 6];
	if (!templates[which].flags || edtl < 0)
		edtl = 0;
	/* Attributes beyond those of level 0 are refused: no less right. */
	peer_send_command(f->peer, templates[which].flags | (how & 7), how & 0x10 ? 1 : 0, cdb, 16,
		(uint32_t)edtl, f->data, how & 8);
}

/* Any CDB, with a parameter list out of the input. */
static void rec_cdb(struct fuzz *f, struct input *in)
{
	uint8_t flags = input_u8(in), lens = input_u8(in), cdb[48] = { 0 }, data[256] = { 0 };
	size_t cdb_bytes = 16 + (lens & 0x10 ? lens & 0x0f : 0), got;
	uint32_t edtl;
	const uint8_t *p;

	edtl = input_u16(in);
	p = input_bytes(in, cdb_bytes, &got);
	memcpy(cdb, p, got);
	p = input_bytes(in, lens & 0x20 ? 24 : 0, &got);
	memcpy(data, p, got);
	if ((flags & (CMD_READ | CMD_WRITE)) == 0)
		edtl = 0;
	if (edtl > sizeof(data) && flags & CMD_WRITE) {
		peer_send_command(f->peer, flags & 0x67, 0, cdb, (uint32_t)cdb_bytes, edtl, f->data,
			flags & 8);
		return;
	}
	peer_send_command(
		f->peer, flags & 0x67, 0, cdb, (uint32_t)cdb_bytes, edtl, data, flags & 8);
}

static void rec_answer(struct fuzz *f, struct input *in)
{
	unsigned n = input_u8(in) % 8;

	do
		if (!peer_answer_r2t(f->peer, 0))
			return;
	while (n--);
}

/* Data-Out as it comes: for an R2T that is there, or for none. */
static void rec_data(struct fuzz *f, struct input *in)
{
	struct bhs_data_out d = { .opcode = ISCSI_OP_DATA_OUT };
	struct peer *p = f->peer;
	struct peer_r2t r = { .ttt = TAG_RESERVED };
	uint8_t which = input_u8(in), sn = input_u8(in);
	uint16_t n = input_u16(in), off = input_u16(in);

	if (which & 0x40 && p->nr2ts)
		r = p->r2ts[which % p->nr2ts];
	else
		r.itt = p->s->itt - 1 - which % 8;
	d.flags = which & ISCSI_FINAL;
	d.initiator_task_tag = be32_put(r.itt);
	d.target_transfer_tag = be32_put(r.ttt);
	d.datasn = be32_put(sn);
	d.buffer_offset = be32_put(r.off + off);
	peer_set_loose(p);
	peer_send_pdu(p, &d, NULL, 0, f->data, n);
}

static void rec_nop(struct fuzz *f, struct input *in)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT, .flags = ISCSI_FINAL };
	struct peer *p = f->peer;
	uint8_t how = input_u8(in), n = input_u8(in);
	bool immediate = how & 2;

	if (how & 1 && p->ping_ttt != TAG_RESERVED) {
		peer_answer_ping(p);
		return;
	}
	if (!immediate && !peer_has_room(p))
		return;
	if (immediate)
		q.opcode |= ISCSI_OP_IMMEDIATE;
	q.initiator_task_tag = be32_put(peer_take_itt(p));
	q.target_transfer_tag = be32_put(TAG_RESERVED);
	q.cmdsn = be32_put(peer_take_cmdsn(p, immediate));
	q.expstatsn = be32_put(peer_ack(p));
	peer_send_pdu(p, &q, NULL, 0, f->data, n);
}

static const char *const texts[] = {
	"SendTargets=All",
	"SendTargets=",
	("SendTargets=" TARGET),
	"MaxRecvDataSegmentLength=512",
	"MaxRecvDataSegmentLength=16777215",
	"X-com.example=1",
	"InitiatorAlias=fuzz",
};

static void rec_text(struct fuzz *f, struct input *in)
{
	struct bhs_text_request q = { .opcode = ISCSI_OP_TEXT_REQUEST };
	struct peer *p = f->peer;
	uint8_t how = input_u8(in), len = input_u8(in);
	const void *text = texts[len % 7];
	size_t n = strlen(text) + 1;
	bool go_on = how & 1 && p->text_ttt != TAG_RESERVED;

	if (how & 2)
		text = input_bytes(in, len, &n);
	if (!(how & 8) && !peer_has_room(p))
		return;
	if (how & 8)
		q.opcode |= ISCSI_OP_IMMEDIATE;
	q.flags = how & (TEXT_FINAL | TEXT_CONTINUE);
	q.initiator_task_tag = be32_put(go_on ? p->text_itt : peer_take_itt(p));
	q.target_transfer_tag = be32_put(go_on ? p->text_ttt : TAG_RESERVED);
	q.cmdsn = be32_put(peer_take_cmdsn(p, how & 8));
	q.expstatsn = be32_put(peer_ack(p));
	p->any_length = p->may_reject = true;
	if (how & 3 || how & TEXT_CONTINUE)
		peer_set_loose(p);
	peer_send_pdu(p, &q, NULL, 0, text, (uint32_t)n);
}

static void rec_tmf(struct fuzz *f, struct input *in)
{
	struct bhs_tmf_request q = { .opcode = ISCSI_OP_TASK_MANAGEMENT_REQUEST };
	struct peer *p = f->peer;
	uint8_t function = input_u8(in), how = input_u8(in);
	const struct peer_task *k = &p->tasks[how % PEER_TASKS];

	if (!(how & 0x40) && !peer_has_room(p))
		return;
	if (how & 0x40)
		q.opcode |= ISCSI_OP_IMMEDIATE;
	q.function = ISCSI_FINAL | function % 14;
	q.lun[1] = how & 0x80 ? 1 : 0;
	q.initiator_task_tag = be32_put(peer_take_itt(p));
	q.referenced_task_tag =
		be32_put(function % 14 == ISCSI_TMF_ABORT_TASK ? k->itt : TAG_RESERVED);
	q.refcmdsn = be32_put(k->cmdsn + (function >> 7));
	q.cmdsn = be32_put(peer_take_cmdsn(p, how & 0x40));
	q.expstatsn = be32_put(peer_ack(p));
	/* Some of them end the tasks of all. */
	loosen_all(f);
	if (function % 14 == ISCSI_TMF_TARGET_COLD_RESET)
		f->may_close = true;
	/* A CmdSN that is yet to come counts as received (4.2.3.2) and is never answered then. */
	if (function >> 7)
		peer_set_loose(p);
	peer_send_pdu(p, &q, NULL, 0, NULL, 0);
}

static void rec_logout(struct fuzz *f, struct input *in)
{
	struct bhs_logout_request q = { .opcode = ISCSI_OP_LOGOUT_REQUEST };
	struct peer *p = f->peer;
	uint8_t how = input_u8(in);

	q.reason = ISCSI_FINAL | (how & 3);
	if (how & 4)
		q.opcode |= ISCSI_OP_IMMEDIATE;
	else if (!peer_has_room(p))
		return;
	q.initiator_task_tag = be32_put(peer_take_itt(p));
	q.cid = be16_put(how & 8 ? 2 : 1);
	if ((how & 3) == ISCSI_LOGOUT_CLOSE_SESSION || be16_get(q.cid) == p->cid)
		p->logout_own_itt = be32_get(q.initiator_task_tag);
	end_others(f, p);
	q.cmdsn = be32_put(peer_take_cmdsn(p, how & 4));
	q.expstatsn = be32_put(peer_ack(p));
	peer_set_loose(p);
	peer_send_pdu(p, &q, NULL, 0, NULL, 0);
}

/* A header as it comes, but for its lengths. */
static void rec_pdu(struct fuzz *f, struct input *in)
{
	uint8_t bhs[BHS_BYTES] = { 0 }, ahs[256] = { 0 };
	uint8_t n = input_u8(in), words = input_u8(in) % 8;
	size_t got;
	const uint8_t *p = input_bytes(in, BHS_BYTES, &got);

	memcpy(bhs, p, got);
	p = input_bytes(in, words * 4u, &got);
	memcpy(ahs, p, got);
	p = input_bytes(in, n, &got);
	f->peer->any_length = true;
	peer_set_loose(f->peer);
	peer_send_pdu(f->peer, bhs, ahs, words * 4u, p, (uint32_t)got);
}

static void rec_bytes(struct fuzz *f, struct input *in)
{
	size_t n;
	const uint8_t *p = input_bytes(in, input_u8(in), &n);

	f->peer->any_length = true;
	peer_set_loose(f->peer);
	peer_send_raw(f->peer, p, n);
}

static void rec_tweak(struct fuzz *f, struct input *in)
{
	struct peer_tweak *t = &f->peer->tweak;

	t->at = input_u8(in) % (BHS_BYTES + 8);
	t->flip = input_u8(in);
	t->on = true;
}

#define TEXT(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s)                                                                       \
	}

static const struct {
	const char *text;
	size_t bytes;
} login_texts[] = {
	TEXT("InitiatorName=iqn.2003-01.test:peer\0TargetName=" TARGET),
	TEXT("InitiatorName=iqn.2003-01.test:peer\0SessionType=Discovery"),
	TEXT("AuthMethod=None"),
	TEXT("HeaderDigest=CRC32C,None\0DataDigest=CRC32C,None\0MaxRecvDataSegmentLength=1024"),
	TEXT("InitialR2T=No\0ImmediateData=Yes\0FirstBurstLength=1024\0MaxBurstLength=2048"),
	TEXT("AuthMethod=CHAP"),
	TEXT("CHAP_A=5,7"),
	TEXT("MaxOutstandingR2T=3\0DataPDUInOrder=No\0DataSequenceInOrder=No"),
};

static void rec_login(struct fuzz *f, struct input *in)
{
	uint8_t flags = input_u8(in), how = input_u8(in);
	const void *text = login_texts[how % 8].text;
	size_t n = login_texts[how % 8].bytes;

	if (how & 8)
		text = input_bytes(in, input_u8(in), &n);
	f->peer->any_length = true;
	peer_set_loose(f->peer);
	f->peer->s->isid = how & 0x20 ? 1 : (uint8_t)(f->peer - f->peers + 1);
	if (f->peer->s->isid == 1 || others_of(f, f->peer->s->isid))
		f->may_close = true; /* it may replace the session of another */
	peer_send_login(f->peer, flags, how >> 6, text, (uint32_t)n);
}

static void rec_time(struct fuzz *f, struct input *in)
{
	uint8_t n = input_u8(in);

	run(f, n * n * NS_PER_MS);
}

/* Go to another connection; make it, or make it anew. */
static void rec_connection(struct fuzz *f, struct input *in)
{
	uint8_t how = input_u8(in);
	unsigned i = how % NLEADS;

	f->peer = &f->peers[i];
	if (how & 0x80 && f->peer->fd >= 0)
		peer_close(f->peer, how & 0x40);
	if (f->peer->fd >= 0 || how & 0x20)
		return;
	/* The same initiator port: the session of another connection ends (6.3.5). */
	if (how & 0x10)
		f->may_close = true;
	session_new(f, f->peer, how & 0x10 ? 1 : (uint8_t)(i + 1));
	connect_peer(f, !(how & 0x08));
}

static void rec_stall(struct fuzz *f, struct input *in)
{
	struct peer *p = f->peer;

	p->stalled = input_u8(in) & 1;
	f->may_close = true;
	if (p->fd >= 0)
		sim_stall(f->rig.loops, p->fd, p->stalled);
}

/* What an administrator does meanwhile. */
static void rec_admin(struct fuzz *f, struct input *in)
{
	static const char *const modes[] = { "off", "fail", "late", "stuck", "short", "drop" };
	uint8_t how = input_u8(in);
	struct errmsg err;

	errmsg_init(&err);
	loosen_all(f);
	if (how & 0x80) {
		f->may_close = true;
		REQUIRE(!port_drop_nexuses(f->tpg->port, NULL, "fuzz", 100 * NS_PER_S),
			"nexuses do not end");
	} else if (how & 0x40) {
		f->may_close = true;
		REQUIRE(!tpg_enable(f->tpg, false, &err) && !tpg_enable(f->tpg, true, &err), "%s",
			err.text);
	} else if (f->filter) {
		rig_set(f->lu, "mode", modes[how % 6]);
	}
}

static record_fn *const records[] = {
	rec_command,
	rec_command,
	rec_cdb,
	rec_answer,
	rec_data,
	rec_nop,
	rec_text,
	rec_tmf,
	rec_logout,
	rec_pdu,
	rec_bytes,
	rec_tweak,
	rec_login,
	rec_time,
	rec_connection,
	rec_stall,
	rec_admin,
};

void do_record(struct fuzz *f, unsigned kind, struct input *in)
{
	static const unsigned n = sizeof(records) / sizeof(records[0]);

	if (!f->wide)
		records[kind % n](f, in);
	else if (kind % (n + recovery_records_n) < n)
		records[kind % (n + recovery_records_n)](f, in);
	else
		recovery_records[kind % (n + recovery_records_n) - n](f, in);
}
