/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_inode.c: the content of a file of the simulator's disk, twice: what a reader sees (the page
 * cache) and what is on stable storage, with the list of the changes between them.
 *
 * The unit of storage is the sector of 512 bytes. Changes are numbered; a sector on stable storage
 * remembers which change wrote it, so that an older one can never come after a newer one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "loop/sim_disk_priv.h"
#include "loop/sim_priv.h"

enum { BLOCK = 4096, SECTOR = 512, BLOCK_SECTORS = BLOCK / SECTOR, LEAF = 512 };

struct block {
	uint64_t seq[BLOCK_SECTORS]; /* on stable storage: the change that wrote the sector */
	uint8_t data[BLOCK];
};

/* ---- maps of blocks ----------------------------------------------------------------------- */

static struct block *map_get(const struct block_map *m, uint64_t i)
{
	if (i / LEAF >= m->nleaves || !m->leaves[i / LEAF])
		return NULL;
	return m->leaves[i / LEAF][i % LEAF];
}

static struct block *map_make(struct block_map *m, uint64_t i)
{
	uint64_t l = i / LEAF;

	if (l >= m->nleaves) {
		uint64_t n = l + 1 + l / 2;

		m->leaves = sim_grow(m->leaves, n * sizeof(*m->leaves));
		memset(m->leaves + m->nleaves, 0, (n - m->nleaves) * sizeof(*m->leaves));
		m->nleaves = n;
	}
	if (!m->leaves[l])
		m->leaves[l] = sim_alloc(LEAF * sizeof(struct block *));
	if (!m->leaves[l][i % LEAF]) {
		m->leaves[l][i % LEAF] = sim_alloc(sizeof(struct block));
		m->nblocks++;
	}
	return m->leaves[l][i % LEAF];
}

static void map_copy(struct block_map *to, const struct block_map *from, uint64_t i)
{
	const struct block *b = map_get(from, i);

	if (b)
		memcpy(map_make(to, i)->data, b->data, BLOCK);
}

static void map_drop(struct block_map *m, uint64_t i)
{
	struct block *b = map_get(m, i);

	if (!b)
		return;
	m->leaves[i / LEAF][i % LEAF] = NULL;
	m->nblocks--;
	free(b);
}

static void map_free(struct block_map *m)
{
	for (uint64_t l = 0; l < m->nleaves; l++) {
		for (unsigned i = 0; m->leaves[l] && i < LEAF; i++)
			free(m->leaves[l][i]);
		free(m->leaves[l]);
	}
	free(m->leaves);
	*m = (struct block_map){ 0 };
}

/* The index of the first block at or after i that exists, end if there is none below it. */
static uint64_t map_next(const struct block_map *m, uint64_t i, uint64_t end)
{
	while (i < end && !map_get(m, i)) {
		if (i / LEAF >= m->nleaves)
			return end;
		i = m->leaves[i / LEAF] ? i + 1 : (i / LEAF + 1) * LEAF;
	}
	return i < end ? i : end;
}

/* Zero bytes [off, end), dropping whole blocks. */
static void map_zero(struct block_map *m, uint64_t off, uint64_t end)
{
	uint64_t last = end / BLOCK + (end % BLOCK != 0);

	for (uint64_t i = map_next(m, off / BLOCK, last); i < last; i = map_next(m, i + 1, last)) {
		uint64_t from = off > i * BLOCK ? off - i * BLOCK : 0;
		uint64_t to = end < (i + 1) * BLOCK ? end - i * BLOCK : BLOCK;

		if (from == 0 && to == BLOCK)
			map_drop(m, i);
		else if (from < to)
			memset(map_make(m, i)->data + from, 0, to - from); /* it is there */
	}
}

static void map_read(const struct block_map *m, uint8_t *to, uint64_t n, uint64_t off)
{
	while (n) {
		const struct block *b = map_get(m, off / BLOCK);
		uint64_t at = off % BLOCK, k = n < BLOCK - at ? n : BLOCK - at;

		if (b)
			memcpy(to, b->data + at, k);
		else
			memset(to, 0, k);
		to += k;
		off += k;
		n -= k;
	}
}

static void map_write(struct block_map *m, const uint8_t *from, uint64_t n, uint64_t off)
{
	while (n) {
		uint64_t at = off % BLOCK, k = n < BLOCK - at ? n : BLOCK - at;

		memcpy(map_make(m, off / BLOCK)->data + at, from, k);
		from += k;
		off += k;
		n -= k;
	}
}

/* ---- changes ------------------------------------------------------------------------------ */

enum change_kind { CHANGE_DATA, CHANGE_ZERO, CHANGE_SIZE };

struct change {
	struct list link; /* in inode.changes, oldest first */
	uint64_t seq;
	enum change_kind kind;
	bool orphan; /* of a sync that failed */
	uint64_t off, len; /* whole sectors; CHANGE_SIZE: off is the size */
	uint8_t *data; /* CHANGE_DATA: owned */
};

static struct change *change_add(
	struct sim_inode *ino, enum change_kind kind, uint64_t off, uint64_t len)
{
	struct change *c = sim_alloc(sizeof(*c));

	c->seq = ++ino->next_seq;
	c->kind = kind;
	c->off = off;
	c->len = len;
	list_push_back(&ino->changes, &c->link);
	return c;
}

static void change_free(struct change *c)
{
	list_del(&c->link);
	free(c->data);
	free(c);
}

/* The sectors that bytes [off, end) touch, as they are in the cache now. */
static void change_add_data(struct sim_inode *ino, uint64_t off, uint64_t end)
{
	uint64_t lo = off / SECTOR * SECTOR, hi = (end + SECTOR - 1) / SECTOR * SECTOR;
	struct change *c = change_add(ino, CHANGE_DATA, lo, hi - lo);

	c->data = sim_alloc(hi - lo);
	map_read(&ino->cache, c->data, hi - lo, lo);
}

/* Write one sector of the change to stable storage, unless a newer one is there. */
static void sector_apply(struct sim_inode *ino, const struct change *c, uint64_t off)
{
	struct block *b = map_get(&ino->stable, off / BLOCK);
	unsigned s = off % BLOCK / SECTOR;

	/* A zero where nothing is changes nothing, unless an older change may yet come. */
	if (!b && c->kind == CHANGE_ZERO && !ino->has_orphans)
		return;
	if (!b)
		b = map_make(&ino->stable, off / BLOCK);
	if (b->seq[s] > c->seq)
		return;
	b->seq[s] = c->seq;
	if (c->kind == CHANGE_DATA)
		memcpy(b->data + s * SECTOR, c->data + (off - c->off), SECTOR);
	else
		memset(b->data + s * SECTOR, 0, SECTOR);
}

static void size_apply(struct sim_inode *ino, const struct change *c)
{
	if (ino->stable_size_seq > c->seq)
		return;
	if (c->off < ino->stable_size)
		map_zero(&ino->stable, c->off, ino->stable_size);
	ino->stable_size = c->off;
	ino->stable_size_seq = c->seq;
}

/* Which sectors of a change survive. */
struct survival {
	struct rng *rng; /* NULL: all of them */
	bool prefix; /* those below `until`, else each by chance */
	uint64_t until;
};

static void change_apply(struct sim_inode *ino, const struct change *c, const struct survival *s)
{
	uint64_t end = c->off + c->len;

	if (c->kind == CHANGE_SIZE) {
		size_apply(ino, c);
		return;
	}
	for (uint64_t off = c->off; off < end; off += SECTOR) {
		if (c->kind == CHANGE_ZERO && !ino->has_orphans &&
			!map_get(&ino->stable, off / BLOCK)) {
			/* skip to the next block that exists */
			off = map_next(&ino->stable, off / BLOCK, end / BLOCK + 1) * BLOCK;
			if (off >= end)
				break;
		}
		if (s->rng && (s->prefix ? off >= s->until : rng_chance(s->rng, 1, 2)))
			continue;
		sector_apply(ino, c, off);
	}
}

static void change_survive(struct sim_inode *ino, const struct change *c, struct rng *rng)
{
	struct survival s = { 0 };
	uint64_t how = rng_below(rng, 4);

	if (how == 0)
		return; /* lost */
	if (how > 1) { /* torn */
		s.rng = rng;
		s.prefix = how == 2;
		s.until = c->off + rng_below(rng, c->len / SECTOR + 1) * SECTOR;
	}
	change_apply(ino, c, &s);
}

/* ---- content ------------------------------------------------------------------------------ */

size_t sim_inode_read(const struct sim_inode *ino, void *buf, size_t n, uint64_t off)
{
	if (off >= ino->size)
		return 0;
	if (n > ino->size - off)
		n = ino->size - off;
	map_read(&ino->cache, buf, n, off);
	return n;
}

void sim_inode_write(struct sim_inode *ino, const void *data, size_t n, uint64_t off)
{
	if (!n)
		return;
	map_write(&ino->cache, data, n, off);
	change_add_data(ino, off, off + n);
	if (off + n > ino->size) {
		ino->size = off + n;
		change_add(ino, CHANGE_SIZE, ino->size, 0);
	}
}

void sim_inode_zero(struct sim_inode *ino, uint64_t n, uint64_t off)
{
	uint64_t end = off + n < ino->size ? off + n : ino->size;
	uint64_t lo = (off + SECTOR - 1) / SECTOR * SECTOR, hi = end / SECTOR * SECTOR;

	if (off >= end)
		return;
	map_zero(&ino->cache, off, end);
	if (lo >= hi) {
		change_add_data(ino, off, end);
		return;
	}
	if (off < lo)
		change_add_data(ino, off, lo);
	change_add(ino, CHANGE_ZERO, lo, hi - lo);
	if (hi < end)
		change_add_data(ino, hi, end);
}

void sim_inode_set_size(struct sim_inode *ino, uint64_t size)
{
	if (size == ino->size)
		return;
	if (size < ino->size)
		map_zero(&ino->cache, size, ino->size);
	ino->size = size;
	change_add(ino, CHANGE_SIZE, size, 0);
}

void sim_inode_sync_last(struct sim_inode *ino, uint64_t n, uint64_t off)
{
	static const struct survival all;
	bool size_needed = off + n > ino->stable_size;
	struct change *c, *tmp;
	struct list *last = ino->changes.prev;

	while (last != &ino->changes &&
		container_of(last, struct change, link)->kind != CHANGE_DATA)
		last = last->prev;
	assert(last != &ino->changes);
	c = container_of(last, struct change, link);
	assert(c->off <= off && c->off + c->len >= off + n);
	change_apply(ino, c, &all);
	change_free(c);
	if (!size_needed)
		return;
	/* The inode is written as it is: with its present size. */
	list_for_each_safe (c, tmp, &ino->changes, struct change, link) {
		if (c->kind != CHANGE_SIZE || c->orphan)
			continue;
		size_apply(ino, c);
		change_free(c);
	}
}

void sim_inode_sync(struct sim_inode *ino)
{
	static const struct survival all;
	struct change *c, *tmp;

	list_for_each_safe (c, tmp, &ino->changes, struct change, link) {
		if (c->orphan)
			continue;
		change_apply(ino, c, &all);
		change_free(c);
	}
}

void sim_inode_sync_failed(struct sim_inode *ino)
{
	struct change *c;

	list_for_each (c, &ino->changes, struct change, link) {
		c->orphan = true;
		ino->has_orphans = true;
	}
}

uint64_t sim_inode_size(const struct sim_inode *ino)
{
	return ino->size;
}

bool sim_inode_is_dir(const struct sim_inode *ino)
{
	return S_ISDIR(ino->mode);
}

void sim_inode_stat(const struct sim_inode *ino, struct stat *ret)
{
	*ret = (struct stat){ .st_dev = 1,
		.st_ino = ino->number,
		.st_mode = ino->mode,
		.st_nlink = 1,
		.st_size = (off_t)ino->size,
		.st_blksize = BLOCK,
		.st_blocks = (blkcnt_t)(ino->cache.nblocks * (BLOCK / 512)) };
}

uint64_t sim_inode_seek(const struct sim_inode *ino, uint64_t off, bool data)
{
	uint64_t end = (ino->size + BLOCK - 1) / BLOCK, i = off / BLOCK;

	if (data) {
		i = map_next(&ino->cache, i, end);
	} else {
		while (i < end && map_get(&ino->cache, i))
			i++;
	}
	if (i == off / BLOCK)
		return off;
	return i * BLOCK < ino->size ? i * BLOCK : ino->size;
}

/* ---- life --------------------------------------------------------------------------------- */

struct sim_inode *sim_inode_new(struct list *all, uint64_t number, mode_t mode)
{
	struct sim_inode *ino = sim_alloc(sizeof(*ino));

	ino->number = number;
	ino->mode = mode;
	list_init(&ino->changes);
	list_push_back(all, &ino->link);
	return ino; /* no reference yet */
}

struct sim_inode *sim_inode_ref(struct sim_inode *ino)
{
	ino->refs++;
	return ino;
}

struct sim_inode *sim_inode_unref(struct sim_inode *ino)
{
	assert(ino->refs > 0);
	if (--ino->refs)
		return NULL;
	for (struct list *n; (n = list_pop_front(&ino->changes));)
		change_free(container_of(n, struct change, link));
	map_free(&ino->cache);
	map_free(&ino->stable);
	list_del(&ino->link);
	free(ino);
	return NULL;
}

void sim_inode_power_on(struct sim_inode *ino, enum survivors which, struct rng *rng)
{
	static const struct survival all;
	uint64_t end;

	for (struct list *n; (n = list_pop_front(&ino->changes));) {
		struct change *c = container_of(n, struct change, link);

		if (which == SURVIVE_SOME)
			change_survive(ino, c, rng);
		else if (which == SURVIVE_ALL)
			change_apply(ino, c, &all);
		change_free(c);
	}
	ino->has_orphans = false;
	end = ino->stable.nleaves * LEAF * BLOCK;
	if (ino->stable_size < end)
		map_zero(&ino->stable, ino->stable_size, end);
	map_free(&ino->cache);
	ino->size = ino->stable_size;
	end = (ino->size + BLOCK - 1) / BLOCK;
	for (uint64_t i = map_next(&ino->stable, 0, end); i < end;
		i = map_next(&ino->stable, i + 1, end))
		map_copy(&ino->cache, &ino->stable, i);
}
