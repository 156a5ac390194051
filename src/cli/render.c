/* SPDX-License-Identifier: BSD-3-Clause */
/* render.c: trees, columns, paragraphs as text; no terminal is needed. */
#include "cli/render.h"

#include <string.h>

#define BOLD  "\033[1m"
#define BLUE  "\033[1;34m"
#define GREEN "\033[32m"
#define RED   "\033[31m"
#define PLAIN "\033[0m"

enum { DOTS_MIN = 3, PREFIX_BYTES = 256 };

int render_width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* At most width characters of s, "…" instead of the last if it is longer. */
static void put_cut(struct strbuf *out, const char *s, int width)
{
	int n = render_width(s), at = 0;

	if (n <= width) {
		strbuf_puts(out, s);
		return;
	}
	for (; *s; s++) {
		if (((unsigned char)*s & 0xc0) != 0x80 && ++at >= width)
			break;
		strbuf_putc(out, *s);
	}
	strbuf_puts(out, "…");
}

static const char *text(const json_t *node, const char *key)
{
	const char *s = json_string_value(json_object_get(node, key));

	return s ? s : "";
}

static void put_summary(struct strbuf *out, const json_t *node, int width, bool colour)
{
	const json_t *ok = json_object_get(node, "ok");
	const char *code = json_is_true(ok) ? GREEN : json_is_false(ok) ? RED : "";

	strbuf_putc(out, '[');
	if (colour)
		strbuf_puts(out, code);
	put_cut(out, text(node, "summary"), width - 2);
	if (colour && *code)
		strbuf_puts(out, PLAIN);
	strbuf_putc(out, ']');
}

static void put_line(
	struct strbuf *out, const json_t *node, const char *prefix, int width, bool colour)
{
	const char *name = text(node, "name"), *summary = text(node, "summary");
	int used = render_width(prefix) + 3, line = width ? width : RENDER_WIDTH;
	int names = render_width(name), need = render_width(summary) + 2;
	int dots = line - used - names - need - 2;
	bool own_line = width && *summary && dots < DOTS_MIN;

	strbuf_printf(out, "%so- ", prefix);
	if (colour)
		strbuf_puts(out, json_object_get(node, "children") ? BLUE : BOLD);
	put_cut(out, name, width ? width - used : 1 << 20);
	if (colour)
		strbuf_puts(out, PLAIN);
	if (*summary && !own_line) {
		strbuf_putc(out, ' ');
		for (int i = 0; i < (dots < DOTS_MIN ? DOTS_MIN : dots); i++)
			strbuf_putc(out, '.');
		strbuf_putc(out, ' ');
		put_summary(out, node, 1 << 20, colour);
	}
	strbuf_putc(out, '\n');
	if (own_line) {
		bool more = json_array_size(json_object_get(node, "children"));

		strbuf_printf(out, "%s%s", prefix, more ? "| " : "  ");
		put_summary(out, node, width - used + 1, colour);
		strbuf_putc(out, '\n');
	}
}

/* indent: of the children of node. */
static void put_children(
	struct strbuf *out, const json_t *node, const char *indent, int width, bool colour)
{
	const json_t *children = json_object_get(node, "children");
	size_t i, n = json_array_size(children), len = strlen(indent);
	char deeper[PREFIX_BYTES];
	json_t *child;

	if (len + 3 > sizeof(deeper))
		return;
	json_array_foreach (children, i, child) {
		memcpy(deeper, indent, len);
		strcpy(deeper + len, i + 1 < n ? "| " : "  ");
		put_line(out, child, indent, width, colour);
		put_children(out, child, deeper, width, colour);
	}
}

void render_tree(struct strbuf *out, const json_t *node, int width, bool colour)
{
	if (width && width < RENDER_WIDTH_MIN)
		width = RENDER_WIDTH_MIN;
	put_line(out, node, "", width, colour);
	put_children(out, node, "  ", width, colour);
}

void render_columns(struct strbuf *out, const char *const *words, size_t n, int width)
{
	size_t columns, rows;
	int widest = 0;

	for (size_t i = 0; i < n; i++) {
		if (render_width(words[i]) > widest)
			widest = render_width(words[i]);
	}
	columns = width > widest ? (size_t)((width + 2) / (widest + 2)) : 1;
	columns = columns ? columns : 1;
	rows = (n + columns - 1) / columns;
	for (size_t r = 0; r < rows; r++) {
		for (size_t c = 0; c < columns && c * rows + r < n; c++) {
			const char *w = words[c * rows + r];
			bool last = (c + 1) * rows + r >= n || c + 1 == columns;

			strbuf_printf(out, "%s%*s", w, last ? 0 : widest + 2 - render_width(w), "");
		}
		strbuf_putc(out, '\n');
	}
}

void render_paragraph(struct strbuf *out, const char *s, int indent, int width)
{
	int at = 0, room = (width ? width : RENDER_WIDTH) - indent;

	strbuf_printf(out, "%*s", indent, "");
	while (*s) {
		size_t n = strcspn(s, " \n");
		char word[512];

		n = n < sizeof(word) ? n : sizeof(word) - 1;
		memcpy(word, s, n);
		word[n] = '\0';
		if (at && at + 1 + render_width(word) > room) {
			strbuf_printf(out, "\n%*s", indent, "");
			at = 0;
		}
		strbuf_printf(out, "%s%s", at ? " " : "", word);
		at += render_width(word) + (at > 0);
		s += n;
		s += strspn(s, " \n");
	}
	strbuf_putc(out, '\n');
}
