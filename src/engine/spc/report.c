/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c: REPORT LUNS, SUPPORTED OPERATION CODES, SUPPORTED TMFS (SPC-4 6.33, 6.35, 6.36). */
#include <stdlib.h>

#include "base/bytes.h"
#include "engine/cmd.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "engine/nexus.h"
#include "engine/optable.h"
#include "engine/port.h"
#include "engine/tmf.h"
#include "scsi/lun.h"
#include "scsi/rsoc.h"

#define MAX_ROWS 96

void spc_report_luns(struct cmd *cmd)
{
	const struct lunmap *map = atomic_load_explicit(&cmd->nexus->map, memory_order_acquire);
	uint32_t alloc_len = get_be32(cmd->cdb + 6);
	size_t len = 8 + (size_t)map->n * LUN_BYTES;
	uint64_t *luns;
	uint8_t *buf;

	if (!select_report_valid(cmd->cdb[2])) {
		cmd_fail_cdb(cmd, 2, 7);
		return;
	}
	/* SPC-4 6.33: an ALLOCATION LENGTH below 16 is an error. */
	if (alloc_len < 16) {
		cmd_fail_cdb(cmd, 6, 7);
		return;
	}
	luns = malloc((map->n + 1) * sizeof(*luns));
	buf = malloc(len);
	if (!luns || !buf) {
		free(luns);
		free(buf);
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	for (uint32_t i = 0; i < map->n; i++)
		luns[i] = map->e[i].lun;
	len = report_luns_build((enum select_report)cmd->cdb[2], luns, map->n, NULL, 0, buf, len);
	free(luns);
	/* What was said of a changed inventory has been learnt by this. */
	cmd->scratch = buf;
	cmd_reply(cmd, buf, (uint32_t)len, alloc_len);
}

static size_t supported(const struct lu_conf *conf, struct rsoc_cmd *cmds)
{
	const struct op_row *row;
	size_t n = 0;

	for (unsigned i = 0; (row = op_at(i)); i++) {
		if (row->present && !row->present(conf))
			continue;
		cmds[n++] = (struct rsoc_cmd){
			.opcode = row->opcode,
			.servactv = row->sa != NO_SA,
			.service_action = row->sa == NO_SA ? 0 : (uint16_t)row->sa,
			.cdb_len = row->cdb_len,
			.usage = row->usage,
			.recommended_s = row->timeout_s,
		};
	}
	return n;
}

void spc_report_opcodes(struct cmd *cmd)
{
	struct rsoc_req req = rsoc_decode(cmd->cdb);
	struct rsoc_cmd cmds[MAX_ROWS];
	uint8_t buf[4 + MAX_ROWS * 20];
	struct sense s;
	size_t len;

	if (rsoc_build(cmds, supported(cmd_conf(cmd), cmds), &req, buf, sizeof(buf), &len, &s))
		cmd_reply(cmd, buf, (uint32_t)len, get_be32(cmd->cdb + 6));
	else
		cmd_fail_sense(cmd, &s);
}

void spc_report_tmfs(struct cmd *cmd)
{
	uint32_t alloc_len = get_be32(cmd->cdb + 6);
	unsigned mask = 0;
	uint8_t buf[16];
	size_t len;

	if (alloc_len < 4) {
		cmd_fail_cdb(cmd, 6, 7);
		return;
	}
	for (unsigned f = 0; f < TMF_FUNCTION_COUNT; f++)
		if (tmf_supported((enum tmf_function)f))
			mask |= 1u << f;
	mask &= ~cmd->nexus->no_tmfs;
	len = rstmf_build(
		mask, cmd->cdb[2] & 0x80, 0, TMF_STUCK_NS / 100000000u, 0, buf, sizeof(buf));
	cmd_reply(cmd, buf, (uint32_t)len, alloc_len);
}
