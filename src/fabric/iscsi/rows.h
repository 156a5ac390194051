/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows.h: the iSCSI fabric in the configuration tree: the directory iscsi/ and all below it, laid
 * out and behaving as LIO's iscsi/<IQN>/tpgt_<N>/….
 *
 * The daemon answers mkdir of "iscsi" below the root with { &entity_type, the struct entity * }.
 * Removing the directory leaves the entity as it is (discovery_auth keeps its values).
 *
 * All functions of the rows run on the control thread.
 */
#ifndef ULIO_FABRIC_ISCSI_ROWS_H
#define ULIO_FABRIC_ISCSI_ROWS_H

#include "tree/node.h"

extern const struct node_type entity_type; /* iscsi/, its object: struct entity */
extern const struct node_type target_type; /* <IQN>/: struct target */
extern const struct node_type tpg_type; /* tpgt_<N>/: struct tpg */
extern const struct node_type isns_type; /* /isns: struct entity */
extern const struct node_type portal_type; /* np/<IP:PORT>/: struct portal */
extern const struct node_type port_lun_type; /* lun/lun_<N>/: struct port_lun */
extern const struct node_type acl_type; /* acls/<initiator>/: struct acl */
extern const struct node_type acl_lun_type; /* acls/<initiator>/lun_<N>/: struct acl_lun */

#endif
