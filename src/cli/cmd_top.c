/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_top.c: ulio top: what disks and sessions do, second by second. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "cli/cli.h"
#include "cli/render.h"

/* What is counted of a LUN of a session, or of a session. */
static const struct counter {
	const char *key, *rate;
} lun_counters[] = { { "commands", "commands_s" }, { "read_bytes", "read_s" },
	{ "write_bytes", "write_s" }, { NULL, NULL } };
static const struct counter session_counters[] = { { "commands", "commands_s" },
	{ "rx_bytes", "in_s" }, { "tx_bytes", "out_s" }, { NULL, NULL } };

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

static json_int_t number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static json_int_t sum(const json_t *session, const char *key)
{
	json_int_t n = number(session, key);
	json_t *c;
	size_t i;

	json_array_foreach (json_object_get(session, "connections"), i, c)
		n += number(c, key);
	return n;
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Counters of each session, by who it is: a session that came anew is another one. */
static json_t *session_totals(const json_t *sessions)
{
	json_t *out = json_object(), *s, *row;
	char id[512];
	size_t i;

	json_array_foreach (sessions, i, s) {
		snprintf(id, sizeof(id), "%" JSON_INTEGER_FORMAT " %s %s", number(s, "tsih"),
			text(s, "isid"), text(s, "initiator"));
		row = json_pack("{s:O, s:O, s:O, s:O}", "tsih", json_object_get(s, "tsih"),
			"initiator", json_object_get(s, "initiator"), "target",
			json_object_get(s, "target"), "under_way", json_object_get(s, "under_way"));
		for (const struct counter *c = session_counters; c->key; c++)
			json_object_set_new(row, c->key, json_integer(sum(s, c->key)));
		json_object_set_new(out, id, row);
	}
	return out;
}

/* Counters of each LUN of each target, all sessions together. */
static json_t *lun_totals(const json_t *sessions)
{
	json_t *out = json_object(), *s, *l, *row;
	char id[512];
	size_t i, k;

	json_array_foreach (sessions, i, s) {
		json_array_foreach (json_object_get(s, "lun_list"), k, l) {
			snprintf(id, sizeof(id), "%s %" JSON_INTEGER_FORMAT " %s",
				text(s, "target"), number(l, "lun"), text(l, "disk"));
			row = json_object_get(out, id);
			if (!row) {
				row = json_pack("{s:O, s:O, s:O}", "target",
					json_object_get(s, "target"), "lun",
					json_object_get(l, "lun"), "disk",
					json_object_get(l, "disk"));
				json_object_set_new(out, id, row);
			}
			for (const struct counter *c = lun_counters; c->key; c++)
				json_object_set_new(row, c->key,
					json_integer(number(row, c->key) + number(l, c->key)));
		}
	}
	return out;
}

/*
 * What went on between two looks, as rows. What was not there before begins with 0; a counter that
 * went back is of something that has gone.
 */
static json_t *rates(json_t *before, json_t *after, const struct counter *counters, double seconds)
{
	json_t *out = json_array(), *row;
	const char *id;

	json_object_foreach (after, id, row) {
		const json_t *old = json_object_get(before, id);

		for (const struct counter *c = counters; c->key; c++) {
			json_int_t d = number(row, c->key) - (old ? number(old, c->key) : 0);

			json_object_set_new(row, c->rate,
				json_integer(d > 0 ? (json_int_t)((double)d / seconds) : 0));
			json_object_del(row, c->key);
		}
		json_array_append(out, row);
	}
	return out;
}

/* ---- showing --------------------------------------------------------------------------------- */

static void print_text(const json_t *now, bool screen)
{
	static const struct column luns[] = {
		{ "LUN", "lun", COL_NUMBER },
		{ "DISK", "disk", COL_TEXT },
		{ "COMMANDS/S", "commands_s", COL_NUMBER },
		{ "READ/S", "read_s", COL_ABOUT },
		{ "WRITE/S", "write_s", COL_ABOUT },
		{ "TARGET", "target", COL_TEXT },
		{ NULL },
	};
	static const struct column sessions[] = {
		{ "TSIH", "tsih", COL_NUMBER },
		{ "BUSY", "under_way", COL_NUMBER },
		{ "COMMANDS/S", "commands_s", COL_NUMBER },
		{ "IN/S", "in_s", COL_ABOUT },
		{ "OUT/S", "out_s", COL_ABOUT },
		{ "INITIATOR", "initiator", COL_TEXT },
		{ NULL },
	};

	/* From the top, lines cut at the window's edge. */
	if (screen)
		printf("\033[?7l\033[H\033[J");
	table_print(json_object_get(now, "luns"), luns, "no LUN is used");
	printf("\n");
	table_print(json_object_get(now, "sessions"), sessions, "no sessions");
	if (screen)
		printf("\n%s", "Ctrl-C ends this.\033[?7h\n");
	fflush(stdout);
}

static void print(const struct cli *cli, const json_t *now, bool once)
{
	if (!cli->json) {
		print_text(now, !once && term_width());
	} else if (once) {
		cli_print_json(now);
	} else {
		json_dumpf(now, stdout, JSON_COMPACT);
		printf("\n");
		fflush(stdout);
	}
}

/* ---- the loop -------------------------------------------------------------------------------- */

static double seconds_between(const struct timespec *a, const struct timespec *b)
{
	return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

struct sample {
	struct timespec at;
	json_t *sessions, *luns;
};

static int take(struct cli *cli, struct sample *s)
{
	json_t *rows = cli_ask(cli, "sessions.list", json_pack("{s:b}", "luns", 1));

	if (!rows)
		return CLI_FAILED;
	clock_gettime(CLOCK_MONOTONIC, &s->at);
	s->sessions = session_totals(rows);
	s->luns = lun_totals(rows);
	json_decref(rows);
	return 0;
}

static void drop(struct sample *s)
{
	json_decref(s->sessions);
	json_decref(s->luns);
	*s = (struct sample){ 0 };
}

static void show(struct cli *cli, struct sample *old, const struct sample *new, bool once)
{
	double seconds = seconds_between(&old->at, &new->at);
	/* The rates are put into copies: the totals are the next "before". */
	json_t *sessions = json_deep_copy(new->sessions), *luns = json_deep_copy(new->luns);
	json_t *now = json_pack("{s:f, s:o, s:o}", "seconds", seconds, "luns",
		rates(old->luns, luns, lun_counters, seconds), "sessions",
		rates(old->sessions, sessions, session_counters, seconds));

	print(cli, now, once);
	json_decref(now);
	json_decref(sessions);
	json_decref(luns);
}

/* Wait; false: Ctrl-C was pressed, which is blocked here. */
static bool wait_for(const sigset_t *interrupt, json_int_t seconds)
{
	struct timespec t = { .tv_sec = seconds };

	return sigtimedwait(interrupt, NULL, &t) < 0;
}

static int top(struct cli *cli, json_t *none)
{
	bool once = json_is_true(json_object_get(cli->params, "once"));
	const json_t *given = json_object_get(cli->params, "seconds");
	json_int_t seconds = given ? json_integer_value(given) : 1;
	struct sample old = { 0 }, new = { 0 };
	sigset_t interrupt, mask;
	int status;

	if (seconds < 1 || seconds > 3600)
		return cli_fail(cli, CLI_USAGE, "seconds: 1 to 3600 are possible");
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, &mask);
	status = take(cli, &old);
	while (!status && wait_for(&interrupt, seconds)) {
		status = take(cli, &new);
		if (status)
			break;
		show(cli, &old, &new, once);
		drop(&old);
		old = new;
		new = (struct sample){ 0 };
		if (once || ferror(stdout))
			break;
	}
	drop(&old);
	drop(&new);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return status;
}

const struct cli_command top_commands[] = {
	{ "top", NULL, "show what LUNs and sessions do, second by second", NULL, top,
		.args = { { "seconds", ARG_OPTIONAL, true, "between two looks; else 1" },
			{ "once", ARG_FLAG, false, "one look, then end" } } },
	{ NULL },
};
