/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h: the pages of a RAM disk: a table of leaves, each a table of pages, both only there where
 * something was written.
 *
 * An entry is a pool page, which the table holds one reference of, or 0 for a hole. Bit 0 locks
 * it: so that a page is neither given back nor changed between finding it and taking a reference.
 * The lock is held for a copy of one page at most. It lies in the entry, so two loops meet on it
 * only when they use neighbouring pages.
 *
 * A page that somebody else holds a reference of (that was lent, or given) is never written to; it
 * is replaced.
 */
#ifndef ULIO_BACKSTORE_RAM_TABLE_H
#define ULIO_BACKSTORE_RAM_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "loop/pool.h"

enum {
	RAM_LEAF_PAGES = 512, /* a leaf fills one page itself */
};

#define RAM_LEAF_BYTES ((uint64_t)RAM_LEAF_PAGES * POOL_PAGE_BYTES)

typedef _Atomic(uintptr_t) ram_entry;

struct ram_table;

/* npages: of the disk. NULL: no memory. */
struct ram_table *ram_table_new(struct loops *loops, uint64_t npages);
struct ram_table *ram_table_free(struct ram_table *t);

/* The entry of a page, NULL if its whole leaf is a hole or it is beyond the end. Loops. */
ram_entry *ram_table_find(struct ram_table *t, uint64_t page);
/* The same, the leaf is made; NULL: no memory, or beyond the end. */
ram_entry *ram_table_make(struct ram_table *t, uint64_t page);

/*
 * Make room for npages; loops may use the table meanwhile. 0 or -ENOMEM. When it gets smaller what
 * was beyond is dropped; nobody may use that part any more. Control thread.
 */
int ram_table_resize(struct ram_table *t, uint64_t npages);

/*
 * How many pages from page on (at most max) are alike, and whether they are holes. Worker threads.
 * Never 0, unless page is beyond the end.
 */
uint64_t ram_table_run(struct ram_table *t, uint64_t page, uint64_t max, bool *ret_hole);

/* Lock an entry; the page in it or NULL. */
void *ram_entry_lock(ram_entry *e);
/* Unlock it, with the page that it holds from now on (or NULL). */
void ram_entry_unlock(ram_entry *e, void *page);

#endif
