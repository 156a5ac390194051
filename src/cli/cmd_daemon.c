/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_daemon.c: ulio status, version, log, shutdown, call */
#include <stdio.h>

#include "cli/cli.h"

static int show_status(struct cli *cli, json_t *result)
{
	const json_t *config = json_object_get(result, "config");

	table_print_object(result);
	if (json_is_string(json_object_get(config, "file")))
		printf("config       %s, %s%s\n",
			json_string_value(json_object_get(config, "file")),
			json_string_value(json_object_get(config, "source")),
			json_is_true(json_object_get(config, "changed"))
				? ", changed since (\"ulio save\" writes it)"
				: "");
	return 0;
}

static int show_object(struct cli *cli, json_t *result)
{
	table_print_object(result);
	return 0;
}

static int show_text(struct cli *cli, json_t *result)
{
	printf("%s\n", json_string_value(result));
	return 0;
}

static int show_methods(struct cli *cli, json_t *result)
{
	json_t *m, *p;
	size_t i, k;

	json_array_foreach (result, i, m) {
		printf("%s: %s\n", json_string_value(json_object_get(m, "name")),
			json_string_value(json_object_get(m, "doc")));
		json_array_foreach (json_object_get(m, "params"), k, p)
			printf("    %s (%s%s): %s\n", json_string_value(json_object_get(p, "name")),
				json_string_value(json_object_get(p, "type")),
				json_is_true(json_object_get(p, "required")) ? "" : ", optional",
				json_string_value(json_object_get(p, "doc")));
	}
	return 0;
}

static int ends_all(struct cli *cli)
{
	return cli_confirm_sessions(cli, NULL, 0, NULL);
}

const struct cli_command daemon_commands[] = {
	{ "status", NULL, "tell how the daemon is", "status", show_status },
	{ "version", NULL, "tell the daemon's version", "version", show_object },
	{ "log", NULL, "show or set how much is logged", "log.level", show_text,
		.args = { { "level", ARG_OPTIONAL, false, "error, warn, info or debug" } } },
	{ "shutdown", NULL, "end all sessions and the daemon; nothing is saved", "shutdown", NULL,
		.danger = ends_all },
	{ "methods", NULL, "list the methods of the control socket, for programs", "help",
		show_methods },
	{ NULL },
};
