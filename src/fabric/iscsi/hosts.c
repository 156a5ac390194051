/* SPDX-License-Identifier: BSD-3-Clause */
/* hosts.c: what one address takes. */
#include "fabric/iscsi/hosts.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fabric/iscsi/limits.h"

void hosts_init(struct hosts *p)
{
	memset(p, 0, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	hash_init(&p->hash);
	list_init(&p->idle);
	p->limits.failures_free = HOST_FAILURES_FREE;
	p->limits.backoff_max_s = HOST_BACKOFF_MAX_S;
}

static void forget(struct hosts *p, struct host *host)
{
	list_del(&host->idle);
	p->nidle--;
	hash_str_remove(&p->hash, &host->hash);
	free(host);
}

void hosts_done(struct hosts *p)
{
	while (!list_empty(&p->idle))
		forget(p, list_first(&p->idle, struct host, idle));
	hash_done(&p->hash);
	pthread_mutex_destroy(&p->lock);
}

void hosts_set_limits(struct hosts *p, const struct host_limits *l)
{
	pthread_mutex_lock(&p->lock);
	p->limits = *l;
	pthread_mutex_unlock(&p->lock);
}

struct host_limits hosts_limits(struct hosts *p)
{
	struct host_limits l;

	pthread_mutex_lock(&p->lock);
	l = p->limits;
	pthread_mutex_unlock(&p->lock);
	return l;
}

/* ---- who ------------------------------------------------------------------------------------- */

static void name_of(const struct sockaddr_storage *addr, char *buf, size_t cap)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (addr->ss_family == AF_INET6) {
		struct in6_addr net = ((const struct sockaddr_in6 *)addr)->sin6_addr;

		/* ::ffff:10.0.0.1 is an IPv4 address that a socket for both has accepted. */
		if (IN6_IS_ADDR_V4MAPPED(&net)) {
			inet_ntop(AF_INET, &net.s6_addr[12], text, sizeof(text));
			snprintf(buf, cap, "%s", text);
			return;
		}
		memset(&net.s6_addr[8], 0, 8);
		inet_ntop(AF_INET6, &net, text, sizeof(text));
		snprintf(buf, cap, "%s/64", text);
	} else if (addr->ss_family == AF_INET) {
		inet_ntop(
			AF_INET, &((const struct sockaddr_in *)addr)->sin_addr, text, sizeof(text));
		snprintf(buf, cap, "%s", text);
	} else {
		snprintf(buf, cap, "local");
	}
}

/* Under the lock: nothing refers to it, or something does again. */
static void update_idle(struct hosts *p, struct host *host)
{
	bool idle = !host->connections && !host->sessions;

	if (idle == list_linked(&host->idle))
		return;
	if (!idle) {
		list_del(&host->idle);
		p->nidle--;
		return;
	}
	list_push_back(&p->idle, &host->idle);
	if (++p->nidle > HOSTS_IDLE_MAX)
		forget(p, list_first(&p->idle, struct host, idle));
}

static struct host *find_or_make(struct hosts *p, const char *name)
{
	struct hash_str_node *n = hash_str_find(&p->hash, name);
	struct host *host;

	if (n)
		return container_of(n, struct host, hash);
	host = calloc(1, sizeof(*host));
	if (!host)
		return NULL;
	list_init(&host->idle);
	snprintf(host->name, sizeof(host->name), "%s", name);
	hash_str_insert(&p->hash, &host->hash, host->name);
	return host;
}

struct host *hosts_enter(struct hosts *p, const struct sockaddr_storage *addr, bool *ret_over)
{
	char name[sizeof(((struct host *)0)->name)];
	struct host *host;

	*ret_over = false;
	name_of(addr, name, sizeof(name));
	pthread_mutex_lock(&p->lock);
	host = find_or_make(p, name);
	if (host) {
		host->connections++;
		*ret_over = p->limits.connections && host->connections > p->limits.connections;
		update_idle(p, host);
	}
	pthread_mutex_unlock(&p->lock);
	return host;
}

void hosts_leave(struct hosts *p, struct host *host)
{
	if (!host)
		return;
	pthread_mutex_lock(&p->lock);
	assert(host->connections);
	host->connections--;
	update_idle(p, host);
	pthread_mutex_unlock(&p->lock);
}

bool hosts_session(struct hosts *p, struct host *host)
{
	bool ok = true;

	if (!host)
		return true;
	pthread_mutex_lock(&p->lock);
	if (p->limits.sessions && host->sessions >= p->limits.sessions)
		ok = false;
	else
		host->sessions++;
	pthread_mutex_unlock(&p->lock);
	return ok;
}

void hosts_session_ended(struct hosts *p, struct host *host)
{
	if (!host)
		return;
	pthread_mutex_lock(&p->lock);
	assert(host->sessions);
	host->sessions--;
	update_idle(p, host);
	pthread_mutex_unlock(&p->lock);
}

/* ---- how fast -------------------------------------------------------------------------------- */

/*
 * Time gone by since then. Each loop looks at the clock once an iteration, so one may be called
 * with a time before that which another one has noted a moment ago: then it is none.
 */
static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

bool hosts_login(struct hosts *p, struct host *host, uint64_t now_ns)
{
	bool ok = true;

	if (!host)
		return true;
	pthread_mutex_lock(&p->lock);
	if (since(host->second_start_ns, now_ns) >= NS_PER_S) {
		host->second_start_ns = now_ns;
		host->logins = 0;
	}
	if (p->limits.logins_per_s && host->logins >= p->limits.logins_per_s)
		ok = false;
	else
		host->logins++;
	pthread_mutex_unlock(&p->lock);
	return ok;
}

/* Under the lock: what was wrong long ago is forgotten. */
static void forgive(struct host *host, uint64_t now_ns)
{
	if (host->failures && since(host->failed_ns, now_ns) >= HOST_FORGET_NS)
		host->failures = 0;
}

/* The time between two responses, after so many that were wrong. */
static uint64_t delay_of(const struct host_limits *l, uint32_t failures)
{
	uint64_t max = l->backoff_max_s * NS_PER_S, delay = HOST_BACKOFF_FIRST_NS;

	if (failures <= l->failures_free)
		return 0;
	for (uint32_t i = l->failures_free + 1; i < failures && delay < max; i++)
		delay *= 2;
	return delay < max ? delay : max;
}

uint64_t hosts_judge_at(struct hosts *p, struct host *host, uint64_t now_ns, uint64_t wait_ns)
{
	uint64_t at = now_ns, delay;

	if (!host)
		return now_ns;
	pthread_mutex_lock(&p->lock);
	forgive(host, now_ns);
	delay = delay_of(&p->limits, host->failures);
	if (delay) {
		if (host->free_at_ns > now_ns)
			at = host->free_at_ns;
		if (at - now_ns > wait_ns)
			at = UINT64_MAX;
		else
			host->free_at_ns = at + delay;
	}
	pthread_mutex_unlock(&p->lock);
	return at;
}

void hosts_failed(struct hosts *p, struct host *host, uint64_t now_ns)
{
	uint64_t delay;

	if (!host)
		return;
	pthread_mutex_lock(&p->lock);
	forgive(host, now_ns);
	host->failures++;
	if (host->failed_ns < now_ns)
		host->failed_ns = now_ns;
	delay = delay_of(&p->limits, host->failures);
	if (host->free_at_ns < now_ns + delay)
		host->free_at_ns = now_ns + delay;
	pthread_mutex_unlock(&p->lock);
}
