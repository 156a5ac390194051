/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveapply_priv.h: what the files of saveapply share: the state of one run, and its small
 * steps.
 */
#ifndef ULIO_CONTROL_SAVEAPPLY_PRIV_H
#define ULIO_CONTROL_SAVEAPPLY_PRIV_H

#include "base/strbuf.h"
#include "control/changes.h"
#include "control/saveapply.h"

struct apply {
	struct tree *t;
	const json_t *config;
	const json_t *extras; /* may be NULL */
	const struct saveapply_hooks *hooks; /* may be NULL */
	struct problems *p;
	struct strbuf value; /* of the attribute at hand */
	struct strbuf number; /* the text of one */
	struct strbuf path; /* place in the configuration, of the object at hand */
	json_t *disks; /* "/backstores/fileio/d0" -> path of its directory */
	struct node *hba; /* where storage objects are made, NULL: each in a new one */
	unsigned next_hba; /* index to try for the next HBA */
	struct changes *changes; /* may be NULL */
	bool dry; /* changes are noted, not made */
	bool unsafe; /* something that keeps people out could not be set in the group at hand */
};

/* Add to the path, and take that off again. Returns what apply_leave() needs. */
size_t apply_enter(struct apply *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void apply_leave(struct apply *a, size_t where);

/* Tell what failed; key (may be NULL) is the part of the object at hand. */
void apply_skip(struct apply *a, const char *key, const struct errmsg *err);

/*
 * The directory name in dir, made if it is not there. obj (may be NULL) is what the configuration
 * says of it. NULL: told; or it is yet to be made and this is a dry run.
 */
struct node *apply_dir(struct apply *a, struct node *dir, const char *name, const json_t *obj);
/* In a dry run: n is to be removed, by itself or with what it lies in. */
bool apply_is_gone(struct apply *a, const struct node *n);
/* Remove a directory with all that users made in it. False: told. */
bool apply_remove(struct apply *a, struct node *n);
/*
 * Set an attribute by path below dir, unless it has that value already. key: its name in the
 * configuration. False: told.
 */
bool apply_set(
	struct apply *a, struct node *dir, const char *attr, const char *value, const char *key);
/* The same for a JSON number, string or boolean. */
bool apply_set_json(
	struct apply *a, struct node *dir, const char *attr, const json_t *value, const char *key);
/*
 * All of an object of values, in the order of their names, into the directory sub of dir. What
 * fails is told; if it is something that keeps people out, a->unsafe is set.
 */
void apply_values(
	struct apply *a, struct node *dir, const char *sub, const json_t *values, const char *key);
/* What the extras have for key. */
void apply_extras(struct apply *a, struct node *dir, const char *key);
/* dir/name leads to target, or is made so. False: told. */
bool apply_link(struct apply *a, struct node *dir, const char *name, struct node *target);

/* Storage objects (saveapply_disk.c). */
void apply_disks(struct apply *a);
/* Is the storage object the one that the configuration describes? */
bool apply_disk_fits(struct apply *a, struct node *disk, const json_t *obj);
/* Removing what the configuration does not have (saveapply_remove.c). */
void apply_remove_others(struct apply *a);

#endif
