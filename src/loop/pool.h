/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h: data pages. All data of commands lie in pages of POOL_PAGE_BYTES from one arena of the
 * process. A page has a reference count of its own, so that a RAM disk can lend its pages to a
 * READ and take over the pages of a WRITE without copying. Pages that were allocated together lie
 * side by side in memory where that is possible, so that one iovec entry may cover many of them.
 *
 * Free pages are kept per loop. Pages may be released on any loop or thread.
 */
#ifndef ULIO_LOOP_POOL_H
#define ULIO_LOOP_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop;
struct loops;

#define POOL_PAGE_BYTES 4096u

/*
 * Allocate memory for n bytes, a whole number of pages, as up to max_iov runs. Each page has one
 * reference; the content is undefined. The entries' lengths add up to n exactly: the last may be
 * shorter than its pages.
 *	loop	whose free pages are used; NULL (control thread, workers): the shared ones
 * Returns the number of entries, or -ENOMEM (no memory or the quota is used up), -EMSGSIZE
 * (max_iov too small for how scattered the free pages are; with an entry for each page it is not
 * returned). On failure nothing is taken.
 */
int pages_alloc(
	struct loops *loops, struct loop *loop, uint64_t n, struct iovec *iov, unsigned max_iov);

/* True if p points into the arena (guest memory of a vhost fabric, say, does not). Any thread. */
bool page_owned(const struct loops *loops, const void *p);

/* One more reference to the page that holds p, which must be in the arena. Any thread. */
void page_ref(struct loops *loops, void *p);
/* Where a page_ref() or page_unref() of p follows soon: let the CPU fetch what it needs. */
void page_ref_prefetch(const struct loops *loops, const void *p);
void page_unref(struct loops *loops, void *p);
/* The page of p has exactly one reference, the caller's. */
bool page_exclusive(const struct loops *loops, const void *p);

/*
 * Take or drop one reference to every page that the entries touch; entries outside the arena are
 * passed over. An entry must begin inside its first page and may end inside its last.
 */
void pages_ref(struct loops *loops, const struct iovec *iov, unsigned niov);
void pages_unref(struct loops *loops, const struct iovec *iov, unsigned niov);

/*
 * Bytes in use and the quota. Any thread. While a loop hands chunks back, what is in use is counted
 * too high for a moment.
 */
uint64_t pages_used_bytes(const struct loops *loops);
uint64_t pages_limit_bytes(const struct loops *loops);

#endif
