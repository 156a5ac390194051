/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_ops.c: the requests of the kernel that are about entries: looking up, making, removing. What
 * configfs does not have is refused as configfs does.
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "control/fuse_priv.h"
#include "tree/limits.h"

/* ---- the frame ------------------------------------------------------------------------------- */

/* The kernel names the thread, not the process. */
static bool is_own_thread(pid_t tid)
{
	return tid > 0 && !syscall(SYS_tgkill, getpid(), tid, 0);
}

void fuse_op_begin(struct fuse_op *op, fuse_req_t req)
{
	struct fuse_mnt *m = fuse_req_userdata(req);

	*op = (struct fuse_op){ .req = req, .m = m, .f = m->f };
	op->acting = (struct fuse_acting){ .thread = pthread_self(), .m = m };
	op->refused = m->own && is_own_thread(fuse_req_ctx(req)->pid);
	if (op->refused)
		return;
	tree_enter(op->f->tree);
	list_init(&op->acting.link);
	list_push_back(&op->f->acting, &op->acting.link);
}

void fuse_op_end(struct fuse_op *op)
{
	if (op->refused)
		return;
	list_del(&op->acting.link);
	tree_leave(op->f->tree);
}

void fuse_op_log(struct fuse_op *op, const char *verb, const char *name, int r)
{
	const struct fuse_ctx *who = fuse_req_ctx(op->req);

	if (r && op->err.code)
		log_limited(&op->f->refused, LOG_LEVEL_INFO, "fuse", NULL,
			"%s %s by uid %u pid %d refused: %s", verb, name, (unsigned)who->uid,
			(int)who->pid, op->err.text);
}

/* What the kernel is told of an entry. */
static void describe(
	const struct fuse_op *op, const struct fuse_entry *e, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
		.ino = fuse_ino_of(e),
		.attr_timeout = FUSE_CACHE_S,
		.entry_timeout = FUSE_CACHE_S,
	};
	fuse_stat(op->f, e, &ret->attr);
}

static void reply_entry(fuse_req_t req, int r, const struct fuse_entry_param *param)
{
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_entry(req, param);
}

/* The directory in which something is to change. 0, -ENOENT, -EINTR; the mount's root: -EPERM. */
static int begin_change(struct fuse_op *op, fuse_req_t req, fuse_ino_t ino, struct fuse_entry *ret)
{
	int r;

	fuse_op_begin(op, req);
	r = fuse_find(op, ino, ret);
	/* From here on it is done, not interrupted. */
	if (!r && fuse_req_interrupted(req))
		r = -EINTR;
	if (!r && ret->kind != FUSE_DIR)
		r = -EPERM;
	return r;
}

/* ---- looking --------------------------------------------------------------------------------- */

static void do_init(void *userdata, struct fuse_conn_info *conn)
{
	/* A value is a page at most, which may lie across two pages of its writer. */
	conn->max_write = 8192;
	conn->max_readahead = 0;
	conn->want &=
		~(unsigned)(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
			    FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
			    FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
	conn->want |= conn->capable & (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS);
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param param;
	struct fuse_entry dir, e;
	struct fuse_op op;
	int r;

	fuse_op_begin(&op, req);
	r = fuse_find(&op, parent, &dir);
	if (!r)
		r = fuse_child(&op, &dir, name, &e);
	if (!r)
		describe(&op, &e, &param);
	fuse_op_end(&op);
	reply_entry(req, r, &param);
}

/* Node ids say themselves what they mean, nothing is counted. */
static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	fuse_reply_none(req);
}

static void do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_entry e;
	struct fuse_op op;
	struct stat st;
	int r;

	fuse_op_begin(&op, req);
	r = fuse_find(&op, ino, &e);
	if (!r)
		fuse_stat(op.f, &e, &st);
	fuse_op_end(&op);
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, FUSE_CACHE_S);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_attr(req, ino);
}

/* Modes, owners, times and sizes are accepted and stay what they are. */
static void do_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	reply_attr(req, ino);
}

static void do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = TREE_NAME_MAX };

	fuse_reply_statfs(req, &st);
}

/* ---- directories ----------------------------------------------------------------------------- */

static void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fuse_entry_param param;
	struct fuse_entry dir, e = { .kind = FUSE_DIR };
	struct fuse_op op;
	int r = begin_change(&op, req, parent, &dir);

	if (!r)
		r = tree_mkdir(op.f->tree, dir.dir, name, &e.dir, &op.err);
	if (!r)
		describe(&op, &e, &param);
	fuse_op_end(&op);
	fuse_op_log(&op, "mkdir", name, r);
	reply_entry(req, r, &param);
}

static void do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry dir, e;
	struct fuse_op op;
	int r = begin_change(&op, req, parent, &dir);

	if (!r)
		r = fuse_child(&op, &dir, name, &e);
	if (!r && e.kind != FUSE_DIR)
		r = -ENOTDIR;
	if (!r)
		r = tree_rmdir(op.f->tree, e.dir, &op.err);
	fuse_op_end(&op);
	fuse_op_log(&op, "rmdir", name, r);
	fuse_reply_err(req, -r);
}

/* ---- links ----------------------------------------------------------------------------------- */

/* What a path of the tree is: a directory, or why it cannot be linked to. */
static int target_at(struct tree *t, const char *path, struct node **ret)
{
	char above[PATH_MAX];
	struct node *n = tree_lookup(t, path);
	char *slash;

	if (n && fuse_node_shown(n)) {
		*ret = n;
		return 0;
	}
	strncpy(above, path, sizeof(above) - 1);
	above[sizeof(above) - 1] = '\0';
	slash = strrchr(above, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	n = tree_lookup(t, above);
	return n && node_attr(n, slash + 1) ? -ENOTDIR : -ENOENT;
}

/* The texts that a link may mean: as its caller sees them, and from where the link is. */
struct link_text {
	const char *text;
	pid_t pid;
	char cwd[PATH_MAX], by_cwd[PATH_MAX], by_dir[PATH_MAX];
	bool has_cwd, in_tree;
};

/* Before the turn is taken: asks the system. */
static void prepare_text(struct link_text *lt, struct fuse_mnt *m)
{
	lt->has_cwd = lt->text[0] != '/' && fuse_path_cwd(lt->pid, lt->cwd);
	lt->in_tree = (lt->has_cwd || lt->text[0] == '/') &&
		      fuse_path_in_tree(m->dir, lt->cwd, lt->text, lt->by_cwd);
}

static int find_target(
	struct fuse_op *op, struct link_text *lt, const struct fuse_entry *dir, struct node **ret)
{
	int r = lt->in_tree ? target_at(op->f->tree, lt->by_cwd, ret) : -EPERM;
	struct strbuf base;

	if (!r || lt->text[0] == '/')
		return r;
	strbuf_init(&base);
	strbuf_puts(&base, op->m->dir);
	strbuf_puts(&base, "/target");
	node_path(dir->dir, &base);
	if (!base.failed && fuse_path_in_tree(op->m->dir, base.s, lt->text, lt->by_dir)) {
		int by_dir = target_at(op->f->tree, lt->by_dir, ret);

		r = lt->in_tree && by_dir == -ENOENT ? r : by_dir;
	}
	strbuf_done(&base);
	return r;
}

static void do_symlink(fuse_req_t req, const char *text, fuse_ino_t parent, const char *name)
{
	struct link_text lt = { .text = text, .pid = fuse_req_ctx(req)->pid };
	struct fuse_entry dir, e = { .kind = FUSE_LINK };
	struct fuse_entry_param param;
	struct node *target = NULL;
	struct fuse_op op;
	bool outside = false;
	int r;

	prepare_text(&lt, fuse_req_userdata(req));
	r = begin_change(&op, req, parent, &dir);
	if (!r && node_type(dir.dir)->link) {
		r = find_target(&op, &lt, &dir, &target);
		outside = r == -EPERM;
	} else if (!r) {
		r = errmsg_set(&op.err, -EPERM, "no links can be made there");
	}
	if (!r)
		r = tree_link(op.f->tree, dir.dir, name, target, &op.err);
	/* Looked up again: others may have had the turn meanwhile. */
	if (!r)
		r = fuse_find(&op, parent, &dir);
	if (!r)
		r = fuse_child(&op, &dir, name, &e);
	if (!r)
		describe(&op, &e, &param);
	fuse_op_end(&op);
	if (outside)
		r = fuse_path_outside(lt.pid, lt.cwd, text);
	fuse_op_log(&op, "symlink", name, r);
	reply_entry(req, r, &param);
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct strbuf text;
	struct fuse_entry e;
	struct fuse_op op;
	int r;

	strbuf_init(&text);
	fuse_op_begin(&op, req);
	r = fuse_find(&op, ino, &e);
	if (!r && e.kind != FUSE_LINK)
		r = -EINVAL;
	if (!r)
		fuse_path_relative(e.dir, e.to.target, &text);
	fuse_op_end(&op);
	if (!r && text.failed)
		r = -ENOMEM;
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, text.s);
	strbuf_done(&text);
}

static void do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry dir, e;
	struct fuse_op op;
	int r = begin_change(&op, req, parent, &dir);

	if (!r)
		r = fuse_child(&op, &dir, name, &e);
	if (!r && e.kind != FUSE_LINK)
		r = -EPERM;
	if (!r)
		r = tree_unlink(op.f->tree, dir.dir, name, &op.err);
	fuse_op_end(&op);
	fuse_op_log(&op, "unlink", name, r);
	fuse_reply_err(req, -r);
}

/* ---- what configfs does not have ------------------------------------------------------------- */

static void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	fuse_reply_err(req, EPERM);
}

static void do_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	fuse_reply_err(req, EACCES);
}

static void do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	const char *newname, unsigned flags)
{
	fuse_reply_err(req, EPERM);
}

static void do_hardlink(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	fuse_reply_err(req, EPERM);
}

const struct fuse_lowlevel_ops fuse_ops = {
	.init = do_init,
	.lookup = do_lookup,
	.forget = do_forget,
	.forget_multi = do_forget_multi,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.statfs = do_statfs,
	.mkdir = do_mkdir,
	.rmdir = do_rmdir,
	.symlink = do_symlink,
	.readlink = do_readlink,
	.unlink = do_unlink,
	.mknod = do_mknod,
	.create = do_create,
	.rename = do_rename,
	.link = do_hardlink,
	.open = fuse_do_open,
	.read = fuse_do_read,
	.write = fuse_do_write,
	.release = fuse_do_release,
	.opendir = fuse_do_opendir,
	.readdir = fuse_do_readdir,
	.releasedir = fuse_do_releasedir,
};
