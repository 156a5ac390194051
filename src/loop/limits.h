/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limits.h: the named limits of the loop layer, each with its reason.
 */
#ifndef ULIO_LOOP_LIMITS_H
#define ULIO_LOOP_LIMITS_H

enum {
	/* Loops of a set: more than the CPUs of any machine that serves storage. */
	LOOPS_MAX = 512,
	/*
	 * Timers armed on one loop. Their heap is reserved address space, 16 bytes each; a
	 * connection has a handful, so descriptors run out first.
	 */
	LOOP_TIMERS_MAX = 1 << 22,
	/*
	 * Buffers of loop_recv_buf() per loop (64 KiB each, memory only while touched). An
	 * operation that finds none waits until one is put back.
	 */
	LOOP_BUFS_MAX = 1024,
	/* Free buffers that keep their memory; others give it back to the kernel. */
	LOOP_BUFS_WARM = 64,

	/*
	 * Worker threads of a set, started when work waits and none is idle. A stuck disk or
	 * network file system holds a worker per request, hence far more than CPUs.
	 */
	WORKERS_MAX = 128,
	/* Of those, how many the file operations of one descriptor may hold at a time. */
	WORKERS_PER_FILE_MAX = 16,
	/* Workers that file operations never take, so that loop_work() gets on while disks hang. */
	WORKERS_RESERVED = 16,
	/* An idle worker ends after this long. */
	WORKER_IDLE_S = 10,

	/*
	 * How often what was deferred is run in a round: a disk's answer, and the sending of the
	 * response that it leads to, with one to spare.
	 */
	DEFER_PASSES = 3,

	/* Entries of the submission queue; a full one is submitted early. */
	URING_SQ_ENTRIES = 1024,
	URING_CQ_ENTRIES = 8192,
	/*
	 * Kernel threads of one ring for file operations that block. The kernel's default is a
	 * few per CPU, which some stuck requests would use up.
	 */
	URING_IOWQ_MAX = 128,
	/*
	 * Receive buffers that the kernel holds at a time. It takes them in turn, so a small ring
	 * keeps the memory in the CPU's cache; it is filled up whenever completions were handled.
	 */
	URING_RING_BUFS = 32,

	/* Name of a network namespace, in bytes. */
	LOOP_NETNS_BYTES_MAX = 63,

	/* Descriptors that epoll reports at a time. */
	EPOLL_EVENTS_MAX = 256,
	/* Connections that are accepted before others have their turn. */
	ACCEPT_BATCH = 64,

	/* Pause of accept when descriptors or memory have run out. */
	ACCEPT_PAUSE_MS = 100,

	/* Pages: chunk count that a loop keeps although all its pages are free. */
	POOL_CHUNKS_KEPT = 16,
	/* Wholly free chunks of the process whose memory is kept (256 KiB each). */
	POOL_CHUNKS_WARM = 256,
	/* Partly free chunks that are tried for a contiguous run before a fresh one is taken. */
	POOL_CHUNKS_TRIED = 4,
	/* Free pages in partly free chunks are used up first if they are more than a 1/n-th ... */
	POOL_SLACK_PART = 16,
	/* ... and no fewer chunks than this are in use. */
	POOL_CHUNKS_UNSPARED = 64,
	/* Chunks that one message of a loop gives back, so that it does not hold up I/O. */
	POOL_CHUNKS_TRIMMED = 32,
};

#endif
