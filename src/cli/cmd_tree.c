/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_tree.c: ulio ls, get, set, mkdir, rmdir, link, unlink, dump: the tree as it is. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static int show_text(struct cli *cli, json_t *result)
{
	printf("%s\n", json_string_value(result));
	return 0;
}

static int show_json(struct cli *cli, json_t *result)
{
	json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	printf("\n");
	return 0;
}

/* "-": the value is the first line of standard input, for secrets. */
static int value_from_stdin(struct cli *cli, struct errmsg *err)
{
	const char *value = json_string_value(json_object_get(cli->params, "value"));

	if (strcmp(value, "-") != 0)
		return 0;
	json_object_set_new(cli->params, "file", json_string("-"));
	json_object_del(cli->params, "value");
	return secret_from_file(cli->params, "file", "value", err);
}

/*
 * What the same acts ask by their commands: a target, a portal group or an access list entry that
 * goes, a group that is closed, a LUN or the mapping of one that is taken away.
 */
static int ends_something(struct cli *cli)
{
	const char *path = json_string_value(json_object_get(cli->params, "path"));
	const char *value = json_string_value(json_object_get(cli->params, "value")), *rest;
	char target[VIEW_NAME_CHARS] = "", initiator[VIEW_NAME_CHARS] = "";
	json_int_t tpg = 0;
	int n = 0;

	static_assert(VIEW_NAME_CHARS > 255, "as below");
	if (sscanf(path, "/iscsi/%255[^/]%n", target, &n) != 1)
		return 0;
	rest = path + n;
	n = 0;
	sscanf(rest, "/tpgt_%" JSON_INTEGER_FORMAT "%n", &tpg, &n);
	rest += n;
	if (value)
		return !strcmp(rest, "/enable") && !strcmp(value, "0")
			       ? cli_confirm_sessions(cli, target, tpg, NULL)
			       : 0;
	n = 0;
	sscanf(rest, "/acls/%255[^/]%n", initiator, &n);
	rest += n;
	if (!strncmp(rest, "/lun", 4))
		return cli_confirm_use(cli, target, *initiator ? initiator : NULL, path);
	return *rest ? 0 : cli_confirm_sessions(cli, target, tpg, *initiator ? initiator : NULL);
}

const struct cli_command tree_commands[] = {
	{ "get", NULL, "show an attribute", "get", show_text,
		.args = { { "path", ARG_POSITION, false, "the attribute" } } },
	{ "set", NULL, "set an attribute", "set", NULL,
		.args = { { "path", ARG_POSITION, false, "the attribute" },
			{ "value", ARG_POSITION, false,
				"\"-\": the first line of standard input" } },
		.prepare = value_from_stdin, .danger = ends_something },
	{ "mkdir", NULL, "make a directory", "mkdir", NULL,
		.args = { { "path", ARG_POSITION, false, "the new directory" } } },
	{ "rmdir", NULL, "remove a directory", "rmdir", NULL,
		.args = { { "path", ARG_POSITION, false, "the directory" } },
		.danger = ends_something },
	{ "link", NULL, "make a link", "link", NULL,
		.args = { { "target", ARG_POSITION, false, "the directory that it leads to" },
			{ "path", ARG_POSITION, false, "the new link" } } },
	{ "unlink", NULL, "remove a link", "unlink", NULL,
		.args = { { "path", ARG_POSITION, false, "the link" } }, .danger = ends_something },
	{ "dump", NULL, "print a part of the tree as JSON", "dump", show_json,
		.args = { { "path", ARG_OPTIONAL, false, "the directory; else the root" },
			{ "depth", ARG_OPTION, true, "levels below it; else all" },
			{ "stats", ARG_FLAG, false, "counters too" } } },
	{ NULL },
};
