/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cdb.c: CDB lengths, and the fields of commands that address logical blocks.
 */
#include "scsi/cdb.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "scsi/opcodes.h"

enum {
	GROUP_SHIFT = 5,
	SA_MASK = 0x1f, /* SERVICE ACTION in byte 1 */
	VARIABLE_HEADER = 8, /* bytes before those that ADDITIONAL CDB LENGTH counts */
	VARIABLE_MIN = 12, /* SERVICE ACTION is bytes 8 and 9, and lengths are multiples of 4 */
	NO_SA = -1,
};

/* CDB length by group code, SPC-4 table 17; 0: reserved, vendor specific or variable. */
static const uint8_t group_lengths[8] = { 6, 10, 10, 0, 16, 12, 0, 0 };

size_t cdb_length(const uint8_t *cdb, size_t len)
{
	size_t n;

	if (len == 0)
		return 0;
	if (cdb[0] != OP_VARIABLE_LENGTH_CDB)
		return group_lengths[cdb[0] >> GROUP_SHIFT];
	if (len < VARIABLE_HEADER)
		return 0;
	n = (size_t)VARIABLE_HEADER + cdb[7];
	return n >= VARIABLE_MIN && n <= CDB_MAX_BYTES && n % 4 == 0 ? n : 0;
}

/* True if the CDB is there as a whole. */
static bool cdb_whole(const uint8_t *cdb, size_t len)
{
	size_t n = cdb_length(cdb, len);

	return n != 0 && n <= len;
}

static bool opcode_has_sa(uint8_t op)
{
	static const uint8_t ops[] = { OP_SANITIZE, OP_PERSISTENT_RESERVE_IN,
		OP_PERSISTENT_RESERVE_OUT, OP_THIRD_PARTY_COPY_OUT, OP_THIRD_PARTY_COPY_IN,
		OP_READ_ATTRIBUTE, OP_SERVICE_ACTION_IN_16, OP_SERVICE_ACTION_OUT_16,
		OP_MAINTENANCE_IN, OP_MAINTENANCE_OUT, OP_SERVICE_ACTION_OUT_12,
		OP_SERVICE_ACTION_IN_12 };

	return memchr(ops, op, sizeof(ops)) != NULL;
}

int cdb_service_action(const uint8_t *cdb, size_t len)
{
	if (!cdb_whole(cdb, len))
		return NO_SA;
	if (cdb[0] == OP_VARIABLE_LENGTH_CDB)
		return get_be16(cdb + 8);
	return opcode_has_sa(cdb[0]) ? cdb[1] & SA_MASK : NO_SA;
}

uint8_t cdb_control(const uint8_t *cdb, size_t len)
{
	if (!cdb_whole(cdb, len))
		return 0;
	return cdb[0] == OP_VARIABLE_LENGTH_CDB ? cdb[1] : cdb[cdb_length(cdb, len) - 1];
}

/* Where ALLOCATION LENGTH or PARAMETER LIST LENGTH is. Any service action of the opcode. */
struct list_row {
	uint8_t op;
	uint8_t byte;
	uint8_t bytes;
};

static const struct list_row list_rows[] = {
	{ OP_REQUEST_SENSE, 4, 1 },
	{ OP_INQUIRY, 3, 2 },
	{ OP_MODE_SELECT_6, 4, 1 },
	{ OP_MODE_SENSE_6, 4, 1 },
	{ OP_RECEIVE_DIAGNOSTIC_RESULTS, 3, 2 },
	{ OP_SEND_DIAGNOSTIC, 3, 2 },
	{ OP_READ_FORMAT_CAPACITIES, 7, 2 },
	{ OP_READ_DEFECT_DATA_10, 7, 2 },
	{ OP_WRITE_BUFFER, 6, 3 },
	{ OP_READ_BUFFER, 6, 3 },
	{ OP_UNMAP, 7, 2 },
	{ OP_READ_TOC, 7, 2 },
	{ OP_GET_CONFIGURATION, 7, 2 },
	{ OP_SANITIZE, 7, 2 },
	{ OP_GET_EVENT_STATUS_NOTIFICATION, 7, 2 },
	{ OP_LOG_SELECT, 7, 2 },
	{ OP_LOG_SENSE, 7, 2 },
	{ OP_READ_DISC_INFORMATION, 7, 2 },
	{ OP_MODE_SELECT_10, 7, 2 },
	{ OP_MODE_SENSE_10, 7, 2 },
	{ OP_PERSISTENT_RESERVE_IN, 7, 2 },
	{ OP_PERSISTENT_RESERVE_OUT, 5, 4 },
	{ OP_THIRD_PARTY_COPY_OUT, 10, 4 },
	{ OP_THIRD_PARTY_COPY_IN, 10, 4 },
	{ OP_READ_ATTRIBUTE, 10, 4 },
	{ OP_WRITE_ATTRIBUTE, 10, 4 },
	{ OP_SERVICE_ACTION_IN_16, 10, 4 },
	{ OP_REPORT_LUNS, 6, 4 },
	{ OP_SECURITY_PROTOCOL_IN, 6, 4 },
	{ OP_MAINTENANCE_IN, 6, 4 },
	{ OP_MAINTENANCE_OUT, 6, 4 },
	{ OP_READ_DISC_STRUCTURE, 8, 2 },
	{ OP_SECURITY_PROTOCOL_OUT, 6, 4 },
	{ OP_READ_DEFECT_DATA_12, 6, 4 },
	{ OP_MECHANISM_STATUS, 8, 2 },
};

/* A big-endian field of 0 (then the value is 0), 1, 2, 3, 4 or 8 bytes. */
static uint64_t cdb_field(const uint8_t *p, unsigned bytes)
{
	switch (bytes) {
	case 8:
		return get_be64(p);
	case 4:
		return get_be32(p);
	case 3:
		return get_be24(p);
	case 2:
		return get_be16(p);
	case 1:
		return *p;
	default:
		return 0;
	}
}

bool cdb_list_length(const uint8_t *cdb, size_t len, uint32_t *ret_bytes)
{
	if (!cdb_whole(cdb, len))
		return false;
	for (size_t i = 0; i < sizeof(list_rows) / sizeof(list_rows[0]); i++) {
		const struct list_row *row = &list_rows[i];

		if (row->op == cdb[0]) {
			*ret_bytes = (uint32_t)cdb_field(cdb + row->byte, row->bytes);
			return true;
		}
	}
	return false;
}

bool cdb_usage_check(
	const uint8_t *cdb, const uint8_t *mask, size_t len, uint16_t *ret_byte, uint8_t *ret_bit)
{
	for (size_t i = 1; i < len; i++) {
		unsigned bad = cdb[i] & (uint8_t)~mask[i];
		uint8_t bit = 7;

		if (bad == 0)
			continue;
		while (!(bad & 1u << bit))
			bit--;
		*ret_byte = (uint16_t)i;
		*ret_bit = bit;
		return false;
	}
	return true;
}

/* Which flags a command has, and so what the bits of its flags byte mean. */
enum {
	RW_PROTECT = 1 << 0, /* bits 7..5 */
	RW_DPO = 1 << 1, /* bit 4 */
	RW_FUA = 1 << 2, /* bit 3 */
	RW_RARC = 1 << 3, /* bit 2 */
	RW_BYTCHK = 1 << 4, /* bits 2..1 */
	RW_IMMED = 1 << 5, /* bit 1 */
	RW_ANCHOR = 1 << 6, /* bit 4; bit 0 of UNMAP */
	RW_UNMAP = 1 << 7, /* bit 3 */
	RW_NDOB = 1 << 8, /* bit 0 */
	RW_SIX = 1 << 9, /* 21-bit LBA, 0 blocks are 256 */
	RW_ANCHOR_0 = 1 << 10, /* ANCHOR in bit 0 */
	RW_PI_FIELDS = 1 << 11, /* 32-byte: expected tags in bytes 20 to 27 */
	RW_BOUNDARY = 1 << 12, /* WRITE ATOMIC: ATOMIC BOUNDARY, bytes 10 and 11 */
};

/* Where the fields of a command are. A row of zeros is no command. */
struct rw_row {
	uint8_t flags_byte;
	uint8_t lba_byte, lba_bytes;
	uint8_t n_byte, n_bytes; /* 0 bytes: no number of blocks */
	uint8_t group_byte, group_mask; /* 0: no GROUP NUMBER */
	uint16_t has;
};

#define RW_READ   (RW_PROTECT | RW_DPO | RW_FUA | RW_RARC)
#define RW_WRITE  (RW_PROTECT | RW_DPO | RW_FUA)
#define RW_VERIFY (RW_PROTECT | RW_DPO | RW_BYTCHK)
#define RW_SAME   (RW_PROTECT | RW_ANCHOR | RW_UNMAP)

/* SBC-3 clause 5; WRITE ATOMIC (16) from SBC-4. Operation codes without service actions. */
static const struct rw_row rw_by_opcode[256] = {
	/*                        flags lba   blocks group     fields */
	[OP_READ_6] = { 0, 1, 3, 4, 1, 0, 0, RW_SIX },
	[OP_WRITE_6] = { 0, 1, 3, 4, 1, 0, 0, RW_SIX },
	[OP_READ_10] = { 1, 2, 4, 7, 2, 6, 0x1f, RW_READ },
	[OP_READ_12] = { 1, 2, 4, 6, 4, 10, 0x1f, RW_READ },
	[OP_READ_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_READ },
	[OP_WRITE_10] = { 1, 2, 4, 7, 2, 6, 0x1f, RW_WRITE },
	[OP_WRITE_12] = { 1, 2, 4, 6, 4, 10, 0x1f, RW_WRITE },
	[OP_WRITE_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_WRITE },
	[OP_WRITE_AND_VERIFY_10] = { 1, 2, 4, 7, 2, 6, 0x1f, RW_VERIFY },
	[OP_WRITE_AND_VERIFY_12] = { 1, 2, 4, 6, 4, 10, 0x1f, RW_VERIFY },
	[OP_WRITE_AND_VERIFY_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_VERIFY },
	[OP_VERIFY_10] = { 1, 2, 4, 7, 2, 6, 0x1f, RW_VERIFY },
	[OP_VERIFY_12] = { 1, 2, 4, 6, 4, 10, 0x1f, RW_VERIFY },
	[OP_VERIFY_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_VERIFY },
	[OP_WRITE_SAME_10] = { 1, 2, 4, 7, 2, 6, 0x1f, RW_SAME },
	[OP_WRITE_SAME_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_SAME | RW_NDOB },
	[OP_PRE_FETCH_10] = { 1, 2, 4, 7, 2, 6, 0x1f, RW_IMMED },
	[OP_PRE_FETCH_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_IMMED },
	[OP_SYNCHRONIZE_CACHE_10] = { 1, 2, 4, 7, 2, 6, 0x1f, RW_IMMED },
	[OP_SYNCHRONIZE_CACHE_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_IMMED },
	[OP_COMPARE_AND_WRITE] = { 1, 2, 8, 13, 1, 14, 0x1f, RW_WRITE },
	[OP_ORWRITE_16] = { 1, 2, 8, 10, 4, 14, 0x1f, RW_WRITE },
	[OP_WRITE_ATOMIC_16] = { 1, 2, 8, 12, 2, 14, 0x1f, RW_WRITE | RW_BOUNDARY },
	[OP_UNMAP] = { 1, 0, 0, 0, 0, 6, 0x1f, RW_ANCHOR_0 },
};

/* The 32-byte commands all look alike. */
#define RW_THIRTY_TWO(has)                                                                         \
	{                                                                                          \
		10, 12, 8, 28, 4, 6, 0x1f, (has) | RW_PI_FIELDS                                    \
	}

static const struct {
	uint8_t op;
	uint16_t sa;
	struct rw_row row;
} rw_by_service_action[] = {
	{ OP_SERVICE_ACTION_IN_16, SA_GET_LBA_STATUS, { 0, 2, 8, 0, 0, 0, 0, 0 } },
	{ OP_VARIABLE_LENGTH_CDB, SA_READ_32, RW_THIRTY_TWO(RW_READ) },
	{ OP_VARIABLE_LENGTH_CDB, SA_WRITE_32, RW_THIRTY_TWO(RW_WRITE) },
	{ OP_VARIABLE_LENGTH_CDB, SA_VERIFY_32, RW_THIRTY_TWO(RW_VERIFY) },
	{ OP_VARIABLE_LENGTH_CDB, SA_WRITE_AND_VERIFY_32, RW_THIRTY_TWO(RW_VERIFY) },
	{ OP_VARIABLE_LENGTH_CDB, SA_WRITE_SAME_32, RW_THIRTY_TWO(RW_SAME | RW_NDOB) },
};

enum {
	RW_VARIABLE_BYTES = 32, /* 7Fh: ADDITIONAL CDB LENGTH is 18h in all of the above */
	SIX_LBA_MASK = 0x1fffff,
	SIX_ZERO_BLOCKS = 256,
};

static const struct rw_row *rw_row_find(const uint8_t *cdb, size_t len)
{
	int sa;

	if (rw_by_opcode[cdb[0]].has != 0)
		return &rw_by_opcode[cdb[0]];
	sa = cdb_service_action(cdb, len);
	for (size_t i = 0; i < sizeof(rw_by_service_action) / sizeof(rw_by_service_action[0]); i++)
		if (rw_by_service_action[i].op == cdb[0] && rw_by_service_action[i].sa == sa)
			return &rw_by_service_action[i].row;
	return NULL;
}

/* The bits of the flags byte, as far as the command has them. */
static void rw_flags(const struct rw_row *row, uint8_t b, struct cdb_rw *r)
{
	unsigned has = row->has;

	if (has & RW_PROTECT)
		r->protect = b >> 5;
	r->dpo = has & RW_DPO && b & 0x10;
	r->fua = has & RW_FUA && b & 0x08;
	r->rarc = has & RW_RARC && b & 0x04;
	if (has & RW_BYTCHK)
		r->bytchk = b >> 1 & 3;
	r->immed = has & RW_IMMED && b & 0x02;
	r->anchor = (has & RW_ANCHOR && b & 0x10) || (has & RW_ANCHOR_0 && b & 0x01);
	r->unmap = has & RW_UNMAP && b & 0x08;
	r->ndob = has & RW_NDOB && b & 0x01;
}

int cdb_rw_decode(const uint8_t *cdb, size_t len, struct cdb_rw *ret)
{
	const struct rw_row *row;
	struct cdb_rw r = { 0 };

	if (!cdb_whole(cdb, len))
		return -EINVAL;
	row = rw_row_find(cdb, len);
	if (row == NULL)
		return -EINVAL;
	if (cdb[0] == OP_VARIABLE_LENGTH_CDB && cdb_length(cdb, len) != RW_VARIABLE_BYTES)
		return -EINVAL;

	r.lba = cdb_field(cdb + row->lba_byte, row->lba_bytes);
	r.nblocks = (uint32_t)cdb_field(cdb + row->n_byte, row->n_bytes);
	r.group = cdb[row->group_byte] & row->group_mask;
	rw_flags(row, cdb[row->flags_byte], &r);
	if (row->has & RW_SIX) {
		r.lba &= SIX_LBA_MASK;
		if (r.nblocks == 0)
			r.nblocks = SIX_ZERO_BLOCKS;
	}
	if (row->has & RW_BOUNDARY)
		r.atomic_boundary = get_be16(cdb + 10);
	if (row->has & RW_PI_FIELDS) {
		r.has_pi_fields = true;
		r.ref_tag = get_be32(cdb + 20);
		r.app_tag = get_be16(cdb + 24);
		r.app_tag_mask = get_be16(cdb + 26);
	}
	*ret = r;
	return 0;
}
