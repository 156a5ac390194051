/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aptpl_test.c: reservations are kept and come back; what is damaged, cut off, gone or changed by
 * others; and, with the power cut at every file operation of a commit, that the state is the one
 * before or after, and after once success was told.
 *
 * usage: aptpl_test [number of seeds]
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "engine/engine.h"
#include "engine/pr/aptpl.h"
#include "engine/pr/aptpl_text.h"
#include "engine/pr/state.h"
#include "loop/loop.h"
#include "loop/sim.h"

#define SERIAL    "6001405-0001"
#define FILE_NAME "/db/pr/aptpl_" SERIAL
#define T         "iqn.2003-01.org.example:disk"

struct world {
	struct sim_disk *disk;
	struct loops *loops;
	struct engine *eng;
};

static uint64_t nseeds = 4;

static void up_without(struct world *w, uint64_t seed)
{
	const struct loops_config cfg = { .kind = LOOP_SIM, .nloops = 1, .sim_seed = seed };
	struct errmsg err = { 0 };

	if (loops_new(&cfg, &w->loops, &err))
		fail_msg("%s", err.text);
	sim_attach_disk(w->loops, w->disk);
	w->eng = engine_new(w->loops);
	assert_non_null(w->eng);
}

static void up(struct world *w, uint64_t seed)
{
	struct errmsg err = { 0 };

	up_without(w, seed);
	if (engine_set_dbroot(w->eng, "/db", &err))
		fail_msg("%s", err.text);
}

static void down(struct world *w)
{
	engine_free(w->eng);
	loops_free(w->loops);
}

static void restart(struct world *w)
{
	down(w);
	up(w, 7);
}

static void begin(struct world *w)
{
	w->disk = sim_disk_new(1);
	assert_non_null(w->disk);
	up(w, 1);
}

static void end(struct world *w)
{
	down(w);
	sim_disk_free(w->disk);
}

/* State number n: n registrations, the last of which holds a reservation. */
static struct pr_state *make(unsigned n)
{
	struct pr_state *s = pr_state_new();
	char name[64], port[96];

	assert_non_null(s);
	for (unsigned i = 0; i < n; i++) {
		struct pr_registration r = {
			.nexus = { name, port, T, 1, 1 }, .key = i + 1, .registered_s = 1000 + i
		};

		snprintf(name, sizeof(name), "iqn.2003-01.org.example:%u", i);
		snprintf(port, sizeof(port), "%s,i,0x%012x", name, i);
		assert_int_equal(pr_state_add(s, &r), 0);
	}
	if (n)
		pr_state_reserve(s, n - 1, RESERVATION_LU_SCOPE, RESERVATION_WRITE_EXCLUSIVE);
	s->aptpl = true;
	return s;
}

static int keep(struct world *w, unsigned n)
{
	struct pr_state *s = make(n);
	int r = aptpl_commit(w->eng, SERIAL, s);

	pr_state_free(s);
	return r;
}

static struct pr_state *load(struct world *w)
{
	struct pr_state *s = NULL;
	struct errmsg err = { 0 };

	if (aptpl_load(w->eng, SERIAL, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

/* The number of the state that comes back; all of it must be of that state. -1: lost. */
static int loaded(struct world *w, bool extras)
{
	struct pr_state *s = load(w), *want;
	int n = s ? (int)s->n : 0;

	if (s && s->lost) {
		pr_state_free(s);
		return -1;
	}
	want = make((unsigned)n);
	for (int i = 0; i < n; i++) {
		assert_true(pr_nexus_equal(&s->r[i]->nexus, &want->r[i]->nexus));
		assert_true(s->r[i]->key == want->r[i]->key);
		assert_int_equal(s->r[i]->holder, i == n - 1);
		if (extras)
			assert_true(s->r[i]->registered_s == want->r[i]->registered_s);
	}
	assert_true(!n || (s->aptpl && s->type == RESERVATION_WRITE_EXCLUSIVE));
	pr_state_free(want);
	pr_state_free(s);
	return n;
}

/* ---- files as others leave them -------------------------------------------------------------- */

static void put(struct world *w, const char *path, const char *text, size_t n)
{
	assert_int_equal(loops_write_file(w->loops, path, text, n, 0600), 0);
}

/* NULL: there is none. Owned. */
static char *get(struct world *w, const char *path, size_t *ret_n)
{
	char *text = NULL;
	int r = loops_read_file(w->loops, path, 1 << 20, &text, ret_n);

	assert_true(!r || r == -ENOENT);
	return r ? NULL : text;
}

static bool is_there(struct world *w, const char *path)
{
	size_t n;
	char *text = get(w, path, &n);

	free(text);
	return text;
}

/* Flip a bit of a file. */
static void damage(struct world *w, const char *path, size_t at)
{
	size_t n;
	char *text = get(w, path, &n);

	assert_true(text && at < n);
	text[at] ^= 0x40;
	put(w, path, text, n);
	free(text);
}

/* LIO's file of state n. */
static void put_lio(struct world *w, unsigned n, size_t cut)
{
	struct pr_state *s = make(n);
	struct strbuf b;

	strbuf_init(&b);
	assert_int_equal(aptpl_format(s, false, &b), 0);
	put(w, FILE_NAME, b.s, b.len - cut);
	strbuf_done(&b);
	pr_state_free(s);
}

static void remove_generations(struct world *w)
{
	char path[128];

	for (unsigned i = 0; i < APTPL_GENERATIONS; i++) {
		snprintf(path, sizeof(path), "/db/pr/ulio/aptpl_" SERIAL ".%u", i);
		loops_unlink(w->loops, path);
	}
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void comes_back(void **state)
{
	struct world w;
	struct pr_state *s;
	size_t n;
	char *text;

	begin(&w);
	assert_null(load(&w));
	for (unsigned i = 0; i < 2 * APTPL_GENERATIONS + 1; i++) {
		assert_int_equal(keep(&w, i % 4), 0);
		restart(&w);
		assert_int_equal(loaded(&w, true), i % 4);
	}
	/* APTPL switched off: nothing of it is kept, and the file says so. */
	s = make(3);
	s->aptpl = false;
	assert_int_equal(aptpl_commit(w.eng, SERIAL, s), 0);
	pr_state_free(s);
	text = get(&w, FILE_NAME, &n);
	assert_int_equal(n, strlen("No Registrations or Reservations") + 1);
	assert_memory_equal(text, "No Registrations or Reservations", n);
	free(text);
	restart(&w);
	assert_int_equal(loaded(&w, true), 0);
	end(&w);
}

static void serials(void **state)
{
	struct world w;
	struct pr_state *s = make(1), *back = NULL;
	struct errmsg err = { 0 };
	char serial[APTPL_SERIAL_BYTES + 2];

	begin(&w);
	memset(serial, 'x', sizeof(serial));
	serial[APTPL_SERIAL_BYTES + 1] = '\0';
	assert_false(aptpl_can_keep(w.eng, serial, &err));
	assert_non_null(strstr(err.text, "serial number"));
	assert_int_equal(aptpl_commit(w.eng, serial, s), -EOPNOTSUPP);
	serial[APTPL_SERIAL_BYTES] = '\0';
	assert_true(aptpl_can_keep(w.eng, serial, NULL));
	assert_int_equal(aptpl_commit(w.eng, serial, s), 0);
	assert_int_equal(aptpl_load(w.eng, serial, &back, &err), 0);
	assert_int_equal(back->n, 1);
	pr_state_free(back);
	assert_false(aptpl_can_keep(w.eng, "a/../../b", NULL));
	assert_false(aptpl_can_keep(w.eng, "", &err));
	assert_non_null(strstr(err.text, "vpd_unit_serial"));
	/* Serial numbers do not meet. */
	assert_int_equal(aptpl_commit(w.eng, "..", s), 0);
	assert_null(load(&w));
	/* No place for it. */
	down(&w);
	up_without(&w, 3);
	assert_false(aptpl_can_keep(w.eng, SERIAL, &err));
	assert_non_null(strstr(err.text, "--dbroot"));
	assert_int_equal(aptpl_commit(w.eng, SERIAL, s), -EOPNOTSUPP);
	assert_null(load(&w));
	pr_state_free(s);
	end(&w);
}

static void places(void **state)
{
	struct world w;
	struct errmsg err = { 0 };

	w.disk = sim_disk_new(1);
	up_without(&w, 1);
	assert_int_equal(engine_set_dbroot(w.eng, "/no/such", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/no/such"));
	assert_null(engine_dbroot(w.eng));
	assert_int_equal(loops_write_file(w.loops, "/file", "x", 1, 0600), 0);
	assert_true(engine_set_dbroot(w.eng, "/file", &err) < 0);
	assert_null(engine_dbroot(w.eng));
	assert_int_equal(engine_set_dbroot(w.eng, "/db", &err), 0);
	assert_string_equal(engine_dbroot(w.eng), "/db");
	assert_int_equal(engine_set_dbroot(w.eng, "/db", &err), 0);
	assert_int_equal(engine_set_dbroot(w.eng, "", &err), 0);
	assert_null(engine_dbroot(w.eng));
	end(&w);
}

static void changed_by_others(void **state)
{
	struct world w;
	struct pr_state *s;

	begin(&w);
	/* A site that comes from LIO. */
	put_lio(&w, 2, 0);
	assert_int_equal(loaded(&w, false), 2);
	/* ... is fallen back to, too. */
	damage(&w, FILE_NAME, 20);
	assert_int_equal(loaded(&w, false), 2);
	assert_int_equal(keep(&w, 3), 0);
	/* Away, and back: what LIO has left counts, also what was so once before. */
	put_lio(&w, 1, 0);
	restart(&w);
	assert_int_equal(loaded(&w, false), 1);
	put_lio(&w, 3, 0);
	restart(&w);
	assert_int_equal(loaded(&w, true), 3);
	put_lio(&w, 0, 0);
	restart(&w);
	s = load(&w);
	assert_non_null(s);
	assert_int_equal(s->n, 0);
	assert_false(s->lost);
	pr_state_free(s);
	assert_false(is_there(&w, FILE_NAME ".damaged-2"));
	end(&w);
}

static void damaged(void **state)
{
	struct world w;
	size_t n, kept;
	char *before, *after;

	begin(&w);
	assert_int_equal(keep(&w, 1), 0);
	assert_int_equal(keep(&w, 3), 0);
	before = get(&w, FILE_NAME, &n);
	put(&w, FILE_NAME, "rubbish", 7);
	restart(&w);
	assert_int_equal(loaded(&w, true), 3);
	after = get(&w, FILE_NAME ".damaged-1", &kept);
	assert_int_equal(kept, 7);
	assert_memory_equal(after, "rubbish", 7);
	free(after);
	/* It is whole again. */
	after = get(&w, FILE_NAME, &kept);
	assert_int_equal(kept, n);
	assert_memory_equal(after, before, n);
	free(after);
	free(before);
	assert_int_equal(loaded(&w, true), 3);
	/* LIO truncates and writes: what it may leave. */
	put(&w, FILE_NAME, "", 0);
	assert_int_equal(loaded(&w, true), 3);
	put_lio(&w, 3, 40);
	assert_int_equal(loaded(&w, true), 3);
	for (unsigned i = 0; i < 2 * APTPL_DAMAGED; i++) {
		char text[16];

		snprintf(text, sizeof(text), "rubbish %u", i);
		put(&w, FILE_NAME, text, strlen(text));
		assert_int_equal(loaded(&w, true), 3);
	}
	assert_true(is_there(&w, FILE_NAME ".damaged-8"));
	assert_false(is_there(&w, FILE_NAME ".damaged-9"));
	end(&w);
}

/* It ends where a registration ends, so it parses: but not with what it begins with. */
static void cut_between_registrations(void **state)
{
	struct world w;
	struct pr_state *s = make(1);
	struct strbuf b;

	begin(&w);
	assert_int_equal(keep(&w, 1), 0);
	s = pr_state_free(s);
	s = make(3);
	pr_state_reserve(s, 0, RESERVATION_LU_SCOPE, RESERVATION_WRITE_EXCLUSIVE);
	assert_int_equal(aptpl_commit(w.eng, SERIAL, s), 0);
	strbuf_init(&b);
	assert_int_equal(aptpl_format(s, false, &b), 0);
	*strstr(b.s, "PR_REG_START: 1") = '\0';
	put(&w, FILE_NAME, b.s, strlen(b.s));
	pr_state_free(s);
	s = load(&w);
	assert_int_equal(s->n, 3);
	pr_state_free(s);
	assert_true(is_there(&w, FILE_NAME ".damaged-1"));
	/* With its end it is an administrator's. */
	put(&w, FILE_NAME, b.s, strlen(b.s) + 1);
	s = load(&w);
	assert_int_equal(s->n, 1);
	pr_state_free(s);
	strbuf_done(&b);
	end(&w);
}

static void damaged_generations(void **state)
{
	struct world w;
	char path[128];

	begin(&w);
	assert_int_equal(keep(&w, 1), 0); /* .1 */
	assert_int_equal(keep(&w, 2), 0); /* .2 */
	/* The file is good: that is enough. */
	damage(&w, "/db/pr/ulio/aptpl_" SERIAL ".2", 200);
	assert_int_equal(loaded(&w, false), 2);
	assert_int_equal(keep(&w, 3), 0);
	/* In the header, in the checksum, in the body: an older one is found. */
	for (size_t at = 0; at < 400; at += 7) {
		struct world v;

		begin(&v);
		assert_int_equal(keep(&v, 1), 0);
		assert_int_equal(keep(&v, 2), 0);
		damage(&v, "/db/pr/ulio/aptpl_" SERIAL ".2", at);
		put(&v, FILE_NAME, "rubbish", 7);
		assert_int_equal(loaded(&v, true), 1);
		end(&v);
	}
	/* All of them: that there was something is known. */
	for (unsigned i = 0; i < APTPL_GENERATIONS; i++) {
		snprintf(path, sizeof(path), "/db/pr/ulio/aptpl_" SERIAL ".%u", i);
		if (is_there(&w, path))
			damage(&w, path, 100);
	}
	put(&w, FILE_NAME, "rubbish", 7);
	assert_int_equal(loaded(&w, true), -1);
	restart(&w);
	assert_int_equal(loaded(&w, true), -1);
	assert_false(is_there(&w, FILE_NAME ".damaged-2"));
	/* Until somebody says what is so. */
	assert_int_equal(keep(&w, 1), 0);
	assert_int_equal(loaded(&w, true), 1);
	end(&w);
}

static void gone(void **state)
{
	struct world w;

	begin(&w);
	assert_int_equal(keep(&w, 2), 0);
	assert_int_equal(loops_unlink(w.loops, FILE_NAME), 0);
	restart(&w);
	assert_int_equal(loaded(&w, true), 2);
	assert_true(is_there(&w, FILE_NAME));
	/* Generations without the file were nothing yet, a file without generations is LIO's. */
	remove_generations(&w);
	assert_int_equal(loaded(&w, false), 2);
	remove_generations(&w);
	assert_int_equal(loops_unlink(w.loops, FILE_NAME), 0);
	assert_null(load(&w));
	end(&w);
}

/* What cannot be read is not taken for "nothing". */
static void unreadable(void **state)
{
	const struct sim_faults faults = { .io_error = 1000 }, none = { 0 };
	struct pr_state *s = NULL;
	struct errmsg err = { 0 };
	struct world w;

	begin(&w);
	assert_int_equal(keep(&w, 2), 0);
	sim_set_faults(w.loops, &faults);
	assert_int_equal(aptpl_load(w.eng, SERIAL, &s, &err), -EIO);
	assert_non_null(strstr(err.text, FILE_NAME));
	assert_null(s);
	sim_set_faults(w.loops, &none);
	assert_int_equal(loaded(&w, true), 2);
	end(&w);
}

/* A storage that fails: who was told so finds the state before or after, and a next try is good. */
static void failing(void **state)
{
	const struct sim_faults faults = { .io_error = 150, .short_io = 200 }, none = { 0 };
	unsigned failed = 0;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w = { .disk = sim_disk_new(seed) };
		int r, now;

		up(&w, seed);
		assert_int_equal(keep(&w, 1), 0);
		sim_set_faults(w.loops, &faults);
		r = keep(&w, 2);
		sim_set_faults(w.loops, &none);
		failed += r != 0;
		now = loaded(&w, true);
		if (r ? now != 1 && now != 2 : now != 2)
			fail_msg("seed %u: state %d, the commit gave %d", (unsigned)seed, now, r);
		assert_int_equal(keep(&w, 3), 0);
		restart(&w);
		assert_int_equal(loaded(&w, true), 3);
		end(&w);
	}
	assert_true(failed > 50 && failed < 190);
}

/* ---- power cuts ------------------------------------------------------------------------------ */

/*
 * One life: `kept` commits, the next one is cut at its nth file operation. True if it was cut,
 * false if it was over before that.
 */
static bool cut_at(uint64_t seed, unsigned kept, uint64_t nth)
{
	struct world w = { .disk = sim_disk_new(seed * 1000 + nth) };
	int r, now;
	bool cut;

	assert_non_null(w.disk);
	up(&w, seed);
	for (unsigned i = 1; i <= kept; i++)
		assert_int_equal(keep(&w, i), 0);
	sim_power_cut_at(w.loops, sim_file_ops(w.loops) + nth);
	r = keep(&w, kept + 1);
	cut = sim_power_is_cut(w.loops);
	assert_true(cut || !r);
	down(&w);

	sim_power_on(w.disk);
	up(&w, seed);
	now = loaded(&w, true);
	if (now != (int)kept + 1 && (now != (int)kept || !r))
		fail_msg("seed %u, cut %u: state %d after %u, the last commit gave %d",
			(unsigned)seed, (unsigned)nth, now, kept, r);
	/* And again: what was found is what is there, and the next one is kept. */
	restart(&w);
	assert_int_equal(loaded(&w, true), now);
	assert_int_equal(keep(&w, kept + 2), 0);
	restart(&w);
	assert_int_equal(loaded(&w, true), (int)kept + 2);
	assert_false(is_there(&w, FILE_NAME ".damaged-1"));
	end(&w);
	return cut;
}

static void every_operation(void **state)
{
	static const unsigned lives[] = { 0, 1, 2, APTPL_GENERATIONS + 1 };
	unsigned cuts = 0;

	for (size_t l = 0; l < sizeof(lives) / sizeof(lives[0]); l++) {
		for (uint64_t seed = 1; seed <= nseeds; seed++) {
			for (uint64_t nth = 1; cut_at(seed, lives[l], nth); nth++)
				cuts++;
		}
	}
	/* Create, write, fsync, rename, fsync of the directory, of two files. */
	assert_true(cuts >= 10 * nseeds * 4);
}

/* The power also goes while what was kept is taken from others, put back or kept aside. */
static bool load_cut_at(uint64_t seed, uint64_t nth, bool lio)
{
	struct world w = { .disk = sim_disk_new(seed * 1000 + nth) };
	struct pr_state *s = NULL;
	struct errmsg err = { 0 };
	bool cut;
	int r;

	up(&w, seed);
	if (!lio)
		assert_int_equal(keep(&w, 2), 0);
	if (lio)
		put_lio(&w, 2, 0);
	else
		put(&w, FILE_NAME, "rubbish", 7);
	sim_power_cut_at(w.loops, sim_file_ops(w.loops) + nth);
	r = aptpl_load(w.eng, SERIAL, &s, &err);
	cut = sim_power_is_cut(w.loops);
	/* Without power it may not be able to say, but says nothing else. */
	assert_true(r ? cut : s && s->n == 2);
	pr_state_free(s);
	down(&w);
	sim_power_on(w.disk);
	up(&w, seed);
	assert_int_equal(loaded(&w, !lio), 2);
	end(&w);
	return cut;
}

static void every_operation_of_a_load(void **state)
{
	unsigned cuts = 0;

	for (uint64_t seed = 1; seed <= nseeds; seed++) {
		for (uint64_t nth = 1; load_cut_at(seed, nth, false); nth++)
			cuts++;
		for (uint64_t nth = 1; load_cut_at(seed, nth, true); nth++)
			cuts++;
	}
	assert_true(cuts >= 20 * nseeds);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(serials),
		cmocka_unit_test(places),
		cmocka_unit_test(changed_by_others),
		cmocka_unit_test(damaged),
		cmocka_unit_test(cut_between_registrations),
		cmocka_unit_test(damaged_generations),
		cmocka_unit_test(gone),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(failing),
		cmocka_unit_test(every_operation),
		cmocka_unit_test(every_operation_of_a_load),
	};

	if (argc > 1)
		nseeds = strtoull(argv[1], NULL, 0);
	log_set_sink(-1, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
