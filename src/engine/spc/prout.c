/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prout.c: PERSISTENT RESERVE OUT (SPC-4 6.16): its parameter list. What it does is pr/pr.c.
 */
#include <stdatomic.h>

#include "base/bytes.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "engine/pr/pr.h"
#include "scsi/opcodes.h"

/* SPC-4 5.12.3, SPC-2 5.5.1: under a reservation of RESERVE(6) there are no persistent ones. */
static bool reserved6(const struct cmd *cmd)
{
	return atomic_load_explicit(&cmd->lu->reserve6, memory_order_acquire);
}

static void have_list(struct cmd *cmd)
{
	uint8_t action = cmd->cdb[1] & 0x1f;
	uint32_t len = get_be32(cmd->cdb + 5);
	const uint8_t *buf = cmd_out_flat(cmd);
	struct prout_list list;
	struct sense s;

	/* RFC 7143 4.2.2.3.4 f: it tells that tasks of others have ended. */
	cmd->fenced = action == SA_PREEMPT_AND_ABORT;
	if (reserved6(cmd))
		cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
	else if (!buf)
		cmd_status(cmd, STATUS_BUSY);
	else if (cmd->out.bytes < len)
		/* The initiator has less than the CDB speaks of. */
		cmd_fail(cmd, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	else if (!prout_parse(action, buf, len, &list, &s))
		cmd_fail_sense(cmd, &s);
	else
		pr_change(cmd, &list);
}

void spc_persistent_reserve_out(struct cmd *cmd)
{
	uint32_t len = get_be32(cmd->cdb + 5);

	if (reserved6(cmd))
		cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
	else if (len < PROUT_BASIC_BYTES || len > PROUT_MAX_BYTES)
		/* SPC-4 6.16.1; told before data are asked for. */
		cmd_fail(cmd, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	else
		cmd_get_data_out(cmd, len, have_list);
}
