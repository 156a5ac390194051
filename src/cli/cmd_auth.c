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

const struct cli_command auth_commands[] = {
	{ "logins", NULL, "tell who was not let in: when, where in the login, why, and the cure",
		"logins.refused", show_refused },
	{ "auth", "refresh", "read the secrets again that are kept in files; sessions stay",
		"auth.refresh", show_refreshed },
	{ NULL },
};
