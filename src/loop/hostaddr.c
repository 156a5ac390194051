/* SPDX-License-Identifier: BSD-3-Clause */
/* hostaddr.c: a copy of the table of local routes, by rtnetlink(7). */
#include "loop/hostaddr.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_US = 100000 }; /* the kernel answers at once; a loop may be asking */

struct local_route {
	int family;
	unsigned bits; /* of the prefix */
	uint32_t interface;
	uint8_t addr[16];
};

struct hostaddrs {
	pthread_mutex_t lock;
	int fd; /* is told of changes; -1: not open */
	bool fresh; /* v is what there is, unless fd says otherwise */
	struct local_route *v;
	size_t n, cap;
};

/* Messages of the kernel, and their alignment; it sends no more than this at a time. */
union messages {
	struct nlmsghdr h;
	uint8_t bytes[32768];
};

struct hostaddrs *hostaddrs_new(void)
{
	struct hostaddrs *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	h->fd = -1;
	return h;
}

struct hostaddrs *hostaddrs_free(struct hostaddrs *h)
{
	if (!h)
		return NULL;
	if (h->fd >= 0)
		close(h->fd);
	pthread_mutex_destroy(&h->lock);
	free(h->v);
	free(h);
	return NULL;
}

static int netlink_open(int flags, uint32_t groups)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&nl, sizeof(nl))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The message at *at of so many bytes; *at goes on behind it. NULL: there is none. */
static const struct nlmsghdr *next_message(const union messages *buf, size_t got, size_t *at)
{
	const struct nlmsghdr *m = (const void *)(buf->bytes + *at);
	size_t left = *at < got ? got - *at : 0;

	if (left < sizeof(*m) || m->nlmsg_len < sizeof(*m) || m->nlmsg_len > left)
		return NULL;
	*at += NLMSG_ALIGN(m->nlmsg_len);
	return m;
}

/* ---- changes --------------------------------------------------------------------------------- */

static bool is_change(const struct nlmsghdr *m)
{
	switch (m->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return true;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return m->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg)) ||
		       ((const struct rtmsg *)NLMSG_DATA(m))->rtm_table == RT_TABLE_LOCAL;
	default:
		return false;
	}
}

/* Take what the kernel has told since; a queue that ran over may have held anything. */
static void take_changes(struct hostaddrs *h)
{
	union messages buf;
	ssize_t got;

	for (;;) {
		const struct nlmsghdr *m;
		size_t at = 0;

		got = recv(h->fd, &buf, sizeof(buf), MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got < 0 && errno != ENOBUFS && errno != EINTR) {
			close(h->fd);
			h->fd = -1;
			return;
		}
		if (got < 0) {
			h->fresh = false;
			continue;
		}
		while ((m = next_message(&buf, (size_t)got, &at)))
			h->fresh = h->fresh && !is_change(m);
	}
}

/* ---- the table ------------------------------------------------------------------------------- */

static bool add(struct hostaddrs *h, const struct local_route *r)
{
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 32;
		struct local_route *v = realloc(h->v, cap * sizeof(*v));

		if (!v)
			return false;
		h->v = v;
		h->cap = cap;
	}
	h->v[h->n++] = *r;
	return true;
}

/* False: memory is short. */
static bool take_route(struct hostaddrs *h, const struct nlmsghdr *m)
{
	const struct rtmsg *rt = NLMSG_DATA(m);
	const struct rtattr *a;
	struct local_route r = { 0 };
	int n; /* RTA_NEXT() may make it negative */

	if (m->nlmsg_type != RTM_NEWROUTE || m->nlmsg_len < NLMSG_LENGTH(sizeof(*rt)) ||
		rt->rtm_table != RT_TABLE_LOCAL || rt->rtm_type != RTN_LOCAL)
		return true;
	r.family = rt->rtm_family;
	r.bits = rt->rtm_dst_len;
	n = (int)(m->nlmsg_len - NLMSG_LENGTH(sizeof(*rt)));
	for (a = RTM_RTA(rt); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
		size_t len = RTA_PAYLOAD(a);

		if (a->rta_type == RTA_DST && len <= sizeof(r.addr))
			memcpy(r.addr, RTA_DATA(a), len);
		else if (a->rta_type == RTA_OIF && len == sizeof(r.interface))
			memcpy(&r.interface, RTA_DATA(a), len);
	}
	return r.bits > 8 * sizeof(r.addr) || add(h, &r);
}

static bool ask(int fd, int family)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg rt;
	} q = {
		.h = { .nlmsg_len = sizeof(q),
			.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.rt = { .rtm_family = (unsigned char)family, .rtm_table = RT_TABLE_LOCAL },
	};

	return send(fd, &q, sizeof(q), 0) == (ssize_t)sizeof(q);
}

/* All of one family. False: it could not be told; a family that is not there has none. */
static bool take_family(struct hostaddrs *h, int fd, int family)
{
	union messages buf;
	ssize_t got;

	if (!ask(fd, family))
		return false;
	while ((got = recv(fd, &buf, sizeof(buf), 0)) > 0 || (got < 0 && errno == EINTR)) {
		size_t n = got < 0 ? 0 : (size_t)got, at = 0;
		const struct nlmsghdr *m;

		while ((m = next_message(&buf, n, &at))) {
			if (m->nlmsg_flags & NLM_F_DUMP_INTR)
				h->fresh = false; /* it changed meanwhile: ask again next time */
			if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR)
				return true;
			if (!take_route(h, m))
				return false;
		}
	}
	return false;
}

/* False: rtnetlink may not be used here, or memory is short. */
static bool take_table(struct hostaddrs *h)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct timeval most = { .tv_usec = ANSWER_US };
	int fd = netlink_open(0, 0), one = 1;
	bool ok = fd >= 0;

	if (!ok)
		return false;
	/* Old kernels do not know it, and tell of all tables. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	h->n = 0;
	h->fresh = true;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && ok; i++)
		ok = take_family(h, fd, families[i]);
	h->fresh = h->fresh && ok;
	close(fd);
	return ok;
}

/* ---- questions ------------------------------------------------------------------------------- */

static bool covers(const struct local_route *r, const uint8_t *addr)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;

	return !memcmp(r->addr, addr, whole) &&
	       (!rest || !((r->addr[whole] ^ addr[whole]) >> (8 - rest)));
}

static bool in_table(const struct hostaddrs *h, const struct sockaddr *addr)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	sa_family_t family = addr->sa_family;
	const uint8_t *bytes;
	uint32_t interface = 0; /* 0: any */

	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		family = AF_INET;
		bytes = in6->sin6_addr.s6_addr + 12;
	} else if (family == AF_INET6) {
		bytes = in6->sin6_addr.s6_addr;
		if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			interface = in6->sin6_scope_id;
	} else {
		bytes = (const uint8_t *)&((const struct sockaddr_in *)addr)->sin_addr;
	}
	for (size_t i = 0; i < h->n; i++) {
		const struct local_route *r = &h->v[i];

		if (r->family == family && covers(r, bytes) &&
			(!interface || interface == r->interface))
			return true;
	}
	return false;
}

/* Where the table cannot be read: whether a socket can have the address. */
static bool can_bind(const struct sockaddr *addr, socklen_t addrlen)
{
	int fd = socket(addr->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage a = { 0 };
	bool has;

	if (fd < 0)
		return false;
	memcpy(&a, addr, addrlen);
	/* Of a port that nobody has; it lies at the same place in both families. */
	((struct sockaddr_in *)&a)->sin_port = 0;
	has = !bind(fd, (struct sockaddr *)&a, addrlen);
	close(fd);
	return has;
}

bool hostaddrs_has(struct hostaddrs *h, const struct sockaddr *addr, socklen_t addrlen)
{
	bool known, has = false;

	if (addrlen > sizeof(struct sockaddr_storage))
		return false;
	if (!(addr->sa_family == AF_INET && addrlen >= sizeof(struct sockaddr_in)) &&
		!(addr->sa_family == AF_INET6 && addrlen >= sizeof(struct sockaddr_in6)))
		return false;
	pthread_mutex_lock(&h->lock);
	if (h->fd < 0) {
		h->fresh = false;
		h->fd = netlink_open(0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
						RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	}
	if (h->fd >= 0)
		take_changes(h);
	/* Without word of changes the copy would grow old. */
	known = h->fd >= 0 && (h->fresh || take_table(h));
	if (known)
		has = in_table(h, addr);
	pthread_mutex_unlock(&h->lock);
	return known ? has : can_bind(addr, addrlen);
}
