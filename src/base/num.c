/* SPDX-License-Identifier: BSD-3-Clause */
/* num.c: numbers and sizes as text. */
#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/hex.h"

/*
 * Read the digits at *s to the base, and move *s behind them. -EINVAL if there is none, -ERANGE
 * if the number is above UINT64_MAX (then *s is behind the digits all the same).
 */
static int num_digits(const char **s, unsigned base, uint64_t *ret)
{
	const char *start = *s;
	uint64_t v = 0;
	int rc = 0;

	for (;; (*s)++) {
		int d = hex_digit(**s);

		if (d < 0 || (unsigned)d >= base)
			break;
		if (__builtin_mul_overflow(v, base, &v) ||
			__builtin_add_overflow(v, (unsigned)d, &v))
			rc = -ERANGE;
	}
	if (*s == start)
		return -EINVAL;
	*ret = v;
	return rc;
}

static int num_parse_base(const char *s, unsigned base, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int rc = num_digits(&s, base, &v);

	if (rc == -EINVAL || *s != '\0')
		return -EINVAL;
	if (rc < 0 || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	return num_parse_base(s, 10, min, max, ret);
}

int num_parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int rc = num_parse_base(s, 10, min, max, &v);

	if (rc == 0)
		*ret = (uint32_t)v;
	return rc;
}

int num_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	const uint64_t most = (uint64_t)INT64_MAX + (*s == '-');
	uint64_t v;
	int64_t i;
	int rc = num_parse_base(s + (*s == '-'), 10, 0, most, &v);

	if (rc < 0)
		return rc;
	i = *s == '-' ? (int64_t)(0 - v) : (int64_t)v;
	if (i < min || i > max)
		return -ERANGE;
	*ret = i;
	return 0;
}

int num_parse_any(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return num_parse_base(s + 2, 16, min, max, ret);
	return num_parse_base(s, 10, min, max, ret);
}

static const char size_units[] = "BKMGTPE";

int num_parse_size(const char *s, uint64_t *ret_bytes)
{
	const char *unit;
	unsigned shift = 0;
	uint64_t v;
	int rc = num_digits(&s, 10, &v);

	if (rc == -EINVAL)
		return rc;
	if (*s) {
		unit = strchr(size_units, *s & ~0x20); /* upper case */
		if (!unit || !((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z')))
			return -EINVAL;
		shift = 10 * (unsigned)(unit - size_units);
		s++;
		if (shift && (strcasecmp(s, "b") == 0 || strcasecmp(s, "ib") == 0))
			s += strlen(s);
		if (*s)
			return -EINVAL;
	}
	if (rc < 0 || v > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = v << shift;
	return 0;
}

const char *num_format_size(char *buf, uint64_t bytes)
{
	unsigned unit = 0;

	while (bytes && bytes % 1024 == 0 && size_units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, NUM_SIZE_CHARS, "%" PRIu64 "%.*s", bytes, unit ? 1 : 0, &size_units[unit]);
	return buf;
}
