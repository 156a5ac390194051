/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pdu_fuzz.c: initiators against a whole target in the simulator: login, commands in all ways of
 * bringing their data, text, task management, logout, lost and replaced connections, recovery at
 * ErrorRecoveryLevel 1 and 2, several connections to a session, time.
 *
 * Bytes 0 to 4 choose the negotiated parameters, the disk, and the seed of the simulation, which
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
#include "loop/sim.h"
#include "pdu_fuzz.h"

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

enum { /* byte 2, beside the disk and the depth of the window */
	LEVEL_SHIFT = 5, /* 0 to 2; 3 is 2, too */
	DISORDER = 0x80,
};

enum { /* byte 4, beside who is there at the end */
	WIDE = 0xc0, /* both: the records of recovery at level 0 as well */
};

enum { RECORDS_MAX = 96 };

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

/* An ACL for the initiator, by which all goes in disorder. */
static void acl_start(struct fuzz *f)
{
	struct node_attribs *a;
	struct acl_lun *al;
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(!acl_add(f->tpg->port, PEER_NAME, &f->acl, &err) &&
			!acl_lun_add(f->acl, 0, &al, &err) &&
			!acl_lun_link(al, port_lun_find(f->tpg->port, 0), "disk", &err),
		"%s", err.text);
	a = &((struct node_data *)f->acl->fabric_data)->attribs;
	a->random_datain_pdu_offsets = a->random_datain_seq_offsets = a->random_r2t_offsets = 1;
}

static void acl_stop(struct fuzz *f)
{
	struct acl_lun *al = list_first(&f->acl->luns, struct acl_lun, link);
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(!acl_lun_unlink(al, &err) && !acl_lun_remove(al, &err) && !acl_remove(f->acl, &err),
		"%s", err.text);
}

static void keys_start(struct fuzz *f)
{
	struct keys_config *k = &f->tpg->keys;

	k->auth_method = AUTH_METHOD_CHAP | AUTH_METHOD_NONE;
	k->initial_r2t = false;
	k->immediate_data = true;
	k->max_outstanding_r2t = 8;
	k->max_recv_data_segment_length = f->params.target_recv;
	k->max_connections = 16;
	k->error_recovery_level = 2;
	k->default_time2wait = 0;
	k->data_pdu_in_order = k->data_sequence_in_order = false;
}

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
	keys_start(f);
	if (f->params.disorder)
		acl_start(f);
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
	if (f->acl)
		acl_stop(f);
	rig_unmap(f->tpg->port, 0);
	REQUIRE(!tpg_free(f->tpg, &err) && !target_free(f->target, &err), "%s", err.text);
	entity_free(f->entity);
	rig_lu_free(f->lu);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void take_all(struct fuzz *f)
{
	uint64_t now = sim_now_ns(f->rig.loops);

	for (unsigned i = 0; i < NPEERS; i++) {
		struct peer *p = &f->peers[i];

		peer_take(p);
		/* Data that are asked for and not sent end the connection (dataout_timeout). */
		if (p->nr2ts && now > 3 * NS_PER_S)
			f->may_close = true;
		/* So does a ping without an answer, the sooner if others wait for what it asks. */
		if (p->ping_ttt != TAG_RESERVED && now > 9 * NS_PER_S)
			f->may_close = true;
		REQUIRE(!p->closed || p->fd < 0 || peer_loose(p) || f->may_close || p->may_end ||
				p->logged_out,
			"the target has closed a connection of which it can have no complaint");
	}
	/* Time2Retain is 20 s. */
	for (unsigned i = 0; i < NPEERS + 1; i++) {
		struct peer_sess *s = &f->sessions[i];

		if ((s->gone || s->nlost) && now - s->lost_ns > 18 * NS_PER_S)
			s->gone = s->nlost = 0;
	}
}

void run(struct fuzz *f, uint64_t ns)
{
	if (ns)
		rig_run(&f->rig, ns);
	/* By then a ping may have gone unanswered. */
	if (sim_now_ns(f->rig.loops) > 40 * NS_PER_S)
		f->may_close = true;
	take_all(f);
}

/* ---- sessions ------------------------------------------------------------------------------- */

bool others_of(const struct fuzz *f, uint8_t isid)
{
	for (unsigned i = 0; i < NPEERS; i++)
		if (&f->peers[i] != f->peer && f->peers[i].fd >= 0 && f->peers[i].s->isid == isid)
			return true;
	return false;
}

static void end_session(struct fuzz *f, struct peer_sess *s)
{
	s->ended = true;
	s->nlost = s->gone = 0;
	for (unsigned i = 0; i < NPEERS; i++) {
		if (f->peers[i].s != s)
			continue;
		f->peers[i].may_end = true;
		peer_loosen_tasks(&f->peers[i]);
	}
}

void end_others(struct fuzz *f, struct peer *p)
{
	end_session(f, p->s);
}

void loosen_all(struct fuzz *f)
{
	for (unsigned i = 0; i < NPEERS; i++)
		peer_loosen_tasks(&f->peers[i]);
	for (unsigned i = 0; i < NPEERS + 1; i++)
		f->sessions[i].nlost = 0;
}

static bool is_used(const struct fuzz *f, const struct peer_sess *s, const struct peer *but)
{
	for (unsigned i = 0; i < NPEERS; i++)
		if (&f->peers[i] != but && f->peers[i].s == s)
			return true;
	return false;
}

void session_new(struct fuzz *f, struct peer *p, uint8_t isid)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NPEERS + 1; i++)
		if (f->sessions[i].isid == isid)
			end_session(f, &f->sessions[i]);
	while (is_used(f, &f->sessions[n], p))
		n++;
	p->s = &f->sessions[n];
	peer_sess_init(p->s, isid);
}

void connect_peer(struct fuzz *f, bool login)
{
	struct peer *p = f->peer;

	p->p = f->params;
	if (!login)
		p->p.header_digest = p->p.data_digest = false;
	peer_connect(p, ++f->connections, p < f->peers + NLEADS ? 1 : (uint16_t)(p - f->peers + 1));
	if (p->fd < 0)
		return;
	if (!login) {
		p->s->loose = p->any_length = true;
		return;
	}
	peer_send_login_plain(p, TARGET);
	for (unsigned i = 0; i < 200 && !p->full_feature && !p->closed; i++)
		run(f, 200 * NS_PER_US);
	REQUIRE(p->full_feature || f->may_close, "a login %s", p->closed ? "was refused" : "hangs");
}

/* ---- records -------------------------------------------------------------------------------- */

static void run_records(struct fuzz *f, struct input *in)
{
	static const uint64_t pauses[] = { 0, 0, 20 * NS_PER_US, 100 * NS_PER_US, 500 * NS_PER_US,
		2 * NS_PER_MS, 10 * NS_PER_MS, 100 * NS_PER_MS };

	for (unsigned i = 0; i < RECORDS_MAX && in->left; i++) {
		uint8_t kind = input_u8(in);

		do_record(f, kind & 0x1f, in);
		run(f, pauses[kind >> 5]);
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

/* What an initiator owes: data, acknowledgements, recovery. */
static void give_all(struct fuzz *f)
{
	for (unsigned i = 0; i < NPEERS; i++) {
		struct peer *p = &f->peers[i];

		if (p->fd < 0)
			continue;
		p->holds = false;
		while (peer_answer_r2t(p, 0))
			;
		if (p->ping_ttt != TAG_RESERVED && peer_up(p))
			peer_answer_ping(p);
	}
	for (unsigned i = 0; i < NPEERS + 1; i++)
		if (recoverable(f, &f->sessions[i]))
			recover(f, &f->sessions[i]);
}

static bool waits(const struct peer *p)
{
	return (p->nactive || peer_is_due(p)) && !p->closed && !peer_loose(p);
}

/* Every command that was right gets its answer. */
static void drain(struct fuzz *f, struct peer *p)
{
	for (unsigned i = 0; i < 2000 && p->fd >= 0 && waits(p); i++) {
		/* The data of others may be what it waits for. */
		give_all(f);
		run(f, i < 100 ? NS_PER_MS : 20 * NS_PER_MS);
	}
	if (p->fd < 0 || !waits(p))
		return;
	for (unsigned i = 0; i < PEER_TASKS; i++)
		REQUIRE(!p->tasks[i].active || p->tasks[i].loose,
			"no answer to ITT %u, CmdSN %u (ExpCmdSN %u): %u of %u bytes",
			p->tasks[i].itt, p->tasks[i].cmdsn, p->exp_cmdsn, p->tasks[i].in,
			p->tasks[i].edtl);
	REQUIRE(!peer_is_due(p), "no answer to a SNACK");
}

/*
 * For answers that must come. They may be behind an ORDERED task of an initiator that never sends
 * the data it owes: it has to go first.
 */
static bool anyone_waits(const struct fuzz *f)
{
	for (unsigned i = 0; i < NPEERS; i++)
		if ((f->peers[i].nactive || f->peers[i].s->nlost) && !peer_loose(&f->peers[i]))
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
			if (peer_loose(&f->peers[i]))
				peer_close(&f->peers[i], how >> (i % 3 + 3) & 1);
	run(f, 0);
	give_all(f);
	for (unsigned i = 0; i < NPEERS; i++)
		if (f->peers[i].fd >= 0 && f->peers[i].full_feature)
			drain(f, &f->peers[i]);
	f->may_close = true;
	for (unsigned i = 0; i < NPEERS; i++)
		if (!(how >> i % 3 & 1))
			peer_close(&f->peers[i], how >> (i % 3 + 3) & 1);
	REQUIRE(!entity_stop(f->entity, 100 * NS_PER_S), "connections do not end");
	take_all(f);
	for (unsigned i = 0; i < NPEERS; i++)
		peer_close(&f->peers[i], false);
	target_stop(f);
}

static void choose(struct fuzz *f, uint8_t how, uint8_t sizes, uint8_t disk)
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
	p->level = disk >> LEVEL_SHIFT & 3;
	if (p->level > 2)
		p->level = 2;
	p->disorder = disk & DISORDER;
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
	choose(&f, how, sizes, disk);
	f.wide = f.params.level || f.params.disorder || (ending & WIDE) == WIDE;
	f.may_close = how & FEW_PAGES;
	rig_init(&f.rig, how & TWO_LOOPS ? 2 : 1, seed, how & FEW_PAGES ? 262144 : 1792 << 10);
	target_start(&f, disk, depths[disk >> 3 & 3]);
	for (unsigned i = 0; i < NPEERS; i++) {
		struct peer *p = &f.peers[i];

		p->loops = f.rig.loops;
		p->fd = -1;
		p->s = &f.sessions[i];
		peer_sess_init(p->s, (uint8_t)(i + 1));
		p->ping_ttt = TAG_RESERVED;
		p->rx = rx_memory + i * (size_t)PEER_RX_BYTES;
		p->data = data_memory;
	}
	f.data = data_memory;
	f.peer = &f.peers[0];
	connect_peer(&f, !(how & FROM_LOGIN));
	run_records(&f, &in);
	end(&f, ending);
	rig_done(&f.rig);
	return 0;
}
