/* SPDX-License-Identifier: BSD-3-Clause */
/* port.c: target ports, their LUNs, and how a change of them reaches the nexuses. */
#include "engine/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/abort.h"
#include "engine/alua.h"
#include "engine/engine_priv.h"
#include "engine/pr/keep.h"

int port_new(struct engine *eng, const struct fabric_ops *ops, const char *device, const char *name,
	uint16_t tpgt, const struct port_hooks *hooks, void *fabric_data, struct port **ret)
{
	struct port *port = calloc(1, sizeof(*port));
	uint32_t rtpi;
	int rc;

	if (!port)
		return -ENOMEM;
	port->eng = eng;
	port->ops = ops;
	port->hooks = hooks;
	port->fabric_data = fabric_data;
	port->tpgt = tpgt;
	port->demo_mode_write_protect = 1;
	port->default_queue_depth = 64;
	snprintf(port->device, sizeof(port->device), "%s", device);
	snprintf(port->name, sizeof(port->name), "%s", name);
	list_init(&port->luns);
	list_init(&port->acl_list);
	list_init(&port->nexuses);
	hash_init(&port->acls);
	engine_lock(eng);
	rc = idpool_alloc(&eng->rtpis, &rtpi);
	if (rc) {
		engine_unlock(eng);
		hash_done(&port->acls);
		free(port);
		return rc;
	}
	port->rtpi = (uint16_t)rtpi;
	list_push_back(&eng->ports, &port->link);
	engine_unlock(eng);
	*ret = port;
	return 0;
}

int port_free(struct port *port, struct errmsg *err)
{
	struct engine *eng;
	struct acl *acl, *tmp;

	if (!port)
		return 0;
	eng = port->eng;
	if (!list_empty(&port->luns))
		return errmsg_set(
			err, -ENOTEMPTY, "%s still has LUNs: remove them first", port->name);
	list_for_each_safe (acl, tmp, &port->acl_list, struct acl, link)
		if (!acl->dynamic)
			return errmsg_set(err, -ENOTEMPTY,
				"%s still has the ACL of %s: remove it first", port->name,
				acl->initiator);
	engine_lock(eng);
	if (!list_empty(&port->nexuses)) {
		engine_unlock(eng);
		return errmsg_set(
			err, -EBUSY, "%s still has sessions: disable it first", port->name);
	}
	list_del(&port->link);
	idpool_free(&eng->rtpis, port->rtpi);
	engine_unlock(eng);
	list_for_each_safe (acl, tmp, &port->acl_list, struct acl, link)
		acl_drop(acl);
	hash_done(&port->acls);
	free(port);
	return 0;
}

/* The holder of rtpi gives it away for another one, if it may. Under the configuration lock. */
static int rtpi_displace(struct engine *eng, uint16_t rtpi)
{
	struct port *holder;
	uint32_t other;

	list_for_each (holder, &eng->ports, struct port, link)
		if (holder->rtpi == rtpi)
			break;
	if (holder->rtpi_chosen || !list_empty(&holder->nexuses))
		return -EBUSY;
	if (idpool_alloc(&eng->rtpis, &other))
		return -ENOSPC;
	holder->rtpi = (uint16_t)other;
	return 0;
}

int port_set_rtpi(struct port *port, uint16_t rtpi, struct errmsg *err)
{
	struct engine *eng = port->eng;
	int rc = 0;

	engine_lock(eng);
	if (port->rtpi != rtpi) {
		rc = idpool_take(&eng->rtpis, rtpi);
		if (rc == -EBUSY)
			rc = rtpi_displace(eng, rtpi);
		if (!rc) {
			idpool_free(&eng->rtpis, port->rtpi);
			port->rtpi = rtpi;
		}
	}
	if (!rc)
		port->rtpi_chosen = true;
	engine_unlock(eng);
	return rc ? errmsg_set(err, -EINVAL, "relative target port identifier %u: %s", rtpi,
			    rc == -EBUSY ? "another port has it" : err_text(rc))
		  : 0;
}

/* ---- publication -------------------------------------------------------------------------- */

struct old_map {
	struct old_map *next;
	struct lunmap *map;
};

static void reported_luns_changed(struct nexus *nexus, const struct lunmap *map)
{
	ua_add(&nexus->no_lu, SENSE_REPORTED_LUNS_DATA_HAS_CHANGED);
	for (uint32_t i = 0; i < map->n; i++)
		ua_add(map->e[i].itl, SENSE_REPORTED_LUNS_DATA_HAS_CHANGED);
}

/* Under the configuration lock. */
static int republish_nexus(struct nexus *nexus, struct old_map **olds)
{
	struct old_map *o = malloc(sizeof(*o));
	struct lunmap *now;
	bool changed;

	now = o ? lunmap_build(nexus, acl_find(nexus->port, nexus->initiator)) : NULL;
	if (!now) {
		free(o);
		return -ENOMEM;
	}
	o->map = lunmap_publish(nexus, now, &changed);
	o->next = *olds;
	*olds = o;
	if (changed)
		reported_luns_changed(nexus, now);
	return 0;
}

int port_refresh(struct port *port, struct errmsg *err)
{
	return port_republish(port, NULL, err);
}

struct drain_wait {
	struct abort abort;
	struct loop_event done;
	struct engine *eng;
	int error;
};

static void drain_wait_done(struct abort *a)
{
	loop_event_signal(&container_of(a, struct drain_wait, abort)->done);
}

static void drain_wait_start(struct loop *loop, void *arg)
{
	struct drain_wait *w = arg;

	w->error = abort_start(&w->abort, w->eng, loop);
}

/*
 * End what is under way on LUNs that nobody is shown any more. The disk may keep some of it: that
 * is orphaned, so this always comes to an end.
 */
static int end_retired(struct engine *eng, struct lu *lu)
{
	struct drain_wait w = { .eng = eng };

	w.abort.scope = (struct abort_scope){
		.lu = lu, .retired_only = true, .tas_always = true, .orphan = true
	};
	w.abort.done = drain_wait_done;
	loop_event_init(&w.done, eng->loops);
	loops_call(eng->loops, loops_get(eng->loops, 0), drain_wait_start, &w);
	if (w.error)
		return w.error;
	return loop_event_wait_aside(&w.done, UINT64_MAX);
}

int port_republish(struct port *port, struct lu *gone, struct errmsg *err)
{
	struct engine *eng = port->eng;
	struct old_map *olds = NULL;
	struct nexus *nexus;
	int rc = 0;

	engine_lock(eng);
	list_for_each (nexus, &port->nexuses, struct nexus, link) {
		rc = republish_nexus(nexus, &olds);
		if (rc)
			break;
	}
	engine_unlock(eng);
	if (!olds)
		return rc ? errmsg_set(err, rc, "out of memory for the LUN map of %s", port->name)
			  : 0;
	loops_barrier(eng->loops, NULL, NULL);
	if (gone)
		while (end_retired(eng, gone))
			loops_barrier(eng->loops, NULL, NULL);
	while (olds) {
		struct old_map *o = olds;

		olds = o->next;
		lunmap_free(o->map, false);
		free(o);
	}
	return rc ? errmsg_set(err, rc, "out of memory for the LUN map of %s", port->name) : 0;
}

/* ---- LUNs --------------------------------------------------------------------------------- */

struct port_lun *port_lun_find(struct port *port, uint32_t lun)
{
	struct port_lun *pl;

	if (list_empty(&port->luns) ||
		container_of(port->luns.prev, struct port_lun, link)->lun < lun)
		return NULL;
	list_for_each (pl, &port->luns, struct port_lun, link)
		if (pl->lun >= lun)
			return pl->lun == lun ? pl : NULL;
	return NULL;
}

int port_lun_add(struct port *port, uint32_t lun, struct port_lun **ret, struct errmsg *err)
{
	struct port_lun *pl, *after;

	if (lun > PORT_MAX_LUN)
		return errmsg_set(
			err, -EINVAL, "LUN %u is too large: use 0 to %u", lun, PORT_MAX_LUN);
	if (port_lun_find(port, lun))
		return errmsg_set(err, -EEXIST, "%s already has LUN %u", port->name, lun);
	pl = calloc(1, sizeof(*pl));
	if (!pl)
		return errmsg_set(err, -ENOMEM, "out of memory");
	pl->port = port;
	pl->lun = lun;
	list_init(&pl->lu_link);
	list_init(&pl->alua_link);
	engine_lock(port->eng);
	/* From the end: LUNs are mostly added in order. */
	for (struct list *p = port->luns.prev; p != &port->luns; p = p->prev) {
		after = container_of(p, struct port_lun, link);
		if (after->lun < lun) {
			list_push_front(&after->link, &pl->link);
			goto placed;
		}
	}
	list_push_front(&port->luns, &pl->link);
placed:
	engine_unlock(port->eng);
	*ret = pl;
	return 0;
}

/*
 * What pl shows, as both sides see it; group: where it was before, NULL: nowhere. Under the
 * configuration lock.
 */
static void show(struct port_lun *pl, struct lu *lu, struct alua_group *group)
{
	struct lu *of = lu ? lu : pl->lu;

	pthread_mutex_lock(&of->lock);
	pl->lu = lu;
	if (lu) {
		list_push_back(&lu->port_luns, &pl->lu_link);
		alua_join(pl, group);
	} else {
		list_del(&pl->lu_link);
		alua_leave(pl);
	}
	pthread_mutex_unlock(&of->lock);
}

int port_lun_link(struct port_lun *pl, struct lu *lu, const char *link_name, struct errmsg *err)
{
	int rc;

	if (pl->lu)
		return errmsg_set(err, -EEXIST, "LUN %u of %s already shows %s", pl->lun,
			pl->port->name, pl->lu->name);
	rc = pr_keep_load(lu, err);
	if (rc)
		return rc;
	engine_lock(pl->port->eng);
	snprintf(pl->link_name, sizeof(pl->link_name), "%s", link_name);
	show(pl, lu, NULL);
	lu->exports++;
	engine_unlock(pl->port->eng);
	if (alua_refresh(lu))
		return errmsg_set(err, -ENOMEM, "out of memory for %s", lu->name);
	return port_republish(pl->port, NULL, err);
}

int port_lun_unlink(struct port_lun *pl, struct errmsg *err)
{
	struct alua_group *group = atomic_load(&pl->alua_group);
	struct lu *lu = pl->lu;
	int rc;

	if (!lu)
		return errmsg_set(
			err, -ENOENT, "LUN %u of %s shows nothing", pl->lun, pl->port->name);
	engine_lock(pl->port->eng);
	show(pl, NULL, NULL);
	engine_unlock(pl->port->eng);
	rc = port_republish(pl->port, lu, err);
	if (rc) {
		engine_lock(pl->port->eng);
		show(pl, lu, group);
		engine_unlock(pl->port->eng);
		return rc;
	}
	lu->exports--;
	/* What it says of asymmetric access follows from the LUNs that are left. */
	(void)alua_refresh(lu);
	return 0;
}

int port_lun_remove(struct port_lun *pl, struct errmsg *err)
{
	if (pl->lu || pl->mapped)
		return errmsg_set(err, -EBUSY, "LUN %u of %s is in use: %s", pl->lun,
			pl->port->name,
			pl->lu ? "unlink its storage object first"
			       : "remove the ACLs' LUNs that show it");
	engine_lock(pl->port->eng);
	list_del(&pl->link);
	engine_unlock(pl->port->eng);
	free(pl);
	return 0;
}

/* ---- nexuses ------------------------------------------------------------------------------ */

void port_each_nexus(struct port *port, void (*fn)(struct nexus *nexus, void *arg), void *arg)
{
	struct nexus *nexus;

	engine_lock(port->eng);
	list_for_each (nexus, &port->nexuses, struct nexus, link)
		fn(nexus, arg);
	engine_unlock(port->eng);
}

struct drop {
	struct loop_msg msg;
	struct nexus *nexus; /* holds a reference */
	char why[128];
};

static void drop_on_loop(struct loop *loop, struct loop_msg *msg)
{
	struct drop *d = container_of(msg, struct drop, msg);

	if (!atomic_load(&d->nexus->closing))
		d->nexus->ops->drop_nexus(d->nexus, d->why);
	nexus_unref(d->nexus);
	free(d);
}

/* Under the configuration lock. Returns how many there are. */
static unsigned post_drops(struct port *port, const struct acl *acl, const char *why)
{
	struct nexus *nexus;
	unsigned n = 0;

	list_for_each (nexus, &port->nexuses, struct nexus, link) {
		struct drop *d;

		if (acl && strcmp(acl->initiator, nexus->initiator))
			continue;
		n++;
		if (atomic_load(&nexus->closing) || !why)
			continue;
		d = calloc(1, sizeof(*d));
		if (!d)
			continue;
		nexus_ref(nexus);
		d->nexus = nexus;
		d->msg.fn = drop_on_loop;
		snprintf(d->why, sizeof(d->why), "%s", why);
		loop_post(nexus->loop, &d->msg);
	}
	return n;
}

int port_drop_nexuses(
	struct port *port, const struct acl *acl, const char *why, uint64_t timeout_ns)
{
	struct engine *eng = port->eng;
	uint64_t end = clock_now_ns() + timeout_ns;
	struct loop_event never;
	unsigned n;

	loop_event_init(&never, eng->loops);
	engine_lock(eng);
	n = post_drops(port, acl, why);
	engine_unlock(eng);
	while (n) {
		if (clock_now_ns() >= end)
			return -EBUSY;
		/* Sessions end by themselves; there is no one event for all of them. */
		(void)loop_event_wait_aside(&never, 1000000);
		engine_lock(eng);
		n = post_drops(port, acl, NULL);
		engine_unlock(eng);
	}
	/* What their loops still do with them is over. */
	loops_barrier(eng->loops, NULL, NULL);
	return 0;
}
