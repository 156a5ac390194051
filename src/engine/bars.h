/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bars.h: what stands between a nexus and an LU, in one word (itl->bars), so that a command of a
 * nexus that nothing bars pays for one look at it. Asymmetric access (SPC-4 5.15) and persistent
 * reservations (SPC-4 5.12) write it, the checks of dispatch.c read it.
 */
#ifndef ULIO_ENGINE_BARS_H
#define ULIO_ENGINE_BARS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/optable.h"

struct cmd;
struct itl;
struct lu;

enum {
	/*
	 * Of a persistent reservation, SPC-4 table 66: conflicts what has neither RULE_PR_OK,
	 * RULE_PR_READ nor RULE_PR_SELF …
	 */
	BAR_PR = 1 << 0,
	BAR_PR_READ = 1 << 1, /* … and also what has RULE_PR_READ (exclusive access); never alone */
	/*
	 * Of one that was lost, with both: DATA PROTECT instead of a conflict, and for all but the
	 * few commands of SPC-4 5.12.5.2, which are those that no transition of access states
	 * stops, and what their handlers let pass.
	 */
	BAR_PR_LOST = 1 << 2,
	BAR_PR_ALL = BAR_PR | BAR_PR_READ | BAR_PR_LOST,
	/* ASYMMETRIC ACCESS STATE of its target port group, as SPC-4 table 248 codes it. */
	BAR_ALUA_SHIFT = 8,
	BAR_ALUA_MASK = 0xf << BAR_ALUA_SHIFT,
	BAR_ALUA_OFFLINE = 1 << 12, /* the secondary state: offline */
};

/* Whether a command with these RULE_* conflicts for a nexus with these bars. */
static inline bool bars_pr_conflict(uint32_t bars, uint32_t rules)
{
	if (!(bars & BAR_PR) || rules & RULE_PR_SELF)
		return false;
	if (bars & BAR_PR_LOST)
		return !(rules & RULE_ALUA_TRANSITION);
	if (rules & RULE_PR_OK)
		return false;
	return bars & BAR_PR_READ || !(rules & RULE_PR_READ);
}

/*
 * Judge a command whose nexus is barred from something. False: it has been ended. On its loop.
 */
bool bars_pass(struct cmd *cmd, uint32_t bars);
/*
 * The same for reservations alone, with these RULE_* instead of the row's: for handlers of rows
 * with RULE_PR_SELF.
 */
bool bars_pass_pr(struct cmd *cmd, uint32_t bars, uint32_t rules);

/* The access state that they say; TPG_OFFLINE for the secondary one. */
static inline unsigned bars_alua_state(uint32_t bars)
{
	return bars & BAR_ALUA_OFFLINE ? 0xe : (bars & BAR_ALUA_MASK) >> BAR_ALUA_SHIFT;
}

/* Work the word out anew, for one nexus or all of lu. Under lu->lock. */
void itl_bars_update(struct itl *itl);
void lu_bars_update(struct lu *lu);

#endif
