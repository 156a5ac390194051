/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lba_status.c: GET LBA STATUS (SBC-3 5.4): which blocks are deallocated. The disk's allocation map
 * is asked on a worker thread, for it may block.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "block/backstore.h"
#include "engine/handlers.h"
#include "engine/lu.h"
#include "engine/sbc/blocks.h"

#define HEADER      8u
#define DESCRIPTOR  16u
#define DESCRIPTORS 64u /* in one answer; the initiator asks again from where it ends */

/* PROVISIONING STATUS, SBC-3 table 42. 0 is also for what is not known. */
enum { MAPPED = 0, DEALLOCATED = 1 };

struct lba_status {
	struct cmd_work work;
	struct backstore *bs;
	uint8_t shift;
	uint64_t lba, end; /* blocks that are asked about */
	struct ulio_extent extents[DESCRIPTORS];
	int n; /* of extents, or -errno */
	uint32_t len; /* of data */
	uint8_t data[HEADER + DESCRIPTORS * DESCRIPTOR];
};

/* On a worker thread. */
static int ask_map(struct cmd_work *work)
{
	struct lba_status *s = container_of(work, struct lba_status, work);

	return backstore_map(
		s->bs, s->lba << s->shift, (s->end - s->lba) << s->shift, s->extents, DESCRIPTORS);
}

/* Say that blocks up to `to` have this status. False: the answer is full. */
static bool say(struct lba_status *s, uint64_t to, uint8_t status)
{
	while (s->lba < to) {
		uint64_t n = to - s->lba < UINT32_MAX ? to - s->lba : UINT32_MAX;
		uint8_t *d = s->data + s->len, *last = s->len > HEADER ? d - DESCRIPTOR : NULL;

		if (last && last[12] == status && get_be32(last + 8) <= UINT32_MAX - n) {
			put_be32(last + 8, get_be32(last + 8) + (uint32_t)n);
		} else if (s->len == sizeof(s->data)) {
			return false;
		} else {
			put_be64(d, s->lba);
			put_be32(d + 8, (uint32_t)n);
			d[12] = status;
			s->len += DESCRIPTOR;
		}
		s->lba += n;
	}
	return true;
}

/* Only blocks that lie in a hole as a whole are deallocated. */
static void say_extents(struct lba_status *s)
{
	uint64_t round = (1ull << s->shift) - 1, to = s->lba;

	for (int i = 0; i < s->n; i++) {
		const struct ulio_extent *e = &s->extents[i];
		uint64_t hole = (e->off_bytes + round) >> s->shift;

		to = (e->off_bytes + e->len_bytes) >> s->shift;
		if (e->kind != ULIO_EXTENT_HOLE || to <= hole)
			continue;
		if (!say(s, hole, MAPPED) || !say(s, to, DEALLOCATED))
			return;
	}
	say(s, to, MAPPED);
}

static void have_map(struct cmd *cmd)
{
	struct lba_status *s = cmd->scratch;

	s->n = s->work.result;
	s->len = HEADER;
	if (s->n > 0) {
		say_extents(s);
		/* Extents shorter than a block tell nothing, but whoever asks has to get on. */
		if (s->len == HEADER)
			say(s, s->lba + 1, MAPPED);
	} else if (s->n == -EOPNOTSUPP) {
		say(s, s->end, MAPPED); /* SBC-3 5.4.2: mapped, or not known */
	} else {
		cmd_fail(cmd, SENSE_UNRECOVERED_READ_ERROR);
		return;
	}
	put_be32(s->data, s->len - 4);
	cmd_reply(cmd, s->data, s->len, get_be32(cmd->cdb + 10));
}

static void start(struct cmd *cmd)
{
	struct lba_status *s = calloc(1, sizeof(*s));
	const struct lu_conf *c = cmd_conf(cmd);

	if (!s) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	cmd->scratch = s;
	s->bs = cmd->lu->bs;
	s->shift = c->block_shift;
	s->lba = get_be64(cmd->cdb + 2);
	s->end = c->nblocks;
	if (s->lba >= s->end)
		cmd_fail_info(cmd, SENSE_LBA_OUT_OF_RANGE, s->lba); /* it has shrunk meanwhile */
	else
		cmd_submit_work(cmd, &s->work, ask_map, have_map);
}

void sbc_get_lba_status(struct cmd *cmd)
{
	uint64_t lba = get_be64(cmd->cdb + 2);

	/* SBC-3 5.4.1: the starting block itself must be there. */
	if (lba >= cmd_conf(cmd)->nblocks)
		cmd_fail_info(cmd, SENSE_LBA_OUT_OF_RANGE, lba);
	else
		cmd_enter_io(cmd, start);
}
