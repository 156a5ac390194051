/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.h: the named limits of RAM disks. */
#ifndef ULIO_BACKSTORE_RAM_LIMITS_H
#define ULIO_BACKSTORE_RAM_LIMITS_H

/* The table of leaves of a disk of 16 TiB takes 64 MiB. */
#define RAM_SIZE_MAX (UINT64_C(16) << 40)

enum {
	/* Disks leave 1/8 of the pool to the data of commands: a full disk must not stop others. */
	RAM_KEEP_FREE = 8,
	/* Part of what is left of that, and pages, that a disk may take before it looks again. */
	RAM_GRANT_PART = 16,
	RAM_GRANT_MAX = 4096,
	/* New pages taken at once for one request. */
	RAM_BATCH_BYTES = 256 << 10,
	/* Pages, or missing leaves, that DISCARD visits in one turn: about a millisecond. */
	RAM_CLEAR_STEPS = 16384,
};

/*
 * Pages that come with a write take the place of the disk's own from this length of a piece on. In
 * shorter ones they are copied over those: it costs less than what follows when neighbours on the
 * disk are neighbours in memory no more.
 */
#define RAM_EXCHANGE_BYTES 32768u

#endif
