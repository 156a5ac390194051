/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * caw.c: COMPARE AND WRITE (SBC-4 5.3): read, compare and write as one step that no other command
 * can come between. Its range is announced first; commands of other ranges go on.
 */
#include <stdlib.h>

#include "base/iov.h"
#include "block/bio.h"
#include "engine/handlers.h"
#include "engine/sbc/blocks.h"
#include "loop/pool.h"

struct caw {
	struct cdb_rw rw;
	struct iovec list[]; /* the half of the Data-Out that is to be written */
};

static uint32_t half(const struct cmd *cmd)
{
	return (uint32_t)(cmd->nblocks << cmd_conf(cmd)->block_shift);
}

static void caw_written(struct cmd *cmd)
{
	if (cmd->bio->b.result)
		cmd_fail_bio(cmd, cmd->bio);
	else
		cmd_good(cmd);
}

static void caw_write(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint32_t most = cmd->out.niov + 1;
	struct caw *w = malloc(sizeof(*w) + most * sizeof(w->list[0]));
	ssize_t n;

	if (!w) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	cmd->scratch = w;
	(void)cdb_rw_decode(cmd->cdb, cmd->cdb_len, &w->rw);
	n = iov_slice(w->list, most, cmd->out.iov, cmd->out.niov, half(cmd), half(cmd));
	if (n < 0) {
		cmd_fail(cmd, SENSE_INTERNAL_TARGET_FAILURE);
		return;
	}
	cmd_submit_bio(cmd, ULIO_OP_WRITE, blocks_fua(c, w->rw.fua), cmd->lba, cmd->nblocks,
		w->list, (uint32_t)n, (uint32_t)n, caw_written);
}

/*
 * The medium is in cmd->in, which no initiator ever gets: it is given back before the command
 * ends.
 */
static void caw_drop(struct cmd *cmd)
{
	pages_unref(loop_set(cmd->loop), cmd->in.iov, cmd->in.niov);
	cmd->in.niov = 0;
	cmd->in.bytes = 0;
}

static void caw_compare(struct cmd *cmd)
{
	size_t same;

	if (cmd->bio->b.result) {
		caw_drop(cmd);
		cmd_fail_bio(cmd, cmd->bio);
		return;
	}
	same = iov_compare(cmd->in.iov, cmd->in.niov, 0, cmd->out.iov, cmd->out.niov, 0, half(cmd));
	caw_drop(cmd);
	if (same == half(cmd))
		caw_write(cmd);
	else
		cmd_fail_info(cmd, SENSE_MISCOMPARE, same);
}

static void caw_read(struct cmd *cmd)
{
	if (cmd_data_add_pages(cmd, &cmd->in, half(cmd)))
		cmd_status(cmd, STATUS_BUSY);
	else
		cmd_submit_bio(cmd, ULIO_OP_READ, 0, cmd->lba, cmd->nblocks, cmd->in.iov,
			cmd->in.niov, cmd->in.niov, caw_compare);
}

static void caw_lock(struct cmd *cmd)
{
	if (cmd_lock_range(cmd, caw_read))
		cmd_status(cmd, STATUS_BUSY);
}

static void caw_have_data(struct cmd *cmd)
{
	cmd_enter_io(cmd, caw_lock);
}

void sbc_compare_and_write(struct cmd *cmd)
{
	struct cdb_rw rw;

	if (!blocks_decode(cmd, &rw) || !blocks_exact(cmd, 2 * (uint64_t)half(cmd), 13))
		return;
	if (!rw.nblocks)
		cmd_good(cmd);
	else
		cmd_get_data_out(cmd, 2 * half(cmd), caw_have_data);
}
