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
#include "cli/prefs.h"
#include "cli/view.h"

struct rpc;

enum { CLI_ARGS_MAX = 16 };

enum cli_arg_kind {
	ARG_POSITION, /* required, by its place */
	ARG_OPTIONAL, /* by its place, may be absent */
	ARG_REST, /* all words from here on, at least one, as an array */
	ARG_OPTION, /* --name VALUE */
	ARG_FLAG, /* --name */
};

struct cli_arg {
	const char *name; /* also that of the method's parameter */
	enum cli_arg_kind kind;
	bool is_number;
	const char *doc;
	const char *const
		*words; /* what it may be, for completion; ends with NULL; NULL: anything */
};

struct cli {
	struct rpc *rpc; /* NULL until something is asked, and after the daemon has gone */
	const char *control; /* path of its socket */
	bool json; /* --json: answers as JSON */
	bool yes; /* --yes: do what is dangerous without asking */
	bool shell; /* commands come one by one; the line below is not the last */
	bool interactive; /* a shell on a terminal */
	bool leaving; /* "exit" was said */
	bool changed; /* something was changed since the shell began */
	const struct cli_command *command; /* the one that runs */
	json_t *params; /* made of the arguments */
	struct view_path cwd, before; /* where the shell is, and was */
	struct prefs prefs;
	json_t *said; /* with --json: what cli_say() said, for the answer */
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
	/* Asks before what others would notice (cli_confirm…). 0 or the exit status. */
	int (*danger)(struct cli *cli);
};

/* Tables of the subcommands, a file each; they end with a NULL group. */
extern const struct cli_command tree_commands[], disk_commands[], target_commands[], lun_commands[],
	alua_commands[], auth_commands[], session_commands[], isns_commands[],
	reservation_commands[], config_commands[], daemon_commands[], share_commands[],
	top_commands[], offload_commands[], export_commands[], exec_commands[];

/* Exit statuses, besides 0. */
enum {
	CLI_FAILED = 1, /* refused, or it could not be done; no daemon */
	CLI_USAGE = 2, /* no such command, wrong arguments */
	CLI_UNCONFIRMED = 3, /* dangerous, and nobody said yes */
};

/* ---- run.c ----------------------------------------------------------------------------------- */

/* Print "ulio: …" to standard error. Returns status. */
int cli_fail(struct cli *cli, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Print a line about what was done; with --json it becomes one of the answer's "messages". */
void cli_say(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print an answer as JSON (with --json), with its newline. */
void cli_print_json(const json_t *value);
/* Print what cli_say() said so far as an answer, with more (owned here; may be NULL). */
void cli_flush_said(struct cli *cli, json_t *more);

/*
 * Call a method; params is owned here, may be NULL. Connects if there is no connection. The result
 * (never C NULL but on errors; null is JSON's), or NULL with *err.
 */
json_t *cli_call(struct cli *cli, const char *method, json_t *params, struct errmsg *err);
/* The same, which prints the error. */
json_t *cli_ask(struct cli *cli, const char *method, json_t *params);
/* The same for methods without a result of interest. 0 or CLI_FAILED. */
int cli_do(struct cli *cli, const char *method, json_t *params);
/* Set an attribute dir/name of the daemon's tree. 0 or CLI_FAILED. */
int cli_set(struct cli *cli, const char *dir, const char *name, const char *value);

/*
 * Ask on the terminal whether to do what the text says. 0: yes, or --yes. CLI_UNCONFIRMED: no, or
 * there is no terminal; why has been said.
 */
int cli_confirm(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * The same if sessions would end: those with a target, of an initiator, in a portal group (NULL, 0:
 * any). 0 at once if there are none.
 */
int cli_confirm_sessions(
	struct cli *cli, const char *target, json_int_t tpg, const char *initiator);

/*
 * The same if sessions with a target, of an initiator (NULL: any) may be using what goes: "LUN 3".
 * They stay, and it does not matter to them unless they use it: so nothing tells who does.
 */
int cli_confirm_use(struct cli *cli, const char *target, const char *initiator, const char *what);

/* One command of either language, as words. The exit status. */
int cli_execute(struct cli *cli, int argc, char **argv);
/* The i-th subcommand of all tables, NULL past the end. */
const struct cli_command *cli_command_at(unsigned i);
/* The subcommand that words begin with, and how many words its name has. NULL: none. */
const struct cli_command *cli_command_find(const char *group, const char *verb, int *ret_words);
/* "help", with the words behind it. */
int cli_help(struct cli *cli, int argc, char **argv);

/* ---- cmd_config.c ---------------------------------------------------------------------------- */

/* Print the problems of a result to standard error. How many of them are more than notes. */
size_t cli_show_problems(const json_t *result);

/* ---- rpc.c ----------------------------------------------------------------------------------- */

/* Connect to the daemon's socket. 0 or -errno with *err. */
int rpc_open(const char *path, struct rpc **ret, struct errmsg *err);
struct rpc *rpc_close(struct rpc *rpc);
/* Call a method; params is borrowed, may be NULL. The result, or NULL with *err saying why. */
json_t *rpc_call(struct rpc *rpc, const char *method, json_t *params, struct errmsg *err);
/* The same, with a descriptor for the daemon; fd stays the caller's. -1: none. */
json_t *rpc_call_with_fd(
	struct rpc *rpc, const char *method, json_t *params, int fd, struct errmsg *err);
/* The connection, to be polled for the daemon's end. */
int rpc_fd(const struct rpc *rpc);

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
	enum { COL_TEXT, COL_NUMBER, COL_SIZE, COL_ABOUT, COL_YES, COL_LIST } kind;
};
/* Print rows (an array of objects); "none" says what there is none of. */
void table_print(const json_t *rows, const struct column *columns, const char *none);
/* The same of a single object. */
void table_print_one(json_t *obj, const struct column *columns);
/* "key: value" lines of an object, in its order. */
void table_print_object(const json_t *obj);

#endif
