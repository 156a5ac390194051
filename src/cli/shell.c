/* SPDX-License-Identifier: BSD-3-Clause */
/* shell.c: the shell: editing and history by libedit, and scripts. */
#include "cli/shell.h"

#include <errno.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/complete.h"
#include "cli/render.h"
#include "cli/words.h"

enum { HISTORY_LINES = 1000, PROMPT_CHARS = VIEW_PATH_CHARS + 8, LISTED_MAX = 200 };

struct shell {
	struct cli *cli;
	EditLine *el;
	History *history;
	char prompt[PROMPT_CHARS];
	char history_path[512]; /* "": none is kept */
};

/* ---- one line -------------------------------------------------------------------------------- */

static int run_line(struct cli *cli, const char *line)
{
	struct errmsg err = { 0 };
	struct words w;
	int status;

	if (words_split(&w, line, false, &err))
		status = cli_fail(cli, CLI_USAGE, "%s", err.text);
	else
		status = cli_execute(cli, w.n, w.v);
	words_done(&w);
	fflush(stdout);
	return status;
}

/* ---- scripts --------------------------------------------------------------------------------- */

int shell_script(struct cli *cli, const char *path, bool keep_going)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	unsigned long number = 0;
	int status = 0, first = 0;
	size_t cap = 0;
	char *line = NULL;

	if (!f)
		return cli_fail(cli, CLI_USAGE, "%s: %s", path, err_text(-errno));
	cli->shell = true;
	while (!cli->leaving && (!status || keep_going) && getline(&line, &cap, f) >= 0) {
		number++;
		status = run_line(cli, line);
		if (status)
			fprintf(stderr, "ulio: %s, line %lu: failed%s\n",
				f == stdin ? "standard input" : path, number,
				keep_going ? "" : "; the lines behind it were not run");
		first = first ? first : status;
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return first;
}

/* ---- the editor ------------------------------------------------------------------------------ */

static struct shell *shell_of(EditLine *el)
{
	void *sh = NULL;

	el_get(el, EL_CLIENTDATA, &sh);
	return sh;
}

/* The path; its end alone where it would take more than half of the window. */
static char *prompt(EditLine *el)
{
	struct shell *sh = shell_of(el);
	const char *path = sh->cli->cwd.text;
	int n = (int)strlen(path), room = term_width() / 2;

	if (n > room && room > 4)
		snprintf(sh->prompt, sizeof(sh->prompt), "..%s> ", path + n - room + 2);
	else
		snprintf(sh->prompt, sizeof(sh->prompt), "%s> ", path);
	return sh->prompt;
}

/* Candidates, below the line; a word of a path without what all have in common. */
static void list(const struct complete *c)
{
	const char **shown = calloc(c->n + 1, sizeof(char *));
	struct strbuf b;

	if (!shown)
		return;
	for (size_t i = 0; i < c->n; i++) {
		size_t common = complete_common(c), slash = 0;

		for (size_t k = 0; k < common; k++)
			slash = c->v[i][k] == '/' || c->v[i][k] == '=' ? k + 1 : slash;
		shown[i] = c->v[i] + (c->v[i][slash] ? slash : 0);
	}
	strbuf_init(&b);
	strbuf_putc(&b, '\n');
	render_columns(&b, shown, c->n < LISTED_MAX ? c->n : LISTED_MAX, term_width());
	if (c->n > LISTED_MAX)
		strbuf_printf(&b, "and %zu more\n", c->n - LISTED_MAX);
	fputs(b.s, stdout);
	fflush(stdout);
	strbuf_done(&b);
	free(shown);
}

static unsigned char insert(EditLine *el, const struct complete *c, const LineInfo *li)
{
	size_t typed = (size_t)(li->cursor - li->buffer) - c->from, common = complete_common(c);
	const char *word = c->v[0];
	char end = common ? word[common - 1] : '\0';
	char text[VIEW_PATH_CHARS * 2];

	snprintf(text, sizeof(text), "%.*s%s", (int)common, word,
		c->n == 1 && end != '/' && end != '=' ? " " : "");
	if (c->n > 1 && common <= typed)
		return CC_REDISPLAY;
	el_deletestr(el, (int)typed);
	return el_insertstr(el, text) ? CC_ERROR : CC_REFRESH;
}

static unsigned char on_tab(EditLine *el, int ch)
{
	struct shell *sh = shell_of(el);
	const LineInfo *li = el_line(el);
	size_t n = (size_t)(li->cursor - li->buffer);
	char *line = strndup(li->buffer, n);
	unsigned char done = CC_ERROR;
	struct complete c;

	if (!line)
		return CC_ERROR;
	complete_line(sh->cli, line, &c);
	if (c.n) {
		done = insert(el, &c, li);
		if (done == CC_REDISPLAY)
			list(&c);
	} else if (c.hint) {
		struct strbuf b;

		strbuf_init(&b);
		strbuf_putc(&b, '\n');
		render_paragraph(&b, c.hint, 2, term_width());
		fputs(b.s, stdout);
		fflush(stdout);
		strbuf_done(&b);
		done = CC_REDISPLAY;
	}
	complete_done(&c);
	free(line);
	return done;
}

/* Ctrl-C: what was typed is given up. */
static unsigned char on_interrupt(EditLine *el, int ch)
{
	const LineInfo *li = el_line(el);

	fputs("^C\n", stdout);
	fflush(stdout);
	el_cursor(el, (int)(li->lastchar - li->cursor));
	li = el_line(el);
	el_deletestr(el, (int)(li->lastchar - li->buffer));
	return CC_REDISPLAY;
}

/* Secrets are kept out of the history: what a word like these stands before or in. */
static bool is_secret(const char *line)
{
	static const char *const words[] = { "password", "secret", "--setchap" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strstr(line, words[i]))
			return true;
	}
	return false;
}

static void remember(struct shell *sh, const char *line)
{
	HistEvent ev;

	if (line[strspn(line, " \t\n")] == '\0' || is_secret(line))
		return;
	history(sh->history, &ev, H_ENTER, line);
	if (sh->history_path[0])
		history(sh->history, &ev, H_SAVE, sh->history_path);
}

static int open_editor(struct shell *sh)
{
	HistEvent ev;

	sh->el = el_init("ulio", stdin, stdout, stderr);
	sh->history = history_init();
	if (!sh->el || !sh->history)
		return -ENOMEM;
	el_set(sh->el, EL_CLIENTDATA, sh);
	el_set(sh->el, EL_PROMPT, prompt);
	el_set(sh->el, EL_EDITOR, "emacs");
	history(sh->history, &ev, H_SETSIZE, HISTORY_LINES);
	history(sh->history, &ev, H_SETUNIQUE, 1);
	if (prefs_state_path("history", sh->history_path, sizeof(sh->history_path)))
		sh->history_path[0] = '\0';
	else
		history(sh->history, &ev, H_LOAD, sh->history_path);
	el_set(sh->el, EL_HIST, history, sh->history);
	el_set(sh->el, EL_ADDFN, "ulio-complete", "Complete the word", on_tab);
	el_set(sh->el, EL_ADDFN, "ulio-interrupt", "Give the line up", on_interrupt);
	el_set(sh->el, EL_BIND, "^I", "ulio-complete", NULL);
	el_set(sh->el, EL_BIND, "^C", "ulio-interrupt", NULL);
	el_set(sh->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	/* While a line is edited Ctrl-C is a key; while a command runs it is a signal. */
	el_set(sh->el, EL_SETTY, "-d", "-isig", NULL);
	el_source(sh->el, NULL);
	return 0;
}

/* Ctrl-C while a command runs: its answer is not waited for. */
static void on_signal(int sig)
{
}

static void leave(struct cli *cli)
{
	struct errmsg err;
	json_t *config;
	bool file;

	if (!cli->changed || !cli->prefs.auto_save_on_exit)
		return;
	config = cli_call(cli, "config.status", NULL, &err);
	file = json_is_string(json_object_get(config, "file"));
	json_decref(config);
	if (file && !cli_do(cli, "save", NULL))
		printf("Global parameter auto_save_on_exit is true: the configuration was "
		       "saved.\n");
}

int shell_run(struct cli *cli)
{
	struct shell sh = { .cli = cli };
	struct sigaction sa = { .sa_handler = on_signal };
	const char *line;
	int n, status = 0;

	if (open_editor(&sh))
		return cli_fail(cli, CLI_FAILED, "out of memory");
	sigaction(SIGINT, &sa, NULL); /* no SA_RESTART: it ends the wait for the daemon */
	cli->shell = cli->interactive = true;
	printf("ulio %s, for uliod at %s. \"help\" tells what there is, Tab completes.\n",
		ULIO_VERSION, cli->control);
	fflush(stdout);
	while (!cli->leaving && (line = el_gets(sh.el, &n)) && n > 0) {
		char *copy = strdup(line);

		if (!copy)
			break;
		copy[strcspn(copy, "\n")] = '\0';
		remember(&sh, copy);
		status = run_line(cli, copy);
		free(copy);
	}
	if (!cli->leaving)
		printf("\n");
	leave(cli);
	history_end(sh.history);
	el_end(sh.el);
	return status;
}
