/* SPDX-License-Identifier: BSD-3-Clause */
/* complete.h: what may come next in a line of the shell: from the tables, and from the daemon. */
#ifndef ULIO_CLI_COMPLETE_H
#define ULIO_CLI_COMPLETE_H

#include "cli/cli.h"

enum { COMPLETE_MAX = 4096 };

struct complete {
	size_t from; /* byte of the line where the word begins that they would replace */
	char **v; /* whole words, quoted as the line needs them, sorted */
	size_t n;
	char *hint; /* where there is nothing to choose from: what is meant; NULL */
};

/* What may stand at the end of line, which is what is typed up to the cursor. */
void complete_line(struct cli *cli, const char *line, struct complete *ret);
void complete_done(struct complete *c);
/* Bytes that all words begin with, beyond the ones of the word that is there; 0: none. */
size_t complete_common(const struct complete *c);

#endif
