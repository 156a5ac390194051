/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backstore.h: the registry of backstore kinds, open backstores, and the border across which every
 * request passes. The border checks both sides: our own promises by assertion, a backstore's
 * answers by turning nonsense into an I/O error of that one request.
 *
 * A backstore that does not answer holds only its own request: backstore_stuck() tells, nothing
 * waits.
 */
#ifndef ULIO_BLOCK_BACKSTORE_H
#define ULIO_BLOCK_BACKSTORE_H

#include <ulio/backstore.h>

#include "base/err.h"
#include "block/bio.h"
#include "loop/loop.h"

struct backstore;

/*
 * Kinds of a process. The internal ones are registered by the daemon's wiring; plugins are loaded
 * by path. Control thread.
 */
struct backstore_registry;
struct backstore_registry *backstore_registry_new(struct loops *loops);
/*
 * Free it; every backstore must have been closed. Requests that never came back (see
 * backstore_close()) keep what they need. Returns NULL.
 */
struct backstore_registry *backstore_registry_free(struct backstore_registry *reg);
/*
 * Wait until every backstore that backstore_close() gave up has closed itself: 0 or -ETIMEDOUT.
 * Before loops_free(), which must not be called while one may still do so. Control thread.
 */
int backstore_registry_settle(struct backstore_registry *reg, uint64_t timeout_ns);
/* 0, -EEXIST, -ENOSPC (too many kinds), or -EINVAL if size, abi or the callbacks do not fit. */
int backstore_register(
	struct backstore_registry *reg, const struct ulio_backstore_ops *ops, struct errmsg *err);
/*
 * dlopen() path, call its ulio_backstore_init, register what it returns. The same errors, -ENOENT,
 * -EACCES or -ELIBBAD. It stays loaded until backstore_registry_free().
 */
int backstore_load_plugin(struct backstore_registry *reg, const char *path, struct errmsg *err);
const struct ulio_backstore_ops *backstore_kind(struct backstore_registry *reg, const char *kind);
/* Names of all kinds in order, for help texts: the i-th, NULL past the end. */
const struct ulio_backstore_ops *backstore_kind_at(struct backstore_registry *reg, unsigned i);
/* Is it a filter, which needs another backstore below? False for unknown kinds. */
bool backstore_kind_is_filter(struct backstore_registry *reg, const char *kind);

/*
 * Internal backstores need the loops too: what they get in place of the plugin's void. They may
 * lend and take pages, find their struct bio by bio_of(), and must not answer twice (it is found
 * out, as with all).
 */
struct backstore_internal_ops {
	struct ulio_backstore_ops ops;
	/* In place of ops.open. self is the struct backstore being opened. */
	int (*open)(struct loops *loops, struct backstore *self, const struct ulio_open_args *args,
		void **ret_handle);
	bool filter; /* stands on another: backstore_below(self) */
	/*
	 * Optional, for a disk in memory: READs and WRITEs that come in one round of the loop are
	 * submitted together at its end, and before that this asks the CPU to fetch what submit()
	 * will look at, in two steps: in step 0 where b's data are looked up, in step 1, by which
	 * that should be there, what was found. A loop on random places else waits for the memory
	 * once or twice with each request.
	 */
	void (*prefetch)(void *handle, const struct ulio_bio *b, int step);
};
int backstore_register_internal(
	struct backstore_registry *reg, const struct backstore_internal_ops *ops);

/*
 * Open a backstore: kind and settings. below: what a filter is stacked on (its reference passes to
 * the new one, on success), else NULL. Unknown keys, missing required ones and bad values are
 * refused with a sentence in *err. Control thread, may block.
 */
int backstore_open(struct backstore_registry *reg, const char *kind, const char *name,
	const struct ulio_param *params, unsigned nparams, struct backstore *below,
	struct backstore **ret, struct errmsg *err);
/*
 * Close it and what is below. Nobody may submit any more. Asks for the early end of all requests
 * under way, waits (bounded by timeout_ns) until each bio was given back by bio_free(), then
 * closes. -EBUSY if some did not come back: the backstore is then left to itself, and freed when
 * they do (they can do no harm: their memory is kept). bs may be NULL. Control thread.
 */
int backstore_close(struct backstore *bs, uint64_t timeout_ns);

/*
 * Open "kind:main,key=value,key=value" (the form of `--disk` and of the CLI), with filters in
 * front: "delay:ms=5|file:/path,size=10G". The main value goes to the kind's first documented key.
 * A backslash takes the special meaning from a comma, a bar or a backslash.
 */
int backstore_open_spec(struct backstore_registry *reg, const char *name, const char *spec,
	struct backstore **ret, struct errmsg *err);

/*
 * Submit on the loop of the caller, which took the bio from bio_new(bs, loop). Asserts that offset,
 * length and iov fit the backstore's block length and each other. A range beyond the end fails with
 * -EIO (the disk may have been made smaller meanwhile), a write to a read-only disk with -EROFS, an
 * operation that info does not offer with -EOPNOTSUPP, except that ZERO always works: where the
 * backstore lacks it, zeroes are written. bio->done runs later on the same loop, never from inside
 * of this call.
 */
void backstore_submit(struct backstore *bs, struct loop *loop, struct bio *bio);
/* Ask to complete bio early; it may be complete already. Loop: the one that submitted it. */
void backstore_cancel(struct backstore *bs, struct bio *bio);

/* Snapshot of the info; cheap, any thread. Fields that the backstore left 0 are filled in. */
void backstore_info(struct backstore *bs, struct ulio_backstore_info *ret);
const char *backstore_name(const struct backstore *bs);
const char *backstore_kind_name(const struct backstore *bs);
/* Blocks; worker thread. As ulio_backstore_ops.map; -EOPNOTSUPP without it. */
int backstore_map(struct backstore *bs, uint64_t off_bytes, uint64_t len_bytes,
	struct ulio_extent *ret, uint32_t max);
/*
 * Control thread, blocks. size 0: take over the size that the medium has now. 0 or -errno with
 * *err. Runs the change callback if the size changed. Make the logical unit smaller before its
 * backstore, and larger after it.
 */
int backstore_resize(struct backstore *bs, uint64_t size_bytes, struct errmsg *err);
/* Change settings that are ULIO_PARAM_LIVE. Control thread, may block. */
int backstore_set(struct backstore *bs, const struct ulio_param *params, unsigned nparams,
	struct errmsg *err);
/* Called on the control thread, from backstore_resize() and backstore_set(), when info changed. */
void backstore_on_change(
	struct backstore *bs, void (*fn)(struct backstore *bs, void *arg), void *arg);

/* Requests under way over all loops, and the age of the oldest. Any thread; approximate. */
struct backstore_load {
	uint64_t under_way;
	uint64_t oldest_ns; /* age, 0 if there is none */
	uint64_t bad_answers; /* answers that made no sense (twice, too much) */
};
/* now_ns: the time of loop_now_ns(). */
void backstore_get_load(struct backstore *bs, uint64_t now_ns, struct backstore_load *ret);
/* True if a request has been under way for longer than limit_ns. */
bool backstore_stuck(struct backstore *bs, uint64_t now_ns, uint64_t limit_ns);
/* The backstore below a filter, else NULL. */
struct backstore *backstore_below(struct backstore *bs);
/* What open() of this kind returned, NULL if bs is of another: for the module of that kind only. */
void *backstore_handle(struct backstore *bs, const char *kind);
struct loops *backstore_loops(const struct backstore *bs);

#endif
