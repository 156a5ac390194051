/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node.h: the configuration as a tree of directories with attributes and links, laid out as LIO's
 * configfs (target/core/…, target/iscsi/…). It knows no transport and no module: what a directory
 * holds is said by its node_type, given by the module whose object it shows.
 *
 * Several threads use the tree, one at a time: between tree_enter() and tree_leave(). All functions
 * are called so, unless they say otherwise. Errors are those of configfs; *err says them in words.
 */
#ifndef ULIO_TREE_NODE_H
#define ULIO_TREE_NODE_H

#include <pthread.h>

#include "base/list.h"
#include "tree/attr.h"

struct tree;
struct node;

/* What mkdir made: the type of the new directory and its object. */
struct node_new {
	const struct node_type *type;
	void *obj;
};

/*
 * A directory that comes and goes with its parent ("default group"). child_obj gives its object
 * from the parent's; NULL: the same object. It is called when the directory is first looked at, and
 * must give the same answer at any time.
 */
struct node_default {
	const char *name;
	const struct node_type *type;
	void *(*child_obj)(void *parent_obj);
};

struct node_type {
	const char *name; /* of the kind of object, for messages and manuals: "portal group" */
	const char *doc;
	/*
	 * LIO has no such directory: the mount shows neither it nor what is in it. (LIO's tools
	 * take any name that they find for an object.)
	 */
	bool ours;
	/* What is changed in it is changed by one at a time (struct tree_claim). */
	bool unit;
	const struct attr *attrs; /* ends with ATTR_END; may be NULL */
	const struct node_default *defaults; /* ends with a NULL name; may be NULL */

	/*
	 * The functions below have the tree's turn and do not change the tree themselves. They may
	 * step aside: then others change what is not in the same unit, and read everything but a
	 * directory whose rmdir runs.
	 *
	 * mkdir: NULL: EPERM. Makes the object; *ret set on success only.
	 */
	int (*mkdir)(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err);
	/*
	 * Destroy the object of this user-made directory. The tree has made sure that no user-made
	 * child and no link to it or out of it is left (ENOTEMPTY, EBUSY). Returns when all is
	 * released, or an error and then nothing has changed.
	 */
	int (*rmdir)(struct node *node, struct errmsg *err);
	/*
	 * NULL: links here are EPERM. Make or drop the link dir/name -> target; unlink NULL:
	 * there is nothing to do.
	 */
	int (*link)(struct node *dir, const char *name, struct node *target, struct errmsg *err);
	int (*unlink)(struct node *dir, const char *name, struct node *target, struct errmsg *err);
};

/*
 * A listener hears of each change after it has been made. dir is the directory in which it
 * happened, name the entry: the directory that came or went, the link, the attribute.
 */
enum tree_event { TREE_ADDED, TREE_REMOVED, TREE_LINKED, TREE_UNLINKED, TREE_ATTR_SET };
typedef void tree_listener_fn(void *arg, enum tree_event ev, struct node *dir, const char *name);

/* root: the type of "/" (what LIO has as /sys/kernel/config/target). 0 or -ENOMEM. */
int tree_new(const struct node_type *root, void *root_obj, struct tree **ret);
/* Frees the nodes, not the objects: take the objects down first (tree_clear()). Returns NULL. */
struct tree *tree_free(struct tree *t);
struct node *tree_root(struct tree *t);

/*
 * Take the tree's turn and give it back: any thread, which must not have it already. Nodes that
 * were found in an earlier turn may have gone.
 */
void tree_enter(struct tree *t);
void tree_leave(struct tree *t);
/* The calling thread has the turn. */
bool tree_is_ours(const struct tree *t);

/*
 * The operations below may step aside (loops_step_aside()) while a module waits for a disk or an
 * initiator: other threads have turns then. What is being changed is claimed: the unit that it lies
 * in (node_type.unit), or else the nearest directory that a user made, or the root. Changes of one
 * unit follow each other in the order in which they came; reading does not wait for them. Who does
 * several changes as one, or keeps a struct node over an operation, claims first and for the whole
 * time; its own claims do not keep a thread waiting. A thread that has claimed one unit must not
 * claim others but by these operations, and one at a time in the whole daemon: tree_claim_all()
 * waits for all others, and all wait for it.
 */
struct tree_claim {
	struct list link;
	pthread_t owner;
	uint64_t ids[2];
	bool in_module;
};
void tree_claim_all(struct tree *t, struct tree_claim *c);
void tree_claim_node(struct tree *t, struct tree_claim *c, const struct node *n);
void tree_unclaim(struct tree *t, struct tree_claim *c);

/* 0 or -ENOMEM. */
int tree_listen(struct tree *t, tree_listener_fn *fn, void *arg);
/* Not from inside of a listener. */
void tree_unlisten(struct tree *t, tree_listener_fn *fn, void *arg);

/* By absolute path "/iscsi/iqn…/tpgt_1/lun"; follows links. NULL: not there. */
struct node *tree_lookup(struct tree *t, const char *path);
struct node *node_child(struct node *dir, const char *name);
const struct attr *node_attr(struct node *node, const char *name);
void *node_obj(const struct node *node);
const struct node_type *node_type(const struct node *node);
const char *node_name(const struct node *node);
struct node *node_parent(const struct node *node);
/* Appends the absolute path. */
void node_path(const struct node *node, struct strbuf *out);
/* A number that no other node of this process has or will have, > 0. And back, NULL: it is gone. */
uint64_t node_id(const struct node *node);
struct node *tree_node_by_id(struct tree *t, uint64_t id);
bool node_is_default(const struct node *node);
/* Nearest ancestor (or node itself) of that type, NULL if none. */
struct node *node_up(struct node *node, const struct node_type *type);

/*
 * Directories of dir: default groups in the order of their table, then user-made ones in the order
 * of their making. NULL after the last.
 */
struct node *node_first_child(struct node *dir);
struct node *node_next_child(struct node *dir, struct node *prev);
/* How many these are. */
unsigned node_nchildren(const struct node *dir);
struct node_link {
	uint64_t id; /* as of a node */
	const char *name;
	struct node *target;
};
/* The i-th link of dir in the order of their making; false past the end. */
bool node_link_at(struct node *dir, unsigned i, struct node_link *ret);

/* Whether name may be an entry's: 0, -EINVAL or -ENAMETOOLONG. Any thread. */
int tree_name_check(const char *name, struct errmsg *err);

/*
 * The operations. name: 1 to TREE_NAME_MAX bytes of UTF-8, no '/', no control characters, not "."
 * or "..". 0 or -errno with *err saying which entry and why:
 *	EEXIST		the name is taken
 *	EPERM		directories or links are not made here; rmdir of a default group
 *	EBUSY		rmdir of what a link points to (it or a default group in it)
 *	ENOTEMPTY	rmdir of what holds user-made directories or links
 *	ENOENT		no such link or attribute
 *	EACCES		get of a write-only, set of a read-only attribute
 *	other		what the object's own function said
 * tree_set() removes one trailing newline. tree_rmdir() frees node.
 */
int tree_mkdir(
	struct tree *t, struct node *dir, const char *name, struct node **ret, struct errmsg *err);
int tree_rmdir(struct tree *t, struct node *node, struct errmsg *err);
int tree_link(struct tree *t, struct node *dir, const char *name, struct node *target,
	struct errmsg *err);
int tree_unlink(struct tree *t, struct node *dir, const char *name, struct errmsg *err);
int tree_get(struct tree *t, struct node *node, const char *attr, struct strbuf *out,
	struct errmsg *err);
int tree_set(
	struct tree *t, struct node *node, const char *attr, const char *value, struct errmsg *err);
/*
 * Remove everything that users made below node: links first, then directories, the youngest first.
 * Stops at the first error.
 */
int tree_clear(struct tree *t, struct node *node, struct errmsg *err);

#endif
