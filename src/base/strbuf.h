/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * strbuf.h: a growable text buffer, NUL-terminated at every moment.
 *
 * Running out of memory sets .failed and leaves the text as it was; whatever is appended after
 * that is dropped. So a builder of text needs one check, at its end. A buffer belongs to one
 * thread at a time.
 */
#ifndef ULIO_BASE_STRBUF_H
#define ULIO_BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
	char *s; /* the text, never NULL; read-only for callers while cap is 0 */
	size_t len; /* bytes of text, without the NUL */
	size_t cap; /* bytes allocated, 0 while nothing was appended */
	bool failed; /* memory ran out: the text is incomplete */
};

/* Make an empty buffer; allocates nothing. */
void strbuf_init(struct strbuf *b);

/* Free the text. The buffer is then as after strbuf_init(). */
void strbuf_done(struct strbuf *b);

/* Forget the text and .failed, keep the memory. */
void strbuf_reset(struct strbuf *b);

/* Make room for n more bytes of text. False when memory ran out (then .failed is set). */
bool strbuf_reserve(struct strbuf *b, size_t n);

/* Append formatted text. */
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Append a string, n bytes (which may hold NULs), one character. */
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_write(struct strbuf *b, const void *p, size_t n);
void strbuf_putc(struct strbuf *b, char c);
/* In decimal; many times as fast as strbuf_printf(). */
void strbuf_put_u64(struct strbuf *b, uint64_t v);
void strbuf_put_i64(struct strbuf *b, int64_t v);

/* Cut the text to len bytes; a longer len is ignored. */
void strbuf_truncate(struct strbuf *b, size_t len);

/*
 * Hand the text over: the caller frees it with free(). NULL when the buffer had failed or when
 * memory runs out now. The buffer is then as after strbuf_init().
 */
char *strbuf_steal(struct strbuf *b);

#endif
