/* SPDX-License-Identifier: BSD-3-Clause */
/* mode.c: MODE SENSE and MODE SELECT (6) and (10) (SPC-4 6.11 to 6.14). */
#include "scsi/modepage.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "engine/nexus.h"
#include "engine/ua.h"
#include "scsi/opcodes.h"

static struct mode_medium medium(const struct cmd *cmd, const struct lu_conf *c)
{
	return (struct mode_medium){
		.wp = c->write_protected || cmd->read_only,
		.dpofua = c->a.emulate_fua_write,
		.nblocks = c->nblocks,
		.block_bytes = lu_conf_block_bytes(c),
	};
}

void spc_mode_sense(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	struct mode_sense_req req = mode_sense_decode(cmd->cdb);
	struct mode_medium m = medium(cmd, c);
	uint8_t buf[MODE_SENSE_MAX];
	struct sense s;
	size_t len;

	if (mode_sense_build(&c->mode, &m, &req, buf, sizeof(buf), &len, &s))
		cmd_reply(cmd, buf, (uint32_t)len, req.ten ? get_be16(cmd->cdb + 7) : cmd->cdb[4]);
	else
		cmd_fail_sense(cmd, &s);
}

struct selection {
	struct mode_values values;
};

static void take_values(struct lu_conf *conf, void *arg)
{
	const struct cmd *cmd = arg;
	const struct selection *sel = cmd->scratch;

	conf->mode.current = sel->values;
	lu_conf_take_mode(conf);
}

static void selected(void *arg, int error)
{
	struct cmd *cmd = arg;

	/* SPC-4 6.11: the other nexuses learn that parameters have changed. */
	ua_add_all(cmd->lu, SENSE_MODE_PARAMETERS_CHANGED, cmd->nexus);
	cmd_good(cmd);
}

static void have_list(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	struct mode_select_req req = mode_select_decode(cmd->cdb);
	struct mode_medium m = medium(cmd, c);
	const uint8_t *list = cmd_out_flat(cmd);
	struct selection *sel = malloc(sizeof(*sel));
	struct sense s;

	if (!list || !sel) {
		free(sel);
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	if (!mode_select_parse(&c->mode, &m, &req, list, cmd->out.bytes, &sel->values, &s)) {
		free(sel);
		cmd_fail_sense(cmd, &s);
		return;
	}
	free(cmd->scratch); /* the list */
	cmd->scratch = sel;
	if (!memcmp(&sel->values, &c->mode.current, sizeof(sel->values)))
		cmd_good(cmd);
	else if (lu_change_async(cmd->lu, cmd->loop, take_values, selected, cmd))
		cmd_status(cmd, STATUS_BUSY);
}

void spc_mode_select(struct cmd *cmd)
{
	bool ten = cmd->cdb[0] == OP_MODE_SELECT_10;
	struct mode_select_req req = mode_select_decode(cmd->cdb);
	uint32_t len = ten ? get_be16(cmd->cdb + 7) : cmd->cdb[4];

	/* Told before data are asked for: SPC-4 6.11, PF and SP. */
	if (!req.pf)
		cmd_fail_cdb(cmd, 1, 4);
	else if (req.sp)
		cmd_fail_cdb(cmd, 1, 0);
	else if (!len) /* SPC-4 6.11: not an error, nothing is transferred */
		cmd_good(cmd);
	else
		cmd_get_data_out(cmd, len, have_list);
}
