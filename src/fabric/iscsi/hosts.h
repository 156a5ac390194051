/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hosts.h: what one address may take: connections, sessions, logins a second; and how long it has
 * to wait for the next guess of a secret once it has guessed wrong often enough.
 *
 * A host is an IPv4 address, or an IPv6 network of 64 bits: a host has all of that one's addresses.
 * It is kept while it has a connection or session, and for a while after that.
 *
 * Back-off: nobody is locked out, but from the moment on that an address has been wrong more than
 * failures_free times in a minute, its responses are judged one after the other, with a delay
 * between them that doubles with each wrong one. Delaying only the refusals would be no use: who
 * guesses on many connections at once takes silence for a no.
 *
 * Any thread. Times are those of the caller's loop, which may be a little behind those of others.
 */
#ifndef ULIO_FABRIC_ISCSI_HOSTS_H
#define ULIO_FABRIC_ISCSI_HOSTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/list.h"

/* What each may take; 0: no limit. LIO has none. */
struct host_limits {
	uint32_t connections, sessions, logins_per_s;
	uint32_t failures_free; /* wrong secrets in a minute that cost nothing */
	uint32_t backoff_max_s; /* the longest delay; 0: no back-off */
};

struct host {
	struct hash_str_node hash;
	char name[64]; /* "10.0.0.2", "2001:db8:1:2::/64" */
	struct list idle; /* in hosts->idle, the longest idle first, while nothing refers to it */
	uint32_t connections, sessions;
	uint64_t second_start_ns; /* of the second in which logins were counted */
	uint32_t logins; /* in that */
	uint32_t failures; /* in a row, with less than a minute between them */
	uint64_t failed_ns; /* the last one */
	uint64_t free_at_ns; /* when the next response may be judged */
};

struct hosts {
	pthread_mutex_t lock;
	struct host_limits limits;
	struct hash hash;
	struct list idle;
	uint32_t nidle;
};

void hosts_init(struct hosts *p);
/* No connection or session may be left. */
void hosts_done(struct hosts *p);

void hosts_set_limits(struct hosts *p, const struct host_limits *l);
struct host_limits hosts_limits(struct hosts *p);

/*
 * One more connection from that address, which hosts_leave() ends. NULL: out of memory; it has no
 * limits then. *ret_over: it is one more than allowed, and should not be let in.
 */
struct host *hosts_enter(struct hosts *p, const struct sockaddr_storage *addr, bool *ret_over);
void hosts_leave(struct hosts *p, struct host *host);

/* One more session. False: it is one more than allowed, and does not count. */
bool hosts_session(struct hosts *p, struct host *host);
void hosts_session_ended(struct hosts *p, struct host *host);

/* A login is begun. False: there were too many in this second. */
bool hosts_login(struct hosts *p, struct host *host, uint64_t now_ns);

/*
 * A response to a challenge has come: when it may be judged. now_ns: at once; UINT64_MAX: not at
 * all, since it would have to wait for longer than wait_ns.
 */
uint64_t hosts_judge_at(struct hosts *p, struct host *host, uint64_t now_ns, uint64_t wait_ns);
/* It was wrong. */
void hosts_failed(struct hosts *p, struct host *host, uint64_t now_ns);

#endif
