/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limits.h: every named limit of the benchmark programs.
 */
#ifndef ULIO_BENCH_LIMITS_H
#define ULIO_BENCH_LIMITS_H

enum {
	BENCH_MRDSL = 262144, /* MaxRecvDataSegmentLength declared by both programs */
	BENCH_MAX_BURST = 1048576, /* offered; the smaller of both offers counts */
	BENCH_FIRST_BURST = 262144, /* likewise */
	BENCH_TEXT_MAX = 8192, /* bytes of keys in one login or text PDU */
	BENCH_WINDOW = 128, /* commands that bare lets a session have open */
	BENCH_CTL_DATA = 4096, /* longest answer of a command that is not READ */
	BENCH_TX_QUEUED = 4096, /* PDUs waiting to be sent at which reading stops */
	BENCH_EVENTS = 64, /* events taken by one epoll_wait */
	BENCH_BACKLOG = 128, /* of listen() */
	GEN_THREADS = 64, /* of the load generator */
	GEN_SESSIONS = 4096, /* likewise */
	GEN_CONNECTIONS = 64, /* of one session */
	GEN_QUEUE_DEPTH = 1024, /* commands of one session */
	GEN_BLOCK = 16 << 20, /* bytes of one command */
	GEN_ANSWER_SECONDS = 20, /* silence after which a run fails */
};

#endif
