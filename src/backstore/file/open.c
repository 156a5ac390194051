/* SPDX-License-Identifier: BSD-3-Clause */
/* open.c: open or make a file, claim it, and find out how to use it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backstore/file/file_priv.h"
#include "base/log.h"
#include "block/limits.h"
#include "block/params.h"

enum { DIRECT_YES, DIRECT_NO, DIRECT_AUTO };
enum { BLOCK_AUTO, BLOCK_512, BLOCK_4096 };

const struct ulio_param_doc file_params[] = {
	{ .key = "path",
		.type = ULIO_PARAM_STRING,
		.flags = ULIO_PARAM_REQUIRED,
		.text = "A regular file or a block device." },
	{ .key = "size",
		.type = ULIO_PARAM_SIZE,
		.min = 512,
		.max = BACKSTORE_SIZE_MAX,
		.text = "Size in bytes: a missing file is made with it, a smaller one is grown to "
			"it." },
	{ .key = "create",
		.type = ULIO_PARAM_BOOL,
		.preset = "yes",
		.text = "Make the file if it is missing (when size is given)." },
	{ .key = "prealloc",
		.type = ULIO_PARAM_BOOL,
		.preset = "no",
		.text = "Take the space of a new file at once; else where it is written." },
	{ .key = "direct",
		.type = ULIO_PARAM_CHOICE,
		.choices = "yes|no|auto",
		.preset = "auto",
		.text = "Pass by the page cache; auto: if the file system can." },
	{ .key = "sync",
		.type = ULIO_PARAM_BOOL,
		.preset = "no",
		.text = "Every write is on stable storage when it is answered: no volatile "
			"cache." },
	{ .key = "readonly",
		.type = ULIO_PARAM_BOOL,
		.preset = "no",
		.text = "Refuse writes; the file may be one that cannot be written to." },
	{ .key = "exclusive",
		.type = ULIO_PARAM_BOOL,
		.preset = "yes",
		.text = "A block device is claimed: it must not be mounted or part of another one, "
			"now or later." },
	{ .key = "block",
		.type = ULIO_PARAM_CHOICE,
		.choices = "auto|512|4096",
		.preset = "auto",
		.text = "Smallest unit of access in bytes; auto: that of the device, 512 for "
			"files." },
	{ NULL },
};

struct opening {
	struct file *f;
	const struct ulio_open_args *args;
	uint64_t size_bytes; /* asked for, 0: none */
	unsigned direct; /* DIRECT_* */
	bool create, prealloc, shared;
	bool made; /* the file was made by us */
	char why[160]; /* no direct I/O */
};

__attribute__((format(printf, 3, 4))) static int refuse(
	const struct opening *o, int r, const char *fmt, ...)
{
	char text[BACKSTORE_ERR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(o->args->err, o->args->err_bytes, "%s: %s", o->f->path, text);
	return r;
}

/* ---- open ----------------------------------------------------------------------------------- */

static const struct {
	int r;
	const char *text;
} open_cures[] = {
	{ -ENOENT, "there is no such file; with size=10G, say, it is made" },
	{ -EACCES, "permission denied; readonly=yes if it may only be read" },
	{ -EROFS, "the file system is read-only; readonly=yes if that is meant" },
	{ -EBUSY, "the device is in use: mounted, or part of another device" },
};

static int open_failed(const struct opening *o, int r)
{
	for (size_t i = 0; i < sizeof(open_cures) / sizeof(open_cures[0]); i++)
		if (open_cures[i].r == r)
			return refuse(o, r, "%s", open_cures[i].text);
	return refuse(o, r, "cannot be opened: %s", err_text(r));
}

/* What is at the path: sets device. -ENOENT if nothing is. Neither waits nor claims. */
static int open_look(struct opening *o)
{
	struct loops *loops = o->f->loops;
	struct stat st;
	int fd = loops_open(loops, o->f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
	int r;

	/* One that may be written but not read is told by the real open. */
	if (fd < 0)
		return fd == -ENOENT ? -ENOENT : 0;
	r = loops_fstat(loops, fd, &st);
	loops_close(loops, fd);
	if (r < 0)
		return open_failed(o, r);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return refuse(o, -EINVAL, "is neither a regular file nor a block device");
	o->f->device = S_ISBLK(st.st_mode);
	return 0;
}

static int open_flags(const struct opening *o)
{
	int flags = O_CLOEXEC;

	flags |= o->f->readonly ? O_RDONLY : O_RDWR;
	if (o->f->sync)
		flags |= O_DSYNC;
	/* For a device: not if it is mounted or otherwise claimed. */
	if (o->f->device && !o->shared)
		flags |= O_EXCL;
	return flags;
}

/* Open with or without O_DIRECT, as asked and as possible. */
static int open_fd(struct opening *o)
{
	struct file *f = o->f;
	int flags = open_flags(o);
	int fd = -EINVAL;

	if (o->direct != DIRECT_NO) {
		fd = loops_open(f->loops, f->path, flags | O_DIRECT, 0);
		if (fd == -EINVAL)
			snprintf(o->why, sizeof(o->why), "the file system refuses it");
		else if (fd < 0)
			return open_failed(o, fd);
	}
	if (fd >= 0) {
		f->fd = fd;
		f->direct = true;
		return 0;
	}
	fd = loops_open(f->loops, f->path, flags, 0);
	if (fd < 0)
		return open_failed(o, fd);
	f->fd = fd;
	return 0;
}

/* Make the file; the new name is durable. */
static int open_make(struct opening *o)
{
	struct loops *loops = o->f->loops;
	int fd, r;

	if (!o->create || !o->size_bytes || o->f->readonly)
		return open_failed(o, -ENOENT);
	fd = loops_open(loops, o->f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse(o, fd, "cannot be made: %s", err_text(fd));
	o->made = true;
	r = loops_ftruncate(loops, fd, o->size_bytes);
	if (r == 0)
		r = loops_fsync(loops, fd, false);
	loops_close(loops, fd);
	if (r == 0)
		r = loops_fsync_dir_of(loops, o->f->path);
	return r < 0 ? refuse(o, r, "cannot be made: %s", err_text(r)) : 0;
}

/* Two daemons with one file would destroy it. The lock ends with the descriptor. */
static int open_lock(struct opening *o)
{
	struct flock lock = { .l_type = o->f->readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (!o->f->host || fcntl(o->f->fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return refuse(o, -EBUSY, "is in use by another disk or another program");
	/* A file system without locks. */
	log_obj(LOG_LEVEL_WARN, "file", o->f->name, "%s: cannot be locked against double use: %s",
		o->f->path, err_text(-errno));
	return 0;
}

/* ---- how to use it -------------------------------------------------------------------------- */

static int open_blocks(struct opening *o, unsigned block)
{
	static const uint32_t choices[] = {
		[BLOCK_AUTO] = 512, [BLOCK_512] = 512, [BLOCK_4096] = 4096
	};
	struct file *f = o->f;
	struct stat st;
	int logical = 512, r;

	f->block_bytes = choices[block];
	if (f->device) {
		if (ioctl(f->fd, BLKSSZGET, &logical) < 0)
			return refuse(o, -errno, "tells no block size");
		if (block == BLOCK_AUTO)
			f->block_bytes = (uint32_t)logical;
		else if (f->block_bytes < (uint32_t)logical)
			return refuse(o, -EINVAL, "has blocks of %d bytes: block=%u is too small",
				logical, f->block_bytes);
		f->physical_bytes = f->discard_bytes = f->block_bytes;
		return 0;
	}
	r = loops_fstat(f->loops, f->fd, &st);
	if (r < 0)
		return refuse(o, r, "%s", err_text(r));
	f->physical_bytes = f->discard_bytes = 4096;
	if (st.st_blksize >= 4096 && (st.st_blksize & (st.st_blksize - 1)) == 0)
		f->optimal_bytes = (uint32_t)st.st_blksize;
	file_probe_rotational(f, st.st_dev);
	return 0;
}

/* Direct I/O for good, or not, and then it is said. */
static int open_direct(struct opening *o)
{
	struct file *f = o->f;
	int flags;

	if (f->direct && file_probe_direct(f, f->fd, o->why, sizeof(o->why)) < 0)
		f->direct = false;
	if (f->direct && f->off_align > f->block_bytes) {
		snprintf(o->why, sizeof(o->why),
			"it needs blocks of %u bytes (block=4096 would have them)", f->off_align);
		f->direct = false;
	}
	if (f->direct || o->direct == DIRECT_NO)
		goto out;
	if (o->direct == DIRECT_YES)
		return refuse(o, -EINVAL, "direct=yes is not possible: %s", o->why);
	log_obj(LOG_LEVEL_WARN, "file", f->name,
		"%s: no direct I/O (%s): goes through the page cache", f->path, o->why);
out:
	if (!f->direct)
		f->mem_align = f->off_align = 1;
	if (!f->host || f->direct)
		return 0;
	flags = fcntl(f->fd, F_GETFL);
	if (flags >= 0 && (flags & O_DIRECT) && fcntl(f->fd, F_SETFL, flags & ~O_DIRECT) < 0)
		return refuse(o, -errno, "cannot leave direct I/O: %s", err_text(-errno));
	return 0;
}

int file_get_size(struct file *f, uint64_t *ret_bytes)
{
	struct stat st;
	uint64_t size;
	int r;

	if (f->device) {
		if (ioctl(f->fd, BLKGETSIZE64, &size) < 0)
			return -errno;
	} else {
		r = loops_fstat(f->loops, f->fd, &st);
		if (r < 0)
			return r;
		size = (uint64_t)st.st_size;
	}
	*ret_bytes = size - size % f->block_bytes;
	return 0;
}

/* The size that was asked for against the one that is there. Nothing is ever cut off here. */
static int open_size(struct opening *o)
{
	struct file *f = o->f;
	int r;

	if (o->size_bytes % f->block_bytes)
		return refuse(o, -EINVAL, "size=%llu: must be a multiple of %u",
			(unsigned long long)o->size_bytes, f->block_bytes);
	r = file_get_size(f, &f->size_bytes);
	if (r < 0)
		return refuse(o, r, "tells no size: %s", err_text(r));
	if (o->size_bytes > f->size_bytes) {
		if (f->device || f->readonly)
			return refuse(o, -EINVAL, "has %llu bytes, fewer than size=%llu",
				(unsigned long long)f->size_bytes,
				(unsigned long long)o->size_bytes);
		r = loops_ftruncate(f->loops, f->fd, o->size_bytes);
		if (r == 0)
			r = loops_fsync(f->loops, f->fd, true);
		if (r < 0)
			return refuse(o, r, "cannot be grown: %s", err_text(r));
		f->size_bytes = o->size_bytes;
	} else if (o->size_bytes && o->size_bytes < f->size_bytes) {
		log_obj(LOG_LEVEL_WARN, "file", f->name,
			"%s: has %llu bytes, more than size=%llu: all of it is used", f->path,
			(unsigned long long)f->size_bytes, (unsigned long long)o->size_bytes);
	}
	if (!f->size_bytes)
		return refuse(o, -EINVAL, "is empty; size=10G, say, gives it a size");
	return 0;
}

static int open_space(struct opening *o)
{
	struct file *f = o->f;
	int r;

	if (!o->prealloc || !o->made)
		return 0;
	r = file_fallocate(f, 0, 0, f->size_bytes);
	if (r == 0)
		r = loops_fsync(f->loops, f->fd, true);
	return r < 0 ? refuse(o, r, "prealloc=yes: %s", err_text(r)) : 0;
}

/* A hole at or before the end is found wherever the file system knows them. */
static void open_map(struct file *f)
{
	f->can_map = !f->device && loops_lseek(f->loops, f->fd, 0, SEEK_HOLE) >= 0;
}

static int open_all(struct opening *o, unsigned block)
{
	struct file *f = o->f;
	int r = open_look(o);

	if (r == -ENOENT)
		r = open_make(o);
	if (r == 0)
		r = open_fd(o);
	if (r == 0)
		r = open_lock(o);
	if (r == 0)
		r = open_blocks(o, block);
	if (r == 0)
		r = open_direct(o);
	if (r == 0)
		r = open_size(o);
	if (r == 0)
		r = open_space(o);
	if (r < 0)
		return r;
	if (f->device)
		file_probe_device(f);
	file_probe_fallocate(f);
	open_map(f);
	return 0;
}

int file_open_path(struct file *f, const struct ulio_open_args *args)
{
	const struct ulio_param *p = args->params;
	struct opening o = { .f = f, .args = args };
	unsigned n = args->nparams;
	int r;

	o.size_bytes = param_u64(file_params, p, n, "size");
	o.direct = param_choice(file_params, p, n, "direct");
	o.create = param_bool(file_params, p, n, "create");
	o.prealloc = param_bool(file_params, p, n, "prealloc");
	f->sync = param_bool(file_params, p, n, "sync");
	f->readonly = param_bool(file_params, p, n, "readonly");
	o.shared = !param_bool(file_params, p, n, "exclusive");
	r = open_all(&o, param_choice(file_params, p, n, "block"));
	/* Leave nothing behind that was not there before. */
	if (r < 0 && o.made)
		loops_unlink(f->loops, f->path);
	return r;
}
