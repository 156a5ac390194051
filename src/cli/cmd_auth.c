/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_auth.c: ulio auth …, logins */
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"

static int show_refreshed(struct cli *cli, json_t *result)
{
	const json_t *failed = json_object_get(result, "failed"), *f;
	size_t i;

	printf("%" JSON_INTEGER_FORMAT " read, %" JSON_INTEGER_FORMAT " of them new\n",
		json_integer_value(json_object_get(result, "read")),
		json_integer_value(json_object_get(result, "changed")));
	json_array_foreach (failed, i, f)
		fprintf(stderr, "ulio: %s keeps its old value: %s\n",
			json_string_value(json_object_get(f, "source")),
			json_string_value(json_object_get(f, "why")));
	return json_array_size(failed) ? CLI_FAILED : 0;
}

static const char *text_of(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s && *s ? s : "-";
}

static json_int_t number_of(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

/* A paragraph each: the texts are too long for columns. */
static int show_refused(struct cli *cli, json_t *result)
{
	json_t *r;
	size_t i;

	if (!json_array_size(result))
		printf("no login was refused\n");
	json_array_foreach (result, i, r) {
		time_t last = (time_t)number_of(r, "last");
		char when[32] = "?";
		struct tm tm;

		if (localtime_r(&last, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		printf("%s  %s from %s", when, text_of(r, "initiator"), text_of(r, "peer"));
		if (number_of(r, "times") > 1)
			printf(", %" JSON_INTEGER_FORMAT " times", number_of(r, "times"));
		printf("\n    to     %s\n    in     %s, %s %s\n    cause  %s\n    cure   %s\n",
			json_is_true(json_object_get(r, "discovery")) ? "discovery"
								      : text_of(r, "target"),
			text_of(r, "stage"), text_of(r, "status"), text_of(r, "status_name"),
			text_of(r, "cause"), text_of(r, "cure"));
	}
	return 0;
}

static int show_accounts(struct cli *cli, json_t *result)
{
	static const struct column columns[] = {
		{ "PLACE", "place", COL_TEXT },
		{ "USER", "user", COL_TEXT },
		{ "PASSWORD", "password", COL_TEXT },
		{ "NEXT", "next_password", COL_TEXT },
		{ "MUTUAL", "mutual_user", COL_TEXT },
		{ "ITS PASSWORD", "mutual_password", COL_TEXT },
		{ "ALGORITHMS", "algorithms", COL_TEXT },
		{ NULL },
	};

	table_print(result, columns, "no accounts");
	return 0;
}

static int read_secrets(struct cli *cli, struct errmsg *err)
{
	int r = secret_from_file(cli->params, "password_file", "password", err);

	if (!r)
		r = secret_from_file(cli->params, "next_password_file", "next_password", err);
	return r ? r
		 : secret_from_file(cli->params, "mutual_password_file", "mutual_password", err);
}

/* clang-format off */
#define WHERE                                                                                      \
	{ "initiator", ARG_OPTION, false, "of the ACL of this initiator" },                        \
	{ "discovery", ARG_FLAG, false, "of discovery" },                                          \
	{ "target", ARG_OPTION, false, "the target; needed if there are several" },                \
	{ "tpg", ARG_OPTION, true, "the tag of its portal group; needed if there are several" }
#define USER { "user", ARG_POSITION, false, "the name that the initiator proves to have" }
#define SECRETS                                                                                    \
	{ "password_file", ARG_OPTION, false,                                                      \
		"file with its secret, copied now; \"-\" for standard input" },                    \
	{ "source", ARG_OPTION, false,                                                             \
		"file, or credential:NAME, that the daemon reads it from" },                       \
	{ "mutual_user", ARG_OPTION, false, "name by which the target answers" },                  \
	{ "mutual_password_file", ARG_OPTION, false, "file with that secret, copied now" },        \
	{ "mutual_source", ARG_OPTION, false, "or where the daemon reads it from" }
/* clang-format on */

const struct cli_command auth_commands[] = {
	{ "auth", "list", "list the accounts and where their secrets come from", "auth.list",
		show_accounts },
	{ "auth", "add", "make one more account", "auth.add", NULL,
		.args = { USER, SECRETS, WHERE }, .prepare = read_secrets },
	{ "auth", "set", "change the secrets of an account; sessions stay", "auth.set", NULL,
		.args = { USER, SECRETS,
			{ "next_password_file", ARG_OPTION, false,
				"file with a second secret that is good too" },
			{ "next_source", ARG_OPTION, false, "or where the daemon reads it from" },
			WHERE },
		.prepare = read_secrets },
	{ "auth", "promote", "make the next password of an account the only one", "auth.promote",
		NULL, .args = { USER, WHERE } },
	{ "auth", "remove", "remove an account; sessions stay", "auth.remove", NULL,
		.args = { USER, WHERE } },
	{ "logins", NULL, "tell who was not let in: when, where in the login, why, and the cure",
		"logins.refused", show_refused },
	{ "auth", "refresh", "read the secrets again that are kept in files; sessions stay",
		"auth.refresh", show_refreshed },
	{ NULL },
};
