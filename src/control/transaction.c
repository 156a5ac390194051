/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transaction.c: several operations on the tree, all or nothing. Each that is done is noted with
 * what undoes it; when one fails they are undone, the youngest first.
 *
 * mkdir, link and unlink undo each other; a value is set back to what it was. A directory that is
 * removed is made again with its values; a storage object from what is saved of it. A value that
 * cannot be read can be set only in what the same transaction has made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/limits.h"
#include "control/rpc.h"
#include "control/saveapply.h"
#include "control/savedump.h"

/* What undoes one operation. Paths, since nodes come and go. */
struct undo {
	int (*fn)(struct control_call *call, const struct undo *u, struct errmsg *err);
	char *dir, *name; /* the entry */
	char *text; /* old value, path of the old target */
	json_t *kept; /* of a removed directory */
};

struct transaction {
	struct control_call *call;
	struct undo *undo;
	size_t n, cap;
	json_t *made; /* set of paths of directories */
};

static struct tree *tree_of(const struct control_call *call)
{
	return control_tree(call->control);
}

static char *path_of(const struct node *n)
{
	struct strbuf b;

	strbuf_init(&b);
	node_path(n, &b);
	return strbuf_steal(&b);
}

static void wipe_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

/* ---- undoing --------------------------------------------------------------------------------- */

static int undo_mkdir(struct control_call *call, const struct undo *u, struct errmsg *err)
{
	struct node *dir = tree_lookup(tree_of(call), u->dir);
	struct node *n = dir ? node_child(dir, u->name) : NULL;
	int r = n ? tree_clear(tree_of(call), n, err) : 0;

	return r || !n ? r : tree_rmdir(tree_of(call), n, err);
}

static int undo_set(struct control_call *call, const struct undo *u, struct errmsg *err)
{
	struct node *dir = tree_lookup(tree_of(call), u->dir);

	if (!dir)
		return errmsg_set(err, -ENOENT, "%s has gone", u->dir);
	return tree_set(tree_of(call), dir, u->name, u->text, err);
}

static int undo_link(struct control_call *call, const struct undo *u, struct errmsg *err)
{
	struct node *dir = tree_lookup(tree_of(call), u->dir);

	return dir ? tree_unlink(tree_of(call), dir, u->name, err) : 0;
}

static int undo_unlink(struct control_call *call, const struct undo *u, struct errmsg *err)
{
	struct node *dir = tree_lookup(tree_of(call), u->dir);
	struct node *target = tree_lookup(tree_of(call), u->text);

	if (!dir || !target)
		return errmsg_set(err, -ENOENT, "%s has gone", dir ? u->text : u->dir);
	return tree_link(tree_of(call), dir, u->name, target, err);
}

/* Values of a directory and its default groups: {"attrs": {…}, "dirs": {…}}. */
static json_t *keep_values(struct tree *t, struct node *n)
{
	json_t *attrs = json_object(), *dirs = json_object();
	const struct attr *a;
	struct strbuf b;

	strbuf_init(&b);
	attr_for_each (a, node_type(n)->attrs) {
		strbuf_reset(&b);
		if (a->get && a->set && !tree_get(t, n, a->name, &b, NULL))
			json_object_set_new(attrs, a->name, json_text(b.s));
	}
	savedump_forget(&b);
	for (struct node *c = node_first_child(n); c && node_is_default(c);
		c = node_next_child(n, c))
		json_object_set_new(dirs, node_name(c), keep_values(t, c));
	return json_pack("{s:o, s:o}", "attrs", attrs, "dirs", dirs);
}

/*
 * Default groups first: who may log in before a portal group is enabled. A value that cannot be
 * set as it is (it is what it is by itself) and differs is the first error.
 */
static int put_values(struct tree *t, struct node *n, const json_t *kept, struct errmsg *err)
{
	const char *key;
	json_t *v;
	struct strbuf b;
	int r = 0;

	json_object_foreach (json_object_get(kept, "dirs"), key, v) {
		struct node *c = node_child(n, key);

		if (c && !r)
			r = put_values(t, c, v, err);
	}
	strbuf_init(&b);
	json_object_foreach (json_object_get(kept, "attrs"), key, v) {
		strbuf_reset(&b);
		if (!r && (tree_get(t, n, key, &b, NULL) || strcmp(b.s, json_string_value(v)) != 0))
			r = tree_set(t, n, key, json_string_value(v), err);
	}
	savedump_forget(&b);
	return r;
}

static int undo_rmdir(struct control_call *call, const struct undo *u, struct errmsg *err)
{
	struct node *dir = tree_lookup(tree_of(call), u->dir), *n = NULL;
	int r;

	if (!dir)
		return errmsg_set(err, -ENOENT, "%s has gone", u->dir);
	r = tree_mkdir(tree_of(call), dir, u->name, &n, err);
	return r ? r : put_values(tree_of(call), n, u->kept, err);
}

/* A storage object, from what is saved of it. */
static int undo_rmdir_disk(struct control_call *call, const struct undo *u, struct errmsg *err)
{
	struct node *hba = tree_lookup(tree_of(call), u->dir);
	struct problems p;
	int r;

	if (!hba)
		return errmsg_set(err, -ENOENT, "%s has gone", u->dir);
	problems_init(&p);
	r = saveapply_disk(tree_of(call), hba, json_object_get(u->kept, "disk"),
		json_object_get(u->kept, "extras"), &p);
	if (!r && p.counts[PROBLEM_SKIPPED])
		r = errmsg_set(err, -EIO, "%s/%s: %s", u->dir, u->name, p.list[0].text);
	problems_done(&p);
	return r;
}

static void undo_done(struct undo *u)
{
	free(u->dir);
	free(u->name);
	wipe_free(u->text);
	json_decref(u->kept);
}

/* Undo all; how many could not be, the first of them in *err. */
static unsigned undo_all(struct transaction *t, struct errmsg *err)
{
	unsigned failed = 0;

	while (t->n) {
		struct undo *u = &t->undo[--t->n];
		struct errmsg own = { 0 };

		if (u->fn(t->call, u, &own) && !failed++)
			errmsg_set(err, own.code, "%s/%s: %s", u->dir, u->name, own.text);
		undo_done(u);
	}
	return failed;
}

/* A place for the next one, before it is done. NULL: out of memory. */
static struct undo *new_undo(struct transaction *t, struct node *dir, const char *name)
{
	struct undo *u;

	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;

		u = realloc(t->undo, cap * sizeof(*u));
		if (!u)
			return NULL;
		t->undo = u;
		t->cap = cap;
	}
	u = &t->undo[t->n];
	*u = (struct undo){ .dir = path_of(dir), .name = strdup(name) };
	if (!u->dir || !u->name) {
		undo_done(u);
		return NULL;
	}
	return u;
}

/* ---- operations ------------------------------------------------------------------------------ */

static bool is_made_here(const struct transaction *t, const char *path)
{
	char *part = strdup(path), *slash;
	bool found = false;

	while (part && !(found = json_object_get(t->made, part)) && (slash = strrchr(part, '/')))
		*slash = '\0';
	free(part);
	return found;
}

static int do_mkdir(struct transaction *t, struct undo *u, struct node *dir, const json_t *op)
{
	char *path;
	struct node *n;
	int r = tree_mkdir(tree_of(t->call), dir, u->name, &n, &t->call->err);

	u->fn = undo_mkdir;
	path = r ? NULL : path_of(n);
	if (path)
		json_object_set_new(t->made, path, json_true());
	free(path);
	return r;
}

static int keep_disk(struct transaction *t, struct undo *u, struct node *n)
{
	json_t *config, *extras, *own = json_object(), *v;
	struct strbuf key;
	const char *k;
	int r;

	/* Only what is saved beside needs the whole; a storage object is rarely removed. */
	r = savedump(tree_of(t->call), &config, &extras);
	if (r)
		return r;
	json_decref(config);
	strbuf_init(&key);
	savedump_disk_key(n, &key);
	json_object_foreach (extras, k, v) {
		if (!strncmp(k, key.s, key.len) && (!k[key.len] || k[key.len] == '/'))
			json_object_set(own, k, v);
	}
	json_decref(extras);
	strbuf_done(&key);
	u->kept =
		json_pack("{s:o, s:o}", "disk", savedump_disk(tree_of(t->call), n), "extras", own);
	u->fn = undo_rmdir_disk;
	return u->kept ? 0 : -ENOMEM;
}

static int do_rmdir(struct transaction *t, struct undo *u, struct node *dir, const json_t *op)
{
	struct node *n = node_child(dir, u->name);
	struct strbuf key;
	bool is_disk;
	int r = 0;

	if (!n)
		return call_fail(t->call, -ENOENT, "%s: there is no such directory", u->name);
	strbuf_init(&key);
	is_disk = savedump_disk_key(n, &key);
	strbuf_done(&key);
	if (is_disk) {
		r = keep_disk(t, u, n);
	} else {
		u->kept = keep_values(tree_of(t->call), n);
		u->fn = undo_rmdir;
	}
	return r ? r : tree_rmdir(tree_of(t->call), n, &t->call->err);
}

static int do_set(struct transaction *t, struct undo *u, struct node *dir, const json_t *op)
{
	const char *value = json_string_value(json_object_get(op, "value"));
	const struct attr *a = node_attr(dir, u->name);
	struct strbuf b;
	bool known;

	if (!value)
		return call_fail(t->call, -EINVAL, "%s: \"value\" is missing: a string", u->name);
	u->fn = undo_set;
	if (is_made_here(t, u->dir)) {
		u->fn = NULL; /* goes with its directory */
	} else if (a) {
		strbuf_init(&b);
		known = a->get && !tree_get(tree_of(t->call), dir, u->name, &b, NULL);
		u->text = strbuf_steal(&b);
		if (!known || !u->text)
			return call_fail(t->call, -EPERM,
				"%s: its value cannot be read, so setting it could not be undone: "
				"set it outside of a transaction",
				u->name);
	}
	return tree_set(tree_of(t->call), dir, u->name, value, &t->call->err);
}

static int do_link(struct transaction *t, struct undo *u, struct node *dir, const json_t *op)
{
	const char *path = json_string_value(json_object_get(op, "target"));
	struct node *target = path ? tree_lookup(tree_of(t->call), path) : NULL;

	if (!target)
		return call_fail(t->call, -ENOENT, "%s: \"target\": there is no directory %s",
			u->name, path ? path : "");
	u->fn = undo_link;
	return tree_link(tree_of(t->call), dir, u->name, target, &t->call->err);
}

static int do_unlink(struct transaction *t, struct undo *u, struct node *dir, const json_t *op)
{
	struct node_link l;

	for (unsigned i = 0; node_link_at(dir, i, &l); i++) {
		if (!strcmp(l.name, u->name)) {
			u->text = path_of(l.target);
			if (!u->text)
				return -ENOMEM;
		}
	}
	u->fn = undo_unlink;
	return tree_unlink(tree_of(t->call), dir, u->name, &t->call->err);
}

static const struct {
	const char *op;
	int (*fn)(struct transaction *t, struct undo *u, struct node *dir, const json_t *op);
} kinds[] = {
	{ "mkdir", do_mkdir },
	{ "rmdir", do_rmdir },
	{ "set", do_set },
	{ "link", do_link },
	{ "unlink", do_unlink },
};

/* One operation; what undoes it is noted if it was done. */
static int run(struct transaction *t, const json_t *op)
{
	const char *word = json_string_value(json_object_get(op, "op"));
	const char *path = json_string_value(json_object_get(op, "path"));
	char name[TREE_NAME_MAX + 1];
	struct node *dir;
	uint64_t id;
	struct undo *u;
	size_t k = 0;
	int r = 0;

	while (word && k < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[k].op, word) != 0)
		k++;
	if (!word || k == sizeof(kinds) / sizeof(kinds[0]))
		return call_fail(t->call, -EINVAL,
			"\"op\" %s: mkdir, rmdir, set, link or unlink is meant", word ? word : "");
	if (!path)
		return call_fail(t->call, -EINVAL, "%s: \"path\" is missing: a string", word);
	dir = call_entry(t->call, path, name, &r);
	if (!dir)
		return r;
	id = node_id(dir);
	u = new_undo(t, dir, name);
	if (!u)
		return call_fail(t->call, -ENOMEM, "%s: out of memory", name);
	r = kinds[k].fn(t, u, dir, op);
	if (!r && u->fn)
		t->n++;
	else
		undo_done(u);
	return call_finish(t->call, id, name, r);
}

static int method_transaction(void *arg, struct control_call *call)
{
	json_t *ops = json_object_get(call->params, "ops"), *op;
	struct transaction t = { .call = call, .made = json_object() };
	struct errmsg err = { 0 };
	unsigned failed;
	size_t i;
	int r = 0;

	json_array_foreach (ops, i, op) {
		r = run(&t, op);
		if (r)
			break;
	}
	if (r) {
		failed = undo_all(&t, &err);
		if (!call->err.code)
			call_fail(call, r, "%s", err_text(r));
		call->error_data = json_pack("{s:I, s:b}", "op", (json_int_t)i, "undone", !failed);
		if (failed)
			errmsg_set(&call->err, r,
				"%.400s; and %u operations could not be undone, "
				"the first: %.400s",
				call->err.text, failed, err.text);
	} else {
		call->result = json_pack("{s:I}", "done", (json_int_t)json_array_size(ops));
	}
	while (t.n)
		undo_done(&t.undo[--t.n]);
	free(t.undo);
	json_decref(t.made);
	return r;
}

const struct control_method control_transaction_methods[] = {
	{ .name = "transaction",
		.doc = "Several changes of the tree, all or nothing: one that fails undoes those "
		       "before it. (The data of a RAM disk that was removed are gone.)",
		.fn = method_transaction,
		.changes = true,
		.params = { { "ops", PARAM_ARRAY, true,
			"objects {\"op\": \"mkdir\"|\"rmdir\"|\"set\"|\"link\"|\"unlink\", "
			"\"path\", \"value\" of set, \"target\" of link}" } } },
	{ .name = NULL },
};
