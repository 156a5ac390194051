/* SPDX-License-Identifier: BSD-3-Clause */
/* shell.h: commands line by line: from a terminal with editing, or from a script. */
#ifndef ULIO_CLI_SHELL_H
#define ULIO_CLI_SHELL_H

#include "cli/cli.h"

/* The interactive shell. The exit status: that of the last command. */
int shell_run(struct cli *cli);
/*
 * A script ("-": standard input). Ends at the first line that fails, telling its number, unless it
 * is to keep going. The exit status of the first line that failed, or 0.
 */
int shell_script(struct cli *cli, const char *path, bool keep_going);

#endif
