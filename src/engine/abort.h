/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abort.h: abort all commands of a scope on every loop and wait until they have ended. Task
 * management, nexus loss and removed LUNs are this with different scopes.
 */
#ifndef ULIO_ENGINE_ABORT_H
#define ULIO_ENGINE_ABORT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/drain.h"

struct cmd;
struct engine;
struct lu;
struct nexus;

struct abort_scope {
	struct lu *lu; /* held by the caller; NULL: every LU in nexus's map */
	const struct nexus *nexus; /* NULL: of every nexus */
	struct nexus *map_of; /* whose map tells the LUs when lu is NULL */
	bool has_tag, retired_only;
	uint64_t tag;
	/*
	 * by: commands of other nexuses than this get TASK ABORTED (where the LU's TAS bit is 1)
	 * or the unit attention `ua`. NULL: no status for anybody.
	 */
	const struct nexus *by;
	/*
	 * Of this nexus's commands only those that it sent before the function: what comes after a
	 * task management function is none of its tasks (RFC 7143 4.2.3.3). They are known by
	 * `order`, if the fabric tells one, and on that loop by `seq`, as they came. NULL: all.
	 */
	const struct nexus *issuer;
	const struct loop *issuer_loop;
	uint64_t seq;
	bool has_order;
	uint32_t order; /* serial number (RFC 1982): as in struct cmd */
	bool count_only; /* nothing is aborted: `found` tells how many there are */
	uint64_t id; /* cmd->cleared_by of what is aborted; 0: none */
	bool clears; /* ua is raised: CLEAR TASK SET */
	bool tas_always; /* TASK ABORTED for all */
	bool orphan; /* do not wait for disks */
	/* Only of nexuses with this mark (itl->preempted), 0: of all. PREEMPT AND ABORT. */
	uint64_t preempted;
};

struct abort {
	struct abort_scope scope;
	void (*done)(struct abort *a);
	_Atomic uint32_t found;
	struct drain drain;
};

/*
 * The two halves of it for one LU on one loop, for drains of others' own: abort what the scope says
 * there, returns how many; nothing that was aborted is left. On that loop.
 */
uint32_t abort_commands(const struct abort_scope *sc, struct lu *lu, struct loop *loop);
bool abort_has_ended(const struct abort_scope *sc, struct lu *lu, struct loop *loop);

/* A number for a scope that its commands are marked with. Any thread. */
uint64_t abort_id(struct engine *eng);
/* done() follows on loop, never from inside. 0 or -ENOMEM. */
int abort_start(struct abort *a, struct engine *eng, struct loop *loop);

#endif
