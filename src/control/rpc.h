/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc.h: JSON-RPC 2.0 over the tree, without a transport: a line goes in, a line comes out.
 *
 * What can be done is in tables: struct control_method names a method, its parameters and what it
 * is good for; "help" and the CLI are made from the same rows. The methods of the tree itself are
 * built in; other modules' methods are registered by the daemon. All runs on the control thread.
 */
#ifndef ULIO_CONTROL_RPC_H
#define ULIO_CONTROL_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "tree/limits.h"

struct control;
struct node;
struct tree;

/* Who asks. */
struct control_peer {
	uid_t uid;
	pid_t pid;
	int *fd; /* *fd came with the request; who takes it leaves -1. NULL or -1: none came */
	bool read_only; /* may change nothing, and sees nothing secret */
	struct event_queue *events; /* of this client; NULL: it cannot be told of any */
};

enum control_param_type { PARAM_STRING, PARAM_INTEGER, PARAM_BOOL, PARAM_OBJECT, PARAM_ARRAY };

struct control_param {
	const char *name;
	enum control_param_type type;
	bool required;
	const char *doc;
};

enum { CONTROL_PARAMS_MAX = 16 }; /* of a method, the end of the table included */

/* One call. params have been checked against the method's table. */
struct control_call {
	struct control *control;
	const struct control_peer *peer;
	const json_t *params; /* object, never NULL */
	json_t *result; /* to be set, NULL: null; owned by the call */
	struct errmsg err;
	json_t *error_data; /* more that programs are told of an error, NULL: none; owned */
	char path[512]; /* the object that an error is about, "" if none */
};

struct control_method {
	const char *name;
	const char *doc;
	/* 0, or -errno with call->err saying why. */
	int (*fn)(void *arg, struct control_call *call);
	bool changes; /* it changes something: a line in the log says who did what */
	/*
	 * It claims what it changes itself (struct tree_claim). Else, if it changes something, it
	 * has the whole tree claimed while it runs, and may keep nodes over operations.
	 */
	bool claims;
	bool admin; /* it changes nothing, and is all the same for administrators alone */
	struct control_param params[CONTROL_PARAMS_MAX]; /* ends with a NULL name */
};

/* tree is borrowed. 0 or -ENOMEM. */
int control_new(struct tree *tree, struct control **ret);
/* Returns NULL. */
struct control *control_free(struct control *c);
struct tree *control_tree(struct control *c);

/*
 * Add methods: a table that ends with a NULL name and lives as long as c. 0, -ENOMEM, -EEXIST (a
 * name is taken), -E2BIG (CONTROL_METHODS_MAX).
 */
int control_add_methods(struct control *c, const struct control_method *table, void *arg);

/*
 * fn is called after each method that has changed something, before it is answered; the tree's turn
 * may be given up and taken again in it. One at a time.
 */
void control_after_change(struct control *c, void (*fn)(void *arg), void *arg);

/*
 * Handle the bytes of one line (a request or a batch); appends the reply with a newline to out, or
 * nothing where nothing is to be answered. Whatever the bytes are, this returns.
 */
void control_handle(struct control *c, const struct control_peer *peer, const char *line,
	size_t len, struct strbuf *out);

/* The protocol, as a JSON Schema (schema.c). NULL: out of memory. */
json_t *control_schema(const struct control *c);

/* ---- for methods --------------------------------------------------------------------------- */

/* Parameters by name. String: NULL if absent. Integer and bool: absent gives the default. */
const char *call_string(const struct control_call *call, const char *name);
int64_t call_integer(const struct control_call *call, const char *name, int64_t absent);
bool call_bool(const struct control_call *call, const char *name, bool absent);
/* The directory at path: sets call->path; NULL and *ret_error -ENOENT if there is none. */
struct node *call_node(struct control_call *call, const char *path, int *ret_error);
/* Fail with a sentence: like errmsg_set(&call->err, …). */
#define call_fail(call, neg_errno, ...) errmsg_set(&(call)->err, neg_errno, __VA_ARGS__)

/* A JSON string of any bytes: what is no UTF-8 appears as \xNN. NULL: out of memory. */
json_t *json_text(const char *s);

/*
 * The directory that holds the last component of path, and that component. NULL and *ret_error.
 */
struct node *call_entry(
	struct control_call *call, const char *path, char name[TREE_NAME_MAX + 1], int *ret_error);
/*
 * Errors of the tree begin with the name of the entry: put the path of its directory (node_id())
 * before it, if that is still there. Returns r.
 */
int call_finish(struct control_call *call, uint64_t dir, const char *name, int r);

/* The methods ls, get, set, mkdir, rmdir, link, unlink, dump (methods.c). */
extern const struct control_method control_tree_methods[];
/* Several changes of the tree at once (transaction.c). */
extern const struct control_method control_transaction_methods[];

#endif
