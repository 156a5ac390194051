/* SPDX-License-Identifier: BSD-3-Clause */
/* backstore_priv.h: what the files of this folder share. */
#ifndef ULIO_BLOCK_BACKSTORE_PRIV_H
#define ULIO_BLOCK_BACKSTORE_PRIV_H

#include <pthread.h>
#include <stdalign.h>

#include "base/log.h"
#include "block/backstore.h"
#include "block/limits.h"

/* A registered kind. ops is a copy, filled up with zeroes if the plugin's is shorter. */
struct backstore_kind {
	struct ulio_backstore_ops ops;
	int (*open)(struct loops *loops, struct backstore *self, const struct ulio_open_args *args,
		void **ret_handle); /* NULL: ops.open */
	void (*prefetch)(void *handle, const struct ulio_bio *b, int step); /* may be NULL */
	bool internal;
	bool filter;
};

/*
 * What one loop has of a backstore. Only that loop writes; the atomics are read elsewhere too.
 * Aligned so that two loops never write to one cache line, nor to a pair that is fetched together.
 */
struct backstore_slot {
	alignas(128) struct list under_way; /* struct bio, the oldest first */
	struct list stock; /* struct bio, idle */
	unsigned nstock;
	unsigned nout; /* bios taken and not given back */
	unsigned entered; /* inside of the backstore's submit() or cancel() */
	bool draining; /* the last bio_free() is to be told */
	/* What waits to be submitted together; see prefetch() in backstore.h. */
	unsigned ngathered;
	struct bio *gathered[BIO_GATHERED_MAX];
	struct loop_msg submit_gathered;
	_Atomic uint64_t nunder_way;
	_Atomic uint64_t oldest_ns; /* when the oldest was submitted, 0 if none is under way */
};

#define INFO_WORDS (sizeof(struct ulio_backstore_info) / sizeof(uint64_t))

enum close_state { CLOSE_OPEN, CLOSE_WAITING, CLOSE_GAVE_UP, CLOSE_DRAINED };

struct orphan;

struct backstore {
	struct backstore_kind kind; /* copy */
	void *handle;
	bool opened; /* close() is owed */
	char *name;
	struct loops *loops; /* borrowed */
	struct backstore_registry *reg; /* ref: zero pages, plugin code */
	struct backstore *below; /* owned: closed with this one */
	unsigned depth; /* 1: nothing below */
	unsigned nslots;
	struct backstore_slot *slots; /* one per loop */

	/* Read by each submit, written when info changes. */
	_Atomic uint64_t size_bytes;
	_Atomic uint32_t flags;
	_Atomic uint32_t max_io_bytes;
	uint32_t block_bytes; /* never changes */

	/* The info as words, guarded by a sequence number (odd: being written). */
	_Atomic uint32_t info_seq;
	_Atomic uint64_t info_words[INFO_WORDS];

	void (*on_change)(struct backstore *bs, void *arg);
	void *on_change_arg;

	alignas(64) _Atomic uint64_t bad_answers;
	struct log_limit log_limit;

	/* Closing. */
	_Atomic int close_state; /* enum close_state */
	_Atomic unsigned undrained; /* slots with bios out */
	struct loop_event drained;
	struct orphan *orphan; /* owned; frees this if it is given up */
};

/* registry.c */
const struct backstore_kind *registry_find(struct backstore_registry *reg, const char *kind);
struct loops *registry_loops(const struct backstore_registry *reg);
void registry_ref(struct backstore_registry *reg);
void registry_unref(struct backstore_registry *reg); /* any thread; the last one frees it */
/* A backstore was given up, and has closed itself (on a loop). Any thread. */
void registry_orphan_add(struct backstore_registry *reg);
void registry_orphan_gone(struct backstore_registry *reg);
/* The run of zeroes of a loop, for zero.c. */
struct zero_run {
	alignas(64) const void *pages; /* NULL until it is asked for */
	uint32_t bytes;
};
struct zero_run *registry_zero_run(struct backstore_registry *reg, unsigned loop_index);

/* bio.c */
extern const struct ulio_host backstore_host;
enum bio_state bio_state(const struct bio *bio);
/* The transitions. */
void bio_begin(struct bio *bio);
bool bio_take_answer(struct bio *bio, uint64_t id);
void bio_end(struct bio *bio);
void bio_stock_init(struct backstore_slot *slot);
void bio_stock_done(struct backstore_slot *slot);

/* backstore.c */
void backstore_answered(struct bio *bio); /* its loop: BIO_ANSWERED to done */
void backstore_bad_answer(struct backstore *bs, const char *what);

/* close.c */
void backstore_slot_drained(
	struct backstore *bs, struct loop *loop); /* its last bio was given back */
void backstore_destroy(struct backstore *bs); /* also of a half-opened one */

/* zero.c */
void backstore_zero_by_write(struct bio *bio);
void backstore_zero_cancel(struct bio *bio);

#endif
