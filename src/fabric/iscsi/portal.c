/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * portal.c: listening sockets, and where new connections go: to the loop that has the fewest.
 * Portals of several groups may share one socket; which group is meant is said at login.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/target.h"

/*
 * ---- what sockets and connections have in common
 * ---------------------------------------------------
 */

struct inlet *inlet_new(const char *netns)
{
	struct inlet *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	atomic_init(&in->refs, 1);
	strcpy(in->netns, netns);
	return in;
}

struct inlet *inlet_ref(struct inlet *in)
{
	atomic_fetch_add(&in->refs, 1);
	return in;
}

void inlet_unref(struct inlet *in)
{
	if (in && atomic_fetch_sub(&in->refs, 1) == 1)
		free(in);
}

/*
 * ---- accepting
 * --------------------------------------------------------------------------------------
 */

/* A connection on its way to its loop. */
struct newcomer {
	struct loop_msg msg;
	struct entity *entity;
	struct listener *listener;
	int fd;
};

static void newcomer_arrives(struct loop *loop, struct loop_msg *msg)
{
	struct newcomer *n = container_of(msg, struct newcomer, msg);

	conn_start(n->entity, n->listener, loop, n->fd);
	free(n);
}

static void accepted(struct loop_op *op, int res)
{
	struct listener *l = container_of(op, struct listener, accept);
	struct newcomer *n;

	if (res < 0) {
		if (!l->ending)
			log_msg(LOG_LEVEL_ERROR, "iscsi", "accepting connections failed: %s",
				strerror(-res));
		if (l->closed)
			loop_event_signal(l->closed);
		return;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		loop_close(l->loop, res);
		return;
	}
	n->msg.fn = newcomer_arrives;
	n->entity = l->entity;
	n->listener = l;
	n->fd = res;
	loop_post(loops_least_loaded(l->entity->loops), &n->msg);
}

static void start_accepting(struct loop *loop, void *arg)
{
	struct listener *l = arg;

	l->accept.done = accepted;
	loop_accept(loop, &l->accept, l->fd);
}

static int listener_new(struct entity *e, const struct portal *p, struct listener **ret)
{
	struct listener *l = calloc(1, sizeof(*l));
	int fd = -ENOMEM;

	if (!l)
		return -ENOMEM;
	l->inlet = inlet_new(p->netns);
	if (l->inlet)
		fd = loops_listen(e->loops, (const struct sockaddr *)&p->addr,
			address_bytes(&p->addr), p->netns, LOOP_FREEBIND, &l->bound);
	if (fd < 0) {
		inlet_unref(l->inlet);
		free(l);
		return fd;
	}
	l->entity = e;
	l->fd = fd;
	l->addr = p->addr;
	l->loop = loops_get(e->loops, 0);
	list_init(&l->portals);
	*ret = l;
	return 0;
}

static int cannot_listen(const struct portal *p, int rc, struct errmsg *err)
{
	if (*p->netns && rc == -ENOENT)
		return errmsg_set(err, rc,
			"cannot listen on %s: there is no network namespace \"%s\": make it with "
			"`ip netns add %s`",
			p->name, p->netns, p->netns);
	if (*p->netns && rc == -EPERM)
		return errmsg_set(err, rc,
			"cannot listen on %s: entering a network namespace needs CAP_SYS_ADMIN: "
			"run uliod as root, without --user",
			p->name);
	return errmsg_set(err, rc, "cannot listen on %s: %s; is another target or uliod using it?",
		p->name, strerror(-rc));
}

static bool serves(const struct listener *l, const struct portal *p)
{
	return address_equal(&l->addr, &p->addr) && !strcmp(l->inlet->netns, p->netns);
}

int portal_open(struct portal *p, struct errmsg *err)
{
	struct entity *e = p->tpg->target->entity;
	struct listener *l, *found = NULL;
	int rc;

	if (p->listener)
		return 0;
	list_for_each (l, &e->listeners, struct listener, link)
		if (serves(l, p))
			found = l;
	if (!found) {
		rc = listener_new(e, p, &found);
		if (rc)
			return cannot_listen(p, rc, err);
		list_push_back(&e->listeners, &found->link);
		engine_lock(e->eng);
		list_push_back(&found->portals, &p->listener_link);
		p->listener = found;
		engine_unlock(e->eng);
		loops_call(e->loops, found->loop, start_accepting, found);
		return 0;
	}
	engine_lock(e->eng);
	list_push_back(&found->portals, &p->listener_link);
	p->listener = found;
	engine_unlock(e->eng);
	return 0;
}

static void stop_accepting(struct loop *loop, void *arg)
{
	struct listener *l = arg;

	l->ending = true;
	if (loop_op_busy(&l->accept))
		loop_cancel(loop, &l->accept);
	else
		loop_event_signal(l->closed);
}

/* Logins that came by it and are not through yet have nowhere to go. */
static void close_logins(struct loop *loop, void *arg)
{
	struct listener *l = arg;
	struct node_loop *nl = &l->entity->per_loop[loop_index(loop)];
	struct conn *conn, *tmp;

	list_for_each_safe (conn, tmp, &nl->logins, struct conn, login_link)
		if (conn->listener == l)
			conn_close(conn, "its portal was removed");
}

static void close_fd(struct loop *loop, void *arg)
{
	loop_close(loop, ((struct listener *)arg)->fd);
}

void portal_close(struct portal *p)
{
	struct listener *l = p->listener;
	struct entity *e;
	struct loop_event closed;
	bool last;

	if (!l)
		return;
	e = l->entity;
	engine_lock(e->eng);
	list_del(&p->listener_link);
	p->listener = NULL;
	last = list_empty(&l->portals);
	engine_unlock(e->eng);
	if (!last)
		return;
	list_del(&l->link);
	loop_event_init(&closed, e->loops);
	l->closed = &closed;
	loops_call(e->loops, l->loop, stop_accepting, l);
	(void)loop_event_wait(&closed, UINT64_MAX);
	/* Newcomers that were posted before arrive before this does. */
	loops_barrier(e->loops, close_logins, l);
	loops_call(e->loops, l->loop, close_fd, l);
	inlet_unref(l->inlet);
	free(l);
}

/*
 * ---- portals
 * ------------------------------------------------------------------------------------------
 */

/* "ADDRESS:PORT" or "ADDRESS:PORT@NAMESPACE". */
static int parse_name(struct portal *p, const char *name, struct errmsg *err)
{
	const char *at = strchr(name, '@');
	size_t n = at ? (size_t)(at - name) : strlen(name);
	char address[ADDRESS_TEXT_BYTES];

	if (n >= sizeof(address))
		return errmsg_set(err, -EINVAL, "\"%.100s\" is no address: it is too long", name);
	memcpy(address, name, n);
	address[n] = '\0';
	if (at && (!at[1] || strlen(at + 1) > LOOP_NETNS_BYTES_MAX || at[1] == '.' ||
			  strpbrk(at + 1, "@/")))
		return errmsg_set(err, -EINVAL,
			"\"%.100s\" is no network namespace: `ip netns list` lists those there are",
			at + 1);
	if (at)
		strcpy(p->netns, at + 1);
	strcpy(p->name, name);
	return address_parse(address, &p->addr, err);
}

bool portal_same_place(const struct portal *a, const struct portal *b)
{
	return address_equal(&a->addr, &b->addr) && !strcmp(a->netns, b->netns);
}

int portal_new(struct tpg *tpg, const char *name, struct portal **ret, struct errmsg *err)
{
	struct portal *p = calloc(1, sizeof(*p)), *other;
	int rc;

	if (!p)
		return errmsg_set(err, -ENOMEM, "out of memory");
	p->tpg = tpg;
	p->sendtargets = 1;
	list_init(&p->link);
	list_init(&p->listener_link);
	rc = parse_name(p, name, err);
	list_for_each (other, &tpg->portals, struct portal, link)
		if (!rc && portal_same_place(other, p))
			rc = errmsg_set(
				err, -EEXIST, "the group has portal %s already", other->name);
	if (!rc && tpg->enabled)
		rc = portal_open(p, err);
	if (rc) {
		free(p);
		return rc;
	}
	engine_lock(tpg->target->entity->eng);
	list_push_back(&tpg->portals, &p->link);
	engine_unlock(tpg->target->entity->eng);
	*ret = p;
	return 0;
}

int portal_free(struct portal *p, struct errmsg *err)
{
	struct engine *eng = p->tpg->target->entity->eng;

	engine_lock(eng);
	list_del(&p->link);
	engine_unlock(eng);
	portal_close(p);
	free(p->advertise);
	free(p->redirect);
	free(p);
	return 0;
}

int portal_set_advertise(struct portal *p, const char *text, struct errmsg *err)
{
	char *now, *was;

	if (*text && !address_is_endpoint(text))
		return errmsg_set(err, -EINVAL,
			"\"%.100s\" cannot be told to initiators: use HOST:PORT, an IPv6 address "
			"in "
			"brackets",
			text);
	now = *text ? strdup(text) : NULL;
	if (*text && !now)
		return errmsg_set(err, -ENOMEM, "advertise: out of memory");
	engine_lock(p->tpg->target->entity->eng);
	was = p->advertise;
	p->advertise = now;
	engine_unlock(p->tpg->target->entity->eng);
	free(was);
	return 0;
}

/* ---- where initiators find it ---------------------------------------------------------------- */

struct portal *portal_find(const struct listener *l, const char *target_name)
{
	struct target *t = target_find(l->entity, target_name);
	struct portal *p;
	struct tpg *tpg;

	if (!t)
		return NULL;
	list_for_each (tpg, &t->tpgs, struct tpg, link)
		list_for_each (p, &tpg->portals, struct portal, link)
			if (tpg->enabled && p->listener == l)
				return p;
	return NULL;
}

bool portal_endpoint(const struct portal *p, const struct conn *conn, char *buf, size_t cap)
{
	const struct sockaddr_storage *ip = &p->addr;

	if (p->advertise) {
		snprintf(buf, cap, "%s", p->advertise);
		return true;
	}
	if (strcmp(p->netns, conn->inlet->netns) != 0)
		return false;
	if (address_is_any(ip)) {
		/* It is for its own family alone (IPV6_V6ONLY). */
		if (address_family(&conn->local) != ip->ss_family)
			return false;
		ip = &conn->local;
	} else if (address_is_link_local(ip) &&
		   (!address_is_link_local(&conn->local) ||
			   ((const struct sockaddr_in6 *)ip)->sin6_scope_id !=
				   ((const struct sockaddr_in6 *)&conn->local)->sin6_scope_id)) {
		return false;
	}
	address_format(ip, address_port(&p->addr), buf, cap);
	return true;
}
