/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * portal.c: listening sockets, and where new connections go: to the loop that has the fewest.
 * Portals of several groups may share one socket; which group is meant is said at login.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/target.h"

/*
 * ---- addresses
 * ------------------------------------------------------------------------------------
 */

static bool parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t n = colon ? (size_t)(colon - text) : 0;
	uint64_t port;

	memset(ret, 0, sizeof(*ret));
	if (!n || n >= sizeof(host) || num_parse_u64(colon + 1, 1, 65535, &port))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static socklen_t address_bytes(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
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
	int fd;

	if (!l)
		return -ENOMEM;
	fd = loops_listen(e->loops, (const struct sockaddr *)&p->addr, address_bytes(&p->addr),
		NULL, LOOP_FREEBIND, &l->bound);
	if (fd < 0) {
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

int portal_open(struct portal *p, struct errmsg *err)
{
	struct entity *e = p->tpg->target->entity;
	struct listener *l, *found = NULL;
	int rc;

	if (p->listener)
		return 0;
	list_for_each (l, &e->listeners, struct listener, link)
		if (!memcmp(&l->addr, &p->addr, sizeof(l->addr)))
			found = l;
	if (!found) {
		rc = listener_new(e, p, &found);
		if (rc)
			return errmsg_set(err, rc,
				"cannot listen on %s: %s; is another target or uliod "
				"using it?",
				p->name, strerror(-rc));
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
	free(l);
}

/*
 * ---- portals
 * ------------------------------------------------------------------------------------------
 */

int portal_new(struct tpg *tpg, const char *name, struct portal **ret, struct errmsg *err)
{
	struct portal *p = calloc(1, sizeof(*p)), *other;
	int rc;

	if (!p)
		return errmsg_set(err, -ENOMEM, "out of memory");
	if (strlen(name) >= sizeof(p->name) || !parse_address(name, &p->addr)) {
		free(p);
		return errmsg_set(err, -EINVAL,
			"\"%s\" is no address: use 10.0.0.1:3260 or [2001:db8::1]:3260", name);
	}
	list_for_each (other, &tpg->portals, struct portal, link)
		if (!memcmp(&other->addr, &p->addr, sizeof(p->addr))) {
			free(p);
			return errmsg_set(err, -EEXIST, "the group has portal %s already", name);
		}
	strcpy(p->name, name);
	p->tpg = tpg;
	list_init(&p->link);
	list_init(&p->listener_link);
	rc = tpg->enabled ? portal_open(p, err) : 0;
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
	free(p);
	return 0;
}

int portal_set_advertise(struct portal *p, const char *text, struct errmsg *err)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (*text && (strlen(text) >= sizeof(p->advertise) || !colon || colon == text ||
			     num_parse_u64(colon + 1, 1, 65535, &port) || strpbrk(text, ", \t")))
		return errmsg_set(err, -EINVAL,
			"\"%s\" cannot be told to initiators: use HOST:PORT, an IPv6 address in "
			"brackets",
			text);
	engine_lock(p->tpg->target->entity->eng);
	strcpy(p->advertise, text);
	engine_unlock(p->tpg->target->entity->eng);
	return 0;
}
