/* SPDX-License-Identifier: BSD-3-Clause */
/* reserve.c: RESERVE and RELEASE (6) and (10) (SPC-2 7.19 to 7.22). */
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/reserve6.h"

void spc_reserve(struct cmd *cmd)
{
	if (reserve6_take(cmd->lu, cmd->nexus))
		cmd_good(cmd);
	else
		cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
}

void spc_release(struct cmd *cmd)
{
	/* Of no reservation, or of another nexus's, it is answered GOOD and does nothing. */
	reserve6_release(cmd->lu, cmd->nexus);
	cmd_good(cmd);
}
