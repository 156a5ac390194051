/* SPDX-License-Identifier: BSD-3-Clause */
/* unmap.c: UNMAP (SBC-3 5.28). The whole list is checked before the first block is unmapped. */
#include <stdlib.h>

#include "base/bytes.h"
#include "block/bio.h"
#include "engine/handlers.h"
#include "engine/sbc/blocks.h"

#define HEADER     8u
#define DESCRIPTOR 16u

/* Where the work is. In cmd->scratch. */
struct unmap {
	uint32_t n, at;
	uint64_t lba, left; /* of descriptor `at` */
	uint64_t nblocks; /* of the piece under way */
	uint8_t list[];
};

static void unmap_next(struct cmd *cmd);

static void unmap_back(struct cmd *cmd)
{
	struct unmap *u = cmd->scratch;

	if (cmd->bio->b.result) {
		cmd_fail_bio(cmd, cmd->bio);
		return;
	}
	u->lba += u->nblocks;
	u->left -= u->nblocks;
	unmap_next(cmd);
}

static void unmap_next(struct cmd *cmd)
{
	struct unmap *u = cmd->scratch;
	const struct lu_conf *c = cmd_conf(cmd);
	uint64_t most = c->max_discard_bytes >> c->block_shift;

	while (!u->left && u->at < u->n) {
		const uint8_t *d = u->list + u->at++ * DESCRIPTOR;

		u->lba = get_be64(d);
		u->left = get_be32(d + 8);
	}
	if (!u->left) {
		cmd_good(cmd);
		return;
	}
	u->nblocks = most && u->left > most ? most : u->left;
	/* With WCE=0 nobody sends a SYNCHRONIZE CACHE, and what was unmapped must not come back. */
	cmd_submit_bio(cmd, ULIO_OP_DISCARD, blocks_fua(c, false), u->lba, u->nblocks, NULL, 0, 0,
		unmap_back);
}

/* Check descriptor i; adds to the range that cmd touches. False: the command has been ended. */
static bool check_descriptor(struct cmd *cmd, const uint8_t *d, uint32_t i, uint64_t *total)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint64_t lba = get_be64(d), n = get_be32(d + 8), end;

	if (lba > c->nblocks || n > c->nblocks - lba) {
		cmd_fail_info(cmd, SENSE_LBA_OUT_OF_RANGE, lba);
		return false;
	}
	*total += n;
	if (*total > c->a.max_unmap_lba_count) {
		cmd_fail_param(cmd, HEADER + i * DESCRIPTOR + 8, 7);
		return false;
	}
	if (!n)
		return true;
	end = cmd->nblocks ? cmd->lba + cmd->nblocks : lba;
	if (!cmd->nblocks || lba < cmd->lba)
		cmd->lba = lba;
	if (lba + n > end)
		end = lba + n;
	cmd->nblocks = end - cmd->lba;
	return true;
}

static void unmap_have_list(struct cmd *cmd)
{
	const struct lu_conf *c = cmd_conf(cmd);
	uint32_t len = cmd->out.bytes, n;
	uint8_t head[HEADER];
	uint64_t total = 0;
	struct unmap *u;

	cmd_out_copy(cmd, 0, head, sizeof(head));
	/* UNMAP DATA LENGTH and BLOCK DESCRIPTOR DATA LENGTH must lie within what was sent. */
	if (len < HEADER || get_be16(head) + 2u > len || get_be16(head + 2) > len - HEADER) {
		cmd_fail(cmd, SENSE_PARAMETER_LIST_LENGTH_ERROR);
		return;
	}
	n = get_be16(head + 2) / DESCRIPTOR;
	if (n > c->a.max_unmap_block_desc_count) {
		cmd_fail_param(cmd, 2, 7);
		return;
	}
	u = calloc(1, sizeof(*u) + n * DESCRIPTOR);
	if (!u) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	cmd->scratch = u;
	u->n = n;
	cmd_out_copy(cmd, HEADER, u->list, n * DESCRIPTOR);
	for (uint32_t i = 0; i < n; i++)
		if (!check_descriptor(cmd, u->list + i * DESCRIPTOR, i, &total))
			return;
	if (!total)
		cmd_good(cmd);
	else
		cmd_enter_io(cmd, unmap_next);
}

void sbc_unmap(struct cmd *cmd)
{
	uint32_t len = get_be16(cmd->cdb + 7);

	if (!len) /* SBC-3 5.28.1: not an error */
		cmd_good(cmd);
	else if (len < HEADER)
		cmd_fail(cmd, SENSE_PARAMETER_LIST_LENGTH_ERROR);
	else
		cmd_get_data_out(cmd, len, unmap_have_list);
}
