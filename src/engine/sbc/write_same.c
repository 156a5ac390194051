/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_same.c: WRITE SAME (10), (16) (SBC-3 5.46, 5.47). Zeroes, sent or meant by NDOB, are one
 * request to the disk, which deallocates where UNMAP allows and blocks then read as zeroes; any
 * other pattern is written out in pieces.
 */
#include <stdlib.h>

#include "base/iov.h"
#include "block/bio.h"
#include "engine/handlers.h"
#include "engine/optable.h"
#include "engine/sbc/blocks.h"
#include "loop/pool.h"

#define PIECE_BYTES (1u << 20)

struct same {
	struct cdb_rw rw;
	uint64_t at, end;
	uint64_t nblocks; /* of the piece under way */
	struct iovec iov[PIECE_BYTES / POOL_PAGE_BYTES + 1]; /* of the piece under way */
};

/*
 * The pattern, repeated, is in cmd->in, which the initiator never gets: it is emptied before the
 * command ends well, and all other ends empty it themselves.
 */
static void same_good(struct cmd *cmd)
{
	cmd_data_cut(cmd, &cmd->in, 0);
	cmd_good(cmd);
}

static void same_next(struct cmd *cmd);

static void same_back(struct cmd *cmd)
{
	struct same *s = cmd->scratch;

	if (cmd->bio->b.result) {
		cmd_fail_bio(cmd, cmd->bio);
		return;
	}
	s->at += s->nblocks;
	same_next(cmd);
}

static void zero_piece(struct cmd *cmd, struct same *s)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint64_t most = c->max_discard_bytes >> c->block_shift;
	uint16_t flags = blocks_fua(c, false);

	s->nblocks = s->end - s->at;
	if (most && s->nblocks > most)
		s->nblocks = most;
	if (s->rw.unmap && lu_conf_lbprz(c))
		flags |= ULIO_BIO_MAY_UNMAP;
	cmd_submit_bio(cmd, ULIO_OP_ZERO, flags, s->at, s->nblocks, NULL, 0, 0, same_back);
}

static void pattern_piece(struct cmd *cmd, struct same *s)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint64_t most = cmd->in.bytes >> c->block_shift;
	ssize_t n;

	s->nblocks = s->end - s->at < most ? s->end - s->at : most;
	n = iov_slice(s->iov, sizeof(s->iov) / sizeof(s->iov[0]), cmd->in.iov, cmd->in.niov, 0,
		s->nblocks << c->block_shift);
	if (n < 0) {
		cmd_fail(cmd, SENSE_INTERNAL_TARGET_FAILURE);
		return;
	}
	cmd_submit_bio(cmd, ULIO_OP_WRITE, blocks_fua(c, false), s->at, s->nblocks, s->iov,
		(uint32_t)n, (uint32_t)n, same_back);
}

static void same_next(struct cmd *cmd)
{
	struct same *s = cmd->scratch;

	if (s->at == s->end) {
		same_good(cmd);
	} else if (cmd->in.niov) {
		pattern_piece(cmd, s);
	} else {
		zero_piece(cmd, s);
	}
}

static bool all_zero(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && !p[i])
		i++;
	return i == n;
}

/* Fill the pieces' memory with the block that was sent. */
static int repeat(struct cmd *cmd, struct same *s, const uint8_t *block, uint32_t bytes)
{
	uint64_t n = (s->end - s->at) * bytes;

	if (n > PIECE_BYTES)
		n = PIECE_BYTES;
	if (cmd_data_add_pages(cmd, &cmd->in, (uint32_t)n))
		return -1;
	for (uint64_t off = 0; off < n; off += bytes)
		iov_copy_in(cmd->in.iov, cmd->in.niov, off, block, bytes);
	return 0;
}

static void same_start(struct cmd *cmd)
{
	uint32_t bytes = lu_conf_block_bytes(cmd_conf(cmd));
	struct same *s = calloc(1, sizeof(*s));
	uint8_t block[4096];

	if (!s) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	cmd->scratch = s;
	(void)cdb_rw_decode(cmd->cdb, cmd->cdb_len, &s->rw);
	s->at = cmd->lba;
	s->end = cmd->lba + cmd->nblocks;
	if (!s->rw.ndob) {
		cmd_out_copy(cmd, 0, block, bytes);
		if (!all_zero(block, bytes) && repeat(cmd, s, block, bytes)) {
			cmd_status(cmd, STATUS_BUSY);
			return;
		}
	}
	same_next(cmd);
}

static void same_have_data(struct cmd *cmd)
{
	cmd_enter_io(cmd, same_start);
}

void sbc_write_same(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	struct cdb_rw rw;

	if (!blocks_decode(cmd, &rw))
		return;
	if (rw.unmap && !c->a.emulate_tpws) {
		cmd_fail_cdb(cmd, 1, 3);
		return;
	}
	/*
	 * WSNZ of the block limits page: 0 is not "up to the last block". Nobody means that, and an
	 * initiator's mistake would cost a whole disk.
	 */
	if (!rw.nblocks || (c->a.max_write_same_len && rw.nblocks > c->a.max_write_same_len))
		cmd_fail_cdb(cmd, blocks_length_byte(cmd), 7);
	else if (!blocks_exact(cmd, rw.ndob ? 0 : lu_conf_block_bytes(c), blocks_length_byte(cmd)))
		return;
	else if (rw.ndob)
		cmd_enter_io(cmd, same_start);
	else
		cmd_get_data_out(cmd, lu_conf_block_bytes(c), same_have_data);
}
