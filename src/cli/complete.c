/* SPDX-License-Identifier: BSD-3-Clause */
/* complete.c: see complete.h. */
#include "cli/complete.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/verb.h"
#include "cli/words.h"

struct completer {
	struct cli *cli;
	const char *word; /* the unfinished one */
	struct complete *out;
};

/* ---- candidates ------------------------------------------------------------------------------ */

/* Offer before+name+after if it begins with the word. */
static void offer(struct completer *c, const char *before, const char *name, const char *after)
{
	size_t len = strlen(before) + strlen(name) + strlen(after);
	char *plain, *quoted;

	if (c->out->n == COMPLETE_MAX)
		return;
	plain = malloc(len + 1);
	quoted = malloc(2 * len + 3);
	if (plain && quoted) {
		snprintf(plain, len + 1, "%s%s%s", before, name, after);
		if (!strncmp(plain, c->word, strlen(c->word))) {
			words_quote(plain, quoted);
			c->out->v[c->out->n++] = quoted;
			quoted = NULL;
		}
	}
	free(plain);
	free(quoted);
}

static void offer_all(
	struct completer *c, const char *before, const json_t *names, const char *after)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		offer(c, before, json_string_value(name), after);
}

/* ---- kinds of values ------------------------------------------------------------------------- */

/* Whether there is something below, so that a path goes on. */
static bool goes_on(enum view_kind kind, bool storage)
{
	return kind != VIEW_GROUP && kind != VIEW_MAPPED && kind != VIEW_LUN &&
	       kind != VIEW_PORTAL && !(kind == VIEW_STORAGE && storage);
}

/*
 * Directories of the view below the word's directory; the word may begin behind a prefix "x=".
 * storage: a storage object is meant, and not what lies below it.
 */
static void offer_view(
	struct completer *c, const struct view_path *from, size_t prefix, bool storage)
{
	const char *path = c->word + prefix, *slash = strrchr(path, '/');
	int n = slash ? (int)(slash - path) + 1 : 0;
	char dir[VIEW_PATH_CHARS], before[VIEW_PATH_CHARS];
	struct view_path at, child;
	struct errmsg err;
	json_t *names, *name;
	size_t i;

	if ((size_t)n + prefix >= sizeof(dir))
		return;
	snprintf(dir, sizeof(dir), "%.*s", n, path);
	snprintf(before, sizeof(before), "%.*s", n + (int)prefix, c->word);
	if (view_resolve(from, dir, &at, &err))
		return;
	names = view_list(c->cli, &at);
	json_array_foreach (names, i, name) {
		const char *s = json_string_value(name);

		if (!view_child(&at, s, &child, &err))
			offer(c, before, s, goes_on(child.kind, storage) ? "/" : "");
	}
	json_decref(names);
}

static void offer_files(struct completer *c, size_t prefix)
{
	const char *path = c->word + prefix, *slash = strrchr(path, '/');
	int n = slash ? (int)(slash - path) + 1 : 0;
	char dir[4096], full[8192], before[4096];
	struct dirent *e;
	struct stat st;
	DIR *d;

	if ((size_t)n + prefix >= sizeof(dir))
		return;
	snprintf(dir, sizeof(dir), "%.*s", n, path);
	snprintf(before, sizeof(before), "%.*s", n + (int)prefix, c->word);
	d = opendir(n ? dir : ".");
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' && path[n] != '.')
			continue;
		snprintf(full, sizeof(full), "%s%s", n ? dir : "./", e->d_name);
		offer(c, before, e->d_name, !stat(full, &st) && S_ISDIR(st.st_mode) ? "/" : "");
	}
	if (d)
		closedir(d);
}

/* Values of one key in the rows of a method. */
static void offer_rows(struct completer *c, const char *before, const char *method, const char *key)
{
	struct errmsg err;
	json_t *rows = cli_call(c->cli, method, NULL, &err), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *s = json_string_value(json_object_get(row, key));

		if (s && *s)
			offer(c, before, s, "");
	}
	json_decref(rows);
}

static void offer_values(
	struct completer *c, const struct view_path *at, enum verb_values values, size_t prefix)
{
	char before[256];
	json_t *names;

	snprintf(before, sizeof(before), "%.*s", (int)prefix, c->word);
	switch (values) {
	case VALUES_BOOL:
		offer(c, before, "true", "");
		offer(c, before, "false", "");
		break;
	case VALUES_FILE:
		offer_files(c, prefix);
		break;
	case VALUES_VIEW:
		offer_view(c, at, prefix, false);
		break;
	case VALUES_STORAGE:
		offer_view(c, at, prefix, true);
		offer_files(c, prefix);
		break;
	case VALUES_CHILD:
		names = view_list(c->cli, at);
		offer_all(c, before, names, "");
		json_decref(names);
		break;
	case VALUES_INITIATOR:
		offer_rows(c, before, "sessions.list", "initiator");
		offer_rows(c, before, "logins.refused", "initiator");
		break;
	case VALUES_ANY:
	case VALUES_GROUP:
		break;
	}
}

/* ---- get and set ----------------------------------------------------------------------------- */

static void offer_groups(struct completer *c, const struct view_path *at)
{
	const struct config_group *g;

	for (unsigned i = 0; (g = config_group_at(at->kind, i)); i++)
		offer(c, "", g->name, "");
}

/* Values of "name=": the row's words, and what it is now. */
static void offer_row_values(struct completer *c, const json_t *row, const char *before)
{
	const char *value = json_string_value(json_object_get(row, "value"));
	const char *doc = json_string_value(json_object_get(row, "doc"));
	const json_t *words = json_object_get(row, "words");

	offer_all(c, before, words, "");
	if (!json_array_size(words) && value && *value && !strchr(value, '\n'))
		offer(c, before, value, "");
	if (!c->out->n && doc)
		c->out->hint = strdup(doc);
}

static void offer_names(
	struct completer *c, const struct view_path *at, const char *group, bool set)
{
	const struct config_group *g = config_group_find(at->kind, group);
	const char *eq = strchr(c->word, '=');
	struct errmsg err;
	json_t *rows = g ? config_rows(c->cli, at, g, &err) : NULL, *row;
	char before[256];
	size_t i;

	snprintf(before, sizeof(before), "%.*s", eq ? (int)(eq - c->word) + 1 : 0, c->word);
	json_array_foreach (rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));
		bool ro = !strcmp(json_string_value(json_object_get(row, "access")), "ro");

		if (set && eq && !strncmp(before, name, strlen(before) - 1) &&
			strlen(name) == strlen(before) - 1)
			offer_row_values(c, row, before);
		else if (!(set && (ro || eq)))
			offer(c, "", name, set ? "=" : "");
	}
	json_decref(rows);
}

/* Attributes of the daemon's tree by path: "get /isns/state". */
static void offer_attrs(struct completer *c)
{
	const char *slash = strrchr(c->word, '/');
	char dir[VIEW_PATH_CHARS], before[VIEW_PATH_CHARS];
	struct errmsg err;
	json_t *d, *a;
	size_t i;
	json_t *names;

	snprintf(dir, sizeof(dir), "%.*s", slash == c->word ? 1 : (int)(slash - c->word), c->word);
	snprintf(before, sizeof(before), "%.*s", (int)(slash - c->word) + 1, c->word);
	d = cli_call(c->cli, "ls", json_pack("{s:s}", "path", dir), &err);
	names = json_object_get(d, "dirs");
	offer_all(c, before, names, "/");
	json_array_foreach (json_object_get(d, "attrs"), i, a)
		offer(c, before, json_string_value(json_object_get(a, "name")), "");
	json_decref(d);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static void offer_verbs(struct completer *c, const struct view_path *at)
{
	const struct verb *v;

	for (unsigned i = 0; (v = verb_at(at, i)); i++)
		offer(c, "", v->name, "");
}

static void offer_commands(struct completer *c)
{
	const struct cli_command *cmd;
	const char *last = "";

	for (unsigned i = 0; (cmd = cli_command_at(i)); i++) {
		if (strcmp(last, cmd->group) != 0)
			offer(c, "", cmd->group, "");
		last = cmd->group;
	}
}

/* The parameter that the next word by position would be: the first that is not named or taken. */
static const struct verb_param *next_param(const struct verb *v, char **words, int n)
{
	bool taken[VERB_PARAMS_MAX] = { false };
	int at = 0;

	for (int i = 0; i < n; i++) {
		const char *eq = strchr(words[i], '=');
		int k = 0;

		while (eq && v->params[k].name &&
			strncmp(v->params[k].name, words[i], (size_t)(eq - words[i])) != 0)
			k++;
		if (eq && v->params[k].name) {
			taken[k] = true;
			continue;
		}
		while (v->params[at].name && taken[at])
			at++;
		if (v->params[at].name)
			taken[at] = true;
	}
	while (v->params[at].name && taken[at])
		at++;
	return v->params[at].name ? &v->params[at] : NULL;
}

/* words: those behind the verb that are finished. */
static void after_verb(
	struct completer *c, const struct view_path *at, const struct verb *v, char **words, int n)
{
	const struct verb_param *next = next_param(v, words, n);
	const char *eq = strchr(c->word, '=');

	if (v->run == verb_get || v->run == verb_set) {
		if (!n && c->word[0] == '/')
			offer_attrs(c);
		else if (!n)
			offer_groups(c, at);
		else
			offer_names(c, at, words[0], v->run == verb_set);
		return;
	}
	if (v->run == verb_help) {
		offer_verbs(c, at);
		offer_commands(c);
		return;
	}
	for (const struct verb_param *p = v->params; p->name; p++) {
		size_t len = strlen(p->name);

		if (eq && (size_t)(eq - c->word) == len && !strncmp(p->name, c->word, len)) {
			offer_values(c, at, p->values, len + 1);
			return;
		}
	}
	if (next)
		offer_values(c, at, next->values, 0);
	for (const struct verb_param *p = next; p && p->name && *c->word; p++)
		offer(c, "", p->name, "=");
	if (next && !c->out->n && asprintf(&c->out->hint, "%s: %s", next->name, next->doc) < 0)
		c->out->hint = NULL;
}

/* ---- ulio's own commands --------------------------------------------------------------------- */

static void offer_argument(
	struct completer *c, const struct cli_arg *a, const struct cli_command *cmd)
{
	bool adds = cmd->verb && !strcmp(cmd->verb, "add"); /* a name that is not there yet */

	static const struct {
		const char *group, *arg, *method, *key;
	} rows[] = {
		{ NULL, "target", "target.list", "target" },
		{ NULL, "disk", "disk.list", "name" },
		{ "disk", "name", "disk.list", "name" },
		{ NULL, "initiator", "sessions.list", "initiator" },
		{ "unshare", "what", "disk.list", "name" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((rows[i].group ? !adds && !strcmp(rows[i].group, cmd->group) : true) &&
			!strcmp(rows[i].arg, a->name))
			offer_rows(c, "", rows[i].method, rows[i].key);
	}
	for (const char *const *w = a->words; w && *w; w++)
		offer(c, "", *w, "");
	if (strstr(a->name, "file") || !strcmp(a->name, "path"))
		offer_files(c, 0);
	if (!c->out->n && asprintf(&c->out->hint, "%s: %s", a->name, a->doc) < 0)
		c->out->hint = NULL;
}

static const struct cli_arg *option_of(const struct cli_command *cmd, const char *word)
{
	for (const struct cli_arg *a = cmd->args; a->name; a++) {
		char name[64] = "--";

		snprintf(name + 2, sizeof(name) - 2, "%s", a->name);
		for (char *p = name; *p; p++)
			*p = *p == '_' ? '-' : *p;
		if (a->kind == ARG_OPTION && !strcmp(name, word))
			return a;
	}
	return NULL;
}

static void after_command(struct completer *c, const struct cli_command *cmd, char **words, int n)
{
	const struct cli_arg *option = n ? option_of(cmd, words[n - 1]) : NULL;
	int positions = 0;

	if (option) {
		offer_argument(c, option, cmd);
		return;
	}
	for (int i = 0; i < n; i++) {
		if (option_of(cmd, words[i]))
			i++;
		else
			positions += strncmp(words[i], "--", 2) != 0;
	}
	for (const struct cli_arg *a = cmd->args; a->name; a++) {
		char name[64];

		if (a->kind <= ARG_OPTIONAL && !positions-- && c->word[0] != '-')
			offer_argument(c, a, cmd);
		if (a->kind < ARG_OPTION || c->word[0] != '-')
			continue;
		snprintf(name, sizeof(name), "%s", a->name);
		for (char *p = name; *p; p++)
			*p = *p == '_' ? '-' : *p;
		offer(c, "--", name, "");
	}
}

static void own_command(struct completer *c, char **words, int n)
{
	const struct cli_command *cmd;
	int used = 0;

	if (n == 1) {
		for (unsigned i = 0; (cmd = cli_command_at(i)); i++) {
			if (cmd->verb && !strcmp(cmd->group, words[0]))
				offer(c, "", cmd->verb, "");
		}
	}
	cmd = cli_command_find(words[0], n > 1 ? words[1] : NULL, &used);
	if (cmd)
		after_command(c, cmd, words + used, n - used);
}

/* ---- the line -------------------------------------------------------------------------------- */

static void first_word(struct completer *c)
{
	offer_verbs(c, &c->cli->cwd);
	offer_commands(c);
	if (*c->word)
		offer_view(c, &c->cli->cwd, 0, false);
}

static void later_word(struct completer *c, char **words, int n)
{
	struct view_path at = c->cli->cwd;
	const struct verb *v;
	struct errmsg err;
	int used = 0;

	if (strchr(words[0], '/') || !strcmp(words[0], "..") || !strcmp(words[0], ".")) {
		if (view_resolve(&c->cli->cwd, words[0], &at, &err))
			return;
		used = 1;
	}
	if (n == used) {
		offer_verbs(c, &at);
		return;
	}
	v = verb_find(&at, words[used]);
	if (v)
		after_verb(c, &at, v, words + used + 1, n - used - 1);
	else
		own_command(c, words + used, n - used);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct complete *c)
{
	size_t n = 0;

	qsort(c->v, c->n, sizeof(c->v[0]), by_text);
	for (size_t i = 0; i < c->n; i++) {
		if (n && !strcmp(c->v[n - 1], c->v[i]))
			free(c->v[i]);
		else
			c->v[n++] = c->v[i];
	}
	c->n = n;
}

void complete_line(struct cli *cli, const char *line, struct complete *ret)
{
	struct completer c = { cli, "", ret };
	struct errmsg err;
	struct words w = { 0 };
	int n;

	*ret = (struct complete){ .v = calloc(COMPLETE_MAX, sizeof(char *)) };
	if (ret->v && !words_split(&w, line, true, &err)) {
		n = w.n - w.open;
		c.word = w.open ? w.v[n] : "";
		ret->from = w.last_at;
		if (n)
			later_word(&c, w.v, n);
		else
			first_word(&c);
		sort(ret);
	}
	words_done(&w);
}

void complete_done(struct complete *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i]);
	free(c->v);
	free(c->hint);
	*c = (struct complete){ 0 };
}

size_t complete_common(const struct complete *c)
{
	size_t n = c->n ? strlen(c->v[0]) : 0;

	for (size_t i = 1; i < c->n; i++) {
		size_t k = 0;

		while (k < n && c->v[i][k] == c->v[0][k])
			k++;
		n = k;
	}
	return n;
}
