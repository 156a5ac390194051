/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_file.c: attributes as files. As in configfs, the first read of an open file takes the whole
 * text, and all reads are served from that until something is written; each write is one value,
 * wherever its offset is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "control/fuse_priv.h"
#include "tree/limits.h"

enum { TEXT_MAX = 4096 }; /* bytes of a text, as much as configfs shows */

struct open_file {
	struct fuse_handle handle;
	pthread_mutex_t lock; /* of one open file's reads and writes; taken before the turn */
	bool filled;
	struct strbuf text;
};

static struct open_file *file_of(const struct fuse_file_info *fi)
{
	return (struct open_file *)(uintptr_t)fi->fh;
}

/* Secrets are for root: LIO asks for CAP_SYS_ADMIN, whatever the modes say. */
static bool may_see(fuse_req_t req, const struct attr *a)
{
	return !(a->flags & ATTR_SECRET) || fuse_req_ctx(req)->uid == 0;
}

static int check_access(fuse_req_t req, fuse_ino_t ino, int flags)
{
	int mode = flags & O_ACCMODE;
	struct fuse_entry e;
	struct fuse_op op;
	int r;

	fuse_op_begin(&op, req);
	r = fuse_find(&op, ino, &e);
	if (!r && e.kind != FUSE_ATTR)
		r = -EISDIR;
	/* The kernel lets root pass: modes alone would not refuse it. */
	if (!r && ((mode != O_WRONLY && !e.attr->get) || (mode != O_RDONLY && !e.attr->set)))
		r = -EACCES;
	fuse_op_end(&op);
	return r;
}

static void free_file(struct fuse_handle *h)
{
	struct open_file *of = container_of(h, struct open_file, handle);

	if (of->text.len)
		explicit_bzero(of->text.s, of->text.len);
	strbuf_done(&of->text);
	pthread_mutex_destroy(&of->lock);
	free(of);
}

void fuse_do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int r = check_access(req, ino, fi->flags);
	struct open_file *of = r ? NULL : calloc(1, sizeof(*of));

	if (!of) {
		fuse_reply_err(req, r ? -r : ENOMEM);
		return;
	}
	pthread_mutex_init(&of->lock, NULL);
	strbuf_init(&of->text);
	fi->fh = (uint64_t)(uintptr_t)of;
	fuse_handle_add(req, &of->handle, free_file);
	fi->direct_io = 1; /* the length of a text is known when it is read, and not kept */
	if (fuse_reply_open(req, fi) < 0)
		fuse_do_release(NULL, ino, fi);
}

void fuse_do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct open_file *of = file_of(fi);

	fuse_handle_del(&of->handle);
	free_file(&of->handle);
	if (req)
		fuse_reply_err(req, 0);
}

/* As LIO's show functions end their texts; what does not fit ends with its last whole line. */
static void finish_text(const struct attr *a, struct strbuf *text)
{
	if ((text->len && !(a->flags & ATTR_NO_NEWLINE)) || a->flags & ATTR_EMPTY_LINE)
		strbuf_putc(text, '\n');
	if (text->len <= TEXT_MAX)
		return;
	strbuf_truncate(text, TEXT_MAX);
	while (text->len && text->s[text->len - 1] != '\n')
		strbuf_truncate(text, text->len - 1);
}

/* Take the text. Holds of->lock. */
static int fill(fuse_req_t req, fuse_ino_t ino, struct open_file *of)
{
	struct fuse_entry e;
	struct fuse_op op;
	int r;

	strbuf_reset(&of->text);
	fuse_op_begin(&op, req);
	r = fuse_find(&op, ino, &e);
	if (!r && !may_see(req, e.attr))
		r = -EPERM;
	if (!r)
		r = tree_get(op.f->tree, e.dir, e.attr->name, &of->text, &op.err);
	if (!r)
		finish_text(e.attr, &of->text);
	fuse_op_end(&op);
	if (!r && of->text.failed)
		r = -ENOMEM;
	of->filled = !r;
	return r;
}

void fuse_do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct open_file *of = file_of(fi);
	char text[TEXT_MAX];
	size_t at, n = 0;
	int r = 0;

	pthread_mutex_lock(&of->lock);
	if (!of->filled)
		r = fill(req, ino, of);
	if (!r) {
		at = (uint64_t)off < of->text.len ? (size_t)off : of->text.len;
		n = of->text.len - at < size ? of->text.len - at : size;
		if (n)
			memcpy(text, of->text.s + at, n);
	}
	pthread_mutex_unlock(&of->lock);
	/* Once it is answered the file may be closed. */
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, text, n);
	explicit_bzero(text, n);
}

static int set_value(fuse_req_t req, fuse_ino_t ino, const char *value)
{
	char name[TREE_NAME_MAX + 1] = "";
	struct fuse_entry e;
	struct fuse_op op;
	int r;

	fuse_op_begin(&op, req);
	r = fuse_find(&op, ino, &e);
	if (!r && fuse_req_interrupted(req))
		r = -EINTR;
	if (!r && !may_see(req, e.attr))
		r = -EPERM;
	if (!r) {
		strncat(name, e.attr->name, TREE_NAME_MAX);
		r = tree_set(op.f->tree, e.dir, e.attr->name, value, &op.err);
	}
	fuse_op_end(&op);
	fuse_op_log(&op, "write", name, r);
	return r;
}

void fuse_do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct open_file *of = file_of(fi);
	size_t n = size < TREE_VALUE_MAX ? size : TREE_VALUE_MAX;
	char value[TREE_VALUE_MAX + 1];
	int r;

	memcpy(value, buf, n);
	value[n] = '\0';
	pthread_mutex_lock(&of->lock);
	of->filled = false;
	r = set_value(req, ino, value);
	pthread_mutex_unlock(&of->lock);
	explicit_bzero(value, n);
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_write(req, n);
}
