/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testkit.h: for tests of the engine only: loops, a port of the loopback fabric, LUs over disks by
 * their specification, initiators, and commands that the test, which is the control thread, waits
 * for.
 */
#ifndef ULIO_ENGINE_TESTKIT_H
#define ULIO_ENGINE_TESTKIT_H

#include "block/testkit.h"

#include <stdio.h>

#include "backstore/builtin.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "engine/cmd.h"
#include "engine/engine.h"
#include "engine/fabric.h"
#include "engine/lu.h"
#include "engine/port.h"
#include "fabric/loopback/loopback.h"
#include "loop/sim.h"
#include "scsi/opcodes.h"
#include "scsi/sense.h"

#define RIG_WAIT_NS (60 * NS_PER_S)

struct rig {
	struct kit k;
	struct engine *eng;
	struct port *port;
	const char *serial; /* of the disk that is added next; NULL: none */
};

static inline void rig_init(struct rig *r, enum loop_kind kind, unsigned nloops, uint64_t seed)
{
	struct loops_config cfg = { .kind = kind,
		.nloops = nloops,
		.nworkers = 2,
		.page_limit_bytes = 256 << 20,
		.sim_seed = seed };
	struct errmsg err;

	errmsg_init(&err);
	r->serial = NULL;
	if (loops_new(&cfg, &r->k.loops, &err) < 0)
		fail_msg("loops_new: %s", err.text);
	r->k.reg = backstore_registry_new(r->k.loops);
	assert_int_equal(backstores_register(r->k.reg), 0);
	r->k.used_bytes = pages_used_bytes(r->k.loops);
	r->eng = engine_new(r->k.loops);
	assert_non_null(r->eng);
	assert_int_equal(port_new(r->eng, &loopback_ops, "naa.test", "naa.test,t,0x0001", 1, NULL,
				 NULL, &r->port),
		0);
	r->port->generate_node_acls = 1;
	r->port->demo_mode_write_protect = 0;
}

/* All that was taken from the pool has come back, which kit_done() checks. */
static inline void rig_done(struct rig *r)
{
	struct errmsg err;

	errmsg_init(&err);
	if (port_free(r->port, &err))
		fail_msg("%s", err.text);
	engine_free(r->eng);
	assert_int_equal(backstore_registry_settle(r->k.reg, RIG_WAIT_NS), 0);
	kit_done(&r->k);
}

static inline struct loop *rig_loop(struct rig *r, unsigned i)
{
	return loops_get(r->k.loops, i % loops_count(r->k.loops));
}

/* A disk that is open as that LUN of the port. It is the rig's from now on. */
static inline struct lu *rig_add_disk(struct rig *r, uint32_t lun, struct backstore *bs)
{
	struct lu_attribs a;
	struct port_lun *pl;
	struct errmsg err;
	struct lu *lu;
	char name[32];

	errmsg_init(&err);
	snprintf(name, sizeof(name), "lu%u", lun);
	lu_attribs_default(&a, "ramdisk", bs);
	if (r->serial)
		snprintf(a.unit_serial, sizeof(a.unit_serial), "%s", r->serial);
	r->serial = NULL;
	if (lu_new(r->eng, name, "ramdisk", bs, &a, &lu, &err) ||
		port_lun_add(r->port, lun, &pl, &err) || port_lun_link(pl, lu, "link", &err))
		fail_msg("%s", err.text);
	return lu;
}

static inline struct lu *rig_add(struct rig *r, uint32_t lun, const char *spec)
{
	return rig_add_disk(r, lun, kit_open(&r->k, spec));
}

/* The LUN is shown no more. */
static inline struct lu *rig_unmap(struct rig *r, uint32_t lun)
{
	struct port_lun *pl = port_lun_find(r->port, lun);
	struct lu *lu = pl->lu;
	struct errmsg err;

	errmsg_init(&err);
	if (port_lun_unlink(pl, &err) || port_lun_remove(pl, &err))
		fail_msg("%s", err.text);
	return lu;
}

static inline void rig_remove(struct rig *r, uint32_t lun)
{
	struct errmsg err;

	errmsg_init(&err);
	if (lu_free(rig_unmap(r, lun), &err))
		fail_msg("%s", err.text);
}

static inline struct loopback *rig_login(struct rig *r, const char *name, unsigned loop)
{
	struct loopback *lb = NULL;

	assert_int_equal(loopback_login(r->port, name, rig_loop(r, loop), &lb), 0);
	return lb;
}

static inline void rig_logout(struct loopback *lb)
{
	loopback_close(lb);
	assert_int_equal(loopback_closed(lb, RIG_WAIT_NS), 0);
	loopback_free(lb);
}

/* ---- commands ------------------------------------------------------------------------------- */

static inline void io_init(
	struct rig *r, struct loopback_cmd *c, struct loopback *lb, unsigned loop)
{
	static _Atomic uint64_t next_tag = 1;

	memset(c, 0, sizeof(*c));
	c->lb = lb;
	c->loop = rig_loop(r, loop);
	c->tag = atomic_fetch_add(&next_tag, 1);
	c->cdb_len = 16;
}

/* READ(16) or WRITE(16), and whatever has its fields there. */
static inline void io_blocks(
	struct loopback_cmd *c, uint8_t op, uint64_t lba, uint32_t nblocks, void *data, uint32_t n)
{
	c->cdb[0] = op;
	put_be64(c->cdb + 2, lba);
	put_be32(c->cdb + 10, nblocks);
	if (op == OP_READ_16) {
		c->in = data;
		c->in_bytes = n;
	} else {
		c->out = data;
		c->out_bytes = n;
	}
}

static inline void io_wait(struct loopback_cmd *c)
{
	if (loopback_wait(c, RIG_WAIT_NS))
		fail_msg("command 0x%02x was not answered", c->cdb[0]);
}

static inline uint8_t io_run(struct loopback_cmd *c)
{
	loopback_start(c);
	io_wait(c);
	assert_false(c->refused);
	return c->status;
}

/* A command of six bytes that has no data, or parameter data in. */
static inline uint8_t io_six(struct rig *r, struct loopback_cmd *c, struct loopback *lb,
	unsigned loop, const uint8_t cdb[6], void *in, uint32_t n)
{
	io_init(r, c, lb, loop);
	c->cdb_len = 6;
	memcpy(c->cdb, cdb, 6);
	c->in = in;
	c->in_bytes = n;
	return io_run(c);
}

static inline uint8_t io_tur(
	struct rig *r, struct loopback_cmd *c, struct loopback *lb, unsigned loop)
{
	static const uint8_t cdb[6] = { OP_TEST_UNIT_READY };

	return io_six(r, c, lb, loop, cdb, NULL, 0);
}

static inline void io_good(const struct loopback_cmd *c)
{
	if (c->aborted || c->status)
		fail_msg("command 0x%02x: aborted %d, status 0x%02x, sense %02x %02x/%02x",
			c->cdb[0], c->aborted, c->status, c->sense[2], c->sense[12], c->sense[13]);
}

/* CHECK CONDITION with this sense, in fixed format. */
static inline void io_sense(const struct loopback_cmd *c, enum sense_name name)
{
	if (c->aborted || c->status != STATUS_CHECK_CONDITION || c->sense[0] % 0x80 != 0x70 ||
		c->sense[2] % 16 != sense_key(name) || c->sense[12] != sense_asc(name) ||
		c->sense[13] != sense_ascq(name))
		fail_msg("command 0x%02x: aborted %d, status 0x%02x, sense %02x %02x/%02x, not %s",
			c->cdb[0], c->aborted, c->status, c->sense[2], c->sense[12], c->sense[13],
			sense_text(name));
}

static inline uint8_t io_write(struct rig *r, struct loopback *lb, unsigned loop, uint64_t lba,
	uint32_t nblocks, void *data)
{
	struct loopback_cmd c;

	io_init(r, &c, lb, loop);
	io_blocks(&c, OP_WRITE_16, lba, nblocks, data, nblocks * 512);
	return io_run(&c);
}

static inline void io_read(struct rig *r, struct loopback *lb, unsigned loop, uint64_t lba,
	uint32_t nblocks, void *data)
{
	struct loopback_cmd c;

	io_init(r, &c, lb, loop);
	io_blocks(&c, OP_READ_16, lba, nblocks, data, nblocks * 512);
	io_run(&c);
	io_good(&c);
	assert_int_equal(c.in_moved, nblocks * 512);
}

/* The unit attentions of a new nexus are told. */
static inline void io_settle(struct rig *r, struct loopback *lb, uint64_t lun)
{
	struct loopback_cmd c;

	do {
		static const uint8_t tur[6] = { OP_TEST_UNIT_READY };

		io_init(r, &c, lb, 0);
		c.lun = lun;
		c.cdb_len = 6;
		memcpy(c.cdb, tur, 6);
	} while (io_run(&c) == STATUS_CHECK_CONDITION && c.sense[2] == KEY_UNIT_ATTENTION);
	io_good(&c);
}

/* Its disk's settings, live: "mode=off". For disks made of a filter. */
static inline void rig_set(struct lu *lu, const char *key, const char *value)
{
	struct ulio_param p = { key, value };
	struct errmsg err;

	errmsg_init(&err);
	if (backstore_set(lu->bs, &p, 1, &err))
		fail_msg("%s", err.text);
}

static inline uint8_t tmf_run(struct rig *r, struct loopback_tmf *t, struct loopback *lb,
	unsigned loop, uint8_t function, uint64_t tag)
{
	*t = (struct loopback_tmf){
		.lb = lb, .loop = rig_loop(r, loop), .function = function, .ref_tag = tag
	};
	loopback_tmf_start(t);
	if (loopback_tmf_wait(t, RIG_WAIT_NS))
		fail_msg("function %u was not answered", function);
	return t->response;
}

#endif
