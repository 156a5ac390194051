/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_file.c: open files of the simulator: operations of loops, the blocking calls, faults, and
 * where the power goes. Every change of the disk passes power_step(), which counts it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/iov.h"
#include "loop/sim_priv.h"

/* Time that an operation takes at most where no faults were set, and that its answer takes. */
enum { DELAY_US = 100, ANSWER_US = 20 };
enum { DIRECT_ALIGN = 512 };

struct sim_file {
	struct list link; /* in sim.files */
	struct sim_inode *ino; /* ref */
	int flags;
	unsigned nops; /* operations of loops */
	uint64_t last_ns; /* when the last one of those in order runs */
};

/* ---- power and faults --------------------------------------------------------------------- */

enum power {
	POWER_ON,
	POWER_GOES, /* during this change: it happens, is not synced, and fails */
	POWER_OFF,
};

static enum power power_step(struct sim *sim)
{
	if (sim_disk_cut(sim->disk))
		return POWER_OFF;
	if (++sim->file_ops != sim->cut_at)
		return POWER_ON;
	sim_disk_set_cut(sim->disk);
	return POWER_GOES;
}

static bool fault(struct sim *sim, unsigned per_mille)
{
	return per_mille && rng_chance(&sim->rng, per_mille < 1000 ? per_mille : 1000, 1000);
}

/* How many of n bytes are moved. */
static size_t fault_short(struct sim *sim, size_t n)
{
	size_t unit = n > DIRECT_ALIGN ? DIRECT_ALIGN : 1;

	if (n < 2 || !fault(sim, sim->faults.short_io))
		return n;
	return (1 + rng_below(&sim->rng, (n - 1) / unit)) * unit;
}

void sim_set_faults(struct loops *loops, const struct sim_faults *f)
{
	sim_of(loops)->faults = *f;
}

void sim_power_cut_at(struct loops *loops, uint64_t nth_op)
{
	sim_of(loops)->cut_at = nth_op;
}

bool sim_power_is_cut(const struct loops *loops)
{
	return sim_disk_cut(sim_of(loops)->disk);
}

uint64_t sim_file_ops(const struct loops *loops)
{
	return sim_of(loops)->file_ops;
}

void sim_attach_disk(struct loops *loops, struct sim_disk *d)
{
	struct sim *sim = sim_of(loops);

	assert(list_empty(&sim->files));
	if (sim->own_disk)
		sim_disk_free(sim->disk);
	sim->own_disk = false;
	sim->disk = d;
}

/* ---- what an operation does --------------------------------------------------------------- */

static struct sim_file *file_of(struct sim *sim, int fd)
{
	return sim_fd_get(sim, fd, SIM_FD_FILE);
}

static bool direct_wrong(const struct sim_file *f, const void *mem, uint64_t n, uint64_t off)
{
	return (f->flags & O_DIRECT) && (((uintptr_t)mem | n | off) % DIRECT_ALIGN);
}

static int64_t file_read(struct sim *sim, struct sim_file *f, void *buf, size_t n, uint64_t off)
{
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (direct_wrong(f, buf, n, off))
		return -EINVAL;
	if (sim_disk_cut(sim->disk) || fault(sim, sim->faults.io_error))
		return -EIO;
	return (int64_t)sim_inode_read(f->ino, buf, fault_short(sim, n), off);
}

static int64_t file_write(
	struct sim *sim, struct sim_file *f, const void *buf, size_t n, uint64_t off, bool dsync)
{
	enum power power;
	bool fails;

	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (direct_wrong(f, buf, n, off))
		return -EINVAL;
	if (!n)
		return 0;
	power = power_step(sim);
	if (power == POWER_OFF)
		return -EIO;
	fails = fault(sim, sim->faults.io_error);
	n = fault_short(sim, n);
	if (fails && rng_chance(&sim->rng, 1, 2))
		return -EIO; /* nothing was written; else all was, and the answer is lost */
	sim_inode_write(f->ino, buf, n, off);
	if (fails || power == POWER_GOES)
		return -EIO;
	if (dsync || (f->flags & O_DSYNC)) /* O_SYNC includes it */
		sim_inode_sync_last(f->ino, n, off);
	return (int64_t)n;
}

static int file_sync(struct sim *sim, struct sim_file *f)
{
	if (power_step(sim) != POWER_ON)
		return -EIO;
	if (fault(sim, sim->faults.io_error)) {
		sim_inode_sync_failed(f->ino);
		return -EIO;
	}
	sim_inode_sync(f->ino);
	return 0;
}

static int file_fallocate(struct sim *sim, struct sim_file *f, int mode, uint64_t off, uint64_t n)
{
	bool zero = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	bool keep = mode & FALLOC_FL_KEEP_SIZE;
	enum power power;

	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (!n || off + n > INT64_MAX)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE) ||
		((mode & FALLOC_FL_PUNCH_HOLE) && !keep))
		return -EOPNOTSUPP;
	power = power_step(sim);
	if (power == POWER_OFF || fault(sim, sim->faults.io_error))
		return -EIO;
	if (zero)
		sim_inode_zero(f->ino, n, off);
	if (!keep && off + n > sim_inode_size(f->ino))
		sim_inode_set_size(f->ino, off + n);
	if (power == POWER_GOES)
		return -EIO;
	if (f->flags & O_DSYNC)
		sim_inode_sync(f->ino);
	return 0;
}

/* ---- operations of loops ------------------------------------------------------------------ */

static int64_t op_transfer(struct sim *sim, struct sim_file *f, struct op_priv *p)
{
	size_t n = iov_bytes(p->file.iov, p->niov);
	void *buf = NULL;
	int64_t res;

	for (unsigned i = 0; i < p->niov; i++)
		if (direct_wrong(f, p->file.iov[i].iov_base, p->file.iov[i].iov_len, p->file.off))
			return -EINVAL;
	if (posix_memalign(&buf, DIRECT_ALIGN, n ? n : 1))
		return -ENOMEM;
	if (p->kind == OP_READ) {
		res = file_read(sim, f, buf, n, p->file.off);
		if (res > 0)
			iov_copy_in(p->file.iov, p->niov, 0, buf, (size_t)res);
	} else {
		iov_copy_out(buf, p->file.iov, p->niov, 0, n);
		res = file_write(sim, f, buf, n, p->file.off, p->file.mode & LOOP_DSYNC);
	}
	free(buf);
	return res;
}

static int64_t op_sync(struct sim *sim, struct sim_file *f, struct op_priv *p)
{
	return file_sync(sim, f);
}

static int64_t op_fallocate(struct sim *sim, struct sim_file *f, struct op_priv *p)
{
	return file_fallocate(sim, f, p->file.mode, p->file.off, p->file.len);
}

static int64_t (*const file_ops[])(struct sim *sim, struct sim_file *f, struct op_priv *p) = {
	[OP_READ] = op_transfer,
	[OP_WRITE] = op_transfer,
	[OP_FSYNC] = op_sync,
	[OP_FALLOCATE] = op_fallocate,
};

static void op_answer(struct sim *sim, void *arg)
{
	struct loop_op *op = arg;

	sim_fin_push(op->loop, op);
}

static void op_run(struct sim *sim, void *arg)
{
	struct loop_op *op = arg;
	struct op_priv *p = op_priv(op);
	struct sim_file *f = file_of(sim, p->fd);

	/* A cancel may or may not have been in time. */
	if ((p->flags & OPF_CANCELLED) && rng_chance(&sim->rng, 1, 2))
		p->res = -ECANCELED;
	else
		p->res = f ? (int)file_ops[p->kind](sim, f, p) : -EBADF;
	if (f)
		f->nops--;
	sim_at(sim, ANSWER_US * NS_PER_US, op_answer, op);
}

void sim_file_start(struct loop *loop, struct loop_op *op)
{
	struct sim *sim = sim_of(loop->loops);
	struct sim_file *f = file_of(sim, op_priv(op)->fd);
	uint64_t max_us = sim->faults.delay_max_us ? sim->faults.delay_max_us : DELAY_US;
	uint64_t at = sim->now_ns + rng_below(&sim->rng, max_us * NS_PER_US + 1);

	if (f) {
		f->nops++;
		if (!fault(sim, sim->faults.reorder)) {
			if (at < f->last_ns)
				at = f->last_ns;
			f->last_ns = at + 1;
		}
	}
	sim_at_time(sim, at, op_run, op);
}

/* ---- blocking calls ----------------------------------------------------------------------- */

static int file_make(struct sim *sim, const char *path, mode_t mode, struct sim_inode **ret)
{
	enum power power = power_step(sim);
	int r;

	if (power == POWER_OFF)
		return -EIO;
	r = sim_disk_make(sim->disk, path, mode, ret);
	return r ? r : power == POWER_GOES ? -EIO : 0;
}

static int file_truncate(struct sim *sim, struct sim_inode *ino, uint64_t size)
{
	enum power power = power_step(sim);

	if (power == POWER_OFF)
		return -EIO;
	sim_inode_set_size(ino, size);
	return power == POWER_GOES ? -EIO : 0;
}

static int sim_open(struct loops *loops, const char *path, int flags, mode_t mode)
{
	struct sim *sim = sim_of(loops);
	struct sim_inode *ino = NULL;
	struct sim_file *f;
	int r;

	if (sim_disk_cut(sim->disk))
		return -EIO;
	r = sim_disk_lookup(sim->disk, path, &ino);
	if (!r && (flags & O_CREAT) && (flags & O_EXCL))
		r = -EEXIST;
	else if (r == -ENOENT && (flags & O_CREAT))
		r = file_make(sim, path, S_IFREG | (mode & 07777), &ino);
	else if (!r && sim_inode_is_dir(ino))
		r = -EISDIR;
	if (!r && (flags & O_TRUNC) && sim_inode_size(ino))
		r = file_truncate(sim, ino, 0);
	if (r)
		return r;
	f = sim_alloc(sizeof(*f));
	f->ino = sim_inode_ref(ino);
	f->flags = flags;
	list_push_back(&sim->files, &f->link);
	return sim_fd_new(sim, SIM_FD_FILE, f);
}

static void file_free(struct sim_file *f)
{
	list_del(&f->link);
	sim_inode_unref(f->ino);
	free(f);
}

void sim_file_close(struct sim *sim, int fd)
{
	struct sim_file *f = file_of(sim, fd);

	assert(f && !f->nops);
	file_free(f);
}

void sim_file_free(struct sim *sim)
{
	for (struct list *n; (n = list_pop_front(&sim->files));)
		file_free(container_of(n, struct sim_file, link));
}

static int sim_close_fd(struct loops *loops, int fd)
{
	struct sim *sim = sim_of(loops);

	if (fd < 0 || (unsigned)fd >= sim->nfds || sim->fds[fd].kind == SIM_FD_NONE)
		return -EBADF;
	sim_fd_close(sim, fd);
	return 0;
}

static int64_t sim_pread(struct loops *loops, int fd, void *buf, size_t n, uint64_t off)
{
	struct sim_file *f = file_of(sim_of(loops), fd);

	return f ? file_read(sim_of(loops), f, buf, n, off) : -EBADF;
}

static int64_t sim_pwrite(struct loops *loops, int fd, const void *buf, size_t n, uint64_t off)
{
	struct sim_file *f = file_of(sim_of(loops), fd);

	return f ? file_write(sim_of(loops), f, buf, n, off, false) : -EBADF;
}

static int sim_fsync(struct loops *loops, int fd, bool datasync)
{
	struct sim_file *f = file_of(sim_of(loops), fd);

	return f ? file_sync(sim_of(loops), f) : -EBADF;
}

static int sim_ftruncate(struct loops *loops, int fd, uint64_t size)
{
	struct sim_file *f = file_of(sim_of(loops), fd);

	if (!f)
		return -EBADF;
	if ((f->flags & O_ACCMODE) == O_RDONLY || size > INT64_MAX)
		return -EINVAL;
	return file_truncate(sim_of(loops), f->ino, size);
}

static int sim_fstat(struct loops *loops, int fd, struct stat *ret)
{
	struct sim_file *f = file_of(sim_of(loops), fd);

	if (!f)
		return -EBADF;
	sim_inode_stat(f->ino, ret);
	return 0;
}

static int64_t sim_lseek(struct loops *loops, int fd, int64_t off, int whence)
{
	struct sim_file *f = file_of(sim_of(loops), fd);
	int64_t size;

	if (!f)
		return -EBADF;
	size = (int64_t)sim_inode_size(f->ino);
	if (whence == SEEK_SET)
		return off < 0 ? -EINVAL : off;
	if (whence == SEEK_END)
		return off < -size ? -EINVAL : size + off;
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (off < 0 || off >= size)
		return -ENXIO;
	off = (int64_t)sim_inode_seek(f->ino, (uint64_t)off, whence == SEEK_DATA);
	return whence == SEEK_DATA && off == size ? -ENXIO : off;
}

static int sim_rename(struct loops *loops, const char *from, const char *to)
{
	struct sim *sim = sim_of(loops);
	enum power power = power_step(sim);
	int r;

	if (power == POWER_OFF)
		return -EIO;
	r = sim_disk_rename(sim->disk, from, to);
	return r ? r : power == POWER_GOES ? -EIO : 0;
}

static int sim_unlink(struct loops *loops, const char *path)
{
	struct sim *sim = sim_of(loops);
	enum power power = power_step(sim);
	int r;

	if (power == POWER_OFF)
		return -EIO;
	r = sim_disk_unlink(sim->disk, path);
	return r ? r : power == POWER_GOES ? -EIO : 0;
}

static int sim_mkdir(struct loops *loops, const char *path, mode_t mode)
{
	struct sim_inode *ino;

	return file_make(sim_of(loops), path, S_IFDIR | (mode & 07777), &ino);
}

static int sim_fsync_dir(struct loops *loops, const char *dir)
{
	struct sim *sim = sim_of(loops);

	if (power_step(sim) != POWER_ON || fault(sim, sim->faults.io_error))
		return -EIO;
	return sim_disk_fsync_dir(sim->disk, dir);
}

const struct loop_sys loop_sys_sim = {
	.listen = sim_listen,
	.has_address = sim_has_address,
	.peername = sim_peername,
	.sockname = sim_sockname,
	.open = sim_open,
	.close = sim_close_fd,
	.pread = sim_pread,
	.pwrite = sim_pwrite,
	.fsync = sim_fsync,
	.ftruncate = sim_ftruncate,
	.fstat = sim_fstat,
	.lseek = sim_lseek,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.mkdir = sim_mkdir,
	.fsync_dir = sim_fsync_dir,
};
