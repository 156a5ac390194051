/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_mount.h: a place in the file system where the tree is to be seen by all. A process of its
 * own watches over it and unmounts when the daemon ends, in whatever way, so that no dead mount is
 * left behind.
 */
#ifndef ULIO_CONTROL_FUSE_MOUNT_H
#define ULIO_CONTROL_FUSE_MOUNT_H

#include "base/err.h"

struct fuse_place;

/*
 * Mount at dir, an existing directory, so that dir/target is the tree; whoever was there and died
 * is replaced. Needs CAP_SYS_ADMIN. *ret_fd: the descriptor of /dev/fuse, for fuse_face_serve();
 * nobody can look into dir before it is served. Control thread. 0 or -errno with *err; -EEXIST:
 * there is a target already, LIO's or another daemon's.
 */
int fuse_place_new(const char *dir, struct fuse_place **ret, int *ret_fd, struct errmsg *err);
/* Unmount, which needs no rights any more; returns when that is done. Returns NULL. */
struct fuse_place *fuse_place_free(struct fuse_place *p);

#endif
