/* SPDX-License-Identifier: BSD-3-Clause */
/* rw.c: READ and WRITE (6), (10), (12), (16) (SBC-3 5.7 to 5.12, 5.31 to 5.36). */
#include <assert.h>
#include <stdlib.h>

#include "base/iov.h"
#include "block/bio.h"
#include "engine/fabric.h"
#include "engine/handlers.h"
#include "engine/nexus.h"
#include "engine/sbc/blocks.h"
#include "loop/pool.h"

/* ---- READ ----------------------------------------------------------------------------------- */

static uint32_t read_bytes(const struct cmd *cmd)
{
	return (uint32_t)(cmd->nblocks << cmd_conf(cmd)->block_shift);
}

/* What the initiator has room for, of a READ whose last block it may have to cut. */
static uint32_t read_take(const struct cmd *cmd)
{
	return read_bytes(cmd) < cmd->edtl_in ? read_bytes(cmd) : cmd->edtl_in;
}

static void read_came(struct cmd *cmd)
{
	uint32_t take = read_take(cmd);

	if (cmd->bio->b.flags & ULIO_BIO_LEND) {
		cmd->in.niov = cmd->bio->b.niov;
		cmd->in.bytes = cmd->bio->b.result < 0 ? 0 : read_bytes(cmd);
	}
	if (cmd->bio->b.result) {
		cmd_fail_bio(cmd, cmd->bio);
		return;
	}
	if (cmd->in.bytes > take)
		cmd_data_cut(cmd, &cmd->in, take);
	cmd_good(cmd);
}

static void read_send(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint32_t n = read_bytes(cmd);
	bool lend = c->can_lend && cmd->nexus->ops->takes_lent_pages;
	int rc;

	if (lend) {
		rc = cmd_data_reserve(&cmd->in, n / POOL_PAGE_BYTES + 2);
	} else if (n == read_take(cmd)) {
		rc = cmd->nexus->ops->get_data_in(cmd, n);
	} else {
		/* The last block is cut: it is read whole all the same, into memory of ours. */
		rc = cmd_data_add_pages(cmd, &cmd->in, n);
	}
	if (rc) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	cmd_submit_bio(cmd, ULIO_OP_READ, lend ? ULIO_BIO_LEND : 0, cmd->lba, cmd->nblocks,
		cmd->in.iov, lend ? 0 : cmd->in.niov, cmd->in.cap, read_came);
}

static void read_flushed(struct cmd *cmd)
{
	if (cmd->bio->b.result)
		cmd_fail_bio(cmd, cmd->bio);
	else
		read_send(cmd);
}

/*
 * SBC-3 5.8, FUA: what is newer in the cache is written to the medium before it is read from
 * there.
 */
static void read_fua(struct cmd *cmd)
{
	cmd_submit_bio(cmd, ULIO_OP_FLUSH, 0, 0, 0, NULL, 0, 0, read_flushed);
}

void sbc_read(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	struct cdb_rw rw;
	uint64_t most;

	if (!blocks_decode_transfer(cmd, &rw))
		return;
	cmd_expect_in(cmd, (uint64_t)rw.nblocks << c->block_shift);
	/* Blocks that the initiator has no room for at all are not read. */
	most = ((uint64_t)cmd->edtl_in + lu_conf_block_bytes(c) - 1) >> c->block_shift;
	if (cmd->nblocks > most)
		cmd->nblocks = most;
	if (!cmd->nblocks)
		cmd_good(cmd);
	else
		cmd_enter_io(cmd, rw.fua && c->volatile_cache ? read_fua : read_send);
}

/* ---- WRITE ---------------------------------------------------------------------------------- */

static void written(struct cmd *cmd)
{
	if (cmd->bio->b.result)
		cmd_fail_bio(cmd, cmd->bio);
	else
		cmd_good(cmd);
}

static void write_send(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	struct cdb_rw rw;

	(void)cdb_rw_decode(cmd->cdb, cmd->cdb_len, &rw);
	cmd_submit_bio(cmd, ULIO_OP_WRITE,
		(uint16_t)(blocks_fua(c, rw.fua) | (c->can_give ? ULIO_BIO_GIVE : 0)), cmd->lba,
		cmd->nblocks, cmd->out.iov, cmd->out.niov, cmd->out.niov, written);
}

bool write_cut(struct cmd *cmd)
{
	uint8_t shift = cmd_conf(cmd)->block_shift;

	cmd->nblocks = cmd->out.bytes >> shift;
	cmd_data_cut(cmd, &cmd->out, (uint32_t)(cmd->nblocks << shift));
	if (cmd->nblocks)
		return true;
	cmd_good(cmd);
	return false;
}

static void write_have_data(struct cmd *cmd)
{
	if (write_cut(cmd))
		cmd_enter_io(cmd, write_send);
}

void sbc_write(struct cmd *cmd)
{
	struct cdb_rw rw;

	if (!blocks_decode_transfer(cmd, &rw))
		return;
	/* What came with the command all the same is not for the medium. */
	if (!rw.nblocks)
		cmd_good(cmd);
	else
		cmd_get_data_out(cmd, rw.nblocks << cmd_conf(cmd)->block_shift, write_have_data);
}
