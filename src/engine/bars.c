/* SPDX-License-Identifier: BSD-3-Clause */
/* bars.c: how the word comes about, and what it means to a command. */
#include "engine/bars.h"

#include "engine/alua.h"
#include "engine/engine_priv.h"
#include "engine/optable.h"
#include "engine/pr/pr.h"

bool bars_pass_pr(struct cmd *cmd, uint32_t bars, uint32_t rules)
{
	if (!bars_pr_conflict(bars, rules))
		return true;
	if (bars & BAR_PR_LOST)
		cmd_fail(cmd, SENSE_PR_INFORMATION_LOST);
	else
		cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
	return false;
}

bool bars_pass(struct cmd *cmd, uint32_t bars)
{
	return alua_pass(cmd, bars) && bars_pass_pr(cmd, bars, cmd->row->rules);
}

void itl_bars_update(struct itl *itl)
{
	atomic_store_explicit(&itl->bars, alua_bars(itl) | pr_bars_of(itl), memory_order_release);
}

void lu_bars_update(struct lu *lu)
{
	struct itl *itl;

	list_for_each (itl, &lu->itls, struct itl, lu_link)
		itl_bars_update(itl);
}
