/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_priv.h: what the files of the engine share. */
#ifndef ULIO_ENGINE_ENGINE_PRIV_H
#define ULIO_ENGINE_ENGINE_PRIV_H

#include <pthread.h>

#include "base/idpool.h"
#include "base/list.h"
#include "base/log.h"
#include "engine/cmd.h"
#include "engine/engine.h"
#include "engine/lu.h"
#include "engine/nexus.h"
#include "engine/port.h"

/* What the engine keeps for one loop; touched on that loop only. */
struct engine_loop {
	struct list free_cmds; /* struct cmd by link, for reuse */
	uint32_t nfree;
	uint64_t next_seq; /* numbers commands as they are submitted */
	struct list waits; /* struct drain_slot */
	struct loop *loop;
} __attribute__((aligned(128)));

struct engine {
	struct loops *loops;
	struct engine_loop *per_loop;
	pthread_mutex_t lock; /* the configuration lock */
	_Atomic uint64_t next_abort_id; /* numbers scopes of commands that are aborted together */
	struct list lus, ports;
	struct hash lu_names; /* of lus; changes with it */
	struct list lu_groups; /* struct alua_lu_group, the default one first; control thread */
	unsigned nlu_groups;
	struct idpool rtpis; /* relative target port identifiers of ports */
	char *dbroot; /* NULL: nothing is kept */
	struct hash kept; /* LUs by the serial number that their state is kept by */
	struct notices notices;
	struct log_limit kept_limit; /* for what initiators ask to be kept and cannot be */
};

static inline struct engine_loop *engine_loop(struct engine *eng, const struct loop *loop)
{
	return &eng->per_loop[loop_index(loop)];
}

/* dispatch.c */
/* Look again at what waits on this loop: a gate opened, a range or a task ended. */
void lu_loop_kick(struct lu_loop *ll); /* on its loop */
void lu_loop_kick_post(struct lu_loop *ll); /* any thread */
void lu_loop_init(struct lu_loop *ll, struct lu *lu, struct loop *loop);
/* The gate that ordered keeps closed may open: its command has ended or will never run. */
void ordered_end(struct ordered *o);
/* Take up a command that waited for its turn. */
void cmd_enable(struct cmd *cmd);
/*
 * What may have changed while a command waited for its data: bars, reservation, readiness, write
 * protection. False: it must not go on and has been ended.
 */
bool cmd_check_again(struct cmd *cmd);

/* cmd.c */
/* Take the command out of its LU's books and give it to the fabric. */
void cmd_finish(struct cmd *cmd);
/* End a command that was aborted: TASK ABORTED or nothing. */
void cmd_end_aborted(struct cmd *cmd);
/*
 * Abort on its loop: at once if no disk holds it. orphan: also if one does. True if it has ended.
 */
bool cmd_abort(struct cmd *cmd, bool tas, bool orphan);

/* lu_conf.c */
/*
 * Edit function: anew from attributes and disk of the LU in arg; a conf of all zero is a first
 * one.
 */
void lu_conf_derive(struct lu_conf *conf, void *arg);

/* lunmap.c, all under the configuration lock: */
/*
 * What nexus is to see now. acl NULL: demo mode. Takes over itls of its present map. NULL: no
 * memory.
 */
struct lunmap *lunmap_build(struct nexus *nexus, const struct acl *acl);
/*
 * Make `now` the map of nexus. Returns the old one, with the itls that are no more in use marked as
 * retired; *ret_changed if the LUN inventory is another one.
 */
struct lunmap *lunmap_publish(struct nexus *nexus, struct lunmap *now, bool *ret_changed);
/* Free a map that no loop uses any more, and of its itls: the retired ones, or all. Any thread. */
void lunmap_free(struct lunmap *map, bool all_itls);

/* acl.c: take an ACL out and free it; under the configuration lock. */
void acl_drop(struct acl *acl);
/* A session of initiator has ended; a dynamic ACL may go with it. Under the configuration lock. */
void acl_nexus_lost(struct port *port, const char *initiator);

/* A change of what a port shows, between the two halves of a publication. Control thread. */
int port_republish(struct port *port, struct lu *gone, struct errmsg *err);

#endif
