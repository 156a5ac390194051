/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_testkit.h: for tests of asymmetric access only: an LU that two ports show, each in a target
 * port group of its own, with an initiator at each.
 */
#ifndef ULIO_ENGINE_ALUA_TESTKIT_H
#define ULIO_ENGINE_ALUA_TESTKIT_H

#include "engine/testkit.h"

#include <errno.h>

#include "engine/alua.h"
#include "engine/engine_priv.h"

static struct rig rig;
static struct port *second;
static struct lu *lu;
static struct loopback *a, *b; /* by rig.port, by `second` */
static struct alua_group *g0, *g1; /* of these ports */
static struct errmsg err;

#define OK(call)                                                                                   \
	do {                                                                                       \
		if (call)                                                                          \
			fail_msg("%s: %s", #call, err.text);                                       \
	} while (0)

static inline struct port_lun *show(struct port *port, uint32_t lun, struct lu *of)
{
	struct port_lun *pl;

	OK(port_lun_add(port, lun, &pl, &err));
	OK(port_lun_link(pl, of, "link", &err));
	return pl;
}

static inline void hide(struct port *port, uint32_t lun)
{
	struct port_lun *pl = port_lun_find(port, lun);

	OK(port_lun_unlink(pl, &err));
	OK(port_lun_remove(pl, &err));
}

/* The disk is the LU's, and both ports' LUN 0. */
static inline void kit_setup_on(
	enum loop_kind kind, unsigned nloops, uint64_t seed, const char *spec)
{
	struct port_lun *pl;

	errmsg_init(&err);
	rig_init(&rig, kind, nloops, seed);
	assert_int_equal(port_new(rig.eng, &loopback_ops, "naa.test", "naa.test,t,0x0002", 2, NULL,
				 NULL, &second),
		0);
	second->generate_node_acls = 1;
	second->demo_mode_write_protect = 0;
	lu = rig_add(&rig, 0, spec);
	pl = show(second, 0, lu);
	g0 = alua_group_default(lu);
	OK(alua_group_new(lu, "g1", &g1, &err));
	OK(alua_group_set_id(g1, 0x102, &err));
	OK(alua_move(pl, g1, &err));
	a = rig_login(&rig, "iqn.a", 0);
	assert_int_equal(loopback_login(second, "iqn.b", rig_loop(&rig, 1), &b), 0);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
}

static inline void kit_setup(uint64_t seed, const char *spec)
{
	kit_setup_on(LOOP_SIM, 2, seed, spec);
}

static inline int setup(void **state)
{
	kit_setup(5, "ram:1M");
	return 0;
}

static inline int teardown(void **state)
{
	rig_logout(a);
	rig_logout(b);
	hide(second, 0);
	rig_remove(&rig, 0);
	OK(port_free(second, &err));
	rig_done(&rig);
	return 0;
}

static inline void run_cdb(struct loopback_cmd *c, struct loopback *lb, unsigned loop,
	const void *cdb, unsigned len, void *in, uint32_t in_bytes, const void *out,
	uint32_t out_bytes)
{
	io_init(&rig, c, lb, loop);
	memcpy(c->cdb, cdb, len);
	c->cdb_len = (uint16_t)len;
	c->in = in;
	c->in_bytes = in_bytes;
	c->out = out;
	c->out_bytes = out_bytes;
	io_run(c);
}

static inline void set_state(struct alua_group *g, uint8_t state)
{
	OK(alua_group_set_state(g, state, &err));
}

static inline uint8_t rtpg(
	struct loopback_cmd *c, struct loopback *lb, uint8_t format, void *in, uint32_t n)
{
	uint8_t cdb[12] = { 0xa3, (uint8_t)(format << 5 | 0x0a) };

	put_be32(cdb + 6, n);
	run_cdb(c, lb, 0, cdb, sizeof(cdb), in, n, NULL, 0);
	return c->status;
}

/* SET TARGET PORT GROUPS with that list, whose length the CDB says. */
static inline uint8_t stpg(
	struct loopback_cmd *c, struct loopback *lb, const void *list, uint32_t n)
{
	uint8_t cdb[12] = { 0xa4, 0x0a };

	put_be32(cdb + 6, n);
	run_cdb(c, lb, 1, cdb, sizeof(cdb), NULL, 0, list, n);
	return c->status;
}

static inline bool says(const struct loopback_cmd *c, enum sense_name name)
{
	return c->status == STATUS_CHECK_CONDITION && c->sense[2] % 16 == sense_key(name) &&
	       c->sense[12] == sense_asc(name) && c->sense[13] == sense_ascq(name);
}

/* Any of the four: a command that an ALUA state has stopped. */
static inline bool stopped(const struct loopback_cmd *c)
{
	return says(c, SENSE_ALUA_STANDBY) || says(c, SENSE_ALUA_UNAVAILABLE) ||
	       says(c, SENSE_ALUA_TRANSITION) || says(c, SENSE_LU_OFFLINE);
}

/* The unit attention of the change, and that there was one. */
static inline void hear(struct loopback *lb, enum sense_name ua)
{
	struct loopback_cmd c;

	io_tur(&rig, &c, lb, 0);
	io_sense(&c, ua);
}

#endif
