/* SPDX-License-Identifier: BSD-3-Clause */
/* backstore.c: open backstores and the way of a request across the border; see backstore.h. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "block/backstore_priv.h"
#include "block/limits.h"
#include "block/params.h"

/* ---- info ----------------------------------------------------------------------------------- */

static void info_store(struct backstore *bs, const struct ulio_backstore_info *info)
{
	uint64_t words[INFO_WORDS];
	uint32_t seq = atomic_load_explicit(&bs->info_seq, memory_order_relaxed);

	memcpy(words, info, sizeof(words));
	atomic_store_explicit(&bs->info_seq, seq + 1, memory_order_relaxed);
	for (size_t i = 0; i < INFO_WORDS; i++)
		atomic_store_explicit(&bs->info_words[i], words[i], memory_order_release);
	atomic_store_explicit(&bs->info_seq, seq + 2, memory_order_release);
	atomic_store_explicit(&bs->size_bytes, info->size_bytes, memory_order_relaxed);
	atomic_store_explicit(&bs->flags, info->flags, memory_order_relaxed);
	atomic_store_explicit(&bs->max_io_bytes, info->max_io_bytes, memory_order_relaxed);
}

void backstore_info(struct backstore *bs, struct ulio_backstore_info *ret)
{
	uint64_t words[INFO_WORDS];
	uint32_t seq;

	do {
		seq = atomic_load_explicit(&bs->info_seq, memory_order_acquire);
		for (size_t i = 0; i < INFO_WORDS; i++)
			words[i] = atomic_load_explicit(&bs->info_words[i], memory_order_acquire);
	} while ((seq & 1) || atomic_load_explicit(&bs->info_seq, memory_order_relaxed) != seq);
	memcpy(ret, words, sizeof(words));
}

static bool pow2(uint64_t v)
{
	return v && (v & (v - 1)) == 0;
}

static int info_check(const struct ulio_backstore_info *i, struct errmsg *err)
{
	if (!pow2(i->block_bytes) || i->block_bytes < BACKSTORE_BLOCK_MIN ||
		i->block_bytes > BACKSTORE_BLOCK_MAX)
		return errmsg_set(err, -EINVAL,
			"blocks of %u bytes: must be a power of two from %d to %d", i->block_bytes,
			BACKSTORE_BLOCK_MIN, BACKSTORE_BLOCK_MAX);
	if (i->size_bytes == 0 || i->size_bytes % i->block_bytes ||
		i->size_bytes > BACKSTORE_SIZE_MAX)
		return errmsg_set(err, -EINVAL,
			"size of %llu bytes: must be a multiple of %u, more than 0",
			(unsigned long long)i->size_bytes, i->block_bytes);
	if (i->max_io_bytes && i->max_io_bytes < i->block_bytes)
		return errmsg_set(err, -EINVAL, "takes no whole block at once");
	return 0;
}

/* Ask the backstore for its info and publish it. *ret_changed: something differs. */
static int info_take(struct backstore *bs, bool *ret_changed, struct errmsg *err)
{
	struct ulio_backstore_info info = { .size = sizeof(info) };
	struct ulio_backstore_info old;
	int r;

	bs->kind.ops.info(bs->handle, &info);
	info.size = sizeof(info);
	info.reserved = 0;
	if (!bs->kind.internal)
		info.flags &= ~(uint32_t)(ULIO_INFO_LENDS | ULIO_INFO_TAKES);
	if (!bs->kind.ops.map)
		info.flags &= ~(uint32_t)ULIO_INFO_MAP;
	if (!info.physical_bytes)
		info.physical_bytes = info.block_bytes;
	if (!info.discard_bytes)
		info.discard_bytes = info.block_bytes;
	r = info_check(&info, err);
	if (r < 0)
		return r;
	if (bs->block_bytes && bs->block_bytes != info.block_bytes)
		return errmsg_set(err, -EIO, "the length of a block changed from %u to %u",
			bs->block_bytes, info.block_bytes);
	if (!bs->block_bytes)
		bs->block_bytes = info.block_bytes;
	backstore_info(bs, &old);
	*ret_changed = memcmp(&old, &info, sizeof(info)) != 0;
	info_store(bs, &info);
	return 0;
}

/* ---- open ----------------------------------------------------------------------------------- */

static void submit_gathered(struct loop *loop, struct loop_msg *msg);

static int slots_new(struct backstore *bs)
{
	bs->nslots = loops_count(bs->loops);
	bs->slots = aligned_alloc(
		alignof(struct backstore_slot), bs->nslots * sizeof(struct backstore_slot));
	if (!bs->slots)
		return -ENOMEM;
	memset(bs->slots, 0, bs->nslots * sizeof(struct backstore_slot));
	for (unsigned i = 0; i < bs->nslots; i++) {
		list_init(&bs->slots[i].under_way);
		bio_stock_init(&bs->slots[i]);
		bs->slots[i].submit_gathered.fn = submit_gathered;
	}
	return 0;
}

static struct backstore *backstore_new(
	struct backstore_registry *reg, const struct backstore_kind *kind, const char *name)
{
	struct backstore *bs = aligned_alloc(alignof(struct backstore), sizeof(*bs));

	if (!bs)
		return NULL;
	memset(bs, 0, sizeof(*bs));
	bs->kind = *kind;
	bs->reg = reg;
	registry_ref(reg);
	bs->loops = registry_loops(reg);
	bs->depth = 1;
	log_limit_init(&bs->log_limit, 5, UINT64_C(10000000000));
	bs->name = strdup(name);
	if (!bs->name || slots_new(bs) < 0) {
		backstore_destroy(bs);
		return NULL;
	}
	return bs;
}

static int call_open(
	struct backstore *bs, const struct ulio_param *params, unsigned nparams, struct errmsg *err)
{
	char why[BACKSTORE_ERR_MAX] = "";
	struct ulio_open_args args = {
		.size = sizeof(args),
		.nparams = nparams,
		.name = bs->name,
		.params = params,
		.host = &backstore_host,
		.err = why,
		.err_bytes = sizeof(why),
	};
	bool stepped = loops_step_aside(bs->loops);
	int r;

	if (bs->kind.open)
		r = bs->kind.open(bs->loops, bs, &args, &bs->handle);
	else
		r = bs->kind.ops.open(&args, &bs->handle);
	loops_step_back(bs->loops, stepped);
	why[sizeof(why) - 1] = '\0';
	if (r == 0) {
		bs->opened = true;
		return 0;
	}
	if (r > 0)
		r = -EIO;
	return errmsg_set(err, r, "%s", why[0] ? why : err_text(r));
}

static int open_check(const struct backstore_kind *kind, const char *name,
	const struct ulio_param *params, unsigned nparams, struct backstore *below,
	struct errmsg *err)
{
	size_t n = strlen(name);

	if (n == 0 || n > BACKSTORE_NAME_MAX)
		return errmsg_set(
			err, -EINVAL, "the name must have 1 to %d bytes", BACKSTORE_NAME_MAX);
	if (kind->filter && !below)
		return errmsg_set(err, -EINVAL, "is a filter: needs a backstore below");
	if (!kind->filter && below)
		return errmsg_set(err, -EINVAL, "is no filter: nothing can be below");
	if (below && below->depth == BACKSTORE_STACK_MAX)
		return errmsg_set(err, -EINVAL, "more than %d backstores upon each other",
			BACKSTORE_STACK_MAX);
	return params_check(kind->ops.params, params, nparams, false, err);
}

int backstore_open(struct backstore_registry *reg, const char *kind_name, const char *name,
	const struct ulio_param *params, unsigned nparams, struct backstore *below,
	struct backstore **ret, struct errmsg *err)
{
	const struct backstore_kind *kind = registry_find(reg, kind_name);
	struct backstore *bs;
	struct errmsg ours;
	bool changed;
	int r;

	if (!err)
		err = &ours;
	if (!kind)
		return errmsg_set(err, -ENOENT, "%.64s: no such kind of backstore", kind_name);
	r = open_check(kind, name, params, nparams, below, err);
	if (r < 0)
		return errmsg_prefix(err, "%s", kind_name);
	bs = backstore_new(reg, kind, name);
	if (!bs)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", kind_name);
	bs->below = below;
	if (below)
		bs->depth = below->depth + 1;
	r = call_open(bs, params, nparams, err);
	if (r == 0)
		r = info_take(bs, &changed, err);
	if (r < 0) {
		bs->below = NULL;
		backstore_destroy(bs);
		return errmsg_prefix(err, "%s", kind_name);
	}
	*ret = bs;
	return 0;
}

/* ---- submit --------------------------------------------------------------------------------- */

/* What is asked of each operation. */
static const struct {
	bool data; /* len > 0, and iov says where */
	bool writes;
	uint32_t needs; /* ULIO_INFO_* */
} op_rules[ULIO_OP_N] = {
	[ULIO_OP_READ] = { .data = true },
	[ULIO_OP_WRITE] = { .data = true, .writes = true },
	[ULIO_OP_FLUSH] = { 0 },
	[ULIO_OP_DISCARD] = { .writes = true, .needs = ULIO_INFO_DISCARD },
	[ULIO_OP_ZERO] = { .writes = true },
};

/* Our own promises; a broken one is a bug of the caller. */
static void submit_assert(const struct backstore *bs, const struct bio *bio, uint32_t flags)
{
	const struct ulio_bio *b = &bio->b;

	assert(b->op < ULIO_OP_N);
	assert(((b->off_bytes | b->len_bytes) & (bs->block_bytes - 1)) == 0);
	assert(bio->done);
	if (!op_rules[b->op].data)
		return;
	assert(b->len_bytes > 0);
	if (b->flags & ULIO_BIO_LEND) {
		assert(b->op == ULIO_OP_READ && (flags & ULIO_INFO_LENDS));
		assert(b->niov == 0 && b->iov_cap > 0);
		return;
	}
	assert(iov_bytes(b->iov, b->niov) == b->len_bytes);
}

/* What may have become impossible since the caller looked. 0 or -errno. */
static int submit_check(struct backstore *bs, const struct ulio_bio *b, uint32_t flags)
{
	uint64_t size = atomic_load_explicit(&bs->size_bytes, memory_order_relaxed);
	uint32_t max_io = atomic_load_explicit(&bs->max_io_bytes, memory_order_relaxed);

	if (b->off_bytes > size || b->len_bytes > size - b->off_bytes)
		return -EIO;
	if (op_rules[b->op].writes && (flags & ULIO_INFO_READONLY))
		return -EROFS;
	if ((flags & op_rules[b->op].needs) != op_rules[b->op].needs)
		return -EOPNOTSUPP;
	if (op_rules[b->op].data && max_io && b->len_bytes > max_io)
		return -EINVAL;
	return 0;
}

static void slot_add(struct backstore_slot *slot, struct bio *bio)
{
	if (list_empty(&slot->under_way))
		atomic_store_explicit(&slot->oldest_ns, bio->submitted_ns, memory_order_relaxed);
	list_push_back(&slot->under_way, &bio->link);
	atomic_store_explicit(&slot->nunder_way,
		atomic_load_explicit(&slot->nunder_way, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

static void slot_remove(struct backstore_slot *slot, struct bio *bio)
{
	bool oldest = slot->under_way.next == &bio->link;
	struct bio *first;

	list_del(&bio->link);
	atomic_store_explicit(&slot->nunder_way,
		atomic_load_explicit(&slot->nunder_way, memory_order_relaxed) - 1,
		memory_order_relaxed);
	if (!oldest)
		return;
	first = list_first(&slot->under_way, struct bio, link);
	atomic_store_explicit(
		&slot->oldest_ns, first ? first->submitted_ns : 0, memory_order_relaxed);
}

/* The end of a round. Answers may come back to their callers right here: slot may go with them. */
static void submit_gathered(struct loop *loop, struct loop_msg *msg)
{
	struct backstore_slot *slot = container_of(msg, struct backstore_slot, submit_gathered);
	const struct backstore_kind *kind = &slot->gathered[0]->bs->kind;
	void *handle = slot->gathered[0]->bs->handle;
	struct bio *bios[BIO_GATHERED_MAX];
	unsigned n = slot->ngathered;

	memcpy(bios, slot->gathered, n * sizeof(bios[0]));
	slot->ngathered = 0;
	for (int step = 0; step < 2 && n > 1; step++)
		for (unsigned i = 0; i < n; i++)
			kind->prefetch(handle, &bios[i]->b, step);
	for (unsigned i = 0; i < n; i++)
		kind->ops.submit(handle, &bios[i]->b);
}

/* True if bio waits for the end of the round now. */
static bool gather(struct backstore_slot *slot, struct bio *bio)
{
	if (!bio->bs->kind.prefetch || !op_rules[bio->b.op].data ||
		slot->ngathered == BIO_GATHERED_MAX)
		return false;
	if (!slot->ngathered)
		loop_defer(bio->loop, &slot->submit_gathered);
	slot->gathered[slot->ngathered++] = bio;
	return true;
}

void backstore_submit(struct backstore *bs, struct loop *loop, struct bio *bio)
{
	struct backstore_slot *slot = bio->slot;
	uint32_t flags = atomic_load_explicit(&bs->flags, memory_order_relaxed);
	int r;

	assert(bio->bs == bs && bio->loop == loop);
	submit_assert(bs, bio, flags);
	r = submit_check(bs, &bio->b, flags);
	if (!(flags & ULIO_INFO_TAKES))
		bio->b.flags &= (uint16_t)~ULIO_BIO_GIVE;
	/* 0 stands for "none"; clocks that begin at 0 are moved by one. */
	bio->submitted_ns = loop_now_ns(loop) | 1;
	bio->zeroing = r == 0 && bio->b.op == ULIO_OP_ZERO && !(flags & ULIO_INFO_ZERO);
	bio_begin(bio);
	slot_add(slot, bio);
	if (r == 0 && !bio->zeroing && gather(slot, bio))
		return;
	slot->entered++;
	if (r < 0)
		ulio_bio_answer(&bio->b, bio->b.id, r);
	else if (bio->zeroing)
		backstore_zero_by_write(bio);
	else
		bs->kind.ops.submit(bs->handle, &bio->b);
	slot->entered--;
}

void backstore_cancel(struct backstore *bs, struct bio *bio)
{
	struct backstore_slot *slot = bio->slot;

	assert(bio->bs == bs);
	if (bio_state(bio) != BIO_SUBMITTED)
		return;
	slot->entered++;
	if (bio->zeroing)
		backstore_zero_cancel(bio);
	else if (bs->kind.ops.cancel)
		bs->kind.ops.cancel(bs->handle, &bio->b, bio->b.id);
	slot->entered--;
}

/* ---- answers -------------------------------------------------------------------------------- */

void backstore_bad_answer(struct backstore *bs, const char *what)
{
	atomic_fetch_add_explicit(&bs->bad_answers, 1, memory_order_relaxed);
	log_limited(&bs->log_limit, LOG_LEVEL_ERROR, "block", bs->name, "backstore %s: %s",
		bs->kind.ops.kind, what);
}

/* What a backstore says is checked here: 0 or -errno. */
static int answer_judge(struct backstore *bs, struct bio *bio)
{
	struct ulio_bio *b = &bio->b;
	int64_t want = op_rules[b->op].data ? (int64_t)b->len_bytes : 0;
	bool lend = b->flags & ULIO_BIO_LEND;

	if (bio->answer < 0 && bio->answer >= -4095) {
		if (lend)
			b->niov = 0;
		return (int)bio->answer;
	}
	if (bio->answer != want) {
		backstore_bad_answer(bs, bio->answer < 0      ? "answered with no errno"
					 : bio->answer < want ? "transferred too little"
							      : "transferred too much");
		goto bad;
	}
	if (lend && (b->niov > b->iov_cap || iov_bytes(b->iov, b->niov) != b->len_bytes)) {
		backstore_bad_answer(bs, "lent memory of the wrong length");
		goto bad;
	}
	return 0;
bad:
	if (lend)
		b->niov = 0;
	return -EIO;
}

void backstore_answered(struct bio *bio)
{
	bio->b.result = answer_judge(bio->bs, bio);
	slot_remove(bio->slot, bio);
	bio_end(bio);
	bio->done(bio);
}

/* ---- control -------------------------------------------------------------------------------- */

int backstore_map(struct backstore *bs, uint64_t off_bytes, uint64_t len_bytes,
	struct ulio_extent *ret, uint32_t max)
{
	uint64_t size = atomic_load_explicit(&bs->size_bytes, memory_order_relaxed);
	uint64_t at = off_bytes, end;
	int n;

	if (!bs->kind.ops.map)
		return -EOPNOTSUPP;
	if (max == 0 || len_bytes == 0 || off_bytes >= size)
		return -EINVAL;
	end = len_bytes < size - off_bytes ? off_bytes + len_bytes : size;
	n = bs->kind.ops.map(bs->handle, off_bytes, end - off_bytes, ret, max);
	if (n < 0)
		return n < -4095 ? -EIO : n;
	if (n == 0 || (uint32_t)n > max)
		goto bad;
	for (int i = 0; i < n; i++) {
		if (ret[i].off_bytes != at || ret[i].len_bytes == 0 || ret[i].len_bytes > end - at)
			goto bad;
		at += ret[i].len_bytes;
	}
	return n;
bad:
	backstore_bad_answer(bs, "told a map that does not fit");
	return -EIO;
}

/* Settle what resize() or set() said, and tell the owner if info is another. */
static int control_done(struct backstore *bs, int r, char *why, struct errmsg *err)
{
	bool changed = false;
	int r2;

	why[BACKSTORE_ERR_MAX - 1] = '\0';
	if (r != 0)
		return errmsg_set(err, r < 0 ? r : -EIO, "%s: %s", bs->name,
			why[0] ? why : err_text(r < 0 ? r : -EIO));
	r2 = info_take(bs, &changed, err);
	if (r2 < 0)
		return errmsg_prefix(err, "%s", bs->name);
	if (changed && bs->on_change)
		bs->on_change(bs, bs->on_change_arg);
	return 0;
}

int backstore_resize(struct backstore *bs, uint64_t size_bytes, struct errmsg *err)
{
	char why[BACKSTORE_ERR_MAX] = "";
	struct errmsg ours;
	uint64_t old_bytes;
	int r;

	if (!err)
		err = &ours;
	if (!bs->kind.ops.resize)
		return errmsg_set(
			err, -EOPNOTSUPP, "%s: a %s has a fixed size", bs->name, bs->kind.ops.kind);
	if (size_bytes % bs->block_bytes || size_bytes > BACKSTORE_SIZE_MAX)
		return errmsg_set(err, -EINVAL, "%s: size %llu: must be a multiple of %u", bs->name,
			(unsigned long long)size_bytes, bs->block_bytes);
	/* What is to be cut off is out of reach before it goes. */
	old_bytes = atomic_load(&bs->size_bytes);
	if (size_bytes && size_bytes < old_bytes) {
		atomic_store(&bs->size_bytes, size_bytes);
		loops_barrier(bs->loops, NULL, NULL);
	}
	r = bs->kind.ops.resize(bs->handle, size_bytes, why, sizeof(why));
	if (r != 0)
		atomic_store(&bs->size_bytes, old_bytes);
	return control_done(bs, r, why, err);
}

int backstore_set(
	struct backstore *bs, const struct ulio_param *params, unsigned nparams, struct errmsg *err)
{
	char why[BACKSTORE_ERR_MAX] = "";
	struct errmsg ours;
	int r;

	if (!err)
		err = &ours;
	if (!bs->kind.ops.set)
		return errmsg_set(err, -EOPNOTSUPP, "%s: a %s has no settings that can change",
			bs->name, bs->kind.ops.kind);
	r = params_check(bs->kind.ops.params, params, nparams, true, err);
	if (r < 0)
		return errmsg_prefix(err, "%s", bs->name);
	r = bs->kind.ops.set(bs->handle, params, nparams, why, sizeof(why));
	return control_done(bs, r, why, err);
}

void backstore_on_change(
	struct backstore *bs, void (*fn)(struct backstore *bs, void *arg), void *arg)
{
	bs->on_change = fn;
	bs->on_change_arg = arg;
}

void backstore_get_load(struct backstore *bs, uint64_t now_ns, struct backstore_load *ret)
{
	uint64_t oldest = 0;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < bs->nslots; i++) {
		const struct backstore_slot *slot = &bs->slots[i];
		uint64_t t = atomic_load_explicit(&slot->oldest_ns, memory_order_relaxed);

		ret->under_way += atomic_load_explicit(&slot->nunder_way, memory_order_relaxed);
		if (t && (!oldest || t < oldest))
			oldest = t;
	}
	if (oldest && oldest < now_ns)
		ret->oldest_ns = now_ns - oldest;
	ret->bad_answers = atomic_load_explicit(&bs->bad_answers, memory_order_relaxed);
}

bool backstore_stuck(struct backstore *bs, uint64_t now_ns, uint64_t limit_ns)
{
	struct backstore_load load;

	backstore_get_load(bs, now_ns, &load);
	return load.oldest_ns > limit_ns;
}

const char *backstore_name(const struct backstore *bs)
{
	return bs->name;
}

const char *backstore_kind_name(const struct backstore *bs)
{
	return bs->kind.ops.kind;
}

struct backstore *backstore_below(struct backstore *bs)
{
	return bs->below;
}

void *backstore_handle(struct backstore *bs, const char *kind)
{
	return bs->kind.internal && strcmp(bs->kind.ops.kind, kind) == 0 ? bs->handle : NULL;
}

struct loops *backstore_loops(const struct backstore *bs)
{
	return bs->loops;
}
