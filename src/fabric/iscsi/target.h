/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * target.h: iSCSI targets, their portal groups and the listening sockets they are reached by.
 *
 * One struct entity is the fabric of a process (Network Entity, RFC 7143 4.1). Its targets and
 * portal groups change on the control thread, under the engine's configuration lock; connections
 * look them up at login under the same lock, and keep a session's portal group alive by being in
 * its list.
 */
#ifndef ULIO_FABRIC_ISCSI_TARGET_H
#define ULIO_FABRIC_ISCSI_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/idpool.h"
#include "base/list.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/port.h"
#include "fabric/iscsi/auth.h"
#include "fabric/iscsi/isns.h"
#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/limits.h"
#include "fabric/iscsi/login_log.h"
#include "fabric/iscsi/hosts.h"
#include "fabric/iscsi/portal.h"
#include "loop/loop.h"

/* Counters of failed logins by cause, and of sessions, as LIO's fabric_statistics has them. */
struct target_stats {
	_Atomic uint64_t login_accepts, login_redirects, login_other_fails, login_authorize_fails,
		login_authenticate_fails, login_negotiate_fails, logout_normal, logout_abnormal,
		digest_errors, connection_errors, format_errors;
	_Atomic uint64_t fail_time; /* seconds since 1970 of the last failed login */
	_Atomic uint32_t fail_type; /* its login status */
	char fail_initiator[NODE_NAME_BYTES_MAX + 1]; /* under the configuration lock */
	char fail_address[64];
};

/* Attributes of a portal group (attrib/), LIO's names and ranges. */
struct tpg_attribs {
	uint32_t authentication, login_timeout, netif_timeout, default_cmdsn_depth, default_erl,
		demo_mode_discovery, t10_pi, fabric_prot_type, tpg_enabled_sendtargets;
};

/* Attributes of a node ACL (acls/X/attrib/). */
struct node_attribs {
	int32_t authentication; /* -1: as its portal group says */
	uint32_t dataout_timeout, dataout_timeout_retries, default_erl, nopin_timeout,
		nopin_response_timeout, random_datain_pdu_offsets, random_datain_seq_offsets,
		random_r2t_offsets;
};

/* What the fabric keeps with an ACL: acl->fabric_data. */
struct node_data {
	struct node_attribs attribs;
	struct auth auth;
	void *tree_obj;
};

struct target;

/* A portal group (TPG) and the SCSI target port that it is. */
struct tpg {
	struct target *target;
	uint16_t tag;
	struct list link;
	struct port *port; /* owned; generate_node_acls and the demo mode attributes are in there */
	bool enabled;
	uint32_t discovery_by_portal; /* told to those only who ask through one of its portals */
	struct keys_config keys; /* param/ */
	struct tpg_attribs attribs;
	struct auth auth; /* for initiators without an ACL */
	struct list portals; /* struct portal */
	struct list sessions; /* struct sess by tpg_link, under the configuration lock */
	unsigned nsessions;
	struct list waiters; /* struct conn by wait_link: logins that wait for a session to end */
	void *tree_obj;
};

struct target {
	struct entity *entity;
	char name[NODE_NAME_BYTES_MAX + 1];
	struct list link;
	struct hash_str_node hash;
	struct list tpgs; /* by rising tag */
	struct target_stats stats;
	int32_t cmd_completion_affinity;
	uint32_t index;
	void *tree_obj;
};

/* What a loop keeps for its connections; touched on that loop only. */
struct node_loop {
	struct entity *entity;
	struct loop *loop;
	struct list conns; /* all connections of the loop by loop_link */
	struct list logins; /* those that have not logged in, oldest first */
	uint32_t nlogins;
	struct list free_batches, free_tasks;
	uint32_t nfree_batches, nfree_tasks;
} __attribute__((aligned(128)));

struct entity {
	struct engine *eng;
	struct loops *loops;
	struct list targets;
	struct hash names;
	struct isns *isns; /* owned; NULL while it all ends */
	struct list listeners;
	struct list sessions; /* struct sess by entity_link, under the configuration lock */
	struct node_loop *per_loop;
	/* iscsi/discovery_auth */
	struct auth discovery_auth;
	struct chap_policy chap_policy; /* where nothing nearer has one; under the lock */
	struct list sourced; /* struct auth_user by sourced; control thread */
	bool enforce_discovery_auth;
	pthread_mutex_t tsih_lock;
	struct idpool tsihs;
	uint32_t next_target_index;
	_Atomic uint32_t next_conn_id, nconns, nsess;
	_Atomic bool stopping;
	_Atomic uint32_t login_timeout_s; /* the largest login_timeout of all groups */
	uint32_t ntimeouts[LOGIN_TIMEOUT_MAX_S + 1]; /* how many groups have which */
	struct log_limit peer_log;
	struct login_log refused;
	struct hosts hosts;
};

/* What the daemon makes once. Control thread. 0 or -ENOMEM. */
int entity_new(struct engine *eng, struct entity **ret);
/*
 * Tell all initiators (Asynchronous Message), end all sessions, and wait until they are gone, at
 * most timeout_ns (-ETIMEDOUT). Control thread.
 */
int entity_stop(struct entity *e, uint64_t timeout_ns);
/* Targets must be gone. Returns NULL. */
struct entity *entity_free(struct entity *e);

/* Targets and groups. Control thread; names are normalised by the caller (name.h). */
int target_new(struct entity *e, const char *name, struct target **ret, struct errmsg *err);
int target_free(struct target *t, struct errmsg *err);
/* Under the configuration lock. */
struct target *target_find(struct entity *e, const char *name);

int tpg_new(struct target *t, uint16_t tag, struct tpg **ret, struct errmsg *err);
int tpg_free(struct tpg *tpg, struct errmsg *err);
/* Change attribs.login_timeout, on which the limit of all logins depends. Control thread. */
void tpg_set_login_timeout(struct tpg *tpg, uint32_t seconds);
/* Open its portals, or close them and end its sessions. */
int tpg_enable(struct tpg *tpg, bool on, struct errmsg *err);

#endif
