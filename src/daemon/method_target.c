/* SPDX-License-Identifier: BSD-3-Clause */
/* method_target.c: targets, portals and who may log in. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/methods.h"
#include "daemon/place.h"

/* ---- targets --------------------------------------------------------------------------------- */

/* Access in one word, and whether a secret is needed. */
static const char *access_of(struct tree *t, struct node *tpg)
{
	struct node *acls = node_child(tpg, "acls");

	if (place_is(t, tpg, "", "enable", "0"))
		return "closed";
	if (place_is(t, tpg, "attrib", "generate_node_acls", "1"))
		return place_is(t, tpg, "attrib", "demo_mode_write_protect", "1") ? "anyone-read"
										  : "anyone-write";
	return acls && node_first_child(acls) ? "allow-list" : "nobody";
}

static json_t *names_of(struct node *dir)
{
	json_t *out = json_array();

	for (struct node *n = dir ? node_first_child(dir) : NULL; n; n = node_next_child(dir, n)) {
		if (!node_is_default(n))
			json_array_append_new(out, json_text(node_name(n)));
	}
	return out;
}

static json_t *tpg_row(struct tree *t, struct node *tpg)
{
	return json_pack("{s:o, s:I, s:b, s:s, s:b, s:o, s:o, s:o}", "target",
		json_text(node_name(node_parent(tpg))), "tpg", (json_int_t)place_index(tpg),
		"enabled", place_is(t, tpg, "", "enable", "1"), "access", access_of(t, tpg), "chap",
		place_is(t, tpg, "attrib", "authentication", "1"), "portals",
		names_of(node_child(tpg, "np")), "luns", names_of(node_child(tpg, "lun")), "acls",
		names_of(node_child(tpg, "acls")));
}

static int method_list(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *iscsi = place_iscsi(t);

	call->result = json_array();
	for (struct node *n = iscsi ? node_first_child(iscsi) : NULL; n;
		n = node_next_child(iscsi, n)) {
		if (node_is_default(n))
			continue;
		for (struct node *g = node_first_child(n); g; g = node_next_child(n, g)) {
			if (!node_is_default(g))
				json_array_append_new(call->result, tpg_row(t, g));
		}
	}
	return 0;
}

/* The fabric's directory, made if it is not there. */
static struct node *need_iscsi(struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	struct node *iscsi = place_iscsi(t);

	if (!iscsi)
		tree_mkdir(t, tree_root(t), "iscsi", &iscsi, &call->err);
	return iscsi;
}

static int add_portal(
	struct control_call *call, struct node *tpg, const char *address, const char *advertise)
{
	struct tree *t = control_tree(call->control);
	struct node *np = NULL;
	char name[300];
	int r;

	place_portal_name(address, name, sizeof(name));
	r = tree_mkdir(t, node_child(tpg, "np"), name, &np, &call->err);
	if (!r && advertise)
		r = tree_set(t, np, "advertise", advertise, &call->err);
	if (r && np)
		tree_rmdir(t, np, NULL);
	return r;
}

static int method_add(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	struct tree *t = control_tree(call->control);
	const char *name = call_string(call, "target"), *address = call_string(call, "address");
	struct node *iscsi = need_iscsi(call), *target = NULL, *tpg = NULL;
	char buf[256];
	int r;

	if (!iscsi)
		return call->err.code;
	if (!name)
		name = daemon_target_name(d->o, buf, sizeof(buf));
	r = tree_mkdir(t, iscsi, name, &target, &call->err);
	if (r)
		return r;
	r = tree_mkdir(t, target, "tpgt_1", &tpg, &call->err);
	if (!r && address)
		r = add_portal(call, tpg, address, call_string(call, "advertise"));
	if (!r)
		r = place_set(call, tpg, "", "enable", "1");
	if (!r) {
		call->result = tpg_row(t, tpg);
		return 0;
	}
	if (!tree_clear(t, target, NULL))
		tree_rmdir(t, target, NULL);
	return r;
}

static int method_remove(void *arg, struct control_call *call)
{
	int r = 0;
	struct node *target = place_target(call, &r), *g;

	if (!target)
		return r;
	/* Closed first: its sessions end before anything below them goes. */
	for (g = node_first_child(target); g && !r; g = node_next_child(target, g)) {
		if (!node_is_default(g))
			r = place_set(call, g, "", "enable", "0");
	}
	return r ? r : place_remove(call, target);
}

static int method_access(void *arg, struct control_call *call)
{
	static const struct {
		const char *word, *generate, *protect;
	} words[] = {
		{ "allow-list", "0", "1" },
		{ "anyone-read", "1", "1" },
		{ "anyone-write", "1", "0" },
	};
	const char *word = call_string(call, "access");
	int r = 0;
	struct node *tpg = place_tpg(call, &r);
	size_t i = 0;

	if (!tpg)
		return r;
	while (i < 3 && strcmp(words[i].word, word) != 0)
		i++;
	if (i == 3)
		return call_fail(call, -EINVAL,
			"access %s: allow-list, anyone-read or anyone-write is meant", word);
	/* The stricter of both first, whichever way it goes. */
	r = place_set(call, tpg, "attrib", "demo_mode_write_protect", words[i].protect);
	if (!r)
		r = place_set(call, tpg, "attrib", "generate_node_acls", words[i].generate);
	if (!r)
		call->result = tpg_row(control_tree(call->control), tpg);
	return r;
}

/* ---- portals --------------------------------------------------------------------------------- */

static int method_portal_add(void *arg, struct control_call *call)
{
	int r = 0;
	struct node *tpg = place_tpg(call, &r);

	if (!tpg)
		return r;
	r = add_portal(call, tpg, call_string(call, "address"), call_string(call, "advertise"));
	if (!r)
		call->result = tpg_row(control_tree(call->control), tpg);
	return r;
}

static struct node *find_portal(struct control_call *call, int *r)
{
	const char *address = call_string(call, "address");
	struct node *tpg = place_tpg(call, r), *nps, *np;

	if (!tpg)
		return NULL;
	nps = node_child(tpg, "np");
	np = nps ? node_child(nps, address) : NULL;
	if (!np)
		*r = call_fail(call, -ENOENT, "%s: there is no such portal in %s", address,
			node_name(node_parent(tpg)));
	return np;
}

static int method_portal_redirect(void *arg, struct control_call *call)
{
	const char *to = call_string(call, "to");
	bool permanent = call_bool(call, "permanent", false);
	int r = 0;
	struct node *np = find_portal(call, &r);

	if (!np)
		return r;
	/* In the order in which neither step is refused. */
	if (!permanent)
		r = place_set(call, np, "", "redirect_permanent", "0");
	if (!r)
		r = place_set(call, np, "", "redirect", strcmp(to, "none") != 0 ? to : "");
	if (!r && permanent)
		r = place_set(call, np, "", "redirect_permanent", "1");
	return r;
}

static int method_portal_remove(void *arg, struct control_call *call)
{
	int r = 0;
	struct node *np = find_portal(call, &r);

	if (!np)
		return r;
	return tree_rmdir(control_tree(call->control), np, &call->err);
}

/* ---- ACLs ------------------------------------------------------------------------------------ */

/* Map every LUN of the portal group under its own number. */
static int map_all(struct control_call *call, struct node *tpg, struct node *acl, bool read_only)
{
	struct tree *t = control_tree(call->control);
	struct node *luns = node_child(tpg, "lun"), *ml = NULL;
	int r = 0;

	for (struct node *l = node_first_child(luns); l && !r; l = node_next_child(luns, l)) {
		r = tree_mkdir(t, acl, node_name(l), &ml, &call->err);
		if (!r)
			r = tree_link(t, ml, "lun", l, &call->err);
		if (!r && read_only)
			r = place_set(call, ml, "", "write_protect", "1");
	}
	return r;
}

static const struct {
	const char *param, *attr;
} chap_params[] = {
	{ "user", "userid" },
	{ "password", "password" },
	{ "mutual_user", "userid_mutual" },
	{ "mutual_password", "password_mutual" },
};

static int set_chap(struct control_call *call, struct node *acl)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(chap_params) / sizeof(chap_params[0]) && !r; i++) {
		const char *value = call_string(call, chap_params[i].param);

		if (value)
			r = place_set(call, acl, "auth", chap_params[i].attr, value);
	}
	return r;
}

static int method_acl_add(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	int r = 0;
	struct node *tpg = place_tpg(call, &r), *acl = NULL;

	if (!tpg)
		return r;
	r = tree_mkdir(
		t, node_child(tpg, "acls"), call_string(call, "initiator"), &acl, &call->err);
	if (r)
		return r;
	r = set_chap(call, acl);
	if (!r && call_string(call, "password"))
		r = place_set(call, acl, "attrib", "authentication", "1");
	if (!r && call_bool(call, "map", true))
		r = map_all(call, tpg, acl, call_bool(call, "read_only", false));
	if (r) {
		if (!tree_clear(t, acl, NULL))
			tree_rmdir(t, acl, NULL);
		return r;
	}
	call->result = tpg_row(t, tpg);
	return 0;
}

static int method_acl_remove(void *arg, struct control_call *call)
{
	const char *name = call_string(call, "initiator");
	int r = 0;
	struct node *tpg = place_tpg(call, &r), *acl;

	if (!tpg)
		return r;
	acl = node_child(node_child(tpg, "acls"), name);
	if (!acl)
		return call_fail(call, -ENOENT, "%s: %s has no ACL for it", name,
			node_name(node_parent(tpg)));
	return place_remove(call, acl);
}

#define WHERE                                                                                      \
	{ "target", PARAM_STRING, false, "the target; absent: the only one" },                     \
	{                                                                                          \
		"tpg", PARAM_INTEGER, false, "the tag of its portal group; absent: the only one"   \
	}

const struct control_method target_methods[] = {
	{ .name = "target.list", .doc = "All targets, by portal group.", .fn = method_list },
	{ .name = "target.add",
		.doc = "Make a target with one portal group, open but for its access list.",
		.fn = method_add,
		.changes = true,
		.params = { { "target", PARAM_STRING, false,
				    "its name; absent: from the host's name" },
			{ "address", PARAM_STRING, false, "a portal for it, 10.0.0.1:3260" },
			{ "advertise", PARAM_STRING, false,
				"what initiators are told instead" } } },
	{ .name = "target.remove",
		.doc = "End its sessions and remove a target.",
		.fn = method_remove,
		.changes = true,
		.params = { { "target", PARAM_STRING, true, "its name" } } },
	{ .name = "target.access",
		.doc = "Who may log in: allow-list, anyone-read or anyone-write.",
		.fn = method_access,
		.changes = true,
		.params = { { "access", PARAM_STRING, true,
				    "allow-list: those with an ACL; anyone-read, anyone-write" },
			WHERE } },
	{ .name = "portal.add",
		.doc = "Let a portal group be reached at one more address.",
		.fn = method_portal_add,
		.changes = true,
		.params = { { "address", PARAM_STRING, true,
				    "10.0.0.1:3260 or [2001:db8::1]:3260; with @NAME in that "
				    "network namespace" },
			{ "advertise", PARAM_STRING, false, "what initiators are told instead" },
			WHERE } },
	{ .name = "portal.redirect",
		.doc = "Send logins that come by a portal to another place; sessions stay.",
		.fn = method_portal_redirect,
		.changes = true,
		.params = { { "address", PARAM_STRING, true, "as \"target list\" shows it" },
			{ "to", PARAM_STRING, true,
				"HOST:PORT, balance, elsewhere, or none: it takes them itself" },
			{ "permanent", PARAM_BOOL, false,
				"tell initiators that it is so for good; absent: no" },
			WHERE } },
	{ .name = "portal.remove",
		.doc = "Listen there no more; sessions stay.",
		.fn = method_portal_remove,
		.changes = true,
		.params = { { "address", PARAM_STRING, true, "as \"target list\" shows it" },
			WHERE } },
	{ .name = "acl.add",
		.doc = "Let an initiator in, and map the LUNs for it.",
		.fn = method_acl_add,
		.changes = true,
		.params = { { "initiator", PARAM_STRING, true, "its name, iqn.…" },
			{ "user", PARAM_STRING, false, "CHAP name" },
			{ "password", PARAM_STRING, false, "CHAP secret, 12 bytes at least" },
			{ "mutual_user", PARAM_STRING, false,
				"CHAP name by which the target answers" },
			{ "mutual_password", PARAM_STRING, false, "and its secret" },
			{ "map", PARAM_BOOL, false, "map every LUN; absent: yes" },
			{ "read_only", PARAM_BOOL, false, "map them write-protected" }, WHERE } },
	{ .name = "acl.remove",
		.doc = "End the sessions of an initiator and let it in no more.",
		.fn = method_acl_remove,
		.changes = true,
		.params = { { "initiator", PARAM_STRING, true, "its name" }, WHERE } },
	{ .name = NULL },
};
