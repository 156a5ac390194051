/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lu_conf.c: the snapshot of an LU: how it follows from attributes and disk, and how a new one
 * takes the place of the old.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/backstore.h"
#include "engine/alua.h"
#include "engine/bars.h"
#include "engine/engine_priv.h"

/* What of the configuration is kept in the mode pages: both say the same after this. */
void lu_conf_take_mode(struct lu_conf *conf)
{
	const struct mode_values *v = &conf->mode.current;

	conf->d_sense = mode_get(v, MODE_D_SENSE);
	conf->tas = mode_get(v, MODE_TAS);
	conf->wce = mode_get(v, MODE_WCE);
	conf->write_protected = conf->medium_read_only || mode_get(v, MODE_SWP);
}

static void define_modes(struct lu_conf *conf)
{
	struct mode_config *m = &conf->mode;

	mode_config_init(m);
	/*
	 * WCE says what the disk does: where completed writes may be lost it is 1, and an
	 * initiator that clears it gets every write forced to the medium (sbc/rw.c). A disk that
	 * loses nothing has no cache to enable.
	 */
	mode_config_define(m, MODE_WCE, conf->volatile_cache, conf->volatile_cache);
	mode_config_define(m, MODE_D_SENSE, 0, true);
	mode_config_define(m, MODE_SWP, 0, true);
	mode_config_define(m, MODE_TAS, conf->a.emulate_tas, true);
	mode_config_define(m, MODE_QAM, 1, false);
	/* SPC-4 5.15.2.7: implicit changes are enabled, where they are possible. */
	mode_config_define(m, MODE_IALUAE, conf->tpgs & ALUA_IMPLICIT, false);
	mode_config_define(m, MODE_MAX_SENSE_LENGTH, CMD_SENSE_BYTES, false);
}

static uint8_t log2_of(uint32_t v)
{
	return v ? (uint8_t)(31 - __builtin_clz(v)) : 0;
}

static void take_info(struct lu_conf *conf, const struct ulio_backstore_info *i)
{
	uint32_t bs = 1u << conf->block_shift;

	conf->nblocks = i->size_bytes >> conf->block_shift;
	conf->physical_exponent =
		i->physical_bytes > bs ? (uint8_t)(log2_of(i->physical_bytes) - conf->block_shift)
				       : 0;
	conf->volatile_cache = i->flags & ULIO_INFO_VOLATILE_CACHE;
	conf->medium_read_only |= (i->flags & ULIO_INFO_READONLY) != 0;
	conf->can_discard = i->flags & ULIO_INFO_DISCARD;
	conf->discard_zeroes = i->flags & ULIO_INFO_DISCARD_ZEROES;
	conf->zero_unmaps = i->flags & ULIO_INFO_ZERO_UNMAPS;
	conf->can_lend = i->flags & ULIO_INFO_LENDS;
	conf->can_give = i->flags & ULIO_INFO_TAKES;
	conf->rotational = i->flags & ULIO_INFO_ROTATIONAL;
	conf->optimal_blocks = i->optimal_bytes >> conf->block_shift;
	conf->max_discard_bytes = i->max_discard_bytes;
	conf->max_io_bytes = i->max_io_bytes;
}

/* What initiators have set stays, as far as it can still be set. */
static void keep_modes(struct lu_conf *conf, const struct mode_config *old)
{
	struct mode_config *m = &conf->mode;

	for (size_t i = 0; i < sizeof(m->current.b); i++) {
		uint8_t mask = m->changeable.b[i] & old->changeable.b[i];

		m->current.b[i] = (uint8_t)((m->current.b[i] & ~mask) | (old->current.b[i] & mask));
	}
}

void lu_product(const struct lu *lu, char product[17])
{
	/* Where two disks have one name, the second is "hba/name" to the engine. */
	const char *slash = strchr(lu->name, '/');

	/* As LIO: the name is cut to 15 characters. */
	if (lu->attribs.emulate_model_alias)
		snprintf(product, 17, "%.15s", slash ? slash + 1 : lu->name);
	else
		snprintf(product, 17, "%s", lu->attribs.product_id);
}

void lu_conf_derive(struct lu_conf *conf, void *arg)
{
	const struct lu *lu = arg;
	const struct lu_conf old = *conf;
	struct ulio_backstore_info info = { .size = sizeof(info) };

	memset(conf, 0, sizeof(*conf));
	conf->a = lu->attribs;
	conf->block_shift = log2_of(conf->a.block_size);
	conf->readiness = lu->bs ? LU_READY : LU_PENDING;
	if (lu->bs && old.block_shift && old.readiness != LU_PENDING)
		conf->readiness = old.readiness;
	conf->medium_read_only = conf->a.read_only;
	lu_product(lu, conf->product);
	if (lu->bs) {
		backstore_info(lu->bs, &info);
		take_info(conf, &info);
	}
	conf->tpgs = alua_tpgs(lu);
	conf->referrals = atomic_load(&lu->alua->map) != NULL;
	define_modes(conf);
	if (old.block_shift)
		keep_modes(conf, &old.mode);
	lu_conf_take_mode(conf);
}

/* ---- publication -------------------------------------------------------------------------- */

struct change {
	struct lu *lu;
	struct lu_conf *old;
	void (*done)(void *arg, int error);
	void *arg;
	struct loop_barrier barrier;
	struct loop_msg again;
	struct loop *loop;
};

static void tell_size(const struct lu *lu, uint64_t bytes)
{
	char text[64];

	snprintf(text, sizeof(text), "it has %" PRIu64 " bytes", bytes);
	notice_tell(engine_notices(lu->eng),
		&(struct notice){
			.kind = NOTICE_LUN, .object = lu->name, .state = "resized", .text = text });
}

/* Copy, edit and publish under lu->lock. Returns the old snapshot, or NULL: no memory. */
static struct lu_conf *swap(struct lu *lu, void (*edit)(struct lu_conf *conf, void *arg), void *arg)
{
	struct lu_conf *now = malloc(sizeof(*now));
	struct lu_conf *old;
	bool grew;

	if (!now)
		return NULL;
	pthread_mutex_lock(&lu->lock);
	old = atomic_load(&lu->conf);
	*now = *old;
	edit(now, arg);
	grew = now->nblocks != old->nblocks;
	atomic_store_explicit(&lu->conf, now, memory_order_release);
	if (now->a.emulate_pr != old->a.emulate_pr)
		lu_bars_update(lu);
	pthread_mutex_unlock(&lu->lock);
	if (grew) {
		ua_add_all(lu, SENSE_CAPACITY_DATA_HAS_CHANGED, NULL);
		tell_size(lu, now->nblocks << now->block_shift);
	}
	return old;
}

int lu_change(struct lu *lu, void (*edit)(struct lu_conf *conf, void *arg), void *arg)
{
	struct lu_conf *old = swap(lu, edit, arg);

	if (!old)
		return -ENOMEM;
	loops_barrier(lu->eng->loops, NULL, NULL);
	free(old);
	return 0;
}

static void change_done(struct loop_barrier *b)
{
	struct change *c = container_of(b, struct change, barrier);

	free(c->old);
	atomic_fetch_sub(&c->lu->holds, 1);
	c->done(c->arg, 0);
	free(c);
}

static void change_again(struct loop *loop, struct loop_msg *msg)
{
	struct change *c = container_of(msg, struct change, again);

	if (loop_barrier_start(loop, &c->barrier))
		loop_post(loop, &c->again);
}

int lu_change_async(struct lu *lu, struct loop *loop, void (*edit)(struct lu_conf *conf, void *arg),
	void (*done)(void *arg, int error), void *arg)
{
	struct change *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->lu = lu;
	c->done = done;
	c->arg = arg;
	c->loop = loop;
	c->barrier.done = change_done;
	c->again.fn = change_again;
	c->old = swap(lu, edit, arg);
	if (!c->old) {
		free(c);
		return -ENOMEM;
	}
	atomic_fetch_add(&lu->holds, 1);
	change_again(loop, &c->again);
	return 0;
}

int lu_refresh(struct lu *lu)
{
	return lu_change(lu, lu_conf_derive, lu);
}

void lu_get_conf(struct lu *lu, struct lu_conf *ret)
{
	pthread_mutex_lock(&lu->lock);
	*ret = *atomic_load(&lu->conf);
	pthread_mutex_unlock(&lu->lock);
}
