/* SPDX-License-Identifier: BSD-3-Clause */
/* words.c: see words.h. */
#include "cli/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * One word from *in to *out, NUL included. False: it did not end (an open quotation, whose mark is
 * in w->quote, or a backslash with nothing behind it).
 */
static bool take(struct words *w, const char **in, char **out)
{
	const char *p = *in;
	char quote = '\0', *o = *out;
	bool whole = true;

	for (; *p && (quote || !is_blank(*p)); p++) {
		if (quote && *p == quote) {
			quote = '\0';
		} else if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else if (*p == '\\' && quote != '\'') {
			whole = p[1];
			if (!whole)
				continue;
			*o++ = *++p;
		} else {
			*o++ = *p;
		}
	}
	*o++ = '\0';
	*in = p;
	*out = o;
	w->quote = quote;
	return whole && !quote;
}

int words_split(struct words *w, const char *line, bool open_end, struct errmsg *err)
{
	const char *p = line;
	bool whole = true;
	char *out;

	*w = (struct words){ .text = malloc(strlen(line) + 1) };
	out = w->text;
	if (!out)
		return errmsg_set(err, -ENOMEM, "out of memory");
	while (whole) {
		while (is_blank(*p))
			p++;
		w->last_at = (size_t)(p - line);
		if (!*p || *p == '#')
			break;
		if (w->n == WORDS_MAX)
			return errmsg_set(err, -EINVAL, "a line has at most %d words", WORDS_MAX);
		w->v[w->n++] = out;
		whole = take(w, &p, &out);
		if (!*p) {
			w->open = true;
			break;
		}
	}
	if (!whole && !open_end && w->quote)
		return errmsg_set(
			err, -EINVAL, "a quotation that began with %c has no end", w->quote);
	if (!whole && !open_end)
		return errmsg_set(err, -EINVAL, "there is nothing behind the backslash at the end");
	return 0;
}

void words_done(struct words *w)
{
	if (w->text)
		free(w->text);
	w->text = NULL;
	w->n = 0;
}

void words_quote(const char *word, char *buf)
{
	if (!*word) {
		strcpy(buf, "\"\"");
		return;
	}
	for (const char *p = word; *p; p++) {
		if (is_blank(*p) || strchr("'\"\\", *p) || (*p == '#' && p == word))
			*buf++ = '\\';
		*buf++ = *p;
	}
	*buf = '\0';
}
