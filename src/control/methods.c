/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * methods.c: the tree by JSON-RPC: ls, get, set, mkdir, rmdir, link, unlink, dump. Attributes are
 * named by path, as files would be.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/limits.h"
#include "control/rpc.h"
#include "tree/limits.h"
#include "tree/node.h"

/* ---- paths --------------------------------------------------------------------------------- */

static void set_path(struct control_call *call, const char *path)
{
	size_t n = strnlen(path, sizeof(call->path) - 1);

	memcpy(call->path, path, n);
	call->path[n] = '\0';
}

/* Say which part of a path is not there. */
static int not_there(struct control_call *call, const char *path)
{
	char part[TREE_PATH_MAX + 1];
	size_t good = 0, n = 0;

	if (path[0] != '/' || strlen(path) > TREE_PATH_MAX)
		return call_fail(call, -EINVAL,
			"\"%.128s\" is no path: at most %d bytes that begin with '/'", path,
			TREE_PATH_MAX);
	while (path[n]) {
		n += strspn(path + n, "/");
		n += strcspn(path + n, "/");
		memcpy(part, path, n);
		part[n] = '\0';
		if (!tree_lookup(control_tree(call->control), part))
			break;
		good = n;
	}
	return call_fail(call, -ENOENT, "%.*s: there is no such directory in %.*s", (int)n, path,
		good ? (int)good : 1, good ? path : "/");
}

struct node *call_node(struct control_call *call, const char *path, int *ret_error)
{
	struct node *n = NULL;

	set_path(call, path);
	if (path[0] == '/' && strlen(path) <= TREE_PATH_MAX)
		n = tree_lookup(control_tree(call->control), path);
	if (!n)
		*ret_error = not_there(call, path);
	return n;
}

struct node *call_entry(
	struct control_call *call, const char *path, char name[TREE_NAME_MAX + 1], int *ret_error)
{
	char dir[TREE_PATH_MAX + 1];
	size_t end = strlen(path), start;
	struct node *n;

	while (end > 1 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (!start || start == end || end - start > TREE_NAME_MAX || start > TREE_PATH_MAX) {
		set_path(call, path);
		*ret_error = call_fail(call, -EINVAL,
			"\"%.128s\" is no path of an entry: "
			"/directory/name is meant",
			path);
		return NULL;
	}
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	memcpy(dir, path, start);
	dir[start] = '\0';
	n = call_node(call, dir, ret_error);
	set_path(call, path);
	return n;
}

int call_finish(struct control_call *call, uint64_t id, const char *name, int r)
{
	const struct node *dir = tree_node_by_id(control_tree(call->control), id);
	struct strbuf path;
	size_t n = strlen(name);
	bool named;

	if (!r || !dir)
		return r;
	strbuf_init(&path);
	node_path(dir, &path);
	if (path.len == 1)
		strbuf_reset(&path); /* the root: "/name" follows */
	named = !strncmp(call->err.text, name, n) && call->err.text[n] == ':';
	if (named)
		errmsg_set(&call->err, r, "%s/%s", path.s, call->err.text);
	else
		errmsg_set(&call->err, r, "%s/%s: %s", path.s, name, call->err.text);
	strbuf_done(&path);
	return r;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The value of an attribute, JSON null if it cannot be had: secret, write-only, an error. */
static json_t *attr_value(struct tree *t, struct node *dir, const struct attr *a)
{
	struct strbuf b;
	json_t *j = NULL;

	if (!a->get || a->flags & ATTR_SECRET)
		return json_null();
	strbuf_init(&b);
	if (!tree_get(t, dir, a->name, &b, NULL))
		j = json_text(b.s);
	strbuf_done(&b);
	return j ? j : json_null();
}

/* What the value is as a file: see ATTR_NO_NEWLINE. */
static const char *file_of(const struct attr *a)
{
	return a->flags & ATTR_NO_NEWLINE   ? "text"
	       : a->flags & ATTR_EMPTY_LINE ? "line"
					    : "line or empty";
}

/* What a value may be, for completion; NULL where the row does not say so. */
static json_t *words_of(const struct attr *a)
{
	json_t *words;

	if (!a->words)
		return a->set && (a->set == attr_set_bool || a->max == 1)
			       ? json_pack("[s, s]", "0", "1")
			       : NULL;
	words = json_array();
	for (const char *const *w = a->words; *w; w++)
		json_array_append_new(words, json_string(*w));
	return words;
}

static json_t *attr_row(struct tree *t, struct node *dir, const struct attr *a)
{
	return json_pack("{s:s, s:s, s:o, s:b, s:b, s:s, s:s, s:o*}", "name", a->name, "access",
		!a->set  ? "ro"
		: a->get ? "rw"
			 : "wo",
		"value", attr_value(t, dir, a), "secret", !!(a->flags & ATTR_SECRET), "ours",
		!!(a->flags & ATTR_OURS), "file", file_of(a), "doc", a->doc ? a->doc : "", "words",
		words_of(a));
}

static json_t *link_target(const struct node_link *l)
{
	struct strbuf b;
	json_t *j;

	strbuf_init(&b);
	node_path(l->target, &b);
	j = json_text(b.s);
	strbuf_done(&b);
	return j;
}

static int method_ls(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	int r = 0;
	struct node *n = call_node(call, call_string(call, "path"), &r);
	json_t *dirs, *links, *attrs;
	const struct attr *a;
	struct node_link l;

	if (!n)
		return r;
	dirs = json_array();
	links = json_object();
	attrs = json_array();
	for (struct node *c = node_first_child(n); c; c = node_next_child(n, c))
		json_array_append_new(dirs, json_text(node_name(c)));
	for (unsigned i = 0; node_link_at(n, i, &l); i++)
		json_object_set_new(links, l.name, link_target(&l));
	attr_for_each (a, node_type(n)->attrs)
		json_array_append_new(attrs, attr_row(t, n, a));
	call->result = json_pack("{s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o}", "kind",
		node_type(n)->name, "doc", node_type(n)->doc ? node_type(n)->doc : "", "default",
		node_is_default(n), "ours", node_type(n)->ours, "mkdir", !!node_type(n)->mkdir,
		"dirs", dirs, "links", links, "attrs", attrs);
	return 0;
}

/* What a dump shows of attributes. */
struct dump {
	struct tree *t;
	bool stats; /* counters too */
	const char *names; /* these alone, separated by blanks; NULL: all */
};

static bool is_wanted(const struct dump *d, const struct attr *a)
{
	size_t n = strlen(a->name);

	if (!a->get || (!d->stats && a->flags & ATTR_STAT))
		return false;
	for (const char *p = d->names; p && *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");

		if (len == n && !memcmp(p, a->name, n))
			return true;
		p += len;
	}
	return !d->names;
}

static json_t *dump_node(const struct dump *d, struct node *n, int64_t depth)
{
	struct tree *t = d->t;
	json_t *out = json_object(), *part = json_object();
	const struct attr *a;
	struct node_link l;

	attr_for_each (a, node_type(n)->attrs) {
		if (is_wanted(d, a))
			json_object_set_new(part, a->name, attr_value(t, n, a));
	}
	json_object_set_new(out, "attrs", part);
	part = json_object();
	for (unsigned i = 0; node_link_at(n, i, &l); i++)
		json_object_set_new(part, l.name, link_target(&l));
	json_object_set_new(out, "links", part);
	part = json_object();
	for (struct node *c = node_first_child(n); c; c = node_next_child(n, c))
		json_object_set_new(
			part, node_name(c), depth ? dump_node(d, c, depth - 1) : json_null());
	json_object_set_new(out, "dirs", part);
	return out;
}

static int method_dump(void *arg, struct control_call *call)
{
	int r = 0;
	const char *path = call_string(call, "path");
	int64_t depth = call_integer(call, "depth", CONTROL_JSON_DEPTH_MAX);
	struct node *n = call_node(call, path ? path : "/", &r);

	if (!n)
		return r;
	if (depth < 0 || depth > CONTROL_JSON_DEPTH_MAX)
		return call_fail(call, -EINVAL, "depth %lld: must be from 0 to %d",
			(long long)depth, CONTROL_JSON_DEPTH_MAX);
	call->result =
		dump_node(&(struct dump){ control_tree(call->control),
				  call_bool(call, "stats", false), call_string(call, "names") },
			n, depth);
	return 0;
}

static int method_get(void *arg, struct control_call *call)
{
	char name[TREE_NAME_MAX + 1];
	uint64_t id;
	int r = 0;
	struct node *dir = call_entry(call, call_string(call, "path"), name, &r);
	const struct attr *a;
	struct strbuf b;

	if (!dir)
		return r;
	id = node_id(dir);
	a = node_attr(dir, name);
	if (a && a->flags & ATTR_SECRET)
		return call_finish(call, id, name,
			call_fail(call, -EACCES, "%s: is a secret, which can be set but not read",
				name));
	strbuf_init(&b);
	r = tree_get(control_tree(call->control), dir, name, &b, &call->err);
	if (!r)
		call->result = json_text(b.s);
	strbuf_done(&b);
	return call_finish(call, id, name, r);
}

/* ---- changing ------------------------------------------------------------------------------ */

static int method_set(void *arg, struct control_call *call)
{
	char name[TREE_NAME_MAX + 1];
	uint64_t id;
	int r = 0;
	struct node *dir = call_entry(call, call_string(call, "path"), name, &r);

	if (!dir)
		return r;
	id = node_id(dir);
	return call_finish(call, id, name,
		tree_set(control_tree(call->control), dir, name, call_string(call, "value"),
			&call->err));
}

static int method_mkdir(void *arg, struct control_call *call)
{
	char name[TREE_NAME_MAX + 1];
	uint64_t id;
	int r = 0;
	struct node *dir = call_entry(call, call_string(call, "path"), name, &r);

	if (!dir)
		return r;
	id = node_id(dir);
	return call_finish(call, id, name,
		tree_mkdir(control_tree(call->control), dir, name, NULL, &call->err));
}

static int method_rmdir(void *arg, struct control_call *call)
{
	char name[TREE_NAME_MAX + 1];
	uint64_t id;
	int r = 0;
	struct node *n = call_node(call, call_string(call, "path"), &r), *dir;

	if (!n)
		return r;
	dir = node_parent(n);
	id = dir ? node_id(dir) : 0;
	snprintf(name, sizeof(name), "%s", node_name(n));
	r = tree_rmdir(control_tree(call->control), n, &call->err);
	return call_finish(call, id, name, r);
}

static int method_link(void *arg, struct control_call *call)
{
	char name[TREE_NAME_MAX + 1];
	uint64_t id;
	int r = 0;
	struct node *target = call_node(call, call_string(call, "target"), &r), *dir;

	if (!target)
		return r;
	dir = call_entry(call, call_string(call, "path"), name, &r);
	if (!dir)
		return r;
	id = node_id(dir);
	return call_finish(call, id, name,
		tree_link(control_tree(call->control), dir, name, target, &call->err));
}

static int method_unlink(void *arg, struct control_call *call)
{
	char name[TREE_NAME_MAX + 1];
	uint64_t id;
	int r = 0;
	struct node *dir = call_entry(call, call_string(call, "path"), name, &r);

	if (!dir)
		return r;
	id = node_id(dir);
	return call_finish(
		call, id, name, tree_unlink(control_tree(call->control), dir, name, &call->err));
}

#define PATH_OF(what)                                                                              \
	{                                                                                          \
		"path", PARAM_STRING, true, what                                                   \
	}

const struct control_method control_tree_methods[] = {
	{ .name = "ls",
		.doc = "What a directory holds: directories, links, attributes with their values.",
		.fn = method_ls,
		.params = { PATH_OF("a directory, \"/\" is the root") } },
	{ .name = "dump",
		.doc = "A directory and all below it, as nested objects.",
		.fn = method_dump,
		.params = { { "path", PARAM_STRING, false, "a directory; absent: the root" },
			{ "depth", PARAM_INTEGER, false, "levels below it; absent: all" },
			{ "stats", PARAM_BOOL, false, "counters too" },
			{ "names", PARAM_STRING, false,
				"of the attributes these alone, separated by blanks" } } },
	{ .name = "get",
		.doc = "The value of an attribute.",
		.fn = method_get,
		.params = { PATH_OF("an attribute") } },
	{ .name = "set",
		.doc = "Set an attribute.",
		.fn = method_set,
		.changes = true,
		.claims = true,
		.params = { PATH_OF("an attribute"),
			{ "value", PARAM_STRING, true, "as it would be written to the file" } } },
	{ .name = "mkdir",
		.doc = "Make a directory: a disk, a target, a portal group, a LUN, an ACL …",
		.fn = method_mkdir,
		.changes = true,
		.claims = true,
		.params = { PATH_OF("the new directory") } },
	{ .name = "rmdir",
		.doc = "Remove a directory that was made.",
		.fn = method_rmdir,
		.changes = true,
		.claims = true,
		.params = { PATH_OF("the directory") } },
	{ .name = "link",
		.doc = "Make a link: a LUN to its disk, a mapped LUN to the LUN of the portal "
		       "group.",
		.fn = method_link,
		.changes = true,
		.claims = true,
		.params = { PATH_OF("the new link"),
			{ "target", PARAM_STRING, true, "the directory that it leads to" } } },
	{ .name = "unlink",
		.doc = "Remove a link.",
		.fn = method_unlink,
		.changes = true,
		.claims = true,
		.params = { PATH_OF("the link") } },
	{ .name = NULL },
};
