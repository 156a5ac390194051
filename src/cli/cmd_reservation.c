/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_reservation.c: ulio reservation … */
#include <stdio.h>

#include "cli/cli.h"

static const struct column columns[] = {
	{ "INITIATOR", "initiator", COL_TEXT },
	{ "ISID", "isid", COL_TEXT },
	{ "TARGET", "target", COL_TEXT },
	{ "TPG", "tpg", COL_NUMBER },
	{ "KEY", "key", COL_TEXT },
	{ "HOLDER", "holder", COL_YES },
	{ "ALL", "all_target_ports", COL_YES },
	{ "AGE_S", "age_s", COL_NUMBER },
	{ "TSIH", "session", COL_NUMBER },
	{ "PEER", "peer", COL_TEXT },
	{ NULL },
};

static bool is_set(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

static void show_disk(const json_t *disk)
{
	printf("%s: reservation: %s; generation %" JSON_INTEGER_FORMAT "; %s a restart%s\n",
		json_string_value(json_object_get(disk, "disk")),
		json_string_value(json_object_get(disk, "type_name")),
		json_integer_value(json_object_get(disk, "generation")),
		is_set(disk, "kept") ? "outlives" : "does not outlive",
		is_set(disk, "can_be_kept") ? "" : ", and cannot");
	if (is_set(disk, "lost"))
		printf("what was kept is LOST: nobody is served until \"ulio reservation clear "
		       "--all\"\n");
	table_print(json_object_get(disk, "registrations"), columns, "no registrations");
}

static int show_list(struct cli *cli, json_t *result)
{
	json_t *disk;
	size_t i;

	if (!json_array_size(result))
		printf("no registrations\n");
	json_array_foreach (result, i, disk) {
		if (i)
			printf("\n");
		show_disk(disk);
	}
	return 0;
}

static int show_cleared(struct cli *cli, json_t *result)
{
	printf("%" JSON_INTEGER_FORMAT " cleared\n",
		json_integer_value(json_object_get(result, "cleared")));
	return 0;
}

const struct cli_command reservation_commands[] = {
	{ "reservation", "list", "list persistent reservations, their registrations and keys",
		"reservation.list", show_list,
		.args = { { "disk", ARG_OPTIONAL, false,
			"of this disk; else of all that have registrations" } } },
	{ "reservation", "clear", "remove registrations, and the reservation that they hold",
		"reservation.clear", show_cleared,
		.args = { { "disk", ARG_POSITION, false, "the name of the disk" },
			{ "stale", ARG_FLAG, false, "those of ports that are not logged in" },
			{ "initiator", ARG_OPTION, false, "those of this initiator" },
			{ "isid", ARG_OPTION, false, "of its port with this ISID alone" },
			{ "target", ARG_OPTION, false, "with this target alone" },
			{ "tpg", ARG_OPTION, true, "with this portal group alone" },
			{ "all", ARG_FLAG, false, "all of them, also that they were lost" },
			{ "force", ARG_FLAG, false, "also of ports that are logged in" } } },
	{ NULL },
};
