/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backstore_test.c: the border. A backstore of the test's own, registered as a plugin would be,
 * breaks each promise in turn; the daemon's side must turn it into an error of that request alone.
 * Then closing, with and without answers, and the ways in which opening is refused.
 */
#include "block/testkit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "block/limits.h"

/* ---- a backstore that does as it is told ---------------------------------------------------- */

enum naughty {
	GOOD, /* answer rightly, inside of submit */
	THREAD, /* answer rightly, from another thread */
	KEEP, /* keep the request until told */
	ANSWER, /* answer with the given number */
	TWICE, /* answer twice at once */
};

enum { MEM_BYTES = 1 << 20 };

static struct mem {
	uint8_t data[MEM_BYTES];
	uint32_t flags, block_bytes, max_io_bytes;
	uint64_t size_bytes;
	_Atomic int naughty;
	int64_t answer;
	struct ulio_bio *kept;
	uint64_t kept_id;
	unsigned ncancel, nclose, nwrites;
	bool answer_cancel;
	pthread_t thread;
	bool threaded;
	int map_case;
} mem;

static int64_t mem_transfer(struct ulio_bio *b)
{
	uint8_t *p = mem.data + b->off_bytes;

	if (b->op > ULIO_OP_WRITE)
		return 0;
	for (uint32_t i = 0; i < b->niov; i++) {
		if (b->op == ULIO_OP_READ)
			memcpy(b->iov[i].iov_base, p, b->iov[i].iov_len);
		else
			memcpy(p, b->iov[i].iov_base, b->iov[i].iov_len);
		p += b->iov[i].iov_len;
	}
	mem.nwrites += b->op == ULIO_OP_WRITE;
	return (int64_t)b->len_bytes;
}

static void *mem_thread(void *arg)
{
	ulio_bio_answer(mem.kept, mem.kept_id, mem_transfer(mem.kept));
	return NULL;
}

static void mem_submit(void *handle, struct ulio_bio *b)
{
	uint64_t id = b->id;

	mem.kept = b;
	mem.kept_id = id;
	switch (atomic_load(&mem.naughty)) {
	case THREAD:
		mem.threaded = true;
		assert_int_equal(pthread_create(&mem.thread, NULL, mem_thread, NULL), 0);
		break;
	case KEEP:
		break;
	case ANSWER:
		ulio_bio_answer(b, id, mem.answer);
		break;
	case TWICE:
		ulio_bio_answer(b, id, mem_transfer(b));
		ulio_bio_answer(b, id, -EIO);
		break;
	default:
		ulio_bio_answer(b, id, mem_transfer(b));
	}
}

static void mem_cancel(void *handle, struct ulio_bio *b, uint64_t id)
{
	mem.ncancel++;
	if (mem.answer_cancel)
		ulio_bio_answer(b, id, -ECANCELED);
}

static int mem_open(const struct ulio_open_args *args, void **ret_handle)
{
	if (args->nparams && strcmp(args->params[0].value, "fail") == 0) {
		strcpy(args->err, "as you wish");
		return -ENXIO;
	}
	*ret_handle = &mem;
	return 0;
}

static void mem_close(void *handle)
{
	mem.nclose++;
}

static void mem_info(void *handle, struct ulio_backstore_info *info)
{
	assert_int_equal(info->size, sizeof(*info));
	info->flags = mem.flags;
	info->size_bytes = mem.size_bytes;
	info->block_bytes = mem.block_bytes;
	info->max_io_bytes = mem.max_io_bytes;
}

static int mem_resize(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	if (size_bytes > MEM_BYTES) {
		strcpy(err, "too much");
		return -EFBIG;
	}
	if (size_bytes)
		mem.size_bytes = size_bytes;
	return 0;
}

static int mem_map(void *handle, uint64_t off, uint64_t len, struct ulio_extent *ret, uint32_t max)
{
	const struct ulio_extent whole = { off, len, ULIO_EXTENT_DATA, 0 };

	ret[0] = whole;
	switch (mem.map_case) {
	case 1: /* a gap */
		ret[0].off_bytes += 512;
		return 1;
	case 2: /* too long */
		ret[0].len_bytes += 512;
		return 1;
	case 3: /* empty */
		ret[0].len_bytes = 0;
		return 1;
	case 4: /* more than was asked for */
		return (int)max + 1;
	case 5:
		return 0;
	case 6:
		return -ENOLCK;
	default:
		return 1;
	}
}

static const struct ulio_param_doc mem_params[] = {
	{ .key = "how", .type = ULIO_PARAM_STRING },
	{ .key = "n", .type = ULIO_PARAM_UINT },
	{ NULL },
};

static const struct ulio_backstore_ops mem_ops = {
	ULIO_BACKSTORE_HEADER,
	.kind = "mem",
	.params = mem_params,
	.open = mem_open,
	.close = mem_close,
	.info = mem_info,
	.submit = mem_submit,
	.cancel = mem_cancel,
	.map = mem_map,
	.resize = mem_resize,
};

static int setup(void **state)
{
	static struct kit k;

	memset(&mem, 0, sizeof(mem));
	mem.size_bytes = MEM_BYTES;
	mem.block_bytes = 512;
	kit_init(&k, LOOP_AUTO, 2);
	assert_int_equal(backstore_register(k.reg, &mem_ops, NULL), 0);
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	kit_done(*state);
	return 0;
}

static uint64_t bad_answers(struct backstore *bs)
{
	struct backstore_load load;

	backstore_get_load(bs, 0, &load);
	return load.bad_answers;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void good_answers(void **state)
{
	struct backstore *bs = kit_open(*state, "mem");
	char buf[1024];

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(kit_write(bs, 512, buf, 1024), 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(kit_read(bs, 1024, buf, 512), 0);
	assert_true(buf[0] == 'x' && buf[511] == 'x' && buf[512] == 0);
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(bad_answers(bs), 0);
	kit_close(bs);
	assert_int_equal(mem.nclose, 1);
}

static void answer_from_another_thread(void **state)
{
	struct backstore *bs = kit_open(*state, "mem");
	char buf[512] = "over there";

	atomic_store(&mem.naughty, THREAD);
	assert_int_equal(kit_write(bs, 0, buf, 512), 0);
	pthread_join(mem.thread, NULL);
	assert_string_equal((char *)mem.data, "over there");
	kit_close(bs);
}

/* Every number that does not fit is an I/O error, and is counted. */
static void nonsense_answers(void **state)
{
	static const struct {
		enum ulio_bio_op op;
		int64_t answer;
		int res;
		bool bad;
	} rows[] = {
		{ ULIO_OP_READ, 512, -EIO, true }, /* short */
		{ ULIO_OP_READ, 1024, 0, false },
		{ ULIO_OP_READ, 1025, -EIO, true },
		{ ULIO_OP_WRITE, 0, -EIO, true },
		{ ULIO_OP_WRITE, 2048, -EIO, true },
		{ ULIO_OP_WRITE, INT64_MAX, -EIO, true },
		{ ULIO_OP_WRITE, -ENOSPC, -ENOSPC, false },
		{ ULIO_OP_WRITE, -4095, -4095, false },
		{ ULIO_OP_WRITE, -4096, -EIO, true },
		{ ULIO_OP_WRITE, INT64_MIN, -EIO, true },
		{ ULIO_OP_FLUSH, 0, 0, false },
		{ ULIO_OP_FLUSH, 1, -EIO, true },
		{ ULIO_OP_FLUSH, -EIO, -EIO, false },
	};
	struct backstore *bs = kit_open(*state, "mem");
	uint64_t bad = 0;
	char buf[1024];

	atomic_store(&mem.naughty, ANSWER);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mem.answer = rows[i].answer;
		if (rows[i].op == ULIO_OP_FLUSH)
			assert_int_equal(kit_op(bs, rows[i].op, 0, 0, 0), rows[i].res);
		else
			assert_int_equal(kit_rw(bs, rows[i].op, 0, 0, buf, 1024), rows[i].res);
		bad += rows[i].bad;
		assert_int_equal(bad_answers(bs), bad);
	}
	kit_close(bs);
}

static void answered_twice(void **state)
{
	struct backstore *bs = kit_open(*state, "mem");
	struct ulio_bio *old;
	uint64_t old_id;
	char buf[512];
	struct iovec iov = { buf, 512 };
	struct kit_io io = {
		.bs = bs, .op = ULIO_OP_READ, .len = 512, .iov = &iov, .niov = 1, .iov_cap = 1
	};

	/* At once. */
	atomic_store(&mem.naughty, TWICE);
	assert_int_equal(kit_run(&io), 0);
	assert_int_equal(bad_answers(bs), 1);
	/* Long after: the struct serves another request by then, which must not notice. */
	old = mem.kept;
	old_id = mem.kept_id;
	atomic_store(&mem.naughty, KEEP);
	kit_start(&io);
	assert_ptr_equal(mem.kept, old);
	assert_int_not_equal(mem.kept_id, old_id);
	ulio_bio_answer(old, old_id, 512);
	assert_true(kit_pending(&io));
	assert_int_equal(bad_answers(bs), 2);
	ulio_bio_answer(mem.kept, mem.kept_id, -ENOMEM);
	assert_int_equal(kit_wait(&io), -ENOMEM);
	/* And when it is idle. */
	ulio_bio_answer(mem.kept, mem.kept_id, 512);
	assert_int_equal(bad_answers(bs), 3);
	kit_close(bs);
}

/* ---- what is not even asked ----------------------------------------------------------------- */

static void beyond_the_end(void **state)
{
	struct backstore *bs = kit_open(*state, "mem");
	char buf[1024];

	assert_int_equal(kit_read(bs, MEM_BYTES - 1024, buf, 1024), 0);
	assert_int_equal(kit_read(bs, MEM_BYTES - 512, buf, 1024), -EIO);
	assert_int_equal(kit_read(bs, MEM_BYTES, buf, 512), -EIO);
	assert_int_equal(kit_write(bs, UINT64_MAX - 511, buf, 512), -EIO);
	assert_int_equal(kit_write(bs, UINT64_MAX - 511, buf, 1024), -EIO);
	assert_int_equal(mem.nwrites, 0);
	kit_close(bs);
}

static void not_offered(void **state)
{
	struct backstore *bs;
	char buf[2048] = "";

	mem.max_io_bytes = 1024;
	bs = kit_open(*state, "mem");
	assert_int_equal(kit_write(bs, 0, buf, 1024), 0);
	assert_int_equal(kit_write(bs, 0, buf, 2048), -EINVAL);
	assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, 0, 0, 512), -EOPNOTSUPP);
	kit_close(bs);
	mem.flags = ULIO_INFO_READONLY | ULIO_INFO_DISCARD;
	bs = kit_open(*state, "mem");
	assert_int_equal(kit_write(bs, 0, buf, 512), -EROFS);
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, 0, 0, 512), -EROFS);
	assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, 0, 0, 512), -EROFS);
	assert_int_equal(kit_read(bs, 0, buf, 512), 0);
	assert_int_equal(mem.nwrites, 1);
	kit_close(bs);
}

/* A plugin that says it can lend memory is not believed: it cannot have pages of the pool. */
static void plugins_lend_nothing(void **state)
{
	struct ulio_backstore_info info;
	struct backstore *bs;

	mem.flags = ULIO_INFO_LENDS | ULIO_INFO_TAKES | ULIO_INFO_ROTATIONAL;
	bs = kit_open(*state, "mem");
	backstore_info(bs, &info);
	assert_int_equal(info.flags, ULIO_INFO_ROTATIONAL);
	assert_int_equal(info.physical_bytes, 512);
	assert_int_equal(info.discard_bytes, 512);
	kit_close(bs);
}

/* ---- ZERO where there is none --------------------------------------------------------------- */

static void zero_by_writes(void **state)
{
	struct backstore *bs;

	mem.max_io_bytes = 200 << 10; /* no multiple of the run of zeroes */
	bs = kit_open(*state, "mem");
	memset(mem.data, 0xee, MEM_BYTES);
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, ULIO_BIO_FUA, 512, MEM_BYTES - 1024), 0);
	assert_int_equal(mem.nwrites, 6);
	assert_int_equal(mem.data[511], 0xee);
	assert_int_equal(mem.data[MEM_BYTES - 512], 0xee);
	for (size_t i = 512; i < MEM_BYTES - 512; i++)
		if (mem.data[i])
			fail_msg("byte %zu is %#x", i, mem.data[i]);
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, 0, 0, 0), 0);
	assert_int_equal(mem.nwrites, 6);
	/* The error of a write is that of the whole. */
	atomic_store(&mem.naughty, ANSWER);
	mem.answer = -ENOSPC;
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, 0, 0, MEM_BYTES), -ENOSPC);
	kit_close(bs);
}

static void zero_cancelled(void **state)
{
	struct backstore *bs = kit_open(*state, "mem");
	struct kit_io io = { .bs = bs, .op = ULIO_OP_ZERO, .len = MEM_BYTES };

	atomic_store(&mem.naughty, KEEP);
	mem.max_io_bytes = 4096;
	assert_int_equal(backstore_resize(bs, 0, NULL), 0); /* info is read again */
	kit_start(&io);
	kit_cancel(&io);
	assert_int_equal(mem.ncancel, 1);
	assert_true(kit_pending(&io));
	/* The write that was under way arrives all the same; there is no other. */
	ulio_bio_answer(mem.kept, mem.kept_id, 4096);
	assert_int_equal(kit_wait(&io), -ECANCELED);
	kit_close(bs);
}

/* ---- stuck ---------------------------------------------------------------------------------- */

static void load_and_stuck(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "mem");
	struct kit_io a = { .bs = bs, .op = ULIO_OP_FLUSH }, b = { .bs = bs, .op = ULIO_OP_FLUSH };
	struct ulio_bio *first;
	struct backstore_load load;
	uint64_t first_id, now;

	b.loop = 1;
	atomic_store(&mem.naughty, KEEP);
	kit_start(&a);
	first = mem.kept;
	first_id = mem.kept_id;
	now = a.bio->submitted_ns;
	kit_start(&b);
	backstore_get_load(bs, now + 1000, &load);
	assert_int_equal(load.under_way, 2);
	assert_int_equal(load.oldest_ns, 1000);
	assert_true(backstore_stuck(bs, now + 1001, 1000));
	assert_false(backstore_stuck(bs, now + 1000, 1000));
	ulio_bio_answer(first, first_id, 0);
	assert_int_equal(kit_wait(&a), 0);
	backstore_get_load(bs, now + 1000, &load);
	assert_int_equal(load.under_way, 1);
	ulio_bio_answer(mem.kept, mem.kept_id, 0);
	assert_int_equal(kit_wait(&b), 0);
	backstore_get_load(bs, now + 1000, &load);
	assert_int_equal(load.under_way, 0);
	assert_int_equal(load.oldest_ns, 0);
	assert_false(backstore_stuck(bs, UINT64_MAX, 0));
	kit_close(bs);
}

static void close_cancels(void **state)
{
	struct backstore *bs = kit_open(*state, "mem");
	struct kit_io io = { .bs = bs, .op = ULIO_OP_FLUSH, .loop = 1 };

	atomic_store(&mem.naughty, KEEP);
	mem.answer_cancel = true;
	kit_start(&io);
	kit_close(bs);
	assert_int_equal(mem.nclose, 1);
	assert_int_equal(kit_wait(&io), -ECANCELED);
}

/* No answer: close gives up, a late answer does no harm, and then it is closed after all. */
static void close_gives_up(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "mem");
	struct kit_io io = { .bs = bs, .op = ULIO_OP_FLUSH, .loop = 1 };

	atomic_store(&mem.naughty, KEEP);
	kit_start(&io);
	assert_int_equal(backstore_close(bs, 1000000), -EBUSY);
	assert_int_equal(mem.ncancel, 1);
	assert_int_equal(mem.nclose, 0);
	assert_int_equal(backstore_registry_settle(k->reg, 1000000), -ETIMEDOUT);
	ulio_bio_answer(mem.kept, mem.kept_id, 0);
	assert_int_equal(kit_wait(&io), 0);
	assert_int_equal(backstore_registry_settle(k->reg, KIT_WAIT_NS), 0);
	assert_int_equal(mem.nclose, 1);
}

/* ---- opening and size ----------------------------------------------------------------------- */

static void kinds_refused(void **state)
{
	struct kit *k = *state;
	struct ulio_backstore_ops ops = mem_ops;
	struct {
		struct ulio_backstore_ops ops;
		void *later;
	} longer;
	struct errmsg err;

	assert_int_equal(backstore_register(k->reg, &ops, &err), -EEXIST);
	ops.kind = "other";
	ops.abi = ULIO_BACKSTORE_ABI + 1;
	assert_int_equal(backstore_register(k->reg, &ops, &err), -EINVAL);
	assert_non_null(strstr(err.text, "ABI"));
	ops.abi = ULIO_BACKSTORE_ABI;
	ops.size = offsetof(struct ulio_backstore_ops, submit);
	assert_int_equal(backstore_register(k->reg, &ops, &err), -EINVAL);
	ops.size = sizeof(ops);
	ops.kind = "bad name";
	assert_int_equal(backstore_register(k->reg, &ops, &err), -EINVAL);
	ops.kind = "other";
	ops.submit = NULL;
	assert_int_equal(backstore_register(k->reg, &ops, &err), -EINVAL);
	assert_null(backstore_kind(k->reg, "other"));

	/* An older one, without the optional callbacks; a newer one that uses none of its own. */
	ops = mem_ops;
	ops.kind = "older";
	ops.size = offsetof(struct ulio_backstore_ops, cancel);
	assert_int_equal(backstore_register(k->reg, &ops, &err), 0);
	assert_null(backstore_kind(k->reg, "older")->cancel);
	assert_null(backstore_kind(k->reg, "older")->resize);
	memset(&longer, 0, sizeof(longer));
	longer.ops = mem_ops;
	longer.ops.kind = "newer";
	longer.ops.size = sizeof(longer);
	longer.later = &longer;
	assert_int_equal(backstore_register(k->reg, &longer.ops, &err), -EINVAL);
	longer.later = NULL;
	assert_int_equal(backstore_register(k->reg, &longer.ops, &err), 0);
	assert_string_equal(backstore_kind_at(k->reg, 2)->kind, "newer");
	assert_null(backstore_kind_at(k->reg, 3));
}

static void opening_refused(void **state)
{
	struct kit *k = *state;
	struct backstore *bs;
	char name[BACKSTORE_NAME_MAX + 2];
	struct errmsg err;

	kit_refused(k, "nothing:x", -ENOENT, "no such kind");
	kit_refused(k, "", -ENOENT, "no such kind");
	kit_refused(k, "mem:fail", -ENXIO, "mem: as you wish");
	kit_refused(k, "mem:x,colour=red", -EINVAL, "colour: no such setting");
	kit_refused(k, "mem:x,red", -EINVAL, "key=value");
	kit_refused(k, "mem:x,n=many", -EINVAL, "whole number");
	kit_refused(k, "mem|mem", -EINVAL, "is no filter");
	memset(name, 'n', sizeof(name));
	name[BACKSTORE_NAME_MAX + 1] = '\0';
	assert_int_equal(backstore_open(k->reg, "mem", name, NULL, 0, NULL, &bs, &err), -EINVAL);
	assert_int_equal(backstore_open(k->reg, "mem", "", NULL, 0, NULL, &bs, &err), -EINVAL);
	assert_int_equal(mem.nclose, 0 + 1); /* the lower one of "mem|mem" */

	mem.block_bytes = 1000;
	kit_refused(k, "mem", -EINVAL, "power of two");
	mem.block_bytes = 256;
	kit_refused(k, "mem", -EINVAL, "power of two");
	mem.block_bytes = 4096;
	mem.size_bytes = 4096 + 512;
	kit_refused(k, "mem", -EINVAL, "multiple of 4096");
	mem.size_bytes = 0;
	kit_refused(k, "mem", -EINVAL, "more than 0");
}

static const char *spec_value;
static unsigned spec_n;

static int spec_open(const struct ulio_open_args *args, void **ret_handle)
{
	static char kept[64];

	strncpy(kept, args->params[0].value, sizeof(kept) - 1);
	spec_value = kept;
	spec_n = args->nparams;
	*ret_handle = &mem;
	return 0;
}

static void specs(void **state)
{
	static const struct {
		const char *spec, *how;
		unsigned n;
	} rows[] = {
		{ "spec:/a/b", "/a/b", 1 },
		{ "spec:/a/b,n=3", "/a/b", 2 },
		{ "spec:how=x,n=3", "x", 2 },
		{ "spec:/a:b=c", "/a:b=c", 1 },
		{ "spec:/a\\,b\\|c\\\\,n=1", "/a,b|c\\", 2 },
	};
	struct kit *k = *state;
	struct ulio_backstore_ops ops = mem_ops;

	ops.kind = "spec";
	ops.open = spec_open;
	assert_int_equal(backstore_register(k->reg, &ops, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct backstore *bs = kit_open(k, rows[i].spec);

		assert_string_equal(spec_value, rows[i].how);
		assert_int_equal(spec_n, rows[i].n);
		assert_string_equal(backstore_kind_name(bs), "spec");
		assert_string_equal(backstore_name(bs), "disk");
		kit_close(bs);
	}
}

static void count_change(struct backstore *bs, void *arg)
{
	++*(unsigned *)arg;
}

static void sizes(void **state)
{
	struct backstore *bs = kit_open(*state, "mem");
	struct ulio_backstore_info info;
	unsigned nchanges = 0;
	struct errmsg err;
	char buf[512];

	backstore_on_change(bs, count_change, &nchanges);
	assert_int_equal(backstore_resize(bs, 8192, &err), 0);
	assert_int_equal(nchanges, 1);
	backstore_info(bs, &info);
	assert_int_equal(info.size_bytes, 8192);
	assert_int_equal(kit_read(bs, 8192, buf, 512), -EIO);
	assert_int_equal(backstore_resize(bs, 8192, &err), 0);
	assert_int_equal(nchanges, 1);
	assert_int_equal(backstore_resize(bs, 8191, &err), -EINVAL);
	assert_int_equal(backstore_resize(bs, 2 * MEM_BYTES, &err), -EFBIG);
	assert_string_equal(err.text, "disk: too much");
	assert_int_equal(nchanges, 1);
	/* What is refused leaves everything as it was. */
	assert_int_equal(kit_read(bs, 8192 - 512, buf, 512), 0);
	assert_int_equal(backstore_set(bs, NULL, 0, &err), -EOPNOTSUPP);
	/* The length of a block stays. */
	mem.block_bytes = 1024;
	assert_int_equal(backstore_resize(bs, 0, &err), -EIO);
	kit_close(bs);
}

static void maps(void **state)
{
	static const int results[] = { 1, -EIO, -EIO, -EIO, -EIO, -EIO, -ENOLCK };
	struct backstore *bs = kit_open(*state, "mem");
	struct ulio_extent e[4];

	for (mem.map_case = 0; mem.map_case <= 6; mem.map_case++)
		assert_int_equal(backstore_map(bs, 4096, 8192, e, 2), results[mem.map_case]);
	mem.map_case = 0;
	assert_int_equal(backstore_map(bs, MEM_BYTES - 512, 1 << 20, e, 1), 1);
	assert_int_equal(e[0].len_bytes, 512);
	assert_int_equal(backstore_map(bs, MEM_BYTES, 512, e, 1), -EINVAL);
	assert_int_equal(backstore_map(bs, 0, 512, e, 0), -EINVAL);
	kit_close(bs);
}

/* ---- many at once --------------------------------------------------------------------------- */

enum { MANY = 500 };

static void many(void **state)
{
	static struct kit_io ios[MANY];
	static char bufs[MANY][512];
	static struct iovec iovs[MANY];
	struct backstore *bs = kit_open(*state, "mem");

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			iovs[i] = (struct iovec){ bufs[i], 512 };
			ios[i] = (struct kit_io){ .bs = bs,
				.loop = i % 2,
				.op = ULIO_OP_READ,
				.off = i * 512,
				.len = 512,
				.iov = &iovs[i],
				.niov = 1,
				.iov_cap = 1 };
			kit_start(&ios[i]);
		}
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(kit_wait(&ios[i]), 0);
	}
	kit_close(bs);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(good_answers),
		T(answer_from_another_thread),
		T(nonsense_answers),
		T(answered_twice),
		T(beyond_the_end),
		T(not_offered),
		T(plugins_lend_nothing),
		T(zero_by_writes),
		T(zero_cancelled),
		T(load_and_stuck),
		T(close_cancels),
		T(close_gives_up),
		T(kinds_refused),
		T(opening_refused),
		T(specs),
		T(sizes),
		T(maps),
		T(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
