/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sense.h: sense by name, and its two formats on the wire (SPC-4 4.5).
 *
 * A command that fails carries a struct sense; whoever sends it encodes it in the format that the
 * Control mode page's D_SENSE bit, or REQUEST SENSE's DESC bit, asks for. Pure functions, any
 * thread.
 */
#ifndef ULIO_SCSI_SENSE_H
#define ULIO_SCSI_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SPC-4 4.5.6, Sense key. */
enum sense_key {
	KEY_NO_SENSE = 0x0,
	KEY_RECOVERED_ERROR = 0x1,
	KEY_NOT_READY = 0x2,
	KEY_MEDIUM_ERROR = 0x3,
	KEY_HARDWARE_ERROR = 0x4,
	KEY_ILLEGAL_REQUEST = 0x5,
	KEY_UNIT_ATTENTION = 0x6,
	KEY_DATA_PROTECT = 0x7,
	KEY_BLANK_CHECK = 0x8,
	KEY_COPY_ABORTED = 0xa,
	KEY_ABORTED_COMMAND = 0xb,
	KEY_MISCOMPARE = 0xe,
};

enum sense_name {
#define SENSE(name, key, asc, ascq, text) SENSE_##name,
#include "scsi/sense.tbl.h"
#undef SENSE
	SENSE_COUNT
};

/* What the sense key specific bytes hold, SPC-4 4.5.2.4. */
enum sense_sks {
	SKS_NONE,
	SKS_FIELD_POINTER, /* ILLEGAL REQUEST: field, and bit if bit_valid; in_cdb is C/D */
	SKS_RETRY_COUNT, /* HARDWARE, MEDIUM, RECOVERED ERROR: field = actual retry count */
	SKS_PROGRESS, /* NO SENSE, NOT READY: field = done, as a fraction of 65536 */
	SKS_SEGMENT_POINTER, /* COPY ABORTED: field, bit as above; in_segment is SD */
	SKS_OVERFLOW, /* UNIT ATTENTION: the UA queue overflowed */
};

enum sense_limits {
	SENSE_FIXED_BYTES = 18, /* what the fixed format always takes */
	SENSE_MAX_BYTES = 252, /* SPC-4 4.5.1; no encoding is longer */
	SENSE_EXTRA_MAX = 200, /* of struct sense's extra: the rest is room for our own */
};

/* All zero is SENSE_NO_SENSE with nothing attached. */
struct sense {
	enum sense_name name;
	bool deferred; /* response code 71h or 73h: of an earlier command */
	bool ili; /* incorrect length (SBC-3 5.19, READ LONG) */

	bool info_valid;
	uint64_t information; /* usually an LBA; the byte offset for a miscompare */
	bool specific_valid;
	uint64_t specific; /* COMMAND-SPECIFIC INFORMATION */

	enum sense_sks sks;
	bool in_cdb; /* SKS_FIELD_POINTER: the CDB, else the parameter list */
	bool in_segment; /* SKS_SEGMENT_POINTER: from the segment descriptor's start */
	bool bit_valid;
	uint8_t bit; /* 7..0, the leftmost bit of the field in error */
	uint16_t field; /* byte of the field in error; see enum sense_sks */

	/* Whole sense data descriptors to append in descriptor format (SPC-4 4.5.2.6, 4.5.2.7). */
	const uint8_t *extra; /* borrowed until encoded */
	uint8_t extra_len; /* bytes, <= SENSE_EXTRA_MAX */
};

/* Sense with nothing but its name. */
static inline struct sense sense_plain(enum sense_name name)
{
	return (struct sense){ .name = name };
}

/*
 * A field in error, SPC-4 4.5.2.4.2.
 *   byte	offset of the field's first byte in the CDB or the parameter list
 *   bit	0..7: the field's leftmost bit; SENSE_NO_BIT when the whole byte is meant
 */
#define SENSE_NO_BIT (-1)
struct sense sense_cdb_field(enum sense_name name, uint16_t byte, int bit);
struct sense sense_list_field(enum sense_name name, uint16_t byte, int bit);

/* Sense with an INFORMATION field: an LBA, a miscompare's offset. */
struct sense sense_with_info(enum sense_name name, uint64_t information);

/* NO SENSE or NOT READY with a progress indication: done / total, total > 0, done <= total. */
struct sense sense_with_progress(enum sense_name name, uint64_t done, uint64_t total);

enum sense_key sense_key(enum sense_name name);
uint8_t sense_asc(enum sense_name name);
uint8_t sense_ascq(enum sense_name name);
const char *sense_text(enum sense_name name); /* SPC-4's text, static */

/* SPC-4's name of a sense key: "ILLEGAL REQUEST"; "reserved" for an unknown one. Static. */
const char *sense_key_text(enum sense_key key);

/*
 * Encode sense data.
 *   descriptor	true: response codes 72h, 73h; false: fixed format, 70h, 71h. An INFORMATION or
 *		COMMAND-SPECIFIC INFORMATION that does not fit fixed format's 32 bits is left out
 *		(VALID = 0).
 * At most cap bytes are written to buf. Returns the full length, <= SENSE_MAX_BYTES, whatever cap.
 * Source: SPC-4 4.5.2 (descriptor), 4.5.3 (fixed).
 */
size_t sense_encode(const struct sense *sense, bool descriptor, uint8_t *buf, size_t cap);

#endif
