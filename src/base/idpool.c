/* SPDX-License-Identifier: BSD-3-Clause */
/* idpool.c: numbers of a range. */
#include "base/idpool.h"

#include <assert.h>
#include <errno.h>

enum { IDPOOL_STEP_BITS = 256 }; /* least growth of the bitmap */

static uint32_t idpool_count(const struct idpool *p)
{
	return p->max - p->min + 1;
}

void idpool_init(struct idpool *p, uint32_t min, uint32_t max)
{
	assert(min <= max && max - min < IDPOOL_IDS_MAX);
	*p = (struct idpool){ .min = min, .max = max, .next = min };
}

void idpool_done(struct idpool *p)
{
	bitmap_done(&p->bits);
	idpool_init(p, p->min, p->max);
}

/* Make the bitmap cover bit. 0 or -ENOMEM. */
static int idpool_cover(struct idpool *p, uint32_t bit)
{
	size_t want = p->bits.nbits * 2;

	if (bit < p->bits.nbits)
		return 0;
	if (want < (size_t)bit + IDPOOL_STEP_BITS)
		want = (size_t)bit + IDPOOL_STEP_BITS;
	if (want > idpool_count(p))
		want = idpool_count(p);
	return bitmap_resize(&p->bits, want);
}

/* The first free bit at from or above, below end; end if there is none. */
static size_t idpool_search(const struct idpool *p, size_t from, size_t end)
{
	size_t bit;

	/* bits that the bitmap does not reach are free */
	bit = from < p->bits.nbits ? bitmap_next_clear(&p->bits, from) : from;
	return bit < end ? bit : end;
}

/* Give out the first free number from bit on, going round. */
static int idpool_alloc_from(struct idpool *p, uint32_t from, uint32_t *ret_id)
{
	uint32_t n = idpool_count(p);
	size_t bit;
	int rc;

	if (p->used == n)
		return -ENOSPC;
	bit = idpool_search(p, from, n);
	if (bit == n)
		bit = idpool_search(p, 0, from);
	rc = idpool_cover(p, (uint32_t)bit);
	if (rc < 0)
		return rc;
	bitmap_set(&p->bits, bit);
	p->used++;
	*ret_id = p->min + (uint32_t)bit;
	return 0;
}

int idpool_alloc(struct idpool *p, uint32_t *ret_id)
{
	int rc = idpool_alloc_from(p, p->next - p->min, ret_id);

	if (rc == 0)
		p->next = *ret_id == p->max ? p->min : *ret_id + 1;
	return rc;
}

int idpool_alloc_lowest(struct idpool *p, uint32_t *ret_id)
{
	return idpool_alloc_from(p, 0, ret_id);
}

bool idpool_is_used(const struct idpool *p, uint32_t id)
{
	if (id < p->min || id > p->max || id - p->min >= p->bits.nbits)
		return false;
	return bitmap_test(&p->bits, id - p->min);
}

int idpool_take(struct idpool *p, uint32_t id)
{
	int rc;

	if (id < p->min || id > p->max)
		return -ERANGE;
	if (idpool_is_used(p, id))
		return -EBUSY;
	rc = idpool_cover(p, id - p->min);
	if (rc < 0)
		return rc;
	bitmap_set(&p->bits, id - p->min);
	p->used++;
	return 0;
}

void idpool_free(struct idpool *p, uint32_t id)
{
	assert(idpool_is_used(p, id));
	bitmap_clear(&p->bits, id - p->min);
	p->used--;
}
