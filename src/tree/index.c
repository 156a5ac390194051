/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index.c: finding nodes. User-made directories are found by a hash over (parent, name), so ten
 * thousand of them side by side cost no more than ten; all nodes are found by their number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree/node_priv.h"

enum { FIRST_PLACES = 64 }; /* of each table, a power of two */

/* ---- by name: user-made directories --------------------------------------------------------- */

/* FNV-1a over the parent's address and the name: names come from the administrator, not a peer. */
static size_t bucket_of(const struct tree *t, const struct node *parent, const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)(uintptr_t)parent;

	h *= UINT64_C(0x100000001b3);
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32) & (t->nbuckets - 1);
}

struct node *index_find(struct tree *t, const struct node *parent, const char *name)
{
	struct node *n = t->buckets[bucket_of(t, parent, name)];

	while (n && (n->parent != parent || strcmp(n->name, name)))
		n = n->hash_next;
	return n;
}

/* Doubling fails without harm: chains get longer. */
static void hash_grow(struct tree *t)
{
	size_t old = t->nbuckets;
	struct node **from = t->buckets, **to = calloc(2 * old, sizeof(*to));

	if (!to)
		return;
	t->buckets = to;
	t->nbuckets = 2 * old;
	for (size_t i = 0; i < old; i++) {
		for (struct node *n = from[i], *next; n; n = next) {
			size_t b = bucket_of(t, n->parent, n->name);

			next = n->hash_next;
			n->hash_next = to[b];
			to[b] = n;
		}
	}
	free(from);
}

void index_add_name(struct tree *t, struct node *n)
{
	size_t b;

	if (t->nhashed >= t->nbuckets)
		hash_grow(t);
	b = bucket_of(t, n->parent, n->name);
	n->hash_next = t->buckets[b];
	t->buckets[b] = n;
	t->nhashed++;
}

void index_del_name(struct tree *t, struct node *n)
{
	struct node **p = &t->buckets[bucket_of(t, n->parent, n->name)];

	while (*p != n)
		p = &(*p)->hash_next;
	*p = n->hash_next;
	t->nhashed--;
}

/* ---- by number --------------------------------------------------------------------------- */

static void ids_grow(struct tree *t)
{
	size_t old = t->nids;
	struct node **from = t->ids, **to = calloc(2 * old, sizeof(*to));

	if (!to)
		return;
	t->ids = to;
	t->nids = 2 * old;
	for (size_t i = 0; i < old; i++) {
		for (struct node *n = from[i], *next; n; n = next) {
			next = n->id_next;
			n->id_next = to[n->id & (t->nids - 1)];
			to[n->id & (t->nids - 1)] = n;
		}
	}
	free(from);
}

void index_add_id(struct tree *t, struct node *n)
{
	struct node **at;

	if (t->nnodes++ >= t->nids)
		ids_grow(t);
	n->id = ++t->last_id;
	at = &t->ids[n->id & (t->nids - 1)];
	n->id_next = *at;
	*at = n;
}

void index_del_id(struct tree *t, struct node *n)
{
	struct node **p = &t->ids[n->id & (t->nids - 1)];

	while (*p != n)
		p = &(*p)->id_next;
	*p = n->id_next;
	t->nnodes--;
}

struct node *tree_node_by_id(struct tree *t, uint64_t id)
{
	struct node *n = t->ids[id & (t->nids - 1)];

	while (n && n->id != id)
		n = n->id_next;
	for (const struct node *at = n; at; at = at->parent) {
		if (at->going)
			return NULL;
	}
	return n;
}

int index_init(struct tree *t)
{
	t->nbuckets = t->nids = FIRST_PLACES;
	t->buckets = calloc(t->nbuckets, sizeof(*t->buckets));
	t->ids = calloc(t->nids, sizeof(*t->ids));
	return t->buckets && t->ids ? 0 : -ENOMEM;
}

void index_done(struct tree *t)
{
	free(t->buckets);
	free(t->ids);
}
