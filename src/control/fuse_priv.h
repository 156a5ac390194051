/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_priv.h: what the files of the FUSE face share: mounts, node ids, the frame of an operation.
 *
 * The face keeps no inodes. A node id of the kernel says itself what it means: the number of a
 * directory (node_id(), which is never used twice) and, below it, the row of an attribute or the
 * number of a link. So nothing has to be counted or forgotten, and whatever has gone is not found.
 */
#ifndef ULIO_CONTROL_FUSE_PRIV_H
#define ULIO_CONTROL_FUSE_PRIV_H

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/list.h"
#include "base/log.h"
#include "control/fuse.h"
#include "tree/node.h"

enum {
	FUSE_SLOT_BITS = 20, /* of a node id, below the directory's number */
	FUSE_SLOT_LINK = 1 << 19, /* from here on links, before attributes; 0: the directory */
	FUSE_SLOT_MASK = (1 << FUSE_SLOT_BITS) - 1,
};

#define FUSE_CACHE_S 3600.0 /* how long the kernel may keep entries: it is told of changes */

/* A change that a mount has to be told of. */
struct fuse_note {
	struct list link;
	fuse_ino_t dir;
	char name[]; /* the entry that has gone, "": the directory's own figures have changed */
};

/* Under fuse_face.lock but for thread. */
struct fuse_worker {
	struct list link; /* in fuse_mnt.workers */
	struct fuse_mnt *m;
	pthread_t thread;
	bool done;
};

/* What an open file or directory has: it is released by the kernel, or goes with the mount. */
struct fuse_handle {
	struct list link; /* in fuse_mnt.handles */
	struct fuse_mnt *m;
	void (*free)(struct fuse_handle *h);
};

struct fuse_mnt {
	struct fuse_face *f;
	struct list link; /* in fuse_face.mounts */
	struct fuse_session *se;
	int fd; /* -1: the session has it */
	char *dir; /* where it is mounted */
	bool own; /* this process could use it, and must not */
	uint64_t id; /* never used again */
	atomic_bool ending; /* nothing more is told */
	atomic_bool unserved; /* then: nothing more is answered */
	atomic_uint nidle; /* workers that wait for a request */
	/* All below under fuse_face.lock. */
	pthread_cond_t changed; /* notes, ending, a worker has ended */
	struct list handles; /* struct fuse_handle */
	struct list workers;
	unsigned nworkers;
	struct list notes;
	unsigned nnotes;
	uint64_t queued, told; /* notes, counted */
	bool overflowed;
};

/* Note a handle that was opened; take it out again, before it is freed. */
void fuse_handle_add(fuse_req_t req, struct fuse_handle *h, void (*free)(struct fuse_handle *h));
void fuse_handle_del(struct fuse_handle *h);

/* A thread that changes the tree for a mount now: that mount's kernel knows of the change. */
struct fuse_acting {
	struct list link; /* in fuse_face.acting */
	pthread_t thread;
	struct fuse_mnt *m;
};

struct fuse_face {
	struct tree *tree;
	struct timespec started; /* shown as the time of every file */
	struct list acting; /* under the tree's turn */
	struct log_limit refused;
	pthread_mutex_t
		lock; /* of what follows; taken inside of the turn, not the other way round */
	pthread_cond_t told; /* a mount of a change, or it has gone */
	struct list mounts;
	unsigned nmounts;
	unsigned nsettling; /* threads that wait for told */
	uint64_t next_id;
};

/* What a node id or an entry is. Valid while the turn is held. */
struct fuse_entry {
	enum { FUSE_TOP, FUSE_DIR, FUSE_ATTR, FUSE_LINK } kind;
	struct node *dir; /* itself, or where the attribute or link is; FUSE_TOP: NULL */
	const struct attr *attr;
	struct node_link to;
};

/* One request: from fuse_op_begin(), which takes the turn, to fuse_op_end(). */
struct fuse_op {
	fuse_req_t req;
	struct fuse_mnt *m;
	struct fuse_face *f;
	struct fuse_acting acting;
	bool refused; /* this process asks: it does not get the turn, fuse_find() says -EDEADLK */
	struct errmsg err;
};

void fuse_op_begin(struct fuse_op *op, fuse_req_t req);
void fuse_op_end(struct fuse_op *op);
/* Log what was refused, in the words of op->err. Any time after the operation. */
void fuse_op_log(struct fuse_op *op, const char *verb, const char *name, int r);

/* ---- fuse_entry.c: turn held ----------------------------------------------------------------- */

/* What ino means. 0 or -ENOENT: it has gone. */
int fuse_find(struct fuse_op *op, fuse_ino_t ino, struct fuse_entry *ret);
/* The entry of a directory. 0, -ENOENT or -ENOTDIR. */
int fuse_child(
	struct fuse_op *op, const struct fuse_entry *dir, const char *name, struct fuse_entry *ret);
fuse_ino_t fuse_ino_of(const struct fuse_entry *e);
void fuse_stat(const struct fuse_face *f, const struct fuse_entry *e, struct stat *ret);
/* Whether LIO has it; what is ours alone is not shown. */
bool fuse_attr_shown(const struct attr *a);
bool fuse_node_shown(const struct node *node);

/* ---- fuse_path.c ----------------------------------------------------------------------------- */

/*
 * The path in the tree that a link's text means, "/core/…", into ret of PATH_MAX. text is absolute
 * or relative to base, a path of the caller's. dir is where the mount is. False: it leads out.
 */
bool fuse_path_in_tree(const char *dir, const char *base, const char *text, char *ret);
/* What the path of a process is that is not in the tree: -EPERM if it exists, else its errno. */
int fuse_path_outside(pid_t pid, const char *base, const char *text);
/* Where process pid is, into ret of PATH_MAX. False: not known. */
bool fuse_path_cwd(pid_t pid, char *ret);
/* Append what readlink(2) says: from a link in dir to target, both in the tree. */
void fuse_path_relative(const struct node *dir, const struct node *target, struct strbuf *out);

/* ---- the operations -------------------------------------------------------------------------- */

/* fuse_file.c: attributes */
void fuse_do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_do_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fuse_do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi);
void fuse_do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* fuse_dir.c: listing */
void fuse_do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_do_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fuse_do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* fuse_ops.c: all of them */
extern const struct fuse_lowlevel_ops fuse_ops;

/* ---- fuse.c ---------------------------------------------------------------------------------- */

void fuse_cond_init(pthread_cond_t *c);
/* False: until_ns of clock_now_ns() has passed. */
bool fuse_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t until_ns);

/* ---- fuse_note.c ----------------------------------------------------------------------------- */

/* The tree's listener; arg: the face. Turn held. */
void fuse_note_change(void *arg, enum tree_event ev, struct node *dir, const char *name);
/* Tell the kernel what is queued until the mount ends. A thread of the mount for this alone. */
void fuse_note_run(struct fuse_mnt *m);
/* Free what is left when the mount is in no list any more. */
void fuse_note_drop(struct fuse_mnt *m);

#endif
