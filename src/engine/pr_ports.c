/* SPDX-License-Identifier: BSD-3-Clause */
/* pr_ports.c: the copies are made in two passes under the lock: how much, then the thing itself. */
#include "engine/pr_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_priv.h"

static const char *put(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *s = memcpy(*at, text, n);

	*at += n;
	return s;
}

/* Under lu->lock. */
static int get_ports(struct pr_ports *p, const struct lu *lu)
{
	const struct port_lun *pl;
	size_t n = 0, bytes = 0;
	char *at;

	list_for_each (pl, &lu->port_luns, struct port_lun, lu_link) {
		n++;
		bytes += strlen(pl->port->device) + 1;
	}
	p->ports = malloc(n * sizeof(*p->ports) + bytes + 1);
	if (!p->ports)
		return -ENOMEM;
	at = (char *)(p->ports + n);
	list_for_each (pl, &lu->port_luns, struct port_lun, lu_link)
		p->ports[p->nports++] = (struct pr_port){
			.device = put(&at, pl->port->device),
			.tpgt = pl->port->tpgt,
			.rtpi = pl->port->rtpi,
			.target_lun = pl->lun,
		};
	return 0;
}

/* Under the configuration lock. */
static int get_initiators(struct pr_ports *p, const struct engine *eng, bool isids)
{
	const struct port *port;
	const struct nexus *nexus;
	size_t n = 0, bytes = 0;
	char *at;

	list_for_each (port, &eng->ports, struct port, link)
		list_for_each (nexus, &port->nexuses, struct nexus, link) {
			n++;
			bytes += strlen(nexus->initiator) + strlen(nexus->initiator_port) + 2;
		}
	p->initiators = malloc(n * sizeof(*p->initiators) + bytes + 1);
	if (!p->initiators)
		return -ENOMEM;
	at = (char *)(p->initiators + n);
	list_for_each (port, &eng->ports, struct port, link)
		list_for_each (nexus, &port->nexuses, struct nexus, link)
			p->initiators[p->ninitiators++] = (struct pr_initiator){
				.initiator = put(&at, nexus->initiator),
				.initiator_port =
					put(&at, isids ? nexus->initiator_port : nexus->initiator),
			};
	return 0;
}

int pr_ports_get(struct pr_ports *p, struct lu *lu, bool want_initiators)
{
	bool isids = lu_conf(lu)->a.enforce_pr_isids;
	int rc;

	pthread_mutex_lock(&lu->lock);
	rc = get_ports(p, lu);
	pthread_mutex_unlock(&lu->lock);
	if (rc || !want_initiators)
		return rc;
	engine_lock(lu->eng);
	rc = get_initiators(p, lu->eng, isids);
	engine_unlock(lu->eng);
	return rc;
}

void pr_ports_done(struct pr_ports *p)
{
	free(p->ports);
	free(p->initiators);
	*p = (struct pr_ports){ .ports = NULL };
}
