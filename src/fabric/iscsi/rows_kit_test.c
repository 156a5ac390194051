/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_kit_test.c: see rows_testkit.h. */
#include "fabric/iscsi/rows_testkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backstore/builtin.h"
#include "block/backstore.h"
#include "engine/engine.h"
#include "engine/lu.h"
#include "engine/storage.h"
#include "fabric/iscsi/rows.h"

static struct loops *loops;
static struct backstore_registry *reg;
static struct engine *eng;
static struct storage_core *core;
struct entity *entity;
struct tree *t;

static void *core_obj(void *root)
{
	return core;
}

static int root_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	if (strcmp(name, "iscsi") != 0)
		return errmsg_set(err, -EINVAL, "%s: no such fabric", name);
	*ret = (struct node_new){ &entity_type, entity };
	return 0;
}

static const struct node_default root_defaults[] = { { "core", &storage_core_type, core_obj },
	{ NULL } };
static const struct node_type root_type = {
	.name = "root", .defaults = root_defaults, .mkdir = root_mkdir
};

/* ---- helpers: everything by path ------------------------------------------------------------- */

struct node *at(const char *path)
{
	struct node *n = tree_lookup(t, path);

	if (!n)
		fail_msg("%s is not there", path);
	return n;
}

/* Cut at the last '/'. */
static const char *split(const char *path, char *dir, size_t cap)
{
	const char *slash = strrchr(path, '/');

	snprintf(dir, cap, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return slash + 1;
}

int try_mkdir(const char *path)
{
	struct errmsg err = { 0 };
	struct node *n = NULL;
	char dir[512];
	const char *name = split(path, dir, sizeof(dir));
	int r = tree_mkdir(t, at(dir), name, &n, &err);

	if (r && (err.code != r || !err.text[0]))
		fail_msg("mkdir %s: %d, but says %d \"%s\"", path, r, err.code, err.text);
	return r;
}

int try_rmdir(const char *path)
{
	struct errmsg err = { 0 };

	return tree_rmdir(t, at(path), &err);
}

int try_link(const char *path, const char *target)
{
	struct errmsg err = { 0 };
	char dir[512];
	const char *name = split(path, dir, sizeof(dir));

	return tree_link(t, at(dir), name, at(target), &err);
}

int try_unlink(const char *path)
{
	struct errmsg err = { 0 };
	char dir[512];
	const char *name = split(path, dir, sizeof(dir));

	return tree_unlink(t, at(dir), name, &err);
}

int try_set(const char *path, const char *value)
{
	struct errmsg err = { 0 };
	char dir[512];
	const char *name = split(path, dir, sizeof(dir));
	int r = tree_set(t, at(dir), name, value, &err);

	if (r && (err.code != r || !err.text[0]))
		fail_msg("%s=%s: %d, but says %d \"%s\"", path, value, r, err.code, err.text);
	return r;
}

void ok(int r, const char *what)
{
	if (r)
		fail_msg("%s: %s", what, strerror(-r));
}

int get(const char *path, struct strbuf *b)
{
	struct errmsg err = { 0 };
	char dir[512];
	const char *name = split(path, dir, sizeof(dir));

	strbuf_reset(b);
	return tree_get(t, at(dir), name, b, &err);
}

void is(const char *path, const char *want)
{
	struct strbuf b;
	int r;

	strbuf_init(&b);
	r = get(path, &b);
	if (r || strcmp(b.s, want) != 0)
		fail_msg("%s: %d \"%s\", not \"%s\"", path, r, b.s, want);
	strbuf_done(&b);
}

int get_error(const char *path)
{
	struct strbuf b;
	int r;

	strbuf_init(&b);
	r = get(path, &b);
	strbuf_done(&b);
	return r;
}

/* ---- the bench ------------------------------------------------------------------------------- */

static int setup_kind(enum loop_kind kind)
{
	const struct loops_config cfg = { .kind = kind, .nloops = 2, .sim_seed = 7 };
	struct errmsg err = { 0 };

	if (loops_new(&cfg, &loops, &err))
		fail_msg("%s", err.text);
	reg = backstore_registry_new(loops);
	assert_int_equal(backstores_register(reg), 0);
	eng = engine_new(loops);
	core = storage_core_new(eng, reg);
	assert_int_equal(entity_new(eng, &entity), 0);
	assert_int_equal(tree_new(&root_type, NULL, &t), 0);
	MKDIR("/core/rd_mcp_0");
	MKDIR(DISK);
	SET(DISK "/control", "rd_pages=256");
	SET(DISK "/enable", "1");
	MKDIR("/iscsi");
	MKDIR("/iscsi/" IQN);
	MKDIR(TPG);
	return 0;
}

int setup(void **state)
{
	return setup_kind(LOOP_AUTO);
}

int setup_sim(void **state)
{
	return setup_kind(LOOP_SIM);
}

int teardown(void **state)
{
	struct errmsg err = { 0 };

	if (tree_clear(t, tree_root(t), &err))
		fail_msg("%s", err.text);
	assert_int_equal(entity_stop(entity, UINT64_C(10000000000)), 0);
	tree_free(t);
	entity_free(entity);
	storage_core_free(core);
	engine_free(eng);
	backstore_registry_free(reg);
	loops_free(loops);
	return 0;
}
