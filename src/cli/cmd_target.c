/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_target.c: ulio target …, portal …, acl … */
#include <stdio.h>

#include "cli/cli.h"

static const struct column columns[] = {
	{ "TARGET", "target", COL_TEXT },
	{ "TPG", "tpg", COL_NUMBER },
	{ "ACCESS", "access", COL_TEXT },
	{ "CHAP", "chap", COL_YES },
	{ "PORTALS", "portals", COL_LIST },
	{ "LUNS", "luns", COL_LIST },
	{ "ACLS", "acls", COL_LIST },
	{ NULL },
};

static int show_list(struct cli *cli, json_t *result)
{
	table_print(result, columns, "no targets");
	return 0;
}

static int show_one(struct cli *cli, json_t *result)
{
	table_print_one(result, columns);
	return 0;
}

static int read_secrets(struct cli *cli, struct errmsg *err)
{
	int r = secret_from_file(cli->params, "password_file", "password", err);

	return r ? r
		 : secret_from_file(cli->params, "mutual_password_file", "mutual_password", err);
}

static int ends_sessions(struct cli *cli)
{
	const json_t *p = cli->params;

	return cli_confirm_sessions(cli, json_string_value(json_object_get(p, "target")),
		json_integer_value(json_object_get(p, "tpg")),
		json_string_value(json_object_get(p, "initiator")));
}

#define WHERE                                                                                      \
	{ "target", ARG_OPTION, false, "the target; needed if there are several" },                \
	{                                                                                          \
		"tpg", ARG_OPTION, true,                                                           \
			"the tag of its portal group; needed if there are several"                 \
	}

const struct cli_command target_commands[] = {
	{ "target", "list", "list the targets", "target.list", show_list },
	{ "target", "add", "make a target; nobody may log in until access or an acl says so",
		"target.add", show_one,
		.args = { { "target", ARG_OPTIONAL, false,
				  "its name, iqn.…; else from the host's name" },
			{ "address", ARG_OPTION, false, "a portal for it, 10.0.0.1:3260" },
			{ "advertise", ARG_OPTION, false, "what initiators are told instead" } } },
	{ "target", "remove", "end the sessions of a target and remove it", "target.remove", NULL,
		.args = { { "target", ARG_POSITION, false, "its name" } },
		.danger = ends_sessions },
	{ "target", "access", "say who may log in", "target.access", show_one,
		.args = { { "access", ARG_POSITION, false,
				  "allow-list (those with an acl), anyone-read or anyone-write" },
			WHERE } },
	{ "portal", "add", "let a target be reached at one more address", "portal.add", show_one,
		.args = { { "address", ARG_POSITION, false,
				  "10.0.0.1:3260 or [2001:db8::1]:3260; with @NAME in that network "
				  "namespace" },
			{ "advertise", ARG_OPTION, false, "what initiators are told instead" },
			WHERE } },
	{ "portal", "redirect", "send logins to another place; sessions stay", "portal.redirect",
		NULL,
		.args = { { "address", ARG_POSITION, false, "as \"ulio target list\" shows it" },
			{ "to", ARG_POSITION, false,
				"HOST:PORT; balance: the least used portal of the group; "
				"elsewhere: "
				"the same but this one; none" },
			{ "permanent", ARG_FLAG, false, "tell initiators that it is so for good" },
			WHERE } },
	{ "portal", "remove", "listen there no more; sessions stay", "portal.remove", NULL,
		.args = { { "address", ARG_POSITION, false, "as \"ulio target list\" shows it" },
			WHERE } },
	{ "acl", "add", "let an initiator in, with all LUNs", "acl.add", show_one,
		.args = { { "initiator", ARG_POSITION, false, "its name, iqn.…" },
			{ "user", ARG_OPTION, false, "CHAP name" },
			{ "password_file", ARG_OPTION, false,
				"file with the CHAP secret in its first line, \"-\" for standard "
				"input" },
			{ "mutual_user", ARG_OPTION, false,
				"CHAP name by which the target answers" },
			{ "mutual_password_file", ARG_OPTION, false, "file with that secret" },
			{ "read_only", ARG_FLAG, false, "map the LUNs write-protected" }, WHERE },
		.prepare = read_secrets },
	{ "acl", "remove", "end the sessions of an initiator and let it in no more", "acl.remove",
		NULL, .args = { { "initiator", ARG_POSITION, false, "its name" }, WHERE },
		.danger = ends_sessions },
	{ NULL },
};
