/* SPDX-License-Identifier: BSD-3-Clause */
/* bounce.c: direct I/O of data that do not lie as it wants them, by way of aligned pages. */
#include <errno.h>
#include <stdlib.h>

#include "backstore/file/file_priv.h"
#include "loop/pool.h"

struct file_bounce {
	struct cursor data; /* in the request's own memory: what is next */
	uint32_t bytes; /* size of the pages */
	int npages;
	struct iovec pages[FILE_BOUNCE_IOV]; /* owned */
	struct iovec iov[FILE_BOUNCE_IOV]; /* of this step */
};

bool file_needs_bounce(const struct file *f, const struct ulio_bio *b)
{
	uintptr_t bad = 0;

	if (!f->direct)
		return false;
	for (uint32_t i = 0; i < b->niov; i++)
		bad |= ((uintptr_t)b->iov[i].iov_base & (f->mem_align - 1)) |
		       (b->iov[i].iov_len & (f->off_align - 1));
	return bad != 0;
}

int file_bounce_new(struct file_req *req)
{
	const struct ulio_bio *b = &req->bio->b;
	struct file_bounce *bo = calloc(1, sizeof(*bo));

	if (!bo)
		return -ENOMEM;
	bo->bytes = b->len_bytes < FILE_BOUNCE_BYTES ? (uint32_t)b->len_bytes : FILE_BOUNCE_BYTES;
	bo->npages = pages_alloc(
		req->file->loops, req->bio->loop, bo->bytes, bo->pages, FILE_BOUNCE_IOV);
	if (bo->npages < 0) {
		int r = bo->npages;

		free(bo);
		return r;
	}
	bo->data = cursor_begin(b->iov, b->niov);
	req->bounce = bo;
	return 0;
}

void file_bounce_free(struct file_req *req)
{
	struct file_bounce *bo = req->bounce;

	if (!bo)
		return;
	pages_unref(req->file->loops, bo->pages, (unsigned)bo->npages);
	free(bo);
	req->bounce = NULL;
}

/* Make req->iov the next step; for a WRITE, with the data. */
void file_bounce_fill(struct file_req *req)
{
	struct file_bounce *bo = req->bounce;
	uint64_t left = req->left_bytes < bo->bytes ? req->left_bytes : bo->bytes;
	struct cursor c = bo->data;
	unsigned n = 0;

	for (; left; n++) {
		bo->iov[n] = bo->pages[n];
		if (bo->iov[n].iov_len > left)
			bo->iov[n].iov_len = left;
		left -= bo->iov[n].iov_len;
		if (req->bio->b.op == ULIO_OP_WRITE)
			cursor_get(&c, bo->iov[n].iov_base, bo->iov[n].iov_len);
	}
	req->iov = bo->iov;
	req->niov = n;
}

/* n bytes of the step were transferred. */
void file_bounce_took(struct file_req *req, uint64_t n)
{
	struct file_bounce *bo = req->bounce;

	if (req->bio->b.op == ULIO_OP_WRITE) {
		cursor_skip(&bo->data, n);
		return;
	}
	for (unsigned i = 0; n; i++) {
		uint64_t piece = bo->pages[i].iov_len < n ? bo->pages[i].iov_len : n;

		cursor_put(&bo->data, bo->pages[i].iov_base, piece);
		n -= piece;
	}
}
