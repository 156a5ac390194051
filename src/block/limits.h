/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.h: the named limits of the block layer. */
#ifndef ULIO_BLOCK_LIMITS_H
#define ULIO_BLOCK_LIMITS_H

enum {
	BACKSTORE_NAME_MAX = 255, /* bytes of a name; as long as a file name */
	BACKSTORE_KIND_MAX = 32, /* bytes of a kind's name */
	BACKSTORE_KINDS_MAX = 64, /* kinds of one process, plugins included */
	BACKSTORE_PARAMS_MAX = 64, /* settings of one backstore */
	BACKSTORE_STACK_MAX = 8, /* filters upon each other, the disk included */
	BACKSTORE_SPEC_MAX = 8192, /* bytes of "kind:main,key=value|..." */
	BACKSTORE_ERR_MAX = 384, /* bytes of a backstore's error sentence */

	/* Idle requests kept per backstore and loop: what a deep queue uses again and again. */
	BIO_STOCK_MAX = 64,
	/* Requests of a round that a backstore gets together (prefetch()). */
	BIO_GATHERED_MAX = 32,
	/* Zeroes lent by a loop: small enough to stay in the cache, long enough for few entries. */
	ZERO_RUN_BYTES = 65536,
	/* Longest WRITE that stands in for a ZERO. */
	ZERO_WRITE_BYTES = 1 << 20,
};

/* Bounds of what a backstore may tell about itself. */
#define BACKSTORE_SIZE_MAX (UINT64_C(1) << 62)

enum {
	BACKSTORE_BLOCK_MIN = 512,
	BACKSTORE_BLOCK_MAX = 65536,
};

#endif
