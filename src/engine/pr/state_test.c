/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state_test.c: states as values; what a reservation keeps whom from (SPC-4 5.12.1); cases of
 * PERSISTENT RESERVE OUT that a reader of the standard can check line by line; what rules_test.c
 * leaves out: lost information, the administrator, limits, what is kept of a registration.
 */
#include "engine/pr/world_priv.h"

#include <errno.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- states --------------------------------------------------------------------------------- */

static void test_add(void **state)
{
	char name[PORT_NAME_BYTES + 1], isid[PORT_NAME_BYTES + 1];
	struct pr_registration r = { .nexus = nexus_of(A), .key = 5, .lun = 7 };
	struct pr_state *s = pr_state_new();

	assert_null(pr_find(s, &r.nexus));
	assert_null(pr_holder(s));
	assert_int_equal(pr_bars(s, &r.nexus), 0);
	assert_int_equal(pr_state_add(s, &r), 0);
	assert_int_equal(pr_state_add(s, &r), -EEXIST);
	r.nexus = nexus_of(A_2); /* another target port: another nexus */
	assert_int_equal(pr_state_add(s, &r), 0);
	r.nexus = nexus_of(B);
	r.key = 0;
	assert_int_equal(pr_state_add(s, &r), -EINVAL);
	r.key = 5;
	for (size_t i = 0; i < 3; i++) {
		const char **field = i == 0   ? &r.nexus.initiator
				     : i == 1 ? &r.nexus.initiator_port
					      : &r.nexus.device;

		r.nexus = nexus_of(B);
		*field = "";
		assert_int_equal(pr_state_add(s, &r), -EINVAL);
		memset(name, 'x', sizeof(name) - 1);
		name[PORT_NAME_BYTES] = '\0';
		*field = name;
		assert_int_equal(pr_state_add(s, &r), -EINVAL);
		assert_null(pr_find(s, &r.nexus));
	}
	r.nexus = nexus_of(B);
	r.nexus.initiator_port = "iqn.b,i,0x12z"; /* could not be told in READ FULL STATUS */
	assert_int_equal(pr_state_add(s, &r), -EINVAL);
	assert_int_equal(s->n, 2);

	/* The longest names there are. */
	memset(isid, 'x', TRANSPORTID_NAME_MAX);
	strcpy(isid + TRANSPORTID_NAME_MAX, ",i,0x0123456789ab");
	name[PORT_NAME_BYTES - 1] = '\0';
	r.nexus.initiator_port = isid;
	r.nexus.device = name;
	assert_int_equal(pr_state_add(s, &r), 0);
	assert_string_equal(s->r[2]->nexus.initiator_port, isid);
	assert_ptr_not_equal(s->r[2]->nexus.initiator_port, isid);
	assert_ptr_not_equal(s->r[2]->nexus.device, name);
	assert_ptr_not_equal(s->r[2]->nexus.initiator, r.nexus.initiator);
	assert_ptr_equal(pr_find(s, &r.nexus), s->r[2]);
	pr_state_free(s);
	pr_state_free(NULL);
}

static void test_copy(void **state)
{
	/* No scope but LU_SCOPE is ever asked for; a state has whatever it was given. */
	static const struct world lost = { .lost = true, .generation = 9 };
	struct world w[2] = { world_parse("A1 B2 c3 @5A"), lost }, got;
	struct pr_request rq = request_of(SA_RELEASE, 1, 0);
	struct pr_outcome o;

	w[0].aptpl = true;
	w[0].scope = 3;
	for (size_t i = 0; i < 2; i++) {
		struct pr_state *s = world_state(&w[i]), *copy;

		assert_int_equal(pr_state_copy(s, &copy), 0);
		pr_state_free(s);
		got = world_of(copy);
		assert_true(world_equal(&got, &w[i]));
		rq.scope = 3;
		rq.type = RESERVATION_WRITE_EXCLUSIVE_RO;
		assert_int_equal(pr_apply(copy, &rq, &o), 0);
		if (i == 0)
			assert_int_equal(o.next->scope, 0);
		pr_outcome_done(&o);
		pr_state_free(copy);
	}
}

/* 5.12.1: types by who asks: nobody, a registrant, the holder. */
static void test_bars(void **state)
{
	enum { WRITES = PR_BAR, ALL = PR_BAR | PR_BAR_READ };
	static const struct {
		const char *world; /* A holds, B is registered, C is not */
		uint32_t a, b, c;
	} rows[] = {
		{ "", 0, 0, 0 },
		{ "A1 B2", 0, 0, 0 },
		{ "A1 B2 @1A", 0, WRITES, WRITES },
		{ "A1 B2 @3A", 0, ALL, ALL },
		{ "A1 B2 @5A", 0, 0, WRITES },
		{ "A1 B2 @6A", 0, 0, ALL },
		{ "A1 B2 @7", 0, 0, WRITES },
		{ "A1 B2 @8", 0, 0, ALL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w = world_parse(rows[i].world);
		struct pr_state *s = world_state(&w);
		struct pr_nexus a = nexus_of(A), b = nexus_of(B), c = nexus_of(C),
				a2 = nexus_of(A_2);

		assert_int_equal(pr_bars(s, &a), rows[i].a);
		assert_int_equal(pr_bars(s, &b), rows[i].b);
		assert_int_equal(pr_bars(s, &c), rows[i].c);
		assert_int_equal(pr_bars(s, &a2), rows[i].c); /* the same initiator elsewhere */
		pr_state_free(s);
	}
}

/* ---- cases ---------------------------------------------------------------------------------- */

enum { GOOD = -1, CONFLICT = -2 }; /* else enum sense_name */

struct row {
	const char *before;
	uint8_t action, key, sa_key, type;
	int answer;
	const char *after; /* NULL: as before, and PRGENERATION too */
	const char *told; /* "b4 C5": unit attention 2A/04 to b, 2A/05 to C; "B!": aborted, too */
	bool counts; /* PRGENERATION */
};

/* clang-format off */
static const struct row rows[] = {
	/* 5.12.7 */
	{ "",              SA_REGISTER, 0, 1, 0, GOOD, "A1", "", true },
	{ "",              SA_REGISTER, 0, 0, 0, GOOD, NULL, "", false },
	{ "",              SA_REGISTER, 1, 1, 0, CONFLICT, NULL, "", false },
	{ "A1",            SA_REGISTER, 0, 1, 0, CONFLICT, NULL, "", false },
	{ "A1 B2 @1A",     SA_REGISTER, 1, 3, 0, GOOD, "A3 B2 @1A", "", true },
	{ "B2 @7",         SA_REGISTER, 0, 1, 0, GOOD, "A1 B2 @7", "", true },
	{ "",              SA_REGISTER_AND_IGNORE_EXISTING_KEY, 9, 1, 0, GOOD, "A1", "", true },
	{ "A1",            SA_REGISTER_AND_IGNORE_EXISTING_KEY, 9, 3, 0, GOOD, "A3", "", true },
	{ "",              SA_REGISTER_AND_IGNORE_EXISTING_KEY, 9, 0, 0, GOOD, NULL, "", false },
	/* 5.12.11.2.3 */
	{ "A1 B2 C3 @1A",  SA_REGISTER, 1, 0, 0, GOOD, "B2 C3", "", true },
	{ "A1 B2 C3 @3A",  SA_REGISTER, 1, 0, 0, GOOD, "B2 C3", "", true },
	{ "A1 B2 C3 @5A",  SA_REGISTER, 1, 0, 0, GOOD, "B2 C3", "B4 C4", true },
	{ "A1 B2 C3 @6A",
		SA_REGISTER_AND_IGNORE_EXISTING_KEY, 9, 0, 0, GOOD, "B2 C3", "B4 C4", true },
	{ "A1 B2 @5B",     SA_REGISTER, 1, 0, 0, GOOD, "B2 @5B", "", true },
	{ "A1 B2 @7",      SA_REGISTER, 1, 0, 0, GOOD, "B2 @7", "", true },
	{ "A1 @8",         SA_REGISTER, 1, 0, 0, GOOD, "", "", true },
	/* 5.12.9 */
	{ "A1",            SA_RESERVE, 1, 0, 1, GOOD, "A1 @1A", "", false },
	{ "A1 B2",         SA_RESERVE, 1, 0, 8, GOOD, "A1 B2 @8", "", false },
	{ "B2",            SA_RESERVE, 1, 0, 1, CONFLICT, NULL, "", false },
	{ "A1",            SA_RESERVE, 2, 0, 1, CONFLICT, NULL, "", false },
	{ "A1 @1A",        SA_RESERVE, 1, 0, 1, GOOD, NULL, "", false },
	{ "A1 @1A",        SA_RESERVE, 1, 0, 3, CONFLICT, NULL, "", false },
	{ "A1 B2 @5B",     SA_RESERVE, 1, 0, 5, CONFLICT, NULL, "", false },
	{ "A1 B2 @7",      SA_RESERVE, 1, 0, 7, GOOD, NULL, "", false },
	{ "A1 B2 @7",      SA_RESERVE, 1, 0, 8, CONFLICT, NULL, "", false },
	{ "A1",            SA_RESERVE, 1, 0, 2, SENSE_INVALID_FIELD_IN_CDB, NULL, "", false },
	/* 5.12.11.2.2 */
	{ "A1 B2 @1A",     SA_RELEASE, 1, 0, 1, GOOD, "A1 B2", "", false },
	{ "A1 B2 @3A",     SA_RELEASE, 1, 0, 3, GOOD, "A1 B2", "", false },
	{ "A1 B2 C2 @5A",  SA_RELEASE, 1, 0, 5, GOOD, "A1 B2 C2", "B4 C4", false },
	{ "A1 B2 C2 @8",   SA_RELEASE, 1, 0, 8, GOOD, "A1 B2 C2", "B4 C4", false },
	{ "A1 B2 @5A",     SA_RELEASE, 1, 0, 6, SENSE_INVALID_RELEASE_OF_PR, NULL, "", false },
	{ "A1 B2 @5B",     SA_RELEASE, 1, 0, 6, GOOD, NULL, "", false },
	{ "A1",            SA_RELEASE, 1, 0, 1, GOOD, NULL, "", false },
	{ "B2 @1B",        SA_RELEASE, 0, 0, 1, CONFLICT, NULL, "", false },
	{ "A1 @1A",        SA_RELEASE, 2, 0, 1, CONFLICT, NULL, "", false },
	/* 5.12.11.2.7 */
	{ "A1 B2 c3 @5B",  SA_CLEAR, 1, 0, 0, GOOD, "", "B3 c3", true },
	{ "A1 a1",         SA_CLEAR, 1, 0, 9, GOOD, "", "a3", true },
	{ "B2 @5B",        SA_CLEAR, 2, 0, 0, CONFLICT, NULL, "", false },
	/* 5.12.11.2.6: the holder's key */
	{ "A1 B2 C3 @1B",  SA_PREEMPT, 1, 2, 1, GOOD, "A1 C3 @1A", "B5", true },
	{ "A1 B2 C3 @1B",  SA_PREEMPT, 1, 2, 3, GOOD, "A1 C3 @3A", "B5 C4", true },
	{ "A1 B2 C2 @5B",  SA_PREEMPT, 1, 2, 5, GOOD, "A1 @5A", "B5 C5", true },
	{ "A1 B2 C3 @5B",  SA_PREEMPT, 1, 2, 8, GOOD, "A1 C3 @8", "B5 C4", true },
	{ "A1 B1 C3 @5B",  SA_PREEMPT, 1, 1, 5, GOOD, "A1 C3 @5A", "B5", true },
	{ "A1 B2 @5A",     SA_PREEMPT, 1, 1, 6, GOOD, "A1 B2 @6A", "B4", true },
	{ "A1 B2 @5A",     SA_PREEMPT, 1, 1, 5, GOOD, "A1 B2 @5A", "", true },
	{ "A1 B2 @5B",     SA_PREEMPT, 1, 2, 0, SENSE_INVALID_FIELD_IN_CDB, NULL, "", false },
	{ "A1 B2 C3 @7",   SA_PREEMPT, 1, 0, 7, GOOD, "A1 @7", "B5 C5", true },
	{ "A1 B2 C3 @7",   SA_PREEMPT, 1, 0, 3, GOOD, "A1 @3A", "B5 C5", true },
	/* 5.12.11.2.5: another key */
	{ "A1 B2 C3 @1B",  SA_PREEMPT, 1, 3, 0, GOOD, "A1 B2 @1B", "C5", true },
	{ "A1 B2 C2",      SA_PREEMPT, 1, 2, 0, GOOD, "A1", "B5 C5", true },
	{ "A1 B2 C3 @7",   SA_PREEMPT, 1, 2, 1, GOOD, "A1 C3 @7", "B5", true },
	{ "A1 B1 @8",      SA_PREEMPT, 1, 1, 8, GOOD, "", "B5", true },
	{ "A1 B2 @5B",     SA_PREEMPT, 1, 1, 5, GOOD, "B2 @5B", "", true },
	{ "A1 B2 @1B",     SA_PREEMPT, 1, 9, 1, CONFLICT, NULL, "", false },
	{ "A1 B2 @7",      SA_PREEMPT, 1, 9, 7, CONFLICT, NULL, "", false },
	{ "A1 B2 @1B",
		SA_PREEMPT, 1, 0, 1, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, NULL, "", false },
	{ "A1 B2",
		SA_PREEMPT, 1, 0, 1, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, NULL, "", false },
	{ "A1 B2 @1B",     SA_PREEMPT, 2, 2, 1, CONFLICT, NULL, "", false },
	{ "B2 @1B",        SA_PREEMPT, 0, 2, 1, CONFLICT, NULL, "", false },
	/* 5.12.11.2.6, PREEMPT AND ABORT */
	{ "A1 B2 C3 @1B",  SA_PREEMPT_AND_ABORT, 1, 2, 3, GOOD, "A1 C3 @3A", "B5! C4", true },
	{ "A1 B2 C3 @1B",  SA_PREEMPT_AND_ABORT, 1, 3, 0, GOOD, "A1 B2 @1B", "C5!", true },
	{ "A1 B2 C3 @7",   SA_PREEMPT_AND_ABORT, 1, 0, 7, GOOD, "A1 @7", "B5! C5!", true },
	{ "A1 B2 @5A",     SA_PREEMPT_AND_ABORT, 1, 1, 5, GOOD, "A1 B2 @5A", "", true },
	{ "A1 B1 @8",      SA_PREEMPT_AND_ABORT, 1, 1, 8, GOOD, "", "A! B5!", true },
	/* only then: SPC-5 */
	{ "A1",
		SA_REPLACE_LOST_RESERVATION, 0, 1, 1,
		SENSE_INVALID_RELEASE_OF_PR, NULL, "", false },
};
/* clang-format on */

static void expect_told(const char *text, const struct pr_outcome *o)
{
	struct told want = { { 0 }, 0 }, got = told_of(o);

	for (; *text; text++) {
		unsigned bit = *text == ' ' ? 0 : 1u << nexus_by_letter(*text);

		if (bit && text[1] != '!')
			want.ua[*++text - '0'] |= bit;
		if (bit && text[1] == '!') {
			want.abort |= bit;
			text++;
		}
	}
	assert_memory_equal(&got, &want, sizeof(want));
}

static void expect_after(
	const char *text, const struct world *before, bool counts, const struct pr_outcome *o)
{
	struct world want, got;
	char a[128], b[128];

	assert_int_equal(o->generation_changed, text && counts);
	if (!text) {
		assert_null(o->next);
		return;
	}
	assert_non_null(o->next);
	want = world_parse(text);
	want.generation = before->generation + counts;
	got = world_of(o->next);
	assert_string_equal(world_text(&got, a), world_text(&want, b));
}

static void expect_answer(int answer, const struct pr_outcome *o)
{
	if (answer == GOOD)
		assert_int_equal(o->verdict, PR_DONE);
	else if (answer == CONFLICT)
		assert_int_equal(o->verdict, PR_CONFLICT);
	else
		assert_int_equal(o->verdict, PR_SENSE);
	if (answer >= 0)
		assert_int_equal(o->sense.name, answer);
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct world before = world_parse(row->before);
		struct pr_state *s = world_state(&before);
		struct pr_request rq = request_of(row->action, row->key, row->sa_key);
		struct pr_outcome o;

		rq.type = row->type;
		print_message("%s: action %u key %u, %u type %u\n", row->before, row->action,
			row->key, row->sa_key, row->type);
		assert_int_equal(pr_apply(s, &rq, &o), 0);
		expect_answer(row->answer, &o);
		expect_after(row->after, &before, row->counts, &o);
		expect_told(row->told, &o);
		pr_outcome_done(&o);
		pr_state_free(s);
	}
}

/* ---- APTPL (5.12.5) ------------------------------------------------------------------------- */

/* The bit of the last of the three actions that have one counts; others leave it. */
static void test_aptpl(void **state)
{
	static const struct {
		uint8_t action, sa_key, type;
		bool bit, after;
	} steps[] = {
		{ SA_REGISTER, 1, 0, true, true },
		{ SA_RESERVE, 0, 1, false, true },
		{ SA_PREEMPT, 1, 3, false, true },
		{ SA_RELEASE, 0, 3, false, true },
		{ SA_REGISTER_AND_IGNORE_EXISTING_KEY, 1, 0, false, false },
		{ SA_RESERVE, 0, 1, true, false },
		{ SA_REGISTER, 1, 0, true, true },
		{ SA_CLEAR, 0, 0, false, true },
	};
	struct pr_state *s = pr_state_new();

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct pr_request rq = request_of(steps[i].action, i > 0, steps[i].sa_key);
		struct pr_outcome o;

		rq.type = steps[i].type;
		rq.list.aptpl = steps[i].bit;
		assert_int_equal(pr_apply(s, &rq, &o), 0);
		assert_int_equal(o.verdict, PR_DONE);
		assert_int_equal(o.next->aptpl, steps[i].after);
		pr_state_free(s);
		s = o.next;
		o.next = NULL;
		pr_outcome_done(&o);
	}
	pr_state_free(s);
}

/* ---- what is kept of a registration --------------------------------------------------------- */

static void expect_registration(const struct pr_state *s, unsigned at, uint64_t key,
	uint32_t generation, uint32_t target_lun, bool all_tg_pt)
{
	struct pr_nexus nexus = nexus_of(at);
	const struct pr_registration *r = pr_find(s, &nexus);

	assert_non_null(r);
	assert_true(r->key == key);
	assert_int_equal(r->generation, generation);
	assert_int_equal(r->lun, 3);
	assert_int_equal(r->target_lun, target_lun);
	assert_true(r->registered_s == 12345);
	assert_int_equal(r->all_tg_pt, all_tg_pt);
}

static void test_registration(void **state)
{
	struct pr_request rq = request_of(SA_REGISTER, 0, 1);
	struct pr_state *empty = pr_state_new();
	struct pr_outcome first, second, third;
	uint8_t ids[512];

	empty->generation = 0xffffffff; /* and the next one is 0 */
	rq.list.all_tg_pt = rq.list.spec_i_pt = true;
	rq.list.ids = ids;
	rq.list.ids_bytes = world_ids("DB", ids, sizeof(ids));
	rq.list.ids_at = 28;
	assert_int_equal(pr_apply(empty, &rq, &first), 0);
	assert_int_equal(first.next->n, 6);
	assert_int_equal(first.next->generation, 0);
	for (unsigned t = 0; t < 2; t++) {
		expect_registration(first.next, t ? A_2 : A, 1, 0xffffffff, t ? 20 : 10, true);
		expect_registration(first.next, t ? B_2 : B, 1, 0xffffffff, t ? 20 : 10, true);
		expect_registration(first.next, t ? D_2 : D, 1, 0xffffffff, t ? 20 : 10, true);
	}

	/* A new key: the rest is as old as it was. */
	rq = request_of(SA_REGISTER, 1, 6);
	rq.now_s = 20000;
	assert_int_equal(pr_apply(first.next, &rq, &second), 0);
	expect_registration(second.next, A, 6, 0, 10, false);
	expect_registration(second.next, A_2, 1, 0xffffffff, 20, true);
	expect_registration(first.next, A, 1, 0xffffffff, 10, true);

	rq = request_of(SA_REGISTER_AND_IGNORE_EXISTING_KEY, 0, 8);
	rq.list.all_tg_pt = true;
	assert_int_equal(pr_apply(second.next, &rq, &third), 0);
	expect_registration(third.next, A, 8, 1, 10, true);
	expect_registration(third.next, A_2, 8, 1, 20, true);
	expect_registration(third.next, B, 1, 0xffffffff, 10, true);
	pr_outcome_done(&first);
	pr_outcome_done(&second);
	pr_outcome_done(&third);
	pr_state_free(empty);
}

/* Another target with the same portal group tag is another port. */
static void test_other_target(void **state)
{
	static const struct pr_port ports[] = {
		{ "iqn.target", 1, 0x101, 10 },
		{ "iqn.other", 1, 0x201, 0 },
	};
	struct pr_request rq = request_of(SA_REGISTER, 0, 1);
	struct pr_state *empty = pr_state_new();
	struct pr_nexus other = nexus_of(A);
	struct pr_outcome o;

	rq.ports = ports;
	rq.nports = 2;
	rq.list.all_tg_pt = true;
	other.device = "iqn.other";
	assert_int_equal(pr_apply(empty, &rq, &o), 0);
	assert_int_equal(o.next->n, 2);
	assert_non_null(pr_find(o.next, &other));
	assert_int_equal(pr_find(o.next, &other)->nexus.rtpi, 0x201);
	assert_non_null(pr_find(o.next, &rq.self));
	pr_outcome_done(&o);
	pr_state_free(empty);
}

/* ---- initiator ports that are not told apart ------------------------------------------------ */

/* Without ISIDs a TransportID is its name, of either format. */
static void test_no_isids(void **state)
{
	struct pr_request rq = request_of(SA_REGISTER, 0, 1);
	struct pr_state *empty = pr_state_new();
	struct pr_nexus d = nexus_of(D);
	struct pr_outcome o;
	uint8_t ids[512];

	rq.isids = false;
	rq.self.initiator_port = rq.self.initiator;
	rq.list.spec_i_pt = true;
	rq.list.ids = ids;
	rq.list.ids_bytes = world_ids("DdaA", ids, sizeof(ids));
	rq.list.ids_at = 28;
	assert_int_equal(pr_apply(empty, &rq, &o), 0);
	assert_int_equal(o.verdict, PR_DONE);
	assert_int_equal(o.next->n, 2);
	d.initiator_port = d.initiator;
	assert_non_null(pr_find(o.next, &d));
	assert_non_null(pr_find(o.next, &rq.self));

	/* REGISTER AND MOVE: any format will do, but not the initiator itself. */
	pr_state_reserve(o.next, 0, 0, RESERVATION_EXCLUSIVE_ACCESS);
	for (size_t i = 0; i < 4; i++) {
		static const char *const to[] = { "D", "d", "A", "a" };
		struct pr_request move = rq;
		struct pr_outcome moved;

		move.action = SA_REGISTER_AND_MOVE;
		move.list = (struct prout_list){ .key = 1,
			.sa_key = 8,
			.rtpi = 0x101,
			.ids = ids,
			.ids_bytes = world_ids(to[i], ids, sizeof(ids)),
			.ids_at = 24 };
		assert_int_equal(pr_apply(o.next, &move, &moved), 0);
		assert_int_equal(moved.verdict, i < 2 ? PR_DONE : PR_SENSE);
		if (i < 2)
			assert_true(pr_find(moved.next, &d)->holder);
		else
			assert_int_equal(moved.sense.field, 24);
		pr_outcome_done(&moved);
	}
	pr_outcome_done(&o);
	pr_state_free(empty);
}

/* ---- lost information (SPC-5) --------------------------------------------------------------- */

static void test_lost(void **state)
{
	struct world w = { .lost = true, .aptpl = true, .generation = 5 }, want, after;
	struct pr_state *s = world_state(&w);
	struct pr_nexus a = nexus_of(A);
	struct pr_request rq;
	struct pr_outcome o;

	assert_int_equal(pr_bars(s, &a), PR_BAR | PR_BAR_READ | PR_BAR_LOST);
	for (uint8_t action = 0; action < SA_REPLACE_LOST_RESERVATION; action++) {
		rq = request_of(action, 0, 1);
		assert_int_equal(pr_apply(s, &rq, &o), 0);
		expect_answer(SENSE_PR_INFORMATION_LOST, &o);
		assert_null(o.next);
		pr_outcome_done(&o);
	}
	for (unsigned i = 0; i < 4; i++) {
		static const struct {
			uint8_t key, sa_key, scope, type;
			int answer;
			unsigned field;
		} bad[] = {
			{ 1, 1, 0, 1, CONFLICT, 0 },
			{ 0, 0, 0, 1, SENSE_INVALID_FIELD_IN_PARAMETER_LIST, 8 },
			{ 0, 1, 1, 1, SENSE_INVALID_FIELD_IN_CDB, 2 },
			{ 0, 1, 0, 4, SENSE_INVALID_FIELD_IN_CDB, 2 },
		};

		rq = request_of(SA_REPLACE_LOST_RESERVATION, bad[i].key, bad[i].sa_key);
		rq.scope = bad[i].scope;
		rq.type = bad[i].type;
		assert_int_equal(pr_apply(s, &rq, &o), 0);
		expect_answer(bad[i].answer, &o);
		assert_int_equal(o.sense.field, bad[i].field);
		pr_outcome_done(&o);
	}
	rq = request_of(SA_REPLACE_LOST_RESERVATION, 0, 1);
	rq.type = RESERVATION_WRITE_EXCLUSIVE_RO;
	rq.list.all_tg_pt = true; /* not looked at */
	assert_int_equal(pr_apply(s, &rq, &o), 0);
	assert_int_equal(o.verdict, PR_DONE);
	want = world_parse("A1 @5A");
	want.generation = 0;
	want.aptpl = false; /* its own bit is the last one */
	after = world_of(o.next);
	assert_true(world_equal(&after, &want));
	assert_false(o.next->r[0]->all_tg_pt);
	pr_outcome_done(&o);
	rq.list.aptpl = true;
	rq.can_persist = false;
	assert_int_equal(pr_apply(s, &rq, &o), 0);
	expect_answer(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, &o);
	pr_outcome_done(&o);
	rq.can_persist = true;
	assert_int_equal(pr_apply(s, &rq, &o), 0);
	assert_true(o.next->aptpl);
	pr_outcome_done(&o);
	pr_state_free(s);
}

/* ---- the administrator ---------------------------------------------------------------------- */

static void test_admin(void **state)
{
	static const struct {
		const char *before;
		uint8_t action;
		unsigned who; /* NEXUSES: nobody is named */
		const char *after, *told;
	} steps[] = {
		{ "A1 B2 c3 @5B", SA_CLEAR, NEXUSES, "", "A3 B3 c3" },
		{ "A1 B2 c3 @5B", SA_CLEAR, A, "", "A3 B3 c3" },
		{ "", SA_CLEAR, NEXUSES, NULL, "" },
		{ "A1 B2 c3 @5B", SA_REGISTER, B, "A1 c3", "A4 B5 c4" },
		{ "A1 B2 c3 @1B", SA_REGISTER, B, "A1 c3", "B5" },
		{ "A1 B2 c3 @1B", SA_REGISTER, A, "B2 c3 @1B", "A5" },
		{ "A1 B2 @7", SA_REGISTER, B, "A1 @7", "B5" },
		{ "B2 @7", SA_REGISTER, B, "", "B5" },
		{ "A1", SA_REGISTER, C, NULL, "" },
	};

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct world before = world_parse(steps[i].before);
		struct pr_state *s = world_state(&before);
		struct pr_request rq = { .action = steps[i].action, .admin = true };
		struct pr_outcome o;

		if (steps[i].who != NEXUSES)
			rq.self = nexus_of(steps[i].who);
		assert_int_equal(pr_apply(s, &rq, &o), 0);
		assert_int_equal(o.verdict, PR_DONE);
		expect_after(steps[i].after, &before, true, &o);
		expect_told(steps[i].told, &o);
		pr_outcome_done(&o);
		pr_state_free(s);
	}
}

/* Nothing but the administrator helps against lost information without a new reservation. */
static void test_admin_lost(void **state)
{
	struct world w = { .lost = true };
	struct pr_state *s = world_state(&w);
	struct pr_request rq = { .action = SA_CLEAR, .admin = true };
	struct pr_outcome o;

	assert_int_equal(pr_apply(s, &rq, &o), 0);
	assert_non_null(o.next);
	assert_false(o.next->lost);
	assert_int_equal(o.nnotes, 0);
	pr_outcome_done(&o);
	pr_state_free(s);
}

/* ---- limits --------------------------------------------------------------------------------- */

static struct pr_registration numbered(uint32_t i, char port[static 64])
{
	snprintf(port, 64, "iqn.n%u,i,0x%012x", i, i);
	return (struct pr_registration){ .nexus = { "iqn.n", port, "iqn.target", 1, 0x101 },
		.key = 50 + i % 2 };
}

static struct pr_state *full_state(uint32_t n)
{
	struct pr_state *s = pr_state_new();
	char port[64];

	for (uint32_t i = 0; i < n; i++) {
		struct pr_registration r = numbered(i, port);

		assert_int_equal(pr_state_add(s, &r), 0);
	}
	return s;
}

/* 6.16.3: all registrations are made, or none. */
static void test_full(void **state)
{
	static const char *const lists[] = { "", "B", "BC" };
	struct pr_state *s = full_state(PR_MAX_REGISTRATIONS - 2);
	uint8_t ids[512];

	for (unsigned i = 0; i < 3; i++) {
		struct pr_request rq = request_of(SA_REGISTER, 0, 1);
		struct pr_outcome o;

		rq.list.spec_i_pt = true;
		rq.list.ids = ids;
		rq.list.ids_bytes = world_ids(lists[i], ids, sizeof(ids));
		rq.list.ids_at = 28;
		assert_int_equal(pr_apply(s, &rq, &o), 0);
		if (i < 2) {
			assert_int_equal(o.verdict, PR_DONE);
			assert_int_equal(o.next->n, PR_MAX_REGISTRATIONS - 1 + i);
		} else {
			expect_answer(SENSE_INSUFFICIENT_REGISTRATION_RESOURCES, &o);
			assert_null(o.next);
		}
		pr_outcome_done(&o);
	}
	pr_state_free(s);
}

/* REGISTER AND MOVE to one too many, and to one that is there. */
static void test_full_move(void **state)
{
	struct pr_state *s = full_state(PR_MAX_REGISTRATIONS);
	struct pr_request rq = request_of(SA_REGISTER_AND_MOVE, 50, 7);
	char port[64];
	struct pr_registration r = numbered(0, port);
	struct pr_outcome o;
	uint8_t ids[512];

	assert_int_equal(pr_state_add(s, &r), -EEXIST);
	r.nexus = nexus_of(B);
	assert_int_equal(pr_state_add(s, &r), -ENOSPC);
	pr_state_reserve(s, 0, 0, RESERVATION_WRITE_EXCLUSIVE);
	rq.self = numbered(0, port).nexus;
	rq.list.rtpi = 0x101;
	rq.list.ids = ids;
	rq.list.ids_bytes = world_ids("B", ids, sizeof(ids));
	assert_int_equal(pr_apply(s, &rq, &o), 0);
	expect_answer(SENSE_INSUFFICIENT_REGISTRATION_RESOURCES, &o);
	assert_null(o.next);
	pr_outcome_done(&o);

	rq.list.ids_bytes = transportid_encode(
		&(struct transportid){
			.name = "iqn.n17", .has_isid = true, .isid = { 0, 0, 0, 0, 0, 17 } },
		ids, sizeof(ids));
	assert_int_equal(pr_apply(s, &rq, &o), 0);
	assert_int_equal(o.verdict, PR_DONE);
	assert_true(o.next->r[17]->holder && o.next->r[17]->key == 7);
	pr_outcome_done(&o);
	pr_state_free(s);
}

/* Half of very many go; each that stays is found at its place. */
static void test_many(void **state)
{
	struct pr_state *s = full_state(PR_MAX_REGISTRATIONS);
	struct pr_request rq = request_of(SA_PREEMPT, 50, 51);
	char port[64];
	struct pr_outcome o;

	rq.self = numbered(0, port).nexus;
	assert_int_equal(pr_apply(s, &rq, &o), 0);
	assert_int_equal(o.next->n, PR_MAX_REGISTRATIONS / 2);
	assert_int_equal(o.nnotes, PR_MAX_REGISTRATIONS / 2);
	for (uint32_t i = 0; i < PR_MAX_REGISTRATIONS; i++) {
		struct pr_registration r = numbered(i, port);

		assert_ptr_equal(pr_find(o.next, &r.nexus), i % 2 ? NULL : o.next->r[i / 2]);
		assert_ptr_equal(pr_find(s, &r.nexus), s->r[i]);
	}
	pr_outcome_done(&o);
	pr_state_free(s);
}

/* ---- memory that runs out ------------------------------------------------------------------- */

/* How many allocations go well yet; below 0: all. The linker brings all of them here. */
static int allocations = -1;

static bool may_allocate(void)
{
	if (allocations == 0)
		return false;
	allocations -= allocations > 0;
	return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return may_allocate() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t n)
{
	return may_allocate() ? __real_realloc(p, n) : NULL;
}

/* Each allocation of each action fails once: nothing is decided, nothing changes, nothing leaks. */
static void test_no_memory(void **state)
{
	struct world before = world_parse("A1 B2 C3 c4 @1A"), after;
	struct pr_state *s = world_state(&before);
	uint8_t ids[512];

	for (uint8_t action = 0; action < SA_REPLACE_LOST_RESERVATION; action++) {
		struct pr_request rq = request_of(action, 1, action == SA_PREEMPT ? 2 : 1);
		bool done = action == SA_RESERVE; /* which changes nothing here */

		rq.type = RESERVATION_WRITE_EXCLUSIVE;
		rq.list.all_tg_pt = true;
		rq.list.rtpi = 0x102;
		rq.list.ids = ids;
		rq.list.ids_bytes = world_ids("D", ids, sizeof(ids));
		if (action == SA_REGISTER) { /* of one that is not registered, and of another */
			rq.self = nexus_of(B_2);
			rq.list.key = 0;
			rq.list.all_tg_pt = false;
			rq.list.spec_i_pt = true;
		}
		for (int n = 0; !done; n++) {
			struct pr_outcome o;
			int rc;

			allocations = n;
			rc = pr_apply(s, &rq, &o);
			allocations = -1;
			assert_true(rc == 0 || rc == -ENOMEM);
			if (rc == 0) {
				assert_int_equal(o.verdict, PR_DONE);
				assert_non_null(o.next);
				done = true;
				assert_true(n > 3);
				pr_outcome_done(&o);
			}
		}
	}
	after = world_of(s);
	assert_true(world_equal(&after, &before));
	pr_state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_aptpl),
		cmocka_unit_test(test_registration),
		cmocka_unit_test(test_other_target),
		cmocka_unit_test(test_no_isids),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_admin_lost),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_move),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
