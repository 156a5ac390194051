/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rules_test.c: every service action of PERSISTENT RESERVE OUT with every precondition: whether the
 * nexus that asks is registered, holds, or another does, each type, keys right, wrong, zero, its
 * own, known and unknown, scopes and types, flags and TransportIDs. What should come of each is
 * written out below from SPC-4 once more, in sets of nexuses, and compared in full: the answer with
 * its field pointer, the state after it, and who is told what.
 */
#include "engine/pr/world_priv.h"

/* Keys in these worlds are 1 (of A, the nexus that asks, and perhaps of others), 2, 3, 4. */
enum { WRONG_KEY = 7, UNKNOWN_KEY = 9 };

struct want {
	enum pr_verdict verdict;
	enum sense_name sense;
	bool in_cdb;
	unsigned field;
	int bit;
	bool changed;
	struct world after;
	struct told told;
};

static const unsigned self = 1u << A;

/* ---- what the standard says ----------------------------------------------------------------- */

static void conflicts(struct want *w)
{
	w->verdict = PR_CONFLICT;
}

static void fails(struct want *w, enum sense_name name, bool in_cdb, unsigned field, int bit)
{
	w->verdict = PR_SENSE;
	w->sense = name;
	w->in_cdb = in_cdb;
	w->field = field;
	w->bit = bit;
}

static void fails_cdb(struct want *w, unsigned field, int bit)
{
	fails(w, SENSE_INVALID_FIELD_IN_CDB, true, field, bit);
}

static void fails_list(struct want *w, unsigned field, int bit)
{
	fails(w, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, false, field, bit);
}

static bool registrants_only(uint8_t type)
{
	return type == 5 || type == 6;
}

static bool all_registrants(uint8_t type)
{
	return type == 7 || type == 8;
}

/* Byte 2 of the CDB: SCOPE must be LU_SCOPE, TYPE one of table 198. */
static bool scope_type_good(const struct pr_request *rq, struct want *w)
{
	static const bool types[16] = {
		[1] = true, [3] = true, [5] = true, [6] = true, [7] = true, [8] = true
	};

	if (rq->scope != 0)
		fails_cdb(w, 2, 7);
	else if (!types[rq->type])
		fails_cdb(w, 2, 3);
	return rq->scope == 0 && types[rq->type];
}

static unsigned with_key(const struct world *now, uint64_t key)
{
	unsigned set = 0;

	for (unsigned i = 0; i < NEXUSES; i++)
		set |= now->key[i] == key && key != 0 ? 1u << i : 0;
	return set;
}

static void remove_set(struct world *w, unsigned set)
{
	for (unsigned i = 0; i < NEXUSES; i++) {
		if (set & 1u << i)
			w->key[i] = 0;
	}
}

/* Tables 69 and 70. */
enum what { NOTHING, ADD, ADD_LIST, CONFLICT, REMOVE, CHANGE, BAD };
enum key_is { ANY, ZERO, NONZERO, EQUAL, UNEQUAL };

struct register_row {
	bool registered;
	enum key_is key, sa_key;
	int spec_i_pt; /* -1: any */
	enum what what;
};

static const struct register_row table_69[] = {
	{ false, ZERO, ZERO, -1, NOTHING },
	{ false, ZERO, NONZERO, 0, ADD },
	{ false, ZERO, NONZERO, 1, ADD_LIST },
	{ false, NONZERO, ANY, -1, CONFLICT },
	{ true, UNEQUAL, ANY, -1, CONFLICT },
	{ true, EQUAL, ZERO, 0, REMOVE },
	{ true, EQUAL, ZERO, 1, BAD },
	{ true, EQUAL, NONZERO, 0, CHANGE },
	{ true, EQUAL, NONZERO, 1, BAD },
};

static const struct register_row table_70[] = {
	{ false, ANY, ZERO, 0, NOTHING },
	{ false, ANY, NONZERO, 0, ADD },
	{ true, ANY, ZERO, 0, REMOVE },
	{ true, ANY, NONZERO, 0, CHANGE },
};

static bool key_fits(enum key_is is, uint64_t key, uint64_t own)
{
	switch (is) {
	case ZERO:
		return key == 0;
	case NONZERO:
		return key != 0;
	case EQUAL:
		return key == own;
	case UNEQUAL:
		return key != own;
	default:
		return true;
	}
}

static enum what look_up(const struct pr_request *rq, uint64_t own)
{
	bool ignore = rq->action == SA_REGISTER_AND_IGNORE_EXISTING_KEY;
	const struct register_row *rows = ignore ? table_70 : table_69;
	size_t n = ignore ? 4 : 9;
	enum what what = BAD;
	unsigned fits = 0;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].registered == (own != 0) && key_fits(rows[i].key, rq->list.key, own) &&
			key_fits(rows[i].sa_key, rq->list.sa_key, own) &&
			(rows[i].spec_i_pt < 0 || rows[i].spec_i_pt == rq->list.spec_i_pt)) {
			what = rows[i].what;
			fits++;
		}
	}
	assert_int_equal(fits, 1); /* the tables have one row for each case */
	return what;
}

/* The TransportIDs of the list, which world_ids() made of ids. False: one of them is refused. */
static bool want_ids(
	const struct world *now, const struct pr_request *rq, const char *ids, struct want *w)
{
	uint8_t buf[1024];
	size_t at = 28;

	for (const char *id = ids; *id; id++) {
		unsigned i = (unsigned)((*id | 0x20) - 'a');
		char one[2] = { *id };

		/* a SAS port; all known ports of D, of which there is none */
		if (*id == 's' || *id == 'd') {
			fails_list(w, (unsigned)at, SENSE_NO_BIT);
			return false;
		}
		/* note b of the table: it must not be registered, at any port that is meant */
		for (unsigned t = 0; t < (rq->list.all_tg_pt ? 2 : 1); t++) {
			if (now->key[i + t * INITIATORS]) {
				fails_list(w, (unsigned)at, SENSE_NO_BIT);
				return false;
			}
			w->after.key[i + t * INITIATORS] = rq->list.sa_key;
		}
		at += world_ids(one, buf, sizeof(buf));
	}
	return true;
}

/* 5.12.11.2.3: what unregistering does to the reservation. */
static void want_unregistered(const struct world *now, struct want *w)
{
	unsigned left = registered(&w->after);

	if (all_registrants(now->type)) {
		w->after.holders = left;
		w->after.type = left ? now->type : 0;
	} else if (now->holders & ~left) {
		w->after.holders = 0;
		w->after.type = 0;
		if (registrants_only(now->type))
			w->told.ua[4] = left & ~self;
	}
}

/* 5.12.7; 6.16.3 for APTPL and ALL_TG_PT. */
static void want_register(
	const struct world *now, const struct pr_request *rq, const char *ids, struct want *w)
{
	enum what own = look_up(rq, now->key[A]);
	bool acted = false;

	if (own == CONFLICT) {
		conflicts(w);
		return;
	}
	if (own == BAD) {
		fails_list(w, 20, 3);
		return;
	}
	if (rq->list.aptpl && !rq->can_persist) {
		fails_list(w, 20, 0);
		return;
	}
	if (own == NOTHING && rq->action == SA_REGISTER)
		return;
	for (unsigned t = 0; t < (rq->list.all_tg_pt ? 2 : 1); t++) {
		unsigned at = A + t * INITIATORS;
		enum what what = look_up(rq, now->key[at]);

		/* As if it had come through each port; what is not there need not be removed. */
		if (what == CONFLICT && rq->list.sa_key == 0 && now->key[at] == 0)
			what = NOTHING;
		if (what == CONFLICT) {
			conflicts(w);
			return;
		}
		acted |= what != NOTHING;
		if (what != NOTHING)
			w->after.key[at] = rq->list.sa_key;
	}
	if (own == ADD_LIST && !want_ids(now, rq, ids, w))
		return;
	if (!acted)
		return;
	w->changed = true;
	w->after.aptpl = rq->list.aptpl;
	w->after.generation++;
	want_unregistered(now, w);
}

/* 5.12.9. */
static void want_reserve(const struct world *now, const struct pr_request *rq, struct want *w)
{
	if (!scope_type_good(rq, w))
		return;
	if (now->type == 0) {
		w->changed = true;
		w->after.type = rq->type;
		w->after.holders = all_registrants(rq->type) ? registered(now) : self;
	} else if (!(now->holders & self) || now->type != rq->type) {
		conflicts(w);
	}
}

/* 5.12.11.2.2. */
static void want_release(const struct world *now, const struct pr_request *rq, struct want *w)
{
	if (!(now->holders & self))
		return;
	if (rq->scope != 0 || rq->type != now->type) {
		fails(w, SENSE_INVALID_RELEASE_OF_PR, true, 2, rq->scope != 0 ? 7 : 3);
		return;
	}
	w->changed = true;
	w->after.type = 0;
	w->after.holders = 0;
	if (registrants_only(now->type) || all_registrants(now->type))
		w->told.ua[4] = registered(now) & ~self;
}

/* 5.12.11.2.7. */
static void want_clear(const struct world *now, struct want *w)
{
	w->changed = true;
	w->told.ua[3] = registered(now) & ~self;
	remove_set(&w->after, registered(now));
	w->after.type = 0;
	w->after.holders = 0;
	w->after.generation++;
}

/* 5.12.11.2.6. lose: all whose reservation and registration go; A keeps its own. */
static void want_preempt(
	const struct world *now, const struct pr_request *rq, unsigned lose, struct want *w)
{
	unsigned left;

	if (!scope_type_good(rq, w))
		return;
	lose &= ~self;
	w->changed = true;
	w->after.generation++;
	remove_set(&w->after, lose);
	left = registered(&w->after);
	w->after.type = rq->type;
	w->after.holders = all_registrants(rq->type) ? left : self;
	w->told.ua[5] = lose;
	if (rq->type != now->type)
		w->told.ua[4] = left & ~self;
	if (rq->action == SA_PREEMPT_AND_ABORT)
		w->told.abort = lose;
}

/* 5.12.11.2.5. */
static void want_remove(
	const struct world *now, const struct pr_request *rq, unsigned lose, struct want *w)
{
	if (lose == 0) {
		conflicts(w);
		return;
	}
	w->changed = true;
	w->after.generation++;
	remove_set(&w->after, lose);
	w->told.ua[5] = lose & ~self;
	if (rq->action == SA_PREEMPT_AND_ABORT)
		w->told.abort = lose;
	if (all_registrants(now->type)) {
		w->after.holders = registered(&w->after);
		w->after.type = w->after.holders ? now->type : 0;
	}
}

/* 5.12.11.2.4, table 73. */
static void want_preempt_any(const struct world *now, const struct pr_request *rq, struct want *w)
{
	unsigned those = with_key(now, rq->list.sa_key);

	if (all_registrants(now->type) && rq->list.sa_key == 0)
		want_preempt(now, rq, registered(now), w);
	else if (rq->list.sa_key == 0)
		fails_list(w, 8, SENSE_NO_BIT);
	else if (!all_registrants(now->type) && (now->holders & those))
		want_preempt(now, rq, those, w);
	else
		want_remove(now, rq, those, w);
}

/* 5.12.8. to: letter as of world_ids(). */
static void want_move(const struct world *now, const struct pr_request *rq, char to, struct want *w)
{
	unsigned at = (unsigned)(to - 'A');

	if (now->type == 0) {
		fails_cdb(w, 1, 4);
	} else if (all_registrants(now->type) || now->holders != self) {
		conflicts(w);
	} else if (rq->list.sa_key == 0) {
		fails_list(w, 8, SENSE_NO_BIT);
	} else if (rq->list.aptpl && !rq->can_persist) {
		fails_list(w, 17, 0);
	} else if (rq->list.rtpi != 0x101 && rq->list.rtpi != 0x102) {
		fails_list(w, 18, SENSE_NO_BIT);
	} else if (to >= 'a' || to == 'A') {
		/* of another protocol, not one port, or the initiator port that asks */
		fails_list(w, 24, SENSE_NO_BIT);
	} else {
		at += rq->list.rtpi == 0x102 ? INITIATORS : 0;
		w->changed = true;
		w->after.generation++;
		w->after.aptpl = rq->list.aptpl;
		w->after.key[at] = rq->list.sa_key;
		w->after.holders = 1u << at;
		if (rq->list.unreg)
			w->after.key[A] = 0;
	}
}

/* 5.12.11.3. */
static void not_lost(struct want *w)
{
	fails_cdb(w, 1, 4);
	w->sense = SENSE_INVALID_RELEASE_OF_PR;
}

static struct want want_of(const struct world *now, const struct pr_request *rq, const char *ids)
{
	struct want w = { .verdict = PR_DONE, .after = *now };

	if (rq->action == SA_REGISTER || rq->action == SA_REGISTER_AND_IGNORE_EXISTING_KEY)
		want_register(now, rq, ids, &w);
	else if (rq->action == SA_REPLACE_LOST_RESERVATION)
		not_lost(&w); /* in none of these worlds */
	else if (now->key[A] == 0 || rq->list.key != now->key[A])
		conflicts(&w); /* 6.16.3: whatever else there is */
	else if (rq->action == SA_RESERVE)
		want_reserve(now, rq, &w);
	else if (rq->action == SA_RELEASE)
		want_release(now, rq, &w);
	else if (rq->action == SA_CLEAR)
		want_clear(now, &w);
	else if (rq->action == SA_REGISTER_AND_MOVE)
		want_move(now, rq, *ids, &w);
	else
		want_preempt_any(now, rq, &w);
	return w;
}

/* ---- and what pr_apply() says --------------------------------------------------------------- */

struct sweep {
	struct world now;
	struct pr_state *state;
	unsigned long requests, done, changed, conflicts, failed;
};

static void explain(const struct sweep *s, const struct pr_request *rq, const char *ids,
	const struct want *want, const struct pr_outcome *got)
{
	char buf[128];

	print_error("state   %s\n", world_text(&s->now, buf));
	print_error("request action %u key %u sa_key %u scope %u type %u aptpl %d all_tg_pt %d "
		    "unreg %d rtpi %x ids '%s' can_persist %d\n",
		rq->action, (unsigned)rq->list.key, (unsigned)rq->list.sa_key, rq->scope, rq->type,
		rq->list.aptpl, rq->list.all_tg_pt, rq->list.unreg, rq->list.rtpi, ids,
		rq->can_persist);
	print_error("wanted  verdict %d sense %d field %u bit %d changed %d: %s\n", want->verdict,
		want->sense, want->field, want->bit, want->changed, world_text(&want->after, buf));
	print_error("got     verdict %d sense %d field %u changed %d", got->verdict,
		got->sense.name, got->sense.field, got->next != NULL);
	if (got->next) {
		struct world w = world_of(got->next);

		print_error(": %s", world_text(&w, buf));
	}
	print_error("\n");
	fail_msg("PERSISTENT RESERVE OUT against the standard");
}

static bool sense_same(const struct sense *got, const struct want *want)
{
	return got->name == want->sense && got->sks == SKS_FIELD_POINTER &&
	       got->in_cdb == want->in_cdb && got->field == want->field &&
	       got->bit_valid == (want->bit != SENSE_NO_BIT) &&
	       (!got->bit_valid || got->bit == want->bit);
}

static bool outcome_same(const struct pr_outcome *got, const struct want *want)
{
	struct told told = told_of(got);
	struct world after;

	if (got->verdict != want->verdict || (got->next != NULL) != want->changed ||
		memcmp(&told, &want->told, sizeof(told)) != 0)
		return false;
	if (want->verdict == PR_SENSE && !sense_same(&got->sense, want))
		return false;
	if (!want->changed)
		return !got->generation_changed;
	after = world_of(got->next);
	return world_equal(&after, &want->after);
}

static void check(struct sweep *s, const struct pr_request *rq, const char *ids)
{
	struct want want = want_of(&s->now, rq, ids);
	struct pr_outcome got;

	assert_int_equal(pr_apply(s->state, rq, &got), 0);
	if (!outcome_same(&got, &want))
		explain(s, rq, ids, &want, &got);
	s->requests++;
	s->changed += want.changed;
	s->done += want.verdict == PR_DONE;
	s->conflicts += want.verdict == PR_CONFLICT;
	s->failed += want.verdict == PR_SENSE;
	pr_outcome_done(&got);
}

/* ---- every request -------------------------------------------------------------------------- */

static const uint64_t keys[] = { 0, 1, WRONG_KEY };
static const uint64_t sa_keys[] = { 0, 1, 2, 3, 4, UNKNOWN_KEY };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void put_ids(struct pr_request *rq, const char *ids, uint8_t *buf, size_t cap, uint16_t at)
{
	rq->list.ids = buf;
	rq->list.ids_bytes = world_ids(ids, buf, cap);
	rq->list.ids_at = at;
}

/* flags: APTPL 1, ALL_TG_PT 2, that APTPL cannot be had 4. */
static void set_flags(struct pr_request *rq, unsigned flags)
{
	rq->list.aptpl = flags & 1;
	rq->list.all_tg_pt = flags & 2;
	rq->can_persist = !(flags & 4);
}

static void sweep_register(struct sweep *s, uint64_t key, uint64_t sa_key)
{
	static const char *const lists[] = { NULL, "", "B", "BCD", "A", "Bs", "c", "d", "Bb",
		"aD" };
	uint8_t buf[2048];

	for (size_t i = 0; i < COUNT(lists); i++) {
		for (unsigned flags = 0; flags < 8; flags++) {
			struct pr_request rq = request_of(SA_REGISTER, key, sa_key);

			set_flags(&rq, flags);
			rq.list.spec_i_pt = lists[i] != NULL;
			if (lists[i])
				put_ids(&rq, lists[i], buf, sizeof(buf), 28);
			check(s, &rq, lists[i] ? lists[i] : "");
			if (s->now.key[A] && i == 2)
				return; /* refused whatever is in the list */
			/* scope and type are not looked at */
			rq.scope = 0xf;
			rq.type = 0xf;
			if (flags == 0)
				check(s, &rq, lists[i] ? lists[i] : "");
		}
	}
}

static void sweep_ignore(struct sweep *s, uint64_t key, uint64_t sa_key)
{
	for (unsigned flags = 0; flags < 8; flags++) {
		struct pr_request rq = request_of(SA_REGISTER_AND_IGNORE_EXISTING_KEY, key, sa_key);

		set_flags(&rq, flags);
		check(s, &rq, "");
		rq.scope = 0xf;
		rq.type = 0xf;
		check(s, &rq, "");
	}
}

/* All scopes with one type, all types with LU_SCOPE. */
static void sweep_scopes_types(struct sweep *s, uint8_t action, uint64_t key, uint64_t sa_key)
{
	for (unsigned i = 0; i < 31; i++) {
		struct pr_request rq = request_of(action, key, sa_key);

		rq.type = (uint8_t)(i < 16 ? i : 1);
		rq.scope = (uint8_t)(i < 16 ? 0 : i - 15);
		check(s, &rq, "");
		/* flags of REGISTER are not looked at */
		set_flags(&rq, 7);
		if (i == 1)
			check(s, &rq, "");
	}
}

static void sweep_move(struct sweep *s, uint64_t key, uint64_t sa_key)
{
	static const char *const to[] = { "A", "B", "C", "D", "b", "a", "s" };
	static const uint16_t rtpis[] = { 0x101, 0x102, 0, 0x103 };
	uint8_t buf[512];

	for (size_t i = 0; i < COUNT(to) * COUNT(rtpis) * 2; i++) {
		struct pr_request rq = request_of(SA_REGISTER_AND_MOVE, key, sa_key);

		rq.list.rtpi = rtpis[i / 2 % COUNT(rtpis)];
		rq.list.unreg = i % 2;
		put_ids(&rq, to[i / 2 / COUNT(rtpis)], buf, sizeof(buf), 24);
		check(s, &rq, to[i / 2 / COUNT(rtpis)]);
		set_flags(&rq, 1);
		check(s, &rq, to[i / 2 / COUNT(rtpis)]);
		set_flags(&rq, 5);
		if (i < 4)
			check(s, &rq, to[i / 2 / COUNT(rtpis)]);
	}
}

static void sweep_requests(struct sweep *s)
{
	static const uint8_t with_scope[] = { SA_RESERVE, SA_RELEASE, SA_CLEAR, SA_PREEMPT,
		SA_PREEMPT_AND_ABORT, SA_REPLACE_LOST_RESERVATION };

	for (size_t k = 0; k < COUNT(keys); k++) {
		/* A key that conflicts does so whatever the other one is. */
		size_t most = keys[k] == s->now.key[A] ? COUNT(sa_keys) : 3;

		for (size_t n = 0; n < most; n++) {
			sweep_register(s, keys[k], sa_keys[n]);
			sweep_ignore(s, keys[k], sa_keys[n]);
			sweep_move(s, keys[k], sa_keys[n]);
			for (size_t i = 0; i < COUNT(with_scope); i++)
				sweep_scopes_types(s, with_scope[i], keys[k], sa_keys[n]);
		}
	}
}

/* ---- in every state ------------------------------------------------------------------------- */

static void sweep_state(struct sweep *s)
{
	struct world after;

	s->state = world_state(&s->now);
	sweep_requests(s);
	after = world_of(s->state);
	assert_true(world_equal(&after, &s->now)); /* a state that is handed on never changes */
	s->state = pr_state_free(s->state);
}

/* Nothing reserved, then each type, by each that is registered. */
static void sweep_reservations(struct sweep *s)
{
	static const uint8_t types[] = { 0, 1, 3, 5, 6, 7, 8 };

	for (size_t t = 0; t < COUNT(types); t++) {
		for (unsigned i = 0; i < NEXUSES; i++) {
			bool one = types[t] == 0 || all_registrants(types[t]);

			s->now.type = types[t];
			s->now.holders = types[t] == 0 ? 0 : one ? registered(&s->now) : 1u << i;
			s->now.aptpl = types[t] & 1;
			if (types[t] && !registered(&s->now))
				break;
			if (one || s->now.key[i])
				sweep_state(s);
			if (one)
				break;
		}
	}
}

/*
 * A registered or not; its initiator port at the other target port not at all, with the same key,
 * or with another; B not, with a key of its own, or with that of A; C (at the other target port)
 * not, with a key of its own, or with that of B.
 */
static void test_everything(void **state)
{
	static const uint64_t key_a[] = { 0, 1 }, key_a2[] = { 0, 1, 4 }, key_b[] = { 0, 2, 1 },
			      key_c[] = { 0, 3, 2 };
	struct sweep s = { 0 };

	for (unsigned i = 0; i < 2 * 3 * 3 * 3; i++) {
		s.now = (struct world){ .generation = 41 + i };
		s.now.key[A] = key_a[i % 2];
		s.now.key[A_2] = key_a2[i / 2 % 3];
		s.now.key[B] = key_b[i / 6 % 3];
		s.now.key[C_2] = key_c[i / 18];
		sweep_reservations(&s);
	}
	print_message("%lu requests: %lu GOOD (%lu change something), %lu conflicts, %lu CHECK\n",
		s.requests, s.done, s.changed, s.conflicts, s.failed);
	assert_true(s.changed > 10000 && s.conflicts > 10000 && s.failed > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
