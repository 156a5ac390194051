/* SPDX-License-Identifier: BSD-3-Clause */
/* name.c: RFC 7143 4.2.7. */
#include "fabric/iscsi/name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"

static bool digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
	}
	return true;
}

/* What follows "iqn.": YYYY-MM, '.', and at least one character of the naming authority. */
static const char *iqn_check(const char *s)
{
	if (strlen(s) < 9 || !digits(s, 4) || s[4] != '-' || !digits(s + 5, 2) || s[7] != '.')
		return "an iqn name begins iqn.YYYY-MM. and the owner's domain name reversed";
	if (memcmp(s + 5, "01", 2) < 0 || memcmp(s + 5, "12", 2) > 0)
		return "the month of an iqn name is 01 to 12";
	return NULL;
}

static bool hex_digits(const char *s, size_t n)
{
	if (strlen(s) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (hex_digit(s[i]) < 0)
			return false;
	}
	return true;
}

static const char *eui_check(const char *s)
{
	return hex_digits(s, 16) ? NULL : "an eui name has 16 hexadecimal digits";
}

static const char *naa_check(const char *s)
{
	return hex_digits(s, 16) || hex_digits(s, 32)
		       ? NULL
		       : "an naa name has 16 or 32 hexadecimal digits";
}

static const struct {
	const char *prefix;
	const char *(*check)(const char *rest); /* NULL, or what is wrong */
} formats[] = {
	{ "iqn.", iqn_check },
	{ "eui.", eui_check },
	{ "naa.", naa_check },
};

/* Bytes of the UTF-8 character at s, 0 if it is malformed (RFC 3629). */
static size_t utf8_bytes(const unsigned char *s)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t c = s[0] & (0xffu >> (n + 1));

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
		(c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

static bool characters_valid(const char *name)
{
	const unsigned char *s = (const unsigned char *)name;

	while (*s) {
		size_t n = 1;

		if (*s >= 0x80)
			n = utf8_bytes(s);
		else if (*s <= ' ' || *s == 0x7f || *s == ',' || *s == '=')
			n = 0;
		if (n == 0)
			return false;
		s += n;
	}
	return true;
}

static const char *name_check(const char *name)
{
	if (!characters_valid(name))
		return "a name has no spaces, commas, '=', control characters or broken UTF-8";
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strncmp(name, formats[i].prefix, 4) == 0)
			return formats[i].check(name + 4);
	}
	return "a name begins with iqn., eui. or naa.";
}

int node_name_normalize(const char *in, char ret[NODE_NAME_BYTES_MAX + 1], const char **ret_why)
{
	char name[NODE_NAME_BYTES_MAX + 1];
	size_t len = strnlen(in, sizeof(name));
	const char *why;

	if (len == sizeof(name)) {
		why = "a name has at most 223 bytes";
	} else {
		memcpy(name, in, len + 1);
		for (char *p = name; *p; p++) {
			if (*p >= 'A' && *p <= 'Z')
				*p += 'a' - 'A';
		}
		why = name_check(name);
	}
	if (ret_why)
		*ret_why = why;
	if (why)
		return -EINVAL;
	memcpy(ret, name, len + 1);
	return 0;
}
