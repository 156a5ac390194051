/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privs.c: limits and privileges: many descriptors, no core dump with secrets in it, no root where
 * none is needed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/daemon.h"

enum { KEPT_DEPTH = 4 }; /* directories on each other in what is kept */

/* Secrets and data do not belong into core dumps, nor before debuggers of others. */
static int hide(struct errmsg *err)
{
#ifndef __SANITIZE_ADDRESS__ /* the leak check at the end is a debugger */
	if (prctl(PR_SET_DUMPABLE, 0))
		return errmsg_set(err, -errno, "prctl: %s", err_text(-errno));
#endif
	return 0;
}

int privs_prepare(struct errmsg *err)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files))
			log_msg(LOG_LEVEL_WARN, "daemon", "the limit of open files stays low: %s",
				err_text(-errno));
	}
	return hide(err);
}

static int give(const char *path, const struct passwd *pw, struct errmsg *err)
{
	if (!chown(path, pw->pw_uid, pw->pw_gid))
		return 0;
	return errmsg_set(
		err, -errno, "%s: cannot be given to %s: %s", path, pw->pw_name, err_text(-errno));
}

/*
 * Give away the directory fd, which is closed, and the files and directories in it. The user may
 * have had it before and have left anything there: links are not followed, nor is a file taken that
 * has another name somewhere else. False: errno says why.
 */
static bool give_below(int fd, const struct passwd *pw, unsigned depth)
{
	DIR *dir = fchown(fd, pw->pw_uid, pw->pw_gid) ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;
	bool good = dir;

	if (!dir)
		close(fd);
	while (good && (e = readdir(dir))) {
		int sub;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		sub = openat(dirfd(dir), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (sub < 0 || fstat(sub, &st))
			st.st_mode = 0;
		if (S_ISDIR(st.st_mode) && depth) {
			good = give_below(sub, pw, depth - 1);
			continue;
		}
		if (S_ISREG(st.st_mode) && st.st_nlink == 1)
			good = !fchown(sub, pw->pw_uid, pw->pw_gid);
		if (sub >= 0)
			close(sub);
	}
	if (dir)
		closedir(dir);
	return good;
}

/* The daemon's part of dbroot. */
static int give_kept(const char *dbroot, const struct passwd *pw, struct errmsg *err)
{
	static const char *const parts[] = { "pr", "alua" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", dbroot, parts[i]);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || !give_below(fd, pw, KEPT_DEPTH))
			return errmsg_set(err, -errno, "%s: cannot be given to %s: %s", path,
				pw->pw_name, err_text(-errno));
	}
	return 0;
}

int privs_drop(const char *user, const char *state, const char *dbroot, const char *control,
	struct errmsg *err)
{
	struct passwd *pw;
	int r = 0;

	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return errmsg_set(
			err, errno ? -errno : -ENOENT, "--user %s: there is no such user", user);
	if (geteuid() == pw->pw_uid)
		return 0;
	if (geteuid() != 0)
		return errmsg_set(
			err, -EPERM, "--user %s: only root can become another user", user);
	if (state)
		r = give(state, pw, err);
	if (!r && dbroot)
		r = give_kept(dbroot, pw, err);
	if (!r && *control)
		r = give(control, pw, err);
	if (r)
		return r;
	/* glibc does this for all threads. */
	if (initgroups(user, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
		return errmsg_set(err, -errno, "--user %s: %s", user, err_text(-errno));
	return hide(err);
}
