/* SPDX-License-Identifier: BSD-3-Clause */
/* null.c: see null.h. It lends pages of zeroes and touches no data. */
#include "backstore/null/null.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "block/cursor.h"
#include "block/limits.h"
#include "block/params.h"
#include "block/zero.h"
#include "loop/pool.h"

struct null {
	uint64_t size_bytes;
	uint32_t block_bytes;
};

static const struct ulio_param_doc null_params[] = {
	{ .key = "size",
		.type = ULIO_PARAM_SIZE,
		.min = BACKSTORE_BLOCK_MAX,
		.max = BACKSTORE_SIZE_MAX,
		.preset = "1T",
		.text = "Size of the disk in bytes." },
	{ .key = "block",
		.type = ULIO_PARAM_CHOICE,
		.choices = "512|4096",
		.preset = "512",
		.text = "Smallest unit of access in bytes." },
	{ NULL },
};

static int null_open(struct loops *loops, struct backstore *self, const struct ulio_open_args *args,
	void **ret_handle)
{
	struct null *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->size_bytes = param_u64(null_params, args->params, args->nparams, "size");
	n->block_bytes =
		param_choice(null_params, args->params, args->nparams, "block") ? 4096 : 512;
	*ret_handle = n;
	return 0;
}

static void null_close(void *handle)
{
	free(handle);
}

static void null_info(void *handle, struct ulio_backstore_info *info)
{
	const struct null *n = handle;

	/* There is no cache that could be lost: nothing is ever kept. */
	info->flags = ULIO_INFO_DISCARD | ULIO_INFO_DISCARD_ZEROES | ULIO_INFO_ZERO |
		      ULIO_INFO_ZERO_UNMAPS | ULIO_INFO_THIN | ULIO_INFO_MAP | ULIO_INFO_LENDS |
		      ULIO_INFO_TAKES;
	info->size_bytes = n->size_bytes;
	info->block_bytes = n->block_bytes;
}

static int64_t null_read(struct ulio_bio *b)
{
	struct bio *bio = bio_of(b);
	struct cursor c;
	int r;

	if (b->flags & ULIO_BIO_LEND) {
		r = zero_run_lend(bio, b->len_bytes, b->iov, 0, b->iov_cap);
		if (r >= 0) {
			b->niov = (uint32_t)r;
			return (int64_t)b->len_bytes;
		}
		/* Too few entries for runs: memory of its own is in fewer pieces. */
		r = pages_alloc(loop_set(bio->loop), bio->loop, b->len_bytes, b->iov, b->iov_cap);
		if (r < 0)
			return r;
		b->niov = (uint32_t)r;
	}
	c = cursor_begin(b->iov, b->niov);
	cursor_put(&c, NULL, b->len_bytes);
	return (int64_t)b->len_bytes;
}

static void null_submit(void *handle, struct ulio_bio *b)
{
	int64_t res = 0;

	if (b->op == ULIO_OP_READ)
		res = null_read(b);
	else if (b->op == ULIO_OP_WRITE)
		res = (int64_t)b->len_bytes;
	ulio_bio_answer(b, b->id, res);
}

static int null_map(
	void *handle, uint64_t off_bytes, uint64_t len_bytes, struct ulio_extent *ret, uint32_t max)
{
	*ret = (struct ulio_extent){
		.off_bytes = off_bytes, .len_bytes = len_bytes, .kind = ULIO_EXTENT_HOLE
	};
	return 1;
}

static int null_resize(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	struct null *n = handle;

	if (size_bytes)
		n->size_bytes = size_bytes;
	return 0;
}

const struct backstore_internal_ops backstore_null = {
	.ops = {
		ULIO_BACKSTORE_HEADER,
		.kind = "null",
		.text = "Forgets what is written and reads as zeroes, for measuring.",
		.params = null_params,
		.close = null_close,
		.info = null_info,
		.submit = null_submit,
		.map = null_map,
		.resize = null_resize,
	},
	.open = null_open,
};
