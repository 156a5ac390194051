/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_config.c: ulio save, reload, config */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int show_saved(struct cli *cli, json_t *result)
{
	printf("saved to %s, generation %" JSON_INTEGER_FORMAT "\n",
		json_string_value(json_object_get(result, "file")),
		json_integer_value(json_object_get(result, "generation")));
	return 0;
}

size_t cli_show_problems(const json_t *result)
{
	json_t *p;
	size_t i, n = 0;

	json_array_foreach (json_object_get(result, "problems"), i, p) {
		const char *level = json_string_value(json_object_get(p, "level"));

		fprintf(stderr, "%s: %s: %s\n", level,
			json_string_value(json_object_get(p, "path")),
			json_string_value(json_object_get(p, "text")));
		n += level[0] != 'n';
	}
	return n;
}

/* What could not be done is worth a failure. */
static int show_problems(const json_t *result)
{
	return cli_show_problems(result) ? CLI_FAILED : 0;
}

static int show_reloaded(struct cli *cli, json_t *result)
{
	int status = show_problems(result);

	if (!status)
		printf("reloaded\n");
	return status;
}

static int show_status(struct cli *cli, json_t *result)
{
	table_print_object(result);
	return 0;
}

static int show_changes(struct cli *cli, json_t *result)
{
	const json_t *list = json_object_get(result, "changes");
	json_t *c;
	size_t i;

	json_array_foreach (list, i, c)
		printf("%s\n", json_string_value(json_object_get(c, "text")));
	if (!json_array_size(list))
		printf("nothing to change\n");
	return show_problems(result);
}

/* The daemon reads the file: it may be too long for a request. */
static int absolute_file(struct cli *cli, struct errmsg *err)
{
	const char *file = json_string_value(json_object_get(cli->params, "file"));
	char *path = file ? realpath(file, NULL) : NULL;

	if (!path)
		return errmsg_set(err, -errno, "%s: %s", file ? file : "", err_text(-errno));
	json_object_set_new(cli->params, "file", json_string(path));
	free(path);
	return 0;
}

/* What a plan removes or sets may be in use; what cannot be planned may be anything. */
static int confirm_plan(struct cli *cli, const char *file)
{
	struct errmsg err;
	json_t *plan = cli_call(cli, "plan", json_pack("{s:s}", "file", file), &err), *c;
	const json_t *first = NULL;
	char what[512];
	size_t i, n = 0;

	json_array_foreach (json_object_get(plan, "changes"), i, c) {
		if (!strcmp(json_string_value(json_object_get(c, "op")), "create"))
			continue;
		first = first ? first : c;
		n++;
	}
	if (first)
		snprintf(what, sizeof(what), "what this changes: %.400s%s",
			json_string_value(json_object_get(first, "text")), n > 1 ? " …" : "");
	else
		snprintf(what, sizeof(what), "what this changes (%.400s)", err.text);
	json_decref(plan);
	return plan && !first ? 0 : cli_confirm_use(cli, NULL, NULL, what);
}

static int confirm_apply(struct cli *cli)
{
	return cli->yes
		       ? 0
		       : confirm_plan(cli, json_string_value(json_object_get(cli->params, "file")));
}

static int confirm_reload(struct cli *cli)
{
	struct errmsg err;
	json_t *config = cli->yes ? NULL : cli_call(cli, "config.status", NULL, &err);
	const char *file = json_string_value(json_object_get(config, "file"));
	int status = file ? confirm_plan(cli, file) : 0;

	json_decref(config);
	return status;
}

/* The configuration itself, for a file; or, when it was taken over, what could not be. */
static int show_migrated(struct cli *cli, json_t *result)
{
	int status = show_problems(result);

	if (!json_object_get(cli->params, "apply")) {
		json_dumpf(
			json_object_get(result, "config"), stdout, JSON_SORT_KEYS | JSON_INDENT(2));
		printf("\n");
	} else if (!status) {
		printf("taken over; \"ulio save\" keeps it\n");
	}
	return status;
}

#define CONFIG_FILE                                                                                \
	{                                                                                          \
		"file", ARG_POSITION, false, "a whole configuration, as saveconfig.json"           \
	}

const struct cli_command config_commands[] = {
	{ "save", NULL, "write the running configuration to its file", "save", show_saved,
		.args = { { "force", ARG_FLAG, false,
			"also if what could not be loaded is lost by it" } } },
	{ "reload", NULL, "bring the running configuration to that of the file", "reload",
		show_reloaded, .danger = confirm_reload },
	{ "plan", NULL, "tell what apply would change", "plan", show_changes,
		.args = { CONFIG_FILE }, .prepare = absolute_file },
	{ "apply", NULL, "bring the running configuration to that of a file, or change nothing",
		"apply", show_changes,
		.args = { CONFIG_FILE,
			{ "pending", ARG_FLAG, false, "disks that are not there may come later" } },
		.prepare = absolute_file, .danger = confirm_apply },
	{ "migrate-from-lio", NULL,
		"print the configuration of the kernel's LIO, with its secrets, or take it over",
		"migrate", show_migrated,
		.args = { { "root", ARG_OPTIONAL, false,
				  "LIO's directory or a copy; /sys/kernel/config/target" },
			{ "apply", ARG_FLAG, false,
				"add it to what runs; LIO must have let go of disks and "
				"addresses" } } },
	{ "config", NULL, "tell which file, and whether it differs from what runs", "config.status",
		show_status },
	{ NULL },
};
