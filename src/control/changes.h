/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * changes.h: what a configuration changes on the tree, as an ordered list for people and programs:
 * each an object with
 *	op	"create", "remove", "set", "link"
 *	path	of the directory, the attribute or the link. A new storage object is named by its
 *		key, /backstores/<plugin>/<name>: the number of its HBA is known when it is made
 *	old	what was there before: a value, the target of a link; null: nothing
 *	new	what comes: a value, a target, or all that the configuration says of a new object
 *	secret	true: old and new are not told
 *	text	the same as a sentence
 * What lies in something that is new or goes away is no change of its own. Under the tree's turn.
 */
#ifndef ULIO_CONTROL_CHANGES_H
#define ULIO_CONTROL_CHANGES_H

#include <jansson.h>

#include "tree/node.h"

struct changes;

/* 0 or -ENOMEM. */
int changes_new(struct changes **ret);
/* Returns NULL. */
struct changes *changes_free(struct changes *ch);
/* The list, a JSON array; borrowed. */
json_t *changes_list(const struct changes *ch);

/* dir/name is made. obj: what the configuration says of it, may be NULL; secrets are left out. */
void changes_create(struct changes *ch, struct node *dir, const char *name, const json_t *obj);
/* A storage object is made; disk: its directory, NULL: not yet. */
void changes_create_disk(struct changes *ch, const char *key, struct node *disk, const json_t *obj);
void changes_remove(struct changes *ch, const char *path);
/* was: the value before, empty: unknown or none. */
void changes_set(
	struct changes *ch, struct node *dir, const char *attr, const char *was, const char *value);
/* dir/name leads to target now. was: the path of the one before, empty: none. */
void changes_link(struct changes *ch, struct node *dir, const char *name, const char *was,
	struct node *target);

/* n is to be removed, by itself or with what it lies in. */
bool changes_is_gone(const struct changes *ch, const struct node *n);

#endif
