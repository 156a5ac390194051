/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua.h: asymmetric logical unit access (SPC-4 5.15). Each LU has target port groups; the port's
 * LUNs that show it (struct port_lun) are their members. A group has one access state, which all
 * commands that come by its ports meet: as bits of itl->bars (bars.h).
 *
 * What is said of locks holds for all files of alua: groups, their fields and their members are
 * read and written under lu->lock; the control thread alone adds and removes groups, so it may look
 * for them without. Changes of a state go one after the other, through an alua_queue: that of the
 * LU, or of its LU group, whose members change together.
 */
#ifndef ULIO_ENGINE_ALUA_H
#define ULIO_ENGINE_ALUA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "engine/limits.h"
#include "scsi/tpg.h"

struct alua_change;
struct alua_lba_map;
struct cmd;
struct engine;
struct itl;
struct loop;
struct lu;
struct nexus;
struct port_lun;
struct strbuf;

/* alua_access_type: who may change the state of a group. */
enum { ALUA_IMPLICIT = 1 << 0, ALUA_EXPLICIT = 1 << 1 };

#define ALUA_DEFAULT_GROUP    "default_tg_pt_gp"
#define ALUA_DEFAULT_LU_GROUP "default_lu_gp"

/* Changes that wait for each other; the first is at work. */
struct alua_queue {
	pthread_mutex_t lock;
	struct list changes;
};

/* A target port group of one LU. */
struct alua_group {
	struct lu *lu;
	struct list link; /* in lu->alua->groups */
	struct list members; /* struct port_lun by alua_link */
	unsigned users; /* changes at work on it: it stays meanwhile */
	char name[ALUA_NAME_BYTES];
	bool has_id;
	uint16_t id; /* TARGET PORT GROUP */
	uint8_t state; /* enum tpg_state, as commands and reports see it */
	uint8_t status; /* enum tpg_status */
	uint8_t access; /* ALUA_IMPLICIT | ALUA_EXPLICIT */
	uint8_t supported; /* TPG_*_SUP */
	bool preferred, write_metadata;
	uint32_t nonop_delay_ms, trans_delay_ms, implicit_trans_s;
};

/* What an LU has of it, in lu->alua. */
struct lu_alua {
	struct lu *lu;
	struct list groups; /* the default one first, then as they were made */
	struct alua_queue own;
	struct alua_queue *queue; /* own, or its LU group's; under lu->lock */
	struct alua_lu_group *lu_group; /* never NULL; under lu->lock */
	struct list lu_group_link; /* in lu_group->members, under lu_group->queue.lock */
	_Atomic(struct alua_lba_map *) map; /* which segments which group reaches; NULL: none */
};

/* LUs whose groups of the same id have the same state (SPC-4 7.8.6.9). The default one is none. */
struct alua_lu_group {
	struct engine *eng;
	struct list link; /* in the engine */
	char name[ALUA_NAME_BYTES];
	bool has_id, is_default;
	uint16_t id;
	struct alua_queue queue; /* its lock guards members too */
	struct list members; /* struct lu_alua by lu_group_link */
};

/* ---- life ----------------------------------------------------------------------------------- */

/* With the default groups. 0 or -ENOMEM. */
int alua_engine_init(struct engine *eng);
void alua_engine_done(struct engine *eng);
int alua_lu_init(struct lu *lu);
/* It is no member of an LU group any more. Then, when nothing looks at it: free. */
void alua_lu_gone(struct lu *lu);
void alua_lu_done(struct lu *lu);

/* ---- groups: control thread ----------------------------------------------------------------- */

/* Without an id: nobody hears of it before it has one. -EEXIST, -ENOSPC, -ENOMEM. */
int alua_group_new(struct lu *lu, const char *name, struct alua_group **ret, struct errmsg *err);
/* Its members go to the default group. -EPERM: it is that. -EBUSY: its state is being changed. */
int alua_group_free(struct alua_group *g, struct errmsg *err);
struct alua_group *alua_group_find(struct lu *lu, const char *name); /* NULL: none */
struct alua_group *alua_group_default(struct lu *lu);
static inline bool alua_group_is_default(const struct alua_group *g)
{
	return g == alua_group_default(g->lu);
}
/* Once only; 0: the first free one from 1 on. -EINVAL: it has one, or another group has it. */
int alua_group_set_id(struct alua_group *g, uint16_t id, struct errmsg *err);
/* Fields that are set as they are: writes *field under the lock, publishes what follows from it. */
int alua_group_set_u32(struct alua_group *g, uint32_t *field, uint32_t value);
int alua_group_set_bool(struct alua_group *g, bool *field, bool value);
int alua_group_set_u8(struct alua_group *g, uint8_t *field, uint8_t value);
/*
 * alua_access_type. What initiators alone may change (ALUA_EXPLICIT) is kept in a file, too, if
 * there is a place for it (SPC-4 5.15.2.9).
 */
int alua_group_set_access(struct alua_group *g, uint8_t access, struct errmsg *err);
/*
 * Keep the state in a file from now on; what is there of an LU that is not shown yet is taken over.
 * -EINVAL, -ENODEV (nowhere to keep it), errors of writing.
 */
int alua_group_set_write_metadata(struct alua_group *g, bool on, struct errmsg *err);
/*
 * Change the state, as the device (implicit) that no initiator has asked. Waits until it is done,
 * on all members of the LU group. -EINVAL: not a state that this group may have; -EIO: it could not
 * be written down; -EBUSY: a disk does not give back a command that the new state excludes; then
 * the group has its old state again.
 */
int alua_group_set_state(struct alua_group *g, uint8_t state, struct errmsg *err);
/* The state as text for people and configfs: "Active/Optimized"; "reserved". */
const char *alua_state_text(unsigned state);
const char *alua_status_text(unsigned status);
/* "<fabric>/<target>/tpgt_<n>/lun_<n>\n" of each member. */
void alua_group_members(struct alua_group *g, struct strbuf *out);

/* ---- members: control thread ---------------------------------------------------------------- */

/*
 * pl begins to show pl->lu, in the default group (g NULL) or back in one of it; ends to. Under the
 * LU's lock.
 */
void alua_join(struct port_lun *pl, struct alua_group *g);
void alua_leave(struct port_lun *pl);
/* To a group of the same LU. Waits; as alua_group_set_state(). */
int alua_move(struct port_lun *pl, struct alua_group *to, struct errmsg *err);
/* The secondary state of this LUN's port. Waits. */
int alua_set_offline(struct port_lun *pl, bool offline, struct errmsg *err);
/* The same as alua_group_set_write_metadata() for the secondary state. */
int alua_set_offline_metadata(struct port_lun *pl, bool on, struct errmsg *err);

/* ---- LU groups: control thread --------------------------------------------------------------- */

int alua_lu_group_new(
	struct engine *eng, const char *name, struct alua_lu_group **ret, struct errmsg *err);
/* Its members go to the default one. -EPERM, -EBUSY. */
int alua_lu_group_free(struct alua_lu_group *g, struct errmsg *err);
struct alua_lu_group *alua_lu_group_find(struct engine *eng, const char *name);
struct alua_lu_group *alua_lu_group_default(struct engine *eng);
int alua_lu_group_set_id(struct alua_lu_group *g, uint16_t id, struct errmsg *err);
/* lu belongs to g from now on. -EBUSY: a change of state is under way. */
int alua_lu_group_join(struct lu *lu, struct alua_lu_group *g, struct errmsg *err);
/* Call fn for each member. */
void alua_lu_group_each(struct alua_lu_group *g, void (*fn)(struct lu *lu, void *arg), void *arg);

/* ---- logical block dependent: the map ------------------------------------------------------- */

/*
 * As LIO's lba_map: "<segment size> <multiplier>" in blocks, then a line for each kind of segment:
 * "<first> <last> <group id>:<O|A|S|U> …". An empty text: none. Waits. -EINVAL, -ENOMEM. Control
 * thread.
 */
int alua_lba_set(struct lu *lu, const char *text, struct errmsg *err);
void alua_lba_get(struct lu *lu, struct strbuf *out); /* control thread */
/* USER DATA SEGMENT SIZE and MULTIPLIER. False: there is no map. On loops. */
bool alua_lba_segments(const struct lu *lu, uint32_t *ret_size, uint32_t *ret_multiplier);
/*
 * The segments from lba on, or the one that has it. Returns how many; they are good until the
 * caller returns to its loop.
 */
unsigned alua_lba_referrals(
	const struct lu *lu, uint64_t lba, bool one, struct referral *ret, unsigned cap);

/* ---- for commands ---------------------------------------------------------------------------- */

/* Whether a command with these RULE_* runs in that state (SPC-4 5.15.2.4, 5.15.2.5). */
bool alua_allows(unsigned state, uint32_t rules);
/* The BAR_ALUA_* bits of a nexus, and what it is delayed by. Under the LU's lock. */
uint32_t alua_bars(struct itl *itl);
/* Judge a command by them. False: it has been ended. On its loop. */
bool alua_pass(struct cmd *cmd, uint32_t bars);
/* TPGS of INQUIRY for lu: the union of its groups that have members. Under the LU's lock. */
uint8_t alua_tpgs(const struct lu *lu);
/* It may have become another one: publish that. Control thread, under no lock. 0 or -ENOMEM. */
int alua_refresh(struct lu *lu);

/* The sense that a command which is excluded gets by cmd's path; SENSE_NO_SENSE: none is. */
enum sense_name alua_sense(const struct cmd *cmd);
/*
 * SPC-4 5.15.2.4.5: an LU that is unavailable by this path says of itself that its device is not
 * connected (peripheral qualifier 001b). Offline is no better.
 */
bool alua_connected(const struct cmd *cmd);

/* A set of descriptors of all groups that have members. Under no lock; free with free(). */
struct alua_report {
	unsigned n;
	uint8_t transition_s; /* the longest of all */
	struct tpg_desc groups[]; /* with their rtpis behind them */
};
struct alua_report *alua_report(struct lu *lu); /* NULL: no memory */
/* The group by which cmd came. False: it has none, or that has no id. */
bool alua_group_of_cmd(const struct cmd *cmd, uint16_t *ret_id);
/* The LU group, if it is one that says something. */
bool alua_lu_group_id(struct lu *lu, uint16_t *ret_id);

/* One group of a SET TARGET PORT GROUPS, found by id. */
struct alua_wish {
	uint16_t id;
	uint8_t state;
};
enum alua_verdict { ALUA_ACCEPTED, ALUA_NO_MEMORY, ALUA_UNKNOWN_GROUP, ALUA_BAD_STATE };
/*
 * Begin the changes that cmd asks for; done(cmd, error) follows on its loop, never from inside, and
 * never if cmd was aborted meanwhile. *ret_which: the wish that is refused.
 */
enum alua_verdict alua_set_explicit(struct cmd *cmd, const struct alua_wish *wishes, unsigned n,
	void (*done)(struct cmd *cmd, int error), unsigned *ret_which);

#endif
