/* SPDX-License-Identifier: BSD-3-Clause */
/* lioutils.c: options of lio-utils by their tables. */
#include "cli/lioutils.h"

#include <stdio.h>
#include <string.h>

#include "cli/render.h"
#include "cli/storage.h"

/* ---- for the tables -------------------------------------------------------------------------- */

void lioutils_expand(struct strbuf *out, const char *fmt, char **args)
{
	strbuf_reset(out);
	for (const char *p = fmt; *p; p++) {
		if (p[0] == '$' && p[1] >= '1' && p[1] <= '9')
			strbuf_puts(out, args[*++p - '1']);
		else
			strbuf_putc(out, *p);
	}
}

int lioutils_mkdir(struct cli *cli, const char *path)
{
	char dir[VIEW_PATH_CHARS + 1];
	struct errmsg err;

	/* Of those above, what is there already is refused, and what cannot be shows below. */
	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(p - path), path);
		json_decref(cli_call(cli, "mkdir", json_pack("{s:s}", "path", dir), &err));
	}
	return cli_do(cli, "mkdir", json_pack("{s:s}", "path", path));
}

json_t *lioutils_dump(struct cli *cli, const char *path, int depth)
{
	return cli_ask(cli, "dump",
		json_pack("{s:s, s:i, s:b}", "path", path, "depth", depth, "stats", 1));
}

const char *lioutils_attr(const json_t *dump, const char *name)
{
	const char *s = json_string_value(json_object_get(json_object_get(dump, "attrs"), name));

	return s ? s : "";
}

/* ---- operations ------------------------------------------------------------------------------ */

/* "a" of "o=0 a=1" is "1": into value. False: it is none of them. */
static bool look_up(const char *words, struct strbuf *value)
{
	for (const char *p = words; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, "="), len = strcspn(p, " ");

		if (n == value->len && !strncmp(p, value->s, n)) {
			strbuf_reset(value);
			strbuf_write(value, p + n + 1, len - n - 1);
			return true;
		}
		p += len;
	}
	return false;
}

static int set(struct cli *cli, const struct lioutils_option *o, const char *path, char **args)
{
	struct strbuf value;
	int status = 0;

	strbuf_init(&value);
	lioutils_expand(&value, o->value, args);
	if (o->words && !look_up(o->words, &value))
		status = cli_fail(cli, CLI_USAGE, "%s %s: one of these is meant: %s", o->name,
			value.s, o->words);
	if (!status)
		status =
			cli_do(cli, "set", json_pack("{s:s, s:s}", "path", path, "value", value.s));
	strbuf_done(&value);
	return status;
}

static int get(struct cli *cli, const char *path)
{
	json_t *value = cli_ask(cli, "get", json_pack("{s:s}", "path", path));

	if (value)
		cli_say(cli, "%s", json_string_value(value));
	json_decref(value);
	return value ? 0 : CLI_FAILED;
}

static int list(struct cli *cli, const struct lioutils_option *o, const char *path)
{
	json_t *at = cli_ask(cli, "ls", json_pack("{s:s}", "path", path)), *a;
	size_t i;

	json_array_foreach (json_object_get(at, "attrs"), i, a) {
		const char *value = json_string_value(json_object_get(a, "value"));

		if (json_is_true(json_object_get(a, "secret")))
			value = "(secret)";
		if (value)
			cli_say(cli, "%s%s%s", json_string_value(json_object_get(a, "name")),
				o->value ? o->value : "=", value);
	}
	json_decref(at);
	return at ? 0 : CLI_FAILED;
}

static int names(struct cli *cli, const char *path)
{
	json_t *d = cli_ask(
		cli, "dump", json_pack("{s:s, s:i, s:s}", "path", path, "depth", 0, "names", ""));
	json_t *v;
	const char *name;

	json_object_foreach (json_object_get(d, "dirs"), name, v) {
		if (strcmp(name, "discovery_auth") != 0)
			cli_say(cli, "%s", name);
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

static int carry_out(struct cli *cli, const struct lioutils_option *o, char **args)
{
	struct strbuf text;
	int status = o->danger ? o->danger(cli, args) : 0;

	if (status)
		return status;
	strbuf_init(&text);
	if (o->path)
		lioutils_expand(&text, o->path, args);
	switch (o->op) {
	case LIOUTILS_SET:
		status = set(cli, o, text.s, args);
		break;
	case LIOUTILS_GET:
		status = get(cli, text.s);
		break;
	case LIOUTILS_LIST:
		status = list(cli, o, text.s);
		break;
	case LIOUTILS_NAMES:
		status = names(cli, text.s);
		break;
	case LIOUTILS_RMDIR:
		status = tree_remove(cli, text.s);
		break;
	case LIOUTILS_RUN:
		status = o->run(cli, args);
		break;
	}
	if (!status && o->said) {
		lioutils_expand(&text, o->said, args);
		cli_say(cli, "%s", text.s);
	}
	strbuf_done(&text);
	return status;
}

/* ---- the command line ------------------------------------------------------------------------ */

const struct lioutils_tool *lioutils_find(const char *name)
{
	static const struct lioutils_tool *const tools[] = { &lioutils_tcm_node,
		&lioutils_lio_node };

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		if (!strcmp(name, tools[i]->name))
			return tools[i];
	}
	return NULL;
}

static int help(const struct lioutils_tool *tool)
{
	struct strbuf b;

	strbuf_init(&b);
	printf("Usage: %s OPTION ARGUMENT … [OPTION …]\n"
	       "Steer a running uliod, with the options of lio-utils.\n\n",
		tool->name);
	for (const struct lioutils_option *o = tool->options; o->name; o++) {
		strbuf_printf(&b, "  %s%s%s %s\n", o->name, o->alias ? ", " : "",
			o->alias ? o->alias : "", o->args ? o->args : "");
		render_paragraph(&b, o->doc, 6, term_width());
	}
	strbuf_puts(&b, "  --version, --help, --yes, --json\n");
	fputs(b.s, stdout);
	strbuf_done(&b);
	return 0;
}

static const struct lioutils_option *find(const struct lioutils_tool *tool, const char *word)
{
	for (const struct lioutils_option *o = tool->options; o->name; o++) {
		if (!strcmp(o->name, word) || (o->alias && !strcmp(o->alias, word)))
			return o;
	}
	return NULL;
}

/* One option. How many words it took; 0: it failed, with *status. */
static int take(
	struct cli *cli, const struct lioutils_tool *tool, int argc, char **argv, int *status)
{
	const struct lioutils_option *o = find(tool, argv[0]);

	if (!strcmp(argv[0], "--version"))
		*status = get(cli, tool->version);
	else if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
		*status = help(tool);
	else if (!o)
		*status = cli_fail(
			cli, CLI_USAGE, "%s: there is no such option; --help lists them", argv[0]);
	else if (argc - 1 < o->nargs)
		*status = cli_fail(cli, CLI_USAGE, "%s: %d arguments are meant: %s", argv[0],
			o->nargs, o->args);
	else {
		if (tool->normalise)
			tool->normalise(o, argv + 1);
		*status = carry_out(cli, o, argv + 1);
	}
	return *status ? 0 : 1 + (o ? o->nargs : 0);
}

int lioutils_run(struct cli *cli, const struct lioutils_tool *tool, int argc, char **argv)
{
	int status = 0;

	if (!argc)
		return help(tool);
	for (int i = 0, taken = 1; i < argc && taken; i += taken)
		taken = take(cli, tool, argc - i, argv + i, &status);
	return status;
}
