/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse.h: the tree as a file system, as LIO's configfs shows it: for programs that make
 * directories, write attributes and set links (rtslib, targetcli, cluster agents). A mount has
 * "target" in its root, and the tree in that.
 *
 * Kernel requests are served by threads of the face's own, each of which takes the tree's turn for
 * the operation. The kernel keeps what it has looked up; changes that come by another way are told
 * to every mount by a thread that serves no requests and never holds the turn, since the kernel
 * locks a directory both while it waits for us and while it is told of a change.
 */
#ifndef ULIO_CONTROL_FUSE_H
#define ULIO_CONTROL_FUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct fuse_face;
struct tree;

/* tree is borrowed. Control thread, before others use the tree. 0 or -errno with *err. */
int fuse_face_new(struct tree *tree, struct fuse_face **ret, struct errmsg *err);
/*
 * End all mounts: what is under way is finished, whatever comes later fails with ENOTCONN. False:
 * after timeout_ns something still is; then the face and all it uses must stay. Not while the turn
 * is held.
 */
bool fuse_face_stop(struct fuse_face *f, uint64_t timeout_ns);
/* After fuse_face_stop() was true, and not while the turn is held. Returns NULL. */
struct fuse_face *fuse_face_free(struct fuse_face *f);

/*
 * Serve the mount whose descriptor of /dev/fuse is fd, until it is unmounted or the face ends.
 *	dir	where it is mounted, as programs name it in links; copied
 *	own	this process has mounted it in its own namespaces, and must not use it itself:
 *		what its threads ask for there fails with EDEADLK, since they may have the turn
 * fd passes to the face, also on failure. Any thread. 0 or -errno with *err: -EINVAL: fd is no
 * descriptor of /dev/fuse; -EMFILE: FUSE_MOUNTS_MAX.
 */
int fuse_face_serve(struct fuse_face *f, int fd, const char *dir, bool own, struct errmsg *err);

/*
 * Wait until all mounts have been told of the changes so far, at most timeout_ns: a mount may be
 * busy in the same directory. Any thread that does not hold the turn.
 */
void fuse_face_settle(struct fuse_face *f, uint64_t timeout_ns);
/* Whether all have been told by now. Any thread. */
bool fuse_face_is_settled(struct fuse_face *f);

#endif
