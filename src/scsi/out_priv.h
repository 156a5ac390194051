/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * out_priv.h: a bounded writer. It stores what fits and counts all, so that every builder can
 * return the full length of its data whatever room the allocation length leaves.
 */
#ifndef ULIO_SCSI_OUT_PRIV_H
#define ULIO_SCSI_OUT_PRIV_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

struct out {
	uint8_t *buf;
	size_t cap;
	size_t len; /* bytes put so far, may exceed cap */
};

static inline struct out out_init(uint8_t *buf, size_t cap)
{
	assert(buf != NULL || cap == 0);
	return (struct out){ .buf = buf, .cap = cap };
}

static inline void out_bytes(struct out *o, const void *p, size_t n)
{
	if (n > 0 && o->len < o->cap) {
		size_t room = o->cap - o->len;

		memcpy(o->buf + o->len, p, n < room ? n : room);
	}
	o->len += n;
}

static inline void out_u8(struct out *o, unsigned v)
{
	uint8_t b = (uint8_t)v;

	out_bytes(o, &b, 1);
}

static inline void out_be16(struct out *o, uint16_t v)
{
	be16 b = be16_put(v);

	out_bytes(o, &b, sizeof(b));
}

static inline void out_be32(struct out *o, uint32_t v)
{
	be32 b = be32_put(v);

	out_bytes(o, &b, sizeof(b));
}

static inline void out_be64(struct out *o, uint64_t v)
{
	be64 b = be64_put(v);

	out_bytes(o, &b, sizeof(b));
}

static inline void out_fill(struct out *o, uint8_t byte, size_t n)
{
	if (n > 0 && o->len < o->cap) {
		size_t room = o->cap - o->len;

		memset(o->buf + o->len, byte, n < room ? n : room);
	}
	o->len += n;
}

/* Text of exactly n bytes: cut, or padded with pad; what is not printable ASCII becomes '_'. */
static inline void out_text(struct out *o, const char *s, size_t n, char pad)
{
	size_t i = 0;

	for (; i < n && s[i] != '\0'; i++)
		out_u8(o, s[i] >= 0x20 && s[i] <= 0x7e ? (unsigned char)s[i] : '_');
	out_fill(o, (uint8_t)pad, n - i);
}

#endif
