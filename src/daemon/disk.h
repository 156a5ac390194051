/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk.h: storage objects from one line, "file:/path,size=10G", as --disk and "ulio disk add" give
 * them: which HBA, which control words. Control thread.
 */
#ifndef ULIO_DAEMON_DISK_H
#define ULIO_DAEMON_DISK_H

#include "base/err.h"
#include "tree/node.h"

enum { DISK_UUID_CHARS = 37 }; /* with the NUL */

/*
 * Make a storage object and open its disk. On failure nothing is left.
 *	spec	kind:settings, filters in front: "delay:ms=5|file:/path,size=10G"
 *	serial	its unit serial number, NULL: random
 */
int disk_add(struct tree *t, const char *name, const char *spec, const char *serial,
	struct node **ret, struct errmsg *err);
/* The storage object of that name ("fileio/d0" if several have it), NULL: none, *err says so. */
struct node *disk_find(struct tree *t, const char *name, struct errmsg *err);
/* Remove it, and its HBA if that is empty then. -EBUSY while LUNs show it. */
int disk_remove(struct tree *t, struct node *disk, struct errmsg *err);

/* A random UUID (RFC 9562, version 4), or one that follows from a text (version 8). Returns buf. */
const char *disk_uuid_random(char buf[DISK_UUID_CHARS]);
const char *disk_uuid_of(char buf[DISK_UUID_CHARS], const char *text);

#endif
