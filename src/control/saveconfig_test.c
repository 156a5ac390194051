/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveconfig_test.c: the file and its generations: what is taken when it is whole, damaged, empty,
 * missing or changed by others, what is refused to be saved, and that nothing is lost unnoticed.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fsutil.h"
#include "base/log.h"
#include "control/limits.h"
#include "control/rpc.h"
#include "control/saveconfig.h"
#include "control/toy_lio.h"

static struct loops *loops;
static struct tree *t;
static struct saveconfig *s;
static char dir[] = "/tmp/ulio-save-XXXXXX", file[64];

static int group_setup(void **state)
{
	const struct loops_config cfg = { .kind = LOOP_AUTO, .nloops = 1 };
	struct errmsg err = { 0 };

	log_set_level(LOG_LEVEL_ERROR);
	assert_non_null(mkdtemp(dir));
	if (loops_new(&cfg, &loops, &err))
		fail_msg("%s", err.text);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int group_teardown(void **state)
{
	loops_free(loops);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void open_config(void)
{
	assert_int_equal(tree_new(&toy_lio, NULL, &t), 0);
	assert_int_equal(saveconfig_new(loops, t, file, NULL, &s), 0);
}

static void close_config(void)
{
	assert_null(saveconfig_free(s));
	assert_int_equal(tree_clear(t, tree_root(t), NULL), 0);
	assert_null(tree_free(t));
}

static int setup(void **state)
{
	static unsigned n;

	toy_refuse = NULL;
	snprintf(file, sizeof(file), "%s/c%u.json", dir, n++);
	open_config();
	return 0;
}

static int teardown(void **state)
{
	close_config();
	return 0;
}

static void write_file(const char *text)
{
	assert_int_equal(file_write_atomic(file, text, strlen(text), 0600), 0);
}

static char *read_file(const char *path)
{
	char *text = NULL;
	size_t n;

	assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
	return text;
}

/* Load, at start or again: the result, and the source that is in force then. */
static void load_as(bool reload, int want, const char *source)
{
	struct problems p;
	struct errmsg err = { 0 };
	json_t *status;
	int r;

	problems_init(&p);
	r = saveconfig_load(s, reload, &p, &err);
	if (r != want)
		fail_msg("%d: %s", r, err.text);
	status = saveconfig_status(s);
	if (strncmp(json_string_value(json_object_get(status, "source")), source, strlen(source)))
		fail_msg("source is %s", json_string_value(json_object_get(status, "source")));
	json_decref(status);
	problems_done(&p);
}

static void save(void)
{
	struct errmsg err = { 0 };

	if (saveconfig_save(s, false, &err))
		fail_msg("%s", err.text);
}

static void load(int want, const char *source)
{
	load_as(false, want, source);
}

#define RAM(name)                                                                                  \
	"{\"storage_objects\":[{\"name\":\"" name "\",\"plugin\":\"ramdisk\",\"size\":4096}]}"

/* Is there a RAM disk of that name? */
static bool has(const char *name)
{
	struct node *core = tree_lookup(t, "/core");

	for (struct node *h = node_first_child(core); h; h = node_next_child(core, h)) {
		if (node_child(h, name))
			return true;
	}
	return false;
}

static void nothing_there(void **state)
{
	load(-ENOENT, "nothing");
	save();
	load(0, "file");
	close_config();
	open_config();
	load(0, "file");
}

static void what_is_written(void **state)
{
	struct stat st;
	char *text, gen[160];

	write_file(RAM("r"));
	load(0, "file");
	save();
	text = read_file(file);
	assert_int_equal(
		strncmp(text, "{\n  \"fabric_modules\": [],\n  \"storage_objects\": [\n", 49), 0);
	assert_string_equal(text + strlen(text) - 4, "]\n}\n");
	free(text);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(gen, sizeof(gen), "%s.ulio", file);
	assert_int_equal(stat(gen, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(gen, sizeof(gen), "%s.ulio/generation-0", file);
	assert_int_equal(stat(gen, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* A file that another program made empty, cut off or removed: the last good one is in force. */
static void damaged(void **state)
{
	static const char *const bad[] = { "", "{\"storage_objects\":[{\"na",
		"{\"storage_objects\":[{\"name\":\"x\"}]}", NULL };

	write_file(RAM("r"));
	load(0, "file");
	save();
	for (int i = 0; bad[i]; i++) {
		write_file(bad[i]);
		close_config();
		open_config();
		load(0, "generation 1 of 20");
		assert_true(has("r"));
	}
	assert_int_equal(unlink(file), 0);
	close_config();
	open_config();
	load(0, "generation 1 of 20");
	assert_true(has("r"));
	save();
	load(0, "file");
}

/* A mistake in the file is no reason to give up what runs. */
static void reload_of_a_bad_file(void **state)
{
	write_file(RAM("r"));
	load(0, "file");
	save();
	assert_int_equal(tree_set(t, tree_lookup(t, "/core/rd_mcp_0/r"), "alias", "x", NULL), 0);
	write_file("{");
	load_as(true, -EINVAL, "file");
	assert_int_equal(unlink(file), 0);
	load_as(true, -ENOENT, "file");
	assert_true(has("r"));
	write_file(RAM("q"));
	load_as(true, 0, "file");
	assert_false(has("r"));
	assert_true(has("q"));
}

static void unusable(void **state)
{
	struct problems p;
	struct errmsg err = { 0 };

	write_file("{\"storage_objects\":[\n}");
	problems_init(&p);
	assert_int_equal(saveconfig_load(s, false, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 2 column 1"));
	problems_done(&p);
}

/* Valid changes by others are taken, extras stay with what they belong to. */
static void changed_by_others(void **state)
{
	struct strbuf b;
	struct node *disk;
	char *text;

	strbuf_init(&b);
	write_file(RAM("r"));
	load(0, "file");
	disk = tree_lookup(t, "/core/rd_mcp_0/r");
	assert_int_equal(tree_set(t, disk, "alias", "mine", NULL), 0);
	save();
	write_file("{\"storage_objects\":[{\"name\":\"r\",\"plugin\":\"ramdisk\",\"size\":4096},"
		   "{\"name\":\"q\",\"plugin\":\"ramdisk\",\"size\":4096}]}");
	close_config();
	open_config();
	load(0, "file");
	assert_true(has("q"));
	assert_int_equal(tree_get(t, tree_lookup(t, "/core/rd_mcp_0/r"), "alias", &b, NULL), 0);
	assert_string_equal(b.s, "mine");

	/* One that was never loaded is kept before it is overwritten. */
	write_file(RAM("theirs"));
	save();
	strbuf_reset(&b);
	strbuf_printf(&b, "%s.ulio/overwritten.json", file);
	text = read_file(b.s);
	assert_string_equal(text, RAM("theirs"));
	free(text);
	strbuf_done(&b);
}

/* A generation that is damaged too is passed over. */
static void damaged_generation(void **state)
{
	char gen[160], *text;

	write_file(RAM("one"));
	load(0, "file");
	save();
	write_file(RAM("two"));
	load(0, "file");
	save();
	write_file("");
	snprintf(gen, sizeof(gen), "%s.ulio/generation-1", file);
	text = read_file(gen);
	text[strlen(text) - 20] ^= 1;
	assert_int_equal(file_write_atomic(gen, text, strlen(text), 0600), 0);
	free(text);
	close_config();
	open_config();
	load(0, "generation 1 of 20");
	assert_true(has("one"));
	assert_int_equal(file_write_atomic(gen, "junk", 4, 0600), 0);
	load(0, "generation 1 of 20");
}

static void ring(void **state)
{
	char name[160];

	for (int i = 0; i < SAVECONFIG_GENERATIONS + 3; i++) {
		snprintf(name, sizeof(name),
			"{\"storage_objects\":[{\"name\":\"r%d\",\"plugin\":\"ramdisk\",\"size\":1}"
			"]}",
			i);
		write_file(name);
		load(0, "file");
		save();
	}
	write_file("");
	load(0, "generation 13 of 20");
	assert_true(has("r12"));
	snprintf(name, sizeof(name), "%s.ulio/generation-%d", file, SAVECONFIG_GENERATIONS);
	assert_int_equal(access(name, F_OK), -1);
}

/* What could not be loaded is not lost by a save. */
static void left_out(void **state)
{
	struct errmsg err = { 0 };
	static const char text[] = "{\"storage_objects\":[{\"name\":\"f\",\"plugin\":\"fileio\","
				   "\"dev\":\"/missing/f\"}]}";
	char *now;

	write_file(text);
	load(0, "file");
	assert_int_equal(saveconfig_save(s, false, &err), -EBUSY);
	assert_non_null(strstr(err.text, "left out 1 parts"));
	now = read_file(file);
	assert_string_equal(now, text);
	free(now);
	assert_int_equal(saveconfig_save(s, true, &err), 0);
	assert_int_equal(saveconfig_save(s, false, &err), 0);
}

static bool changed(void)
{
	json_t *status = saveconfig_status(s);
	bool is = json_is_true(json_object_get(status, "changed"));

	json_decref(status);
	return is;
}

static void tells_changes(void **state)
{
	write_file(RAM("r"));
	load(0, "file");
	assert_false(changed());
	assert_int_equal(tree_set(t, tree_lookup(t, "/core/rd_mcp_0/r"), "alias", "x", NULL), 0);
	assert_true(changed());
	save();
	assert_false(changed());
}

static void checking(void **state)
{
	struct problems p;
	json_t *j = NULL;

	problems_init(&p);
	assert_int_equal(saveconfig_check(file, &p, NULL), -ENOENT);
	problems_done(&p);
	write_file(RAM("r"));
	assert_int_equal(saveconfig_check(file, &p, &j), 0);
	assert_non_null(j);
	json_decref(j);
	write_file("{\"targets\":7}");
	assert_int_equal(saveconfig_check(file, &p, NULL), -EINVAL);
	assert_string_equal(p.list[0].path, "/targets");
	problems_done(&p);
}

/* The methods of the socket. */
static void by_method(void **state)
{
	const struct control_peer peer = { 0, 1 };
	static const char *const lines[] = { "save", "reload", "config.status", NULL };
	struct control *c;
	struct strbuf out;

	strbuf_init(&out);
	assert_int_equal(control_new(t, &c), 0);
	assert_int_equal(saveconfig_add_methods(s, c), 0);
	for (int i = 0; lines[i]; i++) {
		char line[128];

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"}",
			lines[i]);
		strbuf_reset(&out);
		control_handle(c, &peer, line, strlen(line), &out);
		if (!strstr(out.s, "\"generation\":1,"))
			fail_msg("%s", out.s);
	}
	strbuf_done(&out);
	control_free(c);
}

#define with_config(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_config(nothing_there),
		with_config(what_is_written),
		with_config(damaged),
		with_config(reload_of_a_bad_file),
		with_config(unusable),
		with_config(changed_by_others),
		with_config(damaged_generation),
		with_config(ring),
		with_config(left_out),
		with_config(tells_changes),
		with_config(checking),
		with_config(by_method),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
