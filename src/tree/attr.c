/* SPDX-License-Identifier: BSD-3-Clause */
/* attr.c: ready-made functions of attribute rows, and the parsing that all rows share. */
#include "tree/attr.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Value of a digit of any base up to 16, or 16 if c is none. */
static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

/* Digits of base 0 (0x…, 0…, decimal) up to the end of s. 0, -EINVAL or -ERANGE. */
static int parse_digits(const char *s, uint64_t *ret)
{
	uint64_t v = 0;
	unsigned base = 10;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2]) < 16) {
		base = 16;
		s += 2;
	} else if (s[0] == '0') {
		base = 8;
	}
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned d = digit(*s);

		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
			__builtin_add_overflow(v, (uint64_t)d, &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int attr_parse_u64(const struct attr *a, const char *value, uint64_t min, uint64_t max,
	uint64_t *ret, struct errmsg *err)
{
	uint64_t v = 0;
	int r = parse_digits(value[0] == '+' ? value + 1 : value, &v);

	if (!r && v > UINT32_MAX && max <= UINT32_MAX)
		r = -ERANGE;
	else if (!r && (v < min || v > max))
		r = -EINVAL;
	if (r)
		return errmsg_set(err, r,
			"%s: \"%.64s\" is not a number from %" PRIu64 " to %" PRIu64, a->name,
			value, min, max);
	*ret = v;
	return 0;
}

int attr_parse_s64(const struct attr *a, const char *value, int64_t min, int64_t max, int64_t *ret,
	struct errmsg *err)
{
	bool neg = value[0] == '-';
	uint64_t v = 0;
	int64_t s = 0;
	int r = parse_digits(neg || value[0] == '+' ? value + 1 : value, &v);

	if (!r && v > (uint64_t)INT64_MAX)
		r = -ERANGE;
	if (!r) {
		s = neg ? -(int64_t)v : (int64_t)v;
		if (s < min || s > max)
			r = -EINVAL;
	}
	if (r)
		return errmsg_set(err, r,
			"%s: \"%.64s\" is not a number from %" PRId64 " to %" PRId64, a->name,
			value, min, max);
	*ret = s;
	return 0;
}

int attr_parse_bool(const struct attr *a, const char *value, bool *ret, struct errmsg *err)
{
	char c = value[0] == 'o' || value[0] == 'O' ? value[1] : value[0];
	bool on = value[0] == 'o' || value[0] == 'O';

	if (c && strchr(on ? "nN" : "1yYtT", c)) {
		*ret = true;
		return 0;
	}
	if (c && strchr(on ? "fF" : "0nNfF", c)) {
		*ret = false;
		return 0;
	}
	return errmsg_set(err, -EINVAL,
		"%s: \"%.64s\" is neither 1 (yes, on, true) nor 0 (no, off, false)", a->name,
		value);
}

static void *field(const struct attr *a, void *obj)
{
	return (char *)obj + a->offset;
}

int attr_get_u32(const struct attr *a, void *obj, struct strbuf *out)
{
	uint32_t v;

	memcpy(&v, field(a, obj), sizeof(v));
	strbuf_put_u64(out, v);
	return 0;
}

int attr_set_u32(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	uint32_t v32;
	int r = attr_parse_u64(a, value, a->min, a->max ? a->max : UINT32_MAX, &v, err);

	if (r)
		return r;
	v32 = (uint32_t)v;
	memcpy(field(a, obj), &v32, sizeof(v32));
	return 0;
}

int attr_get_bool(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, *(bool *)field(a, obj) ? "1" : "0");
	return 0;
}

int attr_set_bool(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	bool v;
	int r = attr_parse_bool(a, value, &v, err);

	if (r)
		return r;
	*(bool *)field(a, obj) = v;
	return 0;
}

int attr_get_str(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, field(a, obj));
	return 0;
}

int attr_set_str(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	size_t n = strlen(value);

	if (n >= a->max)
		return errmsg_set(err, -EINVAL,
			"%s: %zu bytes are too long, at most %" PRIu64 " fit", a->name, n,
			a->max - 1);
	memcpy(field(a, obj), value, n + 1);
	return 0;
}
