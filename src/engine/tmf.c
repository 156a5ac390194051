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

struct tmf_row;

struct tmf_work {
	struct abort abort;
	struct tmf *tmf; /* NULL: answered already because a disk is stuck */
	struct engine *eng;
	struct loop *loop;
	struct loop_timer timer;
	struct nexus *nexus; /* holds a reference */
	const struct tmf_row *row;
	enum tmf_response response; /* when all LUs are done */
	bool has_order;
	uint32_t order;
	uint64_t id;
	uint64_t seq;
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
	tmf->id = abort_id(nexus->eng);
	tmf->seq = engine_loop(nexus->eng, loop)->next_seq;
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
	/* What else it does to the LU when they have ended. True: it goes on in lu_was_reset(). */
	bool (*after)(struct tmf_work *w, struct lu *lu);
	/* Instead of all this: it asks for what is known at once. */
	void (*ask)(struct tmf *tmf, const struct lunmap_entry *e);
	bool all_lus;
	bool counts; /* a query: SUCCEEDED if the scope has commands */
	bool one_task;
};

static void scope_task(struct tmf_work *w, struct abort_scope *sc)
{
	sc->nexus = w->nexus;
	sc->has_tag = true;
	/* The tag says which one is meant, also of an immediate one, whose number others have. */
	sc->has_order = false;
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

static bool reset_lu(struct tmf_work *w, struct lu *lu);
static bool lose_nexus(struct tmf_work *w, struct lu *lu);
static void ask_async_event(struct tmf *tmf, const struct lunmap_entry *e);

static const struct tmf_row rows[TMF_FUNCTION_COUNT] = {
	[TMF_ABORT_TASK] = { .scope = scope_task, .one_task = true },
	[TMF_ABORT_TASK_SET] = { .scope = scope_task_set },
	[TMF_CLEAR_TASK_SET] = { .scope = scope_clear },
	[TMF_I_T_NEXUS_RESET] = { .scope = scope_task_set, .after = lose_nexus, .all_lus = true },
	[TMF_LOGICAL_UNIT_RESET] = { .scope = scope_reset, .after = reset_lu },
	[TMF_QUERY_TASK] = { .scope = scope_task, .counts = true },
	[TMF_QUERY_TASK_SET] = { .scope = scope_task_set, .counts = true },
	[TMF_QUERY_ASYNC_EVENT] = { .ask = ask_async_event },
	[TMF_TARGET_WARM_RESET] = { .scope = scope_reset, .after = reset_lu, .all_lus = true },
	[TMF_TARGET_COLD_RESET] = { .scope = scope_reset, .after = reset_lu, .all_lus = true },
};

bool tmf_supported(enum tmf_function function)
{
	return (unsigned)function < TMF_FUNCTION_COUNT &&
	       (rows[function].scope || rows[function].ask);
}

bool tmf_is_multi_task(enum tmf_function function)
{
	return tmf_supported(function) && rows[function].scope && !rows[function].counts &&
	       !rows[function].one_task;
}

static void work_free(struct tmf_work *w)
{
	for (uint32_t i = 0; i < w->nlus; i++)
		atomic_fetch_sub(&w->lus[i]->holds, 1);
	nexus_unref(w->nexus);
	free(w);
}

static void next_lu(struct tmf_work *w);

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

/* SAM-5 6.3.3: what a reset does to an LU besides aborting its commands. */
static bool reset_lu(struct tmf_work *w, struct lu *lu)
{
	reserve6_reset(lu);
	itl_allow_removal_all(lu);
	lu_loop(lu, w->loop)->resets++;
	ua_add_all(lu, SENSE_BUS_DEVICE_RESET, NULL);
	return !lu_change_async(lu, w->loop, mode_defaults, lu_was_reset, w);
}

/*
 * SAM-5 6.3.4: what an LU does besides when it loses a nexus. The nexus itself, which has asked for
 * it, goes on, and is told. Persistent reservations stay (SPC-4 5.12.1).
 */
static bool lose_nexus(struct tmf_work *w, struct lu *lu)
{
	const struct lunmap *map = atomic_load_explicit(&w->nexus->map, memory_order_acquire);

	for (uint32_t i = 0; map && i < map->n; i++) {
		if (map->e[i].lu != lu)
			continue;
		reserve6_release(lu, w->nexus);
		itl_prevent_removal(map->e[i].itl, false);
		ua_add(map->e[i].itl, SENSE_I_T_NEXUS_LOSS);
	}
	return false;
}

/* SAM-5 7.7 */
static void ask_async_event(struct tmf *tmf, const struct lunmap_entry *e)
{
	enum { ONE = 0x10, MORE = 0x20 }; /* UADE DEPTH */
	enum sense_name ua;
	uint32_t n = ua_peek(e->itl, &ua);

	if (!n) {
		answer(tmf, TMF_FUNCTION_COMPLETE);
		return;
	}
	tmf->info[0] = (uint8_t)((n == 1 ? ONE : MORE) | sense_key(ua));
	tmf->info[1] = (uint8_t)sense_asc(ua);
	tmf->info[2] = (uint8_t)sense_ascq(ua);
	answer(tmf, TMF_FUNCTION_SUCCEEDED);
}

static void lu_aborted(struct abort *a)
{
	struct tmf_work *w = container_of(a, struct tmf_work, abort);
	struct lu_loop *ll = lu_loop(w->lus[w->at], w->loop);
	bool found = atomic_load(&a->found);

	if (w->tmf && w->row->one_task)
		w->tmf->no_task = !found;
	if (w->row->one_task)
		++*(found ? &ll->abort_tasks : &ll->abort_no_tasks);
	if (w->row->counts && found)
		w->response = TMF_FUNCTION_SUCCEEDED;
	if (!w->row->after || !w->row->after(w, w->lus[w->at]))
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
		finish(w, w->response);
		return;
	}
	if (!w->tmf) {
		/* Answered as rejected: what is not begun is not done. */
		finish(w, TMF_FUNCTION_REJECTED);
		return;
	}
	w->abort.scope = (struct abort_scope){ .lu = w->lus[w->at],
		.issuer = w->nexus,
		.issuer_loop = w->loop,
		.seq = w->seq,
		.has_order = w->has_order,
		.order = w->order,
		.count_only = w->row->counts,
		.id = w->row->one_task ? 0 : w->id };
	w->row->scope(w, &w->abort.scope);
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

/* The LU that the function is for; NULL: it is for all, or there is none of that number. */
static const struct lunmap_entry *find_lu(const struct tmf *tmf)
{
	const struct lunmap *map = atomic_load_explicit(&tmf->nexus->map, memory_order_acquire);
	uint64_t lun;

	if (rows[tmf->function].all_lus || lun_decode(tmf->lun, &lun) != LUN_NORMAL)
		return NULL;
	return lunmap_find(map, (uint32_t)lun);
}

static void take_lu(struct tmf_work *w, struct lu *lu)
{
	/* An LU that is shown twice is gone through once. */
	for (uint32_t i = 0; i < w->nlus; i++)
		if (w->lus[i] == lu)
			return;
	w->lus[w->nlus++] = lu;
	atomic_fetch_add(&lu->holds, 1);
}

/* With the LUs that the function is for, held. one NULL: all. NULL: no memory. */
static struct tmf_work *work_new(struct tmf *tmf, const struct lunmap_entry *one)
{
	const struct lunmap *map = atomic_load_explicit(&tmf->nexus->map, memory_order_acquire);
	struct tmf_work *w = calloc(1, sizeof(*w) + (one ? 1 : map->n) * sizeof(w->lus[0]));

	if (!w)
		return NULL;
	if (one)
		take_lu(w, one->lu);
	for (uint32_t i = 0; !one && i < map->n; i++)
		take_lu(w, map->e[i].lu);
	nexus_ref(tmf->nexus);
	w->nexus = tmf->nexus;
	w->row = &rows[tmf->function];
	w->response = TMF_FUNCTION_COMPLETE;
	w->eng = tmf->nexus->eng;
	w->loop = tmf->loop;
	w->has_order = tmf->has_order;
	w->order = tmf->order;
	w->id = tmf->id;
	w->seq = tmf->seq;
	w->tmf = tmf;
	w->timer.fire = stuck;
	return w;
}

bool tmf_is_refused(const struct tmf *tmf)
{
	return !tmf_supported((enum tmf_function)tmf->function) ||
	       (!rows[tmf->function].all_lus && !find_lu(tmf));
}

void tmf_submit(struct tmf *tmf)
{
	const struct tmf_row *row;
	const struct lunmap_entry *e;
	struct tmf_work *w;

	if (!tmf_supported((enum tmf_function)tmf->function)) {
		tmf->unsupported = true;
		answer(tmf, TMF_FUNCTION_REJECTED);
		return;
	}
	if (atomic_load(&tmf->nexus->closing)) {
		answer(tmf, TMF_FUNCTION_REJECTED);
		return;
	}
	row = &rows[tmf->function];
	e = find_lu(tmf);
	if (!e && !row->all_lus) {
		answer(tmf, TMF_INCORRECT_LOGICAL_UNIT_NUMBER);
		return;
	}
	if (row->ask) {
		row->ask(tmf, e);
		return;
	}
	w = work_new(tmf, e);
	if (!w) {
		answer(tmf, TMF_FUNCTION_REJECTED);
		return;
	}
	loop_timer_arm(w->loop, &w->timer, TMF_STUCK_NS);
	next_lu(w);
}
