/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_disk_priv.h: what the two halves of the simulator's disk share: names (sim_disk.c) and
 * content (sim_inode.c).
 */
#ifndef ULIO_LOOP_SIM_DISK_PRIV_H
#define ULIO_LOOP_SIM_DISK_PRIV_H

#include <sys/stat.h>

#include "base/list.h"
#include "base/rng.h"

struct block;

/* Blocks by number; one that does not exist is a hole. */
struct block_map {
	struct block ***leaves;
	uint64_t nleaves, nblocks;
};

struct sim_inode {
	struct list link; /* in sim_disk.inodes */
	unsigned refs; /* names, changes of names, open files */
	uint64_t number;
	mode_t mode;
	uint64_t size, stable_size;
	uint64_t stable_size_seq, next_seq;
	struct block_map cache, stable;
	struct list changes; /* struct change, not yet on stable storage */
	bool has_orphans;
};

/* What of the volatile changes a power cut leaves. */
enum survivors { SURVIVE_NONE, SURVIVE_ALL, SURVIVE_SOME, NSURVIVORS };

struct sim_inode *sim_inode_new(struct list *all, uint64_t number, mode_t mode);
void sim_inode_power_on(struct sim_inode *ino, enum survivors which, struct rng *rng);

#endif
