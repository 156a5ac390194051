/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gather_test.c: requests of one round that a disk in memory gets together (prefetch() in
 * backstore.h): what it sees, and in which order.
 */
#include "block/testkit.h"

#include <stdio.h>

#include "block/limits.h"

enum { SIZE_BYTES = 1 << 20 };

/* What the backstore was told, in order: "0:5 " is step 0 for block 5, "r5 " its submission. */
static char trace[4096];

static void told(const char *fmt, unsigned long long block)
{
	size_t n = strlen(trace);

	snprintf(trace + n, sizeof(trace) - n, fmt, block);
}

static void ahead_prefetch(void *handle, const struct ulio_bio *b, int step)
{
	told(step ? "1:%llu " : "0:%llu ", b->off_bytes / 512);
}

static void ahead_submit(void *handle, struct ulio_bio *b)
{
	bool data = b->op == ULIO_OP_READ || b->op == ULIO_OP_WRITE;

	told(b->op == ULIO_OP_READ       ? "r%llu "
		: b->op == ULIO_OP_WRITE ? "w%llu "
					 : "f ",
		b->off_bytes / 512);
	ulio_bio_answer(b, b->id, data ? (int64_t)b->len_bytes : 0);
}

static int ahead_open(struct loops *loops, struct backstore *self,
	const struct ulio_open_args *args, void **ret_handle)
{
	*ret_handle = trace;
	return 0;
}

static void ahead_close(void *handle)
{
}

static void ahead_info(void *handle, struct ulio_backstore_info *info)
{
	info->size_bytes = SIZE_BYTES;
	info->block_bytes = 512;
}

static const struct ulio_param_doc no_params[] = { { NULL } };

static const struct backstore_internal_ops ahead_ops = {
	.ops = {
		ULIO_BACKSTORE_HEADER,
		.kind = "ahead",
		.text = "For this test.",
		.params = no_params,
		.close = ahead_close,
		.info = ahead_info,
		.submit = ahead_submit,
	},
	.open = ahead_open,
	.prefetch = ahead_prefetch,
};

static int setup(void **state)
{
	static struct kit k;

	kit_init(&k, LOOP_SIM, 1);
	assert_int_equal(backstore_register_internal(k.reg, &ahead_ops), 0);
	trace[0] = 0;
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	kit_done(*state);
	return 0;
}

static char block[512];
static struct iovec block_iov = { block, sizeof(block) };

static struct kit_io io_make(struct backstore *bs, enum ulio_bio_op op, uint64_t at)
{
	bool data = op == ULIO_OP_READ || op == ULIO_OP_WRITE;

	return (struct kit_io){ .bs = bs,
		.op = op,
		.off = data ? at * 512 : 0,
		.len = data ? 512 : 0,
		.iov = data ? &block_iov : NULL,
		.niov = data,
		.iov_cap = data };
}

struct round {
	struct kit_io *ios;
	unsigned n;
};

static void submit_all(struct loop *loop, void *arg)
{
	struct round *r = arg;

	for (unsigned i = 0; i < r->n; i++)
		kit_io_submit(loop, &r->ios[i]);
}

/* All in one round of the loop. */
static void run(struct kit *k, struct kit_io *ios, unsigned n)
{
	struct round r = { ios, n };

	for (unsigned i = 0; i < n; i++) {
		loop_event_init(&ios[i].event, k->loops);
		ios[i].ndone = 0;
	}
	loops_call(k->loops, loops_get(k->loops, 0), submit_all, &r);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(kit_wait(&ios[i]), 0);
		assert_false(ios[i].inside);
	}
}

static void together(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ahead");
	struct kit_io ios[] = { io_make(bs, ULIO_OP_READ, 7), io_make(bs, ULIO_OP_WRITE, 3),
		io_make(bs, ULIO_OP_FLUSH, 0), io_make(bs, ULIO_OP_READ, 9) };

	run(k, ios, 4);
	/* What has no data does not wait. */
	assert_string_equal(trace, "f 0:7 0:3 0:9 1:7 1:3 1:9 r7 w3 r9 ");
	kit_close(bs);
}

/* There is nothing to hide the fetching behind. */
static void alone(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ahead");
	struct kit_io io = io_make(bs, ULIO_OP_READ, 7);

	run(k, &io, 1);
	assert_string_equal(trace, "r7 ");
	kit_close(bs);
}

/* More than there is room for: the rest is submitted at once. */
static void too_many(void **state)
{
	struct kit *k = *state;
	struct backstore *bs = kit_open(k, "ahead");
	struct kit_io ios[BIO_GATHERED_MAX + 2];
	char want[sizeof(trace)] = "";

	for (unsigned i = 0; i < BIO_GATHERED_MAX + 2; i++)
		ios[i] = io_make(bs, ULIO_OP_READ, i);
	run(k, ios, BIO_GATHERED_MAX + 2);
	snprintf(want, sizeof(want), "r%d r%d 0:0 ", BIO_GATHERED_MAX, BIO_GATHERED_MAX + 1);
	assert_memory_equal(trace, want, strlen(want));
	snprintf(want, sizeof(want), " r%d ", BIO_GATHERED_MAX - 1);
	assert_string_equal(trace + strlen(trace) - strlen(want), want);
	kit_close(bs);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(together),
		T(alone),
		T(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
