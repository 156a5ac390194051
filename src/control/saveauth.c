/* SPDX-License-Identifier: BSD-3-Clause */
/* saveauth.c: accounts beyond those that LIO's saveconfig knows, from the tree and back. */
#include "control/saveauth.h"

#include <string.h>

#include "control/rpc.h"
#include "control/saveapply_priv.h"
#include "control/savedump.h"

/*
 * Values that are saved beside, in the order in which they are set. A secret that is read from a
 * file reads as empty, so only its file is saved.
 */
static const struct {
	const char *attr;
	bool in_lio; /* of the general account it is in LIO's file */
} values[] = {
	{ "algorithms", false },
	{ "password", true },
	{ "password_file", false },
	{ "password_next", false },
	{ "password_next_file", false },
	{ "userid_mutual", true },
	{ "password_mutual", true },
	{ "password_mutual_file", false },
};

/* ---- from the tree --------------------------------------------------------------------------- */

/* The values of one directory, under its path. */
static void dump_values(struct tree *t, struct node *dir, bool account, json_t *extras)
{
	json_t *out = json_object();
	struct strbuf b, path;

	strbuf_init(&b);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if ((!account && values[i].in_lio) || !savedump_value(t, dir, values[i].attr, &b) ||
			!b.len || !strncmp(b.s, "NULL", 4))
			continue;
		json_object_set_new(out, values[i].attr, json_text(b.s));
	}
	savedump_forget(&b);
	if (account || json_object_size(out)) {
		strbuf_init(&path);
		node_path(dir, &path);
		json_object_set(extras, path.s, out);
		strbuf_done(&path);
	}
	json_decref(out);
}

void saveauth_dump(struct tree *t, struct node *auth, json_t *extras)
{
	struct node *users = auth ? node_child(auth, "users") : NULL, *n;

	if (!auth)
		return;
	dump_values(t, auth, false, extras);
	for (n = users ? node_first_child(users) : NULL; n; n = node_next_child(users, n))
		dump_values(t, n, true, extras);
}

/* ---- to the tree ----------------------------------------------------------------------------- */

/* Set what is kept for dir, clear what is not. */
static void apply_values_of(struct apply *a, struct node *dir, bool account, const json_t *kept)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const char *attr = values[i].attr;
		const char *value = json_string_value(json_object_get(kept, attr));
		struct strbuf b;
		bool there;

		if ((!account && values[i].in_lio) || !node_attr(dir, attr))
			continue;
		strbuf_init(&b);
		there = savedump_value(a->t, dir, attr, &b) && b.len &&
			strncmp(b.s, "NULL", 4) != 0;
		savedump_forget(&b);
		/* A secret that is not there lets nobody in; one that should have gone does. */
		if ((value || there) && !apply_set(a, dir, attr, value ? value : "", attr) &&
			(there || !strcmp(attr, "algorithms")))
			a->unsafe = true;
	}
}

/* Accounts that the extras do not have. */
static void remove_others(struct apply *a, struct node *users, const char *prefix)
{
	struct node *n = node_first_child(users), *next;
	struct strbuf path;

	strbuf_init(&path);
	for (; n; n = next) {
		next = node_next_child(users, n);
		strbuf_reset(&path);
		strbuf_printf(&path, "%s%s", prefix, node_name(n));
		if (!json_object_get(a->extras, path.s) && !apply_remove(a, n))
			a->unsafe = true;
	}
	strbuf_done(&path);
}

static void apply_users(struct apply *a, struct node *users)
{
	struct strbuf prefix;
	const char *key;
	json_t *kept;

	strbuf_init(&prefix);
	node_path(users, &prefix);
	strbuf_putc(&prefix, '/');
	remove_others(a, users, prefix.s);
	json_object_foreach ((json_t *)a->extras, key, kept) {
		struct node *n;

		if (strncmp(key, prefix.s, prefix.len) != 0)
			continue;
		n = apply_dir(a, users, key + prefix.len, NULL);
		if (n)
			apply_values_of(a, n, true, kept);
	}
	strbuf_done(&prefix);
}

void saveauth_apply(struct apply *a, struct node *auth)
{
	struct node *users = auth ? node_child(auth, "users") : NULL;
	struct strbuf outer = a->path, path;

	if (!a->extras || !auth)
		return;
	strbuf_init(&path);
	node_path(auth, &path);
	/* Problems are told with the place in the extras. */
	strbuf_init(&a->path);
	strbuf_printf(&a->path, "(extras)%s", path.s);
	apply_values_of(a, auth, false, json_object_get(a->extras, path.s));
	if (users)
		apply_users(a, users);
	strbuf_done(&a->path);
	a->path = outer;
	strbuf_done(&path);
}
