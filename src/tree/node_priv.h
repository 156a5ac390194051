/* SPDX-License-Identifier: BSD-3-Clause */
/* node_priv.h: what the files of the tree share. */
#ifndef ULIO_TREE_NODE_PRIV_H
#define ULIO_TREE_NODE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "tree/node.h"

struct link {
	uint64_t id;
	char *name;
	struct node *dir; /* where it is */
	struct node *target;
	struct list incoming; /* in target->incoming */
	struct list all; /* in tree->links */
};

struct node {
	struct tree *tree;
	uint64_t id;
	struct node *id_next; /* in a chain of tree->ids */
	struct node *parent; /* NULL: the root */
	const struct node_type *type;
	void *obj; /* the module's */
	const char *name; /* own memory, of a default group: its table's */
	int def; /* place in parent->type->defaults, -1: user-made or root */
	bool going; /* its object is being destroyed: it is not found any more */
	unsigned nlinks;
	unsigned nchildren; /* user-made */
	struct node **defaults; /* made so far, by place; NULL: none was */
	struct list children; /* user-made, struct node.sibling */
	struct list sibling;
	struct node *hash_next; /* user-made */
	struct link **links; /* in the order of their making */
	struct list incoming; /* struct link.incoming */
};

struct listener {
	tree_listener_fn *fn;
	void *arg;
};

struct tree {
	pthread_mutex_t turn;
	_Atomic pthread_t holder; /* who has the turn, if it is held */
	_Atomic bool held;
	struct list claims; /* struct tree_claim, in the order of their coming */
	pthread_cond_t claims_changed; /* with turn */
	struct node *root;
	uint64_t last_id;
	struct node **ids; /* all nodes by id; chains */
	size_t nids; /* places, a power of two */
	size_t nnodes;
	struct node **buckets; /* user-made nodes by parent and name; chains */
	size_t nbuckets; /* a power of two */
	size_t nhashed;
	struct list links; /* all of them, in the order of their making */
	struct listener *listeners;
	unsigned nlisteners;
};

/* ---- claim.c ------------------------------------------------------------------------------- */

/* What is to be claimed for a change of n: the id of its unit. */
uint64_t claim_unit(const struct node *n);
/* Wait until nobody else has a or b (0: none; both 0: the whole tree). Steps aside meanwhile. */
void claim_take(struct tree *t, struct tree_claim *c, uint64_t a, uint64_t b);

/* ---- index.c ------------------------------------------------------------------------------- */

/* 0 or -ENOMEM; then index_done() too. */
int index_init(struct tree *t);
void index_done(struct tree *t);

/* User-made directories by parent and name. NULL: there is none. */
struct node *index_find(struct tree *t, const struct node *parent, const char *name);
void index_add_name(struct tree *t, struct node *n);
void index_del_name(struct tree *t, struct node *n);

/* Give n its id; all nodes by id. */
void index_add_id(struct tree *t, struct node *n);
void index_del_id(struct tree *t, struct node *n);

#endif
