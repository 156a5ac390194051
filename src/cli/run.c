/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c: commands as words: of ulio's own tables, or a path of the view and a verb. What they say
 * and ask goes through here.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ulio/control.h>

#include "base/num.h"
#include "base/strbuf.h"
#include "cli/cli.h"
#include "cli/lioutils.h"
#include "cli/render.h"
#include "cli/verb.h"

static const struct cli_command *const tables[] = { share_commands, daemon_commands, top_commands,
	offload_commands, export_commands, disk_commands, target_commands, lun_commands,
	alua_commands, auth_commands, session_commands, isns_commands, reservation_commands,
	config_commands, tree_commands, exec_commands };

enum { NTABLES = sizeof(tables) / sizeof(tables[0]) };

const struct cli_command *cli_command_at(unsigned i)
{
	for (unsigned t = 0; t < NTABLES; t++) {
		for (const struct cli_command *c = tables[t]; c->group; c++) {
			if (!i--)
				return c;
		}
	}
	return NULL;
}

/* ---- what is said and asked ------------------------------------------------------------------ */

int cli_fail(struct cli *cli, int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "ulio: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	return status;
}

void cli_say(struct cli *cli, const char *fmt, ...)
{
	struct strbuf text;
	va_list ap;

	strbuf_init(&text);
	va_start(ap, fmt);
	strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (!cli->json) {
		printf("%s\n", text.s);
	} else {
		if (!cli->said)
			cli->said = json_array();
		json_array_append_new(cli->said, json_string(text.s));
	}
	strbuf_done(&text);
}

void cli_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	printf("\n");
}

void cli_flush_said(struct cli *cli, json_t *more)
{
	json_t *out = more ? more : json_object();

	if (cli->said)
		json_object_set(out, "messages", cli->said);
	if (cli->json && json_object_size(out))
		cli_print_json(out);
	json_decref(out);
	json_decref(cli->said);
	cli->said = NULL;
}

/* Whether a method leaves the configuration as it is. */
static bool only_reads(const char *method, const json_t *params)
{
	static const char *const words[] = { "ls", "dump", "get", "status", "version", "help",
		"list", "kinds", "refused", "plan", "save", "autosave" };
	const char *dot = strrchr(method, '.');

	if (!strcmp(method, "migrate"))
		return !json_is_true(json_object_get(params, "apply"));

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(dot ? dot + 1 : method, words[i]))
			return true;
	}
	return false;
}

json_t *cli_call(struct cli *cli, const char *method, json_t *params, struct errmsg *err)
{
	json_t *result = NULL;

	errmsg_init(err);
	if (!cli->rpc && rpc_open(cli->control, &cli->rpc, err)) {
		json_decref(params);
		return NULL;
	}
	result = rpc_call(cli->rpc, method, params, err);
	if (result && !only_reads(method, params))
		cli->changed = true;
	if (result && !strcmp(method, "save") && !json_object_get(params, "file"))
		cli->changed = false;
	json_decref(params);
	/* Only what the daemon itself said leaves the connection as it was. */
	if (!result && err->code != -EIO)
		cli->rpc = rpc_close(cli->rpc);
	return result;
}

json_t *cli_ask(struct cli *cli, const char *method, json_t *params)
{
	struct errmsg err;
	json_t *result = cli_call(cli, method, params, &err);

	if (!result)
		cli_fail(cli, CLI_FAILED, "%s", err.text);
	return result;
}

int cli_do(struct cli *cli, const char *method, json_t *params)
{
	json_t *result = cli_ask(cli, method, params);

	json_decref(result);
	return result ? 0 : CLI_FAILED;
}

int cli_set(struct cli *cli, const char *dir, const char *name, const char *value)
{
	char path[VIEW_PATH_CHARS + 256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return cli_do(cli, "set", json_pack("{s:s, s:s}", "path", path, "value", value));
}

int cli_confirm(struct cli *cli, const char *fmt, ...)
{
	char text[768], question[800];
	va_list ap;

	if (cli->yes)
		return 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!term_asks())
		return cli_fail(cli, CLI_UNCONFIRMED,
			"%s: nothing was done; add --yes if that is meant", text);
	snprintf(question, sizeof(question), "%s. Go on?", text);
	return term_ask(question) ? 0 : cli_fail(cli, CLI_UNCONFIRMED, "nothing was done");
}

int cli_confirm_sessions(struct cli *cli, const char *target, json_int_t tpg, const char *initiator)
{
	struct errmsg err;
	json_t *rows, *s, *first = NULL;
	size_t i, n = 0;
	int status = 0;

	if (cli->yes)
		return 0;
	rows = cli_call(cli, "sessions.list",
		json_pack("{s:s*, s:s*}", "target", target, "initiator", initiator), &err);
	json_array_foreach (rows, i, s) {
		if (tpg && json_integer_value(json_object_get(s, "tpg")) != tpg)
			continue;
		first = first ? first : s;
		n++;
	}
	if (n)
		status = cli_confirm(cli, "this ends %zu session%s (%s%s)", n, n == 1 ? "" : "s",
			json_string_value(json_object_get(first, "initiator")), n == 1 ? "" : " …");
	json_decref(rows);
	return status;
}

int cli_confirm_use(struct cli *cli, const char *target, const char *initiator, const char *what)
{
	struct errmsg err;
	json_t *rows;
	size_t n;

	if (cli->yes)
		return 0;
	rows = cli_call(cli, "sessions.list",
		json_pack("{s:s*, s:s*}", "target", target, "initiator", initiator), &err);
	n = json_array_size(rows);
	json_decref(rows);
	return n ? cli_confirm(cli, "%zu session%s may be using %s", n, n == 1 ? "" : "s", what)
		 : 0;
}

/* ---- help ------------------------------------------------------------------------------------ */

static void print_usage(const struct cli_command *c)
{
	assert(!c->args[CLI_ARGS_MAX - 1].name);
	printf("ulio %s%s%s", c->group, c->verb ? " " : "", c->verb ? c->verb : "");
	for (const struct cli_arg *a = c->args; a->name; a++) {
		static const char *const forms[] = {
			[ARG_POSITION] = " %s",
			[ARG_OPTIONAL] = " [%s]",
			[ARG_REST] = " [--] %s …",
			[ARG_OPTION] = " [--%s …]",
			[ARG_FLAG] = " [--%s]",
		};

		printf(forms[a->kind], a->name);
	}
	printf("\n");
}

static int help_of(const struct cli_command *c)
{
	print_usage(c);
	printf("%s\n", c->doc);
	for (const struct cli_arg *a = c->args; a->name; a++)
		printf("  %s%-18s %s\n", a->kind >= ARG_OPTION ? "--" : "  ", a->name, a->doc);
	return 0;
}

static int help_all(void)
{
	printf("Usage: ulio [--control PATH] [--json] [--yes] COMMAND …\n"
	       "       ulio [-f SCRIPT [--keep-going]]     the shell, or commands from a file\n"
	       "       ulio PATH VERB …                    as targetcli: ulio /iscsi create\n"
	       "Steer a running uliod.\n\n");
	for (int i = 0; i < NTABLES; i++) {
		for (const struct cli_command *c = tables[i]; c->group; c++) {
			char name[64];

			snprintf(name, sizeof(name), "%s%s%s", c->group, c->verb ? " " : "",
				c->verb ? c->verb : "");
			printf("  %-16s %s\n", name, c->doc);
		}
	}
	printf("\n\"ulio help COMMAND\" tells more. See ulio(8).\n");
	return 0;
}

/* ---- arguments ------------------------------------------------------------------------------- */

const struct cli_command *cli_command_find(const char *group, const char *verb, int *ret_words)
{
	const struct cli_command *found = NULL;

	for (int i = 0; i < NTABLES && !found; i++) {
		for (const struct cli_command *c = tables[i]; c->group; c++) {
			if (strcmp(c->group, group) != 0)
				continue;
			if (c->verb && (!verb || strcmp(c->verb, verb) != 0))
				continue;
			*ret_words = c->verb ? 2 : 1;
			found = c;
			break;
		}
	}
	return found;
}

/* The verbs of a group, for who gave a wrong one. */
static int unknown(const char *group, const char *verb)
{
	bool any = false;

	for (int i = 0; i < NTABLES; i++) {
		for (const struct cli_command *c = tables[i]; c->group; c++) {
			if (strcmp(c->group, group) != 0 || !c->verb)
				continue;
			if (!any)
				fprintf(stderr,
					"ulio: %s %s: there is no such command; there are:", group,
					verb ? verb : "?");
			fprintf(stderr, " %s", c->verb);
			any = true;
		}
	}
	if (!any)
		fprintf(stderr, "ulio: %s: there is no such command; \"ulio help\" lists them",
			group);
	fprintf(stderr, "\n");
	return CLI_USAGE;
}

static int put(json_t *params, const struct cli_arg *a, const char *text)
{
	uint64_t n;

	if (a->kind == ARG_FLAG)
		return json_object_set_new(params, a->name, json_true());
	if (!a->is_number)
		return json_object_set_new(params, a->name, json_string(text));
	if (num_parse_u64(text, 0, INT64_MAX, &n)) {
		fprintf(stderr, "ulio: %s %s: a number is meant\n", a->name, text);
		return -1;
	}
	return json_object_set_new(params, a->name, json_integer((json_int_t)n));
}

/* The argument that the next word by place belongs to, NULL if there are too many. */
static const struct cli_arg *next_position(const struct cli_command *c, const json_t *params)
{
	for (const struct cli_arg *a = c->args; a->name; a++) {
		if (a->kind <= ARG_REST && !json_object_get(params, a->name))
			return a;
	}
	return NULL;
}

/* A parameter's name as an option: "read_only" is --read-only. */
static bool is_option(const struct cli_arg *a, const char *word, size_t n)
{
	if (a->kind < ARG_OPTION || strlen(a->name) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (a->name[i] != word[i] && !(a->name[i] == '_' && word[i] == '-'))
			return false;
	}
	return true;
}

/* --name VALUE, --name=VALUE, --name. How many words it took, 0: wrong. */
static int take_option(const struct cli_command *c, json_t *params, char **argv, int argc)
{
	const char *word = argv[0] + 2, *eq = strchr(word, '=');
	size_t n = eq ? (size_t)(eq - word) : strlen(word);
	const struct cli_arg *a = c->args;

	while (a->name && !is_option(a, word, n))
		a++;
	if (!a->name) {
		fprintf(stderr, "ulio: %s: there is no such option here\n", argv[0]);
		return 0;
	}
	if (a->kind == ARG_FLAG)
		return put(params, a, NULL) ? 0 : 1;
	if (!eq && argc < 2) {
		fprintf(stderr, "ulio: %s: needs a value\n", argv[0]);
		return 0;
	}
	return put(params, a, eq ? eq + 1 : argv[1]) ? 0 : eq ? 1 : 2;
}

/* All words as one parameter. How many they are, 0: out of memory. */
static int take_rest(const struct cli_arg *a, json_t *params, char **argv, int argc)
{
	json_t *list = json_array();

	for (int i = 0; i < argc; i++) {
		if (json_array_append_new(list, json_stringn_nocheck(argv[i], strlen(argv[i])))) {
			json_decref(list);
			return 0;
		}
	}
	return json_object_set_new(params, a->name, list) ? 0 : argc;
}

static json_t *parse(const struct cli_command *c, int argc, char **argv)
{
	json_t *params = json_object();
	const struct cli_arg *a;
	bool options = true;

	for (int i = 0; i < argc;) {
		int taken = 1;

		if (options && !strcmp(argv[i], "--")) {
			options = false;
		} else if (options && !strncmp(argv[i], "--", 2)) {
			taken = take_option(c, params, argv + i, argc - i);
		} else if (!(a = next_position(c, params))) {
			fprintf(stderr, "ulio: %s: is one word too many\n", argv[i]);
			taken = 0;
		} else if (a->kind == ARG_REST) {
			taken = take_rest(a, params, argv + i, argc - i);
		} else if (put(params, a, argv[i])) {
			taken = 0;
		}
		if (!taken) {
			json_decref(params);
			return NULL;
		}
		i += taken;
	}
	for (a = c->args; a->name; a++) {
		if ((a->kind == ARG_POSITION || a->kind == ARG_REST) &&
			!json_object_get(params, a->name)) {
			fprintf(stderr, "ulio: %s is missing: %s\n", a->name, a->doc);
			json_decref(params);
			return NULL;
		}
	}
	return params;
}

/* ---- running --------------------------------------------------------------------------------- */

static int run(struct cli *cli)
{
	struct errmsg err = { 0 };
	json_t *result = NULL;
	int status = 0;

	if (cli->command->prepare && cli->command->prepare(cli, &err))
		return cli_fail(cli, CLI_FAILED, "%s", err.text);
	if (cli->command->danger)
		status = cli->command->danger(cli);
	if (status)
		return status;
	if (cli->command->method) {
		result = cli_ask(cli, cli->command->method, json_incref(cli->params));
		if (!result)
			return CLI_FAILED;
	}
	if (cli->json && cli->command->method) {
		if (!json_is_null(result))
			cli_print_json(result);
	} else if (cli->command->run) {
		status = cli->command->run(cli, result);
	}
	json_decref(result);
	return status;
}

static int command_run(struct cli *cli, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : NULL;
	int words = 0, status;

	cli->command = cli_command_find(argv[0], verb, &words);
	if (!cli->command)
		return unknown(argv[0], verb);
	cli->params = parse(cli->command, argc - words, argv + words);
	if (!cli->params)
		return CLI_USAGE;
	status = run(cli);
	json_decref(cli->params);
	cli->params = NULL;
	return status;
}

int cli_help(struct cli *cli, int argc, char **argv)
{
	const struct cli_command *c;
	int words;

	if (!argc)
		return help_all();
	c = cli_command_find(argv[0], argc > 1 ? argv[1] : NULL, &words);
	return c ? help_of(c) : unknown(argv[0], argc > 1 ? argv[1] : NULL);
}

/* Whether all that stands behind a command's name is not for ulio: that of exec. */
static bool takes_rest(const char *word)
{
	int words;
	const struct cli_command *c = cli_command_find(word, NULL, &words);

	return c && c->args[0].name && c->args[0].kind == ARG_REST;
}

/*
 * Take --json and --yes out of the words, wherever they stand before "--" or before the words that
 * a command takes as they are. The words that stay.
 */
static int take_global(struct cli *cli, int argc, char **argv)
{
	bool options = true;
	int n = 0;

	for (int i = 0; i < argc; i++) {
		bool plain = strncmp(argv[i], "--", 2) != 0;

		if (!strcmp(argv[i], "--") || (plain && n == 1 && takes_rest(argv[0])))
			options = false;
		if (options && !strcmp(argv[i], "--json"))
			cli->json = true;
		else if (options && !strcmp(argv[i], "--yes"))
			cli->yes = true;
		else
			argv[n++] = argv[i];
	}
	return n;
}

static bool is_path(const char *word)
{
	return strchr(word, '/') || !strcmp(word, "..") || !strcmp(word, ".");
}

/* A path, and what is to be done there: else to go there, or to list it. */
static int path_run(struct cli *cli, int argc, char **argv)
{
	struct view_path at;
	struct errmsg err = { 0 };
	const struct verb *v;
	const char *verb = argc > 1 ? argv[1] : "ls";

	if (view_resolve(&cli->cwd, argv[0], &at, &err))
		return cli_fail(cli, CLI_USAGE, "%s", err.text);
	if (argc == 1 && cli->shell)
		return verb_go(cli, &at);
	v = verb_find(&at, verb);
	if (v)
		return verb_run(cli, v, &at, argc > 1 ? argc - 2 : 0, argv + (argc > 1 ? 2 : 1));
	if (at.kind == VIEW_ROOT)
		return command_run(cli, argc - 1, argv + 1);
	cli_fail(cli, CLI_USAGE, "%s: there is no \"%s\" at a %s; there are:", argv[0], verb,
		view_kind_name(at.kind));
	for (unsigned i = 0; (v = verb_at(&at, i)); i++)
		fprintf(stderr, " %s", v->name);
	fprintf(stderr, "\n");
	return CLI_USAGE;
}

/* get and set are two commands: of the daemon's tree by path, of a group at a place. */
static bool by_path(int argc, char **argv)
{
	return (!strcmp(argv[0], "get") || !strcmp(argv[0], "set")) && argc > 1 &&
	       argv[1][0] == '/';
}

int cli_execute(struct cli *cli, int argc, char **argv)
{
	bool json = cli->json, yes = cli->yes;
	const struct verb *v;
	int status;

	argc = take_global(cli, argc, argv);
	v = argc ? verb_find(&cli->cwd, argv[0]) : NULL;
	if (!argc)
		status = 0;
	else if (lioutils_find(argv[0]))
		status = lioutils_run(cli, lioutils_find(argv[0]), argc - 1, argv + 1);
	else if (is_path(argv[0]))
		status = path_run(cli, argc, argv);
	else if (v && !by_path(argc, argv))
		status = verb_run(cli, v, &cli->cwd, argc - 1, argv + 1);
	else
		status = command_run(cli, argc, argv);
	cli_flush_said(cli, NULL);
	cli->json = json;
	cli->yes = yes;
	return status;
}
