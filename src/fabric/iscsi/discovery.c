/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * discovery.c: SendTargets. An initiator is told of the targets that it may log in to, each with
 * the addresses of its portals; one that listens on all addresses is told as the address that the
 * initiator has come by, and portals of other network namespaces are not told, so that what it gets
 * is what it can reach.
 */
#include "fabric/iscsi/discovery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fabric/iscsi/sess.h"

/* Whether the connection has come by a portal of the group. */
static bool came_by(const struct tpg *tpg, const struct conn *conn)
{
	const struct portal *p;

	list_for_each (p, &tpg->portals, struct portal, link)
		if (p->listener && p->listener->inlet == conn->inlet)
			return true;
	return false;
}

/* Whether the initiator is told of the group: it is open, and open to this one. */
static bool visible(const struct tpg *tpg, const struct conn *conn)
{
	if (!tpg->enabled || !tpg->attribs.tpg_enabled_sendtargets)
		return false;
	if (tpg->discovery_by_portal && !came_by(tpg, conn))
		return false;
	return tpg->port->generate_node_acls || tpg->attribs.demo_mode_discovery ||
	       acl_find(tpg->port, conn->sess->initiator);
}

/*
 * A name without an address would mean the one that was asked (Appendix C), so a target of which no
 * portal is told is not named.
 */
static int append_target(struct conn *conn, const struct target *t, struct keys_text *out)
{
	char endpoint[ENDPOINT_TEXT_BYTES], text[sizeof(endpoint) + 8];
	struct portal *portal;
	bool named = false;
	struct tpg *tpg;
	int rc = 0;

	list_for_each (tpg, &t->tpgs, struct tpg, link) {
		if (!visible(tpg, conn))
			continue;
		list_for_each (portal, &tpg->portals, struct portal, link) {
			if (!portal->sendtargets ||
				!portal_endpoint(portal, conn, endpoint, sizeof(endpoint)))
				continue;
			if (!named)
				rc = keys_text_add(out, "TargetName", t->name);
			named = true;
			/* RFC 7143 13.8: address:port,portal-group-tag */
			snprintf(text, sizeof(text), "%s,%u", endpoint, tpg->tag);
			if (!rc)
				rc = keys_text_add(out, "TargetAddress", text);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* Under the configuration lock. */
static int answer(struct conn *conn, const char *which, struct keys_text *out)
{
	const struct sess *sess = conn->sess;
	const char *own = sess->tpg ? sess->tpg->target->name : "";
	const char *name = *which ? which : own;
	struct target *t;
	int rc = 0;

	/*
	 * Appendix C: All is for discovery sessions; a session of a target asks for that target
	 * alone.
	 */
	if (!*name || (!sess->discovery && strcmp(name, own) != 0))
		return -EPROTO;
	if (strcmp(name, "All") != 0) {
		t = target_find(conn->entity, name);
		return t ? append_target(conn, t, out) : 0;
	}
	list_for_each (t, &conn->entity->targets, struct target, link) {
		rc = append_target(conn, t, out);
		if (rc)
			break;
	}
	return rc;
}

int discovery_send_targets(struct conn *conn, const char *which, struct keys_text *out)
{
	int rc;

	engine_lock(conn->entity->eng);
	rc = answer(conn, which, out);
	engine_unlock(conn->entity->eng);
	return rc;
}
