/* SPDX-License-Identifier: BSD-3-Clause */
/* reserve.c: RESERVE and RELEASE (6) and (10) (SPC-2 7.19 to 7.22). */
#include <stdatomic.h>

#include "engine/bars.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/nexus.h"
#include "engine/pr/pr.h"

static void end(struct cmd *cmd, enum pr_reserve6 verdict)
{
	static const enum status status[] = {
		[PR_RESERVE6_DONE] = STATUS_GOOD,
		[PR_RESERVE6_COMPATIBLE] = STATUS_GOOD,
		[PR_RESERVE6_CONFLICT] = STATUS_RESERVATION_CONFLICT,
		[PR_RESERVE6_BUSY] = STATUS_BUSY,
	};

	cmd_status(cmd, status[verdict]);
}

/* What the state of a lost persistent reservation does not let pass. */
static bool lost(struct cmd *cmd)
{
	uint32_t bars = atomic_load_explicit(&cmd->itl->bars, memory_order_acquire);

	return bars & BAR_PR_LOST && !bars_pass_pr(cmd, bars, 0);
}

void spc_reserve(struct cmd *cmd)
{
	if (!lost(cmd))
		end(cmd, pr_reserve6(cmd->lu, cmd->nexus));
}

void spc_release(struct cmd *cmd)
{
	/* Of no reservation, or of another nexus's, it is answered GOOD and does nothing. */
	if (!lost(cmd))
		end(cmd, pr_release6(cmd->lu, cmd->nexus));
}
