/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.h: an intrusive hash table. Keys are hashed by SipHash-1-3 with a random key of the
 * table, so that a peer that chooses the keys (tags, names) cannot make them collide.
 *
 * The table grows with the number of nodes and never fails: when memory for more buckets is not
 * to be had, chains get longer. It does not shrink, so a node may be removed while
 * hash_for_each_safe() is on it. Not thread-safe. A struct hash must not be moved or copied.
 *
 * Two kinds of nodes that hold their key come with it; for other keys use struct hash_node with
 * hash_bytes() and hash_find().
 */
#ifndef ULIO_BASE_HASH_H
#define ULIO_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/list.h"

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

enum { HASH_SMALL = 4 }; /* buckets that need no allocation; a power of two */

struct hash {
	struct hash_node **buckets; /* small, or owned */
	size_t nbuckets; /* a power of two */
	size_t count; /* nodes in the table */
	uint64_t key[2];
	struct hash_node *small[HASH_SMALL];
};

/* An empty table; the key is random. */
void hash_init(struct hash *h);

/* The same with a given key: the order of iteration is then the same in every run. */
void hash_init_key(struct hash *h, uint64_t k0, uint64_t k1);

/* Free the buckets. The nodes are the caller's; normally none is left. */
void hash_done(struct hash *h);

/* The hash of n bytes under the table's key. */
uint64_t hash_bytes(const struct hash *h, const void *p, size_t n);

/* Put a node in; hash is that of its key. Equal keys may be in the table more than once. */
void hash_insert(struct hash *h, struct hash_node *n, uint64_t hash);

/* Take a node out, which is in the table. */
void hash_remove(struct hash *h, struct hash_node *n);

/* The first node with this hash for which eq(node, key) is true, or NULL. */
struct hash_node *hash_find(const struct hash *h, uint64_t hash,
	bool (*eq)(const struct hash_node *n, const void *key), const void *key);

/* Iteration, in no useful order: the first node, and the one after n; NULL at the end. */
struct hash_node *hash_first(const struct hash *h);
struct hash_node *hash_next(const struct hash *h, const struct hash_node *n);

/* n: struct hash_node *. Nothing may be inserted or removed by the body. */
#define hash_for_each(n, h) for (n = hash_first(h); n; n = hash_next(h, n))

/* The same when the body may remove n (and free it). */
#define hash_for_each_safe(n, tmp, h)                                                              \
	for (n = hash_first(h), tmp = n ? hash_next(h, n) : NULL; n;                               \
		n = tmp, tmp = n ? hash_next(h, n) : NULL)

/* Nodes with an integer as key. */
struct hash_u64_node {
	struct hash_node node;
	uint64_t key;
};

void hash_u64_insert(struct hash *h, struct hash_u64_node *n, uint64_t key);
struct hash_u64_node *hash_u64_find(const struct hash *h, uint64_t key);

static inline void hash_u64_remove(struct hash *h, struct hash_u64_node *n)
{
	hash_remove(h, &n->node);
}

/* Nodes with a string as key; it is borrowed and must not change while the node is in a table. */
struct hash_str_node {
	struct hash_node node;
	const char *key;
};

void hash_str_insert(struct hash *h, struct hash_str_node *n, const char *key);
struct hash_str_node *hash_str_find(const struct hash *h, const char *key);

static inline void hash_str_remove(struct hash *h, struct hash_str_node *n)
{
	hash_remove(h, &n->node);
}

#endif
