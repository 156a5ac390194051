/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon.h: the one place that knows all layers: what a running uliod consists of, and the order in
 * which its parts come up and go down. Everything here is used with the tree's turn.
 */
#ifndef ULIO_DAEMON_DAEMON_H
#define ULIO_DAEMON_DAEMON_H

#include <signal.h>
#include <sys/types.h>

#include "control/fuse.h"
#include "control/poller.h"
#include "control/rpc.h"
#include "control/saveconfig.h"
#include "control/sock.h"
#include "control/jobs.h"
#include "daemon/options.h"
#include "engine/engine.h"
#include "engine/storage.h"
#include "fabric/iscsi/target.h"
#include "loop/loop.h"
#include "tree/node.h"

struct backstore_registry;

struct daemon {
	const struct options *o;
	struct loops *loops;
	struct backstore_registry *reg;
	struct engine *eng;
	struct storage_core *core;
	struct entity *iscsi;
	struct tree *tree;
	struct poller *poller;
	struct jobs *jobs; /* for what may take long; the control thread only waits */
	struct control *control;
	struct control_sock *sock, *sock_ro;
	struct events *events; /* NULL: a rehearsal */
	struct saveconfig *save;
	struct fuse_face *fuse;
	struct fuse_place *place; /* --mount */
	char control_path[108];
	char *state; /* directory */
	char *scratch; /* temporary directory of a captive run, removed at the end */
	uint64_t started_ns;
	int sigfd;
	int exit_status;
	pid_t child; /* --run, 0: none */
	bool stopping;
	bool settled; /* then: what was under way has ended */
	struct job reload_job;
	bool reloading, reload_again;
	struct pending *pending; /* disks that are waited for */
	unsigned npending;
	struct autosave *autosave; /* NULL: it has not begun to serve */
};

/* ---- wire.c: parts up, parts down ------------------------------------------------------------ */

enum daemon_mode {
	DAEMON_SERVE,
	DAEMON_CHECK, /* nothing real is touched: files and sockets of the simulator */
};
/* Loops, backstores, engine, fabric, tree. 0 or -errno with *err; then daemon_down() too. */
int daemon_up(struct daemon *d, enum daemon_mode mode, struct errmsg *err);
/*
 * Nothing is begun any more, and what workers are at is waited for, a while: false if it does not
 * end. Before daemon_down(), which does it too.
 */
bool daemon_settle(struct daemon *d);
/* Sessions are told and ended, then all is taken down, in reverse. Nothing is saved. */
void daemon_down(struct daemon *d);

/*
 * Find the place for what outlives a restart, --dbroot or the best there is; without one that is
 * logged, and nothing of it is offered (dbroot.c). -errno with *err: --dbroot cannot be used.
 */
int daemon_find_dbroot(struct daemon *d, struct errmsg *err);

/* The type of the tree's root; its object: struct daemon. */
extern const struct node_type daemon_root_type;

/* ---- the rest, a file each ------------------------------------------------------------------- */

/* Read secrets again that are kept in files; what is wrong is logged. arg: the daemon. */
void daemon_refresh_secrets(void *arg);

/* --check: 0, or the exit status. Prints what is wrong (check.c). */
int daemon_check(struct daemon *d);

/*
 * Carry a configuration out as --check does, beside a running daemon (arg); problems tell what
 * would be left out. 0 or -errno with *err.
 */
int daemon_rehearse(void *arg, const json_t *config, const json_t *extras, struct problems *p,
	struct errmsg *err);

/* --dump-schema: 0, or the exit status (check.c). */
int daemon_print_schema(struct daemon *d);

/* --disk, --listen, --allow, --chap as operations on the tree (quick.c). */
int daemon_quick(struct daemon *d, struct errmsg *err);
/* Name of the --disk target. */
const char *daemon_target_name(const struct options *o, char *buf, size_t cap);

/* --demo: makes its options; says how to use it once it runs (demo.c). */
int daemon_demo_options(struct daemon *d, struct options *o, struct errmsg *err);
void daemon_demo_print(struct daemon *d);

/* --run (captive.c). */
int daemon_captive_options(struct daemon *d, struct options *o, struct errmsg *err);
int daemon_captive_start(struct daemon *d, struct errmsg *err);
void daemon_captive_end(struct daemon *d);
void daemon_captive_clean(struct daemon *d); /* after daemon_down(): its temporary directory */

/* --mount (mount.c). */
int daemon_mount(struct daemon *d, struct errmsg *err);
/*
 * No file system shows the tree any more; false: something under way there has not ended in time.
 * The control thread, which has the turn.
 */
bool daemon_unmount(struct daemon *d, uint64_t timeout_ns);
/* After a change: it is seen in all mounts. arg: the daemon. Turn held; given up meanwhile. */
void daemon_tell_mounts(void *arg);

/* Disks that were not there at start: opened when they come (pending.c). 0 or -ENOMEM. */
int daemon_pending_init(struct daemon *d, struct saveapply_hooks *hooks);
void daemon_pending_done(struct daemon *d);

/*
 * Saving by itself (autosave.c): from when all is loaded, so that nothing half-started is ever
 * saved. whole: all is still there, changes of the last second are saved yet. 0 or -errno.
 */
int daemon_autosave_start(struct daemon *d, struct errmsg *err);
void daemon_autosave_stop(struct daemon *d, bool whole);

/* Methods of the socket that the tree has no place for (method_*.c). */
int daemon_add_methods(struct daemon *d);

/* --dump-attributes: all rows as Markdown (attributes.c). */
void daemon_print_attributes(struct strbuf *out);

/* systemd (notify.c). */
void notify_ready(const struct daemon *d);
void notify_stopping(void);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Limits and privileges (privs.c). 0 or -errno with *err. */
int privs_prepare(struct errmsg *err);
/*
 * Become user, who also gets the state directory, what is kept below dbroot (NULL: nothing) and the
 * control socket ("": there is none).
 */
int privs_drop(const char *user, const char *state, const char *dbroot, const char *control,
	struct errmsg *err);

#endif
