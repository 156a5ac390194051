/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen.h: structures of the load generator: what to do (options), one session, one thread.
 */
#ifndef ULIO_BENCH_GEN_H
#define ULIO_BENCH_GEN_H

#include "bench/hist.h"
#include "bench/limits.h"
#include "bench/rx.h"
#include "bench/txq.h"

#include <stdatomic.h>
#include <stdbool.h>

struct gen_options {
	const char *portal; /* "host:port" */
	const char *target; /* NULL: the first that SendTargets tells */
	const char *initiator;
	uint64_t lun; /* as in the wire's eight bytes */
	unsigned threads, sessions;
	unsigned connections; /* of each session */
	unsigned depth; /* commands in flight on each connection */
	uint32_t bytes; /* of one command */
	unsigned write_percent;
	bool random, verify, copy, initial_r2t, immediate, json, idle;
	uint64_t span; /* bytes of the disk that are used; 0: all of it */
	uint64_t count; /* commands in all; 0: by time */
	double seconds, warmup;
	uint64_t seed;
	uint32_t mrdsl, first_burst, max_burst; /* offered */
	int cpus[GEN_THREADS]; /* to pin threads to, in turn */
	unsigned ncpus;
};

/* What login and READ CAPACITY settled. */
struct gen_params {
	uint32_t peer_mrdsl, first_burst, max_burst;
	bool initial_r2t, immediate;
	uint32_t block;
	uint64_t nblocks;
};

struct gen_task {
	bool busy, write;
	uint32_t gen; /* verify: generation of the block that is written or expected */
	uint64_t at; /* first byte on the disk */
	uint64_t started_ns;
	uint32_t done; /* bytes of Data-In that came, or of data sent */
	uint8_t *buf; /* data to write, place for data read */
};

/* What the connections of a session share; threads take numbers from it. */
struct gen_window {
	_Atomic uint32_t cmdsn, maxcmdsn;
	uint16_t tsih;
};

/* Numbers of one session of commands; written by its thread alone. */
struct gen_stats {
	uint64_t reads, writes;
	struct hist latency;
};

struct gen_thread;

/* One connection of a session. */
struct gen_sess {
	const struct gen_options *o;
	struct gen_thread *thread; /* NULL while logging in */
	unsigned index; /* among all connections */
	uint16_t cid; /* 0: the leading connection */
	struct gen_window own, *w; /* w: that of the leading connection */
	int fd;
	struct gen_params p;
	struct rx rx;
	struct txq tx;
	uint32_t expstatsn;
	uint32_t itt_base; /* tags are unique in the session */
	uint32_t tag; /* ITT of the set-up's next command */
	struct gen_task *tasks; /* o->depth */
	uint32_t *free_tasks; /* stack of indices of those that are not busy */
	unsigned nfree;
	uint64_t rng;
	uint64_t next; /* sequential: number of the next command */
	uint64_t base, blocks; /* its share of the disk, in commands */
	uint32_t *generations; /* verify: last acknowledged, one per block of o->bytes */
	uint8_t *pattern; /* data of writes that are not verified */
	bool watch_out;
};

struct gen_thread {
	const struct gen_options *o;
	int cpu, epoll;
	struct gen_sess **sess;
	unsigned nsess;
	uint64_t now_ns, measure_ns, end_ns; /* clock; begin and end of what counts */
	uint64_t budget; /* commands it may still start */
	unsigned busy; /* commands in flight */
	struct gen_stats stats;
	uint64_t first_ns, last_ns; /* of the commands that count */
};

/*
 * gen_login.c: blocking set-up of one session. They die with a message if the target refuses.
 * gen_join() adds a connection to the session of lead; gen_logout() of one that is not the leading
 * one closes it alone.
 */
void gen_discover(const struct gen_options *o, char *ret_name, size_t size);
void gen_login(struct gen_sess *s, bool discovery);
void gen_join(struct gen_sess *s, struct gen_sess *lead, uint16_t cid);
void gen_logout(struct gen_sess *s);

/* gen_data.c: pattern of a block, a function of its place, its generation and the seed. */
void gen_fill(const struct gen_options *o, uint8_t *buf, uint64_t at, uint32_t gen);
/* Offset of the first wrong byte, or -1. */
long gen_check(const struct gen_options *o, const uint8_t *buf, uint64_t at, uint32_t off,
	uint32_t bytes, uint32_t gen);

/* gen_sess.c: start commands while there may be more, handle what came, send. */
void gen_sess_init(struct gen_sess *s);
void gen_sess_done(struct gen_sess *s);
void gen_sess_start(struct gen_sess *s);
void gen_sess_receive(struct gen_sess *s, int flags);
void gen_sess_flush(struct gen_sess *s);

uint64_t gen_clock(void);

#endif
