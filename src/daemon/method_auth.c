/* SPDX-License-Identifier: BSD-3-Clause */
/* method_auth.c: auth.refresh: secrets in files; logins.refused: who was not let in. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/methods.h"
#include "daemon/place.h"
#include "fabric/iscsi/auth.h"
#include "fabric/iscsi/login_log.h"

static void tell_failed(const char *source, const char *why, void *arg)
{
	log_msg(LOG_LEVEL_ERROR, "daemon", "the secret in %s keeps its old value: %s", source, why);
	if (arg)
		json_array_append_new(arg, json_pack("{s:o, s:o}", "source", json_text(source),
						   "why", json_text(why)));
}

void daemon_refresh_secrets(void *arg)
{
	struct daemon *d = arg;
	unsigned changed, n = auth_refresh(d->iscsi, &changed, tell_failed, NULL);

	if (changed)
		log_msg(LOG_LEVEL_INFO, "daemon", "%u of %u secrets in files are new", changed, n);
}

static int method_refresh(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	json_t *failed = json_array();
	unsigned changed, n = auth_refresh(d->iscsi, &changed, tell_failed, failed);

	call->result = json_pack(
		"{s:i, s:i, s:o}", "read", (int)n, "changed", (int)changed, "failed", failed);
	return 0;
}

/* ---- logins.refused -------------------------------------------------------------------------- */

static void add_refused(const struct login_record *r, void *arg)
{
	char status[8];

	snprintf(status, sizeof(status), "0x%04x", r->status);
	json_array_append_new(
		arg, json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:b, s:s, s:s, s:s, s:o, s:s}",
			     "last", (json_int_t)r->last_s, "first", (json_int_t)r->first_s,
			     "times", (json_int_t)r->count, "peer", json_text(r->peer), "initiator",
			     json_text(r->initiator), "target", json_text(r->target), "discovery",
			     r->discovery, "stage", r->stage, "status", status, "status_name",
			     login_status_name(r->status), "cause", json_text(r->cause), "cure",
			     r->cure));
}

static int method_refused(void *arg, struct control_call *call)
{
	struct daemon *d = arg;

	call->result = json_array();
	login_log_each(&d->iscsi->refused, add_refused, call->result);
	return 0;
}

/* ---- auth.list, add, set, promote, remove ---------------------------------------------------- */

static const char *kind_of(const struct auth_user *u, enum auth_field field)
{
	if (u->sources[field])
		return u->sources[field];
	return *auth_value(u, field) ? "set" : "";
}

static bool says_nothing(const struct auth_user *u)
{
	for (int i = 0; i < AUTH_FIELDS; i++) {
		if (*auth_value(u, (enum auth_field)i))
			return false;
	}
	return true;
}

/* One account, without its secrets: of each where it comes from. */
static void add_account(json_t *out, const struct node *auth_dir, const struct auth_user *u)
{
	char algorithms[CHAP_POLICY_TEXT];
	struct strbuf path;

	if (says_nothing(u))
		return;
	chap_policy_print(&u->auth->policy, algorithms);
	strbuf_init(&path);
	node_path(auth_dir, &path);
	json_array_append_new(out,
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "place", json_text(path.s), "user",
			json_text(auth_value(u, AUTH_USERID)), "password",
			json_text(kind_of(u, AUTH_PASSWORD)), "next_password",
			json_text(kind_of(u, AUTH_PASSWORD_NEXT)), "mutual_user",
			json_text(auth_value(u, AUTH_USERID_MUTUAL)), "mutual_password",
			json_text(kind_of(u, AUTH_PASSWORD_MUTUAL)), "algorithms", algorithms));
	strbuf_done(&path);
}

static void add_place(json_t *out, struct node *auth_dir)
{
	struct auth_user *own = node_obj(auth_dir), *u;

	add_account(out, auth_dir, own);
	list_for_each (u, &own->auth->users, struct auth_user, link)
		add_account(out, auth_dir, u);
}

static void add_tpg(json_t *out, struct node *tpg)
{
	struct node *acls = node_child(tpg, "acls");

	add_place(out, node_child(tpg, "auth"));
	for (struct node *a = node_first_child(acls); a; a = node_next_child(acls, a))
		add_place(out, node_child(a, "auth"));
}

static int method_auth_list(void *arg, struct control_call *call)
{
	struct node *iscsi = place_iscsi(control_tree(call->control)), *t, *g;

	call->result = json_array();
	if (!iscsi)
		return 0;
	add_place(call->result, node_child(iscsi, "discovery_auth"));
	for (t = node_first_child(iscsi); t; t = node_next_child(iscsi, t)) {
		if (node_is_default(t))
			continue;
		for (g = node_first_child(t); g; g = node_next_child(t, g)) {
			if (!node_is_default(g))
				add_tpg(call->result, g);
		}
	}
	return 0;
}

/* The directory of secrets that the parameters mean. NULL: *ret_error and call->err say why. */
static struct node *place_auth(struct control_call *call, int *ret_error)
{
	struct node *iscsi = place_iscsi(control_tree(call->control)), *tpg, *acl;
	const char *initiator = call_string(call, "initiator");

	if (call_bool(call, "discovery", false)) {
		if (!iscsi)
			*ret_error = call_fail(call, -ENOENT, "there is no target yet");
		return iscsi ? node_child(iscsi, "discovery_auth") : NULL;
	}
	tpg = place_tpg(call, ret_error);
	if (!tpg || !initiator)
		return tpg ? node_child(tpg, "auth") : NULL;
	acl = node_child(node_child(tpg, "acls"), initiator);
	if (!acl)
		*ret_error = call_fail(call, -ENOENT, "%s: %s has no ACL for it", initiator,
			node_name(node_parent(tpg)));
	return acl ? node_child(acl, "auth") : NULL;
}

/* The directory of the account that is meant: the place's own, or one in users/. */
static struct node *place_account(struct control_call *call, int *ret_error)
{
	struct node *auth = place_auth(call, ret_error), *n;
	const char *name = call_string(call, "user");

	if (!auth)
		return NULL;
	n = node_child(node_child(auth, "users"), name);
	if (!n && *name && !strcmp(auth_value(node_obj(auth), AUTH_USERID), name))
		n = auth;
	if (!n)
		*ret_error = call_fail(call, -ENOENT,
			"there is no account %s here; \"ulio auth list\" shows those there are",
			name);
	return n;
}

static int set_account(struct control_call *call, struct node *account)
{
	static const struct {
		const char *param, *attr;
	} values[] = {
		{ "password", "password" },
		{ "source", "password_file" },
		{ "next_password", "password_next" },
		{ "next_source", "password_next_file" },
		{ "mutual_user", "userid_mutual" },
		{ "mutual_password", "password_mutual" },
		{ "mutual_source", "password_mutual_file" },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) && !r; i++) {
		const char *value = call_string(call, values[i].param);

		if (value)
			r = place_set(call, account, "", values[i].attr, value);
	}
	return r;
}

static int method_auth_add(void *arg, struct control_call *call)
{
	struct tree *t = control_tree(call->control);
	int r = 0;
	struct node *auth = place_auth(call, &r), *account = NULL;

	if (!auth)
		return r;
	if (!call_string(call, "password") && !call_string(call, "source"))
		return call_fail(call, -EINVAL,
			"an account without a secret lets nobody in: \"password\" or \"source\" "
			"gives it one");
	r = tree_mkdir(
		t, node_child(auth, "users"), call_string(call, "user"), &account, &call->err);
	if (!r)
		r = set_account(call, account);
	if (r && account)
		tree_rmdir(t, account, NULL);
	return r;
}

static int method_auth_set(void *arg, struct control_call *call)
{
	int r = 0;
	struct node *account = place_account(call, &r);

	return account ? set_account(call, account) : r;
}

static int method_auth_promote(void *arg, struct control_call *call)
{
	int r = 0;
	struct node *account = place_account(call, &r);

	return account ? auth_promote(node_obj(account), &call->err) : r;
}

static int method_auth_remove(void *arg, struct control_call *call)
{
	static const char *const attrs[] = { "userid", "password", "password_next", "userid_mutual",
		"password_mutual" };
	int r = 0;
	struct node *account = place_account(call, &r);

	if (!account)
		return r;
	if (!node_is_default(account))
		return tree_rmdir(control_tree(call->control), account, &call->err);
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]) && !r; i++)
		r = place_set(call, account, "", attrs[i], "");
	return r;
}

/* clang-format off */
#define WHERE                                                                                      \
	{ "initiator", PARAM_STRING, false, "of the ACL of this initiator" },                      \
	{ "discovery", PARAM_BOOL, false, "of discovery" },                                        \
	{ "target", PARAM_STRING, false, "the target; absent: the only one" },                     \
	{ "tpg", PARAM_INTEGER, false, "the tag of its portal group; absent: the only one" }
#define USER { "user", PARAM_STRING, true, "the name that the initiator proves to have" }
#define SECRETS                                                                                    \
	{ "password", PARAM_STRING, false, "its secret, 12 bytes at least" },                      \
	{ "source", PARAM_STRING, false, "or the file, or credential:NAME, that has it" },         \
	{ "mutual_user", PARAM_STRING, false, "name by which the target answers" },                \
	{ "mutual_password", PARAM_STRING, false, "and its secret, another one" },                 \
	{ "mutual_source", PARAM_STRING, false, "or the file, or credential:NAME, that has it" }
/* clang-format on */

const struct control_method auth_methods[] = {
	{ .name = "auth.list",
		.doc = "All accounts, with where their secrets come from, never the secrets.",
		.fn = method_auth_list },
	{ .name = "auth.add",
		.doc = "Make one more account, for an initiator with an ACL, for those without, or "
		       "for discovery.",
		.fn = method_auth_add,
		.changes = true,
		.params = { USER, SECRETS, WHERE } },
	{ .name = "auth.set",
		.doc = "Change the secrets of an account; no session is disturbed.",
		.fn = method_auth_set,
		.changes = true,
		.params = { USER, SECRETS,
			{ "next_password", PARAM_STRING, false,
				"a second secret that is good too, until it is promoted" },
			{ "next_source", PARAM_STRING, false, "or where that is" }, WHERE } },
	{ .name = "auth.promote",
		.doc = "Make the next password of an account the only one.",
		.fn = method_auth_promote,
		.changes = true,
		.params = { USER, WHERE } },
	{ .name = "auth.remove",
		.doc = "Remove an account; its sessions stay.",
		.fn = method_auth_remove,
		.changes = true,
		.params = { USER, WHERE } },
	{ .name = "logins.refused",
		.doc = "The latest refused logins, each kind once: who, where, why, and the cure.",
		.fn = method_refused },
	{ .name = "auth.refresh",
		.doc = "Read the secrets again that are kept in files; sessions stay.",
		.fn = method_refresh,
		.changes = true },
	{ .name = NULL },
};
