/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool_life.c: the page pool's address space and tables are made, and given up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "loop/loop_priv.h"
#include "loop/poison.h"
#include "loop/pool_priv.h"

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

/* Half of the memory that this machine or container has. */
static uint64_t default_limit(void)
{
	long npages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t total =
		npages > 0 && page > 0 ? (uint64_t)npages * (uint64_t)page : UINT64_C(1) << 30;
	unsigned long long cgroup;
	FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");

	if (f) {
		if (fscanf(f, "%llu", &cgroup) == 1 && cgroup < total) /* "max": no number */
			total = cgroup;
		fclose(f);
	}
	return total / 2;
}

static void *reserve(uint64_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * The arena itself begins at a huge page and asks for such, where the kernel has some to give:
 * first touching a RAM disk page by page costs a multiple of writing to it.
 */
static void *reserve_arena(uint64_t n)
{
	char *p = reserve(n + HUGE_PAGE_BYTES), *from;
	uint64_t lead;

	if (!p)
		return NULL;
	lead = -(uintptr_t)p % HUGE_PAGE_BYTES;
	from = p + lead;
	if (lead)
		munmap(p, lead);
	munmap(from + n, HUGE_PAGE_BYTES - lead);
	madvise(from, n, MADV_HUGEPAGE);
	return from;
}

static uint64_t refs_bytes(const struct pages *ps)
{
	return (uint64_t)ps->nchunks * CHUNK_PAGES * sizeof(*ps->refs);
}

static void caches_init(struct loops *loops, struct pages *ps)
{
	for (unsigned i = 0; i < ps->ncaches; i++) {
		struct cache *ca = &ps->caches[i];

		*ca = (struct cache){ .loop = i < loops->n ? &loops->v[i] : NULL };
		list_init(&ca->partial);
		list_init(&ca->whole);
		ca->trim_msg.fn = pool_trim_fn;
	}
}

static void chunks_init(struct pages *ps)
{
	uint32_t whole = (uint32_t)(ps->npages / CHUNK_PAGES);

	for (uint32_t i = 0; i < whole; i++)
		ps->avail[i / 64] |= UINT64_C(1) << (i % 64);
	ps->navail = whole;
	if (whole < ps->nchunks) /* the rest of an odd quota: nobody's, taken as a last resort */
		atomic_store(&ps->chunks[whole].free, mask_of(0, ps->npages % CHUNK_PAGES));
}

int pages_new(struct loops *loops, uint64_t limit_bytes, struct errmsg *err)
{
	struct pages *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return errmsg_set(err, -ENOMEM, "out of memory for the page pool");
	pthread_mutex_init(&ps->lock, NULL);
	pthread_mutex_init(&ps->shared_lock, NULL);
	list_init(&ps->warm);
	loops->pages = ps;
	ps->limit_bytes = limit_bytes ? limit_bytes : default_limit();
	ps->npages = ps->limit_bytes / POOL_PAGE_BYTES;
	if (!ps->npages || ps->npages / CHUNK_PAGES >= INT32_MAX)
		return errmsg_set(err, -EINVAL, "a page quota of %llu bytes is not possible",
			(unsigned long long)ps->limit_bytes);
	ps->nchunks = (uint32_t)((ps->npages + CHUNK_PAGES - 1) / CHUNK_PAGES);
	ps->ncaches = loops->n + 1;
	ps->base = reserve_arena(ps->nchunks * CHUNK_BYTES);
	ps->chunks = reserve(ps->nchunks * sizeof(struct chunk));
	ps->refs = reserve(refs_bytes(ps));
	ps->avail = calloc((ps->nchunks + 63) / 64, sizeof(*ps->avail));
	ps->caches = aligned_alloc(CACHE_LINE, ps->ncaches * sizeof(struct cache));
	if (!ps->base || !ps->chunks || !ps->refs || !ps->avail || !ps->caches)
		return errmsg_set(err, -ENOMEM,
			"no address space for a page quota of %llu bytes (RLIMIT_AS, "
			"vm.overcommit_memory): set a smaller one",
			(unsigned long long)ps->limit_bytes);
	caches_init(loops, ps);
	chunks_init(ps);
	return 0;
}

void pages_free(struct loops *loops)
{
	struct pages *ps = loops->pages;

	if (!ps)
		return;
	loops->pages = NULL;
	if (ps->base) {
		/* what was ever used: all of a large arena would take seconds */
		mem_unpoison(ps->base, ps->nused * CHUNK_BYTES);
		mem_unpoison(ps->base + (ps->nchunks - 1) * CHUNK_BYTES, CHUNK_BYTES);
		munmap(ps->base, ps->nchunks * CHUNK_BYTES);
	}
	if (ps->chunks)
		munmap(ps->chunks, ps->nchunks * sizeof(struct chunk));
	if (ps->refs)
		munmap(ps->refs, refs_bytes(ps));
	free(ps->avail);
	free(ps->caches);
	pthread_mutex_destroy(&ps->lock);
	pthread_mutex_destroy(&ps->shared_lock);
	free(ps);
}
