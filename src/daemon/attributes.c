/* SPDX-License-Identifier: BSD-3-Clause */
/* attributes.c: --dump-attributes: docs/attributes.md, made from the rows themselves. */
#include <stdio.h>

#include "daemon/daemon.h"
#include "fabric/iscsi/rows.h"

/* The kinds of directories that users make, and the root. */
static const struct {
	const char *path;
	const struct node_type *type;
} places[] = {
	{ "", &daemon_root_type },
	{ "core/<hba>_<n>/<name>", &storage_type },
	{ "core/user_<n>/<name>/action", &storage_user_action_type },
	{ "core/user_<n>/<name>/attrib", &storage_user_attrib_type },
	{ "iscsi", &entity_type },
	{ "iscsi/<iqn>", &target_type },
	{ "iscsi/<iqn>/tpgt_<n>", &tpg_type },
	{ "iscsi/<iqn>/tpgt_<n>/np/<address>:<port>", &portal_type },
	{ "iscsi/<iqn>/tpgt_<n>/lun/lun_<n>", &port_lun_type },
	{ "iscsi/<iqn>/tpgt_<n>/acls/<initiator>", &acl_type },
	{ "iscsi/<iqn>/tpgt_<n>/acls/<initiator>/lun_<n>", &acl_lun_type },
};

static const char *access_of(const struct attr *a)
{
	if (!a->set)
		return "read";
	return !a->get || a->flags & ATTR_SECRET ? "write" : "read, write";
}

/* '|' would end the cell of a table. */
static void cell(struct strbuf *out, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '|')
			strbuf_putc(out, '\\');
		strbuf_putc(out, *text);
	}
}

static void print_type(struct strbuf *out, const char *path, const struct node_type *type)
{
	const struct node_default *d = type->defaults;
	const struct attr *a;
	char sub[256];

	if (type->attrs && type->attrs->name) {
		strbuf_printf(out, "\n## /%s\n", path);
		if (type->doc)
			strbuf_printf(out, "%s%s\n", type->doc, type->ours ? " *(ulio)*" : "");
		strbuf_puts(out, "\n| attribute | access | meaning |\n|---|---|---|\n");
		attr_for_each (a, type->attrs) {
			strbuf_printf(out, "| `%s` | %s | ", a->name, access_of(a));
			cell(out, a->doc);
			strbuf_puts(out, a->flags & ATTR_OURS ? " *(ulio)* |\n" : " |\n");
		}
	}
	for (; d && d->name; d++) {
		snprintf(sub, sizeof(sub), "%s%s%s", path, *path ? "/" : "", d->name);
		print_type(out, sub, d->type);
	}
}

void daemon_print_attributes(struct strbuf *out)
{
	strbuf_puts(out,
		"# Attributes\n\n"
		"Made by `uliod --dump-attributes` from the rows in the source; do not edit.\n\n"
		"The configuration is a tree with the names of LIO's configfs. `ulio ls`, `ulio "
		"get` "
		"and `ulio set` show\nand change it; a directory whose name stands in `<>` is made "
		"by "
		"`ulio mkdir`.\n"
		"What is marked *(ulio)* LIO does not have; it is not shown where the tree is "
		"mounted.\n");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		print_type(out, places[i].path, places[i].type);
}
