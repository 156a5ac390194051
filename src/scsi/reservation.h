/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reservation.h: what PERSISTENT RESERVE OUT sends and PERSISTENT RESERVE IN returns (SPC-4 6.15,
 * 6.16): parameter lists into a struct, data into bytes. The service actions are in opcodes.h; the
 * rules, which this does not know, are the engine's. Pure functions, any thread.
 */
#ifndef ULIO_SCSI_RESERVATION_H
#define ULIO_SCSI_RESERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/sense.h"

/* SPC-4 6.15.3.3, table 197. 1h and 2h are obsolete, the others reserved. */
enum reservation_scope {
	RESERVATION_LU_SCOPE = 0x0,
};

/* SPC-4 6.15.3.4, table 198. */
enum reservation_type {
	RESERVATION_NONE = 0x0, /* not a type: no reservation (0h is obsolete on the wire) */
	RESERVATION_WRITE_EXCLUSIVE = 0x1,
	RESERVATION_EXCLUSIVE_ACCESS = 0x3,
	RESERVATION_WRITE_EXCLUSIVE_RO = 0x5, /* registrants only */
	RESERVATION_EXCLUSIVE_ACCESS_RO = 0x6,
	RESERVATION_WRITE_EXCLUSIVE_AR = 0x7, /* all registrants */
	RESERVATION_EXCLUSIVE_ACCESS_AR = 0x8,
};

enum reservation_limits {
	PROUT_BASIC_BYTES = 24, /* SPC-4 6.16.3: the list without TransportIDs */
	/* Longest list that is taken: 390 initiator ports with names of 60 bytes. */
	PROUT_MAX_BYTES = 32 << 10,
	PRIN_HEADER_BYTES = 8, /* PRGENERATION and ADDITIONAL LENGTH */
	PRIN_CAPABILITIES_BYTES = 8,
	PRIN_RESERVATION_BYTES = 24,
};

/* Where the fields of the lists are, for sense_list_field() (SPC-4 tables 205 and 209). */
enum prout_field {
	PROUT_KEY = 0, /* RESERVATION KEY */
	PROUT_SA_KEY = 8, /* SERVICE ACTION RESERVATION KEY */
	PROUT_MOVE_FLAGS = 17, /* REGISTER AND MOVE: UNREG bit 1, APTPL bit 0 */
	PROUT_MOVE_RTPI = 18, /* REGISTER AND MOVE: RELATIVE TARGET PORT IDENTIFIER */
	PROUT_FLAGS = 20, /* SPEC_I_PT bit 3, ALL_TG_PT bit 2, APTPL bit 0 */
	PROUT_MOVE_ID_LENGTH = 20, /* REGISTER AND MOVE: TRANSPORTID LENGTH */
	PROUT_ID_LENGTH = 24, /* SPEC_I_PT: TRANSPORTID PARAMETER DATA LENGTH */
	PROUT_MOVE_ID = 24, /* REGISTER AND MOVE: the TransportID */
	PROUT_IDS = 28, /* SPEC_I_PT: the first TransportID */
	PROUT_UNREG_BIT = 1,
	PROUT_SPEC_I_PT_BIT = 3,
	PROUT_ALL_TG_PT_BIT = 2,
	PROUT_APTPL_BIT = 0,
};

struct prout_list {
	uint64_t key; /* RESERVATION KEY */
	uint64_t sa_key; /* SERVICE ACTION RESERVATION KEY */
	bool aptpl;
	bool all_tg_pt; /* of basic lists */
	bool spec_i_pt; /* only ever set for REGISTER */
	bool unreg; /* of REGISTER AND MOVE */
	uint16_t rtpi; /* of REGISTER AND MOVE */
	/* TransportIDs, back to back and each of them whole, of whatever protocol; or none. */
	const uint8_t *ids; /* borrowed: in the list that was parsed */
	size_t ids_bytes;
	uint16_t ids_at; /* offset of the first one in the parameter list, for field pointers */
};

/*
 * Parse the parameter list of a PERSISTENT RESERVE OUT.
 *   action	the SERVICE ACTION, enum sa_prout
 *   len	PARAMETER LIST LENGTH of the CDB, all of which is in buf; <= PROUT_MAX_BYTES
 * True and *ret, which borrows from buf; false and *ret_sense:
 *   PARAMETER LIST LENGTH ERROR	not 24 bytes, or not as many as the list itself speaks of
 *   INVALID FIELD IN PARAMETER LIST	SPEC_I_PT with another action than REGISTER; a TransportID
 *			that is cut off or malformed; TRANSPORTID LENGTH of REGISTER AND MOVE
 *			below 24 or no multiple of four, or not that of the TransportID
 * TransportIDs of other protocols are accepted: whether such a port exists is the engine's to say.
 * Source: SPC-4 6.16.3, 6.16.4.
 */
bool prout_parse(uint8_t action, const uint8_t *buf, size_t len, struct prout_list *ret,
	struct sense *ret_sense);

/* One of the types that a reservation can have. */
bool reservation_type_valid(uint8_t type);
static inline bool reservation_type_registrants_only(uint8_t type)
{
	return type == RESERVATION_WRITE_EXCLUSIVE_RO || type == RESERVATION_EXCLUSIVE_ACCESS_RO;
}

static inline bool reservation_type_all_registrants(uint8_t type)
{
	return type == RESERVATION_WRITE_EXCLUSIVE_AR || type == RESERVATION_EXCLUSIVE_ACCESS_AR;
}

/* Reads by others conflict too. */
static inline bool reservation_type_exclusive_access(uint8_t type)
{
	return type == RESERVATION_EXCLUSIVE_ACCESS || type == RESERVATION_EXCLUSIVE_ACCESS_RO ||
	       type == RESERVATION_EXCLUSIVE_ACCESS_AR;
}

/*
 * The data of PERSISTENT RESERVE IN. Each writes at most cap bytes to buf and returns the full
 * length, which ADDITIONAL LENGTH is made of, whatever cap. keys and full status are written in
 * pieces: prin_header() with the bytes that will follow, then each key or descriptor.
 */

/* READ KEYS, READ FULL STATUS: what comes first. follow: bytes of all that comes after it. */
size_t prin_header(uint32_t generation, uint32_t follow, uint8_t *buf, size_t cap);
/* READ KEYS: nkeys keys (SPC-4 6.15.2), with the header. */
size_t prin_keys(uint32_t generation, const uint64_t *keys, size_t nkeys, uint8_t *buf, size_t cap);
/*
 * READ RESERVATION (6.15.3). type RESERVATION_NONE: no reservation, and nothing after the header.
 * key: of the holder; 0 with an all registrants type.
 */
size_t prin_reservation(
	uint32_t generation, uint64_t key, uint8_t scope, uint8_t type, uint8_t *buf, size_t cap);

struct prin_capabilities {
	bool replace_lost; /* RLR_C */
	bool compatible; /* CRH: RESERVE and RELEASE as 5.12.3 has it */
	bool spec_i_pt; /* SIP_C */
	bool all_tg_pt; /* ATP_C */
	bool ptpl; /* PTPL_C: APTPL can be set */
	bool ptpl_active; /* PTPL_A: APTPL is set */
	uint8_t allow_commands; /* ALLOW COMMANDS, table 201: 0 to 5 */
};

/* REPORT CAPABILITIES (6.15.4); the six types are reported, TMV is one. */
size_t prin_report_capabilities(const struct prin_capabilities *c, uint8_t *buf, size_t cap);

struct prin_status {
	uint64_t key;
	bool all_tg_pt; /* true: rtpi is not meant */
	bool holder;
	uint8_t scope, type; /* of the reservation; written only for a holder */
	uint16_t rtpi;
	const char *initiator_port; /* "<iSCSI name>", or "<iSCSI name>,i,0x<ISID>" */
};

/*
 * READ FULL STATUS (6.15.5): one full status descriptor. Returns its length, of which buf has got
 * what cap leaves room for. initiator_port must be of one of the two forms (asserted).
 */
size_t prin_full_status(const struct prin_status *st, uint8_t *buf, size_t cap);

#endif
