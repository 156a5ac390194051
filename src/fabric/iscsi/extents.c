/* SPDX-License-Identifier: BSD-3-Clause */
/* extents.c: sets of byte ranges, as sorted arrays. */
#include "fabric/iscsi/extents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/limits.h"

enum { EXTENTS_FIRST = 8 };

static int grow(struct extents **set, struct extents_pool *pool)
{
	struct extents *s = *set;
	uint32_t cap = s ? 2 * s->cap : EXTENTS_FIRST, more = cap - (s ? s->cap : 0);

	if (s && s->n < s->cap)
		return 0;
	if (cap > EXTENTS_MAX)
		return -ENOSPC;
	if (pool && (pool->used >= pool->most || more > pool->most - pool->used))
		return -ENOSPC;
	s = realloc(s, sizeof(*s) + cap * sizeof(s->e[0]));
	if (!s)
		return -ENOMEM;
	if (pool)
		pool->used += more;
	if (!*set)
		s->n = 0;
	s->cap = cap;
	*set = s;
	return 0;
}

/* The first extent that ends at or behind off. */
static uint32_t find(const struct extents *s, uint32_t off)
{
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (s->e[mid].to < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int64_t extents_add(struct extents **set, struct extents_pool *pool, uint32_t from, uint32_t to)
{
	uint32_t i, end, had, lo = from, hi = to;
	struct extents *s;
	int rc;

	if (from >= to)
		return 0;
	rc = grow(set, pool); /* for one more, which may turn out to be none */
	if (rc)
		return rc;
	s = *set;
	had = extents_have(s, from, to);
	/* [i, end): what it touches, which becomes one with it. */
	i = end = find(s, from);
	for (; end < s->n && s->e[end].from <= to; end++) {
		lo = s->e[end].from < lo ? s->e[end].from : lo;
		hi = s->e[end].to > hi ? s->e[end].to : hi;
	}
	memmove(&s->e[i + 1], &s->e[end], (s->n - end) * sizeof(s->e[0]));
	s->e[i] = (struct extent){ lo, hi };
	s->n = s->n - (end - i) + 1;
	return (int64_t)(to - from) - had;
}

uint32_t extents_have(const struct extents *set, uint32_t from, uint32_t to)
{
	uint32_t have = 0;

	if (!set)
		return 0;
	for (uint32_t i = find(set, from); i < set->n && set->e[i].from < to; i++) {
		uint32_t a = set->e[i].from > from ? set->e[i].from : from;
		uint32_t b = set->e[i].to < to ? set->e[i].to : to;

		have += b > a ? b - a : 0;
	}
	return have;
}

bool extents_gap(const struct extents *set, uint32_t from, uint32_t to, struct extent *ret)
{
	uint32_t i = set ? find(set, from) : 0;

	for (; set && i < set->n && set->e[i].from <= from; i++)
		if (set->e[i].to > from)
			from = set->e[i].to;
	if (from >= to)
		return false;
	*ret = (struct extent){ from, to };
	if (set && i < set->n && set->e[i].from < to)
		ret->to = set->e[i].from;
	return true;
}

bool extents_pop(struct extents *set, uint32_t max, struct extent *ret)
{
	struct extent *e;

	if (extents_empty(set))
		return false;
	e = &set->e[0];
	*ret = *e;
	if (e->to - e->from > max) {
		ret->to = e->from + max;
		e->from = ret->to;
		return true;
	}
	set->n--;
	memmove(e, e + 1, set->n * sizeof(*e));
	return true;
}

void extents_move(const struct extents *set, struct extents_pool *from, struct extents_pool *to)
{
	if (!set)
		return;
	if (from)
		from->used -= set->cap;
	if (to)
		to->used += set->cap;
}

struct extents *extents_free(struct extents *set, struct extents_pool *pool)
{
	extents_move(set, pool, NULL);
	free(set);
	return NULL;
}
