/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transportid.c: TransportIDs (SPC-4 7.6.4), of iSCSI initiator ports above all (tables 505 and
 * 506).
 */
#include "scsi/transportid.h"

#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "scsi/designator.h"
#include "scsi/out_priv.h"

enum {
	TID_HEADER = 4,
	TID_FORMAT_MASK = 0xc0,
	TID_FORMAT_NODE = 0x00,
	TID_FORMAT_PORT = 0x40,
	TID_PROTOCOL_MASK = 0x0f,
	TID_MIN_LENGTH = 20, /* of ADDITIONAL LENGTH */
	ISID_DIGITS = 2 * TRANSPORTID_ISID_BYTES,
};

static const char separator[] = ",i,0x";
#define SEPARATOR_LEN (sizeof(separator) - 1)

size_t transportid_encode(const struct transportid *id, uint8_t *buf, size_t cap)
{
	char isid[ISID_DIGITS + 1];
	size_t name_len = strnlen(id->name, sizeof(id->name));
	size_t text_len = name_len + (id->has_isid ? SEPARATOR_LEN + ISID_DIGITS : 0);
	size_t length = (text_len + 4) / 4 * 4; /* a NUL, and to a multiple of four */
	struct out o = out_init(buf, cap);

	assert(name_len > 0 && name_len <= TRANSPORTID_NAME_MAX);
	if (length < TID_MIN_LENGTH)
		length = TID_MIN_LENGTH;
	out_u8(&o, (id->has_isid ? TID_FORMAT_PORT : TID_FORMAT_NODE) | PROTOCOL_ISCSI);
	out_u8(&o, 0);
	out_be16(&o, (uint16_t)length);
	out_bytes(&o, id->name, name_len);
	if (id->has_isid) {
		out_bytes(&o, separator, SEPARATOR_LEN);
		hex_encode(isid, sizeof(isid), id->isid, sizeof(id->isid));
		out_bytes(&o, isid, ISID_DIGITS);
	}
	out_fill(&o, 0, length - text_len);
	return o.len;
}

/* 1 to 12 hex digits: leading zeros may be left out. */
static bool isid_parse(const char *s, size_t len, uint8_t isid[static TRANSPORTID_ISID_BYTES])
{
	uint64_t v = 0;

	if (len == 0 || len > ISID_DIGITS)
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	put_be48(isid, v);
	return true;
}

/* An iSCSI name in UTF-8: no control characters, no blanks, and no comma (RFC 7143 4.2.7.2). */
static bool name_valid(const char *s, size_t len)
{
	if (len == 0 || len > TRANSPORTID_NAME_MAX || !utf8_valid(s, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c == 0x7f || c == ',')
			return false;
	}
	return true;
}

/* The text of len bytes, without its NUL, into *ret. */
static bool transportid_parse_text(const char *s, size_t len, bool port, struct transportid *ret)
{
	size_t name_len = len;

	if (port) {
		const char *comma = memchr(s, ',', len);

		if (comma == NULL)
			return false;
		name_len = (size_t)(comma - s);
		if (len - name_len < SEPARATOR_LEN ||
			memcmp(comma, separator, SEPARATOR_LEN) != 0 ||
			!isid_parse(
				comma + SEPARATOR_LEN, len - name_len - SEPARATOR_LEN, ret->isid))
			return false;
		ret->has_isid = true;
	}
	if (!name_valid(s, name_len))
		return false;
	memcpy(ret->name, s, name_len);
	return true;
}

/* Those of the other protocols that SPC-4 defines, 7.6.4.2 to 7.6.4.8: one length, one format. */
static bool other_protocol(uint8_t protocol)
{
	static const uint8_t others[] = { PROTOCOL_FCP, PROTOCOL_SPI, PROTOCOL_SBP, PROTOCOL_SRP,
		PROTOCOL_SAS, PROTOCOL_SOP };

	return memchr(others, protocol, sizeof(others)) != NULL;
}

int transportid_parse(const uint8_t *buf, size_t len, struct transportid *ret, size_t *ret_len)
{
	struct transportid id = { 0 };
	uint8_t format, protocol;
	size_t length;
	const uint8_t *nul;

	if (len < TID_HEADER)
		return -EINVAL;
	format = buf[0] & TID_FORMAT_MASK;
	protocol = buf[0] & TID_PROTOCOL_MASK;
	if (protocol != PROTOCOL_ISCSI) {
		if (!other_protocol(protocol) || format != 0 || len < TRANSPORTID_BYTES)
			return -EINVAL;
		*ret_len = TRANSPORTID_BYTES;
		return -EPROTONOSUPPORT;
	}
	length = get_be16(buf + 2);
	if (format != TID_FORMAT_NODE && format != TID_FORMAT_PORT)
		return -EINVAL;
	if (length < TID_MIN_LENGTH || length % 4 != 0 || length > len - TID_HEADER)
		return -EINVAL;

	/* The first NUL ends the text, whatever follows it up to ADDITIONAL LENGTH. */
	nul = memchr(buf + TID_HEADER, 0, length);
	if (nul == NULL ||
		!transportid_parse_text((const char *)buf + TID_HEADER,
			(size_t)(nul - buf) - TID_HEADER, format == TID_FORMAT_PORT, &id))
		return -EINVAL;
	*ret = id;
	*ret_len = TID_HEADER + length;
	return 0;
}

bool transportid_from_port(const char *port, struct transportid *ret)
{
	struct transportid id = { 0 };

	if (!transportid_parse_text(port, strlen(port), strchr(port, ',') != NULL, &id))
		return false;
	*ret = id;
	return true;
}

void transportid_to_port(const struct transportid *id, char port[static TRANSPORTID_PORT_BYTES])
{
	size_t n = strnlen(id->name, TRANSPORTID_NAME_MAX);

	for (size_t i = 0; i < n; i++) {
		bool upper = id->name[i] >= 'A' && id->name[i] <= 'Z';

		port[i] = (char)(upper ? id->name[i] + ('a' - 'A') : id->name[i]);
	}
	if (id->has_isid) {
		memcpy(port + n, separator, SEPARATOR_LEN);
		n += SEPARATOR_LEN;
		hex_encode(port + n, ISID_DIGITS + 1, id->isid, sizeof(id->isid));
	} else {
		port[n] = '\0';
	}
}
