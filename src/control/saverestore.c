/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saverestore.c: restore, what targetcli calls restoreconfig: a configuration, or one target or
 * storage object of it, is added to what runs, or takes its place.
 */
#include <errno.h>
#include <string.h>

#include "control/saveconfig_priv.h"
#include "control/savedump.h"
#include "control/saveschema.h"

static const char *str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* The elements of a list whose key is that name; NULL: all. */
static json_t *only(const json_t *list, const char *key, const char *name)
{
	json_t *out = json_array(), *e;
	size_t i;

	json_array_foreach (list, i, e) {
		if (!name || (str(e, key) && !strcmp(str(e, key), name)))
			json_array_append(out, e);
	}
	return out;
}

static void add_key(const json_t *disk, json_t *set)
{
	struct strbuf key;

	strbuf_init(&key);
	strbuf_printf(&key, "/backstores/%s/%s", str(disk, "plugin"), str(disk, "name"));
	json_object_set(set, key.s, (json_t *)disk);
	strbuf_done(&key);
}

/* The storage objects of config that the LUNs of these targets show. */
static json_t *shown_by(const json_t *targets, const json_t *config)
{
	json_t *all = json_object(), *out = json_array(), *t, *g, *l, *d;
	size_t i, k, m;

	json_array_foreach (json_object_get(config, "storage_objects"), i, d)
		add_key(d, all);
	json_array_foreach (targets, i, t) {
		json_array_foreach (json_object_get(t, "tpgs"), k, g) {
			json_array_foreach (json_object_get(g, "luns"), m, l) {
				d = json_object_get(all, str(l, "storage_object"));
				if (d)
					json_array_append(out, d);
				json_object_del(all, str(l, "storage_object"));
			}
		}
	}
	json_decref(all);
	return out;
}

/* What is to be restored of the whole. NULL: told. */
static json_t *part_of(struct control_call *call, const json_t *config)
{
	const char *target = call_string(call, "target"),
		   *disk = call_string(call, "storage_object");
	json_t *targets, *disks;

	if (!target && !disk)
		return json_incref((json_t *)config);
	targets = target ? only(json_object_get(config, "targets"), "wwn", target) : json_array();
	disks = disk ? only(json_object_get(config, "storage_objects"), "name", disk)
		     : shown_by(targets, config);
	if ((target && !json_array_size(targets)) || (disk && !json_array_size(disks))) {
		call_fail(call, -ENOENT, "%s is not in that configuration",
			target && !json_array_size(targets) ? target : disk);
		json_decref(targets);
		json_decref(disks);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "storage_objects", disks, "targets", targets);
}

/* The storage object of that key, NULL: there is none. */
static struct node *find_disk(struct tree *t, const char *key)
{
	struct node *core = node_child(tree_root(t), "core"), *found = NULL;
	struct strbuf own;

	strbuf_init(&own);
	for (struct node *h = core ? node_first_child(core) : NULL; h && !found;
		h = node_next_child(core, h)) {
		for (struct node *d = node_first_child(h); d && !found; d = node_next_child(h, d)) {
			strbuf_reset(&own);
			if (savedump_disk_key(d, &own) && !strcmp(own.s, key))
				found = d;
		}
	}
	strbuf_done(&own);
	return found;
}

static int take_away(struct control_call *call, struct node *n, bool clear)
{
	struct tree *t = control_tree(call->control);
	int r;

	if (!clear)
		return call_fail(call, -EEXIST,
			"%s is there already: say \"clear_existing\" to replace it", node_name(n));
	r = tree_clear(t, n, &call->err);
	return r ? r : tree_rmdir(t, n, &call->err);
}

/* What runs under the same names: a refusal, or it goes. Targets first, since they use disks. */
static int make_room(struct control_call *call, const json_t *part, bool clear)
{
	struct tree *t = control_tree(call->control);
	struct node *iscsi = node_child(tree_root(t), "iscsi"), *n;
	json_t *e, *keys = json_object();
	const char *key;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(part, "targets"), i, e) {
		n = iscsi ? node_child(iscsi, str(e, "wwn")) : NULL;
		if (n && !r)
			r = take_away(call, n, clear);
	}
	json_array_foreach (json_object_get(part, "storage_objects"), i, e)
		add_key(e, keys);
	json_object_foreach (keys, key, e) {
		n = r ? NULL : find_disk(t, key);
		/* Of a target that is restored the disks may be there. */
		if (n && !call_string(call, "target"))
			r = take_away(call, n, clear);
	}
	json_decref(keys);
	return r;
}

static int restore(struct saveconfig *s, struct control_call *call, json_t *config)
{
	bool whole = !call_string(call, "target") && !call_string(call, "storage_object");
	bool clear = call_bool(call, "clear_existing", false);
	json_t *part = part_of(call, config);
	struct problems p;
	int r = part ? 0 : call->err.code;

	problems_init(&p);
	if (!r && !(whole && clear))
		r = make_room(call, part, clear);
	if (!r)
		r = saveapply(saveconfig_tree(s), part, NULL,
			SAVEAPPLY_KEEP_EXTRAS | (whole && clear ? SAVEAPPLY_REMOVE_OTHERS : 0),
			saveconfig_hooks(s), &p, NULL);
	if (!r)
		call->result = json_pack("{s:o}", "problems", problems_json(&p));
	problems_done(&p);
	json_decref(part);
	return r;
}

static int method_restore(void *arg, struct control_call *call)
{
	struct saveconfig *s = arg;
	const char *file = call_string(call, "file") ?: saveconfig_file(s);
	json_t *config = NULL;
	struct problems p;
	int r;

	if (!file || file[0] != '/')
		return call_fail(call, -EINVAL, "file %s: an absolute path is meant",
			file ? file : "is missing");
	problems_init(&p);
	r = saveconfig_check(file, &p, &config);
	if (r) {
		call->error_data = json_pack("{s:o}", "problems", problems_json(&p));
		r = call_fail(call, r, "%s: %s: %s; nothing has been changed", file,
			p.n ? p.list[0].path : "", p.n ? p.list[0].text : err_text(r));
	} else if (saveconfig_set_loading(s, true)) {
		r = call_fail(call, -EBUSY, "another configuration is being carried out");
	} else {
		r = restore(s, call, config);
		saveconfig_set_loading(s, false);
	}
	problems_done(&p);
	json_decref(config);
	return r;
}

const struct control_method saverestore_methods[] = {
	{ .name = "restore",
		.doc = "Add what a file has to the running configuration, or put it in its place.",
		.fn = method_restore,
		.changes = true,
		.params = { { "file", PARAM_STRING, false,
				    "absolute path; absent: the daemon's own file" },
			{ "clear_existing", PARAM_BOOL, false,
				"replace what is there; else names that are taken are refused" },
			{ "target", PARAM_STRING, false,
				"this target alone, with the disks that it shows" },
			{ "storage_object", PARAM_STRING, false, "this disk alone" } } },
	{ .name = NULL },
};
