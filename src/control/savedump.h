/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * savedump.h: the running configuration in LIO's saveconfig schema, read from the tree, and beside
 * it what that schema has no place for. Control thread.
 */
#ifndef ULIO_CONTROL_SAVEDUMP_H
#define ULIO_CONTROL_SAVEDUMP_H

#include <jansson.h>

#include "tree/node.h"

/*
 * The configuration in *ret_config, as rtslib dumps it, and in *ret_extras the rest: an object of
 * attribute values ("wwn/vendor_id") for each object that has any, keyed by its place:
 *	/backstores/<plugin>/<name>
 *	/backstores/<plugin>/<name>/alua/<group>
 *	/iscsi, /iscsi/<wwn>, /iscsi/<wwn>/tpgt_N/np/<portal>, …	as in the tree
 *	SAVEDUMP_LU_GROUPS	the id of each LU group, by its name
 * 0 or -ENOMEM.
 */
#define SAVEDUMP_LU_GROUPS "/core/alua/lu_gps"
int savedump(struct tree *t, json_t **ret_config, json_t **ret_extras);

/* One storage object (the device's directory); NULL: out of memory, or it is none. */
json_t *savedump_disk(struct tree *t, struct node *disk);

/* Appends "/backstores/<plugin>/<name>". False if node is no storage object. */
bool savedump_disk_key(struct node *disk, struct strbuf *out);

/*
 * An attribute's value by path below dir ("wwn/vendor_id"), false if there is none or it cannot
 * be read.
 */
bool savedump_value(struct tree *t, struct node *dir, const char *path, struct strbuf *out);

/* strbuf_done() for what may be a secret: nothing of it stays in memory. */
void savedump_forget(struct strbuf *b);

/* The directory at a path below dir, NULL if it is not there. */
struct node *savedump_dir(struct node *dir, const char *path);

#endif
