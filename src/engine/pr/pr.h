/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pr.h: the persistent reservations of an LU (SPC-4 5.12): which state is in force, and how a
 * PERSISTENT RESERVE OUT, an admin or a file replaces it. What the state may become is said by
 * state.h; that it becomes so for all loops at once, durably, and only answered when nothing that
 * it excludes can reach the disk any more, by change.h.
 *
 * The state in force is a snapshot. PERSISTENT RESERVE IN reads it, commands read itl->bars.
 */
#ifndef ULIO_ENGINE_PR_PR_H
#define ULIO_ENGINE_PR_PR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/pr/state.h"

struct cmd;
struct itl;
struct lu;
struct lu_pr;
struct nexus;

/* For lu.c: an LU begins without registrations. 0 or -ENOMEM. Control thread. */
int pr_init(struct lu *lu);
void pr_done(struct lu *lu);

/* The snapshot, never NULL; good until the caller returns to its loop. On loops only. */
const struct pr_state *pr_now(const struct lu *lu);
/*
 * A copy of it, for other threads, with what target ports are called now. 0 or -ENOMEM.
 */
int pr_copy(struct lu *lu, struct pr_state **ret);
/*
 * RELATIVE TARGET PORT IDENTIFIER that the target port of a registration has now; what it had then
 * if it does not show lu any more. Under lu->lock.
 */
uint16_t pr_rtpi_of(const struct lu *lu, const struct pr_nexus *nexus);
/* How many registrations there are. Any thread. */
uint32_t pr_count(struct lu *lu);

/*
 * What nexus is called by the state of lu: without its ISID where those are not enforced. The
 * strings are nexus's own. rtpi is set only while the nexus has its port.
 */
struct pr_nexus pr_nexus_of(const struct lu *lu, const struct nexus *nexus);
/* Whether APTPL may be set: there is a place to keep the state of lu. On loops. */
bool pr_can_persist(const struct lu *lu);
/* BAR_PR… of bars.h for an I_T_L nexus. Under lu->lock. */
uint32_t pr_bars_of(const struct itl *itl);

/*
 * A PERSISTENT RESERVE OUT whose parameter list is in list; list->ids lies in cmd->scratch. Ends
 * the command when all is done. On its loop.
 */
void pr_change(struct cmd *cmd, const struct prout_list *list);

/* RESERVE (6) and (10) as 5.12.3 has it. */
enum pr_reserve6 {
	PR_RESERVE6_DONE, /* reserved for nexus */
	PR_RESERVE6_COMPATIBLE, /* GOOD, and nothing is done */
	PR_RESERVE6_CONFLICT,
	PR_RESERVE6_BUSY, /* the first registration is being made */
};
enum pr_reserve6 pr_reserve6(struct lu *lu, const struct nexus *nexus);
/* The same for RELEASE; DONE: it is released, if it was reserved by nexus. */
enum pr_reserve6 pr_release6(struct lu *lu, const struct nexus *nexus);

/* ---- for the admin: control thread -------------------------------------------------------- */

/*
 * The state that was kept for this LU (a file, res_aptpl_metadata), which is the LU's from now on
 * if 0 is returned. -EBUSY: the LU is shown as a LUN already.
 */
int pr_import(struct lu *lu, struct pr_state *state, struct errmsg *err);
/*
 * Clear all registrations and with them the reservation, or the one of a nexus; who was registered
 * is told by a unit attention, and it is logged. Returns when it is so, also on stable storage: 0;
 * -ENOENT: no such registration; -errno of the storage, -ENOMEM: nothing was changed.
 */
int pr_clear_admin(struct lu *lu, struct errmsg *err);
int pr_drop_admin(struct lu *lu, const struct pr_nexus *nexus, struct errmsg *err);

#endif
