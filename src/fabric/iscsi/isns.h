/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns.h: the iSNS client (RFC 4171): tells iSNS servers which targets there are and at which
 * portals, keeps that true, answers when they ask whether we live, and takes their notes of change.
 *
 * Everything it does is on its home loop, the first one; the functions here are the border to the
 * control thread.
 */
#ifndef ULIO_FABRIC_ISCSI_ISNS_H
#define ULIO_FABRIC_ISCSI_ISNS_H

#include "base/err.h"
#include "base/strbuf.h"
#include "fabric/iscsi/address.h"
#include "fabric/iscsi/limits.h"

struct entity;
struct isns;

struct isns_settings {
	char servers[ISNS_SERVERS_TEXT_BYTES]; /* "10.0.0.5:3205,[2001:db8::5]:3205" */
	char entity[ISNS_ENTITY_BYTES]; /* 6.2.1, without the NUL; "": the host's name */
	uint32_t period_s; /* 6.2.6: registered for so long after the last message; 0: for ever */
	uint32_t esi_interval_s; /* 6.3.4: how often a server asks whether we live; 0: never */
};

/* A server, for people. */
struct isns_server_info {
	char address[ADDRESS_TEXT_BYTES];
	const char *state; /* static text */
	char error[160]; /* why not, or "" */
	uint32_t targets, portals; /* registered there */
	uint64_t registrations, esis, scns; /* messages sent, and taken */
	char last_scn[320]; /* "" or what the last note said */
};

/* Makes it, without servers. Control thread, as all of these. 0 or -ENOMEM. */
int isns_new(struct entity *e, struct isns **ret);
/* Deregister everywhere, waiting for that a moment, and end. NULL: nothing. */
void isns_free(struct isns *in);

/* What is in force. */
const struct isns_settings *isns_settings(const struct isns *in);
/*
 * Change it: servers that are new are connected to, those that are not in the list any more are
 * left. 0; -EINVAL: *err says which value is wrong, or another error of listening for servers.
 */
int isns_configure(struct isns *in, const struct isns_settings *s, struct errmsg *err);

/*
 * A server as the settings name it: an address, with a port if it is not 3205. 0, or -EINVAL with
 * *err. Any thread.
 */
int isns_server_address(const char *word, struct sockaddr_storage *ret, struct errmsg *err);

/* Targets or portals may have changed: servers are told soon. Any thread. */
void isns_changed(struct isns *in);

/* At most ISNS_SERVERS_MAX. Returns how many. */
unsigned isns_info(struct isns *in, struct isns_server_info *ret);

#endif
