/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mount.c: the tree as a file system: --mount for all, and the method by which "ulio exec" has its
 * own mount served.
 */
#include <errno.h>
#include <ulio/control.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/fuse_mount.h"
#include "daemon/methods.h"

#define TELL_NS NS_PER_S /* at most, until the mounts have heard of a change */

int daemon_mount(struct daemon *d, struct errmsg *err)
{
	int fd = -1, r;

	if (!d->o->mount)
		return 0;
	r = fuse_place_new(d->o->mount, &d->place, &fd, err);
	if (!r)
		r = fuse_face_serve(d->fuse, fd, d->o->mount, true, err);
	if (!r)
		log_msg(LOG_LEVEL_INFO, "daemon", "the tree is to be seen in %s/target",
			d->o->mount);
	return r;
}

bool daemon_unmount(struct daemon *d, uint64_t timeout_ns)
{
	bool ended;

	/* What is under way there needs the turn to end. */
	if (d->fuse) {
		tree_leave(d->tree);
		ended = fuse_face_stop(d->fuse, timeout_ns);
		if (ended)
			d->fuse = fuse_face_free(d->fuse);
		tree_enter(d->tree);
		if (!ended)
			return false;
	}
	d->place = fuse_place_free(d->place);
	return true;
}

void daemon_tell_mounts(void *arg)
{
	struct daemon *d = arg;

	if (!d->fuse || fuse_face_is_settled(d->fuse))
		return;
	/* A mount may be busy with an operation that waits for the turn. */
	tree_leave(d->tree);
	fuse_face_settle(d->fuse, TELL_NS);
	tree_enter(d->tree);
}

static int method_serve(void *arg, struct control_call *call)
{
	const char *dir = call_string(call, "directory");
	struct daemon *d = arg;
	int fd = call->peer->fd ? *call->peer->fd : -1;

	if (fd < 0)
		return call_fail(call, -EBADF,
			"no descriptor of /dev/fuse came with the request: \"ulio exec\" mounts "
			"and "
			"sends one");
	*call->peer->fd = -1;
	return fuse_face_serve(d->fuse, fd, dir ? dir : ULIO_MOUNT_DEFAULT, false, &call->err);
}

const struct control_method mount_methods[] = {
	{ .name = "mount.serve",
		.doc = "Serve a mount of the tree, whose descriptor of /dev/fuse comes with the "
		       "request (SCM_RIGHTS), until it is unmounted.",
		.fn = method_serve,
		.changes = true,
		.claims = true,
		.params = { { "directory", PARAM_STRING, false,
			"where it is mounted, as links name it; default " ULIO_MOUNT_DEFAULT } } },
	{ .name = NULL },
};
