/* SPDX-License-Identifier: BSD-3-Clause */
/* method_disk.c: disk.list, disk.add, disk.remove, disk.resize. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "block/backstore.h"
#include "daemon/disk.h"
#include "daemon/methods.h"
#include "daemon/place.h"
#include "engine/lu.h"
#include "engine/storage.h"

static json_t *disk_row(struct tree *t, struct node *disk)
{
	struct strbuf state, path, hba, dir;
	struct lu *lu = NULL;
	struct lu_conf conf = { 0 };
	json_t *row;

	strbuf_init(&state);
	strbuf_init(&path);
	strbuf_init(&hba);
	strbuf_init(&dir);
	node_path(disk, &dir);
	place_value(t, disk, "", "state", &state);
	place_value(t, disk, "", "udev_path", &path);
	strbuf_puts(&hba, node_name(node_parent(disk)));
	strbuf_truncate(&hba, (size_t)(strrchr(hba.s, '_') - hba.s));
	if (!storage_lu(disk, &lu, NULL))
		lu_get_conf(lu, &conf);
	row = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:i, s:b}", "name",
		json_text(node_name(disk)), "dir", json_text(dir.s), "hba", json_text(hba.s),
		"path", json_text(path.s), "state", json_text(state.s), "size",
		(json_int_t)conf.nblocks << conf.block_shift, "block_size",
		lu ? 1 << conf.block_shift : 0, "luns", lu ? (int)lu->exports : 0, "read_only",
		conf.write_protected);
	strbuf_done(&state);
	strbuf_done(&path);
	strbuf_done(&hba);
	strbuf_done(&dir);
	return row;
}

static int method_list(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *core = node_child(tree_root(t), "core");
	const char *name = call_string(call, "name");
	struct node *one = name ? disk_find(t, name, &call->err) : NULL;

	if (name && !one)
		return call->err.code;
	call->result = json_array();
	if (one)
		return json_array_append_new(call->result, disk_row(t, one));
	for (struct node *h = node_first_child(core); h; h = node_next_child(core, h)) {
		if (node_is_default(h))
			continue;
		for (struct node *d = node_first_child(h); d; d = node_next_child(h, d))
			json_array_append_new(call->result, disk_row(t, d));
	}
	return 0;
}

static int method_add(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *disk = NULL;
	int r = disk_add(t, call_string(call, "name"), call_string(call, "spec"),
		call_string(call, "serial"), &disk, &call->err);

	if (!r)
		call->result = disk_row(t, disk);
	return r;
}

static int method_remove(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *disk = disk_find(t, call_string(call, "name"), &call->err);

	return disk ? disk_remove(t, disk, &call->err) : call->err.code;
}

static int method_resize(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *disk = disk_find(t, call_string(call, "name"), &call->err);
	const char *size = call_string(call, "size");
	uint64_t bytes = 0;
	int r;

	if (!disk)
		return call->err.code;
	if (size && (num_parse_size(size, &bytes) || !bytes))
		return call_fail(
			call, -EINVAL, "size %s: a size such as 512M or 10G is meant", size);
	r = storage_resize(disk, bytes, call_bool(call, "force", false), &call->err);
	if (!r)
		call->result = disk_row(t, disk);
	return r;
}

static int method_kinds(void *arg, struct control_call *call)
{
	const struct ulio_backstore_ops *ops;
	struct daemon *d = arg;

	call->result = json_array();
	for (unsigned i = 0; (ops = backstore_kind_at(d->reg, i)); i++) {
		json_t *params = json_array();

		for (const struct ulio_param_doc *p = ops->params; p && p->key; p++)
			json_array_append_new(params,
				json_pack("{s:s, s:s*, s:s*, s:b, s:b, s:s}", "key", p->key,
					"choices", p->choices, "preset", p->preset, "required",
					!!(p->flags & ULIO_PARAM_REQUIRED), "live",
					!!(p->flags & ULIO_PARAM_LIVE), "doc", p->text));
		json_array_append_new(
			call->result, json_pack("{s:s, s:s, s:o}", "kind", ops->kind, "doc",
					      ops->text ? ops->text : "", "params", params));
	}
	return 0;
}

#define NAME                                                                                       \
	{                                                                                          \
		"name", PARAM_STRING, true, "its name; fileio/name if several have it"             \
	}

const struct control_method disk_methods[] = {
	{ .name = "disk.list",
		.doc = "All disks, or one; \"dir\" is where it lies in the tree.",
		.fn = method_list,
		.params = { { "name", PARAM_STRING, false,
			"its name; fileio/name if several have it; absent: all" } } },
	{ .name = "disk.kinds",
		.doc = "The kinds of disks that there are, with their settings.",
		.fn = method_kinds },
	{ .name = "disk.add",
		.doc = "Make a disk and open it.",
		.fn = method_add,
		.changes = true,
		.params = { { "name", PARAM_STRING, true, "a name for it" },
			{ "spec", PARAM_STRING, true, "file:/path,size=10G, ram:1G, null:1T …" },
			{ "serial", PARAM_STRING, false,
				"unit serial number; absent: a random UUID" } } },
	{ .name = "disk.remove",
		.doc = "Close a disk that no LUN shows, and forget it; its data stay.",
		.fn = method_remove,
		.changes = true,
		.params = { NAME } },
	{ .name = "disk.resize",
		.doc = "Change the size of a disk; initiators are told.",
		.fn = method_resize,
		.changes = true,
		.params = { NAME,
			{ "size", PARAM_STRING, false,
				"the new size; absent: that of the file or device" },
			{ "force", PARAM_BOOL, false, "shrink it, although data are lost" } } },
	{ .name = NULL },
};
