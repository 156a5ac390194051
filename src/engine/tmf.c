/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tmf.c: task management functions as aborts of a scope, and what else each does (SAM-5 7,
 * 6.3.3).
 */
#include "engine/tmf.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/abort.h"
#include "engine/engine_priv.h"
#include "engine/reserve6.h"
#include "scsi/lun.h"

struct tmf_work {
	struct abort abort;
	struct tmf *tmf; /* NULL: answered already because a disk is stuck */
	struct engine *eng;
	struct loop *loop;
	struct loop_timer timer;
	struct nexus *nexus; /* holds a reference */
	uint64_t seq; /* of the first command that is younger than the function */
	uint32_t nlus, at; /* LUs to go through, held */
	struct lu *lus[];
};

struct tmf *tmf_new(struct nexus *nexus, struct loop *loop)
{
	struct tmf *tmf = calloc(1, sizeof(*tmf));

	if (!tmf)
		return NULL;
	nexus_ref(nexus);
	tmf->nexus = nexus;
	tmf->loop = loop;
	return tmf;
}

struct tmf *tmf_free(struct tmf *tmf)
{
	if (tmf)
		nexus_unref(tmf->nexus);
	free(tmf);
	return NULL;
}

static void answer(struct tmf *tmf, enum tmf_response response)
{
	tmf->response = (uint8_t)response;
	tmf->nexus->ops->tmf_done(tmf);
}

/* How a function goes about the commands of one LU. */
struct tmf_row {
	void (*scope)(struct tmf_work *w, struct abort_scope *sc);
	bool all_lus;
	bool reset;
};

static void scope_task(struct tmf_work *w, struct abort_scope *sc)
{
	sc->nexus = w->nexus;
	sc->has_tag = true;
	sc->tag = w->tmf->ref_tag;
}

static void scope_task_set(struct tmf_work *w, struct abort_scope *sc)
{
	sc->nexus = w->nexus;
}

static void scope_clear(struct tmf_work *w, struct abort_scope *sc)
{
	sc->by = w->nexus;
	sc->clears = true;
}

static void scope_reset(struct tmf_work *w, struct abort_scope *sc)
{
	sc->by = w->nexus;
}

static const struct tmf_row rows[TMF_FUNCTION_COUNT] = {
	[TMF_ABORT_TASK] = { .scope = scope_task },
	[TMF_ABORT_TASK_SET] = { .scope = scope_task_set },
	[TMF_CLEAR_TASK_SET] = { .scope = scope_clear },
	[TMF_LOGICAL_UNIT_RESET] = { .scope = scope_reset, .reset = true },
	[TMF_TARGET_WARM_RESET] = { .scope = scope_reset, .reset = true, .all_lus = true },
	[TMF_TARGET_COLD_RESET] = { .scope = scope_reset, .reset = true, .all_lus = true },
};

bool tmf_supported(enum tmf_function function)
{
	return (unsigned)function < TMF_FUNCTION_COUNT && rows[function].scope;
}

static void work_free(struct tmf_work *w)
{
	for (uint32_t i = 0; i < w->nlus; i++)
		atomic_fetch_sub(&w->lus[i]->holds, 1);
	nexus_unref(w->nexus);
	free(w);
}

static void next_lu(struct tmf_work *w);

/* SAM-5 6.3.3: what a reset does to an LU besides aborting its commands. */
static void reset_lu(struct lu *lu, struct loop *loop)
{
	reserve6_reset(lu);
	itl_allow_removal_all(lu);
	lu_loop(lu, loop)->resets++;
	ua_add_all(lu, SENSE_BUS_DEVICE_RESET, NULL);
}

static void lu_was_reset(void *arg, int error)
{
	struct tmf_work *w = arg;

	w->at++;
	next_lu(w);
}

static void mode_defaults(struct lu_conf *conf, void *arg)
{
	conf->mode.current = conf->mode.defaults;
	lu_conf_take_mode(conf);
}

static void lu_aborted(struct abort *a)
{
	struct tmf_work *w = container_of(a, struct tmf_work, abort);
	struct lu *lu = w->lus[w->at];

	if (w->tmf && w->tmf->function == TMF_ABORT_TASK)
		w->tmf->no_task = !atomic_load(&a->found);
	if (a->scope.by && !a->scope.clears) {
		reset_lu(lu, w->loop);
		if (!lu_change_async(lu, w->loop, mode_defaults, lu_was_reset, w))
			return;
	}
	lu_was_reset(w, 0);
}

static void finish(struct tmf_work *w, enum tmf_response response)
{
	struct tmf *tmf = w->tmf;

	loop_timer_disarm(w->loop, &w->timer);
	work_free(w);
	if (tmf)
		answer(tmf, response);
}

static void next_lu(struct tmf_work *w)
{
	if (w->at == w->nlus) {
		finish(w, TMF_FUNCTION_COMPLETE);
		return;
	}
	if (!w->tmf) {
		/* Answered as rejected: what is not begun is not done. */
		finish(w, TMF_FUNCTION_REJECTED);
		return;
	}
	w->abort.scope = (struct abort_scope){
		.lu = w->lus[w->at], .issuer = w->nexus, .issuer_loop = w->loop, .seq = w->seq
	};
	rows[w->tmf->function].scope(w, &w->abort.scope);
	w->abort.done = lu_aborted;
	if (abort_start(&w->abort, w->eng, w->loop))
		finish(w, TMF_FUNCTION_REJECTED);
}

static void stuck(struct loop_timer *t)
{
	struct tmf_work *w = container_of(t, struct tmf_work, timer);
	struct tmf *tmf = w->tmf;

	log_obj(LOG_LEVEL_ERROR, "engine", w->lus[w->at]->name,
		"the disk does not give back a command that a task management function of %s waits "
		"for: "
		"answered as rejected; look after the disk",
		w->nexus->initiator);
	w->tmf = NULL;
	tmf->stuck = true;
	answer(tmf, TMF_FUNCTION_REJECTED);
}

/* The LUs that the function is for, held. NULL: no memory, or none of that number. */
static struct tmf_work *work_new(struct tmf *tmf, bool *ret_no_lu)
{
	const struct lunmap *map = atomic_load_explicit(&tmf->nexus->map, memory_order_acquire);
	const struct lunmap_entry *e = NULL;
	bool all = rows[tmf->function].all_lus;
	struct tmf_work *w;
	uint64_t lun;

	if (!all && lun_decode(tmf->lun, &lun) == LUN_NORMAL)
		e = lunmap_find(map, (uint32_t)lun);
	*ret_no_lu = !all && !e;
	if (*ret_no_lu)
		return NULL;
	w = calloc(1, sizeof(*w) + (all ? map->n : 1) * sizeof(w->lus[0]));
	if (!w)
		return NULL;
	w->nlus = all ? map->n : 1;
	for (uint32_t i = 0; i < w->nlus; i++) {
		w->lus[i] = all ? map->e[i].lu : e->lu;
		atomic_fetch_add(&w->lus[i]->holds, 1);
	}
	nexus_ref(tmf->nexus);
	w->nexus = tmf->nexus;
	w->eng = tmf->nexus->eng;
	w->loop = tmf->loop;
	w->seq = engine_loop(w->eng, w->loop)->next_seq;
	w->tmf = tmf;
	w->timer.fire = stuck;
	return w;
}

void tmf_submit(struct tmf *tmf)
{
	bool closing = atomic_load(&tmf->nexus->closing), no_lu = false;
	struct tmf_work *w;

	if (!tmf_supported((enum tmf_function)tmf->function)) {
		tmf->unsupported = true;
		answer(tmf, TMF_FUNCTION_REJECTED);
		return;
	}
	w = closing ? NULL : work_new(tmf, &no_lu);
	if (!w) {
		answer(tmf, no_lu ? TMF_INCORRECT_LOGICAL_UNIT_NUMBER : TMF_FUNCTION_REJECTED);
		return;
	}
	loop_timer_arm(w->loop, &w->timer, TMF_STUCK_NS);
	next_lu(w);
}
