/* SPDX-License-Identifier: BSD-3-Clause */
/* range.c: announcing ranges of blocks and waiting for those who are at work there. */
#include "engine/range.h"

#include <errno.h>

#include "engine/engine_priv.h"

static bool overlap(const struct range *r, uint64_t lba, uint64_t nblocks)
{
	return lba < r->lba + r->nblocks && r->lba < lba + nblocks;
}

/* Under lu->lock. */
static bool taken(struct lu *lu, const struct cmd *cmd)
{
	struct range *r;

	list_for_each (r, &lu->ranges, struct range, link)
		if (r->owner != cmd && overlap(r, cmd->lba, cmd->nblocks))
			return true;
	return false;
}

bool range_conflicts(struct lu *lu, const struct cmd *cmd)
{
	bool yes;

	pthread_mutex_lock(&lu->lock);
	yes = taken(lu, cmd);
	pthread_mutex_unlock(&lu->lock);
	return yes;
}

static bool range_clear(struct drain *d, struct loop *loop)
{
	const struct range *r = container_of(d, struct range, drain);
	struct cmd *cmd;

	list_for_each (cmd, &lu_loop(r->lu, loop)->cmds, struct cmd, link)
		if (cmd->in_io && cmd != r->owner && overlap(r, cmd->lba, cmd->nblocks))
			return false;
	return true;
}

static void range_drained(struct drain *d)
{
	struct range *r = container_of(d, struct range, drain);

	r->granted(r);
}

/* Under lu->lock. */
static void range_insert(struct range *r, const struct cmd *cmd, struct lu *lu)
{
	r->lu = lu;
	r->lba = cmd->lba;
	r->nblocks = cmd->nblocks;
	r->owner = cmd;
	list_push_back(&lu->ranges, &r->link);
	/* Ordinary commands that see 0 are found by the drain, which comes after this store. */
	atomic_fetch_add_explicit(&lu->nranges, 1, memory_order_seq_cst);
}

int range_announce(struct range *r, struct cmd *cmd, void (*granted)(struct range *r))
{
	struct lu *lu = cmd->lu;
	int rc = 0;

	pthread_mutex_lock(&lu->lock);
	if (taken(lu, cmd))
		rc = -EBUSY;
	else
		range_insert(r, cmd, lu);
	pthread_mutex_unlock(&lu->lock);
	if (rc)
		return rc;
	r->granted = granted;
	r->drain = (struct drain){ .clear = range_clear, .done = range_drained };
	rc = drain_start(&r->drain, lu->eng, cmd->loop);
	if (rc)
		range_release(r);
	return rc;
}

void range_hold(struct range *r, const struct cmd *cmd, struct lu *lu)
{
	pthread_mutex_lock(&lu->lock);
	range_insert(r, cmd, lu);
	pthread_mutex_unlock(&lu->lock);
}

void range_release(struct range *r)
{
	struct lu *lu = r->lu;
	struct loops *loops = lu->eng->loops;

	pthread_mutex_lock(&lu->lock);
	list_del(&r->link);
	atomic_fetch_sub_explicit(&lu->nranges, 1, memory_order_seq_cst);
	/* A kick may be on its way already; it has then not looked yet, so one is enough. */
	for (unsigned i = 0; i < loops_count(loops); i++)
		lu_loop_kick_post(&lu->per_loop[i]);
	pthread_mutex_unlock(&lu->lock);
}
