/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c: JSON in columns, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/strbuf.h"
#include "cli/cli.h"
#include "cli/render.h"

enum { COLUMNS_MAX = 12 };

static void scalar(const json_t *v, struct strbuf *out)
{
	if (json_is_string(v))
		strbuf_puts(out, json_string_value(v));
	else if (json_is_integer(v))
		strbuf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_boolean(v))
		strbuf_puts(out, json_is_true(v) ? "yes" : "no");
}

static void list(const json_t *v, struct strbuf *out)
{
	json_t *e;
	size_t i;

	json_array_foreach (v, i, e) {
		strbuf_puts(out, i ? " " : "");
		scalar(e, out);
	}
}

/* To three digits or so, for figures that change: "12.3M". */
static void about(double x, struct strbuf *out)
{
	static const char units[] = "BKMGTPE";
	int u = 0;

	for (; x >= 1024 && units[u + 1]; u++)
		x /= 1024;
	if (u)
		strbuf_printf(out, "%.1f%c", x, units[u]);
	else
		strbuf_printf(out, "%.0f", x);
}

static void cell(const json_t *row, const struct column *c, struct strbuf *out)
{
	const json_t *v = json_object_get(row, c->key);
	char size[NUM_SIZE_CHARS];

	strbuf_reset(out);
	if (c->kind == COL_SIZE)
		strbuf_puts(out, num_format_size(size, (uint64_t)json_integer_value(v)));
	else if (c->kind == COL_ABOUT)
		about((double)json_integer_value(v), out);
	else if (c->kind == COL_LIST)
		list(v, out);
	else
		scalar(v, out);
	if (!out->len)
		strbuf_putc(out, '-');
}

static void put_cell(const char *text, int width, bool right, bool last)
{
	int pad = width - render_width(text);

	if (right)
		printf("%*s%s", pad, "", text);
	else if (last)
		printf("%s", text);
	else
		printf("%s%*s", text, pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

static bool is_figure(const struct column *c)
{
	return c->kind == COL_NUMBER || c->kind == COL_SIZE || c->kind == COL_ABOUT;
}

void table_print(const json_t *rows, const struct column *columns, const char *none)
{
	int width[COLUMNS_MAX] = { 0 };
	unsigned n = 0;
	struct strbuf b;
	json_t *row;
	size_t i;

	if (!json_array_size(rows)) {
		printf("%s\n", none);
		return;
	}
	strbuf_init(&b);
	for (; n < COLUMNS_MAX && columns[n].title; n++) {
		width[n] = render_width(columns[n].title);
		json_array_foreach (rows, i, row) {
			cell(row, &columns[n], &b);
			if (render_width(b.s) > width[n])
				width[n] = render_width(b.s);
		}
	}
	for (unsigned c = 0; c < n; c++)
		put_cell(columns[c].title, width[c], is_figure(&columns[c]), c == n - 1);
	json_array_foreach (rows, i, row) {
		for (unsigned c = 0; c < n; c++) {
			cell(row, &columns[c], &b);
			put_cell(b.s, width[c], is_figure(&columns[c]), c == n - 1);
		}
	}
	strbuf_done(&b);
}

void table_print_object(const json_t *obj)
{
	const char *key;
	json_t *v;
	struct strbuf b;
	int width = 0;

	strbuf_init(&b);
	json_object_foreach ((json_t *)obj, key, v) {
		if (render_width(key) > width)
			width = render_width(key);
	}
	json_object_foreach ((json_t *)obj, key, v) {
		if (json_is_object(v) || json_is_null(v))
			continue;
		strbuf_reset(&b);
		if (json_is_array(v))
			list(v, &b);
		else
			scalar(v, &b);
		printf("%-*s  %s\n", width, key, b.s);
	}
	strbuf_done(&b);
}

void table_print_one(json_t *obj, const struct column *columns)
{
	json_t *list = json_pack("[O]", obj);

	table_print(list, columns, "");
	json_decref(list);
}
