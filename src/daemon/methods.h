/* SPDX-License-Identifier: BSD-3-Clause */
/* methods.h: the tables of methods that the daemon adds to those of the tree. */
#ifndef ULIO_DAEMON_METHODS_H
#define ULIO_DAEMON_METHODS_H

#include "control/rpc.h"
#include "daemon/daemon.h"

/* arg of all: struct daemon. */
extern const struct control_method disk_methods[], target_methods[], lun_methods[], alua_methods[],
	auth_methods[], session_methods[], isns_methods[], reservation_methods[],
	autosave_methods[], mount_methods[], daemon_methods[];

#endif
