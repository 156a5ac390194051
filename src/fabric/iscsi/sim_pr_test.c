/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_pr_test.c: persistent reservations of whole targets over power cuts. Three initiator ports in
 * the simulator register, reserve, preempt and clear at random, with APTPL and without, and write
 * meanwhile; the power is cut at each operation on the medium in turn, from the making of the disk
 * and of dbroot on. A new target then opens the same medium. Its state is the one before or after
 * the command that was cut, and after it if GOOD was sent; and the first writes of all initiators
 * meet the reservation that there is.
 *
 * usage: iscsi_sim_pr_test [first seed [number of seeds]]
 */
#include "base/rng.h"
#include "engine/pr/pr.h"
#include "fabric/iscsi/sim_peer_testkit.h"
#include "scsi/reservation.h"

enum { NPEERS = 3, STEPS = 14, KEYS = 4 };

/* A PERSISTENT RESERVE OUT. */
struct step {
	unsigned by; /* peer */
	uint8_t action, type, flags;
	uint64_t key, sa_key;
	uint8_t status; /* of the run in which nothing is cut */
};

static struct run {
	uint64_t seed, cut;
	struct sim_target t;
	struct sim_disk *medium;
	struct peer peers[NPEERS];
	struct peer *list[NPEERS];
	struct step steps[STEPS];
	struct pr_state *states[STEPS + 1]; /* what must come back: [i] after i steps */
	uint8_t status, key; /* of the last command */
	bool answered;
} l;

static uint64_t first_seed = 1, nseeds = 2;

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_msg("seed %llu, cut at %llu: %s", (unsigned long long)l.seed,
		(unsigned long long)l.cut, text);
	abort();
}

/* ---- commands ------------------------------------------------------------------------------- */

static void answered(
	struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense, uint32_t n)
{
	l.status = status;
	l.key = n > 2 ? sense[2] & 0x0f : 0;
	l.answered = true;
}

/* Once its unit attentions have been told. */
static uint8_t run_cmd(unsigned peer, const struct peer_cmd *cmd)
{
	struct peer_cmd c = *cmd;

	c.done = answered;
	do {
		l.answered = false;
		if (!peer_command(&l.peers[peer], &c))
			wrong("no room for a command");
		peer_drain(&l.peers[peer]);
		if (!l.answered)
			wrong("a command was not answered");
	} while (l.status == STATUS_CHECK_CONDITION && l.key == KEY_UNIT_ATTENTION);
	return l.status;
}

static uint8_t run_step(const struct step *s)
{
	uint8_t list[PROUT_BASIC_BYTES] = { 0 };
	struct peer_cmd c = { .cdb = { OP_PERSISTENT_RESERVE_OUT, s->action, s->type },
		.out = list,
		.out_bytes = sizeof(list) };

	put_be32(c.cdb + 5, sizeof(list));
	put_be64(list, s->key);
	put_be64(list + 8, s->sa_key);
	list[20] = s->flags;
	return run_cmd(s->by, &c);
}

static uint8_t run_write(unsigned peer)
{
	uint8_t data[512] = { (uint8_t)peer };
	struct peer_cmd c = { .cdb = { OP_WRITE_10 }, .out = data, .out_bytes = sizeof(data) };

	put_be32(c.cdb + 2, peer);
	put_be16(c.cdb + 7, 1);
	return run_cmd(peer, &c);
}

/* What they ask is drawn apart from the simulator's numbers: it is the same in each run. */
static void draw(struct rng *rng, struct step *s)
{
	static const uint8_t actions[] = { SA_REGISTER, SA_REGISTER,
		SA_REGISTER_AND_IGNORE_EXISTING_KEY, SA_REGISTER_AND_IGNORE_EXISTING_KEY,
		SA_REGISTER_AND_IGNORE_EXISTING_KEY, SA_RESERVE, SA_RESERVE, SA_RELEASE, SA_CLEAR,
		SA_PREEMPT, SA_PREEMPT, SA_PREEMPT_AND_ABORT };
	static const uint8_t types[] = { 1, 3, 5, 6, 7, 8 };

	memset(s, 0, sizeof(*s));
	s->by = (unsigned)rng_below(rng, NPEERS);
	s->action = actions[rng_below(rng, sizeof(actions))];
	/* Mostly the key that the port has, so that most of it comes to something. */
	s->key = rng_chance(rng, 1, 8) ? rng_below(rng, KEYS) : 1 + s->by;
	if (s->action == SA_REGISTER)
		s->key = rng_chance(rng, 1, 2) ? 0 : s->key;
	if (s->action == SA_REGISTER || s->action == SA_REGISTER_AND_IGNORE_EXISTING_KEY) {
		s->sa_key = rng_chance(rng, 1, 8) ? 0 : 1 + s->by;
		s->flags = rng_chance(rng, 4, 5) ? 0x01 : 0; /* APTPL */
	} else if (s->action == SA_PREEMPT || s->action == SA_PREEMPT_AND_ABORT) {
		s->sa_key = 1 + rng_below(rng, NPEERS);
	}
	if (s->action != SA_CLEAR && s->sa_key + s->key > 0)
		s->type = types[rng_below(rng, sizeof(types))];
	if (s->flags || s->action == SA_REGISTER || s->action == SA_CLEAR ||
		s->action == SA_REGISTER_AND_IGNORE_EXISTING_KEY)
		s->type = 0;
}

/* ---- a target's life ------------------------------------------------------------------------ */

static bool boot(uint64_t cut)
{
	const struct sim_boot b = { .seed = l.seed,
		.spec = "file:/disk,size=64K",
		.recv = 8192,
		.medium = l.medium,
		.cut_at = cut,
		.dbroot = "/db" };

	return sim_target_boot(&l.t, &b);
}

static void log_in(void)
{
	static const struct peer_params params[NPEERS] = {
		{ true, false, true, true, 4096, 16384, 8192, 2 },
		{ false, true, false, false, 2048, 4096, 4096, 4 },
		{ true, true, false, true, 512, 4096, 4096, 1 },
	};

	for (unsigned i = 0; i < NPEERS; i++) {
		l.list[i] = &l.peers[i];
		peer_init(&l.peers[i], &l.t, &params[i]);
		l.peers[i].port = (uint8_t)i;
		peer_login(&l.peers[i]);
	}
}

static void log_out(void)
{
	for (unsigned i = 0; i < NPEERS; i++)
		peer_done(&l.peers[i]);
}

static struct pr_state *state_now(void)
{
	struct pr_state *s;

	assert_int_equal(pr_copy(l.t.lu, &s), 0);
	return s;
}

/* ---- what must come back -------------------------------------------------------------------- */

static bool same(const struct pr_state *x, const struct pr_state *y)
{
	if (x->n != y->n || x->type != y->type || x->lost || y->lost)
		return false;
	for (uint32_t i = 0; i < x->n; i++) {
		const struct pr_registration *r = pr_find(y, &x->r[i]->nexus);

		if (!r || r->key != x->r[i]->key || r->holder != x->r[i]->holder)
			return false;
	}
	return true;
}

/* Whether a peer may write, by the standard's words (SPC-4 table 66). */
static bool may_write(const struct pr_state *s, unsigned peer)
{
	char name[64];
	bool registered = false, holds = false;

	snprintf(name, sizeof(name), "%s,i,0x40000000000%u", SIM_PEER, peer + 1);
	for (uint32_t i = 0; i < s->n; i++) {
		if (strcmp(s->r[i]->nexus.initiator_port, name) != 0)
			continue;
		registered = true;
		holds = s->r[i]->holder;
	}
	if (s->type == RESERVATION_NONE)
		return true;
	return s->type == RESERVATION_WRITE_EXCLUSIVE || s->type == RESERVATION_EXCLUSIVE_ACCESS
		       ? holds
		       : registered;
}

/* The first writes after the restart. */
static void check_writes(const struct pr_state *s)
{
	for (unsigned i = 0; i < NPEERS; i++) {
		uint8_t want = may_write(s, i) ? STATUS_GOOD : STATUS_RESERVATION_CONFLICT;

		if (run_write(i) != want)
			wrong("peer %u: status %02x, not %02x, type %u", i, l.status, want,
				s->type);
	}
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* All of it without a cut: what each step answers and leaves. Returns the operations. */
static uint64_t record(void)
{
	struct rng rng;
	uint64_t nops;

	rng_seed(&rng, l.seed);
	for (unsigned i = 0; i < STEPS; i++)
		draw(&rng, &l.steps[i]);
	l.medium = sim_disk_new(l.seed);
	assert_true(boot(0));
	log_in();
	for (unsigned i = 0; i <= STEPS; i++) {
		l.states[i] = state_now();
		if (!l.states[i]->aptpl) {
			pr_state_free(l.states[i]);
			l.states[i] = pr_state_new();
		}
		if (i == STEPS)
			break;
		l.steps[i].status = run_step(&l.steps[i]);
		(void)run_write(l.steps[i].by);
	}
	nops = sim_file_ops(l.t.rig.k.loops);
	log_out();
	sim_target_done(&l.t);
	l.medium = sim_disk_free(l.medium);
	return nops;
}

/* Steps up to the one that is cut: how many of them were answered as they are without a cut. */
static unsigned run_steps(void)
{
	unsigned done = 0;

	while (done < STEPS && !sim_power_is_cut(l.t.rig.k.loops)) {
		if (run_step(&l.steps[done]) != l.steps[done].status)
			break;
		done++;
		(void)run_write(l.steps[done - 1].by);
	}
	return done;
}

static void run(uint64_t cut)
{
	struct pr_state *found;
	unsigned done = 0;

	l.cut = cut;
	l.medium = sim_disk_new(l.seed * 7919 + cut);
	if (boot(cut)) {
		log_in();
		done = run_steps();
		if (done < STEPS && !sim_power_is_cut(l.t.rig.k.loops))
			wrong("step %u: status %02x, not %02x", done, l.status,
				l.steps[done].status);
		log_out();
		sim_target_done(&l.t);
	}
	sim_power_on(l.medium);
	assert_true(boot(0));
	log_in();
	found = state_now();
	if (!same(found, l.states[done]) && (done == STEPS || !same(found, l.states[done + 1])))
		wrong("after %u steps there are %u registrations, type %u", done, found->n,
			found->type);
	check_writes(found);
	pr_state_free(found);
	log_out();
	sim_target_done(&l.t);
	l.medium = sim_disk_free(l.medium);
}

static void cut_at_each_operation(void **state)
{
	unsigned good = 0, kept = 0;

	for (uint64_t seed = first_seed; seed < first_seed + nseeds; seed++) {
		uint64_t nops;

		memset(&l, 0, sizeof(l));
		l.seed = seed;
		nops = record();
		for (unsigned i = 0; i < STEPS; i++)
			good += l.steps[i].status == STATUS_GOOD;
		for (unsigned i = 0; i <= STEPS; i++)
			kept += l.states[i]->n > 0;
		for (uint64_t cut = 1; cut <= nops; cut++)
			run(cut);
		for (unsigned i = 0; i <= STEPS; i++)
			pr_state_free(l.states[i]);
	}
	/* It is about something. */
	assert_true(good > 4 * nseeds && kept > 4 * nseeds);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_at_each_operation),
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		nseeds = strtoull(argv[2], NULL, 0);
	log_set_level(LOG_LEVEL_ERROR);
	log_set_sink(-1, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
