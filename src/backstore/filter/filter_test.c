/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter_test.c: delay, error and stats over a RAM disk: each way of failing does what it says, to
 * the requests that it is meant for and to no others, and can be ended.
 */
#include "block/testkit.h"

#include <errno.h>

#include "backstore/filter/filter.h"
#include "backstore/filter/stats.h"
#include "backstore/ram/ram.h"
#include "base/log.h"

static char data[8192];

static int setup(void **state)
{
	static struct kit k;

	kit_init(&k, LOOP_AUTO, 2);
	assert_int_equal(backstore_register_internal(k.reg, &backstore_ram), 0);
	assert_int_equal(backstore_register_internal(k.reg, &backstore_delay), 0);
	assert_int_equal(backstore_register_internal(k.reg, &backstore_error), 0);
	assert_int_equal(backstore_register_internal(k.reg, &backstore_stats), 0);
	memset(data, 'd', sizeof(data));
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	kit_done(*state);
	return 0;
}

static void set(struct backstore *bs, const char *key, const char *value)
{
	const struct ulio_param p = { key, value };
	struct errmsg err;

	if (backstore_set(bs, &p, 1, &err) < 0)
		fail_msg("%s", err.text);
}

static bool written(struct backstore *bs, uint64_t off)
{
	char buf[512];

	assert_int_equal(kit_read(bs, off, buf, 512), 0);
	return buf[0] == 'd' && buf[511] == 'd';
}

static struct iovec one_iov;

static struct kit_io write_of(struct backstore *bs, uint64_t off, uint64_t len)
{
	one_iov = (struct iovec){ data, len };
	return (struct kit_io){ .bs = bs,
		.loop = 1,
		.op = ULIO_OP_WRITE,
		.off = off,
		.len = len,
		.iov = &one_iov,
		.niov = 1,
		.iov_cap = 1 };
}

/* ---- error ---------------------------------------------------------------------------------- */

static void fail_here_and_there(void **state)
{
	struct backstore *bs =
		kit_open(*state, "error:op=write,errno=ENOSPC,offset=8K,len=4K|ram:1M");

	assert_int_equal(kit_write(bs, 4096, data, 4096), 0);
	assert_int_equal(kit_write(bs, 12288, data, 4096), 0);
	assert_int_equal(kit_write(bs, 8192, data, 512), -ENOSPC);
	assert_int_equal(kit_write(bs, 11776, data, 512), -ENOSPC);
	assert_int_equal(kit_write(bs, 4096, data, 8192), -ENOSPC);
	assert_int_equal(kit_read(bs, 8192, data, 4096), 0);
	assert_int_equal(data[0], 0);
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, 0, 0, 1 << 20), 0);
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
	set(bs, "op", "flush"); /* and the rest stays */
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), -ENOSPC);
	assert_int_equal(kit_write(bs, 8192, data, 512), 0);
	set(bs, "mode", "off");
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
	kit_close(bs);
}

static void after_and_count(void **state)
{
	static const int want[] = { 0, 0, -EIO, -EIO, -EIO, 0, 0 };
	struct backstore *bs = kit_open(*state, "error:op=read,after=2,count=3|ram:1M");

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(kit_write(bs, 0, data, 512), 0); /* not counted */
		assert_int_equal(kit_read(bs, 0, data, 512), want[i]);
	}
	kit_close(bs);
}

/* The write has happened, and the answer is an error all the same; what was lent goes back. */
static void late(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "error:op=any,mode=late,errno=ENODEV|ram:1M");
	struct iovec iov[4];
	struct kit_io io = { .bs = bs,
		.op = ULIO_OP_READ,
		.flags = ULIO_BIO_LEND,
		.len = 8192,
		.iov = iov,
		.iov_cap = 4 };
	uint64_t used;

	assert_int_equal(kit_write(bs, 0, data, 8192), -ENODEV);
	used = pages_used_bytes(k->loops);
	assert_int_equal(kit_run(&io), -ENODEV);
	assert_int_equal(io.ret_niov, 0);
	assert_int_equal(pages_used_bytes(k->loops), used);
	set(bs, "mode", "off");
	assert_true(written(bs, 0));
	kit_close(bs);
}

static void half_of_it(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "error:op=any,mode=short|ram:1M");
	struct iovec iov[3] = { { data, 700 }, { data + 700, 300 }, { data + 1000, 1048 } };
	struct kit_io io = {
		.bs = bs, .op = ULIO_OP_WRITE, .len = 2048, .iov = iov, .niov = 3, .iov_cap = 3
	};
	struct backstore_load load;

	assert_int_equal(kit_run(&io), -EIO);
	assert_true(iov[1].iov_len == 300 && iov[2].iov_base == data + 1000);
	assert_int_equal(kit_write(bs, 4096, data, 512), -EIO);
	io.op = ULIO_OP_READ;
	io.flags = ULIO_BIO_LEND;
	io.niov = 0;
	assert_int_equal(kit_run(&io), -EIO);
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), -EIO);
	backstore_get_load(bs, 0, &load);
	assert_int_equal(load.bad_answers, 3);
	set(bs, "mode", "off");
	assert_true(written(bs, 0) && written(bs, 512));
	assert_false(written(bs, 1024) || written(bs, 4096));
	kit_close(bs);
}

static void dropped(void **state)
{
	struct backstore *bs = kit_open(*state, "error:op=write,mode=drop,count=3|ram:1M");
	struct kit_io a = write_of(bs, 0, 512), b = write_of(bs, 512, 512),
		      c = write_of(bs, 1024, 512);

	kit_start(&a);
	kit_start(&b);
	assert_true(kit_pending(&a) && kit_pending(&b));
	kit_cancel(&a);
	assert_int_equal(kit_wait(&a), -ECANCELED);
	assert_true(kit_pending(&b));
	/* The rule goes: what was held goes on. */
	set(bs, "mode", "off");
	assert_int_equal(kit_wait(&b), 0);
	assert_false(written(bs, 0));
	assert_true(written(bs, 512));
	/* Closing cancels. */
	set(bs, "mode", "drop");
	kit_start(&c);
	assert_true(kit_pending(&c));
	kit_close(bs);
	assert_int_equal(kit_wait(&c), -ECANCELED);
}

static void stuck(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "error:op=write,mode=stuck|ram:1M");
	struct kit_io io = write_of(bs, 0, 512);

	kit_start(&io);
	kit_cancel(&io);
	assert_true(kit_pending(&io));
	assert_true(backstore_stuck(bs, io.bio->submitted_ns + 1000, 999));
	assert_int_equal(kit_read(bs, 0, data + 4096, 512), 0);
	set(bs, "mode", "fail");
	assert_int_equal(kit_wait(&io), 0);
	assert_true(written(bs, 0));
	kit_close(bs);
}

/* ---- delay ---------------------------------------------------------------------------------- */

static void delays(void **state)
{
	struct backstore *bs = kit_open(*state, "delay:3600000,op=write|ram:1M");
	struct kit_io io = write_of(bs, 0, 512);

	/* Reads are not delayed. An hour is not waited for, but cut short. */
	assert_int_equal(kit_read(bs, 0, data + 4096, 512), 0);
	kit_start(&io);
	assert_true(kit_pending(&io));
	kit_cancel(&io);
	assert_int_equal(kit_wait(&io), -ECANCELED);
	assert_false(written(bs, 0));
	set(bs, "ms", "1");
	assert_int_equal(kit_write(bs, 0, data, 512), 0);
	assert_true(written(bs, 0));
	set(bs, "op", "read");
	assert_int_equal(kit_write(bs, 512, data, 512), 0);
	assert_true(written(bs, 512));
	set(bs, "ms", "3600000");
	io.op = ULIO_OP_READ;
	kit_start(&io);
	kit_close(bs);
	assert_int_equal(kit_wait(&io), -ECANCELED);
}

/* ---- stats ---------------------------------------------------------------------------------- */

static void counts(void **state)
{
	struct backstore *bs =
		kit_open(*state, "stats|error:op=read,after=1,count=1|delay:ms=2,op=flush|ram:1M");
	struct kit_io io = write_of(bs, 0, 4096);
	struct stats_op s[ULIO_OP_N];
	uint64_t slow = 0;

	assert_int_equal(kit_run(&io), 0);
	assert_int_equal(kit_write(bs, 512, data, 512), 0);
	assert_int_equal(kit_read(bs, 0, data, 8192), 0);
	assert_int_equal(kit_read(bs, 0, data, 8192), -EIO);
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, 0, 0, 512 << 10), 0);
	assert_int_equal(stats_read(bs, s), 0);
	assert_int_equal(s[ULIO_OP_WRITE].count, 2);
	assert_int_equal(s[ULIO_OP_WRITE].bytes, 4096 + 512);
	assert_int_equal(s[ULIO_OP_WRITE].errors, 0);
	assert_int_equal(s[ULIO_OP_READ].count, 2);
	assert_int_equal(s[ULIO_OP_READ].bytes, 8192);
	assert_int_equal(s[ULIO_OP_READ].errors, 1);
	assert_int_equal(s[ULIO_OP_DISCARD].bytes, 512 << 10);
	assert_int_equal(s[ULIO_OP_ZERO].count, 0);
	/* 2 ms and more: from bucket 10 (512 us to 1 ms) upwards it is in one of them. */
	for (unsigned i = 11; i < STATS_BUCKETS; i++)
		slow += s[ULIO_OP_FLUSH].buckets[i];
	assert_int_equal(slow, 1);
	assert_true(s[ULIO_OP_FLUSH].latency_ns >= 2000000);
	assert_int_equal(stats_read(backstore_below(bs), s), -EINVAL);
	kit_close(bs);
}

/* ---- stacks --------------------------------------------------------------------------------- */

static void what_passes_through(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "stats|delay:0|error:mode=off|ram:1M,block=4096");
	struct ulio_backstore_info info;
	struct ulio_extent e[2];
	struct errmsg err;

	backstore_info(bs, &info);
	assert_int_equal(info.block_bytes, 4096);
	assert_true(info.flags & ULIO_INFO_LENDS);
	assert_int_equal(backstore_map(bs, 0, 1 << 20, e, 2), 1);
	assert_int_equal(backstore_resize(bs, 2 << 20, &err), 0);
	backstore_info(bs, &info);
	assert_int_equal(info.size_bytes, 2 << 20);
	assert_int_equal(kit_write(bs, (2 << 20) - 4096, data, 4096), 0);
	assert_int_equal(backstore_set(bs, NULL, 0, &err), -EOPNOTSUPP); /* stats has none */
	assert_string_equal(backstore_kind_name(backstore_below(bs)), "delay");
	kit_close(bs);
}

static void refused(void **state)
{
	struct kit *k = *state;

	kit_refused(k, "delay:5", -EINVAL, "needs a backstore below");
	kit_refused(k, "delay|ram:1M", -EINVAL, "ms: must be given");
	kit_refused(k, "delay:ms=4000000|ram:1M", -EINVAL, "at most");
	kit_refused(k, "error:errno=ENOTHING|ram:1M", -EINVAL, "must be one of EIO|");
	kit_refused(k, "stats|stats|stats|stats|stats|stats|stats|stats|ram:1M", -EINVAL,
		"more than 8");
	kit_refused(k, "ram:1M|stats", -EINVAL, "needs a backstore below");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(fail_here_and_there),
		T(after_and_count),
		T(late),
		T(half_of_it),
		T(dropped),
		T(stuck),
		T(delays),
		T(counts),
		T(what_passes_through),
		T(refused),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
