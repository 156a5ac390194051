/* SPDX-License-Identifier: BSD-3-Clause */
/* pr.c: one change of an LU's persistent reservations, from the command to the answer. */
#include "engine/pr/pr.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/bars.h"
#include "engine/change.h"
#include "engine/cmd.h"
#include "engine/engine.h"
#include "engine/lu.h"
#include "engine/nexus.h"
#include "engine/optable.h"
#include "engine/pr/keep.h"
#include "engine/port.h"
#include "engine/pr_ports.h"
#include "engine/reserve6.h"
#include "scsi/lun.h"
#include "scsi/opcodes.h"

struct lu_pr {
	_Atomic(struct pr_state *) now; /* owned; never NULL */
	uint64_t marks; /* of PREEMPT AND ABORT, each another one; of the step at work */
	/*
	 * Under lu->lock: from decide() on until the state is published, RESERVE(6) must not take
	 * what this change found free.
	 */
	bool changing;
	/*
	 * A commit has failed: what is on stable storage may be the state that it was to become.
	 * Of the step at work.
	 */
	bool uncertain;
};

/* A change under way. */
struct pr_step {
	struct lu_step s;
	struct pr_request rq;
	struct nexus *nexus; /* holds a reference; NULL: an admin's */
	uint8_t *params; /* what rq.list.ids lies in */
	struct pr_ports ports;
	struct pr_outcome outcome;
	int error; /* of decide() */
	bool conflict; /* with RESERVE(6) */
	bool changed;
	struct pr_state *old; /* replaced; the outcome's notes point into it */
	int *ret; /* where an admin's result goes */
};

static struct pr_step *step_of(const struct lu_step *s)
{
	return container_of(s, struct pr_step, s);
}

/* ---- the snapshot ---------------------------------------------------------------------------- */

int pr_init(struct lu *lu)
{
	struct pr_state *empty = pr_state_new();

	lu->pr = calloc(1, sizeof(*lu->pr));
	if (!lu->pr || !empty) {
		pr_state_free(empty);
		return -ENOMEM;
	}
	atomic_init(&lu->pr->now, empty);
	return 0;
}

void pr_done(struct lu *lu)
{
	if (lu->pr)
		pr_state_free(atomic_load(&lu->pr->now));
	free(lu->pr);
	lu->pr = NULL;
}

const struct pr_state *pr_now(const struct lu *lu)
{
	return atomic_load_explicit(&lu->pr->now, memory_order_acquire);
}

uint16_t pr_rtpi_of(const struct lu *lu, const struct pr_nexus *nexus)
{
	const struct port_lun *pl;

	list_for_each (pl, &lu->port_luns, struct port_lun, lu_link)
		if (pl->port->tpgt == nexus->tpgt && !strcmp(pl->port->device, nexus->device))
			return pl->port->rtpi;
	return nexus->rtpi;
}

/* Whoever replaces it does so under lu->lock, so that there it stays. */
int pr_copy(struct lu *lu, struct pr_state **ret)
{
	int rc;

	pthread_mutex_lock(&lu->lock);
	rc = pr_state_copy(pr_now(lu), ret);
	for (uint32_t i = 0; !rc && i < (*ret)->n; i++)
		(*ret)->r[i]->nexus.rtpi = pr_rtpi_of(lu, &(*ret)->r[i]->nexus);
	pthread_mutex_unlock(&lu->lock);
	return rc;
}

uint32_t pr_count(struct lu *lu)
{
	uint32_t n;

	pthread_mutex_lock(&lu->lock);
	n = pr_now(lu)->n;
	pthread_mutex_unlock(&lu->lock);
	return n;
}

struct pr_nexus pr_nexus_of(const struct lu *lu, const struct nexus *nexus)
{
	bool isids = lu_conf(lu)->a.enforce_pr_isids;

	return (struct pr_nexus){
		.initiator = nexus->initiator,
		.initiator_port = isids ? nexus->initiator_port : nexus->initiator,
		.device = nexus->device,
		.tpgt = nexus->tpgt,
	};
}

bool pr_can_persist(const struct lu *lu)
{
	return pr_keep_offered(lu);
}

static_assert(
	(int)PR_BAR == BAR_PR && (int)PR_BAR_READ == BAR_PR_READ && (int)PR_BAR_LOST == BAR_PR_LOST,
	"what a state bars is what itl->bars says");

uint32_t pr_bars_of(const struct itl *itl)
{
	const struct lu *lu = itl->lu;
	struct pr_nexus self;

	if (!lu_conf(lu)->a.emulate_pr)
		return 0;
	self = pr_nexus_of(lu, itl->nexus);
	return pr_bars(pr_now(lu), &self);
}

/* ---- decide ---------------------------------------------------------------------------------- */

static int by_who(const void *a, const void *b)
{
	const struct pr_note *x = a, *y = b;

	return (x->who > y->who) - (x->who < y->who);
}

/* Whatever may hold up this change or be held up by it: SPC-2 reservations. False: in force. */
static bool keep_reserve6_away(struct pr_step *p)
{
	struct lu *lu = p->s.lu;

	pthread_mutex_lock(&lu->lock);
	p->conflict = !p->rq.admin && atomic_load(&lu->reserve6);
	lu->pr->changing = !p->conflict;
	pthread_mutex_unlock(&lu->lock);
	return !p->conflict;
}

static void reserve6_again(struct lu *lu)
{
	pthread_mutex_lock(&lu->lock);
	lu->pr->changing = false;
	pthread_mutex_unlock(&lu->lock);
}

static bool has_aborts(const struct pr_outcome *o)
{
	for (uint32_t i = 0; i < o->nnotes; i++)
		if (o->notes[i].abort)
			return true;
	return false;
}

/* SPC-4 5.12.11.3, SAM-5 5.6: the commands of whoever is preempted, but not the one that asks. */
static void set_aborts(struct pr_step *p, struct lu_step *s)
{
	s->aborts = has_aborts(&p->outcome);
	if (!s->aborts)
		return;
	s->scope = (struct abort_scope){
		.lu = s->lu,
		.by = p->nexus,
		.issuer = p->nexus,
		.issuer_loop = s->loop,
		.seq = s->cmd ? s->cmd->seq : 0,
		.preempted = ++s->lu->pr->marks,
	};
}

static bool decide(struct lu_step *s)
{
	struct pr_step *p = step_of(s);
	const struct pr_state *now = pr_now(s->lu);

	if (!keep_reserve6_away(p))
		return false;
	p->error = pr_ports_get(&p->ports, s->lu, p->rq.list.ids_bytes != 0);
	if (p->error)
		return false;
	p->rq.ports = p->ports.ports;
	p->rq.nports = p->ports.nports;
	p->rq.initiators = p->ports.initiators;
	p->rq.ninitiators = p->ports.ninitiators;
	p->error = pr_apply(now, &p->rq, &p->outcome);
	if (p->error || p->outcome.verdict != PR_DONE)
		return false;
	/* Nothing new: GOOD is said all the same only when what is excluded has ended. */
	s->no_commit = !s->lu->pr->uncertain;
	if (!p->outcome.next)
		return true;
	qsort(p->outcome.notes, p->outcome.nnotes, sizeof(p->outcome.notes[0]), by_who);
	set_aborts(p, s);
	/* What was never to be kept needs not be forgotten. */
	if (now->aptpl || p->outcome.next->aptpl || now->lost)
		s->no_commit = false;
	return true;
}

/* Only steps replace the state, and this one is at work. */
static int commit(struct lu_step *s)
{
	const struct pr_step *p = step_of(s);
	int error = pr_keep_commit(s->lu, p->outcome.next ? p->outcome.next : pr_now(s->lu));

	s->lu->pr->uncertain = error != 0;
	return error;
}

/* ---- publish, drain -------------------------------------------------------------------------- */

/* The first of the notes about a nexus that was registered; there may be more behind it. */
static const struct pr_note *note_of(
	const struct pr_outcome *o, const struct pr_state *old, const struct pr_nexus *nexus)
{
	const struct pr_note key = { .who = pr_find(old, nexus) };
	uint32_t lo = 0, hi = key.who ? o->nnotes : 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (by_who(&o->notes[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < o->nnotes && o->notes[lo].who == key.who ? &o->notes[lo] : NULL;
}

static const struct pr_note *note_next(const struct pr_outcome *o, const struct pr_note *note)
{
	const struct pr_note *next = note + 1;

	return next < o->notes + o->nnotes && next->who == note->who ? next : NULL;
}

static void tell(const struct pr_step *p, struct itl *itl, const struct pr_note *note)
{
	if (note->ua != SENSE_NO_SENSE)
		ua_add(itl, note->ua);
	if (!note->abort)
		return;
	atomic_store(&itl->preempted, p->s.scope.preempted);
	/* SPC-4 5.12.11.3: who no longer works must not keep the medium from being removed. */
	itl_prevent_removal(itl, false);
}

static void publish(struct lu_step *s)
{
	struct pr_step *p = step_of(s);
	const struct pr_outcome *o = &p->outcome;
	const struct pr_note *note;
	struct lu *lu = s->lu;
	struct itl *itl;

	lu->pr->changing = false;
	if (!p->outcome.next)
		return;
	p->old = atomic_load(&lu->pr->now);
	atomic_store_explicit(&lu->pr->now, p->outcome.next, memory_order_release);
	p->outcome.next = NULL;
	p->changed = true;
	lu_bars_update(lu);
	list_for_each (itl, &lu->itls, struct itl, lu_link) {
		struct pr_nexus self = pr_nexus_of(lu, itl->nexus);

		for (note = note_of(o, p->old, &self); note; note = note_next(o, note))
			tell(p, itl, note);
	}
}

/* The disk still writes for a nexus that is gone: by its name, since it has no itl any more. */
static bool excludes_orphan(const struct pr_step *p, const struct cmd *cmd)
{
	const struct pr_note *note;
	struct pr_nexus self;

	if (!(cmd->row->rules & RULE_WRITES))
		return false;
	self = pr_nexus_of(cmd->lu, cmd->nexus);
	note = p->changed ? note_of(&p->outcome, p->old, &self) : NULL;
	for (; note; note = note_next(&p->outcome, note))
		if (note->abort)
			return true;
	return bars_pr_conflict(pr_bars(pr_now(cmd->lu), &self), cmd->row->rules);
}

static bool excludes(const struct lu_step *s, const struct cmd *cmd)
{
	if (cmd->orphan)
		return excludes_orphan(step_of(s), cmd);
	/* Of what waits for its turn writes are judged again when that comes, and reads are not. */
	if (!cmd->in_io && cmd->row->rules & RULE_WRITES)
		return false;
	return bars_pr_conflict(atomic_load(&cmd->itl->bars), cmd->row->rules);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void answer(struct pr_step *p, struct cmd *cmd, int error, bool stuck)
{
	if (p->conflict)
		cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
	else if (p->error || stuck)
		cmd_status(cmd, STATUS_BUSY);
	else if (error)
		cmd_fail(cmd, SENSE_INSUFFICIENT_REGISTRATION_RESOURCES);
	else if (p->outcome.verdict == PR_CONFLICT)
		cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
	else if (p->outcome.verdict == PR_SENSE)
		cmd_fail_sense(cmd, &p->outcome.sense);
	else
		cmd_good(cmd);
}

static void done(struct lu_step *s, int error, bool stuck)
{
	struct pr_step *p = step_of(s);

	if (!p->changed)
		reserve6_again(s->lu);
	if (p->ret && !error)
		*p->ret = p->error ? p->error : p->changed ? 0 : -ENOENT;
	if (s->cmd)
		answer(p, s->cmd, error, stuck);
}

static void release(struct lu_step *s)
{
	struct pr_step *p = step_of(s);

	pr_outcome_done(&p->outcome);
	pr_state_free(p->old);
	pr_ports_done(&p->ports);
	if (p->nexus)
		nexus_unref(p->nexus);
	free(p->params);
	free(p);
}

static const struct lu_step_ops ops = {
	.decide = decide,
	.commit = commit,
	.publish = publish,
	.excludes = excludes,
	.done = done,
	.release = release,
};

static struct pr_step *step_new(uint8_t action)
{
	struct pr_step *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->s.ops = &ops;
	p->rq.action = action;
	p->rq.now_s = clock_wall_ns() / NS_PER_S;
	return p;
}

void pr_change(struct cmd *cmd, const struct prout_list *list)
{
	const struct lu_conf *conf = lu_conf(cmd->lu);
	struct pr_step *p = step_new(cmd->cdb[1] & 0x1f);
	uint64_t lun;

	if (!p) {
		cmd_status(cmd, STATUS_BUSY);
		return;
	}
	nexus_ref(cmd->nexus);
	p->nexus = cmd->nexus;
	p->params = cmd->scratch;
	cmd->scratch = NULL;
	p->s.cmd = cmd;
	p->rq.scope = cmd->cdb[2] >> 4;
	p->rq.type = cmd->cdb[2] & 0x0f;
	p->rq.list = *list;
	p->rq.self = pr_nexus_of(cmd->lu, cmd->nexus);
	p->rq.self.rtpi = cmd->nexus->port->rtpi;
	p->rq.can_persist = pr_can_persist(cmd->lu);
	if (conf->a.force_pr_aptpl)
		p->rq.list.aptpl = true;
	p->rq.isids = conf->a.enforce_pr_isids;
	p->rq.lun = lun_decode(cmd->lun, &lun) == LUN_NORMAL ? (uint32_t)lun : 0;
	p->rq.target_lun = cmd->itl->pl->lun;
	lu_step_start(&p->s, cmd->lu, cmd->loop);
}

/* ---- RESERVE and RELEASE --------------------------------------------------------------------- */

/* SPC-4 5.12.3: what a nexus may do with RESERVE and RELEASE while there are registrations. */
static enum pr_reserve6 compatible(struct lu *lu, const struct nexus *nexus)
{
	const struct pr_state *s = pr_now(lu);
	struct pr_nexus self = pr_nexus_of(lu, nexus);
	const struct pr_registration *r = pr_find(s, &self);
	bool shared = reservation_type_registrants_only(s->type) ||
		      reservation_type_all_registrants(s->type);

	return r && (r->holder || shared) ? PR_RESERVE6_COMPATIBLE : PR_RESERVE6_CONFLICT;
}

enum pr_reserve6 pr_reserve6(struct lu *lu, const struct nexus *nexus)
{
	enum pr_reserve6 v = PR_RESERVE6_CONFLICT;

	pthread_mutex_lock(&lu->lock);
	if (pr_now(lu)->n)
		v = compatible(lu, nexus);
	else if (lu->pr->changing)
		v = PR_RESERVE6_BUSY;
	else if (reserve6_take(lu, nexus))
		v = PR_RESERVE6_DONE;
	pthread_mutex_unlock(&lu->lock);
	return v;
}

enum pr_reserve6 pr_release6(struct lu *lu, const struct nexus *nexus)
{
	if (pr_now(lu)->n)
		return compatible(lu, nexus);
	reserve6_release(lu, nexus);
	return PR_RESERVE6_DONE;
}

/* ---- the admin ------------------------------------------------------------------------------- */

int pr_import(struct lu *lu, struct pr_state *state, struct errmsg *err)
{
	struct pr_state *old;

	if (lu->exports)
		return errmsg_set(err, -EBUSY,
			"%s is shown as a LUN: its reservations cannot be replaced", lu->name);
	pthread_mutex_lock(&lu->lock);
	old = atomic_load(&lu->pr->now);
	atomic_store_explicit(&lu->pr->now, state, memory_order_release);
	pthread_mutex_unlock(&lu->lock);
	loops_barrier(engine_loops(lu->eng), NULL, NULL);
	pr_state_free(old);
	return 0;
}

/* p is released by this. */
static int run(struct pr_step *p, struct lu *lu, struct errmsg *err)
{
	int rc = 0, error;
	bool stuck;

	p->rq.admin = true;
	p->ret = &rc;
	error = lu_step_run(&p->s, lu, &stuck);
	if (error)
		return errmsg_set(err, error, "%s: cleared nothing: %s", lu->name, err_text(error));
	if (rc)
		return errmsg_set(err, rc, "%s: %s", lu->name,
			rc == -ENOENT ? "no such registration" : err_text(rc));
	return 0;
}

int pr_clear_admin(struct lu *lu, struct errmsg *err)
{
	struct pr_step *p = step_new(SA_CLEAR);
	int rc;

	if (!p)
		return errmsg_set(err, -ENOMEM, "out of memory");
	rc = run(p, lu, err);
	if (rc == -ENOENT)
		return 0;
	if (!rc)
		log_obj(LOG_LEVEL_WARN, "engine", lu->name,
			"all registrations and the persistent reservation were cleared by the "
			"administrator");
	return rc;
}

int pr_drop_admin(struct lu *lu, const struct pr_nexus *nexus, struct errmsg *err)
{
	struct pr_step *p = step_new(SA_REGISTER);
	int rc;

	if (!p)
		return errmsg_set(err, -ENOMEM, "out of memory");
	p->rq.self = *nexus;
	rc = run(p, lu, err);
	if (!rc)
		log_obj(LOG_LEVEL_WARN, "engine", lu->name,
			"the registration of %s was cleared by the administrator",
			nexus->initiator_port);
	return rc;
}
