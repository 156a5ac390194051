/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rules.c: PERSISTENT RESERVE OUT (SPC-4 5.12.6 to 5.12.11): one function for each service action.
 * They work on a copy of the state, whose registrations are at the same places as in the one before
 * it until finish(); what goes is marked and taken out at the end.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pr/state_priv.h"
#include "scsi/opcodes.h"
#include "scsi/transportid.h"

/* Where the fields of the CDB are (SPC-4 6.16.1). */
enum {
	CDB_ACTION = 1,
	CDB_ACTION_BIT = 4,
	CDB_SCOPE_TYPE = 2,
	CDB_SCOPE_BIT = 7,
	CDB_TYPE_BIT = 3,
};

struct work {
	const struct pr_state *now;
	const struct pr_request *rq;
	const struct pr_registration *self; /* in now; NULL: not registered */
	struct pr_outcome *ret;
	struct pr_state *next; /* NULL until begin() */
	bool *gone; /* of the registrations of now, which of next go */
	bool registered; /* some registration was made, changed, or marked to go */
};

/* ---- answers -------------------------------------------------------------------------------- */

/* Each of these ends the request: the functions below return what they return. */
static int answer(struct work *w, enum pr_verdict verdict)
{
	w->ret->verdict = verdict;
	w->next = pr_state_free(w->next);
	return 0;
}

static int conflict(struct work *w)
{
	return answer(w, PR_CONFLICT);
}

/* GOOD, and nothing has changed. */
static int nothing(struct work *w)
{
	return answer(w, PR_DONE);
}

static int fail(struct work *w, struct sense sense)
{
	w->ret->sense = sense;
	return answer(w, PR_SENSE);
}

static int fail_cdb(struct work *w, uint16_t byte, int bit)
{
	return fail(w, sense_cdb_field(SENSE_INVALID_FIELD_IN_CDB, byte, bit));
}

static int fail_list(struct work *w, size_t byte, int bit)
{
	return fail(
		w, sense_list_field(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, (uint16_t)byte, bit));
}

/* ---- changes -------------------------------------------------------------------------------- */

/* 0, -ENOMEM. */
static int begin(struct work *w)
{
	uint32_t n = w->now->n;

	w->gone = calloc(n ? n : 1, sizeof(*w->gone));
	w->ret->notes = calloc(n ? n : 1, sizeof(*w->ret->notes));
	if (!w->gone || !w->ret->notes)
		return -ENOMEM;
	return pr_state_copy(w->now, &w->next);
}

static bool is_self(const struct work *w, uint32_t i)
{
	return w->self && w->self->at == i;
}

static void note(struct work *w, uint32_t i, enum sense_name ua, bool abort)
{
	w->ret->notes[w->ret->nnotes++] = (struct pr_note){ w->now->r[i], ua, abort };
}

/* Every registered nexus but the one that asked; not those that go. */
static void note_others(struct work *w, enum sense_name ua)
{
	for (uint32_t i = 0; i < w->now->n; i++) {
		if (!w->gone[i] && !(is_self(w, i) && !w->rq->admin))
			note(w, i, ua, false);
	}
}

/* SPC-4 5.12.11.2.2, 5.12.11.2.3: who is told that a reservation of this type is released. */
static bool release_is_told(uint8_t type)
{
	return reservation_type_registrants_only(type) || reservation_type_all_registrants(type);
}

/*
 * SPC-4 5.12.11.2.3, Unregistering: what a sole holder holds goes with it; with an all registrants
 * type not before the last one goes (pr_state_remove() sees to that).
 */
static void release_with_holders(struct work *w)
{
	uint8_t type = w->now->type;

	if (type == RESERVATION_NONE || reservation_type_all_registrants(type))
		return;
	for (uint32_t i = 0; i < w->now->n; i++) {
		if (!w->gone[i] || !w->now->r[i]->holder)
			continue;
		pr_state_release(w->next);
		if (release_is_told(type))
			note_others(w, SENSE_RESERVATIONS_RELEASED);
		return;
	}
}

/* ---- REGISTER ------------------------------------------------------------------------------- */

/* Where registering a nexus begins: what is common to all that one command makes. */
struct registering {
	const char *initiator, *initiator_port;
	bool unregistered; /* one that is registered is an error: named by a TransportID */
	bool ignore; /* whatever the key registered */
};

/* 0; -EBUSY: RESERVATION CONFLICT; -EEXIST: it is registered; -ENOSPC; -ENOMEM. */
static int register_at(struct work *w, const struct registering *reg, const struct pr_port *port)
{
	const struct prout_list *list = &w->rq->list;
	struct pr_registration want = {
		.nexus = { reg->initiator, reg->initiator_port, port->device, port->tpgt,
			port->rtpi },
		.key = list->sa_key,
		.all_tg_pt = list->all_tg_pt,
		.generation = w->now->generation,
		.lun = w->rq->lun,
		.target_lun = port->target_lun,
		.registered_s = w->rq->now_s,
	};
	const struct pr_registration *found = pr_find(w->now, &want.nexus);
	struct pr_registration *r;

	if (!found) {
		/* Just made for another TransportID; or a key that is to go, and is not there. */
		if (pr_find(w->next, &want.nexus) || want.key == 0)
			return 0;
		if (!reg->unregistered && !reg->ignore && list->key != 0)
			return -EBUSY;
		w->registered = true;
		return pr_state_add(w->next, &want);
	}
	if (reg->unregistered)
		return -EEXIST;
	if (!reg->ignore && found->key != list->key)
		return -EBUSY;
	w->registered = true;
	if (want.key == 0) {
		w->gone[found->at] = true;
		return 0;
	}
	r = w->next->r[found->at];
	r->key = want.key;
	r->all_tg_pt = want.all_tg_pt;
	r->generation = want.generation;
	return 0;
}

static bool port_is_own(const struct work *w, const struct pr_port *port)
{
	const struct pr_nexus *self = &w->rq->self;

	return port->tpgt == self->tpgt && strcmp(port->device, self->device) == 0;
}

/*
 * At the target port that the command came through, and with ALL_TG_PT at the others as if it had
 * come through each (SPC-4 6.16.3): all of them, or none.
 */
static int register_port(struct work *w, const struct registering *reg)
{
	const struct pr_nexus *self = &w->rq->self;
	const struct pr_port own = { self->device, self->tpgt, self->rtpi, w->rq->target_lun };
	int rc = register_at(w, reg, &own);

	for (size_t i = 0; i < w->rq->nports && rc == 0 && w->rq->list.all_tg_pt; i++) {
		if (!port_is_own(w, &w->rq->ports[i]))
			rc = register_at(w, reg, &w->rq->ports[i]);
	}
	return rc;
}

/* The ports of one iSCSI TransportID. *ret_any: there was one. */
static int register_id(struct work *w, const struct transportid *id, bool *ret_any)
{
	char initiator[TRANSPORTID_PORT_BYTES], port[TRANSPORTID_PORT_BYTES];
	struct transportid node = *id;
	struct registering reg = { initiator, port, .unregistered = true };

	node.has_isid = false;
	transportid_to_port(&node, initiator);
	transportid_to_port(w->rq->isids ? id : &node, port);
	*ret_any = true;
	if (!w->rq->isids || id->has_isid)
		return register_port(w, &reg);

	/* 7.6.4.6, format 00b: all initiator ports of that name that are known. */
	*ret_any = false;
	for (size_t i = 0; i < w->rq->ninitiators; i++) {
		const struct pr_initiator *known = &w->rq->initiators[i];
		int rc;

		if (strcmp(known->initiator, initiator) != 0)
			continue;
		reg.initiator_port = known->initiator_port;
		*ret_any = true;
		rc = register_port(w, &reg);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * 0 and *ret_bad: the offset of the TransportID that names no port, or one that was registered
 * before the command (table 67, note b); 0 if there is none.
 */
static int register_ids(struct work *w, size_t *ret_bad)
{
	const struct prout_list *list = &w->rq->list;
	size_t used;

	*ret_bad = 0;
	for (size_t at = 0; at < list->ids_bytes; at += used) {
		struct transportid id;
		bool any = false;
		int rc = transportid_parse(list->ids + at, list->ids_bytes - at, &id, &used);

		assert(rc == 0 || rc == -EPROTONOSUPPORT); /* prout_parse() walked them */
		if (rc == 0)
			rc = register_id(w, &id, &any);
		else
			rc = 0;
		if (rc && rc != -EEXIST)
			return rc;
		if (rc || !any) {
			*ret_bad = list->ids_at + at;
			return 0;
		}
	}
	return 0;
}

static int end_register(struct work *w, int rc)
{
	if (rc == -EBUSY)
		return conflict(w);
	if (rc == -ENOSPC)
		return fail(w, sense_plain(SENSE_INSUFFICIENT_REGISTRATION_RESOURCES));
	/* Names of an initiator that is logged in, or out of a TransportID, are good. */
	assert(rc == 0 || rc == -ENOMEM);
	return rc;
}

/* What REGISTER and REGISTER AND IGNORE EXISTING KEY do once the nexus may. */
static int do_register(struct work *w, bool ignore)
{
	const struct pr_request *rq = w->rq;
	struct registering self = { rq->self.initiator, rq->self.initiator_port, false, ignore };
	size_t bad = 0;
	int rc;

	if (rq->list.aptpl && !rq->can_persist)
		return fail_list(w, PROUT_FLAGS, PROUT_APTPL_BIT);
	if (!w->self && rq->list.sa_key == 0 && !ignore)
		return nothing(w);
	rc = begin(w);
	if (rc == 0)
		rc = register_port(w, &self);
	if (rc == 0 && rq->list.spec_i_pt)
		rc = register_ids(w, &bad);
	if (rc)
		return end_register(w, rc);
	if (bad)
		return fail_list(w, bad, SENSE_NO_BIT);
	if (!w->registered)
		return nothing(w);
	w->next->aptpl = rq->list.aptpl;
	release_with_holders(w);
	return 0;
}

/* SPC-4 5.12.7, table 69. */
static int act_register(struct work *w)
{
	const struct prout_list *list = &w->rq->list;

	if (w->rq->admin) {
		if (!w->self)
			return nothing(w);
		if (begin(w))
			return -ENOMEM;
		w->gone[w->self->at] = true;
		note(w, w->self->at, SENSE_REGISTRATIONS_PREEMPTED, false);
		release_with_holders(w);
		return 0;
	}
	if (list->key != (w->self ? w->self->key : 0))
		return conflict(w);
	if (w->self && list->spec_i_pt)
		return fail_list(w, PROUT_FLAGS, PROUT_SPEC_I_PT_BIT);
	return do_register(w, false);
}

/* SPC-4 5.12.7, table 70. */
static int act_register_ignore(struct work *w)
{
	return do_register(w, true);
}

/* ---- RESERVE, RELEASE, CLEAR ---------------------------------------------------------------- */

/* True; false and *ret_bit: which field of byte 2 is not to be had. */
static bool scope_and_type_valid(const struct pr_request *rq, int *ret_bit)
{
	if (rq->scope != RESERVATION_LU_SCOPE) {
		*ret_bit = CDB_SCOPE_BIT;
		return false;
	}
	*ret_bit = CDB_TYPE_BIT;
	return reservation_type_valid(rq->type);
}

/* SPC-4 5.12.9. */
static int act_reserve(struct work *w)
{
	const struct pr_request *rq = w->rq;
	int bit;

	if (!scope_and_type_valid(rq, &bit))
		return fail_cdb(w, CDB_SCOPE_TYPE, bit);
	if (w->now->type != RESERVATION_NONE) {
		if (w->self->holder && w->now->type == rq->type && w->now->scope == rq->scope)
			return nothing(w);
		return conflict(w);
	}
	if (begin(w))
		return -ENOMEM;
	pr_state_reserve(w->next, w->self->at, rq->scope, rq->type);
	return 0;
}

/* SPC-4 5.12.11.2.2. */
static int act_release(struct work *w)
{
	const struct pr_request *rq = w->rq;

	if (w->now->type == RESERVATION_NONE || !w->self->holder)
		return nothing(w);
	if (w->now->scope != rq->scope || w->now->type != rq->type) {
		int bit = w->now->scope != rq->scope ? CDB_SCOPE_BIT : CDB_TYPE_BIT;

		return fail(w, sense_cdb_field(SENSE_INVALID_RELEASE_OF_PR, CDB_SCOPE_TYPE, bit));
	}
	if (begin(w))
		return -ENOMEM;
	pr_state_release(w->next);
	if (release_is_told(w->now->type))
		note_others(w, SENSE_RESERVATIONS_RELEASED);
	return 0;
}

/* SPC-4 5.12.11.2.7. */
static int act_clear(struct work *w)
{
	if (w->rq->admin && w->now->n == 0 && !w->now->lost)
		return nothing(w);
	if (begin(w))
		return -ENOMEM;
	note_others(w, SENSE_RESERVATIONS_PREEMPTED);
	for (uint32_t i = 0; i < w->now->n; i++)
		w->gone[i] = true;
	pr_state_release(w->next);
	w->next->lost = false;
	return 0;
}

/* ---- PREEMPT, PREEMPT AND ABORT ------------------------------------------------------------- */

/*
 * SPC-4 5.12.11.2.6: the reservation of all whose key is sa_key, or of all if that is zero, goes
 * over to the one that asks, with the scope and type that it wants.
 */
static int preempt_reservation(struct work *w, bool abort)
{
	const struct pr_request *rq = w->rq;
	const struct pr_state *now = w->now;
	uint64_t key = rq->list.sa_key;
	bool changes = now->type != rq->type || now->scope != rq->scope;
	int bit;

	if (!scope_and_type_valid(rq, &bit))
		return fail_cdb(w, CDB_SCOPE_TYPE, bit);
	if (begin(w))
		return -ENOMEM;
	for (uint32_t i = 0; i < now->n; i++) {
		if (is_self(w, i))
			continue;
		w->gone[i] = key == 0 || now->r[i]->key == key;
		if (w->gone[i])
			note(w, i, SENSE_REGISTRATIONS_PREEMPTED, abort);
		else if (changes)
			note(w, i, SENSE_RESERVATIONS_RELEASED, false);
	}
	pr_state_reserve(w->next, w->self->at, rq->scope, rq->type);
	return 0;
}

/*
 * SPC-4 5.12.11.2.5: nothing but the registrations with that key goes, that of the one that asks
 * if it has the same key; scope and type are ignored.
 */
static int preempt_registrations(struct work *w, bool abort)
{
	uint64_t key = w->rq->list.sa_key;
	bool any = false;

	if (begin(w))
		return -ENOMEM;
	for (uint32_t i = 0; i < w->now->n; i++) {
		if (w->now->r[i]->key != key)
			continue;
		w->gone[i] = any = true;
		if (!is_self(w, i))
			note(w, i, SENSE_REGISTRATIONS_PREEMPTED, abort);
		else if (abort)
			note(w, i, SENSE_NO_SENSE, true);
	}
	return any ? 0 : conflict(w);
}

/* SPC-4 5.12.11.2.4, table 73. */
static int preempt(struct work *w, bool abort)
{
	const struct pr_registration *holder = pr_holder(w->now);
	uint64_t key = w->rq->list.sa_key;

	if (reservation_type_all_registrants(w->now->type))
		return key == 0 ? preempt_reservation(w, abort) : preempt_registrations(w, abort);
	if (key == 0)
		return fail_list(w, PROUT_SA_KEY, SENSE_NO_BIT);
	if (holder && holder->key == key)
		return preempt_reservation(w, abort);
	return preempt_registrations(w, abort);
}

static int act_preempt(struct work *w)
{
	return preempt(w, false);
}

static int act_preempt_and_abort(struct work *w)
{
	return preempt(w, true);
}

/* ---- REGISTER AND MOVE, REPLACE LOST RESERVATION -------------------------------------------- */

/*
 * The initiator port to move to (SPC-4 5.12.8): one port, of iSCSI, and not the one that asks,
 * through whatever target port.
 */
static bool move_destination(
	const struct work *w, struct transportid *ret_id, char port[static TRANSPORTID_PORT_BYTES])
{
	const struct pr_request *rq = w->rq;
	size_t used;
	int rc = transportid_parse(rq->list.ids, rq->list.ids_bytes, ret_id, &used);

	assert(rc == 0 || rc == -EPROTONOSUPPORT);
	if (rc || (rq->isids && !ret_id->has_isid))
		return false;
	if (!rq->isids)
		ret_id->has_isid = false;
	transportid_to_port(ret_id, port);
	ret_id->has_isid = false;
	return strcmp(port, rq->self.initiator_port) != 0;
}

static const struct pr_port *port_by_rtpi(const struct pr_request *rq, uint16_t rtpi)
{
	for (size_t i = 0; i < rq->nports; i++) {
		if (rq->ports[i].rtpi == rtpi)
			return &rq->ports[i];
	}
	return NULL;
}

/* Both names are good; the port is one. */
static int do_move(struct work *w, const struct pr_port *port, const struct registering *to)
{
	const struct pr_nexus nexus = { to->initiator, to->initiator_port, port->device, port->tpgt,
		port->rtpi };
	int rc = begin(w);

	if (rc == 0)
		rc = register_at(w, to, port);
	if (rc)
		return end_register(w, rc);
	pr_state_reserve(w->next, pr_find(w->next, &nexus)->at, w->now->scope, w->now->type);
	w->next->aptpl = w->rq->list.aptpl;
	w->gone[w->self->at] = w->rq->list.unreg;
	return 0;
}

/* SPC-4 5.12.8. */
static int act_register_and_move(struct work *w)
{
	const struct prout_list *list = &w->rq->list;
	char initiator[TRANSPORTID_PORT_BYTES], name[TRANSPORTID_PORT_BYTES];
	struct registering to = { initiator, name, .ignore = true };
	const struct pr_port *port;
	struct transportid id;

	if (w->now->type == RESERVATION_NONE)
		return fail_cdb(w, CDB_ACTION, CDB_ACTION_BIT);
	if (reservation_type_all_registrants(w->now->type) || !w->self->holder)
		return conflict(w);
	if (list->sa_key == 0)
		return fail_list(w, PROUT_SA_KEY, SENSE_NO_BIT);
	if (list->aptpl && !w->rq->can_persist)
		return fail_list(w, PROUT_MOVE_FLAGS, PROUT_APTPL_BIT);
	port = port_by_rtpi(w->rq, list->rtpi);
	if (!port)
		return fail_list(w, PROUT_MOVE_RTPI, SENSE_NO_BIT);
	if (!move_destination(w, &id, name))
		return fail_list(w, PROUT_MOVE_ID, SENSE_NO_BIT);
	transportid_to_port(&id, initiator);
	return do_move(w, port, &to);
}

/*
 * SPC-4, Replacing lost reservations: after what was to be kept has been lost, and only then. The
 * reservation key must be zero, as nobody has one.
 */
static int act_replace_lost(struct work *w)
{
	const struct pr_request *rq = w->rq;
	struct registering self = { rq->self.initiator, rq->self.initiator_port, false, true };
	const struct pr_port own = { rq->self.device, rq->self.tpgt, rq->self.rtpi,
		rq->target_lun };
	int bit, rc;

	if (!w->now->lost)
		return fail(w,
			sense_cdb_field(SENSE_INVALID_RELEASE_OF_PR, CDB_ACTION, CDB_ACTION_BIT));
	if (rq->list.key != 0)
		return conflict(w);
	if (!scope_and_type_valid(rq, &bit))
		return fail_cdb(w, CDB_SCOPE_TYPE, bit);
	if (rq->list.sa_key == 0)
		return fail_list(w, PROUT_SA_KEY, SENSE_NO_BIT);
	if (rq->list.aptpl && !rq->can_persist)
		return fail_list(w, PROUT_FLAGS, PROUT_APTPL_BIT);
	rc = begin(w);
	if (rc == 0) {
		w->next->lost = false;
		w->next->aptpl = rq->list.aptpl;
		w->next->generation = 0; /* set to zero, not counted */
		rc = register_at(w, &self, &own);
	}
	if (rc)
		return end_register(w, rc);
	w->next->r[0]->all_tg_pt = false; /* the bit is not looked at here */
	w->next->r[0]->generation = 0;
	pr_state_reserve(w->next, 0, rq->scope, rq->type);
	return 0;
}

/* ---- which is which ------------------------------------------------------------------------- */

static const struct rule {
	int (*act)(struct work *w);
	bool needs_key; /* else RESERVATION CONFLICT before all else (SPC-4 6.16.3) */
	bool counts; /* in PRGENERATION (SPC-4 table 204) */
} rules[] = {
	[SA_REGISTER] = { act_register, false, true },
	[SA_RESERVE] = { act_reserve, true, false },
	[SA_RELEASE] = { act_release, true, false },
	[SA_CLEAR] = { act_clear, true, true },
	[SA_PREEMPT] = { act_preempt, true, true },
	[SA_PREEMPT_AND_ABORT] = { act_preempt_and_abort, true, true },
	[SA_REGISTER_AND_IGNORE_EXISTING_KEY] = { act_register_ignore, false, true },
	[SA_REGISTER_AND_MOVE] = { act_register_and_move, true, true },
	[SA_REPLACE_LOST_RESERVATION] = { act_replace_lost, false, false },
};

static int judge(struct work *w, const struct rule *rule)
{
	const struct pr_request *rq = w->rq;
	bool may_when_lost = rq->admin || rq->action == SA_REPLACE_LOST_RESERVATION;

	if (w->now->lost && !may_when_lost)
		return fail(w, sense_plain(SENSE_PR_INFORMATION_LOST));
	if (rule->needs_key && !rq->admin && (!w->self || w->self->key != rq->list.key))
		return conflict(w);
	return rule->act(w);
}

/* What was marked goes; the state is ready to be handed on. */
static void finish(struct work *w, const struct rule *rule)
{
	pr_state_remove(w->next, w->gone, w->now->n);
	w->next->generation += rule->counts;
	pr_state_check(w->next);
	w->ret->generation_changed = rule->counts;
	w->ret->next = w->next;
}

int pr_apply(const struct pr_state *now, const struct pr_request *rq, struct pr_outcome *ret)
{
	struct pr_outcome out = { 0 };
	struct work w = { .now = now, .rq = rq, .ret = &out };
	int rc;

	assert(rq->action < sizeof(rules) / sizeof(rules[0]));
	assert(!rq->admin || rq->action == SA_CLEAR ||
		(rq->action == SA_REGISTER && rq->list.sa_key == 0));
	pr_state_check(now);
	if (rq->self.initiator_port)
		w.self = pr_find(now, &rq->self);

	rc = judge(&w, &rules[rq->action]);
	if (rc == 0 && w.next)
		finish(&w, &rules[rq->action]);
	free(w.gone);
	if (rc) {
		pr_state_free(w.next);
		pr_outcome_done(&out);
		return rc;
	}
	if (!out.next)
		out.nnotes = 0;
	*ret = out;
	return 0;
}

void pr_outcome_done(struct pr_outcome *o)
{
	pr_state_free(o->next);
	free(o->notes);
	*o = (struct pr_outcome){ 0 };
}
