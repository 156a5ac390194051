/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_alua.c: ulio alua … */
#include "cli/cli.h"

static const struct column columns[] = {
	{ "DISK", "disk", COL_TEXT },
	{ "GROUP", "group", COL_TEXT },
	{ "ID", "id", COL_NUMBER },
	{ "STATE", "state", COL_TEXT },
	{ "CHANGED BY", "access", COL_TEXT },
	{ "PREF", "preferred", COL_YES },
	{ "LUNS", "members", COL_LIST },
	{ NULL },
};

static int show_list(struct cli *cli, json_t *result)
{
	table_print(result, columns, "no disks");
	return 0;
}

static int show_one(struct cli *cli, json_t *result)
{
	table_print_one(result, columns);
	return 0;
}

#define GROUP                                                                                      \
	{ "disk", ARG_POSITION, false, "the name of the disk" },                                   \
	{                                                                                          \
		"group", ARG_POSITION, false, "the target port group"                              \
	}

const struct cli_command alua_commands[] = {
	{ "alua", "list", "list target port groups, their access states and LUNs", "alua.list",
		show_list,
		.args = { { "disk", ARG_OPTIONAL, false, "of this disk; else of all" } } },
	{ "alua", "set", "change the access state of a group", "alua.set", show_one,
		.args = { GROUP,
			{ "state", ARG_POSITION, false,
				"optimized, nonoptimized, standby, unavailable, lba-dependent, "
				"offline or transitioning" } } },
	{ "alua", "create", "make a target port group", "alua.create", show_one,
		.args = { GROUP,
			{ "id", ARG_OPTION, true, "its number; else one that is free" } } },
	{ "alua", "remove", "remove a group; its LUNs go to default_tg_pt_gp", "alua.remove", NULL,
		.args = { GROUP } },
	{ "alua", "move", "put a LUN into a group of its disk", "alua.move", NULL,
		.args = { { "lun", ARG_POSITION, true, "its number" },
			{ "group", ARG_POSITION, false, "the target port group" },
			{ "target", ARG_OPTION, false, "the target; needed if there are several" },
			{ "tpg", ARG_OPTION, true,
				"the tag of its portal group; needed if there are several" } } },
	{ NULL },
};
