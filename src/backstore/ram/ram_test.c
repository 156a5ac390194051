/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ram_test.c: what the model test does not see of a RAM disk: that data are not copied, that memory
 * runs out decently, huge disks, and loops that use the same pages at the same time (under TSan
 * too).
 */
#include "block/testkit.h"

#include <errno.h>

#include "backstore/ram/ram.h"
#include "base/log.h"
#include "base/rng.h"
#include "block/limits.h"

enum { PAGE = POOL_PAGE_BYTES };

static int setup(void **state)
{
	static struct kit k;

	kit_init(&k, LOOP_AUTO, 3);
	assert_int_equal(backstore_register_internal(k.reg, &backstore_ram), 0);
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	kit_done(*state);
	return 0;
}

/* Lend len bytes at off. */
static int lend(struct backstore *bs, uint64_t off, uint64_t len, struct iovec *iov, uint32_t cap,
	uint32_t *ret_niov)
{
	struct kit_io io = { .bs = bs,
		.op = ULIO_OP_READ,
		.flags = ULIO_BIO_LEND,
		.off = off,
		.len = len,
		.iov = iov,
		.iov_cap = cap };
	int r = kit_run(&io);

	*ret_niov = io.ret_niov;
	return r;
}

/* Pages of our own, filled with c. */
static struct iovec given_new(struct kit *k, uint64_t len, int c)
{
	struct iovec iov;

	assert_int_equal(pages_alloc(k->loops, NULL, len, &iov, 1), 1);
	memset(iov.iov_base, c, len);
	return iov;
}

static int give(struct backstore *bs, uint64_t off, struct iovec iov)
{
	return kit_rw(bs, ULIO_OP_WRITE, ULIO_BIO_GIVE, off, iov.iov_base, iov.iov_len);
}

static void nothing_is_copied(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:1M");
	struct iovec mine = given_new(k, 16 * PAGE, 'g'), iov[4];
	char sector[512] = "new....";
	uint64_t used;
	uint32_t n;

	used = pages_used_bytes(k->loops);
	assert_int_equal(give(bs, 32 * PAGE, mine), 0);
	assert_int_equal(pages_used_bytes(k->loops), used);
	/* The very pages come back, as one piece. */
	assert_int_equal(lend(bs, 32 * PAGE + 512, 8 * PAGE, iov, 4, &n), 0);
	assert_int_equal(n, 1);
	assert_ptr_equal(iov[0].iov_base, (char *)mine.iov_base + 512);
	assert_int_equal(iov[0].iov_len, 8 * PAGE);
	pages_unref(k->loops, &mine, 1);
	/* A small write replaces the one page that it touches, and not under our eyes. */
	assert_int_equal(kit_write(bs, 33 * PAGE, sector, 512), 0);
	assert_int_equal(*((char *)iov[0].iov_base + PAGE), 'g');
	pages_unref(k->loops, iov, 1);
	assert_int_equal(lend(bs, 32 * PAGE, 3 * PAGE, iov, 4, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(iov[1].iov_base, "new....", 8);
	assert_int_equal(((char *)iov[1].iov_base)[512], 'g');
	pages_unref(k->loops, iov, n);
	kit_close(bs);
}

/* Short pieces go over what is there, long ones take its place; what is lent stays as it was. */
static void short_gifts_are_copied(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:1M");
	struct iovec first = given_new(k, 16 * PAGE, 'f'), small = given_new(k, PAGE, 's'),
		     large = given_new(k, 8 * PAGE, 'l'), iov[3];
	uint32_t n;

	assert_int_equal(give(bs, 0, first), 0);
	pages_unref(k->loops, &first, 1);
	assert_int_equal(give(bs, PAGE, small), 0);
	assert_int_equal(lend(bs, 0, 16 * PAGE, iov, 3, &n), 0);
	assert_int_equal(n, 1);
	assert_ptr_equal(iov[0].iov_base, first.iov_base);
	assert_int_equal(*((char *)iov[0].iov_base + PAGE), 's');
	memset(small.iov_base, 't', PAGE);
	assert_int_equal(give(bs, PAGE, small), 0);
	assert_int_equal(*((char *)iov[0].iov_base + PAGE), 's');
	pages_unref(k->loops, iov, n);
	pages_unref(k->loops, &small, 1);

	assert_int_equal(give(bs, 8 * PAGE, large), 0);
	assert_int_equal(lend(bs, 8 * PAGE, 8 * PAGE, iov, 3, &n), 0);
	assert_int_equal(n, 1);
	assert_ptr_equal(iov[0].iov_base, large.iov_base);
	pages_unref(k->loops, iov, n);
	pages_unref(k->loops, &large, 1);
	kit_close(bs);
}

static void holes_are_lent(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:16M");
	struct iovec iov[64], mine = given_new(k, PAGE, 'd');
	uint64_t used;
	uint32_t n;

	assert_int_equal(give(bs, 4 << 20, mine), 0);
	pages_unref(k->loops, &mine, 1);
	/* The loop's zeroes, again and again, and the one page between. */
	assert_int_equal(lend(bs, 3 << 20, 2 << 20, iov, 64, &n), 0);
	used = pages_used_bytes(k->loops);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(*(char *)iov[i].iov_base, i == 16 ? 'd' : 0);
	assert_int_equal(iov[16].iov_len, PAGE);
	pages_unref(k->loops, iov, n);
	assert_int_equal(pages_used_bytes(k->loops), used);
	/* With too few entries it is a copy. */
	assert_int_equal(lend(bs, 3 << 20, 2 << 20, iov, 10, &n), 0);
	assert_true(n <= 10);
	pages_unref(k->loops, iov, n);
	kit_close(bs);
}

/* Scattered pages and room for one entry only: a copy in one piece. */
static void too_scattered(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:1M");
	struct iovec iov[1];
	uint32_t n;

	for (int i = 15; i >= 0; i--) {
		struct iovec mine = given_new(k, PAGE, 'a' + i);

		assert_int_equal(give(bs, (uint64_t)i * PAGE, mine), 0);
		pages_unref(k->loops, &mine, 1);
	}
	assert_int_equal(lend(bs, 0, 16 * PAGE, iov, 1, &n), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(((char *)iov[0].iov_base)[i * PAGE], 'a' + i);
	pages_unref(k->loops, iov, n);
	kit_close(bs);
}

/* Pages that are not the pool's, or not aligned, are copied though they are called given. */
static void gifts_that_cannot_be_kept(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:1M");
	struct iovec mine = given_new(k, 3 * PAGE, 'q'), iov[3];
	char *heap = aligned_alloc(PAGE, PAGE);
	uint32_t n;

	memset(heap, 'h', PAGE);
	assert_int_equal(give(bs, 0, (struct iovec){ heap, PAGE }), 0);
	assert_int_equal(
		give(bs, PAGE, (struct iovec){ (char *)mine.iov_base + 512, 2 * PAGE }), 0);
	memset(heap, 'x', PAGE);
	memset(mine.iov_base, 'x', 3 * PAGE);
	assert_int_equal(lend(bs, 0, 3 * PAGE, iov, 3, &n), 0);
	assert_int_equal(*(char *)iov[0].iov_base, 'h');
	assert_int_equal(*((char *)iov[n - 1].iov_base + iov[n - 1].iov_len - 1), 'q');
	pages_unref(k->loops, iov, n);
	pages_unref(k->loops, &mine, 1);
	free(heap);
	kit_close(bs);
}

/* The pool has 64 MiB; a disk of 1 GiB fills up, fails writes, keeps reading, and recovers. */
static void memory_runs_out(void **state)
{
	enum { CHUNK = 256 << 10 };
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:1G");
	uint64_t limit = pages_limit_bytes(k->loops), off = 0;
	char *buf = malloc(CHUNK);
	struct iovec iov[64];
	int r, n;

	memset(buf, 'f', CHUNK);
	while ((r = kit_write(bs, off, buf, CHUNK)) == 0)
		off += CHUNK;
	assert_int_equal(r, -ENOSPC);
	assert_true(off > limit / 2);
	assert_true(pages_used_bytes(k->loops) <= limit - limit / 16);
	/* Commands still get memory; what is there can be read and changed. */
	n = pages_alloc(k->loops, NULL, CHUNK, iov, 64);
	assert_true(n > 0);
	pages_unref(k->loops, iov, (unsigned)n);
	assert_int_equal(kit_write(bs, 512, buf, CHUNK / 2), 0);
	assert_int_equal(kit_read(bs, off - CHUNK, buf, CHUNK), 0);
	assert_int_equal(buf[CHUNK - 1], 'f');
	assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, 0, 0, off / 2), 0);
	assert_int_equal(kit_write(bs, 512 << 20, buf, CHUNK), 0);
	free(buf);
	kit_close(bs);
}

static void huge(void **state)
{
	const uint64_t size = UINT64_C(16) << 40;
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:16T");
	struct ulio_extent e[3];
	uint64_t used = pages_used_bytes(k->loops);
	char buf[512] = "at the end";

	assert_int_equal(kit_write(bs, size - 512, buf, 512), 0);
	assert_true(pages_used_bytes(k->loops) > used);
	assert_int_equal(backstore_map(bs, 0, size, e, 3), 2);
	assert_int_equal(e[0].kind, ULIO_EXTENT_HOLE);
	assert_true(e[0].len_bytes == size - PAGE);
	assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, 0, 512, size - 512), 0);
	assert_int_equal(pages_used_bytes(k->loops), used);
	assert_int_equal(backstore_map(bs, 0, size, e, 3), 1);
	kit_close(bs);
	kit_refused(k, "ram:17T", -EINVAL, "at most");
	kit_refused(k, "ram", -EINVAL, "size: must be given");
	kit_refused(k, "ram:1000000", -EINVAL, "multiple of 512");
}

static void zero_pages_take_no_memory(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:1M,shared-zero=yes");
	uint64_t used = pages_used_bytes(k->loops);
	char buf[2 * PAGE];

	memset(buf, 0, sizeof(buf));
	assert_int_equal(kit_write(bs, 0, buf, 2 * PAGE), 0);
	assert_int_equal(pages_used_bytes(k->loops), used);
	buf[PAGE] = 1;
	assert_int_equal(kit_write(bs, 0, buf, 2 * PAGE), 0);
	assert_int_equal(pages_used_bytes(k->loops), used + PAGE);
	buf[PAGE] = 0;
	assert_int_equal(kit_write(bs, 0, buf, 2 * PAGE), 0);
	assert_int_equal(pages_used_bytes(k->loops), used);
	kit_close(bs);
}

/* ---- several loops at the same pages -------------------------------------------------------- */

enum { MT_PAGES = 8, MT_JOBS = 6, MT_STEPS = 3000 };

/*
 * One of several that run at once: each writes whole pages of one letter, or discards them, or
 * reads them and looks that each page is of one letter (what is torn is not).
 */
struct job {
	struct backstore *bs;
	struct loop *loop;
	struct rng rng;
	unsigned steps;
	struct iovec iov[MT_PAGES];
	char buf[MT_PAGES * PAGE];
	struct iovec given;
	unsigned npages;
	bool *failed;
	_Atomic unsigned *left;
	struct loop_event *done;
};

static void job_step(struct job *j);

static void job_look(struct job *j, const struct iovec *iov, uint32_t n)
{
	char page[PAGE];
	size_t have = 0;

	for (uint32_t i = 0; i < n; i++) {
		const char *p = iov[i].iov_base;

		for (size_t left = iov[i].iov_len; left;) {
			size_t piece = left < PAGE - have ? left : PAGE - have;

			memcpy(page + have, p, piece);
			have += piece;
			p += piece;
			left -= piece;
			if (have == PAGE && memcmp(page, page + 1, PAGE - 1) != 0)
				*j->failed = true;
			have %= PAGE;
		}
	}
}

static void job_done(struct bio *bio)
{
	struct job *j = bio->owner;
	struct loops *loops = loop_set(j->loop);

	if (bio->b.result != 0)
		*j->failed = true;
	if (bio->b.op == ULIO_OP_READ && bio->b.flags & ULIO_BIO_LEND) {
		job_look(j, bio->b.iov, bio->b.niov);
		pages_unref(loops, bio->b.iov, bio->b.niov);
	} else if (bio->b.op == ULIO_OP_READ) {
		job_look(j, &(struct iovec){ j->buf, bio->b.len_bytes }, 1);
	}
	if (j->given.iov_len)
		pages_unref(loops, &j->given, 1);
	j->given.iov_len = 0;
	bio_free(bio);
	job_step(j);
}

static void job_fill(struct job *j, struct bio *bio, uint64_t off, uint64_t len)
{
	char letter = (char)('a' + rng_below(&j->rng, 26));
	struct loops *loops = loop_set(j->loop);

	switch (rng_below(&j->rng, 6)) {
	case 0:
		bio_init_rw(bio, ULIO_OP_DISCARD, 0, off, len, NULL, 0, 0);
		return;
	case 1:
		if (pages_alloc(loops, j->loop, len, &j->given, 1) == 1) {
			memset(j->given.iov_base, letter, len);
			j->iov[0] = j->given;
			bio_init_rw(bio, ULIO_OP_WRITE, ULIO_BIO_GIVE, off, len, j->iov, 1, 1);
			return;
		}
		j->given.iov_len = 0;
		/* fall through */
	case 2:
		memset(j->buf, letter, len);
		j->iov[0] = (struct iovec){ j->buf, len };
		bio_init_rw(bio, ULIO_OP_WRITE, 0, off, len, j->iov, 1, 1);
		return;
	case 3:
		j->iov[0] = (struct iovec){ j->buf, len };
		bio_init_rw(bio, ULIO_OP_READ, 0, off, len, j->iov, 1, 1);
		return;
	default:
		bio_init_rw(bio, ULIO_OP_READ, ULIO_BIO_LEND, off, len, j->iov, 0, MT_PAGES);
	}
}

static void job_step(struct job *j)
{
	uint64_t page = rng_below(&j->rng, MT_PAGES);
	uint64_t n = 1 + rng_below(&j->rng, MT_PAGES - page);
	struct bio *bio;

	if (j->steps-- == 0) {
		if (atomic_fetch_sub(j->left, 1) == 1)
			loop_event_signal(j->done);
		return;
	}
	bio = bio_new(j->bs, j->loop);
	bio->done = job_done;
	bio->owner = j;
	job_fill(j, bio, page * PAGE, n * PAGE);
	backstore_submit(j->bs, j->loop, bio);
}

static void job_start(struct loop *loop, void *arg)
{
	job_step(arg);
}

static void loops_at_the_same_pages(void **state)
{
	static struct job jobs[MT_JOBS];
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:4M");
	bool failed[MT_JOBS] = { false };
	_Atomic unsigned left = MT_JOBS;
	struct loop_event done;
	struct errmsg err;

	loop_event_init(&done, k->loops);
	memset(jobs, 0, sizeof(jobs));
	for (unsigned i = 0; i < MT_JOBS; i++) {
		struct job *j = &jobs[i];

		j->bs = bs;
		j->loop = loops_get(k->loops, i % loops_count(k->loops));
		j->steps = MT_STEPS;
		j->failed = &failed[i];
		j->left = &left;
		j->done = &done;
		rng_seed(&j->rng, i);
	}
	for (unsigned i = 0; i < MT_JOBS; i++)
		loops_call(k->loops, jobs[i].loop, job_start, &jobs[i]);
	/* The disk grows and shrinks meanwhile, above of what they use. */
	for (unsigned i = 0; !atomic_load(&done.set) && i < 200; i++)
		assert_int_equal(backstore_resize(bs, (uint64_t)(2 + i % 7) << 20, &err), 0);
	assert_int_equal(loop_event_wait(&done, 4 * KIT_WAIT_NS), 0);
	for (unsigned i = 0; i < MT_JOBS; i++)
		assert_false(failed[i]);
	kit_close(bs);
}

/* ---- close while a long discard is under way ------------------------------------------------ */

static void close_during_a_long_discard(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ram:16T");
	struct kit_io io = { .bs = bs, .op = ULIO_OP_DISCARD, .len = UINT64_C(16) << 40 };

	kit_start(&io);
	kit_close(bs);
	assert_int_equal(kit_wait(&io), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_is_copied),
		T(short_gifts_are_copied),
		T(holes_are_lent),
		T(too_scattered),
		T(gifts_that_cannot_be_kept),
		T(memory_runs_out),
		T(huge),
		T(zero_pages_take_no_memory),
		T(loops_at_the_same_pages),
		T(close_during_a_long_discard),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
