/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_isns.c: ulio isns … */
#include "cli/cli.h"

static int show_list(struct cli *cli, json_t *result)
{
	static const struct column columns[] = {
		{ "SERVER", "server", COL_TEXT },
		{ "STATE", "state", COL_TEXT },
		{ "TARGETS", "targets", COL_NUMBER },
		{ "PORTALS", "portals", COL_NUMBER },
		{ "INQUIRIES", "inquiries", COL_NUMBER },
		{ "NOTES", "notes", COL_NUMBER },
		{ "LAST NOTE", "last_note", COL_TEXT },
		{ "ERROR", "error", COL_TEXT },
		{ NULL },
	};

	table_print(result, columns, "no iSNS servers");
	return 0;
}

const struct cli_command isns_commands[] = {
	{ "isns", "list", "list the iSNS servers, and how it goes with each", "isns.list",
		show_list },
	{ "isns", "add", "register the targets with an iSNS server", "isns.add", NULL,
		.args = { { "server", ARG_POSITION, false,
			"its address, 10.0.0.5 or [2001:db8::5]; with a port if it is not "
			"3205" } } },
	{ "isns", "remove", "withdraw the registration from an iSNS server", "isns.remove", NULL,
		.args = { { "server", ARG_POSITION, false, "as \"ulio isns list\" shows it" } } },
	{ NULL },
};
