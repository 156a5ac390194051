/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * portal.h: portals, the listening sockets that they share, and what portals do with logins: take
 * them, or send them to another place (RFC 7143 6.3.1, 11.13.5).
 */
#ifndef ULIO_FABRIC_ISCSI_PORTAL_H
#define ULIO_FABRIC_ISCSI_PORTAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/list.h"
#include "fabric/iscsi/address.h"
#include "loop/limits.h"
#include "loop/loop.h"

struct conn;
struct login_grant;
struct login_id;
struct tpg;

/* What a listening socket has in common with the connections that came by it; outlives it. */
struct inlet {
	_Atomic uint32_t refs;
	_Atomic uint32_t nconns; /* of normal sessions, that logged in by it: for balancing */
	/* Logins that were sent here and have not arrived; under the configuration lock. */
	uint32_t sent;
	uint64_t sent_ns;
	char netns[LOOP_NETNS_BYTES_MAX + 1]; /* "": the daemon's */
};

/* What a portal does with the login of a normal session. */
enum redirect_kind {
	REDIRECT_NONE, /* takes it */
	REDIRECT_FIXED, /* sends it to portal->redirect */
	REDIRECT_BALANCE, /* sends it to the least used portal of the group, itself included */
	REDIRECT_ELSEWHERE, /* the same, itself only if there is no other */
};

/* A portal of a group: an address that it is reached by. */
struct portal {
	struct tpg *tpg;
	struct list link; /* in the group */
	struct list listener_link;
	struct listener *listener; /* NULL while the group is disabled */
	struct sockaddr_storage addr; /* as configured; port 0 is not allowed */
	char netns[LOOP_NETNS_BYTES_MAX + 1]; /* the network namespace; "": the daemon's */
	/* The directory in np/: as configfs has it, "10.0.0.1:3260"; "@blue" for a namespace. */
	char name[ADDRESS_TEXT_BYTES + LOOP_NETNS_BYTES_MAX + 1];
	char *advertise; /* owned; told instead of the address; NULL: the address */
	enum redirect_kind redirect_kind;
	char *redirect; /* owned; as it was set, NULL: "" */
	uint32_t redirect_permanent;
	uint32_t sendtargets; /* SendTargets tells of it */
	bool iser, offload; /* shown only: there is no such transport here */
	void *tree_obj;
};

/* A listening socket; portals of several groups may share one. */
struct listener {
	struct entity *entity;
	struct list link;
	struct list portals; /* struct portal by listener_link, under the configuration lock */
	struct sockaddr_storage addr;
	struct sockaddr_storage bound;
	struct inlet *inlet; /* ref */
	int fd;
	struct loop *loop;
	struct loop_op accept;
	struct loop_event *closed; /* set while it is being closed */
	bool ending;
};

/*
 * Make a portal of the group: an address as address_parse() takes it, with "@NAME" for one in the
 * network namespace of that name. A group that is enabled listens at once. Control thread.
 */
int portal_new(struct tpg *tpg, const char *name, struct portal **ret, struct errmsg *err);
int portal_free(struct portal *p, struct errmsg *err);
/* What initiators are told instead of the address: HOST:PORT, or "". Control thread. */
int portal_set_advertise(struct portal *p, const char *text, struct errmsg *err);
/* "", "balance", "elsewhere" or HOST:PORT; how long that holds. Control thread. */
int portal_set_redirect(struct portal *p, const char *text, struct errmsg *err);
int portal_set_redirect_permanent(struct portal *p, bool on, struct errmsg *err);

/* For target.c: begin and end listening for a portal. Control thread. */
int portal_open(struct portal *p, struct errmsg *err);
void portal_close(struct portal *p);

/* Whether both are one address of one network namespace. */
bool portal_same_place(const struct portal *a, const struct portal *b);

/*
 * The portal of an enabled group of that target that this socket belongs to; NULL: there is none.
 * Under the configuration lock.
 */
struct portal *portal_find(const struct listener *l, const char *target_name);

/*
 * HOST:PORT by which the initiator of conn reaches the portal (13.8 without the tag): what is
 * advertised, the address, or for 0.0.0.0 and :: the address that it has come by. False: it does
 * not reach it: another network namespace, link or family. Under the configuration lock.
 */
bool portal_endpoint(const struct portal *p, const struct conn *conn, char *buf, size_t cap);

/*
 * redirect.c: whether this login, of an initiator that may come in, is sent elsewhere.
 *	from	the portal that it came by
 * LOGIN_STATUS_SUCCESS: it is not; else a TARGET_MOVED status, and g->target_address is set
 * (11.13.5, 13.8). Under the configuration lock. Loop: the connection's.
 */
uint16_t redirect_login(
	struct conn *conn, struct portal *from, const struct login_id *id, struct login_grant *g);

/*
 * A login of a normal session has succeeded; a connection ends, also one that never logged in, and
 * drops its inlet. Loop: the connection's.
 */
void redirect_login_done(struct conn *conn);
void redirect_conn_ended(struct conn *conn);

/* NULL when memory is short; dropping the last reference frees it. Any thread. */
struct inlet *inlet_new(const char *netns);
struct inlet *inlet_ref(struct inlet *in);
void inlet_unref(struct inlet *in);

#endif
