/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testkit.h: for tests only: PERSISTENT RESERVE OUT and IN over the loopback fabric.
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

#endif
