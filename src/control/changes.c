/* SPDX-License-Identifier: BSD-3-Clause */
/* changes.c: the list of what a configuration changes. */
#include "control/changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc.h"

struct changes {
	json_t *list;
	json_t *made, *gone; /* sets of paths */
};

int changes_new(struct changes **ret)
{
	struct changes *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return -ENOMEM;
	ch->list = json_array();
	ch->made = json_object();
	ch->gone = json_object();
	if (!ch->list || !ch->made || !ch->gone) {
		changes_free(ch);
		return -ENOMEM;
	}
	*ret = ch;
	return 0;
}

struct changes *changes_free(struct changes *ch)
{
	if (!ch)
		return NULL;
	json_decref(ch->list);
	json_decref(ch->made);
	json_decref(ch->gone);
	free(ch);
	return NULL;
}

json_t *changes_list(const struct changes *ch)
{
	return ch->list;
}

/* Is path, or a directory above it, in the set? */
static bool is_in(const json_t *set, const char *path)
{
	char *part = strdup(path), *slash;
	bool found = false;

	if (!part || !json_object_size(set)) {
		free(part);
		return false;
	}
	while (!(found = json_object_get(set, part)) && (slash = strrchr(part, '/')))
		*slash = '\0';
	free(part);
	return found;
}

bool changes_is_gone(const struct changes *ch, const struct node *n)
{
	struct strbuf path;
	bool gone;

	if (!json_object_size(ch->gone))
		return false;
	strbuf_init(&path);
	node_path(n, &path);
	gone = is_in(ch->gone, path.s);
	strbuf_done(&path);
	return gone;
}

/* Append a change; the references to was and now pass to it. */
static void note(struct changes *ch, const char *op, const char *path, json_t *was, json_t *now,
	bool secret, const char *text)
{
	json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:o}", "op", op, "path", json_text(path), "old",
		was ? was : json_null(), "new", now ? now : json_null(), "text", json_text(text));

	if (secret)
		json_object_set_new(j, "secret", json_true());
	json_array_append_new(ch->list, j);
}

/* ---- what is new ----------------------------------------------------------------------------- */

/* A copy without secrets: whatever has "password" in its name. */
static json_t *without_secrets(const json_t *j)
{
	json_t *out, *v;
	const char *key;
	size_t i;

	if (json_is_array(j)) {
		out = json_array();
		json_array_foreach (j, i, v)
			json_array_append_new(out, without_secrets(v));
		return out;
	}
	if (!json_is_object(j))
		return json_deep_copy(j);
	out = json_object();
	json_object_foreach ((json_t *)j, key, v)
		json_object_set_new(
			out, key, strstr(key, "password") ? json_null() : without_secrets(v));
	return out;
}

static void create(struct changes *ch, const char *path, const json_t *obj)
{
	struct strbuf text;

	strbuf_init(&text);
	strbuf_printf(&text, "create %s", path);
	note(ch, "create", path, NULL, obj ? without_secrets(obj) : NULL, false, text.s);
	strbuf_done(&text);
}

void changes_create(struct changes *ch, struct node *dir, const char *name, const json_t *obj)
{
	struct strbuf path;

	strbuf_init(&path);
	node_path(dir, &path);
	strbuf_printf(&path, "/%s", name);
	if (!is_in(ch->made, path.s)) {
		create(ch, path.s, obj);
		json_object_set_new(ch->made, path.s, json_true());
	}
	strbuf_done(&path);
}

void changes_create_disk(struct changes *ch, const char *key, struct node *disk, const json_t *obj)
{
	struct strbuf path;

	create(ch, key, obj);
	if (!disk)
		return;
	strbuf_init(&path);
	node_path(disk, &path);
	json_object_set_new(ch->made, path.s, json_true());
	strbuf_done(&path);
}

/* ---- the rest -------------------------------------------------------------------------------- */

void changes_remove(struct changes *ch, const char *path)
{
	struct strbuf text;

	if (is_in(ch->gone, path))
		return;
	json_object_set_new(ch->gone, path, json_true());
	strbuf_init(&text);
	strbuf_printf(&text, "remove %s", path);
	note(ch, "remove", path, NULL, NULL, false, text.s);
	strbuf_done(&text);
}

void changes_set(
	struct changes *ch, struct node *dir, const char *attr, const char *was, const char *value)
{
	const struct attr *a = node_attr(dir, attr);
	bool secret = !a || a->flags & ATTR_SECRET;
	struct strbuf path, text;

	strbuf_init(&path);
	strbuf_init(&text);
	node_path(dir, &path);
	strbuf_printf(&path, "/%s", attr);
	if (!is_in(ch->made, path.s) && !is_in(ch->gone, path.s)) {
		if (secret)
			strbuf_printf(&text, "set %s", path.s);
		else
			strbuf_printf(&text, "set %s: \"%s\" -> \"%s\"", path.s, was, value);
		note(ch, "set", path.s, secret ? NULL : json_text(was),
			secret ? NULL : json_text(value), secret, text.s);
	}
	strbuf_done(&path);
	strbuf_done(&text);
}

void changes_link(struct changes *ch, struct node *dir, const char *name, const char *was,
	struct node *target)
{
	struct strbuf path, to, text;

	strbuf_init(&path);
	strbuf_init(&to);
	strbuf_init(&text);
	node_path(dir, &path);
	strbuf_printf(&path, "/%s", name);
	if (target)
		node_path(target, &to);
	if (!is_in(ch->made, path.s) && !is_in(ch->gone, path.s)) {
		strbuf_printf(&text, "link %s -> %s", path.s, to.s);
		note(ch, "link", path.s, *was ? json_text(was) : NULL, json_text(to.s), false,
			text.s);
	}
	strbuf_done(&path);
	strbuf_done(&to);
	strbuf_done(&text);
}
