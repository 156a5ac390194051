/* SPDX-License-Identifier: BSD-3-Clause */
/* isns_priv.h: what the files of the iSNS client share. Loop: its home, unless said otherwise. */
#ifndef ULIO_FABRIC_ISCSI_ISNS_PRIV_H
#define ULIO_FABRIC_ISCSI_ISNS_PRIV_H

#include "base/rng.h"
#include "fabric/iscsi/isns.h"
#include "fabric/iscsi/isns_link.h"
#include "fabric/iscsi/isns_snap.h"

enum isns_state {
	ISNS_IDLE, /* nothing to register */
	ISNS_CONNECTING,
	ISNS_REGISTERING,
	ISNS_REGISTERED,
	ISNS_WAITING, /* something went wrong: until it is tried again */
	ISNS_LEAVING, /* deregistering, then it goes */
};

/* What is sent one after the other to make a server's data ours. */
enum isns_step { ISNS_STEP_REGISTER, ISNS_STEP_DEREGISTER, ISNS_STEP_SCN, ISNS_STEP_END };

/* Where a step has come to. */
struct isns_cursor {
	uint32_t i; /* index of a portal or target; what comes first is isns_message.c's */
	uint32_t member; /* of that target */
};

struct isns_server {
	struct list at; /* in isns->servers */
	struct isns *isns;
	struct sockaddr_storage addr;
	char name[ADDRESS_TEXT_BYTES];
	char eid[ISNS_ENTITY_BYTES]; /* the entity identifier that it has been told */
	enum isns_state state;
	struct isns_link link;
	struct loop_op connect;
	struct loop_timer
		timer; /* for an answer, until the next try, or for the next sign of life */
	struct sockaddr_storage local; /* this end of the connection */
	struct sockaddr_storage registered_from; /* where it was when `done` was registered */

	struct isns_snap *wanted; /* ref: what this round registers; NULL: no round */
	struct isns_snap *done; /* ref: what the server knows; NULL: unknown */
	bool full; /* this round tells all, not only what has changed */
	bool again; /* the settings have changed in the midst of a round */
	bool ever; /* registered since the daemon's start: what it has is ours */
	enum isns_step step;
	struct isns_cursor next; /* in the step */
	uint16_t transaction, awaited; /* function of the response; 0: none */
	uint32_t period_s, esi_interval_s; /* as the server has granted them; 0: none */
	bool no_esi; /* the server has no inquiries */
	bool told; /* that it is out of order is in the log */
	unsigned failures;
	uint64_t recheck_ns; /* when it was last asked because of a note that we were removed */
	struct isns_server_info info;
};

/* A connection that a server has made to us. */
struct isns_caller {
	struct list at; /* in isns->callers */
	struct isns *isns;
	struct isns_link link;
	struct sockaddr_storage peer;
};

struct isns_port {
	struct isns *isns;
	int fd; /* -1: none */
	uint16_t port;
	struct loop_op accept;
};

struct isns {
	struct entity *entity;
	struct loop *loop;
	struct isns_settings settings; /* control thread changes it on the home loop */
	char eid[ISNS_ENTITY_BYTES]; /* the entity identifier that is wanted */
	struct list servers, callers;
	unsigned ncallers;
	struct isns_port ports[2]; /* IPv4, IPv6 */
	struct isns_snap *now; /* ref: as things are; NULL: not looked at yet */
	struct loop_timer look; /* until changes have come to rest */
	struct loop_msg changed;
	_Atomic bool dirty; /* `changed` is on its way */
	_Atomic bool serves; /* there are servers to be told */
	bool stopping;
	struct loop_event *gone; /* set while somebody waits for all of it to end */
	struct rng rng;
	struct log_limit log;
};

/* ---- isns_server.c ---- */

struct isns_server *isns_server_new(struct isns *in, const struct sockaddr_storage *addr);
/* Things may have changed, or the settings have (again: all is told anew). */
void isns_server_wake(struct isns_server *s, bool again);
/* Deregister if that is possible at once, and end; isns_server_ended() follows, maybe at once. */
void isns_server_leave(struct isns_server *s);
/* A note came that it has removed us: look whether that is so. */
void isns_server_recheck(struct isns_server *s);

/* ---- isns_message.c: the requests ---- */

/*
 * The next message of the round; *ret_next is where to go on. 0: the step has no more;
 * 1: b holds it. The header is begun.
 */
int isns_message(const struct isns_server *s, struct strbuf *b, struct isns_cursor *ret_next);
void isns_message_query(const struct isns_server *s, struct strbuf *b);
void isns_message_leave(const struct isns_server *s, struct strbuf *b);

/* ---- isns_caller.c: what servers ask ---- */

/* Answer a request of a server; false: the link cannot take an answer. */
bool isns_answer(struct isns *in, struct isns_link *l, const struct sockaddr_storage *peer,
	const struct isns_header *h, const uint8_t *payload, size_t n);
/* Begin and end to listen; the sockets were made by the control thread. */
void isns_port_start(struct isns_port *p);
void isns_port_stop(struct isns_port *p);
void isns_callers_end(struct isns *in);

/* ---- isns.c ---- */

/* Something has ended: whoever waits for all to end may be told. */
void isns_check_gone(struct isns *in);

#endif
