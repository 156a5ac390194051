/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privs.c: limits and privileges: many descriptors, no core dump with secrets in it, no root where
 * none is needed.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/daemon.h"

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

int privs_drop(const char *user, const char *state, const char *control, struct errmsg *err)
{
	struct passwd *pw;

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
	if (state && chown(state, pw->pw_uid, pw->pw_gid))
		return errmsg_set(err, -errno, "%s: cannot be given to %s: %s", state, user,
			err_text(-errno));
	if (*control && chown(control, pw->pw_uid, pw->pw_gid))
		return errmsg_set(err, -errno, "%s: cannot be given to %s: %s", control, user,
			err_text(-errno));
	/* glibc does this for all threads. */
	if (initgroups(user, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
		return errmsg_set(err, -errno, "--user %s: %s", user, err_text(-errno));
	return hide(err);
}
