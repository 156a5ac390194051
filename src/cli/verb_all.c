/* SPDX-License-Identifier: BSD-3-Clause */
/* verb_all.c: saveconfig, restoreconfig, clearconfig. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/render.h"
#include "cli/storage.h"
#include "cli/verb.h"

/* Files are named from where the user is, not the daemon. */
static int file_param(struct verb_call *c, json_t *params)
{
	const char *file = verb_arg(c, "savefile");
	char cwd[PATH_MAX], path[2 * PATH_MAX];

	if (!file)
		return 0;
	if (file[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return cli_fail(c->cli, CLI_FAILED, "%s: the folder we are in is gone", file);
	snprintf(path, sizeof(path), "%s%s%s", file[0] == '/' ? "" : cwd, file[0] == '/' ? "" : "/",
		file);
	json_object_set_new(params, "file", json_string(path));
	return 0;
}

int verb_saveconfig(struct verb_call *c)
{
	json_t *params = json_object(), *result;

	if (file_param(c, params)) {
		json_decref(params);
		return CLI_FAILED;
	}
	result = cli_ask(c->cli, "save", params);
	if (!result)
		return CLI_FAILED;
	cli_say(c->cli, "Configuration saved to %s.",
		json_string_value(json_object_get(result, "file")));
	json_decref(result);
	c->cli->changed = false;
	return 0;
}

/* ---- restore --------------------------------------------------------------------------------- */

static int show_problems(struct verb_call *c, const json_t *result)
{
	size_t n = cli_show_problems(result);

	if (n)
		return cli_fail(c->cli, CLI_FAILED, "restored, but for %zu problem%s", n,
			n == 1 ? "" : "s");
	cli_say(c->cli, "Configuration restored.");
	return 0;
}

int verb_restoreconfig(struct verb_call *c)
{
	json_t *params = json_object(), *result;
	bool clear;
	int status = verb_bool(c, "clear_existing", false, &clear);

	if (!status)
		status = file_param(c, params);
	if (!status && clear)
		status = cli_confirm_sessions(c->cli, NULL, 0, NULL);
	if (!status) {
		json_object_set_new(params, "clear_existing", json_boolean(clear));
		if (verb_arg(c, "target"))
			json_object_set_new(params, "target", json_string(verb_arg(c, "target")));
		if (verb_arg(c, "storage_object"))
			json_object_set_new(params, "storage_object",
				json_string(verb_arg(c, "storage_object")));
		result = cli_ask(c->cli, "restore", json_incref(params));
		status = result ? show_problems(c, result) : CLI_FAILED;
		json_decref(result);
	}
	json_decref(params);
	return status;
}

/* ---- clear ----------------------------------------------------------------------------------- */

static int remove_targets(struct cli *cli)
{
	json_t *rows = cli_ask(cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", "/iscsi", "depth", 0, "names", ""));
	json_t *dirs = json_object_get(rows, "dirs"), *v;
	const char *name;
	size_t done = 0, n;
	int status = rows ? 0 : CLI_FAILED;

	json_object_del(dirs, "discovery_auth");
	n = json_object_size(dirs);
	json_object_foreach (dirs, name, v) {
		if (!status)
			status = cli_do(cli, "target.remove", json_pack("{s:s}", "target", name));
		if (!status && n > 10)
			term_progress("targets removed", ++done, n);
	}
	json_decref(rows);
	return status;
}

static int remove_disks(struct cli *cli)
{
	json_t *rows = cli_ask(cli, "disk.list", NULL), *row;
	size_t i, n = json_array_size(rows);
	int status = rows ? 0 : CLI_FAILED;

	json_array_foreach (rows, i, row) {
		const char *dir = json_string_value(json_object_get(row, "dir"));

		if (!status)
			status = cli_do(cli, "disk.remove",
				json_pack("{s:s}", "name", dir + strlen("/core/")));
		if (!status && n > 10)
			term_progress("storage objects removed", i + 1, n);
	}
	json_decref(rows);
	return status;
}

int verb_clearconfig(struct verb_call *c)
{
	bool confirmed;
	int status = verb_bool(c, "confirm", false, &confirmed);
	struct errmsg err;
	json_t *there;

	if (!status && !confirmed)
		status = cli_confirm(
			c->cli, "all targets and storage objects will be removed (confirm=true)");
	if (status)
		return status;
	there = cli_call(c->cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", "/iscsi", "depth", 0, "names", ""), &err);
	if (there)
		status = remove_targets(c->cli);
	json_decref(there);
	if (!status)
		status = remove_disks(c->cli);
	if (!status)
		cli_say(c->cli, "All configuration cleared.");
	return status;
}
