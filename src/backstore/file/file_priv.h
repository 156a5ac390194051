/* SPDX-License-Identifier: BSD-3-Clause */
/* file_priv.h: what the files of this folder share. */
#ifndef ULIO_BACKSTORE_FILE_PRIV_H
#define ULIO_BACKSTORE_FILE_PRIV_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "backstore/file/limits.h"
#include "block/backstore.h"
#include "block/cursor.h"

struct file_req;

/* Somebody who waits for a flush. */
struct flush_wait {
	struct list link;
	struct loop *loop; /* where done runs */
	void (*done)(struct flush_wait *w); /* res: 0 or -errno */
	struct loop_msg msg;
	int res;
};

/* What one loop has of a file. */
struct file_slot {
	alignas(64) struct list stock; /* struct file_req, idle */
	unsigned nstock;
};

struct file {
	struct loops *loops; /* borrowed */
	char *name, *path;
	int fd;
	bool host; /* a real file: not one of the simulator */
	bool device; /* a block device */
	bool readonly;
	bool direct; /* O_DIRECT */
	bool sync; /* O_DSYNC: no volatile cache */
	bool can_punch, can_zero_range, can_discard, can_map;
	bool rotational;
	uint32_t block_bytes, physical_bytes, optimal_bytes, discard_bytes;
	/* What direct I/O asks of addresses, and of offsets and lengths; 1 if buffered. */
	uint32_t mem_align, off_align;
	uint64_t size_bytes; /* control thread */

	struct file_slot *slots; /* one per loop */

	/* A flush has failed: every request does from then on. */
	_Atomic bool failed;

	/* One flush at a time, for all that wait (flush.c). */
	pthread_mutex_t flush_lock;
	struct list flush_waiting; /* struct flush_wait */
	struct list flush_batch; /* those that the flush under way is for */
	bool flushing;
	struct loop_op flush_op;
	struct loop *flush_loop; /* of flush_op */
};

/* One request while it is under way. */
struct file_req {
	struct loop_op op;
	struct file *file;
	struct bio *bio;
	uint64_t id; /* of the bio */
	struct list link; /* in stock */
	struct flush_wait flush;

	uint64_t off_bytes; /* where it is */
	uint64_t left_bytes;
	unsigned retries;
	bool stop; /* cancelled: no further step */

	/* Data not yet transferred, as they lie: a window of the bio's iov, or of the copy. */
	struct iovec *iov;
	unsigned niov;
	struct iovec *iov_copy; /* owned, NULL until one is needed */

	/* Direct I/O of data that lie unaligned. */
	struct file_bounce *bounce; /* owned, NULL if there is no need */
	/* Zeroes being written. */
	struct iovec *zero_iov; /* owned */
	unsigned clear_way; /* io.c: how a range is being cleared */
};

/* open.c: 0 or -errno with a sentence in args->err. */
int file_open_path(struct file *f, const struct ulio_open_args *args);
/* Where the size is now, in whole blocks. */
int file_get_size(struct file *f, uint64_t *ret_bytes);
extern const struct ulio_param_doc file_params[];

/* probe.c: fill in what the medium can do. */
int file_probe_direct(struct file *f, int fd, char *why, size_t why_bytes);
void file_probe_device(struct file *f);
void file_probe_rotational(struct file *f, uint64_t dev);
void file_probe_fallocate(struct file *f);
/* fallocate(2) by way of a loop; control thread, blocks. */
int file_fallocate(struct file *f, int mode, uint64_t off_bytes, uint64_t len_bytes);

/* io.c */
void file_submit(void *handle, struct ulio_bio *b);
void file_cancel(void *handle, struct ulio_bio *b, uint64_t id);
void file_slots_done(struct file *f);
/* The end of a request, on its loop: 0 or -errno. */
void file_req_end(struct file_req *req, int res);

/*
 * flush.c: make all that was written before durable: w->loop and w->done are set, and done runs on
 * that loop, never from inside of the call unless a flush had failed before. Loop: w->loop.
 */
void file_flush(struct file *f, struct flush_wait *w);
/* The same, waiting. Control thread. */
int file_flush_blocking(struct file *f);
/* A flush, or a write that includes one, has failed. */
void file_fail(struct file *f, const char *what, int res);

/* bounce.c: a transfer by way of aligned memory. */
bool file_needs_bounce(const struct file *f, const struct ulio_bio *b);
int file_bounce_new(struct file_req *req); /* 0 or -errno */
void file_bounce_free(struct file_req *req);
void file_bounce_fill(struct file_req *req);
void file_bounce_took(struct file_req *req, uint64_t n);

#endif
