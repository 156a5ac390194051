/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bufs.c: the receive buffers of a loop. All are reserved address space; one that was never
 * touched costs no memory. The last one put back is the first one taken (it is in the cache), and
 * free buffers beyond LOOP_BUFS_WARM give their memory back.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "loop/loop_priv.h"
#include "loop/poison.h"

static const size_t region_bytes = (size_t)LOOP_BUFS_MAX * LOOP_BUF_BYTES;

int bufs_init(struct loop_bufs *b)
{
	void *p = mmap(NULL, region_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	b->base = p;
	b->nwarm = b->nused = 0;
	b->ncold = LOOP_BUFS_MAX;
	for (unsigned i = 0; i < LOOP_BUFS_MAX; i++)
		b->cold[i] = (uint16_t)(LOOP_BUFS_MAX - 1 - i);
	return 0;
}

void bufs_done(struct loop_bufs *b)
{
	if (!b->base)
		return;
	/* what was ever used: marking all of it takes longer than a small test */
	mem_unpoison(b->base, (size_t)b->nused * LOOP_BUF_BYTES);
	munmap(b->base, region_bytes);
	b->base = NULL;
}

int bufs_take(struct loop_bufs *b)
{
	unsigned i;

	if (b->nwarm)
		return b->warm[--b->nwarm];
	if (!b->ncold)
		return -1;
	i = b->cold[--b->ncold];
	if (i >= b->nused)
		b->nused = i + 1;
	return (int)i;
}

void bufs_put(struct loop_bufs *b, unsigned i)
{
	assert(i < LOOP_BUFS_MAX);
	assert(b->nwarm + b->ncold < LOOP_BUFS_MAX);
	mem_poison(bufs_at(b, i), LOOP_BUF_BYTES);
	if (b->nwarm < LOOP_BUFS_WARM) {
		b->warm[b->nwarm++] = (uint16_t)i;
		return;
	}
	madvise(bufs_at(b, i), LOOP_BUF_BYTES, MADV_DONTNEED);
	b->cold[b->ncold++] = (uint16_t)i;
}

unsigned bufs_index(const struct loop_bufs *b, const void *buf)
{
	size_t off = (size_t)((const char *)buf - b->base);

	assert((const char *)buf >= b->base && off < region_bytes && off % LOOP_BUF_BYTES == 0);
	return (unsigned)(off / LOOP_BUF_BYTES);
}

void bufs_expose(const struct loop_bufs *b, unsigned i, size_t n)
{
	assert(n <= LOOP_BUF_BYTES);
	mem_unpoison(bufs_at(b, i), n);
	mem_poison((char *)bufs_at(b, i) + n, LOOP_BUF_BYTES - n);
}
