/* SPDX-License-Identifier: BSD-3-Clause */
/* demo.c: --demo: two disks without any configuration, and what to do with them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/url.h"

int daemon_demo_options(struct daemon *d, struct options *o, struct errmsg *err)
{
	static char file[320];

	if (strpbrk(d->state, ",|"))
		return errmsg_set(err, -EINVAL,
			"--demo: --state %s: a path without ',' and '|' is meant", d->state);
	snprintf(file, sizeof(file), "file:%.250s/demo.img,size=10G", d->state);
	o->disks.v[o->disks.n++] = file;
	o->disks.v[o->disks.n++] = "ram:256M";
	if (!o->allow.n && !o->chap.n) {
		for (unsigned i = 0; i < o->listen.n; i++) {
			if (strncmp(o->listen.v[i], "127.", 4) &&
				strncmp(o->listen.v[i], "[::1]", 5))
				return errmsg_set(err, -EACCES,
					"--demo --listen %s: others could reach the disks: say "
					"--allow any "
					"if that is meant, or --chap USER:FILE",
					o->listen.v[i]);
		}
		o->allow.v[o->allow.n++] = "any";
	}
	return 0;
}

/* The command: where it was built beside this daemon, else the one in $PATH. */
static void find_ulio(char *buf, size_t cap)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	snprintf(buf, cap, "%s/cli/ulio", exe);
	if (access(buf, X_OK))
		snprintf(buf, cap, "ulio");
}

void daemon_demo_print(struct daemon *d)
{
	const struct options *o = d->o;
	struct strbuf url0, url1, portal;
	char buf[256], ulio[PATH_MAX + 16];
	const char *option = o->control ? " --control " : "",
		   *path = o->control ? d->control_path : "";
	const char *target = daemon_target_name(o, buf, sizeof(buf));

	find_ulio(ulio, sizeof(ulio));
	strbuf_init(&url0);
	strbuf_init(&url1);
	strbuf_init(&portal);
	url_of_lun(o, NULL, 0, &url0);
	url_of_lun(o, NULL, 1, &url1);
	url_portal(o, &portal);
	printf("\nulio serves two disks until Ctrl-C:\n\n"
	       "  target  %s\n"
	       "  LUN 0   %s   (10 GiB, thin, %s/demo.img)\n"
	       "  LUN 1   %s   (256 MiB of memory)\n\n"
	       "Linux (open-iscsi, as root):\n"
	       "  iscsiadm -m discovery -t sendtargets -p %s\n"
	       "  iscsiadm -m node -T %s -p %s --login\n"
	       "  iscsiadm -m node -T %s -p %s --logout\n\n"
	       "QEMU:\n"
	       "  qemu-img info %s\n"
	       "  qemu-system-x86_64 -drive file=%s,format=raw,if=virtio\n\n"
	       "libiscsi:\n"
	       "  iscsi-ls -s iscsi://%s\n"
	       "  iscsi-inq %s\n\n"
	       "From another terminal, what is served and who is connected:\n"
	       "  %s%s%s status\n  %s%s%s sessions\n\n",
		target, url0.s, d->state, url1.s, portal.s, target, portal.s, target, portal.s,
		url0.s, url0.s, portal.s, url0.s, ulio, option, path, ulio, option, path);
	fflush(stdout);
	strbuf_done(&url0);
	strbuf_done(&url1);
	strbuf_done(&portal);
}
