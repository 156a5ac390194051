/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dropped.c: a connection that the target gives up is told of on another one of its session (RFC
 * 7143 11.9.1, event 2), so that the initiator need not wait for it.
 */
#include <stdlib.h>

#include "fabric/iscsi/sess.h"

struct dropped {
	struct sess_visit visit;
	uint16_t cid;
	bool told;
};

static void tell(struct sess_visit *v, struct conn *conn)
{
	struct dropped *d = container_of(v, struct dropped, visit);
	const struct sess_params *p = &conn->sess->params;

	if (d->told || conn->state != CONN_LOGGED_IN)
		return;
	d->told = true;
	/* Its commands wait for another connection at level 2 only; else they have ended. */
	async_send(conn, ISCSI_ASYNC_DROP_CONNECTION, d->cid, (uint16_t)p->default_time2wait,
		p->error_recovery_level == 2 ? (uint16_t)p->default_time2retain : 0);
}

static void told(struct sess_visit *v)
{
	free(container_of(v, struct dropped, visit));
}

void dropped_tell(const struct conn *conn)
{
	struct dropped *d;

	/* Without a reason, or when all are closed, it is no surprise. */
	if (conn->by_peer || !conn->close_why[0] || conn->logged_out ||
		!sess_has_several(conn->sess))
		return;
	d = calloc(1, sizeof(*d));
	if (!d)
		return;
	d->cid = conn->cid;
	d->visit = (struct sess_visit){ .fn = tell, .done = told, .loop = conn->loop };
	sess_visit(conn->sess, &d->visit);
}
