/* SPDX-License-Identifier: BSD-3-Clause */
/* hash.c: keyed hash table with chains. */
#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

static inline uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

/* SipHash-1-3 (Aumasson and Bernstein, 2012): one round a word, three at the end. */
uint64_t hash_bytes(const struct hash *h, const void *p, size_t n)
{
	const uint8_t *b = p;
	struct sip s = {
		h->key[0] ^ UINT64_C(0x736f6d6570736575),
		h->key[1] ^ UINT64_C(0x646f72616e646f6d),
		h->key[0] ^ UINT64_C(0x6c7967656e657261),
		h->key[1] ^ UINT64_C(0x7465646279746573),
	};
	size_t whole = n & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, get_le(b + i, 8));
	sip_word(&s, (uint64_t)n << 56 | get_le(b + whole, n - whole));
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void hash_init_key(struct hash *h, uint64_t k0, uint64_t k1)
{
	*h = (struct hash){ .nbuckets = HASH_SMALL, .key = { k0, k1 } };
	h->buckets = h->small;
}

void hash_init(struct hash *h)
{
	hash_init_key(h, rng_u64(), rng_u64());
}

void hash_done(struct hash *h)
{
	if (h->buckets != h->small)
		free(h->buckets);
	hash_init_key(h, h->key[0], h->key[1]);
}

static struct hash_node **hash_bucket(const struct hash *h, uint64_t hash)
{
	return &h->buckets[hash & (h->nbuckets - 1)];
}

static void hash_grow(struct hash *h)
{
	struct hash_node **old = h->buckets, *n, *next;
	size_t nold = h->nbuckets;
	struct hash_node **new = calloc(nold * 2, sizeof(*new));

	if (!new)
		return;
	h->buckets = new;
	h->nbuckets = nold * 2;
	for (size_t i = 0; i < nold; i++) {
		for (n = old[i]; n; n = next) {
			struct hash_node **to = hash_bucket(h, n->hash);

			next = n->next;
			n->next = *to;
			*to = n;
		}
	}
	if (old != h->small)
		free(old);
}

void hash_insert(struct hash *h, struct hash_node *n, uint64_t hash)
{
	struct hash_node **to;

	if (h->count >= h->nbuckets)
		hash_grow(h);
	to = hash_bucket(h, hash);
	n->hash = hash;
	n->next = *to;
	*to = n;
	h->count++;
}

void hash_remove(struct hash *h, struct hash_node *n)
{
	struct hash_node **at = hash_bucket(h, n->hash);

	while (*at != n) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = n->next;
	n->next = NULL;
	h->count--;
}

struct hash_node *hash_find(const struct hash *h, uint64_t hash,
	bool (*eq)(const struct hash_node *n, const void *key), const void *key)
{
	for (struct hash_node *n = *hash_bucket(h, hash); n; n = n->next) {
		if (n->hash == hash && eq(n, key))
			return n;
	}
	return NULL;
}

static struct hash_node *hash_first_from(const struct hash *h, size_t bucket)
{
	for (; bucket < h->nbuckets; bucket++) {
		if (h->buckets[bucket])
			return h->buckets[bucket];
	}
	return NULL;
}

struct hash_node *hash_first(const struct hash *h)
{
	return hash_first_from(h, 0);
}

struct hash_node *hash_next(const struct hash *h, const struct hash_node *n)
{
	if (n->next)
		return n->next;
	return hash_first_from(h, (n->hash & (h->nbuckets - 1)) + 1);
}

static bool hash_u64_eq(const struct hash_node *n, const void *key)
{
	return container_of(n, const struct hash_u64_node, node)->key == *(const uint64_t *)key;
}

void hash_u64_insert(struct hash *h, struct hash_u64_node *n, uint64_t key)
{
	n->key = key;
	hash_insert(h, &n->node, hash_bytes(h, &key, sizeof(key)));
}

struct hash_u64_node *hash_u64_find(const struct hash *h, uint64_t key)
{
	uint64_t hash = hash_bytes(h, &key, sizeof(key));
	struct hash_node *n = hash_find(h, hash, hash_u64_eq, &key);

	return n ? container_of(n, struct hash_u64_node, node) : NULL;
}

static bool hash_str_eq(const struct hash_node *n, const void *key)
{
	return strcmp(container_of(n, const struct hash_str_node, node)->key, key) == 0;
}

void hash_str_insert(struct hash *h, struct hash_str_node *n, const char *key)
{
	n->key = key;
	hash_insert(h, &n->node, hash_bytes(h, key, strlen(key)));
}

struct hash_str_node *hash_str_find(const struct hash *h, const char *key)
{
	struct hash_node *n = hash_find(h, hash_bytes(h, key, strlen(key)), hash_str_eq, key);

	return n ? container_of(n, struct hash_str_node, node) : NULL;
}
