/* SPDX-License-Identifier: BSD-3-Clause */
/* exec_space.c: the namespace of "ulio exec". */
#include "cli/exec_space.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/fsutil.h"
#include "base/strbuf.h"

#define BUS_ENV "DBUS_SYSTEM_BUS_ADDRESS"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- namespaces ------------------------------------------------------------------------------ */

/* Others than root are root in a user namespace of their own. */
static int enter_user(struct errmsg *err)
{
	char uids[32], gids[32];
	int r;

	snprintf(uids, sizeof(uids), "0 %u 1", (unsigned)geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)getegid());
	r = unshare(CLONE_NEWUSER) ? -errno : 0;
	if (!r)
		r = write_file("/proc/self/setgroups", "deny");
	if (!r)
		r = write_file("/proc/self/uid_map", uids);
	if (!r)
		r = write_file("/proc/self/gid_map", gids);
	if (r)
		return errmsg_set(err, r,
			"a user namespace cannot be made: %s: run it as root, or permit user "
			"namespaces (sysctl user.max_user_namespaces, "
			"kernel.unprivileged_userns_clone)",
			err_text(r));
	return 0;
}

static int enter_mounts(struct errmsg *err)
{
	if (unshare(CLONE_NEWNS))
		return errmsg_set(
			err, -errno, "a mount namespace cannot be made: %s", err_text(-errno));
	/* What others mount later is seen here, what is mounted here is not seen by others. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return errmsg_set(err, -errno, "the mount namespace: %s", err_text(-errno));
	return 0;
}

/* ---- /sys/kernel/config ---------------------------------------------------------------------- */

static bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Let dir/name be what from/name is. What cannot be had is left out: nobody needs it here. */
static void bind_entry(const char *from, const char *dir, const char *name)
{
	char at[4096], to[4096];
	int fd;

	snprintf(at, sizeof(at), "%s/%s", from, name);
	snprintf(to, sizeof(to), "%s/%s", dir, name);
	if (is_dir(at)) {
		if (!mkdir(to, 0755))
			mount(at, to, NULL, MS_BIND | MS_REC, NULL);
		return;
	}
	fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
	if (fd >= 0)
		close(fd);
	mount(at, to, NULL, MS_BIND, NULL);
}

/*
 * A kernel without configfs has no /sys/kernel/config, and nothing can be made in sysfs: another
 * /sys/kernel is put there that has it, and all else as it was.
 */
static int rebuild_sys_kernel(const struct exec_space *s, struct errmsg *err)
{
	static const char sys[] = "/sys/kernel";
	char dir[128], config[160];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/kernel", s->dir);
	snprintf(config, sizeof(config), "%s/config", dir);
	if (mkdir(dir, 0755) || mount("ulio", dir, "tmpfs", 0, "mode=755"))
		return errmsg_set(err, -errno, "%s: %s", dir, err_text(-errno));
	d = opendir(sys);
	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			bind_entry(sys, dir, e->d_name);
	}
	if (d)
		closedir(d);
	if (mkdir(config, 0755) || mount(dir, sys, NULL, MS_MOVE, NULL)) {
		int r = errmsg_set(err, -errno, "%s: %s", sys, err_text(-errno));

		umount2(dir, MNT_DETACH);
		return r;
	}
	return 0;
}

static int mount_tree(struct exec_space *s, struct errmsg *err)
{
	char options[160];

	/* Opened here: a user namespace may mount only what it has opened itself. */
	s->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (s->fuse < 0)
		return errmsg_set(
			err, -errno, "/dev/fuse: %s: is the module fuse loaded?", err_text(-errno));
	snprintf(options, sizeof(options), ULIO_MOUNT_OPTIONS, s->fuse);
	if (mount(ULIO_MOUNT_SOURCE, ULIO_MOUNT_DEFAULT, ULIO_MOUNT_TYPE,
		    MS_NOSUID | MS_NODEV | MS_NOEXEC, options))
		return errmsg_set(err, -errno, "the tree cannot be mounted at %s: %s",
			ULIO_MOUNT_DEFAULT, err_text(-errno));
	return 0;
}

static int make_dir(struct exec_space *s, struct errmsg *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *places[] = { geteuid() == 0 ? "/run" : runtime, "/tmp" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!places[i] || !*places[i])
			continue;
		snprintf(s->dir, sizeof(s->dir), "%.40s/ulio-exec-XXXXXX", places[i]);
		if (mkdtemp(s->dir))
			return 0;
	}
	s->dir[0] = '\0';
	return errmsg_set(err, -errno, "no temporary directory in /tmp: %s", err_text(-errno));
}

int exec_space_enter(struct exec_space *s, struct errmsg *err)
{
	int r;

	*s = (struct exec_space){ .fuse = -1 };
	r = make_dir(s, err);
	if (!r && geteuid() != 0)
		r = enter_user(err);
	if (!r)
		r = enter_mounts(err);
	if (!r && !is_dir(ULIO_MOUNT_DEFAULT))
		r = rebuild_sys_kernel(s, err);
	return r ? r : mount_tree(s, err);
}

/* ---- what LIO's tools look for --------------------------------------------------------------- */

/* Show path with more lines at its end, if it is there. */
static void add_lines(const struct exec_space *s, const char *path, const char *lines)
{
	char copy[128], *text = NULL;
	struct strbuf all;
	size_t n;

	if (access(path, R_OK) || file_read(path, 1 << 20, &text, &n))
		return;
	strbuf_init(&all);
	strbuf_write(&all, text, n);
	strbuf_puts(&all, lines);
	free(text);
	snprintf(copy, sizeof(copy), "%s/%s", s->dir, strrchr(path, '/') + 1);
	if (!all.failed && !file_write_atomic(copy, all.s, all.len, 0444))
		mount(copy, path, NULL, MS_BIND, NULL);
	strbuf_done(&all);
}

/*
 * The kernel seems to have configfs, and all modules of LIO seem to be loaded: so nobody loads
 * them because of us, for a fabric that uliod does not have.
 */
static void pretend(const struct exec_space *s)
{
	static const char *const modules[] = { "configfs", "target_core_mod", "iscsi_target_mod",
		"tcm_loop", "vhost_scsi", "tcm_qla2xxx", "sbp_target", "ib_srpt", "tcm_fc",
		"usb_f_tcm", "xen_scsiback", "ibmvscsis", "efct", "target_core_user",
		"target_core_pscsi", "target_core_file", "target_core_iblock" };
	struct strbuf lines;
	char *text = NULL;
	size_t n;

	if (!file_read("/proc/filesystems", 1 << 20, &text, &n) && !strstr(text, "\tconfigfs\n"))
		add_lines(s, "/proc/filesystems", "nodev\tconfigfs\n");
	free(text);
	strbuf_init(&lines);
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		strbuf_printf(&lines, "%s 16384 0 - Live 0x0000000000000000\n", modules[i]);
	if (!lines.failed)
		add_lines(s, "/proc/modules", lines.s);
	strbuf_done(&lines);
}

static bool answers(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	good = fd >= 0 && !connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	if (fd >= 0)
		close(fd);
	return good;
}

static const char bus_config[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig>\n"
	"  <type>system</type>\n"
	"  <listen>unix:path=%s/bus</listen>\n"
	"  <auth>EXTERNAL</auth>\n"
	"  <policy context=\"default\">\n"
	"    <allow send_destination=\"*\" eavesdrop=\"false\"/>\n"
	"    <allow receive_sender=\"*\"/>\n"
	"    <allow own=\"*\"/>\n"
	"  </policy>\n"
	"</busconfig>\n";

static void __attribute__((noreturn)) run_bus(const char *config, int ready)
{
	char file[160], fd[32];
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What it says of limits that it cannot raise is of no use to anybody. */
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setsid();
	fcntl(ready, F_SETFD, 0);
	snprintf(file, sizeof(file), "--config-file=%s", config);
	snprintf(fd, sizeof(fd), "--print-address=%d", ready);
	execlp("dbus-daemon", "dbus-daemon", file, "--nofork", "--nopidfile", fd, (char *)NULL);
	_exit(127);
}

/* targetcli does not start without a system bus, though it asks it for nothing that we have. */
static void start_bus(struct exec_space *s)
{
	char path[128], address[160], c;
	struct strbuf text;
	int ready[2];
	bool good = false;

	if (getenv(BUS_ENV) || answers("/run/dbus/system_bus_socket"))
		return;
	snprintf(path, sizeof(path), "%s/bus.conf", s->dir);
	strbuf_init(&text);
	strbuf_printf(&text, bus_config, s->dir);
	if (!text.failed && !file_write_atomic(path, text.s, text.len, 0600) &&
		!pipe2(ready, O_CLOEXEC)) {
		s->bus = fork();
		if (!s->bus)
			run_bus(path, ready[1]);
		close(ready[1]);
		good = s->bus > 0 && read(ready[0], &c, 1) == 1;
		close(ready[0]);
	}
	strbuf_done(&text);
	if (!good) {
		fprintf(stderr, "ulio: no D-Bus system bus answers, and none can be started: "
				"targetcli needs one (package dbus-daemon)\n");
		return;
	}
	snprintf(address, sizeof(address), "unix:path=%s/bus", s->dir);
	setenv(BUS_ENV, address, 1);
}

void exec_space_services(struct exec_space *s)
{
	if (s->fuse >= 0)
		close(s->fuse);
	s->fuse = -1;
	pretend(s);
	start_bus(s);
}

/* ---- the end --------------------------------------------------------------------------------- */

void exec_space_abandon(void)
{
	if (umount2(ULIO_MOUNT_DEFAULT, MNT_FORCE))
		umount2(ULIO_MOUNT_DEFAULT, MNT_DETACH);
}

void exec_space_done(struct exec_space *s)
{
	static const char *const files[] = { "bus", "bus.conf", "filesystems", "modules" };
	char path[128];

	if (s->fuse >= 0)
		close(s->fuse);
	if (s->bus > 0) {
		kill(s->bus, SIGTERM);
		waitpid(s->bus, NULL, 0);
	}
	if (!s->dir[0])
		return;
	umount2("/proc/filesystems", MNT_DETACH);
	umount2("/proc/modules", MNT_DETACH);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/kernel", s->dir);
	rmdir(path);
	rmdir(s->dir);
}
