/* SPDX-License-Identifier: BSD-3-Clause */
/* nexus.c: a nexus from login to loss. */
#include "engine/nexus.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "engine/abort.h"
#include "engine/engine_priv.h"

struct nexus_close {
	struct nexus *nexus;
	struct abort abort;
	struct loop_msg again;
};

void nexus_ref(struct nexus *nexus)
{
	atomic_fetch_add_explicit(&nexus->refs, 1, memory_order_relaxed);
}

void nexus_unref(struct nexus *nexus)
{
	if (atomic_fetch_sub_explicit(&nexus->refs, 1, memory_order_acq_rel) != 1)
		return;
	assert(!atomic_load(&nexus->map));
	pthread_mutex_destroy(&nexus->no_lu.lock);
	free(nexus->close);
	free(nexus);
}

/* Under the configuration lock: from here on changes of the ACL reach the nexus. */
static int admit(struct acl *acl, void *arg)
{
	struct nexus *nexus = arg;
	struct lunmap *map = lunmap_build(nexus, acl);
	bool changed;

	if (!map)
		return -ENOMEM;
	lunmap_publish(nexus, map, &changed);
	list_push_back(&nexus->port->nexuses, &nexus->link);
	acl->nexuses++;
	acl->used = true;
	return 0;
}

int nexus_new(struct port *port, const char *initiator, const char *isid_suffix,
	const struct fabric_ops *ops, void *session, struct loop *loop, struct nexus **ret)
{
	struct nexus *nexus = calloc(1, sizeof(*nexus));
	int rc = -ENOMEM, n;

	if (!nexus)
		return -ENOMEM;
	nexus->close = calloc(1, sizeof(*nexus->close));
	pthread_mutex_init(&nexus->no_lu.lock, NULL);
	list_init(&nexus->no_lu.lu_link);
	list_init(&nexus->link);
	nexus->no_lu.nexus = nexus;
	nexus->ops = ops;
	nexus->session = session;
	nexus->eng = port->eng;
	nexus->port = port;
	nexus->tpgt = port->tpgt;
	snprintf(nexus->device, sizeof(nexus->device), "%s", port->device);
	nexus->loop = loop;
	nexus->created_ns = clock_now_ns();
	atomic_init(&nexus->refs, 1);
	snprintf(nexus->initiator, sizeof(nexus->initiator), "%s", initiator);
	n = snprintf(nexus->initiator_port, sizeof(nexus->initiator_port), "%s%s", initiator,
		isid_suffix);
	if (n >= (int)sizeof(nexus->initiator_port))
		rc = -ENAMETOOLONG;
	else if (nexus->close)
		rc = port_with_acl(port, initiator, admit, nexus);
	if (rc) {
		nexus_unref(nexus);
		return rc;
	}
	*ret = nexus;
	return 0;
}

/* Every loop has seen `closing` and given up its commands: nobody looks at the map any more. */
static void nexus_drained(struct abort *a)
{
	struct nexus_close *c = container_of(a, struct nexus_close, abort);
	struct nexus *nexus = c->nexus;
	struct lunmap *map;

	engine_lock(nexus->eng);
	list_del(&nexus->link);
	acl_nexus_lost(nexus->port, nexus->initiator);
	map = atomic_exchange(&nexus->map, NULL);
	lunmap_free(map, true);
	engine_unlock(nexus->eng);
	nexus->ops->nexus_closed(nexus);
	nexus->session = NULL;
	nexus_unref(nexus);
}

static void close_again(struct loop *loop, struct loop_msg *msg)
{
	struct nexus_close *c = container_of(msg, struct nexus_close, again);

	if (abort_start(&c->abort, c->nexus->eng, loop))
		loop_post(loop, &c->again);
}

void nexus_close(struct nexus *nexus)
{
	struct nexus_close *c = nexus->close;

	assert(!atomic_load(&nexus->closing));
	atomic_store(&nexus->closing, true);
	c->nexus = nexus;
	c->abort.scope = (struct abort_scope){ .nexus = nexus, .map_of = nexus, .orphan = true };
	c->abort.done = nexus_drained;
	c->again.fn = close_again;
	close_again(nexus->loop, &c->again);
}
