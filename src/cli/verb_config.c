/* SPDX-License-Identifier: BSD-3-Clause */
/* verb_config.c: get and set: groups of parameters of a place, as rows of the daemon's tree. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/render.h"
#include "cli/verb.h"

enum { PLACES = AT(VIEW_TPG) | AT(VIEW_ACL), SECRET_CHARS = 1024 };

static const struct config_alias chap[] = {
	{ "userid", "userid" },
	{ "password", "password" },
	{ "mutual_userid", "userid_mutual" },
	{ "mutual_password", "password_mutual" },
	{ NULL, NULL },
};
static const struct config_alias discovery[] = {
	{ "enable", "enforce_discovery_auth" },
	{ "mutual_userid", "userid_mutual" },
	{ "mutual_password", "password_mutual" },
	{ NULL, NULL },
};
static const struct config_alias lun_alua[] = {
	{ "alua_tg_pt_gp_name", "alua_tg_pt_gp" },
	{ NULL, NULL },
};

static const struct config_group groups[] = {
	{ "attribute", AT(VIEW_STORAGE) | PLACES, "/attrib", .doc = "How it behaves." },
	{ "attribute", AT(VIEW_MAPPED) | AT(VIEW_PORTAL), "", .doc = "How it behaves." },
	{ "wwn", AT(VIEW_STORAGE), "/wwn", .doc = "Who the disk says it is." },
	{ "parameter", PLACES | AT(VIEW_TARGET), "/param",
		.doc = "What is negotiated at login (RFC 7143)." },
	{ "auth", PLACES, "/auth", chap, .doc = "CHAP names and secrets." },
	{ "discovery_auth", AT(VIEW_FABRIC), "/discovery_auth", discovery,
		.doc = "Who may discover targets." },
	{ "attribute", AT(VIEW_FABRIC), "", .doc = "Rules for all targets." },
	{ "alua", AT(VIEW_GROUP), "", .doc = "The access state and its rules." },
	{ "alua", AT(VIEW_LUN), "", lun_alua, .doc = "The group that the path belongs to." },
	{ "global", 0, NULL, .doc = "How this shell behaves, for this user." },
};

enum { NGROUPS = sizeof(groups) / sizeof(groups[0]) };

const struct config_group *config_group_at(enum view_kind kind, unsigned i)
{
	for (unsigned k = 0; k < NGROUPS; k++) {
		if ((!groups[k].kinds || groups[k].kinds & AT(kind)) && !i--)
			return &groups[k];
	}
	return NULL;
}

const struct config_group *config_group_find(enum view_kind kind, const char *name)
{
	const struct config_group *g;

	for (unsigned i = 0; (g = config_group_at(kind, i)); i++) {
		if (!strcmp(g->name, name))
			return g;
	}
	return NULL;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const char *raw_name(const struct config_group *g, const char *name)
{
	for (const struct config_alias *a = g->aliases; a && a->name; a++) {
		if (!strcmp(a->name, name))
			return a->raw;
	}
	return name;
}

static const char *shown_name(const struct config_group *g, const char *raw)
{
	for (const struct config_alias *a = g->aliases; a && a->name; a++) {
		if (!strcmp(a->raw, raw))
			return a->name;
	}
	return raw;
}

/* The preferences as rows of ls. */
static json_t *pref_rows(const struct cli *cli)
{
	json_t *rows = json_array();
	const struct pref *p;

	for (unsigned i = 0; (p = pref_at(i)); i++)
		json_array_append_new(rows,
			json_pack("{s:s, s:s, s:s, s:b, s:s, s:[s, s]}", "name", p->name, "access",
				"rw", "value", pref_get(&cli->prefs, p) ? "true" : "false",
				"secret", 0, "doc", p->doc, "words", "true", "false"));
	return rows;
}

json_t *config_rows(struct cli *cli, const struct view_path *at, const struct config_group *g,
	struct errmsg *err)
{
	struct strbuf raw;
	json_t *result = NULL, *rows, *row;
	size_t i;

	if (!g->dir)
		return pref_rows(cli);
	strbuf_init(&raw);
	if (!view_raw(cli, at, &raw, err)) {
		strbuf_puts(&raw, g->dir);
		result = cli_call(cli, "ls", json_pack("{s:s}", "path", raw.s), err);
	}
	strbuf_done(&raw);
	if (!result)
		return NULL;
	rows = json_incref(json_object_get(result, "attrs"));
	json_array_foreach (rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		json_object_set_new(row, "name", json_string(shown_name(g, name)));
	}
	json_decref(result);
	return rows;
}

/* ---- which group ----------------------------------------------------------------------------- */

static int list_groups(struct verb_call *c)
{
	const struct config_group *g;
	json_t *out = json_object();

	for (unsigned i = 0; (g = config_group_at(c->at.kind, i)); i++)
		json_object_set_new(out, g->name, json_string(g->doc));
	if (c->cli->json)
		cli_print_json(out);
	else
		table_print_object(out);
	json_decref(out);
	return 0;
}

static int unknown_group(struct verb_call *c)
{
	const struct config_group *g;

	cli_fail(c->cli, CLI_USAGE, "%s: a %s has no such group; there are:", c->argv[0],
		view_kind_name(c->at.kind));
	for (unsigned i = 0; (g = config_group_at(c->at.kind, i)); i++)
		fprintf(stderr, " %s", g->name);
	fprintf(stderr, "\n");
	return CLI_USAGE;
}

/* ---- get ------------------------------------------------------------------------------------- */

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

static const char *value_of(const json_t *row)
{
	if (json_is_true(json_object_get(row, "secret")))
		return "(secret)";
	return text(row, "value");
}

static const json_t *find_row(const json_t *rows, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		if (!strcmp(text(row, "name"), name))
			return row;
	}
	return NULL;
}

static void print_all(const json_t *rows)
{
	struct strbuf b;
	json_t *row;
	size_t i;

	strbuf_init(&b);
	json_array_foreach (rows, i, row) {
		bool ro = !strcmp(text(row, "access"), "ro");

		strbuf_printf(&b, "%s=%s%s\n", text(row, "name"), value_of(row), ro ? " [ro]" : "");
		render_paragraph(&b, text(row, "doc"), 4, term_width());
	}
	fputs(b.s, stdout);
	strbuf_done(&b);
}

/* The values of the names that were given. */
static int get_some(struct verb_call *c, const struct config_group *g, const json_t *rows)
{
	json_t *out = json_object();
	int status = 0;

	for (int i = 1; i < c->argc && !status; i++) {
		const json_t *row = find_row(rows, c->argv[i]);

		if (row)
			json_object_set_new(out, c->argv[i], json_string(value_of(row)));
		else
			status = cli_fail(c->cli, CLI_USAGE, "%s: %s has no such %s", c->argv[i],
				c->at.text, g->name);
	}
	if (!status && c->cli->json) {
		cli_print_json(out);
	} else if (!status) {
		const char *key;
		json_t *v;

		json_object_foreach (out, key, v)
			printf("%s=%s\n", key, json_string_value(v));
	}
	json_decref(out);
	return status;
}

static json_t *values_of(const json_t *rows)
{
	json_t *out = json_object(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		json_object_set_new(out, text(row, "name"), json_string(value_of(row)));
	return out;
}

int verb_get(struct verb_call *c)
{
	const struct config_group *g;
	struct errmsg err = { 0 };
	json_t *rows, *values;
	int status = 0;

	if (!c->argc)
		return list_groups(c);
	g = config_group_find(c->at.kind, c->argv[0]);
	if (!g)
		return unknown_group(c);
	rows = config_rows(c->cli, &c->at, g, &err);
	if (!rows)
		return verb_fail(c, &err);
	if (c->argc > 1) {
		status = get_some(c, g, rows);
	} else if (c->cli->json) {
		values = values_of(rows);
		cli_print_json(values);
		json_decref(values);
	} else {
		print_all(rows);
	}
	json_decref(rows);
	return status;
}

/* ---- set ------------------------------------------------------------------------------------- */

static int set_pref(struct verb_call *c, const char *name, const char *value)
{
	struct errmsg err = { 0 };

	if (prefs_set(&c->cli->prefs, name, value, &err))
		return cli_fail(c->cli,
			err.code == -EINVAL || err.code == -ENOENT ? CLI_USAGE : CLI_FAILED, "%s",
			err.text);
	cli_say(c->cli, "Parameter %s is now '%s'.", name, value);
	return 0;
}

/* "-": typed on the terminal, so that it is seen by nobody and in no history. */
static int read_secret(struct verb_call *c, const char *name, char buf[SECRET_CHARS])
{
	if (!term_secret(name, buf, SECRET_CHARS))
		return 0;
	if (fgets(buf, SECRET_CHARS, stdin)) {
		buf[strcspn(buf, "\r\n")] = '\0';
		return 0;
	}
	return cli_fail(c->cli, CLI_FAILED, "%s=-: there is nothing to read", name);
}

static int set_one(struct verb_call *c, const struct config_group *g, const char *dir,
	const char *name, const char *value)
{
	const char *raw = raw_name(g, name);
	bool secret = strstr(raw, "password") && !strstr(raw, "_file");
	char buf[SECRET_CHARS];
	int status = 0;
	bool on;

	if (!g->dir)
		return set_pref(c, name, value);
	if (g->aliases && !strcmp(name, "enable") && !prefs_parse_bool(value, &on))
		value = on ? "1" : "0";
	if (secret && !strcmp(value, "-")) {
		status = read_secret(c, name, buf);
		value = buf;
	}
	if (!status)
		status = cli_set(c->cli, dir, raw, value);
	if (!status)
		cli_say(c->cli, secret ? "Parameter %s is set." : "Parameter %s is now '%s'.", name,
			value);
	explicit_bzero(buf, sizeof(buf));
	return status;
}

int verb_set(struct verb_call *c)
{
	const struct config_group *g;
	struct strbuf dir;
	int status;

	if (!c->argc)
		return list_groups(c);
	g = config_group_find(c->at.kind, c->argv[0]);
	if (!g)
		return unknown_group(c);
	if (c->argc == 1)
		return verb_get(c);
	for (int i = 1; i < c->argc; i++) {
		if (!strchr(c->argv[i], '=') || c->argv[i][0] == '=')
			return cli_fail(c->cli, CLI_USAGE, "%s: NAME=VALUE is meant", c->argv[i]);
	}
	status = g->dir ? verb_raw(c, &dir) : (strbuf_init(&dir), 0);
	if (g->dir)
		strbuf_puts(&dir, g->dir);
	for (int i = 1; i < c->argc && !status; i++) {
		char *eq = strchr(c->argv[i], '=');

		*eq = '\0';
		status = set_one(c, g, dir.s, c->argv[i], eq + 1);
		*eq = '=';
	}
	strbuf_done(&dir);
	return status;
}
