/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveconfig_power_test.c: the power is cut at every file operation of a save. What is loaded after
 * that is the old configuration or the new one, whole, with its extras; once saving was reported
 * done it is the new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/log.h"
#include "control/limits.h"
#include "control/saveconfig.h"
#include "control/toy_lio.h"
#include "loop/sim.h"

#define FILE_NAME "/etc/target/saveconfig.json"

struct world {
	struct sim_disk *disk;
	struct loops *loops;
	struct tree *t;
	struct saveconfig *s;
};

static void up(struct world *w, uint64_t seed)
{
	const struct loops_config cfg = { .kind = LOOP_SIM, .nloops = 1, .sim_seed = seed };
	struct errmsg err = { 0 };

	if (loops_new(&cfg, &w->loops, &err))
		fail_msg("%s", err.text);
	sim_attach_disk(w->loops, w->disk);
	assert_int_equal(tree_new(&toy_lio, NULL, &w->t), 0);
	assert_int_equal(saveconfig_new(w->loops, w->t, FILE_NAME, NULL, &w->s), 0);
}

static void down(struct world *w)
{
	saveconfig_free(w->s);
	assert_int_equal(tree_clear(w->t, tree_root(w->t), NULL), 0);
	tree_free(w->t);
	loops_free(w->loops);
}

/* Load; then the number that configuration and extras say, which must be the same. */
static int loaded(struct world *w)
{
	struct problems p;
	struct errmsg err = { 0 };
	struct node *core, *hba, *disk;
	struct strbuf b;
	int number, extra;

	problems_init(&p);
	if (saveconfig_load(w->s, false, &p, &err))
		fail_msg("not loaded: %s", err.text);
	assert_int_equal(p.n, 0);
	problems_done(&p);
	core = tree_lookup(w->t, "/core");
	hba = node_first_child(core);
	assert_non_null(hba);
	disk = node_first_child(hba);
	assert_null(node_next_child(hba, disk));
	strbuf_init(&b);
	number = atoi(node_name(disk) + 1);
	assert_int_equal(tree_get(w->t, disk, "alias", &b, NULL), 0);
	extra = atoi(b.s);
	strbuf_done(&b);
	assert_int_equal(number, extra);
	return number;
}

/* Make the running configuration number n: a disk of that name, and an extra. */
static void configure(struct world *w, int n)
{
	char name[16], alias[16];
	struct node *hba, *disk;

	snprintf(name, sizeof(name), "r%d", n);
	snprintf(alias, sizeof(alias), "%d", n);
	assert_int_equal(tree_clear(w->t, tree_root(w->t), NULL), 0);
	assert_int_equal(tree_mkdir(w->t, tree_lookup(w->t, "/core"), "rd_mcp_0", &hba, NULL), 0);
	assert_int_equal(tree_mkdir(w->t, hba, name, &disk, NULL), 0);
	assert_int_equal(tree_set(w->t, disk, "control", "rd_pages=1", NULL), 0);
	assert_int_equal(tree_set(w->t, disk, "enable", "1", NULL), 0);
	assert_int_equal(tree_set(w->t, disk, "alias", alias, NULL), 0);
}

/*
 * One life: `saves` generations are there, the next save is cut at its nth file operation. True if
 * it was cut, false if the save was over before that.
 */
static bool cut_at(uint64_t seed, int saves, uint64_t nth)
{
	struct world w = { .disk = sim_disk_new(seed * 1000 + nth) };
	struct errmsg err = { 0 };
	bool cut;
	int r, now;

	assert_non_null(w.disk);
	up(&w, seed);
	assert_int_equal(loops_mkdir(w.loops, "/etc", 0755), 0);
	assert_int_equal(loops_mkdir(w.loops, "/etc/target", 0755), 0);
	assert_int_equal(loops_fsync_dir_of(w.loops, "/etc"), 0);
	assert_int_equal(loops_fsync_dir_of(w.loops, "/etc/target"), 0);
	for (int i = 1; i <= saves; i++) {
		configure(&w, i);
		if (saveconfig_save(w.s, false, &err))
			fail_msg("%s", err.text);
	}
	configure(&w, saves + 1);
	sim_power_cut_at(w.loops, sim_file_ops(w.loops) + nth);
	r = saveconfig_save(w.s, false, &err);
	cut = sim_power_is_cut(w.loops);
	assert_true(cut || !r);
	down(&w);

	sim_power_on(w.disk);
	up(&w, seed);
	now = loaded(&w);
	if (now != saves + 1 && (now != saves || !r))
		fail_msg("seed %u cut %u: configuration %d after %d saves, the last one gave %d",
			(unsigned)seed, (unsigned)nth, now, saves, r);
	/* And it can be saved again. */
	configure(&w, 99);
	assert_int_equal(saveconfig_save(w.s, true, &err), 0);
	down(&w);
	up(&w, seed);
	assert_int_equal(loaded(&w), 99);
	down(&w);
	sim_disk_free(w.disk);
	return cut;
}

static void every_operation(void **state)
{
	static const int lives[] = { 1, 2, SAVECONFIG_GENERATIONS + 1 };
	unsigned cuts = 0;

	for (size_t l = 0; l < sizeof(lives) / sizeof(lives[0]); l++) {
		for (uint64_t seed = 1; seed <= 4; seed++) {
			for (uint64_t nth = 1; cut_at(seed, lives[l], nth); nth++)
				cuts++;
		}
	}
	assert_true(cuts > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation),
	};

	/* What is said of damaged files is tested in saveconfig_test.c. */
	log_set_sink(-1, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
