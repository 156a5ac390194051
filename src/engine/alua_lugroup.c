/* SPDX-License-Identifier: BSD-3-Clause */
/* alua_lugroup.c: LU groups: logical units whose target port groups change state together. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/alua_priv.h"
#include "engine/engine_priv.h"

static struct alua_lu_group *make(struct engine *eng, const char *name)
{
	struct alua_lu_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->eng = eng;
	snprintf(g->name, sizeof(g->name), "%s", name);
	list_init(&g->members);
	alua_queue_init(&g->queue);
	list_push_back(&eng->lu_groups, &g->link);
	eng->nlu_groups++;
	return g;
}

/* It is in no list any more. */
static void unmake(struct alua_lu_group *g)
{
	assert(list_empty(&g->members));
	g->eng->nlu_groups--;
	pthread_mutex_destroy(&g->queue.lock);
	free(g);
}

int alua_engine_init(struct engine *eng)
{
	struct alua_lu_group *g;

	list_init(&eng->lu_groups);
	g = make(eng, ALUA_DEFAULT_LU_GROUP);
	if (!g)
		return -ENOMEM;
	g->has_id = g->is_default = true;
	return 0;
}

void alua_engine_done(struct engine *eng)
{
	struct list *n;

	while ((n = list_pop_front(&eng->lu_groups)))
		unmake(container_of(n, struct alua_lu_group, link));
}

struct alua_lu_group *alua_lu_group_default(struct engine *eng)
{
	return container_of(eng->lu_groups.next, struct alua_lu_group, link);
}

struct alua_lu_group *alua_lu_group_find(struct engine *eng, const char *name)
{
	struct alua_lu_group *g;

	list_for_each (g, &eng->lu_groups, struct alua_lu_group, link)
		if (!strcmp(g->name, name))
			return g;
	return NULL;
}

int alua_lu_group_new(
	struct engine *eng, const char *name, struct alua_lu_group **ret, struct errmsg *err)
{
	if (strlen(name) >= ALUA_NAME_BYTES)
		return errmsg_set(err, -ENAMETOOLONG, "%.32s…: at most %u bytes are possible", name,
			ALUA_NAME_BYTES - 1);
	if (alua_lu_group_find(eng, name))
		return errmsg_set(err, -EEXIST, "there is an LU group %s already", name);
	if (eng->nlu_groups >= ALUA_MAX_LU_GROUPS)
		return errmsg_set(
			err, -ENOSPC, "there are %u LU groups, which is the most", eng->nlu_groups);
	*ret = make(eng, name);
	return *ret ? 0 : errmsg_set(err, -ENOMEM, "%s: out of memory", name);
}

int alua_lu_group_free(struct alua_lu_group *g, struct errmsg *err)
{
	struct lu_alua *alua;

	if (g->is_default)
		return errmsg_set(err, -EPERM, "%s stays", g->name);
	/* Members come and go on this thread alone. */
	while ((alua = list_first(&g->members, struct lu_alua, lu_group_link))) {
		int r = alua_lu_group_join(alua->lu, alua_lu_group_default(g->eng), err);

		if (r)
			return r;
	}
	list_del(&g->link);
	unmake(g);
	return 0;
}

int alua_lu_group_set_id(struct alua_lu_group *g, uint16_t id, struct errmsg *err)
{
	uint8_t *used = calloc(1, UINT16_MAX + 1);
	struct alua_lu_group *other;
	struct lu_alua *alua;
	uint32_t want = id;
	int r = 0;

	if (!used)
		return errmsg_set(err, -ENOMEM, "lu_gp_id: out of memory");
	list_for_each (other, &g->eng->lu_groups, struct alua_lu_group, link)
		if (other->has_id)
			used[other->id] = 1;
	if (!want)
		while (used[want])
			want++; /* there are fewer groups than ids */
	if (g->has_id)
		r = errmsg_set(
			err, -EINVAL, "lu_gp_id: %s has the id %u, which stays", g->name, g->id);
	else if (used[want])
		r = errmsg_set(err, -EINVAL, "lu_gp_id: another LU group has the id %u", want);
	free(used);
	if (r)
		return r;
	pthread_mutex_lock(&g->queue.lock);
	g->id = (uint16_t)want;
	g->has_id = true;
	pthread_mutex_unlock(&g->queue.lock);
	list_for_each (alua, &g->members, struct lu_alua, lu_group_link)
		ua_add_all(alua->lu, SENSE_INQUIRY_DATA_HAS_CHANGED, NULL);
	return 0;
}

static bool is_idle(struct alua_queue *q)
{
	bool idle;

	pthread_mutex_lock(&q->lock);
	idle = alua_queue_idle(q);
	pthread_mutex_unlock(&q->lock);
	return idle;
}

/* Under lu->lock. False: a change of state is under way. */
static bool switch_to(struct lu_alua *alua, struct alua_lu_group *to)
{
	struct alua_lu_group *from = alua->lu_group;

	/* Nor may it come in the middle of a change that it would miss. */
	if (!is_idle(alua->queue) || !is_idle(&to->queue))
		return false;
	pthread_mutex_lock(&from->queue.lock);
	list_del(&alua->lu_group_link);
	pthread_mutex_unlock(&from->queue.lock);
	pthread_mutex_lock(&to->queue.lock);
	list_push_back(&to->members, &alua->lu_group_link);
	pthread_mutex_unlock(&to->queue.lock);
	alua->lu_group = to;
	alua->queue = to->is_default ? &alua->own : &to->queue;
	return true;
}

int alua_lu_group_join(struct lu *lu, struct alua_lu_group *g, struct errmsg *err)
{
	bool done = true;

	pthread_mutex_lock(&lu->lock);
	if (lu->alua->lu_group != g) {
		done = switch_to(lu->alua, g);
		if (done)
			alua_attention(lu, SENSE_INQUIRY_DATA_HAS_CHANGED, NULL);
	}
	pthread_mutex_unlock(&lu->lock);
	return done ? 0
		    : errmsg_set(err, -EBUSY, "the access state of %s is being changed: try again",
			      lu->name);
}

void alua_lu_group_each(struct alua_lu_group *g, void (*fn)(struct lu *lu, void *arg), void *arg)
{
	struct lu_alua *alua;

	list_for_each (alua, &g->members, struct lu_alua, lu_group_link)
		fn(alua->lu, arg);
}
