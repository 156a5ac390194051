/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testkit.h: for tests only: PERSISTENT RESERVE OUT and IN over the loopback fabric, and an LU with
 * three initiators on three loops of the simulator.
 */
#ifndef ULIO_ENGINE_PR_TESTKIT_H
#define ULIO_ENGINE_PR_TESTKIT_H

#include "engine/testkit.h"

#include "engine/pr/pr.h"
#include "scsi/reservation.h"

/* The flags of byte 20. */
enum { PR_APTPL = 0x01, PR_ALL_TG_PT = 0x04, PR_SPEC_I_PT = 0x08 };

struct prout {
	struct loopback_cmd c;
	uint8_t list[PROUT_BASIC_BYTES];
};

/* A PERSISTENT RESERVE OUT that can be started. */
static inline void prout_init(struct rig *r, struct prout *p, struct loopback *lb, unsigned loop,
	uint8_t action, uint8_t type, uint64_t key, uint64_t sa_key)
{
	io_init(r, &p->c, lb, loop);
	p->c.cdb_len = 10;
	p->c.cdb[0] = OP_PERSISTENT_RESERVE_OUT;
	p->c.cdb[1] = action;
	p->c.cdb[2] = type;
	put_be32(p->c.cdb + 5, sizeof(p->list));
	memset(p->list, 0, sizeof(p->list));
	put_be64(p->list, key);
	put_be64(p->list + 8, sa_key);
	p->c.out = p->list;
	p->c.out_bytes = sizeof(p->list);
}

static inline uint8_t prout_run(struct rig *r, struct loopback *lb, unsigned loop, uint8_t action,
	uint8_t type, uint64_t key, uint64_t sa_key)
{
	struct prout p;

	prout_init(r, &p, lb, loop, action, type, key, sa_key);
	return io_run(&p.c);
}

static inline void pr_register(struct rig *r, struct loopback *lb, unsigned loop, uint64_t key)
{
	assert_int_equal(prout_run(r, lb, loop, SA_REGISTER, 0, 0, key), STATUS_GOOD);
}

static inline void pr_reserve(
	struct rig *r, struct loopback *lb, unsigned loop, uint64_t key, uint8_t type)
{
	assert_int_equal(prout_run(r, lb, loop, SA_RESERVE, type, key, 0), STATUS_GOOD);
}

/* A PERSISTENT RESERVE IN that is answered; returns the bytes that came. */
static inline uint32_t prin_run(
	struct rig *r, struct loopback *lb, unsigned loop, uint8_t action, uint8_t *buf, uint16_t n)
{
	struct loopback_cmd c;

	io_init(r, &c, lb, loop);
	c.cdb_len = 10;
	c.cdb[0] = OP_PERSISTENT_RESERVE_IN;
	c.cdb[1] = action;
	put_be16(c.cdb + 7, n);
	c.in = buf;
	c.in_bytes = n;
	io_run(&c);
	io_good(&c);
	return c.in_moved;
}

/* How many keys are registered. */
static inline uint32_t pr_keys(struct rig *r, struct loopback *lb, unsigned loop)
{
	uint8_t buf[8 + 8];

	prin_run(r, lb, loop, SA_READ_KEYS, buf, sizeof(buf));
	return get_be32(buf + 4) / 8;
}

/* The type of the reservation and its holder's key. */
static inline uint8_t pr_reserved(struct rig *r, struct loopback *lb, unsigned loop, uint64_t *key)
{
	uint8_t buf[24];

	prin_run(r, lb, loop, SA_READ_RESERVATION, buf, sizeof(buf));
	if (get_be32(buf + 4) == 0)
		return RESERVATION_NONE;
	assert_int_equal(get_be32(buf + 4), 16);
	if (key)
		*key = get_be64(buf + 8);
	return buf[21] & 0x0f;
}

/* ---- one LU, three initiators -------------------------------------------------------------- */

enum { NLOOPS = 3, KEY_A = 0xa1, KEY_B = 0xb2, KEY_C = 0xc3 };

#define WE    RESERVATION_WRITE_EXCLUSIVE
#define EA    RESERVATION_EXCLUSIVE_ACCESS
#define WE_RO RESERVATION_WRITE_EXCLUSIVE_RO
#define EA_RO RESERVATION_EXCLUSIVE_ACCESS_RO
#define WE_AR RESERVATION_WRITE_EXCLUSIVE_AR
#define EA_AR RESERVATION_EXCLUSIVE_ACCESS_AR

static struct rig rig;
static struct lu *lu;
static struct loopback *a, *b, *c; /* on loops 0, 1, 2 */
static uint8_t buf[512];

static inline void begin(const char *spec)
{
	rig_init(&rig, LOOP_SIM, NLOOPS, 17);
	lu = rig_add(&rig, 0, spec);
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	c = rig_login(&rig, "iqn.c", 2);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
	io_settle(&rig, c, 0);
	memset(buf, 0x5a, sizeof(buf));
}

static inline int setup(void **state)
{
	begin("ram:1M");
	return 0;
}

/* Writes stick until `mode` is off. */
static inline int setup_stuck(void **state)
{
	begin("error:op=write,mode=stuck|ram:1M");
	return 0;
}

static inline int teardown(void **state)
{
	if (a)
		rig_logout(a);
	if (b)
		rig_logout(b);
	if (c)
		rig_logout(c);
	rig_remove(&rig, 0);
	rig_done(&rig);
	return 0;
}

static inline uint8_t out(
	struct loopback *lb, uint8_t action, uint8_t type, uint64_t key, uint64_t sa_key)
{
	return prout_run(&rig, lb, lb == a ? 0 : lb == b ? 1 : 2, action, type, key, sa_key);
}

static inline uint8_t write_at(struct loopback *lb, uint64_t lba)
{
	return io_write(&rig, lb, lb == a ? 0 : lb == b ? 1 : 2, lba, 1, buf);
}

static inline uint8_t read_status(struct loopback *lb)
{
	struct loopback_cmd r;
	uint8_t back[512];

	io_init(&rig, &r, lb, 1);
	io_blocks(&r, OP_READ_16, 0, 1, back, 512);
	return io_run(&r);
}

static inline uint8_t six(struct loopback *lb, uint8_t op, uint8_t byte4)
{
	const uint8_t cdb[6] = { op, 0, 0, 0, byte4 };
	struct loopback_cmd r;
	uint8_t in[255];

	return io_six(&rig, &r, lb, 0, cdb, op == OP_MODE_SENSE_6 ? in : NULL,
		op == OP_MODE_SENSE_6 ? byte4 : 0);
}

/* The unit attentions that wait for a nexus, in order, and no more. */
static inline void attentions(struct loopback *lb, const enum sense_name *names, unsigned n)
{
	struct loopback_cmd r;

	for (unsigned i = 0; i < n; i++) {
		io_tur(&rig, &r, lb, 0);
		io_sense(&r, names[i]);
	}
	io_tur(&rig, &r, lb, 0);
	io_good(&r);
}

#define ATTENTIONS(lb, ...)                                                                        \
	attentions(lb, (const enum sense_name[]){ __VA_ARGS__ },                                   \
		sizeof((enum sense_name[]){ __VA_ARGS__ }) / sizeof(enum sense_name))
#define NO_ATTENTION(lb) attentions(lb, NULL, 0)

static inline void settle(void)
{
	for (unsigned i = 0; i < 4; i++)
		loops_barrier(rig.k.loops, NULL, NULL);
}

#endif
