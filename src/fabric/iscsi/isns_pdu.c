/* SPDX-License-Identifier: BSD-3-Clause */
/* isns_pdu.c: messages of RFC 4171 as bytes and back. */
#include "fabric/iscsi/isns_pdu.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

const char *isns_status_name(uint32_t status)
{
	static const char *const names[] = {
		[0] = "success",
		[1] = "unknown error",
		[2] = "message format error",
		[3] = "invalid registration",
		[5] = "invalid query",
		[6] = "source unknown",
		[7] = "source absent",
		[8] = "source unauthorized",
		[9] = "no such entry",
		[10] = "version not supported",
		[11] = "internal error",
		[12] = "busy",
		[13] = "option not understood",
		[14] = "invalid update",
		[15] = "message not supported",
		[16] = "SCN event rejected",
		[17] = "SCN registration rejected",
		[18] = "attribute not implemented",
		[21] = "ESI not available",
		[22] = "invalid deregistration",
		[23] = "registration feature not supported",
	};

	if (status >= sizeof(names) / sizeof(names[0]) || !names[status])
		return "a status that RFC 4171 does not have";
	return names[status];
}

/* ---- building -------------------------------------------------------------------------------- */

void isns_begin(struct strbuf *b, uint16_t function, uint16_t flags, uint16_t transaction)
{
	struct isns_header h = {
		.version = be16_put(ISNS_VERSION),
		.function = be16_put(function),
		.flags = be16_put(flags | ISNS_FLAG_FIRST | ISNS_FLAG_LAST),
		.transaction = be16_put(transaction),
	};

	strbuf_write(b, &h, sizeof(h));
}

bool isns_end(struct strbuf *b)
{
	size_t n = b->len - ISNS_HEADER_BYTES;

	if (b->failed || b->len < ISNS_HEADER_BYTES || n > ISNS_PAYLOAD_BYTES_MAX)
		return false;
	put_be16((uint8_t *)b->s + offsetof(struct isns_header, length), (uint16_t)n);
	return true;
}

void isns_put(struct strbuf *b, enum isns_tag tag, const void *value, size_t n)
{
	static const uint8_t zeros[4] = { 0 };
	uint8_t head[8];

	put_be32(head, (uint32_t)tag);
	put_be32(head + 4, (uint32_t)((n + 3) & ~(size_t)3));
	strbuf_write(b, head, sizeof(head));
	if (n)
		strbuf_write(b, value, n);
	strbuf_write(b, zeros, -n & 3);
}

void isns_put_u32(struct strbuf *b, enum isns_tag tag, uint32_t value)
{
	uint8_t v[4];

	put_be32(v, value);
	isns_put(b, tag, v, sizeof(v));
}

void isns_put_text(struct strbuf *b, enum isns_tag tag, const char *text)
{
	isns_put(b, tag, text, strlen(text) + 1);
}

void isns_put_address(struct strbuf *b, enum isns_tag tag, const struct sockaddr_storage *ss)
{
	uint8_t ip[16] = { [10] = 0xff, [11] = 0xff };

	if (ss->ss_family == AF_INET6)
		memcpy(ip, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
	else
		memcpy(ip + 12, &((const struct sockaddr_in *)ss)->sin_addr, 4);
	isns_put(b, tag, ip, sizeof(ip));
}

/* ---- reading --------------------------------------------------------------------------------- */

int isns_next(struct isns_reader *r, struct isns_attr *ret)
{
	uint32_t n;

	if (!r->n)
		return 0;
	if (r->n < 8)
		return -EPROTO;
	n = get_be32(r->p + 4);
	/* 6.1: lengths are multiples of 4; who forgot the padding has padded all the same. */
	if (n > r->n - 8 || ((n + 3) & ~3u) > r->n - 8)
		return -EPROTO;
	ret->tag = get_be32(r->p);
	ret->value = r->p + 8;
	ret->n = n;
	n = (n + 3) & ~3u;
	r->p += 8 + n;
	r->n -= 8 + n;
	return 1;
}

bool isns_u32(const struct isns_attr *a, uint32_t *ret)
{
	if (a->n != 4)
		return false;
	*ret = get_be32(a->value);
	return true;
}

const char *isns_text(const struct isns_attr *a)
{
	const uint8_t *end = memchr(a->value, 0, a->n);

	if (!end)
		return NULL;
	for (const uint8_t *p = a->value; p < end; p++)
		if (*p < ' ' || *p == 0x7f)
			return NULL;
	return (const char *)a->value;
}
