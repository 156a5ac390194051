/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_change.c: a change of access states, from the wish to the new state (SPC-4 5.15.2.5).
 *
 * A change has a part for each LU (more than one in an LU group), and goes through its phases with
 * all of them together; each phase is a step (change.h) of each of the LUs:
 *
 *	transit	"transitioning" is published, where that is a state of the group; commands that
 *		the new state excludes end
 *	(trans_delay_ms go by)
 *	final	the new state is written down, then published; unit attentions
 *	revert	if it could not be written down, or if a disk does not give back a command that the
 *		new state excludes: the old state again
 *
 * Changes of one queue follow each other, so each finds the state that the one before has left.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/alua_priv.h"
#include "engine/bars.h"
#include "engine/change.h"
#include "engine/engine_priv.h"
#include "engine/optable.h"

struct target {
	struct alua_group *g; /* stays: g->users */
	uint8_t from, from_status, to, to_status;
	bool transits;
	struct alua_md md_to, md_from;
};

enum phase { PHASE_TRANSIT, PHASE_FINAL, PHASE_REVERT, PHASES };

struct part;

struct part_step {
	struct lu_step s;
	struct part *part;
};

struct part {
	struct alua_change *c;
	struct lu *lu; /* stays: lu->holds */
	unsigned n;
	struct target *targets;
	/* A step may outlive its phase, if the disk is stuck: so each has its own. */
	struct part_step steps[PHASES];
	bool committed; /* what is on the disk says the new state */
	bool failed;
	int error;
};

struct alua_change {
	struct lu *lu; /* that was asked; stays: lu->holds */
	struct loop *loop;
	struct alua_queue *queue;
	struct alua_lu_group *lu_group; /* NULL: lu alone */
	struct list link; /* in queue->changes, under its lock */
	bool is_explicit;
	struct nexus *by; /* that asked, referenced; NULL */
	/*
	 * Only to be found by whoever aborts the command: it is then forgotten, and the change
	 * goes on.
	 */
	struct lu_step ask;
	void (*done)(struct cmd *cmd, int error);
	struct loop_event *event; /* of the control thread that waits, and its result */
	int *result;
	unsigned nparts;
	struct part *parts;
	unsigned missing; /* parts that have not ended their phase */
	unsigned refs; /* steps that are not released, and the change itself */
	struct loop_timer delay;
	struct loop_msg turn;
	int error;
	unsigned nwishes;
	struct alua_wish wishes[];
};

/* ---- life ------------------------------------------------------------------------------------ */

static struct alua_change *change_new(struct lu *lu, const struct alua_wish *wishes, unsigned n)
{
	struct alua_change *c = calloc(1, sizeof(*c) + n * sizeof(c->wishes[0]));

	if (!c)
		return NULL;
	c->lu = lu;
	c->refs = 1;
	c->nwishes = n;
	memcpy(c->wishes, wishes, n * sizeof(c->wishes[0]));
	return c;
}

static void part_done(struct part *p)
{
	pthread_mutex_lock(&p->lu->lock);
	for (unsigned i = 0; i < p->n; i++)
		p->targets[i].g->users--;
	pthread_mutex_unlock(&p->lu->lock);
	for (unsigned i = 0; i < p->n; i++) {
		alua_md_done(&p->targets[i].md_to);
		alua_md_done(&p->targets[i].md_from);
	}
	free(p->targets);
	atomic_fetch_sub(&p->lu->holds, 1);
}

static void change_unref(struct alua_change *c)
{
	if (--c->refs)
		return;
	for (unsigned i = 0; i < c->nparts; i++)
		part_done(&c->parts[i]);
	free(c->parts);
	if (c->by)
		nexus_unref(c->by);
	atomic_fetch_sub(&c->lu->holds, 1);
	free(c);
}

static void change_turn(struct loop *loop, struct loop_msg *msg);

static void change_finish(struct alua_change *c)
{
	struct alua_change *next;
	struct cmd *cmd = c->ask.cmd;

	pthread_mutex_lock(&c->queue->lock);
	list_del(&c->link);
	next = list_first(&c->queue->changes, struct alua_change, link);
	if (next)
		loop_post(next->loop, &next->turn);
	pthread_mutex_unlock(&c->queue->lock);
	if (cmd) {
		cmd->change = NULL;
		c->done(cmd, c->error);
	}
	if (c->event) {
		*c->result = c->error;
		loop_event_signal(c->event);
	}
	change_unref(c);
}

/* ---- the steps of one LU --------------------------------------------------------------------- */

static struct part_step *step_of(struct lu_step *s)
{
	return container_of(s, struct part_step, s);
}

static void tell_state(const struct lu *lu, const struct alua_group *g)
{
	notice_tell(engine_notices(lu->eng), &(struct notice){ .kind = NOTICE_ALUA,
						     .object = lu->name,
						     .state = alua_state_text(g->state),
						     .text = g->name });
}

static void publish_transit(struct lu_step *s)
{
	struct part *p = step_of(s)->part;

	for (unsigned i = 0; i < p->n; i++)
		if (p->targets[i].transits)
			p->targets[i].g->state = TPG_TRANSITIONING;
	lu_bars_update(p->lu);
}

static void publish_final(struct lu_step *s)
{
	struct part *p = step_of(s)->part;
	const struct alua_change *c = p->c;

	for (unsigned i = 0; i < p->n; i++) {
		p->targets[i].g->state = p->targets[i].to;
		p->targets[i].g->status = p->targets[i].to_status;
		tell_state(p->lu, p->targets[i].g);
	}
	p->committed = true;
	lu_bars_update(p->lu);
	/* The nexus that asked knows, of the LU that it asked. */
	alua_attention(
		p->lu, SENSE_ALUA_STATE_CHANGED, c->is_explicit && p->lu == c->lu ? c->by : NULL);
}

static void publish_revert(struct lu_step *s)
{
	struct part *p = step_of(s)->part;

	for (unsigned i = 0; i < p->n; i++) {
		p->targets[i].g->state = p->targets[i].from;
		p->targets[i].g->status = p->targets[i].from_status;
		tell_state(p->lu, p->targets[i].g);
	}
	lu_bars_update(p->lu);
	if (!p->c->is_explicit)
		alua_attention(p->lu, SENSE_IMPLICIT_ALUA_TRANSITION_FAILED, NULL);
}

static int commit_final(struct lu_step *s)
{
	struct part *p = step_of(s)->part;
	int r = 0;

	for (unsigned i = 0; i < p->n && !r; i++)
		r = alua_md_write(p->lu->eng, &p->targets[i].md_to);
	/* Some of them may have been written. */
	p->committed |= r != 0;
	return r;
}

static int commit_revert(struct lu_step *s)
{
	struct part *p = step_of(s)->part;

	for (unsigned i = 0; i < p->n; i++) {
		int r = alua_md_write(p->lu->eng, &p->targets[i].md_from);

		if (r)
			log_obj(LOG_LEVEL_ERROR, "engine", p->lu->name,
				"the kept state of %s may be wrong after a failed change: %s",
				p->targets[i].g->name, err_text(r));
	}
	return 0;
}

/* A command of a lost nexus has no itl: it concerns nobody any more, and its blocks are held. */
static bool excludes(const struct lu_step *s, const struct cmd *cmd)
{
	const struct part *p = container_of(s, struct part_step, s)->part;
	const struct alua_group *g;

	/* What only waits for its turn is judged again when that comes. */
	if (!cmd->itl || !cmd->in_io)
		return false;
	g = atomic_load_explicit(&cmd->itl->pl->alua_group, memory_order_relaxed);
	for (unsigned i = 0; i < p->n; i++) {
		const struct target *t = &p->targets[i];

		if (t->g != g)
			continue;
		return !alua_allows(t->to, cmd->row->rules) ||
		       (t->to == TPG_LBA_DEPENDENT && !alua_lba_reaches(cmd));
	}
	return false;
}

static void phase_over(struct alua_change *c, enum phase phase);

static void part_step_done(struct lu_step *s, int error, bool stuck)
{
	struct part_step *ps = step_of(s);
	struct part *p = ps->part;
	enum phase phase = (enum phase)(ps - p->steps);

	if (phase != PHASE_REVERT && (error || stuck)) {
		p->failed = true;
		p->error = stuck ? -EBUSY : error;
	}
	if (!--p->c->missing)
		phase_over(p->c, phase);
}

static void part_step_release(struct lu_step *s)
{
	change_unref(step_of(s)->part->c);
}

static const struct lu_step_ops phases[PHASES] = {
	[PHASE_TRANSIT] = { .publish = publish_transit,
		.excludes = excludes,
		.done = part_step_done,
		.release = part_step_release },
	[PHASE_FINAL] = { .commit = commit_final,
		.publish = publish_final,
		.excludes = excludes,
		.done = part_step_done,
		.release = part_step_release },
	[PHASE_REVERT] = { .commit = commit_revert,
		.publish = publish_revert,
		.done = part_step_done,
		.release = part_step_release },
};

/* ---- the phases of all ----------------------------------------------------------------------- */

static bool takes_part(const struct part *p, enum phase phase)
{
	if (phase == PHASE_FINAL)
		return true;
	if (phase == PHASE_REVERT)
		return p->failed;
	for (unsigned i = 0; i < p->n; i++)
		if (p->targets[i].transits)
			return true;
	return false;
}

static bool has_file(const struct part *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->targets[i].md_to.path)
			return true;
	return false;
}

static void phase_begin(struct alua_change *c, enum phase phase)
{
	/* One more, so that the phase does not end before it has begun everywhere. */
	c->missing = 1;
	for (unsigned i = 0; i < c->nparts; i++) {
		struct part *p = &c->parts[i];
		struct part_step *ps = &p->steps[phase];

		if (!takes_part(p, phase))
			continue;
		ps->part = p;
		ps->s.ops = &phases[phase];
		ps->s.no_commit =
			phase == PHASE_FINAL ? !has_file(p) : !has_file(p) || !p->committed;
		c->missing++;
		c->refs++;
		lu_step_start(&ps->s, p->lu, c->loop);
	}
	if (!--c->missing)
		phase_over(c, phase);
}

static void delay_over(struct loop_timer *t)
{
	phase_begin(container_of(t, struct alua_change, delay), PHASE_FINAL);
}

/* What failed anywhere: 0, or the first error. all: then all have failed. */
static int failure(struct alua_change *c, bool all)
{
	int error = 0;

	for (unsigned i = 0; i < c->nparts; i++)
		if (c->parts[i].failed && !error)
			error = c->parts[i].error;
	for (unsigned i = 0; error && all && i < c->nparts; i++)
		c->parts[i].failed = true;
	return error;
}

static uint64_t delay_ns(const struct alua_change *c)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < c->nparts; i++) {
		const struct part *p = &c->parts[i];

		for (unsigned k = 0; k < p->n; k++)
			if (p->targets[k].transits && p->targets[k].g->trans_delay_ms > most)
				most = p->targets[k].g->trans_delay_ms;
	}
	return most * UINT64_C(1000000);
}

static void phase_over(struct alua_change *c, enum phase phase)
{
	uint64_t ns;

	if (phase == PHASE_REVERT) {
		change_finish(c);
		return;
	}
	c->error = failure(c, phase == PHASE_TRANSIT);
	if (c->error) {
		phase_begin(c, PHASE_REVERT);
		return;
	}
	if (phase == PHASE_FINAL) {
		change_finish(c);
		return;
	}
	ns = delay_ns(c);
	if (ns)
		loop_timer_arm(c->loop, &c->delay, ns);
	else
		phase_begin(c, PHASE_FINAL);
}

/* ---- its turn -------------------------------------------------------------------------------- */

static int target_init(
	const struct alua_change *c, struct target *t, struct alua_group *g, uint8_t to)
{
	int r;

	*t = (struct target){ .g = g,
		.from = g->state,
		.from_status = g->status,
		.to = to,
		.to_status = c->is_explicit ? TPG_STATUS_EXPLICIT : TPG_STATUS_IMPLICIT,
		.transits = g->supported & TPG_T_SUP && to != TPG_TRANSITIONING };
	r = alua_md_of_group(g, to, t->to_status, &t->md_to);
	if (!r)
		r = alua_md_of_group(g, t->from, t->from_status, &t->md_from);
	if (!r) {
		g->users++;
		return 0;
	}
	alua_md_done(&t->md_to);
	return r;
}

/* Which groups of its LU are to change. Under lu->lock. */
static int part_find(struct part *p)
{
	const struct alua_change *c = p->c;

	for (unsigned i = 0; i < c->nwishes; i++) {
		const struct alua_wish *w = &c->wishes[i];
		struct alua_group *g = alua_group_by_id(p->lu, w->id, false);
		int r;

		if (!g || g->state == w->state)
			continue;
		if (!(g->supported & tpg_sup_bit(w->state))) {
			log_obj(LOG_LEVEL_WARN, "engine", p->lu->name,
				"its group %s does not support %s, to which its LU group changes",
				g->name, alua_state_text(w->state));
			continue;
		}
		r = target_init(c, &p->targets[p->n], g, w->state);
		if (r)
			return r;
		p->n++;
	}
	return 0;
}

static int part_init(struct alua_change *c, struct lu *lu)
{
	struct part *p = &c->parts[c->nparts++];
	int r;

	p->c = c;
	p->lu = lu;
	p->targets = calloc(c->nwishes, sizeof(*p->targets));
	if (!p->targets)
		return -ENOMEM;
	pthread_mutex_lock(&lu->lock);
	r = part_find(p);
	pthread_mutex_unlock(&lu->lock);
	return r;
}

/*
 * The LUs that take part, held. The one that was asked comes first. NULL: no memory. *ret_n: how
 * many.
 */
static struct lu **find_lus(struct alua_change *c, unsigned *ret_n)
{
	struct lu_alua *alua;
	struct lu **lus;
	unsigned n = 1;

	pthread_mutex_lock(&c->queue->lock);
	if (c->lu_group)
		list_for_each (alua, &c->lu_group->members, struct lu_alua, lu_group_link)
			n++;
	lus = malloc(n * sizeof(struct lu *));
	if (lus) {
		lus[0] = c->lu;
		n = 1;
		if (c->lu_group)
			list_for_each (alua, &c->lu_group->members, struct lu_alua, lu_group_link)
				if (alua->lu != c->lu)
					lus[n++] = alua->lu;
		for (unsigned i = 0; i < n; i++)
			atomic_fetch_add(&lus[i]->holds, 1);
		*ret_n = n;
	}
	pthread_mutex_unlock(&c->queue->lock);
	return lus;
}

static int find_parts(struct alua_change *c)
{
	unsigned n, i;
	struct lu **lus = find_lus(c, &n);
	int r = 0;

	if (!lus)
		return -ENOMEM;
	c->parts = calloc(n, sizeof(*c->parts));
	if (!c->parts)
		r = -ENOMEM;
	for (i = 0; !r && i < n; i++)
		r = part_init(c, lus[i]);
	for (i = c->nparts; i < n; i++)
		atomic_fetch_sub(&lus[i]->holds, 1);
	free(lus);
	return r;
}

/* LUs in which nothing changes are let go. */
static void drop_idle_parts(struct alua_change *c)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < c->nparts; i++) {
		if (c->parts[i].n)
			c->parts[kept++] = c->parts[i];
		else
			part_done(&c->parts[i]);
	}
	c->nparts = kept;
}

static void change_turn(struct loop *loop, struct loop_msg *msg)
{
	struct alua_change *c = container_of(msg, struct alua_change, turn);

	c->error = find_parts(c);
	if (c->error) {
		change_finish(c);
		return;
	}
	drop_idle_parts(c);
	phase_begin(c, PHASE_TRANSIT);
}

/* On loop. */
static void change_start(struct alua_change *c, struct loop *loop)
{
	struct lu_alua *alua = c->lu->alua;
	bool first;

	c->loop = loop;
	c->delay.fire = delay_over;
	c->turn.fn = change_turn;
	atomic_fetch_add(&c->lu->holds, 1);
	pthread_mutex_lock(&c->lu->lock);
	c->queue = alua->queue;
	c->lu_group = alua->lu_group->is_default ? NULL : alua->lu_group;
	pthread_mutex_lock(&c->queue->lock);
	first = alua_queue_idle(c->queue);
	list_push_back(&c->queue->changes, &c->link);
	pthread_mutex_unlock(&c->queue->lock);
	pthread_mutex_unlock(&c->lu->lock);
	if (first)
		loop_post(loop, &c->turn);
}

/* ---- who asks -------------------------------------------------------------------------------- */

static void start_on_loop(struct loop *loop, void *arg)
{
	change_start(arg, loop);
}

int alua_change_run(struct lu *lu, const struct alua_wish *wish, struct errmsg *err)
{
	struct loops *loops = lu->eng->loops;
	struct alua_change *c = change_new(lu, wish, 1);
	struct loop_event over;
	int r = 0;

	if (!c)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", lu->name);
	loop_event_init(&over, loops);
	c->event = &over;
	c->result = &r;
	loops_call(loops, loops_get(loops, 0), start_on_loop, c);
	loop_event_wait_aside(&over, UINT64_MAX);
	if (r == -EBUSY)
		return errmsg_set(err, r,
			"%s: its disk does not give back commands that the state %s excludes: the "
			"old state is kept, look after the disk",
			lu->name, alua_state_text(wish->state));
	return r ? errmsg_set(err, r, "%s: the state %s could not be written down: %s", lu->name,
			   alua_state_text(wish->state), err_text(r))
		 : 0;
}

/* What of the wishes cannot be. Under lu->lock. */
static enum alua_verdict judge(
	struct lu *lu, const struct alua_wish *wishes, unsigned n, unsigned *ret_which)
{
	for (unsigned i = 0; i < n; i++) {
		/* A group without ports is not reported, so nobody can know of it. */
		const struct alua_group *g = alua_group_by_id(lu, wishes[i].id, true);

		*ret_which = i;
		if (!g || !(g->access & ALUA_EXPLICIT))
			return ALUA_UNKNOWN_GROUP;
		if (!(g->supported & tpg_sup_bit(wishes[i].state)))
			return ALUA_BAD_STATE;
	}
	return ALUA_ACCEPTED;
}

enum alua_verdict alua_set_explicit(struct cmd *cmd, const struct alua_wish *wishes, unsigned n,
	void (*done)(struct cmd *cmd, int error), unsigned *ret_which)
{
	enum alua_verdict v;
	struct alua_change *c;

	pthread_mutex_lock(&cmd->lu->lock);
	v = judge(cmd->lu, wishes, n, ret_which);
	pthread_mutex_unlock(&cmd->lu->lock);
	if (v != ALUA_ACCEPTED)
		return v;
	c = change_new(cmd->lu, wishes, n);
	if (!c)
		return ALUA_NO_MEMORY;
	c->is_explicit = true;
	nexus_ref(cmd->nexus);
	c->by = cmd->nexus;
	c->done = done;
	c->ask.state = STEP_PUBLISHED; /* as far as an abort is concerned */
	c->ask.cmd = cmd;
	cmd->change = &c->ask;
	change_start(c, cmd->loop);
	return ALUA_ACCEPTED;
}

/* ---- single LUNs ----------------------------------------------------------------------------- */

/* A port's LUN that goes to another group, or whose secondary state changes. */
struct touch {
	struct lu_step s;
	struct port_lun *pl;
	struct alua_group *to; /* NULL: it stays */
	bool offline;
	uint8_t before, after;
	struct alua_md md;
};

static int touch_commit(struct lu_step *s)
{
	struct touch *t = container_of(s, struct touch, s);

	return alua_md_write(s->lu->eng, &t->md);
}

/* SPC-4 6.6.1: the designator of the group is another one for who comes by this LUN. */
static void page_has_changed(struct lu *lu, const struct port_lun *pl)
{
	struct itl *itl;

	list_for_each (itl, &lu->itls, struct itl, lu_link)
		if (itl->pl == pl)
			ua_add(itl, SENSE_INQUIRY_DATA_HAS_CHANGED);
}

static void touch_publish(struct lu_step *s)
{
	struct touch *t = container_of(s, struct touch, s);
	struct port_lun *pl = t->pl;

	t->before = alua_effective(pl);
	if (t->to) {
		list_del(&pl->alua_link);
		list_push_back(&t->to->members, &pl->alua_link);
		atomic_store(&pl->alua_group, t->to);
		page_has_changed(s->lu, pl);
	} else {
		pl->alua_offline = t->offline;
		pl->alua_status = TPG_STATUS_IMPLICIT;
	}
	t->after = alua_effective(pl);
	lu_bars_update(s->lu);
	if (t->after != t->before)
		alua_attention(s->lu, SENSE_ALUA_STATE_CHANGED, NULL);
}

static bool touch_excludes(const struct lu_step *s, const struct cmd *cmd)
{
	const struct touch *t = container_of(s, struct touch, s);

	return cmd->itl && cmd->itl->pl == t->pl && !alua_allows(t->after, cmd->row->rules);
}

static void touch_done(struct lu_step *s, int error, bool stuck)
{
}

static void touch_release(struct lu_step *s)
{
	struct touch *t = container_of(s, struct touch, s);

	alua_md_done(&t->md);
	free(t);
}

static const struct lu_step_ops touch_ops = {
	.commit = touch_commit,
	.publish = touch_publish,
	.excludes = touch_excludes,
	.done = touch_done,
	.release = touch_release,
};

static int touch_run(struct touch *t, const char *what, struct errmsg *err)
{
	struct lu *lu = t->pl->lu;
	bool stuck;
	int r;

	t->s.ops = &touch_ops;
	t->s.no_commit = !t->md.path;
	r = lu_step_run(&t->s, lu, &stuck);
	if (r)
		return errmsg_set(err, r, "%s: could not be written down: %s", what, err_text(r));
	/* It is so; what is still with the disk is told of in the log. */
	return alua_refresh(lu) ? errmsg_set(err, -ENOMEM, "%s: out of memory", what) : 0;
}

static struct touch *touch_new(struct port_lun *pl)
{
	struct touch *t = calloc(1, sizeof(*t));

	if (t)
		t->pl = pl;
	return t;
}

int alua_move(struct port_lun *pl, struct alua_group *to, struct errmsg *err)
{
	struct touch *t;

	assert(pl->lu == to->lu);
	if (atomic_load(&pl->alua_group) == to)
		return 0;
	if (!to->has_id)
		return errmsg_set(err, -ENODEV,
			"alua_tg_pt_gp: %s has no id yet: write its tg_pt_gp_id first", to->name);
	t = touch_new(pl);
	if (!t)
		return errmsg_set(err, -ENOMEM, "alua_tg_pt_gp: out of memory");
	t->to = to;
	return touch_run(t, "alua_tg_pt_gp", err);
}

int alua_set_offline(struct port_lun *pl, bool offline, struct errmsg *err)
{
	struct touch *t;

	if (pl->alua_offline == offline)
		return 0;
	t = touch_new(pl);
	if (!t || alua_md_of_lun(pl, offline, TPG_STATUS_IMPLICIT, &t->md)) {
		free(t);
		return errmsg_set(err, -ENOMEM, "alua_tg_pt_offline: out of memory");
	}
	t->offline = offline;
	return touch_run(t, "alua_tg_pt_offline", err);
}
