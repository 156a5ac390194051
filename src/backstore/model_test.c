/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model_test.c: every backstore against an array of bytes. Random operations, at all offsets,
 * lengths and layouts of data in memory, with lent and given pages, with resizing and opening
 * again; whatever is read must be what the array says. Lent pages are held for a while: they must
 * not change.
 */
#include "block/testkit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backstore/builtin.h"
#include "base/log.h"
#include "base/rng.h"

enum {
	DISK_MAX = 6 << 20,
	IO_MAX = 512 << 10,
	IOV_MAX_TEST = 40,
	HELD_MAX = 8, /* lent reads that are kept */
	BUF_SLACK = 64 * IOV_MAX_TEST,
};

/* What is run. %s in a spec is a file in a directory of its own. */
struct run {
	const char *name, *spec;
	const char *dir; /* NULL: no file */
	enum loop_kind kind;
	unsigned steps;
	bool reopens; /* the content outlives closing */
	struct sim_faults faults; /* LOOP_SIM */
};

struct held {
	struct iovec iov[IOV_MAX_TEST];
	uint32_t niov;
	uint8_t *copy;
};

struct model {
	const struct run *run;
	struct kit k;
	struct backstore *bs;
	struct ulio_backstore_info info;
	struct rng rng;
	uint8_t *disk; /* what must be there */
	uint8_t *buf; /* of the request */
	struct held held[HELD_MAX];
	char dir[96], spec[256];
	unsigned step;
};

static void model_fail(const struct model *m, const char *what, int r)
{
	fail_msg("%s, step %u: %s: %s", m->run->name, m->step, what, r < 0 ? err_name(r) : "");
}

/* ---- what to do ----------------------------------------------------------------------------- */

static void pick_range(struct model *m, uint64_t max, uint64_t *ret_off, uint64_t *ret_len)
{
	static const uint64_t reach[] = { 1, 4096, 32768, IO_MAX };
	uint64_t block = m->info.block_bytes, size = m->info.size_bytes;
	uint64_t align = rng_chance(&m->rng, 1, 2) ? 4096 : block;
	uint64_t off = rng_below(&m->rng, size), len = reach[rng_below(&m->rng, 4)];

	len = len < max ? len : max;
	off -= off % align;
	len = rng_below(&m->rng, len) + 1;
	len = (len + align - 1) / align * align;
	if (len > size - off)
		len = size - off;
	*ret_off = off;
	*ret_len = len;
}

/* Lay n bytes out in memory: in whole sectors, or anyhow. */
static unsigned pick_iov(struct model *m, struct iovec *iov, uint64_t n)
{
	bool odd = rng_chance(&m->rng, 1, 2);
	uint64_t unit = odd ? 1 : 512;
	uint8_t *p = m->buf;
	unsigned i = 0;

	while (n) {
		uint64_t piece = n;

		if (i < IOV_MAX_TEST - 1 && rng_chance(&m->rng, 3, 4)) {
			piece = rng_below(&m->rng, n) + 1;
			piece = (piece + unit - 1) / unit * unit;
		}
		if (odd)
			p += rng_below(&m->rng, 64);
		iov[i++] = (struct iovec){ p, piece };
		p += piece;
		n -= piece;
	}
	return i;
}

/* Bytes to write: random, all alike, or zero in places. */
static void pick_data(struct model *m, uint8_t *p, uint64_t n)
{
	uint64_t how = rng_below(&m->rng, 4);

	if (how == 0)
		memset(p, 0, n);
	else
		rng_bytes(&m->rng, p, n);
	if (how == 1)
		memset(p + n / 4, 0, n / 2);
}

static void scatter(const struct iovec *iov, unsigned niov, const uint8_t *src)
{
	for (unsigned i = 0; i < niov; i++) {
		memcpy(iov[i].iov_base, src, iov[i].iov_len);
		src += iov[i].iov_len;
	}
}

static bool gathered_equal(const struct iovec *iov, unsigned niov, const uint8_t *want)
{
	for (unsigned i = 0; i < niov; i++) {
		if (memcmp(iov[i].iov_base, want, iov[i].iov_len) != 0)
			return false;
		want += iov[i].iov_len;
	}
	return true;
}

/* ---- the operations ------------------------------------------------------------------------- */

static void do_read(struct model *m)
{
	struct iovec iov[IOV_MAX_TEST], keep[IOV_MAX_TEST];
	struct kit_io io = { .bs = m->bs, .op = ULIO_OP_READ, .iov = iov };
	int r;

	pick_range(m, IO_MAX, &io.off, &io.len);
	io.loop = (unsigned)rng_below(&m->rng, 2);
	memset(m->buf, 0xa5, IO_MAX + BUF_SLACK);
	io.niov = pick_iov(m, iov, io.len);
	memcpy(keep, iov, sizeof(iov));
	r = kit_run(&io);
	if (r != 0)
		model_fail(m, "read", r);
	if (!gathered_equal(keep, io.niov, m->disk + io.off))
		model_fail(m, "read something else", 0);
	assert_memory_equal(keep, iov, io.niov * sizeof(*iov));
}

static void held_drop(struct model *m, struct held *h)
{
	const uint8_t *p = h->copy;

	if (!h->copy)
		return;
	if (!gathered_equal(h->iov, h->niov, p))
		model_fail(m, "lent memory has changed", 0);
	pages_unref(m->k.loops, h->iov, h->niov);
	free(h->copy);
	h->copy = NULL;
}

static void do_lend(struct model *m)
{
	struct held *h = &m->held[rng_below(&m->rng, HELD_MAX)];
	struct kit_io io = {
		.bs = m->bs, .op = ULIO_OP_READ, .flags = ULIO_BIO_LEND, .iov = h->iov
	};
	int r;

	held_drop(m, h);
	pick_range(m, IO_MAX, &io.off, &io.len);
	io.loop = (unsigned)rng_below(&m->rng, 2);
	io.iov_cap = 1 + (uint32_t)rng_below(&m->rng, IOV_MAX_TEST);
	r = kit_run(&io);
	if (r == -EMSGSIZE && io.ret_niov == 0)
		return;
	if (r != 0)
		model_fail(m, "lend", r);
	h->niov = io.ret_niov;
	if (!gathered_equal(h->iov, h->niov, m->disk + io.off))
		model_fail(m, "lent something else", 0);
	h->copy = malloc(io.len);
	memcpy(h->copy, m->disk + io.off, io.len);
}

static void do_write(struct model *m)
{
	struct iovec iov[IOV_MAX_TEST], keep[IOV_MAX_TEST];
	struct kit_io io = { .bs = m->bs, .op = ULIO_OP_WRITE, .iov = iov };
	uint8_t *data;
	int r;

	pick_range(m, IO_MAX, &io.off, &io.len);
	io.loop = (unsigned)rng_below(&m->rng, 2);
	io.flags = rng_chance(&m->rng, 1, 4) ? ULIO_BIO_FUA : 0;
	data = m->disk + io.off;
	pick_data(m, data, io.len);
	io.niov = pick_iov(m, iov, io.len);
	scatter(iov, io.niov, data);
	memcpy(keep, iov, sizeof(iov));
	r = kit_run(&io);
	if (r != 0)
		model_fail(m, "write", r);
	assert_memory_equal(keep, iov, io.niov * sizeof(*iov));
}

static void do_give(struct model *m)
{
	struct iovec iov[IOV_MAX_TEST], mine[IOV_MAX_TEST];
	struct kit_io io = { .bs = m->bs, .op = ULIO_OP_WRITE, .flags = ULIO_BIO_GIVE, .iov = iov };
	uint8_t *data;
	int r, n;

	pick_range(m, 64 << 10, &io.off, &io.len);
	n = pages_alloc(m->k.loops, NULL, io.len, iov, IOV_MAX_TEST);
	if (n < 0)
		model_fail(m, "pages_alloc", n);
	memcpy(mine, iov, sizeof(iov));
	data = m->disk + io.off;
	pick_data(m, data, io.len);
	scatter(iov, (unsigned)n, data);
	io.niov = (uint32_t)n;
	r = kit_run(&io);
	if (r != 0)
		model_fail(m, "give", r);
	assert_memory_equal(mine, iov, (unsigned)n * sizeof(*iov));
	pages_unref(m->k.loops, mine, (unsigned)n);
}

static void do_clear(struct model *m)
{
	struct kit_io io = { .bs = m->bs };
	bool discard = (m->info.flags & ULIO_INFO_DISCARD) && rng_chance(&m->rng, 1, 2);
	int r;

	pick_range(m, DISK_MAX, &io.off, &io.len);
	io.op = discard ? ULIO_OP_DISCARD : ULIO_OP_ZERO;
	io.flags = (uint16_t)rng_below(&m->rng, 4); /* FUA, MAY_UNMAP */
	r = kit_run(&io);
	if (r != 0)
		model_fail(m, discard ? "discard" : "zero", r);
	assert_true(!discard || (m->info.flags & ULIO_INFO_DISCARD_ZEROES));
	memset(m->disk + io.off, 0, io.len);
}

static void do_flush(struct model *m)
{
	int r = kit_op(m->bs, ULIO_OP_FLUSH, 0, 0, 0);

	if (r != 0)
		model_fail(m, "flush", r);
}

/* Holes read as zeroes; the extents follow one another to the end of what was asked for. */
static void do_map(struct model *m)
{
	struct ulio_extent e[5];
	uint64_t off, len, at, end;

	if (!(m->info.flags & ULIO_INFO_MAP))
		return;
	pick_range(m, DISK_MAX, &off, &len);
	for (at = off, end = off + len; at < end;) {
		int n = backstore_map(m->bs, at, end - at, e, 1 + (uint32_t)rng_below(&m->rng, 5));

		if (n < 0)
			model_fail(m, "map", n);
		for (int i = 0; i < n; i++) {
			assert_true(e[i].off_bytes == at);
			for (uint64_t j = 0; e[i].kind == ULIO_EXTENT_HOLE && j < e[i].len_bytes;
				j++)
				if (m->disk[at + j])
					model_fail(m, "a hole has data", 0);
			at += e[i].len_bytes;
		}
	}
}

static void do_resize(struct model *m)
{
	uint64_t size = 1 + rng_below(&m->rng, DISK_MAX / m->info.block_bytes);
	uint64_t old = m->info.size_bytes;
	struct errmsg err;

	if (!rng_chance(&m->rng, 1, 8))
		return;
	size *= m->info.block_bytes;
	if (size < 64 << 10)
		size = 64 << 10;
	if (backstore_resize(m->bs, size, &err) < 0)
		fail_msg("%s: resize: %s", m->run->name, err.text);
	backstore_info(m->bs, &m->info);
	assert_true(m->info.size_bytes == size);
	if (size < old)
		memset(m->disk + size, 0, old - size);
}

static void do_reopen(struct model *m)
{
	if (!m->run->reopens || !rng_chance(&m->rng, 1, 8))
		return;
	kit_close(m->bs);
	m->bs = kit_open(&m->k, m->spec);
}

static void check_all(struct model *m)
{
	uint8_t *all = malloc(m->info.size_bytes);
	int r = kit_read(m->bs, 0, all, m->info.size_bytes);

	if (r != 0)
		model_fail(m, "read of all", r);
	if (memcmp(all, m->disk, m->info.size_bytes) != 0)
		model_fail(m, "the disk is another", 0);
	free(all);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void model_begin(struct model *m, const struct run *run)
{
	char path[128] = "";

	memset(m, 0, sizeof(*m));
	m->run = run;
	rng_seed(&m->rng, 7);
	if (run->dir) {
		snprintf(m->dir, sizeof(m->dir), "%s/ulio_model.XXXXXX", run->dir);
		assert_non_null(mkdtemp(m->dir));
		snprintf(path, sizeof(path), "%s/disk", m->dir);
	} else if (run->kind == LOOP_SIM) {
		snprintf(path, sizeof(path), "/disk");
	}
	snprintf(m->spec, sizeof(m->spec), run->spec, path);
	kit_init(&m->k, run->kind, 2);
	if (run->kind == LOOP_SIM)
		sim_set_faults(m->k.loops, &run->faults);
	assert_int_equal(backstores_register(m->k.reg), 0);
	m->bs = kit_open(&m->k, m->spec);
	backstore_info(m->bs, &m->info);
	m->disk = calloc(1, DISK_MAX);
	m->buf = aligned_alloc(4096, (IO_MAX + BUF_SLACK + 4095) / 4096 * 4096);
}

static void model_end(struct model *m)
{
	char path[128];

	for (unsigned i = 0; i < HELD_MAX; i++)
		held_drop(m, &m->held[i]);
	kit_close(m->bs);
	kit_done(&m->k);
	free(m->disk);
	free(m->buf);
	if (m->run->dir) {
		snprintf(path, sizeof(path), "%s/disk", m->dir);
		unlink(path);
		rmdir(m->dir);
	}
}

static void model_run(void **state)
{
	static void (*const ops[])(struct model * m) = { do_read, do_lend, do_write, do_write,
		do_give, do_clear, do_map, do_resize, do_reopen, do_flush };
	struct model m;

	model_begin(&m, *state);
	for (m.step = 0; m.step < m.run->steps; m.step++) {
		void (*op)(struct model * m) = ops[rng_below(&m.rng, sizeof(ops) / sizeof(ops[0]))];

		if (op == do_lend && !(m.info.flags & ULIO_INFO_LENDS))
			op = do_read;
		op(&m);
		if (m.step % 200 == 199)
			check_all(&m);
	}
	check_all(&m);
	model_end(&m);
}

static struct run runs[] = {
	{ "ram", "ram:3M", NULL, LOOP_AUTO, 3000, false },
	{ "ram, odd size", "ram:3000K,block=512", NULL, LOOP_AUTO, 2000, false },
	{ "ram of 4 KiB blocks", "ram:3M,block=4096", NULL, LOOP_AUTO, 2000, false },
	{ "ram with shared zeroes", "ram:3M,shared-zero=yes", NULL, LOOP_AUTO, 2000, false },
	{ "ram on epoll", "ram:3M", NULL, LOOP_EPOLL, 1000, false },
	{ "file, direct or not", "file:%s,size=3M", "/var/tmp", LOOP_AUTO, 1000, true },
	{ "file, buffered", "file:%s,size=3M,direct=no", "/var/tmp", LOOP_AUTO, 1000, true },
	{ "file, write-through", "file:%s,size=3M,sync=yes", "/var/tmp", LOOP_AUTO, 400, true },
	{ "file of 4 KiB blocks", "file:%s,size=3M,block=4096", "/var/tmp", LOOP_AUTO, 400, true },
	{ "file in memory", "file:%s,size=3M", "/dev/shm", LOOP_AUTO, 1000, true },
	{ "file on epoll", "file:%s,size=3M", "/var/tmp", LOOP_EPOLL, 500, true },
	{ "file in the simulator, direct", "file:%s,size=3M", NULL, LOOP_SIM, 1000, true,
		{ .short_io = 200, .reorder = 300 } },
	{ "file in the simulator, buffered", "file:%s,size=3M,direct=no", NULL, LOOP_SIM, 1000,
		true, { .short_io = 200, .reorder = 300 } },
	{ "ram in the simulator", "ram:3M", NULL, LOOP_SIM, 1000, false },
	{ "filters over ram", "stats|delay:ms=0|error:mode=off|ram:3M", NULL, LOOP_AUTO, 1000,
		false },
};

int main(void)
{
	enum { N = sizeof(runs) / sizeof(runs[0]) };
	struct CMUnitTest tests[N];

	log_set_level(LOG_LEVEL_ERROR);

	for (unsigned i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){ runs[i].name, model_run, NULL, NULL, &runs[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
