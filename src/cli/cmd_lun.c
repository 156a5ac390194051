/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_lun.c: ulio lun … */
#include <stdio.h>

#include "cli/cli.h"

static const struct column columns[] = {
	{ "TARGET", "target", COL_TEXT },
	{ "TPG", "tpg", COL_NUMBER },
	{ "LUN", "lun", COL_NUMBER },
	{ "DISK", "disk", COL_TEXT },
	{ NULL },
};

static int show_list(struct cli *cli, json_t *result)
{
	table_print(result, columns, "no LUNs");
	return 0;
}

static int show_one(struct cli *cli, json_t *result)
{
	table_print_one(result, columns);
	return 0;
}

static int takes_lun(struct cli *cli)
{
	char what[32];

	snprintf(what, sizeof(what), "LUN %" JSON_INTEGER_FORMAT,
		json_integer_value(json_object_get(cli->params, "lun")));
	return cli_confirm_use(
		cli, json_string_value(json_object_get(cli->params, "target")), NULL, what);
}

#define WHERE                                                                                      \
	{ "target", ARG_OPTION, false, "the target; needed if there are several" },                \
	{                                                                                          \
		"tpg", ARG_OPTION, true,                                                           \
			"the tag of its portal group; needed if there are several"                 \
	}

const struct cli_command lun_commands[] = {
	{ "lun", "list", "list the LUNs", "lun.list", show_list },
	{ "lun", "add", "show a disk as a LUN; sessions go on and are told", "lun.add", show_one,
		.args = { { "disk", ARG_POSITION, false, "the name of the disk" },
			{ "lun", ARG_OPTIONAL, true, "its number; else the first that is free" },
			WHERE } },
	{ "lun", "remove", "show a LUN no more; commands under way end first", "lun.remove", NULL,
		.args = { { "lun", ARG_POSITION, true, "its number" }, WHERE },
		.danger = takes_lun },
	{ NULL },
};
