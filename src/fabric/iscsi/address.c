/* SPDX-License-Identifier: BSD-3-Clause */
/* address.c: IP addresses as text and back. */
#include "fabric/iscsi/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

static const struct sockaddr_in *in4(const struct sockaddr_storage *ss)
{
	return (const struct sockaddr_in *)ss;
}

static const struct sockaddr_in6 *in6(const struct sockaddr_storage *ss)
{
	return (const struct sockaddr_in6 *)ss;
}

static bool is_mapped(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6(ss)->sin6_addr);
}

static int not_an_address(const char *text, struct errmsg *err)
{
	return errmsg_set(err, -EINVAL,
		"\"%.100s\" is no address: use 10.0.0.1:3260 or [2001:db8::1]:3260", text);
}

/* RFC 4007 11: the zone behind "%", by name or number. */
static int parse_zone(const char *zone, struct sockaddr_in6 *ret, struct errmsg *err)
{
	uint64_t index;

	if (!IN6_IS_ADDR_LINKLOCAL(&ret->sin6_addr))
		return errmsg_set(err, -EINVAL,
			"%%%.20s: an interface is named with link-local addresses (fe80::…) only",
			zone);
	if (num_parse_u64(zone, 1, UINT32_MAX, &index))
		index = if_nametoindex(zone);
	if (!index)
		return errmsg_set(err, -EINVAL,
			"%%%.20s: there is no such network interface: `ip link` lists them", zone);
	ret->sin6_scope_id = (uint32_t)index;
	return 0;
}

static int parse_v6(char *host, struct sockaddr_in6 *ret, const char *text, struct errmsg *err)
{
	char *zone = strchr(host, '%');

	if (zone)
		*zone++ = '\0';
	if (inet_pton(AF_INET6, host, &ret->sin6_addr) != 1)
		return not_an_address(text, err);
	if (zone)
		return parse_zone(zone, ret, err);
	if (IN6_IS_ADDR_LINKLOCAL(&ret->sin6_addr))
		return errmsg_set(err, -EINVAL,
			"\"%.100s\" is link-local: say on which interface, [fe80::1%%eth0]:3260",
			text);
	return 0;
}

int address_parse(const char *text, struct sockaddr_storage *ret, struct errmsg *err)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 3];
	uint64_t port;

	memset(ret, 0, sizeof(*ret));
	if (!n || n >= sizeof(host) || num_parse_u64(colon + 1, 1, 65535, &port))
		return not_an_address(text, err);
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		struct sockaddr_in6 *to = (struct sockaddr_in6 *)ret;

		host[n - 1] = '\0';
		to->sin6_family = AF_INET6;
		to->sin6_port = htons((uint16_t)port);
		return parse_v6(host + 1, to, text, err);
	}
	((struct sockaddr_in *)ret)->sin_family = AF_INET;
	((struct sockaddr_in *)ret)->sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &((struct sockaddr_in *)ret)->sin_addr) != 1)
		return not_an_address(text, err);
	return 0;
}

void address_format(const struct sockaddr_storage *ss, uint16_t port, char *buf, size_t cap)
{
	char ip[INET6_ADDRSTRLEN] = "?", end[8] = "";
	bool v6 = address_family(ss) == AF_INET6;

	if (v6)
		inet_ntop(AF_INET6, &in6(ss)->sin6_addr, ip, sizeof(ip));
	else if (is_mapped(ss))
		inet_ntop(AF_INET, in6(ss)->sin6_addr.s6_addr + 12, ip, sizeof(ip));
	else if (ss->ss_family == AF_INET)
		inet_ntop(AF_INET, &in4(ss)->sin_addr, ip, sizeof(ip));
	if (port)
		snprintf(end, sizeof(end), ":%u", port);
	snprintf(buf, cap, v6 ? "[%s]%s" : "%s%s", ip, end);
}

socklen_t address_bytes(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

uint16_t address_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET6 ? in6(ss)->sin6_port : in4(ss)->sin_port);
}

bool address_is_any(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return in4(ss)->sin_addr.s_addr == htonl(INADDR_ANY);
	return ss->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6(ss)->sin6_addr);
}

bool address_is_link_local(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&in6(ss)->sin6_addr);
}

int address_family(const struct sockaddr_storage *ss)
{
	return is_mapped(ss) ? AF_INET : ss->ss_family;
}

bool address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family || address_port(a) != address_port(b))
		return false;
	if (a->ss_family == AF_INET)
		return in4(a)->sin_addr.s_addr == in4(b)->sin_addr.s_addr;
	return a->ss_family == AF_INET6 &&
	       IN6_ARE_ADDR_EQUAL(&in6(a)->sin6_addr, &in6(b)->sin6_addr) &&
	       in6(a)->sin6_scope_id == in6(b)->sin6_scope_id;
}

int address_compare(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	int r;

	if (a->ss_family != b->ss_family)
		return a->ss_family < b->ss_family ? -1 : 1;
	if (a->ss_family == AF_INET) {
		r = memcmp(&in4(a)->sin_addr, &in4(b)->sin_addr, sizeof(in4(a)->sin_addr));
	} else {
		r = memcmp(&in6(a)->sin6_addr, &in6(b)->sin6_addr, sizeof(in6(a)->sin6_addr));
		if (!r && in6(a)->sin6_scope_id != in6(b)->sin6_scope_id)
			r = in6(a)->sin6_scope_id < in6(b)->sin6_scope_id ? -1 : 1;
	}
	return r ? r : (int)address_port(a) - (int)address_port(b);
}

bool address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	char x[ADDRESS_TEXT_BYTES], y[ADDRESS_TEXT_BYTES];

	address_format(a, 0, x, sizeof(x));
	address_format(b, 0, y, sizeof(y));
	return !strcmp(x, y);
}

bool address_is_endpoint(const char *text)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (strlen(text) >= ENDPOINT_TEXT_BYTES || !colon || colon == text ||
		num_parse_u64(colon + 1, 1, 65535, &port))
		return false;
	/* 6.1: what a text value may be made of; a comma would begin the portal group tag. */
	for (const char *p = text; p < colon; p++)
		if (*p <= ' ' || *p == ',' || *p == 0x7f)
			return false;
	return text[0] == '[' ? colon[-1] == ']'
			      : memchr(text, ':', (size_t)(colon - text)) == NULL;
}
