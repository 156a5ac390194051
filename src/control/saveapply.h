/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveapply.h: carry out a configuration on the tree, in the order in which rtslib restores one.
 * What is there already and fits is left alone, so a running daemon is brought from one
 * configuration to another without disturbing what both have. Control thread.
 */
#ifndef ULIO_CONTROL_SAVEAPPLY_H
#define ULIO_CONTROL_SAVEAPPLY_H

#include <jansson.h>

#include "control/changes.h"
#include "control/problems.h"
#include "tree/node.h"

enum {
	SAVEAPPLY_REMOVE_OTHERS = 1 << 0, /* what the configuration does not have goes away */
	SAVEAPPLY_DRY = 1 << 1, /* nothing is changed: what would be is noted */
	SAVEAPPLY_KEEP_EXTRAS = 1 << 2, /* without extras, what these are about stays as it is */
};

struct saveapply_hooks {
	/*
	 * The disk of a storage object could not be opened (writing 1 to "enable" gave error). 0:
	 * the object is there all the same, pending, and its LUNs can be made. NULL: it is left
	 * out.
	 */
	int (*disk_pending)(void *arg, struct node *disk, int error, struct errmsg *err);
	void *arg;
	/* All is carried out, by a reload too: look again at what lies outside of it. NULL: no. */
	void (*applied)(void *arg);
	/*
	 * Carry a configuration out where nothing real is touched, and tell what would be left
	 * out. 0 or -errno. NULL: that is not possible.
	 */
	int (*rehearse)(void *arg, const json_t *config, const json_t *extras, struct problems *p,
		struct errmsg *err);
};

/*
 * config has passed saveschema_check() without an error. extras: as savedump() gives them, may be
 * NULL. What fails is left out and told as PROBLEM_SKIPPED with its place in the configuration; the
 * rest is carried out. changes (may be NULL) gets what was changed, in that order; of what is new
 * only itself, not all that is in it. 0, or -ENOMEM.
 */
int saveapply(struct tree *t, const json_t *config, const json_t *extras, unsigned flags,
	const struct saveapply_hooks *hooks, struct problems *p, struct changes *changes);

/*
 * One storage object, in an HBA that is there. extras: may be NULL. What fails is told as above. 0
 * or -ENOMEM.
 */
int saveapply_disk(struct tree *t, struct node *hba, const json_t *obj, const json_t *extras,
	struct problems *p);

#endif
