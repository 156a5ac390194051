/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cli.h: the command ulio: a table of subcommands, each with its arguments in a table too, and the
 * connection by which they talk to the daemon. "help" is made from the tables.
 */
#ifndef ULIO_CLI_CLI_H
#define ULIO_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct rpc;

enum { CLI_ARGS_MAX = 16 };

enum cli_arg_kind {
	ARG_POSITION, /* required, by its place */
	ARG_OPTIONAL, /* by its place, may be absent */
	ARG_OPTION, /* --name VALUE */
	ARG_FLAG, /* --name */
};

struct cli_arg {
	const char *name; /* also that of the method's parameter */
	enum cli_arg_kind kind;
	bool is_number;
	const char *doc;
};

struct cli {
	struct rpc *rpc;
	bool json; /* --json: the daemon's answer as it is */
	const struct cli_command *command; /* the one that runs */
	json_t *params; /* made of the arguments */
};

struct cli_command {
	const char *group, *verb; /* "disk", "add"; verb NULL: one word */
	const char *doc;
	/* The method that it calls with the arguments as parameters. NULL: run does all. */
	const char *method;
	/* Shows the result of method (NULL: nothing to show), or does all. 0 or the exit status. */
	int (*run)(struct cli *cli, json_t *result);
	struct cli_arg args[CLI_ARGS_MAX]; /* ends with a NULL name */
	/* Changes the parameters before the call (files into secrets). NULL: nothing to do. */
	int (*prepare)(struct cli *cli, struct errmsg *err);
};

/* Tables of the subcommands, a file each; they end with a NULL group. */
extern const struct cli_command tree_commands[], disk_commands[], target_commands[], lun_commands[],
	alua_commands[], auth_commands[], session_commands[], isns_commands[],
	reservation_commands[], config_commands[], daemon_commands[];

enum { CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- rpc.c ----------------------------------------------------------------------------------- */

/* Connect to the daemon's socket. 0 or -errno with *err. */
int rpc_open(const char *path, struct rpc **ret, struct errmsg *err);
struct rpc *rpc_close(struct rpc *rpc);
/* Call a method; params is borrowed, may be NULL. The result, or NULL with *err saying why. */
json_t *rpc_call(struct rpc *rpc, const char *method, json_t *params, struct errmsg *err);

/* ---- secret.c -------------------------------------------------------------------------------- */

/*
 * Replace the parameter file_param (a path, "-": standard input) by param: the first line of that
 * file. So no secret is ever seen in a list of processes. 0 or -errno with *err.
 */
int secret_from_file(json_t *params, const char *file_param, const char *param, struct errmsg *err);

/* ---- table.c --------------------------------------------------------------------------------- */

/* A column of a table of JSON objects: key of the value and how it is shown. */
struct column {
	const char *title, *key;
	enum { COL_TEXT, COL_NUMBER, COL_SIZE, COL_YES, COL_LIST } kind;
};
/* Print rows (an array of objects); "none" says what there is none of. */
void table_print(const json_t *rows, const struct column *columns, const char *none);
/* The same of a single object. */
void table_print_one(json_t *obj, const struct column *columns);
/* "key: value" lines of an object, in its order. */
void table_print_object(const json_t *obj);

#endif
