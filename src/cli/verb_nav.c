/* SPDX-License-Identifier: BSD-3-Clause */
/* verb_nav.c: ls, cd, pwd, help, exit, status, info, version. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/render.h"
#include "cli/verb.h"

/* ---- ls -------------------------------------------------------------------------------------- */

/* A directory of the daemon's tree: what it holds, with values. */
static int ls_raw(struct cli *cli, const char *path)
{
	json_t *result = cli_ask(cli, "ls", json_pack("{s:s}", "path", path)), *v, *a;
	const char *key;
	size_t i;

	if (!result)
		return CLI_FAILED;
	if (cli->json) {
		cli_print_json(result);
		json_decref(result);
		return 0;
	}
	json_array_foreach (json_object_get(result, "dirs"), i, v)
		printf("%s/\n", json_string_value(v));
	json_object_foreach (json_object_get(result, "links"), key, v)
		printf("%s -> %s\n", key, json_string_value(v));
	json_array_foreach (json_object_get(result, "attrs"), i, a) {
		const char *value = json_string_value(json_object_get(a, "value"));

		printf("%-2s %s", json_string_value(json_object_get(a, "access")),
			json_string_value(json_object_get(a, "name")));
		if (json_is_true(json_object_get(a, "secret")))
			printf(" (secret)");
		else if (value)
			printf(" = %s", value);
		printf("\n");
	}
	json_decref(result);
	return 0;
}

int verb_ls(struct verb_call *c)
{
	const char *path = verb_arg(c, "path"), *depth = verb_arg(c, "depth");
	struct view_path at = c->at;
	struct errmsg err = { 0 };
	uint64_t levels = 0;
	json_t *tree;
	struct strbuf b;

	/* "ls 2": the depth alone. */
	if (path && !depth && !num_parse_u64(path, 0, INT32_MAX, &levels)) {
		depth = path;
		path = NULL;
	}
	if (depth && num_parse_u64(depth, 0, INT32_MAX, &levels))
		return cli_fail(c->cli, CLI_USAGE, "depth %s: a number of levels is meant", depth);
	if (path && view_resolve(&c->at, path, &at, &err))
		return verb_fail(c, &err);
	if (at.kind == VIEW_RAW)
		return ls_raw(c->cli, at.text);
	tree = view_tree(c->cli, &at, depth ? (int)levels : -1, &err);
	if (!tree)
		return verb_fail(c, &err);
	if (c->cli->json) {
		cli_print_json(tree);
	} else {
		strbuf_init(&b);
		render_tree(&b, tree, term_width(), term_colour());
		fputs(b.s, stdout);
		strbuf_done(&b);
	}
	json_decref(tree);
	return 0;
}

/* ---- places ---------------------------------------------------------------------------------- */

int verb_go(struct cli *cli, const struct view_path *at)
{
	struct errmsg err = { 0 };

	if (view_check(cli, at, &err))
		return cli_fail(cli, CLI_FAILED, "%s", err.text);
	cli->before = cli->cwd;
	cli->cwd = *at;
	return 0;
}

int verb_cd(struct verb_call *c)
{
	const char *path = verb_arg(c, "path");
	struct view_path at = c->at;
	struct errmsg err = { 0 };

	/* With a path before the verb ("/iscsi cd") that is where to go. */
	if (!path && !strcmp(c->at.text, c->cli->cwd.text))
		path = "/";
	if (path && !strcmp(path, "-"))
		at = c->cli->before.text[0] ? c->cli->before : c->cli->cwd;
	else if (path && view_resolve(&c->at, path, &at, &err))
		return verb_fail(c, &err);
	return verb_go(c->cli, &at);
}

int verb_pwd(struct verb_call *c)
{
	if (c->cli->json)
		cli_flush_said(c->cli, json_pack("{s:s}", "path", c->at.text));
	else
		printf("%s\n", c->at.text);
	return 0;
}

int verb_exit(struct verb_call *c)
{
	c->cli->leaving = true;
	return 0;
}

/* ---- help ------------------------------------------------------------------------------------ */

static int help_here(struct verb_call *c)
{
	const struct verb *v;
	struct strbuf b, line;

	strbuf_init(&line);
	strbuf_init(&b);
	strbuf_printf(&b, "%s\n", c->at.text);
	render_paragraph(&b, view_kind_doc(c->at.kind), 2, term_width());
	strbuf_printf(&b, "\nHere:\n");
	for (unsigned i = 0; (v = verb_at(&c->at, i)); i++) {
		verb_usage_line(v, &line);
		render_paragraph(&b, line.s, 2, term_width());
		render_paragraph(&b, v->doc, 6, term_width());
	}
	strbuf_done(&line);
	strbuf_puts(&b, "\n");
	render_paragraph(&b,
		"A path before a verb does it there: /iscsi create. Everywhere: the commands of "
		"ulio, such as share, disk list, sessions; \"help all\" lists them. Tab completes. "
		"\"help VERB\" tells more.",
		0, term_width());
	fputs(b.s, stdout);
	strbuf_done(&b);
	return 0;
}

int verb_help(struct verb_call *c)
{
	const struct verb *v = c->argc ? verb_find(&c->at, c->argv[0]) : NULL;

	if (c->argc == 1 && !strcmp(c->argv[0], "all"))
		return cli_help(c->cli, 0, NULL);
	if (v && !(c->argc > 1 && cli_command_find(c->argv[0], c->argv[1], &(int){ 0 }))) {
		verb_usage(v);
		return 0;
	}
	if (!c->argc && c->cli->shell)
		return help_here(c);
	return cli_help(c->cli, c->argc, c->argv);
}

/* ---- status, info, version ------------------------------------------------------------------- */

int verb_status(struct verb_call *c)
{
	struct errmsg err = { 0 };
	json_t *tree;

	if (c->at.kind == VIEW_RAW)
		return ls_raw(c->cli, c->at.text);
	tree = view_tree(c->cli, &c->at, 0, &err);
	if (!tree)
		return verb_fail(c, &err);
	if (c->cli->json)
		cli_print_json(tree);
	else
		printf("Status for %s: %s\n", c->at.text,
			json_string_value(json_object_get(tree, "summary")));
	json_decref(tree);
	return 0;
}

/* Whose disk it says it is: what follows LIO's words. */
static void add_wwn(struct verb_call *c, const char *raw, json_t *out)
{
	char path[VIEW_PATH_CHARS + 32];
	struct errmsg err;
	json_t *value;
	const char *serial;

	snprintf(path, sizeof(path), "%s/wwn/vpd_unit_serial", raw);
	value = cli_call(c->cli, "get", json_pack("{s:s}", "path", path), &err);
	serial = value ? strchr(json_string_value(value), ':') : NULL;
	if (serial)
		json_object_set_new(out, "wwn", json_string(serial + 1 + strspn(serial + 1, " ")));
	json_decref(value);
}

/* What is worth a line: every value of the directory itself, and of an object's name. */
int verb_info(struct verb_call *c)
{
	struct strbuf raw;
	int status = verb_raw(c, &raw);
	json_t *out = json_object(), *result = NULL, *a, *rows = NULL;
	size_t i;

	if (!status) {
		result = cli_ask(c->cli, "ls", json_pack("{s:s}", "path", raw.s));
		status = result ? 0 : CLI_FAILED;
	}
	if (!status && c->at.kind == VIEW_STORAGE)
		rows = cli_ask(c->cli, "disk.list", json_pack("{s:s}", "name", raw.s + 6));
	json_object_set_new(out, "path", json_string(c->at.text));
	json_object_update(out, json_array_get(rows, 0));
	if (rows)
		add_wwn(c, raw.s, out);
	json_array_foreach (json_object_get(result, "attrs"), i, a) {
		json_t *value = json_object_get(a, "value");

		if (json_string_length(value))
			json_object_set(out, json_string_value(json_object_get(a, "name")), value);
	}
	if (!status && c->cli->json)
		cli_print_json(out);
	else if (!status)
		table_print_object(out);
	strbuf_done(&raw);
	json_decref(out);
	json_decref(result);
	json_decref(rows);
	return status;
}

int verb_version(struct verb_call *c)
{
	json_t *result = cli_ask(c->cli, "version", NULL);

	if (result && c->cli->json)
		cli_print_json(result);
	else if (result)
		table_print_object(result);
	json_decref(result);
	return result ? 0 : CLI_FAILED;
}
