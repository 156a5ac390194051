/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * power_test.c: what was acknowledged as durable is there after a power cut. In the simulator a
 * load of writes, FUA writes, discards and flushes, several at a time, is cut at each operation on
 * the disk in turn, those of making the file included. Afterwards each sector must hold something
 * that was written to it, no older than what FUA or a flush had acknowledged. The same with a disk
 * that fails: a flush that failed is never followed by one that succeeds.
 */
#include "block/testkit.h"

#include <errno.h>
#include <stdio.h>

#include "backstore/file/file.h"
#include "base/log.h"
#include "base/rng.h"

enum {
	SECTOR = 512,
	SLOTS = 4, /* requests at a time, each in a region of its own */
	SLOT_SECTORS = 24,
	SECTORS = SLOTS * SLOT_SECTORS,
	STEPS = 60,
	SEEDS = 3,
	FAULT_SEEDS = 150,
};

struct sector {
	unsigned latest, acked, durable; /* versions; 0: zeroes, as it was made */
	bool zero[STEPS + 1]; /* what the version was */
};

struct slot {
	struct kit_io io;
	struct iovec iov;
	bool busy;
	bool hopeless; /* begun when a flush had failed */
	unsigned first, n; /* sectors */
	unsigned version;
	unsigned acked[SECTORS]; /* FLUSH: when it began */
	uint8_t buf[SLOT_SECTORS * SECTOR];
};

struct load {
	struct kit k;
	struct backstore *bs;
	struct rng rng;
	const char *spec;
	bool sync; /* every write is durable */
	bool failed; /* a flush did not succeed */
	struct sector sectors[SECTORS];
	struct slot slots[SLOTS + 1]; /* the last one flushes */
};

static void stamp(uint8_t *p, unsigned sector, unsigned version)
{
	struct rng r;

	rng_seed(&r, (uint64_t)sector << 32 | version);
	rng_bytes(&r, p, SECTOR);
}

/* ---- the load ------------------------------------------------------------------------------- */

static void slot_start(struct load *l, struct slot *s)
{
	unsigned base = (unsigned)(s - l->slots) * SLOT_SECTORS;
	bool zero = rng_chance(&l->rng, 1, 4);

	s->io = (struct kit_io){ .bs = l->bs, .loop = (unsigned)rng_below(&l->rng, 2) };
	s->first = base + (unsigned)rng_below(&l->rng, SLOT_SECTORS);
	s->n = 1 + (unsigned)rng_below(&l->rng, base + SLOT_SECTORS - s->first);
	s->io.off = (uint64_t)s->first * SECTOR;
	s->io.len = (uint64_t)s->n * SECTOR;
	s->io.flags = rng_chance(&l->rng, 1, 3) ? ULIO_BIO_FUA : 0;
	for (unsigned i = 0; i < s->n; i++) {
		struct sector *sec = &l->sectors[s->first + i];

		sec->zero[++sec->latest] = zero;
		stamp(s->buf + (size_t)i * SECTOR, s->first + i, sec->latest);
	}
	if (zero) {
		s->io.op = rng_chance(&l->rng, 1, 2) ? ULIO_OP_ZERO : ULIO_OP_DISCARD;
		s->io.flags |= rng_chance(&l->rng, 1, 2) ? ULIO_BIO_MAY_UNMAP : 0;
	} else {
		s->io.op = ULIO_OP_WRITE;
		s->iov = (struct iovec){ s->buf, s->io.len };
		s->io.iov = &s->iov;
		s->io.niov = s->io.iov_cap = 1;
	}
}

static void flush_start(struct load *l, struct slot *s)
{
	s->io = (struct kit_io){
		.bs = l->bs, .loop = (unsigned)rng_below(&l->rng, 2), .op = ULIO_OP_FLUSH
	};
	for (unsigned i = 0; i < SECTORS; i++)
		s->acked[i] = l->sectors[i].acked;
}

static void slot_end(struct load *l, struct slot *s)
{
	bool flush = s->io.op == ULIO_OP_FLUSH;
	int r = kit_wait(&s->io);

	s->busy = false;
	/* After a flush has failed nothing succeeds any more. */
	if (s->hopeless)
		assert_int_equal(r, -EIO);
	if (r != 0) {
		l->failed = l->failed || flush;
		return;
	}
	for (unsigned i = 0; flush && i < SECTORS; i++)
		if (l->sectors[i].durable < s->acked[i])
			l->sectors[i].durable = s->acked[i];
	for (unsigned i = s->first; !flush && i < s->first + s->n; i++) {
		struct sector *sec = &l->sectors[i];

		sec->acked = sec->latest;
		if (l->sync || (s->io.flags & ULIO_BIO_FUA))
			sec->durable = sec->latest;
	}
}

static void load_run(struct load *l)
{
	for (unsigned step = 0; step < STEPS && !sim_power_is_cut(l->k.loops); step++) {
		struct slot *s = &l->slots[rng_below(&l->rng, SLOTS + 1)];

		if (s->busy)
			slot_end(l, s);
		if (s == &l->slots[SLOTS])
			flush_start(l, s);
		else
			slot_start(l, s);
		s->busy = true;
		s->hopeless = l->failed;
		kit_start(&s->io);
	}
	for (unsigned i = 0; i <= SLOTS; i++)
		if (l->slots[i].busy)
			slot_end(l, &l->slots[i]);
}

/* ---- after the cut -------------------------------------------------------------------------- */

static bool sector_ok(const struct load *l, unsigned i, const uint8_t *p)
{
	const struct sector *sec = &l->sectors[i];
	uint8_t want[SECTOR];

	for (unsigned v = sec->durable; v <= sec->latest; v++) {
		memset(want, 0, SECTOR);
		if (v > 0 && !sec->zero[v])
			stamp(want, i, v);
		if (memcmp(p, want, SECTOR) == 0)
			return true;
	}
	return false;
}

static void check(
	struct load *l, struct sim_disk *disk, const char *what, uint64_t seed, uint64_t cut)
{
	static uint8_t all[SECTORS * SECTOR];

	kit_boot(&l->k, LOOP_SIM, 2, disk, seed + 1000);
	assert_int_equal(backstore_register_internal(l->k.reg, &backstore_file), 0);
	l->bs = kit_open(&l->k, l->spec);
	assert_int_equal(kit_read(l->bs, 0, all, sizeof(all)), 0);
	for (unsigned i = 0; i < SECTORS; i++)
		if (!sector_ok(l, i, all + (size_t)i * SECTOR))
			fail_msg("%s, seed %llu, cut at %llu: sector %u is not what it was "
				 "(version %u of %u)",
				what, (unsigned long long)seed, (unsigned long long)cut, i,
				l->sectors[i].durable, l->sectors[i].latest);
	kit_close(l->bs);
	kit_done(&l->k); /* and the disk */
}

/*
 * One run: the power is cut at the operation cut (0: after all), and comes back. Returns the
 * number of operations.
 */
static uint64_t run(const char *spec, uint64_t seed, uint64_t cut, const struct sim_faults *faults)
{
	static struct load l;
	struct sim_disk *disk = sim_disk_new(seed * 7919 + cut);
	struct errmsg err;
	uint64_t nops;

	memset(&l, 0, sizeof(l));
	l.spec = spec;
	l.sync = strstr(spec, "sync=yes");
	rng_seed(&l.rng, seed);
	kit_boot(&l.k, LOOP_SIM, 2, disk, seed);
	assert_int_equal(backstore_register_internal(l.k.reg, &backstore_file), 0);
	if (cut)
		sim_power_cut_at(l.k.loops, cut);
	if (backstore_open_spec(l.k.reg, "disk", spec, &l.bs, &err) == 0) {
		if (faults)
			sim_set_faults(l.k.loops, faults);
		load_run(&l);
		kit_close(l.bs);
	} else {
		assert_true(sim_power_is_cut(l.k.loops));
	}
	nops = sim_file_ops(l.k.loops);
	backstore_registry_free(l.k.reg);
	loops_free(l.k.loops);
	sim_power_on(disk);
	check(&l, disk, spec, seed, cut);
	return nops;
}

static void cut_at_each_operation(void **state)
{
	const char *spec = *state;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t nops = run(spec, seed, 0, NULL);

		assert_true(nops > STEPS / 2);
		for (uint64_t cut = 1; cut <= nops; cut++)
			run(spec, seed, cut, NULL);
	}
}

static void failing_disk(void **state)
{
	/* No short ones: a write that fails half-way may leave a sector of both. */
	static const struct sim_faults faults = { .io_error = 40, .reorder = 300 };

	for (uint64_t seed = 1; seed <= FAULT_SEEDS; seed++)
		run(*state, seed, 0, &faults);
}

static char direct[] = "file:/disk,size=48K,direct=yes";
static char buffered[] = "file:/disk,size=48K,direct=no";
static char sync_direct[] = "file:/disk,size=48K,direct=yes,sync=yes";
static char sync_buffered[] = "file:/disk,size=48K,direct=no,sync=yes";

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "cut, direct", cut_at_each_operation, NULL, NULL, direct },
		{ "cut, buffered", cut_at_each_operation, NULL, NULL, buffered },
		{ "cut, direct and sync", cut_at_each_operation, NULL, NULL, sync_direct },
		{ "cut, buffered and sync", cut_at_each_operation, NULL, NULL, sync_buffered },
		{ "faults, direct", failing_disk, NULL, NULL, direct },
		{ "faults, buffered", failing_disk, NULL, NULL, buffered },
		{ "faults, direct and sync", failing_disk, NULL, NULL, sync_direct },
		{ "faults, buffered and sync", failing_disk, NULL, NULL, sync_buffered },
	};

	log_set_level(LOG_LEVEL_ERROR);
	log_set_sink(-1, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
