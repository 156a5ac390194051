/* SPDX-License-Identifier: BSD-3-Clause */
/* alua_priv.h: what the files of alua share. */
#ifndef ULIO_ENGINE_ALUA_PRIV_H
#define ULIO_ENGINE_ALUA_PRIV_H

#include "engine/alua.h"

/* alua.c */
void alua_queue_init(struct alua_queue *q);
/* Nothing waits or is at work there. Under its lock. */
static inline bool alua_queue_idle(const struct alua_queue *q)
{
	return list_empty(&q->changes);
}
/* The group with that id that has members, or any; NULL: none. Under lu->lock. */
struct alua_group *alua_group_by_id(struct lu *lu, uint16_t id, bool with_members);
/* For every nexus of lu but `except` (may be NULL). Under lu->lock. */
void alua_attention(struct lu *lu, enum sense_name ua, const struct nexus *except);
/* What the nexuses of pl meet: its group's state, or TPG_OFFLINE. Under lu->lock. */
uint8_t alua_effective(const struct port_lun *pl);

/* alua_change.c: see alua_group_set_state(). Control thread, under no lock. */
int alua_change_run(struct lu *lu, const struct alua_wish *wish, struct errmsg *err);

/* alua_md.c: a file that keeps a state. */
struct alua_md {
	char *path; /* NULL: nothing is kept */
	char text[160];
};
/*
 * The file of a group in that state, if it has one: it is kept because the admin wants that, or
 * because SPC-4 5.15.2.9 does. 0, -ENOMEM. On a loop or the control thread.
 */
int alua_md_of_group(
	const struct alua_group *g, uint8_t state, uint8_t status, struct alua_md *ret);
int alua_md_of_lun(const struct port_lun *pl, bool offline, uint8_t status, struct alua_md *ret);
/* Make it durable, and the directories on the way. 0 or -errno. Blocks. */
int alua_md_write(struct engine *eng, const struct alua_md *md);
void alua_md_done(struct alua_md *md);
/*
 * Take over what the file says, if there is one: -ENOENT. Of files that make no sense: -EBADMSG,
 * and they are put aside. Control thread.
 */
int alua_md_load_group(struct alua_group *g);
int alua_md_load_lun(struct port_lun *pl);

/* alua_lba.c: whether cmd's blocks can be reached by its group; false: it has been ended. */
bool alua_lba_pass(struct cmd *cmd);
/* The worst state that a command of this group may meet there, for what a change excludes. */
bool alua_lba_reaches(const struct cmd *cmd);
void alua_lba_done(struct lu_alua *alua);

#endif
