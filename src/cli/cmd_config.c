/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_config.c: ulio save, reload, config */
#include <stdio.h>

#include "cli/cli.h"

static int show_saved(struct cli *cli, json_t *result)
{
	printf("saved to %s, generation %" JSON_INTEGER_FORMAT "\n",
		json_string_value(json_object_get(result, "file")),
		json_integer_value(json_object_get(result, "generation")));
	return 0;
}

/* What could not be done is worth a failure. */
static int show_reloaded(struct cli *cli, json_t *result)
{
	json_t *p;
	size_t i;
	int status = 0;

	json_array_foreach (json_object_get(result, "problems"), i, p) {
		const char *level = json_string_value(json_object_get(p, "level"));

		fprintf(stderr, "%s: %s: %s\n", level,
			json_string_value(json_object_get(p, "path")),
			json_string_value(json_object_get(p, "text")));
		if (level[0] != 'n')
			status = CLI_FAILED;
	}
	if (!status)
		printf("reloaded\n");
	return status;
}

static int show_status(struct cli *cli, json_t *result)
{
	table_print_object(result);
	return 0;
}

const struct cli_command config_commands[] = {
	{ "save", NULL, "write the running configuration to its file", "save", show_saved,
		.args = { { "force", ARG_FLAG, false,
			"also if what could not be loaded is lost by it" } } },
	{ "reload", NULL, "bring the running configuration to that of the file", "reload",
		show_reloaded },
	{ "config", NULL, "tell which file, and whether it differs from what runs", "config.status",
		show_status },
	{ NULL },
};
