/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verb.h: what can be done at a place of the view (targetcli's language), as a table: at which
 * kinds of places, with which parameters, by position or name=value. Help and completion are made
 * of it.
 */
#ifndef ULIO_CLI_VERB_H
#define ULIO_CLI_VERB_H

#include "cli/cli.h"

enum { VERB_PARAMS_MAX = 8 };

/* What a parameter's values are, for completion. */
enum verb_values {
	VALUES_ANY,
	VALUES_BOOL,
	VALUES_FILE, /* paths of files and devices */
	VALUES_VIEW, /* paths of the view */
	VALUES_CHILD, /* names of directories in this one */
	VALUES_STORAGE, /* /backstores/…, and files */
	VALUES_INITIATOR, /* who is logged in or was refused */
	VALUES_GROUP, /* groups of get and set */
};

struct verb_param {
	const char *name;
	bool required;
	enum verb_values values;
	const char *doc;
};

struct verb_call {
	struct cli *cli;
	const struct verb *verb;
	struct view_path at;
	json_t *args; /* parameters by name, texts */
	int argc; /* the words behind the verb as they are */
	char **argv;
};

struct verb {
	const char *name;
	unsigned kinds; /* AT(VIEW_…) | …; 0: everywhere */
	const char *doc;
	int (*run)(struct verb_call *c); /* 0 or the exit status */
	struct verb_param params[VERB_PARAMS_MAX]; /* ends with a NULL name */
	bool words; /* run takes the words itself */
	const char *plugin; /* at backstores of this kind alone; NULL: all */
};

#define AT(kind) (1u << (kind))

/* The verb of that name at a place, NULL if there is none. */
const struct verb *verb_find(const struct view_path *at, const char *name);
/* The i-th verb that there is at a place, NULL past the end. */
const struct verb *verb_at(const struct view_path *at, unsigned i);
/* Run a verb with the words behind it. The exit status. */
int verb_run(
	struct cli *cli, const struct verb *v, const struct view_path *at, int argc, char **argv);
/* Print how a verb is used; only its line, "create name [size]", into out. */
void verb_usage(const struct verb *v);
void verb_usage_line(const struct verb *v, struct strbuf *out);

/* An argument, NULL if it was not given. */
const char *verb_arg(const struct verb_call *c, const char *name);
/* A bool; preset if it was not given. 0 or CLI_USAGE, said. */
int verb_bool(struct verb_call *c, const char *name, bool preset, bool *ret);
/* Print an error. Returns CLI_FAILED. */
int verb_fail(struct verb_call *c, const struct errmsg *err);
/* The place in the daemon's tree, into out (initialised here, done by the caller). 0 or status. */
int verb_raw(struct verb_call *c, struct strbuf *out);
/* Go to a place. 0 or CLI_FAILED, said. */
int verb_go(struct cli *cli, const struct view_path *at);
/* Go there if the user wants that of what was created. */
void verb_created(struct verb_call *c, const char *name);

/* ---- verb_config.c: groups of parameters ----------------------------------------------------- */

/* A group of get and set: attribute, parameter, auth … */
struct config_group {
	const char *name;
	unsigned kinds; /* 0: everywhere */
	const char *dir; /* of the attributes, below the place in the daemon's tree; NULL: none */
	/* Names of targetcli and of the tree, where they differ; ends with a NULL. */
	const struct config_alias *aliases;
	const char *doc;
};
struct config_alias {
	const char *name, *raw;
};

const struct config_group *config_group_at(enum view_kind kind, unsigned i);
const struct config_group *config_group_find(enum view_kind kind, const char *name);
/* The rows of ls of a group's directory, their "name" as targetcli's. NULL with *err. */
json_t *config_rows(struct cli *cli, const struct view_path *at, const struct config_group *g,
	struct errmsg *err);

/* ---- verbs, a file each ---------------------------------------------------------------------- */

int verb_ls(struct verb_call *c);
int verb_cd(struct verb_call *c);
int verb_pwd(struct verb_call *c);
int verb_help(struct verb_call *c);
int verb_exit(struct verb_call *c);
int verb_status(struct verb_call *c);
int verb_info(struct verb_call *c);
int verb_version(struct verb_call *c);
int verb_get(struct verb_call *c);
int verb_set(struct verb_call *c);

int verb_create_backstore(struct verb_call *c);
int verb_delete_backstore(struct verb_call *c);
int verb_create_group(struct verb_call *c);
int verb_delete_group(struct verb_call *c);

int verb_create_target(struct verb_call *c);
int verb_delete_target(struct verb_call *c);
int verb_create_tpg(struct verb_call *c);
int verb_delete_tpg(struct verb_call *c);
int verb_enable(struct verb_call *c);
int verb_disable(struct verb_call *c);
int verb_create_portal(struct verb_call *c);
int verb_delete_portal(struct verb_call *c);
int verb_enable_iser(struct verb_call *c);
int verb_enable_offload(struct verb_call *c);

int verb_create_lun(struct verb_call *c);
int verb_delete_lun(struct verb_call *c);
int verb_create_acl(struct verb_call *c);
int verb_delete_acl(struct verb_call *c);
int verb_tag(struct verb_call *c);
int verb_untag(struct verb_call *c);
int verb_create_mapped(struct verb_call *c);
int verb_delete_mapped(struct verb_call *c);

int verb_saveconfig(struct verb_call *c);
int verb_restoreconfig(struct verb_call *c);
int verb_clearconfig(struct verb_call *c);

#endif
