/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * util.c: what both benchmark programs need. See util.h.
 */
#include "bench/util.h"
#include "bench/limits.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void *xalloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		die("out of memory");
	return p;
}

uint64_t parse_size(const char *s)
{
	static const char units[] = "kmgt";
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(s, &end, 10);
	if (end == s || *s == '-' || errno)
		die("not a size: %s", s);
	for (int i = 0; *end && units[i]; i++) {
		if ((*end | 0x20) != units[i])
			continue;
		if (end[1] || n >> (64 - 10 * (i + 1)))
			die("not a size: %s", s);
		return n << (10 * (i + 1));
	}
	if (*end)
		die("not a size: %s", s);
	return n;
}

uint64_t parse_number(const char *s, uint64_t max)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(s, &end, 10);
	if (end == s || *end || *s == '-' || errno || n > max)
		die("not a number up to %llu: %s", (unsigned long long)max, s);
	return n;
}

int split_address(const char *s, char host[64], char port[8])
{
	const char *colon = strrchr(s, ':');
	size_t n;

	if (!colon || strlen(colon + 1) >= 8 || !colon[1])
		return -EINVAL;
	n = (size_t)(colon - s);
	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	}
	if (!n || n >= 64)
		return -EINVAL;
	memcpy(host, s, n);
	host[n] = 0;
	strcpy(port, colon + 1);
	return 0;
}

static struct addrinfo *resolve(const char *address, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *ai;
	char host[64], port[8];

	hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	if (split_address(address, host, port) || getaddrinfo(host, port, &hints, &ai))
		return NULL;
	return ai;
}

int socket_listen(const char *address)
{
	struct addrinfo *ai = resolve(address, AI_PASSIVE);
	int fd, one = 1, r = 0;

	if (!ai)
		return -EINVAL;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BENCH_BACKLOG))
		r = -errno;
	freeaddrinfo(ai);
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

int socket_connect(const char *address)
{
	struct addrinfo *ai = resolve(address, 0);
	int fd, one = 1, r = 0;

	if (!ai)
		return -EINVAL;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen) ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		r = -errno;
	freeaddrinfo(ai);
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

unsigned socket_port(int fd)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u = { .in6.sin6_family = AF_UNSPEC };
	socklen_t n = sizeof(u);

	if (getsockname(fd, &u.sa, &n))
		die("getsockname: %s", strerror(errno));
	return ntohs(u.sa.sa_family == AF_INET6 ? u.in6.sin6_port : u.in.sin_port);
}

bool text_next(char **p, char *end, char **ret_key, char **ret_value)
{
	char *eq;

	*end = 0;
	while (*p < end && !**p)
		(*p)++;
	if (*p >= end)
		return false;
	eq = strchr(*p, '=');
	if (!eq)
		return false;
	*eq = 0;
	*ret_key = *p;
	*ret_value = eq + 1;
	*p = eq + 1 + strlen(eq + 1) + 1;
	return true;
}
