/* SPDX-License-Identifier: BSD-3-Clause */
/* ram.c: see ram.h. The pages themselves are in table.c. */
#include "backstore/ram/ram.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backstore/ram/limits.h"
#include "backstore/ram/table.h"
#include "base/log.h"
#include "block/cursor.h"
#include "block/params.h"
#include "block/zero.h"

struct ram {
	struct loops *loops; /* borrowed */
	struct ram_table *table; /* owned */
	uint64_t size_bytes; /* control thread */
	uint32_t block_bytes;
	bool shared_zero; /* pages written with zeroes are holes */
	uint64_t used_max_bytes; /* of the pool, by all: no disk grows beyond it */
	/* Pages that may be taken before the pool is asked again how full it is. */
	alignas(64) _Atomic int64_t grant;
};

/* A request on its way through the pages that it touches. */
struct ram_walk {
	struct ram *ram;
	struct bio *bio;
	struct cursor data;
	uint64_t page;
	uint32_t in_page; /* offset */
	uint64_t left_bytes;
	uint32_t n; /* bytes of the present step: within one page */
	struct iovec spare; /* owned: new pages, not used yet */
	bool give; /* whole pages may be taken as they are */
	bool exchange; /* even where there is one that could be written over */
};

static const struct ulio_param_doc ram_params[] = {
	{ .key = "size",
		.type = ULIO_PARAM_SIZE,
		.flags = ULIO_PARAM_REQUIRED,
		.min = POOL_PAGE_BYTES,
		.max = RAM_SIZE_MAX,
		.text = "Size of the disk in bytes; memory is taken where it is written." },
	{ .key = "block",
		.type = ULIO_PARAM_CHOICE,
		.choices = "512|4096",
		.preset = "512",
		.text = "Smallest unit of access in bytes." },
	{ .key = "shared-zero",
		.type = ULIO_PARAM_BOOL,
		.preset = "no",
		.text = "Look for zeroes in what is written; pages of zeroes take no memory." },
	{ NULL },
};

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + POOL_PAGE_BYTES - 1) / POOL_PAGE_BYTES;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void walk_begin(struct ram_walk *w, struct ram *ram, struct ulio_bio *b)
{
	memset(w, 0, sizeof(*w));
	w->ram = ram;
	w->bio = bio_of(b);
	w->data = cursor_begin(b->iov, b->niov);
	w->page = b->off_bytes / POOL_PAGE_BYTES;
	w->in_page = (uint32_t)(b->off_bytes % POOL_PAGE_BYTES);
	w->left_bytes = b->len_bytes;
	w->give = b->flags & ULIO_BIO_GIVE;
	w->exchange = w->give && b->len_bytes >= RAM_EXCHANGE_BYTES * (uint64_t)b->niov;
}

/* On to the next page that is touched. False at the end. */
static bool walk_step(struct ram_walk *w)
{
	if (w->n) {
		w->page++;
		w->in_page = 0;
		w->left_bytes -= w->n;
	}
	if (!w->left_bytes)
		return false;
	w->n = POOL_PAGE_BYTES - w->in_page;
	if (w->n > w->left_bytes)
		w->n = (uint32_t)w->left_bytes;
	return true;
}

static void walk_end(struct ram_walk *w)
{
	if (w->spare.iov_len)
		pages_unref(w->ram->loops, &w->spare, 1);
}

/*
 * A hole is about to take a page for good: -ENOSPC when the pool's share for disks is used up. How
 * much that is takes long to count, so a part of the rest is granted at a time.
 */
static int ram_may_grow(struct ram *ram)
{
	uint64_t used;
	int64_t grant;

	if (atomic_fetch_sub_explicit(&ram->grant, 1, memory_order_relaxed) > 0)
		return 0;
	used = pages_used_bytes(ram->loops);
	if (used >= ram->used_max_bytes)
		return -ENOSPC;
	grant = (int64_t)((ram->used_max_bytes - used) / POOL_PAGE_BYTES / RAM_GRANT_PART);
	atomic_store_explicit(
		&ram->grant, grant < RAM_GRANT_MAX ? grant : RAM_GRANT_MAX, memory_order_relaxed);
	return 0;
}

/* A new page, from a batch for the rest of the request. NULL: no memory. */
static void *walk_page(struct ram_walk *w)
{
	uint64_t want = w->left_bytes + w->in_page;
	void *page;

	if (!w->spare.iov_len) {
		want = pages_of(want < RAM_BATCH_BYTES ? want : RAM_BATCH_BYTES) * POOL_PAGE_BYTES;
		if (pages_alloc(w->ram->loops, w->bio->loop, want, &w->spare, 1) < 0 &&
			pages_alloc(w->ram->loops, w->bio->loop, POOL_PAGE_BYTES, &w->spare, 1) <
				0) {
			w->spare.iov_len = 0;
			return NULL;
		}
	}
	page = w->spare.iov_base;
	w->spare.iov_base = (char *)page + POOL_PAGE_BYTES;
	w->spare.iov_len -= POOL_PAGE_BYTES;
	return page;
}

/* ---- read ----------------------------------------------------------------------------------- */

static void read_copy(struct ram_walk *w)
{
	while (walk_step(w)) {
		ram_entry *e = ram_table_find(w->ram->table, w->page);
		const char *page = e ? ram_entry_lock(e) : NULL;

		cursor_put(&w->data, page ? page + w->in_page : NULL, w->n);
		if (e)
			ram_entry_unlock(e, (void *)page);
	}
}

/* Append n bytes at p, whose page has been referenced, to the lent pages. False: no room. */
static bool lend_append(struct ulio_bio *b, char *p, uint32_t n)
{
	struct iovec *last = b->niov ? &b->iov[b->niov - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == p) {
		last->iov_len += n;
		return true;
	}
	if (b->niov == b->iov_cap)
		return false;
	b->iov[b->niov++] = (struct iovec){ p, n };
	return true;
}

static int lend_hole(struct ulio_bio *b, uint64_t *hole_bytes)
{
	int r;

	if (!*hole_bytes)
		return 0;
	r = zero_run_lend(bio_of(b), *hole_bytes, b->iov, b->niov, b->iov_cap);
	if (r < 0)
		return r;
	b->niov = (uint32_t)r;
	*hole_bytes = 0;
	return 0;
}

static int lend_pages(struct ram_walk *w, struct ulio_bio *b)
{
	uint64_t hole_bytes = 0;
	int r;

	while (walk_step(w)) {
		ram_entry *e = ram_table_find(w->ram->table, w->page);
		char *page = e ? ram_entry_lock(e) : NULL;

		if (page)
			page_ref(w->ram->loops, page);
		if (e)
			ram_entry_unlock(e, page);
		if (!page) {
			hole_bytes += w->n;
			continue;
		}
		r = lend_hole(b, &hole_bytes);
		if (r == 0 && !lend_append(b, page + w->in_page, w->n))
			r = -EMSGSIZE;
		if (r < 0) {
			page_unref(w->ram->loops, page);
			return r;
		}
	}
	return lend_hole(b, &hole_bytes);
}

static int read_lend(struct ram_walk *w, struct ulio_bio *b)
{
	struct ram *ram = w->ram;
	int r = lend_pages(w, b);

	if (r == 0)
		return 0;
	pages_unref(ram->loops, b->iov, b->niov);
	b->niov = 0;
	if (r != -EMSGSIZE)
		return r;
	/* More pieces than entries: lend a copy, which is in fewer. */
	r = pages_alloc(ram->loops, w->bio->loop, b->len_bytes, b->iov, b->iov_cap);
	if (r < 0)
		return r;
	b->niov = (uint32_t)r;
	walk_begin(w, ram, b);
	read_copy(w);
	return 0;
}

static void ram_read(struct ram *ram, struct ulio_bio *b)
{
	struct ram_walk w;
	int r = 0;

	walk_begin(&w, ram, b);
	if (b->flags & ULIO_BIO_LEND)
		r = read_lend(&w, b);
	else
		read_copy(&w);
	ulio_bio_answer(b, b->id, r < 0 ? r : (int64_t)b->len_bytes);
}

/* ---- write ---------------------------------------------------------------------------------- */

/* The page that the caller gives for this step, referenced for us; NULL: it must be copied. */
static void *walk_given(struct ram_walk *w)
{
	size_t piece;
	uint8_t *p;

	if (!w->give || w->n != POOL_PAGE_BYTES)
		return NULL;
	p = cursor_at(&w->data, POOL_PAGE_BYTES, &piece);
	if (piece != POOL_PAGE_BYTES || (uintptr_t)p % POOL_PAGE_BYTES ||
		!page_owned(w->ram->loops, p))
		return NULL;
	page_ref(w->ram->loops, p);
	return p;
}

/* Put a whole new page in the place of whatever is there; its reference passes. */
static int step_exchange(struct ram_walk *w, ram_entry *e, void *page)
{
	void *old = ram_entry_lock(e);
	int r = old ? 0 : ram_may_grow(w->ram);

	ram_entry_unlock(e, r < 0 ? old : page);
	if (r < 0)
		page_unref(w->ram->loops, page);
	else if (old)
		page_unref(w->ram->loops, old);
	return r;
}

/* The data of this step over what is there, in place if nobody else has the page. False if so. */
static bool step_in_place(struct ram_walk *w, ram_entry *e)
{
	char *old = ram_entry_lock(e);
	bool ok = old && page_exclusive(w->ram->loops, old);

	if (ok)
		cursor_get(&w->data, old + w->in_page, w->n);
	ram_entry_unlock(e, old);
	return ok;
}

/* The data of this step into a new page, with what else was on the old one. */
static int step_replace(struct ram_walk *w, ram_entry *e)
{
	char *page = walk_page(w), *old;
	int r;

	if (!page)
		return ram_may_grow(w->ram) < 0 ? -ENOSPC : -ENOMEM;
	old = ram_entry_lock(e);
	r = old ? 0 : ram_may_grow(w->ram);
	if (r == 0) {
		if (w->n < POOL_PAGE_BYTES && old)
			memcpy(page, old, POOL_PAGE_BYTES);
		else if (w->n < POOL_PAGE_BYTES)
			memset(page, 0, POOL_PAGE_BYTES);
		cursor_get(&w->data, page + w->in_page, w->n);
	}
	ram_entry_unlock(e, r < 0 ? old : page);
	if (r < 0)
		page_unref(w->ram->loops, page);
	else if (old)
		page_unref(w->ram->loops, old);
	return r;
}

static void step_drop(struct ram_walk *w, ram_entry *e)
{
	void *old = ram_entry_lock(e);

	ram_entry_unlock(e, NULL);
	if (old)
		page_unref(w->ram->loops, old);
}

static int step_write(struct ram_walk *w)
{
	ram_entry *e;
	void *page;
	int r;

	if (w->ram->shared_zero && w->n == POOL_PAGE_BYTES && cursor_is_zero(w->data, w->n)) {
		e = ram_table_find(w->ram->table, w->page);
		if (e)
			step_drop(w, e);
		cursor_skip(&w->data, w->n);
		return 0;
	}
	e = ram_table_make(w->ram->table, w->page);
	if (!e)
		return -ENOMEM;
	if (!w->exchange && step_in_place(w, e))
		return 0;
	page = walk_given(w);
	if (page) {
		r = step_exchange(w, e, page);
		cursor_skip(&w->data, w->n);
		return r;
	}
	/* Part of a page, or one that cannot be kept. */
	if (w->exchange && step_in_place(w, e))
		return 0;
	return step_replace(w, e);
}

static void ram_write(struct ram *ram, struct ulio_bio *b)
{
	struct ram_walk w;
	int r = 0;

	walk_begin(&w, ram, b);
	while (r == 0 && walk_step(&w))
		r = step_write(&w);
	walk_end(&w);
	ulio_bio_answer(b, b->id, r < 0 ? r : (int64_t)b->len_bytes);
}

/* ---- discard, zero -------------------------------------------------------------------------- */

/* Zero a part of a page. */
static int step_clear(struct ram_walk *w, ram_entry *e)
{
	static const char zeroes[POOL_PAGE_BYTES];
	const struct iovec iov = { (void *)zeroes, w->n };

	if ((atomic_load_explicit(e, memory_order_relaxed) & ~(uintptr_t)1) == 0)
		return 0;
	w->data = cursor_begin(&iov, 1);
	if (step_in_place(w, e))
		return 0;
	return step_replace(w, e);
}

/* Instead of a step: over the rest of a leaf that is not there. */
static void walk_skip_leaf(struct ram_walk *w)
{
	uint64_t n = (RAM_LEAF_PAGES - w->page % RAM_LEAF_PAGES) * POOL_PAGE_BYTES - w->in_page;

	w->left_bytes -= n < w->left_bytes ? n : w->left_bytes;
	w->page += RAM_LEAF_PAGES - w->page % RAM_LEAF_PAGES;
	w->in_page = 0;
	w->n = 0;
}

/* Some of a walk. 1: all is done, 0: not yet, or -errno. */
static int clear_some(struct ram_walk *w)
{
	for (unsigned steps = 0; steps < RAM_CLEAR_STEPS; steps++) {
		ram_entry *e;
		int r;

		if (!walk_step(w))
			return 1;
		e = ram_table_find(w->ram->table, w->page);
		if (!e) {
			walk_skip_leaf(w);
			continue;
		}
		if (w->n == POOL_PAGE_BYTES) {
			step_drop(w, e);
			continue;
		}
		r = step_clear(w, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What is too long for one turn of the loop goes on in the next. */
struct ram_clear {
	struct loop_msg msg;
	struct ram_walk walk;
	uint64_t id;
};

static void clear_go_on(struct loop *loop, struct loop_msg *msg)
{
	struct ram_clear *c = container_of(msg, struct ram_clear, msg);
	struct bio *bio = c->walk.bio;
	uint64_t id = c->id;
	int r = clear_some(&c->walk);

	if (r == 0) {
		loop_post(loop, msg);
		return;
	}
	walk_end(&c->walk);
	free(c);
	ulio_bio_answer(&bio->b, id, r < 0 ? r : 0);
}

static void ram_clear(struct ram *ram, struct ulio_bio *b)
{
	struct ram_clear *c;
	struct ram_walk w;
	int r;

	walk_begin(&w, ram, b);
	r = clear_some(&w);
	if (r != 0) {
		walk_end(&w);
		ulio_bio_answer(b, b->id, r < 0 ? r : 0);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		walk_end(&w);
		ulio_bio_answer(b, b->id, -ENOMEM);
		return;
	}
	c->walk = w;
	c->id = b->id;
	c->msg.fn = clear_go_on;
	loop_post(bio_of(b)->loop, &c->msg);
}

/* ---- the border ----------------------------------------------------------------------------- */

/* Nothing is safer on stable storage than it is: there is none. */
static void ram_flush(struct ram *ram, struct ulio_bio *b)
{
	ulio_bio_answer(b, b->id, 0);
}

static void ram_submit(void *handle, struct ulio_bio *b)
{
	static void (*const ops[ULIO_OP_N])(struct ram * ram, struct ulio_bio * b) = {
		[ULIO_OP_READ] = ram_read,
		[ULIO_OP_WRITE] = ram_write,
		[ULIO_OP_FLUSH] = ram_flush,
		[ULIO_OP_DISCARD] = ram_clear,
		[ULIO_OP_ZERO] = ram_clear,
	};

	ops[b->op](handle, b);
}

static void ram_prefetch(void *handle, const struct ulio_bio *b, int step)
{
	const struct ram *ram = handle;
	ram_entry *e = ram_table_find(ram->table, b->off_bytes / POOL_PAGE_BYTES);
	void *page;

	if (!e)
		return;
	if (step == 0) {
		__builtin_prefetch(e, 1);
		return;
	}
	page = (void *)(atomic_load_explicit(e, memory_order_relaxed) & ~(uintptr_t)1);
	if (page)
		page_ref_prefetch(ram->loops, page);
}

static int ram_open(struct loops *loops, struct backstore *self, const struct ulio_open_args *args,
	void **ret_handle)
{
	struct ram *ram = aligned_alloc(alignof(struct ram), sizeof(*ram));
	uint64_t limit = pages_limit_bytes(loops);

	if (!ram)
		return -ENOMEM;
	memset(ram, 0, sizeof(*ram));
	ram->loops = loops;
	ram->size_bytes = param_u64(ram_params, args->params, args->nparams, "size");
	ram->block_bytes =
		param_choice(ram_params, args->params, args->nparams, "block") ? 4096 : 512;
	ram->shared_zero = param_bool(ram_params, args->params, args->nparams, "shared-zero");
	ram->used_max_bytes = limit - limit / RAM_KEEP_FREE;
	ram->table = ram_table_new(loops, pages_of(ram->size_bytes));
	if (!ram->table) {
		free(ram);
		return -ENOMEM;
	}
	if (ram->size_bytes > ram->used_max_bytes)
		log_obj(LOG_LEVEL_WARN, "ram", args->name,
			"size of %llu bytes, but only %llu bytes of memory may be used for data: "
			"writes will fail when they are full",
			(unsigned long long)ram->size_bytes,
			(unsigned long long)ram->used_max_bytes);
	*ret_handle = ram;
	return 0;
}

static void ram_close(void *handle)
{
	struct ram *ram = handle;

	ram_table_free(ram->table);
	free(ram);
}

static void ram_info(void *handle, struct ulio_backstore_info *info)
{
	const struct ram *ram = handle;

	info->flags = ULIO_INFO_DISCARD | ULIO_INFO_DISCARD_ZEROES | ULIO_INFO_ZERO |
		      ULIO_INFO_ZERO_UNMAPS | ULIO_INFO_THIN | ULIO_INFO_MAP | ULIO_INFO_LENDS |
		      ULIO_INFO_TAKES;
	info->size_bytes = ram->size_bytes;
	info->block_bytes = ram->block_bytes;
	info->physical_bytes = POOL_PAGE_BYTES;
	info->discard_bytes = POOL_PAGE_BYTES;
}

static int ram_map(
	void *handle, uint64_t off_bytes, uint64_t len_bytes, struct ulio_extent *ret, uint32_t max)
{
	struct ram *ram = handle;
	uint64_t at = off_bytes, end = off_bytes + len_bytes;
	uint32_t n;

	for (n = 0; n < max && at < end; n++) {
		uint64_t page = at / POOL_PAGE_BYTES;
		uint64_t run, stop;
		bool hole;

		run = ram_table_run(ram->table, page, pages_of(end) - page, &hole);
		if (run == 0)
			break;
		stop = (page + run) * POOL_PAGE_BYTES;
		if (stop > end)
			stop = end;
		ret[n] = (struct ulio_extent){ .off_bytes = at,
			.len_bytes = stop - at,
			.kind = hole ? ULIO_EXTENT_HOLE : ULIO_EXTENT_DATA };
		at = stop;
	}
	return n ? (int)n : -EIO;
}

/* Zero what of a page is beyond the new end. */
static int ram_clear_tail(struct ram *ram, uint64_t page_no, uint32_t from)
{
	ram_entry *e = ram_table_find(ram->table, page_no);
	struct iovec iov;
	char *old;

	if (!e)
		return 0;
	if (pages_alloc(ram->loops, NULL, POOL_PAGE_BYTES, &iov, 1) < 0)
		return -ENOMEM;
	old = ram_entry_lock(e);
	if (old) {
		memcpy(iov.iov_base, old, from);
		memset((char *)iov.iov_base + from, 0, POOL_PAGE_BYTES - from);
	}
	ram_entry_unlock(e, old ? iov.iov_base : NULL);
	page_unref(ram->loops, old ? old : iov.iov_base);
	return 0;
}

static int ram_resize(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	struct ram *ram = handle;
	uint32_t tail = (uint32_t)(size_bytes % POOL_PAGE_BYTES);
	int r;

	if (size_bytes == 0)
		return 0;
	if (size_bytes > RAM_SIZE_MAX) {
		snprintf(err, err_bytes, "at most %llu bytes", (unsigned long long)RAM_SIZE_MAX);
		return -EINVAL;
	}
	/* What was cut off must read as zeroes when the disk grows again. */
	if (tail && size_bytes < ram->size_bytes) {
		r = ram_clear_tail(ram, size_bytes / POOL_PAGE_BYTES, tail);
		if (r < 0)
			return r;
	}
	r = ram_table_resize(ram->table, pages_of(size_bytes));
	if (r == 0)
		ram->size_bytes = size_bytes;
	return r;
}

const struct backstore_internal_ops backstore_ram = {
	.ops = {
		ULIO_BACKSTORE_HEADER,
		.kind = "ram",
		.text = "A disk in memory; its content is gone when the program ends.",
		.params = ram_params,
		.close = ram_close,
		.info = ram_info,
		.submit = ram_submit,
		.map = ram_map,
		.resize = ram_resize,
	},
	.open = ram_open,
	.prefetch = ram_prefetch,
};
