/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pdu_fuzz.c: initiators against a whole target in the simulator: login, commands in all ways of
 * bringing their data, text, task management, logout, lost and replaced connections, time.
 *
 * Bytes 0 to 3 choose the negotiated parameters, the disk, and the seed of the simulation, which
 * cuts the stream and orders what happens at once. Then records: a byte whose low bits choose the
 * kind and whose high bits say how long the simulation goes on afterwards, and the fields of that
 * kind. What a record makes is right as long as no record asks for something wrong; so long the
 * answers are held to be right and complete, then only to be well formed (pdu_check.c). In the end
 * connections, sessions, commands and pages must all be gone.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fabric/iscsi/target.h"
#include "loop/sim.h"
#include "pdu_peer.h"
#include "rig.h"
#include "scsi/opcodes.h"

#define TARGET "iqn.2003-01.test:fuzz"

enum { /* byte 0 */
	FROM_LOGIN = 0x01,
	HEADER_DIGEST = 0x02,
	DATA_DIGEST = 0x04,
	IMMEDIATE_DATA = 0x08,
	INITIAL_R2T = 0x10,
	LARGE_SEGMENTS = 0x20, /* they are received straight to their place */
	TWO_LOOPS = 0x40,
	FEW_PAGES = 0x80, /* memory runs out */
};

enum { NPEERS = 3, RECORDS_MAX = 96, BLOCKS = 256 };

struct fuzz {
	struct rig rig;
	struct entity *entity;
	struct target *target;
	struct tpg *tpg;
	struct portal *portal;
	struct lu *lu;
	bool filter; /* the disk has an error filter */
	bool may_close; /* there is a reason for the target to end connections */
	struct peer_params params;
	uint8_t how;
	struct peer peers[NPEERS], *peer;
};

static uint8_t *rx_memory, *data_memory;

/* ---- the target ----------------------------------------------------------------------------- */

static const char *const disks[] = {
	"ram:128k",
	"delay:ms=1|ram:128k",
	"error:mode=off|ram:128k",
	"error:mode=fail,after=2,count=3|ram:128k",
	"error:mode=late,op=write,after=1,count=4|ram:128k",
	"error:mode=short,op=read,after=1|ram:128k",
	"error:mode=stuck,after=3|ram:128k",
	"error:mode=drop,after=2,count=2|ram:128k",
};

static void target_start(struct fuzz *f, uint8_t disk, uint32_t depth)
{
	struct errmsg err;

	errmsg_init(&err);
	f->lu = rig_lu_new(&f->rig, disks[disk % 8], NULL, NULL);
	f->filter = disk % 8 >= 2;
	REQUIRE(!entity_new(f->rig.eng, &f->entity), "no entity");
	REQUIRE(!target_new(f->entity, TARGET, &f->target, &err) &&
			!tpg_new(f->target, 1, &f->tpg, &err),
		"%s", err.text);
	rig_map(f->tpg->port, 0, f->lu);
	f->tpg->attribs.authentication = 0;
	f->tpg->port->generate_node_acls = 1;
	f->tpg->port->demo_mode_write_protect = 0;
	f->tpg->port->default_queue_depth = depth;
	f->tpg->keys.auth_method = AUTH_METHOD_CHAP | AUTH_METHOD_NONE;
	f->tpg->keys.initial_r2t = false;
	f->tpg->keys.immediate_data = true;
	f->tpg->keys.max_outstanding_r2t = 8;
	f->tpg->keys.max_recv_data_segment_length = f->params.target_recv;
	REQUIRE(!portal_new(f->tpg, "127.0.0.1:3260", &f->portal, &err) &&
			!tpg_enable(f->tpg, true, &err),
		"%s", err.text);
}

static void target_stop(struct fuzz *f)
{
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(list_empty(&f->tpg->sessions) && !f->tpg->nsessions, "sessions are left");
	REQUIRE(list_empty(&f->tpg->port->nexuses), "nexuses are left");
	REQUIRE(!tpg_enable(f->tpg, false, &err) && !portal_free(f->portal, &err), "%s", err.text);
	rig_unmap(f->tpg->port, 0);
	REQUIRE(!tpg_free(f->tpg, &err) && !target_free(f->target, &err), "%s", err.text);
	entity_free(f->entity);
	rig_lu_free(f->lu);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void take_all(struct fuzz *f)
{
	for (unsigned i = 0; i < NPEERS; i++) {
		struct peer *p = &f->peers[i];

		peer_take(p);
		/* Data that are asked for and not sent end the connection (dataout_timeout). */
		if (p->nr2ts && sim_now_ns(f->rig.loops) > 3 * NS_PER_S)
			f->may_close = true;
		REQUIRE(!p->closed || p->fd < 0 || p->loose || f->may_close || p->logged_out,
			"the target has closed a connection of which it can have no complaint");
	}
}

static void run(struct fuzz *f, uint64_t ns)
{
	if (ns)
		rig_run(&f->rig, ns);
	/* By then a ping may have gone unanswered. */
	if (sim_now_ns(f->rig.loops) > 40 * NS_PER_S)
		f->may_close = true;
	take_all(f);
}

/* ---- records -------------------------------------------------------------------------------- */

static void connect_peer(struct fuzz *f, bool login)
{
	struct peer *p = f->peer;

	p->p = f->params;
	if (!login)
		p->p.header_digest = p->p.data_digest = false;
	peer_connect(p);
	if (p->fd < 0)
		return;
	if (!login) {
		p->loose = p->any_length = true;
		return;
	}
	peer_send_login_plain(p, TARGET);
	for (unsigned i = 0; i < 200 && !p->full_feature && !p->closed; i++)
		run(f, 200 * NS_PER_US);
	REQUIRE(p->full_feature || f->may_close, "a login %s", p->closed ? "was refused" : "hangs");
}

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
		(uint32_t)edtl, data_memory, how & 8);
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
		peer_send_command(f->peer, flags & 0x67, 0, cdb, (uint32_t)cdb_bytes, edtl,
			data_memory, flags & 8);
		return;
	}
	peer_send_command(
		f->peer, flags & 0x67, 0, cdb, (uint32_t)cdb_bytes, edtl, data, flags & 8);
}

static void rec_answer(struct fuzz *f, struct input *in)
{
	unsigned n = input_u8(in) % 8;

	do
		if (!peer_answer_r2t(f->peer))
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
		r.itt = p->itt - 1 - which % 8;
	d.flags = which & ISCSI_FINAL;
	d.initiator_task_tag = be32_put(r.itt);
	d.target_transfer_tag = be32_put(r.ttt);
	d.datasn = be32_put(sn);
	d.buffer_offset = be32_put(r.off + off);
	peer_set_loose(p);
	peer_send_pdu(p, &d, NULL, 0, data_memory, n);
}

static void rec_nop(struct fuzz *f, struct input *in)
{
	struct bhs_nop_out q = { .opcode = ISCSI_OP_NOP_OUT, .flags = ISCSI_FINAL };
	struct peer *p = f->peer;
	uint8_t how = input_u8(in), n = input_u8(in);
	bool answer = how & 1 && p->ping_ttt != TAG_RESERVED, immediate = how & 2 || answer;

	if (!immediate && !peer_has_room(p))
		return;
	if (immediate)
		q.opcode |= ISCSI_OP_IMMEDIATE;
	q.initiator_task_tag = be32_put(answer ? TAG_RESERVED : peer_take_itt(p));
	q.target_transfer_tag = be32_put(answer ? p->ping_ttt : TAG_RESERVED);
	q.cmdsn = be32_put(peer_take_cmdsn(p, immediate));
	q.expstatsn = be32_put(p->statsn);
	if (answer)
		p->ping_ttt = TAG_RESERVED;
	peer_send_pdu(p, &q, NULL, 0, data_memory, answer ? 0 : n);
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
	q.expstatsn = be32_put(p->statsn);
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
	q.expstatsn = be32_put(p->statsn);
	/* Some of them end the tasks of all. */
	for (unsigned i = 0; i < NPEERS; i++)
		peer_loosen_tasks(&f->peers[i]);
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
	q.cmdsn = be32_put(peer_take_cmdsn(p, how & 4));
	q.expstatsn = be32_put(p->statsn);
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
	f->peer->isid = how & 0x20 ? 1 : (uint8_t)(f->peer - f->peers + 1);
	if (f->peer->isid == 1)
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
	unsigned i = how % NPEERS;

	f->peer = &f->peers[i];
	if (how & 0x80 && f->peer->fd >= 0)
		peer_close(f->peer, how & 0x40);
	if (f->peer->fd >= 0 || how & 0x20)
		return;
	f->peer->isid = how & 0x10 ? 1 : (uint8_t)(i + 1);
	/* The same initiator port: the session of another connection ends (6.3.5). */
	if (how & 0x10)
		f->may_close = true;
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
	for (unsigned i = 0; i < NPEERS; i++)
		peer_loosen_tasks(&f->peers[i]);
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

static void (*const records[])(struct fuzz *f, struct input *in) = {
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

static void run_records(struct fuzz *f, struct input *in)
{
	static const uint64_t pauses[] = { 0, 0, 20 * NS_PER_US, 100 * NS_PER_US, 500 * NS_PER_US,
		2 * NS_PER_MS, 10 * NS_PER_MS, 100 * NS_PER_MS };

	for (unsigned i = 0; i < RECORDS_MAX && in->left; i++) {
		uint8_t kind = input_u8(in);

		records[(kind & 0x1f) % (sizeof(records) / sizeof(records[0]))](f, in);
		run(f, pauses[kind >> 5]);
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Every command that was right gets its answer. */
static void drain(struct fuzz *f, struct peer *p)
{
	for (unsigned i = 0; i < 2000 && p->nactive && !p->closed && !p->loose; i++) {
		/* The data of others may be what it waits for. */
		for (unsigned k = 0; k < NPEERS; k++)
			while (f->peers[k].fd >= 0 && peer_answer_r2t(&f->peers[k]))
				;
		run(f, i < 100 ? NS_PER_MS : 20 * NS_PER_MS);
	}
	if (!p->nactive || p->closed || p->loose)
		return;
	for (unsigned i = 0; i < PEER_TASKS; i++)
		REQUIRE(!p->tasks[i].active || p->tasks[i].loose,
			"no answer to ITT %u, CmdSN %u (ExpCmdSN %u): %u of %u bytes",
			p->tasks[i].itt, p->tasks[i].cmdsn, p->exp_cmdsn, p->tasks[i].in,
			p->tasks[i].edtl);
}

/*
 * For answers that must come. They may be behind an ORDERED task of an initiator that never sends
 * the data it owes: it has to go first.
 */
static bool anyone_waits(const struct fuzz *f)
{
	for (unsigned i = 0; i < NPEERS; i++)
		if (f->peers[i].nactive && !f->peers[i].loose)
			return true;
	return false;
}

static void end(struct fuzz *f, uint8_t how)
{
	if (f->filter)
		rig_set(f->lu, "mode", "off");
	for (unsigned i = 0; i < NPEERS; i++) {
		struct peer *p = &f->peers[i];

		if (p->stalled && p->fd >= 0)
			sim_stall(f->rig.loops, p->fd, false);
		p->stalled = false;
	}
	if (anyone_waits(f))
		for (unsigned i = 0; i < NPEERS; i++)
			if (f->peers[i].loose)
				peer_close(&f->peers[i], how >> (i + 3) & 1);
	for (unsigned i = 0; i < NPEERS; i++)
		if (f->peers[i].fd >= 0 && f->peers[i].full_feature)
			drain(f, &f->peers[i]);
	f->may_close = true;
	for (unsigned i = 0; i < NPEERS; i++)
		if (!(how >> i & 1))
			peer_close(&f->peers[i], how >> (i + 3) & 1);
	REQUIRE(!entity_stop(f->entity, 100 * NS_PER_S), "connections do not end");
	take_all(f);
	for (unsigned i = 0; i < NPEERS; i++)
		peer_close(&f->peers[i], false);
	target_stop(f);
}

static void choose(struct fuzz *f, uint8_t how, uint8_t sizes)
{
	static const uint32_t recvs[] = { 512, 1536, 8192, 65536 };
	static const uint32_t bursts[] = { 512, 4096, 16384, 65536 };
	struct peer_params *p = &f->params;

	f->how = how;
	p->header_digest = how & HEADER_DIGEST;
	p->data_digest = how & DATA_DIGEST;
	p->immediate = how & IMMEDIATE_DATA;
	p->initial_r2t = how & INITIAL_R2T;
	p->target_recv = how & LARGE_SEGMENTS ? 49152 : 1024;
	p->recv = recvs[sizes & 3];
	p->max_burst = bursts[sizes >> 2 & 3];
	p->first_burst = bursts[sizes >> 4 & 3];
	if (p->first_burst > p->max_burst)
		p->first_burst = p->max_burst;
	p->r2ts = 1 + (sizes >> 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t depths[] = { 1, 3, 16, 64 };
	struct input in = { data, size };
	uint8_t how = input_u8(&in), sizes = input_u8(&in), disk = input_u8(&in);
	uint8_t seed = input_u8(&in), ending = input_u8(&in);
	static struct fuzz f;

	if (!rx_memory) {
		rx_memory = malloc(NPEERS * (size_t)PEER_RX_BYTES);
		data_memory = malloc(PEER_DATA_BYTES);
		REQUIRE(rx_memory && data_memory, "out of memory");
		for (unsigned i = 0; i < PEER_DATA_BYTES; i++)
			data_memory[i] = (uint8_t)(i / 512 + i);
	}
	memset(&f, 0, sizeof(f));
	choose(&f, how, sizes);
	f.may_close = how & FEW_PAGES;
	rig_init(&f.rig, how & TWO_LOOPS ? 2 : 1, seed, how & FEW_PAGES ? 262144 : 1792 << 10);
	target_start(&f, disk, depths[disk >> 3 & 3]);
	for (unsigned i = 0; i < NPEERS; i++)
		f.peers[i] = (struct peer){ .loops = f.rig.loops,
			.fd = -1,
			.isid = (uint8_t)(i + 1),
			.rx = rx_memory + i * (size_t)PEER_RX_BYTES,
			.data = data_memory };
	f.peer = &f.peers[0];
	connect_peer(&f, !(how & FROM_LOGIN));
	run_records(&f, &in);
	end(&f, ending);
	rig_done(&f.rig);
	return 0;
}
