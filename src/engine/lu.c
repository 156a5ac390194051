/* SPDX-License-Identifier: BSD-3-Clause */
/* lu.c: making, feeding and unmaking logical units. */
#include "engine/lu.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "block/backstore.h"
#include "engine/alua.h"
#include "engine/engine_priv.h"
#include "engine/pr/keep.h"
#include "engine/pr/pr.h"

#define CLOSE_DISK_NS 5000000000ull /* then a disk with requests under way is left to itself */
#define QUIET_NS      30000000000ull /* for task management and changes of initiators to end */

/*
 * What configfs calls the kinds, and what their INQUIRY data say (as LIO, so that hosts see the
 * same).
 */
static const struct {
	const char *kind, *product;
} products[] = {
	{ "fileio", "FILEIO" },
	{ "iblock", "IBLOCK" },
	{ "rd_mcp", "RAMDISK-MCP" },
	{ NULL, "DISK" },
};

void lu_attribs_default(struct lu_attribs *a, const char *kind, struct backstore *bs)
{
	struct ulio_backstore_info i = { .size = sizeof(i) };
	unsigned p = 0;
	uint32_t discard_blocks;

	memset(a, 0, sizeof(*a));
	if (bs)
		backstore_info(bs, &i);
	while (products[p].kind && strcmp(products[p].kind, kind))
		p++;
	a->block_size = i.block_bytes > 512 ? i.block_bytes : 512;
	a->emulate_fua_write = a->emulate_tas = a->emulate_caw = a->emulate_pr = a->emulate_rsoc =
		1;
	a->emulate_write_cache = (i.flags & ULIO_INFO_VOLATILE_CACHE) != 0;
	a->enforce_pr_isids = 1;
	a->is_nonrot = !(i.flags & ULIO_INFO_ROTATIONAL);
	a->queue_depth = 128;
	a->optimal_sectors = LU_MAX_TRANSFER_BYTES / a->block_size;
	/* What a pattern takes is bounded as a transfer is. */
	a->max_write_same_len = LU_MAX_TRANSFER_BYTES / a->block_size;
	if (i.flags & ULIO_INFO_DISCARD) {
		discard_blocks =
			i.max_discard_bytes && i.max_discard_bytes / a->block_size < UINT32_MAX
				? (uint32_t)(i.max_discard_bytes / a->block_size)
				: UINT32_MAX;
		a->emulate_tpu = a->emulate_tpws = 1;
		a->max_unmap_lba_count = discard_blocks;
		a->max_unmap_block_desc_count = LU_MAX_UNMAP_DESCRIPTORS;
		a->unmap_granularity = i.discard_bytes / a->block_size;
		a->unmap_zeroes_data = (i.flags & ULIO_INFO_DISCARD_ZEROES) != 0;
	}
	a->company_id = 0x001405;
	strcpy(a->vendor_id, "LIO-ORG");
	strcpy(a->product_id, products[p].product);
	strcpy(a->revision, "4.0");
}

static int loops_init(struct lu *lu)
{
	struct loops *loops = lu->eng->loops;
	unsigned n = loops_count(loops);

	lu->per_loop = aligned_alloc(128, n * sizeof(*lu->per_loop));
	if (!lu->per_loop)
		return -ENOMEM;
	memset(lu->per_loop, 0, n * sizeof(*lu->per_loop));
	for (unsigned i = 0; i < n; i++)
		lu_loop_init(&lu->per_loop[i], lu, loops_get(loops, i));
	return 0;
}

static void lu_release(struct lu *lu)
{
	pr_done(lu);
	free(atomic_load(&lu->conf));
	free(lu->per_loop);
	alua_lu_done(lu);
	pthread_mutex_destroy(&lu->lock);
	free(lu);
}

static void disk_changed(struct backstore *bs, void *arg)
{
	struct lu *lu = arg;

	if (lu_refresh(lu))
		log_obj(LOG_LEVEL_ERROR, "engine", lu->name,
			"out of memory: its new size is not shown");
}

static int check_block_size(
	const struct lu_attribs *a, struct backstore *bs, const char *name, struct errmsg *err)
{
	struct ulio_backstore_info i = { .size = sizeof(i) };

	if (a->block_size < 512 || a->block_size > 4096 || a->block_size & (a->block_size - 1))
		return errmsg_set(err, -EINVAL,
			"%s: block size %u is not possible: use 512, 1024, 2048 or 4096", name,
			a->block_size);
	if (!bs)
		return 0;
	backstore_info(bs, &i);
	if (a->block_size >= i.block_bytes)
		return 0;
	return errmsg_set(err, -EINVAL,
		"%s: block size %u is smaller than the %u bytes that its disk can address: use %u",
		name, a->block_size, i.block_bytes, i.block_bytes);
}

int lu_new(struct engine *eng, const char *name, const char *kind, struct backstore *bs,
	const struct lu_attribs *a, struct lu **ret, struct errmsg *err)
{
	struct lu *lu;
	struct lu_conf *conf;

	if (engine_find_lu(eng, name))
		return errmsg_set(err, -EEXIST, "there is a storage object %s already", name);
	if (check_block_size(a, bs, name, err))
		return -EINVAL;
	lu = calloc(1, sizeof(*lu));
	conf = calloc(1, sizeof(*conf));
	if (!lu || !conf) {
		free(lu);
		free(conf);
		return errmsg_set(err, -ENOMEM, "out of memory for %s", name);
	}
	lu->eng = eng;
	lu->bs = bs;
	lu->attribs = *a;
	lu->created_ns = clock_now_ns();
	snprintf(lu->name, sizeof(lu->name), "%s", name);
	snprintf(lu->kind, sizeof(lu->kind), "%s", kind);
	pthread_mutex_init(&lu->lock, NULL);
	list_init(&lu->itls);
	list_init(&lu->gates);
	list_init(&lu->steps);
	list_init(&lu->port_luns);
	list_init(&lu->ranges);
	atomic_init(&lu->conf, conf);
	if (alua_lu_init(lu) || loops_init(lu) || pr_init(lu)) {
		lu_release(lu);
		return errmsg_set(err, -ENOMEM, "out of memory for %s", name);
	}
	lu_conf_derive(conf, lu);
	engine_lock(eng);
	list_push_back(&eng->lus, &lu->link);
	hash_str_insert(&eng->lu_names, &lu->name_node, lu->name);
	engine_unlock(eng);
	if (bs)
		backstore_on_change(bs, disk_changed, lu);
	*ret = lu;
	return 0;
}

int lu_attach(struct lu *lu, struct backstore *bs, struct errmsg *err)
{
	int rc;

	if (lu->bs)
		return errmsg_set(err, -EBUSY, "%s has its disk already", lu->name);
	rc = check_block_size(&lu->attribs, bs, lu->name, err);
	if (rc)
		return rc;
	lu->bs = bs;
	rc = lu_refresh(lu);
	if (rc) {
		lu->bs = NULL;
		return errmsg_set(err, rc, "out of memory for %s", lu->name);
	}
	backstore_on_change(bs, disk_changed, lu);
	ua_add_all(lu, SENSE_NOT_READY_TO_READY, NULL);
	return 0;
}

/* What initiators have begun with the LU itself (functions, changes, gates) has ended. */
static bool quiet(struct lu *lu)
{
	bool gates;

	/* No change of its LU group begins with it any more. */
	if (alua_lu_group_join(lu, alua_lu_group_default(lu->eng), NULL))
		return false;

	pthread_mutex_lock(&lu->lock);
	gates = !list_empty(&lu->gates);
	pthread_mutex_unlock(&lu->lock);
	return !gates && !atomic_load(&lu->holds);
}

struct leftover {
	struct lu *lu;
	bool any;
};

/* Commands of ended sessions that a disk still holds. Run on one loop after the other. */
static void look_for_leftovers(struct loop *loop, void *arg)
{
	struct leftover *l = arg;
	struct lu_loop *ll = lu_loop(l->lu, loop);

	if (!list_empty(&ll->cmds))
		l->any = true;
	loop_timer_disarm(loop, &ll->range_timer);
	loop_timer_disarm(loop, &ll->delay_timer);
}

int lu_free(struct lu *lu, struct errmsg *err)
{
	struct engine *eng;
	struct leftover left = { .lu = lu };
	struct loop_event never;
	uint64_t end;
	bool stuck;

	if (!lu)
		return 0;
	eng = lu->eng;
	if (lu->exports)
		return errmsg_set(
			err, -EBUSY, "%s is shown as a LUN: remove the LUN first", lu->name);
	loop_event_init(&never, eng->loops);
	end = clock_now_ns() + QUIET_NS;
	loops_barrier(eng->loops, NULL, NULL);
	while (!quiet(lu)) {
		if (clock_now_ns() > end)
			return errmsg_set(err, -EBUSY,
				"%s has task management under way that waits for its disk: try "
				"again",
				lu->name);
		(void)loop_event_wait_aside(&never, 1000000);
		loops_barrier(eng->loops, NULL, NULL);
	}
	alua_lu_gone(lu);
	engine_lock(eng);
	list_del(&lu->link);
	hash_str_remove(&eng->lu_names, &lu->name_node);
	engine_unlock(eng);
	pr_keep_done(lu);
	stuck = lu->bs && backstore_close(lu->bs, CLOSE_DISK_NS);
	for (unsigned i = 0; i < loops_count(eng->loops); i++)
		loops_call(eng->loops, loops_get(eng->loops, i), look_for_leftovers, &left);
	if (stuck || left.any) {
		log_obj(LOG_LEVEL_ERROR, "engine", lu->name,
			"its disk does not answer: it is left to itself, look after the disk");
		return 0;
	}
	loops_barrier(eng->loops, NULL, NULL);
	lu_release(lu);
	return 0;
}

int lu_resize(struct lu *lu, uint64_t size_bytes, bool force, struct errmsg *err)
{
	struct lu_conf conf;
	uint64_t now;

	if (!lu->bs)
		return errmsg_set(err, -ENODEV, "%s has no disk yet: nothing to resize", lu->name);
	lu_get_conf(lu, &conf);
	now = conf.nblocks << conf.block_shift;
	if (size_bytes % (1u << conf.block_shift))
		return errmsg_set(err, -EINVAL,
			"%s: %" PRIu64 " bytes are not a multiple of its %u byte blocks", lu->name,
			size_bytes, 1u << conf.block_shift);
	if (size_bytes && size_bytes < now && !force)
		return errmsg_set(err, -EINVAL,
			"%s would shrink from %" PRIu64 " to %" PRIu64
			" bytes and lose data: force it if that is meant",
			lu->name, now, size_bytes);
	/* The disk tells us when it has changed: disk_changed(). */
	return backstore_resize(lu->bs, size_bytes, err);
}

struct stats_sum {
	struct lu *lu;
	struct lu_stats *ret;
};

static void add_stats(struct loop *loop, void *arg)
{
	struct stats_sum *sum = arg;
	const struct lu_loop *ll = lu_loop(sum->lu, loop);
	struct lu_stats *ret = sum->ret;

	ret->read_cmds += ll->read_cmds;
	ret->write_cmds += ll->write_cmds;
	ret->other_cmds += ll->other_cmds;
	ret->read_bytes += ll->read_bytes;
	ret->write_bytes += ll->write_bytes;
	ret->errors += ll->errors;
	ret->conflicts += ll->conflicts;
	ret->ua_sent += ll->ua_sent;
	ret->resets += ll->resets;
	ret->aborts += ll->aborts;
	ret->abort_tasks += ll->abort_tasks;
	ret->abort_no_tasks += ll->abort_no_tasks;
	ret->under_way += ll->ntasks;
}

void lu_get_stats(struct lu *lu, struct lu_stats *ret)
{
	struct stats_sum sum = { .lu = lu, .ret = ret };

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < loops_count(lu->eng->loops); i++)
		loops_call(lu->eng->loops, loops_get(lu->eng->loops, i), add_stats, &sum);
}
