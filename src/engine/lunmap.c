/* SPDX-License-Identifier: BSD-3-Clause */
/* lunmap.c: what one nexus sees, as an immutable sorted array, and the I_T_L nexuses behind it. */
#include <assert.h>
#include <stdlib.h>

#include "engine/bars.h"
#include "engine/engine_priv.h"
#include "engine/reserve6.h"

const struct lunmap_entry *lunmap_find(const struct lunmap *map, uint32_t lun)
{
	uint32_t lo = 0, hi = map->n;

	/* Nearly always LUNs are numbered from 0 without gaps. */
	if (lun < map->n && map->e[lun].lun == lun)
		return &map->e[lun];
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (map->e[mid].lun == lun)
			return &map->e[mid];
		if (map->e[mid].lun < lun)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static struct itl *itl_new(struct nexus *nexus, struct port_lun *pl)
{
	struct lu *lu = pl->lu;
	struct itl *itl = calloc(1, sizeof(*itl));

	if (!itl)
		return NULL;
	itl->lu = lu;
	itl->nexus = nexus;
	itl->pl = pl;
	pthread_mutex_init(&itl->lock, NULL);
	/* SAM-5 5.14.1: to this nexus the LU has just come into being. */
	ua_add(itl, SENSE_POWER_ON_OR_RESET);
	pthread_mutex_lock(&lu->lock);
	list_push_back(&lu->itls, &itl->lu_link);
	itl_bars_update(itl); /* what barred it before it went away does so still */
	pthread_mutex_unlock(&lu->lock);
	return itl;
}

static void itl_free(struct itl *itl)
{
	pthread_mutex_lock(&itl->lu->lock);
	list_del(&itl->lu_link);
	pthread_mutex_unlock(&itl->lu->lock);
	/* SPC-2 5.5.1: a reservation ends with its nexus. */
	reserve6_release(itl->lu, itl->nexus);
	itl_prevent_removal(itl, false);
	pthread_mutex_destroy(&itl->lock);
	free(itl);
}

/* The itl by which nexus sees what pl shows as this LUN already, or a new one. */
static bool entry_set(
	struct lunmap *map, struct nexus *nexus, uint32_t lun, struct port_lun *pl, bool read_only)
{
	const struct lunmap *old = atomic_load(&nexus->map);
	const struct lunmap_entry *was = old ? lunmap_find(old, lun) : NULL;
	bool same = was && was->lu == pl->lu && was->itl->pl == pl;
	struct itl *itl = same ? was->itl : itl_new(nexus, pl);

	if (!itl)
		return false;
	map->e[map->n++] = (struct lunmap_entry){
		.lun = lun, .read_only = read_only, .lu = pl->lu, .itl = itl
	};
	return true;
}

static uint32_t list_length(const struct list *l)
{
	uint32_t n = 0;

	for (const struct list *p = l->next; p != l; p = p->next)
		n++;
	return n;
}

static bool fill_acl(struct lunmap *map, struct nexus *nexus, const struct acl *acl)
{
	struct acl_lun *al;

	list_for_each (al, &acl->luns, struct acl_lun, link)
		if (al->target && al->target->lu &&
			!entry_set(map, nexus, al->lun, al->target, al->write_protect))
			return false;
	return true;
}

static bool fill_demo(struct lunmap *map, struct nexus *nexus)
{
	const struct port *port = nexus->port;
	struct port_lun *pl;

	list_for_each (pl, &port->luns, struct port_lun, link)
		if (pl->lu && !entry_set(map, nexus, pl->lun, pl, port->demo_mode_write_protect))
			return false;
	return true;
}

/* A half-built map: what is new in it goes again. */
static void undo(struct lunmap *map, const struct lunmap *old)
{
	for (uint32_t i = 0; i < map->n; i++) {
		const struct lunmap_entry *was = old ? lunmap_find(old, map->e[i].lun) : NULL;

		if (!was || was->itl != map->e[i].itl)
			itl_free(map->e[i].itl);
	}
	free(map);
}

struct lunmap *lunmap_build(struct nexus *nexus, const struct acl *acl)
{
	bool demo = !acl || acl->dynamic;
	uint32_t most = list_length(demo ? &nexus->port->luns : &acl->luns);
	struct lunmap *map = malloc(sizeof(*map) + most * sizeof(map->e[0]));

	if (!map)
		return NULL;
	map->n = 0;
	if (demo ? fill_demo(map, nexus) : fill_acl(map, nexus, acl))
		return map;
	undo(map, atomic_load(&nexus->map));
	return NULL;
}

struct lunmap *lunmap_publish(struct nexus *nexus, struct lunmap *now, bool *ret_changed)
{
	struct lunmap *old = atomic_load(&nexus->map);

	*ret_changed = !old || old->n != now->n;
	for (uint32_t i = 0; old && i < old->n; i++) {
		const struct lunmap_entry *e = lunmap_find(now, old->e[i].lun);

		if (e && e->itl == old->e[i].itl)
			continue;
		*ret_changed = true;
		atomic_store(&old->e[i].itl->retired, true);
	}
	atomic_store_explicit(&nexus->map, now, memory_order_release);
	return old;
}

void lunmap_free(struct lunmap *map, bool all_itls)
{
	if (!map)
		return;
	for (uint32_t i = 0; i < map->n; i++)
		if (all_itls || atomic_load(&map->e[i].itl->retired))
			itl_free(map->e[i].itl);
	free(map);
}
