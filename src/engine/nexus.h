/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nexus.h: the I_T nexus (SAM-5 4.7): one initiator port's session with one target port.
 * It outlives its commands: each holds a reference.
 */
#ifndef ULIO_ENGINE_NEXUS_H
#define ULIO_ENGINE_NEXUS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/fabric.h"
#include "engine/limits.h"
#include "engine/ua.h"
#include "loop/loop.h"

struct acl;
struct engine;
struct lunmap;
struct nexus_close;
struct port;

struct nexus {
	const struct fabric_ops *ops;
	void *session; /* the fabric's; NULL once it has let go */
	struct engine *eng;
	struct port *port; /* borrowed; outlives the session, not what a disk still holds */
	char initiator[PORT_NAME_BYTES]; /* SCSI device name: iqn… */
	char initiator_port[PORT_NAME_BYTES]; /* SCSI port name: iqn…,i,0x<ISID> */
	/* Of the port, for when that has gone: with initiator_port they identify the nexus. */
	char device[PORT_NAME_BYTES];
	uint16_t tpgt;
	struct loop *loop; /* where its fabric_ops for the nexus itself run */
	_Atomic(struct lunmap *) map;
	struct itl no_lu; /* for LUNs without an LU */
	struct list link; /* in port->nexuses, under the configuration lock */
	_Atomic unsigned refs;
	_Atomic bool closing; /* takes no more commands */
	/*
	 * Functions that the fabric does not carry for this session, bits by enum tmf_function, for
	 * REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS; set by it before the first command.
	 */
	uint32_t no_tmfs;
	uint64_t created_ns;
	/* Private to nexus.c. */
	struct nexus_close *close;
};

/*
 * Make a nexus for a session that has logged in. loop: see above.
 *	initiator	SCSI device name; which ACL, and so which LUNs it sees, follows from it
 *	isid_suffix	what makes the port name of it: ",i,0x00023d000001", or ""
 * Each LU that it sees starts with unit attention 29/00. 0; -EACCES: port refuses it; -ENOMEM.
 * On loop.
 */
int nexus_new(struct port *port, const char *initiator, const char *isid_suffix,
	const struct fabric_ops *ops, void *session, struct loop *loop, struct nexus **ret);

/*
 * I_T nexus loss (SAM-5 6.3.4): abort its commands on every loop, end what it reserved, then
 * ops->nexus_closed(). Never waits for a disk: what a disk still holds is orphaned. On nexus->loop.
 */
void nexus_close(struct nexus *nexus);

void nexus_ref(struct nexus *nexus);
void nexus_unref(struct nexus *nexus);

#endif
