/* SPDX-License-Identifier: BSD-3-Clause */
/* fuse_entry.c: node ids and what they mean: directories, attributes, links. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/fuse_priv.h"

bool fuse_attr_shown(const struct attr *a)
{
	return !(a->flags & ATTR_OURS);
}

bool fuse_node_shown(const struct node *node)
{
	return !node_type(node)->ours;
}

/* The row at a place of the table, NULL if there is none. */
static const struct attr *row_at(const struct node_type *type, fuse_ino_t i)
{
	const struct attr *a;

	attr_for_each (a, type->attrs) {
		if (!i--)
			return a;
	}
	return NULL;
}

static bool link_of_slot(struct node *dir, fuse_ino_t slot, struct node_link *ret)
{
	for (unsigned i = 0; node_link_at(dir, i, ret); i++) {
		if ((ret->id | FUSE_SLOT_LINK) % (1 << FUSE_SLOT_BITS) == slot)
			return true;
	}
	return false;
}

int fuse_find(struct fuse_op *op, fuse_ino_t ino, struct fuse_entry *ret)
{
	fuse_ino_t slot = ino & FUSE_SLOT_MASK;

	*ret = (struct fuse_entry){ .kind = FUSE_TOP };
	if (op->refused)
		return -EDEADLK;
	if (ino == FUSE_ROOT_ID)
		return 0;
	ret->dir = tree_node_by_id(op->f->tree, ino >> FUSE_SLOT_BITS);
	if (!ret->dir)
		return -ENOENT;
	if (!slot) {
		ret->kind = FUSE_DIR;
	} else if (slot < FUSE_SLOT_LINK) {
		ret->kind = FUSE_ATTR;
		ret->attr = row_at(node_type(ret->dir), slot - 1);
		return ret->attr ? 0 : -ENOENT;
	} else {
		ret->kind = FUSE_LINK;
		return link_of_slot(ret->dir, slot, &ret->to) ? 0 : -ENOENT;
	}
	return 0;
}

int fuse_child(
	struct fuse_op *op, const struct fuse_entry *dir, const char *name, struct fuse_entry *ret)
{
	struct node *n;

	*ret = (struct fuse_entry){ .kind = FUSE_DIR };
	if (dir->kind == FUSE_TOP) {
		ret->dir = tree_root(op->f->tree);
		return strcmp(name, "target") != 0 ? -ENOENT : 0;
	}
	if (dir->kind != FUSE_DIR)
		return -ENOTDIR;
	n = node_child(dir->dir, name);
	if (n) {
		ret->dir = n;
		return fuse_node_shown(n) ? 0 : -ENOENT;
	}
	ret->dir = dir->dir;
	ret->attr = node_attr(dir->dir, name);
	if (ret->attr) {
		ret->kind = FUSE_ATTR;
		return fuse_attr_shown(ret->attr) ? 0 : -ENOENT;
	}
	ret->kind = FUSE_LINK;
	for (unsigned i = 0; node_link_at(dir->dir, i, &ret->to); i++) {
		if (!strcmp(ret->to.name, name))
			return 0;
	}
	return -ENOENT;
}

fuse_ino_t fuse_ino_of(const struct fuse_entry *e)
{
	fuse_ino_t slot = 0;

	if (e->kind == FUSE_TOP)
		return FUSE_ROOT_ID;
	if (e->kind == FUSE_ATTR)
		slot = (fuse_ino_t)(e->attr - node_type(e->dir)->attrs) + 1;
	else if (e->kind == FUSE_LINK)
		slot = (e->to.id | FUSE_SLOT_LINK) & FUSE_SLOT_MASK;
	return node_id(e->dir) << FUSE_SLOT_BITS | slot;
}

static mode_t mode_of_attr(const struct attr *a)
{
	return S_IFREG | (a->get ? 0444 : 0) | (a->set ? 0200 : 0);
}

/* Directories in dir that are shown. */
static unsigned ndirs(const struct node *dir)
{
	const struct node_default *d = node_type(dir)->defaults;
	unsigned n = node_nchildren(dir);

	for (; d && d->name; d++)
		n -= d->type->ours;
	return n;
}

void fuse_stat(const struct fuse_face *f, const struct fuse_entry *e, struct stat *ret)
{
	static const mode_t modes[] = { [FUSE_TOP] = S_IFDIR | 0755,
		[FUSE_DIR] = S_IFDIR | 0755,
		[FUSE_LINK] = S_IFLNK | 0777 };

	*ret = (struct stat){
		.st_ino = fuse_ino_of(e),
		.st_mode = e->kind == FUSE_ATTR ? mode_of_attr(e->attr) : modes[e->kind],
		.st_nlink = 1,
		.st_blksize = 4096,
		.st_atim = f->started,
		.st_mtim = f->started,
		.st_ctim = f->started,
	};
	if (e->kind == FUSE_ATTR)
		ret->st_size = 4096; /* PAGE_SIZE of LIO's machines, whatever the text is */
	else if (e->kind == FUSE_TOP)
		ret->st_nlink = 3;
	else if (e->kind == FUSE_DIR)
		ret->st_nlink = 2 + ndirs(e->dir);
}
