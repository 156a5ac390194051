/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_session.c: ulio sessions … */
#include <stdio.h>

#include "cli/cli.h"

static int show_list(struct cli *cli, json_t *result)
{
	static const struct column columns[] = {
		{ "TSIH", "tsih", COL_NUMBER },
		{ "INITIATOR", "initiator", COL_TEXT },
		{ "PEER", "peer", COL_TEXT },
		{ "TARGET", "target", COL_TEXT },
		{ "TPG", "tpg", COL_NUMBER },
		{ "AGE_S", "age_s", COL_NUMBER },
		{ "BUSY", "under_way", COL_NUMBER },
		{ "IN", "rx_bytes", COL_NUMBER },
		{ "OUT", "tx_bytes", COL_NUMBER },
		{ "LAST ERROR", "last_error", COL_TEXT },
		{ NULL },
	};
	json_t *rows = json_array(), *s, *c;
	size_t i, k;

	/* A line for each connection. */
	json_array_foreach (result, i, s) {
		json_array_foreach (json_object_get(s, "connections"), k, c) {
			json_t *row = json_copy(s);

			json_object_update(row, c);
			json_array_append_new(rows, row);
		}
	}
	table_print(rows, columns, "no sessions");
	json_decref(rows);
	return 0;
}

static int show_dropped(struct cli *cli, json_t *result)
{
	printf("%" JSON_INTEGER_FORMAT " ended\n",
		json_integer_value(json_object_get(result, "dropped")));
	return 0;
}

const struct cli_command session_commands[] = {
	/* Before "sessions" alone, which takes any word for an argument. */
	{ "sessions", "drop", "end sessions; initiators may log in again", "sessions.drop",
		show_dropped,
		.args = { { "initiator", ARG_OPTIONAL, false, "those of this initiator" },
			{ "target", ARG_OPTION, false, "those with this target" },
			{ "tsih", ARG_OPTION, true, "the one with this handle" } } },
	{ "sessions", NULL, "list the sessions with their connections", "sessions.list",
		show_list },
	{ NULL },
};
