/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * words.h: a line of the shell as words: blanks separate them, '…' and "…" keep blanks, a backslash
 * takes the next character as it is (not within '…'), # at the beginning of a word ends the line.
 */
#ifndef ULIO_CLI_WORDS_H
#define ULIO_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { WORDS_MAX = 128 }; /* of a line */

struct words {
	char *v[WORDS_MAX + 1]; /* ends with NULL */
	int n;
	char *text; /* what v points into */
	/* For completion: the last word is not finished (no blank behind it), or there is none. */
	bool open;
	size_t last_at; /* byte of the line where the unfinished word begins */
	char quote; /* within a quotation that was not ended: that character */
};

/*
 * Split a line. A quotation that does not end is an error unless open_end says that the line may
 * still be typed. 0, -EINVAL or -ENOMEM with *err; words_done() also after errors.
 */
int words_split(struct words *w, const char *line, bool open_end, struct errmsg *err);
void words_done(struct words *w);

/* Write a word so that words_split() reads it back. buf holds 2 * strlen(word) + 3 bytes. */
void words_quote(const char *word, char *buf);

#endif
