/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exec_space.h: the surroundings in which a command of LIO's finds uliod: a mount namespace with
 * the tree at /sys/kernel/config, and what else such commands look for.
 */
#ifndef ULIO_CLI_EXEC_SPACE_H
#define ULIO_CLI_EXEC_SPACE_H

#include <sys/types.h>

#include "base/err.h"

struct exec_space {
	char dir[64]; /* temporary directory, removed by exec_space_done() */
	pid_t bus; /* D-Bus system bus of its own, 0: there is one */
	int fuse; /* descriptor of /dev/fuse for the daemon, -1: it has it */
};

/*
 * Make the namespace for this process, which has one thread, and mount. For others than root a user
 * namespace is made as well, in which they are root. 0 or -errno with *err; exec_space_done() in
 * any case.
 */
int exec_space_enter(struct exec_space *s, struct errmsg *err);
/* Start what is not there; after the mount is served. Warnings go to standard error. */
void exec_space_services(struct exec_space *s);
/* Force the mount to an end: its daemon has died. */
void exec_space_abandon(void);
/* End and remove all; the namespace goes with its last process. */
void exec_space_done(struct exec_space *s);

#endif
