/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveapply.c: fabrics and targets of a configuration, and the steps that all its parts are made
 * of.
 */
#include "control/saveapply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/saveapply_priv.h"
#include "control/saveauth.h"
#include "control/savedump.h"
#include "control/saveschema.h"

/* ---- steps ----------------------------------------------------------------------------------- */

size_t apply_enter(struct apply *a, const char *fmt, ...)
{
	size_t where = a->path.len;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&a->path, fmt, ap);
	va_end(ap);
	return where;
}

void apply_leave(struct apply *a, size_t where)
{
	strbuf_truncate(&a->path, where);
}

void apply_skip(struct apply *a, const char *key, const struct errmsg *err)
{
	size_t where = apply_enter(a, "%s%s", key ? "/" : "", key ? key : "");

	problem_add(a->p, PROBLEM_SKIPPED, a->path.s, "%s", err->text);
	apply_leave(a, where);
}

bool apply_is_gone(struct apply *a, const struct node *n)
{
	return a->dry && a->changes && changes_is_gone(a->changes, n);
}

struct node *apply_dir(struct apply *a, struct node *dir, const char *name, const json_t *obj)
{
	struct node *n = node_child(dir, name);
	struct errmsg err = { 0 };

	if (n && !apply_is_gone(a, n))
		return n;
	if (!a->dry && tree_mkdir(a->t, dir, name, &n, &err)) {
		apply_skip(a, NULL, &err);
		return NULL;
	}
	if (a->changes)
		changes_create(a->changes, dir, name, obj);
	return a->dry ? NULL : n;
}

bool apply_remove(struct apply *a, struct node *n)
{
	struct errmsg err = { 0 };
	struct strbuf path;
	int r;

	if (apply_is_gone(a, n))
		return true;
	strbuf_init(&path);
	node_path(n, &path);
	r = a->dry ? 0 : tree_clear(a->t, n, &err);
	if (!r && !a->dry)
		r = tree_rmdir(a->t, n, &err);
	if (!r && a->changes)
		changes_remove(a->changes, path.s);
	if (r)
		problem_add(a->p, PROBLEM_SKIPPED, path.s, "cannot be removed: %s", err.text);
	strbuf_done(&path);
	return !r;
}

/* Does the text of an attribute say value? "T10 VPD Unit Serial Number: X" says X. */
static bool says(const char *text, const char *value)
{
	static const char serial[] = "T10 VPD Unit Serial Number: ";

	if (!strncmp(text, serial, strlen(serial)))
		text += strlen(serial);
	return !strcmp(text, value);
}

/* Set a row's attribute of dir, NULL: there is none, unless it says that already. 0 or -errno. */
static int set_row(struct apply *a, struct node *dir, const struct attr *row, const char *name,
	const char *value, struct errmsg *err)
{
	struct strbuf *b = &a->value;
	int r = 0;

	strbuf_reset(b);
	if (row && row->get && !tree_get(a->t, dir, row->name, b, NULL) && says(b->s, value))
		return 0;
	if (!row)
		r = errmsg_set(err, -ENOENT, "%s: there is no such attribute", name);
	else if (!a->dry)
		r = tree_set(a->t, dir, row->name, value, err);
	if (!r && a->changes)
		changes_set(a->changes, dir, row->name, b->s ? b->s : "", value);
	return r;
}

/* What was read may have been a secret. */
static void forget_value(struct apply *a)
{
	if (a->value.s)
		explicit_bzero(a->value.s, a->value.len);
}

bool apply_set(
	struct apply *a, struct node *dir, const char *attr, const char *value, const char *key)
{
	const char *slash = strrchr(attr, '/');
	struct errmsg err = { 0 };
	char sub[256];

	snprintf(sub, sizeof(sub), "%.*s", slash ? (int)(slash - attr) : 0, attr);
	attr = slash ? slash + 1 : attr;
	dir = savedump_dir(dir, sub);
	if (!dir)
		errmsg_set(&err, -ENOENT, "%s: this version does not have it", attr);
	else
		set_row(a, dir, node_attr(dir, attr), attr, value, &err);
	forget_value(a);
	if (err.code)
		apply_skip(a, key, &err);
	return !err.code;
}

/* As it is written to a file; NULL: null, which is not set. Good until the next one. */
static const char *text_of(struct apply *a, const json_t *value)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "1" : "0";
	if (!json_is_integer(value))
		return NULL;
	strbuf_reset(&a->number);
	strbuf_put_i64(&a->number, json_integer_value(value));
	return a->number.s;
}

bool apply_set_json(
	struct apply *a, struct node *dir, const char *attr, const json_t *value, const char *key)
{
	const char *text = text_of(a, value);

	return !text || apply_set(a, dir, attr, text, key);
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Values that decide who gets in, and what they may do. */
static bool keeps_out(const char *name)
{
	static const char *const names[] = { "authentication", "generate_node_acls",
		"demo_mode_write_protect", "prod_mode_write_protect", "AuthMethod" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

/* One of the values of an object, whose place in the configuration is told if it fails. */
static void apply_value(
	struct apply *a, struct node *dir, const char *name, const json_t *value, const char *key)
{
	const char *slash = strrchr(name, '/'), *text = text_of(a, value);
	struct errmsg err = { 0 };
	char place[256];

	if (!text)
		return;
	snprintf(place, slash ? sizeof(place) : 1, "%.*s", slash ? (int)(slash - name) : 0, name);
	dir = slash && dir ? savedump_dir(dir, place) : dir;
	if (!dir)
		errmsg_set(&err, -ENOENT, "%s: this version does not have it", name);
	else
		set_row(a, dir, node_attr(dir, slash ? slash + 1 : name), slash ? slash + 1 : name,
			text, &err);
	if (!err.code)
		return;
	snprintf(place, sizeof(place), "%s%s%s", key, *key ? "/" : "", name);
	apply_skip(a, place, &err);
	a->unsafe = a->unsafe || keeps_out(name);
}

void apply_values(
	struct apply *a, struct node *dir, const char *sub, const json_t *values, const char *key)
{
	size_t n = json_object_size(values), i = 0;
	const char **names = calloc(n + 1, sizeof(*names)), *name;
	json_t *v;

	if (!names) {
		a->unsafe = true;
		return;
	}
	json_object_foreach ((json_t *)values, name, v)
		names[i++] = name;
	qsort(names, n, sizeof(*names), by_name);
	dir = savedump_dir(dir, sub);
	for (i = 0; i < n; i++)
		apply_value(a, dir, names[i], json_object_get(values, names[i]), key);
	free(names);
}

void apply_extras(struct apply *a, struct node *dir, const char *key)
{
	const json_t *values = json_object_get(a->extras, key);
	struct strbuf path = a->path;

	if (!values)
		return;
	strbuf_init(&a->path);
	strbuf_puts(&a->path, "(extras)");
	apply_values(a, dir, "", values, key);
	strbuf_done(&a->path);
	a->path = path;
}

/* Extras of an object that is keyed by its place in the tree. */
static void apply_path_extras(struct apply *a, struct node *n)
{
	struct strbuf path;

	if (!a->extras)
		return;
	strbuf_init(&path);
	node_path(n, &path);
	apply_extras(a, n, path.s);
	strbuf_done(&path);
}

bool apply_link(struct apply *a, struct node *dir, const char *name, struct node *target)
{
	struct errmsg err = { 0 };
	struct node_link l = { 0 };
	struct strbuf was;
	int r = 0;

	if (node_link_at(dir, 0, &l) && l.target == target)
		return true;
	strbuf_init(&was);
	if (l.target) {
		node_path(l.target, &was);
		r = a->dry ? 0 : tree_unlink(a->t, dir, l.name, &err);
	}
	if (!r && !a->dry)
		r = tree_link(a->t, dir, name, target, &err);
	if (!r && a->changes)
		changes_link(a->changes, dir, name, was.s, target);
	strbuf_done(&was);
	if (r)
		apply_skip(a, NULL, &err);
	return !r;
}

/* ---- targets --------------------------------------------------------------------------------- */

static const struct {
	const char *attr, *chap, *discovery;
} auth_keys[] = {
	/* Secrets before what they belong to is switched on. */
	{ "userid", "chap_userid", "discovery_userid" },
	{ "password", "chap_password", "discovery_password" },
	{ "userid_mutual", "chap_mutual_userid", "discovery_mutual_userid" },
	{ "password_mutual", "chap_mutual_password", "discovery_mutual_password" },
};

/* LIO clears them by "NULL". What the configuration does not have is cleared. */
static void apply_auth(struct apply *a, struct node *auth, const json_t *obj, bool discovery)
{
	for (size_t i = 0; auth && i < sizeof(auth_keys) / sizeof(auth_keys[0]); i++) {
		const char *key = discovery ? auth_keys[i].discovery : auth_keys[i].chap;
		const char *value = json_string_value(json_object_get(obj, key));
		struct strbuf b;
		bool set, good = true;

		strbuf_init(&b);
		set = savedump_value(a->t, auth, auth_keys[i].attr, &b) && b.len &&
		      strncmp(b.s, "NULL", 4) != 0;
		savedump_forget(&b);
		if (value && *value)
			good = apply_set(a, auth, auth_keys[i].attr, value, key);
		else if (set)
			good = apply_set(a, auth, auth_keys[i].attr, "NULL", key);
		a->unsafe = a->unsafe || !good;
	}
}

static const char *str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

static json_int_t num(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

static void apply_lun(struct apply *a, struct node *tpg, const json_t *obj)
{
	const char *disk = str(json_object_get(a->disks, str(obj, "storage_object")), "path");
	const char *group = str(obj, "alua_tg_pt_gp_name"), *alias = str(obj, "alias");
	struct node *luns = node_child(tpg, "lun"), *lun;
	char name[32], link[40];

	if (!disk) {
		struct errmsg err = { 0 };

		errmsg_set(&err, -ENOENT, "%s could not be made, so this LUN cannot be",
			str(obj, "storage_object"));
		apply_skip(a, NULL, &err);
		return;
	}
	snprintf(name, sizeof(name), "lun_%" JSON_INTEGER_FORMAT, num(obj, "index"));
	snprintf(link, sizeof(link), "%.15s_link", name);
	lun = luns ? apply_dir(a, luns, name, obj) : NULL;
	if (!lun || !apply_link(a, lun, alias ? alias : link, tree_lookup(a->t, disk)))
		return;
	/* Where there are no ALUA groups, the default one is no news. */
	if (group && (node_attr(lun, "alua_tg_pt_gp") || strcmp(group, "default_tg_pt_gp") != 0)) {
		struct strbuf b;
		char want[300];

		strbuf_init(&b);
		snprintf(want, sizeof(want), "TG Port Alias: %.255s\n", group);
		if (!savedump_value(a->t, lun, "alua_tg_pt_gp", &b) ||
			strncmp(b.s, want, strlen(want)) != 0)
			apply_set(a, lun, "alua_tg_pt_gp", group, "alua_tg_pt_gp_name");
		strbuf_done(&b);
	}
	apply_path_extras(a, lun);
}

static void apply_portal(struct apply *a, struct node *tpg, const json_t *obj)
{
	struct node *nps = node_child(tpg, "np"), *np;
	struct strbuf name;

	strbuf_init(&name);
	saveschema_portal_name(obj, &name);
	np = nps ? apply_dir(a, nps, name.s, obj) : NULL;
	strbuf_done(&name);
	if (!np)
		return;
	apply_set_json(a, np, "iser", json_object_get(obj, "iser"), "iser");
	apply_set_json(a, np, "cxgbit", json_object_get(obj, "offload"), "offload");
	apply_path_extras(a, np);
}

static void apply_mapped_lun(struct apply *a, struct node *tpg, struct node *acl, const json_t *obj)
{
	const json_t *protect = json_object_get(obj, "write_protect");
	const char *alias = str(obj, "alias");
	char name[32], target[32], link[40];
	struct node *ml, *lun;
	struct node_link l;

	snprintf(name, sizeof(name), "lun_%" JSON_INTEGER_FORMAT, num(obj, "index"));
	snprintf(target, sizeof(target), "lun/lun_%" JSON_INTEGER_FORMAT, num(obj, "tpg_lun"));
	snprintf(link, sizeof(link), "%.15s_link", name);
	lun = savedump_dir(tpg, target);
	if (!lun && !a->dry) {
		struct errmsg err = { 0 };

		errmsg_set(&err, -ENOENT, "%s could not be made, so it cannot be mapped", target);
		apply_skip(a, "tpg_lun", &err);
		return;
	}
	ml = apply_dir(a, acl, name, obj);
	if (!ml || !apply_link(a, ml, alias ? alias : link, lun))
		return;
	/* Rather not at all than writable by mistake. */
	if (!apply_set_json(a, ml, "write_protect", protect, "write_protect") &&
		json_is_true(protect) && node_link_at(ml, 0, &l))
		tree_unlink(a->t, ml, l.name, NULL);
}

static void apply_acl(struct apply *a, struct node *tpg, const json_t *obj)
{
	struct node *acls = node_child(tpg, "acls"), *acl;
	const char *tag = str(obj, "tag");
	json_t *ml;
	size_t i;

	acl = acls ? apply_dir(a, acls, str(obj, "node_wwn"), obj) : NULL;
	if (!acl)
		return;
	apply_values(a, acl, "attrib", json_object_get(obj, "attributes"), "attributes");
	apply_path_extras(a, acl);
	saveauth_apply(a, node_child(acl, "auth"));
	apply_auth(a, node_child(acl, "auth"), obj, false);
	json_array_foreach (json_object_get(obj, "mapped_luns"), i, ml) {
		size_t where = apply_enter(a, "/mapped_luns/%zu", i);

		apply_mapped_lun(a, tpg, acl, ml);
		apply_leave(a, where);
	}
	if (tag && *tag)
		apply_set(a, acl, "tag", tag, "tag");
}

/* Each of a list of obj. */
static void apply_list(struct apply *a, struct node *tpg, const json_t *obj, const char *key,
	void (*one)(struct apply *a, struct node *tpg, const json_t *obj))
{
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(obj, key), i, e) {
		size_t where = apply_enter(a, "/%s/%zu", key, i);

		one(a, tpg, e);
		apply_leave(a, where);
	}
}

static void apply_tpg(struct apply *a, struct node *target, const json_t *obj)
{
	char name[32];
	struct node *tpg;

	snprintf(name, sizeof(name), "tpgt_%" JSON_INTEGER_FORMAT, num(obj, "tag"));
	tpg = apply_dir(a, target, name, obj);
	if (!tpg)
		return;
	a->unsafe = false;
	apply_values(a, tpg, "attrib", json_object_get(obj, "attributes"), "attributes");
	apply_values(a, tpg, "param", json_object_get(obj, "parameters"), "parameters");
	apply_list(a, tpg, obj, "luns", apply_lun);
	apply_list(a, tpg, obj, "portals", apply_portal);
	apply_list(a, tpg, obj, "node_acls", apply_acl);
	saveauth_apply(a, node_child(tpg, "auth"));
	apply_auth(a, node_child(tpg, "auth"), obj, false);
	apply_path_extras(a, tpg);
	/*
	 * rtslib enables before it sets the secrets; the other way round nobody gets in too early.
	 * And a group that may have become more open than it was meant to be is better closed.
	 */
	if (!a->unsafe || !json_is_true(json_object_get(obj, "enable"))) {
		apply_set_json(a, tpg, "enable", json_object_get(obj, "enable"), "enable");
	} else {
		struct errmsg err = { 0 };

		errmsg_set(&err, -EINVAL,
			"the portal group stays closed, because something that keeps people out "
			"could not be set (told above): mend it and load again");
		apply_set(a, tpg, "enable", "0", "enable");
		apply_skip(a, "enable", &err);
	}
}

static void apply_target(struct apply *a, struct node *iscsi, const json_t *obj)
{
	struct node *target;

	if (strcmp(str(obj, "fabric"), "iscsi") != 0)
		return; /* told by saveschema_check() */
	target = apply_dir(a, iscsi, str(obj, "wwn"), obj);
	if (!target)
		return;
	/* LIO saves cmd_completion_affinity here and does not read it back; it has no meaning. */
	apply_path_extras(a, target);
	apply_list(a, target, obj, "tpgs", apply_tpg);
}

static void apply_fabric(struct apply *a, struct node *iscsi, const json_t *obj)
{
	struct node *auth = node_child(iscsi, "discovery_auth");

	if (strcmp(str(obj, "name"), "iscsi") != 0 || !auth)
		return;
	apply_auth(a, auth, obj, true);
	apply_set_json(a, auth, "enforce_discovery_auth",
		json_object_get(obj, "discovery_enable_auth"), "discovery_enable_auth");
}

/* Discovery authentication that the configuration does not have: off, without secrets. */
static void clear_discovery(struct apply *a, struct node *iscsi)
{
	struct node *auth = node_child(iscsi, "discovery_auth");
	json_t *none = json_object(), *f;
	size_t i;

	json_array_foreach (json_object_get(a->config, "fabric_modules"), i, f) {
		if (!strcmp(str(f, "name"), "iscsi"))
			auth = NULL;
	}
	if (auth) {
		apply_set(a, auth, "enforce_discovery_auth", "0", "discovery_enable_auth");
		apply_auth(a, auth, none, true);
	}
	json_decref(none);
}

int saveapply(struct tree *t, const json_t *config, const json_t *extras, unsigned flags,
	const struct saveapply_hooks *hooks, struct problems *p, struct changes *changes)
{
	struct apply a = { .t = t,
		.config = config,
		.extras = extras,
		.hooks = hooks,
		.p = p,
		.disks = json_object(),
		.changes = changes,
		.dry = flags & SAVEAPPLY_DRY };
	struct node *iscsi = node_child(tree_root(t), "iscsi");
	struct node *isns = node_child(tree_root(t), "isns");

	strbuf_init(&a.path);
	strbuf_init(&a.value);
	strbuf_init(&a.number);
	/* The fabric's directory alone is no configuration: a dry run has it too. */
	if (!iscsi)
		tree_mkdir(t, tree_root(t), "iscsi", &iscsi, NULL);
	if (flags & SAVEAPPLY_REMOVE_OTHERS)
		apply_remove_others(&a);
	apply_disks(&a);
	if (iscsi) {
		apply_path_extras(&a, iscsi);
		if (flags & SAVEAPPLY_REMOVE_OTHERS)
			clear_discovery(&a, iscsi);
		saveauth_apply(&a, node_child(iscsi, "discovery_auth"));
		apply_list(&a, iscsi, config, "fabric_modules", apply_fabric);
		apply_list(&a, iscsi, config, "targets", apply_target);
	}
	if (isns && !json_object_get(extras, "/isns") && (flags & SAVEAPPLY_REMOVE_OTHERS) &&
		(extras || !(flags & SAVEAPPLY_KEEP_EXTRAS)))
		apply_set(&a, isns, "servers", "", "isns");
	else if (isns)
		apply_path_extras(&a, isns);
	strbuf_done(&a.path);
	savedump_forget(&a.value);
	strbuf_done(&a.number);
	if (!a.disks)
		return -ENOMEM;
	json_decref(a.disks);
	if (hooks && hooks->applied && !a.dry)
		hooks->applied(hooks->arg);
	return 0;
}
