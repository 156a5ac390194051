/* SPDX-License-Identifier: BSD-3-Clause */
/* method_lun.c: LUNs of portal groups, and what initiators see of them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/disk.h"
#include "daemon/methods.h"
#include "daemon/place.h"

static json_t *lun_row(struct node *lun)
{
	struct node *tpg = node_parent(node_parent(lun));
	struct node_link l = { 0 };
	struct strbuf dir;
	json_t *row;

	strbuf_init(&dir);
	if (node_link_at(lun, 0, &l))
		node_path(l.target, &dir);
	row = json_pack("{s:o, s:I, s:I, s:o, s:o}", "target",
		json_text(node_name(node_parent(tpg))), "tpg", (json_int_t)place_index(tpg), "lun",
		(json_int_t)place_index(lun), "disk",
		json_text(l.target ? node_name(l.target) : ""), "dir", json_text(dir.s));
	strbuf_done(&dir);
	return row;
}

static int method_list(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *iscsi = place_iscsi(t);

	call->result = json_array();
	for (struct node *n = iscsi ? node_first_child(iscsi) : NULL; n;
		n = node_next_child(iscsi, n)) {
		for (struct node *g = node_first_child(n); g; g = node_next_child(n, g)) {
			struct node *luns = node_is_default(g) ? NULL : node_child(g, "lun");

			for (struct node *l = luns ? node_first_child(luns) : NULL; l;
				l = node_next_child(luns, l))
				json_array_append_new(call->result, lun_row(l));
		}
	}
	return 0;
}

/* Map a new LUN for each ACL that has the number free. */
static int map_for_all(struct control_call *call, struct node *tpg, struct node *lun)
{
	struct tree *t = control_tree(call->control);
	struct node *acls = node_child(tpg, "acls"), *ml = NULL;
	int r = 0;

	for (struct node *a = node_first_child(acls); a && !r; a = node_next_child(acls, a)) {
		if (node_child(a, node_name(lun)))
			continue;
		r = tree_mkdir(t, a, node_name(lun), &ml, &call->err);
		if (!r)
			r = tree_link(t, ml, "lun", lun, &call->err);
	}
	return r;
}

/* Take away the mappings of a LUN. */
static int unmap_for_all(
	struct control_call *call, struct node *tpg, struct node *lun, struct errmsg *err)
{
	struct tree *t = control_tree(call->control);
	struct node *acls = node_child(tpg, "acls"), *ml, *next;
	struct node_link l;
	int r = 0;

	for (struct node *a = node_first_child(acls); a && !r; a = node_next_child(acls, a)) {
		for (ml = node_first_child(a); ml && !r; ml = next) {
			next = node_next_child(a, ml);
			if (node_is_default(ml) || !node_link_at(ml, 0, &l) || l.target != lun)
				continue;
			r = tree_clear(t, ml, err);
			if (!r)
				r = tree_rmdir(t, ml, err);
		}
	}
	return r;
}

static uint64_t free_number(struct node *luns)
{
	uint64_t n = 0;
	char name[32];

	do
		snprintf(name, sizeof(name), "lun_%" PRIu64, n++);
	while (node_child(luns, name));
	return n - 1;
}

static int method_add(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	int r = 0;
	struct node *tpg = place_tpg(call, &r), *disk, *luns, *lun = NULL;
	int64_t number = call_integer(call, "lun", -1);
	char name[32];

	if (!tpg)
		return r;
	disk = disk_find(t, call_string(call, "disk"), &call->err);
	if (!disk)
		return call->err.code;
	luns = node_child(tpg, "lun");
	snprintf(name, sizeof(name), "lun_%" PRIu64,
		number < 0 ? free_number(luns) : (uint64_t)number);
	r = tree_mkdir(t, luns, name, &lun, &call->err);
	if (r)
		return r;
	r = tree_link(t, lun, node_name(disk), disk, &call->err);
	if (!r && call_bool(call, "map", true))
		r = map_for_all(call, tpg, lun);
	if (r) {
		unmap_for_all(call, tpg, lun, NULL);
		if (!tree_clear(t, lun, NULL))
			tree_rmdir(t, lun, NULL);
		return r;
	}
	call->result = lun_row(lun);
	return 0;
}

static int method_remove(void *arg, struct control_call *call)
{
	int r = 0;
	struct node *tpg = place_tpg(call, &r), *lun;
	char name[32];

	if (!tpg)
		return r;
	snprintf(name, sizeof(name), "lun_%lld", (long long)call_integer(call, "lun", 0));
	lun = node_child(node_child(tpg, "lun"), name);
	if (!lun)
		return call_fail(call, -ENOENT, "%s has no LUN %lld", node_name(node_parent(tpg)),
			(long long)call_integer(call, "lun", 0));
	r = unmap_for_all(call, tpg, lun, &call->err);
	return r ? r : place_remove(call, lun);
}

#define WHERE                                                                                      \
	{ "target", PARAM_STRING, false, "the target; absent: the only one" },                     \
	{                                                                                          \
		"tpg", PARAM_INTEGER, false, "the tag of its portal group; absent: the only one"   \
	}

const struct control_method lun_methods[] = {
	{ .name = "lun.list", .doc = "All LUNs.", .fn = method_list },
	{ .name = "lun.add",
		.doc = "Show a disk as a LUN; sessions go on and are told.",
		.fn = method_add,
		.changes = true,
		.params = { { "disk", PARAM_STRING, true, "the name of the disk" },
			{ "lun", PARAM_INTEGER, false,
				"its number; absent: the first that is free" },
			{ "map", PARAM_BOOL, false, "map it for every ACL; absent: yes" },
			WHERE } },
	{ .name = "lun.remove",
		.doc = "Show a LUN no more; commands under way end first.",
		.fn = method_remove,
		.changes = true,
		.params = { { "lun", PARAM_INTEGER, true, "its number" }, WHERE } },
	{ .name = NULL },
};
