/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_pdu.h: messages of the Internet Storage Name Service (RFC 4171 5, 6) as bytes: building them
 * attribute by attribute, and taking apart what came. Pure functions, for any thread.
 */
#ifndef ULIO_FABRIC_ISCSI_ISNS_PDU_H
#define ULIO_FABRIC_ISCSI_ISNS_PDU_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/strbuf.h"

#define ISNS_VERSION      1
#define ISNS_PORT         3205 /* 2.9.1 */
#define ISNS_HEADER_BYTES 12

/* 5.1.4: PDU LENGTH has 16 bits and is a multiple of 4. */
#define ISNS_PAYLOAD_BYTES_MAX 65532

struct isns_header { /* 5.1 */
	be16 version, function, length, flags, transaction, sequence;
};
static_assert(sizeof(struct isns_header) == ISNS_HEADER_BYTES, "5.1");

enum isns_function { /* 5.6, 5.7; a response has bit 15 */
	ISNS_DEV_ATTR_REG = 0x0001,
	ISNS_DEV_ATTR_QRY = 0x0002,
	ISNS_DEV_DEREG = 0x0004,
	ISNS_SCN_REG = 0x0005,
	ISNS_SCN = 0x0008,
	ISNS_ESI = 0x000d,
	ISNS_RESPONSE = 0x8000,
};

enum isns_flag { /* 5.1.5 */
	ISNS_FLAG_CLIENT = 0x8000,
	ISNS_FLAG_SERVER = 0x4000,
	ISNS_FLAG_AUTHENTICATED = 0x2000,
	ISNS_FLAG_REPLACE = 0x1000,
	ISNS_FLAG_LAST = 0x0800,
	ISNS_FLAG_FIRST = 0x0400,
};

enum isns_tag { /* 6.1 */
	ISNS_DELIMITER = 0,
	ISNS_ENTITY_ID = 1,
	ISNS_ENTITY_PROTOCOL = 2,
	ISNS_TIMESTAMP = 4,
	ISNS_REGISTRATION_PERIOD = 6,
	ISNS_PORTAL_ADDRESS = 16,
	ISNS_PORTAL_PORT = 17,
	ISNS_ESI_INTERVAL = 19,
	ISNS_ESI_PORT = 20,
	ISNS_SCN_PORT = 23,
	ISNS_ISCSI_NAME = 32,
	ISNS_ISCSI_NODE_TYPE = 33,
	ISNS_ISCSI_ALIAS = 34,
	ISNS_ISCSI_SCN_BITMAP = 35,
	ISNS_PG_ISCSI_NAME = 48,
	ISNS_PG_PORTAL_ADDRESS = 49,
	ISNS_PG_PORTAL_PORT = 50,
	ISNS_PG_TAG = 51,
};

#define ISNS_ENTITY_PROTOCOL_ISCSI 2 /* 6.2.2 */
#define ISNS_NODE_TARGET           1 /* 6.4.2 */

enum isns_scn { /* 6.4.4 */
	ISNS_SCN_INITIATORS_AND_SELF = 0x80,
	ISNS_SCN_OBJECT_REMOVED = 0x10,
	ISNS_SCN_OBJECT_ADDED = 0x08,
	ISNS_SCN_OBJECT_UPDATED = 0x04,
};

enum isns_status { /* 5.4 */
	ISNS_SUCCESS = 0,
	ISNS_UNKNOWN_ERROR = 1,
	ISNS_FORMAT_ERROR = 2,
	ISNS_INVALID_REGISTRATION = 3,
	ISNS_INVALID_QUERY = 5,
	ISNS_SOURCE_UNKNOWN = 6,
	ISNS_SOURCE_UNAUTHORIZED = 8,
	ISNS_NO_SUCH_ENTRY = 9,
	ISNS_NOT_SUPPORTED = 15,
	ISNS_ESI_NOT_AVAILABLE = 21,
};

/* "source unknown" and so on, for people. Static text. */
const char *isns_status_name(uint32_t status);

/* ---- building ---- */

/* Begin a message; b is empty. isns_end() then gives it its length. */
void isns_begin(struct strbuf *b, uint16_t function, uint16_t flags, uint16_t transaction);
/* False: memory ran out, or it is longer than a PDU may be. */
bool isns_end(struct strbuf *b);

/* One attribute (6.1: tag, length, value padded to 4 bytes). */
void isns_put(struct strbuf *b, enum isns_tag tag, const void *value, size_t n);
void isns_put_u32(struct strbuf *b, enum isns_tag tag, uint32_t value);
/* With its NUL, as text attributes are (6.2.1, 6.4.1). */
void isns_put_text(struct strbuf *b, enum isns_tag tag, const char *text);
/* 16 bytes, IPv4 mapped into IPv6 (6.3.1). */
void isns_put_address(struct strbuf *b, enum isns_tag tag, const struct sockaddr_storage *ss);

/* ---- reading ---- */

struct isns_attr {
	uint32_t tag;
	const uint8_t *value; /* within the payload */
	size_t n; /* bytes of it, as its length said: not padded */
};

/* The rest of a payload that is being read. */
struct isns_reader {
	const uint8_t *p;
	size_t n;
};

/* The next attribute; 0: there is none, -EPROTO: what is there is none. */
int isns_next(struct isns_reader *r, struct isns_attr *ret);

/* Its value, if it is a number of 4 bytes. */
bool isns_u32(const struct isns_attr *a, uint32_t *ret);
/* Its value, if it is text that ends with a NUL, of printable bytes: within the payload. NULL. */
const char *isns_text(const struct isns_attr *a);

#endif
