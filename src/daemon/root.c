/* SPDX-License-Identifier: BSD-3-Clause */
/* root.c: the root of the tree, what LIO has as /sys/kernel/config/target. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "daemon/daemon.h"
#include "fabric/iscsi/rows.h"

static int get_version(const struct attr *a, void *obj, struct strbuf *out)
{
	struct utsname u = { 0 };

	uname(&u);
	strbuf_printf(out, "Target Engine Core ConfigFS Infrastructure v5.0 on %s/%s on %s",
		u.sysname, u.machine, u.release);
	return 0;
}

static int get_dbroot(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct daemon *d = obj;

	strbuf_puts(out, engine_dbroot(d->eng) ?: "");
	return 0;
}

static int set_dbroot(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct daemon *d = obj;
	struct stat st;

	if (engine_next_lu(d->eng, NULL))
		return errmsg_set(
			err, -EINVAL, "dbroot: cannot change while there are storage objects");
	if (!*value)
		return errmsg_set(err, -EINVAL, "dbroot: the path of a directory is meant");
	if (stat(value, &st))
		return errmsg_set(err, -errno, "dbroot: %s: %s", value, err_text(-errno));
	if (!S_ISDIR(st.st_mode))
		return errmsg_set(err, -ENOTDIR, "dbroot: %s is no directory", value);
	return engine_set_dbroot(d->eng, value, err);
}

static const struct attr root_attrs[] = {
	{ .name = "version", .get = get_version, .doc = "What LIO calls itself." },
	{ .name = "dbroot",
		.get = get_dbroot,
		.set = set_dbroot,
		.flags = ATTR_UNSAVED | ATTR_EMPTY_LINE,
		.doc = "Directory for what outlives a restart, as LIO lays it out; empty: nothing "
		       "does." },
	ATTR_END,
};

static void *core_obj(void *root)
{
	return ((struct daemon *)root)->core;
}

static void *isns_obj(void *root)
{
	return ((struct daemon *)root)->iscsi;
}

static const struct node_default root_defaults[] = {
	{ "core", &storage_core_type, core_obj },
	{ "isns", &isns_type, isns_obj },
	{ NULL },
};

static int root_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct daemon *d = node_obj(dir);

	if (!strcmp(name, "loopback") || !strcmp(name, "vhost"))
		return errmsg_set(err, -EINVAL,
			"%s: LIO's kernel module is what makes SCSI hosts of it: here it is iscsi, "
			"which initiators on this host use as well",
			name);
	if (strcmp(name, "iscsi") != 0)
		return errmsg_set(
			err, -EINVAL, "%s: there is no such fabric: iscsi is meant", name);
	*ret = (struct node_new){ &entity_type, d->iscsi };
	return 0;
}

const struct node_type daemon_root_type = {
	.name = "target",
	.doc = "The whole configuration.",
	.attrs = root_attrs,
	.defaults = root_defaults,
	.mkdir = root_mkdir,
};
