/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * discovery.c: SendTargets. An initiator is told of the targets that it may log in to, each with
 * the addresses of its portals; one that listens on all addresses is told as the address that the
 * initiator has come by, so that what it gets is what it can reach.
 */
#include "fabric/iscsi/discovery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fabric/iscsi/sess.h"

static bool is_any(const struct sockaddr_storage *ss)
{
	static const struct in6_addr any6 = IN6ADDR_ANY_INIT;

	if (ss->ss_family == AF_INET)
		return ((const struct sockaddr_in *)ss)->sin_addr.s_addr == htonl(INADDR_ANY);
	return ss->ss_family == AF_INET6 &&
	       !memcmp(&((const struct sockaddr_in6 *)ss)->sin6_addr, &any6, sizeof(any6));
}

static uint16_t port_of(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)ss)->sin6_port
					       : ((const struct sockaddr_in *)ss)->sin_port);
}

/* RFC 7143 13.8: address:port,portal-group-tag; IPv6 in brackets. */
static void address_text(
	const struct portal *portal, const struct conn *conn, char *buf, size_t cap)
{
	const struct sockaddr_storage *bound =
		portal->listener ? &portal->listener->bound : &portal->addr;
	const struct sockaddr_storage *ip = is_any(&portal->addr) ? &conn->local : &portal->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ip;
	char text[INET6_ADDRSTRLEN] = "";

	if (portal->advertise[0]) {
		snprintf(buf, cap, "%s,%u", portal->advertise, portal->tpg->tag);
		return;
	}
	if (ip->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text, sizeof(text));
		snprintf(buf, cap, "%s:%u,%u", text, port_of(bound), portal->tpg->tag);
	} else if (ip->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(buf, cap, "[%s]:%u,%u", text, port_of(bound), portal->tpg->tag);
	} else {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)ip)->sin_addr, text, sizeof(text));
		snprintf(buf, cap, "%s:%u,%u", text, port_of(bound), portal->tpg->tag);
	}
}

/* Whether the initiator is told of the group: it is open, and open to this one. */
static bool visible(const struct tpg *tpg, const char *initiator)
{
	if (!tpg->enabled || !tpg->attribs.tpg_enabled_sendtargets)
		return false;
	return tpg->port->generate_node_acls || tpg->attribs.demo_mode_discovery ||
	       acl_find(tpg->port, initiator);
}

static int append_target(struct conn *conn, const struct target *t, struct keys_text *out)
{
	bool named = false;
	struct tpg *tpg;
	struct portal *portal;
	char text[320];
	int rc;

	list_for_each (tpg, &t->tpgs, struct tpg, link) {
		if (!visible(tpg, conn->sess->initiator))
			continue;
		if (!named && (rc = keys_text_add(out, "TargetName", t->name)))
			return rc;
		named = true;
		list_for_each (portal, &tpg->portals, struct portal, link) {
			address_text(portal, conn, text, sizeof(text));
			rc = keys_text_add(out, "TargetAddress", text);
			if (rc)
				return rc;
		}
	}
	return 0;
}

int discovery_send_targets(struct conn *conn, const char *which, struct keys_text *out)
{
	struct entity *e = conn->entity;
	const struct sess *sess = conn->sess;
	const char *name = *which ? which : sess->tpg ? sess->tpg->target->name : "";
	struct target *t;
	int rc = 0;

	/*
	 * Appendix C: All is for discovery sessions; a session of a target asks for that target
	 * alone.
	 */
	if (!sess->discovery && (!sess->tpg || (*which && strcmp(which, sess->tpg->target->name))))
		return -EPROTO;
	if (!*name)
		return -EPROTO;
	engine_lock(e->eng);
	if (!strcmp(name, "All")) {
		list_for_each (t, &e->targets, struct target, link) {
			rc = append_target(conn, t, out);
			if (rc)
				break;
		}
	} else {
		t = target_find(e, name);
		if (t)
			rc = append_target(conn, t, out);
	}
	engine_unlock(e->eng);
	return rc;
}
