/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h: the SCSI target engine of a process: what all its LUs, ports and nexuses share.
 *
 * Configuration (LUs, ports, ACLs, LUN maps) changes on the control thread, under the engine's one
 * configuration lock, and is published to the loops as immutable snapshots. Loops take the lock
 * only where no command waits for it: at login and logout.
 */
#ifndef ULIO_ENGINE_ENGINE_H
#define ULIO_ENGINE_ENGINE_H

#include <stdint.h>

#include "base/err.h"
#include "base/notice.h"
#include "loop/loop.h"

struct engine;
struct log_limit;
struct lu;

struct engine *engine_new(struct loops *loops);
/* All LUs and ports must be gone. Returns NULL. */
struct engine *engine_free(struct engine *eng);
struct loops *engine_loops(const struct engine *eng);
/*
 * Where is told what people may want to hear of at once. Before anything is made of the engine; the
 * fabrics tell theirs there, too. Any thread: engine_notices().
 */
void engine_set_notices(struct engine *eng, struct notices to);
const struct notices *engine_notices(const struct engine *eng);
/*
 * The directory below which the state is kept that must outlive a loss of power: pr/ and alua/, as
 * LIO has them below its dbroot. They are made, and it is tried whether files can be made there.
 *	path	NULL or "": nothing is kept, and initiators are told so
 * 0; -errno with *err, which tells the cure: then nothing is kept. Control thread, before the first
 * LU is shown.
 */
int engine_set_dbroot(struct engine *eng, const char *path, struct errmsg *err);
/* NULL: nothing is kept. Any thread. */
const char *engine_dbroot(const struct engine *eng);
/*
 * The state of lu is kept by lu->keep.serial from now on, which no other LU may have. Returns NULL,
 * or the LU that has it already. Control thread.
 */
struct lu *engine_claim_serial(struct engine *eng, struct lu *lu);
void engine_release_serial(struct engine *eng, struct lu *lu);
/* For what is logged when something cannot be kept that initiators ask for. Any thread. */
struct log_limit *engine_kept_limit(struct engine *eng);
struct lu *engine_find_lu(struct engine *eng, const char *name); /* control thread */
/* LUs one after the other: NULL starts, NULL ends. Control thread. */
struct lu *engine_next_lu(struct engine *eng, struct lu *prev);

#endif
