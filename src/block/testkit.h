/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testkit.h: for tests of backstores only: a set of loops with a registry, and requests that the
 * test, which is the control thread, starts on a loop and waits for.
 */
#ifndef ULIO_BLOCK_TESTKIT_H
#define ULIO_BLOCK_TESTKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "block/backstore.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "loop/sim.h"

#define KIT_WAIT_NS (UINT64_C(30) * 1000000000)

struct kit {
	struct loops *loops;
	struct backstore_registry *reg;
	struct sim_disk *disk; /* LOOP_SIM */
	uint64_t used_bytes; /* of the pool, at first */
};

/* disk: of the simulator, NULL: one of its own. */
static inline void kit_boot(
	struct kit *k, enum loop_kind kind, unsigned nloops, struct sim_disk *disk, uint64_t seed)
{
	struct loops_config cfg = { .kind = kind,
		.nloops = nloops,
		.nworkers = 4,
		.page_limit_bytes = 64 << 20,
		.sim_seed = seed };
	struct errmsg err;

	if (loops_new(&cfg, &k->loops, &err) < 0)
		fail_msg("loops_new: %s", err.text);
	k->disk = disk;
	if (kind == LOOP_SIM) {
		if (!disk)
			k->disk = sim_disk_new(seed);
		sim_attach_disk(k->loops, k->disk);
	}
	k->reg = backstore_registry_new(k->loops);
	assert_non_null(k->reg);
	k->used_bytes = pages_used_bytes(k->loops);
}

static inline void kit_init(struct kit *k, enum loop_kind kind, unsigned nloops)
{
	kit_boot(k, kind, nloops, NULL, 1);
}

/* The simulator's program ends at once; its disk stays. */
static inline void kit_crash(struct kit *k)
{
	loops_free(k->loops);
}

/*
 * Everything that was taken from the pool has come back. Loops that move free memory about while
 * it is counted make the count too high for that moment: they are given time to finish.
 */
static inline void kit_done(struct kit *k)
{
	uint64_t until = clock_now_ns() + KIT_WAIT_NS, used;

	backstore_registry_free(k->reg);
	used = pages_used_bytes(k->loops);
	while (used != k->used_bytes && clock_now_ns() < until) {
		loops_barrier(k->loops, NULL, NULL);
		used = pages_used_bytes(k->loops);
	}
	assert_int_equal(used, k->used_bytes);
	loops_free(k->loops);
	sim_disk_free(k->disk);
}

static inline struct backstore *kit_open(struct kit *k, const char *spec)
{
	struct backstore *bs = NULL;
	struct errmsg err;

	errmsg_init(&err);
	if (backstore_open_spec(k->reg, "disk", spec, &bs, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	return bs;
}

/* The error of an open that must fail with r and a sentence that has `says` in it. */
static inline void kit_refused(struct kit *k, const char *spec, int r, const char *says)
{
	struct backstore *bs = NULL;
	struct errmsg err;

	errmsg_init(&err);
	assert_int_equal(backstore_open_spec(k->reg, "disk", spec, &bs, &err), r);
	assert_null(bs);
	if (!strstr(err.text, says))
		fail_msg("%s: says \"%s\", not \"%s\"", spec, err.text, says);
}

static inline void kit_close(struct backstore *bs)
{
	assert_int_equal(backstore_close(bs, KIT_WAIT_NS), 0);
}

/* A request. Fill in up to iov_cap, start it, wait for it. */
struct kit_io {
	struct backstore *bs;
	unsigned loop; /* index */
	enum ulio_bio_op op;
	uint16_t flags;
	uint64_t off, len;
	struct iovec *iov;
	uint32_t niov, iov_cap;

	struct loop_event event;
	struct bio *bio;
	bool submitting, inside; /* done ran inside of submit */
	unsigned ndone;
	int res;
	uint32_t ret_niov;
};

static inline void kit_io_done(struct bio *bio)
{
	struct kit_io *io = bio->owner;

	io->inside = io->submitting;
	io->ndone++;
	io->res = bio->b.result;
	io->ret_niov = bio->b.niov;
	io->bio = bio_free(bio);
	loop_event_signal(&io->event);
}

static inline void kit_io_submit(struct loop *loop, void *arg)
{
	struct kit_io *io = arg;

	io->bio = bio_new(io->bs, loop);
	assert_non_null(io->bio);
	bio_init_rw(io->bio, io->op, io->flags, io->off, io->len, io->iov, io->niov, io->iov_cap);
	io->bio->done = kit_io_done;
	io->bio->owner = io;
	io->submitting = true;
	backstore_submit(io->bs, loop, io->bio);
	io->submitting = false;
}

static inline void kit_start(struct kit_io *io)
{
	struct loops *loops = backstore_loops(io->bs);

	loop_event_init(&io->event, loops);
	io->ndone = 0;
	loops_call(loops, loops_get(loops, io->loop), kit_io_submit, io);
}

static inline int kit_wait(struct kit_io *io)
{
	if (loop_event_wait(&io->event, KIT_WAIT_NS) < 0)
		fail_msg("a request did not come back");
	assert_int_equal(io->ndone, 1);
	assert_false(io->inside);
	return io->res;
}

static inline int kit_run(struct kit_io *io)
{
	kit_start(io);
	return kit_wait(io);
}

/* Not yet done, although time passed for all that was ready on its loop. */
static inline bool kit_pending(struct kit_io *io)
{
	struct loops *loops = backstore_loops(io->bs);

	for (unsigned i = 0; i < 3; i++)
		loops_barrier(loops, NULL, NULL);
	return !atomic_load(&io->event.set);
}

static inline void kit_io_cancel(struct loop *loop, void *arg)
{
	struct kit_io *io = arg;

	if (io->bio)
		backstore_cancel(io->bs, io->bio);
}

static inline void kit_cancel(struct kit_io *io)
{
	struct loops *loops = backstore_loops(io->bs);

	loops_call(loops, loops_get(loops, io->loop), kit_io_cancel, io);
}

/* The usual: one buffer. */
static inline int kit_rw(struct backstore *bs, enum ulio_bio_op op, uint16_t flags, uint64_t off,
	void *buf, uint64_t len)
{
	struct iovec iov = { buf, len };
	struct kit_io io = { .bs = bs,
		.op = op,
		.flags = flags,
		.off = off,
		.len = len,
		.iov = &iov,
		.niov = 1,
		.iov_cap = 1 };

	return kit_run(&io);
}

static inline int kit_read(struct backstore *bs, uint64_t off, void *buf, uint64_t len)
{
	return kit_rw(bs, ULIO_OP_READ, 0, off, buf, len);
}

static inline int kit_write(struct backstore *bs, uint64_t off, const void *buf, uint64_t len)
{
	return kit_rw(bs, ULIO_OP_WRITE, 0, off, (void *)buf, len);
}

/* FLUSH, DISCARD, ZERO. */
static inline int kit_op(
	struct backstore *bs, enum ulio_bio_op op, uint16_t flags, uint64_t off, uint64_t len)
{
	struct kit_io io = { .bs = bs, .op = op, .flags = flags, .off = off, .len = len };

	return kit_run(&io);
}

#endif
