/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_dir.c: listing. A listing is taken when it is read from its start, so that entries that come
 * and go while it is read neither shift nor repeat others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "control/fuse_priv.h"

struct listed {
	fuse_ino_t ino;
	mode_t mode; /* the file type */
	size_t name; /* in open_dir.names */
};

struct open_dir {
	struct fuse_handle handle;
	pthread_mutex_t lock;
	bool filled;
	struct listed *list;
	size_t n, cap;
	struct strbuf names; /* NUL-terminated, one after the other */
};

static struct open_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct open_dir *)(uintptr_t)fi->fh;
}

static int add(struct open_dir *od, const char *name, const struct fuse_entry *e)
{
	static const mode_t types[] = { [FUSE_TOP] = S_IFDIR,
		[FUSE_DIR] = S_IFDIR,
		[FUSE_ATTR] = S_IFREG,
		[FUSE_LINK] = S_IFLNK };

	if (od->n == od->cap) {
		size_t cap = od->cap ? 2 * od->cap : 32;
		struct listed *list = realloc(od->list, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		od->list = list;
		od->cap = cap;
	}
	od->list[od->n++] = (struct listed){ fuse_ino_of(e), types[e->kind], od->names.len };
	strbuf_write(&od->names, name, strlen(name) + 1);
	return od->names.failed ? -ENOMEM : 0;
}

/* All directories before links before attributes, each in the order of their making. */
static int add_all(struct open_dir *od, struct node *dir)
{
	struct fuse_entry e = { .kind = FUSE_DIR };
	const struct attr *a;
	int r = 0;

	for (struct node *n = node_first_child(dir); n && !r; n = node_next_child(dir, n)) {
		e.dir = n;
		if (fuse_node_shown(n))
			r = add(od, node_name(n), &e);
	}
	e = (struct fuse_entry){ .kind = FUSE_LINK, .dir = dir };
	for (unsigned i = 0; !r && node_link_at(dir, i, &e.to); i++)
		r = add(od, e.to.name, &e);
	e.kind = FUSE_ATTR;
	attr_for_each (a, node_type(dir)->attrs) {
		e.attr = a;
		if (!r && fuse_attr_shown(a))
			r = add(od, a->name, &e);
	}
	return r;
}

static int add_dots(struct open_dir *od, const struct fuse_entry *e)
{
	struct fuse_entry up = { .kind = FUSE_TOP };
	int r = add(od, ".", e);

	if (e->kind == FUSE_DIR && node_parent(e->dir))
		up = (struct fuse_entry){ .kind = FUSE_DIR, .dir = node_parent(e->dir) };
	return r ? r : add(od, "..", &up);
}

static int fill(fuse_req_t req, fuse_ino_t ino, struct open_dir *od)
{
	struct fuse_entry e;
	struct fuse_op op;
	int r;

	od->n = 0;
	strbuf_reset(&od->names);
	fuse_op_begin(&op, req);
	r = fuse_find(&op, ino, &e);
	if (!r)
		r = add_dots(od, &e);
	if (!r && e.kind == FUSE_TOP) {
		e = (struct fuse_entry){ .kind = FUSE_DIR, .dir = tree_root(op.f->tree) };
		r = add(od, "target", &e);
	} else if (!r) {
		r = add_all(od, e.dir);
	}
	fuse_op_end(&op);
	od->filled = !r;
	return r;
}

static void free_dir(struct fuse_handle *h)
{
	struct open_dir *od = container_of(h, struct open_dir, handle);

	strbuf_done(&od->names);
	free(od->list);
	pthread_mutex_destroy(&od->lock);
	free(od);
}

void fuse_do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct open_dir *od = calloc(1, sizeof(*od));

	if (!od) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_init(&od->lock, NULL);
	strbuf_init(&od->names);
	fi->fh = (uint64_t)(uintptr_t)od;
	fuse_handle_add(req, &od->handle, free_dir);
	if (fuse_reply_open(req, fi) < 0)
		fuse_do_releasedir(NULL, ino, fi);
}

void fuse_do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct open_dir *od = dir_of(fi);

	fuse_handle_del(&od->handle);
	free_dir(&od->handle);
	if (req)
		fuse_reply_err(req, 0);
}

/* Entries from place at on, as many as fit into size bytes of buf. Returns the bytes used. */
static size_t put_entries(fuse_req_t req, struct open_dir *od, size_t at, char *buf, size_t size)
{
	size_t used = 0;

	for (; at < od->n; at++) {
		const struct listed *l = &od->list[at];
		struct stat st = { .st_ino = l->ino, .st_mode = l->mode };
		size_t n = fuse_add_direntry(
			req, buf + used, size - used, od->names.s + l->name, &st, (off_t)at + 1);

		if (n > size - used)
			break;
		used += n;
	}
	return used;
}

void fuse_do_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct open_dir *od = dir_of(fi);
	char *buf = malloc(size);
	size_t used = 0;
	int r = buf ? 0 : -ENOMEM;

	pthread_mutex_lock(&od->lock);
	if (!r && (off <= 0 || !od->filled))
		r = fill(req, ino, od);
	if (!r)
		used = put_entries(req, od, (size_t)off < od->n ? (size_t)off : od->n, buf, size);
	pthread_mutex_unlock(&od->lock);
	/* Once it is answered the directory may be closed. */
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, buf, used);
	free(buf);
}
