/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveconfig.h: the saved configuration: LIO's saveconfig.json, and beside it, in the directory
 * "<file>.ulio", the last good generations of it, each with a checksum and with what LIO's schema
 * has no place for. Control thread; all file operations go through the loops' seam.
 *
 * Writing: first a new generation, then the file, each so that a power cut leaves the old or the
 * new one. Reading: a file that ulio wrote, or that others changed and that is valid, is taken;
 * else the newest good generation is, and this is said loudly.
 */
#ifndef ULIO_CONTROL_SAVECONFIG_H
#define ULIO_CONTROL_SAVECONFIG_H

#include <jansson.h>

#include "base/err.h"
#include "control/problems.h"
#include "control/saveapply.h"
#include "loop/loop.h"

struct control;
struct saveconfig;

/*
 * tree is borrowed; hooks may be NULL. file NULL: there is none, and loading and saving say so. 0
 * or -ENOMEM.
 */
int saveconfig_new(struct loops *loops, struct tree *tree, const char *file,
	const struct saveapply_hooks *hooks, struct saveconfig **ret);
/* Saves nothing. Returns NULL. */
struct saveconfig *saveconfig_free(struct saveconfig *s);

/*
 * Bring the tree to the saved configuration.
 *	reload	false, at start: add what it has; a file that is missing or cannot be used is
 *		replaced by the newest good generation. true: also take away what it does not
 *		have; but a file that cannot be used changes nothing
 * Problems say what was left out and why. 0; -ENOENT: there is no file (and no generation),
 * -EINVAL: it cannot be used (and no generation): then the tree is as it was.
 */
int saveconfig_load(struct saveconfig *s, bool reload, struct problems *p, struct errmsg *err);

/*
 * Write the running configuration. -EBUSY: the last load left something out, which saving would
 * lose: mend that, or force. 0 or -errno.
 */
int saveconfig_save(struct saveconfig *s, bool force, struct errmsg *err);

/* Write it to another file, in LIO's schema alone; path is absolute. 0 or -errno. */
int saveconfig_save_to(struct saveconfig *s, const char *path, struct errmsg *err);

/* Has the running configuration changed since the last load or save? */
bool saveconfig_is_changed(const struct saveconfig *s);

/* File, generation, where the running configuration came from, whether it has changed since. */
json_t *saveconfig_status(struct saveconfig *s);

/*
 * The configuration of a kernel's LIO, whose configfs (or a copy of it) is at root. 0 with
 * *ret_config, which has its secrets; -errno with *err.
 */
int saveimport(const char *root, json_t **ret_config, struct errmsg *err);

/* The methods save, reload, config.status; 0 or as control_add_methods(). */
int saveconfig_add_methods(struct saveconfig *s, struct control *c);

/*
 * Check the file alone, without touching anything: the text, its structure. 0, or -EINVAL with
 * problems, or the -errno of reading it.
 *	ret_config	(may be NULL) the configuration when it is good enough to be applied
 */
int saveconfig_check(const char *file, struct problems *p, json_t **ret_config);

#endif
