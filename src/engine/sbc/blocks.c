/* SPDX-License-Identifier: BSD-3-Clause */
/* blocks.c: block ranges of CDBs against the capacity and the limits that are reported. */
#include "engine/sbc/blocks.h"

#include <assert.h>

#include "block/bio.h"
#include "engine/optable.h"

bool blocks_decode(struct cmd *cmd, struct cdb_rw *ret)
{
	const struct lu_conf *c = cmd_conf(cmd);
	int rc = cdb_rw_decode(cmd->cdb, cmd->cdb_len, ret);

	assert(!rc); /* the row has checked the length */
	if (ret->lba > c->nblocks || ret->nblocks > c->nblocks - ret->lba) {
		cmd_fail_info(cmd, SENSE_LBA_OUT_OF_RANGE, ret->lba);
		return false;
	}
	cmd->lba = ret->lba;
	cmd->nblocks = ret->nblocks;
	return true;
}

unsigned blocks_length_byte(const struct cmd *cmd)
{
	unsigned cdb_len = cmd->row->cdb_len;

	return cdb_len == 6 ? 4 : cdb_len == 10 ? 7 : cdb_len == 12 ? 6 : 10;
}

bool blocks_decode_transfer(struct cmd *cmd, struct cdb_rw *ret)
{
	if (!blocks_decode(cmd, ret))
		return false;
	if (ret->nblocks <= lu_conf_max_blocks(cmd_conf(cmd)))
		return true;
	cmd_fail_cdb(cmd, blocks_length_byte(cmd), 7);
	return false;
}

uint16_t blocks_fua(const struct lu_conf *c, bool fua)
{
	return (fua && c->a.emulate_fua_write) || lu_conf_write_through(c) ? ULIO_BIO_FUA : 0;
}

bool blocks_exact(struct cmd *cmd, uint64_t n, unsigned length_byte)
{
	cmd_expect_out(cmd, n);
	if (cmd->edtl_out == n)
		return true;
	cmd_fail_cdb(cmd, length_byte, 7);
	return false;
}
