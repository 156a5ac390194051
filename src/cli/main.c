/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c: ulio: finds the subcommand, makes parameters of its arguments, calls and shows. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ulio/control.h>

#include "base/num.h"
#include "cli/cli.h"

static const struct cli_command *const tables[] = { daemon_commands, disk_commands, target_commands,
	lun_commands, alua_commands, auth_commands, session_commands, isns_commands,
	reservation_commands, config_commands, tree_commands };

enum { NTABLES = sizeof(tables) / sizeof(tables[0]) };

/* ---- help ------------------------------------------------------------------------------------ */

static void print_usage(const struct cli_command *c)
{
	assert(!c->args[CLI_ARGS_MAX - 1].name);
	printf("ulio %s%s%s", c->group, c->verb ? " " : "", c->verb ? c->verb : "");
	for (const struct cli_arg *a = c->args; a->name; a++) {
		static const char *const forms[] = {
			[ARG_POSITION] = " %s",
			[ARG_OPTIONAL] = " [%s]",
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
	printf("Usage: ulio [--control PATH] [--json] COMMAND …\nSteer a running uliod.\n\n");
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

static const struct cli_command *find(const char *group, const char *verb, int *ret_words)
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
		if (a->kind <= ARG_OPTIONAL && !json_object_get(params, a->name))
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
		if (a->kind == ARG_POSITION && !json_object_get(params, a->name)) {
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

	if (cli->command->prepare && cli->command->prepare(cli, &err)) {
		fprintf(stderr, "ulio: %s\n", err.text);
		return CLI_FAILED;
	}
	if (cli->command->method) {
		result = rpc_call(cli->rpc, cli->command->method, cli->params, &err);
		if (!result) {
			fprintf(stderr, "ulio: %s\n", err.text);
			return CLI_FAILED;
		}
	}
	if (cli->json && cli->command->method) {
		if (!json_is_null(result)) {
			json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
			printf("\n");
		}
	} else if (cli->command->run) {
		status = cli->command->run(cli, result);
	}
	json_decref(result);
	return status;
}

/* Options before the command. How many words, -1: wrong. */
static int global_options(struct cli *cli, int argc, char **argv, const char **ret_control)
{
	int i = 1;

	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--json")) {
			cli->json = true;
		} else if (!strcmp(argv[i], "--help")) {
			exit(help_all());
		} else if (!strcmp(argv[i], "--version")) {
			printf("ulio %s\n", ULIO_VERSION);
			exit(0);
		} else if (!strncmp(argv[i], "--control=", 10)) {
			*ret_control = argv[i] + 10;
		} else if (!strcmp(argv[i], "--control") && i + 1 < argc) {
			*ret_control = argv[++i];
		} else {
			fprintf(stderr,
				"ulio: %s: there is no such option; --control PATH, --json, "
				"--help, --version\n",
				argv[i]);
			return -1;
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	const char *control = getenv(ULIO_CONTROL_ENV);
	char path[256];
	struct cli cli = { 0 };
	struct errmsg err = { 0 };
	int at = global_options(&cli, argc, argv, &control), words = 0, status = CLI_FAILED;
	bool help;

	if (at < 0)
		return CLI_USAGE;
	help = at < argc && !strcmp(argv[at], "help");
	at += help;
	if (at >= argc)
		return help ? help_all() : (help_all(), CLI_USAGE);
	cli.command = find(argv[at], at + 1 < argc ? argv[at + 1] : NULL, &words);
	if (!cli.command)
		return unknown(argv[at], at + 1 < argc ? argv[at + 1] : NULL);
	if (help)
		return help_of(cli.command);
	/* --json may come last too. */
	if (argc > at + words && !strcmp(argv[argc - 1], "--json")) {
		cli.json = true;
		argc--;
	}
	cli.params = parse(cli.command, argc - at - words, argv + at + words);
	if (!cli.params)
		return CLI_USAGE;
	if (!control || !*control) {
		ulio_control_default_path(path, sizeof(path));
		control = path;
	}
	if (rpc_open(control, &cli.rpc, &err))
		fprintf(stderr, "ulio: %s\n", err.text);
	else
		status = run(&cli);
	rpc_close(cli.rpc);
	json_decref(cli.params);
	return status;
}
