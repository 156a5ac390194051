/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * toy_tree.h: a small tree for the tests of this layer: /disks/NAME with attributes size, name,
 * password (secret), info (read-only), control (write-only), and /luns/lun_N that link to a disk.
 */
#ifndef ULIO_CONTROL_TOY_TREE_H
#define ULIO_CONTROL_TOY_TREE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree/node.h"

struct toy_disk {
	uint32_t size;
	char name[16], password[16], control[64];
};

static const struct attr toy_disk_attrs[] = {
	{ .name = "size",
		.get = attr_get_u32,
		.set = attr_set_u32,
		.doc = "Size in MiB.",
		.offset = offsetof(struct toy_disk, size),
		.max = 1000 },
	{ .name = "name",
		.get = attr_get_str,
		.set = attr_set_str,
		.flags = ATTR_EMPTY_LINE,
		.doc = "Any text.",
		.offset = offsetof(struct toy_disk, name),
		.max = 16 },
	{ .name = "password",
		.get = attr_get_str,
		.set = attr_set_str,
		.flags = ATTR_SECRET | ATTR_NO_NEWLINE,
		.doc = "A secret.",
		.offset = offsetof(struct toy_disk, password),
		.max = 16 },
	{ .name = "info",
		.get = attr_get_u32,
		.flags = ATTR_OURS,
		.doc = "Read only.",
		.offset = offsetof(struct toy_disk, size) },
	{ .name = "control",
		.set = attr_set_str,
		.doc = "Write only.",
		.offset = offsetof(struct toy_disk, control),
		.max = 64 },
	ATTR_END,
};

static int toy_disk_rmdir(struct node *n, struct errmsg *err)
{
	free(node_obj(n));
	return 0;
}

static const struct node_type toy_disk_type = {
	.name = "disk",
	.doc = "A disk.",
	.attrs = toy_disk_attrs,
	.rmdir = toy_disk_rmdir,
};

static int toy_disks_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	*ret = (struct node_new){ &toy_disk_type, calloc(1, sizeof(struct toy_disk)) };
	return ret->obj ? 0 : -ENOMEM;
}

static int toy_lun_rmdir(struct node *n, struct errmsg *err)
{
	return 0;
}

static int toy_lun_link(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	if (node_type(target) != &toy_disk_type)
		return errmsg_set(err, -EFAULT, "%s: %s is no disk", name, node_name(target));
	return 0;
}

static const struct node_type toy_lun_type = {
	.name = "LUN",
	.rmdir = toy_lun_rmdir,
	.link = toy_lun_link,
};

static int toy_luns_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	if (strncmp(name, "lun_", 4) != 0)
		return errmsg_set(err, -EINVAL, "%s: lun_N is meant", name);
	*ret = (struct node_new){ &toy_lun_type, NULL };
	return 0;
}

static const struct node_type toy_disks_type = { .name = "disks", .mkdir = toy_disks_mkdir };
static const struct node_type toy_luns_type = { .name = "LUNs", .mkdir = toy_luns_mkdir };
static const struct node_default toy_root_defaults[] = {
	{ "disks", &toy_disks_type, NULL },
	{ "luns", &toy_luns_type, NULL },
	{ NULL },
};
static const struct node_type toy_root_type = { .name = "root", .defaults = toy_root_defaults };

#endif
