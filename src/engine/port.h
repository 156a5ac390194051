/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.h: target ports (an iSCSI portal group, a vhost device), the LUNs that they show, and the
 * access control lists that say who may see which of them under which number.
 *
 * All functions are for the control thread unless said otherwise. A change publishes new LUN maps
 * to the nexuses that it concerns, raises 3F/0E REPORTED LUNS DATA HAS CHANGED there, and returns
 * when no command uses the old ones. No session is touched.
 */
#ifndef ULIO_ENGINE_PORT_H
#define ULIO_ENGINE_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "engine/fabric.h"
#include "engine/limits.h"
#include "loop/loop.h"

struct alua_group;
struct engine;
struct itl;
struct lu;
struct nexus;

/* The LUN map of one nexus: immutable. */
struct lunmap_entry {
	uint32_t lun;
	bool read_only;
	struct lu *lu; /* stays while an entry shows it */
	struct itl *itl;
};

struct lunmap {
	uint32_t n;
	struct lunmap_entry e[]; /* by rising lun */
};

/* NULL: not mapped. */
const struct lunmap_entry *lunmap_find(const struct lunmap *map, uint32_t lun);

/* A LUN of a port: lun/lun_N in configfs. */
struct port_lun {
	struct port *port;
	uint32_t lun;
	struct lu *lu; /* NULL until linked */
	char link_name[256]; /* of the symbolic link: the alias */
	struct list link;
	struct list lu_link; /* in lu->port_luns while lu is set, under lu->lock */
	unsigned mapped; /* ACL mappings that point here */
	/* Asymmetric access (alua.h), under lu->lock: target port group, secondary state. */
	_Atomic(struct alua_group *) alua_group; /* NULL until linked */
	struct list alua_link; /* in the group's members */
	bool alua_offline, alua_write_metadata;
	uint8_t alua_status; /* enum tpg_status, of the secondary state */
	void *tree_obj;
};

/* lun_N below an ACL: the number that its initiator sees, and the port's LUN behind it. */
struct acl_lun {
	struct acl *acl;
	uint32_t lun;
	bool write_protect;
	struct port_lun *target; /* NULL until linked */
	uint64_t created_ns; /* when it was */
	char link_name[256];
	struct list link;
	void *tree_obj;
};

/* A node ACL: acls/<initiator> in configfs. */
struct acl {
	struct port *port;
	char initiator[PORT_NAME_BYTES];
	char tag[64];
	bool dynamic; /* made at login in demo mode */
	bool used; /* has had a session */
	unsigned nexuses;
	uint32_t queue_depth; /* cmdsn_depth */
	struct list luns; /* struct acl_lun by rising lun */
	struct hash_node hash;
	struct list link;
	void *fabric_data; /* CHAP secrets, timeouts: the fabric's, made and freed by port_hooks */
	void *tree_obj;
};

/*
 * What a port's owner adds to ACLs. Control thread; new ones of demo mode also on loops, under
 * the lock.
 */
struct port_hooks {
	int (*acl_added)(struct acl *acl);
	void (*acl_removed)(struct acl *acl);
};

struct port {
	struct engine *eng;
	const struct fabric_ops *ops;
	const struct port_hooks *hooks; /* may be NULL */
	void *fabric_data; /* the portal group */
	char name[PORT_NAME_BYTES]; /* SCSI target port name: "iqn…,t,0x0001" */
	char device[PORT_NAME_BYTES]; /* SCSI target device name: "iqn…" */
	uint16_t rtpi; /* relative target port identifier, unique in the engine */
	bool rtpi_chosen; /* by port_set_rtpi() */
	uint16_t tpgt;
	struct list link;
	struct list luns; /* struct port_lun by rising lun */
	struct hash acls;
	struct list acl_list;
	struct list nexuses;
	/*
	 * Who may log in without an ACL, and what then (LIO's names; under the configuration
	 * lock).
	 */
	uint32_t generate_node_acls; /* anyone may, sees every LUN ("demo mode") */
	uint32_t demo_mode_write_protect;
	uint32_t prod_mode_write_protect;
	uint32_t cache_dynamic_acls;
	uint32_t default_queue_depth;
};

int port_new(struct engine *eng, const struct fabric_ops *ops, const char *device, const char *name,
	uint16_t tpgt, const struct port_hooks *hooks, void *fabric_data, struct port **ret);
/* LUNs, ACLs and nexuses must be gone: -ENOTEMPTY, -EBUSY. */
int port_free(struct port *port, struct errmsg *err);
/* Ask the fabric to drop all nexuses of port (of acl if not NULL) and wait until they are gone. */
int port_drop_nexuses(
	struct port *port, const struct acl *acl, const char *why, uint64_t timeout_ns);

/*
 * Take another relative target port identifier (SPC-4 6.1, 7.8.6.6): 1 to 65535. A port that has
 * it without having asked for it, and has no nexus, gets another one; else -EINVAL.
 */
int port_set_rtpi(struct port *port, uint16_t rtpi, struct errmsg *err);
/* Publish what follows from a changed demo_mode_write_protect to the nexuses. 0 or -ENOMEM. */
int port_refresh(struct port *port, struct errmsg *err);

int port_lun_add(struct port *port, uint32_t lun, struct port_lun **ret, struct errmsg *err);
/* Show lu there / show it no more. Removing waits for the commands under way, at most timeout. */
int port_lun_link(struct port_lun *pl, struct lu *lu, const char *link_name, struct errmsg *err);
int port_lun_unlink(struct port_lun *pl, struct errmsg *err);
int port_lun_remove(struct port_lun *pl, struct errmsg *err);
struct port_lun *port_lun_find(struct port *port, uint32_t lun);

int acl_add(struct port *port, const char *initiator, struct acl **ret, struct errmsg *err);
int acl_remove(struct acl *acl, struct errmsg *err);
struct acl *acl_find(struct port *port, const char *initiator);
int acl_lun_add(struct acl *acl, uint32_t lun, struct acl_lun **ret, struct errmsg *err);
int acl_lun_link(
	struct acl_lun *al, struct port_lun *target, const char *link_name, struct errmsg *err);
int acl_lun_unlink(struct acl_lun *al, struct errmsg *err);
int acl_lun_set_write_protect(struct acl_lun *al, bool on, struct errmsg *err);
int acl_lun_remove(struct acl_lun *al, struct errmsg *err);

/*
 * For login: call fn with the ACL that governs initiator at port: its own one, or in demo mode
 * a dynamic one. Under the configuration lock; the ACL must not be kept. Any thread.
 * 0 (or what fn returned), -EACCES: nobody by that name may log in.
 */
int port_with_acl(
	struct port *port, const char *initiator, int (*fn)(struct acl *acl, void *arg), void *arg);
/* The same for callers that hold the configuration lock. */
int port_with_acl_locked(
	struct port *port, const char *initiator, int (*fn)(struct acl *acl, void *arg), void *arg);
/* Call fn for each nexus under the configuration lock. Any thread. */
void port_each_nexus(struct port *port, void (*fn)(struct nexus *nexus, void *arg), void *arg);

/* The configuration lock, for fabrics that keep state of their own beside ports. */
void engine_lock(struct engine *eng);
void engine_unlock(struct engine *eng);

#endif
