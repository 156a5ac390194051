/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_disk.c: the names of the simulator's disk, and its power.
 *
 * As POSIX has it, and no better: making, renaming or removing a name is durable when the
 * directory was synced, and syncing a file says nothing about its name. A rename is one step: both
 * names change, or none. Directories cannot be renamed.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "loop/sim_disk_priv.h"
#include "loop/sim_priv.h"

struct name {
	struct list link;
	char *path; /* owned */
	struct sim_inode *ino; /* ref */
};

enum name_change_kind { NAME_MADE, NAME_RENAMED, NAME_REMOVED };

struct name_change {
	struct list link;
	enum name_change_kind kind;
	char *path, *to; /* owned; to: NAME_RENAMED */
	struct sim_inode *ino; /* ref */
};

struct sim_disk {
	struct rng rng;
	struct list inodes;
	struct list names, stable_names;
	struct list changes; /* struct name_change, oldest first */
	uint64_t next_number;
	bool cut;
};

void *sim_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	assert(p);
	return p;
}

void *sim_grow(void *p, size_t n)
{
	p = realloc(p, n);
	assert(p);
	return p;
}

static char *copy(const char *s)
{
	char *p = strdup(s);

	assert(p);
	return p;
}

/* ---- paths -------------------------------------------------------------------------------- */

/* "/a/b" from "a//./b/". False if it is too long. */
static bool path_clean(char *to, const char *path)
{
	size_t n = 0;

	while (*path) {
		size_t k = strcspn(path, "/");

		if (k && !(k == 1 && path[0] == '.')) {
			if (n + 1 + k >= PATH_MAX)
				return false;
			to[n++] = '/';
			memcpy(to + n, path, k);
			n += k;
		}
		path += k + (path[k] == '/');
	}
	if (!n)
		to[n++] = '/';
	to[n] = '\0';
	return true;
}

/* True if the directory that holds path is dir. */
static bool path_in(const char *path, const char *dir)
{
	size_t n = (size_t)(strrchr(path, '/') - path);

	return n == 0 ? !strcmp(dir, "/") : strlen(dir) == n && !strncmp(path, dir, n);
}

/* ---- lists of names ----------------------------------------------------------------------- */

static struct name *name_find(struct list *names, const char *path)
{
	struct name *n;

	list_for_each (n, names, struct name, link)
		if (!strcmp(n->path, path))
			return n;
	return NULL;
}

static void name_free(struct name *n)
{
	list_del(&n->link);
	sim_inode_unref(n->ino);
	free(n->path);
	free(n);
}

static void names_free(struct list *names)
{
	for (struct list *l; (l = list_pop_front(names));)
		name_free(container_of(l, struct name, link));
}

static void name_set(struct list *names, const char *path, struct sim_inode *ino)
{
	struct name *n = name_find(names, path);

	sim_inode_ref(ino);
	if (n) {
		sim_inode_unref(n->ino);
		n->ino = ino;
		return;
	}
	n = sim_alloc(sizeof(*n));
	n->path = copy(path);
	n->ino = ino;
	list_push_back(names, &n->link);
}

static void name_remove(struct list *names, const char *path)
{
	struct name *n = name_find(names, path);

	if (n)
		name_free(n);
}

static void change_log(struct sim_disk *d, enum name_change_kind kind, const char *path,
	const char *to, struct sim_inode *ino)
{
	struct name_change *c = sim_alloc(sizeof(*c));

	c->kind = kind;
	c->path = copy(path);
	c->to = to ? copy(to) : NULL;
	c->ino = sim_inode_ref(ino);
	list_push_back(&d->changes, &c->link);
}

static void change_free(struct name_change *c)
{
	list_del(&c->link);
	sim_inode_unref(c->ino);
	free(c->path);
	free(c->to);
	free(c);
}

static void change_made(struct list *names, const struct name_change *c)
{
	name_set(names, c->path, c->ino);
}

static void change_renamed(struct list *names, const struct name_change *c)
{
	struct name *from = name_find(names, c->path);

	if (from && from->ino == c->ino)
		name_free(from);
	name_set(names, c->to, c->ino);
}

static void change_removed(struct list *names, const struct name_change *c)
{
	struct name *n = name_find(names, c->path);

	if (n && n->ino == c->ino)
		name_free(n);
}

static void (*const change_applies[])(struct list *names, const struct name_change *c) = {
	[NAME_MADE] = change_made,
	[NAME_RENAMED] = change_renamed,
	[NAME_REMOVED] = change_removed,
};

/* ---- operations on names ------------------------------------------------------------------ */

int sim_disk_lookup(struct sim_disk *d, const char *path, struct sim_inode **ret)
{
	char p[PATH_MAX];
	struct name *n;

	if (!path_clean(p, path))
		return -ENAMETOOLONG;
	n = name_find(&d->names, p);
	if (!n)
		return -ENOENT;
	*ret = n->ino;
	return 0;
}

/* The directory that holds the clean path has to be there. */
static int parent_check(struct sim_disk *d, const char *path)
{
	char dir[PATH_MAX];
	struct name *n;

	strcpy(dir, path);
	strrchr(dir, '/')[strrchr(dir, '/') == dir] = '\0';
	n = name_find(&d->names, dir);
	if (!n)
		return -ENOENT;
	return S_ISDIR(n->ino->mode) ? 0 : -ENOTDIR;
}

int sim_disk_make(struct sim_disk *d, const char *path, mode_t mode, struct sim_inode **ret)
{
	char p[PATH_MAX];
	int r;

	if (!path_clean(p, path))
		return -ENAMETOOLONG;
	if (name_find(&d->names, p))
		return -EEXIST;
	r = parent_check(d, p);
	if (r)
		return r;
	*ret = sim_inode_new(&d->inodes, ++d->next_number, mode);
	name_set(&d->names, p, *ret);
	change_log(d, NAME_MADE, p, NULL, *ret);
	return 0;
}

int sim_disk_rename(struct sim_disk *d, const char *from, const char *to)
{
	char f[PATH_MAX], t[PATH_MAX];
	struct name *n, *old;
	struct sim_inode *ino;
	int r;

	if (!path_clean(f, from) || !path_clean(t, to))
		return -ENAMETOOLONG;
	n = name_find(&d->names, f);
	if (!n)
		return -ENOENT;
	if (S_ISDIR(n->ino->mode))
		return -EOPNOTSUPP;
	r = parent_check(d, t);
	if (r)
		return r;
	old = name_find(&d->names, t);
	if (old && S_ISDIR(old->ino->mode))
		return -EISDIR;
	ino = n->ino;
	if (old && old->ino == ino)
		return 0;
	change_log(d, NAME_RENAMED, f, t, ino);
	name_set(&d->names, t, ino);
	name_remove(&d->names, f);
	return 0;
}

int sim_disk_unlink(struct sim_disk *d, const char *path)
{
	char p[PATH_MAX];
	struct name *n;

	if (!path_clean(p, path))
		return -ENAMETOOLONG;
	n = name_find(&d->names, p);
	if (!n)
		return -ENOENT;
	if (S_ISDIR(n->ino->mode))
		return -EISDIR;
	change_log(d, NAME_REMOVED, p, NULL, n->ino);
	name_free(n);
	return 0;
}

int sim_disk_fsync_dir(struct sim_disk *d, const char *dir)
{
	struct name_change *c, *tmp;
	char p[PATH_MAX];
	struct name *n;

	if (!path_clean(p, dir))
		return -ENAMETOOLONG;
	n = name_find(&d->names, p);
	if (!n)
		return -ENOENT;
	if (!S_ISDIR(n->ino->mode))
		return -ENOTDIR;
	list_for_each_safe (c, tmp, &d->changes, struct name_change, link) {
		if (!path_in(c->path, p) && !(c->to && path_in(c->to, p)))
			continue;
		change_applies[c->kind](&d->stable_names, c);
		change_free(c);
	}
	return 0;
}

/* ---- power -------------------------------------------------------------------------------- */

bool sim_disk_cut(const struct sim_disk *d)
{
	return d->cut;
}

void sim_disk_set_cut(struct sim_disk *d)
{
	d->cut = true;
}

/* A name whose directory did not survive is out of reach. */
static void names_prune(struct sim_disk *d)
{
	struct name *n, *tmp;
	bool again = true;

	while (again) {
		again = false;
		list_for_each_safe (n, tmp, &d->names, struct name, link) {
			if (!strcmp(n->path, "/") || !parent_check(d, n->path))
				continue;
			name_remove(&d->stable_names, n->path);
			name_free(n);
			again = true;
		}
	}
}

void sim_power_on(struct sim_disk *d)
{
	enum survivors which = (enum survivors)rng_below(&d->rng, NSURVIVORS + 2);
	struct sim_inode *ino, *tmp;
	struct name *n;

	if (which > SURVIVE_SOME) /* most often */
		which = SURVIVE_SOME;
	for (struct list *l; (l = list_pop_front(&d->changes));) {
		struct name_change *c = container_of(l, struct name_change, link);

		if (which == SURVIVE_ALL || (which == SURVIVE_SOME && rng_chance(&d->rng, 1, 2)))
			change_applies[c->kind](&d->stable_names, c);
		change_free(c);
	}
	list_for_each_safe (ino, tmp, &d->inodes, struct sim_inode, link)
		sim_inode_power_on(ino, which, &d->rng);
	names_free(&d->names);
	list_for_each (n, &d->stable_names, struct name, link)
		name_set(&d->names, n->path, n->ino);
	names_prune(d);
	d->cut = false;
}

/* ---- life --------------------------------------------------------------------------------- */

struct sim_disk *sim_disk_new(uint64_t seed)
{
	struct sim_disk *d = sim_alloc(sizeof(*d));
	struct sim_inode *root;

	rng_seed(&d->rng, seed);
	list_init(&d->inodes);
	list_init(&d->names);
	list_init(&d->stable_names);
	list_init(&d->changes);
	root = sim_inode_new(&d->inodes, ++d->next_number, S_IFDIR | 0755);
	name_set(&d->names, "/", root);
	name_set(&d->stable_names, "/", root);
	return d;
}

struct sim_disk *sim_disk_free(struct sim_disk *d)
{
	if (!d)
		return NULL;
	for (struct list *l; (l = list_pop_front(&d->changes));)
		change_free(container_of(l, struct name_change, link));
	names_free(&d->names);
	names_free(&d->stable_names);
	assert(list_empty(&d->inodes)); /* a file is still open in a set of loops */
	free(d);
	return NULL;
}

int sim_disk_create(struct sim_disk *d, const char *path, uint64_t size)
{
	struct sim_inode *ino;
	char p[PATH_MAX];

	if (!path_clean(p, path))
		return -ENAMETOOLONG;
	for (char *slash = strchr(p + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = sim_disk_make(d, p, S_IFDIR | 0755, &ino);
		if (!r)
			name_set(&d->stable_names, p, ino);
		*slash = '/';
		if (r && r != -EEXIST)
			return r;
	}
	if (sim_disk_lookup(d, p, &ino)) {
		int r = sim_disk_make(d, p, S_IFREG | 0600, &ino);

		if (r)
			return r;
	}
	if (S_ISDIR(ino->mode))
		return -EISDIR;
	name_set(&d->stable_names, p, ino);
	sim_inode_set_size(ino, size);
	sim_inode_sync(ino);
	return 0;
}
