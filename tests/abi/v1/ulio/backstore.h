/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backstore.h: the interface between uliod and its backstores, public and installed. A backstore
 * stores blocks; it is asked for block operations and knows nothing of SCSI. The ones that come
 * with uliod use this interface, and so do plugins, which are shared objects:
 *
 *	#include <ulio/backstore.h>
 *	static const struct ulio_backstore_ops ops = { ULIO_BACKSTORE_HEADER, .kind = "my", ... };
 *	ULIO_BACKSTORE_PLUGIN(ops)
 *
 * Rules, for all of it:
 *
 *  - submit() is called on an I/O thread, for several requests and from several threads at once.
 *    It must not block: it starts the request, or answers it.
 *  - Each request is answered once, by ulio_bio_answer(), from any thread, at any time: before
 *    submit() returns too. From the answer on the request and the memory it points to are not the
 *    backstore's any more.
 *  - open(), close(), map(), resize() and set() may block. open, close, resize and set of one
 *    backstore are never called at the same time; map() and submit() may run beside all but open
 *    and close.
 *  - Structures grow at their end. The first member of each is its size as its maker knew it.
 */
#ifndef ULIO_BACKSTORE_H
#define ULIO_BACKSTORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes only when old plugins cannot work any more. */
#define ULIO_BACKSTORE_ABI 1

/* Operations. Offsets and lengths are bytes, multiples of info.block_bytes, inside of the disk. */
enum ulio_bio_op {
	ULIO_OP_READ, /* len > 0; answer: len */
	ULIO_OP_WRITE, /* len > 0; answer: len */
	ULIO_OP_FLUSH, /* all that was answered before is on stable storage; answer: 0 */
	ULIO_OP_DISCARD, /* the content is of no more interest; see ULIO_INFO_DISCARD_ZEROES */
	ULIO_OP_ZERO, /* reads as zeroes afterwards; never falls short of that */
	ULIO_OP_N
};

/* ulio_bio.flags */
enum {
	/*
	 * WRITE, DISCARD, ZERO: on stable storage before it is answered. A backstore without
	 * ULIO_INFO_VOLATILE_CACHE does so anyway.
	 */
	ULIO_BIO_FUA = 1 << 0,
	/* ZERO: the space may be given back. */
	ULIO_BIO_MAY_UNMAP = 1 << 1,
	/* Never set for plugins; see src/block/bio.h. */
	ULIO_BIO_LEND = 1 << 2,
	ULIO_BIO_GIVE = 1 << 3,
};

struct ulio_host;

/* One request. */
struct ulio_bio {
	uint32_t size; /* of this struct */
	uint16_t op; /* enum ulio_bio_op */
	uint16_t flags;
	uint64_t off_bytes;
	uint64_t len_bytes;
	/* READ, WRITE: the data. Neither this array nor what a WRITE points to may be modified. */
	struct iovec *iov;
	uint32_t niov;
	uint32_t iov_cap; /* entries that iov has room for (LEND) */
	/*
	 * Names this use of the struct, which is used again after its answer: keep the number with
	 * the pointer when you queue a request. A second answer is then found out and ignored.
	 */
	uint64_t id;
	const struct ulio_host *host;
	void *backstore_data; /* the backstore's, until the answer */
	/* Set from the answer: 0 or -errno. The backstore leaves it alone. */
	int result;
};

/* What uliod offers to a backstore. */
struct ulio_host {
	uint32_t size;
	uint32_t abi;
	void (*answer)(struct ulio_bio *bio, uint64_t id, int64_t res);
	/* A line in uliod's log. level 0: error, 1: warning, 2: info, 3: debug. Any thread. */
	void (*log)(int level, const char *backstore, const char *text);
};

/*
 * Answer a request. Any thread.
 *	id	bio->id as it was in submit()
 *	res	READ, WRITE: the bytes transferred, which must be all; else 0; or -errno. The usual
 *		errors: -EIO, -ENOSPC (thin provisioning ran out), -ENOMEM and -EAGAIN (try later),
 *		-EROFS, -ENXIO and -ENODEV (the device is gone), -ECANCELED (by cancel()),
 *		-EILSEQ (stored data damaged)
 */
static inline void ulio_bio_answer(struct ulio_bio *bio, uint64_t id, int64_t res)
{
	bio->host->answer(bio, id, res);
}

/* What a backstore is like. ulio_backstore_info.flags: */
enum {
	ULIO_INFO_READONLY = 1 << 0,
	/*
	 * An answered WRITE may still be lost at power failure unless FUA or FLUSH said otherwise.
	 * Never leave it out when it is so: initiators then do not flush.
	 */
	ULIO_INFO_VOLATILE_CACHE = 1 << 1,
	ULIO_INFO_DISCARD = 1 << 2, /* DISCARD gives space back */
	ULIO_INFO_DISCARD_ZEROES = 1 << 3, /* what was discarded reads as zeroes, always */
	ULIO_INFO_ZERO = 1 << 4, /* ZERO works; uliod writes zeroes for those without */
	ULIO_INFO_ZERO_UNMAPS = 1 << 5, /* ZERO with MAY_UNMAP gives space back */
	ULIO_INFO_THIN = 1 << 6, /* space is taken when it is written */
	ULIO_INFO_MAP = 1 << 7, /* map() tells true */
	ULIO_INFO_ROTATIONAL = 1 << 8,
	/* Never set by plugins; see src/block/bio.h. */
	ULIO_INFO_LENDS = 1 << 9,
	ULIO_INFO_TAKES = 1 << 10,
};

struct ulio_backstore_info {
	uint32_t size;
	uint32_t flags;
	uint64_t size_bytes; /* whole blocks */
	uint32_t block_bytes; /* unit of all offsets and lengths: a power of two, 512..65536 */
	uint32_t physical_bytes; /* writes of less cost more; 0: block_bytes */
	uint32_t optimal_bytes; /* good length of a transfer, 0: unknown */
	uint32_t max_io_bytes; /* longest READ or WRITE, 0: no limit */
	uint64_t max_discard_bytes; /* longest DISCARD or ZERO, 0: no limit */
	uint32_t discard_bytes; /* DISCARD works on multiples of it, 0: block_bytes */
	uint32_t reserved;
};

/* Settings, as in "path=/dev/sdb". */
struct ulio_param {
	const char *key;
	const char *value;
};

enum ulio_param_type {
	ULIO_PARAM_STRING,
	ULIO_PARAM_BOOL, /* yes no (also on off true false 1 0) */
	ULIO_PARAM_UINT, /* within min and max */
	ULIO_PARAM_SIZE, /* bytes, with K M G T P (powers of 1024), within min and max */
	ULIO_PARAM_CHOICE /* one of choices */
};

enum {
	ULIO_PARAM_REQUIRED = 1 << 0,
	ULIO_PARAM_LIVE = 1 << 1, /* set() takes it while the backstore is open */
};

/*
 * What settings there are: help texts, completion and checks are made of it, so open() sees known
 * keys with valid values only. The first is the one that may be given without its key.
 */
struct ulio_param_doc {
	const char *key; /* NULL ends the table */
	uint32_t type; /* enum ulio_param_type */
	uint32_t flags;
	uint64_t min, max; /* max 0: no limit */
	const char *choices; /* "yes|no|auto" */
	const char *preset; /* what holds when it is not given; NULL: nothing */
	const char *text; /* one sentence */
};

struct ulio_open_args {
	uint32_t size;
	uint32_t nparams;
	const char *name; /* of the new backstore, for messages; valid until close() */
	const struct ulio_param *params; /* valid during open() */
	const struct ulio_host *host; /* valid until close() */
	char *err; /* on failure: a sentence, without newline */
	uint64_t err_bytes;
};

/* One piece of the answer of map(). */
enum {
	ULIO_EXTENT_DATA, /* something is stored */
	ULIO_EXTENT_HOLE, /* nothing is; it reads as zeroes */
};

struct ulio_extent {
	uint64_t off_bytes;
	uint64_t len_bytes;
	uint32_t kind;
	uint32_t reserved;
};

struct ulio_backstore_ops {
	uint32_t size; /* these two by ULIO_BACKSTORE_HEADER */
	uint32_t abi;
	const char *kind; /* letters, digits, '-', '_' */
	const char *text; /* one sentence */
	const struct ulio_param_doc *params; /* may be NULL */

	/* 0 or -errno, then args->err says why. */
	int (*open)(const struct ulio_open_args *args, void **ret_handle);
	/* Every request has been answered. */
	void (*close)(void *handle);
	/* Fill in info; zeroed, with info->size set. Called after open() and after resize(). */
	void (*info)(void *handle, struct ulio_backstore_info *info);
	void (*submit)(void *handle, struct ulio_bio *bio);
	/*
	 * May be NULL. Please answer soon, with -ECANCELED or the true result. bio has been
	 * submitted and was not answered when cancel() was called, but may be by now.
	 */
	void (*cancel)(void *handle, struct ulio_bio *bio, uint64_t id);
	/*
	 * May be NULL. The extents that cover the range, in order, without gaps; at most max, then
	 * the rest of the range is asked for again. Returns how many (> 0) or -errno.
	 */
	int (*map)(void *handle, uint64_t off_bytes, uint64_t len_bytes, struct ulio_extent *ret,
		uint32_t max);
	/*
	 * May be NULL. Take a new size, 0: the one that the medium has now. When it gets smaller
	 * nobody uses the end any more. 0 or -errno with a sentence in err.
	 */
	int (*resize)(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes);
	/* May be NULL. Change settings that are ULIO_PARAM_LIVE. As resize. */
	int (*set)(void *handle, const struct ulio_param *params, uint32_t nparams, char *err,
		uint64_t err_bytes);
};

#define ULIO_BACKSTORE_HEADER .size = sizeof(struct ulio_backstore_ops), .abi = ULIO_BACKSTORE_ABI

/* What a plugin exports. host_abi: ULIO_BACKSTORE_ABI of uliod. NULL: cannot work with it. */
const struct ulio_backstore_ops *ulio_backstore_init(uint32_t host_abi);

#define ULIO_BACKSTORE_PLUGIN(ops)                                                                 \
	__attribute__((visibility("default"))) const struct ulio_backstore_ops *                   \
	ulio_backstore_init(uint32_t host_abi)                                                     \
	{                                                                                          \
		return host_abi == ULIO_BACKSTORE_ABI ? &(ops) : NULL;                             \
	}

#ifdef __cplusplus
}
#endif

#endif
