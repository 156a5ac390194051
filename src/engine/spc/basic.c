/* SPDX-License-Identifier: BSD-3-Clause */
/* basic.c: TEST UNIT READY, REQUEST SENSE (SPC-4 6.47, 6.39). */
#include "engine/alua.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "engine/nexus.h"
#include "engine/ua.h"
#include "scsi/sense.h"

void spc_test_unit_ready(struct cmd *cmd)
{
	/* Readiness was checked by its row. */
	cmd_good(cmd);
}

/*
 * What there is to tell, as parameter data with GOOD: a pending unit attention, which is then
 * cleared; why the LU is not ready; for a LUN without an LU that there is none (SPC-4 6.39).
 */
static struct sense present_sense(struct cmd *cmd)
{
	enum sense_name ua;

	if (!cmd->lu)
		return sense_plain(SENSE_LU_NOT_SUPPORTED);
	/* SPC-4 6.39: where INQUIRY has a peripheral qualifier of 001b. */
	if (!alua_connected(cmd))
		return sense_plain(SENSE_LU_NOT_SUPPORTED);
	if (ua_take(cmd->itl, &ua)) {
		cmd->fenced = ua_is_fenced(ua);
		return sense_plain(ua);
	}
	ua = alua_sense(cmd);
	if (ua != SENSE_NO_SENSE)
		return sense_plain(ua);
	switch (cmd_conf(cmd)->readiness) {
	case LU_PENDING:
		return sense_plain(SENSE_BECOMING_READY);
	case LU_NO_MEDIUM:
		return sense_plain(SENSE_MEDIUM_NOT_PRESENT);
	case LU_FAILED:
		return sense_plain(SENSE_LU_FAILURE);
	case LU_READY:
		break;
	}
	return sense_plain(SENSE_NO_SENSE);
}

void spc_request_sense(struct cmd *cmd)
{
	bool descriptor = cmd->cdb[1] & 0x01;
	struct sense s = present_sense(cmd);
	uint8_t buf[SENSE_MAX_BYTES];
	size_t len = sense_encode(&s, descriptor, buf, sizeof(buf));

	cmd_reply(cmd, buf, (uint32_t)len, cmd->cdb[4]);
}
