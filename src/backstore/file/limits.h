/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.h: the named limits of file and device backstores. */
#ifndef ULIO_BACKSTORE_FILE_LIMITS_H
#define ULIO_BACKSTORE_FILE_LIMITS_H

enum {
	/* Entries of one read or write: IOV_MAX of Linux. */
	FILE_IOV_MAX = 1024,
	/* Data that direct I/O cannot take as they lie are moved in pieces of this. */
	FILE_BOUNCE_BYTES = 256 << 10,
	FILE_BOUNCE_IOV = FILE_BOUNCE_BYTES / 4096,
	/* Zeroes written at a time where the file system cannot zero by itself. */
	FILE_ZERO_IOV = 16,
	/* Idle requests kept per file and loop. */
	FILE_STOCK_MAX = 64,
	/* Short transfers without progress, or interrupted ones, in a row. */
	FILE_RETRIES_MAX = 16,
	/* Between two looks of the control thread at an operation that it waits for. */
	FILE_WAIT_S = 60,
};

#endif
