/* SPDX-License-Identifier: BSD-3-Clause */
/* fuse_mount.c: mounting, and the process that unmounts. */
#include "control/fuse_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/log.h"

enum {
	STALE_MAX = 16, /* dead mounts on each other */
	STALE_WAIT_MS = 500, /* for the watcher of a daemon that has just died */
	STALE_STEP_MS = 10,
};

struct fuse_place {
	pid_t watcher;
	int pipe; /* closed, by us or by our death: the watcher unmounts */
};

/* A mount whose server has died says so to everybody. */
static bool is_dead(const char *dir)
{
	struct statfs st;

	return statfs(dir, &st) && errno == ENOTCONN;
}

/* The number of the mount that is at dir, 0: not known. The server of that mount is not asked. */
static uint64_t mount_id(const char *dir)
{
	struct statx st;

	if (statx(AT_FDCWD, dir, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) ||
		!(st.stx_mask & STATX_MNT_ID))
		return 0;
	return st.stx_mnt_id;
}

/*
 * The watcher: a fork of a process with threads, so that nothing but system calls may be made.
 * Signals that mean the daemon do not end it.
 */
static void __attribute__((noreturn)) watch(const char *dir, uint64_t id, int pipe)
{
	sigset_t all;
	char c;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "uliod-unmount");
	if (chdir("/") || dup2(pipe, 0) < 0)
		_exit(1);
	syscall(SYS_close_range, 1U, ~0U, 0U);
	while (read(0, &c, 1) < 0 && errno == EINTR)
		;
	/*
	 * What a new daemon has mounted meanwhile stays. MNT_FORCE: whoever still waits for an
	 * answer gets an error, and what they have locked is free again.
	 */
	if (mount_id(dir) == id && umount2(dir, MNT_FORCE) && mount_id(dir) == id)
		umount2(dir, MNT_DETACH);
	_exit(0);
}

static int start_watcher(const char *dir, struct fuse_place *p, struct errmsg *err)
{
	uint64_t id = mount_id(dir);
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return errmsg_set(err, -errno, "--mount %s: %s", dir, err_text(-errno));
	p->watcher = fork();
	if (!p->watcher)
		watch(dir, id, fds[0]);
	close(fds[0]);
	if (p->watcher < 0) {
		close(fds[1]);
		return errmsg_set(err, -errno, "--mount %s: %s", dir, err_text(-errno));
	}
	p->pipe = fds[1];
	return 0;
}

/* Away with what a daemon has left that died together with its watcher. */
static int clear_stale(const char *dir, struct errmsg *err)
{
	const struct timespec step = { .tv_nsec = STALE_STEP_MS * 1000000L };

	for (int i = 0; i < STALE_WAIT_MS / STALE_STEP_MS && is_dead(dir); i++)
		nanosleep(&step, NULL);
	for (int i = 0; i < STALE_MAX && is_dead(dir); i++) {
		log_msg(LOG_LEVEL_WARN, "fuse", "%s: a daemon has died here, its mount is replaced",
			dir);
		if (umount2(dir, MNT_DETACH))
			return errmsg_set(err, -errno,
				"--mount %s: what a dead daemon has left there cannot be "
				"unmounted: %s",
				dir, err_text(-errno));
	}
	return 0;
}

static int check_dir(const char *dir, struct errmsg *err)
{
	char target[4096];
	struct stat st;

	if (stat(dir, &st)) {
		int r = -errno;

		if (r == -ENOENT && !strcmp(dir, ULIO_MOUNT_DEFAULT))
			return errmsg_set(err, r,
				"--mount %s: is not there, and cannot be made while the kernel has "
				"no configfs: \"modprobe configfs\", --mount=DIR for another "
				"place, or \"ulio exec\", which makes it for one command",
				dir);
		return errmsg_set(err, r, "--mount %s: %s", dir, err_text(r));
	}
	if (!S_ISDIR(st.st_mode))
		return errmsg_set(err, -ENOTDIR, "--mount %s: is no directory", dir);
	snprintf(target, sizeof(target), "%s/target", dir);
	if (!lstat(target, &st))
		return errmsg_set(err, -EEXIST,
			"--mount %s: %s is there already: the kernel's LIO, or another uliod; "
			"\"ulio exec\" shows this one's to one command",
			dir, target);
	return 0;
}

static int do_mount(const char *dir, int *ret_fd, struct errmsg *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), r = 0;
	char options[160];

	if (fd < 0)
		return errmsg_set(err, -errno,
			"--mount %s: /dev/fuse: %s: is the module fuse loaded?", dir,
			err_text(-errno));
	snprintf(options, sizeof(options), ULIO_MOUNT_OPTIONS, fd);
	if (mount(ULIO_MOUNT_SOURCE, dir, ULIO_MOUNT_TYPE, MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    options))
		r = errmsg_set(err, -errno, "--mount %s: %s", dir,
			errno == EPERM ? "only root can mount for all; \"ulio exec\" needs no root"
				       : err_text(-errno));
	if (r)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

int fuse_place_new(const char *dir, struct fuse_place **ret, int *ret_fd, struct errmsg *err)
{
	struct fuse_place *p;
	char *real;
	int r = clear_stale(dir, err);

	if (!r)
		r = check_dir(dir, err);
	if (r)
		return r;
	p = calloc(1, sizeof(*p));
	real = realpath(dir, NULL); /* the watcher looks at it from "/" */
	if (!p || !real)
		r = errmsg_set(err, -ENOMEM, "--mount %s: out of memory", dir);
	if (!r)
		r = do_mount(real, ret_fd, err);
	if (!r && (r = start_watcher(real, p, err))) {
		umount2(real, MNT_DETACH);
		close(*ret_fd);
	}
	free(real);
	if (!r)
		*ret = p;
	else
		free(p);
	return r;
}

struct fuse_place *fuse_place_free(struct fuse_place *p)
{
	if (!p)
		return NULL;
	close(p->pipe);
	while (waitpid(p->watcher, NULL, 0) < 0 && errno == EINTR)
		;
	free(p);
	return NULL;
}
