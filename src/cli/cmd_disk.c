/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_disk.c: ulio disk … */
#include <stdio.h>

#include "cli/cli.h"

static const struct column columns[] = {
	{ "NAME", "name", COL_TEXT },
	{ "KIND", "hba", COL_TEXT },
	{ "SIZE", "size", COL_SIZE },
	{ "BLOCK", "block_size", COL_NUMBER },
	{ "LUNS", "luns", COL_NUMBER },
	{ "RO", "read_only", COL_YES },
	{ "STATE", "state", COL_TEXT },
	{ "PATH", "path", COL_TEXT },
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

static int show_kinds(struct cli *cli, json_t *result)
{
	static const struct column params[] = {
		{ "  SETTING", "key", COL_TEXT },
		{ "DEFAULT", "preset", COL_TEXT },
		{ "VALUES", "choices", COL_TEXT },
		{ "LIVE", "live", COL_YES },
		{ "MEANING", "doc", COL_TEXT },
		{ NULL },
	};
	json_t *kind;
	size_t i;

	json_array_foreach (result, i, kind) {
		printf("%s%s: %s\n", i ? "\n" : "",
			json_string_value(json_object_get(kind, "kind")),
			json_string_value(json_object_get(kind, "doc")));
		table_print(json_object_get(kind, "params"), params, "  (no settings)");
	}
	return 0;
}

const struct cli_command disk_commands[] = {
	{ "disk", "list", "list the disks", "disk.list", show_list },
	{ "disk", "add", "make a disk and open it", "disk.add", show_one,
		.args = { { "name", ARG_POSITION, false, "a name for it" },
			{ "spec", ARG_POSITION, false,
				"file:/path,size=10G, file:/dev/sdb, ram:1G … (see \"ulio disk "
				"kinds\")" },
			{ "serial", ARG_OPTION, false,
				"unit serial number; else a random UUID" } } },
	{ "disk", "remove", "close a disk that no LUN shows and forget it; its data stay",
		"disk.remove", NULL, .args = { { "name", ARG_POSITION, false, "its name" } } },
	{ "disk", "resize", "change the size of a disk while it is used", "disk.resize", show_one,
		.args = { { "name", ARG_POSITION, false, "its name" },
			{ "size", ARG_OPTIONAL, false,
				"the new size, such as 20G; else that of the file or device" },
			{ "force", ARG_FLAG, false, "shrink it, although data are lost" } } },
	{ "disk", "kinds", "tell what kinds of disks there are, with their settings", "disk.kinds",
		show_kinds },
	{ NULL },
};
