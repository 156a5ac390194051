/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * view.h: the tree as targetcli shows it (/backstores/fileio/NAME, /iscsi/IQN/tpg1/luns/lun0 …),
 * mapped onto the daemon's (/core/fileio_0/NAME, /iscsi/IQN/tpgt_1/lun/lun_0 …) by one table of
 * steps. What is in no step is of kind VIEW_RAW: a path of the daemon's tree as it is.
 */
#ifndef ULIO_CLI_VIEW_H
#define ULIO_CLI_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/strbuf.h"

struct cli;

enum view_kind {
	VIEW_RAW,
	VIEW_ROOT,
	VIEW_BACKSTORES,
	VIEW_PLUGIN,
	VIEW_STORAGE,
	VIEW_ALUA,
	VIEW_GROUP,
	VIEW_FABRIC,
	VIEW_TARGET,
	VIEW_TPG,
	VIEW_ACLS,
	VIEW_ACL,
	VIEW_MAPPED,
	VIEW_LUNS,
	VIEW_LUN,
	VIEW_PORTALS,
	VIEW_PORTAL,
	VIEW_NKINDS,
};

enum { VIEW_PATH_CHARS = 1024, VIEW_NAME_CHARS = 256 };

struct view_path {
	enum view_kind kind;
	char text[VIEW_PATH_CHARS]; /* absolute, without "." and ".."; "/" is the root */
};

/* What a kind is, for help: "portal group". */
const char *view_kind_name(enum view_kind kind);
const char *view_kind_doc(enum view_kind kind);

/*
 * Make a path of text, which may be relative to cwd (NULL: the root). Nothing is asked of the
 * daemon. 0 or -EINVAL, -ENAMETOOLONG with *err.
 */
int view_resolve(
	const struct view_path *cwd, const char *text, struct view_path *ret, struct errmsg *err);
/* The path of an entry of dir. 0 or -ENAMETOOLONG with *err. */
int view_child(
	const struct view_path *dir, const char *name, struct view_path *ret, struct errmsg *err);
/* The nearest ancestor of that kind (or p itself). False: none. */
bool view_up(const struct view_path *p, enum view_kind kind, struct view_path *ret);
/* The last component, "/" of the root. Points into p. */
const char *view_name(const struct view_path *p);

/* Storage objects by plugin: "block" is LIO's iblock. NULL past the end, or if there is none. */
struct view_plugin {
	const char *name; /* in the view */
	const char *hba; /* in the daemon's tree, before "_N" */
	bool always; /* shown even when empty */
};
const struct view_plugin *view_plugin_at(unsigned i);
const struct view_plugin *view_plugin_find(const char *name);
/* By HBA: "fileio", "fileio_0" or "/core/fileio_0/x". */
const struct view_plugin *view_plugin_of_hba(const char *hba);

/*
 * The path in the daemon's tree: appended to out. Storage objects and ACLs by tag are asked of the
 * daemon. 0 or -errno with *err.
 */
int view_raw(struct cli *cli, const struct view_path *p, struct strbuf *out, struct errmsg *err);
/* Whether it is there (asks the daemon). 0 or -errno with *err. */
int view_check(struct cli *cli, const struct view_path *p, struct errmsg *err);

/* Names of the directories in it, without asking for more. Empty: nothing, or no daemon. */
json_t *view_list(struct cli *cli, const struct view_path *p);

/*
 * The directory and what lies below it, depth levels (< 0: all), as an object of "name", "kind",
 * "summary" (a line for people; may be empty), "ok" (true, false: how it goes; else absent) and
 * "children" (absent below depth). NULL with *err.
 */
json_t *view_tree(struct cli *cli, const struct view_path *p, int depth, struct errmsg *err);

#endif
