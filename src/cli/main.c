/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c: ulio: options, then one command, a script, or the shell. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ulio/control.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/complete.h"
#include "cli/lioutils.h"
#include "cli/shell.h"

struct options {
	const char *control, *script, *complete;
	bool help, keep_going;
};

static int wrong(const char *word)
{
	fprintf(stderr,
		"ulio: %s: there is no such option; --control PATH, --json, --yes, -f FILE, "
		"--keep-going, --help, --version\n",
		word);
	return -1;
}

/* Options before the command. How many words, -1: wrong. */
static int take_options(struct cli *cli, struct options *o, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *a = argv[i];

		if (!strcmp(a, "--json"))
			cli->json = true;
		else if (!strcmp(a, "--yes"))
			cli->yes = true;
		else if (!strcmp(a, "--help"))
			o->help = true;
		else if (!strcmp(a, "--keep-going"))
			o->keep_going = true;
		else if (!strcmp(a, "--version"))
			exit(printf("ulio %s\n", ULIO_VERSION) < 0);
		else if (!strncmp(a, "--control=", 10))
			o->control = a + 10;
		else if (!strcmp(a, "--control") && i + 1 < argc)
			o->control = argv[++i];
		else if (!strcmp(a, "--complete") && i + 1 < argc)
			o->complete = argv[++i];
		else if (!strcmp(a, "-f") && i + 1 < argc)
			o->script = argv[++i];
		else
			return wrong(a);
	}
	return i;
}

/* For other shells: what may come next in a line, a word each. */
static int complete(struct cli *cli, const char *line)
{
	struct complete c;

	complete_line(cli, line, &c);
	for (size_t i = 0; i < c.n; i++)
		printf("%s\n", c.v[i]);
	complete_done(&c);
	return 0;
}

static int run(struct cli *cli, const struct options *o, int argc, char **argv)
{
	if (o->help)
		return cli_help(cli, 0, NULL);
	if (o->complete)
		return complete(cli, o->complete);
	if (o->script)
		return shell_script(cli, o->script, o->keep_going);
	if (argc)
		return cli_execute(cli, argc, argv);
	if (!isatty(STDIN_FILENO))
		return shell_script(cli, "-", o->keep_going);
	return shell_run(cli);
}

int main(int argc, char **argv)
{
	struct options o = { .control = getenv(ULIO_CONTROL_ENV) };
	struct cli cli = { .cwd = { VIEW_ROOT, "/" } };
	char path[256];
	int at, status;

	setlocale(LC_CTYPE, "");
	prefs_load(&cli.prefs);
	/* By another name it is another command: what it is called is its first word. */
	argv[0] = basename(argv[0]);
	at = lioutils_find(argv[0]) ? 0 : take_options(&cli, &o, argc, argv);
	if (at < 0)
		return CLI_USAGE;
	if (!o.control || !*o.control) {
		ulio_control_default_path(path, sizeof(path));
		o.control = path;
	}
	cli.control = o.control;
	status = run(&cli, &o, argc - at, argv + at);
	rpc_close(cli.rpc);
	if (fflush(stdout) || ferror(stdout))
		return CLI_FAILED;
	return status;
}
