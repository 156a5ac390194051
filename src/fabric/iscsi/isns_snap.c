/* SPDX-License-Identifier: BSD-3-Clause */
/* isns_snap.c: what is to be registered with iSNS servers, at one moment. */
#include "fabric/iscsi/isns_snap.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more in an array that doubles; NULL: there is none. */
static void *grow(void *v, uint32_t n, uint32_t *cap, size_t bytes)
{
	uint32_t want = *cap ? *cap * 2 : 8;
	void *more;

	if (n < *cap)
		return v;
	if (n >= ISNS_OBJECTS_MAX)
		return NULL;
	more = realloc(v, want * bytes);
	if (more)
		*cap = want;
	return more;
}

#define GROW(s, what)                                                                              \
	({                                                                                         \
		void *v_ = grow((s)->what, (s)->n##what, &(s)->what##_cap, sizeof(*(s)->what));    \
		if (v_)                                                                            \
			(s)->what = v_;                                                            \
		v_ != NULL;                                                                        \
	})

/* The address to register for a portal; false: none. */
static bool address_of(const struct portal *p, struct sockaddr_storage *ret)
{
	if (!p->sendtargets || *p->netns)
		return false;
	if (p->advertise)
		return address_parse(p->advertise, ret, NULL) == 0;
	*ret = p->addr;
	return !address_is_link_local(ret);
}

/* With a portal of its own, until merge_portals(). */
static bool add_member(struct isns_snap *s, const struct portal *p)
{
	struct sockaddr_storage addr;

	if (!address_of(p, &addr))
		return true;
	if (!GROW(s, portals) || !GROW(s, members))
		return false;
	s->portals[s->nportals].addr = addr;
	s->members[s->nmembers++] = (struct isns_snap_member){ s->nportals++, p->tpg->tag };
	return true;
}

static bool add_target(struct isns_snap *s, const struct target *t)
{
	struct isns_snap_target at = { .first = s->nmembers };
	const char *alias = "";
	struct portal *p;
	struct tpg *tpg;

	list_for_each (tpg, &t->tpgs, struct tpg, link) {
		if (!tpg->enabled || !tpg->attribs.tpg_enabled_sendtargets)
			continue;
		if (!*alias)
			alias = tpg->keys.target_alias;
		list_for_each (p, &tpg->portals, struct portal, link)
			if (!add_member(s, p))
				return false;
	}
	at.n = s->nmembers - at.first;
	if (!at.n)
		return true;
	strcpy(at.name, t->name);
	strcpy(at.alias, alias);
	if (!GROW(s, targets))
		return false;
	s->targets[s->ntargets++] = at;
	return true;
}

static int by_key(const void *name, const void *t)
{
	return strcmp(name, ((const struct isns_snap_target *)t)->name);
}

static int by_name(const void *a, const void *b)
{
	return by_key(((const struct isns_snap_target *)a)->name, b);
}

static int by_address(const void *a, const void *b)
{
	return address_compare(&((const struct isns_snap_portal *)a)->addr,
		&((const struct isns_snap_portal *)b)->addr);
}

static uint32_t portal_index(const struct isns_snap *s, const struct sockaddr_storage *addr)
{
	struct isns_snap_portal key = { *addr }, *p;

	p = s->nportals ? bsearch(&key, s->portals, s->nportals, sizeof(key), by_address) : NULL;
	return p ? (uint32_t)(p - s->portals) : UINT32_MAX;
}

/* Portals of one address, of different targets, become one. False: memory is short. */
static bool merge_portals(struct isns_snap *s)
{
	struct isns_snap_portal *all = s->portals;
	uint32_t n = s->nportals;

	if (!n)
		return true;
	s->portals = malloc(n * sizeof(*all));
	if (!s->portals) {
		s->portals = all;
		return false;
	}
	memcpy(s->portals, all, n * sizeof(*all));
	s->portals_cap = n;
	qsort(s->portals, n, sizeof(*all), by_address);
	s->nportals = 1;
	for (uint32_t i = 1; i < n; i++)
		if (by_address(&s->portals[i], &s->portals[s->nportals - 1]))
			s->portals[s->nportals++] = s->portals[i];
	for (uint32_t i = 0; i < s->nmembers; i++)
		s->members[i].portal = portal_index(s, &all[s->members[i].portal].addr);
	free(all);
	return true;
}

struct isns_snap *isns_snap_new(struct entity *e)
{
	struct isns_snap *s = calloc(1, sizeof(*s));
	struct target *t;
	bool good = s;

	if (!s)
		return NULL;
	s->refs = 1;
	engine_lock(e->eng);
	list_for_each (t, &e->targets, struct target, link) {
		good = add_target(s, t);
		if (!good)
			break;
	}
	engine_unlock(e->eng);
	good = good && merge_portals(s);
	if (good && s->ntargets)
		qsort(s->targets, s->ntargets, sizeof(*s->targets), by_name);
	if (good)
		return s;
	isns_snap_unref(s);
	return NULL;
}

struct isns_snap *isns_snap_ref(struct isns_snap *s)
{
	s->refs++;
	return s;
}

void isns_snap_unref(struct isns_snap *s)
{
	if (!s || --s->refs)
		return;
	free(s->portals);
	free(s->targets);
	free(s->members);
	free(s);
}

bool isns_snap_equal(const struct isns_snap *a, const struct isns_snap *b)
{
	if (a->nportals != b->nportals || a->ntargets != b->ntargets || a->nmembers != b->nmembers)
		return false;
	for (uint32_t i = 0; i < a->nportals; i++)
		if (!address_equal(&a->portals[i].addr, &b->portals[i].addr))
			return false;
	for (uint32_t i = 0; i < a->nmembers; i++)
		if (a->members[i].portal != b->members[i].portal ||
			a->members[i].tag != b->members[i].tag)
			return false;
	for (uint32_t i = 0; i < a->ntargets; i++)
		if (a->targets[i].n != b->targets[i].n ||
			strcmp(a->targets[i].name, b->targets[i].name) != 0 ||
			strcmp(a->targets[i].alias, b->targets[i].alias) != 0)
			return false;
	return true;
}

static const struct isns_snap_target *find(const struct isns_snap *s, const char *name)
{
	return s->ntargets ? bsearch(name, s->targets, s->ntargets, sizeof(*s->targets), by_key)
			   : NULL;
}

bool isns_snap_same_target(
	const struct isns_snap *a, const struct isns_snap_target *t, const struct isns_snap *b)
{
	const struct isns_snap_target *u = find(b, t->name);

	if (!u || u->n != t->n || strcmp(u->alias, t->alias) != 0)
		return false;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct isns_snap_member *m = &a->members[t->first + i];
		const struct isns_snap_member *n = &b->members[u->first + i];

		if (m->tag != n->tag ||
			!address_equal(&a->portals[m->portal].addr, &b->portals[n->portal].addr))
			return false;
	}
	return true;
}

bool isns_snap_has_target(const struct isns_snap *s, const char *name)
{
	return find(s, name) != NULL;
}

bool isns_snap_has_portal(const struct isns_snap *s, const struct sockaddr_storage *addr)
{
	return portal_index(s, addr) != UINT32_MAX;
}
