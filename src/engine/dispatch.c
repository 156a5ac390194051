/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dispatch.c: a command's way from the fabric to its handler, and past the gate to the disk:
 * LUN, row, task set, checks, run; later, with its data there, permission again, gate, ranges.
 */
#include <assert.h>
#include <stdlib.h>

#include "engine/alua.h"
#include "engine/bars.h"
#include "engine/cmd.h"
#include "engine/engine_priv.h"
#include "engine/fabric.h"
#include "engine/gate.h"
#include "engine/optable.h"
#include "engine/reserve6.h"
#include "scsi/lun.h"

/* ---- checks, in the order of their precedence ----------------------------------------------- */

/* Ends the command and returns false if it must not go on. */
typedef bool check_fn(struct cmd *cmd, const struct lu_conf *conf);

static bool check_unit_attention(struct cmd *cmd, const struct lu_conf *conf)
{
	enum sense_name ua;

	if (!ua_pending(cmd->itl) || (cmd->row && cmd->row->rules & RULE_NO_UA))
		return true;
	if (!ua_take(cmd->itl, &ua))
		return true;
	lu_loop(cmd->lu, cmd->loop)->ua_sent++;
	cmd->fenced = ua_is_fenced(ua);
	cmd_fail(cmd, ua);
	return false;
}

static bool check_row(struct cmd *cmd, const struct lu_conf *conf)
{
	unsigned byte;
	int bit;
	bool sa_only;

	if (!cmd->row) {
		(void)op_find(cmd->cdb, cmd->cdb_len, conf, &sa_only);
		/* A CDB that ends before its service action has no such field to point to. */
		if (sa_only && cmd->cdb_len > 1)
			cmd_fail_cdb(cmd, 1, 4);
		else
			cmd_fail(cmd, SENSE_INVALID_OPERATION_CODE);
		return false;
	}
	if (cmd->cdb_len < cmd->row->cdb_len) {
		cmd_fail(cmd, SENSE_INVALID_OPERATION_CODE);
		return false;
	}
	if (!op_check_usage(cmd->row, cmd->cdb, &byte, &bit))
		return true;
	cmd_fail_cdb(cmd, byte, bit);
	return false;
}

static bool check_attribute(struct cmd *cmd, const struct lu_conf *conf)
{
	/* SAM-5 8.6.5: without ACA there is no ACA task. */
	if (cmd->attr != TASK_ATTR_ACA)
		return true;
	cmd_fail(cmd, SENSE_INVALID_FIELD_IN_COMMAND_IU);
	return false;
}

static const enum sense_name not_ready[] = {
	[LU_PENDING] = SENSE_BECOMING_READY,
	[LU_NO_MEDIUM] = SENSE_MEDIUM_NOT_PRESENT,
	[LU_FAILED] = SENSE_LU_FAILURE,
};

static bool check_ready(struct cmd *cmd, const struct lu_conf *conf)
{
	if (!(cmd->row->rules & RULE_MEDIUM) || conf->readiness == LU_READY)
		return true;
	cmd_fail(cmd, not_ready[conf->readiness]);
	return false;
}

/* SPC-4 5.15.2.4, 5.12.1: asymmetric access state, then persistent reservations. */
static bool judge_bars(struct cmd *cmd, uint32_t bars)
{
	if (!bars)
		return true;
	/* Reads under a write exclusive type are to be cheap, too. */
	if (!(bars & ~(uint32_t)BAR_PR_ALL) && !bars_pr_conflict(bars, cmd->row->rules))
		return true;
	return bars_pass(cmd, bars);
}

static bool check_bars(struct cmd *cmd, const struct lu_conf *conf)
{
	return judge_bars(cmd, atomic_load_explicit(&cmd->itl->bars, memory_order_acquire));
}

/* SPC-2 5.5.1 */
static bool check_reservation(struct cmd *cmd, const struct lu_conf *conf)
{
	if (cmd->row->rules & RULE_R6_OK || !reserve6_conflicts(cmd->lu, cmd->nexus))
		return true;
	cmd_status(cmd, STATUS_RESERVATION_CONFLICT);
	return false;
}

static bool check_write_protect(struct cmd *cmd, const struct lu_conf *conf)
{
	if (!(cmd->row->rules & RULE_WRITES) || (!conf->write_protected && !cmd->read_only))
		return true;
	cmd_fail(cmd, SENSE_WRITE_PROTECTED); /* also for SWP: SPC-4 7.5.8 */
	return false;
}

static check_fn *const checks[] = {
	check_unit_attention,
	check_row,
	check_attribute,
	check_bars,
	check_reservation,
	check_ready,
	check_write_protect,
};

/*
 * SPC-4 5.12.1: what writes the medium is checked for conflicts until it does; what does not is
 * checked before it is enabled, and no reservation that comes later ends it with a conflict.
 */
static bool check_bars_late(struct cmd *cmd, const struct lu_conf *conf)
{
	uint32_t bars = atomic_load_explicit(&cmd->itl->bars, memory_order_acquire);

	return judge_bars(cmd, cmd->row->rules & RULE_WRITES ? bars : bars & ~(uint32_t)BAR_PR_ALL);
}

static bool check_reservation_late(struct cmd *cmd, const struct lu_conf *conf)
{
	return !(cmd->row->rules & RULE_WRITES) || check_reservation(cmd, conf);
}

/* What may have changed while a command waited for its data. */
static check_fn *const late_checks[] = { check_bars_late, check_reservation_late, check_ready,
	check_write_protect };

static bool pass(struct cmd *cmd, check_fn *const *list, unsigned n)
{
	const struct lu_conf *conf = lu_conf(cmd->lu);

	for (unsigned i = 0; i < n; i++)
		if (!list[i](cmd, conf))
			return false;
	return true;
}

#define PASS(cmd, list) pass(cmd, list, sizeof(list) / sizeof((list)[0]))

bool cmd_check_again(struct cmd *cmd)
{
	return PASS(cmd, late_checks);
}

/* ---- LUNs without an LU --------------------------------------------------------------------- */

static bool unmapped_attention(struct cmd *cmd)
{
	enum sense_name ua;

	/* There is nothing to be attentive of but the LUN inventory. */
	if (cmd->row && cmd->row->rules & RULE_NO_UA)
		return false;
	if (!ua_pending(&cmd->nexus->no_lu) || !ua_take(&cmd->nexus->no_lu, &ua))
		return false;
	cmd_fail(cmd, ua);
	return true;
}

/* SPC-4 6.6, 6.33, 6.39; SAM-5 4.6.4: INQUIRY, REPORT LUNS and REQUEST SENSE are for every LUN. */
static void run_unmapped(struct cmd *cmd)
{
	bool sa_only;
	unsigned byte;
	int bit;

	cmd->state = CMD_ENABLED;
	cmd->row = op_find(cmd->cdb, cmd->cdb_len, NULL, &sa_only);
	if (unmapped_attention(cmd))
		return;
	if (!cmd->row || !(cmd->row->rules & RULE_ANY_LUN) || cmd->cdb_len < cmd->row->cdb_len)
		cmd_fail(cmd, SENSE_LU_NOT_SUPPORTED);
	else if (op_check_usage(cmd->row, cmd->cdb, &byte, &bit))
		cmd_fail_cdb(cmd, byte, bit);
	else
		cmd->row->run(cmd);
}

/* ---- task set: SAM-5 8 ---------------------------------------------------------------------- */

/* The gate that keeps younger tasks back while an ORDERED one waits and runs. */
struct ordered {
	struct gate gate;
	struct cmd *cmd; /* NULL: it has ended */
	bool entered;
};

static void ordered_opened(struct gate *gate)
{
	free(container_of(gate, struct ordered, gate));
}

static void ordered_entered(struct gate *gate)
{
	struct ordered *o = container_of(gate, struct ordered, gate);

	o->entered = true;
	if (o->cmd)
		cmd_enable(o->cmd);
	else
		gate_open(&o->gate, ordered_opened);
}

void ordered_end(struct ordered *o)
{
	o->cmd = NULL;
	if (o->entered)
		gate_open(&o->gate, ordered_opened);
}

static void start_ordered(struct cmd *cmd)
{
	struct ordered *o = calloc(1, sizeof(*o));

	if (!o) {
		cmd_status(cmd, STATUS_TASK_SET_FULL);
		return;
	}
	o->cmd = cmd;
	o->gate.entered = ordered_entered;
	cmd->ordered = o;
	cmd->state = CMD_DORMANT;
	gate_close(&o->gate, cmd->lu, cmd->loop, GATE_TASKS);
}

static bool head_of_queue(const struct cmd *cmd)
{
	return cmd->attr == TASK_ATTR_HEAD_OF_QUEUE || (cmd->row && cmd->row->rules & RULE_HOQ);
}

/* SAM-5 8.7: 1 is the highest; what has none comes after those that have. */
static unsigned priority_of(const struct cmd *cmd)
{
	return cmd->priority ? cmd->priority : CMD_PRIORITIES;
}

/*
 * Wait for the turn: in the order of arrival, but of SIMPLE tasks that wait between the same
 * others those of higher priority first.
 */
static void make_dormant(struct cmd *cmd, struct lu_loop *ll)
{
	struct list *at = ll->dormant.prev;

	cmd->state = CMD_DORMANT;
	for (; cmd->attr == TASK_ATTR_SIMPLE && at != &ll->dormant; at = at->prev) {
		const struct cmd *c = container_of(at, struct cmd, wait);

		if (c->attr != TASK_ATTR_SIMPLE || priority_of(c) <= priority_of(cmd))
			break;
	}
	list_push_front(at, &cmd->wait);
}

/* Enter the task set: run, or wait behind what is older (SAM-5 8.6). */
static void enter_task_set(struct cmd *cmd, struct lu_loop *ll)
{
	bool closed = ll->tasks_closed || ll->nhoq;

	if (head_of_queue(cmd)) {
		cmd->hoq = true;
		ll->nhoq++;
		cmd_enable(cmd);
	} else if (closed || !list_empty(&ll->dormant)) {
		make_dormant(cmd, ll);
	} else if (cmd->attr == TASK_ATTR_ORDERED) {
		start_ordered(cmd);
	} else {
		cmd_enable(cmd);
	}
}

void cmd_enable(struct cmd *cmd)
{
	cmd->state = CMD_ENABLED;
	cmd->counted = true;
	lu_loop(cmd->lu, cmd->loop)->ntasks++;
	if (PASS(cmd, checks))
		cmd->row->run(cmd);
}

void cmd_submit(struct cmd *cmd)
{
	const struct lunmap *map = atomic_load_explicit(&cmd->nexus->map, memory_order_acquire);
	const struct lunmap_entry *e = NULL;
	struct lu_loop *ll;
	uint64_t lun;
	bool sa_only;

	assert(cmd->state == CMD_NEW);
	if (atomic_load_explicit(&cmd->nexus->closing, memory_order_relaxed)) {
		cmd->aborted = true;
		cmd_end_aborted(cmd);
		return;
	}
	if (lun_decode(cmd->lun, &lun) == LUN_NORMAL)
		e = lunmap_find(map, (uint32_t)lun);
	if (!e) {
		run_unmapped(cmd);
		return;
	}
	cmd->lu = e->lu;
	cmd->itl = e->itl;
	cmd->read_only = e->read_only;
	cmd->seq = engine_loop(cmd->nexus->eng, cmd->loop)->next_seq++;
	ll = lu_loop(e->lu, cmd->loop);
	list_push_back(&ll->cmds, &cmd->link);
	cmd->row = op_find(cmd->cdb, cmd->cdb_len, lu_conf(e->lu), &sa_only);
	enter_task_set(cmd, ll);
}

/* ---- the gate to the disk ------------------------------------------------------------------- */

static bool must_wait(struct cmd *cmd, const struct lu_loop *ll)
{
	if (ll->io_closed)
		return true;
	return cmd->nblocks && atomic_load_explicit(&cmd->lu->nranges, memory_order_seq_cst) &&
	       range_conflicts(cmd->lu, cmd);
}

static void go_to_disk(struct cmd *cmd, struct lu_loop *ll)
{
	cmd->state = CMD_IO;
	cmd->in_io = true;
	ll->nio++;
	cmd->step(cmd);
}

static void pass_gate(struct cmd *cmd, struct lu_loop *ll)
{
	if (!must_wait(cmd, ll)) {
		go_to_disk(cmd, ll);
		return;
	}
	cmd->state = CMD_GATED;
	cmd->waits_since_ns = loop_now_ns(cmd->loop);
	list_push_back(&ll->gated, &cmd->wait);
	if (!loop_timer_armed(&ll->range_timer))
		loop_timer_arm(cmd->loop, &ll->range_timer, RANGE_WAIT_NS);
}

/*
 * SPC-4 5.15.2.4.3: a path that is not the best one may be slower, by as much as the admin says.
 * Whatever delay commands have, they wait in the order of their times.
 */
static bool is_delayed(struct cmd *cmd, struct lu_loop *ll)
{
	uint32_t bars = atomic_load_explicit(&cmd->itl->bars, memory_order_relaxed);
	uint64_t ms;
	struct list *at;

	if (!bars || cmd->delayed || bars_alua_state(bars) != TPG_ACTIVE_NONOPTIMIZED)
		return false;
	ms = atomic_load_explicit(&cmd->itl->alua_delay_ms, memory_order_relaxed);
	cmd->delayed = true;
	cmd->state = CMD_GATED;
	cmd->waits_since_ns = loop_now_ns(cmd->loop) + ms * 1000000;
	for (at = ll->delayed.prev; at != &ll->delayed; at = at->prev)
		if (container_of(at, struct cmd, wait)->waits_since_ns <= cmd->waits_since_ns)
			break;
	list_push_front(at, &cmd->wait);
	if (ll->delayed.next == &cmd->wait)
		loop_timer_arm(ll->loop, &ll->delay_timer, ms * 1000000);
	return true;
}

static void delay_over(struct loop_timer *t)
{
	struct lu_loop *ll = container_of(t, struct lu_loop, delay_timer);
	uint64_t now = loop_now_ns(ll->loop);
	struct cmd *cmd;

	while ((cmd = list_first(&ll->delayed, struct cmd, wait)) && cmd->waits_since_ns <= now) {
		list_del(&cmd->wait);
		cmd->state = CMD_ENABLED;
		if (cmd_check_again(cmd))
			pass_gate(cmd, ll);
	}
	if (cmd)
		loop_timer_arm(ll->loop, t, cmd->waits_since_ns - now);
}

void cmd_enter_io(struct cmd *cmd, void (*step)(struct cmd *cmd))
{
	struct lu_loop *ll = lu_loop(cmd->lu, cmd->loop);

	assert(cmd->state == CMD_ENABLED && !cmd->in_io);
	if (!cmd_check_again(cmd))
		return;
	cmd->step = step;
	if (!is_delayed(cmd, ll))
		pass_gate(cmd, ll);
}

static void range_timeout(struct loop_timer *t)
{
	struct lu_loop *ll = container_of(t, struct lu_loop, range_timer);
	uint64_t now = loop_now_ns(ll->loop);
	struct cmd *cmd, *tmp;

	list_for_each_safe (cmd, tmp, &ll->gated, struct cmd, wait) {
		if (now - cmd->waits_since_ns < RANGE_WAIT_NS)
			break;
		cmd->state = CMD_ENABLED;
		list_del(&cmd->wait);
		cmd->status_qualifier = CMD_RETRY_RANGE_100MS;
		cmd_status(cmd, STATUS_BUSY);
	}
	cmd = list_first(&ll->gated, struct cmd, wait);
	if (cmd)
		loop_timer_arm(ll->loop, t, RANGE_WAIT_NS - (now - cmd->waits_since_ns));
}

/*
 * ---- looking again
 * -----------------------------------------------------------------------------
 */

static void kick_gated(struct lu_loop *ll)
{
	struct list again;
	struct list *n;

	/* Each may end up in the list again, or end others: so take them all out first. */
	list_init(&again);
	list_splice_back(&again, &ll->gated);
	while ((n = list_pop_front(&again))) {
		struct cmd *cmd = container_of(n, struct cmd, wait);

		if (must_wait(cmd, ll)) {
			list_push_back(&ll->gated, &cmd->wait);
			continue;
		}
		cmd->state = CMD_ENABLED;
		if (cmd_check_again(cmd))
			go_to_disk(cmd, ll);
	}
	if (list_empty(&ll->gated))
		loop_timer_disarm(ll->loop, &ll->range_timer);
}

static void kick_dormant(struct lu_loop *ll)
{
	struct cmd *cmd;

	while (!ll->tasks_closed && !ll->nhoq &&
		(cmd = list_first(&ll->dormant, struct cmd, wait))) {
		list_del(&cmd->wait);
		if (cmd->attr == TASK_ATTR_ORDERED)
			start_ordered(cmd);
		else
			cmd_enable(cmd);
	}
}

void lu_loop_kick(struct lu_loop *ll)
{
	kick_gated(ll);
	kick_dormant(ll);
}

static void kick_msg(struct loop *loop, struct loop_msg *msg)
{
	struct lu_loop *ll = container_of(msg, struct lu_loop, kick);

	atomic_store_explicit(&ll->kick_posted, false, memory_order_seq_cst);
	lu_loop_kick(ll);
}

void lu_loop_kick_post(struct lu_loop *ll)
{
	if (!atomic_exchange_explicit(&ll->kick_posted, true, memory_order_seq_cst))
		loop_post(ll->loop, &ll->kick);
}

void lu_loop_init(struct lu_loop *ll, struct lu *lu, struct loop *loop)
{
	list_init(&ll->cmds);
	list_init(&ll->dormant);
	list_init(&ll->gated);
	list_init(&ll->delayed);
	ll->delay_timer.fire = delay_over;
	ll->range_timer.fire = range_timeout;
	ll->kick.fn = kick_msg;
	ll->lu = lu;
	ll->loop = loop;
}
