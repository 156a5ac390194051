/* SPDX-License-Identifier: BSD-3-Clause */
/* referrals.c: REPORT REFERRALS (SBC-3 5.22): which blocks are reached by which ports. */
#include <stdlib.h>

#include "base/bytes.h"
#include "engine/alua.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"

void sbc_report_referrals(struct cmd *cmd)
{
	struct referral r[ALUA_MAX_LBA_ROWS];
	uint64_t lba = get_be64(cmd->cdb + 2);
	bool one = cmd->cdb[14] & 0x01; /* ONE_SEG */
	unsigned n;
	size_t len;

	if (lba >= cmd_conf(cmd)->nblocks) {
		cmd_fail_info(cmd, SENSE_LBA_OUT_OF_RANGE, lba);
		return;
	}
	n = alua_lba_referrals(cmd->lu, lba, one, r, ALUA_MAX_LBA_ROWS);
	len = referrals_build(r, n, NULL, 0);
	cmd->scratch = malloc(len);
	if (!cmd->scratch) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	referrals_build(r, n, cmd->scratch, len);
	cmd_reply(cmd, cmd->scratch, (uint32_t)len, get_be32(cmd->cdb + 10));
}
