/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_session.c: ulio sessions … */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

static json_int_t number(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

/* ---- the list -------------------------------------------------------------------------------- */

/* A line for each connection: what is of the session is in the first one alone. */
static json_t *lines_of(const json_t *sessions)
{
	json_t *rows = json_array(), *s, *c;
	size_t i, k;

	json_array_foreach (sessions, i, s) {
		const json_t *conns = json_object_get(s, "connections");

		json_array_foreach (conns, k, c) {
			json_t *row = k ? json_object() : json_copy(s);

			json_object_set(row, "tsih", json_object_get(s, "tsih"));
			json_object_update(row, c);
			json_array_append_new(rows, row);
		}
		if (!json_array_size(conns))
			json_array_append(rows, s);
	}
	return rows;
}

static int show_list(struct cli *cli, json_t *result)
{
	static const struct column columns[] = {
		{ "TSIH", "tsih", COL_NUMBER },
		{ "CID", "cid", COL_NUMBER },
		{ "INITIATOR", "initiator", COL_TEXT },
		{ "PEER", "peer", COL_TEXT },
		{ "TARGET", "target", COL_TEXT },
		{ "TPG", "tpg", COL_NUMBER },
		{ "AGE_S", "age_s", COL_NUMBER },
		{ "BUSY", "under_way", COL_NUMBER },
		{ "IN", "rx_bytes", COL_NUMBER },
		{ "OUT", "tx_bytes", COL_NUMBER },
		{ "LAST ERROR", "last_error", COL_TEXT },
		{ NULL },
	};
	json_t *rows = lines_of(result);

	table_print(rows, columns, "no sessions");
	json_decref(rows);
	return 0;
}

/* ---- one by one ------------------------------------------------------------------------------ */

static const char *text(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s && *s ? s : "-";
}

static bool yes(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

static void show_keys(const json_t *keys)
{
	const char *key, *before = "";
	json_t *v;
	int at = 0;

	printf("    keys       ");
	json_object_foreach ((json_t *)keys, key, v) {
		at += (int)strlen(key) + 8;
		if (at > 90) {
			before = "\n               ";
			at = (int)strlen(key) + 8;
		}
		if (json_is_boolean(v))
			printf("%s%s=%s", before, key, json_is_true(v) ? "Yes" : "No");
		else if (json_is_string(v))
			printf("%s%s=%s", before, key, json_string_value(v));
		else
			printf("%s%s=%" JSON_INTEGER_FORMAT, before, key, json_integer_value(v));
		before = " ";
	}
	printf("\n");
}

static void show_conn(const json_t *c)
{
	printf("    conn %-5" JSON_INTEGER_FORMAT " CID %" JSON_INTEGER_FORMAT
	       ", %s, from %s to %s, "
	       "loop %" JSON_INTEGER_FORMAT "\n",
		number(c, "id"), number(c, "cid"), text(c, "state"), text(c, "peer"),
		text(c, "local"), number(c, "loop"));
	printf("               digests: header %s, data %s; segments: in %" JSON_INTEGER_FORMAT
	       ", out %" JSON_INTEGER_FORMAT "\n",
		yes(c, "header_digest") ? "CRC32C" : "None",
		yes(c, "data_digest") ? "CRC32C" : "None", number(c, "max_recv"),
		number(c, "max_xmit"));
	printf("               in %" JSON_INTEGER_FORMAT " bytes in %" JSON_INTEGER_FORMAT
	       " PDUs, out %" JSON_INTEGER_FORMAT " in %" JSON_INTEGER_FORMAT
	       "; %" JSON_INTEGER_FORMAT " commands; quiet for %" JSON_INTEGER_FORMAT
	       " ms, last ping %.3f ms\n",
		number(c, "rx_bytes"), number(c, "rx_pdus"), number(c, "tx_bytes"),
		number(c, "tx_pdus"), number(c, "tasks"), number(c, "idle_ms"),
		json_real_value(json_object_get(c, "ping_ms")));
}

static void show_luns(const json_t *luns)
{
	json_t *l;
	size_t i;

	json_array_foreach (luns, i, l)
		printf("    LUN %-6" JSON_INTEGER_FORMAT " %s%s, %" JSON_INTEGER_FORMAT
		       " commands, read %" JSON_INTEGER_FORMAT
		       " bytes, written %" JSON_INTEGER_FORMAT "\n",
			number(l, "lun"), text(l, "disk"),
			yes(l, "read_only") ? " (read only)" : "", number(l, "commands"),
			number(l, "read_bytes"), number(l, "write_bytes"));
}

static void show_one(const json_t *s)
{
	const json_t *auth = json_object_get(s, "authentication");
	json_t *c;
	size_t i;

	printf("session %" JSON_INTEGER_FORMAT "  %s, ISID %s, %s for %" JSON_INTEGER_FORMAT " s\n",
		number(s, "tsih"), text(s, "initiator"), text(s, "isid"), text(s, "state"),
		number(s, "age_s"));
	if (yes(s, "discovery"))
		printf("    target     (discovery)\n");
	else
		printf("    target     %s, portal group %" JSON_INTEGER_FORMAT "\n",
			text(s, "target"), number(s, "tpg"));
	printf("    alias      %s\n", text(s, "alias"));
	if (json_is_object(auth))
		printf("    user       %s, by CHAP with %s%s%s\n", text(auth, "user"),
			text(auth, "algorithm"), yes(auth, "mutual") ? ", and the target too" : "",
			yes(auth, "next_password") ? ", by the next password" : "");
	else
		printf("    user       - (not authenticated)\n");
	printf("    commands   %" JSON_INTEGER_FORMAT " in all, %" JSON_INTEGER_FORMAT
	       " under way, at most %" JSON_INTEGER_FORMAT "\n",
		number(s, "commands"), number(s, "under_way"), number(s, "depth"));
	printf("    errors     %" JSON_INTEGER_FORMAT " digests; last: %s\n",
		number(s, "digest_errors"), text(s, "last_error"));
	show_keys(json_object_get(s, "negotiated"));
	json_array_foreach (json_object_get(s, "connections"), i, c)
		show_conn(c);
	if (number(s, "nconns") > (json_int_t)i)
		printf("    and %" JSON_INTEGER_FORMAT " connections more\n",
			number(s, "nconns") - (json_int_t)i);
	show_luns(json_object_get(s, "lun_list"));
}

static int show_all(struct cli *cli, json_t *result)
{
	json_t *s;
	size_t i;

	if (!json_array_size(result))
		fprintf(stderr, "ulio: no such session\n");
	json_array_foreach (result, i, s)
		show_one(s);
	return json_array_size(result) ? 0 : CLI_FAILED;
}

static int ask_luns(struct cli *cli, struct errmsg *err)
{
	json_object_set_new(cli->params, "luns", json_true());
	return 0;
}

/* ---- rates ----------------------------------------------------------------------------------- */

enum { RATE_SECONDS = 1, RATE_SECONDS_MAX = 3600 };

static json_int_t sum(const json_t *session, const char *key)
{
	json_int_t n = 0;
	json_t *c;
	size_t i;

	json_array_foreach (json_object_get(session, "connections"), i, c)
		n += number(c, key);
	return n;
}

static const json_t *find(const json_t *sessions, const json_t *like)
{
	json_t *s;
	size_t i;

	json_array_foreach (sessions, i, s) {
		if (number(s, "tsih") == number(like, "tsih") &&
			!strcmp(text(s, "isid"), text(like, "isid")) &&
			!strcmp(text(s, "initiator"), text(like, "initiator")))
			return s;
	}
	return NULL;
}

/* What went on between two looks; a counter that went back is of a connection that has gone. */
static json_t *rate(json_int_t before, json_int_t after, double seconds)
{
	return json_integer(after > before ? (json_int_t)((double)(after - before) / seconds) : 0);
}

static void print_rates(const json_t *before, const json_t *after, double seconds)
{
	static const struct column columns[] = {
		{ "TSIH", "tsih", COL_NUMBER },
		{ "INITIATOR", "initiator", COL_TEXT },
		{ "TARGET", "target", COL_TEXT },
		{ "BUSY", "under_way", COL_NUMBER },
		{ "COMMANDS/S", "commands", COL_NUMBER },
		{ "IN/S", "in", COL_SIZE },
		{ "OUT/S", "out", COL_SIZE },
		{ NULL },
	};
	json_t *rows = json_array(), *s;
	size_t i;

	json_array_foreach (after, i, s) {
		const json_t *old = find(before, s);
		json_t *row = json_copy(s);

		if (old) {
			json_object_set_new(row, "commands",
				rate(number(old, "commands"), number(s, "commands"), seconds));
			json_object_set_new(
				row, "in", rate(sum(old, "rx_bytes"), sum(s, "rx_bytes"), seconds));
			json_object_set_new(row, "out",
				rate(sum(old, "tx_bytes"), sum(s, "tx_bytes"), seconds));
			json_array_append_new(rows, row);
		} else {
			json_decref(row);
		}
	}
	table_print(rows, columns, "no sessions");
	json_decref(rows);
}

static double seconds_between(const struct timespec *a, const struct timespec *b)
{
	return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

static int show_rates(struct cli *cli, json_t *none)
{
	const json_t *given = json_object_get(cli->params, "seconds");
	json_int_t seconds = given ? json_integer_value(given) : RATE_SECONDS;
	json_t *before, *after = NULL;
	struct errmsg err = { 0 };
	struct timespec t0, t1;

	if (seconds < 1 || seconds > RATE_SECONDS_MAX) {
		fprintf(stderr, "ulio: seconds: 1 to %d are possible\n", RATE_SECONDS_MAX);
		return CLI_USAGE;
	}
	before = cli_call(cli, "sessions.list", NULL, &err);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	if (before) {
		sleep((unsigned)seconds);
		after = cli_call(cli, "sessions.list", NULL, &err);
		clock_gettime(CLOCK_MONOTONIC, &t1);
	}
	if (after)
		print_rates(before, after, seconds_between(&t0, &t1));
	else
		fprintf(stderr, "ulio: %s\n", err.text);
	json_decref(before);
	json_decref(after);
	return after ? 0 : CLI_FAILED;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static int show_dropped(struct cli *cli, json_t *result)
{
	json_int_t n = number(result, "dropped"), wait = number(result, "wait");

	if (wait)
		printf("%" JSON_INTEGER_FORMAT " asked to log out within %" JSON_INTEGER_FORMAT
		       " s; what has not by then is ended\n",
			n, wait);
	else
		printf("%" JSON_INTEGER_FORMAT " ended\n", n);
	return 0;
}

const struct cli_command session_commands[] = {
	/* Before "sessions" alone, which takes any word for an argument. */
	{ "sessions", "show", "tell all of sessions: keys, digests, connections, LUNs",
		"sessions.list", show_all,
		.args = { { "tsih", ARG_OPTIONAL, true, "the one with this handle" },
			{ "initiator", ARG_OPTION, false, "those of this initiator" },
			{ "target", ARG_OPTION, false, "those with this target" } },
		.prepare = ask_luns },
	{ "sessions", "list", "the same as \"sessions\", as targetcli has it", "sessions.list",
		show_list, .args = { { "tsih", ARG_OPTIONAL, true, "the one with this handle" } } },
	{ "sessions", "detail", "the same as \"sessions show\", as targetcli has it",
		"sessions.list", show_all,
		.args = { { "tsih", ARG_OPTIONAL, true, "the one with this handle" } },
		.prepare = ask_luns },
	{ "sessions", "rates", "tell what sessions do in a second", NULL, show_rates,
		.args = { { "seconds", ARG_OPTIONAL, true, "how long to look, 1 if absent" } } },
	{ "sessions", "drop", "have sessions logged out, or end them; initiators may log in again",
		"sessions.drop", show_dropped,
		.args = { { "initiator", ARG_OPTIONAL, false, "those of this initiator" },
			{ "target", ARG_OPTION, false, "those with this target" },
			{ "tsih", ARG_OPTION, true, "the one with this handle" },
			{ "wait", ARG_OPTION, true,
				"seconds that initiators have to log out, 3 if absent; 0: end "
				"sessions at once" } } },
	{ "sessions", NULL, "list the sessions with their connections", "sessions.list",
		show_list },
	{ NULL },
};
