/* SPDX-License-Identifier: BSD-3-Clause */
/* hash_test.c: known hashes, insertion, growth, removal while iterating, equal hashes. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct item {
	struct hash_u64_node u;
	bool seen;
};

enum { N = 5000 };

/*
 * SipHash-1-3 of the bytes 00 01 02 ... with the key 00 01 ... 0f, of several lengths, from
 * an independent implementation (OpenSSL's EVP_MAC "SIPHASH" with c-rounds 1 and d-rounds 3).
 */
static void known_hashes(void **state)
{
	static const struct {
		size_t n;
		uint64_t want;
	} rows[] = {
		{ 0, UINT64_C(0xabac0158050fc4dc) },
		{ 1, UINT64_C(0xc9f49bf37d57ca93) },
		{ 2, UINT64_C(0x82cb9b024dc7d44d) },
		{ 3, UINT64_C(0x8bf80ab8e7ddf7fb) },
		{ 7, UINT64_C(0xd3927d989bb11140) },
		{ 8, UINT64_C(0x369095118d299a8e) },
		{ 9, UINT64_C(0x25a48eb36c063de4) },
		{ 16, UINT64_C(0xcc4fdd1a7d908b66) },
		{ 63, UINT64_C(0x9d199062b7bbb3a8) },
	};
	uint8_t b[64];
	struct hash h;

	for (uint8_t i = 0; i < sizeof(b); i++)
		b[i] = i;
	hash_init_key(&h, UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(hash_bytes(&h, b, rows[i].n), rows[i].want);
}

static void keys_differ_between_tables(void **state)
{
	struct hash a, b;

	hash_init(&a);
	hash_init(&b);
	assert_true(hash_bytes(&a, "x", 1) != hash_bytes(&b, "x", 1));
	hash_done(&a);
	hash_done(&b);
}

static void integers(void **state)
{
	static struct item items[N];
	struct hash_node *n, *tmp;
	struct hash h;
	size_t seen = 0;

	hash_init(&h);
	assert_null(hash_first(&h));
	assert_null(hash_u64_find(&h, 0));
	for (uint64_t i = 0; i < N; i++) {
		hash_u64_insert(&h, &items[i].u, i << 32);
		assert_int_equal(h.count, i + 1);
		assert_ptr_equal(hash_u64_find(&h, i << 32), &items[i].u);
	}
	assert_true(h.nbuckets >= N);
	for (uint64_t i = 0; i < N; i++) {
		assert_ptr_equal(hash_u64_find(&h, i << 32), &items[i].u);
		assert_null(hash_u64_find(&h, i << 32 | 1));
	}
	hash_for_each(n, &h)
	{
		struct item *it = container_of(n, struct item, u.node);

		assert_false(it->seen);
		it->seen = true;
		seen++;
	}
	assert_int_equal(seen, N);
	hash_for_each_safe(n, tmp, &h)
	{
		struct item *it = container_of(n, struct item, u.node);

		if (it->u.key >> 32 & 1) {
			hash_u64_remove(&h, &it->u);
			memset(it, 0xee, sizeof(*it));
		}
	}
	assert_int_equal(h.count, N / 2);
	for (uint64_t i = 0; i < N; i++)
		assert_true((hash_u64_find(&h, i << 32) != NULL) == (i % 2 == 0));
	hash_done(&h);
	assert_int_equal(h.count, 0);
	assert_null(hash_u64_find(&h, 0));
}

static void strings(void **state)
{
	static struct hash_str_node nodes[300];
	static char names[300][16];
	struct hash h;

	hash_init(&h);
	for (size_t i = 0; i < 300; i++) {
		snprintf(names[i], sizeof(names[i]), "iqn.x:%zu", i);
		hash_str_insert(&h, &nodes[i], names[i]);
	}
	for (size_t i = 0; i < 300; i++) {
		char key[16];

		snprintf(key, sizeof(key), "iqn.x:%zu", i);
		assert_ptr_equal(hash_str_find(&h, key), &nodes[i]);
	}
	assert_null(hash_str_find(&h, ""));
	assert_null(hash_str_find(&h, "iqn.x:"));
	hash_str_remove(&h, &nodes[7]);
	assert_null(hash_str_find(&h, "iqn.x:7"));
	assert_int_equal(h.count, 299);
	hash_done(&h);
}

static bool same_node(const struct hash_node *n, const void *key)
{
	return n == key;
}

static void equal_hashes(void **state)
{
	struct hash_node nodes[50];
	struct hash h;

	hash_init_key(&h, 1, 2);
	for (size_t i = 0; i < 50; i++)
		hash_insert(&h, &nodes[i], 77);
	for (size_t i = 0; i < 50; i++)
		assert_ptr_equal(hash_find(&h, 77, same_node, &nodes[i]), &nodes[i]);
	for (size_t i = 0; i < 50; i += 2)
		hash_remove(&h, &nodes[i]);
	for (size_t i = 0; i < 50; i++)
		assert_true((hash_find(&h, 77, same_node, &nodes[i]) != NULL) == (i % 2 == 1));
	hash_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_hashes),
		cmocka_unit_test(keys_differ_between_tables),
		cmocka_unit_test(integers),
		cmocka_unit_test(strings),
		cmocka_unit_test(equal_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
