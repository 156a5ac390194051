/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveapply_remove.c: take away what a configuration does not have: targets, portal groups, ACLs,
 * LUNs, portals, storage objects; and what it has differently and cannot be changed in place.
 */
#include <string.h>

#include "control/saveapply_priv.h"
#include "control/savedump.h"
#include "control/saveschema.h"

/* Removes from dir the user-made directories for which keep is false; the youngest first. */
static void remove_if_not(struct apply *a, struct node *dir,
	bool (*keep)(struct apply *a, struct node *n, void *arg), void *arg)
{
	struct node *n = dir ? node_first_child(dir) : NULL, *next;

	for (; n; n = next) {
		next = node_next_child(dir, n);
		if (!node_is_default(n) && !keep(a, n, arg))
			apply_remove(a, n);
	}
}

/* The names, as directories, of a list of the configuration: an object of the elements. */
static json_t *names_of(const json_t *list, const char *prefix, const char *key)
{
	json_t *out = json_object(), *e;
	struct strbuf name;
	size_t i;

	strbuf_init(&name);
	json_array_foreach (list, i, e) {
		const json_t *k = json_object_get(e, key);

		strbuf_reset(&name);
		strbuf_puts(&name, prefix);
		if (json_is_string(k))
			strbuf_puts(&name, json_string_value(k));
		else
			strbuf_printf(&name, "%" JSON_INTEGER_FORMAT, json_integer_value(k));
		json_object_set(out, name.s, e);
	}
	strbuf_done(&name);
	return out;
}

static json_t *portal_names(const json_t *list)
{
	json_t *out = json_object(), *e;
	struct strbuf name;
	size_t i;

	strbuf_init(&name);
	json_array_foreach (list, i, e) {
		strbuf_reset(&name);
		saveschema_portal_name(e, &name);
		json_object_set(out, name.s, e);
	}
	strbuf_done(&name);
	return out;
}

static bool is_named(struct apply *a, struct node *n, void *names)
{
	return json_object_get(names, node_name(n));
}

/* ---- portal groups --------------------------------------------------------------------------- */

/* A mapped LUN is kept if it maps what the configuration says. */
static bool keep_mapped_lun(struct apply *a, struct node *n, void *names)
{
	const json_t *obj = json_object_get(names, node_name(n));
	struct node_link l;
	char want[32];

	snprintf(want, sizeof(want), "lun_%" JSON_INTEGER_FORMAT,
		json_integer_value(json_object_get(obj, "tpg_lun")));
	return obj && node_link_at(n, 0, &l) && !strcmp(node_name(l.target), want);
}

struct lun_arg {
	json_t *names;
	const json_t *doomed; /* storage objects that go */
};

/* A LUN is kept if it shows the storage object that the configuration says, and that one stays. */
static bool keep_lun(struct apply *a, struct node *n, void *arg)
{
	const struct lun_arg *la = arg;
	const json_t *obj = json_object_get(la->names, node_name(n));
	const char *want = json_string_value(json_object_get(obj, "storage_object"));
	struct node_link l;
	struct strbuf key;
	bool keep = false;

	strbuf_init(&key);
	if (want && node_link_at(n, 0, &l) && savedump_disk_key(l.target, &key))
		keep = !strcmp(key.s, want) && !json_object_get(la->doomed, key.s);
	strbuf_done(&key);
	return keep;
}

/* Unmap the LUNs that will go. */
static void unmap(struct apply *a, struct node *acls, struct lun_arg *la)
{
	struct node *acl = acls ? node_first_child(acls) : NULL, *ml, *next;
	struct node_link l;

	for (; acl; acl = node_next_child(acls, acl)) {
		for (ml = node_first_child(acl); ml; ml = next) {
			next = node_next_child(acl, ml);
			if (!node_is_default(ml) && node_link_at(ml, 0, &l) &&
				!keep_lun(a, l.target, la))
				apply_remove(a, ml);
		}
	}
}

static void trim_tpg(struct apply *a, struct node *tpg, const json_t *obj, const json_t *doomed)
{
	json_t *acl_names = names_of(json_object_get(obj, "node_acls"), "", "node_wwn");
	json_t *np_names = portal_names(json_object_get(obj, "portals"));
	struct lun_arg la = { names_of(json_object_get(obj, "luns"), "lun_", "index"), doomed };
	struct node *acls = node_child(tpg, "acls"), *acl;

	remove_if_not(a, acls, is_named, acl_names);
	for (acl = acls ? node_first_child(acls) : NULL; acl; acl = node_next_child(acls, acl)) {
		const json_t *o = json_object_get(acl_names, node_name(acl));
		json_t *names = names_of(json_object_get(o, "mapped_luns"), "lun_", "index");

		remove_if_not(a, acl, keep_mapped_lun, names);
		json_decref(names);
	}
	unmap(a, acls, &la);
	remove_if_not(a, node_child(tpg, "lun"), keep_lun, &la);
	remove_if_not(a, node_child(tpg, "np"), is_named, np_names);
	json_decref(acl_names);
	json_decref(np_names);
	json_decref(la.names);
}

static void trim_target(
	struct apply *a, struct node *target, const json_t *obj, const json_t *doomed)
{
	json_t *names = names_of(json_object_get(obj, "tpgs"), "tpgt_", "tag");
	struct node *tpg;

	remove_if_not(a, target, is_named, names);
	for (tpg = node_first_child(target); tpg; tpg = node_next_child(target, tpg)) {
		const json_t *o = json_object_get(names, node_name(tpg));

		if (!node_is_default(tpg) && o)
			trim_tpg(a, tpg, o, doomed);
	}
	json_decref(names);
}

/* ---- storage objects ------------------------------------------------------------------------- */

/* Target port groups that are not described; their LUNs go to the default one. */
static void trim_groups(struct apply *a, struct node *disk, const json_t *obj)
{
	json_t *names = names_of(json_object_get(obj, "alua_tpgs"), "", "name");

	remove_if_not(a, node_child(disk, "alua"), is_named, names);
	json_decref(names);
}

/* Keys of those that the configuration does not have, or has with another disk: key -> path. */
static json_t *doomed_disks(struct apply *a)
{
	struct node *core = node_child(tree_root(a->t), "core"), *hba, *d;
	json_t *wanted = json_object(), *doomed = json_object(), *obj;
	struct strbuf key;
	size_t i;

	strbuf_init(&key);
	json_array_foreach (json_object_get(a->config, "storage_objects"), i, obj) {
		strbuf_reset(&key);
		strbuf_printf(&key, "/backstores/%s/%s",
			json_string_value(json_object_get(obj, "plugin")),
			json_string_value(json_object_get(obj, "name")));
		json_object_set(wanted, key.s, obj);
	}
	for (hba = core ? node_first_child(core) : NULL; hba; hba = node_next_child(core, hba)) {
		for (d = node_first_child(hba); d; d = node_next_child(hba, d)) {
			strbuf_reset(&key);
			if (!savedump_disk_key(d, &key))
				continue;
			obj = json_object_get(wanted, key.s);
			strbuf_reset(&a->path);
			if (obj && apply_disk_fits(a, d, obj)) {
				trim_groups(a, d, obj);
				continue;
			}
			node_path(d, &a->path);
			json_object_set_new(doomed, key.s, json_string(a->path.s));
		}
	}
	strbuf_reset(&a->path);
	strbuf_done(&key);
	json_decref(wanted);
	return doomed;
}

void apply_remove_others(struct apply *a)
{
	struct node *iscsi = node_child(tree_root(a->t), "iscsi"), *n;
	json_t *names = names_of(json_object_get(a->config, "targets"), "", "wwn");
	json_t *doomed = doomed_disks(a), *path;
	const char *key;

	remove_if_not(a, iscsi, is_named, names);
	for (n = iscsi ? node_first_child(iscsi) : NULL; n; n = node_next_child(iscsi, n)) {
		const json_t *obj = json_object_get(names, node_name(n));

		if (!node_is_default(n) && obj)
			trim_target(a, n, obj, doomed);
	}
	json_object_foreach (doomed, key, path) {
		struct node *disk = tree_lookup(a->t, json_string_value(path));
		struct node *hba = disk ? node_parent(disk) : NULL;

		if (disk && apply_remove(a, disk) && !a->dry && !node_first_child(hba))
			tree_rmdir(a->t, hba, NULL);
	}
	json_decref(names);
	json_decref(doomed);
}
