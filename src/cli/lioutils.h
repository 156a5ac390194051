/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lioutils.h: tcm_node and lio_node with the options of lio-utils, as tables. A row is an operation
 * on the daemon's tree whose path and value are templates ($1, $2 … are the option's arguments), or
 * a function. Options are carried out in their order; the first that fails ends it.
 */
#ifndef ULIO_CLI_LIOUTILS_H
#define ULIO_CLI_LIOUTILS_H

#include "base/strbuf.h"
#include "cli/cli.h"

enum lioutils_op {
	LIOUTILS_SET, /* path = value, which may be looked up in words */
	LIOUTILS_GET, /* print path */
	LIOUTILS_LIST, /* print each attribute of the directory path */
	LIOUTILS_NAMES, /* print the names in the directory path */
	LIOUTILS_RMDIR, /* remove the directory path with what users made in it */
	LIOUTILS_RUN, /* the function */
};

struct lioutils_option {
	const char *name, *alias; /* "--addnp"; alias NULL: none */
	int nargs;
	const char *args, *doc;
	enum lioutils_op op;
	const char *path, *value; /* templates; of LIOUTILS_LIST value is what lies between */
	const char
		*words; /* "o=0 a=1": what the value may be, and is in the tree; NULL: anything */
	const char *said; /* template of what is said when it is done; NULL: nothing */
	int (*run)(struct cli *cli, char **args);
	int (*danger)(struct cli *cli, char **args); /* asks first; NULL: no need */
};

struct lioutils_tool {
	const char *name;
	const struct lioutils_option *options; /* ends with a NULL name */
	void (*normalise)(const struct lioutils_option *o, char **args); /* NULL: nothing to do */
	const char *version; /* attribute that --version prints */
};
extern const struct lioutils_tool lioutils_tcm_node, lioutils_lio_node;

/* The tool of that name, NULL: none. */
const struct lioutils_tool *lioutils_find(const char *name);
/* Carry out options; argv is without the command's name. The exit status. */
int lioutils_run(struct cli *cli, const struct lioutils_tool *tool, int argc, char **argv);

/* ---- for the tables -------------------------------------------------------------------------- */

/* Fill a template in. */
void lioutils_expand(struct strbuf *out, const char *fmt, char **args);
/* Make a directory and those above it, as mkdir -p. 0 or CLI_FAILED, said. */
int lioutils_mkdir(struct cli *cli, const char *path);
/* The dump of a directory, values included; NULL: said. */
json_t *lioutils_dump(struct cli *cli, const char *path, int depth);
/* A value of a dump of a directory, "" if there is none. */
const char *lioutils_attr(const json_t *dump, const char *name);

#endif
