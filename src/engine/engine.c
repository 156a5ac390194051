/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c: making and unmaking the engine, and finding what it holds. */
#include "engine/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_priv.h"

struct engine *engine_new(struct loops *loops)
{
	struct engine *eng = calloc(1, sizeof(*eng));
	unsigned n = loops_count(loops);

	if (!eng)
		return NULL;
	eng->per_loop = aligned_alloc(128, n * sizeof(*eng->per_loop));
	if (!eng->per_loop) {
		free(eng);
		return NULL;
	}
	memset(eng->per_loop, 0, n * sizeof(*eng->per_loop));
	for (unsigned i = 0; i < n; i++) {
		list_init(&eng->per_loop[i].free_cmds);
		list_init(&eng->per_loop[i].waits);
		eng->per_loop[i].loop = loops_get(loops, i);
	}
	pthread_mutex_init(&eng->lock, NULL);
	list_init(&eng->lus);
	hash_init(&eng->lu_names);
	list_init(&eng->ports);
	eng->loops = loops;
	idpool_init(&eng->rtpis, 1, 65535); /* SPC-4 7.8.6.6: 0 is reserved */
	return eng;
}

struct engine *engine_free(struct engine *eng)
{
	if (!eng)
		return NULL;
	assert(list_empty(&eng->lus) && list_empty(&eng->ports));
	for (unsigned i = 0; i < loops_count(eng->loops); i++) {
		struct list *n;

		assert(list_empty(&eng->per_loop[i].waits));
		while ((n = list_pop_front(&eng->per_loop[i].free_cmds)))
			free(container_of(n, struct cmd, link));
	}
	hash_done(&eng->lu_names);
	idpool_done(&eng->rtpis);
	pthread_mutex_destroy(&eng->lock);
	free(eng->per_loop);
	free(eng);
	return NULL;
}

struct loops *engine_loops(const struct engine *eng)
{
	return eng->loops;
}

void engine_lock(struct engine *eng)
{
	pthread_mutex_lock(&eng->lock);
}

void engine_unlock(struct engine *eng)
{
	pthread_mutex_unlock(&eng->lock);
}

struct lu *engine_next_lu(struct engine *eng, struct lu *prev)
{
	struct list *next = prev ? prev->link.next : eng->lus.next;

	return next == &eng->lus ? NULL : container_of(next, struct lu, link);
}

struct lu *engine_find_lu(struct engine *eng, const char *name)
{
	struct hash_str_node *n = hash_str_find(&eng->lu_names, name);

	return n ? container_of(n, struct lu, name_node) : NULL;
}
