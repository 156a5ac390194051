/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lu.h: the logical unit (SAM-5 4.6): a backstore seen through SCSI. It belongs to no loop: what
 * the data path reads of it is a snapshot (struct lu_conf), what it counts is per loop (struct
 * lu_loop), and what must exclude commands goes through its gate (gate.h).
 */
#ifndef ULIO_ENGINE_LU_H
#define ULIO_ENGINE_LU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "engine/limits.h"
#include "loop/loop.h"
#include "scsi/modepage.h"

struct backstore;
struct cmd;
struct engine;
struct itl;
struct lu_alua;
struct lu_pr;
struct nexus;

/* What is kept of an LU's persistent reservations (pr/keep.h). Control thread. */
struct lu_keep {
	struct hash_str_node node; /* in the engine while offered */
	char serial[255]; /* its serial number, by which it is kept */
	bool known; /* what was kept is in force */
	bool offered; /* its state can be kept; does not change while the LU is shown */
};

/* Why an LU answers NOT READY. */
enum lu_readiness {
	LU_READY,
	LU_PENDING, /* its disk is not there yet: 04/01 BECOMING READY */
	LU_NO_MEDIUM, /* ejected: 3A/00 */
	LU_FAILED, /* its disk has gone: 3E/01 */
};

/* What an admin may set: the attrib/ and wwn/ directories. Names as in configfs. */
struct lu_attribs {
	uint32_t block_size;
	uint32_t emulate_model_alias, emulate_fua_write, emulate_write_cache, emulate_tas,
		emulate_tpu, emulate_tpws, emulate_caw, emulate_3pc, emulate_pr, emulate_rsoc,
		emulate_ua_intlck_ctrl, enforce_pr_isids, force_pr_aptpl;
	uint32_t is_nonrot, queue_depth, optimal_sectors;
	uint32_t max_unmap_lba_count, max_unmap_block_desc_count, unmap_granularity,
		unmap_granularity_alignment, unmap_zeroes_data, max_write_same_len;
	uint32_t removable, read_only;
	uint32_t company_id;
	char vendor_id[9], product_id[17], revision[5];
	char unit_serial[255];
};

/* The snapshot. Everything in it is constant from its publication on. */
struct lu_conf {
	struct lu_attribs a;
	enum lu_readiness readiness;
	uint64_t nblocks;
	uint8_t block_shift; /* block length = 1 << block_shift: 9 or 12 (10, 11 too) */
	uint8_t physical_exponent; /* READ CAPACITY (16): logical blocks per physical block */
	bool volatile_cache; /* a completed write needs a flush to be durable */
	bool wce; /* the caching mode page: 1 only if volatile_cache */
	bool medium_read_only; /* read-only backstore or attribute */
	bool write_protected; /* that, or SWP */
	bool can_discard, discard_zeroes, zero_unmaps, can_lend, can_give, rotational;
	uint32_t optimal_blocks;
	uint64_t max_discard_bytes, max_io_bytes; /* of one bio; 0: any */
	/* Current values of the mode pages, for MODE SENSE and for what depends on them. */
	struct mode_config mode;
	bool d_sense, tas;
	uint8_t tpgs; /* TPGS of INQUIRY: which access its target port groups allow (alua.h) */
	bool referrals; /* there is a map of user data segments */
	char product
		/* PRODUCT IDENTIFICATION in force: product_id, or the name (emulate_model_alias) */
		[17];
};

static inline uint32_t lu_conf_block_bytes(const struct lu_conf *c)
{
	return 1u << c->block_shift;
}

/* MAXIMUM TRANSFER LENGTH in blocks (SBC-3 6.6.3). */
static inline uint32_t lu_conf_max_blocks(const struct lu_conf *c)
{
	uint64_t most = LU_MAX_TRANSFER_BYTES;

	if (c->max_io_bytes && c->max_io_bytes < most)
		most = c->max_io_bytes;
	return (uint32_t)(most >> c->block_shift);
}

/* Blocks can be unmapped by some command: LBPME. */
static inline bool lu_conf_thin(const struct lu_conf *c)
{
	return c->a.emulate_tpu || c->a.emulate_tpws;
}

/* Unmapped blocks read as zeroes: LBPRZ. */
static inline bool lu_conf_lbprz(const struct lu_conf *c)
{
	return lu_conf_thin(c) && c->a.unmap_zeroes_data && c->discard_zeroes;
}

/*
 * A write must be on the medium when it is answered: the cache is there but switched off (WCE=0).
 */
static inline bool lu_conf_write_through(const struct lu_conf *c)
{
	return c->volatile_cache && !c->wce;
}

/* What an LU keeps for one loop; touched on that loop only. */
struct lu_loop {
	struct list cmds; /* every command of this LU on this loop, in order of arrival */
	struct list dormant; /* wait for their turn in the task set */
	struct list gated; /* have their data and wait at the gate or for a range */
	uint32_t ntasks; /* enabled commands */
	uint32_t
		/* commands between cmd_enter_io() and their last bio's end, orphans included */
		nio;
	uint32_t nhoq; /* HEAD OF QUEUE commands that are enabled (SAM-5 8.6.2) */
	uint32_t tasks_closed, io_closed; /* gates of that kind that are closed or being closed */
	struct list delayed; /* wait because their path is active/non-optimized, by time */
	struct loop_timer delay_timer; /* for the first of them */
	struct loop_timer range_timer; /* for commands that wait for a range too long */
	struct loop_msg kick; /* looks through dormant and gated again */
	_Atomic bool kick_posted;
	struct lu *lu;
	struct loop *loop;
	/* Counters. */
	uint64_t read_cmds, write_cmds, other_cmds, read_bytes, write_bytes;
	uint64_t errors, conflicts, ua_sent, resets, aborts;
	uint64_t abort_tasks, abort_no_tasks; /* ABORT TASK that found its task, and not */
} __attribute__((aligned(128)));

struct lu {
	struct engine *eng;
	struct list link; /* in the engine */
	struct hash_str_node name_node; /* there too */
	char name[256]; /* of the storage object */
	char kind[32]; /* of its backstore: "fileio", "ramdisk" … as configfs calls it */
	struct backstore *bs; /* owned; NULL while pending */

	_Atomic(struct lu_conf *) conf;
	_Atomic(const struct nexus *) reserve6; /* holder, compared only; see reserve6.h */
	struct lu_pr *pr; /* persistent reservations (pr/pr.h) */
	_Atomic uint32_t nranges; /* announced ranges (range.h) */
	_Atomic uint32_t holds; /* task management and changes at work on it */
	_Atomic uint32_t prevent_count; /* nexuses that prevent medium removal */
	struct lu_loop *per_loop; /* loops_count() of them */

	/* The rest is the control thread's, or under the locks named. */
	struct lu_attribs attribs; /* as set; conf has the copy that is in force */
	struct lu_keep keep;
	unsigned exports; /* LUNs that show this LU; attributes are frozen while > 0 */
	pthread_mutex_t lock; /* itls, steps, port_luns, gates, ranges */
	struct list itls;
	struct list gates; /* waiting, the first is at work */
	struct list steps; /* struct lu_step: likewise (change.h) */
	struct list port_luns; /* struct port_lun by lu_link: where it is shown */
	struct list ranges;
	struct lu_alua *alua; /* owned: target port groups (alua.h) */
	uint64_t created_ns;
	void *tree_obj; /* of the rows that show it */
};

/*
 * Make an LU. bs: its disk (ownership passes), NULL: pending. a: attributes wanted, zero fields
 * mean the default for this disk. Control thread. 0, -EEXIST, -EINVAL, -ENOMEM with *err.
 */
int lu_new(struct engine *eng, const char *name, const char *kind, struct backstore *bs,
	const struct lu_attribs *a, struct lu **ret, struct errmsg *err);
/*
 * Take it down: no LUN may show it (-EBUSY). Closes the backstore; -EBUSY is not returned for a
 * disk that does not answer: it is left to itself and reported. Control thread.
 */
int lu_free(struct lu *lu, struct errmsg *err);
/* A pending LU's disk has come. Control thread. */
int lu_attach(struct lu *lu, struct backstore *bs, struct errmsg *err);
/* PRODUCT IDENTIFICATION as lu->attribs say it. Control thread. */
void lu_product(const struct lu *lu, char product[17]);
/* Defaults of a disk of this kind. */
void lu_attribs_default(struct lu_attribs *a, const char *kind, struct backstore *bs);

/*
 * In edit functions that change conf->mode.current: bring the fields that follow from it in line.
 */
void lu_conf_take_mode(struct lu_conf *conf);

/*
 * Change the configuration: edit(copy, arg) is given a copy of the present snapshot to change,
 * then that is published. Capacity changes raise 2A/09 for every nexus. Waits for the barrier.
 * Control thread.
 */
int lu_change(struct lu *lu, void (*edit)(struct lu_conf *conf, void *arg), void *arg);
/*
 * The same from a loop (MODE SELECT, START STOP UNIT): done(arg) runs on that loop after the
 * barrier.
 */
int lu_change_async(struct lu *lu, struct loop *loop, void (*edit)(struct lu_conf *conf, void *arg),
	void (*done)(void *arg, int error), void *arg);
/* Take over lu->attribs and the backstore's info into a new snapshot. Control thread. */
int lu_refresh(struct lu *lu);
/*
 * Grow or shrink (shrink only with force). 0: take over the size of the backstore. Control
 * thread.
 */
int lu_resize(struct lu *lu, uint64_t size_bytes, bool force, struct errmsg *err);

/* A copy for other threads than the loops. */
void lu_get_conf(struct lu *lu, struct lu_conf *ret);

/* The snapshot; good until the caller returns to its loop. On loops only. */
static inline const struct lu_conf *lu_conf(const struct lu *lu)
{
	return atomic_load_explicit(&((struct lu *)lu)->conf, memory_order_acquire);
}

static inline struct lu_loop *lu_loop(struct lu *lu, const struct loop *loop)
{
	return &lu->per_loop[loop_index(loop)];
}

/* Sum of the per-loop counters, asked of each loop. Control thread. */
struct lu_stats {
	uint64_t read_cmds, write_cmds, other_cmds, read_bytes, write_bytes, errors, conflicts,
		ua_sent, resets, aborts, abort_tasks, abort_no_tasks;
	uint64_t under_way;
};
void lu_get_stats(struct lu *lu, struct lu_stats *ret);

#endif
