/* SPDX-License-Identifier: BSD-3-Clause */
/* method_alua.c: target port groups and their access states. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/disk.h"
#include "daemon/methods.h"
#include "daemon/place.h"

/* The states of alua_access_state, by the words that people use. */
static const struct {
	const char *word, *number;
} states[] = {
	{ "optimized", "0" },
	{ "nonoptimized", "1" },
	{ "standby", "2" },
	{ "unavailable", "3" },
	{ "lba-dependent", "4" },
	{ "offline", "14" },
	{ "transitioning", "15" },
};

#define STATE_WORDS                                                                                \
	"optimized, nonoptimized, standby, unavailable, lba-dependent, offline or transitioning"

static const char *word_of(const char *number)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!strcmp(states[i].number, number))
			return states[i].word;
	return number;
}

/* ---- alua.list ------------------------------------------------------------------------------- */

/* Lines as an array of strings. */
static json_t *lines(const char *text)
{
	json_t *out = json_array();

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			json_array_append_new(out, json_stringn(text, n));
		text += n + (text[n] == '\n');
	}
	return out;
}

static json_t *group_row(struct tree *t, struct node *disk, struct node *g)
{
	static const char *const texts[][2] = {
		{ "access", "alua_access_type" },
		{ "status", "alua_access_status" },
	};
	json_t *row = json_pack(
		"{s:o, s:o}", "disk", json_text(node_name(disk)), "group", json_text(node_name(g)));
	struct strbuf b;

	strbuf_init(&b);
	place_value(t, g, "", "tg_pt_gp_id", &b);
	/* Without an id nobody is told of it. */
	json_object_set_new(row, "id", b.len ? json_integer(atoll(b.s)) : json_null());
	strbuf_reset(&b);
	place_value(t, g, "", "alua_access_state", &b);
	json_object_set_new(row, "state", json_text(word_of(b.s)));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		strbuf_reset(&b);
		place_value(t, g, "", texts[i][1], &b);
		json_object_set_new(row, texts[i][0], json_text(b.s));
	}
	json_object_set_new(row, "preferred", json_boolean(place_is(t, g, "", "preferred", "1")));
	strbuf_reset(&b);
	place_value(t, g, "", "members", &b);
	json_object_set_new(row, "members", lines(b.s));
	strbuf_done(&b);
	return row;
}

static void add_groups(struct tree *t, struct node *disk, json_t *out)
{
	struct node *alua = node_child(disk, "alua");

	for (struct node *g = alua ? node_first_child(alua) : NULL; g; g = node_next_child(alua, g))
		json_array_append_new(out, group_row(t, disk, g));
}

static int method_list(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *core = node_child(tree_root(t), "core"), *one = NULL;
	const char *name = call_string(call, "disk");

	if (name) {
		one = disk_find(t, name, &call->err);
		if (!one)
			return call->err.code;
	}
	call->result = json_array();
	for (struct node *h = node_first_child(core); h; h = node_next_child(core, h)) {
		if (node_is_default(h))
			continue;
		for (struct node *d = node_first_child(h); d; d = node_next_child(h, d))
			if (!one || d == one)
				add_groups(t, d, call->result);
	}
	return 0;
}

/* ---- one group ------------------------------------------------------------------------------- */

/* The group by parameters "disk" and "group". NULL: told. */
static struct node *find_group(struct control_call *call, struct node **ret_disk)
{
	struct node *disk =
		disk_find(control_tree(call->control), call_string(call, "disk"), &call->err);
	const char *name = call_string(call, "group");
	struct node *g = disk ? node_child(node_child(disk, "alua"), name) : NULL;

	if (disk && !g)
		call_fail(call, -ENOENT, "%s has no group %s: \"ulio alua list %s\" shows them",
			node_name(disk), name, node_name(disk));
	*ret_disk = disk;
	return g;
}

static int method_set(void *arg, struct control_call *call)
{
	const char *state = call_string(call, "state");
	struct node *disk, *g = find_group(call, &disk);
	int r;

	if (!g)
		return call->err.code;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(states[i].word, state) != 0)
			continue;
		r = place_set(call, g, "", "alua_access_state", states[i].number);
		if (!r)
			call->result = group_row(control_tree(call->control), disk, g);
		return r;
	}
	return call_fail(call, -EINVAL, "%s is no state: " STATE_WORDS " is meant", state);
}

static int method_create(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *disk = disk_find(t, call_string(call, "disk"), &call->err), *g = NULL;
	char id[24];
	int r;

	if (!disk)
		return call->err.code;
	snprintf(id, sizeof(id), "%" PRId64, call_integer(call, "id", 0));
	r = tree_mkdir(t, node_child(disk, "alua"), call_string(call, "group"), &g, &call->err);
	if (r)
		return r;
	r = place_set(call, g, "", "tg_pt_gp_id", id);
	if (r)
		tree_rmdir(t, g, NULL);
	else
		call->result = group_row(t, disk, g);
	return r;
}

static int method_remove(void *arg, struct control_call *call)
{
	struct node *disk, *g = find_group(call, &disk);

	return g ? tree_rmdir(control_tree(call->control), g, &call->err) : call->err.code;
}

static int method_move(void *arg, struct control_call *call)
{
	int r = 0;
	struct node *tpg = place_tpg(call, &r), *lun;
	char name[32];

	if (!tpg)
		return r;
	snprintf(name, sizeof(name), "lun_%" PRId64, call_integer(call, "lun", 0));
	lun = node_child(node_child(tpg, "lun"), name);
	if (!lun)
		return call_fail(call, -ENOENT, "%s has no LUN %" PRId64,
			node_name(node_parent(tpg)), call_integer(call, "lun", 0));
	return place_set(call, lun, "", "alua_tg_pt_gp", call_string(call, "group"));
}

#define GROUP                                                                                      \
	{ "disk", PARAM_STRING, true, "the name of the disk" },                                    \
	{                                                                                          \
		"group", PARAM_STRING, true, "the target port group"                               \
	}

const struct control_method alua_methods[] = {
	{ .name = "alua.list",
		.doc = "Target port groups with their access states and LUNs.",
		.fn = method_list,
		.params = { { "disk", PARAM_STRING, false, "of this disk; absent: of all" } } },
	{ .name = "alua.set",
		.doc = "Change the access state of a group; returns when that is done.",
		.fn = method_set,
		.changes = true,
		.params = { GROUP, { "state", PARAM_STRING, true, STATE_WORDS } } },
	{ .name = "alua.create",
		.doc = "Make a target port group.",
		.fn = method_create,
		.changes = true,
		.params = { GROUP,
			{ "id", PARAM_INTEGER, false,
				"1 to 65535, as initiators see it; absent: one that is free" } } },
	{ .name = "alua.remove",
		.doc = "Remove a target port group; its LUNs go to default_tg_pt_gp.",
		.fn = method_remove,
		.changes = true,
		.params = { GROUP } },
	{ .name = "alua.move",
		.doc = "Put a LUN into a target port group of its disk.",
		.fn = method_move,
		.changes = true,
		.params = { { "lun", PARAM_INTEGER, true, "its number" },
			{ "group", PARAM_STRING, true, "the target port group" },
			{ "target", PARAM_STRING, false, "the target; absent: the only one" },
			{ "tpg", PARAM_INTEGER, false,
				"the tag of its portal group; absent: the only one" } } },
	{ .name = NULL },
};
