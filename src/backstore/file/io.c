/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io.c: requests to a file. Each is a chain of operations of the loop: reads or writes until all is
 * transferred, or fallocate with its substitutes, then a flush where one was asked for.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "backstore/file/file_priv.h"
#include "block/zero.h"
#include "loop/pool.h"

/* ---- requests ------------------------------------------------------------------------------- */

static struct file_req *req_new(struct file *f, struct ulio_bio *b)
{
	struct bio *bio = bio_of(b);
	struct file_slot *slot = &f->slots[loop_index(bio->loop)];
	struct list *n = list_pop_front(&slot->stock);
	struct file_req *req;

	if (n) {
		req = container_of(n, struct file_req, link);
		slot->nstock--;
	} else {
		req = calloc(1, sizeof(*req));
		if (!req)
			return NULL;
		list_init(&req->link);
		req->file = f;
	}
	req->bio = bio;
	req->id = b->id;
	req->off_bytes = b->off_bytes;
	req->left_bytes = b->len_bytes;
	req->iov = b->iov;
	req->niov = b->niov;
	req->retries = 0;
	req->stop = false;
	b->backstore_data = req;
	return req;
}

void file_req_end(struct file_req *req, int res)
{
	struct file *f = req->file;
	struct bio *bio = req->bio;
	struct file_slot *slot = &f->slots[loop_index(bio->loop)];
	uint64_t id = req->id;
	int64_t answer = res;

	if (res == 0 && atomic_load_explicit(&f->failed, memory_order_relaxed))
		answer = -EIO;
	else if (res == 0 && (bio->b.op == ULIO_OP_READ || bio->b.op == ULIO_OP_WRITE))
		answer = (int64_t)bio->b.len_bytes;
	file_bounce_free(req);
	free(req->zero_iov);
	free(req->iov_copy);
	req->zero_iov = req->iov_copy = NULL;
	req->bio = NULL;
	if (slot->nstock < FILE_STOCK_MAX) {
		list_push_front(&slot->stock, &req->link);
		slot->nstock++;
	} else {
		free(req);
	}
	ulio_bio_answer(&bio->b, id, answer);
}

void file_slots_done(struct file *f)
{
	for (unsigned i = 0; f->slots && i < loops_count(f->loops); i++) {
		struct file_req *req, *tmp;

		list_for_each_safe (req, tmp, &f->slots[i].stock, struct file_req, link)
			free(req);
	}
	free(f->slots);
}

static void flushed(struct flush_wait *w)
{
	file_req_end(container_of(w, struct file_req, flush), w->res);
}

static void req_flush(struct file_req *req)
{
	req->flush.loop = req->bio->loop;
	req->flush.done = flushed;
	file_flush(req->file, &req->flush);
}

/* What changed the file has been done; durable too, if that was asked for. */
static void change_end(struct file_req *req, bool durable_already)
{
	const struct file *f = req->file;
	bool fua = req->bio->b.flags & ULIO_BIO_FUA;

	if ((fua || f->sync) && !durable_already)
		req_flush(req);
	else
		file_req_end(req, 0);
}

/* Worth another try: nothing happened. */
static bool req_retry(struct file_req *req, int res)
{
	return (res == -EINTR || res == -EAGAIN) && !req->stop && ++req->retries < FILE_RETRIES_MAX;
}

/* ---- read, write ---------------------------------------------------------------------------- */

/*
 * With direct I/O the loop's DSYNC makes FUA. Through the page cache a flush afterwards does,
 * because the error of such a write would not tell whether older data were lost with it.
 */
static bool writes_dsync(const struct file_req *req)
{
	return req->file->direct && !req->file->sync && (req->bio->b.flags & ULIO_BIO_FUA);
}

/* Errors of a DSYNC write that say that it was not done, and nothing about the disk's cache. */
static bool harmless(int res)
{
	static const int list[] = { -ENOSPC, -EDQUOT, -EFBIG, -ENOMEM, -EINTR, -EAGAIN, -EINVAL,
		-ECANCELED, -EBADF };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (res == list[i])
			return true;
	return false;
}

/*
 * Go on behind the first n bytes of the window, of which more are left. The list is the caller's
 * and is not changed: from here on it is a copy of the rest. False: no memory.
 */
static bool window_advance(struct file_req *req, uint64_t n)
{
	while (n >= req->iov->iov_len) {
		n -= req->iov->iov_len;
		req->iov++;
		req->niov--;
	}
	if (n == 0)
		return true;
	if (!req->iov_copy) {
		req->iov_copy = malloc(req->niov * sizeof(struct iovec));
		if (!req->iov_copy)
			return false;
		memcpy(req->iov_copy, req->iov, req->niov * sizeof(struct iovec));
		req->iov = req->iov_copy;
	}
	req->iov->iov_base = (char *)req->iov->iov_base + n;
	req->iov->iov_len -= n;
	return true;
}

/* The next step of writing zeroes. */
static int zero_fill(struct file_req *req)
{
	uint64_t left = req->left_bytes;
	uint32_t run_bytes;
	const void *run = zero_run_get(req->bio, &run_bytes);

	if (!run)
		return -ENOMEM;
	req->iov = req->zero_iov;
	for (req->niov = 0; req->niov < FILE_ZERO_IOV && left; req->niov++) {
		struct iovec *v = &req->iov[req->niov];

		v->iov_base = (void *)run;
		v->iov_len = left < run_bytes ? left : run_bytes;
		left -= v->iov_len;
	}
	return 0;
}

static void rw_done(struct loop_op *op, int res);

static void rw_go(struct file_req *req)
{
	struct file *f = req->file;
	struct loop *loop = req->bio->loop;
	unsigned niov;

	if (req->bounce) {
		file_bounce_fill(req);
	} else if (req->zero_iov && zero_fill(req) < 0) {
		file_req_end(req, -ENOMEM);
		return;
	}
	niov = req->niov < FILE_IOV_MAX ? req->niov : FILE_IOV_MAX;
	req->op.done = rw_done;
	if (req->bio->b.op == ULIO_OP_READ)
		loop_read(loop, &req->op, f->fd, req->iov, niov, req->off_bytes);
	else
		loop_write(loop, &req->op, f->fd, req->iov, niov, req->off_bytes,
			writes_dsync(req) ? LOOP_DSYNC : 0);
}

static void rw_failed(struct file_req *req, int res)
{
	if (req->bio->b.op != ULIO_OP_READ && writes_dsync(req) && !harmless(res))
		file_fail(req->file, "a write that was to be durable failed", res);
	file_req_end(req, res);
}

static void rw_done(struct loop_op *op, int res)
{
	struct file_req *req = container_of(op, struct file_req, op);
	uint64_t n;

	if (req_retry(req, res)) {
		rw_go(req);
		return;
	}
	if (res < 0) {
		rw_failed(req, res);
		return;
	}
	assert((uint64_t)res <= req->left_bytes);
	n = (uint64_t)res;
	/* After a short transfer direct I/O can go on at a block only. */
	if (n < req->left_bytes)
		n -= n % req->file->off_align;
	if (n == 0 && res > 0 && !req->stop && ++req->retries < FILE_RETRIES_MAX) {
		rw_go(req);
		return;
	}
	/* The end of the file: it is shorter than it was. Never make up zeroes. */
	if (n == 0) {
		rw_failed(req, -EIO);
		return;
	}
	req->retries = 0;
	if (req->bounce) {
		file_bounce_took(req, n);
	} else if (!req->zero_iov && n < req->left_bytes && !window_advance(req, n)) {
		file_req_end(req, -ENOMEM);
		return;
	}
	req->off_bytes += n;
	req->left_bytes -= n;
	if (req->left_bytes == 0)
		change_end(req,
			req->bio->b.op == ULIO_OP_READ || writes_dsync(req) || req->file->sync);
	else if (req->stop)
		file_req_end(req, -ECANCELED);
	else
		rw_go(req);
}

static void file_rw(struct file_req *req)
{
	if (file_needs_bounce(req->file, &req->bio->b)) {
		int r = file_bounce_new(req);

		if (r < 0) {
			file_req_end(req, r);
			return;
		}
	}
	rw_go(req);
}

static void zero_by_write(struct file_req *req)
{
	req->zero_iov = calloc(FILE_ZERO_IOV, sizeof(struct iovec));
	if (!req->zero_iov)
		file_req_end(req, -ENOMEM);
	else
		rw_go(req);
}

/* ---- discard, zero -------------------------------------------------------------------------- */

/* Ways to clear a range, the best first; where one is lacking the next is taken. */
enum clear_way { CLEAR_PUNCH, CLEAR_ZERO_RANGE, CLEAR_WRITE };

static const int clear_modes[] = {
	[CLEAR_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	[CLEAR_ZERO_RANGE] = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
};

static void clear_done(struct loop_op *op, int res);

static void clear_go(struct file_req *req)
{
	const struct file *f = req->file;

	if (req->clear_way == CLEAR_PUNCH &&
		(!f->can_punch || (req->bio->b.op == ULIO_OP_ZERO &&
					  !(req->bio->b.flags & ULIO_BIO_MAY_UNMAP))))
		req->clear_way = CLEAR_ZERO_RANGE;
	if (req->clear_way == CLEAR_ZERO_RANGE && !f->can_zero_range)
		req->clear_way = CLEAR_WRITE;
	if (req->clear_way == CLEAR_WRITE) {
		zero_by_write(req);
		return;
	}
	req->op.done = clear_done;
	loop_fallocate(req->bio->loop, &req->op, f->fd, clear_modes[req->clear_way], req->off_bytes,
		req->left_bytes);
}

static void clear_done(struct loop_op *op, int res)
{
	struct file_req *req = container_of(op, struct file_req, op);

	if (req_retry(req, res)) {
		clear_go(req);
	} else if (res == -EOPNOTSUPP && !req->stop) {
		req->clear_way++;
		clear_go(req);
	} else if (res < 0) {
		file_req_end(req, res);
	} else {
		change_end(req, false);
	}
}

static int discard_work(void *arg)
{
	struct file_req *req = arg;
	uint64_t range[2] = { req->off_bytes, req->left_bytes };

	return ioctl(req->file->fd, BLKDISCARD, range) < 0 ? -errno : 0;
}

static void discard_done(struct loop_op *op, int res)
{
	struct file_req *req = container_of(op, struct file_req, op);

	/* A device promises nothing about what was discarded: it may well stay. */
	if (res < 0 && res != -EOPNOTSUPP)
		file_req_end(req, res);
	else
		change_end(req, false);
}

static void file_clear(struct file_req *req)
{
	req->clear_way = CLEAR_PUNCH;
	if (req->left_bytes == 0) {
		file_req_end(req, 0);
	} else if (req->file->device && req->bio->b.op == ULIO_OP_DISCARD) {
		req->op.done = discard_done;
		loop_work(req->bio->loop, &req->op, discard_work, req);
	} else {
		clear_go(req);
	}
}

/* ---- the border ----------------------------------------------------------------------------- */

static void file_op_flush(struct file_req *req)
{
	if (req->file->sync || req->file->readonly)
		file_req_end(req, 0);
	else
		req_flush(req);
}

void file_submit(void *handle, struct ulio_bio *b)
{
	static void (*const ops[ULIO_OP_N])(struct file_req * req) = {
		[ULIO_OP_READ] = file_rw,
		[ULIO_OP_WRITE] = file_rw,
		[ULIO_OP_FLUSH] = file_op_flush,
		[ULIO_OP_DISCARD] = file_clear,
		[ULIO_OP_ZERO] = file_clear,
	};
	struct file *f = handle;
	struct file_req *req;

	if (atomic_load_explicit(&f->failed, memory_order_relaxed)) {
		ulio_bio_answer(b, b->id, -EIO);
		return;
	}
	req = req_new(f, b);
	if (req)
		ops[b->op](req);
	else
		ulio_bio_answer(b, b->id, -ENOMEM);
}

/* What the disk has already been asked cannot be taken back; only further steps can be left out. */
void file_cancel(void *handle, struct ulio_bio *b, uint64_t id)
{
	struct file_req *req = b->backstore_data;

	req->stop = true;
	if (loop_op_busy(&req->op))
		loop_cancel(req->bio->loop, &req->op);
}
