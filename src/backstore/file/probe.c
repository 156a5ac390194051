/* SPDX-License-Identifier: BSD-3-Clause */
/* probe.c: what a file, its file system and its device can do. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backstore/file/file_priv.h"
#include "loop/pool.h"

/* ---- direct I/O ----------------------------------------------------------------------------- */

/* Is a read of n bytes at 0 into aligned memory taken? */
static bool direct_reads(const struct file *f, int fd, uint32_t n)
{
	void *buf = aligned_alloc(4096, 4096);
	bool ok = buf && loops_pread(f->loops, fd, buf, n, 0) >= 0;

	free(buf);
	return ok;
}

static int direct_by_trial(struct file *f, int fd, char *why, size_t why_bytes)
{
	for (uint32_t n = 512; n <= 4096; n *= 8) {
		if (direct_reads(f, fd, n)) {
			f->mem_align = f->off_align = n;
			return 0;
		}
	}
	snprintf(why, why_bytes, "a direct read fails");
	return -EINVAL;
}

static bool align_ok(uint32_t v)
{
	return v <= POOL_PAGE_BYTES && (v & (v - 1)) == 0;
}

/* fd is open with O_DIRECT. 0: it works, the alignments are set. Else *why. */
int file_probe_direct(struct file *f, int fd, char *why, size_t why_bytes)
{
	struct statx sx;

	memset(&sx, 0, sizeof(sx));
	if (!f->host || statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) < 0 ||
		!(sx.stx_mask & STATX_DIOALIGN))
		return direct_by_trial(f, fd, why, why_bytes);
	if (!sx.stx_dio_offset_align || !sx.stx_dio_mem_align) {
		snprintf(why, why_bytes, "the file system says that it cannot");
		return -EINVAL;
	}
	f->mem_align = sx.stx_dio_mem_align;
	f->off_align = sx.stx_dio_offset_align;
	if (!align_ok(f->mem_align) || !align_ok(f->off_align)) {
		snprintf(why, why_bytes, "it asks for an alignment of %u and %u bytes",
			f->mem_align, f->off_align);
		return -EINVAL;
	}
	return 0;
}

/* ---- devices -------------------------------------------------------------------------------- */

/* A number from the queue directory of a device, which is one level up for a partition. */
static bool queue_number(struct file *f, uint64_t dev, const char *what, uint64_t *ret)
{
	static const char *const forms[] = { "/sys/dev/block/%u:%u/queue/%s",
		"/sys/dev/block/%u:%u/../queue/%s" };
	char path[160], *text;
	size_t n;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		snprintf(path, sizeof(path), i ? forms[1] : forms[0], major(dev), minor(dev), what);
		if (loops_read_file(f->loops, path, 4096, &text, &n) < 0)
			continue;
		*ret = strtoull(text, NULL, 10);
		free(text);
		return true;
	}
	return false;
}

void file_probe_rotational(struct file *f, uint64_t dev)
{
	uint64_t v;

	f->rotational = f->host && queue_number(f, dev, "rotational", &v) && v;
}

/* Of an open block device. */
void file_probe_device(struct file *f)
{
	struct stat st;
	unsigned phys = 0;
	unsigned opt = 0;
	uint64_t v;

	if (ioctl(f->fd, BLKPBSZGET, &phys) == 0 && phys >= f->block_bytes)
		f->physical_bytes = phys;
	if (ioctl(f->fd, BLKIOOPT, &opt) == 0)
		f->optimal_bytes = opt;
	if (loops_fstat(f->loops, f->fd, &st) < 0)
		return;
	file_probe_rotational(f, st.st_rdev);
	f->can_discard = !f->readonly && queue_number(f, st.st_rdev, "discard_max_bytes", &v) && v;
	if (f->can_discard && queue_number(f, st.st_rdev, "discard_granularity", &v) &&
		v <= UINT32_MAX)
		f->discard_bytes = (uint32_t)v;
	/* Unmapping with the promise of zeroes; the kernel zeroes every device in some way. */
	f->can_punch = !f->readonly &&
		       queue_number(f, st.st_rdev, "write_zeroes_unmap_max_bytes", &v) && v;
	f->can_zero_range = !f->readonly;
}

/* ---- fallocate ------------------------------------------------------------------------------ */

struct fallocate_call {
	struct loop_op op;
	struct loop_event event;
	const struct file *f;
	int mode, res;
	uint64_t off_bytes, len_bytes;
};

static void fallocate_done(struct loop_op *op, int res)
{
	struct fallocate_call *c = container_of(op, struct fallocate_call, op);

	c->res = res;
	loop_event_signal(&c->event);
}

static void fallocate_start(struct loop *loop, void *arg)
{
	struct fallocate_call *c = arg;

	c->op.done = fallocate_done;
	loop_fallocate(loop, &c->op, c->f->fd, c->mode, c->off_bytes, c->len_bytes);
}

int file_fallocate(struct file *f, int mode, uint64_t off_bytes, uint64_t len_bytes)
{
	struct fallocate_call *c = calloc(1, sizeof(*c));
	struct loop *loop = loops_get(f->loops, 0);
	int r;

	if (!c)
		return -ENOMEM;
	c->f = f;
	c->mode = mode;
	c->off_bytes = off_bytes;
	c->len_bytes = len_bytes;
	loop_event_init(&c->event, f->loops);
	loops_call(f->loops, loop, fallocate_start, c);
	/* However long it takes: it has our memory and our descriptor. */
	while (loop_event_wait(&c->event, UINT64_C(1000000000) * FILE_WAIT_S) < 0)
		;
	r = c->res;
	free(c);
	return r;
}

/*
 * Try at the end of the file, where nothing is: punch a hole, and zero a range, which may have
 * taken space that the second hole gives back.
 */
void file_probe_fallocate(struct file *f)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const int zero = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	uint64_t end = (f->size_bytes + 4095) & ~UINT64_C(4095);

	if (f->readonly || f->device)
		return;
	f->can_punch = file_fallocate(f, punch, end, 4096) == 0;
	f->can_zero_range = file_fallocate(f, zero, end, 4096) == 0;
	if (f->can_zero_range && f->can_punch)
		file_fallocate(f, punch, end, 4096);
}
