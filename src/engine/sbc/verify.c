/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.c: VERIFY and WRITE AND VERIFY (10), (12), (16) (SBC-3 5.29 to 5.32, 5.37 to 5.40). The
 * medium is read in pieces; with BYTCHK it is compared with the Data-Out, all of it (01b) or one
 * block for every block of the range (11b).
 */
#include <stdlib.h>

#include "base/iov.h"
#include "block/bio.h"
#include "engine/handlers.h"
#include "engine/sbc/blocks.h"
#include "loop/pool.h"
#include "scsi/opcodes.h"

#define PIECE_BYTES (1u << 20)

enum { BYTCHK_NONE = 0, BYTCHK_ALL = 1, BYTCHK_RESERVED = 2, BYTCHK_ONE = 3 };

/* Where a verification is. In cmd->scratch. */
struct verify {
	struct cdb_rw rw;
	uint64_t end; /* block after the last */
	uint64_t at; /* next block to read */
	uint32_t nblocks; /* of the piece under way */
};

static void verify_next(struct cmd *cmd);

/*
 * Pieces are read into cmd->in, which the initiator never gets: it is emptied before the command
 * ends well, and all other ends empty it themselves.
 */
static void verify_good(struct cmd *cmd)
{
	cmd_data_cut(cmd, &cmd->in, 0);
	cmd_good(cmd);
}

/* Compare the piece that was read. Returns bytes that are equal from its start on. */
static size_t compare(const struct cmd *cmd, const struct verify *v)
{
	uint8_t shift = cmd_conf(cmd)->block_shift;
	size_t n = (size_t)v->nblocks << shift, same;

	if (v->rw.bytchk == BYTCHK_ALL)
		return iov_compare(cmd->in.iov, cmd->in.niov, 0, cmd->out.iov, cmd->out.niov,
			(v->at - v->rw.lba) << shift, n);
	for (uint32_t i = 0; i < v->nblocks; i++) {
		same = iov_compare(cmd->in.iov, cmd->in.niov, (size_t)i << shift, cmd->out.iov,
			cmd->out.niov, 0, 1u << shift);
		if (same != 1u << shift)
			return ((size_t)i << shift) + same;
	}
	return n;
}

static void verify_read(struct cmd *cmd)
{
	struct verify *v = cmd->scratch;
	uint8_t shift = cmd_conf(cmd)->block_shift;
	size_t same = (size_t)v->nblocks << shift;

	if (cmd->bio->b.result) {
		cmd_fail_bio(cmd, cmd->bio);
		return;
	}
	if (v->rw.bytchk != BYTCHK_NONE)
		same = compare(cmd, v);
	if (same != (size_t)v->nblocks << shift) {
		uint64_t offset = ((v->at - v->rw.lba) << shift) + same;

		cmd_fail_info(cmd, SENSE_MISCOMPARE, offset);
		return;
	}
	v->at += v->nblocks;
	verify_next(cmd);
}

static void verify_next(struct cmd *cmd)
{
	struct verify *v = cmd->scratch;
	uint8_t shift = cmd_conf(cmd)->block_shift;
	uint64_t most = cmd->in.bytes >> shift;

	if (v->at == v->end) {
		verify_good(cmd);
		return;
	}
	v->nblocks = (uint32_t)(v->end - v->at < most ? v->end - v->at : most);
	/* The last piece may be shorter. */
	cmd_data_cut(cmd, &cmd->in, v->nblocks << shift);
	cmd_submit_bio(cmd, ULIO_OP_READ, 0, v->at, v->nblocks, cmd->in.iov, cmd->in.niov,
		cmd->in.niov, verify_read);
}

static struct verify *verify_new(struct cmd *cmd)
{
	struct verify *v = calloc(1, sizeof(*v));
	uint64_t n;

	if (!v)
		return NULL;
	(void)cdb_rw_decode(cmd->cdb, cmd->cdb_len, &v->rw);
	v->at = cmd->lba;
	v->end = cmd->lba + cmd->nblocks;
	n = cmd->nblocks << cmd_conf(cmd)->block_shift;
	if (cmd_data_add_pages(cmd, &cmd->in, n < PIECE_BYTES ? (uint32_t)n : PIECE_BYTES)) {
		free(v);
		return NULL;
	}
	free(cmd->scratch);
	cmd->scratch = v;
	return v;
}

static void verify_start(struct cmd *cmd)
{
	if (verify_new(cmd))
		verify_next(cmd);
	else
		cmd_status(cmd, STATUS_BUSY);
}

static void verify_have_data(struct cmd *cmd)
{
	cmd_enter_io(cmd, verify_start);
}

/* Data that are fewer than what is to be compared verify nothing. */
static void verify_get_data(struct cmd *cmd, uint32_t n)
{
	if (cmd->edtl_out < n) {
		cmd_expect_out(cmd, n);
		cmd_fail_cdb(cmd, blocks_length_byte(cmd), 7);
	} else {
		cmd_get_data_out(cmd, n, verify_have_data);
	}
}

void sbc_verify(struct cmd *cmd)
{
	struct cdb_rw rw;

	(void)cdb_rw_decode(cmd->cdb, cmd->cdb_len, &rw);
	if (rw.bytchk == BYTCHK_RESERVED) {
		cmd_fail_cdb(cmd, 1, 2);
		return;
	}
	/* Only what is transferred is bounded by MAXIMUM TRANSFER LENGTH. */
	if (!(rw.bytchk == BYTCHK_ALL ? blocks_decode_transfer : blocks_decode)(cmd, &rw))
		return;
	if (!cmd->nblocks)
		cmd_good(cmd);
	else if (rw.bytchk == BYTCHK_NONE)
		cmd_enter_io(cmd, verify_start);
	else
		verify_get_data(cmd, (rw.bytchk == BYTCHK_ONE ? 1 : rw.nblocks)
					     << cmd_conf(cmd)->block_shift);
}

/* ---- WRITE AND VERIFY ----------------------------------------------------------------------- */

static void wv_written(struct cmd *cmd)
{
	if (cmd->bio->b.result)
		cmd_fail_bio(cmd, cmd->bio);
	else
		verify_start(cmd);
}

/* What is verified must be on the medium: SBC-3 5.37. */
static void wv_send(struct cmd *cmd)
{
	cmd_submit_bio(cmd, ULIO_OP_WRITE, ULIO_BIO_FUA, cmd->lba, cmd->nblocks, cmd->out.iov,
		cmd->out.niov, cmd->out.niov, wv_written);
}

static void wv_have_data(struct cmd *cmd)
{
	if (write_cut(cmd))
		cmd_enter_io(cmd, wv_send);
}

void sbc_write_verify(struct cmd *cmd)
{
	struct cdb_rw rw;

	(void)cdb_rw_decode(cmd->cdb, cmd->cdb_len, &rw);
	/* SBC-3 5.37: BYTCHK is 00b or 01b; here the other bit was let through by VERIFY's mask. */
	if (rw.bytchk > BYTCHK_ALL) {
		cmd_fail_cdb(cmd, 1, 2);
		return;
	}
	if (!blocks_decode_transfer(cmd, &rw))
		return;
	if (!cmd->nblocks)
		cmd_good(cmd);
	else
		cmd_get_data_out(cmd, rw.nblocks << cmd_conf(cmd)->block_shift, wv_have_data);
}
