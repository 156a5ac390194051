/* SPDX-License-Identifier: BSD-3-Clause */
/* strbuf.c: growable text buffer. */
#include "base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRBUF_MIN_BYTES = 64 };

void strbuf_init(struct strbuf *b)
{
	*b = (struct strbuf){ .s = (char *)"" };
}

void strbuf_done(struct strbuf *b)
{
	if (b->cap)
		free(b->s);
	strbuf_init(b);
}

void strbuf_reset(struct strbuf *b)
{
	b->failed = false;
	strbuf_truncate(b, 0);
}

bool strbuf_reserve(struct strbuf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : STRBUF_MIN_BYTES;
	char *s;

	if (b->failed)
		return false;
	if (b->cap && n < b->cap - b->len)
		return true;
	if (n >= SIZE_MAX / 4 - b->len) {
		b->failed = true;
		return false;
	}
	while (cap - 1 < b->len + n)
		cap *= 2;
	s = realloc(b->cap ? b->s : NULL, cap);
	if (!s) {
		b->failed = true;
		return false;
	}
	s[b->len] = '\0';
	b->s = s;
	b->cap = cap;
	return true;
}

void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		b->failed = true;
	else if (strbuf_reserve(b, (size_t)n)) {
		vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

void strbuf_write(struct strbuf *b, const void *p, size_t n)
{
	if (n == 0 || !strbuf_reserve(b, n))
		return;
	memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_write(b, s, strlen(s));
}

void strbuf_putc(struct strbuf *b, char c)
{
	strbuf_write(b, &c, 1);
}

void strbuf_truncate(struct strbuf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->s[len] = '\0';
}

char *strbuf_steal(struct strbuf *b)
{
	char *s = NULL;

	if (strbuf_reserve(b, 0))
		s = b->s;
	else
		strbuf_done(b);
	strbuf_init(b);
	return s;
}

void strbuf_put_u64(struct strbuf *b, uint64_t v)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	strbuf_write(b, p, (size_t)(digits + sizeof(digits) - p));
}

void strbuf_put_i64(struct strbuf *b, int64_t v)
{
	if (v < 0)
		strbuf_putc(b, '-');
	strbuf_put_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}
