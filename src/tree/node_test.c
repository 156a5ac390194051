/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_test.c: directories, default groups, links, and configfs's errno for everything that is
 * refused. The toy tree: /disks/NAME{size, attrib/{color}} and /luns/lun_N with one link to a disk.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tree/limits.h"
#include "tree/node.h"

struct disk {
	uint32_t size, color;
	bool exported;
};

struct world {
	struct tree *t;
	unsigned disks, links;
	int refuse; /* the next call of a module's function fails so */
	struct strbuf log; /* what listeners heard */
};

static bool disk_may_set(const struct attr *a, void *obj, struct errmsg *err)
{
	struct disk *d = obj;

	if (d->exported)
		errmsg_set(
			err, -EINVAL, "%s: the disk is exported, remove its LUNs first", a->name);
	return !d->exported;
}

static int secret_get(const struct attr *a, void *obj, struct strbuf *out)
{
	return -EPERM;
}

static const struct attr disk_attrs[] = {
	{ .name = "size",
		.get = attr_get_u32,
		.set = attr_set_u32,
		.may_set = disk_may_set,
		.doc = "Size.",
		.offset = offsetof(struct disk, size) },
	{ .name = "info", .get = attr_get_u32, .doc = "Read only." },
	{ .name = "control", .set = attr_set_u32, .doc = "Write only." },
	{ .name = "secret",
		.get = secret_get,
		.set = attr_set_u32,
		.flags = ATTR_SECRET,
		.doc = "Nobody may read it." },
	ATTR_END,
};

static const struct attr attrib_attrs[] = {
	{ .name = "color",
		.get = attr_get_u32,
		.set = attr_set_u32,
		.doc = "Colour.",
		.offset = offsetof(struct disk, color) },
	ATTR_END,
};

static int alias_rmdir(struct node *n, struct errmsg *err)
{
	return 0;
}

static const struct node_type alias_type = { .name = "alias", .rmdir = alias_rmdir };
static const struct node_type color_type = { .name = "colours", .attrs = attrib_attrs };
static const struct node_default attrib_defaults[] = { { "deep", &color_type, NULL }, { NULL } };

static struct world *world_of(struct node *n)
{
	while (node_parent(n))
		n = node_parent(n);
	return node_obj(n);
}

static int alias_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	*ret = (struct node_new){ &alias_type, node_obj(dir) };
	return 0;
}

static const struct node_type attrib_type = {
	.name = "attributes",
	.attrs = attrib_attrs,
	.defaults = attrib_defaults,
	.mkdir = alias_mkdir,
};
static const struct node_default disk_defaults[] = { { "attrib", &attrib_type, NULL }, { NULL } };

static int disk_rmdir(struct node *n, struct errmsg *err)
{
	struct world *w = world_of(n);

	if (w->refuse)
		return errmsg_set(err, w->refuse, "refused");
	free(node_obj(n));
	w->disks--;
	return 0;
}

static const struct node_type disk_type = {
	.name = "disk",
	.attrs = disk_attrs,
	.defaults = disk_defaults,
	.rmdir = disk_rmdir,
};

static int disks_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct world *w = world_of(dir);

	if (w->refuse)
		return errmsg_set(err, w->refuse, "refused");
	*ret = (struct node_new){ &disk_type, calloc(1, sizeof(struct disk)) };
	w->disks++;
	return ret->obj ? 0 : -ENOMEM;
}

static int lun_rmdir(struct node *n, struct errmsg *err)
{
	return 0;
}

static int lun_link(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	struct world *w = world_of(dir);
	struct disk *d = node_obj(target);

	if (node_type(target) != &disk_type && node_type(target) != &attrib_type)
		return errmsg_set(err, -EFAULT, "%s is no disk", node_name(target));
	d->exported = true;
	w->links++;
	return 0;
}

static int lun_unlink(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	struct world *w = world_of(dir);

	if (w->refuse)
		return errmsg_set(err, w->refuse, "refused");
	((struct disk *)node_obj(target))->exported = false;
	w->links--;
	return 0;
}

static const struct node_type lun_type = {
	.name = "LUN",
	.rmdir = lun_rmdir,
	.link = lun_link,
	.unlink = lun_unlink,
};

static int luns_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	if (strncmp(name, "lun_", 4) != 0)
		return errmsg_set(err, -EINVAL, "%s: lun_N is meant", name);
	*ret = (struct node_new){ &lun_type, NULL };
	return 0;
}

static const struct node_type disks_type = { .name = "disks", .mkdir = disks_mkdir };
static const struct node_type luns_type = { .name = "LUNs", .mkdir = luns_mkdir };
static const struct node_default root_defaults[] = {
	{ "disks", &disks_type, NULL },
	{ "luns", &luns_type, NULL },
	{ NULL },
};
static const struct node_type root_type = { .name = "root", .defaults = root_defaults };

static void listen_log(void *arg, enum tree_event ev, struct node *dir, const char *name)
{
	struct world *w = arg;

	strbuf_putc(&w->log, "+-<>="[ev]);
	node_path(dir, &w->log);
	strbuf_printf(&w->log, ":%s ", name);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	strbuf_init(&w->log);
	assert_int_equal(tree_new(&root_type, w, &w->t), 0);
	assert_int_equal(tree_listen(w->t, listen_log, w), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->refuse = 0;
	assert_int_equal(tree_clear(w->t, tree_root(w->t), NULL), 0);
	assert_int_equal(w->disks, 0);
	assert_int_equal(w->links, 0);
	assert_null(tree_free(w->t));
	strbuf_done(&w->log);
	free(w);
	return 0;
}

static struct node *make(struct world *w, const char *dir, const char *name)
{
	struct node *n = NULL;
	struct errmsg err = { 0 };

	if (tree_mkdir(w->t, tree_lookup(w->t, dir), name, &n, &err))
		fail_msg("%s/%s: %s", dir, name, err.text);
	return n;
}

static void mkdir_rules(void **state)
{
	struct world *w = *state;
	struct node *disks = tree_lookup(w->t, "/disks"), *n = NULL;
	struct errmsg err = { 0 };
	char longest[TREE_NAME_MAX + 2];
	static const char *const bad[] = { "", ".", "..", "a/b", "a\nb", "\xc3", "\xc0\x80",
		"a\x7f", "\xed\xa0\x80", NULL };

	assert_non_null(disks);
	assert_true(node_is_default(disks));
	make(w, "/disks", "d0");
	assert_int_equal(tree_mkdir(w->t, disks, "d0", &n, &err), -EEXIST);
	for (unsigned i = 0; bad[i]; i++)
		assert_int_equal(tree_mkdir(w->t, disks, bad[i], &n, &err), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[TREE_NAME_MAX + 1] = '\0';
	assert_int_equal(tree_mkdir(w->t, disks, longest, &n, &err), -ENAMETOOLONG);
	longest[TREE_NAME_MAX] = '\0';
	assert_int_equal(tree_mkdir(w->t, disks, longest, &n, &err), 0);
	make(w, "/disks", "d\xc3\xa9 \xf0\x9f\x92\xbe");

	/* No make function, names of defaults and attributes, the module's own refusal. */
	assert_int_equal(tree_mkdir(w->t, tree_root(w->t), "x", &n, &err), -EPERM);
	assert_int_equal(tree_mkdir(w->t, tree_root(w->t), "luns", &n, &err), -EEXIST);
	assert_int_equal(
		tree_mkdir(w->t, tree_lookup(w->t, "/disks/d0"), "size", &n, &err), -EEXIST);
	assert_int_equal(tree_mkdir(w->t, tree_lookup(w->t, "/luns"), "x", &n, &err), -EINVAL);
	assert_string_equal(err.text, "x: lun_N is meant");
	w->refuse = -ENOSPC;
	assert_int_equal(tree_mkdir(w->t, disks, "d1", &n, &err), -ENOSPC);
	assert_null(tree_lookup(w->t, "/disks/d1"));
	assert_int_equal(w->disks, 3);
}

static void rmdir_rules(void **state)
{
	struct world *w = *state;
	struct errmsg err = { 0 };
	struct node *d0 = make(w, "/disks", "d0");
	struct node *attrib = tree_lookup(w->t, "/disks/d0/attrib");
	struct node *lun = make(w, "/luns", "lun_0");

	assert_int_equal(tree_rmdir(w->t, tree_root(w->t), &err), -EPERM);
	assert_int_equal(tree_rmdir(w->t, attrib, &err), -EPERM);

	/* A user-made directory inside of a default group. */
	make(w, "/disks/d0/attrib", "alias");
	assert_int_equal(tree_rmdir(w->t, d0, &err), -ENOTEMPTY);
	assert_string_equal(err.text, "d0: holds alias, remove that first");

	/* EBUSY comes before ENOTEMPTY, and counts for a target inside of a default group too. */
	assert_int_equal(tree_link(w->t, lun, "l", attrib, &err), 0);
	assert_int_equal(tree_rmdir(w->t, d0, &err), -EBUSY);
	assert_string_equal(err.text, "d0: in use by /luns/lun_0/l, remove that link first");
	assert_int_equal(tree_rmdir(w->t, lun, &err), -ENOTEMPTY);
	assert_int_equal(tree_unlink(w->t, lun, "l", &err), 0);
	assert_int_equal(tree_rmdir(w->t, lun, &err), 0);

	assert_int_equal(tree_rmdir(w->t, tree_lookup(w->t, "/disks/d0/attrib/alias"), &err), 0);
	assert_int_equal(tree_rmdir(w->t, d0, &err), 0);
}

static void rmdir_frees(void **state)
{
	struct world *w = *state;
	struct errmsg err = { 0 };
	struct node *d0 = make(w, "/disks", "d0");

	assert_non_null(tree_lookup(w->t, "/disks/d0/attrib/deep"));
	w->refuse = -EBUSY;
	assert_int_equal(tree_rmdir(w->t, d0, &err), -EBUSY);
	assert_ptr_equal(tree_lookup(w->t, "/disks/d0"), d0);
	w->refuse = 0;
	assert_int_equal(tree_rmdir(w->t, d0, &err), 0);
	assert_null(tree_lookup(w->t, "/disks/d0"));
	assert_int_equal(w->disks, 0);
	make(w, "/disks", "d0");
}

static void links(void **state)
{
	struct world *w = *state;
	struct errmsg err = { 0 };
	struct node *d0 = make(w, "/disks", "d0"), *lun = make(w, "/luns", "lun_0");
	struct node_link l;

	assert_int_equal(tree_link(w->t, tree_lookup(w->t, "/luns"), "l", d0, &err), -EPERM);
	assert_int_equal(tree_link(w->t, lun, "l", lun, &err), -EFAULT);
	assert_false(node_link_at(lun, 0, &l));
	assert_int_equal(tree_link(w->t, lun, "l", d0, &err), 0);
	assert_int_equal(tree_link(w->t, lun, "l", d0, &err), -EEXIST);
	assert_int_equal(tree_link(w->t, lun, "a/b", d0, &err), -EINVAL);
	assert_int_equal(tree_link(w->t, lun, "m", d0, &err), 0);
	assert_true(node_link_at(lun, 0, &l));
	assert_string_equal(l.name, "l");
	assert_ptr_equal(l.target, d0);
	assert_true(node_link_at(lun, 1, &l));
	assert_string_equal(l.name, "m");

	/* Paths lead through links. */
	assert_ptr_equal(tree_lookup(w->t, "/luns/lun_0/l"), d0);
	assert_ptr_equal(tree_lookup(w->t, "//luns/lun_0/m/attrib/"), node_child(d0, "attrib"));
	assert_null(tree_lookup(w->t, "/luns/lun_0/n"));

	assert_int_equal(tree_unlink(w->t, lun, "n", &err), -ENOENT);
	assert_int_equal(tree_unlink(w->t, d0, "size", &err), -EPERM);
	assert_int_equal(tree_unlink(w->t, d0, "attrib", &err), -EPERM);
	w->refuse = -EBUSY;
	assert_int_equal(tree_unlink(w->t, lun, "l", &err), -EBUSY);
	assert_true(node_link_at(lun, 0, &l));
	w->refuse = 0;
	assert_int_equal(tree_unlink(w->t, lun, "l", &err), 0);
	assert_true(node_link_at(lun, 0, &l));
	assert_string_equal(l.name, "m");
	assert_int_equal(tree_rmdir(w->t, d0, &err), -EBUSY);
	assert_int_equal(tree_unlink(w->t, lun, "m", &err), 0);
	assert_int_equal(tree_rmdir(w->t, d0, &err), 0);
	assert_int_equal(w->links, 0);
}

static void attributes(void **state)
{
	struct world *w = *state;
	struct errmsg err = { 0 };
	struct node *d0 = make(w, "/disks", "d0");
	struct strbuf b;
	char huge[TREE_VALUE_MAX + 3];

	strbuf_init(&b);
	assert_int_equal(tree_set(w->t, d0, "size", "512\n", &err), 0);
	assert_int_equal(tree_get(w->t, d0, "size", &b, &err), 0);
	assert_string_equal(b.s, "512");
	assert_int_equal(tree_set(w->t, d0, "size", "512\n\n", &err), -EINVAL);
	assert_int_equal(tree_set(w->t, d0, "sise", "1", &err), -ENOENT);
	assert_int_equal(tree_get(w->t, d0, "sise", &b, &err), -ENOENT);
	assert_int_equal(tree_set(w->t, d0, "info", "1", &err), -EACCES);
	assert_int_equal(tree_get(w->t, d0, "control", &b, &err), -EACCES);
	assert_int_equal(tree_get(w->t, d0, "secret", &b, &err), -EPERM);
	assert_int_equal(err.code, -EPERM);
	/* A secret is not repeated in an error, not even by a function that does. */
	assert_int_equal(tree_set(w->t, d0, "secret", "hunter2", &err), -EINVAL);
	assert_string_equal(err.text, "secret: the value is refused (Invalid argument)");
	memset(huge, '1', sizeof(huge));
	huge[TREE_VALUE_MAX + 2] = '\0';
	assert_int_equal(tree_set(w->t, d0, "size", huge, &err), -EINVAL);

	((struct disk *)node_obj(d0))->exported = true;
	assert_int_equal(tree_set(w->t, d0, "size", "4096", &err), -EINVAL);
	assert_string_equal(err.text, "size: the disk is exported, remove its LUNs first");
	assert_int_equal(((struct disk *)node_obj(d0))->size, 512);
	strbuf_done(&b);
}

static void order_and_paths(void **state)
{
	struct world *w = *state;
	struct node *disks = tree_lookup(w->t, "/disks"), *n, *root = tree_root(w->t);
	struct strbuf b;

	strbuf_init(&b);
	make(w, "/disks", "z");
	make(w, "/disks", "a");
	make(w, "/disks", "m");
	assert_int_equal(tree_rmdir(w->t, node_child(disks, "a"), NULL), 0);
	make(w, "/disks", "a");
	for (n = node_first_child(disks); n; n = node_next_child(disks, n))
		strbuf_puts(&b, node_name(n));
	strbuf_putc(&b, ' ');
	for (n = node_first_child(root); n; n = node_next_child(root, n))
		strbuf_puts(&b, node_name(n));
	strbuf_putc(&b, ' ');
	n = tree_lookup(w->t, "/disks/m/attrib/deep");
	node_path(n, &b);
	strbuf_putc(&b, ' ');
	node_path(root, &b);
	assert_string_equal(b.s, "zma disksluns /disks/m/attrib/deep /");
	assert_ptr_equal(node_up(n, &disk_type), node_child(disks, "m"));
	assert_null(node_up(n, &lun_type));
	assert_ptr_equal(node_obj(n), node_obj(node_child(disks, "m")));
	assert_null(node_first_child(tree_lookup(w->t, "/luns")));
	strbuf_done(&b);
}

static void listeners(void **state)
{
	struct world *w = *state;
	struct node *d0 = make(w, "/disks", "d0"), *lun = make(w, "/luns", "lun_0");

	assert_int_equal(tree_link(w->t, lun, "l", d0, NULL), 0);
	assert_int_equal(tree_set(w->t, node_child(d0, "attrib"), "color", "3", NULL), 0);
	assert_int_equal(tree_set(w->t, node_child(d0, "attrib"), "color", "x", NULL), -EINVAL);
	assert_int_equal(tree_clear(w->t, tree_root(w->t), NULL), 0);
	assert_string_equal(w->log.s, "+/disks:d0 +/luns:lun_0 </luns/lun_0:l "
				      "=/disks/d0/attrib:color >/luns/lun_0:l -/luns:lun_0 "
				      "-/disks:d0 ");
	strbuf_reset(&w->log);
	tree_unlisten(w->t, listen_log, w);
	make(w, "/disks", "d0");
	assert_string_equal(w->log.s, "");
}

static void clear_stops(void **state)
{
	struct world *w = *state;
	struct node *d0 = make(w, "/disks", "d0"), *lun = make(w, "/luns", "lun_0");
	struct errmsg err = { 0 };

	/* A link from outside keeps its target. */
	assert_int_equal(tree_link(w->t, lun, "l", d0, NULL), 0);
	assert_int_equal(tree_clear(w->t, tree_lookup(w->t, "/disks"), &err), -EBUSY);
	assert_ptr_equal(tree_lookup(w->t, "/disks/d0"), d0);
	w->refuse = -EIO;
	assert_int_equal(tree_clear(w->t, tree_root(w->t), &err), -EIO);
	w->refuse = 0;
	assert_int_equal(tree_clear(w->t, tree_lookup(w->t, "/luns"), &err), 0);
	assert_int_equal(tree_clear(w->t, tree_lookup(w->t, "/disks"), &err), 0);
	assert_int_equal(w->disks, 0);
}

/* Ten thousand side by side: all are found, and removing from the middle keeps the rest. */
static void many(void **state)
{
	struct world *w = *state;
	struct node *disks = tree_lookup(w->t, "/disks");
	char name[32];
	unsigned n = 0;

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		make(w, "/disks", name);
	}
	for (int i = 0; i < 10000; i += 2) {
		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(tree_rmdir(w->t, node_child(disks, name), NULL), 0);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		if (!node_child(disks, name) != !(i & 1))
			fail_msg("%s", name);
	}
	for (struct node *c = node_first_child(disks); c; c = node_next_child(disks, c))
		n++;
	assert_int_equal(n, 5000);
}

/* Numbers of nodes and links: unique, found again, and never given twice. */
static void ids(void **state)
{
	struct world *w = *state;
	struct node *lun = make(w, "/luns", "lun_0"), *d0 = make(w, "/disks", "d0");
	struct node *disks = tree_lookup(w->t, "/disks");
	uint64_t gone = node_id(d0), link;
	struct node_link l;
	unsigned n = node_nchildren(disks);

	assert_int_equal(node_id(tree_root(w->t)), 1);
	assert_ptr_equal(tree_node_by_id(w->t, gone), d0);
	assert_null(tree_node_by_id(w->t, 0));
	assert_int_equal(tree_link(w->t, lun, "l", d0, NULL), 0);
	assert_true(node_link_at(lun, 0, &l));
	link = l.id;
	assert_null(tree_node_by_id(w->t, link));
	assert_int_equal(tree_unlink(w->t, lun, "l", NULL), 0);
	assert_int_equal(tree_link(w->t, lun, "l", d0, NULL), 0);
	assert_true(node_link_at(lun, 0, &l));
	assert_int_not_equal(l.id, link);
	assert_int_equal(tree_unlink(w->t, lun, "l", NULL), 0);
	assert_int_equal(tree_rmdir(w->t, d0, NULL), 0);
	assert_null(tree_node_by_id(w->t, gone));
	assert_int_equal(node_nchildren(disks), n - 1);
	d0 = make(w, "/disks", "d0");
	assert_int_not_equal(node_id(d0), gone);
	/* What was refused leaves nothing behind. */
	assert_int_equal(tree_mkdir(w->t, disks, "d0", NULL, NULL), -EEXIST);
	for (uint64_t id = gone; id < gone + 100; id++) {
		struct node *at = tree_node_by_id(w->t, id);

		assert_true(!at || node_type(at));
	}
	/* Default groups, and more than the first table has places for. */
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];
		struct node *c;

		snprintf(name, sizeof(name), "many%u", i);
		c = make(w, "/disks", name);
		assert_ptr_equal(tree_node_by_id(w->t, node_id(c)), c);
		for (struct node *def = node_first_child(c); def; def = node_next_child(c, def))
			assert_ptr_equal(tree_node_by_id(w->t, node_id(def)), def);
	}
	assert_int_equal(node_nchildren(disks), n + 1000);
}

struct visit {
	struct tree *t;
	unsigned *in;
};

static void *visit(void *arg)
{
	struct visit *v = arg;

	for (int i = 0; i < 10000; i++) {
		tree_enter(v->t);
		assert_int_equal((*v->in)++, 0);
		(*v->in)--;
		tree_leave(v->t);
	}
	return NULL;
}

static void one_at_a_time(void **state)
{
	struct world *w = *state;
	unsigned in = 0;
	struct visit v = { w->t, &in };
	pthread_t th[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&th[i], NULL, visit, &v), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(th[i], NULL), 0);
}

/* Frees what is left when the objects were taken down without the tree. */
static void free_with_content(void **state)
{
	struct world w = { 0 };
	struct node *d0, *lun;
	void *obj;

	assert_int_equal(tree_new(&root_type, &w, &w.t), 0);
	d0 = make(&w, "/disks", "d0");
	lun = make(&w, "/luns", "lun_0");
	assert_int_equal(tree_link(w.t, lun, "l", d0, NULL), 0);
	obj = node_obj(d0);
	tree_free(w.t);
	free(obj);
	assert_null(tree_free(NULL));
}

#define with_world(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_world(mkdir_rules),
		with_world(rmdir_rules),
		with_world(rmdir_frees),
		with_world(links),
		with_world(attributes),
		with_world(order_and_paths),
		with_world(listeners),
		with_world(clear_stops),
		with_world(many),
		with_world(ids),
		with_world(one_at_a_time),
		cmocka_unit_test(free_with_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
