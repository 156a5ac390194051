/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage.h: the directory core/ of the configuration tree: storage objects, each an LU with its
 * disk, laid out and behaving as LIO's core/<hba>_<n>/<name>/.
 *
 * The HBA says what kind of disk it is:
 *	fileio_N	a regular file (kind "file")
 *	iblock_N	a block device (kind "file")
 *	rd_mcp_N	memory (kind "ram")
 *	user_N		any kind, by control "dev_config=<kind>/<settings>", filters in front too
 *
 * All functions are for the control thread.
 */
#ifndef ULIO_ENGINE_STORAGE_H
#define ULIO_ENGINE_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tree/node.h"

struct backstore_registry;
struct engine;
struct lu;
struct storage_core;

/* The object of the directory core/. reg NULL: a rehearsal, in which opening a disk is -ENOTSUP. */
struct storage_core *storage_core_new(struct engine *eng, struct backstore_registry *reg);
/* All storage objects must be gone. Returns NULL. */
struct storage_core *storage_core_free(struct storage_core *core);

extern const struct node_type storage_core_type; /* core/, its object: struct storage_core */
extern const struct node_type storage_type; /* core/<hba>/<name>/ */
/* The same below user_N; what differs there are attrib/ and action/. */
extern const struct node_type storage_user_type, storage_user_attrib_type, storage_user_action_type;

/*
 * The LU of a storage object, for a LUN that is linked to it. 0; -EFAULT: node is no storage
 * object; -ENODEV: it has not been enabled.
 */
int storage_lu(struct node *node, struct lu **ret, struct errmsg *err);

/* The numbers by which statistics call it and its HBA. 0: it is no storage object's. */
uint32_t storage_number(const struct lu *lu);
uint32_t storage_hba_number(const struct lu *lu);

/*
 * A disk that is not there yet: the LU can be linked and answers NOT READY until storage_retry()
 * opens its disk. Of one that is enabled: no-op.
 */
int storage_set_pending(struct node *node, struct errmsg *err);
bool storage_is_pending(struct node *node);
/* Try to open the disk of a pending one. 0 or -errno as "enable" gives it. */
int storage_retry(struct node *node, struct errmsg *err);

/* lu_resize() of a storage object. */
int storage_resize(struct node *node, uint64_t size_bytes, bool force, struct errmsg *err);

#endif
