/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sense.c: the sense table, fixed and descriptor format (SPC-4 4.5).
 */
#include "scsi/sense.h"

#include <assert.h>

#include "scsi/out_priv.h"

struct sense_row {
	uint8_t key;
	uint8_t asc;
	uint8_t ascq;
	const char *text;
};

static const struct sense_row sense_rows[SENSE_COUNT] = {
#define SENSE(name, key, asc, ascq, text) [SENSE_##name] = { key, asc, ascq, text },
#include "scsi/sense.tbl.h"
#undef SENSE
};

/* SPC-4 table 41. */
static const char *const sense_key_names[16] = {
	[KEY_NO_SENSE] = "NO SENSE",
	[KEY_RECOVERED_ERROR] = "RECOVERED ERROR",
	[KEY_NOT_READY] = "NOT READY",
	[KEY_MEDIUM_ERROR] = "MEDIUM ERROR",
	[KEY_HARDWARE_ERROR] = "HARDWARE ERROR",
	[KEY_ILLEGAL_REQUEST] = "ILLEGAL REQUEST",
	[KEY_UNIT_ATTENTION] = "UNIT ATTENTION",
	[KEY_DATA_PROTECT] = "DATA PROTECT",
	[KEY_BLANK_CHECK] = "BLANK CHECK",
	[KEY_COPY_ABORTED] = "COPY ABORTED",
	[KEY_ABORTED_COMMAND] = "ABORTED COMMAND",
	[KEY_MISCOMPARE] = "MISCOMPARE",
};

/* Response codes, SPC-4 4.5.1; a deferred error has the next one. */
enum sense_response {
	RESPONSE_FIXED = 0x70,
	RESPONSE_DESCRIPTOR = 0x72,
};

/* Sense data descriptor types, SPC-4 4.5.2.1. */
enum sense_descriptor {
	DESCRIPTOR_INFORMATION = 0x00,
	DESCRIPTOR_COMMAND_SPECIFIC = 0x01,
	DESCRIPTOR_SENSE_KEY_SPECIFIC = 0x02,
	DESCRIPTOR_BLOCK_COMMANDS = 0x05, /* SBC-3 4.18.1 */
};

enum {
	SKS_BYTES = 3,
	SKSV = 0x80,
	SKS_CD = 0x40, /* C/D of a field pointer */
	SKS_SD = 0x20, /* SD of a segment pointer */
	SKS_BPV = 0x08,
	SKS_QUEUE_OVERFLOW = 0x01,
	FIXED_VALID = 0x80,
	FIXED_ILI = 0x20,
	BLOCK_ILI = 0x20,
	DESCRIPTOR_VALID = 0x80,
};

static const struct sense_row *sense_row(enum sense_name name)
{
	assert((unsigned)name < SENSE_COUNT);
	return &sense_rows[name];
}

enum sense_key sense_key(enum sense_name name)
{
	return (enum sense_key)sense_row(name)->key;
}

uint8_t sense_asc(enum sense_name name)
{
	return sense_row(name)->asc;
}

uint8_t sense_ascq(enum sense_name name)
{
	return sense_row(name)->ascq;
}

const char *sense_text(enum sense_name name)
{
	return sense_row(name)->text;
}

const char *sense_key_text(enum sense_key key)
{
	const char *text = (unsigned)key < 16 ? sense_key_names[key] : NULL;

	return text != NULL ? text : "reserved";
}

static struct sense sense_field(enum sense_name name, bool in_cdb, uint16_t byte, int bit)
{
	assert(bit >= SENSE_NO_BIT && bit <= 7);
	return (struct sense){
		.name = name,
		.sks = SKS_FIELD_POINTER,
		.in_cdb = in_cdb,
		.bit_valid = bit != SENSE_NO_BIT,
		.bit = (uint8_t)(bit == SENSE_NO_BIT ? 0 : bit),
		.field = byte,
	};
}

struct sense sense_cdb_field(enum sense_name name, uint16_t byte, int bit)
{
	return sense_field(name, true, byte, bit);
}

struct sense sense_list_field(enum sense_name name, uint16_t byte, int bit)
{
	return sense_field(name, false, byte, bit);
}

struct sense sense_with_info(enum sense_name name, uint64_t information)
{
	return (struct sense){ .name = name, .info_valid = true, .information = information };
}

struct sense sense_with_progress(enum sense_name name, uint64_t done, uint64_t total)
{
	uint64_t part;

	assert(total > 0 && done <= total);
	/* 65536 ths, rounded down, never "all of it": 4.5.2.4.4 has no code for done. */
	for (; total > UINT32_MAX; total >>= 1)
		done >>= 1;
	part = done * 65536 / total;
	return (struct sense){
		.name = name,
		.sks = SKS_PROGRESS,
		.field = (uint16_t)(part > 0xffff ? 0xffff : part),
	};
}

/* The three sense key specific bytes, SPC-4 4.5.2.4; returns false if there are none. */
static bool sense_sks_bytes(const struct sense *s, uint8_t sks[static SKS_BYTES])
{
	unsigned bits = s->bit_valid ? SKS_BPV | (s->bit & 7u) : 0;

	put_be16(sks + 1, s->field);
	switch (s->sks) {
	case SKS_NONE:
		return false;
	case SKS_FIELD_POINTER:
		sks[0] = (uint8_t)(SKSV | (s->in_cdb ? SKS_CD : 0) | bits);
		return true;
	case SKS_SEGMENT_POINTER:
		sks[0] = (uint8_t)(SKSV | (s->in_segment ? SKS_SD : 0) | bits);
		return true;
	case SKS_RETRY_COUNT:
	case SKS_PROGRESS:
		sks[0] = SKSV;
		return true;
	case SKS_OVERFLOW:
		sks[0] = SKSV | SKS_QUEUE_OVERFLOW;
		put_be16(sks + 1, 0);
		return true;
	}
	assert(!"struct sense: sks");
	return false;
}

/* SPC-4 4.5.3, table 53. */
static void sense_encode_fixed(const struct sense *s, struct out *o)
{
	const struct sense_row *row = sense_row(s->name);
	bool info = s->info_valid && s->information <= UINT32_MAX;
	bool specific = s->specific_valid && s->specific <= UINT32_MAX;
	uint8_t sks[SKS_BYTES] = { 0 };

	if (!sense_sks_bytes(s, sks))
		memset(sks, 0, sizeof(sks));
	out_u8(o, RESPONSE_FIXED | s->deferred | (info ? FIXED_VALID : 0));
	out_u8(o, 0); /* obsolete */
	out_u8(o, row->key | (s->ili ? FIXED_ILI : 0));
	out_be32(o, info ? (uint32_t)s->information : 0);
	out_u8(o, SENSE_FIXED_BYTES - 8); /* ADDITIONAL SENSE LENGTH */
	out_be32(o, specific ? (uint32_t)s->specific : 0);
	out_u8(o, row->asc);
	out_u8(o, row->ascq);
	out_u8(o, 0); /* FIELD REPLACEABLE UNIT CODE */
	out_bytes(o, sks, sizeof(sks));
}

/* A descriptor of an eight-byte value: 4.5.2.2 (information), 4.5.2.3 (command specific). */
static void sense_descriptor_u64(struct out *o, enum sense_descriptor type, bool valid, uint64_t v)
{
	out_u8(o, type);
	out_u8(o, 0x0a);
	out_u8(o, valid ? DESCRIPTOR_VALID : 0);
	out_u8(o, 0);
	out_be64(o, v);
}

/* SPC-4 4.5.2, table 28. */
static void sense_encode_descriptors(const struct sense *s, struct out *o)
{
	uint8_t sks[SKS_BYTES];

	if (s->info_valid)
		sense_descriptor_u64(o, DESCRIPTOR_INFORMATION, true, s->information);
	if (s->specific_valid)
		sense_descriptor_u64(o, DESCRIPTOR_COMMAND_SPECIFIC, false, s->specific);
	if (sense_sks_bytes(s, sks)) {
		out_u8(o, DESCRIPTOR_SENSE_KEY_SPECIFIC);
		out_u8(o, 0x06);
		out_fill(o, 0, 2);
		out_bytes(o, sks, sizeof(sks));
		out_u8(o, 0);
	}
	if (s->ili) {
		out_u8(o, DESCRIPTOR_BLOCK_COMMANDS);
		out_u8(o, 0x02);
		out_u8(o, 0);
		out_u8(o, BLOCK_ILI);
	}
	assert(s->extra_len <= SENSE_EXTRA_MAX);
	out_bytes(o, s->extra, s->extra_len);
}

size_t sense_encode(const struct sense *s, bool descriptor, uint8_t *buf, size_t cap)
{
	const struct sense_row *row = sense_row(s->name);
	uint8_t descriptors[SENSE_MAX_BYTES - 8];
	struct out d = out_init(descriptors, sizeof(descriptors));
	struct out o = out_init(buf, cap);

	if (!descriptor) {
		sense_encode_fixed(s, &o);
		return o.len;
	}
	sense_encode_descriptors(s, &d);
	assert(d.len <= sizeof(descriptors));
	out_u8(&o, RESPONSE_DESCRIPTOR | s->deferred);
	out_u8(&o, row->key);
	out_u8(&o, row->asc);
	out_u8(&o, row->ascq);
	out_fill(&o, 0, 3);
	out_u8(&o, (unsigned)d.len); /* ADDITIONAL SENSE LENGTH */
	out_bytes(&o, descriptors, d.len);
	return o.len;
}
