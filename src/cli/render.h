/* SPDX-License-Identifier: BSD-3-Clause */
/* render.h: what people see on a terminal: trees, columns, colours, questions, progress. */
#ifndef ULIO_CLI_RENDER_H
#define ULIO_CLI_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

enum { RENDER_WIDTH = 80, RENDER_WIDTH_MIN = 20 };

/*
 * A tree of nodes (view_tree()) as lines "o- name ..... [summary]". width: columns of the terminal,
 * 0: none, lines may be as long as they are. A summary that has no room beside its name goes to a
 * line of its own, cut at the width if it must.
 */
void render_tree(struct strbuf *out, const json_t *node, int width, bool colour);

/* Words in as many columns as fit, as ls does. */
void render_columns(struct strbuf *out, const char *const *words, size_t n, int width);

/* Text broken at blanks, each line behind indent blanks. */
void render_paragraph(struct strbuf *out, const char *text, int indent, int width);

/* Characters of UTF-8 text. */
int render_width(const char *s);

/* ---- the terminal ---------------------------------------------------------------------------- */

/* Standard output is a terminal that takes colours, and NO_COLOR does not say otherwise. */
bool term_colour(void);
/* Columns of standard output, 0 if it is no terminal. */
int term_width(void);
/* Somebody can be asked: standard input and error are a terminal. */
bool term_asks(void);
/* Ask; true: yes. */
bool term_ask(const char *question);
/* A line typed without being shown, into buf. 0 or -errno. */
int term_secret(const char *prompt, char *buf, size_t cap);
/* "what: done of total" in one line of a terminal, renewed; done == total ends it. Else nothing. */
void term_progress(const char *what, size_t done, size_t total);

#endif
