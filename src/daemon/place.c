/* SPDX-License-Identifier: BSD-3-Clause */
/* place.c: what the parameters of a method mean. */
#include "daemon/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node *place_iscsi(struct tree *t)
{
	return node_child(tree_root(t), "iscsi");
}

/* The only user-made directory whose name begins with prefix; NULL and *ret_n when not one. */
static struct node *only_child(struct node *dir, const char *prefix, unsigned *ret_n)
{
	struct node *found = NULL;

	*ret_n = 0;
	for (struct node *n = dir ? node_first_child(dir) : NULL; n; n = node_next_child(dir, n)) {
		if (node_is_default(n) || strncmp(node_name(n), prefix, strlen(prefix)) != 0)
			continue;
		found = n;
		(*ret_n)++;
	}
	return *ret_n == 1 ? found : NULL;
}

struct node *place_target(struct control_call *call, int *ret_error)
{
	struct node *iscsi = place_iscsi(control_tree(call->control)), *n;
	const char *name = call_string(call, "target");
	unsigned count;

	if (name) {
		n = iscsi ? node_child(iscsi, name) : NULL;
		if (n && node_is_default(n))
			n = NULL;
		if (!n)
			*ret_error = call_fail(call, -ENOENT,
				"%s: there is no such target; \"ulio target list\" shows them",
				name);
		return n;
	}
	n = only_child(iscsi, "", &count);
	if (!n)
		*ret_error = call_fail(call, count ? -EINVAL : -ENOENT, "%s",
			count ? "there are several targets: say which one is meant"
			      : "there is no target yet: \"ulio target add\" makes one");
	return n;
}

struct node *place_tpg(struct control_call *call, int *ret_error)
{
	struct node *target = place_target(call, ret_error), *n;
	int64_t tag = call_integer(call, "tpg", -1);
	char name[32];
	unsigned count;

	if (!target)
		return NULL;
	if (tag >= 0) {
		snprintf(name, sizeof(name), "tpgt_%lld", (long long)tag);
		n = node_child(target, name);
		if (!n)
			*ret_error = call_fail(call, -ENOENT, "%s: there is no portal group %lld",
				node_name(target), (long long)tag);
		return n;
	}
	n = only_child(target, "tpgt_", &count);
	if (!n)
		*ret_error = call_fail(call, count ? -EINVAL : -ENOENT, "%s: %s", node_name(target),
			count ? "there are several portal groups: say which one is meant"
			      : "there is no portal group");
	return n;
}

void place_value(
	struct tree *t, struct node *dir, const char *sub, const char *attr, struct strbuf *out)
{
	struct node *n = *sub ? node_child(dir, sub) : dir;

	if (n)
		tree_get(t, n, attr, out, NULL);
}

bool place_is(
	struct tree *t, struct node *dir, const char *sub, const char *attr, const char *value)
{
	struct strbuf b;
	bool is;

	strbuf_init(&b);
	place_value(t, dir, sub, attr, &b);
	is = !strcmp(b.s, value);
	strbuf_done(&b);
	return is;
}

int place_set(struct control_call *call, struct node *dir, const char *sub, const char *attr,
	const char *value)
{
	struct node *n = *sub ? node_child(dir, sub) : dir;

	if (!n)
		return call_fail(call, -ENOENT, "%s has no %s", node_name(dir), sub);
	return tree_set(control_tree(call->control), n, attr, value, &call->err);
}

int place_remove(struct control_call *call, struct node *n)
{
	struct tree *t = control_tree(call->control);
	int r = tree_clear(t, n, &call->err);

	return r ? r : tree_rmdir(t, n, &call->err);
}

uint64_t place_index(struct node *n)
{
	const char *s = strrchr(node_name(n), '_');

	return s ? strtoull(s + 1, NULL, 0) : 0;
}

void place_portal_name(const char *address, char *buf, size_t cap)
{
	const char *at = strchr(address, '@') ?: address + strlen(address);
	const char *colon = memrchr(address, ':', (size_t)(at - address));
	const char *bracket = memrchr(address, ']', (size_t)(at - address));

	snprintf(buf, cap, "%.*s%s%s", (int)(at - address), address,
		colon && (!bracket || colon > bracket) ? "" : ":3260", at);
}
