/* SPDX-License-Identifier: BSD-3-Clause */
/* target.c: targets and portal groups from making to unmaking, and the end of all. */
#include "fabric/iscsi/target.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/recover.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "fabric/iscsi/tx.h"

#define DROP_NS 10000000000ull

/*
 * ---- the entity
 * ------------------------------------------------------------------------------------
 */

int entity_new(struct engine *eng, struct entity **ret)
{
	struct entity *e = calloc(1, sizeof(*e));
	struct loops *loops = engine_loops(eng);
	unsigned n = loops_count(loops);

	if (!e)
		return -ENOMEM;
	e->per_loop = aligned_alloc(128, n * sizeof(*e->per_loop));
	if (!e->per_loop || login_log_init(&e->refused)) {
		free(e->per_loop);
		free(e);
		return -ENOMEM;
	}
	memset(e->per_loop, 0, n * sizeof(*e->per_loop));
	for (unsigned i = 0; i < n; i++) {
		struct node_loop *nl = &e->per_loop[i];

		nl->entity = e;
		nl->loop = loops_get(loops, i);
		list_init(&nl->conns);
		list_init(&nl->logins);
		list_init(&nl->free_batches);
		list_init(&nl->free_tasks);
	}
	e->eng = eng;
	auth_init(&e->discovery_auth, e);
	hosts_init(&e->hosts);
	list_init(&e->sourced);
	e->loops = loops;
	atomic_init(&e->login_timeout_s, LOGIN_TIMEOUT_S);
	atomic_init(&e->next_conn_id, 1);
	list_init(&e->targets);
	list_init(&e->listeners);
	list_init(&e->sessions);
	hash_init(&e->names);
	pthread_mutex_init(&e->tsih_lock, NULL);
	idpool_init(&e->tsihs, 1, 65535); /* RFC 7143 11.12.6: 0 is none */
	log_limit_init(&e->peer_log, 20, 10000000000ull);
	if (isns_new(e, &e->isns)) {
		entity_free(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

struct entity *entity_free(struct entity *e)
{
	struct list *n;

	if (!e)
		return NULL;
	isns_free(e->isns);
	for (unsigned i = 0; i < loops_count(e->loops); i++) {
		while ((n = list_pop_front(&e->per_loop[i].free_tasks)))
			free(container_of(n, struct task, link));
		tx_free_batches(&e->per_loop[i]);
	}
	auth_done(&e->discovery_auth);
	login_log_done(&e->refused);
	hosts_done(&e->hosts);
	hash_done(&e->names);
	idpool_done(&e->tsihs);
	pthread_mutex_destroy(&e->tsih_lock);
	free(e->per_loop);
	free(e);
	return NULL;
}

/* RFC 7143 11.9.1, 3: all connections will be dropped; they may come back after Time2Wait. */
static void say_goodbye(struct loop *loop, void *arg)
{
	struct entity *e = arg;
	struct conn *conn, *tmp;

	list_for_each_safe (
		conn, tmp, &e->per_loop[loop_index(loop)].conns, struct conn, loop_link) {
		if (conn->closing)
			continue;
		if (conn->state != CONN_LOGGED_IN && conn->state != CONN_LOGOUT_REQUESTED) {
			conn_close(conn, NULL);
			continue;
		}
		async_send(conn, ISCSI_ASYNC_DROP_ALL_CONNECTIONS, 0,
			(uint16_t)conn->sess->params.default_time2wait, 0);
		if (!conn->closing)
			conn_close_when_sent(conn);
	}
}

int entity_stop(struct entity *e, uint64_t timeout_ns)
{
	uint64_t end = clock_now_ns() + timeout_ns;
	struct loop_event never;

	/* Initiators are not to be sent here any more. */
	isns_free(e->isns);
	e->isns = NULL;
	atomic_store(&e->stopping, true);
	loop_event_init(&never, e->loops);
	loops_barrier(e->loops, say_goodbye, e);
	recover_stop(e);
	while (atomic_load(&e->nconns) || atomic_load(&e->nsess)) {
		if (clock_now_ns() >= end)
			return -ETIMEDOUT;
		(void)loop_event_wait(&never, 1000000);
	}
	loops_barrier(e->loops, NULL, NULL);
	return 0;
}

/*
 * ---- targets
 * ------------------------------------------------------------------------------------------
 */

struct target *target_find(struct entity *e, const char *name)
{
	struct hash_str_node *n = hash_str_find(&e->names, name);

	return n ? container_of(n, struct target, hash) : NULL;
}

int target_new(struct entity *e, const char *name, struct target **ret, struct errmsg *err)
{
	struct target *t;

	if (strlen(name) > NODE_NAME_BYTES_MAX)
		return errmsg_set(err, -EINVAL, "the target name is %zu bytes long: at most %d",
			strlen(name), NODE_NAME_BYTES_MAX);
	if (target_find(e, name))
		return errmsg_set(err, -EEXIST, "there is a target %s already", name);
	t = calloc(1, sizeof(*t));
	if (!t)
		return errmsg_set(err, -ENOMEM, "out of memory for target %s", name);
	strcpy(t->name, name);
	t->entity = e;
	t->cmd_completion_affinity = -1;
	list_init(&t->tpgs);
	engine_lock(e->eng);
	t->index = e->next_target_index++;
	list_push_back(&e->targets, &t->link);
	hash_str_insert(&e->names, &t->hash, t->name);
	engine_unlock(e->eng);
	*ret = t;
	return 0;
}

int target_free(struct target *t, struct errmsg *err)
{
	if (!list_empty(&t->tpgs))
		return errmsg_set(
			err, -ENOTEMPTY, "%s still has portal groups: remove them first", t->name);
	engine_lock(t->entity->eng);
	hash_str_remove(&t->entity->names, &t->hash);
	list_del(&t->link);
	engine_unlock(t->entity->eng);
	free(t);
	return 0;
}

/*
 * ---- portal groups
 * --------------------------------------------------------------------------------------
 */

static const struct tpg_attribs default_attribs = {
	.authentication = 1,
	.login_timeout = LOGIN_TIMEOUT_S,
	.netif_timeout = 2,
	.default_cmdsn_depth = 64,
	.demo_mode_discovery = 1,
	.tpg_enabled_sendtargets = 1,
};

static const struct node_attribs default_node = {
	.authentication = -1,
	.dataout_timeout = 3,
	.dataout_timeout_retries = 5,
	.nopin_timeout = 15,
	.nopin_response_timeout = 30,
};

/* Under the configuration lock. */
static int acl_added(struct acl *acl)
{
	struct tpg *tpg = acl->port->fabric_data;
	struct node_data *nd = calloc(1, sizeof(*nd));

	if (!nd)
		return -ENOMEM;
	auth_init(&nd->auth, tpg->target->entity);
	nd->attribs = default_node;
	nd->attribs.default_erl = tpg->attribs.default_erl;
	acl->fabric_data = nd;
	return 0;
}

static void acl_removed(struct acl *acl)
{
	struct node_data *nd = acl->fabric_data;

	auth_done(&nd->auth);
	free(nd);
}

static const struct port_hooks hooks = { .acl_added = acl_added, .acl_removed = acl_removed };

/* A group comes (was 0), goes (now 0) or changes. */
static void count_timeout(struct entity *e, uint32_t was, uint32_t now)
{
	uint32_t most = LOGIN_TIMEOUT_MAX_S;

	if (was)
		e->ntimeouts[was]--;
	if (now)
		e->ntimeouts[now]++;
	while (most && !e->ntimeouts[most])
		most--;
	atomic_store(&e->login_timeout_s, most ? most : LOGIN_TIMEOUT_S);
}

void tpg_set_login_timeout(struct tpg *tpg, uint32_t seconds)
{
	assert(seconds >= LOGIN_TIMEOUT_MIN_S && seconds <= LOGIN_TIMEOUT_MAX_S);
	count_timeout(tpg->target->entity, tpg->attribs.login_timeout, seconds);
	engine_lock(tpg->target->entity->eng);
	tpg->attribs.login_timeout = seconds;
	engine_unlock(tpg->target->entity->eng);
}

int tpg_new(struct target *t, uint16_t tag, struct tpg **ret, struct errmsg *err)
{
	char name[NODE_NAME_BYTES_MAX + 16];
	struct tpg *tpg, *other, *before = NULL;
	int rc;

	list_for_each (other, &t->tpgs, struct tpg, link) {
		if (other->tag == tag)
			return errmsg_set(
				err, -EEXIST, "%s has portal group %u already", t->name, tag);
		if (other->tag > tag && !before)
			before = other;
	}
	tpg = calloc(1, sizeof(*tpg));
	if (!tpg)
		return errmsg_set(err, -ENOMEM, "out of memory");
	tpg->target = t;
	tpg->tag = tag;
	tpg->attribs = default_attribs;
	auth_init(&tpg->auth, t->entity);
	keys_config_init(&tpg->keys);
	list_init(&tpg->portals);
	list_init(&tpg->sessions);
	list_init(&tpg->waiters);
	/* RFC 7143 4.4.2, the SCSI port name of a target port: name, ",t,0x", portal group tag. */
	snprintf(name, sizeof(name), "%s,t,0x%04x", t->name, tag);
	rc = port_new(
		t->entity->eng, &sess_fabric_ops, t->name, name, tag, &hooks, tpg, &tpg->port);
	if (rc) {
		free(tpg);
		return errmsg_set(err, rc, "out of memory");
	}
	tpg->port->default_queue_depth = tpg->attribs.default_cmdsn_depth;
	engine_lock(t->entity->eng);
	list_push_back(before ? &before->link : &t->tpgs, &tpg->link);
	engine_unlock(t->entity->eng);
	count_timeout(t->entity, 0, tpg->attribs.login_timeout);
	*ret = tpg;
	return 0;
}

static unsigned drop_sessions(struct tpg *tpg, const char *why)
{
	struct sess *sess;
	unsigned n;

	engine_lock(tpg->target->entity->eng);
	n = tpg->nsessions;
	list_for_each (sess, &tpg->sessions, struct sess, tpg_link)
		sess_drop(sess, why);
	engine_unlock(tpg->target->entity->eng);
	return n;
}

int tpg_enable(struct tpg *tpg, bool on, struct errmsg *err)
{
	struct entity *e = tpg->target->entity;
	uint64_t end = clock_now_ns() + DROP_NS;
	struct loop_event never;
	struct portal *p;
	int rc;

	if (tpg->enabled == on)
		return 0;
	engine_lock(e->eng);
	tpg->enabled = on;
	engine_unlock(e->eng);
	if (on) {
		list_for_each (p, &tpg->portals, struct portal, link) {
			rc = portal_open(p, err);
			if (!rc)
				continue;
			(void)tpg_enable(tpg, false, NULL);
			return rc;
		}
		return 0;
	}
	list_for_each (p, &tpg->portals, struct portal, link)
		portal_close(p);
	loop_event_init(&never, e->loops);
	while (drop_sessions(tpg, "its portal group was disabled")) {
		if (clock_now_ns() > end)
			return errmsg_set(err, -EBUSY, "sessions of %s do not end: try again",
				tpg->target->name);
		(void)loop_event_wait_aside(&never, 1000000);
	}
	loops_barrier(e->loops, NULL, NULL);
	return 0;
}

int tpg_free(struct tpg *tpg, struct errmsg *err)
{
	int rc;

	if (!list_empty(&tpg->portals))
		return errmsg_set(err, -ENOTEMPTY,
			"portal group %u still has portals: remove them first", tpg->tag);
	rc = tpg_enable(tpg, false, err);
	if (!rc)
		rc = port_free(tpg->port, err);
	if (rc)
		return rc;
	engine_lock(tpg->target->entity->eng);
	list_del(&tpg->link);
	engine_unlock(tpg->target->entity->eng);
	count_timeout(tpg->target->entity, tpg->attribs.login_timeout, 0);
	auth_done(&tpg->auth);
	free(tpg);
	return 0;
}
