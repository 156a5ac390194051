/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backstore.h: the registry of backstore kinds, open backstores, and the border across which every
 * request passes. The border checks both sides: our own promises by assertion, a backstore's
 * answers by turning nonsense into an I/O error of that one request.
 *
 * A backstore that does not answer holds only its own request: backstore_stuck() tells, nothing waits.
 */
#ifndef ULIO_BLOCK_BACKSTORE_H
#define ULIO_BLOCK_BACKSTORE_H

#include <ulio/backstore.h>

#include "base/err.h"
#include "block/bio.h"
#include "loop/loop.h"

struct backstore;

/*
 * Kinds of a process. The internal ones are registered by the daemon's wiring; plugins are loaded by
 * path. Control thread.
 */
struct backstore_registry;
struct backstore_registry *backstore_registry_new(struct loops *loops);
struct backstore_registry *backstore_registry_free(struct backstore_registry *reg);
/* 0, -EEXIST, or -EINVAL if size or abi do not fit. */
int backstore_register(struct backstore_registry *reg, const struct ulio_backstore_ops *ops,
	struct errmsg *err);
/* dlopen() path, call its ulio_backstore_init, register what it returns. */
int backstore_load_plugin(struct backstore_registry *reg, const char *path, struct errmsg *err);
const struct ulio_backstore_ops *backstore_kind(struct backstore_registry *reg, const char *kind);
/* Names of all kinds in order, for help texts: the i-th, NULL past the end. */
const struct ulio_backstore_ops *backstore_kind_at(struct backstore_registry *reg, unsigned i);

/*
 * Internal backstores need the loops too: what they get in place of the plugin's void.
 * The registry passes it as `internal` to those that were registered with backstore_register_internal().
 */
struct backstore_internal_ops {
	struct ulio_backstore_ops ops;
	/* In place of ops.open. self is the struct backstore being opened. */
	int (*open)(struct loops *loops, struct backstore *self, const struct ulio_open_args *args,
		void **ret_handle);
};
int backstore_register_internal(struct backstore_registry *reg,
	const struct backstore_internal_ops *ops);

/*
 * Open a backstore: kind and settings. below: what a filter is stacked on (its reference passes to
 * the new one), else NULL. Unknown keys, missing required ones and bad values are refused with a
 * sentence in *err. Control thread, may block.
 */
int backstore_open(struct backstore_registry *reg, const char *kind, const char *name,
	const struct ulio_param *params, unsigned nparams, struct backstore *below,
	struct backstore **ret, struct errmsg *err);
/*
 * Close; waits (bounded by timeout_ns) for requests under way, then closes. -EBUSY if some did not
 * come back: the backstore is then left to itself, and freed when they do (they can do no harm:
 * their memory is kept). Control thread.
 */
int backstore_close(struct backstore *bs, uint64_t timeout_ns);

/*
 * Open "kind:main,key=value,key=value" (the form of `--disk` and of the CLI), with filters in
 * front: "delay:ms=5|file:/path,size=10G". The main value goes to the kind's first documented key.
 */
int backstore_open_spec(struct backstore_registry *reg, const char *name, const char *spec,
	struct backstore **ret, struct errmsg *err);

/*
 * Submit on the loop of the caller. Asserts that offset, length, iov and flags fit the backstore's
 * info. bio->done runs later on the same loop, never from inside of this call.
 */
void backstore_submit(struct backstore *bs, struct loop *loop, struct bio *bio);
/* Ask to complete bio early. Loop: the one that submitted it. */
void backstore_cancel(struct backstore *bs, struct bio *bio);

/* Snapshot of the info; cheap, any thread. */
void backstore_info(struct backstore *bs, struct ulio_backstore_info *ret);
const char *backstore_name(const struct backstore *bs);
const char *backstore_kind_name(const struct backstore *bs);
/* Blocks; worker thread. As ulio_backstore_ops.map; -EOPNOTSUPP without it. */
int backstore_map(struct backstore *bs, uint64_t off_bytes, uint64_t len_bytes,
	struct ulio_extent *ret, uint32_t max);
/* Control thread, blocks. 0 or -errno with *err. Runs the change callback if the size changed. */
int backstore_resize(struct backstore *bs, uint64_t size_bytes, struct errmsg *err);
/* Called when size or flags changed, on the control thread or posted from elsewhere by the owner. */
void backstore_on_change(struct backstore *bs, void (*fn)(struct backstore *bs, void *arg), void *arg);

/* Requests under way over all loops, and the age of the oldest. Any thread; approximate. */
struct backstore_load {
	uint64_t under_way;
	uint64_t oldest_ns; /* age */
	uint64_t bad_answers; /* answers that made no sense (twice, too much) */
};
void backstore_get_load(struct backstore *bs, struct backstore_load *ret);
/* The backstore below a filter, else NULL. */
struct backstore *backstore_below(struct backstore *bs);
struct loops *backstore_loops(const struct backstore *bs);

#endif
