/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c: data pages.
 *
 * The arena is address space of the quota's size, cut into chunks of 64 pages. A chunk has one
 * word with a bit for each free page. It belongs to a cache (one per loop, and one under a mutex
 * for everybody else), or lies in the global pool while all of it is free. Pages are taken by
 * compare-and-swap on that word and given back the same way by whichever thread drops the last
 * reference, so releasing takes no lock and knows no loop.
 *
 * Which chunks a cache looks into: those in its lists. It takes a chunk out when nothing is free
 * in it (`listed` false); the thread whose release makes it non-empty again pushes it onto the
 * cache's `returned` stack. Two rules keep that right:
 *	- whoever sets `listed` from false to true lists the chunk, nobody else;
 *	- a release that may find the chunk empty is counted in `pins` from before it sets the bits
 *	  until it has listed the chunk, and a chunk goes to the global pool only while all its
 *	  pages are claimed and nothing is pinned. So no late release can touch its next life.
 * A cache may also take pages from chunks of others: the word alone decides. That is done when
 * there is nothing else, and when more than a small part of the memory in use lies free in pieces:
 * one page that is in use for long, of a RAM disk say, pins its chunk.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "loop/loop_priv.h"
#include "loop/poison.h"
#include "loop/pool_priv.h"

/* What an allocation has got so far. */
struct gather {
	struct iovec *iov;
	unsigned n, max;
	uint64_t need; /* pages still missing */
	bool tight; /* there is memory, but in more pieces than entries */
};

static char *chunk_at(const struct pages *ps, const struct chunk *c)
{
	return ps->base + (uint64_t)(c - ps->chunks) * CHUNK_BYTES;
}

/* ---- global pool -------------------------------------------------------------------------- */

static bool avail_bit(const struct pages *ps, uint32_t i)
{
	return ps->avail[i / 64] >> (i % 64) & 1;
}

/* First of k neighbours in the pool, or -1. Lock held. */
static int64_t avail_find(struct pages *ps, uint32_t k)
{
	uint32_t nwords = (ps->nchunks + 63) / 64, w = ps->first_avail, run = 0;

	while (w < nwords && !ps->avail[w])
		w++;
	ps->first_avail = w;
	for (uint32_t i = w * 64; i < ps->nchunks; i++) {
		if (i % 64 == 0 && !ps->avail[i / 64]) {
			run = 0;
			i += 63;
			continue;
		}
		run = avail_bit(ps, i) ? run + 1 : 0;
		if (run == k)
			return (int64_t)i - k + 1;
	}
	return -1;
}

/*
 * Take k neighbouring chunks for `owner` with all pages claimed, a single one from the memory that
 * was in use last. NULL if there are none.
 */
static struct chunk *global_take(struct pages *ps, uint32_t k, uint32_t owner)
{
	struct chunk *c;
	int64_t first;

	pthread_mutex_lock(&ps->lock);
	c = k == 1 ? list_first(&ps->warm, struct chunk, link) : NULL;
	first = c ? c - ps->chunks : k <= ps->navail ? avail_find(ps, k) : -1;
	if (first < 0) {
		pthread_mutex_unlock(&ps->lock);
		return NULL;
	}
	ps->navail -= k;
	c = &ps->chunks[first];
	for (uint32_t i = 0; i < k; i++) {
		uint32_t at = (uint32_t)first + i;

		ps->avail[at / 64] &= ~(UINT64_C(1) << (at % 64));
		if (!c[i].warm)
			continue;
		list_del(&c[i].link);
		c[i].warm = false;
		ps->nwarm--;
	}
	if (ps->nused < (uint32_t)first + k)
		ps->nused = (uint32_t)first + k;
	pthread_mutex_unlock(&ps->lock);
	for (uint32_t i = 0; i < k; i++) {
		atomic_store_explicit(&c[i].owner, owner, memory_order_relaxed);
		list_init(&c[i].link);
	}
	return c;
}

/* Put back a chunk that is claimed as a whole, unlisted and not pinned. */
static void global_put(struct pages *ps, struct chunk *c)
{
	uint32_t i = (uint32_t)(c - ps->chunks);
	bool warm;

	atomic_store_explicit(&c->owner, NO_OWNER, memory_order_relaxed);
	pthread_mutex_lock(&ps->lock);
	warm = ps->nwarm < POOL_CHUNKS_WARM;
	ps->nwarm += warm;
	pthread_mutex_unlock(&ps->lock);
	if (!warm)
		madvise(chunk_at(ps, c), CHUNK_BYTES, MADV_DONTNEED);
	pthread_mutex_lock(&ps->lock);
	c->warm = warm;
	if (warm)
		list_push_front(&ps->warm, &c->link);
	ps->avail[i / 64] |= UINT64_C(1) << (i % 64);
	ps->navail++;
	if (i / 64 < ps->first_avail)
		ps->first_avail = i / 64;
	pthread_mutex_unlock(&ps->lock);
}

/* Chunks that were ever taken from the pool lie below this one. */
static uint32_t chunks_used(struct pages *ps)
{
	uint32_t n;

	pthread_mutex_lock(&ps->lock);
	n = ps->nused;
	pthread_mutex_unlock(&ps->lock);
	return n;
}

/* Pages that nobody has. A snapshot: chunks may move while they are counted. */
static uint64_t pages_free_count(struct pages *ps)
{
	uint32_t used = chunks_used(ps);
	uint64_t n;

	pthread_mutex_lock(&ps->lock);
	n = (uint64_t)ps->navail * CHUNK_PAGES;
	pthread_mutex_unlock(&ps->lock);
	for (uint32_t i = 0; i < used; i++)
		n += (unsigned)__builtin_popcountll(
			atomic_load_explicit(&ps->chunks[i].free, memory_order_relaxed));
	if (ps->npages % CHUNK_PAGES)
		n += (unsigned)__builtin_popcountll(atomic_load_explicit(
			&ps->chunks[ps->nchunks - 1].free, memory_order_relaxed));
	return n < ps->npages ? n : ps->npages;
}

/* ---- lists of a cache --------------------------------------------------------------------- */

/* c is the cache's to list: it or the thread that pushed c has set `listed`. */
static void cache_list(struct cache *ca, struct chunk *c)
{
	bool whole = atomic_load_explicit(&c->free, memory_order_relaxed) == ALL_FREE;

	list_push_front(whole ? &ca->whole : &ca->partial, &c->link);
}

static void cache_drain(struct cache *ca)
{
	struct chunk *c, *next;

	if (!atomic_load_explicit(&ca->returned, memory_order_relaxed))
		return;
	for (c = atomic_exchange(&ca->returned, NULL); c; c = next) {
		next = atomic_load_explicit(&c->next, memory_order_relaxed);
		cache_list(ca, c);
	}
}

/* Nothing was free in c: forget it until a release lists it again. */
static void cache_unlist(struct cache *ca, struct chunk *c)
{
	list_del(&c->link);
	atomic_store(&c->listed, false);
	if (atomic_load(&c->free) && !atomic_exchange(&c->listed, true))
		cache_list(ca, c);
}

/* Give wholly free chunks beyond `keep` back, at most max. Returns true if there are more. */
static bool cache_trim(struct pages *ps, struct cache *ca, unsigned keep, unsigned max)
{
	struct list *const lists[] = { &ca->whole, &ca->partial };
	struct chunk *c, *tmp;

	cache_drain(ca);
	for (unsigned i = 0; i < 2; i++) {
		list_for_each_safe (c, tmp, lists[i], struct chunk, link) {
			uint64_t all = ALL_FREE;

			if (atomic_load_explicit(&c->free, memory_order_relaxed) != ALL_FREE)
				continue;
			if (keep) { /* where whole chunks are looked for */
				keep--;
				list_del(&c->link);
				list_push_back(&ca->whole, &c->link);
				continue;
			}
			if (!max)
				return true;
			if (!atomic_compare_exchange_strong(&c->free, &all, 0))
				continue;
			if (atomic_load(&c->pins)) { /* a release is still at work here */
				atomic_fetch_or(&c->free, ALL_FREE);
				continue;
			}
			list_del(&c->link);
			atomic_store(&c->listed, false);
			global_put(ps, c);
			max--;
		}
	}
	return false;
}

void pool_trim_fn(struct loop *loop, struct loop_msg *msg)
{
	struct cache *ca = container_of(msg, struct cache, trim_msg);

	atomic_store(&ca->nwhole, 0);
	atomic_store(&ca->trim_posted, false);
	if (cache_trim(loop->loops->pages, ca, POOL_CHUNKS_KEPT, POOL_CHUNKS_TRIMMED) &&
		!atomic_exchange(&ca->trim_posted, true))
		loop_post(loop, msg);
}

/* A chunk of the cache became wholly free: should the cache give some back? */
static void cache_note_whole(struct pages *ps, struct cache *ca)
{
	if (atomic_fetch_add(&ca->nwhole, 1) + 1 < 2 * POOL_CHUNKS_KEPT)
		return;
	if (ca->loop) {
		if (!atomic_exchange(&ca->trim_posted, true))
			loop_post(ca->loop, &ca->trim_msg);
	} else if (!pthread_mutex_trylock(&ps->shared_lock)) {
		atomic_store(&ca->nwhole, 0);
		cache_trim(ps, ca, POOL_CHUNKS_KEPT, POOL_CHUNKS_TRIMMED);
		pthread_mutex_unlock(&ps->shared_lock);
	}
}

/* ---- release ------------------------------------------------------------------------------ */

/* Set bits in a chunk of which nothing may be free, and list it if so. Returns the old word. */
static uint64_t release_into_empty(struct chunk *c, struct cache *ca, uint64_t mask)
{
	uint64_t old;

	atomic_fetch_add(&c->pins, 1);
	old = atomic_fetch_or(&c->free, mask);
	if (!old && ca && !atomic_exchange(&c->listed, true)) {
		struct chunk *head = atomic_load_explicit(&ca->returned, memory_order_relaxed);

		do {
			atomic_store_explicit(&c->next, head, memory_order_relaxed);
		} while (!atomic_compare_exchange_weak(&ca->returned, &head, c));
	}
	atomic_fetch_sub(&c->pins, 1);
	return old;
}

/* Pages without references go back. The chunk may be anybody's right afterwards. */
static void chunk_release(struct pages *ps, struct chunk *c, uint64_t mask)
{
	uint32_t owner = atomic_load_explicit(&c->owner, memory_order_relaxed);
	struct cache *ca = owner == NO_OWNER ? NULL : &ps->caches[owner - 1];
	uint64_t old = atomic_load_explicit(&c->free, memory_order_relaxed);

	do {
		if (!old) {
			old = release_into_empty(c, ca, mask);
			break;
		}
	} while (!atomic_compare_exchange_weak(&c->free, &old, old | mask));
	assert(!(old & mask));
	if ((old | mask) == ALL_FREE && ca)
		cache_note_whole(ps, ca);
}

/* Give back pages [first, first + n), which may span chunks. */
static void run_release(struct pages *ps, uint64_t first, uint64_t n)
{
	mem_poison(ps->base + first * POOL_PAGE_BYTES, n * POOL_PAGE_BYTES);
	while (n) {
		unsigned at = first % CHUNK_PAGES;
		unsigned k = n < CHUNK_PAGES - at ? (unsigned)n : CHUNK_PAGES - at;

		chunk_release(ps, &ps->chunks[first / CHUNK_PAGES], mask_of(at, k));
		first += k;
		n -= k;
	}
}

/* True if that was the last reference. */
static bool ref_drop(_Atomic uint32_t *ref)
{
	uint32_t old = atomic_load_explicit(ref, memory_order_acquire);

	assert(old > 0);
	if (old == 1) { /* ours: nobody else can take or drop one */
		atomic_store_explicit(ref, 0, memory_order_relaxed);
		return true;
	}
	return atomic_fetch_sub_explicit(ref, 1, memory_order_acq_rel) == 1;
}

/* ---- allocation --------------------------------------------------------------------------- */

/* Pages [at, at + n) of c are claimed: hand them out. False if there is no entry for them. */
static bool gather_add(struct pages *ps, struct gather *g, struct chunk *c, unsigned at, unsigned n)
{
	char *p = chunk_at(ps, c) + (size_t)at * POOL_PAGE_BYTES;
	uint64_t first = (uint64_t)(c - ps->chunks) * CHUNK_PAGES + at;
	struct iovec *last = g->n ? &g->iov[g->n - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == p)
		last->iov_len += (size_t)n * POOL_PAGE_BYTES;
	else if (g->n < g->max)
		g->iov[g->n++] = (struct iovec){ p, (size_t)n * POOL_PAGE_BYTES };
	else
		return false;
	for (unsigned i = 0; i < n; i++)
		atomic_store_explicit(&ps->refs[first + i], 1, memory_order_relaxed);
	mem_unpoison(p, (size_t)n * POOL_PAGE_BYTES);
	g->need -= n;
	return true;
}

/* Place of n neighbouring bits in w, or -1. */
static int run_find(uint64_t w, unsigned n)
{
	unsigned have = 1;

	while (have < n && w) {
		unsigned step = n - have < have ? n - have : have;

		w &= w >> step;
		have += step;
	}
	return w ? __builtin_ctzll(w) : -1;
}

/* Claim n neighbouring pages of c. Returns the first one's place or -1. */
static int chunk_claim(struct chunk *c, unsigned n)
{
	uint64_t old = atomic_load_explicit(&c->free, memory_order_relaxed);
	int at;

	do {
		at = run_find(old, n);
		if (at < 0)
			return -1;
	} while (!atomic_compare_exchange_weak(&c->free, &old, old & ~mask_of((unsigned)at, n)));
	return at;
}

/* n pages, at most a chunk, in one piece from the listed chunks; false if that is not possible. */
static bool alloc_listed(struct pages *ps, struct cache *ca, struct gather *g, unsigned n)
{
	struct list *l = n < CHUNK_PAGES ? &ca->partial : &ca->whole;

	for (unsigned tries = 0; tries < POOL_CHUNKS_TRIED; tries++) {
		struct chunk *c = list_first(l, struct chunk, link);
		int at;

		if (!c && l == &ca->partial) {
			l = &ca->whole;
			c = list_first(l, struct chunk, link);
		}
		if (!c)
			return false;
		at = chunk_claim(c, n);
		list_del(&c->link);
		if (!atomic_load_explicit(&c->free, memory_order_relaxed))
			cache_unlist(ca, c);
		else if (at >= 0)
			list_push_front(&ca->partial, &c->link);
		else
			list_push_back(&ca->partial, &c->link);
		if (at < 0)
			continue;
		if (gather_add(ps, g, c, (unsigned)at, n))
			return true;
		chunk_release(ps, c, mask_of((unsigned)at, n));
		return false;
	}
	return false;
}

/* n pages side by side from fresh chunks. */
static bool alloc_fresh(struct pages *ps, struct cache *ca, struct gather *g, uint64_t n)
{
	uint32_t k = (uint32_t)((n + CHUNK_PAGES - 1) / CHUNK_PAGES);
	struct chunk *c = global_take(ps, k, (uint32_t)(ca - ps->caches) + 1);
	unsigned tail = n % CHUNK_PAGES;

	if (!c)
		return false;
	for (uint32_t i = 0; i < k; i++) {
		unsigned take = i == k - 1 && tail ? tail : CHUNK_PAGES;

		/* Neighbours: after the first, entries are joined. */
		if (!gather_add(ps, g, &c[i], 0, take)) {
			assert(i == 0);
			for (; i < k; i++)
				global_put(ps, &c[i]);
			return false;
		}
		if (take == CHUNK_PAGES)
			continue;
		atomic_store(&c[i].listed, true);
		atomic_fetch_or(&c[i].free, ~mask_of(0, take));
		list_push_front(&ca->partial, &c[i].link);
	}
	return true;
}

/*
 * Does so much lie free in pieces that they are to be used before another chunk? If chunks that one
 * page pins were passed over for ever, memory would grow far beyond what is in use. Counting takes
 * long, so one count decides for many pages.
 */
static bool pool_scattered(struct pages *ps, uint64_t need)
{
	uint64_t nfree = 0, slack;
	uint32_t used, taken, kept = POOL_CHUNKS_KEPT * ps->ncaches;
	bool yes, known;

	pthread_mutex_lock(&ps->lock);
	used = ps->nused;
	taken = (uint32_t)(ps->npages / CHUNK_PAGES) - ps->navail;
	yes = ps->scattered;
	known = ps->verdict_pages >= need;
	if (taken < POOL_CHUNKS_UNSPARED || (need <= CHUNK_PAGES && !list_empty(&ps->warm))) {
		yes = false; /* little, or it costs no memory */
		known = true;
	} else if (known) {
		ps->verdict_pages -= need;
	}
	pthread_mutex_unlock(&ps->lock);
	if (known)
		return yes;
	for (uint32_t i = 0; i < used; i++) {
		uint64_t w = atomic_load_explicit(&ps->chunks[i].free, memory_order_relaxed);

		if (w == ALL_FREE && kept)
			kept--;
		else
			nfree += (unsigned)__builtin_popcountll(w);
	}
	slack = (uint64_t)taken * CHUNK_PAGES / POOL_SLACK_PART;
	yes = nfree > slack;
	pthread_mutex_lock(&ps->lock);
	ps->scattered = yes;
	ps->verdict_pages = yes ? nfree - slack : slack / 8;
	pthread_mutex_unlock(&ps->lock);
	return yes;
}

/* Take what is free in c. There are entries for single pages. */
static void gather_chunk(struct pages *ps, struct gather *g, struct chunk *c)
{
	uint64_t old = atomic_load_explicit(&c->free, memory_order_relaxed), take;

	do {
		if (!old)
			return;
		take = old;
		for (uint64_t n = (unsigned)__builtin_popcountll(old); n > g->need; n--)
			take &= take - 1;
	} while (!atomic_compare_exchange_weak(&c->free, &old, old & ~take));
	while (take) {
		unsigned at = (unsigned)__builtin_ctzll(take);
		uint64_t end = ~(take >> at);
		unsigned n = end ? (unsigned)__builtin_ctzll(end) : CHUNK_PAGES;
		bool added = gather_add(ps, g, c, at, n);

		assert(added);
		(void)added;
		take &= ~mask_of(at, n);
	}
}

/*
 * Pieces from anybody's chunks in turn. As many pages are free as pool_scattered() demands, so a
 * chunk yields POOL_SLACK_PART-ths of its pages on average.
 */
static void alloc_pinned(struct pages *ps, struct gather *g)
{
	uint32_t used = chunks_used(ps);

	for (uint32_t i = 0; i < used && g->need; i++) {
		uint32_t at = atomic_fetch_add_explicit(&ps->hand, 1, memory_order_relaxed);

		gather_chunk(ps, g, &ps->chunks[at % used]);
	}
}

/* Take what c has free in runs that are long enough for the entries left. */
static void alloc_pieces(struct pages *ps, struct gather *g, struct chunk *c)
{
	while (g->need && atomic_load_explicit(&c->free, memory_order_relaxed)) {
		unsigned left = g->max - g->n + 1; /* one may join the entry before */
		uint64_t least = (g->need + left - 1) / left;
		unsigned n = g->need < CHUNK_PAGES ? (unsigned)g->need : CHUNK_PAGES;
		int at = -1;

		for (; n && n >= least; n--) {
			at = chunk_claim(c, n);
			if (at >= 0)
				break;
		}
		if (at < 0)
			return;
		if (!gather_add(ps, g, c, (unsigned)at, n)) {
			chunk_release(ps, c, mask_of((unsigned)at, n));
			return;
		}
	}
}

/* The last resort: single pages from everywhere, also from the chunks of other loops. */
static void alloc_scattered(struct pages *ps, struct cache *ca, struct gather *g)
{
	struct chunk *c;

	list_for_each (c, &ca->partial, struct chunk, link) {
		if (!g->need)
			return;
		alloc_pieces(ps, g, c);
	}
	for (uint32_t i = 0, n = chunks_used(ps); i < n && g->need; i++)
		alloc_pieces(ps, g, &ps->chunks[i]);
	if (g->need && ps->npages % CHUNK_PAGES)
		alloc_pieces(ps, g, &ps->chunks[ps->nchunks - 1]);
}

static bool alloc_some(struct pages *ps, struct cache *ca, struct gather *g)
{
	cache_drain(ca);
	if (g->need <= CHUNK_PAGES && alloc_listed(ps, ca, g, (unsigned)g->need))
		return true;
	g->tight = g->max < g->need;
	if (pool_scattered(ps, g->tight ? 1 : g->need)) {
		if (g->tight)
			return false;
		while (g->need >= CHUNK_PAGES && alloc_listed(ps, ca, g, CHUNK_PAGES))
			;
		alloc_pinned(ps, g);
		if (!g->need)
			return true;
	}
	g->tight = false;
	if (alloc_fresh(ps, ca, g, g->need))
		return true;
	/* No run that is long enough: whole chunks one by one, then what is left. */
	while (g->need >= CHUNK_PAGES &&
		(alloc_listed(ps, ca, g, CHUNK_PAGES) || alloc_fresh(ps, ca, g, CHUNK_PAGES)))
		;
	if (g->need && g->need < CHUNK_PAGES &&
		(alloc_listed(ps, ca, g, (unsigned)g->need) || alloc_fresh(ps, ca, g, g->need)))
		return true;
	alloc_scattered(ps, ca, g);
	return g->need == 0;
}

int pages_alloc(
	struct loops *loops, struct loop *loop, uint64_t n, struct iovec *iov, unsigned max_iov)
{
	struct pages *ps = loops->pages;
	uint64_t npages = n / POOL_PAGE_BYTES + (n % POOL_PAGE_BYTES != 0);
	struct gather g = { .iov = iov, .max = max_iov, .need = npages };
	bool done;

	assert(!loop || loop_is_current(loop));
	if (npages > ps->npages)
		return -ENOMEM;
	if (!n)
		return 0;
	if (!loop)
		pthread_mutex_lock(&ps->shared_lock);
	done = alloc_some(ps, &ps->caches[loop ? loop->index : ps->ncaches - 1], &g);
	if (!loop)
		pthread_mutex_unlock(&ps->shared_lock);
	if (!done) {
		pages_unref(loops, iov, g.n);
		return g.tight || pages_free_count(ps) >= npages ? -EMSGSIZE : -ENOMEM;
	}
	iov[g.n - 1].iov_len -= npages * POOL_PAGE_BYTES - n;
	return (int)g.n;
}

/* ---- references --------------------------------------------------------------------------- */

bool page_owned(const struct loops *loops, const void *p)
{
	const struct pages *ps = loops->pages;

	return (uintptr_t)p - (uintptr_t)ps->base < ps->npages * POOL_PAGE_BYTES;
}

static uint64_t page_index(const struct loops *loops, const void *p)
{
	assert(page_owned(loops, p));
	return (uint64_t)((const char *)p - loops->pages->base) / POOL_PAGE_BYTES;
}

void page_ref(struct loops *loops, void *p)
{
	uint32_t old = atomic_fetch_add_explicit(
		&loops->pages->refs[page_index(loops, p)], 1, memory_order_relaxed);

	assert(old > 0 && old < UINT32_MAX);
}

void page_ref_prefetch(const struct loops *loops, const void *p)
{
	__builtin_prefetch(&loops->pages->refs[page_index(loops, p)], 1);
}

void page_unref(struct loops *loops, void *p)
{
	uint64_t i = page_index(loops, p);

	if (ref_drop(&loops->pages->refs[i]))
		run_release(loops->pages, i, 1);
}

bool page_exclusive(const struct loops *loops, const void *p)
{
	uint32_t n = atomic_load_explicit(
		&loops->pages->refs[page_index(loops, p)], memory_order_acquire);

	assert(n > 0);
	return n == 1;
}

/* Pages that an entry touches: *ret_first and how many; 0 if it lies outside of the arena. */
static uint64_t entry_pages(const struct loops *loops, const struct iovec *e, uint64_t *ret_first)
{
	if (!e->iov_len || !page_owned(loops, e->iov_base))
		return 0;
	*ret_first = page_index(loops, e->iov_base);
	return page_index(loops, (char *)e->iov_base + e->iov_len - 1) - *ret_first + 1;
}

void pages_ref(struct loops *loops, const struct iovec *iov, unsigned niov)
{
	_Atomic uint32_t *refs = loops->pages->refs;

	for (unsigned i = 0; i < niov; i++) {
		uint64_t first, n = entry_pages(loops, &iov[i], &first);

		for (uint64_t k = 0; k < n; k++) {
			uint32_t old = atomic_fetch_add_explicit(
				&refs[first + k], 1, memory_order_relaxed);

			assert(old > 0 && old < UINT32_MAX);
		}
	}
}

void pages_unref(struct loops *loops, const struct iovec *iov, unsigned niov)
{
	struct pages *ps = loops->pages;

	for (unsigned i = 0; i < niov; i++) {
		uint64_t first, n = entry_pages(loops, &iov[i], &first), from = 0, k;

		/* [from, k): pages whose last reference went */
		for (k = 0; k < n; k++) {
			if (ref_drop(&ps->refs[first + k]))
				continue;
			if (k > from)
				run_release(ps, first + from, k - from);
			from = k + 1;
		}
		if (k > from)
			run_release(ps, first + from, k - from);
	}
}

uint64_t pages_used_bytes(const struct loops *loops)
{
	struct pages *ps = loops->pages;

	return (ps->npages - pages_free_count(ps)) * POOL_PAGE_BYTES;
}

uint64_t pages_limit_bytes(const struct loops *loops)
{
	return loops->pages->limit_bytes;
}
