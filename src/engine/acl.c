/* SPDX-License-Identifier: BSD-3-Clause */
/* acl.c: node ACLs: who may log in at a port, and which of its LUNs that initiator sees. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine_priv.h"

static bool same_name(const struct hash_node *n, const void *key)
{
	return !strcmp(container_of(n, const struct acl, hash)->initiator, key);
}

struct acl *acl_find(struct port *port, const char *initiator)
{
	struct hash_node *n = hash_find(&port->acls,
		hash_bytes(&port->acls, initiator, strlen(initiator)), same_name, initiator);

	return n ? container_of(n, struct acl, hash) : NULL;
}

/* Under the configuration lock. */
static int acl_make(struct port *port, const char *initiator, bool dynamic, struct acl **ret)
{
	struct acl *acl = calloc(1, sizeof(*acl));
	int rc;

	if (!acl)
		return -ENOMEM;
	acl->port = port;
	acl->dynamic = dynamic;
	acl->queue_depth = port->default_queue_depth;
	list_init(&acl->luns);
	snprintf(acl->initiator, sizeof(acl->initiator), "%s", initiator);
	rc = port->hooks && port->hooks->acl_added ? port->hooks->acl_added(acl) : 0;
	if (rc) {
		free(acl);
		return rc;
	}
	hash_insert(&port->acls, &acl->hash,
		hash_bytes(&port->acls, acl->initiator, strlen(acl->initiator)));
	list_push_back(&port->acl_list, &acl->link);
	*ret = acl;
	return 0;
}

void acl_drop(struct acl *acl)
{
	struct port *port = acl->port;

	hash_remove(&port->acls, &acl->hash);
	list_del(&acl->link);
	if (port->hooks && port->hooks->acl_removed)
		port->hooks->acl_removed(acl);
	free(acl);
}

int acl_add(struct port *port, const char *initiator, struct acl **ret, struct errmsg *err)
{
	struct acl *acl;
	int rc = 0;

	if (strlen(initiator) >= sizeof(acl->initiator))
		return errmsg_set(err, -EINVAL,
			"initiator name of %zu bytes is too long: at most %zu", strlen(initiator),
			sizeof(acl->initiator) - 1);
	engine_lock(port->eng);
	acl = acl_find(port, initiator);
	if (acl && !acl->dynamic)
		rc = -EEXIST;
	else if (acl)
		acl->dynamic =
			false; /* as LIO: its session stays, with the LUNs mapped from now on */
	else
		rc = acl_make(port, initiator, false, &acl);
	engine_unlock(port->eng);
	if (rc == -EEXIST)
		return errmsg_set(err, rc, "%s already has an ACL for %s", port->name, initiator);
	if (rc)
		return errmsg_set(err, rc, "no ACL made for %s: %s", initiator, strerror(-rc));
	*ret = acl;
	return port_republish(port, NULL, err);
}

int acl_remove(struct acl *acl, struct errmsg *err)
{
	struct port *port = acl->port;
	unsigned tries = 0;

	if (!list_empty(&acl->luns))
		return errmsg_set(err, -ENOTEMPTY,
			"the ACL of %s still has LUNs: remove them first", acl->initiator);
	do {
		if (tries++ == 10 ||
			port_drop_nexuses(port, acl, "its access was removed", 10000000000ull))
			return errmsg_set(err, -EBUSY, "a session of %s does not end: try again",
				acl->initiator);
		engine_lock(port->eng);
		/* It may have logged in again meanwhile. */
		if (!acl->nexuses) {
			acl_drop(acl);
			acl = NULL;
		}
		engine_unlock(port->eng);
	} while (acl);
	return 0;
}

int acl_lun_add(struct acl *acl, uint32_t lun, struct acl_lun **ret, struct errmsg *err)
{
	struct acl_lun *al, *at = NULL;

	if (lun > PORT_MAX_LUN)
		return errmsg_set(
			err, -EINVAL, "LUN %u is too large: use 0 to %u", lun, PORT_MAX_LUN);
	list_for_each (al, &acl->luns, struct acl_lun, link) {
		if (al->lun == lun)
			return errmsg_set(err, -EEXIST, "the ACL of %s already has LUN %u",
				acl->initiator, lun);
		if (al->lun > lun) {
			at = al;
			break;
		}
	}
	al = calloc(1, sizeof(*al));
	if (!al)
		return errmsg_set(err, -ENOMEM, "out of memory");
	al->acl = acl;
	al->lun = lun;
	engine_lock(acl->port->eng);
	list_push_back(at ? &at->link : &acl->luns, &al->link);
	engine_unlock(acl->port->eng);
	*ret = al;
	return 0;
}

int acl_lun_link(
	struct acl_lun *al, struct port_lun *target, const char *link_name, struct errmsg *err)
{
	struct port *port = al->acl->port;

	if (al->target)
		return errmsg_set(err, -EINVAL, "LUN %u of %s already shows LUN %u", al->lun,
			al->acl->initiator, al->target->lun);
	if (target->port != port)
		return errmsg_set(err, -EINVAL, "LUN %u is of %s: map one of %s", target->lun,
			target->port->name, port->name);
	engine_lock(port->eng);
	snprintf(al->link_name, sizeof(al->link_name), "%s", link_name);
	al->target = target;
	al->created_ns = clock_now_ns();
	al->write_protect = port->prod_mode_write_protect;
	target->mapped++;
	engine_unlock(port->eng);
	return port_republish(port, NULL, err);
}

int acl_lun_unlink(struct acl_lun *al, struct errmsg *err)
{
	struct port *port = al->acl->port;
	struct port_lun *target = al->target;

	if (!target)
		return errmsg_set(
			err, -ENOENT, "LUN %u of %s shows nothing", al->lun, al->acl->initiator);
	engine_lock(port->eng);
	al->target = NULL;
	target->mapped--;
	engine_unlock(port->eng);
	return port_republish(port, target->lu, err);
}

int acl_lun_set_write_protect(struct acl_lun *al, bool on, struct errmsg *err)
{
	engine_lock(al->acl->port->eng);
	al->write_protect = on;
	engine_unlock(al->acl->port->eng);
	return port_republish(al->acl->port, NULL, err);
}

int acl_lun_remove(struct acl_lun *al, struct errmsg *err)
{
	if (al->target)
		return errmsg_set(err, -EBUSY, "LUN %u of %s is in use: unlink it first", al->lun,
			al->acl->initiator);
	engine_lock(al->acl->port->eng);
	list_del(&al->link);
	engine_unlock(al->acl->port->eng);
	free(al);
	return 0;
}

int port_with_acl_locked(
	struct port *port, const char *initiator, int (*fn)(struct acl *acl, void *arg), void *arg)
{
	struct acl *acl = acl_find(port, initiator);
	int rc = 0;

	/* What demo mode has left behind opens nothing once it is off. */
	if ((!acl || acl->dynamic) && !port->generate_node_acls)
		rc = -EACCES;
	else if (!acl)
		rc = acl_make(port, initiator, true, &acl);
	if (!rc)
		rc = fn(acl, arg);
	/* A peer that gets no further than this leaves nothing behind. */
	if (acl && acl->dynamic && !acl->nexuses && (!acl->used || !port->generate_node_acls))
		acl_drop(acl);
	return rc;
}

int port_with_acl(
	struct port *port, const char *initiator, int (*fn)(struct acl *acl, void *arg), void *arg)
{
	int rc;

	engine_lock(port->eng);
	rc = port_with_acl_locked(port, initiator, fn, arg);
	engine_unlock(port->eng);
	return rc;
}

void acl_nexus_lost(struct port *port, const char *initiator)
{
	struct acl *acl = acl_find(port, initiator);

	if (!acl || !acl->nexuses)
		return;
	acl->nexuses--;
	if (acl->dynamic && !acl->nexuses && !port->cache_dynamic_acls)
		acl_drop(acl);
}
