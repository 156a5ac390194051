/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scsi_fuzz.c: commands, task management and nexuses against the whole engine over the loopback
 * fabric.
 *
 * Bytes 0 to 2 choose the logical unit, its disk and the seed of the simulation. Then records: a
 * byte whose low bits choose the kind and whose high bits say how long the simulation goes on
 * afterwards, and the fields of that kind. Several commands may be under way at a time. Checked is
 * what holds for every command (scsi_check.c), and in the end that nexuses, commands and pages are
 * gone.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "engine/alua.h"
#include "fabric/loopback/loopback.h"
#include "rig.h"
#include "scsi/opcodes.h"
#include "scsi/status.h"
#include "scsi_check.h"

enum { /* byte 0 */
	BLOCKS_4096 = 0x01,
	THIN = 0x02,
	REMOVABLE = 0x04,
	READ_ONLY = 0x08,
	TWO_LOOPS = 0x10,
	NEXUS_READ_ONLY = 0x20,
	FEW_PAGES = 0x40, /* memory runs out */
	TAS = 0x80, /* tasks that others abort get TASK ABORTED */
};

enum { NEXUSES = 2, SLOTS = 12, RECORDS_MAX = 96, NBLOCKS = 64, DATA_MAX = 1 << 17 };

#define WAIT_NS (200 * NS_PER_S)

struct slot {
	bool used, released; /* its data may come */
	struct loopback_cmd c;
	unsigned ended;
	uint8_t *in, *out; /* of exactly their length */
};

struct fuzz {
	struct rig rig;
	struct port *port;
	struct lu *lu;
	bool mapped, filter;
	uint8_t how;
	struct loopback *nexus[NEXUSES];
	struct slot slots[SLOTS];
	uint64_t tag;
	struct scsi_expect expect;
};

/* ---- commands ------------------------------------------------------------------------------- */

static void ended(struct loopback_cmd *c)
{
	struct slot *s = c->arg;

	s->ended++;
	REQUIRE(s->ended == 1, "command 0x%02x has ended twice", c->cdb[0]);
}

static void slot_free(struct slot *s)
{
	free(s->in);
	free(s->out);
	*s = (struct slot){ 0 };
}

static bool slot_over(struct fuzz *f, struct slot *s)
{
	/* That its data may come is on its way although it needed none. */
	if (!s->used || !s->ended || loop_msg_queued(&s->c.data))
		return false;
	check_command(&s->c, &f->expect);
	slot_free(s);
	return true;
}

static void look(struct fuzz *f)
{
	for (unsigned i = 0; i < SLOTS; i++)
		(void)slot_over(f, &f->slots[i]);
}

static void run(struct fuzz *f, uint64_t ns)
{
	rig_run(&f->rig, ns);
	look(f);
}

/* Its data may come, if they were kept back. */
static void slot_release(struct slot *s)
{
	if (!s->used || s->c.data_mode != LOOPBACK_LATE || s->released)
		return;
	s->released = true;
	loopback_send_data(&s->c);
}

static void slot_wait(struct fuzz *f, struct slot *s)
{
	/* Most need no time at all; a disk that does not answer is waited for elsewhere. */
	for (unsigned i = 0; i < 20 && s->used; i++)
		run(f, 200 * NS_PER_US << (i / 2));
}

static struct slot *slot_new(struct fuzz *f)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!f->slots[i].used)
			return &f->slots[i];
	return NULL;
}

static uint8_t *exactly(size_t n)
{
	uint8_t *p = malloc(n ? n : 1);

	REQUIRE(p, "out of memory");
	return p;
}

enum layout { BYTES, L6, L10, L12, L16 };

/* LBA and number of blocks where a CDB of that length has them. */
static void put_blocks(uint8_t *cdb, enum layout layout, int32_t lba, uint8_t n)
{
	switch (layout) {
	case L6:
		put_be16(cdb + 2, (uint16_t)lba);
		cdb[4] = n;
		break;
	case L10:
		put_be32(cdb + 2, (uint32_t)lba);
		cdb[8] = n;
		break;
	case L12:
		put_be32(cdb + 2, (uint32_t)lba);
		cdb[9] = n;
		break;
	case L16:
		put_be64(cdb + 2, (uint64_t)(int64_t)lba);
		cdb[13] = n;
		break;
	case BYTES:
		break;
	}
}

enum data { NONE, IN, OUT, OUT_ONE, OUT_TWICE };

static const struct {
	uint8_t opcode, cdb_len, layout, data;
	uint8_t byte1; /* the service action; bits of the input are added */
} commands[] = {
	{ OP_READ_10, 10, L10, IN, 0 },
	{ OP_WRITE_10, 10, L10, OUT, 0 },
	{ OP_READ_16, 16, L16, IN, 0 },
	{ OP_WRITE_16, 16, L16, OUT, 0 },
	{ OP_READ_6, 6, L6, IN, 0 },
	{ OP_WRITE_6, 6, L6, OUT, 0 },
	{ OP_READ_12, 12, L12, IN, 0 },
	{ OP_WRITE_12, 12, L12, OUT, 0 },
	{ OP_VERIFY_10, 10, L10, OUT, 0 },
	{ OP_VERIFY_12, 12, L12, OUT, 0 },
	{ OP_VERIFY_16, 16, L16, OUT, 0 },
	{ OP_WRITE_AND_VERIFY_10, 10, L10, OUT, 0 },
	{ OP_WRITE_AND_VERIFY_12, 12, L12, OUT, 0 },
	{ OP_WRITE_AND_VERIFY_16, 16, L16, OUT, 0 },
	{ OP_WRITE_SAME_10, 10, L10, OUT_ONE, 0 },
	{ OP_WRITE_SAME_16, 16, L16, OUT_ONE, 0 },
	{ OP_COMPARE_AND_WRITE, 16, L16, OUT_TWICE, 0 },
	{ OP_SYNCHRONIZE_CACHE_10, 10, L10, NONE, 0 },
	{ OP_SYNCHRONIZE_CACHE_16, 16, L16, NONE, 0 },
	{ OP_UNMAP, 10, BYTES, OUT, 0 },
	{ OP_TEST_UNIT_READY, 6, BYTES, NONE, 0 },
	{ OP_REQUEST_SENSE, 6, BYTES, IN, 0 },
	{ OP_INQUIRY, 6, BYTES, IN, 0 },
	{ OP_MODE_SELECT_6, 6, BYTES, OUT, 0 },
	{ OP_MODE_SELECT_10, 10, BYTES, OUT, 0 },
	{ OP_MODE_SENSE_6, 6, BYTES, IN, 0 },
	{ OP_MODE_SENSE_10, 10, BYTES, IN, 0 },
	{ OP_RESERVE_6, 6, BYTES, NONE, 0 },
	{ OP_RELEASE_6, 6, BYTES, NONE, 0 },
	{ OP_RESERVE_10, 10, BYTES, NONE, 0 },
	{ OP_RELEASE_10, 10, BYTES, NONE, 0 },
	{ OP_START_STOP_UNIT, 6, BYTES, NONE, 0 },
	{ OP_PREVENT_ALLOW_MEDIUM_REMOVAL, 6, BYTES, NONE, 0 },
	{ OP_READ_CAPACITY_10, 10, BYTES, IN, 0 },
	{ OP_SERVICE_ACTION_IN_16, 16, BYTES, IN, SA_READ_CAPACITY_16 },
	{ OP_SERVICE_ACTION_IN_16, 16, BYTES, IN, SA_GET_LBA_STATUS },
	{ OP_REPORT_LUNS, 12, BYTES, IN, 0 },
	{ OP_MAINTENANCE_IN, 12, BYTES, IN, SA_REPORT_SUPPORTED_OPERATION_CODES },
	{ OP_MAINTENANCE_IN, 12, BYTES, IN, SA_REPORT_SUPPORTED_TMFS },
	{ OP_PERSISTENT_RESERVE_OUT, 10, BYTES, OUT, 0 },
	{ OP_PERSISTENT_RESERVE_IN, 10, BYTES, IN, 0 },
	{ OP_MAINTENANCE_IN, 12, BYTES, IN, SA_REPORT_TARGET_PORT_GROUPS },
	{ OP_MAINTENANCE_OUT, 12, BYTES, OUT, SA_SET_TARGET_PORT_GROUPS },
	{ OP_SERVICE_ACTION_IN_16, 16, BYTES, IN, SA_REPORT_REFERRALS },
};

/* The bytes that the blocks of such a command are. */
static uint32_t block_bytes(const struct fuzz *f, enum data data, uint8_t n)
{
	uint32_t block = f->how & BLOCKS_4096 ? 4096 : 512;

	return data == OUT_ONE ? block : data == OUT_TWICE ? 2 * n * block : n * block;
}

/* Data of the input, or of which half the blocks are alike. */
static void take_out(struct slot *s, struct input *in, uint32_t n, bool from_input)
{
	size_t got = 0;
	const uint8_t *p = from_input ? input_bytes(in, n < 64 ? n : 64, &got) : NULL;

	s->out = exactly(n);
	s->c.out = s->out;
	s->c.out_bytes = n;
	memset(s->out, (int)(n >> 9 & 1), n);
	if (got)
		memcpy(s->out, p, got);
}

static void take_in(struct slot *s, uint32_t n)
{
	s->in = exactly(n);
	s->c.in = s->in;
	s->c.in_bytes = n;
}

static void take_data(struct fuzz *f, struct slot *s, struct input *in, enum data data, uint32_t n,
	uint8_t lens, bool parameters)
{
	/* As many as the command moves, any number, or a few more or less. */
	if (lens & 0x01 || parameters)
		n = input_u16(in);
	if (lens & 0x02)
		n += 512;
	if (lens & 0x04 && n)
		n--;
	if (n > DATA_MAX)
		n = DATA_MAX;
	if (data == IN || lens & 0x08)
		take_in(s, n);
	if (data >= OUT || lens & 0x10)
		take_out(s, in, n, parameters || lens & 0x20);
}

/*
 *	how	nexus, loop, attribute (2 bits), when data come (2 bits), LUN, not waited for
 */
static void start(struct fuzz *f, struct slot *s, uint8_t how)
{
	s->c.lb = f->nexus[how & 1];
	s->c.loop = loops_get(f->rig.loops, how >> 1 & 1 & (f->how & TWO_LOOPS ? 1 : 0));
	s->c.attr = how >> 2 & 3;
	s->c.data_mode = (how >> 4 & 3) % 3;
	s->c.lun = how & 0x40 ? 1 : 0;
	s->c.tag = f->tag++;
	s->c.done = ended;
	s->c.arg = s;
	s->used = true;
	if (s->c.cdb[0] == OP_PERSISTENT_RESERVE_OUT && s->c.cdb[1] % 32 == SA_PREEMPT_AND_ABORT)
		f->expect.aborts = true;
	loopback_start(&s->c);
	if (how & 0x80)
		return;
	slot_release(s);
	slot_wait(f, s);
}

static void rec_command(struct fuzz *f, struct input *in)
{
	uint8_t which = input_u8(in) % (sizeof(commands) / sizeof(commands[0]));
	uint8_t how = input_u8(in), byte1 = input_u8(in), lens = input_u8(in), n = 0;
	struct slot *s = slot_new(f);
	enum layout layout = commands[which].layout;
	const uint8_t *p;
	size_t got;

	if (!s || !f->nexus[how & 1])
		return;
	s->c.cdb_len = commands[which].cdb_len;
	s->c.cdb[0] = commands[which].opcode;
	if (layout == BYTES) {
		p = input_bytes(in, s->c.cdb_len - 2u, &got);
		memcpy(s->c.cdb + 2, p, got);
	} else {
		uint8_t lba = input_u8(in);

		n = input_u8(in);
		put_blocks(s->c.cdb, layout, (int8_t)lba, n);
	}
	s->c.cdb[1] = byte1 ^ commands[which].byte1;
	take_data(f, s, in, commands[which].data, block_bytes(f, commands[which].data, n), lens,
		layout == BYTES && commands[which].data != NONE);
	start(f, s, how);
}

/* Any CDB. */
static void rec_cdb(struct fuzz *f, struct input *in)
{
	uint8_t len = input_u8(in), how = input_u8(in), lens = input_u8(in);
	struct slot *s = slot_new(f);
	const uint8_t *p;
	size_t got;

	if (!s || !f->nexus[how & 1])
		return;
	s->c.cdb_len = 1 + len % (len & 0x80 ? CMD_CDB_BYTES : 32);
	p = input_bytes(in, s->c.cdb_len, &got);
	memcpy(s->c.cdb, p, got);
	take_data(f, s, in, (enum data)(lens >> 6), 512, lens, true);
	start(f, s, how);
}

/* Data that are waited for come now. */
static void rec_release(struct fuzz *f, struct input *in)
{
	slot_release(&f->slots[input_u8(in) % SLOTS]);
	run(f, 0);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void rec_tmf(struct fuzz *f, struct input *in)
{
	uint8_t how = input_u8(in), which = input_u8(in);
	struct loopback_tmf t = { .lb = f->nexus[how & 1], .function = (how >> 1) % 16 };

	if (!t.lb)
		return;
	t.loop = loops_get(f->rig.loops, 0);
	t.lun = how & 0x80 ? 1 : 0;
	t.ref_tag = f->tag - 1 - which % 8;
	f->expect.aborts = true;
	loopback_tmf_start(&t);
	REQUIRE(!loopback_tmf_wait(&t, WAIT_NS), "function %u is not answered", t.function);
	REQUIRE(t.response <= TMF_SERVICE_DELIVERY_OR_TARGET_FAILURE, "response %u", t.response);
	REQUIRE(!t.unsupported || t.response == TMF_FUNCTION_REJECTED, "unsupported, but %u",
		t.response);
	look(f);
}

static void nexus_end(struct fuzz *f, unsigned i)
{
	struct loopback *lb = f->nexus[i];

	f->expect.aborts = true;
	loopback_close(lb);
	REQUIRE(!loopback_closed(lb, WAIT_NS), "the nexus does not end");
	look(f);
	for (unsigned k = 0; k < SLOTS; k++)
		REQUIRE(!f->slots[k].used || f->slots[k].c.lb != lb,
			"command 0x%02x has outlived its nexus", f->slots[k].c.cdb[0]);
	loopback_free(lb);
	f->nexus[i] = NULL;
}

static void nexus_start(struct fuzz *f, unsigned i)
{
	static const char *const names[NEXUSES] = { "iqn.2003-01.test:a", "iqn.2003-01.test:b" };

	REQUIRE(!loopback_login(f->port, names[i], loops_get(f->rig.loops, 0), &f->nexus[i]),
		"no login");
}

static void rec_nexus(struct fuzz *f, struct input *in)
{
	unsigned i = input_u8(in) % NEXUSES;

	if (f->nexus[i])
		nexus_end(f, i);
	else
		nexus_start(f, i);
}

static void rec_admin(struct fuzz *f, struct input *in)
{
	static const char *const modes[] = { "off", "fail", "late", "stuck", "short", "drop" };
	uint8_t how = input_u8(in);
	struct errmsg err;

	errmsg_init(&err);
	switch (how % 4) {
	case 0:
		if (f->filter)
			rig_set(f->lu, "mode", modes[(how >> 2) % 6]);
		break;
	case 1: /* a LUN that comes and goes */
		f->expect.aborts = true;
		if (f->mapped)
			rig_unmap(f->port, 0);
		else
			rig_map(f->port, 0, f->lu);
		f->mapped = !f->mapped;
		break;
	case 2: /* may be refused */
		(void)lu_resize(f->lu, (how >> 2) * UINT64_C(4096), how & 0x80, &err);
		break;
	default:
		run(f, (how >> 2) * NS_PER_S);
		break;
	}
	look(f);
}

/* The target changes the state of the paths, or how that goes. */
static void rec_alua(struct fuzz *f, struct input *in)
{
	struct alua_group *g = alua_group_default(f->lu);
	uint8_t how = input_u8(in);
	struct errmsg err;

	errmsg_init(&err);
	switch (how >> 4 & 3) {
	case 0:
		(void)alua_group_set_u32(g, &g->nonop_delay_ms, how % 16);
		break;
	case 1:
		(void)alua_group_set_u32(g, &g->trans_delay_ms, how % 16);
		(void)alua_group_set_u8(g, &g->supported, how & 1 ? 0xdf : 0x5f);
		(void)alua_group_set_access(g, how & 2 ? ALUA_IMPLICIT : 3, &err);
		break;
	case 2:
		(void)alua_lba_set(f->lu, how & 1 ? "8 2\n0 63 0:O\n8 63 0:U" : "", &err);
		break;
	default: /* may be refused, or fail */
		(void)alua_group_set_state(g, how % 16, &err);
	}
	look(f);
}

static void rec_wait(struct fuzz *f, struct input *in)
{
	slot_wait(f, &f->slots[input_u8(in) % SLOTS]);
}

static void (*const records[])(struct fuzz *f, struct input *in) = {
	rec_command,
	rec_command,
	rec_command,
	rec_cdb,
	rec_release,
	rec_tmf,
	rec_nexus,
	rec_admin,
	rec_wait,
	rec_alua,
};

static void run_records(struct fuzz *f, struct input *in)
{
	static const uint64_t pauses[] = { 0, 0, 0, 5 * NS_PER_US, 50 * NS_PER_US, 300 * NS_PER_US,
		2 * NS_PER_MS, 50 * NS_PER_MS };

	for (unsigned i = 0; i < RECORDS_MAX && in->left; i++) {
		uint8_t kind = input_u8(in);

		records[(kind & 0x1f) % (sizeof(records) / sizeof(records[0]))](f, in);
		if (pauses[kind >> 5])
			run(f, pauses[kind >> 5]);
	}
}

/* ---- set-up and end ------------------------------------------------------------------------- */

static void choose(struct lu_attribs *a, void *arg)
{
	const struct fuzz *f = arg;

	a->emulate_tpu = a->emulate_tpws = !!(f->how & THIN);
	a->removable = !!(f->how & REMOVABLE);
	a->read_only = !!(f->how & READ_ONLY);
	a->emulate_tas = !!(f->how & TAS);
}

static void begin(struct fuzz *f, uint8_t disk, uint8_t seed)
{
	static const char *const disks[2][4] = {
		{ "ram:32k", "delay:ms=1|ram:32k", "error:mode=off|ram:32k",
			"error:mode=fail,after=2,count=2|ram:32k" },
		{ "ram:256k,block=4096", "delay:ms=1|ram:256k,block=4096",
			"error:mode=off|ram:256k,block=4096",
			"error:mode=fail,after=2,count=2|ram:256k,block=4096" },
	};

	rig_init(&f->rig, f->how & TWO_LOOPS ? 2 : 1, seed,
		f->how & FEW_PAGES ? 524288 : 1792 << 10);
	f->lu = rig_lu_new(&f->rig, disks[f->how & BLOCKS_4096][disk % 4], choose, f);
	f->filter = disk % 4 >= 2;
	REQUIRE(!port_new(f->rig.eng, &loopback_ops, "naa.test", "naa.test,t,0x0001", 1, NULL, NULL,
			&f->port),
		"no port");
	f->port->generate_node_acls = 1;
	f->port->demo_mode_write_protect = !!(f->how & NEXUS_READ_ONLY);
	rig_map(f->port, 0, f->lu);
	f->mapped = true;
	f->tag = 1;
	f->expect.read_only = f->how & (READ_ONLY | NEXUS_READ_ONLY);
	for (unsigned i = 0; i < NEXUSES; i++)
		nexus_start(f, i);
}

static void end(struct fuzz *f)
{
	struct errmsg err;

	errmsg_init(&err);
	if (f->filter)
		rig_set(f->lu, "mode", "off");
	for (unsigned i = 0; i < SLOTS; i++)
		slot_release(&f->slots[i]);
	for (unsigned i = 0; i < 100; i++) {
		bool any = false;

		run(f, i ? 10 * NS_PER_MS << i / 10 : 0);
		for (unsigned k = 0; k < SLOTS; k++)
			any |= f->slots[k].used;
		if (!any)
			break;
	}
	for (unsigned i = 0; i < SLOTS; i++)
		REQUIRE(!f->slots[i].used, "command 0x%02x has not ended", f->slots[i].c.cdb[0]);
	for (unsigned i = 0; i < NEXUSES; i++)
		if (f->nexus[i])
			nexus_end(f, i);
	if (f->mapped)
		rig_unmap(f->port, 0);
	REQUIRE(!port_free(f->port, &err), "%s", err.text);
	rig_lu_free(f->lu);
	rig_done(&f->rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static struct fuzz f;
	uint8_t disk, seed;

	memset(&f, 0, sizeof(f));
	f.how = input_u8(&in);
	disk = input_u8(&in);
	seed = input_u8(&in);
	begin(&f, disk, seed);
	run_records(&f, &in);
	end(&f);
	return 0;
}
