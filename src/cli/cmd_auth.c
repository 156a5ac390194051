/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_auth.c: ulio auth … */
#include <stdio.h>

#include "cli/cli.h"

static int show_refreshed(struct cli *cli, json_t *result)
{
	const json_t *failed = json_object_get(result, "failed"), *f;
	size_t i;

	printf("%" JSON_INTEGER_FORMAT " read, %" JSON_INTEGER_FORMAT " of them new\n",
		json_integer_value(json_object_get(result, "read")),
		json_integer_value(json_object_get(result, "changed")));
	json_array_foreach (failed, i, f)
		fprintf(stderr, "ulio: %s keeps its old value: %s\n",
			json_string_value(json_object_get(f, "source")),
			json_string_value(json_object_get(f, "why")));
	return json_array_size(failed) ? CLI_FAILED : 0;
}

const struct cli_command auth_commands[] = {
	{ "auth", "refresh", "read the secrets again that are kept in files; sessions stay",
		"auth.refresh", show_refreshed },
	{ NULL },
};
