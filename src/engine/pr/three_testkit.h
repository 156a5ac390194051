/* SPDX-License-Identifier: BSD-3-Clause */
/* three_testkit.h: for tests only: an LU with three initiators on three loops of the simulator. */
#ifndef ULIO_ENGINE_PR_THREE_TESTKIT_H
#define ULIO_ENGINE_PR_THREE_TESTKIT_H

#include "engine/pr/testkit.h"

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
