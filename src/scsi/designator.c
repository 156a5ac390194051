/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * designator.c: designation descriptors (SPC-4 7.8.6).
 */
#include "scsi/designator.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/hex.h"
#include "scsi/out_priv.h"

/* CODE SET. */
enum code_set {
	CODE_SET_BINARY = 1,
	CODE_SET_ASCII = 2,
	CODE_SET_UTF8 = 3,
};

/* ASSOCIATION. */
enum association {
	ASSOCIATION_LU = 0,
	ASSOCIATION_PORT = 1,
	ASSOCIATION_DEVICE = 2,
};

/* DESIGNATOR TYPE. */
enum designator_type {
	DESIGNATOR_T10_VENDOR = 1,
	DESIGNATOR_NAA = 3,
	DESIGNATOR_RELATIVE_PORT = 4,
	DESIGNATOR_PORT_GROUP = 5,
	DESIGNATOR_LU_GROUP = 6,
	DESIGNATOR_NAME_STRING = 8,
};

enum {
	DESIGNATOR_HEADER = 4,
	DESIGNATOR_PIV = 0x80,
	NAME_STRING_MAX = 252, /* a multiple of 4 that DESIGNATOR LENGTH can tell */
	T10_VENDOR_BYTES = 8,
	NAA6 = 6,
	NAA6_COMPANY_MASK = 0xffffff,
	NAA6_NIBBLES = 2 * NAA6_BYTES,
	NAA6_SERIAL_NIBBLE = 7, /* after NAA and company_id: the low half of byte 3 */
};

void naa6_from_serial(uint8_t naa[static NAA6_BYTES], uint32_t company_id, const char *serial)
{
	int nibble = NAA6_SERIAL_NIBBLE;

	memset(naa, 0, NAA6_BYTES);
	put_be32(naa, (uint32_t)NAA6 << 28 | (company_id & NAA6_COMPANY_MASK) << 4);
	for (; *serial != '\0' && nibble < NAA6_NIBBLES; serial++) {
		int digit = hex_digit(*serial);

		if (digit < 0)
			continue;
		naa[nibble / 2] |= (uint8_t)(nibble % 2 == 0 ? digit << 4 : digit);
		nibble++;
	}
}

/*
 * Start a descriptor at the end of d. protocol is of use if piv; len is the designator's.
 * Returns a writer for the designator.
 */
static struct out designator_start(struct designators *d, enum code_set code_set,
	enum association association, enum designator_type type, enum protocol_id protocol,
	size_t len)
{
	uint8_t *p = d->buf + d->len;
	bool piv = association != ASSOCIATION_LU;

	assert(len <= UINT8_MAX);
	assert(d->len + DESIGNATOR_HEADER + len <= sizeof(d->buf));
	p[0] = (uint8_t)((piv ? (unsigned)protocol << 4 : 0) | code_set);
	p[1] = (uint8_t)((piv ? DESIGNATOR_PIV : 0) | (unsigned)association << 4 | type);
	p[2] = 0;
	p[3] = (uint8_t)len;
	d->len += DESIGNATOR_HEADER + len;
	return out_init(p + DESIGNATOR_HEADER, len);
}

void designator_add_naa6(struct designators *d, const uint8_t naa[static NAA6_BYTES])
{
	struct out o = designator_start(
		d, CODE_SET_BINARY, ASSOCIATION_LU, DESIGNATOR_NAA, PROTOCOL_NONE, NAA6_BYTES);

	out_bytes(&o, naa, NAA6_BYTES);
}

void designator_add_t10(
	struct designators *d, const char *vendor, const char *product, const char *serial)
{
	size_t product_len = strlen(product), serial_len = strlen(serial);
	size_t room = UINT8_MAX - T10_VENDOR_BYTES - 1;
	struct out o;

	if (product_len > room)
		product_len = room;
	if (serial_len > room - product_len)
		serial_len = room - product_len;
	o = designator_start(d, CODE_SET_ASCII, ASSOCIATION_LU, DESIGNATOR_T10_VENDOR,
		PROTOCOL_NONE, T10_VENDOR_BYTES + product_len + 1 + serial_len);
	out_text(&o, vendor, T10_VENDOR_BYTES, ' ');
	out_text(&o, product, product_len, ' ');
	out_u8(&o, ':');
	out_text(&o, serial, serial_len, ' ');
}

/* The three kinds that hold a 16-bit number after two reserved bytes. */
static void designator_add_number(struct designators *d, enum association association,
	enum designator_type type, enum protocol_id protocol, uint16_t number)
{
	struct out o = designator_start(d, CODE_SET_BINARY, association, type, protocol, 4);

	out_be16(&o, 0);
	out_be16(&o, number);
}

void designator_add_relative_port(struct designators *d, enum protocol_id protocol, uint16_t rtpi)
{
	designator_add_number(d, ASSOCIATION_PORT, DESIGNATOR_RELATIVE_PORT, protocol, rtpi);
}

void designator_add_target_port_group(
	struct designators *d, enum protocol_id protocol, uint16_t group)
{
	designator_add_number(d, ASSOCIATION_PORT, DESIGNATOR_PORT_GROUP, protocol, group);
}

void designator_add_lu_group(struct designators *d, uint16_t group)
{
	designator_add_number(d, ASSOCIATION_LU, DESIGNATOR_LU_GROUP, PROTOCOL_NONE, group);
}

/* SCSI name string: UTF-8, NUL-terminated, NUL-padded to a multiple of 4 (7.8.6.11). */
static void designator_add_name(struct designators *d, enum association association,
	enum protocol_id protocol, const char *text)
{
	size_t text_len = strlen(text), len;
	struct out o;

	if (text_len > NAME_STRING_MAX - 1)
		text_len = NAME_STRING_MAX - 1;
	len = (text_len + 4) / 4 * 4;
	o = designator_start(d, CODE_SET_UTF8, association, DESIGNATOR_NAME_STRING, protocol, len);
	out_bytes(&o, text, text_len);
	out_fill(&o, 0, len - text_len);
}

void designator_add_port_name(struct designators *d, enum protocol_id protocol, const char *text)
{
	designator_add_name(d, ASSOCIATION_PORT, protocol, text);
}

void designator_add_device_name(struct designators *d, enum protocol_id protocol, const char *text)
{
	designator_add_name(d, ASSOCIATION_DEVICE, protocol, text);
}
