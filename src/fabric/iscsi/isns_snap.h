/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_snap.h: what iSNS servers are told of this network entity (RFC 4171 3.2): its portals and
 * targets as they are at one moment. Never changed once it is made; shared by reference.
 */
#ifndef ULIO_FABRIC_ISCSI_ISNS_SNAP_H
#define ULIO_FABRIC_ISCSI_ISNS_SNAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fabric/iscsi/target.h"

struct isns_snap_portal {
	struct sockaddr_storage
		addr; /* 0.0.0.0 and ::: the address that the server is reached from */
};

/* A portal of a target, with the tag of its group there. */
struct isns_snap_member {
	uint32_t portal; /* index */
	uint16_t tag;
};

struct isns_snap_target {
	char name[NODE_NAME_BYTES_MAX + 1];
	char alias[KEY_VALUE_BYTES_MAX + 1];
	uint32_t first, n; /* of members */
};

struct isns_snap {
	unsigned refs; /* of one loop */
	struct isns_snap_portal *portals; /* by address */
	struct isns_snap_target *targets; /* by name */
	struct isns_snap_member *members;
	uint32_t nportals, ntargets, nmembers;
	uint32_t portals_cap, targets_cap, members_cap;
};

/*
 * Take down what is to be registered: targets with an enabled group that SendTargets tells of, and
 * their portals that others can reach: in the daemon's network namespace, with sendtargets set; as
 * advertised, if that is an address. Takes the configuration lock. NULL when memory is short or
 * there is more than ISNS_OBJECTS_MAX.
 */
struct isns_snap *isns_snap_new(struct entity *e);
struct isns_snap *isns_snap_ref(struct isns_snap *s);
void isns_snap_unref(struct isns_snap *s); /* NULL: nothing */
bool isns_snap_equal(const struct isns_snap *a, const struct isns_snap *b);
/* Whether it has a portal of that very address, 0.0.0.0 and :: as such. */
bool isns_snap_has_portal(const struct isns_snap *s, const struct sockaddr_storage *addr);
/* Whether it has a target of that name. */
bool isns_snap_has_target(const struct isns_snap *s, const char *name);
/* Whether b has the target t of a just so: alias, portals, tags. */
bool isns_snap_same_target(
	const struct isns_snap *a, const struct isns_snap_target *t, const struct isns_snap *b);

#endif
