/* SPDX-License-Identifier: BSD-3-Clause */
/* ahs.c: Additional Header Segments of a SCSI Command (RFC 7143 11.2.2). */
#include <string.h>

#include "base/bytes.h"
#include "engine/cmd.h"
#include "fabric/iscsi/task.h"

/* 11.2.2.3: what the CDB has beyond its first 16 bytes. */
static bool take_extended_cdb(struct cmd *cmd, const struct pdu *pdu, const uint8_t *at, uint32_t n)
{
	uint32_t len = AHS_EXTENDED_CDB_LENGTH_BASE + n;

	if (len <= CDB_BHS_BYTES || len > CMD_CDB_BYTES || cmd->cdb_len != CDB_BHS_BYTES)
		return false;
	memcpy(cmd->cdb + CDB_BHS_BYTES, at, len - CDB_BHS_BYTES);
	cmd->cdb_len = (uint16_t)len;
	return true;
}

/* 11.2.2.4: the read length of a command that also writes, as its header says. */
static bool take_read_length(struct cmd *cmd, const struct pdu *pdu, const uint8_t *at, uint32_t n)
{
	const uint8_t both = CMD_READ | CMD_WRITE;

	if (n != AHS_BIDI_READ_LENGTH || (pdu->bhs.flags & both) != both)
		return false;
	cmd->edtl_in = get_be32(at);
	return true;
}

/* 11.2.2.1; reserved ones are errors (11). One of each kind. */
static const struct {
	uint8_t type;
	bool (*take)(struct cmd *cmd, const struct pdu *pdu, const uint8_t *at, uint32_t n);
} kinds[] = {
	{ AHS_EXTENDED_CDB, take_extended_cdb },
	{ AHS_BIDIRECTIONAL_READ_LENGTH, take_read_length },
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

bool ahs_take(struct cmd *cmd, const struct pdu *pdu)
{
	uint32_t total = bhs_ahs_bytes(&pdu->bhs), at = 0;
	unsigned seen = 0;

	while (at < total) {
		const struct ahs *a = (const struct ahs *)(pdu->ahs + at);
		size_t k = 0;

		if (total - at < sizeof(*a) || ahs_bytes(a) > total - at)
			return false;
		while (k < NKINDS && kinds[k].type != (a->ahs_type & AHS_TYPE_MASK))
			k++;
		if (k == NKINDS || seen & 1u << k ||
			!kinds[k].take(
				cmd, pdu, pdu->ahs + at + sizeof(*a), be16_get(a->ahs_length)))
			return false;
		seen |= 1u << k;
		at += ahs_bytes(a);
	}
	return true;
}
