/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * range.h: ranges of blocks that one command has to itself: COMPARE AND WRITE (SBC-4 5.3), and
 * writes that a dead session left with a disk that does not answer (an old write must never land
 * on newer data). Ordinary commands read one flag (lu->nranges) and look here only while it is set.
 */
#ifndef ULIO_ENGINE_RANGE_H
#define ULIO_ENGINE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/drain.h"

struct cmd;
struct lu;

struct range {
	struct list link; /* in lu->ranges, under lu->lock */
	uint64_t lba, nblocks;
	const struct cmd *owner;
	/* Private. */
	struct lu *lu;
	void (*granted)(struct range *r);
	struct drain drain;
};

/* True if a range of another command than cmd overlaps what cmd touches. Any loop. */
bool range_conflicts(struct lu *lu, const struct cmd *cmd);

/*
 * Announce [lba, lba + nblocks) of cmd; granted() runs on its loop when no other command is at work
 * there on any loop. 0; -EBUSY: another range overlaps, wait for it; -ENOMEM.
 */
int range_announce(struct range *r, struct cmd *cmd, void (*granted)(struct range *r));
/* The range of an orphaned write: others wait for it, it waits for nobody. */
void range_hold(struct range *r, const struct cmd *cmd, struct lu *lu);
/* Give up; waiting commands of all loops go on. On the loop of the command. */
void range_release(struct range *r);

#endif
