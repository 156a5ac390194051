/* SPDX-License-Identifier: BSD-3-Clause */
/* err.c: error messages for the administrator. */
#include "base/err.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Store a text that snprintf() made, n bytes long before it was cut. */
static void errmsg_copy(struct errmsg *e, char *text, int n)
{
	if (n < 0)
		text[0] = '\0';
	else if (n >= ERRMSG_TEXT_MAX)
		memcpy(text + ERRMSG_TEXT_MAX - 4, "...", 4);
	memcpy(e->text, text, ERRMSG_TEXT_MAX);
}

void errmsg_init(struct errmsg *e)
{
	e->code = 0;
	e->text[0] = '\0';
}

void errmsg_store(struct errmsg *e, int neg_errno, const char *fmt, ...)
{
	char text[ERRMSG_TEXT_MAX] = "";
	va_list ap;
	int n;

	assert(neg_errno < 0);
	if (!e)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	errmsg_copy(e, text, n);
	e->code = neg_errno;
}

int errmsg_prefix(struct errmsg *e, const char *fmt, ...)
{
	char text[ERRMSG_TEXT_MAX] = "";
	size_t used;
	va_list ap;
	int n;

	if (!e)
		return 0;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0 && n < ERRMSG_TEXT_MAX) {
		used = (size_t)n;
		n += snprintf(text + used, sizeof(text) - used, ": %s", e->text);
	}
	errmsg_copy(e, text, n);
	return e->code;
}

const char *err_name(int neg_errno)
{
	const char *s = neg_errno > INT_MIN ? strerrorname_np(-neg_errno) : NULL;

	return s ? s : "E???";
}

const char *err_text(int neg_errno)
{
	const char *s = neg_errno > INT_MIN ? strerrordesc_np(-neg_errno) : NULL;

	return s ? s : "Unknown error";
}
