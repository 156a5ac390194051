/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * matrix_test.c: every command of the table under every type of persistent reservation, from the
 * holder, from one that is registered and from one that is not, all three at once on loops whose
 * turns are dealt by a seed. What is right is said here by operation code, from SPC-4 tables 65 and
 * 66 (commands allowed in the presence of reservations) and SBC-3's; a command that is not here
 * fails.
 */
#include "engine/pr/testkit.h"

#include "engine/optable.h"

enum { NEXUSES = 3, KEY_A = 0xa1, KEY_B = 0xb2, SEEDS = 6 };

/* The columns: whom a command of the kind conflicts for. */
enum kind {
	ALLOWED = 1, /* for nobody */
	READ, /* who is out, under exclusive access */
	EXCLUSIVE, /* who is out */
	HOLDER, /* who does not hold it */
	REGISTERED, /* who is not registered */
	BY_BYTE_4, /* START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL: two commands */
	NOT_HERE, /* its parameters are the matter of rules_test.c */
};

static const struct {
	uint8_t opcode;
	int sa; /* -1: all */
	enum kind kind;
} commands[] = {
	{ 0x00, -1, ALLOWED }, /* TEST UNIT READY */
	{ 0x03, -1, ALLOWED }, /* REQUEST SENSE */
	{ 0x08, -1, READ }, { 0x0a, -1, EXCLUSIVE }, /* WRITE(6) */
	{ 0x12, -1, ALLOWED }, /* INQUIRY */
	{ 0x15, -1, EXCLUSIVE }, /* MODE SELECT(6) */
	{ 0x16, -1, EXCLUSIVE }, /* RESERVE(6): 5.12.3, compatible handling */
	{ 0x17, -1, EXCLUSIVE }, /* RELEASE(6) */
	{ 0x1a, -1, READ }, /* MODE SENSE(6) */
	{ 0x1b, -1, BY_BYTE_4 }, { 0x1e, -1, BY_BYTE_4 },
	{ 0x25, -1, ALLOWED }, /* READ CAPACITY(10) */
	{ 0x28, -1, READ }, { 0x2a, -1, EXCLUSIVE },
	{ 0x2e, -1, EXCLUSIVE }, /* WRITE AND VERIFY(10) */
	{ 0x2f, -1, READ }, /* VERIFY(10) */
	{ 0x35, -1, EXCLUSIVE }, /* SYNCHRONIZE CACHE(10) */
	{ 0x41, -1, EXCLUSIVE }, /* WRITE SAME(10) */
	{ 0x42, -1, EXCLUSIVE }, /* UNMAP */
	{ 0x55, -1, EXCLUSIVE }, /* MODE SELECT(10) */
	{ 0x56, -1, EXCLUSIVE }, /* RESERVE(10) */
	{ 0x57, -1, EXCLUSIVE }, /* RELEASE(10) */
	{ 0x5a, -1, READ }, /* MODE SENSE(10) */
	{ 0x5e, -1, ALLOWED }, /* PERSISTENT RESERVE IN */
	{ 0x5f, 0, ALLOWED }, /* REGISTER, with its own key again */
	{ 0x5f, 1, HOLDER }, /* RESERVE, the same again */
	{ 0x5f, 2, REGISTERED }, /* RELEASE, of another type */
	{ 0x5f, 3, REGISTERED }, /* CLEAR, and the preemptions, with a fault in the list */
	{ 0x5f, 4, REGISTERED }, { 0x5f, 5, REGISTERED },
	{ 0x5f, 6, ALLOWED }, /* REGISTER AND IGNORE EXISTING KEY */
	{ 0x5f, 7, NOT_HERE }, /* REGISTER AND MOVE */
	{ 0x5f, 8, NOT_HERE }, /* REPLACE LOST RESERVATION */
	{ 0x88, -1, READ }, { 0x89, -1, EXCLUSIVE }, /* COMPARE AND WRITE */
	{ 0x8a, -1, EXCLUSIVE }, { 0x8e, -1, EXCLUSIVE }, /* WRITE AND VERIFY(16) */
	{ 0x8f, -1, READ }, /* VERIFY(16) */
	{ 0x91, -1, EXCLUSIVE }, /* SYNCHRONIZE CACHE(16) */
	{ 0x93, -1, EXCLUSIVE }, /* WRITE SAME(16) */
	{ 0x9e, 0x10, ALLOWED }, /* READ CAPACITY(16) */
	{ 0x9e, 0x12, READ }, /* GET LBA STATUS */
	{ 0x9e, 0x13, ALLOWED }, /* REPORT REFERRALS */
	{ 0xa0, -1, ALLOWED }, /* REPORT LUNS */
	{ 0xa3, 0x0a, ALLOWED }, /* REPORT TARGET PORT GROUPS */
	{ 0xa3, 0x0c, READ }, /* REPORT SUPPORTED OPERATION CODES */
	{ 0xa3, 0x0d, READ }, /* REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS */
	{ 0xa4, 0x0a, EXCLUSIVE }, /* SET TARGET PORT GROUPS */
	{ 0xa8, -1, READ }, { 0xaa, -1, EXCLUSIVE },
	{ 0xae, -1, EXCLUSIVE }, /* WRITE AND VERIFY(12) */
	{ 0xaf, -1, READ }, /* VERIFY(12) */
};

static const uint8_t types[] = { 1, 3, 5, 6, 7, 8 };

enum who { HOLDS, IS_REGISTERED, IS_NOBODY };

static struct rig rig;
static struct lu *lu;
static struct loopback *nexus[NEXUSES];

static enum kind kind_of(const struct op_row *row)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].opcode == row->opcode &&
			(commands[i].sa < 0 || commands[i].sa == row->sa))
			return commands[i].kind;
	fail_msg("%s is not in the tables of this test", row->name);
	return 0;
}

static bool conflicts(enum kind kind, enum who who, uint8_t type)
{
	bool all = type == 7 || type == 8, registrants = all || type == 5 || type == 6;
	bool access = type == 3 || type == 6 || type == 8;
	bool holds = who == HOLDS || (all && who == IS_REGISTERED);

	if (kind == REGISTERED)
		return who == IS_NOBODY;
	if (kind == ALLOWED || holds)
		return false;
	if (kind == HOLDER)
		return true;
	if (registrants && who == IS_REGISTERED)
		return false;
	return kind == EXCLUSIVE || access;
}

/* ---- one command ---------------------------------------------------------------------------- */

struct shot {
	struct loopback_cmd c;
	uint8_t list[24], out[512], in[4096];
};

/* PERSISTENT RESERVE OUT that changes nothing. */
static void aim_prout(struct shot *s, enum who who, uint8_t type)
{
	uint64_t key = who == HOLDS ? KEY_A : who == IS_REGISTERED ? KEY_B : 0;
	uint8_t action = s->c.cdb[1];

	put_be64(s->list, key);
	put_be64(s->list + 8, key);
	if (action >= 3 && action <= 5 && key)
		s->list[20] = PR_SPEC_I_PT; /* table 216: must not be */
	s->c.cdb[2] = action == 2 ? (type == 1 ? 3 : 1) : type;
	put_be32(s->c.cdb + 5, sizeof(s->list));
	s->c.out = s->list;
	s->c.out_bytes = sizeof(s->list);
}

/* All fields are 0 but what makes it short and harmless. */
static void aim(struct shot *s, const struct op_row *row, enum who who, uint8_t type, uint8_t byte4)
{
	memset(s, 0, sizeof(*s));
	io_init(&rig, &s->c, nexus[who], who);
	s->c.cdb_len = row->cdb_len;
	s->c.cdb[0] = row->opcode;
	if (row->sa != NO_SA)
		s->c.cdb[1] = (uint8_t)row->sa;
	s->c.cdb[4] = byte4;
	if (row->opcode == OP_READ_6 || row->opcode == OP_WRITE_6)
		s->c.cdb[4] = 1;
	if (row->opcode == OP_PERSISTENT_RESERVE_OUT) {
		aim_prout(s, who, type);
	} else if (row->rules & RULE_DATA_OUT) {
		s->c.out = s->out;
		s->c.out_bytes = sizeof(s->out);
	} else if (row->rules & RULE_DATA_IN) {
		s->c.in = s->in;
		s->c.in_bytes = sizeof(s->in);
	}
}

/* The command from all three, whose order is dealt by turn. */
static void shoot(const struct op_row *row, enum kind kind, uint8_t type, uint8_t byte4,
	unsigned turn, unsigned count[2])
{
	struct shot s[NEXUSES];

	for (unsigned i = 0; i < NEXUSES; i++) {
		unsigned who = (i + turn) % NEXUSES;

		aim(&s[who], row, who, type, byte4);
		loopback_start(&s[who].c);
	}
	for (unsigned who = 0; who < NEXUSES; who++) {
		bool conflict;

		io_wait(&s[who].c);
		conflict = s[who].c.status == STATUS_RESERVATION_CONFLICT;
		if (conflict != conflicts(kind, who, type) || s[who].c.refused || s[who].c.aborted)
			fail_msg("type %u, nexus %u, %s (byte 4: %u): status %02x, sense %02x "
				 "%02x/%02x",
				type, who, row->name, byte4, s[who].c.status, s[who].c.sense[2],
				s[who].c.sense[12], s[who].c.sense[13]);
		count[conflict]++;
	}
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void walk(uint8_t type, unsigned *turn)
{
	unsigned count[2] = { 0 };
	const struct op_row *row;
	struct lu_conf conf;

	lu_get_conf(lu, &conf);
	for (unsigned i = 0; (row = op_at(i)); i++) {
		enum kind kind = kind_of(row);

		if (kind == NOT_HERE || (row->present && !row->present(&conf)))
			continue;
		if (kind == BY_BYTE_4) {
			bool stop = row->opcode == OP_START_STOP_UNIT;

			/* START=0 or PREVENT=1, then what takes it back and passes. */
			shoot(row, EXCLUSIVE, type, !stop, (*turn)++, count);
			shoot(row, ALLOWED, type, stop, (*turn)++, count);
		} else {
			shoot(row, kind, type, 0, (*turn)++, count);
		}
	}
	assert_true(count[0] > 60);
	assert_true(count[1] > 20);
}

static void log_in(uint64_t seed)
{
	static const char *const names[] = { "iqn.a", "iqn.b", "iqn.c" };

	rig_init(&rig, LOOP_SIM, NEXUSES, seed);
	lu = rig_add(&rig, 0, "ram:1M");
	for (unsigned i = 0; i < NEXUSES; i++) {
		nexus[i] = rig_login(&rig, names[i], i);
		io_settle(&rig, nexus[i], 0);
	}
}

static void log_out(void)
{
	for (unsigned i = 0; i < NEXUSES; i++)
		rig_logout(nexus[i]);
	rig_remove(&rig, 0);
	rig_done(&rig);
}

static void matrix(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		unsigned turn = (unsigned)seed;

		log_in(seed);
		pr_register(&rig, nexus[HOLDS], 0, KEY_A);
		pr_register(&rig, nexus[IS_REGISTERED], 1, KEY_B);
		for (size_t t = 0; t < sizeof(types); t++) {
			uint64_t key;

			pr_reserve(&rig, nexus[HOLDS], 0, KEY_A, types[t]);
			walk(types[t], &turn);
			assert_int_equal(pr_reserved(&rig, nexus[IS_NOBODY], 2, &key), types[t]);
			assert_int_equal(pr_keys(&rig, nexus[IS_NOBODY], 2), 2);
			assert_int_equal(
				prout_run(&rig, nexus[HOLDS], 0, SA_RELEASE, types[t], KEY_A, 0),
				STATUS_GOOD);
			for (unsigned i = 0; i < NEXUSES; i++)
				io_settle(&rig, nexus[i], 0);
		}
		log_out();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matrix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
